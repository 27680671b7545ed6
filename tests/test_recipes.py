"""Recipes, presets and the flags made from them."""

import argparse
import dataclasses
import json

import pytest

from kerasgan import recipes
from kerasgan.cli import UserError
from kerasgan.recipes import PRESETS, Recipe


def parse(*words):
    parser = argparse.ArgumentParser()
    recipes.add_flags(parser)
    return recipes.overrides(parser.parse_args(words))


def test_article_holds_the_tutorials_figures():
    article = PRESETS["article"]
    assert (article.size, article.width, article.latent_dim) == (128, 1.0, 32)
    assert (article.learning_rate, article.clipvalue, article.decay) == (1e-4, 1.0, 1e-8)
    assert (article.batch_size, article.label_noise, article.dropout) == (16, 0.05, 0.4)
    assert (article.control_latents, article.control_scale) == (36, 0.5)
    assert (article.grid_every, article.checkpoint_every, article.iters) == (50, 50, 20_000)


def test_article_lite_differs_in_size_and_width_only():
    changed = {
        field.name
        for field in dataclasses.fields(Recipe)
        if getattr(PRESETS["article"], field.name) != getattr(PRESETS["article-lite"], field.name)
    }
    assert changed == {"preset", "size", "width"}


def test_every_field_is_a_flag_and_says_why():
    parser = argparse.ArgumentParser()
    recipes.add_flags(parser)
    text = " ".join(parser.format_help().split())
    for field in dataclasses.fields(Recipe):
        if field.name == "preset":
            continue
        assert recipes.flag(field.name) in text
        assert f"default: {field.default}" in text
        assert len(field.metadata["help"]) > 15, field.name


def test_flags_carry_types_and_leave_no_trace_unless_typed():
    assert parse() == {}
    typed = parse("--iters", "7", "--learning-rate", "2e-4", "--no-frozen-d-training")
    assert typed == {"iters": 7, "learning_rate": 2e-4, "frozen_d_training": False}
    assert type(typed["iters"]) is int
    assert parse("--precision", "float32") == {"precision": "float32"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", 62),
        ("size", 24),
        ("width", 0),
        ("width", float("nan")),
        ("learning_rate", float("inf")),
        ("batch_size", 0),
        ("iters", 0),
        ("dropout", 1.0),
        ("label_noise", -0.1),
        ("precision", "float64"),
        ("seed", -1),
    ],
)
def test_a_value_out_of_range_is_named_with_its_rule(field, value):
    with pytest.raises(UserError) as error:
        dataclasses.replace(PRESETS["article"], **{field: value})
    assert f"`{recipes.flag(field)}` should be" in str(error.value)
    assert f"Received: {value}" in str(error.value)


def test_resuming_may_change_iterations_and_nothing_that_matters():
    old = PRESETS["article"]
    assert recipes.refused_changes(old, dataclasses.replace(old, iters=30_000)) == []
    assert recipes.refused_changes(old, dataclasses.replace(old, grid_every=10)) == []
    changes = recipes.refused_changes(old, dataclasses.replace(old, seed=3, batch_size=8))
    assert changes == ["--batch-size 16 -> 8", "--seed 0 -> 3"]


def test_a_recipe_survives_json():
    recipe = dataclasses.replace(PRESETS["article-lite"], learning_rate=3.3e-5, seed=9)
    assert Recipe(**json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe
