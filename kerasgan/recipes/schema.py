"""The recipe: every hyperparameter of a training, each with its unit or its reason."""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kerasgan import growth
from kerasgan.conditions import LABELS, NONE, split_names
from kerasgan.errors import UserError
from kerasgan.growth import Stage
from kerasgan.recipes import clashes, traits
from kerasgan.recipes.rules import (
    AUGMENT,
    AUGMENT_OPS,
    BELOW_HALF,
    BELOW_ONE,
    CONDITIONS,
    COUNT,
    FRACTION,
    NAME,
    NOT_NEGATIVE,
    POSITIVE,
    STAGES,
    Rule,
    flag,
    one_of,
)
from kerasgan.recipes.traits import LOSS_TRAITS, NETWORK_TRAITS, LossTraits, NetworkTraits
from kerasgan.text import shortened

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
OPTIMIZERS = ("rmsprop", "adam", "sgd")
MAX_WHOLE = 2**31
ON_COLLAPSE = ("warn", "stop", "rollback")

# The headings of `--help`, in its order.
NETWORKS, LOSS, OPTIMIZER = "networks", "loss", "optimizer"
REGULARISATION, AUGMENTATION = "regularisation", "augmentation"
WATCH, BOOKKEEPING = "watch", "bookkeeping"
GROUPS = (NETWORKS, LOSS, OPTIMIZER, REGULARISATION, AUGMENTATION, WATCH, BOOKKEEPING)


def _field(group: str, default: Any, help: str, rule: Rule | None = None, **metadata: Any) -> Any:
    """A field of the recipe: its default, the one text that `--help` shows, its rule."""
    if choices := metadata.get("choices"):
        rule = one_of(choices)
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
                         NAME, flag=False)
    network: str = _field(NETWORKS, "article", "family of both networks", choices=traits.NETWORKS)
    size: int = _field(NETWORKS, 128, traits.size_help())
    channels: int = _field(NETWORKS, 3, "of a picture: 3 in colour, 1 in grey",
                           Rule("1 or 3", lambda value: value in (1, 3)))
    width: float = _field(NETWORKS, 1.0, "factor on the number of channels of every layer",
                          Rule("above 0 and at most 16", lambda value: 0 < value <= 16))
    d_width: float = _field(NETWORKS, 1.0, "the same for D's channels alone, times --width",
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
                                FRACTION)
    dropout: float = _field(NETWORKS, 0.4, "fraction of D's features dropped, 0 to below 1",
                            BELOW_ONE)
    g_batch_norm: bool = _field(NETWORKS, False, "BatchNorm after the inner layers of G")
    d_batch_norm: bool = _field(NETWORKS, False, "BatchNorm after the inner layers of D")
    init_std: float = _field(NETWORKS, 0.0, "standard deviation of normal initial weights; 0 draws "
                             "Glorot's uniform ones", BELOW_ONE)

    stages: str = _field(NETWORKS, "auto", "how --network progressive grows: SIDE:FADE+STEADY of "
                         f"each side from 4 on, in iterations, {growth.WORDS} for example; auto: "
                         "stages of equal length, half of each fading in, the last twice as long",
                         STAGES)

    loss: str = _field(LOSS, "bce", traits.loss_help(), choices=traits.LOSSES)
    energy: float = _field(LOSS, 0.0, "weight in G's loss of the energy distance between the "
                           "colours of fakes and reals, 4x4 cells a picture; holds the hues, which "
                           "D drives round; 0 for none", NOT_NEGATIVE)
    n_critic: int = _field(LOSS, 1, "updates of D an iteration, each with reals of its own", COUNT)
    label_noise: float = _field(LOSS, 0.05, "D's labels are moved by this times uniform [0, 1)",
                                BELOW_ONE)
    label_smoothing: float = _field(LOSS, 0.0, "D's labels of reals are 1 less this",
                                    BELOW_HALF)
    smooth_fakes: bool = _field(LOSS, False, "two-sided: D's labels of fakes are --label-smoothing")
    label_flips: float = _field(LOSS, 0.0, "probability that one of D's labels is swapped",
                                BELOW_HALF)
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
    warm_up: int = _field(OPTIMIZER, 0, "first iterations, of each stage where pictures grow, in "
                          "which the learning rate rises evenly; 0 for none", NOT_NEGATIVE)
    momentum: float = _field(OPTIMIZER, 0.0, "fraction of the last step kept, rmsprop and sgd",
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

    augment: str = _field(AUGMENTATION, "none", "probability of each of DiffAugment's changes to a "
                          "picture before D sees it, 0 to 1; auto: by how often D will see each, "
                          "ada: by how D overfits", AUGMENT)
    augment_ops: str = _field(AUGMENTATION, "color,translation,cutout", "the ways of it in use",
                              AUGMENT_OPS)
    ada_target: float = _field(AUGMENTATION, 0.6, "mean sign of D's logits of reals that ada "
                               "keeps", FRACTION)
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
    checkpoint_every: int = _field(BOOKKEEPING, 0, "iterations between checkpoints; 0 leaves them "
                                   "to --checkpoint-minutes", NOT_NEGATIVE, resumable=True)
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
                received = shortened(repr(value))
                raise UserError(f"`{flag(field.name)}` should be {kind}. Received: {received}.")
            if rule:
                rule.require(field.name, value)
            if isinstance(value, int) and abs(value) > MAX_WHOLE:
                raise UserError(
                    f"`{flag(field.name)}` should be at most {MAX_WHOLE:,}. Received: one of "
                    f"{len(str(value))} digits."
                )
        traits.size_rule(self.network).require("size", self.size)
        if found := clashes.first(self):
            raise UserError(found)

    @property
    def loss_traits(self) -> LossTraits:
        """What the loss is like."""
        return LOSS_TRAITS[self.loss]

    @property
    def network_traits(self) -> NetworkTraits:
        """What the family of networks is like."""
        return NETWORK_TRAITS[self.network]

    @property
    def grows(self) -> bool:
        """Whether training begins with small pictures, by `stages`."""
        return self.network_traits.grows

    @cached_property
    def growth_stages(self) -> tuple[Stage, ...]:
        """The stages in which the pictures grow; none where they keep their size.

        An "auto" that is not resolved stands for the stages that it would become.
        """
        if not self.grows:
            return ()
        auto = self.stages == "auto"
        return growth.parse(growth.spread(self.size, self.iters) if auto else self.stages)

    @cached_property
    def augment_probability(self) -> float:
        """Of each kind of augmentation at first, 0 to 1.

        That is 0 also for "ada", which begins there, and for an "auto" that is not resolved.
        """
        return 0.0 if self.augment in ("none", "auto", "ada") else float(self.augment)

    @cached_property
    def augment_operations(self) -> frozenset[str]:
        """Kinds of augmentation, some of "color", "translation" and "cutout"; none for "none"."""
        return frozenset() if self.augment == "none" else frozenset(self.augment_ops.split(","))

    @cached_property
    def condition_names(self) -> tuple[str, ...]:
        """The attributes that steer both networks; none without, and none for classes."""
        return () if self.conditions in (NONE, LABELS) else split_names(self.conditions)

    @property
    def condition_size(self) -> int:
        """Numbers in a condition, one for each class or attribute; 0 without conditions."""
        return self.classes if self.conditions == LABELS else len(self.condition_names)

    @property
    def reals_an_iteration(self) -> int:
        """Real pictures that all updates of one iteration see together."""
        return self.batch_size * self.n_critic
