"""The numbers of section 7, step by step."""

from __future__ import annotations

import pytest

from eifer.models.spec import Phase
from eifer.training.schedule import Plateau, WarmUpCosine, WarmUpShareCosine
from eifer.training.spec import Rate

STEPS = 10
HEADS = Rate(0.0, 3e-4)
BACKBONE = Rate(2e-5, 1e-4)
FIRST = WarmUpCosine(HEADS, warmup_epochs=3, epochs=4)
SECOND = WarmUpCosine(BACKBONE, warmup_epochs=3, epochs=6)


def rates(schedule: WarmUpCosine | WarmUpShareCosine) -> list[float]:
    return [schedule(step, STEPS, []) for step in range(schedule.epochs * STEPS)]


def test_heads_warm_up_for_three_epochs_then_fall() -> None:
    found = rates(FIRST)
    assert found[0] == pytest.approx(1e-5)
    assert found[14] == pytest.approx(1.5e-4)
    assert found[29] == pytest.approx(3e-4) == max(found)
    assert found[30] == pytest.approx(3e-4 * 0.5 * (1 + 0.9594929736144974))  # cos(pi / 11)
    assert found[39] == pytest.approx(3e-4 * 0.5 * (1 - 0.9594929736144974))
    assert found[29:] == sorted(found[29:], reverse=True)


def test_backbone_rises_from_its_start_to_its_peak() -> None:
    found = rates(SECOND)
    assert found[0] == pytest.approx(2e-5 + 8e-5 / 30)
    assert found[29] == pytest.approx(1e-4) == max(found)
    # Half of the cosine's way, between steps 44 and 45.
    assert (found[44] + found[45]) / 2 == pytest.approx(5e-5, rel=0.06)
    assert 0 < found[-1] < 1e-6


def test_without_warm_up_the_cosine_starts_at_once() -> None:
    found = rates(WarmUpCosine(HEADS, warmup_epochs=0, epochs=6))
    assert found[0] == max(found)
    assert found[0] == pytest.approx(3e-4, rel=1e-3)


@pytest.mark.parametrize(("epochs", "warmup"), [(0, 1), (2, 3)])
def test_phases_that_cannot_be_run_are_refused(epochs: int, warmup: int) -> None:
    with pytest.raises(ValueError, match="epochs are warm-up"):
        Phase(epochs, warmup, HEADS, None)


def test_a_warm_up_of_a_share_of_the_steps_reaches_its_peak_twice() -> None:
    found = rates(WarmUpShareCosine(3e-3, 0.25, epochs=4))
    assert found[0] == pytest.approx(3e-4)
    assert found[9] == found[10] == 3e-3 == max(found)
    assert found[25] == pytest.approx(1.5e-3)
    assert 0 < found[-1] < 1e-5


def test_a_plateau_lowers_the_rate_each_time_nothing_gets_better() -> None:
    schedule = Plateau(1.0, factor=0.1, patience=2)
    losses = [3.0, 2.0, 2.0, 2.5, 1.0, 1.5, 1.5, 1.5, 1.5]
    found = [schedule(0, STEPS, losses[:n]) for n in range(len(losses) + 1)]
    assert found == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001])


def test_a_plateau_has_a_floor_and_counts_small_gains_as_none() -> None:
    schedule = Plateau(1.0, factor=0.1, patience=1, floor=0.05, gain=1e-2)
    losses = [3.0, 2.995, 2.9, 2.9, 2.8]
    found = [schedule(0, STEPS, losses[:n]) for n in range(len(losses) + 1)]
    assert found == pytest.approx([1, 1, 0.1, 0.1, 0.05, 0.05])
