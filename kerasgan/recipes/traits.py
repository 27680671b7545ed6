"""What each loss and each network is like, one row each, known without TensorFlow.

Help texts, choices, checks and companions follow from these rows. The functions of a loss stand in
`kerasgan.losses`, under the same name; the module of a network in `kerasgan.models`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from kerasgan.recipes.rules import Rule, flag

Fields = Mapping[str, Any]  # some of a recipe's, by name

LABEL_FIELDS = ("label_noise", "label_smoothing", "label_flips")  # without a use if none are read
_NO_LABELS: Fields = MappingProxyType(dict.fromkeys(LABEL_FIELDS, 0.0))
_APART: Fields = MappingProxyType({"simultaneous": False})


@dataclass(frozen=True)
class LossTraits:
    """What a loss is like.

    Attributes:
        labelled: whether it compares D's output with labels.
        smooth: whether the slope of D's loss at a fake's logit is never 0.
        signed: whether the sign of a logit is a verdict.
        paired: whether G's loss compares each fake with a real.
        figures: what its paper sets beside it, fields of a recipe by name.
        bounded: whether those have a bound on D's slope of its own, beside which r1 and r2 fall.
    """

    labelled: bool = False
    smooth: bool = False
    signed: bool = False
    paired: bool = False
    figures: Fields = field(default_factory=dict)
    bounded: bool = False

    @property
    def companions(self) -> dict[str, Any]:
        """What the loss brings along where it is typed, unless that is typed too."""
        return {
            **({} if self.labelled else _NO_LABELS),
            **({} if self.smooth else _APART),
            **({"r1": 0.0, "r2": 0.0} if self.bounded else {}),
            **self.figures,
        }


@dataclass(frozen=True)
class NetworkTraits:
    """What a family of networks is like.

    Attributes:
        size: the sides that its pictures may have.
        grows: whether training begins with small pictures.
        compares_the_batch: whether D sees how the pictures of a batch differ.
        steerable: whether conditions may steer it.
    """

    size: Rule
    grows: bool = False
    compares_the_batch: bool = False
    steerable: bool = True


LOSS_TRAITS: dict[str, LossTraits] = {
    "bce": LossTraits(labelled=True, smooth=True, signed=True),
    "saturating": LossTraits(labelled=True, signed=True),
    "lsgan": LossTraits(labelled=True),
    "wgan": LossTraits(bounded=True, figures={"clip_weights": 0.01, "n_critic": 5}),
    "wgan-gp": LossTraits(
        bounded=True,
        figures={"gp": 10.0, "penalty_every": 1, "n_critic": 5, "d_batch_norm": False},
    ),
    "hinge": LossTraits(signed=True),
    "relativistic": LossTraits(smooth=True, paired=True),
}

_FOUR_SIDES = Rule("32, 64, 128 or 256", (32, 64, 128, 256).__contains__)

NETWORK_TRAITS: dict[str, NetworkTraits] = {
    "article": NetworkTraits(
        Rule("a multiple of 4 from 28 to 1024", range(28, 1025, 4).__contains__)
    ),
    "dcgan": NetworkTraits(_FOUR_SIDES),
    "fast": NetworkTraits(_FOUR_SIDES),
    "mlp": NetworkTraits(Rule("from 8 to 128", range(8, 129).__contains__)),
    "progressive": NetworkTraits(
        Rule("a power of 2 from 8 to 1024", (8, 16, 32, 64, 128, 256, 512, 1024).__contains__),
        grows=True,
        compares_the_batch=True,
        steerable=False,
    ),
}

LOSSES = tuple(LOSS_TRAITS)
LABELLED = tuple(name for name, traits in LOSS_TRAITS.items() if traits.labelled)
SMOOTH = tuple(name for name, traits in LOSS_TRAITS.items() if traits.smooth)
SIGNED = tuple(name for name, traits in LOSS_TRAITS.items() if traits.signed)
NETWORKS = tuple(NETWORK_TRAITS)


def size_rule(network: str) -> Rule:
    """Returns what `--size` should be for a family of networks."""
    rule = NETWORK_TRAITS[network].size
    return Rule(f"{rule.words} for --network {network}", rule.holds)


def size_help() -> str:
    """Says for `--help` which sides each family's pictures may have."""
    families: dict[str, list[str]] = {}
    for name, traits in NETWORK_TRAITS.items():
        families.setdefault(traits.size.words, []).append(name)
    sides = "; ".join(f"{', '.join(names)}: {words}" for words, names in families.items())
    return f"side of a picture, pixels; {sides}"


def loss_help() -> str:
    """Says for `--help` what a typed loss brings along."""
    typed = [
        f"{name} {' '.join(as_typed(*figure) for figure in traits.figures.items())}"
        for name, traits in LOSS_TRAITS.items()
        if traits.figures
    ]
    bounded = " and ".join(name for name, traits in LOSS_TRAITS.items() if traits.bounded)
    return (
        "of both networks; bce is the non-saturating one. A typed loss brings along what its paper "
        f"sets beside it, unless that is typed too: {', '.join(typed)}, {bounded} --r1 0 --r2 0, "
        f"all but {', '.join(LABELLED)} (losses with labels) --label-noise 0 --label-smoothing 0 "
        f"--label-flips 0, all but {' and '.join(SMOOTH)} --no-simultaneous"
    )


def as_typed(name: str, value: bool | float | str) -> str:
    """Returns a field of a recipe as it is typed: "--gp 10", "--no-d-batch-norm"."""
    if isinstance(value, bool):
        return flag(name) if value else "--no-" + flag(name)[2:]
    return f"{flag(name)} {value if isinstance(value, str) else format(value, 'g')}"
