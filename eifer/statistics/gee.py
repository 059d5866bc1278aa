"""Odds of a right answer between training groups, with correlated answers in clusters."""

from __future__ import annotations

import math
import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, ndtr, ndtri, stdtr, stdtrit

from eifer.errors import DesignError, InputError, Problem, did_you_mean
from eifer.inputs import Floats, labels, refuse
from eifer.statistics.estimability import negligible

Cluster = Literal["item_id", "participant_id"]
SmallSample = Literal["mancl-derouen", "kauermann-carroll"]
Ints = npt.NDArray[np.intp]

LEAST_SPREAD = 0.8
"""How small the robust standard error may be beside the one under no difference; see `_carried`.
Chosen by simulation (docs/calibration.md)."""
COLUMNS = ["coef", "se", "odds_ratio", "ci_low", "ci_high", "statistic", "df", "p"]
POWERS: Mapping[str, float] = {"mancl-derouen": 1.0, "kauermann-carroll": 0.5}
"""A cluster's residuals are multiplied by (I - H)^-power."""


@dataclass(frozen=True)
class GeeOddsRatios:
    """Odds ratios of the other groups against the reference.

    ``table`` is indexed by the other groups: coef (log odds ratio), its robust se, odds_ratio,
    ci_low and ci_high (95 %, of the odds ratio), statistic, df (infinite for z), p; a row is
    missing where its group is not estimable, and ``reasons`` says why by group. ``carriers``
    counts by group the clusters in which it is not right as often as the reference: they alone
    tell the two apart. ``alpha`` is the exchangeable correlation. ``estimable`` where every group
    is.
    """

    table: pd.DataFrame
    alpha: float
    n_rows: int
    n_clusters: int
    carriers: Mapping[Hashable, int]
    reasons: Mapping[Hashable, str]
    estimable: bool
    reason: str | None


def gee_odds_ratios(
    table: pd.DataFrame,
    cluster: Cluster = "item_id",
    reference: Hashable = "High",
    small_sample: SmallSample | None = None,
) -> GeeOddsRatios:
    """Fit correct ~ group + C(repetition) by GEE: binomial, logit, exchangeable correlation.

    The odds ratio of a group is odds(group) / odds(reference): below 1 it favours the reference
    (where a difference AUC(reference) - AUC(group) lies above 0). The scale is the mean squared
    Pearson residual (no degrees of freedom taken off), as geepack has it.

    Clusters must be independent of each other. Items of one person are not: with few test
    participants, cluster on ``participant_id`` with a small-sample correction. The robust z
    without one rejects 19-28 % of true null hypotheses at 4 participants.

    Parameters
    ----------
    table : DataFrame
        One row per item, group and repetition: training_group, repetition, correct (0 or 1), and
        the cluster. Rows may stand in any order and some may be absent; other columns are not
        read, but for item_id and participant_id, which find duplicate rows.
    cluster : {"item_id", "participant_id"}
    reference : str or number
        The training group the others are compared with.
    small_sample : {"mancl-derouen", "kauermann-carroll"}, optional
        Residuals of a cluster times (I - H_i)^-1 or (I - H_i)^-1/2, and t with clusters - 1
        degrees of freedom instead of z.

    Returns
    -------
    GeeOddsRatios
        A group that is always right or always wrong has an infinite odds ratio: it is found
        before fitting, its row is missing, and the others are estimated without its rows. A group
        whose difference from the reference sits in few clusters is not estimable either: there
        the robust standard error is far too small (`_carried`). Nothing is estimable where the
        reference or a repetition is always right or wrong, where groups and repetitions together
        tell right from wrong, where one cluster alone determines a coefficient, or without
        convergence.

    Raises
    ------
    InputError
        Missing columns or values, correct not 0 or 1, labels of several kinds, duplicate rows.
    DesignError
        The reference or any other group is absent, fewer than two repetitions, groups with
        different repetitions, an unknown cluster or correction.

    References
    ----------
    Liang & Zeger 1986, Biometrika 73:13; Mancl & DeRouen 2001, Biometrics 57:126;
    Kauermann & Carroll 2001, J. Am. Stat. Assoc. 96:1387.
    """
    _check(table, cluster, reference, small_sample)
    table = table.assign(correct=table["correct"].astype(float))
    others = sorted(set(table["training_group"]) - {reference})
    carriers = {group: _carried(table, cluster, group, reference) for group in others}
    share = table.groupby("training_group", observed=True)["correct"].mean().to_dict()
    reasons: dict[Hashable, str] = {
        group: _always(share[group], group) for group in others if share[group] in (0, 1)
    }
    blocked = _always(share[reference], reference) if share[reference] in (0, 1) else None
    kept = table[~table["training_group"].isin(list(reasons))]
    fitted = [group for group in others if group not in reasons]
    blocked = blocked or _separated(kept, fitted)
    n_clusters = kept[cluster].nunique()
    if n_clusters < 2:
        blocked = blocked or f"a single {cluster}: no variance between clusters"

    rows = pd.DataFrame(
        np.nan, index=pd.Index(others, name="training_group"), columns=COLUMNS, dtype=float
    )
    alpha = math.nan
    carried = {group: carriers[group][1] for group in fitted if carriers[group][1] is not None}
    if len(carried) < len(fitted) and blocked is None:
        fit = _fit(kept, cluster, fitted, small_sample)
        if isinstance(fit, str):
            blocked = fit
        else:
            coef, se, alpha = fit
            df = math.inf if small_sample is None else n_clusters - 1.0
            rows.loc[fitted] = _odds_ratios(coef, se, df)
            rows.loc[list(carried)] = np.nan
    if blocked is None:
        reasons |= carried
    else:
        reasons |= {group: blocked for group in others if group not in reasons}
    return GeeOddsRatios(
        table=rows,
        alpha=alpha,
        n_rows=len(kept),
        n_clusters=n_clusters,
        carriers={group: count for group, (count, _) in carriers.items()},
        reasons=reasons,
        estimable=not reasons,
        reason="; ".join(dict.fromkeys(reasons.values())) or None,
    )


def _check(
    table: pd.DataFrame, cluster: str, reference: Hashable, small_sample: str | None
) -> None:
    """Refuse what is not the design that the model describes."""
    subject = "gee_odds_ratios"
    if cluster not in get_args(Cluster):
        hint = did_you_mean(cluster, get_args(Cluster))
        raise DesignError(f"{subject}: no cluster {cluster!r}; item_id or participant_id{hint}")
    if small_sample is not None and small_sample not in POWERS:
        hint = did_you_mean(str(small_sample), POWERS)
        known = ", ".join(POWERS)
        raise DesignError(f"{subject}: no correction {small_sample!r}; None, {known}{hint}")
    needed = ["training_group", "repetition", "correct", cluster]
    refuse(
        subject,
        [
            Problem("missing column", name, "give one row per item, group and repetition")
            for name in needed
            if name not in table.columns
        ],
    )
    problems = []
    items = [name for name in ("item_id", "participant_id") if name in table.columns]
    key = ["training_group", "repetition", *items]
    for name in [*key, "correct"]:
        try:
            labels(table[name])
        except (TypeError, ValueError) as error:
            if name != "correct" or "complex" in str(error):
                remedy = "write all as text, or all as numbers"
                problems.append(Problem("values of several kinds", f"{name} ({error})", remedy))
    refuse(subject, problems)
    for name in dict.fromkeys([*needed, *items[:1]]):
        problems += _rows(table, table[name].isna(), f"missing {name}", "fill it in", key)
    unclear = ~table["correct"].isin([0, 1]) & table["correct"].notna()
    problems += _rows(table, unclear, "correct is not 0 or 1", "code wrong as 0, right as 1", key)
    if "item_id" in table.columns:
        again = table.duplicated(key)
        problems += _rows(table, again, "duplicate row", "keep one row per item and model", key)
    if problems:
        raise InputError(subject, problems)

    present = set(table["training_group"])
    if reference not in present:
        hint = did_you_mean(str(reference), map(str, present))
        raise DesignError(f"{subject}: no row has the reference group {reference!r}{hint}")
    if len(present) < 2:
        raise DesignError(f"{subject}: {reference} is the only group; there is nothing to compare")
    levels: dict[Any, list[Any]] = {
        group: sorted(set(part))
        for group, part in table.groupby("training_group", observed=True)["repetition"]
    }
    if any(part != levels[reference] for part in levels.values()):
        listed = "; ".join(f"{group}: {part}" for group, part in levels.items())
        raise DesignError(
            f"{subject}: groups have different repetitions ({listed}); compare the same ones"
        )
    if len(levels[reference]) < 2:
        raise DesignError(
            f"{subject}: one repetition ({levels[reference]}); at least two are needed"
        )


def _rows(
    table: pd.DataFrame, bad: pd.Series, what: str, remedy: str, key: Sequence[str]
) -> list[Problem]:
    """One problem for each row of ``table`` that is ``bad``, named by position and key."""
    positions = np.flatnonzero(bad.to_numpy())
    return [
        Problem(what, f"row {position} ({', '.join(map(str, values))})", remedy)
        for position, values in zip(
            positions, table.iloc[positions][list(key)].itertuples(index=False), strict=True
        )
    ]


def _always(share: float, what: Hashable) -> str:
    return f"{what} is always {'right' if share else 'wrong'}: its odds are infinite or 0"


def _carried(
    table: pd.DataFrame, cluster: str, group: Hashable, reference: Hashable
) -> tuple[int, str | None]:
    """How many clusters tell ``group`` from ``reference``, and why that is no basis, or None.

    With r_ig the right answers of group g in cluster i beyond its mean share (r_ig = y_ig - n_ig
    p_g), the robust variance of the log odds ratio is the sum over clusters of
    (r_i1 / (N_1 p_1 q_1) - r_i0 / (N_0 p_0 q_0))^2. A cluster that holds all errors has
    r_i1 / N_1 q_1 = r_i0 / N_0 q_0 near the ceiling whatever the counts: it drops out, and its 4
    errors against 2 become an odds ratio of 2 without variance. Under no difference, p = p_1 =
    p_0, its term is (r_i1 / N_1 - r_i0 / N_0) / (p q), and it stays. The square root of the ratio
    of the two sums, which is about 1 where many clusters err, must reach ``LEAST_SPREAD``.
    (Guo et al. 2005, Stat. Med. 24:3479: with few clusters the score test holds its level where
    the Wald test does not.)
    """
    pair = table[table["training_group"].isin([group, reference])]
    grouped = pair.groupby([cluster, "training_group"], observed=True)["correct"]
    answers, right = (
        frame.unstack(fill_value=0)[[group, reference]].to_numpy(dtype=float)
        for frame in (grouped.size(), grouped.sum())
    )
    total, mean = answers.sum(axis=0), right.sum(axis=0) / answers.sum(axis=0)
    carriers = right[:, 0] * answers[:, 1] != right[:, 1] * answers[:, 0]
    carriers |= (answers == 0).any(axis=1)
    if ((mean == 0) | (mean == 1)).any():
        return int(carriers.sum()), None
    beyond = (right - answers * mean) / total
    apart = beyond[:, 0] - beyond[:, 1]
    if negligible(apart).all():
        same = "differ by as much" if carriers.any() else "are right equally often"
        return int(carriers.sum()), (
            f"{group} and {reference} {same} in every {cluster}: nothing varies between them"
        )
    if carriers.sum() == 1:
        return 1, f"only one {cluster} tells {group} from {reference}"
    pooled = right.sum() / total.sum()
    of_odds = beyond / (mean * (1 - mean))
    under_none = apart / (pooled * (1 - pooled))
    spread = float(np.linalg.norm(of_odds[:, 0] - of_odds[:, 1]) / np.linalg.norm(under_none))
    if spread >= LEAST_SPREAD:
        return int(carriers.sum()), None
    rarer, word = (answers - right, "wrong") if pooled > 0.5 else (right, "right")
    held = rarer.sum(axis=1)
    as_if = held.sum() ** 2 / (held**2).sum()
    return int(carriers.sum()), (
        f"{word} answers of {group} and {reference} sit in too few {cluster}s (as if in "
        f"{as_if:.1f} of {len(held)}): the robust standard error is {spread:.2f} of its size under "
        "no difference"
    )


def _design(table: pd.DataFrame, others: Sequence[str]) -> Floats:
    """Intercept, one column for each other group, one for each repetition but the first."""
    group, repetition = table["training_group"].to_numpy(), table["repetition"].to_numpy()
    levels = sorted(set(repetition))
    columns = [group == other for other in others] + [repetition == level for level in levels[1:]]
    return np.column_stack([np.ones(len(table)), *columns]).astype(float)


def _separated(table: pd.DataFrame, others: Sequence[str]) -> str | None:
    """Why no finite fit exists though every group errs and is right, or None.

    Albert & Anderson 1984: there is none where some combination of the coefficients never
    lowers a right answer's odds nor raises a wrong one's, and changes at least one.
    """
    repetitions = table.groupby("repetition", observed=True)["correct"].mean()
    for level, share in repetitions.items():
        if share in (0, 1):
            return _always(share, f"repetition {level}")
    keys = ["training_group", "repetition"]
    cells = table.groupby(keys, observed=True)["correct"].mean().reset_index()
    share = cells["correct"].to_numpy()
    pure = (share == 0) | (share == 1)
    if not pure.any():
        return None
    from scipy.optimize import linprog

    design = _design(cells, others)
    signed = np.where(share == 1, 1, -1)[pure, None] * design[pure]
    solution = linprog(
        -signed.sum(axis=0),
        A_ub=-signed,
        b_ub=np.zeros(len(signed)),
        A_eq=design[~pure] if not pure.all() else None,
        b_eq=np.zeros((~pure).sum()) if not pure.all() else None,
        bounds=(-1, 1),
    )
    if solution.status == 0 and -solution.fun < 1e-9:
        return None
    return "groups and repetitions together tell right from wrong: some odds are infinite or 0"


def _fit(
    table: pd.DataFrame, cluster: str, others: Sequence[str], small_sample: str | None
) -> tuple[Floats, Floats, float] | str:
    """Coefficients and SE of ``others``, and the correlation; or why there are none."""
    import statsmodels.api as sm

    codes, _ = pd.factorize(table[cluster])
    design = _design(table, others)
    correct = table["correct"].to_numpy()
    model = sm.GEE(
        correct,
        design,
        groups=codes,
        family=sm.families.Binomial(),
        cov_struct=sm.cov_struct.Exchangeable(),
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # What they warn of (no convergence, a singular matrix) is checked below.
        warnings.simplefilter("ignore")
        # ddof_scale=0: the default takes off the parameters and is .5 % off in alpha.
        # ctol: 1e-12 may never be reached.
        result = model.fit(ddof_scale=0, ctol=1e-10, maxiter=200)
    if result is None or not result.converged:
        return "the fit did not converge"
    alpha = float(model.cov_struct.dep_params)
    coef = np.asarray(result.params, dtype=float)
    if not np.isfinite([alpha, *coef]).all():
        return "the correlation within clusters cannot be estimated"
    alone = "a cluster alone determines a coefficient: no robust standard error"
    if any(len(set(codes[column != 0])) == 1 for column in design.T):
        return alone
    largest = int(np.bincount(codes).max())
    if not -1 / max(1, largest - 1) < alpha < 1:
        return f"{alpha:.3g} as the correlation within clusters: {largest} answers cannot have it"
    power = POWERS[small_sample] if small_sample is not None else 0.0
    mean = expit(design @ coef)
    if not ((mean > 0) & (mean < 1)).all():
        # Without separation no finite fit has such a probability: the iterations ran away.
        return "the fit did not converge"
    covariance = sandwich(design, correct, mean, codes, alpha=alpha, power=power)
    if covariance is None:
        return alone
    here = slice(1, 1 + len(others))
    return coef[here], np.sqrt(np.diag(covariance))[here], alpha


def sandwich(
    design: Floats, correct: Floats, mean: Floats, cluster: Ints, *, alpha: float, power: float
) -> Floats | None:
    """The robust covariance of the coefficients of a logit GEE, exchangeable within clusters.

    With S_i = D_i' V_i^-1 D_i, s_i = D_i' V_i^-1 (y_i - mu_i), M = (sum S_i)^-1 it is
    M (sum u_i u_i') M, where u_i = (I - S_i M)^-power s_i: the residuals times (I - H_i)^-power
    with H_i = D_i M D_i' V_i^-1, pushed through to p x p matrices, so that a cluster may have any
    number of rows. Power 0 is the plain robust one, 1 Mancl-DeRouen, 1/2 Kauermann-Carroll.

    Parameters
    ----------
    design : ndarray, shape (rows, coefficients)
    correct, mean : ndarray, shape (rows,)
        Outcomes 0 or 1, and their fitted probabilities.
    cluster : ndarray of int, shape (rows,)
        The cluster of each row, numbered from 0.
    alpha : float
        Correlation within a cluster.
    power : float

    Returns
    -------
    ndarray, shape (coefficients, coefficients), or None where one cluster alone determines a
    coefficient (I - H_i is singular).
    """
    order = np.argsort(cluster, kind="stable")
    sizes = np.bincount(cluster)
    starts = np.cumsum(sizes) - sizes
    spread = np.sqrt(mean * (1 - mean))[order]
    x = design[order] * spread[:, None]
    r = (correct - mean)[order] / spread
    # The inverse of an exchangeable correlation: (I - shrink 11') / (1 - alpha).
    shrink = alpha / (1 + (sizes - 1) * alpha)
    sums, rest = np.add.reduceat(x, starts), np.add.reduceat(r, starts)
    information = np.add.reduceat(x[:, :, None] * x[:, None, :], starts)
    information -= shrink[:, None, None] * sums[:, :, None] * sums[:, None, :]
    score = np.add.reduceat(x * r[:, None], starts) - shrink[:, None] * sums * rest[:, None]
    information, score = information / (1 - alpha), score / (1 - alpha)
    # Symmetric form: with M = L L', M (I - S M)^-power = L (I - L' S L)^-power L'.
    root = np.linalg.cholesky(np.linalg.inv(information.sum(axis=0)))
    leverage, vectors = np.linalg.eigh(root.T @ information @ root)
    # That cluster's residuals are 0 in one direction whatever the truth: a standard error near 0.
    if leverage.max() > 1 - 1e-10:
        return None
    turned = np.einsum("kij,ki->kj", vectors, score @ root) * (1 - leverage) ** -power
    moved = np.einsum("kij,kj->ki", vectors, turned) @ root.T
    return moved.T @ moved


def _odds_ratios(coef: Floats, se: Floats, df: float) -> Floats:
    """The rows of the table, in the order of `COLUMNS`."""
    t = math.isfinite(df)
    statistic = coef / se
    half = float(stdtrit(df, 0.975) if t else ndtri(0.975)) * se
    p = 2 * (stdtr(df, -abs(statistic)) if t else ndtr(-abs(statistic)))
    every_df = np.full(len(coef), df)
    return np.column_stack(
        [coef, se, np.exp(coef), np.exp(coef - half), np.exp(coef + half), statistic, every_df, p]
    )
