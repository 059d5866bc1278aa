"""The numbers of section 7, step by step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eifer.models.schedule import rate_at
from eifer.models.spec import Phase, Rate

STEPS = 10
HEADS = Rate(0.0, 3e-4)
BACKBONE = Rate(2e-5, 1e-4)
FIRST = Phase(epochs=4, warmup_epochs=3, heads=HEADS, backbone=None)
SECOND = Phase(epochs=6, warmup_epochs=3, heads=HEADS, backbone=BACKBONE)


def rates(phase: Phase, rate: Rate) -> list[float]:
    return [rate_at(step, STEPS, phase, rate) for step in range(phase.epochs * STEPS)]


def test_heads_warm_up_for_three_epochs_then_fall() -> None:
    found = rates(FIRST, HEADS)
    assert found[0] == pytest.approx(1e-5)
    assert found[14] == pytest.approx(1.5e-4)
    assert found[29] == pytest.approx(3e-4) == max(found)
    assert found[30] == pytest.approx(3e-4 * 0.5 * (1 + 0.9594929736144974))  # cos(pi / 11)
    assert found[39] == pytest.approx(3e-4 * 0.5 * (1 - 0.9594929736144974))
    assert found[29:] == sorted(found[29:], reverse=True)


def test_backbone_rises_from_its_start_to_its_peak() -> None:
    found = rates(SECOND, BACKBONE)
    assert found[0] == pytest.approx(2e-5 + 8e-5 / 30)
    assert found[29] == pytest.approx(1e-4) == max(found)
    # Half of the cosine's way, between steps 44 and 45.
    assert (found[44] + found[45]) / 2 == pytest.approx(5e-5, rel=0.06)
    assert 0 < found[-1] < 1e-6


def test_without_warm_up_the_cosine_starts_at_once() -> None:
    found = rates(replace(SECOND, warmup_epochs=0), HEADS)
    assert found[0] == max(found)
    assert found[0] == pytest.approx(3e-4, rel=1e-3)


@pytest.mark.parametrize(("epochs", "warmup"), [(0, 1), (2, 3)])
def test_phases_that_cannot_be_run_are_refused(epochs: int, warmup: int) -> None:
    with pytest.raises(ValueError, match="epochs are warm-up"):
        Phase(epochs, warmup, HEADS, None)
