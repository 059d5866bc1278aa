"""DeLong's test at n = 20 000, against comparing every positive with every negative."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks._measured import cpu_s, show
from eifer.statistics import delong

ITEMS = 20_000
REPEATS = 20

Floats = npt.NDArray[np.float64]


def predictions() -> tuple[Floats, Floats, Floats]:
    """Labels and two models' correlated scores, a tenth of them tied."""
    rng = np.random.default_rng(1)
    y = rng.permutation(np.arange(ITEMS) % 2).astype(float)
    a = y + rng.normal(size=ITEMS)
    b = 0.6 * a + 0.3 * y + rng.normal(size=ITEMS)
    tied = rng.random(ITEMS) < 0.1
    return y, np.where(tied, a.round(1), a), np.where(tied, b.round(1), b)


def pairwise(y: Floats, *scores: Floats) -> dict[str, float]:
    """The definition, a row of pairs at a time (all at once would take gigabytes)."""
    v10, v01 = [], []
    for score in scores:
        positive, negative = score[y == 1], score[y == 0]
        outscored, outscoring = np.empty(len(positive)), np.zeros(len(negative))
        for i, value in enumerate(positive):
            wins = (value > negative) + 0.5 * (value == negative)
            outscored[i] = wins.mean()
            outscoring += wins
        v10.append(outscored)
        v01.append(outscoring / len(positive))
    s = np.cov(v10) / len(v10[0]) + np.cov(v01) / len(v01[0])
    auc_a, auc_b = (float(v.mean()) for v in v10)
    return {
        "auc_a": auc_a,
        "auc_b": auc_b,
        "var_a": s[0, 0],
        "var_b": s[1, 1],
        "cov": s[0, 1],
        "delta": auc_a - auc_b,
        "se": float(np.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1])),
    }


def main() -> None:
    data = predictions()
    result, naive = delong(*data), pairwise(*data)
    # Processor time, the least of several: what else the machine does is not the question.
    fast = min(cpu_s(lambda: delong(*data)) for _ in range(REPEATS))
    slow = cpu_s(lambda: pairwise(*data))
    worst = max(abs(getattr(result, name) - value) / abs(value) for name, value in naive.items())
    show([
        (f"delong, n = {ITEMS}", 1000 * fast, "ms"),
        ("all pairs", 1000 * slow, "ms"),
        ("all pairs / delong", slow / fast, "times"),
        ("largest relative difference of a digit", worst, ""),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
