"""The eyes: lids, white, iris with a gaze, lashes and make-up."""

import math

import numpy as np

from kerasgan.data.portraits.fields import (
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
from kerasgan.data.portraits.head import DEPTH, Head
from kerasgan.data.portraits.traits import Traits


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
    sign = np.where(head.u < 0, np.float32(-1), np.float32(1))
    p = (head.u * sign - traits.eye_gap) * (1 / traits.eye_size)  # -1 inner, 1 outer corner
    q = head.v * (1 / traits.eye_size) + p * math.tan(traits.eye_slant)
    scale = traits.eye_size * head.unit  # pixels
    squint = 0.12 * max(0.0, traits.smile)
    dome = 1 - p * p
    top = -traits.eye_open * (1.12 - 0.6 * squint) * dome * (1 - 0.12 * p)
    bottom = (traits.eye_open * 0.72 - squint) * dome * (1 + 0.15 * p)
    inside = np.minimum(cover((top - q) * scale), cover((q - bottom) * scale))
    inside *= np.abs(p) < 1.05
    near = smooth((1.3 - np.abs(p)) * 4)
    relief += 0.045 * bump(p, q, 0, 0.05, 0.6, 0.5)
    _lids(albedo, traits, p, q, top, bottom, near)
    _eyeball(albedo, traits, sign, (p, q), inside, scale, top)
    lash = ridge(q - top + 0.03, 0.075 + 0.045 * traits.lashes) * smooth((1.12 - np.abs(p)) * 5)
    paint(albedo, (0.012, 0.008, 0.007), lash * (0.55 + 0.4 * traits.lashes))
    wing = ridge(q - top + 0.08, 0.09) * bump(p, q, 1.0, 0.0, 0.16, 0.25)
    paint(albedo, (0.012, 0.008, 0.007), wing * (0.7 * traits.makeup))
    return inside


def _lids(
    albedo: np.ndarray, traits: Traits, p: Field, q: Field, top: Field, bottom: Field, near: Field
) -> None:
    if traits.makeup:
        shadow = smooth(bump(p, q, 0.15, -traits.eye_open - 0.22, 0.62, 0.24) * 1.6)
        paint(albedo, linear(traits.makeup_color), shadow * traits.makeup * 0.75)
    crease = ridge(q - top + 0.3, 0.075) * near
    darken(albedo, crease * (0.5 * traits.lid), (0.8, 1, 1))
    rim = ridge(q - bottom, 0.09) * near
    darken(albedo, rim * (0.28 + 0.25 * traits.makeup), (0.75, 1, 1))


def _eyeball(
    albedo: np.ndarray,
    traits: Traits,
    sign: Field,
    place: tuple[Field, Field],
    inside: Field,
    scale: float,
    top: Field,
) -> None:
    p, q = place
    white = (0.66, 0.62, 0.60)
    paint(albedo, white, inside)
    darken(albedo, inside * clamp(0.5 * p * p + 0.1), (0.8, 1, 1))
    across = p - sign * (0.55 * traits.gaze[0])
    down = q + 0.02 - 0.3 * traits.gaze[1]
    distance = np.sqrt(across * across + down * down)
    radius = traits.iris_size
    iris = inside * cover((distance - radius) * scale, 1.3)
    color = linear(traits.iris)
    paint(albedo, mix(color, (0.0, 0.0, 0.0), 0.45), iris)
    glow = iris * bump(across, down, 0, 0.12, radius * 0.5, radius * 0.45)
    paint(albedo, mix(color, (1.0, 1.0, 1.0), 0.04), glow * 0.9)
    pupil = inside * cover((distance - 0.45 * radius) * scale, 1.2)
    paint(albedo, (0.008, 0.006, 0.006), pupil)
    darken(albedo, inside * ridge(q - top, 0.2) * 0.6)
    side = 0.17 if traits.light_side > 0 else -0.17
    spark = _spark(p, q, sign, traits, side, scale)
    paint(albedo, (1.3, 1.3, 1.3), inside * spark)


def _spark(p: Field, q: Field, sign: Field, traits: Traits, side: float, scale: float) -> Field:
    """The light's mirror image on the eye, on the light's side of both pupils."""
    across = p * sign - 0.55 * traits.gaze[0] - side
    down = q + 0.16 - 0.3 * traits.gaze[1]
    return cover((np.sqrt(across * across + down * down) - 0.08) * scale, 1.1) * 0.85
