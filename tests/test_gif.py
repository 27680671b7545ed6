"""training.gif: which frames, in which order, how long, how large; and what users get wrong."""

import os

import av
import numpy as np
import pytest
from frames import GREYS, numbered, read, write_frames
from PIL import Image

from kerasgan import gif


def test_resizing_is_antialiased(tmp_path):
    (tmp_path / "frames").mkdir()
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "frames" / "1.png")
    gif.make_training_gif(tmp_path / "frames", tmp_path / "a.gif", width=16, caption=False)
    with Image.open(tmp_path / "a.gif") as animation:
        middle = np.asarray(animation.convert("L"))[:, 3:-3]
    assert middle.min() > 110 and middle.max() < 145  # grey, 127.5, where nearest gives 0 or 255


def test_broken_and_odd_frames_are_skipped_and_named(tmp_path, capsys):
    control = write_frames(tmp_path / "run" / "control", numbered(6))
    whole = (control / "000100.png").read_bytes()
    (control / "000100.png").write_bytes(whole[: len(whole) // 2])
    (control / "000150.png").write_bytes(b"")
    Image.new("RGB", (8, 8)).save(control / "000050.png")
    assert gif.main([str(tmp_path / "run")]) == 0
    assert read(tmp_path / "run" / "training.gif")[0] == GREYS[3:]
    said = capsys.readouterr().out
    assert "3 frames" in said and "Skipped 3" in said
    assert "000100.png (cannot be read)" in said and "000150.png (cannot be read)" in said
    assert "000050.png (8x8 instead of 32x24)" in said
    assert len(list(control.iterdir())) == 6  # nothing is deleted


def test_nothing_readable_is_one_line(tmp_path, capsys):
    control = write_frames(tmp_path / "run" / "control", numbered(2))
    for frame in control.iterdir():
        frame.write_bytes(frame.read_bytes()[:60])
    assert gif.main([str(tmp_path / "run")]) == 2
    output = capsys.readouterr()
    assert output.err.count("\n") == 1 and "at least one frame that can be read" in output.err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["control"]


def test_root_makes_one_for_every_run_with_grids(tmp_path, capsys):
    write_frames(tmp_path / "outputs" / "000-a" / "control", numbered(2))
    write_frames(tmp_path / "outputs" / "001-b" / "control", numbered(3))
    (tmp_path / "outputs" / "002-c" / "control").mkdir(parents=True)
    (tmp_path / "outputs" / "notes").mkdir()
    assert gif.main([str(tmp_path / "outputs")]) == 0
    assert len(read(tmp_path / "outputs" / "000-a" / "training.gif")[0]) == 2
    assert len(read(tmp_path / "outputs" / "001-b" / "training.gif")[0]) == 3
    assert not (tmp_path / "outputs" / "002-c" / "training.gif").exists()
    assert "001-b" in capsys.readouterr().out


def test_one_broken_run_does_not_cost_the_others_theirs(tmp_path, capsys):
    broken = write_frames(tmp_path / "000-a" / "control", numbered(1))
    (broken / "000050.png").write_bytes(b"no picture")
    write_frames(tmp_path / "001-b" / "control", numbered(2))
    assert gif.main([str(tmp_path)]) == 2
    assert (tmp_path / "001-b" / "training.gif").exists()
    assert "000050.png" in capsys.readouterr().err


def test_where_the_gif_goes(tmp_path, monkeypatch):
    control = write_frames(tmp_path / "run" / "control", numbered(1))
    bare = write_frames(tmp_path / "res32", ["control_0.png", "control_1.png"])
    in_run = [(control, tmp_path / "run" / "training.gif")]
    assert gif.find_runs(tmp_path / "run") == in_run
    assert gif.find_runs(control) == in_run
    assert gif.find_runs(bare) == [(bare, bare / "training.gif")]
    monkeypatch.chdir(control)
    assert [out.resolve() for _, out in gif.find_runs(".")] == [in_run[0][1].resolve()]


def test_out_names_the_file_of_one_run(tmp_path, capsys):
    for name in ("000-a", "001-b"):
        write_frames(tmp_path / name / "control", numbered(2))
    out = tmp_path / "new" / "x.gif"
    assert gif.main([str(tmp_path / "000-a"), "--out", str(out)]) == 0
    assert len(read(out)[0]) == 2 and not (tmp_path / "000-a" / "training.gif").exists()
    assert gif.main([str(tmp_path), "--out", str(out)]) == 2
    assert gif.main([str(tmp_path / "000-a"), "--out", str(tmp_path / "x.avi")]) == 2
    words = [str(tmp_path / "000-a"), "--out", str(tmp_path / "x.mp4"), "--format", "webp"]
    assert gif.main(words) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3 and "one run" in errors[0]
    assert "`--out` should end in .gif, .mp4 or .webp" in errors[1]
    assert "should end in what `--format` says" in errors[2] and "x.mp4, --format webp" in errors[2]
    assert not list(tmp_path.glob("x.*"))


@pytest.mark.parametrize("suffix", [".mp4", ".webp"])
def test_every_flag_works_in_every_format(tmp_path, suffix, capsys):
    write_frames(tmp_path / "000-a" / "control", numbered(6), size=(64, 48))
    write_frames(tmp_path / "001-b" / "control", numbered(2), size=(64, 48))
    flags = ["--format", suffix[1:], "--fps", "10", "--every", "2", "--width", "129", "--hold", "1"]
    assert gif.main([str(tmp_path), *flags]) == 0
    assert "4 frames" in capsys.readouterr().out and not list(tmp_path.rglob("*.gif"))
    assert (tmp_path / "001-b" / f"training{suffix}").exists()
    kept = [GREYS[index] for index in (0, 2, 4, 5)]
    if suffix == ".webp":
        assert read(tmp_path / "000-a" / "training.webp") == (kept, [100, 100, 100, 1100])
        with Image.open(tmp_path / "000-a" / "training.webp") as webp:
            width, height = webp.size
    else:
        with av.open(str(tmp_path / "000-a" / "training.mp4")) as video:
            frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        greys = [round(float(frame[:90].mean())) for frame in frames]
        assert greys == pytest.approx(kept + [kept[-1]] * 10, abs=3)
        height, width, _ = frames[0].shape
    assert width == (129 if suffix == ".webp" else 130)
    assert 97 + 10 < height < 97 + 40  # the caption's strip


def test_out_names_the_format(tmp_path):
    write_frames(tmp_path / "control", numbered(2))
    assert gif.main([str(tmp_path), "--out", str(tmp_path / "x.MP4")]) == 0
    assert (tmp_path / "x.MP4").read_bytes()[4:8] == b"ftyp"
    assert not (tmp_path / "training.gif").exists()


def test_large_ones_name_the_flags_that_help(tmp_path, capsys, monkeypatch):
    write_frames(tmp_path / "control", numbered(3), size=(500, 20))
    gif.main([str(tmp_path)])
    said = capsys.readouterr().out
    assert "3 frames, 0.0 MB" in said and "--width" not in said
    monkeypatch.setattr(gif, "LARGE_MB", 0)
    gif.main([str(tmp_path)])
    assert "add --format mp4 or --width 384 --every 5" in capsys.readouterr().out
    gif.main([str(tmp_path), "--width", "384", "--every", "5"])
    assert "--width 192 --every 10" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "rule"),
    [
        (["--fps", "0"], "`--fps` should be"),
        (["--fps", "100"], "`--fps` should be"),
        (["--every", "0"], "`--every` should be"),
        (["--width", "3"], "`--width` should be"),
        (["--hold", "-1"], "`--hold` should be"),
        (["--hold", "nan"], "`--hold` should be"),
    ],
)
def test_a_flag_out_of_range_is_one_line(tmp_path, capsys, flags, rule):
    write_frames(tmp_path / "control", numbered(2))
    assert gif.main([str(tmp_path), *flags]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and rule in error and "Received" in error


@pytest.mark.parametrize("name", ["missing", "empty", "no-grids"])
def test_no_frames_is_one_line(tmp_path, capsys, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "no-grids" / "control").mkdir(parents=True)
    assert gif.main([str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and name in error and "python -m kerasgan." in error


def test_a_folder_that_may_not_be_written_to_is_one_line(tmp_path, capsys):
    write_frames(tmp_path / "control", numbered(2))
    (tmp_path / "training.gif").mkdir()
    assert gif.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == ["control", "training.gif"]


def test_a_run_that_may_not_be_written_to_does_not_cost_the_others_theirs(tmp_path, capsys):
    for name in ("000-a", "001-b"):
        write_frames(tmp_path / name / "control", numbered(2))
    (tmp_path / "000-a" / "training.gif").mkdir()
    assert gif.main([str(tmp_path)]) == 2
    assert (tmp_path / "001-b" / "training.gif").is_file()
    assert "000-a/training.gif, which is a folder. Type --out FILE" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["folder.gif", "file/x.gif", "/dev/full/x.gif"])
def test_out_is_looked_at_before_the_work(tmp_path, monkeypatch, capsys, out):
    write_frames(tmp_path / "run" / "control", numbered(2))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.gif").mkdir()
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(gif, "make_training_gif", lambda *_, **__: pytest.fail("it drew"))
    assert gif.main(["run", "--out", out]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "should be a file that can be written" in error
