"""High against Low and Total, by the published procedure and with its warnings."""

from __future__ import annotations

import time
from dataclasses import asdict

import pandas as pd

from eifer.comparison import ComparisonSpec, as_published, numbers
from eifer.tables.comparison import COMPARISON, DELONG
from eifer.tables.evaluation import PREDICTIONS
from stages._runtime import tracking
from stages._runtime.stage import PARAMS, Given, Made, Outcome, Report, Run, stage
from stages.params import load_params

ANSWERS = Given("data/evaluate/predictions.parquet", PREDICTIONS)
TESTS = Made("delong.parquet", DELONG)
COMPARED = Made("comparison.parquet", COMPARISON)


@stage(params=("stats",), given=(ANSWERS,), made=(TESTS, COMPARED))
def stats(run: Run) -> Outcome:
    """Compare the models on the frames that all of them scored."""
    started = time.time()
    spec: ComparisonSpec = run.params.stats.published
    tests, comparison = as_published(run.read(ANSWERS), spec)
    # The study's name only labels records: as a param of the stage, a new one would run it anew.
    tracking.stated(
        study=load_params(PARAMS).study.name,
        stage="stats",
        item={},
        recipe=asdict(spec),
        numbers=numbers(comparison),
        comparison=comparison,
        inputs=[tracking.Input("predictions", run.path(ANSWERS))],
        outputs={"comparison": tracking.table_sha256(comparison)},
        started_s=started,
        ended_s=time.time(),
    )
    return Outcome({TESTS: tests, COMPARED: comparison}, _report(comparison, spec))


def _report(comparison: pd.DataFrame, spec: ComparisonSpec) -> Report:
    below = {name: int((comparison[f"{name}_q"] < spec.alpha).sum()) for name in ("fisher", "gee")}
    n, repetitions = len(comparison), int(comparison["n_repetitions"].max())
    said = {
        "contrasts": n,
        "repetitions": repetitions,
        "alpha": spec.alpha,
        "family": list(spec.family),
        "fisher_q_below_alpha": below["fisher"],
        "gee_q_below_alpha": below["gee"],
        "sign_conflicts": int(comparison["sign_conflict"].sum()),
        "not_estimable": {
            name: int(comparison[f"{name}_reason"].notna().sum())
            for name in ("fisher", "pooled", "gee")
        },
        "test_participants": int(comparison["n_participants"].max()),
    }
    within = " and ".join(("method", *spec.family))
    return Report(
        f"""In each of {repetitions} repetition{"s" * (repetitions > 1)} the ROC-AUC of High was
        compared with that of Low and of Total by a paired DeLong test; over repetitions p-values
        were combined by Fisher's method and differences pooled with inverse-variance weights (fixed
        effect). Odds ratios of a right answer come from a GEE with group and repetition, clustered
        on frames, exchangeable, with robust standard errors. q-values are Benjamini and Hochberg's
        within {within}. Of {n} contrasts {below["fisher"]} have a Fisher q below {spec.alpha:g} and
        {below["gee"]} a GEE q; {said["sign_conflicts"]} pooled differences contradict the sign of
        the plain mean. This is the procedure as published: it takes frames of
        {said["test_participants"]} people and repetitions on one test set for independent, and a
        small q from it is not evidence that other people would give the same.""",
        said,
    )


if __name__ == "__main__":
    stats.main()
