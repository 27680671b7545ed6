"""What "auto" becomes, in one place."""

import dataclasses
import math

from kerasgan import growth
from kerasgan.conditions import LABELS
from kerasgan.recipes.schema import Recipe

# Times that D sees each picture. At so few it knows none by heart; at so many every picture is to
# be augmented (CIFAR's tenth in Zhao et al. 2020). On sets of faces, see docs/fast.md.
MIN_VIEWS, MAX_VIEWS = 20, 1_500
MIN_PROBABILITY = 0.01  # below which nothing is augmented


def resolve(
    recipe: Recipe, *, precision: str, pictures: int | None = None, classes: int | None = None
) -> Recipe:
    """Returns the recipe with everything that is "auto" in it settled.

    What is settled already stays, so that resolving twice changes nothing. Stages are fixed by
    `size` and `iters`: a training that is later given more iterations has them in its last stage.

    Args:
        recipe: any.
        precision: what an "auto" becomes: "float32", "bfloat16" or "float16". Where the recipe
            allows no float16, that becomes float32.
        pictures: in the training set. By how often `iters` iterations show each to D, an `augment`
            of "auto" rises from 0 at `MIN_VIEWS` to 1 at `MAX_VIEWS`, evenly with the logarithm.
            None where the number is not known: "auto" becomes "none".
        classes: of the pictures, None where that is not known. They count where the recipe's
            conditions are labels, and are 0 elsewhere.
    """
    return dataclasses.replace(
        recipe,
        precision=_precision(recipe, precision),
        augment=_augment(recipe, pictures),
        stages=_stages(recipe),
        classes=_classes(recipe, classes),
    )


def _precision(recipe: Recipe, fast: str) -> str:
    if recipe.precision != "auto":
        return recipe.precision
    # Slopes that a simultaneous update multiplies could vanish in float16.
    return "float32" if recipe.simultaneous and fast == "float16" else fast


def _stages(recipe: Recipe) -> str:
    if recipe.stages != "auto" or not recipe.grows:
        return recipe.stages
    return growth.spread(recipe.size, recipe.iters)


def _classes(recipe: Recipe, classes: int | None) -> int:
    if classes is None:
        return recipe.classes
    return classes if recipe.conditions == LABELS else 0


def _augment(recipe: Recipe, pictures: int | None) -> str:
    """The probability, in two digits, by how often D will see each picture."""
    if recipe.augment != "auto":
        return recipe.augment
    if pictures is None:
        return "none"
    views = recipe.iters * recipe.reals_an_iteration / max(pictures, 1)
    probability = math.log(views / MIN_VIEWS) / math.log(MAX_VIEWS / MIN_VIEWS)
    return f"{min(probability, 1.0):.2f}" if probability >= MIN_PROBABILITY else "none"
