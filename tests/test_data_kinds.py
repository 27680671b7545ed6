"""Which files of a folder or archive are pictures, and what is said of those that are not read."""

import csv
import io
import os
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.cli import run
from kerasgan.data import __main__ as command
from kerasgan.data.decode import Rejected, decode, open_upright
from kerasgan.data.kinds import kind_of, looks_like_picture, reason_of

RED = (255, 0, 0)


def saved(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    file = io.BytesIO()
    (image or Image.new("RGB", (40, 40), RED)).save(file, kind, **options)
    return file.getvalue()


def two_frames(kind: str, **options: object) -> bytes:
    others = [Image.new("RGB", (40, 40), "blue")]
    return saved(kind, save_all=True, append_images=others, **options)


def bilevel() -> Image.Image:
    return Image.new("1", (40, 40), 1)


READ = {  # name: content, colour
    "phone.MPO": (two_frames("MPO"), RED),
    "scan.pbm": (saved("PPM", bilevel()), (255, 255, 255)),
    "scan.pgm": (saved("PPM", Image.new("L", (40, 40), 77)), (77, 77, 77)),
    "scan.ppm": (saved("PPM"), RED),
    "film.jp2": (saved("JPEG2000"), RED),
    "film.j2k": (saved("JPEG2000", no_jp2=True), RED),
    "render.tga": (saved("TGA"), RED),
    "render.TGA.tga": (saved("TGA", compression="tga_rle"), RED),
    "icon.ico": (saved("ICO", sizes=[(40, 40)]), RED),
    "icon.icns": (saved("ICNS", Image.new("RGB", (64, 64), RED)), RED),
    "old.pcx": (saved("PCX"), RED),
    "old.sgi": (saved("SGI"), RED),
    "new.qoi": (saved("QOI"), RED),
    "game.dds": (saved("DDS"), RED),
    "fax.xbm": (saved("XBM", bilevel()), (255, 255, 255)),
    "wrong.png": (saved("JPEG"), RED),
    "wrong.jpg": (saved("PNG"), RED),
    "IMG_0001": (saved("JPEG"), RED),  # no ending, or one that says nothing
    "0a1b2c.8f": (saved("PNG"), RED),
    "photo.jpg_large": (saved("JPEG"), RED),
    "photo.webp~1": (saved("WEBP"), RED),
    "moving.gif": (two_frames("GIF"), RED),
    "moving.apng": (two_frames("PNG"), RED),
}
NOT_READ = {  # name: content, how the reason begins
    "drawing.svg": (b"<?xml version='1.0'?><svg/>", "a drawing"),
    "raw.DNG": (b"II*\0" + bytes(99), "a camera's raw file"),
    "raw.cr2": (b"II*\0" + bytes(99), "a camera's raw file"),
    "layers.xcf": (b"gimp xcf v011", "a painting program's own file"),
    "clip.mp4": (b"\0\0\0\x18ftypmp42", "a video"),
    "clip.MOV": (b"\0\0\0\x14ftypqt  ", "a video"),
    "next.jxl": (b"\xff\x0a", "a format that is not read"),
    "fake.jpg": (b"<!DOCTYPE html><html>404</html>", "a web page, not a picture"),
    "drawn.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a drawing"),
    "print.eps": (b"%!PS-Adobe-3.0 EPSF-3.0", "a drawing"),
    "none.jpg": (b"dear diary", "not a picture in a known format"),
}
OTHERS = {  # name: content, all of it no picture
    "notes.txt": b"red",
    "labels.csv": b"a,b\n",
    "meta.json": b"{}",
    "Thumbs.db": saved("JPEG"),
    "desktop.ini": b"[x]",
    ".DS_Store": b"\0\0\0\1Bud1",
    "._IMG_1.jpg": b"\0\5\x16\7",
    "train.py": b"print()",
    "IMG_1.AAE": b"<?xml",
    "LICENSE": b"MIT",
    "Makefile": b"all:",
    "names": b"Anna\nBo\n",
    "weights.xyz": bytes(range(256)),
    "__MACOSX/a.jpg": b"\0\5\x16\7",
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg": saved("JPEG"),
    "CelebAMask-HQ-mask-anno/0/00000_hair.png": saved("PNG", bilevel()),
}


def everything() -> dict[str, bytes]:
    read = {name: content for name, (content, _) in READ.items()}
    return read | {name: content for name, (content, _) in NOT_READ.items()} | OTHERS


def make_folder(place: Path) -> Path:
    for name, content in everything().items():
        path = place / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if hasattr(os, "mkfifo"):
        os.mkfifo(place / "faces" / "pipe")  # without an ending: must not be waited for
    return place / "faces"


def make_zip(place: Path) -> Path:
    with zipfile.ZipFile(place / "faces.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in everything().items():
            archive.writestr(name, content)
    return place / "faces.zip"


def make_tar(place: Path, name: str = "faces.tar", mode: str = "w") -> Path:
    with tarfile.open(place / name, mode) as archive:
        for member, content in everything().items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return place / name


def make_compressed_tar(place: Path) -> Path:
    return make_tar(place, "faces.tar.gz", "w:gz")


@pytest.mark.parametrize("make", [make_folder, make_zip, make_tar, make_compressed_tar])
def test_by_content_and_counted(make: object, tmp_path: Path) -> None:
    source = make(tmp_path)
    pictures = data.load(str(source), size=32, cache=tmp_path / "cache")
    middles = dict(zip(pictures.table.names, pictures.pixels[:, 16, 16].astype(int), strict=True))
    assert sorted(middles) == sorted(READ)
    for name, (_, colour) in READ.items():
        assert abs(middles[name] - colour).max() <= 3, name
    with open(pictures.folder / "rejected.csv", newline="") as file:
        rejected = dict(list(csv.reader(file))[1:])
    assert sorted(rejected) == sorted(NOT_READ)
    for name, (_, reason) in NOT_READ.items():
        assert rejected[name].startswith(reason), name


def test_the_check_tells_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(make_folder(tmp_path)), "--check", "--size", "32", "--faces", "0"]
    assert run(command.main, [*words, "--cache", str(tmp_path / "cache")]) == 0
    told = capsys.readouterr().out
    assert f"{len(READ)} of {len(READ) + len(NOT_READ)} pictures can be used" in told
    with open(tmp_path / "cache" / "check-faces.csv", newline="") as file:
        rows = [row for row in csv.reader(file) if row[0] == "broken"]
    assert sorted(row[1] for row in rows) == sorted(NOT_READ)


def test_classes_are_those_of_pictures(tmp_path: Path) -> None:
    for name in ("her/a.png", "him/b.png"):
        (tmp_path / "faces" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "faces" / name).write_bytes(saved("PNG"))
    (tmp_path / "faces" / "clip.mov").write_bytes(b"a video")
    pictures = data.load(str(tmp_path / "faces"), size=32, cache=tmp_path / "cache")
    assert pictures.label_names == ["her", "him"] and pictures.rejected == 1
    np.testing.assert_array_equal(pictures.table.labels, [0, 1])


def test_names_that_tell_are_not_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.txt", "b.json", "c.png"):
        (tmp_path / name).write_bytes(saved("PNG"))
    monkeypatch.setattr("builtins.open", lambda *_, **__: pytest.fail("looked into"))
    assert data.open_source(str(tmp_path)).count == 1


def test_a_kind_that_this_pillow_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    file = saved("AVIF")
    monkeypatch.setattr("kerasgan.data.decode._formats", lambda: ("PNG", "GIF"))
    with pytest.raises(Rejected, match="^AVIF, which this version of Pillow does not read"):
        open_upright(file)


def test_heic_by_any_name(tmp_path: Path) -> None:
    image = Image.new("RGB", (64, 40), RED)
    image.paste((0, 0, 255), (0, 0, 20, 40))
    (tmp_path / "faces").mkdir()
    for name in ("IMG_1.HEIC", "IMG_2.jpg", "IMG_3"):
        (tmp_path / "faces" / name).write_bytes(saved("HEIF", image))
    pictures = data.load(str(tmp_path / "faces"), size=32, crop="none", cache=tmp_path / "cache")
    assert len(pictures.pixels) == 3
    assert abs(pictures.pixels[:, 16, 4].astype(int) - (0, 0, 255)).max() <= 12
    assert abs(pictures.pixels[:, 16, 28].astype(int) - RED).max() <= 12


def test_heic_stands_upright() -> None:
    image = Image.new("RGB", (60, 40), RED)
    image.paste((0, 0, 255), (0, 0, 60, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise: blue on the right
    for kind in ("HEIF", "AVIF"):
        found = open_upright(saved(kind, image, exif=exif.tobytes()))
        assert (found.width, found.height) == found.image.size == (40, 60)
        assert abs(np.array(found.image.getpixel((37, 30))) - (0, 0, 255)).max() <= 12, kind
        assert abs(np.array(found.image.getpixel((5, 30))) - RED).max() <= 12, kind


def test_heic_without_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "a.png").write_bytes(saved("PNG"))
    (tmp_path / "faces" / "IMG_1.HEIC").write_bytes(saved("HEIF"))
    monkeypatch.setitem(sys.modules, "pillow_heif.as_plugin", None)  # as if not installed
    monkeypatch.setattr(data, "find_spec", lambda _: None)
    words = [str(tmp_path / "faces"), "--size", "32", "--cache", str(tmp_path / "cache")]
    assert run(command.main, words) == 0
    told = capsys.readouterr().out
    assert '1 HEIC rejected: type pip install "kerasgan[heic]"' in told
    with pytest.raises(Rejected, match="kerasgan.heic."):
        decode(saved("HEIF"), 32)
    monkeypatch.undo()  # now it is installed, and the same words give both
    assert run(command.main, words) == 0
    assert capsys.readouterr().out.startswith("2 pictures of 32x32")


def test_no_plugin_is_loaded_for_other_pictures() -> None:
    import subprocess

    script = (
        "import sys, io; from PIL import Image; from kerasgan.data.decode import decode\n"
        "f = io.BytesIO(); Image.new('L', (20, 20)).save(f, 'PNG'); decode(f.getvalue(), 16)\n"
        "assert 'pillow_heif' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_raw_file_by_its_content() -> None:
    directory = Image.new("RGB", (40, 40), RED)
    file = saved("TIFF", directory, tiffinfo={0xC612: b"\1\4\0\0"})
    with pytest.raises(Rejected, match="^a camera's raw file"):
        open_upright(file)


@pytest.mark.parametrize(
    ("name", "told"),
    [("a.JPG", True), ("a.mpo", True), ("a.svg", True), ("a.txt", False), ("a", None),
     ("a.tar.gz", False), ("a.jpeg.1", None), ("x.Y/a.Jp2", True)],
)  # fmt: skip
def test_what_a_name_tells(name: str, told: bool | None) -> None:
    assert looks_like_picture(name) is told


def test_what_the_first_bytes_tell() -> None:
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000", "QOI"):
        assert kind_of(saved(kind)[:256]) == kind
    assert kind_of(saved("HEIF")[:256]) == "HEIC"
    for begins in (b"", b"BM", b"BMW is a car maker, and this is text", b"P1", b"PNG", bytes(256)):
        assert kind_of(begins) is None
    assert reason_of(b"%PDF-1.7") is not None and reason_of(b"dear diary") is None
