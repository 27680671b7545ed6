"""How different two pictures look: by the first features of a network that knows ImageNet.

Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", without
the weights that they learnt from people. The figures of `evaluator` are of other features, so that
a search by these does not flatter itself.
"""

from collections.abc import Callable
from itertools import islice

from kerasgan.backend import tf
from kerasgan.errors import UserError
from kerasgan.metrics import efficientnet

LEVELS = (0, 2, 4)  # of EfficientNet-Lite0's maps: halves, quarters and eighths of the side
EPSILON = 1e-4  # added to a squared length, whose root has no slope at 0

Difference = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def load() -> Difference:
    """Builds a function of two sets of pictures, float32 (B, H, W, 1 or 3) in [-1, 1].

    It gives float32 (B,): the mean squared distance between the directions of their features,
    from 0 to 4, and has slopes by both.

    Raises:
        UserError: the package is not installed, or its file is damaged.
    """
    network = efficientnet.EfficientNetLite0(efficientnet.load_tensors())

    def directions(pictures: tf.Tensor) -> list[tf.Tensor]:
        if pictures.shape[-1] == 1:
            pictures = tf.repeat(pictures, 3, axis=-1)
        maps = list(islice(network.maps(pictures), max(LEVELS) + 1))
        return [_direction(maps[level]) for level in LEVELS]

    def difference(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        pairs = zip(directions(one), directions(other), strict=True)
        parts = [tf.reduce_mean(tf.reduce_sum((a - b) ** 2, -1), axis=(1, 2)) for a, b in pairs]
        return tf.add_n(parts) / len(LEVELS)

    return difference


def _direction(features: tf.Tensor) -> tf.Tensor:
    """Brings the features at each place to length 1."""
    length = tf.sqrt(tf.reduce_sum(features**2, axis=-1, keepdims=True) + EPSILON)
    return features / length


def load_if_there() -> Difference | None:
    """Loads it as `load` does, or says that it is not installed."""
    try:
        return load()
    except UserError:
        print(
            "Pictures are compared by their pixels alone; by their looks, too, with the extra "
            '`metrics`. Type: pip install "kerasgan[metrics]"'
        )
        return None
