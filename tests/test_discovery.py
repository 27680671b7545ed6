"""Directions found in samples of a generator whose latents are plain to see."""

import shutil

import halves
import numpy as np
import pytest

from kerasgan import data, directions, discovery, latents, saved, scorer
from kerasgan.conditions import Conditions
from kerasgan.data import Pictures
from kerasgan.directions import Direction
from kerasgan.errors import UserError
from kerasgan.metrics import landmarks
from kerasgan.metrics.landmarks import Faces
from kerasgan.shelf import Shelf

DIM = halves.DIM
BRIGHTER = np.array([1, 1, 0, 0, 0, 0]) / 2**0.5  # up to a little red


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return saved.load(halves.write(tmp_path_factory.mktemp("halves") / "generator.keras"))


@pytest.fixture
def own(generator, tmp_path):
    """The generator in a folder of the test's own."""
    shutil.copy(generator.file, tmp_path / "generator.keras")
    return saved.load(tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """200 pictures with two attributes that show and one that does not, and one too rare."""
    pixels, bright = halves.pictures(200)
    coin = np.random.default_rng(9).choice([-1, 1], 200)
    rare = np.where(np.arange(200) < 3, 1, -1)
    table = {"Upper": bright[:, 0], "Lower": bright[:, 1], "Coin": coin, "Rare": rare}
    return halves.write_pictures(tmp_path_factory.mktemp("set") / "faces", pixels, table)


def request(folder, tmp_path):
    return data.Request(str(folder), cache=tmp_path / "cache")


def test_a_boundary_is_found_and_how_well_samples_follow_it():
    drawn = latents.draw(1000, DIM, 3)
    wanted = np.array([3, 0, -4, 0, 0, 0]) / 5
    vector, correlation = discovery.fit(drawn, drawn @ wanted + 7)
    np.testing.assert_allclose(vector, wanted, atol=0.03)  # by directions alone, not by lengths
    assert vector.dtype == np.float32 and correlation > 0.95
    noise = np.random.default_rng(0).standard_normal(1000)
    assert abs(discovery.fit(drawn, noise)[1]) < 0.3


def test_what_could_not_be_scored_is_left_out():
    drawn = latents.draw(600, DIM, 3)
    scores = np.where(np.arange(600) % 3, drawn[:, 4], np.nan)
    assert discovery.fit(drawn, scores)[0][4] > 0.99
    with pytest.raises(UserError, match="Received: 10 of 600"):
        discovery.fit(drawn, np.where(np.arange(600) < 10, scores[1], np.nan))
    with pytest.raises(UserError, match="all alike"):
        discovery.fit(drawn, np.ones(600))


def test_samples_are_others_than_those_shown(generator):
    drawn, pictures = discovery.draw_samples(generator, 20)
    assert pictures.shape == (20, 16, 16, 3)
    np.testing.assert_array_equal(pictures, generator.draw(drawn))
    assert not np.array_equal(drawn, latents.draw(20, DIM, 0))


def test_fewer_large_samples(generator, monkeypatch):
    monkeypatch.setattr(discovery, "MAX_BYTES", 16 * 16 * 3 * 7)
    assert len(discovery.draw_samples(generator, 20)[1]) == 7


def test_brightness(own):
    (found,) = discovery.from_measurements(own, "brightness")
    assert found.vector @ BRIGHTER > 0.995 and found.fit > 0.95
    assert (found.name, found.kind, found.samples) == ("brightness", directions.MEASURED, 2000)


def faces_of(points):
    points = np.array(points, float)
    return Faces(np.ones(len(points), bool), points, np.zeros((len(points), 48, 48, 3)))


def test_turn_and_mouth_by_hand():
    """Also where the head is tilted: the second face is the first one, turned by 90 degrees."""
    upright = np.array([[10, 10], [30, 10], [25, 20], [13, 30], [27, 30]])
    tilted = upright[:, ::-1] * [-1, 1] + [50, 0]
    faces = faces_of([upright, tilted])
    np.testing.assert_allclose(landmarks.turn(faces), [0.25, 0.25])
    np.testing.assert_allclose(landmarks.mouth_width(faces), [0.7, 0.7])


def test_measured_faces_and_those_that_are_none(own, quick, monkeypatch):
    """The nose moves with the upper half, and a third of the pictures show no face."""

    def find_faces(pictures, quiet=False):
        points = np.tile(np.array([[10.0, 10], [30, 10], [20, 20], [13, 30], [27, 30]]),
                         (len(pictures), 1, 1))  # fmt: skip
        points[:, 2, 0] += pictures[:, :8].mean(axis=(1, 2, 3)) / 25
        points[:, 4, 0] += pictures[:, 8:].mean(axis=(1, 2, 3)) / 25
        return Faces(np.arange(len(pictures)) % 3 > 0, points, np.zeros((len(pictures), 1)))

    monkeypatch.setattr(landmarks, "find_faces", find_faces)
    turn, mouth = discovery.from_measurements(own, "turn")
    assert (turn.name, mouth.name) == ("turn", "mouth-width")
    assert turn.vector[0] > 0.98 and mouth.vector[1] > 0.98
    assert turn.samples == 266  # of 400


def test_a_scorer_of_all_attributes_that_can_be_learned(folder, tmp_path, quick):
    pictures = data.load_request(request(folder, tmp_path), size=16, channels=3)
    learned = discovery.train_scorer(pictures)
    assert learned.names == ["Upper", "Lower", "Coin"]
    assert min(learned.accuracy[:2]) > 0.95 and learned.accuracy[2] < 0.85
    path = tmp_path / "scorer.keras"
    discovery.write_scorer(path, learned)
    again = discovery.read_scorer(path, pictures.fingerprint)
    assert (again.names, again.accuracy) == (learned.names, learned.accuracy)
    logits = [scorer.score(one.model, pictures.pixels[:5]) for one in (learned, again)]
    np.testing.assert_allclose(*logits, atol=0.05)  # kept in half precision
    assert discovery.read_scorer(path, "others") is None
    assert discovery.read_scorer(tmp_path / "none.keras", "others") is None


def test_a_scorers_file_that_is_something_else(generator, tmp_path):
    with pytest.raises(UserError, match="which says nothing of attributes"):
        discovery.read_scorer(generator.file, "x")
    (tmp_path / "scorer.keras").write_bytes(b"no archive")
    with pytest.raises(UserError, match="A scorer should be a whole Keras model file"):
        discovery.read_scorer(tmp_path / "scorer.keras", "x")


def test_classes_are_attributes_too():
    table = data.Table(
        names=["a", "b", "c"],
        label_names=["cat", "dog"],
        labels=np.array([1, 0, -1], np.int32),
        attribute_names=["Hat"],
        attributes=np.array([[1], [0], [-1]], np.int8),
    )

    class Known(Pictures):
        def __init__(self):
            pass

        table = None

    pictures = Known()
    type(pictures).table = table
    known = discovery.known_of(pictures)
    assert known.names == ["Hat", "cat", "dog"]
    np.testing.assert_array_equal(known.values, [[1, -1, 1], [0, 1, -1], [-1, 0, 0]])


def test_too_few_pictures_to_learn_from(tmp_path):
    pixels, bright = halves.pictures(60)
    folder = halves.write_pictures(tmp_path / "few", pixels, {"Upper": bright[:, 0]})
    pictures = data.load_request(request(folder, tmp_path), size=16, channels=3)
    with pytest.raises(UserError, match="at least 100 pictures.*--with DIR --without DIR"):
        discovery.train_scorer(pictures)


def test_attributes_make_all_directions_at_once_and_keep_them(own, folder, tmp_path, quick, capsys):
    shelf = Shelf(own, request(folder, tmp_path))
    assert shelf.unmade() == ["Upper", "Lower", "Coin", "Rare"]
    upper = shelf.find("Upper")
    assert upper.vector[0] > 0.95 and upper.accuracy > 0.95 and upper.fit > 0.5
    assert (upper.kind, upper.samples) == (directions.ATTRIBUTE, 400)
    assert shelf.find("Lower").vector[1] > 0.95
    assert list(directions.read(own)) == ["Upper", "Lower", "Coin"] and shelf.unmade() == ["Rare"]
    assert (tmp_path / "scorer.keras").exists()
    assert "directions.npz: 3 directions" in capsys.readouterr().out
    np.testing.assert_array_equal(Shelf(own).find("Upper").vector, upper.vector)  # without pictures
    with pytest.raises(UserError, match="Received: Rare, of which nothing could be learned"):
        shelf.find("Rare")


def test_a_scorer_is_trained_once_whatever_becomes_of_the_generator(
    own, folder, tmp_path, quick, monkeypatch
):
    Shelf(own, request(folder, tmp_path)).find("Upper")
    model = halves.build()
    model.set_weights([weight * -1 for weight in model.get_weights()])
    saved.write(own.file, model)
    monkeypatch.delattr(discovery, "train_scorer")
    turned = Shelf(saved.load(own.file), request(folder, tmp_path), renew=True).find("Upper")
    assert turned.vector[0] < -0.95


def test_directions_of_other_weights_are_renewed_only_when_asked(own, quick, capsys):
    Shelf(own).find("brightness")
    model = halves.build()
    model.set_weights([weight * -1 for weight in model.get_weights()])
    saved.write(own.file, model)
    other = saved.load(own.file)
    with pytest.raises(UserError, match="Type --renew"):
        Shelf(other)
    found = Shelf(other, renew=True).find("brightness")
    assert found.vector @ BRIGHTER < -0.98
    np.testing.assert_array_equal(directions.read(other)["brightness"].vector, found.vector)


def test_renewing_one_leaves_the_others(own, quick):
    old = Direction("a", np.eye(DIM, dtype=np.float32)[5], directions.FOLDERS)
    directions.write(own, {"a": old, "brightness": old})
    Shelf(own, renew=True).find("brightness")
    found = directions.read(own)
    assert found["a"].vector[5] == 1 and found["brightness"].vector @ BRIGHTER > 0.98


def test_two_folders(own, tmp_path, quick, capsys):
    pixels, bright = halves.pictures(60)
    for name, sign in (("bright", 1), ("dark", -1)):
        halves.write_pictures(tmp_path / name, pixels[bright[:, 0] == sign])
    pair = [data.load_request(request(tmp_path / name, tmp_path), size=16, channels=3)
            for name in ("bright", "dark")]  # fmt: skip
    found = Shelf(own).from_folders("Upper", *pair)
    assert found.vector[0] > 0.9 and found.accuracy > 0.9 and found.kind == directions.FOLDERS
    assert "told apart by whole pictures in 16x16 pixels" in capsys.readouterr().out
    np.testing.assert_array_equal(directions.read(own)["Upper"].vector, found.vector)
    for name in ("sefa-1", "turn"):
        with pytest.raises(UserError, match="stands for something else"):
            Shelf(own).from_folders(name, *pair)


def test_a_folder_that_may_not_be_written_to(own, tmp_path, quick, monkeypatch, capsys):
    def refuse(*_):
        raise OSError("read-only")

    monkeypatch.setattr(directions, "write", refuse)
    shelf = Shelf(own, cache=tmp_path / "cache")
    assert shelf.find("brightness") is shelf.find("brightness")
    assert "warning: the directions are not kept: read-only" in capsys.readouterr().out


def test_unknown_names_list_the_known(own, folder, tmp_path):
    with pytest.raises(
        UserError, match="Received: Upper. There are: turn, mouth-width, brightness"
    ):
        Shelf(own).find("Upper")
    with pytest.raises(UserError, match="Received: upper. Near it: Upper"):
        Shelf(own, request(folder, tmp_path)).find("upper")
    with pytest.raises(UserError, match="There are: Upper, Lower, Coin, Rare, turn"):
        Shelf(own, request(folder, tmp_path)).find("Smiling")


def test_a_set_without_attributes(own, drawn_faces, tmp_path):
    with pytest.raises(UserError, match="needs pictures with attributes.*--with DIR --without DIR"):
        Shelf(own, request(drawn_faces, tmp_path)).find("Smiling")


def test_a_conditions_name_needs_no_direction(tmp_path):
    steered = saved.load(halves.write_conditional(tmp_path / "generator.keras"))
    assert Shelf(steered).find("Hat") == "Hat"
    (found,) = discovery.from_measurements(steered, "brightness")  # with conditions drawn
    assert found.vector @ BRIGHTER > 0.9


def test_poor_directions_are_told():
    vector = np.eye(DIM, dtype=np.float32)[0]
    good = Direction("a", vector, directions.ATTRIBUTE, 100, 0.9, 0.5)
    assert not discovery.doubts(good)
    poor = Direction("a", vector, directions.ATTRIBUTE, 100, 0.6, 0.1)
    accuracy, fit = discovery.doubts(poor)
    assert "right in only 60%" in accuracy and "correlation 0.10 over 100 samples" in fit


def test_signs_are_conditions():
    """What `known_of` returns is what the scorer is trained with."""
    known = Conditions(["a"], np.array([[1], [0]], np.int8))
    np.testing.assert_array_equal(scorer.signs(known), [[1], [0]])
