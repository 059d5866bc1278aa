"""The cutoff scan at the paper's size, against a formula loop that does the same tests.

The loop is timed on a sample of fits and multiplied up: in full it would take hours.
"""

from __future__ import annotations

import time
from typing import Any, get_args

import numpy as np
import pandas as pd

from benchmarks._measured import show
from eifer.ei.cutoff import Model, Scan, scan
from eifer.vocabulary import Domain

PARTICIPANTS, CUTOFFS, VARIABLES, PERMUTATIONS = 44, range(0, 1201, 10), 20, 1000
SAMPLE = 40
REPEATS = 5


def cohort() -> tuple[pd.DataFrame, list[str], list[str], dict[str, int]]:
    """Simulate noise of the paper's size: people differ lastingly, a few values are missing."""
    rng = np.random.default_rng(1)
    names = [f"sub-{i:02d}" for i in range(1, PARTICIPANTS + 1)]
    emotions = list(map(str, Domain))
    noise = rng.normal(size=(PARTICIPANTS, 1, VARIABLES))
    noise = noise + rng.normal(size=(PARTICIPANTS, len(emotions), VARIABLES))
    values = pd.DataFrame(noise.reshape(-1, VARIABLES)).add_prefix("hrv_")
    values = values.mask(rng.random(values.shape) < 0.01)
    points = 10 * rng.integers(60, 105, PARTICIPANTS)
    participant = np.repeat(names, len(emotions)).tolist()
    scores = dict(zip(names, points.tolist(), strict=True))
    return values, participant, emotions * PARTICIPANTS, scores


def formula_loop(tests: pd.DataFrame) -> tuple[float, float]:
    """Fit a sample of the scan's tests by formula: seconds a fit, largest |p difference|."""
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    values, participant, emotion, scores = cohort()
    points = np.array([scores[name] for name in participant])
    sample = tests[tests["estimable"]].sample(SAMPLE, random_state=0)
    worst, seconds = 0.0, 0.0
    for row in sample.itertuples():
        table = values.assign(g=np.where(points > row.cutoff, "High", "Low"), e=emotion)
        start = time.perf_counter()
        fit = anova_lm(ols(f"{row.variable} ~ C(g, Sum) * C(e, Sum)", table).fit(), typ=3)
        seconds += time.perf_counter() - start
        worst = max(worst, abs(fit.loc["C(g, Sum):C(e, Sum)", "PR(>F)"] - row.p))
    return seconds / SAMPLE, worst


def timed_scan(model: Model) -> tuple[float, Scan]:
    """Run the scan, the fastest of a few times: the machine may do other work too."""
    values, participant, emotion, scores = cohort()
    choices: dict[str, Any] = {
        "cutoffs": CUTOFFS,
        "alpha": 0.05,
        "max_imbalance_share": 0.25,
        "permutations": PERMUTATIONS,
        "seed": 1,
    }
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = scan(values, participant, emotion, scores, model=model, **choices)
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def main() -> None:
    taken = {model: timed_scan(model) for model in get_args(Model)}
    seconds, result = taken["between"]
    a_fit, difference = formula_loop(result.tests)
    fits = len(CUTOFFS) * VARIABLES
    bare, all_s = fits * a_fit, fits * (1 + PERMUTATIONS) * a_fit
    show([
        *((f"scan, {model}, {PERMUTATIONS} permutations", taken[model][0], "s") for model in taken),
        ("formula loop, one fit", 1000 * a_fit, "ms"),
        ("formula loop, no permutation (extrapolated)", bare, "s"),
        (f"formula loop, {PERMUTATIONS} permutations (extrapolated)", all_s, "s"),
        ("formula loop / scan", all_s / seconds, "times"),
        ("loop without / scan with permutations", bare / seconds, "times"),
        (f"largest |p difference| in {SAMPLE} fits", difference, ""),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
