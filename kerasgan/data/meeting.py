"""Which row of a table says something of which picture, by their names.

A name in a table may have another ending than the file ("1.jpg" for 1.png), other capitals,
other folders in front or none, Windows' separators, or be the bare number of the file. What is
more alike goes first, and what might mean two pictures means none.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from unicodedata import normalize

import numpy as np

from kerasgan.data.kinds import PICTURES

Key = Callable[[str], str]  # of a path with forward slashes; "" where it has none


def same(path: str) -> str:
    """Returns the path."""
    return path


def folded(path: str) -> str:
    """Returns a path without its capitals, "é" always written in one way."""
    return normalize("NFC", path).casefold()


def without_ending(path: str) -> str:
    """Returns a path without a picture's ending, or several of them: "a.jpg.png" is "a"."""
    stem, dot, ending = path.rpartition(".")
    while dot and f".{ending.lower()}" in PICTURES:
        path = stem
        stem, dot, ending = path.rpartition(".")
    return path


def folded_without_ending(path: str) -> str:
    """Returns a path without capitals and without a picture's ending."""
    return folded(without_ending(path))


def number(path: str) -> str:
    """Returns the number that a bare name is, without the zeros in front."""
    stem = without_ending(path)
    return str(int(stem)) if stem.isascii() and stem.isdigit() and len(stem) < 20 else ""


KEYS: tuple[Key, ...] = (same, folded, without_ending, folded_without_ending)


def base(path: str) -> str:
    """Returns a file's name without its folders."""
    return path.rpartition("/")[2]


def with_parent(path: str) -> str:
    """Returns a file's name with the folder it is in; "" without one."""
    parts = path.rsplit("/", 2)
    return "/".join(parts[-2:]) if len(parts) > 1 else ""


def whole(path: str) -> str:
    """Returns a path; "" for a bare name."""
    return path if "/" in path else ""


def tidy(path: str) -> str:
    """Returns a path with forward slashes and without empty parts, "." and what ".." undoes."""
    if "\\" not in path and "/" not in path:
        return path
    parts: list[str] = []
    for part in path.replace("\\", "/").split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


class Meeting:
    """Finds the pictures that names in tables mean.

    Args:
        pictures: their paths in the source, with forward slashes.
    """

    def __init__(self, pictures: Sequence[str]) -> None:
        self._pictures = [tidy(path) for path in pictures]
        self._known: list[set[str]] = []

    @property
    def example(self) -> str:
        """A picture's path."""
        return self._pictures[0]

    def alike(self, values: Sequence[str], may_be_numbers: bool) -> tuple[int, ...]:
        """Counts how many of some values name a picture, exactly and then ever less so.

        Args:
            values: some of a column's.
            may_be_numbers: whether bare numbers may be names.

        Returns:
            The counts; zeros where the values repeat, as the names of pictures do not.
        """
        if 2 * len(set(values)) < len(values):
            return (0,) * (len(KEYS) + 1)
        names = [base(tidy(value)) for value in values]
        names = [name for name in names if may_be_numbers or not name.isdigit()]
        if not self._known:
            bases = {base(path) for path in self._pictures}
            self._known = [{key(name) for name in bases} for key in (*KEYS, number)]
        counts = [
            sum(key(name) in known for name in names)
            for key, known in zip(KEYS, self._known[:-1], strict=True)
        ]
        return (*counts, sum(name.isdigit() and number(name) in self._known[-1] for name in names))

    def rows_of_pictures(self, values: Sequence[str], folder: str = "") -> np.ndarray:
        """Finds the row that means each picture.

        Args:
            values: what a table's rows call their pictures.
            folder: of the table, beside the pictures' paths.

        Returns:
            int64 (N,), the row's number for each picture, -1 for none.
        """
        rows = [tidy(f"{folder}/{value}" if folder else value) for value in values]
        met = np.full(len(self._pictures), -1, np.int64)
        used = np.zeros(len(rows), bool)
        placed = np.array(["/" in row for row in rows], bool)
        for part in (whole, with_parent) if placed.any() else ():
            for key in KEYS:
                self._meet(rows, met, used, part, key)
        if used.any():  # the table's folders are those of the pictures, so they count
            used |= placed
        for key in KEYS:
            self._meet(rows, met, used, base, key)
        # Zeros in front are lost where names are taken for numbers.
        used |= np.array([not base(row).isdigit() for row in rows], bool)
        self._meet(rows, met, used, base, number)
        return met

    def _meet(
        self, rows: list[str], met: np.ndarray, used: np.ndarray, part: Key, key: Key
    ) -> None:
        """Lets rows and pictures that are left meet where their keys are the same."""
        left, offering = np.flatnonzero(met < 0).tolist(), np.flatnonzero(~used).tolist()
        if not left or not offering:
            return
        offered = [key(part(rows[index])) for index in offering]
        wanting = [key(part(self._pictures[index])) for index in left]
        common = set(offered).intersection(wanting) - {""}
        several = (_repeated(offered) | _repeated(wanting)) & common
        alone = dict(zip(offered, offering, strict=True))
        for name, index in zip(wanting, left, strict=True):
            if name in common and name not in several:
                met[index] = alone[name]
                used[alone[name]] = True
        self._meet_several(
            rows, met, used, _grouped(offered, offering, several), _grouped(wanting, left, several)
        )

    def _meet_several(
        self,
        rows: list[str],
        met: np.ndarray,
        used: np.ndarray,
        offered: dict[str, list[int]],
        wanting: dict[str, list[int]],
    ) -> None:
        """Lets rows and pictures meet of which several have one key, where that is clear."""
        for name, numbers in offered.items():
            wanted = wanting[name]
            names = {rows[index] for index in numbers}
            places = {self._pictures[index].rpartition("/")[0] for index in wanted}
            if len(names) == 1 and len(places) == len(wanted):
                met[wanted] = numbers[-1]
                used[numbers] = True


def _repeated(keys: Sequence[str]) -> set[str]:
    """Returns those that are there more than once."""
    if len(set(keys)) == len(keys):
        return set()
    return {key for key, count in Counter(keys).items() if count > 1}


def _grouped(keys: Sequence[str], numbers: Sequence[int], wanted: set[str]) -> dict[str, list[int]]:
    """Returns the numbers that belong to each key that is wanted."""
    found: dict[str, list[int]] = {key: [] for key in wanted}
    for key, index in zip(keys, numbers, strict=True) if wanted else ():
        if key in found:
            found[key].append(index)
    return found
