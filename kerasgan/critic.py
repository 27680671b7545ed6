"""The discriminator as one update sees it."""

from functools import partial

from kerasgan import augment, penalties
from kerasgan.backend import keras, tf
from kerasgan.chance import Chance
from kerasgan.recipes import Recipe

Logits = tuple[tf.Tensor, tf.Tensor]  # of reals and of fakes, float32 (B, 1) each


class Critic:
    """D under one update's chance and conditions.

    Args:
        recipe: how D looks at pictures and what bounds its slope.
        network: pictures (B, H, W, C) to logits (B, 1); with conditions [pictures, conditions].
        chance: of the update.
        conditions: float32 (B, names), the same for the reals and for the fakes; None without.
        training: D's `training=`.
        augment_probability: of each kind of augmentation, 0 to 1.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: keras.Model,
        chance: Chance,
        conditions: tf.Tensor | None = None,
        training: bool = True,
        augment_probability: tf.Tensor | float = 0.0,
    ) -> None:
        self.recipe, self.network, self.chance = recipe, network, chance
        self.conditions, self.training = conditions, training
        self.augment_probability = augment_probability

    def view(self, pictures: tf.Tensor, kind: str) -> tf.Tensor:
        """Returns what D sees of pictures: augmented, then noisy.

        Args:
            pictures: float32 in [-1, 1], (B, H, W, C).
            kind: "real" or "fake".
        """
        recipe = self.recipe
        if recipe.augment != "none":
            operations = recipe.augment_operations
            seed = self.chance.seed(f"{kind} view")
            pictures = augment.augment(pictures, self.augment_probability, operations, seed)
        if recipe.instance_noise:
            pictures += self._noise_level() * self.chance.noise(pictures, kind)
        return pictures

    def both(self, reals: tf.Tensor, fakes: tf.Tensor) -> Logits:
        """Returns the logits of views of reals and of fakes, in one pass or in two."""
        if self.recipe.separate_batches:
            return self.one(reals, "real"), self.one(fakes, "fake")
        together = tf.concat([fakes, reals], axis=0)
        fake_logits, real_logits = tf.split(self.one(together, "fake", times=2), 2)
        return real_logits, fake_logits

    def one(self, pictures: tf.Tensor, use: str, times: int = 1) -> tf.Tensor:
        """Returns the logits of views, (times * B, 1).

        Args:
            pictures: float32, (times * B, H, W, C).
            use: of the dropout, "real", "fake", or the penalty's name.
            times: that the conditions are repeated.
        """
        dropouts = [x for x in self.network.layers if isinstance(x, keras.layers.Dropout)]
        for place, layer in enumerate(dropouts):
            if layer.rate > 0:
                layer.seed_generator.state.assign(self.chance.dropout(use, place))
        if self.conditions is None:
            return self.network(pictures, training=self.training)
        conditions = tf.concat([self.conditions] * times, axis=0)
        return self.network([pictures, conditions], training=self.training)

    def penalties(self, reals: tf.Tensor, fakes: tf.Tensor) -> tf.Tensor | float:
        """Returns the penalties on D's slope by their weights; 0 where none is due.

        A lazy penalty comes every so many updates, with so many times the weight (Karras et al.
        2020).

        Args:
            reals: as D sees them, (B, H, W, C).
            fakes: likewise; their own gradients are no concern of the penalty.
        """
        every = self.recipe.penalty_every
        if not (self.recipe.r1 or self.recipe.r2 or self.recipe.gp):
            return 0.0
        if every == 1:
            return self._penalty(reals, fakes)
        return every * tf.cond(
            tf.equal(self.chance.number % every, 0),
            lambda: self._penalty(reals, fakes),
            lambda: tf.constant(0.0),
        )

    def _penalty(self, reals: tf.Tensor, fakes: tf.Tensor) -> tf.Tensor:
        recipe, total = self.recipe, tf.constant(0.0)
        if recipe.r1:
            total += recipe.r1 * penalties.zero_centred(partial(self.one, use="r1"), reals)
        if recipe.r2:
            total += recipe.r2 * penalties.zero_centred(partial(self.one, use="r2"), fakes)
        if recipe.gp:
            mixed = penalties.between(reals, fakes, self.chance.seed("between"))
            total += recipe.gp * penalties.one_centred(partial(self.one, use="gp"), mixed)
        return total

    def _noise_level(self) -> tf.Tensor:
        """Returns the deviation of the instance noise by now (Sønderby et al. 2017)."""
        recipe = self.recipe
        if not recipe.instance_noise_iters:
            return tf.constant(recipe.instance_noise)
        faded = tf.cast(self.chance.iteration, tf.float32) / recipe.instance_noise_iters
        return recipe.instance_noise * tf.maximum(1 - faded, 0.0)
