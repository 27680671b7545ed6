"""Samples and walks from tiny generators; and what users get wrong."""

import av
import numpy as np
import pytest
import tiny_generators
from PIL import Image

from kerasgan import latents, sample, saved
from kerasgan.backend import keras

DIM = 5


def build(channels=3, dim=DIM, size=4):
    """A generator small enough to load in a moment: one dense layer and tanh."""
    keras.utils.set_random_seed(channels)
    inputs = keras.Input((dim,))
    x = keras.layers.Dense(size * size * channels, activation="tanh")(inputs)
    return keras.Model(inputs, keras.layers.Reshape((size, size, channels))(x))


@pytest.fixture(scope="module")
def generator():
    return build()


@pytest.fixture
def run(tmp_path, generator):
    folder = tmp_path / "outputs" / "000-a"
    folder.mkdir(parents=True)
    generator.save(folder / "generator.keras")
    return folder


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def expected(generator, count, seed=0, scale=1.0):
    """The pictures by hand: the dense layer's own weights in NumPy, (N, 4, 4, C)."""
    kernel, bias = (np.asarray(keras.ops.convert_to_numpy(w)) for w in generator.weights)
    pictures = np.tanh(latents.draw(count, DIM, seed, scale) @ kernel + bias)
    channels = len(bias) // 16
    return np.rint((pictures + 1) * 127.5).reshape(-1, 4, 4, channels)


def test_default_is_a_square_grid_in_the_run(run, generator, capsys):
    assert sample.main([str(run)]) == 0
    path = run / "samples" / "seed-0000-n64.png"
    assert capsys.readouterr().out == f"{path}\n"
    grid = read(path)
    assert grid.shape == (32, 32, 3)
    pictures = grid.reshape(8, 4, 8, 4, 3).swapaxes(1, 2).reshape(64, 4, 4, 3)
    assert np.abs(pictures - expected(generator, 64)).max() <= 1  # a rounding tie at most


def test_one_picture_is_the_first_of_twenty(run):
    for count in ("1", "20"):
        assert sample.main([str(run), "-n", count, "--seed", "7"]) == 0
    one, twenty = (read(run / "samples" / f"seed-0007-n{count}.png") for count in (1, 20))
    assert one.shape == (4, 4, 3) and twenty.shape == (16, 20, 3)
    np.testing.assert_array_equal(one, twenty[:4, :4])


def test_seed_and_scale_are_the_latents(run, generator):
    sample.main([str(run), "-n", "1", "--seed", "3", "--scale", "0.5"])
    picture = read(run / "samples" / "seed-0003-n1-scale-0.5.png")
    assert np.abs(picture - expected(generator, 1, 3, 0.5)[0]).max() <= 1


def test_grid_sets_rows_by_columns_and_the_count(run):
    sample.main([str(run), "--grid", "2x5"])
    assert read(run / "samples" / "seed-0000-n10-2x5.png").shape == (8, 20, 3)
    sample.main([str(run), "-n", "3", "--grid", "2X5"])
    grid = read(run / "samples" / "seed-0000-n3-2x5.png")
    assert grid.shape == (8, 20, 3) and not grid[4:].any() and grid[:4, :12].any()


def test_separate_writes_one_file_each_and_never_over_others(run, generator, tmp_path, capsys):
    folder = tmp_path / "faces"
    words = [str(run), "--separate", str(folder)]
    assert sample.main([*words, "-n", "3"]) == 0
    assert sample.main([*words, "-n", "5"]) == 0  # the same three, and two more
    names = [f"seed-0000-{index:06d}.png" for index in range(5)]
    assert sorted(path.name for path in folder.iterdir()) == names
    for name, picture in zip(names, expected(generator, 5), strict=True):
        assert np.abs(read(folder / name) - picture).max() <= 1
    before = (folder / names[0]).read_bytes()
    assert sample.main([*words, "-n", "5", "--scale", "0.5"]) == 2
    assert "another one" in capsys.readouterr().err
    assert (folder / names[0]).read_bytes() == before


def test_the_same_again_is_one_file_and_another_generator_adds_one(run, capsys):
    sample.main([str(run), "-n", "4"])
    sample.main([str(run), "-n", "4"])
    path = run / "samples" / "seed-0000-n4.png"
    before = path.read_bytes()
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    build(channels=1).save(run / "generator.keras")  # as if training had gone on
    sample.main([str(run), "-n", "4"])
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "seed-0000-n4-2.png",
        "seed-0000-n4.png",
    ]
    assert capsys.readouterr().out.splitlines()[-1].endswith("seed-0000-n4-2.png")


def test_a_file_from_elsewhere_with_one_channel(tmp_path, monkeypatch):
    build(channels=1).save(tmp_path / "mnist.keras")
    monkeypatch.chdir(tmp_path)
    assert sample.main(["mnist.keras", "-n", "10"]) == 0
    assert read(tmp_path / "mnist-seed-0000-n10.png").shape == (12, 16)
    assert sample.main(["mnist.keras", "--interpolate", "2", "--frames", "2"]) == 0
    assert (tmp_path / "mnist-seed-0000-n1-walk-2x2.gif").exists()


def test_out_names_the_file_and_says_when_it_replaces_one(run, tmp_path, capsys):
    out = tmp_path / "new" / "x.png"
    assert sample.main([str(run), "-n", "1", "--out", str(out)]) == 0
    assert sample.main([str(run), "-n", "4", "--out", str(out)]) == 0
    assert read(out).shape == (8, 8, 3)
    assert capsys.readouterr().out == f"{out}\n{out} (replaced)\n"
    assert not (run / "samples").exists()


def test_interpolate_writes_a_looping_gif(run):
    assert sample.main([str(run), "-n", "2", "--interpolate", "3", "--frames", "4"]) == 0
    with Image.open(run / "samples" / "seed-0000-n2-walk-3x4.gif") as animation:
        assert animation.n_frames == 12
        assert animation.size == (8, 4)
        assert animation.info["duration"] == 50 and animation.info["loop"] == 0


@pytest.mark.parametrize("flags", [["--format", "mp4"], ["--out", "x.mp4"]])
def test_interpolate_writes_a_video(run, monkeypatch, flags):
    monkeypatch.chdir(run)
    words = [".", "-n", "2", "--interpolate", "3", "--frames", "4"]
    assert sample.main([*words, *flags]) == 0
    assert sample.main([*words, "--out", "x.gif"]) == 0
    path = run / "x.mp4" if "--out" in flags else run / "samples" / "seed-0000-n2-walk-3x4.mp4"
    with av.open(str(path)) as video:
        drawn = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        assert video.duration == 12 * 50_000
    with Image.open(run / "x.gif") as walk:
        for index, frame in enumerate(drawn):
            walk.seek(index)
            same = np.asarray(walk.convert("L")).astype(int).mean()  # noise has no colours in MP4
            assert frame.mean() == pytest.approx(same, abs=12)
    assert len(drawn) == 12 and drawn[0].shape == (4, 8, 3)


def test_seeds_are_the_faces_that_their_own_pictures_show(run, generator):
    words = [str(run), "--frames", "2", "--seeds", "3,7:5,12"]
    assert sample.main(words) == 0
    path = run / "samples" / "seed-0003-n1-through-3-7.5-12-walk-3x2.gif"
    faces = [
        expected(generator, place + 1, seed)[place] for seed, place in [(3, 0), (7, 5), (12, 0)]
    ]
    with Image.open(path) as walk:
        assert walk.n_frames == 6
        for index, face in enumerate(faces):
            walk.seek(2 * index)
            assert np.abs(np.asarray(walk.convert("RGB")) - face).max() <= 1
    assert sample.main([*words, "--interpolate", "--scale", "0.5"]) == 0
    assert path.with_name("seed-0003-n1-through-3-7.5-12-scale-0.5-walk-3x2.gif").exists()


def test_truncation_brings_faces_nearer_to_the_average(tmp_path, monkeypatch):
    tiny_generators.build().save(tmp_path / "g.keras")
    monkeypatch.chdir(tmp_path)
    for amount in ("1", "0.5", "0"):
        assert sample.main(["g.keras", "-n", "9", "--truncation", amount]) == 0
    side = tiny_generators.SIDE
    names = ["g-seed-0000-n9.png", *(f"g-seed-0000-n9-truncation-{at}.png" for at in ("0.5", "0"))]
    spread = []
    for name in names:
        grid = read(tmp_path / name).reshape(3, side, 3, side, 3).swapaxes(1, 2)
        spread.append(grid.reshape(9, side, side, 3).std(axis=0).mean())
    assert spread[0] > 1.3 * spread[1] > 0 and spread[2] == 0
    words = ["g.keras", "--interpolate", "2", "--frames", "2", "--truncation", "0"]
    assert sample.main([*words, "--out", "x.webp"]) == 0
    with Image.open("x.webp") as walk:
        assert walk.n_frames == 1 and walk.convert("RGB").size == (side, side)  # nothing moves


def test_a_scale_without_effect_is_refused(tmp_path, monkeypatch, capsys):
    tiny_generators.build().save(tmp_path / "g.keras")
    monkeypatch.chdir(tmp_path)
    assert sample.main(["g.keras", "--scale", "0.7"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "Received: 0.7, with g.keras" in error and "Type: --truncation 0.7" in error


def test_interpolate_alone_has_eight_keys(run):
    assert sample.main([str(run), "--frames", "1", "--interpolate"]) == 0
    with Image.open(run / "samples" / "seed-0000-n1-walk-8x1.gif") as animation:
        assert animation.n_frames == 8


@pytest.mark.parametrize(
    ("flags", "rule"),
    [
        (["-n", "0"], "`-n` should be at least 1"),
        (["--seed", "-1"], "`--seed` should be"),
        (["--scale", "nan"], "`--scale` should be"),
        (["--scale", "-1"], "`--scale` should be"),
        (["--grid", "8"], "`--grid` should be rows x columns"),
        (["--grid", "0x8"], "`--grid` should be rows x columns"),
        (["--grid", ""], "`--grid` should be rows x columns"),
        (["--grid", "2x2", "-n", "5"], "`-n` should fit in --grid 2x2"),
        (["-n", "5000"], "`--separate DIR` takes any number"),
        (["--interpolate", "1"], "`--interpolate` should be a number of latents"),
        (["--interpolate", "faces"], "`--interpolate` should be a number of latents"),
        (["--interpolate", "--frames", "0"], "`--frames` should be"),
        (["--interpolate", "--fps", "99"], "`--fps` should be"),
        (["--interpolate", "--separate", "x"], "`--separate` is for pictures"),
        (["--separate", "x", "--out", "x.png"], "`--out` a file"),
        (["--out", "x.gif"], "`--out` should end in .png"),
        (["--out", "x.mp4"], "`--out` should end in .png"),
        (["--format", "mp4"], "`--format` is for walks"),
        (["--truncation", "-0.1"], "`--truncation` should be from 0 to 2"),
        (["--truncation", "nan"], "`--truncation` should be from 0 to 2"),
        (["--seeds", "3"], "`--seeds` should be two or more seeds"),
        (["--seeds", "3,x"], "`--seeds` should be two or more seeds"),
        (["--seeds", "3,-1"], "`--seeds` should be two or more seeds"),
        (["--seeds", ""], "`--seeds` should be two or more seeds"),
        (["--seeds", "3,4", "-n", "2"], "for walks through drawn latents"),
        (["--seeds", "3,4", "--grid", "2x2"], "for walks through drawn latents"),
        (["--seeds", "3,4", "--interpolate", "5"], "--interpolate K and --seeds"),
        (["--seeds", "3,4", "--separate", "x"], "`--separate` is for pictures"),
        (["--seeds", "3,4", "--out", "x.png"], "`--out` should end in .gif, .mp4 or .webp"),
        (["--crop", "face"], "`--crop` is for --between"),
        (["--steps", "9"], "`--steps` is for --between"),
        (["--interpolate", "--out", "x.png"], "`--out` should end in .gif, .mp4 or .webp"),
        (["--interpolate", "--out", "x.gif", "--format", "mp4"], "in what `--format` says"),
    ],
)
def test_a_wrong_flag_is_one_line(tmp_path, capsys, flags, rule):
    assert sample.main([str(tmp_path), *flags]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and rule in error and "Received: " in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "fact"),
    [
        (["--out", "folder.png"], "folder.png, which is a folder"),
        (["--out", "file/x.png"], "which lies in something that is no folder"),
        (["--separate", "file"], "file, which is no folder"),
        (["--separate", "/dev/full"], "/dev/full, which is no folder"),
        (["--separate", "a" * 300], "File name too long"),
        ([], "samples, which is no folder. Type --out FILE"),
    ],
)
def test_places_are_looked_at_before_the_work(run, tmp_path, monkeypatch, capsys, flags, fact):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("")
    (run / "samples").write_text("")
    monkeypatch.setattr(saved, "load", lambda *_: pytest.fail("it loaded the generator"))
    assert sample.main([str(run), *flags]) == 2
    error = capsys.readouterr().err
    assert fact in error and error.count("\n") == 1


def test_a_run_named_by_a_dot(run, monkeypatch):
    monkeypatch.chdir(run)
    assert sample.main([".", "-n", "1"]) == 0
    assert (run / "samples" / "seed-0000-n1.png").exists()


def test_no_generator_is_one_line(tmp_path, capsys):
    for path in (tmp_path, tmp_path / "missing", tmp_path / "missing.keras"):
        assert sample.main([str(path)]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and str(path) in error


def test_a_model_that_is_no_generator_is_one_line(tmp_path, capsys):
    pictures = keras.Input((4, 4, 3))
    verdict = keras.layers.Dense(1)(keras.layers.Flatten()(pictures))
    keras.Model(pictures, verdict).save(tmp_path / "discriminator.keras")
    one, two = keras.Input((3,)), keras.Input((3,))
    total = keras.layers.Reshape((1, 1, 3))(keras.layers.Add()([one, two]))
    keras.Model([one, two], total).save(tmp_path / "conditional.keras")
    build(channels=2).save(tmp_path / "channels.keras")
    for name in ("discriminator", "conditional", "channels"):
        assert sample.main([str(tmp_path / f"{name}.keras")]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and "A generator should map latents" in error
        assert name in error


def test_stopping_half_way_leaves_nothing(run, monkeypatch, capsys):
    def stop(self, latents, conditions=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(saved.SavedGenerator, "draw", stop)
    assert sample.main([str(run)]) == 130
    assert sample.main([str(run), "--interpolate"]) == 130
    assert not list((run / "samples").iterdir())
    assert capsys.readouterr().err == "Stopped.\nStopped.\n"


@pytest.mark.parametrize("there", [True, False])
def test_show_opens_what_was_written(tmp_path, run, monkeypatch, capsys, there):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda uri: opened.append(uri) or there)
    out = tmp_path / "a b.png"
    assert sample.main([str(run), "--out", str(out), "--show"]) == 0
    assert opened == [out.resolve().as_uri()]
    assert ("No program was found" in capsys.readouterr().out) is not there
