"""Estimators against hand-computed cases, closed forms and slow second implementations."""

import numpy as np
import pytest

from kerasgan.metrics import evaluator, report
from kerasgan.metrics.cache import remembered
from kerasgan.metrics.frechet import frechet_distance, statistics
from kerasgan.metrics.kid import kid, mmd2, subset_size
from kerasgan.metrics.memorisation import CAPTION, GAP, sheet
from kerasgan.metrics.neighbours import kth_nearest, nearest, precision_recall


def normal(seed, count, dim):
    return np.random.default_rng(seed).standard_normal((count, dim))


def test_mmd2_by_hand():
    # k(x, y) = (xy + 1)^3. Within x: k(0, 1) = 1. Within y: k(1, 2) = 27. Between: 1, 1, 8, 27.
    x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    assert mmd2(x, y) == pytest.approx(1 + 27 - 2 * (1 + 1 + 8 + 27) / 4)


def test_mmd2_against_loops():
    x, y = normal(0, 7, 5), normal(1, 7, 5) + 0.5

    def kernel(a, b):
        return (sum(p * q for p, q in zip(a, b, strict=True)) / 5 + 1) ** 3

    within = [kernel(s[i], s[j]) for s in (x, y) for i in range(7) for j in range(7) if i != j]
    between = [kernel(a, b) for a in x for b in y]
    assert mmd2(x, y) == pytest.approx(sum(within) / 42 - 2 * sum(between) / 49)


@pytest.mark.parametrize(("shift", "truth"), [(0.0, 0.0), (0.5, 3.578125), (1.0, 22.0)])
def test_kid_is_unbiased(shift, truth):
    # In one dimension E k = sum of binom(3, j) E[x^j] E[y^j], so that between N(0, 1) and
    # N(a, 1) the squared discrepancy is 3 a^2 + 3 a^4 + (a^3 + 3 a)^2.
    assert 3 * shift**2 + 3 * shift**4 + (shift**3 + 3 * shift) ** 2 == truth
    estimates = [
        kid(normal(2 * r, 60, 1), normal(2 * r + 1, 60, 1) + shift, subset_size=15, subsets=5).value
        for r in range(400)
    ]
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - truth) < 4 * error


def test_kids_interval_holds_the_truth_as_often_as_it_says():
    # x is N(0, I), y is N(m, I), both of five dimensions, m all ones. E k = 1 + 3 E s + 3 E s^2 +
    # E s^3 with s = x.y / 5: within x 1 + 3/5; within y 1 + 3 + 3 * 40/25 + 380/125; between
    # 1 + 3 * 10/25.
    truth = 1.6 + 11.84 - 2 * 2.2
    found = [
        kid(normal(2 * r, 200, 5), normal(2 * r + 1, 200, 5) + 1, subset_size=50, seed=r)
        for r in range(150)
    ]
    inside = np.mean([k.low <= truth <= k.high for k in found])
    assert 0.88 <= inside <= 0.99
    half = np.mean([k.high - k.value for k in found])
    assert 0.8 < half / (1.96 * np.std([k.value for k in found])) < 1.25


def test_kid_depends_on_its_seed_alone():
    x, y = normal(0, 40, 3), normal(1, 50, 3)
    assert kid(x, y, subset_size=10, seed=1) == kid(x, y, subset_size=10, seed=1)
    assert kid(x, y, subset_size=10, seed=1) != kid(x, y, subset_size=10, seed=2)


def test_subsets_are_500_or_half_of_the_smaller_set():
    assert subset_size(2000, 2201) == 500
    assert subset_size(2000, 900) == 450
    assert subset_size(9, 2000) == 4


def exact(count, mean, root):
    """Features whose sample mean is `mean` and sample covariance root^T root, exactly."""
    x = normal(3, count, len(mean))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return x @ root + mean


def test_frechet_distance_of_axis_parallel_normals():
    first = exact(50, np.array([0.0, 1.0, 2.0]), np.diag([1.0, 2.0, 3.0]))
    second = exact(70, np.array([1.0, 1.0, 0.0]), np.diag([3.0, 2.0, 0.5]))
    # |m1 - m2|^2 = 1 + 0 + 4; standard deviations differ by 2, 0 and 2.5.
    expected = 5 + 4 + 0 + 6.25
    assert frechet_distance(statistics(first), statistics(second)) == pytest.approx(expected)


def test_frechet_distance_where_covariances_do_not_commute():
    roots = np.array([[2.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [-3.0, 1.0]])
    first, second = (exact(50, np.zeros(2), root) for root in roots)
    covariances = [root.T @ root for root in roots]
    product = covariances[0] @ covariances[1]
    # For two dimensions tr(M^(1/2)) = (tr M + 2 (det M)^(1/2))^(1/2).
    shared = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    expected = np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * shared
    assert frechet_distance(statistics(first), statistics(second)) == pytest.approx(expected)
    assert expected > 1


def test_frechet_distance_with_fewer_pictures_than_features():
    first, second = statistics(normal(0, 10, 30)), statistics(normal(1, 10, 30))
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(first, second) > 1


def test_precision_and_recall_by_hand():
    reals = np.array([[0.0], [1.0], [2.0], [10.0]])  # to the nearest other one: 1, 1, 1, 8
    fakes = np.array([[0.5], [17.9], [18.1], [100.0]])  # 17.4, 0.2, 0.2, 81.9
    # Inside the reals' balls: 0.5 and 17.9. Inside the fakes': all, by the first ball.
    assert precision_recall(fakes, reals, k=1) == (0.5, 1.0)
    assert precision_recall(reals, fakes, k=1) == (1.0, 0.5)


def test_a_generator_of_one_picture_is_precise_and_recalls_little():
    reals = normal(0, 100, 4)
    fakes = np.zeros((100, 4)) + 1e-3 * normal(1, 100, 4)
    precision, recall = precision_recall(fakes, reals)
    assert precision == 1 and recall < 0.05


def brute_force(points, centres, k):
    inside = 0
    for point in points:
        for index, centre in enumerate(centres):
            others = np.delete(centres, index, axis=0)
            radius = sorted(np.linalg.norm(others - centre, axis=1))[k - 1]
            if np.linalg.norm(point - centre) <= radius:
                inside += 1
                break
    return inside / len(points)


def test_precision_and_recall_against_loops(monkeypatch):
    monkeypatch.setattr("kerasgan.metrics.neighbours.ROWS", 7)  # several blocks, one not full
    fakes, reals = 1.4 * normal(0, 40, 3), normal(1, 40, 3)
    expected = brute_force(fakes, reals, 3), brute_force(reals, fakes, 3)
    assert precision_recall(fakes, reals) == expected
    assert 0 < expected[0] < 1 and 0 < expected[1] < 1


def test_nearest(monkeypatch):
    monkeypatch.setattr("kerasgan.metrics.neighbours.ROWS", 4)
    queries, keys = normal(0, 10, 3), normal(1, 20, 3)
    rows, distances = nearest(queries, keys)
    apart = np.linalg.norm(queries[:, None] - keys, axis=2)
    np.testing.assert_array_equal(rows, apart.argmin(axis=1))
    np.testing.assert_allclose(distances, apart.min(axis=1))
    np.testing.assert_allclose(nearest(keys[:2], keys)[1], 0, atol=1e-6)


def test_kth_nearest_leaves_the_point_itself_out():
    line = np.array([[0.0], [1.0], [3.0], [7.0]])
    np.testing.assert_allclose(kth_nearest(line[:2], 1, line), [1, 1])
    np.testing.assert_allclose(kth_nearest(line, 2, line), [3, 2, 3, 6])


class Counting:
    """Computes an array and counts how often."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return np.arange(6.0).reshape(2, 3)


def test_an_array_is_computed_once_for_a_key(tmp_path):
    compute = Counting()
    for _ in range(2):
        array = remembered(tmp_path / "new", "face", {"data": "ab"}, compute)
        np.testing.assert_array_equal(array, np.arange(6.0).reshape(2, 3))
    assert compute.calls == 1
    remembered(tmp_path / "new", "face", {"data": "cd"}, compute)
    assert compute.calls == 2


def test_a_damaged_cache_is_computed_again(tmp_path):
    compute = Counting()
    remembered(tmp_path, "face", {}, compute)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    np.savez(file, array=np.array([print], dtype=object), key=np.array("{}"))  # a pickle
    remembered(tmp_path, "face", {}, compute)
    assert compute.calls == 2 and file.read_bytes() == whole
    file.write_bytes(whole[:-30])
    remembered(tmp_path, "face", {}, compute)
    assert compute.calls == 3


def test_where_nothing_can_be_kept_it_is_computed(tmp_path):
    (tmp_path / "file").write_text("in the way")
    compute = Counting()
    for _ in range(2):
        remembered(tmp_path / "file" / "folder", "face", {}, compute)
    assert compute.calls == 2


def test_the_sheet_sets_each_sample_left_of_its_training_picture():
    samples = np.full((5, 64, 64, 1), 10, np.uint8)
    reals = np.full((5, 64, 64, 3), (200, 0, 0), np.uint8)
    whole = sheet(samples, reals, np.linspace(1, 2, 5))
    assert whole.shape == (GAP + 2 * (128 + CAPTION + GAP), GAP + 4 * (2 * 128 + GAP), 3)
    assert (whole[GAP : GAP + 128, GAP : GAP + 128] == 10).all()
    assert (whole[GAP : GAP + 128, GAP + 128 : GAP + 256] == (200, 0, 0)).all()
    below = whole[GAP + 128 : GAP + 128 + CAPTION, GAP : GAP + 256]
    assert (below < 100).any() and (below == 255).any()  # a caption
    assert (whole[-GAP - 100 :, GAP + 300 :] == 255).all()  # places left over


def test_the_table_names_the_protocol_of_every_figure():
    figures = {"kid_x1000": 362.64, "kid_x1000_low": 350.0, "kid_x1000_high": 375.24,
               "frechet": 0.944, "precision": 0.0204, "recall": 0.0,
               "diversity": 0.817}  # fmt: skip
    text = report.table({
        "generated": {"count": 2000, "face": figures, "faces_found": 0.55},
        "floor": {"count": 1100, "face": figures | {"kid_x1000": -0.21}},
        "real": {"count": 2000, "faces_found": 0.995},
        "noise": {"count": 200, "faces_found": 0.0},
        "memorisation": {"features": "face", "searched": 2201, "median": 3.14, "closest": 0.5,
                         "real_median": 2.5},
        "protocol": {"count": 2000, "size": "64x64x3", "seed": 0, "reals": 2201, "data": "ab" * 32,
                     "parts": {"face": {"id": "0123abcd", "resize": "48x48"}}},
    })  # fmt: skip
    lines = text.splitlines()
    assert lines[1].split() == [
        "face", "generated", "2,000", "362.6", "(350.0", "to", "375.2)", "0.944", "0.020", "0.000",
        "0.82",
    ]  # fmt: skip
    assert lines[2].split()[:5] == ["face", "real", "halves", "1,100", "-0.2"]
    assert "55.0% of the generated pictures, 99.5% of the real ones, 0.0% of noise" in text
    assert "face [0123abcd]: resize 48x48" in text
    assert "against 2,201 real ones, data abababababab" in text
    assert "published Inception" in text


def test_diversity_is_the_gap_to_the_most_similar_other_picture():
    """By hand: gaps of 3, 3 and 4, median 3, among reals; of copies of one picture 0."""
    reals = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [50.0, 50.0]])
    assert evaluator._median_gap(reals[:3]) == pytest.approx(3)
    assert evaluator._median_gap(2 * reals[:3]) == pytest.approx(6)
    assert evaluator._median_gap(np.ones((5, 2))) == pytest.approx(0, abs=1e-6)
    # A few pictures over and over, however far apart.
    assert evaluator._median_gap(np.repeat(reals, 2, axis=0)) == pytest.approx(0, abs=1e-6)
