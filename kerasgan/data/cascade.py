"""The search for faces: three networks, each looking closer at what the one before let pass.

This is MTCNN (Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks") with the networks and weights of the package mtcnn, but not with the
package's own search: that takes any error inside for "no face", and there is one for nearly every
smallest face but its default; it shrinks patches without a filter; it is three times as slow.

On top of the paper, the picture is searched at several angles, and each face that was found is
looked at again, upright, which places its points better and tells it from chance.

Places are in pixels from a picture's upper left corner; boxes are left, upper, right, lower.
"""

import math
import threading
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from kerasgan.data.square import cut_square

SHRINK = 0.709  # from each level of the pyramid to the next: half the pixels, as in the paper
FIRST_LEVEL = 3  # the first level that P-Net looks at; the larger ones are for close looks
WINDOW = 12  # pixels that P-Net sees at once
STRIDE = 2  # pixels from one window of P-Net to the next
MIN_FACE = math.ceil(WINDOW / SHRINK**FIRST_LEVEL)  # pixels: the lowest face that is seen

TILTS = (0, -35, 35)  # degrees: the networks see faces that are turned by up to about 30
SIDEWAYS = (90, -90)  # for photographs that lie on their side, if there is no face otherwise

# P-Net, R-Net and O-Net let a box pass above these confidences, as in the paper.
MIN_PROPOSED, MIN_REFINED, MIN_LOCATED = 0.6, 0.7, 0.8
CLOSER_LOOKS = 2  # at each face, upright; a third changes nothing

# O-Net places points best in a square that is this large for the face. In fractions of its side:
# the distance between the eyes, that from the eyes to the mouth, and how far the middle of the
# three lies below the square's middle.
BETWEEN_EYES, EYES_TO_MOUTH, FACE_BELOW = 0.377, 0.426, 0.04

# Of two boxes with a larger overlap, which is the common fraction of their joint area, the surer
# one stays alone. The first two are the paper's: in one level, and in all levels.
MAX_OVERLAP_IN_LEVEL, MAX_OVERLAP, MAX_OVERLAP_OF_FACES = 0.5, 0.7, 0.4


class Networks(NamedTuple):
    """The three networks, from pixels in [-1, 1] to arrays.

    Attributes:
        propose: P-Net, from (1, H, W, 3) to each window's correction, (1, h, w, 4), in windows,
            and its scores, (1, h, w, 2), the second for a face.
        refine: R-Net, from (N, 24, 24, 3) to corrections, (N, 4), and scores, (N, 2).
        locate: O-Net, from (N, 48, 48, 3) to corrections, (N, 4), five points, (N, 10), first
            their x, then their y, in fractions of the side, and scores, (N, 2).
    """

    propose: Callable[[np.ndarray], list[np.ndarray]]
    refine: Callable[[np.ndarray], list[np.ndarray]]
    locate: Callable[[np.ndarray], list[np.ndarray]]


def search(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds faces that are at least `MIN_FACE` pixels high; may be called in any thread.

    Args:
        rgb: uint8, (H, W, 3).

    Returns:
        Points, (N, 5, 2): both eyes, the nose, both corners of the mouth, of each pair first
        the left one in an upright face; and scores, (N,), 0 to 1, the highest first.
    """
    networks = load_networks()
    levels = pyramid(rgb)
    for turns in (TILTS, SIDEWAYS):
        found = np.concatenate([look(levels, degrees, networks) for degrees in turns])
        points, scores = look_closer(levels, found, networks)
        if len(scores):
            break
    return points, scores


def pyramid(rgb: np.ndarray) -> list[np.ndarray]:
    """Returns a picture at falling scales, down to a shorter side of `WINDOW`."""
    image, levels = Image.fromarray(rgb), [rgb]
    while min(image.size) * SHRINK ** len(levels) >= WINDOW:
        size = [round(side * SHRINK ** len(levels)) for side in image.size]
        levels.append(np.asarray(image.resize(size, Image.Resampling.BOX)))
    return levels


def look(levels: list[np.ndarray], degrees: float, networks: Networks) -> np.ndarray:
    """Returns the points of faces in a picture that is turned, (N, 5, 2), unturned again.

    Boxes are kept in the turned picture, in pixels from its middle.

    Args:
        levels: the picture's pyramid.
        degrees: by which it is turned, counterclockwise.
        networks: the cascade.
    """
    boxes = squared(propose(levels, degrees, networks))
    change, scores = networks.refine(patches(levels, *unturned(boxes, degrees, levels), 24))
    passed = scores[:, 1] > MIN_REFINED
    boxes = (boxes + change * (boxes[:, 2:3] - boxes[:, :1]))[passed]
    boxes = squared(boxes[suppress(boxes, scores[passed, 1], MAX_OVERLAP)])
    centres, edges = unturned(boxes, degrees, levels)
    _, points, scores = networks.locate(patches(levels, centres, edges, 48))
    passed = scores[:, 1] > MIN_LOCATED
    kept = suppress(boxes[passed], scores[passed, 1], MAX_OVERLAP_OF_FACES)
    return placed(points, centres, edges)[passed][kept]


def look_closer(
    levels: list[np.ndarray], points: np.ndarray, networks: Networks
) -> tuple[np.ndarray, np.ndarray]:
    """Looks at faces again, each turned upright by its points, and keeps each face once.

    Args:
        levels: the picture's pyramid.
        points: of faces, (N, 5, 2).
        networks: the cascade.

    Returns:
        The points, (M, 5, 2), and the scores, (M,), the highest first.
    """
    for _ in range(CLOSER_LOOKS):
        centres, edges = upright_squares(points)
        _, points, scores = networks.locate(patches(levels, centres, edges, 48))
        points = placed(points, centres, edges)
    centres, edges = upright_squares(points)
    half = np.hypot(*edges.T)[:, np.newaxis] / 2
    boxes = np.concatenate([centres - half, centres + half], axis=1)
    kept = suppress(boxes, scores[:, 1], MAX_OVERLAP_OF_FACES)
    return points[kept], scores[kept, 1]


def propose(levels: list[np.ndarray], degrees: float, networks: Networks) -> np.ndarray:
    """Returns boxes that may hold a face, (N, 4), in the turned picture, from its middle."""
    found, sure = [np.zeros((0, 4))], [np.zeros(0)]
    margin = WINDOW // 2  # of the edge's pixels: a face that fills the picture has to fit, too
    for level in levels[FIRST_LEVEL:]:
        turned = Image.fromarray(level).rotate(degrees, Image.Resampling.BILINEAR, expand=True)
        padding = ((margin, margin), (margin, margin), (0, 0))
        padded = np.pad(np.asarray(turned), padding, mode="edge")
        change, scores = (out[0] for out in networks.propose(to_range(padded[np.newaxis])))
        row, column = np.nonzero(scores[..., 1] > MIN_PROPOSED)
        corners = STRIDE * np.stack([column, row], axis=1) - margin - np.divide(turned.size, 2)
        boxes = np.concatenate([corners, corners + WINDOW], axis=1) + WINDOW * change[row, column]
        kept = suppress(boxes, scores[row, column, 1], MAX_OVERLAP_IN_LEVEL)
        found.append(boxes[kept] * (levels[0].shape[1] / level.shape[1]))
        sure.append(scores[row, column, 1][kept])
    boxes = np.concatenate(found)
    return boxes[suppress(boxes, np.concatenate(sure), MAX_OVERLAP)]


def patches(
    levels: list[np.ndarray], centres: np.ndarray, edges: np.ndarray, size: int
) -> np.ndarray:
    """Cuts squares, each out of the lowest level that is not too coarse for it.

    Args:
        levels: the picture's pyramid.
        centres: of the squares, (N, 2).
        edges: vectors along their upper edges, (N, 2).
        size: height and width of the patches, in pixels.

    Returns:
        float32 in [-1, 1], (N, size, size, 3).
    """
    bilinear = Image.Resampling.BILINEAR
    cut = np.empty((len(centres), size, size, 3), np.uint8)
    for number, (centre, edge) in enumerate(zip(centres, edges, strict=True)):
        steps = math.log(math.hypot(*edge) / size) / -math.log(SHRINK)
        level = levels[min(max(int(steps), 0), len(levels) - 1)]
        scale = np.divide(level.shape[1::-1], levels[0].shape[1::-1])
        square = cut_square(level, centre * scale, edge * scale, size, bilinear)
        cut[number] = np.asarray(square)
    return to_range(cut)


def unturned(
    boxes: np.ndarray, degrees: float, levels: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where squares of a turned picture are in the picture: centres and upper edges."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[cosine, sine], [-sine, cosine]])
    middle = np.divide(levels[0].shape[1::-1], 2)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 @ turn + middle
    return centres, (boxes[:, 2:3] - boxes[:, :1]) * turn[0]


def upright_squares(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the squares around faces that O-Net is used to: centres and upper edges."""
    places = points @ [1, 1j]  # as complex numbers, (N, 5)
    eyes, mouth = places[:, :2].mean(axis=1), places[:, 3:].mean(axis=1)
    across, down = places[:, 1] - places[:, 0], mouth - eyes
    lengths = np.maximum(np.abs(across) / BETWEEN_EYES, np.abs(down) / EYES_TO_MOUTH).clip(1)
    edges = lengths * np.exp(1j * np.angle(across + down / 1j))
    centres = (eyes + mouth) / 2 - FACE_BELOW * 1j * edges
    return as_pairs(centres), as_pairs(edges)


def as_pairs(numbers: np.ndarray) -> np.ndarray:
    """Returns complex numbers as x and y, (N, 2)."""
    return np.stack([numbers.real, numbers.imag], axis=1)


def placed(points: np.ndarray, centres: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Returns where O-Net's points are in the picture, (N, 5, 2)."""
    x, y = points[:, :5, np.newaxis] - 0.5, points[:, 5:, np.newaxis] - 0.5
    along, down = edges, np.stack([-edges[:, 1], edges[:, 0]], axis=1)
    return centres[:, np.newaxis] + x * along[:, np.newaxis] + y * down[:, np.newaxis]


def squared(boxes: np.ndarray) -> np.ndarray:
    """Returns boxes made square by growing their shorter sides."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True, initial=1) / 2
    return np.concatenate([middles - half, middles + half], axis=1)


def suppress(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> np.ndarray:
    """Returns the indices of boxes that overlap little with surer ones, the surest first.

    Args:
        boxes: (N, 4).
        scores: (N,).
        overlap: the common fraction of two boxes' joint area, above which the less sure one goes.
    """
    waiting, kept = np.argsort(-scores, kind="stable"), []
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        low = np.maximum(boxes[waiting, :2], boxes[best, :2])
        high = np.minimum(boxes[waiting, 2:], boxes[best, 2:])
        common = np.prod((high - low).clip(0), axis=1)
        waiting = waiting[common <= overlap * (areas[waiting] + areas[best] - common)]
    return np.array(kept, int)


def to_range(pixels: np.ndarray) -> np.ndarray:
    """Converts pixels in 0..255 to what the networks read, in [-1, 1]."""
    return (pixels.astype(np.float32) - np.float32(127.5)) / np.float32(128)


_loading = threading.Lock()


def load_networks() -> Networks:
    """Reads the networks once; the package mtcnn has to be installed."""
    with _loading:
        return _load_networks()


@lru_cache(maxsize=1)
def _load_networks() -> Networks:
    return Networks(_compiled("PNet", None), _compiled("RNet", 24), _compiled("ONet", 48))


def _compiled(name: str, side: int | None) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Compiles a network for pictures of a side, or of any, once for any number of them."""
    from kerasgan.backend import tf

    network = load_stage(name).model
    signature = tf.TensorSpec((None, side, side, 3), tf.float32)
    traced = tf.function(lambda x: network(x, training=False), input_signature=[signature])
    with tf.device("CPU:0"):  # so that every machine finds the same
        compiled = traced.get_concrete_function()  # not traced anew by another thread

    def run(pixels: np.ndarray) -> list[np.ndarray]:
        count = len(pixels)
        if not count:  # which TensorFlow cannot always compute
            pixels = np.zeros((1, *pixels.shape[1:]), np.float32)
        with tf.device("CPU:0"):
            return [output.numpy()[:count] for output in compiled(tf.constant(pixels))]

    return run


def load_stage(name: str) -> Any:
    """Builds a stage of MTCNN, "PNet", "RNet" or "ONet", with the package's own weights.

    By its bare name a file of the working directory, a pickle, would be read in their place.
    """
    import mtcnn.stages

    from kerasgan.backend import random_state_kept

    weights = files("mtcnn") / "assets" / "weights" / f"{name.lower()}.lz4"
    with random_state_kept():
        return getattr(mtcnn.stages, f"Stage{name}")(weights=str(weights))
