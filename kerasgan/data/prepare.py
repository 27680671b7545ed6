"""A source's pictures, read, cropped and written into the cache that is being made."""

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
    Decoded,
    Rejected,
    Upright,
    decode,
    open_upright,
    reason,
    to_channels,
)
from kerasgan.data.faces import Detections, Face, cut_face
from kerasgan.data.parallel import submit_in_order, threads
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
        crop: one of `CROPS`, or `FACE`.
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
        try:
            raw = item.fetch()
            return self.open(raw)[1] if self.detections else [self._decoded(raw)]
        except OSError as error:
            raise Rejected(reason(error)) from error

    def _decoded(self, raw: Raw) -> Decoded:
        return decode(raw, self.size, self.crop, self.channels)

    def open(self, raw: Raw) -> tuple[Upright, list[Decoded]]:
        """Returns a picture at its full scale, upright, and what training would see of it.

        Raises:
            Rejected: that is nothing.
        """
        if self.detections is None:
            upright = open_upright(raw)
            return upright, [self._decoded(raw)]
        raw = read_bytes(raw)
        upright = open_upright(raw)
        rgb = np.asarray(upright.image)
        key = raw.tobytes() if isinstance(raw, np.ndarray) else raw
        found = self.detections.faces_of(key, rgb)
        if not found:
            raise Rejected("no face found")
        return upright, [self._cut(upright, rgb, face) for face in found]

    def _cut(self, upright: Upright, rgb: np.ndarray, face: Face) -> Decoded:
        pixels = Image.fromarray(cut_face(rgb, face, self.size))
        small = face.side < self.size
        return Decoded(to_channels(pixels, self.channels), small, upright.over_white)

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


def read_bytes(raw: Raw) -> bytes | np.ndarray:
    """Reads a picture file, if `raw` is its path.

    Raises:
        OSError: it cannot be read.
    """
    return Path(raw).read_bytes() if isinstance(raw, str) else raw


@contextmanager
def decoding_threads() -> Iterator[ThreadPoolExecutor]:
    """Gives `threads` while Pillow's warnings are silenced.

    It warns of damaged EXIF and of large pictures, and logs what is odd about a TIFF. Filters
    belong to the process, not to a thread, so they are set once, around all the threads.
    """
    logger, silence = logging.getLogger("PIL"), logging.NullHandler()
    logger.addHandler(silence)  # without any, Python prints errors
    try:
        with threads() as pool, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield pool
    finally:
        logger.removeHandler(silence)
