"""The log of a training: one line an iteration, and what all of them add up to."""

import dataclasses
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kerasgan.watch import Evaluation

LOSSES = ("d_loss", "a_loss")  # the scalars that must be finite, and whose curves are drawn


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
        values = json.loads(text)
        try:
            iteration = int(values.pop("iteration"))
            figures, rolled_back_to = (
                values.pop(x, None) for x in ("evaluation", "rolled_back_to")
            )
            evaluation = Evaluation(iteration=iteration, **figures) if figures else None
            scalars = {name: _number(value) for name, value in values.items()}
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"no line of a log: {text}") from error
        return cls(iteration, scalars, evaluation, rolled_back_to)


def _number(value: float | None) -> float:
    if value is None:
        return math.nan
    if not isinstance(value, int | float):
        raise TypeError(value)
    return value


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
