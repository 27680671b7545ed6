"""Pictures in Parquet files: columns found by what they hold, bad rows and files, memory."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.data.decode import Rejected
from kerasgan.data.parquet import ParquetSource, open_parquet
from kerasgan.data.source import Source
from kerasgan.errors import UserError

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def png(value: int, side: int = 4) -> bytes:
    """A grey picture of one value."""
    file = io.BytesIO()
    Image.new("L", (side, side), value).save(file, format="PNG")
    return file.getvalue()


def pictures(count: int, first: int = 0) -> pa.Array:
    """Grey pictures of the values first, first + 1, ..., as the hub's libraries store them."""
    rows = [{"bytes": png(first + i), "path": f"{first + i}.png"} for i in range(count)]
    return pa.array(rows, PICTURE)


def write(
    path: Path, columns: dict[str, Any], features: dict[str, Any] | None = None, **options: Any
) -> Path:
    table = pa.table(columns)
    if features is not None:
        noted = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": noted})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)
    return path


def values(source: Source) -> list[int | str]:
    """The grey value of each picture; the reason where there is none."""
    found: list[int | str] = []
    for item in source.items():
        try:
            found_bytes = item.fetch()
        except Rejected as reason:
            found.append(str(reason))
        else:
            assert isinstance(found_bytes, bytes)
            found.append(int(np.asarray(Image.open(io.BytesIO(found_bytes)))[0, 0]))
    return found


DIGITS = {
    "image": {"_type": "Image"},
    "label": {"names": ["zero", "one", "two"], "_type": "ClassLabel"},
}


def test_a_file_of_the_hub(tmp_path: Path) -> None:
    columns = {"image": pictures(5), "label": pa.array([0, 1, 2, 1, 0])}
    path = write(tmp_path / "digits.parquet", columns, DIGITS, row_group_size=2)
    source = ParquetSource([path], "digits", "digits")
    assert (source.title, source.slug, source.count) == ("digits", "digits", 5)
    assert list(source.label_names) == ["zero", "one", "two"]
    assert not source.attribute_names
    assert values(source) == [0, 1, 2, 3, 4]
    items = list(source.items())
    assert [item.label for item in items] == [0, 1, 2, 1, 0]
    assert [item.name for item in items[:2]] == ["digits.parquet/0/0.png", "digits.parquet/1/1.png"]
    assert len({item.name for item in items}) == 5


def test_files_follow_one_another(tmp_path: Path) -> None:
    first = write(tmp_path / "a" / "0.parquet", {"image": pictures(2)})
    second = write(tmp_path / "b" / "0.parquet", {"image": pictures(3, first=2)})
    source = ParquetSource([second, first], "x", "x")
    assert source.count == 5
    assert values(source) == [2, 3, 4, 0, 1]
    names = [item.name for item in source.items()]
    assert names[0] == "b/0.parquet/0/2.png" and names[-1] == "a/0.parquet/1/1.png"


def test_columns_are_found_by_what_they_hold(tmp_path: Path) -> None:
    columns = {
        "caption": ["a", "b", "c"],
        "weight": [0.5, 1.5, 2.5],
        "Smiling": pa.array([True, False, None]),
        "photo": pa.array([png(7), png(8), png(9)], pa.large_binary()),
        "Bald": pa.array([-1, 1, None], pa.int64()),
        "person": [3, 4, 5],
        "always": [1, 1, 1],
    }
    source = open_parquet(str(write(tmp_path / "any.parquet", columns, row_group_size=1)))
    assert source.columns.picture == "photo" and source.columns.label is None
    assert list(source.attribute_names) == ["Smiling", "Bald"]
    assert [list(item.attributes) for item in source.items()] == [[1, -1], [-1, 1], [0, 0]]
    assert values(source) == [7, 8, 9]
    assert not source.label_names and {item.label for item in source.items()} == {-1}


def test_integers_are_attributes_only_if_the_file_says_their_range(tmp_path: Path) -> None:
    columns = {"image": pictures(2), "Bald": [-1, 1]}
    path = write(tmp_path / "a.parquet", columns, write_statistics=["image"])
    assert not open_parquet(str(path)).attribute_names


def test_the_column_marked_as_an_image_goes_first(tmp_path: Path) -> None:
    columns = {"checksum": pa.array([b"x", b"y"], pa.binary()), "face": pictures(2)}
    path = write(tmp_path / "a.parquet", columns, {"face": {"_type": "Image"}, "gone": {}})
    assert values(open_parquet(str(path))) == [0, 1]


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        ([12, 5, -1, 5, None], ["5", "12"], [1, 0, -1, 0, -1]),
        (["Eve", "Adam", None, "Eve", "Eve"], ["Adam", "Eve"], [1, 0, -1, 1, 1]),
    ],
)
def test_labels_without_names(
    tmp_path: Path, labels: list[Any], names: list[str], expected: list[int]
) -> None:
    columns = {"image": pictures(5), "label": labels}
    source = open_parquet(str(write(tmp_path / "a.parquet", columns)))
    assert list(source.label_names) == names
    assert [item.label for item in source.items()] == expected


@pytest.mark.parametrize("noted", [b"no JSON", b"[]", b'{"info": 1}', b'{"info": {"features": 3}}'])
def test_notes_that_make_no_sense_are_ignored(tmp_path: Path, noted: bytes) -> None:
    path = write(tmp_path / "a.parquet", {"image": pictures(2)})
    table = pq.read_table(path).replace_schema_metadata({b"huggingface": noted})
    pq.write_table(table, path)
    assert values(open_parquet(str(path))) == [0, 1]


def test_bad_rows_are_rejected_one_by_one(tmp_path: Path) -> None:
    rows = [
        {"bytes": png(1), "path": None},
        None,
        {"bytes": None, "path": "elsewhere/2.png"},
        {"bytes": b"", "path": None},
        {"bytes": png(4), "path": None},
        {"bytes": png(5), "path": "folder/5.png"},
    ]
    labels = [0, 1, 1, 1, 3, -1]
    path = write(
        tmp_path / "a.parquet", {"image": pa.array(rows, PICTURE), "label": labels}, DIGITS
    )
    source = open_parquet(str(path))
    none = "no picture in this row"
    assert values(source) == [1, none, none, none, "label out of range: 3", 5]
    assert [item.label for item in source.items()] == [0, 1, 1, 1, -1, -1]
    assert [item.name for item in source.items()][-1] == "a.parquet/5/5.png"


def test_a_damaged_part_costs_its_own_pictures_only(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.parquet", {"image": pictures(9)}, row_group_size=3, use_dictionary=False
    )
    pages = pq.read_metadata(path).row_group(1).column(0)
    data = bytearray(path.read_bytes())
    start = pages.data_page_offset
    data[start : start + pages.total_compressed_size] = b"\xff" * pages.total_compressed_size
    path.write_bytes(data)
    found = values(open_parquet(str(path)))
    assert found[:3] == [0, 1, 2] and found[6:] == [6, 7, 8]
    assert all(str(reason).startswith("damaged: ") for reason in found[3:6])
    assert not any("\n" in str(reason) for reason in found)


def whole(path: Path) -> bytes:
    return write(path, {"image": pictures(20)}).read_bytes()


@pytest.mark.parametrize(
    "spoil",
    [lambda data: b"", lambda data: b"PAR1", lambda data: data[:-9], lambda data: b"text" * 99],
    ids=["empty", "magic", "truncated", "text"],
)
def test_files_that_are_no_parquet_files(tmp_path: Path, spoil: Any) -> None:
    path = tmp_path / "a\nb.parquet"
    path.write_bytes(spoil(whole(path)))
    with pytest.raises(
        UserError, match=r"should be whole and readable\. Received: .*a\\nb"
    ) as found:
        open_parquet(str(path))
    assert "\n" not in str(found.value)


def test_no_picture_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"text": ["x"], "label": [1]})
    with pytest.raises(UserError, match=r"a column with their bytes, or.*: .*text, label\.$"):
        list(open_parquet(str(path)).items())


@pytest.mark.parametrize("other", [{"image": pictures(1)}, {"image": pictures(1), "label": ["a"]}])
def test_files_with_other_columns(tmp_path: Path, other: dict[str, Any]) -> None:
    write(tmp_path / "0.parquet", {"image": pictures(1), "label": [1]})
    write(tmp_path / "1.parquet", other)
    with pytest.raises(
        UserError, match=r"the same columns\. Received: .*1\.parquet, which differs"
    ):
        list(open_parquet(str(tmp_path)).items())


def test_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "set" / "b.parquet", {"image": pictures(1, first=2)})
    write(tmp_path / "set" / "A" / "c.PARQUET", {"image": pictures(1, first=3)})
    write(tmp_path / "set" / "a.parquet", {"image": pictures(1, first=1)})
    write(tmp_path / "set" / ".hidden" / "a.parquet", {"image": pictures(1, first=9)})
    (tmp_path / "set" / "notes.txt").write_text("x")
    source = open_parquet(str(tmp_path / "set"))
    assert (source.title, source.slug) == (str(tmp_path / "set"), "set")
    assert values(source) == [1, 2, 3]
    assert {Path(path).name for path in source.watched()} == {
        "set",
        "A",
        "a.parquet",
        "b.parquet",
        "c.PARQUET",
    }


def test_folders_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for value, name in enumerate("zqmbya"):
        write(tmp_path / name / "a.parquet", {"image": pictures(1, first=value)})
    assert values(open_parquet(str(tmp_path))) == [5, 3, 2, 1, 4, 0]


@pytest.mark.parametrize("name", ["empty", "missing", "text.txt"])
def test_nothing_to_open(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=f"or a folder of them. Received: .*{name}, with none"):
        open_parquet(str(tmp_path / name))


def test_state_tells_of_a_change(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"image": pictures(2)})
    before = open_parquet(str(path)).state()
    assert json.loads(json.dumps(before)) == before == open_parquet(str(path)).state()
    write(path, {"image": pictures(3)})
    assert open_parquet(str(path)).state() != before


def test_memory_is_bounded_by_pages_not_by_the_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [{"bytes": rng.bytes(100_000), "path": None} for _ in range(300)]
    columns = {"image": pa.array(rows, PICTURE)}
    path = write(tmp_path / "a.parquet", columns, write_batch_size=10, compression="none")
    assert pq.read_metadata(path).num_row_groups == 1
    del rows, columns
    before = pa.total_allocated_bytes()
    most = max(pa.total_allocated_bytes() - before for _ in open_parquet(str(path)).items())
    assert 1e6 < most < 10e6  # of 30 MB; 32 rows are 3.2 MB


def test_a_start_from_the_cache_does_not_import_pyarrow(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"image": [{"bytes": png(0, 20)}] * 2})
    options = f"{str(path)!r}, size=16, cache=Path({str(tmp_path / 'cache')!r})"
    script = f"""
import sys
from pathlib import Path
from kerasgan import data
assert len(data.load({options}).pixels) == 2
print("pyarrow" in sys.modules)
"""
    for imported in ("True", "False"):
        done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
        assert done.stdout.decode().strip() == imported


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.parquet", {"image": pictures(2)})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install \"kerasgan\[sets\]\"$"):
        open_parquet(str(path))


def test_a_set_by_name_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.parquet", {"image": [{"bytes": png(9, 28)}] * 3})
    asked = []

    def fetch(*words: object) -> ParquetSource:
        asked.append(words)
        return ParquetSource([path], "mnist", "mnist")

    monkeypatch.setattr(data, "fetch", fetch)
    for _ in range(2):
        found = data.load("mnist", size=28, channels=1, limit=2, cache=tmp_path / "cache")
        assert found.pixels.shape == (2, 28, 28, 1) and (found.pixels == 9).all()
        assert found.source == "mnist" and found.request.source == "mnist"
    assert asked == [("mnist", data.SETS, 2)]


def test_a_folder_of_parquet_files_alone_is_a_source(tmp_path: Path) -> None:
    path = write(tmp_path / "set" / "a.parquet", {"image": pictures(2)})
    assert isinstance(data.open_source(str(path.parent)), ParquetSource)
    Image.new("L", (20, 20)).save(path.parent / "b.png")
    assert data.open_source(str(path.parent)).count == 1  # the picture file


RAMP = np.linspace(0, 255, 20 * 20 * 3).round().astype(np.uint8).reshape(20, 20, 3)
FOUR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1], RAMP[::-1, ::-1]])


@pytest.mark.parametrize(
    ("name", "pixels", "said"),
    [
        ("pixels", [picture.ravel().tolist() for picture in FOUR], "0 to 255"),
        ("image", [(picture / 255).ravel().tolist() for picture in FOUR], "0 to 1"),
        ("anything", (FOUR / 127.5 - 1).tolist(), "-1 to 1"),
        ("anything", FOUR.transpose(0, 3, 1, 2).tolist(), "0 to 255"),
    ],
)
def test_pixels_in_lists(tmp_path: Path, name: str, pixels: list[Any], said: str) -> None:
    columns = {"embedding": [[0.5, 1.5]] * 4, name: pixels, "label": [0, 1, 1, 0]}
    path = write(tmp_path / "a.parquet", columns)
    found = data.load(str(path), size=20, cache=tmp_path / "cache")
    np.testing.assert_array_equal(found.pixels, FOUR)
    assert found.table.labels.tolist() == [0, 1, 1, 0]
    assert f"values taken as {said}" in data.describe(found)


def test_pixels_that_overshoot_or_lack(tmp_path: Path) -> None:
    stored = [(picture / 255).ravel().tolist() for picture in FOUR]
    stored[0][0], stored[1] = -1e-6, stored[1][:-1]
    stored[2][5] = None
    path = write(tmp_path / "a.parquet", {"pixels": [*stored, None]})
    found = data.load(str(path), size=20, cache=tmp_path / "cache")
    np.testing.assert_array_equal(found.pixels, FOUR[[0, 3]])
    assert "1 value beyond 0 to 1, clipped" in data.describe(found)
    with open(found.folder / "rejected.csv", encoding="utf-8") as file:
        assert [line.split(",", 1)[1].strip() for line in file][1:] == [
            '"1,199 pixels without a height and a width"',
            "pixels that are not known",
            "no picture in this row",
        ]


def test_which_of_several_pictures_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"image": pictures(2), "mask": pictures(2)})
    assert open_parquet(str(path)).notes() == ["pictures from image, not mask"]
