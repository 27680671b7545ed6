"""A training as its folder tells of it, whether it still goes on or not; nothing is written."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from kerasgan import animation, watch
from kerasgan.cli import duration
from kerasgan.log import History, Line
from kerasgan.recipes import Recipe
from kerasgan.runs import Run
from kerasgan.text import printable

LIVELY = 90.0  # seconds since the log's last line, until which a training counts as running
PATIENCE = 5  # or so many times as long as an iteration takes
SHOWN = ("d_loss", "a_loss", "d_real", "d_fake")  # of the last iteration


@dataclass(frozen=True)
class Training:
    """How a training stands.

    Attributes:
        recipe: of the run.
        frames: control grids, in order.
        history: what its log adds up to.
        last: the log's last line; None before the first.
        running: whether it goes on at the moment.
        pace: seconds that an iteration takes; None where that is not known.
    """

    recipe: Recipe
    frames: list[Path]
    history: History
    last: Line | None
    running: bool
    pace: float | None

    @property
    def iteration(self) -> int:
        """The last iteration; 0 before the first."""
        return self.last.iteration if self.last else 0

    def lines(self) -> list[str]:
        """Says how it stands, in lines."""
        recipe = self.recipe
        lines = [
            self.headline(),
            f"Recipe {printable(recipe.preset)}: {recipe.size}x{recipe.size} pixels, batches of "
            f"{recipe.batch_size}, loss {printable(recipe.loss)}.",
        ]
        if self.last is not None:
            scalars = self.last.scalars
            known = [f"{name} {scalars[name]:.3f}" for name in SHOWN if name in scalars]
            lines.append("Last iteration: " + ", ".join(known) + ".")
        return lines + self._judgement()

    def headline(self) -> str:
        """Says in one line whether it runs, and how far it is."""
        total = self.recipe.iters
        where = f"iteration {self.iteration:,} of {total:,} ({self.iteration / total:.0%})"
        if self.running:
            left = (self.pace or 0.0) * max(total - self.iteration, 0)
            return f"Training now: {where}{f', {duration(left)} left' if self.pace else ''}."
        if self.iteration >= total:
            return f"Finished: {where}."
        return f"Not running: stopped after {where}." if self.iteration else "Not begun yet."

    def _judgement(self) -> list[str]:
        """Says what its evaluations mean, as the training's own watch does."""
        evaluations = self.history.evaluations
        if not evaluations:
            return []
        verdict = watch.judge(evaluations, self.recipe, self.history.last_rollback)
        lines = [f"Last evaluation: {evaluations[-1].words()}."]
        if verdict.target is not None:
            lines.append(f"The best one: {verdict.target.words()}.")
        if verdict.collapse:
            lines.append(f"It seems to have collapsed: {verdict.collapse}.")
        if verdict.exhausted:
            lines.append(f"It gets no better: {verdict.exhausted}.")
        return lines


def changed(run: Run) -> float:
    """Returns when a training's log last changed, in seconds since 1970; 0 without a log."""
    try:
        return run.log.stat().st_mtime
    except OSError:
        return 0.0


class Following:
    """Follows a training: of its log, only what is new is read each time.

    Args:
        run: its folder.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._lock = threading.Lock()
        self._forget(0)

    def _forget(self, file: int) -> None:
        """Begins anew with a log, known by its file's number."""
        self._file, self._offset = file, 0
        self._history = History()
        self._last: Line | None = None

    def look(self) -> Training:
        """Reads what has become of the training since the last look.

        Raises:
            UserError: the folder is no run any more.
        """
        with self._lock:
            recipe = self.run.read_recipe()  # a training that is resumed may have more iterations
            last_change = self._read_log()
            frames = animation.find_frames(self.run.control) if self.run.control.is_dir() else []
            pace, last = _pace(frames), self._last
            lively = time.time() - last_change < max(LIVELY, PATIENCE * (pace or 0.0))
            running = lively and (last is None or last.iteration < recipe.iters)
            return Training(recipe, frames, self._history, last, running, pace)

    def _read_log(self) -> float:
        """Takes in the log's new lines, and returns when it last changed; 0 without a log.

        A training that went back is resumed with a shorter log, which is another file.
        """
        try:
            state = self.run.log.stat()
        except FileNotFoundError:
            self._forget(0)
            return 0.0
        if state.st_ino != self._file or state.st_size < self._offset:
            self._forget(state.st_ino)
        with self.run.log.open("rb") as file:
            file.seek(self._offset)
            for text in file:
                if not text.endswith(b"\n"):
                    break  # it is being written
                self._offset += len(text)
                self._take(text.decode(errors="replace"))
        return state.st_mtime

    def _take(self, text: str) -> None:
        try:
            line = Line.from_json(text)
        except ValueError:  # cut short by a crash, or damaged since
            return
        self._history.add(line)
        self._last = line


def _pace(frames: list[Path]) -> float | None:
    """Returns the seconds that an iteration takes, by when the last two grids were written."""
    places = []
    for path in frames[-2:]:
        try:
            places.append((int(path.stem), path.stat().st_mtime))
        except (ValueError, OSError):
            return None
    if len(places) < 2 or places[1][0] <= places[0][0] or places[1][1] <= places[0][1]:
        return None
    return (places[1][1] - places[0][1]) / (places[1][0] - places[0][0])
