"""Layers that the networks are made of, and what they share."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kerasgan.backend import keras, tf
from kerasgan.errors import UserError
from kerasgan.models.resample import Doubling, Halving, Opening
from kerasgan.recipes import Recipe

layers = keras.layers
_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
_STREAMS = ("generator", "discriminator")  # of the seeds; a network added later comes last

BATCH_NORM = {"momentum": 0.9, "epsilon": 1e-5}  # PyTorch's figures; Keras' 0.99 lags in short runs

Layer = Callable[[keras.KerasTensor], keras.KerasTensor]


class Parts:
    """Makes layers that share a network's precision, width, slope, normalisation and seed.

    Args:
        recipe: `width`, `d_width`, `leaky_slope`, `g_batch_norm`, `d_batch_norm`, `spectral_norm`,
            `init_std`, `conditions`, `condition_dim`, `classes` (known), `precision` (not "auto"),
            `seed`.
        network: "generator" or "discriminator".
        portable: whether the layers are Keras' own alone, so that what is saved opens without
            kerasgan.

    Attributes:
        normalises: whether the network has BatchNorm.
    """

    def __init__(self, recipe: Recipe, network: str, portable: bool = False) -> None:
        self.recipe = recipe
        self.dtype = _POLICIES[recipe.precision]
        discriminates = network == "discriminator"
        self.normalises = recipe.d_batch_norm if discriminates else recipe.g_batch_norm
        self._spectral = discriminates and recipe.spectral_norm
        self._width = recipe.width * (recipe.d_width if discriminates else 1.0)
        self.portable = portable
        # One initializer a layer: each gets a seed of its own from (seed, network, position).
        stream = np.random.SeedSequence([recipe.seed, _STREAMS.index(network)])
        self._seeds = (stream.generate_state(place + 1)[place] for place in itertools.count())
        self._network = network
        self._conditions = _conditions_input(recipe)

    def model(self, first: keras.KerasTensor, outputs: keras.KerasTensor) -> keras.Model:
        """The network; its inputs are the first one and, where the recipe has them, conditions."""
        inputs = first if self._conditions is None else [first, self._conditions]
        return keras.Model(inputs, outputs, name=self._network)

    def steered(self, latents: keras.KerasTensor) -> keras.KerasTensor:
        """Puts what G makes of a condition beside the latent, where the recipe has conditions."""
        if self._conditions is None:
            return latents
        # Of the size of a latent's numbers: one attribute of several, or one class, moves as much.
        active = 1 if self.recipe.classes else self.recipe.condition_size
        normal = keras.initializers.RandomNormal(stddev=active**-0.5, seed=self._seed())
        embedded = layers.Dense(
            self.recipe.condition_dim, use_bias=False, kernel_initializer=normal, dtype=self.dtype
        )(self._conditions)
        return layers.Concatenate(dtype=self.dtype)([latents, embedded])

    def channels(self, full: int) -> int:
        return max(1, round(full * self._width))

    def dense(self, units: int, **options: Any) -> Layer:
        return self._weighted(layers.Dense, units, **options)

    def conv(self, filters: int, kernel: int, **options: Any) -> Layer:
        return self._weighted(layers.Conv2D, filters, kernel, **options)

    def conv_transpose(self, filters: int, **options: Any) -> Layer:
        """A 4x4 kernel that doubles the side: each output pixel has the same number of inputs."""
        options = {"strides": 2, "padding": "same", **options}
        return self._weighted(layers.Conv2DTranspose, filters, 4, **options)

    def scaled_conv(self, filters: int, kernel: int, **options: Any) -> Layer:
        """A convolution with an equalised learning rate, see `ScaledConv2D`."""
        # Spectral normalisation sets the scale of the weights by itself.
        kind = layers.Conv2D if self._spectral or self.portable else ScaledConv2D
        return self._weighted(kind, filters, kernel, std=1.0, **options)

    def opening(self, filters: int, **options: Any) -> Layer:
        """A 6x6 convolution that halves the side of pictures."""
        if self.portable:
            return self.conv(filters, 6, strides=2, padding="same", **options)
        return self._weighted(Opening, filters, **options)

    def halving(self, filters: int, **options: Any) -> Layer:
        """A 4x4 convolution that halves the side."""
        if self.portable:
            return self.conv(filters, 4, strides=2, padding="same", **options)
        return self._weighted(Halving, filters, **options)

    def doubling(self, filters: int, **options: Any) -> Layer:
        """A transposed 4x4 convolution that doubles the side."""
        if self.portable:
            return self.conv_transpose(filters, **options)
        return self._weighted(Doubling, filters, **options)

    def batch_norm(self) -> Layer:
        """BatchNorm where the network has it, else nothing."""
        if not self.normalises:
            return _same
        std = self.recipe.init_std
        gamma = keras.initializers.RandomNormal(1.0, std, seed=self._seed()) if std else "ones"
        kind = layers.BatchNormalization if self.portable else FusedBatchNormalization
        return kind(gamma_initializer=gamma, dtype=self.dtype, **BATCH_NORM)

    def leaky(self) -> Layer:
        return layers.LeakyReLU(negative_slope=self.recipe.leaky_slope, dtype=self.dtype)

    def relu(self) -> Layer:
        return layers.ReLU(dtype=self.dtype)

    def dropout(self) -> Layer:
        return layers.Dropout(self.recipe.dropout, dtype=self.dtype)

    def pictures(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Brings a generator's last features into [-1, 1], in float32."""
        return layers.Activation("tanh", dtype="float32", name="pictures")(x)

    def verdicts(self, x: keras.KerasTensor, use_bias: bool = True) -> keras.KerasTensor:
        """Turns a discriminator's last features (B, F) into logits and verdicts, in float32.

        A condition adds its product with the features (Miyato & Koyama 2018).
        """
        name = "logits" if self._conditions is None else None
        logits = self.dense(1, dtype="float32", name=name, use_bias=use_bias)(x)
        if self._conditions is not None:
            embed = self.dense(x.shape[-1], dtype="float32", use_bias=False)
            product = layers.Dot(axes=1, dtype="float32")([x, embed(self._conditions)])
            logits = layers.Add(dtype="float32", name="logits")([logits, product])
        return layers.Activation("sigmoid", dtype="float32", name="verdicts")(logits)

    def _weighted(
        self, kind: type[keras.Layer], *sizes: int, std: float = 0.0, **options: Any
    ) -> Layer:
        name = options.pop("name", None)
        options = {"dtype": self.dtype, **options}
        initializer = self._initializer(std or self.recipe.init_std)
        if not self._spectral or self.portable:
            return kind(*sizes, kernel_initializer=initializer, name=name, **options)
        layer = kind(*sizes, kernel_initializer=initializer, **options)
        return SpectralNormalization(layer, seed=self._seed(), name=name, dtype=options["dtype"])

    def _initializer(self, std: float) -> keras.initializers.Initializer:
        if std:
            return keras.initializers.RandomNormal(stddev=std, seed=self._seed())
        return keras.initializers.GlorotUniform(seed=self._seed())

    def _seed(self) -> int:
        return int(next(self._seeds))


def _conditions_input(recipe: Recipe) -> keras.KerasTensor | None:
    if recipe.conditions == "none":
        return None
    if not recipe.condition_size:
        raise UserError(
            "`--conditions labels` should be resolved by the number of classes. Received: 0. Call "
            "recipes.resolve with their number first."
        )
    return keras.Input((recipe.condition_size,), name="conditions")


def _same(x: keras.KerasTensor) -> keras.KerasTensor:
    return x


class ScaledConv2D(keras.layers.Conv2D):
    """Conv2D whose weights, drawn with standard deviation 1, are scaled in use (He et al. 2015).

    A step of the optimizer then changes a layer by the same fraction whatever the number of its
    inputs: the equalised learning rate of Karras et al. 2018.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.scale = math.sqrt(2 / math.prod(self.kernel.shape[:3]))

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return super().convolution_op(inputs, self.scale * tf.convert_to_tensor(kernel))


class SpectralNormalization(keras.layers.SpectralNormalization):
    """Keras' layer, which normalises when it is asked to and not in every training pass.

    Keras' own divides the wrapped kernel by its spectral norm, in place, wherever `training=` is
    true: in the generator's update as well, which has to leave the discriminator alone.

    Args:
        layer: the layer whose kernel is normalised.
        seed: of the power iteration's first vector.
    """

    def __init__(self, layer: keras.Layer, seed: int, **options: Any) -> None:
        super().__init__(layer, **options)
        self._first = keras.initializers.RandomNormal(seed=seed)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.vector_u.assign(self._first(self.vector_u.shape))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return self.layer(inputs)

    def normalise(self) -> None:
        """Takes one step of the power iteration and divides the kernel by the norm it finds."""
        vector, kernel = self.normalized_weights()
        self.vector_u.assign(vector)
        self.kernel.assign(kernel)


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer with TensorFlow's fused kernel in training, about four times as fast on a CPU.

    For pictures only; other features go Keras' own way. The variance that moves the statistics is
    the unbiased one.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if not training or len(inputs.shape) != 4:
            return super().call(inputs, training=training)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma.value, self.beta.value, epsilon=self.epsilon, is_training=True
        )
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving.value + (1 - self.momentum) * now)
        return outputs
