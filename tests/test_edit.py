"""The command on tiny generators: strips, files, and what users get wrong."""

import json
import shutil

import halves
import numpy as np
import pytest
from PIL import Image

from kerasgan import (
    directions,
    discovery,
    edit,
    latents,
    pretrained,
    sample,
    saved,
)
from kerasgan.directions import ATTRIBUTE, Direction
from kerasgan.errors import UserError
from kerasgan.metrics import perceptual

DIM = halves.DIM


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return halves.write(tmp_path_factory.mktemp("halves") / "generator.keras")


@pytest.fixture
def run(tmp_path, file):
    """A folder with a generator and two directions that are at no right angle."""
    folder = tmp_path / "outputs" / "000-a"
    folder.mkdir(parents=True)
    shutil.copy(file, folder / "generator.keras")
    vectors = {"Upper": [1, 0, 0, 0, 0, 0], "Both": [0.6, 0.8, 0, 0, 0, 0]}
    known = {
        name: Direction(name, np.array(vector, np.float32), ATTRIBUTE, 400, 0.9, 0.6)
        for name, vector in vectors.items()
    }
    directions.write(saved.load(folder), known)
    return folder


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def cut(grid, columns):
    """A strip to pictures, (N, columns, 16, 16, 3)."""
    rows = grid.shape[0] // 16
    return grid.reshape(rows, 16, columns, 16, -1).swapaxes(1, 2)


def error_of(capsys):
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("error: ") and "Received: " in error
    return error


def test_a_strip_by_hand(run, capsys):
    assert edit.main([str(run), "--attribute", "Upper"]) == 0
    path = run / "edits" / "seed-0000-n8-Upper.png"
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["strengths: -3 -2 -1 +0 +1 +2 +3", str(path)]
    assert lines[0].startswith("Upper: by a classifier") and "right in 90.0%" in lines[0]
    strip = cut(read(path), 7)
    assert strip.shape == (8, 7, 16, 16, 3)
    generator, drawn = saved.load(run), latents.draw(8, DIM, 0)
    for column, strength in enumerate(range(-3, 4)):
        moved = directions.move(drawn, np.eye(DIM)[0], strength)
        np.testing.assert_array_equal(strip[:, column], generator.draw(moved))
    np.testing.assert_array_equal(strip[:, 3], generator.draw(drawn))
    upper = strip[:, :, :8].mean(axis=(2, 3, 4))
    assert (np.diff(upper, axis=1) > 0).all()


def test_keep_projects(run):
    words = [str(run), "--attribute", "Both", "--strength", "2", "-n", "3", "--seed", "5"]
    assert edit.main(words) == 0
    assert edit.main([*words, "--keep", "Upper"]) == 0
    plain, kept = (read(run / "edits" / f"seed-0005-n3-Both{more}.png") for more in ("", "-2"))
    drawn = latents.draw(3, DIM, 5)
    generator = saved.load(run)
    expected = directions.move(drawn, np.eye(DIM)[1], 2)  # what of (3, 4) / 5 leaves the first be
    np.testing.assert_array_equal(cut(kept, 1)[:, 0], generator.draw(expected))
    assert not np.array_equal(plain, kept)


def test_what_cannot_be_kept(run, capsys):
    assert edit.main([str(run), "--attribute", "Both", "--keep", "Upper,Both"]) == 2
    assert "nothing is left of Both" in error_of(capsys)
    assert edit.main([str(run), "--attribute", "Both", "--keep", "Young"]) == 2
    assert "Received: Young" in error_of(capsys)
    assert not (run / "edits").exists()


def test_separate_files_are_named_by_strength(run, tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    words = [str(run), "--attribute", "Upper", "-n", "2", "--strength", "-1.5,0,2"]
    assert edit.main([*words, "--separate", "--out", str(out)]) == 0
    names = [f"seed-0000-{n:06d}-Upper{s}.png" for n in (0, 1) for s in ("-1.5", "+0", "+2")]
    assert sorted(path.name for path in out.iterdir()) == sorted([*names, "seed-0000-n2-Upper.png"])
    strip = cut(read(out / "seed-0000-n2-Upper.png"), 3)
    for name, picture in zip(names, strip.reshape(-1, 16, 16, 3), strict=True):
        np.testing.assert_array_equal(read(out / name), picture)
    assert "6 separate pictures" in capsys.readouterr().out
    assert not (run / "edits").exists()


def test_nothing_is_replaced_by_other_pictures(run, tmp_path):
    words = [str(run), "--attribute", "Upper", "-n", "2", "--out", str(tmp_path / "o")]
    for strength in ("1", "1", "2"):
        assert edit.main([*words, "--strength", strength]) == 0
    names = sorted(path.name for path in (tmp_path / "o").iterdir())
    assert names == ["seed-0000-n2-Upper-2.png", "seed-0000-n2-Upper.png"]


def test_a_file_goes_to_the_current_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert edit.main([str(run / "generator.keras"), "--attribute", "sefa-1", "-n", "1"]) == 0
    assert read(tmp_path / "generator-seed-0000-n1-sefa-1.png").shape == (16, 7 * 16, 3)


def test_a_grey_generator(tmp_path):
    halves.write(tmp_path / "grey.keras", channels=1)
    words = [str(tmp_path / "grey.keras"), "--attribute", "sefa-2", "-n", "2"]
    assert edit.main([*words, "--out", str(tmp_path), "--separate"]) == 0
    assert read(tmp_path / "grey-seed-0000-n2-sefa-2.png").shape == (32, 7 * 16)


@pytest.mark.parametrize("classes", [False, True])
def test_a_conditional_generator_is_edited_by_its_conditions(tmp_path, classes):
    path = halves.write_conditional(tmp_path / "generator.keras", classes=classes)
    assert edit.main([str(tmp_path), "--attribute", "Hat", "--strength", "3"]) == 0
    generator, drawn = saved.load(path), latents.draw(8, DIM, 0)
    asked = generator.conditions.draw(8, 0).vectors()
    asked[:, 1] = 1
    if classes:
        asked[:, 0] = 0
    pictures = cut(read(tmp_path / "edits" / "seed-0000-n8-Hat.png"), 1)[:, 0]
    np.testing.assert_array_equal(pictures, generator.draw(drawn, asked))


def test_a_latents_direction_leaves_conditions_as_they_are(tmp_path):
    path = halves.write_conditional(tmp_path / "generator.keras")
    words = [str(tmp_path), "--attribute", "sefa-1", "--keep", "Hat", "--strength", "1"]
    assert edit.main(words) == 0
    generator = saved.load(path)
    vector = directions.components(generator, 1)[0].vector
    moved = directions.move(latents.draw(8, DIM, 0), vector, 1)
    pictures = cut(read(tmp_path / "edits" / "seed-0000-n8-sefa-1.png"), 1)[:, 0]
    conditions = generator.conditions.draw(8, 0).vectors()
    np.testing.assert_array_equal(pictures, generator.draw(moved, conditions))


def test_the_list(run, capsys):
    assert edit.main([str(run), "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:4] == ["Upper", "400", "90.0%", "0.60"]
    assert lines[-2:] == [
        "measured when asked for: turn, mouth-width, brightness",
        "components: sefa-1 to sefa-6",
    ]
    (run / "directions.npz").unlink()
    assert edit.main([str(run), "--list"]) == 0
    assert capsys.readouterr().out.startswith("No direction is kept yet.\n")


def test_the_list_of_a_set_and_of_conditions(tmp_path, capsys):
    halves.write_conditional(tmp_path / "generator.keras")
    assert edit.main([str(tmp_path), "--list", "--data", "built-in"]) == 0
    out = capsys.readouterr().out
    assert "conditions: Smiling, Hat\n" in out and "of the pictures: 5_o_Clock_Shadow, " in out


def test_attributes_of_a_table(run, tmp_path, quick, capsys):
    pixels, bright = halves.pictures(200)
    table = {"Top": bright[:, 0], "Bottom": bright[:, 1]}
    folder = halves.write_pictures(tmp_path / "set", pixels, table)
    words = [str(run), "--data", str(folder), "--cache", str(tmp_path / "cache")]
    assert edit.main([*words, "--attribute", "Top", "--keep", "Bottom"]) == 0
    assert "directions.npz: 4 directions" in capsys.readouterr().out
    assert edit.main([str(run), "--attribute", "Bottom"]) == 0  # from now on without pictures
    assert list(directions.read(saved.load(run))) == ["Upper", "Both", "Top", "Bottom"]


def test_two_folders(run, tmp_path, quick, capsys):
    pixels, bright = halves.pictures(60)
    for name, sign in (("bright", 1), ("dark", -1)):
        halves.write_pictures(tmp_path / name, pixels[bright[:, 1] == sign])
    words = [str(run), "--with", str(tmp_path / "bright"), "--without", str(tmp_path / "dark")]
    words += ["--cache", str(tmp_path / "cache")]
    assert edit.main(words) == 0
    assert (run / "edits" / "seed-0000-n8-bright.png").exists()
    assert edit.main([*words, "--attribute", "Below"]) == 0
    known = directions.read(saved.load(run))
    assert list(known) == ["Upper", "Both", "bright", "Below"] and known["Below"].vector[1] > 0.9


def test_samples_are_moved_by_directions(run):
    words = [str(run), "-n", "4", "--direction", "Upper=2", "--direction", "Both=-1"]
    assert sample.main(words) == 0
    vectors = np.eye(DIM)[0], np.array([0.6, 0.8, 0, 0, 0, 0])
    moved = latents.draw(4, DIM, 0)
    for vector, strength in zip(vectors, (2, -1), strict=True):
        moved = directions.move(moved, vector, strength)
    grid = read(run / "samples" / "seed-0000-n4-Upper=2-Both=-1.png")
    np.testing.assert_array_equal(cut(grid, 2).reshape(-1, 16, 16, 3), saved.load(run).draw(moved))
    assert sample.main([str(run), "--direction", "Upper=2", "--interpolate", "2"]) == 0
    assert (run / "samples" / "seed-0000-n1-Upper=2-walk-2x30.gif").exists()


def test_samples_are_steered_by_directions_of_conditions(tmp_path):
    path = halves.write_conditional(tmp_path / "generator.keras")
    words = [str(tmp_path), "-n", "1", "--direction", "Hat=3", "--label", "Hat=-1"]
    assert sample.main(words) == 0
    generator = saved.load(path)
    asked = generator.conditions.draw(1, 0, {1: -1}).vectors() * [1, -1]
    picture = read(tmp_path / "samples" / "seed-0000-n1-Hat=-1-Hat=3.png")
    expected = generator.draw(latents.draw(1, DIM, 0), asked.astype(np.float32))
    np.testing.assert_array_equal(picture, expected[0])


@pytest.mark.parametrize(
    ("direction", "fact"),
    [
        ("Upper", "Received: Upper"),
        ("Upper=", "Received: Upper="),
        ("=2", "Received: =2"),
        ("Upper=much", "Received: Upper=much"),
        ("Upper=nan", "Received: Upper=nan"),
        ("Upper=11", "up to 10 to either side"),
        ("upper=1", "Received: upper. Near it: Upper"),
        ("Young=1", "Received: Young. There are: Upper, Both, sefa-1"),
        ("sefa-99=1", "from sefa-1 to sefa-6"),
    ],
)
def test_a_wrong_direction_of_samples_is_one_line(run, capsys, direction, fact):
    assert sample.main([str(run), "--direction", direction]) == 2
    assert fact in error_of(capsys)
    assert not (run / "samples").exists()


def test_a_scale_of_nothing_cannot_be_moved(run, capsys):
    assert sample.main([str(run), "--direction", "Upper=1", "--scale", "0"]) == 2
    assert "a --scale above 0" in error_of(capsys)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-3..3", [-3, -2, -1, 0, 1, 2, 3]),
        ("3..1", [3, 2, 1]),
        ("0..2.5", [0, 1, 2, 2.5]),
        ("2", [2]),
        ("-2, 0.5,+1", [-2, 0.5, 1]),
        ("1..1", [1]),
    ],
)
def test_strengths(text, expected):
    assert edit.parse_strengths(text) == expected


@pytest.mark.parametrize(
    "text", ["", "many", "1...3", "..3", "1..", "nan", "inf", "1e3", "1,,2", "-11..0", "3..99"]
)
def test_strengths_that_are_none(text):
    with pytest.raises(UserError, match="`--strength` should be"):
        edit.parse_strengths(text)


@pytest.mark.parametrize(
    ("flags", "rule"),
    [
        ([], "`--attribute` should name what to edit"),
        (["--attribute", "Upper", "-n", "0"], "`-n` should be at least 1"),
        (["--attribute", "Upper", "-n", "600"], "A strip should have at most 4096 pictures"),
        (["--attribute", "Upper", "--seed", "-1"], "`--seed` should be at least 0"),
        (["--attribute", "Upper", "--strength", "-30..3"], "`--strength` should be up to 10"),
        (["--attribute", "Upper", "--keep", ""], "name should be"),
        (["--attribute", "Upper", "--with", "x"], "`--without` should be typed together"),
        (["--with", "missing", "--without", "missing"], "does not exist"),
        (["--attribute", "upper"], "Received: upper. Near it: Upper"),
        (["--attribute", "Young"], "There are: Upper, Both, turn, mouth-width, brightness, sefa-1"),
        (["--attribute", "sefa-0"], "Received: sefa-0"),
        (["--attribute", "sefa-7"], "from sefa-1 to sefa-6"),
        (["--attribute", "Upper", "--out", "FILE"], "`--out` should be a folder"),
        (["--attribute", "Young", "--data", "missing"], "missing, which does not exist"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(run, tmp_path, capsys, monkeypatch, flags, rule):
    monkeypatch.chdir(tmp_path)
    flags = [str(run / "generator.keras") if flag == "FILE" else flag for flag in flags]
    before = sorted(run.iterdir())
    assert edit.main([str(run), *flags]) == 2
    assert rule in error_of(capsys)
    assert sorted(run.iterdir()) == before


def test_a_set_without_attributes(run, drawn_faces, tmp_path, capsys):
    words = [str(run), "--data", str(drawn_faces), "--cache", str(tmp_path / "cache")]
    assert edit.main([*words, "--attribute", "Smiling"]) == 2
    error = error_of(capsys)
    assert "needs pictures with attributes" in error and "--with DIR --without DIR" in error


def test_directions_of_another_generator(run, tmp_path, capsys):
    other = halves.build()
    other.set_weights([weight / 2 for weight in other.get_weights()])
    saved.write(run / "generator.keras", other)
    for words in (["--attribute", "Upper"], ["--list"]):
        assert edit.main([str(run), *words]) == 2
        assert "made for other weights" in error_of(capsys)
    assert sample.main([str(run), "--direction", "Upper=1"]) == 2
    assert "made for other weights" in error_of(capsys)
    assert edit.main([str(run), "--attribute", "Upper", "--renew"]) == 2  # nothing to make it of
    assert "Received: Upper" in error_of(capsys)


def test_no_generator(tmp_path, capsys):
    for path in (tmp_path, tmp_path / "missing.keras"):
        assert edit.main([str(path), "--attribute", "Smiling"]) == 2
        assert str(path) in error_of(capsys)


def test_stopping_half_way_leaves_nothing(run, monkeypatch, capsys):
    def stop(self, latents, conditions=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(saved.SavedGenerator, "draw", stop)
    before = sorted(run.iterdir())
    assert edit.main([str(run), "--attribute", "Upper"]) == 130
    assert edit.main([str(run), "--attribute", "brightness"]) == 130
    assert sorted(run.iterdir()) == before
    assert capsys.readouterr().err == "Stopped.\nStopped.\n"


@pytest.fixture
def searched(run, monkeypatch):
    """A search that knows the pictures: each comes from the latent (n, 0, ...), n its number."""
    from kerasgan import encoder, inversion, searching

    asked = []

    class Known(inversion.Search):
        def __call__(self, known, on_step=None):
            asked.append(known)
            found = np.zeros((len(known), DIM), np.float32)
            found[:, 0] = np.arange(1, len(known) + 1)
            pictures = np.asarray(self.draw(found))
            error = np.sqrt(np.mean((pictures - known) ** 2, axis=(1, 2, 3)))
            return inversion.Found(found, None, pictures, error, error)

    monkeypatch.setattr(searching, "Search", Known)
    monkeypatch.setattr(encoder, "of", lambda generator, **how: None)
    monkeypatch.setattr(perceptual, "load_if_there", lambda: None)
    return asked


def test_a_picture_is_edited_where_it_was_found(run, tmp_path, searched, capsys):
    generator = saved.load(run)
    found = np.eye(1, DIM, dtype=np.float32)
    Image.fromarray(generator.draw(found)[0]).save(tmp_path / "me.png")
    words = [str(run), "--attribute", "Both", "--strength", "-1,0,2", "--separate"]
    out = tmp_path / "out"
    assert edit.main([*words, "--picture", str(tmp_path / "me.png"), "--out", str(out)]) == 0
    names = ["me-Both+0.png", "me-Both+2.png", "me-Both-1.png", "me-Both.png"]
    assert sorted(path.name for path in out.iterdir()) == names
    strip = cut(read(out / "me-Both.png"), 4)[0]  # the picture itself comes first
    np.testing.assert_array_equal(strip[0], read(tmp_path / "me.png"))
    for picture, strength in zip(strip[1:], (-1, 0, 2), strict=True):
        moved = directions.move(found, np.array([0.6, 0.8, 0, 0, 0, 0]), strength)
        assert np.abs(picture.astype(int) - generator.draw(moved)[0]).max() <= 1
        np.testing.assert_array_equal(picture, read(out / f"me-Both{strength:+g}.png"))
    captured = capsys.readouterr()
    assert (
        "strengths: (the picture) -1 +0 +2" in captured.out and "me.png: found with" in captured.out
    )
    assert np.abs(searched[0] - (strip[:1] / 127.5 - 1)).max() < 1e-6


def test_pictures_of_any_kind_and_those_that_are_none(run, tmp_path, searched, capsys):
    folder = tmp_path / "mine"
    pixels, _ = halves.pictures(2)
    halves.write_pictures(folder, pixels)
    Image.fromarray(pixels[0]).convert("L").resize((40, 60)).save(folder / "grey.jpg")
    Image.fromarray(pixels[0]).convert("RGBA").save(folder / "clear.webp")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    Image.fromarray(pixels[1]).save(tmp_path / "000.png")
    words = [str(run), "--attribute", "Upper", "--strength", "1", "--out", str(tmp_path / "o")]
    pictures = ["--picture", str(folder), "--picture", str(tmp_path / "000.png")]
    assert edit.main([*words, *pictures]) == 0
    stems = ["000", "000-2", "001", "clear", "grey"]  # no name is given twice
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == sorted(
        f"{stem}-Upper.png" for stem in stems
    )
    assert "skipped broken.png: " in capsys.readouterr().err


def test_no_picture_that_can_be_used(run, tmp_path, searched, capsys):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    words = [str(run), "--attribute", "Upper", "--out", str(tmp_path / "o")]
    for name in ("broken.png", "missing.png"):
        assert edit.main([*words, "--picture", str(tmp_path / name)]) == 2
        assert name in error_of(capsys)
    assert not (tmp_path / "o").exists() and not searched


def test_the_full_picture_keeps_its_details_where_nothing_is_edited(run, tmp_path, searched):
    """Noise of a large picture, which a small generator cannot draw, is there at strength 0."""
    drawn = saved.load(run).draw(np.eye(1, DIM, dtype=np.float32))[0]
    large = drawn.repeat(4, axis=0).repeat(4, axis=1)
    noise = (large + np.random.default_rng(0).integers(-20, 20, large.shape)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "me.png")
    words = [str(run), "--attribute", "Both", "--strength", "0,-5", "--full"]
    out = tmp_path / "o"
    assert edit.main([*words, "--picture", str(tmp_path / "me.png"), "--out", str(out)]) == 0
    np.testing.assert_array_equal(read(out / "me-Both+0-full.png"), noise)
    edited = read(out / "me-Both-5-full.png").astype(int)
    assert edited.shape == noise.shape and (edited - noise)[8:24, 8:56].mean() < -20


def test_flags_of_pictures(run, capsys):
    for flags, rule in (
        (["--full"], "`--full` is for --picture"),
        (["--picture", "a.png", "--steps", "1"], "`--steps` should be from 2"),
        (["--picture", "a.png", "-n", "3"], "not allowed with argument"),
    ):
        assert edit.main([str(run), "--attribute", "Upper", *flags]) == 2
        assert rule in capsys.readouterr().err


def test_a_real_search(run, tmp_path, monkeypatch):
    """All of it once, in a few steps, with an encoder that guesses nothing."""
    from kerasgan import encoder

    monkeypatch.setattr(encoder, "of", lambda generator, **how: None)
    monkeypatch.setattr(perceptual, "load_if_there", lambda: None)
    Image.fromarray(saved.load(run).draw(latents.draw(1, DIM, 1))[0]).save(tmp_path / "me.png")
    words = [str(run), "--attribute", "Upper", "--steps", "4", "--out", str(tmp_path / "o")]
    assert edit.main([*words, "--picture", str(tmp_path / "me.png")]) == 0
    assert read(tmp_path / "o" / "me-Upper.png").shape == (16, 8 * 16, 3)


def test_pictures_are_read_before_anything_that_takes_long(run, tmp_path, monkeypatch, capsys):
    monkeypatch.delattr(discovery, "draw_samples")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    words = [str(run), "--attribute", "brightness", "--picture", str(tmp_path / "broken.png")]
    assert edit.main(words) == 2
    assert "broken.png" in error_of(capsys)


def test_a_run_names_its_own_pictures(run, tmp_path, capsys):
    """Also for another generator of the run; and one from elsewhere has to be told."""
    facts = {
        "source": "built-in",
        "limit": 4,
        "crop": "none",
        "seed": 0,
        "fingerprint": "",
        "count": 4,
    }
    (run / "run.json").write_text(json.dumps({"data": facts}))
    halves.write(run / "generator-best.keras")
    for place in (run, run / "generator-best.keras"):
        assert edit.main([str(place), "--list"]) == 0
        assert "of the pictures: 5_o_Clock_Shadow, " in capsys.readouterr().out
    (run / "run.json").write_text(json.dumps({"data": facts | {"source": "/somewhere/else"}}))
    assert edit.main([str(run), "--attribute", "Young"]) == 2
    captured = capsys.readouterr()
    assert "Type --data SOURCE" in captured.out and "Received: Young" in captured.err


def test_a_generator_that_comes_along(tmp_path, quick, monkeypatch, capsys):
    """It is not the run that the current folder happens to be, and may not be written beside."""
    home, here = tmp_path / "installed", tmp_path / "here"
    (home / "tiny").mkdir(parents=True)
    here.mkdir()
    halves.write(home / "tiny" / "generator.keras")
    (home / "tiny" / "README.md").write_text("A card.")
    (here / "run.json").write_text("{}")
    monkeypatch.setattr(pretrained, "FOLDER", home)
    monkeypatch.chdir(here)
    whole = directions.atomic_path

    def refuse(path):
        if home in path.parents:
            raise PermissionError(13, "Permission denied")
        return whole(path)

    monkeypatch.setattr(directions, "atomic_path", refuse)
    assert edit.main(["tiny", "--attribute", "brightness", "-n", "1"]) == 0
    assert read(here / "tiny-seed-0000-n1-brightness.png").shape == (16, 7 * 16, 3)
    assert len(list((home / "tiny").iterdir())) == 2
    assert sample.main(["tiny", "-n", "1", "--direction", "brightness=2"]) == 0
    assert edit.main(["tiny", "--attribute", "Smiling"]) == 2
    assert "There are: brightness, turn" in error_of(capsys)
    assert "comes along: tiny" in " ".join(edit.build_parser().format_help().split())


def test_pictures_of_a_conditional_generator_are_edited_by_conditions(
    tmp_path, searched, monkeypatch
):
    """The condition that was found is the one that is moved."""
    from kerasgan import inversion, searching

    halves.write_conditional(tmp_path / "generator.keras")

    def with_conditions(self, pictures, on_step=None):
        found = np.zeros((len(pictures), DIM + 2), np.float32)
        found[:, DIM:] = [-0.5, 1]
        drawn = np.asarray(self.draw(found))
        return inversion.Found(found, None, drawn, np.ones(len(found)), np.ones(len(found)))

    monkeypatch.setattr(searching.Search, "__call__", with_conditions)
    pixels, _ = halves.pictures(1)
    Image.fromarray(pixels[0]).save(tmp_path / "me.png")
    words = [str(tmp_path), "--attribute", "Smiling", "--strength", "0,3"]
    assert edit.main([*words, "--picture", str(tmp_path / "me.png")]) == 0
    strip = cut(read(tmp_path / "edits" / "me-Smiling.png"), 3)[0]
    generator = saved.load(tmp_path)
    for picture, smiling in zip(strip[1:], (-0.5, 1), strict=True):
        expected = generator.draw(
            np.zeros((1, DIM), np.float32), np.array([[smiling, 1]], np.float32)
        )
        assert np.abs(picture.astype(int) - expected[0]).max() <= 1
