"""How good a generator's pictures are, in numbers.

`Evaluator` measures; `features`, `kid`, `frechet`, `neighbours` and `detection` hold one idea
each, `networks` names the networks that `features` shows pictures to. `import kerasgan.metrics`
imports no TensorFlow.
"""

from kerasgan.metrics.evaluator import (
    COUNT,
    DEFAULT_FEATURES,
    MIN_COUNT,
    Description,
    Evaluator,
)
from kerasgan.metrics.memorisation import PAIRS, sheet
from kerasgan.metrics.networks import FEATURES
from kerasgan.metrics.report import table

__all__ = [
    "COUNT",
    "DEFAULT_FEATURES",
    "FEATURES",
    "MIN_COUNT",
    "PAIRS",
    "Description",
    "Evaluator",
    "sheet",
    "table",
]
