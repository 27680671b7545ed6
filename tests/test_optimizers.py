"""One-operation Adam against Keras' own."""

import numpy as np
import pytest

from kerasgan.backend import keras, tf
from kerasgan.optimizers import FusedAdam


@pytest.mark.parametrize("beta_1", [0.0, 0.5])
def test_fused_adam_moves_weights_as_keras_does(beta_1):
    rng = np.random.default_rng(0)
    begun = [rng.normal(size=shape).astype(np.float32) for shape in ((3, 3, 4, 5), (7,))]
    options = {"beta_1": beta_1, "beta_2": 0.9, "epsilon": 1e-3, "clipvalue": 0.5}
    moved = []
    for kind in (keras.optimizers.Adam, FusedAdam):
        weights = [keras.Variable(value) for value in begun]
        rate = keras.optimizers.schedules.InverseTimeDecay(0.1, 1, 0.5)
        optimizer = kind(rate, **options)
        optimizer.build(weights)
        apply = tf.function(lambda *gradients: optimizer.apply(gradients, weights))  # noqa: B023
        for step in range(5):
            draw = np.random.default_rng(step).normal
            apply(*(tf.constant(draw(size=w.shape), tf.float32) for w in weights))
        assert int(optimizer.iterations) == 5
        moved.append([value.numpy() for value in (*weights, *optimizer.variables)])
    for keras_own, fused in zip(*moved, strict=True):
        np.testing.assert_allclose(fused, keras_own, rtol=1e-5, atol=1e-6)
    assert np.abs(moved[1][0] - begun[0]).mean() > 0.05
