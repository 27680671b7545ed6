"""Networks in other formats: what is said of them, and that what is said to type works."""

import json
import pickle
import re
import shutil
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from kerasgan import evaluate, formats, sample, saved
from kerasgan.backend import keras
from kerasgan.errors import UserError


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    x = keras.layers.Reshape((2, 2, 4))(keras.layers.Dense(16)(inputs))
    x = keras.layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="sigmoid")(x)
    return keras.Model(inputs, x)


def save_as_keras_2(model, path):
    """As tf.keras did: with a number of groups, which Keras 3 does not know for this layer."""
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        (layer,) = [x for x in config["config"]["layers"] if x["class_name"] == "Conv2DTranspose"]
        layer["config"]["groups"] = 1
        file.attrs["model_config"] = json.dumps(config)


def refusal(path):
    with pytest.raises(UserError) as caught:
        saved.load(path)
    message = str(caught.value)
    assert "\n" not in message and message.startswith("A generator should be ")
    return message


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("name", ["old.h5", "my $old & model.hdf5"])
def test_the_command_for_hdf5_makes_the_same_generator(tmp_path, model, name):
    path = tmp_path / name
    save_as_keras_2(model, tmp_path / "a.h5")
    (tmp_path / "a.h5").rename(path)
    message = refusal(path)
    assert "a whole network in HDF5" in message and "may hold code" in message
    command = message.partition("type: ")[2]
    assert command.startswith("python -c ") and "'" not in command
    command = command.replace("python", sys.executable, 1)
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    latents = np.random.default_rng(0).normal(size=(3, 4)).astype("f")
    drawn = saved.load(path.with_suffix(".keras")).draw(latents)
    expected = np.rint(model(latents).numpy() * 255)
    assert np.abs(drawn - expected).max() <= 1  # a rounding tie at most
    assert np.mean(drawn != expected) < 0.05


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_hdf5_under_the_name_of_keras_files(tmp_path, model):
    """What tf.keras wrote under any name, before 2.12."""
    model.save(tmp_path / "a.h5")
    (tmp_path / "a.h5").rename(tmp_path / "a.keras")
    message = refusal(tmp_path / "a.keras")
    assert "a whole network in HDF5" in message and "Rename it to" in message


def test_weights_alone(tmp_path, model):
    model.save_weights(tmp_path / "a.weights.h5")
    assert "weights alone" in refusal(tmp_path / "a.weights.h5")


@pytest.mark.parametrize("class_name", ["Functional", "Sequential"])
def test_keras_files_of_keras_2(tmp_path, model, class_name):
    path = tmp_path / "my generator.keras"
    module = "keras.src.engine.functional" if class_name == "Functional" else "keras"
    config = {"module": module, "class_name": class_name, "registered_name": class_name,
              "config": {"name": "a", "layers": [{"batch_input_shape": [None, 4]}]}}  # fmt: skip
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"")
    message = refusal(path)
    assert "a network of Keras 2" in message and "pip install tf_keras" in message
    middle = tmp_path / "my generator-new.h5"  # whose next step leaves the first file alone
    assert f'"{path}" "{middle}"' in message and "'" not in message
    assert not re.search(r'"[^"]*\.h5"\.', message)  # a dot would be typed along


def make(path, name):
    if name == "saved_model":
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"x")
        (path / "keras_metadata.pb").write_bytes(b"x")
    elif name in ("a.pt", "zip.keras"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", b"x")
    elif name in ("a.pth", "a.pkl", "pickle.keras"):
        path.write_bytes(pickle.dumps({}, 2))
    elif name == "lfs.keras":
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    elif name == "a.tflite":
        path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(40))
    else:
        path.write_bytes(b"\x08\x07" + bytes(40))


KINDS = {
    "saved_model": "a SavedModel",
    "a.pt": "a PyTorch file",
    "zip.keras": "a PyTorch file",
    "a.pth": "a PyTorch file",
    "a.pkl": "a pickle, which may run code",
    "pickle.keras": "a pickle, which may run code",
    "lfs.keras": "a pointer of Git LFS",
    "a.tflite": "a TensorFlow Lite file",
    "a.onnx": "an ONNX file",
    "a.safetensors": "a file of weights alone",
    "a.pb": "a TensorFlow graph",
    "a.h5": "no HDF5 file in spite of its name",
}


@pytest.mark.parametrize("name", KINDS)
def test_every_command_says_what_a_file_is(tmp_path, name, capsys):
    make(tmp_path / name, name)
    assert f"which is {KINDS[name]}" in refusal(tmp_path / name)
    for command in (sample, evaluate):
        more = ["--data", str(tmp_path)] if command is evaluate else []
        assert command.main([str(tmp_path / name), *more]) == 2
        error = capsys.readouterr().err
        assert f"which is {KINDS[name]}" in error and error.count("\n") == 1


def test_pictures_and_own_files_are_no_other_networks(tmp_path, model):
    model.save(tmp_path / "a.keras")
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04")
    shutil.copytree(tmp_path, tmp_path.parent / "folder")
    for path in (tmp_path / "a.keras", tmp_path / "a.zip", tmp_path, tmp_path / "none"):
        assert formats.explain(path) is None
