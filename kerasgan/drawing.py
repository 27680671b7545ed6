"""Pictures of a trained generator: grids, files of their own, walks, and the names of files."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from kerasgan import cli, images
from kerasgan import latents as latent_space
from kerasgan.errors import UserError
from kerasgan.saved import Draws

COUNT = 64  # pictures, unless another number is asked for
KEYS = 8  # key latents of a walk
CHUNK = 64  # pictures held at a time while many are drawn


def draw_pictures(
    generator: Draws, latents: np.ndarray, conditions: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """Draws one picture after another, holding few at a time.

    Args:
        generator: that draws.
        latents: float32, (N, D).
        conditions: float32, (N, C), for a generator that has them.

    Returns:
        An iterator over N uint8 pictures (H, W, C).
    """
    for start in range(0, len(latents), CHUNK):
        chunk = slice(start, start + CHUNK)
        yield from generator.draw(latents[chunk], None if conditions is None else conditions[chunk])


def draw_many(
    generator: Draws,
    count: int = COUNT,
    *,
    seed: int = 0,
    scale: float = 1.0,
    conditions: np.ndarray | None = None,
) -> np.ndarray:
    """Draws pictures, with a progress bar.

    Args:
        generator: that draws.
        count: how many. The i-th picture of a seed is the same whatever the count is.
        seed: of the latents, at least 0.
        scale: factor on the latents; 1 as in training, below 1 tamer pictures.
        conditions: float32, (count, C), for a generator that has them.

    Returns:
        uint8, (count, H, W, C).
    """
    latents = latent_space.draw(count, generator.latent_dim, seed, scale)
    drawn = draw_pictures(generator, latents, conditions)
    with _progress(count) as bar:
        return np.stack([_advance(bar, picture) for picture in drawn])


def draw_grid(
    generator: Draws,
    count: int = COUNT,
    *,
    seed: int = 0,
    scale: float = 1.0,
    grid: tuple[int, int] | None = None,
    conditions: np.ndarray | None = None,
) -> np.ndarray:
    """Draws pictures and lays them out in one.

    Example:

    >>> from kerasgan import drawing, models, saved
    >>> from kerasgan.recipes import PRESETS
    >>> generator = saved.SavedGenerator(models.build_portable_generator(PRESETS["mlp"]))
    >>> drawing.draw_grid(generator, 6, grid=(2, 3)).shape
    (56, 84, 3)

    Args:
        generator: that draws.
        count: how many. The i-th picture of a seed is the same whatever the count is.
        seed: of the latents, at least 0.
        scale: factor on the latents; 1 as in training, below 1 tamer pictures.
        grid: rows and columns; a square or the next to it unless given.
        conditions: float32, (count, C), for a generator that has them.

    Returns:
        uint8, (rows * H, columns * W, C); places left over are black.
    """
    pictures = draw_many(generator, count, seed=seed, scale=scale, conditions=conditions)
    return _lay_out(pictures, grid)


def draw_separately(
    generator: Draws,
    folder: str | Path,
    count: int = COUNT,
    *,
    seed: int = 0,
    scale: float = 1.0,
    conditions: np.ndarray | None = None,
) -> list[Path]:
    """Writes each picture as a PNG of its own, named by its seed and its place.

    Args:
        generator: that draws.
        folder: where they go; made if need be.
        count: how many.
        seed: of the latents, at least 0.
        scale: factor on the latents; 1 as in training, below 1 tamer pictures.
        conditions: float32, (count, C), for a generator that has them.

    Returns:
        The paths, in order.

    Raises:
        UserError: a path holds another picture already.
    """
    latents = latent_space.draw(count, generator.latent_dim, seed, scale)
    paths = [Path(folder) / f"seed-{seed:04d}-{index:06d}.png" for index in range(count)]
    drawn = draw_pictures(generator, latents, conditions)
    with _progress(count) as bar:
        for path, picture in zip(paths, drawn, strict=True):
            if not path.exists():
                images.write_png(path, picture, durable=False)
            elif not _holds(path, picture):
                raise UserError(
                    "`--separate` should name a new folder, or one with these very pictures. "
                    f"Received: {folder}, where {path.name} is another one. Type another name."
                )
            bar.update()
    return paths


def draw_walk(
    generator: Draws,
    walkers: int = 1,
    *,
    keys: int = KEYS,
    frames_per_leg: int = 30,
    seed: int = 0,
    scale: float = 1.0,
    grid: tuple[int, int] | None = None,
    conditions: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """Draws a walk through latents that ends where it began, frame by frame.

    Args:
        generator: that draws.
        walkers: walks side by side in a frame. The i-th is the same whatever their number is.
        keys: key latents that each walk passes.
        frames_per_leg: frames from one key latent to the next.
        seed: of the key latents, at least 0.
        scale: factor on the key latents; 1 as in training, below 1 tamer pictures.
        grid: rows and columns of walkers; a square or the next to it unless given.
        conditions: float32, (walkers, C), for a generator that has them; each walk keeps its own.

    Returns:
        An iterator over keys * frames_per_leg uint8 frames (rows * H, columns * W, C).
    """
    drawn = latent_space.draw(walkers * keys, generator.latent_dim, seed, scale)
    walks = [latent_space.walk(own, frames_per_leg) for own in np.split(drawn, walkers)]
    latents = np.stack(walks, axis=1)  # (frames, walkers, D)
    kept = None if conditions is None else np.tile(conditions, (len(latents), 1))
    pictures = draw_pictures(generator, latents.reshape(-1, latents.shape[-1]), kept)
    with _progress(len(latents), unit="frame") as bar:
        for _ in latents:
            frame = np.stack([next(pictures) for _ in range(walkers)])
            yield _advance(bar, _lay_out(frame, grid))


def draw_through(
    generator: Draws,
    keys: np.ndarray,
    *,
    frames_per_leg: int = 30,
    conditions: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """Draws a walk through latents that are known, and back to the first, frame by frame.

    Args:
        generator: that draws.
        keys: the latents, float32 (K, D).
        frames_per_leg: frames from one to the next.
        conditions: of each of them, float32 (K, C), for a generator that has them; between two
            they change evenly.

    Returns:
        An iterator over K * frames_per_leg uint8 frames (H, W, C).
    """
    latents = latent_space.walk(keys, frames_per_leg)
    if conditions is not None:
        conditions = latent_space.glide(conditions, np.arange(len(latents)) / frames_per_leg)
    with _progress(len(latents), unit="frame") as bar:
        for picture in draw_pictures(generator, latents, conditions):
            yield _advance(bar, picture)


def write_beside(path: Path, write: Callable[[Path], object]) -> Path:
    """Writes a file under a name, or under name-2, name-3, ... if that one is another file.

    Args:
        path: the name wished for.
        write: writes the file to the path that it is given.

    Returns:
        The path at last.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        write(temporary)
        content, final, number = temporary.read_bytes(), path, 1
        while final.exists() and not (final.is_file() and final.read_bytes() == content):
            number += 1
            final = path.with_name(f"{path.stem}-{number}{path.suffix}")
        os.replace(temporary, final)
    return final


def default_path(place: Path, name: str) -> Path:
    """Returns where pictures go for which no file was named.

    Args:
        place: a run's folder, or a generator's file.
        name: of the pictures, with its suffix.

    Returns:
        In the run's samples/; for a file in the current folder, named after it.
    """
    return place / "samples" / name if place.is_dir() else Path(f"{place.stem}-{name}")


def _progress(total: int, unit: str = "picture") -> tqdm:
    return cli.progress(total, "Drawing", unit=unit, delay=1, leave=False)


def _advance(bar: tqdm, value: np.ndarray) -> np.ndarray:
    bar.update()
    return value


def _lay_out(pictures: np.ndarray, grid: tuple[int, int] | None) -> np.ndarray:
    """Makes a grid of pictures (N, H, W, C) that has all its rows, even where N leaves some out."""
    rows, columns = grid or images.grid_shape(len(pictures))
    missing = rows * columns - len(pictures)
    return images.make_grid(np.pad(pictures, ((0, missing), (0, 0), (0, 0), (0, 0))), columns)


def _holds(path: Path, picture: np.ndarray) -> bool:
    """Whether a file is a PNG of exactly this picture."""
    image = images.read_png(path)
    return image is not None and np.array_equal(
        np.asarray(image), np.asarray(images.to_image(picture))
    )
