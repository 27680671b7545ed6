"""ONNX: one file, for ONNX Runtime and whatever else reads it.

In fewer bits only weights are kept. ONNX Runtime's own converters have the network compute in them
as well, which costs: measured on a generator of `fast` at 64x64, of 255 grey levels,

    float16   weights alone 0.3 at most, everything 0.7
    int8      weights alone 23 at most and 1.1 on average, everything 156 and 7.2

and computing in int8 took three times as long.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kerasgan.exports import facts, network
from kerasgan.saved import SavedGenerator

FEW = 256  # weights, up to which a tensor stays as it is: there is no room to win
STEPS = 127  # of int8 to either side of 0
# Where the weights of an operation stand among its inputs is always 1; here is the axis of its
# outputs in them, each of which has a scale of its own.
OUTPUTS = {"Conv": 0, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}


def write(generator: SavedGenerator, path: Path, quantize: str | None = None) -> None:
    """Writes the generator as one file.

    Args:
        generator: any whose operations ONNX has.
        path: the file.
        quantize: "float16" or "int8" for what weights are kept in; None for float32.
    """
    import onnx

    network.named(generator).export(path, format="onnx", verbose=False)
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    if quantize is not None:
        _quantize(model.graph, PACKERS[quantize])
    known = facts.of(generator, quantize)
    model.doc_string = facts.sentence(known)
    onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in known.items()})
    onnx.save(model, path)


def opened(path: Path) -> Callable[[list[np.ndarray]], np.ndarray]:
    """Opens the file in ONNX Runtime, and returns what draws with it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # as LiteRT has: what one core takes is known of any machine
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def run(rows: list[np.ndarray]) -> np.ndarray:
        return session.run(None, dict(zip(names, rows, strict=True)))[0]

    return run


def _quantize(graph: Any, pack: Callable[[str, np.ndarray, int], tuple[list[Any], Any]]) -> None:
    """Replaces the weights of a graph by packed ones, and by nodes that unpack them."""
    from onnx import numpy_helper

    axes = {
        node.input[1]: _output_axis(node)
        for node in graph.node
        if node.op_type in OUTPUTS and len(node.input) > 1
    }
    tensors, unpacking = [], []
    for tensor in graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if tensor.name in axes and weights.dtype == np.float32 and weights.size > FEW:
            packed, node = pack(tensor.name, weights, axes[tensor.name])
            tensors += packed
            unpacking.append(node)
        else:
            tensors.append(tensor)
    nodes = [*unpacking, *graph.node]
    for field, items in ((graph.initializer, tensors), (graph.node, nodes)):
        del field[:]
        field.extend(items)


def _output_axis(node: Any) -> int:
    transposed = any(each.name == "transB" and each.i for each in node.attribute)
    return 0 if transposed else OUTPUTS[node.op_type]


def _to_float16(name: str, weights: np.ndarray, axis: int) -> tuple[list[Any], Any]:
    from onnx import TensorProto, helper, numpy_helper

    half = numpy_helper.from_array(weights.astype(np.float16), f"{name}/float16")
    return [half], helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT)


def _to_int8(name: str, weights: np.ndarray, axis: int) -> tuple[list[Any], Any]:
    from onnx import helper, numpy_helper

    others = tuple(place for place in range(weights.ndim) if place != axis)
    largest = np.abs(weights).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest / STEPS, 1).astype(np.float32)
    whole = np.rint(weights / scale).astype(np.int8)
    packed = [
        numpy_helper.from_array(whole, f"{name}/int8"),
        numpy_helper.from_array(scale.reshape(-1), f"{name}/scale"),
    ]
    names = [tensor.name for tensor in packed]
    return packed, helper.make_node("DequantizeLinear", names, [name], axis=axis)


PACKERS = {"float16": _to_float16, "int8": _to_int8}
