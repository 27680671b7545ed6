"""Faces in photographs: found by a detector, turned upright by the eyes, cut as CelebA's crops.

The detector is MTCNN (Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask
Cascaded Convolutional Networks") as the package mtcnn has it, weights included.
"""

import hashlib
import json
import math
import os
import threading
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock
from PIL import Image

from kerasgan.cli import UserError

Point = tuple[float, float]

DETECTOR = "mtcnn-1.0.0/1"  # with the way it is asked; raised when either changes
CONFIDENCE = 0.9  # from here on a face counts as found
LONGER_SIDE = 800  # pixels that a photograph is reduced to; the detector sees faces from 20 on
CLOSE_UP = 128  # the same for a second look, at a face that fills the picture
MARGIN = 32  # pixels of the edge put around it, since faces at the very edge are missed
TURNS = (-40, 40)  # degrees by which a photograph is turned to look again; it sees up to about 30
TURNED_SIDE = 600  # pixels that it is reduced to for that
SAME = 1.0  # distance of two finds, in distances between the eyes, below which they are one face
MIN_EYES = 4.0  # pixels between the eyes below which a face is not worth cutting

# CelebA's aligned pictures have the eyes at (69.4, 111.3) and (107.7, 111.3), the mouth's middle
# at (88.4, 152.0), on average; the tutorial cuts (0, 15, 178, 193) out of them.
SIDE = 178 / 38.3  # of the square, in distances between the eyes
ABOVE = (111.3 - 15 - 89) / 38.3  # from the eyes' middle up to the square's
MOUTH = 0.8  # least distance between the eyes, in distances from eyes to mouth: for turned heads

OVERSAMPLED = 2  # pixels of the turned square for each of the result


class Face(NamedTuple):
    """A face in a photograph, in pixels from its upper left corner.

    Attributes:
        left_eye: (x, y) of the eye that is on the left when the face is upright.
        right_eye: (x, y) of the other.
        mouth: (x, y) of the middle of the mouth.
        confidence: of the detector, `CONFIDENCE` to 1.
    """

    left_eye: Point
    right_eye: Point
    mouth: Point
    confidence: float

    @property
    def eyes(self) -> float:
        """The distance between the eyes in pixels, of a turned head as if it looked here."""
        middle = _middle(self.left_eye, self.right_eye)
        return max(math.dist(self.left_eye, self.right_eye), MOUTH * math.dist(middle, self.mouth))

    @property
    def side(self) -> float:
        """The side of the square that is cut, in pixels of the photograph."""
        return SIDE * self.eyes


def available() -> bool:
    """Whether the detector is installed."""
    return find_spec("mtcnn") is not None


def require() -> None:
    """Raises `UserError` unless the detector is installed."""
    if not available():
        raise UserError(
            "`--crop face` needs the face detector mtcnn. Received: an installation without it. "
            "Type: pip install 'kerasgan[faces]'"
        )


def find_faces(rgb: np.ndarray) -> list[Face]:
    """Finds the faces in a photograph; may be called in any thread.

    It is looked at upright and, for tilted heads, turned; where nothing was found, from farther
    away, for a face that fills it. Of several finds of one face the surest counts.

    Args:
        rgb: uint8, (H, W, 3), upright.

    Returns:
        The faces, from left to right.
    """
    image = Image.fromarray(rgb)
    found = _look(image, LONGER_SIDE)
    for degrees in TURNS:
        found += _look(image, TURNED_SIDE, degrees)
    return sorted(_each_once(found or _look(image, CLOSE_UP)), key=lambda face: face.left_eye)


def cut_face(rgb: np.ndarray, face: Face, size: int) -> np.ndarray:
    """Cuts a face as CelebA and the tutorial would: eyes level, at the same place in each square.

    What lies outside of the photograph is filled by its reflection.

    Args:
        rgb: uint8, (H, W, 3), the photograph.
        face: one that was found in it.
        size: height and width of the result, in pixels.

    Returns:
        uint8, (size, size, 3).
    """
    along = np.subtract(face.right_eye, face.left_eye)
    along = along / np.hypot(*along)  # the unit vector of the result's x axis
    down = np.array([-along[1], along[0]])
    centre = np.array(_middle(face.left_eye, face.right_eye)) - ABOVE * face.eyes * down
    corners = [centre + (a * along + b * down) * face.side / 2 for a in (-1, 1) for b in (-1, 1)]
    low = np.floor(np.min(corners, axis=0)).astype(int) - 2
    high = np.ceil(np.max(corners, axis=0)).astype(int) + 3
    region = Image.fromarray(_reflected(rgb, low, high))

    wide = OVERSAMPLED * size
    shrink = min(1.0, wide / face.side)
    reduced = region.resize(
        [max(1, round(length * shrink)) for length in region.size], Image.Resampling.LANCZOS
    )
    scale = np.divide(reduced.size, region.size)  # of x and y; about `shrink`
    step = face.side / wide
    origin = (centre - low) - (along + down) * face.side / 2 + (along + down) * step / 2
    columns = np.stack([along * step, down * step, origin], axis=1) * scale[:, np.newaxis]
    # Pillow maps the middle of the pixel (0, 0) by (0.5, 0.5).
    columns[:, 2] -= (columns[:, 0] + columns[:, 1]) / 2
    turned = reduced.transform(
        (wide, wide), Image.Transform.AFFINE, columns.ravel().tolist(), Image.Resampling.BICUBIC
    )
    return np.asarray(turned.resize((size, size), Image.Resampling.LANCZOS))


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
    known = {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    for line in lines:
        try:
            entry = json.loads(line)
            if entry["detector"] == DETECTOR:
                known[entry["sha256"]] = [_to_face(values) for values in entry["faces"]]
        except (ValueError, KeyError, TypeError):
            continue  # cut or damaged: searched again
    return known


def _to_face(values: list[Any]) -> Face:
    (a, b), (c, d), (e, f), confidence = values
    return Face((float(a), float(b)), (float(c), float(d)), (float(e), float(f)), float(confidence))


def _last_byte(path: Path) -> bytes:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)


def _each_once(found: list[Face]) -> list[Face]:
    """Keeps the surest of the finds that are the same face; of equal ones, the first."""
    kept: list[Face] = []
    for face in sorted(found, key=lambda face: -face.confidence):
        middle = _middle(face.left_eye, face.right_eye)
        if all(
            math.dist(middle, _middle(other.left_eye, other.right_eye)) > SAME * other.eyes
            for other in kept
        ):
            kept.append(face)
    return kept


def _look(image: Image.Image, longer: int, degrees: float = 0) -> list[Face]:
    """Finds the faces in a photograph that is reduced and turned before."""
    scale = min(1.0, longer / max(image.size))
    small = image.resize(
        [max(1, round(length * scale)) for length in image.size], Image.Resampling.BICUBIC,
        reducing_gap=3.0,
    )  # fmt: skip
    turned = small.rotate(degrees, Image.Resampling.BILINEAR, expand=True)
    padded = np.pad(np.asarray(turned), ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="edge")
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def back(point: Point) -> Point:
        """Returns where a point of the padded picture is in the photograph."""
        x = point[0] - MARGIN - turned.width / 2
        y = point[1] - MARGIN - turned.height / 2
        x, y = cosine * x - sine * y, sine * x + cosine * y
        return (x + small.width / 2) * image.width / small.width, (
            y + small.height / 2
        ) * image.height / small.height

    faces = []
    for box in _detector()(padded):
        if box["confidence"] >= CONFIDENCE:
            eyes = sorted(back(box["keypoints"][name]) for name in ("left_eye", "right_eye"))
            corners = [back(box["keypoints"][name]) for name in ("mouth_left", "mouth_right")]
            face = Face(eyes[0], eyes[1], _middle(*corners), float(box["confidence"]))
            if face.eyes >= MIN_EYES:
                faces.append(face)
    return faces


_building = threading.Lock()


def _detector() -> Callable[[np.ndarray], list[dict[str, Any]]]:
    with _building:
        return _build_detector()


@lru_cache(maxsize=1)
def _build_detector() -> Callable[[np.ndarray], list[dict[str, Any]]]:
    require()
    from kerasgan import backend  # imports TensorFlow quietly

    device = "GPU:0" if backend.gpus() else "CPU:0"
    from mtcnn import MTCNN
    from mtcnn.stages import StageONet, StagePNet, StageRNet

    # By a bare name, a file of the working directory would be unpickled in their place.
    folder = files("mtcnn") / "assets" / "weights"
    weights = {StagePNet: "pnet.lz4", StageRNet: "rnet.lz4", StageONet: "onet.lz4"}
    stages = [stage(weights=str(folder / name)) for stage, name in weights.items()]
    return MTCNN(stages=stages, device=device).detect_faces


def _reflected(rgb: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Returns a part of a picture that may reach beyond it, where it is mirrored at the edge."""
    columns = _mirror(np.arange(low[0], high[0]), rgb.shape[1])
    rows = _mirror(np.arange(low[1], high[1]), rgb.shape[0])
    return rgb[np.ix_(rows, columns)]


def _mirror(index: np.ndarray, length: int) -> np.ndarray:
    period = max(1, 2 * (length - 1))
    index = index % period
    return np.minimum(index, period - index) if length > 1 else np.zeros_like(index)


def _middle(a: Point, b: Point) -> Point:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
