"""Convolutions that halve or double the side, quicker than Keras' on a CPU.

Where the picture is small oneDNN takes long for the gradient of a 4x4 kernel, for there is little
to share among its threads: as one product of matrices it is faster. Where the picture is large and
has three channels, the gradient of the picture takes as long as the rest of the layer together:
from a quarter of the pixels with four times the channels it is faster. Weights and results are
Keras' own layers'.
"""

from typing import Any

from kerasgan import backend
from kerasgan.backend import keras, tf

# The smaller side of the two up to which the product of matrices is faster, and without bfloat16.
SMALL, SMALL_ELSE = 8, 4

Gradients = tuple[tf.Tensor, tf.Tensor]


class Halving(keras.layers.Conv2D):
    """Conv2D with a 4x4 kernel that halves the side.

    Args:
        filters: channels of the output.
        **options: as for Conv2D.
    """

    def __init__(self, filters: int, **options: Any) -> None:
        super().__init__(filters, 4, strides=2, padding="same", **options)

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if not _is_small(inputs.shape[1] // 2, inputs.dtype):
            return super().convolution_op(inputs, kernel)
        return _halved(inputs, tf.convert_to_tensor(kernel))


class Doubling(keras.layers.Conv2DTranspose):
    """Conv2DTranspose with a 4x4 kernel that doubles the side, without an activation.

    Args:
        filters: channels of the output.
        **options: as for Conv2DTranspose.
    """

    def __init__(self, filters: int, **options: Any) -> None:
        super().__init__(filters, 4, strides=2, padding="same", **options)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if not _is_small(inputs.shape[1], inputs.dtype):
            return super().call(inputs)
        outputs = _doubled(inputs, tf.convert_to_tensor(self.kernel))
        return outputs + self.bias if self.use_bias else outputs


class Opening(keras.layers.Conv2D):
    """Conv2D with a 6x6 kernel that halves the side, which is even, of pictures.

    Args:
        filters: channels of the output.
        **options: as for Conv2D.
    """

    def __init__(self, filters: int, **options: Any) -> None:
        super().__init__(filters, 6, strides=2, padding="same", **options)

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if backend.gpus():
            return super().convolution_op(inputs, kernel)
        channels = inputs.shape[3]
        # Each 2x2 square of pixels becomes one of four times the channels, in both.
        squares = tf.reshape(kernel, (3, 2, 3, 2, channels, self.filters))
        squares = tf.transpose(squares, (0, 2, 1, 3, 4, 5))
        squares = tf.reshape(squares, (3, 3, 4 * channels, self.filters))
        return tf.nn.conv2d(tf.nn.space_to_depth(inputs, 2), squares, 1, "SAME")


def _is_small(side: int, dtype: tf.DType) -> bool:
    return side <= (SMALL if dtype == tf.bfloat16 else SMALL_ELSE) and not backend.gpus()


@tf.custom_gradient
def _halved(fine: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Convolves (B, 2s, 2s, C) with a kernel (4, 4, C, F) to (B, s, s, F)."""

    def gradients(upstream: tf.Tensor) -> Gradients:
        return _spread(upstream, kernel), _kernel_gradient(fine, upstream)

    return tf.nn.conv2d(fine, kernel, 2, "SAME"), gradients


@tf.custom_gradient
def _doubled(coarse: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Convolves (B, s, s, F), transposed, with a kernel (4, 4, C, F) to (B, 2s, 2s, C)."""

    def gradients(upstream: tf.Tensor) -> Gradients:
        return tf.nn.conv2d(upstream, kernel, 2, "SAME"), _kernel_gradient(upstream, coarse)

    return _spread(coarse, kernel), gradients


def _spread(coarse: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    count, side = tf.shape(coarse)[0], 2 * coarse.shape[1]
    return tf.nn.conv2d_transpose(coarse, kernel, (count, side, side, kernel.shape[2]), 2, "SAME")


def _kernel_gradient(fine: tf.Tensor, coarse: tf.Tensor) -> tf.Tensor:
    """Correlates (B, 2s, 2s, C) with (B, s, s, F): the gradient of both layers' kernel."""
    side, channels, filters = coarse.shape[1], fine.shape[3], coarse.shape[3]
    padded = tf.pad(fine, [[0, 0], [1, 1], [1, 1], [0, 0]])
    blocks = tf.reshape(padded, [-1, side + 1, 2, side + 1, 2, channels])
    # Of each 4x4 window of stride 2 the pixel (row, column), as (B, s, s, C).
    pixels = [
        blocks[:, row // 2 :, row % 2, column // 2 :, column % 2][:, :side, :side]
        for row in range(4)
        for column in range(4)
    ]
    windows = tf.reshape(tf.concat(pixels, axis=-1), [-1, 16 * channels])
    product = tf.matmul(windows, tf.reshape(coarse, [-1, filters]), transpose_a=True)
    return tf.reshape(product, [4, 4, channels, filters])
