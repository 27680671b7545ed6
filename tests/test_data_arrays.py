"""Arrays of pictures as sources: every shape and range that is in use, and damage."""

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kerasgan import data
from kerasgan.data import __main__ as command
from kerasgan.data.arrays import ArraySource

RAMP = np.linspace(0, 255, 20 * 20 * 3).round().astype(np.uint8).reshape(20, 20, 3)
FOUR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1], RAMP[::-1, ::-1]])  # uint8 (4, 20, 20, 3)


def save(path: Path, array: np.ndarray | None = None, **arrays: np.ndarray) -> Path:
    if array is None:
        np.savez(path, **arrays)
    else:
        np.save(path, array)
    return path


def load(path: Path, **options: object) -> data.Pictures:
    return data.load(str(path), **{"size": 20, "cache": path.parent / "cache", **options})


def rejected(pictures: data.Pictures) -> list[list[str]]:
    with open(pictures.folder / "rejected.csv", encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def refused(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Runs the command on what it should refuse, in one line; returns the line."""
    cache = path.parent / "cache"
    assert command.main([str(path), "--size", "20", "--cache", str(cache)]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert captured.err.startswith("error: ") and not list(cache.glob("[!r]*"))
    return captured.err


@pytest.mark.parametrize(
    "stored",
    [
        FOUR,
        FOUR.transpose(0, 3, 1, 2),  # channels first
        np.asfortranarray(FOUR),
        FOUR.astype(">i4"),
        FOUR.astype(np.int64),
        FOUR.astype(np.uint16),  # that never goes above 255
        FOUR.astype(np.uint16) * 257,
        FOUR.astype(">u2") * 257,
        FOUR.astype(np.float32),
        FOUR.astype(np.float64) / 255,
        FOUR.astype(np.float32) / 127.5 - 1,
        np.asfortranarray(FOUR.astype(np.float32) / 255),
        np.concatenate([FOUR, np.full((4, 20, 20, 1), 255, np.uint8)], axis=3),  # opaque
    ],
    ids=lambda array: f"{array.dtype}-{'x'.join(map(str, array.shape))}-{array.max():g}",
)
@pytest.mark.parametrize("packed", [False, True])
def test_layouts_and_ranges(tmp_path: Path, stored: np.ndarray, packed: bool) -> None:
    path = save(tmp_path / "a.npz", images=stored) if packed else save(tmp_path / "a.npy", stored)
    pictures = load(path)
    np.testing.assert_array_equal(pictures.pixels, FOUR)
    assert pictures.table.names == ["0", "1", "2", "3"] and pictures.rejected == 0


@pytest.mark.parametrize("shape", [(4, 20, 20), (4, 20, 20, 1), (4, 1, 20, 20)])
def test_greys(tmp_path: Path, shape: tuple[int, ...]) -> None:
    grey = FOUR[..., 0]
    path = save(tmp_path / "a.npy", grey.reshape(shape))
    np.testing.assert_array_equal(load(path, channels=1).pixels, grey[..., np.newaxis])
    np.testing.assert_array_equal(load(path).pixels, np.stack([grey] * 3, axis=-1))


def test_booleans_and_transparency(tmp_path: Path) -> None:
    pictures = load(save(tmp_path / "a.npy", FOUR[..., 0] > 127))
    np.testing.assert_array_equal(pictures.pixels[..., 0], (FOUR[..., 0] > 127) * np.uint8(255))
    clear = np.zeros((2, 20, 20, 4), np.uint8)
    assert (load(save(tmp_path / "b.npy", clear)).pixels == 255).all()  # laid over white


def test_half_precision_rounds_to_the_nearest(tmp_path: Path) -> None:
    stored = (FOUR / 255).astype(np.float16)
    expected = np.rint(stored.astype(np.float64) * 255)
    np.testing.assert_array_equal(load(save(tmp_path / "a.npy", stored)).pixels, expected)


def test_labels_lie_beside_the_pictures(tmp_path: Path) -> None:
    arrays = {"x_train": FOUR, "y_train": np.array([7, 3, 7, 3])[:, None], "x_test": FOUR[:1]}
    pictures = load(save(tmp_path / "a.npz", **arrays))
    assert pictures.label_names == ["3", "7"]
    assert pictures.table.labels.tolist() == [1, 0, 1, 0]
    assert ", in 2 classes" in data.describe(pictures)
    assert "x_train alone was read, not x_test" in data.describe(pictures)


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        (np.array([7, 3, 7, 3], np.int8), ["3", "7"], [1, 0, 1, 0]),
        (np.array([[1.0], [0.0], [1.0], [10.0]], np.float32), ["0", "1", "10"], [1, 0, 1, 2]),
        (np.array([True, False, True, True]), ["False", "True"], [1, 0, 1, 1]),
        (np.eye(4, dtype=int)[[2, 0, 0, 2]], ["0", "2"], [1, 0, 0, 1]),
        (np.eye(3, dtype=np.float32)[[0, 1, 2, 1]], ["0", "1", "2"], [0, 1, 2, 1]),
        (np.array(["Eve", "Adam", "Eve", "Eve"]), ["Adam", "Eve"], [1, 0, 1, 1]),
        (np.array(["Zoë".encode(), b"Adam", b"Adam", b"Adam"]), ["Adam", "Zoë"], [1, 0, 0, 0]),
    ],
)
def test_kinds_of_labels(
    tmp_path: Path, labels: np.ndarray, names: list[str], expected: list[int]
) -> None:
    pictures = load(save(tmp_path / "a.npz", x=FOUR, y=labels))
    assert pictures.label_names == names
    assert pictures.table.labels.tolist() == expected


@pytest.mark.parametrize(
    "labels",
    [
        np.arange(3),
        np.array([0.5, 1, 2, 3]),
        np.array([np.nan, 1, 2, 3]),
        np.array([[1, 1], [0, 1], [1, 0], [0, 1]]),  # attributes perhaps
        np.ones(4),
        np.array([{}] * 4, object),
    ],
)
def test_what_is_no_label_is_said(tmp_path: Path, labels: np.ndarray) -> None:
    pictures = load(save(tmp_path / "a.npz", x=FOUR, y=labels))
    assert pictures.label_names == [] and len(pictures.pixels) == 4
    assert "no labels: y with " in data.describe(pictures)


def test_the_only_array_of_pictures_needs_no_name(tmp_path: Path) -> None:
    np.testing.assert_array_equal(
        load(save(tmp_path / "a.npz", whatever=FOUR, ids=np.arange(4))).pixels, FOUR
    )


def test_pictures_out_of_range_cost_themselves_alone(tmp_path: Path) -> None:
    stored = FOUR.astype(np.float32) / 255
    stored[1, 3, 3, 0] = np.nan
    stored[2, 0, 0, 0] = np.inf
    pictures = load(save(tmp_path / "a.npy", stored))
    np.testing.assert_array_equal(pictures.pixels, FOUR[[0, 3]])
    assert rejected(pictures) == [["1", "values that are not finite"]] + [
        ["2", "values that are not finite"]
    ]
    integers = FOUR.astype(np.int32)
    integers[0, 0, 0, 0] = 10**6
    pictures = load(save(tmp_path / "b.npy", integers))
    np.testing.assert_array_equal(pictures.pixels, FOUR[1:])
    reason = "values out of range: 0 to 1e+06, not 0 to 255"
    assert rejected(pictures) == [["0", reason]]


def test_nothing_finite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(tmp_path / "a.npy", np.full((5, 20, 20), np.nan, np.float32))
    assert "5 rejected (values that are not finite: 5)" in refused(path, capsys)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((), np.uint8),
        np.zeros(5, np.uint8),
        np.zeros((20, 20), np.uint8),
        np.zeros((5, 20, 20, 2), np.uint8),
        np.zeros((5, 2, 20, 20), np.uint8),
        np.zeros((5, 1, 20, 20, 3), np.uint8),
        np.zeros((0, 20, 20, 3), np.uint8),
        np.zeros((5, 0, 20, 3), np.uint8),
        np.zeros((5, 20, 20), np.complex64),
        np.zeros((5, 20, 20), "M8[s]"),
        np.full((5, 20, 20), "a"),
        np.zeros((5, 20, 20), [("r", "u1"), ("g", "u1")]),
    ],
    ids=lambda array: f"{array.shape} {array.dtype}",
)
def test_wrong_shapes_and_kinds(
    tmp_path: Path, array: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(save(tmp_path / "a.npy", array), capsys)
    assert "should have shape (N, H, W)" in line and f"with {array.shape} of" in line


ONE = "It looks like one picture: save it as a PNG file, or several in one array, np.stack("


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((64, 64, 3), ONE),
        ((218, 178, 3), ONE),
        ((64, 64, 4), ONE),
        ((64, 64, 1), ONE),
        ((64, 50), ONE),
        ((218, 178), ONE),
        ((64, 64), ONE),
        ((3, 64, 48), ONE),
        ((3, 64, 48), "for 3 grey pictures save array[..., None]"),
        ((100, 784), "For rows of 28x28 grey pixels, save array.reshape(-1, 28, 28)."),
        ((50, 12288), "array.reshape(-1, 64, 64, 3), or array.reshape(-1, 3, 64, 64) where"),
        ((64, 64, 100), "For pictures along the last axis, save np.moveaxis(array, -1, 0)"),
        ((32, 32, 3, 50), "For pictures along the last axis, save np.moveaxis(array, -1, 0)"),
        ((32, 32, 3, 3), "For pictures along the last axis, save np.moveaxis(array, -1, 0)"),
        ((2, 5, 20, 20, 3), "save array.reshape(-1, *array.shape[2:])"),
        ((0, 64, 64, 3), "It is empty."),
    ],
)
def test_what_a_shape_may_mean_is_said(
    tmp_path: Path,
    shape: tuple[int, ...],
    hint: str,
    packed: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    array = np.zeros(shape, np.uint8)
    path = save(tmp_path / "a.npz", x=array) if packed else save(tmp_path / "a.npy", array)
    line = refused(path, capsys)
    assert f"with {shape} of uint8" in line and hint in line


@pytest.mark.parametrize(
    "shape", [(9, 64, 48), (64, 64, 64), (4, 20, 20), (1, 20, 20), (2, 4, 20, 20), (20, 20, 20, 3)]
)
def test_shapes_of_pictures(tmp_path: Path, shape: tuple[int, ...]) -> None:
    assert len(load(save(tmp_path / "a.npy", np.full(shape, 9, np.uint8))).pixels) == shape[0]


def test_fields_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    array = np.zeros((5, 20, 20), [("face", "u1"), ("mask", "u1")])
    assert "Save one of its fields, array['face']" in refused(
        save(tmp_path / "a.npy", array), capsys
    )


@pytest.mark.parametrize("kind", [dict, list])
def test_pickled_objects(tmp_path: Path, kind: type, capsys: pytest.CaptureFixture[str]) -> None:
    if kind is dict:
        array = np.array({"images": FOUR}, object)
    else:
        array = np.empty(2, object)
        array[:] = [RAMP, RAMP[:10]]
    line = refused(save(tmp_path / "a.npy", array), capsys)
    assert "it holds Python objects" in line and "(np.stack), or the pictures as PNG files" in line


class Bait:
    """Calls `open` where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_objects_are_not_unpickled(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    baits = np.array([Bait(tmp_path / "bitten")] * 4, object).reshape(4, 1, 1)
    path = save(tmp_path / name, baits) if name == "a.npy" else save(tmp_path / name, x=baits)
    assert "Python objects" in refused(path, capsys)
    assert not (tmp_path / "bitten").exists()


def test_labels_of_objects_are_not_unpickled(tmp_path: Path) -> None:
    baits = np.array([Bait(tmp_path / "bitten")] * 4, object)
    pictures = load(save(tmp_path / "a.npz", x=FOUR, y=baits, names=baits))
    assert "no labels: y with (4,) of object for 4 pictures" in data.describe(pictures)
    assert not (tmp_path / "bitten").exists()


def npy(
    shape: tuple[int, ...], descr: str = "|u1", order: bool = False, numbers: bytes = b""
) -> bytes:
    """A `.npy` file that claims any shape."""
    file = io.BytesIO()
    header = {"descr": descr, "fortran_order": order, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + numbers


def write(folder: Path, content: bytes, packed: bool) -> Path:
    """Writes a `.npy` file's content, into an `.npz` if it should be packed."""
    path = folder / ("a.npz" if packed else "a.npy")
    path.write_bytes(content)
    if packed:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", content)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_claim_of_more_pictures_than_there_are(tmp_path: Path, packed: bool) -> None:
    path = write(tmp_path, npy((10**12, 20, 20, 3), numbers=FOUR.tobytes()), packed)
    pictures = load(path)
    np.testing.assert_array_equal(pictures.pixels, FOUR)
    assert rejected(pictures) == [["4 to 999999999999", "damaged: the file ends before it"]]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (npy((1, 10**6, 10**6, 3)), "with (1, 1000000, 1000000, 3) of uint8"),
        (npy((-4, 20, 20, 3)), "with (-4, 20, 20, 3) of uint8"),
        (npy((4, -20, -20, 3)), "with (4, -20, -20, 3) of uint8"),
        (npy((10**12, 20, 20), order=True), "ends before its (1000000000000, 20, 20) numbers"),
        (npy((10**9, 9000, 9000), "<f8"), "1 rejected (damaged: 1)"),
    ],
)
def test_huge_claims(
    tmp_path: Path,
    content: bytes,
    packed: bool,
    fact: str,
    peak: Callable[[Callable[[], object]], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write(tmp_path, content, packed)
    assert peak(lambda: refused(path, capsys)) < 5_000_000
    assert fact in refused(path, capsys)


@pytest.mark.parametrize("lost", [1, 1200, 1300])
def test_cut_file_gives_the_pictures_before_the_cut(tmp_path: Path, lost: int) -> None:
    path = save(tmp_path / "a.npy", FOUR)  # 1,200 bytes a picture
    path.write_bytes(path.read_bytes()[:-lost])
    whole = 4 - -(-lost // 1200)
    pictures = load(path)
    np.testing.assert_array_equal(pictures.pixels, FOUR[:whole])
    assert rejected(pictures) == [[f"{whole} to 3", "damaged: the file ends before it"]]


def test_damage_inside_a_compressed_file(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 20, 20, 3), np.uint8)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=noise)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    pictures = load(path)
    whole = len(pictures.pixels)
    # Most of the noise is stored as it is, so that the flip shows at the end, by the checksum.
    assert 80 < whole < 200
    assert rejected(pictures) == [[f"{whole} to 199", "damaged: the file ends before it"]]


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"dear diary",
        b"\x93NUMPY",
        b"\x93NUMPY\1\0\xff\xff{",
        b"\x93NUMPY\1\0\x10\0{'descr': (((((((",
        b"\x93NUMPY\1\0\x0c\0{1: 2, 'a':3",
        b"\x93NUMPY\1\0\x0a\0'unclosed\n",
        b"\x93NUMPY\x09\x09" + bytes(20),
        npy((4, 20, 20), "|O"),
        npy((4, 20, 20), "nonsense"),
        npy((4, 20, 20), ",,,"),
        b"PK\3\4" + bytes(40),
        b"PK\5\6" + bytes(18),
    ],
)
def test_what_is_no_array(
    tmp_path: Path, name: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, capsys)


def test_several_unnamed_arrays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(save(tmp_path / "a.npz", one=FOUR, two=FOUR), capsys)
    assert "should name them one of x_train, images" in line and "with one, two." in line


def test_range_is_found_without_holding_the_pictures(
    tmp_path: Path, peak: Callable[[Callable[[], object]], int]
) -> None:
    stored = np.zeros((60, 128, 128, 3), np.float32)  # 11.8 MB; a picture takes 0.2 MB
    stored[50] = 1
    path = save(tmp_path / "a.npy", stored)
    assert peak(lambda: ArraySource(str(path))) < 4_000_000


def test_file_written_by_python_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4L, 20L, 20L, 3L), }"
    header += b" " * (117 - len(header)) + b"\n"
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + FOUR.tobytes())
    np.testing.assert_array_equal(load(path).pixels, FOUR)
    assert capsys.readouterr().err == ""
