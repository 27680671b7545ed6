"""Zip and tar archives as sources: read in place, whatever is in them."""

import csv
import gzip
import io
import os
import stat
import struct
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.data import __main__ as command
from kerasgan.data import archive as archive_module
from kerasgan.data import cache as cache_module
from kerasgan.data.archive import clean
from kerasgan.data.export import export
from kerasgan.errors import UserError

TARS = {".tar": "w", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}
Files = Iterable[tuple[str, bytes]]


def png(value: int, size: int = 20) -> bytes:
    """A grey picture of one value."""
    file = io.BytesIO()
    Image.new("L", (size, size), value).save(file, "PNG")
    return file.getvalue()


def make_zip(path: Path, files: Files, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return path


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def make_tar(path: Path, files: Iterable[tuple[str | tarfile.TarInfo, bytes]]) -> Path:
    mode = TARS["." + path.name.partition(".")[2]]
    with tarfile.open(path, mode) as archive:
        for name, content in files:
            info = name if isinstance(name, tarfile.TarInfo) else member(name, content)[0]
            archive.addfile(info, io.BytesIO(content))
    return path


def load(path: Path, **options: object) -> data.Pictures:
    return data.load(str(path), **{"size": 16, "cache": path.parent / "cache", **options})


def values(pictures: data.Pictures) -> list[int]:
    return [int(picture[8, 8, 0]) for picture in pictures.pixels]


def rejected(pictures: data.Pictures) -> list[list[str]]:
    path = pictures.folder / "rejected.csv"
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.reader(file))[1:]


def refused(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Runs the command on what it should refuse, in one line; returns the line."""
    words = [str(path), "--size", "16", "--cache", str(path.parent / "cache")]
    assert command.main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert captured.err.startswith("error: ")
    assert not list((path.parent / "cache").glob("[!r]*"))  # no cache; `recent` may be there
    return captured.err


FIVE = [(name, png(value)) for value, name in enumerate(["b.png", "a.png", "c/x.PNG"], start=1)]


def test_zip_in_the_order_of_its_names(tmp_path: Path) -> None:
    pictures = load(make_zip(tmp_path / "faces.zip", [*FIVE, ("readme.txt", b"hello")]))
    assert values(pictures) == [2, 1, 3]
    assert pictures.table.names == ["a.png", "b.png", "c/x.PNG"]
    assert rejected(pictures) == [] and pictures.folder.name.startswith("faces-16-")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "faces.zip"]


@pytest.mark.parametrize("ending", TARS)
def test_tar_sorted_where_it_can_be_read_from_anywhere(tmp_path: Path, ending: str) -> None:
    pictures = load(make_tar(tmp_path / f"faces{ending}", [*FIVE, ("readme.txt", b"hello")]))
    assert values(pictures) == ([2, 1, 3] if ending == ".tar" else [1, 2, 3])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", f"faces{ending}"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_large_member_of_a_zip(tmp_path: Path, method: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    content = (tmp_path / "noise.png").read_bytes()
    assert len(content) > 3 * archive_module.READ  # read in several pieces
    pictures = load(make_zip(tmp_path / "a.zip", [("noise.png", content)], method), size=300)
    np.testing.assert_array_equal(pictures.pixels[0], noise)


def test_folder_zip_and_tar_give_the_same(tmp_path: Path) -> None:
    files = [("one/a.png", png(1)), ("one/b.png", png(2)), ("two/a.png", png(3))]
    table = ("list_attr_celeba.csv", b"image_id,Smiling\na.png,1\nb.png,-1\n")
    for name, content in [*files, table]:
        (tmp_path / "faces" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "faces" / name).write_bytes(content)
    packed = [make_zip(tmp_path / "a.zip", [*files, table])]
    packed += [make_tar(tmp_path / name, [*files, table]) for name in ("a.tar", "a.tgz")]
    expected = load(tmp_path / "faces")
    assert expected.label_names == ["one", "two"]
    for path in packed:
        found = load(path)
        np.testing.assert_array_equal(found.pixels, expected.pixels)
        assert found.table.names == expected.table.names
        assert found.label_names == expected.label_names
        assert found.table.labels.tolist() == [0, 0, 1]
        assert found.table.attribute_names == ["Smiling"]
        assert found.table.attributes.tolist() == [[1], [-1], [1]]


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_hidden_files_and_what_a_mac_adds_are_left_out(tmp_path: Path, make) -> None:
    names = ["__MACOSX/a.png", ".git/a.png", "x/.hidden.png", "x/._a.png"]
    path = tmp_path / ("a.zip" if make is make_zip else "a.tar")
    pictures = load(make(path, [*((name, png(9)) for name in names), ("x/a.png", png(1))]))
    assert values(pictures) == [1] and pictures.rejected == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../evil.png", "evil.png"),
        ("/etc/evil.png", "etc/evil.png"),
        ("C:\\Windows\\evil.png", "Windows/evil.png"),
        ("a/../../b/./evil.png", "a/b/evil.png"),
        ("\\\\server\\share\\evil.png", "server/share/evil.png"),
        ("..", ""),
    ],
)
def test_paths_lead_nowhere_else(name: str, expected: str) -> None:
    assert clean(name) == expected


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_nothing_is_written_outside(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    names = ["../../evil.png", str(tmp_path / "evil.png"), "..\\..\\evil.png", "../a/../b/evil.png"]
    files = [(name, png(value)) for value, name in enumerate(names, start=1)]
    make = make_zip if kind == "zip" else make_tar
    path = make(inside / f"faces.{kind}", files)
    words = [str(path), "--size", "16", "--cache", str(inside / "cache")]
    assert command.main([*words, "--export", str(inside / "out")]) == 0
    assert command.main([*words, "--export", str(inside / "out.zip")]) == 0
    assert capsys.readouterr().out.startswith("4 pictures of 16x16")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["deep"]
    assert sorted(item.name for item in (tmp_path / "deep").iterdir()) == ["inside"]
    found = {item.name for item in inside.iterdir()}
    assert found == {"cache", "out", "out.zip", f"faces.{kind}"}


def test_classes_with_evil_names_stay_inside_the_export(tmp_path: Path) -> None:
    files = [("x/ . . /a.png", png(1)), ("x/a\n|b/a.png", png(2)), ("x/~root$/a.png", png(3))]
    pictures = load(make_zip(tmp_path / "a.zip", files))
    assert pictures.label_names == [" . . ", "a\n|b", "~root$"]
    export(pictures, tmp_path / "out")
    exported = sorted(str(p.relative_to(tmp_path / "out")) for p in tmp_path.rglob("out/*/*.png"))
    assert exported == ["00000_/000000.png", "00001_a__b/000001.png", "00002_~root$/000002.png"]


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_archive_in_an_archive_is_rejected_by_name(tmp_path: Path, make) -> None:
    inner = make_zip(tmp_path / "inner.zip", FIVE).read_bytes()
    path = tmp_path / ("a.zip" if make is make_zip else "a.tar")
    # The inner zip comes last: at its end, the tar looks like a zip.
    pictures = load(make(path, [("a.png", png(7)), ("x/inner.zip", inner)]))
    assert values(pictures) == [7]
    assert rejected(pictures) == [["x/inner.zip", "an archive inside the archive: unpack it"]]


def test_kind_is_told_by_the_content(tmp_path: Path) -> None:
    make_zip(tmp_path / "a.zip", FIVE).rename(tmp_path / "a.tar")
    assert values(load(tmp_path / "a.tar")) == [2, 1, 3]
    make_tar(tmp_path / "b.tgz", FIVE).rename(tmp_path / "b.tar")
    assert values(load(tmp_path / "b.tar")) == [1, 2, 3]


def patched(path: Path, name: str, offset: int, layout: str, *new: int) -> None:
    """Overwrites fields of one member, in its entry of a zip's directory."""
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2")
    while content[entry + 46 : entry + 46 + len(name)] != name.encode():
        entry = content.index(b"PK\1\2", entry + 4)
    struct.pack_into(layout, content, entry + offset, *new)
    path.write_bytes(content)


FLAGS, METHOD, CRC, SIZE = (8, "<H"), (10, "<H"), (16, "<L"), (24, "<L")  # in a directory's entry


def test_members_that_are_not_what_they_claim_cost_themselves_alone(tmp_path: Path) -> None:
    names = ["crc.png", "encrypted.png", "good.png", "huge.png", "method.png", "short.png"]
    files = [(name, png(value)) for value, name in enumerate(names, start=1)]
    path = make_zip(tmp_path / "a.zip", [*files, ("empty.png", b"")])
    patched(path, "crc.png", *CRC, 12345)
    patched(path, "encrypted.png", *FLAGS, 1)
    patched(path, "huge.png", *SIZE, 3_000_000_000)
    patched(path, "method.png", *METHOD, zipfile.ZIP_BZIP2)
    patched(path, "short.png", *SIZE, 40)
    pictures = load(path)
    assert values(pictures) == [3]
    reasons = dict(rejected(pictures))
    assert reasons.pop("crc.png").startswith("damaged in the archive: Bad CRC-32")
    assert reasons.pop("short.png").startswith("damaged in the archive: ")
    assert reasons == {
        "empty.png": "empty file",
        "encrypted.png": "encrypted: unpack the archive with its password",
        "huge.png": "too large: 3,000,000,000 bytes",
        "method.png": "compressed otherwise than by deflate: unpack the archive",
    }


def test_bomb_behind_a_small_claim_is_not_inflated(tmp_path: Path, peak) -> None:
    path = make_zip(tmp_path / "a.zip", [("bomb.png", bytes(30_000_000)), ("good.png", png(5))])
    patched(path, "bomb.png", *SIZE, 1000)
    assert peak(lambda: load(path)) < 10_000_000
    pictures = load(path)
    assert values(pictures) == [5] and rejected(pictures)[0][0] == "bomb.png"


def test_encrypted_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = ("list_attr_celeba.csv", b"image_id,Smiling\na.png,1\n")
    path = make_zip(tmp_path / "a.zip", FIVE)
    for name, _ in FIVE:
        patched(path, name, *FLAGS, 1)
    assert "3 rejected (encrypted: 3)" in refused(path, capsys)
    path = make_zip(tmp_path / "b.zip", [*FIVE, table])
    patched(path, table[0], *FLAGS, 1)
    assert "list_attr_celeba.csv in " in (line := refused(path, capsys))
    assert "encrypted: unpack the archive with its password" in line


@pytest.mark.parametrize("ending", [".zip", *TARS])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.9])
def test_truncated_archive(
    tmp_path: Path, ending: str, share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 3000, np.uint8).tobytes()
    files = [*FIVE, ("d.png", noise), ("e.png", noise)]
    path = tmp_path / f"a{ending}"
    (make_zip if ending == ".zip" else make_tar)(path, files)
    content = path.read_bytes().rstrip(b"\0")
    path.write_bytes(content[: int(share * len(content))])
    assert "should be a whole zip or tar file" in refused(path, capsys)


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"dear diary", "is not a zip file"),
        (b"PK\5\6" + bytes(18), "with none"),  # a zip of nothing
        (bytes(10240), "is not a zip file"),
    ],
)
def test_what_is_no_archive_of_pictures(
    tmp_path: Path, content: bytes, fact: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    assert fact in refused(tmp_path / "a.zip", capsys)


def test_tar_without_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "with none" in refused(make_tar(tmp_path / "a.tar", [("a.txt", b"hello")]), capsys)
    (tmp_path / "b.tar").write_bytes(b"dear diary" * 100)
    assert "should be a whole zip or tar file" in refused(tmp_path / "b.tar", capsys)


@pytest.mark.parametrize("ending", [".tar", ".tgz"])
def test_damaged_header_is_not_taken_for_the_end(
    tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = make_tar(tmp_path / "plain.tar", FIVE).read_bytes()
    begin = plain.index(b"c/x.PNG")
    damaged = tarfile_bytes(plain[:begin] + b"X" + plain[begin + 1 :], ending)
    (tmp_path / f"a{ending}").write_bytes(damaged)
    assert f"bad checksum at byte {begin:,}" in refused(tmp_path / f"a{ending}", capsys)


def tarfile_bytes(plain: bytes, ending: str) -> bytes:
    return gzip.compress(plain) if ending == ".tgz" else plain


def test_size_below_zero_does_not_turn_for_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_tar(tmp_path / "a.tar", FIVE)
    content = bytearray(path.read_bytes())
    begin = content.index(b"a.png")
    content[begin + 124 : begin + 136] = (-1024).to_bytes(12, "big", signed=True)
    content[begin + 148 : begin + 156] = b" " * 8
    content[begin + 148 : begin + 155] = b"%06o\0" % sum(content[begin : begin + 512])
    path.write_bytes(content)
    assert "a size below zero" in refused(path, capsys)


@pytest.mark.parametrize("ending", [".tar", ".tgz"])
def test_links_and_devices_in_a_tar(tmp_path: Path, ending: str) -> None:
    kinds = {
        "device.png": tarfile.CHRTYPE,
        "hard.png": tarfile.LNKTYPE,
        "link.png": tarfile.SYMTYPE,
        "pipe.png": tarfile.FIFOTYPE,
    }
    odd = [member(name, type=kind, linkname="/etc/passwd") for name, kind in kinds.items()]
    folder = member("folder.png", type=tarfile.DIRTYPE)
    files = [*odd, folder, ("/absolute/good.png", png(4)), ("void.png", b"")]
    pictures = load(make_tar(tmp_path / f"a{ending}", files))
    assert values(pictures) == [4]
    assert pictures.table.names == ["absolute/good.png"]
    expected = {name: "not a file but a link or a device" for name in kinds}
    assert dict(rejected(pictures)) == {**expected, "void.png": "empty file"}


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tgz"])
def test_member_too_large_for_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(archive_module, "MAX_FILE", 1000)
    files = [("a.png", png(1)), ("b.png", bytes(1001)), ("c.png", png(3))]
    make = make_zip if ending == ".zip" else make_tar
    pictures = load(make(tmp_path / f"a{ending}", files))
    assert values(pictures) == [1, 3]
    assert rejected(pictures) == [["b.png", "too large: 1,001 bytes"]]


def test_table_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(archive_module, "MAX_FILE", 1000)
    files = [("a.png", png(1)), ("list_attr_celeba.txt", b"Smiling\n" + b" " * 1000)]
    for path in (make_zip(tmp_path / "a.zip", files), make_tar(tmp_path / "a.tar", files)):
        assert "list_attr_celeba.txt in " in (line := refused(path, capsys))
        assert "too large: 1,008 bytes" in line


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tgz"])
def test_names_of_any_kind_and_twice(tmp_path: Path, ending: str) -> None:
    names = [
        "a.png",
        "a.png",
        "line\nbreak.png",
        "re\rturn.png",
        'comma, "quote".png',
        "顔/лицо😀.png",
    ]
    if ending != ".zip":
        names.append(os.fsdecode(b"bad\xff.png"))
    files = [(name, png(value)) for value, name in enumerate(names, start=1)]
    make = make_zip if ending == ".zip" else make_tar
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a name is there already
        path = make(tmp_path / f"a{ending}", [*files, ("b\n.jpg", b"no picture")])
    pictures = load(path)
    found = dict(zip(values(pictures), pictures.table.names, strict=True))
    assert found == dict(enumerate(names, start=1))
    assert rejected(pictures) == [["b\n.jpg", "not a picture in a known format"]]


def test_limit(tmp_path: Path) -> None:
    for ending in (".zip", ".tar", ".tgz"):
        make = make_zip if ending == ".zip" else make_tar
        files = [("0.png", b"no picture"), *((f"{n}.png", png(n)) for n in range(1, 60))]
        pictures = load(make(tmp_path / f"a{ending}", files), limit=3)
        assert len(pictures.pixels) == 3 and pictures.rejected <= 1


def test_changed_archive_is_read_again(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", FIVE)
    assert values(load(path)) == [2, 1, 3]
    make_zip(path, [*FIVE, ("d.png", png(4))])
    assert values(load(path)) == [2, 1, 3, 4]


def test_disk_that_is_full_before_the_first_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module.PictureWriter, "__init__", full)
    for path in (make_zip(tmp_path / "a.zip", FIVE), make_tar(tmp_path / "a.tgz", FIVE)):
        assert "The cache needs up to " in refused(path, capsys)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes need POSIX")
def test_pipe_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "a.zip")
    assert stat.S_ISFIFO(os.stat(tmp_path / "a.zip").st_mode)
    assert "which is a pipe or a device" in refused(tmp_path / "a.zip", capsys)


def test_archive_in_a_folder_is_pointed_to(tmp_path: Path) -> None:
    make_zip(tmp_path / "a.zip", FIVE)
    with pytest.raises(UserError, match=r"Type .*a\.zip to read that archive"):
        load(tmp_path)
    assert data.find_source(tmp_path) == str(tmp_path / "a.zip")
