"""Small recipes and pictures that the tests share."""

import dataclasses
import functools
import shutil
import signal
import sys
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from kerasgan.recipes import PRESETS, Recipe


def pytest_configure() -> None:
    """Undoes what a shell does to commands in the background: they ignore Ctrl-C, as do theirs."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def repeatable() -> None:
    """TensorFlow's operations repeat themselves, as in the commands, where a test imports it."""
    if "kerasgan.backend" in sys.modules:
        sys.modules["kerasgan.backend"].configure(seed=0)


@pytest.fixture
def tiny() -> Recipe:
    """The tutorial's networks, small enough to train in milliseconds."""
    return dataclasses.replace(
        PRESETS["article"], size=32, width=1 / 64, latent_dim=8, batch_size=4, precision="float32"
    )


@pytest.fixture
def reals() -> np.ndarray:
    """Float pictures in [-1, 1], (12, 32, 32, 3)."""
    return np.random.default_rng(0).uniform(-1, 1, (12, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="session")
def drawn_faces(tmp_path_factory):
    """A folder of ten small PNGs, each with a colour of its own; not to be written to."""
    folder = tmp_path_factory.mktemp("drawn") / "faces"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(10):
        noise = rng.integers(0, 60, (40, 40, 3)) + rng.integers(0, 190, 3)
        Image.fromarray(noise.astype(np.uint8)).save(folder / f"{index:02d}.png")
    return folder


@pytest.fixture
def faces_folder(drawn_faces, tmp_path):
    """Ten small pictures in a folder of the test's own."""
    return shutil.copytree(drawn_faces, tmp_path / "faces")


@pytest.fixture
def eagerly():
    """Steps run uncompiled, which takes a fraction of the time of a few compiled ones."""
    from kerasgan.backend import tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def peak() -> Callable[[Callable[[], object]], int]:
    """Tells how many bytes Python and NumPy hold at most while they do some work."""

    def measure(work: Callable[[], object]) -> int:
        tracemalloc.start()
        try:
            work()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return measure


@pytest.fixture
def quick(monkeypatch):
    """Directions found with few samples and few steps, and no network that looks at pictures."""
    from kerasgan import contrast, discovery

    drawn = functools.partial(discovery.draw_samples, count=400)
    monkeypatch.setattr(discovery, "draw_samples", lambda generator, count=0: drawn(generator))
    monkeypatch.setattr(
        discovery, "train_scorer", functools.partial(discovery.train_scorer, steps=60)
    )
    monkeypatch.setattr(contrast, "VIEWS", {"pixels": contrast.VIEWS["pixels"]})
