"""What evaluations say of a training's health."""

import dataclasses
import math
import re

import pytest

from kerasgan.errors import UserError
from kerasgan.recipes import Recipe
from kerasgan.watch import Evaluation, Watch

RECIPE = Recipe(evaluate_every=100, on_collapse="rollback", patience=4)


def watch(kids, *, diversities=None, accuracies=None, faces=None, sides=None, rollbacks=()):
    """A watch that has seen an evaluation of each KID, a hundred iterations apart."""
    watch = Watch(RECIPE)
    for place, kid in enumerate(kids):
        pick = lambda values, usual, place=place: values[place] if values else usual  # noqa: E731
        watch.evaluations.append(
            Evaluation(
                iteration=100 * (place + 1),
                seconds=1.0 * place,
                kid_x1000=kid,
                kid_x1000_low=kid - 5,
                kid_x1000_high=kid + 5,
                diversity=pick(diversities, 0.8),
                d_accuracy=pick(accuracies, 0.7),
                face_frechet=pick(faces, None),
                side=pick(sides, None),
            )
        )
    watch.rollbacks = list(rollbacks)
    return watch


def test_the_score_is_the_geometric_mean_of_kid_and_faces():
    first, second = watch([400, 4], faces=[0.9, 0.0001]).evaluations
    assert first.score == pytest.approx(600) and second.score == 2
    assert watch([-3]).evaluations[0].score == 1  # KID without bias may be below 0


def test_kid_alone_or_faces_alone_do_not_make_the_best():
    seen = watch([300, 250, 280, 260], faces=[0.5, 0.9, 0.3, 0.4])
    assert seen.best().iteration == 300


def test_samples_all_alike_are_never_the_best():
    seen = watch([300, 100, 320], diversities=[0.8, 0.1, 0.8])
    assert seen.best().iteration == 100
    assert seen.target(None).iteration == 100


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
        ([300, 400, 400, 500, 400], {"rollbacks": [300]}),  # before it went back
    ],
)
def test_a_healthy_training_is_left_alone(kids, seen):
    assert watch(kids, **seen).collapse() is None


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
    reason = watch(kids, **seen).collapse()
    assert reason and re.search(words, reason)


def test_pictures_that_have_grown_begin_anew():
    """A stage just begun is worse than the last one's end; only its own weights fit."""
    seen = watch([300, 100, 500, 480, 470], sides=[32, 32, 64, 64, 64])
    assert seen.collapse() is None and seen.exhausted() is None
    assert seen.target(64).iteration == 500 and seen.target(32).iteration == 200
    assert seen.target(128) is None


def test_patience_ends_when_nothing_has_been_better():
    assert watch([500, 300, 310, 310, 310]).exhausted() is None
    assert "4 evaluations were no better than after iteration 200" == (
        watch([500, 300, 310, 310, 310, 310]).exhausted()
    )
    assert watch([500, 300, 310, 310, 310, 290]).exhausted() is None


def test_patience_begins_anew_after_a_rollback():
    assert watch([500, 300, 310, 310, 310, 310, 310], rollbacks=[400]).exhausted() is None
    assert watch([500, 300, 310, 310, 310, 310, 310], rollbacks=[300]).exhausted()


def test_rollbacks_are_bounded_and_each_halves_the_rate():
    seen = watch([300], rollbacks=[1, 2])
    assert seen.slowdown == 0.25 and seen.may_roll_back
    seen.rollbacks.append(3)
    assert seen.slowdown == 0.125 and not seen.may_roll_back


def test_a_log_gives_back_what_was_seen():
    known = watch([300, 200], faces=[0.5, 0.4]).evaluations
    values = [dataclasses.asdict(e) for e in known]
    lines = [{"iteration": e.pop("iteration"), "d_loss": 1.0, "evaluation": e} for e in values]
    lines.insert(1, {"iteration": 150, "d_loss": math.nan, "rolled_back_to": 100})
    fresh = Watch(RECIPE)
    fresh.recall(lines)
    assert fresh.evaluations == known and fresh.rollbacks == [150]


@pytest.mark.parametrize("typed", [{"on_collapse": "rollback"}, {"patience": 3}])
def test_what_goes_by_evaluations_needs_some(typed):
    with pytest.raises(UserError, match="goes by evaluations.*--evaluate-every"):
        Recipe(**typed)
    assert Recipe(**typed, evaluate_every=10)
