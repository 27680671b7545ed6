"""How many pictures have a face in them, as a face detector sees it: MTCNN."""

from importlib.metadata import version
from typing import Any

import numpy as np

from kerasgan.errors import required
from kerasgan.metrics.face import load_stage
from kerasgan.metrics.features import batches, resize

MIN_CONFIDENCE = 0.9  # of O-Net; from it on a face counts as found
SIDE = 128  # of pictures as the detector sees them, pixels, before the margin
MARGIN = 32  # pixels of a picture's edge, continued: the detector wants room round a face
BATCH = 64  # pictures


class Detector:
    """Says of each picture whether there is a face in it (Zhang et al. 2016).

    Raises:
        UserError: the package is not installed.
    """

    def __init__(self) -> None:
        stages = [load_stage(name) for name in ("PNet", "RNet", "ONet")]
        self._detector = required("mtcnn", "metrics").MTCNN(stages=stages)
        self.protocol: dict[str, Any] = {
            "detector": f"mtcnn {version('mtcnn')}, face_and_landmarks_detection",
            "confidence": MIN_CONFIDENCE,
            "resize": f"{SIDE}x{SIDE}, bicubic, antialiased, padded by {MARGIN} with its edge",
        }

    def __call__(
        self, pictures: np.ndarray, order: np.ndarray | None = None, quiet: bool = False
    ) -> np.ndarray:
        """Looks for faces.

        Args:
            pictures: uint8, (N, H, W, 1 or 3); may be memory-mapped.
            order: indices of those to take; all, one after another, unless given.
            quiet: whether to show no progress bar.

        Returns:
            bool, (len(order) or N,).
        """
        padding = ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))
        found: list[bool] = []
        for batch, count in batches(pictures, order, BATCH, "Looking for faces", quiet):
            padded = np.pad(np.asarray(resize(batch, SIDE)), padding, mode="edge")
            faces = self._detector.detect_faces(list(padded))[:count]
            found += [any(map(_is_sure, in_picture)) for in_picture in faces]
        return np.array(found)


def _is_sure(face: dict[str, Any]) -> bool:
    return face["confidence"] >= MIN_CONFIDENCE
