"""Colours of any kind, as a picture's file and its ICC profile mean them, to sRGB."""

import io
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from kerasgan.data.source import Rejected
from kerasgan.text import first_line

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsProfile, ImageCmsTransform

# Modes that a profile of each colour space is for; what is in another mode is made RGB first.
MODES_OF_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
NO_DIFFERENCE = 1  # in 0..255; a profile that moves no colour by more is sRGB's own


def to_rgb(image: Image.Image) -> tuple[Image.Image, bool]:
    """Converts a picture of any mode to 8-bit sRGB, transparent parts over white.

    Args:
        image: a loaded picture, with its ICC profile in `info` if it has one.

    Returns:
        The RGB picture, and whether any of it was transparent.

    Raises:
        Rejected: the pixels have no range that could be scaled to 0..255.
    """
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):
        return to_srgb(_grey_of_16_bits(image), profile), False
    if image.mode == "F":
        raise Rejected("floating-point pixels: save it with 8 or 16 bits")
    if not image.has_transparency_data:
        return to_srgb(image, profile), False
    rgba = _converted(image, "RGBA")
    alpha = rgba.getchannel("A")
    transparent = int(np.asarray(alpha).min()) < 255
    colours = to_srgb(image.getchannel("L") if image.mode == "LA" else rgba, profile)
    colours.putalpha(alpha)
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, colours).convert("RGB"), transparent


def to_srgb(image: Image.Image, profile: Any) -> Image.Image:
    """Converts a picture without transparent parts to sRGB.

    Args:
        image: of any 8-bit mode.
        profile: the bytes of the ICC profile that its colours are of. One that is broken, or for
            another kind of picture, is passed over: the colours are taken for sRGB's then.
    """
    space, transform = "RGB", None
    if image.mode == "LAB":
        space, transform = _from_lab()
    elif isinstance(profile, bytes) and profile:
        space, transform = _from_profile(profile)
    if transform is None or not _suits(space, image.mode):
        return _converted(image, "RGB")
    return transform.apply(image if image.mode == space else _converted(image, space))


def _suits(space: str, mode: str) -> bool:
    if "CMYK" in (space, mode) or "LAB" in (space, mode):
        return space == mode
    return space == "RGB" or mode in ("L", "1")


Transform = tuple[str, "ImageCmsTransform | None"]  # the mode it takes; None for no change


@lru_cache(maxsize=32)  # the pictures of one camera have one profile
def _from_profile(profile: bytes) -> Transform:
    from PIL import ImageCms

    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = MODES_OF_SPACES.get(opened.profile.xcolor_space.strip(), "")
        transform = ImageCms.buildTransform(opened, _srgb(), space, "RGB")
    except Exception:  # Pillow's, of a broken profile: each part of it may be anything
        return "RGB", None
    return space, None if _changes_nothing(space, transform) else transform


@lru_cache(maxsize=1)
def _from_lab() -> Transform:
    from PIL import ImageCms

    try:
        lab = ImageCms.createProfile("LAB")
        return "LAB", ImageCms.buildTransform(lab, _srgb(), "LAB", "RGB")
    except Exception:  # this Pillow was built without Little CMS
        return "LAB", None


def _srgb() -> "ImageCmsProfile":
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _changes_nothing(space: str, transform: "ImageCmsTransform") -> bool:
    if space == "CMYK":
        return False
    levels = range(0, 256, 15 if space == "L" else 51)
    colours = np.array([*product(levels, repeat=len(space))], np.uint8)
    image = Image.frombytes(space, (len(colours), 1), colours.tobytes())
    moved = np.asarray(transform.apply(image))[0].astype(int) - colours
    return bool(abs(moved).max() <= NO_DIFFERENCE)


def _converted(image: Image.Image, mode: str) -> Image.Image:
    try:
        return image.convert(mode)
    except Exception as error:  # Pillow's: a palette may be damaged, too
        raise Rejected(f"damaged: {first_line(error)}") from error


def _grey_of_16_bits(image: Image.Image) -> Image.Image:
    """Brings numbers of 16 bits to 8, by as many bits as they use: cameras keep 12 in 16.

    A picture of 16 bits that uses no more than 12 would be all but black.
    """
    values = np.asarray(image)
    least, highest = int(values.min()), int(values.max())
    if least < 0 or highest > 0xFFFF:
        raise Rejected("more than 16 bits a pixel: save it with 8 or 16 bits")
    white = next(2**bits - 1 for bits in (8, 10, 12, 16) if highest < 2**bits)
    grey = (values.astype(np.uint32) * 255 + white // 2) // white  # rounded to nearest
    return Image.fromarray(grey.astype(np.uint8))
