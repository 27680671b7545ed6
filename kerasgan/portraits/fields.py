"""Fields over the picture: arrays of shape (rows, columns) that shapes and light are made of.

Only sums, products, quotients, square roots and table look-ups of float32 are used, which every
machine rounds alike, so that a portrait is the same wherever it is drawn.
"""

import functools

import numpy as np

from kerasgan.portraits.traits import Color

SIZE = 128  # pixels, a portrait's side

Field = np.ndarray  # float32, (rows, columns)


def clamp(field: Field) -> Field:
    """Cuts a field to 0..1."""
    return np.minimum(np.maximum(field, np.float32(0)), np.float32(1))


def smooth(field: Field) -> Field:
    """Eases a field from 0 (at 0 and below) to 1 (at 1 and above)."""
    t = clamp(field)
    return t * t * (3 - 2 * t)


def cover(distance: Field, softness: float = 1.0) -> Field:
    """Gives the fraction of each pixel inside a shape, antialiased.

    Args:
        distance: pixels to the shape's edge, negative inside.
        softness: width of the edge in pixels.
    """
    return clamp(0.5 - distance * (1 / softness))


def bump(x: Field, y: Field, cx: float, cy: float, rx: float, ry: float) -> Field:
    """Gives a round hill of height 1, near to a Gaussian with deviations `rx` and `ry`."""
    dx = (x - cx) * (0.25 / rx)
    dy = (y - cy) * (0.25 / ry)
    return _hill(dx * dx + dy * dy)


def ridge(distance: Field, radius: Field | float) -> Field:
    """Gives a hill of height 1 along the line where `distance` is zero."""
    scaled = distance * (0.25 / radius)
    return _hill(scaled * scaled)


def _hill(square: Field) -> Field:
    hill = np.maximum(1 - square, np.float32(0))
    hill *= hill  # (1 - r^2 / 16)^8 is near to exp(-r^2 / 2)
    hill *= hill
    hill *= hill
    return hill


def slopes(height: Field) -> tuple[Field, Field]:
    """Gives the central differences of a field along columns and rows; 0 at the border."""
    across = np.zeros_like(height)
    down = np.zeros_like(height)
    across[:, 1:-1] = (height[:, 2:] - height[:, :-2]) * np.float32(0.5)
    down[1:-1] = (height[2:] - height[:-2]) * np.float32(0.5)
    return across, down


def linear(color: Color) -> Color:
    """Converts sRGB in 0..1 to linear light, with a gamma of 2."""
    return color[0] * color[0], color[1] * color[1], color[2] * color[2]


def mix(first: Color, second: Color, weight: float) -> Color:
    """Blends two colors; `weight` is the second's."""
    red, green, blue = (a + (b - a) * weight for a, b in zip(first, second, strict=True))
    return red, green, blue


def paint(layer: np.ndarray, color: Color | np.ndarray, alpha: Field | float) -> None:
    """Lays a color over a layer in place.

    Args:
        layer: (3, rows, columns), linear light.
        color: three numbers or (3, rows, columns).
        alpha: (rows, columns) or one number, in 0..1.
    """
    for channel, value in zip(layer, color, strict=True):
        change = value - channel
        change *= alpha
        channel += change


def darken(layer: np.ndarray, alpha: Field, tint: Color = (1.0, 1.0, 1.0)) -> None:
    """Takes light from a layer in place: the fraction `alpha` of it, times `tint` by channel."""
    for channel, strength in zip(layer, tint, strict=True):
        channel *= 1 - alpha * strength


@functools.cache
def pixel_grid() -> tuple[Field, Field]:
    """Gives the column and row numbers of all pixels, each (SIZE, SIZE)."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    return _shared(columns), _shared(rows)


@functools.cache
def cloud_tile() -> Field:
    """Gives noise of many sizes, about -1..1, that repeats after 512 pixels; (512, 512)."""
    octaves = [_value_noise(512, cells, 11 + cells) / cells**0.7 for cells in (8, 16, 32, 64, 128)]
    return _normalized(np.sum(octaves, axis=0))


@functools.cache
def grain_tile() -> Field:
    """Gives noise of one or two pixels, about -1..1; (512, 512)."""
    return _normalized(_value_noise(512, 256, 5) + 0.7 * _value_noise(512, 512, 6))


@functools.cache
def curl_tile() -> Field:
    """Gives rings of three to six pixels, about -1..1, as of curls; (512, 512)."""
    noise = _value_noise(512, 96, 7) + 0.5 * _value_noise(512, 160, 8)
    return _normalized(1 - np.abs(noise) * 3 + 0.7 * _value_noise(512, 192, 9))


@functools.cache
def strand_tile() -> Field:
    """Gives noise fine across strands (axis 1) and slow along them (axis 0); (64, 1024)."""
    layers = [
        _stretch(_stretch(_knots(4, cells, cells), 64, 0), 1024, 1) / cells**0.25
        for cells in (32, 64, 128, 256)
    ]
    return _normalized(np.sum(layers, axis=0))


@functools.cache
def wave_table() -> Field:
    """Gives one turn of the sine in 256 steps; (256,)."""
    return _shared(np.sin(np.arange(256) * (2 * np.pi / 256)).astype(np.float32))


def wave(turns: Field) -> Field:
    """Gives the sine of an angle in turns, from a table."""
    return np.take(wave_table(), (turns * 256).astype(np.int32) & 255)


def strands(across: Field, along: Field) -> Field:
    """Looks up strand noise, about -1..1.

    Args:
        across: grows from strand to strand; the noise repeats after 1, with 256 strands.
        along: grows along a strand; the noise repeats after 1, with 4 shades.
    """
    column = (across * 1024).astype(np.int32) & 1023
    row = (along * 64).astype(np.int32) & 63
    return np.take(strand_tile().reshape(-1), row * 1024 + column)


def window_of(tile: Field, texture: int, like: Field) -> Field:
    """Cuts a window out of a noise tile at a place that `texture` chooses."""
    rows, columns = like.shape
    top = texture % (tile.shape[0] - rows)
    left = (texture // 509) % (tile.shape[1] - columns)
    return tile[top : top + rows, left : left + columns]


def _normalized(noise: np.ndarray) -> Field:
    noise = noise - noise.mean()
    return _shared(np.clip(noise / (2 * noise.std()), -1.5, 1.5).astype(np.float32))


def _shared(field: Field) -> Field:
    """Forbids writing, since all portraits read the same tables."""
    field.setflags(write=False)
    return field


def _value_noise(size: int, cells: int, seed: int) -> np.ndarray:
    return _stretch(_stretch(_knots(cells, cells, seed), size, 0), size, 1)


def _knots(rows: int, columns: int, seed: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).uniform(-1, 1, (rows, columns))


def _stretch(noise: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Enlarges noise along an axis by cubic ease, wrapping round."""
    cells = noise.shape[axis]
    place = np.arange(size) * (cells / size)
    first = place.astype(int)
    t = place - first
    t = np.expand_dims(t * t * (3 - 2 * t), 1 - axis)
    low = np.take(noise, first % cells, axis)
    high = np.take(noise, (first + 1) % cells, axis)
    return low + (high - low) * t
