"""Sets by name, downloaded from a hub that runs in the test: nothing leaves the machine."""

import errno
import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from PIL import Image
from servers import Answering, serving

from kerasgan.data import named
from kerasgan.data.named import NAMED, fetch
from kerasgan.errors import UserError

REPOSITORY, REVISION = "someone/digits", "0123456789abcdef0123456789abcdef01234567"
FILES = ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]


def parquet(first: int, count: int) -> bytes:
    """Noisy grey pictures whose labels count from `first`."""
    rng = np.random.default_rng(first)
    rows = []
    for _ in range(count):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8)).save(file, format="PNG")
        rows.append({"bytes": file.getvalue(), "path": None})
    images = pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    out = io.BytesIO()
    pq.write_table(pa.table({"image": images, "label": list(range(first, first + count))}), out)
    return out.getvalue()


class Hub:
    """Speaks as much of the hub's protocol as a download needs.

    Attributes:
        files: by their paths in the repository.
        stated: the checksums it states, where these are not the right ones.
        requests: method, path and the bytes asked for, in order.
        break_after: how many pieces it serves before it fails with `failure`.
        on_piece: called at each piece.
        ignores_ranges: whether it always sends the whole file.
    """

    def __init__(self) -> None:
        self.files = {FILES[0]: parquet(0, 40), FILES[1]: parquet(40, 30)}
        self.files |= {"data/test-00000-of-00001.parquet": b"test", "README.md": b"# Digits"}
        self.stated: dict[str, str] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.break_after: int | None = None
        self.failure = 403
        self.on_piece: Callable[[], Any] = lambda: None
        self.ignores_ranges = False
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def ranges(self, path: str) -> list[tuple[int, int]]:
        """The first byte and the one after the last of each piece that was served."""
        found = [
            re.fullmatch(r"bytes=(\d+)-(\d+)", asked or "")
            for _, p, asked in self.requests
            if p == f"/cdn/{path}"
        ]
        return [(int(match[1]), int(match[2]) + 1) for match in found if match]

    def info(self) -> dict[str, Any]:
        siblings = []
        for path, data in self.files.items():
            digest = self.stated.get(path, hashlib.sha256(data).hexdigest())
            lfs = {"size": len(data), "sha256": digest, "pointerSize": 130}
            siblings.append({"rfilename": path, "size": len(data), "blobId": "0" * 40, "lfs": lfs})
        siblings[-1].pop("lfs")  # small files have none
        return {"_id": "1", "id": REPOSITORY, "sha": REVISION, "siblings": siblings}

    def handler(hub) -> type[Answering]:  # noqa: N805
        class Handler(Answering):
            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                path = self.path.partition("?")[0]
                hub.requests.append(("GET", path, asked))
                resolve = f"/datasets/{REPOSITORY}/resolve/{REVISION}/"
                if (
                    self.path.lower()
                    == f"/api/datasets/{REPOSITORY}/revision/{REVISION}?blobs=true"
                ):
                    self.answer(200, json.dumps(hub.info()).encode())
                elif path.startswith(resolve):
                    self.answer(302, b"", Location="/cdn/" + path.removeprefix(resolve))
                elif path.startswith("/cdn/"):
                    self.piece(hub.files[path.removeprefix("/cdn/")], asked)
                else:
                    self.answer(404, b"", **{"X-Error-Code": "RepoNotFound"})

            def piece(self, data: bytes, asked: str | None) -> None:
                hub.on_piece()
                if hub.break_after is not None:
                    hub.break_after -= 1
                    if hub.break_after < 0:
                        hub.requests.pop()
                        self.answer(hub.failure, b"")
                        return
                match = re.fullmatch(r"bytes=(\d+)-(\d+)", asked or "")
                if match is None or hub.ignores_ranges:
                    self.answer(200, data)
                else:
                    self.answer(206, data[int(match[1]) : int(match[2]) + 1])

        return Handler


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with the set `digits`, in pieces of 4,000 bytes."""
    digits = named.Named(REPOSITORY, REVISION, "data/train-", 70, 30_000, "Digits: for tests", "")
    monkeypatch.setitem(NAMED, "digits", digits)
    monkeypatch.setattr(named, "PIECE", 4000)
    hub = Hub()
    monkeypatch.setenv("HF_ENDPOINT", hub.url + "/")
    with serving(hub.server, monkeypatch):
        yield hub


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Keeps the seconds that would have been waited before each retry."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock"}


COMPLETE = {"listing.json", *(Path(path).name for path in FILES)}


def test_download(hub: Hub, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = fetch("digits", tmp_path / "data")
    folder = tmp_path / "data" / "digits"
    assert names(folder) == COMPLETE
    for path in FILES:
        assert (folder / Path(path).name).read_bytes() == hub.files[path]
        size = len(hub.files[path])
        assert size > 4000
        starts = range(0, size, 4000)
        assert hub.ranges(path) == [(start, min(start + 4000, size)) for start in starts]
    assert (source.title, source.slug, source.count) == ("digits", "digits", 70)
    items = list(source.items())
    assert [item.label for item in items] == list(range(70))
    assert Image.open(io.BytesIO(items[0].fetch())).size == (28, 28)
    said = capfd.readouterr().err.splitlines()
    total = sum(len(hub.files[path]) for path in FILES) / 1e6
    assert said == [
        f"digits: {total:.1f} MB in 2 files from {hub.url}/datasets/{REPOSITORY} to {folder}. "
        "Digits: for tests."
    ]


def test_no_token_and_no_telemetry(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    seen: list[dict[str, str]] = []
    handler = hub.server.RequestHandlerClass
    answered = handler.do_GET

    def do_GET(self: Any) -> None:
        seen.append({name.lower(): value for name, value in self.headers.items()})
        answered(self)

    monkeypatch.setattr(handler, "do_GET", do_GET)
    fetch("digits", tmp_path)
    assert seen and not any("authorization" in headers for headers in seen)
    assert not any("hf_secret" in str(headers) for headers in seen)
    asked = {path.split("/")[1] for _, path, _ in hub.requests}
    assert asked == {"api", "datasets", "cdn"}
    assert sum(path.startswith("/api/") for _, path, _ in hub.requests) == 1
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_second_start_needs_neither_network_nor_downloader(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch("digits", tmp_path)
    asked = len(hub.requests)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setattr(named, "FileLock", None)  # the folder may be one that cannot be written
    assert fetch("digits", tmp_path).count == 70
    assert len(hub.requests) == asked


def test_progress(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[Any] = []
    make = named.progress

    def progress(*words: Any, **options: Any) -> Any:
        bars.append(make(*words, **options, disable=False, file=io.StringIO()))
        return bars[-1]

    monkeypatch.setattr(named, "progress", progress)
    total = sum(len(hub.files[path]) for path in FILES)
    hub.break_after = 2
    with pytest.raises(UserError):
        fetch("digits", tmp_path)
    assert bars[0].total == total and bars[0].n == 8000
    hub.break_after = None
    fetch("digits", tmp_path)
    assert bars[1].total == bars[1].n == total and bars[1].initial == 8000


def test_interrupted_download_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.break_after = 2
    with pytest.raises(UserError, match="goes on where it stopped"):
        fetch("digits", tmp_path)
    first = Path(FILES[0]).name
    assert names(tmp_path / "digits") == {"listing.json", f"{first}.part"}
    assert (tmp_path / "digits" / f"{first}.part").read_bytes() == hub.files[FILES[0]][:8000]
    hub.break_after = None
    assert fetch("digits", tmp_path).count == 70
    for path in FILES:
        size = len(hub.files[path])  # all of it, and nothing twice
        assert [start for start, _ in hub.ranges(path)] == list(range(0, size, 4000))
    assert sum(path.startswith("/api/") for _, path, _ in hub.requests) == 1


def test_ctrl_c_leaves_what_has_come(hub: Hub, tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from kerasgan.data import named
named.PIECE = 4000
named.NAMED["digits"] = named.Named({REPOSITORY!r}, {REVISION!r}, "data/train-", 70, 1, "", "")
print("ready", flush=True)
named.fetch("digits", Path({str(tmp_path)!r}))
"""
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    pieces = iter(range(1000))

    def interrupt() -> None:
        if next(pieces) == 2:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)

    hub.on_piece = interrupt
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0 and "KeyboardInterrupt" in said
    part = tmp_path / "digits" / f"{Path(FILES[0]).name}.part"
    assert part.read_bytes() == hub.files[FILES[0]][:8000]
    assert fetch("digits", tmp_path).count == 70
    assert hub.ranges(FILES[0])[3][0] == 8000  # the third piece was asked for, but never arrived


def test_short_failures_are_retried(
    hub: Hub, tmp_path: Path, no_waiting: list[float], capfd: pytest.CaptureFixture[str]
) -> None:
    failures = iter([False, True, True, False])
    hub.failure = 503

    def fail() -> None:
        hub.break_after = 0 if next(failures, False) else None

    hub.on_piece = fail
    assert fetch("digits", tmp_path).count == 70
    assert len([seconds for seconds in no_waiting if seconds >= 1]) == 2
    assert len(capfd.readouterr().err.splitlines()) == 1  # none of the library's warnings


def test_corrupted_download_is_noticed_and_not_used(hub: Hub, tmp_path: Path) -> None:
    right = hub.files[FILES[0]]
    hub.stated[FILES[0]] = hashlib.sha256(right).hexdigest()
    hub.files[FILES[0]] = right[:5000] + bytes([right[5000] ^ 1]) + right[5001:]
    with pytest.raises(UserError, match="checksum that the hub states.*Type the same again"):
        fetch("digits", tmp_path)
    assert names(tmp_path / "digits") == {"listing.json"}
    hub.files[FILES[0]] = right
    assert fetch("digits", tmp_path).count == 70


@pytest.mark.parametrize("length", [3000, 10_000_000])
def test_leftovers_that_do_not_fit(hub: Hub, tmp_path: Path, length: int) -> None:
    hub.break_after = 1
    with pytest.raises(UserError):
        fetch("digits", tmp_path)
    hub.break_after = None
    part = tmp_path / "digits" / f"{Path(FILES[0]).name}.part"
    part.write_bytes(bytes(length))
    if length < len(hub.files[FILES[0]]):  # taken for a beginning, until the checksum is seen
        with pytest.raises(UserError, match="checksum"):
            fetch("digits", tmp_path)
    assert fetch("digits", tmp_path).count == 70


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_no_network(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    started = time.monotonic()
    with pytest.raises(
        UserError, match=r"needs the network\. Received: http://\S+ \(.*refused.*\)\. Type"
    ) as found:
        fetch("digits", tmp_path)
    assert "\n" not in str(found.value) and str(found.value).startswith("digits should be")
    assert time.monotonic() - started < 20  # seconds; no retries before anything has been said


def test_network_lost_on_the_way(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_waiting: list[float]
) -> None:
    hub.break_after = 1
    with pytest.raises(UserError):
        fetch("digits", tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(UserError, match="needs the network") as found:
        fetch("digits", tmp_path)
    assert "\n" not in str(found.value)


def test_a_repository_that_is_gone(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NAMED, "digits", NAMED["digits"]._replace(repository="someone/else"))
    with pytest.raises(UserError, match=r"Received: http://\S+ \(40[14] Client Error") as found:
        fetch("digits", tmp_path)
    assert "\n" not in str(found.value)


def test_a_repository_without_the_files(hub: Hub, tmp_path: Path) -> None:
    hub.files = {"README.md": b"moved"}
    with pytest.raises(UserError, match=r"no files data/train-\*\.parquet in someone/digits"):
        fetch("digits", tmp_path)
    assert names(tmp_path / "digits") == set()


def test_a_server_that_sends_whole_files_only(hub: Hub, tmp_path: Path) -> None:
    hub.ignores_ranges = True
    with pytest.raises(UserError, match="bytes instead of 4,000"):
        fetch("digits", tmp_path)
    assert names(tmp_path / "digits") <= {"listing.json", f"{Path(FILES[0]).name}.part"}


def test_only_as_many_files_as_needed(hub: Hub, tmp_path: Path) -> None:
    assert fetch("digits", tmp_path, limit=20).count == 40
    assert not hub.ranges(FILES[1])
    assert fetch("digits", tmp_path, limit=35).count == 40  # 70 pictures in two files
    assert not hub.ranges(FILES[1])
    assert fetch("digits", tmp_path, limit=36).count == 70
    assert fetch("digits", tmp_path, limit=1000).count == 70
    assert fetch("digits", tmp_path, limit=20).count == 40  # the same as at first


def test_names_from_the_server_are_not_trusted(hub: Hub, tmp_path: Path) -> None:
    for name in ("..\\..\\evil.parquet", ".hidden.parquet", "a b.parquet", "..", "-r.parquet"):
        hub.files[f"data/train-/{name}"] = b"evil"
    fetch("digits", tmp_path)
    assert names(tmp_path) == {"digits"} and names(tmp_path / "digits") == COMPLETE


def test_a_spoilt_listing_is_asked_for_again(hub: Hub, tmp_path: Path) -> None:
    fetch("digits", tmp_path)
    listing = tmp_path / "digits" / "listing.json"
    noted = json.loads(listing.read_text())
    noted["files"][0][0] = "data/../../evil"
    for text in ("", "[]", "{}", json.dumps(noted)):
        listing.write_text(text)
        asked = len(hub.requests)
        assert fetch("digits", tmp_path).count == 70
        assert len(hub.requests) == asked + 1  # the pictures are there


def test_files_of_another_revision_are_replaced(hub: Hub, tmp_path: Path) -> None:
    fetch("digits", tmp_path)
    folder = tmp_path / "digits"
    listing = (folder / "listing.json").read_text()
    (folder / "listing.json").write_text(listing.replace(REVISION, "f" * 40))
    old = folder / Path(FILES[1]).name
    old.write_bytes(old.read_bytes()[::-1])
    assert fetch("digits", tmp_path).count == 70
    assert old.read_bytes() == hub.files[FILES[1]]
    assert len(hub.ranges(FILES[0])) == len(set(hub.ranges(FILES[0])))  # this one was right


def test_one_process_at_a_time(hub: Hub, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "digits").mkdir()
    lock = FileLock(tmp_path / "digits" / ".lock")
    found: list[int] = []
    waiting = threading.Thread(target=lambda: found.append(fetch("digits", tmp_path).count))
    with lock:
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive() and not hub.requests
    waiting.join(60)
    assert found == [70]
    assert capfd.readouterr().err.startswith("Another process is downloading digits")


def test_what_another_process_has_downloaded_is_taken(
    hub: Hub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    fetch("digits", tmp_path / "other")
    asked = len(hub.requests)
    capfd.readouterr()
    acquire = FileLock.acquire

    def late(self: FileLock, *words: Any, **options: Any) -> Any:
        shutil.copytree(tmp_path / "other" / "digits", tmp_path / "digits", dirs_exist_ok=True)
        return acquire(self, *words, **options)

    monkeypatch.setattr(FileLock, "acquire", late)
    assert fetch("digits", tmp_path).count == 70
    assert len(hub.requests) == asked and not capfd.readouterr().err


def test_not_enough_space(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        UserError, match=r"digits needs 0\.\d MB more on the disk.*0\.0 MB are free"
    ):
        fetch("digits", tmp_path)
    assert not hub.ranges(FILES[0])


def test_disk_full_on_the_way(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match=r"digits needs 0\.\d MB more on the disk"):
            fetch("digits", tmp_path)
    assert fetch("digits", tmp_path).count == 70
    assert len(hub.ranges(FILES[0])) == len(set(hub.ranges(FILES[0])))


def test_a_folder_that_cannot_be_written(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UserError, match="should be one that can be written to. Received: .*data"):
        fetch("digits", tmp_path / "data")


@pytest.mark.parametrize("library", ["huggingface_hub", "pyarrow"])
def test_without_the_libraries(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError, match=rf"import of {library}.*pip install \"kerasgan\[sets\]\"$"):
        fetch("digits", tmp_path)
    assert not hub.requests


@pytest.mark.parametrize("name", ["celeba", "lfw", "mnist", "fashion-mnist"])
def test_every_set_is_pinned(name: str) -> None:
    dataset = NAMED[name]
    assert re.fullmatch("[0-9a-f]{40}", dataset.revision)
    assert re.fullmatch(r"[\w-]+/[\w-]+", dataset.repository)
    assert dataset.prefix.endswith("train-")
    assert not dataset.terms.endswith(".") and not dataset.elsewhere.endswith(".")
