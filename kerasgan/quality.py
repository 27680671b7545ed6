"""Evaluates a training on its way, and brings it back where it has collapsed."""

import dataclasses
import time
from typing import Any

import numpy as np

from kerasgan import models
from kerasgan.checkpoints import Checkpoints
from kerasgan.cli import duration
from kerasgan.conditions import Conditions
from kerasgan.data import Pictures
from kerasgan.gan import GAN
from kerasgan.metrics import Evaluator
from kerasgan.recipes import Recipe
from kerasgan.watch import EVALUATION, ROLLED_BACK_TO, Evaluation, Watch

SHOWN_TO_DETECTOR = 200  # pictures an evaluation: enough for a share within three hundredths
SETS_OF_FACES = 0.5  # share of the reals with a face in them, from which on faces are measured


def build_evaluator(recipe: Recipe, pictures: Pictures) -> Evaluator | None:
    """Prepares the evaluations that a recipe asks for; None where it asks for none.

    Raises:
        UserError: a package is missing, or there are too few pictures.
    """
    if not recipe.evaluate_every:
        return None
    return Evaluator(pictures, count=recipe.evaluate_count, looked_at=SHOWN_TO_DETECTOR)


@dataclasses.dataclass
class Look:
    """What there is to say after an iteration.

    Attributes:
        evaluation: if one was due.
        is_best: whether it is the best so far.
        rolled_back_to: the iteration whose weights the training went back to.
        lines: for the user.
        end: why the training should end; None to go on.
        seconds: that it took.
    """

    evaluation: Evaluation | None = None
    is_best: bool = False
    rolled_back_to: int | None = None
    lines: list[str] = dataclasses.field(default_factory=list)
    end: str | None = None
    seconds: float = 0.0

    def log(self) -> dict[str, Any]:
        """Returns what belongs into the iteration's line in the log."""
        values: dict[str, Any] = {}
        if self.evaluation:
            values[EVALUATION] = dataclasses.asdict(self.evaluation)
            del values[EVALUATION]["iteration"]
        if self.rolled_back_to is not None:
            values[ROLLED_BACK_TO] = self.rolled_back_to
        return values


class Quality:
    """Looks at a training after each iteration, and evaluates its pictures where that is due.

    Args:
        gan: the networks.
        evaluator: of the pictures; None for no evaluations.
        checkpoints: the training's.
        conditions: those of a conditional generator.

    Attributes:
        watch: the evaluations so far.
    """

    def __init__(
        self,
        gan: GAN,
        evaluator: Evaluator | None,
        checkpoints: Checkpoints,
        conditions: Conditions | None,
    ) -> None:
        self.gan, self.evaluator, self.checkpoints = gan, evaluator, checkpoints
        self.watch = Watch(gan.recipe)
        drawn = conditions.draw(gan.recipe.evaluate_count, gan.recipe.seed) if conditions else None
        given = () if drawn is None else (drawn.vectors(),)
        self._generate = lambda latents: models.generate(gan.shown_generator, latents, *given)
        self._accuracies: list[float] = []

    def resume(self, lines: list[dict[str, Any]]) -> None:
        """Takes up what a log says of the training so far."""
        self.watch.recall(lines)
        self.gan.slowdown.assign(self.watch.slowdown)
        self._spare_best()
        start = max((e.iteration for e in self.watch.evaluations), default=0)
        since = (line.get("d_accuracy") for line in lines if line["iteration"] > start)
        self._accuracies = [accuracy for accuracy in since if accuracy is not None]
        self._began, self._begun_at = time.perf_counter(), int(self.gan.iteration)

    def due(self, iteration: int) -> bool:
        """Whether an evaluation comes after this iteration."""
        return self.evaluator is not None and iteration % self.gan.recipe.evaluate_every == 0

    def look(self, iteration: int, scalars: dict[str, float], fault: str | None) -> Look:
        """Evaluates where that is due; judges, and acts as the recipe says.

        Args:
            iteration: just done.
            scalars: that `GAN.train_on_batch` returned.
            fault: what is not finite, in words; None where all is.
        """
        if fault:
            return self._act(Look(), iteration, scalars, f"{fault}, which is not finite")
        if self.evaluator is None:
            return Look()
        self._accuracies.append(scalars["d_accuracy"])
        if not self.due(iteration):
            return Look()
        began = time.perf_counter()
        evaluation = self._evaluate(iteration, scalars)
        first = not self.watch.evaluations
        self.watch.evaluations.append(evaluation)
        look = Look(evaluation, is_best=self.watch.best() is evaluation)
        if reason := self.watch.collapse():
            look = self._act(look, iteration, scalars, reason)
        look.end = look.end or self.watch.exhausted()
        self._spare_best()
        self._began, self._begun_at = time.perf_counter(), iteration
        look.seconds = self._began - began
        if first:
            look.lines.append(self._cost(look.seconds, evaluation))
        return look

    def state(self) -> str:
        """Returns the last evaluation for the progress bar."""
        evaluations = self.watch.evaluations
        return f", {evaluations[-1].words()}" if evaluations else ""

    def _evaluate(self, iteration: int, scalars: dict[str, float]) -> Evaluation:
        assert self.evaluator is not None  # noqa: S101
        seconds = self._seconds(iteration)
        figures = self.evaluator.measure(self._generate, self.gan.recipe.latent_dim)
        first = figures[self.evaluator.networks[0].name]
        diversity, of_faces = first["diversity"], {}
        if self.evaluator.faces_in_reals >= SETS_OF_FACES:
            of_faces = {
                "face_frechet": figures["face"]["frechet"],
                "faces_found": figures["faces_found"],
            }
            # Each may take what the other does not see, grain or backgrounds, for variety.
            diversity = min(diversity, figures["face"]["diversity"])
        accuracy, self._accuracies = float(np.mean(self._accuracies)), []
        return Evaluation(
            iteration=iteration,
            seconds=seconds,
            d_accuracy=accuracy,
            side=_side(scalars),
            **{name: first[name] for name in ("kid_x1000", "kid_x1000_low", "kid_x1000_high")},
            diversity=diversity,
            **of_faces,
        )

    def _seconds(self, iteration: int) -> float:
        """Returns how long the training has lasted.

        What an earlier process did after its last evaluation is reckoned at this one's pace.
        """
        last = self.watch.evaluations[-1] if self.watch.evaluations else None
        done, before = (last.iteration, last.seconds) if last else (0, 0.0)
        pace = (time.perf_counter() - self._began) / (iteration - self._begun_at)
        return before + (iteration - done) * pace

    def _act(self, look: Look, iteration: int, scalars: dict[str, float], reason: str) -> Look:
        """Does what the recipe says of a collapse."""
        what = f"after iteration {iteration:,} {reason}"
        target = self.watch.target(_side(scalars)) if self.watch.may_roll_back else None
        if target and self.checkpoints.has(target.iteration):
            self.checkpoints.go_back(target.iteration)
            self.watch.rollbacks.append(iteration)
            self.gan.slowdown.assign(self.watch.slowdown)
            look.rolled_back_to = target.iteration
            look.lines.append(
                f"collapse: {what}. Going back to the weights of iteration {target.iteration:,}, "
                f"with {self.watch.slowdown:g} times the learning rate."
            )
        elif self.gan.recipe.on_collapse == "warn":
            look.lines.append(f"warning: {what}. The best weights stay in generator-best.keras.")
        else:
            times = len(self.watch.rollbacks)
            look.end = f"{what}; it has been brought back {times} times" if times else what
        return look

    def _spare_best(self) -> None:
        """Keeps the checkpoint that a rollback would go to."""
        evaluations = self.watch.evaluations
        target = self.watch.target(evaluations[-1].side) if evaluations else None
        self.checkpoints.spared = target.iteration if target else None

    def _cost(self, seconds: float, evaluation: Evaluation) -> str:
        """Says what evaluations take of the training's time, after the first one."""
        pace = evaluation.seconds / evaluation.iteration
        between = pace * self.gan.recipe.evaluate_every
        return (
            f"An evaluation took {duration(seconds)}: one every "
            f"{self.gan.recipe.evaluate_every:,} iterations is "
            f"{seconds / (seconds + between):.0%} of the time. Fewer: a larger --evaluate-every "
            "or a smaller --evaluate-count."
        )


def _side(scalars: dict[str, float]) -> int | None:
    """Returns the side that pictures have grown to, if they do."""
    return int(scalars["side"]) if "side" in scalars else None
