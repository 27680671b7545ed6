"""What happens to machines while they train: disks that fill, folders that go, odd numbers."""

import contextlib
import dataclasses
import errno
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from kerasgan import images, loop, runs
from kerasgan import recorder as recording
from kerasgan.backend import tf
from kerasgan.checkpoints import Checkpoints
from kerasgan.conditions import Conditions
from kerasgan.control import Control
from kerasgan.data.batches import Batches
from kerasgan.errors import UserError
from kerasgan.gan import GAN
from kerasgan.recorder import Recorder
from kerasgan.runs import Run

SCALARS = {"d_loss": 0.5, "a_loss": 0.25, "d_accuracy": 0.5}


@pytest.fixture
def gan(tiny, monkeypatch):
    """Of a recipe whose files come at once."""
    often = {"grid_every": 4, "checkpoint_every": 5, "checkpoint_minutes": 0.0, "iters": 100}
    monkeypatch.setattr(recording.plots, "write_losses", lambda *_: None)
    return GAN(dataclasses.replace(tiny, control_latents=4, **often))


def record(recorder, *iterations):
    for iteration in iterations:
        recorder.gan.iteration.assign(iteration)
        recorder.record(iteration, SCALARS)


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/disk/file")


@contextlib.contextmanager
def ended():
    """Gives a list that gets the message with which what is inside ends."""
    messages = []
    with pytest.raises(UserError) as caught:
        yield messages
    messages.append(str(caught.value))
    assert "\n" not in messages[0]


RULE = "The disk should have room for what a training writes. Received: "


def test_a_disk_that_is_full_before_the_first_checkpoint(gan, tmp_path, monkeypatch):
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    with ended() as said, Recorder(gan, run) as recorder:
        monkeypatch.setattr(images, "write_png", full)
        record(recorder, 1, 2, 3, 4)
    assert said[0] == (
        f"{RULE}/disk/file, No space left on device. Make room, then type: python -m "
        f"kerasgan.train --resume {run.folder} (no checkpoint was written yet: it begins anew)"
    )


@pytest.mark.parametrize("what", ["grid", "generator", "checkpoint", "log", "events"])
def test_a_disk_that_is_full_later(gan, tmp_path, monkeypatch, what):
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    with ended() as said, Recorder(gan, run) as recorder:
        record(recorder, *range(1, 7))
        if what == "grid":
            monkeypatch.setattr(images, "write_png", full)
        elif what == "generator":
            monkeypatch.setattr(recording.saved, "write", full)
        elif what == "checkpoint":
            fault = tf.errors.ResourceExhaustedError(None, None, "x; No space left on device")
            monkeypatch.setattr(tf.train.Checkpoint, "write", lambda *_: raising(fault))
        elif what == "events":
            fault = tf.errors.UnknownError(None, None, "x; No space left on device")
            monkeypatch.setattr(recorder.events._writer, "flush", lambda: raising(fault))
        else:
            recorder.log.close()
            recorder.log = open("/dev/full", "w", buffering=1)
            monkeypatch.setattr(Recorder, "_require_here", lambda _: None)
        record(recorder, 7, 8, 9, 10)
    assert said[0].startswith(RULE) and "No space left on device. Make room" in said[0]
    assert said[0].endswith("(it goes on from iteration-5)")
    assert Checkpoints(gan, run.checkpoints, 3).restore() == 5
    monkeypatch.undo()
    with Recorder(gan, run) as recorder:  # going on works
        record(recorder, *range(6, 11))
    assert Checkpoints(gan, run.checkpoints, 3).restore() == 10
    assert len(run.read_log()) == 10


def raising(error):
    raise error


def test_a_run_that_may_not_be_written_any_more(gan, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/disk/file")

    run = Run(tmp_path)
    with ended() as said, Recorder(gan, run) as recorder:
        monkeypatch.setattr(images, "write_png", refuse)
        record(recorder, 1, 2, 3, 4)
    assert said[0].startswith(
        "A training should be able to write to its run. Received: /disk/file, Permission denied. "
        "Mend that, then type: "
    )


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not tell")
def test_a_run_that_was_renamed_says_where_it_goes_on(gan, tmp_path):
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    with ended() as said, Recorder(gan, run) as recorder:
        record(recorder, *range(1, 6))
        run.folder.rename(tmp_path / "best")
        record(recorder, 6)
    assert said[0] == (
        "A run's folder should stay in its place while it is trained. Received: "
        f"{tmp_path / 'run'}, which is {tmp_path / 'best'} now. Type: python -m kerasgan.train "
        f"--resume {tmp_path / 'best'}"
    )
    assert not (tmp_path / "run").exists()
    assert Checkpoints(gan, tmp_path / "best" / "checkpoints", 3).restore() == 5


@pytest.mark.skipif(os.name == "nt", reason="open files cannot be removed there")
def test_a_run_that_was_removed_is_not_made_again(gan, tmp_path):
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    with ended() as said, Recorder(gan, run) as recorder:
        record(recorder, *range(1, 6))
        shutil.rmtree(run.folder)
        record(recorder, 6)
    assert said[0].endswith("which was removed, with its checkpoints. Train anew.")
    with ended() as said, Recorder(GAN(gan.recipe), make(run)) as recorder:
        shutil.rmtree(run.folder)
        recorder.save()
    assert said[0].endswith("which was removed, with its checkpoints. Train anew.")
    assert not run.folder.exists()


def make(run):
    run.folder.mkdir()
    return run


def test_a_log_that_another_program_replaced_is_noticed(gan, tmp_path):
    run = Run(tmp_path)
    with ended() as said, Recorder(gan, run) as recorder:
        record(recorder, *range(1, 6))
        (tmp_path / "copy").write_text(run.log.read_text())
        (tmp_path / "copy").replace(run.log)
        record(recorder, 6)
    assert "log.jsonl, which was removed or replaced by another program" in said[0]
    again = Recorder(gan, run)
    assert again.restore() == 5
    with again:
        record(again, 6)


def test_an_optimizer_with_an_infinity_is_seen(gan, tmp_path):
    """The weights stay finite: nothing would ever move them again."""
    with ended() as said, Recorder(gan, Run(tmp_path)) as recorder:
        record(recorder, 1, 2, 3, 4)
        memory = gan.generator_optimizer.variables[-1]
        memory.assign(tf.fill(memory.shape, np.inf))
        record(recorder, 5)
    fault = "after iteration 5 the optimizer of the generator has numbers that are not finite"
    assert fault in said[0] and "No checkpoint was due" in said[0]
    assert not Run(tmp_path).checkpoints.exists()


def test_a_checkpoint_with_numbers_that_are_not_finite_is_passed_over(gan, tmp_path, capsys):
    checkpoints = Checkpoints(gan, tmp_path, 3)
    gan.iteration.assign(5)
    checkpoints.save()
    gan.iteration.assign(6)
    gan.generator.weights[0].assign(tf.fill(gan.generator.weights[0].shape, np.nan))
    checkpoints.save()
    assert checkpoints.restore() == 5
    assert "iteration-6 cannot be read (the generator has numbers" in capsys.readouterr().out
    assert np.isfinite(gan.generator.get_weights()[0]).all()


def test_a_recipe_that_was_edited_is_noticed(gan, tiny, tmp_path):
    gan.iteration.assign(5)
    Checkpoints(gan, tmp_path / "checkpoints", 3).save()
    other = GAN(dataclasses.replace(gan.recipe, learning_rate=0.5))
    with pytest.raises(UserError) as caught:
        Checkpoints(other, tmp_path / "checkpoints", 3).restore()
    assert str(caught.value) == (
        f"A run's recipe should stay as it was at its checkpoints. Received: {tmp_path}, of which "
        "iteration-5 was made under another: --learning-rate 0.0001 -> 0.5. Change recipe.json "
        "back, or start a new run."
    )
    wider = GAN(dataclasses.replace(gan.recipe, latent_dim=9))
    with pytest.raises(UserError, match="--latent-dim 8 -> 9"):
        Checkpoints(wider, tmp_path / "checkpoints", 3).restore()
    longer = GAN(dataclasses.replace(gan.recipe, iters=500, keep_checkpoints=9))
    assert Checkpoints(longer, tmp_path / "checkpoints", 3).restore() == 5


def test_a_checkpoint_of_an_older_version_knows_no_recipe(gan, tmp_path):
    gan.iteration.assign(5)
    tf.train.Checkpoint(**gan.state()).write(str(tmp_path / "iteration-5"))
    gan.iteration.assign(0)
    assert Checkpoints(gan, tmp_path, 3).restore() == 5


def test_a_full_standard_output_does_not_stop_a_training(tiny, tmp_path, monkeypatch):
    gan = GAN(dataclasses.replace(tiny, iters=2, control_latents=1))
    batches = Batches(np.zeros((4, 32, 32, 3), np.uint8), 4, 0)
    monkeypatch.setattr(loop.tqdm, "write", full)
    monkeypatch.setattr(loop.MovementCheck, "check", lambda *_: "a line")
    assert loop.train(gan, batches, Run(tmp_path)) == (None, None)


@pytest.mark.skipif(os.name == "nt", reason="no such limits there")
def test_too_few_addresses_for_tensorflow_are_one_line():
    script = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (3 * 2**29, resource.RLIM_INFINITY))
from kerasgan import cli
def command(argv):
    import kerasgan.backend
sys.exit(cli.run(command, []))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == (
        "error: TensorFlow should be allowed the addresses that it takes. Received: a limit of "
        "1.5 GiB, with 3 GiB needed at the least. Type: ulimit -v unlimited\n"
    )


def test_damaged_control_latents_are_drawn_again(tiny, tmp_path, capsys):
    run = Run(tmp_path)
    first = Control.of(tiny, run, None).latents
    whole = run.control_latents.read_bytes()
    assert first.shape == (36, 8) and capsys.readouterr().out == ""
    np.save(tmp_path / "odd.npy", np.full((36, 8), np.nan, np.float32))
    np.save(tmp_path / "other.npy", np.zeros((35, 8), np.float32))
    others = [(tmp_path / name).read_bytes() for name in ("odd.npy", "other.npy")]
    for damage in (b"", whole[:-1], b"\x80" + whole[1:], *others):
        run.control_latents.write_bytes(damage)
        np.testing.assert_array_equal(Control.of(tiny, run, None).latents, first)
        assert "control_latents.npy is damaged (" in capsys.readouterr().out
        assert run.control_latents.read_bytes() == whole


def test_conditions_of_a_control_grid_that_are_others_are_refused(tiny, tmp_path):
    run, known = Run(tmp_path), Conditions(["Hat"], np.array([[1], [-1]], np.int8))
    control = Control.of(tiny, run, known)
    assert len(control.conditions.values) == 2 and control.latents.shape == (18, 8)
    for others in (["Tie"], np.array([[1]], np.int8)), (["Hat"], np.ones((40, 1), np.int8)):
        runs.write_conditions(run.control_conditions, Conditions(*others))
        with pytest.raises(UserError, match="which has others. Remove it: it is made again"):
            Control.of(tiny, run, known)
