"""The game with every loss, network and trick that a recipe may name."""

import dataclasses
import itertools

import numpy as np
import pytest

from kerasgan import models, penalties, recipes, saved
from kerasgan.backend import keras, tf
from kerasgan.chance import STREAMS, Chance, D, G
from kerasgan.checkpoints import Checkpoints
from kerasgan.critic import Critic
from kerasgan.gan import GAN
from kerasgan.recipes import LOSSES, PRESETS
from kerasgan.recorder import Recorder
from kerasgan.runs import Run

SIZES = {"article": 28, "dcgan": 32, "mlp": 8}

EVERYTHING = {
    **{"ema": 0.9, "augment": "ada", "ada_images": 50, "instance_noise": 0.1},
    **{"instance_noise_iters": 3, "r1": 1.0, "r2": 0.5, "penalty_every": 2, "n_critic": 2},
    **{"spectral_norm": True, "d_batch_norm": False, "g_batch_norm": True, "dropout": 0.3},
    **{"label_noise": 0.05, "label_flips": 0.1, "label_smoothing": 0.1, "smooth_fakes": True},
    **{"d_learning_rate": 4e-4, "optimizer": "adam", "energy": 2.0},
}


def small(preset, **typed):
    """A preset in miniature, as the command line would make it."""
    tiny = {"width": 1 / 32, "latent_dim": 8, "batch_size": 4, "precision": "float32"}
    base = dataclasses.replace(PRESETS[preset], size=SIZES[preset], **tiny)
    return recipes.apply(base, typed)


def reals_for(recipe, seed=0):
    shape = (recipe.reals_an_iteration, recipe.size, recipe.size, recipe.channels)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def kernels(network):
    return [w.numpy() for w in network.trainable_weights if "kernel" in w.name]


@pytest.mark.parametrize("loss", LOSSES)
def test_any_loss_trains(loss):
    every_kernel_moves("mlp", loss)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["article", "dcgan"])
@pytest.mark.parametrize("loss", LOSSES)
def test_any_loss_trains_any_network(preset, loss, eagerly):
    """Uncompiled: each loss is compiled above, each network in most tests here."""
    every_kernel_moves(preset, loss)


def every_kernel_moves(preset, loss):
    fewer = {"n_critic": 2} if loss.startswith("wgan") else {}  # than its paper's 5
    recipe = small(preset, loss=loss, **fewer)
    gan = GAN(recipe)
    before = kernels(gan.generator), kernels(gan.discriminator)
    for _ in range(2):
        scalars = gan.train_on_batch(reals_for(recipe))
    assert all(np.isfinite(value) for value in scalars.values())
    assert 0 <= scalars["d_accuracy"] <= 1
    after = kernels(gan.generator), kernels(gan.discriminator)
    for a, b in zip(sum(before, []), sum(after, []), strict=True):
        assert np.isfinite(b).all() and not np.array_equal(a, b)


TRICKS = {"everything": EVERYTHING, "wgan-gp": {"loss": "wgan-gp", "n_critic": 2}}
# Among these is every pair of two values; the other combinations are below.
COMPILED = [
    *[("article", "bfloat16", "everything"), ("article", "float16", "wgan-gp")],
    *[("dcgan", "bfloat16", "wgan-gp"), ("dcgan", "float16", "everything")],
    *[("mlp", "bfloat16", "everything"), ("mlp", "float16", "wgan-gp")],
]
UNCOMPILED = set(itertools.product(SIZES, ("bfloat16", "float16"), TRICKS)) - set(COMPILED)


@pytest.mark.slow
def test_the_operations_of_an_iteration_do_not_race():
    """Large enough that they would: of such iterations a fifth to a half came out otherwise."""
    recipe = dataclasses.replace(
        small("dcgan", loss="wgan", clip_weights=100.0), width=1 / 4, latent_dim=100, batch_size=32
    )
    gan, reals = GAN(recipe), reals_for(recipe)
    networks = (gan.generator, gan.discriminator)
    optimizers = (gan.generator_optimizer, gan.discriminator_optimizer)
    variables = [
        gan.iteration,
        *(weight.value for network in networks for weight in network.weights),
        *(weight.value for optimizer in optimizers for weight in optimizer.variables),
    ]
    start, ends = [variable.numpy() for variable in variables], set()
    for _ in range(20):
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        gan.train_on_batch(reals)
        ends.add(b"".join(variable.numpy().tobytes() for variable in variables))
    assert len(ends) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "precision", "tricks"), COMPILED)
def test_every_trick_at_once_in_low_precision(preset, precision, tricks):
    stays_finite(preset, precision, tricks)


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "precision", "tricks"), sorted(UNCOMPILED))
def test_every_trick_at_once_uncompiled(preset, precision, tricks, eagerly):
    stays_finite(preset, precision, tricks)


def stays_finite(preset, precision, tricks):
    recipe = small(preset, **TRICKS[tricks], channels=1)
    gan = GAN(dataclasses.replace(recipe, precision=precision))
    for _ in range(2):
        scalars = gan.train_on_batch(reals_for(recipe))
    assert all(np.isfinite(value) for value in scalars.values())
    weights = gan.generator.get_weights() + gan.discriminator.get_weights()
    assert all(np.isfinite(weight).all() for weight in weights)


@pytest.mark.parametrize("optimizer", recipes.OPTIMIZERS)
def test_each_optimizer_has_its_rates_and_memories(optimizer):
    recipe = small("mlp", optimizer=optimizer, learning_rate=1e-3, d_learning_rate=4e-3)
    gan = GAN(recipe)
    gan.train_on_batch(reals_for(recipe))
    assert float(gan.generator_optimizer.learning_rate) == pytest.approx(1e-3)
    assert float(gan.discriminator_optimizer.learning_rate) == pytest.approx(4e-3)
    config = gan.generator_optimizer.get_config()
    expected = {"rmsprop": {"rho": 0.9}, "adam": {"beta_1": 0.5, "beta_2": 0.999}, "sgd": {}}
    assert config.items() >= expected[optimizer].items()


def test_dcgan_equals_its_tutorials_loop():
    """Passes for reals and fakes apart, the same fakes for G; with Keras' own layers and Adam."""
    recipe = small("dcgan")
    gan = GAN(recipe)
    generator = models.build_portable_generator(recipe)
    generator.set_weights(gan.generator.get_weights())
    discriminator = models.build_discriminator(recipe)
    criterion = keras.losses.BinaryCrossentropy(from_logits=True)
    g_adam, d_adam = (keras.optimizers.Adam(2e-4, 0.5, epsilon=1e-8) for _ in range(2))
    judge = models.logits_of(discriminator)

    for step in range(3):
        real = reals_for(recipe, seed=step)
        latents = Chance(recipe, gan.iteration, D).latents(4)
        with tf.GradientTape() as g_tape:
            fake = generator(latents, training=True)
        with tf.GradientTape() as d_tape:
            real_logits, fake_logits = judge(real, training=True), judge(fake, training=True)
            real_error = criterion(tf.ones((4, 1)), real_logits)
            d_loss = (real_error + criterion(tf.zeros((4, 1)), fake_logits)) / 2
        d_adam.apply_gradients(gradients(d_tape, d_loss, discriminator))
        with g_tape:
            after = judge(fake, training=True)
            g_loss = criterion(tf.ones((4, 1)), after)
        g_adam.apply_gradients(gradients(g_tape, g_loss, generator))

        scalars = gan.train_on_batch(real)
        assert scalars["d_loss"] == pytest.approx(float(d_loss), rel=1e-3)
        assert scalars["a_loss"] == pytest.approx(float(g_loss), rel=1e-3)
        for name, logits in (
            ("d_real", real_logits),
            ("d_fake", fake_logits),
            ("d_fake_after", after),
        ):
            assert scalars[name] == pytest.approx(np.mean(tf.sigmoid(logits)), rel=1e-3)
        higher = np.mean(real_logits.numpy() > fake_logits.numpy())
        assert scalars["d_accuracy"] == pytest.approx(higher)
    for mine, theirs in ((gan.generator, generator), (gan.discriminator, discriminator)):
        for a, b in zip(mine.trainable_weights, theirs.trainable_weights, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), atol=5e-5, err_msg=a.path)


def gradients(tape, loss, network):
    variables = network.trainable_weights
    return zip(tape.gradient(loss, [v.value for v in variables]), variables, strict=True)


def test_everything_goes_on_from_a_checkpoint_bit_for_bit(tmp_path):
    recipe = small("article", **EVERYTHING)
    whole, second = GAN(recipe), GAN(recipe)
    whole.augment_probability.assign(0.9)  # one that is lost on the way begins at 0, and stays
    batches = [reals_for(recipe, seed) for seed in range(5)]
    for batch in batches[:3]:
        whole.train_on_batch(batch)
    Checkpoints(whole, tmp_path, keep=1).save()
    expected = [whole.train_on_batch(batch) for batch in batches[3:]]
    assert Checkpoints(second, tmp_path, keep=1).restore() == 3
    assert [second.train_on_batch(batch) for batch in batches[3:]] == expected
    probabilities = [float(gan.augment_probability) for gan in (whole, second)]
    assert probabilities[0] == probabilities[1] not in (0, 0.9, 1)
    for name, part in whole.state().items():
        if isinstance(part, keras.Model):
            pairs = zip(part.weights, second.state()[name].weights, strict=True)
            for a, b in pairs:
                np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


def test_the_averaged_generator_by_hand():
    """Weights and BatchNorm's statistics, with the memory growing as (1 + t) / (5 + t)."""
    recipe = small("dcgan", ema=0.25)
    gan = GAN(recipe)
    expected = gan.generator.get_weights()
    for t in range(5):
        gan.train_on_batch(reals_for(recipe, t))
        memory = min(0.25, (1 + t) / (5 + t))
        pairs = zip(expected, gan.generator.get_weights(), strict=True)
        expected = [memory * average + (1 - memory) * now for average, now in pairs]
    assert len(gan.ema_generator.weights) > len(gan.ema_generator.trainable_weights)
    for weight, hand in zip(gan.ema_generator.weights, expected, strict=True):
        np.testing.assert_allclose(weight.numpy(), hand, rtol=1e-4, atol=1e-6, err_msg=weight.path)
        assert "gamma" in weight.path or np.ptp(hand) > 0


def test_what_is_shown_and_saved_is_averaged(tmp_path):
    recipe = small("dcgan", ema=0.9, control_latents=4)
    gan = GAN(recipe)
    assert gan.shown_generator is gan.ema_generator
    assert GAN(small("dcgan")).shown_generator.name == "generator"
    with Recorder(gan, Run(tmp_path)) as recorder:
        for iteration in (1, 2):
            recorder.record(iteration, gan.train_on_batch(reals_for(recipe)))
        recorder.save()
    model = saved.load(tmp_path).model
    for a, b in zip(model.get_weights(), gan.ema_generator.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(model.get_weights()[0], gan.generator.get_weights()[0])


def test_an_iteration_updates_d_as_often_as_the_recipe_says():
    recipe = small("mlp", n_critic=3)
    gan = GAN(recipe)
    seen = []
    judge = gan.judge

    def watched(critic, reals, fakes):
        seen.append((reals.numpy(), fakes.numpy()))
        return judge(critic, reals, fakes)

    gan.judge = watched
    real = reals_for(recipe)
    gan.train_step(tf.constant(real))  # eagerly
    assert int(gan.discriminator_optimizer.iterations) == 3
    assert int(gan.generator_optimizer.iterations) == int(gan.iteration) == 1
    np.testing.assert_array_equal(np.concatenate([reals for reals, _ in seen]), real)
    fakes = [fakes for _, fakes in seen]
    assert not np.array_equal(fakes[0], fakes[1]) and not np.array_equal(fakes[1], fakes[2])


def test_no_two_uses_of_randomness_share_a_seed():
    recipe, zero, one = small("mlp", n_critic=2), tf.constant(0, tf.int64), tf.constant(1, tf.int64)
    updates = [*((zero, update) for update in range(3)), (one, 0)]
    seeds = [
        Chance(recipe, iteration, mover, update).seed(use).numpy()
        for mover, use in STREAMS
        for iteration, update in updates
    ]
    for place in range(3):
        seeds += [Chance(recipe, zero, D, u).dropout("fake", place).numpy() for u in range(2)]
    assert len({tuple(map(int, seed)) for seed in seeds}) == len(seeds)


@pytest.mark.parametrize("trick", [{"spectral_norm": True}, {}], ids=["spectral_norm", "plain"])
def test_the_generators_update_leaves_the_discriminator_alone(trick):
    recipe = small("article", **trick)
    gan = GAN(recipe)
    gan.train_on_batch(reals_for(recipe))
    before = {w.path: w.numpy() for w in gan.discriminator.weights if "seed" not in w.path}
    # D's own update does nothing here: what is left is the generator's.
    gan.discriminator_optimizer.apply = lambda gradients, weights: None
    move, after_d = gan.move, {}

    def watched(mover, tape, objective):
        move(mover, tape, objective)
        if mover == D:
            after_d.update({w.path: w.numpy() for w in gan.discriminator.weights})

    gan.move = watched
    gan.train_step(tf.constant(reals_for(recipe)))
    for weight in gan.discriminator.weights:
        if "seed" not in weight.path:
            np.testing.assert_array_equal(weight.numpy(), after_d[weight.path])
    assert before.keys() <= after_d.keys()


def test_spectral_norm_stays_at_1():
    recipe = small("article", spectral_norm=True, learning_rate=1e-3)
    gan = GAN(recipe)
    for step in range(10):
        gan.train_on_batch(reals_for(recipe, step))
    for kernel in kernels(gan.discriminator):
        norm = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
        assert norm == pytest.approx(1, abs=0.1)


def test_clipped_weights_stay_within_their_limit():
    recipe = small("article", loss="wgan", learning_rate=1e-2)
    gan = GAN(recipe)
    gan.train_on_batch(reals_for(recipe))
    highest = [np.abs(weight).max() for weight in kernels(gan.discriminator)]
    assert max(highest) == pytest.approx(0.01)


def test_lazy_penalties_come_when_due_by_their_interval():
    """Every third update with three times the weight; between them none."""
    recipe = small("mlp", r1=0.0, dropout=0.0)
    lazy = GAN(dataclasses.replace(recipe, r1=2.0, penalty_every=3))
    real = tf.constant(reals_for(recipe))
    fake = tf.zeros_like(real)
    slope = penalties.zero_centred(lazy.playing[D], real)
    for iteration, factor in ((0, 3), (1, 0), (2, 0), (3, 3)):
        lazy.iteration.assign(iteration)
        critic = lazy.critic(D, conditions=None)
        added = tf.function(critic.penalties, autograph=False)(real, fake)
        assert float(added) == pytest.approx(factor * 2.0 * float(slope), rel=1e-4)


def test_penalties_hold_the_slope_down():
    def slope_after(**typed):
        recipe = small("mlp", learning_rate=2e-3, dropout=0.0, **typed)
        gan = GAN(recipe)
        for step in range(60):
            gan.train_on_batch(reals_for(recipe, step))
        real = tf.constant(reals_for(recipe))
        return float(penalties.zero_centred(gan.playing[D], real))

    free = slope_after()
    assert slope_after(r1=10.0) < 0.2 * free
    assert slope_after(r1=10.0, penalty_every=4) < 0.5 * free


def test_labels_smoothed_and_flipped():
    labels = lambda **typed: Chance(small("mlp", **typed), tf.constant(0, tf.int64), D).labels  # noqa: E731
    real, fake = labels(label_smoothing=0.1, smooth_fakes=True)([5, 1])
    np.testing.assert_allclose(real, np.full((5, 1), 0.9), rtol=1e-6)
    np.testing.assert_allclose(fake, np.full((5, 1), 0.1), rtol=1e-6)
    flipped = labels(label_smoothing=0.1, label_flips=0.25)([2000, 1])
    real, fake = (tensor.numpy() for tensor in flipped)
    assert (
        set(np.unique(real.round(4)))
        == set(np.unique(fake.round(4)))
        == {np.float32(0), np.float32(0.9)}
    )
    assert 0.2 < np.mean(real < 0.5) < 0.3 and 0.2 < np.mean(fake > 0.5) < 0.3
    assert labels(loss="hinge")([5, 1]) == ()


def test_instance_noise_fades():
    gan = GAN(small("mlp", instance_noise=0.4, instance_noise_iters=10))
    pictures = tf.zeros((50, 8, 8, 3))
    spreads = []
    for iteration in (0, 5, 10, 20):
        gan.iteration.assign(iteration)
        spreads.append(float(np.std(gan.critic(D, None).view(pictures, "real"))))
    assert spreads == pytest.approx([0.4, 0.2, 0.0, 0.0], rel=0.05)
    steady = GAN(small("mlp", instance_noise=0.4))
    assert np.std(steady.critic(G, None).view(pictures, "fake")) > 0.35


def test_reals_and_fakes_are_augmented_in_every_update(monkeypatch):
    recipe = small("mlp", loss="relativistic", augment="1")
    gan = GAN(recipe)
    seen = []

    def view(critic, pictures, kind):
        seen.append((critic.chance.mover, kind))
        return pictures

    monkeypatch.setattr(Critic, "view", view)
    gan.train_step(tf.constant(reals_for(recipe)))
    assert seen == [(D, "real"), (D, "fake"), (G, "fake"), (G, "real")]


def test_ada_is_reported_and_rises_while_d_is_sure():
    recipe = small("mlp", augment="ada", ada_images=40, learning_rate=5e-3, dropout=0.0)
    gan = GAN(recipe)
    constant = np.full_like(reals_for(recipe), 0.9)
    probabilities = [gan.train_on_batch(constant)["augment"] for _ in range(12)]
    assert probabilities[0] <= 0.1 + 1e-6 and 0.3 < probabilities[-1] <= 1
    assert "augment" not in GAN(small("mlp", augment="0.5")).train_on_batch(constant)
