"""A network as one `.keras` file: written, checked before Keras sees it, and opened.

The file is Keras' own, a zip archive that `keras.models.load_model` opens anywhere. One member
more, of which Keras takes no notice, holds what we know of the network beside that:

    kerasgan.json

What comes from elsewhere is data. Nothing is opened before its list of layers has been read and
each has been found among those that hold no code and open no file, and before its size is known:
see `network_size`.
"""

import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, is_zipfile

from kerasgan import formats, network_size
from kerasgan.errors import UserError
from kerasgan.files import Damaged, atomic_path, parse_json
from kerasgan.formats import SUFFIX
from kerasgan.text import first_line, printable

if TYPE_CHECKING:
    import keras

GENERATOR, DISCRIMINATOR = "generator", "discriminator"  # kinds of networks, as messages name them

FACTS = "kerasgan.json"  # the member with what Keras does not know
OLD_CONDITIONS = "conditions.json"  # the member that held the conditions before there were facts
LAYERS = "config.json"  # the member with Keras' list of layers
WEIGHTS = "model.weights.h5"
NOTES = "metadata.json"
JSON_OF_OURS = (FACTS, OLD_CONDITIONS)
# Keras' own members, and ours. It would unpack others, so-called assets.
MEMBERS = {NOTES, LAYERS, WEIGHTS, FACTS, OLD_CONDITIONS}
MAX_JSON = 2**24  # bytes of a JSON member, unpacked: the facts of 1000 attributes take a third
MAX_BYTES = {LAYERS: 2**22, NOTES: 2**16, FACTS: MAX_JSON, OLD_CONDITIONS: MAX_JSON}
MAX_UNPACKED = 2**31  # bytes of all members

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
        "GroupNormalization Identity InputLayer LayerNormalization LeakyReLU MaxPooling2D Maximum "
        "Minimum Multiply PReLU Permute ReLU RepeatVector Rescaling Reshape SeparableConv2D "
        "Softmax SpatialDropout2D SpectralNormalization Subtract UnitNormalization UpSampling2D "
        "ZeroPadding2D".split()
    ),
    "keras.initializers": set(
        "Constant GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform Ones "
        "Orthogonal RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros".split()
    ),
    "keras.regularizers": {"L1", "L1L2", "L2"},
    "keras.constraints": {"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"},
    "keras.src.ops.core": {"Cast"},
    "keras.src.ops.nn": {"HardSigmoid", "HardTanh", "Relu", "Sigmoid", "Softmax", "Softsign"},
    "keras.src.ops.numpy": set(
        "Add Clip ExpandDims Maximum Mean Minimum Multiply Reshape Round Sqrt Squeeze Subtract "
        "Tanh Transpose TrueDivide Var".split()
    ),
    None: {"__keras_tensor__"},
}


def write(path: Path, model: "keras.Model", facts: dict[str, Any], half: bool = False) -> None:
    """Writes a network as one `.keras` file, whole or not at all.

    Args:
        path: where it goes.
        model: of Keras' own layers.
        facts: what else the file says, as JSON has it.
        half: whether kernels are kept in float16, which Keras reads into float32 again: less than
            half the size, for pictures that differ by a grey level at most.
    """
    with atomic_path(path) as temporary:
        model.save(temporary)
        if half:
            _halve(temporary)
        with ZipFile(temporary, "a", ZIP_DEFLATED) as archive:
            archive.writestr(FACTS, json.dumps(facts))


def check(file: Path, kind: str) -> dict[str, Any]:
    """Checks all that can be checked without Keras, and reads what it takes no notice of.

    Args:
        file: a network's.
        kind: what it should be, for messages: `GENERATOR` or another.

    Returns:
        What the members `FACTS` and `OLD_CONDITIONS` hold, None where there is no such member.

    Raises:
        UserError: the file is damaged, or has layers that are not among the harmless ones.
    """
    if file.suffix != SUFFIX:
        raise UserError(
            f"A {kind}'s file should end in {SUFFIX}. Received: {file}. Other formats, such as "
            f".h5, may hold code: open it where you trust it, and save it as {SUFFIX}."
        )
    if not is_zipfile(file):
        raise damaged(file, kind, "which is no zip archive, or a part of one")
    with _opened(file, kind) as archive:
        _require_members(archive, file, kind)
        layers, _ = (_read_json(archive, name, file, kind) for name in (LAYERS, NOTES))
        members = {name: _read_json(archive, name, file, kind) for name in JSON_OF_OURS}
    _require_harmless(layers, file, kind)
    return members


def open_checked(file: Path, kind: str) -> "keras.Model":
    """Has Keras open a file that `check` has found harmless.

    Raises:
        UserError: it is too large, or Keras refuses it.
    """
    from kerasgan.backend import keras

    try:
        _require_bounded(file, kind)
    except Damaged as error:
        _require_keras_3(file, kind)
        raise UserError(
            f"A {kind} should be a whole Keras model file ({SUFFIX}), of a size that can be drawn. "
            f"Received: {file}, {error}."
        ) from error
    try:  # A library raises nearly anything for bytes that mean nothing to it.
        return keras.models.load_model(file, compile=False, safe_mode=True)
    except Exception as error:
        _require_keras_3(file, kind)
        raise UserError(
            f"A {kind} should be a Keras model file ({SUFFIX}). Received: {file}, which Keras "
            f"refuses: {first_line(error)}"
        ) from error


@contextmanager
def _opened(file: Path, kind: str) -> Iterator[ZipFile]:
    try:
        with ZipFile(file) as archive:
            yield archive
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise damaged(file, kind, f"which is damaged: {first_line(error)}") from error


def _require_bounded(file: Path, kind: str) -> None:
    """Raises Damaged where a network is too large, or its weights' file is none."""
    with _opened(file, kind) as archive:
        layers = _read_json(archive, LAYERS, file, kind)
        network_size.require_plain_layers(layers)
        with archive.open(WEIGHTS) as member:
            stored = network_size.count_stored(member.read())
    network_size.require_bounded(layers, stored)


def damaged(file: Path, kind: str, fact: str) -> UserError:
    """Returns the error for a file that is not whole, or not ours."""
    return UserError(
        f"A {kind} should be a whole Keras model file ({SUFFIX}). Received: {file}, {fact}."
    )


def _halve(file: Path) -> None:
    """Rewrites the kernels of a file that was just written as float16, packed.

    What has one axis stays: BatchNorm's statistics may be beyond float16, and take little room.
    """
    import h5py

    with ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    packed = io.BytesIO()
    with h5py.File(io.BytesIO(members[WEIGHTS]), "r") as old, h5py.File(packed, "w") as new:

        def take(name: str, item: Any) -> None:
            if isinstance(item, h5py.Group):
                copy = new.require_group(name)
            else:
                kind = "float16" if item.ndim > 1 and item.dtype == "float32" else item.dtype
                options = {"shuffle": True, "compression": "gzip"} if item.ndim else {}
                copy = new.create_dataset(name, data=item[()].astype(kind), **options)
            copy.attrs.update(item.attrs)

        new.attrs.update(old.attrs)
        old.visititems(take)
    members[WEIGHTS] = packed.getvalue()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _require_members(archive: ZipFile, file: Path, kind: str) -> None:
    names = archive.namelist()
    for name in names:
        if name not in MEMBERS or names.count(name) > 1:
            raise damaged(file, kind, f"with {printable(name)}, which does not belong there")
    for name in (LAYERS, WEIGHTS):
        if name not in names:
            raise damaged(file, kind, f"without {name}")
    for item in archive.infolist():
        if item.file_size > network_size.SMALL + network_size.MAX_RATIO * item.compress_size:
            raise damaged(file, kind, f"whose {item.filename} unpacks without end")
    if (unpacked := sum(item.file_size for item in archive.infolist())) > MAX_UNPACKED:
        raise damaged(file, kind, f"which is {unpacked / 2**30:.1f} GiB when unpacked")


def _read_json(archive: ZipFile, name: str, file: Path, kind: str) -> Any:
    """Reads a member, never more of it than is allowed; None where there is none."""
    if name not in archive.namelist():
        return None
    text, most = b"", MAX_BYTES[name]
    if archive.getinfo(name).file_size <= most:  # as the archive claims
        with archive.open(name) as member:
            text = member.read(most + 1)
    if not 0 < len(text) <= most:
        raise damaged(file, kind, f"whose {name} is not of 1 to {most} bytes")
    try:
        return parse_json(text, finite=False)
    except Damaged as error:
        raise damaged(file, kind, f"whose {name} is no JSON that is read: {error}") from error


def _require_harmless(layers: Any, file: Path, kind: str) -> None:
    """Raises UserError unless all that Keras would build is among the harmless."""
    if not isinstance(layers, dict):
        raise damaged(file, kind, f"whose {LAYERS} is no model")
    # How it was trained is not read: the file is loaded with `compile=False`.
    waiting: list[Any] = [value for key, value in layers.items() if key != "compile_config"]
    waiting.append({key: layers.get(key) for key in ("module", "class_name", "registered_name")})
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value and not _is_harmless(value):
                if str(value.get("module")).endswith(".engine.functional"):
                    _require_keras_3(file, kind)  # where the class had this place
                raise UserError(
                    f"A {kind} should be made of layers that hold no code and open no file. "
                    f"Received: {file}, which has {_named(value)}. Build it of other layers."
                )
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _require_keras_3(file: Path, kind: str) -> None:
    """Raises UserError for a file that Keras 2 wrote."""
    with _opened(file, kind) as archive:
        notes = _read_json(archive, NOTES, file, kind)
    version = notes.get("keras_version") if isinstance(notes, dict) else None
    if isinstance(version, str) and version.startswith("2."):
        raise UserError(
            f"A {kind} should be a {SUFFIX} file of Keras 3. Received: {file}, which is "
            f"{formats.of_keras_2(file)}"
        )


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
