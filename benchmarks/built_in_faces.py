"""Measures the built-in faces: how fast they are drawn and how many a face detector finds.

    python benchmarks/built_in_faces.py --count 100 --seed 0

Speed is given for one core and for two processes. The detector is that of the PyPI package
mtcnn; a face is found where it says so with a confidence of at least 0.9.
"""

import argparse
import functools
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import machine
import numpy as np

from kerasgan import cli
from kerasgan.errors import UserError, required
from kerasgan.portraits import draw_portrait, eye_positions, sample_traits

MIN_CONFIDENCE = 0.9  # from here on a face counts as found
PADDING = 32  # pixels of the picture's edge put around it; mtcnn misses faces that fill a picture


def draw_many(indices: Sequence[int], seed: int) -> tuple[float, float]:
    """Draws portraits and returns the seconds on the clock and those of one core.

    The two differ where other programs run beside. Tables made once are not counted.
    """
    draw_portrait(indices[0], seed)
    clock, core = time.perf_counter(), time.process_time()
    for index in indices:
        draw_portrait(index, seed)
    return time.perf_counter() - clock, time.process_time() - core


def measure_pool(count: int, seed: int) -> float:
    """Returns portraits per second by the clock for two processes at once."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        halves = [range(0, count), range(count, 2 * count)]
        times = list(pool.map(functools.partial(draw_many, seed=seed), halves))
    return sum(count / clock for clock, _ in times)


def load_detector() -> Callable[[np.ndarray], list[dict]]:
    """Returns mtcnn's detector: padded uint8 picture (H, W, 3) to a list of found faces."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    mtcnn = required("mtcnn", "metrics", "The face detector")
    return mtcnn.MTCNN(stages="face_and_landmarks_detection", device="CPU:0").detect_faces


def find_face(detect: Callable[[np.ndarray], list[dict]], picture: np.ndarray) -> dict | None:
    """Returns the surest face found in a uint8 picture (H, W, 3), or None."""
    margin = ((PADDING, PADDING), (PADDING, PADDING), (0, 0))
    faces = detect(np.pad(picture, margin, mode="edge"))
    faces = [face for face in faces if face["confidence"] >= MIN_CONFIDENCE]
    return max(faces, key=lambda face: face["confidence"], default=None)


def eye_error(face: dict, index: int, seed: int) -> float:
    """Returns the mean distance in pixels from the eyes found to the eyes drawn."""
    found = sorted(face["keypoints"][name] for name in ("left_eye", "right_eye"))
    drawn = eye_positions(sample_traits(index, seed))
    pairs = zip(found, drawn, strict=True)
    return sum(math.dist((x - PADDING, y - PADDING), eye) for (x, y), eye in pairs) / 2


def measure_detection(count: int, seed: int) -> tuple[list[int], list[float]]:
    """Returns the indices of portraits with no face found, and the eyes' errors of the others."""
    detect = load_detector()
    missed, errors = [], []
    with cli.progress(count, "finding faces", unit="picture") as bar:
        for index in range(count):
            face = find_face(detect, draw_portrait(index, seed)[0])
            if face is None:
                missed.append(index)
            else:
                errors.append(eye_error(face, index, seed))
            bar.update()
    return missed, errors


def report(argv: Sequence[str] | None = None) -> None:
    """Prints speed and how many faces the detector finds for the command line's count and seed."""
    parser = argparse.ArgumentParser(
        description="Measure the built-in faces.", formatter_class=cli.HelpFormatter
    )
    parser.add_argument("--count", type=int, default=100, help="portraits to measure with")
    parser.add_argument("--seed", type=int, default=0, help="which collection")
    args = parser.parse_args(argv)
    if args.count < 1:
        raise UserError(f"`--count` should be at least 1. Received: {args.count}")
    print(f"{machine.describe()}, NumPy {np.__version__}")
    clock, core = draw_many(range(args.count), args.seed)
    print(f"one process: {args.count / clock:.0f} portraits a second,", end=" ")
    print(f"{1000 * core / args.count:.1f} ms of one core each")
    together = measure_pool(args.count, args.seed)
    print(f"two processes: {together:.0f} portraits a second, 10,000 in {1e4 / together:.0f} s")
    missed, errors = measure_detection(args.count, args.seed)
    of_100 = 100 * (args.count - len(missed)) / args.count
    print(f"faces found by mtcnn at confidence {MIN_CONFIDENCE}: {of_100:.0f} of 100; "
          f"missed: {missed}")  # fmt: skip
    if errors:
        print(f"eyes found {np.mean(errors):.1f} pixels from where they were drawn, on average")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    return cli.run(report, argv)


if __name__ == "__main__":
    sys.exit(main())
