"""Which generators and runs a demo has, by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasgan import pretrained, saved
from kerasgan.errors import UserError
from kerasgan.runs import OUTPUTS
from kerasgan.text import printable

RECIPE = "recipe.json"  # in a run's folder, and in those of generators that come along
OF_RUNS = ("run.json", "log.jsonl")  # one of which tells a run


@dataclass(frozen=True)
class Place:
    """A generator, a run or both, that can be chosen.

    Attributes:
        name: that it is chosen by.
        path: of a run's folder or of a generator's file.
    """

    name: str
    path: Path

    @property
    def is_run(self) -> bool:
        """Whether it is a training's folder."""
        return is_run(self.path)

    @property
    def draws(self) -> bool:
        """Whether there is a generator in it yet."""
        return self.path.is_file() or (self.path / saved.GENERATOR).is_file()


def is_run(folder: Path) -> bool:
    """Whether a folder is a training's."""
    return (folder / RECIPE).is_file() and any((folder / name).is_file() for name in OF_RUNS)


def find_places(named: Sequence[Path], outputs: Path = OUTPUTS) -> list[Place]:
    """Finds the generators and runs that can be chosen.

    Args:
        named: runs, generators' files and names of generators that come along; where there are
            none, all that come along, and the runs in `outputs`.
        outputs: the folder of runs.

    Raises:
        UserError: one of those named is none, or there is nothing at all.
    """
    paths = [(str(path), _place_of(path)) for path in named]
    if not named:
        paths = [(name, pretrained.folder(name)) for name in pretrained.names()]
        runs = sorted(folder for folder in outputs.glob("*") if is_run(folder))
        paths += [(folder.name, folder) for folder in runs]
    if not paths:
        raise UserError(
            "The demo should have a generator or a run. Received: none, and none in "
            f"{outputs}/. Type: python -m kerasgan.train --preset fast, or name one."
        )
    short = [path.stem if path.is_file() else path.resolve().name for _, path in paths]
    names = [
        one if short.count(one) == 1 else word for one, (word, _) in zip(short, paths, strict=True)
    ]
    found = {
        printable(name): Place(printable(name), path)
        for name, (_, path) in zip(names, paths, strict=True)
    }
    return list(found.values())


def _place_of(path: Path) -> Path:
    """Returns the folder of a run, or else the file of a generator."""
    if is_run(path):
        return path
    file = saved.find(path)
    return file if path.is_file() else file.parent
