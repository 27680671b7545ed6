"""What kerasgan writes itself is never a picture to train on, wherever it lies."""

import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from kerasgan import data
from kerasgan.cli import run as run_command
from kerasgan.data import __main__ as command
from kerasgan.data.own import is_own_file, is_own_folder
from kerasgan.errors import UserError
from kerasgan.images import write_png
from kerasgan.runs import Run, begin_run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with three grey pictures of values 1, 2, 3."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for value in (1, 2, 3):
        Image.new("L", (40, 40), value).save(folder / f"{value}.png")
    monkeypatch.chdir(folder)
    return folder


def values(source: str = ".", **options: object) -> list[int]:
    pictures = data.load(source, size=32, **options)
    return [int(picture[8, 8, 0]) for picture in pictures.pixels]


def begun(tiny, **options: object) -> Run:
    """A run on the working folder, with what a training leaves in it."""
    run = begin_run(tiny, data.load(".", size=32), **options)
    for path in (run.losses, run.control_grid(50), run.folder / "samples" / "mine.png"):
        write_png(path, data.load(".", size=32).pixels[0])
    return run


def test_run_begun_in_the_folder_of_its_pictures_goes_on(here: Path, tiny) -> None:
    run = begun(tiny)
    assert run.folder.parent.name == "outputs"
    fingerprint = run.read_facts()["data"]["fingerprint"]

    def same() -> bool:
        return data.load_request(run.read_request(), size=32).fingerprint == fingerprint

    assert same()
    words = [".", "--size", "32", "--faces", "0"]
    assert run_command(command.main, [*words, "--check"]) == 0
    assert run_command(command.main, [*words, "--check", "--sheet", "sheet.png"]) == 0
    assert run_command(command.main, [*words, "--cache", "kept/here", "--check"]) == 0
    assert same()
    assert run_command(command.main, [*words, "--cache", "kept/here"]) == 0
    assert run_command(command.main, [*words, "--cache", "."]) == 0
    assert run_command(command.main, [*words, "--export", "look"]) == 0
    assert run_command(command.main, [*words, "--export", "look.zip"]) == 0
    assert same()
    shutil.copyfile("1.png", "generator-seed-0000-n64.png")
    shutil.copyfile("1.png", "generator-seed-0012-n1-Smiling=1-2x2-2.png")
    shutil.copyfile("1.png", "generator-memorisation.png")
    Path("generator-evaluation.json").write_text("{}")
    begun(tiny, out=Path("a run"))
    assert same() and values() == [1, 2, 3]
    described = data.describe(data.load(".", size=32, rebuild=True))
    assert described.endswith("of kerasgan's own files and folders left out)")


def test_own_pictures_in_an_archive(here: Path, tiny) -> None:
    begun(tiny)
    for words in (["--export", "look"], ["--check", "--faces", "0"]):
        assert run_command(command.main, [".", "--size", "32", *words]) == 0
    files = sorted(path for path in here.rglob("*") if path.is_file())
    with zipfile.ZipFile("../all.zip", "w") as archive:
        for path in files:
            archive.write(path, path.relative_to(here.parent))
    for name in ("../all.tar", "../all.tgz"):
        with tarfile.open(name, "w:gz" if name.endswith("z") else "w") as archive:
            archive.add(here, "faces")
    for name in ("../all.zip", "../all.tar", "../all.tgz"):
        assert sorted(values(name)) == [1, 2, 3], name
        assert "of kerasgan's own pictures left out" in data.describe(data.load(name, size=32))


def test_nothing_but_runs_is_no_source(here: Path, tiny) -> None:
    run = begun(tiny)
    with pytest.raises(UserError, match="with none but what kerasgan has written itself"):
        values("outputs")
    with pytest.raises(UserError, match="which kerasgan has written itself: a run"):
        values(str(run.folder))
    assert values(str(run.folder / "samples")) == [1]  # asked for by its name
    shutil.move("outputs", "data/outputs")
    assert data.find_source().endswith("built-in")


def test_an_export_alone_is_a_source(here: Path) -> None:
    for target in ("../set/part", "look"):
        assert run_command(command.main, [".", "--size", "32", "--export", target]) == 0
    assert values("look") == values("../set") == values() == [1, 2, 3]
    shutil.copyfile("3.png", "../set/other.png")  # not what the export was made of
    assert sorted(values("../set")) == [1, 2, 3, 3]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"recipe.json", "run.json"}, True),
        ({"recipe.json", "log.jsonl", "a.png"}, True),
        ({"pictures.npy", "meta.json", "pictures.csv"}, True),
        ({"recipe.json", "a.png"}, False),  # somebody's cookery
        ({"run.json", "a.png"}, False),
        ({"meta.json", "pictures.csv", "a.png"}, False),
        (set(), False),
    ],
)
def test_folders_are_known_by_what_is_in_them(names: set[str], expected: bool) -> None:
    assert is_own_folder(names) == expected


@pytest.mark.parametrize(
    ("name", "beside", "expected"),
    [
        ("check-faces.png", {"check-faces.csv"}, True),
        ("check-faces.png", set(), False),
        ("table.png", {"table.csv"}, True),
        ("memorisation.png", {"evaluation.json"}, True),
        ("x-memorisation.png", {"evaluation.json"}, False),
        ("x-memorisation.png", {"x-evaluation.json"}, True),
        ("x-memorisation.png", {"x.json"}, True),  # by --out x.json
        ("x-verdicts.png", {"x-verdicts.json"}, True),
        ("x.png", {"x.json"}, False),
        ("seed-0000-n64.png", set(), True),
        ("model-seed-0003-n4-scale-0.7-walk-6x30.gif", set(), True),
        ("training.gif", set(), True),
        ("training.webp", set(), True),
        ("me-between-a-b-walk-2x30.webp", set(), True),
        ("seed-0003-n1-through-3-7.5-12-walk-3x10.gif", set(), True),
        ("between-us.gif", set(), False),
        ("seed-0003-n1-walk-6x30.webp", set(), True),
        ("seed-12.png", set(), False),
        ("ana.png", {"ana.csv"}, True),
        ("ana.jpg", {"ana.csv"}, False),
    ],
)
def test_files_are_known_by_what_lies_beside(name: str, beside: set[str], expected: bool) -> None:
    def head(_: str) -> bytes:
        return b"finding,picture,detail\nbroken,1.png,\n"

    assert is_own_file(name, beside, head) == expected
    if name.endswith(".png") and {f"{name[:-4]}.csv"} == beside:
        assert not is_own_file(name, beside, lambda _: b"file,label\n")
