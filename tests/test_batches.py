"""The order in which pictures are seen."""

import numpy as np

from kerasgan.data.batches import Batches


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
