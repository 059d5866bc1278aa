"""Training labels that networks doubt: which, what becomes of them, and whether that helps.

Only training pictures are ever given to these functions: labels of validation and evaluation stay
the corpus's own. `published` repeats what is known of the method that S2 takes from its reference
[26]; `confident` is confident learning (Northcutt, Jiang and Chuang 2021, Journal of Artificial
Intelligence Research 70:1373) by cleanlab, on probabilities of networks that saw neither the
picture nor a copy of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from annotated_types import Ge, Le
from numpy.typing import NDArray

from eifer.errors import DesignError, InputError, Problem
from eifer.ranges import Share
from eifer.tables.expressions import JUDGED, PROBABILITIES, RELABELLED
from eifer.vocabulary import Expression

CLASSES = tuple(Expression)
SUBJECT = "relabelling"

Mask = NDArray[np.bool_]
Chances = NDArray[Any]
Network = Callable[[Mask, Mask, int], Chances]
"""Trains a new network on some pictures (`bool [N]`) and gives its probabilities of others
(`bool [N]`), ``[M, 7]`` in their order; the number, from 1, is for its seed."""
Judge = Literal["none", "published", "confident"]


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

    method: Judge
    apply: Literal["weight", "relabel"]
    above: Share
    rounds: Annotated[int, Ge(1), Le(100)]
    until: Share

    @property
    def name(self) -> str:
        """Of `METHODS`."""
        return f"confident_{self.apply}" if self.method == "confident" else self.method


METHODS = ("none", "published", "confident_weight", "confident_relabel")
"""What relabelling can be, in one word."""


def judges(methods: Sequence[str]) -> list[str]:
    """Whose judgements ``methods`` (of `METHODS`) need: both confident ones share theirs."""
    return list(dict.fromkeys(method.partition("_")[0] for method in methods))


def judge(by: Judge, network: Network, labels: pd.DataFrame, spec: RelabelSpec) -> pd.DataFrame:
    """Train networks that judge every label: JUDGED.

    Parameters
    ----------
    by
        ``confident``: `out_of_fold`, by the column fold of ``labels``; ``published``: `rounds`;
        ``none``: no network, so that each label is held true.
    labels
        Training pictures: image_id and label of each. ``network`` is told rows in their order.
    """
    if by == "confident":
        numbers = labels["fold"].to_numpy(np.int64)
        chances = out_of_fold(network, numbers)
    elif by == "published":
        chances, last = rounds(network, labels, most=spec.rounds, until=spec.until)
        numbers = np.full(len(labels), last)
    else:
        chances = np.eye(len(CLASSES))[labels["label"].map(CLASSES.index)]
        numbers = np.zeros(len(labels), np.int64)
    found = pd.DataFrame(chances, columns=list(PROBABILITIES)).assign(
        by=by, image_id=labels["image_id"].to_numpy(), network=numbers
    )
    return JUDGED.conform(found.sort_values("image_id", ignore_index=True))


def relabel(
    labels: pd.DataFrame, methods: Sequence[str], judgements: pd.DataFrame, spec: RelabelSpec
) -> dict[str, pd.DataFrame]:
    """RELABELLED by each of ``methods`` (of `METHODS`).

    ``judgements`` are JUDGED of ``labels`` by all `judges`; ``spec`` says from which probability a
    label is replaced.
    """
    found = {}
    judged = judgements.set_index(["by", "image_id"])
    for method in methods:
        by, _, apply = method.partition("_")
        table = judged.loc[by].loc[labels["image_id"]]
        chances, numbers = table[list(PROBABILITIES)].to_numpy(), table["network"].to_numpy()
        if by == "none":
            found[method] = none(labels)
        elif by == "published":
            found[method] = published(labels, chances, int(numbers[0]))
        else:
            how: Any = apply
            found[method] = confident(labels, chances, numbers, replace(spec, apply=how))
    return found


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


def rounds(
    network: Network, labels: pd.DataFrame, *, most: int, until: float
) -> tuple[Chances, int]:
    """Judge labels as the source of S2's relabelling does, as far as is known.

    A network is trained on everything; the next one on what the one before it predicts rightly;
    and so on for ``most`` networks, or until less than a share ``until`` of all pictures is newly
    kept or dropped. The last one judges everything, so that every picture is also judged by a
    network that saw it or a copy: that is the method's, not ours.

    Parameters
    ----------
    labels
        As for `confident`. ``network`` is told rows in the order of ``labels``.

    Returns
    -------
    tuple
        Probabilities ``[N, 7]`` of the last network, and its number.

    Raises
    ------
    DesignError
        If a network predicts no label rightly.
    """
    own = labels["label"].map(CLASSES.index).to_numpy(np.int64)
    everything = np.ones(len(own), bool)
    kept = everything
    for number in range(1, most + 1):
        chances = network(kept, everything, number)
        _check(labels, chances, own)
        right = chances.argmax(1) == own
        if not right.any():
            raise DesignError(
                f"{SUBJECT}: network {number} predicts none of {len(own)} labels rightly, so that "
                "nothing is left to train on. Train it longer, or choose another method."
            )
        changed, kept = float((right != kept).mean()), right
        if changed < until:
            break
    return chances, number


def published(labels: pd.DataFrame, probabilities: Chances, network: int) -> pd.DataFrame:
    """Give every picture the label of the last of `rounds`, number ``network``: RELABELLED."""
    rows = _sorted(labels)
    own = labels["label"].map(CLASSES.index).to_numpy(np.int64)
    chances = np.asarray(probabilities, np.float64)
    _check(labels, chances, own)
    said = chances.argmax(1)
    sure = chances[np.arange(len(own)), said]
    names = pd.Series(np.array(CLASSES)[said], labels.reset_index().index)
    differs = said != own
    reason = np.where(differs, f"labelled by network {network}", "its label is the network's too")
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


def judged(relabelled: pd.DataFrame, truth: pd.Series) -> dict[str, Any]:
    """Relabelling against what is true, of the images whose truth is known.

    Parameters
    ----------
    relabelled : DataFrame
        Rows of `RELABELLED`.
    truth : Series
        By image the class that is true; missing where it is not known.

    Returns
    -------
    dict
        Numbers of images: ``n``; ``flagged``; ``changed``, whose label is another now;
        ``left_out``, of weight 0; ``seen``, judged by a network that was trained on them; then of
        the ``n_known``: ``wrong`` and ``right`` original labels. Shares: of wrong ones
        ``repaired`` (the label is true now), ``wrong_left_out``, and ``repeated`` (the network
        proposes the same wrong label: what it learnt by heart comes back); of right ones
        ``broken`` (the label is wrong now) and ``right_left_out``; of the flagged
        ``flagged_wrong``; ``own_network``, of what training takes, whose label is the network's;
        and of all known ``agreement_before`` and ``agreement_after``, of what training takes,
        each image with its weight. NaN where there is none.
    """
    true = relabelled["image_id"].map(truth)
    known, changed = true.notna(), relabelled["label"] != relabelled["original"]
    wrong = known & (relabelled["original"] != true)
    right = known & ~wrong
    out, weight = relabelled["weight"] == 0, relabelled["weight"].where(known, 0)
    fits = relabelled["label"] == true
    flagged = relabelled["flagged"].astype(bool)
    return {
        "n": len(relabelled),
        "flagged": int(flagged.sum()),
        "changed": int(changed.sum()),
        "left_out": int(out.sum()),
        "seen": int(relabelled["fold"].isna().sum()),
        "n_known": int(known.sum()),
        "wrong": int(wrong.sum()),
        "right": int(right.sum()),
        "repaired": fits[wrong & ~out].sum() / wrong.sum() if wrong.any() else float("nan"),
        "wrong_left_out": out[wrong].mean(),
        "repeated": (relabelled["proposed"] == relabelled["original"])[wrong].mean(),
        "broken": (~fits)[right & ~out].sum() / right.sum() if right.any() else float("nan"),
        "right_left_out": out[right].mean(),
        "flagged_wrong": wrong[flagged & known].mean(),
        "own_network": (relabelled["label"] == relabelled["proposed"])[~out].mean(),
        "agreement_before": right[known].mean(),
        "agreement_after": (fits * weight).sum() / weight.sum() if weight.sum() else float("nan"),
    }


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
