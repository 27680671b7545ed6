"""A process of its own that draws the faces it is asked for.

python -m kerasgan.portraits.worker

It reads lines of a face's number and its seed from standard input until that ends, and answers
each with the face's picture on standard output: uint8 (128, 128, 3).
"""

import os
import sys
from collections.abc import Iterable
from typing import BinaryIO

from kerasgan.portraits import draw_portrait


def work(orders: Iterable[bytes], answers: BinaryIO) -> None:
    """Draws faces one by one.

    Args:
        orders: the number and the seed of each, two decimal numbers with a space between.
        answers: where the pixels of each go.
    """
    for order in orders:
        number, seed = map(int, order.split())
        answers.write(draw_portrait(number, seed)[0].tobytes())
        answers.flush()


if __name__ == "__main__":
    try:
        work(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(0)  # whoever asked is gone; an ordinary exit would write once more
