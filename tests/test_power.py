"""A training's checkpoints on a disk from which a power cut takes all that was not put on it."""

import dataclasses
import zipfile

import pytest
from disks import Disk

from kerasgan import recorder as recording
from kerasgan.checkpoints import Checkpoints
from kerasgan.errors import UserError
from kerasgan.gan import GAN
from kerasgan.recorder import Recorder
from kerasgan.runs import Run


def lay_out(folder, contents):
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


@pytest.mark.parametrize("keep", [1, 2])
def test_a_checkpoint_that_was_written_survives_a_power_cut(tiny, tmp_path, monkeypatch, keep):
    gan, other = GAN(tiny), GAN(tiny)
    run = tmp_path / "run"
    run.mkdir()
    promised, left = [0], {}

    def keep_what_is_left(found):
        key = tuple(sorted((path, hash(content)) for path, content in found.items()))
        left.setdefault((promised[-1], key), found)

    disk = Disk(run, keep_what_is_left, monkeypatch)
    checkpoints = Checkpoints(gan, run / "checkpoints", keep)
    for iteration in (1, 2, 3):
        gan.iteration.assign(iteration)
        checkpoints.save()
        promised.append(iteration)
        disk.tell()
    disk.close()
    monkeypatch.undo()
    assert {at for at, _ in left} == {0, 1, 2, 3} and len(left) > 12
    for number, ((at, _), found) in enumerate(left.items()):
        folder = lay_out(tmp_path / str(number), found) / "checkpoints"
        if at:  # a later one may be there as well, whole
            assert Checkpoints(other, folder, keep).restore() >= at


def test_what_belongs_to_a_checkpoint_is_there_when_it_is(tiny, tmp_path, monkeypatch):
    """The log's lines, and networks' files that are whole."""
    recipe = dataclasses.replace(tiny, checkpoint_every=1, grid_every=2, control_latents=1)
    gan, other, run = GAN(recipe), GAN(recipe), Run(tmp_path / "run")
    run.folder.mkdir()
    monkeypatch.setattr(recording.plots, "write_losses", lambda *_: None)
    done, left = [0], {}

    def keep_what_is_left(found):
        key = tuple(sorted((path, hash(content)) for path, content in found.items()))
        left.setdefault(key, (done[-1], found))

    with Recorder(gan, run) as recorder:
        disk = Disk(run.folder, keep_what_is_left, monkeypatch)
        for iteration in (1, 2, 3):
            gan.iteration.assign(iteration)
            recorder.record(iteration, {"d_loss": 0.5, "a_loss": 0.5, "d_accuracy": 0.5})
            done.append(iteration)
    disk.close()
    monkeypatch.undo()
    checked = set()
    for number, (at, found) in enumerate(left.values()):
        names = {path.as_posix() for path in found if found[path]}
        there = Run(lay_out(tmp_path / str(number), found))
        if not any(name.endswith(".index") for name in names):
            assert at == 0
            continue
        try:
            restored = Checkpoints(other, there.checkpoints, 3).restore()
        except UserError:  # the first one is not whole yet
            assert at == 0
            continue
        assert restored >= at and len(there.cut_log(restored)) == restored
        assert zipfile.is_zipfile(there.generator) and zipfile.is_zipfile(there.discriminator)
        checked.add(restored)
    assert checked == {1, 2, 3}
