"""Classes by folders: parts of a set above them, numbered folders, in folders and archives."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from kerasgan import data
from kerasgan.data.classes import find_classes, is_part


def png(value: int) -> bytes:
    """A grey picture of one value."""
    file = io.BytesIO()
    Image.new("L", (20, 20), value).save(file, "PNG")
    return file.getvalue()


def make_folder(place: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


def make_zip(place: Path, files: dict[str, bytes]) -> Path:
    path = place.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_tgz(place: Path, files: dict[str, bytes]) -> Path:
    path = place.with_suffix(".tgz")
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


MAKERS = [make_folder, make_zip, make_tgz]
Make = Callable[[Path, dict[str, bytes]], Path]


def load(path: Path, **options: object) -> data.Pictures:
    return data.load(str(path), **{"size": 16, "cache": path.parent / "cache", **options})


def classes(pictures: data.Pictures) -> list[str | None]:
    table = pictures.table
    return [table.label_names[label] if label >= 0 else None for label in table.labels]


@pytest.mark.parametrize("make", MAKERS)
def test_parts_of_a_set_are_no_classes(tmp_path: Path, make: Make) -> None:
    names = ["train/ana/1.png", "train/ben/1.png", "val/ana/2.png", "val/cleo/1.png"]
    files = {name: png(number) for number, name in enumerate(names)}
    pictures = load(make(tmp_path / "faces", files))
    assert pictures.label_names == ["ana", "ben", "cleo"]
    assert classes(pictures) == ["ana", "ben", "ana", "cleo"]
    described = data.describe(pictures)
    assert described.endswith(", in 3 classes (classes are the folders below train, val)")


@pytest.mark.parametrize("make", MAKERS)
def test_pictures_of_a_part_without_classes_have_none(tmp_path: Path, make: Make) -> None:
    names = ["test/1.png", "test/2.png", "train/ana/1.png", "train/ben/1.png"]
    pictures = load(make(tmp_path / "faces", {name: png(1) for name in names}))
    assert classes(pictures) == [None, None, "ana", "ben"]
    assert "2 without a label" in data.describe(pictures)


@pytest.mark.parametrize("make", MAKERS)
def test_files_of_no_use_are_in_no_class(tmp_path: Path, make: Make) -> None:
    files = {"a/1.png": png(1), "b/1.png": png(2), "void.png": b""}
    pictures = load(make(tmp_path / "faces", files))
    assert classes(pictures) == ["a", "b"] and pictures.rejected == 1


def test_parts_without_any_classes(tmp_path: Path) -> None:
    names = ["test/1.png", "train/1.png", "train/2.png"]
    pictures = load(make_folder(tmp_path / "faces", {name: png(1) for name in names}))
    assert pictures.label_names == []
    assert data.describe(pictures).endswith(" (test, train: parts of one set, no classes)")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["x/train/a/1.png", "x/test/b/1.png"], ["a", "b"]),
        (["Train/a/1.png", "TEST/b/1.png"], ["a", "b"]),
        (["training/a/1.png", "validation/b/1.png", "testing/a/2.png"], ["a", "b", "a"]),
        (["train2017/a/1.png", "val2017/b/1.png"], ["a", "b"]),
        (["train_images/a/1.png", "test_images/b/1.png"], ["a", "b"]),
        (["train/images/a/1.png", "val/images/b/1.png"], ["a", "b"]),
        (["images/train/a/1.png", "images/val/b/1.png"], ["a", "b"]),
        (["train/train/a/1.png", "test/test/b/1.png"], ["a", "b"]),  # Kaggle's
        (["train/a/deep/1.png", "test/b/1.png"], ["a", "b"]),
        (["train/a/1.png", "test/a/1.png"], []),  # one class is none
        (["train/a/1.png", "plane/a/1.png"], ["train", "plane"]),  # a class that is called so
        (["a/train/1.png", "b/train/1.png"], ["a", "b"]),
        (["train/1.png", "2.png"], []),
        (["train/a/1.png", "train/b/1.png"], ["a", "b"]),
        # FFHQ's and StyleGAN's folders of a thousand
        (["00000/00003.png", "01000/01003.png"], []),
        (["00000/img00000003.png", "00001/img00001003.png"], []),
        (["0/3.png", "1/3.png"], ["0", "1"]),  # digits
        (["0/000999.png", "1/001000.png"], ["0", "1"]),  # an export of a thousand each
        (["0000045/001.jpg", "0000099/001.jpg"], ["0000045", "0000099"]),  # CASIA's persons
        (["0/0001.png", "1/0002.png"], ["0", "1"]),
    ],
)
def test_classes_of_paths(names: list[str], expected: list[str]) -> None:
    found = find_classes(names)
    assert [found.names[label] for label in found.labels] == expected


@pytest.mark.parametrize("make", MAKERS)
def test_a_few_pictures_beside_the_classes(tmp_path: Path, make: Make) -> None:
    files = {f"set/{name}/{number}.png": png(1) for name in "ab" for number in range(6)}
    few = load(make(tmp_path / "few", {"cover.png": png(2), **files}))
    assert classes(few) == [None, *"a" * 6, *"b" * 6]
    assert "1 without a label" in data.describe(few)
    many = {f"set/{number}.png": png(3) for number in range(4)}
    many = load(make(tmp_path / "many", {**files, **many}))
    assert many.label_names == []
    described = data.describe(many)
    assert described.endswith("(sub-folders are no classes, since 4 pictures lie beside them)")


@pytest.mark.parametrize("name", ["trainer", "tests_of_ana", "valerie", "evan", "developers"])
def test_names_that_begin_like_parts(name: str) -> None:
    assert not is_part(name)
