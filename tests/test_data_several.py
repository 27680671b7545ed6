"""Several sources as one set, and lists of paths."""

import os
import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data, train
from kerasgan.cli import run
from kerasgan.data import Request
from kerasgan.data import __main__ as command
from kerasgan.errors import UserError
from kerasgan.runs import begin_run


def add(path: Path, value: int = 100, size: int = 20) -> Path:
    """Writes a grey picture of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (size, size), value).save(path, format="PNG")
    return path


def load(*sources: object, **options: object) -> data.Pictures:
    place = [os.fspath(source) for source in sources]
    return data.load(place if len(place) > 1 else place[0], **{"size": 16, **options})


def values(pictures: data.Pictures) -> list[int]:
    return [int(picture[8, 8, 0]) for picture in pictures.pixels]


def classes(pictures: data.Pictures) -> list[str | None]:
    table = pictures.table
    return [table.label_names[label] if label >= 0 else None for label in table.labels]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder is the test's own, and so are its caches."""
    monkeypatch.chdir(tmp_path)


def test_pictures_of_one_source_after_those_of_another(tmp_path: Path) -> None:
    add(tmp_path / "b" / "1.png", 1)
    add(tmp_path / "a" / "1.png", 2)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(add(tmp_path / "x.png", 3), "x.png")
    np.save(tmp_path / "more.npy", np.full((2, 20, 20), 4, np.uint8))
    pictures = load("b", "a", "a.zip", "more.npy")
    assert values(pictures) == [1, 2, 3, 4, 4]
    assert pictures.table.names == ["b/1.png", "a/1.png", "a-2/x.png", "more/0", "more/1"]
    assert data.describe(pictures) == "5 pictures of 16x16 from b + a + a.zip + more.npy"
    assert load("b", "a", "a.zip", "more.npy").folder == pictures.folder
    assert load("a", "b", "a.zip", "more.npy").folder != pictures.folder
    add(tmp_path / "a" / "0.png", 9)
    assert values(load("b", "a", "a.zip", "more.npy")) == [1, 9, 2, 3, 4, 4]


def test_classes_and_attributes_meet_by_name(tmp_path: Path) -> None:
    for name in ("a/ana/1.png", "a/ben/2.png", "b/ben/3.png", "b/cleo/4.png", "c/5.png"):
        add(tmp_path / name)
    (tmp_path / "a" / "list_attr.csv").write_text("file,A,B\n1.png,1,-1\n2.png,-1,1\n")
    (tmp_path / "c" / "list_attr.csv").write_text("file,B,C\n5.png,1,-1\n")
    pictures = load("a", "b", "c")
    assert pictures.label_names == ["ana", "ben", "cleo"]
    assert classes(pictures) == ["ana", "ben", "ben", "cleo", None]
    assert pictures.table.attribute_names == ["A", "B", "C"]
    assert pictures.table.attributes.tolist() == [
        *([1, -1, 0], [-1, 1, 0]),
        *([0, 0, 0], [0, 0, 0]),
        [0, 1, -1],
    ]
    assert "2 without attributes; 1 without a label" in data.describe(pictures)


def test_sources_without_classes_are_no_classes(tmp_path: Path) -> None:
    add(tmp_path / "cats" / "1.png")
    add(tmp_path / "dogs" / "1.png")
    assert load("cats", "dogs").label_names == []


def test_limit_is_spread_over_the_sources(tmp_path: Path) -> None:
    for number in range(9):
        add(tmp_path / "a" / f"{number}.png", number)
        add(tmp_path / "b" / "xy"[number > 6] / f"{number}.png", 10 + number)
    add(tmp_path / "c" / "1.png", 20)
    assert values(load("a", "b", "c", limit=9)) == [0, 1, 2, 3, 10, 11, 17, 18, 20]


def test_drawn_faces_are_not_cropped_beside_others(tmp_path: Path) -> None:
    Image.new("L", (178, 218), 7).save(tmp_path / "face.png")
    (tmp_path / "a").mkdir()
    (tmp_path / "face.png").rename(tmp_path / "a" / "face.png")
    both = load("built-in", "a", limit=4, crop="celeba", size=32)
    alone = load("built-in", limit=3, size=32)
    assert len(both.pixels) == 4
    np.testing.assert_array_equal(both.pixels[:3], alone.pixels)
    assert both.pixels[3, 8, 8, 0] == 7


def test_a_source_named_twice_is_a_mistake(tmp_path: Path) -> None:
    add(tmp_path / "a" / "1.png")
    with pytest.raises(UserError, match=r"name each source once\. Received: a again"):
        load("a", "a")
    assert run(command.main, ["a", "nowhere"]) == 2


def test_command_takes_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add(tmp_path / "a" / "1.png")
    add(tmp_path / "b" / "1.png")
    words = ["a", "b", "--size", "16"]
    assert run(command.main, words) == 0
    assert capsys.readouterr().out == "2 pictures of 16x16 from a + b\n"
    assert run(command.main, [*words, "--check", "--faces", "0"]) == 0
    assert "a + b: 2 of 2 pictures can be used." in capsys.readouterr().out


def test_run_goes_on_with_all_its_sources(tmp_path: Path, tiny) -> None:
    add(tmp_path / "a" / "1.png", 1)
    add(tmp_path / "b" / "1.png", 2)
    words = ["--data", "a", "--data", "b", "--preset", "article-lite", "--limit", "2"]
    job = train.plan(train.build_parser().parse_args(words))
    assert job.request == Request(("a", "b"), 2)
    pictures = data.load_request(job.request, size=32)
    begun = begin_run(tiny, pictures, out=tmp_path / "run")
    recorded = begun.read_facts()["data"]
    assert recorded["source"] == [str(tmp_path / "a"), str(tmp_path / "b")]
    request = begun.read_request()
    assert request.sources == (str(tmp_path / "a"), str(tmp_path / "b"))
    again = data.load_request(request, size=32)
    assert again.fingerprint == pictures.fingerprint and again.folder == pictures.folder
    facts = begun.read_facts()
    facts["machine"] = None
    begun.write_facts(facts)
    with pytest.raises(UserError, match=r"/a \+ .*/b\. Type --data SOURCE"):
        begun.read_request()


def test_request_of_several_is_read_back() -> None:
    asked = Request(("a", "b"))
    assert asked.to_json()["source"] == ["a", "b"] and asked.title == "a + b"
    assert Request.from_json(asked.to_json()) == asked
    for wrong in ([], [1], {}):
        with pytest.raises(UserError, match="Received: source"):
            Request.from_json({"source": wrong})


def write_list(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_list_of_paths_in_its_own_order(tmp_path: Path) -> None:
    add(tmp_path / "set" / "b.png", 1)
    add(tmp_path / "set" / "sub" / "a b.png", 2)
    add(tmp_path / "here.png", 3)
    outside = add(tmp_path / "far" / "x.png", 4)
    text = f'# the good ones\n\nsub/a b.png\r\n"b.png"\n  here.png\n{outside}\nlost.png\n./b.png\n'
    pictures = load(write_list(tmp_path / "set" / "list.txt", text))
    assert values(pictures) == [2, 1, 3, 4]
    assert pictures.table.names[:3] == ["sub/a b.png", "b.png", "here.png"]
    assert pictures.rejected == 1
    assert "lost.png,no such file" in (pictures.folder / "rejected.csv").read_text()
    assert "1 line for pictures listed before" in data.describe(pictures)


def test_change_of_a_listed_picture_is_noticed(tmp_path: Path) -> None:
    add(tmp_path / "a.png", 1)
    add(tmp_path / "b.png", 2)
    listed = write_list(tmp_path / "list.txt", "a.png\nc.png\n")
    assert values(load(listed)) == [1]
    add(tmp_path / "a.png", 5, size=21)
    add(tmp_path / "c.png", 3)
    assert values(load(listed)) == [5, 3]
    write_list(listed, "b.png\n")
    assert values(load(listed)) == [2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_lists_of_other_systems(tmp_path: Path, encoding: str) -> None:
    add(tmp_path / "sub" / "é.png", 1)
    add(tmp_path / "b.png", 2)
    text = "sub\\é.png\r\n.\\b.png\r\n"
    assert values(load(write_list(tmp_path / "list.txt", text, encoding))) == [1, 2]


@pytest.mark.parametrize("separator", [" ", "\t", ",", ", "])
def test_classes_behind_the_paths(tmp_path: Path, separator: str) -> None:
    for name in ("a b.png", "c.png", "d.png"):
        add(tmp_path / name)
    text = "".join(f"{name}{separator}{label}\n" for name, label in
                   [("a b.png", "y"), ("c.png", "x"), ("d.png", "y")])  # fmt: skip
    pictures = load(write_list(tmp_path / "list.txt", text + "lost.png x\n"))
    assert classes(pictures) == ["y", "x", "y"]


def test_classes_and_attributes_of_listed_pictures(tmp_path: Path) -> None:
    for name in ("ana/1.png", "ben/2.png"):
        add(tmp_path / "set" / name)
    (tmp_path / "list_attr_celeba.csv").write_text("image_id,A\n1.jpg,1\n2.jpg,-1\n")
    pictures = load(write_list(tmp_path / "list.txt", "set/ben/2.png\nset/ana/1.png\n"))
    assert classes(pictures) == ["ben", "ana"]
    assert pictures.table.attributes.tolist() == [[-1], [1]]


def test_table_that_lists_paths(tmp_path: Path) -> None:
    for value, name in enumerate(("ana/1.png", "ben/2.png", "ben/3.png"), start=1):
        add(tmp_path / "set" / name, value)
    rows = "id,where,mood,Male\n7,ben/2.png,x,1\n8,ana/1.png,y,0\n9,lost.png,y,1\n"
    listed = write_list(tmp_path / "set" / "some.csv", rows)
    pictures = load(listed)
    assert values(pictures) == [2, 1] and pictures.rejected == 1
    assert pictures.table.attribute_names == ["Male"]
    assert pictures.table.attributes.tolist() == [[1], [-1]]
    assert classes(pictures) == ["ben", "ana"]
    lines = '{"image": "set/ana/1.png", "label": "u"}\n{"image": "set/ben/3.png", "label": "v"}\n'
    pictures = load(write_list(tmp_path / "list.jsonl", lines))
    assert values(pictures) == [1, 3] and classes(pictures) == ["u", "v"]
    with pytest.raises(UserError, match="none of whose lines names a file: nowhere"):
        load(write_list(tmp_path / "other.csv", "file,label\nnowhere,1\n"))


def test_a_table_of_pixels_is_told_how_to_become_an_array(tmp_path: Path) -> None:
    rows = "".join(f"{number},{'12 ' * 2304},Training\n" for number in range(3))
    write_list(tmp_path / "fer2013.csv", f"emotion,pixels,Usage\n{rows}")
    with pytest.raises(UserError, match="48x48 pixels in each row of its column pixels") as caught:
        load("fer2013.csv")
    table = [row.split(",") for row in rows.splitlines()]
    code = re.search(r"Save (.*) by np.save", str(caught.value))[1]
    column = [row[1] for row in table]
    np.testing.assert_array_equal(
        eval(code, {"np": np, "column": column}), np.full((3, 48, 48), 12)
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "which is empty"),
        (b"# nothing\n\n", "which is empty"),
        (b"lost.png\n", "none of whose lines names a file: lost.png"),
        (b"a\0b\n\xff\n", "none of whose lines names a file"),
        (b"\x89PNG\r\n\x1a\n", "none of whose lines names a file"),
    ],
)
def test_lists_of_nothing(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load("list.txt")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="slashes of addresses")
def test_lines_that_name_something_else_say_so(tmp_path: Path) -> None:
    add(tmp_path / "sub" / "a.png")
    (tmp_path / "void.png").write_bytes(b"")
    text = "sub/a.png\nsub\nhttps://example.org/a.png\nvoid.png\n"
    pictures = load(write_list(tmp_path / "list.txt", text))
    reasons = (pictures.folder / "rejected.csv").read_text().splitlines()[1:]
    assert reasons == [
        'sub,"a folder, not a picture"',
        'https://example.org/a.png,"an address, not a path: download it"',
        "void.png,empty file",
    ]
