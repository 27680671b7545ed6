"""Differentiable augmentation of what D sees (DiffAugment, Zhao et al. 2020).

Reals and fakes are changed alike, in D's update and in G's, so that D cannot learn the training
pictures by heart and G need not draw the changes. Every change is a function of a seed.
"""

from collections.abc import Set

from kerasgan.backend import tf

SHIFT = 1 / 8  # of the side, at most, either way
CUT = 1 / 2  # of the side, that of the square that is greyed

# Columns of the uniform numbers that decide about one picture.
_COLUMNS = (
    *("color", "translation", "cutout"),  # whether it is changed so
    *("brightness", "saturation", "contrast", "down", "right", "row", "column"),  # and how much
)


def augment(
    pictures: tf.Tensor, probability: tf.Tensor | float, operations: Set[str], seed: tf.Tensor
) -> tf.Tensor:
    """Changes pictures by chance, each kind of change for itself.

    Args:
        pictures: float32 in [-1, 1], (B, H, W, C).
        probability: that a picture is changed in one of the ways, 0 to 1.
        operations: some of "color", "translation" and "cutout".
        seed: int64, (2,).

    Returns:
        float32, (B, H, W, C); colours may leave [-1, 1].
    """
    numbers = tf.random.stateless_uniform([tf.shape(pictures)[0], len(_COLUMNS)], seed)
    columns = [column[:, None, None, None] for column in tf.unstack(numbers, axis=1)]
    drawn = dict(zip(_COLUMNS, columns, strict=True))
    for name, change in _OPERATIONS.items():
        if name in operations:
            changed = tf.cast(drawn[name] < probability, tf.float32)  # 1 or 0, (B, 1, 1, 1)
            pictures = change(pictures, changed, drawn)
    return pictures


def _color(pictures: tf.Tensor, changed: tf.Tensor, drawn: dict[str, tf.Tensor]) -> tf.Tensor:
    """Moves brightness by up to 1/2, saturation by a factor 0 to 2, contrast by 1/2 to 3/2."""
    pictures += changed * (drawn["brightness"] - 0.5)
    if pictures.shape[-1] > 1:  # grey has no saturation
        grey = tf.reduce_mean(pictures, axis=3, keepdims=True)
        pictures = _stretch(pictures, grey, changed * (2 * drawn["saturation"] - 1))
    level = tf.reduce_mean(pictures, axis=[1, 2, 3], keepdims=True)
    return _stretch(pictures, level, changed * (drawn["contrast"] - 0.5))


def _stretch(pictures: tf.Tensor, middle: tf.Tensor, by: tf.Tensor) -> tf.Tensor:
    """Multiplies distances from the middle by 1 + `by`."""
    return pictures + by * (pictures - middle)


def _translation(pictures: tf.Tensor, changed: tf.Tensor, drawn: dict[str, tf.Tensor]) -> tf.Tensor:
    """Moves pictures by up to an eighth; what comes in at the edges is 0, a middle grey."""
    most = round(pictures.shape[1] * SHIFT)
    down, right = (
        tf.cast(changed * tf.floor(drawn[name] * (2 * most + 1) - most), tf.int32)
        for name in ("down", "right")
    )
    return _shifted(pictures, down, right)


@tf.custom_gradient
def _shifted(pictures: tf.Tensor, down: tf.Tensor, right: tf.Tensor) -> tuple[tf.Tensor, object]:
    """Moves each picture by whole pixels, down and right, (B, 1, 1, 1)."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None, None]:
        return _shifted(upstream, -down, -right), None, None  # the way back; the op is linear

    count, height, width, channels = tf.unstack(tf.shape(pictures))
    rows = tf.range(height)[None, :, None] - down[..., 0]
    columns = tf.range(width)[None, None, :] - right[..., 0]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    place = (tf.range(count)[:, None, None] * height + rows) * width + columns
    flat = tf.gather(tf.reshape(pictures, [-1, channels]), tf.where(inside, place, 0))
    return flat * tf.cast(inside[..., None], pictures.dtype), gradient


def _cutout(pictures: tf.Tensor, changed: tf.Tensor, drawn: dict[str, tf.Tensor]) -> tf.Tensor:
    """Greys a square of half the side, which may reach over the edges."""
    side = pictures.shape[1]
    half = round(side * CUT) / 2
    hidden = changed
    for axis, name in ((1, "row"), (2, "column")):
        middle = tf.floor(drawn[name] * (side + 1))
        shape = [-1 if i == axis else 1 for i in range(4)]
        places = tf.reshape(tf.range(side, dtype=tf.float32), shape)
        hidden *= tf.cast(tf.abs(places + 0.5 - middle) < half, tf.float32)
    return pictures * (1 - hidden)


_OPERATIONS = {"color": _color, "translation": _translation, "cutout": _cutout}


def adapted(
    probability: tf.Tensor, real_logits: tf.Tensor, target: float, images: int
) -> tf.Tensor:
    """Returns ADA's next probability of a change (Karras et al. 2020).

    The mean sign of D's logits of reals says how far D overfits: 0 not at all, 1 wholly. The
    probability rises while that is above the target, and falls below it.

    Args:
        probability: the present one, 0 to 1.
        real_logits: float32, (B, 1), of changed reals.
        target: mean sign to keep.
        images: reals in which it may go from 0 to 1.
    """
    overfit = tf.reduce_mean(tf.sign(real_logits))
    step = tf.cast(tf.size(real_logits), tf.float32) / images
    return tf.clip_by_value(probability + step * tf.sign(overfit - target), 0.0, 1.0)
