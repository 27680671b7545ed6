"""Faces in photographs: found, turned upright, cut as CelebA's pictures are, and remembered."""

import hashlib
import json
import math
import os
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock
from PIL import Image

from kerasgan.data import cascade
from kerasgan.data.square import cut_square
from kerasgan.errors import required

Point = tuple[float, float]

DETECTOR = "mtcnn-1.0.0/2"  # with the way it is asked; raised when either changes
MIN_CONFIDENCE = 0.9  # from here on a face counts as found
LONGER_SIDE = 1024  # pixels that a photograph is reduced to, to find faces of a 30th of it and up

# CelebA's authors turn, scale and shift a photograph so that the eyes and the mouth's middle come
# as near as they can to these places, x + iy, and keep 178x218 pixels, in which the first pixel's
# middle is (0.5, 0.5); the tutorial keeps a square of 178 of them, 15 from the top.
CELEBA = np.array([70.245 + 111.5j, 107.737 + 111.5j, 88.932 + 153.014j])
SQUARE, TOP = 178, 15


class Face(NamedTuple):
    """A face in a photograph, in pixels from its upper left corner.

    Attributes:
        left_eye: (x, y) of the eye that is on the left when the face is upright.
        right_eye: (x, y) of the other.
        mouth: (x, y) of the middle of the mouth.
        confidence: of the detector, `MIN_CONFIDENCE` to 1.
    """

    left_eye: Point
    right_eye: Point
    mouth: Point
    confidence: float

    @property
    def side(self) -> float:
        """The side of the square that is cut, in pixels of the photograph."""
        return math.hypot(*self.square()[1])

    def square(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the square that is cut: its middle, (2,), and its upper edge, a vector (2,)."""
        here = np.array([complex(*point) for point in self[:3]])
        centred = here - here.mean()
        # The least squares of the similarity from the photograph to CelebA's places.
        turn = np.vdot(centred, CELEBA - CELEBA.mean()) / np.vdot(centred, centred)
        middle = complex(SQUARE / 2, TOP + SQUARE / 2)
        centre = here.mean() + (middle - CELEBA.mean()) / turn
        edge = SQUARE / turn
        return np.array([centre.real, centre.imag]), np.array([edge.real, edge.imag])


def available() -> bool:
    """Whether the detector is installed."""
    return find_spec("mtcnn") is not None


def require() -> None:
    """Raises `UserError` unless the detector is installed."""
    if not available():  # importing it takes seconds, so that is done where faces are searched
        required("mtcnn", "faces", "`--crop face`")


def find_faces(rgb: np.ndarray) -> list[Face]:
    """Finds the faces in a photograph, tilted ones, too; may be called in any thread.

    Args:
        rgb: uint8, (H, W, 3), upright.

    Returns:
        The faces, from left to right.

    Raises:
        UserError: the detector is not installed.
    """
    require()
    image = Image.fromarray(rgb)
    shrink = min(1.0, LONGER_SIDE / max(image.size))
    small = [max(1, round(length * shrink)) for length in image.size]
    bicubic = Image.Resampling.BICUBIC
    points, scores = cascade.search(np.asarray(image.resize(small, bicubic, reducing_gap=3.0)))
    points = points * np.divide(image.size, small)
    left, right, mouth = points[:, 0], points[:, 1], points[:, 3:].mean(axis=1)
    found = zip(left.tolist(), right.tolist(), mouth.tolist(), scores.tolist(), strict=True)
    return sorted(
        Face(tuple(a), tuple(b), tuple(c), score)
        for a, b, c, score in found
        if score >= MIN_CONFIDENCE
    )


def cut_face(rgb: np.ndarray, face: Face, size: int) -> np.ndarray:
    """Cuts what CelebA and the tutorial's crop would show of a face, upright.

    What lies outside of the photograph is filled by its reflection.

    Args:
        rgb: uint8, (H, W, 3), the photograph.
        face: one that was found in it.
        size: height and width of the result, in pixels; it is enlarged where `face.side` is less.

    Returns:
        uint8, (size, size, 3).
    """
    # Large faces are reduced to two to four times the size first, by averages, for speed; then
    # turned without a loss of pixels, and only then resized by an antialiased filter.
    factor = max(1, int(face.side / (2 * size)))
    reduced = np.asarray(Image.fromarray(rgb).reduce(factor))
    centre, edge = (vector / factor for vector in face.square())
    wide = size * max(1, math.ceil(face.side / factor / size))
    square = cut_square(reduced, centre, edge, wide, Image.Resampling.BICUBIC)
    return np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))


class Detections:
    """What was found in photographs, kept on the disk, so that each is searched once.

    A file of JSON lines in the folder of caches, by the sha256 of a photograph. It may be
    written by several threads and processes at once; a line that was cut is searched anew.

    Args:
        folder: of caches.
        find: finds the faces in uint8 (H, W, 3); `find_faces` unless given.
    """

    def __init__(
        self, folder: Path, find: Callable[[np.ndarray], list[Face]] | None = None
    ) -> None:
        self.path = folder / "faces.jsonl"
        self._find = find or find_faces
        self._known = _read_detections(self.path)
        self._writing = threading.Lock()

    def faces_of(self, data: bytes, rgb: np.ndarray) -> list[Face]:
        """Returns the faces in a photograph, from left to right.

        Args:
            data: what tells it from others: the file's bytes.
            rgb: uint8, (H, W, 3), upright; the faces' places are in its pixels.
        """
        key = hashlib.sha256(data).hexdigest()
        if key not in self._known:
            self._known[key] = self._find(rgb)
            line = {"detector": DETECTOR, "sha256": key, "faces": self._known[key]}
            self._append(json.dumps(line) + "\n")
        return self._known[key]

    def _append(self, line: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._writing, FileLock(f"{self.path}.lock"), open(self.path, "ab") as file:
            # A line that a killed process has cut must not swallow this one.
            cut = file.tell() and _last_byte(self.path) != b"\n"
            file.write(b"\n" * bool(cut) + line.encode())


def _read_detections(path: Path) -> dict[str, list[Face]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    found = (_read_detection(line) for line in lines)
    return dict(entry for entry in found if entry is not None)


def _read_detection(line: str) -> tuple[str, list[Face]] | None:
    """Reads a photograph's digest and its faces; None where a line is cut or damaged."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match entry:
        case {"detector": detector, "sha256": str(key), "faces": [*faces]}:
            read = [_to_face(face) for face in faces]
            if detector == DETECTOR and None not in read:
                return key, [face for face in read if face is not None]
    return None


def _to_face(values: Any) -> Face | None:
    match values:
        case [[a, b], [c, d], [e, f], confidence] if all(
            isinstance(value, int | float) for value in (a, b, c, d, e, f, confidence)
        ):
            left, right, mouth = (float(a), float(b)), (float(c), float(d)), (float(e), float(f))
            return Face(left, right, mouth, float(confidence))
    return None


def _last_byte(path: Path) -> bytes:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)
