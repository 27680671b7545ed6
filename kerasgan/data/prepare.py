"""A picture as a network sees it, and a source's pictures written into the cache being made."""

import logging
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from kerasgan.cli import progress
from kerasgan.data.cache import PictureWriter, Tally, rejected_writer
from kerasgan.data.decode import (
    FACE,
    MIN_SIDE,
    Decoded,
    Rejected,
    Upright,
    decode,
    open_upright,
    reason,
    to_channels,
)
from kerasgan.data.faces import Detections, Face, cut_face, find_faces
from kerasgan.data.parallel import submit_in_order, threads
from kerasgan.data.request import check_options
from kerasgan.data.source import Item, Raw, Source
from kerasgan.data.table import TableWriter, table_writer
from kerasgan.errors import UserError
from kerasgan.text import most_common, printable


@dataclass(frozen=True)
class Preparation:
    """Reads a source's pictures into a cache.

    Attributes:
        source: where they come from.
        size: height and width of the prepared pictures, in pixels.
        channels: 3 for RGB, 1 for grey.
        crop: one of `CROPS`.
        limit: at most how many pictures; None for all.
        detections: finds faces, for the crop `FACE`.
    """

    source: Source
    size: int
    channels: int
    crop: str
    limit: int | None
    detections: Detections | None = None

    @property
    def at_most(self) -> int:
        """How many pictures there will be if none is rejected."""
        return min(self.source.count, self.limit or self.source.count)

    def __call__(self, into: Path) -> Tally:
        """Writes `pictures.npy` and `pictures.csv`, in the source's order, and `rejected.csv`.

        Args:
            into: the cache folder being made.

        Raises:
            UserError: no picture was usable.
            OSError: the cache could not be written.
        """
        tally = Tally()
        reasons: Counter[str] = Counter()
        source = self.source
        with (
            closing(source),
            decoding_threads() as pool,
            PictureWriter(into / "pictures.npy", self.size, self.channels) as writer,
            table_writer(
                into / "pictures.csv", source.label_names, source.attribute_names
            ) as table,
            rejected_writer(into / "rejected.csv") as rejected,
            progress(self.at_most, "Preparing pictures", unit=" pictures") as bar,
        ):
            for item, future in submit_in_order(pool, self.read, source.items()):
                try:
                    pictures = future.result()
                except Rejected as why:
                    rejected.writerow([item.name, why])
                    reasons[str(why).partition(":")[0]] += 1
                    tally.rejected += 1
                    bar.total = min(source.count, self.at_most + tally.rejected)
                else:
                    self._write(item, pictures, writer, table, tally)
                bar.update()
                if tally.count == self.limit:
                    break
        if not tally.count:
            raise UserError(
                "A source of pictures should hold at least one that can be used. Received: "
                f"{printable(source.title)}, with {tally.rejected:,} rejected "
                f"({most_common(reasons)})."
            )
        tally.notes = source.notes()
        return tally

    def read(self, item: Item) -> list[Decoded]:
        """Returns an item's prepared pictures; called in any thread.

        Raises:
            Rejected: it gives none.
        """
        return self.pictures_of(fetch_item(item))

    def pictures_of(self, raw: Raw) -> list[Decoded]:
        """Returns what training would see of a picture; called in any thread.

        Raises:
            Rejected: that is nothing.
        """
        return pictures_of(raw, self.size, self.channels, self.crop, self.detections)

    def _write(
        self,
        item: Item,
        pictures: list[Decoded],
        writer: PictureWriter,
        table: TableWriter,
        tally: Tally,
    ) -> None:
        """Writes what an item gave, as far as the limit allows."""
        left = len(pictures) if self.limit is None else self.limit - tally.count
        for number, picture in enumerate(pictures[:left], start=1):
            name = item.name if len(pictures) == 1 else f"{item.name}#{number}"
            writer.append(picture.pixels)
            table.append(name, item.label, item.attributes)
            tally.add(picture)
        if self.source.attribute_names and not any(item.attributes):
            tally.without_attributes += 1
        if self.source.label_names and item.label < 0:
            tally.unlabelled += 1


def prepare_one(raw: Raw | Path, *, size: int, channels: int = 3, crop: str = "auto") -> np.ndarray:
    """Prepares one picture exactly as `data.load` prepares those of a source.

    Args:
        raw: a picture file's path or its bytes, or pixels, uint8 (H, W) or (H, W, C) with 1, 3 or
            4 channels.
        size: height and width of the result, in pixels, 4 to 1024.
        channels: 3 for RGB, 1 for grey.
        crop: one of `data.CROPS`.

    Returns:
        uint8, (N, size, size, channels); N is 1, or with the crop "face" the number of faces,
        from left to right.

    Raises:
        UserError: an argument is out of range, the picture cannot be read or is not usable, there
            is no face in it, or there is no detector for the crop "face".
    """
    check_options(size, None, crop, channels)
    raw = str(raw) if isinstance(raw, Path) else raw
    try:
        with pillow_silenced():
            pictures = pictures_of(raw, size, channels, crop)
    except Rejected as why:
        name = raw if isinstance(raw, str) else type(raw).__name__
        raise UserError(
            "A picture should be one that can be read and used. Received: "
            f"{printable(f'{name} ({why})')}. Name another."
        ) from why
    return np.stack([picture.pixels for picture in pictures])


def pictures_of(
    raw: Raw,
    size: int,
    channels: int,
    crop: str,
    detections: Detections | None = None,
    min_side: int = MIN_SIDE,
) -> list[Decoded]:
    """Returns what a network sees of one picture; for the arguments see `prepare_one`.

    Args:
        detections: remember the faces that were found; each picture is searched anew unless given.
        min_side: pixels that the shorter side should have at least.

    Raises:
        Rejected: that is nothing.
        UserError: there is no detector for the crop "face".
    """
    if crop != FACE:
        return [decode(raw, size, crop, channels, min_side)]
    raw = read_bytes(raw)
    upright = open_upright(raw)
    rgb = np.asarray(upright.image)
    if detections is None:
        found = find_faces(rgb)
    else:
        found = detections.faces_of(raw.tobytes() if isinstance(raw, np.ndarray) else raw, rgb)
    if not found:
        raise Rejected("no face found")
    return [_cut(upright, rgb, face, size, channels) for face in found]


def _cut(upright: Upright, rgb: np.ndarray, face: Face, size: int, channels: int) -> Decoded:
    pixels = to_channels(Image.fromarray(cut_face(rgb, face, size)), channels)
    return Decoded(pixels, face.side < size, upright.over_white)


def fetch_item(item: Item) -> Raw:
    """Fetches an item of a source.

    Raises:
        Rejected: it cannot be had.
    """
    try:
        return item.fetch()
    except OSError as error:
        raise Rejected(reason(error)) from error


def read_bytes(raw: Raw) -> bytes | np.ndarray:
    """Reads a picture file, if `raw` is its path.

    Raises:
        Rejected: it cannot be read.
    """
    if not isinstance(raw, str):
        return raw
    try:
        return Path(raw).read_bytes()
    except OSError as error:
        raise Rejected(reason(error)) from error


@contextmanager
def decoding_threads() -> Iterator[ThreadPoolExecutor]:
    """Gives `threads` while Pillow is silent.

    Filters of warnings belong to the process, not to a thread, so they are set once, around all
    the threads.
    """
    with pillow_silenced(), threads() as pool:
        yield pool


@contextmanager
def pillow_silenced() -> Iterator[None]:
    """Silences Pillow, which warns of damaged EXIF and large pictures and logs odd TIFFs."""
    logger, silence = logging.getLogger("PIL"), logging.NullHandler()
    logger.addHandler(silence)  # without any, Python prints errors
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeHandler(silence)
