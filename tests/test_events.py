"""TensorBoard's events: each once, also where a process was killed and another went on."""

import numpy as np
import pytest

from kerasgan import events
from kerasgan.backend import tf
from kerasgan.events import Events

PICTURE = np.zeros((4, 4, 3), np.uint8)


def read(folder):
    """Every (tag, step) in the folder's files, in the order of the files."""
    found = []
    for path in sorted(folder.iterdir()):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            found += [(value.tag, event.step) for value in event.summary.value]
    return found


def write(folder, done, iterations):
    """What one process writes; nothing is closed, as in one that is killed."""
    writer = Events(folder, done)
    for iteration in iterations:
        writer.scalars(iteration, {"d_loss": 0.5, "a_loss": 1.0 * iteration})
        writer.picture(iteration, "control", PICTURE)
    writer.flush()
    return writer


def expected(iterations):
    return [(tag, step) for step in iterations for tag in ("d_loss", "a_loss", "control")]


def test_a_resumed_run_has_no_step_twice(tmp_path):
    killed = write(tmp_path / "events", 0, [10, 20, 30, 40])
    resumed = write(tmp_path / "events", 25, [30, 40, 50])
    assert read(tmp_path / "events") == expected([10, 20, 30, 40, 50])
    again = write(tmp_path / "events", 40, [50])
    assert read(tmp_path / "events") == expected([10, 20, 30, 40, 50])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events"]  # nothing beside it
    for writer in (killed, resumed, again):
        writer.close()


def test_a_training_that_begins_anew_keeps_nothing(tmp_path):
    write(tmp_path, 0, [0, 10]).close()
    write(tmp_path, 0, [0, 10]).close()
    assert read(tmp_path) == expected([0, 10])


@pytest.mark.parametrize("done", [20, 30])
def test_a_file_without_its_end_is_tolerated(tmp_path, done):
    write(tmp_path, 0, [10, 20, 30]).close()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-20])  # into the last picture
    events.cut(tmp_path, done)
    if done == 20:
        assert read(tmp_path) == expected([10, 20])
    else:
        with pytest.raises(tf.errors.DataLossError):
            read(tmp_path)


def test_what_stays_is_left_alone(tmp_path):
    write(tmp_path, 0, [10, 20]).close()
    (path,) = tmp_path.iterdir()
    before = path.read_bytes(), path.stat().st_mtime_ns
    events.cut(tmp_path, 20)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    events.cut(tmp_path / "none", 20)
