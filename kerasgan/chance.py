"""What an update leaves to chance, as a function of seed, iteration and update alone.

Nothing is drawn from hidden state, so that a training can be taken up again anywhere and repeats
itself exactly.
"""

from kerasgan.backend import tf
from kerasgan.recipes import Recipe

KINDS = ("real", "fake")  # of pictures
D, G = "discriminator", "generator"  # whose update it is

# Each use of randomness in an iteration has a stream of its own. The place of a stream in this
# table is part of its seed: a new one comes last.
STREAMS = (
    *((D, "latents"), (G, "latents"), (D, "real labels"), (D, "fake labels")),
    *((D, "fake dropout"), (G, "fake dropout"), (D, "real flips"), (D, "fake flips")),
    *((D, "real dropout"), (G, "real dropout")),
    *((D, "real view"), (D, "fake view"), (G, "fake view"), (G, "real view")),
    *((D, "between"), (D, "r1 dropout"), (D, "r2 dropout"), (D, "gp dropout")),
)
UPDATE_STRIDE = 1000  # seeds between two updates of D in an iteration, above the streams' number


class Chance:
    """The chance of one update.

    Args:
        recipe: `seed`, `latent_dim`, and the fields of labels.
        iteration: iterations done before, int64 ().
        mover: `D` or `G`, whose update it is.
        update: the number of D's update in the iteration, from 0.
    """

    def __init__(self, recipe: Recipe, iteration: tf.Tensor, mover: str, update: int = 0) -> None:
        self.recipe = recipe
        self.mover = mover
        self.iteration = iteration
        self.number = iteration * recipe.n_critic + update  # updates of D done before
        self._update = update

    def seed(self, use: str, *numbers: int) -> tf.Tensor:
        """Returns the seed of one use of randomness, int64 (2,).

        Args:
            use: one of those that `STREAMS` lists for the mover.
            *numbers: tell apart what one use draws.
        """
        seed = tf.stack([tf.constant(self.recipe.seed, tf.int64), self.iteration])
        place = STREAMS.index((self.mover, use)) + UPDATE_STRIDE * self._update
        for number in (place, *numbers):
            seed = tf.random.experimental.stateless_fold_in(seed, tf.constant(number, tf.int64))
        return seed

    def latents(self, count: tf.Tensor) -> tf.Tensor:
        """Draws latents for the update's fakes, float32 (count, latent_dim)."""
        return tf.random.stateless_normal([count, self.recipe.latent_dim], self.seed("latents"))

    def labels(self, shape: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Draws D's labels of reals and of fakes: noisy, smoothed, some swapped.

        The noise is the tutorial's, mirrored to 1 for real.

        Args:
            shape: of the logits of either.

        Returns:
            Two float32 tensors of that shape; nothing where the recipe's loss has no labels.
        """
        recipe = self.recipe
        if not recipe.loss_traits.labelled:
            return ()
        draw = lambda use: tf.random.stateless_uniform(shape, self.seed(use))  # noqa: E731
        smoothing = recipe.label_smoothing
        real = 1 - smoothing - recipe.label_noise * draw("real labels")
        fake = smoothing * recipe.smooth_fakes - recipe.label_noise * draw("fake labels")
        if probability := recipe.label_flips:
            swap_real, swap_fake = (draw(f"{kind} flips") < probability for kind in KINDS)
            real, fake = tf.where(swap_real, fake, real), tf.where(swap_fake, real, fake)
        return real, fake

    def dropout(self, use: str, place: int) -> tf.Tensor:
        """Returns the seed of D's dropout layer number `place` as Keras keeps it, uint32 (2,)."""
        seed = self.seed(f"{use} dropout", place)
        return tf.random.stateless_uniform([2], seed, None, None, tf.uint32)

    def noise(self, pictures: tf.Tensor, kind: str) -> tf.Tensor:
        """Draws the noise on D's view of pictures, normal with deviation 1, of their shape."""
        return tf.random.stateless_normal(tf.shape(pictures), self.seed(f"{kind} view", 1))
