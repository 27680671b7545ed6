"""The command line's flags, one for each field of the recipe."""

import argparse
import dataclasses
import json
from typing import Any

from kerasgan.recipes.presets import PRESETS
from kerasgan.recipes.rules import flag
from kerasgan.recipes.schema import GROUPS, NETWORKS, Recipe
from kerasgan.recipes.traits import LOSS_TRAITS

# Of the networks, what weights do not depend on.
_FREE = {"dropout", "init_std", "stages"}

_METAVARS: dict[Any, str] = {int: "N", float: "X", str: "WORD"}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds one flag for each field of the recipe; flags that are not typed leave no trace."""
    groups = {
        name: parser.add_argument_group(f"recipe: {name}", "each overrides what the preset says")
        for name in GROUPS
    }
    for field in _flag_fields():
        options: dict[str, Any] = {"help": f"{field.metadata['help']} ({_defaults(field)})"}
        if field.type is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["type"] = field.type
            options["choices"] = field.metadata.get("choices")
            options["metavar"] = None if options["choices"] else _METAVARS[field.type]
        group = groups[field.metadata["group"]]
        group.add_argument(flag(field.name), default=argparse.SUPPRESS, **options)


def overrides(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the recipe fields that were typed, by name."""
    return {f.name: getattr(args, f.name) for f in _flag_fields() if hasattr(args, f.name)}


def apply(base: Recipe, typed: dict[str, Any]) -> Recipe:
    """Returns the recipe that typed flags make of another, with what a typed loss brings along.

    Args:
        base: a preset, or the recipe of another run.
        typed: fields by name, as `overrides` returns them.

    Raises:
        UserError: a value is out of its range, or two of them make no sense together.
    """
    loss = LOSS_TRAITS.get(typed.get("loss", ""))
    return dataclasses.replace(base, **(loss.companions if loss else {}) | typed)


def architecture(recipe: Recipe) -> dict[str, Any]:
    """Returns the fields that networks have to share for one to take the other's weights."""
    return {
        field.name: getattr(recipe, field.name)
        for field in dataclasses.fields(Recipe)
        if field.metadata["group"] == NETWORKS and field.name not in _FREE
    }


def refused_changes(old: Recipe, new: Recipe) -> list[str]:
    """Returns the differences, one phrase each, that would make a resumed run another run."""
    return [
        f"{flag(field.name)} {getattr(old, field.name)} -> {getattr(new, field.name)}"
        for field in _kept_fields()
        if getattr(old, field.name) != getattr(new, field.name)
    ]


def fingerprint(recipe: Recipe) -> str:
    """Returns as JSON all of a recipe that a resumed run keeps."""
    kept = {field.name: getattr(recipe, field.name) for field in _kept_fields()}
    return json.dumps(kept, sort_keys=True)


def changes_since(kept: str | bytes, recipe: Recipe) -> list[str]:
    """Returns what differs now, one phrase each.

    Args:
        kept: what `fingerprint` returned, in this version or in an older one, which may have had
            fewer fields.
        recipe: of now.
    """
    before = json.loads(kept)
    return [
        f"{flag(field.name)} {before[field.name]} -> {getattr(recipe, field.name)}"
        for field in _kept_fields()
        if before.get(field.name, getattr(recipe, field.name)) != getattr(recipe, field.name)
    ]


def _kept_fields() -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(Recipe) if not f.metadata.get("resumable")]


def _flag_fields() -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(Recipe) if f.metadata.get("flag", True)]


def _defaults(field: dataclasses.Field[Any]) -> str:
    """Names the default, and the presets that have another value."""
    default = getattr(PRESETS["article"], field.name)
    others = [
        f"{name}: {value}"
        for name, preset in PRESETS.items()
        if (value := getattr(preset, field.name)) != default
    ]
    return "; ".join([f"default: {default}", *others])
