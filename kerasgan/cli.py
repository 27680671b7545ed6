"""What every command shares: a parser, rules, one-line errors, exit codes, progress bars."""

import argparse
import errno
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

from kerasgan.errors import UserError
from kerasgan.text import printable

USER_ERROR = 2
INTERRUPTED = 128 + signal.SIGINT
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what the system says of a full disk
SIGPIPE = 13  # which Windows does not name
BROKEN_PIPE = 128 + SIGPIPE

Rule = tuple[str, object, bool]  # in words, what was received, whether it holds


class Parser(argparse.ArgumentParser):
    """Reports a mistake on the command line as every other one, in one line.

    A word such as -3..3 is what the flag before it is given, as -3 is, and no flag.
    """

    def __init__(self, **options: Any) -> None:
        # An abbreviation that works today would break with the next flag.
        super().__init__(allow_abbrev=False, **{"formatter_class": HelpFormatter, **options})

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        words = sys.argv[1:] if args is None else args
        return super().parse_known_args(list(_joined(words)), namespace)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message.rstrip('.')}. For all flags type: {self.prog} --help")


def _joined(words: Iterable[str]) -> Iterator[str]:
    """Yields words, a flag and the range or list of numbers behind it as one: --strength=-3..3."""
    flag = None
    for word in words:
        if flag is not None and re.fullmatch(r"-[0-9.]+(\.\.|,)[-+0-9.,]*", word):
            word, flag = f"{flag}={word}", None
        if flag is not None:
            yield flag
        flag = word if re.fullmatch(r"--[a-z][-a-z0-9]*", word) else None
        if flag is None:
            yield word
    if flag is not None:
        yield flag


def value(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Lets a parser's `type` raise `UserError`, of whose words argparse keeps none by itself."""

    def parsed(text: str) -> Any:
        try:
            return parse(text)
        except UserError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed


def path(text: str) -> Path:
    """Reads a path, as a parser's `type`.

    A `~` in front is a home, also where the shell leaves it: behind `=`, in quotes, on Windows. A
    file whose name begins so is typed with `./` in front.
    """
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(
            f"A path should have characters, of the usual ones. Received: {text!r}"
        )
    return Path(os.path.expanduser(text))


class HelpFormatter(argparse.HelpFormatter):
    """Shows each flag's default, the value or what `unset` says of it."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        words = getattr(action, "unset", None)
        if words is None and not _is_nothing(action.default):
            words = "%(default)s"
        return action.help if words is None else f"{action.help} (default: {words})"


def _is_nothing(default: Any) -> bool:
    return default is None or default is False or default == argparse.SUPPRESS


def unset(action: argparse.Action, words: str) -> None:
    """Tells `--help` what happens where a flag is left out whose default is None.

    Args:
        action: what `add_argument` returned.
        words: shown in the place of the default.
    """
    action.unset = words.replace("%", "%%")  # type: ignore[attr-defined]


def require(rules: Iterable[Rule]) -> None:
    """Raises UserError for the first rule that does not hold.

    Args:
        rules: each the rule in words, what was received, and whether it holds.
    """
    for rule, received, holds in rules:
        if not holds:
            raise UserError(f"{rule}. Received: {received}.")


def progress(total: int, description: str, unit: str = "it", **options: Any) -> tqdm:
    """Returns a progress bar with ETA on standard error, silent where that is not a terminal.

    Args:
        total: how many units make the whole.
        description: what is being done, in front of the bar.
        unit: the name of one unit.
        **options: passed to `tqdm`, `initial=` for example.
    """
    options.setdefault("disable", None if _has_columns() else True)
    return tqdm(total=total, desc=description, unit=unit, dynamic_ncols=True, **options)


def _has_columns() -> bool:
    """Whether standard error is a terminal that says how wide it is."""
    try:
        return os.get_terminal_size(2).columns > 0
    except OSError:
        return False


def open_closed_streams() -> None:
    """Makes standard streams that are closed lead nowhere.

    A process may begin without them, by `2>&-` or under `pythonw`. What Python then calls
    `sys.stderr` is None, which nothing can be printed to; and the next file that is opened takes
    number 2, to which native code writes its errors.
    """
    names = ("stdin", "stdout", "stderr")
    closed = [number for number, name in enumerate(names) if getattr(sys, name) is None]
    for number in closed:
        if not _is_open(number):
            _lead_nowhere(number)
    for number in closed:
        setattr(sys, names[number], open(os.devnull, "w" if number else "r"))  # noqa: SIM115


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _lead_nowhere(number: int) -> None:
    """Opens the null device under a file number that is closed, for processes started later too."""
    null = os.open(os.devnull, os.O_RDWR)
    if null == number:
        os.set_inheritable(null, True)
    else:
        os.dup2(null, number)
        os.close(null)


def run(command: Callable[[Sequence[str] | None], int | None], argv: Sequence[str] | None) -> int:
    """Calls a command and turns a user's mistake into one line and an exit code.

    Args:
        command: parses `argv` and does the work; returns an exit code or None for 0.
        argv: the command line's words, or None for `sys.argv[1:]`.

    Returns:
        The exit code: 0, 2 for a user's mistake, 130 after Ctrl-C, 141 for a broken pipe.
    """
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # File names may hold anything, and a log file should show each line at once.
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    try:
        return command(argv) or 0
    except UserError as error:
        _say(f"error: {error}")
        return USER_ERROR
    except KeyboardInterrupt:
        _say("Stopped.")
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; nothing is left to say
        return BROKEN_PIPE
    except OSError as error:  # a full disk, a folder that may not be written to
        _say(f"error: {refused(error)}")
        return USER_ERROR
    except MemoryError as error:
        fact = str(error) or "too little"
        _say(f"error: The memory should be enough. Received: {fact}. Ask for less at once.")
        return USER_ERROR
    finally:
        _let_go_of_what_nobody_reads()


def _let_go_of_what_nobody_reads() -> None:
    """Leads streams nowhere that cannot be written.

    Python writes out at its end what they still hold. Where that fails, it ends with an exit code
    of its own instead of the command's.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.closed:
            try:
                stream.flush()
            except OSError:
                _lead_nowhere(stream.fileno())


def refused(error: OSError) -> str:
    """Says what the system refused, and what to do where a disk is full."""
    place = f": {error.filename}" if error.filename else ""
    what = "The system should let files be read and written"
    remedy = "Mend that, then type the same command"
    if error.errno in FULL:
        what, remedy = "The disk should have room", "Make some, then type the same command"
    return f"{what}. Received: {error.strerror or error}{place}. {remedy}."


def _say(line: str) -> None:
    """Prints a last line on standard error, whose reader may have gone: the exit code counts.

    Names in it may hold anything; what does not print is escaped.
    """
    with suppress(OSError):
        print(printable(line), file=sys.stderr)


def duration(seconds: float) -> str:
    """Returns a span of time in words a person would use: "45 s", "12 min", "3 h 5 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes / (24 * 60):.1f} days"
