"""What is known of a tree's pictures, by their folders, by tables beside them, by their names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from kerasgan.data.classes import Classes, find_classes, numbered
from kerasgan.data.meeting import Meeting, tidy
from kerasgan.data.rows import DATASET, Rows, TableFile, is_picture_name, read_rows
from kerasgan.errors import UserError
from kerasgan.text import plural, printable

# Values of attributes. A number is read as one, so that "1.0" is 1.
YES, NO = frozenset({"true", "yes"}), frozenset({"false", "no"})
YES_LETTERS, NO_LETTERS = frozenset("yt"), frozenset("nf")  # where a column has no other values
NOT_KNOWN = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>"})
ZERO, EMPTY, NO_WORD, NOTHING = 0, 2, -2, 3  # stand for values until it is clear what 0 means

LABELS = "label labels class classes class_name class_id category target identity person".split()
FILES = "file_name filename file image_id image image_name img path filepath name id".split()
# Columns that say nothing of a face: pandas' index, parts of a set.
NOT_READ = re.compile(r"|index|unnamed: ?\d+.*|partition|split|set|usage|subset|service_test")
SAMPLED = 2000  # rows, at even distances, that tell which column names the pictures
LONG = 20  # rows of a table that is long enough to have two pictures of most of its classes
MAX_CLASSES = 100_000  # beyond it the values beside the pictures are no classes
MET = 0.5  # of the rows or of the pictures, at least, meet in a table of any name

UTKFACE = re.compile(r"(\d{1,3})_([01])_([0-4])_\d{8,}\D*")  # age, sex, race, date
UTKFACE_NAMES = ("Male", "White", "Black", "Asian", "Indian")


class Told(NamedTuple):
    """What a table says, a row for each of its own.

    Attributes:
        attribute_names: of the columns that hold yes and no.
        attributes: int8 (R, A): 1 yes, -1 no, 0 not known.
        classes: the class of each row, None for none; empty without a column of classes.
        bad: bool (R,), whether a row could not be read.
        notes: what else is odd or was decided by guess, a phrase each.
    """

    attribute_names: list[str]
    attributes: np.ndarray
    classes: list[str | None]
    bad: np.ndarray
    notes: list[str]


@dataclass
class Known:
    """What is known of pictures, in their order.

    Attributes:
        label_names: the classes; none where there are no labels.
        labels: the index of each picture's class, -1 for none; empty without classes.
        attribute_names: the attributes; none where there are none.
        attributes: int8 (N, A): 1 yes, -1 no, 0 not known.
        notes: what is odd or was decided by guess, a phrase each.
    """

    label_names: list[str]
    labels: list[int]
    attribute_names: list[str]
    attributes: np.ndarray
    notes: list[str] = field(default_factory=list)

    def of(self, number: int) -> tuple[int, np.ndarray]:
        """Returns the label and the attributes, int8 (A,), of a picture."""
        return (self.labels[number] if self.labels else -1), self.attributes[number]

    def groups(self) -> np.ndarray | None:
        """Returns the class of each picture; None without classes."""
        return np.array(self.labels) if self.labels else None


def find_known(
    pictures: Sequence[str], files: Sequence[TableFile], unusable: Sequence[int] = ()
) -> Known:
    """Finds out what is known of pictures.

    Tables go before folders where both name classes. Where several tables speak of one
    attribute of a picture, the first one that knows it counts.

    Args:
        pictures: their paths in the source, with forward slashes.
        files: that may be tables; what no name tells to be one is used where most of it meets
            the pictures.
        unusable: numbers of pictures that cannot be used, as is known already: these need not be
            in the folder of a class.

    Raises:
        UserError: a table known by its name is none.
    """
    meeting = Meeting(pictures)
    known = Known([], [], [], np.zeros((len(pictures), 0), np.int8))
    told: list[str | None] = []
    in_order = sorted(files, key=lambda file: (file.name.count("/"), file.name))
    for file in in_order:
        rows = _read(file)
        if rows is None and file.known and not file.must_be_read:
            known.notes.append(f"{printable(file.name)} is no table of pictures")
        if rows is not None:
            told = _add(known, told, file, rows, meeting)
    if any(_is_dataset(file) for file in files):
        classes = Classes([], [], [])  # its folders are numbers
    else:
        classes = _classes_of_folders(pictures, set(unusable))
    _add_classes(known, told, classes)
    if not known.attribute_names:
        _add_utkface(known, pictures)
    return known


def _classes_of_folders(pictures: Sequence[str], unusable: set[int]) -> Classes:
    if not unusable:
        return find_classes(pictures)
    usable = [number for number in range(len(pictures)) if number not in unusable]
    classes = find_classes(pictures[number] for number in usable)
    if not classes.names:
        return classes
    labels = [-1] * len(pictures)
    for number, label in zip(usable, classes.labels, strict=True):
        labels[number] = label
    return classes._replace(labels=labels)


def _read(file: TableFile) -> Rows | None:
    if file.must_be_read:
        return read_rows(file)
    try:
        return read_rows(file) if file.data else None
    except UserError:  # of another kind, which is nobody's mistake
        return None


def _is_dataset(file: TableFile) -> bool:
    return file.name.lower().endswith(DATASET) and _read(file) is not None


def _add(
    known: Known, told: list[str | None], file: TableFile, rows: Rows, meeting: Meeting
) -> list[str | None]:
    """Adds what a table says to what is known; returns the pictures' classes by tables."""
    column, alike = _file_column(rows, meeting)
    values = [row[column] for row in rows.rows]
    met = meeting.rows_of_pictures(values, file.name.rpartition("/")[0])
    used = set(met[met >= 0].tolist())
    if not any(alike) or not used:
        if file.known and (values or not file.name.endswith(DATASET)):
            known.notes.append(_unmet(file, values, meeting))
        return told
    if not file.known and len(used) < MET * len(values) and (met >= 0).mean() < MET:
        return told
    found = _tell(rows, column)
    known.notes += [f"{printable(file.name)}: {note}" for note in found.notes]
    readable = {value for value, bad in zip(values, found.bad, strict=True) if not bad}
    unused = len(readable - {values[row] for row in used})
    odd = {"rows name no picture": unused, "rows could not be read": rows.bad + found.bad.sum()}
    known.notes += [f"{count:,} attribute {what}" for what, count in odd.items() if count]
    _merge_attributes(known, found, met)
    if not found.classes:
        return told
    classes = [None if row < 0 else found.classes[row] for row in met]
    return [old or new for old, new in zip(told or [None] * len(met), classes, strict=True)]


def _unmet(file: TableFile, values: Sequence[str], meeting: Meeting) -> str:
    named = f"it names {printable(values[0])}" if values else "it has no rows"
    return (
        f"no row of {printable(file.name)} meets a picture, so they are without attributes: "
        f"{named}, the pictures are like {printable(meeting.example)}"
    )


def _file_column(rows: Rows, meeting: Meeting) -> tuple[int, tuple[int, ...]]:
    """Returns which column names pictures, and how many of its values do, ever less exactly."""
    some = rows.rows[:: -(-len(rows.rows) // SAMPLED) or 1]
    columns: list[tuple[str, ...]] = list(zip(*some, strict=True)) or [()] * len(rows.header)
    best, most = 0, meeting.alike((), False)
    for number, name in enumerate(rows.header):
        counts = meeting.alike(columns[number], name.lower() in FILES)
        if NOT_READ.fullmatch(name.lower()) and number and name:
            continue
        if counts > most:
            best, most = number, counts
    if not any(most):
        named = [n for n, column in enumerate(columns) if column and is_picture_name(column[0])]
        wanted = [n for n, name in enumerate(rows.header) if name.lower() in FILES]
        best = next(iter(named + wanted), 0)
    return best, most


def _tell(rows: Rows, column: int) -> Told:
    """Reads the columns of a table beside the one that names the pictures."""
    columns = [[row[n] for row in rows.rows] for n in range(len(rows.header))]
    others = [n for n in range(len(columns)) if n != column and _is_read(rows.header[n])]
    signs = {n: _signs(columns[n]) for n in others}
    named = [n for n in others if rows.header[n].lower() in LABELS]
    names = [n for n in others if _are_attributes(signs[n]) and n not in named]
    if not named and len(others) == 1 and not (names and rows.named):
        names = []
    label = next(iter(named or (others if len(others) == 1 and not names else [])), None)
    classes = [] if label is None else _classes(columns[label], not named and rows.named)
    read = np.stack([signs[n] for n in names], axis=1) if names else None
    unclear = _unclear([rows.header[n] for n in names], read)
    attributes, bad = _to_attributes(read, len(rows.rows))
    left = [rows.header[n] for n in others if n not in names and not (classes and n == label)]
    notes = [f"nothing is read of {_named(left)}"] if left else []
    if unclear:
        notes.append(f"0 means not known in {_named(unclear)}, since others have -1")
    if classes and label is not None and not named and rows.named:
        notes.append(f"classes are those of {printable(rows.header[label])}")
    return Told([rows.header[n] for n in names], attributes, classes, bad, notes)


def _is_read(name: str) -> bool:
    return not NOT_READ.fullmatch(name.lower())


def _signs(values: Sequence[str]) -> np.ndarray:
    """Reads yes and no.

    Returns:
        int8: 1, -1, `NO_WORD`, `ZERO`, `EMPTY` where nothing is known, `NOTHING` for what means
        neither.
    """
    lower = {value: value.lower() for value in set(values)}
    letters = set(lower.values()) - NOT_KNOWN <= YES_LETTERS | NO_LETTERS
    meanings = {value: _sign(word, letters) for value, word in lower.items()}
    return np.array([meanings[value] for value in values], np.int8)


def _sign(value: str, letters: bool) -> int:
    if value in YES or (letters and value in YES_LETTERS):
        return 1
    if value in NO or (letters and value in NO_LETTERS):
        return NO_WORD
    if value in NOT_KNOWN:
        return EMPTY
    try:
        number = float(value)
    except ValueError:
        return NOTHING
    return int(number) if number in (-1, 0, 1) else NOTHING


def _are_attributes(signs: np.ndarray) -> bool:
    """Whether most of a column's values that are there mean yes or no."""
    there = signs[signs != EMPTY]
    return len(there) > 0 and 2 * (there == NOTHING).sum() < len(there)


def _unclear(names: Sequence[str], signs: np.ndarray | None) -> list[str]:
    """Names the columns of 0 and 1 in a table where others have -1."""
    if signs is None or not (signs == -1).any():
        return []
    columns = zip(names, signs.T, strict=True)
    return [
        name for name, column in columns if {ZERO, 1} <= set(column.tolist()) and -1 not in column
    ]


def _to_attributes(signs: np.ndarray | None, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns attributes, int8 (R, A), and which rows could not be read, bool (R,).

    In a table without any -1, 0 means no, else that nothing is known.
    """
    if signs is None:
        return np.zeros((count, 0), np.int8), np.zeros(count, bool)
    bad = (signs == NOTHING).any(axis=1)
    signs[bad] = EMPTY
    zero = 0 if (signs == -1).any() else -1
    signs[signs == ZERO] = zero
    signs[signs == EMPTY] = 0
    signs[signs == NO_WORD] = -1
    return signs, bad


def _classes(values: Sequence[str], guessed: bool) -> list[str | None]:
    """Reads classes; returns nothing where the values are no classes.

    Args:
        values: a row's each.
        guessed: whether the column's name does not say that it holds classes; then a class should
            have two pictures, on the average.
    """
    found = [_class_name(value) for value in values]
    names = {name for name in found if name is not None}
    if names != {"-1", "1"}:
        found = [None if name == "-1" else name for name in found]  # the hub's sign for none
    if guessed and not 2 <= len(names) <= max(2, len(found) // 2):
        return []
    alone = len(found) > LONG and len(names) > 0.9 * len(found)  # a class each: these are none
    return found if 1 <= len(names) <= MAX_CLASSES and not alone else []


def _class_name(value: str) -> str | None:
    if value.lower() in NOT_KNOWN:
        return None
    whole = re.fullmatch(r"([+-]?\d+)\.0+", value)  # a number beside empty values, by pandas
    return whole[1] if whole else value


def _merge_attributes(known: Known, told: Told, met: np.ndarray) -> None:
    """Adds a table's attributes of the pictures that it meets."""
    news = [name for name in told.attribute_names if name not in known.attribute_names]
    width = np.zeros((len(met), len(news)), np.int8)
    known.attribute_names += news
    known.attributes = np.concatenate([known.attributes, width], axis=1)
    here = met >= 0
    for number, name in enumerate(told.attribute_names):
        column = known.attributes[:, known.attribute_names.index(name)]
        values = np.where(here, told.attributes[met, number], 0) if len(told.attributes) else 0
        column[:] = np.where(column == 0, values, column)


def _add_classes(known: Known, told: list[str | None], folders: Classes) -> None:
    """Chooses between the classes of tables and those of folders."""
    names = {name for name in told if name is not None}
    if len(names) > 1:
        whole = all(re.fullmatch(r"-?\d{1,18}", name) for name in names)
        ordered = sorted(names, key=int) if whole else sorted(names)
        known.label_names, known.labels = ordered, numbered(told, ordered)
        if folders.names:
            known.notes.append("classes are those of a table, not the folders")
        return
    known.label_names, known.labels = folders.names, folders.labels
    known.notes += folders.notes


def _add_utkface(known: Known, pictures: Sequence[str]) -> None:
    """Reads what UTKFace writes into its files' names, where most are such names."""
    found = [UTKFACE.fullmatch(tidy(path).rpartition("/")[2]) for path in pictures]
    if 10 * sum(match is not None for match in found) < 9 * len(found):
        return
    known.attribute_names = list(UTKFACE_NAMES)
    known.attributes = np.zeros((len(pictures), len(UTKFACE_NAMES)), np.int8)
    for number, match in enumerate(found):
        if match is not None:
            race = [1 if int(match[3]) == kind else -1 for kind in range(4)]
            known.attributes[number] = [1 if match[2] == "0" else -1, *race]
    known.notes.append(f"attributes {_named(UTKFACE_NAMES)} are read in the names, as UTKFace's")


def _named(names: Sequence[str]) -> str:
    more = f" and {plural(len(names) - 4, 'other')}" if len(names) > 5 else ""
    return printable(", ".join(names[:4] if more else names) + more)
