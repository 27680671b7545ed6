"""ICC profiles: what a picture's file means by its numbers, as sRGB.

Expected colours are computed from the profiles' primaries and curves, not by Little CMS, but for
CMYK, whose profiles are tables.
"""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from kerasgan import data
from kerasgan.cli import run
from kerasgan.data import __main__ as command
from kerasgan.data.decode import decode, open_upright

P3 = {"r": (0.68, 0.32), "g": (0.265, 0.69), "b": (0.15, 0.06)}  # Display P3's primaries
ADOBE = {"r": (0.64, 0.33), "g": (0.21, 0.71), "b": (0.15, 0.06)}
SRGB = {"r": (0.64, 0.33), "g": (0.3, 0.6), "b": (0.15, 0.06)}
D65, D50 = np.array([0.95047, 1.0, 1.08883]), np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def to_xyz(primaries: dict[str, tuple[float, float]]) -> np.ndarray:
    """From linear RGB to XYZ under D50, (3, 3)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries.values()]).T
    matrix = columns * np.linalg.solve(columns, D65)
    adapted = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ D50) / (BRADFORD @ D65)) @ BRADFORD
    return adapted @ matrix


def encoded(linear: np.ndarray) -> np.ndarray:
    """From linear light, 0..1, to sRGB's numbers, 0..255."""
    linear = np.clip(linear, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return 255 * curved


def fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def make_profile(primaries: dict[str, tuple[float, float]], gamma: float) -> bytes:
    """An ICC profile of three primaries and a power for a curve."""
    matrix = to_xyz(primaries)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {b"wtpt": b"XYZ " + bytes(4) + b"".join(map(fixed, D50))}
    for column, name in enumerate("rgb"):
        tags[f"{name}XYZ".encode()] = b"XYZ " + bytes(4) + b"".join(map(fixed, matrix[:, column]))
        tags[f"{name}TRC".encode()] = curve
    return assemble(b"RGB ", tags)


def make_grey_profile(gamma: float) -> bytes:
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    return assemble(
        b"GRAY", {b"wtpt": b"XYZ " + bytes(4) + b"".join(map(fixed, D50)), b"kTRC": curve}
    )


INKS = {  # L*, a*, b* of full inks, relative to the paper
    (0, 0, 0, 0): (100, 0, 0),
    (0, 1, 0, 0): (60, 30, 0),
    (0, 1, 1, 0): (58, 32, 20),
    (1, 0, 0, 0): (62, -12, -20),
}


def make_cmyk_profile() -> bytes:
    """An ICC profile of a table of two points an axis."""
    inks = [tuple(number >> shift & 1 for shift in (3, 2, 1, 0)) for number in range(16)]
    labs = [INKS.get(ink, (20, 0, 0)) for ink in inks]
    table = bytes(
        value
        for light, a, b in labs
        for value in (round(light * 2.55), round(a + 128), round(b + 128))
    )
    matrix = b"".join(map(fixed, np.eye(3).ravel()))
    curve = bytes(range(256))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + 4 * curve + table + 3 * curve
    white = b"XYZ " + bytes(4) + b"".join(map(fixed, D50))
    return assemble(b"CMYK", {b"wtpt": white, b"A2B0": lut}, b"prtr", b"Lab ")


def from_lab(lab: tuple[float, float, float]) -> np.ndarray:
    """sRGB's numbers of a colour, by CIE's formulas."""
    middle = (lab[0] + 16) / 116
    parts = np.array([middle + lab[1] / 500, middle, middle - lab[2] / 200])
    xyz = D50 * np.where(parts > 6 / 29, parts**3, 3 * (6 / 29) ** 2 * (parts - 4 / 29))
    return encoded(np.linalg.inv(to_xyz(SRGB)) @ xyz)


def assemble(
    space: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr", between: bytes = b"XYZ "
) -> bytes:
    text = b"made"
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + text + bytes(1 + 78), **tags}
    place, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", place + len(body), len(content))
        body += content
    head = bytes(8) + struct.pack(">I", 0x02400000) + kind + space + between + bytes(12) + b"acsp"
    head = (head + bytes(28) + b"".join(map(fixed, D50))).ljust(128, b"\0")
    whole = head + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def expected(colour: tuple[int, int, int], primaries: dict, gamma: float) -> np.ndarray:
    linear = (np.array(colour) / 255) ** gamma
    return encoded(np.linalg.inv(to_xyz(SRGB)) @ to_xyz(primaries) @ linear)


COLOUR = (200, 120, 90)  # a face's
CASES = [(P3, 2.2, COLOUR), (ADOBE, 2.2, COLOUR), (P3, 1.8, (90, 140, 60))]


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(("primaries", "gamma", "colour"), CASES)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP", "AVIF", "HEIF"])
def test_wide_gamut(primaries: dict, gamma: float, colour: tuple[int, int, int], kind: str) -> None:
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    profile = make_profile(primaries, gamma)
    file = saved(Image.new("RGB", (32, 32), colour), kind, icc_profile=profile, **options)
    found = decode(file, 32).pixels.astype(int)
    right = expected(colour, primaries, gamma)
    assert abs(right - colour).max() > 6  # it makes a difference
    assert abs(found - right).max() <= (5 if kind in ("AVIF", "HEIF") else 3)


def test_the_same_whatever_the_file_is_in(tmp_path: Path) -> None:
    """Of a folder, a zip, a tar, a Parquet file, one alone, --check, and decoding reduced."""
    import tarfile
    import zipfile

    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    profile = make_profile(P3, 2.2)
    file = saved(Image.new("RGB", (900, 900), COLOUR), "JPEG", quality=95, icc_profile=profile)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.jpg").write_bytes(file)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.jpg", file)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "folder" / "a.jpg", "a.jpg")
    parquet.write_table(pyarrow.table({"image": [{"bytes": file}]}), tmp_path / "a.parquet")
    right = expected(COLOUR, P3, 2.2)
    for name in ("folder", "a.zip", "a.tar.gz", "a.parquet"):
        for size in (32, 300):
            pictures = data.load(str(tmp_path / name), size=size, cache=tmp_path / "cache")
            assert abs(pictures.pixels[0].astype(float) - right).max() <= 4, name
    alone = data.prepare_one(file, size=32)
    assert abs(alone.astype(float) - right).max() <= 4
    assert abs(np.asarray(open_upright(file).image).astype(float) - right).max() <= 4
    words = [str(tmp_path / "folder"), "--check", "--size", "32", "--faces", "0"]
    sheet = tmp_path / "sheet.png"
    assert (
        run(command.main, [*words, "--cache", str(tmp_path / "cache"), "--sheet", str(sheet)]) == 0
    )
    shown = np.asarray(Image.open(sheet)).reshape(-1, 3).astype(float)
    assert (abs(shown - right).max(axis=1) <= 4).sum() > 500


@pytest.mark.parametrize("mode", ["L", "I;16", "LA"])
def test_grey(mode: str) -> None:
    value = 100
    right = encoded(np.array((value / 255) ** 1.8))
    assert abs(right - value) > 6
    pixels = np.full(
        (32, 32), value * (257 if mode == "I;16" else 1), np.uint16 if mode == "I;16" else np.uint8
    )
    image = Image.fromarray(pixels)
    if mode == "LA":
        image.putalpha(255)
    found = decode(saved(image, "PNG", icc_profile=make_grey_profile(1.8)), 32).pixels
    assert abs(found.astype(float) - right).max() <= 2
    grey = decode(saved(image, "PNG", icc_profile=make_grey_profile(1.8)), 32, channels=1).pixels
    assert abs(grey.astype(float) - right).max() <= 2


def test_grey_in_the_space_of_a_colour_profile() -> None:
    right = encoded(np.array((100 / 255) ** 1.8))
    for mode in ("L", "P"):
        image = Image.new("L", (32, 32), 100).convert(mode)
        found = decode(saved(image, "PNG", icc_profile=make_profile(P3, 1.8)), 32).pixels
        assert abs(found.astype(float) - right).max() <= 2, mode


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])  # Pillow writes JPEG as Adobe does, inverted
def test_cmyk(kind: str) -> None:
    for ink, lab in INKS.items():
        image = Image.new("CMYK", (32, 32), tuple(255 * part for part in ink))
        options = {"quality": 100} if kind == "JPEG" else {}
        file = saved(image, kind, icc_profile=make_cmyk_profile(), **options)
        found = decode(file, 32).pixels
        assert abs(found - from_lab(lab)).max() <= 10, (
            ink
        )  # its black is fitted to that of sRGB, too
        plain = decode(saved(image, kind, icc_profile=make_profile(P3, 2.2), **options), 32).pixels
        simple = 255 * (1 - np.array(ink[:3]))  # a profile for light says nothing of inks
        assert abs(plain - simple).max() <= 4


def test_palette_and_transparent_parts() -> None:
    profile, right = make_profile(P3, 2.2), expected(COLOUR, P3, 2.2)
    palette = Image.new("RGB", (32, 32), COLOUR).quantize(2)
    found = decode(saved(palette, "PNG", icc_profile=profile), 32).pixels
    assert abs(found.astype(float) - right).max() <= 2
    half = Image.new("RGBA", (32, 32), (*COLOUR, 255))
    half.paste((*COLOUR, 0), (16, 0, 32, 32))
    found = decode(saved(half, "PNG", icc_profile=profile), 32)
    assert found.over_white
    assert abs(found.pixels[:, :12].astype(float) - right).max() <= 2
    assert (found.pixels[:, 20:] == 255).all()


def test_a_profile_that_is_srgb_or_broken_or_of_another_kind_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    broken = make_profile(P3, 2.2)
    profiles = (srgb, broken[:100], broken[:-60], b"rubbish", make_grey_profile(1.8), broken[:132])
    for number, profile in enumerate(profiles):
        found = decode(saved(image, "PNG", icc_profile=profile), 32).pixels
        np.testing.assert_array_equal(found, np.asarray(image), err_msg=str(number))


def test_lab(tmp_path: Path) -> None:
    colour = np.array([(200, 120, 90), (30, 60, 200), (128, 128, 128)])
    image = Image.fromarray(np.repeat(colour[None].astype(np.uint8), 12, axis=0).repeat(12, axis=1))
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(srgb, lab, "RGB", "LAB")
    file = saved(transform.apply(image), "TIFF")
    found = np.asarray(open_upright(file).image).astype(int)
    assert abs(found - np.asarray(image)).max() <= 8  # 8 bits of Lab


def test_ycbcr_tiff_has_the_profile_of_its_rgb() -> None:
    image = Image.new("RGB", (32, 32), COLOUR).convert("YCbCr")
    # Packed: Pillow before 13 cannot read one that is not, which it wrote itself.
    file = saved(image, "TIFF", icc_profile=make_profile(P3, 2.2), compression="packbits")
    found = decode(file, 32).pixels
    assert abs(found.astype(float) - expected(COLOUR, P3, 2.2)).max() <= 4


@pytest.mark.parametrize(
    ("highest", "middle", "grey"),
    [(255, 128, 128), (1023, 512, 128), (4095, 1024, 64), (65535, 8192, 32)],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_as_bright_as_the_bits_they_use(
    tmp_path: Path, kind: str, highest: int, middle: int, grey: int
) -> None:
    values = np.full((32, 32), middle, np.uint16)
    values[:4] = highest
    path = tmp_path / f"scan.{kind.lower()}"
    Image.fromarray(values).save(path, kind)
    pixels = open_upright(str(path)).image
    assert pixels.getpixel((0, 0)) == (255, 255, 255)
    assert pixels.getpixel((20, 20)) == (grey, grey, grey)
