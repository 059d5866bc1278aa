"""The calibrate stage: the same tables whoever computes them, and a text with their numbers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from eifer import calibration
from eifer.calibration import CalibrationSpec, Comparison, Plan, Spread
from eifer.comparison import Claim, ComparisonSpec, ParticipantSpec
from stages import calibrate as module
from stages._runtime.stage import Run

NULL = Plan((4,), 2, 4, 2, 0.0, 0.9, 0.0, (0.0,), 3)
SPEC = CalibrationSpec(
    spread=Spread(0.5, 0.5, 0.3, 0.45, 0.7, 0.5),
    tests=(NULL,),
    people=(Plan((4, 6), 2, 4, 2, 0.3, 0.9, 0.0, (0.0,), 3),),
    flips=99,
    found=(Plan((4,), 2, 4, 2, 0.0, 0.9, 0.0, (0.05, 0.15), 3),),
    power=0.8,
)
PARTICIPANTS = ParticipantSpec(
    # Declared for the study's own conditions, which no drawn cohort has.
    (Claim("fine-tuned", "arousal", "baseline", "High-Low"),), "t", 0.05, (), 0.01, 9999
)  # fmt: skip
PUBLISHED = ComparisonSpec(0.05, ("condition",), 12)


def test_two_processes_draw_what_one_does(tmp_path: Path) -> None:
    params = SimpleNamespace(
        study=SimpleNamespace(seed=5),
        stats=SimpleNamespace(published=PUBLISHED, participants=PARTICIPANTS),
        calibrate=SPEC,
    )
    run = Run(module.calibrate, params, {}, tmp_path, SimpleNamespace(workers=2))
    outcome = module.calibrate.function(run)
    how = Comparison(PUBLISHED, PARTICIPANTS, 5)
    one = partial(calibration.claims, spec=SPEC, how=how)
    alone = pd.concat(map(one, calibration.chunks(SPEC, run.seed("cohorts"))))
    pd.testing.assert_frame_equal(
        outcome.made[module.CALIBRATION], calibration.calibration(alone, how)
    )
    pd.testing.assert_frame_equal(outcome.made[module.POWER], calibration.power(alone, how, 0.8))
    text, said = " ".join(outcome.report.results.split()), outcome.report.numbers
    low, high = said["null_published"]
    assert f"{100 * low:.1f}" in text and f"{100 * high:.1f} % of cohorts" in text
    assert said["cohorts"] == 3 and set(said["smallest_found"]) == {"4 people"}
