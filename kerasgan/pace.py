"""The pace of a training: how fast it goes, and how long it will take."""

import dataclasses
import time
from collections.abc import Mapping
from typing import NamedTuple

from kerasgan import growth
from kerasgan.cli import duration
from kerasgan.errors import UserError
from kerasgan.recipes import Recipe

WARM_UP = 2  # iterations before the speed is taken: the first compile and allocate
MIN_TIMED = 5  # iterations that tell the speed, however short they are
MIN_TIMED_SECONDS = 20.0  # of iterations that tell the speed, however few they are
SMOOTHED = 50  # iterations that the running mean of the pace looks back
STATUS_SECONDS = 60  # between lines where no bar is shown
A_DAY = 24 * 3600.0


class Clock:
    """Takes the pace of a training and says how long it will take.

    Where the pictures grow, each stage has a pace and an end of its own.

    Args:
        start: iterations done before this process began.
        recipe: `iters`, `stages` (not "auto"), `batch_size` and `n_critic`.
        quiet: whether no bar can be shown, so that a line a minute stands in for it.
    """

    def __init__(self, start: int, recipe: Recipe, quiet: bool) -> None:
        self.recipe = recipe
        self.quiet = quiet
        self._last = self._said = time.perf_counter()
        self._begin(start)

    def _begin(self, start: int) -> None:
        """Begins to take the pace anew, after so many iterations."""
        self.start = start
        self.seconds = 0.0  # that an iteration takes, a running mean
        self._timed, self._estimated, self._left = 0, False, 0
        self._side, self._end = 0, self.recipe.iters
        if self.recipe.grows:
            stage = growth.stage_at(self.recipe.growth_stages, start)
            self._side, self._end = stage.side, int(min(stage.end, self.recipe.iters))

    def tick(self, iteration: int, scalars: dict[str, float]) -> str | None:
        """Notes that an iteration is done.

        Returns:
            A line to print, when one is due: once the estimate of the whole training, or of
            each stage, and where no bar is shown the present state once a minute.
        """
        now = time.perf_counter()
        took, self._last = now - self._last, now
        if iteration > self._end:
            self._begin(iteration - 1)
        left = self._left = self._end - iteration
        if iteration - self.start > WARM_UP:
            self._timed += 1
            self.seconds += max(1 / self._timed, 1 / SMOOTHED) * (took - self.seconds)
        if not self._estimated and timed_enough(self._timed, self._timed * self.seconds):
            self._estimated = True
            return estimate(self.seconds, left) if self._is_last() else self._estimate_stage(left)
        if self.quiet and self._timed and now - self._said > STATUS_SECONDS:
            self._said = now
            where = f"iteration {iteration:,} of {self.recipe.iters:,}"
            if self._side:
                return f"{where}: {self.state(scalars)}"
            return f"{where}, {duration(self.seconds * left)} left: {self.state(scalars)}"
        return None

    def skip(self, seconds: float) -> None:
        """Leaves out time that did not go into training."""
        self._last += seconds

    def _is_last(self) -> bool:
        """Whether no other stage comes after the present one."""
        return self._end == self.recipe.iters

    def _estimate_stage(self, left: int) -> str:
        return (
            f"{self._side}x{self._side}: {estimate(self.seconds, left)} "
            "Larger sizes take longer: their time is told when they begin; --dry-run measures it."
        )

    def state(self, scalars: dict[str, float]) -> str:
        """Returns losses, D's mean verdicts, the speed and the stage, in a few words."""
        rate = self.recipe.reals_an_iteration / self.seconds if self.seconds else 0.0
        return (
            f"d_loss {scalars['d_loss']:.3f} a_loss {scalars['a_loss']:.3f} "
            f"D(real) {scalars['d_real']:.2f} D(fake) {scalars['d_fake']:.2f} "
            f"{rate:{'.0f' if rate >= 10 else '.2g'}} images/s{self._stage_state(scalars)}"
        )

    def _stage_state(self, scalars: dict[str, float]) -> str:
        """The size that pictures have grown to, how far it has faded in, and its time left."""
        if not self._side:
            return ""
        fading = f" fading in {scalars['alpha']:.0%}" if scalars["alpha"] < 1 else ""
        left = duration(self.seconds * self._left)
        return f", {self._side}x{self._side}{fading}, {left} left at this size"


class Part(NamedTuple):
    """The iterations of a training that are at one size of its pictures.

    Attributes:
        side: of a picture, pixels.
        start: iterations done before them.
        iterations: how many they are.
    """

    side: int
    start: int
    iterations: int


def parts(recipe: Recipe) -> list[Part]:
    """Returns the parts of a training, one for each stage that has iterations."""
    if not recipe.grows:
        return [Part(recipe.size, 0, recipe.iters)]
    spans = [
        Part(stage.side, stage.start, int(min(stage.end, recipe.iters)) - stage.start)
        for stage in recipe.growth_stages
    ]
    return [part for part in spans if part.iterations > 0]


def seconds_of(recipe: Recipe, seconds: Mapping[int, float]) -> float:
    """Returns how long a training takes.

    Args:
        recipe: `iters`, `size` and `stages`.
        seconds: that an iteration takes, by the side of the pictures.
    """
    return sum(part.iterations * seconds[part.side] for part in parts(recipe))


def iterations_within(recipe: Recipe, minutes: float, seconds: Mapping[int, float]) -> int:
    """Returns about how many iterations fit into a time, at least 1.

    One more takes longer than that. Where stages are spread, a few more may fit again, of which
    more are in an early stage.

    Args:
        recipe: of the training, whatever its `iters` is; stages of "auto" are spread over the
            iterations that are found.
        minutes: above 0.
        seconds: that an iteration takes, by the side of the pictures.

    Raises:
        UserError: the last of the recipe's stages would not be reached.
    """

    def fits(iters: int) -> bool:
        spread = dataclasses.replace(recipe, iters=iters)
        return seconds_of(spread, seconds) <= 60 * minutes

    settled = recipe.grows and recipe.stages != "auto"
    least = recipe.growth_stages[-1].start + 1 if settled else 1
    if settled and not fits(least):
        reached = seconds_of(dataclasses.replace(recipe, iters=least), seconds)
        raise UserError(
            "`--minutes` should be enough for the last of the --stages. Received: "
            f"{minutes:g}, where those before it take about {duration(reached)}. Type more, or "
            "--stages auto."
        )
    most = max(least, int(60 * minutes / min(seconds.values())))
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if fits(middle) else (least, middle - 1)
    return least


def timed_enough(count: int, seconds: float) -> bool:
    """Whether iterations timed so far, lasting so long together, tell the pace."""
    return count >= MIN_TIMED or (count > 0 and seconds >= MIN_TIMED_SECONDS)


def estimate(seconds: float, left: int) -> str:
    """Says how long the rest of a training will take, and what would be faster if that is long.

    Args:
        seconds: that one iteration takes here.
        left: iterations still to do.
    """
    total = seconds * left
    line = f"{left:,} iterations at {seconds:.2f} s each will take about {duration(total)}."
    if total > A_DAY:
        line += (
            ' Faster: a GPU (pip install "kerasgan[gpu]"), --preset article-lite, a smaller --size'
            " or --width, fewer --iters."
        )
    return line
