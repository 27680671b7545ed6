"""`python -m kerasgan.evaluate RUN --data SOURCE`: how good a generator's pictures are."""

import argparse
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasgan import cli, data, drawing, images, metrics, plots, pretrained, saved, verdicts
from kerasgan.conditions import LABELS
from kerasgan.data.conditions import find_conditions
from kerasgan.data.decode import Rejected, open_upright
from kerasgan.errors import UserError
from kerasgan.files import atomic_path, check_place
from kerasgan.formats import explain
from kerasgan.network_file import SUFFIX
from kerasgan.runs import Run
from kerasgan.saved import SavedGenerator
from kerasgan.text import either

MAX_COUNT = 50_000  # pictures: as many as the literature takes


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> None:
    args = build_parser().parse_args(argv)
    cli.require(rules(args))
    if args.verdicts is not None:
        judge(args)
        return
    out = args.out or default_out(args.source)
    sheet_path = sheet_beside(out) if args.sheet else None
    check_places(args, out, sheet_path)
    report, sheet = measure(args)
    print(f"\n{metrics.table(report)}\n")
    with atomic_path(out) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(out)
    if sheet_path:
        images.write_png(sheet_path, sheet)
        print(sheet_path)


def build_parser() -> cli.Parser:
    """Builds the command line."""
    parser = cli.Parser(
        prog="python -m kerasgan.evaluate",
        description="Measure a generator's pictures against real ones: KID, Frechet distance, "
        "precision and recall, faces found, and the nearest training pictures.",
    )
    add = parser.add_argument
    add("source", type=cli.path, metavar="RUN", help="a run, a .keras file of any generator, "
        f"one that comes along ({pretrained.listed()}), or pictures: a folder, an archive, "
        "arrays")  # fmt: skip
    pictures = add("--data", metavar="SOURCE", action="append", help="the real pictures; "
        "several times: one set of all")  # fmt: skip
    cli.unset(pictures, "those of the run")
    limit = add(
        "--limit", type=int, metavar="N", help="use N real pictures only, as many of each class"
    )
    cli.unset(limit, "as the run did, or all of --data")
    crop = add("--crop", choices=data.CROPS, help="cut of the real pictures")
    cli.unset(crop, "as the run did, or auto for --data")
    add("--cache", type=cli.path, metavar="DIR", default=data.CACHE, help="where prepared pictures "
        "and the features of real ones are kept")  # fmt: skip
    size = add("--size", type=int, metavar="N", help="side that pictures of a folder are brought "
        "to")  # fmt: skip
    cli.unset(size, f"that of the first one, {data.MAX_SIZE} at most")
    saved.add_range_flag(parser)
    add("-n", type=int, default=metrics.COUNT, metavar="N", help="pictures to measure")
    add("--seed", type=int, default=0, help="of the latents, and of KID's subsets")
    features = add("--features", action="append", choices=list(metrics.FEATURES),
        help="may be repeated")  # fmt: skip
    cli.unset(features, " and ".join(metrics.DEFAULT_FEATURES))
    add("--verdicts", nargs="*", type=cli.path, metavar="PICTURE", help="instead of all that: what "
        "the run's discriminator says of reals, fakes and these pictures or folders")  # fmt: skip
    add("--features-weights", type=cli.path, metavar="FILE", help="weights of --features inception")
    add("--no-detection", action="store_true", help="do not look for faces; saves half the time")
    add("--sheet", action="store_true", help="write a picture of the samples closest to training "
        "pictures, beside those")  # fmt: skip
    out = add("--out", type=cli.path, metavar="FILE", help="where the report goes")
    cli.unset(out, "evaluation.json in the run; of other things, NAME-evaluation.json beside them")
    return parser


def rules(args: argparse.Namespace) -> list[cli.Rule]:
    """Returns what flags should be, alone and together."""
    out, weights, least = args.out, args.features_weights, metrics.MIN_COUNT
    inception = "inception" in (args.features or ())
    return [
        (f"`-n` should be from {least} to {MAX_COUNT}", args.n, least <= args.n <= MAX_COUNT),
        ("`--seed` should be at least 0", args.seed, args.seed >= 0),
        ("`--out` should end in .json", out, out is None or out.suffix.lower() == ".json"),
        ("`--features-weights` is for --features inception", weights, not weights or inception),
        (
            "What to measure should be "
            + either(["a run's folder", f"a {SUFFIX} file", "pictures", *pretrained.names()]),
            f"{args.source}, which does not exist",
            args.source.exists() or str(args.source) in pretrained.names(),
        ),
    ]


def check_places(args: argparse.Namespace, *paths: Path | None) -> None:
    """Raises UserError where a result could not be written, before the work that it takes."""
    for path in filter(None, paths):
        check_place(path, "`--out`" if args.out else "The report", "Type --out FILE.json")


def judge(args: argparse.Namespace) -> None:
    """Shows what the discriminator says of reals, of fakes and of pictures that were named."""
    out = args.out or default_out(args.source, "verdicts")
    check_places(args, out, out.with_suffix(".png"))
    generator = saved.load(args.source, args.range)
    discriminator = verdicts.load(args.source)
    verdicts.require_the_same_pictures(discriminator, generator)
    names, own = read_pictures(args, generator)
    logits = {}
    if (reals := find_reals(args, generator)) is not None:
        order = np.random.default_rng(args.seed).permutation(len(reals.pixels))
        chosen = np.sort(order[: args.n])
        vectors = None
        if known := discriminator.conditions:
            wanted = LABELS if known.are_classes else ",".join(known.names)
            steering = find_conditions(reals, wanted)
            vectors = steering.take(chosen).vectors() if steering else None
        logits[verdicts.REALS] = discriminator.judge(reals.take(chosen), vectors)
    known = generator.conditions
    vectors = known.draw(args.n, args.seed).vectors() if known else None
    fakes = drawing.draw_many(generator, args.n, seed=args.seed, conditions=vectors)
    logits[verdicts.FAKES] = discriminator.judge(fakes, vectors)
    if len(own):
        logits[verdicts.PICTURES] = discriminator.judge(own)
    report(out, verdicts.Verdicts(logits, names))


def report(out: Path, said: verdicts.Verdicts) -> None:
    """Prints verdicts, and writes them with a plot of their distributions."""
    figures = said.figures()
    print(f"\n{verdicts.table(figures)}\n")
    with atomic_path(out) as temporary:
        temporary.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    plots.write_verdicts(out.with_suffix(".png"), said.logits, said.names)
    print(f"{out}, {out.with_suffix('.png')}")


def read_pictures(
    args: argparse.Namespace, generator: SavedGenerator
) -> tuple[list[str], np.ndarray]:
    """Reads the pictures that were named, cut as the generator's training pictures were.

    Returns:
        Their names, and uint8 (N, size, size, channels). What cannot be used is said and left out.

    Raises:
        UserError: pictures were named, and none can be used.
    """
    size, channels = square_of(generator, None), generator.channels
    crop = args.crop or generator.facts.crop or "auto"
    names: list[str] = []
    found: list[np.ndarray] = []
    for place in args.verdicts:
        try:
            if place.is_dir():
                own = data.load(
                    os.path.abspath(place),
                    size=size,
                    channels=channels,
                    crop=crop,
                    cache=args.cache,
                )
                names += own.table.names
                found.append(own.pixels)
            else:
                found.append(data.prepare_one(place, size=size, channels=channels, crop=crop))
                names += [str(place)] * len(found[-1])
        except UserError as error:
            print(f"left out: {error}")
    if args.verdicts and not found:
        raise UserError("There should be a picture to judge. Received: none that can be used.")
    none = np.empty((0, size, size, channels), np.uint8)
    return names, np.concatenate([none, *found])


def find_reals(args: argparse.Namespace, generator: SavedGenerator) -> data.Pictures | None:
    """Returns the real pictures, where any are named or a run knows its own."""
    known = args.source.is_dir() and (args.source / "run.json").exists()
    if not (args.data or known):
        print("No real pictures are known here: name some by --data to have them judged too.")
        return None
    return load_reals(args, square_of(generator, args.size), generator.channels)


@dataclass(frozen=True)
class Samples:
    """Pictures to measure.

    Attributes:
        pictures: uint8, (N, H, W, C).
        facts: where they are from, JSON values for the report.
    """

    pictures: np.ndarray
    facts: dict[str, Any]


def generator_file(path: Path) -> Path | None:
    """Returns the generator that stands for a path, or None where the path holds pictures.

    Args:
        path: a run's folder, a network's file, or a source of pictures.
    """
    if path.is_dir():
        run = Run(path)
        is_run = run.generator.exists() or (path / "recipe.json").exists()
        if is_run:
            return run.generator
    # Networks of other formats are generators, too, which `saved.load` refuses with what to do.
    if path.suffix == SUFFIX or explain(path):
        return path
    comes_along = not path.exists() and str(path) in pretrained.names()
    return saved.find(path) if comes_along else None


def draw_samples(generator: SavedGenerator, count: int, seed: int) -> Samples:
    """Draws pictures from a generator; the i-th of a seed is the same whatever `count` is.

    Args:
        generator: of a file.
        count: how many.
        seed: of the latents.
    """
    file, known = generator.file, generator.conditions
    if file is None:
        raise ValueError("A generator to measure should be a file's. Received: one of none.")
    drawn = known.draw(count, seed).vectors() if known else None  # as in the training pictures
    pictures = drawing.draw_many(generator, count, seed=seed, conditions=drawn)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return Samples(pictures, {"path": str(file), "sha256": sha256, "range": list(generator.range)})


def load_samples(
    source: Path, size: int, channels: int, count: int, seed: int, cache: Path
) -> Samples:
    """Takes pictures from a folder or another source, at random where it holds more.

    Args:
        source: see `data.load`.
        size: height and width that they are brought to, pixels.
        channels: 3 or 1.
        count: at most how many.
        seed: of the choice.
        cache: the folder of caches.
    """
    pictures = data.load(os.path.abspath(source), size=size, channels=channels, cache=cache)
    order = np.random.default_rng(seed).permutation(len(pictures.pixels))[:count]
    facts = {"path": str(source), "fingerprint": pictures.fingerprint}
    return Samples(pictures.take(np.sort(order)), facts)


def evaluate(evaluator: metrics.Evaluator, samples: Samples) -> tuple[dict[str, Any], np.ndarray]:
    """Measures pictures, and the real ones and noise beside them.

    Returns:
        The report, JSON values; and a memorisation sheet, uint8 (H, W, 3): the samples that
        are closest to a training picture, each beside that.
    """
    from kerasgan import backend

    described = evaluator.describe(samples.pictures)
    nearest, distances = evaluator.nearest_reals(described)
    reals = evaluator.pictures
    report = {
        "samples": samples.facts,
        "data": {"source": reals.source, "fingerprint": reals.fingerprint},
        "protocol": evaluator.protocol(len(described)),
        "generated": evaluator.compare(described),
        "floor": evaluator.floor(),
        **evaluator.faces(),
        "memorisation": evaluator.memorisation(distances),
        **backend.environment(),
    }
    closest = np.argsort(distances, kind="stable")[: metrics.PAIRS]
    pairs = samples.pictures[closest], reals.take(nearest[closest]), distances[closest]
    return report, metrics.sheet(*pairs)


def side_of_first(source: Path, cache: Path) -> int:
    """Returns the size for a source's pictures: the shorter side of the first readable one.

    Returns:
        Pixels, as near to that side as `data.load` prepares pictures.
    """
    with contextlib.closing(data.open_source(os.path.abspath(source), cache)) as opened:
        for item in opened.items():
            with contextlib.suppress(Rejected, OSError):
                side = min(open_upright(item.fetch()).image.size)
                return min(max(side, data.MIN_SIZE), data.MAX_SIZE)
    raise UserError(f"There should be a picture to measure. Received: {source}, with none.")


def load_reals(args: argparse.Namespace, size: int, channels: int) -> data.Pictures:
    """Loads the real pictures: those of --data, else those of the run, or of the file's run."""
    run = Run(args.source if args.source.is_dir() else args.source.parent)
    typed, fingerprint = data.typed_fields(args), None
    if "source" in typed:
        request = data.Request(**typed)
    elif (run.folder / "run.json").exists():
        request = run.read_request(typed)
        fingerprint = run.read_facts()["data"]["fingerprint"]
    else:
        raise UserError(
            "`--data` should name the real pictures to measure against, since only a run knows "
            f"its own. Received: none, with {args.source}."
        )
    pictures = data.load_request(request, size=size, channels=channels)
    print(data.describe(pictures))
    if fingerprint not in (None, pictures.fingerprint):
        print("warning: these are not the very pictures that the run was trained on.")
    return pictures


def square_of(generator: SavedGenerator, size: int | None) -> int:
    """Returns the side of a generator's pictures.

    Raises:
        UserError: they are no squares, or another `size` is asked for.
    """
    height, width = generator.height, generator.width
    if height is None or height != width or size not in (None, height):
        raise UserError(
            "A generator's pictures are measured at their own size, which should be a square. "
            f"Received: {width}x{height}{f' and --size {size}' if size else ''}."
        )
    if not data.MIN_SIZE <= height <= data.MAX_SIZE:
        raise UserError(
            f"Pictures can be measured from {data.MIN_SIZE} to {data.MAX_SIZE} pixels of height. "
            f"Received: a generator of {width}x{height}."
        )
    return height


def measure(args: argparse.Namespace) -> tuple[dict[str, Any], np.ndarray]:
    """Loads and draws what is asked for, and measures it."""
    generator = None
    if generator_file(args.source) is not None:
        generator = saved.load(args.source, args.range)
        size, channels = square_of(generator, args.size), generator.channels
    else:
        size, channels = args.size or side_of_first(args.source, args.cache), 3
    evaluator = metrics.Evaluator(
        load_reals(args, size, channels),
        count=args.n,
        seed=args.seed,
        features=args.features or metrics.DEFAULT_FEATURES,
        detect=not args.no_detection,
        weights=args.features_weights,
    )
    if generator is not None:
        samples = draw_samples(generator, args.n, args.seed)
    else:
        samples = load_samples(args.source, size, channels, args.n, args.seed, args.cache)
    return evaluate(evaluator, samples)


def default_out(source: Path, what: str = "evaluation") -> Path:
    """Returns a place in the run; beside a file or a folder of pictures, and named after it."""
    if source.is_dir() and generator_file(source):
        return source / f"{what}.json"
    if source.name in ("", ".."):  # as in ".", which has its name elsewhere
        source = source.resolve()
    return source.parent / f"{source.stem or 'pictures'}-{what}.json"


def sheet_beside(out: Path) -> Path:
    """Returns where the memorisation sheet goes, named after the report."""
    stem = out.stem.removesuffix("evaluation").removesuffix("-")
    return out.with_name(f"{stem}-memorisation.png" if stem else "memorisation.png")


if __name__ == "__main__":
    sys.exit(main())
