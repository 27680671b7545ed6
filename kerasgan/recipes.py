"""Recipes: every hyperparameter of a training, each with its unit or its reason."""

import argparse
import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from kerasgan.cli import UserError

PRECISIONS = ("auto", "float32", "bfloat16", "float16")


def _field(default: Any, help: str, **metadata: Any) -> Any:
    """A field of the recipe: its default, and the one text that `--help` shows for it."""
    return dataclasses.field(default=default, metadata={"help": help, **metadata})


# fmt: off
@dataclass(frozen=True)
class Recipe:
    """Every hyperparameter of one training; the defaults are the tutorial's figures.

    Raises:
        UserError: a value is out of its range.
    """

    preset: str = _field("article", "name of the preset this recipe began as", flag=False)
    size: int = _field(128, "side of a picture, pixels; a multiple of 8, 32 to 1024")
    width: float = _field(1.0, "factor on the number of channels of every layer")
    latent_dim: int = _field(32, "numbers in a latent")
    leaky_slope: float = _field(0.3, "slope of LeakyReLU below zero, Keras' own default")
    dropout: float = _field(0.4, "share of D's last features dropped, 0 to below 1")
    iters: int = _field(20_000, "iterations in all: one update of D and one of G each",
                         resumable=True)
    batch_size: int = _field(16, "real pictures an iteration; D sees as many fakes beside them")
    learning_rate: float = _field(1e-4, "RMSprop's step, both networks")
    decay: float = _field(1e-8, "learning rate is divided by 1 + decay * iteration")
    clipvalue: float = _field(1.0, "each gradient entry is clipped to +- this; tames early steps")
    label_noise: float = _field(0.05, "D's labels are moved by this times uniform [0, 1)")
    frozen_d_training: bool = _field(True, "D's training= in G's update; True keeps its dropout on")
    control_latents: int = _field(36, "pictures in the control grid")
    control_scale: float = _field(0.5, "factor on the normal control latents; below 1 is tamer")
    grid_every: int = _field(50, "iterations between control grids", resumable=True)
    checkpoint_every: int = _field(50, "iterations between checkpoints", resumable=True)
    keep_checkpoints: int = _field(3, "last checkpoints kept", resumable=True)
    precision: str = _field("auto", "of the networks' arithmetic; auto takes what is fast here",
                            choices=PRECISIONS)
    seed: int = _field(0, "of weights, latents, labels, dropout and the order of pictures")
# fmt: on

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if type(value) is not field.type and (field.type, type(value)) != (float, int):
                kind = getattr(field.type, "__name__", field.type)
                raise UserError(f"`{flag(field.name)}` should be {kind}. Received: {value!r}.")
        for name, rule, holds in self._rules():
            if not holds:
                value = getattr(self, name)
                raise UserError(f"`{flag(name)}` should be {rule}. Received: {value}.")

    def _rules(self) -> list[tuple[str, str, bool]]:
        return [
            ("size", "a multiple of 8 from 32 to 1024", self.size in range(32, 1025, 8)),
            ("width", "above 0 and at most 16", 0 < self.width <= 16),
            ("latent_dim", "at least 1", self.latent_dim >= 1),
            ("leaky_slope", "from 0 to 1", 0 <= self.leaky_slope <= 1),
            ("dropout", "at least 0 and below 1", 0 <= self.dropout < 1),
            ("iters", "at least 1", self.iters >= 1),
            ("batch_size", "at least 1", self.batch_size >= 1),
            ("learning_rate", "above 0 and finite", 0 < self.learning_rate < math.inf),
            ("decay", "at least 0 and finite", 0 <= self.decay < math.inf),
            ("clipvalue", "above 0", self.clipvalue > 0),
            ("label_noise", "at least 0 and below 1", 0 <= self.label_noise < 1),
            ("control_latents", "at least 1", self.control_latents >= 1),
            ("control_scale", "above 0 and finite", 0 < self.control_scale < math.inf),
            ("grid_every", "at least 1", self.grid_every >= 1),
            ("checkpoint_every", "at least 1", self.checkpoint_every >= 1),
            ("keep_checkpoints", "at least 1", self.keep_checkpoints >= 1),
            ("precision", "one of " + ", ".join(PRECISIONS), self.precision in PRECISIONS),
            ("seed", "from 0 to 2147483647", 0 <= self.seed < 2**31),
        ]


PRESETS = {
    "article": Recipe(),
    # The same networks and loop, small enough for a CPU: an eighth of the channels, 64x64.
    "article-lite": Recipe(preset="article-lite", size=64, width=1 / 8),
}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds one flag for each field of the recipe; flags that are not typed leave no trace."""
    group = parser.add_argument_group("recipe", "each overrides what the preset says")
    for field in _flag_fields():
        options: dict[str, Any] = {"help": f"{field.metadata['help']} ({_defaults(field)})"}
        if field.type is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["type"] = field.type
            options["choices"] = field.metadata.get("choices")
            options["metavar"] = None if options["choices"] else "N" if field.type is int else "X"
        group.add_argument(flag(field.name), default=argparse.SUPPRESS, **options)


def overrides(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the recipe fields that were typed, by name."""
    return {f.name: getattr(args, f.name) for f in _flag_fields() if hasattr(args, f.name)}


def flag(name: str) -> str:
    """Returns the command line's name of a recipe field."""
    return "--" + name.replace("_", "-")


def refused_changes(old: Recipe, new: Recipe) -> list[str]:
    """Returns the differences, one phrase each, that would make a resumed run another run."""
    return [
        f"{flag(field.name)} {getattr(old, field.name)} -> {getattr(new, field.name)}"
        for field in dataclasses.fields(Recipe)
        if getattr(old, field.name) != getattr(new, field.name)
        and not field.metadata.get("resumable")
    ]


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
