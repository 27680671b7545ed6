"""`python -m kerasgan.sample RUN`: pictures from a trained generator, or a walk between faces."""

import argparse
import math
import re
import sys
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasgan import cli, directions, drawing, images, latents, movies, pretrained, saved
from kerasgan.directions import MAX_STRENGTH, Edited
from kerasgan.drawing import COUNT, KEYS
from kerasgan.errors import UserError
from kerasgan.files import check_place
from kerasgan.saved import Draws, SavedGenerator
from kerasgan.text import printable

STEPS = 300  # of the search for a picture, as `edit`'s
NAMED = 60  # characters of a file's name that tell seeds or pictures
MAX_GRID = 4096  # pictures in one grid: 200 MB at 128x128


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> None:
    args = build_parser().parse_args(argv)
    if args.n is None:
        args.n = math.prod(args.grid) if args.grid else 1 if walks(args) else COUNT
    cli.require(rules(args))
    check_places(args)
    generator = saved.load(args.source, args.range)
    write = writer(generator, args)
    if args.separate is not None:
        write(args.separate)
        written = args.separate
    elif args.out is not None:
        replaced = " (replaced)" if args.out.exists() else ""
        write(args.out)
        print(f"{args.out}{replaced}")
        written = args.out
    else:
        path = drawing.default_path(args.source, default_name(args))
        written = drawing.write_beside(path, write)
        print(written)
    if args.show:
        show(written)


def build_parser() -> cli.Parser:
    """Builds the command line."""
    parser = cli.Parser(
        prog="python -m kerasgan.sample",
        description="Draw pictures with a trained generator, or a walk between them as a GIF, an "
        "MP4 or a WebP.",
    )
    add = parser.add_argument
    add("source", type=cli.path, metavar="RUN", help="a run, the .keras file of any generator, or "
        f"the name of one that comes along: {pretrained.listed()}")  # fmt: skip
    n = add("-n", type=int, metavar="N", help="how many pictures, or walks side by side")
    cli.unset(n, f"{COUNT} or what --grid holds, in a walk 1")
    add("--seed", type=int, default=0, help="of the latents; the same seed, the same pictures")
    label = add(
        "--label",
        action="append",
        metavar="LABEL",
        help="what a conditional generator should draw: an attribute, Smiling=1 or Smiling=-1, any "
        "number of them, or a class, its name or number",
    )
    cli.unset(label, "drawn as in the training set")
    direction = add(
        "--direction",
        action="append",
        type=cli.value(parse_direction),
        metavar="NAME=2",
        help="move all pictures in an attribute that `kerasgan.edit` lists, so many standard "
        f"deviations, up to {MAX_STRENGTH:g}; any number of them",
    )
    cli.unset(direction, "none")
    add(
        "--truncation",
        type=float,
        default=1.0,
        metavar="T",
        help="bring all faces nearer to the average one: at 0.7 they are more usual and have fewer "
        "flaws, at 0 all are the average; works with any generator",
    )
    add("--scale", type=float, default=1.0, help="factor on the latents themselves, for generators "
        "to which their length matters; far below 1 the pictures fade to grey")  # fmt: skip
    layout = parser.add_mutually_exclusive_group()
    grid = layout.add_argument(
        "--grid", type=cli.value(parse_grid), metavar="8x8", help="rows x columns"
    )
    cli.unset(grid, "a square")
    layout.add_argument(
        "--separate", type=cli.path, metavar="DIR", help="one PNG each, in a folder"
    )
    add(
        "--interpolate",
        dest="keys",
        nargs="?",
        type=cli.value(parse_keys),
        const=KEYS,
        metavar="K",
        help=f"a walk through K faces, {KEYS} where no K is typed, and back to the first",
    )
    seeds = add(
        "--seeds",
        type=cli.value(parse_seeds),
        metavar="3,7:5,12",
        help="walk through the faces of these seeds: the first of each or, as in 7:5, the one that "
        "--separate numbers so",
    )
    cli.unset(seeds, "latents drawn for --seed")
    between = add("--between", nargs="+", metavar="PICTURE", help="walk through these pictures of "
        "your own, which are searched for first")  # fmt: skip
    cli.unset(between, "none")
    crop = add("--crop", metavar="CROP", help="cut of the pictures of --between; face for "
        "photographs that show more than a face")  # fmt: skip
    cli.unset(crop, "as the generator's training pictures")
    steps = add("--steps", type=int, help="of the search for each picture of --between; more fit "
        "closer")  # fmt: skip
    cli.unset(steps, str(STEPS))
    add("--frames", type=int, default=30, help="of a walk, from one latent to the next")
    movies.add_flags(parser, "of a walk, ")
    saved.add_range_flag(parser)
    out = add("--out", type=cli.path, metavar="FILE", help="where the grid or the walk goes")
    cli.unset(out, "in the run's samples/; of a .keras file, in the current folder")
    add("--show", action="store_true", help="open what was written on the screen")
    return parser


def rules(args: argparse.Namespace) -> list[cli.Rule]:
    """Returns what flags should be, alone and together."""
    rows, columns = args.grid or images.grid_shape(max(args.n, 1))
    separate, out = args.separate is not None, args.out
    is_png = out is None or out.suffix.lower() == ".png"
    return [
        ("`-n` should be at least 1", args.n, args.n >= 1),
        (f"`-n` should fit in --grid {rows}x{columns}", args.n, args.n <= rows * columns),
        ("`--seed` should be at least 0", args.seed, args.seed >= 0),
        ("`--scale` should be from 0 to 100", args.scale, 0 <= args.scale <= 100),
        ("`--truncation` should be from 0 to 2", args.truncation, 0 <= args.truncation <= 2),
        (
            "`--direction` needs latents that have a length: a --scale above 0",
            args.scale,
            args.scale != 0 or not args.direction,
        ),
        ("`--frames` should be from 1 to 1000", args.frames, 1 <= args.frames <= 1000),
        ("`--separate` is for pictures, not for a walk", "both", not (separate and walks(args))),
        ("`--separate` names the folder, `--out` a file", "both", not (separate and out)),
        (
            f"A grid should have at most {MAX_GRID} places; `--separate DIR` takes any number",
            rows * columns,
            separate or rows * columns <= MAX_GRID,
        ),
        ("`--format` is for walks", args.format, walks(args) or args.format is None),
        *(movies.rules(args) if walks(args) else [("`--out` should end in .png", out, is_png)]),
        *rules_of_walks(args),
    ]


def rules_of_walks(args: argparse.Namespace) -> list[cli.Rule]:
    """Returns what the flags should be that say which faces a walk goes through."""
    asked = {"--interpolate K": args.keys, "--seeds": args.seeds, "--between": args.between}
    typed = [name for name, value in asked.items() if value not in (None, KEYS)]
    fixed, pictures = args.seeds or args.between, args.between is not None
    drawn = [("--scale", args.scale), ("--truncation", args.truncation)]
    return [
        (
            "A walk goes through drawn latents, seeds or pictures",
            " and ".join(typed),
            len(typed) < 2,
        ),
        ("`-n` and `--grid` are for walks through drawn latents", args.n, not fixed or args.n == 1),
        *((f"`{flag}` is not for --between", at, not pictures or at == 1) for flag, at in drawn),
        ("`--crop` is for --between", args.crop, pictures or args.crop is None),
        ("`--steps` is for --between", args.steps, pictures or args.steps is None),
        (
            "`--steps` should be from 2 to 10000",
            args.steps,
            args.steps is None or 2 <= args.steps <= 10_000,
        ),
    ]


def walks(args: argparse.Namespace) -> bool:
    """Whether a walk is asked for."""
    return bool(args.keys or args.seeds or args.between)


def check_places(args: argparse.Namespace) -> None:
    """Raises UserError where the pictures could not be written, before they are drawn."""
    if args.separate is not None:
        check_place(args.separate, "`--separate`", "Type another place", folder=True)
    elif args.out is not None:
        check_place(args.out, "`--out`", "Type another place")
    else:
        saved.find(args.source)
        path = drawing.default_path(args.source, default_name(args)).parent
        check_place(path, "The place of the pictures", "Type --out FILE", folder=True)


def parse_grid(text: str) -> tuple[int, int]:
    """Reads rows and columns from text such as "8x8".

    Raises:
        UserError: the text says something else.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})", text.strip().lower())
    if not match:
        raise UserError(f"`--grid` should be rows x columns, such as 8x8. Received: {text}.")
    return int(match[1]), int(match[2])


def parse_keys(text: str) -> int:
    """Reads how many key latents a walk has.

    Raises:
        UserError: the text is no number from 2 to 1000.
    """
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 2 <= int(text) <= 1000:
        raise UserError(
            "`--interpolate` should be a number of latents from 2 to 1000, or come last without "
            f"one. Received: {text}."
        )
    return int(text)


def parse_seeds(text: str) -> list[tuple[int, int]]:
    """Reads seeds, each with the place of a face among those drawn for it, such as "3,7:5,12".

    Raises:
        UserError: the text says something else.
    """
    words = text.split(",")
    found = [re.fullmatch(r"([0-9]{1,9})(?::([0-9]{1,6}))?", word.strip()) for word in words]
    if None in found or not 2 <= len(found) <= 1000:
        raise UserError(
            "`--seeds` should be two or more seeds with commas between them, such as 3,7,12 or, "
            f"for a face that is not its seed's first, 7:5. Received: {printable(text)}."
        )
    return [(int(match[1]), int(match[2] or 0)) for match in found if match]


def parse_direction(text: str) -> tuple[str, float]:
    """Reads a name and a strength from text such as "Smiling=2".

    Raises:
        UserError: the text says something else, or the strength is too large.
    """
    name, _, strength = text.rpartition("=")
    number = re.fullmatch(r"[-+]?([0-9]{1,4}(\.[0-9]{0,4})?|\.[0-9]{1,4})", strength.strip())
    if not name or not number or abs(float(strength)) > MAX_STRENGTH:
        raise UserError(
            "`--direction` should be a name and a strength, such as Smiling=2 or Smiling=-1.5, up "
            f"to {MAX_STRENGTH:g} to either side. Received: {printable(text) or 'nothing'}."
        )
    return name, float(strength)


def changed(generator: SavedGenerator, args: argparse.Namespace) -> Draws:
    """Returns the generator, all of whose pictures are truncated and moved as asked for.

    Raises:
        UserError: it has no such directions, or cannot be truncated or scaled.
    """
    draws: Draws = generator
    if args.scale != 1:
        from kerasgan.truncation import require_length

        require_length(generator, args.scale)
    if args.truncation != 1:
        from kerasgan.truncation import Truncated

        draws = Truncated(generator, args.truncation)
    if args.direction:
        from kerasgan.data import CACHE

        asked = args.direction
        draws = Edited(
            draws, [(directions.find(generator, name, CACHE), amount) for name, amount in asked]
        )
    return draws


def wanted(generator: SavedGenerator, args: argparse.Namespace) -> dict[int, int]:
    """Returns the labels that were asked for, values by the number of their name.

    Raises:
        UserError: the generator has no such labels.
    """
    labels, known = args.label or [], generator.conditions
    if known:
        return known.parse_labels(labels)
    if labels:
        raise UserError(
            "`--label` is for generators trained with --conditions. Received: "
            f"{', '.join(labels)}, with {args.source}, which has none. Leave it out."
        )
    return {}


def writer(generator: SavedGenerator, args: argparse.Namespace) -> Callable[[Path], object]:
    """Prepares what was asked for, and returns what draws and writes it to a path."""
    labels, known = wanted(generator, args), generator.conditions
    draws = changed(generator, args)
    if args.between:
        return movie(through_pictures(generator, draws, args), args)
    if args.seeds:
        return movie(through_seeds(draws, labels, args), args)
    drawn: dict[str, Any] = {"seed": args.seed, "scale": args.scale}
    drawn["conditions"] = known.draw(args.n, args.seed, labels).vectors() if known else None
    if args.keys:
        drawn |= {"keys": args.keys, "frames_per_leg": args.frames, "grid": args.grid}
        return movie(drawing.draw_walk(draws, args.n, **drawn), args)
    if args.separate is not None:
        return lambda folder: say_folder(
            folder, drawing.draw_separately(draws, folder, args.n, **drawn)
        )
    drawn["grid"] = args.grid
    return lambda path: images.write_png(path, drawing.draw_grid(draws, args.n, **drawn))


def movie(frames: Iterator[np.ndarray], args: argparse.Namespace) -> Callable[[Path], object]:
    return lambda path: movies.write(path, frames, args.fps)


def say_folder(folder: Path, paths: Sequence[Path]) -> None:
    print(f"{folder}: {len(paths)} pictures, {paths[0].name} to {paths[-1].name}")


def through_seeds(
    generator: Draws, labels: dict[int, int], args: argparse.Namespace
) -> Iterator[np.ndarray]:
    """Draws a walk through the faces of seeds, each under the condition drawn with it."""
    known, faces = generator.conditions, args.seeds
    keys = [
        latents.draw(place + 1, generator.latent_dim, seed, args.scale)[place]
        for seed, place in faces
    ]
    rows = [known.draw(place + 1, seed, labels).vectors()[place] for seed, place in faces if known]
    return drawing.draw_through(
        generator,
        np.stack(keys),
        frames_per_leg=args.frames,
        conditions=np.stack(rows) if rows else None,
    )


def through_pictures(
    generator: SavedGenerator, draws: Draws, args: argparse.Namespace
) -> Iterator[np.ndarray]:
    """Finds the user's pictures and draws a walk through them."""
    from kerasgan import backend
    from kerasgan.morph import Morph, read

    labels, known = wanted(generator, args), generator.conditions
    given = read(generator, args.between, args.crop)
    conditions = None
    if known and labels:
        unset = 0.0 if known.are_classes else np.nan
        row = [labels.get(number, unset) for number in range(len(known.names))]
        conditions = np.array(row, np.float32)
    backend.configure(args.seed)
    morph = Morph(
        generator, given, steps=args.steps or STEPS, conditions=conditions, seed=args.seed
    )
    return morph.draw(args.frames, draws.moved if isinstance(draws, Edited) else None)


def show(path: Path) -> None:
    """Opens a file or a folder with the program that the system has for it, or says it has none."""
    if not webbrowser.open(path.resolve().as_uri()):
        print(f"No program was found to show {path} with.")


def default_name(args: argparse.Namespace) -> str:
    """Returns a file's name, made of all that its pictures follow from."""
    name = f"seed-{args.seed:04d}-n{args.n}"
    if args.seeds:
        (first, _), count = args.seeds[0], len(args.seeds)
        words = (f"{seed}.{place}" if place else f"{seed}" for seed, place in args.seeds)
        name = f"seed-{first:04d}-n1-through-{'-'.join(words)[:NAMED]}"
    elif args.between:
        stems = "-".join(re.sub(r"[^\w=-]", "_", Path(one).stem) for one in args.between)
        name, count = f"between-{stems[:NAMED]}", len(args.between)
    else:
        count = args.keys
    name += f"-truncation-{args.truncation:g}" if args.truncation != 1 else ""
    name += f"-scale-{args.scale:g}" if args.scale != 1 else ""
    name += "".join("-" + re.sub(r"[^\w=-]", "_", label) for label in args.label or ())
    moves = (f"{direction}={strength:g}" for direction, strength in args.direction or ())
    name += "".join("-" + re.sub(r"[^\w.=-]", "_", move) for move in moves)
    name += "-{}x{}".format(*args.grid) if args.grid else ""
    name += f"-walk-{count}x{args.frames}" if walks(args) else ""
    return name + _suffix(args)


def _suffix(args: argparse.Namespace) -> str:
    return movies.suffix_of(args) if walks(args) else ".png"


if __name__ == "__main__":
    sys.exit(main())
