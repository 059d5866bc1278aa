"""Two models within each participant: the differences that inference over people rests on.

Frames of one person are alike, so that not frames but people are the sample. Each gives one
number: the difference of the models' AUC among that person's own items, averaged over
repetitions. `t_paired`, `sign_flip` and `tost_paired` test it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from eifer.errors import DesignError, Problem
from eifer.inputs import Floats, columns, names, numbers, offending, refuse

Ints = npt.NDArray[np.intp]


@dataclass(frozen=True)
class ParticipantDeltas:
    """AUC of two models within each participant.

    ``auc_a``, ``auc_b`` and ``delta`` (= a - b, above 0 in favour of model a) have the shape
    (participants, repetitions); ``mean`` is ``delta`` averaged over repetitions, shape
    (participants,). All are NaN for a participant whose items are of one class: such a person
    ranks nothing, and ``reasons`` says so by name. ``usable`` are the means of the others.
    """

    participants: tuple[str, ...]
    n_items: Ints
    n_positive: Ints
    auc_a: Floats
    auc_b: Floats
    delta: Floats
    mean: Floats
    reasons: Mapping[str, str]
    estimable: bool
    reason: str | None

    @property
    def usable(self) -> Floats:
        """``mean`` of the participants who have one."""
        return self.mean[~np.isnan(self.mean)]


def participant_deltas(
    participant: object, y_true: object, score_a: object, score_b: object
) -> ParticipantDeltas:
    """AUC of two models within each participant and repetition, and its difference.

    AUC = the share of a participant's pairs of an item of class 1 with one of class 0 in which the
    former has the higher score (ties count half); never flipped below .5. One sort a participant,
    model and repetition.

    A participant with items of one class alone has no AUC: there is nothing to rank. Who that is
    hangs on labels, not on scores, so leaving them out favours neither model; but it makes K
    smaller, and the answer is then about people who have both. `jackknife_deltas` keeps them.

    Parameters
    ----------
    participant : array_like, shape (items,)
        Whose item it is.
    y_true : array_like, shape (items,)
        Labels, 0 or 1.
    score_a, score_b : array_like, shape (items,) or (items, repetitions)
        Scores of the same items in the same order; column r of both is repetition r.

    Returns
    -------
    ParticipantDeltas
        Participants in the order of their names; not estimable where nobody has both classes.

    Raises
    ------
    InputError
        Different lengths or repetitions, a missing score, a label that is not 0 or 1, an item
        without participant.
    DesignError
        No item.

    References
    ----------
    Hanley & McNeil 1982, Radiology 143:29 (AUC as a share of pairs); Senn, Stevens & Chaturvedi
    2000, Stat. Med. 19:861 (a summary measure for each person).
    """
    codes, people, y, a, b = _read("participant_deltas", participant, y_true, score_a, score_b)
    n_items = np.bincount(codes, minlength=len(people))
    n_positive = np.bincount(codes, weights=y, minlength=len(people)).astype(np.intp)
    # Whole numbers up to the one division: equal differences are equal to the last bit, those
    # that cancel over repetitions are 0.
    won_a, won_b = (_won(codes, y, score, len(people)) for score in (a, b))
    pairs = n_positive * (n_items - n_positive).astype(float)
    pairs[pairs == 0] = np.nan
    won = won_a - won_b
    reasons = {
        name: f"all {n} items are of class {int(positive > 0)}"
        for name, n, positive in zip(people, n_items, n_positive, strict=True)
        if positive in (0, n)
    }
    some = len(reasons) < len(people)
    return ParticipantDeltas(
        participants=people,
        n_items=n_items,
        n_positive=n_positive,
        auc_a=won_a / (2 * pairs[:, None]),
        auc_b=won_b / (2 * pairs[:, None]),
        delta=won / (2 * pairs[:, None]),
        mean=won.sum(axis=1) / (2 * pairs * won.shape[1]),
        reasons=reasons,
        estimable=some,
        reason=None if some else "no participant has items of both classes",
    )


@dataclass(frozen=True)
class JackknifeDeltas:
    """The difference of two AUCs over everybody's items together, and who makes it.

    ``delta`` is averaged over repetitions; ``pseudo`` holds a value a participant, whose mean and
    standard error `t_paired` turns into a test over participants.
    """

    delta: float
    pseudo: Floats
    estimable: bool
    reason: str | None


def jackknife_deltas(
    participant: object, y_true: object, score_a: object, score_b: object
) -> JackknifeDeltas:
    """Difference of two models' AUC over all items together, with participants left out in turn.

    With d the difference of all K participants' items and d_(k) that without participant k, both
    averaged over repetitions, the pseudo-value is K d - (K - 1) d_(k). Unlike
    `participant_deltas` this keeps participants with one class, but it asks something else: it
    also ranks one person's items against another's, so that a model which recognises people who
    feel much gains by it.

    Parameters
    ----------
    participant, y_true, score_a, score_b : array_like
        As for `participant_deltas`.

    Returns
    -------
    JackknifeDeltas
        Not estimable with one participant, or where without one of them a class is gone.

    Raises
    ------
    InputError, DesignError
        As `participant_deltas`.

    References
    ----------
    Tukey 1958; Arvesen 1969, Ann. Math. Stat. 40:2076 (U-statistics); Obuchowski 1997,
    Biometrics 53:567 (clustered ROC curves).
    """
    codes, people, y, a, b = _read("jackknife_deltas", participant, y_true, score_a, score_b)
    k = len(people)
    if k < 2 or not 0 < y.sum() < len(y):
        why = "a single participant" if k < 2 else "all items are of one class"
        return JackknifeDeltas(np.nan, np.full(k, np.nan), False, why)
    (all_a, without_a), (all_b, without_b) = _left_out(codes, y, a, k), _left_out(codes, y, b, k)
    delta = float((all_a - all_b).mean())
    without = (without_a - without_b).mean(axis=1)
    alone = [name for name, value in zip(people, without, strict=True) if np.isnan(value)]
    if alone:
        why = f"only {' and '.join(alone)} shows one of the classes"
        return JackknifeDeltas(delta, np.full(k, np.nan), False, why)
    return JackknifeDeltas(delta, k * delta - (k - 1) * without, True, None)


def _read(
    subject: str, participant: object, y_true: object, score_a: object, score_b: object
) -> tuple[Ints, tuple[str, ...], Floats, Floats, Floats]:
    """Codes of participants by name, their names, labels, and scores with a column a repetition."""
    (y,) = columns(subject, y_true=y_true)
    whose = names(subject, "participant", participant, "say whose item it is")
    a, b = _scores(subject, score_a=score_a, score_b=score_b)
    problems = offending(
        "y_true", y, (y != 0) & (y != 1), "label that is not 0 or 1", "code the classes as 0 and 1"
    )
    for name, values in (("score_a", a), ("score_b", b)):
        problems += offending(
            name, values, np.isnan(values), "missing score", "score every item with both models"
        )
    if a.shape != b.shape or not len(a) == len(y) == len(whose):
        where = f"participant {whose.shape}, y_true {y.shape}, score_a {a.shape}, score_b {b.shape}"
        problems.append(
            Problem("different lengths or repetitions", where, "pair items and repetitions")
        )
    refuse(subject, problems)
    if not a.size:
        raise DesignError(f"{subject}: no item or no repetition was given")
    codes, people = pd.factorize(whose, sort=True)
    return codes.astype(np.intp), tuple(map(str, people)), y, a, b


def _scores(subject: str, **given: object) -> Iterator[Floats]:
    """Scores of both models with a column a repetition."""
    problems, read = [], []
    for name, values in given.items():
        try:
            array = numbers(values)
            array = array[:, None] if array.ndim == 1 else array
            fault = None if array.ndim == 2 else f"{name} has shape {array.shape}"
            read.append(array)
        except (TypeError, ValueError, OverflowError) as error:
            fault = f"{name} ({error})"
        if fault:
            remedy = "give numbers, one an item, or one an item and repetition"
            problems.append(Problem("not a list or table of numbers", fault, remedy))
    refuse(subject, problems)
    return iter(read)


def _won(codes: Ints, y: Floats, score: Floats, n_participants: int) -> Ints:
    """Twice the pairs that each participant's positives win, shape (participants, repetitions)."""
    wins = np.zeros((n_participants, score.shape[1]), dtype=np.intp)
    for code in range(n_participants):
        rows = codes == code
        high, low = score[rows & (y == 1)], score[rows & (y == 0)]
        for repetition in range(score.shape[1]):
            beaten = _beaten(high[:, repetition], np.sort(low[:, repetition]))
            wins[code, repetition] = beaten.sum()
    return wins


def _beaten(high: Floats, low: Floats) -> Ints:
    """Twice the number of ``low`` (sorted) below each of ``high``; a tie is half below."""
    return np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")


def _left_out(codes: Ints, y: Floats, score: Floats, n_participants: int) -> tuple[Floats, Floats]:
    """AUC of all items, shape (repetitions,), and without each participant, (participants, ...).

    NaN where the items left are of one class.
    """
    high, low = y == 1, y == 0
    whose = codes[high]
    of_high = np.bincount(whose, minlength=n_participants)
    of_low = np.bincount(codes[low], minlength=n_participants)
    pairs = (of_high.sum() - of_high) * (of_low.sum() - of_low)
    every = np.empty(score.shape[1])
    without = np.full((n_participants, score.shape[1]), np.nan)
    for repetition in range(score.shape[1]):
        # wins[i, j]: twice the pairs that positives of i win against negatives of j.
        wins = np.zeros((n_participants, n_participants))
        for code in range(n_participants):
            against = np.sort(score[low & (codes == code), repetition])
            beaten = _beaten(score[high, repetition], against)
            wins[:, code] = np.bincount(whose, weights=beaten, minlength=n_participants)
        total = wins.sum()
        every[repetition] = total / (2 * of_high.sum() * of_low.sum())
        rest = total - wins.sum(axis=0) - wins.sum(axis=1) + np.diag(wins)
        np.divide(rest, 2 * pairs, out=without[:, repetition], where=pairs > 0)
    return every, without
