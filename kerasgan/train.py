"""`python -m kerasgan.train`: train a face GAN on a folder of pictures."""

import argparse
import dataclasses
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasgan import cli, data, recipes
from kerasgan.cli import UserError
from kerasgan.recipes import PRESETS, Recipe
from kerasgan.runs import Run, next_run_folder

if TYPE_CHECKING:
    from kerasgan.data import Pictures
    from kerasgan.gan import GAN

PREVIEW = 25  # reals in the preview, 5x5
OUTPUTS = Path("outputs")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> int:
    args = build_parser().parse_args(argv)
    run, recipe, wanted = (resume if args.resume else begin)(args)
    pictures = data.load(
        wanted["source"],
        size=recipe.size,
        limit=wanted["limit"],
        crop=wanted["crop"],
        cache=args.cache,
    )
    print(data.describe(pictures))
    require_a_batch(pictures, recipe)
    if args.resume:
        require_same_pictures(pictures, wanted, args.resume)

    from kerasgan.gan import GAN

    gan = GAN(recipe)
    if args.dry_run:
        from kerasgan import dry_run

        dry_run.report(gan, pictures)
        return 0
    if not args.resume:
        prepare(run, gan, pictures, wanted)
    return train(gan, pictures, run)


def build_parser() -> argparse.ArgumentParser:
    """Builds the command line, with one flag for each field of the recipe."""
    parser = cli.Parser(
        prog="python -m kerasgan.train",
        description="Train a face GAN: a folder of pictures in, a run folder with grids, "
        "checkpoints and a generator out.",
    )
    parser.add_argument(
        "--data", help="folder of pictures, or built-in (default: data/ if it has any, else "
        "the built-in faces)", metavar="DIR",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, help="use the first N pictures only", metavar="N")
    parser.add_argument(
        "--crop", choices=data.CROPS, help="cut of the pictures (default: auto, the tutorial's "
        "for 178x218, else the centre square)",
    )  # fmt: skip
    parser.add_argument(
        "--cache", type=Path, default=data.CACHE, help="where prepared pictures are kept "
        "(default: %(default)s)", metavar="DIR",
    )  # fmt: skip
    parser.add_argument(
        "--preset", choices=["auto", *PRESETS], default="auto", help="named recipe (default: "
        "auto, article with a GPU and article-lite without)",
    )  # fmt: skip
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "--out", type=Path, help="new run folder (default: outputs/NNN-PRESET)", metavar="DIR"
    )
    target.add_argument(
        "--resume", type=Path, help="go on with this run, exactly where it was", metavar="RUN"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done, how long it would take "
        "and what it would need; train nothing",
    )  # fmt: skip
    recipes.add_flags(parser)
    return parser


def begin(args: argparse.Namespace) -> tuple[Run, Recipe, dict[str, Any]]:
    """Resolves what a new run will be: its folder, its recipe and its pictures."""
    typed = recipes.overrides(args)
    preset = pick_preset() if args.preset == "auto" else PRESETS[args.preset]
    recipe = dataclasses.replace(preset, **typed)
    run = Run(args.out or next_run_folder(OUTPUTS, recipe.preset))
    run.require_new()
    source = args.data
    if source is None:
        source = data.find_source()
        print(f"No --data: taking {describe_source(source)}.")
    return run, recipe, {"source": source, "limit": args.limit, "crop": args.crop or "auto"}


def resume(args: argparse.Namespace) -> tuple[Run, Recipe, dict[str, Any]]:
    """Reads what a run was, and takes what may change from the command line.

    Raises:
        UserError: something was typed that would make it another run.
    """
    run = Run(args.resume)
    old = run.read_recipe()
    if args.preset not in ("auto", old.preset):
        raise UserError(
            f"A resumed run should keep its preset. Received: --preset {args.preset}, with "
            f"{old.preset} in {args.resume}. Leave --preset out, or start a new run."
        )
    new = dataclasses.replace(old, **recipes.overrides(args))
    if changes := recipes.refused_changes(old, new):
        raise UserError(
            f"A resumed run should keep its recipe. Received: {', '.join(changes)}. "
            "Leave these out, or start a new run."
        )
    wanted = run.read_facts()["data"]
    typed = {"source": args.data, "limit": args.limit, "crop": args.crop}
    return run, new, wanted | {key: value for key, value in typed.items() if value is not None}


def pick_preset() -> Recipe:
    """Returns `article` where TensorFlow sees a GPU and `article-lite` elsewhere, and says so."""
    from kerasgan import backend

    preset, other = ("article", "article-lite") if backend.gpus() else ("article-lite", "article")
    print(
        f"{'A' if backend.gpus() else 'No'} GPU found: preset {preset}. "
        f"To force the other: --preset {other}"
    )
    return PRESETS[preset]


def describe_source(source: str) -> str:
    """Names a source found without --data."""
    if source == data.BUILT_IN:
        return "the built-in faces (drawn by code; put pictures into data/ to train on those)"
    return f"the pictures in {source}/"


def require_a_batch(pictures: "Pictures", recipe: Recipe) -> None:
    """Raises UserError if there are fewer pictures than a batch."""
    count = len(pictures.pixels)
    if count < recipe.batch_size:
        raise UserError(
            f"`--batch-size` should be at most the number of pictures. Received: "
            f"{recipe.batch_size}, with {count} usable pictures in {pictures.source}. "
            f"Type --batch-size {count}, or add pictures."
        )


def require_same_pictures(pictures: "Pictures", wanted: dict[str, Any], folder: Path) -> None:
    """Raises UserError if a run would go on with other pictures than it began with."""
    if pictures.fingerprint != wanted["fingerprint"]:
        raise UserError(
            f"A resumed run should see the pictures it began with. Received: {pictures.source}, "
            f"whose {len(pictures.pixels)} prepared pictures differ from those of {folder} "
            f"({wanted['count']} of them). Name the right folder by --data, or start a new run."
        )


def prepare(run: Run, gan: "GAN", pictures: "Pictures", wanted: dict[str, Any]) -> None:
    """Makes the run folder and writes what is known before the first iteration."""
    import numpy as np

    from kerasgan import images

    run.create(gan.recipe)
    run.write_facts(
        {
            "data": wanted | {"fingerprint": pictures.fingerprint, "count": len(pictures.pixels)},
            **environment(),
        }
    )
    shutil.copyfile(pictures.folder / "rejected.csv", run.rejected)
    order = np.random.default_rng(gan.recipe.seed).permutation(len(pictures.pixels))[:PREVIEW]
    images.write_png(run.reals, images.make_grid(pictures.pixels[np.sort(order)], columns=5))


def environment() -> dict[str, Any]:
    """Returns the device and the versions a run is made with."""
    import platform

    import kerasgan
    from kerasgan import backend

    return {
        "device": backend.describe_device(),
        "versions": {
            "kerasgan": kerasgan.__version__,
            "tensorflow": backend.tf.__version__,
            "keras": backend.keras.__version__,
            "python": platform.python_version(),
        },
    }


def train(gan: "GAN", pictures: "Pictures", run: Run) -> int:
    """Trains to the end or to a signal, and says where things are; returns the exit code."""
    from kerasgan import loop
    from kerasgan.data.batches import Batches

    recipe = gan.recipe
    print(f"Run: {run.folder} (preset {recipe.preset}, {recipe.size}x{recipe.size}, "
          f"{recipe.precision})")  # fmt: skip
    batches = Batches(pictures.pixels, recipe.batch_size, recipe.seed)
    stopped = loop.train(gan, batches, run)
    if stopped:
        print(f"Saved after iteration {int(gan.iteration):,}. To go on: "
              f"python -m kerasgan.train --resume {run.folder}")  # fmt: skip
        return 128 + stopped
    print(f"Done: {int(gan.iteration):,} iterations. See {run.control}, {run.losses}; then type "
          f"python -m kerasgan.gif {run.folder}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
