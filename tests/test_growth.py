"""The stages of a growing training, by hand."""

import dataclasses
import math

import pytest

from kerasgan import growth, recipes
from kerasgan.errors import UserError
from kerasgan.growth import Stage
from kerasgan.recipes import PRESETS


def test_stages_follow_one_another():
    assert growth.parse("4:100,8:50+60,16:40+rest") == (
        Stage(4, 0, 0, 100),
        Stage(8, 100, 50, 210),
        Stage(16, 210, 40, math.inf),
    )


def test_stage_and_alpha_are_functions_of_the_iterations_done():
    stages = growth.parse("4:2,8:4+1,16:2+rest")
    told = [(s.side, s.alpha(done)) for done in range(10) for s in [growth.stage_at(stages, done)]]
    assert told == [
        *[(4, 1.0)] * 2,
        *[(8, 0.25), (8, 0.5), (8, 0.75), (8, 1.0), (8, 1.0)],
        *[(16, 0.5), (16, 1.0), (16, 1.0)],
    ]


def test_a_stage_without_iterations_is_passed_over():
    stages = growth.parse("4:0,8:0+0,16:0+rest")
    assert growth.stage_at(stages, 0).side == 16 and growth.stage_at(stages, 0).alpha(0) == 1


@pytest.mark.parametrize(
    ("size", "iters", "stages"),
    [
        (64, 12_000, "4:2000,8:1000+1000,16:1000+1000,32:1000+1000,64:1000+rest"),
        (16, 21, "4:5,8:2+3,16:2+rest"),
        (8, 7, "4:2,8:1+rest"),
        (64, 3, "4:0,8:0+0,16:0+0,32:0+0,64:0+rest"),
    ],
)
def test_stages_are_spread_over_the_training(size, iters, stages):
    assert growth.spread(size, iters) == stages
    assert growth.parse(stages)[-1].start < iters


@pytest.mark.parametrize(
    "text",
    [
        *("", "4", "rest", "4:5", "4:5,8:rest,", "4:5,8:1+2", "4:rest,8:1+rest", "4:-1,8:1+rest"),
        *("8:5,16:1+rest", "4:5,16:1+rest", "4:1+5,8:1+rest", "4:5;8:1+rest", "4:5,8:1+x"),
    ],
)
def test_what_is_no_growth_is_refused_in_one_line(text):
    with pytest.raises(UserError, match="`--stages` should be auto or SIDE:FADE") as error:
        changed(stages=text)
    assert "\n" not in str(error.value) and growth.WORDS in str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stages": "4:5,8:5+rest"}, "--stages` should end with --size. Received: 8"),
        ({"stages": "4:9,8:9+9,16:9+rest", "size": 16, "iters": 27}, "--iters` should be more"),
        ({"size": 48}, "a power of 2 from 8 to 1024"),
        ({"g_batch_norm": True}, "Received: --g-batch-norm"),
        ({"d_batch_norm": True}, "--no-d-batch-norm"),
        ({"conditions": "Smiling"}, "Received: Smiling with --network progressive"),
        ({"separate_batches": False}, "Type --separate-batches"),
        ({"init_std": 0.02}, "Type --init-std 0"),
        ({"batch_size": 1}, "Type --batch-size 2"),
    ],
)
def test_what_does_not_go_with_growing_is_refused(changes, words):
    with pytest.raises(UserError) as error:
        changed(**changes)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_stages_are_for_the_network_that_grows():
    with pytest.raises(UserError, match="Type --network progressive"):
        dataclasses.replace(PRESETS["dcgan"], stages="4:5,8:5+5,16:1+1,32:1+1,64:1+rest")


def test_stages_are_settled_once():
    """More iterations later lengthen the last stage and change no other."""
    begun = resolved(changed(iters=600))
    assert begun.stages == "4:100,8:50+50,16:50+50,32:50+50,64:50+rest"
    longer = dataclasses.replace(begun, iters=900)
    assert resolved(longer).stages == begun.stages
    assert recipes.refused_changes(begun, longer) == []
    assert resolved(PRESETS["dcgan"]).stages == "auto"


def resolved(recipe):
    return recipes.resolve(recipe, precision="float32")


def changed(**changes):
    return dataclasses.replace(PRESETS["progressive"], **changes)
