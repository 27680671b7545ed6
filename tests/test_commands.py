"""The commands behind one word: `kerasgan train` and `python -m kerasgan`."""

import configparser
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import kerasgan
from kerasgan import __main__ as kerasgan_command
from kerasgan import commands
from kerasgan.commands import COMMANDS

main = kerasgan_command.main


def test_every_module_that_is_a_command_is_listed():
    """A command is what has a `main` and a parser."""
    package = Path(kerasgan.__file__).parent
    found = {
        path.parent.name if path.name == "__main__.py" else path.stem
        for path in package.rglob("*.py")
        if "def main(argv" in path.read_text() and "def build_parser(" in path.read_text()
    }
    assert found == set(COMMANDS)


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_without_a_command_all_are_listed(words, capsys):
    assert main(words) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    for name, what in COMMANDS.items():
        assert sum(line.split() == ["kerasgan", name, *what.split()] for line in lines) == 1
    assert max(map(len, lines)) <= 100 and captured.err == ""


def test_the_version_is_the_packages(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"kerasgan {kerasgan.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_given_the_words_behind_it(command, monkeypatch):
    given = []
    module = commands.load(command)
    monkeypatch.setattr(module, "main", lambda argv: given.append(argv) or 7)
    assert main([command, "RUN", "--out", "x"]) == 7
    assert given == [["RUN", "--out", "x"]]


@pytest.mark.parametrize("words", [["gif", "--help"], ["help", "gif"]])
def test_help_of_a_command_is_its_own(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert not stopped.value.code
    assert capsys.readouterr().out.startswith("usage: python -m kerasgan.gif")


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("tran", "Near it: train."),
        ("Sampel", "Near it: sample."),
        ("--sed", "There are: data, train, gif, "),
        ("xyz", "There are: data, train, gif, "),
        ("a\nb", "Received: a\\nb."),
    ],
)
def test_an_unknown_command_names_the_near_ones(word, named, capsys):
    assert main([word, "x"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: A command should be one that `python -m kerasgan` lists.")
    assert named in error and error.count("\n") == 1


def test_a_commands_mistake_is_said_once(tmp_path, capsys):
    assert main(["gif", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_script_that_is_installed_leads_here():
    settings = configparser.ConfigParser()
    settings.read(Path(__file__).parent.parent / "setup.cfg")
    name, _, place = settings["options.entry_points"]["console_scripts"].strip().partition(" = ")
    module, _, function = place.partition(":")
    assert name == "kerasgan"
    assert getattr(importlib.import_module(module), function) is main


def test_only_the_command_that_is_named_is_imported():
    script = """
import runpy, sys
sys.argv = ["kerasgan", "gif", "--help"]
try:
    runpy.run_module("kerasgan", run_name="__main__", alter_sys=True)
except SystemExit as stop:
    assert not stop.code
loaded = {name for name in sys.modules if name.startswith("kerasgan.")}
assert "kerasgan.gif" in loaded and not loaded & {"kerasgan.sample", "kerasgan.train"}, loaded
assert not {"tensorflow", "keras", "imageio", "av"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
