"""The built-in faces: portraits drawn by code, any number, each with its attributes.

`sampling` draws a person's traits, `traits` names them as CelebA does, and the other modules
paint them from back to front, with light on relief.
"""

import numpy as np

from kerasgan.portraits.eyes import eye_positions
from kerasgan.portraits.face import draw_face
from kerasgan.portraits.hair import draw_hair, draw_hair_behind
from kerasgan.portraits.head import face_window, place_head, set_light
from kerasgan.portraits.sampling import sample_traits
from kerasgan.portraits.scene import draw_ears, draw_neck_and_clothes, draw_room
from kerasgan.portraits.traits import ATTRIBUTES, Traits, name_attributes
from kerasgan.portraits.worn import draw_glasses, draw_hat

__all__ = [
    "ATTRIBUTES",
    "Traits",
    "draw_portrait",
    "draw_traits",
    "eye_positions",
    "name_attributes",
    "sample_traits",
]


def draw_portrait(index: int, seed: int = 0) -> tuple[np.ndarray, dict[str, bool]]:
    """Draws one portrait; a pure function of (seed, index).

    Args:
        index: which portrait, 0 or more.
        seed: which collection, 0 or more.

    Returns:
        The picture, uint8 RGB of shape (128, 128, 3), and for every name in `ATTRIBUTES`
        whether the picture shows it.
    """
    traits = sample_traits(index, seed)
    return draw_traits(traits), name_attributes(traits)


def draw_traits(traits: Traits) -> np.ndarray:
    """Draws the person that the traits describe.

    Returns:
        uint8 RGB, (128, 128, 3).
    """
    head, light = place_head(traits), set_light(traits)
    canvas = draw_room(traits)
    draw_hair_behind(canvas, head, traits, light)
    draw_neck_and_clothes(canvas, head, traits, light)
    draw_ears(canvas, head, traits, light)
    rows, columns = face_window(traits)
    face, front = canvas[:, rows, columns], head.crop(rows, columns)
    draw_face(face, front, traits, light)
    draw_hair(canvas, head, traits, light)
    draw_glasses(face, front, traits)
    draw_hat(canvas, head, traits, light)
    return _develop(canvas)


def _develop(canvas: np.ndarray) -> np.ndarray:
    """Turns linear light (3, H, W) into uint8 sRGB (H, W, 3), with soft highlights."""
    light = np.maximum(canvas, np.float32(0))
    soft = light * (1 + 0.12 * light) / (1 + 0.3 * light)
    sheet = np.sqrt(soft) * np.float32(255 / 0.93) + np.float32(0.5)
    return np.ascontiguousarray(
        np.minimum(sheet, np.float32(255)).astype(np.uint8).transpose(1, 2, 0)
    )
