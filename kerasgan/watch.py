"""Judges a training by its evaluations: has it collapsed, does it still get better?"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from kerasgan.recipes import Recipe

MIN_DIVERSITY = 0.3  # of that of the reals; below it the samples are a few pictures over and over
MIN_FALL = 2  # factor by which diversity falls in a collapse; where it was never high, it is young
MAX_WORSE = 1.25  # times the best score; by chance alone evaluations differ by less
MIN_AGREEING = 3  # evaluations in a row that have to say the same
MAX_ACCURACY = 0.999  # of D; above it D tells every fake from every real
MAX_ROLLBACKS = 3
ROLLBACK_FACTOR = 0.5  # on both learning rates, at each rollback


@dataclass(frozen=True)
class Evaluation:
    """What was measured after one iteration.

    Attributes:
        iteration: after which.
        seconds: of training until then, evaluations left out.
        kid_x1000, kid_x1000_low, kid_x1000_high: KID with its 95% interval.
        diversity: see `metrics.Evaluator.compare`; the smallest of all features'.
        d_accuracy: mean since the evaluation before, 0 to 1.
        face_frechet: Frechet distance in a network that knows faces; None for other pictures.
        faces_found: fraction of the pictures with a face; None for other pictures.
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
        """The geometric mean of KID x 1000 and 1000 times face Frechet; the less the better.

        Either alone is deceived: ImageNet's features by texture, faces' by the background.
        Below the least that a measurement can tell from 0, neither counts further.
        """
        kid = max(self.kid_x1000, 1.0)
        if self.face_frechet is None:
            return kid
        return math.sqrt(kid * max(1000 * self.face_frechet, 1.0))

    def figures(self) -> dict[str, float]:
        """Returns what was measured, by name, without what was not."""
        return {
            name: x for name, x in asdict(self).items() if name != "iteration" and x is not None
        }

    def words(self) -> str:
        """Returns the figures for a progress bar."""
        faces = "" if self.faces_found is None else f" faces {self.faces_found:.0%}"
        return f"KID {self.kid_x1000:.0f}{faces} (x1000, iteration {self.iteration:,})"


@dataclass(frozen=True)
class Verdict:
    """What a training's evaluations say of it.

    Attributes:
        collapse: why the last evaluation looks like a collapse, in plain words; None if well.
        exhausted: that nothing has become better for `patience` evaluations; else None.
        target: the evaluation whose weights the training would go back to; None if none is good.
        is_best: whether the last evaluation is the best of all.
    """

    collapse: str | None = None
    exhausted: str | None = None
    target: Evaluation | None = None
    is_best: bool = False


def judge(evaluations: Sequence[Evaluation], recipe: Recipe, rolled_back: int = 0) -> Verdict:
    """Judges a training after its last evaluation; nothing is changed by it.

    Args:
        evaluations: all of the training's, in order.
        recipe: `patience`.
        rolled_back: the iteration after which the training last went back to better weights,
            0 for never. What was before does not count against it any more.
    """
    if not evaluations:
        return Verdict()
    last = evaluations[-1]
    same = [e for e in evaluations if e.side == last.side]
    recent = [e for e in same if e.iteration > rolled_back] or [last]
    return Verdict(
        collapse=_collapse(same, recent),
        exhausted=_exhausted(same, recent, recipe.patience),
        target=target(same, last.side),
        is_best=_best(evaluations) is last,
    )


def target(evaluations: Sequence[Evaluation], side: int | None) -> Evaluation | None:
    """Returns the evaluation whose weights a training would go back to; None if none is good.

    Args:
        evaluations: in order.
        side: that pictures have grown to; weights of another size do not fit.
    """
    same = [e for e in evaluations if e.side == side]
    if not same or _best(same).diversity < MIN_DIVERSITY:
        return None
    return _best(same)


def rollbacks_done(slowdown: float) -> int:
    """Returns how many rollbacks have brought the learning rates' factor from 1 to `slowdown`."""
    return round(math.log(slowdown, ROLLBACK_FACTOR))


def may_roll_back(recipe: Recipe, slowdown: float) -> bool:
    """Whether a collapsed training is to be brought back once more.

    Args:
        recipe: `on_collapse`.
        slowdown: the present factor on the learning rates.
    """
    return recipe.on_collapse == "rollback" and rollbacks_done(slowdown) < MAX_ROLLBACKS


def _best(evaluations: Sequence[Evaluation]) -> Evaluation:
    """The best of some: samples that are all alike are no good, however close to the reals."""
    return min(evaluations, key=lambda e: (e.diversity < MIN_DIVERSITY, e.score))


def _collapse(same: Sequence[Evaluation], recent: Sequence[Evaluation]) -> str | None:
    """Says why the last evaluation looks like a collapse.

    Args:
        same: the evaluations of pictures of the present side, in order.
        recent: those of them after the last rollback, at least one.
    """
    last, best, row = recent[-1], _best(same), recent[-MIN_AGREEING:]
    lasting = len(row) == MIN_AGREEING
    if last.diversity < MIN_DIVERSITY and (_has_fallen(same) or (lasting and _is_stuck(row, best))):
        return (
            "the samples are a few pictures over and over: their diversity is "
            f"{last.diversity:.0%} of the reals'"
        )
    if lasting and all(e.score > MAX_WORSE * best.score for e in row):
        return (
            f"the pictures have been worse than after iteration {best.iteration:,} in "
            f"{MIN_AGREEING} evaluations in a row (KID x 1000 {last.kid_x1000:.0f}, then "
            f"{best.kid_x1000:.0f})"
        )
    if lasting and best not in row and min(e.d_accuracy for e in row) > MAX_ACCURACY:
        return (
            "the discriminator tells every fake from every real, from which the generator "
            f"learns nothing, and nothing has been better since iteration {best.iteration:,}"
        )
    return None


def _has_fallen(evaluations: Sequence[Evaluation]) -> bool:
    """Whether the samples were once so varied that being alike is no chance."""
    return max(e.diversity for e in evaluations) >= MIN_FALL * MIN_DIVERSITY


def _is_stuck(row: Sequence[Evaluation], best: Evaluation) -> bool:
    """Whether samples stay alike and do not become better either, as a slow training's do."""
    return best not in row and all(e.diversity < MIN_DIVERSITY for e in row)


def _exhausted(
    same: Sequence[Evaluation], recent: Sequence[Evaluation], patience: int
) -> str | None:
    """Says that nothing becomes better, if `patience` is at its end; the rest as `_collapse`."""
    best = _best(same)
    if not patience or best in recent[-patience:] or len(recent) < patience:
        return None
    return f"{patience} evaluations were no better than after iteration {best.iteration:,}"
