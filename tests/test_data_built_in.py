"""The built-in faces as a source: the same for a seed, however many processes draw them."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.cli import run
from kerasgan.data import __main__ as command
from kerasgan.data import _draw_worker, drawing
from kerasgan.data.built_in import plan_built_in
from kerasgan.portraits import ATTRIBUTES, draw_portrait

ROOT = Path(__file__).parent.parent


def table(path: Path) -> list[list[str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_pictures_and_attributes_are_the_drawn_ones(tmp_path: Path) -> None:
    pictures = data.load("built-in", size=128, limit=3, seed=7, cache=tmp_path)
    assert pictures.source == data.BUILT_IN and pictures.rejected == 0
    assert not pictures.pixels.flags.writeable
    header, *rows = table(pictures.folder / "pictures.csv")
    assert header == ["picture", "name", *ATTRIBUTES] and len(rows) == 3
    for index, row in enumerate(rows):
        portrait, attributes = draw_portrait(index, 7)
        np.testing.assert_array_equal(pictures.pixels[index], portrait)
        assert row[:2] == [str(index), f"{index:06d}"]
        assert [value == "1" for value in row[2:]] == [attributes[name] for name in ATTRIBUTES]
        assert set(row[2:]) <= {"1", "-1"}
    assert table(pictures.folder / "rejected.csv") == [["path", "reason"]]


def test_other_sizes_are_resized(tmp_path: Path) -> None:
    small = data.load("built-in", size=32, limit=2, cache=tmp_path)
    portrait = Image.fromarray(draw_portrait(1)[0])
    expected = np.asarray(portrait.resize((32, 32), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(small.pixels[1], expected)


def test_same_for_any_number_of_processes(tmp_path: Path) -> None:
    found = []
    for workers in (1, 2, 3):
        folder = tmp_path / str(workers)
        folder.mkdir()
        tally = drawing.draw_faces(16, 7, 0, folder, workers=workers)
        assert tally.count == 7
        found.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert set(found[0]) == {"pictures.npy", "pictures.csv", "rejected.csv"}
    assert found[0] == found[1] == found[2]


def test_key_follows_options_but_not_the_folders_ones(tmp_path: Path) -> None:
    plain = data.load("built-in", size=16, limit=1, cache=tmp_path).folder
    assert data.load("built-in", size=16, limit=1, crop="none", cache=tmp_path).folder == plain
    keys = {
        plan_built_in(size=size, channels=3, count=count, seed=seed).key
        for size in (16, 32)
        for count in (1, 2)
        for seed in (0, 1)
    }
    assert len(keys) == 8


def test_needs_no_main_guard_in_the_users_script(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {os.fspath(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from kerasgan import data\n"
        "from kerasgan.data import drawing\n"
        "drawing.FEW = 1\n"  # so that processes are worth their start
        "print('started')\n"
        "print(data.load('built-in', size=16, limit=4, cache=Path('cache')).pixels.shape)\n"
    )
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "started\n(4, 16, 16, 3)\n", done.stderr


def test_ctrl_c_stops_the_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(drawing.subprocess, "Popen", Recorded)
    monkeypatch.setattr(drawing, "progress", lambda *_, **__: Interrupting())
    with pytest.raises(KeyboardInterrupt):
        drawing.draw_faces(16, 1000, 0, tmp_path, workers=2)
    assert [process.poll() for process in started].count(None) == 0 and len(started) == 2
    assert len(list(tmp_path.glob("pictures.csv"))) == 0


class Interrupting:
    """A progress bar during which the user presses Ctrl-C."""

    def __enter__(self) -> "Interrupting":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self) -> None:
        raise KeyboardInterrupt


def test_failing_process_is_told(tmp_path: Path) -> None:
    arguments = [os.fspath(tmp_path / "missing.npy"), "128", "0", "1", "0", "16", "3"]
    assert _draw_worker.main(arguments) == _draw_worker.IO_FAILED + 2  # ENOENT
    with pytest.raises(FileNotFoundError):
        drawing.draw_in_processes([arguments], lambda: None)
    with pytest.raises(RuntimeError, match="ended with code 1"):
        drawing.draw_in_processes([[*arguments[:-1], "not a size"]], lambda: None)


def test_command_exports_attributes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["built-in", "--limit", "2", "--size", "16", "--cache", str(tmp_path / "cache")]
    assert run(command.main, [*words, "--export", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == "2 pictures of 16x16 from built-in\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "000000.png",
        "000001.png",
        "list_attr.csv",
        "pictures.csv",
    ]
