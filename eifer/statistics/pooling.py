"""Many repetitions, one answer: combining their p-values, or pooling their differences.

Everything here treats the repetitions as independent studies. Repetitions on one fixed
test set are not: they share every item, so a combined p-value says how repeatable the
models are, not whether other people would give the same result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
from scipy.special import chdtrc, gammaln, log_ndtr, logsumexp, ndtr, ndtri, stdtr, stdtrit, xlogy

from eifer.errors import DesignError, did_you_mean
from eifer.inputs import LARGEST, Floats, columns, immense, offending, p_values, refuse
from eifer.statistics.estimability import negligible, not_estimable

Method = Literal["reml", "dl", "pm"]


@dataclass(frozen=True)
class Combined:
    """Several tests combined into one.

    ``log_p`` is the natural logarithm of ``p``, finite where p underflows; ``n_used`` counts
    the tests that were not missing. ``reason`` also warns where an estimable answer hangs on
    one p-value of exactly 0 or 1.
    """

    statistic: float
    df: float
    p: float
    log_p: float
    n_used: int
    estimable: bool
    reason: str | None


@dataclass(frozen=True)
class Pooled:
    """Differences of several repetitions pooled with weights from their standard errors.

    ``df`` is infinite where ``statistic`` is a z. ``i2`` is in percent. ``mean`` is the plain
    mean of every difference given, those left out included; ``left_out`` holds the positions
    (from 0) whose se is 0 or missing, or whose difference is missing. ``sign_conflict``: the
    estimate and the plain mean point in opposite directions.
    """

    estimate: float
    se: float
    statistic: float
    df: float
    p: float
    ci_low: float
    ci_high: float
    q: float
    q_p: float
    i2: float
    tau2: float
    mean: float
    n_used: int
    left_out: tuple[int, ...]
    sign_conflict: bool
    estimable: bool
    reason: str | None


def fisher(p: object) -> Combined:
    """Combine independent p-values by Fisher's method.

    X = -2 sum ln p is chi-square with 2k degrees of freedom if every null hypothesis holds;
    log p = -X/2 + ln sum_{j<k} (X/2)^j / j!. From two-sided p-values it is blind to direction:
    opposite findings add up. See `stouffer` for a signed combination.

    Parameters
    ----------
    p : array_like, shape (tests,)
        p-values from 0 to 1; missing ones are left out. No floor is put under p = 0: it gives
        an infinite statistic and p = 0.

    Raises
    ------
    InputError
        A p-value outside 0..1.

    References
    ----------
    Fisher 1932, Statistical Methods for Research Workers, 4th ed., sec. 21.1.
    """
    used = _given(p_values("fisher", p))
    k = len(used)
    if not k:
        return _nothing()
    with np.errstate(divide="ignore"):
        half = max(0.0, float(-np.log(used).sum()))
    if math.isinf(half):
        return Combined(math.inf, 2.0 * k, 0.0, -math.inf, k, True, "a p-value is 0")
    terms = np.arange(k)
    log_p = min(0.0, float(logsumexp(xlogy(terms, half) - gammaln(terms + 1))) - half)
    return Combined(2 * half, 2.0 * k, float(chdtrc(2 * k, 2 * half)), log_p, k, True, None)


def stouffer(z: object) -> Combined:
    """Combine signed z-values by Stouffer's method: Z = sum z / sqrt(k), two-sided p.

    Unlike `fisher` of two-sided p-values, opposite findings cancel. ``df`` is infinite.

    Parameters
    ----------
    z : array_like, shape (tests,)
        Signed z-values (above 0 favours the first model); missing ones are left out.

    References
    ----------
    Stouffer et al. 1949, The American Soldier, vol. 1.
    """
    (values,) = columns("stouffer", z=z)
    used = _given(values)
    if not len(used):
        return _nothing()
    if np.isposinf(used).any() and np.isneginf(used).any():
        return not_estimable(Combined, "z is infinite in both directions: no sum", n_used=len(used))
    total = float(used.sum()) / math.sqrt(len(used))
    log_p = min(0.0, math.log(2) + float(log_ndtr(-abs(total))))
    return Combined(total, math.inf, float(2 * ndtr(-abs(total))), log_p, len(used), True, None)


def cauchy(p: object) -> Combined:
    """Combine p-values that may depend on each other, by the Cauchy method.

    T = mean of tan((1/2 - p) pi) is close to standard Cauchy (t with 1 degree of freedom) in
    its upper tail whatever the dependence. Written 1 / tan(p pi), which keeps its digits for
    small p. A p of exactly 1 makes T minus infinity and the combined p 1 (blind to all the
    others), one of exactly 0 makes it 0: ``reason`` says so.

    Parameters
    ----------
    p : array_like, shape (tests,)
        p-values from 0 to 1; missing ones are left out.

    Returns
    -------
    Combined
        Not estimable where one p is 0 and another is 1.

    References
    ----------
    Liu & Xie 2020, J. Am. Stat. Assoc. 115:393.
    """
    used = _given(p_values("cauchy", p))
    k = len(used)
    if not k:
        return _nothing()
    zero, certain = bool((used == 0).any()), bool((used == 1).any())
    if zero and certain:
        return not_estimable(
            Combined, "one p-value is 0 and another is 1: the statistic is inf - inf", n_used=k
        )
    if zero:
        return Combined(math.inf, 1.0, 0.0, -math.inf, k, True, "a p-value is 0")
    if certain:
        why = "a p-value is 1: the statistic is -inf whatever the others say"
        return Combined(-math.inf, 1.0, 1.0, 0.0, k, True, why)
    # 1 - p is exact above .5, where p itself has lost the digits that tan needs.
    near = np.where(used <= 0.5, used, 1 - used)
    with np.errstate(divide="ignore", over="ignore"):
        statistic = float(np.mean(np.where(used <= 0.5, 1, -1) / np.tan(near * np.pi)))
    if math.isinf(statistic):  # 1 / p overflows; there the combined p is the harmonic mean
        log_p = math.log(k) - float(logsumexp(-np.log(used)))
        return Combined(statistic, 1.0, math.exp(log_p), log_p, k, True, None)
    combined = math.atan2(1, statistic) / math.pi
    log_p = math.log(combined)
    return Combined(statistic, 1.0, combined, log_p, k, True, None)


def pool_fixed(delta: object, se: object) -> Pooled:
    """Pool differences by inverse-variance weights, as if all estimate one common value.

    w = 1 / se^2; estimate = sum w d / sum w; SE = 1 / sqrt(sum w); Q = sum w (d - estimate)^2,
    chi-square with k - 1 degrees of freedom; I^2 = max(0, 1 - (k - 1) / Q) in percent; tau2 = 0.
    Near the ceiling of an AUC the se shrinks with the headroom, so that the weights follow the
    results: look at ``sign_conflict``.

    Parameters
    ----------
    delta : array_like, shape (repetitions,)
        Differences; above 0 favours the first model.
    se : array_like, shape (repetitions,)
        Their standard errors, in the same unit. A se of 0 but for round-off (identical ranks) or a
        missing value cannot be weighted: listed in ``left_out``.

    Returns
    -------
    Pooled
        With one repetition, that repetition; not estimable where every one is left out.

    Raises
    ------
    InputError
        Different lengths, a negative or infinite se, an infinite difference.
    DesignError
        No repetition at all.

    References
    ----------
    Cochran 1954, Biometrics 10:101; Higgins & Thompson 2002, Stat. Med. 21:1539.
    """
    return _pool("pool_fixed", delta, se, lambda d, v: 0.0, random=False, knapp_hartung=False)


def pool_random(
    delta: object,
    se: object,
    method: Method = "reml",
    knapp_hartung: bool | Literal["modified"] = False,
) -> Pooled:
    """Pool differences that may truly differ between repetitions, with variance tau2.

    w* = 1 / (se^2 + tau2); estimate = sum w* d / sum w*; SE = 1 / sqrt(sum w*) and z, or with
    ``knapp_hartung`` SE^2 = sum w* (d - estimate)^2 / ((k - 1) sum w*) and t(k - 1). Q and its p
    are those of `pool_fixed`; I^2 = tau2 / (tau2 + s^2) in percent, with the typical variance
    s^2 = (k - 1) / (sum w - sum w^2 / sum w), which for "dl" is max(0, 1 - (k - 1) / Q).

    Parameters
    ----------
    delta, se : array_like, shape (repetitions,)
        As in `pool_fixed`, with the same treatment of a se of 0.
    method : {"reml", "dl", "pm"}
        tau2 by restricted maximum likelihood, by DerSimonian and Laird's moments
        max(0, (Q - k + 1) / (sum w - sum w^2 / sum w)), or by Paule and Mandel (Q* = k - 1).
    knapp_hartung : bool or "modified"
        "modified" takes the larger of the two SE, with t(k - 1). With one repetition there is
        no t, and z is used.

    Returns
    -------
    Pooled
        Not estimable where every repetition is left out, or where Knapp-Hartung's SE is 0
        because all differences are the same.

    Raises
    ------
    InputError, DesignError
        As `pool_fixed`; also an unknown method.

    References
    ----------
    DerSimonian & Laird 1986; Paule & Mandel 1982; Viechtbauer 2005, J. Educ. Behav. Stat. 30:261;
    Knapp & Hartung 2003, Stat. Med. 22:2693; IntHout et al. 2014; Roever et al. 2015.
    """
    estimators: dict[str, Callable[[Floats, Floats], float]] = {
        "reml": _tau2_reml,
        "dl": _tau2_dl,
        "pm": _tau2_pm,
    }
    if method not in estimators:
        known = ", ".join(get_args(Method))
        hint = did_you_mean(str(method).lower(), estimators)
        raise DesignError(f"pool_random: no method {method!r} (there are {known}){hint}")
    if knapp_hartung not in (True, False, "modified"):
        raise DesignError(
            f'pool_random: knapp_hartung is {knapp_hartung!r}; it is True, False or "modified"'
        )
    return _pool(
        "pool_random", delta, se, estimators[method], random=True, knapp_hartung=knapp_hartung
    )


def _given(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _nothing() -> Combined:
    return not_estimable(Combined, "every value is missing", n_used=0)


def _pool(
    subject: str,
    delta: object,
    se: object,
    tau2_of: Callable[[Floats, Floats], float],
    *,
    random: bool,
    knapp_hartung: bool | Literal["modified"],
) -> Pooled:
    d_all, se_all = columns(subject, delta=delta, se=se)
    refuse(
        subject,
        offending(
            "delta",
            d_all,
            immense(d_all),
            f"infinite difference, or beyond {LARGEST:g}",
            "give a finite one",
        )
        + offending(
            "se",
            se_all,
            (se_all < 0) | immense(se_all),
            f"negative or infinite standard error, or beyond {LARGEST:g}",
            "give a finite standard error of 0 or more",
        ),
    )
    if not len(d_all):
        raise DesignError(f"{subject}: no repetition was given; at least one is needed")
    usable = ~np.isnan(d_all) & (se_all > 0) & ~negligible(se_all)
    there = _given(d_all)
    mean = float(there.mean()) if len(there) else math.nan
    left_out = tuple(map(int, np.flatnonzero(~usable)))
    d, v, k = d_all[usable], se_all[usable] ** 2, int(usable.sum())
    refused = partial(
        not_estimable, Pooled, mean=mean, n_used=k, left_out=left_out, sign_conflict=False
    )
    if not k:
        return refused("no repetition has a standard error above 0")

    q = _q(d, v)
    tau2 = tau2_of(d, v) if k > 1 else 0.0
    weights = 1 / (v + tau2)
    estimate = float(weights @ d / weights.sum())
    error, df = float(1 / np.sqrt(weights.sum())), math.inf
    if knapp_hartung and k > 1:
        spread = math.sqrt(weights @ _residuals(d, weights) ** 2 / ((k - 1) * weights.sum()))
        error, df = (max(error, spread) if knapp_hartung == "modified" else spread), k - 1.0
        if negligible(error, of=d):
            return refused("all differences are the same: Knapp-Hartung's SE is 0")
    if not random:
        i2 = max(0.0, 1 - (k - 1) / q) if q > 0 else 0.0
    else:
        i2 = tau2 / (tau2 + (k - 1) / _trace(1 / v)) if k > 1 else 0.0
    statistic = estimate / error
    t = math.isfinite(df)
    half = float(stdtrit(df, 0.975) if t else ndtri(0.975)) * error
    # Differences that cancel leave a mean of round-off, which has no sign.
    has_sign = not (negligible(mean, of=there) or negligible(estimate, of=there))
    return Pooled(
        estimate=estimate,
        se=error,
        statistic=statistic,
        df=df,
        p=float(2 * (stdtr(df, -abs(statistic)) if t else ndtr(-abs(statistic)))),
        ci_low=estimate - half,
        ci_high=estimate + half,
        q=q,
        q_p=float(chdtrc(k - 1, q)) if k > 1 else 1.0,
        i2=100 * i2,
        tau2=tau2,
        mean=mean,
        n_used=k,
        left_out=left_out,
        sign_conflict=has_sign and bool(np.sign(estimate) * np.sign(mean) < 0),
        estimable=True,
        reason=None,
    )


# One very precise repetition makes d - estimate and sum w - sum w^2 / sum w differences of nearly
# equal numbers; summed over pairs they keep their digits.


def _residuals(d: Floats, weights: Floats) -> Floats:
    """``d`` less its weighted mean."""
    return (d[:, None] - d) @ weights / weights.sum()


def _trace(weights: Floats) -> float:
    """Sum w - sum w^2 / sum w: the trace of the projection P."""
    pairs = np.outer(weights, weights)
    np.fill_diagonal(pairs, 0)
    return float(pairs.sum() / weights.sum())


def _q(d: Floats, v: Floats) -> float:
    """Cochran's Q = sum w (d - weighted mean)^2."""
    weights = 1 / v
    return float(weights @ (d[:, None] - d) ** 2 @ weights / weights.sum() / 2)


def _tau2_dl(d: Floats, v: Floats) -> float:
    return max(0.0, (_q(d, v) - (len(d) - 1)) / _trace(1 / v))


def _tau2_pm(d: Floats, v: Floats) -> float:
    """The tau2 at which Q equals its degrees of freedom; Q falls as tau2 rises."""
    df = len(d) - 1
    if _q(d, v) <= df:
        return 0.0
    high = float(np.var(d, ddof=1) + v.max())
    while _q(d, v + high) > df:
        high *= 2
    return _root(lambda tau2: _q(d, v + tau2) - df, 0.0, high)


def _tau2_reml(d: Floats, v: Floats) -> float:
    """The tau2 of the highest restricted likelihood, which may have several local maxima."""

    def score(tau2: float) -> float:
        weights = 1 / (v + tau2)
        return float((weights * _residuals(d, weights)) @ (weights * _residuals(d, weights))) - (
            _trace(weights)
        )

    def log_likelihood(tau2: float) -> float:
        weights = 1 / (v + tau2)
        return float(np.log(weights).sum() - np.log(weights.sum())) - _q(d, v + tau2)

    highest = 100 * float(np.var(d, ddof=1) + v.max())
    grid = [0.0, *np.geomspace(1e-6 * v.min(), highest, 300)]
    scores = [score(tau2) for tau2 in grid]
    peaks = [
        _root(score, grid[i], grid[i + 1])
        for i in range(len(grid) - 1)
        if scores[i] > 0 >= scores[i + 1]
    ]
    return max([0.0, *peaks], key=log_likelihood)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(function, low, high, xtol=1e-300, rtol=1e-14, maxiter=1000))
