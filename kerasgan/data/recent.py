"""Which cache a request led to last, so that a large source need not be listed at every start.

A note in `recent/` holds the sizes and times of change of the files and folders that tell
whether the source is still the same (`Source.watched`).
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kerasgan.files import atomic_path

Stamps = list[list[Any]]  # [path, size in bytes, times of change in ns]; a folder's size is 0


def take_stamps(paths: Iterable[str]) -> Stamps:
    """Returns the sizes and times of change of files and folders."""
    return [[path, *_stamp(path)] for path in paths]


def remember(
    cache: Path, request: dict[str, Any], folder: Path, stamps: Stamps, since: int
) -> None:
    """Notes which cache a request led to, unless that cannot be written.

    Args:
        cache: the folder of caches.
        request: JSON values.
        folder: the cache that it led to.
        stamps: of what tells whether the source is still the same.
        since: when listing the source began, in ns. What has changed after it may have been
            listed as it was before, and gives no note.
    """
    # The last time alone: that of a file's content may be set, into the future even.
    if any(time > since for _, *stamp in stamps for time in stamp[2:]):
        return
    try:
        with atomic_path(_note(cache, request)) as temporary:
            note = {"cache": folder.name, "watched": stamps}
            temporary.write_text(json.dumps(note), encoding="utf-8")
    except OSError:
        pass  # the next start lists the source


def recall(cache: Path, request: dict[str, Any]) -> Path | None:
    """Returns the cache that a request led to last, if its source looks the same since."""
    try:
        note = json.loads(_note(cache, request).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None  # no note, or a damaged one
    match note:
        case {"cache": str(name), "watched": [*stamps]}:
            if all(_is_as_stamped(stamp) for stamp in stamps):
                return cache / name
    return None


def _is_as_stamped(stamp: Any) -> bool:
    match stamp:
        case [str(path), *numbers]:
            return numbers == _stamp(path)
    return False


def _stamp(path: str) -> list[int]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return []  # a link to nothing, for example, or a name that no file can have
    size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return [size, status.st_mtime_ns, status.st_ctime_ns]  # the latter tells of `chmod`, too


def _note(cache: Path, request: dict[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    return cache / "recent" / f"{digest[:24]}.json"
