"""The control grid: the pictures of the same latents all through a training."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerasgan import images, latents, runs, saved
from kerasgan.backend import keras
from kerasgan.conditions import Conditions
from kerasgan.errors import UserError
from kerasgan.files import Damaged, reading
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
            most = min(count, MAX_ROWS)
            rows = runs.read_conditions(path) or conditions.sweep(most)
            if rows.names != conditions.names or not 0 < len(rows.values) <= most:
                raise UserError(
                    f"A control grid's conditions should be the run's. Received: {path}, which has "
                    "others. Remove it: it is made again."
                )
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
    path, shape = run.control_latents, (count, recipe.latent_dim)
    if path.exists():
        try:
            return _read_latents(path, shape)
        except Damaged as error:
            print(f"{path} is damaged ({error}); its latents are drawn again, the same.")
    drawn = latents.draw(*shape, recipe.seed, recipe.control_scale)
    runs.write_latents(path, drawn)
    return drawn


def _read_latents(path: Path, shape: tuple[int, int]) -> np.ndarray:
    with reading():
        kept = np.load(path, allow_pickle=False)
    if kept.shape != shape or kept.dtype != np.float32 or not np.isfinite(kept).all():
        raise Damaged(f"it holds no {shape[0]} latents of {shape[1]} numbers")
    return np.asarray(kept)
