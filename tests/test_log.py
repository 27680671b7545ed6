"""A line of the log, and what the lines add up to."""

import math

import pytest

from kerasgan import log
from kerasgan.log import History, Line
from kerasgan.watch import Evaluation

EVALUATION = Evaluation(
    iteration=200,
    seconds=30.5,
    kid_x1000=300.0,
    kid_x1000_low=290.0,
    kid_x1000_high=310.0,
    diversity=0.8,
    d_accuracy=0.7,
    face_frechet=0.5,
    faces_found=0.25,
)
TEXT = (
    '{"iteration": 200, "d_loss": 0.5, "a_loss": null, "evaluation": {"seconds": 30.5, '
    '"kid_x1000": 300.0, "kid_x1000_low": 290.0, "kid_x1000_high": 310.0, "diversity": 0.8, '
    '"d_accuracy": 0.7, "face_frechet": 0.5, "faces_found": 0.25, "side": null}, '
    '"rolled_back_to": 100}'
)


def test_a_line_is_plain_json_and_can_be_read_back():
    line = Line(200, {"d_loss": 0.5, "a_loss": math.nan}, EVALUATION, rolled_back_to=100)
    assert line.to_json() == TEXT
    read = Line.from_json(TEXT)
    assert math.isnan(read.scalars.pop("a_loss"))
    assert read == Line(200, {"d_loss": 0.5}, EVALUATION, 100)
    assert Line(1, {"d_loss": 0.25}).to_json() == '{"iteration": 1, "d_loss": 0.25}'


@pytest.mark.parametrize(
    "text",
    ["", "{", "3", "[]", "null", "{}", '{"iteration": null}', '{"iteration": 1, "d_loss": [1]}',
     '{"iteration": 1, "evaluation": {"colour": 3}}'],
)  # fmt: skip
def test_what_is_no_line_is_refused(text):
    with pytest.raises(ValueError):
        Line.from_json(text)


def line(iteration, accuracy=0.5, **more):
    return Line(
        iteration, {"d_loss": 1.0 * iteration, "a_loss": 2.0, "d_accuracy": accuracy}, **more
    )


def test_a_history_is_the_same_line_by_line_and_from_a_log():
    lines = [line(198, 0.1), line(199, 0.2), line(200, 0.3, evaluation=EVALUATION), line(201, 0.4)]
    lines += [line(202, 0.5, rolled_back_to=200), line(203, math.nan), line(204, 0.7)]
    grown = History()
    for each in lines:
        grown.add(each)
    for history in (grown, History(lines)):
        assert history.losses["d_loss"] == [198, 199, 200, 201, 202, 203, 204]
        assert history.evaluations == [EVALUATION] and history.last_evaluation == EVALUATION
        assert history.rollbacks == [202] and history.last_rollback == 202
        # Since the evaluation, without the iteration that was undone.
        assert history.accuracies == [0.4, 0.7]


def test_at_first_there_is_no_history():
    assert History().last_evaluation is None and History().last_rollback == 0


def write(path, *texts):
    path.write_bytes(b"".join(text if isinstance(text, bytes) else text.encode() for text in texts))
    return path


def good(iteration, loss=0.5):
    return f'{{"iteration": {iteration}, "d_loss": {loss}}}\n'


def test_a_log_is_read_to_its_end_or_to_an_unfinished_line(tmp_path):
    assert log.read(tmp_path / "none") == log.Reading()
    found = log.read(write(tmp_path / "log", good(1), good(2), '{"iteration": 3, "d_'))
    assert [line.iteration for line in found.lines] == [1, 2] and not found.passed_over
    assert found.fault == "line 3 is damaged: it is no JSON: Unterminated string starting at"


def test_what_takes_nothing_away_is_passed_over(tmp_path):
    """Zeros of a crash, blank lines, lines that are there twice, even with a NaN."""
    twice = '{"iteration": 2, "d_loss": null}\n'
    found = log.read(
        write(tmp_path / "log", "\0\0\n", good(1), "\n", twice, twice, b"\xff\n", good(3))
    )
    assert [line.iteration for line in found.lines] == [1, 2, 3] and found.fault is None
    assert found.passed_over == [
        (0, "line 1 is damaged: it is no JSON: Expecting value"),
        (2, "line 5 was there twice"),
        (2, "line 6 is damaged: it has a byte that is no UTF-8"),
    ]


DAMAGED = {
    "missing": (["", good(3)], "line 3 is of iteration 3"),
    "no UTF-8": ([b'{"iteration": 2, "d\xff": 1}\n', good(3)], "has a byte that is no UTF-8"),
    "a word": ([good(2, '"x"'), good(3)], "'d_loss' is 'x', which is no number"),
    "yes": ([good(2, "true"), good(3)], "'d_loss' is True, which is no number"),
    "NaN": ([good(2, "NaN"), good(3)], "'d_loss' is nan, which is no number"),
    "huge": ([good(2, "1" + "0" * 400), good(3)], "which is no number"),
    "thousands of digits": ([good(2, "1" * 5000), good(3)], "line 2 is damaged: "),
    "large": ([good(2, "1e999"), good(3)], "'d_loss' is inf, which is no number"),
    "another": ([good(2), good(1, 0.7), good(3)], "line 3 is another one for iteration 1"),
    "brackets": (["[" * 60000 + "\n", good(3)], "line 2 is damaged"),
    "without end": (["x" * 10**6 + "\n", good(3)], "line 2 is damaged"),
    "no evaluation": (['{"iteration": 2, "evaluation": 3}\n', good(3)], "holds no figures"),
    "odd evaluation": (
        ['{"iteration": 2, "evaluation": {"kid_x1000": "a"}}\n', good(3)],
        "kid_x1000 is 'a'",
    ),
    "half an evaluation": (
        ['{"iteration": 2, "evaluation": {"kid_x1000": 1}}\n', good(3)],
        "lacks a figure",
    ),
    "odd rollback": (['{"iteration": 2, "rolled_back_to": "1"}\n', good(3)], "is no iteration"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_line_that_is_lost_ends_the_log_and_is_named(tmp_path, damage):
    texts, fault = DAMAGED[damage]
    if damage == "missing":
        texts = ["\n", good(3)]
    found = log.read(write(tmp_path / "log", good(1), *texts))
    assert fault in found.fault and "\n" not in found.fault and len(found.fault) < 200
    assert found.lines[0].iteration == 1 and len(found.lines) == 1 + (damage == "another")


def test_a_line_that_is_read_is_written_as_it_was(tmp_path):
    text = '{"iteration": 1, "d_loss": 0.1, "side": 8, "alpha": 1.0, "a_loss": null}'
    assert log.read(write(tmp_path / "log", text)).lines[0].to_json() == text


def test_a_line_whose_figures_are_given_up_is_a_line(tmp_path):
    found = log.read(write(tmp_path / "log", good(1), '{"iteration": 2}\n', good(3)))
    assert found.fault is None and math.isnan(History(found.lines).losses["d_loss"][1])
