"""Measures how well conditions steer: in how many samples a scorer sees the label asked for.

    python benchmarks/conditional.py    # trains a run of --preset conditional first
    python benchmarks/conditional.py outputs/000-conditional

The scorer is trained on nine tenths of the run's pictures and tried on the last tenth, see
`kerasgan.scorer`.
"""

import sys
from collections.abc import Sequence

import machine
import numpy as np

from kerasgan import cli, data, runs, saved, train
from kerasgan import latents as latent_space
from kerasgan.data.conditions import find_conditions
from kerasgan.errors import UserError
from kerasgan.runs import Run
from kerasgan.scorer import agree, train_scorer


def measure(run: Run, steps: int, count: int) -> None:
    """Prints, for each label, the scorer's accuracy on reals and the fraction of samples."""
    recipe = run.read_recipe()
    pictures = data.load_request(run.read_request(), size=recipe.size, channels=recipe.channels)
    known = find_conditions(pictures, recipe.conditions)
    if known is None:
        raise UserError(f"The run should have conditions. Received: {run.folder}, with none.")
    order = np.random.default_rng(0).permutation(len(pictures.pixels))
    seen, held_out = np.split(order, [len(order) * 9 // 10])
    scorer = train_scorer(pictures.pixels[seen], known.take(seen), steps)
    reals, truth = pictures.pixels[held_out], known.take(held_out)
    right = agree(scorer, reals, truth)

    generator = saved.load(run.folder)
    latents = latent_space.draw(count, generator.latent_dim, 0)
    print(f"{run.folder}: {recipe.iters:,} iterations on {pictures.source}")
    print(f"scorer: {len(seen):,} pictures, {steps} steps; held out: {len(held_out):,}; "
          f"samples of each label: {count:,}")  # fmt: skip
    print(f"{'label':24s} reals scored right   samples scored as asked")
    fractions = []
    with cli.progress(len(known.names) * 2, "Sampling", leave=False) as bar:
        for column, name in enumerate(known.names):
            for value in (1,) if known.are_classes else (1, -1):
                asked = generator.conditions.draw(count, 0, {column: value})
                drawn = generator.draw(latents, asked.vectors())
                place = 0 if known.are_classes else column
                fractions.append(agree(scorer, drawn, asked)[:, place].mean())
                wanted = column if known.are_classes else value
                of_label = (truth.values.reshape(len(truth.values), -1)[:, place]) == wanted
                label = name if known.are_classes else f"{name}={value}"
                print(f"{label:24s} {right[of_label, place].mean():18.1%} {fractions[-1]:25.1%}")
                bar.update()
    print(f"{'mean':24s} {right.mean():18.1%} {np.mean(fractions):25.1%}")


def report(argv: Sequence[str] | None = None) -> int:
    """Trains a run if none is named, and measures it."""
    parser = cli.Parser(description="Measure conditions.")
    parser.add_argument("run", type=cli.path, nargs="?", help="a conditional run")
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
