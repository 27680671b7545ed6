"""The next start: quick where nothing has changed, and never on yesterday's pictures."""

import json
import os
import shutil
import sys
import time
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.data import FORMAT, folder, recent
from kerasgan.data import __main__ as command
from kerasgan.data.source import Source

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0  # may read everything


def png(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (20, 20), value).save(path, format="PNG")


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Pictures of values 1 and 2, the second in a sub-folder, with an attribute table."""
    png(tmp_path / "faces" / "a.png", 1)
    png(tmp_path / "faces" / "b" / "b.png", 2)
    (tmp_path / "faces" / "list_attr_celeba.csv").write_text("image_id,A\na.png,1\nb.png,-1\n")
    return tmp_path / "faces"


def load(source: Path, **options: object) -> data.Pictures:
    return data.load(str(source), **{"size": 16, "cache": source.parent / "cache", **options})


def values(pictures: data.Pictures) -> list[int]:
    return [int(picture[8, 8, 0]) for picture in pictures.pixels]


def notes(source: Path) -> list[Path]:
    return sorted((source.parent / "cache" / "recent").iterdir())


@pytest.fixture
def no_listing(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes every later listing of a source fail."""

    def forbid() -> None:
        monkeypatch.setattr(data, "open_source", lambda *_: pytest.fail("listed again"))

    return forbid


def test_second_start_does_not_list(faces: Path, no_listing: Callable[[], None]) -> None:
    first = load(faces)
    no_listing()
    second = load(faces)
    assert second.fingerprint == first.fingerprint and values(second) == [1, 2]
    assert second.request == first.request
    assert second.table.attributes.tolist() == [[1], [-1]]
    detour = faces / ".." / "faces"
    assert load(detour, cache=faces.parent / "cache").folder == first.folder


def test_second_start_of_an_archive_and_of_arrays(
    tmp_path: Path, no_listing: Callable[[], None]
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        png(tmp_path / "x.png", 3)
        archive.write(tmp_path / "x.png", "x.png")
    np.save(tmp_path / "a.npy", np.full((2, 20, 20), 4, np.uint8))
    paths = [tmp_path / "a.zip", tmp_path / "a.npy"]
    first = [load(path).fingerprint for path in paths]
    no_listing()
    assert [load(path).fingerprint for path in paths] == first


CHANGES: dict[str, tuple[Callable[[Path], object], list[int]]] = {
    "added": (lambda faces: png(faces / "c.png", 3), [1, 2, 3]),
    "added below": (lambda faces: png(faces / "b" / "c.png", 3), [1, 2, 3]),
    "new folder": (lambda faces: png(faces / "c" / "c.png", 3), [1, 2, 3]),
    "overwritten": (lambda faces: png(faces / "b" / "b.png", 9), [1, 9]),
    "removed": (lambda faces: (faces / "a.png").unlink(), [2]),
    "renamed": (lambda faces: (faces / "a.png").rename(faces / "z.png"), [2, 1]),
    "folder removed": (lambda faces: shutil.rmtree(faces / "b"), [1]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_is_noticed(faces: Path, change: str) -> None:
    assert values(load(faces)) == [1, 2]
    make, expected = CHANGES[change]
    make(faces)
    assert values(load(faces)) == expected


def test_content_of_the_same_size_and_time_is_noticed(faces: Path) -> None:
    load(faces)
    before = os.stat(faces / "a.png")
    png(faces / "a.png", 7)
    os.utime(faces / "a.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.stat(faces / "a.png").st_size == before.st_size
    assert recent.recall(faces.parent / "cache", request(faces)) is None


def request(faces: Path) -> dict[str, object]:
    """What `load` asks for."""
    options = {"size": 16, "limit": None, "crop": "auto", "channels": 3, "seed": 0}
    heic = find_spec("pillow_heif") is not None
    method = {"format": FORMAT, "detector": None, "heic": heic}
    return {**method, "source": str(faces), **options}


def test_request_of_the_tests_is_that_of_load(faces: Path) -> None:
    assert recent.recall(faces.parent / "cache", request(faces)) is None
    pictures = load(faces)
    assert recent.recall(faces.parent / "cache", request(faces)) == pictures.folder


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX's permissions")
def test_permissions_are_noticed(faces: Path) -> None:
    load(faces)
    (faces / "a.png").chmod(0)
    assert recent.recall(faces.parent / "cache", request(faces)) is None
    if not IS_ROOT:
        assert values(load(faces)) == [2]


def test_changed_table_is_noticed(faces: Path) -> None:
    load(faces)
    (faces / "list_attr_celeba.csv").write_text("image_id,A\na.png,-1\nb.png,-1\n")
    assert load(faces).table.attributes.tolist() == [[-1], [-1]]
    (faces / "list_attr_celeba.csv").unlink()
    assert load(faces).table.attribute_names == []
    (faces / "b" / "list_attr_celeba.csv").write_text("image_id,B\nb.png,1\n")
    assert load(faces).table.attribute_names == ["B"]


def test_changed_archive_is_noticed(tmp_path: Path) -> None:
    for value in (3, 4):
        png(tmp_path / "x.png", value)
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.write(tmp_path / "x.png", "x.png")
        assert values(load(tmp_path / "a.zip")) == [value]


def test_change_while_the_source_is_listed_leaves_no_note(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = data.open_source

    def listed_then_changed(source: str, cache: Path, limit: int | None, seed: int) -> Source:
        opened = original(source, cache, limit, seed)
        now = time.time_ns()
        png(faces / "c.png", 3)
        while faces.stat().st_ctime_ns <= now:  # a file system's clock is coarse
            faces.chmod(0o755)
        return opened

    monkeypatch.setattr(data, "open_source", listed_then_changed)
    assert values(load(faces)) == [1, 2]
    assert not (faces.parent / "cache" / "recent").exists()
    monkeypatch.undo()
    assert values(load(faces)) == [1, 2, 3]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"7",
        b'{"cache": "nowhere", "watched": []}',
        b'{"cache": 7, "watched": [["a\\u0000b", 1, 2, 3]]}',
        b'{"cache": "x", "watched": [7]}',
        b'{"cache": "x", "watched": {"a": 1}}',
    ],
)
def test_damaged_note_is_ignored(
    faces: Path, damage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    load(faces)
    (note,) = notes(faces)
    note.write_bytes(damage)
    assert values(load(faces)) == [1, 2]
    assert capsys.readouterr() == ("", "")
    assert json.loads(note.read_text())["cache"].startswith("faces-16-")  # mended


def test_note_that_cannot_be_written_is_done_without(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (faces.parent / "cache").mkdir()
    (faces.parent / "cache" / "recent").write_text("a file, not a folder")
    assert values(load(faces)) == [1, 2]
    assert values(load(faces)) == [1, 2]


def test_lost_cache_is_made_again(faces: Path) -> None:
    shutil.rmtree(load(faces).folder)
    assert values(load(faces)) == [1, 2]


def test_rebuild_reads_the_source_again(faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = load(faces)
    pixels = np.load(first.folder / "pictures.npy")
    np.save(first.folder / "pictures.npy", 255 - pixels)
    assert values(load(faces)) == [254, 253]
    assert values(load(faces, rebuild=True)) == [1, 2]
    words = [str(faces), "--size", "16", "--cache", str(faces.parent / "cache"), "--rebuild"]
    np.save(first.folder / "pictures.npy", 255 - pixels)
    assert command.main(words) == 0
    assert values(load(faces)) == [1, 2]


def test_cache_of_another_version_is_left_alone(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = load(faces)
    for module in (data, data.cache):
        monkeypatch.setattr(module, "FORMAT", FORMAT + 1)
    new = load(faces)
    assert new.folder != old.folder and old.folder.is_dir()
    assert json.loads((new.folder / "meta.json").read_text())["format"] == FORMAT + 1
    monkeypatch.undo()
    assert load(faces).folder == old.folder


def test_large_folder_is_watched_at_even_distances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "WATCHED_FILES", 4)
    for number in range(10):
        png(tmp_path / "faces" / f"{number}.png", number)
    source = folder.FolderSource(str(tmp_path / "faces"))
    watched = [Path(path).name for path in source.watched()]
    assert watched == ["faces", "0.png", "3.png", "6.png", "9.png"]
