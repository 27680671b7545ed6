"""Recipes: every hyperparameter of a training, and the presets among them."""

from kerasgan.recipes.flags import add_flags, apply, overrides, refused_changes
from kerasgan.recipes.presets import PRESETS
from kerasgan.recipes.resolve import resolve
from kerasgan.recipes.rules import flag
from kerasgan.recipes.schema import GROUPS, OPTIMIZERS, Recipe
from kerasgan.recipes.traits import (
    LABELLED,
    LOSS_TRAITS,
    LOSSES,
    NETWORK_TRAITS,
    NETWORKS,
    SIGNED,
    SMOOTH,
)

__all__ = [
    "GROUPS",
    "LABELLED",
    "LOSSES",
    "LOSS_TRAITS",
    "NETWORKS",
    "NETWORK_TRAITS",
    "OPTIMIZERS",
    "PRESETS",
    "SIGNED",
    "SMOOTH",
    "Recipe",
    "add_flags",
    "apply",
    "flag",
    "overrides",
    "refused_changes",
    "resolve",
]
