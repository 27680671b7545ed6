"""The stages of a training in which the pictures grow (Karras et al. 2018).

In words they are SIDE:FADE+STEADY, one for each size from 4 on, doubled each time: the new layers
fade in over FADE iterations and train fully faded in for STEADY more. The first has nothing to
fade from, the last goes on to the end: "4:100,8:50+50,16:50+rest". Size and fade are a function of
the iteration alone, so that a training can be taken up again anywhere.
"""

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

FIRST_SIDE = 4
WORDS = "4:100,8:50+50,16:50+rest"  # an example for messages
_STAGE = re.compile(r"(\d+):(?:(\d+)\+)?(\d+|rest)", re.ASCII)


class Stage(NamedTuple):
    """One size of the pictures.

    Attributes:
        side: of a picture, pixels.
        start: iterations done before it.
        fade: iterations in which its layers fade in, the first ones.
        end: iterations done after it; infinite for the last stage.
    """

    side: int
    start: int
    fade: int
    end: float

    def alpha(self, done: int) -> float:
        """Returns the weight of this stage's layers in the picture, above 0 to 1.

        Args:
            done: iterations done before the one that is asked about.
        """
        return min((done - self.start + 1) / self.fade, 1.0) if self.fade else 1.0


def parse(text: str) -> tuple[Stage, ...]:
    """Reads stages.

    Args:
        text: such as "4:100,8:50+50,16:50+rest".

    Raises:
        ValueError: it is no such text.
    """
    matches = [_STAGE.fullmatch(part) for part in text.split(",")]
    if not all(matches):
        raise ValueError(text)
    stages, start = [], 0
    for match in filter(None, matches):
        side, fade, steady = int(match[1]), int(match[2] or 0), match[3]
        end = math.inf if steady == "rest" else start + fade + int(steady)
        stages.append(Stage(side, start, fade, end))
        start = int(end) if math.isfinite(end) else start
    _require_growth(stages, text)
    return tuple(stages)


def _require_growth(stages: list[Stage], text: str) -> None:
    """Raises ValueError unless sides double from the first, and the last stage alone has no end."""
    sides = [stage.side for stage in stages]
    doubles = sides[0] == FIRST_SIDE and all(b == 2 * a for a, b in pairwise(sides))
    endless = [math.isinf(stage.end) for stage in stages]
    if not doubles or stages[0].fade or endless != [False] * (len(stages) - 1) + [True]:
        raise ValueError(text)


def sides(size: int) -> list[int]:
    """Returns the sides from the first to `size`, a power of 2."""
    return [FIRST_SIDE * 2**step for step in range(int(math.log2(size // FIRST_SIDE)) + 1)]


def spread(size: int, iters: int) -> str:
    """Returns stages of equal length, half of each fading, and a last one twice as long.

    Args:
        size: of the last stage, a power of 2 above the first side.
        iters: of the whole training.
    """
    _, *middle, last = sides(size)
    length = iters // (len(middle) + 3)
    fade, steady = length // 2, length - length // 2
    parts = [f"{side}:{fade}+{steady}" for side in middle]
    return ",".join([f"{FIRST_SIDE}:{length}", *parts, f"{last}:{fade}+rest"])


def grown(size: int) -> str:
    """Returns stages of which only the last takes any iterations: nothing grows any more.

    Args:
        size: of the last stage, a power of 2 above the first side.
    """
    *smaller, last = sides(size)
    return ",".join([*(f"{side}:0" for side in smaller), f"{last}:rest"])


def stage_at(stages: Sequence[Stage], done: int) -> Stage:
    """Returns the stage of the iteration that comes after `done` others."""
    return next(stage for stage in stages if done < stage.end)
