"""The range of a network's pictures: by its last layers, or by the values that it draws."""

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasgan.errors import UserError
from kerasgan.text import printable

if TYPE_CHECKING:
    import keras

Range = tuple[float, float]  # black and white

SIGNED: Range = (-1.0, 1.0)
NAMES: dict[str, Range] = {"tanh": SIGNED, "sigmoid": (0.0, 1.0), "bytes": (0.0, 255.0)}
CHOICES = "tanh for -1 to 1, sigmoid for 0 to 1, bytes for 0 to 255"
CLOSE = 0.2  # of a range: bounds that are no farther from its ends stand for it
BULK = (0.01, 0.99)  # quantiles between which most values lie

ACTIVATIONS: dict[str, Range] = {
    "tanh": SIGNED,
    "hard_tanh": SIGNED,
    "softsign": SIGNED,
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "sparse_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
}
OPERATIONS: dict[str, Range] = {
    "Tanh": SIGNED,
    "HardTanh": SIGNED,
    "Softsign": SIGNED,
    "Sigmoid": (0.0, 1.0),
    "HardSigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
}
# What gives values out of those that it reads, of one of its inputs or between them.
KEEPING = set(
    "Average AveragePooling2D Cast Concatenate Cropping2D Dropout ExpandDims Flatten "
    "GaussianDropout GaussianNoise Identity InputLayer MaxPooling2D Maximum Minimum Permute "
    "Reshape Round SpatialDropout2D Squeeze Transpose UpSampling2D ZeroPadding2D".split()
)


def by_layers(model: "keras.Model") -> Range | None:
    """Returns the range that a network's last layers hold its pictures to.

    Args:
        model: with one output.

    Returns:
        One of `NAMES` where the bounds are those or near, the bounds themselves elsewhere; None
        where the layers give no bounds.
    """
    found = _bounds(model.outputs[0])
    if found is None or not all(map(math.isfinite, found)) or found[0] >= found[1]:
        return None
    return _known(found) or found


def by_values(values: np.ndarray, what: str) -> Range:
    """Decides a range by the bulk of the values drawn, whatever a few of them do.

    Args:
        values: of the pictures, finite.
        what: drew them, for the message.

    Raises:
        UserError: they fit into none of `NAMES`, or into more than one.
    """
    low, high = (float(value) for value in np.quantile(values, BULK))
    from_zero = low >= -CLOSE * high  # but for what overshoots
    if -1.5 <= low and high <= 1.5:
        return NAMES["sigmoid"] if from_zero else NAMES["tanh"]
    if from_zero and 10 <= high <= 300:
        return NAMES["bytes"]
    raise UserError(
        "A generator's pictures should lie in a range that is known, or typed. Received: "
        f"{printable(what)}, most of whose values lie from {low:.3g} to {high:.3g}. Type --range: "
        f"{CHOICES}."
    )


def in_words(span: Range) -> str:
    """Returns "-1 to 1"."""
    return f"{span[0]:g} to {span[1]:g}"


def _known(bounds: Range) -> Range | None:
    """Returns the range of `NAMES` that bounds stand for, if any."""
    for known in NAMES.values():
        allowed = CLOSE * (known[1] - known[0])
        if all(abs(a - b) <= allowed for a, b in zip(bounds, known, strict=True)):
            return known
    return None


def _bounds(tensor: Any) -> Range | None:
    """Returns the bounds of a tensor of a network, as far as the operation it comes from tells."""
    from kerasgan.backend import keras

    operation, node, index = tensor._keras_history
    if isinstance(operation, keras.Model):  # a network inside the network
        return _bounds(operation.outputs[index])
    name = type(operation).__name__
    inputs = operation._inbound_nodes[node].input_tensors
    activation = getattr(operation, "activation", None)
    if activation is not None and getattr(activation, "__name__", "") != "linear":
        return ACTIVATIONS.get(getattr(activation, "__name__", ""))
    if name in OPERATIONS:
        return OPERATIONS[name]
    if name == "ReLU" and operation.max_value is not None and not operation.negative_slope:
        return _known((0.0, float(operation.max_value)))  # others, such as 6, are no white
    if name == "Clip":
        return _clipped(operation, inputs)
    if name == "Rescaling":
        return _moved(_bounds(inputs[0]), operation.scale, operation.offset)
    if name in ("Add", "Subtract", "Multiply", "TrueDivide", "Divide"):
        return _reckoned(name, operation._inbound_nodes[node].arguments.args)
    if name in KEEPING or name == "Activation":
        return _around([_bounds(each) for each in inputs])
    return None


def _clipped(operation: Any, inputs: list[Any]) -> Range | None:
    with suppress(AttributeError, TypeError, ValueError):  # where a tensor is the bound
        if found := _known((float(operation.x_min), float(operation.x_max))):
            return found
    return _around([_bounds(each) for each in inputs])


def _moved(bounds: Range | None, scale: Any, offset: Any) -> Range | None:
    """Returns the bounds of values times `scale` plus `offset`, numbers or one for each channel."""
    if bounds is None:
        return None
    ends = [np.asarray(end * np.asarray(scale) + np.asarray(offset)) for end in bounds]
    return float(np.min(ends)), float(np.max(ends))


def _reckoned(name: str, terms: tuple[Any, ...]) -> Range | None:
    """Returns the bounds of a tensor and a number, added, subtracted, multiplied or divided."""
    if len(terms) != 2:
        return None
    numbers = [isinstance(term, int | float) for term in terms]
    if sum(numbers) != 1:
        return None
    number = float(terms[numbers.index(True)])
    bounds, first = _bounds(terms[numbers.index(False)]), numbers.index(False) == 0
    if name == "Add":
        return _moved(bounds, 1, number)
    if name == "Multiply":
        return _moved(bounds, number, 0)
    if name == "Subtract":
        return _moved(bounds, 1, -number) if first else _moved(bounds, -1, number)
    return _moved(bounds, 1 / number, 0) if first and number else None


def _around(bounds: list[Range | None]) -> Range | None:
    known = [each for each in bounds if each is not None]
    if not known or len(known) < len(bounds):
        return None
    return min(low for low, _ in known), max(high for _, high in known)
