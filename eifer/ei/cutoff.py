"""Where to cut EI scores into High and Low: the scan, the choice, and what the choice is worth.

At every cutoff each HRV variable is asked whether its pattern over emotions
differs between the groups, and the cutoff with most such variables (among those
that keep the groups balanced) is chosen. Choosing the largest of many counts and
then believing it is double dipping: pure noise has a "best" cutoff too. So the
count is compared with the largest count of the same scan when EI scores are
dealt out at random (the max-statistic).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from annotated_types import Ge, Gt, Le
from scipy import special

from eifer.ei.anova import (
    Bools,
    Factor,
    Floats,
    Interactions,
    Ints,
    Labels,
    factor,
    interactions,
    matrix,
    round_off,
    split_plot,
    to_profiles,
    within_person,
)
from eifer.errors import DesignError, did_you_mean, examples
from eifer.inputs import numbers
from eifer.ranges import LARGE, Count, Part, Share
from eifer.seeding import generator
from eifer.tables.attrition import ATTRITION, left_out
from eifer.tables.ei import CUTOFF_SCAN, CUTOFF_TESTS
from eifer.vocabulary import Group

Model = Literal["between", "mixed"]

HIGHEST_SCORE = 1200
Score = Annotated[int, Ge(0), Le(HIGHEST_SCORE)]
BATCH = 2_000_000
"""Numbers held per array while permutations are tested: bounds memory, not results."""


@dataclass(frozen=True)
class Scan:
    """A scan over cutoffs.

    ``table`` is CUTOFF_SCAN, ``tests`` CUTOFF_TESTS; ``cutoff`` the one chosen and
    ``n_significant`` its count. ``p`` = (1 + #{max* >= n_significant}) / (1 + permutations),
    None without permutations; ``maxima`` are the max*, in the order drawn. ``attrition``
    lists participants the tests could not use.
    """

    model: Model
    table: pd.DataFrame
    tests: pd.DataFrame
    cutoff: int
    n_significant: int
    p: float | None
    maxima: npt.NDArray[np.int64]
    attrition: pd.DataFrame

    @property
    def by_chance(self) -> str:
        """How often a scan finds as much without anything to find, in words."""
        if self.p is None:
            return "no EI scores were permuted, so that the count of chance is unknown"
        return f"scans of permuted EI scores found as many with p = {self.p:.3f}"


@dataclass(frozen=True)
class ScanSpec:
    """The study's choices about its scan; see `scan`. Cutoffs are low, low + step ... high.

    ``copies_from`` is not the scan's: from this Spearman correlation over participants (without its
    sign) HRV variables are near copies of each other, which `eifer.ei.alternatives` counts once.
    """

    low: Score
    high: Score
    step: Count
    model: Model
    alpha: Part
    max_imbalance_share: Share
    permutations: Annotated[int, Ge(0), Le(LARGE)]
    copies_from: Annotated[float, Gt(0), Le(1)]

    def __post_init__(self) -> None:
        """Refuse a scan that ends before it begins."""
        if self.low > self.high:
            raise ValueError(f"cutoffs {self.low} to {self.high}: give the lower end first")


def scan_hrv(
    hrv: pd.DataFrame, videos: pd.DataFrame, scores: pd.DataFrame, spec: ScanSpec, *, seed: int
) -> Scan:
    """Scan the table HRV: emotion is the domain of each recording's stimulus, from VIDEOS.

    Raises
    ------
    DesignError
        As `scan` does.
    """
    values = observations(hrv.merge(videos[["video_id", "domain"]], on="video_id"))
    level = values.index.get_level_values
    return scan(
        values,
        level("participant_id").tolist(),
        level("domain").tolist(),
        scores.set_index("participant_id")["ei_score"],
        cutoffs=range(spec.low, spec.high + 1, spec.step),
        model=spec.model,
        alpha=spec.alpha,
        max_imbalance_share=spec.max_imbalance_share,
        permutations=spec.permutations,
        seed=seed,
    )


def observations(hrv: pd.DataFrame) -> pd.DataFrame:
    """Turn the long HRV table into a matrix: a recording a row, a variable a column.

    The index holds participant_id, video_id and domain; values that could not be
    computed are missing.
    """
    return hrv.pivot(
        index=["participant_id", "video_id", "domain"], columns="variable", values="value"
    )


def scan(
    values: npt.ArrayLike,
    participant: Labels,
    emotion: Labels,
    scores: Mapping[str, float] | pd.Series,
    *,
    cutoffs: Sequence[int],
    model: Model,
    alpha: float,
    max_imbalance_share: float,
    permutations: int,
    seed: int,
) -> Scan:
    """Test every variable at every cutoff, choose a cutoff, and say what chance would have found.

    Parameters
    ----------
    values : frame or array of shape (recordings, variables)
        HRV variables, NaN where missing (in differing rows, if need be).
    participant, emotion : sequences of length recordings
        Whose recording it is, and the domain it was to elicit.
    scores : mapping of participant to EI score
        High means score > cutoff. Everybody in it is assigned and counts for the balance,
        with recordings or without.
    cutoffs : sequence of int
        Candidate cutoffs.
    model : {"between", "mixed"}
        ``between``: the published two-way Type III ANOVA over recordings. ``mixed``:
        participants as repeated measures (p assuming sphericity; the permutation p
        does not lean on it).
    alpha : float
        A variable counts where its interaction has p < alpha.
    max_imbalance_share : float
        A cutoff is acceptable while both groups have members and |n_high - n_low| is at most
        this share of all participants.
    permutations : int
        How often EI scores are permuted over participants.
    seed : int
        The study's seed.

    Returns
    -------
    Scan
        The choice is the largest count among acceptable cutoffs with an estimable variable;
        ties: smaller imbalance, then lower cutoff.

    Raises
    ------
    DesignError
        If no cutoff is acceptable, no variable is estimable at those that are, somebody with
        recordings has no score, or an argument is out of its range.

    Notes
    -----
    Cutoffs with the same split share one fit. Under a permutation only cell counts and sums
    matter (see `_Between.count`), so all of them are a few matrix products.
    """
    _check(cutoffs, model, alpha, max_imbalance_share, permutations)
    y = matrix(values)
    who = factor("participant", participant, len(y))
    participant = [who.levels[code] for code in who.codes]
    names = list(map(str, getattr(values, "columns", range(y.shape[1]))))
    _refuse_twice("variable", names)
    people, score = _scored(scores, participant)
    steps = np.unique(np.asarray(cutoffs, dtype=np.int64))
    kind: type[_Between | _Mixed] = _Between if model == "between" else _Mixed
    tester = kind(y, np.asarray(participant, dtype=str), emotion, people)

    # Two cutoffs between which nobody's score lies split alike.
    n_high = (score > steps[:, None]).sum(axis=1)
    _, first, which = np.unique(n_high, return_index=True, return_inverse=True)
    fits = [tester.exact(score > steps[place]) for place in first]
    tests = _tests_table(steps, [fits[place] for place in which], names)
    significant = (tests["p"] < alpha).to_numpy().reshape(len(steps), -1)
    estimable = tests["estimable"].to_numpy().reshape(len(steps), -1)
    table = pd.DataFrame(
        {
            "cutoff": steps,
            "n_high": n_high,
            "n_low": len(people) - n_high,
            "imbalance": np.abs(2 * n_high - len(people)),
            "n_significant": significant.sum(axis=1),
            "n_estimable": estimable.sum(axis=1),
        }
    )
    # The margin is for shares such as .29, whose product with 100 is 28.999...
    within = table["imbalance"] <= max_imbalance_share * len(people) + 1e-9
    table["acceptable"] = within & (table["n_high"] > 0) & (table["n_low"] > 0)
    chosen = _choose(table, tests, score, max_imbalance_share)
    table["chosen"] = table.index == chosen
    count = int(table["n_significant"].iloc[chosen])

    _, one_each = np.unique(n_high[table["acceptable"]], return_index=True)
    candidates = steps[table["acceptable"]][one_each]
    maxima = _null_maxima(
        tester, score, candidates, alpha=alpha, permutations=permutations, seed=seed
    )
    return Scan(
        model=model,
        table=CUTOFF_SCAN.conform(table),
        tests=CUTOFF_TESTS.conform(tests),
        cutoff=int(steps[chosen]),
        n_significant=count,
        p=float((1 + (maxima >= count).sum()) / (1 + permutations)) if permutations else None,
        maxima=maxima,
        attrition=ATTRITION.frame(list(_left_out(tester, people, names, participant))),
    )


class _Tester(Protocol):
    """A model of the same recordings under any assignment of participants to groups."""

    width: int
    """Numbers held for each split while counting."""

    def exact(self, high: Bools) -> Interactions:
        """Test every variable under one split, with every digit."""

    def count(self, high: Floats, alpha: float) -> Ints:
        """Count the variables with p < alpha under each split, a row of 0 and 1."""

    def unused(self) -> Ints:
        """Count the values of each participant and variable that the model leaves out."""


class _Between:
    """The published model: recordings as independent, Type III."""

    def __init__(
        self,
        y: Floats,
        participant: npt.NDArray[np.str_],
        emotion: Labels,
        people: npt.NDArray[np.str_],
    ) -> None:
        self.y, self.emotion = y, factor("emotion", emotion, len(y))
        self.who = np.searchsorted(people, participant)
        self.n_people, self.n_variables = len(people), y.shape[1]
        self.n_levels, codes = len(self.emotion.levels), self.emotion.codes
        self.width = self.n_levels * self.n_variables
        known = ~np.isnan(y)
        with np.errstate(invalid="ignore"):
            self.round_off = round_off(y, y - np.nansum(y, axis=0) / known.sum(axis=0))
        self.counts = self._by_cell(known.astype(float), codes)
        self.n = self.counts.sum(axis=0)
        with np.errstate(invalid="ignore"):
            means = self._by_cell(np.where(known, y, 0.0), codes).sum(axis=0) / self.n
        # Emotion means leave interaction and residual alone, and their removal leaves digits.
        centred = np.where(known, y - means[codes], 0.0)
        self.sums = self._by_cell(centred, codes)
        self.total = (centred**2).sum(axis=0)

    def _by_cell(self, y: Floats, codes: Ints) -> Floats:
        cells = np.zeros((self.n_people, self.n_levels, y.shape[1]))
        np.add.at(cells, (self.who, codes), y)
        return cells

    def exact(self, high: Bools) -> Interactions:
        return interactions(self.y, _sides(high[self.who]), self.emotion)

    def count(self, high: Floats, alpha: float) -> Ints:
        """Count by closed form.

        With two groups the model is saturated in cells. d_e = mean High - mean Low has
        variance 1/w_e, w_e = n_H n_L / (n_H + n_L), so the Type III interaction is the
        spread of d: sum w d^2 - (sum w d)^2 / sum w. With emotion means removed,
        w d = s, the sum over High, and RSS = total - sum s^2 / w.
        """
        shape = (len(high), self.n_levels, self.n_variables)
        s = (high @ self.sums.reshape(self.n_people, -1)).reshape(shape)
        n_high = (high @ self.counts.reshape(self.n_people, -1)).reshape(shape)
        df1 = self.n_levels - 1
        df2 = self.n.sum(axis=0) - 2 * self.n_levels
        # An empty cell makes w zero and what follows NaN or infinite, which counts for nothing.
        with np.errstate(divide="ignore", invalid="ignore"):
            w = n_high * (self.n - n_high) / self.n
            explained = (s * s / w).sum(axis=1)
            interaction = explained - s.sum(axis=1) ** 2 / w.sum(axis=1)
            residual = _error(self.total - explained, self.round_off)
        return _significant(interaction, residual, df1, df2, alpha)

    def unused(self) -> Ints:
        return np.zeros((self.n_people, self.n_variables), dtype=np.intp)


class _Mixed:
    """Participants as repeated measures: those complete in a variable, each person centred."""

    def __init__(
        self,
        y: Floats,
        participant: npt.NDArray[np.str_],
        emotion: Labels,
        people: npt.NDArray[np.str_],
    ) -> None:
        rows = to_profiles(y, participant, emotion)
        self.profiles = np.full((len(people), *rows.shape[1:]), np.nan)
        self.profiles[np.searchsorted(people, np.unique(participant))] = rows
        known: Bools = ~np.isnan(self.profiles)
        self.complete: Bools = np.asarray(known.all(axis=1))
        self.partial = np.where(self.complete, 0, known.sum(axis=1))
        inside = self.complete[:, None, :]
        self.n = self.complete.sum(axis=0)
        z = within_person(self.profiles)
        self.round_off = round_off(
            np.where(inside, self.profiles, np.nan), np.where(inside, z, np.nan)
        )
        with np.errstate(invalid="ignore"):
            means = np.where(inside, z, 0.0).sum(axis=0) / self.n
        self.z = np.where(inside, z - means, 0.0)
        self.width = self.z[0].size
        self.total = (self.z**2).sum(axis=(0, 1))

    def exact(self, high: Bools) -> Interactions:
        return split_plot(self.profiles, _sides(high))[0]

    def count(self, high: Floats, alpha: float) -> Ints:
        """Count by closed form: sums over High of the centred contrasts are all it takes."""
        n_people, n_contrasts, n_variables = self.z.shape
        s = (high @ self.z.reshape(n_people, -1)).reshape(len(high), n_contrasts, n_variables)
        n_high = high @ self.complete.astype(float)
        df2 = n_contrasts * (self.n - 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            interaction = (s * s).sum(axis=1) / (n_high * (self.n - n_high) / self.n)
            residual = _error(self.total - interaction, self.round_off)
        return _significant(interaction, residual, n_contrasts, df2, alpha)

    def unused(self) -> Ints:
        return self.partial


def _sides(high: Bools) -> Factor:
    return Factor((Group.HIGH.value, Group.LOW.value), np.where(high, 0, 1))


def _error(residual: Floats, round_off: Floats) -> Floats:
    """Make a residual that is round-off, or undefined, infinite: no F exceeds anything then."""
    return np.where(residual > round_off, residual, np.inf)


def _significant(
    interaction: Floats, residual: Floats, df1: int, df2: Floats, alpha: float
) -> Ints:
    """Count the variables of each row that exceed the critical F of their degrees of freedom."""
    critical = np.where(df2 > 0, special.fdtri(df1, np.maximum(df2, 1), 1 - alpha), np.inf)
    with np.errstate(invalid="ignore"):
        exceeds = interaction * df2 > critical * df1 * residual
    return exceeds.sum(axis=1)


def _null_maxima(
    tester: _Tester,
    score: Floats,
    candidates: npt.NDArray[np.int64],
    *,
    alpha: float,
    permutations: int,
    seed: int,
) -> npt.NDArray[np.int64]:
    """Find the largest count over candidate cutoffs for each permutation of scores over people."""
    rng = generator(seed, "cutoff permutations")
    size = max(1, BATCH // (len(candidates) * (len(score) + tester.width)))
    maxima = []
    for start in range(0, permutations, size):
        drawn = np.tile(score, (min(size, permutations - start), 1))
        permuted = rng.permuted(drawn, axis=1)
        high = permuted[:, None, :] > candidates[None, :, None]
        counts = tester.count(high.reshape(-1, len(score)).astype(float), alpha)
        maxima.append(counts.reshape(len(permuted), -1).max(axis=1))
    return np.concatenate([np.zeros(0, dtype=np.int64), *maxima]).astype(np.int64)


def _choose(
    table: pd.DataFrame, tests: pd.DataFrame, score: Floats, max_imbalance_share: float
) -> int:
    acceptable = table[table["acceptable"]]
    if acceptable.empty:
        near = table.sort_values(["imbalance", "cutoff"], kind="stable").iloc[0]
        raise DesignError(
            f"none of {len(table)} cutoffs ({table['cutoff'].min()} to {table['cutoff'].max()}) "
            f"splits {len(score)} participants (EI scores {score.min():g} to {score.max():g}) into "
            f"two groups that differ by at most {max_imbalance_share:.0%} "
            f"({max_imbalance_share * len(score):g} people); the nearest, {near['cutoff']}, gives "
            f"{near['n_high']} High and {near['n_low']} Low. Widen or refine the cutoffs, allow "
            "more imbalance, or add participants."
        )
    able = acceptable[acceptable["n_estimable"] > 0]
    if able.empty:
        reasons = tests.loc[tests["cutoff"].isin(acceptable["cutoff"]), "reason"]
        raise DesignError(
            f"no HRV variable of {tests['variable'].nunique()} can be tested at any of "
            f"{len(acceptable)} acceptable cutoffs: {examples(reasons.unique().tolist())}. "
            "Every group needs recordings of every emotion with values: look at the ECG "
            "quality table, or leave the variables concerned out."
        )
    return best(table)


def best(table: pd.DataFrame) -> int:
    """The row of CUTOFF_SCAN that is chosen: of those acceptable and estimable the largest count.

    Between equals the smaller imbalance, then the lower cutoff.
    """
    able = table[table["acceptable"] & (table["n_estimable"] > 0)]
    ranked = able.sort_values(
        ["n_significant", "imbalance", "cutoff"], ascending=[False, True, True], kind="stable"
    )
    return int(ranked.index[0])


def _tests_table(steps: Ints, fits: list[Interactions], names: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cutoff": np.repeat(steps, len(names)),
            "variable": names * len(steps),
            **{
                column: np.concatenate([getattr(fit, column) for fit in fits])
                for column in ("f", "df1", "df2", "p")
            },
            "estimable": [why is None for fit in fits for why in fit.reason],
            "reason": [why for fit in fits for why in fit.reason],
        }
    )


def _left_out(
    tester: _Tester, people: npt.NDArray[np.str_], names: list[str], participant: Labels
) -> Iterator[dict[str, object]]:
    for person in sorted(set(people) - {str(name) for name in participant}):
        yield left_out("participant", person, "cutoff scan", "no recording with HRV values")
    unused, why = tester.unused(), "mixed ANOVA needs a value in every emotion"
    for person, variable in np.argwhere(unused):
        n = int(unused[person, variable])
        yield left_out("hrv", people[person], names[variable], why, n=n)


def _scored(
    scores: Mapping[str, float] | pd.Series, participant: Labels
) -> tuple[npt.NDArray[np.str_], Floats]:
    """Participants in order of name, and their scores."""
    given = scores if isinstance(scores, pd.Series) else pd.Series(dict(scores), dtype=object)
    try:
        series = pd.Series(numbers(given), index=given.index.astype(str)).sort_index()
    except (TypeError, ValueError, OverflowError) as error:
        raise DesignError(f"the EI scores are no numbers ({error})") from None
    _refuse_twice("participant", list(series.index))
    infinite = list(series.index[np.isinf(series)])
    if infinite:
        raise DesignError(f"{len(infinite)} EI scores are infinite ({examples(infinite)})")
    unscored = sorted(set(map(str, participant)) - set(series.index[series.notna()]))
    unscored += [name for name in series.index[series.isna()] if name not in unscored]
    if unscored:
        raise DesignError(
            f"{len(unscored)} participants have no EI score ({examples(unscored)}): give a reason "
            "to exclude them, or add their answers"
        )
    return np.array(series.index, dtype=np.str_), np.array(series, dtype=np.float64)


def _refuse_twice(what: str, names: Sequence[str]) -> None:
    """Ids that are written alike would be taken for one."""
    again = sorted({name for name in names if names.count(name) > 1})
    if again:
        raise DesignError(f"{len(again)} {what}s stand twice ({examples(again)}): keep one of each")


def _check(
    cutoffs: Sequence[int],
    model: str,
    alpha: float,
    max_imbalance_share: float,
    permutations: int,
) -> None:
    wrong = []
    if model not in get_args(Model):
        hint = did_you_mean(model, get_args(Model))
        wrong.append(f"model is {model!r}, not one of {', '.join(get_args(Model))}{hint}")
    try:
        steps = numbers(cutoffs)
    except (TypeError, ValueError, OverflowError):
        steps = np.full(1, np.nan)
    if steps.size == 0 or not ((abs(steps) < 2**31) & (steps == np.floor(steps))).all():
        wrong.append("cutoffs must be whole numbers, at least one")
    if not 0 < alpha < 1:
        wrong.append(f"alpha is {alpha}, not between 0 and 1")
    if not 0 <= max_imbalance_share <= 1:
        wrong.append(f"max_imbalance_share is {max_imbalance_share}, not from 0 to 1")
    if permutations < 0:
        wrong.append(f"permutations is {permutations}, below 0")
    if wrong:
        raise DesignError(f"the cutoff scan cannot start: {'; '.join(wrong)}")
