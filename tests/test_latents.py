"""Latents: drawing, slerp against the unit circle, closed walks."""

import math

import numpy as np
import pytest

from kerasgan import latents


def test_a_latent_does_not_depend_on_how_many_are_drawn():
    many = latents.draw(100, 32, seed=3)
    assert many.shape == (100, 32) and many.dtype == np.float32
    for count in (1, 2, 17):
        np.testing.assert_array_equal(latents.draw(count, 32, seed=3), many[:count])
    np.testing.assert_array_equal(latents.draw(100, 32, seed=3), many)


def test_seeds_differ():
    assert not np.allclose(latents.draw(4, 8, seed=0), latents.draw(4, 8, seed=1))


def test_drawn_numbers_are_normal():
    drawn = latents.draw(2000, 32, seed=0)
    assert abs(drawn.mean()) < 0.02  # standard error 0.004
    assert abs(drawn.std() - 1) < 0.02
    assert 0.66 < np.mean(np.abs(drawn) < 1) < 0.70  # 0.683 of a normal distribution


def test_scale_multiplies():
    np.testing.assert_allclose(
        latents.draw(5, 6, seed=2, scale=0.5), latents.draw(5, 6, seed=2) / 2, rtol=1e-6
    )


def test_no_latents_are_an_empty_array():
    assert latents.draw(0, 5, seed=0).shape == (0, 5)


@pytest.mark.parametrize(
    ("fraction", "degrees"), [(0, 0), (0.25, 22.5), (1 / 3, 30), (0.5, 45), (1, 90)]
)
def test_slerp_on_the_unit_circle(fraction, degrees):
    got = latents.slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), fraction)
    angle = math.radians(degrees)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, [math.cos(angle), math.sin(angle)], atol=1e-6)


def test_slerp_keeps_a_common_length_and_changes_a_differing_one_evenly():
    a, b = latents.draw(2, 32, seed=0)
    a, b = 3 * a / np.linalg.norm(a), 3 * b / np.linalg.norm(b)
    fractions = np.linspace(0, 1, 11)
    np.testing.assert_allclose(np.linalg.norm(latents.slerp(a, b, fractions), axis=1), 3, rtol=1e-6)
    got = np.linalg.norm(latents.slerp(a, 2 * b, fractions), axis=1)
    np.testing.assert_allclose(got, 3 + 3 * fractions, rtol=1e-6)


def test_slerp_turns_at_an_even_speed():
    a, b = latents.draw(2, 8, seed=5)
    path = latents.slerp(a, b, np.linspace(0, 1, 9)).astype(float)
    path /= np.linalg.norm(path, axis=1, keepdims=True)
    angles = np.arccos(np.sum(path[1:] * path[:-1], axis=1))
    whole = np.arccos(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))
    np.testing.assert_allclose(angles, whole / 8, rtol=1e-3)


def test_slerp_of_a_latent_with_itself_or_its_multiple_is_a_straight_line():
    a = latents.draw(1, 16, seed=1)[0]
    np.testing.assert_allclose(latents.slerp(a, a, 0.3), a, rtol=1e-6)
    np.testing.assert_allclose(latents.slerp(a, 3 * a, 0.5), 2 * a, rtol=1e-6)
    near = a * (1 + np.float32(1e-7))
    assert np.isfinite(latents.slerp(a, near, 0.5)).all()


def test_slerp_between_opposite_latents_goes_round_the_origin():
    a = latents.draw(1, 16, seed=1)[0]
    path = latents.slerp(a, -a, np.linspace(0, 1, 5))
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), np.linalg.norm(a), rtol=1e-5)
    np.testing.assert_allclose(path[0], a, atol=1e-6)
    np.testing.assert_allclose(path[-1], -a, atol=1e-6)
    assert abs(np.dot(path[2], a)) < 1e-4  # a quarter turn
    np.testing.assert_array_equal(path, latents.slerp(a, -a, np.linspace(0, 1, 5)))


def test_slerp_from_the_origin_is_a_straight_line():
    a = np.array([3.0, 4.0])
    np.testing.assert_allclose(latents.slerp(0 * a, a, 0.5), a / 2, rtol=1e-6)
    np.testing.assert_allclose(latents.slerp(a, 0 * a, 0.25), 0.75 * a, rtol=1e-6)
    np.testing.assert_array_equal(latents.slerp(0 * a, 0 * a, 0.5), [0, 0])


def test_slerp_takes_any_leading_shape():
    drawn = latents.draw(12, 4, seed=0).reshape(2, 6, 4)
    got = latents.slerp(drawn[0], drawn[1], np.linspace(0, 1, 6))
    assert got.shape == (6, 4)
    for index, fraction in enumerate(np.linspace(0, 1, 6)):
        one = latents.slerp(drawn[0, index], drawn[1, index], fraction)
        np.testing.assert_allclose(got[index], one, rtol=1e-6)
    assert latents.slerp(drawn, drawn[:1], 0.5).shape == (2, 6, 4)


def test_walk_passes_its_keys_and_closes():
    keys = latents.draw(4, 32, seed=7)
    path = latents.walk(keys, 10)
    assert path.shape == (40, 32) and path.dtype == np.float32
    np.testing.assert_allclose(path[::10], keys, rtol=1e-5, atol=1e-6)
    steps = np.linalg.norm(np.roll(path, -1, axis=0) - path, axis=1)
    # Each leg's steps are alike, the one from the last frame to the first among them.
    legs = steps.reshape(4, 10)
    np.testing.assert_allclose(legs, np.repeat(legs.mean(1)[:, None], 10, axis=1), rtol=0.15)


def test_walk_by_hand():
    keys = np.array([[1.0, 0.0], [0.0, 1.0]])
    half = math.sqrt(0.5)
    expected = [[1, 0], [half, half], [0, 1], [half, half]]
    np.testing.assert_allclose(latents.walk(keys, 2), expected, atol=1e-6)


def test_walk_of_one_key_stands_still():
    key = latents.draw(1, 3, seed=0)
    np.testing.assert_allclose(latents.walk(key, 4), np.repeat(key, 4, axis=0), rtol=1e-6)


def test_gliding_passes_each_key_in_straight_lines_and_returns():
    keys = np.array([[[0.0], [10.0]], [[4.0], [20.0]], [[8.0], [0.0]]])
    glided = latents.glide(keys, np.array([0, 0.25, 1, 1.5, 2, 2.75, 3]))
    assert glided.dtype == np.float32
    expected = [[0, 10], [1, 12.5], [4, 20], [6, 10], [8, 0], [2, 7.5], [0, 10]]
    np.testing.assert_allclose(glided[..., 0], expected, atol=1e-6)
