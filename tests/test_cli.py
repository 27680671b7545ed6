"""What every command shares."""

import ast
import contextlib
import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kerasgan import cli, commands
from kerasgan.errors import UserError


def failing(error):
    def command(argv):
        raise error

    return command


def test_a_users_mistake_is_one_line_and_two(capsys):
    assert cli.run(failing(UserError("the rule, the fact")), []) == 2
    captured = capsys.readouterr()
    assert captured.err == "error: the rule, the fact\n" and captured.out == ""


def test_ctrl_c_is_130_without_a_traceback(capsys):
    assert cli.run(failing(KeyboardInterrupt()), []) == 130
    assert capsys.readouterr().err == "Stopped.\n"


def test_a_full_disk_is_one_line(capsys):
    assert cli.run(failing(OSError(errno.ENOSPC, "No space left on device", "x.png")), []) == 2
    assert capsys.readouterr().err == (
        "error: The disk should have room. Received: No space left on device: x.png. Make some, "
        "then type the same command.\n"
    )
    assert cli.run(failing(PermissionError(errno.EACCES, "Permission denied", "a\nb")), []) == 2
    assert capsys.readouterr().err == (
        "error: The system should let files be read and written. Received: Permission denied: "
        "a\\nb. Mend that, then type the same command.\n"
    )


def test_memory_that_is_not_there_is_one_line(capsys):
    assert cli.run(failing(MemoryError("Unable to allocate 9 TiB")), []) == 2
    assert capsys.readouterr().err == (
        "error: The memory should be enough. Received: Unable to allocate 9 TiB. Ask for less at "
        "once.\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here")
def test_the_exit_code_counts_where_nobody_reads_the_error(monkeypatch):
    with open("/dev/full", "w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        assert cli.run(failing(UserError("x")), []) == 2
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()


def test_a_mistake_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run(failing(ZeroDivisionError()), [])


def test_a_path_is_read_in_one_way(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("USERPROFILE", "/home/me")
    parser = cli.Parser(prog="x")
    parser.add_argument("--out", type=cli.path)

    def read(text):
        return parser.parse_args([f"--out={text}"]).out

    assert read("~/a") == Path("/home/me/a") and read("~") == Path("/home/me")
    assert read("./~") == Path("~") and read("a/~/b") == Path("a/~/b")
    assert read("a b/") == Path("a b") and read(".") == Path(".")
    for none in ("", "a\0b"):
        with pytest.raises(UserError, match="argument --out: A path should have characters"):
            read(none)


@pytest.mark.parametrize("command", commands.COMMANDS)
def test_every_path_of_a_command_is_read_so(command):
    parser = commands.load(command).build_parser()
    kinds = {action.dest: action.type for action in parser._actions}
    assert Path not in kinds.values()
    assert cli.path in kinds.values()


PRINTED = re.compile(r"pip install '|python -m [\w.]+ [^\n`]*'|shlex|\bexport [A-Z_]+=")


@pytest.mark.parametrize("path", sorted(Path(cli.__file__).parent.rglob("*.py")), ids=str)
def test_no_command_is_printed_that_some_shell_does_not_know(path):
    """cmd.exe knows no single quotes, and only POSIX shells know `export`."""
    strings = [
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert not [text for text in strings if PRINTED.search(text)]


def test_success_is_zero():
    assert cli.run(lambda argv: None, []) == 0
    assert cli.run(lambda argv: 3, []) == 3


def test_the_parser_reports_in_one_line():
    parser = cli.Parser(prog="python -m kerasgan.x")
    parser.add_argument("-n", type=int)
    with pytest.raises(UserError, match="invalid int value: 'abc'.*python -m kerasgan.x --help"):
        parser.parse_args(["-n", "abc"])


CLOSED = ["2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"]


def without(streams, *words):
    """Runs Python with some of its standard streams closed."""
    command = ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("streams", CLOSED)
def test_help_and_mistakes_need_no_standard_streams(tmp_path, streams):
    done = without(streams, "-m", "kerasgan.gif", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ") is (">&-" not in streams.replace("2>&-", ""))
    wrong = without(streams, "-m", "kerasgan.gif", tmp_path / "none")
    assert wrong.returncode == 2 and "Traceback" not in wrong.stderr


@pytest.mark.parametrize("streams", CLOSED)
def test_files_do_not_take_the_place_of_a_closed_stream(tmp_path, streams):
    """Else what native code says would be written into them."""
    script = f"""
import os, subprocess, sys
from kerasgan import cli, commands
def command(argv):
    with open({str(tmp_path / "file")!r}, "w") as file:
        assert file.fileno() > 2
        os.write(2, b"said by native code")
        print("said", flush=True)
        print("said", file=sys.stderr, flush=True)
        child = "import os; os.fstat(1), os.fstat(2)"
        subprocess.run([sys.executable, "-c", child], check=True)
    return 7
sys.exit(cli.run(command, []))
"""
    assert without(streams, "-c", script).returncode == 7
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.slow
@pytest.mark.parametrize("streams", CLOSED)
def test_training_needs_no_standard_streams(drawn_faces, tmp_path, streams):
    small = "--preset mlp --size 8 --width 0.1 --batch-size 4 --iters 3 --precision float32"
    where = ["--data", drawn_faces, "--cache", tmp_path / "cache", "--out", tmp_path / "run"]
    done = without(streams, "-m", "kerasgan.train", *small.split(), *where)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "generator.keras").exists()
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 3


@pytest.mark.slow
@pytest.mark.parametrize("streams", ["2>&-", "<&- >&- 2>&-"])
def test_tensorflow_is_imported_without_standard_streams(tmp_path, streams):
    script = "from kerasgan.backend import tf; raise SystemExit(int(tf.constant(7)))"
    assert without(streams, "-c", script).returncode == 7


def test_help_shows_each_default_or_what_stands_for_it(capsys):
    parser = cli.Parser(prog="x")
    parser.add_argument("-n", type=int, default=3, help="how many")
    parser.add_argument("--quiet", action="store_true", help="say less")
    parser.add_argument("--width", help="of it")
    cli.unset(parser.add_argument("--out", default="auto", help="where"), "a half, 50%, of it")
    shown = " ".join(parser.format_help().split())
    assert "how many (default: 3)" in shown and "where (default: a half, 50%, of it)" in shown
    assert shown.count("(default:") == 2


def test_the_first_rule_that_does_not_hold_is_the_message():
    cli.require([("`-n` should be at least 1", 1, True)])
    rules = [("a", 1, True), ("`-n` should be at least 1", 0, False), ("c", 2, False)]
    with pytest.raises(UserError, match=r"^`-n` should be at least 1\. Received: 0\.$"):
        cli.require(rules)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (89, "89 s"),
        (91, "2 min"),
        (89 * 60, "89 min"),
        (90 * 60, "1 h 30 min"),
        (47 * 3600, "47 h 0 min"),
        (800_000, "9.3 days"),
    ],
)
def test_durations_read_as_a_person_says_them(seconds, words):
    assert cli.duration(seconds) == words


def test_a_range_of_negative_numbers_is_a_value():
    parser = cli.Parser(prog="x")
    parser.add_argument("place")
    parser.add_argument("--strength")
    parser.add_argument("--list", action="store_true")
    for words in (["r", "--strength", "-3..3"], ["--strength=-3..3", "r"]):
        assert parser.parse_args(words).strength == "-3..3"
    assert parser.parse_args(["--strength", "-2,0,1", "--list", "r"]).strength == "-2,0,1"
    assert parser.parse_args(["--strength", "-2", "r"]).strength == "-2"
    with pytest.raises(UserError, match="expected one argument"):
        parser.parse_args(["r", "--strength", "--list"])


@pytest.mark.parametrize("code", [0, 141])
def test_the_exit_code_is_the_commands_whatever_its_reader_left_unread(code):
    script = (
        "import sys\nfrom kerasgan import cli\n"
        "def command(argv):\n"
        "    sys.stdin.readline()\n"
        "    sys.stdout.write('half a line, which is held back')\n"
        f"    return {code}\n"
        "sys.exit(cli.run(command, []))"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    held_back = os.environ | {"PYTHONUNBUFFERED": ""}
    with subprocess.Popen([sys.executable, "-c", script], **pipes, env=held_back) as process:
        process.stdout.close()
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait(timeout=60) == code
