"""Measures edits at strength 3: how often the attribute turns over, and what else does.

    python benchmarks/edits.py outputs/000-fast --data built-in
    python benchmarks/edits.py outputs/000-fast --pair Smiling=smiling,neutral --pair Male=men,women

With --data, directions are made of one half of a set of pictures with attributes, and the samples
are judged by a scorer that was trained on the other half. With --pair, directions are made of one
half of each folder (every second picture, by name), and judged by what tells the other halves
apart. A sample without the attribute is moved by +3, one with it by -3. "Others" are the attributes
that both scorers know, `KNOWN` of them in the pictures left out; they are kept in a sample where
the judge says the same before and after.
"""

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import machine
import numpy as np

from kerasgan import cli, contrast, data, directions, discovery, saved
from kerasgan import latents as latent_space
from kerasgan.directions import Direction
from kerasgan.errors import UserError
from kerasgan.saved import SavedGenerator

STRENGTH = 3.0
KNOWN = 0.8  # accuracy of a scorer from which on its attribute counts among the others
ATTRIBUTES = "Smiling,Eyeglasses,Male,Blond_Hair"

# Pictures, uint8 (N, H, W, C), to whether each has each attribute, bool (N, A).
Judge = Callable[[np.ndarray], np.ndarray]


def half_of(pictures: data.Pictures, part: int) -> data.Pictures:
    """Returns every second picture, from the first or from the second one on."""
    rows = np.arange(part, len(pictures.pixels), 2)
    table = pictures.table
    taken = table._replace(
        names=[table.names[row] for row in rows],
        labels=table.labels[rows],
        attributes=table.attributes[rows],
    )
    return Half(pictures, pictures.pixels[rows], taken)


class Half:
    """Some of a set's pictures, with what is known of them."""

    def __init__(self, whole: data.Pictures, pixels: np.ndarray, table: Any) -> None:
        self.pixels, self.table, self.source = pixels, table, whole.source
        self.fingerprint = whole.fingerprint


def by_attributes(
    generator: SavedGenerator, pictures: data.Pictures
) -> tuple[dict[str, Direction], list[str], Judge]:
    """Makes directions of one half of a set, and a judge of the other."""
    from kerasgan.scorer import score

    made, judging = (discovery.train_scorer(half_of(pictures, part)) for part in (0, 1))
    found = {one.name: one for one in discovery.from_attributes(generator, made)}
    accuracy = [dict(zip(one.names, one.accuracy, strict=True)) for one in (made, judging)]
    names = [
        name
        for name in judging.names
        if name in found and min(scores.get(name, 0) for scores in accuracy) >= KNOWN
    ]
    columns = [judging.names.index(name) for name in names]
    for name in names:
        print(f"{name}: right in {accuracy[0][name]:.1%} and {accuracy[1][name]:.1%}")
    return found, names, lambda shown: score(judging.model, shown)[:, columns] > 0


def by_folders(
    generator: SavedGenerator, pairs: Sequence[str], cache: Path
) -> tuple[dict[str, Direction], list[str], Judge]:
    """Makes directions of one half of each pair of folders, and a judge of the other."""
    found: dict[str, Direction] = {}
    judges: list[contrast.Contrast] = []
    size = discovery.square_side(generator)
    for pair in pairs:
        name, _, folders = pair.partition("=")
        both = [
            data.load(folder, size=size, channels=generator.channels, cache=cache)
            for folder in folders.split(",")
        ]
        first, second = ([half_of(one, part) for one in both] for part in (0, 1))
        found[name], view = discovery.from_folders(generator, name, *first)
        judges.append(contrast.learn(*(one.pixels for one in second)))
        print(
            f"{name}: right in {found[name].accuracy:.1%} by {view}, "
            f"the judge in {judges[-1].accuracy:.1%} by {judges[-1].view}"
        )
    return found, list(found), lambda shown: np.stack(
        [judge.score(shown) > 0 for judge in judges], axis=1
    )  # fmt: skip


def measure(
    generator: SavedGenerator, direction: Direction, column: int, judge: Judge, count: int
) -> dict[str, float]:
    """Edits samples and judges them.

    Args:
        generator: that draws.
        direction: that is moved along.
        column: of the attribute, among what the judge says.
        judge: says what is in pictures.
        count: samples.

    Returns:
        The fraction of samples that turned to the attribute, `gained`, and from it, `lost`, and
        the mean fraction of the other attributes that stayed, `kept`.
    """
    drawn = latent_space.draw(count, generator.latent_dim, 0)
    before = judge(generator.draw(drawn))
    has = before[:, column]
    more, less = (
        judge(generator.draw(directions.move(drawn, direction.vector, sign * STRENGTH)))
        for sign in (1, -1)
    )
    after = np.where(has[:, None], less, more)
    others = np.delete(np.arange(before.shape[1]), column)
    turned = after[:, column] != has
    kept = (after == before)[:, others].mean() if len(others) else np.nan
    return {
        "without": float((~has).sum()),
        "gained": float(turned[~has].mean()) if (~has).any() else np.nan,
        "lost": float(turned[has].mean()) if has.any() else np.nan,
        "turned": float(turned.mean()),
        "kept": float(kept),
    }


def report(argv: Sequence[str] | None = None) -> None:
    """Prints a row for each attribute, without projection and with it."""
    parser = cli.Parser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("generator", type=Path, help="a run, a .keras file, or one that comes along")
    add("--data", metavar="SOURCE", help="pictures with attributes")
    add("--pair", action="append", metavar="NAME=DIR,DIR", help="pictures with and without")
    add("--attributes", default=ATTRIBUTES, help="which of --data, with commas")
    add("--keep", type=lambda text: text.split(","), help="what is kept, with commas; the other "
        "attributes of the table if left out")  # fmt: skip
    add("--limit", type=int, help="the first N pictures of --data only")
    add("--cache", type=Path, default=data.CACHE)
    add("--count", type=int, default=512, help="samples")
    args = parser.parse_args(argv)
    cli.require([("`--data` or `--pair` should be typed", "none", args.data or args.pair)])
    generator = saved.load(args.generator)
    print(f"{machine.describe()}\n{args.generator} ({generator.fingerprint})")
    if args.pair:
        found, names, judge = by_folders(generator, args.pair, args.cache)
        wanted = names
    else:
        size = discovery.square_side(generator)
        options = {"size": size, "channels": generator.channels, "limit": args.limit}
        pictures = data.load(args.data, cache=args.cache, **options)
        found, names, judge = by_attributes(generator, pictures)
        wanted = args.attributes.split(",")
    if missing := sorted({*wanted} - {*names}):
        raise UserError(f"Attributes should be known. Received: {', '.join(missing)}.")
    print(f"{args.count} samples, strength {STRENGTH:g}, others: {len(names) - 1}\n")
    print("| attribute | kept by projection | samples without it | gained | lost | turned over | "
          "others kept |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for name in wanted:
        others = [one for one in (args.keep or wanted) if one != name]
        found |= measurements(generator, others, found)
        keep = [found[other] for other in others]
        for kept in ([], keep):
            edited = dataclasses.replace(found[name]).keeping(kept)
            row = measure(generator, edited, names.index(name), judge, args.count)
            words = ", ".join(one.name for one in kept)
            print(
                f"| {name} | {words or 'none'} | {row['without']:.0f} | {row['gained']:.1%} | "
                f"{row['lost']:.1%} | {row['turned']:.1%} | {row['kept']:.1%} |"
            )


def measurements(
    generator: SavedGenerator, names: Sequence[str], found: dict[str, Direction]
) -> dict[str, Direction]:
    """Makes those of the directions asked for that are measured and not made yet."""
    made: dict[str, Direction] = {}
    for name in names:
        if name in discovery.MEASUREMENTS and name not in (found | made):
            made |= {one.name: one for one in discovery.from_measurements(generator, name)}
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    return cli.run(report, argv)


if __name__ == "__main__":
    sys.exit(main())
