"""How far the colours of fakes are from those of reals, measured without an opponent.

What D says drives the fakes of the moment to the same few hues, and as soon as it knows those, to
others: they turn, and their average is grey. An energy distance (Székely and Rizzo 2013) is least
where both spread alike, so that it holds the colours in place while D goes on to judge the rest.
Generators have been trained by such distances alone (Li et al. 2015, Bellemare et al. 2017).
"""

import numpy as np

from kerasgan.backend import tf

SIDE = 4  # cells, of a thumbnail
# Rows: brightness, red against green, both against blue. Colours count four times as much as
# brightness, which G learns from D too.
OPPONENTS = np.array([[1, 1, 1], [4, -4, 0], [4, 4, -8]]) / np.sqrt([[3], [2], [6]])


def distance(reals: tf.Tensor, fakes: tf.Tensor) -> tf.Tensor:
    """Returns the energy distance of thumbnails, each of their cells by itself, on average.

    That is how far reals are from fakes, less half of how far each are among themselves. Over
    batches of 2 pictures or more its mean is the distance of what they are drawn from, 0 only where
    the two are the same. A batch of one picture has no distance among itself, and the fakes would
    all be drawn to the middle of the reals.

    Args:
        reals: float32 in [-1, 1], (B, H, W, C), B at least 2.
        fakes: float32, (B, H, W, C).
    """
    real, fake = _thumbnails(reals), _thumbnails(fakes)
    across = tf.reduce_mean(_lengths(real, fake))
    return across - (_among(real) + _among(fake)) / 2


def slopes(reals: tf.Tensor, fakes: tf.Tensor, weight: float) -> tf.Tensor:
    """Returns the slopes at the fakes of their distance from the reals, times a weight.

    Args:
        reals: float32 in [-1, 1], (B, H, W, C).
        fakes: float32, (B, H, W, C).
        weight: of the distance.

    Returns:
        float32, (B, H, W, C).
    """
    with tf.GradientTape() as tape:
        tape.watch(fakes)
        weighted = weight * distance(reals, fakes)
    return tape.gradient(weighted, fakes)


def _thumbnails(pictures: tf.Tensor) -> tf.Tensor:
    """Returns the mean colour of each cell, by opponents where there is colour, (B, 16, C)."""
    _, height, width, channels = pictures.shape
    down, right = _overlaps(height), _overlaps(width)
    cells = tf.einsum("ih,bhwc,jw->bijc", down, pictures, right)
    if channels == 3:
        cells = tf.einsum("bijc,kc->bijk", cells, tf.constant(OPPONENTS, tf.float32))
    return tf.reshape(cells, [-1, SIDE**2, channels])


def _overlaps(side: int) -> tf.Tensor:
    """Returns what each pixel of a row has in each cell, (SIDE, side); a cell's add up to 1."""
    edges = np.linspace(0, side, SIDE + 1)[:, np.newaxis]
    pixels = np.arange(side)
    overlaps = np.minimum(edges[1:], pixels + 1) - np.maximum(edges[:-1], pixels)
    return tf.constant(np.maximum(overlaps, 0) * SIDE / side, tf.float32)


def _lengths(some: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Returns how far each is from each, cell by cell: (B, B, 16)."""
    squares = tf.reduce_sum(tf.square(some[:, tf.newaxis] - others[tf.newaxis]), axis=-1)
    return tf.sqrt(squares + 1e-6)  # the root's own slope is infinite at 0


def _among(cells: tf.Tensor) -> tf.Tensor:
    """Returns the mean length between two different ones of a batch."""
    lengths = tf.reduce_mean(_lengths(cells, cells), axis=-1)
    count = tf.cast(tf.shape(cells)[0], tf.float32)
    apart = tf.reduce_sum(lengths) - tf.linalg.trace(lengths)
    return apart / tf.maximum(count * (count - 1), 1.0)
