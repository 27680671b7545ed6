"""`python -m kerasgan.train`: train a face GAN on a folder of pictures."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasgan import cli, data, growth, pretrained, recipes, runs, saved
from kerasgan.conditions import Conditions
from kerasgan.data.conditions import find_conditions
from kerasgan.errors import UserError
from kerasgan.files import check_place
from kerasgan.recipes import PRESETS, Recipe
from kerasgan.recipes.rules import POSITIVE
from kerasgan.runs import OUTPUTS, Run, begin_run
from kerasgan.text import quoted

if TYPE_CHECKING:
    from kerasgan.data import Pictures
    from kerasgan.gan import GAN
    from kerasgan.metrics import Evaluator
    from kerasgan.start import Start

NOT_YET = 2**31  # iterations, more than any stages take, until those of --minutes are known


@dataclasses.dataclass(frozen=True)
class Job:
    """What the command line asks for.

    Attributes:
        recipe: every hyperparameter, some of them perhaps "auto".
        request: the pictures to train on.
        out: a new run's folder; None for the next one in outputs/.
        run: the run to resume; None for a new one.
        start: of the weights to begin with; None for fresh ones.
        minutes: that the training should take, which gives the recipe its `iters`; None where
            those are known.
        repeated: fields of the request that have to be typed again to go on, see `Run.repeated`.
    """

    recipe: Recipe
    request: data.Request
    out: Path | None = None
    run: Run | None = None
    start: Path | None = None
    minutes: float | None = None
    repeated: dict[str, Any] = dataclasses.field(default_factory=dict)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> int:
    args = build_parser().parse_args(argv)
    cli.require(rules(args))
    job = (resume if args.resume else plan)(args)
    recipe = job.recipe
    pictures = data.load_request(job.request, size=recipe.size, channels=recipe.channels)
    print(data.describe(pictures))
    if job.run:
        require_the_same(pictures, job.recipe, job.run)
    find_conditions(pictures, job.recipe.conditions)  # raises where there are none
    require_a_batch(pictures, job.recipe)
    return work(job, pictures, dry=args.dry_run)


def work(job: Job, pictures: "Pictures", dry: bool) -> int:
    """Does what was asked for; here TensorFlow comes in. Returns the exit code."""
    from kerasgan import backend, dry_run, start
    from kerasgan.backend import tf
    from kerasgan.gan import GAN
    from kerasgan.quality import build_evaluator

    try:
        recipe = job.recipe
        backend.configure(recipe.seed)
        if job.minutes:  # before anything that depends on `iters` is settled
            recipe = dry_run.with_minutes(recipe, pictures, job.minutes)
        counts = {"pictures": len(pictures.pixels), "classes": len(pictures.label_names)}
        gan = GAN(backend.resolved(recipe, **counts))
        started = start.read(job.start) if job.start else None
        if started:
            started.give(gan)
        if dry:
            dry_run.report(gan, pictures)
            return 0
        evaluator = build_evaluator(gan.recipe, pictures)
        run = job.run or begin(gan, pictures, job.out, started)
        run.repeated = job.repeated
        return train(gan, pictures, run, evaluator)
    except tf.errors.ResourceExhaustedError as error:
        raise exhausted(job.recipe) from error


def begin(gan: "GAN", pictures: "Pictures", out: Path | None, started: "Start | None") -> Run:
    """Makes the folder of a new run; weights to begin with go into it as a first checkpoint."""
    from kerasgan.checkpoints import Checkpoints

    if started is None:
        return begin_run(gan.recipe, pictures, out=out)

    def fill(run: Run) -> None:
        Checkpoints(gan, run.checkpoints, gan.recipe.keep_checkpoints).save()

    return begin_run(gan.recipe, pictures, out=out, start=started.facts(), fill=fill)


def build_parser() -> argparse.ArgumentParser:
    """Builds the command line, with one flag for each field of the recipe."""
    parser = cli.Parser(
        prog="python -m kerasgan.train",
        usage="%(prog)s [--data DIR] [--preset NAME | --like RUN] [--out DIR | --resume RUN] "
        "[--iters N | --minutes N] [any flag below]",
        description="Train a face GAN: a folder of pictures in, a run folder with grids, "
        "checkpoints and a generator out.",
    )
    add = parser.add_argument
    source = add(
        "--data", action="append", help="pictures: a folder, archive (.zip, .tar), arrays (.npz, "
        f".npy), .parquet or .tfrecord file, list of paths (.txt), video, {', '.join(data.WORDS)}, "
        f"{data.HUB_FORM}; several times: one set of all", metavar="SOURCE",
    )  # fmt: skip
    cli.unset(source, "data/ if it has any, else built-in")
    limit = add("--limit", type=int, help="use N pictures only, as many of each class", metavar="N")
    cli.unset(limit, "all")
    crop = add(
        "--crop", choices=data.CROPS, help="cut of the pictures; face finds and cuts every face"
    )
    cli.unset(crop, "auto, the tutorial's for 178x218, else the centre square")
    cache = add("--cache", type=cli.path, help="where prepared pictures are kept", metavar="DIR")
    cli.unset(cache, str(data.CACHE))
    preset = add("--preset", choices=["auto", *PRESETS], default="auto", help="named recipe")
    cli.unset(preset, "auto, article with a GPU and article-lite without")
    add(
        "--like", type=cli.path, help="take the recipe of this run instead of a preset's, with all "
        "that was settled in it, such as --iters and --precision; typed flags override it",
        metavar="RUN",
    )  # fmt: skip
    add(
        "--start-from", type=cli.path, help="begin with the networks of this run, or of one that "
        f"comes along ({pretrained.listed()}), instead of fresh ones; for sets of a few hundred "
        "pictures",
        metavar="RUN",
    )  # fmt: skip
    add(
        "--minutes", type=float, help="train about so long: the speed is measured first, and "
        "--iters follows from it and is kept in the run", metavar="N",
    )  # fmt: skip
    target = parser.add_mutually_exclusive_group()
    out = target.add_argument("--out", type=cli.path, help="new run folder", metavar="DIR")
    cli.unset(out, "outputs/NNN-PRESET")
    target.add_argument(
        "--resume", type=cli.path, help="go on with this run, exactly where it was", metavar="RUN"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done, how long it would take "
        "and what it would need; train nothing",
    )  # fmt: skip
    recipes.add_flags(parser)
    return parser


def rules(args: argparse.Namespace) -> list[cli.Rule]:
    """Returns what flags should be, alone and together."""
    minutes, leave = args.minutes, "Leave one of them out"
    return [
        (
            f"`--minutes` should be {POSITIVE.words}",
            minutes,
            minutes is None or POSITIVE.holds(minutes),
        ),
        (
            "A recipe begins as that of another run or as a preset",
            f"--like with --preset. {leave}",
            not args.like or args.preset == "auto",
        ),
        (
            "A resumed run should keep its own recipe",
            f"--like with --resume. {leave}",
            not (args.like and args.resume),
        ),
        (
            "A resumed run should go on with its own weights",
            f"--start-from with --resume. {leave}",
            not (args.start_from and args.resume),
        ),
        (
            "A training should be told its minutes or its iterations",
            f"--minutes with --iters. {leave}",
            not (minutes and hasattr(args, "iters")),
        ),
        (
            "A resumed run has its iterations, and --iters gives it more",
            f"--minutes with --resume. {leave}",
            not (minutes and args.resume),
        ),
    ]


def base_recipe(args: argparse.Namespace) -> Recipe:
    """Returns the recipe that typed flags override: another run's, or a preset."""
    started = read_start(args.start_from) if args.start_from else None
    if started and args.preset == "auto" and not args.like:
        base = PRESETS.get(started.preset, started)
    else:
        base = typed_base(args)
    return with_networks_of(started, base, args) if started else base


def typed_base(args: argparse.Namespace) -> Recipe:
    """Returns the recipe of --like or --preset."""
    if args.like:
        return Run(args.like).read_recipe()
    return pick_preset() if args.preset == "auto" else PRESETS[args.preset]


def check_places(args: argparse.Namespace) -> None:
    """Raises UserError where a new run could not be written, before anything is done for it."""
    if args.out:
        Run(args.out).require_new()
    else:
        check_place(OUTPUTS, "The folder of runs", "Type --out DIR", folder=True)


def plan(args: argparse.Namespace) -> Job:
    """Resolves what a new run will be: its recipe, its pictures and its folder."""
    check_places(args)
    typed = recipes.overrides(args)
    if args.minutes and typed.get("stages", "auto") != "auto":
        typed["iters"] = NOT_YET  # typed stages may well be longer than the preset's training
    recipe = recipes.apply(base_recipe(args), typed)
    asked = data.typed_fields(args)
    if "source" not in asked:
        asked["source"] = data.find_source()
        print(f"No --data: taking {describe_source(asked['source'])}.")
    request = data.Request(**asked)
    repeated = {name: value for name, value in asked.items() if name == "cache"}
    return Job(
        recipe,
        request,
        out=args.out,
        start=args.start_from,
        minutes=args.minutes,
        repeated=repeated,
    )


def read_start(place: Path) -> Recipe:
    """Returns the recipe of the networks that a training starts from.

    Raises:
        UserError: the place is no run.
    """
    file = saved.find(place)
    if place.is_file():
        raise UserError(
            "`--start-from` should be a run's folder, which has both networks and their recipe. "
            f"Received: {place}, a file. Name its run."
        )
    return Run(file.parent).read_recipe()


def with_networks_of(started: Recipe, base: Recipe, args: argparse.Namespace) -> Recipe:
    """Returns a recipe for the networks of another.

    Raises:
        UserError: something else of the networks was typed.
    """
    fixed, typed = recipes.architecture(started), recipes.overrides(args)
    if base.network != started.network:
        typed = {"network": base.network} | typed
    for name, value in fixed.items():
        if typed.get(name, value) != value:
            raise UserError(
                "A training should keep the networks that it starts from. Received: "
                f"{recipes.flag(name)} {typed[name]}, with {value} in {args.start_from}. Leave it "
                "out, or leave out --start-from."
            )
    stages = growth.grown(started.size) if started.grows else base.stages
    return dataclasses.replace(base, **fixed, stages=stages)


def resume(args: argparse.Namespace) -> Job:
    """Reads what a run was, and takes what may change from the command line.

    Raises:
        UserError: something was typed that would make it another run.
    """
    run = Run(args.resume)
    old = run.read_recipe()
    if not args.dry_run:
        check_place(run.folder, "A run to resume", "Copy it to another place", folder=True)
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
    typed = data.typed_fields(args)
    return Job(new, run.read_request(typed), run=run, repeated=typed)


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
    if source == data.SET + data.BUILT_IN:
        return "the built-in faces (drawn by code; put pictures into data/ to train on those)"
    return f"the pictures in {source}"


def require_a_batch(pictures: "Pictures", recipe: Recipe) -> None:
    """Raises UserError if there are fewer pictures than an iteration takes."""
    count = len(pictures.pixels)
    if count < recipe.reals_an_iteration:
        times, most = "", f"--batch-size {max(count // recipe.n_critic, 1)}"
        if recipe.n_critic > 1:
            times = f" times --n-critic {recipe.n_critic}"
            most = most if count >= recipe.n_critic else "a smaller --n-critic"
        raise UserError(
            f"`--batch-size`{times} should be at most the number of pictures. Received: "
            f"{recipe.batch_size}, with {count} usable pictures in {pictures.source}. "
            f"Type {most}, or add pictures."
        )


def require_the_same(pictures: "Pictures", recipe: Recipe, run: Run) -> None:
    """Raises UserError if a resumed run would see other pictures, or other conditions of them."""
    begun = run.read_facts()["data"]
    if pictures.fingerprint != begun["fingerprint"]:
        raise UserError(
            "A resumed run should see the pictures it began with. Received: "
            f"{pictures.source}, whose {len(pictures.pixels)} prepared pictures differ from "
            f"those of {run.folder}. Name the right ones by --data, or start a new run."
        )
    conditions = find_conditions(pictures, recipe.conditions)
    if conditions and conditions.fingerprint != begun.get("conditions"):
        raise UserError(
            "A resumed run should see the conditions it began with. Received: "
            f"{pictures.source}, whose {recipe.conditions} differ from those of {run.folder}. "
            "Restore them, or start a new run."
        )
    if conditions:
        mend_conditions(run, conditions.examples(recipe.seed))


def mend_conditions(run: Run, examples: Conditions) -> None:
    """Writes a run's conditions again, which are the pictures', where their file is damaged."""
    try:
        kept = runs.read_conditions(run.conditions)
        fault = "it is missing" if kept is None else "it has others than the pictures"
        if kept and kept.fingerprint == examples.fingerprint:
            return
    except UserError as error:
        fault = str(error)
    runs.write_conditions(run.conditions, examples)
    print(f"{run.conditions} was damaged ({fault}); it is written again.")


def exhausted(recipe: Recipe) -> UserError:
    """Explains TensorFlow's error for too little memory."""
    return UserError(
        "The networks and a batch should fit into memory. Received: --batch-size "
        f"{recipe.batch_size}, --size {recipe.size}, --width {recipe.width:g}, which do not. "
        "Type smaller ones."
    )


def train(gan: "GAN", pictures: "Pictures", run: Run, evaluator: "Evaluator | None") -> int:
    """Trains to the end or to a signal, and says where things are; returns the exit code."""
    from kerasgan import loop
    from kerasgan.data.batches import Batches

    recipe = gan.recipe
    print(f"Run: {run.folder} (preset {recipe.preset}, {recipe.size}x{recipe.size}, "
          f"{recipe.precision})")  # fmt: skip
    ending = loop.train(gan, Batches.of(pictures, recipe), run, evaluator)
    if ending.signal:
        print(f"Saved after iteration {int(gan.iteration):,}. To go on: "
              f"{run.resume_command()}")  # fmt: skip
        return 128 + ending.signal
    if ending.reason:
        print(f"Stopped: {ending.reason}. To go on all the same: {run.resume_command()} "
              "--on-collapse warn --patience 0")  # fmt: skip
    best = f" The best generator: {run.best_generator}." if run.best_generator.exists() else ""
    print(f"Done: {int(gan.iteration):,} iterations.{best} See {run.control}, {run.losses}; then "
          f"type python -m kerasgan.gif {quoted(run.folder)}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
