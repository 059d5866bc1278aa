"""Training labels that networks doubt: which, what becomes of them, and whether that helps.

Only training pictures are ever given to these functions: labels of validation and evaluation stay
the corpus's own. `published` repeats what is known of the method that S2 takes from its reference
[26]; `confident` is confident learning (Northcutt, Jiang and Chuang 2021, Journal of Artificial
Intelligence Research 70:1373) by cleanlab, on probabilities of networks that saw neither the
picture nor a copy of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from annotated_types import Ge, Le
from numpy.typing import NDArray

from eifer.errors import DesignError, InputError, Problem
from eifer.ranges import Share
from eifer.tables.expressions import RELABELLED, VOTES
from eifer.vocabulary import Expression

CLASSES = tuple(Expression)
SUBJECT = "relabelling"

Mask = NDArray[np.bool_]
Chances = NDArray[Any]
Network = Callable[[Mask, Mask, int], Chances]
"""Trains a new network on some pictures (`bool [N]`) and gives its probabilities of others
(`bool [N]`), ``[M, 7]`` in their order; the number, from 1, is for its seed."""


@dataclass(frozen=True)
class RelabelSpec:
    """How labels of training pictures are mended.

    Parameters
    ----------
    method
        ``none``; ``published``: a network is trained anew on what the one before it predicts
        rightly, and the last one labels everything; ``confident``: confident learning.
    apply
        What confident learning does with a label that it doubts: ``weight``, the picture is not
        trained on; ``relabel``, it takes the network's label.
    above
        The probability above which a doubted label is replaced.
    rounds
        How many networks the published method trains at most.
    until
        It also ends once a smaller share of the pictures is newly kept or dropped.
    """

    method: Literal["none", "published", "confident"]
    apply: Literal["weight", "relabel"]
    above: Share
    rounds: Annotated[int, Ge(1), Le(100)]
    until: Share


def none(labels: pd.DataFrame) -> pd.DataFrame:
    """Every label as it is; ``labels`` as for `confident`.

    The network's label is the corpus's own, at probability 1: none was asked.
    """
    rows = _sorted(labels)
    given = rows["label"]
    return _table(
        rows, given, np.ones(len(rows)), None, given, np.ones(len(rows)), "not relabelled"
    )


def out_of_fold(network: Network, folds: NDArray[np.int64]) -> Chances:
    """Probabilities ``[N, 7]`` of every picture by a network that was trained on the other folds.

    Raises
    ------
    DesignError
        If there are fewer than two folds.
    """
    numbers = sorted(set(folds.tolist()))
    if len(numbers) < 2:
        raise DesignError(
            f"{SUBJECT}: {len(numbers)} folds, but it takes two, so that no picture is judged by a "
            "network that saw it. Raise the number of folds."
        )
    found = np.empty((len(folds), len(CLASSES)), np.float32)
    for number in numbers:
        found[folds == number] = network(folds != number, folds == number, number)
    return found


def confident(
    labels: pd.DataFrame, probabilities: Chances, folds: NDArray[np.int64], spec: RelabelSpec
) -> pd.DataFrame:
    """Mend labels by confident learning: RELABELLED.

    Doubted is what cleanlab would prune both by class and by noise rate. The order of the
    pictures does not matter.

    Parameters
    ----------
    labels
        Training pictures: image_id, corpus and label of each.
    probabilities
        ``[N, 7]``, in the order of `Expression`, by `out_of_fold`.
    folds
        ``[N]``: the fold whose network judged it.

    Raises
    ------
    InputError
        If a row of probabilities is no distribution, or a list has another length.
    DesignError
        If all labels are one class.
    """
    from cleanlab.filter import find_label_issues

    _check(labels, probabilities, folds)
    rows = _sorted(labels)
    chances = np.asarray(probabilities, np.float64)[rows.index]
    own = rows["label"].map(CLASSES.index).to_numpy(np.int64)
    if len(set(own.tolist())) < 2:
        raise DesignError(
            f"{SUBJECT}: all {len(own)} labels are {CLASSES[own[0]]}; confident learning compares "
            "classes. Train on more, or set the method to none."
        )
    with warnings.catch_warnings():
        # It says so of every class that few labels name, and prunes none of these.
        warnings.filterwarnings("ignore", "May not flag all label issues in class")
        # Not in several processes: the result is the same, and stages count theirs.
        flagged = find_label_issues(own, chances, filter_by="both", n_jobs=1)
    said = chances.argmax(1)
    sure = chances[np.arange(len(own)), said]
    replaced = flagged & (sure > spec.above) & (spec.apply == "relabel")
    dropped = flagged & (spec.apply == "weight")
    reason = np.select(
        [replaced, dropped, flagged],
        [
            f"doubted; the network's label, whose probability is above {spec.above:g}",
            "doubted: not trained on",
            f"doubted, but no label has a probability above {spec.above:g}: kept",
        ],
        "not doubted",
    )
    return _table(
        rows,
        pd.Series(np.array(CLASSES)[said], rows.index),
        sure,
        folds[rows.index],
        rows["label"].mask(replaced, np.array(CLASSES)[said]),
        np.where(dropped, 0.0, 1.0),
        reason,
        flagged=flagged,
    )


def published(network: Network, labels: pd.DataFrame, *, rounds: int, until: float) -> pd.DataFrame:
    """Mend labels as the source of S2's relabelling does, as far as is known: RELABELLED.

    A network is trained on everything; the next one on what the one before it predicts rightly;
    and so on for ``rounds`` networks at most, or until less than a share ``until`` of all pictures
    is newly kept or dropped. The last one labels everything, so that every picture is also judged
    by a network that saw it or a copy: that is the method's, not ours.

    Parameters
    ----------
    labels
        As for `confident`. ``network`` is told rows in the order of ``labels``.

    Raises
    ------
    DesignError
        If a network predicts no label rightly.
    """
    rows = _sorted(labels)
    own = labels["label"].map(CLASSES.index).to_numpy(np.int64)
    everything = np.ones(len(own), bool)
    kept = everything
    for number in range(1, rounds + 1):
        chances = np.asarray(network(kept, everything, number), np.float64)
        _check(labels, chances, own)
        said = chances.argmax(1)
        right = said == own
        if not right.any():
            raise DesignError(
                f"{SUBJECT}: network {number} predicts none of {len(own)} labels rightly, so that "
                "nothing is left to train on. Train it longer, or choose another method."
            )
        changed, kept = float((right != kept).mean()), right
        if changed < until:
            break
    sure = chances[np.arange(len(own)), said]
    names = pd.Series(np.array(CLASSES)[said], labels.reset_index().index)
    differs = said != own
    reason = np.where(differs, f"labelled by network {number}", "its label is the network's too")
    at = rows.index
    return _table(
        rows,
        names[at],
        sure[at],
        None,
        names[at],
        np.ones(len(rows)),
        reason[at],
        flagged=differs[at],
    )


@dataclass(frozen=True)
class Repair:
    """What relabelling did, of ``images`` whose true label is known; shares are None of nothing.

    Of the ``wrong`` labels which share was ``repaired``, which ``wrong_left_out`` of training; of
    the right ones, which share was ``broken``, which ``right_left_out``. ``flagged`` is the share
    of all that is doubted, ``flagged_wrong`` the share of these that was wrong. ``before`` and
    ``after`` are shares of true labels among what is trained on.
    """

    images: int
    wrong: int
    repaired: float | None
    wrong_left_out: float | None
    broken: float | None
    right_left_out: float | None
    flagged: float
    flagged_wrong: float | None
    before: float
    after: float | None


def repaired(relabelled: pd.DataFrame, truth: pd.Series) -> Repair:
    """Which labels became truer, and which falser.

    Parameters
    ----------
    relabelled
        RELABELLED.
    truth
        The true class by image_id: planted, or the `majority`. Images that it lacks do not count.

    Raises
    ------
    DesignError
        If it knows none of them.
    """
    rows = relabelled.set_index("image_id")
    known = truth[truth.index.isin(rows.index)]
    if known.empty:
        raise DesignError(
            f"{SUBJECT}: of none of {len(rows)} relabelled images the truth is known. Give the "
            "truth of these, or leave the comparison out."
        )
    rows = rows.loc[known.index]
    right, now = rows["original"] == known, rows["label"] == known
    taught, flagged = rows["weight"] > 0, rows["flagged"]
    return Repair(
        images=len(rows),
        wrong=int((~right).sum()),
        repaired=_share((now & taught)[~right]),
        wrong_left_out=_share(~taught[~right]),
        broken=_share((~now & taught)[right]),
        right_left_out=_share(~taught[right]),
        flagged=float(flagged.mean()),
        flagged_wrong=_share(~right[flagged]),
        before=float(right.mean()),
        after=_share(now[taught]),
    )


def majority(images: pd.DataFrame) -> pd.Series:
    """The class that over half of the annotators named, by image_id; images without one are absent.

    ``images`` is IMAGES. All votes count, those for no class of the seven too.
    """
    votes = images[[f"votes_{name}" for name in VOTES]]
    voted = images.loc[votes.notna().all(axis=1)]
    counts = votes.loc[voted.index].to_numpy(np.int64)
    most = counts[:, : len(CLASSES)].argmax(axis=1)
    clear = 2 * counts[np.arange(len(counts)), most] > counts.sum(axis=1)
    names = np.array(CLASSES)[most][clear]
    return pd.Series(names, voted["image_id"][clear].rename("image_id"), name="majority")


def _share(found: pd.Series) -> float | None:
    return float(found.mean()) if len(found) else None


def _sorted(labels: pd.DataFrame) -> pd.DataFrame:
    """By image_id; the index says which row each was."""
    twice = labels["image_id"][labels["image_id"].duplicated()]
    wrong = labels.loc[~labels["label"].isin(CLASSES), "image_id"]
    problems = [
        *(Problem("picture that comes twice", name, "leave one out") for name in twice),
        *(Problem("label that is no class", name, "correct its reader") for name in wrong),
    ]
    if problems or labels.empty:
        raise InputError(SUBJECT, problems or [Problem("no picture", "labels", "give some")])
    return labels.reset_index(drop=True).sort_values("image_id", kind="stable")


def _table(
    rows: pd.DataFrame,
    proposed: pd.Series,
    probability: NDArray[np.float64],
    folds: NDArray[np.int64] | None,
    label: pd.Series,
    weight: NDArray[np.float64],
    reason: Any,
    *,
    flagged: Any = False,
) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "image_id": rows["image_id"],
            "corpus": rows["corpus"],
            "original": rows["label"],
            "proposed": proposed,
            "probability": np.clip(probability, 0, 1),
            "fold": pd.array([pd.NA] * len(rows) if folds is None else folds, "Int64"),
            "flagged": flagged,
            "label": label,
            "weight": weight,
            "reason": reason,
        }
    )
    return RELABELLED.conform(frame)


def _check(labels: pd.DataFrame, probabilities: Chances, folds: NDArray[np.int64]) -> None:
    n, shape = len(labels), (len(labels), len(CLASSES))
    if probabilities.shape != shape or len(folds) != n:
        where = f"{n} labels, probabilities {probabilities.shape}, {len(folds)} folds"
        raise InputError(
            SUBJECT, [Problem("lists of different lengths", where, "give one row a picture")]
        )
    odd = ~((probabilities >= 0).all(1) & (np.abs(probabilities.sum(1) - 1) < 1e-3))
    if odd.any():
        raise InputError(
            SUBJECT,
            [
                Problem("probabilities that do not sum to 1", str(name), "judge it again")
                for name in labels["image_id"][odd]
            ],
        )
