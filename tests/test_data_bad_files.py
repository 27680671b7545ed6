"""The worst folder: every kind of bad file at once, and disks that fill up."""

import csv
import io
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.data import __main__ as command
from kerasgan.data import cache as cache_module
from kerasgan.errors import UserError

GOOD = {  # file: colour of its middle, once it is prepared
    "animated.gif": (255, 0, 0),
    "animated.webp": (255, 0, 0),
    "cmyk.jpg": (255, 0, 0),
    "grey 16.tif": (128, 128, 128),
    "line\nbreak.png": (255, 0, 0),
    "palette.png": (255, 255, 255),
    "re\rturn.png": (255, 0, 0),
    "лицо 顔 😀.png": (255, 0, 0),
}
BAD = {  # file: how the reason begins
    "bomb.png": "too large: ",
    "broken link.png": "cannot be read: No such file or directory",
    "dot.png": "too small: 1x1",
    "empty.jpg": "empty file",
    "float.tif": "floating-point pixels: save it with 8 or 16 bits",
    "line.png": "too small: 1x5000",
    "loop.png": "cannot be read: ",
    "text.jpg": "not a picture in a known format",
    "truncated.jpg": "damaged: ",
    "truncated.png": "damaged: ",
}


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def claim(png: bytes, width: int, height: int) -> bytes:
    """A PNG that says it has another size."""
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + png[24:29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4, "big") + png[33:]


def contents() -> dict[str, bytes]:
    red, blue = Image.new("RGB", (40, 40), "red"), Image.new("RGB", (40, 40), "blue")
    noise = Image.effect_noise((40, 40), 90)
    half = np.full((40, 40), 128 * 257, np.uint16)
    frames = {"save_all": True, "append_images": [blue]}
    return {
        "animated.gif": encoded(red, "GIF", **frames),
        "animated.webp": encoded(red, "WEBP", lossless=True, **frames),
        "bomb.png": claim(encoded(red, "PNG"), 50_000, 50_000),
        "cmyk.jpg": encoded(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "JPEG", quality=100),
        "dot.png": encoded(Image.new("L", (1, 1)), "PNG"),
        "empty.jpg": b"",
        "float.tif": encoded(Image.new("F", (40, 40), 0.5), "TIFF"),
        "grey 16.tif": encoded(Image.fromarray(half), "TIFF"),
        "line.png": encoded(Image.new("L", (1, 5000)), "PNG"),
        "line\nbreak.png": encoded(red, "PNG"),
        "palette.png": encoded(red.quantize(2), "PNG", transparency=0),
        "re\rturn.png": encoded(red, "PNG"),
        "text.jpg": b"dear diary",
        "truncated.jpg": encoded(noise, "JPEG")[:-500],
        "truncated.png": encoded(noise, "PNG")[:-500],
        "лицо 顔 😀.png": encoded(red, "PNG"),
    }


@pytest.fixture
def worst(tmp_path: Path) -> Path:
    """A folder of good and bad files."""
    folder = tmp_path / "worst"
    folder.mkdir()
    for name, content in contents().items():
        (folder / name).write_bytes(content)
    (folder / "broken link.png").symlink_to("nowhere.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "loop").symlink_to("loop")
    (folder / "round").symlink_to(folder)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="such links and names need POSIX")
def test_worst_folder(worst: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(worst), "--size", "32", "--cache", str(worst.parent / "cache")]
    assert command.main([*words, "--export", str(worst.parent / "out")]) == 0
    captured = capsys.readouterr()
    assert captured.err == "" and captured.out.count("\n") == 1
    assert captured.out.startswith("8 pictures of 32x32 from ")
    assert f"(10 rejected, see {worst.parent}" in captured.out
    pictures = data.load(str(worst), size=32, cache=worst.parent / "cache")
    names = pictures.table.names
    assert names == sorted(GOOD) and len(list((worst.parent / "out").glob("*.png"))) == 8
    middles = dict(zip(names, pictures.pixels[:, 16, 16].astype(int), strict=True))
    for name, colour in GOOD.items():
        assert abs(middles[name] - colour).max() <= 3, name  # JPEG's own loss
    with open(pictures.folder / "rejected.csv", encoding="utf-8", newline="") as file:
        rejected = dict(list(csv.reader(file))[1:])
    assert list(rejected) == sorted(BAD)
    for name, reason in BAD.items():
        assert rejected[name].startswith(reason), name


def test_nothing_but_bad_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "worst"
    folder.mkdir()
    for name in BAD.keys() & contents().keys():
        (folder / name).write_bytes(contents()[name])
    assert command.main([str(folder), "--cache", str(tmp_path / "cache")]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert "with 8 rejected (too small: 2, damaged: 2, " in captured.err
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_pillow_logs_stays_inside(tmp_path: Path) -> None:
    tiff = encoded(Image.new("RGB", (40, 40), "red"), "TIFF")
    samples = struct.pack("<HHLL", 277, 3, 1, 3)  # SamplesPerPixel: one number of 16 bits
    assert samples in tiff
    (tmp_path / "a.tif").write_bytes(tiff.replace(samples, struct.pack("<HHLL", 277, 3, 1, 771)))
    words = [sys.executable, "-m", "kerasgan.data", str(tmp_path), "--cache", str(tmp_path / "c")]
    done = subprocess.run(words, capture_output=True, text=True)  # pytest has handlers of its own
    assert done.returncode == 2 and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pictures.csv", b""),
        ("pictures.csv", b"picture,name\r\n0\r\n"),
        ("pictures.csv", b"picture,name\r\n" + b"x" * 200_000),
        ("pictures.csv", b"picture,name,A\r\n" + b"0,a,999\r\n" * 8),
        ("pictures.csv", None),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="such links and names need POSIX")
def test_damaged_table_of_a_cache(worst: Path, name: str, content: bytes | None) -> None:
    pictures = data.load(str(worst), size=16, cache=worst.parent / "cache")
    if content is None:
        (pictures.folder / name).unlink()
    else:
        (pictures.folder / name).write_bytes(content)
    with pytest.raises(UserError, match="A cache should be whole") as caught:
        _ = pictures.table
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"[" * 5000, b"[]", b'{"count": 1}', b"\xff"])
def test_damaged_description_of_a_cache(tmp_path: Path, content: bytes) -> None:
    Image.new("L", (20, 20)).save(tmp_path / "a.png")
    folder = data.load(str(tmp_path), size=16, cache=tmp_path / "cache").folder
    (folder / "meta.json").write_bytes(content)
    assert len(data.load(str(tmp_path), size=16, cache=tmp_path / "cache").pixels) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB, where the system lets us make one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if not mount or subprocess.run([mount, *options], capture_output=True).returncode:
        pytest.skip("mounting a file system is not allowed")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_disk_that_fills_up(
    tmp_path: Path,
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for number in range(12):
        path = tmp_path / "faces" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (20, 20), number).save(path)
    words = [str(tmp_path / "faces"), "--size", "100", "--cache", str(small_disk / "cache")]
    needed = "The cache needs up to 0.4 MB. Received: "  # 12 * 100 * 100 * 3 = 360,000 bytes
    assert command.main(words) == 2 and needed in capsys.readouterr().err
    monkeypatch.setattr(cache_module, "_check_space", lambda *_: None)  # others fill it meanwhile
    assert command.main(words) == 2 and needed in (line := capsys.readouterr().err)
    assert "0.3 MB are free" in line and line.count("\n") == 1
    assert list((small_disk / "cache").iterdir()) == []
    assert command.main([*words, "--limit", "5"]) == 0  # what it advises helps
    capsys.readouterr()
    export = [*words, "--limit", "5", "--export", str(small_disk / "out")]
    (small_disk / "filler").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096 - 4096))
    assert command.main(export) == 2
    assert "--export should name a folder or zip that can be written" in capsys.readouterr().err
    assert sorted(path.name for path in small_disk.iterdir()) == ["cache", "filler"]
