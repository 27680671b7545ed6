"""What a training would take: measured here, without training anything that is kept."""

import dataclasses
import math
import time
from typing import NamedTuple

import numpy as np

from kerasgan import backend
from kerasgan.backend import tf
from kerasgan.cli import duration
from kerasgan.data import Pictures
from kerasgan.data.batches import Batches, Conditioned
from kerasgan.gan import GAN
from kerasgan.pace import (
    WARM_UP,
    Part,
    estimate,
    iterations_within,
    parts,
    seconds_of,
    timed_enough,
)
from kerasgan.recipes import Recipe

BYTES = 4  # of a float32, in which weights and optimizer states are kept
MEASURED_ITERS = 1_000  # of a training whose pace is taken, at least: no stage is left out
LOG_LINE = 220  # bytes of an iteration's line in the log
PNG_RATIO = 0.75  # bytes of a control grid's PNG to those of its pixels, about


def report(gan: GAN, pictures: Pictures) -> None:
    """Prints recipe, networks, data, device, speed, memory, duration and disk of a training.

    Args:
        gan: fresh networks; they are trained a few iterations to take the time.
        pictures: what would be trained on.
    """
    print("recipe:")
    for name, value in dataclasses.asdict(gan.recipe).items():
        print(f"  {name}: {value}")
    print(f"generator: {gan.generator.count_params():,} parameters")
    print(f"discriminator: {gan.discriminator.count_params():,} parameters")
    print(f"device: {backend.describe_device()}, {gan.recipe.precision}")
    paces = measure_paces(gan, Batches.of(pictures, gan.recipe).at(0))
    for pace in paces:
        rate = gan.recipe.reals_an_iteration / pace.seconds
        print(f"speed{pace.where}: {pace.seconds:.3f} s an iteration, {rate:.0f} images/s")
    print(f"memory: {peak_memory()}")
    seconds = sum(pace.seconds * pace.part.iterations for pace in paces)
    print(
        f"disk: about {disk_bytes(gan, seconds) / 1e6:,.0f} MB in the run folder in the end, "
        f"{written_bytes(gan, seconds) / 1e6:,.0f} MB written on the way; pictures "
        f"{pictures.pixels.nbytes / 1e6:,.0f} MB in {pictures.folder}"
    )
    print(f"time: {estimate(seconds / gan.recipe.iters, gan.recipe.iters)}")
    if every := gan.recipe.evaluate_every:
        count = gan.recipe.iters // every
        print(
            f"evaluations: {count:,} of {gan.recipe.evaluate_count:,} pictures, whose time comes "
            "on top; training tells it after the first"
        )
    print("Nothing was trained; the pictures are prepared. Leave out --dry-run to begin.")


def with_minutes(recipe: Recipe, pictures: Pictures, minutes: float) -> Recipe:
    """Returns the recipe with as many `iters` as take so long here, and says how many these are.

    The speed is that of networks which are trained a few iterations and thrown away.

    Args:
        recipe: of the training; what is "auto" in it may depend on `iters` and stays "auto".
        pictures: what will be trained on.
        minutes: of the training, above 0.

    Raises:
        UserError: the last of the recipe's stages would not be reached.
    """
    counts = {"pictures": len(pictures.pixels), "classes": len(pictures.label_names)}
    measured = dataclasses.replace(recipe, iters=max(recipe.iters, MEASURED_ITERS))
    gan = GAN(backend.resolved(measured, **counts))
    paces = measure_paces(gan, Batches.of(pictures, gan.recipe).at(0))
    seconds = {pace.part.side: pace.seconds for pace in paces}
    found = dataclasses.replace(recipe, iters=iterations_within(recipe, minutes, seconds))
    paces_in_words = ", ".join(f"{pace.seconds:.3f} s{pace.where}" for pace in paces)
    took = duration(seconds_of(found, seconds))
    print(
        f"An iteration takes {paces_in_words}: {found.iters:,} "
        f"iterations will take about {took}, and --iters is {found.iters}."
    )
    return found


class Pace(NamedTuple):
    """How long the iterations of a training, or of one of its stages, take here.

    Attributes:
        part: which those are.
        seconds: that one of them takes.
        where: the size of their pictures in words, where that changes; else nothing.
    """

    part: Part
    seconds: float
    where: str = ""


def measure_paces(gan: GAN, real: np.ndarray | Conditioned) -> list[Pace]:
    """Times a few iterations, of each stage where the pictures grow."""
    return [
        Pace(
            part,
            seconds_an_iteration(gan, real, part),
            f" at {part.side}x{part.side}" if gan.recipe.grows else "",
        )
        for part in parts(gan.recipe)
    ]


def seconds_an_iteration(gan: GAN, real: np.ndarray | Conditioned, part: Part) -> float:
    """Trains a few iterations of one part; returns one's mean time, once compiled."""
    numbers = range(part.start, part.start + part.iterations)

    def train() -> None:
        if int(gan.iteration) not in numbers:
            gan.iteration.assign(part.start)  # of a part too short to be timed, again
        gan.train_on_batch(real)

    for _ in range(WARM_UP):
        train()
    began, count, seconds = time.perf_counter(), 0, 0.0
    while not timed_enough(count, seconds):
        train()
        count, seconds = count + 1, time.perf_counter() - began
    return seconds / count


def peak_memory() -> str:
    """Names the most memory that the process has held so far, and that of the GPU."""
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
        try:
            used = tf.config.experimental.get_memory_info(f"GPU:{index}")
        except (ValueError, NotImplementedError):  # the device keeps no count
            continue
        parts.append(f"{used['peak'] / 1e6:,.0f} MB on {name}")
    return ", ".join(parts)


def disk_bytes(gan: GAN, seconds: float) -> float:
    """Estimates the size of the finished run folder.

    Args:
        gan: the networks.
        seconds: that the training will take.
    """
    recipe = gan.recipe
    best = 1 if recipe.evaluate_every else 0  # its checkpoint and its generator
    kept = min(recipe.keep_checkpoints, saves(recipe, seconds)) + best
    generators = (1 + best) * _generator_bytes(gan)
    return _steady_bytes(gan) + kept * _checkpoint_bytes(gan) + generators


def written_bytes(gan: GAN, seconds: float) -> float:
    """Estimates all that is written through the training, with what is replaced.

    Args:
        gan: the networks.
        seconds: that the training will take.
    """
    save = _checkpoint_bytes(gan) + _generator_bytes(gan)
    return _steady_bytes(gan) + saves(gan.recipe, seconds) * save


def saves(recipe: Recipe, seconds: float) -> int:
    """Estimates how many checkpoints a training writes, at least the one at its end.

    Args:
        recipe: `iters`, `checkpoint_every`, `checkpoint_minutes` and `evaluate_every`.
        seconds: that the training will take.
    """
    every, minutes = recipe.checkpoint_every, recipe.checkpoint_minutes
    counted = recipe.iters // every if every else 0
    timed = int(seconds / (60 * minutes)) if minutes else 0
    evaluated = recipe.iters // recipe.evaluate_every if recipe.evaluate_every else 0
    # Each begins the minutes anew, so that the more frequent ones leave few to the others.
    return max(1, counted + evaluated, timed)


def _steady_bytes(gan: GAN) -> float:
    """Grids, each as PNG and in the events, and the log."""
    recipe = gan.recipe
    grid = PNG_RATIO * recipe.control_latents * recipe.size**2 * recipe.channels
    return 2 * grid * (1 + recipe.iters // recipe.grid_every) + LOG_LINE * recipe.iters


def _checkpoint_bytes(gan: GAN) -> int:
    """Weights, also the averaged ones, and what the optimizers remember of each."""
    networks = [gan.generator, gan.discriminator, *([gan.ema_generator] if gan.recipe.ema else [])]
    optimizers = (gan.generator_optimizer, gan.discriminator_optimizer)
    states = [variable for optimizer in optimizers for variable in optimizer.variables]
    numbers = sum(network.count_params() for network in networks)
    return BYTES * (numbers + sum(math.prod(variable.shape) for variable in states))


def _generator_bytes(gan: GAN) -> int:
    return BYTES * gan.generator.count_params()
