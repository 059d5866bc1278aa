"""The models against each other: at the participant level (primary), and as published.

`by_participant` takes people for the sample, which they are; `as_published` reproduces the
source's procedure to the digit and says what it leaves out.
"""

from eifer.comparison.participants import (
    Claim,
    ParticipantComparison,
    ParticipantSpec,
    by_participant,
)
from eifer.comparison.published import ComparisonSpec, as_published
from eifer.comparison.shown import (
    findings,
    findings_as_published,
    numbers,
)

__all__ = [
    "Claim",
    "ComparisonSpec",
    "ParticipantComparison",
    "ParticipantSpec",
    "as_published",
    "by_participant",
    "findings",
    "findings_as_published",
    "numbers",
]
