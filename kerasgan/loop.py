"""The training loop, and what it leaves in the run folder on its way."""

import contextlib
import json
import math
import os
import signal
import threading
import time
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from kerasgan import growth, images, latents, models, plots, runs
from kerasgan.backend import keras, tf
from kerasgan.cli import SIGPIPE, UserError, duration, progress
from kerasgan.data.batches import Ahead, Batched
from kerasgan.data.conditions import Conditions
from kerasgan.gan import GAN
from kerasgan.recipes import Recipe
from kerasgan.runs import Checkpoints, Run

WARM_UP = 2  # iterations before the speed is taken: the first compile and allocate
TIMED = 5  # iterations the speed is taken over,
LONG_ENOUGH = 20.0  # unless fewer take as many seconds
SMOOTHED = 50  # iterations that the running mean of the pace looks back
STATUS_SECONDS = 60  # between lines where no bar is shown
EVENTS_EVERY = 10  # iterations between TensorBoard's scalars
MOVED_WITHIN = 10  # iterations in which both networks must have changed
A_DAY = 24 * 3600.0
# Without tqdm's time left: it knows nothing of the stages, of which the last take longest.
BAR_OF_STAGES = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]"
SWEPT = 16  # conditions in the control grid, a row each, at most
LOSSES = ("d_loss", "a_loss")  # the scalars that must be finite, and that losses.png shows


def train(gan: GAN, batches: Batched, run: Run) -> int | None:
    """Trains until the recipe's iterations are done or a signal asks to stop.

    Goes on from the newest checkpoint in the run, if there is one.

    Args:
        gan: the networks; its recipe gives the number of iterations.
        batches: of the reals, named by iteration.
        run: an existing run folder.

    Returns:
        The signal that stopped the training early, the state saved; else None.

    Raises:
        UserError: a loss or a weight is no longer finite; the last good checkpoint stays.
    """
    recipe = gan.recipe
    with run.locked():
        recorder = Recorder(gan, run)
        start = recorder.restore()
        moved = MovementCheck(gan, start)
        options = {"bar_format": BAR_OF_STAGES} if recipe.grows else {}
        bar = progress(recipe.iters, "Training", initial=start, **options)
        clock = Clock(start, recipe, quiet=bar.disable)
        with bar, recorder, Ahead(batches) as ahead, Stopper() as stopper:
            for iteration in range(start + 1, recipe.iters + 1):
                scalars = gan.train_on_batch(ahead.at(iteration - 1))
                recorder.record(iteration, scalars)
                for line in filter(None, (clock.tick(iteration, scalars), moved.check(iteration))):
                    stopper.say(bar, line)
                if stopper.signal:
                    break  # before the bar is touched: its terminal may have gone
                bar.set_postfix_str(clock.state(scalars), refresh=False)
                bar.update()
            recorder.save()
    return stopper.signal if iteration < recipe.iters else None


class Recorder:
    """Writes a training's log, grids, curves, events and checkpoints to its run folder."""

    def __init__(self, gan: GAN, run: Run) -> None:
        self.gan = gan
        self.run = run
        self.checkpoints = Checkpoints(gan, run.checkpoints, gan.recipe.keep_checkpoints)
        self.conditions = runs.read_conditions(run.conditions)
        self.control = Control.of(gan.recipe, run, self.conditions)
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
        for line in self.run.cut_log(start):
            for name in LOSSES:
                self.curves[name].append(line[name])
        self.log = self.run.log.open("a", buffering=1)  # by the line: a crash loses none
        self.events = tf.summary.create_file_writer(str(self.run.events))
        if start == 0:
            self._write_grid(0)
        return self

    def __exit__(self, *_: object) -> None:
        self.log.close()
        self.events.close()

    def record(self, iteration: int, scalars: dict[str, float]) -> None:
        """Notes one iteration, and writes what its number says is due.

        Raises:
            UserError: a loss is not finite.
        """
        recipe = self.gan.recipe
        for name in LOSSES:
            if not math.isfinite(scalars[name]):
                raise self._diverged(f"{name} is {scalars[name]}")
        self.log.write(json.dumps({"iteration": iteration, **scalars}) + "\n")
        for name in LOSSES:
            self.curves[name].append(scalars[name])
        if iteration % EVENTS_EVERY == 0:
            self._write_scalars(iteration, scalars)
        if iteration % recipe.grid_every == 0:
            self._write_grid(iteration)
        if iteration % recipe.checkpoint_every == 0:
            self.save()

    def save(self) -> None:
        """Writes the checkpoint, the generator and the loss curves, if anything is new.

        Raises:
            UserError: a weight is not finite; nothing is written then.
        """
        iteration = int(self.gan.iteration)
        if iteration == self.saved_at:
            return
        for network in (self.gan.generator, self.gan.discriminator):
            if not all(np.isfinite(weight).all() for weight in network.get_weights()):
                raise self._diverged(f"the {network.name} has weights that are not")
        self.portable.set_weights(self.gan.shown_generator.get_weights())
        runs.write_generator(self.run.generator, self.portable, self.conditions)
        plots.write_losses(self.run.losses, self.curves["d_loss"], self.curves["a_loss"])
        self.events.flush()
        # Last, so that whoever finds this checkpoint finds all the rest as new or newer.
        self.checkpoints.save()
        self.saved_at = iteration

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
        self._stages = growth.parse(recipe.stages) if recipe.grows else []
        self._last = self._said = time.perf_counter()
        self._begin(start)

    def _begin(self, start: int) -> None:
        """Begins to take the pace anew, after so many iterations."""
        self.start = start
        self.seconds = 0.0  # that an iteration takes, a running mean
        self._timed, self._estimated, self._left = 0, False, 0
        self._side, self._end = 0, self.recipe.iters
        if self._stages:
            stage = growth.stage_at(self._stages, start)
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


def timed_enough(count: int, seconds: float) -> bool:
    """Whether iterations timed so far, lasting so long together, tell the pace."""
    return count >= TIMED or (count > 0 and seconds >= LONG_ENOUGH)


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
            " Faster: a GPU (pip install 'kerasgan[gpu]'), --preset article-lite, a smaller --size"
            " or --width, fewer --iters."
        )
    return line
