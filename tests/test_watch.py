"""What evaluations say of a training's health."""

import re

import pytest

from kerasgan.errors import UserError
from kerasgan.recipes import Recipe
from kerasgan.watch import Evaluation, judge, may_roll_back, rollbacks_done, target

RECIPE = Recipe(evaluate_every=100, on_collapse="rollback", patience=4)


def evaluations(kids, diversities=None, accuracies=None, faces=None, sides=None):
    """An evaluation of each KID, a hundred iterations apart."""
    pick = lambda values, place, usual: values[place] if values else usual  # noqa: E731
    return [
        Evaluation(
            iteration=100 * (place + 1),
            seconds=1.0 * place,
            kid_x1000=kid,
            kid_x1000_low=kid - 5,
            kid_x1000_high=kid + 5,
            diversity=pick(diversities, place, 0.8),
            d_accuracy=pick(accuracies, place, 0.7),
            face_frechet=pick(faces, place, None),
            side=pick(sides, place, None),
        )
        for place, kid in enumerate(kids)
    ]


def judged(kids, rolled_back=0, **seen):
    return judge(evaluations(kids, **seen), RECIPE, rolled_back)


def test_the_score_is_the_geometric_mean_of_kid_and_faces():
    first, second = evaluations([400, 4], faces=[0.9, 0.0001])
    assert first.score == pytest.approx(600) and second.score == 2
    assert evaluations([-3])[0].score == 1  # KID without bias may be below 0


def test_before_the_first_evaluation_there_is_nothing_to_say():
    verdict = judge([], RECIPE)
    assert (verdict.collapse, verdict.exhausted, verdict.target) == (None, None, None)
    assert not verdict.is_best


def test_kid_alone_or_faces_alone_do_not_make_the_best():
    kids, faces = [300, 250, 280, 260], [0.5, 0.9, 0.3, 0.4]
    best = [judged(kids[:n], faces=faces[:n]).is_best for n in range(1, 5)]
    assert best == [True, False, True, False]
    assert judged(kids, faces=faces).target.iteration == 300


def test_samples_all_alike_are_never_the_best():
    assert judged([300, 100, 320], diversities=[0.8, 0.1, 0.8]).target.iteration == 100
    assert not judged([300, 100], diversities=[0.8, 0.1]).is_best
    assert judged([300, 100], diversities=[0.1, 0.1]).target is None


def test_judging_changes_nothing():
    seen = evaluations([500, 300, 400, 380, 420])
    before = list(seen)
    assert judge(seen, RECIPE) == judge(seen, RECIPE) and seen == before


@pytest.mark.parametrize(
    ("kids", "seen"),
    [
        ([500, 400, 300, 310, 290], {}),
        ([500, 300, 400, 400], {}),  # worse, but not three times in a row
        ([500, 300, 370, 370, 370], {}),  # worse by less than a quarter
        ([500], {"diversities": [0.1]}),  # grey at the very beginning
        ([612, 595, 584], {"diversities": [0.36, 0.29, 0.32]}),  # noise, not yet pictures
        ([900, 800, 700, 600], {"diversities": [0.1, 0.1, 0.1, 0.1]}),  # slow, but it learns
        ([500, 400, 300], {"accuracies": [1.0, 1.0, 1.0]}),  # D wins, but G learns
        ([300, 400, 400, 400, 300], {}),
        ([300, 400, 400, 500, 400], {"rolled_back": 300}),  # before it went back
    ],
)
def test_a_healthy_training_is_left_alone(kids, seen):
    assert judged(kids, **seen).collapse is None


@pytest.mark.parametrize(
    ("kids", "seen", "words"),
    [
        ([500, 300, 300], {"diversities": [0.7, 0.8, 0.2]}, "diversity is 20% of the reals'"),
        ([900] * 4, {"diversities": [0.1] * 4}, "a few pictures over and over"),
        ([500, 300, 400, 380, 420], {}, r"worse than after iteration 200 .*\(KID x 1000 420"),
        ([300, 310, 310, 310], {"accuracies": [0.9, 1, 1, 1]}, "tells every fake .* iteration 100"),
    ],
)
def test_a_collapse_is_named_in_plain_words(kids, seen, words):
    reason = judged(kids, **seen).collapse
    assert reason and re.search(words, reason)


def test_pictures_that_have_grown_begin_anew():
    """A stage just begun is worse than the last one's end; only its own weights fit."""
    seen = evaluations([300, 100, 500, 480, 470], sides=[32, 32, 64, 64, 64])
    verdict = judge(seen, RECIPE)
    assert verdict.collapse is None and verdict.exhausted is None
    assert verdict.target == target(seen, 64) == seen[4]
    assert target(seen, 32).iteration == 200 and target(seen, 128) is None


def test_patience_ends_when_nothing_has_been_better():
    assert judged([500, 300, 310, 310, 310]).exhausted is None
    assert "4 evaluations were no better than after iteration 200" == (
        judged([500, 300, 310, 310, 310, 310]).exhausted
    )
    assert judged([500, 300, 310, 310, 310, 290]).exhausted is None


def test_patience_begins_anew_after_a_rollback():
    assert judged([500, 300, 310, 310, 310, 310, 310], rolled_back=400).exhausted is None
    assert judged([500, 300, 310, 310, 310, 310, 310], rolled_back=300).exhausted


@pytest.mark.parametrize(
    ("slowdown", "done", "may"), [(1, 0, True), (0.5, 1, True), (0.25, 2, True), (0.125, 3, False)]
)
def test_rollbacks_are_bounded_and_counted_by_the_rate(slowdown, done, may):
    assert rollbacks_done(slowdown) == done and may_roll_back(RECIPE, slowdown) is may
    assert not may_roll_back(Recipe(), slowdown)


@pytest.mark.parametrize("typed", [{"on_collapse": "rollback"}, {"patience": 3}])
def test_what_goes_by_evaluations_needs_some(typed):
    with pytest.raises(UserError, match="goes by evaluations.*--evaluate-every"):
        Recipe(**typed)
    assert Recipe(**typed, evaluate_every=10)
