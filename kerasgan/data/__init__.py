"""Pictures in: a folder, or the built-in faces, as one memory-mapped uint8 array."""

from dataclasses import replace
from pathlib import Path

from kerasgan.cli import UserError
from kerasgan.data.built_in import BUILT_IN, BUILT_IN_COUNT, plan_built_in
from kerasgan.data.cache import Pictures, describe, open_or_build
from kerasgan.data.decode import CROPS
from kerasgan.data.folder import plan_folder, walk

__all__ = [
    "BUILT_IN",
    "BUILT_IN_COUNT",
    "CACHE",
    "CROPS",
    "Pictures",
    "describe",
    "find_source",
    "load",
]

CACHE = Path("data/cache")  # where prepared pictures are kept, unless another place is named
MIN_SIZE, MAX_SIZE = 4, 1024  # pixels


def load(
    source: str,
    *,
    size: int,
    limit: int | None = None,
    crop: str = "auto",
    cache: Path = CACHE,
    seed: int = 0,
) -> Pictures:
    """Prepares a source's pictures, or maps what an earlier call prepared.

    Broken files are skipped, counted and named in the cache's `rejected.csv`. Transparent parts
    become white.

    Args:
        source: a folder, searched with its sub-folders, or "built-in" for the drawn faces.
        size: height and width of the pictures, in pixels, 4 to 1024.
        limit: at most how many pictures, the first by name; None for all of a folder, or for
            `BUILT_IN_COUNT` of the drawn faces.
        crop: one of "auto" (the tutorial's box for CelebA's 178x218 pixels, else the centred
            square), "center", "celeba" and "none". The drawn faces are square already.
        cache: the folder of caches.
        seed: chooses the drawn faces, 0 or more; a folder's pictures do not depend on it.

    Returns:
        The pictures, in the order of their names.

    Raises:
        UserError: an argument is out of range, there is no usable picture, or the cache cannot
            be written.
    """
    source, cache = str(source), Path(cache)
    _check_options(size, limit, crop, seed)
    if source == BUILT_IN:
        plan = plan_built_in(size=size, count=limit or BUILT_IN_COUNT, seed=seed)
    else:
        plan = plan_folder(source, size=size, limit=limit, crop=crop, cache=cache)
    request = {"source": source, "limit": limit, "crop": crop, "cache": str(cache.resolve())}
    if source != BUILT_IN:
        request["source"] = str(Path(source).expanduser().resolve())
    return replace(open_or_build(plan, cache), request=request)


def find_source(data: Path = Path("data")) -> str:
    """Returns `data` if there is a picture file in it, outside its `cache`, else "built-in"."""
    data = Path(data)
    found = data.is_dir() and any(not entry.problem for entry in walk(data, [data / "cache"]))
    return str(data) if found else BUILT_IN


def _check_options(size: int, limit: int | None, crop: str, seed: int) -> None:
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise UserError(
            f"`--size` should be from {MIN_SIZE} to {MAX_SIZE} pixels. Received: {size}."
        )
    if limit is not None and limit < 1:
        raise UserError(f"--limit should be at least 1 picture. Received: {limit}.")
    if crop not in CROPS:
        raise UserError(f"--crop should be one of {', '.join(CROPS)}. Received: {crop}.")
    if seed < 0:
        raise UserError(f"--seed should be 0 or more. Received: {seed}.")
