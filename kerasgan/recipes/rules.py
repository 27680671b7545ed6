"""What a value should be, in words and as a test."""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from kerasgan import growth
from kerasgan.conditions import split_names
from kerasgan.errors import UserError
from kerasgan.text import shortened

AUGMENTATIONS = ("color", "translation", "cutout")  # the operations of kerasgan.augment


class Rule(NamedTuple):
    """What a value should be.

    Attributes:
        words: what comes after "should be".
        holds: whether a value of the right type is so.
    """

    words: str
    holds: Callable[[Any], bool]

    def require(self, name: str, value: object) -> None:
        """Raises UserError unless the rule holds for the value of the field `name`."""
        if not self.holds(value):
            received = shortened(str(value))
            raise UserError(f"`{flag(name)}` should be {self.words}. Received: {received}.")


def flag(name: str) -> str:
    """Returns the command line's name of a recipe field."""
    return "--" + name.replace("_", "-")


def one_of(names: tuple[str, ...]) -> Rule:
    """Returns the rule of a field that has choices."""
    return Rule("one of " + ", ".join(names), names.__contains__)


def _is_augment(text: str) -> bool:
    if text in ("none", "auto", "ada"):
        return True
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _is_stages(text: str) -> bool:
    try:
        return text == "auto" or bool(growth.parse(text))
    except ValueError:
        return False


def _are_conditions(text: str) -> bool:
    names = split_names(text)
    return all(name and name == name.strip() for name in names) and len(set(names)) == len(names)


NAME = Rule(
    "a word of letters, digits, - and _, since the run's folder is named by it",
    lambda value: re.fullmatch(r"[A-Za-z0-9_-]{1,40}", value) is not None,
)
COUNT = Rule("at least 1", lambda value: value >= 1)
POSITIVE = Rule("above 0 and finite", lambda value: 0 < value < math.inf)
NOT_NEGATIVE = Rule("at least 0 and finite", lambda value: 0 <= value < math.inf)
FRACTION = Rule("from 0 to 1", lambda value: 0 <= value <= 1)
BELOW_ONE = Rule("at least 0 and below 1", lambda value: 0 <= value < 1)
BELOW_HALF = Rule("at least 0 and below 0.5", lambda value: 0 <= value < 0.5)
STAGES = Rule(
    "auto or SIDE:FADE+STEADY of each side from 4 on, doubled each time, the last one's STEADY "
    f"the word rest: {growth.WORDS}",
    _is_stages,
)
CONDITIONS = Rule("none, labels or attributes, each once, with commas", _are_conditions)
AUGMENT = Rule("none, auto, ada or a probability from 0 to 1", _is_augment)
AUGMENT_OPS = Rule(
    "of color, translation and cutout, with commas",
    lambda text: bool(text) and set(text.split(",")) <= set(AUGMENTATIONS),
)
