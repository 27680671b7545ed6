"""Words for messages: names that may hold anything, paths to type, counts, sizes."""

import os
import re
from collections import Counter
from collections.abc import Sequence

WINDOWS = os.name == "nt"
LINE = 300  # characters of what a library says
PLAIN = "_./:=+-" + ("\\" if WINDOWS else "")  # beside letters and digits, in a word not quoted


def printable(text: str) -> str:
    """Escapes what does not print (newlines, undecodable bytes), so that a name stays one line."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def shortened(text: str, most: int = 80) -> str:
    """Returns what a message shows of a value that may be anything, in one line."""
    return printable(text[:most]) + ("..." if len(text) > most else "")


def quoted(path: str | os.PathLike[str]) -> str:
    """Writes a path as it is typed in a command, for POSIX shells or for cmd.exe and PowerShell.

    Quotes are double ones, the only kind that cmd.exe knows, and stand only where they are needed.
    No form of a dollar sign suits both shells of Windows: cmd.exe is known by what it sets for
    the programs that it starts.
    """
    text = os.fspath(path)
    if text.startswith(("-", "~")):  # else it were a flag, or somebody's home
        text = os.path.join(".", text)
    if text and all(char.isalnum() or char in PLAIN for char in text):
        return text
    if not WINDOWS:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        escaped = re.sub(r"([$`!])", r'"\\\1"', escaped)  # `!` is an earlier command in quotes
    else:
        escaped = text if "PROMPT" in os.environ else re.sub("([$`])", r"`\1", text)
        escaped += "\\" if text.endswith("\\") else ""
    return printable(f'"{escaped}"')


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
    """Returns the first line of an error's message, shortened, or its name where it has none."""
    return shortened(next(iter(str(error).splitlines()), ""), LINE) or type(error).__name__
