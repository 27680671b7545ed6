"""`python -m kerasgan.gif outputs/`: a run's control grids as one animation, `training.gif`.

`--format mp4` or the ending of `--out` makes it an MP4 or a WebP.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kerasgan import animation, cli, movies
from kerasgan.animation import Animation, find_frames, make_training_gif
from kerasgan.errors import UserError
from kerasgan.files import check_place
from kerasgan.text import either

NAME = "training"  # of the file, without its ending
LARGE_MB = 25  # many sites and mail servers take no more


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> int:
    args = build_parser().parse_args(argv)
    cli.require(rules(args))
    found = find_runs(args.folder, movies.suffix_of(args))
    if args.out:
        require_one([out.parent for _, out in found])
        found = [(found[0][0], args.out)]
    code = 0
    for frames_folder, out in found:
        try:
            check_place(
                out, "A run's animation", "Type --out FILE"
            )  # before the work, not after it
            made = make_training_gif(
                frames_folder,
                out,
                fps=args.fps,
                every=args.every,
                width=args.width,
                caption=not args.no_caption,
                hold=args.hold,
            )
        except (UserError, OSError) as error:  # one run's trouble should not cost the others theirs
            print(f"error: {error}", file=sys.stderr)
            code = cli.USER_ERROR
        else:
            report(made, args.every)
    return code


def build_parser() -> cli.Parser:
    """Builds the command line."""
    parser = cli.Parser(
        prog="python -m kerasgan.gif",
        description="Make training.gif from the control grids of one run or of all runs, or an MP4 "
        "or WebP of them.",
    )
    add = parser.add_argument
    add("folder", type=cli.path, help="a run, the folder of all runs, or a folder of numbered PNGs")
    add("--every", type=int, default=1, metavar="N", help="take each N-th frame, and the last")
    width = add("--width", type=int, metavar="PIXELS", help="resize to this width")
    cli.unset(width, "the frames' own")
    add("--hold", type=float, default=2.0, metavar="SECONDS", help="the last frame stays longer")
    add("--no-caption", action="store_true", help="leave out the strip with the iteration")
    movies.add_flags(parser)
    out = add("--out", type=cli.path, metavar="FILE", help="where one run's animation goes: "
        f"{either(list(movies.FORMATS))}")  # fmt: skip
    cli.unset(out, f"{NAME}.gif in each run")
    return parser


def rules(args: argparse.Namespace) -> list[cli.Rule]:
    """Returns what flags should be."""
    return [
        *movies.rules(args),
        *animation.rules(args.fps, args.every, args.width, args.hold, movies.suffix_of(args)),
    ]


def find_runs(folder: str | Path, suffix: str = ".gif") -> list[tuple[Path, Path]]:
    """Finds what to animate in a run, in the folder of all runs, or in a folder of frames.

    Args:
        folder: any of the three.
        suffix: of the animations, one of `movies.FORMATS`.

    Returns:
        A frames folder and the animation's path for each run that has grids.

    Raises:
        UserError: there is no such folder, or it holds no frames.
    """
    folder, name = Path(folder), NAME + suffix
    if not folder.is_dir():
        raise UserError(
            "An animation is made of a run, of the folder of all runs or of a folder of frames. "
            f"Received: {folder}, which is no folder. Type: python -m kerasgan.gif outputs/"
        )
    if folder.resolve().name == "control":
        runs = [folder.parent if folder.name == "control" else folder.resolve().parent]
    else:
        runs = [folder] if (folder / "control").is_dir() else sorted(folder.iterdir())
    found = [(run / "control", run / name) for run in runs if _has_frames(run / "control")]
    if not found and _has_frames(folder):
        found = [(folder, folder / name)]
    if not found:
        raise UserError(
            "An animation should have at least one frame, a PNG with a number in its name. "
            f"Received: {folder}, with none. Training writes them: python -m kerasgan.train"
        )
    return found


def require_one(runs: list[Path]) -> None:
    """Raises UserError where one file is named for the animations of several runs."""
    if len(runs) > 1:
        raise UserError(
            f"`--out` should come with one run. Received: {len(runs)} of them, from {runs[0]} to "
            f"{runs[-1]}. Name one instead of their folder."
        )


def report(made: Animation, every: int) -> None:
    """Says what was written, what was left out, and what would make a large file smaller."""
    print(f"{made.path}: {made.frames} frames, {made.megabytes:.1f} MB")
    if made.skipped:
        print(f"Skipped {len(made.skipped)}: {animation.named(made.skipped)}.")
    if made.megabytes > LARGE_MB:
        gif = made.path.suffix.lower() == ".gif"
        width = 384 if made.width > 384 else max(16, made.width // 2)
        every = 5 if every < 5 else 2 * every
        smaller = f"--width {width} --every {every}"
        print(f"That is large; add {'--format mp4 or ' if gif else ''}{smaller} for a smaller one.")


def _has_frames(folder: Path) -> bool:
    return folder.is_dir() and bool(find_frames(folder))


if __name__ == "__main__":
    sys.exit(main())
