"""The optimizers of both networks."""

import dataclasses
from collections.abc import Callable
from typing import Any

from kerasgan.backend import keras, tf
from kerasgan.recipes import Recipe


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam (Kingma & Ba 2015) in one TensorFlow operation a weight.

    Keras' own goes over the memory of weights, means and gradients several times; where a step is
    short, as `fast`'s is, that is a sixth of it.
    """

    def update_step(
        self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor
    ) -> None:
        place = self._get_variable_index(variable)
        done = tf.cast(self.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            beta1_power=self.beta_1**done,
            beta2_power=self.beta_2**done,
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def _rmsprop(recipe: Recipe, **common: Any) -> keras.optimizers.Optimizer:
    return keras.optimizers.RMSprop(
        rho=recipe.rho, momentum=recipe.momentum, epsilon=recipe.epsilon, **common
    )


def _adam(recipe: Recipe, **common: Any) -> keras.optimizers.Optimizer:
    return FusedAdam(beta_1=recipe.beta1, beta_2=recipe.beta2, epsilon=recipe.epsilon, **common)


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
        updates_an_iteration: of the network.
    """

    def __init__(
        self, first: float, recipe: Recipe, slowdown: tf.Variable, updates_an_iteration: int = 1
    ) -> None:
        self.first, self.recipe, self.slowdown = first, recipe, slowdown
        self.updates_an_iteration = updates_an_iteration

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        rate = self.slowdown * (self.first / (1 + self.recipe.decay * step))
        if warm_up := self.recipe.warm_up:
            iterations = step // self.updates_an_iteration
            rate *= tf.minimum((iterations + 1) / warm_up, 1.0)
        return rate

    def get_config(self) -> dict[str, Any]:
        return {
            "first": self.first,
            "recipe": dataclasses.asdict(self.recipe),
            "updates_an_iteration": self.updates_an_iteration,
        }


def build_optimizer(
    recipe: Recipe,
    network: keras.Model,
    learning_rate: float,
    slowdown: tf.Variable,
    updates_an_iteration: int = 1,
) -> keras.optimizers.Optimizer:
    """Builds one network's optimizer, with loss scaling in float16.

    Args:
        recipe: the fields of "optimizer", and `precision`.
        network: the optimizer's state is made for its trainable weights.
        learning_rate: of the first update.
        slowdown: a factor on every learning rate, a float32 variable.
        updates_an_iteration: of the network.
    """
    schedule = Rate(learning_rate, recipe, slowdown, updates_an_iteration)
    optimizer = OPTIMIZERS[recipe.optimizer](
        recipe, learning_rate=schedule, clipvalue=recipe.clipvalue or None
    )
    if recipe.precision == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_weights)
    return optimizer
