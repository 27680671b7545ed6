"""`python -m kerasgan.edit GENERATOR --attribute Smiling`: faces with more or less of something."""

import argparse
import contextlib
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasgan import cli, conditions, data, directions, drawing, images, pretrained, saved
from kerasgan import latents as latent_space
from kerasgan.directions import MAX_STRENGTH, Direction
from kerasgan.errors import UserError
from kerasgan.files import check_place
from kerasgan.saved import SavedGenerator
from kerasgan.text import plural, printable

if TYPE_CHECKING:
    from kerasgan.shelf import Shelf

COUNT = 8  # samples, unless another number is asked for
STEPS = 300  # of the search for a picture
STRENGTHS = "-3..3"
MAX_COLUMNS = 41  # of a strip
MAX_PLACES = 4096  # of a strip: 200 MB at 128x128
EDITS = "edits"  # in a run's folder


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> None:
    args = build_parser().parse_args(argv)
    cli.require(rules(args))
    saved.find(args.source)
    if not args.list:
        check_place(folder_of(args), "`--out`", "Type another place", folder=True)
    from kerasgan import backend
    from kerasgan import shelf as shelves

    generator = saved.load(args.source, args.range)
    shelf = shelves.Shelf(generator, request_of(generator, args), args.cache, args.renew)
    if args.list:
        print("\n".join(listing(shelf)))
        return
    backend.configure(args.seed)
    with contextlib.ExitStack() as stack:  # pictures are opened before anything that takes long
        reader = Reader(generator, args, stack) if args.picture else None
        edit(shelf, reader, args)


def edit(shelf: "Shelf", reader: "Reader | None", args: argparse.Namespace) -> None:
    """Finds or makes the direction, draws the strips, and writes them.

    Args:
        shelf: the generator's directions.
        reader: of the user's pictures; samples are edited without one.
        args: of the command line.
    """
    generator, name = shelf.generator, args.attribute or args.with_.name
    what = make(shelf, name, args) if args.with_ else shelf.find(name)
    kept = [shelf.find(other) for other in args.keep or ()]
    say(what)
    if isinstance(what, Direction):
        what = what.keeping([other for other in kept if isinstance(other, Direction)])
    subjects: Iterable[Subject] = (
        find_faces(generator, reader, args) if reader else [draw_faces(generator, args)]
    )
    columns = [f"{strength:+g}" for strength in args.strength]
    print(f"strengths: {' '.join(['(the picture)'] * bool(reader) + columns)}")
    for subject in subjects:
        write(args, name, subject, strip(subject, generator, what, args.strength))


def build_parser() -> cli.Parser:
    """Builds the command line."""
    parser = cli.Parser(
        prog="python -m kerasgan.edit",
        description="Edit an attribute of faces: a strip for each, from less of it to more.",
        epilog="The first edit by an attribute trains a classifier, in minutes, and keeps it and "
        "all the directions that it finds beside the generator.",
    )
    add = parser.add_argument
    add("source", type=cli.path, metavar="GENERATOR", help="a run, the .keras file of any "
        f"generator, or the name of one that comes along: {pretrained.listed()}")  # fmt: skip
    add("--attribute", metavar="NAME", help="what to edit: a condition of the generator, an "
        "attribute of its training set, turn, mouth-width or brightness, which are measured, or "
        "sefa-1, sefa-2, ..., what changes the generator most")  # fmt: skip
    strengths = add("--strength", type=cli.value(parse_strengths), metavar="-3..3",
        default=parse_strengths(STRENGTHS), help="a range in steps of 1, or numbers with commas, "
        f"in standard deviations, up to {MAX_STRENGTH:g}")  # fmt: skip
    cli.unset(strengths, STRENGTHS)
    add("--keep", type=cli.value(parse_names), metavar="NAMES", help="other attributes that should "
        "stay, with commas: Male,Young; brightness,turn hold light and pose")  # fmt: skip
    subject = parser.add_mutually_exclusive_group()
    n = subject.add_argument("-n", type=int, metavar="N", help="how many samples to edit")
    cli.unset(n, f"{COUNT}")
    subject.add_argument("--picture", action="append", metavar="FILE", help="a picture of a face, "
        "or a folder of some, to edit in the samples' place; may be repeated")  # fmt: skip
    add("--seed", type=int, default=0, help="of the samples' latents, or of the search for "
        "pictures")  # fmt: skip
    add("--steps", type=int, default=STEPS, metavar="N", help="of the search for a picture; more "
        "come closer")  # fmt: skip
    with_ = add("--with", dest="with_", type=cli.path, metavar="DIR", help="pictures that have the "
        "attribute, to make its direction of")  # fmt: skip
    cli.unset(with_, "none; its name is the attribute's unless --attribute is there")
    add("--without", type=cli.path, metavar="DIR", help="pictures that have it not")
    pictures = add("--data", action="append", metavar="SOURCE", help="pictures with attributes to "
        "learn from; several times: one set of all")  # fmt: skip
    cli.unset(pictures, "those of the run")
    limit = add("--limit", type=int, metavar="N", help="use the first N of them only")
    cli.unset(limit, "as the run did, or all of --data")
    crop = add("--crop", choices=data.CROPS, help="cut of all pictures")
    cli.unset(crop, "as the generator was trained")
    add("--cache", type=cli.path, metavar="DIR", default=data.CACHE, help="where prepared pictures "
        "are kept")  # fmt: skip
    add("--list", action="store_true", help="list the attributes that can be edited")
    add("--renew", action="store_true", help="make anew what is kept of the attributes asked for, "
        "and drop directions of other weights")  # fmt: skip
    add("--separate", action="store_true", help="one PNG for each strength, too")
    add("--full", action="store_true", help="also put each edited face back into its picture, at "
        "the picture's own size: NAME-Smiling+3-full.png")  # fmt: skip
    saved.add_range_flag(parser)
    out = add("--out", type=cli.path, metavar="DIR", help="the folder that the pictures go to")
    cli.unset(out, f"in the run's {EDITS}/; of others, the current folder")
    return parser


def rules(args: argparse.Namespace) -> list[cli.Rule]:
    """Returns what flags should be, alone and together."""
    count = COUNT if args.n is None else args.n
    both = (args.with_ is None) == (args.without is None)
    folder = args.with_.name if args.with_ else None
    places = count * len(args.strength)
    return [
        ("`-n` should be at least 1", args.n, count >= 1),
        ("`--seed` should be at least 0", args.seed, args.seed >= 0),
        ("`--steps` should be from 2 to 10000", args.steps, 2 <= args.steps <= 10_000),
        ("`--full` is for --picture", "none", not args.full or args.picture),
        ("`--with` and `--without` should be typed together", args.with_ or args.without, both),
        (
            "`--attribute` should name what to edit; for those there are, type --list",
            "none",
            args.list or args.attribute or folder,
        ),
        (f"A strip should have at most {MAX_PLACES} pictures", places, places <= MAX_PLACES),
    ]


def parse_strengths(text: str) -> list[float]:
    """Reads strengths from text such as "-3..3", "2" or "-2,0,1.5".

    Raises:
        UserError: the text says something else, or a strength is too large.
    """
    number = r"[-+]?[0-9]{1,3}(?:\.[0-9]{1,3})?"
    text = text.replace(" ", "")
    if match := re.fullmatch(f"({number})\\.\\.({number})", text):
        first, last = float(match[1]), float(match[2])
        steps = int(abs(last - first) + 1e-9)
        found = [
            first + step * np.sign(last - first) for step in range(min(steps, MAX_COLUMNS) + 1)
        ]
        found += [last] if abs(found[-1] - last) > 1e-9 else []
    elif re.fullmatch(f"{number}(,{number})*", text):
        found = [float(value) for value in text.split(",")]
    else:
        raise UserError(
            "`--strength` should be a range such as -3..3, or numbers with commas between them. "
            f"Received: {printable(text) or 'nothing'}."
        )
    if len(found) > MAX_COLUMNS or max(map(abs, found)) > MAX_STRENGTH:
        raise UserError(
            f"`--strength` should be up to {MAX_STRENGTH:g} to either side, and at most "
            f"{MAX_COLUMNS} of them. Received: {printable(text)}."
        )
    return [float(value) for value in found]


def parse_names(text: str) -> list[str]:
    """Reads names with commas between them.

    Raises:
        UserError: one is no name.
    """
    return [directions.check_name(name.strip()) for name in text.split(",")]


def request_of(generator: SavedGenerator, args: argparse.Namespace) -> data.Request | None:
    """Returns which pictures know attributes: those of --data, or else the run's.

    None where there are neither, or where the run's may not be read without being typed.
    """
    from kerasgan import searching
    from kerasgan.runs import Run

    typed = data.typed_fields(args)
    if "source" in typed:
        return data.Request(**{"crop": searching.crop_of(generator, args.crop), **typed})
    if generator.file is None or not generator.file.with_name("run.json").exists():
        return None
    run = Run(generator.file.parent)
    try:
        return run.read_request(typed)
    except UserError as error:
        if not args.list and not args.with_:
            print(f"note: {error}")
        return None


def listing(shelf: "Shelf") -> list[str]:
    """Returns what can be edited, in lines."""
    from kerasgan.discovery import MEASUREMENTS
    from kerasgan.shelf import FOUND_BY

    generator = shelf.generator
    lines = [f"{'name':24s} {'samples':>8s} {'accuracy':>9s} {'correlation':>12s}  found by"]
    for one in shelf.kept.values():
        accuracy = "" if one.accuracy is None else f"{one.accuracy:.1%}"
        correlation = "" if one.fit is None else f"{one.fit:.2f}"
        lines.append(
            f"{printable(one.name):24s} {one.samples:8,} {accuracy:>9s} {correlation:>12s}  "
            f"{FOUND_BY.get(one.kind, '')}"
        )
    if not shelf.kept:
        lines = ["No direction is kept yet."]
    count = directions.component_count(generator)
    groups = {
        "conditions": generator.conditions.names if generator.conditions else [],
        "made when asked for, of the pictures": shelf.unmade(),
        "measured when asked for": [name for name in MEASUREMENTS if name not in shelf.kept],
        "components": [f"sefa-1 to sefa-{count}"] if count else [],
    }
    return lines + [
        f"{what}: {conditions.listed(names)}" for what, names in groups.items() if names
    ]


def make(shelf: "Shelf", name: str, args: argparse.Namespace) -> Direction:
    """Makes a direction of two folders."""
    from kerasgan import searching
    from kerasgan.discovery import square_side

    generator = shelf.generator
    crop = searching.crop_of(generator, args.crop)
    side, pairs = square_side(generator), []
    for folder in (args.with_, args.without):
        request = data.Request(str(folder), crop=crop, cache=args.cache)
        pairs.append(data.load_request(request, size=side, channels=generator.channels))
        print(data.describe(pairs[-1]))
    return shelf.from_folders(name, *pairs)


def say(what: Direction | str) -> None:
    """Says how the direction was found, and what speaks against trusting it."""
    from kerasgan import discovery
    from kerasgan.shelf import describe

    if isinstance(what, Direction) and what.fit is not None:
        print(describe(what))
        for line in discovery.doubts(what):
            print(f"warning: {line}")


@dataclass(frozen=True, eq=False)
class Subject:
    """Whose faces are edited, in one strip.

    Attributes:
        stem: of the strip's file.
        names: of each face, for separate files.
        latents: float32, (N, D).
        conditions: float32, (N, C), for a generator that has them.
        draw: latents and conditions to pictures, uint8 (N, H, W, C).
        picture: the user's, uint8 (1, H, W, C), that comes first in the strip.
        paste: an edited picture, uint8 (H, W, C), into the user's at its own size.
    """

    stem: str
    names: list[str]
    latents: np.ndarray
    conditions: np.ndarray | None
    draw: Callable[[np.ndarray, np.ndarray | None], np.ndarray]
    picture: np.ndarray | None = None
    paste: Callable[[np.ndarray], np.ndarray] | None = None


def draw_faces(generator: SavedGenerator, args: argparse.Namespace) -> Subject:
    """Draws the samples that are edited."""
    count = COUNT if args.n is None else args.n
    latents = latent_space.draw(count, generator.latent_dim, args.seed)
    known = generator.conditions
    drawn = known.draw(count, args.seed).vectors() if known else None
    stem = f"{'' if args.source.is_dir() else f'{args.source.stem}-'}seed-{args.seed:04d}"
    names = [f"{stem}-{index:06d}" for index in range(count)]
    return Subject(f"{stem}-n{count}", names, latents, drawn, generator.draw)


class Reader:
    """Reads the user's pictures, the first few of them at once.

    Args:
        generator: whose pictures they are to be like.
        args: of the command line.
        stack: closes what the pictures are read from.

    Attributes:
        options: how they are read.
        count: how many pictures there are, those that cannot be used among them.
        skipped: those that could not be used, so far.

    Raises:
        UserError: none can be used.
    """

    def __init__(
        self, generator: SavedGenerator, args: argparse.Namespace, stack: contextlib.ExitStack
    ) -> None:
        from kerasgan import restoration, searching
        from kerasgan.discovery import square_side
        from kerasgan.inversion import BATCH

        side = square_side(generator)
        crop = searching.crop_of(generator, args.crop)
        self.options = restoration.Options(side, generator.channels, crop)
        self.skipped: list[str] = []
        opened = restoration.opened(args.picture, args.cache)
        self.count, items = stack.enter_context(opened)
        task = restoration.TASKS["invert"]
        given = restoration.read_all(items, task, self.options, set(), self._skip)
        self._batches = restoration.batches(given, BATCH)
        first = next(self._batches, None)
        if first is None:
            raise UserError(
                "`--picture` should be a picture that can be read and used. Received: "
                f"{printable('; '.join(self.skipped))}."
            )
        self._first = first

    def __iter__(self) -> Iterator[list[Any]]:
        return itertools.chain([self._first], self._batches)

    def _skip(self, name: str, why: object) -> None:
        self.skipped.append(f"{name}: {why}")


def find_faces(
    generator: SavedGenerator, reader: Reader, args: argparse.Namespace
) -> Iterator[Subject]:
    """Finds the user's pictures among those that the generator can draw.

    A picture that cannot be used is skipped, and one that fits badly is edited, and both are said.
    """
    from kerasgan import restoration, searching
    from kerasgan.inversion import BATCH

    search = searching.make(
        generator,
        restoration.TASKS["invert"],
        reader.options,
        steps=args.steps,
        seed=args.seed,
        cache=args.cache,
    )
    total = -(-reader.count // BATCH) * search.steps
    with cli.progress(total, "Searching", unit=" steps", leave=False) as bar:
        for batch in reader:
            found = search(np.stack([one.reading.known for one in batch]), bar.update)
            for row, one in enumerate(batch):
                result = images.to_uint8(found.pictures[row])
                facts = restoration.figures(one, result, found, row, search.degradation)
                print(f"{printable(one.name)}: found with {facts['fit_db']:.1f} dB")
                for doubt in restoration.doubts(facts):
                    print(f"warning: {printable(one.name)}: {doubt}", file=sys.stderr)
                yield _subject(search, found, row, one, reader.options)
    for reason in reader.skipped:
        print(f"skipped {printable(reason)}", file=sys.stderr)


def _subject(search: Any, found: Any, row: int, given: Any, options: Any) -> Subject:
    """Returns a picture that was found."""
    from kerasgan import codes, searching

    reads = codes.parts(search.generator, found.codes[row : row + 1])
    return Subject(
        given.stem,
        [given.stem],
        reads[0],
        reads[1] if len(reads) > 1 else None,
        lambda *moved: searching.draw_moved(search, found, row, *moved),
        given.reading.before[np.newaxis],
        lambda picture: searching.put_back(
            given, picture, images.to_uint8(found.pictures[row]), options
        ),
    )


def strip(
    subject: Subject,
    generator: SavedGenerator,
    what: Direction | str,
    strengths: Sequence[float],
) -> np.ndarray:
    """Draws faces at each strength, with a progress bar.

    Args:
        subject: whose faces.
        generator: that draws them.
        what: a direction, or the name of a condition.
        strengths: in standard deviations.

    Returns:
        uint8, (N, strengths, H, W, C).
    """
    columns = []
    with cli.progress(len(strengths), "Drawing", unit="strength", delay=1, leave=False) as bar:
        for strength in strengths:
            edited = directions.Edited(generator, [(what, strength)])
            columns.append(subject.draw(*edited.moved(subject.latents, subject.conditions)))
            bar.update()
    return np.stack(columns, axis=1)


def folder_of(args: argparse.Namespace) -> Path:
    """Returns the folder that the pictures go to."""
    return args.out or (args.source / EDITS if args.source.is_dir() else Path())


def write(args: argparse.Namespace, name: str, subject: Subject, pictures: np.ndarray) -> None:
    """Writes the strip, and with --separate each picture by itself, and prints the paths.

    Args:
        args: of the command line.
        name: of the attribute.
        subject: whose faces they are.
        pictures: uint8, (N, strengths, H, W, C).
    """
    folder = folder_of(args)
    word = re.sub(r"[^\w=-]", "_", name)
    shown = pictures
    if subject.picture is not None:
        shown = np.concatenate([subject.picture[:, np.newaxis], pictures], axis=1)
    grid = images.make_grid(shown.reshape(-1, *shown.shape[2:]), columns=shown.shape[1])
    print(_write_png(folder / f"{subject.stem}-{word}.png", grid))
    written = 0
    for stem, row in zip(subject.names, pictures, strict=True):
        for strength, picture in zip(args.strength, row, strict=True):
            own = f"{stem}-{word}{strength:+g}"
            if args.separate:
                _write_png(folder / f"{own}.png", picture)
            if args.full and subject.paste:
                _write_png(folder / f"{own}-full.png", subject.paste(picture))
            written += args.separate + args.full
    if written:
        print(f"{folder}: {plural(written, 'separate picture')}")


def _write_png(path: Path, picture: np.ndarray) -> Path:
    return drawing.write_beside(path, lambda path: images.write_png(path, picture))


if __name__ == "__main__":
    sys.exit(main())
