"""Losses on logits, what D says before its sigmoid. D's verdict is 1 for a real picture."""

from collections.abc import Callable
from typing import NamedTuple

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


def saturating_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns G's side of the minimax game, mean log(1 - D(G(z))) (Goodfellow et al. 2014).

    It is never above 0, and flat where D is sure of the fakes.

    Args:
        fake_logits: float32, (B, 1).
    """
    return -binary_cross_entropy(fake_logits, 0.0)


def lsgan_discriminator_loss(
    real_logits: tf.Tensor,
    fake_logits: tf.Tensor,
    real_labels: tf.Tensor | float = 1.0,
    fake_labels: tf.Tensor | float = 0.0,
) -> tf.Tensor:
    """Returns D's least squares: half its squared distances from the labels (Mao et al. 2017).

    Args:
        real_logits: float32, (B, 1), without a sigmoid.
        fake_logits: float32, (B, 1), without a sigmoid.
        real_labels: what D should say of reals, (B, 1) or a number.
        fake_labels: what D should say of fakes, (B, 1) or a number.
    """
    real_loss = tf.reduce_mean(tf.square(real_logits - real_labels))
    fake_loss = tf.reduce_mean(tf.square(fake_logits - fake_labels))
    return (real_loss + fake_loss) / 2


def lsgan_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns G's least squares: half the fakes' squared distance from 1 (Mao et al. 2017).

    Args:
        fake_logits: float32, (B, 1), without a sigmoid.
    """
    return tf.reduce_mean(tf.square(fake_logits - 1)) / 2


def wgan_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns the critic's loss: how much higher it puts fakes than reals (Arjovsky et al. 2017).

    For a critic of slope at most 1, its negative is below the Wasserstein distance of fakes and
    reals.

    Args:
        real_logits: float32, (B, 1).
        fake_logits: float32, (B, 1).
    """
    return tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits)


def wgan_generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns G's loss: the fakes should be put high (Arjovsky et al. 2017).

    Args:
        fake_logits: float32, (B, 1).
    """
    return -tf.reduce_mean(fake_logits)


def hinge_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns D's hinge loss: reals above 1, fakes below -1 (Lim & Ye 2017; Miyato et al. 2018).

    Args:
        real_logits: float32, (B, 1).
        fake_logits: float32, (B, 1).
    """
    return tf.reduce_mean(tf.nn.relu(1 - real_logits)) + tf.reduce_mean(tf.nn.relu(1 + fake_logits))


def relativistic_discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns D's loss over pairs: each real above its fake (Jolicoeur-Martineau 2018).

    The game of R3GAN (Huang et al. 2024), which converges with the penalties r1 and r2.

    Args:
        real_logits: float32, (B, 1).
        fake_logits: float32, (B, 1).
    """
    return tf.reduce_mean(tf.nn.softplus(fake_logits - real_logits))


def relativistic_generator_loss(fake_logits: tf.Tensor, real_logits: tf.Tensor) -> tf.Tensor:
    """Returns G's loss over pairs: each fake above its real (Jolicoeur-Martineau 2018).

    Args:
        fake_logits: float32, (B, 1).
        real_logits: float32, (B, 1).
    """
    return tf.reduce_mean(tf.nn.softplus(real_logits - fake_logits))


def _identity(logits: tf.Tensor) -> tf.Tensor:
    return logits


class Loss(NamedTuple):
    """The two sides of a game.

    Attributes:
        discriminator: D's loss of (real_logits, fake_logits); with labels, of these too.
        generator: G's loss of fake_logits; of (fake_logits, real_logits) if its traits are paired.
        verdict: what D says of a picture, as its loss reads the logits.
    """

    discriminator: Callable[..., tf.Tensor]
    generator: Callable[..., tf.Tensor]
    verdict: Callable[[tf.Tensor], tf.Tensor] = _identity


# By the name of their `recipes.LOSS_TRAITS`.
LOSSES = {
    "bce": Loss(bce_discriminator_loss, bce_generator_loss, tf.sigmoid),
    "saturating": Loss(bce_discriminator_loss, saturating_generator_loss, tf.sigmoid),
    "lsgan": Loss(lsgan_discriminator_loss, lsgan_generator_loss),
    "wgan": Loss(wgan_discriminator_loss, wgan_generator_loss),
    "wgan-gp": Loss(wgan_discriminator_loss, wgan_generator_loss),
    "hinge": Loss(hinge_discriminator_loss, wgan_generator_loss),
    "relativistic": Loss(relativistic_discriminator_loss, relativistic_generator_loss),
}
