"""A process of its own that draws the people whose traits it is sent.

python -m kerasgan.portraits.worker

It reads pickled `Traits` from standard input, one after the other until the input ends, and
answers each with its picture on standard output: uint8 (128, 128, 3).
"""

import pickle
import sys
from typing import BinaryIO

from kerasgan.portraits import draw_traits


def work(orders: BinaryIO, answers: BinaryIO) -> None:
    """Draws people one by one.

    Args:
        orders: pickled `Traits`, by the process that started this one.
        answers: where the pixels of each go.
    """
    while orders.peek(1):  # type: ignore[attr-defined]
        answers.write(draw_traits(pickle.load(orders)).tobytes())
        answers.flush()


if __name__ == "__main__":
    work(sys.stdin.buffer, sys.stdout.buffer)
