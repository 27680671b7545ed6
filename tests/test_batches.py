"""The order in which pictures are seen."""

import sys
from pathlib import Path

import numpy as np
import pytest

from kerasgan.data.batches import Ahead, Batches


def numbered(count):
    """Pictures whose pixels all hold their own number."""
    return np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 2, 2, 3))


def test_each_epoch_sees_every_picture_once():
    batches = Batches(numbered(10), batch_size=4, seed=0)
    seen = np.concatenate([batches.indices(i) for i in range(10)])  # four epochs
    assert len(seen) == 40
    for epoch in range(4):
        assert sorted(seen[10 * epoch : 10 * (epoch + 1)]) == list(range(10))
    assert list(seen[:10]) != list(seen[10:20])


def test_an_iterations_batch_does_not_depend_on_what_was_asked_before():
    order = [5, 0, 7, 5, 2]
    jumping = Batches(numbered(10), 4, seed=3)
    for iteration in order:
        fresh = Batches(numbered(10), 4, seed=3)
        np.testing.assert_array_equal(jumping.at(iteration), fresh.at(iteration))


def test_a_batch_may_be_as_large_as_the_set_or_span_several_epochs():
    assert sorted(Batches(numbered(5), 5, seed=1).indices(3)) == [0, 1, 2, 3, 4]
    assert len(Batches(numbered(3), 8, seed=1).indices(2)) == 8


def test_pixels_come_in_minus_one_to_one():
    batch = Batches(numbered(256), 256, seed=0).at(0)
    assert batch.dtype == np.float32 and batch.shape == (256, 2, 2, 3)
    assert batch.min() == -1 and batch.max() == 1


def test_other_seed_other_order():
    a, b = (Batches(numbered(50), 10, seed=s).indices(0) for s in (0, 1))
    assert list(a) != list(b)


def sides(count):
    """Pictures that are 0 in their left half and their own number plus one in their right."""
    pixels = np.zeros((count, 1, 2, 1), np.uint8)
    pixels[:, 0, 1, 0] = np.arange(1, count + 1)
    return pixels


def test_half_of_the_pictures_are_mirrored_anew_at_each_sight():
    batches = Batches(sides(50), 50, seed=0, flip=True)
    plain = Batches(sides(50), 50, seed=0)
    seen = [batches.at(iteration) for iteration in range(40)]
    mirrored = np.stack([batch[:, 0, 0, 0] > -1 for batch in seen])
    for iteration, batch in enumerate(seen):
        upright = np.where(mirrored[iteration][:, None, None, None], batch[:, :, ::-1], batch)
        np.testing.assert_array_equal(upright, plain.at(iteration))
    assert 0.45 < mirrored.mean() < 0.55  # of 2,000: the standard deviation is 0.011
    assert len({tuple(row) for row in mirrored}) == 40
    np.testing.assert_array_equal(Batches(sides(50), 50, seed=0, flip=True).at(7), seen[7])


def test_flipping_leaves_the_pictures_as_they_are():
    pixels = sides(6)
    Batches(pixels, 6, seed=0, flip=True).at(0)
    np.testing.assert_array_equal(pixels, sides(6))


@pytest.mark.parametrize("count", [1, 2, 4])
def test_shards_make_up_the_batch(count):
    whole = Batches(sides(10), 8, seed=2, flip=True)
    shards = [Batches(sides(10), 8, seed=2, flip=True, shard=(k, count)) for k in range(count)]
    for iteration in range(5):  # batches that span epochs, too
        parts = [shard.at(iteration) for shard in shards]
        assert all(len(part) == 8 // count for part in parts)
        np.testing.assert_array_equal(np.concatenate(parts), whole.at(iteration))


@pytest.mark.parametrize("shard", [(0, 3), (2, 2), (-1, 2)])
def test_shards_that_do_not_exist(shard):
    with pytest.raises(ValueError, match="has no part"):
        Batches(sides(10), 8, seed=0, shard=shard)


class Counting:
    """Batches that note what was asked of them."""

    def __init__(self):
        self.asked = []

    def at(self, iteration):
        self.asked.append(iteration)
        return np.full(1, iteration)


def test_ahead_makes_the_next_batches_and_each_once():
    counting = Counting()
    with Ahead(counting, depth=2) as ahead:
        assert [int(ahead.at(iteration)[0]) for iteration in range(3, 8)] == [3, 4, 5, 6, 7]
    assert counting.asked[:5] == [3, 4, 5, 6, 7] and set(counting.asked) <= set(range(3, 10))
    assert len(counting.asked) == len(set(counting.asked))


def test_ahead_may_be_asked_out_of_order():
    with Ahead(Counting()) as ahead:
        assert [int(ahead.at(iteration)[0]) for iteration in (5, 0, 0, 1, 7)] == [5, 0, 0, 1, 7]


def test_ahead_passes_errors_on():
    class Failing:
        def at(self, iteration):
            raise OSError("the disk has gone")

    with Ahead(Failing()) as ahead, pytest.raises(OSError, match="has gone"):
        ahead.at(0)


def resident_files():
    """The bytes of mapped files that are in this process's memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssFile"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux' account of memory")
def test_a_mapped_set_does_not_pile_up_in_memory(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((2000, 64, 64, 3), np.uint8))
    pixels = np.load(tmp_path / "a.npy", mmap_mode="r")
    before = resident_files()
    batches = Batches(pixels, 50, seed=0)
    assert all((batches.at(iteration) < 0).all() for iteration in range(40))
    assert resident_files() - before < 0.2 * pixels.nbytes
    assert (np.asarray(pixels) == 1).all()
    assert resident_files() - before > 0.9 * pixels.nbytes  # what it would be without
