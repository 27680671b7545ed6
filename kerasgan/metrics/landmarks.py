"""Where eyes, nose and mouth are in pictures of one face each, and faces cut upright by them.

A generator's faces lie where those of its training pictures did. So the places are searched in a
few pictures, and O-Net looks at the others there, many times as fast as a search.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

from kerasgan.data import cascade
from kerasgan.errors import required
from kerasgan.metrics.features import batches

MIN_CONFIDENCE = 0.9  # of O-Net; from it on a face counts as found
SIDE = 128  # pixels that smaller pictures are enlarged to
BATCH = 64  # pictures
SEARCHED = 16  # pictures that are searched for where faces lie
LOOKS = 2  # at each face, the second upright
PATCH = 48  # side of what O-Net reads, pixels

# Eyes, nose and corners of the mouth in pictures cut as CelebA's are, in fractions of the side:
# where to look if no picture that is searched has a face.
USUAL = np.array([[0.39, 0.54], [0.61, 0.54], [0.5, 0.66], [0.42, 0.77], [0.58, 0.77]])


class Faces(NamedTuple):
    """What was found, a row for each picture.

    Attributes:
        found: bool, (N,).
        points: eyes, nose and corners of the mouth, of each pair first the left one, (N, 5, 2),
            in pixels; anything where nothing was found.
        patches: the upright faces, float32 in [-1, 1], (N, 48, 48, 3).
    """

    found: np.ndarray
    points: np.ndarray
    patches: np.ndarray


def find_faces(pictures: np.ndarray, quiet: bool = False) -> Faces:
    """Finds the face in each picture.

    Args:
        pictures: uint8, (N, H, W, 1 or 3), N at least 1.
        quiet: whether to show no progress bar.

    Raises:
        UserError: the detector is not installed.
    """
    required("mtcnn.stages", "metrics", "Looking for faces")
    start = usual_points(pictures[:SEARCHED])
    parts = []
    for batch, count in batches(pictures, None, BATCH, "Looking at faces", quiet):
        parts.append(_look(batch[:count], start))
    return Faces(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def usual_points(pictures: np.ndarray) -> np.ndarray:
    """Returns where a face's points usually lie in pictures, (5, 2), in fractions of the sides."""
    found = []
    for picture in pictures:
        level = enlarged(picture)
        points, scores = cascade.search(level)
        if len(points) and scores[0] >= MIN_CONFIDENCE:
            found.append(points[0] / level.shape[1::-1])
    return np.median(found, axis=0) if found else USUAL


def enlarged(picture: np.ndarray) -> np.ndarray:
    """Returns a picture as RGB, its shorter side at least `SIDE` pixels; uint8, (H, W, 3)."""
    if picture.shape[-1] == 1:
        picture = picture.repeat(3, axis=-1)
    factor = SIDE / min(picture.shape[:2])
    if factor <= 1:
        return picture
    size = [round(length * factor) for length in picture.shape[1::-1]]
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def _look(pictures: np.ndarray, start: np.ndarray) -> Faces:
    """Looks at each picture's face from where it should be; `start` is (5, 2), in fractions."""
    locate = cascade.load_networks().locate
    pyramids = [cascade.pyramid(enlarged(picture)) for picture in pictures]
    sizes = np.array([pyramid[0].shape[1::-1] for pyramid in pyramids])  # (N, 2)
    points = start * sizes[:, np.newaxis]
    for _ in range(LOOKS):
        centres, edges = cascade.upright_squares(points)
        _, places, scores = locate(_cut(pyramids, centres, edges))
        points = cascade.placed(places, centres, edges)
    patches = _cut(pyramids, *cascade.upright_squares(points))
    points *= np.divide(pictures.shape[2:0:-1], sizes)[:, np.newaxis]
    return Faces(scores[:, 1] >= MIN_CONFIDENCE, points, patches)


def _cut(pyramids: list[list[np.ndarray]], centres: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Cuts one square out of each picture, float32 in [-1, 1], (N, 48, 48, 3)."""
    squares = zip(pyramids, centres[:, np.newaxis], edges[:, np.newaxis], strict=True)
    return np.concatenate([cascade.patches(*square, PATCH) for square in squares])


def turn(faces: Faces) -> np.ndarray:
    """Returns how far each head is turned: the nose, from between the eyes towards the right.

    Args:
        faces: of N pictures.

    Returns:
        float64, (N,), in distances between the eyes; 0 for a face seen from the front.
    """
    left, right, nose = (faces.points[:, place] for place in range(3))
    across = right - left
    ahead = nose - (left + right) / 2
    return (ahead * across).sum(axis=1) / (across**2).sum(axis=1)


def mouth_width(faces: Faces) -> np.ndarray:
    """Returns the distance of the mouth's corners, in distances between the eyes, (N,)."""
    points = faces.points
    mouth = np.linalg.norm(points[:, 4] - points[:, 3], axis=1)
    return mouth / np.linalg.norm(points[:, 1] - points[:, 0], axis=1)
