"""Prepares pictures for training, and writes them out to look at.

python -m kerasgan.data SOURCE [--size 128] [--crop auto] [--limit N] [--check] [--export DIR|ZIP]
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasgan import cli
from kerasgan.data import (
    BUILT_IN,
    BUILT_IN_COUNT,
    CACHE,
    CROPS,
    NAMED,
    check_options,
    describe,
    load,
    make_preparation,
    open_source,
)
from kerasgan.data.check import FACES_LOOKED_AT, check, sections, text, write_findings
from kerasgan.data.export import check_export, export
from kerasgan.data.faces import available, find_faces
from kerasgan.data.sheet import contact_sheet
from kerasgan.errors import UserError
from kerasgan.images import write_png
from kerasgan.text import printable


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> int:
    """Checks a source, or opens or builds its cache, says what is in it, and exports it."""
    arguments = build_parser().parse_args(argv)
    names = ("size", "limit", "crop", "channels")
    options = {name: getattr(arguments, name) for name in names}
    if arguments.check:
        return report(arguments, options)
    if arguments.export is not None:
        check_export(arguments.export)  # before the work, not after it
    pictures = load(
        arguments.source,
        **options,
        cache=arguments.cache,
        seed=arguments.seed,
        rebuild=arguments.rebuild,
    )
    print(describe(pictures))
    if arguments.export is not None:
        export(pictures, arguments.export)
    return 0


def report(arguments: argparse.Namespace, options: dict[str, Any]) -> int:
    """Prints what is in a source, and writes the sheet and the findings.

    Raises:
        UserError: there is nothing to train on.
    """
    check_options(**options, seed=arguments.seed)
    source = open_source(arguments.source, arguments.cache, arguments.limit, arguments.seed)
    preparation = make_preparation(source, arguments.cache, **options)
    has_face = (lambda rgb: bool(find_faces(rgb))) if available() else None
    found = check(preparation, has_face, arguments.faces)
    print(text(found, preparation))
    if has_face is None and arguments.faces:
        print("faces were not looked for: pip install 'kerasgan[faces]'")
    slug = re.sub(r"[^A-Za-z0-9]+", "-", source.slug).strip("-") or "pictures"
    sheet = arguments.sheet or arguments.cache / f"check-{slug}.png"
    findings = sheet.with_suffix(".csv")
    write_png(sheet, contact_sheet(sections(found)))
    write_findings(findings, found)
    print(f"look at {printable(str(sheet))}; every finding: {printable(str(findings))}")
    if not found.pictures:
        raise UserError(
            "A source of pictures should hold at least one that can be used. Received: "
            f"{printable(source.title)}, with none."
        )
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
        "--check",
        action="store_true",
        help="read everything and say what is in it and what is odd; prepare nothing",
    )
    parser.add_argument(
        "--sheet",
        type=Path,
        metavar="PNG",
        help="where --check puts its contact sheet (default: check-NAME.png among the caches)",
    )
    parser.add_argument(
        "--faces",
        type=int,
        default=FACES_LOOKED_AT,
        metavar="N",
        help="in how many pictures --check looks for a face, 0 for none; needs kerasgan[faces]",
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
