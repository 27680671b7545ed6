"""How large a network is that comes from a file: told before anything of that size is made.

Its list of layers is built without its weights, by which every shape is known and no memory is
taken; and its weights' file is looked through without being read into arrays.
"""

import io
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kerasgan.files import Damaged, reading
from kerasgan.text import shortened

if TYPE_CHECKING:
    import h5py
    import keras

MAX_LAYERS = 1000
NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")  # what TensorFlow compiles
MAX_NUMBERS = 2**28  # in all weights: 1 GB
MAX_SIDE = 4096  # of a picture, pixels
MAX_VALUES = 2**25  # between two layers, for one picture: 32 channels of 1024x1024
MAX_ITEMS = 20_000  # groups and arrays in a weights' file
MAX_RATIO, SMALL = 200, 2**26  # of unpacked to packed bytes, where it is more than `SMALL` bytes


def require_plain_layers(layers: dict[str, Any]) -> None:
    """Raises `Damaged` for more layers than a network has, and for names that do not compile.

    Args:
        layers: Keras' JSON.
    """
    waiting: list[Any] = [layers]
    count = 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            config = value.get("config")
            if isinstance(config, dict) and "name" in config and config["name"] is not None:
                count += value.get("class_name") != "DTypePolicy"
                if not isinstance(config["name"], str) or not NAME.fullmatch(config["name"]):
                    raise Damaged(f"it has the name {shortened(repr(config['name']))}")
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    if count > MAX_LAYERS:
        raise Damaged(f"it has more than {MAX_LAYERS:,} layers")


def count_stored(content: bytes) -> int:
    """Returns how many numbers a weights' file holds.

    Args:
        content: of an HDF5 file.

    Raises:
        Damaged: it is no such file, or holds what is no number, leads out of itself, or unpacks to
            far more than it is.
    """
    import h5py

    numbers = 0
    with reading():
        file = h5py.File(io.BytesIO(content), "r")
    with file:
        for count, item in enumerate(_items(file)):
            if count > MAX_ITEMS:
                raise Damaged(f"it has more than {MAX_ITEMS:,} arrays")
            if isinstance(item, h5py.Dataset):
                with reading():
                    numbers += _numbers_in(item)
            if numbers > MAX_NUMBERS:
                raise Damaged(f"it has more than {MAX_NUMBERS:,} numbers in its weights")
    return numbers


def _items(file: "h5py.File") -> Iterator[Any]:
    """Yields all groups and arrays, each once, however often they are linked."""
    import h5py

    waiting: list[Any] = [file]
    known: set[int] = set()
    while waiting:
        group = waiting.pop()
        with reading():
            names = list(group)
        for name in names:
            with reading():
                link = group.get(name, getlink=True)
                item = group[name] if isinstance(link, h5py.HardLink) else None
                address = h5py.h5o.get_info(item.id).addr if item is not None else 0
            if item is None:
                raise Damaged("its weights lead to another file or place")
            if address in known:
                continue
            known.add(address)
            yield item
            if isinstance(item, h5py.Group):
                waiting.append(item)


def _numbers_in(item: "h5py.Dataset") -> int:
    stored = item.id.get_storage_size()
    if item.external or item.is_virtual:
        raise Damaged("its weights lead to another file or place")
    if item.dtype.kind not in "fiubV" or item.dtype.itemsize > 8:
        raise Damaged("its weights are no numbers")
    if item.nbytes > SMALL and item.nbytes > MAX_RATIO * stored:
        raise Damaged(f"its weights unpack to {item.nbytes:,} bytes from {stored:,}")
    return math.prod(item.shape)


def require_bounded(layers: dict[str, Any], stored: int) -> None:
    """Builds a network without its weights, and raises `Damaged` where it is too large.

    Args:
        layers: Keras' JSON, of layers that were found harmless.
        stored: numbers in the file of its weights.

    Raises:
        Damaged: it cannot be built, its weights are not in the file, or it is too large to draw.
    """
    from kerasgan.backend import keras, random_state_kept

    # An optimizer is neither loaded nor built.
    layers = {name: value for name, value in layers.items() if name != "compile_config"}
    with reading(), random_state_kept(), _without_weights():
        model = keras.saving.deserialize_keras_object(layers, safe_mode=True)
        if not isinstance(model, keras.Model):
            raise Damaged("it is no network")
        wanted = sum(math.prod(weight.shape) for weight in model.weights)
        shapes = list(_shapes(model))
        sides = [side for side in getattr(model, "output_shape", ())[1:] if isinstance(side, int)]
    if wanted > MAX_NUMBERS:
        raise Damaged(f"it has {wanted:,} numbers in its weights, and {MAX_NUMBERS:,} are the most")
    if wanted > stored:
        raise Damaged(f"it has {wanted:,} numbers in its weights, and the file {stored:,}")
    if max(sides, default=1) > MAX_SIDE:
        raise Damaged(f"it draws a side of {max(sides):,} pixels, and {MAX_SIDE:,} are the most")
    largest = max((math.prod(shape) for shape in shapes), default=1)
    if largest > MAX_VALUES:
        raise Damaged(
            f"it has {largest:,} values between two layers, and {MAX_VALUES:,} are the most"
        )


@contextmanager
def _without_weights() -> Iterator[None]:
    """Has Keras build layers without weights, of which nothing is left behind."""
    from keras.src.backend.common import global_state

    from kerasgan.backend import keras

    name = "uninitialized_variables"  # Keras would make them when it next has an occasion
    before = list(global_state.get_global_attribute(name) or [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(name, before)


def _shapes(model: "keras.Model") -> Iterator[list[int]]:
    """Yields the known sides of what every layer gives, for one picture."""
    for operation in getattr(model, "operations", None) or model.layers:
        if operation is not model and hasattr(operation, "layers"):
            yield from _shapes(operation)
        for node in operation._inbound_nodes:
            for tensor in node.output_tensors:
                yield [side for side in tensor.shape[1:] if side is not None]
