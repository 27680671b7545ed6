"""Where the head is: the picture's pixels in the head's own frame, and its light."""

import math
from dataclasses import dataclass

import numpy as np

from kerasgan.portraits.fields import Field, clamp, pixel_grid, slopes
from kerasgan.portraits.traits import Traits

DEPTH = 0.74  # of the skull before its axis, in half head heights


@dataclass(frozen=True)
class Head:
    """The pixels in the head's frame; all fields have one shape (rows, columns).

    The frame's origin is between the eyes, its unit half a head's height, x to the right of the
    picture, y down. `x`, `y` lie in the picture's plane; `u`, `v` lie on the face, as if it
    looked straight ahead, so features are placed in `u`, `v` and turn with the head.
    """

    x: Field
    y: Field
    u: Field
    v: Field
    z: Field  # height of the face towards the viewer; 0 at and beyond the outline
    outline: Field  # pixels to the outline, negative inside
    unit: float  # pixels

    def crop(self, rows: slice, columns: slice = slice(None)) -> "Head":
        """Cuts a window out of every field."""
        x, y, u, v, z, outline = (
            field[rows, columns] for field in (self.x, self.y, self.u, self.v, self.z, self.outline)
        )
        return Head(x, y, u, v, z, outline, self.unit)


def place_head(traits: Traits) -> Head:
    """Computes the head's frame for the whole picture."""
    columns, rows = pixel_grid()
    x, y = _turn(columns - traits.center[0], rows - traits.center[1], traits)
    z, outline = _skull(x, y, traits)
    u = (x - z * math.sin(traits.yaw)) / np.float32(math.cos(traits.yaw))
    v = y - (z - 0.35) * math.sin(traits.pitch)
    return Head(x, y, u, v, z, outline, traits.unit)


def face_window(traits: Traits) -> tuple[slice, slice]:
    """Gives the rows and columns that hold the head without its hair, with a margin."""
    lean = abs(math.sin(traits.roll))
    across = traits.unit * (traits.width * 1.04 + lean) + 6
    up = traits.unit * (1 + 0.3 * lean) + 3
    down = traits.unit * (max(traits.chin, 1.0) + 0.2 + 0.3 * lean) + 3
    column, row = traits.center
    rows = slice(max(0, int(row - up)), min(128, int(row + down)))
    return rows, slice(max(0, int(column - across)), min(128, int(column + across)))


def rows_between(top: float, bottom: float, head: Head, traits: Traits) -> slice:
    """Gives the rows of a window on the face that can hold heights `top` to `bottom`."""
    middle = head.y[:, head.y.shape[1] // 2]  # grows down the rows
    slack = abs(math.sin(traits.roll)) * traits.width + abs(math.sin(traits.pitch)) * 0.4
    first = int((middle < top - slack).sum())
    return slice(first, max(first + 3, int((middle < bottom + slack).sum())))


def _turn(right: Field, down: Field, traits: Traits) -> tuple[Field, Field]:
    cosine = math.cos(traits.roll) / traits.unit
    sine = math.sin(traits.roll) / traits.unit
    return right * cosine + down * sine, down * cosine - right * sine


def _skull(x: Field, y: Field, traits: Traits) -> tuple[Field, Field]:
    """Gives the height towards the viewer and the pixels to the outline, beard included."""
    chin = traits.chin + traits.beard_length
    below = np.maximum(y, np.float32(0))
    reach = below * (1 / chin) + np.minimum(y, np.float32(0))
    square = reach * reach
    roundness = np.where(y > 0, np.float32(0.3 + 0.7 * traits.jaw), np.float32(0.75))
    cheeks = 0.06 * traits.fat
    lowness = below * below * (1 / chin**2)
    width = traits.width * (1 - traits.taper * lowness + cheeks * lowness * (1 - lowness) * 4)
    flat = x / width
    across = flat * flat
    level = across + square * (roundness + (1 - roundness) * square)
    steep_x = 2 * flat / width
    steep_y = 2 * reach * (roundness + 2 * (1 - roundness) * square)
    steepness = np.sqrt(steep_x * steep_x + steep_y * steep_y + np.float32(0.05))
    z = DEPTH * np.sqrt(np.maximum(1 - level, np.float32(0)))
    return z, (level - 1) / steepness * traits.unit


@dataclass(frozen=True)
class Light:
    """A key light from one side, sky-like fill, and the viewer in front."""

    key: tuple[float, float, float]  # linear RGB
    fill: tuple[float, float, float]  # linear RGB
    towards: tuple[float, float, float]  # unit vector: right, down, to the viewer
    halfway: tuple[float, float, float]  # unit vector between light and viewer

    def shade(
        self, normal: tuple[Field, Field, Field], wrap: tuple[float, float, float]
    ) -> np.ndarray:
        """Gives the light that falls on a surface.

        Args:
            normal: unit vectors: right, down, to the viewer.
            wrap: how far light creeps round, for red, green and blue, 0..1; skin lets red
                creep furthest.

        Returns:
            (3, rows, columns), linear.
        """
        facing = normal[0] * self.towards[0] + normal[1] * self.towards[1]
        facing += normal[2] * self.towards[2]
        sky = 0.72 - 0.28 * normal[1]
        light = np.empty((3, *facing.shape), np.float32)
        for channel, key, fill, creep in zip(light, self.key, self.fill, wrap, strict=True):
            lit = np.maximum((facing + creep) * (1 / (1 + creep)), np.float32(0))
            np.multiply(lit, key, out=channel)
            channel += sky * fill
        return light

    def gloss(self, normal: tuple[Field, Field, Field], doublings: int) -> Field:
        """Gives the mirror light, with an exponent of two to the power `doublings`."""
        shine = normal[0] * self.halfway[0] + normal[1] * self.halfway[1]
        shine += normal[2] * self.halfway[2]
        shine = clamp(shine)
        for _ in range(doublings):
            shine *= shine
        return shine


def set_light(traits: Traits) -> Light:
    """Sets up the light of a portrait."""
    towards = _unit_vector(
        math.sin(traits.light_side) * math.cos(traits.light_height),
        -math.sin(traits.light_height),
        math.cos(traits.light_side) * math.cos(traits.light_height),
    )
    warm = traits.light_warmth
    strength = (0.77 + 0.38 * traits.light_hardness) * traits.exposure
    weak = (0.48 - 0.27 * traits.light_hardness) * traits.exposure
    return Light(
        key=(strength * (1 + 0.10 * warm), strength, strength * (1 - 0.16 * warm)),
        fill=(weak * (1 - 0.05 * warm), weak, weak * (1 + 0.10 * warm)),
        towards=towards,
        halfway=_unit_vector(towards[0], towards[1], towards[2] + 1),
    )


def _unit_vector(right: float, down: float, front: float) -> tuple[float, float, float]:
    length = math.sqrt(right * right + down * down + front * front)
    return right / length, down / length, front / length


def normals(height: Field) -> tuple[Field, Field, Field]:
    """Gives the unit normals (right, down, to the viewer) of a height in pixels."""
    across, down = slopes(height)
    front = 1 / np.sqrt(across * across + down * down + np.float32(1))
    return -across * front, -down * front, front
