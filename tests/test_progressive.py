"""Networks that grow: what they draw and judge, what each stage trains, going on inside one."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from test_train import assert_same_run

from kerasgan import dry_run, models, pace, saved, train
from kerasgan.backend import keras, tf
from kerasgan.errors import UserError
from kerasgan.gan import GAN
from kerasgan.models import parts, progressive
from kerasgan.recipes import PRESETS
from kerasgan.recorder import Recorder
from kerasgan.runs import Run

STAGES = "4:2,8:2+2,16:2+rest"  # iterations 1-2, 3-6, 7-


@pytest.fixture
def growing():
    """A recipe that grows to 16x16 in a few iterations."""
    return dataclasses.replace(
        PRESETS["progressive"],
        **{"size": 16, "width": 1 / 64, "latent_dim": 8, "batch_size": 4, "precision": "float32"},
        **{"stages": STAGES, "iters": 12, "penalty_every": 2},
    )


@pytest.fixture
def reals():
    return np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 3)).astype(np.float32)


@pytest.fixture
def latents():
    return np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32)


def enlarged(pictures, times):
    return np.asarray(pictures).repeat(times, axis=1).repeat(times, axis=2)


def shrunk(pictures, times):
    count, side, _, channels = pictures.shape
    blocks = pictures.reshape(count, side // times, times, side // times, times, channels)
    return blocks.mean(axis=(2, 4))


def begin(recipe):
    """Networks with the stage that trains them; D's biases are moved away from 0."""
    generator, discriminator = models.build_generator(recipe), models.build_discriminator(recipe)
    for weight in discriminator.trainable_weights:
        weight.assign(weight + 0.1)
    return generator, discriminator, models.Growing(recipe, [generator], discriminator)


def test_a_picture_fades_from_the_size_below_to_its_own(growing, latents):
    generator = models.build_generator(growing)
    below = progressive.generator_at(generator, 4)(latents).numpy()
    stage = progressive.generator_at(generator, 8)
    own = keras.Model(generator.input, generator.get_layer("to_rgb8").output)(latents).numpy()
    alpha = stage.get_layer("fade").alpha

    alpha.assign(0.0)
    np.testing.assert_array_equal(stage(latents), enlarged(below, 2))
    alpha.assign(1.0)
    np.testing.assert_allclose(stage(latents), np.tanh(own), atol=1e-6)
    alpha.assign(0.25)
    blended = np.tanh(0.75 * enlarged(np.arctanh(below), 2) + 0.25 * own)
    np.testing.assert_allclose(stage(latents), blended, atol=1e-5)


def test_a_verdict_fades_from_the_size_below_to_its_own(growing, reals):
    generator, discriminator, stages = begin(growing)
    halved = shrunk(reals, 2)
    small = progressive.logits_at(discriminator, growing, 4)
    large = progressive.logits_at(discriminator, growing, 8)
    alpha = discriminator.get_layer("fade8").alpha

    alpha.assign(0.0)
    np.testing.assert_array_equal(large(halved), small(shrunk(halved, 2)))
    alpha.assign(1.0)
    alone = large(halved).numpy()
    for layer, changes in (("from_rgb4", False), ("outer8", True)):
        kernel = discriminator.get_layer(layer).kernel
        kernel.assign(kernel + 1.0)
        assert np.array_equal(alone, large(halved)) is not changes, layer


@pytest.mark.parametrize(("done", "side"), [(0, 4), (2, 8), (4, 8), (6, 16), (11, 16)])
def test_full_size_networks_draw_and_judge_as_the_stage(growing, reals, latents, done, side):
    generator, discriminator, stages = begin(growing)
    stages.enter(done)
    assert stages.stage.side == side
    pictures = stages.generator(latents).numpy()
    assert pictures.shape == (4, side, side, 3)
    np.testing.assert_allclose(generator(latents), enlarged(pictures, 16 // side), atol=1e-6)
    logits = stages.logits(shrunk(reals, 16 // side)).numpy()
    full = models.logits_of(discriminator)(reals).numpy()
    np.testing.assert_allclose(full, logits, rtol=1e-4, atol=1e-5)


def test_reals_are_halved_to_the_stage_and_faded(growing, reals):
    stages = begin(growing)[2]
    np.testing.assert_allclose(stages.seen(reals), shrunk(reals, 4), atol=1e-6)
    stages.enter(2)  # the first of two iterations in which 8x8 fades in
    fine, coarse = shrunk(reals, 2), enlarged(shrunk(reals, 4), 2)
    np.testing.assert_allclose(stages.seen(reals), (fine + coarse) / 2, atol=1e-6)
    stages.enter(11)
    np.testing.assert_array_equal(stages.seen(reals), reals)


def test_features_of_a_pixel_have_one_length():
    inputs = keras.Input((1, 1, 4))
    layer = progressive._normal(parts.Parts(_float32(), "generator"))
    outputs = keras.Model(inputs, layer(inputs))(np.reshape([3.0, 0.0, 0.0, -4.0], (1, 1, 1, 4)))
    expected = np.array([0.6, 0, 0, -0.8]) * 2**0.5 / 3
    np.testing.assert_allclose(np.ravel(outputs), expected, rtol=1e-5, atol=1e-7)


def test_batch_deviation_is_a_channel_of_its_own():
    pair = np.zeros((2, 1, 1, 2), np.float32)
    pair[1, 0, 0] = 2.0, 6.0  # deviations 1 and 3
    outputs = progressive.BatchDeviation()(pair).numpy()
    np.testing.assert_array_equal(outputs[..., :2], pair)
    np.testing.assert_allclose(outputs[..., 2], 2.0, rtol=1e-6)


def test_scaled_convolution_divides_by_the_number_of_inputs():
    layer = parts.ScaledConv2D(1, 2, kernel_initializer="ones", bias_initializer="ones")
    outputs = layer(np.ones((1, 2, 2, 8), np.float32))
    np.testing.assert_allclose(np.ravel(outputs), [32 * (2 / 32) ** 0.5 + 1], rtol=1e-6)


def _float32():
    return dataclasses.replace(PRESETS["progressive"], precision="float32")


def weights_of(gan):
    """Trained weights by network and layer, flattened together."""
    return {
        f"{network.name}/{layer.name}": np.concatenate([np.ravel(w) for w in layer.get_weights()])
        for network in (gan.generator, gan.discriminator)
        for layer in network.layers
        if layer.trainable_weights
    }


def moved(gan, reals, iterations):
    before = weights_of(gan)
    for _ in range(iterations):
        gan.train_on_batch(reals)
    return {n for n, w in weights_of(gan).items() if not np.array_equal(w, before[n])}


def layers_by_size(gan):
    """Names of G's and D's layers with trained weights, by the side that they come in with."""
    sides = {4: set(), 8: set(), 16: set()}
    for name in weights_of(gan):
        network, layer = name.split("/")
        if network == "discriminator":
            digits = layer.lstrip("abcdefghijklmnopqrstuvwxyz_")
            side = int(digits) if digits else 4
        else:
            shape = gan.generator.get_layer(layer).output.shape
            side = shape[1] if len(shape) == 4 else 4
        sides[side].add(name)
    return sides


def test_each_stage_trains_its_own_layers_and_those_below(growing, reals, eagerly):
    gan = GAN(growing)
    of = layers_by_size(gan)
    assert all(of.values())
    assert moved(gan, reals, 2) == of[4]
    assert moved(gan, reals, 2) == of[4] | of[8], "fading in"
    beside = {"generator/to_rgb4", "discriminator/from_rgb4"}
    assert moved(gan, reals, 2) == (of[4] | of[8]) - beside, "faded in"
    assert moved(gan, reals, 2) == (of[4] | of[8] | of[16]) - beside, "the next fading in"


def test_iterations_report_size_and_alpha_and_compile_once_a_stage(growing, reals):
    changes = {"size": 8, "stages": "4:2,8:2+rest", "r1": 0.0, "ema": 0.0}
    gan = GAN(dataclasses.replace(growing, **changes))
    steps, told = [], []
    for _ in range(5):
        scalars = gan.train_on_batch(shrunk(reals, 2))
        told.append((scalars["side"], scalars["alpha"]))
        assert gan.compiled_step.experimental_get_tracing_count() == 1
        steps.append(gan.compiled_step)
    assert told == [(4, 1.0), (4, 1.0), (8, 0.5), (8, 1.0), (8, 1.0)]
    assert len(set(map(id, steps))) == 2


def test_clipping_reaches_the_layers_of_stages_to_come(growing, reals, eagerly):
    limit = {"loss": "wgan", "clip_weights": 0.5, "r1": 0.0}
    gan = GAN(dataclasses.replace(growing, **limit))
    later = [w for w in gan.discriminator.trainable_weights if "inner16/kernel" in w.path]
    assert [np.abs(weight.numpy()).max() > 0.5 for weight in later] == [True]
    gan.train_on_batch(reals)
    assert gan.growing.stage.side == 4
    assert [np.abs(weight.numpy()).max() for weight in later] == [0.5]


def test_average_and_optimizers_begin_anew_with_a_stage(growing, reals, eagerly):
    gan = GAN(growing)
    for _ in range(2):
        gan.train_on_batch(reals)
    before = gan.ema_generator.get_weights()
    gan.train_on_batch(reals)
    assert int(gan.generator_optimizer.iterations) == 1
    assert int(gan.discriminator_optimizer.iterations) == 1
    for old, average, weight in zip(
        before, gan.ema_generator.weights, gan.generator.weights, strict=True
    ):
        if average.path.startswith("size_weights"):
            np.testing.assert_array_equal(np.ravel(average), [0.5, 0.5, 0.0])
        else:  # a memory of (1 + 0) / (5 + 0)
            expected = 0.8 * weight.numpy() + 0.2 * old
            np.testing.assert_allclose(average.numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"precision": "bfloat16", "augment": "0.5", "instance_noise": 0.1},
        {"precision": "float16", "ema": 0.0, "dropout": 0.3, "energy": 1.0},
        {"spectral_norm": True, "loss": "hinge", "r1": 0.0, "augment": "ada"},
        {"loss": "wgan-gp", "r1": 0.0, "gp": 10.0, "penalty_every": 1, "n_critic": 2},
        {"loss": "relativistic", "r2": 1.0, "channels": 1, "reuse_fakes": False, "energy": 1.0},
    ],
)
def test_other_tricks_go_with_growing(growing, reals, eagerly, changes):
    gan = GAN(dataclasses.replace(growing, stages="4:1,8:2+1,16:2+rest", **changes))
    real = np.tile(reals[..., : gan.recipe.channels], (gan.recipe.n_critic, 1, 1, 1))
    told = [gan.train_on_batch(real) for _ in range(6)]  # with penalties in 1, 3 and 5
    assert np.isfinite([[*scalars.values()] for scalars in told]).all()
    assert told[-1]["side"] == 16
    assert all(np.isfinite(weight).all() for weight in gan.shown_generator.get_weights())


def words(faces_folder, tmp_path, *more):
    small = "--preset progressive --size 16 --width 0.016 --latent-dim 8 --batch-size 4"
    often = "--grid-every 3 --checkpoint-every 2 --control-latents 4 --precision float32"
    where = ["--data", str(faces_folder), "--cache", str(tmp_path / "cache")]
    return [*small.split(), *often.split(), *where, *map(str, more)]


UNCOMPILED = ["--size", 8, "--stages", "4:1,8:4+rest", "--iters", 6, "--out"]


@pytest.fixture(scope="module")
def whole(drawn_faces, tmp_path_factory):
    """A run without a stop, uncompiled."""
    folder = tmp_path_factory.mktemp("whole")
    tf.config.run_functions_eagerly(True)
    assert train.main(words(drawn_faces, folder, *UNCOMPILED, folder / "run")) == 0
    tf.config.run_functions_eagerly(False)
    return Run(folder / "run")


@pytest.mark.parametrize(
    "iteration", [3, pytest.param(5, marks=pytest.mark.slow)], ids=["fade", "steady"]
)
def test_resumed_inside_a_stage_equals_one_run(
    whole, faces_folder, tmp_path, eagerly, monkeypatch, iteration
):
    parts = Run(tmp_path / "parts")
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "record", failing_after(iteration))
        assert train.main(words(faces_folder, tmp_path, *UNCOMPILED, parts.folder)) == 130
    assert parts.read_log()[-1].scalars["alpha"] == {3: 0.5, 5: 1.0}[iteration]
    cache = ["--cache", str(tmp_path / "cache")]
    assert train.main(["--resume", str(parts.folder), *cache]) == 0
    assert_same_run(whole, parts)
    assert [(x.scalars["side"], x.scalars["alpha"]) for x in whole.read_log()] == [
        *[(4, 1.0), (8, 0.25), (8, 0.5), (8, 0.75), (8, 1.0), (8, 1.0)],
    ]


def failing_after(last):
    """`Recorder.record` that ends the training without a save after an iteration."""
    record = Recorder.record

    def recorded(self, iteration, scalars):
        response = record(self, iteration, scalars)
        if iteration == last:
            raise KeyboardInterrupt
        return response

    return recorded


COPYING = """
import shutil, sys
from kerasgan import train
from kerasgan.recorder import Recorder
def record(self, iteration, scalars):
    response = noted(self, iteration, scalars)
    shutil.copytree(self.run.folder, f"{self.run.folder}-{iteration}")
    return response
noted, Recorder.record = Recorder.record, record
raise SystemExit(train.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def copied(drawn_faces, tmp_path_factory):
    """A run's folder and, by iteration, copies of it.

    What another process sees of the folder at any moment is what a kill then leaves.
    """
    whole = Run(tmp_path_factory.mktemp("runs") / "whole")
    more = ["--stages", "4:2,8:3+3,16:4+rest", "--iters", 14, "--out", whole.folder]
    command = [sys.executable, "-c", COPYING, *words(drawn_faces, whole.folder.parent, *more)]
    subprocess.run(command, check=True, capture_output=True)
    return lambda iteration: Run(f"{whole.folder}-{iteration}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("iteration", "last"),
    [(5, 8), (7, 14), (9, 14), (11, 14)],
    ids=["fade", "steady", "edge", "fade"],
)
def test_killed_anywhere_and_resumed_equals_one_run(copied, monkeypatch, iteration, last):
    killed = copied(iteration)
    assert len(killed.read_log()) == iteration
    monkeypatch.setattr(Recorder, "record", failing_after(last))  # which has saved then
    cache = ["--cache", str(killed.folder.parent / "cache")]
    assert train.main(["--resume", str(killed.folder), *cache]) == 130
    assert_same_run(copied(last), killed)


OPENING = """
import sys, numpy as np, keras
generator = keras.models.load_model(sys.argv[1])
latents = np.random.default_rng(1).normal(size=(4, 8)).astype("f")
np.save(sys.argv[2], generator(latents))
assert not [name for name in sys.modules if name.startswith("kerasgan")]
"""


def test_the_saved_generator_opens_alone_at_full_size(growing, reals, latents, eagerly, tmp_path):
    gan = GAN(growing)
    recorder = Recorder(gan, Run(tmp_path))
    with recorder:
        for _ in range(3):  # into the fade of 8x8
            gan.train_on_batch(reals)
        recorder.save()
    file, drawn = tmp_path / "generator.keras", tmp_path / "drawn.npy"
    subprocess.run([sys.executable, "-c", OPENING, file, drawn], check=True, cwd=tmp_path)
    stage = progressive.generator_at(gan.ema_generator, 8)
    stage.get_layer("fade").alpha.assign(0.5)
    np.testing.assert_allclose(np.load(drawn), enlarged(stage(latents), 2), atol=1e-5)
    loaded = saved.load(tmp_path).model
    assert loaded.output_shape == (None, 16, 16, 3) and loaded.input_shape == (None, 8)
    np.testing.assert_allclose(loaded(latents), np.load(drawn), atol=1e-5)


def test_the_pace_is_taken_anew_in_each_stage(growing, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(pace.time, "perf_counter", lambda: now[0])
    recipe = dataclasses.replace(growing, stages="4:20,8:20+20,16:20+rest", iters=1060)
    clock = pace.Clock(0, recipe, quiet=False)
    scalars = dict.fromkeys(("d_loss", "a_loss", "d_real", "d_fake"), 0.5)
    said = {}
    for iteration in range(1, 80):
        now[0] += 1.0 if iteration <= 20 else 2.0 if iteration <= 60 else 4.0
        stage = {"side": 8, "alpha": 0.5} if iteration == 30 else {"side": 8, "alpha": 1.0}
        if line := clock.tick(iteration, scalars | stage):
            said[iteration] = line
        if iteration == 30:
            state = clock.state(scalars | stage)
    assert state.endswith("2 images/s, 8x8 fading in 50%, 60 s left at this size")
    assert list(said) == [7, 27, 67]
    assert said[7].startswith("4x4: 13 iterations at 1.00 s each will take about 13 s. Larger")
    assert said[27].startswith("8x8: 33 iterations at 2.00 s each will take about 66 s. Larger")
    assert said[67] == "993 iterations at 4.00 s each will take about 66 min."


def test_a_dry_run_times_every_stage(growing, monkeypatch):
    gan = GAN(dataclasses.replace(growing, stages="4:3,8:0+0,16:2+rest", iters=10))
    seen = []
    monkeypatch.setattr(gan, "train_on_batch", lambda real: seen.append(step(gan)))
    paces = dry_run.measure_paces(gan, np.zeros((4, 16, 16, 3), np.float32))
    assert [(pace.where, pace.part.iterations) for pace in paces] == [
        (" at 4x4", 3),
        (" at 16x16", 7),
    ]
    timed = pace.WARM_UP + pace.MIN_TIMED
    assert seen == [0, 1, 2, 0, 1, 2, 0, *range(3, 3 + timed)]


def test_minutes_follow_each_stages_pace(growing):
    """Of 80 iterations 20 are at 4x4, 20 at 8x8 and 40 at 16x16: 20 + 40 + 160 s."""
    seconds = {4: 1.0, 8: 2.0, 16: 4.0}
    auto = dataclasses.replace(growing, stages="auto", iters=1)
    assert pace.seconds_of(dataclasses.replace(auto, iters=80), seconds) == 220
    assert pace.iterations_within(auto, 225 / 60, seconds) == 81
    assert pace.iterations_within(auto, 230 / 60, seconds) == 82
    # Stages that were typed keep their length, and the last one takes the rest.
    typed = dataclasses.replace(growing, stages="4:10,8:5+5,16:5+rest", iters=1000)
    assert pace.iterations_within(typed, 1, seconds) == 20 + (60 - 30) // 4
    with pytest.raises(UserError, match="before it take about 34 s. Type more, or --stages auto"):
        pace.iterations_within(typed, 0.5, seconds)


def test_minutes_of_pictures_that_keep_their_size():
    mlp = PRESETS["mlp"]
    assert pace.iterations_within(mlp, 2, {mlp.size: 0.25}) == 480
    assert pace.iterations_within(mlp, 0.001, {mlp.size: 10.0}) == 1


def test_checkpoints_by_count_and_by_time_are_reckoned():
    mlp = dataclasses.replace(PRESETS["mlp"], iters=1000)
    assert dry_run.saves(mlp, seconds=3600) == 12
    assert dry_run.saves(mlp, seconds=10) == 1
    both = dataclasses.replace(mlp, checkpoint_every=100)
    assert dry_run.saves(both, seconds=3600) == 12
    counted = dataclasses.replace(both, checkpoint_minutes=0.0)
    assert dry_run.saves(counted, seconds=3600) == 10


def step(gan):
    gan.iteration.assign_add(1)
    return int(gan.iteration) - 1


def test_the_recipe_on_disk_names_its_stages(growing, tmp_path):
    gan = GAN(dataclasses.replace(growing, stages="auto", iters=40))
    Run(tmp_path).write_recipe(gan.recipe)
    written = json.loads((tmp_path / "recipe.json").read_text())
    assert written["stages"] == "4:10,8:5+5,16:5+rest"
    assert tf.constant(gan.iteration) == 0
