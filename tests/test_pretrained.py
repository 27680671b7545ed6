"""The generators that come along: what each has, and that every command takes its name."""

import json
import shutil
from contextlib import closing
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from kerasgan import (
    directions,
    edit,
    encoder,
    evaluate,
    latents,
    pretrained,
    restore,
    sample,
    saved,
    train,
    verdicts,
)
from kerasgan.data.built_in import BuiltInSource
from kerasgan.recipes import Recipe
from kerasgan.runs import Run

NAMES = ("drawn64", "faces64")
MEGABYTES = 24  # of all of them together

along = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def face(tmp_path):
    """A drawn face that no network has seen: those of the set are numbered from 0 to 9,999."""
    path = tmp_path / "face.png"
    with closing(BuiltInSource(10_001)) as source:
        *_, last = source.items()
        Image.fromarray(last.fetch()).save(path)
    return path


def test_they_are_small():
    assert pretrained.names() == sorted(NAMES)
    size = sum(path.stat().st_size for path in pretrained.FOLDER.rglob("*") if path.is_file())
    assert size < MEGABYTES * 1e6


@along
def test_each_has_all_that_restoring_editing_and_starting_take(name):
    folder = pretrained.folder(name)
    assert {path.name for path in folder.iterdir()} == {
        *("README.md", "generator.keras", "discriminator.keras", "recipe.json"),
        *("evaluation.json", encoder.NAME, directions.FILE),
    }
    recipe = Run(folder).read_recipe()
    generator = saved.load(name)
    assert isinstance(recipe, Recipe)
    assert (generator.height, generator.channels) == (recipe.size, 3)
    assert name.endswith(str(recipe.size))
    assert encoder.read(generator.beside(encoder.NAME), generator) is not None
    assert directions.read(generator)
    judge = verdicts.load(name)
    verdicts.require_the_same_pictures(judge, generator)


@along
def test_a_card_tells_sources_commands_figures_and_faults(name):
    card = (pretrained.folder(name) / pretrained.CARD).read_text()
    report = json.loads((pretrained.folder(name) / "evaluation.json").read_text())
    for word in (
        "**Pictures**",
        "MIT",
        "**Known faults**",
        "python -m kerasgan.train",
        "Nearest",
    ):
        assert word in card
    assert f"Faces are found in {100 * report['generated']['faces_found']:.1f}%" in card


@along
def test_faces_are_whole_pictures_that_differ(name, tmp_path):
    out = tmp_path / "grid.png"
    assert sample.main([name, "--grid", "4x4", "--seed", "3", "--out", str(out)]) == 0
    size = saved.load(name).height
    with Image.open(out) as grid:
        cells = np.asarray(grid, float)
    assert cells.shape == (4 * size, 4 * size, 3)
    faces = cells.reshape(4, size, 4, size, 3).swapaxes(1, 2).reshape(16, size, size, 3)
    assert min(np.abs(one - other).mean() for one, other in combinations(faces, 2)) > 10
    assert 40 < faces.mean() < 215


def test_the_discriminator_tells_reals_from_fakes():
    size = saved.load("drawn64").height
    with closing(BuiltInSource(32)) as source:
        reals = [Image.fromarray(item.fetch()).resize((size, size)) for item in source.items()]
    drawn = saved.load("drawn64").draw(latents.draw(32, 64, 0))
    judge = verdicts.load("drawn64")
    assert judge.judge(np.stack([*map(np.asarray, reals)])).mean() > judge.judge(drawn).mean()


@along
def test_help_names_it(name):
    for command in (sample, train, evaluate, restore, edit):
        assert name in " ".join(command.build_parser().format_help().split())


@along
def test_a_face_is_inverted_and_edited(name, face, tmp_path):
    out = tmp_path / "out"
    words = [name, str(face), "--steps", "8", "--out", str(out)]
    assert restore.main(["invert", *words]) == 0
    assert {path.name for path in out.iterdir()} == {"face.png", "face-sheet.png", "results.jsonl"}
    direction = next(iter(directions.read(saved.load(name))))
    words = ["--attribute", direction, "-n", "2", "--out", str(tmp_path / "edited")]
    assert edit.main([name, *words]) == 0
    assert list((tmp_path / "edited").glob(f"*-{direction}.png"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["drawn64", "faces64"])
def test_a_training_starts_from_it(name, drawn_faces, tmp_path):
    where = ["--data", str(drawn_faces), "--cache", str(tmp_path / "cache")]
    words = ["--start-from", name, "--iters", "2", "--out", str(tmp_path / "run")]
    assert train.main([*words, *where]) == 0
    run = Run(tmp_path / "run")
    assert json.loads((run.folder / "run.json").read_text())["start"]["place"] == name
    shown = np.asarray(Image.open(run.control_grid(0)), float)
    shutil.rmtree(run.folder / "checkpoints")
    assert shown.std() > 20  # faces from the beginning, not noise
