"""The two networks, their optimizers, and one iteration of the game between them."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from kerasgan import augment, backend, energy, models
from kerasgan.backend import keras, tf
from kerasgan.chance import Chance, D, G
from kerasgan.critic import Critic, Logits
from kerasgan.losses import LOSSES
from kerasgan.optimizers import build_optimizer
from kerasgan.recipes import Recipe

# What one iteration reports, in the order of the step; ADA adds "augment", its probability.
SCALARS = ("d_loss", "a_loss", "d_real", "d_fake", "d_fake_after", "d_accuracy")

EMA_DELAY = 5  # iterations: the averaged generator's memory is (1 + n) / (EMA_DELAY + n) at most
POWER_ITERATIONS = 20  # before the first update, so that spectral norms begin near 1
MIN_SLOPE = 1e-20  # of D's loss at a fake's logit: far below what moves D, far above underflow

Scalars = dict[str, tf.Tensor]


class Judged(NamedTuple):
    """What D made of a batch.

    Attributes:
        logits: of reals and of fakes.
        labels: those that D's loss compared them with; none where it has none.
        loss: D's.
        objective: that, with the penalties.
    """

    logits: Logits
    labels: tuple[tf.Tensor, ...]
    loss: tf.Tensor
    objective: tf.Tensor


class GAN:
    """A generator and a discriminator with their optimizers.

    It is trained by `train_on_batch` in a plain loop. All randomness of an iteration is a function
    of the recipe's seed and the iteration's number, so a training can be taken up again anywhere
    and repeats itself exactly, where `backend.configure` has made TensorFlow's own operations
    repeatable.

    Example:

    >>> import numpy as np
    >>> from kerasgan.gan import GAN
    >>> from kerasgan.recipes import PRESETS
    >>> gan = GAN(PRESETS["fast"])
    >>> losses = gan.train_on_batch(np.zeros((8, 64, 64, 3), "float32"))
    >>> sorted(losses)
    ['a_loss', 'd_accuracy', 'd_fake', 'd_fake_after', 'd_loss', 'd_real']

    Args:
        recipe: every hyperparameter. What is "auto" in it is resolved by what is known here: an
            `augment` of "auto" becomes "none", since the number of pictures is not.

    Attributes:
        recipe: the same, resolved.
        generator: latents (B, latent_dim) to pictures (B, size, size, channels) in [-1, 1]; with
            conditions from [latents, conditions (B, condition_size)].
        discriminator: pictures to verdicts (B, 1), 1 for real; with conditions from [pictures,
            conditions].
        ema_generator: the generator with weights averaged over the training, or None.
        slowdown: a factor on both learning rates, a variable; a rollback lowers it.
        augment_probability: of each kind of augmentation, 0 to 1; a variable with ADA.
        growing: where the pictures grow, the networks of the present stage; else None.
        iteration: how many iterations have been done, an int64 variable.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe = backend.resolved(recipe)
        self.generator = models.build_generator(recipe)
        self.discriminator = models.build_discriminator(recipe)
        self.ema_generator = models.build_generator(recipe) if recipe.ema else None
        self.slowdown = tf.Variable(1.0, trainable=False, name="slowdown")
        self.generator_optimizer = build_optimizer(
            recipe, self.generator, recipe.learning_rate, self.slowdown
        )
        self.discriminator_optimizer = build_optimizer(
            recipe,
            self.discriminator,
            recipe.d_learning_rate or recipe.learning_rate,
            self.slowdown,
            updates_an_iteration=recipe.n_critic,
        )
        self.augment_probability = _augment_probability(recipe)
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False, name="iteration")
        for _ in range(POWER_ITERATIONS):
            models.normalise(self.discriminator)
        self._logits = models.logits_of(self.discriminator)
        self.growing = None
        if recipe.grows:
            generators = [self.generator, *([self.ema_generator] if recipe.ema else [])]
            self.growing = models.Growing(recipe, generators, self.discriminator)
        self.compiled_step = tf.function(self.train_step, autograph=False)

    @property
    def shown_generator(self) -> keras.Model:
        """The generator whose pictures are shown and kept, the averaged one where there is one."""
        return self.ema_generator or self.generator

    @cached_property
    def adversarial(self) -> keras.Model:
        """The tutorial's combined model, from latents by G and the frozen D to verdicts (B, 1).

        Its weights are those of the two networks, at all times.
        """
        return models.build_adversarial(self.generator, self.discriminator)

    def state(self) -> dict[str, Any]:
        """Returns all that a checkpoint has to hold, by name."""
        parts = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator_optimizer": self.generator_optimizer,
            "discriminator_optimizer": self.discriminator_optimizer,
            "iteration": self.iteration,
            "slowdown": self.slowdown,
        }
        if self.recipe.ema:
            parts["ema_generator"] = self.ema_generator
        if self.recipe.augment == "ada":
            parts["augment_probability"] = self.augment_probability
        return parts

    def train_on_batch(self, real: np.ndarray | tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
        """Trains one iteration: `n_critic` updates of the discriminator, one of the generator.

        Args:
            real: float32 pictures in [-1, 1], (n_critic * B, size, size, channels); with
                conditions a pair of the pictures and their conditions, float32
                (n_critic * B, condition_size).

        Returns:
            d_loss and a_loss (the adversarial model's, that is the generator's), both without
            penalties and energy; D's mean verdict on reals (d_real) and on fakes (d_fake), all
            before the network's own update; d_fake_after, that on the fakes of the generator's
            update, after D's (before, where the updates are simultaneous); d_accuracy, the
            fraction of pairs of a real and a fake in which D puts the real higher, 0.5 by chance.
            With ADA also augment, the probability of a change. Where the pictures grow also side
            and alpha, their size and the weight of that size's layers in them.

        Raises:
            ValueError: conditions are missing, or are there where the recipe has none.
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
        scalars = self.compiled_step(tf.convert_to_tensor(real, tf.float32), conditions)
        return {name: float(value) for name, value in scalars.items()} | grown

    def train_step(self, real: tf.Tensor, conditions: tf.Tensor | None = None) -> Scalars:
        """One iteration in TensorFlow operations: D learns, then G, or both at once.

        Each fake has the condition of the real beside it: the fakes' conditions are as frequent
        as the reals', and pairs and what lies between them have one.

        Args:
            real: as for `train_on_batch`.
            conditions: likewise.

        Returns:
            `SCALARS` by name, float32 ().
        """
        if self.growing:
            real = self.growing.seen(real)
        step = self.simultaneous_step if self.recipe.simultaneous else self.alternating_step
        scalars = step(real, conditions)
        self.average()
        self.iteration.assign_add(1)
        ada = ("augment",) if self.recipe.augment == "ada" else ()
        return {name: scalars[name] for name in (*SCALARS, *ada)}

    def alternating_step(self, reals: tf.Tensor, conditions: tf.Tensor | None) -> Scalars:
        """Moves D, `n_critic` times, and then G against the D that has moved."""
        recipe, loss = self.recipe, LOSSES[self.recipe.loss]
        for update, (real, condition) in enumerate(_parts(reals, conditions, recipe.n_critic)):
            critic = self.critic(D, condition, update=update)
            with tf.GradientTape() as g_tape:
                fake = self.draw(critic.chance, real, condition, recipe.fakes_training)
            with tf.GradientTape() as d_tape:
                judged = self.judge(critic, real, tf.stop_gradient(fake))
            self.move(D, d_tape, judged.objective)
            scalars = self.report(judged)

        critic = self.critic(G, condition, recipe.frozen_d_training)
        if not recipe.reuse_fakes:
            with tf.GradientTape() as g_tape:
                fake = self.draw(critic.chance, real, condition, training=True)
        with g_tape:
            colours = recipe.energy * energy.distance(real, fake) if recipe.energy else 0.0
            view = critic.view(fake, "fake")
            if recipe.loss_traits.paired:
                real_logits, fake_logits = critic.both(critic.view(real, "real"), view)
                a_loss = loss.generator(fake_logits, real_logits)
            else:
                fake_logits = critic.one(view, "fake")
                a_loss = loss.generator(fake_logits)
            objective = a_loss + colours
        self.move(G, g_tape, objective)
        after = tf.reduce_mean(loss.verdict(fake_logits))
        return scalars | {"a_loss": a_loss, "d_fake_after": after}

    def simultaneous_step(self, reals: tf.Tensor, conditions: tf.Tensor | None) -> Scalars:
        """Moves both networks, each against the other as it was, from one pass of D.

        Each logit depends on its own picture alone, so the slopes of G's loss at the fakes are
        those of D's loss times a number for each fake: the ratio of the slopes at its logit.
        """
        critic = self.critic(D, conditions)
        with tf.GradientTape() as g_tape:
            fakes = self.draw(critic.chance, reals, conditions, training=True)
        with tf.GradientTape() as d_tape:
            d_tape.watch(fakes)
            judged = self.judge(critic, reals, fakes)
            a_loss, ratio, lift = _slopes(self.recipe, judged)
            objective = judged.objective + lift
        d_weights, g_weights = self.trained(D), self.trained(G)
        d_values, g_values = ([w.value for w in weights] for weights in (d_weights, g_weights))
        *d_gradients, at_fakes = d_tape.gradient(objective, [*d_values, fakes])
        upstream = at_fakes * ratio[:, :, tf.newaxis, tf.newaxis]
        if self.recipe.energy:
            upstream += energy.slopes(reals, fakes, self.recipe.energy)
        g_gradients = g_tape.gradient(fakes, g_values, output_gradients=upstream)
        self.discriminator_optimizer.apply(d_gradients, d_weights)
        self.generator_optimizer.apply(g_gradients, g_weights)
        models.normalise(self.discriminator)
        scalars = self.report(judged)
        return scalars | {"a_loss": a_loss, "d_fake_after": scalars["d_fake"]}

    def critic(
        self, mover: str, conditions: tf.Tensor | None, training: bool = True, update: int = 0
    ) -> Critic:
        """Returns D as an update of this iteration sees it.

        Args:
            mover: `D` or `G`, whose update it is.
            conditions: of the batch, float32 (B, condition_size), or None.
            training: D's `training=`.
            update: the number of D's update in the iteration.
        """
        chance = Chance(self.recipe, self.iteration, mover, update)
        network = self.playing[D]
        return Critic(self.recipe, network, chance, conditions, training, self.augment_probability)

    @property
    def playing(self) -> dict[str, keras.Model]:
        """The networks of the present stage by `G` and `D`, D up to its logits."""
        if self.growing:
            return {G: self.growing.generator, D: self.growing.logits}
        return {G: self.generator, D: self._logits}

    def draw(
        self, chance: Chance, reals: tf.Tensor, conditions: tf.Tensor | None, training: bool
    ) -> tf.Tensor:
        """Draws an update's fakes, as many as there are reals, under their conditions."""
        latents = chance.latents(tf.shape(reals)[0])
        inputs = latents if conditions is None else [latents, conditions]
        return self.playing[G](inputs, training=training)

    def judge(self, critic: Critic, reals: tf.Tensor, fakes: tf.Tensor) -> Judged:
        """Has D judge a batch: its loss, and that with the penalties that are due."""
        views = critic.view(reals, "real"), critic.view(fakes, "fake")
        logits = critic.both(*views)
        labels = critic.chance.labels(tf.shape(logits[0]))
        loss = LOSSES[self.recipe.loss].discriminator(*logits, *labels)
        penalties = critic.penalties(views[0], tf.stop_gradient(views[1]))
        return Judged(logits, labels, loss, loss + penalties)

    def move(self, mover: str, tape: tf.GradientTape, objective: tf.Tensor) -> None:
        """Moves one network; the other is frozen by not being named.

        Args:
            mover: `D` or `G`.
            tape: under which the objective was computed.
            objective: what becomes less, float32 ().
        """
        optimizer = self.discriminator_optimizer if mover == D else self.generator_optimizer
        weights = self.trained(mover)
        with tape:
            objective = optimizer.scale_loss(objective)
        gradients = tape.gradient(objective, [weight.value for weight in weights])
        optimizer.apply(gradients, weights)
        if mover == D:
            if limit := self.recipe.clip_weights:  # Arjovsky et al. 2017
                # All weights, those of stages to come as well.
                for weight in self.discriminator.trainable_weights:
                    weight.assign(tf.clip_by_value(weight.value, -limit, limit))
            models.normalise(self.discriminator)

    def trained(self, mover: str) -> list[keras.Variable]:
        """Returns the weights that an update of `D` or `G` moves."""
        return self.playing[mover].trainable_weights

    def report(self, judged: Judged) -> Scalars:
        """Returns what is told of D's update, and has ADA follow it (Karras et al. 2020)."""
        recipe, loss = self.recipe, LOSSES[self.recipe.loss]
        real_logits, fake_logits = judged.logits
        if recipe.augment == "ada":
            self.augment_probability.assign(
                augment.adapted(
                    self.augment_probability, real_logits, recipe.ada_target, recipe.ada_images
                )
            )
        return {
            "d_loss": judged.loss,
            "d_real": tf.reduce_mean(loss.verdict(real_logits)),
            "d_fake": tf.reduce_mean(loss.verdict(fake_logits)),
            "d_accuracy": tf.reduce_mean(tf.cast(real_logits > fake_logits, tf.float32)),
            "augment": tf.convert_to_tensor(self.augment_probability, tf.float32),
        }

    def average(self) -> None:
        """Moves the averaged generator, its statistics too; early on by more (Karras et al. 2018).

        The memory grows with the iterations done, so that the first weights are soon forgotten;
        where the pictures grow, it begins anew with the new layers of each stage.
        """
        if self.ema_generator is None:
            return
        start = self.growing.stage.start if self.growing else 0
        done = tf.cast(self.iteration - start, tf.float32)
        memory = tf.minimum(self.recipe.ema, (1 + done) / (EMA_DELAY + done))
        pairs = zip(self.ema_generator.weights, self.generator.weights, strict=True)
        for average, weight in pairs:
            average.assign(weight.value + memory * (average.value - weight.value))

    def _grow(self, growing: models.Growing) -> dict[str, float]:
        """Brings growing networks to the next iteration's stage; returns its side and alpha."""
        done = int(self.iteration)
        if growing.enter(done):
            self.compiled_step = tf.function(self.train_step, autograph=False)
        if done == growing.stage.start:
            _forget(self.generator_optimizer)
            _forget(self.discriminator_optimizer)
        return {"side": growing.stage.side, "alpha": growing.stage.alpha(done)}


def _parts(
    reals: tf.Tensor, conditions: tf.Tensor | None, count: int
) -> Iterator[tuple[tf.Tensor, tf.Tensor | None]]:
    """Cuts a batch into one for each of D's updates, with its conditions or None."""
    parts = [None] * count if conditions is None else tf.split(conditions, count)
    return zip(tf.split(reals, count), parts, strict=True)


def _slopes(recipe: Recipe, judged: Judged) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Compares the slopes of G's loss at the fakes' logits with those of D's loss.

    Returns:
        G's loss, (). The ratio of the slopes, G's over D's, (B, 1). A term for D's objective that
        lifts a slope of D's that is next to nothing, where D is very sure or just at its label, to
        one that carries G's: it is 0, and has no slope, everywhere else.
    """
    loss, paired = LOSSES[recipe.loss], recipe.loss_traits.paired
    real_logits, fake_logits = (tf.stop_gradient(logits) for logits in judged.logits)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(fake_logits)
        d_loss = loss.discriminator(real_logits, fake_logits, *judged.labels)
        a_loss = loss.generator(fake_logits, *([real_logits] if paired else []))
    d_slopes, a_slopes = (tape.gradient(value, fake_logits) for value in (d_loss, a_loss))
    least = tf.where(d_slopes < 0, -MIN_SLOPE, MIN_SLOPE)
    lifted = tf.where(tf.abs(d_slopes) < MIN_SLOPE, least, d_slopes)
    lift = tf.reduce_sum((lifted - d_slopes) * (judged.logits[1] - fake_logits))
    return a_loss, a_slopes / lifted, lift


def _forget(optimizer: keras.optimizers.Optimizer) -> None:
    """Brings an optimizer back to its first update: what it remembers is of other gradients."""
    for variable in getattr(optimizer, "inner_optimizer", optimizer).variables:
        variable.assign(tf.zeros_like(variable.value))


def _augment_probability(recipe: Recipe) -> Any:
    if recipe.augment == "ada":
        return tf.Variable(0.0, trainable=False, name="augment_probability")
    return recipe.augment_probability
