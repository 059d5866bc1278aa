"""What each test of the comparison does where the truth is known, by simulation."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from eifer import calibration
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.catalogue import CALIBRATE, CALIBRATION, POWER


@stage(CALIBRATE, params=("study.seed", "stats", "calibrate"))
def calibrate(run: Run) -> Outcome:
    """Put drawn predictions through the tests that stats runs, and count what they claim."""
    spec, stats = run.params.calibrate, run.params.stats
    participants = replace(stats.participants, flips=spec.flips)
    how = calibration.Comparison(stats.published, participants, run.params.study.seed)
    tasks = calibration.chunks(spec, run.seed("cohorts"))
    parts = run.each(partial(calibration.claims, spec=spec, how=how), tasks, "cohorts")
    claimed = pd.concat(parts, ignore_index=True)
    rates = calibration.calibration(claimed, how)
    smallest = calibration.power(claimed, how, spec.power)
    facts = calibration.findings(rates, smallest)
    return Outcome(
        {CALIBRATION: rates, POWER: smallest}, Report(_methods(facts, spec), facts, _results(facts))
    )


def _methods(facts: dict[str, Any], spec: calibration.CalibrationSpec) -> str:
    plans = (*spec.tests, *spec.people, *spec.found)
    aucs = " or ".join(f"{auc:g}" for auc in sorted({plan.auc for plan in plans}))
    return f"""Up to {facts["cohorts"]} cohorts of each design were drawn, not trained: predictions
        of three models with a mean ROC-AUC of {aucs} within a person, of frames that are alike
        within videos and people. They went through the code that compares the models."""


def _results(facts: dict[str, Any]) -> str:
    if not (facts["null_published"] and facts["null_t"]):
        return ""
    published, t = (_percent(facts[name]) for name in ("null_published", "null_t"))
    return f"""Where models differed in nobody's favour, the tests as published claimed a difference
        in {published} of cohorts, the t-test over participants in {t}."""


def _percent(ends: list[float]) -> str:
    low, high = (f"{100 * end:.1f}" for end in ends)
    return f"{low} %" if low == high else f"{low} to {high} %"


if __name__ == "__main__":
    calibrate.main()
