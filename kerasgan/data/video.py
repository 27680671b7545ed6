"""A video's frames as a source.

Not all of them: neighbours look the same. One a second is taken, but `LEAST` where a video is
shorter than that; with a limit, as many as it says. They lie at even distances.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kerasgan.data.kinds import VIDEO, endings_of
from kerasgan.data.source import Item, Rejected, Source
from kerasgan.errors import UserError
from kerasgan.files import Damaged, reading
from kerasgan.text import plural, printable

VIDEOS = endings_of(VIDEO)
LEAST = 100  # frames of a short video

# A file is opened as one of these or not at all: others lead to files and addresses elsewhere.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,asf,flv,ogg"
UNTOLD, HD = 2, 720  # FFmpeg's number of colours that are not told: BT.709's from so many lines on
HDR = (16, 18)  # FFmpeg's numbers of the curves PQ and HLG


class VideoSource(Source):
    """The frames of a video file, in their order, upright; sounds and further tracks are left out.

    Some dozens of frames are in memory at once: 3 MB each of a video of 1080 lines.

    Args:
        title: the file, as the user named it.
        limit: how many frames are wanted; None for one a second.

    Raises:
        UserError: it cannot be read as a video, or what reads videos is not installed.
    """

    def __init__(self, title: str, limit: int | None = None) -> None:
        self.title = title
        self.path = os.path.expanduser(title)
        self.slug = Path(self.path).stem
        with _explained(title):
            total, seconds = _measure(self.path)
        if not total:
            raise _error(title, "it has no frames")
        wanted = limit or max(LEAST, round(seconds))
        self.total = total
        self.count = min(wanted, total)
        self._chosen = [number * total // self.count for number in range(self.count)]
        self._hdr = False

    def items(self) -> Iterator[Item]:
        chosen = iter(self._chosen)
        wanted = next(chosen, None)
        with _explained(self.title), _opened(self.path) as container:
            for number, frame in enumerate(_frames(container)):
                if number == wanted:
                    self._hdr = self._hdr or getattr(frame, "color_trc", None) in HDR
                    yield Item(f"{number:06d}", partial(_pixels, frame))
                    wanted = next(chosen, None)
                if wanted is None:
                    return
        while wanted is not None:
            yield Item(f"{wanted:06d}", _missing)
            wanted = next(chosen, None)

    def state(self) -> list[Any]:
        status = os.stat(self.path)
        return [status.st_size, status.st_mtime_ns, self._chosen]

    def watched(self) -> list[str]:
        return [self.path]

    def notes(self) -> list[str]:
        every = "all" if self.count == self.total else f"{self.count:,} of its"
        notes = [f"{every} {plural(self.total, 'frame')}, at even distances"]
        return [*notes, "its colours are HDR and come out pale"] if self._hdr else notes


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """Gives an `av.InputContainer`, of nothing but the file."""
    import av

    with reading():
        container = av.open(
            path, options={"format_whitelist": FORMATS, "protocol_whitelist": "file"}
        )
    with container:
        yield container


def _measure(path: str) -> tuple[int, float]:
    """Returns how many frames a video has, and how many seconds; nothing is decoded."""
    with _opened(path) as container:
        stream = _stream(container)
        times: list[float] = []
        packets = container.demux(stream)
        while True:
            try:
                with reading():
                    packet = next(packets, None)
            except Damaged:  # from here on; what came before can be used
                break
            if packet is None:
                break
            if packet.size:
                times.append(float((packet.pts or 0) * (packet.time_base or 0)))
    seconds = max(times) - min(times) if times else 0.0
    return len(times), seconds


def _stream(container: Any) -> Any:
    with reading():
        streams = [stream for stream in container.streams.video if not _is_still(stream)]
    if not streams:
        raise Damaged("it has no moving pictures")
    streams[0].thread_type = "AUTO"
    return streams[0]


def _is_still(stream: Any) -> bool:
    """Whether a track is a cover, not a video."""
    return "attached_pic" in str(stream.disposition).lower()


def _frames(container: Any) -> Iterator[Any]:
    """Yields a video's frames, as far as they can be decoded."""
    frames = container.decode(_stream(container))
    while True:
        try:
            with reading():
                frame = next(frames, None)
        except Damaged:
            return
        if frame is None:
            return
        yield frame


def _pixels(frame: Any) -> np.ndarray:
    """Returns a frame upright, uint8 (H, W, 3)."""
    untold = int(frame.colorspace) == UNTOLD and frame.height >= HD
    colours = "ITU709" if untold else None
    try:
        with reading():
            pixels = frame.reformat(format="rgb24", src_colorspace=colours).to_ndarray()
    except Damaged as error:
        raise Rejected(f"damaged: {error}") from error
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))


def _missing() -> np.ndarray:
    raise Rejected("damaged: the video ends before it")


def _error(title: str, reason: str) -> UserError:
    return UserError(
        f"A video should be a file with moving pictures that can be read. Received: "
        f"{printable(f'{title} ({reason})')}. Copy it again, or save it as MP4."
    )


@contextmanager
def _explained(title: str) -> Iterator[None]:
    """Turns damage into a `UserError`."""
    try:
        yield
    except Damaged as error:
        raise _error(title, str(error)) from error
