"""Walks between pictures of one's own: they pass what was found, and what lies between is drawn."""

import av
import numpy as np
import pytest
import tiny_generators
from PIL import Image

from kerasgan import codes, latents, morph, restoration, sample, saved

SIDE = tiny_generators.SIDE


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A generator with an encoder, and three of its own faces as picture files."""
    folder = tmp_path_factory.mktemp("morph")
    generator = saved.load(tiny_generators.write_with_encoder(folder))
    for index, picture in enumerate(generator.draw(codes.draw(generator, 3, seed=5))):
        Image.fromarray(picture).resize((64, 64), Image.Resampling.NEAREST).save(
            folder / f"{'abc'[index]}.png"
        )
    return folder


@pytest.fixture(scope="module")
def walked(place):
    """A morph of the three pictures."""
    generator = saved.load(place / "generator.keras")
    given = morph.read(generator, [str(place / f"{name}.png") for name in "abc"], None)
    return morph.Morph(generator, given, steps=60)


def test_a_walk_passes_what_was_found_and_returns(walked):
    frames = list(walked.draw(4))
    assert len(frames) == 12 and frames[0].shape == (SIDE, SIDE, 3)
    found = np.rint((walked.found.pictures + 1) * 127.5)
    for row in range(3):
        assert np.abs(frames[4 * row] - found[row]).max() <= 1
    steps = np.abs(np.diff(np.array([*frames, frames[0]], int), axis=0)).mean(axis=(1, 2, 3))
    ends = np.abs(found - np.roll(found, -1, axis=0)).mean(axis=(1, 2, 3))
    assert steps.max() < ends.max() * 0.75  # no leap, at the seam neither
    assert steps.min() > 0


def test_frames_between_are_drawn_and_not_mixed(walked):
    """They follow from the latent half the way along the sphere, and half of each one's offsets."""
    middle = list(walked.draw(2))[1]
    first, second = walked.found.codes[:2]
    code = latents.slerp(first, second, 0.5)[None]
    offsets = walked.found.offsets[:2].mean(axis=0, keepdims=True)
    expected = (np.asarray(walked.search.draw(code, offsets)) + 1) * 127.5
    assert np.abs(middle - expected[0]).max() <= 1
    mixed = (walked.found.pictures[0] + walked.found.pictures[1] + 2) / 2 * 127.5
    assert np.abs(middle - mixed).mean() > 1


def test_the_pictures_are_met(walked, place):
    own = []
    for name in "abc":
        with Image.open(place / f"{name}.png") as image:
            own.append(np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX)).astype(int))
    for row, found in enumerate((walked.found.pictures + 1) * 127.5):
        missed = [np.abs(found - picture).mean() for picture in own]
        assert missed[row] < 20 and 2 * missed[row] < min(missed[:row] + missed[row + 1 :])


def test_the_command_writes_the_walk(place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(place)
    words = ["generator.keras", "--between", "a.png", "b.png", "--steps", "4", "--frames", "3"]
    assert sample.main([*words, "--out", str(tmp_path / "x.mp4")]) == 0
    said = capsys.readouterr().out
    assert "a.png: found with" in said and "b.png: found with" in said
    with av.open(str(tmp_path / "x.mp4")) as video:
        assert len(list(video.decode(video=0))) == 6
    assert sample.main([*words, "--format", "webp", "--direction", "sefa-1=2"]) == 0
    name = "generator-between-a-b-sefa-1=2-walk-2x3.webp"
    assert capsys.readouterr().out.splitlines()[-1] == name
    with Image.open(name) as walk:
        assert walk.n_frames == 6 and walk.size == (SIDE, SIDE)


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["--between", "a.png"], "should name two or more pictures"),
        (["--between", "a.png", "no.png"], "no.png, which does not exist"),
        (["--between", "a.png", "notes.txt"], "notes.txt ("),
        (["--between", "a.png", "b.png", "--crop", "x"], "`--crop` should be one of"),
        (["--between", "a.png", "b.png", "--truncation", "0.5"], "is not for --between"),
        (["--between", "a.png", "b.png", "-n", "2"], "for walks through drawn latents"),
        (["--between", "a.png", "b.png", "--seeds", "1,2"], "Received: --seeds and --between"),
        (["--between", "a.png", "b.png", "--steps", "1"], "`--steps` should be from 2"),
    ],
)
def test_what_users_get_wrong_is_one_line_before_the_work(place, monkeypatch, capsys, words, rule):
    monkeypatch.chdir(place)
    (place / "notes.txt").write_text("dear diary")
    monkeypatch.setattr(morph, "Search", lambda *_, **__: pytest.fail("it searched"))
    assert sample.main(["generator.keras", *words, "--out", "x.gif"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and rule in error and "Received: " in error
    assert not (place / "x.gif").exists()


def test_too_many_pictures_are_refused(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setattr(morph, "MOST", 2)
    words = ["generator.keras", "--between", "a.png", "b.png", "c.png"]
    assert sample.main(words) == 2
    assert "at most 2 pictures. Received: 3" in capsys.readouterr().err


def test_reading_takes_the_crop_that_is_named(place):
    generator = saved.load(place / "generator.keras")
    wide = np.zeros((32, 64, 3), np.uint8)
    wide[:, 16:48] = 255
    Image.fromarray(wide).save(place / "wide.png")
    names = [str(place / "wide.png")] * 2
    cut, whole = (morph.read(generator, names, crop)[0].reading for crop in ("center", "none"))
    assert isinstance(cut, restoration.Reading)
    assert cut.before.min() > 230 and whole.before.min() == 0
