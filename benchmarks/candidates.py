"""Gives recipes the same time on the same pictures and measures what each draws.

    python benchmarks/candidates.py SOURCE --minutes 20 --only fast article-lite
    python benchmarks/candidates.py SOURCE --minutes 20 --only fast --seeds 0 1 2
    python benchmarks/candidates.py SOURCE --minutes 20 --try "--preset fast --learning-rate 1e-3"

Time is the clock's, from the first iteration after the compiling ones, without measuring; with
--processor it is that of all processor cores together, which other work on the machine does not
change. docs/fast.md keeps runs of it.
"""

import argparse
import shlex
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import machine

from kerasgan import backend, cli, data, images, latents, metrics, recipes, saved
from kerasgan.data.batches import Ahead, Batches
from kerasgan.gan import GAN
from kerasgan.recipes import PRESETS, Recipe

# What is typed, by the candidate's name.
CANDIDATES = {
    "fast": "--preset fast",
    "article-lite": "--preset article-lite",
    "dcgan": "--preset dcgan",
    "dcgan-1/4": "--preset dcgan --width 0.25 --batch-size 16",
    "fast-bce": "--preset fast --loss bce --label-noise 0",
    "fast-hinge": "--preset fast --loss hinge --reuse-fakes",
    "fast-alternating": "--preset fast --no-simultaneous --reuse-fakes",
    "fast-constant-rate": "--preset fast --decay 0",
    "fast-falls-early": "--preset fast --decay 2e-4",
    "fast-r-0.03": "--preset fast --r1 0.03 --r2 0.03",
    "fast-r-0.1": "--preset fast --r1 0.1 --r2 0.1",
    "fast-r-1": "--preset fast --r1 1 --r2 1",
    "fast-no-r2": "--preset fast --r2 0",
    "fast-batch-16": "--preset fast --batch-size 16 --learning-rate 7e-4 --decay 5e-5",
    "fast-batch-32": "--preset fast --batch-size 32 --learning-rate 1e-3 --decay 1e-4",
    "fast-no-energy": "--preset fast --energy 0",
    "fast-no-augment": "--preset fast --augment none",
    "fast-no-batch-norm": "--preset fast --no-g-batch-norm",
    "fast-float32": "--preset fast --precision float32",
}
SHOWN = 64  # pictures in a candidate's grid
WARM_UP = 2  # compiling iterations
COLUMNS = ("candidate", "time", "iterations", "images", "images/s", "KID x 1000 (95%)",
           "face Frechet", "precision / recall", "faces found", "diversity",
           "d_accuracy")  # fmt: skip
RECENT = 500  # iterations over which d_accuracy is averaged


def recipe_of(words: str, seed: int, size: int | None) -> Recipe:
    """Resolves a candidate's words as `kerasgan.train` would."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--preset", choices=list(PRESETS), default="fast")
    recipes.add_flags(parser)
    typed = parser.parse_args(shlex.split(words))
    sized = {} if size is None else {"size": size}
    return recipes.apply(PRESETS[typed.preset], sized | recipes.overrides(typed) | {"seed": seed})


class Spent(NamedTuple):
    """What a candidate has had so far, without its compiling iterations.

    Attributes:
        seconds: of the clock or the processor.
        iterations: done in them.
        d_accuracy: fraction of pairs that D tells apart, of late: 0.5 by chance.
    """

    seconds: float
    iterations: int
    d_accuracy: float


def trained(
    gan: GAN, batches: Batches, ends: Sequence[float], now: Callable[[], float], name: str
) -> Iterator[Spent]:
    """Trains, and pauses after each of some times for the caller to look."""
    spent, done, right = 0.0, 0, deque(maxlen=RECENT)
    with Ahead(batches) as ahead, cli.progress(round(ends[-1]), name, unit="s") as bar:
        for _ in range(WARM_UP):
            gan.train_on_batch(ahead.at(int(gan.iteration)))
        for end in ends:
            began = now()
            while spent + now() - began < end:
                right.append(gan.train_on_batch(ahead.at(int(gan.iteration)))["d_accuracy"])
                done += 1
                bar.update(max(0, round(spent + now() - began) - bar.n))
            spent += now() - began
            yield Spent(spent, done, sum(right) / len(right))


def row(name: str, recipe: Recipe, spent: Spent, figures: dict[str, Any]) -> list[str]:
    """Lays one measurement out."""
    first, face = figures["efficientnet-lite0"], figures["face"]
    seen = spent.iterations * recipe.reals_an_iteration
    return [
        name,
        f"{spent.seconds / 60:.0f} min",
        f"{spent.iterations:,}",
        f"{seen:,}",
        f"{seen / spent.seconds:.0f}",
        "{kid_x1000:.1f} ({kid_x1000_low:.1f} to {kid_x1000_high:.1f})".format(**first),
        f"{face['frechet']:.3f}",
        f"{first['precision']:.3f} / {first['recall']:.3f}",
        f"{figures['faces_found']:.1%}",
        f"{first['diversity']:.2f}",
        f"{spent.d_accuracy:.2f}",
    ]


def measure(name: str, words: str, seed: int, args: argparse.Namespace) -> Iterator[list[str]]:
    """Trains one candidate and yields a row after each of its times."""
    recipe = recipe_of(words, seed, args.size)
    pictures = data.load(args.source, size=recipe.size, channels=3, limit=args.limit)
    recipe = backend.resolved(recipe, len(pictures.pixels))
    evaluator = metrics.Evaluator(pictures, count=args.count, looked_at=args.looked_at, quiet=True)
    gan = GAN(recipe)
    ends = sorted(60 * minutes for minutes in args.minutes)
    now = time.process_time if args.processor else time.perf_counter
    for spent in trained(gan, Batches.of(pictures, recipe), ends, now, name):
        drawn = saved.draw(gan.shown_generator, latents.draw(args.count, recipe.latent_dim, 0))
        figures = evaluator.compare(evaluator.describe(drawn))
        stem = f"{name.replace('/', '_')}-seed{seed}-{spent.seconds / 60:.0f}min"
        images.write_png(args.out / f"{stem}.png", images.make_grid(drawn[:SHOWN]))
        yield row(f"{name}, seed {seed}", recipe, spent, figures)


def report(argv: Sequence[str] | None = None) -> int:
    """Measures all candidates that are asked for, one after another."""
    parser = cli.Parser(description="Compare recipes.", formatter_class=cli.HelpFormatter)
    add = parser.add_argument
    add("source", help="pictures")
    add("--minutes", type=float, nargs="+", default=[20.0], help="at which each is measured")
    add("--processor", action="store_true", help="minutes are of processor time, not the clock's")
    add("--only", nargs="+", choices=list(CANDIDATES), help="candidates; all unless given")
    add("--try", dest="words", action="append", help="a candidate by its flags", metavar="FLAGS")
    add("--seeds", type=int, nargs="+", default=[0])
    add("--size", type=int, help="of the pictures; the preset's unless given")
    add("--limit", type=int, help="use the first N pictures only")
    add("--count", type=int, default=metrics.COUNT, help="pictures measured")
    add("--looked-at", type=int, help="of them, by the face detector; all unless given")
    add("--out", type=cli.path, default=Path("outputs/candidates"), help="folder of the grids")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    chosen = {name: CANDIDATES[name] for name in args.only or ([] if args.words else CANDIDATES)}
    chosen |= {words: words for words in args.words or []}
    print(f"{machine.describe()}; time is the {'processor' if args.processor else 'clock'}'s\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    for name, words in chosen.items():
        for seed in args.seeds:
            for cells in measure(name, words, seed, args):
                print(f"| {' | '.join(cells)} |", flush=True)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    return cli.run(report, argv)


if __name__ == "__main__":
    sys.exit(main())
