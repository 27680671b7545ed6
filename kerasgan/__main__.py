"""`python -m kerasgan` lists the commands; `kerasgan train` is `python -m kerasgan.train`."""

import sys
from collections.abc import Sequence

from kerasgan import __version__, cli, commands
from kerasgan.commands import COMMANDS
from kerasgan.conditions import unknown


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command that the first word names with the others, and returns its exit code."""
    return cli.run(_command, argv)


def _command(argv: Sequence[str] | None) -> int:
    match list(sys.argv[1:] if argv is None else argv):
        case [] | ["--help" | "-h" | "help"]:
            print(listing())
        case ["--version"]:
            print(f"kerasgan {__version__}")
        case ["help", name]:
            return start(name, ["--help"])
        case [name, *words]:
            return start(name, words)
    return 0


def start(name: str, words: Sequence[str]) -> int:
    """Runs a command.

    Args:
        name: one of `COMMANDS`.
        words: of its command line.

    Raises:
        UserError: there is no such command.
    """
    if name not in COMMANDS:
        raise unknown("A command should be one that `python -m kerasgan` lists", name, [*COMMANDS])
    return int(commands.load(name).main(words))


def listing() -> str:
    """Returns the commands with a line each."""
    widest = max(map(len, COMMANDS))
    return "\n".join(
        [
            f"kerasgan {__version__}: train a face GAN in Keras, and use what it learned.",
            "",
            *(f"  kerasgan {name:{widest}s}  {what}" for name, what in COMMANDS.items()),
            "",
            "`python -m kerasgan.train` is the same as `kerasgan train`. The flags of a command:",
            "kerasgan train --help",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
