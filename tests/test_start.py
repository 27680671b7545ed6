"""A training that starts from another's networks: what it begins with, records and refuses."""

import json
import shutil

import numpy as np
import pytest

from kerasgan import pretrained, saved, start, train, verdicts
from kerasgan.gan import GAN
from kerasgan.recipes import architecture
from kerasgan.runs import Run

FAST = "--preset fast --size 32 --width 0.05"
OFTEN = "--grid-every 4 --checkpoint-every 4 --control-latents 4"


@pytest.fixture(scope="module")
def first(drawn_faces, tmp_path_factory):
    """A run of 4 iterations to start from; not to be changed."""
    folder = tmp_path_factory.mktemp("first")
    assert trained(drawn_faces, folder / "run", *FAST.split()) == 0
    return Run(folder / "run")


def trained(faces, out, *more):
    more = ["--precision", "float32", "--batch-size", 4, *more]
    where = ["--data", str(faces), "--cache", str(out.parent / "cache"), "--out", str(out)]
    return train.main([*OFTEN.split(), "--iters", "4", *where, *map(str, more)])


def newest(run):
    gan = GAN(run.read_recipe())
    from kerasgan.checkpoints import Checkpoints

    Checkpoints(gan, run.checkpoints, keep=3).restore()
    return gan


def test_both_networks_and_the_average_begin_with_the_weights(first, drawn_faces, tmp_path):
    gan = GAN(first.read_recipe())
    begun = start.read(first.folder)
    begun.give(gan)
    shown = saved.load(first.folder).model.get_weights()
    for network in (gan.generator, gan.ema_generator):
        for own, other in zip(network.get_weights(), shown, strict=True):
            np.testing.assert_array_equal(own, other)
    trained_d = newest(first).discriminator
    for own, other in zip(gan.discriminator.weights, trained_d.weights, strict=True):
        np.testing.assert_array_equal(own, other)
    assert int(gan.iteration) == 0
    assert all(not np.any(v) for v in gan.generator_optimizer.variables[2:])


def test_a_start_is_recorded_and_shown_in_the_first_grid(first, drawn_faces, tmp_path):
    out = tmp_path / "second"
    assert trained(drawn_faces, out, "--start-from", first.folder) == 0
    second = Run(out)
    known = json.loads((out / "run.json").read_text())["start"]
    fingerprint = saved.load(first.folder).fingerprint
    assert known == {"place": str(first.folder), "generator": fingerprint}
    assert architecture(second.read_recipe()) == architecture(first.read_recipe())
    last, begun = first.control_grid(4), second.control_grid(0)  # of the same latents
    assert last.read_bytes() == begun.read_bytes()
    assert second.read_recipe().preset == "fast"


@pytest.mark.slow
def test_a_run_that_was_started_from_another_resumes_to_the_bit(first, drawn_faces, tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    more = "--start-from", first.folder, "--keep-checkpoints", 9, "--iters", 8
    assert trained(drawn_faces, whole, *more) == 0
    shutil.copytree(whole, stopped)
    for path in [*(stopped / "checkpoints").glob("iteration-[48].*"), stopped / "generator.keras"]:
        path.unlink()  # as if it had been killed before its first checkpoint
    there = "--data", str(drawn_faces), "--cache", str(tmp_path / "cache")
    assert train.main(["--resume", str(stopped), *there]) == 0
    one, other = (newest(Run(folder)) for folder in (whole, stopped))
    for a, b in ((one.generator, other.generator), (one.discriminator, other.discriminator)):
        for own, same in zip(a.weights, b.weights, strict=True):
            np.testing.assert_array_equal(own, same)
    assert (whole / "log.jsonl").read_text() == (stopped / "log.jsonl").read_text()


@pytest.mark.slow
def test_a_network_that_has_grown_starts_at_its_full_size(drawn_faces, tmp_path):
    tiny = "--preset progressive --size 8 --width 0.02".split()
    assert trained(drawn_faces, tmp_path / "a", *tiny, "--stages", "4:1,8:1+rest") == 0
    assert trained(drawn_faces, tmp_path / "b", "--start-from", tmp_path / "a") == 0
    assert Run(tmp_path / "b").read_recipe().stages == "4:0,8:rest"
    grids = [Run(tmp_path / name).control_grid(n) for name, n in (("a", 4), ("b", 0))]
    assert grids[0].read_bytes() == grids[1].read_bytes()


def test_a_start_by_the_name_of_one_that_comes_along(
    first, drawn_faces, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "along")
    folder = tmp_path / "along" / "tiny32"
    shutil.copytree(first.folder, folder, ignore=shutil.ignore_patterns("checkpoints", "control"))
    (folder / "README.md").write_text("A card.")
    assert trained(drawn_faces, tmp_path / "second", "--start-from", "tiny32") == 0
    assert json.loads((tmp_path / "second/run.json").read_text())["start"]["place"] == "tiny32"
    assert "tiny32" in train.build_parser().format_help()
    assert trained(drawn_faces, tmp_path / "third", "--start-from", "tiny64") == 2
    assert "tiny32. Received: tiny64" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--size 64", "--size 64, with 32 in"),
        ("--conditions Smiling", "--conditions Smiling, with none in"),
        ("--preset dcgan", "--network dcgan, with fast in"),
        ("--d-width 0.5", "--d-width 0.5, with 1.0 in"),
        ("--resume {}", "--start-from with --resume"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(first, tmp_path, capsys, typed, said):
    typed = [word.format(first.folder) for word in typed.split()]
    assert train.main(["--start-from", str(first.folder), *typed]) == 2
    assert said in capsys.readouterr().err


def test_a_start_needs_both_networks_and_a_recipe(first, drawn_faces, tmp_path, capsys):
    assert trained(drawn_faces, tmp_path / "a", "--start-from", first.generator) == 2
    assert "a file. Name its run" in capsys.readouterr().err
    alone = tmp_path / "alone"
    alone.mkdir()
    for path in (first.generator, first.folder / "recipe.json"):
        shutil.copy(path, alone)
    assert trained(drawn_faces, tmp_path / "b", "--start-from", alone) == 2
    assert "without " + str(alone / verdicts.FILE) in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
    shutil.copy(first.discriminator, alone)
    recipe = json.loads((alone / "recipe.json").read_text()) | {"width": 0.1}
    (alone / "recipe.json").write_text(json.dumps(recipe))
    assert trained(drawn_faces, tmp_path / "c", "--start-from", alone) == 2
    assert "generator has other layers" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()
