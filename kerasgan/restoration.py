"""Pictures of a user's, restored by a generator: read, searched for, judged and written.

A task is a row of `TASKS`: what is known of a picture that was read, and how the search sees it.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from kerasgan import blending, data, degradations, images
from kerasgan.blending import Place
from kerasgan.data import faces
from kerasgan.data.cascade import search
from kerasgan.data.decode import FACE, Rejected, crop_box, decode, open_upright, to_channels
from kerasgan.data.kinds import PICTURES
from kerasgan.data.prepare import fetch_item, pictures_of, pillow_silenced, read_bytes
from kerasgan.data.source import Item, Raw, Source
from kerasgan.degradations import Degradation
from kerasgan.errors import UserError
from kerasgan.inversion import Found
from kerasgan.text import printable

RESULTS = "results.jsonl"
LOOKS, REALISM = "looks", "realism"  # what helps a search
PANEL = 128  # pixels: a picture on a sheet is enlarged, if it is smaller, to at least this
POOR = 15.0  # dB of what is known, by the latent alone: few faces fit as badly
FOUND = 0.9  # confidence of the detector from which on a face counts as found
FACE_SIDE, FACE_MARGIN = 128, 32  # pixels: how the detector is shown a face that fills its picture
MARKED = 128  # value of a mask from which on a pixel is to be filled
NAME_LENGTH = 100  # characters of a file's name, without what is added


@dataclass(frozen=True)
class Options:
    """How pictures are read and what is asked for.

    Attributes:
        size, channels: of the generator's pictures.
        crop: one of `data.CROPS`.
        mask: for inpainting, bool (H, W), whether a pixel is known; of the generator's size, or of
            the pictures' own.
        factor: for enlarging, how many times.
        sigma: for denoising, the noise's deviation in grey levels; None to estimate it.
    """

    size: int
    channels: int
    crop: str
    mask: np.ndarray | None = None
    factor: int = 4
    sigma: float | None = None


class Reading(NamedTuple):
    """A picture that was read.

    Attributes:
        before: uint8, (S, S, C), of the generator's size.
        known: float32, what a `Degradation` knows of it.
        facts: what is known before the search, for the results.
        mask: bool, (S, S), True where it is known; None without a mask.
    """

    before: np.ndarray
    known: np.ndarray
    facts: dict[str, Any]
    mask: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Given:
    """A picture to restore.

    Attributes:
        name: in messages.
        stem: of its files.
        item: where it came from.
        index: which of the pictures cut out of that it is, from 0.
        reading: what was read.
    """

    name: str
    stem: str
    item: Item
    index: int
    reading: Reading


@dataclass(frozen=True)
class Task:
    """What is known of a picture that was read, and what that means.

    Attributes:
        degradation: under which the search goes.
        read: a picture as a source gives it, to those that are cut out of it; raises `Rejected`.
        helper: what the search asks beside the pixels: `LOOKS` where all of a picture is known,
            `REALISM`, which is D's opinion, where much is not.
    """

    degradation: Callable[[Options], Degradation]
    read: Callable[[Raw, Options], Iterator[Reading]]
    helper: str | None = None


def _read_whole(raw: Raw, options: Options) -> Iterator[Reading]:
    for picture in _pictures(raw, options):
        yield Reading(picture, images.to_float(picture), {})


def _read_noisy(raw: Raw, options: Options) -> Iterator[Reading]:
    for picture in _pictures(raw, options):
        sigma = options.sigma
        if sigma is None:
            sigma = float(degradations.estimate_noise(picture[None])[0])
        known = degradations.noisy(images.to_float(picture)[None], np.array([sigma / 127.5]))
        yield Reading(picture, known[0], {"sigma": round(sigma, 1)})


def _read_small(raw: Raw, options: Options) -> Iterator[Reading]:
    small = options.size // options.factor
    raw = read_bytes(raw)
    side = min(np.hypot(*place.along) for place in _places(raw, options.crop))
    shrunk = pictures_of(raw, small, options.channels, options.crop)
    whole = pictures_of(raw, options.size, options.channels, options.crop)
    facts = {"made_smaller_from": round(side)} if side > small else {}
    for little, large in zip(shrunk, whole, strict=True):
        yield Reading(large.pixels, images.to_float(little.pixels), facts)


def _read_masked(raw: Raw, options: Options) -> Iterator[Reading]:
    raw = read_bytes(raw)
    pictures = _pictures(raw, options)
    for picture, mask in zip(pictures, _masks(raw, options, len(pictures)), strict=True):
        if mask.all() or not mask.any():
            what = "nothing to fill" if mask.all() else "nothing that is known"
            raise Rejected(f"the mask leaves {what} in it")
        known = degradations.masked(images.to_float(picture)[None], mask[None])
        yield Reading(picture, known[0], {"missing": round(1 - float(mask.mean()), 4)}, mask)


TASKS: dict[str, Task] = {
    "inpaint": Task(lambda options: degradations.mask(), _read_masked, REALISM),
    "superres": Task(lambda it: degradations.smaller(it.size, it.factor), _read_small, REALISM),
    "denoise": Task(lambda options: degradations.noise(), _read_noisy),
    "invert": Task(lambda options: degradations.identity(), _read_whole, LOOKS),
}


def _pictures(raw: Raw, options: Options) -> list[np.ndarray]:
    decoded = pictures_of(raw, options.size, options.channels, options.crop)
    return [picture.pixels for picture in decoded]


def _masks(raw: Raw, options: Options, count: int) -> list[np.ndarray]:
    """Returns the mask of each picture that is cut out of `raw`, bool (S, S), True where known."""
    mask, size = options.mask, options.size
    if mask is None:
        raise ValueError("Inpainting takes a mask.")
    if mask.shape == (size, size):
        return [mask] * count
    upright = open_upright(raw)
    own = upright.height, upright.width
    if mask.shape != own:
        raise Rejected(
            f"it is {own[1]}x{own[0]}, and the mask {mask.shape[1]}x{mask.shape[0]}; a mask should "
            f"be as large as the picture, or {size}x{size}"
        )
    marked = Image.fromarray(np.where(mask, 0, 255).astype(np.uint8))
    places = _places(raw, options.crop)
    reach = max(1, round(max(np.hypot(*place.along) for place in places) / size))
    grown = np.asarray(marked.filter(ImageFilter.MaxFilter(2 * reach + 1)))  # as the resize reaches
    if options.crop != FACE:
        cuts = [decode(grown, size, options.crop, 1).pixels[..., 0]]
    else:
        rgb = np.repeat(grown[..., None], 3, axis=-1)
        found = faces.find_faces(np.asarray(upright.image))
        cuts = [faces.cut_face(rgb, face, size)[..., 0] for face in found]
    return [cut < MARKED for cut in cuts]


def _places(raw: Raw, crop: str) -> list[Place]:
    """Returns where the pictures that are cut out of `raw` lie in it."""
    upright = open_upright(raw)
    if crop != FACE:
        return [Place.of_box(*crop_box(upright.width, upright.height, crop))]
    found = faces.find_faces(np.asarray(upright.image))
    return [Place.of_square(*face.square()) for face in found]


def read_mask(path: Path) -> np.ndarray:
    """Reads a mask: what is white, or transparent, is to be filled.

    Args:
        path: a picture file.

    Returns:
        bool, (H, W), True where a picture is known.

    Raises:
        UserError: it cannot be read, or is of one value.
    """
    try:
        with pillow_silenced():
            grey = to_channels(open_upright(str(path)).image, 1)[..., 0]
    except Rejected as why:
        raise UserError(
            "`--mask` should be a picture whose white pixels are to be filled, `box` or "
            f"`random:0.5`. Received: {printable(str(path))} ({why})."
        ) from why
    known = grey < MARKED
    if known.all() or not known.any():
        fact = "where nothing is white" if known.all() else "which is white all over"
        raise UserError(
            "A mask should be white where the picture is to be filled, and black where it is to "
            f"stay. Received: {printable(str(path))}, {fact}."
        )
    return known


@contextmanager
def opened(
    sources: Sequence[str], cache: Path = data.CACHE
) -> Iterator[tuple[int, Iterator[Item]]]:
    """Opens pictures: files, and whatever `data.open_source` opens.

    Args:
        sources: paths, or words.
        cache: the folder of caches.

    Yields:
        How many there are, and the pictures, one after another. They can be fetched, and fetched
        again, until the block is left.

    Raises:
        UserError: there is no such file.
    """
    with ExitStack() as stack:
        found: list[Item | Source] = []
        for source in sources:
            found.append(_open(source, cache))
            if isinstance(found[-1], Source):
                stack.callback(found[-1].close)
        count = sum(1 if isinstance(one, Item) else one.count for one in found)
        each = ([one] if isinstance(one, Item) else one.items() for one in found)
        yield count, chain.from_iterable(each)


def _open(source: str, cache: Path) -> Item | Source:
    path = Path(source).expanduser()
    kinds = (*data.ARCHIVES, *data.ARRAYS, data.PARQUET)
    if path.is_file() and not path.name.lower().endswith(kinds):
        return Item(path.name, lambda: str(path))
    if not path.exists() and source not in data.WORDS:
        raise UserError(
            "A picture should be a file, or a folder, an archive or arrays of some. Received: "
            f"{printable(source)}, which does not exist."
        )
    return data.open_source(source, cache)


def read_all(
    items: Iterator[Item],
    task: Task,
    options: Options,
    taken: set[str],
    skipped: Callable[[str, Rejected], object],
) -> Iterator[Given]:
    """Reads pictures as they are asked for.

    Args:
        items: of `open_items`.
        task: of `TASKS`.
        options: how they are read.
        taken: stems that are not free, in lower case; those given out are added.
        skipped: called with the name of a picture that cannot be used, and why.
    """
    for item in items:
        try:
            with pillow_silenced():
                readings = list(task.read(fetch_item(item), options))
        except Rejected as why:
            skipped(item.name, why)
            continue
        for index, reading in enumerate(readings):
            name, stem = item.name, _stem(item.name)
            if len(readings) > 1:  # the faces in a photograph
                name, stem = f"{name}#{index + 1}", f"{stem}-{index + 1}"
            yield Given(name, _free(stem, taken), item, index, reading)


def _stem(name: str) -> str:
    """Returns a name for files, without an ending, made of a picture's, which may be a path."""
    ending = Path(name).suffix
    stem = name.removesuffix(ending) if ending.lower() in PICTURES else name
    stem = re.sub(r"[^\w .=+-]+", "-", stem)
    return re.sub(r"\.+", ".", stem).strip(" .-")[-NAME_LENGTH:] or "picture"


def _free(stem: str, taken: set[str]) -> str:
    """Returns a name that no other picture's files have."""
    free, number = stem, 1
    while not taken.isdisjoint(_family(free)):
        number += 1
        free = f"{stem}-{number}"
    taken.update(_family(free))
    return free


def _family(stem: str) -> list[str]:
    return [f"{stem}{ending}".lower() for ending in ("", "-sheet", "-full")]


def batches(given: Iterator[Given], size: int) -> Iterator[list[Given]]:
    """Yields pictures in batches, the last one smaller."""
    while batch := list(islice(given, size)):
        yield batch


def finish(
    reading: Reading, found: np.ndarray, degradation: Degradation, blends: bool = False
) -> np.ndarray:
    """Makes the result of what was found: what is known stays as it was.

    Args:
        reading: the picture.
        found: float32, (S, S, C) in [-1, 1].
        degradation: that the search went under.
        blends: whether what fills a masked picture is blended in.

    Returns:
        uint8, (S, S, C).
    """
    if blends and reading.mask is not None:
        return blending.blend(images.to_uint8(found), reading.before, reading.mask)
    return images.to_uint8(degradation.keep(found[None], reading.known[None])[0])


def paste(given: Given, result: np.ndarray, options: Options) -> np.ndarray:
    """Puts a result back into the picture that it was cut from, at that picture's own size.

    A picture that is smaller than the result is made larger first, but for a masked one, of which
    only what was missing is put back.

    Returns:
        uint8, (H, W, C).
    """
    with pillow_silenced():
        raw = read_bytes(fetch_item(given.item))
        upright = open_upright(raw)
        place = _places(raw, options.crop)[given.index]
    image, mask = upright.image, given.reading.mask
    factor = 1.0 if mask is not None else max(1.0, options.size / np.hypot(*place.along))
    if factor > 1:
        size = [round(length * factor) for length in image.size]
        image = image.resize(size, Image.Resampling.BICUBIC)
    picture = to_channels(image, options.channels)
    return blending.paste(picture, result, place.scaled(factor), mask)


def sheet(reading: Reading, result: np.ndarray, degradation: Degradation) -> np.ndarray:
    """Lays a picture, what is known of it, and the result side by side, uint8 (H, 3 * W, C)."""
    known = images.to_uint8(np.asarray(degradation.show(reading.known[None]))[0])
    row = images.make_grid(np.stack([reading.before, known, result]), columns=3)
    times = max(1, round(PANEL / len(result)))
    return row.repeat(times, axis=0).repeat(times, axis=1)


def face_confidence(picture: np.ndarray) -> float:
    """Says how sure a face detector is that a picture shows a face, 0 to 1.

    Args:
        picture: uint8, (S, S, C).

    Raises:
        UserError: the detector is not installed.
    """
    faces.require()
    rgb = np.repeat(picture, 3 // picture.shape[-1], axis=-1)
    large = Image.fromarray(rgb).resize((FACE_SIDE, FACE_SIDE), Image.Resampling.BICUBIC)
    margin = ((FACE_MARGIN, FACE_MARGIN), (FACE_MARGIN, FACE_MARGIN), (0, 0))
    _, scores = search(np.pad(np.asarray(large), margin, mode="edge"))
    return float(scores.max(initial=0))


def figures(
    given: Given, result: np.ndarray, found: Found, row: int, degradation: Degradation
) -> dict[str, Any]:
    """Returns what there is to say of a result, JSON values.

    Args:
        given: the picture.
        result: uint8, (S, S, C).
        found: by the search, for a batch.
        row: of the picture in it.
        degradation: that the search went under.

    Returns:
        `fit_db` and `latent_db`: how well what is known was met, by the search and by the latent
        alone, as the ratio of peak to error; `known_error`: how far the result is from what is
        known, root of the mean square in grey levels; what was known before; `face`: the
        detector's confidence, None where it is not installed.
    """
    known = given.reading.known[None]
    missed = np.asarray(degradation.see(images.to_float(result)[None], known)) - known
    square = np.sum(degradation.weigh(known) * missed**2) / float(degradation.count(known)[0])
    return {
        "fit_db": decibels(found.error[row]),
        "latent_db": decibels(found.latent_error[row]),
        "known_error": round(127.5 * float(np.sqrt(square)), 2),
        **given.reading.facts,
        "face": round(face_confidence(result), 3) if faces.available() else None,
    }


def decibels(error: float) -> float:
    """Returns the ratio of the peak, 2 from black to white, to an error, in decibels."""
    return round(20 * float(np.log10(2 / max(error, 1e-6))), 2)


def doubts(of: dict[str, Any]) -> list[str]:
    """Says what speaks against a result, by its `figures`, a phrase each."""
    found = []
    # What noise takes from the fit says nothing against it.
    square = 4 / 10 ** (of["latent_db"] / 10) - (of.get("sigma", 0) / 127.5) ** 2
    if (fit := decibels(max(square, 0) ** 0.5)) < POOR:
        found.append(
            f"fits badly, {fit:.1f} dB by the latent alone; faces like those that the generator "
            f"draws reach {POOR:g}"
        )
    if of["face"] is not None and of["face"] < FOUND:
        found.append(f"no face found in the result, confidence {of['face']:.2f} of {FOUND:g}")
    return found


def write(
    folder: Path, given: Given, result: np.ndarray, facts: dict[str, Any], side: np.ndarray
) -> None:
    """Writes a result, its sheet and its line, the line last.

    Args:
        folder: where they go.
        given: the picture.
        result: uint8, (S, S, C).
        facts: the line, JSON values.
        side: the sheet, uint8.
    """
    images.write_png(folder / f"{given.stem}.png", result)
    images.write_png(folder / f"{given.stem}-sheet.png", side)
    line = json.dumps(facts, ensure_ascii=False)
    with open(folder / RESULTS, "a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{line}\n")
