"""The networks' shapes and sizes, by the tutorial's figures."""

import dataclasses

import numpy as np
import pytest

from kerasgan import models, network_file
from kerasgan.backend import keras, tf
from kerasgan.models import parts, resample
from kerasgan.models.parts import Parts
from kerasgan.recipes import PRESETS

layers = keras.layers


def float32(preset, **changes):
    return dataclasses.replace(PRESETS[preset], precision="float32", **changes)


def test_article_has_the_tutorials_parameters():
    recipe = float32("article")
    generator = models.build_generator(recipe)
    discriminator = models.build_discriminator(recipe)
    assert generator.count_params() == 14_953_987
    assert discriminator.count_params() == 4_211_713
    assert generator.input_shape == (None, 32)
    assert generator.output_shape == (None, 128, 128, 3)
    assert discriminator.output_shape == (None, 1)


def test_article_has_the_tutorials_layers():
    recipe = float32("article")
    generator = models.build_generator(recipe)
    names = [type(layer).__name__ for layer in generator.layers[1:]]
    leaky = "LeakyReLU"
    assert names == [
        *("Dense", leaky, "Reshape", "Conv2D", leaky),
        *("Conv2DTranspose", leaky) * 3,
        *("Conv2D", leaky) * 2,
        *("Conv2D", "Activation"),
    ]
    discriminator = models.build_discriminator(recipe)
    convolutions = [x for x in discriminator.layers if isinstance(x, keras.layers.Conv2D)]
    assert [(c.filters, c.kernel_size[0], c.strides[0], c.padding) for c in convolutions] == [
        (256, 3, 1, "valid"),
        *[(256, 4, 2, "valid")] * 4,
    ]
    slopes = {x.negative_slope for x in discriminator.layers if type(x).__name__ == leaky}
    assert slopes == {0.3}
    assert [x.rate for x in discriminator.layers if isinstance(x, keras.layers.Dropout)] == [0.4]


def test_ds_own_width_leaves_g_as_it_is():
    plain = float32("fast", size=32)
    narrow = dataclasses.replace(plain, d_width=0.5)
    discriminator = models.build_discriminator(narrow)
    assert [x.filters for x in discriminator.layers if hasattr(x, "filters")] == [24, 48, 96]
    generators = [models.build_generator(recipe).weights for recipe in (plain, narrow)]
    assert all(np.array_equal(*pair) for pair in zip(*generators, strict=True))


@pytest.mark.parametrize("size", [32, 64, 128, 256])
@pytest.mark.parametrize("width", [1 / 32, 1 / 8])
def test_every_size_and_width_works(size, width):
    recipe = float32("article", size=size, width=width)
    generator = models.build_generator(recipe)
    discriminator = models.build_discriminator(recipe)
    pictures = generator(np.random.default_rng(0).normal(size=(2, 32)).astype("f"))
    assert pictures.shape == (2, size, size, 3)
    assert float(np.abs(pictures).max()) <= 1
    verdicts = discriminator(pictures).numpy()
    assert verdicts.shape == (2, 1) and np.all((verdicts > 0) & (verdicts < 1))
    first, *_ = (x for x in generator.layers if isinstance(x, keras.layers.Conv2D))
    assert first.filters == 256 * width


def test_adversarial_chains_the_two_and_shares_their_weights():
    recipe = float32("article", size=32, width=1 / 32)
    generator, discriminator = models.build_generator(recipe), models.build_discriminator(recipe)
    adversarial = models.build_adversarial(generator, discriminator)
    latents = np.random.default_rng(0).normal(size=(3, 32)).astype("f")
    expected = discriminator(generator(latents))
    np.testing.assert_allclose(adversarial(latents), expected, rtol=1e-5)
    logits = models.logits_of(discriminator)(generator(latents)).numpy()
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), expected, rtol=1e-4)


def test_initial_weights_are_a_function_of_the_seed():
    def weights(seed):
        return models.build_generator(float32("article-lite", seed=seed)).get_weights()

    for a, b in zip(weights(3), weights(3), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not all(map(np.array_equal, weights(3), weights(4)))


def test_dcgan_has_the_parameters_of_the_pytorch_tutorial():
    recipe = float32("dcgan")
    generator, discriminator = models.build_generator(recipe), models.build_discriminator(recipe)
    # Trainable ones, by hand from the layers' sizes: 4x4 kernels, and two numbers a channel
    # of each BatchNorm.
    kernels = 100 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 3
    assert trainable(generator) == 16 * kernels + 2 * (512 + 256 + 128 + 64) == 3_576_704
    kernels = 3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512
    assert trainable(discriminator) == 16 * kernels + 2 * (128 + 256 + 512) == 2_765_568
    assert generator.output_shape == (None, 64, 64, 3)


def trainable(network):
    return sum(np.prod(weight.shape) for weight in network.trainable_weights)


def test_dcgan_begins_with_its_papers_weights():
    for network in (
        models.build_generator(float32("dcgan")),
        models.build_discriminator(float32("dcgan")),
    ):
        for weight in network.trainable_weights:
            values = weight.numpy()
            mean = {"kernel": 0, "gamma": 1, "beta": 0}[weight.name]
            std = 0 if weight.name == "beta" else 0.02
            assert values.mean() == pytest.approx(mean, abs=0.02 * 4 / values.size**0.5)
            assert values.std() == pytest.approx(std, rel=3 / values.size**0.5)


@pytest.mark.parametrize("size", [32, 128, 256])
def test_dcgan_grows_by_blocks(size):
    recipe = float32("dcgan", size=size, width=1 / 32)
    generator, discriminator = models.build_generator(recipe), models.build_discriminator(recipe)
    pictures = generator(np.zeros((2, 100), np.float32))
    assert pictures.shape == (2, size, size, 3)
    assert discriminator(pictures).shape == (2, 1)
    convolutions = [x for x in discriminator.layers if isinstance(x, keras.layers.Conv2D)]
    assert len(convolutions) == {32: 3, 128: 5, 256: 6}[size]


def test_mlp_has_dense_layers_only():
    recipe = float32("mlp", channels=1)
    generator, discriminator = models.build_generator(recipe), models.build_discriminator(recipe)
    units = [x.units for x in generator.layers if isinstance(x, keras.layers.Dense)]
    assert units == [256, 512, 1024, 784]
    units = [x.units for x in discriminator.layers if isinstance(x, keras.layers.Dense)]
    assert units == [1024, 512, 256, 1]
    assert generator.output_shape == (None, 28, 28, 1)
    assert not any("conv" in layer.name for layer in generator.layers + discriminator.layers)


@pytest.mark.parametrize("size", [28, 36, 60])
@pytest.mark.parametrize("channels", [1, 3])
def test_article_at_sizes_that_8_does_not_divide(size, channels):
    recipe = float32("article", size=size, channels=channels, width=1 / 32)
    generator, discriminator = models.build_generator(recipe), models.build_discriminator(recipe)
    pictures = generator(np.zeros((2, 32), np.float32))
    assert pictures.shape == (2, size, size, channels)
    assert discriminator(pictures).shape == (2, 1)
    doublings = [x for x in generator.layers if isinstance(x, keras.layers.Conv2DTranspose)]
    assert len(doublings) == 2


@pytest.mark.parametrize("network", list(models.NETWORKS))
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_portable_generator_draws_the_same(network, precision, tmp_path):
    preset = PRESETS["progressive" if network == "progressive" else "dcgan"]
    changes = {"size": 32, "width": 1 / 16, "latent_dim": 100, "precision": precision}
    recipe = dataclasses.replace(preset, network=network, **changes)
    generator = models.build_generator(recipe)
    latents = np.random.default_rng(0).normal(size=(8, 100)).astype("f")
    for _ in range(3):
        generator(latents, training=True)  # moves BatchNorm's statistics
    portable = models.build_portable_generator(recipe)
    portable.set_weights(generator.get_weights())
    assert all(type(x).__module__.startswith("keras.") for x in portable.layers)
    portable.save(tmp_path / "generator.keras")
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    expected = np.clip(generator(latents, training=False), -1, 1)  # what is saved stays in bounds
    tolerance = 1e-5 if precision == "float32" else 0.05
    np.testing.assert_allclose(loaded(latents), expected, atol=tolerance)


def test_quick_layers_are_keras_own():
    """Results, gradients and second derivatives of the layers and of BatchNorm in training."""
    pairs = [
        (resample.Halving(7), layers.Conv2D(7, 4, strides=2, padding="same"), (5, 8, 8, 3)),
        (
            resample.Doubling(7),
            layers.Conv2DTranspose(7, 4, strides=2, padding="same"),
            (5, 4, 4, 3),
        ),
        (resample.Opening(7), layers.Conv2D(7, 6, strides=2, padding="same"), (5, 8, 8, 3)),
    ]
    for quick, own, shape in pairs:
        quick.build(shape)
        own.build(shape)
        own.set_weights(quick.get_weights())
        inputs = tf.random.stateless_normal(shape, (1, 2))
        for a, b in zip(derivatives(quick, inputs), derivatives(own, inputs), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max())


def derivatives(layer, inputs):
    weights = [weight.value for weight in layer.trainable_weights]
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(inputs)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs)
            total = tf.reduce_sum(outputs**3)
        gradient = tape.gradient(total, inputs)
        both = total + tf.reduce_sum(gradient**2)
    return [outputs, gradient, *outer.gradient(both, [inputs, *weights])]


def test_fused_batch_norm_is_keras_own():
    quick = parts.FusedBatchNormalization(**parts.BATCH_NORM)
    own = layers.BatchNormalization(**parts.BATCH_NORM)
    inputs = 3 + 2 * tf.random.stateless_normal((16, 8, 8, 5), (1, 2))
    weights = tf.random.stateless_normal(inputs.shape, (3, 4))
    found = []
    for layer in (quick, own):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
            total = tf.reduce_sum(weights * outputs**2)
        gradients = tape.gradient(total, [inputs, layer.gamma.value, layer.beta.value])
        found.append([outputs, *gradients, *layer.get_weights(), layer(inputs, training=False)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("network", list(models.NETWORKS))
def test_spectral_normalisation_brings_every_layer_to_norm_1(network):
    preset = "progressive" if network == "progressive" else "article"
    changes = {"size": 32, "width": 1 / 16, "network": network, "spectral_norm": True}
    recipe = float32(preset, **changes)
    discriminator = models.build_discriminator(recipe)
    spectral = [x for x in discriminator.layers if isinstance(x, models.SpectralNormalization)]
    kernels = [x for x in discriminator.trainable_weights if x.name == "kernel"]
    assert len(spectral) == len(kernels) >= 4
    pictures = np.zeros((1, 32, 32, 3), np.float32)
    before = discriminator.get_weights()
    discriminator(pictures, training=True)
    assert all(
        np.array_equal(a, b) or a.dtype == np.uint32 or "int" in str(a.dtype)
        for a, b in zip(before, discriminator.get_weights(), strict=True)
    ), "a pass leaves the weights alone"

    @tf.function
    def normalise():
        for layer in spectral:
            layer.normalise()

    for _ in range(200):
        normalise()
    for kernel in kernels:
        matrix = kernel.numpy().reshape(-1, kernel.shape[-1])
        assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(1, abs=0.01)


def test_the_power_iteration_begins_by_the_seed():
    def vectors(seed):
        recipe = float32("article", size=32, width=1 / 32, spectral_norm=True, seed=seed)
        return [w.numpy() for w in models.build_discriminator(recipe).weights if "vector" in w.name]

    assert all(map(np.array_equal, vectors(1), vectors(1)))
    assert not any(map(np.array_equal, vectors(1), vectors(2)))


def test_a_network_may_have_any_number_of_layers(tiny):
    """The first weights of the layers before the 65th are those that they always had."""
    made = Parts(tiny, "generator")
    seeds = [made.dense(1).kernel_initializer.seed for _ in range(70)]
    before = np.random.SeedSequence([tiny.seed, 0]).generate_state(64)
    assert seeds[:64] == before.tolist() and len(set(seeds)) == 70


TINY = {
    "article": {"size": 32, "width": 1 / 16},
    "dcgan": {"size": 32, "width": 1 / 16},
    "fast": {"size": 32, "width": 1 / 16},
    "mlp": {"size": 28, "width": 1 / 16},
    "progressive": {"size": 16, "width": 1 / 32},
    "conditional": {"size": 32, "width": 1 / 8},
}


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize("preset", TINY)
def test_a_portable_discriminator_says_the_same(tmp_path, preset, spectral):
    recipe = float32(preset, **TINY[preset], spectral_norm=spectral, d_batch_norm=False)
    own = models.build_discriminator(recipe)
    models.normalise(own)
    if recipe.grows:
        own.get_layer("fade16").alpha.assign(0.3)
    portable = models.build_portable_discriminator(recipe)
    portable.set_weights(models.portable_weights(own))
    network_file.write(tmp_path / "d.keras", portable, {})
    network_file.check(tmp_path / "d.keras", "discriminator")
    opened = network_file.open_checked(tmp_path / "d.keras", "discriminator")
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, (5, recipe.size, recipe.size, 3)).astype("f")
    if recipe.condition_size:
        inputs = [inputs, np.ones((5, recipe.condition_size), "f")]
    expected = models.logits_of(own)(inputs).numpy()
    assert np.ptp(expected) > 1e-4
    np.testing.assert_allclose(models.logits_of(opened)(inputs), expected, rtol=1e-4, atol=1e-5)

    other = models.build_discriminator(dataclasses.replace(recipe, seed=1))
    models.take_portable_weights(other, opened.get_weights())
    if recipe.grows:
        other.get_layer("fade16").alpha.assign(0.3)
    np.testing.assert_allclose(models.logits_of(other)(inputs), expected, rtol=1e-4, atol=1e-5)
