"""Faces nearer to the average one: less varied, with fewer flaws.

It is the truncation of Karras et al. 2019, "A Style-Based Generator Architecture for GANs". Theirs
is in the space behind the mapping network; here it is among the features that the generator's
first layers make of a latent. A latent made shorter is no substitute: its picture fades to grey,
as all latents that a generator was trained on are about as long, and where they lie on a sphere
their length changes nothing.
"""

from functools import lru_cache

import numpy as np

from kerasgan import latents as latent_space
from kerasgan import saved
from kerasgan.backend import tf
from kerasgan.conditions import Conditions
from kerasgan.errors import UserError
from kerasgan.saved import SavedGenerator, called
from kerasgan.splitting import split

AVERAGED = 1024  # latents whose features make the average: its deviation is 3% of one latent's
KEPT = 256  # averages under different conditions


class Truncated:
    """A generator all of whose features are brought nearer to their average; it draws as that one.

    Args:
        generator: that draws.
        amount: how much of each feature's distance from the average is left: 1 for all, as
            without, 0 for the average face. Under a condition the average is that of faces with
            it.

    Raises:
        UserError: the generator cannot be cut after its first layers.
    """

    def __init__(self, generator: SavedGenerator, amount: float) -> None:
        self.generator, self.amount = generator, amount
        self.latent_dim = generator.latent_dim
        parts = split(generator.unclipped)
        if parts is None:
            raise UserError(
                "`--truncation` should come with a generator that can be cut after its first "
                f"layers. Received: {generator.file or generator.model.name}, which cannot. Leave "
                "it out."
            )
        self._first, self._rest = parts
        self._average = lru_cache(KEPT)(self._find_average)
        self._finish = tf.function(self._finished, autograph=False)

    @property
    def conditions(self) -> Conditions | None:
        """Names and examples of what steers it, if anything does."""
        return self.generator.conditions

    def draw(self, latents: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Draws one picture for each latent.

        Args:
            latents: float32, (N, D), N at least 1.
            conditions: float32, (N, C), for a generator that has them.

        Returns:
            uint8, (N, H, W, channels).
        """
        return saved.draw_by(self._pictures, latents, conditions)

    def _pictures(self, latents: np.ndarray, conditions: np.ndarray | None = None) -> tf.Tensor:
        if conditions is None:
            average = self._average(None)[None]
        else:
            average = np.stack([self._average(row.tobytes()) for row in conditions])
        reads = [None if rows is None else tf.constant(rows) for rows in (latents, conditions)]
        return self._finish(*reads, tf.constant(average))

    def _finished(
        self, latents: tf.Tensor, conditions: tf.Tensor | None, average: tf.Tensor
    ) -> tf.Tensor:
        features = called(self._first, self.generator.reads(latents, conditions))
        features = average + self.amount * (features - average)
        return self.generator.as_pictures(self._rest(features, training=False))

    def _find_average(self, condition: bytes | None) -> np.ndarray:
        """Returns the average features under a condition, float32, of the shape of one picture's.

        Latents come in pairs of opposite ones, whose own average is exactly that of all.
        """
        half = latent_space.draw(AVERAGED // 2, self.latent_dim, seed=0)
        latents = tf.constant(np.concatenate([half, -half]))
        conditions = None
        if condition is not None:
            row = np.frombuffer(condition, np.float32)
            conditions = tf.constant(np.tile(row, (AVERAGED, 1)))
        features = called(self._first, self.generator.reads(latents, conditions))
        return np.asarray(features, np.float32).mean(axis=0)


def require_length(generator: SavedGenerator, scale: float) -> None:
    """Raises UserError where a factor on latents would change nothing.

    Args:
        generator: that reads them.
        scale: the factor.
    """
    from kerasgan import codes

    if scale != 1 and codes.normalises(generator):
        raise UserError(
            "`--scale` is for generators to which the length of a latent matters. Received: "
            f"{scale:g}, with {generator.file or generator.model.name}, to which it does not. "
            f"Type: --truncation {min(scale, 2):g}"
        )
