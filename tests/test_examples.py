"""The examples that people copy: those in docstrings of entry points, and README's Python."""

import doctest
import importlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
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
