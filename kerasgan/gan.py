"""The two networks, their optimizers, and one iteration of the game between them."""

import numpy as np

from kerasgan import backend, losses, models
from kerasgan.backend import keras, tf
from kerasgan.recipes import Recipe

# What one iteration reports, in the order of the step.
SCALARS = ("d_loss", "a_loss", "d_real", "d_fake")

# Each use of randomness in an iteration has its own stream.
STREAMS = ("d_latents", "g_latents", "real_labels", "fake_labels", "d_dropout", "g_dropout")


class GAN(keras.Model):
    """A generator and a discriminator with their optimizers.

    It is trained by `train_on_batch` in a plain loop; `compile` and `fit` have no part in it.
    Making one sets TensorFlow, for the whole process, to repeatable operations
    (`backend.configure`).

    All randomness of an iteration is a function of the recipe's seed and the iteration's
    number, so a training can be taken up again anywhere and repeats itself exactly.

    Args:
        recipe: every hyperparameter; its `precision` may be "auto".

    Attributes:
        generator: latents (B, latent_dim) to pictures (B, size, size, 3) in [-1, 1].
        discriminator: pictures to verdicts (B, 1), 1 for real.
        iteration: how many iterations have been done, an int64 variable.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(name="gan")
        backend.configure(recipe.seed)
        recipe = backend.resolved(recipe)
        self.recipe = recipe
        self.generator = models.build_generator(recipe)
        self.discriminator = models.build_discriminator(recipe)
        self.discriminator_logits = models.logits_of(self.discriminator)
        self.generator_optimizer = build_optimizer(recipe, self.generator)
        self.discriminator_optimizer = build_optimizer(recipe, self.discriminator)
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False, name="iteration")
        self._compiled_step = tf.function(self.train_step, autograph=False)

    def call(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Draws pictures (B, size, size, 3) in [-1, 1] from latents (B, latent_dim)."""
        return self.generator(latents, training=training)

    def train_on_batch(self, real: np.ndarray) -> dict[str, float]:
        """Trains one iteration: one update of the discriminator, one of the generator.

        Args:
            real: float32 pictures in [-1, 1], (B, size, size, 3).

        Returns:
            d_loss and a_loss (the adversarial model's, that is the generator's), and D's mean
            verdict on reals (d_real) and on fakes (d_fake), all before the update.
        """
        scalars = self._compiled_step(tf.convert_to_tensor(real, tf.float32))
        return {name: float(value) for name, value in scalars.items()}

    def train_step(self, real: tf.Tensor) -> dict[str, tf.Tensor]:
        """One iteration as the tutorial plays it, in TensorFlow operations."""
        batch = tf.shape(real)[0]
        fake = self.generator(self._latents(batch, "d_latents"), training=False)
        with tf.GradientTape() as tape:
            logits = self._verdict(tf.concat([fake, real], axis=0), True, "d_dropout")
            fake_logits, real_logits = tf.split(logits, 2)
            d_loss = losses.bce_discriminator_loss(
                real_logits, fake_logits, *self._labels(tf.shape(real_logits))
            )
            objective = self.discriminator_optimizer.scale_loss(d_loss)
        self._update(self.discriminator_optimizer, tape, objective, self.discriminator)

        with tf.GradientTape() as tape:
            fake = self.generator(self._latents(batch, "g_latents"), training=True)
            logits = self._verdict(fake, self.recipe.frozen_d_training, "g_dropout")
            a_loss = losses.bce_generator_loss(logits)
            objective = self.generator_optimizer.scale_loss(a_loss)
        self._update(self.generator_optimizer, tape, objective, self.generator)

        self.iteration.assign_add(1)
        d_real, d_fake = (tf.reduce_mean(tf.sigmoid(x)) for x in (real_logits, fake_logits))
        return dict(zip(SCALARS, (d_loss, a_loss, d_real, d_fake), strict=True))

    def _update(
        self,
        optimizer: keras.optimizers.Optimizer,
        tape: tf.GradientTape,
        objective: tf.Tensor,
        network: keras.Model,
    ) -> None:
        """Moves one network; the other is frozen by not being named."""
        variables = [weight.value for weight in network.trainable_weights]
        optimizer.apply(tape.gradient(objective, variables), network.trainable_weights)

    def _seed(self, stream: str) -> tf.Tensor:
        """The seed of one use of randomness in this iteration, int64 (2,)."""
        seed = tf.stack([tf.constant(self.recipe.seed, tf.int64), self.iteration])
        number = tf.constant(STREAMS.index(stream), tf.int64)
        return tf.random.experimental.stateless_fold_in(seed, number)

    def _dropout_state(self, stream: str) -> tf.Tensor:
        """The same as a Keras seed generator keeps it, uint32 (2,)."""
        hashed, _ = tf.unstack(self._seed(stream))
        return tf.bitcast(hashed, tf.uint32)

    def _latents(self, batch: tf.Tensor, stream: str) -> tf.Tensor:
        return tf.random.stateless_normal([batch, self.recipe.latent_dim], self._seed(stream))

    def _labels(self, shape: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """D's noisy labels of reals and fakes: the tutorial's, mirrored to 1 for real."""
        noise = self.recipe.label_noise
        real = 1 - noise * tf.random.stateless_uniform(shape, self._seed("real_labels"))
        fake = -noise * tf.random.stateless_uniform(shape, self._seed("fake_labels"))
        return real, fake

    def _verdict(self, pictures: tf.Tensor, training: bool, stream: str) -> tf.Tensor:
        """D's logits, its dropout drawn from this iteration's seed."""
        for layer in self.discriminator.layers:
            if isinstance(layer, keras.layers.Dropout) and layer.rate > 0:
                layer.seed_generator.state.assign(self._dropout_state(stream))
        return self.discriminator_logits(pictures, training=training)


def build_optimizer(recipe: Recipe, network: keras.Model) -> keras.optimizers.Optimizer:
    """Builds the tutorial's RMSprop for one network, with loss scaling in float16.

    Args:
        recipe: `learning_rate`, `decay`, `clipvalue`, `precision`.
        network: the optimizer's state is made for its trainable weights.
    """
    schedule = keras.optimizers.schedules.InverseTimeDecay(
        recipe.learning_rate, decay_steps=1, decay_rate=recipe.decay
    )
    optimizer = keras.optimizers.RMSprop(schedule, clipvalue=recipe.clipvalue)
    if recipe.precision == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_weights)
    return optimizer
