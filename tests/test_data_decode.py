"""One picture file to one square of RGB: colours, crops, rotation, and every kind of bad file."""

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from kerasgan.data.decode import (
    Rejected,
    check_dimensions,
    crop_box,
    decode,
    open_upright,
    resize,
)


def save(path: Path, picture: Image.Image | np.ndarray, **options: object) -> str:
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    picture.save(path, **options)
    return str(path)


def coordinates(width: int, height: int) -> np.ndarray:
    """A picture whose red is its column, and whose green is its row."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.arange(width)
    picture[..., 1] = np.arange(height)[:, None]
    return picture


def quarters(width: int, height: int) -> Image.Image:
    """Red, green, blue and white quarters, in reading order."""
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    x, y = width // 2, height // 2
    draw.rectangle((0, 0, x - 1, y - 1), "red")
    draw.rectangle((x, 0, width, y - 1), "lime")
    draw.rectangle((0, y, x - 1, height), "blue")
    return picture


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    return [tuple(int(value) for value in pixels[y, x]) for y in (2, -3) for x in (2, -3)]


RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def test_tutorials_box_for_celeba_pictures(tmp_path: Path) -> None:
    picture = coordinates(178, 218)
    path = save(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(decode(path, 178).pixels, picture[15:193, 0:178])
    np.testing.assert_array_equal(decode(path, 178, "center").pixels, picture[20:198, 0:178])


def test_centre_square_otherwise(tmp_path: Path) -> None:
    wide, tall = coordinates(200, 100), coordinates(100, 181)
    path = save(tmp_path / "wide.png", wide)
    np.testing.assert_array_equal(decode(path, 100).pixels, wide[:, 50:150])
    path = save(tmp_path / "tall.png", tall)
    np.testing.assert_array_equal(decode(path, 100).pixels, tall[40:140, :])


def test_crop_boxes() -> None:
    assert crop_box(356, 436, "celeba") == (0, 30, 356, 386)  # twice CelebA's size
    assert crop_box(356, 436, "auto") == (0, 40, 356, 396)
    assert crop_box(178, 218, "auto") == (0, 15, 178, 193)
    assert crop_box(30, 20, "none") == (0, 0, 30, 20)


def test_no_crop_squashes_the_whole_picture(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", quarters(200, 100))
    assert corners(decode(path, 50, "none").pixels) == [RED, GREEN, BLUE, WHITE]


def test_shrinking_is_antialiased(tmp_path: Path) -> None:
    board = np.indices((128, 128)).sum(axis=0) % 2 * 255
    path = save(tmp_path / "a.png", board.astype(np.uint8))
    inside = decode(path, 64).pixels[4:-4, 4:-4].astype(int)  # edges see half a kernel
    assert abs(inside - 127.5).max() <= 1.5


def test_enlarged_pictures_are_told(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.full((20, 30, 3), 77, np.uint8))
    small = decode(path, 64)
    assert small.enlarged and (small.pixels == 77).all() and small.pixels.shape == (64, 64, 3)
    assert not decode(path, 20).enlarged


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [RED, GREEN, BLUE, WHITE]),
        (2, [GREEN, RED, WHITE, BLUE]),
        (3, [WHITE, BLUE, GREEN, RED]),
        (4, [BLUE, WHITE, RED, GREEN]),
        (5, [RED, BLUE, GREEN, WHITE]),
        (6, [BLUE, RED, WHITE, GREEN]),  # "the 0th row is the right side": a quarter clockwise
        (7, [WHITE, GREEN, BLUE, RED]),
        (8, [GREEN, WHITE, RED, BLUE]),
    ],
)
@pytest.mark.parametrize("kind", ["png", "tiff", "webp"])
def test_exif_orientation(
    tmp_path: Path, orientation: int, expected: list[tuple[int, ...]], kind: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "webp" else {}
    path = save(tmp_path / f"a.{kind}", quarters(60, 40), exif=exif, **options)
    assert corners(decode(path, 32).pixels) == expected


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_tutorials_box_is_taken_after_rotation(tmp_path: Path, kind: str) -> None:
    upright = coordinates(178, 218)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise, so stored turned anticlockwise
    path = save(tmp_path / f"a.{kind}", np.rot90(upright).copy(), exif=exif)
    np.testing.assert_array_equal(decode(path, 178).pixels, upright[15:193])


def test_large_jpeg_is_cropped_and_turned_at_its_full_size(tmp_path: Path) -> None:
    # 712x872 is four times CelebA's size, so a reduced decoding must not pass for CelebA's.
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.rot90(np.asarray(quarters(712, 872))).copy())
    path = save(tmp_path / "a.jpg", stored, exif=exif, quality=95)
    found = decode(path, 32).pixels.astype(int)
    expected = np.asarray(resize(quarters(712, 872), 32, (0, 80, 712, 792))).astype(int)
    assert abs(found - expected).mean() < 2  # JPEG's own loss


def test_reduced_jpeg_decoding_is_invisible(tmp_path: Path) -> None:
    base = Image.effect_mandelbrot((900, 900), (-2, -1.5, 1, 1.5), 60)
    path = save(tmp_path / "a.jpg", base.convert("RGB"), quality=90)
    with Image.open(path) as whole:
        expected = np.asarray(resize(whole.convert("RGB"), 64)).astype(int)
    assert abs(decode(path, 64).pixels.astype(int) - expected).mean() < 1


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    for name in ("a.png", "a.tif"):
        grey = decode(save(tmp_path / name, values), 64).pixels
        np.testing.assert_array_equal(grey[..., 0], np.rint(values / 257))
        assert (grey[..., 0] == grey[..., 2]).all()


def test_big_endian_sixteen_bit_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    values = np.full((20, 20), 0x1234, np.uint16)
    buffer = io.BytesIO()
    Image.frombytes("I;16B", (20, 20), values.astype(">u2").tobytes()).save(buffer, "TIFF")
    path.write_bytes(buffer.getvalue())
    assert (decode(str(path), 20).pixels == round(0x1234 / 257)).all()


def test_cmyk(tmp_path: Path) -> None:
    ink = Image.new("CMYK", (32, 32), (0, 255, 255, 0))  # magenta and yellow make red
    for name in ("a.tif", "a.jpg"):  # Pillow writes JPEG as Adobe does, inverted
        pixels = decode(save(tmp_path / name, ink), 32).pixels.astype(int)
        assert abs(pixels - RED).max() <= 3


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_goes_over_white(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    picture.paste((100, 100, 100, 255), (0, 0, 16, 32))
    picture.paste((0, 0, 0, 102), (16, 0, 32, 16))  # 40 % of black over white: 153
    found = decode(save(tmp_path / "a.png", picture.convert(mode)), 32)
    assert found.over_white
    assert corners(found.pixels) == [(100,) * 3, (153,) * 3, (100,) * 3, WHITE]


def test_opaque_alpha_is_not_told(tmp_path: Path) -> None:
    assert not decode(save(tmp_path / "a.png", Image.new("RGBA", (32, 32), "red")), 32).over_white


def test_palette_with_transparency(tmp_path: Path) -> None:
    palette = quarters(32, 32).quantize(4)
    transparent = palette.getpixel((2, 2))  # the red quarter's
    found = decode(save(tmp_path / "a.png", palette, transparency=transparent), 32)
    assert found.over_white
    assert corners(found.pixels) == [WHITE, GREEN, BLUE, WHITE]


def test_black_and_white(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", quarters(32, 32).convert("L").point(lambda v: v > 200, "1"))
    assert corners(decode(path, 32).pixels) == [(0,) * 3, (0,) * 3, (0,) * 3, WHITE]


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_first_frame_of_an_animation(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (32, 32), color) for color in ("red", "blue")]
    options = {"lossless": True} if kind == "webp" else {}
    path = save(
        tmp_path / f"a.{kind}", frames[0], save_all=True, append_images=frames[1:], **options
    )
    assert (decode(path, 32).pixels == RED).all()


def jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG")
    return buffer.getvalue()


def big_png_header(width: int, height: int) -> bytes:
    """A PNG of 60 bytes that claims any size."""
    small = io.BytesIO()
    Image.new("L", (1, 1)).save(small, "PNG")
    data = bytearray(small.getvalue())
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.filterwarnings(
    "ignore::PIL.Image.DecompressionBombWarning"
)  # preparing a folder hides it
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a picture in a known format"),
        (b"dear diary", "not a picture in a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n", "a drawing, not pixels"),
        (jpeg(Image.effect_noise((64, 64), 50))[:-900], "damaged: "),
        (big_png_header(30_000, 30_000), "too large"),
        (big_png_header(10_000, 9_500), "too large: 10000x9500"),
        (jpeg(Image.new("L", (1, 5000))), "too small: 1x5000"),
        (jpeg(Image.new("L", (3, 12))), "too small: 3x12"),
        (jpeg(Image.new("L", (20, 5000))), "too narrow: 20x5000"),
    ],
)
def test_bad_files_are_rejected_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "bad.jpg"
    path.write_bytes(content)
    with pytest.raises(Rejected, match=f"^{reason}"):
        decode(str(path), 32)


def test_pixels_without_a_range_are_rejected(tmp_path: Path) -> None:
    for mode, value in (("F", 0.5), ("I", 70_000), ("I", -1)):
        path = save(tmp_path / "a.tif", Image.new(mode, (32, 32), value))
        with pytest.raises(Rejected, match="save it with 8 or 16 bits"):
            decode(path, 32)


def test_missing_file_and_folder_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="no longer there"):
        decode(str(tmp_path / "a.jpg"), 32)
    with pytest.raises(Rejected):
        decode(str(tmp_path), 32)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # likewise
def test_damaged_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Image.new("RGB", (32, 32), "red"), exif=b"Exif\0\0MM\0*rubbish")
    assert decode(path, 32).pixels.shape == (32, 32, 3)


def test_smallest_and_narrowest_that_pass() -> None:
    check_dimensions(4, 40)
    check_dimensions(8192, 8192)


@pytest.mark.parametrize("side", [4, 5, 8, 15])
def test_pictures_of_the_smallest_sizes(side: int) -> None:
    for kind in ("PNG", "JPEG", "BMP"):
        file = io.BytesIO()
        Image.new("RGB", (side, side), "red").save(file, kind)
        same = decode(file.getvalue(), side)
        assert same.pixels.shape == (side, side, 3) and not same.enlarged
        assert abs(same.pixels.astype(int) - RED).max() <= 3
        assert decode(file.getvalue(), 64).enlarged


def claimed_jpeg(width: int, height: int, **options: object) -> bytes:
    """A JPEG whose head claims any size, with the data of a smaller one."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "JPEG", **options)
    data = bytearray(file.getvalue())
    frame = data.index(b"\xff\xc2" if options else b"\xff\xc0")
    data[frame + 5 : frame + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data)


def flat_jpeg(width: int, height: int) -> bytes:
    """A whole grey JPEG of any size, made without its pixels: blocks that are all the same."""
    file = io.BytesIO()
    Image.new("L", (8, 8), 200).save(file, "JPEG")
    data = bytearray(file.getvalue())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    scan = data.index(b"\xff\xda") + 2 + 8
    blocks = (width // 8) * (height // 8)  # 00 no change, 1010 the end of a block: 6 bits
    first = np.unpackbits(np.frombuffer(bytes(data[scan:-2]), np.uint8))
    length = next(n for n in range(1, len(first) + 1) if first[n:].all())  # what follows pads
    block, padding = np.array([0, 0, 1, 0, 1, 0], np.uint8), np.ones(8, np.uint8)
    bits = np.concatenate([first[:length], np.tile(block, blocks - 1), padding])
    packed = np.packbits(bits[: len(bits) // 8 * 8]).tobytes()
    return bytes(data[:scan]) + packed + b"\xff\xd9"


@pytest.mark.filterwarnings("error")  # of large pictures, too
@pytest.mark.parametrize("size", [(12_000, 9_000), (16_320, 12_240)])
def test_large_photographs_are_judged_by_what_is_decoded(size: tuple[int, int]) -> None:
    file = flat_jpeg(*size)
    assert (decode(file, 32).pixels == 200).all()
    upright = open_upright(file)  # as for faces
    assert (upright.width, upright.height) == size
    assert upright.image.size == (size[0] // 2, size[1] // 2)


def test_bombs_stay_refused() -> None:
    for options in ({"progressive": True}, {"progressive": True, "subsampling": 0}):
        with pytest.raises(Rejected, match="^too large: 40000x40000"):
            decode(claimed_jpeg(40_000, 40_000, **options), 32)
    with pytest.raises(Rejected, match="^damaged"):
        decode(claimed_jpeg(65_000, 65_000), 32)
    with pytest.raises(Rejected, match="^too narrow"):
        decode(claimed_jpeg(65_000, 5_000), 32)
