"""`python -m kerasgan.sample RUN`: pictures from a trained generator, or a walk between them."""

import argparse
import math
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from kerasgan import cli, images, runs
from kerasgan import latents as latent_space
from kerasgan.errors import UserError

if TYPE_CHECKING:
    import keras

COUNT = 64  # pictures, unless -n or --grid says otherwise
KEYS = 8  # key latents of a walk
CHUNK = 64  # pictures held at a time while many are drawn
MAX_GRID = 4096  # pictures in one grid: 200 MB at 128x128


def draw_pictures(
    generator: "keras.Model", latents: np.ndarray, conditions: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """Draws one picture after another, holding few at a time.

    Args:
        generator: latents (B, D) to pictures in [-1, 1].
        latents: float32, (N, D).
        conditions: float32, (N, C), for a generator that has them.

    Returns:
        An iterator over N uint8 pictures (H, W, C).
    """
    from kerasgan import models

    for start in range(0, len(latents), CHUNK):
        chunk = slice(start, start + CHUNK)
        given = () if conditions is None else (conditions[chunk],)
        yield from models.generate(generator, latents[chunk], *given)


def sample_grid(
    generator: "keras.Model",
    count: int = COUNT,
    *,
    seed: int = 0,
    scale: float = 1.0,
    grid: tuple[int, int] | None = None,
    conditions: np.ndarray | None = None,
) -> np.ndarray:
    """Draws pictures and lays them out in one.

    Args:
        generator: latents (B, D) to pictures in [-1, 1].
        count: how many. The i-th picture of a seed is the same whatever the count is.
        seed: of the latents, at least 0.
        scale: factor on the latents; 1 as in training, below 1 tamer pictures.
        grid: rows and columns; a square or the next to it unless given.
        conditions: float32, (count, C), for a generator that has them.

    Returns:
        uint8, (rows * H, columns * W, C); places left over are black.
    """
    latents = latent_space.draw(count, runs.latent_dim(generator), seed, scale)
    drawn = draw_pictures(generator, latents, conditions)
    with _progress(count) as bar:
        pictures = [_advance(bar, picture) for picture in drawn]
    return _lay_out(np.stack(pictures), grid)


def sample_separately(
    generator: "keras.Model",
    folder: str | Path,
    count: int = COUNT,
    *,
    seed: int = 0,
    scale: float = 1.0,
    conditions: np.ndarray | None = None,
) -> list[Path]:
    """Writes each picture as a PNG of its own, named by its seed and its place.

    Args:
        generator: latents (B, D) to pictures in [-1, 1].
        folder: where they go; made if need be.
        count: how many.
        seed: of the latents, at least 0.
        scale: factor on the latents; 1 as in training, below 1 tamer pictures.
        conditions: float32, (count, C), for a generator that has them.

    Returns:
        The paths, in order.

    Raises:
        UserError: a path holds another picture already.
    """
    latents = latent_space.draw(count, runs.latent_dim(generator), seed, scale)
    paths = [Path(folder) / f"seed-{seed:04d}-{index:06d}.png" for index in range(count)]
    drawn = draw_pictures(generator, latents, conditions)
    with _progress(count) as bar:
        for path, picture in zip(paths, drawn, strict=True):
            if not path.exists():
                images.write_png(path, picture)
            elif not _holds(path, picture):
                raise UserError(
                    "`--separate` should name a new folder, or one with these very pictures. "
                    f"Received: {folder}, where {path.name} is another one. Type another name."
                )
            bar.update()
    return paths


def walk_frames(
    generator: "keras.Model",
    walkers: int = 1,
    *,
    keys: int = KEYS,
    frames_per_leg: int = 30,
    seed: int = 0,
    scale: float = 1.0,
    grid: tuple[int, int] | None = None,
    conditions: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """Draws a walk through latents that ends where it began, frame by frame.

    Args:
        generator: latents (B, D) to pictures in [-1, 1].
        walkers: walks side by side in a frame. The i-th is the same whatever their number is.
        keys: key latents that each walk passes.
        frames_per_leg: frames from one key latent to the next.
        seed: of the key latents, at least 0.
        scale: factor on the key latents; 1 as in training, below 1 tamer pictures.
        grid: rows and columns of walkers; a square or the next to it unless given.
        conditions: float32, (walkers, C), for a generator that has them; each walk keeps its own.

    Returns:
        An iterator over keys * frames_per_leg uint8 frames (rows * H, columns * W, C).
    """
    drawn = latent_space.draw(walkers * keys, runs.latent_dim(generator), seed, scale)
    walks = [latent_space.walk(own, frames_per_leg) for own in np.split(drawn, walkers)]
    latents = np.stack(walks, axis=1)  # (frames, walkers, D)
    given = None if conditions is None else np.tile(conditions, (len(latents), 1))
    pictures = draw_pictures(generator, latents.reshape(-1, latents.shape[-1]), given)
    with _progress(len(latents), unit="frame") as bar:
        for _ in latents:
            frame = np.stack([next(pictures) for _ in range(walkers)])
            yield _advance(bar, _lay_out(frame, grid))


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


def _progress(total: int, unit: str = "picture") -> tqdm:
    return cli.progress(total, "Drawing", unit=unit, delay=1, leave=False)


def _advance(bar: tqdm, value: np.ndarray) -> np.ndarray:
    bar.update()
    return value


def _lay_out(pictures: np.ndarray, grid: tuple[int, int] | None) -> np.ndarray:
    """Makes a grid of pictures (N, H, W, C) that has all its rows, even where N leaves some out."""
    rows, columns = grid or images.grid_shape(len(pictures))
    missing = rows * columns - len(pictures)
    return images.make_grid(np.pad(pictures, ((0, missing), (0, 0), (0, 0), (0, 0))), columns)


def _holds(path: Path, picture: np.ndarray) -> bool:
    """Whether a file is a PNG of exactly this picture."""
    try:
        with Image.open(path) as image:
            return np.array_equal(np.asarray(image), np.asarray(images.to_image(picture)))
    except (OSError, SyntaxError, ValueError):
        return False


def write_beside(path: Path, write: Callable[[Path], object]) -> Path:
    """Writes a file under a name, or under name-2, name-3, ... if that one is another file.

    Args:
        path: the name wished for.
        write: writes the file to the path that it is given.

    Returns:
        The path at last.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        write(temporary)
        content, final, number = temporary.read_bytes(), path, 1
        while final.exists() and not (final.is_file() and final.read_bytes() == content):
            number += 1
            final = path.with_name(f"{path.stem}-{number}{path.suffix}")
        os.replace(temporary, final)
    return final


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(
        prog="python -m kerasgan.sample",
        description="Draw pictures with a trained generator, or a walk between them as a GIF.",
        formatter_class=cli.HelpFormatter,
    )
    add = parser.add_argument
    add("source", type=Path, metavar="RUN", help="a run, or the .keras file of any generator")
    add("-n", type=int, metavar="N", help=f"how many; {COUNT} or what --grid holds, in a walk 1")
    add("--seed", type=int, default=0, help="of the latents; the same seed, the same pictures")
    add(
        "--label",
        action="append",
        metavar="LABEL",
        help="what a conditional generator should draw: an attribute, Smiling=1 or Smiling=-1, any "
        "number of them, or a class, its name or number; drawn as in the training set unless given",
    )
    add("--scale", type=float, default=1.0, help="factor on the latents; below 1, tamer pictures")
    layout = parser.add_mutually_exclusive_group()
    layout.add_argument(
        "--grid",
        type=cli.value(parse_grid),
        metavar="8x8",
        help="rows x columns; a square unless given",
    )
    layout.add_argument("--separate", type=Path, metavar="DIR", help="one PNG each, in a folder")
    add(
        "--interpolate",
        dest="keys",
        nargs="?",
        type=cli.value(parse_keys),
        const=KEYS,
        metavar="K",
        help=f"a GIF that walks through K latents and back to the first; {KEYS} unless given",
    )
    add("--frames", type=int, default=30, help="of a walk, from one latent to the next")
    add("--fps", type=float, default=20.0, help="of a walk, frames per second, at most 50")
    add("--out", type=Path, metavar="FILE", help="in the run's samples/ unless given")
    return parser


def _check(args: argparse.Namespace) -> None:
    """Raises UserError for a flag that is out of its range or clashes with another."""
    rows, columns = args.grid or images.grid_shape(max(args.n, 1))
    separate = args.separate is not None
    suffix = _suffix(args)
    rules = [
        ("`-n` should be at least 1", args.n, args.n >= 1),
        (f"`-n` should fit in --grid {rows}x{columns}", args.n, args.n <= rows * columns),
        ("`--seed` should be at least 0", args.seed, args.seed >= 0),
        ("`--scale` should be from 0 to 100", args.scale, 0 <= args.scale <= 100),
        ("`--frames` should be from 1 to 1000", args.frames, 1 <= args.frames <= 1000),
        ("`--separate` is for pictures, not for a walk", "both", not (separate and args.keys)),
        ("`--separate` names the folder, `--out` a file", "both", not (separate and args.out)),
        (
            f"A grid should have at most {MAX_GRID} places; `--separate DIR` takes any number",
            rows * columns,
            separate or rows * columns <= MAX_GRID,
        ),
        (
            f"`--out` should end in {suffix}",
            args.out,
            args.out is None or args.out.suffix.lower() == suffix,
        ),
    ]
    for rule, received, holds in rules:
        if not holds:
            raise UserError(f"{rule}. Received: {received}.")
    images.gif_delay(args.fps)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    args = _parser().parse_args(argv)
    if args.n is None:
        args.n = math.prod(args.grid) if args.grid else 1 if args.keys else COUNT
    args.label = args.label or []
    _check(args)
    return args


def _suffix(args: argparse.Namespace) -> str:
    return ".gif" if args.keys else ".png"


def _default_out(args: argparse.Namespace) -> Path:
    """In the run; for a file, in the current folder. Named by what the pictures follow from."""
    name = f"seed-{args.seed:04d}-n{args.n}"
    name += f"-scale-{args.scale:g}" if args.scale != 1 else ""
    name += "".join("-" + re.sub(r"[^\w=-]", "_", label) for label in args.label)
    name += "-{}x{}".format(*args.grid) if args.grid else ""
    name += f"-walk-{args.keys}x{args.frames}" if args.keys else ""
    if args.source.is_dir():
        return args.source / "samples" / (name + _suffix(args))
    return Path(f"{args.source.stem}-{name}{_suffix(args)}")


def _conditions(args: argparse.Namespace) -> np.ndarray | None:
    """Draws the conditions of the pictures or walks, (N, C), with the labels asked for.

    Raises:
        UserError: the generator has no such labels.
    """
    known = runs.load_conditions(args.source)
    if known:
        return known.draw(args.n, args.seed, known.parse_labels(args.label)).vectors()
    if args.label:
        raise UserError(
            "`--label` is for generators trained with --conditions. Received: "
            f"{', '.join(args.label)}, with {args.source}, which has none. Leave it out."
        )
    return None


def _write(args: argparse.Namespace, generator: "keras.Model", path: Path) -> None:
    """Writes the grid or the walk that was asked for."""
    drawn: dict[str, Any] = {"seed": args.seed, "scale": args.scale, "grid": args.grid}
    drawn["conditions"] = args.conditions
    if args.keys:
        frames = walk_frames(generator, args.n, keys=args.keys, frames_per_leg=args.frames, **drawn)
        images.write_gif(path, frames, args.fps)
    else:
        images.write_png(path, sample_grid(generator, args.n, **drawn))


def _command(argv: Sequence[str] | None) -> int:
    args = _parse(argv)
    generator = runs.load_generator(args.source)
    args.conditions = _conditions(args)
    if args.separate is not None:
        paths = sample_separately(
            generator,
            args.separate,
            args.n,
            seed=args.seed,
            scale=args.scale,
            conditions=args.conditions,
        )
        print(f"{args.separate}: {len(paths)} pictures, {paths[0].name} to {paths[-1].name}")
    elif args.out is not None:
        replaced = " (replaced)" if args.out.exists() else ""
        _write(args, generator, args.out)
        print(f"{args.out}{replaced}")
    else:
        print(write_beside(_default_out(args), lambda path: _write(args, generator, path)))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


if __name__ == "__main__":
    raise SystemExit(main())
