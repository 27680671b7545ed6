"""`python -m kerasgan.evaluate RUN --data SOURCE`: how good a generator's pictures are."""

import argparse
import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasgan import cli, data, images, latents, metrics
from kerasgan.data.decode import Rejected, open_upright
from kerasgan.errors import UserError
from kerasgan.files import atomic_path
from kerasgan.runs import Run, latent_dim, load_conditions, load_generator

if TYPE_CHECKING:
    import keras

CHUNK = 64  # pictures drawn between two steps of the progress bar
MAX_COUNT = 50_000  # pictures: as many as the literature takes


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
        path: a run's folder, a `.keras` file, or a source of pictures.
    """
    if path.is_dir():
        run = Run(path)
        is_run = run.generator.exists() or (path / "recipe.json").exists()
        return run.generator if is_run else None
    return path if path.suffix == ".keras" else None


def draw_samples(generator: "keras.Model", file: Path, count: int, seed: int) -> Samples:
    """Draws pictures from a generator; the i-th of a seed is the same whatever `count` is.

    Args:
        generator: latents (B, D) to pictures in [-1, 1].
        file: that it was loaded from.
        count: how many.
        seed: of the latents.
    """
    from kerasgan import models

    drawn = latents.draw(count, latent_dim(generator), seed)
    known = load_conditions(file)  # as frequent as in the training pictures
    asked = None if known is None else known.draw(count, seed).vectors()
    parts = []
    with cli.progress(count, "Drawing", unit=" pictures", delay=1, leave=False) as bar:
        for start in range(0, count, CHUNK):
            chunk = slice(start, start + CHUNK)
            given = () if asked is None else (asked[chunk],)
            parts.append(models.generate(generator, drawn[chunk], *given))
            bar.update(len(parts[-1]))
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return Samples(np.concatenate(parts), {"path": str(file), "sha256": sha256})


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
    pictures = data.load(str(source), size=size, channels=channels, cache=cache)
    order = np.random.default_rng(seed).permutation(len(pictures.pixels))[:count]
    facts = {"path": str(source), "fingerprint": pictures.fingerprint}
    return Samples(pictures.pixels[np.sort(order)], facts)


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
    pairs = samples.pictures[closest], reals.pixels[nearest[closest]], distances[closest]
    return report, metrics.sheet(*pairs)


def side_of_first(source: Path, cache: Path) -> int:
    """Returns the shorter side of the first readable picture of a source, in pixels."""
    with contextlib.closing(data.open_source(str(source), cache)) as opened:
        for item in opened.items():
            with contextlib.suppress(Rejected, OSError):
                return min(open_upright(item.fetch()).image.size)
    raise UserError(f"There should be a picture to measure. Received: {source}, with none.")


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(
        prog="python -m kerasgan.evaluate",
        description="Measure a generator's pictures against real ones: KID, Frechet distance, "
        "precision and recall, faces found, and the nearest training pictures.",
        formatter_class=cli.HelpFormatter,
    )
    add = parser.add_argument
    add("source", type=Path, metavar="RUN", help="a run, a .keras file of any generator, or "
        "pictures: a folder, an archive, arrays")  # fmt: skip
    add("--data", metavar="SOURCE", help="the real pictures; those of the run unless given")
    add("--limit", type=int, metavar="N", help="use the first N real pictures only")
    add("--crop", choices=data.CROPS, help="cut of the real pictures; auto unless given")
    add("--cache", type=Path, metavar="DIR", help="where prepared pictures and the features of "
        f"real ones are kept; {data.CACHE} unless given")  # fmt: skip
    add("--size", type=int, metavar="N", help="side that pictures of a folder are brought to; "
        "that of the first one unless given")  # fmt: skip
    add("-n", type=int, default=metrics.COUNT, metavar="N", help="pictures to measure")
    add("--seed", type=int, default=0, help="of the latents, and of KID's subsets")
    add("--features", action="append", choices=list(metrics.FEATURES), help="may be repeated; "
        f"{' and '.join(metrics.DEFAULT_FEATURES)} unless given")  # fmt: skip
    add("--features-weights", type=Path, metavar="FILE", help="weights of --features inception")
    add("--no-detection", action="store_true", help="do not look for faces; saves half the time")
    add("--sheet", action="store_true", help="write a picture of the samples closest to training "
        "pictures, beside those")  # fmt: skip
    add("--out", type=Path, metavar="FILE", help="evaluation.json in the run unless given")
    return parser


def _check(args: argparse.Namespace) -> None:
    """Raises UserError for a flag that is out of its range or clashes with another."""
    out, weights, least = args.out, args.features_weights, metrics.MIN_COUNT
    inception = "inception" in (args.features or ())
    rules = [
        (f"`-n` should be from {least} to {MAX_COUNT}", args.n, least <= args.n <= MAX_COUNT),
        ("`--seed` should be at least 0", args.seed, args.seed >= 0),
        ("`--out` should end in .json", out, out is None or out.suffix.lower() == ".json"),
        ("`--features-weights` is for --features inception", weights, not weights or inception),
    ]
    for rule, received, holds in rules:
        if not holds:
            raise UserError(f"{rule}. Received: {received}.")
    if not args.source.exists():
        raise UserError(
            "What to measure should be a run's folder, a .keras file or pictures. Received: "
            f"{args.source}, which does not exist."
        )


def _load_reals(args: argparse.Namespace, size: int, channels: int) -> data.Pictures:
    """Loads the real pictures: those of --data, else those of the run, or of the file's run."""
    run = args.source if args.source.is_dir() else args.source.parent
    fingerprint = None
    if args.data is not None:
        request = data.Request(args.data)
    elif (run / "run.json").exists():
        used = Run(run).read_facts()["data"]
        request, fingerprint = data.Request.from_json(used), used["fingerprint"]
    else:
        raise UserError(
            "`--data` should name the real pictures to measure against, since only a run knows "
            f"its own. Received: none, with {args.source}."
        )
    typed = {name: getattr(args, name) for name in ("limit", "crop", "cache")}
    typed = {name: value for name, value in typed.items() if value is not None}
    request = dataclasses.replace(request, **typed)
    pictures = data.load_request(request, size=size, channels=channels)
    print(data.describe(pictures))
    if fingerprint not in (None, pictures.fingerprint):
        print("warning: these are not the very pictures that the run was trained on.")
    return pictures


def _square(generator: "keras.Model", args: argparse.Namespace) -> tuple[int, int]:
    """Returns side and channels of a generator's pictures."""
    height, width, channels = generator.output_shape[1:]
    if height is None or height != width or args.size not in (None, height):
        raise UserError(
            "A generator's pictures are measured at their own size, which should be a square. "
            f"Received: {width}x{height}{f' and --size {args.size}' if args.size else ''}."
        )
    return height, channels


def _measure(args: argparse.Namespace) -> tuple[dict[str, Any], np.ndarray]:
    """Loads and draws what is asked for, and measures it."""
    cache = args.cache or data.CACHE
    file = generator_file(args.source)
    if file is not None:
        generator = load_generator(file if file.exists() else args.source)
        size, channels = _square(generator, args)
    else:
        generator = None
        size, channels = args.size or side_of_first(args.source, cache), 3
    evaluator = metrics.Evaluator(
        _load_reals(args, size, channels),
        count=args.n,
        seed=args.seed,
        features=args.features or metrics.DEFAULT_FEATURES,
        detect=not args.no_detection,
        weights=args.features_weights,
    )
    if generator is not None and file is not None:
        samples = draw_samples(generator, file, args.n, args.seed)
    else:
        samples = load_samples(args.source, size, channels, args.n, args.seed, cache)
    return evaluate(evaluator, samples)


def _default_out(source: Path) -> Path:
    """In the run; beside a file or a folder of pictures, and named after it."""
    if source.is_dir() and generator_file(source):
        return source / "evaluation.json"
    return source.with_name(f"{source.stem}-evaluation.json")


def _command(argv: Sequence[str] | None) -> None:
    args = _parser().parse_args(argv)
    _check(args)
    report, sheet = _measure(args)
    out = args.out or _default_out(args.source)
    with atomic_path(out) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"\n{metrics.table(report)}\n")
    print(out)
    if args.sheet:
        stem = out.stem.removesuffix("evaluation").removesuffix("-")
        path = out.with_name(f"{stem}-memorisation.png" if stem else "memorisation.png")
        images.write_png(path, sheet)
        print(path)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


if __name__ == "__main__":
    raise SystemExit(main())
