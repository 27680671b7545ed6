"""A generator's file: written, read back, drawn with; and files that mean harm or are damaged."""

import dataclasses
import doctest
import json
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import kerasgan
from kerasgan import latents as latents_module
from kerasgan import models, network_file, pretrained, saved
from kerasgan.backend import keras, tf
from kerasgan.conditions import Conditions
from kerasgan.errors import UserError
from kerasgan.gan import GAN
from kerasgan.recipes import PRESETS
from kerasgan.saved import Facts, SavedGenerator

KNOWN = Conditions(["Smiling"], np.array([[1], [-1]], np.int8))


def latents_of(count, dim=8):
    return np.random.default_rng(0).normal(size=(count, dim)).astype("f")


@pytest.fixture
def file(tmp_path, tiny):
    path = tmp_path / "generator.keras"
    saved.write(path, models.build_portable_generator(tiny), Facts("center"))
    return path


def rewrite(path, changes, compression=zipfile.ZIP_DEFLATED):
    """Replaces members of a zip archive; None leaves one out."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()} | changes
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)


def member(path, name):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(name))


def refused(path):
    with pytest.raises(UserError) as caught:
        saved.load(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


# Writing and reading


def test_a_file_in_half_precision_draws_nearly_the_same(tmp_path):
    recipe = dataclasses.replace(PRESETS["fast"], size=32, precision="float32")
    generator = models.build_portable_generator(recipe)
    saved.write(tmp_path / "whole.keras", generator)
    saved.write(tmp_path / "half.keras", generator, half=True)
    whole, half = (tmp_path / f"{name}.keras" for name in ("whole", "half"))
    assert half.stat().st_size < 0.5 * whole.stat().st_size
    latents = latents_of(4, recipe.latent_dim)
    drawn = [saved.load(path).draw(latents).astype(int) for path in (whole, half)]
    assert np.abs(drawn[0] - drawn[1]).max() <= 1
    kernels = {weight.dtype for weight in saved.load(half).model.weights}
    assert kernels == {"float32"}


def test_half_precision_keeps_batch_norms_statistics(tmp_path):
    recipe = dataclasses.replace(PRESETS["fast"], size=32, precision="float32")
    generator = models.build_portable_generator(recipe)
    norm = next(x for x in generator.layers if isinstance(x, keras.layers.BatchNormalization))
    norm.moving_variance.assign(np.full(norm.moving_variance.shape, 123_456.0))  # beyond float16
    saved.write(tmp_path / "half.keras", generator, half=True)
    kept = saved.load(tmp_path / "half.keras").model.get_layer(norm.name)
    np.testing.assert_array_equal(kept.moving_variance, norm.moving_variance)


def test_a_generator_is_known_by_its_weights(tmp_path, tiny):
    generator = models.build_portable_generator(tiny)
    saved.write(tmp_path / "one.keras", generator, Facts("center"))
    saved.write(tmp_path / "two.keras", generator)
    other = models.build_portable_generator(dataclasses.replace(tiny, seed=1))
    saved.write(tmp_path / "three.keras", other)
    one, two, three = (saved.load(tmp_path / f"{n}.keras") for n in ("one", "two", "three"))
    assert one.fingerprint == two.fingerprint != three.fingerprint
    assert len(one.fingerprint) == 16


def test_what_belongs_to_a_generator_lies_beside_it(tmp_path, tiny):
    generator = models.build_portable_generator(tiny)
    for name in ("generator.keras", "generator-best.keras"):
        saved.write(tmp_path / name, generator)
    run, best = saved.load(tmp_path), saved.load(tmp_path / "generator-best.keras")
    assert run.beside("encoder.keras") == tmp_path / "encoder.keras"
    assert best.beside("encoder.keras") == tmp_path / "generator-best-encoder.keras"
    with pytest.raises(ValueError, match="no place"):
        SavedGenerator(generator).beside("encoder.keras")


def test_a_generator_that_comes_along_is_found_by_its_name(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "along")
    folder = tmp_path / "along" / "tiny16"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("A card.")
    saved.write(folder / "generator.keras", models.build_portable_generator(tiny))
    monkeypatch.chdir(tmp_path)
    assert pretrained.names() == ["tiny16"]
    assert saved.find("tiny16") == folder / "generator.keras"
    with pytest.raises(UserError, match="or tiny16. Received: tiny17"):
        saved.load("tiny17")
    shutil.copytree(folder, "tiny16")  # what lies here goes before the name
    assert saved.find("tiny16") == Path("tiny16/generator.keras")


@pytest.mark.slow
def test_generator_opens_with_kerasgan_not_installed(tmp_path, tiny):
    generator = models.build_generator(tiny)
    saved.write(tmp_path / "generator.keras", generator)
    np.save(tmp_path / "latents.npy", latents_of(2))
    script = """
import sys
sys.modules["kerasgan"] = None  # an import of it would fail
import keras, numpy
model = keras.models.load_model("generator.keras")
numpy.save("pictures.npy", model.predict(numpy.load("latents.npy"), verbose=0))
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_allclose(
        np.load(tmp_path / "pictures.npy"), generator(latents_of(2)).numpy(), atol=1e-6
    )


def test_load_from_run_and_file(tmp_path, tiny):
    generator = models.build_generator(tiny)
    saved.write(tmp_path / "generator.keras", generator)
    latents = tf.ones((1, 8))
    for path in (tmp_path, tmp_path / "generator.keras", str(tmp_path)):
        np.testing.assert_array_equal(saved.load(path).pictures(latents), generator(latents))


def test_the_example_is_true(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = dataclasses.replace(PRESETS["article-lite"], precision="float32")
    place = tmp_path / "outputs" / "000-article-lite" / "generator.keras"
    saved.write(place, models.build_portable_generator(recipe))
    (example,) = doctest.DocTestFinder().find(
        saved.load, globs={"saved": saved, "latents": latents_module}
    )
    assert doctest.DocTestRunner().run(example) == (0, 2)


def test_a_file_says_all_that_there_is_to_know(tmp_path, tiny):
    recipe = dataclasses.replace(tiny, conditions="Smiling", channels=1)
    path = tmp_path / "generator.keras"
    saved.write(path, models.build_portable_generator(recipe), Facts("celeba", KNOWN))
    assert member(path, "kerasgan.json") == {
        "version": kerasgan.__version__,
        "size": 32,
        "channels": 1,
        "range": [-1, 1],
        "latent_dim": 8,
        "crop": "celeba",
        "conditions": {"kind": "attributes", "names": ["Smiling"], "values": [[1], [-1]]},
    }
    generator = saved.load(path)
    assert (generator.height, generator.width, generator.channels) == (32, 32, 1)
    assert (generator.latent_dim, generator.facts.crop) == (8, "celeba")
    assert generator.facts.version == kerasgan.__version__ and generator.file == path
    assert generator.conditions.names == ["Smiling"]
    assert generator.conditions.values.tolist() == [[1], [-1]]


def test_a_foreign_file_shows_its_facts_by_its_network(tmp_path):
    inputs = keras.Input((5,))
    pictures = keras.layers.Reshape((4, 6, 3))(keras.layers.Dense(72, "tanh")(inputs))
    keras.Model(inputs, pictures).save(tmp_path / "other.keras")
    generator = saved.load(tmp_path / "other.keras")
    assert (generator.latent_dim, generator.height, generator.width) == (5, 4, 6)
    assert generator.facts == Facts(crop=None, conditions=None, version=None)


def test_a_file_of_an_older_version_keeps_its_conditions(tmp_path, tiny):
    recipe = dataclasses.replace(tiny, conditions="Smiling")
    path = tmp_path / "generator.keras"
    saved.write(path, models.build_portable_generator(recipe))
    old = json.dumps(KNOWN.to_json())
    rewrite(path, {"kerasgan.json": None, "conditions.json": old})
    assert saved.load(path).conditions.values.tolist() == [[1], [-1]]


def test_what_is_no_generators_place_is_explained(tmp_path):
    assert "none yet; it is written with the first checkpoint" in refused(tmp_path)
    assert "does not exist" in refused(tmp_path / "missing.keras")


# Drawing


@pytest.mark.parametrize("preset", ["fast", "dcgan", "mlp", "progressive"])
def test_compiled_pictures_are_those_of_the_training_to_the_bit(preset):
    """Weights far from the first ones, so that no rounding is hidden by what is alike."""
    recipe = dataclasses.replace(PRESETS[preset], width=1 / 8, precision="float32")
    model = models.build_portable_generator(recipe)
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight.numpy() + 0.05 * rng.normal(size=weight.shape).astype("f"))
    latents = latents_of(40, recipe.latent_dim)
    drawn = SavedGenerator(model).draw(latents)
    assert drawn.dtype == np.uint8 and len(np.unique(drawn)) > 10
    np.testing.assert_array_equal(drawn, saved.draw(model, latents))
    by_hand = np.concatenate(
        [model(part, training=False) for part in (latents[:16], latents[16:32])]
    )
    by_hand = np.clip(np.rint((by_hand + 1) * 127.5), 0, 255)
    np.testing.assert_array_equal(drawn[:32], by_hand)


def test_a_picture_does_not_depend_on_how_many_are_drawn_with_it(tiny):
    generator = SavedGenerator(models.build_portable_generator(tiny))
    latents = latents_of(40)
    together = generator.draw(latents)
    assert together.shape == (40, 32, 32, 3)
    for draw in (generator.draw, lambda some: saved.draw(generator.model, some)):
        for count in (1, 17):
            np.testing.assert_array_equal(draw(latents[:count]), together[:count])


def test_conditions_reach_the_pictures(tiny):
    recipe = dataclasses.replace(tiny, conditions="Smiling")
    model = models.build_portable_generator(recipe)
    generator = SavedGenerator(model, Facts(conditions=KNOWN))
    latents, conditions = latents_of(3), np.array([[1], [-1], [1]], "f")
    expected = model([latents, conditions])
    np.testing.assert_array_equal(generator.pictures(latents, conditions), expected)
    np.testing.assert_array_equal(
        generator.draw(latents, conditions), saved.draw(model, latents, conditions)
    )


def test_pictures_have_a_slope_where_they_are_too_bright():
    """One number times 2, clipped: by hand, 2 at 1 and a slope of 2."""
    inputs = keras.Input((1,))
    twice = keras.layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(2))
    x = keras.layers.Reshape((1, 1, 1))(twice(inputs))
    generator = SavedGenerator(keras.Model(inputs, keras.layers.Activation("hard_tanh")(x)))
    latent = tf.constant([[1.0]])
    with tf.GradientTape() as tape:
        tape.watch(latent)
        picture = generator.pictures(latent)
    assert float(picture[0, 0, 0, 0]) == 2
    assert float(tape.gradient(picture, latent)[0, 0]) == 2
    assert generator.draw(latent.numpy()).item() == 255


def test_tanh_is_a_part_of_the_picture():
    inputs = keras.Input((1,))
    x = keras.layers.Activation("tanh")(keras.layers.Reshape((1, 1, 1))(inputs))
    picture = SavedGenerator(keras.Model(inputs, x)).pictures(tf.constant([[2.0]]))
    assert float(picture[0, 0, 0, 0]) == pytest.approx(np.tanh(2), rel=1e-6)


def test_drawing_leaves_a_training_in_the_process_as_it_was(file, tiny, reals):
    ends = []
    for drawn in (False, True):
        random.seed(7)
        gan = GAN(tiny)
        gan.train_on_batch(reals[:4])
        if drawn:
            saved.load(file).draw(latents_of(3))
            saved.draw(gan.generator, latents_of(3))
        scalars = gan.train_on_batch(reals[4:8])
        state = [*map(float, scalars.values()), *map(np.sum, gan.generator.get_weights())]
        ends.append((state, random.getstate()))
    assert ends[0] == ends[1]


# Files from elsewhere


def model_with(layer):
    inputs = keras.Input((12,))
    return keras.Model(inputs, keras.layers.Reshape((2, 2, 3))(layer(inputs)))


def test_code_in_a_lambda_is_not_loaded(tmp_path):
    path = tmp_path / "g.keras"
    model_with(keras.layers.Lambda(lambda x: 2 * x, output_shape=(12,))).save(path)
    assert "which has keras.layers.Lambda" in refused(path)


LAYERS = {
    "TFSMLayer": ("keras.layers", "TFSMLayer", None),
    "vocabulary": ("keras.layers", "StringLookup", None),
    "module": ("os", "Dense", None),
    "no module": (None, "Dense", None),
    "registered": ("keras.layers", "Dense", "Evil>Dense"),
    "unsafe": ("keras.config", "function", "enable_unsafe_deserialization"),
    "typespec": ("keras.layers", "__typespec__", None),
    "number": ("keras.layers", 7, None),
    "list": (["keras.layers"], "Dense", None),
}


@pytest.mark.parametrize("odd", LAYERS)
def test_layers_that_are_not_among_the_harmless_are_named(file, odd):
    module, name, registered = LAYERS[odd]
    layers = member(file, "config.json")
    inner = {"module": module, "class_name": name, "registered_name": registered, "config": {}}
    layers["config"]["layers"][2]["config"]["kernel_initializer"] = {"deeper": [inner]}
    rewrite(file, {"config.json": json.dumps(layers)})
    message = refused(file)
    assert "layers that hold no code" in message and str(name) in message
    assert (registered or "") in message


def test_the_model_itself_is_checked_too(file):
    layers = member(file, "config.json") | {"module": "keras.layers", "class_name": "TFSMLayer"}
    rewrite(file, {"config.json": json.dumps(layers)})
    assert "keras.layers.TFSMLayer" in refused(file)


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_trained_here_is_harmless(preset, tmp_path):
    recipe = dataclasses.replace(PRESETS[preset], width=1 / 16, precision="float32")
    model = models.build_portable_generator(recipe)
    names = recipe.conditions.split(",") if recipe.condition_size else []
    known = Conditions(names, np.ones((1, len(names)), np.int8)) if names else None
    saved.write(tmp_path / "g.keras", model, Facts(conditions=known))
    assert saved.load(tmp_path / "g.keras").latent_dim == recipe.latent_dim


def usual():
    """What other people's generators are made of."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(16, kernel_initializer="he_normal", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.LeakyReLU(0.2),
            layers.Reshape((2, 2, 4)),
            layers.UpSampling2D(),
            layers.SpectralNormalization(layers.Conv2D(4, 3, padding="same", activation="relu")),
            layers.GroupNormalization(2),
            layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh"),
        ]
    )


def test_generators_of_other_people_are_opened(tmp_path):
    compiled = usual()
    compiled.compile("adam", "binary_crossentropy")
    inputs = keras.Input((6,))
    summed = keras.Model(inputs, 0.5 * usual()(inputs) + 0.5)
    for model in (compiled, summed):
        model.save(tmp_path / "g.keras")
        assert saved.load(tmp_path / "g.keras").draw(latents_of(2, 6)).shape == (2, 8, 8, 3)


@pytest.mark.parametrize("name", ["config.json", "kerasgan.json", "conditions.json"])
def test_a_member_that_unpacks_without_end_is_not_read(file, name, peak):
    """64 MB of blanks: valid JSON with a number behind them, and 64 kB as an archive has them."""
    drop = {"kerasgan.json": None} if name == "conditions.json" else {}
    rewrite(file, {**drop, name: b" " * 2**26 + b"1"})
    assert file.stat().st_size < 2**20
    assert peak(lambda: refused(file)) < 3 * network_file.MAX_JSON
    assert f"whose {name} is not of" in refused(file)


def test_a_member_whose_size_is_a_lie_is_not_read(file, peak):
    rewrite(file, {"kerasgan.json": b" " * 2**26 + b"1"})
    content = bytearray(file.read_bytes())
    for start in range(len(content)):  # in the list at the end, where the size is claimed
        if content[start : start + 4] == b"PK\x01\x02" and content[start + 46 :].startswith(
            b"kerasgan.json"
        ):
            content[start + 24 : start + 28] = (100).to_bytes(4, "little")
    file.write_bytes(content)
    assert peak(lambda: refused(file)) < 3 * network_file.MAX_JSON


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ([], "holds no facts"),
        ({"crop": 3}, "an odd crop"),
        ({"version": [1]}, "an odd version"),
        ({"latent_dim": 9}, "with latent_dim 9 for 8"),
        ({"size": "a\nb"}, "with size a\\nb for 32"),
        ({"range": [0, 1]}, "with range [0, 1] for [-1, 1]"),
        ({"conditions": {"kind": "attributes"}}, "should hold conditions"),
        ({"conditions": {"kind": "x", "names": ["a"], "values": [[10**30]]}}, "hold conditions"),
    ],
)
def test_facts_that_are_odd_or_do_not_fit_are_explained(file, facts, word):
    rewrite(file, {"kerasgan.json": json.dumps(facts)})
    assert word in refused(file)


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b"\xff\xfe\xfa", b""])
def test_a_list_of_layers_that_cannot_be_read_is_explained(file, content):
    rewrite(file, {"config.json": content})
    assert "config.json is no" in refused(file)


def test_members_that_do_not_belong_there_are_named(file):
    rewrite(file, {"assets/vocabulary.txt": b"x"})
    assert "assets/vocabulary.txt, which does not belong there" in refused(file)
    rewrite(file, {"assets/vocabulary.txt": None, "config.json": None})
    assert "without config.json" in refused(file)


def test_two_members_of_one_name_are_refused(file):
    """What is checked would be one of them, and what is loaded the other."""
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", b"{}")
    assert "with config.json, which does not belong there" in refused(file)


def test_other_formats_and_other_zips_are_refused(file, tmp_path):
    h5 = tmp_path / "generator.h5"
    h5.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    assert "an HDF5 file that is damaged" in refused(h5)
    renamed = h5.rename(tmp_path / "renamed.keras")
    assert "an HDF5 file that is damaged" in refused(renamed)
    pictures = tmp_path / "pictures.keras"
    with zipfile.ZipFile(pictures, "w") as archive:
        archive.writestr("00.png", b"x")
    assert "with 00.png, which does not belong there" in refused(pictures)
    as_zip = file.rename(tmp_path / "generator.zip")
    assert "which is a file of another kind" in refused(as_zip)


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        ("not a zip", "no zip archive"),
        ("middle", "which is damaged"),
        ("end", "which is"),
        ("cut", "no zip archive"),
        ("encrypted", "which is damaged"),
    ],
)
def test_a_damaged_generator_is_explained(file, damage, word):
    whole = bytearray(file.read_bytes())
    if damage == "not a zip":
        whole = b"PK\x03\x04 not really"
    elif damage == "cut":
        whole = whole[: len(whole) // 2]
    elif damage == "encrypted":
        place = whole.rfind(b"PK\x01\x02", 0, whole.find(b"config.json", len(whole) - 500))
        whole[place + 8] |= 1
        assert member(file, "config.json")
    else:
        start = len(whole) // 2 if damage == "middle" else len(whole) - 200
        # Flipped, not zeroed: there are zeros enough in the file as it is.
        whole[start : start + 100] = bytes(255 - byte for byte in whole[start : start + 100])
    file.write_bytes(whole)
    assert word in refused(file)


def test_a_model_that_is_no_generator_is_refused(tmp_path):
    pictures = keras.Input((4, 4, 3))
    verdict = keras.layers.Dense(1)(keras.layers.Flatten()(pictures))
    model = keras.Model(pictures, verdict)
    with pytest.raises(UserError, match="A generator should map latents"):
        SavedGenerator(model)
    model.save(tmp_path / "discriminator.keras")
    assert "A generator should map latents" in refused(tmp_path / "discriminator.keras")
