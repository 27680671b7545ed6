"""Grids, walks and files of pictures, from a network small enough to be done by hand."""

import numpy as np
import pytest
from PIL import Image

from kerasgan import drawing, latents
from kerasgan.backend import keras
from kerasgan.errors import UserError
from kerasgan.saved import SavedGenerator

DIM = 5


@pytest.fixture(scope="module")
def generator():
    """One dense layer and tanh."""
    first = keras.initializers.GlorotUniform(seed=1)
    dense = keras.layers.Dense(48, activation="tanh", kernel_initializer=first)
    inputs = keras.Input((DIM,))
    return SavedGenerator(keras.Model(inputs, keras.layers.Reshape((4, 4, 3))(dense(inputs))))


def expected(generator, count, seed=0):
    """The pictures by hand: the dense layer's own weights in NumPy, (N, 4, 4, 3)."""
    kernel, bias = generator.model.get_weights()
    pictures = np.tanh(latents.draw(count, DIM, seed) @ kernel + bias)
    return np.rint((pictures + 1) * 127.5).reshape(-1, 4, 4, 3)


def test_a_grid_is_filled_in_reading_order(generator):
    grid = drawing.draw_grid(generator, 5, grid=(2, 4))
    pictures = grid.reshape(2, 4, 4, 4, 3).swapaxes(1, 2).reshape(8, 4, 4, 3)
    assert np.abs(pictures[:5] - expected(generator, 5)).max() <= 1  # a rounding tie at most
    assert not pictures[5:].any()


def test_more_than_one_chunk_gives_the_same_pictures(generator, monkeypatch):
    whole = drawing.draw_grid(generator, 40)
    monkeypatch.setattr(drawing, "CHUNK", 7)
    np.testing.assert_array_equal(drawing.draw_grid(generator, 40), whole)


def test_walk_passes_the_pictures_of_its_keys(generator):
    frames = list(drawing.draw_walk(generator, 2, keys=3, frames_per_leg=5, seed=1))
    assert len(frames) == 15
    keys = expected(generator, 6, seed=1)
    for leg in range(3):
        left, right = np.split(frames[5 * leg], 2, axis=1)
        assert np.abs(left - keys[leg]).max() <= 1
        assert np.abs(right - keys[3 + leg]).max() <= 1
    alone = list(drawing.draw_walk(generator, 1, keys=3, frames_per_leg=5, seed=1))
    np.testing.assert_array_equal([frame[:, :4] for frame in frames], alone)


def test_a_walk_through_known_latents_passes_their_pictures(generator):
    keys = latents.draw(3, DIM, 4)
    frames = list(drawing.draw_through(generator, keys, frames_per_leg=4))
    pictures = expected(generator, 3, seed=4)
    assert len(frames) == 12
    for leg in range(3):
        assert np.abs(frames[4 * leg] - pictures[leg]).max() <= 1
    middle = latents.slerp(keys[2], keys[0], 0.5)
    kernel, bias = generator.model.get_weights()
    between = np.rint((np.tanh(middle @ kernel + bias) + 1) * 127.5).reshape(4, 4, 3)
    assert np.abs(frames[10] - between).max() <= 1


def test_a_walk_draws_no_more_than_it_is_asked_for(generator, monkeypatch):
    drawn, draw = [], generator.draw

    def counting(latents, conditions):
        drawn.append(len(latents))
        return draw(latents, conditions)

    monkeypatch.setattr(generator, "draw", counting)
    frames = drawing.draw_walk(generator, keys=8, frames_per_leg=30)
    next(frames)
    assert sum(drawn) == drawing.CHUNK
    assert len(list(frames)) == 239 and sum(drawn) == 240


def test_a_picture_that_only_looks_like_a_png_is_another_one(generator, tmp_path):
    """Of all formats only PNG is tried: some start other programs."""
    (path,) = drawing.draw_separately(generator, tmp_path, 1)
    with Image.open(path) as same:
        same.load()
    same.save(path, format="BMP")
    with pytest.raises(UserError, match="is another one"):
        drawing.draw_separately(generator, tmp_path, 1)


def test_a_name_in_use_is_numbered_unless_it_is_the_same_file(tmp_path):
    path = tmp_path / "new" / "a.txt"
    for text, name in [("x", "a.txt"), ("y", "a-2.txt"), ("x", "a.txt"), ("z", "a-3.txt")]:
        written = drawing.write_beside(path, lambda file, text=text: file.write_text(text))
        assert (written.name, written.read_text()) == (name, text)
    assert len(list(path.parent.iterdir())) == 3
