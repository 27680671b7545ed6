"""A trained discriminator as a file, and what it says of pictures.

It lies beside its generator, as `discriminator.keras`, and is a network's file as that is, see
`network_file`. Its facts:

    kerasgan.json   version, size, channels, range, loss, conditions
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import kerasgan
from kerasgan import conditions as steering
from kerasgan import images, network_file, saved
from kerasgan.conditions import Conditions
from kerasgan.errors import UserError
from kerasgan.network_file import DISCRIMINATOR, FACTS, damaged
from kerasgan.saved import SavedGenerator
from kerasgan.text import printable

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

FILE = "discriminator.keras"  # its name in a run's folder
REALS, FAKES, PICTURES = "reals", "fakes", "pictures"  # groups of them, by name
BATCH = 16  # pictures judged together; some networks compare those of a batch


class SavedDiscriminator:
    """A trained discriminator, to judge with; see `load`.

    Args:
        model: pictures (B, H, W, 1 or 3) in [-1, 1], or [pictures, conditions (B, C)], to verdicts
            (B, 1), with a layer "logits" before them.
        conditions: names and examples of what steers it, if anything does.
        file: that it was read from; None for one that was not.

    Attributes:
        height: of the pictures, pixels.
        width: likewise.
        channels: 3 for RGB, 1 for grey.

    Raises:
        UserError: the model is no discriminator.
    """

    def __init__(
        self,
        model: "keras.Model",
        conditions: Conditions | None = None,
        file: Path | None = None,
    ) -> None:
        _require_discriminator(model, file, conditions)
        from kerasgan.models import logits_of

        self.model, self.conditions, self.file = model, conditions, file
        self.height, self.width, self.channels = model.inputs[0].shape[1:]
        self._logits = logits_of(model)

    def logits(self, pictures: "tf.Tensor", conditions: "tf.Tensor | None" = None) -> "tf.Tensor":
        """Gives logits that have slopes by the pictures.

        Args:
            pictures: float32 in [-1, 1], (B, H, W, channels).
            conditions: float32, (B, C), for a discriminator that has them; unless given nothing is
                said of the pictures.

        Returns:
            float32, (B, 1): the higher, the more real.
        """
        from kerasgan.backend import tf

        if self.conditions is None:
            return self._logits(pictures, training=False)
        if conditions is None:
            conditions = tf.zeros((tf.shape(pictures)[0], len(self.conditions.names)))
        return self._logits(
            [tf.convert_to_tensor(pictures), tf.convert_to_tensor(conditions)], training=False
        )

    def judge(self, pixels: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Says how real pictures look.

        Args:
            pixels: uint8, (N, H, W, channels), N at least 1.
            conditions: float32, (N, C), as for `logits`.

        Returns:
            Logits, float32 (N,). How high they are depends on the loss that D was trained with;
            what can be compared are those of one discriminator.
        """
        starts = range(0, len(pixels), BATCH)
        parts = [slice(start, start + BATCH) for start in starts]
        return np.concatenate(
            [
                np.asarray(
                    self.logits(
                        images.to_float(pixels[part]),
                        None if conditions is None else conditions[part],
                    )
                )[:, 0]
                for part in parts
            ]
        )


@dataclass(frozen=True)
class Verdicts:
    """What a discriminator says of several groups of pictures.

    Attributes:
        logits: float32 (N,) of each group by its name; `FAKES` is always there.
        names: of the pictures of the group `PICTURES`, if there is one.
    """

    logits: Mapping[str, np.ndarray]
    names: Sequence[str] = ()

    def figures(self) -> dict[str, Any]:
        """Returns the figures as JSON has them.

        Of each group how many there are, and the mean, the deviation and the quartiles of their
        logits; where there are reals also `accuracy`, in what fraction of all pairs of a real and
        a fake D puts the real higher; and of each picture its logit, and the fraction of fakes and
        of reals that D puts below it.
        """
        figures: dict[str, Any] = {name: _summary(values) for name, values in self.logits.items()}
        fakes, reals = self.logits[FAKES], self.logits.get(REALS)
        if reals is not None:
            figures["accuracy"] = float(np.mean(_below(fakes, reals)))
        if self.names:
            groups = {"above_fakes": fakes} | ({} if reals is None else {"above_reals": reals})
            own = self.logits[PICTURES]
            above = {name: _below(values, own) for name, values in groups.items()}
            figures["each"] = [
                {"name": name, "logit": float(own[place])}
                | {key: float(values[place]) for key, values in above.items()}
                for place, name in enumerate(self.names)
            ]
        return figures


def table(figures: Mapping[str, Any]) -> str:
    """Lays out what `Verdicts.figures` returned, for the screen."""
    lines = ["              count     mean   deviation   quartiles"]
    for name in (REALS, FAKES, PICTURES):
        if row := figures.get(name):
            quartiles = "  ".join(f"{value:7.2f}" for value in row["quartiles"])
            lines.append(
                f"{name:10} {row['count']:8,} {row['mean']:8.2f} {row['deviation']:11.2f}   "
                f"{quartiles}"
            )
    if "accuracy" in figures:
        lines.append(f"a real above a fake: {figures['accuracy']:.1%} of all pairs (by chance 50%)")
    for each in figures.get("each", ()):
        reals = f", {each['above_reals']:.0%} of the reals" if "above_reals" in each else ""
        lines.append(
            f"{printable(each['name'])}: {each['logit']:.2f}, above "
            f"{each['above_fakes']:.0%} of the fakes{reals}"
        )
    return "\n".join(lines)


def build_facts(model: "keras.Model", loss: str, conditions: Conditions | None) -> dict[str, Any]:
    """Returns what a discriminator's file says beside its network."""
    height, width, channels = model.inputs[0].shape[1:]
    return {
        "version": kerasgan.__version__,
        "size": height if height == width else [height, width],
        "channels": channels,
        "range": saved.RANGE,
        "loss": loss,
        "conditions": conditions.to_json() if conditions else None,
    }


def write(
    path: Path,
    model: "keras.Model",
    loss: str,
    conditions: Conditions | None = None,
    half: bool = False,
) -> None:
    """Writes a discriminator as one `.keras` file, whole or not at all.

    Args:
        path: where it goes.
        model: of Keras' own layers, see `models.build_portable_discriminator`.
        loss: that it was trained with, one of `recipes.LOSSES`.
        conditions: names and examples of what steers it, if anything does.
        half: whether kernels are kept in float16.
    """
    network_file.write(path, model, build_facts(model, loss, conditions), half)


def load(place: str | Path) -> SavedDiscriminator:
    """Loads the discriminator that lies beside a generator.

    Args:
        place: of the generator, as for `saved.load`.

    Raises:
        UserError: there is none, it is damaged, it is another model, or it has layers that are not
            among the harmless ones.
    """
    file = find(saved.find(place))
    facts = network_file.check(file, DISCRIMINATOR)[FACTS] or {}
    if not isinstance(facts, dict):
        raise damaged(file, DISCRIMINATOR, f"whose {FACTS} holds no facts")
    known = facts.get("conditions")
    conditions = None if known is None else steering.parse(known, file)
    return SavedDiscriminator(network_file.open_checked(file, DISCRIMINATOR), conditions, file)


def find(generator: Path) -> Path:
    """Returns the file of the discriminator that belongs to a generator's file.

    That is the one in its folder, or that of another file's name: "me-discriminator.keras" beside
    "me.keras".

    Raises:
        UserError: there is none.
    """
    own = generator.with_name(f"{generator.stem}-{FILE}")
    places = [generator.with_name(FILE)] if generator.name.startswith("generator") else []
    for file in (own, *places):
        if file.is_file():
            return file
    raise UserError(
        f"A generator should have a discriminator beside it. Received: {generator}, without "
        f"{(places or [own])[0]}. Name a run: one that goes on, writes it with its next checkpoint."
    )


def require_the_same_pictures(discriminator: SavedDiscriminator, generator: SavedGenerator) -> None:
    """Raises UserError unless one network reads what the other draws."""
    draws = generator.height, generator.width, generator.channels
    reads = discriminator.height, discriminator.width, discriminator.channels
    if draws != reads:
        raise UserError(
            "A discriminator should read what its generator draws. Received: "
            f"{discriminator.file}, which reads {reads}, with {generator.file}, which draws "
            f"{draws}."
        )


def _below(values: np.ndarray, bars: np.ndarray) -> np.ndarray:
    """Returns which fraction of values lies below each bar; of equal ones half."""
    ordered = np.sort(values)
    sides = [np.searchsorted(ordered, bars, side) for side in ("left", "right")]
    return np.mean(sides, axis=0) / len(ordered)


def _summary(logits: np.ndarray) -> dict[str, Any]:
    quartiles = np.quantile(logits, [0.25, 0.5, 0.75])
    return {
        "count": len(logits),
        "mean": float(logits.mean()),
        "deviation": float(logits.std()),
        "quartiles": quartiles.tolist(),
    }


def _require_discriminator(
    model: "keras.Model", file: Path | None, conditions: Conditions | None
) -> None:
    """Raises UserError unless a model maps pictures (N, H, W, 1 or 3) to verdicts (N, 1)."""
    reads, gives = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    pictures, *others = reads if isinstance(reads, list) else [reads]
    if (
        others == ([(None, len(conditions.names))] if conditions else [])
        and isinstance(pictures, tuple)
        and len(pictures) == 4
        and None not in pictures[1:]
        and pictures[3] in (1, 3)
        and gives == (None, 1)
        and any(layer.name == "logits" for layer in model.layers)
    ):
        return
    raise UserError(
        "A discriminator should map pictures (N, H, W, 1 or 3) to verdicts (N, 1), with a layer "
        f"named logits. Received: {file or model.name}, which maps {reads} to {gives}. Name a run."
    )
