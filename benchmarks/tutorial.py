"""The tutorial's loop, written out with Keras' own calls: what kerasgan is measured against.

Its script stands still on Keras 3, so the fewest things are mended: the optimizers' arguments,
pictures in the range of tanh, and `trainable` toggled before each call, without which D never
learns. As in the script, D says 1 for fakes.
"""

import warnings
from typing import NamedTuple

import numpy as np

from kerasgan import models
from kerasgan.backend import keras
from kerasgan.recipes import Recipe


class Draws(NamedTuple):
    """What chance decides in one iteration."""

    d_latents: np.ndarray  # (B, latent_dim)
    a_latents: np.ndarray  # (B, latent_dim)
    label_noise: np.ndarray  # (2B, 1), in [0, 1): fakes, then reals
    dropout: tuple[np.ndarray, np.ndarray] | None = None  # seeds of D's dropout in both updates


class TutorialLoop:
    """The tutorial's two compiled models, and one iteration of its loop.

    Args:
        recipe: as for `GAN`; its precision should be float32, the tutorial's.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.random = np.random.default_rng(recipe.seed)
        self.generator = models.build_generator(recipe)
        self.discriminator = models.build_discriminator(recipe)
        self.adversarial = models.build_adversarial(self.generator, self.discriminator)
        self._compile(self.discriminator)
        self.discriminator.trainable = False
        self._compile(self.adversarial)

    def _compile(self, model: keras.Model) -> None:
        recipe = self.recipe
        schedule = keras.optimizers.schedules.InverseTimeDecay(
            recipe.learning_rate, 1, recipe.decay
        )
        optimizer = keras.optimizers.RMSprop(schedule, clipvalue=recipe.clipvalue)
        model.compile(optimizer=optimizer, loss="binary_crossentropy")

    def draw(self) -> Draws:
        batch, dim = self.recipe.batch_size, self.recipe.latent_dim
        return Draws(
            self.random.normal(size=(batch, dim)),
            self.random.normal(size=(batch, dim)),
            self.random.random(size=(2 * batch, 1)),
        )

    def iteration(self, real: np.ndarray, draws: Draws | None = None) -> tuple[float, float]:
        """Trains on one batch of reals, (B, size, size, 3); returns d_loss and a_loss."""
        draws = draws or self.draw()
        batch = len(real)
        self.discriminator.reset_metrics()  # older Keras 3 would return a mean over all calls
        self.adversarial.reset_metrics()
        fake = self.generator.predict(draws.d_latents, verbose=0)
        labels = np.concatenate([np.ones((batch, 1)), np.zeros((batch, 1))])
        labels += self.recipe.label_noise * draws.label_noise
        with warnings.catch_warnings():
            # Keras warns of each toggled `trainable`; toggling is what the script needs.
            warnings.filterwarnings("ignore", message=".*trainable.*")
            self.discriminator.trainable = True
            self._seed_dropout(draws, 0)
            d_loss = self.discriminator.train_on_batch(np.concatenate([fake, real]), labels)
            self.discriminator.trainable = False
            self._seed_dropout(draws, 1)
            a_loss = self.adversarial.train_on_batch(draws.a_latents, np.zeros((batch, 1)))
        return float(d_loss), float(a_loss)

    def _seed_dropout(self, draws: Draws, update: int) -> None:
        for layer in self.discriminator.layers:
            if draws.dropout and isinstance(layer, keras.layers.Dropout):
                layer.seed_generator.state.assign(draws.dropout[update])
