"""What every command shares."""

import errno

import pytest

from kerasgan import cli
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
    error = capsys.readouterr().err
    assert "No space left on device" in error and error.count("\n") == 1


def test_a_mistake_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run(failing(ZeroDivisionError()), [])


def test_success_is_zero():
    assert cli.run(lambda argv: None, []) == 0
    assert cli.run(lambda argv: 3, []) == 3


def test_the_parser_reports_in_one_line():
    parser = cli.Parser(prog="python -m kerasgan.x")
    parser.add_argument("-n", type=int)
    with pytest.raises(UserError, match="invalid int value: 'abc'.*python -m kerasgan.x --help"):
        parser.parse_args(["-n", "abc"])


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
