"""`python -m kerasgan.sample RUN`: pictures from a trained generator, or a walk between them."""

import argparse
import math
import re
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasgan import cli, directions, drawing, images, movies, pretrained, saved
from kerasgan.directions import MAX_STRENGTH, Edited
from kerasgan.drawing import COUNT, KEYS, Draws
from kerasgan.errors import UserError
from kerasgan.files import check_place
from kerasgan.saved import SavedGenerator
from kerasgan.text import printable

MAX_GRID = 4096  # pictures in one grid: 200 MB at 128x128


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> None:
    args = build_parser().parse_args(argv)
    if args.n is None:
        args.n = math.prod(args.grid) if args.grid else 1 if args.keys else COUNT
    cli.require(rules(args))
    check_places(args)
    generator = saved.load(args.source, args.range)
    drawn: dict[str, Any] = {"seed": args.seed, "scale": args.scale}
    drawn["conditions"] = draw_conditions(generator, args)
    draws = edited(generator, args.direction or ())
    if args.separate is not None:
        paths = drawing.draw_separately(draws, args.separate, args.n, **drawn)
        print(f"{args.separate}: {len(paths)} pictures, {paths[0].name} to {paths[-1].name}")
        written = args.separate
    elif args.out is not None:
        replaced = " (replaced)" if args.out.exists() else ""
        write(args.out, draws, args, drawn)
        print(f"{args.out}{replaced}")
        written = args.out
    else:
        path = drawing.default_path(args.source, default_name(args))
        written = drawing.write_beside(path, lambda path: write(path, draws, args, drawn))
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
    add, known = parser.add_argument, ", ".join(pretrained.names()) or "none here"
    add("source", type=cli.path, metavar="RUN", help="a run, the .keras file of any generator, or "
        f"the name of one that comes along: {known}")  # fmt: skip
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
    add("--scale", type=float, default=1.0, help="factor on the latents; below 1, tamer pictures")
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
        help=f"a walk through K latents, {KEYS} where no K is typed, and back to the first",
    )
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
        (
            "`--direction` needs latents that have a length: a --scale above 0",
            args.scale,
            args.scale != 0 or not args.direction,
        ),
        ("`--frames` should be from 1 to 1000", args.frames, 1 <= args.frames <= 1000),
        ("`--separate` is for pictures, not for a walk", "both", not (separate and args.keys)),
        ("`--separate` names the folder, `--out` a file", "both", not (separate and out)),
        (
            f"A grid should have at most {MAX_GRID} places; `--separate DIR` takes any number",
            rows * columns,
            separate or rows * columns <= MAX_GRID,
        ),
        ("`--format` is for walks", args.format, args.keys or args.format is None),
        *(movies.rules(args) if args.keys else [("`--out` should end in .png", out, is_png)]),
    ]


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


def edited(generator: SavedGenerator, asked: Sequence[tuple[str, float]]) -> Draws:
    """Returns the generator, all of whose pictures are moved along the directions asked for.

    Raises:
        UserError: it has no such directions.
    """
    if not asked:
        return generator
    from kerasgan.data import CACHE

    return Edited(
        generator, [(directions.find(generator, name, CACHE), amount) for name, amount in asked]
    )


def draw_conditions(generator: SavedGenerator, args: argparse.Namespace) -> np.ndarray | None:
    """Draws the conditions of the pictures or walks, (N, C), with the labels asked for.

    Raises:
        UserError: the generator has no such labels.
    """
    labels, known = args.label or [], generator.conditions
    if known:
        return known.draw(args.n, args.seed, known.parse_labels(labels)).vectors()
    if labels:
        raise UserError(
            "`--label` is for generators trained with --conditions. Received: "
            f"{', '.join(labels)}, with {args.source}, which has none. Leave it out."
        )
    return None


def write(path: Path, generator: Draws, args: argparse.Namespace, drawn: dict[str, Any]) -> None:
    """Writes the grid or the walk that was asked for."""
    if args.keys:
        walk: dict[str, Any] = {"keys": args.keys, "frames_per_leg": args.frames}
        frames = drawing.draw_walk(generator, args.n, grid=args.grid, **walk, **drawn)
        movies.write(path, frames, args.fps)
    else:
        images.write_png(path, drawing.draw_grid(generator, args.n, grid=args.grid, **drawn))


def show(path: Path) -> None:
    """Opens a file or a folder with the program that the system has for it, or says it has none."""
    if not webbrowser.open(path.resolve().as_uri()):
        print(f"No program was found to show {path} with.")


def default_name(args: argparse.Namespace) -> str:
    """Returns a file's name, made of all that its pictures follow from."""
    name = f"seed-{args.seed:04d}-n{args.n}"
    name += f"-scale-{args.scale:g}" if args.scale != 1 else ""
    name += "".join("-" + re.sub(r"[^\w=-]", "_", label) for label in args.label or ())
    moves = (f"{direction}={strength:g}" for direction, strength in args.direction or ())
    name += "".join("-" + re.sub(r"[^\w.=-]", "_", move) for move in moves)
    name += "-{}x{}".format(*args.grid) if args.grid else ""
    name += f"-walk-{args.keys}x{args.frames}" if args.keys else ""
    return name + _suffix(args)


def _suffix(args: argparse.Namespace) -> str:
    return movies.suffix_of(args) if args.keys else ".png"


if __name__ == "__main__":
    sys.exit(main())
