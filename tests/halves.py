"""A tiny generator whose latents are plain to see, and pictures with what it can show.

The first number of a latent is how bright the upper half is, the second how bright the lower one.
"""

import csv

import numpy as np
from PIL import Image

from kerasgan import saved
from kerasgan.backend import keras
from kerasgan.conditions import Conditions

DIM, SIDE = 6, 16


def halves(channels=3):
    """What the first two numbers of a latent do, (DIM, SIDE * SIDE * channels)."""
    kernel = np.zeros((DIM, SIDE, SIDE, channels), np.float32)
    kernel[0, : SIDE // 2] = kernel[1, SIDE // 2 :] = 0.4
    kernel[2, :, : SIDE // 2, 0] = 0.05  # a little red on the left
    return kernel.reshape(DIM, -1)


def build(channels=3):
    """Latents (N, 6) to pictures (N, 16, 16, channels)."""
    inputs = keras.Input((DIM,))
    dense = keras.layers.Dense(SIDE * SIDE * channels, activation="tanh")
    outputs = keras.layers.Reshape((SIDE, SIDE, channels))(dense(inputs))
    dense.set_weights([halves(channels), np.zeros(SIDE * SIDE * channels, np.float32)])
    return keras.Model(inputs, outputs)


def build_conditional(names):
    """The same with conditions, each of which darkens a row of pixels."""
    latents, conditions = keras.Input((DIM,)), keras.Input((len(names),))
    dense = keras.layers.Dense(SIDE * SIDE * 3)
    darker = keras.layers.Dense(SIDE * SIDE * 3, use_bias=False)
    both = keras.layers.Add()([darker(conditions), dense(latents)])
    pictures = keras.layers.Reshape((SIDE, SIDE, 3))(keras.layers.Activation("tanh")(both))
    model = keras.Model([latents, conditions], pictures)
    dense.set_weights([halves(), np.zeros(SIDE * SIDE * 3, np.float32)])
    rows = np.zeros((len(names), SIDE, SIDE, 3), np.float32)
    for number in range(len(names)):
        rows[number, number] = -1
    darker.set_weights([rows.reshape(len(names), -1)])
    return model


def write(path, channels=3):
    """Writes the generator as `path`."""
    saved.write(path, build(channels))
    return path


def write_conditional(path, names=("Smiling", "Hat"), classes=False):
    """Writes one that is steered by attributes, or by classes."""
    values = np.array([0, 1], np.int32) if classes else np.array([[-1, 1], [1, -1]], np.int8)
    known = Conditions(list(names), values)
    saved.write(path, build_conditional(names), saved.Facts(conditions=known))
    return path


def pictures(count, seed=0):
    """Noise whose halves are bright or dark, uint8 (N, 16, 16, 3), and which, int8 (N, 2)."""
    rng = np.random.default_rng(seed)
    bright = rng.choice([-1, 1], (count, 2)).astype(np.int8)
    light = np.repeat(bright.astype(int), SIDE // 2, axis=1)[..., None, None]  # (N, 16, 1, 1)
    noise = rng.integers(-30, 30, (count, SIDE, SIDE, 3))
    return (128 + 60 * light + noise).astype(np.uint8), bright


def write_pictures(folder, pixels, table=None):
    """Writes PNGs, and beside them a table of attributes: names to int8 (N,)."""
    folder.mkdir(parents=True)
    names = [f"{number:03d}.png" for number in range(len(pixels))]
    for name, picture in zip(names, pixels, strict=True):
        Image.fromarray(picture).save(folder / name)
    if table:
        with open(folder / "list_attr.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image_id", *table])
            writer.writerows(
                [name, *row] for name, *row in zip(names, *table.values(), strict=True)
            )
    return folder
