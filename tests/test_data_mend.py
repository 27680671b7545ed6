"""Files that are not whole: a picture that a viewer shows whole is used, a part of one never is."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from kerasgan import data
from kerasgan.data.decode import Rejected, decode, open_upright

ENDS = b"\xff\xd9"


@pytest.fixture(autouse=True)
def silence(recwarn: pytest.WarningsRecorder) -> None:
    """Preparing hides what Pillow warns of."""


def photograph(width: int = 300, height: int = 200) -> Image.Image:
    """A slope of colours with a little noise."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).normal(0, 8, (height, width, 3))
    pixels = np.stack([x * 255 / width, y * 255 / height, (x + y) % 256], -1) + noise
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def saved(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    (image or photograph()).save(file, kind, **options)
    return file.getvalue()


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(open_upright(file).image).astype(int)


def differing(file: bytes, whole: bytes) -> float:
    """Which part of the pictures differs to the eye."""
    return float((abs(pixels(file) - pixels(whole)).max(axis=2) > 8).mean())


JPEGS = {
    "plain": {},
    "fine": {"quality": 95, "subsampling": 0},
    "with restarts": {"restart_marker_rows": 1},
    "progressive": {"progressive": True},
    "progressive with restarts": {"progressive": True, "restart_marker_rows": 1},
}


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_jpeg_without_its_last_bytes(options: dict[str, object]) -> None:
    whole = saved("JPEG", **options)
    for missing in (1, 2):
        np.testing.assert_array_equal(pixels(whole[:-missing]), pixels(whole))
    for missing in (3, 4, 8, 20):
        assert differing(whole[:-missing], whole) < 1 / 64


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
@pytest.mark.parametrize("part", [0.25, 0.5, 0.75])
def test_half_a_jpeg(options: dict[str, object], part: float) -> None:
    whole = saved("JPEG", **options)
    cut = whole[: int(len(whole) * part)]
    zeros = cut + bytes(len(whole) - len(cut))  # as downloads that make the file beforehand
    for file in (cut, zeros):
        with pytest.raises(Rejected, match="^damaged"):
            open_upright(file)


def test_half_a_jpeg_that_was_given_an_end() -> None:
    for options in ({}, {"restart_marker_rows": 1}):
        whole = saved("JPEG", **options)
        with pytest.raises(Rejected, match="^damaged: its lower part is missing"):
            open_upright(whole[: len(whole) // 2] + ENDS)


def test_a_picture_that_ends_in_that_grey_is_whole() -> None:
    image = photograph()
    image.paste((128, 128, 128), (0, 150, 300, 200))
    whole = saved("JPEG", image, quality=95, subsampling=0)
    assert (pixels(whole)[-1] == 128).all()  # the test tests something
    assert pixels(whole).shape == (200, 300, 3)


def test_a_jpeg_is_mended_when_it_is_decoded_reduced(tmp_path: Path) -> None:
    whole = saved("JPEG", photograph(1200, 800))
    (tmp_path / "a.jpg").write_bytes(whole[:-2])
    found = decode(str(tmp_path / "a.jpg"), 64).pixels
    np.testing.assert_array_equal(found, decode(whole, 64).pixels)
    with pytest.raises(Rejected, match="^damaged"):
        decode(whole[: len(whole) // 2], 64)


def test_what_follows_a_jpeg_does_not_matter() -> None:
    whole = saved("JPEG")
    for rest in (b"garbage" * 99, bytes(5000), whole[:700]):
        np.testing.assert_array_equal(pixels(whole + rest), pixels(whole))


def test_a_phones_second_picture_may_be_cut() -> None:
    frames = [photograph(), photograph(150, 100)]
    whole = saved("MPO", frames[0], save_all=True, append_images=frames[1:])
    second = whole.index(ENDS) + 2
    for length in (len(whole), len(whole) - 900, second + 40, second + 2):
        np.testing.assert_array_equal(pixels(whole[:length]), pixels(whole))


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunks(png: bytes, before: bytes, after: bytes = b"") -> bytes:
    """Puts chunks in behind a PNG's first, and before its last."""
    return png[:33] + before + png[33:-12] + after + png[-12:]


WORKFLOW = b"x" * 2_000_000
TEXTS = {
    "tEXt": chunk(b"tEXt", b"workflow\0" + WORKFLOW),
    "zTXt": chunk(b"zTXt", b"workflow\0\0" + zlib.compress(WORKFLOW)),
    "iTXt": chunk(b"iTXt", b"workflow\0\0\0\0\0" + WORKFLOW),
    "iTXt, compressed": chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(WORKFLOW)),
    "200 of them": 200 * chunk(b"zTXt", b"workflow\0\0" + zlib.compress(bytes(900_000))),
    "damaged": chunk(b"zTXt", b"workflow\0\0rubbish"),
    "checksum": chunk(b"tEXt", b"a\0b")[:-1] + b"?",
    "profile": chunk(b"iCCP", b"profile\0\0rubbish"),
    "bomb of EXIF": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(3_000_000))),
    "large profile": chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(3_000_000))),
    "date": chunk(b"tIME", b"1"),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_png_with_much_text_or_damaged_notes(text: bytes) -> None:
    whole = saved("PNG")
    np.testing.assert_array_equal(pixels(with_chunks(whole, text)), pixels(whole))
    np.testing.assert_array_equal(pixels(with_chunks(whole, b"", text)), pixels(whole))


def test_what_matters_of_a_png_is_kept() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    palette = photograph(40, 30).quantize(16)
    whole = saved("PNG", palette, exif=exif, transparency=palette.getpixel((3, 3)))
    found = open_upright(with_chunks(whole, TEXTS["tEXt"]))
    plain = open_upright(whole)
    assert found[1:] == plain[1:] and found.turned and found.over_white
    np.testing.assert_array_equal(np.asarray(found.image), np.asarray(plain.image))


def test_which_way_is_up_is_kept_where_it_is_text() -> None:
    """As ImageMagick and Adobe's programs note it."""
    whole, exif = saved("PNG", photograph(40, 30)), Image.Exif()
    exif[0x0112] = 6
    data = exif.tobytes()
    raw = f"\nexif\n{len(data):>8}\n{data.hex()}\n".encode()
    profile, xmp = b"Raw profile type exif\0", b"XML:com.adobe.xmp\0"
    packet = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    notes = [
        chunk(b"tEXt", profile + raw),
        chunk(b"zTXt", profile + b"\0" + zlib.compress(raw)),
        chunk(b"iTXt", xmp + b"\0\0\0\0" + packet),
    ]
    for note in notes:
        plain, found = (
            open_upright(with_chunks(whole, note + text)) for text in (b"", TEXTS["tEXt"])
        )
        assert plain.turned and found.turned
        np.testing.assert_array_equal(np.asarray(found.image), np.asarray(plain.image))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_png_of_any_mode_is_mended(mode: str) -> None:
    image = photograph(61, 43)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    elif mode == "P":
        image = image.quantize(13)
    else:
        image = image.convert(mode)
    whole = saved("PNG", image)
    np.testing.assert_array_equal(pixels(with_chunks(whole, TEXTS["zTXt"])), pixels(whole))


def test_png_without_its_end() -> None:
    whole = saved("PNG")
    idat = whole.rindex(b"IDAT")
    assert len(whole) - idat > 100
    for missing in (4, 12, 16, 20):  # IEND, the checksum of IDAT, that of zlib
        np.testing.assert_array_equal(pixels(whole[:-missing]), pixels(whole))
    assert 0 < differing(whole[:-300], whole) < 1 / 64
    for part in (2, 4):
        with pytest.raises(Rejected, match="^damaged"):
            open_upright(whole[: -len(whole) // part])


def interlaced(image: Image.Image) -> bytes:
    """An Adam7 PNG, which Pillow does not write."""
    values, lines = np.asarray(image), b""
    for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                         (1, 0, 2, 2), (0, 1, 1, 2)):  # fmt: skip
        lines += b"".join(b"\0" + row.tobytes() for row in values[y::dy, x::dx] if row.size)
    head = struct.pack(">IIBBBBB", image.width, image.height, 8, 2, 0, 0, 1)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_interlaced_png() -> None:
    for size in ((61, 43), (5, 7)):
        image = photograph(*size)
        whole = interlaced(image)
        for file in (whole, whole[:-20], with_chunks(whole, TEXTS["tEXt"])):
            np.testing.assert_array_equal(pixels(file), np.asarray(image))
    with pytest.raises(Rejected, match="^damaged"):
        open_upright(interlaced(photograph())[:-9000])


def test_a_bomb_of_a_text_costs_no_memory(peak: Callable[[Callable[[], object]], int]) -> None:
    bomb = chunk(b"zTXt", b"workflow\0\0" + zlib.compress(bytes(300_000_000)))
    file = with_chunks(saved("PNG", photograph(40, 40)), bomb)
    assert peak(lambda: open_upright(file)) < 30_000_000


def test_a_bomb_of_pixels_stays_refused(peak: Callable[[Callable[[], object]], int]) -> None:
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), (b"tEXt", b"a\0" + WORKFLOW), (b"IDAT", zlib.compress(bytes(99)))]
    file = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)

    def refused() -> None:
        with pytest.raises(Rejected):
            open_upright(file)

    assert peak(refused) < 30_000_000


LOSSLESS = {
    "BMP": {},
    "PPM": {},
    "TIFF": {},
    "TGA": {},
    "SGI": {},
    "PCX": {},
    "GIF": {},
    "JPEG2000": {},
    "WEBP": {"lossless": True},
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_other_kinds_without_their_last_bytes(kind: str) -> None:
    image = photograph().quantize(64) if kind == "GIF" else photograph()
    whole = saved(kind, image, **LOSSLESS[kind])
    for missing in (1, 2):
        assert differing(whole[:-missing], whole) < 1 / 1000
    with pytest.raises(Rejected):
        open_upright(whole[: len(whole) // 2])
    np.testing.assert_array_equal(pixels(whole + b"garbage" * 9), pixels(whole))


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "jpeg", "tiff_deflate"])
def test_a_tiffs_lost_directory_is_not_guessed(compression: str) -> None:
    whole = saved("TIFF", compression=compression)
    for missing in (2, 4, 8, 12, 16):
        try:
            part = differing(whole[:-missing], whole)
        except Rejected:
            continue
        assert part < 1 / 64


def test_bmp_that_claims_another_length() -> None:
    whole = saved("BMP")
    for claimed in (0, 1, len(whole) * 2, 2**32 - 1):
        file = whole[:2] + struct.pack("<I", claimed) + whole[6:]
        np.testing.assert_array_equal(pixels(file), pixels(whole))


def test_in_a_folder_and_alone(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", "x" * 2_000_000)
    files = {
        "text.png": saved("PNG", pnginfo=info),
        "cut.jpg": saved("JPEG")[:-2],
        "half.jpg": saved("JPEG")[:4000],
    }
    (tmp_path / "faces").mkdir()
    for name, content in files.items():
        (tmp_path / "faces" / name).write_bytes(content)
    pictures = data.load(str(tmp_path / "faces"), size=32, cache=tmp_path / "cache")
    assert pictures.table.names == ["cut.jpg", "text.png"] and pictures.rejected == 1
    for name in ("cut.jpg", "text.png"):
        assert data.prepare_one(tmp_path / "faces" / name, size=32).shape == (1, 32, 32, 3)
