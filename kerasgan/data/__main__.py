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
    HUB_FORM,
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
from kerasgan.data.source import Source
from kerasgan.errors import UserError
from kerasgan.files import check_place
from kerasgan.images import write_png
from kerasgan.text import printable


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> int:
    """Checks a source, or opens or builds its cache, says what is in it, and exports it."""
    args = build_parser().parse_args(argv)
    names = ("size", "limit", "crop", "channels")
    options = {name: getattr(args, name) for name in names}
    if args.check:
        return report(args, options)
    if args.export is not None:
        check_export(args.export)  # before the work, not after it
    pictures = load(
        args.source,
        **options,
        cache=args.cache,
        seed=args.seed,
        rebuild=args.rebuild,
    )
    print(describe(pictures))
    if args.export is not None:
        export(pictures, args.export)
    return 0


def report(args: argparse.Namespace, options: dict[str, Any]) -> int:
    """Prints what is in a source, and writes the sheet and the findings.

    Raises:
        UserError: there is nothing to train on.
    """
    check_options(**options, seed=args.seed)
    cli.require([("`--sheet` should end in .png", args.sheet, _is_png(args.sheet))])
    source = open_source(args.source, args.cache, args.limit, args.seed)
    preparation = make_preparation(source, args.cache, **options)
    sheet = args.sheet or default_sheet(args.cache, source)
    findings = sheet.with_suffix(".csv")
    for path in (sheet, findings):  # before the work, not after it
        check_place(path, "`--sheet`", "Type --sheet PNG with another place")
    has_face = (lambda rgb: bool(find_faces(rgb))) if available() else None
    found = check(preparation, has_face, args.faces)
    print(text(found, preparation))
    if has_face is None and args.faces:
        print('faces were not looked for: pip install "kerasgan[faces]"')
    write_png(sheet, contact_sheet(sections(found)))
    write_findings(findings, found)
    print(f"look at {printable(str(sheet))}; every finding: {printable(str(findings))}")
    if not found.pictures:
        raise UserError(
            "A source of pictures should hold at least one that can be used. Received: "
            f"{printable(source.title)}, with none."
        )
    return 0


def default_sheet(cache: Path, source: Source) -> Path:
    """Returns where the contact sheet of a check goes, among the caches."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", source.slug).strip("-") or "pictures"
    return cache / f"check-{slug}.png"


def _is_png(sheet: Path | None) -> bool:
    return sheet is None or sheet.suffix.lower() == ".png"


def build_parser() -> cli.Parser:
    """Builds the command line."""
    parser = cli.Parser(
        prog="python -m kerasgan.data",
        description="Prepare pictures for training: read, turn upright, crop, resize and cache "
        "them. Broken files are skipped and named in the cache's rejected.csv; transparent parts "
        "become white.",
    )
    add = parser.add_argument
    add(
        "source",
        metavar="SOURCE",
        nargs="+",
        help="a folder of pictures, searched with its sub-folders; a .zip or .tar archive; a "
        ".npy, .npz, .parquet or .tfrecord file; a .txt that lists paths; a video, frames of which "
        f"are taken one a second, or --limit of them; {BUILT_IN} for drawn faces; or a set to "
        f"download once: {', '.join(NAMED)}, or {HUB_FORM} for any at the Hugging Face hub; "
        "several make one set",
    )
    add("--size", type=int, default=128, help="height and width in pixels")
    limit = add("--limit", type=int, metavar="N", help="at most N pictures, as many of each class")
    cli.unset(limit, f"all; of {BUILT_IN}, {BUILT_IN_COUNT}")
    add(
        "--crop",
        choices=CROPS,
        default="auto",
        help="part that is kept: center = the largest centred square, celeba = the tutorial's "
        "box, none = all, squashed, auto = celeba for pictures of 178x218, else center, face = "
        "every face in a photograph, found, turned upright and cut as in CelebA",
    )
    add("--channels", type=int, choices=(3, 1), default=3, help="3 for colour, 1 for grey")
    add(
        "--cache",
        type=cli.path,
        default=CACHE,
        metavar="DIR",
        help="folder where prepared pictures are kept",
    )
    add("--rebuild", action="store_true", help="prepare anew, whatever is in the cache already")
    add("--seed", type=int, default=0, help=f"which faces are drawn; {BUILT_IN} only")
    add(
        "--check",
        action="store_true",
        help="read everything and say what is in it and what is odd; prepare nothing",
    )
    sheet = add(
        "--sheet", type=cli.path, metavar="PNG", help="where --check puts its contact sheet"
    )
    cli.unset(sheet, "check-NAME.png among the caches")
    add(
        "--faces",
        type=int,
        default=FACES_LOOKED_AT,
        metavar="N",
        help="in how many pictures --check looks for a face, 0 for none; needs kerasgan[faces]",
    )
    add(
        "--export",
        type=cli.path,
        metavar="DIR|ZIP",
        help="also write the prepared pictures as PNG, with their attributes, into this new "
        "folder or .zip",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
