"""The built-in faces as a source: the same for a seed, however many processes draw them."""

import csv
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasgan import data
from kerasgan.cli import run
from kerasgan.data import __main__ as command
from kerasgan.data import built_in, prepare
from kerasgan.data.built_in import BuiltInSource, Drawers
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


@pytest.mark.parametrize("workers", [1, 2])
def test_same_for_any_number_of_processes(tmp_path: Path, workers: int) -> None:
    source = BuiltInSource(7, 3, workers)
    preparation = prepare.Preparation(source, 16, 1, "none", None)
    assert preparation(tmp_path).count == 7
    greys = [Image.fromarray(draw_portrait(number, 3)[0]) for number in range(7)]
    expected = [grey.resize((16, 16), Image.Resampling.LANCZOS).convert("L") for grey in greys]
    found = np.load(tmp_path / "pictures.npy")[..., 0]
    np.testing.assert_array_equal(found, np.stack(list(map(np.asarray, expected))))


def test_items_know_their_attributes_before_they_are_drawn() -> None:
    source = data.open_source("built-in", limit=2, seed=5)
    assert list(source.attribute_names) == list(ATTRIBUTES) and source.count == 2
    for number, item in enumerate(source.items()):
        shown = draw_portrait(number, 5)[1]
        assert item.name == f"00000{number}" and item.label == -1
        assert list(item.attributes) == [1 if shown[name] else -1 for name in ATTRIBUTES]


def test_pixels_stay_what_they_were(tmp_path: Path) -> None:
    """A change of the faces is a change of every training on them."""
    pictures = data.load("built-in", size=128, limit=70, seed=7, cache=tmp_path)
    assert pictures.fingerprint == (
        "18aadc2072fc9a9644b700f14d89788c3f38e179edd6b9f28a2e6c6fb3d9e106"
    )


def test_no_crop_applies(tmp_path: Path) -> None:
    plain = data.load("built-in", size=16, limit=1, cache=tmp_path).folder
    for crop in data.CROPS:
        found = data.load("built-in", size=16, limit=1, crop=crop, cache=tmp_path)
        assert found.folder == plain


def test_what_chooses_the_faces_names_the_cache(tmp_path: Path) -> None:
    folders = {
        data.load("built-in", size=size, limit=limit, seed=seed, cache=tmp_path).folder
        for size in (16, 32)
        for limit in (1, 2)
        for seed in (0, 1)
    }
    assert len(folders) == 8


def test_other_drawing_code_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code.py").write_text("first")
    monkeypatch.setattr(BuiltInSource, "watched", lambda _: [str(tmp_path / "code.py")])
    folders = []
    for code in ("first", "other"):
        (tmp_path / "code.py").write_text(code)
        folders.append(data.load("built-in", size=16, limit=1, cache=tmp_path / "cache").folder)
    assert folders[0] != folders[1]


def test_another_seed_is_found_again_by_what_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    first = data.load("built-in", size=16, limit=2, seed=9, cache=Path("cache"))
    recorded = json.dumps(first.request.to_json())
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = data.load_request(data.Request.from_json(json.loads(recorded)), size=16)
    assert again.fingerprint == first.fingerprint
    assert again.folder.parent == tmp_path / "cache" and again.request == first.request
    assert again.fingerprint != data.load("built-in", size=16, limit=2).fingerprint


def test_needs_no_main_guard_in_the_users_script(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {os.fspath(ROOT)!r})\n"
        "from pathlib import Path\n"
        "from kerasgan import data\n"
        "from kerasgan.data import built_in\n"
        "built_in.WORTH_A_PROCESS = 1\n"
        "built_in.CORES = 2\n"  # on any machine
        "print('started')\n"
        "print(data.load('built-in', size=16, limit=4, cache=Path('cache')).pixels.shape)\n"
    )
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "started\n(4, 16, 16, 3)\n", done.stderr


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that are started."""
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(built_in.subprocess, "Popen", Recorded)
    return started


def test_ctrl_c_stops_the_processes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    processes: list[subprocess.Popen[bytes]],
) -> None:
    monkeypatch.setattr(prepare, "progress", lambda *_, **__: Interrupting())
    monkeypatch.setattr(built_in, "CORES", 2)
    with pytest.raises(KeyboardInterrupt):
        data.load("built-in", size=16, cache=tmp_path)
    assert 1 <= len(processes) <= 2
    assert [process.poll() for process in processes].count(None) == 0
    assert list(tmp_path.iterdir()) == []


class Interrupting:
    """A progress bar during which the user presses Ctrl-C."""

    total = 0

    def __enter__(self) -> "Interrupting":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self) -> None:
        raise KeyboardInterrupt


def test_no_more_processes_than_asked_for(processes: list[subprocess.Popen[bytes]]) -> None:
    with closing(Drawers(2)) as drawers, ThreadPoolExecutor(5) as threads:
        faces = list(threads.map(lambda number: drawers.draw(number, 0), range(10)))
    np.testing.assert_array_equal(faces[9], draw_portrait(9)[0])
    assert len(processes) == 2


def test_few_faces_need_no_process(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    data.load("built-in", size=16, limit=3, cache=tmp_path)
    assert processes == []


def test_a_process_that_fails_is_told(
    capfd: pytest.CaptureFixture[str], processes: list[subprocess.Popen[bytes]]
) -> None:
    drawers = Drawers(2)
    with closing(drawers):
        face = drawers.draw(0, 0)
        np.testing.assert_array_equal(face, draw_portrait(0)[0])
        with pytest.raises(RuntimeError, match="ended with code 1"):
            drawers.draw(-1, 0)
        assert "Traceback" in capfd.readouterr().err
        np.testing.assert_array_equal(drawers.draw(0, 0), face)  # by another process
        processes[-1].kill()
        processes[-1].wait()
        with pytest.raises(RuntimeError, match="ended with code -9"):
            drawers.draw(0, 0)
    assert len(processes) == 2 and None not in [process.poll() for process in processes]


def test_a_process_ends_in_silence_when_whoever_asked_is_gone() -> None:
    words = [sys.executable, "-m", "kerasgan.portraits.worker"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    for last_words in (b"", b"0 0\n"):
        with subprocess.Popen(words, cwd=ROOT, **pipes) as process:
            process.stdout.close()
            process.stdin.write(last_words)
            process.stdin.close()
            assert process.wait(timeout=60) == 0
            assert process.stderr.read() == b""


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
