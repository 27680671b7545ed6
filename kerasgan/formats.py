"""Networks in other formats than `.keras`: what a file is, and how it becomes one.

Nothing is loaded: a name and a few bytes tell, and of HDF5 what stands at its root.
"""

from pathlib import Path
from zipfile import BadZipFile, ZipFile

from kerasgan.text import quoted

SUFFIX = ".keras"
HEAD = 64  # bytes that are looked at
HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
LFS = b"version https://git-lfs"

REBUILD = "Build the same network of Keras' layers, give it these weights, and save it as .keras."
UNSAFE = f"a pickle, which may run code when it is opened. {REBUILD}"
TORCH = f"a PyTorch file. {REBUILD}"
# By the names' endings, which stand for networks and for nothing else that is read here.
KINDS = {
    ".onnx": f"an ONNX file. {REBUILD}",
    ".tflite": f"a TensorFlow Lite file. {REBUILD}",
    ".pt": TORCH,
    ".pth": TORCH,
    ".ckpt": f"a checkpoint, which holds weights alone. {REBUILD}",
    ".index": f"a part of a TensorFlow checkpoint, which holds weights alone. {REBUILD}",
    ".safetensors": f"a file of weights alone. {REBUILD}",
    ".pb": f"a TensorFlow graph. {REBUILD}",
    ".pkl": UNSAFE,
    ".pickle": UNSAFE,
}
HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf")

# Keras 2 notes a number of groups for layers that in Keras 3 take none.
FROM_HDF5 = (
    "import sys, keras; L = keras.layers; keras.models.load_model(sys.argv[1], compile=False, "
    "custom_objects={C.__name__: lambda groups=1, C=C, **k: C(**k) for C in "
    "(L.Conv2DTranspose, L.SeparableConv2D)}).save(sys.argv[2])"
)
TO_HDF5 = (
    "import sys, tf_keras; tf_keras.models.load_model(sys.argv[1], compile=False).save(sys.argv[2])"
)


def explain(path: Path) -> str | None:
    """Says what a network in another format is and how to make a `.keras` file of it.

    Args:
        path: a file or a folder.

    Returns:
        A noun with its article, and a sentence with what to do; None where `path` is no network
        in a format known here, a `.keras` file of Keras 3 above all.
    """
    if path.is_dir():
        return _explain_folder(path)
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        head = file.read(HEAD)
    suffix = path.suffix.lower()
    if head.startswith(HDF5):
        return _explain_hdf5(path)
    if suffix not in (*KINDS, *HDF5_SUFFIXES, SUFFIX):
        return None
    if head.startswith(LFS):
        return "a pointer of Git LFS, not the file itself. Type in its repository: git lfs pull"
    if head.startswith(ZIP):
        return TORCH if _is_torch(path) else KINDS.get(suffix)
    if head[4:8] == b"TFL3":
        return KINDS[".tflite"]
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return TORCH if suffix in (".pt", ".pth") else UNSAFE
    if suffix in HDF5_SUFFIXES:
        return "no HDF5 file in spite of its name. Download or copy it again."
    return KINDS.get(suffix)


def of_keras_2(path: Path) -> str:
    """Says how a `.keras` file that Keras 2 wrote, or a SavedModel, becomes one of Keras 3."""
    # Of another name than a `.keras` file, or the next step would write over that.
    middle = path.with_name(f"{path.stem}-new.h5" if path.suffix == SUFFIX else f"{path.name}.h5")
    return (
        f"a network of Keras 2. Where you trust it, type: pip install tf_keras, then "
        f'python -c "{TO_HDF5}" {quoted(path)} {quoted(middle)} , and use {quoted(middle)} here, '
        "which leads on."
    )


def _explain_folder(path: Path) -> str | None:
    if not (path / "saved_model.pb").is_file():
        return None
    if (path / "keras_metadata.pb").is_file():
        return f"a SavedModel: {of_keras_2(path)}"
    return f"a SavedModel without its layers. {REBUILD}"


def _explain_hdf5(path: Path) -> str:
    """Tells whole models in HDF5 from weights alone."""
    import h5py

    try:
        with h5py.File(path) as file:
            whole = "model_config" in file.attrs
    except OSError:
        return "an HDF5 file that is damaged, or a part of one. Download or copy it again."
    if not whole:
        return (
            "an HDF5 file of weights alone. In Python build the network that they are of, then "
            f"call load_weights with this file, and save with a name in {SUFFIX}."
        )
    what = "a whole network in HDF5, the format before .keras, which may hold code"
    if path.suffix not in (".h5", ".hdf5"):  # by which Keras knows them
        return f"{what}. Rename it to {quoted(path.with_suffix('.h5'))} and use that, to be led on."
    return (
        f'{what}. Where you trust it, type: python -c "{FROM_HDF5}" {quoted(path)} '
        f"{quoted(path.with_suffix(SUFFIX))}"
    )


def _is_torch(path: Path) -> bool:
    try:
        with ZipFile(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    except (BadZipFile, OSError, ValueError):
        return False
