"""The optimizers of both networks."""

import dataclasses
from collections.abc import Callable
from typing import Any

from kerasgan.backend import keras, tf
from kerasgan.recipes import Recipe


def _rmsprop(recipe: Recipe, **common: Any) -> keras.optimizers.Optimizer:
    return keras.optimizers.RMSprop(
        rho=recipe.rho, momentum=recipe.momentum, epsilon=recipe.epsilon, **common
    )


def _adam(recipe: Recipe, **common: Any) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(
        beta_1=recipe.beta1, beta_2=recipe.beta2, epsilon=recipe.epsilon, **common
    )


def _sgd(recipe: Recipe, **common: Any) -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(momentum=recipe.momentum, **common)


OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "rmsprop": _rmsprop,  # Tieleman & Hinton 2012, the tutorial's
    "adam": _adam,  # Kingma & Ba 2015
    "sgd": _sgd,
}


class Rate(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises, then falls, and that can be lowered at any time.

    Args:
        first: of the first update.
        recipe: `decay` and `warm_up`.
        slowdown: a float32 variable, a factor.
    """

    def __init__(self, first: float, recipe: Recipe, slowdown: tf.Variable) -> None:
        self.first, self.recipe, self.slowdown = first, recipe, slowdown

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        rate = self.slowdown * (self.first / (1 + self.recipe.decay * step))
        if warm_up := self.recipe.warm_up:
            rate *= tf.minimum((step + 1) / warm_up, 1.0)
        return rate

    def get_config(self) -> dict[str, Any]:
        return {"first": self.first, "recipe": dataclasses.asdict(self.recipe)}


def build_optimizer(
    recipe: Recipe, network: keras.Model, learning_rate: float, slowdown: tf.Variable
) -> keras.optimizers.Optimizer:
    """Builds one network's optimizer, with loss scaling in float16.

    Args:
        recipe: the fields of "optimizer", and `precision`.
        network: the optimizer's state is made for its trainable weights.
        learning_rate: of the first update.
        slowdown: a factor on every learning rate, a float32 variable.
    """
    schedule = Rate(learning_rate, recipe, slowdown)
    optimizer = OPTIMIZERS[recipe.optimizer](
        recipe, learning_rate=schedule, clipvalue=recipe.clipvalue or None
    )
    if recipe.precision == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_weights)
    return optimizer
