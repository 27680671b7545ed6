"""The training loop, and what stops it."""

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from kerasgan import backend, models
from kerasgan.backend import keras
from kerasgan.cli import SIGPIPE, progress
from kerasgan.data.batches import Ahead, Batched
from kerasgan.gan import GAN
from kerasgan.metrics import Evaluator
from kerasgan.pace import Clock
from kerasgan.recorder import Recorder
from kerasgan.runs import Run

MOVED_WITHIN = 10  # iterations after which both networks must have changed
# Relative difference of float32 kernels that were only scaled, a few times over.
MAX_ROUNDING = 1e-5
# Without tqdm's time left: it knows nothing of the stages, of which the last take longest.
BAR_OF_STAGES = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]"


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
        if start and (elsewhere := run.note_resumption(start, backend.environment())):
            print(elsewhere)
        moved = MovementCheck(gan, start)
        options = {"bar_format": BAR_OF_STAGES} if recipe.grows else {}
        bar = progress(recipe.iters, "Training", initial=start, **options)
        clock = Clock(start, recipe, quiet=bar.disable)
        with bar, recorder, Ahead(batches) as ahead, Stopper() as stopper:
            for iteration in range(start + 1, recipe.iters + 1):
                scalars = gan.train_on_batch(ahead.at(iteration - 1))
                response = recorder.record(iteration, scalars)
                clock.skip(response.seconds)
                said = (clock.tick(iteration, scalars), moved.check(iteration), *response.lines)
                for line in filter(None, said):
                    stopper.say(bar, line)
                if stopper.signal or response.end:
                    break  # before the bar is touched: its terminal may have gone
                bar.set_postfix_str(clock.state(scalars) + recorder.state(), refresh=False)
                bar.update()
            recorder.save()
    return Ending(stopper.signal, response.end) if iteration < recipe.iters else Ending()


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
        """Prints a line above the bar; a reader that has gone is a wish to stop, too.

        What cannot be printed for another reason, on a full disk for example, is no cause to stop.
        """
        try:
            bar.write(line)
        except BrokenPipeError:
            self.signal = SIGPIPE
        except OSError:
            pass

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
    """Says, after the first few iterations, if one of the networks does not learn.

    It compares trainable weights: BatchNorm's statistics move by themselves. So do the kernels that
    spectral normalisation scales, of which the direction is compared.

    Args:
        gan: the networks.
        start: iterations done so far.
    """

    def __init__(self, gan: GAN, start: int) -> None:
        self.networks = (gan.generator, gan.discriminator)
        self.start = start
        self._before: list[list[np.ndarray]] = []

    def check(self, iteration: int) -> str | None:
        """Returns a warning when it is due and deserved, else None.

        Args:
            iteration: just done. Weights are compared with those after the first one, as clipping
                moves them in it.
        """
        if iteration == self.start + 1:
            self._before = [_trained(network) for network in self.networks]
        if iteration != self.start + MOVED_WITHIN:
            return None
        pairs = zip(self.networks, self._before, strict=True)
        stuck = [network.name for network, before in pairs if not _has_moved(network, before)]
        self._before = []
        if not stuck:
            return None
        return f"warning: the weights of the {' and the '.join(stuck)} have not moved at all."


def _trained(network: keras.Model) -> list[np.ndarray]:
    return [weight.numpy() for weight in network.trainable_weights]


def _has_moved(network: keras.Model, before: list[np.ndarray]) -> bool:
    """Whether any weight that the optimizer moves is another than before."""
    spectral = [x for x in network.layers if isinstance(x, models.SpectralNormalization)]
    scaled = {id(layer.kernel) for layer in spectral}
    for weight, was in zip(network.trainable_weights, before, strict=True):
        now = weight.numpy()
        if id(weight) not in scaled:
            moved = not np.array_equal(was, now)
        else:
            now *= np.linalg.norm(was) / np.linalg.norm(now)
            moved = not np.allclose(was, now, rtol=MAX_ROUNDING, atol=0)
        if moved:
            return True
    return False
