"""Pictures in Parquet files, as the Hugging Face hub and its libraries write them.

A row is a picture: the bytes of a picture file, and perhaps a class and attributes. Columns are
found by what they hold:

    the picture     marked as an image in the schema's "huggingface" metadata, or else the first
                    column of bytes, be it plain or a struct of `bytes` and `path`; or else the
                    first of `PIXELS`, or of rows of rows, with lists of numbers
    the label       marked as a class there, or else a column named `label`
    the attributes  all columns of booleans, or of the integers -1 and 1 as in CelebA's own table
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, NoReturn

import numpy as np

from kerasgan.data.decode import Rejected
from kerasgan.data.ranges import Range, Values, describe_range, to_uint8
from kerasgan.data.shapes import to_picture
from kerasgan.data.source import Item, Raw, Source
from kerasgan.errors import UserError, required
from kerasgan.files import Damaged, reading
from kerasgan.text import printable

SUFFIX = ".parquet"
PIXELS = ("image", "pixels", "img", "picture", "face", "x", "data", "pixel_values", "image_array")
BATCH = 32  # rows decoded at once
BUFFER = 1 << 20  # bytes read from the disk at once; a page of the file may be larger


class Columns(NamedTuple):
    """The columns that are read."""

    picture: str
    label: str | None
    attributes: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [self.picture, *([self.label] if self.label else []), *self.attributes]


class Classes(NamedTuple):
    """The classes of a label column.

    Attributes:
        names: what the classes are called.
        numbers: from the column's values to the classes.
    """

    names: tuple[str, ...]
    numbers: dict[Any, int]


class ParquetSource(Source):
    """The pictures in Parquet files of the same columns.

    `items` holds `BATCH` rows and a page or two of the file in memory; a page has up to
    1,024 pictures by pyarrow's defaults, and 100 to 1,000 in files from the hub.

    Args:
        files: in the order of their pictures.
        title: what the user named, for messages.
        slug: the readable part of the cache's name.
        folders: where files may be added; watched with the files.
        notes: what is to be said of the files.
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
        self._footers = [_footer(path) for path in self.files]
        self.columns = self._find_columns()
        self._classes = self._find_classes()
        self._values = Values(title)
        self._clipped: dict[str, int] = {}  # values that were, by the name of the picture
        self._range = self._find_range()
        self.count = sum(metadata.num_rows for _, metadata in self._footers)
        self.label_names = self._classes.names
        self.attribute_names = self.columns.attributes

    def _find_columns(self) -> Columns:
        """Returns which columns are read.

        Raises:
            UserError: there are no pictures, or the files' columns differ.
        """
        schema = self._footers[0][0]
        features = _features(schema)
        picture = next(iter(_picture_columns(schema, features)), None)
        if picture is None:
            raise UserError(
                "A .parquet file of pictures should have a column with their bytes, or one of "
                "pixels called image for example. Received: "
                f"{printable(str(self.files[0]))}, with {printable(', '.join(schema.names))}."
            )
        label = _label_column(schema, features)
        metadata = [metadata for _, metadata in self._footers]
        attributes = tuple(
            field.name for field in schema if field.name != label and _is_attribute(field, metadata)
        )
        columns = Columns(picture, label, attributes)
        for path, (other, _) in zip(self.files, self._footers, strict=True):
            if any(name not in other.names for name in columns.names) or any(
                other.field(name).type != schema.field(name).type for name in columns.names
            ):
                raise UserError(
                    "The .parquet files of one source should have the same columns. Received: "
                    f"{printable(str(path))}, which differs from {printable(str(self.files[0]))}. "
                    "Name a single file, or a folder without that one."
                )
        return columns

    def items(self) -> Iterator[Item]:
        """Yields the pictures, row by row."""
        for path in self.files:
            with _opened(path) as file:
                for number, row in enumerate(_rows(file, self.columns.names)):
                    yield self._item(f"{self._name(path)}/{number}", row)

    def groups(self) -> np.ndarray | None:
        """Reads the column of labels; None where there is none, or where it is damaged."""
        label = self.columns.label
        if label is None or not self.label_names:
            return None
        found: list[int] = []
        for path in self.files:
            try:
                with _opened(path) as file, reading():
                    values = file.read([label]).column(0).to_pylist()
            except Damaged:
                return None
            found += [self._classes.numbers.get(value, -1) for value in values]
        return np.array(found)

    def state(self) -> list[Any]:
        """Returns the files' names, sizes and times of change."""
        states = [(self._name(path), path.stat()) for path in self.files]
        return [[name, status.st_size, status.st_mtime_ns] for name, status in states]

    def watched(self) -> list[str]:
        """Returns the files and folders whose times of change tell that nothing has changed."""
        return [str(path) for path in [*self.files, *self.folders]]

    def notes(self) -> list[str]:
        """Returns what is to be said of the files, and which of several pictures was read."""
        schema = self._footers[0][0]
        pictures = _picture_columns(schema, _features(schema))
        others = [name for name in pictures if name != self.columns.picture]
        several = f"pictures from {self.columns.picture}, not {', '.join(others)}"
        notes = [*self._notes, *([several] if others else [])]
        if self._range is not None:
            notes += describe_range(self._range, self._values, self._clipped.values())
        return notes

    def _find_range(self) -> Range | None:
        """Returns the range of pixels that are lists of numbers; None for picture files."""
        column = self.columns.picture
        if _holds_bytes(self._footers[0][0].field(column).type):
            return None
        for path in self.files:
            with _opened(path) as file:
                for row in _rows(file, [column]):
                    if not isinstance(row, str):
                        with suppress(Rejected):
                            self._values.add(_pixels(row[column]))
        return self._values.decide()

    def _fetch_pixels(self, name: str, values: Any, found: Range) -> Raw:
        """Turns a row's numbers into a picture; called in any thread."""
        pixels, clipped = to_uint8(_pixels(values), found)
        if clipped:
            self._clipped[name] = clipped
        return np.ascontiguousarray(pixels)

    def _find_classes(self) -> Classes:
        label = self.columns.label
        if label is None:
            return Classes((), {})
        names = _features(self._footers[0][0]).get(label, {}).get("names")
        if names:
            return Classes(tuple(map(str, names)), {value: value for value in range(len(names))})
        values = sorted(set().union(*(_values(path, label) for path in self.files)))
        return Classes(tuple(map(str, values)), {value: i for i, value in enumerate(values)})

    def _item(self, name: str, row: dict[str, Any] | str) -> Item:
        if isinstance(row, str):
            return Item(name, partial(_reject, row))
        columns, classes = self.columns, self._classes
        picture = row[columns.picture]
        if not isinstance(picture, dict):
            picture = {"bytes": picture}
        if picture.get("path"):
            name = f"{name}/{PurePosixPath(picture['path']).name}"
        label = row[columns.label] if columns.label else None
        if label in (None, -1):  # the hub's sign for a label that is not known
            number = -1
        elif label in classes.numbers:
            number = classes.numbers[label]
        else:
            return Item(name, partial(_reject, f"label out of range: {printable(str(label))}"))
        attributes = [_sign(row[attribute]) for attribute in columns.attributes]
        if self._range is not None:
            fetch = partial(self._fetch_pixels, name, picture["bytes"], self._range)
            return Item(name, fetch, number, attributes)
        return Item(name, partial(_picture, picture.get("bytes")), number, attributes)

    def _name(self, path: Path) -> str:
        return Path(os.path.relpath(path, self._root)).as_posix()


def open_parquet(source: str) -> ParquetSource:
    """Opens a Parquet file, or all in a folder and its sub-folders in the order of their names.

    Args:
        source: the file or folder, as the user named it.

    Raises:
        UserError: there is no such file, or it holds no pictures.
    """
    path = Path(os.path.expanduser(source))
    if path.is_file():
        return ParquetSource([path], source, path.stem)
    folders = [folder for folder, _ in _walk(path)]
    files = [Path(folder, name) for folder, names in _walk(path) for name in names]
    if not files:
        raise UserError(
            "A source of Parquet pictures should be a .parquet file or a folder of them. "
            f"Received: {printable(source)}, with none."
        )
    return ParquetSource(files, source, path.resolve().name, folders)


def _walk(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yields folders with the names of their Parquet files, sorted, hidden ones left out."""
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield (
            Path(path),
            sorted(
                name for name in names if name.lower().endswith(SUFFIX) and not name.startswith(".")
            ),
        )


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Gives a `pyarrow.parquet.ParquetFile`, which reads no more than it is asked for."""
    required("pyarrow", "sets", "A .parquet file")
    from pyarrow.parquet import ParquetFile

    with _explained(path), reading():
        file = ParquetFile(path, buffer_size=BUFFER, pre_buffer=False)
    with file:
        yield file


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns damage into a `UserError`."""
    try:
        yield
    except Damaged as error:
        raise UserError(
            "A .parquet file should be whole and readable. Received: "
            f"{printable(str(path))} ({error}). Fetch it again or remove it."
        ) from error


def count_rows(path: Path) -> int:
    """Returns how many rows a Parquet file has.

    Raises:
        UserError: it cannot be read.
    """
    return int(_footer(path)[1].num_rows)


def _footer(path: Path) -> tuple[Any, Any]:
    """Returns a file's schema and its metadata."""
    with _opened(path) as file:
        return file.schema_arrow, file.metadata


def _rows(file: Any, columns: list[str]) -> Iterator[dict[str, Any] | str]:
    """Yields a file's rows; for those that cannot be read, the reason."""
    for group in range(file.num_row_groups):
        left = file.metadata.row_group(group).num_rows
        try:
            for row in _rows_of_group(file, group, columns):
                yield row
                left -= 1
        except Damaged as error:
            yield from [f"damaged: {error}"] * left


def _rows_of_group(file: Any, group: int, columns: list[str]) -> Iterator[dict[str, Any]]:
    """Yields the rows of a row group.

    Raises:
        Damaged: the next ones cannot be read.
    """
    with reading():
        batches = file.iter_batches(BATCH, row_groups=[group], columns=columns, use_threads=False)
    while True:
        with reading():
            batch = next(batches, None)
        if batch is None:
            return
        with reading():
            rows = batch.to_pylist()
        yield from rows


def _values(path: Path, column: str) -> set[Any]:
    """Returns the distinct values of a column, without those that say that none is known."""
    with _opened(path) as file:
        with _explained(path), reading():
            values = file.read([column]).column(0).unique().to_pylist()
        return set(values) - {None, -1}


def _features(schema: Any) -> dict[str, Any]:
    """Returns what the Hugging Face libraries note on the columns, by the columns' names."""
    try:
        with reading():
            noted = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    except Damaged:
        return {}
    match noted:
        case {"info": {"features": {**features}}}:
            return {
                name: features[name]
                for name in schema.names
                if isinstance(features.get(name), dict)
            }
    return {}


def _picture_columns(schema: Any, features: dict[str, Any]) -> list[str]:
    """Returns the columns that may hold pictures: those marked as images, else all of bytes."""
    holders = [field.name for field in schema if _holds_bytes(field.type)]
    marked = [name for name in holders if features.get(name, {}).get("_type") == "Image"]
    return marked or holders or _pixel_columns(schema)


def _pixel_columns(schema: Any) -> list[str]:
    """Returns the columns of pixels: lists of numbers by their names, or lists of lists."""
    depths = {field.name: _depth(field.type) for field in schema}
    named = [name for name in PIXELS if depths.get(name)]
    return named or [name for name, depth in depths.items() if depth in (2, 3)]


def _depth(kind: Any) -> int:
    """Returns how many lists are around a column's numbers; 0 where there are none."""
    from pyarrow import types

    depth = 0
    while types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind, depth = kind.value_type, depth + 1
    numbers = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    return depth if numbers else 0


def _pixels(values: Any) -> np.ndarray:
    """Returns a row's lists of numbers as a picture, (H, W, C), of any range."""
    if not values:
        raise Rejected("no picture in this row")
    try:
        with reading():
            numbers = np.array(values)
    except Damaged as error:
        raise Rejected("rows of several lengths") from error
    if numbers.dtype.kind not in "biuf":
        raise Rejected("pixels that are not known")
    return to_picture(numbers, list(numbers.shape) if numbers.ndim > 1 else [])


def _holds_bytes(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    return types.is_binary(kind) or types.is_large_binary(kind)


def _label_column(schema: Any, features: dict[str, Any]) -> str | None:
    from pyarrow import types

    kinds = {field.name: field.type for field in schema}
    for name, kind in kinds.items():
        if features.get(name, {}).get("_type") == "ClassLabel" and types.is_integer(kind):
            return name
    kind = kinds.get("label")
    is_class = kind is not None and (
        types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind)
    )
    return "label" if is_class else None


def _is_attribute(field: Any, metadata: list[Any]) -> bool:
    from pyarrow import types

    if types.is_integer(field.type):
        return _range(field.name, metadata) == (-1, 1)
    return types.is_boolean(field.type)


def _range(column: str, metadata: list[Any]) -> tuple[int, int] | None:
    """Returns the least and the greatest value of a column, where the files note them."""
    noted = []
    for chunk in (chunk for file in metadata for chunk in _chunks(file, column)):
        found = chunk.statistics
        if found is None or not (found.has_min_max or found.null_count == chunk.num_values):
            return None
        noted += [found.min, found.max] if found.has_min_max else []
    return (min(noted), max(noted)) if noted else None


def _chunks(metadata: Any, column: str) -> Iterator[Any]:
    """Yields the metadata of a column's parts, one for each row group."""
    paths = [metadata.schema.column(index).path for index in range(metadata.num_columns)]
    for group in range(metadata.num_row_groups):
        yield metadata.row_group(group).column(paths.index(column))


def _sign(value: bool | int | None) -> int:
    if isinstance(value, bool):
        return 1 if value else -1
    return value or 0


def _picture(data: bytes | None) -> bytes:
    if not data:
        raise Rejected("no picture in this row")
    return data


def _reject(reason: str) -> NoReturn:
    raise Rejected(reason)
