"""The built-in faces as a source: drawn, not photographed, the same for a seed everywhere."""

import hashlib
from functools import partial
from pathlib import Path

from kerasgan import portraits
from kerasgan.data.cache import Plan, Tally, make_key

BUILT_IN = "built-in"
BUILT_IN_COUNT = 10_000  # the tutorial's number of pictures


def plan_built_in(*, size: int, channels: int, count: int, seed: int) -> Plan:
    """Says how the built-in faces would be drawn.

    Args:
        size: height and width of the pictures, in pixels.
        channels: 3 for RGB, 1 for grey.
        count: how many faces.
        seed: chooses the faces, 0 or more.
    """
    options = {"size": size, "channels": channels, "count": count, "seed": seed}
    return Plan(
        source=BUILT_IN,
        name=f"{BUILT_IN}-{size}",
        key=make_key(options, [_drawing_code()]),
        options=options,
        size=size,
        channels=channels,
        label_names=[],
        at_most=count,
        prepare=partial(_prepare, size, channels, count, seed),
    )


def _prepare(size: int, channels: int, count: int, seed: int, into: Path) -> Tally:
    from kerasgan.data.drawing import draw_faces  # read only where there is something to draw

    return draw_faces(size, count, seed, into, channels=channels)


def _drawing_code() -> str:
    """Returns a digest of the code that draws, so that other faces never hide in an old cache."""
    digest = hashlib.sha256()
    for path in sorted(Path(portraits.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
