"""Penalties on D's slope, the gradient of its logit with respect to the picture."""

from collections.abc import Callable

from kerasgan.backend import tf

Critic = Callable[[tf.Tensor], tf.Tensor]  # pictures (B, H, W, C) to logits (B, 1)


def squared_slopes(critic: Critic, pictures: tf.Tensor) -> tf.Tensor:
    """Returns the squared length of the gradient at each picture.

    The gradient is that of the sum of all logits. Where each logit depends on its own picture
    alone, it is that of the picture's own logit. Where D compares the pictures of a batch, as
    `progressive`'s does, what a picture does to the others' logits counts in it too, as it does in
    Karras et al. 2018.

    Args:
        critic: D's logits.
        pictures: float32, (B, H, W, C).

    Returns:
        float32, (B,).
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(pictures)
        total = tf.reduce_sum(critic(pictures))
    gradients = tape.gradient(total, pictures)
    return tf.reduce_sum(tf.square(gradients), axis=[1, 2, 3])


def zero_centred(critic: Critic, pictures: tf.Tensor) -> tf.Tensor:
    """Returns half the mean squared slope: R1 at reals, R2 at fakes (Mescheder et al. 2018).

    Args:
        critic: as for `squared_slopes`.
        pictures: float32, (B, H, W, C).
    """
    return tf.reduce_mean(squared_slopes(critic, pictures)) / 2


def one_centred(critic: Critic, pictures: tf.Tensor) -> tf.Tensor:
    """Returns the mean squared distance of the slope from 1 (Gulrajani et al. 2017).

    Args:
        critic: as for `squared_slopes`.
        pictures: float32, (B, H, W, C), as `between` makes them.
    """
    # The root's own slope is infinite at 0.
    slopes = tf.sqrt(tf.maximum(squared_slopes(critic, pictures), 1e-12))
    return tf.reduce_mean(tf.square(slopes - 1))


def between(real: tf.Tensor, fake: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns a picture on the way from each real to its fake (Gulrajani et al. 2017).

    Args:
        real: float32, (B, H, W, C).
        fake: float32, (B, H, W, C).
        seed: of the places on the way, uniform; int64 (2,).
    """
    fraction = tf.random.stateless_uniform([tf.shape(real)[0], 1, 1, 1], seed)
    return real + fraction * (fake - real)
