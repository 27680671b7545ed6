"""What is worn on the head: glasses and hats."""

import math

import numpy as np

from kerasgan.data.portraits.fields import (
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
from kerasgan.data.portraits.head import Head, Light
from kerasgan.data.portraits.traits import Traits


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
        tint = 0.8 + 0.15 * clamp(-head.v * 4)
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
    x = head.x + 0.12 * math.sin(traits.yaw)
    edge_row = -0.4 - 0.05 * head.u * head.u
    wide = traits.width + 0.05 + 0.2 * min(traits.hair_volume, 0.15)
    high = {"beanie": 0.98, "cap": 0.86, "brim": 0.88}[traits.hat]
    up = np.minimum(head.y + 0.25, np.float32(0)) * (1 / high)
    flat = x * (1 / wide)
    if traits.hat == "brim":
        up = up * (0.6 + 0.4 * up * up)
    level = flat * flat + up * up
    distance = np.maximum((level - 1) * (0.45 * traits.unit), (head.y - edge_row) * traits.unit)
    under = smooth(1 - (head.v - edge_row) * 5) * (head.v > edge_row) * cover(head.outline)
    darken(canvas, 0.5 * under, (0.9, 1, 1))
    normal = (flat, up, np.sqrt(np.maximum(1 - level, np.float32(0.05))))
    color = light.shade(normal, (0.15, 0.15, 0.15))
    cloth = 1 + 0.12 * window_of(cloud_tile(), traits.texture // 29, x)
    if traits.hat == "beanie":
        cloth = cloth + 0.14 * wave(x / (1.3 + up) * 9) * clamp(1.1 + up)
    for channel, value in zip(color, linear(traits.hat_color), strict=True):
        channel *= cloth * value
    paint(canvas, color, cover(distance, 1.3))
    HATS[traits.hat](canvas, head, traits, light)


def _cuff(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """A beanie's turned-up rim."""
    row = head.y + 0.5 + 0.05 * head.u * head.u
    wide = traits.width + 0.08 + 0.2 * min(traits.hair_volume, 0.15)
    flat = head.x * (1 / wide)
    band = np.maximum(np.abs(row) - 0.11, (np.abs(flat) - 1) * 0.8)
    normal = (flat, row * 5, np.sqrt(np.maximum(1 - flat * flat, np.float32(0.05))))
    color = light.shade(normal, (0.15, 0.15, 0.15))
    ribs = 1 + 0.2 * wave(head.x * 11)
    for channel, value in zip(color, linear(traits.hat_color), strict=True):
        channel *= ribs * value * 0.9
    paint(canvas, color, cover(band * traits.unit, 1.4))


def _visor(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """A cap's visor, seen from the front."""
    u = head.u - 0.3 * math.tan(traits.yaw)
    arch = 0.32 * u * u
    top = -0.5 + arch
    bottom = -0.34 + 0.5 * arch
    shape = np.maximum(np.maximum(top - head.v, head.v - bottom), np.abs(u) - 0.62)
    color = mix(linear(traits.hat_color), (0.0, 0.0, 0.0), 0.35)
    paint(canvas, color, cover(shape * traits.unit, 1.5))
    paint(
        canvas, (0.9, 0.9, 0.9), 0.12 * ridge((head.v - top) * traits.unit, 1.2) * (np.abs(u) < 0.6)
    )


def _brim(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """A wide brim all round, with a ribbon over it."""
    x = head.x * (1 / 1.22)
    y = head.y + 0.42 + 0.1 * x * x
    level = x * x + y * y * (1 / 0.014)
    shade = 0.75 + 0.5 * clamp(-y * 6)
    key = sum(light.key) / 3
    color = linear(traits.hat_color)
    tones = [np.float32(value * key) * shade for value in color]
    ribbon = cover((np.abs(head.y + 0.6 + 0.05 * x * x) - 0.07) * traits.unit) * (
        np.abs(head.x) < traits.width + 0.06
    )
    paint(canvas, mix(color, (0.01, 0.01, 0.01), 0.8), ribbon * 0.9)
    paint(canvas, np.stack(tones), cover((np.sqrt(level) - 1) * (0.11 * traits.unit), 1.3))


HATS = {"beanie": _cuff, "cap": _visor, "brim": _brim}
