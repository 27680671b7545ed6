"""A trained generator: written, loaded, and drawn with.

Its file is a network's, see `network_file`. What that says beside the network, is what pictures the
generator was trained on and what steers it:

    kerasgan.json   version, size, channels, range, latent_dim, crop, conditions
"""

import argparse
import hashlib
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

import kerasgan
from kerasgan import cli, formats, images, network_file, pretrained, ranges
from kerasgan import conditions as steering
from kerasgan import latents as latent_space
from kerasgan.conditions import Conditions
from kerasgan.errors import UserError
from kerasgan.files import Damaged, reading
from kerasgan.network_file import FACTS, OLD_CONDITIONS, SUFFIX, damaged
from kerasgan.text import either, printable, shortened

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

GENERATOR = "generator.keras"  # its name in a run's folder
KIND = network_file.GENERATOR  # in messages
BATCH = 16  # fixed: a picture must not depend on how many are drawn with it
RANGE = [-1, 1]  # of the pictures
TRIED = 256  # latents by whose pictures a range is found that the layers do not tell


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


class Draws(Protocol):
    """What draws pictures: a `SavedGenerator`, or one whose pictures are changed in some way."""

    latent_dim: int

    @property
    def conditions(self) -> Conditions | None:
        """Names and examples of what steers it, if anything does."""

    def draw(self, latents: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Draws uint8 pictures (N, H, W, C) from latents (N, D) and conditions (N, C)."""


@dataclass(frozen=True)
class Layout:
    """What a generator's network reads and gives.

    Attributes:
        latent: the shape of one latent, of which all sides but one may be 1.
        height: of the pictures, pixels; None where the network draws any.
        width: likewise.
        channels: 3 for RGB, 1 for grey.
        channels_first: whether the channels lie before height and width.
        flat: whether there is no axis for the one channel.
    """

    latent: tuple[int, ...]
    height: int | None
    width: int | None
    channels: int
    channels_first: bool = False
    flat: bool = False


class SavedGenerator:
    """A trained generator, to draw with; see `load`.

    Args:
        model: latents (B, D), or [latents, conditions (B, C)], to pictures (B, H, W, 1 or 3).
            Latents may have more axes of length 1; pictures may have their channels first, or no
            axis for one channel.
        facts: what its file says beside that.
        file: that it was read from; None for one that was not.
        range: a name of `ranges.NAMES` for the values that `model` gives; None to take what its
            last layers tell or, where they do not, its drawn values.

    Attributes:
        latent_dim: how many numbers a latent has.
        height: of the pictures, pixels; None where the network draws any.
        width: likewise.
        channels: 3 for RGB, 1 for grey.
        range: the values of black and white that `model` gives.
        remarks: what was found out by a guess, a line each.
        unclipped: the model without its last layer, where that one only clips; see `pictures`.

    Raises:
        UserError: the model is no generator, or its range cannot be told.
    """

    def __init__(
        self,
        model: "keras.Model",
        facts: Facts | None = None,
        file: Path | None = None,
        range: str | None = None,
    ) -> None:
        self.model, self.facts, self.file = model, facts or Facts(version=None), file
        self._layout = _layout(model, file, self.conditions)
        self.latent_dim = math.prod(self._layout.latent)
        self.height, self.width = self._layout.height, self._layout.width
        self.channels = self._layout.channels
        self.remarks: list[str] = []
        self.unclipped = _unclipped(model)
        self._compiled: Callable[..., Any] | None = None
        self.range = self._find_range(range)

    @property
    def conditions(self) -> Conditions | None:
        """Names and examples of what steers it, if anything does."""
        return self.facts.conditions

    @cached_property
    def fingerprint(self) -> str:
        """What the weights are known by. What was made for others does not fit this generator."""
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
        return self.as_pictures(called(self.unclipped, self.reads(latents, conditions)))

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
            return draw_by(self._compiled, latents, conditions)

    def reads(
        self, latents: "tf.Tensor", conditions: "tf.Tensor | None" = None
    ) -> "list[tf.Tensor]":
        """Returns what the network reads of the arguments of `pictures`, latents in their shape."""
        from kerasgan.backend import tf

        shape = self._layout.latent
        if len(shape) > 1:
            latents = tf.reshape(latents, (-1, *shape))
        return [latents] if conditions is None else [latents, conditions]

    def as_pictures(self, values: "tf.Tensor") -> "tf.Tensor":
        """Makes pictures, float32 (B, H, W, channels) near [-1, 1], of what `unclipped` gives."""
        pictures = self._laid_out(values)
        black, white = self.range
        if self.range == ranges.SIGNED:
            return pictures
        return (pictures - black) * (2 / (white - black)) - 1

    def _laid_out(self, values: "tf.Tensor") -> "tf.Tensor":
        """Returns what the network gives as float32, (B, H, W, channels)."""
        from kerasgan.backend import tf

        layout = self._layout
        pictures = values if values.dtype == tf.float32 else tf.cast(values, tf.float32)
        if layout.flat:
            pictures = pictures[..., None]
        return tf.transpose(pictures, (0, 2, 3, 1)) if layout.channels_first else pictures

    def _find_range(self, typed: str | None) -> ranges.Range:
        """Returns the range typed, of this version's files, of the layers, or of drawn values."""
        from kerasgan.backend import keras

        if self.facts.version is not None:
            if ranges.NAMES.get(typed or "", ranges.SIGNED) != ranges.SIGNED:
                raise UserError(
                    "A generator of kerasgan's own has its range in its file. Received: --range "
                    f"{typed}, with {self.file}. Leave it out."
                )
            return ranges.SIGNED
        if typed is not None:
            return ranges.NAMES[typed]
        dtype = keras.backend.standardize_dtype(self.model.outputs[0].dtype)
        if "int" in dtype:
            return ranges.NAMES["bytes"]
        if (told := ranges.by_layers(self.model)) is not None:
            if told not in ranges.NAMES.values():
                self._remark(f"its last layers hold it to {ranges.in_words(told)}, so black and "
                             "white are these")  # fmt: skip
            return told
        found = ranges.by_values(self._try(TRIED), str(self.file or self.model.name))
        self._remark(f"its last layers tell no range; most values of {TRIED} pictures lie in "
                     f"{ranges.in_words(found)}, so black and white are these")  # fmt: skip
        return found

    def _remark(self, found: str) -> None:
        name = printable(str(self.file or self.model.name))
        self.remarks.append(f"{name}: {found}. Another range: --range {'|'.join(ranges.NAMES)}.")

    def try_out(self) -> None:
        """Draws a few pictures of a file from elsewhere, to tell now what would go wrong later.

        Raises:
            UserError: it does not draw, or gives no numbers.
        """
        self._try(BATCH)

    def _try(self, count: int) -> np.ndarray:
        """Draws as the network does; float32, (N, H, W, C).

        Raises:
            UserError: it cannot, or its values are not finite.
        """
        latents = latent_space.draw(count, self.latent_dim, 0)
        known = self.conditions.draw(count, 0).vectors() if self.conditions else None
        rows = [latents] if known is None else [latents, known]
        parts = zip(*map(_batches, rows), strict=True)
        try:
            with reading():
                drawn = [called(self.model, self.reads(*part)) for part in parts]
                values = np.concatenate([np.asarray(self._laid_out(part)) for part in drawn])
        except Damaged as error:
            raise UserError(
                f"A generator should draw. Received: {self.file or self.model.name}, of which "
                f"Keras says: {error}"
            ) from error
        if not np.isfinite(values).all():
            raise UserError(
                "A generator should give numbers. Received: "
                f"{self.file or self.model.name}, which gives some that are none (NaN or infinite)."
            )
        return values


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
    return draw_by(lambda *batch: called(model, list(batch)), latents, conditions)


def write(path: Path, model: "keras.Model", facts: Facts | None = None, half: bool = False) -> None:
    """Writes a generator as one `.keras` file, whole or not at all.

    Args:
        path: where it goes.
        model: of Keras' own layers, see `models.build_portable_generator`.
        facts: what else the file says.
        half: whether kernels are kept in float16.
    """
    network_file.write(path, model, _to_json(model, facts or Facts()), half)


def load(place: str | Path, range: str | None = None) -> SavedGenerator:
    """Loads a trained generator.

    What was found out by a guess is said on standard error.

    >>> generator = saved.load("outputs/000-article-lite")
    >>> generator.draw(latents.draw(8, generator.latent_dim, seed=0)).shape
    (8, 64, 64, 3)

    Args:
        place: a run's folder, any generator's `.keras` file, or the name of a generator that comes
            along, one of `pretrained.names`.
        range: a name of `ranges.NAMES`, the values that the network gives; None to find it out.

    Raises:
        UserError: there is no generator at `place`, it is damaged, it is another model, or it has
            layers that are not among the harmless ones.
    """
    file = find(place)
    members = network_file.check(file, KIND)
    facts = _read_facts(members, file)
    model = network_file.open_checked(file, KIND)
    generator = SavedGenerator(model, facts, file, range)
    if members[FACTS]:
        _require_the_same(members[FACTS], model, file)
    else:
        generator.try_out()
    for remark in generator.remarks:
        print(remark, file=sys.stderr)
    return generator


def add_range_flag(parser: argparse.ArgumentParser) -> None:
    """Adds `--range`, for `load`, to the parser of a command that takes a generator."""
    flag = parser.add_argument(
        "--range",
        choices=ranges.NAMES,
        help=f"values that the generator of another program gives: {ranges.CHOICES}",
    )
    cli.unset(flag, "what its last layers tell, else what it draws")


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
    _require_known_format(path)
    file = path / GENERATOR if path.is_dir() else path
    if not file.is_file():
        raise UserError(
            f"A run should hold a {GENERATOR}. Received: {path}, which has none yet; it is "
            "written with the first checkpoint."
        )
    return file


def called(model: "keras.Model", reads: "list[tf.Tensor]") -> "tf.Tensor":
    """Calls a model of one or more inputs."""
    return model(reads if len(reads) > 1 else reads[0], training=False)


def draw_by(
    pictures: Callable[..., Any], latents: np.ndarray, conditions: np.ndarray | None
) -> np.ndarray:
    """Draws in batches of one size, the last one filled up.

    Args:
        pictures: a batch of latents, and of conditions where there are some, to pictures
            (B, H, W, C) near [-1, 1].
        latents: float32, (N, D), N at least 1.
        conditions: float32, (N, C), for a generator that has them.

    Returns:
        uint8, (N, H, W, C).
    """
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


def _layout(model: "keras.Model", file: Path | None, conditions: Conditions | None) -> Layout:
    """Returns what a model reads and gives.

    Raises:
        UserError: it does not map latents, and conditions where there are some, to pictures.
    """
    reads, gives = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    latents: Any
    latents, *others = reads if isinstance(reads, list) else [reads]
    problem = "" if isinstance(latents, tuple) else "which reads and gives something else"
    if not problem and others != ([(None, len(conditions.names))] if conditions else []):
        problem = "which reads more than latents, or less than its conditions"
    if not problem and "int" in str(model.inputs[0].dtype):
        problem = "which reads whole numbers, such as classes"
    if not problem and not _is_latent(latents[1:]):
        problem = "which reads no latents"
    found = None if problem else _pictures(gives)
    if found is not None:
        return Layout(latents[1:], *found)
    raise UserError(
        "A generator should map latents (N, D) to pictures (N, H, W, 1 or 3). Received: "
        f"{file or model.name}, {problem or _no_pictures(gives)}: it maps {reads} to {gives}."
        f" Name a run or its {GENERATOR}."
    )


def _no_pictures(gives: Any) -> str:
    if isinstance(gives, tuple) and len(gives) == 2:
        return "which gives rows of numbers, and should end in a layer Reshape((H, W, 1 or 3))"
    return "which gives no pictures"


def _is_latent(shape: tuple[int | None, ...]) -> bool:
    """Whether a shape is that of a row of numbers, with more axes of length 1 perhaps."""
    sides = [side for side in shape if side is not None]
    return 0 < len(sides) == len(shape) and sum(side != 1 for side in sides) <= 1


def _pictures(gives: Any) -> tuple[int | None, int | None, int, bool, bool] | None:
    """Reads height, width, channels, whether these come first, and whether they have no axis."""
    if not isinstance(gives, tuple):
        return None
    match gives[1:]:
        case (height, width, 1 | 3 as channels):
            return height, width, channels, False, False
        case (1 | 3 as channels, height, width):
            return height, width, channels, True, False
        case (int(height), int(width)) if min(height, width) > 1:
            return height, width, 1, False, True
    return None


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
                f"{shortened(str(value[name]))} for {shown}."
            )


def _require_known_format(path: Path) -> None:
    """Raises UserError for a file or folder that is a network in another format, or is none."""
    fact = formats.explain(path)
    if fact is None and path.is_file() and path.suffix != SUFFIX:
        fact = f"which is a file of another kind. Name a run or a {SUFFIX} file."
    elif fact is not None:
        fact = f"which is {fact}"
    if fact is not None:
        raise UserError(
            f"A generator should be a run's folder or a {SUFFIX} file. Received: {path}, {fact}"
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
