"""Files that are damaged, kept apart from mistakes of our own."""

from collections.abc import Iterator
from contextlib import contextmanager

from kerasgan.text import first_line


class Damaged(Exception):
    """A file that is not what it should be; the message is the reason, in one line."""


@contextmanager
def reading() -> Iterator[None]:
    """Turns whatever a library raises for a file into `Damaged`.

    Libraries raise nearly anything for bytes that mean nothing to them, so every exception
    counts. The block should hold one call of the library and no code of ours, whose mistakes
    would be reported as damage.
    """
    try:
        yield
    except Exception as error:
        raise Damaged(first_line(error)) from error
