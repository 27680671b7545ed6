"""Recipes: every hyperparameter of a training, and the presets among them.

Example:

>>> import dataclasses
>>> from kerasgan.recipes import PRESETS, resolve
>>> recipe = dataclasses.replace(PRESETS["progressive"], size=16, iters=2_000)
>>> resolve(recipe, precision="float32").stages
'4:500,8:250+250,16:250+rest'
"""

from kerasgan.recipes.flags import (
    add_flags,
    apply,
    architecture,
    changes_since,
    fingerprint,
    overrides,
    refused_changes,
)
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
    "architecture",
    "changes_since",
    "fingerprint",
    "flag",
    "overrides",
    "refused_changes",
    "resolve",
]
