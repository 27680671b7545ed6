"""Words for messages: names that may hold anything, counts, sizes."""

from collections import Counter
from collections.abc import Sequence


def printable(text: str) -> str:
    """Escapes what does not print (newlines, undecodable bytes), so that a name stays one line."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def plural(count: int, noun: str) -> str:
    """Returns "1 picture", "2,201 pictures"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def either(things: Sequence[str]) -> str:
    """Returns "a, b or c"; there is at least one."""
    *others, last = things
    return f"{', '.join(others)} or {last}" if others else last


def most_common(reasons: Counter[str], kinds: int = 3) -> str:
    """Sums reasons up, the most frequent ones first: "empty file: 2, damaged: 1"."""
    return ", ".join(f"{reason}: {count:,}" for reason, count in reasons.most_common(kinds))


def megabytes(count: int) -> str:
    """Returns a number of bytes in MB or, from 1000 of those on, in GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message, or its name where it has none."""
    return printable(next(iter(str(error).splitlines()), "")) or type(error).__name__
