"""The game: our iteration against the tutorial's loop, written out with Keras' own calls."""

import dataclasses

import numpy as np
import pytest
from tutorial import Draws, TutorialLoop

from kerasgan import models
from kerasgan.backend import tf
from kerasgan.chance import Chance, D, G
from kerasgan.gan import GAN
from kerasgan.recipes import PRESETS


def chance(gan, mover):
    """The chance of the next update of D or G."""
    return Chance(gan.recipe, gan.iteration, mover)


def latents(gan, mover, batch):
    return chance(gan, mover).latents(batch).numpy()


def uniform(gan, use, batch):
    return tf.random.stateless_uniform((batch, 1), chance(gan, D).seed(use)).numpy()


def draws_of_next_iteration(gan, batch):
    noise = [uniform(gan, stream, batch) for stream in ("fake labels", "real labels")]
    return Draws(
        latents(gan, D, batch),
        latents(gan, G, batch),
        np.concatenate(noise),
        tuple(chance(gan, mover).dropout("fake", 0).numpy() for mover in (D, G)),
    )


def test_equals_the_tutorials_loop(tiny, reals):
    gan = GAN(tiny)
    before = gan.generator.get_weights()
    tutorial = TutorialLoop(tiny)
    tutorial.generator.set_weights(before)
    # The tutorial's D says 1 for fakes: ours with the last layer negated.
    *features, kernel, bias = gan.discriminator.get_weights()
    tutorial.discriminator.set_weights([*features, -kernel, -bias])

    for start in (0, 4, 8, 0, 4, 8):
        real = reals[start : start + 4]
        d_loss, a_loss = tutorial.iteration(real, draws_of_next_iteration(gan, 4))
        ours = gan.train_on_batch(real)
        assert ours["d_loss"] == pytest.approx(d_loss, rel=2e-4)
        assert ours["a_loss"] == pytest.approx(a_loss, rel=2e-4)

    *features, kernel, bias = tutorial.discriminator.get_weights()
    theirs = tutorial.generator.get_weights() + [*features, -kernel, -bias]
    mine = gan.generator.get_weights() + gan.discriminator.get_weights()
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b, atol=3e-5)
    # The tolerance is far below what six iterations moved.
    moved = [np.abs(a - b).max() for a, b in zip(gan.generator.get_weights(), before, strict=True)]
    assert max(moved) > 5e-4


def test_each_update_moves_its_own_network_only(tiny, reals, monkeypatch):
    gan = GAN(tiny)
    seen = []
    move = gan.move

    def watched(mover, tape, objective):
        network, other = gan.discriminator, gan.generator
        network, other = (network, other) if mover == D else (other, network)
        before, others_before = network.get_weights(), other.get_weights()
        move(mover, tape, objective)
        assert all(map(np.array_equal, others_before, other.get_weights()))
        assert not any(map(np.array_equal, before, network.get_weights()))
        seen.append(network.name)

    monkeypatch.setattr(gan, "move", watched)
    gan.train_step(tf.constant(reals[:4]))  # eagerly, so that weights can be looked at
    assert seen == ["discriminator", "generator"]


def test_a_change_of_batch_size_freezes_nothing(tiny, reals):
    gan = GAN(tiny)
    for batch in (4, 3, 4):
        before = {n: n.get_weights() for n in (gan.generator, gan.discriminator)}
        gan.train_on_batch(reals[:batch])
        for network, weights in before.items():
            assert not any(map(np.array_equal, weights, network.get_weights())), (batch, network)


def test_same_seed_same_training_other_seed_another(tiny, reals):
    def trained(seed):
        gan = GAN(dataclasses.replace(tiny, seed=seed))
        scalars = [gan.train_on_batch(reals[i : i + 4]) for i in (0, 4, 8)]
        return scalars, gan.generator.get_weights() + gan.discriminator.get_weights()

    scalars, weights = trained(seed=7)
    same_scalars, same_weights = trained(seed=7)
    assert scalars == same_scalars
    assert all(map(np.array_equal, weights, same_weights))
    other_scalars, other_weights = trained(seed=8)
    assert scalars != other_scalars
    assert not all(map(np.array_equal, weights, other_weights))


def test_each_use_of_randomness_differs(tiny):
    gan = GAN(tiny)
    draws = [latents(gan, D, 4), latents(gan, G, 4)]
    gan.iteration.assign_add(1)
    draws.append(latents(gan, D, 4))
    for i, a in enumerate(draws):
        for b in draws[i + 1 :]:
            assert not np.any(a == b)


def test_dropout_differs_between_the_updates(tiny):
    gan = GAN(tiny)
    first, second = (chance(gan, mover).dropout("fake", 0).numpy() for mover in (D, G))
    assert not np.any(first == second)


def test_labels_are_the_tutorials_mirrored(tiny):
    gan = GAN(tiny)
    real, fake = (labels.numpy() for labels in chance(gan, D).labels([1000, 1]))
    assert 0.95 < real.min() < 0.951 and 0.999 < real.max() <= 1.0
    assert -0.05 < fake.min() < -0.049 and -0.001 < fake.max() <= 0.0


def test_discriminator_learns_to_tell_and_generator_to_fool(tiny):
    """Constant reals: D's verdicts part at once, and G's pictures move towards the reals."""
    gan = GAN(dataclasses.replace(tiny, learning_rate=1e-3))
    reals = np.full((4, 32, 32, 3), 0.8, np.float32)
    for _ in range(120):
        scalars = gan.train_on_batch(reals)
    pictures = gan.generator(latents(gan, D, 4)).numpy()
    assert pictures.mean() > 0.3, "an untrained generator's mean is near 0"
    assert 0 < scalars["d_fake"] < 1 and 0 < scalars["d_real"] < 1


def test_low_precision_stays_near_float32(tiny, reals):
    tiny = dataclasses.replace(tiny, dropout=0.0)  # its masks differ between precisions
    exact, *roughs = (
        GAN(dataclasses.replace(tiny, precision=precision))
        for precision in ("float32", "bfloat16", "float16")
    )
    for start in (0, 4, 8, 0, 4, 8):
        real = reals[start : start + 4]
        expected = exact.train_on_batch(real)
        for rough in roughs:
            told = rough.train_on_batch(real)
            assert told["d_loss"] == pytest.approx(expected["d_loss"], abs=0.02)
            assert told["a_loss"] == pytest.approx(expected["a_loss"], abs=0.02)
    for rough in roughs:
        assert rough.generator(np.zeros((1, 8), "f")).dtype == tf.float32
        weights = rough.generator.weights + rough.discriminator.weights
        assert all(w.dtype == "float32" for w in weights if "seed" not in w.name)


def test_learning_rate_decays_as_the_tutorials(tiny, reals):
    gan = GAN(dataclasses.replace(tiny, decay=0.5))
    rates = []
    for _ in range(3):
        rates.append(float(gan.generator_optimizer.learning_rate))
        gan.train_on_batch(reals[:4])
    assert rates == pytest.approx([1e-4, 1e-4 / 1.5, 1e-4 / 2])


def test_warm_up_is_of_iterations_however_often_d_moves(tiny, reals):
    """Two updates of D in each of the first four iterations have the same rate."""
    gan = GAN(dataclasses.replace(tiny, warm_up=4, n_critic=2, decay=0.0, learning_rate=0.4))
    rates = []
    for _ in range(5):
        optimizers = (gan.generator_optimizer, gan.discriminator_optimizer)
        rates.append([float(optimizer.learning_rate) for optimizer in optimizers])
        gan.train_on_batch(reals[:8])
    assert int(gan.discriminator_optimizer.iterations) == 10
    np.testing.assert_allclose(rates, [[0.1] * 2, [0.2] * 2, [0.3] * 2, [0.4] * 2, [0.4] * 2])


def test_the_adversarial_model_is_the_tutorials_and_has_no_weights_of_its_own(tiny, reals):
    gan = GAN(tiny)
    adversarial = gan.adversarial
    drawn = latents(gan, G, 4)
    for _ in range(2):
        verdicts = gan.discriminator(gan.generator(drawn))
        np.testing.assert_allclose(adversarial(drawn), verdicts, rtol=1e-6)
        gan.train_on_batch(reals[:4])
    own = {id(weight) for net in (gan.generator, gan.discriminator) for weight in net.weights}
    assert {id(weight) for weight in adversarial.weights} == own


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "article"])
def test_every_preset_is_built_and_drawn_from_in_plain_python(preset, eagerly):
    """ "auto" is resolved wherever a network is made; growing goes on after pictures were drawn."""
    recipe = dataclasses.replace(PRESETS[preset], width=1 / 32, batch_size=2)
    gan = GAN(recipe)
    names = ("precision", "augment", "stages") if recipe.grows else ("precision", "augment")
    assert not [name for name in names if getattr(gan.recipe, name) == "auto"]
    inputs = [np.zeros((2, recipe.latent_dim), "f"), np.zeros((2, recipe.condition_size), "f")]
    inputs = inputs if recipe.condition_size else inputs[0]
    shape = (2, recipe.size, recipe.size, recipe.channels)
    assert gan.generator(inputs).shape == shape
    assert models.build_generator(recipe)(inputs).shape == shape
    real = np.zeros(shape, "f")
    told = gan.train_on_batch((real, inputs[1]) if recipe.condition_size else real)
    assert all(map(np.isfinite, told.values()))
