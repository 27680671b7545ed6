"""`python -m kerasgan.restore TASK GENERATOR PICTURE...`: what a generator makes of faces.

Holes filled, small pictures enlarged, noise taken away, or the generator's own nearest picture.
"""

import argparse
import itertools
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasgan import blending, cli, data, images, pretrained, saved
from kerasgan.errors import UserError
from kerasgan.saved import SavedGenerator
from kerasgan.text import plural, printable

INPAINT, SUPERRES, DENOISE, INVERT = NAMES = ("inpaint", "superres", "denoise", "invert")
FACTORS = (2, 4, 8)
FACTOR = 4
STEPS = 200  # as `inversion.STEPS`, which takes seconds to import
BOX, RANDOM = "box", "random"
NAMED = 5  # pictures that were skipped are named up to here


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> int:
    args = build_parser().parse_args(argv)
    cli.require(rules(args))
    generator = saved.load(args.generator, args.range)
    size = square_of(generator)
    cli.require(rules_of_size(args, size))
    settled = parse_conditions(generator, args)
    out = args.out or default_out(args.generator)
    require_other_folder(out, args.pictures)
    return restore(generator, args, settled, out)


def build_parser() -> cli.Parser:
    """Builds the command line."""
    parser = cli.Parser(
        prog="python -m kerasgan.restore",
        description="Restore faces by a generator: inpaint fills holes, superres enlarges, denoise "
        "takes noise away, invert finds the generator's own picture that is nearest.",
    )
    add = parser.add_argument
    add("task", choices=NAMES, metavar="TASK", help=", ".join(NAMES))
    add("generator", type=cli.path, metavar="GENERATOR", help="a run, the .keras file of any "
        f"generator, or the name of one that comes along: {pretrained.listed()}")  # fmt: skip
    add("pictures", nargs="+", metavar="PICTURE", help="picture files, or folders, archives and "
        "arrays of them")  # fmt: skip
    add("--mask", metavar="MASK", help=f"for {INPAINT}: a picture that is white where a hole is; "
        f"{BOX} for half the side in the middle; {RANDOM}:0.5 for half of the pixels")  # fmt: skip
    add("--factor", type=int, metavar="N", help=f"for {SUPERRES}: how many times as large, "
        f"{', '.join(map(str, FACTORS))} (default: {FACTOR})")  # fmt: skip
    add("--sigma", type=float, metavar="S", help=f"for {DENOISE}: the noise's deviation in grey "
        "levels of 255 (default: estimated for each picture)")  # fmt: skip
    add("--steps", type=int, default=STEPS, metavar="N", help="of the search; more fit closer")
    add("--seed", type=int, default=0, help="of the search; the same seed, the same pictures")
    label = add("--label", action="append", metavar="LABEL", help="what a conditional generator "
        "should draw: Smiling=1 or Smiling=-1, any number of them, or a class")  # fmt: skip
    cli.unset(label, "searched, too")
    crop = add("--crop", choices=data.CROPS, help="cut of the pictures; face for photographs that "
        "show more than a face")  # fmt: skip
    cli.unset(crop, "as the generator's training pictures")
    add("--no-blend", action="store_true", help=f"for {INPAINT}: leave what was filled as it was "
        "found, without fitting it to the edge of the hole")  # fmt: skip
    add("--full", action="store_true", help="also put the result back into the picture, at the "
        "picture's own size: NAME-full.png")  # fmt: skip
    out = add("--out", type=cli.path, metavar="DIR", help="where the results go: NAME.png, "
        "NAME-sheet.png and a line of results.jsonl for each picture")  # fmt: skip
    cli.unset(out, "restored/ in the run; NAME-restored in the current folder otherwise")
    saved.add_range_flag(parser)
    return parser


def rules(args: argparse.Namespace) -> list[cli.Rule]:
    """Returns what flags should be, alone and together."""
    task, factor, sigma, out = args.task, args.factor, args.sigma, args.out
    return [
        ("`--steps` should be from 2 to 10000", args.steps, 2 <= args.steps <= 10_000),
        ("`--seed` should be at least 0", args.seed, args.seed >= 0),
        (f"`--mask` is for {INPAINT}", args.mask, args.mask is None or task == INPAINT),
        (
            f"{INPAINT} takes `--mask`, a PNG that is white where a hole is, {BOX} or {RANDOM}:0.5",
            "none",
            args.mask is not None or task != INPAINT,
        ),
        (f"`--factor` is for {SUPERRES}", factor, factor is None or task == SUPERRES),
        (f"`--factor` should be one of {FACTORS}", factor, factor in (None, *FACTORS)),
        (f"`--sigma` is for {DENOISE}", sigma, sigma is None or task == DENOISE),
        ("`--sigma` should be from 0 to 255", sigma, sigma is None or 0 <= sigma <= 255),
        (f"`--no-blend` is for {INPAINT}", task, not args.no_blend or task == INPAINT),
        (
            "`--out` should be a folder",
            f"{out}, which is a file",
            out is None or out.is_dir() or not out.exists(),
        ),
    ]


def rules_of_size(args: argparse.Namespace, size: int) -> list[cli.Rule]:
    """Returns what flags should be for a generator whose pictures have a size."""
    factor = args.factor or FACTOR
    least = size // factor
    return [
        (
            f"`--factor` should leave at least 4 of {size} pixels, without a remainder",
            factor,
            args.task != SUPERRES or (size % factor == 0 and least >= 4),
        )
    ]


def square_of(generator: SavedGenerator) -> int:
    """Returns the side of a generator's pictures.

    Raises:
        UserError: they are no squares.
    """
    height, width = generator.height, generator.width
    if height is None or height != width:
        raise UserError(
            f"A generator that restores should draw squares. Received: {generator.file}, which "
            f"draws {width}x{height}."
        )
    return height


def parse_conditions(generator: SavedGenerator, args: argparse.Namespace) -> np.ndarray | None:
    """Returns the conditions that were asked for, float32 (C,), NaN where there is no wish.

    Raises:
        UserError: the generator has no such labels.
    """
    labels, known = args.label or [], generator.conditions
    if known is None:
        if labels:
            raise UserError(
                "`--label` is for generators trained with --conditions. Received: "
                f"{printable(', '.join(labels))}, with {args.generator}, which has none. Leave it "
                "out."
            )
        return None
    asked = known.parse_labels(labels)
    unset = 0.0 if known.are_classes and asked else np.nan
    return np.array([asked.get(number, unset) for number in range(len(known.names))], np.float32)


def parse_mask(text: str | None, size: int, seed: int) -> np.ndarray | None:
    """Reads `--mask`: bool (H, W), True where a picture is known.

    Args:
        text: a picture file, "box" or "random:0.5".
        size: of the generator's pictures.
        seed: of random masks.

    Raises:
        UserError: it is none of these.
    """
    from kerasgan import degradations, restoration

    if text is None:
        return None
    if text == BOX:
        return degradations.box(size)
    if (file := Path(text).expanduser()).exists():
        return restoration.read_mask(file)
    match = re.fullmatch(rf"{RANDOM}:(0?\.\d+)", text)
    if match and 0 < float(match[1]) < 1:
        known = degradations.at_random(size, float(match[1]), seed)
        if known.any() and not known.all():
            return known
    raise UserError(
        f"`--mask` should be a picture file, {BOX} or {RANDOM}: and a fraction between 0 and 1, "
        f"such as {RANDOM}:0.5. Received: {printable(text)}."
    )


def default_out(place: Path) -> Path:
    """Returns where results go for which no folder was named."""
    return place / "restored" if place.is_dir() else Path(f"{place.stem}-restored")


def require_other_folder(out: Path, pictures: Sequence[str]) -> None:
    """Raises UserError where results would go into a folder that pictures are read from."""
    for source in pictures:
        path = Path(source).expanduser()
        if path.is_dir() and out.resolve() == path.resolve():
            raise UserError(
                "`--out` should be another folder than the pictures', whose files it might "
                f"replace. Received: {printable(source)} for both. Name another."
            )


def restore(
    generator: SavedGenerator, args: argparse.Namespace, settled: np.ndarray | None, out: Path
) -> int:
    """Reads pictures, searches for them, and writes what was found, batch by batch.

    Args:
        generator: that restores.
        args: of the command line.
        settled: the conditions asked for, as `parse_conditions` returns them.
        out: the folder of the results.

    Returns:
        The exit code.

    Raises:
        UserError: no picture can be used.
    """
    from kerasgan import backend, restoration, searching
    from kerasgan.inversion import BATCH

    backend.configure(args.seed)
    task, options = restoration.TASKS[args.task], make_options(generator, args)
    report = Report(out)
    with restoration.opened(args.pictures) as (count, items):
        taken = taken_in(out, args.pictures)
        given = restoration.read_all(items, task, options, taken, report.skip)
        batches = restoration.batches(given, BATCH)
        first = next(batches, None)  # before anything that takes long
        if first is None:
            raise report.nothing()
        out.mkdir(parents=True, exist_ok=True)
        search = searching.make(
            generator, task, options, conditions=settled, steps=args.steps, seed=args.seed
        )
        blends = will_blend(args)
        total = -(-count // BATCH) * search.steps
        try:
            with cli.progress(total, "Restoring", unit=" steps") as bar:
                for batch in itertools.chain([first], batches):
                    known = np.stack([one.reading.known for one in batch])
                    found = search(known, bar.update)
                    for row, one in enumerate(batch):
                        finish(one, found, row, search.degradation, blends, options, args, report)
        finally:
            report.print()
    return 0


def finish(
    given: Any,
    found: Any,
    row: int,
    degradation: Any,
    blends: bool,
    options: Any,
    args: argparse.Namespace,
    report: "Report",
) -> None:
    """Writes what was found for a picture, in a row of a batch, and notes it."""
    from kerasgan import restoration

    result = restoration.finish(given.reading, found.pictures[row], degradation, blends)
    facts = restoration.figures(given, result, found, row, degradation)
    if args.full:
        whole = restoration.paste(given, result, options)
        images.write_png(report.out / f"{given.stem}-full.png", whole)
    line = {
        "picture": given.name,
        "result": f"{given.stem}.png",
        "task": args.task,
        "generator": str(args.generator),
        "steps": args.steps,
        "seed": args.seed,
        **facts,
    }
    sheet = restoration.sheet(given.reading, result, degradation)
    restoration.write(report.out, given, result, line, sheet)
    report.add(given.name, f"{given.stem}.png", facts, restoration.doubts(facts))


def will_blend(args: argparse.Namespace) -> bool:
    """Whether what is filled is blended in; says what is lacking where it should be."""
    if args.task != INPAINT or args.no_blend:
        return False
    if not blending.available():
        print(
            "What is filled is not blended in without the extra `restore`. Type: "
            'pip install "kerasgan[restore]"'
        )
    return blending.available()


def make_options(generator: SavedGenerator, args: argparse.Namespace) -> Any:
    """Returns how pictures are read."""
    from kerasgan import restoration, searching

    size = square_of(generator)
    return restoration.Options(
        size=size,
        channels=generator.channels,
        crop=searching.crop_of(generator, args.crop),
        mask=parse_mask(args.mask, size, args.seed),
        factor=args.factor or FACTOR,
        sigma=args.sigma,
    )


def taken_in(out: Path, pictures: Sequence[str]) -> set[str]:
    """Returns the names that results may not have, without endings and in lower case.

    They are those of PNG files among the pictures, where these lie in the folder of the results.
    """
    paths = [Path(source).expanduser() for source in pictures]
    return {
        path.stem.lower()
        for path in paths
        if path.suffix.lower() == ".png" and path.parent.resolve() == out.resolve()
    }


class Report:
    """What is said at the end, also where the work was stopped.

    Args:
        out: the folder of the results.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self._done: list[str] = []
        self._skipped: list[tuple[str, str]] = []
        self._notes: Counter[str] = Counter()
        self._doubts: list[str] = []

    def skip(self, name: str, why: object) -> None:
        """Notes a picture that could not be used."""
        self._skipped.append((name, str(why)))

    def add(self, name: str, result: str, facts: dict[str, Any], doubts: list[str]) -> None:
        """Notes a picture that was restored."""
        self._done.append(result)
        self._doubts += [f"{printable(name)}: {doubt}" for doubt in doubts]
        self._notes["made smaller"] += "made_smaller_from" in facts
        self._notes["unseen"] += facts["face"] is None

    def nothing(self) -> UserError:
        """Returns the error for pictures none of which could be used."""
        name, why = self._skipped[0]
        others = len(self._skipped) - 1
        return UserError(
            "A picture should be one that can be read and used. Received: "
            f"{printable(f'{name} ({why})')}{f' and {others} others' if others else ''}."
        )

    def print(self) -> None:
        """Prints what was done and what is in doubt."""
        for name, why in self._skipped[:NAMED]:
            print(f"skipped {printable(f'{name}: {why}')}", file=sys.stderr)
        if len(self._skipped) > NAMED:
            print(f"skipped {len(self._skipped) - NAMED:,} others", file=sys.stderr)
        for doubt in self._doubts:
            print(f"warning: {doubt}", file=sys.stderr)
        if not self._done:
            return
        if smaller := self._notes["made smaller"]:
            print(f"{plural(smaller, 'picture')} had more pixels and lost them first, as if small.")
        if self._notes["unseen"]:
            print("Whether there are faces in them is not known without the extra `faces`.")
        first = f"{self.out}/{self._done[0]}"
        more = f" to {self._done[-1]}" if len(self._done) > 1 else ""
        print(f"{first}{more}: {plural(len(self._done), 'picture')}, with sheets and results.jsonl")


if __name__ == "__main__":
    sys.exit(main())
