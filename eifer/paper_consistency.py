"""What the source's own tables say of each other: contradictions, computed from its figures.

Nothing here needs data: a mean of counts can only take certain values (GRIM: Brown & Heathers
2017, Soc. Psychol. Personal. Sci. 8:363), a pooled difference lies among what it pools, and a
p-value goes with its interval. The figures are those of `eifer.published`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from eifer import published
from eifer.statistics.power import power_paired
from eifer.tables.comparison import CONTRASTS
from eifer.vocabulary import Dimension, Group

CONTRADICTION, IMPLAUSIBLE, MISSING, AGREES = (
    "contradiction",
    "implausible",
    "missing",
    "agrees",
)
DIGITS = 4
"""Digits that the source prints of a share or a difference."""
NEAR = 0.005
"""Largest relative gap of an odds ratio from accuracies that still counts as the printed one: the
source's is adjusted for repetition, and accuracies are rounded."""

RECRUITED, DZ, ALPHA, POWER = 46, 0.6, 0.05, 0.8
"""Section 2.1: who was recruited, for which effect, level and power (G*Power)."""


@dataclass(frozen=True)
class Contrast:
    """High against another model, as printed; NaN where nothing is. q is an upper bound."""

    where: str
    accuracy: tuple[float, float]
    auc: tuple[float, float]
    pooled: tuple[float, float, float]
    pooled_q: float
    odds_ratio: tuple[float, float, float]


@dataclass(frozen=True)
class Finding:
    """One check: what is printed, what follows from other printed figures, and whether they agree.

    ``verdict`` is "contradiction", "implausible" (possible, but hardly by chance), "missing"
    (nothing is printed) or "agrees".
    """

    check: str
    where: str
    printed: str
    computed: str
    verdict: str


def checks() -> pd.DataFrame:
    """Every check of the source's tables, as `checks_of` returns them."""
    return checks_of(
        published.performance(),
        published.contrasts(),
        published.external_performance(),
        published.external_contrasts(),
        items=published.CONDITION_ITEMS,
        repetitions=published.REPETITIONS,
    )


def checks_of(
    performance: pd.DataFrame,
    contrasts: pd.DataFrame,
    external_performance: pd.DataFrame,
    external_contrasts: pd.DataFrame,
    **counts: int,
) -> pd.DataFrame:
    """Every check of tables that say what the source's do.

    Parameters
    ----------
    performance, contrasts, external_performance, external_contrasts : DataFrame
        As the functions of these names in `eifer.published` return them.
    **counts : int
        ``items`` of a sampled condition and ``repetitions`` of each training.

    Returns
    -------
    DataFrame
        ``check, where, printed, computed, verdict``, a row a check.
    """
    rows = [*_grim(performance, **counts), *_same_in_both_tasks(performance)]
    known = [
        *_printed(performance, contrasts, "condition"),
        *_printed(external_performance, external_contrasts, "network"),
    ]
    for check in (_signs, _interval, _directions, _odds):
        rows += [finding for contrast in known for finding in check(contrast)]
    rows += [*_given(external_performance, external_contrasts), *_sample_size()]
    return pd.DataFrame([asdict(row) for row in rows])


def possible_means(printed: float, items: int, repetitions: int, digits: int) -> list[int]:
    """Numbers of right answers whose mean share is printed as ``printed``.

    The mean over repetitions of k / items is total / (items x repetitions); a total fits if its
    share lies within half a unit of the last digit, ends included: how a tie was rounded is not
    known. None: the printed figure is impossible. Where there are more answers than units of the
    last digit every figure is possible, and the check says nothing.
    """
    answers, half = items * repetitions, 0.5 * 10**-digits
    near = round(printed * answers)
    reach = math.ceil(half * answers) + 1
    return [
        total
        for total in range(max(0, near - reach), min(answers, near + reach) + 1)
        if abs(total / answers - printed) <= half + 1e-12
    ]


def _verdict(agree: bool) -> str:
    return AGREES if agree else CONTRADICTION


def _grim(performance: pd.DataFrame, items: int, repetitions: int) -> Iterator[Finding]:
    sampled = performance["condition"].isin(["unambiguous", "ambiguous"])
    for row in performance[sampled & (performance["metric"] == "accuracy")].to_dict("records"):
        totals = possible_means(row["mean"], items, repetitions, DIGITS)
        shown = ", ".join(f"{total}/{items * repetitions}" for total in totals)
        yield Finding(
            f"accuracy is a mean of {repetitions} shares of {items}",
            f"{row['task']}, {row['condition']}, {row['training_group']}",
            f"{row['mean']:.4f}",
            shown or "no number of right answers gives it",
            _verdict(bool(totals)),
        )


def _same_in_both_tasks(performance: pd.DataFrame) -> Iterator[Finding]:
    """Two tasks have other labels, so that models seldom err alike to the last digit in both."""
    of_labels = performance[performance["metric"].isin(["macro_f1", "accuracy"])]
    for (condition, group), part in of_labels.groupby(["condition", "training_group"], sort=False):
        ordered = part.sort_values("metric", ascending=False)
        figures = [rows[["mean", "sd"]].to_numpy() for _, rows in ordered.groupby("task")]
        shown = [f"F1 {f1[0]:.4f} (SD {f1[1]:.4f})" for f1, _ in figures]
        yield Finding(
            "F1, accuracy and their SDs differ between arousal and valence",
            f"{condition}, {group}",
            shown[0],
            shown[-1],
            IMPLAUSIBLE if (figures[0] == figures[-1]).all() else AGREES,
        )


def _printed(performance: pd.DataFrame, contrasts: pd.DataFrame, where: str) -> Iterator[Contrast]:
    """The contrasts with a printed difference; ``where`` is the column that tells them apart."""
    means = performance.set_index([where, "task", "training_group", "metric"])["mean"]
    for row in contrasts.dropna(subset="pooled_delta").to_dict("records"):
        high, other = row["contrast"].split("-")

        def pair(metric: str, row: Any = row, groups: Any = (high, other)) -> tuple[float, float]:
            first, second = (
                float(means.get((row[where], row["task"], group, metric), math.nan))
                for group in groups
            )
            return first, second

        yield Contrast(
            f"{row['task']}, {row[where]}, {row['contrast']}",
            pair("accuracy"),
            pair("roc_auc"),
            (row["pooled_delta"], row["pooled_ci_low"], row["pooled_ci_high"]),
            float(row["fisher_q"].lstrip("< ")) if row["fisher_significant"] else math.nan,
            (row["gee_odds_ratio"], row["gee_ci_low"], row["gee_ci_high"]),
        )


def _signs(contrast: Contrast) -> Iterator[Finding]:
    """A weighted mean of differences, against the difference of the plain means."""
    mean = contrast.auc[0] - contrast.auc[1]
    if math.isnan(mean):
        return
    yield Finding(
        "sign of the pooled ΔAUC is that of the difference of mean AUCs",
        contrast.where,
        f"{contrast.pooled[0]:+.4f}",
        f"{mean:+.4f}",
        _verdict(mean * contrast.pooled[0] > 0),
    )


def _interval(contrast: Contrast) -> Iterator[Finding]:
    if math.isnan(contrast.pooled_q):
        return
    _, low, high = contrast.pooled
    holds = low <= 0 <= high
    yield Finding(
        "q below .05 goes with a pooled interval without 0",
        contrast.where,
        f"q < {contrast.pooled_q:g}",
        f"[{low:+.4f}, {high:+.4f}] {'holds' if holds else 'lacks'} 0",
        _verdict(not holds),
    )


def _directions(contrast: Contrast) -> Iterator[Finding]:
    """Only where both intervals name a better model."""
    _, low, high = contrast.pooled
    ratio, ratio_low, ratio_high = contrast.odds_ratio
    if math.isnan(ratio) or low <= 0 <= high or ratio_low <= 1 <= ratio_high:
        return
    ranks, odds = low > 0, ratio < 1
    other = contrast.where.rpartition("-")[2]
    yield Finding(
        "pooled ΔAUC and odds ratio name the same better model",
        contrast.where,
        f"ΔAUC {contrast.pooled[0]:+.4f}: {Group.HIGH if ranks else other}",
        f"OR {ratio:.4f}: {Group.HIGH if odds else other}",
        _verdict(ranks == odds),
    )


def _odds(contrast: Contrast) -> Iterator[Finding]:
    high, other = (accuracy / (1 - accuracy) for accuracy in contrast.accuracy)
    ratio = contrast.odds_ratio[0]
    if math.isnan(other / high / ratio):
        return
    yield Finding(
        f"odds ratio is that of the mean accuracies (within {NEAR:.1%})",
        contrast.where,
        f"{ratio:.4f}",
        f"{other / high:.4f}",
        _verdict(abs(other / high / ratio - 1) <= NEAR),
    )


def _given(performance: pd.DataFrame, contrasts: pd.DataFrame) -> Iterator[Finding]:
    """Section 4.4 says that it compares every network in both tasks."""
    scores = performance[["network", "task", "training_group"]].itertuples(index=False, name=None)
    compared = contrasts[["network", "task", "contrast"]].itertuples(index=False, name=None)
    places = (*Group, *CONTRASTS)
    there = {*scores, *compared}
    for network, task in itertools.product(published.NETWORKS, map(str, Dimension)):
        absent = [str(name) for name in places if (network, task, name) not in there]
        yield Finding(
            "scores and contrasts of every other network are given in the text",
            f"{task}, {network}",
            f"{len(places) - len(absent)} of {len(places)}",
            f"not {', '.join(absent)}" if absent else "all",
            MISSING if absent else AGREES,
        )


def _sample_size() -> list[Finding]:
    needed = power_paired(DZ, ALPHA, POWER)
    return [
        Finding(
            f"people needed for dz = {DZ:g} at level {ALPHA:g} and power {POWER:g} (paired t)",
            "section 2.1",
            str(RECRUITED),
            str(needed),
            _verdict(needed == RECRUITED),
        )
    ]
