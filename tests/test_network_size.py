"""Networks that are too large, or whose weights are elsewhere: refused before they take room."""

import io
import json
import random
import zipfile

import h5py
import numpy as np
import pytest
import tiny_generators

from kerasgan import network_size, saved
from kerasgan.backend import keras
from kerasgan.errors import UserError
from kerasgan.files import Damaged

WEIGHTS, LAYERS = "model.weights.h5", "config.json"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A tiny generator's file; not to be changed."""
    path = tmp_path_factory.mktemp("whole") / "g.keras"
    saved.write(path, tiny_generators.build())
    return path


@pytest.fixture
def rewritten(whole, tmp_path):
    """Makes a file with other members, packed."""

    def make(**changes):
        path = tmp_path / "g.keras"
        with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w", 8) as new:
            for name in old.namelist():
                new.writestr(name, changes.get(name.split(".")[0], old.read(name)))
        return path

    return make


def layers_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(LAYERS))


def refused(path):
    with pytest.raises(UserError) as caught:
        saved.load(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message and len(message) < 700
    return message


def weights_with(change):
    packed = io.BytesIO()
    with h5py.File(packed, "w") as file:
        file.create_dataset("layers/dense/vars/0", data=np.zeros((3, 4), "f"))
        change(file)
    return packed.getvalue()


def test_numbers_of_a_file_are_counted(whole):
    with zipfile.ZipFile(whole) as archive:
        stored = network_size.count_stored(archive.read(WEIGHTS))
    assert stored == tiny_generators.build().count_params()
    assert network_size.count_stored(weights_with(lambda _: None)) == 12


LEADING = {
    "a soft link": lambda file: file.__setitem__("a", h5py.SoftLink("/layers")),
    "an external link": lambda file: file.__setitem__("a", h5py.ExternalLink("/etc/x.h5", "/")),
    "external storage": lambda file: file.create_dataset(
        "a", (8,), "f4", external=[("/etc/hostname", 0, 32)]
    ),
    "a virtual array": lambda file: file.create_virtual_dataset("a", virtual(), fillvalue=0),
}


def virtual():
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/x.h5", "a", (4,))
    return layout


@pytest.mark.parametrize("kind", LEADING)
def test_weights_that_lead_elsewhere_are_refused(rewritten, kind):
    content = weights_with(LEADING[kind])
    assert "its weights lead to another file or place" in refused(rewritten(model=content))


ODD = {
    "words": (
        lambda file: file.create_dataset("a", data=["x"], dtype=h5py.string_dtype()),
        "are no numbers",
    ),
    "nothing stored": (lambda file: file.create_dataset("a", (10**6, 10**6), "f4"), "from 0"),
    "packed": (
        lambda file: file.create_dataset(
            "a", data=np.zeros(2**25, "f4"), compression="gzip", chunks=(2**25,)
        ),
        "its weights unpack to 134,217,728 bytes from ",
    ),
}


@pytest.mark.parametrize("kind", ODD)
def test_weights_that_are_no_weights_are_refused(kind):
    change, reason = ODD[kind]
    with pytest.raises(Damaged, match=reason):
        network_size.count_stored(weights_with(change))


def test_groups_that_hold_one_another_are_read_once():
    def cycle(file):
        file["layers/again"] = file["layers"]

    assert network_size.count_stored(weights_with(cycle)) == 12


ABSURD = {
    "terabytes": ("Conv2D", {"kernel_size": [2**18, 2**18]}, "numbers in its weights, and 268,4"),
    "beyond the file": ("Conv2D", {"kernel_size": [5, 5]}, "and the file 2,867"),
    "no number": ("Dense", {"units": 10**30}, "received: "),
    "a picture": ("Conv2DTranspose", {"strides": [2048, 2048]}, "it draws a side of 16,384"),
}


@pytest.mark.parametrize("kind", ABSURD)
def test_absurd_shapes_are_refused_at_once(rewritten, whole, kind):
    name, config, reason = ABSURD[kind]
    layers = layers_of(whole)
    layer = [x for x in layers["config"]["layers"] if x["class_name"] == name][-1]
    layer["config"] |= config
    message = refused(rewritten(config=json.dumps(layers)))
    assert reason.casefold() in message.casefold()


def test_what_is_between_the_layers_is_bounded(tmp_path):
    inputs = keras.Input((8,))
    x = keras.layers.Reshape((2, 2, 2))(inputs)
    x = keras.layers.UpSampling2D(4096)(x)
    x = keras.layers.Cropping2D(4094)(x)
    x = keras.layers.Concatenate()([x, x])
    keras.Model(inputs, keras.layers.Conv2D(3, 1)(x)).save(tmp_path / "g.keras")
    assert "values between two layers" in refused(tmp_path / "g.keras")


def test_more_layers_than_a_network_has_are_refused(rewritten, whole):
    layers = layers_of(whole)
    layers["config"]["layers"] += layers["config"]["layers"][1:2] * 3000
    assert "more than 1,000 layers" in refused(rewritten(config=json.dumps(layers)))


@pytest.mark.parametrize("name", ["\n", "a b", "_a", 3, [1]])
def test_names_that_do_not_compile_are_refused(rewritten, whole, name):
    layers = layers_of(whole)
    layers["config"]["name"] = name
    assert "it has the name " in refused(rewritten(config=json.dumps(layers)))


@pytest.mark.parametrize("name", ["config", "metadata", "kerasgan"])
def test_deep_and_long_json_is_refused(rewritten, peak, name):
    deep = '{"a":' * 200 + "1" + "}" * 200
    assert f"whose {name}.json is no JSON" in refused(rewritten(**{name: deep}))
    long = b"[" + b"[]," * 2**24 + b"[]]"
    path = rewritten(**{name: long})
    assert peak(lambda: refused(path)) < 2**27


def test_a_member_that_unpacks_without_end_is_not_read(rewritten, peak):
    path = rewritten(model=bytes(2**27))
    assert peak(lambda: refused(path)) < 2**24
    assert "unpacks without end" in refused(path)


def test_weights_that_are_missing_are_named(whole, tmp_path):
    path = tmp_path / "g.keras"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for name in set(old.namelist()) - {WEIGHTS}:
            new.writestr(name, old.read(name))
    assert f"without {WEIGHTS}" in refused(path)


def test_measuring_leaves_nothing_behind(whole):
    """Keras would make the weights of what was only measured, with the next network."""
    state = random.getstate()
    with zipfile.ZipFile(whole) as archive:
        layers = json.loads(archive.read(LAYERS))
    layers["config"]["layers"][3]["config"]["units"] = 2**38
    layers["config"]["layers"][4]["config"]["target_shape"] = [4, 4, 2**34]
    with pytest.raises(Damaged):
        network_size.require_bounded(layers, 10)
    assert random.getstate() == state
    assert keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).count_params() == 8
    outside = keras.layers.Dense(2)
    assert outside(np.zeros((1, 3), "f")).shape == (1, 2)
