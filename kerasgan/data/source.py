"""What every source of pictures offers: a folder, an archive, arrays, a named set."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

Raw = str | bytes | np.ndarray  # a picture file's path or its bytes, or pixels


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
    attributes: Sequence[int] = ()


class Source(Protocol):
    """Pictures in an order that is the same on every machine.

    Attributes:
        title: what the user named, for messages.
        slug: the readable part of the cache's name.
        count: how many items there are.
        label_names: the classes; none where the pictures have no labels.
        attribute_names: the attributes, CelebA's for example; none where there are none.
    """

    @property
    def title(self) -> str: ...

    @property
    def slug(self) -> str: ...

    @property
    def count(self) -> int: ...

    @property
    def label_names(self) -> Sequence[str]: ...

    @property
    def attribute_names(self) -> Sequence[str]: ...

    def items(self) -> Iterator[Item]:
        """Yields the pictures; what it holds open is closed when it ends."""
        ...

    def state(self) -> list[Any]:
        """Returns all that determines the items, JSON values: names, sizes, times of change."""
        ...

    def watched(self) -> list[str]:
        """Returns the files and folders whose times of change tell that nothing has changed."""
        ...
