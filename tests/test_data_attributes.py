"""Attribute tables: CelebA's two forms, and what people make of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.data import __main__ as command
from kerasgan.data.attributes import parse_attributes
from kerasgan.errors import UserError

CSV = "image_id,Male,Smiling\n1.jpg,1,-1\n2.jpg,-1,-1\n"
PLAIN = "2\nMale Smiling\n1.jpg  1 -1\n2.jpg -1 -1\n"


def rows(text: str | bytes, *images: str) -> list[list[int]]:
    """The values that a table has for some pictures."""
    table = parse_attributes(text if isinstance(text, bytes) else text.encode(), "list_attr.csv")
    return [table.of(image).tolist() for image in images or ("1.jpg", "2.jpg")]


@pytest.mark.parametrize(
    "text",
    [
        CSV,
        PLAIN,
        PLAIN.partition("\n")[2],  # without its count
        "image_id Male Smiling\n1.jpg 1 -1\n2.jpg -1 -1\n",
        "2\n" + CSV,
        CSV.replace("\n", "\r\n"),
        CSV.replace("\n", "\r"),
        PLAIN.replace("\n", "\r\n"),
        CSV.replace(",", ", "),
        CSV.replace("-1", "-1.0"),
        CSV.replace("-1", "False").replace("1\n", "True\n"),
        CSV.replace("-1", "0"),
        CSV.replace("1.jpg", "img\\1.jpg").replace("2.jpg", "some/where/2.jpg"),
        CSV + "\n\n",
        b"\xef\xbb\xbf" + CSV.encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
    ],
)
def test_forms_of_the_same_table(text: str | bytes) -> None:
    table = parse_attributes(text if isinstance(text, bytes) else text.encode(), "x")
    assert table.names == ["Male", "Smiling"]
    assert table.bad_rows == 0
    assert rows(text) == [[1, -1], [-1, -1]]
    assert table.of("1.jpg").dtype == np.int8


def test_zero_means_no_only_where_nothing_else_does() -> None:
    assert rows("image_id,A,B\n1.jpg,0,1\n2.jpg,0,\n") == [[-1, 1], [-1, 0]]
    assert rows("image_id,A,B\n1.jpg,0,1\n2.jpg,-1,\n") == [[0, 1], [-1, 0]]


def test_pictures_and_rows_that_do_not_meet() -> None:
    table = parse_attributes((CSV + "3.jpg,1,1\n4.jpg,1,1\n").encode(), "x")
    assert table.of("a/b/1.jpg").tolist() == [1, -1]
    assert table.of("nowhere.jpg").tolist() == [0, 0]
    assert table.notes() == ["3 attribute rows name no picture"]


def test_bad_rows_are_left_out_and_counted() -> None:
    bad = "3.jpg,1\n4.jpg,1,1,1\n5.jpg,yes,1\n6.jpg,1,2\n7.jpg\n"
    table = parse_attributes((CSV + bad).encode(), "x")
    assert table.bad_rows == 5
    assert [table.of(f"{number}.jpg").tolist() for number in range(3, 8)] == [[0, 0]] * 5
    assert table.notes()[1] == "5 attribute rows could not be read"


def test_names_of_pictures_may_hold_anything() -> None:
    text = 'image_id,A\n"line\nbreak.jpg",1\n"a, ""b"".jpg",1\n顔.jpg,-1\n'
    assert rows(text, "line\nbreak.jpg", 'a, "b".jpg', "顔.jpg") == [[1], [1], [-1]]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"12\n",
        b"image_id\n1.jpg\n",
        b"image_id,A,A\n1.jpg,1,1\n",
        b"image_id,A,\n1.jpg,1,\n",
        b'image_id,A\n"' + b"x" * 200_000,
        b"\x89PNG\r\n\x1a\n",
        bytes(1000),
    ],
)
def test_what_is_no_table(content: bytes) -> None:
    with pytest.raises(UserError, match="^An attribute table should ") as caught:
        rows(content)
    assert "\n" not in str(caught.value)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Two pictures of CelebA's names."""
    folder = tmp_path / "celeba"
    for value in (1, 2):
        path = folder / "img_align_celeba" / f"{value}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (20, 20), value).save(path, format="PNG")
    return folder


@pytest.mark.parametrize("place", [".", "Anno"])
@pytest.mark.parametrize("name", ["list_attr_celeba.csv", "list_attr_celeba.txt"])
def test_table_of_a_folder(faces: Path, place: str, name: str) -> None:
    (faces / place).mkdir(exist_ok=True)
    (faces / place / name).write_text(CSV if name.endswith("csv") else PLAIN)
    pictures = data.load(str(faces), size=16, cache=faces.parent / "cache")
    assert pictures.table.attribute_names == ["Male", "Smiling"]
    assert pictures.table.attributes.tolist() == [[1, -1], [-1, -1]]
    assert pictures.label_names == []  # all in one folder: that is no class
    assert data.describe(pictures) == f"2 pictures of 16x16 from {faces}"


def test_what_is_odd_about_a_table_is_said(faces: Path) -> None:
    text = "image_id,Male\n1.jpg,1\n3.jpg,-1\n4.jpg,?\n"
    (faces / "list_attr_celeba.csv").write_text(text)
    pictures = data.load(str(faces), size=16, cache=faces.parent / "cache")
    assert pictures.table.attributes.tolist() == [[1], [0]]
    assert data.describe(pictures).endswith(
        " (1 without attributes; 1 attribute rows name no picture; "
        "1 attribute rows could not be read)"
    )


@pytest.mark.parametrize("content", [b"", b"image_id,A\n\x00,\x00", b'image_id,A\n"\n' * 9])
def test_command_says_what_is_wrong_with_a_table(
    faces: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (faces / "list_attr_celeba.csv").write_bytes(content)
    code = command.main([str(faces), "--size", "16", "--cache", str(faces.parent / "cache")])
    captured = capsys.readouterr()
    assert (captured.out + captured.err).count("\n") == 1
    assert code == (0 if "without attributes" in captured.out else 2)
