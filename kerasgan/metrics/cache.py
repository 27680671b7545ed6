"""Arrays that took long to compute, kept on disk under all that they depend on."""

import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kerasgan.files import Damaged, atomic_path, reading


def remembered(
    folder: Path, name: str, key: dict[str, Any], compute: Callable[[], np.ndarray]
) -> np.ndarray:
    """Returns what an earlier call computed under the same key, or computes and keeps it.

    Args:
        folder: where the files are; made if need be.
        name: the readable part of the file's name.
        key: all that the array depends on, JSON values.
        compute: makes the array.
    """
    text = json.dumps(key, sort_keys=True)
    path = folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
    kept = _read(path)
    if kept is not None and kept[0] == text:
        return kept[1]
    array = compute()
    # Where nothing can be written only time is lost.
    with contextlib.suppress(OSError), atomic_path(path) as temporary:
        np.savez(temporary, array=array, key=np.array(text))
    return array


def _read(path: Path) -> tuple[str, np.ndarray] | None:
    """Returns a file's key and its array; None where it is damaged or not there yet."""
    try:
        with reading(), open(path, "rb") as file, np.load(file, allow_pickle=False) as kept:
            return str(kept["key"]), kept["array"]
    except Damaged:
        return None
