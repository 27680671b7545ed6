"""Directions by hand: moving, keeping, steering, components, and the file beside a generator."""

import io
import json
import math
from zipfile import ZipFile

import halves
import numpy as np
import pytest

from kerasgan import directions, latents, saved
from kerasgan.backend import keras
from kerasgan.conditions import Conditions
from kerasgan.directions import ATTRIBUTE, Direction
from kerasgan.errors import UserError

DIM = halves.DIM


def axis(place, name="a", **facts):
    """A direction along one number of a latent."""
    return Direction(name, np.eye(DIM, dtype=np.float32)[place], ATTRIBUTE, **facts)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return halves.write(tmp_path_factory.mktemp("halves") / "generator.keras")


@pytest.fixture
def generator(tmp_path, file):
    (tmp_path / "generator.keras").write_bytes(file.read_bytes())
    return saved.load(tmp_path)


def test_a_move_by_hand():
    """Of a usual length, here 2, one standard deviation is 1; then back to that length."""
    moved = directions.move(np.array([[2.0, 0, 0, 0]]), np.array([0, 1, 0, 0]), 1.5)
    np.testing.assert_allclose(moved, [[1.6, 1.2, 0, 0]], rtol=1e-6)  # (2, 1.5) at length 2.5


def test_a_move_keeps_lengths_and_shrinks_with_them():
    drawn = latents.draw(5, DIM, 0)
    moved = directions.move(drawn, axis(0).vector, -3)
    np.testing.assert_allclose(
        np.linalg.norm(moved, axis=1), np.linalg.norm(drawn, axis=1), rtol=1e-5
    )
    assert (moved[:, 0] < drawn[:, 0]).all()
    half = directions.move(drawn / 2, axis(0).vector, -3)
    np.testing.assert_allclose(half, moved / 2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(directions.move(drawn, axis(0).vector, 0), drawn, rtol=1e-6)
    assert not directions.move(np.zeros((1, DIM)), axis(0).vector, 3).any()


def test_what_is_kept_is_left_alone():
    """(3, 4, 0) / 5 without the first axis is the second one."""
    vector = np.array([0.6, 0.8, 0, 0, 0, 0], np.float32)
    left = Direction("a", vector, ATTRIBUTE, accuracy=0.9).keeping([axis(0), axis(0), axis(2)])
    np.testing.assert_allclose(left.vector, np.eye(DIM)[1], atol=1e-6)
    assert (left.name, left.accuracy) == ("a", 0.9)
    kept = [axis(1), Direction("b", np.full(DIM, DIM**-0.5, np.float32), ATTRIBUTE)]
    left = Direction("a", vector, ATTRIBUTE).keeping(kept)  # which are at no right angle
    for one in kept:
        assert abs(float(left.vector @ one.vector)) < 1e-6
    assert np.linalg.norm(left.vector) == pytest.approx(1, abs=1e-6)


def test_nothing_left_is_said():
    with pytest.raises(UserError, match="without which nothing is left of a"):
        axis(0).keeping([axis(0, "b")])


def test_conditions_are_steered_from_where_they_are():
    known = Conditions(["Smiling", "Hat"], np.array([[-1, 1]], np.int8))
    start = np.array([[-1, 1], [1, 1], [0, -1]], np.float32)
    for strength, expected in ((0, [-1, 1, 0]), (1.5, [0, 1, 1]), (3, [1, 1, 1]), (9, [1, 1, 1]),
                               (-3, [-1, -1, -1])):  # fmt: skip
        steered = directions.steer(start, known, 0, strength)
        np.testing.assert_allclose(steered[:, 0], expected)
        np.testing.assert_array_equal(steered[:, 1], start[:, 1])


def test_a_class_takes_the_place_of_another():
    known = Conditions(["a", "b", "c"], np.array([0, 1, 2], np.int32))
    start = np.array([[1, 0, 0]], np.float32)
    np.testing.assert_allclose(directions.steer(start, known, 1, 3), [[0, 1, 0]])
    np.testing.assert_allclose(directions.steer(start, known, 1, 1.5), [[0.5, 0.5, 0]])
    np.testing.assert_allclose(directions.steer(start, known, 1, -3), [[1, 0, 0]])
    np.testing.assert_allclose(directions.steer(start, known, 0, -1.5), [[0.5, 0, 0]])
    np.testing.assert_allclose(directions.steer(start, known, 0, 3), [[1, 0, 0]])


def test_an_edited_generator_draws_moved_latents(generator):
    drawn = latents.draw(3, DIM, 0)
    edited = directions.Edited(generator, [(axis(0), 2.0), (axis(1), -1.0)])
    moved = directions.move(directions.move(drawn, axis(0).vector, 2), axis(1).vector, -1)
    np.testing.assert_array_equal(edited.draw(drawn), generator.draw(moved))
    assert edited.latent_dim == DIM


def test_directions_come_back_as_they_were_written(generator):
    both = {"a": axis(0), "b": axis(3, "b", samples=40, accuracy=0.75, fit=-0.5)}
    path = directions.write(generator, both)
    assert path == generator.beside("directions.npz")
    found = directions.read(generator)
    assert list(found) == ["a", "b"]
    for name, one in both.items():
        np.testing.assert_array_equal(found[name].vector, one.vector)
        assert found[name].vector.dtype == np.float32
        facts = [(one.kind, one.samples, one.accuracy, one.fit) for one in (one, found[name])]
        assert facts[0] == facts[1]
    with np.load(path, allow_pickle=False) as archive:
        assert sorted(archive) == ["facts", "vectors"]
        assert json.loads(archive["facts"].tobytes())["generator"] == generator.fingerprint


def test_without_a_file_there_are_none(generator):
    assert directions.read(generator) == {}
    assert directions.read(saved.SavedGenerator(halves.build())) == {}
    assert directions.read(generator) == {}
    directions.write(generator, {})
    assert directions.read(generator) == {}


def test_directions_of_other_weights_are_refused(generator):
    directions.write(generator, {"a": axis(0)})
    other = halves.build()
    other.set_weights([2 * weight for weight in other.get_weights()])
    saved.write(generator.file, other)
    with pytest.raises(UserError, match="made for other weights"):
        directions.read(saved.load(generator.file))


def _facts(generator, **changes):
    row = {"name": "a", "kind": ATTRIBUTE, "samples": 1, "accuracy": None, "fit": None}
    facts = {"format": 1, "generator": generator.fingerprint, "directions": [row]}
    return facts | changes


def _packed(facts, vectors, **more):
    file = io.BytesIO()
    text = facts if isinstance(facts, bytes) else json.dumps(facts).encode()
    np.savez(file, facts=np.frombuffer(text, np.uint8), vectors=vectors, **more)
    return file.getvalue()


def _bomb():
    file = io.BytesIO()
    with ZipFile(file, "w", 8) as archive:
        archive.writestr("vectors.npy", bytes(2**27))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        lambda generator, one: b"",
        lambda generator, one: b"no archive",
        lambda generator, one: _packed(_facts(generator), one)[:-40],
        lambda generator, one: _packed(b"{", one),
        lambda generator, one: _packed([], one),
        lambda generator, one: _packed({"directions": []}, one),
        lambda generator, one: _packed(_facts(generator, format=2), one),
        lambda generator, one: _packed(_facts(generator, directions=[3]), one),
        lambda generator, one: _packed(_facts(generator, directions=[]), one),
        lambda generator, one: _packed(_facts(generator, directions=[{"name": "a"}]), one),
        lambda generator, one: _packed(_facts(generator), one[:, :2]),
        lambda generator, one: _packed(_facts(generator), 3 * one),
        lambda generator, one: _packed(_facts(generator), one * np.nan),
        lambda generator, one: _packed(_facts(generator), one.astype(np.float64)),
        lambda generator, one: _packed(_facts(generator), np.array([{}], object)),
        lambda generator, one: _bomb(),
    ],
)
def test_a_file_that_is_something_else_is_one_line(generator, content):
    one = np.eye(DIM, dtype=np.float32)[:1]
    generator.beside("directions.npz").write_bytes(content(generator, one))
    with pytest.raises(UserError, match="file of directions should be a whole one") as error:
        directions.read(generator)
    assert "\n" not in str(error.value) and "directions.npz" in str(error.value)


def test_components_by_hand(generator):
    """The halves change most, the red a little, and the other numbers nothing."""
    found = directions.components(generator, 3)
    assert [one.name for one in found] == ["sefa-1", "sefa-2", "sefa-3"]
    halves_moved = np.stack([one.vector for one in found[:2]])
    assert np.linalg.norm(halves_moved[:, :2], axis=1) == pytest.approx(1, abs=1e-3)
    assert abs(found[2].vector[2]) == pytest.approx(1, abs=1e-3)
    for one in found:
        assert one.vector.max() > -one.vector.min() - 1e-6
    assert len(directions.components(generator, 99)) == DIM == directions.component_count(generator)


@pytest.mark.parametrize("kind", ["Conv2D", "Conv2DTranspose"])
def test_components_of_a_convolution(kind):
    """The kernel's axis that reads latents is another in a transposed one."""
    inputs = keras.Input((DIM,))
    padding = "same" if kind == "Conv2D" else "valid"
    layer = getattr(keras.layers, kind)(3, 4, padding=padding, activation="tanh")
    model = keras.Model(inputs, layer(keras.layers.Reshape((1, 1, DIM))(inputs)))
    kernel = np.zeros((4, 4, DIM, 3), np.float32)
    kernel[:, :, 4] = 2
    kernel[:, :, 1] = 1
    layer.set_weights([kernel if kind == "Conv2D" else kernel.swapaxes(2, 3), np.zeros(3)])
    both = directions.components(saved.SavedGenerator(model), 2)
    # All its features are alike: one direction has all of it.
    expected = np.zeros(DIM)
    expected[[4, 1]] = np.array([2, 1]) / math.sqrt(5)
    np.testing.assert_allclose(both[0].vector, expected, atol=1e-6)


def test_components_of_a_steered_generator_are_of_its_latents(tmp_path):
    generator = saved.load(halves.write_conditional(tmp_path / "steered.keras"))
    vector = directions.components(generator, 1)[0].vector
    assert np.linalg.norm(vector[:2]) == pytest.approx(1, abs=1e-3)


def test_a_first_layer_that_reads_something_else_has_no_components():
    inputs = keras.Input((4,))
    layer = keras.layers.Conv2D(3, 3, padding="same", activation="tanh")
    pictures = layer(keras.layers.Reshape((2, 2, 1))(inputs))
    generator = saved.SavedGenerator(keras.Model(inputs, pictures))
    assert directions.component_count(generator) == 0
    with pytest.raises(UserError, match="whose first one does not"):
        directions.components(generator, 1)


def test_names(generator):
    assert directions.component_number("sefa-12") == 12
    for name in ("sefa-0", "sefa-", "sefa-1x", "Smiling"):
        assert directions.component_number(name) is None
    directions.write(generator, {"a": axis(0)})
    assert directions.find(generator, "a").name == "a"
    assert directions.find(generator, "sefa-2").name == "sefa-2"
    with pytest.raises(UserError, match="sefa-1 to sefa-6"):
        directions.find(generator, "sefa-7")
    with pytest.raises(UserError, match="Received: Smiling. There are: a, sefa-1"):
        directions.find(generator, "Smiling")
    for name in ("", "  ", "a,b", "a\nb", "a" * 101):
        with pytest.raises(UserError, match="name should be"):
            directions.check_name(name)


def test_where_nothing_can_be_written_the_folder_of_caches_serves(generator, tmp_path, monkeypatch):
    """As beside a generator that is installed. What is beside it is there as well."""
    directions.write(generator, {"a": axis(0)})
    beside, cache = generator.beside("directions.npz"), tmp_path / "cache"
    written = directions.atomic_path

    def refuse(path):
        if path == beside:
            raise PermissionError(13, "Permission denied")
        return written(path)

    monkeypatch.setattr(directions, "atomic_path", refuse)
    with pytest.raises(OSError):
        directions.write(generator, {"b": axis(1, "b")})
    place = directions.write(generator, {"b": axis(1, "b")}, cache)
    assert place.is_relative_to(cache) and generator.fingerprint in place.name
    assert list(directions.read(generator)) == ["a"]
    assert list(directions.read(generator, cache)) == ["a", "b"]
    assert directions.find(generator, "b", cache).name == "b"


def test_any_name_of_a_table_comes_back(generator):
    name = "a, b\n" + "c" * 200
    directions.write(generator, {name: axis(0, name)})
    assert list(directions.read(generator)) == [name]
