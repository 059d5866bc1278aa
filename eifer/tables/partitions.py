"""What split hands on: who trains, who validates, who is tested, and on which frames."""

from __future__ import annotations

import pandas as pd

from eifer.tables.schema import Column, Rule, Table
from eifer.tables.selection import ITEM_RULE, SOURCES, Others, gaps, keyed
from eifer.vocabulary import Condition, Dimension, Group, Partition

GROUPS = (Group.HIGH, Group.LOW)
CLASSES = ("low", "high")
"""The names of the classes 0 and 1, as column names use them."""
CLASS_COLUMNS = tuple(f"{task}_{name}_frames" for task in Dimension for name in CLASSES)

_REPEAT = "repeat split; if it stays, eifer.partitions assigns wrongly"
_LEAK = "a face seen in training makes the test measure memory, not recognition"


def _missing_from(table: pd.DataFrame, found: pd.MultiIndex, wanted: pd.MultiIndex) -> pd.DataFrame:
    """Rows of ``table`` in the first level of what ``wanted`` has and ``found`` lacks.

    All rows where that whole level is absent, because a rule has to name some.
    """
    lacking = wanted.difference(found)
    if lacking.empty:
        return table.head(0)
    name = str(wanted.names[0])
    rows = table[table[name].isin(lacking.get_level_values(0))]
    return table if rows.empty else rows


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
        Column("label", "int", "the video's label for the task", low=0, high=1),
        Column("available", "int", "estimated frames that belong to the condition", "frames", 0),
        Column("asked", "int", "frames wanted per video (params)", "frames", low=1),
    ),
)


# partitions -----------------------------------------------------------------------------------


def _in_two_partitions(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[table["participant_id"].duplicated(keep=False)]


def _without_group(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    names = ["partition", "group"]
    wanted = pd.MultiIndex.from_product([list(Partition), list(GROUPS)], names=names)
    return _missing_from(table, pd.MultiIndex.from_frame(table[names]), wanted)


def _uneven_test(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    test = table[table["partition"] == Partition.TEST]
    counts = test["group"].value_counts().reindex(list(GROUPS), fill_value=0)
    return test if counts.nunique() > 1 else test.head(0)


def _one_class(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    trained = table["partition"] != Partition.TEST
    scope = table["group"].where(trained, Group.TOTAL.value)
    sums = table.groupby([table["partition"], scope])[list(CLASS_COLUMNS)].transform("sum")
    return table[(sums == 0).any(axis=1)]


def _group_not_as_scored(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    scored = keyed(others["ei_scores"], "participant_id")["group"]
    return table[table["participant_id"].map(scored) != table["group"]]


def _counts_not_as_selected(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    ranked = others["selection"]
    ranked = ranked[ranked[[f"{d}_rank" for d in Dimension]].notna().any(axis=1)]
    by = ranked.groupby("participant_id")
    found = pd.DataFrame({"n_frames": by.size(), "n_videos": by["video_id"].nunique()})
    expected = found.reindex(table["participant_id"]).to_numpy()
    return table[(table[["n_frames", "n_videos"]].to_numpy() != expected).any(axis=1)]


PARTITIONS = Table(
    name="partitions",
    meaning="Which part of the cohort each participant belongs to, for every experiment alike. "
    "High and Low are the parts of one assignment.",
    key=("participant_id",),
    columns=(
        Column("participant_id", "string", "the participant"),
        Column("group", "string", "side of the EI cutoff", values=GROUPS),
        Column("partition", "string", "the part of the cohort", values=tuple(Partition)),
        Column("n_videos", "int", "recordings with at least one selected frame", "videos", low=1),
        Column("n_frames", "int", "selected frames, each counted once", "frames", low=1),
        *(
            Column(
                f"{task}_{name}_frames",
                "int",
                f"selected frames that serve the {task} task with the label {name}",
                "frames",
                low=0,
            )
            for task in Dimension
            for name in CLASSES
        ),
    ),
    rules=(
        Rule(
            name="one_partition_a_participant",
            says="no participant is in two partitions",
            why=_LEAK,
            remedy=_REPEAT,
            broken=_in_two_partitions,
        ),
        Rule(
            name="both_groups_everywhere",
            says="train, validation and test each hold High and Low participants",
            why="High and Low models are trained and validated on their own group, and the test "
            "must favour neither",
            remedy="enlarge the smaller group or lower test_per_group in params",
            broken=_without_group,
        ),
        Rule(
            name="as_many_high_as_low_in_test",
            says="the test has as many High as Low participants",
            why="a test set of mostly one group would favour the model trained on it",
            remedy="name as many participants of either group in params",
            broken=_uneven_test,
        ),
        Rule(
            name="both_classes_everywhere",
            says="both classes of both tasks occur in the test, and within High and within Low of "
            "train and of validation",
            why="neither a classifier nor a threshold nor an AUC can be had from one class",
            remedy="change the seed or the share in params, or add participants",
            broken=_one_class,
        ),
        Rule(
            name="group_as_scored",
            says="the group is the one the EI score gave",
            why="a participant in the wrong group turns the comparison around",
            remedy="repeat stratify and split",
            broken=_group_not_as_scored,
            needs=("ei_scores",),
        ),
        Rule(
            name="counts_as_selected",
            says="n_frames and n_videos are those of the ranked frames in selection",
            why="the report's group sizes must be those of the data",
            remedy=_REPEAT,
            broken=_counts_not_as_selected,
            needs=("selection",),
        ),
    ),
)


# samples --------------------------------------------------------------------------------------


def _participant_twice(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[table.groupby("participant_id")["partition"].transform("nunique") > 1]


def _two_labels(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    kinds = table.groupby(["video_id", "task"])[["label", "label_source"]].transform("nunique")
    return table[(kinds > 1).any(axis=1)]


def _one_class_sampled(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    names = ["task", "partition", "group", "label"]
    parts = [Partition.TRAIN, Partition.VALIDATION]
    wanted = pd.MultiIndex.from_product([list(Dimension), parts, list(GROUPS), [0, 1]], names=names)
    return _missing_from(table, pd.MultiIndex.from_frame(table[names]), wanted)


def _sampled_elsewhere(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    partitions = keyed(others["partitions"], "participant_id")
    bad = pd.Series(False, index=table.index)
    for name in ("partition", "group"):
        bad |= table["participant_id"].map(partitions[name]) != table[name]
    return table[bad]


def _tested_too(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    tested = others["conditions"]
    bad = table["participant_id"].isin(tested["participant_id"])
    return table[bad | table["item_id"].isin(tested["item_id"])]


def _not_as_selected(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    selection = keyed(others["selection"], "item_id").reindex(table["item_id"])
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
    Column("frame", "int", "position in decoding order, from 0", low=0),
    Column("task", "string", "the dimension to be recognised", values=tuple(Dimension)),
)
_TARGET_COLUMNS = (
    Column("group", "string", "the participant's side of the EI cutoff", values=GROUPS),
    Column("label", "int", "the video's label for the task: 0 low, 1 high", low=0, high=1),
    Column("label_source", "string", "rating, or (rating 4) stimulus", values=SOURCES),
    Column("estimate", "float32", "the affect network's value on the task's dimension", "", -1, 1),
)
_ONE_LABEL = Rule(
    name="one_label_a_video",
    says="all frames of a video carry the same label for a task",
    why="a person rated the video, not the frame",
    remedy="look for a video_id that stands for two recordings in intake",
    broken=_two_labels,
)
_AS_SELECTED = Rule(
    name="as_selected",
    says="every item is in selection, with the label, source and estimate given there",
    why="the crop, the label and the regression target must belong together",
    remedy="repeat select and split",
    broken=_not_as_selected,
    needs=("selection",),
)

SAMPLES = Table(
    name="samples",
    meaning="Every frame to train or validate on, once per task.",
    key=("task", "item_id"),
    columns=(
        *_ITEM_COLUMNS,
        Column(
            "partition",
            "string",
            "the part its participant belongs to",
            values=(Partition.TRAIN, Partition.VALIDATION),
        ),
        *_TARGET_COLUMNS,
    ),
    rules=(
        ITEM_RULE,
        Rule(
            name="one_partition_a_participant",
            says="no participant is in train and in validation",
            why="validation picks the epoch and the threshold; it must not know the faces",
            remedy=_REPEAT,
            broken=_participant_twice,
        ),
        _ONE_LABEL,
        Rule(
            name="both_classes_everywhere",
            says="each task has both classes in train and validation, within High and within Low",
            why="neither a classifier nor a threshold can be had from one class",
            remedy="change the seed or the share in params, or add participants",
            broken=_one_class_sampled,
        ),
        Rule(
            name="where_the_participant_is",
            says="partition and group are the participant's in partitions",
            why="one assignment holds for every experiment",
            remedy=_REPEAT,
            broken=_sampled_elsewhere,
            needs=("partitions",),
        ),
        Rule(
            name="nothing_tested",
            says="no participant and no frame of a test condition is among the samples",
            why=_LEAK,
            remedy=_REPEAT,
            broken=_tested_too,
            needs=("conditions",),
        ),
        _AS_SELECTED,
    ),
)


# conditions -----------------------------------------------------------------------------------

_PLACE = ["video_id", "task", "condition"]


def _ranks_with_gaps(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return gaps(table, _PLACE, "rank")


def _against_its_name(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    alignment = (2 * table["label"] - 1) * table["estimate"].astype("float64")
    contradicts = (table["condition"] == Condition.UNAMBIGUOUS) & ~(alignment > 0)
    ranked = table.assign(alignment=alignment)[table["condition"] == Condition.AMBIGUOUS]
    ranked = ranked.sort_values([*_PLACE, "rank"])
    before = ranked.groupby(_PLACE, sort=False)["alignment"].shift()
    disordered = ranked.index[ranked["alignment"] < before]
    return table[contradicts | table.index.isin(disordered)]


def _both_clear_and_unclear(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    opposite = table[table["condition"].isin([Condition.UNAMBIGUOUS, Condition.AMBIGUOUS])]
    return opposite[opposite.duplicated(["task", "item_id"], keep=False)]


def _one_class_tested(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    names = ["condition", "task", "label"]
    conditions = sorted(table["condition"].unique())
    wanted = pd.MultiIndex.from_product([conditions, list(Dimension), [0, 1]], names=names)
    return _missing_from(table, pd.MultiIndex.from_frame(table[names]), wanted)


def _sampled_too(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    sampled = others["samples"]
    bad = table["participant_id"].isin(sampled["participant_id"])
    return table[bad | table["item_id"].isin(sampled["item_id"])]


def _not_in_test(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    partitions = keyed(others["partitions"], "participant_id")
    elsewhere = table["participant_id"].map(partitions["partition"]) != Partition.TEST
    return table[elsewhere | (table["participant_id"].map(partitions["group"]) != table["group"])]


def _wrong_number(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    availability = others["availability"]
    tested = availability[availability["participant_id"].isin(table["participant_id"])]
    tested = tested[tested["condition"].isin(table["condition"])]
    expected = tested.set_index(_PLACE)[["available", "asked"]].min(axis=1)
    found = table[table["condition"] != Condition.BASELINE].groupby(_PLACE).size()
    both = pd.concat([expected, found], axis=1, keys=["expected", "found"]).fillna(0)
    wrong = both.index[both["expected"] != both["found"]]
    rows = pd.MultiIndex.from_frame(table[_PLACE]).isin(wrong)
    if len(wrong) and not rows.any():
        rows = table["video_id"].isin(wrong.get_level_values(0)).to_numpy()
    return table[rows] if rows.any() or not len(wrong) else table


CONDITIONS = Table(
    name="conditions",
    meaning="Every frame to test on, once per task and condition. A frame may be in the baseline "
    "and in another condition; no frame here is trained or validated on.",
    key=("condition", "task", "item_id"),
    columns=(
        *_ITEM_COLUMNS,
        Column("condition", "string", "baseline, unambiguous, ambiguous or one added since"),
        *_TARGET_COLUMNS,
        Column("rank", "int", "place among the video's frames of the condition", low=1),
    ),
    rules=(
        ITEM_RULE,
        _ONE_LABEL,
        Rule(
            name="ranks_count_up",
            says="within video, task and condition ranks count 1, 2, 3 ... without gap or tie",
            why="'the first six' means nothing when ranks repeat or skip",
            remedy=_REPEAT,
            broken=_ranks_with_gaps,
        ),
        Rule(
            name="true_to_its_name",
            says="unambiguous frames lie on the label's side of 0; ambiguous ones go by rising "
            "alignment (direction x estimate)",
            why="the conditions are defined by how estimate and label agree",
            remedy=_REPEAT,
            broken=_against_its_name,
        ),
        Rule(
            name="not_clear_and_unclear",
            says="no frame is unambiguous and ambiguous for the same task",
            why="the two conditions are opposites; a shared frame blurs their difference",
            remedy="ask for fewer frames per video, or keep the short video's participant out of "
            "the test",
            broken=_both_clear_and_unclear,
        ),
        Rule(
            name="both_classes_everywhere",
            says="every condition holds both classes of both tasks",
            why="an AUC needs both",
            remedy="change the seed, or the participants named for the test, in params",
            broken=_one_class_tested,
        ),
        Rule(
            name="nothing_sampled",
            says="no participant and no frame of the samples is tested",
            why=_LEAK,
            remedy=_REPEAT,
            broken=_sampled_too,
            needs=("samples",),
        ),
        Rule(
            name="test_participants_only",
            says="every frame is of a test participant, with the group given in partitions",
            why=_LEAK,
            remedy=_REPEAT,
            broken=_not_in_test,
            needs=("partitions",),
        ),
        Rule(
            name="as_many_frames_as_asked",
            says="every test video gives each sampled condition exactly the frames asked for, or "
            "all it has where fewer belong to it",
            why="conditions are compared at equal numbers of frames (6 a video in the paper)",
            remedy=_REPEAT,
            broken=_wrong_number,
            needs=("availability",),
        ),
        _AS_SELECTED,
    ),
)
