"""A Sphinx extension: a page for each command, made of the command's own parser.

Pages are written before Sphinx looks for them, with an anchor for each flag, and git ignores them.
"""

import argparse
import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from kerasgan.commands import COMMANDS, load

FOLDER = "reference/commands"
INDEX = """# Commands

Each is typed behind `kerasgan`, as in `kerasgan train`, or as a module, `python -m kerasgan.train`;
`kerasgan` alone lists them. A mistake is answered by one line and the exit code 2. Ctrl-C leaves
nothing half written, and of a training all that it takes to go on.

| | |
|---|---|
{rows}

```{{toctree}}
:hidden:

{names}
```
"""


def setup(app) -> dict[str, bool]:
    """Lets Sphinx write the pages before it reads any."""
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / FOLDER))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_pages(folder: Path) -> None:
    """Writes an index and a page a command; removes those of commands that are no more."""
    rows = [f"| [`{name}`]({name}.md) | {escaped(what)} |" for name, what in COMMANDS.items()]
    pages = {name: page(name, load(name).build_parser()) for name in COMMANDS}
    pages["index"] = INDEX.format(rows="\n".join(rows), names="\n".join(COMMANDS))
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.md"):
        if file.stem not in pages:
            file.unlink()
    for name, text in pages.items():
        write_if_new(folder / f"{name}.md", text)


def write_if_new(file: Path, text: str) -> None:
    """Writes a page unless it says so already: Sphinx reads again what was touched."""
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


def page(name: str, parser: argparse.ArgumentParser) -> str:
    """Returns a command's page: what it does, how it is typed, and every flag."""
    parts = [
        f"# {name}",
        escaped(parser.description or ""),
        f"```text\n{usage(parser)}\n```",
        escaped(parser.epilog or ""),
        f"```{{program}} {name}\n```",
    ]
    for group in parser._action_groups:
        told = [action for action in group._group_actions if is_told(action)]
        if told:
            parts += [f"## {heading(group.title)}", sentence(group.description or "")]
            parts += [option(parser, action) for action in told]
    return "\n\n".join(part for part in parts if part) + "\n"


def is_told(action: argparse.Action) -> bool:
    """Whether a page says something of a flag that `--help` does not hide and is not itself."""
    return action.help != argparse.SUPPRESS and action.dest != "help"


def usage(parser: argparse.ArgumentParser) -> str:
    """Returns how a command is typed, in lines that fit; argparse breaks only its own."""
    prefix = "usage: "
    text = parser.format_usage().removeprefix(prefix).rstrip()
    if parser.usage is None:
        return text.replace("\n" + " " * len(prefix), "\n")
    return textwrap.fill(text, int(os.environ["COLUMNS"]), subsequent_indent=" " * 8)


def option(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """Returns a flag, or a word without one, with its help as `--help` shows it."""
    formatter = parser._get_formatter()
    typed = formatter._format_action_invocation(action)
    return f"```{{option}} {typed}\n{escaped(formatter._expand_help(action))}\n```"


def heading(title: str | None) -> str:
    """Returns a group's title as a heading; argparse has names of its own for two of them."""
    own = {"positional arguments": "What is typed", "options": "Flags", None: "Flags"}
    return own.get(title) or str(title).capitalize()


def sentence(text: str) -> str:
    """Returns a phrase as a sentence, in Markdown."""
    return escaped(text[:1].upper() + text[1:].rstrip(".") + ".") if text else ""


def escaped(text: str) -> str:
    """Returns plain text as Markdown that shows it; code between backticks stays code."""
    return "".join(_escaped(text))


def _escaped(text: str) -> Iterator[str]:
    for part in re.split(r"(`[^`]*`)", text):
        yield part if part.startswith("`") else re.sub(r"([\\*_{}\[\]<>#|$~^])", r"\\\1", part)
