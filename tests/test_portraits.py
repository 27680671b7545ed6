"""The built-in faces: the same for everyone, true to their attributes, and no two alike."""

import dataclasses
import functools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from kerasgan.portraits import (
    ATTRIBUTES,
    draw_portrait,
    draw_traits,
    eye_positions,
    name_attributes,
    sample_traits,
)
from kerasgan.portraits.traits import Traits

COUNT = 2000


@functools.cache
def sampled() -> list[Traits]:
    return [sample_traits(index) for index in range(COUNT)]


@functools.cache
def named() -> list[dict[str, bool]]:
    return [name_attributes(traits) for traits in sampled()]


def share(name: str, among: str | None = None) -> float:
    chosen = [row[name] for row in named() if among is None or row[among]]
    return sum(chosen) / len(chosen)


def plain_traits(index: int = 3, **changes: object) -> Traits:
    """Gives one person facing the viewer, bare-headed, with the changes asked for."""
    plain = {
        "yaw": 0.0,
        "pitch": 0.0,
        "roll": 0.0,
        "center": (63.5, 57.5),
        "unit": 43.5,
        "glasses": "none",
        "hat": "none",
        "hair_style": "crop",
        "hair_curl": 0.0,
        "bangs": False,
        "receding": 0.0,
        "melanin": 0.3,
        "beard": 0.0,
        "goatee": 0.0,
        "mustache": 0.0,
        "stubble": 0.0,
        "lipstick": 0.0,
        "makeup": 0.0,
        "smile": 0.0,
        "mouth_open": 0.0,
    }
    return dataclasses.replace(sample_traits(index), **(plain | changes))


def patch(picture: np.ndarray, column: float, row: float, across: int, down: int) -> np.ndarray:
    rows = slice(int(row) - down, int(row) + down + 1)
    return picture[rows, int(column) - across : int(column) + across + 1].astype(float)


def difference(first: Traits, second: Traits, *where: float) -> float:
    """Gives the mean change of a patch (column, row, half width, half height) in 0..255."""
    column, row, across, down = where
    patches = [
        patch(draw_traits(traits), column, row, int(across), int(down))
        for traits in (first, second)
    ]
    return float(np.abs(patches[0] - patches[1]).mean())


def test_a_portrait_is_a_uint8_rgb_picture_with_all_attributes():
    picture, attributes = draw_portrait(0)
    assert picture.shape == (128, 128, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    assert tuple(attributes) == ATTRIBUTES
    assert all(type(value) is bool for value in attributes.values())


def test_a_portrait_depends_on_seed_and_index_alone():
    forward = [draw_portrait(index, seed=5)[0] for index in range(4)]
    backward = [draw_portrait(index, seed=5)[0] for index in reversed(range(4))][::-1]
    np.testing.assert_array_equal(forward, backward)
    assert (draw_portrait(1, seed=6)[0] != forward[1]).any()


def test_another_process_draws_the_same():
    script = (
        "import sys; from kerasgan.portraits import draw_portrait;"
        "sys.stdout.buffer.write(draw_portrait(7, 3)[0].tobytes())"
    )
    drawn = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout
    assert drawn == draw_portrait(7, 3)[0].tobytes()


def test_threads_draw_the_same():
    with ThreadPoolExecutor(4) as pool:
        together = [picture for picture, _ in pool.map(draw_portrait, range(8))]
    np.testing.assert_array_equal(together, [draw_portrait(index)[0] for index in range(8)])


def test_no_two_portraits_are_equal():
    pictures = {draw_portrait(index)[0].tobytes() for index in range(40)}
    assert len(pictures) == 40


def test_portraits_have_contrast_and_are_not_clipped():
    for index in range(20):
        picture = draw_portrait(index)[0].astype(float)
        assert 20 < picture.std() < 110
        assert (picture == 255).mean() < 0.1
        assert (picture == 0).mean() < 0.1


def test_attributes_never_contradict_each_other():
    for row in named():
        colors = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")
        assert sum(row[color] for color in colors) <= 1
        assert not (row["Straight_Hair"] and row["Wavy_Hair"])
        beards = ("5_o_Clock_Shadow", "Goatee", "Mustache", "Sideburns")
        if row["No_Beard"] or not row["Male"]:
            assert not any(row[beard] for beard in beards)
        if row["Bald"]:
            hair = (*colors, "Bangs", "Receding_Hairline", "Straight_Hair", "Wavy_Hair")
            assert not any(row[name] for name in (*hair, "Wearing_Hat"))
        if row["Wearing_Hat"]:
            assert not row["Bangs"] and not row["Receding_Hairline"]
        assert not (row["Bangs"] and row["Receding_Hairline"])
        assert not (row["Male"] and (row["Wearing_Lipstick"] or row["Heavy_Makeup"]))


def test_hair_color_is_not_claimed_where_a_hat_hides_it():
    hidden = [
        row
        for traits, row in zip(sampled(), named(), strict=True)
        if traits.hat != "none" and traits.hair_style not in ("long", "bob")
    ]
    assert hidden
    for row in hidden:
        assert not (row["Black_Hair"] or row["Blond_Hair"] or row["Brown_Hair"])
        assert not row["Gray_Hair"]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("Male", 0.45, 0.55),
        ("Young", 0.65, 0.75),
        ("Smiling", 0.43, 0.53),
        ("Mouth_Slightly_Open", 0.38, 0.52),
        ("Eyeglasses", 0.1, 0.25),
        ("Wearing_Hat", 0.03, 0.09),
        ("Black_Hair", 0.3, 0.5),
        ("Brown_Hair", 0.17, 0.32),
        ("Blond_Hair", 0.07, 0.18),
        ("Gray_Hair", 0.08, 0.2),
        ("Bald", 0.02, 0.08),
        ("Bangs", 0.07, 0.2),
        ("No_Beard", 0.7, 0.87),
        ("Pale_Skin", 0.03, 0.12),
        ("Wearing_Lipstick", 0.22, 0.42),
        ("Wavy_Hair", 0.12, 0.35),
        ("Straight_Hair", 0.25, 0.5),
    ],
)
def test_attributes_are_as_frequent_as_in_life(name, low, high):
    assert low < share(name) < high


def test_every_attribute_is_on_sometimes_but_not_always():
    for name in ATTRIBUTES:
        assert 0.01 < share(name) < 0.95, name


def test_attributes_go_together_as_in_life():
    assert share("Gray_Hair", among="Young") < 0.02
    assert share("Male", among="Bald") > 0.9
    assert share("Young", among="Bald") < share("Young")
    assert share("Male", among="Blond_Hair") < share("Male")
    assert share("Wearing_Lipstick", among="Heavy_Makeup") > 0.8
    dark = [row for traits, row in zip(sampled(), named(), strict=True) if traits.melanin > 0.65]
    assert sum(row["Blond_Hair"] for row in dark) / len(dark) < 0.05


def test_eyeglasses_change_the_picture_around_the_eyes():
    bare = plain_traits()
    for glasses in ("round", "square", "half", "dark"):
        worn = plain_traits(glasses=glasses, glasses_color=(0.05, 0.05, 0.05))
        for column, row in eye_positions(bare):
            assert difference(bare, worn, column, row, 10, 8) > 6
        assert difference(bare, worn, 63, 105, 10, 6) < 1  # the chin stays


def test_hair_is_as_bright_as_its_color_says():
    colors = {"black": (0.085, 0.07, 0.065), "brown": (0.3, 0.18, 0.1), "blond": (0.8, 0.63, 0.39)}
    black, brown, blond = (
        patch(draw_traits(plain_traits(hair_color=color)), 63, 18, 12, 4).mean()
        for color in colors.values()
    )
    assert black + 15 < brown
    assert brown + 40 < blond


def test_hair_covers_the_crown_and_a_bald_head_shows_skin():
    haired = plain_traits(hair_color=(0.085, 0.07, 0.065))
    bald = plain_traits(hair_style="bald")
    assert difference(haired, bald, 63, 20, 12, 4) > 50


def test_bangs_cover_the_forehead():
    changes = {"hair_style": "bob", "hair_color": (0.085, 0.07, 0.065)}
    open_face = plain_traits(**changes)
    fringed = plain_traits(bangs=True, **changes)
    assert difference(open_face, fringed, 63, 40, 10, 3) > 30


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        ({"beard": 0.9}, 97),
        ({"goatee": 0.9}, 97),
        ({"mustache": 0.9}, 80),
        ({"stubble": 0.5}, 97),
        ({"mouth_open": 0.6}, 85),
        ({"smile": 0.9}, 85),
        ({"lipstick": 0.9, "lipstick_color": (0.7, 0.1, 0.14)}, 85),
    ],
)
def test_what_is_around_the_mouth_is_visible(changes, row):
    plain = plain_traits(hair_color=(0.085, 0.07, 0.065), male=True)
    assert difference(plain, dataclasses.replace(plain, **changes), 63, row, 9, 4) > 4


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"blush": 0.2, "melanin": 0.1}, {"blush": 0.8, "melanin": 0.1}),
        ({"bags": 0.1}, {"bags": 0.8}),
        ({"lines": 0.0}, {"lines": 0.7}),
        ({"makeup": 0.0}, {"makeup": 0.7}),
        ({"earrings": False}, {"earrings": True}),
        ({"necklace": False}, {"necklace": True}),
        ({"necktie": False, "clothes": "suit"}, {"necktie": True, "clothes": "suit"}),
        ({"brow_thickness": 0.025}, {"brow_thickness": 0.045}),
        ({"brow_arch": 0.02}, {"brow_arch": 0.07}),
        ({"eye_open": 0.45}, {"eye_open": 0.3}),
        ({"nose_width": 0.15}, {"nose_width": 0.21}),
        ({"lip_upper": 0.07, "lip_lower": 0.09}, {"lip_upper": 0.11, "lip_lower": 0.14}),
        ({"fat": 0.2}, {"fat": 0.8}),
        ({"receding": 0.0}, {"receding": 0.8}),
        ({"beard": 0.0}, {"beard": 0.85}),
        ({"hair_curl": 0.0, "hair_style": "long"}, {"hair_curl": 0.5, "hair_style": "long"}),
    ],
    ids=lambda change: "-".join(change),
)
def test_small_things_are_visible(before, after):
    changed = np.abs(
        draw_traits(plain_traits(**before)).astype(int)
        - draw_traits(plain_traits(**after)).astype(int)
    ).max(axis=-1)
    assert (changed > 20).sum() > 12


@pytest.mark.parametrize(
    "changes",
    [
        {"hat": "beanie"},
        {"hat": "cap"},
        {"hat": "brim"},
    ],
)
def test_hats_cover_the_hair(changes):
    plain = plain_traits(hair_color=(0.085, 0.07, 0.065))
    hatted = plain_traits(hair_color=(0.085, 0.07, 0.065), hat_color=(0.8, 0.2, 0.2), **changes)
    assert difference(plain, hatted, 63, 22, 14, 6) > 30


def test_skin_is_as_dark_as_its_melanin_says():
    brightness = [
        patch(draw_traits(plain_traits(melanin=melanin)), 63, 42, 8, 4).mean()
        for melanin in (0.0, 0.3, 0.6, 0.95)
    ]
    assert all(
        first > second + 15 for first, second in zip(brightness, brightness[1:], strict=False)
    )


def test_light_from_a_side_brightens_that_side():
    left, right = (
        draw_traits(plain_traits(light_side=side, light_hardness=1.0, rim=0.0)).astype(float)
        for side in (-0.9, 0.9)
    )
    assert patch(left, 45, 70, 4, 4).mean() > patch(left, 82, 70, 4, 4).mean() + 15
    assert patch(right, 82, 70, 4, 4).mean() > patch(right, 45, 70, 4, 4).mean() + 15


def test_eyes_are_dark_where_they_are_said_to_be():
    for traits in (plain_traits(), plain_traits(yaw=0.25), plain_traits(roll=0.15, pitch=0.1)):
        picture = draw_traits(traits)
        for column, row in eye_positions(traits):
            eye = patch(picture, column, row, 2, 2).min()
            cheek = patch(picture, column, row + 14, 2, 2).min()
            assert eye < cheek - 30
