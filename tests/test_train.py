"""The train command: what it writes, says and refuses; stopping, killing and going on."""

import contextlib
import dataclasses
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import backend, data, dry_run, loop, pace, saved, train
from kerasgan.backend import keras, tf
from kerasgan.checkpoints import Checkpoints
from kerasgan.data.batches import Batches
from kerasgan.gan import GAN, SCALARS
from kerasgan.runs import Run, begin_run

SMALL = "--preset article-lite --size 32 --width 0.02 --batch-size 4 --precision float32"
OFTEN = "--grid-every 4 --checkpoint-every 5 --control-latents 4"


def words(faces_folder, tmp_path, *more):
    where = ["--data", str(faces_folder), "--cache", str(tmp_path / "cache")]
    return [*SMALL.split(), *OFTEN.split(), *where, *map(str, more)]


def subprocess_words(*args):
    return [sys.executable, "-m", "kerasgan.train", *words(*args)]


def last_saved(run):
    return max(int(path.stem.split("-")[1]) for path in run.checkpoints.glob("*.index"))


def checkpoint_state(run):
    reader = tf.train.load_checkpoint(str(run.checkpoints / f"iteration-{last_saved(run)}"))
    names = reader.get_variable_to_shape_map().keys() - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    return {name: reader.get_tensor(name) for name in names}


def assert_same_run(a, b):
    """Bit for bit: log, grids, generator, and everything in the newest checkpoint."""
    assert a.log.read_text() == b.log.read_text()
    grids = sorted(path.name for path in a.control.iterdir())
    assert grids == sorted(path.name for path in b.control.iterdir())
    for name in grids:
        assert (a.control / name).read_bytes() == (b.control / name).read_bytes(), name
    ours, theirs = checkpoint_state(a), checkpoint_state(b)
    assert ours.keys() == theirs.keys() and len(ours) > 50
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    generators = [keras.models.load_model(run.generator) for run in (a, b)]
    for x, y in zip(*(g.get_weights() for g in generators), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.fixture(scope="module")
def whole(drawn_faces, tmp_path_factory):
    """A run of 20 iterations without a stop, and what was printed meanwhile; not to be changed."""
    folder = tmp_path_factory.mktemp("whole")
    faces, run = shutil.copytree(drawn_faces, folder / "faces"), Run(folder / "run")
    (faces / "broken.jpg").write_bytes(b"not a picture")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert train.main(words(faces, folder, "--iters", 20, "--out", run.folder)) == 0
    return run, printed.getvalue()


def test_a_run_leaves_what_the_readme_says(whole):
    run, printed = whole
    assert "iterations at" in printed and "will take about" in printed
    assert f"python -m kerasgan.gif {run.folder}" in printed

    assert run.read_recipe().iters == 20
    facts = run.read_facts()
    source = str(run.folder.parent / "faces")
    assert facts["data"]["source"] == source and facts["data"]["count"] == 10
    assert facts["device"] and facts["versions"]["keras"] == keras.__version__
    assert "broken.jpg" in run.rejected.read_text()
    assert saved.load(run.folder).facts.crop == facts["data"]["crop"] == "auto"
    log = run.read_log()
    assert [line.iteration for line in log] == list(range(1, 21))
    assert all(np.isfinite(line.scalars[name]) for line in log for name in SCALARS)
    with Image.open(run.reals) as reals:
        assert reals.size == (5 * 32, 2 * 32)
    names = [path.name for path in sorted(run.control.iterdir())]
    assert names == [f"{iteration:06d}.png" for iteration in (0, 4, 8, 12, 16, 20)]
    for name in names:
        with Image.open(run.control / name) as grid:
            assert grid.size == (2 * 32, 2 * 32)
    assert run.losses.stat().st_size > 5000
    assert len(list(run.checkpoints.glob("*.index"))) == 3
    assert np.load(run.control_latents).shape == (4, 32)


def test_events_hold_scalars_and_grids(whole):
    run = whole[0]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run.events), size_guidance={"tensors": 0})
    events.Reload()
    assert set(events.Tags()["tensors"]) == {*SCALARS, "control"}
    log = run.read_log()
    for event in events.Tensors("d_loss"):
        logged = log[event.step - 1].scalars["d_loss"]
        assert float(tf.make_ndarray(event.tensor_proto)) == pytest.approx(logged)
    assert [event.step for event in events.Tensors("control")] == [0, 4, 8, 12, 16, 20]


def test_resume_in_process_equals_one_run(whole, faces_folder, tmp_path):
    parts = tmp_path / "parts"
    assert train.main(words(faces_folder, tmp_path, "--iters", 7, "--out", parts)) == 0
    cache = ["--cache", str(tmp_path / "cache")]
    assert train.main(["--resume", str(parts), "--iters", "20", *cache]) == 0
    assert_same_run(whole[0], Run(parts))
    assert Run(parts).read_recipe() == whole[0].read_recipe()


def resuming(run):
    return ["--resume", str(run.folder), "--cache", str(run.folder.parent / "cache")]


def test_a_run_that_goes_on_elsewhere_says_so(faces_folder, tmp_path, capsys, monkeypatch):
    run = Run(tmp_path / "run")
    assert train.main(words(faces_folder, tmp_path, "--iters", 2, "--out", run.folder)) == 0
    begun = run.read_facts()
    assert train.main([*resuming(run), "--iters", "3"]) == 0
    assert run.read_facts() == begun and "goes on with" not in capsys.readouterr().out
    monkeypatch.setattr(backend, "describe_device", lambda: "another GPU")
    assert train.main([*resuming(run), "--iters", "4"]) == 0
    assert f"This run goes on with device another GPU instead of {begun['device']}. " in (
        capsys.readouterr().out
    )
    resumption = {"iteration": 3, "device": "another GPU", "versions": begun["versions"]}
    assert run.read_facts() == begun | {"resumptions": [resumption]}


def resume_here(run):
    assert train.main(resuming(run)) == 0


def resume_in_another_process(run):
    command = [sys.executable, "-m", "kerasgan.train", *resuming(run)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "precision", "resume"),
    [(3, "float32", resume_here), (23, "bfloat16", resume_in_another_process)],
)
def test_killed_and_resumed_equals_uninterrupted(faces_folder, tmp_path, lines, precision, resume):
    """SIGKILL, before the first checkpoint and between later ones, at no chosen place."""
    whole, killed = Run(tmp_path / "whole"), Run(tmp_path / "killed")
    more = ("--iters", 60, "--checkpoint-every", 10, "--precision", precision, "--out")
    assert train.main(words(faces_folder, tmp_path, *more, whole.folder)) == 0

    command = subprocess_words(faces_folder, tmp_path, *more, killed.folder)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        wait_for_lines(killed, lines, process)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    reached = len(killed.read_log())
    assert lines <= reached < 60
    resume(killed)
    assert_same_run(whole, killed)
    assert event_places(whole) == event_places(killed)


def event_places(run):
    """Every (step, tag) of all event files, sorted."""
    found = []
    for path in run.events.iterdir():
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            found += [(event.step, value.tag) for value in event.summary.value]
    return sorted(found)


DYING = """
import os, sys
from kerasgan import train
from kerasgan.checkpoints import Checkpoints
saves = []
def die(self):
    saves.append(self)
    os._exit(9) if len(saves) == 3 else save(self)
save, Checkpoints.save = Checkpoints.save, die
train.main(sys.argv[1:])
"""


@pytest.mark.slow
def test_dying_in_the_middle_of_a_save_loses_nothing(whole, faces_folder, tmp_path):
    dead = Run(tmp_path / "dead")
    command = [sys.executable, "-c", DYING]
    more = words(faces_folder, tmp_path, "--iters", 20, "--out", dead.folder)
    assert subprocess.run([*command, *more], capture_output=True).returncode == 9
    assert len(dead.read_log()) == 15 and len(list(dead.checkpoints.glob("*.index"))) == 2
    (dead.folder / ".generator-0000.tmp.keras").touch()
    assert train.main(resuming(dead)) == 0
    assert_same_run(whole[0], dead)
    assert not list(dead.folder.glob(".*"))


SEVERAL = """
import sys
from kerasgan import train
for out in sys.argv[1].split():
    print("ended with", train.main([*sys.argv[2:], "--out", out]))
"""


@pytest.mark.slow
def test_a_signal_saves_and_says_how_to_go_on(faces_folder, tmp_path):
    """Three trainings in one process, each ended by another signal."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    command = [sys.executable, "-c", SEVERAL, " ".join(names)]
    command += words(faces_folder, tmp_path, "--iters", 100_000)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, **pipes) as process:
        for name in names:
            wait_for_lines(Run(tmp_path / name), 7, process)
            process.send_signal(signal.Signals[name])
        out, err = (stream.decode() for stream in process.communicate(timeout=120))
    assert process.returncode == 0
    assert "Traceback" not in err
    for name in names:
        run = Run(tmp_path / name)
        done = len(run.read_log())
        assert (
            f"Saved after iteration {done:,}. To go on: "
            f"python -m kerasgan.train --resume {name} --cache {tmp_path / 'cache'}\n"
            f"ended with {128 + signal.Signals[name]}\n"
        ) in out
        assert last_saved(run) == done and run.generator.exists()


@pytest.mark.slow
def test_a_reader_that_has_gone_stops_and_saves(faces_folder, tmp_path):
    run = Run(tmp_path / "run")
    command = subprocess_words(faces_folder, tmp_path, "--iters", 100_000, "--out", run.folder)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not process.stdout.readline().startswith(b"Run: "):
            assert process.poll() is None
        process.stdout.close()  # before the line with the estimate
        assert process.wait(timeout=120) == 141
    assert last_saved(run) == len(run.read_log()) and run.generator.exists()


def test_a_signal_in_the_last_iteration_is_no_early_stop(tiny, reals, tmp_path, monkeypatch):
    gan = GAN(dataclasses.replace(tiny, iters=3))
    train_on_batch = gan.train_on_batch

    def interrupted(real):
        scalars = train_on_batch(real)
        if int(gan.iteration) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return scalars

    monkeypatch.setattr(gan, "train_on_batch", interrupted)
    pixels = np.zeros((4, 32, 32, 3), np.uint8)
    assert loop.train(gan, Batches(pixels, 4, 0), Run(tmp_path)) == (None, None)
    assert Checkpoints(gan, Run(tmp_path).checkpoints, 3).restore() == 3


def test_trains_outside_the_main_thread(tiny, tmp_path):
    gan = GAN(dataclasses.replace(tiny, iters=2))
    batches = Batches(np.zeros((4, 32, 32, 3), np.uint8), 4, 0)
    with ThreadPoolExecutor() as pool:
        assert pool.submit(loop.train, gan, batches, Run(tmp_path)).result() == (None, None)


def test_memory_that_runs_out_is_explained(tiny):
    memory = str(train.exhausted(tiny))
    assert "--batch-size 4" in memory and "fit into memory" in memory


def wait_for_lines(run, lines, process):
    deadline = time.monotonic() + 240
    while not run.log.exists() or len(run.read_log()) < lines:
        assert process.poll() is None, "the training ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_nan_stops_with_the_last_good_checkpoint(faces_folder, tmp_path, capsys, monkeypatch):
    at = Batches.at
    poisoned = lambda self, i: at(self, i) * (np.nan if i == 7 else 1)  # noqa: E731
    monkeypatch.setattr(Batches, "at", poisoned)
    out = tmp_path / "run"
    assert train.main(words(faces_folder, tmp_path, "--iters", 50, "--out", out)) == 2
    error = capsys.readouterr().err
    assert error == (
        "error: Losses and weights should be finite. Received: after iteration 8 d_loss is nan, "
        f"which is not finite. The last good checkpoint stays: {out}/checkpoints/iteration-5. "
        "Train anew with a lower --learning-rate, or --precision float32.\n"
    )
    state = checkpoint_state(Run(out))
    assert state["iteration/.ATTRIBUTES/VARIABLE_VALUE"] == 5
    numbers = [value for value in state.values() if not isinstance(value, bytes)]
    assert len(numbers) == len(state) - 1  # the recipe
    assert all(np.isfinite(weights).all() for weights in numbers)


def test_a_rate_far_too_high_stops_at_once(faces_folder, tmp_path, capsys):
    wild = ("--iters", 50, "--out", tmp_path / "run", "--learning-rate", "1e30")
    assert train.main(words(faces_folder, tmp_path, *wild)) == 2
    assert "No checkpoint was due" in capsys.readouterr().err


def test_an_end_by_evaluations_says_why_and_how_to_go_on(
    faces_folder, tmp_path, capsys, monkeypatch
):
    why = "8 evaluations were no better than after iteration 400"
    monkeypatch.setattr(loop, "train", lambda *_: loop.Ending(None, why))
    out = tmp_path / "run"
    assert train.main(words(faces_folder, tmp_path, "--out", out)) == 0
    printed = capsys.readouterr().out
    assert f"Stopped: {why}. To go on all the same: python -m kerasgan.train --resume {out}" in (
        printed
    )
    assert "--on-collapse warn --patience 0" in printed


def test_a_run_in_the_current_folder(faces_folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    where = ["--data", str(faces_folder), "--out", "."]
    assert train.main([*SMALL.split(), *where, "--iters", "2"]) == 0
    assert capsys.readouterr().out.endswith("then type python -m kerasgan.gif .\n")
    assert Run(".").generator.exists() and not list(tmp_path.glob(".*"))
    assert train.main(["--resume", ".", "--cache", "my caches", "--iters", "2"]) == 2
    error = capsys.readouterr().err
    assert 'python -m kerasgan.train --resume . --cache "my caches" --iters 4' in error


def test_a_tilde_is_a_home_also_behind_an_equals_sign(faces_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    parse = train.build_parser().parse_args
    args = parse(["--cache=~/c", "--out=~/r", "--like=~/l"])
    home = tmp_path / "home"
    assert (args.cache, args.out, args.like) == (home / "c", home / "r", home / "l")
    assert parse(["--resume=~"]).resume == home
    assert parse(["--cache=./~"]).cache == Path("~")  # a folder of that name
    assert not list(tmp_path.glob("here/*"))


@pytest.mark.parametrize(
    ("flags", "fact"),
    [
        (["--out", "file"], "which is there already. Type another name."),
        (["--out", "file/run"], "which lies in something that is no folder"),
        (["--out", "/dev/full/run"], "which lies in something that is no folder"),
        (["--out", ""], "A path should have characters"),
        (["--out", "a\0b"], "A path should have characters"),
        (["--out", "a" * 300], "File name too long"),
        (["--cache", "file"], "The cache should be a folder that can be written to"),
    ],
)
def test_a_place_that_cannot_be_written_costs_no_work(tmp_path, monkeypatch, capsys, flags, fact):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(train, "work", lambda *_, **__: pytest.fail("it began to train"))
    words = ["--preset", "mlp", "--data", "built-in", "--limit", "9", *flags]
    assert train.main(words) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and fact in error
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_out_the_folder_of_runs_is_looked_at_before(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").write_text("mine")
    assert train.main(["--preset", "mlp", "--data", "built-in", "--limit", "9"]) == 2
    error = capsys.readouterr().err
    assert "outputs, which is no folder. Type --out DIR" in error and error.count("\n") == 1


def test_resume_refuses_another_recipe(faces_folder, tmp_path, capsys):
    out = tmp_path / "run"
    assert train.main(words(faces_folder, tmp_path, "--iters", 2, "--out", out)) == 0
    before = times(out)
    capsys.readouterr()

    def refused(*more):
        assert train.main([*resuming(Run(out)), *more]) == 2
        return capsys.readouterr().err

    error = refused("--batch-size", "2", "--latent-dim", "16")
    assert "--latent-dim 32 -> 16" in error and "--batch-size 4 -> 2" in error
    assert "--preset article" in refused("--preset", "article")
    assert "should be more than the 2 iterations" in refused()
    assert "should see the pictures it began with" in refused("--iters", "4", "--limit", "2")
    (faces_folder / "00.png").unlink()
    assert "should see the pictures it began with" in refused("--iters", "4")
    assert before == times(out)


def times(folder):
    """When each file was last written, but for the lock."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "run.lock"]
    return {path: path.stat().st_mtime_ns for path in files}


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--batch-size", "11"], "with 10 usable pictures"),
        (["--size", "50"], "`--size` should be a multiple of 4"),
        (["--resume", "nowhere"], "should hold recipe.json"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_get_one_line_and_leave_nothing(
    faces_folder, tmp_path, capsys, more, word, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert train.main([*words(faces_folder, tmp_path), *more]) == 2
    error = capsys.readouterr().err
    assert word in error and error.count("\n") == 1 and error.startswith("error: ")
    assert not (tmp_path / "outputs").exists()


def test_a_run_folder_in_use_is_refused(faces_folder, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    assert train.main(words(faces_folder, tmp_path, "--out", tmp_path / "mine")) == 2
    assert "should name a new folder" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_dry_run_measures_and_writes_nothing(faces_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train.main(words(faces_folder, tmp_path, "--dry-run", "--iters", 1000)) == 0
    printed = capsys.readouterr().out
    for word in ("batch_size: 4", "parameters", "device: ", "s an iteration", "memory: ", "MB"):
        assert word in printed
    assert "1,000 iterations at" in printed
    assert not (tmp_path / "outputs").exists()


def test_like_takes_another_runs_recipe(whole, faces_folder, tmp_path, capsys):
    like = ["--like", str(whole[0].folder), "--data", str(faces_folder)]
    job = train.plan(train.build_parser().parse_args([*like, "--batch-size", "2"]))
    assert job.recipe == dataclasses.replace(whole[0].read_recipe(), batch_size=2)
    assert job.run is None and job.out is None
    assert "GPU found" not in capsys.readouterr().out


def test_a_run_like_another_repeats_it(whole, faces_folder, tmp_path):
    out = Run(tmp_path / "again")
    where = ["--data", str(faces_folder), "--cache", str(tmp_path / "cache")]
    assert train.main(["--like", str(whole[0].folder), *where, "--out", str(out.folder)]) == 0
    assert_same_run(whole[0], out)
    assert out.read_recipe() == whole[0].read_recipe()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--like x --preset mlp", "as a preset. Received: --like with --preset. Leave one"),
        ("--like x --resume x", "its own recipe. Received: --like with --resume. Leave one"),
        ("--minutes 5 --iters 9", "or its iterations. Received: --minutes with --iters. Leave"),
        ("--minutes 5 --resume x", "gives it more. Received: --minutes with --resume. Leave"),
        ("--minutes 0", "`--minutes` should be above 0 and finite. Received: 0.0."),
        ("--minutes inf", "`--minutes` should be above 0 and finite. Received: inf."),
        ("--like nowhere", "A run's folder should hold recipe.json. Received: nowhere"),
    ],
)
def test_flags_that_exclude_each_other_are_one_line(tmp_path, capsys, flags, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train.main(flags.split()) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_minutes_become_iterations_and_leave_the_run_untouched(
    faces_folder, tmp_path, monkeypatch, capsys
):
    """At 0.5 s an iteration 3 s are 6 of them; the run is that of --iters 6."""
    measure, measured = dry_run.seconds_an_iteration, []

    def half_a_second(gan, real, part):
        measured.append((measure(gan, real, part), gan))
        return 0.5

    monkeypatch.setattr(dry_run, "seconds_an_iteration", half_a_second)
    auto = ("--augment", "auto", "--out")
    timed, counted = Run(tmp_path / "timed"), Run(tmp_path / "counted")
    assert train.main(words(faces_folder, tmp_path, "--minutes", 0.05, *auto, timed.folder)) == 0
    printed = capsys.readouterr().out
    assert "takes 0.500 s: 6 iterations will take about 3 s, and --iters is 6." in printed
    assert len(measured) == 1 and int(measured[0][1].iteration) > 0
    assert train.main(words(faces_folder, tmp_path, "--iters", 6, *auto, counted.folder)) == 0
    assert timed.read_recipe() == counted.read_recipe()
    assert (timed.read_recipe().iters, timed.read_recipe().augment) == (6, "none")
    assert_same_run(timed, counted)


def test_with_minutes_stages_may_be_longer_than_the_presets_training(tmp_path):
    """It has 12,000 iterations, which these do not: the speed says how many there are."""
    flags = "--data x --preset progressive --size 8 --stages 4:20000,8:5+rest --minutes 5"
    job = train.plan(train.build_parser().parse_args(flags.split()))
    assert job.minutes == 5 and job.recipe.growth_stages[-1].start == 20_000


@pytest.mark.parametrize(
    ("every", "minutes", "evaluations", "expected"),
    [
        (50, 0.0, 0, 20),
        (0, 5.0, 0, 12),  # an hour
        (50, 5.0, 0, 20),
        (500, 5.0, 0, 12),
        (50, 0.0, 500, 22),
    ],
)
def test_a_dry_run_estimates_the_checkpoints(tiny, every, minutes, evaluations, expected):
    fields = {"checkpoint_every": every, "checkpoint_minutes": minutes, "iters": 1000}
    recipe = dataclasses.replace(tiny, evaluate_every=evaluations, **fields)
    assert dry_run.saves(recipe, 3600) == expected


def test_a_long_run_is_told_what_would_be_faster():
    assert pace.estimate(0.18, 20_000) == "20,000 iterations at 0.18 s each will take about 60 min."
    slow = pace.estimate(40.0, 20_000)
    assert "9.3 days" in slow and "--preset article-lite" in slow


@pytest.mark.parametrize(
    ("seconds", "at"),
    [(0.1, pace.WARM_UP + pace.MIN_TIMED), (5.0, pace.WARM_UP + 4), (60.0, pace.WARM_UP + 1)],
)
def test_the_estimate_comes_once_and_early(tiny, monkeypatch, seconds, at):
    now = [100.0]
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now[0])
    clock = pace.Clock(50, dataclasses.replace(tiny, iters=1050), quiet=False)
    said = {}
    for done in range(1, 30):
        now[0] += seconds
        line = clock.tick(50 + done, dict.fromkeys(SCALARS, 0.5))
        if line:
            said[done] = line
    expected = f"{1000 - at:,} iterations at {seconds:.2f} s each will take about"
    assert list(said) == [at] and said[at].startswith(expected)


def test_where_no_bar_is_shown_a_line_comes_every_minute(tiny, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now[0])
    clock = pace.Clock(0, dataclasses.replace(tiny, iters=1000), quiet=True)
    lines = []
    for done in range(1, 201):
        now[0] += 1.0
        lines.append(clock.tick(done, dict.fromkeys(SCALARS, 0.5)))
    said = [(i + 1, line) for i, line in enumerate(lines) if line]
    assert [i for i, _ in said] == [7, 61, 122, 183]
    assert said[1][1].startswith("iteration 61 of 1,000, 16 min left: d_loss 0.500")
    assert said[1][1].endswith("4 images/s")


def test_without_data_the_folder_data_or_the_built_in_faces(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    parse = train.build_parser().parse_args
    args = ["--preset", "article-lite"]
    assert train.plan(parse(args)).request.source == "set:built-in"
    assert "the built-in faces" in capsys.readouterr().out
    (tmp_path / "data").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "data" / "me.png")
    assert train.plan(parse(args)).request.source == "data"
    assert "the pictures in data" in capsys.readouterr().out


def test_a_run_from_another_machine_is_told_where_its_pictures_are(tiny, tmp_path, capsys):
    folder = tmp_path / "faces"
    folder.mkdir()
    for index in range(4):
        Image.new("RGB", (32, 32), (60 * index, 9, 9)).save(folder / f"{index}.png")
    pictures = data.load(str(folder), size=tiny.size, cache=tmp_path / "cache")
    run = begin_run(tiny, pictures, out=tmp_path / "run")
    facts = run.read_facts()
    facts["machine"]["salt"] += "0"
    run.write_facts(facts)
    assert train.main(resuming(run)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Type --data SOURCE" in error
    job = train.resume(train.build_parser().parse_args([*resuming(run), "--data", str(folder)]))
    assert job.request == data.Request(str(folder), cache=tmp_path / "cache")


def test_a_run_on_drawn_faces_of_another_seed_is_resumed_on_the_same(tiny, tmp_path):
    pictures = data.load("built-in", size=tiny.size, limit=4, seed=5, cache=tmp_path / "cache")
    run = begin_run(tiny, pictures, out=tmp_path / "run")
    job = train.resume(train.build_parser().parse_args(resuming(run)))
    again = data.load_request(job.request, size=tiny.size)
    assert job.request.seed == 5 and again.fingerprint == pictures.fingerprint


def test_preset_auto_follows_the_hardware(monkeypatch, capsys):
    monkeypatch.setattr(backend, "gpus", lambda: [])
    assert train.pick_preset().preset == "article-lite"
    assert "--preset article" in capsys.readouterr().out
    monkeypatch.setattr(backend, "gpus", lambda: ["a GPU"])
    assert train.pick_preset().preset == "article"
    assert "--preset article-lite" in capsys.readouterr().out


def test_run_json_is_plain_json(whole):
    out = whole[0].folder
    assert json.loads((out / "recipe.json").read_text())["precision"] == "float32"
    assert not [name for name in os.listdir(out) if name.startswith(".")]


def test_a_run_in_the_folder_of_its_pictures(faces_folder, monkeypatch, capsys):
    """Its grids and plots are no pictures, so that it goes on."""
    from kerasgan import sample
    from kerasgan.data import __main__ as prepare

    monkeypatch.chdir(faces_folder)
    here = [*SMALL.split(), *OFTEN.split(), "--data", "."]
    assert train.main([*here, "--iters", "1"]) == 0
    assert prepare.main([".", "--size", "32", "--check", "--faces", "0"]) == 0
    assert prepare.main([".", "--size", "32", "--export", "look"]) == 0
    for source in ("outputs/000-article-lite", "outputs/000-article-lite/generator.keras"):
        assert sample.main([source, "-n", "4"]) == 0
    assert train.main(["--resume", "outputs/000-article-lite", "--iters", "2"]) == 0
    assert "Done: 2 iterations" in capsys.readouterr().out
    assert train.main([*here, "--iters", "1", "--dry-run"]) == 0
    assert "10 pictures of 32x32" in capsys.readouterr().out
