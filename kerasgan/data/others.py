"""Files that are no source of pictures: what they are, and what to do with them."""

from pathlib import Path

from kerasgan.data.kinds import looks_like_picture

SAVE = "Save its array of pictures by np.save('faces.npy', array) and name that"
UNPACK = "Unpack it and name the folder"
# By the ending: what it is, what to do.
OTHERS = {
    (".mat",): ("a MATLAB file", f"scipy.io.loadmat reads it. {SAVE}"),
    (".h5", ".hdf5", ".hdf"): ("an HDF5 file", f"h5py reads it. {SAVE}"),
    (".pt", ".pth", ".ckpt", ".safetensors"): (
        "a file of PyTorch's",
        f"Load it where you trust it. {SAVE}",
    ),
    (".pkl", ".pickle", ".joblib"): (
        "a pickle, which can run programs and is not opened",
        f"Load it where you trust it. {SAVE}",
    ),
    (".keras",): ("a Keras model", "A source is pictures; models are for sample and evaluate"),
    (".arrow", ".feather"): (
        "an Arrow file",
        "datasets.load_from_disk(FOLDER).to_parquet('faces.parquet') makes a file to name",
    ),
    (".csv", ".tsv", ".json", ".jsonl", ".xml", ".xlsx"): (
        "a table or text",
        "Name the folder or archive with the pictures",
    ),
    (".rar", ".7z", ".gz", ".bz2", ".xz", ".zst", ".lz4", ".tzst"): (
        "an archive of another kind",
        UNPACK,
    ),
    (".mp4", ".mov", ".avi", ".mkv", ".webm"): ("a video", "Save its frames and name their folder"),
    (".lmdb", ".mdb", ".db", ".sqlite"): (
        "a database",
        "Save its pictures as files and name their folder",
    ),
}


def describe_other(path: Path) -> str:
    """Says what a file is that is no source of pictures, and what to do: the end of a message."""
    if looks_like_picture(path.name):
        return "one picture. Name its folder."
    for endings, (what, remedy) in OTHERS.items():
        if path.name.lower().endswith(endings):
            return f"{what}. {remedy}."
    return "a file of another kind."
