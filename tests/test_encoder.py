"""The encoder: made on a generator's own pictures, kept beside it, known by its weights."""

import numpy as np
import pytest
from tiny_generators import DIM, SIDE, build, make, write_with_encoder

from kerasgan import codes, encoder, saved
from kerasgan.backend import keras
from kerasgan.saved import SavedGenerator


@pytest.fixture
def generator(tmp_path):
    """A generator of a file, with no encoder beside it."""
    saved.write(tmp_path / "generator.keras", build())
    return saved.load(tmp_path / "generator.keras")


@pytest.mark.slow
def test_it_learns_latents():
    generator = make()
    trained = encoder.train(generator, steps=300)
    drawn = codes.draw(generator, 64, seed=10**6)
    guessed = np.asarray(trained(generator.pictures(drawn)))
    cosines = np.sum(guessed * drawn, axis=1) / np.linalg.norm(guessed, axis=1) / DIM**0.5
    assert cosines.mean() > 0.8  # by chance 0


def test_it_is_kept_beside_its_generator(generator, tmp_path, capsys):
    made = encoder.of(generator, steps=2, cache=tmp_path / "cache")
    place = tmp_path / "encoder.keras"
    assert place.is_file()
    out = capsys.readouterr().out
    assert "training one, once" in out
    assert str(place) in out
    again = encoder.of(generator, cache=tmp_path / "cache")
    assert capsys.readouterr().out == ""
    pictures = generator.pictures(codes.draw(generator, 2, seed=1))
    np.testing.assert_allclose(again(pictures), made(pictures), atol=0.02)  # in half precision


def test_that_of_other_weights_is_replaced(generator, tmp_path):
    other = SavedGenerator(build())
    other.model.set_weights([weight + 1 for weight in other.model.get_weights()])
    place = tmp_path / "encoder.keras"
    encoder.write(place, encoder.Encoder(encoder.build((SIDE, SIDE, 3), DIM)), other)
    assert encoder.read(place, generator) is None
    encoder.of(generator, steps=2)
    assert encoder.read(place, generator) is not None


@pytest.mark.parametrize("damage", ["cut", "another network", "no network"])
def test_what_is_damaged_is_said_and_made_anew(generator, tmp_path, capsys, damage):
    place = tmp_path / "encoder.keras"
    if damage == "another network":
        encoder.write(place, encoder.Encoder(encoder.build((SIDE, SIDE, 1), DIM)), generator)
    elif damage == "cut":
        encoder.write(place, encoder.Encoder(encoder.build((SIDE, SIDE, 3), DIM)), generator)
        place.write_bytes(place.read_bytes()[:500])
    else:
        place.write_text("nothing")
    assert encoder.read(place, generator) is None
    error = capsys.readouterr().err
    assert error.startswith("warning: ")
    assert error.endswith("It is made anew.\n")
    assert error.count("\n") == 1


def test_where_nothing_can_be_written_it_goes_to_the_cache(generator, tmp_path, monkeypatch):
    def beside(self, name):
        return tmp_path / "generator.keras" / name  # a file is no folder

    monkeypatch.setattr(SavedGenerator, "beside", beside)
    encoder.of(generator, steps=2, cache=tmp_path / "cache")
    place = tmp_path / "cache" / "encoders" / f"{generator.fingerprint}.keras"
    assert encoder.read(place, generator) is not None


def test_grey_pictures_of_any_side():
    latents = keras.Input((3,))
    x = keras.layers.Reshape((28, 28, 1))(keras.layers.Dense(784)(latents))
    trained = encoder.train(SavedGenerator(keras.Model(latents, x)), steps=1)
    assert trained(np.zeros((2, 28, 28, 1), np.float32)).shape == (2, 3)


def test_a_small_file(tmp_path):
    """That of a 64x64 generator with 64 latents goes into the package."""
    model = encoder.build((64, 64, 3), 64)
    encoder.write(tmp_path / "x.keras", encoder.Encoder(model), make())
    assert (tmp_path / "x.keras").stat().st_size < 1_000_000


def test_the_helper_writes_a_fitting_one(tmp_path):
    generator = saved.load(write_with_encoder(tmp_path))
    assert encoder.read(tmp_path / "encoder.keras", generator) is not None
