"""The search for faces: its geometry, and that it does not depend on the machine's state."""

import math
import random

import numpy as np
import pytest
from PIL import Image

from kerasgan.data import cascade
from kerasgan.data.square import cut_square, mirrored
from kerasgan.portraits import draw_portrait


def test_an_upright_square_is_the_picture_itself() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (30, 40, 3)).astype(np.uint8)
    for kind in (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC):
        cut = cut_square(picture, np.array([17.0, 12.0]), np.array([10.0, 0.0]), 10, kind)
        np.testing.assert_array_equal(np.asarray(cut), picture[7:17, 12:22])


def test_a_square_on_its_side_and_one_upside_down() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (30, 40, 3)).astype(np.uint8)
    nearest, centre = Image.Resampling.NEAREST, np.array([17.0, 12.0])
    down = cut_square(picture, centre, np.array([0.0, 10.0]), 10, nearest)
    np.testing.assert_array_equal(np.asarray(down), np.rot90(picture[7:17, 12:22]))
    over = cut_square(picture, centre, np.array([-10.0, 0.0]), 10, nearest)
    np.testing.assert_array_equal(np.asarray(over), picture[7:17, 12:22][::-1, ::-1])


def test_rows_go_on_mirrored_again_and_again() -> None:
    assert mirrored(np.arange(-4, 8), 3).tolist() == [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]
    assert mirrored(np.arange(-2, 3), 1).tolist() == [0] * 5


def test_surer_boxes_suppress_others() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 6], [5, 0, 15, 10], [20, 20, 30, 30]], float)
    scores = np.array([0.7, 0.9, 0.8, 0.6])
    # In common: 60 of 100 for the first two, 50 of 150 for the first and the third, 30 of 130
    # for the second and the third.
    assert cascade.suppress(boxes, scores, 0.61).tolist() == [1, 2, 0, 3]
    assert cascade.suppress(boxes, scores, 0.59).tolist() == [1, 2, 3]
    assert cascade.suppress(boxes, scores, 0.22).tolist() == [1, 3]
    assert cascade.suppress(boxes[:0], scores[:0], 0.5).tolist() == []


def test_the_pyramid_ends_where_a_window_fills_the_picture() -> None:
    levels = cascade.pyramid(np.zeros((48, 96, 3), np.uint8))
    assert [level.shape[:2] for level in levels] == [
        (48, 96),
        (34, 68),
        (24, 48),
        (17, 34),
        (12, 24),
    ]


@pytest.mark.parametrize("degrees", [0, 35, -90])
def test_boxes_of_the_turned_picture_come_back_where_they_were(degrees: float) -> None:
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[60:64, 220:224] = 255
    turned = np.asarray(Image.fromarray(picture).rotate(degrees, expand=True))
    rows, columns = np.nonzero(turned[..., 0] > 127)
    spot = np.array([columns.mean() + 0.5, rows.mean() + 0.5]) - np.divide(turned.shape[1::-1], 2)
    box = np.concatenate([spot - 6, spot + 6])[np.newaxis]
    centres, edges = cascade.unturned(box, degrees, [picture])
    np.testing.assert_allclose(centres, [[222, 62]], atol=0.6)
    angle = math.radians(degrees)
    np.testing.assert_allclose(edges, [[12 * math.cos(angle), 12 * math.sin(angle)]], atol=1e-9)


def test_points_are_placed_in_their_square() -> None:
    points = np.array([[0, 1, 0.5, 0, 1, 0, 0, 0.5, 1, 1]])  # the corners and the middle
    centres, edges = np.array([[50.0, 60.0]]), np.array([[0.0, 20.0]])  # right is down
    places = cascade.placed(points, centres, edges)
    assert places.tolist() == [[[60, 50], [60, 70], [50, 60], [40, 50], [40, 70]]]


def test_the_square_for_a_closer_look_turns_with_the_face() -> None:
    upright = np.array([[-10, 0], [10, 0], [0, 10], [-8, 24], [8, 24]], float)
    centres, edges = cascade.upright_squares(upright[np.newaxis] + [50, 60])
    side = 24 / cascade.EYES_TO_MOUTH
    np.testing.assert_allclose(edges, [[side, 0]], atol=1e-9)
    np.testing.assert_allclose(centres, [[50, 72 - cascade.FACE_BELOW * side]])
    turn = np.array([[0, 1], [-1, 0]])  # of rows: right becomes down, down becomes left
    _, edges = cascade.upright_squares(upright[np.newaxis] @ turn)
    np.testing.assert_allclose(edges, [[0, side]], atol=1e-9)
    assert np.isfinite(cascade.upright_squares(np.zeros((1, 5, 2)))[1]).all()


@pytest.mark.slow
def test_faces_on_their_side_and_small_ones_are_found() -> None:
    portrait = np.asarray(Image.fromarray(draw_portrait(3, 0)[0]).resize((160, 160)))
    picture = np.pad(portrait, ((200, 100), (300, 40), (0, 0)), constant_values=120)
    points, scores = cascade.search(picture)
    assert len(scores) == 1 and scores[0] > 0.9
    sideways, _ = cascade.search(np.ascontiguousarray(np.rot90(picture)))
    # A quarter turn counterclockwise takes (x, y) to (y, width - x).
    expected = np.stack([points[..., 1], picture.shape[1] - points[..., 0]], axis=-1)
    np.testing.assert_allclose(sideways, expected, atol=4)
    assert cascade.search(np.zeros((11, 200, 3), np.uint8))[0].shape == (0, 5, 2)


@pytest.mark.slow
def test_networks_draw_nothing_and_come_from_the_package(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pnet.lz4").write_bytes(b"not weights")
    random.seed(1)
    state = random.getstate()
    assert cascade.load_stage("PNet").model.count_params() == 6_632
    assert random.getstate() == state
