"""A mistake of our own comes out as itself: it is no damaged picture, archive or cache."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.data import archive, arrays, cache, check, decode, named, parquet, prepare, table
from kerasgan.files import Damaged, reading
from kerasgan.metrics import cache as metrics_cache


class OurMistake(TypeError, ValueError, KeyError, AttributeError, RuntimeError):
    """Raised by code of ours; of the kinds that libraries raise for damaged files."""


def mistaken(*_: object, **__: object) -> None:
    raise OurMistake("a mistake of ours")


def png(value: int = 9) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 20), (value, 0, 0)).save(file, "PNG")
    return file.getvalue()


def make_folder(place: Path) -> Path:
    (place / "faces").mkdir()
    (place / "faces" / "a.png").write_bytes(png())
    return place / "faces"


def make_zip(place: Path) -> Path:
    with zipfile.ZipFile(place / "a.zip", "w") as made:
        made.writestr("a.png", png())
    return place / "a.zip"


def make_tar(place: Path, mode: str = "w") -> Path:
    path = place / ("a.tar" if mode == "w" else "a.tar.gz")
    with tarfile.open(path, mode) as made:
        info = tarfile.TarInfo("a.png")
        info.size = len(png())
        made.addfile(info, io.BytesIO(png()))
    return path


def make_compressed_tar(place: Path) -> Path:
    return make_tar(place, "w:gz")


def make_npy(place: Path) -> Path:
    np.save(place / "a.npy", np.full((2, 20, 20), 0.5, np.float32))
    return place / "a.npy"


def make_npz(place: Path) -> Path:
    pictures = np.full((2, 20, 20), 99, np.uint16)
    np.savez_compressed(place / "a.npz", x_train=pictures, y_train=np.array([0, 1]))
    return place / "a.npz"


def make_parquet(place: Path) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as writer

    columns = {"image": [{"bytes": png()}], "label": [0], "Smiling": [True]}
    writer.write_table(pyarrow.table(columns), place / "a.parquet")
    return place / "a.parquet"


READERS: list[tuple[Callable[[Path], Path], object, str]] = [
    (make_folder, decode, "check_dimensions"),
    (make_folder, decode, "to_rgb"),
    (make_folder, decode, "crop_box"),
    (make_folder, decode, "resize"),
    (make_folder, prepare, "decode"),
    (make_zip, archive, "clean"),
    (make_zip, archive, "find_known"),
    (make_zip, archive, "Item"),
    (make_zip, decode, "to_channels"),
    (make_tar, archive, "wanted"),
    (make_tar, archive, "Member"),
    (make_compressed_tar, archive, "Member"),
    (make_npy, arrays, "Header"),
    (make_npy, arrays, "Item"),
    (make_npz, arrays, "read_header"),
    (make_npz, arrays, "Values"),
    (make_npz, arrays, "to_uint8"),
    (make_parquet, parquet, "Columns"),
    (make_parquet, parquet, "Classes"),
    (make_parquet, parquet, "Item"),
]


@pytest.mark.parametrize(
    ("make", "module", "ours"), READERS, ids=lambda part: getattr(part, "__name__", part)
)
def test_of_a_reader(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], Path],
    module: object,
    ours: str,
) -> None:
    source = make(tmp_path)
    monkeypatch.setattr(module, ours, mistaken)
    with pytest.raises(OurMistake):
        data.load(str(source), size=16, cache=tmp_path / "cache")


def test_of_a_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = data.open_source(str(make_folder(tmp_path)), tmp_path / "cache")
    options = {"size": 16, "limit": None, "crop": "auto", "channels": 3}
    preparation = data.make_preparation(source, tmp_path / "cache", **options)
    monkeypatch.setattr(decode, "crop_box", mistaken)
    with pytest.raises(OurMistake):
        check.check(preparation)


@pytest.mark.parametrize(
    ("module", "ours"),
    [(cache, "Pictures"), (cache, "read_table"), (table, "Table")],
    ids=lambda part: getattr(part, "__name__", part),
)
def test_of_a_finished_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, ours: str
) -> None:
    source = make_folder(tmp_path)
    data.load(str(source), size=16, cache=tmp_path / "cache")
    monkeypatch.setattr(module, ours, mistaken)
    with pytest.raises(OurMistake):
        _ = data.load(str(source), size=16, cache=tmp_path / "cache").table


def test_of_a_set_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = {
        "repository": named.NAMED["mnist"].repository,
        "revision": named.NAMED["mnist"].revision,
        "files": [["mnist/train-0.parquet", 7, ""]],
    }
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / named.LISTING).write_text(json.dumps(listing))
    monkeypatch.setattr(named, "Remote", mistaken)
    with pytest.raises(OurMistake):
        named.fetch("mnist", tmp_path)


def test_of_what_metrics_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OurMistake):
        metrics_cache.remembered(tmp_path, "a", {}, mistaken)
    assert list(tmp_path.iterdir()) == []


def test_every_exception_of_a_library_is_damage_and_no_stop_is() -> None:
    for kind in (OSError, TypeError, MemoryError, RecursionError, StopIteration):
        with pytest.raises(Damaged, match="^why$"), reading():
            raise kind("why\nand where")
    for kind in (KeyboardInterrupt, SystemExit):
        with pytest.raises(kind), reading():
            raise kind
