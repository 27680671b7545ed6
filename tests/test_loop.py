"""A network that does not learn is named, whatever else in it moves by itself."""

import dataclasses

import numpy as np
import pytest

from kerasgan.gan import GAN
from kerasgan.loop import MOVED_WITHIN, MovementCheck
from kerasgan.recipes import PRESETS

TINY = {
    "article": {"size": 28, "width": 1 / 64},
    "article-lite": {"size": 28, "width": 1 / 8},
    "dcgan": {"size": 32, "width": 1 / 64},
    "fast": {"size": 32, "width": 1 / 8, "augment": "none"},
    "mlp": {"size": 8, "width": 1 / 16},
    "progressive": {"size": 8, "width": 1 / 64, "stages": "4:2,8:2+rest"},
    "conditional": {"size": 32, "width": 1 / 8},
}
OTHERS = {
    "spectral": ("mlp", {"spectral_norm": True, "size": 8, "width": 1 / 16}),
    "spectral-dcgan": (
        "dcgan", {"spectral_norm": True, "d_batch_norm": False, "size": 32, "width": 1 / 64},
    ),
    "clipped": (
        "mlp",
        {"loss": "wgan", "label_noise": 0.0, "clip_weights": 0.01, "size": 8, "width": 1 / 16},
    ),
}  # fmt: skip
KINDS = {name: (name, fields) for name, fields in TINY.items()} | OTHERS


def batch(recipe, number):
    rng = np.random.default_rng(number)
    shape = (recipe.reals_an_iteration, recipe.size, recipe.size, recipe.channels)
    real = rng.uniform(-1, 1, shape).astype(np.float32)
    if not recipe.condition_size:
        return real
    return real, rng.choice([-1, 1], (len(real), recipe.condition_size)).astype(np.float32)


def said_of(recipe, stuck=()):
    """What is said of a training in which some optimizers do nothing."""
    gan = GAN(recipe)
    for network in stuck:
        getattr(gan, f"{network}_optimizer").apply = lambda *_, **__: None
    check, said = MovementCheck(gan, 0), []
    for iteration in range(1, MOVED_WITHIN + 2):
        if iteration in (1, 2, 3, MOVED_WITHIN):
            gan.train_on_batch(batch(recipe, iteration))
        said.append(check.check(iteration))
    assert said[: MOVED_WITHIN - 1] + said[MOVED_WITHIN:] == [None] * MOVED_WITHIN
    return said[MOVED_WITHIN - 1]


def test_every_preset_is_tried():
    assert TINY.keys() == PRESETS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_that_does_not_move_is_named(kind, eagerly):
    preset, fields = KINDS[kind]
    recipe = dataclasses.replace(PRESETS[preset], precision="float32", batch_size=4, **fields)
    assert said_of(recipe) is None
    for network in ("generator", "discriminator"):
        assert said_of(recipe, [network]) == (
            f"warning: the weights of the {network} have not moved at all."
        )


def test_both_may_be_stuck(eagerly):
    recipe = dataclasses.replace(PRESETS["mlp"], size=8, width=1 / 16, precision="float32")
    assert said_of(recipe, ["generator", "discriminator"]) == (
        "warning: the weights of the generator and the discriminator have not moved at all."
    )
