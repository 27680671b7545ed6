"""The last few states of a training, on disk.

A checkpoint is on the disk, with all that it needs, before an older one goes: whenever the power
is cut, one is there. It knows the recipe that it was made under, but for what may change.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kerasgan import recipes
from kerasgan.backend import tf, writing
from kerasgan.errors import UserError
from kerasgan.files import sync
from kerasgan.text import first_line, printable

# What TensorFlow raises for checkpoints that are cut or do not fit.
_UNREADABLE = (tf.errors.OpError, ValueError, IndexError, RuntimeError, AssertionError)
_RECIPE = "recipe"  # the name of the fingerprint in a checkpoint; those of older versions have none
_KEY = f"{_RECIPE}/.ATTRIBUTES/VARIABLE_VALUE"  # as TensorFlow knows it


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
        with tf.device("CPU"):
            self._recipe = tf.Variable("", trainable=False, name=_RECIPE)
        self._state = tf.train.Checkpoint(**gan.state(), **{_RECIPE: self._recipe})
        self._old_state = tf.train.Checkpoint(**gan.state())

    def paths(self) -> list[Path]:
        """Returns the checkpoints' paths, oldest first, as TensorFlow names them."""
        found = [path.with_suffix("") for path in self.folder.glob("iteration-*.index")]
        return sorted(found, key=_iteration_of)

    def save(self) -> None:
        """Writes the present state and drops the oldest beyond those kept.

        Raises:
            OSError: it cannot be written; the older ones stay.
        """
        self.folder.mkdir(exist_ok=True)
        path = self._path(int(self.gan.iteration))
        self._recipe.assign(recipes.fingerprint(self.gan.recipe))
        with writing(path):
            self._state.write(str(path))
        # A power cut may undo all that was not put on the disk, in any order.
        for place in (*self._parts(path), self.folder, self.folder.parent):
            sync(place)
        for path in self.paths()[: -self.keep]:
            if _iteration_of(path) == self.spared:
                continue
            # The index goes first: without it what is left is no checkpoint.
            for part in reversed(self._parts(path)):
                part.unlink()

    def restore(self) -> int:
        """Loads the newest checkpoint that is whole.

        Returns:
            The iteration it was made after; 0 where there is none, the state then being
            that of a new training.

        Raises:
            UserError: there are checkpoints, but none can be read; or they are of another recipe.
        """
        paths = self.paths()
        for number, path in reversed(list(enumerate(paths))):
            if reason := self._refused(path):
                goes_on = "; trying the one before" if number else ""
                print(f"{printable(str(path))} cannot be read ({reason}){goes_on}.")
            else:
                return int(self.gan.iteration)
        if paths:
            raise UserError(
                f"A checkpoint should be readable. Received: {self.folder}, with none that is. Put "
                "a copy of one back, or start a new run."
            )
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
            reader = tf.train.load_checkpoint(str(path))
            kept = reader.get_tensor(_KEY) if reader.has_tensor(_KEY) else None
        except _UNREADABLE as error:
            return first_line(error)
        if kept is not None:
            self._require_the_recipe(kept, path)
        try:
            (self._old_state if kept is None else self._state).read(str(path)).assert_consumed()
        except _UNREADABLE as error:
            return first_line(error)
        if faulty := not_finite(self.gan):
            return f"{faulty} has numbers that are not finite"
        return None

    def _require_the_recipe(self, kept: bytes, path: Path) -> None:
        """Raises UserError where the recipe's file was changed by hand since a checkpoint."""
        changes = recipes.changes_since(kept, self.gan.recipe)
        if changes:
            raise UserError(
                "A run's recipe should stay as it was at its checkpoints. Received: "
                f"{self.folder.parent}, of which {path.name} was made under another: "
                f"{', '.join(changes)}. Change recipe.json back, or start a new run."
            )

    def _parts(self, path: Path) -> list[Path]:
        """Returns the files of a checkpoint, the index last."""
        return sorted(self.folder.glob(f"{path.name}.*"))


def not_finite(gan: Any) -> str | None:
    """Names what of a training's state holds a number that is not finite; None if nothing does."""
    networks = (gan.generator, gan.discriminator, gan.ema_generator)
    for network in filter(None, networks):
        if not all(np.isfinite(weight).all() for weight in network.get_weights()):
            return f"the {network.name}"
    for name in ("generator", "discriminator"):
        variables = getattr(gan, f"{name}_optimizer").variables
        if not all(np.isfinite(variable.numpy()).all() for variable in variables):
            return f"the optimizer of the {name}"
    return None if math.isfinite(float(gan.slowdown)) else "the factor on the learning rates"


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
