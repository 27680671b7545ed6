"""A limit divided over classes, whatever holds the pictures."""

import io
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.cli import run
from kerasgan.data import __main__ as command


def png(value: int) -> bytes:
    """A grey picture of one value."""
    file = io.BytesIO()
    Image.new("L", (20, 20), value).save(file, "PNG")
    return file.getvalue()


Labelled = Sequence[tuple[str, bytes]]  # classes, with pictures


def in_folder(place: Path, pictures: Labelled) -> Path:
    for number, (name, content) in enumerate(pictures):
        (place / name).mkdir(parents=True, exist_ok=True)
        (place / name / f"{number:04d}.png").write_bytes(content)
    return place


def in_zip(place: Path, pictures: Labelled) -> Path:
    path = place.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for number, (name, content) in enumerate(pictures):
            archive.writestr(f"{name}/{number:04d}.png", content)
    return path


def in_tar(place: Path, pictures: Labelled, ending: str = ".tar", mode: str = "w") -> Path:
    path = place.with_suffix(ending)
    with tarfile.open(path, mode) as archive:
        for number, (name, content) in enumerate(pictures):
            info = tarfile.TarInfo(f"{name}/{number:04d}.png")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def in_tgz(place: Path, pictures: Labelled) -> Path:
    return in_tar(place, pictures, ".tgz", "w:gz")


def in_npz(place: Path, pictures: Labelled) -> Path:
    path = place.with_suffix(".npz")
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(content))) for _, content in pictures])
    names = sorted({name for name, _ in pictures})
    labels = np.array([names.index(name) for name, _ in pictures])
    np.savez_compressed(path, x_train=pixels, y_train=labels)
    return path


def in_parquet(place: Path, pictures: Labelled) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = place.with_suffix(".parquet")
    columns = {
        "image": [content for _, content in pictures],
        "label": [name for name, _ in pictures],
    }
    parquet.write_table(pyarrow.table(columns), path)
    return path


MAKERS = [in_folder, in_zip, in_tar, in_tgz, in_npz, in_parquet]
Make = Callable[[Path, Labelled], Path]


def load(path: Path, **options: object) -> data.Pictures:
    return data.load(str(path), **{"size": 16, "cache": path.parent / "cache", **options})


def counts(pictures: data.Pictures) -> list[int]:
    """How many pictures there are of each class."""
    found = Counter(pictures.table.labels.tolist())
    return [found[label] for label in range(len(pictures.label_names))]


def values(pictures: data.Pictures) -> list[int]:
    return [int(picture[8, 8, 0]) for picture in pictures.pixels]


def sorted_by_class(*lengths: int) -> Labelled:
    """Classes one after the other, each of so many pictures, whose values count them."""
    names = [name for name, length in zip("abcdefgh", lengths, strict=False) for _ in range(length)]
    return [(name, png(value)) for value, name in enumerate(names)]


@pytest.mark.parametrize("make", MAKERS)
def test_limit_takes_as_many_of_each_class(tmp_path: Path, make: Make) -> None:
    pictures = load(make(tmp_path / "faces", sorted_by_class(10, 10, 10)), limit=6)
    assert counts(pictures) == [2, 2, 2]
    assert values(pictures) == [0, 1, 10, 11, 20, 21]  # the first of each, in their order
    assert len(load(tmp_path / pictures.source, limit=100).pixels) == 30


@pytest.mark.parametrize("make", MAKERS)
def test_small_class_leaves_its_part_to_the_others(tmp_path: Path, make: Make) -> None:
    pictures = load(make(tmp_path / "faces", sorted_by_class(9, 1, 9)), limit=7)
    assert counts(pictures) == [3, 1, 3]


@pytest.mark.parametrize("make", [in_folder, in_zip, in_tgz, in_parquet])
def test_others_of_the_class_stand_in_for_broken_pictures(tmp_path: Path, make: Make) -> None:
    files = list(sorted_by_class(6, 6))
    for number in (0, 1):
        files[number] = ("a", b"no picture")
    pictures = load(make(tmp_path / "faces", files), limit=6)
    assert counts(pictures) == [3, 3] and pictures.rejected == 2
    assert sorted(values(pictures)) == [2, 3, 4, 6, 7, 8]


def test_larger_limit_adds_to_a_smaller_one(tmp_path: Path) -> None:
    source = in_folder(tmp_path / "faces", sorted_by_class(5, 7, 3, 9, 2))
    chosen = [set(values(load(source, limit=limit))) for limit in range(1, 27)]
    assert all(less < more for less, more in zip(chosen, chosen[1:], strict=False))
    assert list(map(len, chosen)) == list(range(1, 27))


def test_fewer_pictures_than_classes_are_of_classes_far_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = in_folder(tmp_path / "faces", sorted_by_class(*[3] * 8))
    pictures = load(source, limit=4)
    assert counts(pictures) == [1, 0, 1, 0, 1, 0, 1, 0]
    assert data.describe(pictures).endswith("(no picture of 4 of the classes: b, d, f, ...)")
    words = [str(source), "--size", "16", "--limit", "4", "--cache", str(tmp_path / "cache")]
    assert run(command.main, words) == 0
    assert "no picture of 4 of the classes" in capsys.readouterr().out


def test_class_whose_pictures_are_all_broken_is_named(tmp_path: Path) -> None:
    files = [("a", png(1)), ("b", b"no picture"), ("c", png(2))]
    pictures = load(in_folder(tmp_path / "faces", files))
    assert "no picture of 1 of the classes: b" in data.describe(pictures)


def test_without_classes_the_first_count(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / "faces").mkdir(exist_ok=True)
        (tmp_path / "faces" / f"{number}.png").write_bytes(png(number))
    assert values(load(tmp_path / "faces", limit=4)) == [0, 1, 2, 3]


def test_limit_is_spread_over_parts_and_over_the_classes_of_a_table(tmp_path: Path) -> None:
    names = [f"train/{name}" for name in "aabb"] + ["test/a", "test/b"]
    source = in_folder(tmp_path / "faces", [(name, png(1)) for name in names])
    assert counts(load(source, limit=4)) == [2, 2]
    folder = tmp_path / "plain"
    folder.mkdir()
    rows = ["file_name,label"]
    for number in range(8):
        (folder / f"{number}.png").write_bytes(png(number))
        rows.append(f"{number}.png,{'x' if number < 6 else 'y'}")
    (folder / "metadata.csv").write_text("\n".join(rows))
    assert values(load(folder, limit=4)) == [0, 1, 6, 7]


@pytest.mark.parametrize("make", [in_folder, in_tgz])
def test_faces_of_photographs_do_not_use_up_the_limit(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kerasgan.data import prepare
    from kerasgan.data.decode import Decoded

    def two_faces(self, raw, whole=False):
        return [Decoded(np.full((16, 16, 3), 7, np.uint8), False, False)] * 2

    source = make(tmp_path / "faces", sorted_by_class(5, 5, 5))
    monkeypatch.setattr(prepare.Preparation, "pictures_of", two_faces)
    assert counts(load(source, limit=6)) == [2, 2, 2]


def test_check_looks_at_what_training_would_see(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = in_folder(tmp_path / "faces", sorted_by_class(9, 9, 9))
    words = [str(source), "--size", "16", "--limit", "6", "--check", "--faces", "0"]
    assert run(command.main, [*words, "--cache", str(tmp_path / "cache")]) == 0
    out = capsys.readouterr().out
    assert "classes    3; largest a 2, smallest c 2" in out
    assert "training would see 6 pictures" in out
