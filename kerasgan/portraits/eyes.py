"""The eyes: lids, white, iris with a gaze, lashes and make-up."""

import math
from dataclasses import dataclass

import numpy as np

from kerasgan.portraits.fields import (
    Field,
    bump,
    clamp,
    cover,
    darken,
    linear,
    mix,
    paint,
    ridge,
    smooth,
)
from kerasgan.portraits.head import DEPTH, Head
from kerasgan.portraits.traits import Traits


def eye_positions(traits: Traits) -> tuple[tuple[float, float], tuple[float, float]]:
    """Gives the middles of both eyes in pixels, (column, row), the picture's left one first."""
    left, right = (_to_pixels(side * traits.eye_gap, 0.0, traits) for side in (-1, 1))
    return left, right


def _to_pixels(u: float, v: float, traits: Traits) -> tuple[float, float]:
    x, y = u, v
    for _ in range(3):  # the height depends a little on the place itself
        z = DEPTH * math.sqrt(max(0.0, 1 - (x / traits.width) ** 2 - 0.75 * y * y))
        x = u * math.cos(traits.yaw) + z * math.sin(traits.yaw)
        y = v + (z - 0.35) * math.sin(traits.pitch)
    cosine, sine = math.cos(traits.roll), math.sin(traits.roll)
    column = traits.center[0] + traits.unit * (x * cosine - y * sine)
    return column, traits.center[1] + traits.unit * (y * cosine + x * sine)


@dataclass(frozen=True)
class Eyes:
    """Both eyes at once, in a frame that mirrors at the nose and whose unit is half an eye."""

    p: Field  # -1 at the inner corner, 1 at the outer
    q: Field  # down, along the eye's slant
    side: Field  # -1 on the left of the picture, 1 on the right
    top: Field  # the upper lid's edge, in q
    bottom: Field  # the lower lid's edge, in q
    inside: Field  # coverage of the opening between the lids
    scale: float  # pixels in half an eye


def draw_eyes(albedo: np.ndarray, relief: Field, head: Head, traits: Traits) -> Field:
    """Paints both eyes on the skin.

    Args:
        albedo: (3, rows, columns), linear; changed in place.
        relief: (rows, columns), towards the viewer, in half head heights; changed in place.
        head: the head's frame in that window.
        traits: whom to draw.

    Returns:
        The coverage of the eyeballs, (rows, columns), 0..1.
    """
    eyes = _place_eyes(head, traits)
    relief += 0.045 * bump(eyes.p, eyes.q, 0, 0.05, 0.6, 0.5)
    _lids(albedo, traits, eyes)
    _white(albedo, eyes)
    _iris(albedo, traits, eyes)
    _lashes(albedo, traits, eyes)
    return eyes.inside


def _place_eyes(head: Head, traits: Traits) -> Eyes:
    side = np.where(head.u < 0, np.float32(-1), np.float32(1))
    p = (head.u * side - traits.eye_gap) * (1 / traits.eye_size)
    q = head.v * (1 / traits.eye_size) + p * math.tan(traits.eye_slant)
    scale = traits.eye_size * head.unit
    squint = 0.12 * max(0.0, traits.smile)
    dome = 1 - p * p
    top = -traits.eye_open * (1.12 - 0.6 * squint) * dome * (1 - 0.12 * p)
    bottom = (traits.eye_open * 0.72 - squint) * dome * (1 + 0.15 * p)
    inside = np.minimum(cover((top - q) * scale), cover((q - bottom) * scale))
    inside *= np.abs(p) < 1.05
    return Eyes(p, q, side, top, bottom, inside, scale)


def _lids(albedo: np.ndarray, traits: Traits, eyes: Eyes) -> None:
    if traits.makeup:
        shadow = bump(eyes.p, eyes.q, 0.15, -traits.eye_open - 0.22, 0.62, 0.24)
        paint(albedo, linear(traits.makeup_color), smooth(shadow * 1.6) * traits.makeup * 0.75)
    near = smooth((1.3 - np.abs(eyes.p)) * 4)
    crease = ridge(eyes.q - eyes.top + 0.3, 0.075) * near
    darken(albedo, crease * (0.5 * traits.lid), (0.8, 1, 1))
    rim = ridge(eyes.q - eyes.bottom, 0.09) * near
    darken(albedo, rim * (0.28 + 0.25 * traits.makeup), (0.75, 1, 1))


def _white(albedo: np.ndarray, eyes: Eyes) -> None:
    paint(albedo, (0.66, 0.62, 0.60), eyes.inside)
    corners = clamp(0.5 * eyes.p * eyes.p + 0.1)
    darken(albedo, eyes.inside * corners, (0.8, 1, 1))


def _iris(albedo: np.ndarray, traits: Traits, eyes: Eyes) -> None:
    across = eyes.p * eyes.side - 0.55 * traits.gaze[0]  # to the right of the picture
    down = eyes.q + 0.02 - 0.3 * traits.gaze[1]
    distance = np.sqrt(across * across + down * down)
    radius, color = traits.iris_size, linear(traits.iris)
    iris = eyes.inside * cover((distance - radius) * eyes.scale, 1.3)
    paint(albedo, mix(color, (0.0, 0.0, 0.0), 0.45), iris)
    glow = iris * bump(across, down, 0, 0.12, radius * 0.5, radius * 0.45)
    paint(albedo, mix(color, (1.0, 1.0, 1.0), 0.04), glow * 0.9)
    pupil = eyes.inside * cover((distance - 0.45 * radius) * eyes.scale, 1.2)
    paint(albedo, (0.008, 0.006, 0.006), pupil)
    darken(albedo, eyes.inside * ridge(eyes.q - eyes.top, 0.2) * 0.6)  # the lid's shadow
    across -= 0.17 if traits.light_side > 0 else -0.17
    down += 0.14
    spark = cover((np.sqrt(across * across + down * down) - 0.08) * eyes.scale, 1.1)
    paint(albedo, (1.3, 1.3, 1.3), eyes.inside * spark * 0.85)


def _lashes(albedo: np.ndarray, traits: Traits, eyes: Eyes) -> None:
    black = (0.012, 0.008, 0.007)
    height = eyes.q - eyes.top
    lash = ridge(height + 0.03, 0.075 + 0.045 * traits.lashes)
    lash *= smooth((1.12 - np.abs(eyes.p)) * 5)
    paint(albedo, black, lash * (0.55 + 0.4 * traits.lashes))
    if traits.makeup:
        wing = ridge(height + 0.08, 0.09) * bump(eyes.p, eyes.q, 1.0, 0.0, 0.16, 0.25)
        paint(albedo, black, wing * (0.7 * traits.makeup))
