"""Sets of pictures at the hub, known ones by name: downloaded once, verified, then read here.

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
from kerasgan.data import hub
from kerasgan.data.parquet import ParquetSource, count_rows
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


class Set(NamedTuple):
    """A set that is wanted, and where it belongs.

    Attributes:
        name: what the user typed.
        folder: where its files are kept.
        dataset: at the hub; of a set that is not a known one, the revision is the listing's.
        wanted: what of it is wanted; None for a known set.
    """

    name: str
    folder: Path
    dataset: Named
    wanted: hub.Wanted | None = None


class Remote(NamedTuple):
    """A file at the hub.

    Attributes:
        path: in the repository.
        size: bytes.
        sha256: in hex; empty where the hub states none, as for small files.
        whole_name: whether its folders there are a part of its name here.
    """

    path: str
    size: int
    sha256: str
    whole_name: bool = False

    @property
    def name(self) -> str:
        """What it is called on the disk."""
        path = PurePosixPath(self.path)
        if not self.whole_name:
            return path.name
        plain = re.sub(r"[^\w.+-]", "_", "--".join(path.parts), flags=re.ASCII)
        return plain if plain[0].isalnum() else f"_{plain}"


class Listing(NamedTuple):
    """What is to be downloaded of a set.

    Attributes:
        revision: the commit.
        files: in the order of their pictures; none where nothing is known yet.
        note: which part of the set they are, in words.
    """

    revision: str
    files: list[Remote]
    note: str = ""


def fetch(name: str, into: Path, limit: int | None = None) -> ParquetSource:
    """Opens a set at the hub, after downloading what is not there yet.

    An interrupted download goes on where it stopped. What is there needs no network, and not even
    the library that downloads. HF_ENDPOINT names another hub, a mirror for example.

    Args:
        name: one of `NAMED`, or `hf:OWNER/NAME` with what `hub.parse` reads.
        into: the folder of sets; the files go into a folder of the set's name in it.
        limit: how many pictures are wanted at most; None for all. Only as many files are
            downloaded as hold them.

    Returns:
        The set's training pictures, at least `limit` of them.

    Raises:
        UserError: there is no such set, no network, no space, no permission, no library to
            download with, or what came is not what the hub has.
    """
    wanted_set = _set(name, Path(into))
    while True:  # where files do not say before how many pictures they hold, one after the other
        listing = _saved_listing(wanted_set)
        wanted = _enough(listing, wanted_set, limit)
        if wanted and not _missing(wanted, wanted_set.folder):
            break
        try:
            with _alone(wanted_set):
                _download(wanted_set, limit)
        except OSError as error:
            raise _write_error(wanted_set, limit, error) from error
        if not _saved_listing(wanted_set).files:
            raise _network_error(wanted_set, "a list of files that makes no sense")
    notes = [listing.note] if listing.note else []
    paths = [wanted_set.folder / file.name for file in wanted]
    slug = name if wanted_set.wanted is None else wanted_set.wanted.repository.split("/")[-1]
    return ParquetSource(paths, name, slug, notes=notes)


def _set(name: str, into: Path) -> Set:
    """Returns a set by its name; raises `UserError` where that has no set's form."""
    if name in NAMED:
        return Set(name, into / name, NAMED[name])
    wanted = hub.parse(name)
    page = f"{HUB}/datasets/{wanted.repository}"
    terms = f"Its license and terms: {page}"
    dataset = Named(wanted.repository, "", "", 0, 0, terms, "")
    return Set(name, into / "hub" / wanted.folder, dataset, wanted)


def _download(wanted_set: Set, limit: int | None) -> None:
    """Downloads the files that are wanted and not there."""
    _import_libraries()
    name, folder = wanted_set.name, wanted_set.folder
    listing = _saved_listing(wanted_set)
    listing = listing if listing.files else _new_listing(wanted_set)
    missing = _missing(_enough(listing, wanted_set, limit), folder)
    if not missing:  # another process was faster
        return
    came = sum(_came(file, folder) for file in missing)
    total = sum(file.size for file in missing)
    _check_space(name, folder, total - came)
    print(
        f"{name}: {megabytes(total)} in {plural(len(missing), 'file')} from "
        f"{_endpoint()}/datasets/{wanted_set.dataset.repository} to {printable(str(folder))}. "
        f"{wanted_set.dataset.terms}.",
        file=sys.stderr,
    )
    what = f"Downloading {name}"
    with progress(total, what, unit="B", unit_scale=True, initial=came) as bar:
        for file in missing:
            _download_file(wanted_set, listing.revision, file, bar)


def _download_file(wanted_set: Set, revision: str, remote: Remote, bar: tqdm) -> None:
    """Downloads what is missing of a file, and gives it its name if its checksum is right."""
    folder = wanted_set.folder
    part = _part(remote, folder)
    with open(part, "ab") as file:
        if not _came(remote, folder):
            file.truncate(0)
        for start in range(_came(remote, folder), remote.size, PIECE):
            stop = min(start + PIECE, remote.size)
            piece = _download_piece(wanted_set, revision, remote, start, stop)
            file.write(piece)
            bar.update(len(piece))
        file.flush()
        os.fsync(file.fileno())  # or a power cut might leave an empty file of the right size
    if not _matches(part, remote):
        part.unlink()
        raise UserError(
            "A downloaded file should have the checksum that the hub states. Received: "
            f"{remote.name} of {wanted_set.name} with another one, now removed. Type the same "
            "again."
        )
    os.replace(part, folder / remote.name)


def _download_piece(wanted_set: Set, revision: str, remote: Remote, start: int, stop: int) -> bytes:
    """Returns the bytes from `start` to `stop` of a file; short failures are retried.

    The library's own download of a file cannot be resumed by another process (its issue 4196).
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_backoff

    url = hf_hub_url(
        wanted_set.dataset.repository,
        remote.path,
        repo_type="dataset",
        revision=revision,
        endpoint=_endpoint(),
    )
    headers = build_hf_headers(
        token=False, library_name="kerasgan", library_version=kerasgan.__version__
    )
    headers |= {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
    with _network(wanted_set):
        response = http_backoff("GET", url, headers=headers, timeout=TIMEOUT)
        hf_raise_for_status(response)
        content = response.content
    if len(content) != stop - start:
        raise _network_error(wanted_set, f"{len(content):,} bytes instead of {stop - start:,}")
    return bytes(content)


def _new_listing(wanted_set: Set) -> Listing:
    """Asks the hub for the set's files, and notes the answer in the set's folder."""
    dataset, folder = wanted_set.dataset, wanted_set.folder
    if wanted_set.wanted is None:
        info = _info(wanted_set, dataset.revision)
        paths = [
            path
            for path in _paths(info)
            if path.startswith(dataset.prefix) and PLAIN_NAME.fullmatch(PurePosixPath(path).name)
        ]
        listing = Listing(dataset.revision, _remotes(info, paths))
        if not listing.files:
            missing = f"no files {dataset.prefix}*.parquet in {dataset.repository}"
            raise _network_error(wanted_set, missing)
    else:
        listing = _new_hub_listing(wanted_set, wanted_set.wanted)
    for file in listing.files:
        if (folder / file.name).exists() and not _matches(folder / file.name, file):
            (folder / file.name).unlink()  # of another revision
    with atomic_path(folder / LISTING) as path:
        noted = {"repository": dataset.repository, **listing._asdict()}
        path.write_text(json.dumps(noted, indent=2) + "\n", encoding="utf-8")
    return listing


def _new_hub_listing(wanted_set: Set, wanted: hub.Wanted) -> Listing:
    """Asks the hub for the files of any set: its own Parquet files, else those the hub made."""
    info = _info(wanted_set, None)
    if info.gated:
        raise _gated(wanted_set)
    card = info.card_data.to_dict() if info.card_data else {}
    tables = hub.tables_of(_paths(info), card)
    if not tables:
        info = _info(wanted_set, hub.CONVERTED, absent_is_none=True)
        tables = hub.converted_tables(_paths(info)) if info else {}
    if not tables:
        raise UserError(
            f"A set at the hub should hold Parquet files, or others that the hub has converted. "
            f"Received: {printable(wanted_set.name)}, with neither. {_by_hand(wanted_set)}"
        )
    paths, note = hub.choose(tables, card, wanted, wanted_set.name)
    files = [file._replace(whole_name=True) for file in _remotes(info, paths)]
    if not files:
        raise _network_error(wanted_set, f"no sizes of {paths[0]}")
    return Listing(info.sha or "main", files, note)


def _info(wanted_set: Set, revision: str | None, absent_is_none: bool = False) -> Any:
    """Asks the hub for what it knows of a set; None where it has no such revision, if allowed.

    Raises:
        UserError: there is no such set, or no network.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repository = wanted_set.dataset.repository
    try:
        with _network(wanted_set):
            return HfApi(endpoint=_endpoint(), token=False).dataset_info(
                repository, revision=revision, files_metadata=True, timeout=TIMEOUT
            )
    except UserError as error:
        cause = error.__cause__
        if absent_is_none and isinstance(cause, RevisionNotFoundError):
            return None
        if isinstance(cause, GatedRepoError):
            raise _gated(wanted_set) from error
        if wanted_set.wanted is not None and isinstance(cause, RepositoryNotFoundError):
            raise UserError(
                f"A set at the hub should be one that everyone may see. Received: "
                f"{printable(wanted_set.name)}, which {_endpoint()} does not have, or keeps "
                f"private. Look for its name at {HUB}/datasets."
            ) from error
        raise


def _gated(wanted_set: Set) -> UserError:
    page = f"{HUB}/datasets/{wanted_set.dataset.repository}"
    return UserError(
        f"A set at the hub should be free to download. Received: {printable(wanted_set.name)}, "
        f"which is given to those who accept its terms. Accept them at {page}, then: "
        f"{_by_hand(wanted_set)}"
    )


def _by_hand(wanted_set: Set) -> str:
    repository = wanted_set.dataset.repository
    folder = repository.split("/")[-1]
    return (
        f"Type: hf download {repository} --repo-type dataset --local-dir {folder}, and name the "
        f"folder {folder}, or what you unpack there."
    )


def _paths(info: Any) -> list[str]:
    """Returns the paths of a set's Parquet files that have a size."""
    files = info.siblings or ()
    return [file.rfilename for file in files if file.size and file.rfilename.endswith(".parquet")]


def _remotes(info: Any, paths: Sequence[str]) -> list[Remote]:
    chosen = set(paths)
    return sorted(
        Remote(file.rfilename, file.size, file.lfs.sha256 if file.lfs else "")
        for file in info.siblings or ()
        if file.rfilename in chosen and file.size
    )


def _saved_listing(wanted_set: Set) -> Listing:
    """Returns what `_new_listing` has noted; no files where that is not of use."""
    dataset = wanted_set.dataset
    try:
        noted = json.loads((wanted_set.folder / LISTING).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return Listing("", [])
    match noted:
        case {"repository": dataset.repository, "revision": str(revision), "files": [*files]} if (
            revision and revision == (dataset.revision or revision)
        ):
            listed = [_to_remote(values) for values in files]
            note = noted.get("note")
            if None not in listed:
                remotes = [file for file in listed if file is not None]
                return Listing(revision, remotes, note if isinstance(note, str) else "")
    return Listing("", [])


def _to_remote(values: Any) -> Remote | None:
    match values:
        case [str(path), int(size), str(sha256), *rest]:
            file = Remote(path, size, sha256, rest == [True])
            return file if PLAIN_NAME.fullmatch(file.name) else None
    return None


def _enough(listing: Listing, wanted_set: Set, limit: int | None) -> list[Remote]:
    """Returns the first files that hold `limit` pictures, as far as that can be told.

    A known set's pictures are spread over its files evenly. Another's are counted in the files
    that are there, and the first that is not there is wanted, too.
    """
    files = listing.files
    if limit is None:
        return list(files)
    if wanted_set.dataset.pictures:
        return list(files[: math.ceil(limit * len(files) / wanted_set.dataset.pictures)])
    wanted: list[Remote] = []
    count = 0
    for file in files:
        if count >= limit:
            break
        wanted.append(file)
        if _missing([file], wanted_set.folder):
            break
        count += count_rows(wanted_set.folder / file.name)
    return wanted


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
        required(module, "sets", f"A set by name ({', '.join(NAMED)}, {hub.FORM})")


@contextmanager
def _alone(wanted_set: Set) -> Iterator[None]:
    """Waits until no other process downloads the set."""
    name, folder = wanted_set.name, wanted_set.folder
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
def _network(wanted_set: Set) -> Iterator[None]:
    """Turns whatever goes wrong between here and the hub into a `UserError`.

    The block should hold calls of the hub's library and no code of ours.
    """
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)  # its warnings of retries would tear the progress bar
    try:
        yield
    except Exception as error:  # each version of the library has its own HTTP client's errors
        raise _network_error(wanted_set, _reason(error)) from error
    finally:
        logger.setLevel(level)


def _network_error(wanted_set: Set, reason: str) -> UserError:
    dataset = wanted_set.dataset
    also = f"; or {dataset.elsewhere}" if dataset.elsewhere else ""
    size = f" ({megabytes(dataset.size)})" if dataset.size else ""
    return UserError(
        f"{printable(wanted_set.name)} should be downloaded once{size}, which needs the "
        f"network. Received: {_endpoint()} ({reason}). Type the same "
        f"again later, which goes on where it stopped; or copy the folder "
        f"{wanted_set.folder.name} from a computer that has it{also}."
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


def _write_error(wanted_set: Set, limit: int | None, error: OSError) -> UserError:
    name, folder = wanted_set.name, wanted_set.folder
    if error.errno in (ENOSPC, EDQUOT):
        wanted = _enough(_saved_listing(wanted_set), wanted_set, limit)
        missing = _missing(wanted, folder)
        needed = sum(file.size - _came(file, folder) for file in missing)
        return _no_space(name, folder, needed or wanted_set.dataset.size)
    return UserError(
        "The folder of a set should be one that can be written to. Received: "
        f"{printable(str(folder))} ({printable(str(error))})."
    )
