"""Which cutoff the scan would have chosen with one of its choices made otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from eifer.ei.cutoff import Model, Scan, ScanSpec, best, observations, scan_hrv
from eifer.errors import DesignError
from eifer.tables.ei import COPIES_ONCE, CUTOFF_ALTERNATIVES, OTHER_MODEL

FEWEST = 5
"""Participants with both variables that a correlation takes: of fewer it is often 1 by chance."""


def alternatives(
    scan: Scan, hrv: pd.DataFrame, videos: pd.DataFrame, scores: pd.DataFrame, spec: ScanSpec
) -> pd.DataFrame:
    """The table CUTOFF_ALTERNATIVES: the scan with the other model, and with copies counted once.

    A kind of variables reacts where one of them does. Neither scan is tried on permuted scores:
    they say what hangs on a choice, and choose nothing.

    Parameters
    ----------
    scan : Scan
        The study's, of the same recordings (`scan_hrv`).
    hrv, videos, scores : DataFrame
        As for `scan_hrv`.
    spec : ScanSpec
        The study's choices.
    """
    score = scores["ei_score"]
    rows = [_other_model(scan, hrv, videos, scores, spec), _copies_once(scan, hrv, videos, spec)]
    for row in rows:
        if "reason" not in row:
            moved = (score > row["cutoff"]) != (score > scan.cutoff)
            row["n_moved"] = int(moved.sum())
    return CUTOFF_ALTERNATIVES.frame(rows)


def _other_model(
    scan: Scan, hrv: pd.DataFrame, videos: pd.DataFrame, scores: pd.DataFrame, spec: ScanSpec
) -> dict[str, object]:
    (model,) = set(get_args(Model)) - {spec.model}
    row: dict[str, object] = {"scan": OTHER_MODEL, "model": model}
    row["n_counted"] = scan.tests["variable"].nunique()
    try:
        # Without permutations nothing is drawn: any seed is the same.
        other = scan_hrv(hrv, videos, scores, replace(spec, model=model, permutations=0), seed=0)
    except DesignError as error:
        return {**row, "reason": str(error)}
    return {**row, "cutoff": other.cutoff, "n_significant": other.n_significant}


def _copies_once(
    scan: Scan, hrv: pd.DataFrame, videos: pd.DataFrame, spec: ScanSpec
) -> dict[str, object]:
    values = observations(hrv.merge(videos[["video_id", "domain"]], on="video_id"))
    kind = kinds(values, spec.copies_from)
    tests = scan.tests.assign(
        kind=scan.tests["variable"].map(kind), significant=scan.tests["p"] < spec.alpha
    )
    counts = tests.groupby(["cutoff", "kind"])["significant"].any().groupby("cutoff").sum()
    table = scan.table.assign(n_significant=scan.table["cutoff"].map(counts))
    place = best(table)
    return {
        "scan": COPIES_ONCE,
        "model": scan.model,
        "copies_from": spec.copies_from,
        "n_counted": kind.nunique(),
        "cutoff": int(table["cutoff"].iloc[place]),
        "n_significant": int(table["n_significant"].iloc[place]),
    }


def kinds(values: pd.DataFrame, copies_from: float) -> pd.Series[int]:
    """Which variables are near copies of each other: the same number, by variable.

    Two are copies where Spearman's r of the participants' means, without its sign, reaches
    ``copies_from``; ranks, because a variable and its logarithm are one. Copies of a copy are of
    its kind.

    Parameters
    ----------
    values : DataFrame of shape (recordings, variables)
        From `eifer.ei.cutoff.observations`; participant_id is a level of its index.
    copies_from : float
        The study's threshold.
    """
    means = values.groupby(level="participant_id").mean()
    near = means.corr(method="spearman", min_periods=FEWEST).abs().to_numpy() >= copies_from
    _, number = connected_components(csr_array(near | np.eye(len(near), dtype=bool)))
    return pd.Series(number, index=values.columns)
