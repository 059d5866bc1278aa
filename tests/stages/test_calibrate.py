"""The calibrate stage: the same tables whoever computes them, and a text with their numbers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from eifer import calibration
from eifer.comparison import Claim
from stages import calibrate as module
from stages._runtime.stage import Run
from tests.eifer.test_calibration import HOW, plan, spec

SPEC = spec(
    tests=(plan(4, 4, (0.0,), 3),),
    people=(plan(4, 4, (0.0,), 3), plan(6, 4, (0.0,), 3)),
    found=(plan(4, 4, (0.05, 0.15), 3),),
)
# Declared for the study's own conditions, which no drawn cohort has.
DECLARED = (Claim("fine-tuned", "arousal", "baseline", "High-Low"),)
STATS = replace(HOW, participants=replace(HOW.participants, confirmatory=DECLARED, flips=9999))


def test_two_processes_draw_what_one_does(tmp_path: Path) -> None:
    params = SimpleNamespace(study=SimpleNamespace(seed=STATS.seed), stats=STATS, calibrate=SPEC)
    run = Run(module.calibrate, params, {}, tmp_path, SimpleNamespace(workers=2))
    outcome = module.calibrate.function(run)
    one = partial(calibration.claims, spec=SPEC, how=STATS)
    alone = pd.concat(map(one, calibration.chunks(SPEC, run.seed("cohorts"))))
    rates, smallest = calibration.calibration(alone, STATS), calibration.power(alone, STATS, 0.8)
    pd.testing.assert_frame_equal(outcome.made[module.CALIBRATION], rates)
    pd.testing.assert_frame_equal(outcome.made[module.POWER], smallest)
    text, said = " ".join(outcome.report.results.split()), outcome.report.numbers
    low, high = said["null_published"]
    assert f"{100 * low:.1f}" in text and f"{100 * high:.1f} % of cohorts" in text
    assert said["cohorts"] == 3 and set(said["smallest_found"]) == {"4 people"}
