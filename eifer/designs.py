"""Assignments: who counts as High and as Low, by the EI cutoff and by what stands beside it.

Each assignment leaves rotations, partitions and test frames as they are. It labels the participants
anew, or it keeps the EI groups and changes one thing of the training, so that models of two
assignments differ by that alone.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eifer.errors import DesignError, ParamsError, examples
from eifer.seeding import generator
from eifer.tables.partitions import (
    ASSIGNMENTS,
    CLASS_COLUMNS,
    CLASSES,
    GROUPS,
    SAME_GROUPS,
    SAMPLES,
)
from eifer.vocabulary import Dimension, Group, LabelSource, Partition

EI, MATCHED, OWN, CLEAR, FINAL, *_ = SAME_GROUPS
TERTILES = "tertiles"
NULL, ABOVE = re.compile(r"null\d\d+"), re.compile(r"above(\d+)")
LISTED = 20_000
"""Up to so many labellings are listed; of more, random ones are drawn."""
TRIES = 200
"""Draws for each random assignment asked for, before there seem to be no more."""

LEARNING = (Partition.TRAIN, Partition.VALIDATION)

Labels = NDArray[np.bool_]
"""Who is High: one a participant."""


def check_names(names: Sequence[str]) -> None:
    """Refuse a list of assignments that does not begin with ``ei``, or skips a null.

    Raises
    ------
    ParamsError
        With the name at fault.
    """
    if names[0] != EI:
        raise ParamsError("the first assignment is ei, with which the others are compared")
    named = (*SAME_GROUPS, TERTILES)
    known = f"there are {', '.join(named)}, above850 (another cutoff), null01, null02 ..."
    for name in names:
        if name not in named and not any(p.fullmatch(name) for p in (NULL, ABOVE)):
            raise ParamsError(f"no assignment {name!r}; {known}")
    nulls = [name for name in names if NULL.fullmatch(name)]
    wanted = [f"null{k:02d}" for k in range(1, len(nulls) + 1)]
    if nulls != wanted:
        raise ParamsError(
            f"random assignments are {', '.join(nulls)}; number them null01, null02 ... without gap"
        )


def assign(
    names: Sequence[str], partitions: pd.DataFrame, scores: pd.DataFrame, seed: int
) -> pd.DataFrame:
    """Label every participant in each assignment: the table ``ASSIGNMENTS``.

    **ei**, and what keeps its groups and changes something else (``SAME_GROUPS``): the groups in
    ``partitions``. **tertiles**: High is above the upper third of the EI scores, Low at or below
    the lower, the middle neither. **above850**: High is above that cutoff instead of the study's.
    **null01 ...**: the EI labels exchanged at random among participants who train, validate and
    are tested in the same rotations. Each part of each rotation then keeps its numbers of High and
    Low, and where EI does not matter every such labelling is as likely as the true one (a
    permutation test within strata; Good 2005, ch. 3). Participants who train nobody keep their
    label. No two are the same, nor is any the true one, also with High and Low exchanged. An
    assignment added leaves the others as they were.

    Parameters
    ----------
    names : sequence of str
        The study's assignments.
    partitions : DataFrame
        The table ``PARTITIONS``, of all rotations.
    scores : DataFrame
        The table ``EI_SCORES``.
    seed : int
        The study's seed.

    Raises
    ------
    DesignError
        If there are fewer random assignments than asked for that leave both classes to High and
        Low of every part.
    """
    people = partitions.drop_duplicates("participant_id").sort_values("participant_id")
    high = (people["group"] == Group.HIGH).to_numpy()
    held = _Held(partitions, people["participant_id"].tolist())
    drawn = _nulls(high, held, sum(map(bool, map(NULL.fullmatch, names))), seed)
    tables = []
    for name in names:
        if name == TERTILES or ABOVE.fullmatch(name):
            group = _by_score(name, people["participant_id"], scores)
        else:
            labels = next(drawn) if NULL.fullmatch(name) else high
            group = pd.Series(np.where(labels, *GROUPS), index=people.index)
        tables.append(people[["participant_id"]].assign(assignment=name, group=group))
    return ASSIGNMENTS.conform(pd.concat(tables))


class _Held:
    """What each participant brings to each part of each rotation that learns."""

    def __init__(self, partitions: pd.DataFrame, ids: list[str]) -> None:
        wide = partitions.pivot(index="participant_id", columns="rotation", values="partition")
        self.parts = wide.loc[ids]
        counts = partitions.drop_duplicates("participant_id").set_index("participant_id")
        self.carries = (counts.loc[ids, list(CLASS_COLUMNS)] > 0).to_numpy()

    def strata(self) -> list[NDArray[np.intp]]:
        """Participants who train and validate in the same rotations, if they do in any."""
        key = self.parts.agg(" ".join, axis=1).to_numpy()
        learns = (self.parts != Partition.TEST).any(axis=1).to_numpy()
        return [np.flatnonzero(key == name) for name in sorted(set(key[learns]))]

    def complete(self, *groups: Labels) -> bool:
        """Whether every part has all classes within each of the groups."""
        return all(
            self.carries[(self.parts[rotation] == part).to_numpy() & members].any(axis=0).all()
            for rotation in self.parts.columns
            for part in LEARNING
            for members in groups
        )


def _by_score(name: str, ids: pd.Series, scores: pd.DataFrame) -> pd.Series:
    score = ids.map(scores.set_index("participant_id")["ei_score"])
    cut = ABOVE.fullmatch(name)
    low, high = [float(cut[1])] * 2 if cut else np.quantile(score, [1 / 3, 2 / 3])
    group = pd.Series(np.where(score > high, *GROUPS), index=ids.index, dtype="object")
    return group.mask((score > low) & (score <= high))


def _nulls(high: Labels, held: _Held, wanted: int, seed: int) -> Iterator[Labels]:
    """``wanted`` different labellings of the same numbers; what there is before any is used."""
    strata = held.strata()
    # Of those who train nobody the labels stay: they tell no two assignments apart.
    learners = np.sort(np.concatenate(strata))
    seen = {_division(high[learners])}
    made: list[Labels] = []
    for labels in _labellings(high, strata, TRIES * wanted, seed):
        if len(made) == wanted:
            break
        division = _division(labels[learners])
        if division not in seen and held.complete(labels, ~labels):
            seen.add(division)
            made.append(labels)
    if len(made) < wanted:
        raise DesignError(
            f"split: {wanted} random assignments are asked for, and {len(made)} were found that "
            "differ from each other and from the EI groups (High and Low exchanged is the same) "
            f"and leave both classes to every part, among {len(strata)} strata of "
            f"{examples([f'{len(s)} participants ({int(high[s].sum())} High)' for s in strata])}"
            ". Name fewer in split.assignments, or add participants"
        )
    return iter(made)


def _division(labels: Labels) -> bytes:
    """The same for High and Low exchanged: the contrast is then the same but for its sign."""
    return (labels ^ labels[0]).tobytes()


def _labellings(
    high: Labels, strata: Sequence[NDArray[np.intp]], tries: int, seed: int
) -> Iterator[Labels]:
    """All labellings within the strata in random order, or so many random ones."""
    rng = generator(seed, "random assignments")
    chosen = [int(high[stratum].sum()) for stratum in strata]
    ways = math.prod(math.comb(len(s), k) for s, k in zip(strata, chosen, strict=True))
    if ways <= LISTED:
        sets = [itertools.combinations(s, k) for s, k in zip(strata, chosen, strict=True)]
        every = list(itertools.product(*sets))
        draws: Iterator[Any] = (every[i] for i in rng.permutation(ways))
    else:
        draws = (
            [rng.choice(s, k, replace=False) for s, k in zip(strata, chosen, strict=True)]
            for _ in range(tries)
        )
    for draw in draws:
        labels = high.copy()
        for stratum, which in zip(strata, draw, strict=True):
            labels[stratum] = np.isin(stratum, which)
        yield labels


def samples(
    unlabelled: Mapping[str, pd.DataFrame], assigned: pd.DataFrame, seed: int
) -> dict[str, pd.DataFrame]:
    """The table ``SAMPLES`` of each assignment by its name.

    Parameters
    ----------
    unlabelled : mapping of DataFrame
        From `eifer.partitions.samples`: for the assignment of an estimator's name the frames that
        it chose, by its name, and for all others those of the study's estimator, by "".
    assigned : DataFrame
        The table ``ASSIGNMENTS``.
    seed : int
        The study's seed.

    Raises
    ------
    DesignError
        As `label` does.
    """
    return {
        name: label(unlabelled.get(name, unlabelled[""]), assigned, name, seed)
        for name in assigned["assignment"].unique()
    }


def label(samples: pd.DataFrame, assignments: pd.DataFrame, name: str, seed: int) -> pd.DataFrame:
    """The samples of an assignment: the table ``SAMPLES``.

    **own** keeps of each task the frames that were ranked for it, as ``task_frames: own`` does, and
    **clear** those whose label was rated, not taken from the stimulus. Both leave the test frames
    alone. An assignment of an estimator's name keeps all ``samples``, which that estimator chose.

    For **matched**, of each rotation, task, partition and class as many frames of the larger
    group are kept as the smaller has, drawn at random and as evenly over its participants as can
    be; Total keeps as many, half of each group. Every training then takes as many steps, with the
    same share of high labels. How many people they show still differs.

    Parameters
    ----------
    samples : DataFrame
        From `eifer.partitions.samples`.
    assignments : DataFrame
        The table ``ASSIGNMENTS``.
    name : str
        The assignment.
    seed : int
        The study's seed.

    Raises
    ------
    DesignError
        If a rotation's train or validation part lacks a class within High or Low.
    """
    rotations = samples["rotation"].unique()
    if name == OWN:
        samples = samples[samples["ranked"]]
    if name == CLEAR:
        samples = samples[samples["label_source"] == LabelSource.RATING]
    group = assignments[assignments["assignment"] == name].set_index("participant_id")["group"]
    made = samples.drop(columns="ranked").assign(assignment=name, total=True)
    made["group"] = made["participant_id"].map(group)
    _refuse_lacking(made, name, rotations)
    return SAMPLES.conform(_matched(made, seed) if name == MATCHED else made)


def _refuse_lacking(made: pd.DataFrame, name: str, rotations: Iterable[str]) -> None:
    cell = ["rotation", "partition", "group", "task", "label"]
    there = set(made[cell].drop_duplicates().itertuples(index=False, name=None))
    for wanted in itertools.product(rotations, LEARNING, GROUPS, Dimension, (0, 1)):
        if wanted not in there:
            rotation, part, group, task, label = wanted
            raise DesignError(
                f"split: the assignment {name} leaves no {task} {CLASSES[label]} frames to the "
                f"{part} part of {group} in rotation {rotation}. Leave it out, or add participants"
            )


def _matched(samples: pd.DataFrame, seed: int) -> pd.DataFrame:
    samples = samples.sort_values(["rotation", "task", "item_id"], ignore_index=True)
    cell = ["rotation", "task", "partition", "label"]
    draw = pd.Series(generator(seed, "matched sizes").permutation(len(samples)))
    shuffled = samples.assign(draw=draw).sort_values("draw")
    shuffled["turn"] = shuffled.groupby([*cell, "group", "participant_id"]).cumcount()
    # In turns: a frame of everybody before a second one of anybody.
    shuffled = shuffled.sort_values(["turn", "draw"])
    shuffled["place"] = shuffled.groupby([*cell, "group"]).cumcount()
    sizes = shuffled.groupby([*cell, "group"]).size().unstack(fill_value=0)
    least = sizes.min(axis=1).reindex(pd.MultiIndex.from_frame(shuffled[cell])).to_numpy()
    half = np.where(shuffled["group"] == Group.HIGH, (least + 1) // 2, least // 2)
    shuffled["total"] = shuffled["place"] < half
    kept = shuffled[shuffled["place"] < least]
    return kept.drop(columns=["draw", "turn", "place"])
