"""Few pictures of two kinds, told apart by what tells them apart best."""

import halves
import numpy as np
import pytest

from kerasgan import contrast
from kerasgan.errors import UserError


def test_a_boundary_by_hand():
    """Two kinds on both sides of x = 3, in a plane whose y is the same for all."""
    features = np.array([[5.0, 1], [5, 1], [1, 1], [1, 1], [1, 1]])
    weights, middle, spread = contrast.boundary(features, np.array([1, 1, -1, -1, -1]))
    assert weights[1] == 0 and weights[0] > 0
    assert middle == pytest.approx(3 * weights[0]) and spread == pytest.approx(2 * weights[0])


def test_one_boundary_for_a_rare_kind():
    rng = np.random.default_rng(0)
    signs = np.where(np.arange(300) < 20, 1, -1)
    features = rng.standard_normal((300, 5)) + 2.0 * signs[:, None] * np.eye(5)[0]
    weights, middle, _ = contrast.boundary(features, signs)
    said = features @ weights > middle
    assert said[signs > 0].mean() > 0.9 and said[signs < 0].mean() < 0.1


@pytest.fixture
def views(monkeypatch):
    """Two views: a blind one, and one that sees the upper half but no face in some pictures."""

    def blind(pictures):
        rng = np.random.default_rng(0)
        return rng.standard_normal((len(pictures), 4)), np.ones(len(pictures), bool)

    def upper(pictures):
        usable = pictures[:, 0, 0, 0] != 255
        return pictures[:, :8].reshape(len(pictures), -1).astype(float), usable

    chosen = {"blind": blind, "upper": upper}
    monkeypatch.setattr(contrast, "VIEWS", chosen)
    return chosen


def test_the_view_that_tells_them_apart_is_taken(views):
    pixels, bright = halves.pictures(80)
    with_, without = pixels[bright[:, 0] > 0], pixels[bright[:, 0] < 0]
    learned = contrast.learn(with_, without)
    assert learned.view == "upper" and learned.accuracy > 0.95
    others, their_bright = halves.pictures(50, seed=1)
    scores = learned.score(others)
    assert (np.sign(scores) == their_bright[:, 0]).mean() > 0.95
    assert np.abs(learned.score(with_).mean() - 1) < 0.1  # the unit of a score
    others[:3, 0, 0, 0] = 255
    assert np.isnan(learned.score(others)[:3]).all()


def test_a_view_without_faces_is_not_taken(views):
    pixels, bright = halves.pictures(80)
    pixels[:20, 0, 0, 0] = 255
    learned = contrast.learn(pixels[bright[:, 0] > 0], pixels[bright[:, 0] < 0])
    assert learned.view == "blind" and 0.2 < learned.accuracy < 0.8


def test_a_view_whose_package_is_missing_is_not_taken(views, monkeypatch):
    monkeypatch.setattr(contrast, "PACKAGES", {"upper": "no_such_package"})
    pixels, bright = halves.pictures(80)
    assert contrast.learn(pixels[bright[:, 0] > 0], pixels[bright[:, 0] < 0]).view == "blind"


def test_too_few_pictures(views):
    pixels, _ = halves.pictures(20)
    with pytest.raises(UserError, match="`--with` should hold at least 8 pictures. Received: 7"):
        contrast.learn(pixels[:7], pixels[7:])
    with pytest.raises(UserError, match="`--without` should hold"):
        contrast.learn(pixels[7:], pixels[:7])


def test_of_many_pictures_some_are_taken(views, monkeypatch):
    seen = []

    def count(pictures):
        seen.append(len(pictures))
        return views["blind"](pictures)

    monkeypatch.setitem(views, "upper", count)
    monkeypatch.setattr(contrast, "MAX_PICTURES", 10)
    pixels, _ = halves.pictures(40)
    contrast.learn(pixels[:25], pixels[25:])
    assert seen == [20]
