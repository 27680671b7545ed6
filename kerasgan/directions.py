"""What moves an attribute: directions in latent space, kept by name beside their generator.

A direction is a vector of length 1 (Shen et al. 2020, "Interpreting the Latent Space of GANs for
Semantic Face Editing"). How far a latent is moved along it, the strength, is counted in standard
deviations of the latents there. A moved latent is as long as it was, so that it stays among those
that the generator was trained on.

Those of a generator are kept in one file beside it, which says for which weights they are:

    directions.npz   vectors.npy, float32 (N, D), and facts.npy, JSON in bytes
"""

import dataclasses
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from kerasgan.conditions import Conditions, unknown
from kerasgan.errors import UserError
from kerasgan.files import Damaged, atomic_path, reading
from kerasgan.saved import Draws, SavedGenerator
from kerasgan.text import printable

FILE = "directions.npz"
FORMAT = 1  # of the file
MAX_BYTES = 2**26  # of the file, unpacked: 4,000 directions of 4,000 numbers
MAX_NAME = 100  # characters
MAX_STRENGTH = 10.0  # standard deviations; at 3 an attribute is plain, beyond 6 a face seldom whole
CONDITION_STRENGTH = 3.0  # the strength at which a condition is wholly as it should be
LEAST_LEFT = 0.1  # of a direction's length, once what moves the attributes to keep has been taken

ATTRIBUTE, FOLDERS, MEASURED, COMPONENT = "attribute", "folders", "measured", "component"


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction in latent space that moves one attribute.

    Attributes:
        name: of the attribute.
        vector: float32 (D,), of length 1.
        kind: how it was found: `ATTRIBUTE`, `FOLDERS`, `MEASURED` or `COMPONENT`.
        samples: how many were scored or measured for it; 0 where it needed none.
        accuracy: of what scored them, on pictures that it had not seen: the mean over those with
            the attribute and those without, 0.5 by chance; None where nothing was trained.
        fit: how well the samples' scores follow the direction: their correlation, -1 to 1; None
            where nothing was scored.
    """

    name: str
    vector: np.ndarray
    kind: str
    samples: int = 0
    accuracy: float | None = None
    fit: float | None = None

    def keeping(self, others: Sequence["Direction"]) -> "Direction":
        """Returns what of the direction leaves other attributes as they are.

        This is the conditional projection of Shen et al. 2020.

        Args:
            others: the directions of the attributes to keep.

        Raises:
            UserError: nearly nothing is left.
        """
        if not others:
            return self
        kept = np.stack([other.vector for other in others], axis=1).astype(np.float64)
        vector = self.vector.astype(np.float64)
        left = vector - kept @ np.linalg.lstsq(kept, vector, rcond=None)[0]
        length = np.linalg.norm(left)
        if length < LEAST_LEFT:
            names = ", ".join(other.name for other in others)
            raise UserError(
                f"`--keep` should name other attributes than the one that is edited. Received: "
                f"{printable(names)}, without which nothing is left of {printable(self.name)}."
            )
        return dataclasses.replace(self, vector=(left / length).astype(np.float32))


def move(latents: np.ndarray, vector: np.ndarray, strength: float) -> np.ndarray:
    """Moves latents along a direction and brings them back to the length that they had.

    Args:
        latents: float32, (N, D).
        vector: (D,), of length 1.
        strength: in standard deviations: one is 1 for latents of the usual length, the root of D,
            and in proportion for others.

    Returns:
        float32, (N, D).
    """
    lengths = np.linalg.norm(latents, axis=1, keepdims=True).astype(np.float64)
    moved = latents + strength * lengths / math.sqrt(latents.shape[1]) * vector
    moved_lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    return (moved * lengths / np.maximum(moved_lengths, 1e-30)).astype(np.float32)


def steer(conditions: np.ndarray, known: Conditions, column: int, strength: float) -> np.ndarray:
    """Moves conditions towards an attribute or a class, or away from it.

    Args:
        conditions: float32, (N, C).
        known: what their columns mean.
        column: which one is moved.
        strength: at `CONDITION_STRENGTH` or above, an attribute that was missing is there, or the
            class is that alone; below 0 likewise that it is not there.

    Returns:
        float32, (N, C), within the range of what the generator was trained on.
    """
    steered, part = conditions.copy(), strength / CONDITION_STRENGTH
    if not known.are_classes:
        steered[:, column] = np.clip(steered[:, column] + 2 * part, -1, 1)
        return steered
    if part > 0:
        steered *= 1 - min(part, 1)
    steered[:, column] = np.clip(steered[:, column] + part, 0, 1)
    return steered


class Edited:
    """A generator whose pictures are all edited; it draws as a `SavedGenerator` does.

    Args:
        generator: that draws.
        edits: directions, or the names of its conditions, each with its strength.
    """

    def __init__(self, generator: Draws, edits: Iterable[tuple[Direction | str, float]]) -> None:
        self.generator, self.edits = generator, list(edits)
        self.latent_dim = generator.latent_dim

    @property
    def conditions(self) -> Conditions | None:
        """Names and examples of what steers it, if anything does."""
        return self.generator.conditions

    def moved(
        self, latents: np.ndarray, conditions: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns latents and conditions as the edits leave them; for the arguments see `draw`."""
        for what, strength in self.edits:
            if isinstance(what, Direction):
                latents = move(latents, what.vector, strength)
            elif conditions is not None and (known := self.generator.conditions):
                conditions = steer(conditions, known, known.names.index(what), strength)
        return latents, conditions

    def draw(self, latents: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Draws one edited picture for each latent.

        Args:
            latents: float32, (N, D), N at least 1.
            conditions: float32, (N, C), for a generator that has them.

        Returns:
            uint8, (N, H, W, channels).
        """
        return self.generator.draw(*self.moved(latents, conditions))


def places(generator: SavedGenerator, cache: Path | None = None) -> list[Path]:
    """Returns where a generator's directions are kept, the best place first.

    Args:
        generator: whose they are.
        cache: the folder of caches, for a generator beside which nothing can be written; it is not
            looked at unless given.
    """
    beside = [] if generator.file is None else [generator.beside(FILE)]
    apart = [] if cache is None else [cache / "directions" / f"{generator.fingerprint}.npz"]
    return beside + apart


def read(generator: SavedGenerator, cache: Path | None = None) -> dict[str, Direction]:
    """Reads the directions that are kept of a generator, by name.

    Args:
        generator: whose they are.
        cache: see `places`.

    Raises:
        UserError: a file is damaged, or its directions are for other weights.
    """
    found: dict[str, Direction] = {}
    for file in places(generator, cache):
        if file.exists():
            found |= _read_file(file, generator)
    return found


def _read_file(file: Path, generator: SavedGenerator) -> dict[str, Direction]:
    facts, vectors = _read_members(file)
    try:
        fingerprint, rows = str(facts["generator"]), [dict(row) for row in facts["directions"]]
        _require_own(file, fingerprint, generator)
        if facts["format"] != FORMAT or vectors.shape != (len(rows), generator.latent_dim):
            raise ValueError(f"format {facts['format']}, vectors {vectors.shape}")
        found = [_direction(row, vector) for row, vector in zip(rows, vectors, strict=True)]
    except UserError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(file, f"which holds something else: {error}") from error
    return {direction.name: direction for direction in found}


def write(
    generator: SavedGenerator, known: Mapping[str, Direction], cache: Path | None = None
) -> Path:
    """Writes a generator's directions, whole or not at all, in the first place that can be.

    Args:
        generator: of a file.
        known: all that are to be kept, by name.
        cache: see `places`.

    Returns:
        The file.

    Raises:
        OSError: there is no such place.
    """
    rows = list(known.values())
    facts = {
        "format": FORMAT,
        "generator": generator.fingerprint,
        "directions": [_row(direction) for direction in rows],
    }
    vectors = np.array([one.vector for one in rows], np.float32).reshape(-1, generator.latent_dim)
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    *others, last = places(generator, cache)
    for file in others:
        try:
            return _write_file(file, vectors, text)
        except OSError:
            continue
    return _write_file(last, vectors, text)


def _write_file(file: Path, vectors: np.ndarray, facts: np.ndarray) -> Path:
    with atomic_path(file) as temporary:
        np.savez_compressed(temporary, vectors=vectors, facts=facts)
    return file


def components(generator: SavedGenerator, count: int) -> list[Direction]:
    """Finds the directions that change the generator's first features most.

    It is SeFa's closed form (Shen and Zhou 2021, "Closed-Form Factorization of Latent Semantics
    in GANs"): the eigenvectors of A^T A, A being what the first layer does to a latent. Of two
    opposite vectors the one is taken whose largest number is positive.

    Args:
        generator: whose first layer with weights reads the latents.
        count: how many at most; there are no more than numbers in a latent.

    Returns:
        The strongest first, named sefa-1, sefa-2, ...

    Raises:
        UserError: the first layer is of another kind.
    """
    kernel = _first_kernel(generator)
    _, vectors = np.linalg.eigh(kernel @ kernel.T)
    strongest = vectors.T[::-1][:count]
    largest = np.take_along_axis(strongest, np.abs(strongest).argmax(axis=1)[:, None], axis=1)
    strongest = (strongest * np.sign(largest)).astype(np.float32)
    return [
        Direction(f"sefa-{number}", vector, COMPONENT)
        for number, vector in enumerate(strongest, start=1)
    ]


def component_count(generator: SavedGenerator) -> int:
    """Returns how many components a generator has: as many as numbers in a latent, or none."""
    try:
        _first_kernel(generator)
    except UserError:
        return 0
    return generator.latent_dim


def component_number(name: str) -> int | None:
    """Returns which component a name stands for, from 1; None for other names."""
    match = re.fullmatch(r"sefa-([1-9][0-9]{0,5})", name)
    return int(match[1]) if match else None


def find(generator: SavedGenerator, name: str, cache: Path | None = None) -> Direction | str:
    """Finds what a name stands for, of all that needs no making.

    Args:
        generator: whose attributes are named.
        name: of a condition, a direction that is kept, or a component.
        cache: see `places`.

    Returns:
        The direction, or the name again where it is a condition's.

    Raises:
        UserError: there is none of that name; those there are, are listed.
    """
    conditions = generator.conditions.names if generator.conditions else []
    if name in conditions:
        return name
    if number := component_number(name):
        found = components(generator, number)
        if number <= len(found):
            return found[-1]
        raise UserError(
            f"A component should be from sefa-1 to sefa-{len(found)}. Received: {name}."
        )
    known = read(generator, cache)
    if name in known:
        return known[name]
    names = [*conditions, *known, "sefa-1"]
    raise unknown("A direction should be one that is known of this generator", name, names)


def check_name(name: str) -> str:
    """Returns an attribute's name.

    Raises:
        UserError: it cannot be one.
    """
    if not name.strip() or not name.isprintable() or len(name) > MAX_NAME or "," in name:
        raise UserError(
            f"An attribute's name should be of 1 to {MAX_NAME} letters, without a comma. "
            f"Received: {printable(name) or 'none'}."
        )
    return name


def _first_kernel(generator: SavedGenerator) -> np.ndarray:
    """Returns what the first layer that reads latents does to them, float64 (D, features)."""
    dim = generator.latent_dim
    for layer in generator.model.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is None or not _reads_latents(generator, layer):
            continue
        values = np.asarray(kernel, np.float64)
        if type(layer).__name__ == "Conv2DTranspose":
            values = values.swapaxes(-1, -2)
        values = np.moveaxis(values, -2, 0)
        if len(values) >= dim:  # what conditions add comes behind the latent
            return values[:dim].reshape(dim, -1)
        break
    raise UserError(
        "Components are of a generator whose first layer with weights reads the latents. "
        f"Received: {generator.file or generator.model.name}, whose first one does not."
    )


def _reads_latents(generator: SavedGenerator, layer: Any) -> bool:
    """Whether what a layer is given follows from the latents."""
    from kerasgan.backend import keras

    inputs = generator.model.inputs
    if len(inputs) == 1:
        return True
    given = layer.input
    try:  # Keras finds no way from the other inputs to what the latents take part in.
        keras.Model(inputs[1:], given)
    except ValueError:
        return True
    return False


def _row(direction: Direction) -> dict[str, Any]:
    row = dataclasses.asdict(direction)
    del row["vector"]
    return row


def _direction(row: dict[str, Any], vector: np.ndarray) -> Direction:
    """Reads what `_row` returned.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    length = float(np.linalg.norm(vector))
    if not abs(length - 1) < 1e-3:
        raise ValueError(f"a vector of length {length}")
    numbers = [None if row[key] is None else float(row[key]) for key in ("accuracy", "fit")]
    return Direction(str(row["name"]), vector, str(row["kind"]), int(row["samples"]), *numbers)


def _read_members(file: Path) -> tuple[dict[str, Any], np.ndarray]:
    """Reads JSON and vectors, float32 (N, D), never more than is allowed."""
    try:
        with reading():
            content = file.read_bytes()
            archive = ZipFile(io.BytesIO(content))
            unpacked = sum(item.file_size for item in archive.infolist())
        if unpacked > MAX_BYTES:
            raise _damaged(file, f"which is {unpacked:,} bytes when unpacked")
        with reading():
            arrays = np.load(io.BytesIO(content), allow_pickle=False)
            facts, vectors = arrays["facts"], arrays["vectors"]
            values = json.loads(facts.astype(np.uint8, casting="no").tobytes())
            vectors = vectors.astype(np.float32, casting="no")
    except Damaged as error:
        raise _damaged(file, f"which is damaged: {error}") from error
    if not isinstance(values, dict):
        raise _damaged(file, "which holds something else")
    return values, vectors


def _require_own(file: Path, fingerprint: str, generator: SavedGenerator) -> None:
    if fingerprint != generator.fingerprint:
        raise UserError(
            "Directions should be of the generator beside them. Received: "
            f"{file}, made for other weights (it was copied, or the training went on). "
            "Type --renew with `edit`, or remove the file."
        )


def _damaged(file: Path, fact: str) -> UserError:
    return UserError(
        f"A file of directions should be a whole one that `edit` wrote. Received: {file}, {fact}. "
        "Type --renew with `edit`, or remove the file."
    )
