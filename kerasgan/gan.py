"""The two networks, their optimizers, and one iteration of the game between them."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from kerasgan import augment, backend, energy, models, penalties
from kerasgan.backend import keras, tf
from kerasgan.errors import UserError
from kerasgan.losses import LOSSES, Loss
from kerasgan.optimizers import build_optimizer
from kerasgan.recipes import LABELLED, Recipe, resolve_stages

# What one iteration reports, in the order of the step; ADA adds "augment", its share.
SCALARS = ("d_loss", "a_loss", "d_real", "d_fake", "d_fake_after", "d_accuracy")

# Each use of randomness in an iteration has its own stream. A new one comes last: the place in
# this list is part of the seed.
STREAMS = (
    *("d_latents", "g_latents", "real_labels", "fake_labels", "d_dropout", "g_dropout"),
    *("real_flips", "fake_flips", "d_real_dropout", "g_real_dropout"),
    *("real_view", "fake_view", "g_view", "g_real_view"),
    *("between", "r1_dropout", "r2_dropout", "gp_dropout"),
)

# A young averaged generator remembers about a quarter of the iterations so far: (1 + n) / (5 + n).
YOUNG = 5
SETTLED = 20  # power iterations before the first update, then one an update


class GAN(keras.Model):
    """A generator and a discriminator with their optimizers.

    It is trained by `train_on_batch` in a plain loop; `compile` and `fit` have no part in it.
    Making one sets TensorFlow, for the whole process, to repeatable operations
    (`backend.configure`).

    All randomness of an iteration is a function of the recipe's seed and the iteration's
    number, so a training can be taken up again anywhere and repeats itself exactly.

    Args:
        recipe: every hyperparameter; its `precision` and `stages` may be "auto", its `augment` not
            (`recipes.resolve_augment`).

    Attributes:
        generator: latents (B, latent_dim) to pictures (B, size, size, channels) in [-1, 1]; with
            conditions from [latents, conditions (B, condition_size)].
        discriminator: pictures to verdicts (B, 1), 1 for real; with conditions from [pictures,
            conditions].
        ema_generator: the generator with weights averaged over the training, or None.
        slowdown: a factor on both learning rates, a variable; a rollback lowers it.
        augment_share: share of the pictures that are augmented, 0 to 1; a variable with ADA.
        growing: where the pictures grow, the networks of the present stage; else None.
        iteration: how many iterations have been done, an int64 variable.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(name="gan")
        backend.configure(recipe.seed)
        recipe = resolve_stages(backend.resolved(recipe))
        self.recipe = recipe
        self.generator = models.build_generator(recipe)
        self.discriminator = models.build_discriminator(recipe)
        self.discriminator_logits = models.logits_of(self.discriminator)
        self.ema_generator = models.build_generator(recipe) if recipe.ema else None
        self.slowdown = tf.Variable(1.0, trainable=False, name="slowdown")
        g_rate, d_rate = recipe.learning_rate, recipe.d_learning_rate or recipe.learning_rate
        self.generator_optimizer = build_optimizer(recipe, self.generator, g_rate, self.slowdown)
        self.discriminator_optimizer = build_optimizer(
            recipe, self.discriminator, d_rate, self.slowdown
        )
        self.augment_share = _augment_share(recipe)
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False, name="iteration")
        self._spectral_layers = [
            layer
            for layer in self.discriminator.layers
            if isinstance(layer, models.SpectralNormalization)
        ]
        for _ in range(SETTLED):
            self._normalise()
        self.growing = self._begin_growing() if recipe.grows else None
        self._compiled_step = tf.function(self.train_step, autograph=False)

    @property
    def shown_generator(self) -> keras.Model:
        """The generator whose pictures are shown and kept: the averaged one where there is one."""
        return self.ema_generator or self.generator

    def state(self) -> dict[str, Any]:
        """Returns all that a checkpoint has to hold, by name."""
        parts = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
            "iteration": self.iteration,
        }
        if self.recipe.ema:
            parts["ema_generator"] = self.ema_generator
        if self.recipe.augment == "ada":
            parts["augment_share"] = self.augment_share
        return parts

    def call(self, latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Draws pictures (B, size, size, channels) in [-1, 1] from what the generator reads."""
        return self.generator(latents, training=training)

    def train_on_batch(self, real: np.ndarray | tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
        """Trains one iteration: `n_critic` updates of the discriminator, one of the generator.

        Args:
            real: float32 pictures in [-1, 1], (n_critic * B, size, size, channels); with
                conditions a pair of the pictures and their conditions, float32
                (n_critic * B, condition_size).

        Returns:
            d_loss and a_loss (the adversarial model's, that is the generator's), both without
            penalties and energy; D's mean verdict
            on reals (d_real) and on fakes (d_fake), all before the network's own update;
            d_fake_after, that on the fakes of the generator's update, after D's (before, where the
            updates are simultaneous); d_accuracy, the
            share of pairs of a real and a fake in which D puts the real higher, 0.5 by chance.
            With ADA also augment, the share of pictures changed. Where the pictures grow also side
            and alpha, their size and the share of that size's layers in them.
        """
        grown = self._grow(self.growing) if self.growing else {}
        real, conditions = real if isinstance(real, tuple) else (real, None)
        if (conditions is None) != (self.recipe.condition_size == 0):
            raise ValueError(
                "A batch should be (pictures, conditions) where the recipe has conditions, else "
                f"pictures. Received: --conditions {self.recipe.conditions}."
            )
        if conditions is not None:
            conditions = tf.convert_to_tensor(conditions, tf.float32)
        scalars = self._compiled_step(tf.convert_to_tensor(real, tf.float32), conditions)
        return {name: float(value) for name, value in scalars.items()} | grown

    def _begin_growing(self) -> models.Growing:
        """Makes networks that grow begin with their first stage."""
        generators = [self.generator, *([self.ema_generator] if self.recipe.ema else [])]
        growing = models.Growing(self.recipe, generators, self.discriminator)
        self.discriminator_logits = growing.logits
        return growing

    def _grow(self, growing: models.Growing) -> dict[str, float]:
        """Brings growing networks to the next iteration's stage; returns its side and alpha."""
        done = int(self.iteration)
        if growing.enter(done):
            self.discriminator_logits = growing.logits
            self._compiled_step = tf.function(self.train_step, autograph=False)
        if done == growing.stage.start:
            _forget(self.generator_optimizer)
            _forget(self.discriminator_optimizer)
        return {"side": growing.stage.side, "alpha": growing.stage.alpha(done)}

    def train_step(
        self, real: tf.Tensor, conditions: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """One iteration in TensorFlow operations: D learns, then G.

        Each fake has the condition of the real beside it: the fakes' conditions are as frequent
        as the reals', and pairs and what lies between them have one.
        """
        recipe = self.recipe
        if self.growing:
            real = self.growing.seen(real)
        if recipe.simultaneous:
            scalars = self._simultaneous_step(real, conditions)
        else:
            scalars = self._alternating_step(real, conditions)
        self._average()
        self.iteration.assign_add(1)
        return {name: scalars[name] for name in self._reported()}

    def _alternating_step(
        self, real: tf.Tensor, conditions: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """Moves D, `n_critic` times, and then G against the D that has moved."""
        recipe = self.recipe
        for update, (reals, given) in enumerate(_shares(real, conditions, recipe.n_critic)):
            latents = self._latents(tf.shape(reals)[0], "d_latents", update)
            with tf.GradientTape() as tape:
                fakes = self._draw(_inputs(latents, given), recipe.fakes_training)
            d_scalars = self._discriminator_step(reals, fakes, update, given)

        if not recipe.reuse_fakes:
            latents = self._latents(tf.shape(reals)[0], "g_latents")
            with tf.GradientTape() as tape:
                fakes = self._draw(_inputs(latents, given), True)
        return d_scalars | self._generator_step(reals, fakes, tape, given)

    def _simultaneous_step(self, reals: tf.Tensor, given: tf.Tensor | None) -> dict[str, tf.Tensor]:
        """Moves both networks, each against the other as it was, from one pass of D.

        Each logit depends on its own picture alone, so the slopes of G's loss at the fakes are
        those of D's loss times a number for each fake: the ratio of the slopes at its logit.
        """
        loss, optimizer = LOSSES[self.recipe.loss], self.discriminator_optimizer
        latents = self._latents(tf.shape(reals)[0], "d_latents")
        with tf.GradientTape() as g_tape:
            fakes = self._draw(_inputs(latents, given), True)
        with tf.GradientTape() as tape:
            tape.watch(fakes)
            real_view = self._view(reals, "real_view")
            fake_view = self._view(fakes, "fake_view")
            streams = ("d_real_dropout", "d_dropout")
            logits = self._both_logits(real_view, fake_view, True, streams, given=given)
            labels = self._labels(tf.shape(logits[0]))
            d_loss = loss.discriminator(*logits, *labels)
            penalised = self._penalised(d_loss, real_view, tf.stop_gradient(fake_view), 0, given)
        variables = [weight.value for weight in self.discriminator.trainable_weights]
        *d_gradients, at_fakes = tape.gradient(penalised, [*variables, fakes])
        a_loss, ratio = _slope_ratio(loss, *logits, labels)
        variables = [weight.value for weight in self.generator.trainable_weights]
        upstream = at_fakes * ratio[:, :, tf.newaxis, tf.newaxis]
        if self.recipe.energy:
            upstream += self._energy_slopes(reals, fakes)
        g_gradients = g_tape.gradient(fakes, variables, output_gradients=upstream)
        optimizer.apply(d_gradients, self.discriminator.trainable_weights)
        self.generator_optimizer.apply(g_gradients, self.generator.trainable_weights)
        self._normalise()
        scalars = self._discriminator_scalars(d_loss, *logits)
        return scalars | {"a_loss": a_loss, "d_fake_after": scalars["d_fake"]}

    def _energy_slopes(self, reals: tf.Tensor, fakes: tf.Tensor) -> tf.Tensor:
        """The slopes at the fakes of their colours' distance from the reals', by its weight."""
        with tf.GradientTape() as tape:
            tape.watch(fakes)
            weighted = self.recipe.energy * energy.distance(reals, fakes)
        return tape.gradient(weighted, fakes)

    def _discriminator_step(
        self, reals: tf.Tensor, fakes: tf.Tensor, update: int, given: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Moves D to tell reals from fakes."""
        loss, optimizer = LOSSES[self.recipe.loss], self.discriminator_optimizer
        reals = self._view(reals, "real_view", update)
        fakes = self._view(fakes, "fake_view", update)
        with tf.GradientTape() as tape:
            real_logits, fake_logits = self._both_logits(
                reals, fakes, True, ("d_real_dropout", "d_dropout"), update, given
            )
            labels = self._labels(tf.shape(real_logits), update)
            d_loss = loss.discriminator(real_logits, fake_logits, *labels)
            penalised = self._penalised(d_loss, reals, fakes, update, given)
            objective = optimizer.scale_loss(penalised)
        self._update(optimizer, tape, objective, self.discriminator)
        self._clip()
        self._normalise()
        return self._discriminator_scalars(d_loss, real_logits, fake_logits)

    def _discriminator_scalars(
        self, d_loss: tf.Tensor, real_logits: tf.Tensor, fake_logits: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Adapts the augmentation to D's logits, and returns what is told of D's update."""
        loss = LOSSES[self.recipe.loss]
        self._adapt(real_logits)
        return {
            "d_loss": d_loss,
            "d_real": tf.reduce_mean(loss.verdict(real_logits)),
            "d_fake": tf.reduce_mean(loss.verdict(fake_logits)),
            "d_accuracy": tf.reduce_mean(tf.cast(real_logits > fake_logits, tf.float32)),
            "augment": tf.convert_to_tensor(self.augment_share, tf.float32),
        }

    def _generator_step(
        self,
        reals: tf.Tensor,
        fakes: tf.Tensor,
        tape: tf.GradientTape,
        given: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Moves G to have its fakes, drawn under the tape, taken for real."""
        recipe, optimizer = self.recipe, self.generator_optimizer
        loss, training = LOSSES[recipe.loss], recipe.frozen_d_training
        with tape:
            weighted = recipe.energy * energy.distance(reals, fakes) if recipe.energy else 0.0
            seen = self._view(fakes, "g_view")
            if loss.paired:
                reals = self._view(reals, "g_real_view")
                streams = ("g_real_dropout", "g_dropout")
                real_logits, fake_logits = self._both_logits(
                    reals, seen, training, streams, given=given
                )
                a_loss = loss.generator(fake_logits, real_logits)
            else:
                fake_logits = self._logits(seen, training, "g_dropout", given=given)
                a_loss = loss.generator(fake_logits)
            objective = optimizer.scale_loss(a_loss + weighted)
        self._update(optimizer, tape, objective, self.generator)
        return {"a_loss": a_loss, "d_fake_after": tf.reduce_mean(loss.verdict(fake_logits))}

    def _update(
        self,
        optimizer: keras.optimizers.Optimizer,
        tape: tf.GradientTape,
        objective: tf.Tensor,
        network: keras.Model,
    ) -> None:
        """Moves one network; the other is frozen by not being named."""
        if self.growing:
            network = self.growing.part_of(network)
        variables = [weight.value for weight in network.trainable_weights]
        optimizer.apply(tape.gradient(objective, variables), network.trainable_weights)

    def _penalised(
        self,
        d_loss: tf.Tensor,
        reals: tf.Tensor,
        fakes: tf.Tensor,
        update: int,
        given: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Adds the penalties in the updates in which they are due (Karras et al. 2020)."""
        recipe = self.recipe
        if not (recipe.r1 or recipe.r2 or recipe.gp):
            return d_loss
        if recipe.penalty_every == 1:
            return d_loss + self._penalty(reals, fakes, update, given)
        number = self.iteration * recipe.n_critic + update
        return d_loss + recipe.penalty_every * tf.cond(
            tf.equal(number % recipe.penalty_every, 0),
            lambda: self._penalty(reals, fakes, update, given),
            lambda: tf.constant(0.0),
        )

    def _penalty(
        self, reals: tf.Tensor, fakes: tf.Tensor, update: int, given: tf.Tensor | None = None
    ) -> tf.Tensor:
        """The penalties on D's slope by their weights."""
        recipe, total = self.recipe, tf.constant(0.0)
        critic = partial(self._logits, training=True, update=update, given=given)
        if recipe.r1:
            at_reals = penalties.zero_centred(partial(critic, stream="r1_dropout"), reals)
            total += recipe.r1 * at_reals
        if recipe.r2:
            at_fakes = penalties.zero_centred(partial(critic, stream="r2_dropout"), fakes)
            total += recipe.r2 * at_fakes
        if recipe.gp:
            mixed = penalties.between(reals, fakes, self._seed("between", update))
            total += recipe.gp * penalties.one_centred(partial(critic, stream="gp_dropout"), mixed)
        return total

    def _clip(self) -> None:
        """Clips D's weights (Arjovsky et al. 2017)."""
        if limit := self.recipe.clip_weights:
            for weight in self.discriminator.trainable_weights:
                weight.assign(tf.clip_by_value(weight.value, -limit, limit))

    def _normalise(self) -> None:
        """Brings the layers of D back to spectral norm 1 (Miyato et al. 2018)."""
        for layer in self._spectral_layers:
            layer.normalise()

    def _adapt(self, real_logits: tf.Tensor) -> None:
        recipe = self.recipe
        if recipe.augment == "ada":
            share = augment.adapted(
                self.augment_share, real_logits, recipe.ada_target, recipe.ada_images
            )
            self.augment_share.assign(share)

    def _average(self) -> None:
        """Moves the averaged generator, its statistics too; early on by more (Karras et al. 2018).

        The memory grows with the iterations done, so that the first weights are soon forgotten;
        where the pictures grow, it begins anew with the new layers of each stage.
        """
        if self.ema_generator is None:
            return
        start = self.growing.stage.start if self.growing else 0
        done = tf.cast(self.iteration - start, tf.float32)
        memory = tf.minimum(self.recipe.ema, (1 + done) / (YOUNG + done))
        pairs = zip(self.ema_generator.weights, self.generator.weights, strict=True)
        for average, weight in pairs:
            average.assign(weight.value + memory * (average.value - weight.value))

    def _reported(self) -> tuple[str, ...]:
        return (*SCALARS, "augment") if self.recipe.augment == "ada" else SCALARS

    def _seed(self, stream: str, update: int = 0) -> tf.Tensor:
        """The seed of one use of randomness in this iteration, int64 (2,)."""
        seed = tf.stack([tf.constant(self.recipe.seed, tf.int64), self.iteration])
        return _folded(seed, STREAMS.index(stream) + 1000 * update)

    def _draw(self, latents: tf.Tensor, training: bool) -> tf.Tensor:
        generator = self.growing.generator if self.growing else self.generator
        return generator(latents, training=training)

    def _latents(self, batch: tf.Tensor, stream: str, update: int = 0) -> tf.Tensor:
        seed = self._seed(stream, update)
        return tf.random.stateless_normal([batch, self.recipe.latent_dim], seed)

    def _labels(self, shape: tf.Tensor, update: int = 0) -> tuple[tf.Tensor, ...]:
        """D's labels of reals and fakes, if its loss has any: noisy, smoothed, some swapped.

        The noise is the tutorial's, mirrored to 1 for real.
        """
        recipe = self.recipe
        if recipe.loss not in LABELLED:
            return ()
        draw = lambda stream: tf.random.stateless_uniform(shape, self._seed(stream, update))  # noqa: E731
        smoothing = recipe.label_smoothing
        real = 1 - smoothing - recipe.label_noise * draw("real_labels")
        fake = smoothing * recipe.smooth_fakes - recipe.label_noise * draw("fake_labels")
        if share := recipe.label_flips:
            swap_real, swap_fake = draw("real_flips") < share, draw("fake_flips") < share
            real, fake = tf.where(swap_real, fake, real), tf.where(swap_fake, real, fake)
        return real, fake

    def _view(self, pictures: tf.Tensor, stream: str, update: int = 0) -> tf.Tensor:
        """What D sees of pictures: augmented, then noisy."""
        recipe, seed = self.recipe, self._seed(stream, update)
        if recipe.augment != "none":
            operations = set(recipe.augment_ops.split(","))
            pictures = augment.augment(pictures, self.augment_share, operations, seed)
        if recipe.instance_noise:
            noise = tf.random.stateless_normal(tf.shape(pictures), _folded(seed, 1))
            pictures += self._noise_level() * noise
        return pictures

    def _noise_level(self) -> tf.Tensor:
        """Standard deviation of the instance noise in this iteration (Sønderby et al. 2017)."""
        recipe = self.recipe
        if not recipe.instance_noise_iters:
            return tf.constant(recipe.instance_noise)
        faded = tf.cast(self.iteration, tf.float32) / recipe.instance_noise_iters
        return recipe.instance_noise * tf.maximum(1 - faded, 0.0)

    def _both_logits(
        self,
        reals: tf.Tensor,
        fakes: tf.Tensor,
        training: bool,
        streams: tuple[str, str],
        update: int = 0,
        given: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """D's logits of reals and fakes, in one pass, of the second stream, or in two."""
        if self.recipe.separate_batches:
            real_logits = self._logits(reals, training, streams[0], update, given)
            return real_logits, self._logits(fakes, training, streams[1], update, given)
        together = tf.concat([fakes, reals], axis=0)
        twice = None if given is None else tf.concat([given, given], axis=0)
        logits = self._logits(together, training, streams[1], update, twice)
        fake_logits, real_logits = tf.split(logits, 2)
        return real_logits, fake_logits

    def _logits(
        self,
        pictures: tf.Tensor,
        training: bool,
        stream: str,
        update: int = 0,
        given: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """D's logits, its dropout drawn from this iteration's seed."""
        dropouts = [x for x in self.discriminator.layers if isinstance(x, keras.layers.Dropout)]
        for place, layer in enumerate(dropouts):
            if layer.rate > 0:
                layer.seed_generator.state.assign(self._dropout_state(stream, update, place))
        return self.discriminator_logits(_inputs(pictures, given), training=training)

    def _dropout_state(self, stream: str, update: int = 0, place: int = 0) -> tf.Tensor:
        """The seed of one layer's dropout as Keras keeps it, uint32 (2,)."""
        seed = _folded(self._seed(stream, update), place)
        return tf.random.stateless_uniform([2], seed, None, None, tf.uint32)


def _shares(
    real: tf.Tensor, conditions: tf.Tensor | None, count: int
) -> Iterator[tuple[tf.Tensor, tf.Tensor | None]]:
    """Cuts a batch into one for each of D's updates, with its conditions or None."""
    given = [None] * count if conditions is None else tf.split(conditions, count)
    return zip(tf.split(real, count), given, strict=True)


def _inputs(first: tf.Tensor, given: tf.Tensor | None) -> tf.Tensor | list[tf.Tensor]:
    """What a network reads: latents or pictures, with conditions where there are any."""
    return first if given is None else [first, given]


def _folded(seed: tf.Tensor, number: int) -> tf.Tensor:
    """Another seed, int64 (2,), for each number."""
    return tf.random.experimental.stateless_fold_in(seed, tf.constant(number, tf.int64))


def _slope_ratio(
    loss: Loss, real_logits: tf.Tensor, fake_logits: tf.Tensor, labels: tuple[tf.Tensor, ...]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns G's loss, and the slopes of G's loss at the fakes' logits over those of D's loss."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(fake_logits)
        d_loss = loss.discriminator(real_logits, fake_logits, *labels)
        a_loss = loss.generator(fake_logits, *([real_logits] if loss.paired else []))
    d_slopes, a_slopes = (tape.gradient(value, fake_logits) for value in (d_loss, a_loss))
    return a_loss, tf.math.divide_no_nan(a_slopes, d_slopes)


def _forget(optimizer: keras.optimizers.Optimizer) -> None:
    """Brings an optimizer back to its first update: what it remembers is of other gradients."""
    for variable in getattr(optimizer, "inner_optimizer", optimizer).variables:
        variable.assign(tf.zeros_like(variable.value))


def _augment_share(recipe: Recipe) -> Any:
    if recipe.augment == "auto":
        raise UserError(
            "`--augment auto` should be resolved by the number of pictures. Received: auto. Call "
            "recipes.resolve_augment(recipe, count) first."
        )
    if recipe.augment == "ada":
        return tf.Variable(0.0, trainable=False, name="augment_share")
    return 0.0 if recipe.augment == "none" else float(recipe.augment)
