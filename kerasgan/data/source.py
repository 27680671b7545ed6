"""What every source of pictures offers: a folder, an archive, arrays, a named set, drawn faces."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from kerasgan.data.kinds import why_not

Raw = str | bytes | np.ndarray  # a picture file's path or its bytes, or pixels


class Rejected(Exception):
    """A file that gives no picture; the message is the reason, for `rejected.csv`."""


class Item(NamedTuple):
    """One picture of a source, not read yet.

    Attributes:
        name: what tells it from the others, its path inside the source for example.
        fetch: gives the picture file's path, its bytes, or its pixels, uint8 (H, W) or
            (H, W, C) with 1, 3 or 4 channels; called in any thread. Raises `Rejected` or
            OSError for a picture that cannot be had.
        label: index into the source's `label_names`; -1 for none.
        attributes: 1 where the picture has the attribute, -1 where not, 0 where that is not
            known; one for each of the source's `attribute_names`, or none at all.
    """

    name: str
    fetch: Callable[[], Raw]
    label: int = -1
    attributes: Sequence[int] | np.ndarray = ()


class Source:
    """Pictures in an order that is the same on every machine.

    Attributes:
        title: what the user named, for messages.
        slug: the readable part of the cache's name.
        count: how many items there are.
        label_names: the classes; none where the pictures have no labels.
        attribute_names: the attributes, CelebA's for example; none where there are none.
        takes_crop: whether a crop applies; it does not where every picture is a square that shows
            what it should.
    """

    title: str
    slug: str
    count: int
    label_names: Sequence[str] = ()
    attribute_names: Sequence[str] = ()
    takes_crop: bool = True

    def items(self) -> Iterator[Item]:
        """Yields the pictures; their `fetch` works until `close`."""
        raise NotImplementedError

    def close(self) -> None:
        """Closes what `items` holds open."""

    def state(self) -> list[Any]:
        """Returns all that determines the items, JSON values: names, sizes, times of change."""
        raise NotImplementedError

    def watched(self) -> list[str]:
        """Returns the files and folders whose times of change tell that nothing has changed."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        """Returns what is odd about the source, a phrase each, once all items were yielded."""
        return []


def find_labels(names: Iterable[str]) -> tuple[list[str], list[int]]:
    """Finds the classes in pictures' paths, as in folders of one class each.

    Folders that all the pictures share are passed over. The next ones are the classes, where
    every picture is in one and there are at least two.

    Args:
        names: paths with forward slashes.

    Returns:
        The classes, sorted, and for each path the index of its class; nothing in both where
        there are no classes.
    """
    names = list(names)
    read = [name for name in names if not why_not(name)]
    if len(read) < len(names):  # a video beside the classes, for example, is in none of them
        label_names, labels = find_labels(read)
        known = dict(zip(read, labels, strict=False))
        return label_names, [known.get(name, -1) for name in names] if known else []
    folders = [name.split("/")[:-1] for name in names]
    shared = os.path.commonprefix(folders)  # of lists: the folders all of them share
    classes = [path[len(shared)] for path in folders if len(path) > len(shared)]
    label_names = sorted(set(classes))
    if len(classes) < len(folders) or len(label_names) < 2:
        return [], []
    index = {name: number for number, name in enumerate(label_names)}
    return label_names, [index[name] for name in classes]
