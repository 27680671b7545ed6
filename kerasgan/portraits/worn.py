"""What is worn on the head: glasses and hats."""

import math

import numpy as np

from kerasgan.portraits.fields import (
    Field,
    clamp,
    cloud_tile,
    cover,
    darken,
    linear,
    mix,
    paint,
    ridge,
    smooth,
    wave,
    window_of,
)
from kerasgan.portraits.head import Head, Light
from kerasgan.portraits.traits import LONG_STYLES, Traits


def draw_glasses(canvas: np.ndarray, head: Head, traits: Traits) -> None:
    """Paints glasses over the eyes; `canvas` and `head` are the face's window."""
    if traits.glasses == "none":
        return
    side = np.abs(head.u - 0.03 * math.tan(traits.yaw))
    unit = head.unit
    middle = traits.eye_gap + 0.01
    lens = _lens(side - middle, head.v - 0.035, traits) * unit
    inside = cover(lens, 1.2)
    if traits.glasses == "dark":
        tint = 0.88 + 0.1 * clamp(-head.v * 4)
        paint(canvas, (0.02, 0.018, 0.02), inside * tint)
    else:
        paint(canvas, (0.8, 0.85, 0.9), inside * 0.03)
    glare = ridge(head.u - 0.9 * head.v - 0.42 * (1 if traits.light_side > 0 else -1), 0.045)
    paint(canvas, (1.0, 1.0, 1.0), inside * glare * 0.22)
    darken(canvas, 0.28 * ridge(lens - 2.4, 1.1) * (head.v > 0.05))
    rim = ridge(lens - 0.2, 0.95 if traits.glasses in ("square", "dark") else 0.7)
    if traits.glasses == "half":
        rim = rim * smooth((0.06 - head.v) * 12)
    bridge = ridge((head.v + 0.03 + 0.6 * side * side) * unit, 0.8) * (side < middle - 0.15)
    arm = ridge((head.v + 0.05) * unit, 0.8) * (side > middle + 0.17) * cover(head.outline)
    if traits.hair_style in LONG_STYLES and not traits.tucked:
        arm *= side < 0.63  # the rest is under hair
    paint(
        canvas, linear(traits.glasses_color), clamp(1.25 * np.maximum(rim, np.maximum(bridge, arm)))
    )


def _lens(x: Field, y: Field, traits: Traits) -> Field:
    """Gives about the half head heights to a lens's edge, negative inside."""
    wide, high = {
        "round": (0.185, 0.165),
        "square": (0.205, 0.135),
        "half": (0.2, 0.12),
        "dark": (0.215, 0.16),
    }[traits.glasses]
    x = x * (1 / wide)
    y = y * (1 / high)
    across, up = x * x, y * y
    if traits.glasses != "round":
        across, up = across * across, up * up
        return (np.sqrt(across + up) - 1) * (0.5 * high)
    return (np.sqrt(across + up) - 1) * high


def draw_hat(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """Paints a hat over hair and forehead."""
    if traits.hat == "none":
        return
    rows = slice(0, int(traits.center[1] + 0.3 * traits.unit))
    canvas, head = canvas[:, rows], head.crop(rows)
    under = smooth(1 - (head.v + 0.4) * 5) * (head.v > -0.4) * cover(head.outline)
    darken(canvas, 0.5 * under, (0.9, 1, 1))
    _dome(canvas, head, traits, light)
    HATS[traits.hat](canvas, head, traits, light)


def _dome(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """The part of a hat that holds the skull."""
    high = {"beanie": 0.98, "cap": 0.9, "brim": 0.88}[traits.hat]
    flat = _across(head, traits, 0.0 if traits.hat == "cap" else 0.03)
    up = np.minimum(head.y + 0.25, np.float32(0)) * (1 / high)
    if traits.hat == "brim":
        up = up * (0.6 + 0.4 * up * up)
    level = flat * flat + up * up
    edge = head.y + 0.4 + 0.05 * head.u * head.u
    distance = np.maximum((level - 1) * (0.45 * traits.unit), edge * traits.unit)
    normal = (flat, up, np.sqrt(np.maximum(1 - level, np.float32(0.05))))
    cloth = 1 + 0.12 * window_of(cloud_tile(), traits.texture // 29, flat)
    if traits.hat == "beanie":
        cloth = cloth + 0.14 * wave(flat / (1.3 + up) * 7) * clamp(1.1 + up)
    elif traits.hat == "cap":
        seams = ridge(flat / (1.15 + up), 0.02) + ridge(np.abs(flat) / (1.15 + up) - 0.6, 0.025)
        cloth = cloth - 0.25 * seams
    paint(canvas, _cloth(light, normal, cloth, traits), cover(distance, 1.3))


def _across(head: Head, traits: Traits, room: float) -> Field:
    """Gives -1..1 from side to side of a hat that leaves some room beside the skull."""
    wide = traits.width + room + 0.15 * min(traits.hair_volume, 0.15)
    return (head.x + 0.12 * math.sin(traits.yaw)) * (1 / wide)


def _cloth(
    light: Light, normal: tuple[Field, Field, Field], tone: Field | float, traits: Traits
) -> np.ndarray:
    color = light.shade(normal, (0.15, 0.15, 0.15))
    for channel, value in zip(color, linear(traits.hat_color), strict=True):
        channel *= tone * value
    return color


def _cuff(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """A beanie's turned-up rim."""
    row = head.y + 0.5 + 0.05 * head.u * head.u
    flat = _across(head, traits, 0.055)
    bend = flat * flat
    band = np.maximum(np.abs(row) - 0.115 + 0.03 * bend * bend, (np.abs(flat) - 1) * 0.8)
    normal = (flat, row * 4, np.sqrt(np.maximum(1 - bend, np.float32(0.05))))
    ribs = 0.9 + 0.16 * wave(head.x * 11)
    paint(canvas, _cloth(light, normal, ribs, traits), cover(band * traits.unit, 1.5))


def _visor(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """A cap's visor, seen from the front: a crescent over the brows."""
    u = head.u - 0.35 * math.tan(traits.yaw)
    bend = u * u
    top = -0.52 + 0.12 * bend
    bottom = -0.27 - 0.42 * bend
    shape = np.maximum(top - head.v, head.v - bottom)
    depth = (head.v - top) * (1 / 0.24)
    normal = (0.4 * u, depth - 0.85, np.float32(0.75) + 0 * u)
    darken(canvas, 0.4 * ridge(shape - 0.05, 0.03) * (head.v > bottom) * cover(head.outline))
    paint(canvas, _cloth(light, normal, 0.8, traits), cover(shape * traits.unit, 1.5))


def _brim(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """A wide brim all round, with a ribbon over it."""
    x = head.x * (1 / 1.2)
    y = (head.y + 0.42 + 0.1 * x * x) * (1 / 0.12)
    ribbon = cover((np.abs(head.y + 0.6 + 0.05 * x * x) - 0.07) * traits.unit)
    ribbon *= cover((np.abs(_across(head, traits, 0.03)) - 0.985) * (0.75 * traits.unit))
    dark = mix(linear(traits.hat_color), (0.01, 0.01, 0.01), 0.8)
    paint(canvas, dark, ribbon * 0.9)
    level = x * x + y * y
    steep = np.sqrt(x * x * (4 / 1.2**2) + y * y * (4 / 0.12**2) + np.float32(0.5))
    normal = (0.5 * x, -0.75 + 0.35 * y, np.float32(0.6) + 0 * x)
    edge = cover((level - 1) / steep * traits.unit, 1.3)
    paint(canvas, _cloth(light, normal, 0.95, traits), edge)


HATS = {"beanie": _cuff, "cap": _visor, "brim": _brim}
