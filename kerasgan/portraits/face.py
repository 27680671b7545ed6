"""The face: skin, nose, mouth, brows, lines of age and beard, shaped in relief and then lit."""

import math
from dataclasses import dataclass

import numpy as np

from kerasgan.portraits.eyes import draw_eyes
from kerasgan.portraits.fields import (
    Field,
    bump,
    clamp,
    cloud_tile,
    cover,
    darken,
    grain_tile,
    linear,
    mix,
    paint,
    ridge,
    smooth,
    strands,
    window_of,
)
from kerasgan.portraits.head import Head, Light, normals, rows_between
from kerasgan.portraits.traits import SHORT_STYLES, Color, Traits

SKIN_TONES: tuple[Color, ...] = (  # sRGB, at melanin 0, 1/7, .. 1
    (0.960, 0.845, 0.785),
    (0.935, 0.775, 0.680),
    (0.900, 0.715, 0.590),
    (0.820, 0.620, 0.480),
    (0.715, 0.510, 0.370),
    (0.580, 0.390, 0.270),
    (0.430, 0.275, 0.190),
    (0.300, 0.190, 0.140),
)
SKIN_WRAP = (0.42, 0.24, 0.18)  # red light creeps furthest through skin


@dataclass
class Surface:
    """The skin before light falls on it; features change it in place."""

    albedo: np.ndarray  # (3, rows, columns), linear
    relief: Field  # towards the viewer, in half head heights
    gloss: Field  # strength of the mirror light

    def crop(self, rows: slice) -> "Surface":
        """Gives a view of some rows; features change the whole through it."""
        return Surface(self.albedo[:, rows], self.relief[rows], self.gloss[rows])


def skin_color(traits: Traits) -> Color:
    """Gives the skin's color in linear light."""
    place = min(traits.melanin, 0.9999) * (len(SKIN_TONES) - 1)
    first = int(place)
    tone = mix(SKIN_TONES[first], SKIN_TONES[first + 1], place - first)
    red = 1 + 0.03 * traits.undertone
    return linear((min(1.0, tone[0] * red), tone[1], tone[2] * (1 + 0.05 * traits.undertone)))


def draw_face(canvas: np.ndarray, head: Head, traits: Traits, light: Light) -> None:
    """Paints the face, with no hair but brows and beard.

    Args:
        canvas: (3, rows, columns), linear light, the window that `head` covers.
        head: the head's frame in that window.
        traits: whom to draw.
        light: the light that falls on the face.
    """
    surface = _bare_skin(head, traits)
    for feature, top, bottom in FEATURES:
        rows = rows_between(top, bottom, head, traits)
        feature(surface.crop(rows), head.crop(rows), traits)
    _warm_edges(surface, head)
    paint(canvas, _lit(surface, head, traits, light), cover(head.outline, 1.4))


def _bare_skin(head: Head, traits: Traits) -> Surface:
    albedo = np.empty((3, *head.x.shape), np.float32)
    mottle = window_of(cloud_tile(), traits.texture, head.x) * (0.05 * traits.mottle)
    grain = window_of(grain_tile(), traits.texture, head.x) * (0.015 + 0.02 * traits.mottle)
    uneven = 1 + mottle + grain
    for channel, value in zip(albedo, skin_color(traits), strict=True):
        np.multiply(uneven, value, out=channel)
    if traits.freckles:
        _freckles(albedo, head, traits)
    return Surface(albedo, head.z.copy(), np.full(head.x.shape, 0.16, np.float32))


def _freckles(albedo: np.ndarray, head: Head, traits: Traits) -> None:
    dots = clamp(window_of(grain_tile(), traits.texture // 7, head.x) * 1.6 - 0.55)
    where = bump(head.u, head.v, 0, 0.24, 0.3, 0.16)
    darken(albedo, dots * where * (0.5 * traits.freckles), (0.4, 0.8, 1.0))


def _bones(surface: Surface, head: Head, traits: Traits) -> None:
    u, v = head.u, head.v
    strong = 1.0 if traits.male else 0.6
    side = np.abs(u)
    surface.relief -= 0.085 * bump(side, v, traits.eye_gap - 0.03, -0.02, 0.14, 0.09)
    surface.relief += 0.035 * strong * bump(side, v, 0.26, -0.2, 0.17, 0.05)
    surface.relief -= 0.05 * (1 - traits.fat) * bump(side, v, 0.46, 0.52, 0.1, 0.17)
    surface.relief += 0.05 * bump(u, v, 0, traits.chin - 0.13, 0.13, 0.07)
    surface.relief += 0.05 * traits.fat * bump(side, v, 0.42, 0.62, 0.2, 0.2)
    hollow = bump(side, v, traits.eye_gap - 0.07, -0.05, 0.13, 0.075)
    darken(surface.albedo, 0.38 * hollow, (0.75, 1.0, 1.0))


def _cheeks(surface: Surface, head: Head, traits: Traits) -> None:
    u, v = head.u, head.v
    side = np.abs(u)
    lift = max(0.0, traits.smile)
    surface.relief += (0.03 + 0.045 * lift) * bump(side, v, 0.4, 0.27 - 0.04 * lift, 0.15, 0.1)
    flush = bump(side, v, 0.43, 0.3, 0.15, 0.13)
    nose = bump(u, v, 0, traits.nose_length - 0.06, 0.1, 0.08)
    amount = 0.55 * traits.blush * flush + 0.14 * nose
    darken(surface.albedo, amount * (1 - 0.5 * traits.melanin), (0.1, 0.8, 0.65))


def _nose(surface: Surface, head: Head, traits: Traits) -> None:
    along = clamp((head.v + 0.12) * (1 / (traits.nose_length + 0.12)))
    u = head.u - along * (0.2 * math.tan(traits.yaw))  # what stands out turns further
    v = head.v + (0.12 * math.sin(traits.pitch)) * along
    surface.relief += _nose_relief(u, v, along, traits)
    surface.gloss += 0.2 * bump(u, v, 0, traits.nose_length - 0.09, 0.04, 0.05)
    _nose_shadows(surface.albedo, u, v, traits)
    philtrum = ridge(u, 0.02) * bump(u, v, 0, traits.nose_length + 0.1, 0.1, 0.04)
    surface.relief -= 0.012 * philtrum


def _nose_relief(u: Field, v: Field, along: Field, traits: Traits) -> Field:
    """Gives bridge, tip and wings, in half head heights."""
    length, wing, tip = traits.nose_length, traits.nose_width, traits.nose_tip
    side = np.abs(u)
    bridge = smooth((v + 0.25) * 2.6) * (0.035 + 0.06 * along) * (0.5 + 0.5 * traits.nose_bridge)
    shape = bridge * ridge(u, 0.062 + 0.03 * along + 0.02 * (1 - traits.nose_bridge))
    shape += 0.085 * bump(u, v, 0, length - 0.075, tip, tip)
    shape += 0.05 * bump(side, v, wing - 0.05, length - 0.045, 0.05, 0.05)
    base = length - 0.045 - 0.55 * np.maximum(side - 0.03, np.float32(0))
    return shape * (1 - smooth((v - base) * 10))


def _nose_shadows(albedo: np.ndarray, u: Field, v: Field, traits: Traits) -> None:
    length, wing = traits.nose_length, traits.nose_width
    side = np.abs(u)
    holes = bump(side, v, 0.4 * wing + 0.003, length + 0.012, 0.026, 0.014)
    under = bump(u, v, 0, length + 0.025, wing * 0.5, 0.022)
    crease = ridge(side - wing - 0.004, 0.012) * bump(side, v, wing, length - 0.03, 0.05, 0.035)
    darken(albedo, clamp(0.85 * holes + 0.28 * under + 0.32 * crease), (0.85, 1, 1))
    away = -1 if traits.light_side > 0 else 1
    cast = bump(u * away, v, wing + 0.03, length - 0.04, 0.06, 0.1)
    hardness = abs(math.sin(traits.light_side)) * (0.4 + 0.6 * traits.light_hardness)
    darken(albedo, 0.42 * hardness * cast, (0.8, 1, 1))


def _mouth(surface: Surface, head: Head, traits: Traits) -> None:
    smile, opened = traits.smile, traits.mouth_open
    wide = _mouth_width(traits) * (1 - 0.06 * opened)
    middle = traits.mouth_height - 0.012 * smile
    u = head.u - 0.05 * math.tan(traits.yaw)
    m = u * (1 / wide)
    arch = clamp(1 - m * m)
    line = middle - (0.012 + 0.1 * smile) * m * m
    gap = opened * (0.075 + 0.05 * max(smile, 0)) * arch
    upper = line - gap * 0.3
    lower = line + gap * 0.7
    bow = 1 - 0.3 * bump(m, head.v, 0, middle, 0.12, 1.0)
    top = upper - traits.lip_upper * (1 - 0.25 * max(smile, 0)) * arch * bow
    round_off = np.sqrt(arch) * (0.4 + 0.6 * arch)
    bottom = lower + traits.lip_lower * (1 - 0.15 * max(smile, 0)) * round_off
    _lips(surface, head, traits, (top, upper, lower, bottom), m)
    if opened:
        _open_mouth(surface, head, traits, upper, lower, m)
    corner = bump(np.abs(m), head.v, 1.02, middle - 0.085 * smile, 0.06, 0.022)
    darken(surface.albedo, 0.5 * corner, (0.85, 1, 1))
    shadow = bump(u, head.v, 0, middle + traits.lip_lower + 0.055, wide * 0.45, 0.025)
    darken(surface.albedo, 0.24 * shadow)
    surface.relief -= 0.03 * shadow


def _mouth_width(traits: Traits) -> float:
    """Gives half the mouth's width; a smile widens it."""
    return traits.mouth_width * (1 + 0.3 * max(traits.smile, 0.0))


def _lips(
    surface: Surface,
    head: Head,
    traits: Traits,
    edges: tuple[Field, Field, Field, Field],
    m: Field,
) -> None:
    top, upper, lower, bottom = edges
    v, unit = head.v, head.unit
    inside = np.minimum(cover((top - v) * unit, 1.8), cover((v - bottom) * unit, 1.8))
    inside *= np.abs(m) < 1
    natural = mix(skin_color(traits), (0.46, 0.09, 0.09), 0.52 - 0.22 * traits.melanin)
    natural = mix(natural, (0.0, 0.0, 0.0), 0.18)
    color = mix(natural, linear(traits.lipstick_color), traits.lipstick)
    alpha = 0.7 if traits.male else 0.85
    paint(surface.albedo, color, inside * (alpha + (1 - alpha) * traits.lipstick))
    surface.gloss += inside * (0.1 + 0.35 * traits.lipstick)
    fullness = bump(m, v - 0.5 * (lower + bottom), 0, 0, 0.4, 0.04) * 0.05
    fullness += bump(m, v - 0.5 * (top + upper), 0, 0, 0.45, 0.03) * 0.025
    surface.relief += fullness + 0.04 * bump(m, v, 0, traits.mouth_height, 0.7, 0.13)
    seam = ridge(v - 0.5 * (upper + lower), 0.016) * smooth((1.12 - np.abs(m)) * 4)
    darken(surface.albedo, 0.75 * seam, (0.8, 1, 1))


def _open_mouth(
    surface: Surface, head: Head, traits: Traits, upper: Field, lower: Field, m: Field
) -> None:
    v, unit = head.v, head.unit
    inside = np.minimum(cover((upper - v) * unit), cover((v - lower) * unit))
    inside *= np.abs(m) < 1
    paint(surface.albedo, (0.06, 0.012, 0.012), inside)
    biting = 0.045 + 0.06 * max(0.0, traits.smile)  # how far the upper teeth show
    teeth = inside * cover((v - upper - biting) * unit, 1.5) * smooth((0.92 - np.abs(m)) * 3)
    shade = (0.4 + 0.6 * max(0.0, traits.smile)) * (1 - 0.45 * m * m)
    paint(surface.albedo, (1.0, 0.96, 0.88), teeth * shade)
    tongue = inside * bump(m, v - lower, 0, 0, 0.4, 0.025)
    paint(surface.albedo, (0.3, 0.08, 0.08), 0.6 * tongue)


def _lines(surface: Surface, head: Head, traits: Traits) -> None:
    u, v, age = head.u, head.v, traits.lines
    side = np.abs(u)
    lift = max(0.0, traits.smile)
    t = clamp((v - traits.nose_length + 0.05) * (1 / 0.36))
    fold = side - (traits.nose_width + 0.02 + (0.1 + 0.06 * lift) * t * (1.5 - 0.5 * t))
    strength = (0.012 + 0.024 * age + 0.022 * lift) * t * (1 - t) * 4
    surface.relief -= strength * ridge(fold, 0.028)
    darken(surface.albedo, strength * 6 * ridge(fold, 0.02), (0.8, 1, 1))
    if traits.bags:
        _bags(surface, head, traits)
    if age > 0:
        _wrinkles(surface, head, age)


def _bags(surface: Surface, head: Head, traits: Traits) -> None:
    side = np.abs(head.u) - traits.eye_gap
    bow = head.v - 0.135 + 1.1 * side * side
    where = bump(side, head.v, 0, 0.12, 0.085, 0.08)
    surface.relief += traits.bags * 0.02 * where
    darken(surface.albedo, traits.bags * 0.5 * ridge(bow, 0.018) * where, (0.8, 1.0, 0.9))
    darken(surface.albedo, traits.bags * 0.22 * where, (0.9, 1.0, 0.7))


def _wrinkles(surface: Surface, head: Head, age: float) -> None:
    u, v = head.u, head.v
    side = np.abs(u)
    brow = np.zeros_like(u)
    for row, strength in ((-0.34, 0.8), (-0.42, 1.0), (-0.505, 0.7)):
        brow += strength * ridge(v - row + 0.09 * u * u - 0.02 * u, 0.013)
    brow *= bump(u, v, 0.02, -0.42, 0.22, 0.11)
    feet = np.zeros_like(u)
    for slope in (-0.5, -0.05, 0.4):
        feet += ridge(v - 0.01 - slope * (side - 0.45), 0.011)
    feet *= bump(side, v, 0.52, 0.0, 0.045, 0.07)
    frown = ridge(side - 0.05, 0.012) * bump(u, v, 0, -0.2, 0.1, 0.05)
    sag = ridge(side - 0.27 - 0.1 * (v - 0.7), 0.018) * bump(side, v, 0.28, 0.78, 0.1, 0.07)
    all_lines = clamp(brow + 0.8 * feet + 0.5 * frown + 0.35 * sag) * min(1.0, age)
    surface.relief -= 0.014 * all_lines
    darken(surface.albedo, 0.42 * all_lines, (0.8, 1, 1))


def _brows(surface: Surface, head: Head, traits: Traits) -> None:
    sign = np.where(head.u < 0, np.float32(-1), np.float32(1))
    side = head.u * sign
    t = (side - 0.1) * (1 / 0.42)  # 0 at the inner end, 1 at the outer
    past = t - 0.62
    rise = traits.brow_arch * (1 - past * past * np.where(past > 0, np.float32(7), np.float32(2.2)))
    rise += math.tan(traits.brow_frown) * (0.3 - side)
    middle = -traits.brow_height - rise + 0.02
    thick = traits.brow_thickness * clamp(1.25 - 0.75 * t) * smooth((t + 0.1) * 5)
    distance = np.abs(head.v - middle) - thick
    rough = strands(head.u * 0.16 + head.v * 0.1, head.v * 0.5) * 0.012
    alpha = cover((distance + rough) * head.unit, 1.7) * smooth((1.06 - t) * 4) * (t > -0.12)
    color = linear(mix(traits.hair_color, (0.09, 0.06, 0.05), 0.5))
    paint(surface.albedo, color, alpha * traits.brow_density)
    surface.gloss *= 1 - 0.9 * alpha


def _beard(surface: Surface, head: Head, traits: Traits) -> None:
    if not (traits.beard or traits.goatee or traits.mustache or traits.stubble):
        return
    jaw, lip, chin = _whisker_regions(head, traits)
    grain = window_of(grain_tile(), traits.texture // 3, head.u)
    color = linear(mix(traits.hair_color, (0.1, 0.07, 0.06), 0.3))
    whiskers = np.maximum(jaw * traits.beard, lip * traits.mustache)
    whiskers = np.maximum(whiskers, chin * traits.goatee)
    stubble = np.maximum(jaw, np.maximum(lip, chin)) * traits.stubble
    paint(surface.albedo, color, clamp(whiskers * (1 + 0.1 * grain)))
    paint(surface.albedo, color, clamp(stubble * (0.8 + 0.3 * grain)))
    surface.relief += (0.035 + 0.012 * grain) * smooth(whiskers)
    surface.gloss *= 1 - 0.8 * whiskers


def _whisker_regions(head: Head, traits: Traits) -> tuple[Field, Field, Field]:
    """Gives 0..1 where hair can grow on the jaw, on the upper lip, and around the chin."""
    u, v = head.u, head.v
    side = np.abs(u)
    wide = _mouth_width(traits)
    middle = traits.mouth_height - 0.04 * traits.smile
    mouth = bump(u, v, 0, traits.mouth_height + 0.02, wide * 0.75, 0.075 + 0.03 * traits.mouth_open)
    free = 1 - smooth(mouth * 2.2)
    cheek = 0.66 - 0.95 * clamp(side - 0.24) - 1.2 * clamp(side - 0.48)
    jaw = smooth((v - cheek) * 6) * free
    lip = bump(side, v - 0.16 * side, 0.09, 0.5 * (traits.nose_length + middle) + 0.01, 0.1, 0.05)
    lip = smooth(lip * 1.7) * (0.2 + 0.8 * free)
    chin = smooth(bump(u, v, 0, traits.chin - 0.1, 0.15, 0.13) * 1.9)
    beside = smooth(1.6 * bump(side, v, wide * 0.85 + 0.03, middle + 0.12, 0.035, 0.085))
    return jaw, lip, np.maximum(chin, beside) * free


def _eyes(surface: Surface, head: Head, traits: Traits) -> None:
    eyeballs = draw_eyes(surface.albedo, surface.relief, head, traits)
    surface.gloss *= 1 - eyeballs


FEATURES = (  # in the order of painting, with the heights on the face that they keep to
    (_bones, -0.6, 1.3),
    (_cheeks, -0.3, 0.8),
    (_nose, -0.5, 0.75),
    (_lines, -0.65, 1.1),
    (_mouth, 0.2, 1.1),
    (_brows, -0.45, 0.1),
    (_beard, -0.2, 1.3),
    (_eyes, -0.5, 0.4),
)


def _warm_edges(surface: Surface, head: Head) -> None:
    """Lets the far rim of the face fall into a warm shade, as it turns away."""
    darken(surface.albedo, clamp(1 + head.outline * (1 / 7)) * 0.22, (0.7, 1.0, 1.0))


def _lit(surface: Surface, head: Head, traits: Traits, light: Light) -> np.ndarray:
    normal = normals(surface.relief * np.float32(head.unit))
    picture = light.shade(normal, SKIN_WRAP)
    picture *= surface.albedo
    picture += light.gloss(normal, 4) * surface.gloss * (0.5 + 0.5 * traits.melanin)
    if traits.rim and traits.hair_style in SHORT_STYLES:
        away = -1 if traits.light_side > 0 else 1
        edge = clamp(1 + head.outline * (1 / 5)) * clamp(normal[0] * away)
        paint(picture, (1.0, 0.96, 0.9), edge * edge * (0.4 * traits.rim))
    return picture
