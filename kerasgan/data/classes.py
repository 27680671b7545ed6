"""Classes that pictures' paths tell of, as in folders of one class each."""

import os
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from kerasgan.text import plural

# Folders that part a set and are no classes; "train2017" and "test_images" are such, too.
PARTS = re.compile(
    r"(train(ing)?|val(id|idation)?|dev(el)?|test(ing)?|eval(uation)?|hold-?out|extra"
    r"|un-?label+ed)([-_ ]?(sets?|data|images?|imgs?|faces?))?[-_ ]?\d*"
)
WRAPPERS = re.compile(r"(images?|imgs?|pictures?|photos?|faces?|data|jpe?gs?|pngs?)")
STRAY = 0.1  # of the pictures, at most, lie beside the folders of classes
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
    there are at least two; a few pictures beside them have none. Where they are all called train,
    test or the like, they are parts of one set, and the classes are the folders below them;
    pictures of a part without such folders have no class. Folders of a thousand numbered pictures
    each, as FFHQ's, are no classes.

    Args:
        names: paths with forward slashes.
    """
    paths = [name.split("/") for name in names]
    inside = list(range(len(paths)))
    while inside:
        folders = [paths[number][:-1] for number in inside]
        shared = len(os.path.commonprefix(folders))  # of lists: the folders all of them share
        deeper = [number for number in inside if len(paths[number]) - 1 > shared]
        if len(deeper) == len(inside):
            found = _classes_below([paths[number][shared:] for number in inside])
            return _with_strays(found, inside, len(paths))
        if len(deeper) < (1 - STRAY) * len(paths):
            parts = {paths[number][shared] for number in deeper}
            beside = len(inside) - len(deeper)
            note = f"sub-folders are no classes, since {plural(beside, 'picture')} lie beside them"
            return Classes([], [], [note] if len(parts) > 1 else [])
        inside = deeper
    return NO_CLASSES


def _with_strays(classes: Classes, inside: Sequence[int], count: int) -> Classes:
    """Gives those of `count` pictures no class that are not among `inside`."""
    if not classes.names:
        return classes
    labels = [-1] * count
    for number, label in zip(inside, classes.labels, strict=True):
        labels[number] = label
    return classes._replace(labels=labels)


def _classes_below(paths: list[list[str]]) -> Classes:
    """Finds the classes of pictures that are all in some folder, not all in the same one."""
    folders = [path[:-1] for path in paths]
    parts = {path[0] for path in folders}
    if all(map(is_part, parts)):
        return _below_parts(folders, parts)
    if len(parts) > 1 and _are_blocks(paths):
        return Classes([], [], [f"folders of {BLOCK:,} numbered pictures each are no classes"])
    return _to_classes([path[0] for path in folders])


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
        if len(path) != 2 or not re.fullmatch(r"[0-9]{5}", path[0]) or found is None:
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
