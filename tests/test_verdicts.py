"""A discriminator's file, and what it says of pictures."""

import json

import numpy as np
import pytest
from PIL import Image

from kerasgan import evaluate, images, models, network_file, saved, verdicts
from kerasgan.backend import keras
from kerasgan.conditions import Conditions
from kerasgan.errors import UserError
from kerasgan.verdicts import FAKES, PICTURES, REALS, SavedDiscriminator, Verdicts

KNOWN = Conditions(["Smiling"], np.array([[1], [-1]], np.int8))


def brightness(conditions=None):
    """A discriminator whose logit is the mean of a picture, plus twice the condition."""
    pictures = keras.Input((16, 16, 3))
    x = keras.layers.Dense(1, kernel_initializer="ones", name="mean")(
        keras.layers.GlobalAveragePooling2D()(pictures)
    )
    inputs = pictures
    if conditions:
        steering = keras.Input((len(conditions.names),))
        inputs = [pictures, steering]
        two = keras.initializers.Constant(2.0)
        x = keras.layers.Add(name="logits")(
            [x, keras.layers.Dense(1, use_bias=False, kernel_initializer=two)(steering)]
        )
    else:
        x = keras.layers.Rescaling(1.0, name="logits")(x)
    return keras.Model(inputs, keras.layers.Activation("sigmoid")(x))


def grey(*levels):
    return np.stack([np.full((16, 16, 3), level, np.uint8) for level in levels])


def test_logits_are_those_of_the_pictures():
    judged = SavedDiscriminator(brightness()).judge(grey(0, 51, 255))
    np.testing.assert_allclose(judged, [-3, 3 * (51 / 127.5 - 1), 3], rtol=1e-5)


def test_a_condition_is_unknown_unless_it_is_said():
    discriminator = SavedDiscriminator(brightness(KNOWN), KNOWN)
    pixels = grey(255, 255)
    np.testing.assert_allclose(discriminator.judge(pixels), [3, 3], rtol=1e-5)
    said = discriminator.judge(pixels, np.array([[1], [-1]], np.float32))
    np.testing.assert_allclose(said, [5, 1], rtol=1e-5)


def test_it_is_written_beside_its_generator_and_found_there(tmp_path, tiny):
    saved.write(tmp_path / "generator.keras", models.build_portable_generator(tiny))
    saved.write(tmp_path / "me.keras", models.build_portable_generator(tiny))
    with pytest.raises(UserError, match=r"without .*/discriminator\.keras"):
        verdicts.load(tmp_path)
    discriminator = models.build_portable_discriminator(tiny)
    verdicts.write(tmp_path / "discriminator.keras", discriminator, "bce", half=True)
    found = verdicts.load(tmp_path)
    assert found.file == tmp_path / "discriminator.keras"
    pixels = np.random.default_rng(0).integers(0, 256, (3, tiny.size, tiny.size, 3), np.uint8)
    expected = models.logits_of(discriminator)(images.to_float(pixels)).numpy()[:, 0]
    np.testing.assert_allclose(found.judge(pixels), expected, atol=2e-3)
    with pytest.raises(UserError, match=r"without .*me-discriminator\.keras"):
        verdicts.load(tmp_path / "me.keras")
    verdicts.write(tmp_path / "me-discriminator.keras", discriminator, "bce")
    assert verdicts.load(tmp_path / "me.keras").file == tmp_path / "me-discriminator.keras"


def test_a_generator_is_no_discriminator(tmp_path, tiny):
    generator = models.build_portable_generator(tiny)
    saved.write(tmp_path / "generator.keras", generator)
    saved.write(tmp_path / "discriminator.keras", generator)
    with pytest.raises(UserError, match="A discriminator should map pictures"):
        verdicts.load(tmp_path)


def test_code_in_a_discriminator_is_refused(tmp_path, tiny):
    saved.write(tmp_path / "generator.keras", models.build_portable_generator(tiny))
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Lambda(lambda x: x)])
    network_file.write(tmp_path / "discriminator.keras", model, {})
    with pytest.raises(UserError, match="A discriminator should be made of layers that hold no"):
        verdicts.load(tmp_path)


def test_figures_by_hand():
    said = Verdicts(
        {
            REALS: np.array([1.0, 2.0, 3.0, 4.0]),
            FAKES: np.array([0.0, 2.0]),
            PICTURES: np.array([2.0]),
        },
        ["me.png"],
    )
    figures = said.figures()
    # Of the eight pairs 1>0, 2>0, 3>0, 4>0, 3>2 and 4>2 are right, and 2=2 counts half.
    assert figures["accuracy"] == pytest.approx(6.5 / 8)
    assert figures[REALS] == {
        "count": 4, "mean": 2.5, "deviation": pytest.approx(np.sqrt(1.25)),
        "quartiles": [1.75, 2.5, 3.25],
    }  # fmt: skip
    (me,) = figures["each"]
    assert me == {"name": "me.png", "logit": 2.0, "above_fakes": 0.75, "above_reals": 0.375}
    assert "me.png: 2.00, above 75% of the fakes, 38% of the reals" in verdicts.table(figures)


# The command


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A generator of greys with a discriminator that goes by brightness."""
    monkeypatch.chdir(tmp_path)
    latents = keras.Input((2,))
    x = keras.layers.Reshape((1, 1, 1))(keras.layers.Dense(1, activation="tanh")(latents))
    x = keras.layers.Concatenate()([keras.layers.UpSampling2D(16)(x)] * 3)
    keras.Model(latents, x).save(tmp_path / "generator.keras")
    verdicts.write(tmp_path / "discriminator.keras", brightness(), "bce")
    reals = tmp_path / "reals"
    reals.mkdir()
    for level in range(0, 250, 10):
        Image.fromarray(grey(level)[0]).save(reals / f"{level:03d}.png")
    return tmp_path


def test_the_command_judges_reals_fakes_and_pictures(place, capsys):
    Image.fromarray(grey(255)[0]).save("white.png")
    (place / "broken.png").write_bytes(b"no picture")
    words = ["generator.keras", "--data", "reals", "--verdicts", "white.png", "broken.png"]
    assert evaluate.main([*words, "-n", "100"]) == 0
    out = capsys.readouterr().out
    assert "left out" in out and "broken.png" in out
    figures = json.loads((place / "generator-verdicts.json").read_text())
    assert figures["reals"]["count"] == 25 and figures["fakes"]["count"] == 100
    assert figures["reals"]["mean"] == pytest.approx(3 * (120 / 127.5 - 1), abs=1e-4)
    assert figures["each"][0]["logit"] == pytest.approx(3, abs=1e-4)
    assert figures["each"][0]["above_reals"] == 1.0
    with Image.open(place / "generator-verdicts.png") as plot:
        assert plot.size == (800, 400)


def test_reals_may_be_unknown(place, capsys):
    assert evaluate.main(["generator.keras", "--verdicts", "-n", "100"]) == 0
    assert "No real pictures are known here" in capsys.readouterr().out
    figures = json.loads((place / "generator-verdicts.json").read_text())
    assert set(figures) == {"fakes"}


def test_pictures_that_are_all_unusable_are_an_error(place, capsys):
    (place / "broken.png").write_bytes(b"no picture")
    assert evaluate.main(["generator.keras", "--verdicts", "broken.png"]) == 2
    assert "a picture to judge. Received: none that can be used" in capsys.readouterr().err
    assert not (place / "generator-verdicts.json").exists()
