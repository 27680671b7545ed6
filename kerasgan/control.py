"""The control grid: the pictures of the same latents all through a training."""

from typing import NamedTuple

import numpy as np

from kerasgan import images, latents, runs, saved
from kerasgan.backend import keras
from kerasgan.conditions import Conditions
from kerasgan.recipes import Recipe
from kerasgan.runs import Run

MAX_ROWS = 16  # conditions in the control grid, a row each


class Control(NamedTuple):
    """What the control grid is drawn from.

    Attributes:
        latents: float32 (N, D); with conditions those of one row.
        conditions: one for each row; None without conditions.
    """

    latents: np.ndarray
    conditions: Conditions | None

    @classmethod
    def of(cls, recipe: Recipe, run: Run, conditions: Conditions | None) -> "Control":
        """Returns a run's own, drawn and kept on first use."""
        count, path = recipe.control_latents, run.control_conditions
        if conditions:
            rows = runs.read_conditions(path) or conditions.sweep(min(count, MAX_ROWS))
            runs.write_conditions(path, rows)
            return cls(_control_latents(count // len(rows.values), recipe, run), rows)
        return cls(_control_latents(count, recipe, run), None)

    def grid(self, generator: keras.Model) -> np.ndarray:
        """Draws the control grid, uint8 (H, W, C): a square of the latents' pictures.

        With conditions, it has a row for each and a column for each latent.
        """
        if self.conditions is None:
            return images.make_grid(saved.draw(generator, self.latents))
        columns, rows = len(self.latents), self.conditions.vectors()
        every = np.tile(self.latents, (len(rows), 1))
        conditions = np.repeat(rows, columns, axis=0)
        return images.make_grid(saved.draw(generator, every, conditions), columns)


def _control_latents(count: int, recipe: Recipe, run: Run) -> np.ndarray:
    """Returns the run's control latents (N, D), drawn and kept on first use."""
    if not run.control_latents.exists():
        drawn = latents.draw(count, recipe.latent_dim, recipe.seed, recipe.control_scale)
        runs.write_latents(run.control_latents, drawn)
    return np.load(run.control_latents, allow_pickle=False)
