"""Presets: recipes with a name."""

import dataclasses

from kerasgan.recipes.schema import Recipe

PRESETS = {
    "article": Recipe(),
    # The same networks and loop, small enough for a CPU: an eighth of the channels, 64x64.
    "article-lite": Recipe(preset="article-lite", size=64, width=1 / 8),
    # The convolutional GAN of Radford et al. 2015 with the figures of PyTorch's tutorial.
    "dcgan": Recipe(
        preset="dcgan", network="dcgan", size=64, latent_dim=100, leaky_slope=0.2, dropout=0.0,
        g_batch_norm=True, d_batch_norm=True, init_std=0.02,
        label_noise=0.0, separate_batches=True, fakes_training=True, reuse_fakes=True,
        optimizer="adam", learning_rate=2e-4, decay=0.0, beta1=0.5, epsilon=1e-8, clipvalue=0.0,
        iters=8_000, batch_size=128, control_latents=64, control_scale=1.0,
    ),
    # Faces in minutes on a CPU, see kerasgan.models.fast; docs/fast.md says how it was found.
    "fast": Recipe(
        preset="fast", network="fast", size=64, latent_dim=64, leaky_slope=0.2, dropout=0.0,
        g_batch_norm=True, loss="relativistic", label_noise=0.0, fakes_training=True,
        simultaneous=True, energy=10.0,
        optimizer="adam", learning_rate=5e-4, decay=2.5e-5, warm_up=200, beta1=0.0, beta2=0.99,
        epsilon=1e-8, clipvalue=0.0, batch_size=8,
        r1=0.3, r2=0.3, penalty_every=16, ema=0.9999, flip=True,
        augment="auto", augment_ops="translation",
        grid_every=200, control_scale=1.0,
    ),
    # Dense layers only, at the size of handwritten digits.
    "mlp": Recipe(
        preset="mlp", network="mlp", size=28, latent_dim=100, leaky_slope=0.2, dropout=0.3,
        label_noise=0.0, separate_batches=True,
        optimizer="adam", learning_rate=2e-4, decay=0.0, beta1=0.5, clipvalue=0.0,
        batch_size=128,
    ),
    # Karras et al. 2018, with an eighth of the channels and the non-saturating loss with a lazy R1:
    # the penalty of the paper's wgan-gp is due in every update, which costs more.
    "progressive": Recipe(
        preset="progressive", network="progressive", size=64, width=1 / 8, latent_dim=128,
        leaky_slope=0.2, dropout=0.0,
        label_noise=0.0, separate_batches=True, fakes_training=True, reuse_fakes=True,
        optimizer="adam", learning_rate=2e-3, decay=0.0, beta1=0.0, beta2=0.99, epsilon=1e-8,
        clipvalue=0.0, r1=1.0, penalty_every=8, ema=0.999,
        iters=12_000, batch_size=16, control_scale=1.0,
    ),
}  # fmt: skip
# dcgan at a quarter of its channels, which a CPU has time for, steered by what CelebA and the
# built-in faces both know; its control grid has a row for each of the eight combinations. D is held
# back as the tutorial's is, else each condition collapses to one face.
PRESETS["conditional"] = dataclasses.replace(
    PRESETS["dcgan"], preset="conditional", width=1 / 4, batch_size=64,
    conditions="Smiling,Male,Eyeglasses", condition_dim=8,
    d_batch_norm=False, dropout=0.4, label_noise=0.05, ema=0.999,
)  # fmt: skip
