"""What kerasgan itself has written: never pictures to train on, wherever it lies."""

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import PurePosixPath

from kerasgan.files import Damaged, reading

RUN, OF_RUNS = "recipe.json", {"run.json", "log.jsonl", "checkpoints"}
CACHE = {"pictures.npy", "meta.json"}
EXPORT, EXPORT_BEGINS = "pictures.csv", b"picture,name"
FINDINGS_BEGIN = b"finding,picture,detail"  # the table beside a check's contact sheet
# What `sample` and `gif` call their files where no name is typed.
NAMES = re.compile(
    r"(.*-)?seed-\d{4,}-n\d+(-.*)?\.(png|gif|webp|mp4)|training\.(gif|webp|mp4)"
    r"|(.*-)?between-.*-walk-\d+x\d+\.(gif|webp|mp4)"
)
TOLD_BY = 20  # rows of an export that tell whose export it is

Head = Callable[[str], bytes]  # the first bytes of a file, by its name


def is_own_folder(names: Iterable[str]) -> bool:
    """Whether a folder that holds these names is a run, or a cache of prepared pictures."""
    names = set(names)
    return (RUN in names and bool(names & OF_RUNS)) or names >= CACHE


def is_own_file(name: str, beside: set[str], head: Head) -> bool:
    """Whether a picture file is a sheet, a grid or a walk that a command has written.

    Args:
        name: of the file, without its folder.
        beside: the names in its folder.
        head: reads the beginning of a file in that folder.
    """
    stem, _, ending = name.rpartition(".")
    if NAMES.fullmatch(name):
        return True
    if ending != "png":
        return False
    if f"{stem}.csv" in beside:
        return head(f"{stem}.csv").startswith(FINDINGS_BEGIN)
    report, _, kind = stem.rpartition("-")
    if kind == "memorisation":
        return bool({f"{report}.json", f"{report}-evaluation.json".lstrip("-")} & beside)
    return kind == "verdicts" and f"{stem}.json" in beside


def is_told_by(path: str) -> bool:
    """Whether a file's beginning may tell that others are kerasgan's, by its path."""
    name = PurePosixPath(path).name
    return name == EXPORT or (name.startswith("check-") and name.endswith(".csv"))


def find_own(pictures: Sequence[str], files: Iterable[str], head: Head) -> set[str]:
    """Finds the pictures in a tree that kerasgan itself has written.

    Args:
        pictures: their paths, with forward slashes.
        files: the paths of all files.
        head: reads the beginning of one that `is_told_by` is true of.
    """
    inside: defaultdict[str, set[str]] = defaultdict(set)
    for file in files:
        folder = ""
        for part in file.split("/"):
            inside[folder].add(part)
            folder = f"{folder}{part}/"
    folders = tuple(folder for folder, names in inside.items() if is_own_folder(names))
    own = {path for path in pictures if folders and path.startswith(folders)}
    for path in pictures:
        place, slash, name = path.rpartition("/")
        begins = partial(_head_in, head, place + slash)
        if is_own_file(name, inside[place + slash], begins):
            own.add(path)
    exports = [folder for folder, names in inside.items() if folder and EXPORT in names]
    for export in exports:
        others = {path for path in pictures if not path.startswith(export)}
        if is_export(export, head(export + EXPORT), others):
            own |= set(pictures) - others
    return own


def _head_in(head: Head, folder: str, name: str) -> bytes:
    return head(folder + name)


def is_export(export: str, table: bytes, others: Collection[str]) -> bool:
    """Whether a folder was exported from one that it lies in.

    Args:
        export: the folder's path, with a slash at its end.
        table: the beginning of the `pictures.csv` in that folder.
        others: the paths of the pictures elsewhere in the tree.
    """
    names = exported_names(table)
    parts = export.split("/")[:-2]
    above = ["".join(f"{part}/" for part in parts[:depth]) for depth in range(len(parts) + 1)]
    return bool(names) and any(all(folder + name in others for name in names) for folder in above)


def exported_names(table: bytes) -> list[str]:
    """Returns what the first pictures of an export were called in their source.

    Args:
        table: the beginning of the export's `pictures.csv`; of another file, nothing is returned.
    """
    if not table.startswith(EXPORT_BEGINS):
        return []
    whole = table[: table.rfind(b"\n")].decode("utf-8", "surrogateescape")
    try:
        with reading():
            rows = list(csv.reader(whole.splitlines()[1:]))[:TOLD_BY]
    except Damaged:
        return []
    return [re.sub(r"#\d+$", "", row[1]) for row in rows if len(row) > 1]
