"""The layers of a Keras network as `operations`, those that a page in a browser knows."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasgan.exports.operations import Operation, simplified
from kerasgan.text import printable

if TYPE_CHECKING:
    import keras

MOST = 3e38  # stands for no bound


class Unknown(Exception):
    """A layer that a page does not know; the message is its name, and what is odd about it."""


def lower(model: "keras.Model") -> Operation:
    """Returns a network as operations, the last one of which gives its pictures.

    Args:
        model: of one output; its inputs become operations of kind "input" by their numbers.

    Raises:
        Unknown: it has a layer that none of the operations does.
    """
    inputs = [
        Operation("input", [], _sides(each, "its input"), {"number": number})
        for number, each in enumerate(model.inputs)
    ]
    return simplified(_run(model, inputs)[0])


def _run(model: "keras.Model", inputs: Sequence[Operation]) -> list[Operation]:
    """Goes through a network, which may be a layer of another."""
    known = {id(tensor): given for tensor, given in zip(model.inputs, inputs, strict=True)}
    by_depth = getattr(model, "_functional", model)._nodes_by_depth  # a Sequential has another
    for _, nodes in sorted(by_depth.items(), reverse=True):
        for node in nodes:
            if not node.is_input:
                given = [known[id(tensor)] for tensor in node.input_tensors]
                results = _results(node, given)
                known |= {id(t): made for t, made in zip(node.outputs, results, strict=True)}
    return [known[id(tensor)] for tensor in model.outputs]


def _results(node: Any, given: list[Operation]) -> list[Operation]:
    layer = node.operation
    kind = type(layer).__name__
    name = f"{kind} ({printable(layer.name)})"
    if hasattr(layer, "_nodes_by_depth") or hasattr(layer, "_functional"):
        return _run(layer, given)
    if kind not in LAYERS or len(node.outputs) != 1 or not given:
        raise Unknown(name)
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise Unknown(f"{name}, whose channels come first")
    shape = _sides(node.outputs[0], name)
    try:
        made = LAYERS[kind](layer, given, shape, node.arguments)
        activation = getattr(layer, "activation", None)
        return [made if activation is None else _activated(made, activation.__name__)]
    except Unknown as odd:
        raise Unknown(f"{name}, with {odd}") from odd


def _sides(tensor: Any, name: str) -> tuple[int, ...]:
    sides = tuple(tensor.shape[1:])
    if not sides or None in sides:
        raise Unknown(f"{name}, whose shape {tuple(tensor.shape)} is not known before it draws")
    return sides


def _require(known: bool, odd: str) -> None:
    if not known:
        raise Unknown(odd)


def _dense(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    """A dense layer treats each row of numbers as a convolution of one tap treats a pixel."""
    kernel, *bias = (np.asarray(weight, np.float64) for weight in layer.get_weights())
    (x,) = given
    rows = int(np.prod(x.shape[:-1]))
    return _convolution(x, shape, kernel[None, None], bias, (rows, 1, x.shape[-1]), (rows, 1))


def _convolution(
    x: Operation,
    shape: tuple[int, ...],
    kernel: np.ndarray,
    bias: list[np.ndarray],
    reads: Sequence[int],
    gives: Sequence[int],
    **facts: Any,
) -> Operation:
    """Makes a convolution of a kernel (rows, columns, channels read, channels given)."""
    arrays = {"kernel": kernel, "bias": bias[0] if bias else np.zeros(kernel.shape[-1])}
    sides = {"reads": list(reads), "gives": [*gives, kernel.shape[-1]]}
    plain = {"transposed": False, "stride": [1, 1], "dilation": [1, 1], "before": [0, 0]}
    facts = plain | facts | sides | {"kernel_shape": list(kernel.shape)}
    return Operation("convolution", [x], shape, facts, arrays)


def _conv(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    kernel, *bias = (np.asarray(weight, np.float64) for weight in layer.get_weights())
    (x,) = given
    _require(layer.groups == 1, f"{layer.groups} groups")
    sides = zip(layer.kernel_size, layer.dilation_rate, strict=True)
    spans = [(side - 1) * dilation + 1 for side, dilation in sides]
    facts = {"stride": list(layer.strides), "dilation": list(layer.dilation_rate)}
    facts["before"] = _before(layer, spans, x.shape, shape)
    return _convolution(x, shape, kernel, bias, x.shape, shape[:2], **facts)


def _conv_transpose(
    layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any
) -> Operation:
    kernel, *bias = (np.asarray(weight, np.float64) for weight in layer.get_weights())
    (x,) = given
    _require(tuple(layer.dilation_rate) == (1, 1), "a dilation")
    _require(layer.output_padding is None, "a padding of its output")
    sides = zip(layer.kernel_size, layer.strides, strict=True)
    same = layer.padding == "same"
    cut = [max(side - stride, 0) // 2 if same else 0 for side, stride in sides]
    facts = {"transposed": True, "stride": list(layer.strides), "before": cut}
    return _convolution(x, shape, kernel.swapaxes(2, 3), bias, x.shape, shape[:2], **facts)


def _before(
    layer: Any, spans: Sequence[int], reads: Sequence[int], gives: Sequence[int]
) -> list[int]:
    """Returns the rows and columns that a window reaches beyond the top and the left."""
    if layer.padding != "same":
        return [0, 0]
    sides = zip(spans, layer.strides, reads[:2], gives[:2], strict=True)
    return [max((given - 1) * stride + span - read, 0) // 2 for span, stride, read, given in sides]


def _pooling(how: str) -> Callable[..., Operation]:
    def pooled(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
        (x,) = given
        facts = {"how": how, "size": list(layer.pool_size), "stride": list(layer.strides)}
        facts["before"] = _before(layer, layer.pool_size, x.shape, shape)
        facts |= {"reads": list(x.shape), "gives": list(shape)}
        return Operation("pooling", [x], shape, facts)

    return pooled


def _global_pooling(how: str) -> Callable[..., Operation]:
    def pooled(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
        (x,) = given
        sides = {"size": list(x.shape[:2]), "stride": [1, 1], "before": [0, 0]}
        facts = {"how": how, **sides, "reads": list(x.shape), "gives": [1, 1, x.shape[2]]}
        return Operation("pooling", [x], shape, facts)

    return pooled


def _upsampling(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    (x,) = given
    _require(layer.interpolation in ("nearest", "bilinear"), layer.interpolation)
    facts = {"times": list(layer.size), "smooth": layer.interpolation == "bilinear"}
    return Operation("upsampling", [x], shape, facts | {"reads": list(x.shape)})


def _padding(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    (top, _), (left, _) = layer.padding
    return _framed(given[0], shape, [top, left])


def _cropping(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    (top, _), (left, _) = layer.cropping
    return _framed(given[0], shape, [-top, -left])


def _framed(x: Operation, shape: tuple[int, ...], corner: list[int]) -> Operation:
    """Puts a picture into a frame of zeros, its corner there, or cuts such a frame out of it."""
    return Operation("frame", [x], shape, {"corner": corner, "reads": list(x.shape)})


def _batch_norm(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    _require(_is_last(layer.axis, shape), f"an axis {layer.axis}")
    weights = [np.asarray(each, np.float64) for each in layer.get_weights()]
    variance, mean = weights.pop(), weights.pop()
    gamma = weights.pop(0) if layer.scale else np.ones_like(mean)
    beta = weights.pop(0) if layer.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return _affine(given[0], shape, scale, beta - mean * scale)


def _rescaling(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    return _affine(given[0], shape, layer.scale, layer.offset)


def _affine(x: Operation, shape: tuple[int, ...], scale: Any, offset: Any) -> Operation:
    """Multiplies by a number, or one for each channel, and adds another."""
    numbers = [np.asarray(each, np.float64) for each in (scale, offset)]
    count = max(each.size for each in numbers)
    along = all(each.size in (1, *each.shape[-1:]) for each in numbers)
    _require(along and count in (1, shape[-1]), "numbers that are not one for each channel")
    scale, offset = (np.broadcast_to(each.reshape(-1), (count,)) for each in numbers)
    return Operation("affine", [x], shape, {}, {"scale": scale, "offset": offset})


def _is_last(axis: Any, shape: tuple[int, ...]) -> bool:
    axes = [axis] if isinstance(axis, int) else list(axis)
    return len(axes) == 1 and axes[0] in (-1, len(shape))


def _unit(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    _require(_is_last(layer.axis, shape), f"an axis {layer.axis}")
    return Operation("unit", given, shape)


def _same(_: Any, given: list[Operation], shape: tuple[int, ...], __: Any) -> Operation:
    """What changes nothing where nothing is learned, or only the shape."""
    (x,) = given
    _require(np.prod(x.shape) == np.prod(shape), "the batch in its shape")
    return x if x.shape == shape else Operation("reshape", [x], shape)


def _cast(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    _require("float" in str(layer.dtype), "whole numbers")
    return given[0]


def _concatenate(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    axis = layer.axis if layer.axis < 0 else layer.axis - len(shape) - 1
    result, *others = given
    for other in others:
        result = _joined(result, other, axis)
    return result


def _joined(one: Operation, other: Operation, axis: int) -> Operation:
    sides = list(one.shape)
    sides[axis] += other.shape[axis]
    # Numbers that follow one another, of the one and then of the other.
    runs = [int(np.prod(each.shape[axis:])) for each in (one, other)]
    return Operation("concatenation", [one, other], tuple(sides), {"runs": runs})


def _repeat(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    row = result = Operation("reshape", given, (1, shape[1]))
    for _ in range(layer.n - 1):
        result = _joined(result, row, -2)
    return result


def _permute(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    return _permuted(given[0], shape, [axis - 1 for axis in layer.dims])


def _transpose(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    axes = layer.axes or range(len(shape), -1, -1)
    _require(tuple(axes)[0] == 0, "the batch among its axes")
    return _permuted(given[0], shape, [axis - 1 for axis in axes][1:])


def _permuted(x: Operation, shape: tuple[int, ...], order: list[int]) -> Operation:
    """Moves axes; how far apart in what it reads the numbers of each axis of the result are."""
    _require(len(shape) <= 4, f"{len(shape)} axes")
    apart = [int(np.prod(x.shape[axis + 1 :])) for axis in order]
    missing = 4 - len(shape)
    sides = [1] * missing + list(shape)
    return Operation("permutation", [x], shape, {"sides": sides, "apart": [0] * missing + apart})


def _merge(how: str) -> Callable[..., Operation]:
    def merged(_: Any, given: list[Operation], shape: tuple[int, ...], __: Any) -> Operation:
        _require(all(each.shape == shape for each in given), "inputs of more than one shape")
        result, *others = given
        for other in others:
            result = Operation("merging", [result, other], shape, {"how": how})
        return result

    return merged


def _average(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    summed = _merge("add")(layer, given, shape, _)
    return _affine(summed, shape, 1 / len(given), 0)


def _arithmetic(how: str) -> Callable[..., Operation]:
    """Of some tensors, or a tensor and a number."""

    def done(_: Any, given: list[Operation], shape: tuple[int, ...], arguments: Any) -> Operation:
        terms = [*arguments.args, *arguments.kwargs.values()]
        if len(given) > 1:
            return _merge(how)(_, given, shape, None)
        numbers = [term for term in terms if isinstance(term, int | float)]
        _require(len(given) == len(numbers) == 1, "something that is no tensor and no number")
        number, number_first = float(numbers[0]), isinstance(terms[0], int | float)
        x = given[0]
        if how == "add":
            return _affine(x, shape, 1, number)
        if how == "subtract":
            return _affine(x, shape, *((-1, number) if number_first else (1, -number)))
        if how == "multiply":
            return _affine(x, shape, number, 0)
        bounds = [number, MOST] if how == "maximum" else [-MOST, number]
        return _bent(x, "clip", *bounds)

    return done


def _divide(_: Any, given: list[Operation], shape: tuple[int, ...], arguments: Any) -> Operation:
    terms = [*arguments.args, *arguments.kwargs.values()]
    by_number = len(given) == 1 and len(terms) == 2 and isinstance(terms[1], int | float)
    _require(by_number and terms[1] != 0, "something that is no number")
    return _affine(given[0], shape, 1 / float(terms[1]), 0)


def _clip(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    bounds = (layer.x_min, layer.x_max)
    _require(all(isinstance(each, int | float) for each in bounds), "a tensor as its bound")
    return _bent(given[0], "clip", *map(float, bounds))


def _leaky(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    return _bent(given[0], "leaky", float(layer.negative_slope), MOST)


def _relu(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    _require(not layer.threshold, "a threshold")
    most = MOST if layer.max_value is None else float(layer.max_value)
    return _bent(given[0], "leaky", float(layer.negative_slope), most)


def _elu(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    return _bent(given[0], "elu", float(layer.alpha))


def _prelu(layer: Any, given: list[Operation], shape: tuple[int, ...], _: Any) -> Operation:
    (slopes,) = (np.asarray(weight, np.float64) for weight in layer.get_weights())
    shared = all(side == 1 for side in slopes.shape[:-1])
    _require(shared and slopes.shape[-1] == shape[-1], "slopes that are not one for each channel")
    return Operation("slopes", given, shape, {}, {"slopes": slopes.reshape(-1)})


def _activation(_: Any, given: list[Operation], shape: tuple[int, ...], __: Any) -> Operation:
    return given[0]  # what it does is its attribute `activation`, as other layers have one


def _function(name: str) -> Callable[..., Operation]:
    def done(_: Any, given: list[Operation], shape: tuple[int, ...], __: Any) -> Operation:
        return _activated(given[0], name)

    return done


def _activated(x: Operation, name: str) -> Operation:
    _require(name in ACTIVATIONS, f"the activation {printable(name)}")
    return x if name == "linear" else _bent(x, *ACTIVATIONS[name])


def _bent(x: Operation, function: str, first: float = 0.0, second: float = 0.0) -> Operation:
    """Applies a function of two numbers to every number."""
    return Operation("activation", [x], x.shape, {"activation": [function, first, second]})


# Keras' functions by the function of the page, and its two numbers.
ACTIVATIONS: dict[str, tuple[Any, ...]] = {
    "linear": (),
    "relu": ("leaky", 0.0, MOST),
    "relu6": ("leaky", 0.0, 6.0),
    "leaky_relu": ("leaky", 0.2, MOST),
    "hard_tanh": ("clip", -1.0, 1.0),
    "hard_sigmoid": ("hard_sigmoid",),
    "tanh": ("tanh",),
    "sigmoid": ("sigmoid",),
    "elu": ("elu", 1.0),
    "selu": ("selu",),
    "silu": ("silu",),
    "swish": ("silu",),
    "softplus": ("softplus",),
    "softsign": ("softsign",),
}

# What becomes of each layer, and of each operation of Keras' own, by its name.
LAYERS: dict[str, Callable[..., Operation]] = {
    "Activation": _activation,
    "Add": _arithmetic("add"),
    "Average": _average,
    "AveragePooling2D": _pooling("average"),
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concatenate": _concatenate,
    "Conv2D": _conv,
    "Conv2DTranspose": _conv_transpose,
    "Cropping2D": _cropping,
    "Dense": _dense,
    "Dropout": _same,
    "ELU": _elu,
    "ExpandDims": _same,
    "Flatten": _same,
    "GaussianDropout": _same,
    "GaussianNoise": _same,
    "GlobalAveragePooling2D": _global_pooling("average"),
    "GlobalMaxPooling2D": _global_pooling("maximum"),
    "HardSigmoid": _function("hard_sigmoid"),
    "HardTanh": _function("hard_tanh"),
    "Identity": _same,
    "LeakyReLU": _leaky,
    "MaxPooling2D": _pooling("maximum"),
    "Maximum": _arithmetic("maximum"),
    "Minimum": _arithmetic("minimum"),
    "Multiply": _arithmetic("multiply"),
    "PReLU": _prelu,
    "Permute": _permute,
    "ReLU": _relu,
    "Relu": _function("relu"),
    "RepeatVector": _repeat,
    "Rescaling": _rescaling,
    "Reshape": _same,
    "Sigmoid": _function("sigmoid"),
    "Softsign": _function("softsign"),
    "SpatialDropout2D": _same,
    "Squeeze": _same,
    "Subtract": _arithmetic("subtract"),
    "Tanh": _function("tanh"),
    "Transpose": _transpose,
    "TrueDivide": _divide,
    "UnitNormalization": _unit,
    "UpSampling2D": _upsampling,
    "ZeroPadding2D": _padding,
}
