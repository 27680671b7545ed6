"""A trained generator: written, loaded, and drawn with.

Its file is a network's, see `network_file`. What that says beside the network, is what pictures the
generator was trained on and what steers it:

    kerasgan.json   version, size, channels, range, latent_dim, crop, conditions
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import kerasgan
from kerasgan import conditions as steering
from kerasgan import images, network_file, pretrained
from kerasgan.conditions import Conditions
from kerasgan.errors import UserError
from kerasgan.network_file import FACTS, OLD_CONDITIONS, SUFFIX, damaged
from kerasgan.text import either, printable

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

GENERATOR = "generator.keras"  # its name in a run's folder
KIND = network_file.GENERATOR  # in messages
BATCH = 16  # fixed: a picture must not depend on how many are drawn with it
RANGE = [-1, 1]  # of the pictures


@dataclass(frozen=True)
class Facts:
    """What a generator's file says that Keras does not know.

    Attributes:
        crop: how the training pictures were cut, one of `data.CROPS`; None where it is not known.
        conditions: names and examples of what steers the generator, if anything does.
        version: of kerasgan that wrote the file; None for a file of another program.
    """

    crop: str | None = None
    conditions: Conditions | None = None
    version: str | None = kerasgan.__version__


class SavedGenerator:
    """A trained generator, to draw with; see `load`.

    Args:
        model: latents (B, D), or [latents, conditions (B, C)], to pictures (B, H, W, 1 or 3) in
            [-1, 1].
        facts: what its file says beside that.
        file: that it was read from; None for one that was not.

    Attributes:
        latent_dim: how many numbers a latent has.
        height: of the pictures, pixels; None where the network draws any.
        width: likewise.
        channels: 3 for RGB, 1 for grey.
        unclipped: the model without its last layer, where that one only clips; see `pictures`.

    Raises:
        UserError: the model is no generator.
    """

    def __init__(
        self, model: "keras.Model", facts: Facts | None = None, file: Path | None = None
    ) -> None:
        self.model, self.facts, self.file = model, facts or Facts(version=None), file
        _require_generator(model, file, self.conditions)
        self.latent_dim: int = model.inputs[0].shape[1]
        self.height, self.width, self.channels = model.output_shape[1:]
        self.unclipped = _unclipped(model)
        self._compiled: Callable[..., Any] | None = None

    @property
    def conditions(self) -> Conditions | None:
        """Names and examples of what steers it, if anything does."""
        return self.facts.conditions

    @cached_property
    def fingerprint(self) -> str:
        """What the weights are known by: what was made for others does not fit this generator."""
        digest = hashlib.sha256()
        for weight in self.model.get_weights():
            digest.update(np.asarray(weight, "<f4").tobytes())
        return digest.hexdigest()[:16]

    def beside(self, name: str) -> Path:
        """Returns where a file is kept that belongs to the generator.

        Args:
            name: of the file, such as "encoder.keras".

        Returns:
            In a run's folder the file of that name; beside another file one that begins with its
            name, as in "me-encoder.keras" for "me.keras".

        Raises:
            ValueError: the generator was read from no file.
        """
        if self.file is None:
            raise ValueError("A generator that was read from no file has no place for others.")
        own = self.file.name == GENERATOR
        return self.file.with_name(name if own else f"{self.file.stem}-{name}")

    def pictures(self, latents: "tf.Tensor", conditions: "tf.Tensor | None" = None) -> "tf.Tensor":
        """Gives pictures that have slopes by latents, conditions and weights.

        Where the network's last layer only clips to [-1, 1], the pictures are those before it, so
        that what is too bright has a slope as well.

        Args:
            latents: float32, (B, D).
            conditions: float32, (B, C), for a generator that has them.

        Returns:
            float32, (B, H, W, channels), near [-1, 1].
        """
        return _call(self.unclipped, latents, conditions)

    def draw(self, latents: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Draws one picture for each latent, the same whatever others are drawn with it.

        Args:
            latents: float32, (N, D), N at least 1.
            conditions: float32, (N, C), for a generator that has them.

        Returns:
            uint8, (N, H, W, channels), the same to the bit as `saved.draw` gives.
        """
        from kerasgan.backend import tf

        if self._compiled is None:
            self._compiled = tf.function(self.pictures)
        with _as_written():
            return _draw(self._compiled, latents, conditions)


def draw(
    model: "keras.Model", latents: np.ndarray, conditions: np.ndarray | None = None
) -> np.ndarray:
    """Draws as `SavedGenerator.draw` does, with a network that is still in training.

    Nothing is compiled, which would take longer than the few pictures of an evaluation.

    Args:
        model: latents (B, D), or [latents, conditions], to pictures (B, H, W, C) in [-1, 1].
        latents: float32, (N, D), N at least 1.
        conditions: float32, (N, C), for a generator that has them.

    Returns:
        uint8, (N, H, W, C).
    """
    return _draw(lambda *batch: _call(model, *batch), latents, conditions)


def write(path: Path, model: "keras.Model", facts: Facts | None = None, half: bool = False) -> None:
    """Writes a generator as one `.keras` file, whole or not at all.

    Args:
        path: where it goes.
        model: of Keras' own layers, see `models.build_portable_generator`.
        facts: what else the file says.
        half: whether kernels are kept in float16.
    """
    network_file.write(path, model, _to_json(model, facts or Facts()), half)


def load(place: str | Path) -> SavedGenerator:
    """Loads a trained generator.

    >>> generator = saved.load("outputs/000-article-lite")
    >>> generator.draw(latents.draw(8, generator.latent_dim, seed=0)).shape
    (8, 64, 64, 3)

    Args:
        place: a run's folder, any generator's `.keras` file, or the name of a generator that comes
            along, one of `pretrained.names`.

    Raises:
        UserError: there is no generator at `place`, it is damaged, it is another model, or it has
            layers that are not among the harmless ones.
    """
    file = find(place)
    members = network_file.check(file, KIND)
    facts = _read_facts(members, file)
    model = network_file.open_checked(file, KIND)
    generator = SavedGenerator(model, facts, file)
    _require_the_same(members[FACTS] or {}, model, file)
    return generator


def find(place: str | Path) -> Path:
    """Returns the generator's file that stands for a place.

    Args:
        place: a run's folder, the file itself, or the name of a generator that comes along. What
            lies there goes before a name.

    Raises:
        UserError: there is none.
    """
    path = Path(place)
    if not path.exists():
        if str(place) in pretrained.names():
            return pretrained.folder(str(place)) / GENERATOR
        places = either(["a run's folder", f"a {SUFFIX} file", *pretrained.names()])
        raise UserError(f"A generator should be {places}. Received: {path}, which does not exist.")
    file = path / GENERATOR if path.is_dir() else path
    if not file.is_file():
        raise UserError(
            f"A run should hold a {GENERATOR}. Received: {path}, which has none yet; it is "
            "written with the first checkpoint."
        )
    return file


def _call(
    model: "keras.Model", latents: "tf.Tensor", conditions: "tf.Tensor | None" = None
) -> "tf.Tensor":
    return model(latents if conditions is None else [latents, conditions], training=False)


def _draw(
    pictures: Callable[..., Any], latents: np.ndarray, conditions: np.ndarray | None
) -> np.ndarray:
    """Draws in batches of one size, the last one filled up; uint8, (N, H, W, C)."""
    rows = [latents] if conditions is None else [latents, conditions]
    batches = zip(*map(_batches, rows), strict=True)
    drawn = [images.to_uint8(np.asarray(pictures(*batch))) for batch in batches]
    return np.concatenate(drawn)[: len(latents)]


def _batches(rows: np.ndarray) -> list[np.ndarray]:
    """Cuts rows (N, D) into batches of a fixed size, the last one filled up."""
    padded = np.pad(rows, ((0, -len(rows) % BATCH), (0, 0))).astype(np.float32, copy=False)
    return np.split(padded, len(padded) // BATCH)


@contextmanager
def _as_written() -> Iterator[None]:
    """Keeps TensorFlow from rewriting the compiled functions that are called meanwhile.

    What it writes instead rounds differently: a few pixels of a growing network's pictures would
    change by one.
    """
    from kerasgan.backend import tf

    name = "disable_meta_optimizer"
    before = tf.config.optimizer.get_experimental_options().get(name, False)
    tf.config.optimizer.set_experimental_options({name: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({name: before})


def _unclipped(model: "keras.Model") -> "keras.Model":
    """Returns the same network without its last layer, where that one only clips."""
    from kerasgan.backend import keras

    last = model.layers[-1]
    clips = isinstance(last, keras.layers.Activation) and (
        last.activation is keras.activations.hard_tanh
    )
    return keras.Model(model.input, last.input, name=model.name) if clips else model


def _require_generator(
    model: "keras.Model", file: Path | None, conditions: Conditions | None
) -> None:
    """Raises UserError unless a model maps latents (N, D) to pictures (N, H, W, 1 or 3).

    Where there are conditions, they should be its second input.
    """
    reads, gives = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    latents, *others = reads if isinstance(reads, list) else [reads]
    if (
        others == ([(None, len(conditions.names))] if conditions else [])
        and isinstance(latents, tuple)
        and isinstance(gives, tuple)
        and len(latents) == 2
        and isinstance(latents[1], int)
        and len(gives) == 4
        and gives[3] in (1, 3)
    ):
        return
    raise UserError(
        "A generator should map latents (N, D) to pictures (N, H, W, 1 or 3). Received: "
        f"{file or model.name}, which maps {reads} to {gives}. Name a run or its {GENERATOR}."
    )


def _shape(model: "keras.Model") -> dict[str, Any]:
    """What the facts say that the model shows as well."""
    height, width, channels = model.output_shape[1:]
    return {
        "size": height if height == width else [height, width],
        "channels": channels,
        "range": RANGE,
        "latent_dim": model.inputs[0].shape[1],
    }


def _to_json(model: "keras.Model", facts: Facts) -> dict[str, Any]:
    conditions = facts.conditions.to_json() if facts.conditions else None
    return {
        "version": facts.version,
        **_shape(model),
        "crop": facts.crop,
        "conditions": conditions,
    }


def _require_the_same(value: dict[str, Any], model: "keras.Model", file: Path) -> None:
    """Raises UserError where a file's facts contradict its network."""
    for name, shown in _shape(model).items():
        if value.get(name, shown) != shown:
            raise UserError(
                f"A generator's {FACTS} should fit its network. Received: {file}, with {name} "
                f"{printable(str(value[name]))} for {shown}."
            )


def _read_facts(members: dict[str, Any], file: Path) -> Facts:
    """Reads the facts of a file's members, as `network_file.check` returns them."""
    if members[FACTS] is None:
        return Facts(conditions=_conditions(members[OLD_CONDITIONS], file), version=None)
    return _facts(members[FACTS], file)


def _facts(value: Any, file: Path) -> Facts:
    if not isinstance(value, dict):
        raise damaged(file, KIND, f"whose {FACTS} holds no facts")
    for name in ("version", "crop"):
        if not isinstance(value.get(name), str | None):
            raise damaged(file, KIND, f"whose {FACTS} has an odd {name}")
    conditions = _conditions(value.get("conditions"), file)
    return Facts(value.get("crop"), conditions, value.get("version"))


def _conditions(value: Any, file: Path) -> Conditions | None:
    return None if value is None else steering.parse(value, file)
