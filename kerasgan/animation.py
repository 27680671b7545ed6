"""Animations: a folder of numbered frames to a GIF, an MP4 or a WebP."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from kerasgan import cli, images, movies
from kerasgan.errors import UserError
from kerasgan.movies import Movie

MAX_WIDTH = 8192  # pixels
NAMED_FRAMES = 10  # skipped frames that a message names before it only counts
CAPTION_COLOUR = (230, 230, 230)
CAPTION_BACKGROUND = (0, 0, 0)

Finish = Callable[[Image.Image, Path], Image.Image]


@dataclass(frozen=True)
class Animation(Movie):
    """What was written, and each frame left out with why."""

    skipped: dict[Path, str]


def find_frames(folder: Path) -> list[Path]:
    """Lists the PNGs with a number in their name, by that number; of several, the last one."""
    names = re.compile(r"(?!\.).*[0-9].*\.png", re.IGNORECASE)
    pngs = (path for path in folder.iterdir() if names.fullmatch(path.name))
    return sorted(pngs, key=lambda path: (_number(path), path.name))


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
    """Writes the frames of a folder as one animation, in the order of their numbers.

    A frame that cannot be read, or that differs in size from most, is left out; where `every`
    gives a choice, an earlier one takes its place. Frames are never deleted.

    Args:
        frames_folder: holds PNGs with a number in their name, `000050.png` or `control_399.png`.
        out: the path; its ending, one of `movies.FORMATS`, says what it becomes.
        fps: frames per second, up to 50 in a GIF and 60 elsewhere.
        every: takes each `every`-th frame, the first and the last among them.
        width: of the animation, pixels; the frames' own unless given. The height follows.
        caption: writes each frame's number in a strip below it.
        hold: seconds that the last frame stays longer than the others.

    Returns:
        What was written.

    Raises:
        UserError: an argument is out of range, or no frame can be read.
    """
    movies.format_of(out)
    cli.require(rules(fps, every, width, hold, Path(out).suffix.lower()))
    skipped: dict[Path, str] = {}
    paths = _of_one_size(find_frames(Path(frames_folder)), skipped)
    choices = _choices(paths, every)
    finish = _finisher(paths, width, caption)
    with cli.progress(len(choices), Path(out).name, unit="frame", leave=False) as bar:
        frames = _read_frames(choices, skipped, finish, bar)
        made = movies.write(out, frames, fps, hold)
    return Animation(made.path, made.frames, made.width, made.height, skipped)


def rules(
    fps: float, every: int, width: int | None, hold: float, suffix: str = movies.GIF
) -> list[cli.Rule]:
    """Returns the rules for the arguments of `make_training_gif`, for `cli.require`."""
    return [
        movies.rule_of_fps(fps, suffix),
        ("`--every` should be at least 1", every, every >= 1),
        (
            f"`--width` should be from 16 to {MAX_WIDTH}",
            width,
            width is None or 16 <= width <= MAX_WIDTH,
        ),
        movies.rule_of_hold(hold),
    ]


def _number(path: Path) -> int:
    return int(re.findall(r"[0-9]+", path.stem)[-1])


def _of_one_size(paths: list[Path], skipped: dict[Path, str]) -> list[Path]:
    """Keeps the frames that have the size most have; adds the others to `skipped`."""
    sizes: dict[Path, tuple[int, int]] = {}
    for path in paths:
        size = images.png_size(path)
        if size is None:
            skipped[path] = "cannot be read"
        else:
            sizes[path] = size
    most = Counter(sizes.values()).most_common(1)
    for path, size in sizes.items():
        if size != most[0][0]:
            skipped[path] = "{}x{} instead of {}x{}".format(*size, *most[0][0])
    return [path for path in paths if path not in skipped]


def _choices(paths: list[Path], every: int) -> list[list[Path]]:
    """For each frame of the animation, the PNG to take and those to fall back on, latest first."""
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
            frame = images.read_png(path)
            if frame is not None:
                found = True
                yield np.asarray(finish(frame.convert("RGB"), path))
                break
            skipped[path] = "cannot be read"
        bar.update()
    if not found:
        raise UserError(
            "An animation should have at least one frame that can be read. "
            f"Received: {len(skipped)}, all of them broken: {named(skipped)}."
        )


def _finisher(paths: list[Path], width: int | None, caption: bool) -> Finish:
    """Prepares, for frames of one size, their resizing and the strip with their number."""
    own = images.png_size(paths[0]) if paths else None
    if own is None:
        return lambda frame, path: frame
    own_width, own_height = own
    width = width or own_width
    height = max(1, round(own_height * width / own_width))
    size = font_size(max(map(caption_of, paths), key=len), width)
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
        ImageDraw.Draw(canvas).text(place, caption_of(path), CAPTION_COLOUR, font, anchor="ls")
        return canvas

    return finish


def caption_of(path: Path) -> str:
    """Says what the frame's number counts, as far as its name tells."""
    counted = "iteration" if path.stem.isdecimal() else "frame"
    return f"{counted} {_number(path):,}"


def font_size(longest: str, width: int) -> int:
    """Returns a size that suits a width in pixels and lets the longest caption fit."""
    size = min(max(width / 28, 11), 28)
    needed = ImageFont.load_default(size).getlength(longest) + size
    return max(4, round(size * min(1, width / needed)))


def named(skipped: dict[Path, str]) -> str:
    """Lists the frames left out, each with the reason, for a message."""
    names = [f"{path.name} ({why})" for path, why in skipped.items()]
    more = len(names) - NAMED_FRAMES
    return ", ".join(names[:NAMED_FRAMES]) + (f" and {more} more" if more > 0 else "")
