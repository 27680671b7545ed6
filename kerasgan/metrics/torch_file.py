"""Reads the tensors of a PyTorch file (`.pth`) without PyTorch and without trusting the file.

Such a file is a pickle, which may call any function it names. The unpickler here knows the names
of tensors and of what holds them, and refuses every other.
"""

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kerasgan.errors import UserError
from kerasgan.files import Damaged, reading

# A file from before the zip format begins with these two numbers, a pickle each.
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
STORAGES = {
    "BoolStorage": np.dtype("?"),
    "ByteStorage": np.dtype("u1"),
    "CharStorage": np.dtype("i1"),
    "ShortStorage": np.dtype("<i2"),
    "IntStorage": np.dtype("<i4"),
    "LongStorage": np.dtype("<i8"),
    "HalfStorage": np.dtype("<f2"),
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
}


class _Storage(NamedTuple):
    """Numbers in a row, which tensors look into; not read yet."""

    key: str
    dtype: np.dtype
    length: int


class _Tensor(NamedTuple):
    """A tensor not read yet: where in a storage its entries are, counted in entries."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a state dict as `torch.save` wrote it, in the zip format or the one before.

    Args:
        path: the file.

    Returns:
        Arrays by name, contiguous, of the tensors' shapes and types.

    Raises:
        UserError: the file is missing or damaged, or holds anything but tensors.
    """
    try:
        with reading():
            file = open(path, "rb")
        with file:
            tensors, storages = (_read_zip if zipfile.is_zipfile(file) else _read_legacy)(file)
        return {name: _view(tensor, storages) for name, tensor in tensors.items()}
    except Damaged as error:
        raise UserError(
            "A file of weights should hold PyTorch tensors and nothing else. Received: "
            f"{path}, which does not ({error})."
        ) from error


def _read_zip(file: BinaryIO) -> tuple[dict[str, _Tensor], dict[str, np.ndarray]]:
    with reading():
        archive = zipfile.ZipFile(file)
    with archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        _require(len(pickles) == 1, "it has no one data.pkl")
        folder = pickles[0].removesuffix("data.pkl")
        byteorder = folder + "byteorder"
        if byteorder in archive.namelist():
            little = _read_member(archive, byteorder) == b"little"
            _require(little, "its bytes are in big-endian order")
        tensors = _load_tensors(io.BytesIO(_read_member(archive, pickles[0])))
        storages = {}
        for storage in {tensor.storage for tensor in tensors.values()}:
            with reading():
                entry = archive.open(f"{folder}data/{storage.key}")
            with entry:
                storages[storage.key] = _read_numbers(entry, storage)
    return tensors, storages


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    with reading():
        return archive.read(name)


def _read_legacy(file: BinaryIO) -> tuple[dict[str, _Tensor], dict[str, np.ndarray]]:
    file.seek(0)
    _require(_unpickle(file) == MAGIC, "it does not begin as such a file")
    _require(_unpickle(file) == PROTOCOL, "it is of another protocol")
    system = _unpickle(file)
    little = isinstance(system, dict) and system.get("little_endian")
    _require(bool(little), "its bytes are in big-endian order")
    tensors = _load_tensors(file)
    known = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    keys = _unpickle(file)
    _require(isinstance(keys, list) and {*map(str, keys)} == known.keys(), "storages are missing")
    storages = {}
    for key in map(str, keys):
        with reading():
            (count,) = struct.unpack("<q", file.read(8))
        _require(count == known[key].length, "a storage is not as long as announced")
        storages[key] = _read_numbers(file, known[key])
    return tensors, storages


def _unpickle(file: BinaryIO) -> Any:
    with reading():
        return _Unpickler(file).load()


def _load_tensors(file: BinaryIO) -> dict[str, _Tensor]:
    tensors = _unpickle(file)
    _require(isinstance(tensors, dict), "it holds no state dict")
    for name, tensor in tensors.items():
        _require(isinstance(name, str) and isinstance(tensor, _Tensor), "it holds other values")
    return dict(tensors)


def _read_numbers(file: IO[bytes], storage: _Storage) -> np.ndarray:
    with reading():
        data = file.read(storage.length * storage.dtype.itemsize)
    with reading():
        return np.frombuffer(data, storage.dtype, storage.length)


def _view(tensor: _Tensor, storages: dict[str, np.ndarray]) -> np.ndarray:
    """Copies a tensor's entries out of its storage, once it is sure that they lie inside."""
    numbers = storages[tensor.storage.key]
    offset, shape, strides = tensor.offset, tensor.shape, tensor.strides
    _require(len(shape) == len(strides), "a tensor has more axes than strides")
    _require(min(offset, *shape, *strides, 0) >= 0, "a tensor has a negative size or stride")
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    inside = math.prod(shape) == 0 or (last < len(numbers) and math.prod(shape) <= len(numbers))
    _require(inside, "a tensor is larger than its storage")
    step = numbers.dtype.itemsize
    with reading():  # an empty tensor may have strides of any size
        view = as_strided(numbers[offset:], shape, [stride * step for stride in strides])
    return np.array(view, order="C")


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise Damaged(rule)


class _Unpickler(pickle.Unpickler):
    """Makes plain containers, numbers, text and descriptions of tensors, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._rebuild
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no part of a tensor")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _location, count, *view = pid
        known = kind == "storage" and isinstance(dtype, np.dtype) and view in ([], [None])
        _require(known and int(count) >= 0, "a storage is described in an unknown way")
        return _Storage(str(key), dtype, int(count))

    def _rebuild(
        self,
        storage: _Storage,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        *_gradient_and_hooks: Any,
    ) -> _Tensor:
        if not isinstance(storage, _Storage):
            raise pickle.UnpicklingError("a tensor looks into no storage")
        return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))
