"""Files and folders: written whole or not at all, and places that are checked before the work."""

import errno
import os
from pathlib import Path

import pytest
from disks import Disk

from kerasgan import files
from kerasgan.errors import UserError


def test_what_could_not_be_written_is_named(tmp_path):
    with pytest.raises(OSError, match="No space left on device: '.*x.png'$") as caught:
        with files.atomic_path(tmp_path / "x.png") as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename == str(tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


def test_other_files_keep_their_names_in_errors(tmp_path):
    with pytest.raises(OSError, match="other"), files.atomic_path(tmp_path / "x"):
        open(tmp_path / "other")


@pytest.mark.parametrize("name", ["a" * 250 + ".png", "ü" * 120 + ".png", "a" * 255])
def test_names_as_long_as_a_disk_takes(tmp_path, name):
    with files.atomic_path(tmp_path / name) as temporary:
        temporary.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_comes_whole_or_not_at_all(tmp_path, there):
    folder = tmp_path / "a" / "b"
    if there:
        folder.mkdir(parents=True)
        before = folder.stat().st_ino
    with pytest.raises(ZeroDivisionError), files.new_folder(folder) as temporary:
        (temporary / "x").write_text("1")
        raise ZeroDivisionError
    assert folder.exists() is there and not (there and list(folder.iterdir()))
    with files.new_folder(folder) as temporary:
        (temporary / "x").write_text("1")
        (temporary / "sub").mkdir()
        assert not (folder / "x").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["sub", "x"]
    assert not there or folder.stat().st_ino == before  # the one that a shell may stand in


def test_the_current_folder_can_be_filled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with files.new_folder(".") as temporary:
        (temporary / "x").write_text("1")
    assert os.listdir(".") == ["x"]


def test_a_folder_is_not_written_over(tmp_path):
    (tmp_path / "x").write_text("old")
    with pytest.raises(FileExistsError), files.new_folder(tmp_path) as temporary:
        (temporary / "x").write_text("new")
    assert (tmp_path / "x").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_cache_does_not_fill_a_folder(tmp_path):
    cache = tmp_path / "data" / "cache" / "a"
    cache.mkdir(parents=True)
    assert files.is_empty(tmp_path, besides=cache) and not files.is_empty(tmp_path)
    assert files.is_empty(cache)
    (tmp_path / "x").write_text("")
    assert not files.is_empty(tmp_path, besides=cache)


GOOD = [("new.png", False), ("new/deeper/x.png", False), ("file", False), ("folder", True),
        ("folder/", True), ("new/", True)]  # fmt: skip
BAD = [
    ("folder", False, "which is a folder"),
    (".", False, "which is a folder"),
    ("file", True, "which is no folder"),
    ("file/x.png", False, "which lies in something that is no folder"),
    ("pipe", False, "which is a device or a pipe"),
    ("/dev/full", False, "which is a device or a pipe"),
    ("/dev/full", True, "which is no folder"),
    ("a" * 300, False, "which the system refuses: File name too long"),
    ("/proc/none/x", False, "which the system refuses"),
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("path", "folder"), GOOD)
def test_good_places_are_left_as_they_are(place, path, folder):
    before = sorted(os.listdir("."))
    files.check_place(path, "`--out`", "Type another", folder=folder)
    assert sorted(os.listdir(".")) == before and os.listdir("folder") == []


@pytest.mark.parametrize(("path", "folder", "why"), BAD)
def test_bad_places_are_one_line(place, path, folder, why):
    with pytest.raises(UserError, match=why) as caught:
        files.check_place(path, "`--out`", "Type another", folder=folder)
    message = str(caught.value)
    assert message.startswith("`--out` should be a ") and message.endswith("Type another.")
    assert "\n" not in message


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        files.check_place(tmp_path / "x.png", "`--out`", "Type another")
    tmp_path.chmod(0o700)


def test_a_file_that_was_renamed_is_the_old_or_the_new_one(tmp_path, monkeypatch):
    left = []
    disk = Disk(tmp_path, lambda found: left.append((*written, found.get(Path("x")))), monkeypatch)
    written = [b""]
    for text in (b"old", b"new"):
        with files.atomic_path(tmp_path / "x") as temporary:
            temporary.write_bytes(text)
        written[0] = text
        disk.tell()
    disk.close()
    found = {text: {content for at, content in left if at == text} for text in (b"old", b"new")}
    assert found == {b"old": {b"old", b"new"}, b"new": {b"new"}}
    assert {content for at, content in left if not at} == {None, b"old"}


@pytest.mark.parametrize("there", [False, True])
def test_a_new_folder_is_on_the_disk_with_all_that_is_in_it(tmp_path, monkeypatch, there):
    left = []
    if there:
        (tmp_path / "a" / "b").mkdir(parents=True)
        files.sync_all(tmp_path / "a")
    disk = Disk(tmp_path, left.append, monkeypatch)
    files.sync(tmp_path)
    files.sync(tmp_path / "a") if there else None
    with files.new_folder(tmp_path / "a" / "b") as temporary:
        (temporary / "sub").mkdir()
        (temporary / "sub" / "x").write_bytes(b"whole")
    left.clear()
    disk.tell()
    disk.close()
    for found in left:
        shown = {path: content for path, content in found.items() if ".tmp" not in str(path)}
        assert shown == {Path("a/b/sub/x"): b"whole"}
