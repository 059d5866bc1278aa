"""Who trains, who validates, who is tested and on which frames, and the proof that they differ.

Protocol section 6 (source: section 3.2.2). The order of things: `candidates`
says which frames each video would give to each test condition (before anyone
knows who is tested); `by_task` turns the stored frames into one row per task;
`divide` assigns every participant once; `samples` and `conditions` are what
that assignment means for frames; `prove_disjoint` shows that nothing leaks.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eifer.errors import (
    DesignError,
    InputError,
    ParamsError,
    Problem,
    describe,
    did_you_mean,
    examples,
)
from eifer.ranges import Count, Part, Text
from eifer.seeding import generator
from eifer.tables.attrition import left_out
from eifer.tables.partitions import (
    AVAILABILITY,
    CLASS_COLUMNS,
    CLASSES,
    CONDITIONS,
    GROUPS,
    PARTITIONS,
    SAMPLES,
)
from eifer.vocabulary import Dimension, Domain, Group, Partition

TEST_PARTITION = "test partition"
"""What those who cannot be tested are left out of."""
DRAWS = 4096
"""Assignments compared: all there are where they are fewer, else this many random ones."""


# the test conditions --------------------------------------------------------------------------

Order = Callable[[pd.DataFrame], "pd.Series[float]"]


@dataclass(frozen=True)
class Definition:
    """A test condition: the order in which it would take a video's frames.

    ``order(frames)`` gives each frame a number; the lowest come first, ties by
    lower frame, and a missing number keeps the frame out. ``frames`` holds one
    task's ``video_id, frame, label, estimate, alignment`` (direction x estimate)
    and ``selected`` (whether select ranked the frame for this task). A frame's
    number may depend on that frame alone, so that choosing among the stored
    candidates gives what choosing among all estimated frames would. ``sampled``
    conditions take a fixed number of frames per video, others every frame.
    """

    order: Order
    sampled: bool


REGISTRY: dict[str, Definition] = {}


def condition(*, sampled: bool) -> Callable[[Order], Order]:
    """Register the decorated function as the order of the condition of its name."""

    def register(order: Order) -> Order:
        REGISTRY[order.__name__] = Definition(order, sampled)
        return order

    return register


@condition(sampled=False)
def baseline(frames: pd.DataFrame) -> pd.Series[float]:
    """Take every selected frame, by falling magnitude."""
    return -frames["estimate"].abs().where(frames["selected"])


@condition(sampled=True)
def unambiguous(frames: pd.DataFrame) -> pd.Series[float]:
    """Take frames whose sign matches the label, the largest magnitude first."""
    return -frames["alignment"].where(frames["alignment"] > 0)


@condition(sampled=True)
def ambiguous(frames: pd.DataFrame) -> pd.Series[float]:
    """Take the strongest contradictions of the label first, then the weakest of the rest.

    One order serves both halves of the rule: below 0 alignment is minus the
    magnitude, from 0 upwards it is the magnitude.
    """
    return frames["alignment"]


def candidates(
    estimates: pd.DataFrame, labels: pd.DataFrame, *, names: Sequence[str], per_video: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose the frames that every video would give to each sampled condition of both tasks.

    Parameters
    ----------
    estimates : DataFrame
        ``video_id, participant_id, frame, arousal, valence``: one row per accepted frame.
    labels : DataFrame
        ``video_id, participant_id, arousal_label, valence_label``: one row per video.
    names : sequence of str
        The study's conditions. Those that are not sampled (baseline) need no candidates.
    per_video : int
        Frames per video.

    Returns
    -------
    candidates : DataFrame
        ``video_id, frame, task, condition, rank`` (1 is first).
    availability : DataFrame
        The table ``AVAILABILITY``: also videos that have too few frames, or none.

    Raises
    ------
    ParamsError
        If a condition is unknown.
    InputError
        If a video has estimates but no labels.
    """
    estimates = estimates.reset_index(drop=True)
    known = estimates["video_id"].isin(labels["video_id"])
    if not known.all():
        problems = [
            Problem("a video has estimates but no label", video, "repeat intake and estimate")
            for video in sorted(estimates.loc[~known, "video_id"].unique())
        ]
        raise InputError("candidates", problems)
    frames = estimates[["video_id", "frame"]].astype({"video_id": "category"})
    taken, counts = [], []
    for task in Dimension:
        label = estimates["video_id"].map(labels.set_index("video_id")[f"{task}_label"])
        posed = _aligned(frames.assign(label=label, estimate=estimates[task], selected=False))
        for name, kind in _conditions(names).items():
            if not kind.sampled:
                continue
            rank = _ranks(posed, ["video_id"], kind.order(posed))
            kept = posed.loc[rank.index[rank <= per_video], ["video_id", "frame"]]
            taken.append(kept.assign(task=task.value, condition=name, rank=rank))
            count = labels[["video_id", "participant_id"]].assign(task=task, condition=name)
            offered = posed.loc[rank.index, "video_id"].value_counts().to_dict()
            count["available"] = labels["video_id"].map(offered).fillna(0)
            counts.append(count.assign(label=labels[f"{task}_label"], asked=per_video))
    if not taken:
        columns = ["video_id", "frame", "task", "condition", "rank"]
        return pd.DataFrame(columns=columns), AVAILABILITY.empty()
    chosen = pd.concat(taken).astype({"video_id": "str"})
    chosen = chosen.sort_values(["video_id", "task", "condition", "rank"], ignore_index=True)
    return chosen, AVAILABILITY.conform(pd.concat(counts))


def _conditions(names: Sequence[str]) -> dict[str, Definition]:
    for name in names:
        if name not in REGISTRY:
            hint = did_you_mean(name, REGISTRY)
            raise ParamsError(f"no test condition {name!r}{hint} (there are {', '.join(REGISTRY)})")
    return {str(name): REGISTRY[name] for name in names}


def _aligned(frames: pd.DataFrame) -> pd.DataFrame:
    """With ``alignment``, in double precision so that nothing is rounded together."""
    return frames.assign(alignment=(2 * frames["label"] - 1) * frames["estimate"].astype("float64"))


def _ranks(frames: pd.DataFrame, by: list[str], order: pd.Series[float]) -> pd.Series[int]:
    """Places from 1 within ``by``, of the frames whose ``order`` is not missing."""
    ordered = frames[[*by, "frame"]].assign(order=order).dropna(subset="order")
    ordered = ordered.sort_values([*by, "order", "frame"])
    return ordered.groupby(by, sort=False, observed=True).cumcount() + 1


def by_task(selection: pd.DataFrame, *, task_frames: Literal["all", "own"]) -> pd.DataFrame:
    """List the stored frames once per task, with that task's label and estimate.

    Parameters
    ----------
    selection : DataFrame
        The table ``SELECTION`` (of every wave).
    task_frames : {"all", "own"}
        Whether all selected frames of a video serve both tasks, or each task keeps to the
        frames ranked for it.

    Returns
    -------
    DataFrame
        ``item_id, participant_id, video_id, frame, task, label, label_source, estimate,
        alignment, ranked, selected``; ``ranked`` is true for frames ranked for the task itself,
        ``selected`` false for those stored only as candidates for a test condition.
    """
    ranked = {task: selection[f"{task}_rank"].notna() for task in Dimension}
    either = ranked[Dimension.AROUSAL] | ranked[Dimension.VALENCE]
    tables = [
        selection[["item_id", "participant_id", "video_id", "frame"]].assign(
            task=task.value,
            label=selection[f"{task}_label"],
            label_source=selection[f"{task}_label_source"],
            estimate=selection[f"{task}_estimate"],
            ranked=ranked[task],
            selected=either if task_frames == "all" else ranked[task],
        )
        for task in Dimension
    ]
    return _aligned(pd.concat(tables, ignore_index=True))


# who goes where -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Design:
    """The study's choices about its split (each a parameter).

    ``test_participants`` names the test participants; when empty, ``test_per_group``
    of each group are drawn; in rotations neither counts, as everybody is tested.
    ``validation_share`` is the share of the remaining participants that validates.
    ``short_videos`` says what becomes of a participant one of whose videos is
    missing, or has too few frames for a condition: ``bar`` them from the test, so
    that every condition has its full number of frames, or let them in and
    ``record`` what is short. A video is short where face and rating disagree in
    most frames, so that ``bar`` tests people whose faces follow their ratings.
    """

    test_per_group: Count
    test_participants: tuple[Text, ...]
    validation_share: Part
    short_videos: Literal["bar", "record"]


@dataclass(frozen=True)
class _Cohort:
    """What the assignment looks at, participants in the order of their names.

    ``frames`` (participants, tasks, classes) counts selected frames; ``testable``
    (participants, conditions, tasks, classes) says which classes a participant
    could show in each condition.
    """

    ids: list[str]
    group: NDArray[np.str_]
    frames: NDArray[np.int64]
    testable: NDArray[np.bool_]
    barred: dict[str, str]

    def of(self, group: Group) -> NDArray[np.bool_]:
        return np.ones(len(self.ids), bool) if group is Group.TOTAL else self.group == group.value


def divide(
    frames: pd.DataFrame,
    groups: pd.DataFrame,
    availability: pd.DataFrame,
    *,
    design: Design,
    rotations: Sequence[str],
    seed: int,
) -> tuple[pd.DataFrame, list[dict[str, object]]]:
    """Give every participant one part of the cohort in each rotation: train, validation or test.

    With three **rotations** or more, everybody who may be tested is tested in one of them, by
    models that never saw them. High and Low are dealt into as many folds, their numbers differing
    by one at most between folds; in rotation k fold k tests, the next
    ``round(validation_share x (rotations - 1))`` (at least one) validate, all others train, and
    so do those who cannot be tested. Of `DRAWS` random deals in which every rotation has both
    classes of both tasks in each condition of its test, and within High and within Low of train
    and of validation, the one is taken whose label proportions differ least (as below).

    With one rotation the test set is fixed. **Test**: as many High as Low participants, drawn by
    ``seed`` (or named), such that both classes of both tasks occur among them in every condition.
    **Validation**: ``round(share x rest)`` of the rest (halves up), shared between
    High and Low by their numbers (largest remainder, a tie to High), at least one
    of each. Of all such assignments (or `DRAWS` random ones) with both classes of
    both tasks in train and in validation, within High and within Low, the one
    whose label proportions differ least between train and validation: the largest
    difference over both tasks and Total, High and Low, counted in frames. Ties
    are broken by ``seed``. A test set whose rest cannot be divided so is passed over.

    scikit-learn's ``StratifiedGroupKFold`` does not serve here: it stratifies by one
    label, knows shares of 1/k only, and does not see to it that both groups validate.

    Parameters
    ----------
    frames : DataFrame
        From `by_task`.
    groups : DataFrame
        ``participant_id, group``: one row per participant with an EI score.
    availability : DataFrame
        The table ``AVAILABILITY`` (of every wave).
    design : Design
        The study's choices.
    rotations : sequence of str
        Names of the rotations: one, or at least three.
    seed : int
        The study's seed.

    Returns
    -------
    partitions : DataFrame
        The table ``PARTITIONS``. The same for any order of the rows given.
    attrition : list of dict
        Rows of ``ATTRITION``: participants in no partition, participants barred from the
        test, and the frames that a test video is short of.

    Raises
    ------
    InputError
        If a participant with frames has no group, or two.
    DesignError
        If the cohort cannot be divided so, with the counts that forbid it.
    """
    cohort, attrition = _cohort(frames, groups, availability, design)
    if len(rotations) == 1:
        parts = _fixed(cohort, design, seed)[None]
    else:
        parts = _rotated(cohort, design, len(rotations), seed)
    table = pd.concat(
        pd.DataFrame({"participant_id": cohort.ids, "group": cohort.group}).assign(
            rotation=name, partition=part
        )
        for name, part in zip(rotations, parts, strict=True)
    )
    items = frames[frames["selected"]].drop_duplicates("item_id").groupby("participant_id")
    table["n_videos"] = table["participant_id"].map(items["video_id"].nunique())
    table["n_frames"] = table["participant_id"].map(items.size())
    classes = cohort.frames.reshape(len(cohort.ids), -1)
    table[list(CLASS_COLUMNS)] = np.tile(classes, (len(rotations), 1))
    tested = set(table.loc[table["partition"] == Partition.TEST, "participant_id"])
    attrition += [
        left_out("participant", who, TEST_PARTITION, why) for who, why in cohort.barred.items()
    ]
    attrition += [
        left_out(
            "frame",
            row["participant_id"],
            f"{row['condition']} frames for {row['task']}",
            f"the video has {row['available']} of the {row['asked']} asked for",
            video_id=row["video_id"],
            n=row["asked"] - row["available"],
        )
        for row in _short(availability)
        if row["participant_id"] in tested
    ]
    return PARTITIONS.conform(table), attrition


def _fixed(cohort: _Cohort, design: Design, seed: int) -> NDArray[np.object_]:
    """Each participant's partition: a test set first, then who validates of the rest."""
    tests = _test_sets(cohort, design, seed)
    for test in tests[_dividable(cohort, tests)]:
        validation = _validation(cohort, ~test, design.validation_share, seed)
        if validation is not None:
            return _parts(test, validation)
    raise DesignError(_undividable(cohort, tests))


def _parts(test: NDArray[np.bool_], validation: NDArray[np.bool_]) -> NDArray[np.object_]:
    rest = np.where(validation, Partition.VALIDATION.value, Partition.TRAIN.value)
    return np.where(test, Partition.TEST.value, rest).astype(object)


def _rotated(cohort: _Cohort, design: Design, n: int, seed: int) -> NDArray[np.object_]:
    """Each participant's partition in each of ``n`` rotations, of the most balanced deal."""
    pools = _pools(cohort)
    if n < 3 or min(map(len, pools)) < n:
        able = " and ".join(f"{len(p)} {g}" for p, g in zip(pools, GROUPS, strict=True))
        raise DesignError(
            f"split: {n} rotations cannot be balanced with {able} participants who can be tested: "
            "each rotation tests at least one of either group, and there are at least 3, so that "
            "one tests, one validates and one trains. Change split.rotations, add participants, "
            "or set short_videos to record in params"
        )
    validating = min(max(1, math.floor(design.validation_share * (n - 1) + 0.5)), n - 2)
    rng = generator(seed, "rotations")
    best, least = None, math.inf
    for _ in range(DRAWS // n):
        fold = np.full(len(cohort.ids), -1)
        for pool, start in zip(pools, (0, len(pools[0])), strict=True):
            fold[rng.permutation(pool)] = (np.arange(len(pool)) + start) % n
        after = (fold[None] - np.arange(n)[:, None]) % n
        test = (after == 0) & (fold >= 0)
        validation = (after >= 1) & (after <= validating) & (fold >= 0)
        worst = max(
            float(_worst(cohort, v[None], ~t)[0]) if _shows(cohort, t[None])[0] else math.inf
            for t, v in zip(test, validation, strict=True)
        )
        worst = round(worst, 9)
        if worst < least:
            best, least = (test, validation), worst
    if best is None:
        raise DesignError(
            f"split: none of {DRAWS // n} ways to deal participants into {n} rotations has both "
            "classes of both tasks in every test condition, and within High and within Low of "
            f"train and of validation. Participants with frames: "
            f"{_carriers(cohort, np.ones(len(cohort.ids), dtype=bool))}. Name fewer rotations, or "
            "add participants"
        )
    return np.array([_parts(t, v) for t, v in zip(*best, strict=True)])


def _pools(cohort: _Cohort) -> list[NDArray[np.intp]]:
    """Who can be tested of High, and of Low."""
    free = np.array([who not in cohort.barred for who in cohort.ids])
    return [np.flatnonzero((cohort.group == group) & free) for group in GROUPS]


def _short(availability: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """List the videos and conditions with fewer frames than asked, in the order of their key."""
    short = availability[availability["available"] < availability["asked"]]
    return short.sort_values(list(AVAILABILITY.key)).to_dict("records")


def _cohort(
    frames: pd.DataFrame, groups: pd.DataFrame, availability: pd.DataFrame, design: Design
) -> tuple[_Cohort, list[dict[str, object]]]:
    selected = frames[frames["selected"]]
    ids = sorted(selected["participant_id"].unique())
    known = groups.set_index("participant_id")["group"]
    problems = [
        Problem("a participant has no EI group", who, "repeat stratify, or exclude them in params")
        for who in ids
        if who not in known.index
    ]
    problems += [
        Problem("a participant has two EI groups", who, "repeat stratify")
        for who in known.index[known.index.duplicated()]
    ]
    if problems:
        raise InputError("split", problems)

    counts = _tally(selected.assign(n=1), ids)
    # The baseline shows the classes of the selected frames; the others, those of their own.
    shown = [rows.assign(n=rows["available"]) for _, rows in availability.groupby("condition")]
    testable = [counts > 0, *(_tally(rows, ids) > 0 for rows in shown)]
    cohort = _Cohort(
        ids,
        np.array([known[who] for who in ids], dtype=np.str_),
        counts,
        np.stack(testable, axis=1),
        _barred(availability, ids) if design.short_videos == "bar" else {},
    )
    absent = sorted(set(known.index) - set(ids))
    reason = "none of the participant's frames was selected"
    return cohort, [left_out("participant", who, "partitions", reason) for who in absent]


def _tally(rows: pd.DataFrame, ids: list[str]) -> NDArray[np.int64]:
    """Sum of ``n`` by participant, task and class."""
    sums = rows.groupby(["participant_id", "task", "label"])["n"].sum()
    every = pd.MultiIndex.from_product([ids, [task.value for task in Dimension], [0, 1]])
    return sums.reindex(every, fill_value=0).to_numpy(np.int64).reshape(len(ids), -1, 2)


def _barred(availability: pd.DataFrame, ids: list[str]) -> dict[str, str]:
    """Why each participant who cannot be tested cannot."""
    reasons: dict[str, list[str]] = {who: [] for who in ids}
    videos = availability.groupby("participant_id")["video_id"].nunique()
    for who in ids:
        if videos.get(who, 0) < len(Domain):
            reasons[who].append(f"{videos.get(who, 0)} of {len(Domain)} videos")
    for row in _short(availability):
        if row["participant_id"] in reasons:
            reasons[row["participant_id"]].append(
                f"{row['video_id']} has {row['available']} of {row['asked']} {row['condition']} "
                f"frames for {row['task']}"
            )
    return {who: f"cannot be tested: {examples(why)}" for who, why in reasons.items() if why}


def _test_sets(cohort: _Cohort, design: Design, seed: int) -> NDArray[np.bool_]:
    """Every admissible choice of test participants (sets, participants), in the seed's order."""
    ids = np.array(cohort.ids)
    if design.test_participants:
        chosen = _named_test_set(cohort, design)
    else:
        pools = _pools(cohort)
        if min(map(len, pools)) < design.test_per_group:
            first = [f"{who} {why.split(', ')[0]}" for who, why in cohort.barred.items()]
            raise DesignError(
                f"split: the test needs {design.test_per_group} participants of each group, but "
                + " and ".join(
                    f"{len(pool)} of {cohort.of(g).sum()} {g} participants can be tested"
                    for pool, g in zip(pools, GROUPS, strict=True)
                )
                + (f" ({examples(first)})" if first else "")
                + ". Add participants, or change frames_per_video, test_per_group or short_videos "
                "in params."
            )
        rng = generator(seed, "test participants")
        chosen = _draws(rng, pools, [design.test_per_group] * 2, len(ids))
    admissible = _shows(cohort, chosen)
    if not admissible.any():
        who = examples(ids[chosen[0]]) if len(chosen) == 1 else f"any of {len(chosen)} choices"
        members = np.logical_or.reduce(chosen)
        raise DesignError(
            f"split: both classes of both tasks must occur in every test condition; not so with "
            f"{who}. Participants with frames: {_carriers(cohort, members)}. "
            "Name other test participants, add some, or change short_videos in params."
        )
    admitted: NDArray[np.bool_] = chosen[admissible]
    return admitted


def _shows(cohort: _Cohort, tests: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which test sets (sets, participants) show both classes of both tasks in every condition."""
    shown = cohort.testable.reshape(len(cohort.ids), -1).astype(np.int64)
    return np.asarray((tests @ shown > 0).all(axis=1))


def _named_test_set(cohort: _Cohort, design: Design) -> NDArray[np.bool_]:
    named = design.test_participants
    problems = [
        Problem(
            "not a participant with selected frames",
            f"{who}{did_you_mean(who, cohort.ids)}",
            "correct test_participants in params",
        )
        for who in named
        if who not in cohort.ids
    ]
    problems += [
        Problem(
            "a named test participant falls short",
            f"{who} {cohort.barred[who]}",
            "name another, or set short_videos to record in params",
        )
        for who in named
        if who in cohort.barred
    ]
    chosen = np.isin(cohort.ids, named)
    counts = {group: int((chosen & cohort.of(group)).sum()) for group in GROUPS}
    if set(counts.values()) != {design.test_per_group} or len(set(named)) != len(named):
        problems.append(
            Problem(
                f"the test needs {design.test_per_group} different participants of each group",
                " and ".join(f"{n} {group}" for group, n in counts.items()),
                "correct test_participants or test_per_group in params",
            )
        )
    if problems:
        raise DesignError(describe("split: test participants", problems))
    return chosen[None]


def _dividable(cohort: _Cohort, tests: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which test sets leave each class to two participants of each group: one for each part."""
    carry = (cohort.frames > 0).reshape(len(cohort.ids), -1).astype(np.int64)
    able = np.ones(len(tests), dtype=bool)
    for group in GROUPS:
        able &= ((~tests & cohort.of(group)) @ carry >= 2).all(axis=1)
    return able


def _validation(
    cohort: _Cohort, rest: NDArray[np.bool_], share: float, seed: int
) -> NDArray[np.bool_] | None:
    """Choose who of ``rest`` validates; None where no choice has all classes."""
    pools = [np.flatnonzero((cohort.group == group) & rest) for group in GROUPS]
    take = _validation_sizes([len(pool) for pool in pools], share)
    rng = generator(seed, "validation participants")
    chosen = _draws(rng, pools, take, len(rest))
    worst = _worst(cohort, chosen, rest)
    if not np.isfinite(worst).any():
        return None
    # Rounded, so that sums taken in another order cannot turn a tie into a choice.
    best: NDArray[np.bool_] = chosen[worst.round(9).argmin()]
    return best


def _worst(
    cohort: _Cohort, chosen: NDArray[np.bool_], rest: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """For each choice of who of ``rest`` validates, the largest difference of label proportions.

    Infinite where a class is missing within High or Low, in train or in validation.
    """
    worst = np.zeros(len(chosen))
    for group in Group:
        members = rest & cohort.of(group)
        held = cohort.frames[members]
        inside = np.tensordot(chosen[:, members].astype(np.float64), held, axes=1)
        outside = held.sum(axis=0) - inside
        difference = np.abs(_share_high(inside) - _share_high(outside)).max(axis=1)
        complete = ((inside > 0) & (outside > 0)).all(axis=(1, 2))
        worst = np.where(complete, np.maximum(worst, difference), np.inf)
    return worst


def _share_high(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Give class 1's share of ``counts[..., class]``; 0 where there is nothing."""
    return counts[..., 1] / np.maximum(counts.sum(axis=-1), 1)


def _validation_sizes(sizes: Sequence[int], share: float) -> list[int]:
    """How many of High and of Low validate: in each at least one, and one who does not."""
    total = max(2, math.floor(share * sum(sizes) + 0.5))
    high = math.floor(total * sizes[0] / sum(sizes) + 0.5)
    return [min(max(n, 1), size - 1) for n, size in zip((high, total - high), sizes, strict=True)]


def _draws(
    rng: np.random.Generator, pools: Sequence[NDArray[np.intp]], take: Sequence[int], n: int
) -> NDArray[np.bool_]:
    """Ways to take ``take[i]`` of each of two ``pools``, as masks (ways, n), in random order."""
    first, second = (_subsets(rng, len(p), k) for p, k in zip(pools, take, strict=True))
    if len(first) * len(second) <= DRAWS:
        i, j = np.divmod(rng.permutation(len(first) * len(second)), len(second))
    else:
        i, j = rng.integers(len(first), size=DRAWS), rng.integers(len(second), size=DRAWS)
    chosen = np.zeros((len(i), n), dtype=bool)
    rows = np.arange(len(i))[:, None]
    chosen[rows, pools[0][first[i]]] = True
    chosen[rows, pools[1][second[j]]] = True
    return chosen


def _subsets(rng: np.random.Generator, n: int, k: int) -> NDArray[np.intp]:
    """Subsets of size ``k`` of ``range(n)``: all, or `DRAWS` random ones."""
    if math.comb(n, k) <= DRAWS:
        return np.array(list(itertools.combinations(range(n), k)), dtype=np.intp).reshape(-1, k)
    return rng.random((DRAWS, n)).argsort(axis=1)[:, :k]


def _undividable(cohort: _Cohort, tests: NDArray[np.bool_]) -> str:
    rest = ~tests[0]
    parts = [
        f"{(rest & cohort.of(g)).sum()} {g} ({_carriers(cohort, rest & cohort.of(g))})"
        for g in GROUPS
    ]
    return (
        "split: train and validation must each have both classes of both tasks, within High and "
        f"within Low; none of the divisions tried (for {len(tests)} choices of test participants) "
        f"has. After the first test set ({examples(np.array(cohort.ids)[tests[0]])}) there remain "
        + " and ".join(parts)
        + ". Each class needs two participants of each group. Add participants, lower "
        "test_per_group, or let all selected frames serve both tasks (task_frames: all) in params."
    )


def _carriers(cohort: _Cohort, members: NDArray[np.bool_]) -> str:
    carry = (cohort.frames[members] > 0).sum(axis=0)
    return ", ".join(
        f"{name} {task} {carry[i, c]}"
        for i, task in enumerate(Dimension)
        for c, name in enumerate(CLASSES)
    )


# what that means for frames -------------------------------------------------------------------


def every_sample(
    frames: pd.DataFrame,
    others: pd.DataFrame,
    partitions: pd.DataFrame,
    *,
    task_frames: Literal["all", "own"],
) -> dict[str, pd.DataFrame]:
    """`samples` of the study's estimator by "", and of each other one by its name.

    ``others`` is the table ``OTHER_SELECTION``; the other parameters are those of `samples` and
    `by_task`.
    """
    chosen = {"": frames}
    for name, own in others.groupby("estimator"):
        chosen[str(name)] = by_task(own, task_frames=task_frames)
    return {name: samples(of, partitions) for name, of in chosen.items()}


def samples(frames: pd.DataFrame, partitions: pd.DataFrame) -> pd.DataFrame:
    """List the frames to train and validate on in each rotation, before anybody is High or Low.

    Parameters
    ----------
    frames : DataFrame
        From `by_task`.
    partitions : DataFrame
        The table ``PARTITIONS``.

    Returns
    -------
    DataFrame
        The columns of ``SAMPLES`` but ``assignment``, ``group`` and ``total``, and ``ranked`` as in
        ``frames``.
    """
    trained = partitions[partitions["partition"] != Partition.TEST]
    whose = trained[["rotation", "participant_id", "partition"]]
    kept = frames[frames["selected"]].merge(whose, on="participant_id")
    later = ("assignment", "group", "total")
    return kept[[*(name for name in SAMPLES.names if name not in later), "ranked"]]


def conditions(
    frames: pd.DataFrame, partitions: pd.DataFrame, *, names: Sequence[str], per_video: int
) -> pd.DataFrame:
    """List the frames to test on, per task and condition: the table ``CONDITIONS``.

    Only test participants' frames; the same frame may be in the baseline and in
    another condition. ``frames`` holds every candidate, so that the first
    ``per_video`` of them are the first of all estimated frames.

    Parameters
    ----------
    frames : DataFrame
        From `by_task`.
    partitions : DataFrame
        The table ``PARTITIONS``.
    names : sequence of str
        The study's conditions.
    per_video : int
        Frames per video in sampled conditions, as it was for `candidates`.

    Raises
    ------
    ParamsError
        If a condition is unknown.
    """
    whose = ["rotation", "participant_id", "group"]
    tested = partitions.loc[partitions["partition"] == Partition.TEST, whose]
    held = frames.merge(tested, on="participant_id", validate="many_to_one")
    tables = [CONDITIONS.empty()]
    for name, kind in _conditions(names).items():
        rank = _ranks(held, ["video_id", "task"], kind.order(held))
        rank = rank[rank <= per_video] if kind.sampled else rank
        tables.append(held.loc[rank.index].assign(condition=name, rank=rank)[CONDITIONS.names])
    return CONDITIONS.conform(pd.concat(tables[1:] or tables))


# the proof ------------------------------------------------------------------------------------


def prove_disjoint(
    partitions: pd.DataFrame,
    samples: pd.DataFrame,
    conditions: pd.DataFrame,
    compared: Sequence[Mapping[str, object]],
) -> dict[str, object]:
    """Gather what an auditor needs to see, and to recompute, that nothing leaks in a rotation.

    All tables hold that rotation alone. ``compared`` are the pairs whose pictures were compared,
    from `eifer.likeness.compare`.

    Returns
    -------
    dict
        Ready for JSON. ``sets``: size and digest of the participants of each partition, and of
        the items of train, validation and each condition. ``pairs``: for every two sets that
        must not meet, how many they share (and five examples), and for pictures how many
        were ``compared``. ``disjoint``: whether all share
        none. ``overlaps``: conditions may share frames with each other; how many do. ``counts``:
        frames per set, task, group and class. ``balance``: validation's share of participants
        and frames, and the share of high labels on either side.
    """
    people = {
        part.value: set(partitions.loc[partitions["partition"] == part, "participant_id"])
        for part in Partition
    }
    sampled = {
        part.value: samples[samples["partition"] == part]
        for part in (Partition.TRAIN, Partition.VALIDATION)
    }
    tested = {str(name): rows for name, rows in conditions.groupby("condition")}
    tables = sampled | tested
    # Who a set's frames show, besides who the assignment says: a leak can be in either.
    shown = {f"shown in {name}": set(rows["participant_id"]) for name, rows in tables.items()}
    items = {name: set(rows["item_id"]) for name, rows in tables.items()}
    sides = [[f"shown in {name}" for name in names] for names in (sampled, tested)]
    pairs = [_meeting("participants", people, a, b) for a, b in itertools.combinations(people, 2)]
    for kind, sets, (left, right) in (
        ("participants", shown, sides),
        ("items", items, [list(sampled), list(tested)]),
    ):
        pairs.append(_meeting(kind, sets, *left))
        pairs += [_meeting(kind, sets, a, b) for a, b in itertools.product(left, right)]
    pairs += map(dict, compared)
    return {
        "digest": "sha256 of the sorted ids, joined by line feeds, in UTF-8",
        "disjoint": not any(pair["shared"] for pair in pairs),
        "sets": {
            kind: {name: {"n": len(ids), "sha256": _digest(ids)} for name, ids in sets.items()}
            for kind, sets in (("participants", people | shown), ("items", items))
        },
        "pairs": pairs,
        "overlaps": [_meeting("items", items, a, b) for a, b in itertools.combinations(tested, 2)],
        "counts": [
            {"set": name, **dict(zip(("task", "group", "class"), key, strict=True)), "n": int(n)}
            for name, rows in tables.items()
            for key, n in _class_counts(rows).items()
        ],
        "balance": _balance(partitions, samples),
    }


def _class_counts(rows: pd.DataFrame) -> dict[tuple[str, str, str], int]:
    named = rows["label"].map(dict(enumerate(CLASSES)))
    sizes = rows.groupby([rows["task"], rows["group"], named.rename("class")]).size()
    every = itertools.product(Dimension, GROUPS, CLASSES)
    return {
        (task.value, group.value, name): int(sizes.get((task.value, group.value, name), 0))
        for task, group, name in every
    }


def _meeting(kind: str, sets: Mapping[str, set[str]], a: str, b: str) -> dict[str, object]:
    shared = sorted(sets[a] & sets[b])
    return {"of": kind, "a": a, "b": b, "shared": len(shared), "examples": shared[:5]}


def _digest(ids: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()


def _balance(partitions: pd.DataFrame, samples: pd.DataFrame) -> list[dict[str, object]]:
    rest = partitions[partitions["partition"] != Partition.TEST]
    rows: list[dict[str, object]] = []
    for group, task in itertools.product(Group, Dimension):
        people = rest if group is Group.TOTAL else rest[rest["group"] == group]
        held = samples[
            (samples["task"] == task) & samples["participant_id"].isin(people.iloc[:, 0])
        ]
        validates = held["partition"] == Partition.VALIDATION
        rows.append(
            {
                "group": group.value,
                "task": task.value,
                "validation_share_of_participants": _mean(
                    people["partition"] == Partition.VALIDATION
                ),
                "validation_share_of_frames": _mean(validates),
                "high_share_in_train": _mean(held.loc[~validates, "label"]),
                "high_share_in_validation": _mean(held.loc[validates, "label"]),
            }
        )
    return rows


def _mean(values: pd.Series) -> float | None:
    return round(float(values.mean()), 6) if len(values) else None
