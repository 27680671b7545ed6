"""What a training would take: measured here, without training anything that is kept."""

import time
from typing import Any

import numpy as np

from kerasgan import backend, images, loop
from kerasgan.backend import tf
from kerasgan.data import Pictures
from kerasgan.gan import GAN
from kerasgan.loop import TIMED, WARM_UP
from kerasgan.recipes import Recipe

BYTES = 4  # of a float32, in which weights and optimizer states are kept
PNG_SHARE = 0.75  # of a control grid's raw bytes that its PNG takes, about


def report(gan: GAN, pictures: Pictures) -> None:
    """Prints recipe, networks, data, device, speed, memory, duration and disk of a training.

    Args:
        gan: fresh networks; they are trained a few iterations to take the time.
        pictures: what would be trained on.
    """
    print("recipe:")
    for name, value in vars(gan.recipe).items():
        print(f"  {name}: {value}")
    print(f"generator: {gan.generator.count_params():,} parameters")
    print(f"discriminator: {gan.discriminator.count_params():,} parameters")
    print(f"device: {backend.describe_device()}, {gan.recipe.precision}")
    seconds = seconds_an_iteration(gan, pictures.pixels)
    print(f"speed: {seconds:.3f} s an iteration, {gan.recipe.batch_size / seconds:.0f} images/s")
    print(f"memory: {peak_memory()}")
    print(f"disk: about {disk_bytes(gan) / 1e6:,.0f} MB in the run folder")
    print(f"time: {loop.estimate(seconds, gan.recipe.iters)}")
    print("Nothing was trained or written. Leave out --dry-run to begin.")


def seconds_an_iteration(gan: GAN, pixels: np.ndarray) -> float:
    """Trains a few iterations and returns the mean time of one, compilation left out."""
    real = images.to_float(pixels[: gan.recipe.batch_size])
    for _ in range(WARM_UP):
        gan.train_on_batch(real)
    began = time.perf_counter()
    for _ in range(TIMED):
        gan.train_on_batch(real)
    return (time.perf_counter() - began) / TIMED


def peak_memory() -> str:
    """Names the most memory that the process has held so far, and the GPU's share."""
    parts = []
    try:
        import resource
        import sys
    except ImportError:  # Windows
        parts.append("not known on this system")
    else:
        unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        parts.append(f"{peak / 1e6:,.0f} MB at most")
    for index, name in enumerate(backend.gpus()):
        used: dict[str, Any] = tf.config.experimental.get_memory_info(f"GPU:{index}")
        parts.append(f"{used['peak'] / 1e6:,.0f} MB on {name}")
    return ", ".join(parts)


def disk_bytes(gan: GAN) -> float:
    """Estimates the size of the finished run folder."""
    recipe = gan.recipe
    networks = gan.generator.count_params() + gan.discriminator.count_params()
    # Checkpoints hold each weight and RMSprop's mean square of its gradient.
    checkpoints = 2 * BYTES * networks * min(recipe.keep_checkpoints, 1 + _saves(recipe))
    grids = (1 + recipe.iters // recipe.grid_every) * grid_bytes(recipe)
    log = 150 * recipe.iters  # bytes a line
    return checkpoints + BYTES * gan.generator.count_params() + 2 * grids + log


def grid_bytes(recipe: Recipe) -> float:
    """Estimates the size of one control grid's PNG."""
    return PNG_SHARE * recipe.control_latents * recipe.size**2 * 3


def _saves(recipe: Recipe) -> int:
    return recipe.iters // recipe.checkpoint_every
