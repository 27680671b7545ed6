"""Prepared pictures as PNG files, and what they are as a source again."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.data.__main__ import main
from kerasgan.data.export import export, file_names
from kerasgan.data.table import Table
from kerasgan.errors import UserError


def load(source: Path, cache: Path, **options: object) -> data.Pictures:
    return data.load(str(source), **{"size": 24, "cache": cache, **options})


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Six pictures of noise in two classes, with a table that knows four of them."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "faces"
    for number, name in enumerate(["no", "yes"] * 3):
        (folder / name).mkdir(parents=True, exist_ok=True)
        noise = rng.integers(0, 256, (24, 24, 3), np.uint8)
        Image.fromarray(noise).save(folder / name / f"{number}.png")
    rows = "image_id,Male,Smiling\n0.png,1,1\n1.png,1,0\n2.png,0,0\n5.png,1,\n"
    (folder / "list_attr_celeba.csv").write_text(rows)
    return folder


@pytest.mark.parametrize("target", ["out", "out.zip"])
@pytest.mark.parametrize("channels", [1, 3])
def test_export_is_a_source_of_the_same(
    tmp_path: Path, labelled: Path, target: str, channels: int
) -> None:
    first = load(labelled, tmp_path / "cache", channels=channels)
    assert first.table.names[0] == "no/0.png"
    assert first.table.attributes.tolist()[0] == [1, 1]
    export(first, tmp_path / target)
    again = load(tmp_path / target, tmp_path / "cache", channels=channels)
    np.testing.assert_array_equal(again.pixels, first.pixels)
    assert again.label_names == first.label_names == ["no", "yes"]
    assert again.table.attribute_names == ["Male", "Smiling"]
    np.testing.assert_array_equal(again.table.labels, first.table.labels)
    np.testing.assert_array_equal(again.table.attributes, first.table.attributes)
    assert again.table.names == [
        *(f"no/00000{number}.png" for number in range(3)),
        *(f"yes/00000{number}.png" for number in range(3, 6)),
    ]


def test_what_is_not_known_stays_so(tmp_path: Path, labelled: Path) -> None:
    rows = "image_id,Male\n0.png,1\n1.png,-1\n"
    (labelled / "list_attr_celeba.csv").write_text(rows)
    first = load(labelled / "no", tmp_path / "cache")  # no table there
    assert first.table.attribute_names == []
    (labelled / "yes" / "1.png").unlink()
    first = load(labelled, tmp_path / "cache")
    assert first.table.attributes.ravel().tolist() == [1, 0, 0, 0, 0]  # and no -1 among them
    export(first, tmp_path / "out")
    again = load(tmp_path / "out", tmp_path / "cache")
    assert again.table.attributes.ravel().tolist() == [1, 0, 0, 0, 0]


def test_the_same_pictures_give_the_same_zip(tmp_path: Path, labelled: Path) -> None:
    pictures = load(labelled, tmp_path / "cache")
    for name in ("a.zip", "b.zip"):
        export(pictures, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert archive.read("list_attr.csv").decode().splitlines()[:3] == [
            "image_id,Male,Smiling",
            "000000.png,1,1",
            "000001.png,-1,-1",
        ]


def folders(*classes: str) -> list[str]:
    labels = np.arange(len(classes), dtype=np.int32)
    table = Table([""] * len(classes), list(classes), labels, [], np.empty((len(classes), 0)))
    return [name.partition("/")[0] for name in file_names(table)]


def test_class_folders_that_any_system_takes() -> None:
    assert folders("Ana", "José Ñ.", "顔") == ["Ana", "José Ñ", "顔"]
    assert folders("a/b", "c\nd", 'e"?', "f\udcff") == ["a_b", "c_d", "e__", "f_"]
    assert folders("a", "A") == ["00000_a", "00001_A"]
    assert folders("é", "e\u0301") == ["00000_é", "00001_e\u0301"]
    assert folders("00001_b", "B", "b") == ["00000_00001_b", "00001_B", "00002_b"]
    assert folders("..", "x") == ["00000_", "00001_x"]
    assert folders("con", "x") == ["00000_con", "00001_x"]
    for name in folders("😀" * 300, "x" * 300):
        assert len(name.encode()) <= 255


def test_odd_classes_survive_the_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 24, 24, 3), np.uint8)
    labels = np.array([10, -2, 10, 7, -2, 7])
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    first = load(tmp_path / "a.npz", tmp_path / "cache")
    assert first.label_names == ["-2", "7", "10"]
    for target in ("out", "out.zip"):
        export(first, tmp_path / target)
        again = load(tmp_path / target, tmp_path / "cache")
        assert again.label_names == ["-2", "10", "7"]  # sorted as words
        found = {
            again.label_names[label]: again.pixels[again.table.labels == label]
            for label in range(3)
        }
        for number in (10, -2, 7):
            np.testing.assert_array_equal(found[str(number)], images[labels == number])


def test_many_pictures_keep_their_order() -> None:
    count = 1_000_001
    table = Table([""] * count, [], np.full(count, -1), [], np.empty((count, 0)))
    names = file_names(table)
    assert names[0] == "0000000.png" and names[-1] == "1000000.png"


@pytest.mark.parametrize("name", ["file", "full", "full.zip"])
def test_target_in_use(tmp_path: Path, labelled: Path, name: str) -> None:
    pictures = load(labelled, tmp_path / "cache")
    (tmp_path / "file").write_text("")
    for folder in ("full", "full.zip"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="--export should name a new zip, or a new or empty folder"):
        export(pictures, tmp_path / name)
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("target", ["file/x", "/dev/full/x.zip", "/dev/full"])
def test_a_place_that_cannot_be_written_costs_no_work(
    tmp_path: Path, labelled: Path, target: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert main([str(labelled), "--size", "16", "--export", target]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "--export should" in printed.err
    assert printed.err.count("\n") == 1 and not (tmp_path / "data").exists()


def test_export_into_the_current_folder(
    tmp_path: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    number = here.stat().st_ino
    assert main([str(labelled), "--size", "16", "--export", "."]) == 0  # its cache is in it, too
    assert here.stat().st_ino == number and (here / "pictures.csv").exists()


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_full_disk_leaves_no_half_export(
    tmp_path: Path, labelled: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = load(labelled, tmp_path / "cache")
    before = sorted(tmp_path.iterdir())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kerasgan.data.export._png_of", lambda _: full)
    with pytest.raises(UserError, match="No space left on device"):
        export(pictures, tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("target", ["out", "out.zip"])
@pytest.mark.parametrize("size", [4, 8])
def test_the_smallest_sizes_read_back(tmp_path: Path, size: int, target: str) -> None:
    first = load(Path("built-in"), tmp_path / "cache", size=size, limit=3)
    export(first, tmp_path / target)
    again = load(tmp_path / target, tmp_path / "cache", size=size)
    np.testing.assert_array_equal(again.pixels, first.pixels)
    assert again.rejected == 0
