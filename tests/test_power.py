"""A training's checkpoints on a disk from which a power cut takes all that was not put on it."""

import pytest
from disks import Disk

from kerasgan.checkpoints import Checkpoints
from kerasgan.gan import GAN


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
