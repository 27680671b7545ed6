"""Measures what a training gains that starts from a generator that comes along.

    python benchmarks/starts.py faces64 few/ --minutes 3 --from-scratch 20 --out outputs/starts

Two trainings on the same pictures: one starts from the networks of NAME, the other has the same
networks and begins with nothing. How many iterations the first does in its minutes is measured; the
second gets as many more as its minutes are more, so that a busy machine is the same to both. Both
generators, and the one that was started from, are measured by `python -m kerasgan.evaluate` against
those pictures: KID, the face network's Frechet distance, faces found, and how near the samples are
to the nearest picture of the training, as a fraction of how near these are to each other. Far below
that of the generator that has never seen them is a picture known by heart.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import machine

from kerasgan import cli, evaluate, saved, train
from kerasgan.metrics.evaluator import DEFAULT_FEATURES
from kerasgan.recipes import architecture
from kerasgan.recipes.traits import as_typed
from kerasgan.runs import Run

HEAD = (
    "| generator | iterations | KID x 1000 | face Frechet | precision / recall | found | "
    "nearest, of the reals' |\n|---|---|---|---|---|---|---|"
)


def trained(out: Path, args: Any, words: Sequence[str]) -> Run:
    """Trains on the pictures, unless that was done; returns the run."""
    if not (out / "generator.keras").exists():
        where = ["--data", args.data, "--cache", str(args.cache), "--out", str(out)]
        if train.main([*words, *where, "--seed", str(args.seed)]):
            sys.exit(1)
    return Run(out)


def measured(generator: Path, report: Path, args: Any) -> dict[str, Any]:
    """Measures a generator against the pictures."""
    where = ["--data", args.data, "--cache", str(args.cache), "--out", str(report), "--sheet"]
    if evaluate.main([str(generator), "-n", str(args.count), *where]):
        sys.exit(1)
    return json.loads(report.read_text())


def line(name: str, iterations: int, report: dict[str, Any]) -> str:
    """Returns a row of the table."""
    figures, near = report["generated"], report["memorisation"]
    features, face = (figures[name] for name in DEFAULT_FEATURES)
    return (
        f"| {name} | {iterations:,} | {features['kid_x1000']:.1f} "
        f"({features['kid_x1000_low']:.1f} to {features['kid_x1000_high']:.1f}) | "
        f"{face['frechet']:.3f} | {features['precision']:.3f} / {features['recall']:.3f} | "
        f"{figures['faces_found']:.1%} | {near['median'] / near['real_median']:.2f} |"
    )


def report(argv: Sequence[str] | None = None) -> None:
    """Trains, measures and prints the table."""
    parser = cli.Parser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("name", type=Path, help="what to start from: one that comes along, or a run")
    add("data", help="a few pictures, which it has not seen")
    add("--minutes", type=float, default=3.0, help="of the training that starts from it")
    add("--from-scratch", type=float, default=20.0, help="minutes of the other")
    add("--count", type=int, default=1000, help="samples of an evaluation")
    add("--seed", type=int, default=0)
    add("--cache", type=Path, default=Path("data/cache"))
    add("--out", type=Path, required=True, metavar="DIR", help="runs and reports")
    args = parser.parse_args(argv)
    print(machine.describe())
    start = ["--start-from", str(args.name), "--minutes", str(args.minutes)]
    begun = trained(args.out / "started", args, start)
    recipe, iterations = begun.read_recipe(), len(begun.read_log())
    longer = round(iterations * args.from_scratch / args.minutes)
    networks = [word for name, value in architecture(recipe).items()
                for word in as_typed(name, value).split()
                if name not in ("classes",)]  # fmt: skip
    words = ["--preset", recipe.preset, *networks, "--iters", str(longer)]
    scratch = trained(args.out / "from-scratch", args, words)
    rows = [
        (str(args.name), saved.find(args.name), 0),
        (f"{args.minutes:g} minutes from it", begun.generator, iterations),
        (f"{args.from_scratch:g} minutes from scratch", scratch.generator, longer),
    ]
    reports = [
        measured(file, args.out / f"{number}.json", args)
        for number, (_, file, _) in enumerate(rows)
    ]
    print(HEAD)
    for (name, _, count), figures in zip(rows, reports, strict=True):
        print(line(name, count, figures))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    return cli.run(report, argv)


if __name__ == "__main__":
    sys.exit(main())
