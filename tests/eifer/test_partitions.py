from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eifer import designs
from eifer import partitions as parts
from eifer.errors import DesignError, InputError, ParamsError
from eifer.partitions import Design
from eifer.selection import merge, select
from eifer.tables.attrition import ATTRITION
from eifer.tables.partitions import (
    ASSIGNMENTS,
    AVAILABILITY,
    CONDITIONS,
    PARTITIONS,
    SAMPLES,
)
from eifer.tables.selection import OTHER_SELECTION, SELECTION
from eifer.vocabulary import Condition, Dimension, Domain

NAMES = [condition.value for condition in Condition]
DESIGN = Design(test_per_group=2, test_participants=(), validation_share=0.2, short_videos="bar")
PER_VIDEO = 3


def cohort(n: int, *, frames: int = 24, seed: int = 0) -> SimpleNamespace:
    """``n`` participants, High and Low in turn, four videos each, labels as the stimulus."""
    rng = np.random.default_rng(seed)
    labels, estimates = [], []
    for i in range(n):
        who = f"sub-{i + 1:02d}"
        for run, name in enumerate(rng.permutation(list(Domain)), start=1):
            video, domain = f"{who}_run-{run}", Domain(name)
            high = np.array([domain.label(d) for d in Dimension])
            labels.append((video, who, high[0], "rating", high[1], "stimulus"))
            values = np.clip(rng.normal(0.25 * (2 * high - 1), 0.35, (frames, 2)), -1, 1)
            table = pd.DataFrame(values.astype("float32"), columns=list(map(str, Dimension)))
            estimates.append(table.assign(video_id=video, participant_id=who, frame=range(frames)))
    names = ["video_id", "participant_id"] + [
        f"{d}_label{s}" for d in Dimension for s in ("", "_source")
    ]
    groups = [(f"sub-{i + 1:02d}", ("High", "Low")[i % 2]) for i in range(n)]
    return SimpleNamespace(
        estimates=pd.concat(estimates, ignore_index=True),
        labels=pd.DataFrame(labels, columns=names),
        groups=pd.DataFrame(groups, columns=["participant_id", "group"]),
    )


def selected(c: SimpleNamespace, *, top: int = 10, task_frames: Any = "all") -> SimpleNamespace:
    ranked, _ = select(c.estimates, c.labels, top=top)
    candidates, availability = parts.candidates(
        c.estimates, c.labels, names=NAMES, per_video=PER_VIDEO
    )
    selection = merge(c.estimates, c.labels, ranked, candidates)
    frames = parts.by_task(selection, task_frames=task_frames)
    return SimpleNamespace(
        **vars(c),
        other_selection=OTHER_SELECTION.frame(),
        candidates=candidates,
        availability=availability,
        selection=selection,
        frames=frames,
    )


def split(
    s: SimpleNamespace,
    design: Design = DESIGN,
    seed: int = 1,
    rotations: Sequence[str] = ("1",),
    names: Sequence[str] = ("ei",),
) -> SimpleNamespace:
    table, attrition = parts.divide(
        s.frames, s.groups, s.availability, design=design, rotations=rotations, seed=seed
    )
    assignments = designs.assign(names, table, s.groups, seed)
    unlabelled = parts.every_sample(s.frames, s.other_selection, table, task_frames="all")
    samples = designs.samples(unlabelled, assignments, seed)
    made = {
        "partitions": table,
        "attrition": attrition,
        "assignments": assignments,
        "samples": pd.concat([samples[name] for name in names]),
        "conditions": parts.conditions(s.frames, table, names=NAMES, per_video=PER_VIDEO),
    }
    return SimpleNamespace(**{**vars(s), **made})


def broken(result: SimpleNamespace, **changed: pd.DataFrame) -> set[str]:
    """Every rule of the tables that does not hold, as ``table.rule``."""
    tables = vars(result) | {"ei_scores": result.groups} | changed
    return {
        f"{table.name}.{rule.name}"
        for table in (SELECTION, AVAILABILITY, PARTITIONS, ASSIGNMENTS, SAMPLES, CONDITIONS)
        for rule in table.rules
        if len(rule.broken(tables[table.name], tables))
    }


@pytest.fixture(scope="module")
def sixteen() -> SimpleNamespace:
    return split(selected(cohort(16)))


def people(table: pd.DataFrame, partition: str, group: str | None = None) -> set[str]:
    rows = table[table["partition"] == partition]
    return set(
        rows.loc[rows["group"].isin([group] if group else ["High", "Low"]), "participant_id"]
    )


# conditions -----------------------------------------------------------------------------------


def one_video(values: list[float], label: int, n: int) -> dict[str, list[int]]:
    """The arousal frames that each sampled condition takes of one video, in order."""
    estimates = pd.DataFrame(
        {
            "video_id": "sub-01_run-1",
            "participant_id": "sub-01",
            "frame": range(len(values)),
            "arousal": values,
            "valence": values,
        }
    ).astype({"arousal": "float32", "valence": "float32"})
    labels = pd.DataFrame(
        [("sub-01_run-1", "sub-01", label, label)],
        columns=["video_id", "participant_id", "arousal_label", "valence_label"],
    )
    chosen, _ = parts.candidates(estimates, labels, names=NAMES, per_video=n)
    chosen = chosen[chosen["task"] == "arousal"].sort_values("rank")
    return {
        name: chosen.loc[chosen["condition"] == name, "frame"].tolist()
        for name in ("unambiguous", "ambiguous")
    }


def test_conditions_by_hand() -> None:
    #         0    1     2    3     4    5    6
    values = [0.1, -0.2, 0.9, -0.7, 0.0, 0.3, 0.9]
    assert one_video(values, 1, 3) == {"unambiguous": [2, 6, 5], "ambiguous": [3, 1, 4]}
    # Low: the same values seen from the other side; frame 3 before 1, then only 0 remains for
    # the mismatches' end, and the weakest of the rest is the 0 itself.
    assert one_video(values, 0, 3) == {"unambiguous": [3, 1], "ambiguous": [2, 6, 5]}
    assert one_video(values, 0, 6)["ambiguous"] == [2, 6, 5, 0, 4, 1]


@pytest.mark.parametrize("seed", range(20))
def test_conditions_follow_the_protocols_sentence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.integers(-8, 9, int(rng.integers(1, 40))) / 8).tolist()
    label, n = int(rng.integers(2)), 6
    direction = 1 if label else -1
    matching = [(-abs(v), i) for i, v in enumerate(values) if v * direction > 0]
    against = sorted((v * direction, i) for i, v in enumerate(values) if v * direction < 0)[:n]
    rest = sorted((abs(v), i) for i, v in enumerate(values) if (v * direction, i) not in against)
    filled = [i for _, i in against] + [i for _, i in rest[: n - len(against)]]
    assert one_video(values, label, n) == {
        "unambiguous": [i for _, i in sorted(matching)[:n]],
        "ambiguous": filled,
    }


def test_availability_counts_short_and_empty_videos() -> None:
    c = cohort(2, frames=5)
    empty = c.estimates["video_id"].iloc[0]
    estimates = c.estimates[c.estimates["video_id"] != empty]
    _, table = parts.candidates(estimates, c.labels, names=NAMES, per_video=PER_VIDEO)
    assert len(table) == 8 * 2 * 2  # videos x tasks x sampled conditions
    assert (table.loc[table["video_id"] == empty, "available"] == 0).all()
    ambiguous = table[(table["condition"] == "ambiguous") & (table["video_id"] != empty)]
    assert (ambiguous["available"] == 5).all()
    clear = table[table["condition"] == "unambiguous"].set_index(["video_id", "task"])
    for row in c.labels[c.labels["video_id"] != empty].to_dict("records"):
        values = estimates.loc[estimates["video_id"] == row["video_id"], "arousal"]
        wanted = (values > 0).sum() if row["arousal_label"] else (values < 0).sum()
        assert clear.loc[(row["video_id"], "arousal"), "available"] == wanted


@pytest.mark.parametrize("name", sorted(parts.REGISTRY))
def test_contract_a_frames_number_depends_on_that_frame_alone(
    name: str, sixteen: SimpleNamespace
) -> None:
    frames = sixteen.frames
    order = parts.REGISTRY[name].order
    some = frames.sample(frac=0.3, random_state=0)
    pd.testing.assert_series_equal(order(some), order(frames).loc[some.index])


def test_a_condition_is_one_function_and_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "REGISTRY", dict(parts.REGISTRY))

    @parts.condition(sampled=True)
    def faint(frames: pd.DataFrame) -> pd.Series:
        return frames["estimate"].abs()

    c = cohort(8)
    names = [*NAMES, "faint"]
    ranked, _ = select(c.estimates, c.labels, top=10)
    chosen, availability = parts.candidates(c.estimates, c.labels, names=names, per_video=2)
    selection = merge(c.estimates, c.labels, ranked, chosen)
    frames = parts.by_task(selection, task_frames="all")
    table, _ = parts.divide(frames, c.groups, availability, design=DESIGN, rotations=["1"], seed=0)
    tested = parts.conditions(frames, table, names=names, per_video=2)
    assert (tested["condition"] == "faint").sum() == 4 * 4 * 2 * 2
    others = {"availability": availability, "selection": selection, "partitions": table}
    others["assignments"] = designs.assign(["ei"], table, c.groups, 0)
    unlabelled = parts.samples(frames, table)
    others["samples"] = designs.label(unlabelled, others["assignments"], "ei", 0)
    for rule in CONDITIONS.rules:
        assert rule.broken(tested, others).empty, rule.name


def test_candidates_do_not_depend_on_the_order_or_index_of_rows() -> None:
    c = cohort(3)
    mixed = c.estimates.sample(frac=1, random_state=2)
    mixed.index = pd.Index([0] * len(mixed))  # as after joining the tables of several waves
    found = parts.candidates(mixed, c.labels.iloc[::-1], names=NAMES, per_video=PER_VIDEO)
    expected = parts.candidates(c.estimates, c.labels, names=list(Condition), per_video=PER_VIDEO)
    for one, other in zip(found, expected, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_unknown_condition_is_refused_with_a_hint() -> None:
    c = cohort(1)
    with pytest.raises(ParamsError, match="did you mean 'ambiguous'"):
        parts.candidates(c.estimates, c.labels, names=["ambigous"], per_video=1)


def test_estimates_without_labels_are_named() -> None:
    c = cohort(2)
    with pytest.raises(InputError, match="sub-02_run-4"):
        parts.candidates(c.estimates, c.labels.iloc[:-1], names=NAMES, per_video=1)


def test_conditions_choose_among_all_estimated_frames(sixteen: SimpleNamespace) -> None:
    """What split takes from the stored frames is what it would take from all of them."""
    tested = sixteen.conditions[sixteen.conditions["condition"] != "baseline"]
    videos = set(tested["video_id"])
    names = ["video_id", "frame", "task", "condition", "rank"]
    expected = sixteen.candidates[sixteen.candidates["video_id"].isin(videos)][names]
    found = tested[names].sort_values(names, ignore_index=True)
    pd.testing.assert_frame_equal(found, expected.sort_values(names, ignore_index=True))
    sizes = tested.groupby(["condition", "task"]).size()
    assert (sizes == 4 * 4 * PER_VIDEO).all()  # participants x videos x frames


def test_baseline_is_the_test_participants_selected_frames(sixteen: SimpleNamespace) -> None:
    test = people(sixteen.partitions, "test")
    kept = sixteen.selection[sixteen.selection["participant_id"].isin(test)]
    kept = kept[kept["arousal_rank"].notna() | kept["valence_rank"].notna()]
    tested = sixteen.conditions[sixteen.conditions["condition"] == "baseline"]
    for task in ("arousal", "valence"):
        assert set(tested.loc[tested["task"] == task, "item_id"]) == set(kept["item_id"])


# tasks ----------------------------------------------------------------------------------------


def test_all_frames_serve_both_tasks_or_each_its_own() -> None:
    every, own = (split(selected(cohort(8), task_frames=kind)) for kind in ("all", "own"))
    sizes = every.samples.groupby("task").size()
    assert sizes["arousal"] == sizes["valence"] == every.samples["item_id"].nunique()
    ranks = own.selection.set_index("item_id")
    for task in ("arousal", "valence"):
        kept = own.samples.loc[own.samples["task"] == task, "item_id"]
        assert ranks.loc[kept, f"{task}_rank"].notna().all()
        assert (own.samples.loc[own.samples["task"] == task].groupby("video_id").size() <= 10).all()
    assert len(own.samples) < len(every.samples)
    assert broken(every) == broken(own) == set()


def test_a_sample_carries_its_tasks_label_and_estimate(sixteen: SimpleNamespace) -> None:
    rows = sixteen.samples.merge(sixteen.selection, on="item_id", suffixes=("", "_stored"))
    for task in ("arousal", "valence"):
        of_task = rows[rows["task"] == task]
        assert (of_task["label"] == of_task[f"{task}_label"]).all()
        assert (of_task["estimate"] == of_task[f"{task}_estimate"]).all()
        assert (of_task["label_source"] == of_task[f"{task}_label_source"]).all()


# who goes where -------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "validating"), [(8, 2), (9, 2), (12, 2), (16, 2), (24, 4), (44, 8)])
def test_sizes(n: int, validating: int) -> None:
    result = split(selected(cohort(n, frames=12), top=5), replace(DESIGN, short_videos="record"))
    table = result.partitions
    assert len(table) == n
    assert [len(people(table, "test", group)) for group in ("High", "Low")] == [2, 2]
    assert len(people(table, "validation")) == validating
    high, low = (len(people(table, "validation", group)) for group in ("High", "Low"))
    assert min(high, low) >= 1
    assert abs(high - low) <= 1
    assert broken(result) == set()


def test_every_rule_holds_on_an_honest_split(sixteen: SimpleNamespace) -> None:
    assert broken(sixteen) == set()
    assert sixteen.attrition == []


@pytest.mark.parametrize("seed", range(6))
def test_label_proportions_are_as_near_as_any_division_has_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    c = cohort(10, seed=seed)
    flipped = rng.choice(len(c.labels), 10, replace=False)  # as when people feel otherwise
    c.labels.loc[flipped, "arousal_label"] = 1 - c.labels.loc[flipped, "arousal_label"]
    result = split(selected(c), replace(DESIGN, short_videos="record"), seed=seed)
    table = result.partitions

    def worst(validation: set[str]) -> float:
        gaps = []
        for group, task in itertools.product(("High", "Low", "Total"), ("arousal", "valence")):
            rows = result.samples[result.samples["task"] == task]
            rows = rows if group == "Total" else rows[rows["group"] == group]
            inside = rows["participant_id"].isin(validation)
            sides = [rows.loc[inside, "label"], rows.loc[~inside, "label"]]
            if any(side.nunique() < 2 for side in sides):
                return np.inf
            gaps.append(abs(sides[0].mean() - sides[1].mean()))
        return max(gaps)

    rest = table[table["partition"] != "test"]
    choices = itertools.product(
        *(rest.loc[rest["group"] == g, "participant_id"] for g in ("High", "Low"))
    )
    best = min(worst(set(pair)) for pair in choices)
    assert worst(people(table, "validation")) == pytest.approx(best, abs=1e-8)
    assert np.isfinite(best)


def test_row_order_does_not_matter_and_the_seed_does(sixteen: SimpleNamespace) -> None:
    shuffled = {
        name: getattr(sixteen, name).sample(frac=1, random_state=3)
        for name in ("frames", "groups", "availability")
    }
    table, _ = parts.divide(**shuffled, design=DESIGN, rotations=["1"], seed=1)
    pd.testing.assert_frame_equal(table, sixteen.partitions)
    drawn = {frozenset(people(split(sixteen, seed=seed).partitions, "test")) for seed in range(4)}
    assert len(drawn) > 1


def test_named_test_participants(sixteen: SimpleNamespace) -> None:
    named = ("sub-04", "sub-01", "sub-02", "sub-07")
    result = split(sixteen, replace(DESIGN, test_participants=named))
    assert people(result.partitions, "test") == set(named)
    assert broken(result) == set()


@pytest.mark.parametrize(
    ("named", "says"),
    [
        (("sub-01", "sub-02", "sub-03", "sub-44"), "sub-44"),
        (("sub-01", "sub-03", "sub-05", "sub-02"), "3 High and 1 Low"),
        (("sub-01", "sub-02"), "1 High and 1 Low"),
        (("sub-01", "sub-01", "sub-02", "sub-03", "sub-04"), "different participants"),
    ],
)
def test_wrong_names_are_refused(
    named: tuple[str, ...], says: str, sixteen: SimpleNamespace
) -> None:
    with pytest.raises(DesignError, match=says):
        split(sixteen, replace(DESIGN, test_participants=named))


def shorten(c: SimpleNamespace, *participants: str) -> SimpleNamespace:
    """The first video of each contradicts its arousal label in every frame."""
    for who in participants:
        video = c.labels.loc[c.labels["participant_id"] == who, "video_id"].iloc[0]
        label = c.labels.set_index("video_id").loc[video, "arousal_label"]
        rows = c.estimates["video_id"] == video
        size = c.estimates.loc[rows, "arousal"].abs().clip(lower=0.01)
        c.estimates.loc[rows, "arousal"] = -size if label else size
    return c


def test_a_participant_with_a_short_video_is_barred_and_recorded() -> None:
    barred = ["sub-01", "sub-02", "sub-04", "sub-06"]
    s = selected(shorten(cohort(12), *barred))
    for seed in range(5):
        result = split(s, seed=seed)
        assert not people(result.partitions, "test") & set(barred)
        assert len(result.partitions) == 12  # they still train or validate
        table = ATTRITION.frame(result.attrition)
        assert table["participant_id"].tolist() == barred
        assert table["reason"].str.contains("0 of 3 unambiguous frames for arousal").all()
        assert broken(result) == set()


def test_short_videos_may_be_recorded_instead() -> None:
    everyone = [f"sub-{i:02d}" for i in range(1, 9)]
    s = selected(shorten(cohort(8), *everyone))
    with pytest.raises(DesignError, match="0 of 4 High participants can be tested"):
        split(s)
    result = split(s, replace(DESIGN, short_videos="record"))
    table = ATTRITION.frame(result.attrition)
    assert len(table) == 4  # one video of each test participant
    assert set(table["n"]) == {PER_VIDEO}
    assert set(table["what"]) == {"unambiguous frames for arousal"}
    assert set(table["participant_id"]) == people(result.partitions, "test")
    assert broken(result) == set()  # fewer than asked, but all there are


def test_a_missing_video_bars_from_the_test() -> None:
    c = cohort(10)
    lost = c.labels["video_id"] == "sub-03_run-2"
    c.estimates = c.estimates[c.estimates["video_id"] != "sub-03_run-2"]
    c.labels = c.labels[~lost]
    result = split(selected(c))
    assert "sub-03" not in people(result.partitions, "test")
    assert "3 of 4 videos" in str(result.attrition)


def test_a_participant_without_selected_frames_is_recorded() -> None:
    c = cohort(10)
    c.groups = pd.concat([c.groups, pd.DataFrame([("sub-11", "High")], columns=c.groups.columns)])
    result = split(selected(c))
    assert "sub-11" not in set(result.partitions["participant_id"])
    assert [row["participant_id"] for row in result.attrition] == ["sub-11"]


def test_a_participant_without_group_is_an_error() -> None:
    c = cohort(10)
    c.groups = c.groups.iloc[:-2]
    with pytest.raises(InputError, match="sub-09, sub-10"):
        split(selected(c))


def test_too_few_of_a_group() -> None:
    c = cohort(8)
    c.groups["group"] = ["High"] * 7 + ["Low"]
    with pytest.raises(DesignError, match=r"1 of 1 Low participants .* Add participants"):
        split(selected(c))
    c = cohort(7)  # 3 Low: 2 tested, 1 left for train and validation
    with pytest.raises(DesignError, match=r"there remain 2 High .* and 1 Low"):
        split(selected(c))


def test_a_class_that_nobody_shows() -> None:
    c = cohort(8)
    c.labels["valence_label"] = 1
    with pytest.raises(DesignError, match=r"occur in every test condition.* low valence 0"):
        split(selected(c))


def test_a_class_that_one_low_participant_shows_cannot_be_divided() -> None:
    c = cohort(12)
    low = set(c.groups.loc[c.groups["group"] == "Low", "participant_id"]) - {"sub-02"}
    c.labels.loc[c.labels["participant_id"].isin(low), "valence_label"] = 1
    with pytest.raises(DesignError, match=r"low valence 1.*two participants of each group"):
        named = ("sub-01", "sub-03", "sub-04", "sub-06")
        design = replace(DESIGN, short_videos="record", test_participants=named)
        split(selected(c), design)


def test_a_test_set_that_would_starve_training_is_passed_over() -> None:
    """Only four Low participants show low valence: never may three of them be tested."""
    c = cohort(12)
    low = sorted(c.groups.loc[c.groups["group"] == "Low", "participant_id"])
    c.labels.loc[c.labels["participant_id"].isin(low[3:]), "valence_label"] = 1
    s = selected(c)
    for seed in range(8):
        result = split(s, replace(DESIGN, short_videos="record"), seed=seed)
        assert len(people(result.partitions, "test") & set(low[:3])) <= 1
        assert broken(result) == set()


def test_both_classes_of_both_tasks_are_tested_whatever_the_seed() -> None:
    """Low valence is rare: at least one of those who show it is tested, and two of a group stay."""
    c = cohort(16)
    rare = {"sub-01", "sub-03", "sub-05", "sub-02", "sub-04", "sub-06"}
    c.labels.loc[~c.labels["participant_id"].isin(rare), "valence_label"] = 1
    s = selected(c)
    for seed in range(8):
        result = split(s, replace(DESIGN, short_videos="record"), seed=seed)
        assert 1 <= len(people(result.partitions, "test") & rare) <= 2
        assert broken(result) == set()


# the proof, and the rules it stands beside ----------------------------------------------------


def test_the_proof_can_be_recomputed(sixteen: SimpleNamespace) -> None:
    proof: Any = parts.prove_disjoint(sixteen.partitions, sixteen.samples, sixteen.conditions, [])
    assert json.loads(json.dumps(proof)) == proof
    assert proof["disjoint"] is True
    train = sixteen.samples.loc[sixteen.samples["partition"] == "train", "item_id"]
    entry = proof["sets"]["items"]["train"]
    assert entry["n"] == train.nunique()
    assert entry["sha256"] == hashlib.sha256("\n".join(sorted(set(train))).encode()).hexdigest()
    checked = {(pair["of"], pair["a"], pair["b"]) for pair in proof["pairs"]}
    assert {("participants", "train", "test"), ("items", "validation", "ambiguous")} <= checked
    assert sum(row["n"] for row in proof["counts"]) == len(sixteen.samples) + len(
        sixteen.conditions
    )
    total = [row for row in proof["balance"] if row["group"] == "Total"]
    assert all(
        row["validation_share_of_participants"] == pytest.approx(2 / 12, abs=1e-6) for row in total
    )


def test_a_leak_is_seen_by_the_proof_and_by_the_rules(sixteen: SimpleNamespace) -> None:
    stray = sixteen.samples.iloc[[0]]
    leaked = pd.concat(
        [
            sixteen.conditions,
            stray.drop(columns="partition").assign(condition="baseline", rank=999),
        ],
        ignore_index=True,
    )[CONDITIONS.names]
    proof: Any = parts.prove_disjoint(sixteen.partitions, sixteen.samples, leaked, [])
    assert proof["disjoint"] is False
    met = [pair for pair in proof["pairs"] if pair["shared"]]
    assert {pair["of"] for pair in met} == {"participants", "items"}
    assert met[-1]["examples"] == [stray["item_id"].iloc[0]]
    assert {
        "samples.nothing_tested",
        "conditions.nothing_sampled",
        "conditions.test_participants_only",
    } <= broken(sixteen, conditions=leaked)


def test_rules_of_partitions(sixteen: SimpleNamespace) -> None:
    table = sixteen.partitions
    twice = pd.concat([table, table.iloc[[0]].assign(partition="train")], ignore_index=True)
    assert "partitions.one_partition_a_participant" in broken(sixteen, partitions=twice)
    no_validation = table.assign(partition=table["partition"].replace("validation", "train"))
    assert "partitions.both_groups_everywhere" in broken(sixteen, partitions=no_validation)
    assert "samples.where_the_participant_is" in broken(sixteen, partitions=no_validation)
    uneven = table[table["participant_id"] != min(people(table, "test", "High"))]
    assert "partitions.balanced_test" in broken(sixteen, partitions=uneven)
    one_class = table.assign(arousal_low_frames=0)
    assert "partitions.both_classes_everywhere" in broken(sixteen, partitions=one_class)
    miscounted = table.assign(n_frames=table["n_frames"] + 1)
    assert broken(sixteen, partitions=miscounted) == {"partitions.counts_as_selected"}
    swapped = table.assign(group=table["group"].map({"High": "Low", "Low": "High"}))
    assert "partitions.group_as_scored" in broken(sixteen, partitions=swapped)


def test_rules_of_samples(sixteen: SimpleNamespace) -> None:
    table = sixteen.samples
    moved = table.copy()
    moved.loc[0, "partition"] = "validation" if moved.loc[0, "partition"] == "train" else "train"
    assert "samples.one_partition_a_participant" in broken(sixteen, samples=moved)
    relabelled = table.copy()
    relabelled.loc[0, "label"] = 1 - relabelled.loc[0, "label"]
    assert {"samples.one_label_a_video", "samples.as_selected"} <= broken(
        sixteen, samples=relabelled
    )
    lost = table[
        ~((table["task"] == "valence") & (table["group"] == "Low") & (table["label"] == 0))
    ]
    assert broken(sixteen, samples=lost) == {"samples.both_classes_everywhere"}
    renamed = table.assign(frame=table["frame"] + 1)
    assert broken(sixteen, samples=renamed) == {"samples.item_names_its_frame"}


def test_rules_of_conditions(sixteen: SimpleNamespace) -> None:
    table = sixteen.conditions
    sampled = table[table["condition"] == "unambiguous"].index
    five = broken(sixteen, conditions=table.drop(sampled[0]))
    assert "conditions.as_many_frames_as_asked" in five
    video = table.loc[sampled[0], "video_id"]
    gone = table[~((table["condition"] == "unambiguous") & (table["video_id"] == video))]
    assert broken(sixteen, conditions=gone) == {"conditions.as_many_frames_as_asked"}
    reranked = table.assign(rank=table["rank"] + 1)
    assert broken(sixteen, conditions=reranked) == {"conditions.ranks_count_up"}
    exchanged = table.assign(
        condition=table["condition"].replace(
            {"unambiguous": "ambiguous", "ambiguous": "unambiguous"}
        )
    )
    assert "conditions.true_to_its_name" in broken(sixteen, conditions=exchanged)
    both = pd.concat([table, table.loc[sampled].assign(condition="ambiguous")], ignore_index=True)
    assert "conditions.not_clear_and_unclear" in broken(sixteen, conditions=both)
    one_class = table[(table["task"] == "valence") | (table["label"] == 1)]
    assert "conditions.both_classes_everywhere" in broken(sixteen, conditions=one_class)
