from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eifer import designs, selection
from eifer import partitions as parts
from eifer.comparison import Claim, ParticipantSpec
from eifer.comparison.declaration import changes, declaration
from eifer.comparison.participants import _verdict, among_nulls
from eifer.designs import assign
from eifer.errors import DesignError, ParamsError
from eifer.tables.affect import OTHER_ESTIMATES
from eifer.tables.partitions import CLASS_COLUMNS
from eifer.tables.selection import OTHER_SELECTION
from eifer.vocabulary import Dimension
from tests.eifer.test_partitions import DESIGN, broken, cohort, selected, split

ROTATIONS = ("1", "2", "3", "4")
NAMES = ("ei", "matched", "tertiles", "null01", "null02", "null03")


def scored(n: int, **how: Any) -> SimpleNamespace:
    """A cohort whose High participants have the higher EI scores."""
    made = selected(cohort(n, **how))
    high = made.groups["group"] == "High"
    made.groups["ei_score"] = np.where(high, 900, 700) + np.arange(n)
    return made


@pytest.fixture(scope="module")
def rotated() -> SimpleNamespace:
    return split(
        scored(24), replace(DESIGN, short_videos="record"), rotations=ROTATIONS, names=NAMES
    )


# rotations ------------------------------------------------------------------------------------


def test_everybody_is_tested_once_by_models_that_never_saw_them(rotated: SimpleNamespace) -> None:
    table = rotated.partitions
    tested = table[table["partition"] == "test"]
    assert sorted(tested["participant_id"]) == sorted(rotated.groups["participant_id"])
    assert len(table) == 24 * len(ROTATIONS)
    by_group = tested.groupby(["rotation", "group"]).size()
    assert set(by_group) == {3}
    for name in ROTATIONS:
        own = [t[t["rotation"] == name] for t in (table, rotated.samples, rotated.conditions)]
        ei = own[1][own[1]["assignment"] == "ei"]
        proof: Any = parts.prove_disjoint(own[0], ei, own[2], [])
        assert proof["disjoint"]
        assert proof["sets"]["participants"]["test"]["n"] == 6
    assert broken(rotated) == set()


def test_a_leak_in_one_rotation_is_found(rotated: SimpleNamespace) -> None:
    leaked = rotated.partitions.copy()
    first = leaked.index[(leaked["rotation"] == "1") & (leaked["partition"] == "test")][0]
    leaked.loc[first, "partition"] = "train"
    assert "conditions.test_participants_only" in broken(rotated, partitions=leaked)
    twice = rotated.partitions.copy()
    who = twice.loc[first, "participant_id"]
    twice.loc[twice["participant_id"] == who, "partition"] = "test"
    assert "partitions.tested_once" in broken(rotated, partitions=twice)


def test_who_cannot_be_tested_trains_in_every_rotation() -> None:
    made = scored(24)
    short = made.availability["participant_id"] == "sub-05"
    made.availability.loc[short, "available"] = 0
    table = split(made, rotations=ROTATIONS).partitions
    own = table[table["participant_id"] == "sub-05"]
    assert set(own["partition"]) == {"train"}
    assert len(table[table["partition"] == "test"]) == 23


@pytest.mark.parametrize(("people", "rotations"), [(8, "12345"), (24, "12")])
def test_rotations_that_cannot_be_balanced_are_refused(people: int, rotations: str) -> None:
    with pytest.raises(DesignError, match=f"{len(rotations)} rotations cannot be balanced"):
        split(scored(people), replace(DESIGN, short_videos="record"), rotations=list(rotations))


# assignments ----------------------------------------------------------------------------------


def labels(assignments: pd.DataFrame) -> pd.DataFrame:
    return assignments.pivot(index="assignment", columns="participant_id", values="group")


@pytest.mark.parametrize("rotations", [("1",), ROTATIONS])
def test_random_labels_keep_the_sizes_and_differ(rotations: tuple[str, ...]) -> None:
    names = ["ei", *(f"null{k:02d}" for k in range(1, 9))]
    made = split(scored(24), rotations=rotations, names=names)
    wide = labels(made.assignments)
    assert not wide.eq(wide.iloc[:, 0], axis=0).duplicated().any()
    counts = made.samples.groupby(["assignment", "rotation", "partition", "group"])[
        "participant_id"
    ].nunique()
    by_assignment = counts.unstack("assignment")
    assert by_assignment.eq(by_assignment["ei"], axis=0).all(axis=None)
    assert broken(made) == set()
    # Whoever is tested and trains nobody keeps the label: it would change nothing.
    if len(rotations) == 1:
        tested = made.partitions.loc[made.partitions["partition"] == "test", "participant_id"]
        assert wide[list(tested)].nunique().max() == 1


def test_an_assignment_more_leaves_the_others_alone() -> None:
    made = scored(24)
    fewer, more = (split(made, names=["ei", "null01", "null02"][:k]).samples for k in (2, 3))
    pd.testing.assert_frame_equal(more[more["assignment"] != "null02"], fewer)


def test_labels_exchanged_among_those_who_learn_are_no_other_assignment() -> None:
    """Of 6 x 6 labellings of those who train and validate 18 are different, one of them ei's."""
    people = pd.DataFrame(
        {
            "participant_id": [f"sub-{k:02d}" for k in range(12)],
            "rotation": "1",
            "group": ["High", "Low"] * 6,
            "partition": np.repeat(["test", "train", "validation"], 4),
            **dict.fromkeys(CLASS_COLUMNS, 10),
        }
    )
    scores = people[["participant_id"]].assign(ei_score=np.arange(12.0))
    nulls = [f"null{k:02d}" for k in range(1, 18)]
    wide = labels(assign(["ei", *nulls], people, scores, 7))
    learn = wide[people.loc[people["partition"] != "test", "participant_id"].tolist()] == "High"
    assert not learn.eq(learn.iloc[:, 0], axis=0).duplicated().any()
    with pytest.raises(DesignError, match="18 random assignments are asked for, and 17 were found"):
        assign(["ei", *nulls, "null18"], people, scores, 7)


def test_matched_groups_have_equal_sizes_and_labels(rotated: SimpleNamespace) -> None:
    own = rotated.samples[rotated.samples["assignment"] == "matched"]
    cells = ["rotation", "task", "partition", "label"]
    sizes = own.groupby([*cells, "group"]).size().unstack()
    sizes["Total"] = own[own["total"]].groupby(cells).size()
    assert (sizes.nunique(axis=1) == 1).all()
    whole = rotated.samples[rotated.samples["assignment"] == "ei"]
    least = whole.groupby([*cells, "group"]).size().unstack().min(axis=1)
    assert (sizes["High"] == least).all()
    # As evenly over people as can be: nobody gives two more than somebody who had as many left.
    given = own.groupby([*cells, "group", "participant_id"]).size()
    had = whole.groupby([*cells, "group", "participant_id"]).size().reindex(given.index)
    left = given[given < had].groupby([*cells, "group"])
    assert (left.max() - left.min()).max() <= 1
    cut = own.drop(index=own.index[own["group"] == "High"][0])
    assert "samples.matched_sizes" in broken(rotated, samples=cut)


def test_tertiles_leave_the_middle_out(rotated: SimpleNamespace) -> None:
    wide = labels(rotated.assignments).loc["tertiles"]
    score = rotated.groups.set_index("participant_id")["ei_score"]
    assert wide.isna().sum() == 8
    assert score[wide == "High"].min() > score[wide.isna()].max()
    assert score[wide == "Low"].max() < score[wide.isna()].min()
    own = rotated.samples[rotated.samples["assignment"] == "tertiles"]
    assert own["total"].all()


def test_another_cutoff_moves_people_across() -> None:
    made = split(scored(24), names=["ei", "above910"])
    score = made.groups.set_index("participant_id")["ei_score"]
    wide = labels(made.assignments)
    assert list(wide.columns[wide.loc["above910"] == "High"]) == sorted(score.index[score > 910])
    with pytest.raises(DesignError, match="assignment above2000 leaves no arousal low frames"):
        split(scored(24), names=["ei", "above2000"])


def half_rated(n: int) -> SimpleNamespace:
    """A cohort that rated arousal, and valence in all but the first video of each person."""
    made = scored(n)
    first = made.selection["video_id"].str.endswith("run-1")
    made.selection["valence_label_source"] = np.where(first, "stimulus", "rating")
    made.frames = parts.by_task(made.selection, task_frames="all")
    return made


def test_the_same_groups_trained_otherwise() -> None:
    made = split(half_rated(24), names=["ei", "own", "clear", "final"])
    wide = labels(made.assignments)
    assert wide.eq(wide.loc["ei"], axis=1).all(axis=None)
    of = {
        name: rows.drop(columns="assignment").reset_index(drop=True)
        for name, rows in made.samples.groupby("assignment")
    }
    pd.testing.assert_frame_equal(of["final"], of["ei"])
    rated = of["ei"][of["ei"]["label_source"] == "rating"].reset_index(drop=True)
    pd.testing.assert_frame_equal(of["clear"], rated)
    by_own = parts.by_task(made.selection, task_frames="own")
    own = designs.label(parts.samples(by_own, made.partitions), made.assignments, "ei", 1)
    pd.testing.assert_frame_equal(of["own"], own.drop(columns="assignment"))
    assert 0 < len(of["own"]) < len(of["ei"]) > len(of["clear"]) > 0
    assert broken(made) == set()
    # What the other assignments keep does not belong to these two.
    for name, rule in (("own", "own_frames"), ("clear", "clear_labels")):
        swapped = of["ei"].assign(assignment=name)
        assert f"samples.{rule}" in broken(made, samples=swapped)
        assert f"samples.{rule}" not in broken(made, samples=of[name].assign(assignment=name))


def test_frames_for_training_by_another_estimator() -> None:
    made = scored(24)
    # Another estimator, that finds other frames of a video the clearest.
    rng = np.random.default_rng(3)
    values = {
        str(d): np.clip(made.estimates[d] * rng.uniform(0.1, 1, len(made.estimates)), -1, 1)
        for d in Dimension
    }
    read = made.estimates.assign(**values, estimator="blendshapes")
    made.other_estimates = OTHER_ESTIMATES.conform(read)
    made.other_selection = selection.by_others(made.other_estimates, made.labels, top=10)
    stored = pd.concat([made.candidates, selection.as_candidates(made.other_selection)])
    ranked, _ = selection.select(made.estimates, made.labels, top=10)
    made.selection = selection.merge(made.estimates, made.labels, ranked, stored)
    ei = split(made)  # nothing changes for who does not ask for it
    made.frames = parts.by_task(made.selection, task_frames="all")
    both = split(made, names=["ei", "blendshapes"])
    of = dict(list(both.samples.groupby("assignment")))
    pd.testing.assert_frame_equal(of["ei"], ei.samples)
    pd.testing.assert_frame_equal(both.conditions, ei.conditions)
    chosen = of["blendshapes"]
    assert set(chosen["item_id"]) - set(of["ei"]["item_id"])
    assert set(chosen["item_id"]) <= set(made.selection["item_id"])  # so that crops are stored
    there = made.other_selection.set_index("item_id")
    arousal = chosen[chosen["task"] == "arousal"].set_index("item_id")["estimate"]
    assert (there.loc[arousal.index, "arousal_estimate"] == arousal).all()
    assert broken(both) == set()
    swapped = of["ei"].assign(assignment="blendshapes")
    assert "samples.as_selected" in broken(both, samples=swapped)
    assert "samples.as_selected" in broken(both, samples=chosen.assign(assignment="ei"))
    assert not any(len(r.broken(made.other_selection, vars(both))) for r in OTHER_SELECTION.rules)
    lost = made.other_estimates.assign(arousal=0.5)
    found = {
        rule.name
        for rule in OTHER_SELECTION.rules
        if len(rule.broken(made.other_selection, {"other_estimates": lost}))
    }
    assert found == {"as_estimated"}


def test_a_class_without_frames_is_refused_before_anything_trains() -> None:
    made = scored(24)  # all labels of valence are the stimulus's
    says = "assignment clear leaves no valence low frames to the train part of High in rotation 1"
    with pytest.raises(DesignError, match=says):
        split(made, names=["ei", "clear"])
    high = made.frames["participant_id"].isin(
        made.groups.loc[made.groups["group"] == "High", "participant_id"]
    )
    made.frames["ranked"] &= ~(high & (made.frames["task"] == "arousal"))
    says = "assignment own leaves no arousal low frames to the train part of High in rotation 1"
    with pytest.raises(DesignError, match=says):
        split(made, names=["ei", "own"])


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["null01", "ei"], "first assignment is ei"),
        (["ei", "null02"], "without gap"),
        (["ei", "random"], "no assignment 'random'"),
    ],
)
def test_names_of_assignments_are_checked(names: list[str], says: str) -> None:
    with pytest.raises(ParamsError, match=says):
        designs.check_names(names)


# their p --------------------------------------------------------------------------------------


def by_assignment(own: float, null: list[float]) -> pd.DataFrame:
    names = ["ei", *(f"null{k:02d}" for k in range(1, len(null) + 1))]
    return pd.DataFrame({"assignment": names, "delta": [own, *null]})


def test_p_is_the_share_of_assignments_as_far_from_their_mean() -> None:
    null = [0.1, 0.12, 0.08, 0.11, 0.09]
    # The mean of all is .1 + .1 / 6: not 0, since groups of unequal size differ without EI.
    far = among_nulls(by_assignment(0.2, null))
    assert (far["null_p"], far["null_n"]) == (pytest.approx(1 / 6), 5)
    assert far["null_smallest_p"] == pytest.approx(1 / 6)
    assert far["null_mean"] == pytest.approx(0.1)
    middle = among_nulls(by_assignment(0.1, null))
    assert middle["null_p"] == 1
    none = among_nulls(by_assignment(0.1, []))
    assert np.isnan(none["null_p"])
    assert none["null_reason"] == "no random assignment was trained"


def test_where_labels_do_not_matter_p_is_held() -> None:
    rng = np.random.default_rng(1)
    draws = rng.standard_t(2, (2000, 20)) + 3  # heavy tails, far from 0
    p = np.array([among_nulls(by_assignment(d[0], list(d[1:])))["null_p"] for d in draws])
    for level in (0.05, 0.1, 0.5):
        assert abs((p <= level).mean() - level) < 3.5 * np.sqrt(level * (1 - level) / 2000)


VERDICT = {
    "test": "t", "alpha": 0.05, "n_used": 12, "n_differ": 12, "gee_n_used": 12,
    "equivalence_q": 1.0, "t_q": 0.001, "delta": 0.05, "contrast": "High-Low",
    "margin": 0.005, "role": "confirmatory", "t_reason": None, "null_mean": 0.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("null", "verdict"),
    [
        (
            {"null_n": 39, "null_q": 0.4, "least_q": 0.025},
            "inconclusive: random labels do as much (corrected p 0.4)",
        ),
        (
            {"null_n": 39, "null_q": 0.03, "least_q": 0.025, "null_mean": 0.2},
            "inconclusive: random labels differ by more, +0.2 on average",
        ),
    ],
)
def test_better_needs_the_random_labels_where_they_were_trained(
    null: dict[str, Any], verdict: str
) -> None:
    assert _verdict({**VERDICT, **null}) == verdict


# the declaration ------------------------------------------------------------------------------


def test_what_changed_since_the_declaration_is_named() -> None:
    claim = Claim("fine-tuned", "valence", "baseline", "High-Low")
    before = ParticipantSpec((claim,), "t", 0.05, (), 0.005, 99)
    frozen = declaration(before)
    assert changes(frozen, before) == []
    # Another order of the claims is no change.
    both = replace(before, confirmatory=(replace(claim, task="arousal"), claim))
    assert changes(declaration(both), replace(both, confirmatory=both.confirmatory[::-1])) == []
    after = replace(before, margin=0.01, confirmatory=())
    assert changes(frozen, after) == [
        "confirmatory: fine-tuned valence baseline High-Low became nothing",
        "margin: 0.005 became 0.01",
    ]
    assert declaration(after)["sha256"] != frozen["sha256"]
