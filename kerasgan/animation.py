"""Animations: a folder of numbered frames, or any pictures, to a GIF."""

import dataclasses
import io
import math
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from kerasgan import cli, images
from kerasgan.errors import UserError
from kerasgan.files import atomic_path

MAX_FPS = 50  # browsers slow a GIF down that asks for more
MAX_WIDTH = 8192  # pixels
MAX_HOLD = 600  # seconds; a GIF cannot hold a frame longer than 655
PALETTE_SAMPLE = 2**14  # pixels that a palette is chosen by: more cost time and show no better
PALETTE_SETTLED = 500  # of them, may still change their colour when the search for one ends
NAMED_FRAMES = 10  # skipped frames that a message names before it only counts
CAPTION_COLOUR = (230, 230, 230)
CAPTION_BACKGROUND = (0, 0, 0)

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
    cli.require(rules(fps, every, width, hold))
    skipped: dict[Path, str] = {}
    paths = _of_one_size(find_frames(Path(frames_folder)), skipped)
    choices = _choices(paths, every)
    finish = _finisher(paths, width, caption)
    with cli.progress(len(choices), Path(out).name, unit="frame", leave=False) as bar:
        frames = _read_frames(choices, skipped, finish, bar)
        count = write_gif(out, frames, fps, hold)
    with Image.open(out, formats=("GIF",)) as written:
        return Animation(Path(out), count, written.width, skipped)


def rules(fps: float, every: int, width: int | None, hold: float) -> list[cli.Rule]:
    """Returns the rules for the arguments of `make_training_gif`, for `cli.require`."""
    return [
        rule_of_fps(fps),
        ("`--every` should be at least 1", every, every >= 1),
        (
            f"`--width` should be from 16 to {MAX_WIDTH}",
            width,
            width is None or 16 <= width <= MAX_WIDTH,
        ),
        (f"`--hold` should be from 0 to {MAX_HOLD} seconds", f"{hold:g}", 0 <= hold <= MAX_HOLD),
    ]


def rule_of_fps(fps: float) -> cli.Rule:
    """Returns the rule for the frames per second of a GIF, for `cli.require`."""
    return f"`--fps` should be from 0.01 to {MAX_FPS}", f"{fps:g}", 0.01 <= fps <= MAX_FPS


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
            frame = images.read_png(path)
            if frame is not None:
                found = True
                yield np.asarray(finish(frame.convert("RGB"), path))
                break
            skipped[path] = "cannot be read"
        bar.update()
    if not found:
        raise UserError(
            "A GIF should have at least one frame that can be read. "
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


def delay_of(fps: float) -> int:
    """Returns how long a GIF shows each frame, in its unit, hundredths of a second.

    Raises:
        UserError: `fps` is out of range.
    """
    cli.require([rule_of_fps(fps)])
    return round(100 / fps)


def write_gif(path: str | Path, frames: Iterable[np.ndarray], fps: float, hold: float = 0.0) -> int:
    """Writes an animation that loops for ever, whole or not at all, holding few frames at a time.

    Pillow, and imageio on top of it, keep every frame until the last is known. Here each frame
    is compressed by Pillow as a GIF of its own, with its own palette, and its blocks are copied
    into the animation.

    Args:
        path: where it goes.
        frames: at least one uint8 picture (H, W, C), all of one size; may be a generator.
        fps: frames per second, up to `MAX_FPS`; rounded to whole hundredths of a second a frame.
        hold: seconds that the last frame stays longer than the others.

    Returns:
        How many frames were written.

    Raises:
        UserError: `fps` is out of range.
        ValueError: there is no frame, or one differs in size.
    """
    delay = delay_of(fps)
    held = min(delay + round(100 * hold), 0xFFFF)
    count, size, last = 0, None, b""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        for frame in frames:
            image = images.to_image(frame).convert("RGB")
            if size is None:
                size = image.size
                file.write(_gif_head(*size))
            if image.size != size:
                raise ValueError(f"Frames should have one size. Received: {image.size}, {size}.")
            if count:  # the frame before this one turns out not to be the last
                file.write(_gif_timing(delay) + last)
            last = _gif_frame(image)
            count += 1
        if not count:
            raise ValueError("A GIF should have at least one frame. Received: none.")
        file.write(_gif_timing(held) + last + b"\x3b")
    return count


def to_palette(image: Image.Image) -> Image.Image:
    """Reduces an RGB image to the 256 colours that suit it best, dithered.

    Median cut alone leaves skin in visible steps; a few rounds of k-means on a sample of the
    pixels bring the palette close to the best one, and dithering hides what steps remain.
    """
    step = math.ceil(math.sqrt(image.width * image.height / PALETTE_SAMPLE))
    sample = Image.fromarray(np.ascontiguousarray(np.asarray(image)[::step, ::step]))
    palette = sample.quantize(256, Image.Quantize.MEDIANCUT, kmeans=PALETTE_SETTLED)
    return image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def _gif_head(width: int, height: int) -> bytes:
    """The file's header, without a palette for all, and the extension that loops it for ever."""
    screen = struct.pack("<6sHHBBB", b"GIF89a", width, height, 0x70, 0, 0)
    return screen + struct.pack("<BBB11sBBHB", 0x21, 0xFF, 11, b"NETSCAPE2.0", 3, 1, 0, 0)


def _gif_timing(hundredths: int) -> bytes:
    """The block before a frame: how long it stays; the next one is drawn over it."""
    return struct.pack("<BBBBHBB", 0x21, 0xF9, 4, 1 << 2, hundredths, 0, 0)


def _gif_frame(image: Image.Image) -> bytes:
    """One frame's descriptor, palette and compressed pixels."""
    buffer = io.BytesIO()
    to_palette(image).save(buffer, format="GIF", interlace=False)
    gif = buffer.getvalue()
    bits = gif[10] & 7  # the palette has 2 ** (bits + 1) colours of three bytes
    start = 13 + 3 * 2 ** (bits + 1)
    palette = gif[13:start]
    while gif[start] == 0x21:  # an extension: two bytes, then sub-blocks up to an empty one
        start += 2
        while gif[start]:
            start += gif[start] + 1
        start += 1
    pixels = gif[start + 10 : -1]  # between the descriptor and the file's last byte
    return struct.pack("<BHHHHB", 0x2C, 0, 0, *image.size, 0x80 | bits) + palette + pixels
