"""Draws the built-in faces into a cache, on all cores."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import kerasgan
from kerasgan.cli import progress
from kerasgan.data._draw_worker import IO_FAILED, attributes_part, draw_slice
from kerasgan.data.cache import Tally, rejected_writer, write_header
from kerasgan.data.parallel import CORES
from kerasgan.data.table import header
from kerasgan.portraits import ATTRIBUTES

DRAWN_SIZE = 128  # pixels
FEW = 64  # pictures; drawing fewer takes less time than starting another process


def draw_faces(
    size: int,
    count: int,
    seed: int,
    into: Path,
    channels: int = 3,
    workers: int | None = None,
) -> Tally:
    """Draws faces into `pictures.npy` and their attributes into `pictures.csv`.

    Args:
        size: height and width of the pictures, in pixels.
        count: how many faces.
        seed: chooses the faces, 0 or more.
        into: the cache folder being made.
        channels: 3 for RGB, 1 for grey.
        workers: how many processes draw, 1 for this one alone; one for each core unless given.
            The result is the same for any number.

    Raises:
        OSError: the cache could not be written.
    """
    pixels = into / "pictures.npy"
    offset = _allocate(pixels, count, size, channels)
    workers = workers or min(CORES, 1 + count // FEW)
    starts = [count * worker // workers for worker in range(workers + 1)]
    slices = list(zip(starts[:-1], starts[1:], strict=True))
    with progress(count, "Preparing pictures", unit=" pictures") as bar:
        if workers == 1:
            for _ in draw_slice(pixels, offset, 0, count, seed, size, channels):
                bar.update()
        else:
            jobs = [(pixels, offset, *part, seed, size, channels) for part in slices]
            draw_in_processes(jobs, bar.update)
    _join_attributes(into, [start for start, _ in slices])
    with rejected_writer(into / "rejected.csv"):
        pass
    return Tally(count=count, enlarged=count if size > DRAWN_SIZE else 0)


def _allocate(path: Path, count: int, size: int, channels: int) -> int:
    """Makes a `.npy` file of its final length, and returns where its pixels begin."""
    with open(path, "xb") as file:
        write_header(file, count, size, channels)
        offset = file.tell()
        file.truncate(offset + count * size * size * channels)
    return offset


def draw_in_processes(jobs: Iterable[Iterable[object]], drawn: Callable[[], object]) -> None:
    """Runs one process of `kerasgan.data._draw_worker` for each job, and calls `drawn` by picture.

    Not `multiprocessing`: its new processes import the user's script again, and a script without
    a `__main__` guard would then train in each of them.

    Raises:
        OSError: a process could not write its pictures.
        RuntimeError: a process failed otherwise; its traceback is on standard error.
    """
    receive, send = os.pipe()  # one pipe for all: each byte in it is a picture
    workers: list[subprocess.Popen[bytes]] = []
    try:
        with os.fdopen(receive, "rb", buffering=0) as reports:
            try:
                for job in jobs:
                    workers.append(_start_worker(job, send))
            finally:
                os.close(send)  # so that the reports end with the last worker
            while received := reports.read(64):
                for _ in received:
                    drawn()
        codes = [worker.wait() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    for code in filter(None, codes):
        if code > IO_FAILED:
            raise OSError(code - IO_FAILED, os.strerror(code - IO_FAILED))
        raise RuntimeError(f"A process that draws the built-in faces ended with code {code}.")


def _start_worker(job: Iterable[object], reports: int) -> subprocess.Popen[bytes]:
    package = os.fspath(Path(kerasgan.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "kerasgan.data._draw_worker", *map(str, job)],
        stdin=subprocess.DEVNULL,
        stdout=reports,
        env={**os.environ, "PYTHONPATH": path},
        # Ctrl-C is for this process alone, which then stops the others.
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def _join_attributes(folder: Path, starts: list[int]) -> None:
    with open(folder / "pictures.csv", "x", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(header([], ATTRIBUTES))
        for start in starts:
            part = attributes_part(folder, start)
            file.write(part.read_text(encoding="utf-8"))
            part.unlink()
