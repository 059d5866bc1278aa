"""What split hands on: who trains, who validates, who is tested, and on which frames."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pandas as pd

from eifer.tables.schema import Column, Table, in_each, rule
from eifer.tables.selection import SOURCES, gaps, item_names_its_frame, keyed
from eifer.vocabulary import ESTIMATORS, Condition, Dimension, Group, LabelSource, Partition

GROUPS = (Group.HIGH, Group.LOW)
CLASSES = ("low", "high")
"""The names of the classes 0 and 1, as column names use them."""
CLASS_COLUMNS = tuple(f"{task}_{name}_frames" for task in Dimension for name in CLASSES)

_REPEAT = "repeat split; if it stays, eifer.partitions assigns wrongly"
_LEAK = "a face seen in training makes the test measure memory, not recognition"


ROTATION = Column("rotation", "string", "the round of training and testing, as in params")
ASSIGNMENT = Column(
    "assignment",
    "string",
    "who counts as High and Low: ei (the cutoff), matched (the same, cut to equal sizes), own (the "
    "same, of each task its own frames), clear (the same, without neutral ratings), final (the "
    "same, last epoch kept), an estimator's name (the same, on frames that it chose), tertiles (of "
    "the score), above850 (another cutoff), or null01, null02 ... (random labels)",
)
SAME_GROUPS = ("ei", "matched", "own", "clear", "final", *ESTIMATORS)
"""Assignments of the EI groups. Each changes something else, of everybody, so that it has a Total
model of its own."""

_in_each_rotation = in_each("rotation")
"""Who is tested in one rotation trains in another."""


def _incomplete(table: pd.DataFrame, **wanted: Sequence[Hashable]) -> pd.DataFrame:
    """Rows of ``table`` with those values of the first column that lack a combination ``wanted``.

    All rows where such a value is nowhere, because a rule has to name some.
    """
    first, *_ = names = list(wanted)
    every = pd.MultiIndex.from_product([*wanted.values()], names=names)
    lacking = every.difference(pd.MultiIndex.from_frame(table[names]))
    rows = table[table[first].isin(lacking.get_level_values(first))]
    return table if len(lacking) and rows.empty else rows


def _shared(table: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``table`` with a participant or an item that ``other`` has too."""
    people = table["participant_id"].isin(other["participant_id"])
    return table[people | table["item_id"].isin(other["item_id"])]


# availability ---------------------------------------------------------------------------------

AVAILABILITY = Table(
    name="availability",
    meaning="How many frames each video could give to each test condition: what decides whether "
    "its participant may be tested.",
    key=("video_id", "task", "condition"),
    may_be_empty=True,  # where no condition is sampled
    columns=(
        Column("video_id", "string", "the recording; also one without any estimated frame"),
        Column("participant_id", "string", "whose it is"),
        Column("task", "string", "the dimension to be recognised", values=tuple(Dimension)),
        Column("condition", "string", "a condition that takes a fixed number of frames"),
        Column("label", "int 0..1", "the video's label for the task"),
        Column("available", "int frames 0..", "estimated frames that belong to the condition"),
        Column("asked", "int frames 1..", "frames wanted per video (params)"),
    ),
)


# partitions -----------------------------------------------------------------------------------


@rule(_LEAK, _REPEAT)
@_in_each_rotation
def one_partition_a_participant(table: pd.DataFrame) -> pd.DataFrame:
    """No participant is in two partitions."""
    return table[table["participant_id"].duplicated(keep=False)]


@rule(
    "High and Low models are trained and validated on their own group, and the test "
    "must favour neither",
    "enlarge the smaller group or lower test_per_group in params",
)
@_in_each_rotation
def both_groups_everywhere(table: pd.DataFrame) -> pd.DataFrame:
    """Train, validation and test each hold High and Low participants."""
    return _incomplete(table, partition=list(Partition), group=GROUPS)


@rule(
    "a test set of mostly one group would favour the model trained on it",
    "name as many participants of either group in params",
)
def balanced_test(table: pd.DataFrame) -> pd.DataFrame:
    """A fixed test has as many High as Low participants; in rotations the numbers of High
    tested differ by one at most, as do those of Low.
    """
    test = table[table["partition"] == Partition.TEST]
    counts = test.groupby(["rotation", "group"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=list(GROUPS), fill_value=0)
    fixed = len(counts) == 1
    spread = counts.T if fixed else counts
    uneven = (spread.max() - spread.min() > (0 if fixed else 1)).any()
    return test if uneven else test.head(0)


@rule("participants are the sample: each counts once", _REPEAT)
def tested_once(table: pd.DataFrame) -> pd.DataFrame:
    """Nobody is tested in two rotations, and all rotations have the same participants."""
    test = table[table["partition"] == Partition.TEST]
    again = test[test["participant_id"].duplicated(keep=False)]
    in_rotations = table.groupby("participant_id")["rotation"].transform("nunique")
    return pd.concat([again, table[in_rotations < table["rotation"].nunique()]])


@rule(
    "neither a classifier nor a threshold nor an AUC can be had from one class",
    "change the seed or the share in params, or add participants",
)
@_in_each_rotation
def both_classes_everywhere(table: pd.DataFrame) -> pd.DataFrame:
    """Both classes of both tasks occur in the test, and within High and within Low of
    train and of validation.
    """
    trained = table["partition"] != Partition.TEST
    scope = table["group"].where(trained, Group.TOTAL.value)
    sums = table.groupby([table["partition"], scope])[list(CLASS_COLUMNS)].transform("sum")
    return table[(sums == 0).any(axis=1)]


@rule("a participant in the wrong group turns the comparison around", "repeat stratify and split")
def group_as_scored(table: pd.DataFrame, ei_scores: pd.DataFrame) -> pd.DataFrame:
    """The group is the one the EI score gave."""
    scored = keyed(ei_scores, "participant_id")["group"]
    return table[table["participant_id"].map(scored) != table["group"]]


@rule("the report's group sizes must be those of the data", _REPEAT)
@_in_each_rotation
def counts_as_selected(table: pd.DataFrame, selection: pd.DataFrame) -> pd.DataFrame:
    """n_frames and n_videos are those of the ranked frames in selection."""
    ranked = selection[selection[[f"{d}_rank" for d in Dimension]].notna().any(axis=1)]
    by = ranked.groupby("participant_id")
    counted = pd.DataFrame({"n_frames": by.size(), "n_videos": by["video_id"].nunique()})
    expected = counted.reindex(table["participant_id"]).to_numpy()
    return table[(table[["n_frames", "n_videos"]].to_numpy() != expected).any(axis=1)]


PARTITIONS = Table(
    name="partitions",
    meaning="Which part of the cohort each participant belongs to in each rotation, for every "
    "experiment alike. High and Low are the parts of one division.",
    key=("rotation", "participant_id"),
    columns=(
        ROTATION,
        Column("participant_id", "string", "the participant"),
        Column("group", "string", "side of the EI cutoff", values=GROUPS),
        Column("partition", "string", "the part of the cohort", values=tuple(Partition)),
        Column("n_videos", "int videos 1..", "recordings with at least one selected frame"),
        Column("n_frames", "int frames 1..", "selected frames, each counted once"),
        *(
            Column(
                f"{task}_{name}_frames",
                "int frames 0..",
                f"selected frames that serve the {task} task with the label {name}",
            )
            for task in Dimension
            for name in CLASSES
        ),
    ),
    rules=(
        one_partition_a_participant,
        both_groups_everywhere,
        balanced_test,
        tested_once,
        both_classes_everywhere,
        group_as_scored,
        counts_as_selected,
    ),
)


# assignments ----------------------------------------------------------------------------------


@rule("the EI groups are those of the study", _REPEAT)
def ei_as_partitioned(table: pd.DataFrame, partitions: pd.DataFrame) -> pd.DataFrame:
    """What changes no group (ei, matched, own ...) gives everybody the group in partitions."""
    group = keyed(partitions, "participant_id")["group"]
    other = table["participant_id"].map(group) != table["group"]
    return table[other & table["assignment"].isin(SAME_GROUPS)]


@rule("a random assignment of other sizes is no null of the EI groups", _REPEAT)
def nulls_of_the_same_sizes(table: pd.DataFrame, partitions: pd.DataFrame) -> pd.DataFrame:
    """In every rotation a random assignment gives each partition as many High as ei does."""
    null = table[table["assignment"].str.startswith("null")]
    placed = partitions.drop(columns="group").merge(null, on="participant_id")
    by = ["rotation", "partition"]
    counts = placed[placed["group"] == Group.HIGH].groupby(["assignment", *by]).size()
    wanted = partitions[partitions["group"] == Group.HIGH].groupby(by).size()
    wide = counts.unstack(by, fill_value=0).reindex(columns=wanted.index, fill_value=0)
    return null[null["assignment"].isin(wide.index[(wide != wanted).any(axis=1)])]


@rule("the same labels twice count one outcome of chance as two", _REPEAT)
def no_assignment_twice(table: pd.DataFrame) -> pd.DataFrame:
    """No two random assignments, and none and ei, divide the participants in the same way."""
    kind = table["assignment"].str.startswith("null") | (table["assignment"] == "ei")
    wide = table[kind].pivot(index="assignment", columns="participant_id", values="group")
    first = wide.eq(wide.iloc[:, 0], axis=0)  # the same division, whichever side is called High
    again = first.index[first.duplicated(keep=False)]
    return table[table["assignment"].isin(again)]


ASSIGNMENTS = Table(
    name="assignments",
    meaning="Who counts as High and who as Low in each assignment: the EI groups, and what stands "
    "beside them.",
    key=("assignment", "participant_id"),
    columns=(
        ASSIGNMENT,
        Column("participant_id", "string", "the participant"),
        Column("group", "string?", "High, Low, or (middle tertile) neither", values=GROUPS),
    ),
    rules=(ei_as_partitioned, nulls_of_the_same_sizes, no_assignment_twice),
)


# samples --------------------------------------------------------------------------------------


@rule(
    "validation picks the epoch and the threshold; it must not know the faces",
    _REPEAT,
    name="one_partition_a_participant",
)
@_in_each_rotation
def one_part_a_participant(table: pd.DataFrame) -> pd.DataFrame:
    """No participant is in train and in validation."""
    return table[table.groupby("participant_id")["partition"].transform("nunique") > 1]


@rule(
    "a person rated the video, not the frame",
    "look for a video_id that stands for two recordings in intake",
)
def one_label_a_video(table: pd.DataFrame) -> pd.DataFrame:
    """All frames of a video carry the same label for a task."""
    kinds = table.groupby(["video_id", "task"])[["label", "label_source"]].transform("nunique")
    return table[(kinds > 1).any(axis=1)]


@rule(
    "neither a classifier nor a threshold can be had from one class",
    "change the seed or the share in params, or add participants",
    name="both_classes_everywhere",
)
@_in_each_rotation
def both_classes_sampled(table: pd.DataFrame) -> pd.DataFrame:
    """Each task has both classes in train and validation, within High and within Low."""
    parts = (Partition.TRAIN, Partition.VALIDATION)
    return _incomplete(table, task=list(Dimension), partition=parts, group=GROUPS, label=(0, 1))


@rule("one assignment holds for every experiment", _REPEAT)
@_in_each_rotation
def where_the_participant_is(table: pd.DataFrame, partitions: pd.DataFrame) -> pd.DataFrame:
    """The partition is the participant's in partitions."""
    assigned = keyed(partitions, "participant_id")["partition"].reindex(table["participant_id"])
    return table[table["partition"].to_numpy() != assigned.to_numpy()]


@rule("a participant in the wrong group turns the comparison around", _REPEAT)
def group_as_assigned(table: pd.DataFrame, assignments: pd.DataFrame) -> pd.DataFrame:
    """The group is the participant's in assignments."""
    key = ["assignment", "participant_id"]
    group = keyed(assignments, *key)["group"].reindex(pd.MultiIndex.from_frame(table[key]))
    return table[table["group"].fillna("").to_numpy() != group.fillna("").to_numpy()]


@rule("models of cut groups are to differ by whose frames they saw, not by how many", _REPEAT)
@_in_each_rotation
def matched_sizes(table: pd.DataFrame) -> pd.DataFrame:
    """In the assignment matched High, Low and Total have equally many frames of each class."""
    matched = table[table["assignment"] == "matched"]
    by = ["task", "partition", "label"]
    sizes = matched.groupby([*by, "group"]).size().unstack().fillna(0)
    sizes[Group.TOTAL] = matched[matched["total"]].groupby(by).size()
    uneven = sizes.index[sizes.nunique(axis=1, dropna=False) > 1]
    return matched[pd.MultiIndex.from_frame(matched[by]).isin(uneven)]


@rule("own asks what models learn without frames chosen for the other task", _REPEAT)
def own_frames(table: pd.DataFrame, selection: pd.DataFrame) -> pd.DataFrame:
    """In the assignment own every frame was ranked for the task itself."""
    ranks = keyed(selection, "item_id").reindex(table["item_id"])
    ranked = pd.Series(False, index=table.index)
    for task in Dimension:
        ranked |= (table["task"] == task) & ranks[f"{task}_rank"].notna().to_numpy()
    return table[(table["assignment"] == "own") & ~ranked]


@rule("clear asks what models learn from labels that people gave", _REPEAT)
def clear_labels(table: pd.DataFrame) -> pd.DataFrame:
    """In the assignment clear every label comes from a rating."""
    return table[(table["assignment"] == "clear") & (table["label_source"] != LabelSource.RATING)]


@rule(_LEAK, _REPEAT)
@_in_each_rotation
def nothing_tested(table: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    """No participant and no frame of a test condition is among the samples."""
    return _shared(table, conditions)


@rule(
    "the crop, the label and the regression target must belong together", "repeat select and split"
)
def as_selected(table: pd.DataFrame, selection: pd.DataFrame) -> pd.DataFrame:
    """Every item is in selection, with the label, source and estimate given there."""
    return _unlike(table, selection)


@rule(
    "the crop, the label and the regression target must belong together",
    "repeat select and split",
    name="as_selected",
)
def sampled_as_selected(
    table: pd.DataFrame, selection: pd.DataFrame, other_selection: pd.DataFrame
) -> pd.DataFrame:
    """Every item is in selection, or in that of the estimator for which the assignment is named,
    with the label, source and estimate given there.
    """
    other = table["assignment"].isin(ESTIMATORS)
    bad = [_unlike(table[~other], selection)]
    for name, part in table[other].groupby("assignment"):
        bad.append(_unlike(part, other_selection[other_selection["estimator"] == name]))
    return pd.concat(bad)


def _unlike(table: pd.DataFrame, selection: pd.DataFrame) -> pd.DataFrame:
    """Rows that ``selection`` lacks, or of which it says something else."""
    selection = keyed(selection, "item_id").reindex(table["item_id"])
    selection.index = table.index
    bad = selection["video_id"] != table["video_id"]
    for task in Dimension:
        for name in ("label", "label_source", "estimate"):
            bad |= (table["task"] == task) & (selection[f"{task}_{name}"] != table[name])
    return table[bad]


_ITEM_COLUMNS = (
    Column("item_id", "string", "the frame's name, as in selection and crops"),
    Column("participant_id", "string", "whose face it shows"),
    Column("video_id", "string", "the recording it comes from"),
    Column("frame", "int 0..", "position in decoding order, from 0"),
    Column("task", "string", "the dimension to be recognised", values=tuple(Dimension)),
)
_TARGET_COLUMNS = (
    Column("group", "string?", "the participant's group in the assignment", values=GROUPS),
    Column("label", "int 0..1", "the video's label for the task: 0 low, 1 high"),
    Column("label_source", "string", "rating, or (rating 4) stimulus", values=SOURCES),
    Column("estimate", "float32 -1..1", "the estimator's value on the task's dimension"),
)

SAMPLES = Table(
    name="samples",
    meaning="Every frame to train or validate on, once per rotation and task: a file for each "
    "assignment.",
    key=("rotation", "task", "item_id"),
    columns=(
        ASSIGNMENT,
        ROTATION,
        *_ITEM_COLUMNS,
        Column(
            "partition",
            "string",
            "the part its participant belongs to",
            values=(Partition.TRAIN, Partition.VALIDATION),
        ),
        *_TARGET_COLUMNS,
        Column("total", "bool", "whether the Total model learns from it too"),
    ),
    rules=(
        item_names_its_frame,
        one_part_a_participant,
        one_label_a_video,
        both_classes_sampled,
        where_the_participant_is,
        group_as_assigned,
        matched_sizes,
        own_frames,
        clear_labels,
        nothing_tested,
        sampled_as_selected,
    ),
)


# conditions -----------------------------------------------------------------------------------

_PLACE = ["video_id", "task", "condition"]


@rule("'the first six' means nothing when ranks repeat or skip", _REPEAT)
def ranks_count_up(table: pd.DataFrame) -> pd.DataFrame:
    """Within video, task and condition ranks count 1, 2, 3 ... without gap or tie."""
    return gaps(table, _PLACE, "rank")


@rule("the conditions are defined by how estimate and label agree", _REPEAT)
def true_to_its_name(table: pd.DataFrame) -> pd.DataFrame:
    """Unambiguous frames lie on the label's side of 0; ambiguous ones go by rising
    alignment (direction x estimate).
    """
    alignment = (2 * table["label"] - 1) * table["estimate"].astype("float64")
    contradicts = (table["condition"] == Condition.UNAMBIGUOUS) & ~(alignment > 0)
    ranked = table.assign(alignment=alignment)[table["condition"] == Condition.AMBIGUOUS]
    ranked = ranked.sort_values([*_PLACE, "rank"])
    before = ranked.groupby(_PLACE, sort=False)["alignment"].shift()
    disordered = ranked.index[ranked["alignment"] < before]
    return table[contradicts | table.index.isin(disordered)]


@rule(
    "the two conditions are opposites; a shared frame blurs their difference",
    "ask for fewer frames per video, or keep the short video's participant out of the test",
)
def not_clear_and_unclear(table: pd.DataFrame) -> pd.DataFrame:
    """No frame is unambiguous and ambiguous for the same task."""
    opposite = table[table["condition"].isin([Condition.UNAMBIGUOUS, Condition.AMBIGUOUS])]
    return opposite[opposite.duplicated(["task", "item_id"], keep=False)]


@rule(
    "an AUC needs both",
    "change the seed, or the participants named for the test, in params",
    name="both_classes_everywhere",
)
@_in_each_rotation
def both_classes_tested(table: pd.DataFrame) -> pd.DataFrame:
    """Every condition holds both classes of both tasks."""
    conditions = sorted(table["condition"].unique())
    return _incomplete(table, condition=conditions, task=list(Dimension), label=(0, 1))


@rule(_LEAK, _REPEAT)
@_in_each_rotation
def nothing_sampled(table: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """No participant and no frame of the samples is tested."""
    return _shared(table, samples)


@rule(_LEAK, _REPEAT)
@_in_each_rotation
def test_participants_only(table: pd.DataFrame, partitions: pd.DataFrame) -> pd.DataFrame:
    """Every frame is of a test participant, with the group given in partitions."""
    partitions = keyed(partitions, "participant_id")
    elsewhere = table["participant_id"].map(partitions["partition"]) != Partition.TEST
    return table[elsewhere | (table["participant_id"].map(partitions["group"]) != table["group"])]


@rule("conditions are compared at equal numbers of frames (6 a video in the paper)", _REPEAT)
def as_many_frames_as_asked(table: pd.DataFrame, availability: pd.DataFrame) -> pd.DataFrame:
    """Every test video gives each sampled condition exactly the frames asked for, or all
    it has where fewer belong to it.
    """
    tested = availability[availability["participant_id"].isin(table["participant_id"])]
    tested = tested[tested["condition"].isin(table["condition"])]
    expected = tested.set_index(_PLACE)[["available", "asked"]].min(axis=1)
    counted = table[table["condition"] != Condition.BASELINE].groupby(_PLACE).size()
    both = pd.concat([expected, counted], axis=1, keys=["expected", "found"]).fillna(0)
    wrong = both.index[both["expected"] != both["found"]]
    rows = pd.MultiIndex.from_frame(table[_PLACE]).isin(wrong)
    if len(wrong) and not rows.any():
        rows = table["video_id"].isin(wrong.get_level_values(0)).to_numpy()
    return table[rows] if rows.any() or not len(wrong) else table


CONDITIONS = Table(
    name="conditions",
    meaning="Every frame to test on, once per task and condition, in the rotation that tests its "
    "participant. A frame may be in the baseline "
    "and in another condition; no frame here is trained or validated on.",
    key=("condition", "task", "item_id"),
    columns=(
        ROTATION,
        *_ITEM_COLUMNS,
        Column("condition", "string", "baseline, unambiguous, ambiguous or one added since"),
        *_TARGET_COLUMNS,
        Column("rank", "int 1..", "place among the video's frames of the condition"),
    ),
    rules=(
        item_names_its_frame,
        one_label_a_video,
        ranks_count_up,
        true_to_its_name,
        not_clear_and_unclear,
        both_classes_tested,
        nothing_sampled,
        test_participants_only,
        as_many_frames_as_asked,
        as_selected,
    ),
)
