"""When checkpoints are written, what is said of numbers that are not finite, what events hold."""

import dataclasses
import math

import numpy as np
import pytest

from kerasgan import recorder as recording
from kerasgan.backend import keras, tf
from kerasgan.checkpoints import Checkpoints
from kerasgan.errors import UserError
from kerasgan.gan import GAN
from kerasgan.recorder import Recorder
from kerasgan.runs import Run

SCALARS = {"d_loss": 0.5, "a_loss": 0.25, "d_accuracy": 0.5}


@pytest.fixture
def gan(tiny):
    """Of a recipe without checkpoints; a test says which are due."""
    seldom = {"grid_every": 1000, "control_latents": 4, "keep_checkpoints": 100}
    return GAN(dataclasses.replace(tiny, checkpoint_every=0, checkpoint_minutes=1e9, **seldom))


@pytest.fixture
def quickly(monkeypatch):
    """Leaves out the curves, which take long to draw."""
    monkeypatch.setattr(recording.plots, "write_losses", lambda *_: None)


def saved(run):
    return sorted(int(path.stem.split("-")[1]) for path in run.checkpoints.glob("*.index"))


def record(recorder, iteration, **more):
    recorder.gan.iteration.assign(iteration)
    return recorder.record(iteration, SCALARS | more)


@pytest.mark.parametrize(
    ("every", "minutes", "expected"),
    [
        (0, 1e9, []),
        (3, 0.0, [3, 6, 9]),
        (0, 5.0, [2, 4, 6, 8, 10]),  # three minutes an iteration
        (0, 7.5, [3, 6, 9]),
        (5, 7.5, [3, 5, 8, 10]),  # each begins the minutes anew
    ],
)
def test_checkpoints_by_count_and_by_time(gan, tmp_path, quickly, every, minutes, expected):
    gan.recipe = dataclasses.replace(gan.recipe, checkpoint_every=every, checkpoint_minutes=minutes)
    run, now = Run(tmp_path), [1000.0]
    with Recorder(gan, run, clock=lambda: now[0]) as recorder:
        for iteration in range(1, 11):
            now[0] += 180
            record(recorder, iteration)
    assert saved(run) == expected


def test_the_time_of_a_checkpoint_changes_no_number(tiny, reals, tmp_path, quickly):
    """One training with a checkpoint after each iteration, one without any until its end."""
    states = []
    for name, seconds in (("often", 1000), ("never", 0)):
        gan, now = GAN(dataclasses.replace(tiny, checkpoint_every=0)), [0.0]
        with Recorder(gan, Run(tmp_path / name), clock=lambda now=now: now[0]) as recorder:
            for iteration in (1, 2, 3):
                now[0] += seconds
                recorder.record(iteration, gan.train_on_batch(reals[:4]))
            assert saved(recorder.run) == ([1, 2, 3] if seconds else [])
        states.append([*gan.generator.get_weights(), *gan.discriminator.get_weights()])
    assert all(map(np.array_equal, *states))


def spoil(network):
    network.weights[0].assign(tf.fill(network.weights[0].shape, np.nan))


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (
            "generator",
            "Losses and weights should be finite. Received: after iteration 5 the generator has "
            "numbers that are not finite. No checkpoint was due. Train anew with a lower "
            "--learning-rate, or --precision float32.",
        ),
        (
            "discriminator",
            "Losses and weights should be finite. Received: after iteration 5 the discriminator "
            "has numbers that are not finite. No checkpoint was due. Train anew with a lower "
            "--learning-rate, or --precision float32.",
        ),
    ],
)
def test_weights_that_are_not_finite_are_never_saved(gan, tmp_path, network, sentence):
    run = Run(tmp_path)
    run.log.write_text("".join(f'{{"iteration": {i}}}\n' for i in range(1, 6)))
    gan.iteration.assign(5)
    spoil(getattr(gan, network))
    with Recorder(gan, run) as recorder, pytest.raises(UserError) as error:
        recorder.save()
    assert str(error.value) == sentence
    assert not list(run.folder.glob("checkpoints/*")) and not run.generator.exists()


def test_a_loss_that_is_not_finite_is_a_whole_sentence(gan, tmp_path, quickly):
    with Recorder(gan, Run(tmp_path)) as recorder:
        record(recorder, 7)
        recorder.save()
        with pytest.raises(UserError) as error:
            record(recorder, 8, a_loss=math.inf)
    assert str(error.value) == (
        "Losses and weights should be finite. Received: after iteration 8 a_loss is inf, which is "
        f"not finite. The last good checkpoint stays: {tmp_path}/checkpoints/iteration-7. Train "
        "anew with a lower --learning-rate, or --precision float32."
    )


class Good:
    """Stands for an evaluator that finds every picture good."""

    networks = (type("Network", (), {"name": "features"}),)
    faces_in_reals = 0.0

    def measure(self, generate, latent_dim):
        kid = {"kid_x1000": 9.0, "kid_x1000_low": 8.0, "kid_x1000_high": 10.0}
        return {"features": kid | {"diversity": 0.8}}


def test_going_back_from_weights_that_are_not_finite_is_a_whole_sentence(gan, tmp_path, quickly):
    watched = {"evaluate_every": 4, "on_collapse": "rollback", "checkpoint_every": 3}
    gan.recipe = dataclasses.replace(gan.recipe, **watched)
    with Recorder(gan, Run(tmp_path), Good()) as recorder:
        for iteration in (1, 2, 3, 4, 5):
            record(recorder, iteration)
        spoil(gan.discriminator)
        assert record(recorder, 6).lines == (
            "collapse: after iteration 6 the discriminator has numbers that are not finite. Going "
            "back to the weights of iteration 4, with 0.5 times the learning rate.",
        )
        assert all(np.isfinite(weight).all() for weight in gan.discriminator.get_weights())
        spoil(gan.generator)
        assert record(recorder, 9).lines == (
            "collapse: after iteration 9 the generator has numbers that are not finite. Going "
            "back to the weights of iteration 4, with 0.25 times the learning rate.",
        )
        assert record(recorder, 10, d_loss=math.nan).lines == (
            "collapse: after iteration 10 d_loss is nan, which is not finite. Going back to the "
            "weights of iteration 4, with 0.125 times the learning rate.",
        )


def test_going_back_from_an_optimizer_that_is_not_finite(gan, tmp_path, quickly):
    """With infinite squared gradients its steps are 0 for ever, and no loss tells of it."""
    watched = {"evaluate_every": 2, "on_collapse": "rollback", "checkpoint_every": 3}
    gan.recipe = dataclasses.replace(gan.recipe, **watched)
    with Recorder(gan, Run(tmp_path), Good()) as recorder:
        record(recorder, 1)
        record(recorder, 2)
        memory = gan.discriminator_optimizer.variables[-1]
        memory.assign(tf.fill(memory.shape, np.inf))
        assert record(recorder, 3).lines == (
            "collapse: after iteration 3 the optimizer of the discriminator has numbers that are "
            "not finite. Going back to the weights of iteration 2, with 0.5 times the learning "
            "rate.",
        )
        assert np.isfinite(memory.numpy()).all()
    assert Checkpoints(gan, Run(tmp_path).checkpoints, 3).restore() == 3


def test_the_time_does_not_decide_on_weights_that_are_not_finite(gan, tmp_path, quickly):
    """They show in the next loss, whether or not a checkpoint would have been due before."""
    gan.recipe = dataclasses.replace(gan.recipe, checkpoint_minutes=1.0)
    now = [0.0]
    with Recorder(gan, Run(tmp_path), clock=lambda: now[0]) as recorder:
        spoil(gan.generator)
        now[0] = 100.0
        assert record(recorder, 1) == recording.Response()
        with pytest.raises(UserError, match="after iteration 2 d_loss is nan"):
            record(recorder, 2, d_loss=math.nan)
    assert saved(Run(tmp_path)) == []


def overflowing(gan):
    """Makes the discriminator's gradients overflow, so that its loss scale halves."""
    optimizer = gan.discriminator_optimizer
    weights = gan.discriminator.trainable_weights
    optimizer.apply([tf.fill(weight.shape, np.inf) for weight in weights], weights)


def test_the_loss_scale_of_float16_comes_back_from_a_checkpoint(tiny, reals, tmp_path):
    recipe = dataclasses.replace(tiny, precision="float16")
    whole, second = GAN(recipe), GAN(recipe)
    whole.train_on_batch(reals[:4])
    first_scale = float(whole.discriminator_optimizer.dynamic_scale)
    overflowing(whole)
    whole.train_on_batch(reals[4:8])
    Checkpoints(whole, tmp_path, keep=1).save()
    assert Checkpoints(second, tmp_path, keep=1).restore() == 2
    for gan in (whole, second):
        optimizer = gan.discriminator_optimizer
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        assert float(optimizer.dynamic_scale) == first_scale / 2
        assert int(optimizer.step_counter) == 1  # since the scale was last changed
        assert int(gan.generator_optimizer.step_counter) == 2
    assert whole.train_on_batch(reals[8:]) == second.train_on_batch(reals[8:])
    for ours, theirs in zip(
        whole.discriminator.get_weights(), second.discriminator.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
