"""What a training leaves in its run folder, and what is done about what its evaluations say.

Here, and nowhere else, something is changed because of a verdict: checkpoints, weights, the
learning rates and files.
"""

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from kerasgan import images, models, plots, quality, runs, saved, verdicts
from kerasgan.checkpoints import Checkpoints, Schedule, not_finite
from kerasgan.cli import FULL
from kerasgan.control import Control
from kerasgan.errors import UserError
from kerasgan.events import Events
from kerasgan.gan import GAN
from kerasgan.log import LOSSES, History, Line
from kerasgan.metrics import Evaluator
from kerasgan.quality import Timer
from kerasgan.runs import Run
from kerasgan.text import printable
from kerasgan.watch import ROLLBACK_FACTOR, Evaluation, judge, may_roll_back, rollbacks_done, target

EVENTS_EVERY = 10  # iterations between TensorBoard's scalars


@dataclass(frozen=True)
class Response:
    """What was done after an iteration about what it showed.

    Attributes:
        rolled_back_to: the iteration whose weights the training went back to; None where it did
            not.
        lines: for the user.
        end: why the training should end; None to go on.
        seconds: that an evaluation took.
    """

    rolled_back_to: int | None = None
    lines: tuple[str, ...] = ()
    end: str | None = None
    seconds: float = 0.0


class Recorder:
    """Writes a training's log, grids, curves, events and checkpoints to its run folder.

    It evaluates where that is due, and acts as the recipe says of what is found.

    Args:
        gan: the networks.
        run: the folder.
        evaluator: of the pictures on the way; None for no evaluations.
        clock: returns seconds that only rise; checkpoints by time go by it.
    """

    def __init__(
        self,
        gan: GAN,
        run: Run,
        evaluator: Evaluator | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        recipe = gan.recipe
        self.gan, self.run, self.evaluator = gan, run, evaluator
        self.checkpoints = Checkpoints(gan, run.checkpoints, recipe.keep_checkpoints)
        self.schedule = Schedule(recipe.checkpoint_every, recipe.checkpoint_minutes, clock)
        self.conditions = runs.read_conditions(run.conditions)
        self.control = Control.of(recipe, run, self.conditions)
        # The saved networks compute in float32, so that they open and run anywhere.
        self.portable = models.build_portable_generator(recipe)
        self.portable_discriminator = models.build_portable_discriminator(recipe)
        self.facts = saved.Facts(run.crop(), self.conditions)
        self.history = History()
        self.saved_at = -1  # the iteration after which everything was last saved by this process

    def restore(self) -> int:
        """Goes back to the newest checkpoint; returns its iteration, 0 in a new run.

        Raises:
            UserError: the run has all its iterations already; nothing has been touched.
        """
        done, wanted = self.checkpoints.restore(), self.gan.recipe.iters
        if done >= wanted:
            raise UserError(
                f"`--iters` should be more than the {done:,} iterations the run has. Received: "
                f"{wanted:,}. To train it further: {self.run.resume_command()} --iters {2 * done}"
            )
        return done

    def __enter__(self) -> "Recorder":
        with self._writing():
            self._begin(int(self.gan.iteration))
        return self

    def _begin(self, start: int) -> None:
        """Opens the files of a training that goes on after an iteration."""
        self.run.remove_leftovers()
        self.run.write_recipe(self.gan.recipe)
        self.history = History(self.run.cut_log(start))
        self._spare(judge(self.history.evaluations, self.gan.recipe).target)
        self.events = Events(self.run.events, start)
        self.log = self.run.log.open("a", buffering=1)  # by the line: a crash loses none
        if start == 0:
            self._write_grid(0)
        self.timer = Timer(start, self.history.last_evaluation)
        self.schedule.note_written()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What could not be written cannot be at the end either, and has been said.
        with suppress(OSError) if error else self._writing():
            self.log.close()
        with suppress(OSError) if error else self._writing():
            self.events.close()

    def record(self, iteration: int, scalars: dict[str, float]) -> Response:
        """Notes one iteration, evaluates and writes what its number says is due, and acts.

        Args:
            iteration: just done.
            scalars: that `GAN.train_on_batch` returned.

        Raises:
            UserError: a loss or a weight is not finite, and there is no going back; or the run
                cannot be written, or is no longer there.
        """
        self._require_here()
        with self._writing():
            return self._record(iteration, scalars)

    def _record(self, iteration: int, scalars: dict[str, float]) -> Response:
        saves, evaluates = self.schedule.is_due_by_count(iteration), self._evaluates(iteration)
        evaluation, response = None, Response()
        if fault := self._fault(scalars, weights=saves or evaluates):
            response = self._roll_back_from(fault, iteration, scalars)
        elif evaluates:
            evaluation, response = self._evaluate(iteration, scalars)
        self._note(Line(iteration, scalars, evaluation, response.rolled_back_to))
        if iteration % self.gan.recipe.grid_every == 0:
            self._write_grid(iteration)
        # What an evaluation says holds for the weights that it saw: they are kept together.
        if saves or evaluation or response.rolled_back_to is not None:
            self._write_state()
        # Weights that are not finite show in the next losses. They are left to those: what is done
        # about them may not depend on the time.
        elif self.schedule.is_due_by_time() and not self._fault(scalars, weights=True):
            self._write_state()
        return response

    def save(self) -> None:
        """Writes the checkpoint, the generator and the loss curves, if anything is new.

        Raises:
            UserError: a weight is not finite, and nothing is written then; or the run cannot be
                written, or is no longer there.
        """
        if int(self.gan.iteration) == self.saved_at:
            return
        if fault := self._fault({}, weights=True):
            raise self._diverged(fault)
        self._require_here()
        with self._writing():
            self._write_state()

    def state(self) -> str:
        """Returns the last evaluation for the progress bar."""
        last = self.history.last_evaluation
        return f", {last.words()}" if last else ""

    def _evaluates(self, iteration: int) -> bool:
        """Whether an evaluation comes after this iteration."""
        return self.evaluator is not None and iteration % self.gan.recipe.evaluate_every == 0

    def _evaluate(self, iteration: int, scalars: dict[str, float]) -> tuple[Evaluation, Response]:
        """Evaluates, judges, and does what the recipe says about the verdict."""
        assert self.evaluator is not None  # noqa: S101
        began, recipe, history = time.perf_counter(), self.gan.recipe, self.history
        evaluation = quality.evaluate(
            self.gan,
            self.evaluator,
            self.conditions,
            iteration=iteration,
            seconds=self.timer.seconds(iteration),
            accuracies=[*history.accuracies, scalars["d_accuracy"]],
            side=_side(scalars),
        )
        verdict = judge([*history.evaluations, evaluation], recipe, history.last_rollback)
        self._spare(verdict.target)
        response = Response()
        if verdict.collapse:
            what = f"after iteration {iteration:,} {verdict.collapse}"
            response = self._roll_back(what, verdict.target) or self._tell(what)
        if response.rolled_back_to is None and response.end is None:
            response = replace(response, end=verdict.exhausted)
        if verdict.is_best:
            self._write_generator(self.run.best_generator)
        self.timer = Timer(iteration, evaluation)
        seconds = time.perf_counter() - began
        lines = () if history.evaluations else (quality.cost(seconds, evaluation, recipe),)
        return evaluation, replace(response, seconds=seconds, lines=response.lines + lines)

    def _roll_back_from(self, fault: str, iteration: int, scalars: dict[str, float]) -> Response:
        """Goes back from numbers that are not finite, or raises UserError where that cannot be."""
        back_to = target(self.history.evaluations, _side(scalars))
        response = self._roll_back(f"after iteration {iteration:,} {fault}", back_to)
        if response is None:
            raise self._diverged(fault)
        return response

    def _roll_back(self, what: str, back_to: Evaluation | None) -> Response | None:
        """Goes back to an evaluation's weights, at a lower rate; None where that is not to be.

        Args:
            what: has happened, in words.
            back_to: the evaluation; None where none is good.
        """
        gan, slowdown = self.gan, float(self.gan.slowdown)
        if not (back_to and may_roll_back(gan.recipe, slowdown)):
            return None
        if not self.checkpoints.has(back_to.iteration):
            return None
        self.checkpoints.go_back(back_to.iteration)
        gan.slowdown.assign(ROLLBACK_FACTOR * slowdown)
        line = (
            f"collapse: {what}. Going back to the weights of iteration {back_to.iteration:,}, "
            f"with {ROLLBACK_FACTOR * slowdown:g} times the learning rate."
        )
        return Response(rolled_back_to=back_to.iteration, lines=(line,))

    def _tell(self, what: str) -> Response:
        """Warns of a collapse that is not mended, or ends the training."""
        if self.gan.recipe.on_collapse == "warn":
            best = self.run.best_generator.name
            return Response(lines=(f"warning: {what}. The best weights stay in {best}.",))
        times = rollbacks_done(float(self.gan.slowdown))
        return Response(end=f"{what}; it has been brought back {times} times" if times else what)

    def _spare(self, back_to: Evaluation | None) -> None:
        """Keeps the checkpoint that a rollback would go to."""
        self.checkpoints.spared = back_to.iteration if back_to else None

    def _fault(self, scalars: dict[str, float], weights: bool) -> str | None:
        """Says which loss, or what of the state, is not finite; None where all is."""
        for name in LOSSES:
            if not math.isfinite(scalars.get(name, 0.0)):
                return f"{name} is {scalars[name]}, which is not finite"
        if weights and (part := not_finite(self.gan)):
            return f"{part} has numbers that are not finite"
        return None

    def _diverged(self, fault: str) -> UserError:
        kept = self.checkpoints.paths()
        last = f"The last good checkpoint stays: {kept[-1]}." if kept else "No checkpoint was due."
        return UserError(
            f"Losses and weights should be finite. Received: after iteration "
            f"{int(self.gan.iteration):,} {fault}. {last} Train anew with a lower --learning-rate, "
            "or --precision float32."
        )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Says what to do where the run cannot be written.

        Raises:
            UserError: it cannot.
        """
        try:
            yield
        except BrokenPipeError:  # of what is printed
            raise
        except OSError as error:
            self._require_here()
            place, fact = error.filename or self.run.folder, error.strerror or str(error)
            full = error.errno in FULL
            rule = (
                "The disk should have room for what a training writes"
                if full
                else "A training should be able to write to its run"
            )
            raise UserError(
                f"{rule}. Received: {printable(f'{place}, {fact}')}. "
                f"{'Make room' if full else 'Mend that'}, then type: {self.run.resume_command()} "
                f"({self._goes_on()})"
            ) from error

    def _goes_on(self) -> str:
        """Says where a resumed training begins."""
        if kept := self.checkpoints.paths():
            return f"it goes on from {kept[-1].name}"
        return "no checkpoint was written yet: it begins anew"

    def _require_here(self) -> None:
        """Raises UserError where the run's folder, or its log, is no longer what is written to."""
        log = getattr(self, "log", None)
        if log is None or log.closed:
            return
        with suppress(OSError):
            if os.path.samestat(os.stat(self.run.log), os.fstat(log.fileno())):
                return
        folder, remains = self.run.folder, self.run.folder / "recipe.json"
        if remains.exists():
            raise UserError(
                f"A run's log should stay in its place. Received: {self.run.log}, which was "
                "removed or replaced by another program. Put it back, then type: "
                f"{self.run.resume_command()} ({self._goes_on()})"
            )
        rule = "A run's folder should stay in its place while it is trained"
        if place := _present_place(log.fileno()):
            self.run.folder = place.parent
            raise UserError(
                f"{rule}. Received: {folder}, which is {place.parent} now. "
                f"Type: {self.run.resume_command()}"
            )
        raise UserError(
            f"{rule}. Received: {folder}, which was removed, with its checkpoints. Train anew."
        )

    def _note(self, line: Line) -> None:
        """Adds a line to the log, with its events and, after an evaluation, the curves."""
        self.log.write(line.to_json() + "\n")
        self.history.add(line)
        if line.iteration % EVENTS_EVERY == 0:
            self.events.scalars(line.iteration, line.scalars)
        if line.evaluation:
            self.events.scalars(line.iteration, line.evaluation.figures(), "evaluation/")
            plots.write_quality(self.run.quality, self.history.evaluations, self.history.rollbacks)

    def _write_state(self) -> None:
        """Writes what `save` does, of weights known to be finite."""
        self._write_generator(self.run.generator)
        self._write_discriminator(self.run.discriminator)
        losses = self.history.losses
        plots.write_losses(self.run.losses, losses["d_loss"], losses["a_loss"])
        self.events.flush()
        os.fsync(self.log.fileno())
        # Last, so that whoever finds this checkpoint finds all the rest as new or newer.
        self.checkpoints.save()
        self.saved_at = int(self.gan.iteration)
        self.schedule.note_written()

    def _write_generator(self, path: Path) -> None:
        self.portable.set_weights(self.gan.shown_generator.get_weights())
        saved.write(path, self.portable, self.facts)

    def _write_discriminator(self, path: Path) -> None:
        weights = models.portable_weights(self.gan.discriminator)
        self.portable_discriminator.set_weights(weights)
        loss = self.gan.recipe.loss
        verdicts.write(path, self.portable_discriminator, loss, self.conditions)

    def _write_grid(self, iteration: int) -> None:
        grid = self.control.grid(self.gan.shown_generator)
        images.write_png(self.run.control_grid(iteration), grid)
        self.events.picture(iteration, "control", grid)


def _present_place(number: int) -> Path | None:
    """Returns where an open file is now; None where that is not known, or it was removed."""
    with suppress(OSError):
        place = Path(os.readlink(f"/proc/self/fd/{number}"))
        return place if place.exists() else None
    return None


def _side(scalars: dict[str, float]) -> int | None:
    """Returns the side that pictures have grown to; None where they do not grow."""
    return int(scalars["side"]) if "side" in scalars else None
