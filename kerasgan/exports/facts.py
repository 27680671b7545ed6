"""What an exported file says of its network, as far as its format has a place for it."""

import dataclasses
from contextlib import suppress
from typing import Any

import kerasgan
from kerasgan import ranges
from kerasgan.errors import UserError
from kerasgan.recipes import Recipe
from kerasgan.runs import Run
from kerasgan.saved import SavedGenerator

FILE = "kerasgan.json"  # of the facts, in formats that hold files
LATENTS, CONDITIONS, PICTURES = "latents", "conditions", "pictures"  # names of inputs and output

DRAWN = "independent normal numbers of mean 0 and standard deviation 1"
MEANING = {
    "attributes": "1 for yes, -1 for no, 0 for what is not known",
    "classes": "1 for the picture's class, 0 for the others",
}


def of(
    generator: SavedGenerator, quantize: str | None = None, count: int | None = None
) -> dict[str, Any]:
    """Returns what is known of a generator, as JSON has it.

    Args:
        generator: that is exported.
        quantize: what weights are kept in; None for float32.
        count: of pictures that it draws at a time; None for any.

    Returns:
        version: of kerasgan.
        inputs, outputs: shapes by name.
        range: the values of black and white.
        latents: how they are drawn.
        weights: what they are kept in.
        fingerprint: of the weights before that.
        conditions: kind, names in their order and what their numbers mean; None for none.
        recipe: what it was trained by; None where that is not known.
    """
    model, recipe = generator.model, _recipe(generator)
    shapes = [[count, *each.shape[1:]] for each in (*model.inputs, *model.outputs)]
    names = (LATENTS, CONDITIONS)
    return {
        "version": kerasgan.__version__,
        "inputs": dict(zip(names, shapes[:-1], strict=False)),
        "outputs": {PICTURES: shapes[-1]},
        "range": list(generator.range),
        LATENTS: DRAWN,
        "weights": quantize or "float32",
        "fingerprint": generator.fingerprint,
        CONDITIONS: _conditions(generator),
        "recipe": None if recipe is None else dataclasses.asdict(recipe),
    }


def sentence(known: dict[str, Any]) -> str:
    """Returns what a network reads and gives: "latents (N, 64) to pictures (N, 64, 64, 3), ..."."""
    reads = " and ".join(f"{name} {_shape(shape)}" for name, shape in known["inputs"].items())
    (name, gives), *_ = known["outputs"].items()
    return f"{reads} to {name} {_shape(gives)} from {ranges.in_words(tuple(known['range']))}"


def _shape(sides: list[int | None]) -> str:
    return f"({', '.join('N' if side is None else str(side) for side in sides)})"


def _conditions(generator: SavedGenerator) -> dict[str, Any] | None:
    known = generator.conditions
    if known is None:
        return None
    kind = "classes" if known.are_classes else "attributes"
    return {"kind": kind, "names": known.names, "numbers": MEANING[kind]}


def _recipe(generator: SavedGenerator) -> Recipe | None:
    """Returns the recipe of the run that the generator lies in, if it does."""
    file = generator.file
    if file is None:
        return None
    run = Run(file.parent)
    if file in (run.generator, run.best_generator) and (run.folder / "recipe.json").is_file():
        with suppress(UserError):  # a recipe of another version says nothing here
            return run.read_recipe()
    return None
