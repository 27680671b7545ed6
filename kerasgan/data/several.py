"""Several sources as one."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kerasgan.data.source import Item, Source

JOIN = " + "  # between the sources' names in messages


class SeveralSources(Source):
    """The pictures of several sources, one source after the other.

    Names have the source's in front. Classes and attributes are the same where their names are;
    what a source does not know of its pictures is not known. A limit is divided evenly over the
    sources, then over the classes of each.

    Args:
        sources: at least two.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = list(sources)
        self.title = JOIN.join(source.title for source in sources)
        self.prefixes = _unique([source.slug for source in sources])
        self.slug = "-".join(self.prefixes)
        self.count = sum(source.count for source in sources)
        self.label_names = _union([source.label_names for source in sources])
        self.attribute_names = _union([source.attribute_names for source in sources])
        self.takes_crop = any(source.takes_crop for source in sources)

    def items(self) -> Iterator[Item]:
        for source, prefix in zip(self.sources, self.prefixes, strict=True):
            labels = [self.label_names.index(name) for name in source.label_names]
            columns = [self.attribute_names.index(name) for name in source.attribute_names]
            for item in source.items():
                attributes = np.zeros(len(self.attribute_names), np.int8)
                if len(item.attributes):
                    attributes[columns] = item.attributes
                yield Item(
                    f"{prefix}/{item.name}",
                    item.fetch,
                    labels[item.label] if item.label >= 0 else -1,
                    attributes,
                    whole=item.whole or not source.takes_crop,
                )

    def groups(self) -> np.ndarray:
        found = []
        for number, source in enumerate(self.sources):
            groups = source.groups()
            inner = np.zeros(source.count, np.int64) if groups is None else groups
            found.append(np.stack([np.full(source.count, number), inner], axis=1))
        return np.concatenate(found)

    def close(self) -> None:
        for source in self.sources:
            source.close()

    def state(self) -> list[Any]:
        return [
            [prefix, entry]
            for source, prefix in zip(self.sources, self.prefixes, strict=True)
            for entry in (source.count, *source.state())
        ]

    def watched(self) -> list[str]:
        return [path for source in self.sources for path in source.watched()]

    def notes(self) -> list[str]:
        return [
            f"{prefix}: {note}"
            for source, prefix in zip(self.sources, self.prefixes, strict=True)
            for note in source.notes()
        ]


def _union(names: Sequence[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(name for some in names for name in some))


def _unique(slugs: Sequence[str]) -> list[str]:
    """Returns a name for each source that no other one has."""
    taken: set[str] = set()
    found = []
    for slug in slugs:
        name, number = slug or "pictures", 1
        while name.lower() in taken:
            number += 1
            name = f"{slug or 'pictures'}-{number}"
        taken.add(name.lower())
        found.append(name)
    return found
