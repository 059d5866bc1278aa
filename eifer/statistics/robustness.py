"""Inference over participants: few of them, no model of how their frames hang together.

The unit is one difference a participant (its repetitions averaged beforehand), above 0 in favour
of the first model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtr, stdtrit

from eifer.errors import DesignError
from eifer.inputs import Floats, at_least, between, finite, names
from eifer.seeding import generator
from eifer.statistics.estimability import negligible, not_estimable

EXACT_LIMIT = 16
"""Up to this many differences, every assignment of signs is listed (65 536 of them)."""

BLOCK = 4096
"""Random sign assignments drawn at a time."""


@dataclass(frozen=True)
class PairedT:
    """The t-test of a mean difference against 0, two-sided, with a 95 % interval."""

    mean: float
    se: float
    statistic: float
    df: float
    p: float
    ci_low: float
    ci_high: float
    n: int
    estimable: bool
    reason: str | None


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests of a mean difference against -margin and +margin.

    ``p_low`` tests mean > -margin, ``p_high`` mean < margin, ``p`` is the larger; ``ci_low`` and
    ``ci_high`` bound the 1 - 2 alpha interval, which lies within the margins exactly where
    ``equivalent``.
    """

    mean: float
    se: float
    df: float
    t_low: float
    t_high: float
    p_low: float
    p_high: float
    p: float
    ci_low: float
    ci_high: float
    margin: float
    equivalent: bool
    n: int
    estimable: bool
    reason: str | None


@dataclass(frozen=True)
class ClusterBootstrap:
    """A percentile interval from resampled clusters.

    ``n_undefined`` of the ``n_resamples`` had no value of the statistic (a single class, say);
    the interval is that of the others.
    """

    estimate: float
    se: float
    ci_low: float
    ci_high: float
    level: float
    n_clusters: int
    n_resamples: int
    n_undefined: int
    estimable: bool
    reason: str | None


@dataclass(frozen=True)
class SignFlip:
    """The sign-flip test of a mean difference; no p can be below ``smallest_p``.

    ``exact`` where every assignment of signs was counted, else ``n_flips`` random ones.
    """

    mean: float
    p: float
    smallest_p: float
    exact: bool
    n_flips: int
    n: int
    estimable: bool
    reason: str | None


def t_paired(difference: object) -> PairedT:
    """Test whether participants' mean difference is 0: t = mean / (SD / sqrt(K)), t(K - 1).

    Parameters
    ----------
    difference : array_like, shape (participants,)
        One difference a participant; above 0 favours the first model.

    Returns
    -------
    PairedT
        Not estimable with one participant, or where all differences are the same.

    Raises
    ------
    InputError
        A missing or infinite difference.
    DesignError
        No difference.

    References
    ----------
    Student 1908, Biometrika 6:1.
    """
    (d,) = finite("t_paired", difference=difference)
    reason = _no_spread(d)
    if reason:
        return not_estimable(PairedT, reason, n=len(d))
    mean, se, df = _mean(d)
    half = float(stdtrit(df, 0.975)) * se
    p = float(2 * stdtr(df, -abs(mean / se)))
    return PairedT(mean, se, mean / se, df, p, mean - half, mean + half, len(d), True, None)


def tost_paired(difference: object, margin: float, alpha: float) -> Equivalence:
    """Show that participants' mean difference is smaller than a stated margin, either way.

    t_low = (mean + margin) / SE and t_high = (mean - margin) / SE with t(K - 1); equivalent where
    both one-sided p are below ``alpha``. A large p of an ordinary test shows no such thing. Nor do
    differences that are mostly 0, as near the ceiling: rare large ones are then not among the few
    people seen, and the spread is far too small (at a true difference as large as the margin,
    equivalence was claimed in 28 to 40 % of simulated cohorts).

    Parameters
    ----------
    difference : array_like, shape (participants,)
        One difference a participant.
    margin : float
        The smallest difference that would matter, in the same unit, above 0; stated beforehand.
    alpha : float
        Level of each one-sided test, between 0 and .5.

    Returns
    -------
    Equivalence
        Not estimable with one participant, where all differences are the same, or where more than
        half of them are 0.

    Raises
    ------
    InputError
        A missing or infinite difference.
    DesignError
        No difference; margin or alpha out of range.

    References
    ----------
    Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657; Lakens 2017, Soc. Psychol. Personal.
    Sci. 8:355.
    """
    (d,) = finite("tost_paired", difference=difference)
    between("tost_paired", "margin", margin, 0, math.inf)
    between("tost_paired", "alpha", alpha, 0, 0.5)
    moved = int((~negligible(d, of=d)).sum())
    reason = _no_spread(d)
    if reason is None and 2 * moved < len(d):
        reason = f"{len(d) - moved} of {len(d)} differences are 0: the others' spread is unknown"
    if reason:
        return not_estimable(Equivalence, reason, n=len(d), margin=margin, equivalent=False)
    mean, se, df = _mean(d)
    t_low, t_high = (mean + margin) / se, (mean - margin) / se
    p_low, p_high = float(stdtr(df, -t_low)), float(stdtr(df, t_high))
    half = float(stdtrit(df, 1 - alpha)) * se
    return Equivalence(
        mean=mean,
        se=se,
        df=df,
        t_low=t_low,
        t_high=t_high,
        p_low=p_low,
        p_high=p_high,
        p=max(p_low, p_high),
        ci_low=mean - half,
        ci_high=mean + half,
        margin=margin,
        equivalent=max(p_low, p_high) < alpha,
        n=len(d),
        estimable=True,
        reason=None,
    )


def sign_flip(difference: object, resamples: int, seed: int) -> SignFlip:
    """Test a mean difference by turning the signs of participants' differences.

    If neither model is better, each difference might as well have had the other sign. p is the
    share of assignments of signs whose |mean| is at least the one seen: all 2^K of them up to
    K = 16, beyond that (1 + count) / (1 + ``resamples``) of random ones. Two-sided. The smallest
    p that K participants allow is 2 / 2^K: .125 with 4, so nothing can be significant there.

    Parameters
    ----------
    difference : array_like, shape (participants,)
        One difference a participant; those of 0 have no sign to turn.
    resamples : int
        Random assignments where not all can be listed.
    seed : int
        The study's seed.

    Raises
    ------
    InputError
        A missing or infinite difference.
    DesignError
        No difference; no resample.

    References
    ----------
    Fisher 1935, The Design of Experiments, sec. 21; Phipson & Smyth 2010, Stat. Appl. Genet.
    Mol. Biol. 9:39 (the 1 + count).
    """
    (d,) = finite("sign_flip", difference=difference)
    at_least("sign_flip", "resamples", resamples, 1)
    turning = d[~negligible(d, of=d)]
    k = len(turning)
    # Sums that are equal but for round-off count as equal.
    seen, most = abs(float(turning.sum())), float(np.abs(turning).sum())
    exact = k <= EXACT_LIMIT
    if exact:
        sums = np.zeros(1)
        for value in turning:
            sums = np.concatenate([sums - value, sums + value])
        p, smallest, flips = float(np.mean(_reaches(sums, seen, most))), min(1.0, 2.0 / 2**k), 2**k
    else:
        rng, count = generator(seed, "sign_flip"), 0
        for start in range(0, resamples, BLOCK):
            signs = rng.integers(0, 2, (min(BLOCK, resamples - start), k)) * 2 - 1
            count += int(_reaches(signs @ turning, seen, most).sum())
        p, smallest, flips = (1 + count) / (1 + resamples), 1 / (1 + resamples), resamples
    return SignFlip(float(d.mean()), p, smallest, exact, flips, len(d), True, None)


def cluster_bootstrap(
    cluster: object,
    statistic: Callable[[npt.NDArray[np.intp]], float],
    *,
    resamples: int,
    level: float,
    seed: int,
) -> ClusterBootstrap:
    """Bound a statistic by drawing whole clusters (participants) with replacement.

    The percentile interval of the statistic over the resamples. With few clusters it is too
    narrow: 4 of them make only 35 different resamples.

    Parameters
    ----------
    cluster : array_like, shape (rows,)
        The cluster each row belongs to.
    statistic : callable
        From positions of rows (repeated where their cluster was drawn repeatedly) to a number;
        NaN where it has no value.
    resamples : int
    level : float
        Coverage of the interval, such as .95.
    seed : int
        The study's seed.

    Returns
    -------
    ClusterBootstrap
        Not estimable with one cluster, where the statistic of all rows has no value, or where
        fewer than half of the resamples have one.

    Raises
    ------
    InputError
        A row without a cluster.
    DesignError
        No row; level out of range; fewer than 2 resamples.

    References
    ----------
    Efron 1979, Ann. Stat. 7:1; Field & Welsh 2007, J. R. Stat. Soc. B 69:369 (clusters).
    """
    between("cluster_bootstrap", "level", level, 0, 1)
    at_least("cluster_bootstrap", "resamples", resamples, 2)
    of_row = names("cluster_bootstrap", "cluster", cluster, "name the cluster of every row")
    if of_row.empty:
        raise DesignError("cluster_bootstrap: no row was given")
    codes, clusters = pd.factorize(of_row)
    members = [np.flatnonzero(codes == code) for code in range(len(clusters))]
    known = {
        "level": level,
        "n_clusters": len(clusters),
        "n_resamples": resamples,
        "n_undefined": 0,
    }
    if len(clusters) == 1:
        return not_estimable(ClusterBootstrap, f"a single cluster ({clusters[0]})", **known)
    estimate = float(statistic(np.arange(len(of_row))))
    if math.isnan(estimate):
        return not_estimable(
            ClusterBootstrap, "the statistic has no value on the rows given", **known
        )

    rng = generator(seed, "cluster_bootstrap")
    draws = rng.integers(0, len(clusters), (resamples, len(clusters)))
    values = np.array([statistic(np.concatenate([members[i] for i in draw])) for draw in draws])
    there = values[~np.isnan(values)]
    known["n_undefined"] = resamples - len(there)
    if 2 * len(there) < resamples:
        why = f"the statistic has no value in {known['n_undefined']} of {resamples} resamples"
        return not_estimable(ClusterBootstrap, why, **known)
    low, high = np.quantile(there, [(1 - level) / 2, (1 + level) / 2])
    return ClusterBootstrap(
        estimate=estimate,
        se=float(there.std(ddof=1)),
        ci_low=float(low),
        ci_high=float(high),
        level=level,
        n_clusters=len(clusters),
        n_resamples=resamples,
        n_undefined=resamples - len(there),
        estimable=True,
        reason=None,
    )


def _no_spread(d: Floats) -> str | None:
    """Why the differences have no standard error, or None."""
    if len(d) < 2:
        return "a single difference: no standard error"
    same = negligible(np.ptp(d), of=d)
    return "all differences are the same: no standard error" if same else None


def _reaches(sums: Floats, seen: float, most: float) -> npt.NDArray[np.bool_]:
    """Which sums of differences are as far from 0 as the one seen, or differ by round-off."""
    further = np.abs(sums) - seen
    return (further > 0) | negligible(further, of=most)


def _mean(d: Floats) -> tuple[float, float, float]:
    """Mean, its standard error and degrees of freedom."""
    return float(d.mean()), float(d.std(ddof=1) / math.sqrt(len(d))), len(d) - 1.0
