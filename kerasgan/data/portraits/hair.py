"""Hair: the mass on and behind the head, with strands, curls and gloss."""

import math

import numpy as np

from kerasgan.data.portraits.fields import (
    Field,
    bump,
    clamp,
    cloud_tile,
    cover,
    curl_tile,
    darken,
    grain_tile,
    linear,
    paint,
    ridge,
    smooth,
    strands,
    wave,
    window_of,
)
from kerasgan.data.portraits.head import Head, Light
from kerasgan.data.portraits.traits import LONG_STYLES, Traits

CROWN = -0.1  # where the skull is widest
HAIRLINE_SOFTNESS = {"buzz": 6.0, "crop": 4.0, "swept": 3.6, "tied": 4.5}  # pixels
HAIRLINE_JITTER = {"crop": 1.3, "swept": 1.1, "bob": 0.8}  # of the edge's raggedness
BEHIND_STYLES = ("afro", *LONG_STYLES)  # seen behind ears or neck


def draw_hair_behind(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """Paints long hair behind the neck and a bun behind the crown."""
    if traits.hair_style in BEHIND_STYLES:
        ends = 0.45 if traits.hair_style == "afro" else traits.hair_length
        distance, normal = _mass(head, traits, ends)
        rough = _roughness(head, traits)
        color = _shaded(head, traits, light, normal, distance)
        darken(color, 0.45 * smooth((head.y - 0.1) * 1.6))
        paint(canvas, color, cover(distance + rough, 1.8))
    if traits.bun and traits.hat == "none":
        _bun(canvas, head, traits, light)


def draw_hair(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """Paints the hair in front: over the skull and, if long, down both sides of the face."""
    if traits.hair_style == "bald":
        return
    if not _falls_in_front(traits):
        rows = slice(0, int(traits.center[1] + 0.6 * traits.unit))
        canvas, head = canvas[:, rows], head.crop(rows)
    ends = traits.hair_length if _falls_in_front(traits) else _short_ends(traits)
    distance, normal = _mass(head, traits, ends)
    rough = _roughness(head, traits)
    opening = _opening(head, traits)
    jitter = rough * HAIRLINE_JITTER.get(traits.hair_style, 0.5)
    softness = HAIRLINE_SOFTNESS.get(traits.hair_style, 2.4)
    over = cover(distance + rough, 2.2) * cover(jitter - opening * traits.unit, softness)
    if not _falls_in_front(traits):
        over *= 1 - smooth((head.v - ends) * 9)
    shadow = smooth(1 + opening * (traits.unit / 6)) * cover(head.outline)
    shadow *= smooth(-4 * (head.y - 0.5))
    darken(canvas, 0.45 * shadow * (1 - over), (0.85, 1, 1))
    color = _shaded(head, traits, light, normal, distance)
    darken(color, 0.45 * smooth(1 + opening * (traits.unit / 6)) * smooth((head.y + 0.5) * 2))
    paint(canvas, color, over * (0.82 if traits.hair_style == "buzz" else 1.0))


def _falls_in_front(traits: Traits) -> bool:
    return traits.hair_style in LONG_STYLES and not traits.tucked


def _short_ends(traits: Traits) -> float:
    return 0.12 if traits.male else 0.02


def _mass(head: Head, traits: Traits, ends: float) -> tuple[Field, tuple[Field, Field, Field]]:
    """Gives the pixels to the edge of the hair as if there were no face, and its normals."""
    wide = traits.width + traits.hair_volume * (1.0 if traits.hair_style != "crop" else 0.45)
    high = 1.0 + CROWN + traits.hair_volume * 1.15
    x = head.x + 0.12 * math.sin(traits.yaw)
    up = np.minimum(head.y - CROWN, np.float32(0)) * (1 / high)
    down = np.maximum(head.y - CROWN, np.float32(0))
    if traits.hair_style in LONG_STYLES:
        swell = 1 + 0.2 * smooth(down * 0.8) * (0.6 + traits.hair_curl)
        lock = 0.035 * traits.hair_curl * wave(head.y * 1.6 + 0.2 * traits.part)
        flat = (x + lock) / (wide * swell)
    elif traits.hair_style == "afro":
        flat = x / (wide * (1 - 0.25 * smooth(down * 1.5)))
    else:
        flat = x / (wide * (1 - 0.1 * smooth(down * 2)))
    level = flat * flat + up * up * (0.8 + 0.2 * up * up)
    steep = np.sqrt(flat * flat * (4 / wide**2) + up * up * (4 / high**2) + np.float32(0.1))
    distance = (level - 1) / steep * traits.unit
    ragged = 0.05 * strands(_across(head, traits), head.y * 0.1)
    tip = (head.y - ends + 0.12 * flat * flat + ragged) * traits.unit
    distance = np.maximum(distance, tip)
    front = np.sqrt(np.maximum(1 - level, np.float32(0.04)))
    return distance, (flat, up, front)


def _opening(head: Head, traits: Traits) -> Field:
    """Gives about the half head heights to the hairline, positive on the hair's side.

    Negative values are the open face.
    """
    u, v = head.u, head.v
    line = traits.hairline + 0.12 * traits.receding
    if traits.bangs:
        line = 0.3
    wide = 0.66 if traits.hair_style in LONG_STYLES else 0.675
    center = traits.part * (0.9 if traits.hair_style in ("swept", *LONG_STYLES) else 0.0)
    off = np.abs(u - (0.5 * center) * smooth(-1.8 * v)) * (1 / wide)
    slant = 0.35 * traits.part * u if traits.hair_style == "swept" else 0.0
    up = np.minimum(v - 0.02 - slant, np.float32(0)) * (1 / (line + 0.02))
    below = np.maximum(v - 0.3, np.float32(0))
    off = off / (1 + 0.12 * below)
    if not _falls_in_front(traits):
        off = off / (1 + (0.3 if traits.tucked else 0.17) * smooth((v + 0.45) * 2))
    square = off * off
    if traits.bangs:
        level = square * square * square + up * up
    elif traits.hair_style in LONG_STYLES:
        level = 0.45 * off + 0.55 * square + up * up * (0.6 + 0.4 * np.abs(up))
    else:
        temple = bump(np.abs(u), v, 0.42, 0.05 - line, 0.12, 0.12)
        level = square * square + up * up
        level -= (0.55 * traits.receding + 0.15 * traits.male) * temple
    return (level - 1) * 0.3


def _roughness(head: Head, traits: Traits) -> Field:
    """Gives the raggedness of the hair's edge in pixels."""
    if traits.hair_curl > 0.75:
        return 1.6 * window_of(curl_tile(), traits.texture, head.x)
    if traits.hair_style == "buzz":
        return 0.5 * window_of(grain_tile(), traits.texture, head.x)
    fine = strands(_across(head, traits), head.y * 0.4)
    return (1.0 + 2.0 * traits.hair_curl) * fine


def _across(head: Head, traits: Traits) -> Field:
    """Gives a coordinate that grows from strand to strand, 1 for all strands."""
    x = head.x - traits.part
    wavy = traits.hair_curl * 0.05 * wave(head.y * 1.8 + head.x * 0.8)
    if traits.hair_style in LONG_STYLES and not traits.bangs:
        up = np.minimum(head.y + 0.2, np.float32(0))
        return (np.sqrt(x * x + up * up) + wavy) * 0.32
    y = head.y + 1.55
    return (x + wavy) / (np.maximum(y, np.float32(0.2)) + np.abs(x) * 0.6) * 0.42


def _shaded(
    head: Head,
    traits: Traits,
    light: Light,
    normal: tuple[Field, Field, Field],
    distance: Field,
) -> np.ndarray:
    """Gives the hair's color in the light, (3, rows, columns)."""
    if traits.hair_curl > 0.75 or traits.hair_style == "afro":
        texture = window_of(curl_tile(), traits.texture, head.x) * (
            0.42 - 0.3 * traits.hair_color[1]
        )
    elif traits.hair_style == "buzz":
        texture = window_of(grain_tile(), traits.texture, head.x) * 0.35
    else:
        across = _across(head, traits)
        texture = strands(across, head.y * 0.35 + across) * 0.26
        texture += 0.2 * strands(across * 0.37 + 0.3, head.y * 0.2)
    texture += 0.15 * window_of(cloud_tile(), traits.texture // 23, head.x)
    color = light.shade(normal, (0.2, 0.2, 0.2))
    tone = np.maximum(0.9 + texture, np.float32(0.3))
    for channel, value in zip(color, linear(traits.hair_color), strict=True):
        channel *= tone * value
    band = light.gloss((normal[0] * 0.45, normal[1], np.maximum(normal[2], 0.3)), 3)
    sheen = band * clamp(0.5 + texture) * (0.16 * (1 - 0.75 * traits.hair_curl))
    paint(color, (0.9, 0.85, 0.8), sheen)
    if traits.rim:
        away = -1 if traits.light_side > 0 else 1
        edge = clamp(1 + distance * (1 / 2.5)) * clamp(normal[0] * away - 0.2) * clamp(0.6 + texture)
        paint(color, (1.0, 0.95, 0.88), edge * (0.2 * traits.rim))
    return color


def _bun(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    x = head.x * (1 / 0.3)
    y = (head.y + 1.12) * (1 / 0.22)
    level = x * x + y * y
    normal = (x, y, np.sqrt(np.maximum(1 - level, np.float32(0.04))))
    edge = (level - 1) * (0.12 * traits.unit) + _roughness(head, traits) * 0.6
    paint(canvas, _shaded(head, traits, light, normal, edge), cover(edge, 1.5))
    darken(canvas, 0.4 * bump(x, y, 0, 0.9, 0.6, 0.2) * ridge(head.y + 1, 0.1))
