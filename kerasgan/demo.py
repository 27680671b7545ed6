"""`python -m kerasgan.demo [GENERATOR|RUN ...]`: pages in the browser, served from this machine."""

import argparse
import errno
import os
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from kerasgan import cli, data, pretrained, saved
from kerasgan.errors import UserError, required
from kerasgan.pages.places import find_places
from kerasgan.text import printable

HOST = "127.0.0.1"
PORT = 7860
LOOPBACK = ("127.", "localhost", "::1")  # how addresses begin that only this machine reaches
EXTRA = "demo"  # of setup.cfg, with Gradio


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with `argv`, or the command line's words, and returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> None:
    args = build_parser().parse_args(argv)
    cli.require(rules(args))
    find_places(args.sources)
    port = free_port(args.host, args.port)
    with tempfile.TemporaryDirectory(prefix="kerasgan-demo-") as folder:
        settle(Path(folder))
        serve(args, Path(folder), port)


def build_parser() -> cli.Parser:
    """Builds the command line."""
    parser = cli.Parser(
        prog="python -m kerasgan.demo",
        description="Show generators and trainings in the browser: new faces, walks, sliders, your "
        "own picture fitted, repaired, enlarged and edited, and a training's timeline and curves.",
        epilog="Ctrl-C ends it. Uploaded pictures are kept in a temporary folder, for half an hour "
        "at most, which is removed at the end.",
    )
    add = parser.add_argument
    sources = add("sources", nargs="*", type=cli.path, metavar="GENERATOR|RUN", help="runs, .keras "
        "files of any generators, names of those that come along: "
        f"{pretrained.listed()}")  # fmt: skip
    cli.unset(sources, "those that come along, and the runs in outputs/")
    add("--host", default=HOST, metavar="ADDRESS", help="where to listen; 0.0.0.0 lets everybody "
        "in who reaches this machine, without a password")  # fmt: skip
    add("--port", type=int, default=PORT, metavar="N", help="of the address; 0 for any free one")
    add("--show", action="store_true", help="open the page in the browser of this machine")
    add("--cache", type=cli.path, metavar="DIR", default=data.CACHE, help="where is kept what "
        "cannot be kept beside a generator")  # fmt: skip
    saved.add_range_flag(parser)
    return parser


def rules(args: argparse.Namespace) -> list[cli.Rule]:
    """Returns what flags should be."""
    return [("`--port` should be from 0 to 65535", args.port, 0 <= args.port <= 65_535)]


def free_port(host: str, port: int) -> int:
    """Returns the port to listen at.

    Args:
        host: the address.
        port: the one asked for; 0 for any.

    Raises:
        UserError: it is in use, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        if os.name != "nt":  # there it would share a port that is in use
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise _unusable(host, port, error) from error
        return probe.getsockname()[1]


def _unusable(host: str, port: int, error: OSError) -> UserError:
    if error.errno in (errno.EADDRINUSE, errno.EACCES):
        why = "in use" if error.errno == errno.EADDRINUSE else "not allowed for this user"
        return UserError(
            f"`--port` should be a free one. Received: {port}, which is {why}. Type --port 0 for "
            "any free one."
        )
    return UserError(
        f"`--host` should be an address of this machine. Received: {printable(host)}, where "
        f"nothing can listen ({error.strerror or error}). Leave it out, or type --host 0.0.0.0."
    )


def settle(folder: Path) -> None:
    """Settles what Gradio reads from the environment: nothing is sent, nothing is kept.

    Args:
        folder: of all temporary files.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    for name in ("GRADIO_ALLOWED_PATHS", "GRADIO_SHARE", "GRADIO_ROOT_PATH"):
        os.environ.pop(name, None)
    for name in ("NO_PROXY", "no_proxy"):  # Gradio asks itself whether it is there
        others = os.environ.get(name)
        os.environ[name] = ",".join(filter(None, [others, "localhost", HOST]))
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def serve(args: argparse.Namespace, folder: Path, port: int) -> None:
    """Serves the pages until Ctrl-C.

    Args:
        args: of the command line.
        folder: of all temporary files.
        port: to listen at.
    """
    required("gradio", EXTRA, "The demo")
    from kerasgan import backend
    from kerasgan.pages import app
    from kerasgan.pages.studio import Studio

    studio = Studio(partial(find_places, args.sources), args.cache, args.range)
    backend.configure(seed=0)
    for name in studio.generators() if args.sources else studio.generators()[:1]:
        studio.load(name)  # what is damaged is said now
    demo = app.build(studio, folder)
    try:
        with app.served(demo, args.host, port) as url:
            print(f"The demo is at {url} until Ctrl-C.")
            if not args.host.startswith(LOOPBACK):
                print("Everybody who reaches this machine can use it.", file=sys.stderr)
            if args.show:
                webbrowser.open(url)
            threading.Event().wait()
    finally:
        studio.turns.closed.set()


if __name__ == "__main__":
    sys.exit(main())
