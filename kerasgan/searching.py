"""A search for a user's picture with all that can help it, and what becomes of what it found."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kerasgan import codes, data, encoder, images, restoration, verdicts
from kerasgan.backend import tf
from kerasgan.data.decode import open_upright, to_channels
from kerasgan.data.prepare import fetch_item, pillow_silenced, read_bytes
from kerasgan.errors import UserError
from kerasgan.inversion import STEPS, Found, Search
from kerasgan.metrics import perceptual
from kerasgan.restoration import LOOKS, REALISM, Given, Options, Task
from kerasgan.saved import SavedGenerator

USUAL = 64  # pictures of the generator's that D's opinion is measured against
CHANGED = 32.0  # grey levels of an edit, where a picture's own details go


def make(
    generator: SavedGenerator,
    task: Task,
    options: Options,
    *,
    conditions: np.ndarray | None = None,
    steps: int = STEPS,
    seed: int = 0,
    cache: Path = data.CACHE,
    on_step: Callable[[], object] | None = None,
) -> Search:
    """Makes a search, with an encoder and with what else is there to help it.

    What is not there is said. A generator without an encoder gets one, which takes minutes.

    Args:
        generator: whose pictures are square.
        task: one of `restoration.TASKS`.
        options: how the pictures are read.
        conditions: what the generator should draw, float32 (C,), NaN where that is searched, too.
        steps: of the search.
        seed: of its starts.
        cache: the folder of caches.
        on_step: called after each step of the training of an encoder, if it comes to that.
    """
    search = Search(
        generator,
        task.degradation(options),
        guess=encoder.of(generator, cache=cache, on_step=on_step),
        likeness=perceptual.load_if_there() if task.helper == LOOKS else None,
        critic=load_critic(generator) if task.helper == REALISM else None,
        conditions=conditions,
        steps=steps,
        seed=seed,
    )
    if search.parts is None:
        print("This generator cannot be cut in two: the latent alone is searched.")
    return search


class Critic:
    """D's opinion of pictures, measured against the generator's usual ones.

    Args:
        generator: whose discriminator lies beside it.

    Raises:
        UserError: there is none, or it reads other pictures.
    """

    def __init__(self, generator: SavedGenerator) -> None:
        self.discriminator = verdicts.load(generator.file or "")
        verdicts.require_the_same_pictures(self.discriminator, generator)
        usual = generator.draw(*codes.parts(generator, codes.draw(generator, USUAL, seed=0)))
        self._middle = float(np.median(self.discriminator.judge(usual)))

    def __call__(self, pictures: tf.Tensor) -> tf.Tensor:
        """Gives logits (B, 1), above 0 for what looks better than most of the generator's."""
        return self.discriminator.logits(pictures) - self._middle


def load_critic(generator: SavedGenerator) -> Critic | None:
    """Loads D's opinion of pictures, or says why it is not asked."""
    try:
        return Critic(generator)
    except UserError as error:
        print(f"D's opinion is not asked. {error}")
        return None


def crop_of(generator: SavedGenerator, typed: str | None = None) -> str:
    """Returns how pictures are cut: as asked for, or else as the generator's were."""
    own = generator.facts.crop
    return typed or (own if own in data.CROPS else "auto")


def draw_moved(
    search: Search, found: Found, row: int, latents: np.ndarray, conditions: np.ndarray | None
) -> np.ndarray:
    """Draws a found picture whose latent was moved; its features stay as far from what that gives.

    Args:
        search: that found it.
        found: for a batch.
        row: of the picture in it.
        latents: float32, (1, D).
        conditions: float32, (1, C), for a generator that has them.

    Returns:
        uint8, (1, H, W, C).
    """
    offsets = None if found.offsets is None else found.offsets[row : row + 1]
    code = latents if conditions is None else np.hstack([latents, conditions])
    return images.to_uint8(np.asarray(search.draw(code, offsets)))


def put_back(given: Given, edited: np.ndarray, found: np.ndarray, options: Options) -> np.ndarray:
    """Puts an edited face into the picture that it was cut from, at that picture's own size.

    Details that the generator does not draw stay where little is edited, and go where much is.

    Args:
        given: the picture.
        edited: uint8, (S, S, C).
        found: likewise, without an edit.
        options: how it was read.

    Returns:
        uint8, (H, W, C).
    """
    pasted, before = (restoration.paste(given, one, options) for one in (edited, found))
    with pillow_silenced():
        raw = read_bytes(fetch_item(given.item))
        own = to_channels(open_upright(raw).image, options.channels)
    if own.shape != pasted.shape:  # a picture smaller than the generator's has no more details
        return pasted
    change = np.abs(pasted.astype(np.float32) - before).max(axis=-1, keepdims=True)
    details = own.astype(np.float32) - before
    mixed = pasted + np.exp(-((change / CHANGED) ** 2)) * details
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
