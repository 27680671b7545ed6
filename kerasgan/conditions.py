"""Conditions: what steers the generator beside the latent, a picture's class or its attributes.

A condition is a vector with a number for each name: of classes 1 for the picture's own and 0 for
the others, of attributes 1 for yes and -1 for no. What is not known of a picture is 0 and steers
nothing.
"""

import difflib
import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kerasgan.errors import UserError
from kerasgan.text import printable, shortened

NONE, LABELS = "none", "labels"  # what a recipe's `conditions` may be beside attributes

EXAMPLES = 1000  # pictures whose conditions stand for those of all
NAMED = 40  # names that a message lists at most


@dataclass(frozen=True, eq=False)
class Conditions:
    """What is known of some pictures.

    Attributes:
        names: of the classes or of the attributes.
        values: of classes int32 (N,), indices into `names`, -1 for none; of attributes int8
            (N, A): 1 yes, -1 no, 0 not known.
    """

    names: list[str]
    values: np.ndarray

    @property
    def are_classes(self) -> bool:
        """Whether they are classes, of which a picture has one, and not attributes."""
        return self.values.ndim == 1

    @property
    def fingerprint(self) -> str:
        """Sha256 of the names and the values, in hex."""
        digest = hashlib.sha256(json.dumps(self.names).encode())
        digest.update(np.ascontiguousarray(self.values).tobytes())
        return digest.hexdigest()

    def take(self, indices: np.ndarray | slice) -> "Conditions":
        """Returns those of some of the pictures."""
        return replace(self, values=self.values[indices])

    def vectors(self) -> np.ndarray:
        """Returns what the networks read, float32 (N, C), a column for each name."""
        if self.are_classes:
            return (self.values[:, None] == np.arange(len(self.names))).astype(np.float32)
        return self.values.astype(np.float32)

    def words(self) -> list[str]:
        """Returns each condition as it is typed behind `--label`, "Smiling=1 Male=-1"."""
        if self.are_classes:
            return [self.names[value] if value >= 0 else "none" for value in self.values]
        rows = [zip(self.names, row, strict=True) for row in self.values]
        return [" ".join(f"{name}={value}" for name, value in row) for row in rows]

    def examples(self, seed: int) -> "Conditions":
        """Returns up to `EXAMPLES` of them that stand for all."""
        order = np.random.default_rng(seed).permutation(len(self.values))
        return self.take(order[:EXAMPLES])

    def draw(self, count: int, seed: int, asked: dict[int, int] | None = None) -> "Conditions":
        """Draws conditions as frequent as they are here.

        The i-th of a seed is the same whatever `count` is.

        Args:
            count: how many.
            seed: at least 0.
            asked: as `parse_labels` returns it. What is not asked for is drawn from the pictures
                that have what is, or from all of them where none has.
        """
        asked = asked or {}
        if self.are_classes and asked:
            return replace(self, values=np.full(count, next(iter(asked)), np.int32))
        pool = self.values
        if asked:
            columns, wanted = list(asked), list(asked.values())
            fitting = pool[(pool[:, columns] == wanted).all(axis=1)]
            pool = fitting if len(fitting) else pool
        drawn = pool[np.random.default_rng([seed, 1]).integers(len(pool), size=count)]
        for column, value in asked.items():
            drawn[:, column] = value
        return replace(self, values=drawn)

    def sweep(self, most: int) -> "Conditions":
        """Returns conditions that show, one below the other, what each name does.

        Of classes each one in turn. Of attributes every combination, or, where these are too many,
        what is usual and then the same with one attribute after another turned over.

        Args:
            most: how many at most, at least 1.
        """
        if self.are_classes:
            return replace(self, values=np.arange(min(len(self.names), most), dtype=np.int32))
        count = len(self.names)
        if 2**count <= most:
            rows = np.array(list(itertools.product((-1, 1), repeat=count)), np.int8)
            return replace(self, values=rows)
        usual = np.where(self.values.sum(axis=0, dtype=np.int64) > 0, 1, -1)
        turned = np.where(np.eye(count + 1, count, -1) > 0, -usual, usual)
        return replace(self, values=turned[:most].astype(np.int8))

    def parse_labels(self, texts: Sequence[str]) -> dict[int, int]:
        """Reads what is typed behind `--label`.

        Args:
            texts: "Smiling=1" or "Male=-1", any number of attributes; or one class, by its name
                or its number from 0.

        Returns:
            The values asked for, by the number of their name.

        Raises:
            UserError: there is no such class or attribute.
        """
        if self.are_classes:
            return self._parse_class(texts)
        return dict(self._parse_attribute(text) for text in texts)

    def _parse_class(self, texts: Sequence[str]) -> dict[int, int]:
        if len(texts) > 1:
            raise UserError(
                "A picture has one class, so `--label` should be there once. Received: "
                f"{printable(', '.join(texts))}."
            )
        for text in texts:
            if text in self.names:
                return {self.names.index(text): 1}
            if text.isdecimal() and int(text) < len(self.names):
                return {int(text): 1}
            rule = f"`--label` should be a class or its number, 0 to {len(self.names) - 1}"
            raise unknown(rule, text, self.names)
        return {}

    def _parse_attribute(self, text: str) -> tuple[int, int]:
        name, _, value = text.rpartition("=")
        if value not in ("1", "-1"):
            raise UserError(
                "`--label` should be an attribute with =1 for yes or =-1 for no. Received: "
                f"{printable(text)}. Type --label NAME=1, the name being one of "
                f"{listed(self.names)}."
            )
        if name not in self.names:
            raise unknown("`--label` should name an attribute", name, self.names)
        return self.names.index(name), int(value)

    def to_json(self) -> dict[str, Any]:
        """Returns all of it as JSON values."""
        kind = "classes" if self.are_classes else "attributes"
        return {"kind": kind, "names": self.names, "values": self.values.tolist()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Conditions":
        """Reads what `to_json` returned.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        names, kind = value["names"], value["kind"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("its names are no list of words")
        if kind not in ("classes", "attributes"):
            raise ValueError(f"a kind {shortened(repr(kind))}")
        classes = kind == "classes"
        values = np.array(value["values"])
        low, high = (-1, len(names) - 1) if classes else (-1, 1)
        shape = values.shape[:1] if classes else (*values.shape[:1], len(names))
        if values.dtype.kind != "i" or values.shape != shape:
            raise ValueError(f"values {values.shape} do not fit {len(names)} names")
        if values.min() < low or values.max() > high:
            raise ValueError(f"values are not from {low} to {high}")
        return cls(names, values.astype(np.int32 if classes else np.int8))


def split_names(text: str) -> tuple[str, ...]:
    """Returns the attributes that a recipe's `conditions` names, with commas between them."""
    return tuple(text.split(","))


def parse(value: Any, place: Path) -> Conditions:
    """Reads conditions from a file's JSON.

    Args:
        value: what `Conditions.to_json` returned.
        place: the file, for the message.

    Raises:
        UserError: it is something else.
    """
    try:
        return Conditions.from_json(value)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else shortened(str(error), 200)
        raise UserError(
            f"{place} should hold conditions. Received: {reason}. Put a copy of it back."
        ) from error


def unknown(rule: str, name: str, names: Sequence[str]) -> UserError:
    """Names what is near, or else what there is."""
    lower = {known.lower(): known for known in reversed(names)}
    near = [lower[match] for match in difflib.get_close_matches(name.lower(), lower)]
    which = "Near it" if near else "There are"
    return UserError(f"{rule}. Received: {printable(name)}. {which}: {listed(near or names)}.")


def listed(names: Sequence[str]) -> str:
    return printable(", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else ""))
