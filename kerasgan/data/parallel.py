"""Work on all cores by threads, with results in order and memory bounded."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

CORES = os.cpu_count() or 1
WINDOW = 8 * CORES  # items under way, which bounds the memory

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def threads() -> Iterator[ThreadPoolExecutor]:
    """Gives a thread for each core; Pillow decodes, resizes and encodes outside the GIL.

    What has not begun when the block is left, by Ctrl-C for example, is not done.
    """
    pool = ThreadPoolExecutor(CORES)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def submit_in_order(
    pool: ThreadPoolExecutor,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    window: int = WINDOW,
) -> Iterator[tuple[Item, Future[Result]]]:
    """Yields items with their futures, oldest first, with at most `window` under way."""
    pending: deque[tuple[Item, Future[Result]]] = deque()
    for item in items:
        pending.append((item, pool.submit(work, item)))
        if len(pending) == window:
            yield pending.popleft()
    yield from pending
