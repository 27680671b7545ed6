"""4x4 convolutions that halve or double the side, quick where the picture is small.

On a CPU the gradient of the kernel takes most of such a layer's time once the side is down to 4:
oneDNN finds little to share among its threads. As one product of matrices it is several times as
fast. Weights and results are Keras' own layers'.
"""

from typing import Any

from kerasgan import backend
from kerasgan.backend import keras, tf

SMALL = 4  # the smaller side of the two up to which the product of matrices is faster

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
        if not _is_small(inputs.shape[1] // 2):
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
        if not _is_small(inputs.shape[1]):
            return super().call(inputs)
        outputs = _doubled(inputs, tf.convert_to_tensor(self.kernel))
        return outputs + self.bias if self.use_bias else outputs


def _is_small(side: int) -> bool:
    return side <= SMALL and not backend.gpus()


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
