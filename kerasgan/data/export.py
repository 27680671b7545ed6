"""Prepared pictures as PNG files, in a folder or a zip, to look at or to take elsewhere."""

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from unicodedata import normalize

import numpy as np

from kerasgan.cli import progress
from kerasgan.data.cache import Pictures
from kerasgan.data.parallel import submit_in_order, threads
from kerasgan.data.rows import EXPORTED
from kerasgan.data.table import Table
from kerasgan.errors import UserError
from kerasgan.files import atomic_path, check_place, is_empty, new_folder
from kerasgan.images import to_image
from kerasgan.text import printable

Write = Callable[[str, bytes], object]  # of a file, by its path inside the export
MAX_NAME = 60  # characters of a class folder's name: 240 bytes at most, where 255 are allowed

FORBIDDEN = '<>:"/\\|?*'  # in names of files on Windows
PORTS = [f"{port}{number}" for port in ("com", "lpt") for number in range(10)]
RESERVED = {"", "con", "prn", "aux", "nul", *PORTS}  # names that a folder on Windows cannot have


def export(pictures: Pictures, target: Path) -> None:
    """Writes `000000.png` and so on into a new folder or zip, with what is known of them.

    Pictures with labels lie in a folder for each class, attributes in `list_attr.csv` as in
    CelebA, and the names they had in `pictures.csv`. As a source, the export gives the same
    pictures again, class by class. The target gets its name when all files are in it.

    Args:
        pictures: what to write.
        target: where; a name that ends with .zip makes a zip. It should not exist yet, or be
            an empty folder.

    Raises:
        UserError: the target is in use or cannot be written.
    """
    target = Path(target).expanduser().resolve()
    check_export(target, pictures.folder)
    try:
        if _is_zip(target):
            with (
                atomic_path(target, durable=False) as temporary,
                zipfile.ZipFile(temporary, "x", zipfile.ZIP_STORED) as archive,
            ):
                _write_files(pictures, lambda name, data: _add(archive, name, data))
        else:
            with new_folder(target, durable=False) as temporary:
                _write_files(pictures, lambda name, data: _write(temporary / name, data))
    except OSError as error:
        raise UserError(
            "--export should name a folder or zip that can be written to. Received: "
            f"{printable(str(target))} ({printable(str(error))})."
        ) from error


def check_export(target: Path, cache: Path | None = None) -> None:
    """Raises `UserError` where `target` holds anything already, or cannot be written.

    Args:
        target: of the export.
        cache: of prepared pictures, which may be in it.
    """
    rule = "--export should name a new zip, or a new or empty folder"
    if target.is_dir() and not _is_zip(target):
        if not is_empty(target, besides=cache):
            raise UserError(f"{rule}. Received: {printable(str(target))}, which is not empty.")
    elif target.exists():
        raise UserError(f"{rule}. Received: {printable(str(target))}, which exists already.")
    check_place(target, "--export", "Type another place", folder=not _is_zip(target))


def file_names(table: Table) -> list[str]:
    """Returns the exported pictures' paths: numbered, in a folder for each class."""
    folders = _class_folders(table.label_names)
    digits = max(6, len(str(len(table.names) - 1)))
    return [
        f"{folders[label] if label >= 0 else ''}{number:0{digits}d}.png"
        for number, label in enumerate(table.labels)
    ]


def _class_folders(label_names: list[str]) -> list[str]:
    """Names a folder for each class, by characters that any file system takes.

    They are numbered where a name is lost, or where two would be one on a system that does not
    tell "A" from "a", or two ways of writing "é" apart.
    """
    safe = [_safe(name) for name in label_names]
    alike = {normalize("NFC", name).casefold() for name in safe}
    if len(alike) == len(safe) and not alike & RESERVED:
        return [f"{name}/" for name in safe]
    return [f"{number:05d}_{name}/" for number, name in enumerate(safe)]


def _safe(name: str) -> str:
    kept = (char if char.isprintable() and char not in FORBIDDEN else "_" for char in name)
    return "".join(kept)[:MAX_NAME].strip(". ")  # a dot in front would hide it


def _write_files(pictures: Pictures, write: Write) -> None:
    names = file_names(pictures.table)
    write("pictures.csv", (pictures.folder / "pictures.csv").read_bytes())
    if pictures.table.attribute_names:
        write(EXPORTED, _attribute_table(pictures.table, names))
    with threads() as pool, progress(len(names), "Writing", unit=" pictures") as bar:
        for number, png in submit_in_order(pool, _png_of(pictures), range(len(names))):
            write(names[number], png.result())
            bar.update()


def _attribute_table(table: Table, names: list[str]) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["image_id", *table.attribute_names])
    for name, attributes in zip(names, table.attributes, strict=True):
        known = [value or "" for value in attributes]  # 0 would mean no, were there no -1
        rows.writerow([name.rpartition("/")[2], *known])
    return text.getvalue().encode(errors="surrogateescape")


def _png_of(pictures: Pictures) -> Callable[[int], bytes]:
    def png(number: int) -> bytes:
        file = io.BytesIO()
        to_image(pictures.take(np.array([number]))[0]).save(file, format="PNG")
        return file.getvalue()

    return png


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name), data)  # of no date: the same pictures, the same zip


def _is_zip(target: Path) -> bool:
    return target.suffix.lower() == ".zip"
