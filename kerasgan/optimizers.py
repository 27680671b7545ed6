"""The optimizers of both networks."""

from collections.abc import Callable
from typing import Any

from kerasgan.backend import keras
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


def build_optimizer(
    recipe: Recipe, network: keras.Model, learning_rate: float
) -> keras.optimizers.Optimizer:
    """Builds one network's optimizer, with loss scaling in float16.

    Args:
        recipe: the fields of "optimizer", and `precision`.
        network: the optimizer's state is made for its trainable weights.
        learning_rate: of the first update.
    """
    schedule = keras.optimizers.schedules.InverseTimeDecay(
        learning_rate, decay_steps=1, decay_rate=recipe.decay
    )
    optimizer = OPTIMIZERS[recipe.optimizer](
        recipe, learning_rate=schedule, clipvalue=recipe.clipvalue or None
    )
    if recipe.precision == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_weights)
    return optimizer
