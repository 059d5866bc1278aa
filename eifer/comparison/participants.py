"""The models against each other at the participant level: the primary analysis.

The sample is the people tested, not their frames: frames of one person are alike, and
repetitions share one test set. What may confirm anything is declared before the run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from eifer.comparison.comparable import comparable
from eifer.designs import EI, NULL
from eifer.errors import DesignError, did_you_mean
from eifer.ranges import Draws, Part
from eifer.statistics import (
    Pooled,
    benjamini_hochberg,
    gee_odds_ratios,
    holm,
    jackknife_deltas,
    participant_deltas,
    pool_random,
    sign_flip,
    t_paired,
    tost_paired,
)
from eifer.statistics.estimability import negligible
from eifer.tables.comparison import (
    BY_ASSIGNMENT,
    BY_PARTICIPANT,
    CONFIRMATORY,
    CONTRAST,
    CONTRASTS,
    DECLARED,
    EXPLORATORY,
    FINE_TUNED,
    METHODS,
    OTHERS,
    PARTICIPANT_DELTAS,
    PLACE,
    STEPS,
    TESTED,
    WITHIN,
)
from eifer.tables.evaluation import TEST
from eifer.vocabulary import Dimension, Group

Row = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """One contrast of one task in one condition, of the models of one step."""

    models: str
    task: str
    condition: str
    contrast: str

    def __post_init__(self) -> None:
        tasks = [d.value for d in Dimension]
        for name, known in (("models", STEPS), ("task", tasks), ("contrast", CONTRASTS)):
            value = getattr(self, name)
            if value not in known:
                hint = did_you_mean(value, known)
                raise ValueError(f"no {name} {value!r} (there are {', '.join(known)}){hint}")

    def __str__(self) -> str:
        return f"{self.models} {self.task} {self.condition} {self.contrast}"


@dataclass(frozen=True)
class ParticipantSpec:
    """What was declared before the run, and by what a finding is told.

    Parameters
    ----------
    confirmatory
        The contrasts that may confirm the hypothesis: models, task, condition and contrast.
        Everything else is exploratory, whatever it shows.
    test
        The one test that speaks for a contrast: t (over participants' differences), sign_flip
        (of them), or gee (clustered on participants). The other tests are exploratory.
    alpha
        The level of q, and of the test of equivalence.
    family
        Columns that set families of exploratory tests apart in the Benjamini-Hochberg
        correction, within one test: models, task, condition, contrast. The confirmatory ones are
        one family, corrected by Holm.
    margin
        The smallest difference in ROC-AUC that would matter: two models are called equivalent
        where the difference is shown to be smaller, either way.
    flips
        Random assignments of signs, where more than 16 participants allow no full list.
    """

    confirmatory: tuple[Claim, ...]
    test: Literal["t", "sign_flip", "gee"]
    alpha: Part
    family: tuple[str, ...]
    margin: Part
    flips: Draws

    def __post_init__(self) -> None:
        for name in self.family:
            if name not in PLACE:
                hint = did_you_mean(name, PLACE)
                raise ValueError(f"no family by {name!r} (there are {', '.join(PLACE)}){hint}")
        for what, given in (("family", self.family), ("confirmatory", self.confirmatory)):
            names = list(map(str, given))
            again = [name for name in names if names.count(name) > 1]
            if again:
                raise ValueError(f"{what} names {again[0]} twice")

    def role(self, row: Row) -> str:
        """Whether a contrast was declared as confirmatory."""
        asked = {str(claim) for claim in self.confirmatory}
        return CONFIRMATORY if " ".join(row[name] for name in PLACE) in asked else EXPLORATORY


@dataclass(frozen=True)
class ParticipantComparison:
    """The tables ``DECLARED``, ``PARTICIPANT_DELTAS`` and ``BY_PARTICIPANT``."""

    declared: pd.DataFrame
    deltas: pd.DataFrame
    compared: pd.DataFrame


Predicted = Mapping[str, pd.DataFrame]
"""The table ``PREDICTIONS`` of the models of each of `STEPS` that were evaluated."""


def by_participant(
    predicted: Predicted,
    tests: Mapping[str, pd.DataFrame],
    spec: ParticipantSpec,
    seed: int,
    by_assignment: pd.DataFrame | None = None,
) -> ParticipantComparison:
    """Compare High with Low and with Total over the people tested.

    Of each participant the difference of AUC (High less the other) among that person's own
    frames, averaged over repetitions; over participants the t-test, the exact sign-flip test and
    the test of equivalence, and beside them the GEE clustered on participants (Mancl-DeRouen,
    t(K - 1)). Over repetitions, the random-effects mean of the differences and their I2: how much
    trainings differ. Of all frames together, the difference with participants left out in turn.
    Over random assignments of labels, the place of the mean difference among theirs.

    Parameters
    ----------
    predicted : mapping of str to DataFrame
        The table ``PREDICTIONS`` of the models of each step (of `STEPS`) to compare; rows of the
        affect network are left alone.
    tests : mapping of str to DataFrame
        The table ``DELONG`` of the same predictions: each repetition's difference.
    spec : ParticipantSpec
    seed : int
        The study's seed.
    by_assignment : DataFrame, optional
        The table ``BY_ASSIGNMENT``; without it there is no null.

    Raises
    ------
    InputError, DesignError
        Predictions that are not `comparable`; a confirmatory contrast that is not among them.
    """
    trained = {models: comparable(predictions) for models, predictions in predicted.items()}
    _refuse_untested(trained, spec.confirmatory)
    others = BY_ASSIGNMENT.empty() if by_assignment is None else by_assignment
    deltas: list[Row] = []
    rows: list[Row] = []
    for place, part, pair in _contrasts(trained):
        compared = participant_deltas(*pair)
        table = tests[place["models"]]
        its_tests = table[(table[CONTRAST] == [place[name] for name in CONTRAST]).all(axis=1)]
        deltas += [{**place, **row} for row in _people(compared)]
        rows.append(
            {
                **place,
                "role": spec.role(place),
                "test": spec.test,
                "alpha": spec.alpha,
                "margin": spec.margin,
                "n_participants": len(compared.participants),
                "n_used": len(compared.usable),
                "left_out": "\n".join(f"{who}: {why}" for who, why in compared.reasons.items())
                or None,
                "n_repetitions": part["repetition"].nunique(),
                **_tested(compared.usable, spec, seed),
                **_jackknifed(*pair),
                **_over_repetitions(its_tests),
                **among_nulls(others[(others[PLACE] == list(place.values())).all(axis=1)]),
            }
        )
    table = pd.DataFrame(rows).merge(_odds_ratios(trained), on=PLACE)
    declared = table["role"] == CONFIRMATORY
    names = [" ".join(names) or EXPLORATORY for names in table[list(spec.family)].to_numpy()]
    table["family"] = np.where(declared, CONFIRMATORY, names)
    # Holm's first step: no corrected p of a declared contrast is below this.
    times = np.where(declared, table["null_p"].where(declared).count(), 1)
    least = (table["null_smallest_p"] * times).clip(upper=1)
    for method in TESTED:
        p = table[f"{method}_p"]
        found = benjamini_hochberg(p.mask(declared), table["family"])
        table[f"{method}_q"] = np.where(declared, holm(p.where(declared)), found)
    table["verdict"] = [_verdict(dict(row)) for _, row in table.assign(least_q=least).iterrows()]
    return ParticipantComparison(
        declared=_declared(table),
        deltas=PARTICIPANT_DELTAS.frame(deltas),
        compared=BY_PARTICIPANT.conform(table),
    )


def mean_differences(assignment: str, predicted: Predicted) -> list[Row]:
    """Rows of ``BY_ASSIGNMENT``: the mean over people of each contrast's differences.

    Raises
    ------
    InputError, DesignError
        Predictions that are not `comparable`.
    """
    rows = []
    trained = {models: comparable(predictions) for models, predictions in predicted.items()}
    for place, _, pair in _contrasts(trained):
        compared = participant_deltas(*pair)
        counts = {"n_participants": len(compared.participants), "n_used": len(compared.usable)}
        mean = float(compared.usable.mean()) if len(compared.usable) else math.nan
        rows.append({"assignment": assignment, **place, **counts, "delta": mean})
    return rows


def _contrasts(trained: Predicted) -> Iterator[tuple[dict[str, str], pd.DataFrame, Any]]:
    """Each contrast: its place, the predictions of its test, and both models' scores of the items.

    The last is what `participant_deltas` takes.
    """
    for models, predictions in trained.items():
        for (task, condition), part in predictions.groupby(TEST, sort=True):
            scores = part.pivot(
                index="item_id", columns=["training_group", "repetition"], values="score"
            )
            items = part.drop_duplicates("item_id").set_index("item_id").reindex(scores.index)
            for other in OTHERS:
                place = {"models": models, "task": str(task), "condition": str(condition)}
                pair = (
                    items["participant_id"],
                    items["label"],
                    scores[Group.HIGH].sort_index(axis=1).to_numpy(),
                    scores[other].sort_index(axis=1).to_numpy(),
                )
                yield {**place, "contrast": f"{Group.HIGH}-{other}"}, part, pair


def _refuse_untested(trained: Predicted, confirmatory: Iterable[Claim]) -> None:
    """A declared contrast may not vanish because its frames were never scored."""
    there = {
        f"{models} {task} {condition} {contrast}"
        for models, predictions in trained.items()
        for task, condition in predictions[TEST].drop_duplicates().itertuples(index=False)
        for contrast in CONTRASTS
    }
    absent = [str(claim) for claim in confirmatory if str(claim) not in there]
    if absent:
        hints = [name + did_you_mean(name, sorted(there)) for name in absent]
        raise DesignError(
            f"stats: declared confirmatory, but not tested: {', '.join(hints)}; "
            "test it, or declare what is"
        )


def _people(deltas: Any) -> Iterator[Row]:
    for k, who in enumerate(deltas.participants):
        yield {
            "participant_id": who,
            "n_items": int(deltas.n_items[k]),
            "n_positive": int(deltas.n_positive[k]),
            "auc_a": deltas.auc_a[k].mean(),
            "auc_b": deltas.auc_b[k].mean(),
            "auc_a_sd": deltas.auc_a[k].std(ddof=1),
            "auc_b_sd": deltas.auc_b[k].std(ddof=1),
            "delta": deltas.mean[k],
            "delta_sd": deltas.delta[k].std(ddof=1),
            "reason": deltas.reasons.get(who),
        }


def _tested(delta: Any, spec: ParticipantSpec, seed: int) -> Row:
    """What participants' differences show: t, sign-flip, equivalence."""
    if not len(delta):
        why = "no participant has frames of both classes"
        names = ["delta", "se", "ci_low", "ci_high", "t", "df", "t_p", "sign_flip_p", "smallest_p"]
        names += [f"equivalence_{name}" for name in ("p", "ci_low", "ci_high")]
        reasons = ("t_reason", "sign_flip_reason", "equivalence_reason")
        return {**dict.fromkeys(names, math.nan), **dict.fromkeys(reasons, why), "n_differ": 0}
    t, flip = t_paired(delta), sign_flip(delta, spec.flips, seed)
    alike = "no participant's difference is other than 0"
    same = tost_paired(delta, spec.margin, spec.alpha)
    return {
        "n_differ": int((~negligible(delta, of=delta)).sum()),
        "delta": float(np.mean(delta)),
        "se": t.se,
        "ci_low": t.ci_low,
        "ci_high": t.ci_high,
        "t": t.statistic,
        "df": t.df,
        "t_p": t.p,
        "t_reason": t.reason if delta.any() else alike,
        "sign_flip_p": flip.p,
        "smallest_p": flip.smallest_p,
        "sign_flip_reason": flip.reason,
        "equivalence_p": same.p,
        "equivalence_ci_low": same.ci_low,
        "equivalence_ci_high": same.ci_high,
        "equivalence_reason": same.reason,
    }


def _jackknifed(*pair: Any) -> Row:
    """The difference over all frames together, whose uncertainty is that over participants."""
    deltas = jackknife_deltas(*pair)
    row: Row = {"pooled_delta": deltas.delta, "pooled_reason": deltas.reason}
    test = t_paired(deltas.pseudo) if deltas.estimable else None
    for name in ("ci_low", "ci_high", "p"):
        row[f"pooled_{name}"] = getattr(test, name) if test else math.nan
    return row | ({"pooled_reason": test.reason} if test else {})


def _over_repetitions(tests: pd.DataFrame) -> Row:
    """The mean of the repetitions' differences, if trainings differ too."""
    pooled: Pooled = pool_random(tests["delta"], tests["se"], method="reml", knapp_hartung=True)
    left_out = map(str, tests["repetition"].to_numpy()[list(pooled.left_out)])
    row: Row = {
        "random_n_used": pooled.n_used,
        "random_left_out": ", ".join(left_out) or None,
        "random_delta": pooled.estimate,
        "random_ci_low": pooled.ci_low,
        "random_ci_high": pooled.ci_high,
        "random_p": pooled.p,
        "tau2": pooled.tau2,
        "i2_pct": pooled.i2,
    }
    if pooled.n_used != 1:
        return row | {"random_reason": pooled.reason}
    # Knapp and Hartung's interval is of the spread between repetitions.
    blank = [name for name in row if name not in ("random_n_used", "random_left_out")]
    why = "one repetition alone has a standard error above 0"
    return row | dict.fromkeys(blank, math.nan) | {"random_reason": why}


def among_nulls(deltas: pd.DataFrame) -> Row:
    """Where the difference of ei lies among those of the random assignments.

    How far a difference is from the mean of all, ei among them: groups of unequal size differ
    without any EI, so that 0 is not the middle. Under the null every assignment is as likely to
    be the furthest as any other, whatever the distribution (a permutation test over labels; it is
    valid for any number of them, drawn without replacement: Phipson & Smyth 2010, Stat. Appl.
    Genet. Mol. Biol. 9:39), but for the choice of who validates (docs/decisions/0012).
    """
    null = deltas.loc[deltas["assignment"].str.match(NULL), "delta"].dropna().to_numpy()
    own = deltas.loc[deltas["assignment"] == EI, "delta"].to_numpy()
    smallest = 1 / (len(null) + 1)
    row: Row = {"null_n": len(null), "null_smallest_p": smallest}
    if not len(null) or not len(own) or np.isnan(own[0]):
        why = "there is no difference" if len(null) else "no random assignment was trained"
        blank = dict.fromkeys(("null_p", "null_mean", "null_low", "null_high"), math.nan)
        return {**row, **blank, "null_reason": why}
    every = np.append(null, own[0])
    far = np.abs(every - every.mean())
    low, high = np.quantile(null, [0.025, 0.975])
    # Equal but for round-off is equal.
    row["null_p"] = float((far >= far[-1] - 1e-12).mean())
    ends = {"null_mean": float(null.mean()), "null_low": low, "null_high": high}
    return {**row, **ends, "null_reason": None}


def _odds_ratios(trained: Predicted) -> pd.DataFrame:
    """Odds of a right answer with people as clusters: a row a contrast."""
    names = ("odds_ratio", "ci_low", "ci_high", "df", "p")
    rows = []
    for models, predictions in trained.items():
        for (task, condition), part in predictions.groupby(TEST, sort=True):
            right = (part["score"] >= part["threshold"]) == (part["label"] == 1)
            ratios = gee_odds_ratios(
                part.assign(correct=right.astype(int)),
                cluster="participant_id",
                reference=Group.HIGH,
                small_sample="mancl-derouen",
            )
            place = {"models": models, "task": task, "condition": condition}
            rows += [
                {
                    **place,
                    "contrast": f"{Group.HIGH}-{other}",
                    **{f"gee_{name}": ratios.table.loc[other, name] for name in names},
                    "gee_n_used": ratios.carriers[other],
                    "gee_reason": ratios.reasons.get(other),
                }
                for other in OTHERS
            ]
    return pd.DataFrame(rows)


def _declared(table: pd.DataFrame) -> pd.DataFrame:
    """Every test of every contrast with its role: confirmatory is what was declared, alone."""
    return DECLARED.frame(
        [
            {
                **{name: row[name] for name in PLACE},
                "block": block,
                "method": method,
                "role": row["role"]
                if (block, method) == ("participants", row["test"])
                else EXPLORATORY,
            }
            for row in table.to_dict("records")
            for block, methods in METHODS.items()
            if block == "participants" or row["models"] == FINE_TUNED
            for method in methods
        ]
    )


# the verdict ----------------------------------------------------------------------------------


def _verdict(row: Row) -> str:
    """What may be said, in words: no more than the number of participants allows.

    A difference needs q below alpha in the declared test, and people enough that a test without
    a model could have shown it (2 / 2^K below alpha; a t-test of four differences is as good as
    its normal distribution). K are the people in whom the models differ (for the GEE: are not
    right equally often): nobody else tells them apart. That there is no difference needs the test
    of equivalence, one-sided. No test over participants knows whether other people to train on, or
    another training, would give the same. Where random assignments were trained, the difference
    must also be rare among theirs, and on the same side; where none was, "within this training"
    says so.
    """
    test, alpha = row["test"], row["alpha"]
    k = row["gee_n_used"] if test == "gee" else row["n_differ"]
    same = row["equivalence_q"] < alpha and 0.5 ** row["n_used"] < alpha
    differ = row[f"{test}_q"] < alpha and smallest_p(k) < alpha
    high = row["gee_odds_ratio"] < 1 if test == "gee" else row["delta"] > 0
    doubt = _doubt_of_labels(row, high) if differ else ""
    if differ and not doubt:
        better = Group.HIGH.value if high else row["contrast"].split("-")[1]
        within = "" if row["null_n"] else f" {WITHIN}"
        less = f", by less than {row['margin']:g}" if same else ""
        new = "" if row["role"] == CONFIRMATORY else " (exploratory: to be confirmed on others)"
        return f"{better} better{within}{less}{new}"
    if same:
        return f"equivalent: less than {row['margin']:g} apart"
    if doubt:
        return f"inconclusive: {doubt}"
    if pd.notna(row[f"{test}_reason"]):
        return f"not estimable: {row[f'{test}_reason']}"
    if smallest_p(k) >= alpha:
        who = "participants" if k == row["n_used"] else "participants in whom the models differ"
        return f"inconclusive: {k} {who} allow no p below {smallest_p(k):.3g}"
    return "inconclusive"


def _doubt_of_labels(row: Row, high: bool) -> str:
    """Why random assignments speak against a difference over people; empty where they do not."""
    n, least = row["null_n"], row["least_q"]
    if not n:
        return ""
    if least >= row["alpha"]:
        return f"{n} random assignments of labels allow no corrected p below {least:.3g}"
    if not row["null_q"] < row["alpha"]:
        return f"random labels do as much (corrected p {row['null_q']:.3g})"
    if high != (row["delta"] > row["null_mean"]):
        return f"random labels differ by more, {row['null_mean']:+.3g} on average"
    return ""


def smallest_p(n_participants: int) -> float:
    """The smallest two-sided p that turning the signs of so many differences allows."""
    return min(1.0, 2.0 / 2**n_participants)
