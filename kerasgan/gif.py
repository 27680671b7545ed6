"""`python -m kerasgan.gif outputs/`: a run's control grids as one animation, `training.gif`."""

import argparse
import dataclasses
import re
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from kerasgan import cli, images
from kerasgan.errors import UserError

NAME = "training.gif"
LARGE_MB = 25  # many sites and mail servers take no more
NAMED_FRAMES = 10  # skipped frames that a message names before it only counts
MAX_WIDTH = 8192  # pixels
MAX_HOLD = 600  # seconds; a GIF cannot hold a frame longer than 655
CAPTION_COLOUR = (230, 230, 230)
CAPTION_BACKGROUND = (0, 0, 0)

# What Pillow raises, by the place at which a PNG is broken.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)

Finish = Callable[[Image.Image, Path], Image.Image]


@dataclasses.dataclass(frozen=True)
class Animation:
    """What was written: the file, its frames and their width, and each frame left out with why."""

    path: Path
    frames: int
    width: int
    skipped: dict[Path, str]

    @property
    def megabytes(self) -> float:
        return self.path.stat().st_size / 1e6


def find_frames(folder: Path) -> list[Path]:
    """Lists the PNGs with a number in their name, by that number; of several, the last one."""
    names = re.compile(r"(?!\.).*[0-9].*\.png", re.IGNORECASE)
    pngs = (path for path in folder.iterdir() if names.fullmatch(path.name))
    return sorted(pngs, key=lambda path: (_number(path), path.name))


def find_runs(folder: str | Path) -> list[tuple[Path, Path]]:
    """Finds what to animate in a run, in the folder of all runs, or in a folder of frames.

    Args:
        folder: any of the three.

    Returns:
        A frames folder and the GIF's path for each run that has grids.

    Raises:
        UserError: there is no such folder, or it holds no frames.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(
            "A GIF is made of a run, of the folder of all runs or of a folder of frames. "
            f"Received: {folder}, which is no folder. Type: python -m kerasgan.gif outputs/"
        )
    if folder.resolve().name == "control":
        runs = [folder.parent if folder.name == "control" else folder.resolve().parent]
    else:
        runs = [folder] if (folder / "control").is_dir() else sorted(folder.iterdir())
    found = [(run / "control", run / NAME) for run in runs if _has_frames(run / "control")]
    if not found and _has_frames(folder):
        found = [(folder, folder / NAME)]
    if not found:
        raise UserError(
            "A GIF should have at least one frame, a PNG with a number in its name. Received: "
            f"{folder}, with none. Training writes them: python -m kerasgan.train"
        )
    return found


def make_training_gif(
    frames_folder: str | Path,
    out: str | Path,
    *,
    fps: float = 20.0,
    every: int = 1,
    width: int | None = None,
    caption: bool = True,
    hold: float = 2.0,
) -> Animation:
    """Writes the frames of a folder as one GIF, in the order of their numbers.

    A frame that cannot be read, or that differs in size from most, is left out; where `every`
    gives a choice, an earlier one takes its place. Frames are never deleted.

    Args:
        frames_folder: holds PNGs with a number in their name, `000050.png` or `control_399.png`.
        out: the GIF's path.
        fps: frames per second, up to 50.
        every: takes each `every`-th frame, the first and the last among them.
        width: of the GIF, pixels; the frames' own unless given. The height follows.
        caption: writes each frame's number in a strip below it.
        hold: seconds that the last frame stays longer than the others.

    Returns:
        What was written.

    Raises:
        UserError: an argument is out of range, or no frame can be read.
    """
    check(fps, every, width, hold)
    skipped: dict[Path, str] = {}
    paths = _of_one_size(find_frames(Path(frames_folder)), skipped)
    choices = _choices(paths, every)
    finish = _finisher(paths, width, caption)
    with cli.progress(len(choices), Path(out).name, unit="frame", leave=False) as bar:
        frames = _read_frames(choices, skipped, finish, bar)
        count = images.write_gif(out, frames, fps, hold)
    with Image.open(out) as written:
        return Animation(Path(out), count, written.width, skipped)


def check(fps: float, every: int, width: int | None, hold: float) -> None:
    """Raises UserError for an argument of `make_training_gif` that is out of its range."""
    images.gif_delay(fps)
    if every < 1:
        raise UserError(f"`--every` should be at least 1. Received: {every}.")
    if width is not None and not 16 <= width <= MAX_WIDTH:
        raise UserError(f"`--width` should be from 16 to {MAX_WIDTH}. Received: {width}.")
    if not 0 <= hold <= MAX_HOLD:
        raise UserError(f"`--hold` should be from 0 to {MAX_HOLD} seconds. Received: {hold:g}.")


def _number(path: Path) -> int:
    return int(re.findall(r"[0-9]+", path.stem)[-1])


def _has_frames(folder: Path) -> bool:
    return folder.is_dir() and bool(find_frames(folder))


def _of_one_size(paths: list[Path], skipped: dict[Path, str]) -> list[Path]:
    """Keeps the frames that have the size most have; adds the others to `skipped`."""
    sizes: dict[Path, tuple[int, int]] = {}
    for path in paths:
        try:
            with Image.open(path) as frame:  # reads no more than the header
                sizes[path] = frame.size
        except _BROKEN:
            skipped[path] = "cannot be read"
    most = Counter(sizes.values()).most_common(1)
    for path, size in sizes.items():
        if size != most[0][0]:
            skipped[path] = "{}x{} instead of {}x{}".format(*size, *most[0][0])
    return [path for path in paths if path not in skipped]


def _choices(paths: list[Path], every: int) -> list[list[Path]]:
    """For each frame of the GIF, the PNG to take and those to fall back on, latest first."""
    stops = sorted({*range(0, len(paths), every), len(paths) - 1}) if paths else []
    starts = [0, *(stop + 1 for stop in stops)]
    return [paths[start : stop + 1][::-1] for start, stop in zip(starts, stops, strict=False)]


def _read_frames(
    choices: list[list[Path]], skipped: dict[Path, str], finish: Finish, bar: tqdm
) -> Iterator[np.ndarray]:
    """Gives the first frame of each choice that can be read, finished: uint8, (H, W, 3)."""
    found = False
    for choice in choices:
        for path in choice:
            try:
                with Image.open(path) as image:
                    frame = image.convert("RGB")
            except _BROKEN:
                skipped[path] = "cannot be read"
            else:
                found = True
                yield np.asarray(finish(frame, path))
                break
        bar.update()
    if not found:
        raise UserError(
            "A GIF should have at least one frame that can be read. "
            f"Received: {len(skipped)}, all of them broken: {_named(skipped)}."
        )


def _finisher(paths: list[Path], width: int | None, caption: bool) -> Finish:
    """Prepares, for frames of one size, their resizing and the strip with their number."""
    if not paths:
        return lambda frame, path: frame
    with Image.open(paths[0]) as first:
        own_width, own_height = first.size
    width = width or own_width
    height = max(1, round(own_height * width / own_width))
    size = _font_size(max(map(_caption, paths), key=len), width)
    font = ImageFont.load_default(size)

    def finish(frame: Image.Image, path: Path) -> Image.Image:
        if frame.size != (width, height):
            frame = frame.resize((width, height), Image.Resampling.LANCZOS)
        if not caption:
            return frame
        canvas = Image.new("RGB", (width, height + round(1.6 * size)), CAPTION_BACKGROUND)
        canvas.paste(frame)
        # "ls" places the line that letters stand on, so that every caption has the same.
        place = (round(size / 2), height + round(1.15 * size))
        ImageDraw.Draw(canvas).text(place, _caption(path), CAPTION_COLOUR, font, anchor="ls")
        return canvas

    return finish


def _caption(path: Path) -> str:
    """Says what the frame's number counts, as far as its name tells."""
    counted = "iteration" if path.stem.isdecimal() else "frame"
    return f"{counted} {_number(path):,}"


def _font_size(longest: str, width: int) -> int:
    """As large as suits a width in pixels and lets the longest caption fit."""
    size = min(max(width / 28, 11), 28)
    needed = ImageFont.load_default(size).getlength(longest) + size
    return max(4, round(size * min(1, width / needed)))


def _named(skipped: dict[Path, str]) -> str:
    names = [f"{path.name} ({why})" for path, why in skipped.items()]
    more = len(names) - NAMED_FRAMES
    return ", ".join(names[:NAMED_FRAMES]) + (f" and {more} more" if more > 0 else "")


def _report(animation: Animation, every: int) -> None:
    print(f"{animation.path}: {animation.frames} frames, {animation.megabytes:.1f} MB")
    if animation.skipped:
        print(f"Skipped {len(animation.skipped)}: {_named(animation.skipped)}.")
    if animation.megabytes > LARGE_MB:
        width = 384 if animation.width > 384 else max(16, animation.width // 2)
        every = 5 if every < 5 else 2 * every
        print(f"That is large; add --width {width} --every {every} for a smaller one.")


def _parser() -> argparse.ArgumentParser:
    parser = cli.Parser(
        prog="python -m kerasgan.gif",
        description="Make training.gif from the control grids of one run or of all runs.",
        formatter_class=cli.HelpFormatter,
    )
    add = parser.add_argument
    add("folder", type=Path, help="a run, the folder of all runs, or a folder of numbered PNGs")
    add("--fps", type=float, default=20.0, help="frames per second, at most 50")
    add("--every", type=int, default=1, metavar="N", help="take each N-th frame, and the last")
    add("--width", type=int, metavar="PIXELS", help="resize to this width; as it is unless given")
    add("--hold", type=float, default=2.0, metavar="SECONDS", help="the last frame stays longer")
    add("--no-caption", action="store_true", help="leave out the strip with the iteration")
    add("--out", type=Path, metavar="FILE", help="where one run's GIF goes, if not in the run")
    return parser


def _command(argv: Sequence[str] | None) -> int:
    args = _parser().parse_args(argv)
    check(args.fps, args.every, args.width, args.hold)
    found = find_runs(args.folder)
    if args.out:
        found = [(found[0][0], _check_out(args.out, [out.parent for _, out in found]))]
    code = 0
    for frames_folder, out in found:
        try:
            animation = make_training_gif(
                frames_folder,
                out,
                fps=args.fps,
                every=args.every,
                width=args.width,
                caption=not args.no_caption,
                hold=args.hold,
            )
        except UserError as error:  # one run's broken frames should not cost the others theirs
            print(f"error: {error}", file=sys.stderr)
            code = cli.USER_ERROR
        else:
            _report(animation, args.every)
    return code


def _check_out(out: Path, runs: list[Path]) -> Path:
    if len(runs) > 1:
        raise UserError(
            f"`--out` should come with one run. Received: {len(runs)} of them, from {runs[0]} to "
            f"{runs[-1]}. Name one instead of their folder."
        )
    if out.suffix.lower() != ".gif":
        raise UserError(f"`--out` should end in .gif. Received: {out}.")
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


if __name__ == "__main__":
    raise SystemExit(main())
