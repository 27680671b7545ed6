"""Paths as they are printed in commands: every shell should read them back as they are."""

import shutil
import subprocess

import pytest

from kerasgan import text

ODD = [
    "my runs/000 a",
    'say "hi"',
    "5$ & 10%",
    "$HOME/a",
    "`date`",
    "back\\slash",
    "o'brien",
    "wow!important",
    "-rf",
    "~/faces",
    "~",
    "(1);#x|y>z<*?[a]{b,c}",
    "gesichter/Jürgen/笑顔",
    "e\u0301",
]
SHELLS = [name for name in ("sh", "bash", "dash", "zsh") if shutil.which(name)]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("path", ODD)
def test_shells_read_a_quoted_path_back(shell, path):
    typed = text.quoted(path)
    assert "'" not in typed.replace("o'brien", "") and "\n" not in typed
    done = subprocess.run([shell, "-c", f"printf %s {typed}"], capture_output=True, text=True)
    assert done.stdout.removeprefix("./") == path
    assert not done.stdout.startswith(("-", "~"))


@pytest.mark.skipif("bash" not in SHELLS, reason="no bash")
def test_a_shell_at_a_terminal_finds_no_history_in_it():
    """Where somebody types, `!` in double quotes stands for an earlier command."""
    script = f"set -o history -H\nprintf %s {text.quoted('a !b')}\n"
    done = subprocess.run(["bash", "-s"], input=script, capture_output=True, text=True)
    assert done.stdout == "a !b"


def test_quotes_stand_only_where_they_are_needed():
    assert text.quoted("outputs/000-article-lite") == "outputs/000-article-lite"
    assert text.quoted("/home/Jürgen/faces_2.zip") == "/home/Jürgen/faces_2.zip"
    assert text.quoted("my runs") == '"my runs"'
    assert text.quoted("") == '""'


def test_a_path_stays_one_line():
    assert "\n" not in text.quoted("a\nb")


@pytest.mark.parametrize(
    ("path", "in_cmd", "in_powershell"),
    [
        ("C:\\runs\\000-fast", "C:\\runs\\000-fast", "C:\\runs\\000-fast"),
        ("C:\\my runs", '"C:\\my runs"', '"C:\\my runs"'),
        ("\\\\host\\a b\\", '"\\\\host\\a b\\\\"', '"\\\\host\\a b\\\\"'),
        ("R&D", '"R&D"', '"R&D"'),
        ("US$", '"US$"', '"US`$"'),
    ],
)
def test_on_windows(monkeypatch, path, in_cmd, in_powershell):
    """By hand, by the rules of both shells and of CommandLineToArgvW."""
    monkeypatch.setattr(text, "WINDOWS", True)
    monkeypatch.setattr(text, "PLAIN", text.PLAIN + "\\")
    monkeypatch.setenv("PROMPT", "$P$G")
    assert text.quoted(path) == in_cmd
    monkeypatch.delenv("PROMPT")
    assert text.quoted(path) == in_powershell
