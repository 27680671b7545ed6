"""Faces in photographs: found, kept on the disk, and cut upright."""

import json
import math
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.data import faces
from kerasgan.data.faces import DETECTOR, Detections, Face, cut_face, find_faces
from kerasgan.errors import UserError
from kerasgan.portraits import draw_portrait, eye_positions, sample_traits

# Where CelebA's pictures have them; its authors count pixels from 1, at their middles.
LEVEL = Face((70.245, 111.5), (107.737, 111.5), (88.932, 153.014), 0.99)


def turned(face: Face, degrees: float, scale: float, centre: tuple[float, float]) -> Face:
    """The face turned clockwise as seen, about the point between its eyes, which goes to centre."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    middle = np.add(face.left_eye, face.right_eye) / 2

    def move(point: tuple[float, float]) -> tuple[float, float]:
        x, y = np.subtract(point, middle) * scale
        return (
            float(cosine * x - sine * y + centre[0]),
            float(sine * x + cosine * y + centre[1]),
        )

    return Face(move(face.left_eye), move(face.right_eye), move(face.mouth), face.confidence)


def dots(face: Face, size: tuple[int, int]) -> np.ndarray:
    """A black picture with a red blob on the left eye, a green one on the right, a blue mouth."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    picture = np.zeros((size[1], size[0], 3))
    radius = math.dist(face.left_eye, face.right_eye) / 8
    for channel, (x, y) in enumerate((face.left_eye, face.right_eye, face.mouth)):
        # A continuous coordinate c lies in the middle of the pixel c - 0.5.
        squared = (columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2
        picture[..., channel] = 255 * np.exp(-squared / (2 * radius**2))
    return picture.astype(np.uint8)


def centres(picture: np.ndarray) -> np.ndarray:
    """The centre of mass of each channel, (3, 2), x and y."""
    weights = picture.astype(float).reshape(-1, 3)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    places = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
    return (weights.T @ places) / weights.sum(axis=0)[:, None]


@pytest.mark.parametrize("size", [32, 64, 178, 300])
@pytest.mark.parametrize(
    ("degrees", "scale", "centre"),
    [(0, 1, (200, 200)), (40, 1.7, (260, 240)), (-75, 0.8, (300, 190)), (180, 2.2, (300, 300))],
)
def test_eyes_and_mouth_come_where_celeba_has_them(
    size: int, degrees: float, scale: float, centre: tuple[float, float]
) -> None:
    face = turned(LEVEL, degrees, scale, centre)
    found = centres(cut_face(dots(face, (600, 560)), face, size)) * 178 / size
    # CelebA's places, less the upper edge of the tutorial's crop
    expected = [[70.245, 96.5], [107.737, 96.5], [88.932, 138.014]]
    np.testing.assert_allclose(found, expected, atol=max(0.3, 20 / size))


def test_what_lies_outside_is_mirrored() -> None:
    columns = np.arange(100, dtype=np.uint8)
    picture = np.broadcast_to(columns[None, :, None], (100, 100, 3))
    shift = 70.0  # the square begins 70 pixels left of the photograph
    places = [(x - shift, y - 15) for x, y in LEVEL[:3]]
    cut = cut_face(picture, Face(*places, 0.9), 178)  # one pixel for one
    expected = [*range(69, -1, -1), *range(100), *range(99, 91, -1)]
    np.testing.assert_allclose(cut[89, :, 0].astype(int), expected, atol=1)


def test_shrinking_is_antialiased() -> None:
    checkers = (np.indices((800, 800)).sum(axis=0) % 2 * 255).astype(np.uint8)
    face = turned(LEVEL, 20, 4, (400, 350))
    cut = cut_face(np.repeat(checkers[..., None], 3, axis=2), face, 64)
    assert abs(cut.astype(int) - 128).max() < 12


def test_the_square_is_that_of_the_similarity_that_fits_best() -> None:
    face = Face((120.0, 80.0), (140.0, 90.0), (112.0, 130.0), 0.99)  # looks to the side
    equations, places = [], []
    for (x, y), (to_x, to_y) in zip(face[:3], LEVEL[:3], strict=True):
        equations += [[x, -y, 1, 0], [y, x, 0, 1]]
        places += [to_x, to_y]
    a, b, shift_x, shift_y = np.linalg.lstsq(np.array(equations), np.array(places))[0]
    centre, edge = face.square()
    turn = np.array([[a, -b], [b, a]])
    np.testing.assert_allclose(turn @ centre + [shift_x, shift_y], [89, 15 + 89])
    np.testing.assert_allclose(turn @ edge, [178, 0], atol=1e-9)
    assert LEVEL.side == pytest.approx(178)


def test_each_photograph_is_searched_once(tmp_path: Path) -> None:
    asked = []

    def find(rgb: np.ndarray) -> list[Face]:
        asked.append(rgb.shape)
        return [LEVEL]

    picture = np.zeros((4, 5, 3), np.uint8)
    first = Detections(tmp_path / "cache", find)
    assert first.faces_of(b"a", picture) == first.faces_of(b"a", picture) == [LEVEL]
    again = Detections(tmp_path / "cache", find)
    assert again.faces_of(b"a", picture) == [LEVEL]
    assert isinstance(again.faces_of(b"a", picture)[0], Face)
    assert asked == [(4, 5, 3)]
    again.faces_of(b"b", picture)
    assert len(asked) == 2


def test_cut_and_foreign_lines_are_searched_anew(tmp_path: Path) -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    kept = Detections(tmp_path, lambda _: [LEVEL])
    kept.faces_of(b"a", picture)
    line = kept.path.read_text()
    old = json.loads(line) | {"detector": "another/0", "sha256": "x"}
    kept.path.write_text(json.dumps(old) + "\n[1]\nnull\n" + line[: len(line) // 2])
    again = Detections(tmp_path, lambda _: [])
    assert again.faces_of(b"a", picture) == []
    lines = kept.path.read_text().splitlines()
    assert json.loads(lines[-1])["faces"] == [] and json.loads(lines[-1])["detector"] == DETECTOR


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    kept = Detections(tmp_path, lambda _: [LEVEL] * 3)
    picture = np.zeros((4, 4, 3), np.uint8)

    def work(start: int) -> None:
        for number in range(start, start + 25):
            kept.faces_of(str(number).encode(), picture)

    workers = [threading.Thread(target=work, args=(start,)) for start in (0, 25, 50)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    lines = kept.path.read_text().splitlines()
    assert len(lines) == 75 and all(len(json.loads(line)["faces"]) == 3 for line in lines)


def test_without_the_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    with pytest.raises(UserError, match=r"pip install \"kerasgan\[faces\]\""):
        data.load(str(tmp_path), size=32, crop="face", cache=tmp_path / "cache")


def test_every_face_gives_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name, value in (("a.png", 10), ("b.png", 20), ("c.png", 30)):
        Image.new("RGB", (300, 260), (value, 0, 0)).save(folder / name)
    found = {10: [LEVEL, turned(LEVEL, 30, 1.2, (200, 150))], 20: [], 30: [LEVEL]}
    monkeypatch.setattr(faces, "available", lambda: True)
    asked = []

    def find(rgb: np.ndarray) -> list[Face]:
        value = int(rgb[0, 0, 0])
        asked.append(value)
        return found[value]

    monkeypatch.setattr(faces, "find_faces", find)
    options = {"crop": "face", "cache": tmp_path / "cache"}
    pictures = data.load(str(folder), size=32, **options)
    assert pictures.table.names == ["a.png#1", "a.png#2", "c.png"]
    assert [int(picture[16, 16, 0]) for picture in pictures.pixels] == [10, 10, 30]
    assert (pictures.folder / "rejected.csv").read_text().splitlines()[1] == "b.png,no face found"
    other = data.load(str(folder), size=16, channels=1, limit=2, **options)
    assert other.pixels.shape == (2, 16, 16, 1) and sorted(asked) == [10, 20, 30]


def scene(degrees: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """A photograph of a drawn portrait, turned and scaled, and where its eyes are, (2, 2)."""
    portrait = Image.fromarray(draw_portrait(3, 0)[0])
    cosine, sine = math.cos(math.radians(degrees)) / scale, math.sin(math.radians(degrees)) / scale
    x, y = 330.0, 250.0  # where the portrait's middle comes
    back = [cosine, sine, 64 - cosine * x - sine * y, -sine, cosine, 64 + sine * x - cosine * y]
    size = (640, 480)
    mask = Image.new("L", portrait.size, 255).transform(size, Image.Transform.AFFINE, back)
    turned_portrait = portrait.transform(
        size, Image.Transform.AFFINE, back, Image.Resampling.BICUBIC
    )
    ground = Image.new("RGB", size, (90, 120, 100))
    eyes = np.array(eye_positions(sample_traits(3, 0))) - 64
    rotation = scale**2 * np.array([[cosine, -sine], [sine, cosine]])
    return np.asarray(Image.composite(turned_portrait, ground, mask)), eyes @ rotation.T + [x, y]


@pytest.mark.slow
@pytest.mark.parametrize(("degrees", "scale"), [(0, 1), (25, 2), (-20, 3), (48, 2)])
def test_a_drawn_face_is_found_where_it_is(degrees: float, scale: float) -> None:
    picture, eyes = scene(degrees, scale)
    found = find_faces(picture)
    assert len(found) == 1
    np.testing.assert_allclose([found[0].left_eye, found[0].right_eye], eyes, atol=6 * scale)
    assert find_faces(picture) == found


@pytest.mark.slow
def test_a_face_that_fills_the_picture_and_a_picture_without() -> None:
    portrait = Image.fromarray(draw_portrait(3, 0)[0]).resize((900, 900), Image.Resampling.BICUBIC)
    assert len(find_faces(np.asarray(portrait))) == 1
    rng = np.random.default_rng(0)
    assert find_faces(rng.integers(0, 255, (200, 300, 3)).astype(np.uint8)) == []
    assert find_faces(np.zeros((16, 40, 3), np.uint8)) == []
