"""A line of the log, and what the lines add up to."""

import math

import pytest

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
