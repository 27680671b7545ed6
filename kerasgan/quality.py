"""Evaluates a training on its way."""

import time
from collections.abc import Sequence

import numpy as np

from kerasgan import saved
from kerasgan.cli import duration
from kerasgan.conditions import Conditions
from kerasgan.data import Pictures
from kerasgan.gan import GAN
from kerasgan.metrics import Evaluator
from kerasgan.recipes import Recipe
from kerasgan.watch import Evaluation

# Pictures of an evaluation in which faces are looked for: that takes the longest, and so many give
# the fraction with a face within three hundredths.
MAX_DETECTED = 200
MIN_FACES = 0.5  # fraction of the reals with a face in it, from which on faces are measured


def build_evaluator(recipe: Recipe, pictures: Pictures) -> Evaluator | None:
    """Prepares the evaluations that a recipe asks for; None where it asks for none.

    Raises:
        UserError: a package is missing, or there are too few pictures.
    """
    if not recipe.evaluate_every:
        return None
    return Evaluator(pictures, count=recipe.evaluate_count, looked_at=MAX_DETECTED)


def evaluate(
    gan: GAN,
    evaluator: Evaluator,
    conditions: Conditions | None,
    *,
    iteration: int,
    seconds: float,
    accuracies: Sequence[float],
    side: int | None,
) -> Evaluation:
    """Measures a training's pictures as they are now; nothing is changed by it.

    Args:
        gan: the networks.
        evaluator: of the pictures.
        conditions: those of a conditional generator, with examples to draw from.
        iteration: just done.
        seconds: that the training has lasted.
        accuracies: of D, in the iterations since the evaluation before.
        side: that pictures have grown to; None where they do not grow.
    """
    recipe = gan.recipe
    drawn = conditions.draw(recipe.evaluate_count, recipe.seed) if conditions else None
    inputs = () if drawn is None else (drawn.vectors(),)
    figures = evaluator.measure(
        lambda latents: saved.draw(gan.shown_generator, latents, *inputs), recipe.latent_dim
    )
    first = figures[evaluator.networks[0].name]
    diversity, of_faces = first["diversity"], {}
    if evaluator.faces_in_reals >= MIN_FACES:
        face = figures["face"]
        of_faces = {"face_frechet": face["frechet"], "faces_found": figures["faces_found"]}
        # Each may take what the other does not see, grain or backgrounds, for variety.
        diversity = min(diversity, face["diversity"])
    return Evaluation(
        iteration=iteration,
        seconds=seconds,
        d_accuracy=float(np.mean(accuracies)),
        side=side,
        **{name: first[name] for name in ("kid_x1000", "kid_x1000_low", "kid_x1000_high")},
        diversity=diversity,
        **of_faces,
    )


class Timer:
    """Takes how long a training has lasted, evaluations left out.

    What an earlier process did after its last evaluation is reckoned at this one's pace.

    Args:
        iteration: after which this timer begins.
        last: the newest evaluation, or None.
    """

    def __init__(self, iteration: int, last: Evaluation | None) -> None:
        self._known = (last.iteration, last.seconds) if last else (0, 0.0)
        self._iteration, self._began = iteration, time.perf_counter()

    def seconds(self, iteration: int) -> float:
        """Returns how long the training has lasted until the end of an iteration, now."""
        done, seconds = self._known
        pace = (time.perf_counter() - self._began) / (iteration - self._iteration)
        return seconds + (iteration - done) * pace


def cost(seconds: float, evaluation: Evaluation, recipe: Recipe) -> str:
    """Says what evaluations take of the training's time.

    Args:
        seconds: that the first one took.
        evaluation: the first one.
        recipe: `evaluate_every`.
    """
    every = recipe.evaluate_every
    between = every * evaluation.seconds / evaluation.iteration
    return (
        f"An evaluation took {duration(seconds)}: one every {every:,} iterations is "
        f"{seconds / (seconds + between):.0%} of the time. Fewer: a larger --evaluate-every "
        "or a smaller --evaluate-count."
    )
