"""Hair: the mass on and behind the head, with strands, curls and gloss."""

import math
from dataclasses import dataclass

import numpy as np

from kerasgan.portraits.fields import (
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
from kerasgan.portraits.head import Head, Light
from kerasgan.portraits.traits import LONG_STYLES, Traits

CROWN = -0.1  # where the skull is widest
HAIRLINE_SOFTNESS = {"buzz": 6.0, "crop": 4.0, "swept": 3.6, "tied": 4.5}  # pixels
HAIRLINE_JITTER = {"crop": 1.3, "swept": 1.1, "bob": 0.8}  # of the edge's raggedness
BEHIND_STYLES = ("afro", *LONG_STYLES)  # seen behind ears or neck


@dataclass(frozen=True)
class Mass:
    """The hair's mass as if there were no face in front of it."""

    distance: Field  # pixels to its ragged edge, negative inside
    normal: tuple[Field, Field, Field]  # right, down, to the viewer
    across: Field  # grows from strand to strand, 1 for all strands
    rough: Field  # pixels, raggedness of any edge


def draw_hair_behind(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """Paints long hair behind the neck, an afro behind the ears, and a bun behind the crown."""
    if traits.hair_style in BEHIND_STYLES:
        mass = _mass(head, traits, 0.45 if traits.hair_style == "afro" else traits.hair_length)
        color = _shaded(head, traits, light, mass)
        darken(color, 0.45 * smooth((head.y - 0.1) * 1.6))
        paint(canvas, color, cover(mass.distance, 2.4))
    if traits.bun and traits.hat == "none":
        rows = slice(0, int(traits.center[1]))
        _bun(canvas[:, rows], head.crop(rows), traits, light)


def draw_hair(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """Paints the hair in front: over the skull and, if long, down both sides of the face."""
    if traits.hair_style == "bald":
        return
    falls = _falls_in_front(traits)
    if not falls:
        rows = slice(0, int(traits.center[1] + 0.6 * traits.unit))
        canvas, head = canvas[:, rows], head.crop(rows)
    ends = traits.hair_length if falls else _short_ends(traits)
    mass = _mass(head, traits, ends)
    hairline = _hairline(head, traits) * traits.unit
    jitter = mass.rough * HAIRLINE_JITTER.get(traits.hair_style, 0.5)
    softness = HAIRLINE_SOFTNESS.get(traits.hair_style, 2.4)
    over = cover(mass.distance, 2.2) * cover(jitter - hairline, softness)
    if not falls:
        over *= 1 - smooth((head.v - ends) * 9)
    near = smooth(1 + hairline * (1 / 6))
    shadow = near * cover(head.outline) * smooth(-4 * (head.y - 0.5))
    darken(canvas, 0.45 * shadow * (1 - over), (0.85, 1, 1))
    color = _shaded(head, traits, light, mass)
    darken(color, 0.45 * near * smooth((head.y + 0.5) * 2))
    paint(canvas, color, over * (0.82 if traits.hair_style == "buzz" else 1.0))


def _falls_in_front(traits: Traits) -> bool:
    return traits.hair_style in LONG_STYLES and not traits.tucked


def _short_ends(traits: Traits) -> float:
    return 0.12 if traits.male else 0.02


def _mass(head: Head, traits: Traits, ends: float) -> Mass:
    """Shapes the hair down to `ends`, a height on the face."""
    flat, up, steep = _dome(head, traits)
    level = flat * flat + up * up * (0.8 + 0.2 * up * up)
    across = _across(head, traits)
    rough = _roughness(head, traits, across)
    ragged = 0.05 * strands(across, head.y * 0.1)
    tip = (head.y - ends + 0.12 * flat * flat + ragged) * traits.unit
    distance = np.maximum((level - 1) / steep * traits.unit, tip) + rough
    front = np.sqrt(np.maximum(1 - level, np.float32(0.04)))
    return Mass(distance, (flat, up, front), across, rough)


def _dome(head: Head, traits: Traits) -> tuple[Field, Field, Field]:
    """Gives -1..1 across and up the hair, and how steeply their squares grow."""
    volume = traits.hair_volume * (1.0 if traits.hat == "none" else 0.35)  # a hat presses
    sides = max(volume, 0.08) if traits.hair_style in LONG_STYLES else volume
    wide = traits.width + sides * (1.0 if traits.hair_style != "crop" else 0.45)
    high = 1.0 + CROWN + volume * 1.15
    x = head.x + 0.12 * math.sin(traits.yaw)
    up = np.minimum(head.y - CROWN, np.float32(0)) * (1 / high)
    down = np.maximum(head.y - CROWN, np.float32(0))
    if traits.hair_style in LONG_STYLES:
        x = x + 0.035 * traits.hair_curl * wave(head.y * 1.6 + 0.2 * traits.part)
        swell = 1 + 0.2 * smooth(down * 0.8) * (0.6 + traits.hair_curl)
    elif traits.hair_style == "afro":
        swell = 1 - 0.25 * smooth(down * 1.5)
    else:  # clings to the skull above the ears
        cling = (wide - 0.99 * traits.width) / wide
        swell = 1 - cling * smooth((head.y + 0.55) * 2) - 0.06 * smooth(down * 2)
    flat = x / (wide * swell)
    steep = np.sqrt(flat * flat * (4 / wide**2) + up * up * (4 / high**2) + np.float32(0.1))
    return flat, up, steep


def _hairline(head: Head, traits: Traits) -> Field:
    """Gives about the half head heights to the hairline: positive in hair, negative in face."""
    u, v = head.u, head.v
    long = traits.hair_style in LONG_STYLES
    high = (0.3 if traits.bangs else traits.hairline + 0.12 * traits.receding) + 0.02
    slant = 0.35 * traits.part * u if traits.hair_style == "swept" else 0.0
    up = np.minimum(v - 0.02 - slant, np.float32(0)) * (1 / high)
    peak = 0.45 * traits.part if long or traits.hair_style == "swept" else 0.0
    off = np.abs(u - peak * smooth(-1.8 * v)) * (1 / 0.67)
    off = off / (1 + 0.12 * np.maximum(v - 0.3, np.float32(0)))
    if not _falls_in_front(traits):  # narrows to nothing in front of the ear
        off = off / (1 + (0.3 if traits.tucked else 0.17) * smooth((v + 0.45) * 2))
    square = off * off
    if traits.bangs:
        level = square * square * square + up * up
    elif long:
        level = 0.45 * off + 0.55 * square + up * up * (0.6 + 0.4 * np.abs(up))
    else:
        temple = bump(np.abs(u), v, 0.42, 0.07 - high, 0.12, 0.12) * cover(head.outline)
        level = square * square + up * up
        level -= (0.55 * traits.receding + 0.1 * traits.male) * temple
    return (level - 1) * 0.3


def _roughness(head: Head, traits: Traits, across: Field) -> Field:
    """Gives the raggedness of the hair's edges in pixels."""
    if traits.hair_curl > 0.75:
        return 1.6 * window_of(curl_tile(), traits.texture, head.x)
    if traits.hair_style == "buzz":
        return 0.5 * window_of(grain_tile(), traits.texture, head.x)
    return (1.0 + 2.0 * traits.hair_curl) * strands(across * 0.6, head.y * 0.4)


def _across(head: Head, traits: Traits) -> Field:
    """Gives a coordinate that grows from strand to strand, 1 for all strands."""
    x = head.x - traits.part
    wavy = traits.hair_curl * 0.05 * wave(head.y * 1.8 + head.x * 0.8)
    if traits.hair_style in LONG_STYLES and not traits.bangs:
        up = np.minimum(head.y + 0.2, np.float32(0))
        return (np.sqrt(x * x + up * up) + wavy) * 0.32
    y = head.y + 1.55
    return (x + wavy) / (np.maximum(y, np.float32(0.2)) + np.abs(x) * 0.6) * 0.42


def _shaded(head: Head, traits: Traits, light: Light, mass: Mass) -> np.ndarray:
    """Gives the hair's color in the light, (3, rows, columns)."""
    texture = _texture(head, traits, mass.across)
    color = light.shade(mass.normal, (0.2, 0.2, 0.2))
    tone = np.maximum(0.9 + texture, np.float32(0.3))
    for channel, value in zip(color, linear(traits.hair_color), strict=True):
        channel *= tone * value
    right, down, front = mass.normal
    band = light.gloss((right * 0.45, down, np.maximum(front, np.float32(0.3))), 3)
    sheen = band * clamp(0.5 + texture) * (0.16 * (1 - 0.75 * traits.hair_curl))
    paint(color, (0.9, 0.85, 0.8), sheen)
    if traits.rim:
        away = -1 if traits.light_side > 0 else 1
        edge = clamp(1 + mass.distance * (1 / 2.5)) * clamp(right * away - 0.2)
        paint(color, (1.0, 0.95, 0.88), edge * clamp(0.6 + texture) * (0.2 * traits.rim))
    return color


def _texture(head: Head, traits: Traits, across: Field) -> Field:
    """Gives the light and dark of curls, stubble or strands, about -0.6..0.6."""
    if traits.hair_curl > 0.75 or traits.hair_style == "afro":
        strength = 0.42 - 0.3 * traits.hair_color[1]  # light hair hides its shadows
        texture = window_of(curl_tile(), traits.texture, head.x) * strength
    elif traits.hair_style == "buzz":
        texture = window_of(grain_tile(), traits.texture, head.x) * 0.35
    else:
        texture = strands(across, head.y * 0.35 + across) * 0.26
        texture += 0.2 * strands(across * 0.37 + 0.3, head.y * 0.2)
    return texture + 0.15 * window_of(cloud_tile(), traits.texture // 23, head.x)


def _bun(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    x = head.x * (1 / 0.3)
    y = (head.y + 1.12) * (1 / 0.22)
    level = x * x + y * y
    normal = (x, y, np.sqrt(np.maximum(1 - level, np.float32(0.04))))
    across = _across(head, traits)
    rough = _roughness(head, traits, across) * 0.6
    mass = Mass((level - 1) * (0.12 * traits.unit) + rough, normal, across, rough)
    paint(canvas, _shaded(head, traits, light, mass), cover(mass.distance, 1.5))
    darken(canvas, 0.4 * bump(x, y, 0, 0.9, 0.6, 0.2) * ridge(head.y + 1, 0.1))
