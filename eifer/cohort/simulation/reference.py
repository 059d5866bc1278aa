"""The true difference of models that a planted effect makes, which a simulation measured once.

No formula gives it: it follows from how networks learn. `benchmarks/planted_truth.py` measures it
over many people and trainings, and the params hold what came out.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from annotated_types import Ge, Le

from eifer.ranges import NotNegative, Text
from eifer.vocabulary import Dimension

if TYPE_CHECKING:
    from eifer.cohort.simulation.people import CohortSpec

Models = Literal["pretrained", "fine-tuned"]
"""Trained on one EI group alone, or on everybody after that."""
CONDITION = "baseline"


@dataclass(frozen=True)
class Difference:
    """ROC-AUC of the models that learnt from High less that of those that learnt from Low.

    Of the baseline frames of one test person, in the mean over people (as many High as Low) and
    trainings; ``se`` is its standard error.
    """

    models: Models
    task: Dimension
    value: Annotated[float, Ge(-1), Le(1)]
    se: NotNegative


@dataclass(frozen=True)
class Reference:
    """What was measured, and the `fingerprint` of what was planted then."""

    settings: Text
    differences: tuple[Difference, ...]


def fingerprint(spec: CohortSpec) -> str:
    """Name all that is planted but the number of people and the reference itself."""
    planted = asdict(spec)
    del planted["participants_per_wave"], planted["reference"]
    return hashlib.sha256(json.dumps(planted, sort_keys=True).encode()).hexdigest()[:12]


def true_differences(spec: CohortSpec) -> list[dict[str, Any]]:
    """Give the true differences as JSON can hold them: ``models, task, condition, value, se``.

    All 0 without an effect; none where nothing was measured, or something else was planted then.
    """
    if spec.effect == 0:
        known = [Difference(m, task, 0.0, 0.0) for m in get_args(Models) for task in Dimension]
    elif spec.reference is not None and spec.reference.settings == fingerprint(spec):
        known = list(spec.reference.differences)
    else:
        known = []
    return [{**asdict(one), "task": one.task.value, "condition": CONDITION} for one in known]
