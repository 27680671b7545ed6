"""Files: written so that nobody ever sees half of one, and read so that damage is told."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kerasgan.text import first_line

# Matches the temporary names of `atomic_path`, which stay behind only where a process is killed.
LEFTOVERS = ".*.tmp*"


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary path beside `path` to write to, renamed to `path` on success.

    The temporary path keeps the suffix, since writers choose their format by it. It may
    become a file or a folder; a folder is renamed only where `path` does not exist yet.

    Args:
        path: where the result belongs. Its parent folder is made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}.tmp{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


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
