"""A training that begins with the weights of another: the way with few pictures.

What it begins with is what a run keeps of its networks: the generator that is shown, which the
averaged one begins with too, and the discriminator beside it. Optimizers begin anew.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasgan import models, saved, verdicts
from kerasgan.errors import UserError
from kerasgan.text import printable

if TYPE_CHECKING:
    from kerasgan.gan import GAN


@dataclass(frozen=True)
class Start:
    """The weights that a training begins with.

    Attributes:
        place: that they were read from, as it was typed.
        fingerprint: of the generator, as `SavedGenerator.fingerprint` gives it.
        generator: weights, in the order of a portable generator's.
        discriminator: weights, in the order of a portable discriminator's.
    """

    place: str
    fingerprint: str
    generator: list[np.ndarray]
    discriminator: list[np.ndarray]

    def give(self, gan: "GAN") -> None:
        """Gives the weights to the networks of a new training.

        Raises:
            UserError: they are of other networks.
        """
        _require_the_same_shapes(self, gan.generator.get_weights(), self.generator, "generator")
        own = models.portable_weights(gan.discriminator)
        _require_the_same_shapes(self, own, self.discriminator, "discriminator")
        for network in (gan.generator, gan.ema_generator):
            if network is not None:
                network.set_weights(self.generator)
        models.take_portable_weights(gan.discriminator, self.discriminator)

    def facts(self) -> dict[str, Any]:
        """Returns what a run records of it, as JSON has it."""
        return {"place": self.place, "generator": self.fingerprint}


def read(place: str | Path) -> Start:
    """Reads the weights to begin with.

    Args:
        place: a run's folder, or the name of a generator that comes along.

    Raises:
        UserError: there are no such networks, or they cannot be read.
    """
    generator, discriminator = saved.load(place), verdicts.load(place)
    return Start(
        str(place),
        generator.fingerprint,
        generator.model.get_weights(),
        discriminator.model.get_weights(),
    )


def _require_the_same_shapes(
    start: Start, own: list[np.ndarray], others: list[np.ndarray], name: str
) -> None:
    if [weight.shape for weight in own] != [weight.shape for weight in others]:
        raise UserError(
            "A training should start from networks such as its recipe builds. Received: "
            f"{printable(start.place)}, whose {name} has other layers than its recipe.json says. "
            "Name another run."
        )
