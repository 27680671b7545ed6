"""The picture of a training's losses."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kerasgan.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 500  # more points than the picture has pixels for only blur it
SPIKES = 0.005  # share of the losses, at either end, that may lie outside of the picture


def loss_figure(d_losses: Sequence[float], a_losses: Sequence[float]) -> "Figure":
    """Draws both loss curves over the iterations: the mean in each bin, and its range.

    Args:
        d_losses: the discriminator's loss at iterations 1, 2, ...
        a_losses: the adversarial model's, as many.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot()
    for losses, label, color in ((d_losses, "d_loss", "tab:blue"), (a_losses, "a_loss", "tab:red")):
        iterations, means, lows, highs = _binned(np.asarray(losses, np.float64))
        axes.plot(iterations, means, color=color, label=label, linewidth=1)
        axes.fill_between(iterations, lows, highs, color=color, alpha=0.2, linewidth=0)
    axes.set_ylim(*_limits(np.concatenate([d_losses, a_losses])))
    axes.set_xlabel("iteration")
    axes.set_ylabel("loss")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    return figure


def write_losses(
    path: str | os.PathLike[str], d_losses: Sequence[float], a_losses: Sequence[float]
) -> None:
    """Writes the loss curves as PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        loss_figure(d_losses, a_losses).savefig(temporary, dpi=100)


def _limits(values: np.ndarray) -> tuple[float | None, float | None]:
    """Chooses the loss axis so that a few spikes do not flatten all the rest."""
    if not len(values):
        return None, None
    low, high = np.quantile(values, [SPIKES, 1 - SPIKES])
    margin = max(0.15 * (high - low), 0.05)
    return low - margin, high + margin


def _binned(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Splits values into at most BINS neighbours: last iteration, mean, lowest, highest of each."""
    edges = np.unique(np.linspace(0, len(values), BINS + 1).astype(int))
    starts, ends = edges[:-1], edges[1:]
    if not len(starts):
        return (np.empty(0),) * 4
    means = np.add.reduceat(values, starts) / (ends - starts)
    return ends, means, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
