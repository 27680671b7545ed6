"""TensorBoard's events of a training."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kerasgan.backend import tf, writing
from kerasgan.files import sync_all


class Events:
    """Writes scalars and pictures for TensorBoard.

    Args:
        folder: where the event files of all the run's processes are.
        done: iterations done so far. What an earlier process wrote of later ones, before it was
            killed, is dropped; of a training that has to begin anew that is everything.
    """

    def __init__(self, folder: Path, done: int) -> None:
        self._folder = folder
        with writing(folder):
            cut(folder, done)
            self._writer = tf.summary.create_file_writer(str(folder))

    def scalars(self, iteration: int, values: dict[str, float], prefix: str = "") -> None:
        """Adds one number for each name."""
        with writing(self._folder), self._writer.as_default(step=iteration):
            for name, value in values.items():
                tf.summary.scalar(prefix + name, value)

    def picture(self, iteration: int, name: str, picture: np.ndarray) -> None:
        """Adds a picture, uint8 (H, W, C)."""
        with writing(self._folder), self._writer.as_default(step=iteration):
            tf.summary.image(name, picture[np.newaxis])

    def flush(self) -> None:
        """Puts everything so far on the disk."""
        with writing(self._folder):
            self._writer.flush()
        sync_all(self._folder)

    def close(self) -> None:
        with writing(self._folder):
            self._writer.close()


def cut(folder: Path, done: int) -> None:
    """Drops the events after an iteration; with 0, all of them.

    A file that a killed process left without its end is cut at the last whole event.

    Args:
        folder: of event files; it may not be there.
        done: the last iteration whose events stay.
    """
    for path in sorted(folder.glob("*tfevents*")):
        if done == 0:
            path.unlink()
        elif any(event.step > done for _, event in _events(path)):
            _rewrite(path, done)


def _rewrite(path: Path, done: int) -> None:
    # Written beside the folder: TensorBoard would read a second file in it at once.
    temporary = path.parent.with_name(f".{path.parent.name}.tmp")
    try:
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            for record, event in _events(path):
                if event.step <= done:
                    writer.write(record)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _events(path: Path) -> Iterator[tuple[bytes, tf.compat.v1.Event]]:
    """Reads an event file to its end, or to where it is damaged, as TensorBoard does."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader

    for record in RawEventFileLoader(str(path)).Load():
        yield record, tf.compat.v1.Event.FromString(record)
