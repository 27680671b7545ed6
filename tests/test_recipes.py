"""Recipes, presets and the flags made from them."""

import argparse
import dataclasses
import json

import pytest

from kerasgan import recipes
from kerasgan.errors import UserError
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
        if not field.metadata.get("flag", True):
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


@pytest.mark.parametrize(
    ("preset", "typed", "word"),
    [
        ("article", {"loss": "hinge"}, "--label-noise 0"),
        ("dcgan", {"loss": "wgan", "label_smoothing": 0.1, "clip_weights": 1.0}, "labels"),
        ("dcgan", {"loss": "relativistic", "label_flips": 0.1}, "--label-flips 0"),
        ("dcgan", {"loss": "wgan"}, "--clip-weights 0.01"),
        ("mlp", {"loss": "wgan", "gp": 10.0, "clip_weights": 0.01}, "--loss wgan-gp"),
        ("mlp", {"loss": "wgan-gp"}, "--gp 10"),
        ("dcgan", {"loss": "wgan-gp", "gp": 10.0}, "--no-d-batch-norm"),
        ("dcgan", {"r1": 1.0}, "--no-d-batch-norm"),
        ("mlp", {"clip_weights": 0.01}, "--clip-weights 0"),
        ("mlp", {"loss": "wgan", "clip_weights": 0.01, "spectral_norm": True}, "undo each other"),
        ("mlp", {"gp": 1.0, "r2": 1.0}, "--r1 0 --r2 0"),
        ("dcgan", {"spectral_norm": True}, "--no-d-batch-norm"),
        ("dcgan", {"momentum": 0.9}, "--beta1"),
        ("dcgan", {"fakes_training": False}, "--fakes-training"),
        ("mlp", {"loss": "lsgan", "augment": "ada"}, "--augment auto"),
        ("dcgan", {"size": 48}, "32, 64, 128 or 256"),
        ("mlp", {"size": 256}, "8 to 128"),
        ("article", {"augment": "1.5"}, "a share from 0 to 1"),
        ("article", {"augment_ops": "color,shear"}, "translation"),
        ("article", {"channels": 2}, "1 or 3"),
        ("article", {"loss": "vanilla"}, "one of bce, "),
    ],
)
def test_what_makes_no_sense_together_is_refused_in_one_line(preset, typed, word):
    with pytest.raises(UserError) as error:
        dataclasses.replace(PRESETS[preset], **typed)
    message = str(error.value)
    assert word in message and "Received: " in message and "\n" not in message


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("loss", recipes.LOSSES)
def test_any_loss_with_any_preset_by_its_flag_alone(preset, loss):
    recipe = recipes.apply(PRESETS[preset], parse("--loss", loss))
    assert recipe.loss == loss
    assert recipe.network == PRESETS[preset].network


def test_a_typed_loss_brings_its_papers_figures_unless_typed():
    typed = parse("--loss", "wgan-gp", "--n-critic", "2")
    recipe = recipes.apply(PRESETS["dcgan"], typed)
    assert (recipe.gp, recipe.n_critic, recipe.d_batch_norm) == (10.0, 2, False)
    assert recipe.reals_an_iteration == 2 * 128
    assert recipes.apply(PRESETS["dcgan"], parse("--loss", "bce")) == PRESETS["dcgan"]


def test_augmentation_by_how_often_a_picture_is_seen():
    """1,000 iterations of 128 pictures: how many pictures there are says how often each is."""
    recipe = dataclasses.replace(PRESETS["dcgan"], augment="auto", iters=1000)
    augments = [
        recipes.resolve_augment(recipe, count).augment
        for count in (10, 128_000 // 1_500, 128_000 // 20, 10**7)
    ]
    assert augments == ["1.00", "1.00", "none", "none"]
    # 173 times, half way between 20 and 1,500 by their logarithms.
    assert recipes.resolve_augment(recipe, 739).augment == "0.50"
    twice = dataclasses.replace(recipe, iters=2000)
    assert recipes.resolve_augment(twice, 2 * 739).augment == "0.50"
    assert recipes.resolve_augment(PRESETS["dcgan"], 100) == PRESETS["dcgan"]


def test_fast_moves_what_d_sees_of_a_small_set_only():
    shares = [recipes.resolve_augment(PRESETS["fast"], n).augment for n in (2_201, 10_000)]
    assert shares == ["0.30", "none"]


def test_dcgan_holds_the_pytorch_tutorials_figures():
    dcgan = PRESETS["dcgan"]
    assert (dcgan.size, dcgan.latent_dim, dcgan.batch_size, dcgan.width) == (64, 100, 128, 1.0)
    assert (dcgan.optimizer, dcgan.learning_rate, dcgan.beta1, dcgan.beta2) == (
        *("adam", 2e-4, 0.5, 0.999),
    )
    assert dcgan.separate_batches and dcgan.reuse_fakes and dcgan.leaky_slope == 0.2
    assert dcgan.label_noise == dcgan.dropout == dcgan.decay == dcgan.clipvalue == 0


def test_help_comes_in_groups():
    parser = argparse.ArgumentParser()
    recipes.add_flags(parser)
    text = parser.format_help()
    places = [text.index(f"recipe: {group}") for group in recipes.GROUPS]
    assert places == sorted(places)
    assert text.index("--n-critic", places[1]) < places[2]
