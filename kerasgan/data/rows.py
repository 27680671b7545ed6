"""Tables beside pictures, as rows of text: CelebA's forms, CSV, JSON lines, StyleGAN's JSON.

What a table says is found in `columns`, and which pictures it says it of in `meeting`.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from kerasgan.data.kinds import PICTURES
from kerasgan.errors import UserError
from kerasgan.files import Damaged, reading
from kerasgan.text import printable

EXPORTED = "list_attr.csv"  # what `export` writes
LINES = (".jsonl", ".ndjson")  # a JSON object a line
CELEBA = re.compile(
    r"list_attr.*\.(csv|tsv|txt)"  # CelebA's and its relatives'
    r"|.*attribute.?anno.*\.txt"  # CelebAMask-HQ's
    r"|identity_celeba.*\.(csv|tsv|txt)"
)
DATASET = "dataset.json"  # StyleGAN's
WORDS = "metadata|labels?|attributes?|annotations?|classes|identit(y|ies)"
KNOWN = re.compile(rf"{CELEBA.pattern}|({WORDS})\.(csv|tsv|jsonl|ndjson)|{re.escape(DATASET)}")
PERHAPS = re.compile(rf"({WORDS})\.txt")  # or a list of the classes' names, for example
# CelebA's others say nothing that steers; the last three are kerasgan's own.
NOT_READ = re.compile(
    r"list_(eval|bbox|landmarks).*|.*-mapping\..*|pictures\.csv|rejected\.csv|check-.*\.csv"
)
ENDINGS = (".csv", ".tsv", *LINES)  # of tables under any name
MAX_TABLE = 64 * 2**20  # bytes of a table that is not known by its name
MAX_TABLES = 20  # of any name; more of them say something of a single picture each
SEPARATORS = ",;\t"


class TableFile(NamedTuple):
    """A file that may say something of the pictures.

    Attributes:
        name: its path beside the pictures' paths, with forward slashes.
        data: its bytes.
        title: for messages.
    """

    name: str
    data: bytes
    title: str

    @property
    def known(self) -> bool:
        """Whether its name says that it is about pictures."""
        return is_known_table(self.name)

    @property
    def must_be_read(self) -> bool:
        """Whether one of its name that cannot be read is a mistake."""
        return must_be_read(self.name)


class Rows(NamedTuple):
    """A table's rows.

    Attributes:
        header: the columns' names, as many as a row has values; "" where they have none.
        rows: of text, each as long as the header.
        bad: how many rows were of another length.
        named: whether the table itself names its columns.
    """

    header: list[str]
    rows: list[list[str]]
    bad: int
    named: bool = True


def may_be_table(path: str) -> bool:
    """Whether a file may be a table, by its path."""
    name = PurePosixPath(path).name.lower()
    if NOT_READ.fullmatch(name) or name.startswith("."):
        return False
    return bool(KNOWN.fullmatch(name) or PERHAPS.fullmatch(name)) or name.endswith(ENDINGS)


def worth_reading(paths: Sequence[str]) -> list[str]:
    """Returns the tables among files: those known by their names, and others unless too many."""
    tables = [path for path in paths if may_be_table(path)]
    known = [path for path in tables if is_known_table(path)]
    return tables if len(tables) - len(known) <= MAX_TABLES else known


def is_known_table(path: str) -> bool:
    """Whether a file's name is that of a table of pictures."""
    return may_be_table(path) and bool(KNOWN.fullmatch(PurePosixPath(path).name.lower()))


def must_be_read(path: str) -> bool:
    """Whether a file's name is that of a table of pictures and of nothing else."""
    name = PurePosixPath(path).name.lower()
    return name == DATASET or bool(CELEBA.fullmatch(name))


def read_rows(file: TableFile) -> Rows | None:
    """Reads a table.

    The plain form has spaces between its values; it may begin with a line that counts its rows,
    and its header may leave the first column out. Others have commas, semicolons or tabs.

    Returns:
        The rows; None for a JSON file of another kind.

    Raises:
        UserError: it is no such table.
    """
    name = PurePosixPath(file.name).name.lower()
    if name == DATASET:
        return _read_dataset(file)
    text = decode_text(file.data)
    if name.endswith(LINES):
        return _read_lines(text, file.title)
    table = _read_table(text, file.title)
    header, named = _header(table)
    usable = [row for row in table if len(row) == len(header)]
    if not _is_usable(header, named):
        raise UserError(
            "An attribute table should begin with a header of names, each once. Received: "
            f"{printable(file.title)}, which does not. Mend or remove it."
        )
    return Rows(header, usable, len(table) - len(usable), named)


def decode_text(data: bytes) -> str:
    """Decodes a text file of any system: UTF-8 and UTF-16 with their marks, else Windows' own."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _read_table(text: str, title: str) -> list[list[str]]:
    """Splits a text into rows of stripped values; empty ones are left out."""
    lines = text.splitlines()
    separator = None
    if lines and re.fullmatch(r"sep=.", lines[0].strip(), re.IGNORECASE):  # Excel's
        separator, text = lines[0].strip()[-1], "\n".join(lines[1:])
    begins = next((line for line in lines if line.strip() and not line.strip().isdigit()), "")
    counts = Counter({mark: begins.count(mark) for mark in SEPARATORS})
    separator = separator or next((mark for mark, count in counts.most_common(1) if count), None)
    try:
        if separator is None:
            table = [line.split() for line in text.splitlines()]
        else:
            source = io.StringIO(text, newline="")
            rows = csv.reader(source, delimiter=separator, skipinitialspace=True)
            table = [list(map(str.strip, row)) for row in rows]
    except csv.Error as error:
        raise UserError(
            f"An attribute table should be a text file of rows. Received: {printable(title)} "
            f"({printable(str(error))}). Mend or remove it."
        ) from error
    return [row for row in table if any(row)]


def _header(table: list[list[str]]) -> tuple[list[str], bool]:
    """Takes the header from a table, and a line in front of it that counts the rows.

    Returns:
        A name for each column, and whether the table itself has them.
    """
    if table and len(table[0]) == 1 and table[0][0].isdigit():
        del table[0]
    if not table:
        return [], True
    if len(table[0]) > 1 and any(is_picture_name(value) for value in table[0]):
        return [f"column {number}" for number in range(1, len(table[0]) + 1)], False
    header = table.pop(0)
    if table and len(table[0]) == len(header) + 1:
        header = ["", *header]
    return header, True


def _is_usable(header: Sequence[str], named: bool) -> bool:
    names = [name for name in header if name]
    first_alone = not any(not name for name in header[1:])
    return (
        len(header) > 1
        and first_alone
        and all(name.isprintable() for name in names)
        and len(set(names)) == len(names)
    )


def is_picture_name(value: str) -> bool:
    """Whether a value ends like the name of a picture file."""
    return PurePosixPath(value.replace("\\", "/")).suffix.lower() in PICTURES


def _read_lines(text: str, title: str) -> Rows:
    """Reads a JSON object a line."""
    objects: list[dict[str, Any]] = []
    bad = 0
    for line in filter(str.strip, text.splitlines()):
        try:
            with reading():
                value = json.loads(line)
        except Damaged:
            value = None
        if isinstance(value, dict):
            objects.append(value)
        else:
            bad += 1
    header = list(dict.fromkeys(str(name) for value in objects for name in value))
    if not header:
        raise UserError(
            "A table of JSON lines should hold an object a line. Received: "
            f"{printable(title)}, with none. Mend or remove it."
        )
    return Rows(header, [[_words(value.get(name)) for name in header] for value in objects], bad)


def _words(value: Any) -> str:
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value)


def _read_dataset(file: TableFile) -> Rows | None:
    """Reads StyleGAN's labels: a class number for each picture, or a vector of numbers.

    A vector with a single 1 among zeros is a class, others have a column for each number.
    """
    try:
        with reading():
            value = json.loads(decode_text(file.data))
    except Damaged as error:
        raise UserError(
            f"{DATASET} should be readable JSON. Received: {printable(file.title)} ({error}). Mend "
            "or remove it."
        ) from error
    if not isinstance(value, dict) or "labels" not in value:
        return None
    labels = value["labels"]
    pairs = list(labels.items()) if isinstance(labels, dict) else labels
    pairs = pairs if isinstance(pairs, list) else []
    good = [pair for pair in pairs if isinstance(pair, list | tuple) and len(pair) == 2]
    vectors = [label for _, label in good if isinstance(label, list)]
    width = max(map(len, vectors), default=0)
    if vectors and not all(_is_class_vector(vector, width) for vector in vectors):
        header = ["file_name", *(f"label_{number}" for number in range(width))]
        rows = [
            [str(name), *map(_words, label)]
            for name, label in good
            if isinstance(label, list) and len(label) == width
        ]
        return Rows(header, rows, len(pairs) - len(rows))
    rows = [
        [str(name), str(label.index(1)) if isinstance(label, list) else _words(label)]
        for name, label in good
    ]
    return Rows(["file_name", "label"], rows, len(pairs) - len(rows))


def _is_class_vector(vector: list[Any], width: int) -> bool:
    """Whether a vector is a 1 among zeros."""
    return len(vector) == width > 1 and vector.count(1) == 1 and vector.count(0) == width - 1
