"""Pictures in TFRecord files, written by TensorFlow itself: features, shards, damage, names."""

import csv
import gzip
import io
import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.backend import tf
from kerasgan.data import __main__ as command
from kerasgan.data.records import crc32c, parse_example, read_records
from kerasgan.data.source import Source
from kerasgan.data.tfrecord import TFRecordSource, open_records
from kerasgan.errors import UserError
from kerasgan.files import Damaged

RAMP = np.linspace(0, 255, 20 * 20 * 3).round().astype(np.uint8).reshape(20, 20, 3)
FOUR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1], RAMP[::-1, ::-1]])  # uint8 (4, 20, 20, 3)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def grey(value: int) -> bytes:
    return png(np.full((20, 20), value, np.uint8))


def feature(value: Any) -> Any:
    values = np.atleast_1d(value) if not isinstance(value, (bytes, str, list)) else value
    if isinstance(values, (bytes, str)):
        values = [values]
    first = values[0] if len(values) else 0
    if isinstance(first, (bytes, str)):
        coded = [each.encode() if isinstance(each, str) else each for each in values]
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=coded))
    if isinstance(first, (float, np.floating)):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def example(features: dict[str, Any]) -> bytes:
    made = {name: feature(value) for name, value in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString()


def write(path: Path, rows: Sequence[dict[str, Any]], compression: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for row in rows:
            writer.write(example(row))
    return path


def load(path: Path, **options: object) -> data.Pictures:
    cache = options.pop("cache", path.parent / "cache")
    return data.load(str(path), **{"size": 20, "cache": cache, **options})


def rejected(pictures: data.Pictures) -> list[list[str]]:
    with open(pictures.folder / "rejected.csv", encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def labels(source: Source) -> list[str]:
    return [source.label_names[item.label] if item.label >= 0 else "" for item in source.items()]


def test_checksum() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # of the catalogue of such checksums
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert crc32c(b"\xff" * 32) == 0x62A8AB43


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 127, 128, 1000, 4097, 100_000])
def test_checksums_are_tensorflows(tmp_path: Path, length: int) -> None:
    with tf.io.TFRecordWriter(str(tmp_path / "a")) as writer:
        writer.write(np.random.default_rng(length).bytes(length))
    (record,) = read_records(tmp_path / "a")
    assert not isinstance(record, str)
    record.check()
    assert len(record.data) == length


def test_examples_are_tensorflows() -> None:
    features = {
        "bytes": [b"", b"one", b"\0\xff"],
        "floats": [1.5, -2.0, float("inf")],
        "ints": [0, 1, -1, 127, 128, 300, 2**62, -(2**63)],
        "é": "ü",
        "none": [],
    }
    found = parse_example(example(features))
    assert found["bytes"] == features["bytes"] and found["é"] == ["ü".encode()]
    assert found["floats"].tolist() == features["floats"]
    assert found["ints"].tolist() == features["ints"]
    assert len(found["none"]) == 0


def test_noise_is_no_example() -> None:
    rng = np.random.default_rng(0)
    whole = bytearray(example({"image": grey(1), "label": 3, "floats": [1.5, 2.5]}))
    for _ in range(500):
        spoilt = whole[: rng.integers(1, len(whole) + 1)]
        spoilt[rng.integers(len(spoilt))] = rng.integers(256)
        try:
            parse_example(bytes(spoilt))
        except Damaged as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_a_file_of_tensorflow_datasets(tmp_path: Path, compression: str) -> None:
    rows = [{"image": png(picture), "label": n % 2, "id": "x"} for n, picture in enumerate(FOUR)]
    path = write(tmp_path / "faces-train.tfrecord", rows, compression)
    (tmp_path / "label.labels.txt").write_text("cat\ndog\nfish\n")
    pictures = load(path)
    np.testing.assert_array_equal(pictures.pixels, FOUR)
    assert pictures.label_names == ["cat", "dog", "fish"]
    assert pictures.table.labels.tolist() == [0, 1, 0, 1]
    assert pictures.table.names == [f"faces-train.tfrecord/{n}" for n in range(4)]
    assert "(pictures from image, labels from label" in data.describe(pictures)


@pytest.mark.parametrize(
    ("row", "names", "expected"),
    [
        ({"image/encoded": 0, "image/class/label": [3, 7]}, ["3", "7"], [0, 1]),
        (
            {"image/encoded": 0, "image/class/label": [3, 7], "image/class/text": ["bee", "ant"]},
            ["bee", "ant"],
            [0, 1],
        ),
        ({"image_raw": 0, "class": [1.0, 0.0], "image_id": ["a.png", "b.png"]}, ["0", "1"], [1, 0]),
        ({"jpeg": 0, "label": ["Eve", "Adam"]}, ["Adam", "Eve"], [1, 0]),
        ({"anything": 0, "target": [5, 9], "checksum": ["abc", "def"]}, ["5", "9"], [0, 1]),
    ],
)
def test_usual_features(
    tmp_path: Path, row: dict[str, Any], names: list[str], expected: list[int]
) -> None:
    picture, *others = row
    rows = [
        {picture: png(FOUR[n]), **{name: row[name][n % 2] for name in others}} for n in range(4)
    ]
    pictures = load(write(tmp_path / "a.tfrec", rows))
    np.testing.assert_array_equal(pictures.pixels, FOUR)
    assert pictures.label_names == names
    assert pictures.table.labels.tolist() == expected * 2
    ending = "/a.png" if "image_id" in row else ""
    assert pictures.table.names[0] == f"a.tfrec/0{ending}"


def test_celeba_of_tensorflow_datasets(tmp_path: Path) -> None:
    rows = [
        {
            "image": grey(n),
            "attributes/Smiling": n % 2,
            "attributes/Bald": 0,
            "landmarks/nose_x": 100 + n,
            "landmarks/flag": n % 2,
        }
        for n in range(4)
    ]
    source = open_records(str(write(tmp_path / "celeb_a-train.tfrecord-00000-of-00001", rows)))
    assert source.attribute_names == ["Bald", "Smiling", "landmarks/flag"]
    found = [list(item.attributes) for item in source.items()]
    assert found == [[-1, -1, -1], [-1, 1, 1], [-1, -1, -1], [-1, 1, 1]]
    assert list(source.label_names) == []


def test_attributes_as_celebas_table_has_them(tmp_path: Path) -> None:
    rows = [{"image": grey(n), "Smiling": [-1, 1, 0][n]} for n in range(3)]
    source = open_records(str(write(tmp_path / "a.tfrecord", rows)))
    assert source.attribute_names == ["Smiling"]
    assert [list(item.attributes) for item in source.items()] == [[-1], [1], [0]]


SIDES = {"height": 20, "width": 20, "depth": 3}


def tensor(array: np.ndarray) -> bytes:
    return tf.io.serialize_tensor(array).numpy()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: {"image_raw": p.tobytes(), **SIDES}, ""),
        (lambda p: {"image_raw": p.tobytes(), "height": 20, "width": 20}, ""),
        (lambda p: {"image_raw": p.tobytes()}, ""),
        (lambda p: {"data": p.transpose(2, 0, 1).tobytes(), "shape": [3, 20, 20]}, ""),
        (lambda p: {"x": p.ravel().astype(np.int64), "image/shape": [20, 20, 3]}, "0 to 255"),
        (lambda p: {"image": (p / 255).ravel(), **SIDES}, "0 to 1"),
        (lambda p: {"image": (p / 127.5 - 1).ravel()}, "-1 to 1"),
        (lambda p: {"image": (p / 255).astype("<f4").tobytes(), **SIDES}, "0 to 1"),
        (lambda p: {"image": tensor(p), **SIDES}, ""),
        (lambda p: {"image": tensor((p / 255).astype(np.float32))}, "0 to 1"),
        (lambda p: {"image": tensor(p.astype(np.uint16) * 257)}, "0 to 65535"),
    ],
)
def test_pixels(tmp_path: Path, make: Callable[[np.ndarray], dict[str, Any]], said: str) -> None:
    rows = [{**make(picture), "label": n % 2} for n, picture in enumerate(FOUR)]
    pictures = load(write(tmp_path / "a.tfrecord", rows))
    np.testing.assert_array_equal(pictures.pixels, FOUR)
    assert pictures.label_names == ["0", "1"] and not pictures.table.attribute_names
    described = data.describe(pictures)
    assert f"values taken as {said}" in described if said else "values taken" not in described


def test_overshoots_of_pixels_are_clipped_and_counted(tmp_path: Path) -> None:
    stored = FOUR / 255
    stored[0, 0, 0, 0], stored[3, 2, 2, 0] = -1e-3, 1.001
    rows = [{"image": picture.ravel(), **SIDES} for picture in stored]
    pictures = load(write(tmp_path / "a.tfrecord", rows))
    expected = FOUR.copy()
    expected[0, 0, 0, 0], expected[3, 2, 2, 0] = 0, 255
    np.testing.assert_array_equal(pictures.pixels, expected)
    assert "2 values beyond 0 to 1, clipped" in data.describe(pictures)


def test_greys_and_bad_pixels(tmp_path: Path) -> None:
    rows = [{"image": picture[..., 0].tobytes(), "rows": 20, "cols": 20} for picture in FOUR]
    rows += [{"image": bytes(399), "rows": 20, "cols": 20}, {"image": bytes(400), "rows": 20}]
    rows += [{"image": [b"a", b"b"]}, {"label": 3}]
    pictures = load(write(tmp_path / "a.tfrecord", rows), channels=1)
    np.testing.assert_array_equal(pictures.pixels[:4, ..., 0], FOUR[..., 0])
    assert not pictures.pixels[4].any()  # 400 bytes make a square
    assert [reason for _, reason in rejected(pictures)] == [
        "399 pixels where [20, 20, 1] should be",
        "several pictures in this record",
        "no picture in this record",
    ]


def shards(folder: Path, count: int = 3, name: str = "faces.tfrecord") -> list[Path]:
    return [
        write(
            folder / f"{name}-{n:05d}-of-{count:05d}",
            [{"image": grey(10 * n + i)} for i in range(2)],
        )
        for n in range(count)
    ]


def values(pictures: data.Pictures) -> list[int]:
    return pictures.pixels[:, 0, 0, 0].tolist()


def test_shards(tmp_path: Path) -> None:
    paths = shards(tmp_path / "set")
    every = [0, 1, 10, 11, 20, 21]
    options = {"cache": tmp_path / "cache"}
    assert values(load(tmp_path / "set", **options)) == every
    assert values(load(tmp_path / "set" / "faces.tfrecord", **options)) == every
    assert values(load(tmp_path / "set" / "faces.tfrecord@3", **options)) == every
    one = load(paths[1], **options)
    assert values(one) == [10, 11]
    assert "2 shards not there" in data.describe(one)
    assert values(load(tmp_path / "set", limit=3, **options)) == every[:3]


def test_shards_without_the_usual_ending(tmp_path: Path) -> None:
    shards(tmp_path / "set", name="train")
    assert values(load(tmp_path / "set", cache=tmp_path / "cache")) == [0, 1, 10, 11, 20, 21]
    ending = tmp_path / "set" / "checkpoint.data-00000-of-00001"
    ending.write_bytes(b"no records")
    assert len(values(load(tmp_path / "set", cache=tmp_path / "cache"))) == 6


def test_several_names_are_read_together_and_said(tmp_path: Path) -> None:
    shards(tmp_path / "set", 1, "a-test.tfrecord")
    shards(tmp_path / "set", 1, "a-train.tfrecord")
    found = load(tmp_path / "set", cache=tmp_path / "cache")
    assert len(found.pixels) == 4
    assert "shards of a-test.tfrecord, a-train.tfrecord together" in data.describe(found)


def test_of_stylegans_files_the_largest_pictures_are_read(tmp_path: Path) -> None:
    for level in (3, 4):
        side = 2**level
        pixels = np.full((3, side, side), level, np.uint8)
        write(
            tmp_path / "set" / f"ffhq-r{level:02d}.tfrecords",
            [{"shape": pixels.shape, "data": pixels.tobytes()}],
        )
    found = load(tmp_path / "set", cache=tmp_path / "cache")
    assert values(found) == [4]
    assert "1 file of the same pictures, smaller" in data.describe(found)


def test_pictures_win_over_records_in_a_folder(tmp_path: Path) -> None:
    shards(tmp_path / "set")
    Image.new("L", (20, 20)).save(tmp_path / "set" / "a.png")
    assert not isinstance(data.open_source(str(tmp_path / "set")), TFRecordSource)


def spoil(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_damaged_records_cost_themselves_alone(tmp_path: Path) -> None:
    rows = [{"image": grey(n), "label": n % 2} for n in range(4)]
    path = write(tmp_path / "a.tfrecord", rows)
    second, third = (sum(len(example(row)) + 16 for row in rows[:n]) for n in (1, 2))
    spoil(path, second + 100)
    pictures = load(path)
    assert values(pictures) == [0, 2, 3] and pictures.label_names == ["0", "1"]
    assert rejected(pictures) == [["a.tfrecord/1", "damaged: the record's checksum is wrong"]]
    spoil(path, third + 1)  # where the third one says how long it is
    pictures = load(path)
    assert values(pictures) == [0]
    assert rejected(pictures)[1] == ["a.tfrecord/2", "damaged: no record where one should begin"]


def test_damaged_labels_make_no_classes(tmp_path: Path) -> None:
    rows = [{"image": grey(n), "label": 50 + n % 2} for n in range(80)]
    path = write(tmp_path / "a.tfrecord", rows)
    content = path.read_bytes()
    last = content.rindex(b"label")
    spoil(path, content.index(bytes([51]), last))
    assert load(path).label_names == ["50", "51"]


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_a_file_that_is_cut_short(tmp_path: Path, compression: str) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (4, 20, 20, 3), np.uint8)
    path = write(tmp_path / "a.tfrecord", [{"image": png(each)} for each in noise], compression)
    path.write_bytes(path.read_bytes()[:-40])
    pictures = load(path)
    np.testing.assert_array_equal(pictures.pixels, noise[:3])
    assert rejected(pictures)[0][0] == "a.tfrecord/3"
    assert rejected(pictures)[0][1].startswith("damaged: ")


@pytest.mark.parametrize(
    "content",
    [b"", b"dear diary, dear diary", b"\x1f\x8b", gzip.compress(b"text" * 99, mtime=0), b"\0" * 99],
)
def test_files_that_are_no_records(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.tfrecord"
    path.write_bytes(content)
    assert command.main([str(path), "--cache", str(tmp_path / "cache")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "a.tfrecord" in said


def test_a_claim_of_a_huge_record(
    tmp_path: Path, peak: Callable[[Callable[[], object]], int]
) -> None:
    path = write(tmp_path / "a.tfrecord", [{"image": grey(1)}])
    length = struct.pack("<Q", 2**60)
    crc = crc32c(length)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    path.write_bytes(path.read_bytes() + length + struct.pack("<I", masked))
    found: list[data.Pictures] = []
    assert peak(lambda: found.append(load(path))) < 5_000_000
    assert rejected(found[0]) == [
        ["a.tfrecord/1", "damaged: a record of 1,152,921,504,606,846,976 bytes"]
    ]


def test_no_pictures(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tfrecord", [{"text": "dear diary", "label": 3}])
    with pytest.raises(
        UserError, match=r"with label \(1 value of int64\), text \(1 value of bytes"
    ):
        open_records(str(path))


def test_state_tells_of_a_change(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tfrecord", [{"image": grey(n), "label": n} for n in range(2)])
    first = load(path)
    assert load(path).folder == first.folder
    before = open_records(str(path)).state()
    assert json.loads(json.dumps(before)) == before
    (tmp_path / "label.labels.txt").write_text("no\nyes\n")
    assert open_records(str(path)).state() != before
    write(path, [{"image": grey(n)} for n in (7, 8, 9)])
    assert values(load(path)) == [7, 8, 9]


def test_check_and_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"image": png(picture), "label": n % 2} for n, picture in enumerate(FOUR)]
    path = write(tmp_path / "a.tfrecord", rows)
    words = [str(path), "--size", "20", "--cache", str(tmp_path / "cache")]
    assert command.main([*words, "--check", "--faces", "0"]) == 0
    said = capsys.readouterr().out
    assert "4 of 4 pictures can be used" in said and "classes    2;" in said
    assert command.main([*words, "--export", str(tmp_path / "out")]) == 0
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.png")) == [
        f"{n:06d}.png" for n in range(4)
    ]
    again = load(tmp_path / "out", cache=tmp_path / "cache")
    np.testing.assert_array_equal(again.pixels, FOUR[[0, 2, 1, 3]])  # class by class


def test_records_need_no_tensorflow(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tfrecord", [{"image": grey(3)}])
    script = f"""
import sys
from pathlib import Path
from kerasgan import data
assert len(data.load({str(path)!r}, size=16, cache=Path({str(tmp_path / "cache")!r})).pixels) == 1
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    shutil.rmtree(tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("faces.mat", "a MATLAB file. scipy.io.loadmat reads it. Save its array of pictures by"),
        ("faces.h5", "an HDF5 file. h5py reads it. Save its array of pictures by np.save"),
        ("faces.pt", "a file of PyTorch's. Load it where you trust it. Save its array"),
        ("faces.pkl", "a pickle, which can run programs and is not opened. Load it where"),
        ("faces.rar", "an archive of another kind. Unpack it and name the folder."),
        ("faces.json", "a table or text. Name the folder or archive with the pictures."),
        ("face.JPG", "one picture. Name its folder."),
        ("faces.doc", "a file of another kind."),
    ],
)
def test_other_files_are_named(
    tmp_path: Path, name: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert command.main([str(tmp_path / name), "--cache", str(tmp_path / "cache")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"{name}, which is {what}" in said
