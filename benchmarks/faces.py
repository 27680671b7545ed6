"""Measures how well faces are found in photographs, and where their eyes are.

    python benchmarks/faces.py DIR [--scenes 100] [--sheet cuts.png]

DIR holds crops of one face each. Scenes are made of them: one to four faces, scaled by 0.6 to 3,
turned by up to 40 degrees and pasted with a soft edge on a drawn background of 1200x900. The
true places of the eyes are those that the detector finds in the upright crop.
"""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import machine
import numpy as np
from PIL import Image

from kerasgan import cli
from kerasgan.data import open_source
from kerasgan.data.decode import open_upright
from kerasgan.data.faces import Face, Point, cut_face, find_faces
from kerasgan.files import check_place
from kerasgan.images import make_grid, write_png

WIDTH, HEIGHT = 1200, 900
SOFT = 10  # pixels of a crop's rim that fade into the background
FOUND = 0.5  # eye error, in distances between the eyes, up to which a face counts as found


class Placed(NamedTuple):
    """A crop's place in a scene.

    Attributes:
        centre: of the crop, in the scene.
        radius: of the circle that holds it.
        degrees: clockwise.
        scale: of the crop.
        eyes: the left and the right one, in the scene.
    """

    centre: Point
    radius: float
    degrees: float
    scale: float
    eyes: tuple[Point, Point]


def background(rng: np.random.Generator) -> np.ndarray:
    """Draws soft colours with grain, float (HEIGHT, WIDTH, 3) in 0..255."""
    rows, columns = rng.integers(3, 12, 2)
    few = Image.fromarray(rng.integers(0, 255, (rows, columns, 3)).astype(np.uint8))
    soft = np.asarray(few.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.float64)
    return np.clip(soft + rng.normal(0, rng.uniform(2, 25), soft.shape), 0, 255)


def paste(scene: np.ndarray, crop: np.ndarray, face: Face, place: Placed) -> Placed:
    """Pastes a crop into a scene, in place, and returns its place with the eyes' own."""
    middle = np.array([crop.shape[1], crop.shape[0]]) / 2
    angle = math.radians(place.degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    back = turn.T / place.scale
    matrix = np.column_stack([back, middle - back @ place.centre]).ravel().tolist()
    size, kind = (WIDTH, HEIGHT), Image.Transform.AFFINE
    rows, columns = np.indices(crop.shape[:2])
    distance = np.hypot(columns + 0.5 - middle[0], rows + 0.5 - middle[1])
    rim = np.clip((middle.min() - distance) / SOFT, 0, 1) * 255
    mask = Image.fromarray(rim.astype(np.uint8)).transform(size, kind, matrix)
    turned = Image.fromarray(crop).transform(size, kind, matrix, Image.Resampling.BICUBIC)
    weight = np.asarray(mask, np.float64)[..., np.newaxis] / 255
    scene += weight * (np.asarray(turned) - scene)
    left, right = (
        tuple(turn @ (np.array(eye) - middle) * place.scale + place.centre)
        for eye in (face.left_eye, face.right_eye)
    )
    return place._replace(eyes=(left, right))


def free_place(radius: float, taken: list[Placed], rng: np.random.Generator) -> Point | None:
    """Returns a centre at which a crop covers no other, or None."""
    for _ in range(50):
        x, y = rng.uniform(radius, WIDTH - radius), HEIGHT / 2
        if HEIGHT > 2 * radius:
            y = rng.uniform(radius, HEIGHT - radius)
        if all(math.dist((x, y), other.centre) > radius + other.radius for other in taken):
            return float(x), float(y)
    return None


def make_scene(
    crops: list[tuple[np.ndarray, Face]], rng: np.random.Generator
) -> tuple[np.ndarray, list[Placed]]:
    """Makes a scene, uint8 (HEIGHT, WIDTH, 3), and says what is where in it."""
    scene, placed = background(rng), []
    for _ in range(rng.integers(1, 5)):
        crop, face = crops[rng.integers(len(crops))]
        scale, degrees = rng.uniform(0.6, 3), rng.uniform(-40, 40)
        radius = math.hypot(*crop.shape[:2]) / 2 * scale
        centre = free_place(radius, placed, rng)
        if centre is not None:
            place = Placed(centre, radius, degrees, scale, face[:2])
            placed.append(paste(scene, crop, face, place))
    return np.rint(scene).astype(np.uint8), placed


def match(placed: Placed, found: list[Face]) -> tuple[float, int]:
    """Returns the least eye error, in distances between the eyes, and which face has it."""
    between = math.dist(*placed.eyes)
    errors = [
        max(math.dist(face[eye], placed.eyes[eye]) for eye in (0, 1)) / between for face in found
    ]
    return min(((error, number) for number, error in enumerate(errors)), default=(math.inf, -1))


def measure_crops(source: str, count: int) -> list[tuple[np.ndarray, Face]]:
    """Prints the fraction of crops in which a face is found, and returns those with exactly one."""
    items = list(open_source(source).items())
    chosen = [items[number] for number in np.linspace(0, len(items) - 1, count).astype(int)]
    crops = [np.asarray(open_upright(item.fetch()).image) for item in chosen]
    with cli.progress(count, "crops", unit=" pictures") as bar:
        found = []
        for crop in crops:
            found.append(find_faces(crop))
            bar.update()
    fraction = sum(map(bool, found)) / count
    print(
        f"crops: a face in {fraction:.1%} of {count}, several in {sum(len(f) > 1 for f in found)}"
    )
    return [(crop, faces[0]) for crop, faces in zip(crops, found, strict=True) if len(faces) == 1]


def report(argv: Sequence[str] | None = None) -> None:
    """Prints the fractions found, the eyes' errors and the time, and writes the sheet."""
    parser = argparse.ArgumentParser(
        description="Measure how faces are found and cut.", formatter_class=cli.HelpFormatter
    )
    parser.add_argument("source", metavar="DIR", help="crops of one face each")
    parser.add_argument("--crops", type=int, default=300, help="crops looked at")
    parser.add_argument("--scenes", type=int, default=100, help="scenes made")
    parser.add_argument("--seed", type=int, default=0, help="of the scenes")
    parser.add_argument("--sheet", type=cli.path, help="PNG of the first 64 faces cut")
    args = parser.parse_args(argv)
    if args.sheet:
        check_place(args.sheet, "`--sheet`", "Type another place")
    print(machine.describe())
    crops = measure_crops(args.source, args.crops)
    rng = np.random.default_rng(args.seed)
    errors, missed, false, cuts, seconds = [], [], 0, [], []
    with cli.progress(args.scenes, "scenes", unit=" scenes") as bar:
        for _ in range(args.scenes):
            scene, placed = make_scene(crops, rng)
            began = time.process_time()
            found = find_faces(scene)
            seconds.append(time.process_time() - began)
            matches = [(place, *match(place, found)) for place in placed]
            hits = {number for _, error, number in matches if error < FOUND}
            errors += [error for _, error, _ in matches if error < FOUND]
            missed += [place for place, error, _ in matches if error >= FOUND]
            false += len(found) - len(hits)
            cuts += [cut_face(scene, found[number], 96) for number in sorted(hits)]
            bar.update()
    total = len(errors) + len(missed)
    print(f"scenes: {len(errors)} of {total} faces found ({len(errors) / total:.1%}), "
          f"{false} false in {args.scenes} scenes")  # fmt: skip
    for place in missed:
        print(f"  missed: turned by {place.degrees:.0f} degrees, scaled by {place.scale:.1f}")
    print(f"eyes' error, in distances between the eyes: median {np.median(errors):.3f}, "
          f"95% below {np.quantile(errors, 0.95):.3f}")  # fmt: skip
    print(f"a scene takes {np.median(seconds):.2f} s of one core")
    if args.sheet:
        write_png(args.sheet, make_grid(np.stack(cuts[:64]), columns=8))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    return cli.run(report, argv)


if __name__ == "__main__":
    sys.exit(main())
