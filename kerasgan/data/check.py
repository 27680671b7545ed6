"""What is in a source, before anything is trained on it: the numbers, and what is odd.

Everything is read as for training, but no cache is built.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerasgan.cli import progress
from kerasgan.data.decode import Decoded, Rejected, Upright, open_upright
from kerasgan.data.duplicates import descriptor, equal_pairs, groups, near_pairs
from kerasgan.data.parallel import submit_in_order
from kerasgan.data.prepare import Preparation, decoding_threads, fetch_item, read_bytes
from kerasgan.data.source import Item
from kerasgan.data.spread import Spread
from kerasgan.files import atomic_path
from kerasgan.text import megabytes, most_common, plural, printable

SAMPLE = 48  # prepared pictures kept for the sheet, at even distances
EXAMPLES = 6  # pictures of each finding kept for the sheet
NAMED = 3  # pictures of each finding named in the report
FACES_LOOKED_AT = 200  # pictures, at even distances, in which a face is looked for
MIN_COLOUR = 1.5  # mean difference of the channels, in 0..255; a picture below it is grey
SMALL_SET = 1_000  # pictures; fewer want augmentation

# What may be found, in the order of the report: its name, what it means, what to do.
BROKEN, EQUAL, NEAR, GREYS = "broken", "duplicate", "near duplicate", "grey"
SMALL, TURNED, WHITE, FACELESS = "enlarged", "turned", "transparent", "no face"
MEANINGS = {
    BROKEN: "cannot be used; training skips them",
    EQUAL: "the same file again; remove all but one of each group",
    NEAR: "nearly the same as another; remove them unless that is meant",
    GREYS: "grey among colours; the generator will draw greys, too: remove them, or --channels 1",
    SMALL: "smaller than --size, so enlarged and soft; a smaller --size would keep them sharp",
    TURNED: "turned upright by their EXIF tag; nothing to do",
    WHITE: "with transparent parts, laid over white; nothing to do",
    FACELESS: "without a face that the detector finds; look at them",
}


class Read(NamedTuple):
    """What is kept of a picture that can be used.

    Attributes:
        name: in its source.
        upright: its format, mode and size; without its pixels.
        pictures: what training would see of it.
        key: sha256 of its bytes.
        has_face: whether a face was found; None where none was looked for.
    """

    name: str
    upright: Upright
    pictures: list[Decoded]
    key: bytes
    has_face: bool | None


@dataclass
class Report:
    """What a check has found.

    Attributes:
        title: the source, as the user named it.
        count: items in the source.
        usable: how many of them can be used.
        pictures: how many pictures they give.
        formats: of the usable items.
        modes: of them, Pillow's names.
        sizes: of them, (width, height).
        labels: how many there are of each class, by its name.
        attributes: how many have each attribute, have it not, and are not known, by its name.
        findings: of each kind, the names of the pictures with a detail each.
        reasons: of the broken ones.
        faces_looked_at: in how many pictures a face was looked for.
        groups: how many groups the (near) duplicates form.
        examples: of each kind, some prepared pictures, uint8 (S, S, C).
        sample: prepared pictures at even distances, uint8 (S, S, C).
        notes: what is odd about the source itself.
    """

    title: str
    count: int
    usable: int = 0
    pictures: int = 0
    formats: Counter[str] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    attributes: dict[str, list[int]] = field(default_factory=dict)
    findings: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    faces_looked_at: int = 0
    groups: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[np.ndarray]] = field(default_factory=dict)
    sample: list[np.ndarray] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def find(self, kind: str, name: str, detail: str = "") -> None:
        """Notes a finding."""
        self.findings.setdefault(kind, []).append((name, detail))

    def show(self, kind: str, picture: np.ndarray) -> None:
        """Keeps an example of a finding for the sheet, if there is room."""
        shown = self.examples.setdefault(kind, [])
        if len(shown) < EXAMPLES:
            shown.append(picture)


def check(
    preparation: Preparation,
    has_face: Callable[[np.ndarray], bool] | None = None,
    faces: int = FACES_LOOKED_AT,
) -> Report:
    """Reads a source as for training, and notes what is in it.

    Args:
        preparation: the source, and how its pictures would be prepared.
        has_face: says whether a face is in an upright picture, uint8 (H, W, 3); None where
            there is no detector.
        faces: in how many pictures, at even distances, a face is looked for.
    """
    source = preparation.source
    report = Report(source.title, source.count)
    seen = _Seen()
    every = -(-source.count // max(faces, 1))

    def read(numbered: tuple[int, Item]) -> Read:
        number, item = numbered
        looked = has_face if faces and number % every == 0 else None
        return _read(preparation, item, looked)

    with (
        closing(source),
        decoding_threads() as pool,
        progress(source.count, "Checking pictures", unit=" pictures") as bar,
    ):
        spread = Spread(source, preparation.limit)
        submitted = (submit_in_order(pool, read, turn) for turn in spread.turns())
        for (number, item), future in chain.from_iterable(submitted):
            try:
                found = future.result()
            except Rejected as why:
                report.find(BROKEN, item.name, str(why))
                report.reasons[str(why).partition(":")[0]] += 1
            else:
                spread.take(number, len(found.pictures))
                _note(report, preparation, item, found)
                seen.add(number, found)
            bar.update()
            if spread.is_full:
                break
        for kind, numbers in (*_find_greys(report, seen), *_find_duplicates(report, seen)):
            _show_again(report, preparation, kind, [seen.numbers[n] for n in numbers])
    report.sample = seen.sample()
    report.notes = source.notes()
    return report


def _read(
    preparation: Preparation, item: Item, has_face: Callable[[np.ndarray], bool] | None
) -> Read:
    """Reads one item; called in any thread.

    Raises:
        Rejected: it gives no picture.
    """
    raw = read_bytes(fetch_item(item))
    upright = open_upright(raw)
    pictures = preparation.pictures_of(raw, item.whole)
    data = raw.tobytes() if isinstance(raw, np.ndarray) else raw
    found = has_face(np.asarray(upright.image)) if has_face else None
    nothing = upright.image.crop((0, 0, 0, 0))
    key = hashlib.sha256(data).digest()
    return Read(item.name, upright._replace(image=nothing), pictures, key, found)


class _Seen:
    """What is kept of every usable picture until the end: 1.1 kB each, and the sheet's sample."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.names: list[str] = []
        self.keys: list[bytes] = []
        self.descriptors: list[np.ndarray] = []
        self.greys: list[bool] = []
        self._kept: list[np.ndarray] = []
        self._every = 1

    def add(self, number: int, found: Read) -> None:
        """Notes the item of a number."""
        first = found.pictures[0].pixels
        if len(self.names) % self._every == 0:
            self._kept.append(first)
            if len(self._kept) == 2 * SAMPLE:
                self._kept, self._every = self._kept[::2], 2 * self._every
        self.numbers.append(number)
        self.names.append(found.name)
        self.keys.append(found.key)
        self.descriptors.append(descriptor(first))
        self.greys.append(is_grey(first))

    def sample(self) -> list[np.ndarray]:
        """Returns up to SAMPLE of the pictures, at even distances."""
        chosen = np.linspace(0, len(self._kept) - 1, min(SAMPLE, len(self._kept)))
        return [self._kept[round(number)] for number in chosen]


def is_grey(pixels: np.ndarray) -> bool:
    """Whether a picture, uint8 (H, W, C), has no colours to speak of."""
    spread = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    return float(spread.mean()) < MIN_COLOUR


def _note(report: Report, preparation: Preparation, item: Item, found: Read) -> None:
    """Adds one usable item to the report."""
    source, upright = preparation.source, found.upright
    report.usable += 1
    report.pictures += len(found.pictures)
    report.formats[upright.format] += 1
    report.modes[upright.mode] += 1
    report.sizes[upright.width, upright.height] += 1
    if source.label_names:
        report.labels[source.label_names[item.label] if item.label >= 0 else "(none)"] += 1
    for name, value in zip(source.attribute_names, item.attributes, strict=False):
        report.attributes.setdefault(name, [0, 0, 0])[(1, -1, 0).index(int(value))] += 1
    if found.has_face is not None:
        report.faces_looked_at += 1
    size = f"{upright.width}x{upright.height}"
    kinds = {
        SMALL: any(picture.enlarged for picture in found.pictures),
        TURNED: upright.turned,
        WHITE: upright.over_white,
        FACELESS: found.has_face is False,
    }
    for kind in (kind for kind, holds in kinds.items() if holds):
        report.find(kind, found.name, size)
        report.show(kind, found.pictures[0].pixels)


Shown = tuple[str, list[int]]  # a kind of finding, and which usable pictures show it


def _find_greys(report: Report, seen: _Seen) -> list[Shown]:
    """Names the greys, where there are colours, too."""
    greys = [number for number, grey in enumerate(seen.greys) if grey]
    if len(greys) == len(seen.greys):
        return []
    for number in greys:
        report.find(GREYS, seen.names[number])
    return [(GREYS, greys[:EXAMPLES])]


def _find_duplicates(report: Report, seen: _Seen) -> list[Shown]:
    """Names the later pictures of each group of the same, or nearly the same."""
    equal = groups(equal_pairs(seen.keys))
    again = {number for group in equal for number in group[1:]}
    once = [number for number in range(len(seen.names)) if number not in again]
    descriptors = np.stack([seen.descriptors[n] for n in once]) if once else np.empty((0, 1))
    near = [[once[n] for n in group] for group in groups(near_pairs(descriptors))]
    for kind, found in ((EQUAL, equal), (NEAR, near)):
        if found:
            report.groups[kind] = len(found)
        for first, *others in found:
            for other in others:
                report.find(kind, seen.names[other], seen.names[first])
    pairs = [number for group in near[: EXAMPLES // 2] for number in group[:2]]
    return [(NEAR, pairs)]


def _show_again(report: Report, preparation: Preparation, kind: str, numbers: list[int]) -> None:
    """Reads a few items once more, for the sheet, and shows them in the order of `numbers`."""
    last = max(numbers, default=-1)
    pictures = {
        number: preparation.read(item)[0].pixels
        for number, item in enumerate(islice(preparation.source.items(), last + 1))
        if number in numbers
    }
    for number in numbers:
        report.show(kind, pictures[number])


def text(report: Report, preparation: Preparation) -> str:
    """Writes a report for people: the verdict, what there is, what is odd, what training gets."""
    read = report.usable + len(report.findings.get(BROKEN, []))
    lines = [f"{report.title}: {report.usable:,} of {plural(read, 'picture')} can be used."]
    lines += [*_contents(report), "", *_oddities(report), *_prospects(report, preparation)]
    return "\n".join(printable(line) for line in lines)


def sections(report: Report) -> dict[str, list[np.ndarray]]:
    """Returns what the contact sheet shows: captions, and prepared pictures, uint8 (S, S, C)."""
    shown = {f"{plural(report.pictures, 'picture')}, as training would see them": report.sample}
    for kind, pictures in report.examples.items():
        shown[f"{kind}: {len(report.findings[kind]):,}"] = pictures
    return shown


def _contents(report: Report) -> list[str]:
    lines = [
        _row("formats", most_common(report.formats, 8)),
        _row("modes", most_common(report.modes, 8)),
    ]
    sizes = Counter({f"{w}x{h}": count for (w, h), count in report.sizes.items()})
    if len(sizes) > 4:
        sides = sorted(report.sizes.elements(), key=lambda size: size[0] * size[1])
        (a, b), (c, d), (e, f) = sides[0], sides[len(sides) // 2], sides[-1]
        lines.append(_row("sizes", f"{a}x{b} to {e}x{f}, median {c}x{d}"))
    else:
        lines.append(_row("sizes", most_common(sizes, 4)))
    if report.labels:
        counts = report.labels.most_common()
        rare = f"{printable(counts[-1][0])} {counts[-1][1]:,}"
        common = f"{printable(counts[0][0])} {counts[0][1]:,}"
        lines.append(_row("classes", f"{len(counts):,}; largest {common}, smallest {rare}"))
    if report.attributes:
        having = [f"{name} {_percentage(counts)}" for name, counts in report.attributes.items()]
        shown = ", ".join(having[:5]) + (", ..." if len(having) > 5 else "")
        lines.append(_row("attributes", f"{len(having)}; have it: {shown}"))
    return lines + [_row("note", note) for note in report.notes]


def _oddities(report: Report) -> list[str]:
    lines = []
    for kind, meaning in MEANINGS.items():
        found = report.findings.get(kind)
        if not found:
            continue
        more = f" ({most_common(report.reasons)})" if kind == BROKEN else ""
        if kind in report.groups:
            more = f" (in {plural(report.groups[kind], 'group')})"
        if kind == FACELESS:
            more = f" (of {report.faces_looked_at:,} looked at)"
        names = ", ".join(_named(*entry) for entry in found[:NAMED])
        lines.append(f"  {len(found):>7,} {kind}{more}: {meaning}.")
        lines.append(f"          {names}{', ...' if len(found) > NAMED else ''}")
    return ["findings", *lines] if lines else ["findings: none"]


def _prospects(report: Report, preparation: Preparation) -> list[str]:
    size, channels = preparation.size, preparation.channels
    pictures = report.pictures
    if preparation.limit is not None:
        pictures = min(pictures, preparation.limit)
    kind = "grey" if channels == 1 else "RGB"
    lines = [
        "",
        f"training would see {plural(pictures, 'picture')} of {size}x{size} {kind}, crop "
        f"{preparation.crop}; {megabytes(pictures * size * size * channels)} on the disk.",
    ]
    if pictures < SMALL_SET:
        lines.append(
            f"  Few pictures: below {SMALL_SET:,}, train with --flip --augment auto, or add more."
        )
    return lines


def _row(name: str, words: str) -> str:
    return f"  {name:<11}{words}"


def _named(name: str, detail: str) -> str:
    return printable(f"{name} ({detail})" if detail else name)


def _percentage(counts: Iterable[int]) -> str:
    yes, no, _ = counts
    return f"{yes / (yes + no):.0%}" if yes + no else "unknown"


def write_findings(path: Path, report: Report) -> None:
    """Writes every finding as a row: its kind, the picture, the detail."""
    with atomic_path(path) as temporary:
        with open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["finding", "picture", "detail"])
            for kind in MEANINGS:
                rows.writerows([kind, *entry] for entry in report.findings.get(kind, []))
