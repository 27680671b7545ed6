"""The run folder: what is written can be read back, and a broken one is explained."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from kerasgan import models, runs
from kerasgan.backend import tf
from kerasgan.cli import UserError
from kerasgan.gan import GAN
from kerasgan.runs import Checkpoints, Run, next_run_folder


def state(gan):
    optimizers = (gan.generator_optimizer, gan.discriminator_optimizer)
    return [
        int(gan.iteration),
        *gan.generator.get_weights(),
        *gan.discriminator.get_weights(),
        *[variable.numpy() for optimizer in optimizers for variable in optimizer.variables],
    ]


def test_recipe_survives(tmp_path, tiny):
    run = Run(tmp_path / "run")
    run.create(tiny)
    assert run.read_recipe() == tiny


def test_a_run_is_never_overwritten(tmp_path, tiny):
    Run(tmp_path / "run").create(tiny)
    with pytest.raises(UserError, match="should name a new folder"):
        Run(tmp_path / "run").create(dataclasses.replace(tiny, seed=5))
    assert Run(tmp_path / "run").read_recipe() == tiny


def test_run_folders_are_numbered(tmp_path):
    assert next_run_folder(tmp_path / "none", "article").name == "000-article"
    for name in ("000-article", "009-article-lite", "mine", "12"):
        (tmp_path / name).mkdir()
    assert next_run_folder(tmp_path, "article").name == "010-article"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (None, "should hold recipe.json"),
        ("{", "readable JSON"),
        ("[]", "JSON object"),
        ('{"colour": 1}', "colour"),
        ('{"iters": "many"}', "iters"),
    ],
)
def test_a_broken_recipe_is_explained(tmp_path, text, word):
    if text is not None:
        (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(UserError, match=word):
        Run(tmp_path).read_recipe()


def test_log_is_cut_at_an_iteration_and_a_half_line_is_dropped(tmp_path):
    run = Run(tmp_path)
    lines = "".join(f'{{"iteration": {i}, "d_loss": 0.5}}\n' for i in range(1, 6))
    run.log.write_text(lines + '{"iteration": 6, "d_l')
    assert [line["iteration"] for line in run.cut_log(3)] == [1, 2, 3]
    assert run.log.read_text() == "".join(lines.splitlines(keepends=True)[:3])


def test_checkpoint_holds_everything(tmp_path, tiny, reals):
    gan = GAN(tiny)
    checkpoints = Checkpoints(gan, tmp_path, keep=2)
    for _ in range(3):
        gan.train_on_batch(reals[:4])
    checkpoints.save()
    other = GAN(dataclasses.replace(tiny, seed=1))
    assert Checkpoints(other, tmp_path, keep=2).restore() == 3
    for a, b in zip(state(gan), state(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_last_few_checkpoints_are_kept(tmp_path, tiny):
    gan = GAN(tiny)
    checkpoints = Checkpoints(gan, tmp_path, keep=2)
    for iteration in (5, 10, 15):
        gan.iteration.assign(iteration)
        checkpoints.save()
    assert sorted(path.name for path in tmp_path.glob("*.index")) == [
        "iteration-10.index",
        "iteration-15.index",
    ]


def test_a_cut_checkpoint_falls_back_to_the_one_before(tmp_path, tiny, reals, capsys):
    gan = GAN(tiny)
    checkpoints = Checkpoints(gan, tmp_path, keep=3)
    gan.train_on_batch(reals[:4])
    checkpoints.save()
    good = state(gan)
    gan.train_on_batch(reals[4:8])
    checkpoints.save()
    data = tmp_path / "iteration-2.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    other = GAN(tiny)
    assert Checkpoints(other, tmp_path, keep=3).restore() == 1
    assert "iteration-2 cannot be read" in capsys.readouterr().out
    for a, b in zip(good, state(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_checkpoint_is_a_new_training(tmp_path, tiny):
    assert Checkpoints(GAN(tiny), tmp_path, keep=3).restore() == 0


@pytest.mark.slow
def test_generator_opens_with_kerasgan_not_installed(tmp_path, tiny):
    generator = models.build_generator(tiny)
    runs.write_generator(tmp_path / "generator.keras", generator)
    latents = np.random.default_rng(0).normal(size=(2, 8)).astype("f")
    np.save(tmp_path / "latents.npy", latents)
    script = """
import sys
sys.modules["kerasgan"] = None  # an import of it would fail
import keras, numpy
model = keras.models.load_model("generator.keras")
numpy.save("pictures.npy", model.predict(numpy.load("latents.npy"), verbose=0))
"""
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_allclose(
        np.load(tmp_path / "pictures.npy"), generator(latents).numpy(), atol=1e-6
    )


def test_load_generator_from_run_and_file(tmp_path, tiny):
    generator = models.build_generator(tiny)
    runs.write_generator(tmp_path / "generator.keras", generator)
    latents = tf.ones((1, 8))
    for path in (tmp_path, tmp_path / "generator.keras", str(tmp_path)):
        np.testing.assert_array_equal(runs.load_generator(path)(latents), generator(latents))


def test_load_generator_explains_what_is_wrong(tmp_path):
    with pytest.raises(UserError, match="none yet; it is written with the first checkpoint"):
        runs.load_generator(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        runs.load_generator(tmp_path / "missing.keras")
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(UserError, match="which Keras refuses"):
        runs.load_generator(broken)
