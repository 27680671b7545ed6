"""Pictures in: any source as one memory-mapped uint8 array."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kerasgan.data.archive import ARCHIVES, open_archive
from kerasgan.data.arrays import ArraySource
from kerasgan.data.built_in import BUILT_IN, BUILT_IN_COUNT, BuiltInSource
from kerasgan.data.cache import (
    FORMAT,
    Pictures,
    Plan,
    describe,
    make_key,
    open_cache,
    open_or_build,
)
from kerasgan.data.decode import CROPS, FACE
from kerasgan.data.faces import DETECTOR, Detections, require
from kerasgan.data.folder import FolderSource, check_folder, walk
from kerasgan.data.hub import ADDRESS, is_hub
from kerasgan.data.hub import FORM as HUB_FORM
from kerasgan.data.listed import LISTS, ListSource
from kerasgan.data.named import NAMED, fetch
from kerasgan.data.others import describe_other
from kerasgan.data.parquet import SUFFIX as PARQUET
from kerasgan.data.parquet import open_parquet
from kerasgan.data.prepare import Preparation, prepare_one
from kerasgan.data.recent import recall, remember, take_stamps
from kerasgan.data.request import (
    CACHE,
    MAX_SIZE,
    MIN_SIZE,
    SET,
    SETS,
    WORDS,
    Request,
    check_options,
    one_or_several,
    settled,
    typed_fields,
    word_of,
)
from kerasgan.data.several import SeveralSources
from kerasgan.data.source import Source
from kerasgan.data.table import Table
from kerasgan.data.tfrecord import find_records, find_shards, is_records, open_records
from kerasgan.data.video import VIDEOS, VideoSource
from kerasgan.errors import UserError
from kerasgan.files import Damaged
from kerasgan.text import printable

__all__ = [
    "BUILT_IN",
    "BUILT_IN_COUNT",
    "CACHE",
    "CROPS",
    "HUB_FORM",
    "MAX_SIZE",
    "MIN_SIZE",
    "NAMED",
    "Pictures",
    "Request",
    "SET",
    "Table",
    "WORDS",
    "describe",
    "check_options",
    "find_source",
    "load",
    "load_request",
    "open_source",
    "make_preparation",
    "one_or_several",
    "prepare_one",
    "settled",
    "typed_fields",
]

ARRAYS = (".npy", ".npz")


def load(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    size: int,
    limit: int | None = None,
    crop: str = "auto",
    channels: int = 3,
    cache: Path = CACHE,
    seed: int = 0,
    rebuild: bool = False,
) -> Pictures:
    """Prepares a source's pictures, or maps what an earlier call prepared.

    Example:

    >>> from kerasgan import data
    >>> pictures = data.load("built-in", size=32, limit=4)
    >>> pictures.pixels.shape
    (4, 32, 32, 3)

    Broken files are skipped, counted and named in the cache's `rejected.csv`. Transparent parts
    become white.

    Args:
        source: see `open_source`; or several, for one set of all their pictures.
        size: height and width of the pictures, in pixels, 4 to 1024.
        limit: at most how many pictures, as many of each class, the first by name; None for all
            of a source, or for `BUILT_IN_COUNT` of the drawn faces.
        crop: one of "auto" (the tutorial's box for CelebA's 178x218 pixels, else the centred
            square), "center", "celeba", "none", and "face": a picture for every face that is
            found in a photograph. The drawn faces are never cropped.
        channels: 3 for RGB, 1 for grey.
        cache: the folder of caches.
        seed: chooses the drawn faces, 0 or more; other pictures do not depend on it.
        rebuild: whether to prepare them anew although a cache has them.

    Returns:
        The pictures, in the order of their source. Within a limit on classes, those that stand in
        for rejected ones come last.

    Raises:
        UserError: an argument is out of range, there is no usable picture, or the cache cannot
            be written.
    """
    several = [source] if isinstance(source, str | os.PathLike) else source
    if not isinstance(several, list | tuple) or not all(
        isinstance(one, str | os.PathLike) for one in several
    ):
        kind = type(source).__name__
        raise UserError(
            "A source of pictures should be named, since a training that goes on reads it again. "
            f"Received: {kind}. Save an array by np.save('faces.npy', array) and name that file."
        )
    named = one_or_several([os.fspath(one) for one in several])
    request = Request(named, limit, crop, Path(cache), seed)
    return load_request(request, size=size, channels=channels, rebuild=rebuild)


def load_request(
    request: Request, *, size: int, channels: int = 3, rebuild: bool = False
) -> Pictures:
    """Prepares the pictures of a request, or maps what an earlier call prepared; see `load`.

    Raises:
        UserError: as `load`.
    """
    check_options(size, request.limit, request.crop, channels, request.seed)
    named = [settled(source) for source in request.sources]
    request = replace(request, source=one_or_several(named))
    places = [_place(name) for name in named]
    found = replace(request, source=one_or_several(places), cache=request.cache.resolve())
    pictures = None if rebuild else _recalled(request, found, size, channels)
    return pictures or _prepared(request, found, size, channels, rebuild)


def _place(settled: str) -> str:
    """Returns where a source is, whatever folder is the current one: a word or a whole path."""
    if is_hub(settled):
        return settled
    return word_of(settled) or os.path.abspath(os.path.expanduser(settled))


def open_source(
    source: str | Sequence[str], cache: Path = CACHE, limit: int | None = None, seed: int = 0
) -> Source:
    """Lists what a source holds.

    Args:
        source: a folder, searched with its sub-folders; a zip or tar archive; a `.npy` or
            `.npz` file of arrays; a `.parquet` file; TFRecords, a file or the shards of a name; a
            text file or a table that lists paths; a video file, of which frames are taken at even
            distances, one a second unless there is a limit; one of `NAMED`, or `hf:OWNER/NAME` for
            a set at the hub, which is downloaded into `SETS` unless it is there; or "built-in" for
            the drawn faces. Such a word with "set:" in front means the set, even where a file or
            folder of that name lies here. Several of these make one source.
        cache: the folder of caches, left out of a folder's listing.
        limit: how many pictures are wanted at most; None for all. Of a set by name, no more
            files are downloaded than that takes; of the drawn faces, no more are there.
        seed: chooses the drawn faces, 0 or more.

    Raises:
        UserError: it is none of these, is damaged, holds no picture or cannot be downloaded.
    """
    if not isinstance(source, str):
        if len(source) == 1:
            return open_source(source[0], cache, limit, seed)
        return SeveralSources([open_source(one, cache, limit, seed) for one in source])
    source = settled(source)
    word = word_of(source)
    if word == BUILT_IN:
        return BuiltInSource(limit, seed)
    if word or is_hub(source):
        return fetch(word or source, SETS, limit)
    path = os.path.expanduser(source)
    rule = (
        "The source of pictures should be a folder, an archive (.zip, .tar, .tar.gz), arrays "
        "(.npy, .npz), a .parquet or .tfrecord file, a video, a list of paths (.txt, .csv), a set "
        f"at the hub ({HUB_FORM}), or one of the words {', '.join(WORDS)}"
    )
    if not os.path.exists(path) and find_shards(Path(path)):
        return open_records(source)
    if not os.path.exists(path):
        address = ADDRESS.fullmatch(source)
        remedy = f" Type hf:{address[1]}." if address else ""
        raise UserError(f"{rule}. Received: {printable(source)}, which does not exist.{remedy}")
    if os.path.isdir(path):
        return _open_folder(source, path, cache)
    if not os.path.isfile(path):
        raise UserError(f"{rule}. Received: {printable(source)}, which is a pipe or a device.")
    if not os.access(path, os.R_OK):
        raise UserError(f"{rule}. Received: {printable(source)}, which may not be read.")
    if path.lower().endswith(ARRAYS):
        return ArraySource(source)
    if path.lower().endswith(PARQUET):
        return open_parquet(source)
    if path.lower().endswith(ARCHIVES):
        return open_archive(source)
    if path.lower().endswith(LISTS):
        return ListSource(source)
    if path.lower().endswith(VIDEOS):
        return VideoSource(source, limit)
    if is_records(os.path.basename(path)):
        return open_records(source)
    raise UserError(f"{rule}. Received: {printable(source)}, which is {describe_other(Path(path))}")


def find_source(data: Path = Path("data")) -> str:
    """Returns the source in `data`: itself if there is a picture file in it, outside its
    `cache`; else the first archive or array file in it; else "set:built-in".
    """
    data = Path(data)
    if not data.is_dir():
        return SET + BUILT_IN
    if any(not entry.problem for entry in walk(data, [data / "cache"])):
        return str(data)
    files = sorted(str(path) for path in data.iterdir() if os.path.isfile(path))
    return next(
        (name for name in files if name.lower().endswith(ARCHIVES + ARRAYS)), SET + BUILT_IN
    )


def make_preparation(
    source: Source, cache: Path, *, size: int, limit: int | None, crop: str, channels: int
) -> Preparation:
    """Says how a source's pictures would be prepared; for the arguments see `load`.

    Raises:
        UserError: faces are to be found, and there is no detector.
    """
    if not source.takes_crop:
        crop = "none"
    detections = None
    if crop == FACE:
        require()
        detections = Detections(cache)
    return Preparation(source, size, channels, crop, limit, detections)


def _open_folder(source: str, path: str, cache: Path) -> Source:
    """Opens a folder of picture files; where there are none, of Parquet or TFRecord files."""
    check_folder(source, Path(path))
    pictures = any(not entry.problem for entry in walk(Path(path), [cache]))
    if not pictures and any(Path(path).rglob(f"*{PARQUET}")):
        return open_parquet(source)
    if not pictures and find_records(Path(path))[0]:
        return open_records(source)
    return FolderSource(source, skip=[cache])


def _recalled(request: Request, found: Request, size: int, channels: int) -> Pictures | None:
    """Maps the pictures that the same request led to last, if the source is the same since.

    Args:
        request: as it was typed.
        found: the same with absolute paths.
        size: height and width, in pixels.
        channels: 3 or 1.
    """
    folder = recall(request.cache, _note(found, size, channels))
    if folder is None:
        return None
    try:
        return open_cache(folder, request.title, found, (size, size, channels))
    except Damaged:
        return None  # to be noticed, and said, where it is prepared again


def _prepared(
    request: Request, found: Request, size: int, channels: int, rebuild: bool
) -> Pictures:
    """Lists the source, prepares its pictures unless a cache has them, and notes the cache."""
    began = time.time_ns()
    cache = request.cache
    source = open_source(request.source, cache, request.limit, request.seed)
    stamps = take_stamps(source.watched())
    preparation = make_preparation(
        source, cache, size=size, limit=request.limit, crop=request.crop, channels=channels
    )
    options = {
        "size": size,
        "limit": request.limit,
        "crop": preparation.crop,
        "channels": channels,
    }
    key = {**_method(preparation.crop), **options, "labels": [*source.label_names]}
    plan = Plan(
        source=request.title,
        request=found,
        name=f"{source.slug}-{size}",
        key=make_key(key, source.state()),
        options={**options, "seed": request.seed},
        size=size,
        channels=channels,
        label_names=list(source.label_names),
        at_most=preparation.at_most,
        prepare=preparation,
    )
    pictures = open_or_build(plan, cache, rebuild)
    remember(cache, _note(found, size, channels), pictures.folder, stamps, since=began)
    return pictures


def _note(found: Request, size: int, channels: int) -> dict[str, Any]:
    """Returns all that determines the pixels of a source that has not changed, as JSON values."""
    asked = {name: value for name, value in found.to_json().items() if name != "cache"}
    return {**_method(found.crop), **asked, "size": size, "channels": channels}


def _method(crop: str) -> dict[str, Any]:
    """Returns what determines the pixels besides the source and a user's choices."""
    heic = find_spec("pillow_heif") is not None  # or what it reads would stay rejected
    return {"format": FORMAT, "detector": DETECTOR if crop == FACE else None, "heic": heic}
