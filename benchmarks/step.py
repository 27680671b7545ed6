"""Seconds an iteration: the tutorial's loop against `GAN.train_on_batch`, turn by turn.

python benchmarks/step.py [--preset article-lite] [--rounds 10]
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable

import machine
import numpy as np
from tutorial import TutorialLoop

from kerasgan.backend import pick_precision
from kerasgan.gan import GAN
from kerasgan.recipes import PRESETS

WARM_UP = 3  # rounds that compile and allocate


def main() -> None:
    args = parse()
    # The tutorial's loop knows no conditions.
    recipe = dataclasses.replace(PRESETS[args.preset], precision="float32", conditions="none")
    shape = (recipe.batch_size, recipe.size, recipe.size, 3)
    real = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    tutorial = TutorialLoop(recipe)
    tutorial.iteration(real)  # compiled before GAN sets TensorFlow's switches for the process
    rivals = {
        "the tutorial's loop, float32": tutorial.iteration,
        "kerasgan, float32": GAN(recipe).train_on_batch,
    }
    if (fast := pick_precision()) != "float32":
        rivals[f"kerasgan, {fast}"] = GAN(
            dataclasses.replace(recipe, precision=fast)
        ).train_on_batch
    print(machine.describe())
    print(f"{args.preset}: {recipe.size}x{recipe.size}, width {recipe.width:g}, batch {shape[0]}")
    seconds = {name: [] for name in rivals}
    for round_number in range(WARM_UP + args.rounds):
        for name, iteration in rivals.items():  # in turn, so that all meet the same weather
            took = timed(iteration, real)
            if round_number >= WARM_UP:
                seconds[name].append(took)
    base = statistics.median(seconds["the tutorial's loop, float32"])
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{name:30s} {median:7.3f} s (lowest {min(times):.3f})  {base / median:5.2f}x")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="article-lite")
    parser.add_argument("--rounds", type=int, default=10)
    return parser.parse_args()


def timed(iteration: Callable[[np.ndarray], object], real: np.ndarray) -> float:
    began = time.perf_counter()
    iteration(real)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
