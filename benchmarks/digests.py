"""Prints the losses and a digest of all weights after five iterations of many kinds of training.

    python benchmarks/digests.py > before.txt    # then change the code, and
    python benchmarks/digests.py | diff before.txt -

A change that should leave trainings as they are leaves every line as it is, on the same machine.
"""

import argparse
import dataclasses
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kerasgan import backend
from kerasgan.checkpoints import Checkpoints
from kerasgan.gan import GAN
from kerasgan.recipes import PRESETS, Recipe

ITERATIONS = 5
STOP = 3  # iterations before the one that is interrupted goes on in other objects

LAZY = {"r1": 1.0, "r2": 0.5, "penalty_every": 2}
EVERYTHING = {
    **LAZY,
    **{"ema": 0.9, "augment": "ada", "ada_images": 50, "instance_noise": 0.1},
    **{"instance_noise_iters": 3, "n_critic": 2, "spectral_norm": True, "g_batch_norm": True},
    **{"label_noise": 0.05, "label_flips": 0.1, "label_smoothing": 0.1, "smooth_fakes": True},
    **{"d_learning_rate": 4e-4, "optimizer": "adam", "energy": 2.0, "dropout": 0.3},
}
NO_LABELS = {"label_noise": 0.0}
GROWING = {"size": 16, "stages": "4:1,8:1+1,16:1+rest", "iters": 20, "batch_size": 4}

# The preset and what is set beside it, by name; each small enough for a CPU.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "article": ("article", {"width": 1 / 16, "batch_size": 4}),
    "article-lite": ("article-lite", {"batch_size": 4}),
    "dcgan": ("dcgan", {"width": 1 / 8, "batch_size": 8}),
    "fast": ("fast", {"augment": "0.3"}),
    "mlp": ("mlp", {"batch_size": 8}),
    "progressive": ("progressive", {"batch_size": 4}),
    "conditional": ("conditional", {"width": 1 / 8, "batch_size": 8}),
    "growing": ("progressive", GROWING),
    "growing-dropout": ("progressive", {**GROWING, "dropout": 0.3, "augment": "0.5"}),
    "growing-wgan": ("progressive", {**GROWING, "loss": "wgan", "clip_weights": 0.5, "r1": 0.0}),
    "labels": ("mlp", {"conditions": "labels", "classes": 5, "batch_size": 8}),
    "fast-labels": ("fast", {"conditions": "labels", "classes": 5, "augment": "none"}),
    "ada": ("article-lite", {"augment": "ada", "ada_images": 50, "batch_size": 4}),
    "lazy": ("article-lite", {**LAZY, "batch_size": 4}),
    "n-critic": ("mlp", {"n_critic": 3, "batch_size": 8}),
    "everything": ("article-lite", {**EVERYTHING, "batch_size": 4, "size": 32}),
    "everything-labels": (
        "article-lite",
        {**EVERYTHING, "batch_size": 4, "size": 32, "conditions": "labels", "classes": 5},
    ),
    "smoothed": (
        "fast",
        {"loss": "bce", "label_smoothing": 0.1, "label_noise": 0.05, "augment": "none"},
    ),
    "wgan": ("mlp", {**NO_LABELS, "loss": "wgan", "clip_weights": 0.01, "batch_size": 8}),
    "wgan-gp": ("mlp", {**NO_LABELS, "loss": "wgan-gp", "gp": 10.0, "batch_size": 8}),
    "hinge": ("mlp", {**NO_LABELS, "loss": "hinge", "spectral_norm": True, "batch_size": 8}),
    "relativistic": ("mlp", {**NO_LABELS, "loss": "relativistic", "batch_size": 8}),
    "saturating": ("mlp", {"loss": "saturating", "batch_size": 8}),
    "lsgan-sgd": ("mlp", {"loss": "lsgan", "optimizer": "sgd", "batch_size": 8}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    for name in parser.parse_args().only:
        for precision in ("float32", "bfloat16", "float16"):
            if precision == "float16" and name not in ("everything", "article-lite"):
                continue
            preset, fields = KINDS[name]
            recipe = dataclasses.replace(PRESETS[preset], precision=precision, **fields)
            print(name, precision, *digest_of(recipe), flush=True)


def digest_of(recipe: Recipe) -> Iterator[str]:
    """Yields the losses of each iteration and the digest, without a stop and with one."""
    backend.configure(recipe.seed)
    whole = GAN(recipe)
    yield from (_losses(whole, number) for number in range(ITERATIONS))
    yield _weights(whole)
    stopped, resumed = GAN(recipe), GAN(recipe)
    for number in range(STOP):
        stopped.train_on_batch(batch(recipe, number))
    with tempfile.TemporaryDirectory() as folder:
        Checkpoints(stopped, Path(folder), keep=1).save()
        Checkpoints(resumed, Path(folder), keep=1).restore()
    for number in range(STOP, ITERATIONS):
        resumed.train_on_batch(batch(recipe, number))
    yield _weights(resumed)


def batch(recipe: Recipe, number: int) -> Any:
    """Makes the reals of an iteration, with conditions where the recipe has them."""
    rng = np.random.default_rng(number)
    shape = (recipe.reals_an_iteration, recipe.size, recipe.size, recipe.channels)
    real = rng.uniform(-1, 1, shape).astype(np.float32)
    if not recipe.condition_size:
        return real
    conditions = rng.choice([-1, 1], (len(real), recipe.condition_size))
    if recipe.conditions == "labels":
        conditions = np.eye(recipe.classes)[rng.integers(recipe.classes, size=len(real))]
    return real, conditions.astype(np.float32)


def _losses(gan: GAN, number: int) -> str:
    scalars = gan.train_on_batch(batch(gan.recipe, number))
    return ",".join(value.hex() for value in map(float, scalars.values()))


def _weights(gan: GAN) -> str:
    whole = hashlib.sha256()
    networks = [gan.generator, gan.discriminator, gan.ema_generator]
    arrays = [weight for network in networks if network for weight in network.get_weights()]
    optimizers = (gan.generator_optimizer, gan.discriminator_optimizer)
    arrays += [variable.numpy() for part in optimizers for variable in part.variables]
    for array in arrays:
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()[:16]


if __name__ == "__main__":
    main()
