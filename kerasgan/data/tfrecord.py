"""Pictures in TFRecord files, as TensorFlow Datasets and TensorFlow's own guides write them.

A record is a `tf.train.Example`, and is a picture. Features are found by what they hold, as the
columns of Parquet files are, and by their usual names:

    the picture     bytes that begin like a picture file; else pixels, as bytes, a serialised
                    tensor, floats or integers, with a height and a width or a shape beside them
    the label       one of `LABELS`, with the names of a `label.labels.txt` beside the files, or
                    the words of one of `TEXTS`
    the attributes  integers that are 0 and 1, or -1 and 1
"""

import math
import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from kerasgan.cli import progress
from kerasgan.data.decode import Rejected
from kerasgan.data.ranges import BYTE, Values, describe_range, to_uint8
from kerasgan.data.records import Feature, Record, parse_example, parse_fields, read_records
from kerasgan.data.shapes import to_picture
from kerasgan.data.source import Item, Raw, Source
from kerasgan.errors import UserError
from kerasgan.files import Damaged, reading
from kerasgan.text import plural, printable

NAME = re.compile(
    r".*\.(tfrecords?|tfrec|tfr)(-\d+-of-\d+)?(\.gz)?"
    r"|(?!.*\.data-).*-\d{5}-of-\d{5}(\.gz)?",  # but no part of a checkpoint of TensorFlow's
    re.I,
)
SHARD = re.compile(r"(.*)-(\d+)-of-(\d+)(\.gz)?")
LEVEL = re.compile(r".*-r(\d\d)\.tfrecords")
PROBED = 64  # records by which the features are found

PICTURES = (
    *("image/encoded", "image", "image_raw", "img", "picture", "photo", "face", "jpeg", "png"),
    *("encoded", "image_bytes", "raw_image", "pixels", "data", "x"),
)
LABELS = ("label", "image/class/label", "labels", "class", "class_id", "target", "y")
TEXTS = ("image/class/text", "class/text", "label_text", "class_name", "label_name")
NAMES = ("image/filename", "filename", "file_name", "image_name", "image/source_id", "image_id")
SHAPES = ("shape", "image/shape", "image_shape")
HEIGHTS = ("height", "image/height", "image_height", "rows", "h")
WIDTHS = ("width", "image/width", "image_width", "cols", "w")
DEPTHS = ("depth", "channels", "image/channels", "image/depth", "n_channels", "c")
SIZES = (*SHAPES, *HEIGHTS, *WIDTHS, *DEPTHS)
GROUP = "attributes/"  # in front of attributes' names in TensorFlow Datasets
LABEL_FILES = ("{}.labels.txt", "labels.txt")

# How a picture file begins, of the kinds that are stored in records.
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
TENSORS = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 10: "?", 17: "<u2"}
BY_BYTES = {1: "u1", 2: "<u2", 4: "<f4", 8: "<f8"}  # kinds of pixels by the bytes of each


class Columns(NamedTuple):
    """The features that are read."""

    picture: str
    label: str | None
    text: str | None
    attributes: tuple[str, ...]
    name: str | None


class TFRecordSource(Source):
    """The pictures in TFRecord files, in the order of the files and of their records.

    All records are read once to find how many there are, the classes, the attributes and the
    range of pixels that are no picture files. Damaged records are rejected one by one.

    Args:
        files: in the order of their pictures.
        title: what the user named, for messages.
        slug: the readable part of the cache's name.
        folders: where files may be added; watched with the files.
        notes: what is odd about the files.

    Raises:
        UserError: a file holds no records, or they hold no pictures.
    """

    def __init__(
        self,
        files: Sequence[Path],
        title: str,
        slug: str,
        folders: Sequence[Path] = (),
        notes: Sequence[str] = (),
    ) -> None:
        self.files = list(files)
        self._notes = list(notes)
        self.title = title
        self.slug = slug
        self.folders = list(folders)
        self._root = os.path.commonpath([path.parent for path in files])
        self._columns = self._find_columns()
        self._values = Values(title)
        self._clipped: dict[str, int] = {}  # values that were, by the name of the picture
        survey = self._survey()
        self.count = survey.count
        self._range = BYTE if survey.encoded else self._values.decide()
        self._encoded = survey.encoded
        self._attributes = survey.attributes(self._columns)
        self.attribute_names = [name.removeprefix(GROUP) for name in self._attributes]
        self._names_file = self._find_names_file()
        self.label_names, self._numbers = survey.classes(self._read_names())

    def items(self) -> Iterator[Item]:
        for name, record in self._records():
            yield self._item(name, record)

    def state(self) -> list[Any]:
        states = [(self._name(path), path.stat()) for path in self._read_files()]
        return [[name, status.st_size, status.st_mtime_ns] for name, status in states]

    def watched(self) -> list[str]:
        return [str(path) for path in [*self._read_files(), *self.folders]]

    def notes(self) -> list[str]:
        columns = self._columns
        read = [f"pictures from {columns.picture}"]
        read += [f"labels from {columns.text or columns.label}"] if self.label_names else []
        notes = [*self._notes, ", ".join(read)]
        if not self._encoded:
            notes += describe_range(self._range, self._values, self._clipped.values())
        if missing := _missing_shards(self.files):
            notes.append(f"{plural(missing, 'shard')} not there")
        return notes

    def _read_files(self) -> list[Path]:
        return [*self.files, *([self._names_file] if self._names_file else [])]

    def _name(self, path: Path) -> str:
        return Path(os.path.relpath(path, self._root)).as_posix()

    def _records(self) -> Iterator[tuple[str, Record | str]]:
        """Yields each record, or why the rest of its file cannot be read, with a name."""
        for path in self.files:
            yield from self._records_of(path)

    def _records_of(self, path: Path) -> Iterator[tuple[str, Record | str]]:
        try:
            for number, record in enumerate(read_records(path)):
                yield f"{self._name(path)}/{number}", record
        except Damaged as error:
            raise UserError(
                "A TFRecord file should hold records, plain or compressed by gzip. Received: "
                f"{printable(str(path))} ({error}). Fetch it again or remove it."
            ) from error

    def _find_columns(self) -> Columns:
        """Finds the features by the first records."""
        examples: list[dict[str, Feature]] = []
        for _, record in self._records():
            example = _parsed(record)
            examples += [example] if example and _is_whole(record) else []
            if len(examples) == PROBED:
                break
        held: dict[str, Feature] = {}  # the first value of each
        for example in reversed(examples):
            held |= {name: feature for name, feature in example.items() if len(feature)}
        picture = _find_picture(held)
        if picture is None:
            kinds = ", ".join(f"{name} ({_kind(held[name])})" for name in sorted(held))
            raise UserError(
                "Records of pictures should hold a picture file's bytes, or pixels with their "
                f"height and width, in a feature named image for example. Received: "
                f"{printable(self.title)}, with {printable(kinds) or 'no tf.train.Example'}."
            )
        rest = {name: feature for name, feature in held.items() if name != picture}
        label = next((name for name in LABELS if name in rest and len(rest[name]) == 1), None)
        text = next((name for name in TEXTS if _is_words(rest.get(name))), None)
        attributes = tuple(
            sorted(
                name
                for name in rest
                if name not in (label, text, *SIZES)
                and all(_is_sign(example[name]) for example in examples if name in example)
            )
        )
        named = next((name for name in NAMES if _is_words(rest.get(name))), None)
        return Columns(picture, label, text, attributes, named)

    def _survey(self) -> "_Survey":
        """Reads all records once."""
        survey = _Survey(self._columns)
        with progress(len(self.files), "Looking at records", unit=" files") as bar:
            for path in self.files:
                for _, record in self._records_of(path):
                    pixels = survey.add(record)
                    if pixels is not None:
                        self._values.add(pixels)
                bar.update()
        return survey

    def _find_names_file(self) -> Path | None:
        label = self._columns.label or ""
        names = [name.format(PurePosixPath(label).name) for name in LABEL_FILES]
        found = (path.parent / name for path in self.files[:1] for name in names)
        return next((path for path in found if path.is_file()), None) if label else None

    def _read_names(self) -> list[str]:
        """Returns the names of the classes that lie beside the files, a line each."""
        if self._names_file is None:
            return []
        lines = self._names_file.read_text(encoding="utf-8-sig", errors="replace").split("\n")
        return [re.sub(r"^\d+:", "", line).strip() for line in lines if line.strip()]

    def _item(self, name: str, record: Record | str) -> Item:
        example = _parsed(record)
        if isinstance(record, str) or example is None:
            reason = record if isinstance(record, str) else "no tf.train.Example in this record"
            return Item(name, partial(_reject, f"damaged: {reason}"))
        columns = self._columns
        if columns.name and _is_words(example.get(columns.name)):
            named = _words(example[columns.name][0])
            name = f"{name}/{PurePosixPath(named).name}"
        label = self._numbers.get(_class_of(example, columns), -1)
        attributes = [
            meaning.get(int(_one(example.get(attribute), 0)), 0)
            for attribute, meaning in self._attributes.items()
        ]
        return Item(name, partial(self._fetch, name, record, example), label, attributes)

    def _fetch(self, name: str, record: Record, example: dict[str, Feature]) -> Raw:
        """Returns a record's picture; called in any thread."""
        try:
            record.check()
            found = _picture_of(example, self._columns.picture)
        except Damaged as error:
            raise Rejected(f"damaged: {error}") from error
        if not isinstance(found, np.ndarray):
            return found
        pixels, clipped = to_uint8(found, self._range)
        if clipped:
            self._clipped[name] = clipped
        return np.ascontiguousarray(pixels)


class _Survey:
    """What all the records hold, counted.

    Attributes:
        count: how many there are; what stands for the rest of a damaged file is one, too.
        encoded: whether every picture is a picture file.
    """

    def __init__(self, columns: Columns) -> None:
        self.count = 0
        self.encoded = True
        self._columns = columns
        self._classes: dict[Any, str] = {}
        self._signs: dict[str, set[int]] = {name: set() for name in columns.attributes}

    def add(self, record: Record | str) -> np.ndarray | None:
        """Counts a record; returns its pixels, where it holds no picture file."""
        self.count += 1
        example = _parsed(record)
        if example is None:
            return None
        # Checksums take time, and only what is new could come from damage and do harm.
        if self._is_new(example) and _is_whole(record):
            self._note(example)
        try:
            picture = _picture_of(example, self._columns.picture)
        except (Damaged, Rejected):
            return None
        if not isinstance(picture, np.ndarray):
            return None
        self.encoded = False
        return picture

    def _is_new(self, example: dict[str, Feature]) -> bool:
        signs = (
            int(sign) not in known
            for name, known in self._signs.items()
            for sign in example.get(name, [])
        )
        found = _class_of(example, self._columns)
        return (found is not None and found not in self._classes) or any(signs)

    def _note(self, example: dict[str, Feature]) -> None:
        """Notes a record's class and signs."""
        found = _class_of(example, self._columns)
        if found is not None:
            text = example.get(self._columns.text or "", [])
            self._classes[found] = _words(text[0] if _is_words(text) else found)
        for name, known in self._signs.items():
            if len(known) < 4:
                known.update(int(sign) for sign in example.get(name, []))

    def attributes(self, columns: Columns) -> dict[str, dict[int, int]]:
        """Returns the attributes, and what their values mean: 1 yes, -1 no, 0 not known."""
        found = {}
        for name in columns.attributes:
            signs = self._signs[name]
            if signs <= {0, 1} and (len(signs) == 2 or name.startswith(GROUP)):
                found[name] = {1: 1, 0: -1}
            elif {-1, 1} <= signs <= {-1, 0, 1}:
                found[name] = {1: 1, 0: 0, -1: -1}
        return found

    def classes(self, names: list[str]) -> tuple[list[str], dict[Any, int]]:
        """Returns the classes, and from the records' values to them; none where all are alike.

        Args:
            names: what the numbers 0, 1 and so on are called; none where that is not known.
        """
        values = sorted(self._classes)
        if names and all(isinstance(value, int) and value < len(names) for value in values):
            return names, {value: value for value in values}
        if len(values) < 2:
            return [], {}
        return [self._classes[value] for value in values], {
            value: number for number, value in enumerate(values)
        }


def is_records(name: str) -> bool:
    """Whether a file's name is one of TFRecord files, or of a shard of them."""
    return NAME.fullmatch(name) is not None


def open_records(source: str) -> TFRecordSource:
    """Opens a TFRecord file, all shards of one name, or all files in a folder.

    Args:
        source: the file, the shards' name without its numbers, or the folder.

    Raises:
        UserError: there is no such file, or it holds no pictures.
    """
    path = Path(os.path.expanduser(source))
    if path.is_file():
        return TFRecordSource([path], source, path.name.split(".")[0])
    if path.is_dir():
        files, folders = find_records(path)
        largest = _largest(files)
        smaller = [f"{plural(len(files) - len(largest), 'file')} of the same pictures, smaller"]
        notes = smaller if len(largest) < len(files) else _sets_in(files)
        return TFRecordSource(largest, source, path.resolve().name, folders, notes)
    return TFRecordSource(find_shards(path), source, path.name.split(".")[0], [path.parent])


def find_records(folder: Path) -> tuple[list[Path], list[Path]]:
    """Returns the TFRecord files in a folder and its sub-folders, sorted, and these folders."""
    files, visited = [], []
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        visited.append(Path(path))
        files += [Path(path, name) for name in sorted(names) if is_records(name)]
    return [path for path in files if not path.name.startswith(".")], visited


def find_shards(path: Path) -> list[Path]:
    """Returns the shards of a name, "faces.tfrecord" for faces.tfrecord-00000-of-00002 and so on.

    The name may end with "@2", as TensorFlow Datasets writes the number of shards.
    """
    name = re.sub(r"@(\d+|\*)$", "", path.name)
    if not path.parent.is_dir():
        return []
    entries = ((entry, SHARD.fullmatch(entry.name)) for entry in path.parent.iterdir())
    return sorted(entry for entry, match in entries if match and match[1] == name)


def _largest(files: Sequence[Path]) -> list[Path]:
    """Leaves out the smaller copies of the same pictures, files of their own in StyleGAN's sets."""
    levels = [LEVEL.fullmatch(path.name) for path in files]
    highest = max((int(level[1]) for level in levels if level), default=0)
    return [
        path
        for path, level in zip(files, levels, strict=True)
        if level is None or int(level[1]) == highest
    ]


def _sets_in(files: Sequence[Path]) -> list[str]:
    """Says which shards are read together, where they have several names."""
    matches = [SHARD.fullmatch(path.name) for path in files]
    names = sorted({match[1] for match in matches if match})
    return [f"shards of {', '.join(names)} together"] if len(names) > 1 else []


def _missing_shards(files: Sequence[Path]) -> int:
    """Returns how many shards the files' names speak of that are not among them."""
    matches = [(path.parent, SHARD.fullmatch(path.name)) for path in files]
    shards = {(parent, match[1], int(match[3])) for parent, match in matches if match}
    return sum(count for _, _, count in shards) - sum(bool(match) for _, match in matches)


def _parsed(record: Record | str) -> dict[str, Feature] | None:
    """Returns a record's features; None where there are none to be read."""
    if isinstance(record, str):
        return None
    try:
        return parse_example(record.data) or None
    except Damaged:
        return None


def _is_whole(record: Record | str) -> bool:
    """Whether a record's checksum is right."""
    try:
        return not isinstance(record, str) and record.check() is None
    except Damaged:
        return False


def _find_picture(held: dict[str, Feature]) -> str | None:
    """Chooses the feature with the picture, given some value of each."""
    files = [name for name, feature in held.items() if _is_file(feature)]
    pixels = [name for name in PICTURES if name in held and _may_be_pixels(held, name)]
    named = [name for name in PICTURES if name in files]
    return next(iter([*named, *sorted(files), *pixels]), None)


def _is_file(feature: Feature) -> bool:
    """Whether a feature holds one picture file."""
    if isinstance(feature, np.ndarray) or len(feature) != 1:
        return False
    data = feature[0]
    return data.startswith(BEGINNINGS) or data[4:8] == b"ftyp"


def _may_be_pixels(held: dict[str, Feature], name: str) -> bool:
    try:
        return _picture_of(held, name) is not None
    except (Damaged, Rejected):
        return False


def _picture_of(example: dict[str, Feature], name: str) -> Raw:
    """Returns a record's picture: a file's bytes, or its pixels, of any range, (H, W[, C]).

    Raises:
        Rejected: there is none.
        Damaged: it is not what it claims to be.
    """
    feature = example.get(name, [])
    if not len(feature):
        raise Rejected("no picture in this record")
    if _is_file(feature):
        return feature[0]
    shape = _shape_of(example)
    if isinstance(feature, np.ndarray):
        return to_picture(feature, shape)
    if len(feature) > 1:
        raise Rejected("several pictures in this record")
    tensor = _tensor(feature[0])
    if tensor is not None:
        return to_picture(tensor, shape if tensor.ndim < 2 else list(tensor.shape))
    kind = BY_BYTES.get(len(feature[0]) // max(1, math.prod(shape)), "u1") if shape else "u1"
    with reading():
        values = np.frombuffer(feature[0], kind)
    return to_picture(values, shape)


def _shape_of(example: dict[str, Feature]) -> list[int]:
    """Returns the height, width and channels that a record states, as far as it does."""
    shape = next((example[name] for name in SHAPES if len(example.get(name, [])) in (2, 3)), None)
    if isinstance(shape, np.ndarray):
        return [int(side) for side in shape]
    sides = [_first(example, names) for names in (HEIGHTS, WIDTHS, DEPTHS)]
    return [side for side in sides if side] if sides[0] and sides[1] else []


def _first(example: dict[str, Feature], names: Sequence[str]) -> int:
    return next((int(_one(example[name], 0)) for name in names if name in example), 0)


def _one(feature: Feature | None, default: int) -> int:
    if isinstance(feature, np.ndarray) and len(feature) == 1 and np.isfinite(feature[0]):
        return int(feature[0])
    return default


def _tensor(data: bytes) -> np.ndarray | None:
    """Reads what `tf.io.serialize_tensor` wrote; None where it is something else."""
    try:
        fields = parse_fields(data)
        kind, content = fields.get(1, [0])[-1], fields.get(4, [b""])[-1]
        dims = parse_fields(fields.get(2, [b""])[-1]).get(2, [])
        shape = [parse_fields(dim).get(1, [0])[-1] for dim in dims]
    except Damaged:
        return None
    if not isinstance(kind, int) or kind not in TENSORS or isinstance(content, int):
        return None
    if not all(isinstance(side, int) for side in shape):
        return None
    dtype = np.dtype(TENSORS[kind])
    if not shape or math.prod(shape) * dtype.itemsize != len(content):
        return None
    return np.frombuffer(content, dtype).reshape(shape)


def _class_of(example: dict[str, Feature], columns: Columns) -> Any:
    """Returns a record's class, an integer or words; None for none."""
    feature = example.get(columns.label or columns.text or "")
    if feature is None or len(feature) != 1:
        return None
    value = feature[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    whole = np.isfinite(value) and value == int(value) and value >= 0
    return int(value) if whole else None


def _words(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _is_words(feature: Feature | None) -> bool:
    return isinstance(feature, list) and len(feature) == 1


def _is_sign(feature: Feature) -> bool:
    """Whether a feature's value may be one of an attribute."""
    return (
        isinstance(feature, np.ndarray)
        and feature.dtype.kind == "i"
        and len(feature) <= 1
        and all(value in (-1, 0, 1) for value in feature)
    )


def _kind(feature: Feature) -> str:
    kind = "bytes" if isinstance(feature, list) else feature.dtype.name
    return f"{plural(len(feature), 'value')} of {kind}"


def _reject(reason: str) -> Raw:
    raise Rejected(reason)
