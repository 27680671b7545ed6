"""Losses on logits. D's verdict is 1 for a real picture and 0 for a fake one."""

from kerasgan.backend import tf


def binary_cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns the mean cross-entropy of sigmoid(logits) against labels.

    Args:
        logits: float32, (B, 1).
        labels: float32, broadcast against `logits`; label noise may leave [0, 1] a little.
    """
    labels = tf.broadcast_to(tf.cast(labels, logits.dtype), tf.shape(logits))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))


def bce_discriminator_loss(
    real_logits: tf.Tensor,
    fake_logits: tf.Tensor,
    real_labels: tf.Tensor | float = 1.0,
    fake_labels: tf.Tensor | float = 0.0,
) -> tf.Tensor:
    """Returns D's loss over reals and fakes together (Goodfellow et al. 2014).

    Args:
        real_logits: float32, (B, 1).
        fake_logits: float32, (B, 1).
        real_labels: what D should say of reals, (B, 1) or a number.
        fake_labels: what D should say of fakes, (B, 1) or a number.
    """
    real_loss = binary_cross_entropy(real_logits, real_labels)
    fake_loss = binary_cross_entropy(fake_logits, fake_labels)
    return (real_loss + fake_loss) / 2


def bce_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns G's non-saturating loss: fakes should pass for real (Goodfellow et al. 2014).

    Args:
        fake_logits: float32, (B, 1).
    """
    return binary_cross_entropy(fake_logits, 1.0)
