"""Classes that pictures' paths tell of, as in folders of one class each."""

import os
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

# Folders that part a set and are no classes; "train2017" and "test_images" are such, too.
PARTS = re.compile(
    r"(train(ing)?|val(id|idation)?|dev(el)?|test(ing)?|eval(uation)?|hold-?out|extra"
    r"|un-?label+ed)([-_ ]?(sets?|data|images?|imgs?|faces?))?[-_ ]?\d*"
)
WRAPPERS = re.compile(r"(images?|imgs?|pictures?|photos?|faces?|data|jpe?gs?|pngs?)")
BLOCK = 1000  # numbered pictures in a folder, of FFHQ and of StyleGAN's sets
LAST_NUMBER = re.compile(r"(\d+)\D*$")


class Classes(NamedTuple):
    """The classes of pictures.

    Attributes:
        names: of the classes.
        labels: for each picture the index of its class, -1 for none; empty without classes.
        notes: what was taken for something else than classes, a phrase each.
    """

    names: list[str]
    labels: list[int]
    notes: list[str]


NO_CLASSES = Classes([], [], [])


def find_classes(names: Iterable[str]) -> Classes:
    """Finds the classes in pictures' paths.

    Folders that all the pictures share are passed over. The next ones are the classes, where
    every picture is in one and there are at least two. Where they are all called train, test or
    the like, they are parts of one set, and the classes are the folders below them; pictures of a
    part without such folders have no class. Folders of a thousand numbered pictures each, as
    FFHQ's, are no classes.

    Args:
        names: paths with forward slashes.
    """
    paths = [name.split("/") for name in names]
    folders = [path[:-1] for path in paths]
    shared = len(os.path.commonprefix(folders))  # of lists: the folders all of them share
    below = [path[shared:] for path in folders]
    parts = {path[0] for path in below if path}
    if not parts or any(not path for path in below):
        return NO_CLASSES
    if all(map(is_part, parts)):
        return _below_parts(below, parts)
    if len(parts) > 1 and _are_blocks([path[shared:] for path in paths]):
        return Classes([], [], [f"folders of {BLOCK:,} numbered pictures each are no classes"])
    return _to_classes([path[0] for path in below])


def is_part(name: str) -> bool:
    """Whether a folder's name is that of a part of a set, "train" for example."""
    return bool(PARTS.fullmatch(name.lower()))


def numbered(names: Sequence[str | None], ordered: Iterable[str]) -> list[int]:
    """Returns the place of each name in `ordered`, -1 for None."""
    index = {name: number for number, name in enumerate(ordered)}
    return [-1 if name is None else index[name] for name in names]


def _below_parts(folders: list[list[str]], parts: set[str]) -> Classes:
    """Finds the classes below the parts of a set, the same ones by their names."""
    named = ", ".join(sorted(parts)[:4])
    classes = _to_classes([_class_in_part(path) for path in folders])
    if not classes.names:
        few = f"{named}: parts of one set, no classes" if len(parts) > 1 else ""
        return classes._replace(notes=[few] if few else [])
    return classes._replace(notes=[f"classes are the folders below {named}"])


def _class_in_part(folders: list[str]) -> str | None:
    place = 1
    while place < len(folders) and (
        is_part(folders[place]) or WRAPPERS.fullmatch(folders[place].lower())
    ):
        place += 1
    return folders[place] if place < len(folders) else None


def _to_classes(found: Sequence[str | None]) -> Classes:
    names = sorted({name for name in found if name is not None})
    return Classes(names, numbered(found, names), []) if len(names) > 1 else NO_CLASSES


def _are_blocks(paths: list[list[str]]) -> bool:
    """Whether each folder is called by the numbers of the pictures in it, in thousands."""
    wanted: dict[str, set[int]] = {}
    for path in paths:
        found = LAST_NUMBER.search(path[-1])
        if len(path) != 2 or not path[0].isdigit() or found is None:
            return False
        wanted.setdefault(path[0], set()).add(int(found[1]) // BLOCK)
    numbers = sorted((int(folder), blocks) for folder, blocks in wanted.items())
    if any(len(blocks) > 1 for _, blocks in numbers):
        return False
    pairs = [(folder, *blocks) for folder, blocks in numbers]
    rising = all(before[1] < after[1] for before, after in pairwise(pairs))
    return rising and (
        all(folder == block for folder, block in pairs)
        or all(folder == block * BLOCK for folder, block in pairs)
    )
