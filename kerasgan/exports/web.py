"""One HTML file that draws new faces wherever it is opened, without a server.

The page's own parts lie in the folder `page`. Into its HTML go its style, its scripts, the network
and its weights; a policy lets the browser run these scripts and no others, and ask for nothing.
"""

import base64
import hashlib
import html
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import kerasgan
from kerasgan import data, directions, images
from kerasgan import latents as latent_space
from kerasgan.errors import UserError
from kerasgan.exports import facts, layers, operations
from kerasgan.exports.operations import FLOAT16, Operation
from kerasgan.saved import GENERATOR, SavedGenerator

PAGE = Path(__file__).parent / "page"
# In the order in which they need each other: what draws, in a worker, and what is seen.
ENGINES = ("network.js", "cpu.js", "kernels.js", "webgl.js", "webgpu.js", "drawing.js")
PEOPLE = ("people.js", "page.js")
SLIDERS = 12  # directions, at most
COMPONENTS = 6  # sliders of a generator for which no directions are known
EXAMPLES = 200  # conditions, from which those of new people are drawn, at most
SAMPLES = 4096  # values of a known picture, by which engines are checked, at most
ICON = 64  # pixels, at most
SEED = 0  # of the known picture


def write(generator: SavedGenerator, path: Path, quantize: str | None = None) -> None:
    """Writes the page.

    Args:
        generator: any of layers that the page knows.
        path: the file, not there yet.
        quantize: what kernels are kept in: "int8", or "float16" unless given.

    Raises:
        UserError: it has a layer that the page does not know.
    """
    rows, weights = operations.pack(_lowered(generator), quantize or FLOAT16)
    known = _known_picture(generator, operations.unpack(rows, weights))
    network = {
        "operations": rows,
        "picture": _picture(generator),
        "kind": _kind(generator),
        "check": known["check"],
        "fingerprint": generator.fingerprint,
        "facts": facts.of(generator, quantize or FLOAT16),
    }
    path.write_text(_filled(generator, network, weights, known["icon"]), encoding="utf-8")


def opened(path: Path) -> Callable[[list[np.ndarray]], np.ndarray]:
    """Reads the network that a page holds, and returns what draws with it by TensorFlow."""
    from kerasgan.exports import replay

    text = path.read_text(encoding="utf-8")
    network = json.loads(_held(text, "network"))
    read = operations.unpack(network["operations"], base64.b64decode(_held(text, "weights")))
    return lambda rows: replay.run(read, rows)


def _held(text: str, name: str) -> str:
    match = re.search(f'<script id="{name}"[^>]*>(.*?)</script>', text, re.DOTALL)
    if match is None:
        raise ValueError(f"a page without {name}")
    return match[1]


def _lowered(generator: SavedGenerator) -> Operation:
    try:
        return layers.lower(generator.model)
    except layers.Unknown as unknown:
        raise UserError(
            "A page draws with a generator of layers that it knows. Received: "
            f"{generator.file or generator.model.name}, with {unknown}. Type --format onnx: "
            "ONNX Runtime Web draws with it in a browser."
        ) from unknown


def _picture(generator: SavedGenerator) -> dict[str, Any]:
    """Returns what the network's numbers are to the picture."""
    shape = tuple(generator.model.output_shape[1:])
    height, width, channels = generator.height, generator.width, generator.channels
    first = len(shape) == 3 and shape != (height, width, channels)
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "channelsFirst": first,
        "range": list(generator.range),
    }


def _known_picture(generator: SavedGenerator, read: list[Operation]) -> dict[str, Any]:
    """Draws what the page should, of one latent, by the weights that it holds."""
    from kerasgan.exports import replay

    latents = latent_space.draw(1, generator.latent_dim, SEED)
    known = generator.conditions
    conditions = known.draw(1, SEED).vectors() if known else None
    inputs = [np.asarray(each) for each in generator.reads(latents, conditions)]
    values = replay.run(read, inputs)
    laid_out = _picture(generator)
    if laid_out["channelsFirst"]:
        values = np.moveaxis(values, 1, -1)
    values = values.reshape(laid_out["height"], laid_out["width"], laid_out["channels"])
    black, white = generator.range
    picture = images.to_uint8((values - black) * (2 / (white - black)) - 1)
    every = max(picture.size // SAMPLES, 1)
    while every > 1 and (every % 2 == 0 or every % 3 == 0):
        every += 1  # else only some columns were seen, or one colour
    check = {
        "inputs": [each.reshape(-1).tolist() for each in inputs],
        "every": every,
        "bytes": operations.text(picture.reshape(-1)[::every].tobytes()),
    }
    return {"check": check, "icon": _icon(images.to_image(picture))}


def _icon(image: Image.Image) -> str:
    """Returns a small picture as an address, which asks no server for it."""
    image.thumbnail((ICON, ICON))
    content = io.BytesIO()
    image.save(content, format="PNG", optimize=True)
    return f"data:image/png;base64,{operations.text(content.getvalue())}"


def _kind(generator: SavedGenerator) -> dict[str, Any]:
    """Returns what people of this generator are made of."""
    known = generator.conditions
    conditions = known and {
        "names": known.names,
        "are_classes": known.are_classes,
        "examples": known.values[:EXAMPLES].tolist(),
    }
    return {
        "dim": generator.latent_dim,
        "directions": [
            {"name": one.name, "title": _title(one.name), "vector": _short(one.vector)}
            for one in _directions(generator)
        ],
        "conditions": conditions,
    }


def _directions(generator: SavedGenerator) -> list[directions.Direction]:
    """Returns the first of those that `edit` has found, or else components."""
    found = list(directions.read(generator, data.CACHE).values())
    if not found and directions.component_count(generator):
        found = directions.components(generator, COMPONENTS)
    return found[:SLIDERS]


def _title(name: str) -> str:
    number = directions.component_number(name)
    return f"Component {number}" if number else name.replace("_", " ")


def _short(vector: np.ndarray) -> list[float]:
    return [float(f"{number:.5g}") for number in vector]


def _filled(generator: SavedGenerator, network: dict[str, Any], weights: bytes, icon: str) -> str:
    """Puts all parts into the page's HTML."""
    style, engines, page = _read("page.css"), _read(*ENGINES), _read(*PEOPLE)
    name, recipe = _name(generator), network["facts"]["recipe"]
    preset = f" Trained by the recipe {recipe['preset']}." if recipe else ""
    size = f"{generator.width}×{generator.height}"
    parts = {
        "policy": _policy([engines, page], style),
        "title": html.escape(f"{name}: people who do not exist"),
        "description": html.escape(f"A picture by {name}, a network that draws faces, {size}."),
        "version": kerasgan.__version__,
        "made": html.escape(
            f"Made with kerasgan {kerasgan.__version__}.{preset} Weights "
            f"{generator.fingerprint}, in {network['facts']['weights']}."
        ),
        "icon": icon,
        "width": str(generator.width),
        "height": str(generator.height),
        "style": style,
        "network": json.dumps(network, separators=(",", ":")).replace("<", "\\u003c"),
        "weights": operations.text(weights),
        "engines": engines,
        "page": page,
    }
    return re.sub("@@([a-z]+)@@", lambda match: parts[match[1]], _read("page.html"))


def _name(generator: SavedGenerator) -> str:
    file = generator.file
    if file is None:
        return generator.model.name
    return file.resolve().parent.name if file.name == GENERATOR else file.stem


def _read(*names: str) -> str:
    return "".join((PAGE / name).read_text(encoding="utf-8") for name in names)


def _policy(scripts: list[str], style: str) -> str:
    """Returns what a browser may do for the page: run what is in it, and nothing else."""
    allowed = " ".join(map(_hash, scripts))
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; img-src data:; "
        "worker-src blob:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
