"""Which items of a source are read where a limit leaves some out."""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence

from kerasgan.data.source import Item, Source

Group = tuple[int, ...]


class Spread:
    """Divides a limit evenly over a source's groups, its classes above all.

    Without groups the first items count. With them, as many pictures of each are wanted; a group
    that has fewer leaves its part to the others. Of a group the first items count, so that a
    larger limit adds to a smaller one's. Other items stand in for those that give no picture.

    Args:
        source: of the items.
        limit: at most how many pictures; None for all.
    """

    def __init__(self, source: Source, limit: int | None) -> None:
        self._source = source
        self._wanted = limit  # pictures that are missing yet
        found = None if limit is None else source.groups()
        self._groups: list[Group] = []
        if found is not None:
            self._groups = [tuple(row) for row in found.reshape(len(found), -1).tolist()]
        self._left = list(range(len(self._groups)))
        self._had: Counter[Group] = Counter()  # pictures so far
        self._room: Counter[Group] = Counter()  # pictures wanted in this turn

    @property
    def is_full(self) -> bool:
        """Whether there are as many pictures as the limit allows."""
        return self._wanted == 0

    def turns(self) -> Iterator[Iterator[tuple[int, Item]]]:
        """Yields readings of the source, each of items with their numbers, in its order.

        There is another one where the items of those before gave fewer pictures than are wanted.
        """
        if not self._groups:
            yield enumerate(self._source.items())
            return
        while self._wanted and self._left:
            yield _only(self._source.items(), self._choose(self._wanted))

    def take(self, number: int, count: int) -> int:
        """Counts the pictures that an item gives, and returns how many of them are wanted."""
        taken = count if self._wanted is None else min(count, self._wanted)
        if self._groups:
            group = self._groups[number]
            taken = min(taken, self._room[group])
            self._room[group] -= taken
            self._had[group] += taken
        if self._wanted is not None:
            self._wanted -= taken
        return taken

    def _choose(self, wanted: int) -> list[int]:
        """Chooses the items of a turn, of those that are left."""
        chosen = sorted(_divide(self._left, self._groups, self._had, wanted, 0))
        self._left = sorted(set(self._left) - set(chosen))
        self._room = Counter(self._groups[number] for number in chosen)
        return chosen


def _only(items: Iterator[Item], numbers: Sequence[int]) -> Iterator[tuple[int, Item]]:
    """Yields the items of ascending numbers."""
    wanted = iter(numbers)
    number = next(wanted, None)
    for at, item in enumerate(items):
        if at == number:
            yield at, item
            number = next(wanted, None)
        if number is None:
            return


def _divide(
    left: Sequence[int], groups: Sequence[Group], had: Counter[Group], wanted: int, level: int
) -> list[int]:
    """Chooses items evenly, by the first level of their groups, then by the next.

    Args:
        left: the items' numbers, ascending, all of them in one group of the levels before.
        groups: of every item.
        had: how many pictures of each group there are already.
        wanted: how many to choose.
        level: of the groups.
    """
    if not left or level == len(groups[left[0]]):
        return list(left[:wanted])
    above = groups[left[0]][:level]
    members: dict[int, list[int]] = {}
    for number in left:
        members.setdefault(groups[number][level], []).append(number)
    counts = dict.fromkeys(members, 0)
    for group, count in had.items():
        if group[:level] == above and group[level] in counts:
            counts[group[level]] += count
    shares = _level(counts, {name: len(numbers) for name, numbers in members.items()}, wanted)
    return [
        number
        for name, numbers in members.items()
        for number in _divide(numbers, groups, had, shares[name], level + 1)
    ]


def _level(counts: dict[int, int], there: dict[int, int], wanted: int) -> dict[int, int]:
    """Divides a number so that the lowest counts rise first.

    Args:
        counts: of each group.
        there: by how much each can rise at most.
        wanted: to divide.
    """
    places = {name: place for place, name in enumerate(sorted(counts))}
    bits = max(len(places) - 1, 1).bit_length()
    rising = dict.fromkeys(counts, 0)
    # Of equal counts, groups at even distances come first: the order of names may mean something.
    waiting = [(counts[name], _mirrored(places[name], bits), name) for name in counts]
    heapq.heapify(waiting)
    while wanted and waiting:
        count, order, name = heapq.heappop(waiting)
        if rising[name] < there[name]:
            rising[name] += 1
            wanted -= 1
            heapq.heappush(waiting, (count + 1, order, name))
    return rising


def _mirrored(number: int, bits: int) -> int:
    """Returns a number with its bits in the opposite order, "001" is "100"."""
    return int(f"{number:0{bits}b}"[::-1], 2)
