"""Moving pictures in one file: GIF, MP4 and WebP, written frame by frame."""

import argparse
import io
import math
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kerasgan import cli, images
from kerasgan.errors import UserError
from kerasgan.files import atomic_path
from kerasgan.text import either, printable

MAX_HOLD = 600  # seconds; a GIF cannot hold a frame longer than 655
PALETTE_SAMPLE = 2**13  # pixels that a palette is chosen by: more cost time and show no better
PALETTE_SETTLED = 250  # of them, may still change their colour when the search for one ends
HD = 720  # lines from which on players take colours that are not told for BT.709's

GIF = ".gif"  # unless another ending is asked for
YUV = "yuv420p"  # its planes of colours have half the sides; for MP4 these should be even

Writer = Callable[[Path, Iterator[np.ndarray], float, float], int]


@dataclass(frozen=True)
class Format:
    """A format of moving pictures.

    Attributes:
        name: with its article, in messages.
        most_fps: frames per second that players keep to.
        most_side: pixels that a side of a picture can have.
        write: a path, frames, frames per second, and seconds that the last frame stays longer, to
            the number of frames.
    """

    name: str
    most_fps: int
    most_side: int
    write: Writer


@dataclass(frozen=True)
class Movie:
    """What was written: the file, its frames, and their size in pixels."""

    path: Path
    frames: int
    width: int
    height: int

    @property
    def megabytes(self) -> float:
        return self.path.stat().st_size / 1e6


def format_of(path: str | os.PathLike[str]) -> Format:
    """Returns the format that a path's ending stands for.

    Raises:
        UserError: it stands for none.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise UserError(
            f"An animation's name should end in {either(list(FORMATS))}. Received: "
            f"{printable(str(path))}."
        )
    return FORMATS[suffix]


def rule_of_fps(fps: float, suffix: str = GIF) -> cli.Rule:
    """Returns the rule for frames per second, for `cli.require`.

    Args:
        fps: frames per second.
        suffix: of the file, one of `FORMATS`.
    """
    kind = FORMATS[suffix]
    rule = f"`--fps` should be from 0.01 to {kind.most_fps} in {kind.name}"
    return rule, f"{fps:g}", 0.01 <= fps <= kind.most_fps


def rule_of_hold(hold: float) -> cli.Rule:
    """Returns the rule for how long the last frame stays, for `cli.require`."""
    return f"`--hold` should be from 0 to {MAX_HOLD} seconds", f"{hold:g}", 0 <= hold <= MAX_HOLD


def add_flags(parser: argparse.ArgumentParser, of: str = "") -> None:
    """Adds `--format` and `--fps` to the parser of a command that writes animations.

    Args:
        parser: of the command, which has `--out` as well.
        of: what is animated, the beginning of the help, such as "of a walk, ".
    """
    kinds = [suffix[1:] for suffix in FORMATS]
    flag = parser.add_argument("--format", choices=kinds, help=f"{of}{either(kinds)}")
    cli.unset(flag, "what --out ends in, else gif")
    fastest = f"at most {FORMATS[GIF].most_fps} in a GIF and {FORMATS['.mp4'].most_fps} elsewhere"
    parser.add_argument("--fps", type=float, default=20.0, help=f"{of}frames per second, {fastest}")


def suffix_of(args: argparse.Namespace) -> str:
    """Returns the ending that `--format` and `--out` ask for, one of `FORMATS`."""
    typed = args.out.suffix.lower() if args.out else GIF
    return f".{args.format}" if args.format else typed if typed in FORMATS else GIF


def rules(args: argparse.Namespace) -> list[cli.Rule]:
    """Returns the rules for `--out`, `--format` and `--fps`, for `cli.require`."""
    suffix = args.out.suffix.lower() if args.out else suffix_of(args)
    return [
        (f"`--out` should end in {either(list(FORMATS))}", args.out, suffix in FORMATS),
        (
            "`--out` should end in what `--format` says, which can be left out",
            f"{args.out}, --format {args.format}",
            suffix == suffix_of(args),
        ),
        rule_of_fps(args.fps, suffix_of(args)),
    ]


def write(
    path: str | os.PathLike[str], frames: Iterable[np.ndarray], fps: float, hold: float = 0.0
) -> Movie:
    """Writes an animation, whole or not at all, holding few frames at a time.

    >>> faces = drawing.draw_walk(saved.load("outputs/000-fast"))
    >>> movies.write("walk.mp4", faces, fps=20)

    Args:
        path: where it goes; its ending, one of `FORMATS`, says what it becomes. GIF and WebP loop
            for ever. MP4 is H.264 in yuv420p, which plays everywhere; a picture with an odd side
            gets one row or column more, the same as the one beside it.
        frames: at least one uint8 picture (H, W, C), all of one size; may be a generator.
        fps: frames per second. A GIF shows each for whole hundredths of a second.
        hold: seconds that the last frame stays longer than the others; in an MP4 and a WebP
            rounded to whole frames.

    Returns:
        What was written.

    Raises:
        UserError: the ending is unknown, or `fps`, `hold` or a side is out of range.
        ValueError: there is no frame, or one differs in size.
    """
    path, kind = Path(path), format_of(path)
    cli.require([rule_of_fps(fps, path.suffix.lower()), rule_of_hold(hold)])
    rgb = _checked(frames, kind)
    first = next(rgb, None)  # what goes wrong before it, goes wrong before a file is opened
    if first is None:
        raise ValueError("An animation should have at least one frame. Received: none.")
    with atomic_path(path) as temporary:
        count = kind.write(temporary, chain([first], rgb), fps, hold)
    return Movie(path, count, *first.shape[1::-1])


def _checked(frames: Iterable[np.ndarray], kind: Format) -> Iterator[np.ndarray]:
    """Yields frames as RGB, uint8 (H, W, 3), all of one size that the format takes."""
    shape = None
    for frame in frames:
        rgb = np.asarray(images.to_image(frame).convert("RGB"))
        shape = shape or rgb.shape
        height, width, _ = shape
        if rgb.shape != shape:
            raise ValueError(f"Frames should have one size. Received: {rgb.shape}, {shape}.")
        if max(height, width) > kind.most_side:
            raise UserError(
                f"The pictures of {kind.name} should have sides of at most {kind.most_side:,} "
                f"pixels. Received: {width:,}x{height:,}."
            )
        yield rgb


class _Target(io.FileIO):
    """A file that swallows what goes wrong when it is written to, for `settle` to raise.

    An error inside the library's callbacks comes out as another one, and again when the writer is
    closed and thrown away.
    """

    error: BaseException | None = None

    def write(self, content: Any) -> int:
        data = memoryview(content).cast("B")
        done = 0
        try:
            while self.error is None and done < len(data):
                done += super().write(data[done:]) or 0
        except BaseException as error:
            self.error = error
        return len(data)

    def settle(self) -> None:
        """Raises what went wrong."""
        if self.error is not None:
            raise self.error


def _write_mp4(path: Path, frames: Iterator[np.ndarray], fps: float, hold: float) -> int:
    first = _even(next(frames))
    height, width, _ = first.shape
    # The plugin tells the file no colours, and players then go by the number of lines.
    matrix = "bt709" if height >= HD else "bt601"
    scale = f"{width}:{height}:out_color_matrix={matrix}:out_range=tv"
    return _write_video(
        path,
        chain([first], map(_even, frames)),
        fps,
        hold,
        codec="libx264",
        pixels=YUV,
        filters=[("scale", scale), ("format", YUV)],
        options={"movflags": "+faststart"},  # a browser plays what it has of the file
    )


def _write_webp(path: Path, frames: Iterator[np.ndarray], fps: float, hold: float) -> int:
    return _write_video(
        path,
        frames,
        fps,
        hold,
        codec="libwebp_anim",
        pixels=YUV,  # given RGB, the encoder keeps more than a byte a pixel of all frames
        filters=None,
        options={"loop": "0"},  # times: for ever
    )


def _write_video(
    path: Path,
    frames: Iterator[np.ndarray],
    fps: float,
    hold: float,
    *,
    codec: str,
    pixels: str,
    filters: list[tuple[str, str]] | None,
    options: dict[str, str],
) -> int:
    """Writes a video through imageio's PyAV plugin; the last frame is repeated while it is held.

    Args:
        path: of a file whose ending the container is known by.
        frames: RGB, uint8 (H, W, 3), at least one.
        fps: frames per second.
        hold: seconds that the last frame stays longer.
        codec: FFmpeg's name of the encoder.
        pixels: FFmpeg's name of what the encoder is given.
        filters: FFmpeg's filters, each with its options, that make that of the frames.
        options: of the container.

    Returns:
        How many frames there were.
    """
    import imageio.v3 as imageio

    opened: Any = imageio.imopen  # its types leave out the plugin's own arguments
    count, repeats = 0, round(hold * fps)
    with (
        _Target(path, "w+") as file,
        opened(file, "w", plugin="pyav", extension=path.suffix.lower(), options=options) as out,
    ):
        out.init_video_stream(codec, fps=fps, pixel_format=pixels)
        out.set_video_filter(filters)
        for frame in _holding(frames, repeats):
            count += 1
            out.write_frame(frame)
            file.settle()
        out.close()
        file.settle()
    return count - repeats


def _holding(frames: Iterator[np.ndarray], repeats: int) -> Iterator[np.ndarray]:
    for frame in frames:
        yield frame
    yield from repeat(frame, repeats)


def _even(frame: np.ndarray) -> np.ndarray:
    """Repeats the last row or column of a picture where their number is odd."""
    height, width, _ = frame.shape
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _write_gif(path: Path, frames: Iterator[np.ndarray], fps: float, hold: float) -> int:
    """Writes a GIF: each frame, compressed by Pillow as a GIF of its own with its own palette.

    imageio's writers do worse. For 400 control grids of 768x768 this one took 29 s of a busy core
    and the program 74 MiB at most. With imageio's Pillow plugin, which keeps all frames until the
    last is known, the program grew beyond 1.1 GB. Its PyAV plugin holds few frames as well, with
    FFmpeg's `palettegen` and `paletteuse` for each; but a frame takes 3 to 4 times as long, for
    files as large, and colours averaged over 8x8 pixels are off by a third more at the least.
    """
    delay = round(100 / fps)
    held = min(delay + round(100 * hold), 0xFFFF)
    count, last = 0, b""
    with open(path, "wb") as file:
        for frame in frames:
            image = Image.fromarray(frame)
            # The frame before this one turns out not to be the last.
            file.write(_gif_timing(delay) + last if count else _gif_head(*image.size))
            last = _gif_frame(image)
            count += 1
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


# Browsers slow a GIF down that asks for more than 50 frames a second; screens show 60. The sides
# are the formats' own, and for MP4 those that its encoder takes.
FORMATS: dict[str, Format] = {
    ".gif": Format("a GIF", 50, 65_535, _write_gif),
    ".mp4": Format("an MP4", 60, 16_384, _write_mp4),
    ".webp": Format("a WebP", 60, 16_383, _write_webp),
}
