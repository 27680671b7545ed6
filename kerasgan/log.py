"""The log of a training: one line an iteration, and what all of them add up to."""

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasgan.files import MAX_NUMBER
from kerasgan.text import first_line
from kerasgan.watch import Evaluation

LOSSES = ("d_loss", "a_loss")  # the scalars that must be finite, and whose curves are drawn
MAX_LINE = 2**16  # bytes
MAX_ITERATION = 2**62


@dataclass(frozen=True)
class Line:
    """What is kept of one iteration.

    Attributes:
        iteration: from 1.
        scalars: that `GAN.train_on_batch` returned, by name.
        evaluation: if one was due.
        rolled_back_to: the iteration whose weights the training went back to, or None.
    """

    iteration: int
    scalars: dict[str, float]
    evaluation: Evaluation | None = None
    rolled_back_to: int | None = None

    def to_json(self) -> str:
        """Returns the line as one JSON object; a number that is not finite is null there."""
        values: dict[str, Any] = {"iteration": self.iteration}
        for name, value in self.scalars.items():
            values[name] = value if math.isfinite(value) else None
        if self.evaluation:
            values["evaluation"] = dataclasses.asdict(self.evaluation)
            del values["evaluation"]["iteration"]
        if self.rolled_back_to is not None:
            values["rolled_back_to"] = self.rolled_back_to
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> "Line":
        """Reads what `to_json` returned.

        Raises:
            ValueError: the text is no such line.
        """
        try:
            values = json.loads(text)
            if not isinstance(values, dict):
                raise ValueError("it is no JSON object")
            iteration, rolled_back_to = values.pop("iteration"), values.pop("rolled_back_to", None)
            _require_iteration(iteration, rolled_back_to)
            figures = values.pop("evaluation", None)
            evaluation = None if figures is None else _evaluation(iteration, figures)
            scalars = {name: _scalar(name, value) for name, value in values.items()}
        except json.JSONDecodeError as error:
            raise ValueError(f"it is no JSON: {error.msg}") from error
        except KeyError as error:
            raise ValueError("it names no iteration") from error
        except RecursionError as error:
            raise ValueError("it has too many brackets in brackets") from error
        return cls(iteration, scalars, evaluation, rolled_back_to)


def _require_iteration(*values: Any) -> None:
    first, *others = values
    for value in (first, *(other for other in others if other is not None)):
        if type(value) is not int or not 0 <= value <= MAX_ITERATION:
            raise ValueError(f"{_short(value)} is no iteration")


def _scalar(name: str, value: Any) -> float:
    if value is None:
        return math.nan
    if type(value) not in (int, float) or not abs(value) <= MAX_NUMBER:
        raise ValueError(f"{_short(name)} is {_short(value)}, which is no number")
    return value  # as it is: a log that is cut keeps its other lines to the byte


def _evaluation(iteration: int, figures: Any) -> Evaluation:
    if not isinstance(figures, dict):
        raise ValueError("its evaluation holds no figures")
    known = {item.name: item.default for item in dataclasses.fields(Evaluation)}
    for name, value in figures.items():
        if name not in known or name == "iteration":
            raise ValueError(f"its evaluation has an odd figure, {_short(name)}")
        if value is None and known[name] is None:
            continue
        kinds = (int,) if name == "side" else (int, float)
        # One that is not finite was written as NaN.
        if type(value) not in kinds or abs(value) > MAX_NUMBER:
            raise ValueError(f"its evaluation's {name} is {_short(value)}")
    try:
        return Evaluation(iteration=iteration, **figures)
    except TypeError as error:
        raise ValueError("its evaluation lacks a figure") from error


def _short(value: Any) -> str:
    return repr(value)[:40]


@dataclass
class Reading:
    """What a log's file holds.

    Attributes:
        lines: of iterations 1, 2, ..., to the end or to where one is missing.
        fault: why no line follows, for a message; None at the file's end.
        resumes_at: the next iteration after those that are missing; None where none follows.
        passed_over: by how many lines stood before, what was skipped, as nothing is lost with it: a
            line that is there twice, or one that is none between two that are neighbours.
    """

    lines: list[Line] = field(default_factory=list)
    fault: str | None = None
    resumes_at: int | None = None
    passed_over: list[tuple[int, str]] = field(default_factory=list)


def read(path: Path) -> Reading:
    """Reads a log; an unfinished line at its end, as a crash leaves it, is its end.

    Args:
        path: the file; one that is not there is empty.

    Raises:
        OSError: the system refuses it.
    """
    found, pending = Reading(), None
    for number, content in _contents(path):
        place = f"line {number:,}"
        try:
            line = Line.from_json(content.decode())
        except ValueError as error:  # UnicodeDecodeError too
            odd = isinstance(error, UnicodeDecodeError)
            reason = "it has a byte that is no UTF-8" if odd else first_line(error)
            pending = pending or f"{place} is damaged: {reason}"
            continue
        if 0 < line.iteration <= len(found.lines):
            if line.to_json() != found.lines[line.iteration - 1].to_json():
                found.fault = f"{place} is another one for iteration {line.iteration:,}"
                return found
            found.passed_over.append((len(found.lines), f"{place} was there twice"))
        elif line.iteration != len(found.lines) + 1:
            found.fault = pending or f"{place} is of iteration {line.iteration:,}"
            found.resumes_at = line.iteration
            return found
        else:
            if pending:
                found.passed_over.append((len(found.lines), pending))
            pending = None
            found.lines.append(line)
    found.fault = pending
    return found


def _contents(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yields each line that is not blank, or the beginning of one without end, by its number."""
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        return
    with file:
        number = 0
        while content := file.readline(MAX_LINE):
            number += 1
            if content.strip():
                yield number, content
            while content and not content.endswith(b"\n"):
                content = file.readline(MAX_LINE)


class History:
    """What the lines of a log add up to.

    Args:
        lines: those of the training so far, in order.

    Attributes:
        losses: of each iteration, by the names in `LOSSES`.
        evaluations: in order.
        rollbacks: iterations after which the training went back to better weights, in order.
        accuracies: of D, in the iterations since the last evaluation.
    """

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self.losses: dict[str, list[float]] = {name: [] for name in LOSSES}
        self.evaluations: list[Evaluation] = []
        self.rollbacks: list[int] = []
        self.accuracies: list[float] = []
        for line in lines:
            self.add(line)

    def add(self, line: Line) -> None:
        """Takes in the next iteration."""
        for name, losses in self.losses.items():
            losses.append(line.scalars.get(name, math.nan))
        if line.rolled_back_to is not None:
            self.rollbacks.append(line.iteration)
        if line.evaluation:
            self.evaluations.append(line.evaluation)
            self.accuracies = []
        elif line.rolled_back_to is None:  # an iteration that was undone says nothing of D
            accuracy = line.scalars.get("d_accuracy", math.nan)
            self.accuracies += [accuracy] if math.isfinite(accuracy) else []

    @property
    def last_evaluation(self) -> Evaluation | None:
        """The newest evaluation; None before the first one."""
        return self.evaluations[-1] if self.evaluations else None

    @property
    def last_rollback(self) -> int:
        """The iteration after which the training last went back; 0 if it never has."""
        return self.rollbacks[-1] if self.rollbacks else 0
