"""Trains a small network with every loss and every trick, side by side, and measures each.

    python benchmarks/losses.py [--only NAME ...] [--iters 500] [--out outputs/losses]

Each row is the same small network with the base's flags and its own. docs/losses.md keeps a run.
"""

import math
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import machine
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kerasgan import backend, cli, data, latents, metrics, recipes, saved
from kerasgan.data.batches import Batches
from kerasgan.files import atomic_path
from kerasgan.gan import GAN

PRESET = "dcgan"
BASE = "--size 32 --width 0.25 --batch-size 32 --learning-rate 5e-4 --precision float32"
NO_BN = "--no-d-batch-norm"  # what bounds D's slope or scale at one picture has to do without
LAZY = f"{NO_BN} --penalty-every 4"

# What is typed beyond the base, by the row's name.
ROWS = {
    "base": "",
    "saturating": "--loss saturating",
    "lsgan": "--loss lsgan",
    "hinge": "--loss hinge",
    "relativistic": "--loss relativistic",
    "wgan": "--loss wgan",
    "wgan-gp": "--loss wgan-gp",
    "no-batch-norm-d": NO_BN,
    "no-batch-norm-g": "--no-g-batch-norm",
    "no-batch-norm": f"{NO_BN} --no-g-batch-norm",
    "mixed-batches": "--no-separate-batches",
    "mixed-batches-frozen-d": "--no-separate-batches --no-frozen-d-training",
    "r1": f"{NO_BN} --r1 1",
    "r1-lazy": f"{LAZY} --r1 1",
    "r2-lazy": f"{LAZY} --r2 1",
    "r1-r2-lazy": f"{LAZY} --r1 1 --r2 1",
    "gp": f"{NO_BN} --gp 10",
    "gp-lazy": f"{LAZY} --gp 10",
    "gp-lazy-weaker": f"{LAZY} --gp 1",
    "gp-n-critic-5": f"{NO_BN} --gp 10 --n-critic 5",
    "spectral-norm": f"{NO_BN} --spectral-norm",
    "hinge-spectral": f"{NO_BN} --spectral-norm --loss hinge",
    "relativistic-r1-r2": f"{LAZY} --r1 1 --r2 1 --loss relativistic",
    "n-critic-2": "--n-critic 2",
    "smoothing": "--label-smoothing 0.1",
    "smoothing-two-sided": "--label-smoothing 0.1 --smooth-fakes",
    "label-noise": "--label-noise 0.2",
    "label-flips": "--label-flips 0.05",
    "instance-noise": "--instance-noise 0.1",
    "instance-noise-fading": "--instance-noise 0.1 --instance-noise-iters 400",
    "dropout": "--dropout 0.4",
    "slowest-d": "--d-learning-rate 1e-4",
    "slow-d": "--d-learning-rate 2.5e-4",
    "fast-d": "--d-learning-rate 1e-3",
    "adam-beta1-0.9": "--beta1 0.9",
    "adam-beta1-0.9-slower": "--beta1 0.9 --learning-rate 1e-4",
    "rmsprop": "--optimizer rmsprop",
    "sgd": "--optimizer sgd --momentum 0.9 --learning-rate 0.01",
    "sgd-slower": "--optimizer sgd --momentum 0.9 --learning-rate 1e-3",
    "sgd-less-momentum": "--optimizer sgd --momentum 0.5 --learning-rate 0.01",
    "ema": "--ema 0.999",
    "flip": "--flip",
    "augment": "--augment 1",
    "ada": "--augment ada --ada-images 16000",
    "base-seed-1": "--seed 1",
    "base-seed-2": "--seed 2",
}
PICTURES = 2000  # built-in faces to learn from
COUNT = 500  # samples to measure
SHOWN = 8  # of them, in the row's strip
TURNS, A_TURN = 6, 4  # of timing; iterations in each, as many as between two lazy penalties
LAST = 50  # iterations over which D's accuracy is averaged
FACE = "face"  # features

LEAST_DIVERSITY = 1 / 2  # of the reals'
LABEL, ACROSS, GAP = 150, 2, 4  # of the sheet: pixels, strips side by side, pixels
COLOURS = 128  # of the sheet
COLUMNS = ("row", "typed", "KID x 1000 (95%)", "Frechet", "diversity", "d_accuracy", "time",
           "alive")  # fmt: skip


class Judge:
    """Measures samples against the pictures that they were learned from."""

    def __init__(self, pictures: data.Pictures) -> None:
        # A network that knows all kinds of things minds the noise of a short training more than it
        # likes the face: it puts the untrained generator's grey nearer to the reals.
        self.evaluator = metrics.Evaluator(
            pictures, count=COUNT, features=[FACE], detect=False, quiet=True
        )
        self.real_distance = mean_distance(self.evaluator.reals.features[FACE][:COUNT])

    def figures(self, samples: np.ndarray) -> dict[str, float]:
        """Measures samples, uint8 (COUNT, H, W, C).

        Returns:
            What the evaluator says of face features, and `diversity`: the mean distance between
            two samples, over that between two reals.
        """
        fakes = self.evaluator.describe(samples)
        diversity = mean_distance(fakes.features[FACE]) / self.real_distance
        return self.evaluator.compare(fakes)[FACE] | {"diversity": diversity}

    def protocol(self) -> str:
        protocol = self.evaluator.protocol(COUNT)
        name = protocol["parts"][FACE]["id"]
        return "{count} samples against {reals:,} reals, data {data:.12}, face [{name}]".format(
            **protocol, name=name
        )


def make_recipe(flags: str) -> recipes.Recipe:
    """Returns the recipe that typing the flags after the base's makes."""
    parser = cli.Parser()
    recipes.add_flags(parser)
    typed = recipes.overrides(parser.parse_args(shlex.split(f"{BASE} {flags}")))
    recipe = recipes.apply(recipes.PRESETS[PRESET], typed)
    return backend.resolved(recipe, PICTURES)


def train(gan: GAN, pictures: data.Pictures, iters: int) -> float:
    """Trains for so many iterations; returns D's accuracy at the end."""
    batches = Batches.of(pictures, gan.recipe)
    accuracies = [gan.train_on_batch(batches.at(i))["d_accuracy"] for i in range(iters)]
    return float(np.mean(accuracies[-LAST:]))


def draw(gan: GAN) -> np.ndarray:
    """Draws samples, uint8 (COUNT, H, W, C), of the same seed for all."""
    return saved.draw(gan.shown_generator, latents.draw(COUNT, gan.recipe.latent_dim, seed=0))


def relative_cost(gan: GAN, base: GAN, pictures: data.Pictures) -> float:
    """Returns CPU-seconds of an iteration over the base's; both go on training meanwhile."""
    rivals = [(rival, Batches.of(pictures, rival.recipe).at(0)) for rival in (gan, base)]
    for rival, batch in rivals:  # whose compiled steps TensorFlow prepares anew after a new GAN
        rival.train_on_batch(batch)
    seconds = [0.0, 0.0]
    for _ in range(TURNS):  # in turn, so that both meet the same weather
        for place, (rival, batch) in enumerate(rivals):
            began = time.process_time()
            for _ in range(A_TURN):
                rival.train_on_batch(batch)
            seconds[place] += time.process_time() - began
    return seconds[0] / seconds[1]


def mean_distance(features: np.ndarray) -> float:
    """Returns the mean distance between two different rows of features (N, D)."""
    rows = features.astype(np.float64)
    squares = (rows**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0))
    np.fill_diagonal(distances, 0)
    return float(distances.sum() / (len(rows) * (len(rows) - 1)))


def write_sheet(path: Path, strips: dict[str, np.ndarray]) -> None:
    """Writes a PNG of the first samples of each row beside its name."""
    side = next(iter(strips.values())).shape[1]
    rows = math.ceil(len(strips) / ACROSS)
    width, height = LABEL + SHOWN * side + GAP, side + GAP
    sheet = Image.new("RGB", (ACROSS * width + GAP, rows * height + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for place, (name, samples) in enumerate(strips.items()):
        column, row = divmod(place, rows)
        left, top = GAP + column * width, GAP + row * height
        draw.text((left, top + side / 2), name, "black", font, anchor="lm")
        strip = np.concatenate(list(samples[:SHOWN]), axis=1)
        sheet.paste(Image.fromarray(strip), (left + LABEL, top))
    with atomic_path(path) as temporary:
        small = sheet.quantize(COLOURS, dither=Image.Dither.NONE)  # noise takes room as it is
        small.save(temporary, format="PNG", optimize=True)


def print_row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def cells(figures: dict[str, float]) -> list[str]:
    shown = (
        "{kid_x1000:.1f} ({kid_x1000_low:.1f} to {kid_x1000_high:.1f})",
        "{frechet:.2f}",
        "{diversity:.2f}",
    )
    return [cell.format(**figures) for cell in shown]


def is_alive(figures: dict[str, float], untrained: dict[str, float]) -> bool:
    """Whether training has not collapsed: the samples differ, and it has brought them nearer."""
    nearer = figures["kid_x1000_high"] < untrained["kid_x1000_low"]
    return nearer and figures["diversity"] > LEAST_DIVERSITY


def compare(names: Sequence[str], iters: int, out: Path) -> None:
    """Trains, measures and prints row after row, and draws the sheet anew with each."""
    base = make_recipe("")
    pictures = data.load(data.BUILT_IN, size=base.size, limit=PICTURES)
    judge = Judge(pictures)
    print(f"{machine.describe()}\n{PICTURES:,} built-in faces, {iters} iterations of:")
    print(f"python -m kerasgan.train --preset {PRESET} {BASE}\n{judge.protocol()}\n")
    print_row(*COLUMNS)
    print_row(*["---"] * len(COLUMNS))
    strips = {"reals": pictures.pixels[:SHOWN], "untrained": draw(GAN(base))}
    untrained = judge.figures(strips["untrained"])
    floor = judge.evaluator.floor()[FACE] | {"diversity": 1.0}
    print_row("reals, half against half", "", *cells(floor), "", "", "")
    print_row("untrained", "", *cells(untrained), "", "", "")
    paces = []  # the base, which comes first and which the others are timed against
    with cli.progress(len(names), "Training", unit="row") as bar:
        for name in names:
            gan = GAN(make_recipe(ROWS[name]))
            accuracy = train(gan, pictures, iters)
            paces = paces or [gan]
            strips[name] = draw(gan)
            figures = judge.figures(strips[name])
            print_row(
                *(name, f"`{ROWS[name]}`" if ROWS[name] else "", *cells(figures)),
                *(f"{accuracy:.2f}", f"{relative_cost(gan, paces[0], pictures):.1f}"),
                "yes" if is_alive(figures, untrained) else "no",
            )
            write_sheet(out / "losses.png", strips)
            bar.update()


def report(argv: Sequence[str] | None = None) -> None:
    """Parses the command line and compares."""
    parser = cli.Parser(description=__doc__.splitlines()[0], formatter_class=cli.HelpFormatter)
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME",
                        help="rows to train beside the base, of: " + ", ".join(ROWS))  # fmt: skip
    parser.add_argument("--iters", type=int, default=500, help="iterations of each row")
    parser.add_argument("--out", type=cli.path, default=Path("outputs/losses"),
                        help="folder for losses.png, the first samples of each row")  # fmt: skip
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    compare(list(dict.fromkeys(["base", *args.only])), args.iters, args.out)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    return cli.run(report, argv)


if __name__ == "__main__":
    sys.exit(main())
