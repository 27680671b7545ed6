"""Folders of pictures: listing, preparing, caching, and the command."""

import csv
import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.cli import run
from kerasgan.data import __main__ as command
from kerasgan.data import cache as cache_module
from kerasgan.data import folder as folder_module
from kerasgan.data import prepare
from kerasgan.data.classes import find_classes
from kerasgan.data.decode import Decoded
from kerasgan.errors import UserError

ROOT = Path(__file__).parent.parent
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0  # may read everything


def add(folder: Path, name: str, value: int = 100, size: int = 20) -> Path:
    """Writes a grey picture of one value."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (size, size), value).save(path, format="PNG")
    return path


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Five grey pictures of values 1 to 5 in the order of their names."""
    folder = tmp_path / "faces"
    for value, name in enumerate(["B.png", "a.png", "b/a.PNG", "b/c.jpg", "c.webp"], start=1):
        add(folder, name, value)
    return folder


def load(folder: Path, **options: object) -> data.Pictures:
    options = {"size": 16, "cache": folder.parent / "cache", **options}
    return data.load(str(folder), **options)


def values(pictures: data.Pictures) -> list[int]:
    return [int(picture[8, 8, 1]) for picture in pictures.pixels]


def caches(folder: Path) -> list[Path]:
    """The caches below a folder, finished or not, without the notes of recent requests."""
    return [path for path in (folder / "cache").iterdir() if path.name != "recent"]


def rejected(pictures: data.Pictures) -> list[list[str]]:
    path = pictures.folder / "rejected.csv"
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.reader(file))


def test_pictures_in_the_order_of_their_names(faces: Path) -> None:
    pictures = load(faces)
    assert values(pictures) == [1, 2, 3, 4, 5]
    assert pictures.pixels.shape == (5, 16, 16, 3) and pictures.pixels.dtype == np.uint8
    assert pictures.source == str(faces) and pictures.rejected == 0
    assert pictures.fingerprint == hashlib.sha256(pictures.pixels.tobytes()).hexdigest()
    assert rejected(pictures) == [["path", "reason"]]
    assert {path.name for path in pictures.folder.iterdir()} == {
        "pictures.npy",
        "checksums.npy",
        "pictures.csv",
        "rejected.csv",
        "meta.json",
    }
    meta = json.loads((pictures.folder / "meta.json").read_text())
    assert meta["count"] == 5 and meta["options"] == {
        "size": 16,
        "limit": None,
        "crop": "auto",
        "channels": 3,
        "seed": 0,
    }
    assert pictures.table.names == ["B.png", "a.png", "b/a.PNG", "b/c.jpg", "c.webp"]


def test_order_does_not_depend_on_how_many_are_decoded_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        add(tmp_path / "faces", f"{number:02d}.png", number)

    def slow_at_first(path: str, size: int, crop: str, channels: int) -> Decoded:
        number = int(Path(path).stem)
        time.sleep((30 - number) / 3000)
        return Decoded(np.full((size, size, 3), number, np.uint8), False, False)

    monkeypatch.setattr(prepare, "decode", slow_at_first)
    assert values(load(tmp_path / "faces")) == list(range(30))


def test_second_load_maps_and_does_not_decode(
    faces: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = load(faces)
    monkeypatch.setattr(prepare, "decode", lambda *_: pytest.fail("decoded again"))
    second = load(faces)
    assert isinstance(second.pixels, np.memmap) and not second.pixels.flags.writeable
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert (first.fingerprint, first.folder) == (second.fingerprint, second.folder)
    assert capsys.readouterr() == ("", "")


def test_key_follows_files_and_options(faces: Path) -> None:
    folders = [load(faces).folder]
    folders += [load(faces, **{name: value}).folder for name, value in CHANGES.items()]
    add(faces, "a.png", 77, size=22)
    changed = load(faces)
    assert values(changed) == [1, 77, 3, 4, 5]
    (faces / "b" / "c.jpg").unlink()
    removed = load(faces)
    assert values(removed) == [1, 77, 3, 5]
    folders += [changed.folder, removed.folder]
    assert len(set(folders)) == len(folders)
    assert load(faces, seed=5).folder == removed.folder


CHANGES = {"size": 17, "limit": 3, "crop": "none", "channels": 1}


def test_limit_counts_usable_pictures(faces: Path) -> None:
    (faces / "A.jpg").write_bytes(b"no picture")
    limited = load(faces, limit=2)
    assert values(limited) == [1, 2] and limited.rejected == 1
    assert values(load(faces, limit=50)) == [1, 2, 3, 4, 5]


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes need POSIX")
def test_bad_files_are_named_and_the_others_kept_in_order(faces: Path) -> None:
    (faces / "a.jpeg").write_bytes(b"")
    (faces / "b" / "b.png").write_bytes(b"dear diary")
    (faces / "b" / "d.png").write_bytes((faces / "a.png").read_bytes()[:-30])
    Image.new("L", (3, 90)).save(faces / "bb.gif")
    (faces / "broken.bmp").symlink_to(faces / "nowhere.bmp")
    os.mkfifo(faces / "pipe.png")
    (faces / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (faces / "notes.txt").write_text("not a picture, and no mistake")
    pictures = load(faces)
    assert values(pictures) == [1, 2, 3, 4, 5]
    assert pictures.rejected == 7
    found = rejected(pictures)
    assert found[3][0] == "b/d.png" and found[3][1].startswith("damaged: ")
    assert found[6][0] == "phone.heic" and found[6][1].startswith("damaged: ")
    assert found[:3] + found[4:6] + found[7:] == [
        ["path", "reason"],
        ["a.jpeg", "empty file"],
        ["b/b.png", "not a picture in a known format"],
        ["bb.gif", "too small: 3x90"],
        ["broken.bmp", "cannot be read: No such file or directory"],
        ["pipe.png", "not a file but a pipe or a device"],
    ]
    assert data.describe(pictures) == (
        f"5 pictures of 16x16 from {faces} (7 rejected, see {pictures.folder}/rejected.csv)"
    )


def test_pillows_warnings_stay_inside(faces: Path) -> None:
    # pytest turns any that gets out into an error
    Image.new("L", (20, 20), 6).save(faces / "d.jpg", exif=b"Exif\0\0MM\0*rubbish")
    assert load(faces).rejected == 0


@pytest.mark.skipif(IS_ROOT or sys.platform == "win32", reason="needs files that may not be read")
def test_permissions(faces: Path) -> None:
    (faces / "a.png").chmod(0)
    (faces / "b").chmod(0)
    pictures = load(faces)
    (faces / "b").chmod(0o755)
    assert values(pictures) == [1, 5]
    assert rejected(pictures)[1:] == [
        ["a.png", "no permission to read it"],
        ["b/", "folder cannot be read: Permission denied"],
    ]
    (faces / "a.png").chmod(0o644)
    assert values(load(faces)) == [1, 2, 3, 4, 5]  # mended, so noticed


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are a Linux matter")
def test_names_of_any_kind(tmp_path: Path) -> None:
    folder = tmp_path / "лица\n😀"
    for name in ("顔.png", "line\nbreak.png", 'comma, "quote".png', os.fsdecode(b"\xff\xfe.png")):
        add(folder, name)
    undecodable = os.fsdecode(b"bad\xff.jpg")
    (folder / undecodable).write_bytes(b"no picture")
    pictures = load(folder)
    assert len(pictures.pixels) == 4
    assert rejected(pictures)[1:] == [[undecodable, "not a picture in a known format"]]
    assert "\n" not in data.describe(pictures)
    data.describe(pictures).encode()  # no surrogates
    assert pictures.folder.name.startswith("16-")


@pytest.mark.skipif(sys.platform == "win32", reason="links need POSIX")
def test_listing_skips_hidden_cached_and_repeated(faces: Path) -> None:
    add(faces, ".hidden.png")
    add(faces, ".git/x.png")
    add(faces, "cache/x.png")
    (faces / "b" / "loop").symlink_to(faces)
    (faces / "again").symlink_to(faces / "b")
    (faces / "folder.png").mkdir()
    names = [entry.name for entry in folder_module.list_pictures(faces, [faces / "cache"])]
    assert names == ["B.png", "a.png", "again/a.PNG", "again/c.jpg", "c.webp"]


def test_damaged_cache_is_rebuilt(faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = load(faces)
    fingerprint, folder = first.fingerprint, first.folder
    del first  # Windows does not cut a mapped file
    for name, content in DAMAGES.items():
        path = folder / name
        path.write_bytes(path.read_bytes()[:-100] if content is None else content)
        again = load(faces)
        assert values(again) == [1, 2, 3, 4, 5] and again.fingerprint == fingerprint
        message = capsys.readouterr().err
        assert message.startswith(f"The cache {folder} is damaged (")
        assert message.endswith("preparing it again.\n") and message.count("\n") == 1
        del again
    (folder / "pictures.npy").unlink()
    assert values(load(faces)) == [1, 2, 3, 4, 5]


DAMAGES = {"pictures.npy": None, "meta.json": b"{}"}


def test_objects_in_a_cache_are_not_unpickled(faces: Path) -> None:
    folder = load(faces).folder
    np.save(folder / "pictures.npy", np.array([{}], object), allow_pickle=True)
    assert values(load(faces)) == [1, 2, 3, 4, 5]


def test_one_picture_is_enough_and_none_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    path = add(folder, "a.png")
    pictures = load(folder)
    assert data.describe(pictures).startswith("1 picture of 16x16 from ")
    path.write_bytes(b"no picture")
    (folder / "b.png").write_bytes(b"")
    message = r"2 rejected \(not a picture in a known format: 1, empty file: 1\)"
    with pytest.raises(UserError, match=message):
        load(folder)
    assert len(caches(tmp_path)) == 1  # the good one's
    path.unlink()
    (folder / "b.png").unlink()
    with pytest.raises(UserError, match="with none"):
        load(folder)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("nowhere", {}, "does not exist"),
        ("file.zip", {}, "should be a whole zip or tar file"),
        ("file.doc", {}, "is a file of another kind"),
        ("file.txt", {}, r"none of whose lines names a file: dear diary\."),
        ("x" * 5000, {}, "does not exist"),
        ("a\0b", {}, "does not exist"),
        (".", {"size": 0}, r"4 to 1024 pixels\. Received: 0"),
        (".", {"limit": 0}, r"--limit should be at least 1 picture\. Received: 0"),
        (".", {"crop": "oval"}, r"--crop should be one of auto, center, celeba, none, face\."),
        (".", {"channels": 2}, r"`--channels` should be 3 \(RGB\) or 1 \(grey\)"),
        (".", {"seed": -1}, "--seed should be 0 or more"),
    ],
)
def test_mistakes_have_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    options: dict[str, object],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.zip").write_bytes(b"PK")
    Path("file.doc").write_text("dear diary")
    Path("file.txt").write_text("dear diary")
    with pytest.raises(UserError, match=message) as caught:
        data.load(source, **{"size": 16, **options})
    assert "\n" not in str(caught.value)
    assert not Path("data").exists()


def test_cache_that_cannot_be_written(faces: Path) -> None:
    (faces.parent / "file").write_bytes(b"")
    with pytest.raises(UserError, match="The cache should be a folder that can be written to"):
        load(faces, cache=faces.parent / "file" / "cache")


def test_full_disk(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_module.PictureWriter, "append", full)
    with pytest.raises(UserError, match=r"needs up to 15\.4 MB.*--limit"):
        load(faces, size=1012)  # 5 * 1012 * 1012 * 3 = 15.36 million bytes
    assert not caches(faces.parent)
    usage = shutil.disk_usage(faces)._replace(free=1000)
    monkeypatch.setattr(cache_module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match="where 0.0 MB are free"):
        load(faces)


def test_ctrl_c_leaves_no_cache(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache_module.PictureWriter, "append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load(faces)
    assert not caches(faces.parent)


def test_folder_left_by_a_killed_build_is_removed_after_a_day(faces: Path) -> None:
    old, new = (faces.parent / "cache" / f".faces-{age}.tmp" for age in ("old", "new"))
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (time.time() - 90_000, time.time() - 90_000))
    load(faces)
    assert not old.exists() and new.exists()


SLOW_BUILD = """
import sys, time
from pathlib import Path
from kerasgan import data
from kerasgan.data import prepare
from kerasgan.data.classes import find_classes
original = prepare.decode
def slow(*arguments):
    print("decoding", flush=True)
    time.sleep(float(sys.argv[2]))
    return original(*arguments)
prepare.decode = slow
faces = Path(sys.argv[1])
print(data.load(str(faces), size=16, cache=faces.parent / "cache").fingerprint)
"""


def start_build(faces: Path, pause: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SLOW_BUILD, str(faces), str(pause)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_build_the_same_cache(faces: Path) -> None:
    builds = [start_build(faces, 0.3) for _ in range(2)]
    results = [build.communicate(timeout=60) for build in builds]
    assert [build.returncode for build in builds] == [0, 0], results
    assert all("decoding" in output for output, _ in results)  # neither found it finished
    fingerprints = {output.splitlines()[-1] for output, _ in results}
    assert fingerprints == {load(faces).fingerprint}
    assert len(caches(faces.parent)) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX's SIGINT")
def test_interrupted_process_leaves_no_cache(faces: Path) -> None:
    build = start_build(faces, 0.5)
    assert build.stdout is not None and build.stdout.readline().startswith("decoding")
    build.send_signal(signal.SIGINT)
    build.communicate(timeout=60)
    assert build.returncode != 0
    assert not caches(faces.parent)


def test_find_source(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert data.find_source(folder) == "set:built-in"
    add(folder, "cache/x.png")
    (folder / "readme.txt").write_text("no picture")
    assert data.find_source(folder) == "set:built-in"
    add(folder, "some/where/x.png")
    assert data.find_source(folder) == str(folder)


def test_what_was_done_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(folder.parent / "a.png")
    add(folder, "b.png", size=20)
    shutil.move(folder.parent / "a.png", folder / "a.png")
    described = data.describe(load(folder, size=32))
    assert described.endswith(" (1 enlarged; 1 with transparency, laid over white)")


def test_class_folders_give_labels(tmp_path: Path) -> None:
    for name in ("set/train/ben/1.png", "set/train/ana/2.png", "set/train/ana/more/3.png"):
        add(tmp_path / "faces", name)
    pictures = load(tmp_path / "faces")
    assert pictures.label_names == ["ana", "ben"]
    assert pictures.table.names == [
        "set/train/ana/2.png",
        "set/train/ana/more/3.png",
        "set/train/ben/1.png",
    ]
    assert pictures.table.labels.tolist() == [0, 0, 1]
    assert pictures.table.label_names == ["ana", "ben"]
    assert data.describe(pictures).endswith(", in 2 classes")
    again = load(tmp_path / "faces")  # from the cache
    assert again.label_names == ["ana", "ben"] and again.table.labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("names", "classes", "labels"),
    [
        (["a/1.png", "b/1.png", "a/2.png"], ["a", "b"], [0, 1, 0]),
        (["x/y/a/1.png", "x/y/b/1.png"], ["a", "b"], [0, 1]),
        (["x/a/1.png", "x/b/deep/1.png"], ["a", "b"], [0, 1]),
        (["ab/1.png", "ac/1.png"], ["ab", "ac"], [0, 1]),  # a shared letter is no shared folder
        (["a/1.png", "a/2.png"], [], []),  # one class is none
        (["a/1.png", "b/1.png", "2.png"], [], []),  # not all of them in one
        (["1.png", "2.png"], [], []),
        (["x/a/1.png", "x/1.png"], [], []),
        ([], [], []),
    ],
)
def test_labels_of_paths(names: list[str], classes: list[str], labels: list[int]) -> None:
    assert find_classes(names)[:2] == (classes, labels)


def test_rejected_and_left_out_pictures_keep_the_labels_in_step(tmp_path: Path) -> None:
    for number, name in enumerate(["a/1.png", "a/2.png", "b/1.png", "b/2.png", "c/1.png"]):
        add(tmp_path / "faces", name, number)
    (tmp_path / "faces" / "a" / "1.png").write_bytes(b"no picture")
    pictures = load(tmp_path / "faces", limit=3)
    assert values(pictures) == [2, 4, 1]  # the last stands in for the rejected one
    assert pictures.table.labels.tolist() == [1, 2, 0]
    assert pictures.label_names == ["a", "b", "c"]


def test_greys(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    add(folder, "a.png", 7)
    Image.new("RGB", (20, 20), (255, 0, 0)).save(folder / "b.png")
    Image.new("LA", (20, 20), (0, 0)).save(folder / "c.png")
    pictures = load(folder, channels=1)
    assert pictures.pixels.shape == (3, 16, 16, 1)
    # ITU-R 601: 0.299 of red. What is clear lies over white.
    assert pictures.pixels[:, 8, 8, 0].tolist() == [7, 76, 255]
    assert data.describe(pictures).startswith("3 grey pictures of 16x16 from ")
    assert load(folder).pixels.shape == (3, 16, 16, 3)
    assert load(folder, channels=1).fingerprint == pictures.fingerprint


@pytest.mark.skipif(IS_ROOT or sys.platform == "win32", reason="needs folders that may not be read")
def test_folder_that_may_not_be_entered_costs_itself_alone(faces: Path) -> None:
    (faces / "b").chmod(0o600)
    (faces / "to b").symlink_to(faces / "b" / "a.PNG")
    pictures = load(faces)
    (faces / "b").chmod(0o755)
    assert values(pictures) == [1, 2, 5]


def test_command_exports(faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, cache = faces.parent / "out", faces.parent / "cache"
    target.mkdir()
    words = [str(faces), "--size", "16", "--cache", str(cache), "--export", str(target)]
    assert run(command.main, words) == 0
    assert capsys.readouterr().out == f"5 pictures of 16x16 from {faces}\n"
    names = [f"00000{number}.png" for number in range(5)]
    assert sorted(path.name for path in target.iterdir()) == [*names, "pictures.csv"]
    for value, name in enumerate(names, start=1):
        with Image.open(target / name) as picture:
            assert (np.asarray(picture) == np.full((16, 16, 3), value)).all()
    assert run(command.main, words) == 2
    assert "not empty" in capsys.readouterr().err


def test_command_names_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command.main, [str(tmp_path / "nowhere")]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1


def test_help_is_quick_and_without_tensorflow() -> None:
    start = time.perf_counter()
    modules = "import sys, kerasgan.data.__main__ as m; m.build_parser().format_help()"
    check = f"{modules}; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=True)
    assert time.perf_counter() - start < 5  # half a second, on a machine with nothing else to do
