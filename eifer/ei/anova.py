"""Does the pattern over emotions differ between EI groups? Two-way ANOVAs, exactly.

Two models of the same table. *Between* is the published one: every recording
counts as independent, Type III sums of squares with sum-to-zero contrasts.
*Mixed* takes participants as repeated measures, so that lasting differences
between people are no longer part of the error.

A design that cannot answer is never given a number: with an empty cell the
usual software only warns, and then "finds" an interaction in pure noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from eifer.errors import DesignError, examples
from eifer.inputs import LARGEST, immense, numbers
from eifer.inputs import labels as read_labels

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]
Labels = Sequence[object] | npt.NDArray[Any] | pd.Series | pd.Index
"""One label a row."""

PERFECT = 1e-12
"""A residual sum of squares below this share of the whole is round-off: F would be noise over
noise."""
LAST_DIGITS = 1e-28
"""So is one below this share of |y|^2: a value's last digits, a few 1e-16 of it, squared."""

TERMS = ("group", "emotion", "interaction")


@dataclass(frozen=True)
class Factor:
    """A factor's levels, and which of them each row (or participant) has."""

    levels: tuple[str, ...]
    codes: Ints


@dataclass(frozen=True)
class Anova:
    """A two-way Type III ANOVA.

    ``table`` is indexed by group, emotion, interaction, residual with columns
    sum_sq, df, f, p; all are missing where the model is not estimable, and
    ``reason`` says why. ``n_used`` counts the rows that hold a value.
    """

    table: pd.DataFrame
    estimable: bool
    reason: str | None
    n_used: int


@dataclass(frozen=True)
class MixedInteraction:
    """The group x emotion interaction with participants as repeated measures.

    ``p`` assumes sphericity; ``p_gg`` is p with both degrees of freedom times the
    Greenhouse-Geisser ``epsilon`` (1/(b-1) to 1). ``left_out`` names the participants
    without a value in every emotion.
    """

    sum_sq: float
    error_sum_sq: float
    f: float
    df1: float
    df2: float
    p: float
    epsilon: float
    p_gg: float
    n_participants: int
    left_out: tuple[str, ...]
    estimable: bool
    reason: str | None


@dataclass(frozen=True)
class Interactions:
    """The interaction test of several variables at once, one entry a variable.

    Numbers are NaN, and ``reason`` is not None, where a variable is not estimable.
    """

    sum_sq: Floats
    error_sum_sq: Floats
    df1: Floats
    df2: Floats
    f: Floats
    p: Floats
    reason: tuple[str | None, ...]


def type3(values: npt.ArrayLike, group: Labels, emotion: Labels) -> Anova:
    """Two-way ANOVA with interaction, Type III, sum-to-zero contrasts.

    Parameters
    ----------
    values : array of shape (n,)
        The variable; rows where it is missing (NaN) are not used.
    group, emotion : sequences of length n
        The factors. Their levels are those of all rows, so that a level left
        without any value is an empty cell, not a smaller design.

    Returns
    -------
    Anova
        Not estimable with an empty cell, one level only, no residual degrees of freedom,
        or a constant or perfectly fitted variable (its residual is `round_off`).

    Raises
    ------
    DesignError
        If lengths differ, a factor is missing, or a value is infinite or no number.

    Notes
    -----
    SS of a term = |Q_t' y|^2, where Q_t are the columns that a QR of the sum-coded design
    adds for the term when it comes last (Fox 2016, section 8.2; equals R's ``car::Anova(type=3)``).
    """
    y = matrix(values)
    if y.shape[1] != 1:
        raise DesignError(f"type3 takes one variable, got {y.shape[1]}: call it for each")
    g, e = factor("group", group, len(y)), factor("emotion", emotion, len(y))
    used = ~np.isnan(y[:, 0])
    y, g_codes, e_codes = y[used], g.codes[used], e.codes[used]
    reason = _no_design(g_codes, e_codes, g, e)
    sum_sq, df = np.full(4, np.nan), np.full(4, np.nan)
    if reason is None:
        blocks = _blocks(g_codes, e_codes, len(g.levels), len(e.levels))
        pairs = [_project(y, blocks, term) for term in (1, 2, 3)]
        residual = pairs[-1][1]
        reason = _no_error(y, residual, round_off(y, y - y.mean(axis=0)))[0]
    if reason is None:
        sum_sq[:] = [*(ss[0] for ss, _ in pairs), residual[0]]
        df[:3] = [block.shape[1] for block in blocks[1:]]
        df[3] = len(y) - len(g.levels) * len(e.levels)
    f = np.append((sum_sq[:3] / df[:3]) / (sum_sq[3] / df[3]), np.nan)
    table = pd.DataFrame(
        {"sum_sq": sum_sq, "df": df, "f": f, "p": special.fdtrc(df, df[3], f)},
        index=pd.Index([*TERMS, "residual"], name="term"),
    )
    return Anova(table, reason is None, reason, int(used.sum()))


def interactions(y: Floats, g: Factor, e: Factor) -> Interactions:
    """Test the interaction as `type3` does, for every column of ``y``.

    One QR for all variables that are missing in the same rows.

    Parameters
    ----------
    y : array of shape (n, variables)
        From `matrix`.
    g, e : factors of n rows
        Group and emotion.
    """
    n_variables = y.shape[1]
    sum_sq, error, df2 = (np.full(n_variables, np.nan) for _ in range(3))
    reasons = np.full(n_variables, None)
    patterns, which = np.unique(~np.isnan(y), axis=1, return_inverse=True)
    for pattern, used in enumerate(patterns.T):
        columns = np.flatnonzero(which == pattern)
        block, g_codes, e_codes = y[np.ix_(used, columns)], g.codes[used], e.codes[used]
        why = _no_design(g_codes, e_codes, g, e)
        reasons[columns] = why
        if why is not None:
            continue
        blocks = _blocks(g_codes, e_codes, len(g.levels), len(e.levels))
        sum_sq[columns], error[columns] = _project(block, blocks, 3)
        df2[columns] = len(block) - len(g.levels) * len(e.levels)
        limits = round_off(block, block - block.mean(axis=0))
        reasons[columns] = _no_error(block, error[columns], limits)
    df1 = (len(g.levels) - 1) * (len(e.levels) - 1)
    return _judged(sum_sq, error, df1, df2, reasons)


def mixed_interaction(
    values: npt.ArrayLike,
    participant: Labels,
    group: Labels,
    emotion: Labels,
) -> MixedInteraction:
    """Group x emotion in a split-plot design: groups between, emotions within participants.

    Parameters
    ----------
    values : array of shape (n,)
        The variable, NaN where missing.
    participant, group, emotion : sequences of length n
        At most one row for each participant and emotion; one group a participant.
        Participants without a value in every emotion are left out, and named.

    Returns
    -------
    MixedInteraction
        Not estimable with fewer than two groups or emotions among complete participants,
        no residual degrees of freedom, or a perfect fit.

    Raises
    ------
    DesignError
        If a participant has two rows in one emotion or two groups, lengths differ, a
        factor is missing, or a value is infinite or no number.

    Notes
    -----
    With orthonormal contrasts z of each person's profile (which centre the person),
    SS_GE = sum_g n_g |zbar_g - zbar|^2 and SS_err = sum |z - zbar_g|^2 on (a-1)(b-1) and
    (b-1)(N-a) degrees of freedom. epsilon = tr(S)^2 / ((b-1) tr(S^2)), S the pooled covariance
    of z within groups (Greenhouse & Geisser 1959; Box 1954). Equals ``car::Anova`` on the
    multivariate model, univariate, Type III.
    """
    y = matrix(values)
    who = factor("participant", participant, len(y))
    g = factor("group", group, len(y))
    of_person = pd.DataFrame({"who": who.codes, "group": g.codes}).drop_duplicates()
    twice = of_person.loc[of_person["who"].duplicated(), "who"].unique()
    if len(twice):
        named = examples([who.levels[code] for code in twice])
        raise DesignError(
            f"{len(twice)} of {len(who.levels)} participants are in two groups ({named}): "
            "a participant belongs to one group"
        )
    profiles = to_profiles(y, participant, emotion)
    of_person = of_person.sort_values("who")
    complete = ~np.isnan(profiles[:, :, 0]).any(axis=1)
    tests, epsilon = split_plot(
        profiles, Factor(g.levels, of_person["group"].to_numpy(dtype=np.intp))
    )
    df1, df2 = tests.df1[0] * epsilon[0], tests.df2[0] * epsilon[0]
    return MixedInteraction(
        sum_sq=float(tests.sum_sq[0]),
        error_sum_sq=float(tests.error_sum_sq[0]),
        f=float(tests.f[0]),
        df1=float(tests.df1[0]),
        df2=float(tests.df2[0]),
        p=float(tests.p[0]),
        epsilon=float(epsilon[0]),
        p_gg=float(special.fdtrc(df1, df2, tests.f[0])),
        n_participants=int(complete.sum()),
        left_out=tuple(str(who.levels[code]) for code in np.flatnonzero(~complete)),
        estimable=tests.reason[0] is None,
        reason=tests.reason[0],
    )


def split_plot(profiles: Floats, g: Factor) -> tuple[Interactions, Floats]:
    """Test the mixed interaction of several variables, with Greenhouse-Geisser epsilons.

    Parameters
    ----------
    profiles : array of shape (participants, emotions, variables)
        From `to_profiles`; a participant counts for the variables known in every emotion.
    g : factor of the participants
        Their groups.
    """
    n_people, b, n_variables = profiles.shape
    a = len(g.levels)
    contrasts = within_person(profiles)
    sum_sq, error, df2, epsilon = (np.full(n_variables, np.nan) for _ in range(4))
    reasons = np.full(n_variables, None)
    patterns, which = np.unique(~np.isnan(profiles).any(axis=1), axis=1, return_inverse=True)
    for pattern, used in enumerate(patterns.T):
        columns = np.flatnonzero(which == pattern)
        why = _no_split_plot(g.codes[used], g.levels, n_people, b)
        reasons[columns] = why
        if why is not None:
            continue
        z = contrasts[used][:, :, columns]
        dummies = np.eye(a)[g.codes[used]]
        sizes = dummies.sum(axis=0)
        means = np.einsum("pg,pcv->gcv", dummies, z) / sizes[:, None, None]
        residual = z - means[g.codes[used]]
        sum_sq[columns] = np.einsum("g,gcv->v", sizes, (means - z.mean(axis=0)) ** 2)
        error[columns] = (residual**2).sum(axis=(0, 1))
        df2[columns] = (b - 1) * (len(z) - a)
        known = profiles[used][:, :, columns].reshape(-1, len(columns))
        limits = round_off(known, z.reshape(-1, len(columns)))
        reasons[columns] = _no_error(known, error[columns], limits)
        # The scale of the covariance cancels in epsilon.
        covariance = np.einsum("pcv,pdv->vcd", residual, residual)
        with np.errstate(invalid="ignore"):
            epsilon[columns] = np.trace(covariance, axis1=1, axis2=2) ** 2 / (
                (b - 1) * (covariance**2).sum(axis=(1, 2))
            )
    epsilon[pd.notna(reasons)] = np.nan
    return _judged(sum_sq, error, (a - 1) * (b - 1), df2, reasons), epsilon


def to_profiles(values: Floats, participant: Labels, emotion: Labels) -> Floats:
    """Rows as an array (participants, emotions, variables), both sorted by name; NaN where no row.

    Raises
    ------
    DesignError
        If a participant has more than one row in an emotion.
    """
    who = factor("participant", participant, len(values))
    e = factor("emotion", emotion, len(values))
    cells = pd.DataFrame({"who": who.codes, "emotion": e.codes})
    again = cells[cells.duplicated()].drop_duplicates()
    if len(again):
        named = [
            f"{who.levels[person]} {e.levels[level]}"
            for person, level in again.itertuples(index=False)
        ]
        raise DesignError(
            f"{len(named)} participant x emotion cells hold more than one row "
            f"({examples(named)}): repeated measures need one value for each; "
            "take the stimulus domain as the emotion, or average them first"
        )
    profiles = np.full((len(who.levels), len(e.levels), values.shape[1]), np.nan)
    profiles[who.codes, e.codes] = values
    return profiles


def within_person(profiles: Floats) -> Floats:
    """Orthonormal contrasts between emotions, shape (people, emotions - 1, variables).

    They hold everything about a person's profile but its mean; NaN where a value is missing.
    """
    levels = profiles.shape[1]
    basis = np.linalg.qr(_sum_coded(np.arange(levels), levels))[0]
    # Centred before they are combined, or a large mean would leave its round-off.
    return np.einsum("pev,ec->pcv", profiles - profiles.mean(axis=1, keepdims=True), basis)


def round_off(values: Floats, centred: Floats) -> Floats:
    """The sum of squares of each column of ``values`` that is only arithmetic.

    ``centred`` are the values without the means that the model takes off anyhow: a large mean
    costs the last digits of a small spread, not the spread. Missing values count for nothing.
    """
    axes = tuple(range(values.ndim - 1))
    whole, spread = (np.nansum(part**2, axis=axes) for part in (values, centred))
    limits: Floats = PERFECT * spread + LAST_DIGITS * whole
    return limits


def matrix(values: npt.ArrayLike) -> Floats:
    """``values`` as a float matrix of shape (rows, variables), missing as NaN.

    Raises
    ------
    DesignError
        If they are no table of numbers, or a value is infinite or too large to be squared.
    """
    try:
        if isinstance(values, pd.DataFrame):
            columns = [numbers(values.iloc[:, place]) for place in range(values.shape[1])]
            y = np.column_stack([np.empty((len(values), 0)), *columns])
        else:
            y = numbers(values)
            y = y[:, None] if y.ndim == 1 else y
        if y.ndim != 2:
            raise ValueError(f"an array of {y.ndim} dimensions")
    except (TypeError, ValueError, OverflowError) as error:
        raise DesignError(
            f"the variables are no table of numbers ({error}): give a column a variable"
        ) from None
    names = getattr(values, "columns", range(y.shape[1]))
    infinite = immense(y)
    if infinite.any():
        places = [f"row {row} of {names[col]}" for row, col in np.argwhere(infinite)]
        raise DesignError(
            f"{len(places)} values are infinite or beyond {LARGEST:g} ({examples(places)}): "
            "make them missing where the variable could not be computed"
        )
    return y


def factor(name: str, labels: Labels, n: int) -> Factor:
    """Read ``n`` labels as a factor, its levels in order of their text.

    Raises
    ------
    DesignError
        If there are not ``n`` of them, some are missing, or they are of several kinds.
    """
    try:
        series = read_labels(labels).astype(object)
    except (TypeError, ValueError) as error:
        raise DesignError(f"{name} is no list of labels of one kind ({error})") from None
    if len(series) != n:
        raise DesignError(f"{name} has {len(series)} entries for {n} rows of values")
    missing = np.flatnonzero(series.isna())
    if len(missing):
        raise DesignError(
            f"{len(missing)} of {n} rows have no {name} (rows {examples(missing.tolist())}): "
            f"leave these rows out, or give their {name}"
        )
    codes, levels = pd.factorize(series.map(str), sort=True)
    return Factor(tuple(map(str, levels)), codes.astype(np.intp))


def _sum_coded(codes: Ints, levels: int) -> Floats:
    coded: Floats = np.vstack([np.eye(levels - 1), -np.ones(levels - 1)])[codes]
    return coded


def _blocks(g: Ints, e: Ints, a: int, b: int) -> list[Floats]:
    group, emotion = _sum_coded(g, a), _sum_coded(e, b)
    both = (group[:, :, None] * emotion[:, None, :]).reshape(len(g), -1)
    return [np.ones((len(g), 1)), group, emotion, both]


def _project(y: Floats, blocks: list[Floats], term: int) -> tuple[Floats, Floats]:
    """Sum of squares of a term entered last, and of the residual, for each column of y."""
    # The intercept is in every model, so centring changes nothing but the round-off.
    centred = y - y.mean(axis=0)
    order = [block for i, block in enumerate(blocks) if i != term]
    q = np.linalg.qr(np.hstack([*order, blocks[term]]))[0]
    effects = q.T @ centred
    residual = centred - q @ effects
    last = effects[-blocks[term].shape[1] :]
    return (last**2).sum(axis=0), (residual**2).sum(axis=0)


def _no_design(g_codes: Ints, e_codes: Ints, g: Factor, e: Factor) -> str | None:
    """Why no variable with values in these rows can be analysed, or None."""
    for name, factor in (("group", g), ("emotion", e)):
        if len(factor.levels) < 2:
            return f"only one {name} ({''.join(factor.levels) or 'none'})"
    a, b = len(g.levels), len(e.levels)
    counts = np.bincount(g_codes * b + e_codes, minlength=a * b)
    empty = [
        f"{g.levels[cell // b]} x {e.levels[cell % b]}" for cell in np.flatnonzero(counts == 0)
    ]
    if empty:
        return f"{len(empty)} of {a * b} cells empty ({examples(empty)})"
    if len(g_codes) <= a * b:
        return f"{len(g_codes)} values for {a * b} cells leave no residual"
    return None


def _no_split_plot(codes: Ints, groups: Sequence[str], n_people: int, b: int) -> str | None:
    if len(groups) < 2:
        return f"only one group ({''.join(groups) or 'none'})"
    if b < 2:
        return "only one emotion"
    empty = [group for code, group in enumerate(groups) if code not in codes]
    complete = f"{len(codes)} of {n_people} participants have a value in all {b} emotions"
    if empty:
        return f"{complete}, none of them in group {examples(empty)}"
    if len(codes) <= len(groups):
        return f"{complete}: no residual for {len(groups)} groups"
    return None


def _no_error(y: Floats, residual: Floats, limits: Floats) -> list[str | None]:
    """For each column why its residual is no measure of error, or None."""
    perfect = residual <= limits
    constant = ((y - y.mean(axis=0)) ** 2).sum(axis=0) <= LAST_DIGITS * (y**2).sum(axis=0)
    return [
        None if not bad else "constant" if same else "fitted perfectly: the residual is round-off"
        for bad, same in zip(perfect, constant, strict=True)
    ]


def _judged(
    sum_sq: Floats, error: Floats, df1: int, df2: Floats, reasons: npt.NDArray[np.object_]
) -> Interactions:
    unknown = pd.notna(reasons)
    sum_sq, error, df2 = (np.where(unknown, np.nan, part) for part in (sum_sq, error, df2))
    df = np.where(unknown, np.nan, float(df1))
    f = (sum_sq / df) / (error / df2)
    return Interactions(sum_sq, error, df, df2, f, special.fdtrc(df, df2, f), tuple(reasons))
