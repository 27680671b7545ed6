"""TensorFlow's SavedModel: a folder that opens without Keras and without kerasgan."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kerasgan.exports import facts, network
from kerasgan.exports.facts import PICTURES
from kerasgan.saved import SavedGenerator

EXTRA = "assets.extra"  # the folder that TensorFlow leaves to the authors of SavedModels


def write(generator: SavedGenerator, path: Path, quantize: str | None = None) -> None:
    """Writes the generator as a folder, whose endpoint `serve` draws.

    Args:
        generator: any.
        path: the folder, not there yet.
        quantize: None; weights are float32.
    """
    network.named(generator).export(path, format="tf_saved_model", verbose=False)
    extra = path / EXTRA
    extra.mkdir()
    text = json.dumps(facts.of(generator, quantize), indent=1)
    (extra / facts.FILE).write_text(text, encoding="utf-8")


def is_one(path: Path) -> bool:
    """Whether a folder is what `write` wrote."""
    return (path / EXTRA / facts.FILE).is_file() and (path / "saved_model.pb").is_file()


def opened(path: Path) -> Callable[[list[np.ndarray]], np.ndarray]:
    """Opens the folder in TensorFlow, and returns what draws with it."""
    from kerasgan.backend import tf

    loaded = tf.saved_model.load(str(path))

    def run(rows: list[np.ndarray]) -> np.ndarray:
        with tf.device("/CPU:0"):
            return np.asarray(loaded.serve(rows if len(rows) > 1 else rows[0])[PICTURES])

    return run
