"""The search for pictures of a generator that explain what is known of given ones.

The latent alone comes first (Yeh et al. 2017, "Semantic Image Inpainting with Deep Generative
Models"; Bora et al. 2017, "Compressed Sensing using Generative Models"), on the shell where nearly
all latents lie (Menon et al. 2020, "PULSE"): from several starts at once, of which the best stays.
Then the features after the generator's first layers leave what the latent gives, as far as they
have to: how far they do is weighed against how well the known fits.

Nothing of one picture reaches another, and batches are of one size, so that a picture's result
depends on itself and the seed alone.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kerasgan import codes as code_space
from kerasgan.backend import tf
from kerasgan.codes import Space
from kerasgan.degradations import Degradation
from kerasgan.saved import SavedGenerator, called
from kerasgan.splitting import split

BATCH = 4  # pictures; fixed: a result must not depend on how many are searched for beside it
STEPS = 200  # of both stages
RESTARTS = 3  # starts for each picture
LATENT_PART = 0.2  # of the steps, for the latent alone
LATENT_RATE = 0.1  # of Adam, for a latent's numbers, whose deviation is about 1
FOLLOWING_RATE = 0.02  # the same while features are searched, which should not lose their ground
FEATURE_RATE = 0.25  # of Adam, for features, in their deviations
FINE = 0.5  # how many numbers features have, of a picture's; twice as many gain 3 dB at 64x64
LIKENESS = 0.02  # weight of how different pictures look, against their mean squared error
REALISM = 0.001  # weight of D's doubts, likewise
WARM_UP = 5  # steps in which the rate rises
LAST_RATE = 0.03  # of the highest
BETA1, BETA2 = 0.9, 0.99  # of Adam; 0.999 would remember longer than the search takes
SAMPLES = 512  # from which the features' deviations are taken
LEAST_SPREAD = 0.05  # deviation of a feature that never changes, of all features'
NEARNESS = 0.85  # of a restart to the encoder's guess; the rest is drawn

Difference = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
Rows = tuple[tf.Tensor, ...]


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found for pictures.

    Attributes:
        codes: float32, (N, D + conditions): latents, then conditions.
        offsets: of the features from what the codes give, in deviations, float32 (N, ...); None
            where the generator could not be cut in two.
        pictures: float32, (N, H, W, C) in [-1, 1], before anything known is put back.
        error: root of the mean squared error of what is known, of [-1, 1], (N,).
        latent_error: the same by the latent alone.
    """

    codes: np.ndarray
    offsets: np.ndarray | None
    pictures: np.ndarray
    error: np.ndarray
    latent_error: np.ndarray


class Search:
    """Searches for pictures that explain what is known.

    Args:
        generator: whose pictures are square.
        degradation: what is known.
        guess: pictures that show what is known (B, H, W, C) to codes: an encoder; starts are
            random without one.
        likeness: how different two sets of pictures look, (B,), for pictures that are known whole.
        critic: pictures to D's logits (B, 1), above 0 for those that look better than most of the
            generator's: its opinion as a prior.
        conditions: what the generator should draw, float32 (C,), NaN where that is searched, too;
            all of it unless given.
        steps: of both stages, at least 2.
        restarts: starts for each picture.
        features: whether features are searched after the latent.
        fine: how numerous they are at least, as a fraction of a picture's numbers. The first ones,
            of 0, follow a latent that is moved afterwards the most.
        seed: of the starts.
    """

    def __init__(
        self,
        generator: SavedGenerator,
        degradation: Degradation,
        *,
        guess: Callable[[tf.Tensor], tf.Tensor] | None = None,
        likeness: Difference | None = None,
        critic: Callable[[tf.Tensor], tf.Tensor] | None = None,
        conditions: np.ndarray | None = None,
        steps: int = STEPS,
        restarts: int = RESTARTS,
        features: bool = True,
        fine: float = FINE,
        seed: int = 0,
    ) -> None:
        self.generator, self.degradation = generator, degradation
        self.restarts, self.seed = restarts, seed
        self._guess, self._likeness, self._critic = guess, likeness, critic
        self.parts = split(generator.unclipped, fine) if features else None
        self.latent_steps = steps if self.parts is None else max(1, round(steps * LATENT_PART))
        self.feature_steps = steps - self.latent_steps
        self._space = Space(generator, conditions)
        self._latent_step = tf.function(self._follow_latent, autograph=False)
        self._feature_step = tf.function(self._follow_features, autograph=False)

    @property
    def steps(self) -> int:
        """Steps that a batch takes."""
        return self.latent_steps + self.feature_steps

    def batches(self, count: int) -> int:
        """Returns how many batches so many pictures take."""
        return -(-count // BATCH)

    def __call__(self, known: np.ndarray, on_step: Callable[[], object] | None = None) -> Found:
        """Searches for any number of pictures, a batch at a time.

        Args:
            known: float32, (N, ...), what `Degradation.see` gives of pictures in [-1, 1].
            on_step: called after each step of each batch.
        """
        parts = [
            self._batch(known[start : start + BATCH], on_step or (lambda: None))
            for start in range(0, len(known), BATCH)
        ]
        return _joined(parts)

    def starts(self, known: np.ndarray) -> np.ndarray:
        """Returns where the search begins, float32 (N, restarts, D + conditions).

        The same draws are added to each picture's guess, whatever its place in the batch.
        """
        drawn = code_space.draw(self.generator, self.restarts, self.seed)
        starts = np.tile(drawn, (len(known), 1, 1))
        if self._guess is not None:
            guessed = np.asarray(self._guess(self.degradation.show(known)))[:, None]
            starts = NEARNESS * guessed + math.sqrt(1 - NEARNESS**2) * starts
            starts[:, 0] = guessed[:, 0]
        return starts.astype(np.float32)

    def _batch(self, known: np.ndarray, on_step: Callable[[], object]) -> Found:
        count = len(known)
        filled = np.pad(known, ((0, BATCH - count), *((0, 0),) * (known.ndim - 1)))
        codes, latent_error = self._search_latents(filled.astype(np.float32), on_step)
        offsets = None
        if self.parts is not None and self.feature_steps:
            codes, offsets = self._search_features(codes, tf.constant(filled), on_step)
        pictures = np.clip(self.draw(codes, offsets), -1, 1)
        error = np.sqrt(np.asarray(self._error(tf.constant(pictures), tf.constant(filled))))
        return Found(
            codes=np.asarray(codes)[:count],
            offsets=None if offsets is None else np.asarray(offsets)[:count],
            pictures=pictures[:count],
            error=error[:count],
            latent_error=latent_error[:count],
        )

    def draw(self, codes: tf.Tensor, offsets: tf.Tensor | None = None) -> tf.Tensor:
        """Draws from codes (B, D + conditions) and offsets (B, ...) of the features."""
        reads = code_space.parts(self.generator, codes)
        if offsets is None or self.parts is None:
            return self.generator.pictures(*reads)
        first, rest = self.parts
        features = called(first, self.generator.reads(*reads)) + offsets * self._spread
        return self.generator.as_pictures(rest(features, training=False))

    @cached_property
    def _spread(self) -> np.ndarray:
        """The deviation of each feature, float32, of the shape of one picture's features."""
        if self.parts is None:
            raise ValueError("A generator that is not cut has no features between.")
        drawn = tf.constant(code_space.draw(self.generator, SAMPLES, seed=0))
        reads = self.generator.reads(*code_space.parts(self.generator, drawn))
        features = np.asarray(called(self.parts[0], reads))
        return features.std(axis=0) + np.float32(LEAST_SPREAD * features.std())

    def _search_latents(
        self, known: np.ndarray, on_step: Callable[[], object]
    ) -> tuple[tf.Tensor, np.ndarray]:
        """Returns the best codes of each picture, (BATCH, ...), and the error of what is known."""
        codes = self._space.project(self.starts(known).reshape(BATCH * self.restarts, -1))
        repeated = tf.constant(np.repeat(known, self.restarts, axis=0))
        state: Rows = (codes, *_rest_of_adam(codes))
        for step in range(self.latent_steps):
            rate = _rate(LATENT_RATE, step, self.latent_steps)
            state = self._latent_step(state, repeated, *_numbers(step + 1, rate))
            on_step()
        misfit, error = self._misfit(self.draw(state[0]), repeated)
        places = np.arange(BATCH), np.asarray(misfit).reshape(BATCH, -1).argmin(axis=1)
        best = np.asarray(state[0]).reshape(BATCH, self.restarts, -1)[places]
        return tf.constant(best), np.sqrt(np.asarray(error).reshape(BATCH, -1)[places])

    def _search_features(
        self, codes: tf.Tensor, known: tf.Tensor, on_step: Callable[[], object]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns codes and the features' offsets, both (BATCH, ...)."""
        offsets = tf.zeros((BATCH, *self._spread.shape))
        state: Rows = (codes, *_rest_of_adam(codes), offsets, *_rest_of_adam(offsets))
        for step in range(self.feature_steps):
            rates = [
                _rate(highest, step, self.feature_steps)
                for highest in (FOLLOWING_RATE, FEATURE_RATE)
            ]
            state = self._feature_step(state, known, *_numbers(step + 1, *rates))
            on_step()
        return state[0], state[3]

    def _follow_latent(
        self, state: Rows, known: tf.Tensor, count: tf.Tensor, rate: tf.Tensor
    ) -> Rows:
        codes, *moments = state
        with tf.GradientTape() as tape:
            tape.watch(codes)
            misfit, _ = self._misfit(self.draw(codes), known)
        codes, *moments = _adam(codes, tape.gradient(misfit, codes), moments, count, rate)
        return self._space.project(codes), *moments

    def _follow_features(
        self,
        state: Rows,
        known: tf.Tensor,
        count: tf.Tensor,
        rate: tf.Tensor,
        feature_rate: tf.Tensor,
    ) -> Rows:
        codes, offsets = state[0], state[3]
        with tf.GradientTape() as tape:
            tape.watch([codes, offsets])
            misfit, _ = self._misfit(self.draw(codes, offsets), known)
            away = tf.reduce_sum(offsets**2, axis=list(range(1, offsets.shape.rank)))
            misfit += self._pull(known) * away
        slopes = tape.gradient(misfit, [codes, offsets])
        codes, *moments = _adam(codes, slopes[0], state[1:3], count, rate)
        offsets, *others = _adam(offsets, slopes[1], state[4:], count, feature_rate)
        return self._space.project(codes), *moments, offsets, *others

    def _pull(self, known: tf.Tensor) -> tf.Tensor:
        """Weight of the squared offsets against the mean squared error of what is known, (B,).

        Were both normal, it would be the variance of that error over how many numbers are known.
        """
        count = tf.maximum(self.degradation.count(known), 1.0)  # places in a batch may be empty
        return self.degradation.sigma(known) ** 2 / count

    def _misfit(self, pictures: tf.Tensor, known: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what the search makes small, and the error of what is known, both (B,)."""
        error = self._error(pictures, known)
        misfit = error
        if self._likeness is not None:
            misfit += LIKENESS * self._likeness(pictures, self.degradation.show(known))
        if self._critic is not None:
            misfit += REALISM * tf.nn.softplus(-self._critic(pictures))[:, 0]
        return misfit, error

    def _error(self, pictures: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Returns the mean squared error of what is known, (B,)."""
        square = (self.degradation.see(pictures, known) - known) ** 2
        square = tf.reduce_sum(self.degradation.weigh(known) * square, axis=(1, 2, 3))
        return square / tf.maximum(self.degradation.count(known), 1.0)


def _rate(highest: float, step: int, steps: int) -> float:
    """Returns a rate that rises at once and falls as a cosine does."""
    fall = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * step / steps)) / 2
    return highest * min(1, (step + 1) / WARM_UP) * fall


def _numbers(*values: float) -> list[tf.Tensor]:
    """Makes tensors of numbers, for which nothing is compiled anew."""
    return [tf.constant(value, tf.float32) for value in values]


def _rest_of_adam(values: tf.Tensor) -> Rows:
    return tf.zeros_like(values), tf.zeros_like(values)


def _adam(
    values: tf.Tensor,
    slopes: tf.Tensor,
    moments: Sequence[tf.Tensor],
    count: tf.Tensor,
    rate: tf.Tensor,
) -> Rows:
    """Returns values and moments after one step (Kingma and Ba 2015)."""
    mean, square = moments
    mean = BETA1 * mean + (1 - BETA1) * slopes
    square = BETA2 * square + (1 - BETA2) * slopes**2
    length = tf.sqrt(square / (1 - BETA2**count)) + 1e-10
    return values - rate * mean / (1 - BETA1**count) / length, mean, square


def _joined(parts: list[Found]) -> Found:
    offsets = [part.offsets for part in parts if part.offsets is not None]
    return Found(
        codes=np.concatenate([part.codes for part in parts]),
        offsets=np.concatenate(offsets) if offsets else None,
        pictures=np.concatenate([part.pictures for part in parts]),
        error=np.concatenate([part.error for part in parts]),
        latent_error=np.concatenate([part.latent_error for part in parts]),
    )
