"""Draws the traits of portraits at random, with the frequencies and ties of life."""

from typing import Any

import numpy as np

from kerasgan.portraits.traits import LONG_STYLES, Color, Traits


def hsv(hue: float, saturation: float, value: float) -> Color:
    """Converts hue in turns, saturation and value in 0..1 to sRGB in 0..1."""
    channels = []
    for offset in (5.0, 3.0, 1.0):
        k = (offset + hue * 6.0) % 6.0
        channels.append(value - value * saturation * max(0.0, min(k, 4.0 - k, 1.0)))
    return channels[0], channels[1], channels[2]


class Dice:
    """Throws for traits: a thin layer over a NumPy generator that gives Python numbers."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def uniform(self, low: float, high: float) -> float:
        """Draws evenly from low..high."""
        return low + (high - low) * float(self._generator.random())

    def normal(self, mean: float, deviation: float) -> float:
        """Draws from a normal distribution, cut at two and a half deviations."""
        return mean + deviation * max(-2.5, min(2.5, float(self._generator.standard_normal())))

    def chance(self, probability: float) -> bool:
        """Says yes with the given probability."""
        return float(self._generator.random()) < probability

    def pick(self, weights: dict[str, float]) -> str:
        """Draws a key with a probability proportional to its weight."""
        names = list(weights)
        left = float(self._generator.random()) * sum(weights.values())
        for name in names:
            left -= weights[name]
            if left < 0:
                return name
        return names[0]

    def vary(self, color: Color, by: float) -> Color:
        """Shifts an sRGB color's brightness, and a little of each channel, by about `by`."""
        light = self.normal(0, by)
        red, green, blue = (min(1.0, max(0.0, c + light + self.normal(0, by / 4))) for c in color)
        return red, green, blue


def sample_traits(index: int, seed: int = 0) -> Traits:
    """Draws the traits of one portrait; a pure function of (seed, index).

    Args:
        index: which portrait, 0 or more.
        seed: which collection, 0 or more.
    """
    dice = Dice(np.random.Generator(np.random.PCG64([seed, index])))
    male = dice.chance(0.5)
    young = dice.chance(0.7)
    age = dice.uniform(18, 36) if young else 46 + 36 * dice.uniform(0, 1) ** 1.4
    melanin = _melanin(dice)
    return Traits(
        male=male,
        age=age,
        melanin=melanin,
        **_skin(dice, melanin),
        **_pose(dice),
        **_head(dice, male, age),
        **_eyes(dice, male, age, melanin),
        **_nose(dice, male, melanin),
        **_mouth(dice, melanin),
        **_makeup(dice, male, age),
        **_hair(dice, male, age, melanin),
        **_worn(dice, male, age),
        **_light(dice, melanin),
        **_room(dice),
    )


def _melanin(dice: Dice) -> float:
    group = dice.pick({"fair": 0.36, "medium": 0.38, "dark": 0.26})
    low, high = {"fair": (0.0, 0.3), "medium": (0.22, 0.62), "dark": (0.55, 1.0)}[group]
    return dice.uniform(low, high)


def _skin(dice: Dice, melanin: float) -> dict[str, Any]:
    freckled = melanin < 0.3 and dice.chance(0.2)
    rosy = melanin < 0.55 and dice.chance(0.16)
    return {
        "undertone": dice.normal(0, 0.45),
        "freckles": dice.uniform(0.3, 0.8) if freckled else 0.0,
        "mottle": dice.uniform(0.3, 1.0),
        "blush": dice.uniform(0.62, 0.92) if rosy else dice.uniform(0.05, 0.3),
    }


def _pose(dice: Dice) -> dict[str, Any]:
    yaw = dice.normal(0, 0.17)
    return {
        "center": (63.5 + dice.normal(0, 1.3) - 4 * yaw, 57.5 + dice.normal(0, 1.3)),
        "unit": dice.normal(43.5, 1.3),
        "yaw": yaw,
        "pitch": dice.normal(0.0, 0.06),
        "roll": dice.normal(0, 0.065),
        "gaze": (dice.normal(0.35 * (1 if yaw < 0 else -1) * abs(yaw), 0.22), dice.normal(0, 0.12)),
    }


def _head(dice: Dice, male: bool, age: float) -> dict[str, Any]:
    fat = min(1.0, max(0.0, dice.normal(0.33, 0.2) + 0.1 * (age > 45)))
    return {
        "width": dice.normal(0.70 if male else 0.685, 0.022) + 0.05 * fat,
        "chin": dice.normal(1.0 if male else 0.965, 0.025),
        "jaw": min(1.0, max(0.0, dice.normal(0.36 if male else 0.6, 0.18) - 0.15 * fat)),
        "taper": min(0.4, max(0.02, dice.normal(0.2 if male else 0.25, 0.05) - 0.13 * fat)),
        "fat": fat,
        "ears": dice.normal(0.215, 0.018) + 0.0006 * (age - 30),
        "shoulders": dice.uniform(0.0, 0.8) + (0.0 if male else 0.2),
        "neck": dice.normal(0.47 if male else 0.37, 0.03) + 0.07 * fat,
    }


def _eyes(dice: Dice, male: bool, age: float, melanin: float) -> dict[str, Any]:
    single = 0.15 < melanin < 0.6 and dice.chance(0.3)
    dark = {"brown": 0.6, "umber": 0.4}
    pale = {"brown": 0.3, "umber": 0.08, "hazel": 0.17, "green": 0.12, "blue": 0.24, "gray": 0.09}
    irises = {
        "brown": (0.36, 0.21, 0.11),
        "umber": (0.19, 0.11, 0.07),
        "hazel": (0.45, 0.34, 0.17),
        "green": (0.38, 0.45, 0.28),
        "blue": (0.33, 0.50, 0.66),
        "gray": (0.47, 0.52, 0.55),
    }
    tired = dice.chance(0.1 + 0.45 * (age > 45))
    return {
        "eye_gap": dice.normal(0.305, 0.012),
        "eye_size": dice.normal(0.137 if male else 0.145, 0.007),
        "eye_open": dice.normal(0.34 if single else 0.42, 0.04) + (0.0 if male else 0.03),
        "eye_slant": dice.normal(0.09 if single else 0.035, 0.045),
        "lid": dice.uniform(0.0, 0.2) if single else dice.uniform(0.45, 1.0),
        "iris": dice.vary(irises[dice.pick(pale if melanin < 0.32 else dark)], 0.03),
        "iris_size": dice.normal(0.46, 0.015),
        "lashes": dice.uniform(0.2, 0.5) if male else dice.uniform(0.5, 1.0),
        "bags": dice.uniform(0.65, 1.0) if tired else dice.uniform(0.0, 0.35),
        **_brows(dice, male),
    }


def _brows(dice: Dice, male: bool) -> dict[str, Any]:
    arched = dice.chance(0.15 if male else 0.42)
    bushy = dice.chance(0.26 if male else 0.06)
    thin = 0.028 if male else 0.021
    return {
        "brow_height": dice.normal(0.178 if male else 0.2, 0.014),
        "brow_arch": dice.uniform(0.055, 0.085) if arched else dice.uniform(0.005, 0.035),
        "brow_thickness": dice.uniform(0.04, 0.05) if bushy else thin * dice.uniform(0.85, 1.25),
        "brow_density": dice.uniform(0.75, 0.98),
        "brow_frown": dice.normal(-0.015, 0.055),
    }


def _nose(dice: Dice, male: bool, melanin: float) -> dict[str, Any]:
    return {
        "nose_width": dice.normal(0.155 + 0.035 * melanin + 0.012 * male, 0.016),
        "nose_length": dice.normal(0.405, 0.022),
        "nose_bridge": min(1.0, max(0.1, dice.normal(0.75 - 0.35 * melanin, 0.15))),
        "nose_tip": dice.normal(0.082 + 0.01 * male, 0.009),
    }


def _mouth(dice: Dice, melanin: float) -> dict[str, Any]:
    smiling = dice.chance(0.48)
    smile = dice.uniform(0.5, 1.0) if smiling else dice.normal(0.07, 0.09)
    is_open = dice.chance(0.68 if smiling else 0.25)
    most = 0.85 if smiling else 0.5
    full = dice.normal(0.085 + 0.035 * melanin, 0.016)
    return {
        "mouth_height": dice.normal(0.625, 0.018),
        "mouth_width": dice.normal(0.235, 0.016),
        "lip_upper": full * dice.uniform(0.75, 0.95),
        "lip_lower": full * dice.uniform(1.05, 1.3),
        "smile": smile,
        "mouth_open": dice.uniform(0.25, most) if is_open else 0.0,
    }


def _makeup(dice: Dice, male: bool, age: float) -> dict[str, Any]:
    made_up = not male and dice.chance(0.55 if age < 40 else 0.4)
    lipstick = made_up and dice.chance(0.9) or not male and dice.chance(0.3)
    reds = {"red": 1.0, "rose": 1.0, "plum": 0.6, "coral": 0.6, "nude": 0.4}
    lips = {
        "red": (0.70, 0.10, 0.14),
        "rose": (0.78, 0.28, 0.38),
        "plum": (0.48, 0.12, 0.26),
        "coral": (0.85, 0.36, 0.28),
        "nude": (0.68, 0.33, 0.30),
    }
    shades = {"umber": 1.0, "smoke": 1.0, "violet": 0.4, "blue": 0.3, "bronze": 0.6}
    lids = {
        "umber": (0.35, 0.20, 0.16),
        "smoke": (0.20, 0.18, 0.19),
        "violet": (0.40, 0.22, 0.42),
        "blue": (0.22, 0.34, 0.50),
        "bronze": (0.52, 0.33, 0.18),
    }
    return {
        "lines": max(0.0, (age - 32) / 46) * dice.uniform(0.8, 1.15),
        "lipstick": dice.uniform(0.7, 0.95) if lipstick else 0.0,
        "lipstick_color": dice.vary(lips[dice.pick(reds)], 0.04),
        "makeup": dice.uniform(0.5, 0.9) if made_up else 0.0,
        "makeup_color": dice.vary(lids[dice.pick(shades)], 0.03),
    }


HAIR_COLORS: dict[str, Color] = {
    "black": (0.085, 0.070, 0.065),
    "brown": (0.300, 0.180, 0.105),
    "blond": (0.800, 0.630, 0.390),
    "gray": (0.680, 0.675, 0.665),
    "red": (0.560, 0.235, 0.100),
}


def _hair_color(dice: Dice, male: bool, age: float, melanin: float) -> tuple[str, Color]:
    if age > 45 and dice.chance(min(0.92, (age - 40) / 32) * (1.0 if male else 0.75)):
        return "gray", dice.vary(HAIR_COLORS["gray"], 0.05)
    if melanin > 0.6:
        weights = {"black": 0.9, "brown": 0.08, "blond": 0.0 if male else 0.02}
    elif melanin > 0.28:
        weights = {"black": 0.62, "brown": 0.33, "blond": 0.015 if male else 0.05}
    else:
        weights = {"black": 0.15, "brown": 0.42, "blond": 0.24 if male else 0.38, "red": 0.07}
    name = dice.pick(weights)
    return name, dice.vary(HAIR_COLORS[name], 0.02 if name == "black" else 0.045)


def _style(dice: Dice, male: bool, age: float, curl: float) -> str:
    if male:
        bald = 0.04 if age < 40 else 0.2
        weights = {"bald": bald, "buzz": 0.16, "crop": 0.36, "swept": 0.3, "long": 0.05}
        weights["afro"] = 0.14 if curl > 0.6 else 0.0
    else:
        weights = {"long": 0.5, "bob": 0.22, "tied": 0.16, "crop": 0.06, "buzz": 0.01}
        weights["afro"] = 0.3 if curl > 0.6 else 0.0
        if age > 55:
            weights |= {"long": 0.2, "bob": 0.35, "crop": 0.25}
    return dice.pick(weights)


def _curl(dice: Dice, melanin: float) -> float:
    if melanin > 0.62 and dice.chance(0.75):
        return dice.uniform(0.8, 1.0)
    return dice.uniform(0.28, 0.7) if dice.chance(0.36) else dice.uniform(0.0, 0.1)


def _hair(dice: Dice, male: bool, age: float, melanin: float) -> dict[str, Any]:
    name, color = _hair_color(dice, male, age, melanin)
    curl = _curl(dice, melanin)
    style = _style(dice, male, age, curl)
    fringed = style in ("long", "bob") or style == "crop"
    bangs = fringed and curl < 0.75 and dice.chance(0.1 if male else 0.3)
    recedes = male and style in ("buzz", "crop", "swept") and dice.chance(0.06 + 0.4 * (age > 40))
    recedes = recedes and not bangs
    thickness = {"bald": 0.0, "buzz": 0.025, "tied": 0.05, "afro": 0.3}.get(style, 0.12)
    falls = style in LONG_STYLES
    tucked = falls and dice.chance(0.35)
    return {
        "hair_color_name": name,
        "hair_color": color,
        "hair_style": style,
        "hair_curl": curl,
        "hair_volume": thickness * dice.uniform(0.75, 1.25) + 0.05 * curl * falls,
        "hair_length": dice.uniform(0.7, 1.05) if style == "bob" else dice.uniform(1.2, 2.2),
        "hairline": dice.normal(0.63, 0.03),
        "receding": dice.uniform(0.6, 1.0) if recedes else dice.uniform(0.0, 0.2),
        "part": dice.uniform(0.1, 0.34) * (1 if dice.chance(0.5) else -1) * dice.chance(0.75),
        "bangs": bangs,
        "tucked": tucked,
        "earrings": (tucked or not falls) and dice.chance(0.03 if male else 0.6),
        "bun": style == "tied" and dice.chance(0.45),
        **_beard(dice, male, age),
    }


def _beard(dice: Dice, male: bool, age: float) -> dict[str, Any]:
    weights = {"none": 0.56, "stubble": 0.15, "full": 0.15, "goatee": 0.07, "mustache": 0.07}
    kind = dice.pick(weights) if male else "none"
    density = dice.uniform(0.75, 0.97)
    whiskers = kind == "mustache" or kind == "full" or kind == "goatee" and dice.chance(0.75)
    return {
        "beard": density if kind == "full" else 0.0,
        "beard_length": max(0.0, dice.normal(0.05, 0.06)) if kind == "full" else 0.0,
        "goatee": density if kind == "goatee" else 0.0,
        "mustache": density if whiskers else 0.0,
        "stubble": dice.uniform(0.35, 0.6) if kind == "stubble" else 0.0,
    }


def _worn(dice: Dice, male: bool, age: float) -> dict[str, Any]:
    glassy = dice.chance((0.13 if age < 40 else 0.3) * (1.2 if male else 0.8))
    kinds = {"round": 0.3, "square": 0.35, "half": 0.2, "dark": 0.15}
    hatted = dice.chance(0.07 if male else 0.045)
    hats = {"beanie": 0.4, "cap": 0.35 if male else 0.15, "brim": 0.25}
    suit = dice.chance(0.2) if male else dice.chance(0.05)
    plain = {"crew": 0.45, "vneck": 0.3, "shirt": 0.25}
    frames = hsv(dice.uniform(0, 1), dice.uniform(0.1, 0.7), dice.uniform(0.05, 0.45))
    return {
        "glasses": dice.pick(kinds) if glassy else "none",
        "glasses_color": frames if dice.chance(0.6) else (0.05, 0.05, 0.055),
        "hat": dice.pick(hats) if hatted else "none",
        "hat_color": hsv(dice.uniform(0, 1), dice.uniform(0, 0.7), dice.uniform(0.12, 0.8)),
        "necklace": not male and dice.chance(0.25) and not suit,
        "clothes": "suit" if suit else dice.pick(plain),
        "clothes_color": hsv(
            dice.uniform(0, 1), 0.75 * dice.uniform(0, 1) ** 1.6, dice.uniform(0.08, 0.9)
        ),
        "necktie": male and suit and dice.chance(0.75),
        "necktie_color": hsv(dice.uniform(0, 1), dice.uniform(0.3, 0.9), dice.uniform(0.15, 0.6)),
    }


def _light(dice: Dice, melanin: float) -> dict[str, Any]:
    side = 1 if dice.chance(0.5) else -1
    return {
        "light_side": side * dice.uniform(0.15, 0.9),
        "light_height": dice.uniform(0.2, 0.75),
        "light_hardness": dice.uniform(0.0, 1.0),
        "light_warmth": dice.normal(0.1, 0.4),
        "exposure": dice.normal(0.87, 0.06) + 0.2 * melanin,
        "rim": dice.uniform(0.3, 1.0) if dice.chance(0.35) else 0.0,
    }


def _room(dice: Dice) -> dict[str, Any]:
    shade = dice.uniform(0, 1)
    first = hsv(shade, 0.45 * dice.uniform(0, 1) ** 1.5, dice.uniform(0.12, 0.85))
    near = shade + dice.normal(0, 0.12) + 1  # the two colors of a room are often akin
    second = hsv(near, 0.45 * dice.uniform(0, 1) ** 1.5, dice.uniform(0.12, 0.85))
    rooms = {"studio": 0.38, "bokeh": 0.27, "indoors": 0.22, "sky": 0.13}
    return {
        "backdrop": dice.pick(rooms),
        "backdrop_colors": (first, second),
        "texture": int(dice.uniform(0, 1 << 30)),
    }
