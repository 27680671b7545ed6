"""Codes: which lengths latents may have, and which conditions."""

import numpy as np
import pytest
from tiny_generators import DIM, make

from kerasgan import codes, latents
from kerasgan.backend import keras
from kerasgan.conditions import Conditions
from kerasgan.saved import Facts, SavedGenerator


def conditional():
    latent, condition = keras.Input((DIM,)), keras.Input((2,))
    x = keras.layers.Concatenate()([latent, condition])
    x = keras.layers.Reshape((4, 4, 3))(keras.layers.Dense(48)(x))
    known = Conditions(["Smiling", "Male"], np.array([[1, -1], [-1, 1]], np.int8))
    return SavedGenerator(keras.Model([latent, condition], x), Facts(conditions=known))


def test_what_normalises_its_latents_has_them_on_a_sphere():
    assert codes.normalises(make())
    assert not codes.normalises(make(normalised=False))
    drawn = codes.draw(make(), 5, seed=1)
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), DIM**0.5, rtol=1e-6)
    np.testing.assert_array_equal(
        codes.draw(make(normalised=False), 5, seed=1), latents.draw(5, DIM, seed=1)
    )


def test_conditions_are_a_part_of_a_code():
    generator = conditional()
    drawn = codes.draw(generator, 4, seed=0)
    assert drawn.shape == (4, DIM + 2)
    latent, condition = codes.parts(generator, drawn)
    assert set(np.unique(condition)) <= {-1, 1}
    np.testing.assert_array_equal(latent, drawn[:, :DIM])
    assert len(codes.parts(make(), drawn[:, :DIM])) == 1


def test_codes_are_brought_where_codes_may_be():
    generator = conditional()
    space = codes.Space(generator, np.array([np.nan, 1], np.float32))
    far = np.hstack([100 * latents.draw(2, DIM, 0), [[3, -1], [-3, 0]]]).astype(np.float32)
    near = np.asarray(space.project(far))
    np.testing.assert_array_equal(near[:, DIM:], [[1, 1], [-1, 1]])  # the second is settled
    lengths = np.linalg.norm(near[:, :DIM], axis=1)
    np.testing.assert_allclose(lengths, space.longest, rtol=1e-5)
    inside = codes.draw(generator, 1, seed=1)
    np.testing.assert_allclose(codes.Space(generator).project(inside), inside, rtol=1e-5)


@pytest.mark.parametrize("dim", [2, 16, 100])
def test_the_shell_holds_nearly_all_latents(dim):
    latent = keras.Input((dim,))
    x = keras.layers.Reshape((4, 4, 3))(keras.layers.Dense(48)(latent))
    space = codes.Space(SavedGenerator(keras.Model(latent, x), range="tanh"))
    lengths = np.linalg.norm(latents.draw(4000, dim, seed=0), axis=1)
    inside = np.mean((lengths >= space.shortest) & (lengths <= space.longest))
    assert 0.93 < inside < 0.98
