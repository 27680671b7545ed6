"""One picture file, prepared alone, is what a training set would have of it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.data import faces
from kerasgan.data.faces import Face
from kerasgan.errors import UserError

TURNED = 6  # the EXIF value for "the 0th row is the right side"


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """A large, turned JPEG: decoded at a reduced scale for small sizes."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = TURNED
    path = tmp_path / "photographs" / "a.jpg"
    path.parent.mkdir()
    Image.fromarray(noise).resize((800, 600)).save(path, exif=exif, quality=90)
    return path


@pytest.fixture
def two_faces(monkeypatch: pytest.MonkeyPatch) -> list[Face]:
    """What the detector finds in every picture."""
    found = [
        Face((200.0, 300.0), (260.0, 310.0), (225.0, 370.0), 0.99),
        Face((400.0, 500.0), (480.0, 490.0), (440.0, 590.0), 0.95),
    ]
    monkeypatch.setattr(faces, "available", lambda: True)
    monkeypatch.setattr(faces, "find_faces", lambda rgb: found)
    monkeypatch.setattr("kerasgan.data.prepare.find_faces", lambda rgb: found)
    return found


@pytest.mark.parametrize("crop", data.CROPS)
@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_what_the_cache_holds(
    photograph: Path, two_faces: list[Face], tmp_path: Path, crop: str, channels: int
) -> None:
    options = {"size": 48, "channels": channels, "crop": crop}
    pictures = data.load(str(photograph.parent), cache=tmp_path / "cache", **options)
    for raw in (str(photograph), photograph, photograph.read_bytes()):
        alone = data.prepare_one(raw, **options)
        assert alone.dtype == np.uint8
        assert alone.shape == (2 if crop == "face" else 1, 48, 48, channels)
        np.testing.assert_array_equal(alone, pictures.pixels)


def test_pixels_may_be_given(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8)
    np.testing.assert_array_equal(data.prepare_one(pixels, size=20, channels=1)[0, ..., 0], pixels)


def test_what_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("dear diary")
    Image.new("L", (3, 9)).save(tmp_path / "small.png")
    for name, why in (
        ("text.jpg", "not a picture in a known format"),
        ("small.png", "too small: 3x9"),
        ("none.png", "no longer there"),
    ):
        with pytest.raises(UserError) as caught:
            data.prepare_one(tmp_path / name, size=32)
        assert f"Received: {tmp_path / name} ({why})." in str(caught.value)
    with pytest.raises(UserError, match=r"Received: bytes \(not a picture"):
        data.prepare_one(b"dear diary", size=32)


def test_a_picture_without_a_face_is_refused(photograph: Path, two_faces: list[Face]) -> None:
    two_faces.clear()
    with pytest.raises(UserError, match="no face found"):
        data.prepare_one(photograph, size=32, crop="face")


@pytest.mark.parametrize(
    ("options", "rule"),
    [({"size": 2}, "--size"), ({"size": 32, "crop": "oval"}, "--crop"),
     ({"size": 32, "channels": 2}, "--channels")],
)  # fmt: skip
def test_arguments_out_of_range_are_refused(
    photograph: Path, options: dict[str, object], rule: str
) -> None:
    with pytest.raises(UserError, match=rule):
        data.prepare_one(photograph, **options)
