"""Measures how well conditions steer: the share of samples that a scorer gives the asked label.

    python benchmarks/conditional.py    # trains a run of --preset conditional first
    python benchmarks/conditional.py outputs/000-conditional

The scorer is a small convolutional network, trained on nine tenths of the run's pictures and tried
on the last tenth. It knows nothing of the generator.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import machine
import numpy as np

from kerasgan import cli, data, models, runs, train
from kerasgan import latents as latent_space
from kerasgan.backend import keras
from kerasgan.conditions import Conditions
from kerasgan.data.batches import Batches
from kerasgan.data.conditions import find_conditions
from kerasgan.errors import UserError
from kerasgan.runs import Run

FILTERS = (16, 32, 64, 64)  # of the scorer's convolutions, each halving the side
BATCH = 64  # pictures


def signs(conditions: Conditions) -> np.ndarray:
    """Returns what a scorer should say, float32 (N, C): 1 yes, -1 no, 0 not known."""
    vectors = conditions.vectors()
    if conditions.are_classes:
        return np.where(conditions.values[:, None] >= 0, 2 * vectors - 1, 0).astype(np.float32)
    return vectors


def logistic_loss(wanted: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the mean log(1 + exp(-wanted * logit)) where something is known."""
    return keras.ops.mean(keras.ops.softplus(-wanted * logits) * keras.ops.abs(wanted))


def train_scorer(pixels: np.ndarray, conditions: Conditions, steps: int) -> keras.Model:
    """Trains a network from pictures (B, H, W, C) in [-1, 1] to a logit for each name."""
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input(pixels.shape[1:])
    for filters in FILTERS:
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))
    x = keras.layers.Dropout(0.3)(keras.layers.Flatten()(x))
    scorer = keras.Model(inputs, keras.layers.Dense(len(conditions.names))(x))
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    scorer.compile(keras.optimizers.Adam(rate), logistic_loss)
    batches = Batches(pixels, BATCH, seed=1, flip=True, conditions=conditions)
    with cli.progress(steps, "Training the scorer") as bar:
        for step in range(steps):
            pictures, _ = batches.at(step)
            scorer.train_on_batch(pictures, signs(conditions.take(batches.indices(step))))
            bar.update()
    return scorer


def agree(scorer: keras.Model, pixels: np.ndarray, wanted: Conditions) -> np.ndarray:
    """Returns whether the scorer says what is wanted of uint8 pictures.

    Returns:
        bool, (N, A) of attributes, (N, 1) of classes.
    """
    batches = np.array_split(np.arange(len(pixels)), -(-len(pixels) // BATCH))
    logits = np.concatenate([scorer(pixels[part] / 127.5 - 1, training=False) for part in batches])
    if wanted.are_classes:
        return (logits.argmax(axis=1) == wanted.values)[:, None]
    return np.sign(logits) == wanted.values


def measure(run: Run, steps: int, count: int) -> None:
    """Prints, for each label, the scorer's accuracy on reals and the share of samples."""
    recipe, request = run.read_recipe(), data.Request.from_json(run.read_facts()["data"])
    pictures = data.load_request(request, size=recipe.size, channels=recipe.channels)
    known = find_conditions(pictures, recipe.conditions)
    if known is None:
        raise UserError(f"The run should have conditions. Received: {run.folder}, with none.")
    order = np.random.default_rng(0).permutation(len(pictures.pixels))
    seen, held_out = np.split(order, [len(order) * 9 // 10])
    scorer = train_scorer(pictures.pixels[seen], known.take(seen), steps)
    reals, truth = pictures.pixels[held_out], known.take(held_out)
    right = agree(scorer, reals, truth)

    generator = runs.load_generator(run.folder)
    examples = runs.load_conditions(run.folder)
    latents = latent_space.draw(count, runs.latent_dim(generator), 0)
    print(f"{run.folder}: {recipe.iters:,} iterations on {pictures.source}")
    print(f"scorer: {len(seen):,} pictures, {steps} steps; held out: {len(held_out):,}; "
          f"samples of each label: {count:,}")  # fmt: skip
    print(f"{'label':24s} reals scored right   samples scored as asked")
    shares = []
    with cli.progress(len(known.names) * 2, "Sampling", leave=False) as bar:
        for column, name in enumerate(known.names):
            for value in (1,) if known.are_classes else (1, -1):
                asked = examples.draw(count, 0, {column: value})
                drawn = models.generate(generator, latents, asked.vectors())
                place = 0 if known.are_classes else column
                shares.append(agree(scorer, drawn, asked)[:, place].mean())
                wanted = column if known.are_classes else value
                of_label = (truth.values.reshape(len(truth.values), -1)[:, place]) == wanted
                label = name if known.are_classes else f"{name}={value}"
                print(f"{label:24s} {right[of_label, place].mean():18.1%} {shares[-1]:25.1%}")
                bar.update()
    print(f"{'mean':24s} {right.mean():18.1%} {np.mean(shares):25.1%}")


def report(argv: Sequence[str] | None = None) -> int:
    """Trains a run if none is named, and measures it."""
    parser = cli.Parser(description="Measure conditions.", formatter_class=cli.HelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", help="a conditional run")
    parser.add_argument("--iters", type=int, default=2000, help="of a run that is trained here")
    parser.add_argument("--steps", type=int, default=600, help="of the scorer's training")
    parser.add_argument("--count", type=int, default=500, help="samples of each label")
    args = parser.parse_args(argv)
    print(machine.describe())
    if args.run is None:
        args.run = runs.next_run_folder(runs.OUTPUTS, "conditional")
        words = ["--preset", "conditional", "--data", "built-in", "--out", str(args.run)]
        if code := train.main([*words, "--iters", str(args.iters)]):
            return code
    measure(Run(args.run), args.steps, args.count)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    return cli.run(report, argv)


if __name__ == "__main__":
    sys.exit(main())
