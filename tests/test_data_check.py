"""What `--check` finds in a made folder, and which pictures it takes for the same."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.cli import run
from kerasgan.data import __main__ as command
from kerasgan.data import check as check_module
from kerasgan.data.check import Report, check, is_grey, text
from kerasgan.data.duplicates import descriptor, equal_pairs, groups, near_pairs
from kerasgan.data.sheet import CELL, contact_sheet
from kerasgan.portraits import draw_portrait

ORIENTATION = 0x0112


def portrait(number: int) -> Image.Image:
    return Image.fromarray(draw_portrait(number)[0])


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder with a few good pictures and one or two of each kind of odd ones."""
    folder = tmp_path / "odd"
    for name in ("her", "him"):
        (folder / name).mkdir(parents=True)
    for number in range(4):
        portrait(number).save(folder / "her" / f"{number}.png")
    (folder / "her" / "copy.png").write_bytes((folder / "her" / "0.png").read_bytes())
    portrait(1).save(folder / "him" / "again.jpg", quality=60)
    portrait(4).convert("L").save(folder / "him" / "grey.png")
    portrait(5).resize((40, 40)).save(folder / "him" / "little.png")
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    portrait(6).transpose(Image.Transpose.ROTATE_90).save(
        folder / "him" / "turned.jpg", exif=exif, quality=95
    )
    clear = portrait(7).convert("RGBA")
    clear.putalpha(128)
    clear.save(folder / "him" / "clear.png")
    (folder / "him" / "text.jpg").write_text("dear diary")
    (folder / "him" / "empty.png").write_bytes(b"")
    return folder


def checked(folder: Path, **options: object) -> tuple[Report, str]:
    wanted = {"size": 64, "limit": None, "crop": "auto", "channels": 3, **options}
    cache = folder.parent / "cache"
    preparation = data.make_preparation(data.open_source(str(folder), cache), cache, **wanted)
    report = check(preparation)
    return report, text(report, preparation)


def test_each_kind_of_finding(odd: Path) -> None:
    report, words = checked(odd)
    assert (report.count, report.usable, report.pictures) == (12, 10, 10)
    assert report.findings == {
        "broken": [
            ("him/empty.png", "empty file"),
            ("him/text.jpg", "not a picture in a known format"),
        ],
        "enlarged": [("him/little.png", "40x40")],
        "turned": [("him/turned.jpg", "128x128")],
        "transparent": [("him/clear.png", "128x128")],
        "grey": [("him/grey.png", "")],
        "duplicate": [("her/copy.png", "her/0.png")],
        "near duplicate": [("him/again.jpg", "her/1.png")],
    }
    assert report.formats == {"PNG": 8, "JPEG": 2}
    assert report.modes == {"RGB": 8, "L": 1, "RGBA": 1}
    assert report.sizes == {(128, 128): 9, (40, 40): 1}
    assert report.labels == {"her": 5, "him": 5}
    assert len(report.sample) == 10 and {kind: len(p) for kind, p in report.examples.items()} == {
        "enlarged": 1,
        "turned": 1,
        "transparent": 1,
        "grey": 1,
        "near duplicate": 2,
    }
    assert words.splitlines()[0] == f"{odd}: 10 of 12 pictures can be used."
    assert "training would see 10 pictures of 64x64 RGB, crop auto; 0.1 MB" in words
    assert "--flip --augment auto" in words  # the set is small


def test_a_turned_picture_is_shown_upright(odd: Path) -> None:
    report, _ = checked(odd)
    upright = np.asarray(portrait(6).resize((64, 64), Image.Resampling.LANCZOS)).astype(int)
    assert abs(report.examples["turned"][0] - upright).mean() < 4


def test_a_good_set_has_no_findings(tmp_path: Path) -> None:
    folder = tmp_path / "good"
    folder.mkdir()
    for number in range(3):
        portrait(number).save(folder / f"{number}.png")
    report, words = checked(folder)
    assert report.findings == {} and "findings: none" in words


def test_all_grey_is_no_finding(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (5, 28, 28), np.uint8)
    np.savez(tmp_path / "digits.npz", x_train=pixels, y_train=[3, 1, 3, 3, 1])
    report, words = checked(tmp_path / "digits.npz", size=28, channels=1)
    assert report.findings == {} and report.labels == {"3": 3, "1": 2}
    assert "classes    2; largest 3 3, smallest 1 2" in words
    assert "28x28 grey" in words


def test_attributes_are_summed_up(tmp_path: Path) -> None:
    for number in range(4):
        portrait(number).save(tmp_path / f"{number}.png")
    (tmp_path / "list_attr_celeba.csv").write_text("id,Smiling,Male\n0.png,1,-1\n1.png,-1,-1\n")
    report, words = checked(tmp_path)
    assert report.attributes == {"Smiling": [1, 1, 2], "Male": [0, 2, 2]}
    assert "2; have it: Smiling 50%, Male 0%" in words


def test_the_limit_counts_usable_pictures(odd: Path) -> None:
    report, _ = checked(odd, limit=3)
    assert report.pictures == 3 and report.labels == {"her": 2, "him": 1}
    assert [name for name, _ in report.findings["broken"]] == ["him/empty.png"]


def test_faces_are_looked_for_in_some(odd: Path) -> None:
    cache = odd.parent / "cache"
    source = data.open_source(str(odd), cache)
    preparation = data.make_preparation(source, cache, size=32, limit=None, crop="auto", channels=3)
    looked = []

    def has_face(rgb: np.ndarray) -> bool:
        looked.append(rgb.shape)
        return rgb.shape[0] == 40

    report = check(preparation, has_face, faces=4)  # the items 0, 3, 6 and 9
    assert report.faces_looked_at == len(looked) == 4
    assert [name for name, _ in report.findings["no face"]] == [
        "her/0.png",
        "her/3.png",
        "him/clear.png",
    ]


def test_command(odd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = odd.parent / "cache"
    words = [str(odd), "--check", "--size", "32", "--cache", str(cache), "--faces", "0"]
    assert run(command.main, words) == 0
    output = capsys.readouterr().out
    assert "10 of 12 pictures can be used" in output
    with Image.open(cache / "check-odd.png") as sheet:
        assert sheet.width > 12 * CELL
    with open(cache / "check-odd.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["finding", "picture", "detail"]
    assert ["broken", "him/empty.png", "empty file"] in rows and len(rows) == 8
    assert sorted(path.suffix for path in cache.iterdir()) == [".csv", ".png"]  # no cache


@pytest.mark.parametrize("sheet", ["x.csv", "x", "folder.png", "file/x.png", "/dev/full/x.png"])
def test_the_sheets_place_is_looked_at_before_the_work(
    odd: Path,
    sheet: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("")
    assert command.main([str(odd), "--check", "--sheet", sheet]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "`--sheet` should" in printed.err
    assert printed.err.count("\n") == 1


def test_command_on_nothing_usable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert run(command.main, [str(tmp_path), "--check", "--cache", str(tmp_path / "cache")]) == 2
    captured = capsys.readouterr()
    assert "0 of 1 picture can be used" in captured.out
    assert captured.err.count("\n") == 1 and "with none" in captured.err


def test_the_built_in_faces_may_be_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["built-in", "--limit", "3", "--size", "32", "--check", "--faces", "0"]
    assert run(command.main, [*words, "--cache", str(tmp_path)]) == 0
    assert "built-in: 3 of 3 pictures can be used" in capsys.readouterr().out


def copies(image: Image.Image) -> dict[str, Image.Image]:
    """The picture as people pass it on."""
    file = io.BytesIO()
    image.save(file, format="JPEG", quality=60)
    brighter = np.clip(np.asarray(image) * 1.08, 0, 255).astype(np.uint8)
    return {
        "re-encoded": Image.open(file),
        "resized": image.resize((90, 90)).resize((128, 128)),
        "brightened": Image.fromarray(brighter),
        "grey": image.convert("L").convert("RGB"),
    }


def test_copies_are_found_and_others_are_not() -> None:
    originals = [portrait(number) for number in range(30)]
    rows = [descriptor(np.asarray(image)) for image in originals]
    assert list(near_pairs(np.stack(rows))) == []
    for number, image in enumerate(originals[:8]):
        for name, copy in copies(image).items():
            both = np.stack([*rows, descriptor(np.asarray(copy))])
            assert list(near_pairs(both)) == [(number, 30)], name


def test_pairs_span_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kerasgan.data.duplicates.BLOCK", 3)
    rows = np.eye(10, dtype=np.float32)
    rows[7] = rows[1]
    rows[9] = rows[1]
    assert sorted(near_pairs(rows)) == [(1, 7), (1, 9), (7, 9)]


def test_pictures_of_one_colour_are_not_alike() -> None:
    flat = np.full((20, 20, 3), 7, np.uint8)
    assert list(near_pairs(np.stack([descriptor(flat)] * 2))) == []


def test_groups_join_pairs() -> None:
    assert groups(iter([(4, 5), (1, 2), (2, 4), (7, 8)])) == [[1, 2, 4, 5], [7, 8]]
    assert list(equal_pairs([b"a", b"b", b"a", b"a"])) == [(0, 2), (0, 3)]


def test_what_counts_as_grey() -> None:
    grey = np.full((8, 8, 3), 90, np.uint8)
    assert is_grey(grey) and is_grey(grey[..., :1])
    grey[..., 0] += 4
    assert not is_grey(grey)


def test_sheet_places_pictures_under_captions() -> None:
    red = np.full((10, 10, 3), (255, 0, 0), np.uint8)
    grey = np.full((50, 50, 1), 100, np.uint8)
    sheet = contact_sheet({"first": [red] * 13, "second": [grey]})
    assert (sheet[60, 8 + 5 * CELL] == (255, 0, 0)).all()
    assert (sheet[-60, 30] == 100).all() and (sheet[-60, 30 + CELL] == 255).all()
    assert sheet.shape == (2 * (26 + 8) + 3 * CELL + 8, 12 * CELL + 16, 3)


def test_sample_is_spread_over_the_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(check_module, "SAMPLE", 5)
    pixels = np.arange(1, 201, dtype=np.uint8)[:, None, None] * np.ones((1, 16, 16), np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    report, _ = checked(tmp_path / "a.npy", size=16)
    values = [int(picture[0, 0, 0]) for picture in report.sample]
    assert len(values) == 5 and values == sorted(values)
    assert values[0] == 1 and values[-1] > 160 and max(np.diff(values)) < 70
