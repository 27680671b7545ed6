"""Prepared pictures as PNG files, to look at or to take elsewhere."""

import shutil
from pathlib import Path

import numpy as np

from kerasgan.cli import UserError, progress
from kerasgan.data.cache import Pictures
from kerasgan.data.parallel import submit_in_order, threads
from kerasgan.data.text import printable
from kerasgan.files import atomic_path
from kerasgan.images import write_png


def export(pictures: Pictures, folder: Path) -> None:
    """Writes `000000.png` and so on into a new folder, with `list_attr.csv` where there is one.

    The folder gets its name when all files are in it.

    Args:
        pictures: what to write.
        folder: where; it should not exist yet, or be empty.

    Raises:
        UserError: the folder is in use or cannot be written.
    """
    folder = Path(folder).expanduser().resolve()
    check_export(folder)
    try:
        with atomic_path(folder) as temporary:
            temporary.mkdir()
            _write_files(pictures, temporary)
            if folder.exists():
                folder.rmdir()  # it is empty; not every system renames over an empty folder
    except OSError as error:
        raise UserError(
            "--export should name a folder that can be written to. Received: "
            f"{printable(str(folder))} ({printable(str(error))})."
        ) from error


def check_export(folder: Path) -> None:
    """Raises `UserError` where `folder` is a file or holds anything already."""
    rule = "--export should name a new or empty folder"
    if folder.is_dir():
        if any(folder.iterdir()):
            raise UserError(f"{rule}. Received: {printable(str(folder))}, which is not empty.")
    elif folder.exists():
        raise UserError(f"{rule}. Received: {printable(str(folder))}, which is a file.")


def _write_files(pictures: Pictures, folder: Path) -> None:
    attributes = pictures.folder / "list_attr.csv"
    if attributes.exists():
        shutil.copyfile(attributes, folder / attributes.name)

    def write(numbered: tuple[int, np.ndarray]) -> None:
        number, picture = numbered
        write_png(folder / f"{number:06d}.png", picture)

    with threads() as pool, progress(len(pictures.pixels), "Writing", unit=" pictures") as bar:
        for _, written in submit_in_order(pool, write, enumerate(pictures.pixels)):
            written.result()
            bar.update()
