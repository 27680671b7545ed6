"""Writing files so that a reader, or a crash, never sees half of one."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
