"""Where directions come from: attributes of pictures, two folders, or measurements.

Thousands of a generator's samples are scored, and the direction is the normal of the linear
boundary in latent space between those that have an attribute and those that have not (Shen et al.
2020, "Interpreting the Latent Space of GANs for Semantic Face Editing").
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasgan import contrast, data, drawing, network_file
from kerasgan import latents as latent_space
from kerasgan.conditions import Conditions
from kerasgan.data import Pictures
from kerasgan.directions import ATTRIBUTE, FOLDERS, MEASURED, Direction
from kerasgan.errors import UserError
from kerasgan.saved import SavedGenerator
from kerasgan.text import plural, printable

if TYPE_CHECKING:
    import keras

    from kerasgan.metrics.landmarks import Faces

SAMPLES = 4000  # that are scored for a direction
MAX_BYTES = 2**29  # of the samples' pixels; of large pictures fewer are scored
MEASURED_SAMPLES = 2000  # whose faces are looked at, which takes longer than scoring
SEED = 1_000_003  # of the samples: others than those that are shown
HELD_OUT = 10  # one picture of so many, or one sample, is for the figures alone
RIDGE = 10.0  # samples' worth: how firmly a direction that they hardly tell stays short

SCORER = "scorer.keras"  # beside a generator: what scored its samples
KIND = "scorer"  # in messages
STEPS = 1500  # of the scorer's training
MAX_PICTURES = 10_000  # that it is trained on
MIN_OF_A_KIND = 20  # pictures with an attribute, and without it, that a scorer can learn from
MIN_PICTURES = 100  # of the training set

POOR_ACCURACY = 0.7  # from here on up a scorer is worth following
POOR_FIT = 0.2  # correlation of the samples' scores with their places along a direction


@dataclass(frozen=True, eq=False)
class Scorer:
    """A classifier of attributes, and how far it can be trusted.

    Attributes:
        model: pictures, float32 (B, H, W, C) in [-1, 1], to logits (B, A).
        names: of the attributes.
        accuracy: of each, on pictures that it had not seen: the mean over those that have the
            attribute and those that have not; 0.5 by chance.
        fingerprint: of the pictures that it was trained on.
    """

    model: "keras.Model"
    names: list[str]
    accuracy: list[float]
    fingerprint: str


def fit(latents: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, float]:
    """Finds the direction along which scores of samples rise.

    Args:
        latents: float32, (N, D), of samples.
        scores: of the samples, (N,); NaN for those that could not be scored.

    Returns:
        The direction, float32 (D,), of length 1; and the correlation of scores with places along
        it, for samples that it was not fitted to.

    Raises:
        UserError: too few samples could be scored, or all are alike.
    """
    scored = np.isfinite(scores)
    if scored.sum() < 2 * HELD_OUT:
        raise UserError(
            "Of a generator's samples enough should show a face. Received: "
            f"{scored.sum()} of {len(scores)}. Train it longer, or name an attribute that is not "
            "a face's."
        )
    latents, scores = latents[scored].astype(np.float64), scores[scored].astype(np.float64)
    if scores.std() < 1e-6 * max(1.0, np.abs(scores).max()):
        raise UserError(
            "A generator's samples should differ in what is edited. Received: samples that are all "
            "alike in it. Name another attribute."
        )
    latents *= np.sqrt(latents.shape[1]) / np.linalg.norm(latents, axis=1, keepdims=True)
    out = np.arange(len(scores)) % HELD_OUT == 0
    places = latents[out] @ _slopes(latents[~out], scores[~out])
    with np.errstate(invalid="ignore"):  # of scores that are alike in the part left out
        correlation = float(np.nan_to_num(np.corrcoef(places, scores[out])[0, 1]))
    return _slopes(latents, scores).astype(np.float32), correlation


def _slopes(latents: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns the direction of the least squares' slopes, (D,), of length 1."""
    centred = latents - latents.mean(axis=0)
    products = centred.T @ centred + RIDGE * np.eye(latents.shape[1])
    slopes = np.linalg.solve(products, centred.T @ (scores - scores.mean()))
    return slopes / max(float(np.linalg.norm(slopes)), 1e-30)


def draw_samples(generator: SavedGenerator, count: int = SAMPLES) -> tuple[np.ndarray, np.ndarray]:
    """Draws the samples that are scored, with a progress bar.

    Args:
        generator: that draws.
        count: how many at most.

    Returns:
        Latents, float32 (N, D), and pictures, uint8 (N, H, W, C).
    """
    probe = latent_space.draw(1, generator.latent_dim, SEED)
    known = generator.conditions
    conditions = known.draw(count, SEED).vectors() if known else None
    one = generator.draw(probe, None if conditions is None else conditions[:1])
    count = max(1, min(count, MAX_BYTES // one.nbytes))
    conditions = None if conditions is None else conditions[:count]
    pictures = drawing.draw_many(generator, count, seed=SEED, conditions=conditions)
    return latent_space.draw(count, generator.latent_dim, SEED), pictures


def attribute_names(request: data.Request) -> list[str]:
    """Returns the attributes and the classes that a set of pictures knows.

    Nothing is prepared; a set that is known by name is downloaded unless it is there.

    Raises:
        UserError: there are no pictures.
    """
    source = data.open_source(request.source, request.cache, request.limit, request.seed)
    try:
        return [*source.attribute_names, *source.label_names]
    finally:
        source.close()


def known_of(pictures: Pictures) -> Conditions:
    """Returns what is known of pictures as attributes; of classes, each is one."""
    table = pictures.table
    classes = np.arange(len(table.label_names))
    labels = np.where(table.labels[:, None] == classes, 1, -1)
    labels[table.labels < 0] = 0
    values = np.concatenate([table.attributes, labels.astype(np.int8)], axis=1)
    return Conditions([*table.attribute_names, *table.label_names], values)


def train_scorer(pictures: Pictures, steps: int = STEPS) -> Scorer:
    """Trains a classifier of all attributes that can be learned from pictures.

    Args:
        pictures: whose attributes or classes are known.
        steps: of the training, 64 pictures each.

    Raises:
        UserError: there are too few pictures, or nothing can be learned from them.
    """
    from kerasgan import scorer

    known, count = known_of(pictures), len(pictures.pixels)
    enough = [min((column > 0).sum(), (column < 0).sum()) for column in known.values.T]
    learned = [place for place, fewer in enumerate(enough) if fewer >= MIN_OF_A_KIND]
    if count < MIN_PICTURES or not learned:
        raise UserError(
            f"Attributes are learned from at least {MIN_PICTURES} pictures, {MIN_OF_A_KIND} with "
            f"the attribute and {MIN_OF_A_KIND} without. Received: {count} of "
            f"{printable(pictures.source)}. Type --with DIR --without DIR."
        )
    known = Conditions([known.names[place] for place in learned], known.values[:, learned])
    order = np.random.default_rng(0).permutation(count)[:MAX_PICTURES]
    out, seen = np.sort(order[::HELD_OUT]), np.sort(np.delete(order, np.s_[::HELD_OUT]))
    model = scorer.train_scorer(pictures.take(seen), known.take(seen), steps)
    logits = scorer.score(model, pictures.take(out))
    accuracy = [
        _balanced(column > 0, truth)
        for column, truth in zip(logits.T, known.take(out).values.T, strict=True)
    ]
    return Scorer(model, known.names, accuracy, pictures.fingerprint)


def _balanced(said: np.ndarray, truth: np.ndarray) -> float:
    """Returns the mean accuracy over pictures with an attribute and those without it."""
    parts = [said[truth > 0], ~said[truth < 0]]
    return float(np.mean([part.mean() for part in parts if len(part)] or [0.5]))


def write_scorer(path: Path, scorer: Scorer) -> None:
    """Writes a scorer as one `.keras` file, whole or not at all."""
    facts = {
        "kind": KIND,
        "names": scorer.names,
        "accuracy": scorer.accuracy,
        "fingerprint": scorer.fingerprint,
    }
    network_file.write(path, scorer.model, facts, half=True)


def read_scorer(path: Path, fingerprint: str) -> Scorer | None:
    """Reads a scorer; None where there is none that was trained on these pictures.

    Args:
        path: of the file.
        fingerprint: of the pictures.

    Raises:
        UserError: the file is damaged, or holds another network.
    """
    if not path.exists():
        return None
    facts = network_file.check(path, KIND)[network_file.FACTS]
    match facts:
        case {"kind": "scorer", "names": [*names], "accuracy": [*accuracy], "fingerprint": str()}:
            kept = [str(name) for name in names], [_fraction(value) for value in accuracy]
        case _:
            raise network_file.damaged(path, KIND, "which says nothing of attributes")
    if facts["fingerprint"] != fingerprint:
        return None
    model = network_file.open_checked(path, KIND)
    if model.output_shape != (None, len(kept[0])) or len(kept[1]) != len(kept[0]):
        raise network_file.damaged(path, KIND, "whose attributes do not fit its network")
    return Scorer(model, *kept, fingerprint)


def _fraction(value: Any) -> float:
    return min(max(float(value), 0.0), 1.0) if isinstance(value, int | float) else 0.0


def from_attributes(generator: SavedGenerator, scorer: Scorer) -> list[Direction]:
    """Finds a direction for each attribute that a scorer knows.

    An attribute in which the samples are all alike gets none.
    """
    from kerasgan.scorer import score

    latents, pictures = draw_samples(generator)
    chances = np.tanh(score(scorer.model, pictures).astype(np.float64) / 2)  # -1 no, 1 yes
    found = []
    for name, scores, accuracy in zip(scorer.names, chances.T, scorer.accuracy, strict=True):
        if scores.std() > 1e-6:
            vector, correlation = fit(latents, scores)
            found.append(Direction(name, vector, ATTRIBUTE, len(latents), accuracy, correlation))
    return found


def from_folders(
    generator: SavedGenerator, name: str, pictures: Pictures, others: Pictures
) -> tuple[Direction, str]:
    """Finds the direction from some pictures to others.

    Args:
        generator: whose direction it is.
        name: of the attribute.
        pictures: that have it, of the size of the generator's.
        others: that have it not.

    Returns:
        The direction, and what of the pictures was looked at, one of `contrast.VIEWS`.

    Raises:
        UserError: there are too few pictures.
    """
    for each in (pictures, others):
        each.require_whole()
    learned = contrast.learn(pictures.pixels, others.pixels)
    latents, samples = draw_samples(generator, MEASURED_SAMPLES)
    scores = np.tanh(learned.score(samples))
    vector, correlation = fit(latents, scores)
    scored = int(np.isfinite(scores).sum())
    direction = Direction(name, vector, FOLDERS, scored, learned.accuracy, correlation)
    return direction, learned.view


def square_side(generator: SavedGenerator) -> int:
    """Returns the side of a generator's pictures, in pixels.

    Raises:
        UserError: they are no squares.
    """
    if generator.height is None or generator.height != generator.width:
        raise UserError(
            "Pictures are compared with a generator's where those are squares. Received: "
            f"{generator.width}x{generator.height}."
        )
    return generator.height


def _brightness(pictures: np.ndarray) -> np.ndarray:
    return pictures.reshape(len(pictures), -1).mean(axis=1) / 255


def _turn(faces: "Faces") -> np.ndarray:
    from kerasgan.metrics import landmarks

    return landmarks.turn(faces)


def _mouth_width(faces: "Faces") -> np.ndarray:
    from kerasgan.metrics import landmarks

    return landmarks.mouth_width(faces)


# What is measured of faces, by name; brightness needs no face.
BRIGHTNESS = "brightness"
OF_FACES: dict[str, Callable[["Faces"], np.ndarray]] = {"turn": _turn, "mouth-width": _mouth_width}
MEASUREMENTS = (*OF_FACES, BRIGHTNESS)


def from_measurements(generator: SavedGenerator, name: str) -> list[Direction]:
    """Finds directions by what is measured of samples.

    Args:
        generator: whose directions they are.
        name: one of `MEASUREMENTS`.

    Returns:
        That of the name; of faces, all others as well, since each face is looked at once.

    Raises:
        UserError: the face detector is not installed, or finds too few faces.
    """
    latents, pictures = draw_samples(generator, MEASURED_SAMPLES)
    if name == BRIGHTNESS:
        values = {name: _brightness(pictures)}
    else:
        from kerasgan.metrics import landmarks

        faces = landmarks.find_faces(pictures)
        values = {
            name: np.where(faces.found, measure(faces), np.nan)
            for name, measure in OF_FACES.items()
        }
    return [_measured(name, latents, measured) for name, measured in values.items()]


def _measured(name: str, latents: np.ndarray, values: np.ndarray) -> Direction:
    vector, correlation = fit(latents, values)
    return Direction(name, vector, MEASURED, int(np.isfinite(values).sum()), fit=correlation)


def doubts(direction: Direction) -> list[str]:
    """Returns what speaks against trusting a direction, a line each."""
    lines = []
    if direction.accuracy is not None and direction.accuracy < POOR_ACCURACY:
        lines.append(
            f"what scored {printable(direction.name)} is right in only {direction.accuracy:.0%} of "
            "pictures that it had not seen (50% by chance), so its direction may show little of it."
        )
    if direction.fit is not None and direction.fit < POOR_FIT:
        lines.append(
            f"the samples hardly differ in {printable(direction.name)} along its direction "
            f"(correlation {direction.fit:.2f} over {plural(direction.samples, 'sample')})."
        )
    return lines
