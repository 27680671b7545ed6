"""A trained generator as a file: written, checked, loaded, and drawn with.

The file is Keras' own, `.keras`, a zip archive that `keras.models.load_model` opens anywhere. One
member more, of which Keras takes no notice, says what pictures the generator was trained on and
what steers it:

    kerasgan.json   version, size, channels, range, latent_dim, crop, conditions

What comes from elsewhere is data. Nothing is loaded before its list of layers has been read and
each has been found among those that hold no code and open no file.
"""

import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, is_zipfile

import numpy as np

import kerasgan
from kerasgan import conditions as steering
from kerasgan import images
from kerasgan.conditions import Conditions
from kerasgan.errors import UserError
from kerasgan.files import atomic_path
from kerasgan.text import first_line, printable

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

GENERATOR = "generator.keras"  # its name in a run's folder
SUFFIX = ".keras"
BATCH = 16  # fixed: a picture must not depend on how many are drawn with it
RANGE = [-1, 1]  # of the pictures

FACTS = "kerasgan.json"  # the member with what Keras does not know
OLD_CONDITIONS = "conditions.json"  # the member that held the conditions before there were facts
LAYERS = "config.json"  # the member with Keras' list of layers
# Keras' own members, and ours. It would unpack others, so-called assets.
MEMBERS = {"metadata.json", LAYERS, "model.weights.h5", FACTS, OLD_CONDITIONS}
MAX_JSON = 2**24  # bytes of a JSON member, unpacked: the facts of 1000 attributes take a third
MAX_UNPACKED = 2**32  # bytes of all members: a generator of a billion weights

# Modules of Keras, and what a generator may take from each.
HARMLESS: dict[str | None, set[str]] = {
    "keras": {"DTypePolicy", "Functional", "Model", "Sequential"},
    "keras.models": {"Functional", "Model", "Sequential"},
    "keras.src.models.functional": {"Functional"},
    "keras.src.models.sequential": {"Sequential"},
    "keras.dtype_policies": {"DTypePolicy"},
    "keras.layers": set(
        "Activation Add Average AveragePooling2D BatchNormalization Concatenate Conv2D "
        "Conv2DTranspose Cropping2D Dense DepthwiseConv2D Dot Dropout ELU Embedding Flatten "
        "GaussianDropout GaussianNoise GlobalAveragePooling2D GlobalMaxPooling2D "
        "GroupNormalization InputLayer LayerNormalization LeakyReLU MaxPooling2D Maximum Minimum "
        "Multiply PReLU Permute ReLU RepeatVector Rescaling Reshape SeparableConv2D Softmax "
        "SpatialDropout2D SpectralNormalization Subtract UnitNormalization UpSampling2D "
        "ZeroPadding2D".split()
    ),
    "keras.initializers": set(
        "Constant GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform Ones "
        "Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros".split()
    ),
    "keras.regularizers": {"L1", "L1L2", "L2"},
    "keras.constraints": {"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"},
    "keras.src.ops.numpy": {"Add", "Clip", "Multiply", "Subtract", "Tanh", "TrueDivide"},
    None: {"__keras_tensor__"},
}


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
        self._unclipped = _unclipped(model)
        self._compiled: Callable[..., Any] | None = None

    @property
    def conditions(self) -> Conditions | None:
        """Names and examples of what steers it, if anything does."""
        return self.facts.conditions

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
        return _call(self._unclipped, latents, conditions)

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


def write(path: Path, model: "keras.Model", facts: Facts | None = None) -> None:
    """Writes a generator as one `.keras` file, whole or not at all.

    Args:
        path: where it goes.
        model: of Keras' own layers, see `models.build_portable_generator`.
        facts: what else the file says.
    """
    with atomic_path(path) as temporary:
        model.save(temporary)
        with ZipFile(temporary, "a", ZIP_DEFLATED) as archive:
            archive.writestr(FACTS, json.dumps(_to_json(model, facts or Facts())))


def load(place: str | Path) -> SavedGenerator:
    """Loads a trained generator.

    >>> generator = saved.load("outputs/000-article-lite")
    >>> generator.draw(latents.draw(8, generator.latent_dim, seed=0)).shape
    (8, 64, 64, 3)

    Args:
        place: a run's folder, or any generator's `.keras` file.

    Raises:
        UserError: there is no generator at `place`, it is damaged, it is another model, or it has
            layers that are not among the harmless ones.
    """
    file = find(place)
    facts, value = _check(file)
    from kerasgan.backend import keras

    try:  # A library raises nearly anything for bytes that mean nothing to it.
        model = keras.models.load_model(file, compile=False, safe_mode=True)
    except Exception as error:
        raise UserError(
            f"A generator should be a Keras model file ({SUFFIX}). Received: {file}, which Keras "
            f"refuses: {first_line(error)}"
        ) from error
    generator = SavedGenerator(model, facts, file)
    _require_the_same(value, model, file)
    return generator


def find(place: str | Path) -> Path:
    """Returns the generator's file that stands for a place.

    Args:
        place: a run's folder, or the file itself.

    Raises:
        UserError: there is none.
    """
    # A name that is no path, such as that of a generator which comes along, would be looked up
    # here and nowhere else.
    path = Path(place)
    if not path.exists():
        raise UserError(
            f"A generator should be a run's folder or a {SUFFIX} file. Received: {path}, which "
            "does not exist."
        )
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


def _check(file: Path) -> tuple[Facts, dict[str, Any]]:
    """Reads a file's facts, after everything that can be checked without Keras.

    Returns:
        The facts, and all that their member holds.
    """
    if file.suffix != SUFFIX:
        raise UserError(
            f"A generator's file should end in {SUFFIX}. Received: {file}. Other formats, such as "
            f".h5, may hold code: open it where you trust it, and save it as {SUFFIX}."
        )
    if not is_zipfile(file):
        raise _damaged(file, "which is no zip archive, or a part of one")
    try:
        with ZipFile(file) as archive:
            _require_members(archive, file)
            layers = _read_json(archive, LAYERS, file)
            facts = _read_json(archive, FACTS, file)
            old = None if facts else _read_json(archive, OLD_CONDITIONS, file)
    except (BadZipFile, EOFError, RuntimeError, zlib.error) as error:
        raise _damaged(file, f"which is damaged: {first_line(error)}") from error
    _require_harmless(layers, file)
    if facts is None:
        return Facts(conditions=_conditions(old, file), version=None), {}
    return _facts(facts, file), facts


def _require_members(archive: ZipFile, file: Path) -> None:
    names = archive.namelist()
    for name in names:
        if name not in MEMBERS or names.count(name) > 1:
            raise _damaged(file, f"with {printable(name)}, which does not belong there")
    if LAYERS not in names:
        raise _damaged(file, f"without {LAYERS}")
    if (unpacked := sum(item.file_size for item in archive.infolist())) > MAX_UNPACKED:
        raise _damaged(file, f"which is {unpacked / 2**30:.1f} GiB when unpacked")


def _read_json(archive: ZipFile, name: str, file: Path) -> Any:
    """Reads a member, never more of it than is allowed; None where there is none."""
    if name not in archive.namelist():
        return None
    text = b""
    if archive.getinfo(name).file_size <= MAX_JSON:  # as the archive claims
        with archive.open(name) as member:
            text = member.read(MAX_JSON + 1)
    if not 0 < len(text) <= MAX_JSON:
        raise _damaged(file, f"whose {name} is not of 1 to {MAX_JSON} bytes")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(file, f"whose {name} is no JSON: {first_line(error)}") from error


def _require_harmless(layers: Any, file: Path) -> None:
    """Raises UserError unless all that Keras would build is among the harmless."""
    if not isinstance(layers, dict):
        raise _damaged(file, f"whose {LAYERS} is no model")
    # How it was trained is not read: the file is loaded with `compile=False`.
    waiting: list[Any] = [value for key, value in layers.items() if key != "compile_config"]
    waiting.append({key: layers.get(key) for key in ("module", "class_name", "registered_name")})
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value and not _is_harmless(value):
                raise UserError(
                    "A generator should be made of layers that hold no code and open no file. "
                    f"Received: {file}, which has {_named(value)}. Build it of other layers."
                )
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _is_harmless(value: dict[str, Any]) -> bool:
    name, module = value["class_name"], value.get("module")
    if not isinstance(name, str) or not isinstance(module, str | None):
        return False
    # A registered name goes before the others, to what somebody has registered under it.
    return name in HARMLESS.get(module, ()) and value.get("registered_name") in (None, name)


def _named(value: dict[str, Any]) -> str:
    name = ".".join(str(value[key]) for key in ("module", "class_name") if value.get(key))
    registered = value.get("registered_name")
    other = f", registered as {registered}" if registered not in (None, name) else ""
    return printable(f"{name or 'a layer without a name'}{other}"[:200])


def _facts(value: Any, file: Path) -> Facts:
    if not isinstance(value, dict):
        raise _damaged(file, f"whose {FACTS} holds no facts")
    for name in ("version", "crop"):
        if not isinstance(value.get(name), str | None):
            raise _damaged(file, f"whose {FACTS} has an odd {name}")
    conditions = _conditions(value.get("conditions"), file)
    return Facts(value.get("crop"), conditions, value.get("version"))


def _conditions(value: Any, file: Path) -> Conditions | None:
    return None if value is None else steering.parse(value, file)


def _damaged(file: Path, fact: str) -> UserError:
    return UserError(
        f"A generator should be a whole Keras model file ({SUFFIX}). Received: {file}, {fact}."
    )
