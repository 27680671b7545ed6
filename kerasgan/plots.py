"""Pictures of a training's losses and of its quality."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kerasgan.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kerasgan.watch import Evaluation

MAX_BINS = 500  # points of a curve: more than the picture has pixels for only blur it
VERDICT_BINS = 40  # of a histogram of logits
COLORS = ("tab:blue", "tab:red", "tab:green")  # of its groups
MAX_OUTSIDE = 0.005  # fraction of the losses, at either end, that may lie outside of the picture


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


def quality_figure(evaluations: Sequence["Evaluation"], rollbacks: Sequence[int] = ()) -> "Figure":
    """Draws KID, and where faces were measured their Frechet distance, over iterations and time.

    Args:
        evaluations: at least one, in order.
        rollbacks: iterations after which the training went back, drawn as dashed lines.
    """
    from matplotlib.figure import Figure

    unit, seconds = ("hours", 3600) if evaluations[-1].seconds > 7200 else ("minutes", 60)
    iterations = np.array([e.iteration for e in evaluations])
    times = np.array([e.seconds / seconds for e in evaluations])
    distances = [e.face_frechet for e in evaluations if e.face_frechet is not None]
    rows = 2 if len(distances) == len(evaluations) else 1
    figure = Figure(figsize=(10, 1 + 2.5 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, sharex="col", sharey="row", squeeze=False)
    for column, places in enumerate((iterations, times)):
        _draw_kid(panels[0, column], places, evaluations)
        if rows == 2:
            panels[1, column].plot(places, distances, color="tab:red", marker="o", ms=3)
        for panel in panels[:, column]:
            panel.grid(alpha=0.3)
            panel.set_ylim(bottom=0)
            for place in np.interp(rollbacks, iterations, places):
                panel.axvline(place, color="gray", linestyle="--", linewidth=1)
    panels[-1, 0].set_xlabel("iteration")
    panels[-1, 1].set_xlabel(f"{unit} of training")
    for panel, label in zip(panels[:, 0], ("KID x 1000", "face Frechet distance"), strict=False):
        panel.set_ylabel(label)
    return figure


def _draw_kid(axes: "Axes", places: np.ndarray, evaluations: Sequence["Evaluation"]) -> None:
    """Draws KID with its 95% interval."""
    axes.plot(places, [e.kid_x1000 for e in evaluations], color="tab:blue", marker="o", ms=3)
    lows, highs = ([getattr(e, f"kid_x1000_{end}") for e in evaluations] for end in ("low", "high"))
    axes.fill_between(places, lows, highs, color="tab:blue", alpha=0.2, linewidth=0)


def write_quality(
    path: str | os.PathLike[str],
    evaluations: Sequence["Evaluation"],
    rollbacks: Sequence[int] = (),
) -> None:
    """Writes the curves of quality as PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        quality_figure(evaluations, rollbacks).savefig(temporary, dpi=100)


def verdict_figure(logits: Mapping[str, np.ndarray], names: Sequence[str] = ()) -> "Figure":
    """Draws how a discriminator's logits are distributed.

    Args:
        logits: (N,) of each group of pictures by its name.
        names: of the pictures of the last group, each drawn as a line; none for a histogram as of
            the others.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot()
    groups = dict(logits)
    single = groups.popitem() if names else None
    edges = np.histogram_bin_edges(np.concatenate(list(groups.values())), VERDICT_BINS)
    for (name, values), color in zip(groups.items(), COLORS, strict=False):
        label = f"{name} ({len(values):,})"
        axes.hist(values, edges.tolist(), density=True, alpha=0.5, color=color, label=label)
    if single:
        _draw_each(axes, *single)
    axes.set_xlabel("logit: the higher, the more real")
    axes.set_yticks([])
    axes.legend(loc="upper right")
    return figure


def _draw_each(axes: "Axes", group: str, values: np.ndarray) -> None:
    for place, value in enumerate(values):
        axes.axvline(
            value, color="black", lw=1, label=None if place else f"{group} ({len(values)})"
        )


def write_verdicts(
    path: str | os.PathLike[str], logits: Mapping[str, np.ndarray], names: Sequence[str] = ()
) -> None:
    """Writes the distributions of logits as PNG, whole or not at all; see `verdict_figure`."""
    with atomic_path(path) as temporary:
        verdict_figure(logits, names).savefig(temporary, dpi=100)


def _limits(values: np.ndarray) -> tuple[float | None, float | None]:
    """Chooses the loss axis so that a few spikes do not flatten all the rest."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None, None
    low, high = np.quantile(values, [MAX_OUTSIDE, 1 - MAX_OUTSIDE])
    margin = max(0.15 * (high - low), 0.05)
    return low - margin, high + margin


def _binned(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Splits values into at most MAX_BINS bins of neighbours.

    Returns:
        Of each bin the last iteration, the mean, the lowest and the highest value.
    """
    edges = np.unique(np.linspace(0, len(values), MAX_BINS + 1).astype(int))
    starts, ends = edges[:-1], edges[1:]
    if not len(starts):
        return (np.empty(0),) * 4
    means = np.add.reduceat(values, starts) / (ends - starts)
    return ends, means, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
