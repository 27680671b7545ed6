"""What every source of pictures offers: a folder, an archive, arrays, a named set, drawn faces."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

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
        whole: whether no crop applies to it, as in a source without `takes_crop`.
    """

    name: str
    fetch: Callable[[], Raw]
    label: int = -1
    attributes: Sequence[int] | np.ndarray = ()
    whole: bool = False


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

    def groups(self) -> np.ndarray | None:
        """Returns the group of each item, int (N,) or (N, L) for groups of groups.

        A limit is divided evenly over them. They are the classes; None without any, where the
        first items are as good as others. Sources that know the labels without reading the items
        say so themselves.
        """
        if not self.label_names:
            return None
        return np.array([item.label for item in self.items()])

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
