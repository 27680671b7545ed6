"""Generators of other programs: each range and layout is drawn right, or refused in one line."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from kerasgan import evaluate, latents, models, ranges, sample, saved
from kerasgan.backend import keras
from kerasgan.errors import UserError
from kerasgan.recipes import PRESETS
from kerasgan.saved import SavedGenerator

L, ops = keras.layers, keras.ops
DIM = 6


def body(activation="linear", channels=3, gain=0.6):
    """A small DCGAN with fixed weights, whose values spread as `gain` says."""
    keras.utils.set_random_seed(1)
    return [
        L.Dense(2 * 2 * 8),
        L.LeakyReLU(0.2),
        L.Reshape((2, 2, 8)),
        L.Conv2DTranspose(
            channels, 4, strides=2, padding="same", activation=activation,
            kernel_initializer=keras.initializers.RandomNormal(stddev=gain, seed=2),
        ),
    ]  # fmt: skip


def stack(*layers):
    return keras.Sequential([keras.Input((DIM,)), *layers])


def graph(change, activation="linear", shape=(DIM,), gain=0.6):
    inputs = keras.Input(shape)
    flat = L.Flatten()(inputs) if len(shape) > 1 else inputs
    return keras.Model(inputs, change(stack(*body(activation, gain=gain))(flat)))


UNIT, BYTES = (0, 1), (0, 255)
MODELS = {
    "tanh": (lambda: stack(*body("tanh")), (-1, 1)),
    "softsign": (lambda: stack(*body("softsign")), (-1, 1)),
    "sigmoid": (lambda: stack(*body("sigmoid")), UNIT),
    "hard sigmoid": (lambda: stack(*body("hard_sigmoid")), UNIT),
    "softmax": (lambda: stack(*body("softmax")), UNIT),
    "a layer of its own": (lambda: stack(*body(), L.Activation("sigmoid")), UNIT),
    "cropped after it": (lambda: stack(*body("sigmoid"), L.Cropping2D(1)), UNIT),
    "enlarged after it": (lambda: stack(*body("sigmoid"), L.UpSampling2D()), UNIT),
    "a model in a model": (lambda: graph(lambda x: x, "sigmoid"), UNIT),
    "three deep": (lambda: stack(graph(lambda x: x, "sigmoid")), UNIT),
    "rescaled to unit": (lambda: stack(*body("tanh"), L.Rescaling(0.5, 0.5)), UNIT),
    "rescaled to bytes": (lambda: stack(*body("tanh"), L.Rescaling(127.5, 127.5)), BYTES),
    "rescaled sigmoid": (lambda: stack(*body("sigmoid"), L.Rescaling(255.0)), BYTES),
    "rescaled to tanh's": (lambda: stack(*body("sigmoid"), L.Rescaling(2.0, -1.0)), (-1, 1)),
    "arithmetic": (lambda: graph(lambda x: (ops.tanh(x) + 1) / 2), UNIT),
    "more arithmetic": (lambda: graph(lambda x: 1 - 0.5 * (ops.tanh(x) - -1)), UNIT),
    "operation": (lambda: graph(ops.sigmoid), UNIT),
    "clipped": (lambda: graph(lambda x: ops.clip(x, 0, 1)), UNIT),
    "up to one": (lambda: stack(*body(), L.ReLU(max_value=1.0)), UNIT),
    "heads": (lambda: graph(lambda x: L.Concatenate()(
        [L.Conv2D(1, 1, activation="sigmoid")(x) for _ in range(3)])), UNIT),
    "whole numbers": (lambda: graph(
        lambda x: ops.cast(ops.tanh(x) * 127.5 + 127.5, "uint8")), BYTES),
    "drawn tanh's": (lambda: stack(*body(gain=0.2)), (-1, 1)),
    "drawn unit": (lambda: stack(*body("relu", gain=0.2)), UNIT),
    "drawn below six": (
        lambda: stack(*body("relu", gain=0.2), L.ReLU(max_value=6.0)), UNIT),
    "drawn bytes": (lambda: stack(*body(), L.Rescaling(50.0, 120.0)), BYTES),
    "a half each way": (lambda: stack(*body("sigmoid"), L.Rescaling(1.0, -0.5)), (-0.5, 0.5)),
    "grey": (lambda: stack(*body("sigmoid", 1)), UNIT),
    "no axis for grey": (
        lambda: stack(L.Dense(20, activation="sigmoid"), L.Reshape((4, 5))), UNIT),
    "channels first": (lambda: graph(L.Permute((3, 1, 2)), "sigmoid"), UNIT),
    "latents 1x1xD": (lambda: graph(lambda x: x, "sigmoid", (1, 1, DIM)), UNIT),
    "latents Dx1x1": (lambda: graph(lambda x: x, "tanh", (DIM, 1, 1)), (-1, 1)),
    "dropout": (lambda: graph(
        lambda x: L.Dropout(0.5)(L.Activation("sigmoid")(x), training=True)), UNIT),
}  # fmt: skip


def by_hand(model, drawn, black, white):
    """The pictures in NumPy: black is 0, white is 255."""
    values = np.asarray(model(drawn.reshape(-1, *model.input_shape[1:]), training=False))
    values = values.astype(np.float64)
    values = values[..., None] if values.ndim == 3 else values
    values = values.transpose(0, 2, 3, 1) if values.shape[3] not in (1, 3) else values
    return np.clip(np.rint((values - black) / (white - black) * 255), 0, 255)


@pytest.mark.parametrize("name", MODELS)
def test_every_range_and_layout_is_drawn_right(tmp_path, name, capsys):
    build, span = MODELS[name]
    model = build()
    model.save(tmp_path / "other.keras")
    generator = saved.load(tmp_path / "other.keras")
    assert generator.range == span
    said = capsys.readouterr().err
    assert said.count("\n") == (name.startswith(("drawn", "a half")))
    assert not said or "most values of 256 pictures lie in" in said or "hold it to" in said
    few = latents.draw(5, DIM, 3)
    drawn, expected = generator.draw(few), by_hand(model, few, *span)
    assert drawn.shape == expected.shape == (5, *drawn.shape[1:])
    assert drawn.shape[1:] == (generator.height, generator.width, generator.channels)
    assert np.abs(drawn - expected).max() <= 1 and np.mean(drawn != expected) < 0.01
    assert len(np.unique(expected)) > 20  # not all black or white


@pytest.mark.parametrize("policy", ["mixed_float16", "float16", "mixed_bfloat16"])
def test_few_bits_are_not_fewer_than_they_are(tmp_path, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    model = stack(*body("sigmoid"))
    keras.config.set_dtype_policy(before)
    model.save(tmp_path / "other.keras")
    few = latents.draw(5, DIM, 3)
    drawn = saved.load(tmp_path / "other.keras").draw(few)
    assert np.abs(drawn - by_hand(model, few, 0, 1)).max() <= 1


def classes():
    latent, number = keras.Input((DIM,)), keras.Input((1,), dtype="int32")
    steered = L.Multiply()([latent, L.Flatten()(L.Embedding(10, DIM)(number))])
    return keras.Model([latent, number], stack(*body("tanh"))(steered))


def class_alone():
    number = keras.Input((1,), dtype="int32")
    return keras.Model(number, stack(*body("tanh"))(L.Flatten()(L.Embedding(10, DIM)(number))))


def convolution_of_pictures():
    return keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(3, 3, activation="tanh")])


def two_pictures():
    inputs = keras.Input((DIM,))
    picture = stack(*body("tanh"))(inputs)
    return keras.Model(inputs, [picture, picture])


REFUSED = {
    "too wide": (lambda: stack(*body(gain=2.0)), "Type --range: tanh"),
    "nothing like pictures": (
        lambda: stack(*body(), L.Rescaling(9000.0)), "Type --range: tanh"),
    "no numbers": (lambda: stack(*body("tanh"), L.Rescaling(float("nan"))), "should give numbers"),
    "classes": (classes, "reads more than latents"),
    "a class alone": (class_alone, "reads whole numbers"),
    "pictures to pictures": (convolution_of_pictures, "reads no latents"),
    "two outputs": (two_pictures, "gives no pictures"),
    "rows": (lambda: stack(L.Dense(48, activation="tanh")), "should end in a layer Reshape"),
    "four channels": (lambda: stack(*body("tanh", 4)), "gives no pictures"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_drawn_is_refused_in_one_line(tmp_path, name):
    build, why = REFUSED[name]
    build().save(tmp_path / "other.keras")
    with pytest.raises(UserError, match=why) as caught:
        saved.load(tmp_path / "other.keras")
    assert "\n" not in str(caught.value) and "other.keras" in str(caught.value)


def test_a_typed_range_goes_before_what_would_be_found(tmp_path):
    model = stack(*body(gain=2.0))
    model.save(tmp_path / "other.keras")
    few = latents.draw(5, DIM, 3)
    for name, span in ranges.NAMES.items():
        drawn = saved.load(tmp_path / "other.keras", range=name).draw(few)
        assert np.abs(drawn - by_hand(model, few, *span)).max() <= 1


@pytest.mark.parametrize("preset", PRESETS)
def test_own_networks_tell_their_range(preset):
    """So do files of older versions, which say nothing of theirs."""
    recipe = dataclasses.replace(PRESETS[preset], width=1 / 16, precision="float32")
    assert ranges.by_layers(models.build_portable_generator(recipe)) == (-1, 1)


def test_own_files_keep_their_range(tmp_path):
    model = stack(*body("tanh"))
    saved.write(tmp_path / "own.keras", model)
    assert saved.load(tmp_path / "own.keras", range="tanh").range == (-1, 1)
    with pytest.raises(UserError, match="has its range in its file"):
        saved.load(tmp_path / "own.keras", range="sigmoid")


def test_pictures_of_any_range_have_slopes():
    """255 * sigmoid(z): by hand, 2 * sigmoid - 1, and a slope of 2 s (1 - s)."""
    import tensorflow as tf

    inputs = keras.Input((1,))
    x = L.Rescaling(255.0)(L.Activation("sigmoid")(L.Reshape((1, 1, 1))(inputs)))
    generator = SavedGenerator(keras.Model(inputs, x))
    latent = tf.constant([[0.7]])
    with tf.GradientTape() as tape:
        tape.watch(latent)
        picture = generator.pictures(latent)
    s = 1 / (1 + np.exp(-0.7))
    assert float(picture[0, 0, 0, 0]) == pytest.approx(2 * s - 1, abs=1e-6)
    assert float(tape.gradient(picture, latent)[0, 0]) == pytest.approx(2 * s * (1 - s), abs=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "span"),
    [
        (-0.9, 0.9, (-1, 1)),
        (0.01, 0.98, (0, 1)),
        (3, 250, (0, 255)),
        (-0.15, 1.15, (0, 1)),
        (-15, 270, (0, 255)),
        (-1.2, 1.2, (-1, 1)),
        (-0.04, 0.05, (-1, 1)),  # hardly trained
        (0, 0.05, (0, 1)),
    ],
)
def test_the_bulk_decides_and_not_a_few_values(low, high, span):
    values = np.linspace(low, high, 10_000)
    values[:20], values[-20:] = -7, 9000
    assert ranges.by_values(values, "it") == span


@pytest.fixture
def both(tmp_path, monkeypatch):
    """One generator as [-1, 1] and as [0, 1], and pictures to measure it against."""
    monkeypatch.chdir(tmp_path)
    stack(*body("tanh")).save("signed.keras")
    stack(*body("tanh"), L.Rescaling(0.5, 0.5)).save("unit.keras")
    (tmp_path / "reals").mkdir()
    rng = np.random.default_rng(0)
    for index in range(24):
        pixels = rng.integers(0, 255, (4, 4, 3), np.uint8)
        Image.fromarray(pixels).resize((16, 16), 0).save(tmp_path / "reals" / f"{index}.png")
    return tmp_path


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def test_both_forms_give_the_same_grids_and_walks(both):
    for name in ("signed", "unit"):
        assert sample.main([f"{name}.keras", "-n", "9", "--out", f"{name}.png"]) == 0
        assert sample.main([f"{name}.keras", "--interpolate", "2", "--frames", "2",
                            "--out", f"{name}.gif"]) == 0  # fmt: skip
        assert sample.main([f"{name}.keras", "-n", "2", "--separate", name]) == 0
    assert np.abs(pixels("signed.png") - pixels("unit.png")).max() <= 1
    assert np.abs(pixels("signed/seed-0000-000001.png") - pixels("unit/seed-0000-000001.png")
                  ).max() <= 1  # fmt: skip
    with Image.open("signed.gif") as one, Image.open("unit.gif") as two:
        assert one.n_frames == two.n_frames
        difference = np.asarray(one.convert("RGB"), int) - np.asarray(two.convert("RGB"), int)
    assert np.abs(difference).max() <= 1
    assert sample.main(["unit.keras", "-n", "9", "--out", "wrong.png", "--range", "tanh"]) == 0
    assert np.abs(pixels("wrong.png") - pixels("unit.png")).max() > 50


def test_both_forms_measure_the_same(both):
    drawn = [
        evaluate.draw_samples(saved.load(f"{name}.keras"), 40, 0) for name in ("signed", "unit")
    ]
    difference = np.abs(drawn[0].pictures.astype(int) - drawn[1].pictures)
    assert difference.max() <= 1 and difference.mean() < 0.01
    assert [samples.facts["range"] for samples in drawn] == [[-1, 1], [0, 1]]
