"""Files of PyTorch tensors, written here byte by byte, read without PyTorch."""

import io
import os
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from kerasgan.errors import UserError
from kerasgan.metrics import torch_file
from kerasgan.metrics.torch_file import read_tensors

NUMBERS = np.arange(24, dtype="<f4")


class Storage:
    """Stands for a torch storage while pickling."""

    def __init__(self, key, numbers, length=None):
        self.key, self.numbers = key, numbers
        self.length = len(numbers) if length is None else length


class Tensor:
    """Pickles as a torch tensor does."""

    def __init__(self, storage, offset, shape, strides):
        self.state = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.state


class Evil:
    """Pickles as a call of any function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.fixture
def torch(monkeypatch):
    """Just enough of PyTorch's names for `pickle` to write them."""
    module, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage", "HalfStorage", "StrangeStorage"):
        setattr(module, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2():
        raise AssertionError("the file's own functions are never called")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", module)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return module


def dumped(value, torch, kind="FloatStorage", legacy=True):
    class Pickler(pickle.Pickler):
        def persistent_id(self, item):
            if isinstance(item, Storage):
                known = ("storage", getattr(torch, kind), item.key, "cpu", item.length)
                return (*known, None) if legacy else known
            return None

    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(value)
    return buffer.getvalue()


def write_legacy(path, value, torch, storages, **options):
    head = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
    data = b"".join(pickle.dumps(part, protocol=2) for part in head)
    data += dumped(value, torch, **options)
    data += pickle.dumps([storage.key for storage in storages], protocol=2)
    for storage in storages:
        data += struct.pack("<q", len(storage.numbers)) + storage.numbers.tobytes()
    path.write_bytes(data)


def write_zip(path, value, torch, storages, **options):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", dumped(value, torch, legacy=False, **options))
        archive.writestr("net/byteorder", "little")
        for storage in storages:
            archive.writestr(f"net/data/{storage.key}", storage.numbers.tobytes())


@pytest.fixture(params=[write_legacy, write_zip])
def write(request):
    return request.param


def test_reads_shapes_strides_and_offsets(tmp_path, torch, write):
    storage = Storage("7", NUMBERS)
    whole = NUMBERS.reshape(2, 3, 4)
    tensors = OrderedDict(
        whole=Tensor(storage, 0, (2, 3, 4), (12, 4, 1)),
        turned=Tensor(storage, 0, (4, 3, 2), (1, 4, 12)),
        part=Tensor(storage, 13, (3, 2), (4, 1)),
        single=Tensor(storage, 5, (), ()),
        empty=Tensor(storage, 24, (0, 3), (3, 1)),
    )
    write(tmp_path / "a.pth", tensors, torch, [storage])
    read = read_tensors(tmp_path / "a.pth")
    assert list(read) == list(tensors)
    np.testing.assert_array_equal(read["whole"], whole)
    np.testing.assert_array_equal(read["turned"], whole.transpose(2, 1, 0))
    np.testing.assert_array_equal(read["part"], whole[1, :, 1:3])
    assert read["single"].shape == () and read["single"] == 5
    assert read["empty"].shape == (0, 3)
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in read.values())


@pytest.mark.parametrize(("kind", "dtype"), [("LongStorage", "<i8"), ("HalfStorage", "<f2")])
def test_reads_other_types(tmp_path, torch, write, kind, dtype):
    storage = Storage("0", NUMBERS.astype(dtype))
    write(tmp_path / "a.pth", {"a": Tensor(storage, 0, (24,), (1,))}, torch, [storage], kind=kind)
    read = read_tensors(tmp_path / "a.pth")["a"]
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, NUMBERS)


def test_what_is_set_on_the_dict_does_no_harm(tmp_path, torch, write):
    storage = Storage("0", NUMBERS)
    tensors = OrderedDict(a=Tensor(storage, 0, (24,), (1,)))
    tensors._metadata = OrderedDict(version=2)  # as a module's state dict has it
    write(tmp_path / "a.pth", tensors, torch, [storage])
    assert list(read_tensors(tmp_path / "a.pth")) == ["a"]


def refused(path):
    with pytest.raises(UserError) as refusal:
        read_tensors(path)
    message = str(refusal.value)
    assert "\n" not in message and str(path) in message
    return message


def test_functions_of_a_malicious_file_are_not_called(tmp_path, torch, write):
    storage, made = Storage("0", NUMBERS), tmp_path / "made"
    for evil in (Evil(os.mkdir, str(made)), Evil(eval, f"__import__('os').mkdir({str(made)!r})")):
        write(tmp_path / "a.pth", {"a": evil}, torch, [storage])
        assert "no part of a tensor" in refused(tmp_path / "a.pth")
        assert not made.exists()


@pytest.mark.parametrize(
    "place",
    [
        (0, (25,), (1,)),
        (1, (24,), (1,)),
        (0, (2, 3), (12, 6)),
        (-1, (2,), (1,)),
        (5, (2,), (-1,)),
        (0, (10**6, 10**6), (0, 0)),
        (0, (2, 2), (1,)),
    ],
)
def test_tensors_stay_inside_their_storage(tmp_path, torch, write, place):
    storage = Storage("0", NUMBERS)
    write(tmp_path / "a.pth", {"a": Tensor(storage, *place)}, torch, [storage])
    refused(tmp_path / "a.pth")


def test_a_storage_shorter_or_longer_than_announced_is_refused(tmp_path, torch, write):
    for length in (25, 10**15, -1):
        storage = Storage("0", NUMBERS, length)
        write(tmp_path / "a.pth", {"a": Tensor(storage, 0, (24,), (1,))}, torch, [storage])
        refused(tmp_path / "a.pth")


def test_other_contents_are_refused(tmp_path, torch, write):
    storage = Storage("0", NUMBERS)
    tensor = Tensor(storage, 0, (24,), (1,))
    for value in ([tensor], {"a": 1}, {1: tensor}, tensor, "text"):
        write(tmp_path / "a.pth", value, torch, [storage])
        refused(tmp_path / "a.pth")
    write(tmp_path / "a.pth", {"a": tensor}, torch, [storage], kind="StrangeStorage")
    assert "torch.StrangeStorage" in refused(tmp_path / "a.pth")


def test_a_file_cut_short_anywhere_is_refused(tmp_path, torch, write):
    storage = Storage("0", NUMBERS)
    write(tmp_path / "a.pth", {"a": Tensor(storage, 0, (24,), (1,))}, torch, [storage])
    data = (tmp_path / "a.pth").read_bytes()
    for length in range(len(data)):
        (tmp_path / "a.pth").write_bytes(data[:length])
        refused(tmp_path / "a.pth")


def test_a_file_with_a_byte_changed_gives_tensors_or_one_line(tmp_path, torch, write):
    storage = Storage("0", NUMBERS)
    write(tmp_path / "a.pth", {"a": Tensor(storage, 0, (24,), (1,))}, torch, [storage])
    data = (tmp_path / "a.pth").read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(data), 500):
        changed = bytearray(data)
        changed[place] = rng.integers(256)
        (tmp_path / "a.pth").write_bytes(changed)
        try:
            read = read_tensors(tmp_path / "a.pth")
        except UserError as refusal:
            assert "\n" not in str(refusal)
        else:
            assert all(isinstance(array, np.ndarray) for array in read.values())


def test_a_mistake_of_ours_is_no_damaged_file(tmp_path, torch, write, monkeypatch):
    storage = Storage("0", NUMBERS)
    write(tmp_path / "a.pth", {"a": Tensor(storage, 0, (24,), (1,))}, torch, [storage])
    monkeypatch.setattr(torch_file, "math", None)
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'prod'"):
        read_tensors(tmp_path / "a.pth")


def test_a_missing_file_is_one_line(tmp_path):
    refused(tmp_path / "none.pth")
