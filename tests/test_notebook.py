"""The notebooks run from top to bottom, in a tiny setting, and install themselves in Colab."""

import configparser
import os
import shutil
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
WALKTHROUGH = ROOT / "notebooks" / "walkthrough.ipynb"
OWN_PICTURES = ROOT / "notebooks" / "own-pictures.ipynb"
BOTH = pytest.mark.parametrize("notebook", [WALKTHROUGH, OWN_PICTURES], ids=lambda path: path.stem)

# nbclient and the kernel's client leave sockets and loops to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


def read(notebook: Path) -> nbformat.NotebookNode:
    return nbformat.read(notebook, as_version=4)


def executed(notebook: Path, home: Path) -> str:
    """Runs a notebook in the folder of notebooks below `home`; returns what its cells printed."""
    from nbclient import NotebookClient

    (home / "notebooks").mkdir(exist_ok=True)
    shutil.copy(notebook, home / "notebooks")
    where = {"metadata": {"path": str(home / "notebooks")}}
    done = NotebookClient(read(notebook), timeout=600, resources=where).execute()
    outputs = [out for cell in done.cells for out in cell.get("outputs", [])]
    return "".join(out.get("text", "") for out in outputs)


@pytest.fixture(scope="module")
def walked(tmp_path_factory) -> Path:
    """The run that the walkthrough leaves."""
    home = tmp_path_factory.mktemp("walkthrough")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WALKTHROUGH_PICTURES", "32")
        patch.setenv("WALKTHROUGH_ITERATIONS", "12")
        executed(WALKTHROUGH, home)
    (run,) = (home / "outputs").iterdir()
    return run


@pytest.mark.slow
def test_the_walkthrough_runs_from_top_to_bottom(walked):
    assert (walked / "training.gif").exists() and (walked / "generator.keras").exists()


@pytest.mark.slow
def test_own_pictures_runs_from_top_to_bottom(walked, tmp_path, monkeypatch):
    """From the walkthrough's networks in place of those that come along."""
    for name, value in {
        "OWN_START": str(walked),
        "OWN_LIMIT": "24",
        "OWN_TRAINING": "--iters 3 --grid-every 1",
        "OWN_MEASURING": "-n 16 --features face --no-detection --sheet",
    }.items():
        monkeypatch.setenv(name, value)
    printed = executed(OWN_PICTURES, tmp_path)
    outputs = tmp_path / "outputs"
    assert "error:" not in printed and "24 of 24 pictures can be used" in printed
    made = {path.name for path in (outputs / "000-article-lite").iterdir()}
    assert {"generator.keras", "evaluation.json", "memorisation.png"} <= made
    assert (outputs / "faces.png").exists() and list((outputs / "edits").glob("*sefa-1.png"))
    assert (outputs / "exports" / "000-article-lite.html").exists()


@BOTH
def test_outputs_are_cleared(notebook):
    cells = [cell for cell in read(notebook).cells if cell.cell_type == "code"]
    assert cells and not [cell for cell in cells if cell.outputs or cell.execution_count]


class Shell:
    """IPython's shell as the first cell uses it, which writes down what it is asked for."""

    def __init__(self, names: dict[str, object]) -> None:
        self.names, self.typed = names, []

    def system(self, command: str) -> None:
        self.typed.append(command.format(**self.names))
        if command.startswith("git clone"):
            (self.names["clone"] / "notebooks").mkdir(parents=True)

    def run_line_magic(self, name: str, words: str) -> None:
        self.typed.append(f"{name} {words.format(**self.names)}")


def begun(notebook: Path, clone: Path) -> list[str]:
    """Runs the first cell, with `clone` in the place of Colab's; returns what it typed."""
    from IPython.core.inputtransformer2 import TransformerManager

    source = read(notebook).cells[1].source
    assert "/content/kerasgan" in source
    names: dict[str, object] = {}
    shell = Shell(names)
    python = TransformerManager().transform_cell(source.replace("/content/kerasgan", str(clone)))
    exec(python, names | {"get_ipython": lambda: shell}, names)
    return shell.typed


@BOTH
def test_the_first_cell_installs_in_colab(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "google.colab", object())
    monkeypatch.setattr("builtins.input", lambda question: "https://example.org/kerasgan")
    clone = tmp_path / "kerasgan"
    extras = {WALKTHROUGH: "", OWN_PICTURES: "[metrics]"}[notebook]
    cloned, installed = begun(notebook, clone)
    assert cloned.split(maxsplit=2) == [
        "git",
        "clone",
        f'--quiet --depth 1 "https://example.org/kerasgan" "{clone}"',
    ]
    assert installed == f'pip install --quiet "{clone}{extras}"'
    assert Path.cwd() == clone / "notebooks"

    os.chdir(tmp_path)
    assert begun(notebook, clone) == [installed] and Path.cwd() == clone / "notebooks"  # again


@BOTH
def test_the_first_cell_does_nothing_elsewhere(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not begun(notebook, tmp_path / "kerasgan") and Path.cwd() == tmp_path


@BOTH
def test_colab_is_led_to_the_address_in_setup_cfg(notebook):
    """Where there is none, to the page on which an address is typed."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    address = setup["metadata"].get("url", "").rstrip("/")
    _, at_github, place = address.partition("https://github.com/")
    led_to = f"https://colab.research.google.com/github/{place}"
    if at_github:
        led_to += f"/blob/main/notebooks/{notebook.name}"
    title, first, *_ = read(notebook).cells
    assert f"/colab-badge.svg)]({led_to})" in title.source
    assert f'REPOSITORY = "{address}"' in first.source
