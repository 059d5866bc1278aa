"""How well every network does on every set of images, and which differences chance explains.

Protocol of the expressions study, section 7. A network answers with the class of the largest
probability, the first in alphabetical order where several are. Scores of classes are means over
the classes that are there: those which the set of images has at least one image of.

Sets of images: each corpus's evaluator and all of them, real images alone and with fill-ins; the
fill-ins by themselves; each corpus's test part, and all. A fill-in belongs to the evaluator of the
corpus that its row names. What is held true: the original label; the majority of the votes; and,
where relabelling was asked about images of these sets, its proposal. Agreement with the last is
agreement with a model, to be shown beside the others and never alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eifer.corpora.scores import macro_f1
from eifer.errors import InputError, Problem
from eifer.inputs import Floats
from eifer.ranges import Count, Draws, Part
from eifer.seeding import generator
from eifer.statistics.multiplicity import benjamini_hochberg
from eifer.statistics.shares import wilson
from eifer.tables.expressions import (
    ALL,
    BY_CELL,
    BY_CLASS,
    CELL,
    CONFUSION,
    CONTRASTS,
    DRAWN,
    MATRIX,
    MERGED,
    MODEL,
    PROBABILITIES,
    SPECIALISTS,
    VOTES,
    WITHOUT,
)
from eifer.vocabulary import Expression

Integers = npt.NDArray[np.int64]
Network = tuple[str, str, int]
"""What it was trained on, its name, its repetition."""

CLASSES = [str(name) for name in Expression]
N = len(CLASSES)
CODES = {name: code for code, name in enumerate(CLASSES)}
REAL, WITH_FILL_INS, TEST = "real", "with_fill_ins", "test"
ORIGINAL, MAJORITY, RELABELLED = "original", "majority", "relabelled"
SUM = 1e-3
"""How far from 1 the probabilities of an image may add up."""
BLOCK = 4_000_000
"""Weights drawn at a time: 32 MB."""
DECIMALS = 12
"""Differences are rounded to this."""
_MODEL = [column.name for column in MODEL]
_CELL = [column.name for column in CELL]


@dataclass(frozen=True)
class EvaluationSpec:
    """What is chosen: ``draws`` of the bootstrap, ``level`` of intervals, ``bins`` of the ECE."""

    draws: Draws
    level: Part
    bins: Count


@dataclass(frozen=True)
class Evaluated:
    """The tables `MATRIX`, `BY_CLASS`, `CONFUSION`, `BY_CELL` and `CONTRASTS`."""

    matrix: pd.DataFrame
    by_class: pd.DataFrame
    confusion: pd.DataFrame
    by_cell: pd.DataFrame
    contrasts: pd.DataFrame


@dataclass(frozen=True)
class _Asked:
    """A set of images: its name, which kind, and its rows of the pool."""

    tested_on: str
    images: str
    rows: Integers


def evaluate(
    answers: pd.DataFrame,
    images: pd.DataFrame,
    division: pd.DataFrame,
    evaluator: pd.DataFrame,
    duplicates: pd.DataFrame,
    relabelled: pd.DataFrame | None,
    spec: EvaluationSpec,
    seed: int,
) -> Evaluated:
    """Every score, and every contrast, of every network on every set of images.

    Parameters
    ----------
    answers, images, division, evaluator, duplicates, relabelled : DataFrame
        The tables `ANSWERS`, `IMAGES`, `DIVISION`, `EVALUATOR`, `DUPLICATES`, `RELABELLED`.
        Answers on other images are not used; fill-ins may be missing in ``images`` and
        ``duplicates``: each is then an atom by itself.
    spec : EvaluationSpec
        What is chosen.
    seed : int
        The study's; the bootstrap draws from it.

    Returns
    -------
    Evaluated
        The five tables. `SPECIALISTS` are scored on those sets whose images all have a network
        of their own corpus, of the same name and repetition. Cells have the accuracy of the
        repetitions' mean probabilities.

    Raises
    ------
    InputError
        An image without answer or atom, one that was trained on, labels that differ between
        tables, probabilities that do not add up to 1, a corpus named as the matrix names
        something else.
    """
    pool = _pool(images, division, evaluator, duplicates, relabelled)
    said = _said(answers, pool)
    asked = _sets(pool)
    found = [
        (network, where, target, scored(probabilities[rows], truth[rows], spec.bins))
        for network, probabilities in said.items()
        for where in asked
        for target, truth, rows in _targets(pool, where.rows)
        if not np.isnan(probabilities[rows]).any()
    ]
    places = [
        dict(zip(_MODEL, network, strict=True))
        | {"tested_on": where.tested_on, "images": where.images, "target": target}
        for network, where, target, _ in found
    ]
    counts = [part for *_, (part, _) in found]
    matrix = [place | scores for place, (*_, (_, scores)) in zip(places, found, strict=True)]
    return Evaluated(
        MATRIX.frame(matrix),
        BY_CLASS.conform(_by_class(places, counts)),
        CONFUSION.conform(_confusion(places, counts)),
        BY_CELL.conform(_by_cell(pool, said, asked, spec.level)),
        CONTRASTS.conform(_contrasts(pool, said, asked, spec, seed)),
    )


def worst_cells(by_cell: pd.DataFrame) -> pd.DataFrame:
    """The cell of lowest accuracy of every network and kind of images: one row of `BY_CELL` each.

    Of several with the same accuracy, the one whose interval ends lowest: it has most images.
    """
    rising = by_cell.sort_values(["accuracy", "high", *_CELL], kind="stable")
    key = ["trained_on", "network", "images"]
    return rising.groupby(key, sort=False).head(1).sort_values(key, ignore_index=True)


def majority(votes: pd.DataFrame) -> pd.Series:
    """The class that more than half of an image's annotators said; missing where none has so many.

    ``votes`` has the columns ``votes_<class>`` and ``votes_other``, as `IMAGES`. Who said
    something else counts among the annotators.
    """
    counts = votes[[f"votes_{name}" for name in VOTES]].fillna(0).to_numpy(np.int64)
    most = counts[:, :N].argmax(axis=1)
    over_half = 2 * counts[np.arange(len(counts)), most] > counts.sum(axis=1)
    return pd.Series(np.array(CLASSES, dtype=object)[most], index=votes.index).where(over_half)


# the images -----------------------------------------------------------------------------------


def _pool(
    images: pd.DataFrame,
    division: pd.DataFrame,
    evaluator: pd.DataFrame,
    duplicates: pd.DataFrame,
    relabelled: pd.DataFrame | None,
) -> pd.DataFrame:
    """Every image that is asked about, in the order of its name, with all that is known of it."""
    test = division.loc[division["part"] == "test", ["image_id", "corpus", "label"]]
    both = set(test["image_id"]) & set(evaluator["image_id"])
    columns = ["image_id", "corpus", "label", "drawn", *_CELL]
    parts = [evaluator[columns].assign(part="evaluator"), test.assign(part=TEST, drawn=False)]
    pool = pd.concat(parts, ignore_index=True).sort_values("image_id", ignore_index=True)
    names = pool["image_id"]
    known = images.set_index("image_id")
    atoms = names.map(duplicates.set_index("image_id")["atom"])
    own = names.map(known["label"])
    reserved = {ALL, MERGED, SPECIALISTS}
    taken = {c for c in pool["corpus"] if c in reserved or c.startswith(WITHOUT)}
    part = names.map(division.set_index("image_id")["part"])
    again = "repeat split"
    faults: list[tuple[str, Iterable[str], str]] = [
        ("in evaluator and test part", sorted(both), again),
        ("of the evaluator, and trained on", names[part.isin(["train", "validation"])], again),
        ("label that is none of the seven", names[~pool["label"].isin(CLASSES)], again),
        ("label is not the corpus's own", names[own.notna() & (own != pool["label"])], again),
        ("real image that the corpora lack", names[own.isna() & ~pool["drawn"]], again),
        ("real image without atom", names[atoms.isna() & ~pool["drawn"]], "repeat duplicates"),
        ("corpus with a name that the matrix needs", sorted(taken), "rename it in params"),
    ]
    problems = [Problem(what, where, todo) for what, places, todo in faults for where in places]
    if not len(pool):
        problems.append(Problem("no image to evaluate on", "evaluator and test part", "add some"))
    if problems:
        raise InputError("evaluation", problems)
    given = pd.DataFrame({"image_id": [], "proposed": []}) if relabelled is None else relabelled
    proposed = given.set_index("image_id")["proposed"]
    most = majority(known.loc[known.index.isin(names)])
    return pool.assign(
        atom=atoms.fillna(names),
        **{
            target: labels.map(CODES).fillna(-1).astype(np.int64)
            for target, labels in (
                (ORIGINAL, pool["label"]),
                (MAJORITY, names.map(most)),
                (RELABELLED, names.map(proposed)),
            )
        },
    )


def _said(answers: pd.DataFrame, pool: pd.DataFrame) -> dict[Network, Floats]:
    """The probabilities of every network, ``[images, 7]``, and of the specialists together."""
    ids = pd.Index(pool["image_id"])
    place = ids.get_indexer(answers["image_id"])
    values = answers[list(PROBABILITIES)].to_numpy(np.float64)
    problems, said = [], dict[Network, Floats]()
    off = np.abs(values.sum(axis=1) - 1) > SUM
    by_network: dict[Any, Any] = answers.groupby(_MODEL, sort=False).indices
    for (trained_on, name, repetition), indices in sorted(by_network.items()):
        network = (str(trained_on), str(name), int(repetition))
        rows = indices[place[indices] >= 0]
        made = np.full((len(pool), N), np.nan)
        made[place[rows]] = values[rows]
        said[network] = made
        words = "{} {} {}".format(*network)
        for what, found in (
            ("image without answer", ids[np.isnan(made).any(axis=1)]),
            ("probabilities do not add up to 1", answers["image_id"].iloc[rows[off[rows]]]),
            ("two answers", ids[np.bincount(place[rows], minlength=len(pool)) > 1]),
        ):
            problems += [Problem(what, f"{words}: {image}", "repeat answer") for image in found]
    if problems or not said:
        none = Problem("no network answers", "answers", "train networks, and let them answer")
        raise InputError("evaluation", problems or [none])
    corpora = pool["corpus"].to_numpy()
    for name, repetition in sorted({network[1:] for network in said}):
        made = np.full((len(pool), N), np.nan)
        for corpus in sorted(set(corpora)):
            if (corpus, name, repetition) in said:
                own = corpora == corpus
                made[own] = said[corpus, name, repetition][own]
        said[SPECIALISTS, name, repetition] = made
    return said


def _sets(pool: pd.DataFrame) -> list[_Asked]:
    """The sets of images that are asked about; none is empty."""
    balanced, drawn = pool["part"] == "evaluator", pool["drawn"].astype(bool)
    kinds = {REAL: balanced & ~drawn, WITH_FILL_INS: balanced, TEST: pool["part"] == TEST}
    if not drawn.any():
        del kinds[WITH_FILL_INS]
    found = []
    for kind, name in product(kinds, [*sorted({*pool["corpus"], DRAWN}), ALL]):
        fill_ins = (name, kind) == (DRAWN, WITH_FILL_INS)
        rows = drawn if fill_ins else (pool["corpus"] == name) | (name == ALL)
        found.append(_Asked(name, kind, np.flatnonzero(kinds[kind] & rows)))
    return [one for one in found if len(one.rows)]


def _targets(pool: pd.DataFrame, rows: Integers) -> Iterator[tuple[str, Integers, Integers]]:
    """What is held true, and the rows that have it."""
    for target in (ORIGINAL, MAJORITY, RELABELLED):
        truth = pool[target].to_numpy()
        there = rows[truth[rows] >= 0]
        if len(there):
            yield target, truth, there


# scores ---------------------------------------------------------------------------------------


def scored(probabilities: Floats, truth: Integers, bins: int) -> tuple[Integers, dict[str, float]]:
    """Of one network on one set: counts ``[true, answer]``, and the scores by name.

    Parameters
    ----------
    probabilities : ndarray, shape (images, 7)
        In the order of `Expression`.
    truth : ndarray, shape (images,)
        Codes 0 to 6.
    bins : int
        Bins of equal width of the ECE, closed on the right.

    Returns
    -------
    tuple
        Scores are as scikit-learn's functions of these names with ``labels`` the classes that are
        there; F1 of a class that is never answered is 0. The log loss takes no probability below
        2.2e-16. ECE is the mean over images of the gap between share right and mean probability
        of the answered class, bin by bin (Guo et al. 2017, ICML).
    """
    n, answer = len(truth), probabilities.argmax(axis=1)
    counts = np.bincount(truth * N + answer, minlength=N * N).reshape(N, N)
    right, support, answered = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    there = support > 0
    floor = np.finfo(np.float64).eps
    of_truth = np.clip(probabilities[np.arange(n), truth], floor, 1 - floor)
    highest = probabilities[np.arange(n), answer]
    within = np.digitize(highest, np.arange(1, bins) / bins, right=True)
    gaps = np.bincount(within, weights=(answer == truth) - highest, minlength=bins)
    return counts, {
        "n": n,
        "accuracy": right.sum() / n,
        "balanced_accuracy": float((right[there] / support[there]).mean()),
        "macro_f1": float(macro_f1(right, answered, support)),
        "log_loss": float(-np.log(of_truth).mean()),
        "ece": float(np.abs(gaps).sum() / n),
    }


def _by_class(places: list[dict[str, object]], counts: list[Integers]) -> pd.DataFrame:
    each = np.stack(counts)
    right = np.einsum("kcc->kc", each).astype(np.float64)
    answered, support = each.sum(axis=1), each.sum(axis=2)
    with np.errstate(invalid="ignore"):  # 0 / 0 is missing: there is nothing to take a share of
        shares = {
            "precision": right / answered,
            "recall": right / support,
            "f1": 2 * right / (answered + support),
        }
    labels = pd.DataFrame({"label": CLASSES * len(places)})
    repeated = pd.DataFrame(places).loc[np.repeat(np.arange(len(places)), N)]
    return pd.concat([repeated.reset_index(drop=True), labels], axis=1).assign(
        **{name: share.ravel() for name, share in shares.items()}, support=support.ravel()
    )


def _confusion(places: list[dict[str, object]], counts: list[Integers]) -> pd.DataFrame:
    pairs = pd.DataFrame(list(product(CLASSES, CLASSES)) * len(places), columns=["label", "answer"])
    repeated = pd.DataFrame(places).loc[np.repeat(np.arange(len(places)), N * N)]
    whole = pd.concat([repeated.reset_index(drop=True), pairs], axis=1)
    return whole.assign(n=np.stack(counts).ravel())


def _by_cell(
    pool: pd.DataFrame, said: dict[Network, Floats], asked: list[_Asked], level: float
) -> pd.DataFrame:
    """Accuracy of the mean probabilities, cell by cell, on the evaluators of all corpora."""
    truth = pool[ORIGINAL].to_numpy()
    tables = []
    for trained_on, name in dict.fromkeys(network[:2] for network in said):
        of_each = [p for network, p in said.items() if network[:2] == (trained_on, name)]
        mean = np.mean(of_each, axis=0)
        for where in asked:
            rows = where.rows
            if (where.tested_on, where.images) not in ((ALL, REAL), (ALL, WITH_FILL_INS)):
                continue
            if np.isnan(mean[rows]).any():
                continue
            cells = pool.loc[rows, _CELL].assign(right=mean[rows].argmax(axis=1) == truth[rows])
            table = cells.groupby(_CELL)["right"].agg(n="size", right="sum").reset_index()
            place = {"trained_on": trained_on, "network": name, "images": where.images}
            tables.append(table.assign(**place))
    if not tables:
        return BY_CELL.empty()
    every = pd.concat(tables, ignore_index=True)
    right, n = every["right"].to_numpy(np.int64), every["n"].to_numpy(np.int64)
    low, high = wilson(right, n, level)
    return every.assign(accuracy=right / n, low=low, high=high)


# contrasts ------------------------------------------------------------------------------------


def _pairs(trained: set[str], where: _Asked, corpora: list[str]) -> list[tuple[str, str]]:
    """Which two are compared on a set: merged with specialists, left-out corpora with their own."""
    if where.tested_on == DRAWN:
        wanted = []
    elif where.tested_on == ALL:
        wanted = [*((MERGED, corpus) for corpus in corpora), (MERGED, SPECIALISTS)]
    else:
        own = where.tested_on
        wanted = [(MERGED, own), (f"{WITHOUT}{own}", own)]
    return [pair for pair in wanted if trained.issuperset(pair)]


def _contrasts(
    pool: pd.DataFrame,
    said: dict[Network, Floats],
    asked: list[_Asked],
    spec: EvaluationSpec,
    seed: int,
) -> pd.DataFrame:
    """Every contrast on every set, and Benjamini and Hochberg's q over all of them."""
    corpora = sorted(set(pool["corpus"]) & {network[0] for network in said})
    rows = [row for where in asked for row in _contrasts_on(where, corpora, pool, said, spec, seed)]
    if not rows:
        return CONTRASTS.empty()
    table = pd.DataFrame(rows)
    return table.assign(q=benjamini_hochberg(table["p"].to_numpy()))


def _contrasts_on(
    where: _Asked,
    corpora: list[str],
    pool: pd.DataFrame,
    said: dict[Network, Floats],
    spec: EvaluationSpec,
    seed: int,
) -> Iterator[dict[str, object]]:
    here = {key: p[where.rows] for key, p in said.items()}
    whole = {key: p for key, p in here.items() if not np.isnan(p).any()}
    pairs = [
        (name, first, second, sorted(common))
        for name in sorted({key[1] for key in whole})
        for first, second in _pairs({key[0] for key in whole}, where, corpora)
        if (common := _repetitions(whole, first, name) & _repetitions(whole, second, name))
    ]
    if not pairs:
        return
    used = sorted(
        {
            (trained_on, name, repetition)
            for name, first, second, both in pairs
            for trained_on in (first, second)
            for repetition in both
        }
    )
    atoms, members = np.unique(pool["atom"].to_numpy()[where.rows], return_inverse=True)
    truth = pool[ORIGINAL].to_numpy()[where.rows]
    counts = _counts_by_atom([whole[key] for key in used], truth, members)
    draws = generator(seed, "contrasts", where.tested_on, where.images)
    column = dict(zip(used, range(len(used)), strict=True))
    found = np.concatenate([_metrics(counts.sum(axis=0)[None]), _drawn(counts, spec.draws, draws)])
    for name, first, second, both in pairs:
        gap = found[:, [column[first, name, k] for k in both]]
        gap = (gap - found[:, [column[second, name, k] for k in both]]).mean(axis=1)
        # What is equal shall stay so: round-off would put it on one side of 0.
        for metric, values in zip(("accuracy", "macro_f1"), gap.round(DECIMALS).T, strict=True):
            low, high, p = _inference(values[1:], len(atoms), spec.level)
            yield {
                "network": name,
                "first": first,
                "second": second,
                "tested_on": where.tested_on,
                "images": where.images,
                "metric": metric,
                "n": len(where.rows),
                "atoms": len(atoms),
                "difference": values[0],
                "low": low,
                "high": high,
                "p": p,
            }


def _repetitions(said: dict[Network, Floats], trained_on: str, name: str) -> set[int]:
    return {key[2] for key in said if key[:2] == (trained_on, name)}


def _counts_by_atom(said: list[Floats], truth: Integers, members: Integers) -> Floats:
    """``[atoms, 1 + 2 x networks, 7]``: support, then each network's right and answered."""
    n = members.max() + 1

    def counted(of: Integers, keep: npt.NDArray[np.bool_] | None = None) -> Floats:
        weights = None if keep is None else keep.astype(np.float64)
        flat = np.bincount(members * N + of, weights=weights, minlength=n * N)
        return flat.reshape(n, N).astype(np.float64)

    parts = [counted(truth)]
    for probabilities in said:
        answer = probabilities.argmax(axis=1)
        parts += [counted(truth, answer == truth), counted(answer)]
    return np.stack(parts, axis=1)


def _metrics(counts: Floats) -> Floats:
    """Accuracy and macro F1, ``[draws, networks, 2]``, of counts ``[draws, 1 + 2 networks, 7]``."""
    support, right, answered = counts[:, :1], counts[:, 1::2], counts[:, 2::2]
    accuracy = right.sum(axis=-1) / support.sum(axis=-1)
    f1 = macro_f1(right, answered, np.broadcast_to(support, right.shape))
    return np.stack([accuracy, f1], axis=-1)


def _drawn(counts: Floats, draws: int, random: np.random.Generator) -> Floats:
    """`_metrics` of ``draws`` resamples of atoms with replacement.

    A resample is how often each atom comes. Counts are whole numbers, so that sums are exact:
    in 32 bits up to 16 million images, in half the time.
    """
    n = len(counts)
    flat = counts.reshape(n, -1).astype(np.float32)
    at_once = max(1, BLOCK // n)
    blocks = []
    for start in range(0, draws, at_once):
        size = min(at_once, draws - start)
        chosen = random.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        weights = np.bincount(chosen.ravel(), minlength=size * n).reshape(size, n)
        sums = (weights.astype(np.float32) @ flat).astype(np.float64)
        blocks.append(_metrics(sums.reshape(size, *counts.shape[1:])))
    return np.concatenate(blocks)


def _inference(resampled: Floats, atoms: int, level: float) -> tuple[float, float, float]:
    """Percentile interval, and two-sided p, of differences in resamples (Efron & Tibshirani 1993).

    The p counts the observed sample among the resamples. It is at least 2^(1 - atoms), as a
    sign-flip test's of as many atoms: few atoms look alike in every resample, and prove nothing.
    """
    if atoms == 1:
        return -1.0, 1.0, 1.0
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    beyond = min((resampled <= 0).sum(), (resampled >= 0).sum())
    p = max(2 * (1 + beyond) / (1 + len(resampled)), 2.0 ** (1 - atoms))
    return float(low), float(high), float(min(1, p))
