"""The true difference of models: told only of what it was measured for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eifer.cohort.simulation.people import CohortSpec
from eifer.cohort.simulation.reference import Difference, Reference, fingerprint, true_differences
from eifer.vocabulary import Dimension

MEASURED = Difference("pretrained", Dimension.VALENCE, 0.1, 0.02)


@pytest.fixture
def measured(plan: CohortSpec) -> CohortSpec:
    return replace(plan, reference=Reference(fingerprint(plan), (MEASURED,)))


def test_what_was_measured_is_told(measured: CohortSpec) -> None:
    known = {"models": "pretrained", "task": "valence", "condition": "baseline"}
    assert true_differences(measured) == [known | {"value": 0.1, "se": 0.02}]
    more = replace(measured, participants_per_wave=(30,))
    assert true_differences(more) == true_differences(measured)


def test_other_plants_are_not_known(measured: CohortSpec) -> None:
    other = replace(measured, ratings=replace(measured.ratings, reversed_shift=-1.0))
    assert true_differences(other) == true_differences(replace(measured, reference=None)) == []


def test_no_effect_is_no_difference_whatever_was_measured(measured: CohortSpec) -> None:
    null = true_differences(replace(measured, effect=0.0))
    assert len(null) == 4 and {(one["value"], one["se"]) for one in null} == {(0.0, 0.0)}
