"""What a recipe costs: parameters, operations, images a second, and where a step's time goes.

python benchmarks/cost.py [--preset fast] [--size 64] [--rounds 30]

The parts of a step are timed by themselves, turn by turn with the whole of it: they are of a step
whose updates are simultaneous, as those of `fast` are.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import machine
import numpy as np

from kerasgan import backend, energy
from kerasgan.backend import keras, tf
from kerasgan.chance import D, G
from kerasgan.critic import Critic
from kerasgan.gan import GAN
from kerasgan.losses import LOSSES
from kerasgan.recipes import PRESETS

WARM_UP = 3  # rounds that compile and allocate
PICTURES = 2_000  # of the set that is made believe; augmentation goes by it
WHOLE = "whole step"
STEADY = [name for name, recipe in PRESETS.items() if not recipe.grows]


class Part(NamedTuple):
    """What is timed.

    Attributes:
        run: does it once.
        times: that it is done in a turn.
        fraction: of the steps that have it.
    """

    run: Callable[[], object]
    times: int = 4
    fraction: float = 1.0


def main() -> None:
    args = parse()
    base = PRESETS[args.preset]
    size, batch_size = args.size or base.size, args.batch_size or base.batch_size
    recipe = dataclasses.replace(base, size=size, batch_size=batch_size, conditions="none")
    backend.configure(recipe.seed)
    gan = GAN(backend.resolved(recipe, PICTURES))
    recipe = gan.recipe
    print(machine.describe())
    print(f"{args.preset}: {recipe.size}x{recipe.size}, batch {recipe.batch_size}, "
          f"{recipe.precision}")  # fmt: skip
    for name, network in (("G", gan.generator), ("D", gan.discriminator)):
        millions = operations(network) / 1e6
        print(f"{name}: {network.count_params():,} parameters, {millions:,.0f} MFLOP an image")
    seconds = turn_by_turn(parts_of(gan), args.rounds)
    whole = seconds.pop(WHOLE)
    print(f"a step: {1000 * whole:.1f} ms, {recipe.reals_an_iteration / whole:.0f} images/s")
    for name, took in seconds.items():
        print(f"  {name:45s} {1000 * took:6.1f} ms  {took / whole:4.0%}")
    rest = whole - sum(seconds.values())
    print(f"  {'the rest, and what the parts hide':45s} {1000 * rest:6.1f} ms  {rest / whole:4.0%}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=STEADY, default="fast")
    parser.add_argument("--size", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--rounds", type=int, default=30)
    return parser.parse_args()


def operations(network: keras.Model) -> int:
    """Counts the floating-point operations of one input's forward pass, as TensorFlow does."""
    inputs = tf.TensorSpec((1, *network.input_shape[1:]), tf.float32)
    graph = tf.function(network).get_concrete_function(inputs).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder
    counting = options(options.float_operation()).with_empty_output().build()
    return tf.compat.v1.profiler.profile(graph, options=counting).total_float_ops


def parts_of(gan: GAN) -> dict[str, Part]:
    """Returns the whole step and its parts by name."""
    recipe, every = gan.recipe, gan.recipe.penalty_every
    shape = (recipe.batch_size, recipe.size, recipe.size, recipe.channels)
    reals = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    pictures, fakes = tf.constant(reals), tf.constant(-reals)
    critic = gan.critic(D, conditions=None)
    eager = Critic(dataclasses.replace(recipe, penalty_every=1), gan.playing[D], critic.chance)
    d_weights, g_weights = ([w.value for w in gan.trained(mover)] for mover in (D, G))

    def generator() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            drawn = gan.draw(critic.chance, pictures, None, training=True)
        return tape.gradient(drawn, g_weights, output_gradients=pictures)

    def discriminator() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(fakes)
            logits = critic.both(pictures, fakes)
            labels = critic.chance.labels(tf.shape(logits[0]))
            loss = LOSSES[recipe.loss].discriminator(*logits, *labels)
        return tape.gradient(loss, [*d_weights, fakes])

    def penalty() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            total = eager.penalties(pictures, fakes)
        return tape.gradient(total, d_weights)

    def colours() -> tf.Tensor:
        return energy.slopes(pictures, fakes, recipe.energy)

    def updates() -> None:
        for weights, optimizer in (
            (gan.trained(G), gan.generator_optimizer),
            (gan.trained(D), gan.discriminator_optimizer),
        ):
            optimizer.apply([1e-6 * weight.value for weight in weights], weights)

    compiled = lambda part: tf.function(part, autograph=False)  # noqa: E731
    parts = {
        WHOLE: Part(lambda: gan.train_on_batch(reals), times=every),  # one of them with penalties
        "G, forward and backward": Part(compiled(generator)),
        "D on reals and fakes, forward and backward": Part(compiled(discriminator)),
        f"penalties, every {every} steps": Part(compiled(penalty), fraction=1 / every),
        "the energy distance": Part(compiled(colours)),
        "both optimizers": Part(compiled(updates)),
        "the averaged G": Part(compiled(gan.average)),
    }
    wanted = {
        "the averaged G": recipe.ema,
        "the energy distance": recipe.energy,
        f"penalties, every {every} steps": recipe.r1 or recipe.r2 or recipe.gp,
    }
    return {name: part for name, part in parts.items() if wanted.get(name, True)}


def turn_by_turn(parts: dict[str, Part], rounds: int) -> dict[str, float]:
    """Returns the median seconds that each part adds to a step."""
    seconds = {name: [] for name in parts}
    for round_number in range(WARM_UP + rounds):
        for name, part in parts.items():  # in turn, so that all meet the same weather
            began = time.perf_counter()
            for _ in range(part.times):
                part.run()
            if round_number >= WARM_UP:
                seconds[name].append((time.perf_counter() - began) * part.fraction / part.times)
    return {name: statistics.median(times) for name, times in seconds.items()}


if __name__ == "__main__":
    main()
