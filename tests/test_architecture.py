"""Imports go down only, and nothing heavy is imported before work starts."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import kerasgan
from kerasgan import cli, commands
from kerasgan.commands import COMMANDS

PACKAGE = Path(kerasgan.__file__).parent
MODULES = [name.removeprefix("kerasgan.") for name in map(commands.name_of, COMMANDS)]
FLOORS = {
    part: number
    for number, parts in enumerate(
        [
            ["kerasgan", "errors", "text", "growth", "latents", "portraits"],
            ["cli", "files", "conditions", "formats", "commands"],
            ["recipes", "images", "blending"],
            ["backend", "pace", "pretrained", "movies"],
            ["data", "watch", "animation", "network_size"],
            ["plots", "log", "ranges", "network_file"],
            ["losses", "energy", "penalties", "augment", "optimizers", "chance", "models"]
            + ["degradations", "splitting"],
            ["critic", "saved"],
            ["drawing", "scorer", "directions", "verdicts", "codes"],
            ["runs", "checkpoints", "events", "encoder", "inversion", "truncation"],
            ["gan", "metrics", "restoration", "exports"],
            ["quality", "control", "contrast", "morph", "searching"],
            ["recorder", "start", "discovery"],
            ["loop", "shelf"],
            ["dry_run", "pages"],
            MODULES,
            ["__main__"],
        ]
    )
    for part in parts
}


def part_of(module: str) -> str:
    """The part of the house a dotted module belongs to."""
    inner = module.removeprefix("kerasgan").lstrip(".")
    return inner if inner in FLOORS else inner.split(".")[0] or "kerasgan"


def imported_parts(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {part_of(name) for name in names if name.split(".")[0] == "kerasgan"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_imports_go_down_only(path):
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    part = part_of(module.removesuffix(".__init__"))
    assert part in FLOORS, f"{module} stands on no floor"
    for other in imported_parts(path) - {part, "kerasgan", "__version__"}:
        assert FLOORS[other] < FLOORS[part], f"{module} imports {other}"


@pytest.mark.parametrize(
    "statement",
    [
        "import kerasgan",
        *(f"from kerasgan.{name} import main" for name in ["__main__", *MODULES]),
    ],
)
def test_no_tensorflow_before_work_starts(statement):
    check = "import sys; heavy = {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)"
    script = f"{statement}; {check}; assert not heavy, heavy"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_sample_needs_few_modules():
    """No pictures to train on, no recipes and no runs."""
    script = (
        "import sys, kerasgan.sample; print(*(m for m in sys.modules if m.startswith('kerasgan')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    loaded = {module.removeprefix("kerasgan.") for module in done.stdout.split()}
    assert loaded == {
        *("kerasgan", "sample", "saved", "drawing", "directions", "movies"),
        *("cli", "conditions", "errors", "files", "formats", "images", "latents"),
        *("network_file", "network_size", "pretrained", "ranges", "text"),
    }


@pytest.mark.parametrize("command", MODULES)
def test_the_commands_have_one_shape(command):
    module = importlib.import_module(f"kerasgan.{command}")
    assert module.main.__annotations__ == {"argv": Sequence[str] | None, "return": int}
    parser = module.build_parser()
    assert parser.prog == f"python -m kerasgan.{command.removesuffix('.__main__')}"
    assert parser.formatter_class is cli.HelpFormatter
    with_result = command not in ("data.__main__", "demo")
    assert ("  --out " in parser.format_help()) == with_result  # where the one result goes
    last = Path(module.__file__).read_text().splitlines()[-2:]
    assert last == ['if __name__ == "__main__":', "    sys.exit(main())"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_no_tensorflow(command):
    script = f"""
import runpy, sys
sys.argv = ["{command}", "--help"]
try:
    runpy.run_module("kerasgan.{command}", run_name="__main__", alter_sys=True)
except SystemExit as stop:
    assert not stop.code
heavy = {{"tensorflow", "keras", "matplotlib"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: python -m kerasgan.")


@pytest.mark.slow
def test_tensorflows_chatter_does_not_reach_the_user():
    script = "from kerasgan.backend import tf; tf.constant(1.0) + 1"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == done.stderr == ""


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name, a package by that of its folder."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def imported_modules(path: Path, known: set[str]) -> set[str]:
    """The modules that a file names in its imports, wherever they stand."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in known else str(node.module) for name in inner}
    return names & known


def test_no_modules_import_one_another():
    known = modules()
    imports = {name: imported_modules(path, set(known)) for name, path in known.items()}
    waiting = dict(imports)
    while free := [name for name, needed in waiting.items() if not needed & waiting.keys()]:
        for name in free:
            del waiting[name]
    assert not waiting, f"a circle among {sorted(waiting)}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_pictures_are_opened_as_named_formats(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open":
            formats = {keyword.arg for keyword in node.keywords}
            assert "formats" in formats, f"{path}:{node.lineno} opens any format"
