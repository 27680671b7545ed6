"""Any set at the hub, `hf:OWNER/NAME`, from a hub that runs in the test."""

import hashlib
import io
import json
import re
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from servers import Answering, serving

from kerasgan import data
from kerasgan.data import __main__ as command
from kerasgan.data import hub as forms
from kerasgan.data import named
from kerasgan.data.hub import CONVERTED, Wanted, converted_tables, parse, tables_of
from kerasgan.data.named import fetch
from kerasgan.errors import UserError

MAIN, OTHER = "a" * 40, "b" * 40  # commits


def parquet(first: int, count: int) -> bytes:
    """Grey pictures of the values first, first + 1, ..., whose labels are these, too."""
    rows = []
    for value in range(first, first + count):
        file = io.BytesIO()
        Image.new("L", (20, 20), value).save(file, format="PNG")
        rows.append({"bytes": file.getvalue(), "path": f"{value}.png"})
    images = pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    out = io.BytesIO()
    pq.write_table(pa.table({"image": images, "label": list(range(first, first + count))}), out)
    return out.getvalue()


class Server:
    """A hub with one repository, `someone/faces`.

    Attributes:
        branches: the files of each, by path.
        card: the set's card.
        gated: what the hub says of that.
        asked: the paths of all requests.
    """

    def __init__(self) -> None:
        self.branches: dict[str, dict[str, bytes]] = {"main": {}}
        self.card: dict[str, Any] = {}
        self.gated: str | bool = False
        self.asked: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def info(self, branch: str) -> dict[str, Any]:
        siblings = [
            {
                "rfilename": path,
                "size": len(content),
                "lfs": {
                    "size": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "pointerSize": 130,
                },
            }
            for path, content in self.branches[branch].items()
        ]
        sha = MAIN if branch == "main" else OTHER
        found = {"_id": "1", "id": "someone/faces", "sha": sha, "siblings": siblings}
        return found | {"cardData": self.card, "gated": self.gated}

    def files(self) -> dict[str, bytes]:
        found = {}
        for branch, files in self.branches.items():
            sha = MAIN if branch == "main" else OTHER
            found |= {
                f"/datasets/someone/faces/resolve/{sha}/{path}": files[path] for path in files
            }
        return found

    def handler(hub) -> type[Answering]:  # noqa: N805
        class Handler(Answering):
            def do_GET(self) -> None:
                path = unquote(self.path.partition("?")[0])
                hub.asked.append(path)
                api = "/api/datasets/someone/faces"
                branch = path.removeprefix(f"{api}/revision/") if path != api else "main"
                if path == api or (path.startswith(api + "/") and branch in hub.branches):
                    self.answer(200, json.dumps(hub.info(branch)).encode())
                elif path.startswith(api + "/"):
                    self.answer(404, b"", **{"X-Error-Code": "RevisionNotFound"})
                elif path in hub.files():
                    match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
                    assert match
                    self.answer(206, hub.files()[path][int(match[1]) : int(match[2]) + 1])
                else:
                    self.answer(404, b"", **{"X-Error-Code": "RepoNotFound"})

        return Handler


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    hub = Server()
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    with serving(hub.server, monkeypatch):
        yield hub


def labels(source: Any) -> list[int]:
    return [int(source.label_names[item.label]) for item in source.items()]


def test_a_set_with_parquet_files(
    hub: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.branches["main"] = {
        "data/train-00000-of-00002.parquet": parquet(0, 3),
        "data/train-00001-of-00002.parquet": parquet(3, 2),
        "data/test-00000-of-00001.parquet": parquet(90, 2),
        "README.md": b"# Faces",
    }
    source = fetch("hf:someone/faces", tmp_path)
    assert (source.title, source.slug, source.count) == ("hf:someone/faces", "faces", 5)
    assert labels(source) == [0, 1, 2, 3, 4]
    assert source.notes() == ["configuration default, split train, not test"]
    assert "terms: https://huggingface.co/datasets/someone/faces" in capfd.readouterr().err
    asked = len(hub.asked)
    assert fetch("hf:someone/faces", tmp_path).count == 5
    assert len(hub.asked) == asked  # no network
    assert labels(fetch("hf:someone/faces:test", tmp_path)) == [90, 91]
    assert labels(fetch("hf:someone/faces:default/test", tmp_path)) == [90, 91]
    assert labels(fetch("hf:someone/faces:/test", tmp_path)) == [90, 91]


def test_a_limit_downloads_no_more_files_than_needed(hub: Server, tmp_path: Path) -> None:
    hub.branches["main"] = {
        f"data/train-{n:05d}-of-00004.parquet": parquet(10 * n, [2, 5, 1, 1][n]) for n in range(4)
    }
    files = list(hub.branches["main"])

    def downloaded() -> list[str]:
        return [path for path in files if any(asked.endswith(path) for asked in hub.asked)]

    assert fetch("hf:someone/faces", tmp_path, limit=2).count == 2
    assert downloaded() == files[:1]
    assert fetch("hf:someone/faces", tmp_path, limit=3).count == 7
    assert downloaded() == files[:2]
    assert fetch("hf:someone/faces", tmp_path, limit=2).count == 2
    assert fetch("hf:someone/faces", tmp_path).count == 9


def test_an_interrupted_download_goes_on(
    hub: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named, "PIECE", 300)
    hub.branches["main"] = {"train.parquet": parquet(0, 9)}
    content = hub.branches["main"]["train.parquet"]
    answered = hub.server.RequestHandlerClass.do_GET
    left = [3]

    def do_GET(self: Any) -> None:
        left[0] -= "resolve" in self.path
        answered(self) if left[0] >= 0 else self.answer(403, b"")

    monkeypatch.setattr(hub.server.RequestHandlerClass, "do_GET", do_GET)
    with pytest.raises(UserError, match="hf:someone/faces should be downloaded once, which"):
        fetch("hf:someone/faces", tmp_path)
    part = tmp_path / "hub" / "someone--faces" / "train.parquet.part"
    assert part.read_bytes() == content[:900]
    left[0] = 1000
    assert fetch("hf:someone/faces", tmp_path).count == 9
    assert left[0] == 1000 - -(-(len(content) - 900) // 300)


CARD = {
    "configs": [
        {"config_name": "small", "data_files": [{"split": "train", "path": "small/*"}]},
        {
            "config_name": "large",
            "default": True,
            "data_files": [
                {"split": "train", "path": ["large/a-*", "large/b-*"]},
                {"split": "extra", "path": "large/x-0.parquet"},
            ],
        },
    ]
}


def test_the_cards_configurations(hub: Server, tmp_path: Path) -> None:
    hub.card = CARD
    names = ["small/a-0", "large/a-0", "large/b-0", "large/x-0"]
    hub.branches["main"] = {f"{name}.parquet": parquet(10 * n, 1) for n, name in enumerate(names)}
    assert labels(fetch("hf:someone/faces", tmp_path)) == [10, 20]
    assert labels(fetch("hf:someone/faces:small", tmp_path)) == [0]
    assert labels(fetch("hf:someone/faces:large/extra", tmp_path)) == [30]
    for typed in ("hf:someone/faces:huge", "hf:someone/faces:small/test", "hf:someone/faces:/dev"):
        with pytest.raises(UserError, match=r"Type one of hf:someone/faces:\w+/\w+") as found:
            fetch(typed, tmp_path)
        assert "\n" not in str(found.value)


def test_several_configurations_and_none_that_is_usual(hub: Server, tmp_path: Path) -> None:
    hub.card = {"configs": [dict(config, default=False) for config in CARD["configs"]]}
    hub.branches["main"] = {"small/a.parquet": parquet(0, 1), "large/a-0.parquet": parquet(1, 1)}
    with pytest.raises(
        UserError, match="Type one of hf:someone/faces:large/train, hf:someone/faces:small/train"
    ):
        fetch("hf:someone/faces", tmp_path)


def test_sets_of_other_files_are_read_as_the_hub_has_converted_them(
    hub: Server, tmp_path: Path
) -> None:
    hub.branches["main"] = {"faces.zip": b"PK", "README.md": b"# Faces"}
    hub.branches[CONVERTED] = {
        "default/partial-train/0001.parquet": parquet(2, 1),
        "default/partial-train/0000.parquet": parquet(0, 2),
        "default/test/0000.parquet": parquet(9, 1),
    }
    source = fetch("hf:someone/faces", tmp_path)
    assert labels(source) == [0, 1, 2]
    assert source.notes()[0].endswith("split train, not test, a part that the hub has converted")
    assert labels(fetch("hf:someone/faces:test", tmp_path)) == [9]


def test_names_from_the_server_are_made_plain(hub: Server, tmp_path: Path) -> None:
    paths = ["my data/train 0.parquet", "..\\..\\evil.parquet", "-r/x.parquet", "a/x.parquet"]
    hub.branches["main"] = {path: parquet(10 * n, 1) for n, path in enumerate(paths)}
    source = fetch("hf:someone/faces", tmp_path)
    assert sorted(labels(source)) == [0, 10, 20, 30]
    assert {path.name for path in (tmp_path / "hub").iterdir()} == {"someone--faces"}
    names = {path.name for path in (tmp_path / "hub" / "someone--faces").iterdir()}
    assert names == {
        *(".lock", "listing.json", "my_data--train_0.parquet", "_.._.._evil.parquet"),
        *("_-r--x.parquet", "a--x.parquet"),
    }
    asked = len(hub.asked)
    assert fetch("hf:someone/faces", tmp_path).count == 4 and len(hub.asked) == asked


def test_a_set_with_neither(hub: Server, tmp_path: Path) -> None:
    hub.branches["main"] = {"faces.zip": b"PK"}
    with pytest.raises(UserError, match=r"with neither\. Type: hf download someone/faces --repo"):
        fetch("hf:someone/faces", tmp_path)


def test_a_set_that_is_not_there(hub: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Received: hf:no/one, which http\S+ does not have"):
        fetch("hf:no/one", tmp_path)


def test_a_gated_set(hub: Server, tmp_path: Path) -> None:
    hub.gated = "auto"
    hub.branches["main"] = {"train.parquet": parquet(0, 1)}
    with pytest.raises(UserError, match=r"accept its terms.*hf download someone/faces") as found:
        fetch("hf:someone/faces", tmp_path)
    assert "\n" not in str(found.value)
    assert not any("resolve" in path for path in hub.asked)


def test_the_command(
    hub: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    hub.branches["main"] = {"train.parquet": parquet(0, 3)}
    words = ["hf:someone/faces", "--size", "20", "--faces", "0"]
    assert command.main([*words, "--check"]) == 0
    assert "3 of 3 pictures can be used" in capsys.readouterr().out
    assert command.main([*words, "--export", "out"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("3 pictures of 20x20 from hf:someone/faces, in 3 classes (configuration")
    asked = len(hub.asked)
    pictures = data.load("hf:someone/faces", size=20)
    assert pictures.request.source == "hf:someone/faces" and len(hub.asked) == asked
    np.testing.assert_array_equal(pictures.pixels[:, 0, 0, 0], [0, 1, 2])


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("hf:a/b", Wanted("a/b", None, None)),
        ("hf:mnist", Wanted("mnist", None, None)),
        ("hf:a/b/", Wanted("a/b", None, None)),
        ("hf://datasets/a/b", Wanted("a/b", None, None)),
        ("hf:a/b:c", Wanted("a/b", "c", None)),
        ("hf:a/b:c/d", Wanted("a/b", "c", "d")),
        ("hf:a\\b:c\\d", Wanted("a/b", "c", "d")),  # a path on Windows
        ("hf:a/b:/d", Wanted("a/b", None, "d")),
    ],
)
def test_forms(typed: str, wanted: Wanted) -> None:
    assert parse(typed) == wanted
    assert forms.is_hub(typed)


@pytest.mark.parametrize("typed", ["hf:", "hf:a/b/c", "hf:../b", "hf:a b", "hf:a/b:c/d/e"])
def test_what_is_no_form(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([typed]) == 2
    assert "should be hf:OWNER/NAME or hf:OWNER/NAME:CONFIG/SPLIT" in capsys.readouterr().err


def test_an_address_says_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["https://huggingface.co/datasets/a/b"]) == 2
    assert capsys.readouterr().err.endswith("Type hf:a/b.\n")


def test_folders_stay_below_the_place_for_sets() -> None:
    assert parse("hf:a/b:..").folder == "a--b--__"
    assert parse("hf:a/b:c d/é").folder == "a--b--c_d--é"


@pytest.mark.parametrize("card", [{}, {"configs": None}, {"configs": [3, {}, {"data_files": 1}]}])
def test_splits_by_name(card: dict[str, Any]) -> None:
    paths = [f"data/{name}.parquet" for name in ("train-0", "validation-0", "test_1", "contest")]
    assert tables_of(paths, card) == {
        "default": {
            "train": ["data/contest.parquet", "data/train-0.parquet"],
            "test": ["data/test_1.parquet"],
            "validation": ["data/validation-0.parquet"],
        }
    }


def test_what_the_hub_made() -> None:
    paths = ["c/train/0.parquet", "c/train/1.parquet", "c/partial-test/0.parquet", "x.parquet"]
    assert converted_tables(paths) == {
        "c": {"train": paths[:2], "test": ["c/partial-test/0.parquet"]}
    }
