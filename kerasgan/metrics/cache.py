"""Arrays that took long to compute, kept on disk under all that they depend on."""

import contextlib
import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kerasgan.files import atomic_path

_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


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
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as kept:
            if str(kept["key"]) == text:
                return kept["array"]
    except _UNREADABLE:  # not there yet, or damaged
        pass
    array = compute()
    # Where nothing can be written only time is lost.
    with contextlib.suppress(OSError), atomic_path(path) as temporary:
        np.savez(temporary, array=array, key=np.array(text))
    return array
