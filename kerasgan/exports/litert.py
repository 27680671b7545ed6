"""LiteRT, once TensorFlow Lite: one file for phones and small machines, a picture at a time.

For any number of pictures the file would hold operations that ask for their number, which keep its
fast kernels away: a picture of `fast` at 64x64 takes 11 ms then, and 2 ms so. In int8 weights alone
are kept, and LiteRT chooses how to compute; activations in int8 too, with scales found on 128
latents, differ from Keras' by up to 154 of 255 grey levels instead of 20.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from kerasgan.exports import facts, network
from kerasgan.exports.facts import CONDITIONS, LATENTS, PICTURES
from kerasgan.saved import SavedGenerator

if TYPE_CHECKING:
    import keras

SIGNATURE = "serving_default"
COUNT = 1  # picture at a time


def write(generator: SavedGenerator, path: Path, quantize: str | None = None) -> None:
    """Writes the generator as one file.

    Args:
        generator: any whose operations LiteRT has.
        path: the file.
        quantize: "float16" or "int8" for what weights are kept in; None for float32.
    """
    # Keras exports to LiteRT itself from 3.13 on, by way of the same two steps.
    with tempfile.TemporaryDirectory() as folder:
        _export_one(network.named(generator), folder)
        content = _convert(folder, quantize)
    path.write_bytes(content)
    # What belongs to a file of LiteRT lies behind it, as a zip archive.
    with ZipFile(path, "a", ZIP_DEFLATED) as archive:
        archive.writestr(facts.FILE, json.dumps(facts.of(generator, quantize, COUNT)))


def opened(path: Path) -> Callable[[list[np.ndarray]], np.ndarray]:
    """Opens the file in LiteRT, and returns what draws with it, one picture after another."""
    from ai_edge_litert.interpreter import Interpreter

    draw = Interpreter(str(path)).get_signature_runner(SIGNATURE)

    def run(rows: list[np.ndarray]) -> np.ndarray:
        names = (LATENTS, CONDITIONS)
        singles = zip(*(np.split(row, len(row)) for row in rows), strict=True)
        drawn = [draw(**dict(zip(names, single, strict=False)))[PICTURES] for single in singles]
        return np.concatenate(drawn)

    return run


def _export_one(model: "keras.Model", folder: str) -> None:
    """Writes a SavedModel that reads one latent and draws one picture."""
    from kerasgan.backend import tf

    one = [
        tf.TensorSpec((COUNT, *each.shape[1:]), each.dtype, name=each.name) for each in model.inputs
    ]
    signature = [one if len(one) > 1 else one[0]]
    model.export(folder, format="tf_saved_model", verbose=False, input_signature=signature)


def _convert(folder: str, quantize: str | None) -> bytes:
    from kerasgan.backend import tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if quantize is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return converter.convert()
