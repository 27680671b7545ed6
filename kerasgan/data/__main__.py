"""Prepares pictures for training, and writes them out to look at.

python -m kerasgan.data SOURCE [--size 128] [--crop auto] [--limit N] [--export DIR|ZIP]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kerasgan import cli
from kerasgan.data import BUILT_IN, BUILT_IN_COUNT, CACHE, CROPS, NAMED, describe, load
from kerasgan.data.export import check_export, export


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> int:
    """Opens or builds the cache of a source, says what is in it, and exports it if asked to."""
    arguments = build_parser().parse_args(argv)
    if arguments.export is not None:
        check_export(arguments.export)  # before the work, not after it
    pictures = load(
        arguments.source,
        size=arguments.size,
        limit=arguments.limit,
        crop=arguments.crop,
        channels=arguments.channels,
        cache=arguments.cache,
        seed=arguments.seed,
        rebuild=arguments.rebuild,
    )
    print(describe(pictures))
    if arguments.export is not None:
        export(pictures, arguments.export)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Builds the command line."""
    parser = cli.Parser(
        prog="python -m kerasgan.data",
        description="Prepare pictures for training: read, turn upright, crop, resize and cache "
        "them. Broken files are skipped and named in the cache's rejected.csv; transparent parts "
        "become white.",
        formatter_class=cli.HelpFormatter,
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="a folder of pictures, searched with its sub-folders; a .zip or .tar archive; a "
        f".npy, .npz or .parquet file; {BUILT_IN} for drawn faces; or a set to download once: "
        f"{', '.join(NAMED)}",
    )
    parser.add_argument("--size", type=int, default=128, help="height and width in pixels")
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help=f"at most N pictures, the first by name (default: all; {BUILT_IN}: {BUILT_IN_COUNT})",
    )
    parser.add_argument(
        "--crop",
        choices=CROPS,
        default="auto",
        help="part that is kept: center = the largest centred square, celeba = the tutorial's "
        "box, none = all, squashed, auto = celeba for pictures of 178x218, else center, face = "
        "every face in a photograph, found, turned upright and cut as in CelebA",
    )
    parser.add_argument(
        "--channels", type=int, choices=(3, 1), default=3, help="3 for colour, 1 for grey"
    )
    parser.add_argument(
        "--out",
        "--cache",
        dest="cache",
        type=Path,
        default=CACHE,
        metavar="CACHE",
        help="folder where prepared pictures are kept",
    )
    parser.add_argument(
        "--rebuild", action="store_true", help="prepare anew, whatever is in the cache already"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help=f"which faces are drawn; {BUILT_IN} only"
    )
    parser.add_argument(
        "--export",
        type=Path,
        metavar="DIR|ZIP",
        help="also write the prepared pictures as PNG, with their attributes, into this new "
        "folder or .zip",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
