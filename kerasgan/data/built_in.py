"""The built-in faces as a source: drawn, not photographed, the same for a seed everywhere."""

import contextlib
import hashlib
import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

import kerasgan
from kerasgan import portraits
from kerasgan.data.parallel import CORES
from kerasgan.data.source import Item, Source
from kerasgan.portraits import ATTRIBUTES, draw_portrait, name_attributes, sample_traits

BUILT_IN = "built-in"
BUILT_IN_COUNT = 10_000  # the tutorial's number of pictures
SHAPE = (128, 128, 3)  # of a drawn face
WORTH_A_PROCESS = 64  # faces; drawing fewer takes less time than starting another process


class BuiltInSource(Source):
    """Faces that are drawn when they are fetched, on all cores.

    The i-th face of a seed is the same whatever the count is.

    Args:
        count: how many faces; `BUILT_IN_COUNT` unless given.
        seed: chooses the faces, 0 or more.
        workers: at most how many processes draw, 1 for this one alone; as many as are worth
            their start unless given.
    """

    title = slug = BUILT_IN
    attribute_names = ATTRIBUTES
    takes_crop = False

    def __init__(self, count: int | None = None, seed: int = 0, workers: int | None = None) -> None:
        self.count = count or BUILT_IN_COUNT
        self.seed = seed
        self.workers = workers or min(CORES, 1 + self.count // WORTH_A_PROCESS)
        self._drawers = Drawers(self.workers)

    def items(self) -> Iterator[Item]:
        draw = self._drawers.draw if self.workers > 1 else _draw
        for number in range(self.count):
            shown = name_attributes(sample_traits(number, self.seed))
            signs = [1 if shown[name] else -1 for name in ATTRIBUTES]
            yield Item(f"{number:06d}", partial(draw, number, self.seed), attributes=signs)

    def close(self) -> None:
        self._drawers.close()

    def state(self) -> list[Any]:
        """Returns what chooses the faces, and a digest of the code that draws them."""
        digest = hashlib.sha256()
        for path in self.watched():
            digest.update(Path(path).read_bytes())
        return [self.count, self.seed, digest.hexdigest()]

    def watched(self) -> list[str]:
        """Returns the code that draws, so that other faces never hide in an old cache."""
        return sorted(map(str, Path(portraits.__file__).parent.glob("*.py")))


def _draw(number: int, seed: int) -> np.ndarray:
    return draw_portrait(number, seed)[0]


class Drawers:
    """Processes that draw faces, started when they are needed.

    Not `multiprocessing`: its new processes import the user's script again, and a script without
    a `__main__` guard would then train in each of them.

    Args:
        most: at most how many there are; threads that ask for more faces at once wait.
    """

    def __init__(self, most: int) -> None:
        self._free = threading.Semaphore(most)
        self._started: list[Drawer] = []
        self._idle: list[Drawer] = []
        self._changing = threading.Lock()

    def draw(self, number: int, seed: int) -> np.ndarray:
        """Draws a face, uint8 (128, 128, 3), in a process; called in any thread.

        Raises:
            RuntimeError: the process ended; its traceback is on standard error.
        """
        with self._free:
            drawer = self._take()
            pixels = drawer.draw(number, seed)
            with self._changing:
                self._idle.append(drawer)
        return pixels

    def close(self) -> None:
        """Ends the processes."""
        with self._changing:
            ending, self._started, self._idle = self._started, [], []
        for drawer in ending:
            drawer.close()

    def _take(self) -> "Drawer":
        """Returns one that has nothing to do, a new one if need be."""
        with self._changing:
            if self._idle:
                return self._idle.pop()
            self._started.append(Drawer())
            return self._started[-1]


class Drawer:
    """A process of `kerasgan.portraits.worker`."""

    def __init__(self) -> None:
        package = os.fspath(Path(kerasgan.__file__).parent.parent)
        path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kerasgan.portraits.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            # Ctrl-C is for the process that started this one, which then stops it.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._orders = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)

    def draw(self, number: int, seed: int) -> np.ndarray:
        """Has a face drawn, uint8 (128, 128, 3).

        Raises:
            RuntimeError: the process ended; its traceback is on standard error.
        """
        # Where the process has ended already, the answer says so.
        with contextlib.suppress(BrokenPipeError):
            self._orders.write(b"%d %d\n" % (number, seed))
            self._orders.flush()
        pixels = self._answers.read(math.prod(SHAPE))
        if len(pixels) < math.prod(SHAPE):
            raise RuntimeError(
                f"A process that draws the built-in faces ended with code {self._process.wait()}."
            )
        return np.frombuffer(pixels, np.uint8).reshape(SHAPE)

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):  # of an order that was never read
            self._orders.close()
        self._answers.close()
