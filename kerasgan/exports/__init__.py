"""A generator in the formats of other programs: written, opened again there, and compared.

Each format is a module here with two functions, and a row of `FORMATS`:

    write(generator, path, quantize)   writes the file or the folder `path`, which is not there yet
    opened(path)                       opens it in the runtime that is for it, and returns what
                                       draws with that; a format without a runtime in Python has
                                       none

A module imports what only the extra `export` installs inside of its functions. What it writes is
`network.named(generator)`, and what the format can say beside that is `facts.of(generator,
quantize)`. Whether a file is there already, temporary names and the comparison are `export`'s.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasgan import latents as latent_space
from kerasgan.errors import UserError, required
from kerasgan.exports import saved_model, web
from kerasgan.files import Damaged, atomic_path, reading
from kerasgan.saved import SavedGenerator

EXTRA = "export"  # that installs what formats need
FLOAT16, INT8 = "float16", "int8"  # what weights may be kept in
COMPARED = 16  # pictures
SEED = 0  # of their latents
GREYS = 255  # steps from black to white
# Grey levels that the picture of a runtime may differ from Keras' own, by what weights are kept in.
BARS = {None: 0.1, FLOAT16: 4.0, INT8: 64.0}
TIMED = 5  # pictures, one by one

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
    """

    what: str
    suffix: str
    write: Callable[[SavedGenerator, Path, str | None], None]
    opened: Callable[[Path], Runner] | None = None
    runtime: str = ""
    modules: Sequence[str] = ()
    quantized: Sequence[str] = ()
    kept: str | None = None


FORMATS = {
    "saved-model": Format(
        "TensorFlow's SavedModel, a folder", "", saved_model.write, saved_model.opened, "TensorFlow"
    ),
    "web": Format(
        "a page that draws in any browser, one HTML file",
        ".html",
        web.write,
        web.opened,
        "TensorFlow, from what the page holds,",
        quantized=(FLOAT16, INT8),
        kept=FLOAT16,
    ),
}


@dataclass(frozen=True)
class Comparison:
    """What a runtime draws beside what Keras does.

    Attributes:
        difference: the largest, in the values that the network gives.
        greys: the same in grey levels, of which there are 255 from black to white.
        seconds: that a picture takes in the runtime, drawn alone.
    """

    difference: float
    greys: float
    seconds: float


def require_modules(name: str) -> None:
    """Raises UserError where something is not installed that a format needs."""
    for module in FORMATS[name].modules:
        required(module, EXTRA, f"`--format {name}`")


def export(
    generator: SavedGenerator, path: Path, name: str, quantize: str | None = None
) -> Comparison | None:
    """Writes a generator in another format, whole or not at all, after a look at what it draws.

    Args:
        generator: that `saved.load` returned.
        path: of the file or folder; see `Format.suffix`.
        name: of the format, one of `FORMATS`.
        quantize: what weights are kept in, one of the format's `quantized`; None for float32.

    Returns:
        How it compares; None for a format without a runtime here.

    Raises:
        UserError: a module is missing, the runtime refuses what was written, or draws something
            else.
    """
    require_modules(name)
    form = FORMATS[name]
    with atomic_path(path) as temporary:
        form.write(generator, temporary, quantize)
        if form.opened is None:
            return None
        found = compare(generator, form.opened, temporary, form.runtime)
        bar = BARS[quantize or form.kept]
        if not found.greys <= bar:
            raise UserError(
                f"Pictures should differ from Keras' own by at most {bar:g} of {GREYS} "
                f"grey levels. Received: {found.greys:.3g}, of {form.what}"
                f"{f' in {quantize}' if quantize else ''}. Type another --format, or leave "
                "--quantize out."
            )
    return found


def compare(
    generator: SavedGenerator, opened: Callable[[Path], Runner], path: Path, runtime: str
) -> Comparison:
    """Compares what a runtime draws with what Keras does, of the same latents.

    Raises:
        UserError: the runtime refuses the file.
    """
    rows = reads(generator)
    try:
        with reading():
            runner = opened(path)
        with reading():
            drawn = runner(rows)
        seconds = []
        for place in range(TIMED):
            start = time.perf_counter()
            with reading():
                runner([row[place : place + 1] for row in rows])
            seconds.append(time.perf_counter() - start)
    except Damaged as error:
        raise UserError(
            f"An export should open in {runtime}. Received: a generator that it refuses: {error}. "
            "Type another --format."
        ) from error
    difference = float(np.max(np.abs(drawn - values(generator, rows))))
    black, white = generator.range
    greys = difference * GREYS / (white - black)
    return Comparison(difference, greys, float(np.median(seconds)))


def reads(generator: SavedGenerator, count: int = COMPARED, seed: int = SEED) -> list[np.ndarray]:
    """Draws what the network reads: latents and, where it has them, conditions, float32 each."""
    latents = latent_space.draw(count, generator.latent_dim, seed)
    known = generator.conditions
    conditions = known.draw(count, seed).vectors() if known else None
    return [np.asarray(row) for row in generator.reads(latents, conditions)]


def values(generator: SavedGenerator, rows: list[np.ndarray]) -> np.ndarray:
    """Returns what the network gives in Keras, on a processor, float32."""
    from kerasgan.backend import tf

    with tf.device("/CPU:0"):
        given = generator.model(rows if len(rows) > 1 else rows[0], training=False)
    return np.asarray(given, np.float32)
