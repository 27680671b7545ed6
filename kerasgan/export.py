"""`python -m kerasgan.export GENERATOR --format onnx`: a generator for other programs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kerasgan import cli, exports, pretrained, saved
from kerasgan.errors import UserError
from kerasgan.exports import facts, saved_model
from kerasgan.files import check_place
from kerasgan.text import either, megabytes

EXPORTS = "exports"  # in a run's folder


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> None:
    args = build_parser().parse_args(argv)
    cli.require(rules(args))
    saved.find(args.source)
    path = path_of(args)
    check(path, folder=not exports.FORMATS[args.format].suffix)
    exports.require_modules(args.format)
    generator = saved.load(args.source, args.range)
    replaced = " (replaced)" if path.exists() else ""
    found = exports.export(generator, path, args.format, args.quantize)
    form = exports.FORMATS[args.format]
    what = facts.sentence(facts.of(generator, args.quantize, form.count))
    print(f"{path}{replaced}: {megabytes(size_of(path))}, {what}")
    if found is not None:
        time = f"; a picture takes {1000 * found.seconds:.1f} ms" if form.timed else ""
        print(
            f"{form.runtime} draws {exports.COMPARED} pictures as Keras does, but for "
            f"{found.greys:.2g} of {exports.GREYS} grey levels at most, {found.average:.1g} on "
            f"average ({found.difference:.1e} in values){time}"
        )


def build_parser() -> cli.Parser:
    """Builds the command line."""
    parser = cli.Parser(
        prog="python -m kerasgan.export",
        description="Write a trained generator in the format of another program, open it there "
        "again, and compare what it draws.",
        epilog="docs/export.md says how to draw with each.",
    )
    add = parser.add_argument
    add("source", type=cli.path, metavar="GENERATOR", help="a run, the .keras file of any "
        f"generator, or the name of one that comes along: {pretrained.listed()}")  # fmt: skip
    formats = "; ".join(f"{name}: {form.what}" for name, form in exports.FORMATS.items())
    add("--format", required=True, choices=exports.FORMATS, help=formats)
    quantize = add("--quantize", choices=(exports.FLOAT16, exports.INT8),
        help="keep weights in fewer bits, in a smaller file")  # fmt: skip
    cli.unset(quantize, "float32; in a page float16")
    saved.add_range_flag(parser)
    out = add("--out", type=cli.path, metavar="DIR", help="the folder in which the export goes")
    cli.unset(out, "a run's exports/; of a .keras file, the current folder")
    return parser


def rules(args: argparse.Namespace) -> list[cli.Rule]:
    """Returns what flags should be together."""
    form = exports.FORMATS[args.format]
    quantized, out = form.quantized, args.out
    these = f"one of {either(quantized)}" if quantized else "left out"
    return [
        (
            f"`--quantize` should be {these} with --format {args.format}",
            args.quantize,
            args.quantize in (None, *quantized),
        ),
        (
            "`--out` names a folder, in which the export has the generator's name",
            out,
            out is None or not form.suffix or out.suffix != form.suffix,
        ),
    ]


def path_of(args: argparse.Namespace) -> Path:
    """Returns where the export goes, by the name of the generator."""
    source = Path(args.source)
    name = source.resolve().name if source.is_dir() else source.stem
    name += f"-{args.quantize}" if args.quantize else ""
    form = exports.FORMATS[args.format]
    name += form.suffix or f"-{args.format}"
    inside = source / EXPORTS if source.is_dir() else Path()
    return (args.out or inside) / name


def check(path: Path, folder: bool) -> None:
    """Raises UserError where the export could not be written, before it is made."""
    if folder and path.is_dir() and not saved_model.is_one(path):
        raise UserError(
            f"An export replaces nothing but an earlier one. Received: {path}, a folder with "
            "something else. Type another --out."
        )
    check_place(path, "The export", "Type another --out", folder=folder)


def size_of(path: Path) -> int:
    """Returns the bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    sys.exit(main())
