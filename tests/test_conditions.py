"""Conditions: from what is known of pictures to vectors, draws, sweeps and `--label`."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from kerasgan.conditions import EXAMPLES, Conditions
from kerasgan.data.batches import Ahead, Batches, Conditioned
from kerasgan.data.conditions import find_conditions
from kerasgan.data.table import Table
from kerasgan.errors import UserError


def classes(*values, names=("ada", "bob", "cy")):
    return Conditions(list(names), np.array(values, np.int32))


def attributes(*rows, names=("Smiling", "Male", "Mustache")):
    return Conditions(list(names), np.array(rows, np.int8))


def pictures(label_names=(), labels=None, attribute_names=(), values=None):
    """Four pictures of which only the table is looked at."""
    labels = np.full(4, -1, np.int32) if labels is None else np.array(labels, np.int32)
    values = np.zeros((4, 0), np.int8) if values is None else np.array(values, np.int8)
    table = Table(["a", "b", "c", "d"], list(label_names), labels, list(attribute_names), values)
    return SimpleNamespace(table=table, source="faces", pixels=np.zeros((4, 2, 2, 3), np.uint8))


def test_classes_are_ones_among_noughts_and_none_is_all_noughts():
    vectors = classes(2, 0, -1).vectors()
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0]]


def test_attributes_are_their_signs():
    vectors = attributes((1, -1, 0)).vectors()
    assert vectors.dtype == np.float32 and vectors.tolist() == [[1, -1, 0]]


def test_find_takes_the_columns_in_the_order_they_are_typed():
    known = pictures(
        attribute_names=["Male", "Bald", "Smiling"],
        values=[(1, -1, 0), (-1, -1, 1), (1, 1, -1), (-1, -1, -1)],
    )
    found = find_conditions(known, "Smiling,Male")
    assert found.names == ["Smiling", "Male"]
    assert found.values.tolist() == [[0, 1], [1, -1], [-1, 1], [-1, -1]]
    assert find_conditions(known, "none") is None


def test_find_takes_classes():
    found = find_conditions(pictures(["x", "y"], [1, -1, 0, 1]), "labels")
    assert found.names == ["x", "y"] and found.values.tolist() == [1, -1, 0, 1]


@pytest.mark.parametrize(
    ("known", "wanted", "message"),
    [
        (pictures(), "labels", "needs pictures with at least two classes. Received: faces"),
        (pictures(["x"], [0, 0, 0, 0]), "labels", "at least two classes"),
        (pictures(["x", "y"], [1, 1, 1, 1]), "labels", "at least two classes"),
        (pictures(["x", "y"], [0, 1, 1, 1]), "Male", "Type --conditions none or --conditions lab"),
        (pictures(), "Male", "or --data built-in"),
        (
            pictures((), None, ["Male", "Smiling"], [(1, 1), (-1, 1), (1, -1), (1, 1)]),
            "Male,smilin",
            "Received: smilin. Near it: Smiling.",
        ),
        (
            pictures((), None, ["Male", "Smiling"], [(1, 1), (-1, 1), (1, -1), (1, 1)]),
            "Zebra",
            "Received: Zebra. There are: Male, Smiling.",
        ),
        (
            pictures((), None, ["Male", "Bald"], [(1, -1), (-1, 0), (1, -1), (1, 0)]),
            "Male,Bald",
            "Received: Bald, which is the same in all of faces",
        ),
    ],
)
def test_find_explains_what_the_pictures_lack(known, wanted, message):
    with pytest.raises(UserError) as error:
        find_conditions(known, wanted)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_draws_are_as_frequent_as_the_examples_and_keep_their_order():
    known = attributes((1, -1, -1), (1, -1, -1), (1, -1, -1), (-1, 1, 1))
    drawn = known.draw(4000, seed=3)
    assert {tuple(row) for row in drawn.values} == {(1, -1, -1), (-1, 1, 1)}
    assert 0.72 < (drawn.values[:, 0] == 1).mean() < 0.78  # 3/4, standard deviation 0.007
    for count in (1, 7):
        np.testing.assert_array_equal(known.draw(count, seed=3).values, drawn.values[:count])
    assert not np.array_equal(known.draw(20, seed=4).values, drawn.values[:20])


def test_what_is_asked_for_brings_along_what_goes_with_it():
    known = attributes((1, -1, -1), (-1, 1, 1), (1, 1, 1), (1, 1, -1))
    drawn = known.draw(300, 0, {2: 1}).values
    assert {tuple(row) for row in drawn} == {(-1, 1, 1), (1, 1, 1)}  # men alone
    never = known.draw(300, 0, {0: -1, 1: -1}).values  # no picture has both
    assert {tuple(row[:2]) for row in never} == {(-1, -1)} and len(set(never[:, 2])) == 2
    assert known.values.tolist() == [[1, -1, -1], [-1, 1, 1], [1, 1, 1], [1, 1, -1]]
    assert classes(0, 0).draw(3, 0, {2: 1}).values.tolist() == [2, 2, 2]


def test_sweep_goes_through_classes_and_combinations():
    assert classes(0).sweep(16).values.tolist() == [0, 1, 2]
    assert classes(0).sweep(2).values.tolist() == [0, 1]
    two = attributes((1, -1), names=("Smiling", "Male"))
    assert two.sweep(4).values.tolist() == [[-1, -1], [-1, 1], [1, -1], [1, 1]]


def test_sweep_of_too_many_attributes_turns_over_one_after_another():
    known = attributes((1, -1, 0), (1, -1, 0), (-1, -1, 1))
    rows = known.sweep(7).values
    assert rows.tolist() == [[1, -1, 1], [-1, -1, 1], [1, 1, 1], [1, -1, -1]]
    assert known.sweep(2).values.tolist() == rows[:2].tolist()


@pytest.mark.parametrize("known", [classes(2, -1, 0), attributes((1, 0, -1), (-1, -1, 1))])
def test_json_and_back(known):
    again = Conditions.from_json(json.loads(json.dumps(known.to_json())))
    assert again.names == known.names and again.values.dtype == known.values.dtype
    np.testing.assert_array_equal(again.values, known.values)
    assert again.fingerprint == known.fingerprint
    assert known.take(slice(0, 1)).fingerprint != known.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"values": []},
        {"values": [[1, 0]]},
        {"values": [[2, 0, 0]]},
        {"values": [[1000, 0, 0]]},
        {"kind": "classes", "values": [3]},
        {"kind": "classes", "values": [[1]]},
        {"names": 5},
    ],
)
def test_json_of_something_else(change):
    with pytest.raises((ValueError, TypeError)):
        Conditions.from_json(attributes((1, 0, -1)).to_json() | change)


def test_labels_are_read_by_name_and_number():
    assert classes(0).parse_labels(["bob"]) == {1: 1}
    assert classes(0).parse_labels(["2"]) == {2: 1}
    assert classes(0, names=("7", "1")).parse_labels(["1"]) == {1: 1}  # the name comes first
    assert attributes((1, 1, 1)).parse_labels(["Male=-1", "Smiling=1"]) == {1: -1, 0: 1}
    assert classes(0).parse_labels([]) == attributes((1, 1, 1)).parse_labels([]) == {}


@pytest.mark.parametrize(
    ("known", "texts", "message"),
    [
        (classes(0), ["bobb"], "a class or its number, 0 to 2. Received: bobb. Near it: bob."),
        (classes(0), ["3"], "There are: ada, bob, cy."),
        (classes(0), ["ada", "bob"], "one class, so `--label` should be there once"),
        (attributes((1, 1, 1)), ["Smiling"], "one of Smiling, Male, Mustache."),
        (attributes((1, 1, 1)), ["Smiling=2"], "=1 for yes or =-1 for no"),
        (attributes((1, 1, 1)), ["smiling=1"], "Near it: Smiling."),
        (attributes((1, 1, 1)), ["Zebra=1"], "There are: Smiling, Male, Mustache."),
    ],
)
def test_labels_that_do_not_exist(known, texts, message):
    with pytest.raises(UserError) as error:
        known.parse_labels(texts)
    assert message in str(error.value) and "Received: " in str(error.value)


def test_examples_are_drawn_from_all():
    known = classes(*([0] * 1500 + [1] * 1500))
    examples = known.examples(seed=0)
    assert len(examples.values) == EXAMPLES and 0.45 < examples.values.mean() < 0.55
    assert sorted(classes(2, 0, 1).examples(0).values) == [0, 1, 2]


def test_batches_bring_the_conditions_of_their_pictures():
    pixels = np.broadcast_to(np.arange(7, dtype=np.uint8)[:, None, None, None], (7, 2, 2, 1))
    known = attributes(*[(1 - 2 * (i & 1), 1 - (i & 2), 0) for i in range(7)])
    batches = Batches(pixels, 4, seed=1, flip=True, conditions=known)
    with Ahead(batches) as ahead:
        for iteration in range(5):
            batch = ahead.at(iteration)
            assert isinstance(batch, Conditioned)
            numbers = np.rint((batch.pictures[:, 0, 0, 0] + 1) * 127.5).astype(int)
            np.testing.assert_array_equal(numbers, batches.indices(iteration))
            expected = [[1 - 2 * (i & 1), 1 - (i & 2), 0] for i in numbers]
            np.testing.assert_array_equal(batch.conditions, expected)
