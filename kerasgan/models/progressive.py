"""Networks that grow with the pictures from 4x4 on (Karras et al. 2018).

All layers of all sizes are there from the start. The networks of full-size pictures hold every
weight: in them each size has a weight in what comes out, 0 for sizes still to come, so that they
draw and judge as the present stage does, enlarged. A stage trains on copies with the same
variables that stop at its size (`Growing`).
"""

import math
from itertools import pairwise

import numpy as np

from kerasgan import growth
from kerasgan.backend import keras, tf
from kerasgan.models.parts import Layer, Parts, layers
from kerasgan.recipes import Recipe

FIRST_SIDE = growth.FIRST_SIDE
FEATURES = 16_384  # channels times side, at most
WIDEST = 512  # channels, at most
DEVIATION_FLOOR = 1e-8  # added to a variance, whose root has no slope at 0


class Fade(layers.Layer):
    """Blends what comes from the size below with what comes from this size, by its weight `alpha`.

    At 0 the outcome is the first alone, at 1 the second alone, exactly.
    """

    def build(self, input_shapes: list[tuple[int | None, ...]]) -> None:
        self.alpha = self.add_weight(shape=(), initializer="zeros", trainable=False, name="alpha")

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        below, here = inputs
        alpha = tf.cast(self.alpha.value, here.dtype)
        return (1 - alpha) * below + alpha * here


class BatchDeviation(layers.Layer):
    """Adds a channel that says how much the pictures of the batch differ from each other.

    It holds the standard deviation over the batch, averaged over places and channels, so that D
    sees when all fakes look alike.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        features = tf.cast(inputs, tf.float32)
        variance = tf.math.reduce_variance(features, axis=0)
        deviation = tf.reduce_mean(tf.sqrt(variance + DEVIATION_FLOOR))
        channel = tf.cast(deviation, inputs.dtype) * tf.ones_like(inputs[..., :1])
        return tf.concat([inputs, channel], axis=-1)


def build_generator(recipe: Recipe, portable: bool = False) -> keras.Model:
    """Builds the generator.

    Its pictures are a sum over all sizes, each enlarged to the full one. The kernel of the layer
    "size_weights" has a weight for each size: 1 for the stage that trains, 0 for the others, and in
    between while one fades in.
    All layers are Keras' own.

    The arguments and what is returned are `kerasgan.models.build_generator`'s.
    """
    parts = Parts(recipe, "generator", portable)
    latents = keras.Input((recipe.latent_dim,), name="latents")
    first = _channels(parts, FIRST_SIDE)
    x = parts.dense(FIRST_SIDE**2 * first, std=1.0)(_normal(parts)(latents))
    x = layers.Reshape((FIRST_SIDE, FIRST_SIDE, first))(x)
    x = _normal(parts)(parts.leaky()(x))
    x = _convolved(parts, x, FIRST_SIDE)
    pictures = [_rgb(parts, FIRST_SIDE)(x)]
    for side in growth.sides(recipe.size)[1:]:
        x = layers.UpSampling2D(dtype=parts.dtype)(x)
        x = _convolved(parts, _convolved(parts, x, side), side)
        pictures.append(_rgb(parts, side)(x))
    return keras.Model(latents, parts.pictures(_weighted_sum(pictures, recipe)), name="generator")


def _channels(parts: Parts, side: int) -> int:
    return parts.channels(min(FEATURES // side, WIDEST))


def _normal(parts: Parts) -> Layer:
    """Brings all pixels' features to one length, the paper's pixel norm.

    That length suits 3x3 convolutions with weights of standard deviation 1, which thus have an
    equalised learning rate, too: the mean square of what they give is 2, halved by the LeakyReLU.
    """
    unit = layers.UnitNormalization(dtype=parts.dtype)
    scale = layers.Rescaling(math.sqrt(2) / 3, dtype=parts.dtype)
    return lambda x: scale(unit(x))


def _convolved(parts: Parts, x: keras.KerasTensor, side: int) -> keras.KerasTensor:
    convolution = parts.conv(_channels(parts, side), 3, padding="same", std=1.0)
    return _normal(parts)(parts.leaky()(convolution(x)))


def _rgb(parts: Parts, side: int) -> Layer:
    return parts.conv(parts.recipe.channels, 1, std=1.0, dtype="float32", name=f"to_rgb{side}")


def _weighted_sum(pictures: list[keras.KerasTensor], recipe: Recipe) -> keras.KerasTensor:
    """Adds pictures of all sizes, enlarged, by a kernel that is set and not learnt."""
    shape, float32 = (recipe.size, recipe.size, recipe.channels), {"dtype": "float32"}
    enlarged = [
        layers.Reshape((*shape, 1), **float32)(
            layers.UpSampling2D(recipe.size // x.shape[1], **float32)(x)
        )
        for x in pictures
    ]
    together = layers.Concatenate(**float32)(enlarged)
    weights = layers.Dense(1, use_bias=False, trainable=False, name="size_weights", **float32)
    summed = layers.Reshape(shape, **float32)(weights(together))
    weights.kernel.assign(tf.one_hot([0], len(pictures), axis=0))
    return summed


def build_discriminator(recipe: Recipe, portable: bool = False) -> keras.Model:
    """Builds the discriminator.

    The arguments and what is returned are `kerasgan.models.build_discriminator`'s.
    """
    parts = Parts(recipe, "discriminator", portable)
    made = _made_layers(parts, growth.sides(recipe.size))
    pictures = keras.Input((recipe.size, recipe.size, recipe.channels), name="pictures")
    x = _features(made, parts, pictures, fading=growth.sides(recipe.size)[1:])
    return keras.Model(pictures, parts.verdicts(x), name="discriminator")


def _made_layers(parts: Parts, sides: list[int]) -> dict[str, Layer]:
    """D's layers of all sizes by their names, but for the last."""
    first = _channels(parts, FIRST_SIDE)
    made = {
        "last_inner": parts.scaled_conv(first, 3, padding="same", name="last_inner"),
        "last_outer": parts.scaled_conv(first, FIRST_SIDE, name="last_outer"),
        "last_dropout": layers.Dropout(
            parts.recipe.dropout, dtype=parts.dtype, name="last_dropout"
        ),
    }
    for side in sides:
        channels = _channels(parts, side)
        made[f"from_rgb{side}"] = parts.scaled_conv(channels, 1, name=f"from_rgb{side}")
    for below, side in pairwise(sides):
        inner, outer = _channels(parts, side), _channels(parts, below)
        made[f"inner{side}"] = parts.scaled_conv(inner, 3, padding="same", name=f"inner{side}")
        made[f"outer{side}"] = parts.scaled_conv(outer, 3, padding="same", name=f"outer{side}")
        made[f"fade{side}"] = _fade(parts, f"fade{side}")
    return made


def _fade(parts: Parts, name: str) -> Layer:
    """Blends two tensors; portable, it has a kernel of both weights in the place of `alpha`."""
    if not parts.portable:
        return Fade(dtype=parts.dtype, name=name)
    blend = layers.Dense(1, use_bias=False, name=name)

    def blended(pair: list[keras.KerasTensor]) -> keras.KerasTensor:
        shape = pair[0].shape[1:]
        stacked = layers.Concatenate()([layers.Reshape((*shape, 1))(x) for x in pair])
        return layers.Reshape(shape)(blend(stacked))

    return blended


def _with_deviation(x: keras.KerasTensor) -> keras.KerasTensor:
    """Does what `BatchDeviation` does, by operations of Keras' own, in float32."""
    ops = keras.ops
    deviation = ops.mean(ops.sqrt(ops.add(ops.var(x, axis=0), DEVIATION_FLOOR)))
    nothing = ops.multiply(ops.mean(x, axis=-1, keepdims=True), 0.0)
    return layers.Concatenate()([x, ops.add(nothing, deviation)])


def _features(
    made: dict[str, Layer], parts: Parts, pictures: keras.KerasTensor, fading: list[int]
) -> keras.KerasTensor:
    """What D's last layer reads (B, F), of pictures of one of its sides.

    Args:
        made: the layers by name.
        parts: of D.
        pictures: (B, side, side, channels).
        fading: sides whose layers are blended with the halved pictures; all those between this one
            and the smallest of them, too.
    """
    x = _from_rgb(made, parts, pictures)
    while (side := x.shape[1]) > FIRST_SIDE:
        x = parts.leaky()(made[f"inner{side}"](x))
        x = parts.leaky()(made[f"outer{side}"](x))
        x = layers.AveragePooling2D(2, dtype=parts.dtype)(x)
        if side in fading:
            pictures = layers.AveragePooling2D(2, dtype="float32")(pictures)
            x = made[f"fade{side}"]([_from_rgb(made, parts, pictures), x])
    x = _with_deviation(x) if parts.portable else BatchDeviation(dtype=parts.dtype)(x)
    x = parts.leaky()(made["last_inner"](x))
    x = layers.Flatten(dtype=parts.dtype)(parts.leaky()(made["last_outer"](x)))
    return made["last_dropout"](x)


def _from_rgb(
    made: dict[str, Layer], parts: Parts, pictures: keras.KerasTensor
) -> keras.KerasTensor:
    return parts.leaky()(made[f"from_rgb{pictures.shape[1]}"](pictures))


def generator_at(generator: keras.Model, side: int) -> keras.Model:
    """Returns the same network, sharing every weight, that draws pictures of a smaller side.

    Its layer "fade", where there is a size below, blends the two.

    Args:
        generator: of this family.
        side: 4, 8 and so on to the full size.
    """
    pictures = generator.get_layer(f"to_rgb{side}").output
    if side > FIRST_SIDE:
        below = generator.get_layer(f"to_rgb{side // 2}").output
        below = layers.UpSampling2D(dtype="float32")(below)
        pictures = Fade(dtype="float32", name="fade")([below, pictures])
    pictures = layers.Activation("tanh", dtype="float32")(pictures)
    return keras.Model(generator.input, pictures, name=f"generator{side}")


def logits_at(discriminator: keras.Model, recipe: Recipe, side: int) -> keras.Model:
    """Returns the same network, sharing every weight, that reads pictures of a smaller side.

    Args:
        discriminator: of this family.
        recipe: that it was built from.
        side: 4, 8 and so on to the full size.

    Returns:
        A model from pictures (B, side, side, channels) to logits (B, 1).
    """
    made = {layer.name: layer for layer in discriminator.layers}
    pictures = keras.Input((side, side, recipe.channels), name="pictures")
    x = _features(made, Parts(recipe, "discriminator"), pictures, fading=[side])
    return keras.Model(pictures, made["logits"](x), name=f"logits{side}")


class Growing:
    """Both networks as they are in the present stage of a training.

    Args:
        recipe: `stages` (not "auto") and the fields of "networks".
        generators: the generator that is trained first, then one averaged from it, if any.
        discriminator: that is trained with it.

    Attributes:
        stage: the present one, at first that of a new training.
        alpha: the weight of this stage's layers in the picture, 0 to 1.
        generator: latents (B, latent_dim) to pictures (B, side, side, channels).
        logits: such pictures to logits (B, 1).
    """

    def __init__(
        self, recipe: Recipe, generators: list[keras.Model], discriminator: keras.Model
    ) -> None:
        self.recipe = recipe
        self.alpha = tf.Variable(0.0, trainable=False, name="alpha")
        self._stages = recipe.growth_stages
        self._generators = generators
        self._discriminator = discriminator
        self._begin(growth.stage_at(self._stages, 0))
        self.enter(0)

    def enter(self, done: int) -> bool:
        """Goes to where a training is after so many iterations.

        Args:
            done: iterations done.

        Returns:
            Whether the stage is another than before, so that the networks are, too.
        """
        stage = growth.stage_at(self._stages, done)
        if other := stage != self.stage:
            self._begin(stage)
        # Also where nothing seems to change: weights may just have been read from a checkpoint.
        self._blend(stage.alpha(done))
        return other

    def _begin(self, stage: growth.Stage) -> None:
        self.stage = stage
        self.generator = generator_at(self._generators[0], stage.side)
        self.logits = logits_at(self._discriminator, self.recipe, stage.side)

    def part_of(self, network: keras.Model) -> keras.Model:
        """Returns the one of the stage's two networks that is a part of the generator or of D."""
        return self.logits if network is self._discriminator else self.generator

    def _blend(self, alpha: float) -> None:
        """Sets the weight of every size in all networks."""
        sides = growth.sides(self.recipe.size)
        place = sides.index(self.stage.side)
        self.alpha.assign(alpha)
        weights = np.zeros((len(sides), 1), np.float32)
        weights[place] = alpha
        if place:
            weights[place - 1] = 1 - alpha
            self.generator.get_layer("fade").alpha.assign(alpha)
        for generator in self._generators:
            generator.get_layer("size_weights").kernel.assign(weights)
        for number, side in enumerate(sides[1:], start=1):
            weight = alpha if number == place else float(number < place)
            self._discriminator.get_layer(f"fade{side}").alpha.assign(weight)

    def seen(self, reals: tf.Tensor) -> tf.Tensor:
        """Brings reals to this stage: halved to its size, and as coarse as its fakes still are.

        Args:
            reals: float32 in [-1, 1], (B, size, size, channels).

        Returns:
            float32 in [-1, 1], (B, side, side, channels).
        """
        reals = _shrunk(reals, self.recipe.size // self.stage.side)
        if not self.stage.fade:
            return reals
        coarse = tf.repeat(tf.repeat(_shrunk(reals, 2), 2, axis=1), 2, axis=2)
        return (1 - self.alpha) * coarse + self.alpha * reals


def _shrunk(pictures: tf.Tensor, times: int) -> tf.Tensor:
    return tf.nn.avg_pool2d(pictures, times, times, "VALID") if times > 1 else pictures
