"""The range of pictures kept as numbers: decided by the bulk, clipped, said, or refused."""

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.data import __main__ as command
from kerasgan.data.arrays import ArraySource
from kerasgan.errors import UserError

RAMP = np.linspace(0, 255, 20 * 20 * 3).round().astype(np.uint8).reshape(20, 20, 3)
TEN = np.stack([np.roll(RAMP, 30 * number, axis=1) for number in range(10)])  # (10, 20, 20, 3)

FROM_UINT8: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "0 to 1": lambda pixels: pixels / 255,
    "-1 to 1": lambda pixels: pixels / 127.5 - 1,
    "-0.5 to 0.5": lambda pixels: pixels / 255 - 0.5,
    "0 to 255": lambda pixels: pixels.astype(float),
    "0 to 65535": lambda pixels: pixels * 257.0,
}


def load(path: Path, array: np.ndarray | None = None, **options: object) -> data.Pictures:
    if array is not None:
        np.save(path, array)
    return data.load(str(path), **{"size": 20, "cache": path.parent / "cache", **options})


def rejected(pictures: data.Pictures) -> list[list[str]]:
    with open(pictures.folder / "rejected.csv", encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        (name, dtype)
        for name in FROM_UINT8
        for dtype in (np.float16, np.float32, np.float64, ">f4")
        if (name, dtype) != ("0 to 65535", np.float16)  # beyond what it holds
    ],
)
def test_ranges_of_floats(tmp_path: Path, name: str, dtype: object) -> None:
    pictures = load(tmp_path / "a.npy", FROM_UINT8[name](TEN).astype(dtype))
    difference = np.abs(pictures.pixels.astype(int) - TEN).max()
    assert difference <= (dtype == np.float16)  # of which one step is coarser than a grey
    assert f"(values taken as {name})" in data.describe(pictures)


# Two odd values of the first and the last picture, in parts of the range's width.
@pytest.mark.parametrize("over", [1e-6, 0.004, 0.04, 0.2])
@pytest.mark.parametrize("name", ["0 to 1", "-1 to 1", "0 to 255"])
def test_overshoots_are_clipped_and_counted(tmp_path: Path, name: str, over: float) -> None:
    stored = FROM_UINT8[name](TEN)
    width = stored.max() - stored.min()
    stored[0, 0, 0, 0] = stored.min() - over * width
    stored[9, 1, 2, 0] = stored.max() + over * width
    pictures = load(tmp_path / "a.npy", stored)
    expected = TEN.copy()
    expected[0, 0, 0, 0], expected[9, 1, 2, 0] = 0, 255
    np.testing.assert_array_equal(pictures.pixels, expected)
    said = f"(values taken as {name}; 2 values beyond {name}, clipped)"
    assert said in data.describe(pictures)


@pytest.mark.parametrize("filter_", [Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
@pytest.mark.parametrize("name", ["0 to 1", "-1 to 1", "0 to 255"])
def test_what_a_resize_leaves(tmp_path: Path, name: str, filter_: Image.Resampling) -> None:
    rng = np.random.default_rng(0)
    squares = np.kron(rng.random((12, 4, 4)).round(), np.ones((1, 4, 4)))
    stored = FROM_UINT8[name](
        np.stack(
            [
                np.asarray(Image.fromarray(each).resize((20, 20), filter_))
                for each in squares.astype(np.float32) * 255
            ]
        )
    )
    black, white = {"0 to 1": (0, 1), "-1 to 1": (-1, 1), "0 to 255": (0, 255)}[name]
    assert stored.min() < black - 0.05 * (white - black)
    assert stored.max() > white + 0.05 * (white - black)
    expected = np.interp(stored, [black, white], [0, 255])  # which clips, too
    pictures = load(tmp_path / "a.npy", stored, channels=1)
    assert np.abs(pictures.pixels[..., 0] - expected).max() < 0.51
    assert f"values taken as {name}" in data.describe(pictures)


def test_noise_overshoots_the_most(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).choice([0.0, 1.0], (12, 16, 16)).astype(np.float32)
    stored = np.stack(
        [
            np.asarray(Image.fromarray(each).resize((20, 20), Image.Resampling.LANCZOS))
            for each in noise
        ]
    )
    assert stored.min() < -0.4 and stored.max() > 1.4
    for width in (1, 255):
        pictures = load(tmp_path / "a.npy", stored * width, channels=1)
        assert np.abs(pictures.pixels[..., 0] - stored.clip(0, 1) * 255).max() < 0.51


def test_integers_overshoot_too(tmp_path: Path) -> None:
    for dtype in (np.int16, np.int64):
        stored = TEN.astype(dtype)
        stored[0, 0, 0, 0], stored[3, 0, 0, 0] = -3, 258
        expected = TEN.copy()
        expected[0, 0, 0, 0], expected[3, 0, 0, 0] = 0, 255
        pictures = load(tmp_path / "a.npy", stored)
        np.testing.assert_array_equal(pictures.pixels, expected)
        assert "2 values beyond 0 to 255, clipped" in data.describe(pictures)
    stored = TEN.astype(np.uint16)
    stored[0, 0, 0, 0] = 256  # which once made all of them 16 bits, and black
    assert load(tmp_path / "a.npy", stored).pixels[1:].max() == 255


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int8, np.int64, np.uint16, np.float32])
def test_zeros_and_ones_are_black_and_white(tmp_path: Path, dtype: type) -> None:
    pictures = load(tmp_path / "a.npy", (TEN > 127).astype(dtype))
    np.testing.assert_array_equal(pictures.pixels, (TEN > 127) * np.uint8(255))
    assert ("values taken as 0 to 1" in data.describe(pictures)) == (dtype is not bool)


def test_a_few_bad_pictures_cost_themselves_alone(tmp_path: Path) -> None:
    stored = TEN / 255
    stored[1] *= 255
    stored[2, 3, 3, 0] = 1e30
    stored[3, 3, 3, 0] = np.nan
    pictures = load(tmp_path / "a.npy", stored)
    np.testing.assert_array_equal(pictures.pixels, np.delete(TEN, [1, 2, 3], axis=0))
    assert rejected(pictures) == [
        ["1", "values out of range: 0 to 255, not 0 to 1"],
        ["2", "values out of range: 0 to 1e+30, not 0 to 1"],
        ["3", "values that are not finite"],
    ]
    stored = TEN.astype(float)
    stored[4] /= 255  # all but black among the others
    stored[5] = 0  # really black
    pictures = load(tmp_path / "b.npy", stored)
    assert rejected(pictures) == [["4", "values out of range: 0 to 1, not 0 to 255"]]
    assert len(pictures.pixels) == 9 and not pictures.pixels[4].any()


def standardised(pixels: np.ndarray) -> np.ndarray:
    return (pixels - pixels.mean()) / pixels.std()


@pytest.mark.parametrize(
    ("stored", "fact", "typed"),
    [
        (np.zeros((5, 20, 20)), "every value 0, which", "Save pictures of 0 to 255, as uint8"),
        (standardised(TEN.astype(float)), "float64 of -1.7", "array * std + mean"),
        (TEN / 255 - 0.3, "of -0.3 to 0.7", "((array + 0.3) * (255 / 1)).round().astype('uint8')"),
        (TEN - 128.0, "of -128 to 127", "((array + 128) * (255 / 255)).round()"),
        ((TEN // 16).astype(float), "float64 of 0 to 15", "(array * (255 / 15)).round()"),
        ((TEN // 16).astype(int), "int64 of 0 to 15", "(array * (255 / 15)).round()"),
        (TEN * np.uint16(16), "uint16 of 0 to 4080", "(array * (255 / 4080)).round()"),
        (TEN.astype(np.int8), "int8 of -128 to 127", "array.view('uint8')"),
        (np.concatenate([TEN / 255, TEN]), "of 0 to 255", "all in the same range"),
        (np.concatenate([TEN / 255, TEN[:4] / 127.5 - 1]), "of -1 to 1", "in the same range"),
    ],
)
def test_what_does_not_tell_is_refused_with_what_to_do(
    tmp_path: Path,
    stored: np.ndarray,
    fact: str,
    typed: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.save(tmp_path / "a.npy", stored)
    assert command.main([str(tmp_path / "a.npy"), "--cache", str(tmp_path / "cache")]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert fact in said.err and typed in said.err


def test_what_is_to_be_typed_helps(tmp_path: Path) -> None:
    array = TEN - 128.0
    saved = ((array + 128) * (255 / 255)).round().astype("uint8")
    np.testing.assert_array_equal(load(tmp_path / "a.npy", saved).pixels, TEN)


def test_pictures_at_the_end_count_as_well(tmp_path: Path) -> None:
    bright = np.full((300, 20, 20), 0.5, np.float32)
    stored = np.concatenate([bright, np.repeat(TEN[..., 0], 70, axis=0) / 127.5 - 1])
    for path in (tmp_path / "a.npy", tmp_path / "a.npz"):
        if path.suffix == ".npz":
            np.savez_compressed(path, stored)
        else:
            np.save(path, stored)
        found = load(path, channels=1)
        assert "values taken as -1 to 1" in data.describe(found)
        np.testing.assert_array_equal(found.pixels[300::70, ..., 0], TEN[..., 0])


def test_of_very_many_pictures_some_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ArraySource, "LOOKED_AT", 4)
    stored = TEN / 255
    stored[1] = 99  # is rejected, but not looked at before
    for name in ("a.npy", "a.npz"):
        if name == "a.npz":
            np.savez_compressed(tmp_path / name, stored)
        else:
            np.save(tmp_path / name, stored)
        found = load(tmp_path / name)
        np.testing.assert_array_equal(found.pixels, np.delete(TEN, 1, axis=0))


def test_check_and_export_say_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored = TEN / 255
    stored[0, 0, 0, 0] = -1e-6
    np.save(tmp_path / "a.npy", stored)
    words = [str(tmp_path / "a.npy"), "--size", "20", "--cache", str(tmp_path / "cache")]
    assert command.main([*words, "--check", "--faces", "0"]) == 0
    said = capsys.readouterr().out
    assert "values taken as 0 to 1" in said and "1 value beyond 0 to 1, clipped" in said
    assert command.main([*words, "--export", str(tmp_path / "out.zip")]) == 0
    assert "1 value beyond 0 to 1, clipped" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "out.zip") as archive, archive.open("000001.png") as file:
        np.testing.assert_array_equal(np.asarray(Image.open(file, formats=["PNG"])), TEN[1])


def test_arrays_in_python_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Received: ndarray\. .*np\.save"):
        data.load(TEN, size=20, cache=tmp_path)
    with pytest.raises(UserError, match=r"uint8 .*Received: float64 of 0 to 1"):
        data.prepare_one(TEN[0] / 255, size=20)
    with pytest.raises(UserError, match=r"\(H, W\).*Received: uint8 of shape \(10, 20, 20, 3\)"):
        data.prepare_one(TEN, size=20)
