"""Recipes: every hyperparameter of a training, each with its unit or its reason."""

import argparse
import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from kerasgan import growth
from kerasgan.errors import UserError

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
OPTIMIZERS = ("rmsprop", "adam", "sgd")
LOSSES = ("bce", "saturating", "lsgan", "wgan", "wgan-gp", "hinge", "relativistic")
LABELLED = ("bce", "saturating", "lsgan")  # losses that compare D's output with labels
SMOOTH = ("bce", "relativistic")  # losses of D whose slope at a fake's logit is never 0
ON_COLLAPSE = ("warn", "stop", "rollback")
SIGNED = ("bce", "saturating", "hinge")  # losses in which the sign of a logit is a verdict

# The headings of `--help`, in its order.
NETWORKS, LOSS, OPTIMIZER = "networks", "loss", "optimizer"
REGULARISATION, AUGMENTATION = "regularisation", "augmentation"
WATCH, BOOKKEEPING = "watch", "bookkeeping"
GROUPS = (NETWORKS, LOSS, OPTIMIZER, REGULARISATION, AUGMENTATION, WATCH, BOOKKEEPING)


class Rule(NamedTuple):
    """What a value should be, in words and as a test."""

    words: str
    holds: Callable[[Any], bool]


COUNT = Rule("at least 1", lambda value: value >= 1)
POSITIVE = Rule("above 0 and finite", lambda value: 0 < value < math.inf)
NOT_NEGATIVE = Rule("at least 0 and finite", lambda value: 0 <= value < math.inf)
SHARE = Rule("from 0 to 1", lambda value: 0 <= value <= 1)
BELOW_ONE = Rule("at least 0 and below 1", lambda value: 0 <= value < 1)

SIZES = {
    "article": Rule("a multiple of 4 from 28 to 1024", lambda size: size in range(28, 1025, 4)),
    "dcgan": Rule(
        "32, 64, 128 or 256 for --network dcgan", lambda size: size in (32, 64, 128, 256)
    ),
    "fast": Rule("32, 64, 128 or 256 for --network fast", lambda size: size in (32, 64, 128, 256)),
    "mlp": Rule("from 8 to 128 for --network mlp", lambda size: 8 <= size <= 128),
    "progressive": Rule(
        "a power of 2 from 8 to 1024 for --network progressive",
        lambda size: size in (8, 16, 32, 64, 128, 256, 512, 1024),
    ),
}


def _is_augment(text: str) -> bool:
    if text in ("none", "auto", "ada"):
        return True
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _is_stages(text: str) -> bool:
    try:
        return text == "auto" or bool(growth.parse(text))
    except ValueError:
        return False


STAGES = Rule(
    "auto or SIDE:FADE+STEADY of each side from 4 on, doubled each time, the last one's STEADY "
    f"the word rest: {growth.WORDS}", _is_stages,
)  # fmt: skip


def _are_conditions(text: str) -> bool:
    names = text.split(",")
    return all(name and name == name.strip() for name in names) and len(set(names)) == len(names)


CONDITIONS = Rule("none, labels or attributes, each once, with commas", _are_conditions)
AUGMENT = Rule("none, auto, ada or a share from 0 to 1", _is_augment)


def _field(group: str, default: Any, help: str, rule: Rule | None = None, **metadata: Any) -> Any:
    """A field of the recipe: its default, the one text that `--help` shows, its rule."""
    if choices := metadata.get("choices"):
        rule = Rule("one of " + ", ".join(choices), choices.__contains__)
    metadata |= {"group": group, "help": help, "rule": rule}
    return dataclasses.field(default=default, metadata=metadata)


# fmt: off
@dataclass(frozen=True)
class Recipe:
    """Every hyperparameter of one training; the defaults are the tutorial's figures.

    Raises:
        UserError: a value is out of its range, or two of them make no sense together.
    """

    preset: str = _field(BOOKKEEPING, "article", "name of the preset this recipe began as",
                         flag=False)
    network: str = _field(NETWORKS, "article", "family of both networks", choices=tuple(SIZES))
    size: int = _field(NETWORKS, 128, "side of a picture, pixels: a multiple of 4 from 28 to 1024; "
                       "dcgan and fast: 32, 64, 128 or 256; mlp: 8 to 128; progressive: 8, 16 and "
                       "so on to 1024")
    channels: int = _field(NETWORKS, 3, "of a picture: 3 in colour, 1 in grey",
                           Rule("1 or 3", lambda value: value in (1, 3)))
    width: float = _field(NETWORKS, 1.0, "factor on the number of channels of every layer",
                          Rule("above 0 and at most 16", lambda value: 0 < value <= 16))
    latent_dim: int = _field(NETWORKS, 32, "numbers in a latent", COUNT)
    conditions: str = _field(NETWORKS, "none", "what steers both networks: labels, the classes of "
                             "the pictures; or attributes they have, such as Smiling,Male; none",
                             CONDITIONS)
    condition_dim: int = _field(NETWORKS, 32, "numbers that G makes of a condition, beside the "
                                "latent", COUNT)
    classes: int = _field(NETWORKS, 0, "how many there are, with --conditions labels; the pictures "
                          "say it", NOT_NEGATIVE, flag=False)
    leaky_slope: float = _field(NETWORKS, 0.3, "slope of LeakyReLU below zero, Keras' own default",
                                SHARE)
    dropout: float = _field(NETWORKS, 0.4, "share of D's features dropped, 0 to below 1", BELOW_ONE)
    g_batch_norm: bool = _field(NETWORKS, False, "BatchNorm after the inner layers of G")
    d_batch_norm: bool = _field(NETWORKS, False, "BatchNorm after the inner layers of D")
    init_std: float = _field(NETWORKS, 0.0, "standard deviation of normal initial weights; 0 draws "
                             "Glorot's uniform ones", BELOW_ONE)

    stages: str = _field(NETWORKS, "auto", "how --network progressive grows: SIDE:FADE+STEADY of "
                         f"each side from 4 on, in iterations, {growth.WORDS} for example; auto: "
                         "stages of equal length, half of each fading in, the last twice as long",
                         STAGES)

    loss: str = _field(LOSS, "bce", "of both networks; bce is the non-saturating one. A typed loss "
                       "brings along what its paper sets beside it, unless that is typed too: wgan "
                       "--clip-weights 0.01 --n-critic 5, wgan-gp --gp 10 --penalty-every 1 "
                       "--n-critic 5 --no-d-batch-norm, both --r1 0 --r2 0, losses without "
                       "labels --label-noise 0, all but bce and relativistic --no-simultaneous",
                       choices=LOSSES)
    energy: float = _field(LOSS, 0.0, "weight in G's loss of the energy distance between the "
                           "colours of fakes and reals, 4x4 cells a picture; holds the hues, which "
                           "D drives round; 0 for none", NOT_NEGATIVE)
    n_critic: int = _field(LOSS, 1, "updates of D an iteration, each with reals of its own", COUNT)
    label_noise: float = _field(LOSS, 0.05, "D's labels are moved by this times uniform [0, 1)",
                                BELOW_ONE)
    label_smoothing: float = _field(LOSS, 0.0, "D's labels of reals are 1 less this",
                                    Rule("at least 0 and below 0.5", lambda value: 0 <= value < .5))
    smooth_fakes: bool = _field(LOSS, False, "two-sided: D's labels of fakes are --label-smoothing")
    label_flips: float = _field(LOSS, 0.0, "share of D's labels that are swapped",
                                Rule("at least 0 and below 0.5", lambda value: 0 <= value < .5))
    separate_batches: bool = _field(LOSS, False, "D sees reals and fakes in passes of their own, "
                                    "each with its own batch statistics")
    fakes_training: bool = _field(LOSS, False, "G's training= when it draws for D's update; True "
                                  "takes BatchNorm's statistics from the batch")
    reuse_fakes: bool = _field(LOSS, False, "G's update takes the fakes that D has just seen, "
                               "which saves drawing others")
    simultaneous: bool = _field(LOSS, False, "both networks move at once, from one pass of D over "
                                "reals and fakes, which takes a quarter less time")
    frozen_d_training: bool = _field(LOSS, True, "D's training= in G's update; True keeps its "
                                     "dropout on and BatchNorm on the batch's statistics")

    optimizer: str = _field(OPTIMIZER, "rmsprop", "of both networks", choices=OPTIMIZERS)
    learning_rate: float = _field(OPTIMIZER, 1e-4, "size of an update's step", POSITIVE)
    d_learning_rate: float = _field(OPTIMIZER, 0.0, "D's own; 0 takes --learning-rate",
                                    NOT_NEGATIVE)
    decay: float = _field(OPTIMIZER, 1e-8, "learning rate is divided by 1 + decay * update",
                          NOT_NEGATIVE)
    warm_up: int = _field(OPTIMIZER, 0, "first iterations, in which the learning rate rises "
                          "evenly; 0 for none", NOT_NEGATIVE)
    momentum: float = _field(OPTIMIZER, 0.0, "share of the last step kept, rmsprop and sgd",
                             BELOW_ONE)
    beta1: float = _field(OPTIMIZER, 0.9, "memory of the mean gradient, adam", BELOW_ONE)
    beta2: float = _field(OPTIMIZER, 0.999, "memory of the mean squared gradient, adam", BELOW_ONE)
    rho: float = _field(OPTIMIZER, 0.9, "memory of the mean squared gradient, rmsprop", BELOW_ONE)
    epsilon: float = _field(OPTIMIZER, 1e-7, "keeps divisions finite, rmsprop and adam", POSITIVE)
    clipvalue: float = _field(OPTIMIZER, 1.0, "each gradient entry is clipped to +- this, which "
                              "tames early steps; 0 clips none", NOT_NEGATIVE)

    r1: float = _field(REGULARISATION, 0.0, "weight of half D's squared slope at reals",
                       NOT_NEGATIVE)
    r2: float = _field(REGULARISATION, 0.0, "weight of half D's squared slope at fakes",
                       NOT_NEGATIVE)
    gp: float = _field(REGULARISATION, 0.0, "weight of D's squared distance from slope 1 between "
                       "reals and fakes", NOT_NEGATIVE)
    penalty_every: int = _field(REGULARISATION, 1, "updates of D between penalties, whose weight "
                                "is multiplied by it", COUNT)
    clip_weights: float = _field(REGULARISATION, 0.0, "D's weights are clipped to +- this after "
                                 "each update, for --loss wgan; 0 clips none", NOT_NEGATIVE)
    spectral_norm: bool = _field(REGULARISATION, False, "every layer of D is kept at spectral "
                                 "norm 1")
    instance_noise: float = _field(REGULARISATION, 0.0, "standard deviation of the noise on every "
                                   "picture that D sees, at first", NOT_NEGATIVE)
    instance_noise_iters: int = _field(REGULARISATION, 0, "iterations in which that noise fades to "
                                       "nothing; 0 keeps it", NOT_NEGATIVE)
    ema: float = _field(REGULARISATION, 0.0, "memory of the averaged generator that draws every "
                        "picture you see, 0.999 say, less at first; 0 averages none", BELOW_ONE)

    augment: str = _field(AUGMENTATION, "none", "share of pictures that DiffAugment changes before "
                          "D sees them, 0 to 1; auto: by how often D will see each, ada: by "
                          "how D overfits",
                          AUGMENT)
    augment_ops: str = _field(AUGMENTATION, "color,translation,cutout", "the ways of it in use",
                              Rule("of color, translation and cutout, with commas",
                                   lambda text: bool(text) and set(text.split(","))
                                   <= {"color", "translation", "cutout"}))
    ada_target: float = _field(AUGMENTATION, 0.6, "mean sign of D's logits of reals that ada "
                               "keeps", SHARE)
    ada_images: int = _field(AUGMENTATION, 500_000, "reals in which ada may go from 0 to 1", COUNT)
    flip: bool = _field(AUGMENTATION, False, "half of the reals are mirrored, left for right")

    evaluate_every: int = _field(WATCH, 0, "iterations between evaluations of the pictures, whose "
                                 "best generator is kept; 0 for none", NOT_NEGATIVE,
                                 resumable=True)
    evaluate_count: int = _field(WATCH, 1000, "pictures drawn for an evaluation",
                                 Rule("from 100 to 50000", lambda value: 100 <= value <= 50_000),
                                 resumable=True)
    on_collapse: str = _field(WATCH, "warn", "when evaluations show a collapse: rollback goes back "
                              "to the best weights with half the learning rate, up to 3 times",
                              choices=ON_COLLAPSE, resumable=True)
    patience: int = _field(WATCH, 0, "evaluations without a better one after which training "
                           "stops; 0 never stops it", NOT_NEGATIVE, resumable=True)

    iters: int = _field(BOOKKEEPING, 20_000, "iterations in all: --n-critic updates of D and one "
                        "of G each", COUNT, resumable=True)
    batch_size: int = _field(BOOKKEEPING, 16, "real pictures an update of D; it sees as many fakes",
                             COUNT)
    control_latents: int = _field(BOOKKEEPING, 36, "pictures in the control grid", COUNT)
    control_scale: float = _field(BOOKKEEPING, 0.5, "factor on the normal control latents; below "
                                  "1 is tamer", POSITIVE)
    grid_every: int = _field(BOOKKEEPING, 50, "iterations between control grids", COUNT,
                             resumable=True)
    checkpoint_every: int = _field(BOOKKEEPING, 50, "iterations between checkpoints; 0 for none by "
                                   "their count", NOT_NEGATIVE, resumable=True)
    checkpoint_minutes: float = _field(BOOKKEEPING, 5.0, "minutes of training between checkpoints, "
                                       "beside those of --checkpoint-every; 0 for none by time",
                                       NOT_NEGATIVE, resumable=True)
    keep_checkpoints: int = _field(BOOKKEEPING, 3, "last checkpoints kept", COUNT, resumable=True)
    precision: str = _field(BOOKKEEPING, "auto", "of the networks' arithmetic; auto takes what is "
                            "fast here", choices=PRECISIONS)
    seed: int = _field(BOOKKEEPING, 0, "of weights, latents, labels, dropout, augmentation and the "
                       "order of pictures",
                       Rule("from 0 to 2147483647", lambda value: 0 <= value < 2**31))
# fmt: on

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, rule = getattr(self, field.name), field.metadata["rule"]
            if type(value) is not field.type and (field.type, type(value)) != (float, int):
                kind = getattr(field.type, "__name__", field.type)
                raise UserError(f"`{flag(field.name)}` should be {kind}. Received: {value!r}.")
            if rule and not rule.holds(value):
                raise _out_of_range(field.name, rule, value)
        if not SIZES[self.network].holds(self.size):
            raise _out_of_range("size", SIZES[self.network], self.size)
        clashes = (self._label_clashes, self._slope_clashes, self._growth_clashes,
                   self._simultaneous_clashes, self._other_clashes)
        for clash in chain.from_iterable(find() for find in clashes):
            raise UserError(clash)

    @property
    def grows(self) -> bool:
        """Whether training begins with small pictures, by `stages`."""
        return self.network == "progressive"

    @property
    def reals_an_iteration(self) -> int:
        """Real pictures that all updates of one iteration see together."""
        return self.batch_size * self.n_critic

    @property
    def condition_size(self) -> int:
        """Numbers in a condition, one for each class or attribute; 0 without conditions."""
        if self.conditions == "labels":
            return self.classes
        return 0 if self.conditions == "none" else len(self.conditions.split(","))

    def _label_clashes(self) -> Iterator[str]:
        """Tricks with labels where the loss has none."""
        if self.loss in LABELLED:
            return
        for name in ("label_noise", "label_smoothing", "label_flips"):
            if value := getattr(self, name):
                yield (
                    f"`{flag(name)}` is for losses with labels: {', '.join(LABELLED)}. Received: "
                    f"{value} with --loss {self.loss}. Type {flag(name)} 0."
                )

    def _slope_clashes(self) -> Iterator[str]:
        """Bounds on D's slope that a loss lacks, or that work against each other."""
        penalties = [name for name in ("r1", "r2", "gp") if getattr(self, name)]
        typed = ", ".join(f"--{name} {getattr(self, name)}" for name in penalties)
        if self.loss == "wgan" and self.gp:
            yield (
                "`--loss wgan` bounds D by clipping, wgan-gp by the penalty. Received: --loss "
                f"wgan with --gp {self.gp}. Type --loss wgan-gp."
            )
        if self.loss == "wgan" and not (self.clip_weights or self.spectral_norm):
            yield (
                "`--loss wgan` should come with a bound on D's slope. Received: none. Type "
                "--clip-weights 0.01, --spectral-norm, or --loss wgan-gp --gp 10."
            )
        if self.loss == "wgan-gp" and not self.gp:
            yield "`--loss wgan-gp` should come with its penalty. Received: --gp 0. Type --gp 10."
        if self.clip_weights and self.loss != "wgan":
            yield (
                "`--clip-weights` is how --loss wgan bounds D; other losses want D free. Received: "
                f"{self.clip_weights} with --loss {self.loss}. Type --clip-weights 0."
            )
        if self.clip_weights and self.spectral_norm:
            yield (
                "`--clip-weights` and `--spectral-norm` both bound D, and undo each other. "
                "Received: both. Type --clip-weights 0 or --no-spectral-norm."
            )
        if self.gp and len(penalties) > 1:
            yield (
                "`--gp` draws D's slope to 1, `--r1` and `--r2` draw it to 0. Received: "
                f"{typed}. Type --gp 0, or --r1 0 --r2 0."
            )
        if penalties and self.d_batch_norm:
            yield (
                "A penalty is on D's slope at one picture, which BatchNorm mixes with the others "
                f"of the batch. Received: {typed} with --d-batch-norm. Type --no-d-batch-norm."
            )
        if self.spectral_norm and self.d_batch_norm:
            yield (
                "`--spectral-norm` bounds the scale of D's layers, which BatchNorm sets anew. "
                "Received: both. Type --no-d-batch-norm or --no-spectral-norm."
            )

    def _growth_clashes(self) -> Iterator[str]:
        """Stages that do not fit, and what mixes pictures that growing networks keep apart."""
        if not self.grows:
            if self.stages != "auto":
                yield (
                    "`--stages` is for the network that grows. Received: "
                    f"{self.stages} with --network {self.network}. Type --network progressive."
                )
            return
        if self.stages != "auto":
            last = growth.parse(self.stages)[-1]
            if last.side != self.size:
                yield (
                    f"`--stages` should end with --size. Received: {last.side} as the last, with "
                    f"--size {self.size}. Type --stages auto to see {self.size} reached."
                )
            if last.start >= self.iters:
                yield (
                    f"`--iters` should be more than the stages before the last take. Received: "
                    f"{self.iters:,}, with {last.start:,}. Type --iters {2 * last.start}, or "
                    "shorter --stages."
                )
        if self.conditions != "none":
            yield (
                "`--conditions` steer networks that keep their size. Received: "
                f"{self.conditions} with --network progressive. Type --preset conditional."
            )
        for name in ("g_batch_norm", "d_batch_norm"):
            if getattr(self, name):
                yield (
                    "`--network progressive` normalises each pixel by itself, and D compares the "
                    f"pictures of a batch, which BatchNorm undoes. Received: {flag(name)}. Type "
                    f"--no-{flag(name)[2:]}."
                )
        if self.init_std:
            yield (
                "`--network progressive` draws weights of standard deviation 1 and scales them in "
                f"use. Received: --init-std {self.init_std}. Type --init-std 0."
            )
        if not self.separate_batches:
            yield (
                "D of `--network progressive` looks at how much the pictures of a batch differ, "
                "which mixed batches hide. Received: --no-separate-batches. Type "
                "--separate-batches."
            )

    def _simultaneous_clashes(self) -> Iterator[str]:
        """What keeps G's slopes from following from those of D's update."""
        if not self.simultaneous:
            return
        apart = "`--simultaneous` takes G's slopes from D's update"
        if self.loss not in SMOOTH:
            yield (
                f"{apart}, which those losses allow: {', '.join(SMOOTH)}. Received: --loss "
                f"{self.loss}. Type --no-simultaneous."
            )
        if self.n_critic > 1:
            yield (
                f"{apart}, of which there should be one. Received: --n-critic {self.n_critic}. "
                "Type --n-critic 1."
            )
        if self.d_batch_norm or self.grows:
            yield (
                f"{apart}, in which each logit should depend on its own picture. Received: a D "
                "that compares the pictures of a batch. Type --no-simultaneous."
            )
        if self.precision == "float16":
            yield (
                f"{apart}, which may be too small for float16. Received: --precision float16. "
                "Type --precision bfloat16 or float32."
            )

    def _other_clashes(self) -> Iterator[str]:
        for name in ("on_collapse", "patience"):
            value = getattr(self, name)
            if value not in ("warn", 0) and not self.evaluate_every:
                yield (
                    f"`{flag(name)}` goes by evaluations. Received: {value} without any. Type "
                    "--evaluate-every 500."
                )
        if self.momentum and self.optimizer == "adam":
            yield (
                "`--momentum` is for rmsprop and sgd; Adam's is --beta1. Received: "
                f"{self.momentum} with --optimizer adam. Type --momentum 0."
            )
        if self.reuse_fakes and not self.fakes_training:
            yield (
                "`--reuse-fakes` needs fakes drawn as G's update draws them. Received: "
                "--no-fakes-training. Type --fakes-training."
            )
        if self.augment == "ada" and self.loss not in SIGNED:
            yield (
                "`--augment ada` reads the sign of D's logits, a verdict in the losses "
                f"{', '.join(SIGNED)} only. Received: --loss {self.loss}. Type --augment auto."
            )


PRESETS = {
    "article": Recipe(),
    # The same networks and loop, small enough for a CPU: an eighth of the channels, 64x64.
    "article-lite": Recipe(preset="article-lite", size=64, width=1 / 8),
    # The convolutional GAN of Radford et al. 2015 with the figures of PyTorch's tutorial.
    "dcgan": Recipe(
        preset="dcgan", network="dcgan", size=64, latent_dim=100, leaky_slope=0.2, dropout=0.0,
        g_batch_norm=True, d_batch_norm=True, init_std=0.02,
        label_noise=0.0, separate_batches=True, fakes_training=True, reuse_fakes=True,
        optimizer="adam", learning_rate=2e-4, decay=0.0, beta1=0.5, epsilon=1e-8, clipvalue=0.0,
        iters=8_000, batch_size=128, control_latents=64, control_scale=1.0,
    ),
    # Faces in minutes on a CPU, see kerasgan.models.fast; docs/fast.md says how it was found.
    "fast": Recipe(
        preset="fast", network="fast", size=64, latent_dim=64, leaky_slope=0.2, dropout=0.0,
        g_batch_norm=True, loss="relativistic", label_noise=0.0, fakes_training=True,
        simultaneous=True, energy=10.0,
        optimizer="adam", learning_rate=5e-4, decay=2.5e-5, warm_up=200, beta1=0.0, beta2=0.99,
        epsilon=1e-8, clipvalue=0.0, batch_size=8,
        r1=0.3, r2=0.3, penalty_every=16, ema=0.9999, flip=True,
        augment="auto", augment_ops="translation",
        grid_every=200, checkpoint_every=500, control_scale=1.0,
    ),
    # Dense layers only, at the size of handwritten digits.
    "mlp": Recipe(
        preset="mlp", network="mlp", size=28, latent_dim=100, leaky_slope=0.2, dropout=0.3,
        label_noise=0.0, separate_batches=True,
        optimizer="adam", learning_rate=2e-4, decay=0.0, beta1=0.5, clipvalue=0.0,
        batch_size=128,
    ),
    # Karras et al. 2018, with an eighth of the channels and the non-saturating loss with a lazy R1:
    # the penalty of the paper's wgan-gp is due in every update, which costs more.
    "progressive": Recipe(
        preset="progressive", network="progressive", size=64, width=1 / 8, latent_dim=128,
        leaky_slope=0.2, dropout=0.0,
        label_noise=0.0, separate_batches=True, fakes_training=True, reuse_fakes=True,
        optimizer="adam", learning_rate=2e-3, decay=0.0, beta1=0.0, beta2=0.99, epsilon=1e-8,
        clipvalue=0.0, r1=1.0, penalty_every=8, ema=0.999,
        iters=12_000, batch_size=16, control_scale=1.0,
    ),
}  # fmt: skip
# dcgan at a quarter of its channels, which a CPU has time for, steered by what CelebA and the
# built-in faces both know; its control grid has a row for each of the eight combinations. D is held
# back as the tutorial's is, else each condition collapses to one face.
PRESETS["conditional"] = dataclasses.replace(
    PRESETS["dcgan"], preset="conditional", width=1 / 4, batch_size=64,
    conditions="Smiling,Male,Eyeglasses", condition_dim=8,
    d_batch_norm=False, dropout=0.4, label_noise=0.05, ema=0.999,
)  # fmt: skip

_NO_LABELS = {"label_noise": 0.0, "label_smoothing": 0.0, "label_flips": 0.0}
_APART = {"simultaneous": False}
_NO_SLOPE = {"r1": 0.0, "r2": 0.0}  # each has its own bound on D's slope

# What a loss that is typed brings along, unless that is typed too: its paper's figures.
COMPANIONS: dict[str, dict[str, Any]] = {
    "saturating": _APART,
    "lsgan": _APART,
    "wgan": {**_NO_LABELS, **_NO_SLOPE, **_APART, "clip_weights": 0.01, "n_critic": 5},
    "wgan-gp": {**_NO_LABELS, **_NO_SLOPE, **_APART, "gp": 10.0, "penalty_every": 1, "n_critic": 5,
                "d_batch_norm": False},
    "hinge": {**_NO_LABELS, **_APART},
    "relativistic": _NO_LABELS,
}

# Times that D sees each picture: so few are not known by heart; where they are so many, all are to
# be augmented (CIFAR's tenth in Zhao et al. 2020). On sets of faces, see docs/fast.md.
RARELY, OFTEN = 20, 1_500


def resolve_augment(recipe: Recipe, count: int) -> Recipe:
    """Returns the recipe with `augment` "auto" replaced by a share, or by "none".

    Args:
        recipe: any.
        count: pictures in the training set. By how often `iters` iterations show each to D the
            share rises from 0 at `RARELY` to 1 at `OFTEN`, evenly with the logarithm.
    """
    if recipe.augment != "auto":
        return recipe
    times = recipe.iters * recipe.reals_an_iteration / max(count, 1)
    share = math.log(times / RARELY) / math.log(OFTEN / RARELY)
    augment = f"{min(share, 1.0):.2f}" if share >= 0.01 else "none"
    return dataclasses.replace(recipe, augment=augment)


def resolve_stages(recipe: Recipe) -> Recipe:
    """Returns the recipe with `stages` "auto" replaced by stages for its `size` and `iters`.

    They are then fixed: a training that is later given more iterations has them in its last stage.
    """
    if not recipe.grows or recipe.stages != "auto":
        return recipe
    return dataclasses.replace(recipe, stages=growth.spread(recipe.size, recipe.iters))


def resolve_classes(recipe: Recipe, count: int) -> Recipe:
    """Returns the recipe with the number of classes, where these are its conditions.

    Args:
        recipe: any.
        count: classes of the pictures.
    """
    return dataclasses.replace(recipe, classes=count if recipe.conditions == "labels" else 0)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds one flag for each field of the recipe; flags that are not typed leave no trace."""
    groups = {
        name: parser.add_argument_group(f"recipe: {name}", "each overrides what the preset says")
        for name in GROUPS
    }
    for field in _flag_fields():
        options: dict[str, Any] = {"help": f"{field.metadata['help']} ({_defaults(field)})"}
        if field.type is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options["type"] = field.type
            options["choices"] = field.metadata.get("choices")
            options["metavar"] = None if options["choices"] else _METAVARS[field.type]
        group = groups[field.metadata["group"]]
        group.add_argument(flag(field.name), default=argparse.SUPPRESS, **options)


_METAVARS: dict[Any, str] = {int: "N", float: "X", str: "WORD"}


def overrides(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the recipe fields that were typed, by name."""
    return {f.name: getattr(args, f.name) for f in _flag_fields() if hasattr(args, f.name)}


def apply(preset: Recipe, typed: dict[str, Any]) -> Recipe:
    """Returns the preset with what was typed, and with what a typed loss brings along."""
    return dataclasses.replace(preset, **COMPANIONS.get(typed.get("loss", ""), {}) | typed)


def flag(name: str) -> str:
    """Returns the command line's name of a recipe field."""
    return "--" + name.replace("_", "-")


def refused_changes(old: Recipe, new: Recipe) -> list[str]:
    """Returns the differences, one phrase each, that would make a resumed run another run."""
    return [
        f"{flag(field.name)} {getattr(old, field.name)} -> {getattr(new, field.name)}"
        for field in dataclasses.fields(Recipe)
        if getattr(old, field.name) != getattr(new, field.name)
        and not field.metadata.get("resumable")
    ]


def _flag_fields() -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(Recipe) if f.metadata.get("flag", True)]


def _defaults(field: dataclasses.Field[Any]) -> str:
    """Names the default, and the presets that have another value."""
    default = getattr(PRESETS["article"], field.name)
    others = [
        f"{name}: {value}"
        for name, preset in PRESETS.items()
        if (value := getattr(preset, field.name)) != default
    ]
    return "; ".join([f"default: {default}", *others])


def _out_of_range(name: str, rule: Rule, value: Any) -> UserError:
    return UserError(f"`{flag(name)}` should be {rule.words}. Received: {value}.")
