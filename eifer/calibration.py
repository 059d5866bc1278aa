"""How often each test of the comparison claims an effect, in predictions whose truth is known.

Predictions of High, Low and Total are drawn, not trained, and go through the code that the stats
stage runs. A test that holds its level rejects in alpha of the cohorts without an effect; the
power of the primary test at a true difference is how often it finds it.

A frame's score is, before it is squeezed into 0..1,
direction x separation / 2 + participant + video + repetition + frame + noise, with direction -1 or
+1 by the video's label; its terms are normal, and `Spread` says which of them what shares.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from annotated_types import Ge, MultipleOf
from scipy.special import expit, ndtri

from eifer.comparison import ComparisonSpec, ParticipantSpec, as_published, by_participant
from eifer.comparison.participants import smallest_p
from eifer.ranges import Count, Draws, NotNegative, Part, Share
from eifer.seeding import generator
from eifer.statistics import participant_deltas, sign_flip, t_paired, tost_paired
from eifer.statistics.shares import wilson
from eifer.tables.calibration import (
    BLOCKS,
    CALIBRATION,
    DESIGN,
    OF_DIFFERENCES,
    PARTICIPANT,
    POWER,
    PUBLISHED,
    people,
)
from eifer.tables.comparison import FINE_TUNED
from eifer.vocabulary import Dimension, Group

Floats = npt.NDArray[np.float64]
Row = dict[Hashable, Any]

MODELS = (Group.HIGH, Group.LOW, Group.TOTAL)
ITEMS = 2000
"""Frames of a task, over its cohorts: many small cohorts are tested in one go."""
CONTRAST = f"{Group.HIGH}-{Group.LOW}"
"""The contrast that is counted; High-Total is drawn alike and says the same."""


@dataclass(frozen=True)
class Design:
    """A test set: people, videos of each (half of them labelled high), frames of each video.

    ``training`` is the SD of how well a training separates the classes, in everybody alike. At 0
    models differ by chance in persons only; above it, a model can be better by luck of its
    training, which no number of test participants tells from a better training set. ``auc`` is the
    mean of two models' ROC-AUC within a person, and ``ease`` the SD of how much easier one person
    is to read than another, for every model: above 0 few people hold most errors.
    """

    participants: int
    videos: int
    frames: int
    repetitions: int
    training: float
    auc: float
    ease: float


@dataclass(frozen=True)
class Spread:
    """Standard deviations of a score's terms, on one arbitrary scale.

    Parameters
    ----------
    participant
        All frames of a person, in every model alike.
    video
        All frames of a video, in every model alike.
    model_participant
        How much better one model separates one person's classes than another's.
    repetition
        All frames of a video, in one training alone.
    frame
        A frame, in every model alike.
    noise
        A frame, in one training alone.
    """

    participant: NotNegative
    video: NotNegative
    model_participant: NotNegative
    repetition: NotNegative
    frame: NotNegative
    noise: NotNegative


@dataclass(frozen=True)
class Plan:
    """What is drawn: a `Design` for each number of participants, and of each so many cohorts.

    ``effects`` are the true differences, planted in turn: the true AUC of High less that of the
    others, which lie as far below ``auc`` as High above. ``simulations`` are the cohorts of each.
    """

    participants: tuple[Annotated[Count, Ge(2)], ...]
    videos: Annotated[Count, Ge(2), MultipleOf(2)]
    frames: Count
    repetitions: Annotated[Count, Ge(2)]
    training: NotNegative
    auc: Part
    ease: NotNegative
    effects: tuple[Share, ...]
    simulations: Draws

    def __post_init__(self) -> None:
        """Refuse models that cannot lie so far apart."""
        largest = max(self.effects, default=0)
        if self.auc - largest / 2 <= 0.5 or self.auc + largest / 2 >= 1:
            raise ValueError(
                f"models {largest:g} apart around auc {self.auc:g}: both must lie between .5 and 1"
            )

    def designs(self) -> list[Design]:
        """The designs, by their number of participants."""
        rest = (self.videos, self.frames, self.repetitions, self.training, self.auc, self.ease)
        return [Design(people, *rest) for people in self.participants]


@dataclass(frozen=True)
class CalibrationSpec:
    """What is drawn, and how often. The lists hold plans: see `eifer/calibration.py`.

    Parameters
    ----------
    spread
        What makes frames alike.
    tests
        Plans that go through every test of both blocks.
    people
        Plans for the tests of participants' differences alone: a hundredth of the time.
    flips
        Random signs where not all can be listed. Fewer than in stats, for there are many cohorts;
        the test is valid with any number.
    found
        Plans in which the smallest difference is sought that those tests find.
    power
        The share of cohorts in which it has to be found.
    """

    spread: Spread
    tests: tuple[Plan, ...]
    people: tuple[Plan, ...]
    flips: Draws
    found: tuple[Plan, ...]
    power: Part


# drawing --------------------------------------------------------------------------------------


def separation(auc: float, design: Design, spread: Spread) -> float:
    """The distance of the classes at which the expected ROC-AUC within a person is ``auc``.

    A high and a low frame of a person differ by a normal variable with this mean and the variance
    model_participant^2 + training^2 + ease^2 + 2 (video^2 + repetition^2 + frame^2 + noise^2), and
    the AUC is the probability that it lies above 0 (two different videos: no term is shared).
    """
    own = spread.video**2 + spread.repetition**2 + spread.frame**2 + spread.noise**2
    shared = spread.model_participant**2 + design.training**2 + design.ease**2
    return float(ndtri(auc)) * math.sqrt(shared + 2 * own)


def draw(design: Design, spread: Spread, effect: float, seed: int, number: int) -> Floats:
    """One cohort's scores before they are squeezed: its models differ by ``effect`` on average.

    The draws of cohort ``number`` are the same for every effect, so that power rises with it, and
    for even and uneven people.

    Returns
    -------
    ndarray, shape (models, repetitions, participants, videos, frames)
        In the order of `MODELS`; videos of odd position (counted from 0) are labelled high.
    """
    people, videos, frames = design.participants, design.videos, design.frames
    models, repetitions = len(MODELS), design.repetitions
    rng = generator(seed, "cohort", people, videos, frames, repetitions, design.training, number)

    def normal(sd: float, *shape: int) -> Floats:
        return sd * rng.standard_normal(shape)

    better, other = (separation(design.auc + side * effect / 2, design, spread) for side in (1, -1))
    mean = np.array([better, other, other]).reshape(models, 1, 1, 1, 1)
    apart = (
        mean
        + normal(design.training, models, repetitions, 1, 1, 1)
        + normal(spread.model_participant, models, 1, people, 1, 1)
    )
    direction = np.where(_high(design), 0.5, -0.5)[:, None]
    scores = (
        apart * direction
        + normal(spread.participant, people, 1, 1)
        + normal(spread.video, people, videos, 1)
        + normal(spread.repetition, models, repetitions, people, videos, 1)
        + normal(spread.frame, people, videos, frames)
        + normal(spread.noise, models, repetitions, people, videos, frames)
    )
    return scores + normal(design.ease, people, 1, 1) * direction


def _high(design: Design) -> npt.NDArray[np.bool_]:
    return np.arange(design.videos) % 2 == 1


@lru_cache(maxsize=1)
def _frames(design: Design) -> pd.DataFrame:
    """What every cohort of a design has in common: its rows in the order of the scores."""
    shape = (len(MODELS), design.repetitions, design.participants, design.videos, design.frames)
    model, repetition, person, video, frame = (i.ravel() for i in np.indices(shape))
    participants = pd.Series([f"sub-{k + 1:02d}" for k in range(design.participants)])
    names = participants.iloc[person].reset_index(drop=True)
    runs = names + "_run-" + pd.Series(video + 1).astype("str")
    return pd.DataFrame(
        {
            "item_id": runs + "_frame-" + pd.Series(frame).astype("str").str.zfill(6),
            "participant_id": names,
            "video_id": runs,
            "task": str(Dimension.AROUSAL),
            "rotation": "1",
            "training_group": pd.Series(list(map(str, MODELS))).iloc[model].to_numpy(),
            "repetition": repetition + 1,
            "threshold": 0.5,
            "label": _high(design)[video].astype(int),
        }
    )


def squeezed(scores: Floats) -> Floats:
    """Scores in 0..1, rounded as evaluate rounds them."""
    return expit(scores).round(6)


def predictions(design: Design, cohorts: Iterable[tuple[str, Floats]]) -> pd.DataFrame:
    """Drawn scores as the table ``PREDICTIONS``, each named cohort a condition of its own."""
    frames = _frames(design)
    return pd.concat(
        [
            frames.assign(
                condition=name,
                item_id=name + "_" + frames["item_id"],
                score=squeezed(scores).ravel(),
            )
            for name, scores in cohorts
        ],
        ignore_index=True,
    )


# testing --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """How the stats stage compares models: what is calibrated is what it runs."""

    published: ComparisonSpec
    participants: ParticipantSpec
    seed: int


@dataclass(frozen=True)
class Chunk:
    """The cohorts ``numbers`` of one design and true effect: one task.

    A cohort's draws hang on its number alone, so that chunks may be of any size. ``part`` is the
    part of the specification that asked for them.
    """

    part: Literal["tests", "people", "found"]
    design: Design
    effect: float
    numbers: range
    seed: int


def chunks(spec: CalibrationSpec, seed: int) -> list[Chunk]:
    """Every cohort to be drawn, in tasks of so many frames."""
    parts: dict[Literal["tests", "people", "found"], tuple[Plan, ...]] = {
        "tests": spec.tests,
        "people": spec.people,
        "found": spec.found,
    }
    return [
        Chunk(part, design, effect, range(first, min(first + size, plan.simulations)), seed)
        for part, plans in parts.items()
        for plan in plans
        for design in plan.designs()
        for size in [max(1, ITEMS // (design.participants * design.videos * design.frames))]
        for effect in plan.effects
        for first in range(0, plan.simulations, size)
    ]


def claims(chunk: Chunk, spec: CalibrationSpec, how: Comparison) -> pd.DataFrame:
    """What the tests claim in the cohorts of ``chunk``: all of them, or those of differences.

    Returns
    -------
    DataFrame
        ``part``, the design, ``true_effect, number, test, rejected, missing``: a row a cohort and
        test; ``missing`` is the reason where the test has no answer.
    """
    claims_in = every_claim if chunk.part == "tests" else claims_of_people
    rows = pd.DataFrame(claims_in(chunk, spec, how))
    return rows.assign(part=chunk.part, **vars(chunk.design), true_effect=chunk.effect)


def every_claim(chunk: Chunk, spec: CalibrationSpec, how: Comparison) -> list[Row]:
    """What every test of both blocks claims in each cohort, by the code of the stats stage."""
    drawn = ((str(number), _scores(chunk, spec, number)) for number in chunk.numbers)
    table = predictions(chunk.design, drawn)
    tests, published = as_published(table, how.published)
    # Each cohort is a study of its own: what is corrected together may not reach over them.
    declared = replace(how.participants, confirmatory=(), family=("condition",))
    people = by_participant({FINE_TUNED: table}, {FINE_TUNED: tests}, declared, how.seed).compared
    return [
        {"number": int(row["condition"]), "test": test, "rejected": rejected, "missing": missing}
        for rows, claims_of in ((published, _said_as_published), (people, _said_of_people))
        for row in rows[rows["contrast"] == CONTRAST].to_dict("records")
        for test, rejected, missing in claims_of(row, how)
    ]


def _said_as_published(row: Row, how: Comparison) -> Iterator[tuple[str, bool, Any]]:
    alpha = how.published.alpha
    yield "fisher", row["fisher_p"] < alpha, row["fisher_reason"]
    apart = row["pooled_ci_low"] > 0 or row["pooled_ci_high"] < 0
    yield "fixed_effect", apart, row["pooled_reason"]
    yield "gee_items", row["gee_p"] < alpha, row["gee_reason"]


def _said_of_people(row: Row, how: Comparison) -> Iterator[tuple[str, bool, Any]]:
    alpha = how.participants.alpha
    for test, method in (
        ("t", "t"),
        ("sign_flip", "sign_flip"),
        ("gee_participants", "gee"),
        ("jackknife", "pooled"),
        ("random_effects", "random"),
    ):
        yield test, row[f"{method}_p"] < alpha, row[f"{method}_reason"]
    yield "equivalence", row["equivalence_p"] < alpha, row["equivalence_reason"]
    yield "verdict", " better" in row["verdict"], None


def claims_of_people(chunk: Chunk, spec: CalibrationSpec, how: Comparison) -> list[Row]:
    """What the tests of participants' differences claim in each cohort.

    By the functions that the stats stage calls, without the tables and the GEE around them.
    """
    design, alpha = chunk.design, how.participants.alpha
    rows: list[Row] = []
    for number in chunk.numbers:
        scores = squeezed(_scores(chunk, spec, number))
        items = _frames(design).iloc[: scores[0, 0].size]
        high, low = (scores[MODELS.index(g)].reshape(design.repetitions, -1).T for g in MODELS[:2])
        deltas = participant_deltas(items["participant_id"], items["label"], high, low).usable
        t, flip = t_paired(deltas), sign_flip(deltas, how.participants.flips, how.seed)
        same = tost_paired(deltas, how.participants.margin, how.participants.alpha)
        rows += [
            {"number": number, "test": test, "rejected": result.p < alpha, "missing": result.reason}
            for test, result in (("t", t), ("sign_flip", flip), ("equivalence", same))
        ]
    return rows


def _scores(chunk: Chunk, spec: CalibrationSpec, number: int) -> Floats:
    return draw(chunk.design, spec.spread, chunk.effect, chunk.seed, number)


# counting -------------------------------------------------------------------------------------


def calibration(claimed: pd.DataFrame, how: Comparison) -> pd.DataFrame:
    """The table ``CALIBRATION`` of what `claims` returned."""
    table = _counted(claimed[claimed["part"] != "found"])
    block = table["test"].map(BLOCKS)
    alphas = {PUBLISHED: how.published.alpha, PARTICIPANT: how.participants.alpha}
    table = table.assign(block=block, alpha=block.map(alphas))
    table["reason"] = [_reason(row) for row in table.to_dict("records")]
    return CALIBRATION.conform(table.drop(columns="missing"))


def power(claimed: pd.DataFrame, how: Comparison, wanted: float) -> pd.DataFrame:
    """The table ``POWER`` of what `claims` returned."""
    asked = (claimed["part"] == "found") & claimed["test"].isin(OF_DIFFERENCES)
    table = _counted(claimed[asked])
    table = table.assign(alpha=how.participants.alpha, wanted=wanted, found=table["rate"] >= wanted)
    return POWER.conform(table.drop(columns="missing"))


def _counted(claimed: pd.DataFrame) -> pd.DataFrame:
    """Rejections over all cohorts, with Wilson's 95 % interval."""
    # Plans may overlap: a cohort counts once.
    once = claimed.drop_duplicates([*DESIGN, "true_effect", "test", "number"])
    there = once["missing"].isna()
    table = (
        once.assign(estimable=there, rejected=once["rejected"] & there)
        .groupby([*DESIGN, "true_effect", "test"])
        .agg(
            n_simulations=("rejected", "size"),
            n_estimable=("estimable", "sum"),
            n_rejected=("rejected", "sum"),
            missing=("missing", "first"),
        )
        .reset_index()
    )
    rejected, n = table["n_rejected"].to_numpy(), table["n_estimable"].to_numpy()
    low, high = wilson(rejected, n, 0.95)
    with np.errstate(invalid="ignore"):
        return table.assign(rate=rejected / n, ci_low=low, ci_high=high)


def _reason(row: Row) -> str | None:
    """Why a test cannot reject, or why it has no answer in some cohorts."""
    if row["n_estimable"] < row["n_simulations"]:
        lacking = row["n_simulations"] - row["n_estimable"]
        return f"no answer in {lacking} of {row['n_simulations']}, such as: {row['missing']}"
    least = smallest_p(row["participants"])
    if row["test"] in ("sign_flip", "verdict") and least >= row["alpha"]:
        return f"cannot reject: {row['participants']} participants allow no p below {least:g}"
    return None


# what is said of it ---------------------------------------------------------------------------


def findings(rates: pd.DataFrame, powers: pd.DataFrame) -> dict[str, Any]:
    """The numbers a reader looks for first, from the tables ``CALIBRATION`` and ``POWER``.

    ``null_published`` and ``null_t`` are the lowest and highest share of cohorts without a true
    difference, nor luck of trainings, in which a test as published, and the t-test over
    participants, claims one; ``null_lucky`` is the t-test's highest where there is such luck.
    ``smallest_found`` gives by people tested the smallest true difference that the t-test finds
    with the power wanted, None where none of those tried is found.
    """
    null = rates[rates["true_effect"] == 0]
    fair, t = null["training"] == 0, null["test"] == "t"

    def ends(rows: pd.Series) -> list[float] | None:
        shares = null.loc[rows, "rate"].dropna()
        return [float(shares.min()), float(shares.max())] if len(shares) else None

    lucky = ends(~fair & t)
    tried = powers[powers["test"] == "t"]
    return {
        "cohorts": int(rates["n_simulations"].max()),
        "null_published": ends(fair & (null["block"] == PUBLISHED)),
        "null_t": ends(fair & t),
        "null_lucky": lucky[1] if lucky else None,
        "power": float(powers["wanted"].iloc[0]),
        "smallest_found": {
            who: next(iter(rows.loc[rows["found"], "true_effect"]), None)
            for who, rows in tried.groupby(people(tried))
        },
    }
