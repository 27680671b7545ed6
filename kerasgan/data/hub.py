"""Which files of a data set at the Hugging Face hub are wanted: `hf:OWNER/NAME:CONFIG/SPLIT`.

A set's Parquet files belong to configurations and splits. The set's card tells them apart, or
else the files' names, "data/train-00000-of-00002.parquet" for example. Of sets that hold other
files, picture files or zips, the hub makes Parquet files, "CONFIG/SPLIT/0000.parquet" in the branch
`CONVERTED`.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from kerasgan.errors import UserError
from kerasgan.text import printable

PREFIX = "hf:"
FORM = "hf:OWNER/NAME"
LONG_FORM = "hf:OWNER/NAME:CONFIG/SPLIT"
ADDRESS = re.compile(r"https?://[^/]+/datasets/([\w.-]+/[\w.-]+?)/?")
WORDS = re.compile(
    r"hf:(?:/{1,2}datasets/)?(?P<repository>[\w.-]+(?:/[\w.-]+)?)/?"
    r"(?::(?P<first>[^:/\\]+)?(?:/(?P<split>[^:/\\]+))?)?",
    re.ASCII,
)
CONVERTED = "refs/convert/parquet"
PARTIAL = "partial-"  # in front of splits of which the hub converted the first gigabytes alone
SPLITS = {
    "train": re.compile(r"(^|[^a-z])train(ing)?([^a-z]|$)", re.I),
    "validation": re.compile(r"(^|[^a-z])(validation|valid|val|dev)([^a-z]|$)", re.I),
    "test": re.compile(r"(^|[^a-z])(test(ing)?|eval(uation)?)([^a-z]|$)", re.I),
}

Tables = dict[str, dict[str, list[str]]]  # paths, by configuration and split


class Wanted(NamedTuple):
    """What of which set is wanted.

    Attributes:
        repository: "OWNER/NAME".
        first: a configuration, or a split of the only one; None for the usual one.
        split: None for the usual one.
    """

    repository: str
    first: str | None
    split: str | None

    @property
    def folder(self) -> str:
        """A name for a folder, of letters that any file system takes."""
        parts = [*self.repository.split("/"), self.first, self.split]
        return "--".join(re.sub(r"[^\w+-]", "_", part) for part in parts if part)


def is_hub(source: str) -> bool:
    """Whether a source is a set at the hub, by its form."""
    return source.startswith(PREFIX)


def parse(source: str) -> Wanted:
    """Reads `hf:OWNER/NAME`, with `:CONFIG`, `:SPLIT` or `:CONFIG/SPLIT` behind it.

    Raises:
        UserError: it is not of this form.
    """
    match = WORDS.fullmatch(source.replace("\\", "/"))
    if match is None or ".." in match["repository"]:
        raise UserError(
            f"A set at the Hugging Face hub should be {FORM} or {LONG_FORM}. Received: "
            f"{printable(source)}."
        )
    return Wanted(match["repository"], match["first"], match["split"])


def tables_of(paths: Iterable[str], card: dict[str, Any]) -> Tables:
    """Sorts a set's own Parquet files by configuration and split.

    Args:
        paths: of all files.
        card: the set's card, JSON values; its `configs` say which files belong together.
    """
    files = sorted(path for path in paths if path.endswith(".parquet"))
    tables: Tables = {}
    for config in card.get("configs") or []:
        match config:
            case {"config_name": str(name), "data_files": listed}:
                splits = {split: _matching(files, patterns) for split, patterns in _listed(listed)}
                tables[name] = {split: found for split, found in splits.items() if found}
    tables = {name: splits for name, splits in tables.items() if splits}
    if not tables and files:
        tables["default"] = _splits_by_name(files)
    return tables


def converted_tables(paths: Iterable[str]) -> Tables:
    """Sorts the Parquet files that the hub has made, by configuration and split."""
    tables: Tables = {}
    for path in sorted(paths):
        parts = PurePosixPath(path).parts
        if len(parts) == 3 and path.endswith(".parquet"):
            split = parts[1].removeprefix(PARTIAL)
            tables.setdefault(parts[0], {}).setdefault(split, []).append(path)
    return tables


def choose(
    tables: Tables, card: dict[str, Any], wanted: Wanted, source: str
) -> tuple[list[str], str]:
    """Chooses the files of the wanted configuration and split.

    Args:
        tables: all there are, of at least one configuration.
        card: the set's card, JSON values.
        wanted: what the user typed.
        source: the same as it was typed, for messages.

    Returns:
        The paths, and which configuration and split they are, in words.

    Raises:
        UserError: there are none, or several and none that is usual.
    """
    first, split = wanted.first, wanted.split
    config = first if first in tables else _default_config(tables, card)
    if first is not None and first not in tables:
        if split is not None or config is None or first not in tables[config]:
            raise _unknown(source, wanted, tables)
        split = first
    if config is None:
        raise _unknown(source, wanted, tables)
    splits = tables[config]
    if split is None:
        split = "train" if "train" in splits else next(iter(splits)) if len(splits) == 1 else None
    if split not in splits:
        raise _unknown(source, wanted, {config: splits})
    others = [name for name in splits if name != split]
    also = f", not {', '.join(others)}" if others else ""
    part = ", a part that the hub has converted" if PARTIAL in splits[split][0] else ""
    return splits[split], f"configuration {config}, split {split}{also}{part}"


def _default_config(tables: Tables, card: dict[str, Any]) -> str | None:
    if len(tables) == 1:
        return next(iter(tables))
    marked = [
        config.get("config_name")
        for config in card.get("configs") or []
        if isinstance(config, dict) and config.get("default")
    ]
    return next((name for name in [*marked, "default"] if name in tables), None)


def _unknown(source: str, wanted: Wanted, tables: Tables) -> UserError:
    """Says which configurations and splits there are."""
    forms = [
        f"{PREFIX}{wanted.repository}:{config}/{split}"
        for config, splits in sorted(tables.items())
        for split in splits
    ]
    shown = printable(", ".join(forms[:8]) + (", ..." if len(forms) > 8 else ""))
    return UserError(
        f"A set of several configurations or splits should be named with one that it has. "
        f"Received: {printable(source)}. Type one of {shown}."
    )


def _listed(data_files: Any) -> list[tuple[str, list[str]]]:
    """Returns what a card lists as the files of a configuration: patterns by split."""
    match data_files:
        case str(pattern):
            return [("train", [pattern])]
        case [*entries] if all(isinstance(entry, str) for entry in entries):
            return [("train", entries)]
        case [*entries]:
            pairs = [(entry.get("split"), entry.get("path")) for entry in entries if entry]
        case {**splits}:
            pairs = list(splits.items())
        case _:
            return []
    return [
        (split, [path] if isinstance(path, str) else [each for each in path if str(each) == each])
        for split, path in pairs
        if isinstance(split, str) and isinstance(path, str | list)
    ]


def _matching(files: list[str], patterns: list[str]) -> list[str]:
    wanted = [pattern.removeprefix("./") for pattern in patterns]
    return [path for path in files if any(fnmatchcase(path, pattern) for pattern in wanted)]


def _splits_by_name(files: list[str]) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    for path in files:
        found = next((split for split, words in SPLITS.items() if words.search(path)), "train")
        splits.setdefault(found, []).append(path)
    return splits
