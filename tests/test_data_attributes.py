"""Tables beside pictures: CelebA's two forms, its relatives', and what people make of them."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.data import __main__ as command
from kerasgan.data.known import Known, find_known
from kerasgan.data.rows import TableFile
from kerasgan.errors import UserError

CSV = "image_id,Male,Smiling\n1.jpg,1,-1\n2.jpg,-1,-1\n"
PLAIN = "2\nMale Smiling\n1.jpg  1 -1\n2.jpg -1 -1\n"
SIGNS = [[1, -1], [-1, -1]]


def known(
    text: str | bytes, *images: str, name: str = "list_attr.csv", **others: str | bytes
) -> Known:
    """What a table tells of some pictures, with others beside it."""
    texts = {name: text, **{key.replace("__", "."): value for key, value in others.items()}}
    files = [
        TableFile(key, value if isinstance(value, bytes) else value.encode(), key)
        for key, value in texts.items()
    ]
    return find_known(images or ("1.jpg", "2.jpg"), files)


def rows(text: str | bytes, *images: str) -> list[list[int]]:
    """The attributes that a table has for some pictures."""
    return known(text, *images).attributes.tolist()


def classes(found: Known) -> list[str | None]:
    """The class of each picture."""
    return [found.label_names[label] if label >= 0 else None for label in found.labels]


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
        CSV.replace(",", ";"),
        CSV.replace(",", "\t"),
        CSV.replace(",", " ; "),
        "sep=;\n" + CSV.replace(",", ";"),  # Excel's
        CSV.replace("-1", "-1.0"),
        CSV.replace("-1", "False").replace("1\n", "True\n"),
        CSV.replace("-1", "no").replace(",1", ",yes"),
        CSV.replace("-1", "N").replace(",1", ",Y"),
        CSV.replace("-1", "0"),
        CSV.replace("1.jpg", "img\\1.jpg").replace("2.jpg", "some/where/2.jpg"),
        CSV.replace("1.jpg", "1.png").replace("2.jpg", "2.JPEG"),
        CSV.replace(".jpg", ""),
        CSV.replace(".jpg", ".JPG"),
        CSV.replace("1.jpg", "0001"),  # as a number, with other zeros in front
        CSV + "\n\n",
        b"\xef\xbb\xbf" + CSV.encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        CSV.encode("utf-16"),  # PowerShell's
        # pandas' index, with and without a name, and with none in the header at all
        ",image_id,Male,Smiling\n0,1.jpg,1,-1\n1,2.jpg,-1,-1\n",
        "Unnamed: 0,image_id,Male,Smiling\n1,1.jpg,1,-1\n2,2.jpg,-1,-1\n",
        "index,image_id,Male,Smiling\n1,1.jpg,1,-1\n2,2.jpg,-1,-1\n",
        ",Unnamed: 0,image_id,Male,Smiling\n0,0,1.jpg,1,-1\n1,1,2.jpg,-1,-1\n",
        "image_id,Male,Smiling\n1,1.jpg,1,-1\n2,2.jpg,-1,-1\n",
        # the names of the pictures in another place
        "Male,image_id,Smiling\n1,1.jpg,-1\n-1,2.jpg,-1\n",
        "Male,Smiling,file\n1,-1,1.jpg\n-1,-1,2.jpg\n",
        CSV.replace("image_id,", ",").replace("1.jpg", '"1.jpg"'),
    ],
)
def test_forms_of_the_same_table(text: str | bytes) -> None:
    table = known(text)
    assert table.attribute_names == ["Male", "Smiling"]
    assert table.notes == []
    assert table.attributes.tolist() == SIGNS
    assert table.attributes.dtype == np.int8


def test_tables_as_pandas_writes_them() -> None:
    pandas = pytest.importorskip("pandas")
    names = ["a, b.jpg", "c.jpg", "d.jpg"]
    frame = pandas.DataFrame({"Male": [True, False, None], "Old": [0.0, 1.0, float("nan")]})
    frame["image"] = names
    for table in (frame, frame.reset_index(), frame.set_index("image")):
        found = known(table.to_csv(), *names)
        assert found.attribute_names == ["Male", "Old"]
        assert found.attributes.tolist() == [[1, -1], [-1, 1], [0, 0]]
    found = known(frame.to_json(orient="records", lines=True), *names, name="metadata.jsonl")
    assert found.attributes.tolist() == [[1, -1], [-1, 1], [0, 0]]


def test_zero_means_no_only_where_nothing_else_does() -> None:
    assert rows("image_id,A,B\n1.jpg,0,1\n2.jpg,0,\n") == [[-1, 1], [-1, 0]]
    assert rows("image_id,A,B\n1.jpg,0,1\n2.jpg,-1,\n") == [[0, 1], [-1, 0]]


def test_zeros_beside_minus_ones_are_said() -> None:
    found = known("image_id,A,B\n1.jpg,-1,0\n2.jpg,1,1\n")
    assert found.attributes.tolist() == [[-1, 0], [1, 1]]
    assert found.notes == ["list_attr.csv: 0 means not known in B, since others have -1"]


@pytest.mark.parametrize("nothing", ["", "nan", "NaN", "None", "null", "N/A"])
def test_values_that_say_that_nothing_is_known(nothing: str) -> None:
    assert rows(f"image_id,A,B\n1.jpg,yes,{nothing}\n2.jpg,{nothing},no\n") == [[1, 0], [0, -1]]


def test_column_without_any_value_is_said() -> None:
    found = known("image_id,A,B\n1.jpg,1,\n2.jpg,-1,\n")
    assert found.attribute_names == ["A"]
    assert found.notes == ["list_attr.csv: nothing is read of B"]


def test_columns_of_other_things_are_said_and_cost_no_row() -> None:
    text = "image_id,Male,age,box\n1.jpg,1,31,1 2 3 4\n2.jpg,-1,57,4 3 2 1\n"
    found = known(text)
    assert found.attribute_names == ["Male"] and found.attributes.tolist() == [[1], [-1]]
    assert found.notes == ["list_attr.csv: nothing is read of age, box"]


def test_pictures_and_rows_that_do_not_meet() -> None:
    table = known(CSV + "3.jpg,1,1\n4.jpg,1,1\n", "a/b/1.jpg", "nowhere.jpg")
    assert table.attributes.tolist() == [[1, -1], [0, 0]]
    assert table.notes == ["3 attribute rows name no picture"]


def test_table_that_meets_no_picture_is_said_with_both_sides() -> None:
    found = known(CSV, "x/face_a.png", "x/face_b.png")
    assert found.attribute_names == [] and found.attributes.shape == (2, 0)
    assert found.notes == [
        "no row of list_attr.csv meets a picture, so they are without attributes: it names 1.jpg, "
        "the pictures are like x/face_a.png"
    ]
    assert known("image_id,A\n").notes == [
        "no row of list_attr.csv meets a picture, so they are without attributes: it has no rows, "
        "the pictures are like 1.jpg"
    ]


def test_bad_rows_are_left_out_and_counted() -> None:
    bad = "3.jpg,1\n4.jpg,1,1,1\n5.jpg,maybe,1\n6.jpg,1,2\n7.jpg\n"
    more = "".join(f"{number}.jpg,1,1\n" for number in range(10, 20))
    table = known(CSV + more + bad, *(f"{number}.jpg" for number in range(1, 20)))
    assert table.attributes.tolist()[:9] == [*SIGNS, *[[0, 0]] * 7]
    assert table.notes == ["5 attribute rows could not be read"]


def test_names_of_pictures_may_hold_anything() -> None:
    text = 'image_id,A\n"line\nbreak.jpg",1\n"a, ""b"".jpg",1\n顔.jpg,-1\n'
    assert rows(text, "line\nbreak.jpg", 'a, "b".jpg', "顔.jpg") == [[1], [1], [-1]]
    assert rows("image_id,A\né.jpg,1\nb.jpg,-1\n".encode("cp1252"), "é.jpg", "b.jpg") == [[1], [-1]]
    # "é" as one character in the table, as two in the name that a Mac gives
    assert rows("image_id,A\n\u00e9.jpg,1\nb.jpg,-1\n", "e\u0301.jpg", "b.jpg") == [[1], [-1]]


@pytest.mark.parametrize(
    ("names", "pictures", "expected"),
    [
        (["000001.jpg", "000002.jpg"], ["000001.png", "000002.png"], [1, -1]),
        # the exact name goes first, and is not used twice
        (["a.jpg", "b.jpg"], ["a.jpg", "a.png", "b.png"], [1, 0, -1]),
        (["a.jpg", "b.jpg"], ["a.webp", "a.png", "b.png"], [0, 0, -1]),  # which of them?
        (["a.jpg", "a.png"], ["a.webp"], None),
        (["A.jpg", "B.jpg"], ["a.jpg", "B.PNG"], [1, -1]),
        (["a.jpg.png", "b"], ["a.jpg", "b.tar.png"], [1, 0]),
        # folders in the table count where they are those of the pictures
        (["train/1.jpg", "val/1.jpg"], ["x/train/1.png", "x/val/1.png"], [1, -1]),
        (["train/1.jpg", "train/2.jpg"], ["train/1.jpg", "val/2.jpg"], [1, 0]),
        (["val/1.jpg", "train/1.jpg"], ["other/1.jpg"], None),
        (["img_align_celeba/1.jpg", "img_align_celeba/2.jpg"], ["celeba/2.png"], [-1]),
        (["D:\\set\\1.jpg", "D:\\set\\2.jpg"], ["1.jpg", "2.png"], [1, -1]),
        (["../img/1.jpg", "./img/2.jpg"], ["img/1.jpg", "img/2.jpg"], [1, -1]),
        (["1.jpg", "2.jpg"], ["one/1.jpg", "two/1.jpg"], [1, 1]),
        (["1", "2"], ["000001.jpg", "000002.jpg"], [1, -1]),  # pandas took them for numbers
        (["1.jpg", "2.jpg"], ["000001.jpg", "x.jpg"], None),  # another numbering, for all we know
    ],
)
def test_which_row_means_which_picture(
    names: list[str], pictures: list[str], expected: list[int] | None
) -> None:
    text = "".join(f"{name},{value}\n" for name, value in zip(names, (1, -1), strict=True))
    found = known("image_id,A\n" + text, *pictures)
    assert found.attributes.reshape(-1).tolist() == (expected or [])


@pytest.mark.parametrize(
    "name",
    [
        "list_attr_celeba.csv",
        "list_attr_celeba_align.csv",
        "list_attr_celeba-hq.txt",
        "CelebAMask-HQ-attribute-anno.txt",
        "Anno/list_attr_celeba.txt",
        "LIST_ATTR_CELEBA.TXT",
        "metadata.csv",
        "labels.tsv",
        "attributes.csv",
        "my own table.csv",
    ],
)
def test_tables_known_by_their_names_or_by_what_they_say(name: str) -> None:
    text = PLAIN if name.lower().endswith("txt") else CSV
    assert known(text, "img/1.png", "img/2.png", name=name).attributes.tolist() == SIGNS


def test_celebas_other_tables_say_nothing() -> None:
    others = {
        "list_eval_partition__csv": "image_id,partition\n1.jpg,0\n2.jpg,1\n",
        "list_bbox_celeba__csv": "image_id,x_1,y_1\n1.jpg,1,0\n2.jpg,0,1\n",
        "list_landmarks_align_celeba__csv": "image_id,lefteye_x\n1.jpg,1\n2.jpg,0\n",
        "notes__csv": "who,what\nana,1\nben,0\n",
        "all__csv": "file,a b\n3.jpg,1\n4.jpg,0\n",
        "pictures__csv": "picture,name,A\n0,1.jpg,1\n1,2.jpg,-1\n",
    }
    from kerasgan.data.rows import may_be_table

    read = {name: text for name, text in others.items() if may_be_table(name.replace("__", "."))}
    assert list(read) == ["notes__csv", "all__csv"]
    found = known(CSV, **read)
    assert found.attribute_names == ["Male", "Smiling"] and found.notes == []


def test_persons_as_classes() -> None:
    text = "1.jpg 2880\n2.jpg 2937\n3.jpg 2880\n4.jpg 12\n"
    found = known(text, "1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", name="identity_CelebA.txt")
    assert found.label_names == ["12", "2880", "2937"]  # as numbers
    assert classes(found) == ["2880", "2937", "2880", "12", None]
    assert found.attribute_names == []


@pytest.mark.parametrize(
    "text",
    [
        "file_name,label\n1.jpg,happy\n2.jpg,sad\n",
        "file_name,text,label\n1.jpg,a face,happy\n2.jpg,another,sad\n",
        "label,file_name\nhappy,1.jpg\nsad,2.jpg\n",
        "file_name,emotion\n1.jpg,happy\n2.jpg,sad\n",
        "1.jpg,happy\n2.jpg,sad\n",
    ],
)
def test_classes_of_a_table(text: str) -> None:
    found = known(text, name="labels.csv")
    assert classes(found) == ["happy", "sad"] and found.attribute_names == []


def test_classes_that_are_numbers() -> None:
    text = "file_name,label\n1.jpg,0\n2.jpg,1.0\n3.jpg,10\n4.jpg,\n5.jpg,-1\n6.jpg,2\n"
    found = known(text, *(f"{number}.jpg" for number in range(1, 7)), name="metadata.csv")
    assert found.label_names == ["0", "1", "2", "10"]
    assert classes(found) == ["0", "1", "10", None, None, "2"]


def test_classes_by_guess_are_said() -> None:
    text = "file,mood\n1.jpg,happy\n2.jpg,sad\n"
    assert known(text).notes == ["list_attr.csv: classes are those of mood"]
    captions = "file,text\n1.jpg,a face\n2.jpg,a nose\n3.jpg,an ear\n"
    found = known(captions, "1.jpg", "2.jpg", "3.jpg", name="metadata.csv")
    assert found.label_names == [] and found.notes == ["metadata.csv: nothing is read of text"]


def test_lines_of_json() -> None:
    lines = [
        {"file_name": "1.jpg", "label": "ana", "Smiling": True, "boxes": [[1, 2]]},
        {"file_name": "2.jpg", "label": "ben", "Smiling": False},
        {"file_name": "3.jpg", "label": "ana"},
    ]
    text = "\n".join(map(json.dumps, lines)) + "\nno JSON\n"
    found = known(text, "1.jpg", "2.jpg", "3.jpg", name="metadata.jsonl")
    assert classes(found) == ["ana", "ben", "ana"]
    assert found.attribute_names == ["Smiling"]
    assert found.attributes.tolist() == [[1], [-1], [0]]
    assert found.notes == [
        "metadata.jsonl: nothing is read of boxes",
        "1 attribute rows could not be read",
    ]


def test_a_table_in_each_part_of_a_set() -> None:
    one, other = "file_name,label\n1.jpg,ana\n", "file_name,label\n1.jpg,ben\n"
    files = [
        TableFile("train/metadata.csv", one.encode(), ""),
        TableFile("test/metadata.csv", other.encode(), ""),
    ]
    found = find_known(["test/1.jpg", "train/1.jpg"], files)
    assert classes(found) == ["ben", "ana"]


def test_tables_go_before_folders_where_both_name_classes() -> None:
    found = known("file,label\n1.jpg,x\n2.jpg,y\n", "a/1.jpg", "b/2.jpg", name="labels.csv")
    assert classes(found) == ["x", "y"]
    assert found.notes == ["classes are those of a table, not the folders"]


def stylegan(labels: object, *images: str) -> Known:
    images = images or ("00000/img00000000.png", "00000/img00000001.png", "00001/img00001000.png")
    return known(json.dumps({"labels": labels}), *images, name="dataset.json")


def test_classes_of_a_stylegan_set() -> None:
    names = ["00000/img00000000.png", "00000/img00000001.png", "00001/img00001000.png"]
    found = stylegan([[names[0], 10], [names[1], 9], [names[2], 10]])
    assert found.label_names == ["9", "10"] and classes(found) == ["10", "9", "10"]
    one_hot = [[0, 0, 1], [1.0, 0.0, 0.0], [0, 1, 0]]
    found = stylegan([list(pair) for pair in zip(names, one_hot, strict=True)])
    assert classes(found) == ["2", "0", "1"]
    assert stylegan(dict(zip(names, (1, 0, 1), strict=True))).labels == [1, 0, 1]
    both = [[1, 1], [1, 0], [0, 0]]
    found = stylegan([list(pair) for pair in zip(names, both, strict=True)])
    assert found.attribute_names == ["label_0", "label_1"]
    assert found.attributes.tolist() == [[1, 1], [1, -1], [-1, -1]] and found.labels == []


def test_stylegan_set_without_labels_has_no_classes() -> None:
    assert stylegan(None).label_names == [] and stylegan(None).notes == []
    assert stylegan([], "00000/a.png", "00001/b.png").label_names == []
    other = known("{}", "a/1.png", "b/1.png", name="dataset.json")  # somebody else's file
    assert other.label_names == ["a", "b"]
    with pytest.raises(UserError, match=r"dataset\.json should be readable JSON"):
        known("{", name="dataset.json")
    camera = [["00000/a.png", [0.3, 7.5]], ["00000/b.png", [2.5, 9.1]]]
    found = stylegan(camera, "00000/a.png", "00000/b.png")
    assert found.attribute_names == [] and found.label_names == []
    assert found.notes == ["dataset.json: nothing is read of label_0, label_1"]


def test_names_of_utkface() -> None:
    names = [
        "20170116174525125.jpg.chip.jpg",
        "26_0_1_20170116174525125.jpg.chip.jpg",
        *(f"{age}_1_4_20170116174525{age:03d}.jpg" for age in range(1, 20)),
    ]
    found = known("", *names, name="x")
    assert found.attribute_names == ["Male", "White", "Black", "Asian", "Indian"]
    assert found.attributes[:3].tolist() == [
        [0, 0, 0, 0, 0],
        [1, -1, 1, -1, -1],
        [-1, -1, -1, -1, -1],
    ]
    assert len(found.notes) == 1 and "as UTKFace's" in found.notes[0]


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
        known(content)
    assert "\n" not in str(caught.value)
    assert known(content, name="other.csv").attribute_names == []  # nobody said that it was one


@pytest.mark.parametrize("name", ["labels.txt", "classes.txt", "labels.csv"])
def test_names_of_classes_are_no_table(name: str) -> None:
    found = known("ana\nben\n", "ana/1.jpg", "ben/2.jpg", name=name)
    assert found.label_names == ["ana", "ben"]
    assert found.notes == (["labels.csv is no table of pictures"] if "csv" in name else [])


def test_a_class_for_each_picture_is_none() -> None:
    names = [f"{number}.jpg" for number in range(30)]
    text = "file,label\n" + "".join(f"{name},caption of {name}\n" for name in names)
    found = known(text, *names, name="labels.csv")
    assert found.label_names == []
    assert found.notes == ["labels.csv: nothing is read of label"]


def test_a_table_for_each_picture_is_none() -> None:
    from kerasgan.data.rows import worth_reading

    few = ["list_attr.csv", *(f"{number}.csv" for number in range(20)), "a.txt", "b.json"]
    assert worth_reading(few) == few[:21]
    assert worth_reading([*few, "x/more.csv"]) == ["list_attr.csv"]


def test_table_of_other_things_about_the_pictures_is_said() -> None:
    text = "file,age,race\n1.jpg,20-29,x\n2.jpg,30-39,y\n"
    assert known(text, name="fair.csv").notes == ["fair.csv: nothing is read of age, race"]


def test_large_table_is_read_in_reasonable_memory() -> None:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["image_id", *(f"a{number}" for number in range(40))])
    for number in range(2000):
        table.writerow(
            [f"{number:06d}.jpg", *(1 if number >> bit & 1 else -1 for bit in range(40))]
        )
    images = [f"img/{number:06d}.png" for number in range(0, 2000, 7)]
    found = known(text.getvalue(), *images)
    bits = np.arange(0, 2000, 7)[:, None] >> np.arange(40) & 1
    np.testing.assert_array_equal(found.attributes, np.where(bits, 1, -1))


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
    assert pictures.table.attributes.tolist() == SIGNS
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
