"""What was asked of `data.load`, as it is written down to find the same pictures again."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kerasgan.data.built_in import BUILT_IN
from kerasgan.data.decode import CROPS, MIN_SIDE
from kerasgan.data.named import LISTING, NAMED
from kerasgan.data.several import JOIN
from kerasgan.errors import UserError
from kerasgan.text import printable, quoted

SETS = Path("data")  # where sets that are known by name are kept, in a folder each
WORDS = (BUILT_IN, *NAMED)  # sources that are no paths
SET = "set:"  # in front of a word, which then means no path, whatever lies here
CACHE = Path("data/cache")  # where prepared pictures are kept, unless another place is named
MIN_SIZE, MAX_SIZE = MIN_SIDE, 1024  # pixels


@dataclass(frozen=True)
class Request:
    """Which pictures are wanted, whatever their size and channels; for `data.load_request`.

    Attributes:
        source: what the user named: a path, or a word for a known set, see `settled`; several of
            them as a tuple, for one set of all their pictures.
        limit: at most how many pictures, the first by name; None for all.
        crop: one of `data.CROPS`.
        cache: the folder of caches.
        seed: chooses the drawn faces, 0 or more; other pictures do not depend on it.
    """

    source: str | tuple[str, ...]
    limit: int | None = None
    crop: str = "auto"
    cache: Path = CACHE
    seed: int = 0

    @property
    def sources(self) -> tuple[str, ...]:
        """Each source that the user named."""
        return (self.source,) if isinstance(self.source, str) else self.source

    @property
    def title(self) -> str:
        """The sources as messages name them."""
        return JOIN.join(word_of(source) or source for source in self.sources)

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as JSON values."""
        return {
            "source": self.source if isinstance(self.source, str) else list(self.source),
            "limit": self.limit,
            "crop": self.crop,
            "cache": os.fspath(self.cache),
            "seed": self.seed,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Request":
        """Reads what `to_json` returned, and takes no notice of what else is there.

        Args:
            values: `source` at least; each field that is missing has its default.

        Raises:
            UserError: a value is not of its field's kind.
        """
        known = {item.name: values[item.name] for item in fields(cls) if item.name in values}
        source = known.get("source")
        if isinstance(source, list) and source and all(isinstance(one, str) for one in source):
            known["source"] = one_or_several(source)
        kinds = {"source": str | tuple, "limit": int | None, "crop": str, "cache": str, "seed": int}
        wrong = [name for name in known if not isinstance(known[name], kinds[name])]
        if wrong or "source" not in known:
            name = next(iter(wrong), "source")
            raise UserError(
                "A record of the pictures should hold a source, a limit, a crop, a cache and a "
                f"seed. Received: {name} {printable(repr(values.get(name)))}. "
                "Restore it, or begin anew."
            )
        return cls(**known | {"cache": Path(known.get("cache", CACHE))})


def one_or_several(sources: Sequence[str]) -> str | tuple[str, ...]:
    """Returns what a `Request` has for the sources that were named.

    Raises:
        UserError: there is none, or one is named twice.
    """
    found = tuple(map(str, sources))
    if not found:
        raise UserError("A source of pictures should be named. Received: none.")
    if again := [source for source in found if found.count(source) > 1]:
        raise UserError(
            f"`--data` should name each source once. Received: {printable(again[0])} again. Leave "
            "it out."
        )
    return found[0] if len(found) == 1 else found


def settled(source: str) -> str:
    """Returns a source by a name that has one meaning: a path, or a set's word behind `SET`.

    What lies here under the word of a set goes before the set, which would be downloaded; a line
    on standard error says so.

    Args:
        source: as it was typed, or what this function returned.

    Raises:
        UserError: there is no such set; or another folder lies where the set would be kept.
    """
    word = source.removeprefix(SET)
    if word in WORDS:
        if source != word:
            return source
        if os.path.lexists(word):
            print(
                f"{word}: taking what lies here under this name. The set of this name: {SET}{word}",
                file=sys.stderr,
            )
            return os.path.join(".", word)
        _require_its_folder(word)
        return SET + word
    if source != word:
        raise UserError(
            f"What stands behind {SET} should be one of {', '.join(WORDS)}. Received: "
            f"{printable(source)}. For a file or folder of this name type "
            f"{quoted(os.path.join('.', source))}"
        )
    if not source:
        raise UserError("A source of pictures should have a name. Received: an empty one.")
    return source


def word_of(source: str) -> str | None:
    """Returns the word of a set by what `settled` returned; None for a path."""
    return source.removeprefix(SET) if source.startswith(SET) else None


def _require_its_folder(word: str) -> None:
    """Raises UserError where somebody's own folder lies in the place of a set to download."""
    folder = SETS / word
    if word != BUILT_IN and folder.is_dir() and not (folder / LISTING).exists():
        if any(not item.name.startswith(".") for item in folder.iterdir()):
            raise UserError(
                f"A set should be downloaded into a folder of its own. Received: {word}, for which "
                f"{folder} is there, with other files. Type {quoted(folder)} for these, or "
                f"{SET}{word} to download the set beside them."
            )


def typed_fields(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the fields of a `Request` that were typed, by name.

    Args:
        args: `data`, which are the sources, `limit`, `crop` and `cache`; None for what was not
            typed.
    """
    source = None if args.data is None else one_or_several(args.data)
    typed = {"source": source, "limit": args.limit, "crop": args.crop, "cache": args.cache}
    return {name: value for name, value in typed.items() if value is not None}


def check_options(size: int, limit: int | None, crop: str, channels: int, seed: int = 0) -> None:
    """Raises `UserError` where an argument of `data.load` is out of range."""
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise UserError(
            f"`--size` should be from {MIN_SIZE} to {MAX_SIZE} pixels. Received: {size}."
        )
    if limit is not None and limit < 1:
        raise UserError(f"--limit should be at least 1 picture. Received: {limit}.")
    if crop not in CROPS:
        raise UserError(f"--crop should be one of {', '.join(CROPS)}. Received: {crop}.")
    if channels not in (1, 3):
        raise UserError(f"`--channels` should be 3 (RGB) or 1 (grey). Received: {channels}.")
    if seed < 0:
        raise UserError(f"--seed should be 0 or more. Received: {seed}.")
