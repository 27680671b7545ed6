"""The loss curves' numbers, and their file."""

import numpy as np
import pytest
from PIL import Image

from kerasgan import plots
from kerasgan.watch import Evaluation


def test_bins_hold_the_mean_and_range_of_their_iterations():
    values = np.random.default_rng(0).normal(size=1234)
    ends, means, lows, highs = plots._binned(values)
    assert len(ends) == plots.MAX_BINS and ends[-1] == 1234
    starts = [0, *ends[:-1]]
    for start, end, mean, low, high in zip(starts, ends, means, lows, highs, strict=True):
        part = values[start:end]
        assert (mean, low, high) == pytest.approx((part.mean(), part.min(), part.max()))


def test_few_values_are_drawn_one_by_one():
    ends, means, lows, highs = plots._binned(np.array([3.0, 1.0]))
    assert list(ends) == [1, 2] and list(means) == list(lows) == list(highs) == [3.0, 1.0]


def test_a_spike_does_not_flatten_the_curves():
    losses = np.random.default_rng(0).uniform(0.5, 1.0, 2000)
    spiked = losses.copy()
    spiked[700:704] = 30.0
    low, high = plots.loss_figure(losses, spiked).axes[0].get_ylim()
    assert 0.3 < low < 0.5 and 1.0 < high < 1.2


@pytest.mark.parametrize("count", [0, 1, 3000])
def test_writes_both_curves(tmp_path, count):
    plots.write_losses(tmp_path / "losses.png", [0.7] * count, [1.1] * count)
    with Image.open(tmp_path / "losses.png") as picture:
        assert picture.size == (800, 400)
    lines = plots.loss_figure([0.7] * count, [1.1] * count).axes[0].lines
    assert [line.get_label() for line in lines] == ["d_loss", "a_loss"]


@pytest.mark.parametrize("faces", [None, 0.4])
def test_quality_is_drawn_over_iterations_and_over_time(tmp_path, faces):
    figures = {"diversity": 0.8, "d_accuracy": 0.7, "face_frechet": faces}
    seen = [
        Evaluation(500 * i, 60.0 * i, 300 / i, 280 / i, 320 / i, **figures) for i in range(1, 5)
    ]
    figure = plots.quality_figure(seen, rollbacks=[1200])
    assert len(figure.axes) == (2 if faces is None else 4)
    over_iterations, over_time = figure.axes[:2]
    np.testing.assert_allclose(over_iterations.lines[0].get_xdata(), [500, 1000, 1500, 2000])
    np.testing.assert_allclose(over_time.lines[0].get_xdata(), [1, 2, 3, 4])  # minutes
    for axes in (over_iterations, over_time):
        np.testing.assert_allclose(axes.lines[0].get_ydata(), [300, 150, 100, 75])
    assert list(over_iterations.lines[1].get_xdata()) == [1200, 1200]
    assert list(over_time.lines[1].get_xdata()) == pytest.approx([2.4, 2.4])
    if faces:
        np.testing.assert_allclose(figure.axes[2].lines[0].get_ydata(), 0.4)
    plots.write_quality(tmp_path / "quality.png", seen)
    with Image.open(tmp_path / "quality.png") as picture:
        assert picture.size == (1000, 350 if faces is None else 600)
