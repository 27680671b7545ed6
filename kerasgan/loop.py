"""The training loop, and what it leaves in the run folder on its way."""

import contextlib
import json
import math
import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from kerasgan import images, latents, models, plots, runs
from kerasgan.backend import keras, tf
from kerasgan.checkpoints import Checkpoints
from kerasgan.cli import SIGPIPE, progress
from kerasgan.conditions import Conditions
from kerasgan.data.batches import Ahead, Batched
from kerasgan.errors import UserError
from kerasgan.gan import GAN
from kerasgan.metrics import Evaluator
from kerasgan.pace import Clock
from kerasgan.quality import Look, Quality
from kerasgan.recipes import Recipe
from kerasgan.runs import Run
from kerasgan.watch import EVALUATION

EVENTS_EVERY = 10  # iterations between TensorBoard's scalars
MOVED_WITHIN = 10  # iterations in which both networks must have changed
# Without tqdm's time left: it knows nothing of the stages, of which the last take longest.
BAR_OF_STAGES = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]"
SWEPT = 16  # conditions in the control grid, a row each, at most
LOSSES = ("d_loss", "a_loss")  # the scalars that must be finite, and that losses.png shows


class Ending(NamedTuple):
    """Why a training ended before its iterations were done; the state is saved.

    Attributes:
        signal: that asked to stop, or None.
        reason: that the evaluations gave, in words, or None.
    """

    signal: int | None = None
    reason: str | None = None


def train(gan: GAN, batches: Batched, run: Run, evaluator: Evaluator | None = None) -> Ending:
    """Trains until the recipe's iterations are done, a signal asks to stop or nothing improves.

    Goes on from the newest checkpoint in the run, if there is one.

    Args:
        gan: the networks; its recipe gives the number of iterations.
        batches: of the reals, named by iteration.
        run: an existing run folder.
        evaluator: of the pictures on the way, as `quality.build_evaluator` makes it.

    Raises:
        UserError: a loss or a weight is no longer finite; the last good checkpoint stays.
    """
    recipe = gan.recipe
    with run.locked():
        recorder = Recorder(gan, run, evaluator)
        start = recorder.restore()
        moved = MovementCheck(gan, start)
        options = {"bar_format": BAR_OF_STAGES} if recipe.grows else {}
        bar = progress(recipe.iters, "Training", initial=start, **options)
        clock = Clock(start, recipe, quiet=bar.disable)
        with bar, recorder, Ahead(batches) as ahead, Stopper() as stopper:
            for iteration in range(start + 1, recipe.iters + 1):
                scalars = gan.train_on_batch(ahead.at(iteration - 1))
                look = recorder.record(iteration, scalars)
                clock.skip(look.seconds)
                said = (clock.tick(iteration, scalars), moved.check(iteration), *look.lines)
                for line in filter(None, said):
                    stopper.say(bar, line)
                if stopper.signal or look.end:
                    break  # before the bar is touched: its terminal may have gone
                state = clock.state(scalars) + recorder.quality.state()
                bar.set_postfix_str(state, refresh=False)
                bar.update()
            recorder.save()
    return Ending(stopper.signal, look.end) if iteration < recipe.iters else Ending()


class Recorder:
    """Writes a training's log, grids, curves, events and checkpoints to its run folder.

    Args:
        gan: the networks.
        run: the folder.
        evaluator: of the pictures on the way; None for no evaluations.
    """

    def __init__(self, gan: GAN, run: Run, evaluator: Evaluator | None = None) -> None:
        self.gan = gan
        self.run = run
        self.checkpoints = Checkpoints(gan, run.checkpoints, gan.recipe.keep_checkpoints)
        self.conditions = runs.read_conditions(run.conditions)
        self.control = Control.of(gan.recipe, run, self.conditions)
        self.quality = Quality(gan, evaluator, self.checkpoints, self.conditions)
        # The saved generator computes in float32, so that it opens and runs anywhere.
        self.portable = models.build_portable_generator(gan.recipe)
        self.curves: dict[str, list[float]] = {name: [] for name in LOSSES}
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
        start = int(self.gan.iteration)
        self.run.remove_leftovers()
        self.run.write_recipe(self.gan.recipe)
        lines = self.run.cut_log(start)
        for name in LOSSES:
            self.curves[name] = [_number(line[name]) for line in lines]
        self.quality.resume(lines)
        self.log = self.run.log.open("a", buffering=1)  # by the line: a crash loses none
        self.events = tf.summary.create_file_writer(str(self.run.events))
        if start == 0:
            self._write_grid(0)
        return self

    def __exit__(self, *_: object) -> None:
        self.log.close()
        self.events.close()

    def record(self, iteration: int, scalars: dict[str, float]) -> Look:
        """Notes one iteration, looks at its pictures, and writes what its number says is due.

        Raises:
            UserError: a loss or a weight is not finite, and there is no going back.
        """
        recipe = self.gan.recipe
        every = recipe.checkpoint_every
        saves = every > 0 and iteration % every == 0
        fault = self._fault(scalars, weights=saves or self.quality.due(iteration))
        look = self.quality.look(iteration, scalars, fault)
        if fault and look.rolled_back_to is None:
            raise self._diverged(fault)
        line = {name: value if math.isfinite(value) else None for name, value in scalars.items()}
        self.log.write(json.dumps({"iteration": iteration, **line, **look.log()}) + "\n")
        for name in LOSSES:
            self.curves[name].append(scalars[name])
        if iteration % EVENTS_EVERY == 0:
            self._write_scalars(iteration, scalars)
        if look.evaluation:
            self._write_evaluation(look)
        if iteration % recipe.grid_every == 0:
            self._write_grid(iteration)
        # What an evaluation says holds for the weights that it saw: they are kept together.
        if saves or look.log():
            self._write_state()
        return look

    def save(self) -> None:
        """Writes the checkpoint, the generator and the loss curves, if anything is new.

        Raises:
            UserError: a weight is not finite; nothing is written then.
        """
        if int(self.gan.iteration) == self.saved_at:
            return
        if fault := self._fault({}, weights=True):
            raise self._diverged(fault)
        self._write_state()

    def _write_state(self) -> None:
        """Writes what `save` does, of weights known to be finite."""
        self._write_generator(self.run.generator)
        plots.write_losses(self.run.losses, self.curves["d_loss"], self.curves["a_loss"])
        self.events.flush()
        # Last, so that whoever finds this checkpoint finds all the rest as new or newer.
        self.checkpoints.save()
        self.saved_at = int(self.gan.iteration)

    def _fault(self, scalars: dict[str, float], weights: bool) -> str | None:
        """Names a loss, or a network whose weights, are not finite; None where all are."""
        for name in LOSSES:
            if not math.isfinite(scalars.get(name, 0.0)):
                return f"{name} is {scalars[name]}"
        for network in (self.gan.generator, self.gan.discriminator) if weights else ():
            if not all(np.isfinite(weight).all() for weight in network.get_weights()):
                return f"the {network.name} has weights that are not"
        return None

    def _diverged(self, fact: str) -> UserError:
        kept = self.checkpoints.paths()
        last = f"The last good checkpoint stays: {kept[-1]}." if kept else "No checkpoint was due."
        return UserError(
            f"Losses and weights should be finite. After iteration {int(self.gan.iteration)} "
            f"{fact}. {last} Train anew with a lower --learning-rate, or --precision float32."
        )

    def _write_scalars(self, iteration: int, scalars: dict[str, float]) -> None:
        with self.events.as_default(step=iteration):
            for name, value in scalars.items():
                tf.summary.scalar(name, value)

    def _write_evaluation(self, look: Look) -> None:
        """Writes the curves of quality, the events, and the generator if it is the best."""
        assert look.evaluation  # noqa: S101
        if look.is_best:
            self._write_generator(self.run.best_generator)
        watch = self.quality.watch
        plots.write_quality(self.run.quality, watch.evaluations, watch.rollbacks)
        with self.events.as_default(step=look.evaluation.iteration):
            for name, value in look.log()[EVALUATION].items():
                if value is not None:
                    tf.summary.scalar(f"evaluation/{name}", value)

    def _write_generator(self, path: Path) -> None:
        self.portable.set_weights(self.gan.shown_generator.get_weights())
        runs.write_generator(path, self.portable, self.conditions)

    def _write_grid(self, iteration: int) -> None:
        grid = self.control.grid(self.gan.shown_generator)
        images.write_png(self.run.control_grid(iteration), grid)
        with self.events.as_default(step=iteration):
            tf.summary.image("control", grid[np.newaxis])


class Stopper:
    """Turns Ctrl-C, SIGTERM and a closed terminal into a wish to stop, while it is entered.

    The second signal stops at once. Outside the main thread, where Python takes no signals,
    it does nothing.
    """

    NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def say(self, bar: tqdm, line: str) -> None:
        """Prints a line above the bar; a reader that has gone is a wish to stop, too."""
        try:
            bar.write(line)
        except BrokenPipeError:
            self.signal = SIGPIPE

    def __enter__(self) -> "Stopper":
        if threading.current_thread() is threading.main_thread():
            for number in filter(None, (getattr(signal, name, None) for name in self.NAMES)):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        # Unbuffered: the signal may have come in the middle of another write.
        with contextlib.suppress(OSError):  # no terminal any more
            os.write(2, b"\nStopping after this iteration; once more to stop without saving.\n")


class MovementCheck:
    """Says, after the first few iterations, if one of the networks does not learn."""

    def __init__(self, gan: GAN, start: int) -> None:
        self.networks = (gan.generator, gan.discriminator)
        self.due = start + MOVED_WITHIN
        self._before = [network.get_weights() for network in self.networks]

    def check(self, iteration: int) -> str | None:
        """Returns a warning when it is due and deserved, else None."""
        if iteration != self.due:
            return None
        stuck = [
            network.name
            for network, before in zip(self.networks, self._before, strict=True)
            if all(map(np.array_equal, before, network.get_weights()))
        ]
        self._before = []
        if not stuck:
            return None
        return f"warning: the weights of the {' and the '.join(stuck)} have not moved at all."


class Control(NamedTuple):
    """What the control grid is drawn from.

    Attributes:
        latents: float32 (N, D); with conditions those of one row.
        conditions: one for each row; None without conditions.
    """

    latents: np.ndarray
    conditions: Conditions | None

    @classmethod
    def of(cls, recipe: Recipe, run: Run, conditions: Conditions | None) -> "Control":
        """Returns a run's own, drawn and kept on first use."""
        count, path = recipe.control_latents, run.control_conditions
        if conditions:
            rows = runs.read_conditions(path) or conditions.sweep(min(count, SWEPT))
            runs.write_conditions(path, rows)
            return cls(control_latents(count // len(rows.values), recipe, run), rows)
        return cls(control_latents(count, recipe, run), None)

    def grid(self, generator: keras.Model) -> np.ndarray:
        """Draws the control grid, uint8 (H, W, C): a square of the latents' pictures.

        With conditions, it has a row for each and a column for each latent.
        """
        if self.conditions is None:
            return images.make_grid(models.generate(generator, self.latents))
        columns, rows = len(self.latents), self.conditions.vectors()
        every = np.tile(self.latents, (len(rows), 1))
        given = np.repeat(rows, columns, axis=0)
        return images.make_grid(models.generate(generator, every, given), columns)


def control_latents(count: int, recipe: Recipe, run: Run) -> np.ndarray:
    """Returns the run's control latents (N, D), drawn and kept on first use."""
    if not run.control_latents.exists():
        drawn = latents.draw(count, recipe.latent_dim, recipe.seed, recipe.control_scale)
        runs.write_latents(run.control_latents, drawn)
    return np.load(run.control_latents, allow_pickle=False)


def _number(value: float | None) -> float:
    """Reads a number from the log, where none stands for one that is not finite."""
    return math.nan if value is None else value
