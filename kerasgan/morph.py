"""Walks between pictures of a user's: each found by a search, and what lies between them drawn.

A search finds a latent and how far the features are from what it gives (see `inversion`). From one
picture to the next the latent goes along the sphere and the features' distance in a straight line.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from kerasgan import cli, codes, data, degradations, encoder, images, restoration
from kerasgan import latents as latent_space
from kerasgan.errors import UserError
from kerasgan.inversion import Found, Search
from kerasgan.metrics import perceptual
from kerasgan.restoration import Given, Options
from kerasgan.saved import SavedGenerator
from kerasgan.text import printable

CHUNK = 16  # frames drawn at a time
MOST = 100  # pictures of a walk

Moved = Callable[[np.ndarray, np.ndarray | None], tuple[np.ndarray, np.ndarray | None]]


def read(
    generator: SavedGenerator, sources: Sequence[str], crop: str | None, cache: Path = data.CACHE
) -> list[Given]:
    """Reads the pictures of a walk.

    Args:
        generator: that will draw it.
        sources: picture files, or folders, archives and arrays of them.
        crop: one of `data.CROPS`; as the generator's training pictures unless given.
        cache: the folder of caches.

    Raises:
        UserError: the generator draws no squares, a picture cannot be used, or there are fewer
            than two or more than `MOST`.
    """
    height, width = generator.height, generator.width
    if height is None or height != width:
        raise UserError(
            f"`--between` needs a generator that draws squares. Received: {generator.file}, which "
            f"draws {width}x{height}."
        )
    if crop not in (None, *data.CROPS):
        raise UserError(f"`--crop` should be one of {', '.join(data.CROPS)}. Received: {crop}.")
    own = generator.facts.crop
    options = Options(height, generator.channels, crop or (own if own in data.CROPS else "auto"))
    skipped: list[str] = []
    with restoration.opened(sources, cache) as (count, items):
        if count > MOST:
            raise UserError(f"`--between` takes at most {MOST} pictures. Received: {count:,}.")
        given = list(
            restoration.read_all(
                items,
                restoration.TASKS["invert"],
                options,
                set(),
                lambda name, why: skipped.append(f"{name} ({why})"),
            )
        )
    if skipped or len(given) < 2:
        fact = "; ".join(skipped) or f"{len(given)} of them"
        raise UserError(
            "`--between` should name two or more pictures that can be read and used. Received: "
            f"{printable(fact)}."
        )
    return given


class Morph:
    """A walk through pictures, and back to the first.

    Args:
        generator: that draws it.
        given: the pictures, as `read` returns them.
        steps: of the search for each.
        conditions: what the generator should draw, float32 (C,), NaN where that is searched, too.
        seed: of the search.
        cache: the folder of caches.

    Attributes:
        found: what the search found for the pictures.
    """

    def __init__(
        self,
        generator: SavedGenerator,
        given: Sequence[Given],
        *,
        steps: int,
        conditions: np.ndarray | None = None,
        seed: int = 0,
        cache: Path = data.CACHE,
    ) -> None:
        self.generator = generator
        self.search = Search(
            generator,
            degradations.identity(),
            guess=encoder.of(generator, cache=cache),
            likeness=perceptual.load_if_there(),
            conditions=conditions,
            steps=steps,
            seed=seed,
        )
        known = np.stack([one.reading.known for one in given])
        total = self.search.batches(len(given)) * self.search.steps
        with cli.progress(total, "Searching", unit=" steps", leave=False) as bar:
            self.found: Found = self.search(known, bar.update)
        self._say(given)

    def _say(self, given: Sequence[Given]) -> None:
        """Says how well the pictures were found, and what speaks against them."""
        for row, one in enumerate(given):
            result = images.to_uint8(self.found.pictures[row])
            facts = restoration.figures(one, result, self.found, row, self.search.degradation)
            print(f"{printable(one.name)}: found with {facts['fit_db']:.1f} dB")
            for doubt in restoration.doubts(facts):
                print(f"warning: {printable(one.name)}: {doubt}", file=sys.stderr)

    def draw(self, frames_per_leg: int, moved: Moved | None = None) -> Iterator[np.ndarray]:
        """Draws the walk, frame by frame, with a progress bar.

        Args:
            frames_per_leg: frames from one picture to the next.
            moved: what becomes of latents (N, D) and conditions (N, C), if anything does: an edit.

        Returns:
            An iterator over pictures * frames_per_leg uint8 frames (H, W, C).
        """
        found = self.found
        latents = latent_space.walk(found.codes[:, : self.generator.latent_dim], frames_per_leg)
        conditions = found.codes[:, self.generator.latent_dim :]
        with cli.progress(len(latents), "Drawing", unit="frame", delay=1, leave=False) as bar:
            for start in range(0, len(latents), CHUNK):
                places = np.arange(start, min(start + CHUNK, len(latents))) / frames_per_leg
                chunk = np.hstack(
                    [latents[start : start + CHUNK], latent_space.glide(conditions, places)]
                )
                if moved is not None:
                    reads = moved(*self._parts(chunk))
                    chunk = np.hstack([part for part in reads if part is not None])
                offsets = None
                if found.offsets is not None:
                    offsets = latent_space.glide(found.offsets, places)
                drawn = np.asarray(self.search.draw(chunk.astype(np.float32), offsets))
                for picture in images.to_uint8(drawn):
                    bar.update()
                    yield picture

    def _parts(self, chunk: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        latents, *conditions = codes.parts(self.generator, chunk)
        return latents, conditions[0] if conditions else None
