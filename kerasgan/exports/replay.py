"""What a page's operations do, by TensorFlow: the second reading of what an export has written."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kerasgan.backend import tf
from kerasgan.exports.operations import Operation

SHORTEST = 1e-12  # what lengths are divided by at least, as Keras does
SELU = (1.6732632423543772, 1.0507009873554805)  # its two constants


def run(operations: Sequence[Operation], inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Returns what the last operation gives, float32 (N, ...).

    Args:
        operations: each after its inputs.
        inputs: float32 (N, ...) each.
    """
    results: dict[Operation, tf.Tensor] = {}
    for operation in operations:
        if operation.kind == "input":
            results[operation] = tf.constant(inputs[operation.facts["number"]], tf.float32)
            continue
        given = [results[each] for each in operation.inputs]
        result = KINDS[operation.kind](operation, *given)
        if operation.kind != "activation" and "activation" in operation.facts:
            result = _activation(operation, result)
        results[operation] = tf.reshape(result, (-1, *operation.shape))
    return np.asarray(results[operations[-1]])


def _weights(operation: Operation, name: str) -> tf.Tensor:
    return tf.constant(operation.arrays[name], tf.float32)


def _convolution(operation: Operation, x: tf.Tensor) -> tf.Tensor:
    facts = operation.facts
    kernel, bias = _weights(operation, "kernel"), _weights(operation, "bias")
    rows, columns, _ = facts["reads"]
    x = tf.reshape(x, (-1, *facts["reads"]))
    sides = zip((rows, columns), facts["gives"], facts["kernel_shape"], facts["stride"],
                facts["dilation"], facts["before"], strict=False)  # fmt: skip
    pads = [(0, 0)]
    for read, given, taps, stride, dilation, before in sides:
        span = (taps - 1) * dilation + 1
        if facts["transposed"]:  # with zeros between what it reads
            read, before, stride = (read - 1) * stride + 1, span - 1 - before, 1
        pads.append((before, (given - 1) * stride + span - read - before))
    if facts["transposed"]:
        x, kernel = _spread(x, facts["stride"]), kernel[::-1, ::-1]
    x = _padded(x, [*pads, (0, 0)])
    strides = (1, 1) if facts["transposed"] else facts["stride"]
    return tf.nn.conv2d(x, kernel, strides, "VALID", dilations=facts["dilation"]) + bias


def _spread(x: tf.Tensor, strides: Sequence[int]) -> tf.Tensor:
    """Puts zeros between rows and between columns."""
    for axis, stride in enumerate(strides, start=1):
        pads = np.zeros((5, 2), int)
        pads[axis + 1, 1] = stride - 1
        shape = list(x.shape)
        x = tf.pad(tf.expand_dims(x, axis + 1), pads)
        x = tf.reshape(x, (-1, *shape[1:axis], shape[axis] * stride, *shape[axis + 1 :]))
        ends = [slice(None)] * axis + [slice(None, (shape[axis] - 1) * stride + 1)]
        x = x[tuple(ends)]
    return x


def _padded(x: tf.Tensor, pads: Sequence[tuple[int, int]], value: float = 0.0) -> tf.Tensor:
    """Pads by as many, or cuts off where a number is negative."""
    x = tf.pad(x, [[max(side, 0) for side in pair] for pair in pads], constant_values=value)
    cuts = [slice(max(-first, 0), -max(-last, 0) or None) for first, last in pads]
    return x[tuple(cuts)]


def _pooling(operation: Operation, x: tf.Tensor) -> tf.Tensor:
    facts = operation.facts
    x = tf.reshape(x, (-1, *facts["reads"]))
    sides = zip(facts["reads"], facts["gives"], facts["size"], facts["stride"], facts["before"],
                strict=False)  # fmt: skip
    pads = [(0, 0)]
    for read, given, size, stride, before in sides:
        pads.append((before, (given - 1) * stride + size - read - before))
    pads.append((0, 0))
    windows = {"ksize": facts["size"], "strides": facts["stride"], "padding": "VALID"}
    if facts["how"] == "maximum":
        return tf.nn.max_pool2d(_padded(x, pads, -math.inf), **windows)
    # What lies beyond the edge does not count.
    inside = tf.nn.avg_pool2d(_padded(tf.ones_like(x), pads), **windows)
    return tf.nn.avg_pool2d(_padded(x, pads), **windows) / inside


def _upsampling(operation: Operation, x: tf.Tensor) -> tf.Tensor:
    rows, columns, _ = operation.facts["reads"]
    down, right = operation.facts["times"]
    method = "bilinear" if operation.facts["smooth"] else "nearest"
    return tf.image.resize(x, (rows * down, columns * right), method)


def _frame(operation: Operation, x: tf.Tensor) -> tf.Tensor:
    sides = zip(operation.facts["corner"], operation.shape[:2], x.shape[1:3], strict=True)
    pads = [(first, whole - read - first) for first, whole, read in sides]
    return _padded(x, [(0, 0), *pads, (0, 0)])


def _affine(operation: Operation, x: tf.Tensor) -> tf.Tensor:
    return x * _weights(operation, "scale") + _weights(operation, "offset")


def _slopes(operation: Operation, x: tf.Tensor) -> tf.Tensor:
    return tf.maximum(x, 0.0) + _weights(operation, "slopes") * tf.minimum(x, 0.0)


def _unit(_: Operation, x: tf.Tensor) -> tf.Tensor:
    return x / tf.maximum(tf.norm(x, axis=-1, keepdims=True), SHORTEST)


def _concatenation(operation: Operation, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    rows = [tf.reshape(each, (len(each), -1, run))
            for each, run in zip((one, other), operation.facts["runs"], strict=True)]  # fmt: skip
    return tf.concat(rows, axis=-1)


def _permutation(operation: Operation, x: tf.Tensor) -> tf.Tensor:
    facts = operation.facts
    sides = zip(facts["sides"], facts["apart"], strict=True)
    places = np.zeros((), int)
    for side, apart in sides:
        places = places[..., None] + np.arange(side) * apart
    return tf.gather(tf.reshape(x, (len(x), -1)), places.reshape(-1), axis=1)


def _merging(operation: Operation, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    return MERGES[operation.facts["how"]](one, other)


def _reshape(_: Operation, x: tf.Tensor) -> tf.Tensor:
    return x


def _activation(operation: Operation, x: tf.Tensor) -> tf.Tensor:
    name, first, second = operation.facts["activation"]
    return FUNCTIONS[name](x, first, second)


KINDS: dict[str, Callable[..., Any]] = {
    "convolution": _convolution,
    "pooling": _pooling,
    "upsampling": _upsampling,
    "frame": _frame,
    "affine": _affine,
    "slopes": _slopes,
    "unit": _unit,
    "concatenation": _concatenation,
    "permutation": _permutation,
    "merging": _merging,
    "reshape": _reshape,
    "activation": _activation,
}
MERGES: dict[str, Callable[..., Any]] = {
    "add": tf.add,
    "subtract": tf.subtract,
    "multiply": tf.multiply,
    "maximum": tf.maximum,
    "minimum": tf.minimum,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "leaky": lambda x, slope, most: tf.minimum(tf.where(x < 0, slope * x, x), most),
    "clip": lambda x, low, high: tf.clip_by_value(x, low, high),
    "tanh": lambda x, *_: tf.tanh(x),
    "sigmoid": lambda x, *_: tf.sigmoid(x),
    "hard_sigmoid": lambda x, *_: tf.clip_by_value(x / 6 + 0.5, 0.0, 1.0),
    "elu": lambda x, alpha, _: tf.where(x < 0, alpha * tf.math.expm1(tf.minimum(x, 0.0)), x),
    "selu": lambda x, *_: SELU[1] * tf.where(x < 0, SELU[0] * tf.math.expm1(tf.minimum(x, 0.0)), x),
    "silu": lambda x, *_: x * tf.sigmoid(x),
    "softplus": lambda x, *_: tf.math.softplus(x),
    "softsign": lambda x, *_: tf.math.softsign(x),
}
