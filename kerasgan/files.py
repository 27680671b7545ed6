"""Files: written so that nobody ever sees half of one, and read so that damage is told.

What gets its name has been put on the disk before, and the name afterwards, so that a power cut
leaves the file of before or the new one, whole.
"""

import errno
import json
import math
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from kerasgan.errors import UserError
from kerasgan.text import first_line, printable

# Matches the temporary names of what is written here, which stay behind only where a process is
# killed.
LEFTOVERS = ".*.tmp*"
MAX_DEPTH = 64  # brackets in brackets, in JSON
MAX_NUMBER = 1e300  # in JSON, either way: what is beyond overflows in the next step
KEPT = 40  # characters of a name in its temporary one: both should be names that a disk takes


@contextmanager
def atomic_path(path: str | os.PathLike[str], durable: bool = True) -> Iterator[Path]:
    """Gives a temporary path beside `path` to write to, renamed to `path` on success.

    The temporary path keeps the suffix, since writers choose their format by it. It may
    become a file or a folder; a folder is renamed only where `path` does not exist yet.

    Args:
        path: where the result belongs. Its parent folder is made.
        durable: whether it is on the disk at the end, which takes some milliseconds; not for
            thousands of files that can be made again.

    Raises:
        OSError: it cannot be written; the error names `path`.
    """
    path = Path(path)
    temporary = path.parent / _temporary_name(path)
    try:
        made = _make_folders(path.parent)
        yield temporary
        if durable:
            sync_all(temporary)
        os.replace(temporary, path)
        if durable:
            for folder in (path.parent, *(new.parent for new in made)):
                sync(folder)
    except OSError as error:
        if error.errno and error.filename in (None, str(temporary), temporary):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        _remove(temporary)


@contextmanager
def new_folder(path: str | os.PathLike[str], durable: bool = True) -> Iterator[Path]:
    """Gives a temporary folder whose files lie in `path` at the end, all of them or none.

    A folder that is there already is kept, and filled: it may be the current one of this process
    and of the shell, or a disk of its own.

    Args:
        path: a folder to make, with its parents, or an empty one; see `is_empty`.
        durable: as for `atomic_path`.

    Raises:
        OSError: it cannot be written, or holds something of a name that is to come.
    """
    path = Path(path)
    if not path.is_dir():
        with atomic_path(path, durable) as temporary:
            temporary.mkdir()
            yield temporary
        return
    temporary = path / _temporary_name(path)
    temporary.mkdir()
    try:
        yield temporary
        items = sorted(temporary.iterdir())
        if any(os.path.lexists(path / item.name) for item in items):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        if durable:
            sync_all(temporary)
        for item in items:
            item.rename(path / item.name)
        if durable:
            sync(path)
    finally:
        _remove(temporary)


def sync(path: Path) -> None:
    """Puts a file's content, or a folder's names, on the disk.

    Raises:
        OSError: a file is not there, or the disk refuses it.
    """
    windows, is_folder = os.name == "nt", path.is_dir()
    if windows and is_folder:  # which cannot be opened there
        return
    number = os.open(path, os.O_RDWR if windows else os.O_RDONLY)
    try:
        # Some network drives know no such thing for folders.
        with suppress(OSError) if is_folder else nullcontext():
            os.fsync(number)
    finally:
        os.close(number)


def sync_all(path: Path) -> None:
    """Puts a file, or a folder with all that is in it, on the disk."""
    if path.is_symlink():
        return
    if path.is_dir():
        for item in path.iterdir():
            sync_all(item)
    sync(path)


def _make_folders(folder: Path) -> list[Path]:
    """Makes a folder with its parents; returns those that were not there, lowest first."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def is_empty(folder: Path, besides: Path | None = None) -> bool:
    """Whether nothing is in a folder.

    Args:
        folder: that exists.
        besides: a path that may be in it, at any depth: a cache, whose default place is below the
            current folder.
    """
    within = set() if besides is None else {besides.resolve(), *besides.resolve().parents}
    return all(item.resolve() in within for item in folder.iterdir())


def _temporary_name(path: Path) -> str:
    return f".{path.stem[:KEPT]}-{uuid.uuid4().hex[:8]}.tmp{path.suffix[:KEPT]}"


def _remove(temporary: Path) -> None:
    """Removes what is left of a file or folder, whatever has gone wrong with it."""
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        with suppress(OSError):
            temporary.unlink()


def check_place(
    path: str | os.PathLike[str], what: str, remedy: str, *, folder: bool = False
) -> None:
    """Raises UserError where something could not be written; for the time before the work.

    Nothing is made or changed. A disk that is full may still be noticed later.

    Args:
        path: the file, or the folder, to be written. Its parent folders need not exist.
        what: names it, the beginning of a sentence: "`--out`" for example.
        remedy: what to type, a sentence without its dot.
        folder: whether it is a folder, which may be there already.
    """
    if problem := _problem(Path(os.path.abspath(path)), folder):
        kind = "folder" if folder else "file"
        raise UserError(
            f"{what} should be a {kind} that can be written. Received: {printable(str(path))}, "
            f"{problem}. {remedy}."
        )


def _problem(path: Path, folder: bool) -> str | None:
    """Says why a file or folder could not be written, if that can be known before."""
    try:
        mode = _mode(path)
        if mode is None:
            parent = next(above for above in path.parents if os.path.lexists(above))
        else:
            if stat.S_ISDIR(mode) != folder:
                return "which is a folder" if stat.S_ISDIR(mode) else "which is no folder"
            if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
                return "which is a device or a pipe"
            parent = path if folder else path.parent
        with tempfile.TemporaryFile(dir=parent):
            return None
    except NotADirectoryError:
        return "which lies in something that is no folder"
    except OSError as error:
        return f"which the system refuses: {printable(error.strerror or str(error))}"


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def read_json(path: Path, most: int) -> dict[str, Any]:
    """Reads a file that holds a JSON object.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no file.
        Damaged: it cannot be read, or is something else.
    """
    try:
        with open(path, "rb") as file:
            # Not `most` at once: that much memory would be taken for a file of a few bytes.
            content = file.read(min(os.fstat(file.fileno()).st_size, most) + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise Damaged(f"the system refuses it: {error.strerror}") from error
    if len(content) > most:
        raise Damaged(f"it has more than {most:,} bytes")
    values = parse_json(content)
    if not isinstance(values, dict):
        raise Damaged("it holds no JSON object")
    return values


def parse_json(content: bytes, finite: bool = True) -> Any:
    """Reads JSON that may come from anywhere.

    Args:
        content: UTF-8, of a length that has been looked at.
        finite: whether NaN and infinities, which Python writes as words, are refused.

    Returns:
        What it says: no deeper than `MAX_DEPTH`.

    Raises:
        Damaged: it is no such JSON; the reason names a line.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Damaged(f"line {line} has a byte that is no UTF-8") from error
    try:
        values = json.loads(text, parse_constant=_no_number if finite else float)
    except json.JSONDecodeError as error:
        raise Damaged(f"line {error.lineno} is no JSON: {error.msg}") from error
    except RecursionError as error:
        raise Damaged("it has too many brackets in brackets") from error
    except ValueError as error:  # a number of thousands of digits
        raise Damaged(f"it is no JSON: {first_line(error)}") from error
    _require_plain(values, finite)
    return values


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _require_plain(values: Any, finite: bool) -> None:
    """Raises `Damaged` for values in too many others, and for numbers beyond what counts here."""
    waiting = [(values, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                raise Damaged("it has too many brackets in brackets")
            inner = value.values() if isinstance(value, dict) else value
            waiting += [(each, depth + 1) for each in inner if not isinstance(each, str)]
        elif isinstance(value, float) and not math.isfinite(value) and not finite:
            continue
        elif isinstance(value, int | float) and not abs(value) <= MAX_NUMBER:
            raise Damaged(f"it has the number {str(value)[:40]}, which is too large")


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
