"""The examples that people copy: in docstrings of entry points, in README, in docs/."""

import configparser
import doctest
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs" / "guides").glob("*.md"))
MODULES = [f"kerasgan.{name}" for name in ("gan", "data", "drawing", "recipes")]


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_docstrings_examples_say_what_happens(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried and not failed


@pytest.mark.slow
def test_readmes_python_trains(tmp_path, monkeypatch):
    """As it stands, but for the number of iterations."""
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    short = example.replace("range(1000)", "range(2)")
    assert short != example
    (tmp_path / "data" / "faces").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(20):
        pixels = rng.integers(0, 256, (70, 64, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / "faces" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(short, "README.md", "exec"), names)
    assert all(np.isfinite(value) for value in names["losses"].values())


def blocks(page: Path, language: str) -> list[str]:
    """The examples of a page in a language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def typed(page: Path) -> Iterator[list[str]]:
    """The words of each command of a page, after the prompt and before a comment."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            for command in line.split("&&"):
                if words := shlex.split(command, comments=True):
                    yield words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_typed_examples_are_what_commands_take(page):
    for words in typed(page):
        if words[:2] == ["python", "-m"] and words[2].startswith("kerasgan."):
            module = words[2].replace("kerasgan.data", "kerasgan.data.__main__")
            importlib.import_module(module).build_parser().parse_args(words[3:])


def test_typed_extras_are_there():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    pages = [page.read_text(encoding="utf-8") for page in PAGES]
    named = {name for page in pages for name in re.findall(r"(?:kerasgan|\.)\[([a-z,]+)\]", page)}
    extras = {extra for names in named for extra in names.split(",")}
    assert "test" in extras and extras <= set(setup["options.extras_require"])


@pytest.mark.slow
def test_python_of_the_pages_draws(tmp_path, monkeypatch):
    """As it stands, with a small generator, and fewer steps of the search."""
    import tiny_generators

    from kerasgan import saved

    run = tmp_path / "outputs" / "000-fast"
    run.mkdir(parents=True)
    saved.write(run / saved.GENERATOR, tiny_generators.build())
    monkeypatch.chdir(tmp_path)
    elsewhere = {"README.md", "export.md"}  # the latter in test_export.py, with its exports
    pages = [page for page in PAGES if page.name not in elsewhere and blocks(page, "python")]
    for page in pages:
        example = "\n".join(blocks(page, "python")).replace("steps=200", "steps=4")
        exec(compile(example, page.name, "exec"), {})
    assert pages and len(list(tmp_path.glob("*.png"))) == 3
