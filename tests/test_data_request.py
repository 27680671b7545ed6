"""What is recorded of the pictures of a run, and how it is read back."""

from pathlib import Path

import pytest
from PIL import Image

from kerasgan import data
from kerasgan.data import CACHE, NAMED, Request, settled
from kerasgan.errors import UserError

ASKED = Request("faces", 7, "center", Path("/caches"), 3)


def test_what_is_written_is_read_back() -> None:
    written = ASKED.to_json()
    assert written == {
        "source": "faces",
        "limit": 7,
        "crop": "center",
        "cache": str(Path("/caches")),
        "seed": 3,
    }
    assert Request.from_json(written) == ASKED


def test_other_facts_beside_it_are_passed_over() -> None:
    facts = {**ASKED.to_json(), "fingerprint": "f0", "count": 7, "conditions": "c0"}
    assert Request.from_json(facts) == ASKED


def test_a_record_from_before_the_seed_was_recorded() -> None:
    old = {"source": "faces", "limit": None, "crop": "auto", "cache": "data/cache"}
    assert Request.from_json(old) == Request("faces", None, "auto", CACHE, 0)


@pytest.mark.parametrize(
    ("change", "received"),
    [
        ({"source": 7}, "source 7"),
        ({"limit": "7"}, "limit '7'"),
        ({"crop": None}, "crop None"),
        ({"cache": ["a"]}, "cache ['a']"),
        ({"seed": 0.5}, "seed 0.5"),
    ],
)
def test_values_of_another_kind_are_refused(change: dict[str, object], received: str) -> None:
    with pytest.raises(UserError) as caught:
        Request.from_json(ASKED.to_json() | change)
    assert f"Received: {received}." in str(caught.value)


def test_a_record_without_a_source_is_refused() -> None:
    with pytest.raises(UserError, match="Received: source None"):
        Request.from_json({"limit": 3})


# Words of sets, and what lies under them


def write_pictures(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (16, 16), (80 * number, 9, 200)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; and nothing is ever asked for at the hub."""
    monkeypatch.chdir(tmp_path)

    def fetch(name: str, into: Path, limit: int | None = None) -> None:
        raise UserError(f"{name} would be downloaded")

    monkeypatch.setattr(data, "fetch", fetch)
    return tmp_path


@pytest.mark.parametrize("word", ["lfw", "celeba", "mnist", "built-in"])
def test_what_lies_here_goes_before_the_set_and_a_line_names_both(
    here: Path, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(here / word)
    pictures = data.load(word, size=16, cache=here / "c")
    assert pictures.pixels[:, 0, 0].tolist() == [[80 * n, 9, 200] for n in range(3)]
    assert pictures.request.source == str(here / word)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and f"{word}: taking what lies here" in said
    assert f"set:{word}" in said
    assert len(data.load(f"./{word}", size=16, cache=here / "c").pixels) == 3
    assert data.open_source(f"./{word}").count == 3
    assert capsys.readouterr().err == ""
    assert settled(f"set:{word}") == f"set:{word}"


def test_the_set_can_be_named_all_the_same(here: Path) -> None:
    write_pictures(here / "lfw")
    (here / "built-in").mkdir()
    with pytest.raises(UserError, match="lfw would be downloaded"):
        data.load("set:lfw", size=16, cache=here / "c")
    pictures = data.load("set:built-in", size=16, limit=2, cache=here / "c")
    assert pictures.source == "built-in" and len(pictures.pixels) == 2
    again = data.load("set:built-in", size=16, limit=2, cache=here / "c")
    assert again.folder == pictures.folder and again.source == "built-in"


def test_a_file_under_the_word_of_a_set_begins_no_download(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "mnist").write_text("notes")
    with pytest.raises(UserError, match="a file of another kind"):
        data.load("mnist", size=16, cache=here / "c")
    assert "set:mnist" in capsys.readouterr().err


@pytest.mark.parametrize("word", NAMED)
def test_no_set_is_downloaded_into_somebodys_own_folder(here: Path, word: str) -> None:
    write_pictures(here / "data" / word)
    with pytest.raises(UserError, match=f"Type data/{word} for these, or set:{word}"):
        data.load(word, size=16, cache=here / "c")
    assert len(data.load(f"data/{word}", size=16, cache=here / "c").pixels) == 3
    with pytest.raises(UserError, match=f"{word} would be downloaded"):
        data.load(f"set:{word}", size=16, cache=here / "c")


@pytest.mark.parametrize(
    ("source", "why"), [("set:none", "should be one of built-in"), ("", "should have a name")]
)
def test_words_that_are_none(here: Path, source: str, why: str) -> None:
    for read in (lambda: data.load(source, size=16), lambda: data.open_source(source)):
        with pytest.raises(UserError, match=why):
            read()


def test_without_a_source_the_drawn_faces_are_meant_whatever_lies_here(here: Path) -> None:
    write_pictures(here / "built-in")
    found = data.find_source(here / "data")
    assert data.load(found, size=16, limit=1, cache=here / "c").source == "built-in"
