"""A generator in the formats of other programs: written, opened again there, and compared.

Each format is a module here with two functions, and a row of `FORMATS`. `write(generator, path,
quantize)` writes the file or the folder `path`, which is not there yet. `opened(path)` opens it in
the runtime that is for it, and returns what draws with that; a format without a runtime in Python
has none.

A module imports what only the extra `export` installs inside of its functions. What it writes is
`network.named(generator)`, and what the format can say beside that is `facts.of(generator,
quantize)`. Whether a file is there already, temporary names and the comparison are `export`'s.
"""

import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

import numpy as np

from kerasgan import cli
from kerasgan import latents as latent_space
from kerasgan.errors import UserError, required
from kerasgan.exports import litert, network, onnx, saved_model, web
from kerasgan.files import atomic_path
from kerasgan.saved import SavedGenerator, called
from kerasgan.text import first_line

EXTRA = "export"  # that installs what formats need
FLOAT16, INT8 = "float16", "int8"  # what weights may be kept in
COMPARED = 16  # pictures
PART = 4  # of them at a time
SEED = 0  # of their latents
GREYS = 255  # steps from black to white
# Grey levels that a runtime's pictures may differ from Keras' own, by what weights are kept in.
# Measured on generators of all presets: up to 0.001, 0.6 and 29.
BARS = {None: 0.1, FLOAT16: 2.0, INT8: 48.0}
TIMED = 5  # pictures, one by one
LONG = 1.0  # seconds, after which no more are timed
REASON = 200  # characters of what a converter or a runtime says, at most

# What the network reads, latents and, where it has them, conditions, to what it gives.
Runner = Callable[[list[np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class Format:
    """A format that a generator is exported to.

    Attributes:
        what: it is, for messages and the help.
        suffix: of its file; "" for a folder.
        write: writes the generator to a path that is not there yet, by the name of what weights
            are kept in, None for float32.
        opened: opens what was written, and returns what draws with it.
        runtime: the name of the program that opens it.
        modules: that the extra `export` installs, for these two.
        quantized: what weights may be kept in, beside float32.
        kept: what they are kept in unless told otherwise; None for float32.
        count: of pictures that it draws at a time; None for any.
        timed: whether the runtime here is the one that will draw, so that its time says something.
    """

    what: str
    suffix: str
    write: Callable[[SavedGenerator, Path, str | None], None]
    opened: Callable[[Path], Runner] | None = None
    runtime: str = ""
    modules: Sequence[str] = ()
    quantized: Sequence[str] = ()
    kept: str | None = None
    count: int | None = None
    timed: bool = True


FORMATS = {
    "saved-model": Format(
        "TensorFlow's SavedModel, a folder", "", saved_model.write, saved_model.opened, "TensorFlow"
    ),
    "onnx": Format(
        "one file for ONNX Runtime",
        ".onnx",
        onnx.write,
        onnx.opened,
        "ONNX Runtime",
        ("onnx", "tf2onnx", "onnxruntime"),
        (FLOAT16, INT8),
    ),
    "litert": Format(
        "one file for LiteRT, once TensorFlow Lite, which draws a picture at a time",
        ".tflite",
        litert.write,
        litert.opened,
        "LiteRT",
        ("ai_edge_litert.interpreter",),
        (FLOAT16, INT8),
        count=litert.COUNT,
    ),
    "web": Format(
        "a page that draws in any browser, one HTML file",
        ".html",
        web.write,
        web.opened,
        "TensorFlow, from what the page holds,",
        quantized=(FLOAT16, INT8),
        kept=FLOAT16,
        timed=False,
    ),
}


@dataclass(frozen=True)
class Comparison:
    """What a runtime draws beside what Keras does, from the same latents.

    Attributes:
        difference: the largest, in the values that the network gives.
        greys: the same in grey levels, of which there are 255 from black to white.
        average: difference, in grey levels.
        seconds: that a picture takes in the runtime, drawn alone.
    """

    difference: float
    greys: float
    average: float
    seconds: float


def require_modules(name: str) -> None:
    """Raises UserError where something is not installed that a format needs."""
    from kerasgan import backend  # before others import TensorFlow, with all its chatter

    with backend.silent_stderr(shown=False):
        for module in FORMATS[name].modules:
            required(module, EXTRA, f"`--format {name}`")


def export(
    generator: SavedGenerator, path: Path, name: str, quantize: str | None = None
) -> Comparison | None:
    """Writes a generator in another format, whole or not at all, after a look at what it draws.

    Args:
        generator: that `saved.load` returned.
        path: of the file, which is replaced, or of the folder; see `Format.suffix`. A folder that
            is there should be an export, which is replaced as well.
        name: of the format, one of `FORMATS`.
        quantize: what weights are kept in, one of the format's `quantized`; None for float32.

    Returns:
        How it compares; None for a format without a runtime here.

    Raises:
        UserError: a module is missing, the format lacks something that the network does, the
            runtime refuses what was written, or it draws something else.
    """
    require_modules(name)
    form, found = FORMATS[name], None
    with atomic_path(path) as temporary:
        with _telling(f"A generator should be made of what {name} has", generator):
            form.write(generator, temporary, quantize)
        if form.opened is not None:
            found = compare(generator, form.opened, temporary, form.runtime)
            _require_alike(found, BARS[quantize or form.kept], name, quantize)
        if path.is_dir():
            shutil.rmtree(path)  # over which nothing can be renamed
    return found


def compare(
    generator: SavedGenerator, opened: Callable[[Path], Runner], path: Path, runtime: str
) -> Comparison:
    """Compares what a runtime draws with what Keras does.

    Args:
        generator: that was written.
        opened: as in `Format`.
        path: of what was written.
        runtime: its name, for the message.

    Raises:
        UserError: the runtime refuses the file.
    """
    rows, apart = reads(generator), []
    parts = [[row[place : place + PART] for row in rows] for place in range(0, COMPARED, PART)]
    rule = f"An export should open in {runtime}"
    with cli.progress(COMPARED, f"Drawing in {runtime}", "picture", delay=1, leave=False) as bar:
        with _telling(rule, generator):
            runner = opened(path)
        for part in parts:
            with _telling(rule, generator):
                drawn = runner(part)
                apart.append(np.abs(np.subtract(drawn, values(generator, part), dtype=np.float32)))
            bar.update(PART)
        with _telling(rule, generator):
            seconds = _times(lambda place: runner([row[place : place + 1] for row in rows]))
    black, white = generator.range
    scale = GREYS / (white - black)
    largest, average = float(np.max(apart)), float(np.mean(apart))
    return Comparison(largest, largest * scale, average * scale, min(seconds))


def reads(generator: SavedGenerator, count: int = COMPARED, seed: int = SEED) -> list[np.ndarray]:
    """Draws what the network reads: latents and, where it has them, conditions, float32 each."""
    latents = latent_space.draw(count, generator.latent_dim, seed)
    known = generator.conditions
    conditions = known.draw(count, seed).vectors() if known else None
    return [np.asarray(row) for row in generator.reads(latents, conditions)]


def values(generator: SavedGenerator, rows: list[np.ndarray]) -> np.ndarray:
    """Returns what the network gives in Keras, in float32 on a processor."""
    from kerasgan.backend import tf

    with tf.device("/CPU:0"):
        return np.asarray(called(network.in_float32(generator.model), rows), np.float32)


def _times(draw: Callable[[int], object]) -> list[float]:
    """Returns the seconds that each of a few pictures takes, of fewer where they take long."""
    seconds: list[float] = []
    while len(seconds) < TIMED and sum(seconds) < LONG:
        start = time.perf_counter()
        draw(len(seconds))
        seconds.append(time.perf_counter() - start)
    return seconds


@contextmanager
def _telling(rule: str, generator: SavedGenerator) -> Iterator[None]:
    """Makes one line of whatever converters and runtimes say, and holds back their chatter.

    Raises:
        UserError: they say that something is wrong.
    """
    from kerasgan import backend

    try:
        with backend.silent_stderr(shown=False), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (OSError, UserError):
        raise
    except Exception as error:
        reason = shorten(first_line(error), REASON, placeholder=" ...").rstrip(".")
        raise UserError(
            f"{rule}. Received: {generator.file or generator.model.name}, which is refused: "
            f"{reason}. Type another --format."
        ) from error


def _require_alike(found: Comparison, bar: float, name: str, quantize: str | None) -> None:
    """Raises UserError where pictures differ too much, or are none (NaN)."""
    if found.greys <= bar:
        return
    how, remedy = "", "Type another --format"
    if quantize is not None:
        how, remedy = f" in {quantize}", "Leave --quantize out, or type another"
    raise UserError(
        f"An export should draw as Keras does, but for {bar:g} of {GREYS} grey levels. Received: "
        f"--format {name}{how}, which draws up to {found.greys:.3g} apart. {remedy}."
    )
