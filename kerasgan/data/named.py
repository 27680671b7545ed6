"""Known sets of pictures by name: downloaded once, verified, then read from the disk.

A set's folder holds the Parquet files of its training pictures under their names once they are
verified, `listing.json` with their sizes and checksums, and `*.part` for what has been downloaded
of a file so far.
"""

import hashlib
import json
import logging
import math
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from filelock import FileLock, Timeout
from tqdm import tqdm

import kerasgan
from kerasgan.cli import progress
from kerasgan.data.parquet import ParquetSource
from kerasgan.errors import UserError, required
from kerasgan.files import atomic_path
from kerasgan.text import first_line, megabytes, plural, printable

HUB = "https://huggingface.co"
PIECE = 8_000_000  # bytes a request, which is what Ctrl-C can lose
TIMEOUT = 20  # seconds without a byte
LISTING = "listing.json"
PLAIN_NAME = re.compile(r"\w[\w.+-]*\.parquet", re.ASCII)


class Named(NamedTuple):
    """A set at the Hugging Face hub.

    Attributes:
        repository: the dataset repository.
        revision: its commit, so that the same pictures come to everyone.
        prefix: how the paths of the wanted Parquet files begin there.
        pictures: how many there are in these files.
        size: bytes to download.
        terms: whose pictures they are, and what they may be used for.
        elsewhere: what else to do without the network, if anything.
    """

    repository: str
    revision: str
    prefix: str
    pictures: int
    size: int
    terms: str
    elsewhere: str


NAMED = {
    # The original JPEG files with the 40 attributes; other copies hold PNGs, eight times larger.
    "celeba": Named(
        "tpremoli/CelebA-attrs",
        "50ece49364faf39ad08ac84335e6e321e40d8df6",
        "data/train-",
        162_770,
        1_143_000_000,
        "CelebA (Liu et al. 2015, MMLAB, The Chinese University of Hong Kong): for non-commercial "
        "research only, not to be passed on",
        "put CelebA from Kaggle into a folder and name that",
    ),
    "lfw": Named(
        "logasja/lfw",
        "0ee47979927a48dadf11083cb53b51439fa92dc9",
        "data/train-",
        13_233,
        188_000_000,
        "Labeled Faces in the Wild (Huang et al. 2007, University of Massachusetts): news "
        "photographs collected for research; their rights stay with their owners",
        "put LFW from Kaggle into a folder and name that",
    ),
    "mnist": Named(
        "ylecun/mnist",
        "77f3279092a1c1579b2250db8eafed0ad422088c",
        "mnist/train-",
        60_000,
        15_600_000,
        "MNIST (LeCun, Cortes and Burges 1998): MIT license at the hub, CC BY-SA 3.0 elsewhere",
        "",
    ),
    "fashion-mnist": Named(
        "zalando-datasets/fashion_mnist",
        "531be5e2ccc9dba0c201ad3ae567a4f3d16ecdd2",
        "fashion_mnist/train-",
        60_000,
        30_900_000,
        "Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), Copyright 2017 Zalando SE: MIT license",
        "",
    ),
}


class Remote(NamedTuple):
    """A file at the hub.

    Attributes:
        path: in the repository.
        size: bytes.
        sha256: in hex; empty where the hub states none, as for small files.
    """

    path: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """What it is called on the disk."""
        return PurePosixPath(self.path).name


def fetch(name: str, into: Path, limit: int | None = None) -> ParquetSource:
    """Opens a known set, after downloading what is not there yet.

    An interrupted download goes on where it stopped. What is there needs no network, and not even
    the library that downloads. HF_ENDPOINT names another hub, a mirror for example.

    Args:
        name: one of `NAMED`.
        into: the folder of sets; the files go into a folder of the set's name in it.
        limit: how many pictures are wanted at most; None for all. Only as many files are
            downloaded as hold them.

    Returns:
        The set's training pictures, at least `limit` of them.

    Raises:
        UserError: there is no network, no space, no permission, no library to download with, or
            what came is not what the hub has.
    """
    folder = Path(into) / name
    wanted = _enough(_saved_listing(name, folder), name, limit)
    if not wanted or _missing(wanted, folder):
        try:
            with _alone(name, folder):
                wanted = _download(name, folder, limit)
        except OSError as error:
            raise _write_error(name, folder, limit, error) from error
    return ParquetSource([folder / file.name for file in wanted], name, name)


def _download(name: str, folder: Path, limit: int | None) -> list[Remote]:
    """Downloads the files that are wanted and not there, and returns all that are wanted."""
    _import_libraries()
    listing = _saved_listing(name, folder) or _new_listing(name, folder)
    wanted = _enough(listing, name, limit)
    missing = _missing(wanted, folder)
    if not missing:  # another process was faster
        return wanted
    came = sum(_came(file, folder) for file in missing)
    total = sum(file.size for file in missing)
    _check_space(name, folder, total - came)
    print(
        f"{name}: {megabytes(total)} in {plural(len(missing), 'file')} from "
        f"{_endpoint()}/datasets/{NAMED[name].repository} to {printable(str(folder))}. "
        f"{NAMED[name].terms}.",
        file=sys.stderr,
    )
    what = f"Downloading {name}"
    with progress(total, what, unit="B", unit_scale=True, initial=came) as bar:
        for file in missing:
            _download_file(name, folder, file, bar)
    return wanted


def _download_file(name: str, folder: Path, remote: Remote, bar: tqdm) -> None:
    """Downloads what is missing of a file, and gives it its name if its checksum is right."""
    part = _part(remote, folder)
    with open(part, "ab") as file:
        if not _came(remote, folder):
            file.truncate(0)
        for start in range(_came(remote, folder), remote.size, PIECE):
            piece = _download_piece(name, remote, start, min(start + PIECE, remote.size))
            file.write(piece)
            bar.update(len(piece))
        file.flush()
        os.fsync(file.fileno())  # or a power cut might leave an empty file of the right size
    if not _matches(part, remote):
        part.unlink()
        raise UserError(
            "A downloaded file should have the checksum that the hub states. Received: "
            f"{remote.name} of {name} with another one, now removed. Type the same again."
        )
    os.replace(part, folder / remote.name)


def _download_piece(name: str, remote: Remote, start: int, stop: int) -> bytes:
    """Returns the bytes from `start` to `stop` of a file; short failures are retried.

    The library's own download of a file cannot be resumed by another process (its issue 4196).
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_backoff

    url = hf_hub_url(
        NAMED[name].repository,
        remote.path,
        repo_type="dataset",
        revision=NAMED[name].revision,
        endpoint=_endpoint(),
    )
    headers = build_hf_headers(
        token=False, library_name="kerasgan", library_version=kerasgan.__version__
    )
    headers |= {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
    with _network(name):
        response = http_backoff("GET", url, headers=headers, timeout=TIMEOUT)
        hf_raise_for_status(response)
        content = response.content
    if len(content) != stop - start:
        raise _network_error(name, f"{len(content):,} bytes instead of {stop - start:,}")
    return bytes(content)


def _new_listing(name: str, folder: Path) -> list[Remote]:
    """Asks the hub for the set's files, and notes the answer in the set's folder."""
    from huggingface_hub import HfApi

    dataset = NAMED[name]
    with _network(name):
        info = HfApi(endpoint=_endpoint(), token=False).dataset_info(
            dataset.repository, revision=dataset.revision, files_metadata=True, timeout=TIMEOUT
        )
    listing = sorted(
        Remote(file.rfilename, file.size, file.lfs.sha256 if file.lfs else "")
        for file in info.siblings or ()
        if file.size
        and file.rfilename.startswith(dataset.prefix)
        and PLAIN_NAME.fullmatch(PurePosixPath(file.rfilename).name)
    )
    if not listing:
        missing = f"no files {dataset.prefix}*.parquet in {dataset.repository}"
        raise _network_error(name, missing)
    for file in listing:
        if (folder / file.name).exists() and not _matches(folder / file.name, file):
            (folder / file.name).unlink()  # of another revision
    with atomic_path(folder / LISTING) as path:
        noted = {"repository": dataset.repository, "revision": dataset.revision, "files": listing}
        path.write_text(json.dumps(noted, indent=2) + "\n", encoding="utf-8")
    return listing


def _saved_listing(name: str, folder: Path) -> list[Remote]:
    """Returns what `_new_listing` has noted; nothing where that is not of use."""
    try:
        noted = json.loads((folder / LISTING).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    match noted:
        case {"repository": repository, "revision": revision, "files": [*files]} if (
            repository,
            revision,
        ) == (NAMED[name].repository, NAMED[name].revision):
            listing = [_to_remote(values) for values in files]
            if None not in listing:
                return [file for file in listing if file is not None]
    return []


def _to_remote(values: Any) -> Remote | None:
    match values:
        case [str(path), int(size), str(sha256)]:
            file = Remote(path, size, sha256)
            return file if PLAIN_NAME.fullmatch(file.name) else None
    return None


def _enough(listing: Sequence[Remote], name: str, limit: int | None) -> list[Remote]:
    """Returns the first files that hold `limit` pictures, which are spread over them evenly."""
    if limit is None:
        return list(listing)
    return list(listing[: math.ceil(limit * len(listing) / NAMED[name].pictures)])


def _missing(files: Sequence[Remote], folder: Path) -> list[Remote]:
    """Returns the files that are not there; only verified ones have their names."""
    return [file for file in files if _size(folder / file.name) != file.size]


def _came(remote: Remote, folder: Path) -> int:
    """Returns how many bytes of a file have been downloaded."""
    size = _size(_part(remote, folder)) or 0
    return size if size <= remote.size else 0


def _part(remote: Remote, folder: Path) -> Path:
    return folder / f"{remote.name}.part"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _matches(path: Path, remote: Remote) -> bool:
    if _size(path) != remote.size:
        return False
    if not remote.sha256:
        return True
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest() == remote.sha256


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or HUB


def _import_libraries() -> None:
    """Imports what downloads and what will read, so that nothing is downloaded in vain."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the library is imported
    for module in ("huggingface_hub", "pyarrow"):
        required(module, "sets", f"A set by name ({', '.join(NAMED)})")


@contextmanager
def _alone(name: str, folder: Path) -> Iterator[None]:
    """Waits until no other process downloads the set."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"Another process is downloading {name}: waiting for it.", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _network(name: str) -> Iterator[None]:
    """Turns whatever goes wrong between here and the hub into a `UserError`.

    The block should hold calls of the hub's library and no code of ours.
    """
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)  # its warnings of retries would tear the progress bar
    try:
        yield
    except Exception as error:  # each version of the library has its own HTTP client's errors
        raise _network_error(name, _reason(error)) from error
    finally:
        logger.setLevel(level)


def _network_error(name: str, reason: str) -> UserError:
    dataset = NAMED[name]
    also = f"; or {dataset.elsewhere}" if dataset.elsewhere else ""
    return UserError(
        f"{name} should be downloaded once ({megabytes(dataset.size)}), which needs the "
        f"network. Received: {_endpoint()} ({reason}). Type the same "
        f"again later, which goes on where it stopped; or copy the folder {name} from a "
        f"computer that has it{also}."
    )


def _reason(error: BaseException) -> str:
    """Returns what the system said, if it did, else the first line of the library's message."""
    deepest = error
    while deepest.__context__ is not None:
        deepest = deepest.__context__
    if isinstance(deepest, OSError) and deepest.strerror:
        return deepest.strerror
    return first_line(error).rstrip(".")


def _check_space(name: str, folder: Path, needed: int) -> None:
    if shutil.disk_usage(folder).free < needed:
        raise _no_space(name, folder, needed)


def _no_space(name: str, folder: Path, needed: int) -> UserError:
    free = shutil.disk_usage(folder).free
    return UserError(
        f"{name} needs {megabytes(needed)} more on the disk. Received: {printable(str(folder))}, "
        f"where {megabytes(free)} are free. Free some space, then type the same again."
    )


def _write_error(name: str, folder: Path, limit: int | None, error: OSError) -> UserError:
    if error.errno in (ENOSPC, EDQUOT):
        missing = _missing(_enough(_saved_listing(name, folder), name, limit), folder)
        needed = sum(file.size - _came(file, folder) for file in missing)
        return _no_space(name, folder, needed or NAMED[name].size)
    return UserError(
        "The folder of a set should be one that can be written to. Received: "
        f"{printable(str(folder))} ({printable(str(error))})."
    )
