"""What has changed in a cache since it was made: noticed when it is read, and made again."""

import dataclasses
import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from kerasgan import data
from kerasgan.data.batches import Ahead, Batches
from kerasgan.data.export import export
from kerasgan.errors import UserError
from kerasgan.recipes import PRESETS

RECIPE = dataclasses.replace(PRESETS["mlp"], size=16, batch_size=4)


@pytest.fixture
def load(drawn_faces, tmp_path):
    return lambda: data.load(str(drawn_faces), size=16, cache=tmp_path / "cache")


def flip(path: Path, place: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def read_an_epoch(pictures: data.Pictures) -> None:
    with Ahead(Batches.of(pictures, RECIPE)) as batches:
        for iteration in range(3):  # 12 of 10 pictures
            batches.at(iteration)


def make_old(folder: Path) -> None:
    """Leaves what versions without checksums wrote."""
    (folder / "checksums.npy").unlink()
    meta = json.loads((folder / "meta.json").read_text())
    del meta["sha256"], meta["table"]
    (folder / "meta.json").write_text(json.dumps(meta))


def test_checksums_are_those_of_the_pictures(load):
    pictures = load()
    expected = [zlib.crc32(pictures.pixels[number].tobytes()) for number in range(10)]
    assert pictures.checksums.tolist() == expected
    read_an_epoch(pictures)
    np.testing.assert_array_equal(pictures.take(np.array([7, 0])), pictures.pixels[[7, 0]])


def test_every_flipped_bit_is_noticed_and_the_cache_made_again(load, capsys):
    pictures = load()
    path, fingerprint = pictures.folder / "pictures.npy", pictures.fingerprint
    begin = path.stat().st_size - pictures.pixels.nbytes
    places = np.random.default_rng(0).integers(begin, path.stat().st_size, 60)
    for number, place in enumerate(places):
        flip(path, int(place), number % 8)
        with pytest.raises(UserError) as caught:
            read_an_epoch(pictures)
        changed = (place - begin) // (16 * 16 * 3)
        assert f"of which picture {changed} has changed on the disk" in str(caught.value)
        assert "\n" not in str(caught.value)
        flip(path, int(place), number % 8)
    flip(path, int(places[0]), 0)
    again = load()
    assert "is damaged (meta.json is missing); preparing it again" in capsys.readouterr().err
    assert again.fingerprint == fingerprint
    read_an_epoch(again)


def test_an_export_and_an_evaluation_notice_it_too(load, tmp_path):
    pictures = load()
    flip(pictures.folder / "pictures.npy", -1, 3)
    with pytest.raises(UserError, match="picture 9 has changed"):
        export(pictures, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="picture 9 has changed"):
        pictures.require_whole()
    pictures.require_whole(np.arange(9))


def test_a_cache_of_an_older_version_gets_its_checksums(load, capsys):
    first = load()
    expected = first.checksums.tolist()
    make_old(first.folder)
    assert load().checksums.tolist() == expected
    assert np.load(first.folder / "checksums.npy").tolist() == expected
    assert capsys.readouterr().err == ""


def test_a_damaged_cache_of_an_older_version_is_made_again(load, capsys):
    first = load()
    make_old(first.folder)
    flip(first.folder / "pictures.npy", -1, 0)
    again = load()
    assert "its pixels have changed on the disk); preparing it again" in capsys.readouterr().err
    assert again.fingerprint == first.fingerprint
    read_an_epoch(again)


@pytest.mark.parametrize("name", ["meta.json", "checksums.npy", "pictures.csv"])
def test_every_flipped_bit_of_the_other_files_is_noticed(load, name):
    """By what is opened, or by what is read; never by nothing, and never by a traceback."""
    before = load()
    rng = np.random.default_rng(1)
    for _ in range(40):
        path = before.folder / name
        whole = path.read_bytes()
        flip(path, int(rng.integers(len(whole))), int(rng.integers(8)))
        try:
            pictures = load()
            read_an_epoch(pictures)
            assert pictures.table.names == before.table.names
        except UserError as error:
            assert "\n" not in str(error)
            path.write_bytes(whole)
        else:
            assert path.read_bytes() == whole, "made again"


def test_a_cache_that_is_damaged_once_it_is_open_is_one_line(load):
    pictures = load()
    (pictures.folder / "meta.json").unlink()
    for use in (lambda: data.describe(pictures), lambda: pictures.table):
        with pytest.raises(UserError, match=r"A cache should be whole.*meta.json is missing"):
            use()
