"""Visitors take turns: one computation at a time, long ones in steps that others come between."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kerasgan.cli import duration

PULSE = 0.25  # seconds between two looks at a long work
WAIT = 0.002  # seconds between two looks whether others wait


class Stopped(Exception):
    """A visitor has stopped a long work, or gone."""


class Turns:
    """Lets one thread compute at a time.

    Drawing changes settings of TensorFlow's for a moment, which no other computation should see.

    Attributes:
        closed: set once the server ends, which long works do not hold up.
    """

    def __init__(self) -> None:
        self.closed = threading.Event()
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0  # short works that wait for a turn

    @contextmanager
    def short(self) -> Iterator[None]:
        """Waits for a turn, which is to last a second at most."""
        with self._counting:
            self._waiting += 1
        try:
            self._lock.acquire()
        finally:
            with self._counting:
                self._waiting -= 1
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def long(self) -> Iterator[Callable[[], None]]:
        """Waits for a turn and gives a function to call between steps.

        It lets others go first, and raises `Stopped` once the server ends.
        """
        with self._lock:
            yield self._give_way

    def _give_way(self) -> None:
        if self.closed.is_set():
            raise Stopped
        if self._waiting:
            self._lock.release()
            try:
                while self._waiting:
                    time.sleep(WAIT)
            finally:
                self._lock.acquire()


class Steps:
    """Counts the steps of a long work, of one stage after another, and ends it when it should.

    Attributes:
        title: of the present stage.
        total: how many steps that stage has.
        done: how many of them are done.
    """

    def __init__(self) -> None:
        self.title, self.total, self.done = "Waiting for its turn", 1, 0
        self.stop = threading.Event()
        self._began = time.monotonic()
        self._pauses: Callable[[], object] = lambda: None

    def begin(self, title: str, total: int, pause: Callable[[], object] | None = None) -> None:
        """Begins a stage.

        Args:
            title: what is done in it.
            total: how many steps it has, at least 1.
            pause: called between two steps.

        Raises:
            Stopped: it should not.
        """
        if self.stop.is_set():
            raise Stopped
        self.title, self.total, self.done = title, total, 0
        self._began = time.monotonic()
        self._pauses = pause or self._pauses

    def __call__(self) -> None:
        """Notes that a step is done.

        Raises:
            Stopped: no other should be begun.
        """
        self.done += 1
        if self.stop.is_set():
            raise Stopped
        self._pauses()

    def words(self) -> str:
        """Says how far the work is, and how long it will take."""
        words = f"{self.title}: {self.done:,} of {self.total:,}"
        if not self.done:
            return f"{self.title} ..."
        spent = time.monotonic() - self._began
        return f"{words}, {duration(spent / self.done * max(self.total - self.done, 0))} left"


@dataclass(frozen=True)
class Pulse:
    """How a long work stands.

    Attributes:
        words: for the visitor.
        done: fraction of the present stage, 0 to 1.
        finished: whether there is a result.
        result: of the work.
    """

    words: str
    done: float
    finished: bool = False
    result: Any = None


def follow(work: Callable[[Steps], Any]) -> Iterator[Pulse]:
    """Does a long work in a thread of its own and tells how it stands until it is done.

    Where the iterator is closed before, the work ends with its present step.

    Args:
        work: calls the steps that it is given after each of its own.

    Yields:
        Four pulses a second, and a last one with the result.

    Raises:
        Exception: what the work raised.
    """
    steps = Steps()
    pool = ThreadPoolExecutor(1)
    try:
        future = pool.submit(work, steps)
        while not future.done():
            yield Pulse(steps.words(), min(steps.done / steps.total, 1.0))
            wait([future], PULSE)
        yield Pulse("", 1.0, True, future.result())
    finally:
        steps.stop.set()
        pool.shutdown(wait=False)  # the server should not wait for a step
