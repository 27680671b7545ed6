"""Values that make no sense together, one row each."""

from collections.abc import Callable
from typing import Any, NamedTuple

from kerasgan.recipes.rules import flag
from kerasgan.recipes.traits import LABEL_FIELDS, LABELLED, SIGNED, SMOOTH, as_typed

Recipe = Any  # that of kerasgan.recipes.schema, which imports this module to check itself
Words = str | Callable[[Recipe], str]  # a text, in which {r.size} is the recipe's size


class Clash(NamedTuple):
    """Values that make no sense together.

    Attributes:
        wrong: whether a recipe has them.
        rule: what should be.
        received: what the recipe has instead.
        typed: what to type.
    """

    wrong: Callable[[Recipe], object]
    rule: Words
    received: Words
    typed: Words

    def message(self, recipe: Recipe) -> str:
        """Returns the one line that a recipe which has them is refused with."""
        rule, received, typed = (
            words.format(r=recipe) if isinstance(words, str) else words(recipe)
            for words in (self.rule, self.received, self.typed)
        )
        return f"{rule}. Received: {received}. {typed}."


def first(recipe: Recipe) -> str | None:
    """Returns what is said of the first clash in a recipe, None where there is none."""
    return next((clash.message(recipe) for clash in CLASHES if clash.wrong(recipe)), None)


def _penalties(recipe: Recipe) -> list[str]:
    return [name for name in ("r1", "r2", "gp") if getattr(recipe, name)]


def _typed_penalties(recipe: Recipe) -> str:
    return ", ".join(f"{flag(name)} {getattr(recipe, name)}" for name in _penalties(recipe))


def _needs_labels(name: str) -> Clash:
    """Tricks with labels, where the loss has none."""
    return Clash(
        lambda r: getattr(r, name) and not r.loss_traits.labelled,
        f"`{flag(name)}` is for losses with labels: {', '.join(LABELLED)}",
        f"{{r.{name}}} with --loss {{r.loss}}",
        f"Type {flag(name)} 0",
    )


def _needs_evaluations(name: str, idle: str | int) -> Clash:
    return Clash(
        lambda r: getattr(r, name) != idle and not r.evaluate_every,
        f"`{flag(name)}` goes by evaluations",
        f"{{r.{name}}} without any",
        "Type --evaluate-every 500",
    )


def _not_growing(name: str) -> Clash:
    return Clash(
        lambda r: r.grows and getattr(r, name),
        "`--network {r.network}` normalises each pixel by itself, and D compares the pictures of a "
        "batch, which BatchNorm undoes",
        flag(name),
        f"Type {as_typed(name, False)}",
    )


_APART = "`--simultaneous` takes G's slopes from D's update"

# The first row that is wrong is the one that is told.
CLASHES: tuple[Clash, ...] = (
    *map(_needs_labels, LABEL_FIELDS),
    # Bounds on D's slope that a loss lacks, or that work against each other.
    Clash(
        lambda r: r.loss == "wgan" and r.gp,
        "`--loss wgan` bounds D by clipping, wgan-gp by the penalty",
        "--loss wgan with --gp {r.gp}",
        "Type --loss wgan-gp",
    ),
    Clash(
        lambda r: r.loss == "wgan" and not (r.clip_weights or r.spectral_norm),
        "`--loss wgan` should come with a bound on D's slope",
        "none",
        "Type --clip-weights 0.01, --spectral-norm, or --loss wgan-gp --gp 10",
    ),
    Clash(
        lambda r: r.loss == "wgan-gp" and not r.gp,
        "`--loss wgan-gp` should come with its penalty",
        "--gp 0",
        "Type --gp 10",
    ),
    Clash(
        lambda r: r.clip_weights and r.loss != "wgan",
        "`--clip-weights` is how --loss wgan bounds D; other losses want D free",
        "{r.clip_weights} with --loss {r.loss}",
        "Type --clip-weights 0",
    ),
    Clash(
        lambda r: r.clip_weights and r.spectral_norm,
        "`--clip-weights` and `--spectral-norm` both bound D, and undo each other",
        "both",
        "Type --clip-weights 0 or --no-spectral-norm",
    ),
    Clash(
        lambda r: r.gp and len(_penalties(r)) > 1,
        "`--gp` draws D's slope to 1, `--r1` and `--r2` draw it to 0",
        _typed_penalties,
        "Type --gp 0, or --r1 0 --r2 0",
    ),
    Clash(
        lambda r: _penalties(r) and r.d_batch_norm,
        "A penalty is on D's slope at one picture, which BatchNorm mixes with the others of the "
        "batch",
        lambda r: f"{_typed_penalties(r)} with --d-batch-norm",
        "Type --no-d-batch-norm",
    ),
    Clash(
        lambda r: r.spectral_norm and r.d_batch_norm,
        "`--spectral-norm` bounds the scale of D's layers, which BatchNorm sets anew",
        "both",
        "Type --no-d-batch-norm or --no-spectral-norm",
    ),
    # Stages that do not fit, and what mixes pictures that growing networks keep apart.
    Clash(
        lambda r: r.stages != "auto" and not r.grows,
        "`--stages` is for the network that grows",
        "{r.stages} with --network {r.network}",
        "Type --network progressive",
    ),
    Clash(
        lambda r: r.grows and r.growth_stages[-1].side != r.size,
        "`--stages` should end with --size",
        lambda r: f"{r.growth_stages[-1].side} as the last, with --size {r.size}",
        "Type --stages auto to see {r.size} reached",
    ),
    Clash(
        lambda r: r.grows and r.growth_stages[-1].start >= r.iters,
        "`--iters` should be more than the stages before the last take",
        lambda r: f"{r.iters:,}, with {r.growth_stages[-1].start:,}",
        lambda r: f"Type --iters {2 * r.growth_stages[-1].start}, or shorter --stages",
    ),
    Clash(
        lambda r: r.conditions != "none" and not r.network_traits.steerable,
        "`--conditions` steer networks that keep their size",
        "{r.conditions} with --network {r.network}",
        "Type --preset conditional",
    ),
    _not_growing("g_batch_norm"),
    _not_growing("d_batch_norm"),
    Clash(
        lambda r: r.grows and r.init_std,
        "`--network {r.network}` draws weights of standard deviation 1 and scales them in use",
        "--init-std {r.init_std}",
        "Type --init-std 0",
    ),
    Clash(
        lambda r: r.network_traits.compares_the_batch and not r.separate_batches,
        "D of `--network {r.network}` looks at how much the pictures of a batch differ, which "
        "mixed batches hide",
        "--no-separate-batches",
        "Type --separate-batches",
    ),
    Clash(
        lambda r: r.network_traits.compares_the_batch and r.batch_size < 2,
        "D of `--network {r.network}` looks at how much the pictures of a batch differ, for which "
        "there should be two or more",
        "--batch-size {r.batch_size}",
        "Type --batch-size 2",
    ),
    # What keeps G's slopes from following from those of D's update.
    Clash(
        lambda r: r.simultaneous and not r.loss_traits.smooth,
        f"{_APART}, which those losses allow: {', '.join(SMOOTH)}",
        "--loss {r.loss}",
        "Type --no-simultaneous",
    ),
    Clash(
        lambda r: r.simultaneous and r.n_critic > 1,
        f"{_APART}, of which there should be one",
        "--n-critic {r.n_critic}",
        "Type --n-critic 1",
    ),
    Clash(
        lambda r: r.simultaneous and (r.d_batch_norm or r.network_traits.compares_the_batch),
        f"{_APART}, in which each logit should depend on its own picture",
        "a D that compares the pictures of a batch",
        "Type --no-simultaneous",
    ),
    Clash(
        lambda r: r.simultaneous and r.precision == "float16",
        f"{_APART}, which may be too small for float16",
        "--precision float16",
        "Type --precision bfloat16 or float32",
    ),
    _needs_evaluations("on_collapse", idle="warn"),
    _needs_evaluations("patience", idle=0),
    Clash(
        lambda r: r.momentum and r.optimizer == "adam",
        "`--momentum` is for rmsprop and sgd; Adam's is --beta1",
        "{r.momentum} with --optimizer adam",
        "Type --momentum 0",
    ),
    Clash(
        lambda r: r.reuse_fakes and not r.fakes_training,
        "`--reuse-fakes` needs fakes drawn as G's update draws them",
        "--no-fakes-training",
        "Type --fakes-training",
    ),
    Clash(
        lambda r: r.augment == "ada" and not r.loss_traits.signed,
        "`--augment ada` reads the sign of D's logits, a verdict in the losses "
        f"{', '.join(SIGNED)} only",
        "--loss {r.loss}",
        "Type --augment auto",
    ),
    Clash(
        lambda r: r.energy and r.batch_size < 2,
        "`--energy` goes by how the colours in a batch differ, for which there should be two "
        "pictures or more",
        "--batch-size {r.batch_size} with --energy {r.energy:g}",
        "Type --batch-size 2 or --energy 0",
    ),
    Clash(
        lambda r: not (r.checkpoint_every or r.checkpoint_minutes),
        "Checkpoints should be written on the way, by iterations or by minutes",
        "--checkpoint-every 0 with --checkpoint-minutes 0",
        "Type --checkpoint-minutes 5",
    ),
)
