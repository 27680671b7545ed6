"""Judges a training by its evaluations: has it collapsed, does it still get better?"""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

from kerasgan.recipes import Recipe

ALIKE = 0.3  # diversity below which the samples are a few pictures over and over
VARIED = 2  # times that, from which on they were not: a fall from there is no chance
WORSE = 1.25  # times the best score, which is more than evaluations differ by chance
IN_A_ROW = 3  # evaluations that have to agree
WON = 0.999  # accuracy from which on D tells every fake from every real
MOST_ROLLBACKS = 3
SLOWER = 0.5  # factor on both learning rates after each rollback

EVALUATION, ROLLED_BACK_TO = "evaluation", "rolled_back_to"  # keys of a line in the log


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What was measured after one iteration.

    Attributes:
        iteration: after which.
        seconds: of training until then, evaluations left out.
        kid_x1000, kid_x1000_low, kid_x1000_high: KID with its 95% interval.
        diversity: see `metrics.Evaluator.compare`; the smallest of all features'.
        d_accuracy: mean since the evaluation before, 0 to 1.
        face_frechet: Frechet distance in a network that knows faces; None for other pictures.
        faces_found: share of the pictures with a face; None for other pictures.
        side: that pictures had grown to, pixels; None where they do not grow.
    """

    iteration: int
    seconds: float
    kid_x1000: float
    kid_x1000_low: float
    kid_x1000_high: float
    diversity: float
    d_accuracy: float
    face_frechet: float | None = None
    faces_found: float | None = None
    side: int | None = None

    @property
    def score(self) -> float:
        """The less the better: the geometric mean of KID x 1000 and 1000 times face Frechet.

        Either alone is deceived: ImageNet's features by texture, faces' by the background.
        Below the least that a measurement can tell from 0, neither counts further.
        """
        kid = max(self.kid_x1000, 1.0)
        if self.face_frechet is None:
            return kid
        return math.sqrt(kid * max(1000 * self.face_frechet, 1.0))

    def words(self) -> str:
        """Returns the figures for a progress bar."""
        faces = "" if self.faces_found is None else f" faces {self.faces_found:.0%}"
        return f"KID {self.kid_x1000:.0f}{faces} (x1000, iteration {self.iteration:,})"


class Watch:
    """Keeps the evaluations of a training and judges by them.

    Args:
        recipe: `on_collapse` and `patience`.

    Attributes:
        evaluations: in order.
        rollbacks: iterations after which the training went back to better weights, in order.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.evaluations: list[Evaluation] = []
        self.rollbacks: list[int] = []

    def recall(self, lines: Iterable[dict[str, Any]]) -> None:
        """Takes up what the lines of a log say."""
        for line in lines:
            if figures := line.get(EVALUATION):
                self.evaluations.append(Evaluation(iteration=int(line["iteration"]), **figures))
            if ROLLED_BACK_TO in line:
                self.rollbacks.append(int(line["iteration"]))

    @property
    def slowdown(self) -> float:
        """The factor on both learning rates, 1 before the first rollback."""
        return SLOWER ** len(self.rollbacks)

    def best(self, among: Sequence[Evaluation] | None = None) -> Evaluation | None:
        """Returns the best evaluation, of all unless some are given; None without any.

        Samples that are all alike are no good, however close to the reals.
        """
        among = self.evaluations if among is None else among
        return min(among, key=lambda e: (e.diversity < ALIKE, e.score), default=None)

    @property
    def may_roll_back(self) -> bool:
        """Whether a collapsed training is to be brought back once more."""
        return self.recipe.on_collapse == "rollback" and len(self.rollbacks) < MOST_ROLLBACKS

    def target(self, side: int | None) -> Evaluation | None:
        """Returns the evaluation whose weights a training would go back to; None if none is good.

        Args:
            side: that pictures have grown to; weights of another size do not fit.
        """
        target = self.best([e for e in self.evaluations if e.side == side])
        return target if target and target.diversity >= ALIKE else None

    def collapse(self) -> str | None:
        """Says in plain words why the last evaluation looks like a collapse; None if well."""
        same = self._of_this_side()
        recent = self._since_rollback(same)
        last, best, row = recent[-1], self.best(same), recent[-IN_A_ROW:]
        lasting = len(row) == IN_A_ROW
        fallen = max(e.diversity for e in same) >= VARIED * ALIKE
        stuck = lasting and best not in row and all(e.diversity < ALIKE for e in row)
        if last.diversity < ALIKE and (fallen or stuck):
            return (
                "the samples are a few pictures over and over: their diversity is "
                f"{last.diversity:.0%} of the reals'"
            )
        if lasting and best and all(e.score > WORSE * best.score for e in row):
            return (
                f"the pictures have been worse than after iteration {best.iteration:,} in "
                f"{IN_A_ROW} evaluations in a row (KID x 1000 {last.kid_x1000:.0f}, then "
                f"{best.kid_x1000:.0f})"
            )
        if lasting and best and best not in row and min(e.d_accuracy for e in row) > WON:
            return (
                "the discriminator tells every fake from every real, from which the generator "
                f"learns nothing, and nothing has been better since iteration {best.iteration:,}"
            )
        return None

    def exhausted(self) -> str | None:
        """Says that nothing becomes better, if `patience` is at its end; else None."""
        same, patience = self._of_this_side(), self.recipe.patience
        best, recent = self.best(same), self._since_rollback(same)
        if not patience or best is None or best in recent[-patience:] or len(recent) < patience:
            return None
        return f"{patience} evaluations were no better than after iteration {best.iteration:,}"

    def _of_this_side(self) -> list[Evaluation]:
        return [e for e in self.evaluations if e.side == self.evaluations[-1].side]

    def _since_rollback(self, evaluations: list[Evaluation]) -> list[Evaluation]:
        """Those after the last rollback, and the last one in any case."""
        start = self.rollbacks[-1] if self.rollbacks else -1
        return [e for e in evaluations if e.iteration > start] or evaluations[-1:]
