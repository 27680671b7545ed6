"""`python benchmarks/ship.py RUN NAME`: makes a run's networks one of those that come along.

Writes generator and discriminator in half precision, the recipe, and a card with the figures of
`python -m kerasgan.evaluate`, which is run on what was written. What restoring and editing keep
beside a generator belongs to its very weights: it is made after this, from the name.
"""

import argparse
import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasgan import backend, evaluate, metrics, pretrained, saved, verdicts
from kerasgan.files import atomic_path
from kerasgan.recipes import PRESETS, Recipe
from kerasgan.recipes.traits import as_typed
from kerasgan.runs import Run

COUNT = 5_000  # pictures of the evaluation
# Fields that a card's commands leave out: they change no weight, or are said in another way.
UNTOLD = {"iters", "grid_every", "control_latents", "evaluate_every", "precision", "stages"}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--best", action="store_true", help="generator-best.keras of the run")
    parser.add_argument("--data", required=True, help="the pictures it was trained on")
    parser.add_argument("--typed-data", required=True, help="the same, as the card has it")
    parser.add_argument("--sources", required=True, help="whence these are, and their licences")
    parser.add_argument("--faults", required=True, help="what is known to be wrong, in a sentence")
    parser.add_argument("-n", type=int, default=COUNT, help="pictures of the evaluation")
    args = parser.parse_args(argv)
    folder = ship(args.run, args.name, args.best)
    report, sheet = measured(folder, args)
    (folder / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n")
    with atomic_path(folder / pretrained.CARD) as temporary:
        temporary.write_text(card(args, Run(args.run), report))
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    print(f"{folder}: {size:.1f} MB; memorisation sheet: {sheet}")


def ship(place: Path, name: str, best: bool = False) -> Path:
    """Writes both networks of a run in half precision, and its recipe; returns the folder."""
    run, folder = Run(place), pretrained.folder(name)
    folder.mkdir(parents=True, exist_ok=True)
    generator = saved.load(run.best_generator if best else run.generator)
    saved.write(folder / saved.GENERATOR, generator.model, generator.facts, half=True)
    discriminator = verdicts.load(place)
    loss, conditions = run.read_recipe().loss, discriminator.conditions
    verdicts.write(folder / verdicts.FILE, discriminator.model, loss, conditions, half=True)
    shutil.copyfile(run.folder / "recipe.json", folder / "recipe.json")
    return folder


def measured(folder: Path, args: argparse.Namespace) -> tuple[dict[str, Any], Path]:
    """Runs the evaluation; returns its report and where the memorisation sheet is."""
    backend.configure(0)
    out = args.run / f"{args.name}-evaluation.json"
    words = [str(folder / saved.GENERATOR), "--data", args.data, "-n", str(args.n)]
    evaluate.main([*words, "--out", str(out), "--sheet"])
    report = json.loads(out.read_text())
    # Where things lay on the machine is nobody else's.
    report["samples"]["path"], report["data"]["source"] = folder.name, args.typed_data
    return report, out.with_name(f"{args.name}-memorisation.png")


def card(args: argparse.Namespace, run: Run, report: dict[str, Any]) -> str:
    """Writes the card, as Markdown."""
    recipe, facts, trainings = run.read_recipe(), run.read_facts(), history(run)
    commands = "\n".join(command(training, args.typed_data) for training in trainings)
    iterations, seen = 0, 0
    for training in trainings:
        done = len(training.read_log())
        iterations, seen = (
            iterations + done,
            seen + done * training.read_recipe().reals_an_iteration,
        )
    return f"""# {args.name}

Faces of {recipe.size}x{recipe.size} by the recipe `{recipe.preset}`, `recipe.json`.

- **Pictures**: {facts["data"]["count"]:,}. {args.sources}
- **Trained** for {iterations:,} iterations, {seen:,} pictures seen, on {facts["device"]}.
- **Known faults**: {args.faults}

Trained by

```sh
{commands}
```

`python -m kerasgan.evaluate` with {args.n:,} samples, against the pictures of the training:

```
{metrics.table(report)}
```
"""


def history(run: Run) -> list[Run]:
    """Returns a run after those that it and its predecessors started from, the first one first."""
    start = run.read_facts().get("start")
    return [*(history(Run(Path(start["place"]))) if start else []), run]


def command(run: Run, data: str) -> str:
    """Returns what to type for a training such as a run's, without its grids and evaluations.

    Args:
        run: of a training.
        data: its pictures, as they are typed.
    """
    recipe, preset = run.read_recipe(), PRESETS[run.read_recipe().preset]
    start = run.read_facts().get("start")
    words = [f"--start-from {Path(start['place']).name}"] if start else []
    words += [
        as_typed(field.name, getattr(recipe, field.name))
        for field in dataclasses.fields(Recipe)
        if getattr(recipe, field.name) != getattr(preset, field.name) and field.name not in UNTOLD
    ]
    words.append(f"--data {data} --iters {len(run.read_log())} --out {run.folder.name}")
    return f"python -m kerasgan.train --preset {recipe.preset} {' '.join(words)}"


if __name__ == "__main__":
    main()
