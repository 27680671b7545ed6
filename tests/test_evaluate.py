"""The command from end to end on tiny generators, its report, and what users get wrong."""

import dataclasses
import errno
import json
import os
import pathlib
import random
import shutil
import sys
from functools import partial

import numpy as np
import pytest
from PIL import Image

from kerasgan import data, evaluate, latents, metrics, models, runs, saved
from kerasgan.backend import keras, tf
from kerasgan.checkpoints import Checkpoints
from kerasgan.conditions import Conditions
from kerasgan.errors import UserError
from kerasgan.gan import GAN
from kerasgan.metrics import detection
from kerasgan.metrics import evaluator as measuring
from kerasgan.metrics.features import Features
from kerasgan.runs import Run

DIM = 4


def build(channels=3, size=16, bias=0.0):
    """A generator of one dense layer and tanh."""
    keras.utils.set_random_seed(channels)
    inputs = keras.Input((DIM,))
    start = keras.initializers.Constant(bias)
    x = keras.layers.Dense(size * size * channels, activation="tanh", bias_initializer=start)
    return keras.Model(inputs, keras.layers.Reshape((size, size, channels))(x(inputs)))


@pytest.fixture
def reals(tmp_path):
    """A folder of 24 pictures of 16x16."""
    folder = tmp_path / "reals"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(24):
        picture = rng.integers(0, 60, (16, 16, 3)) + rng.integers(0, 190, 3)
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{index:02d}.png")
    return folder


@pytest.fixture
def run(tmp_path, tiny):
    folder = tmp_path / "outputs" / "000-a"
    folder.mkdir(parents=True)
    build().save(folder / "generator.keras")
    return folder


class Network:
    """Stands for a feature network: the mean colour of a picture's quarters; counts batches."""

    def __init__(self):
        self.calls = 0

    def __call__(self, pictures):
        self.calls += 1
        return tf.reshape(pictures, (-1, 12))


@pytest.fixture
def network(monkeypatch):
    network = Network()

    def load(name, weights=None):
        return Features(name, 2, 127, 128, "stub", network)

    monkeypatch.setattr(measuring.networks, "load", load)
    return network


def command(*words, cache, code=0):
    flags = ["--no-detection", "--cache", str(cache)]
    assert evaluate.main([*map(str, words), *flags]) == code


def read(path):
    return json.loads(path.read_text())


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.slow
def test_a_run_from_end_to_end(run, reals, tmp_path, capsys):
    """With the true networks, and few pictures."""
    words = [str(run), "--data", str(reals), "--cache", str(tmp_path / "cache"), "-n", "20"]
    assert evaluate.main([*words, "--sheet"]) == 0
    report = read(run / "evaluation.json")
    assert report["generated"]["count"] == 20 and report["floor"]["count"] == 12
    for name in ("efficientnet-lite0", "face"):
        bad, good = (report[row][name] for row in ("generated", "floor"))
        assert bad["kid_x1000_low"] <= bad["kid_x1000"] <= bad["kid_x1000_high"]
        assert bad["kid_x1000"] > good["kid_x1000"] and bad["frechet"] > good["frechet"]
        assert 0 <= bad["precision"] <= 1 and 0 <= bad["recall"] <= 1
    assert report["generated"]["faces_found"] == report["real"]["faces_found"] == 0
    assert report["noise"] == {"count": 200, "faces_found": pytest.approx(0, abs=0.05)}
    protocol = report["protocol"]
    assert (protocol["count"], protocol["reals"], protocol["size"]) == (20, 24, "16x16x3")
    assert "subsets of 10" in protocol["parts"]["face"]["kid"]
    assert len({part["id"] for part in protocol["parts"].values()}) == 3
    out = capsys.readouterr().out
    assert f"[{protocol['parts']['face']['id']}]" in out
    assert out.endswith(f"{run / 'evaluation.json'}\n{run / 'memorisation.png'}\n")
    assert pixels(run / "memorisation.png").shape[1] == 8 + 4 * (2 * 128 + 8)


def test_what_is_measured_is_what_the_latents_of_the_seed_draw(run, reals, tmp_path, network):
    command(run, "--data", reals, "-n", 16, "--seed", 3, cache=tmp_path / "c")
    figures = read(run / "evaluation.json")["generated"]["face"]
    drawn = saved.load(run).draw(latents.draw(16, DIM, 3))
    known = np.stack([pixels(path) for path in sorted(reals.iterdir())])
    stub = Features("face", 2, 127, 128, "stub", lambda x: tf.reshape(x, (-1, 12)))
    means = [stub(x).astype(np.float64).mean(axis=0) for x in (drawn, known)]
    covariances = [np.cov(stub(x).T) for x in (drawn, known)]
    shared = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(0)).sum()
    expected = np.sum((means[0] - means[1]) ** 2) + sum(map(np.trace, covariances)) - 2 * shared
    assert figures["frechet"] == pytest.approx(expected, rel=1e-3)


def test_real_features_are_computed_once(run, reals, tmp_path, network):
    command(run, "--data", reals, "-n", 16, "--features", "face", cache=tmp_path / "c")
    traced = network.calls
    (kept,) = (tmp_path / "c" / "metrics").iterdir()
    changed = kept.stat().st_mtime_ns
    first = read(run / "evaluation.json")
    command(run, "--data", reals, "-n", 16, "--features", "face", cache=tmp_path / "c")
    assert kept.stat().st_mtime_ns == changed and traced
    assert read(run / "evaluation.json") == first
    Image.new("RGB", (16, 16), "red").save(reals / "new.png")
    command(run, "--data", reals, "-n", 16, "--features", "face", cache=tmp_path / "c")
    assert len(list((tmp_path / "c" / "metrics").iterdir())) == 2
    second = read(run / "evaluation.json")
    assert second["protocol"]["parts"]["face"]["id"] != first["protocol"]["parts"]["face"]["id"]


def test_the_protocols_name_tells_figures_apart(run, reals, tmp_path, network):
    def name(*flags):
        command(run, "--data", reals, "--features", "face", *flags, cache=tmp_path / "c")
        return read(run / "evaluation.json")["protocol"]["parts"]["face"]["id"]

    assert name("-n", 16) == name("-n", 16, "--seed", 1)
    assert name("-n", 16) != name("-n", 17)
    assert name("-n", 16) != name("-n", 16, "--limit", 20)


def test_a_run_knows_its_pictures_and_says_when_they_have_changed(
    run, reals, tmp_path, network, tiny, capsys
):
    pictures = data.load(str(reals), size=16, cache=tmp_path / "c")
    used = {"fingerprint": pictures.fingerprint, "count": 24}
    facts = {"data": pictures.request.to_json() | used, runs.MACHINE: runs.mark_of_machine()}
    Run(run).write_facts(facts)
    command(run, "-n", 16, cache=tmp_path / "c")
    assert read(run / "evaluation.json")["data"]["fingerprint"] == pictures.fingerprint
    assert "warning" not in capsys.readouterr().out
    shutil.copyfile(run / "generator.keras", run / "generator-best.keras")
    command(run / "generator-best.keras", "-n", 16, cache=tmp_path / "c")
    assert read(run / "generator-best-evaluation.json")["data"]["fingerprint"] == (
        pictures.fingerprint
    )
    (reals / "00.png").unlink()
    command(run, "-n", 16, cache=tmp_path / "c")
    assert "warning: these are not the very pictures" in capsys.readouterr().out


def test_a_run_from_another_machine_is_told_where_its_pictures_are(
    run, reals, tmp_path, network, capsys
):
    pictures = data.load(str(reals), size=16, cache=tmp_path / "c")
    used = {"fingerprint": pictures.fingerprint, "count": 24}
    Run(run).write_facts({"data": pictures.request.to_json() | used})
    command(run, "-n", 16, cache=tmp_path / "c", code=2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Type --data SOURCE" in error
    command(run, "-n", 16, "--data", reals, cache=tmp_path / "c")


def test_a_run_with_conditions_knows_its_pictures(reals, tmp_path, network, tiny, capsys):
    rows = [f"{index:02d}.png,{1 if index % 3 else -1}" for index in range(24)]
    (reals / "list_attr_celeba.csv").write_text("\n".join(["image_id,Smiling", *rows]))
    recipe = dataclasses.replace(tiny, conditions="Smiling")
    pictures = data.load(str(reals), size=tiny.size, cache=tmp_path / "c")
    run = runs.begin_run(recipe, pictures, out=tmp_path / "outputs" / "001-b")
    known = Conditions(["Smiling"], pictures.table.attributes)
    saved.write(run.generator, models.build_portable_generator(recipe), saved.Facts("auto", known))
    command(run.folder, "-n", 16, cache=tmp_path / "c")
    report = read(run.folder / "evaluation.json")
    assert report["data"]["fingerprint"] == pictures.fingerprint
    assert report["generated"]["count"] == 16
    assert "warning" not in capsys.readouterr().out


def test_pictures_of_a_folder_against_themselves(reals, tmp_path, network):
    command(reals, "--data", reals, "-n", 24, "--sheet", cache=tmp_path / "c")
    report = read(tmp_path / "reals-evaluation.json")
    figures = report["generated"]["face"]
    assert figures["kid_x1000_low"] < 0 < figures["kid_x1000_high"]
    assert figures["frechet"] == pytest.approx(0, abs=1e-4)
    assert figures["precision"] == figures["recall"] == 1
    assert report["memorisation"]["median"] == pytest.approx(0, abs=1e-4)
    assert report["memorisation"]["real_median"] > 0.01
    sheet = pixels(tmp_path / "reals-memorisation.png")
    pair = sheet[8 : 8 + 128, 8 : 8 + 256].reshape(128, 2, 128, 3)
    np.testing.assert_array_equal(pair[:, 0], pair[:, 1])  # each is its own nearest


def test_a_grey_generator_file_and_out(reals, tmp_path, network):
    build(channels=1).save(tmp_path / "mnist.keras")
    command(tmp_path / "mnist.keras", "--data", reals, "-n", 16, cache=tmp_path / "c")
    assert read(tmp_path / "mnist-evaluation.json")["protocol"]["size"] == "16x16x1"
    out = tmp_path / "new" / "x.json"
    command(tmp_path / "mnist.keras", "--data", reals, "-n", 16, "--out", out, "--sheet",
            cache=tmp_path / "c")  # fmt: skip
    assert sorted(path.name for path in out.parent.iterdir()) == ["x-memorisation.png", "x.json"]


@pytest.mark.parametrize(
    ("flags", "rule"),
    [
        (["-n", "7"], "`-n` should be from 8"),
        (["--seed", "-1"], "`--seed` should be at least 0"),
        (["--out", "x.txt"], "`--out` should end in .json"),
        (["--features-weights", "x.h5"], "is for --features inception"),
        (["--size", "32"], "measured at their own size"),
        (["--limit", "15"], "at least 16 pictures. Received: 15 in "),
    ],
)
def test_mistakes_are_one_line(run, reals, tmp_path, network, capsys, flags, rule):
    command(run, "--data", reals, *flags, cache=tmp_path / "c", code=2)
    error = capsys.readouterr().err
    assert rule in error and error.count("\n") == 1


def test_what_to_measure_should_exist_and_say_its_data(run, tmp_path, capsys):
    command(tmp_path / "none", "--data", tmp_path, cache=tmp_path / "c", code=2)
    assert "which does not exist" in capsys.readouterr().err
    command(run / "generator.keras", cache=tmp_path / "c", code=2)
    assert "`--data` should name the real pictures" in capsys.readouterr().err
    (run / "generator.keras").unlink()
    (run / "recipe.json").write_text("{}")
    command(run, "--data", tmp_path, cache=tmp_path / "c", code=2)
    assert "has none yet" in capsys.readouterr().err


def photographs(folder, sides):
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(16):
        picture = Image.fromarray(rng.integers(0, 255, (3, 4, 3), np.uint8))
        picture.resize(sides).save(folder / f"{index}.png")
    return folder


@pytest.mark.parametrize(
    ("sides", "size"), [((1300, 1100), 1024), ((40, 30), 30), ((1100, 1024), 1024)]
)
def test_photographs_are_read_at_a_size_that_there_is(tmp_path, network, sides, size):
    folder = photographs(tmp_path / "photographs", sides)
    command(folder, "--data", folder, "-n", 8, "--features", "face", cache=tmp_path / "c")
    report = read(tmp_path / "photographs-evaluation.json")
    assert report["protocol"]["size"] == f"{size}x{size}x3"


def test_a_generator_too_large_to_measure_names_no_flag(reals, tmp_path, network, capsys):
    inputs = keras.Input((DIM,))
    x = keras.layers.UpSampling2D(1025)(keras.layers.Reshape((1, 1, DIM))(inputs))
    keras.Model(inputs, keras.layers.Conv2D(3, 1, activation="tanh")(x)).save(tmp_path / "a.keras")
    command(tmp_path / "a.keras", "--data", reals, cache=tmp_path / "c", code=2)
    error = capsys.readouterr().err
    assert "1025x1025" in error and "--size" not in error and error.count("\n") == 1


def test_a_folder_of_pictures_named_by_a_dot(reals, tmp_path, network, monkeypatch, capsys):
    monkeypatch.chdir(reals)
    command(".", "--data", ".", "-n", 8, cache=tmp_path / "c")
    assert read(tmp_path / "reals-evaluation.json")["generated"]["count"] == 8
    (reals / "sub").mkdir()
    (tmp_path / "reals-evaluation.json").unlink()
    monkeypatch.chdir(reals / "sub")
    command("..", "--data", "..", "-n", 8, cache=tmp_path / "c")
    assert (tmp_path / "reals-evaluation.json").exists()
    assert len(list(reals.iterdir())) == 25


def test_a_run_named_by_a_dot(run, reals, tmp_path, network, monkeypatch):
    monkeypatch.chdir(run)
    command(".", "--data", reals, "-n", 8, "--sheet", cache=tmp_path / "c")
    assert (run / "evaluation.json").exists() and (run / "memorisation.png").exists()


@pytest.mark.parametrize(
    ("flags", "fact"),
    [
        (["--out", "folder.json"], "folder.json, which is a folder"),
        (["--out", "file/x.json"], "which lies in something that is no folder"),
        (["--out", "/dev/full/x.json"], "which lies in something that is no folder"),
        (["--sheet", "--out", "y.json"], "y-memorisation.png, which is a folder"),
    ],
)
def test_places_are_looked_at_before_the_work(
    run, reals, tmp_path, monkeypatch, capsys, flags, fact
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "y-memorisation.png").mkdir()
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(evaluate, "measure", lambda args: pytest.fail("it measured"))
    command(run, "--data", reals, *flags, cache=tmp_path / "c", code=2)
    error = capsys.readouterr().err
    assert fact in error and error.count("\n") == 1 and "Type --out FILE.json" in error


def test_what_was_measured_is_shown_though_it_cannot_be_written(
    run, reals, tmp_path, network, monkeypatch, capsys
):
    write_text = pathlib.Path.write_text

    def full(path, *rest, **more):
        if path.name.startswith(".evaluation"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_text(path, *rest, **more)

    monkeypatch.setattr(pathlib.Path, "write_text", full)
    command(run, "--data", reals, "-n", 8, "--features", "face", cache=tmp_path / "c", code=2)
    printed = capsys.readouterr()
    assert "KID x 1000" in printed.out and "real halves" in printed.out
    assert f"No space left on device: {run / 'evaluation.json'}. Make" in printed.err
    assert not list(run.glob(".*"))


def test_without_the_extra_it_says_what_to_install(run, reals, tmp_path, monkeypatch, capsys):
    for loaded in [name for name in sys.modules if name.split(".")[0] == "mtcnn"]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, "mtcnn", None)
    command(run, "--data", reals, "--features", "face", cache=tmp_path / "c", code=2)
    error = capsys.readouterr().err
    assert 'pip install "kerasgan[metrics]"' in error and error.count("\n") == 1


def test_pictures_of_another_size_are_refused(reals, tmp_path, network):
    pictures = data.load(str(reals), size=16, cache=tmp_path / "c")
    evaluator = metrics.Evaluator(pictures, count=8, detect=False)
    with pytest.raises(UserError, match="Received: 8x8 against 16x16"):
        evaluator.describe(np.zeros((10, 8, 8, 3), np.uint8))


@pytest.mark.slow
def test_measuring_leaves_a_training_as_it_was(tiny, reals, tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "NOISE", 8)  # pictures for the detector, in batches of
    monkeypatch.setattr(detection, "BATCH", 8)
    pictures = data.load(str(reals), size=tiny.size, cache=tmp_path / "c")
    batch = np.random.default_rng(1).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
    gan = GAN(tiny)
    gan.train_on_batch(batch)
    checkpoints = Checkpoints(gan, tmp_path / "checkpoints", keep=1)
    checkpoints.save()
    ends = []
    for measured in (False, True):
        checkpoints.restore()
        random.seed(7)
        if measured:
            evaluator = metrics.Evaluator(pictures, count=8, quiet=True)
            figures = evaluator.measure(partial(saved.draw, gan.generator), tiny.latent_dim)
            assert figures["count"] == 8 and "faces_found" in figures
        gan.train_on_batch(batch)
        weights = gan.generator.get_weights() + gan.discriminator.get_weights()
        ends.append((weights, random.getstate()))
    (first, first_state), (second, second_state) = ends
    assert all(map(np.array_equal, first, second)) and first_state == second_state


def test_a_conditional_generator_draws_as_its_pictures_are(tiny, tmp_path):
    recipe = dataclasses.replace(tiny, conditions="Smiling")
    known = Conditions(["Smiling"], np.array([[1], [1], [-1]], np.int8))
    path = tmp_path / "generator.keras"
    generator = models.build_portable_generator(recipe)
    saved.write(path, generator, saved.Facts(conditions=known))
    loaded = saved.load(path)
    drawn = latents.draw(6, recipe.latent_dim, 2)
    expected = saved.draw(loaded.model, drawn, known.draw(6, 2).vectors())
    np.testing.assert_array_equal(evaluate.draw_samples(loaded, 6, 2).pictures, expected)
