"""The commands, by name: what lists them and what starts them takes them from here."""

import importlib
from importlib.util import find_spec
from types import ModuleType

# Each is a module, or a package with a `__main__`, that has `main(argv) -> int` and
# `build_parser()`. What a user does first, comes first.
COMMANDS = {
    "data": "look at pictures, check them, and prepare them for training",
    "train": "train a generator of faces on a folder of pictures",
    "gif": "show a training as a GIF or a video",
    "sample": "draw faces with a trained generator, or a walk between faces",
    "evaluate": "measure how good a generator's faces are",
    "edit": "give faces more or less of an attribute, such as a smile",
    "restore": "fill holes in faces, enlarge them, take noise away",
    "export": "write a generator in the formats of other programs",
    "demo": "show generators and trainings in the browser",
}


def name_of(command: str) -> str:
    """Returns the dotted name of a command's module; the command need not be loaded for it."""
    name = f"kerasgan.{command}"
    spec = find_spec(name)
    is_package = spec is not None and spec.submodule_search_locations is not None
    return f"{name}.__main__" if is_package else name


def load(command: str) -> ModuleType:
    """Imports a command's module, one of `COMMANDS`."""
    return importlib.import_module(name_of(command))
