"""What an exported file says of its network, as far as its format has a place for it."""

import dataclasses
from typing import Any

import kerasgan
from kerasgan.recipes import Recipe
from kerasgan.runs import Run
from kerasgan.saved import GENERATOR, SavedGenerator

KEY = "kerasgan"  # the name of the facts, in formats that have names for such
FILE = "kerasgan.json"  # of the facts, in formats that are folders
LATENTS, CONDITIONS, PICTURES = "latents", "conditions", "pictures"  # names of inputs and output


def of(generator: SavedGenerator, quantize: str | None = None) -> dict[str, Any]:
    """Returns what is known of a generator, as JSON has it.

    Args:
        generator: that is exported.
        quantize: what weights are kept in; None for float32.

    Returns:
        version: of kerasgan.
        inputs, outputs: names and shapes, None for the number of pictures.
        range: the values of black and white.
        latents: how they are drawn.
        weights: what they are kept in.
        fingerprint: of the weights as they were.
        conditions: kind and names; None for a generator that has none.
        recipe: what it was trained by; None where that is not known.
    """
    model = generator.model
    names = [LATENTS, CONDITIONS]
    inputs = {name: list(each.shape) for name, each in zip(names, model.inputs, strict=False)}
    known = generator.conditions
    recipe = _recipe(generator)
    return {
        "version": kerasgan.__version__,
        "inputs": inputs,
        "outputs": {PICTURES: list(model.outputs[0].shape)},
        "range": list(generator.range),
        "latents": "independent normal numbers, mean 0, standard deviation 1",
        "weights": quantize or "float32",
        "fingerprint": generator.fingerprint,
        "conditions": known
        and {"kind": "classes" if known.are_classes else "attributes", "names": known.names},
        "recipe": recipe and dataclasses.asdict(recipe),
    }


def _recipe(generator: SavedGenerator) -> Recipe | None:
    """Returns the recipe of the run that the generator lies in, if it does."""
    file = generator.file
    if file is None or file.name != GENERATOR or not (file.parent / "recipe.json").is_file():
        return None
    return Run(file.parent).read_recipe()
