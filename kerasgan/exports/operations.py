"""A network as a list of the few operations that a page in a browser can do, and their weights.

A tensor's shape is that of one picture's, without the axis of the batch. Its last axis is that of
the channels; before that it has rows and columns, none of them, or others.
"""

import base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FLOAT32, FLOAT16, INT8 = "float32", "float16", "int8"
LARGEST = {FLOAT16: 1.0, INT8: 127.0}  # of a kernel's numbers, after division by their scale
ALIGNED = 4  # bytes, at a multiple of which each array begins


@dataclass(eq=False)
class Operation:
    """One step of a network.

    Attributes:
        kind: what it does, one of those that `replay` and the engines of the page know.
        inputs: the operations whose results it reads.
        shape: of its result.
        facts: numbers and words that say more, as JSON has them.
        arrays: its weights, float64.
    """

    kind: str
    inputs: list["Operation"]
    shape: tuple[int, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def ordered(last: Operation) -> list[Operation]:
    """Returns all that an operation needs, each after its inputs, and itself."""
    found: dict[Operation, None] = {}
    waiting = [(last, iter(last.inputs))]
    while waiting:
        operation, inputs = waiting[-1]
        missing = next((each for each in inputs if each not in found), None)
        if missing is None:
            found[operation] = None
            waiting.pop()
        else:
            waiting.append((missing, iter(missing.inputs)))
    return list(found)


def simplified(last: Operation) -> Operation:
    """Puts into convolutions what only scales, moves or bends their results; returns the last.

    A BatchNorm that has learned is a factor and a number to add for each channel. Between it and
    its convolution, a dense layer perhaps, there may be a new shape.
    """
    operations = ordered(last)
    uses = Counter(each for operation in operations for each in operation.inputs)
    instead: dict[Operation, Operation] = {}
    for operation in operations:
        operation.inputs = [instead.get(each, each) for each in operation.inputs]
        if operation.kind not in ("affine", "activation"):
            continue
        source = operation.inputs[0]
        if (convolution := _only_user(operation, uses)) and _absorb(convolution, operation):
            instead[operation] = source
            uses[source] = uses[operation]
    return instead.get(last, last)


def _only_user(operation: Operation, uses: Counter[Operation]) -> Operation | None:
    """Returns the convolution whose results go nowhere else."""
    source = operation.inputs[0]
    while source.kind == "reshape" and uses[source] == 1:
        source = source.inputs[0]
    return source if source.kind == "convolution" and uses[source] == 1 else None


def _absorb(convolution: Operation, operation: Operation) -> bool:
    """Makes an operation part of the convolution before it, if it can be."""
    if "activation" in convolution.facts:
        return False
    if operation.kind == "activation":
        convolution.facts["activation"] = operation.facts["activation"]
        return True
    kernel, bias = convolution.arrays["kernel"], convolution.arrays["bias"]
    scale, offset = operation.arrays["scale"], operation.arrays["offset"]
    times, left = divmod(len(bias), len(scale))
    if left:
        return False
    scale, offset = np.tile(scale, times), np.tile(offset, times)
    convolution.arrays = {"kernel": kernel * scale, "bias": bias * scale + offset}
    return True


def pack(last: Operation, kept: str) -> tuple[list[dict[str, Any]], bytes]:
    """Writes a network's operations as JSON has them, and its weights as bytes.

    A kernel is divided by the largest number of each output channel, and so held in a few bits
    whatever its size. All other weights are float32.

    Args:
        last: the operation whose result is the picture.
        kept: what kernels are kept in, `FLOAT16` or `INT8`.
    """
    operations, content = ordered(last), bytearray()
    places = {operation: place for place, operation in enumerate(operations)}
    rows = []
    for operation in operations:
        row: dict[str, Any] = {"kind": operation.kind, "shape": list(operation.shape)}
        row |= operation.facts | {"inputs": [places[each] for each in operation.inputs]}
        for name, array in operation.arrays.items():
            row[name] = _append_kernel(content, array, kept) if name == "kernel" else (
                _append(content, array, FLOAT32)
            )  # fmt: skip
        rows.append(row)
    return rows, bytes(content)


def _append_kernel(content: bytearray, kernel: np.ndarray, kept: str) -> dict[str, Any]:
    largest = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)))
    scale = np.where(largest > 0, largest, 1) / LARGEST[kept]
    numbers = kernel / scale
    numbers = np.rint(numbers) if kept == INT8 else numbers
    return {**_append(content, numbers, kept), "scale": _append(content, scale, FLOAT32)}


def _append(content: bytearray, array: np.ndarray, kind: str) -> dict[str, Any]:
    row = {"at": len(content), "count": array.size, "type": kind}
    content += array.astype(np.dtype(kind).newbyteorder("<")).tobytes()
    content += bytes(-len(content) % ALIGNED)
    return row


def unpack(rows: list[dict[str, Any]], content: bytes) -> list[Operation]:
    """Reads what `pack` returned; the last operation is that of the picture."""
    operations: list[Operation] = []
    for row in rows:
        arrays = {name: _array(value, content) for name, value in _arrays(row)}
        if "kernel" in arrays:
            arrays["kernel"] = arrays["kernel"].reshape(row["kernel_shape"])
        facts = {name: value for name, value in row.items() if name not in arrays}
        inputs = [operations[place] for place in row["inputs"]]
        operations.append(Operation(row["kind"], inputs, tuple(row["shape"]), facts, arrays))
    return operations


def _arrays(row: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, value) for name, value in row.items() if isinstance(value, dict))


def _array(row: dict[str, Any], content: bytes) -> np.ndarray:
    kind = np.dtype(row["type"]).newbyteorder("<")
    array = np.frombuffer(content, kind, row["count"], row["at"]).astype(np.float64)
    if "scale" not in row:
        return array
    scale = _array(row["scale"], content)
    return (array.reshape(-1, len(scale)) * scale).reshape(-1)


def text(content: bytes) -> str:
    """Returns bytes as a page holds them."""
    return base64.b64encode(content).decode("ascii")
