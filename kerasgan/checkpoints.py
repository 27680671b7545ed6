"""The last few states of a training, on disk."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kerasgan.backend import tf
from kerasgan.errors import UserError

# What TensorFlow raises, beside its own errors, for checkpoints that are cut or do not fit.
_UNREADABLE = (ValueError, IndexError, RuntimeError, AssertionError)


class Checkpoints:
    """The last few states of a training, on disk: networks, optimizers, iteration.

    Args:
        gan: the training's `GAN`.
        folder: where the files are.
        keep: how many checkpoints stay.

    Attributes:
        spared: an iteration whose checkpoint stays beside those, or None.
    """

    def __init__(self, gan: Any, folder: Path, keep: int) -> None:
        self.gan = gan
        self.folder = folder
        self.keep = keep
        self.spared: int | None = None
        self._state = tf.train.Checkpoint(**gan.state())

    def paths(self) -> list[Path]:
        """Returns the checkpoints' paths, oldest first, as TensorFlow names them."""
        found = [path.with_suffix("") for path in self.folder.glob("iteration-*.index")]
        return sorted(found, key=_iteration_of)

    def save(self) -> None:
        """Writes the present state and drops the oldest beyond those kept."""
        self.folder.mkdir(exist_ok=True)
        self._state.write(str(self._path(int(self.gan.iteration))))
        for path in self.paths()[: -self.keep]:
            if _iteration_of(path) == self.spared:
                continue
            # The index goes first: without it what is left is no checkpoint.
            for part in sorted(self.folder.glob(f"{path.name}.*"), reverse=True):
                part.unlink()

    def restore(self) -> int:
        """Loads the newest checkpoint that is whole.

        Returns:
            The iteration it was made after; 0 where there is none, the state then being
            that of a new training.

        Raises:
            UserError: there are checkpoints, but none can be read.
        """
        paths = self.paths()
        for path in reversed(paths):
            if reason := self._refused(path):
                print(f"{path} cannot be read ({reason}); trying the one before.")
            else:
                return int(self.gan.iteration)
        if paths:
            raise UserError(f"A checkpoint should be readable. Received: {self.folder}, with none.")
        return 0

    def has(self, iteration: int) -> bool:
        """Whether there is a checkpoint of an iteration."""
        return self._path(iteration) in self.paths()

    def go_back(self, iteration: int) -> None:
        """Loads the state of an earlier iteration, but for the iteration's number and `slowdown`.

        Raises:
            UserError: it cannot be read.
        """
        number, slowdown = int(self.gan.iteration), float(self.gan.slowdown)
        path = self._path(iteration)
        if reason := self._refused(path):
            raise UserError(
                f"The checkpoint to go back to should be readable. Received: {path} ({reason}). "
                "Resume the run: it goes on from its last checkpoint."
            )
        self.gan.iteration.assign(number)
        self.gan.slowdown.assign(slowdown)

    def _path(self, iteration: int) -> Path:
        return self.folder / f"iteration-{iteration}"

    def _refused(self, path: Path) -> str | None:
        """Loads a checkpoint; returns why that failed, or None."""
        try:
            self._state.read(str(path)).assert_consumed()
        except (tf.errors.OpError, *_UNREADABLE) as error:
            return str(error).splitlines()[0]
        return None


class Schedule:
    """Says when a checkpoint is due: every so many iterations, and every so many minutes.

    Args:
        every: iterations between checkpoints; 0 for none by their count.
        minutes: between checkpoints; 0 for none by time.
        clock: returns seconds that only rise.
    """

    def __init__(
        self, every: int, minutes: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.every, self.minutes, self.clock = every, minutes, clock
        self.note_written()

    def note_written(self) -> None:
        """Counts the minutes anew, from now on."""
        self._written = self.clock()

    def is_due_by_count(self, iteration: int) -> bool:
        """Whether a checkpoint comes after this iteration, whatever the time."""
        return self.every > 0 and iteration % self.every == 0

    def is_due_by_time(self) -> bool:
        """Whether the minutes have passed since the last checkpoint of this process."""
        return self.minutes > 0 and self.clock() - self._written >= 60 * self.minutes


def _iteration_of(path: Path) -> int:
    """Returns the iteration that a checkpoint was made after."""
    return int(path.name.removeprefix("iteration-"))
