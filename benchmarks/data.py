"""Loading pictures: the tutorial's loop against `kerasgan.data`, turn by turn in one run.

python benchmarks/data.py [--pictures 2000] [--counts 1000 10000 100000] [--rounds 5]

The pictures are made: the built-in portraits at CelebA's 178x218 pixels under the noise of a
camera, JPEG of quality 90. Every measurement runs in a process of its own.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import machine
import numpy as np
from PIL import Image

from kerasgan import cli, data
from kerasgan.data import parallel
from kerasgan.data.batches import Ahead, Batches
from kerasgan.portraits import draw_portrait
from kerasgan.recipes import PRESETS

SIZE = 128  # pixels, the tutorial's
BOX = (0, 15, 178, 193)  # its crop
PORTRAITS = 50  # drawn; the noise makes as many different files of them as are wanted
DIFFERENT = 1000  # files; beyond these, names for the same ones
GRAIN = 6  # standard deviation of the noise, in levels; with it a file is as large as CelebA's
STEPS = (0.005, 0.33)  # seconds: a fast GPU's, and that of article-lite on two cores


class Used(NamedTuple):
    """What some work took."""

    clock: float  # seconds
    cores: float  # seconds of processor time, over all threads
    memory: float  # bytes, the most that was resident beyond what the imports hold


def make_pictures(folder: Path, count: int) -> None:
    """Writes JPEG files of 178x218 pixels into a new folder."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    portraits = [draw_portrait(number, 0)[0] for number in range(PORTRAITS)]
    with cli.progress(min(count, DIFFERENT), "drawing", unit=" pictures") as bar:
        for number in range(min(count, DIFFERENT)):
            clean = Image.fromarray(portraits[number % PORTRAITS])
            clean = clean.resize((178, 218), Image.Resampling.BICUBIC)
            noisy = np.asarray(clean) + rng.normal(0, GRAIN, (218, 178, 1)).round()
            picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
            picture.save(folder / f"{number:06d}.jpg", quality=90)
            bar.update()
    for number in range(DIFFERENT, count):
        os.link(folder / f"{number % DIFFERENT:06d}.jpg", folder / f"{number:06d}.jpg")


def tutorial_loop(folder: str) -> np.ndarray:
    """The tutorial's cell, with the filter's name of today and the files' format."""
    images = []
    for name in os.listdir(folder):
        picture = Image.open(os.path.join(folder, name), formats=("JPEG",)).crop(BOX)
        picture.thumbnail((SIZE, SIZE), Image.Resampling.LANCZOS)
        images.append(np.uint8(picture))
    return np.array(images) / 255


def first_build(folder: str, threads: int, cache: str) -> None:
    """Prepares the pictures, whatever is in the cache."""
    parallel.CORES = threads
    data.load(folder, size=SIZE, cache=Path(cache), rebuild=True)


def next_start(folder: str, cache: str) -> None:
    """Opens what was prepared."""
    data.load(folder, size=SIZE, cache=Path(cache))


def one_epoch(folder: str, cache: str) -> None:
    """Opens what was prepared, and makes every batch once."""
    pictures = data.load(folder, size=SIZE, cache=Path(cache))
    batches = Batches(pictures.pixels, 16, seed=0)
    for iteration in range(len(pictures.pixels) // 16):
        batches.at(iteration)


def apart(work: Callable[..., Any], *arguments: object) -> Any:
    """Calls a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def measure(work: Callable[..., object], *arguments: object) -> Used:
    """Says what work takes in this process, which did nothing else yet."""
    Image.init()
    before, clock, times = peak_memory(), time.perf_counter(), os.times()
    result = work(*arguments)
    clock, after = time.perf_counter() - clock, os.times()
    del result
    cores = sum(after[:4]) - sum(times[:4])  # of this process and of those it started
    return Used(clock, cores, peak_memory() - before)


def peak_memory() -> int:
    """Returns the most memory that was resident in this process, in bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        import resource  # not on Windows

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak
    # `ru_maxrss` would count the process that started this one.
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def report_builds(folder: Path, cache: Path, count: int, rounds: int) -> None:
    """Prints pictures per second of the tutorial's loop and of first builds, turn by turn."""
    rivals: dict[str, tuple[Any, ...]] = {"the tutorial's loop": (tutorial_loop, str(folder))}
    for threads in sorted({1, 2, os.cpu_count() or 1}):
        name = f"first build, {threads} thread{'s' * (threads > 1)}"
        rivals[name] = (first_build, str(folder), threads, str(cache))
    used: dict[str, list[Used]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, work in rivals.items():
            used[name].append(apart(measure, *work))
    base = used["the tutorial's loop"]
    print(f"\n{count:,} pictures, median of {rounds}{'pictures a second':>30}{'per core used':>20}")
    for name, found in used.items():
        clocks = [count / one.clock for one in found]
        cores = [count / one.cores for one in found]
        faster = statistics.median(b.clock / one.clock for b, one in zip(base, found, strict=True))
        leaner = statistics.median(b.cores / one.cores for b, one in zip(base, found, strict=True))
        print(
            f"{name:28s}{statistics.median(clocks):14,.0f} {faster:6.2f}x"
            f"{statistics.median(cores):14,.0f} {leaner:6.2f}x"
        )


def report_sizes(folder: Path, caches: Path, counts: Sequence[int], largest_loop: int) -> None:
    """Prints the next start's seconds and the resident memory at several numbers of pictures."""
    print(
        f"\n{'pictures':>9}{'next start':>12}{'memory: build':>15}{'next start':>12}"
        f"{'one epoch':>12}{'tutorial: array':>18}{'resident':>11}"
    )
    for count in counts:
        pictures, cache = folder / str(count), caches / str(count)
        make_pictures(pictures, count)
        built = apart(measure, first_build, str(pictures), os.cpu_count() or 1, str(cache))
        starts = [apart(measure, next_start, str(pictures), str(cache)) for _ in range(5)]
        epoch = apart(measure, one_epoch, str(pictures), str(cache))
        row = [
            f"{count:9,}{statistics.median(one.clock for one in starts):10.3f} s",
            f"{built.memory / 1e6:12,.0f} MB",
            f"{max(one.memory for one in starts) / 1e6:9,.0f} MB{epoch.memory / 1e6:9,.0f} MB",
            f"{count * SIZE * SIZE * 3 * 8 / 1e6:15,.0f} MB",
        ]
        if count <= largest_loop:
            row.append(f"{apart(measure, tutorial_loop, str(pictures)).memory / 1e6:8,.0f} MB")
        print("".join(row), flush=True)
        shutil.rmtree(pictures)


def waited(folder: str, cache: str, ahead: bool, step: float, steps: int) -> float:
    """Returns the fraction of the time that a training step of some seconds waits for its batch."""
    pixels = data.load(folder, size=SIZE, cache=Path(cache)).pixels
    batches = Batches(pixels, PRESETS["article-lite"].batch_size, seed=0)
    waiting = 0.0
    with Ahead(batches) as prepared:
        source = prepared if ahead else batches
        source.at(0)
        began = time.perf_counter()
        for iteration in range(1, steps + 1):
            asked = time.perf_counter()
            source.at(iteration)
            waiting += time.perf_counter() - asked
            time.sleep(step)
        return waiting / (time.perf_counter() - began)


def report_waiting(folder: Path, cache: Path) -> None:
    """Prints the fraction of a step's time that is lost to the input."""
    print(f"\n{'a step waits for its batch':30s}{'made when asked':>18}{'made ahead':>14}")
    apart(next_start, str(folder), str(cache))
    for step in STEPS:
        steps = max(20, round(3 / step))
        fractions = [
            apart(waited, str(folder), str(cache), kind, step, steps) for kind in (False, True)
        ]
        print(
            f"step of {1000 * step:3.0f} ms{'':15s}{100 * fractions[0]:16.1f} %"
            f"{100 * fractions[1]:12.1f} %"
        )


def report(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=cli.HelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=2000, help="pictures of a first build")
    parser.add_argument(
        "--counts", type=int, nargs="*", default=[1000, 10_000, 100_000], help="sizes of sets"
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each first build")
    parser.add_argument(
        "--largest-loop",
        type=int,
        default=10_000,
        help="most pictures for the tutorial's loop, which takes half a megabyte for each",
    )
    args = parser.parse_args(argv)
    print(f"{machine.describe()}, NumPy {np.__version__}")
    with tempfile.TemporaryDirectory() as place:
        folder, cache = Path(place) / "pictures", Path(place) / "cache"
        make_pictures(folder, args.pictures)
        sizes = [path.stat().st_size for path in list(folder.iterdir())[:DIFFERENT]]
        print(f"JPEG of 178x218, {statistics.mean(sizes) / 1000:.1f} kB each, to {SIZE}x{SIZE}")
        report_builds(folder, cache, args.pictures, args.rounds)
        report_waiting(folder, cache)
        shutil.rmtree(folder)
        (Path(place) / "sets").mkdir()
        report_sizes(Path(place) / "sets", Path(place) / "caches", args.counts, args.largest_loop)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    return cli.run(report, argv)


if __name__ == "__main__":
    sys.exit(main())
