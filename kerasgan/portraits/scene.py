"""All behind and below the face: the room, the neck, clothes and ears."""

import math

import numpy as np

from kerasgan.portraits.face import SKIN_WRAP, skin_color
from kerasgan.portraits.fields import (
    SIZE,
    Field,
    bump,
    clamp,
    cloud_tile,
    cover,
    darken,
    linear,
    mix,
    paint,
    pixel_grid,
    ridge,
    smooth,
    window_of,
)
from kerasgan.portraits.head import Head, Light, normals
from kerasgan.portraits.traits import Color, Traits


def draw_room(traits: Traits) -> np.ndarray:
    """Paints what is behind the person.

    Returns:
        (3, SIZE, SIZE), linear light.
    """
    columns, rows = pixel_grid()
    first, second = (linear(color) for color in traits.backdrop_colors)
    canvas = np.empty((3, SIZE, SIZE), np.float32)
    for channel, value in zip(canvas, first, strict=True):
        channel.fill(value)
    ROOMS[traits.backdrop](canvas, columns, rows, second, traits)
    canvas *= 1 + 0.06 * window_of(cloud_tile(), traits.texture // 11, columns)
    return canvas


def _studio(canvas: np.ndarray, columns: Field, rows: Field, second: Color, traits: Traits) -> None:
    side = 40 if traits.light_side > 0 else 88
    paint(canvas, mix(second, (0, 0, 0), 0.3), smooth(rows * (1 / 140)) * 0.5)
    glow = bump(columns, rows, side, 60, 48, 52)
    paint(canvas, mix(second, (1.0, 1.0, 1.0), 0.25), glow * 0.6)


def _bokeh(canvas: np.ndarray, columns: Field, rows: Field, second: Color, traits: Traits) -> None:
    canvas *= 0.6
    dice = np.random.Generator(np.random.PCG64(traits.texture))
    spots = dice.random((12, 5)).tolist()
    for column, row, size, strength, warmth in spots:
        color = mix(second, (1.0, 0.85, 0.6), 0.7 * warmth)
        column, row, radius = column * 128, row * 110, 5 + 13 * size
        top, left = max(0, int(row - radius - 4)), max(0, int(column - radius - 4))
        box = (slice(top, int(row + radius + 5)), slice(left, int(column + radius + 5)))
        x, y = columns[box] - column, rows[box] - row
        disc = cover(np.sqrt(x * x + y * y) - radius, 4.0)
        paint(canvas[:, box[0], box[1]], color, disc * (0.15 + 0.4 * strength))


def _indoors(
    canvas: np.ndarray, columns: Field, rows: Field, second: Color, traits: Traits
) -> None:
    canvas *= 0.85
    dice = np.random.Generator(np.random.PCG64(traits.texture))
    for middle, half, tone in dice.random((4, 3)).tolist():
        band = cover(np.abs(columns - middle * 128) - (4 + 14 * half), 7.0)
        color = mix(second, (1.0, 0.97, 0.9) if tone > 0.5 else (0.03, 0.03, 0.03), 0.4)
        paint(canvas, color, band * (0.25 + 0.4 * tone))
    paint(canvas, (0.05, 0.045, 0.04), smooth((rows - 60) * (1 / 90)) * 0.4)


def _sky(canvas: np.ndarray, columns: Field, rows: Field, second: Color, traits: Traits) -> None:
    for channel, value in zip(canvas, (0.30, 0.48, 0.74), strict=True):
        channel.fill(value)
    clouds = clamp(0.35 + 0.7 * window_of(cloud_tile(), traits.texture, columns))
    paint(canvas, (0.9, 0.92, 0.95), clouds * (0.25 + rows * (0.5 / SIZE)))
    land = 60 + 40 * (traits.texture % 97) / 97
    hills = cover(land - rows + 7 * window_of(cloud_tile(), traits.texture // 5, columns), 9.0)
    paint(canvas, mix((0.09, 0.15, 0.06), second, 0.2), hills)


ROOMS = {"studio": _studio, "bokeh": _bokeh, "indoors": _indoors, "sky": _sky}


def draw_neck_and_clothes(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """Paints neck, shoulders and clothes below the head."""
    top = int(traits.center[1] + 0.3 * traits.unit)
    columns, rows = (grid[top:] for grid in pixel_grid())
    lean = math.sin(traits.roll) * 0.5
    sx = (columns - traits.center[0] + 3 * traits.yaw) * (1 / traits.unit)
    sy = (rows - traits.center[1]) * (1 / traits.unit)
    sx = sx + lean * clamp(sy - 0.3)
    part = canvas[:, top:]
    chest = _chest(sx, sy, traits)
    cloth = cover(_neckline(sx, sy, traits) * traits.unit, 1.6)
    normal = normals(_body_relief(sx, sy, traits) * np.float32(traits.unit))
    skin = light.shade(normal, SKIN_WRAP)
    for channel, value in zip(skin, skin_color(traits), strict=True):
        channel *= value
    outline = head.outline[top:]
    darken(skin, 0.62 * smooth(1 - outline * (1 / 15)) + 0.1, (0.92, 1, 1))
    muscles = ridge(np.abs(sx) - 0.3 + 0.32 * (sy - 0.75), 0.04) * smooth((sy - 0.9) * 4)
    darken(skin, 0.12 * muscles)
    if traits.necklace:
        _necklace(skin, sx, sy, traits)
    fabric = _fabric(columns, traits, light, normal)
    _folds(fabric, sx, sy, traits)
    paint(skin, fabric, cloth)
    paint(part, skin, chest)


def _chest(sx: Field, sy: Field, traits: Traits) -> Field:
    """Gives the coverage of neck and shoulders together."""
    side = np.abs(sx)
    neck = cover((side - traits.neck * (1 + 0.12 * clamp(sy - 0.85))) * traits.unit)
    start = 1.05 + 0.08 * traits.shoulders
    drop = 0.34 + 0.2 * traits.shoulders
    out = np.maximum(side - traits.neck + 0.06, 0)
    shoulder = start + drop * out * (1 / (0.45 + out)) + 0.1 * out - 0.1 * ridge(out, 0.1)
    return np.maximum(neck, cover((shoulder - sy) * traits.unit, 1.3))


def _neckline(sx: Field, sy: Field, traits: Traits) -> Field:
    """Gives the distance to the upper edge of the clothes, negative below it."""
    side = np.abs(sx)
    if traits.clothes == "crew":
        return 1.3 - 0.5 * sx * sx / (traits.neck + 0.12) - sy
    if traits.clothes == "vneck":
        return 1.62 - 0.85 * side - sy
    if traits.clothes == "suit":
        return 1.2 - 0.35 * sx * sx / (traits.neck + 0.12) - sy
    return np.where(side < 0.12, 1.55 - 2.2 * side, 1.38 - 0.6 * side) - sy


def _body_relief(sx: Field, sy: Field, traits: Traits) -> Field:
    flat = sx * (0.9 / traits.neck)
    neck = np.sqrt(np.maximum(1 - flat * flat, np.float32(0.04))) * 0.45
    down = smooth((sy - 0.95) * 4)
    body = 0.55 - 0.16 * sx * sx
    return neck + (body - neck) * down


def _fabric(
    columns: Field, traits: Traits, light: Light, normal: tuple[Field, Field, Field]
) -> np.ndarray:
    weave = 1 + 0.12 * window_of(cloud_tile(), traits.texture // 17, columns)
    fabric = light.shade(normal, (0.1, 0.1, 0.1))
    color = traits.clothes_color
    if traits.clothes == "suit":
        color = mix(color, (0.08, 0.08, 0.1), 0.75)
    for channel, value in zip(fabric, linear(color), strict=True):
        channel *= value * weave
    return fabric


def _folds(fabric: np.ndarray, sx: Field, sy: Field, traits: Traits) -> None:
    edge = _neckline(sx, sy, traits) * traits.unit
    darken(fabric, 0.35 * ridge(edge + 4.5, 0.6))
    if traits.clothes == "shirt":
        _collar(fabric, sx, sy, traits)
    elif traits.clothes == "suit":
        _shirt_front(fabric, sx, sy, traits)


def _collar(fabric: np.ndarray, sx: Field, sy: Field, traits: Traits) -> None:
    side = np.abs(sx)
    fold = (sy - 1.62 + 0.45 * side) * traits.unit
    within = cover((side - 0.5) * traits.unit)
    paint(
        fabric, mix(linear(traits.clothes_color), (1.0, 1.0, 1.0), 0.2), 0.3 * cover(fold) * within
    )
    darken(fabric, 0.4 * ridge(fold, 0.7) * within)


def _shirt_front(fabric: np.ndarray, sx: Field, sy: Field, traits: Traits) -> None:
    """A suit's white shirt between its lapels, with or without a necktie."""
    side = np.abs(sx)
    lapel = (side - 0.14 - 0.62 * (1.62 - sy)) * traits.unit
    shirt = cover(lapel)
    shade = 0.72 - 0.2 * clamp(1 - 0.1 * np.abs(lapel))
    paint(fabric, (0.95, 0.95, 0.97), shirt * shade)
    darken(fabric, 0.45 * ridge(lapel - 0.8, 0.8))
    wing = (sy - 1.24 - 0.14 + 0.5 * np.abs(side - 0.13)) * traits.unit
    darken(fabric, 0.3 * ridge(wing, 0.6) * shirt * (side < 0.3))
    if traits.necktie:
        knot = np.where(sy < 1.36, 0.1 - 0.35 * (sy - 1.22), 0.045 + 0.16 * (sy - 1.36))
        tie = cover((side - knot) * traits.unit) * cover((1.21 - sy) * traits.unit)
        paint(fabric, linear(traits.necktie_color), tie * 0.95)
        darken(fabric, 0.4 * tie * ridge((sy - 1.36) * traits.unit, 0.6))


def _necklace(skin: np.ndarray, sx: Field, sy: Field, traits: Traits) -> None:
    drop = sy - 1.26 + 0.55 * sx * sx / (traits.neck + 0.05)
    darken(skin, 0.4 * ridge(drop - 0.03, 0.015))
    paint(skin, (0.85, 0.72, 0.38), ridge(drop, 0.014) * 0.95)


def draw_ears(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """Paints both ears, and earrings, behind the face's outline."""
    for side in (-1, 1):
        shift = side * traits.width * 0.985 * math.cos(traits.yaw)
        facing = 1 - side * 1.4 * math.sin(traits.yaw)  # the ear turned away is narrow
        _ear(canvas, head, traits, light, (side, shift, 0.085 * max(0.35, min(1.35, facing))))


def _ear(
    canvas: np.ndarray, head: Head, traits: Traits, light: Light, where: tuple[int, float, float]
) -> None:
    side, shift, width = where
    reach = int(traits.unit * 0.45)
    column = int(traits.center[0] + traits.unit * shift)
    row = int(traits.center[1] + traits.unit * (0.12 + shift * math.sin(traits.roll)))
    box = (
        slice(max(0, row - reach), min(SIZE, row + reach)),
        slice(max(0, column - reach // 2), min(SIZE, column + reach // 2)),
    )
    part = canvas[:, box[0], box[1]]
    x = (head.x[box] - shift) * (side / width)
    y = (head.y[box] - 0.12) * (1 / traits.ears)
    x = x - 0.25 + 0.35 * y  # ears lean outward at the top
    level = x * x * (1 + 0.25 * y) + y * y
    relief = 0.07 * np.sqrt(np.maximum(1 - level, np.float32(0.02)))
    relief -= 0.055 * bump(x, y, -0.1, -0.12, 0.36, 0.4)
    relief += 0.02 * ridge(level - 0.62, 0.16)  # the helix
    skin = light.shade(normals(relief * np.float32(traits.unit)), SKIN_WRAP)
    red = skin_color(traits)
    for channel, value in zip(skin, (red[0], red[1] * 0.88, red[2] * 0.85), strict=True):
        channel *= value
    hollow = bump(x, y, -0.25, -0.05, 0.32, 0.36) + 0.5 * ridge(level - 0.42, 0.1) * (y < 0.3)
    darken(skin, clamp(0.5 * hollow + 0.12), (0.85, 1, 1))
    paint(part, skin, cover((level - 1) * (0.45 * width * traits.unit), 1.3))
    if traits.earrings:
        ring = bump(x, y, -0.05, 1.12, 0.22, 0.12)
        paint(part, (0.95, 0.82, 0.5), clamp(ring * 1.7))
