"""Recipes, presets and the flags made from them."""

import argparse
import dataclasses
import hashlib
import json
import math

import pytest

from kerasgan import recipes
from kerasgan.errors import UserError
from kerasgan.growth import Stage
from kerasgan.recipes import PRESETS, Recipe
from kerasgan.recipes.clashes import CLASHES


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
    assert (article.grid_every, article.iters) == (50, 20_000)


# Sha256 of all fields but those about checkpoints, as JSON by name, the first 16 digits: a preset
# that changes makes other pictures under the same name.
FIGURES = {
    "article": "f68bda40bcf26120",
    "article-lite": "31dceeb0e4a4bcd5",
    "dcgan": "a3a9dfd59eb5bf29",
    "fast": "6ae89147b8d12b89",
    "mlp": "027b993859da33aa",
    "progressive": "7416e9d162502ae7",
    "conditional": "a3c3885156e9c7fe",
}


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_keep_their_figures(name):
    figures = dataclasses.asdict(PRESETS[name])
    checkpoints = figures.pop("checkpoint_every"), figures.pop("checkpoint_minutes")
    assert checkpoints == (0, 5.0)
    assert figures.pop("d_width") == 1.0
    text = json.dumps(figures, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == FIGURES[name]


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
        ("article", {"augment": "1.5"}, "a probability from 0 to 1"),
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


def augment_of(recipe, pictures):
    return recipes.resolve(recipe, precision="float32", pictures=pictures).augment


def test_augmentation_by_how_often_a_picture_is_seen():
    """1,000 iterations of 128 pictures: how many pictures there are says how often each is."""
    recipe = dataclasses.replace(PRESETS["dcgan"], augment="auto", iters=1000)
    augments = [augment_of(recipe, count) for count in (10, 128_000 // 1_500, 128_000 // 20, 10**7)]
    assert augments == ["1.00", "1.00", "none", "none"]
    # 173 times, half way between 20 and 1,500 by their logarithms.
    assert augment_of(recipe, 739) == "0.50"
    twice = dataclasses.replace(recipe, iters=2000)
    assert augment_of(twice, 2 * 739) == "0.50"
    assert augment_of(PRESETS["dcgan"], 100) == "none"


def test_fast_moves_what_d_sees_of_a_small_set_only():
    augments = [augment_of(PRESETS["fast"], count) for count in (2_201, 10_000)]
    assert augments == ["0.30", "none"]


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


# A preset, what is typed beside it, and what is then said: a case for each row of the table.
APART = "`--simultaneous` takes G's slopes from D's update"
CASES = [
    ("article", {"loss": "hinge"}, "`--label-noise` is for losses with labels: bce, saturating, "
     "lsgan. Received: 0.05 with --loss hinge. Type --label-noise 0."),
    ("dcgan", {"loss": "wgan", "label_smoothing": 0.1}, "`--label-smoothing` is for losses with "
     "labels: bce, saturating, lsgan. Received: 0.1 with --loss wgan. Type --label-smoothing 0."),
    ("dcgan", {"loss": "relativistic", "label_flips": 0.2}, "`--label-flips` is for losses with "
     "labels: bce, saturating, lsgan. Received: 0.2 with --loss relativistic. Type --label-flips "
     "0."),
    ("mlp", {"loss": "wgan", "gp": 10.0}, "`--loss wgan` bounds D by clipping, wgan-gp by the "
     "penalty. Received: --loss wgan with --gp 10.0. Type --loss wgan-gp."),
    ("mlp", {"loss": "wgan"}, "`--loss wgan` should come with a bound on D's slope. Received: "
     "none. Type --clip-weights 0.01, --spectral-norm, or --loss wgan-gp --gp 10."),
    ("mlp", {"loss": "wgan-gp"}, "`--loss wgan-gp` should come with its penalty. Received: --gp 0. "
     "Type --gp 10."),
    ("mlp", {"clip_weights": 0.01}, "`--clip-weights` is how --loss wgan bounds D; other losses "
     "want D free. Received: 0.01 with --loss bce. Type --clip-weights 0."),
    ("mlp", {"loss": "wgan", "clip_weights": 0.01, "spectral_norm": True}, "`--clip-weights` and "
     "`--spectral-norm` both bound D, and undo each other. Received: both. Type --clip-weights 0 "
     "or --no-spectral-norm."),
    ("mlp", {"gp": 1.0, "r2": 0.5}, "`--gp` draws D's slope to 1, `--r1` and `--r2` draw it to 0. "
     "Received: --r2 0.5, --gp 1.0. Type --gp 0, or --r1 0 --r2 0."),
    ("dcgan", {"r1": 1.0, "r2": 2.0}, "A penalty is on D's slope at one picture, which BatchNorm "
     "mixes with the others of the batch. Received: --r1 1.0, --r2 2.0 with --d-batch-norm. Type "
     "--no-d-batch-norm."),
    ("dcgan", {"spectral_norm": True}, "`--spectral-norm` bounds the scale of D's layers, which "
     "BatchNorm sets anew. Received: both. Type --no-d-batch-norm or --no-spectral-norm."),
    ("mlp", {"stages": "4:5,8:5+rest"}, "`--stages` is for the network that grows. Received: "
     "4:5,8:5+rest with --network mlp. Type --network progressive."),
    ("progressive", {"stages": "4:5,8:5+rest"}, "`--stages` should end with --size. Received: 8 as "
     "the last, with --size 64. Type --stages auto to see 64 reached."),
    ("progressive", {"stages": "4:1000,8:5+rest", "size": 8, "iters": 1000}, "`--iters` should be "
     "more than the stages before the last take. Received: 1,000, with 1,000. Type --iters 2000, "
     "or shorter --stages."),
    ("progressive", {"conditions": "Male"}, "`--conditions` steer networks that keep their size. "
     "Received: Male with --network progressive. Type --preset conditional."),
    ("progressive", {"g_batch_norm": True}, "`--network progressive` normalises each pixel by "
     "itself, and D compares the pictures of a batch, which BatchNorm undoes. Received: "
     "--g-batch-norm. Type --no-g-batch-norm."),
    ("progressive", {"d_batch_norm": True, "r1": 0.0}, "`--network progressive` normalises each "
     "pixel by itself, and D compares the pictures of a batch, which BatchNorm undoes. Received: "
     "--d-batch-norm. Type --no-d-batch-norm."),
    ("progressive", {"init_std": 0.02}, "`--network progressive` draws weights of standard "
     "deviation 1 and scales them in use. Received: --init-std 0.02. Type --init-std 0."),
    ("progressive", {"separate_batches": False}, "D of `--network progressive` looks at how much "
     "the pictures of a batch differ, which mixed batches hide. Received: --no-separate-batches. "
     "Type --separate-batches."),
    ("progressive", {"batch_size": 1}, "D of `--network progressive` looks at how much the "
     "pictures of a batch differ, for which there should be two or more. Received: --batch-size 1. "
     "Type --batch-size 2."),
    ("mlp", {"simultaneous": True, "loss": "saturating"}, f"{APART}, which those losses allow: "
     "bce, relativistic. Received: --loss saturating. Type --no-simultaneous."),
    ("fast", {"n_critic": 2}, f"{APART}, of which there should be one. Received: --n-critic 2. "
     "Type --n-critic 1."),
    ("dcgan", {"simultaneous": True}, f"{APART}, in which each logit should depend on its own "
     "picture. Received: a D that compares the pictures of a batch. Type --no-simultaneous."),
    ("fast", {"precision": "float16"}, f"{APART}, which may be too small for float16. Received: "
     "--precision float16. Type --precision bfloat16 or float32."),
    ("mlp", {"on_collapse": "stop"}, "`--on-collapse` goes by evaluations. Received: stop without "
     "any. Type --evaluate-every 500."),
    ("mlp", {"patience": 3}, "`--patience` goes by evaluations. Received: 3 without any. Type "
     "--evaluate-every 500."),
    ("dcgan", {"momentum": 0.9}, "`--momentum` is for rmsprop and sgd; Adam's is --beta1. "
     "Received: 0.9 with --optimizer adam. Type --momentum 0."),
    ("dcgan", {"fakes_training": False}, "`--reuse-fakes` needs fakes drawn as G's update draws "
     "them. Received: --no-fakes-training. Type --fakes-training."),
    ("mlp", {"loss": "lsgan", "augment": "ada"}, "`--augment ada` reads the sign of D's logits, a "
     "verdict in the losses bce, saturating, hinge only. Received: --loss lsgan. Type --augment "
     "auto."),
    ("fast", {"batch_size": 1}, "`--energy` goes by how the colours in a batch differ, for which "
     "there should be two pictures or more. Received: --batch-size 1 with --energy 10. Type "
     "--batch-size 2 or --energy 0."),
    ("mlp", {"checkpoint_minutes": 0.0}, "Checkpoints should be written on the way, by iterations "
     "or by minutes. Received: --checkpoint-every 0 with --checkpoint-minutes 0. Type "
     "--checkpoint-minutes 5."),
]  # fmt: skip


@pytest.mark.parametrize(("preset", "typed", "message"), CASES)
def test_each_clash_has_its_message(preset, typed, message):
    with pytest.raises(UserError) as error:
        dataclasses.replace(PRESETS[preset], **typed)
    assert str(error.value) == message


def test_every_row_of_clashes_is_reached():
    """By its own case, before any other row."""
    reached = []
    for preset, typed, _ in CASES:
        refused = object.__new__(Recipe)  # past the checks
        vars(refused).update(dataclasses.asdict(PRESETS[preset]) | typed)
        reached.append(next(clash for clash in CLASHES if clash.wrong(refused)))
    assert reached == list(CLASHES)


def test_losses_bring_along_what_their_traits_say():
    """Those of the papers, and what a loss has no use for."""
    no_labels = {"label_noise": 0.0, "label_smoothing": 0.0, "label_flips": 0.0}
    no_slope, apart = {"r1": 0.0, "r2": 0.0}, {"simultaneous": False}
    wgan = {**no_labels, **no_slope, **apart, "n_critic": 5}
    assert {name: traits.companions for name, traits in recipes.LOSS_TRAITS.items()} == {
        "bce": {},
        "saturating": apart,
        "lsgan": apart,
        "wgan": {**wgan, "clip_weights": 0.01},
        "wgan-gp": {**wgan, "gp": 10.0, "penalty_every": 1, "d_batch_norm": False},
        "hinge": {**no_labels, **apart},
        "relativistic": no_labels,
    }


def test_help_says_what_a_loss_brings_and_which_sizes_a_network_has():
    parser = argparse.ArgumentParser()
    recipes.add_flags(parser)
    text = " ".join(parser.format_help().replace("-\n", "-").split()).replace("- ", "-")
    assert "wgan --clip-weights 0.01 --n-critic 5, wgan-gp --gp 10 --penalty-every 1" in text
    assert "all but bce and relativistic --no-simultaneous" in text
    assert "dcgan, fast: 32, 64, 128 or 256; mlp: from 8 to 128; progressive: a power of 2" in text


def test_all_that_is_auto_is_resolved_at_once():
    auto = dataclasses.replace(
        PRESETS["progressive"], augment="auto", size=16, iters=2500, precision="auto"
    )
    # 2,500 iterations of 16 pictures show each of 231 of them 173 times.
    known = recipes.resolve(auto, precision="bfloat16", pictures=231, classes=7)
    assert known == dataclasses.replace(
        auto, augment="0.50", stages="4:625,8:312+313,16:312+rest", precision="bfloat16"
    )
    unknown = recipes.resolve(auto, precision="bfloat16")
    assert unknown == dataclasses.replace(known, augment="none")


@pytest.mark.parametrize("preset", list(PRESETS))
def test_what_is_resolved_stays(preset):
    once = recipes.resolve(PRESETS[preset], precision="bfloat16", pictures=2_000, classes=3)
    assert recipes.resolve(once, precision="float16") == once
    assert recipes.resolve(once, precision="float32", pictures=9, classes=4) == once


def test_classes_are_those_of_the_pictures():
    labels = dataclasses.replace(PRESETS["mlp"], conditions="labels")
    counted = recipes.resolve(labels, precision="float32", classes=10)
    assert counted.classes == counted.condition_size == 10
    assert recipes.resolve(counted, precision="float32").classes == 10
    assert recipes.resolve(PRESETS["mlp"], precision="float32", classes=10).classes == 0


def test_texts_with_a_grammar_are_read_once():
    growing = dataclasses.replace(PRESETS["progressive"], stages="4:9,8:3+rest", size=8)
    assert growing.growth_stages == (Stage(4, 0, 0, 9), Stage(8, 9, 3, math.inf))
    assert growing.growth_stages is growing.growth_stages
    auto = dataclasses.replace(growing, stages="auto", iters=9)
    assert auto.growth_stages == (Stage(4, 0, 0, 3), Stage(8, 3, 1, math.inf))
    assert PRESETS["dcgan"].growth_stages == ()

    augmented = dataclasses.replace(PRESETS["mlp"], augment="0.25", augment_ops="color,cutout")
    assert augmented.augment_probability == 0.25
    assert augmented.augment_operations == {"color", "cutout"}
    assert PRESETS["mlp"].augment_probability == 0 and not PRESETS["mlp"].augment_operations
    ada = dataclasses.replace(augmented, augment="ada")
    assert (ada.augment_probability, len(ada.augment_operations)) == (0, 2)

    assert PRESETS["conditional"].condition_names == ("Smiling", "Male", "Eyeglasses")
    assert PRESETS["conditional"].condition_size == 3
    labels = dataclasses.replace(PRESETS["mlp"], conditions="labels", classes=4)
    assert (labels.condition_names, labels.condition_size) == ((), 4)
    assert PRESETS["mlp"].condition_names == ()


def test_what_was_read_is_no_field():
    """Of two equal recipes, one of which has been asked."""
    asked = dataclasses.replace(PRESETS["progressive"])
    assert asked.growth_stages
    assert asked == PRESETS["progressive"] and hash(asked) == hash(PRESETS["progressive"])
    assert dataclasses.asdict(asked) == dataclasses.asdict(PRESETS["progressive"])


def test_every_network_of_the_traits_can_be_built():
    from kerasgan import models

    assert tuple(models.NETWORKS) == tuple(recipes.NETWORK_TRAITS) == recipes.NETWORKS
