"""TensorFlow and Keras, imported without their chatter, and what the hardware here is good at.

Every module that computes imports `tf` and `keras` from here.
"""

import errno
import os
import platform
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kerasgan
from kerasgan.cli import open_closed_streams
from kerasgan.errors import UserError
from kerasgan.recipes import Recipe, resolve
from kerasgan.text import first_line

MIN_ADDRESSES = 3 * 2**30  # bytes; with fewer TensorFlow brings the process down, without a word


def _require_addresses() -> None:
    """Raises UserError where the shell allows too little memory for TensorFlow to be imported."""
    if os.name == "nt":
        return
    import resource

    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    if allowed != resource.RLIM_INFINITY and allowed < MIN_ADDRESSES:
        raise UserError(
            "TensorFlow should be allowed the addresses that it takes. Received: a limit of "
            f"{allowed / 2**30:.1f} GiB, with {MIN_ADDRESSES / 2**30:.0f} GiB needed at the least. "
            "Type: ulimit -v unlimited"
        )


@contextmanager
def silent_stderr(shown: bool = True) -> Iterator[None]:
    """Holds back what native code writes to standard error.

    Args:
        shown: whether it is shown if the body fails.
    """
    open_closed_streams()
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            if shown:
                held.seek(0)
                os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


_require_addresses()
# TensorFlow logs a few lines before it reads its log level, hence the redirection.
with silent_stderr():
    import keras
    import tensorflow as tf

if keras.backend.backend() != "tensorflow":
    raise UserError(
        "kerasgan needs Keras' TensorFlow backend. Received: KERAS_BACKEND="
        f"{keras.backend.backend()}. Set the variable KERAS_BACKEND to tensorflow, or unset it."
    )

# What ~/.keras/keras.json says is for the user's own networks: ours have their channels last, and
# their precision is the recipe's.
keras.config.set_image_data_format("channels_last")
keras.config.set_floatx("float32")

__all__ = [
    "configure",
    "describe_device",
    "environment",
    "gpus",
    "keras",
    "pick_precision",
    "random_state_kept",
    "resolved",
    "silent_stderr",
    "tf",
    "writing",
]


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what TensorFlow raises where a file cannot be written into the system's error.

    Raises:
        OSError: it cannot.
    """
    words = {"No space left": errno.ENOSPC, "File too large": errno.EFBIG, "quota": errno.EDQUOT}
    try:
        yield
    except tf.errors.OpError as error:
        number = next((code for word, code in words.items() if word in str(error)), None)
        if number is None and isinstance(error, tf.errors.ResourceExhaustedError):
            raise  # memory
        text = os.strerror(number) if number else first_line(error)
        raise OSError(number or errno.EIO, text, str(path)) from error


def gpus() -> list[str]:
    """Returns the names of the GPUs that TensorFlow sees, maybe none."""
    found = tf.config.list_physical_devices("GPU")
    return [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in found
    ]


def _compute_capability() -> tuple[int, int]:
    """The lowest CUDA compute capability among the GPUs; (0, 0) where it is not known."""
    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return min(detail.get("compute_capability", (0, 0)) for detail in details)


def _cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """The processor's feature flags as Linux names them; none known on other systems."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith("flags") for flag in line.split()}


def pick_precision() -> str:
    """Returns the precision that the hardware here computes fastest without losing training.

    Returns:
        "bfloat16" on processors with AMX or AVX512_BF16 and on GPUs of compute capability 8.0
        and up; "float16" on older GPUs with tensor cores (7.0 and up); else "float32". A
        processor's features are known on Linux only.
    """
    if gpus():
        capability = _compute_capability()
        if capability >= (8, 0):
            return "bfloat16"
        return "float16" if capability >= (7, 0) else "float32"
    return "bfloat16" if _cpu_flags() & {"amx_bf16", "avx512_bf16"} else "float32"


def describe_device() -> str:
    """Returns one phrase for the hardware that a training would run on."""
    first, *others = gpus() or [f"CPU, {os.cpu_count()} cores"]
    return first + (f" (the first of {1 + len(others)})" if others else "")


def environment() -> dict[str, Any]:
    """Returns the device and the versions that a run is made with."""
    return {
        "device": describe_device(),
        "versions": {
            "kerasgan": kerasgan.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
        },
    }


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Undoes what building layers does to Python's random state: initial weights draw from it."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def configure(seed: int) -> None:
    """Makes TensorFlow's operations repeatable, and fast for convolutions on a CPU.

    These are settings of the whole process.

    Args:
        seed: for operations elsewhere in the process that ask for TensorFlow's global seed;
            kerasgan's own are all seeded by (seed, iteration).
    """
    tf.random.set_seed(seed)
    tf.config.experimental.enable_op_determinism()
    # The pass over dependencies loses some of those between reads and updates of a weight, which
    # then race: wgan's iterations do not repeat.
    options = {"dependency_optimization": False}
    if not gpus():
        # Remapping fails on LeakyReLU's gradient in bfloat16; the layout pass costs and
        # gains nothing where oneDNN picks layouts by itself.
        options |= {"remapping": False, "layout_optimizer": False}
    tf.config.optimizer.set_experimental_options(options)


def resolved(recipe: Recipe, pictures: int | None = None, classes: int | None = None) -> Recipe:
    """Returns the recipe with all that is "auto" in it settled, the precision by this machine.

    Args:
        recipe: any.
        pictures: in the training set; None where that is not known, see `recipes.resolve`.
        classes: of the pictures, likewise.
    """
    return resolve(recipe, precision=pick_precision(), pictures=pictures, classes=classes)
