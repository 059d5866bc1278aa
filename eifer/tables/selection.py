"""What select hands on: the frames kept and why, what was short, and their crops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from eifer.tables.affect import ESTIMATOR
from eifer.tables.schema import Column, Table, in_each, rule
from eifer.vocabulary import Condition, Dimension, LabelSource, item_id

SOURCES = tuple(LabelSource)
SAMPLED = tuple(c for c in Condition if c is not Condition.BASELINE)
"""The conditions of the protocol that take a fixed number of frames from each video."""


@rule(
    "crops, samples and predictions are joined by item_id alone",
    "build identifiers with eifer.vocabulary.item_id and nothing else",
)
def item_names_its_frame(table: pd.DataFrame) -> pd.DataFrame:
    """item_id is made of the row's own video_id and frame."""
    named = [
        item_id(video, frame)
        for video, frame in zip(table["video_id"], table["frame"], strict=True)
    ]
    return table[table["item_id"].to_numpy() != np.array(named, dtype=object)]


def keyed(table: pd.DataFrame, *key: str) -> pd.DataFrame:
    """``table`` by its key; of rows that share one, which that table's own check names, the first.

    So that a fault in one table does not stop the checks of another.
    """
    return table.drop_duplicates(list(key)).set_index(list(key) if len(key) > 1 else key[0])


def gaps(table: pd.DataFrame, by: list[str], rank: str) -> pd.DataFrame:
    """Rows in whose group ``rank`` does not count 1, 2, 3 ... without gap or tie."""
    ranked = table[table[rank].notna()]
    counted = ranked.sort_values([*by, rank]).groupby(by, sort=False).cumcount() + 1
    return ranked[counted.reindex(ranked.index) != ranked[rank].astype("int64")]


def _rank_columns() -> list[tuple[str, Dimension]]:
    chosen = [(f"{d}_rank", d) for d in Dimension]
    return chosen + [(f"{d}_{c}_rank", d) for d in Dimension for c in SAMPLED]


@rule(
    "'the top 100 frames' means nothing when ranks repeat or skip",
    "repeat select; if it stays, eifer.selection.select ranks wrongly",
)
def ranks_count_up(table: pd.DataFrame) -> pd.DataFrame:
    """Within a video every rank column counts 1, 2, 3 ... without gap or tie."""
    bad = [gaps(table, ["video_id"], rank) for rank, _ in _rank_columns()]
    return table.loc[table.index.isin(np.concatenate([b.index for b in bad]))]


def _alignment(table: pd.DataFrame, dimension: Dimension) -> pd.Series:
    direction = 2 * table[f"{dimension}_label"] - 1
    return direction * table[f"{dimension}_estimate"].astype("float64")


@rule(
    "a frame that contradicts its label must not be trained on as an example of it",
    "check that labels and estimates come from the same intake, then repeat select",
)
def sign_matches_label(table: pd.DataFrame) -> pd.DataFrame:
    """A frame ranked for a dimension, or unambiguous in it, has an estimate on the
    label's side of 0.
    """
    bad = pd.Series(False, index=table.index)
    for dimension in Dimension:
        kept = table[f"{dimension}_rank"].notna()
        kept |= table[f"{dimension}_{Condition.UNAMBIGUOUS}_rank"].notna()
        bad |= kept & ~(_alignment(table, dimension) > 0)
    return table[bad]


@rule(
    "a different order keeps different frames",
    "repeat select; if it stays, eifer.selection or eifer.partitions orders wrongly",
)
def rank_follows_magnitude(table: pd.DataFrame) -> pd.DataFrame:
    """Ranks go by falling |estimate| (ambiguous: rising alignment), ties by frame."""
    bad: list[pd.Index] = []
    for rank, dimension in _rank_columns():
        sign = 1 if rank.endswith(f"_{Condition.AMBIGUOUS}_rank") else -1
        key = sign * _alignment(table, dimension)
        ranked = table.assign(key=key)[table[rank].notna()].sort_values(["video_id", rank])
        before = ranked.groupby("video_id", sort=False)[["key", "frame"]].shift()
        tied = (ranked["key"] == before["key"]) & (ranked["frame"] < before["frame"])
        bad.append(ranked.index[(ranked["key"] < before["key"]) | tied])
    return table.loc[table.index.isin(np.concatenate(bad))]


@rule(
    "a person rated the video, not the frame",
    "look for a video_id that stands for two recordings in intake",
)
def one_label_a_video(table: pd.DataFrame) -> pd.DataFrame:
    """All frames of a video carry the same labels and label sources."""
    names = [f"{d}_label{suffix}" for d in Dimension for suffix in ("", "_source")]
    kinds = table.groupby("video_id")[names].nunique().max(axis=1)
    return table[table["video_id"].isin(kinds.index[kinds > 1])]


@rule(
    "a frame without an accepted face has no place in the data",
    "repeat estimate and select for this wave together",
)
def as_estimated(table: pd.DataFrame, estimates: pd.DataFrame) -> pd.DataFrame:
    """Every stored frame is an estimated one, with the estimates given there."""
    return _otherwise_estimated(table, estimates)


@rule(
    "a frame without an accepted face has no place in the data",
    "repeat estimate and select for this wave together",
    name="as_estimated",
)
@in_each("estimator")
def as_others_estimated(table: pd.DataFrame, other_estimates: pd.DataFrame) -> pd.DataFrame:
    """Every frame has the estimates that the same estimator gave it."""
    return _otherwise_estimated(table, other_estimates)


def _otherwise_estimated(table: pd.DataFrame, estimates: pd.DataFrame) -> pd.DataFrame:
    key = ["video_id", "frame"]
    there = keyed(estimates, *key).reindex(pd.MultiIndex.from_frame(table[key]))
    here = table[[f"{d}_estimate" for d in Dimension]]
    return table[(there[list(Dimension)].to_numpy() != here.to_numpy()).any(axis=1)]


SELECTION = Table(
    name="selection",
    meaning="Every stored frame: one chosen for a dimension, or a candidate for a test condition "
    "(the test participants are only known after split).",
    key=("item_id",),
    columns=(
        Column("item_id", "string", "the frame's name everywhere: video and frame number"),
        Column("video_id", "string", "the recording it comes from"),
        Column("participant_id", "string", "whose face it shows"),
        Column("frame", "int 0..", "position in decoding order, from 0"),
        *(
            Column(
                f"{d}_estimate",
                "float32 -1..1",
                f"the estimator's {d}, as in estimates",
                why="the rank and the regression target are made of it",
            )
            for d in Dimension
        ),
        *(
            column
            for d in Dimension
            for column in (
                Column(f"{d}_label", "int 0..1", f"the video's {d}: 0 low, 1 high"),
                Column(
                    f"{d}_label_source",
                    "string",
                    f"where the {d} label comes from: the rating, or (rating 4) the stimulus",
                    values=SOURCES,
                ),
            )
        ),
        *(
            Column(
                f"{d}_rank",
                "int? 1..",
                f"place by |{d} estimate| among the video's frames whose sign matches the {d} "
                "label; missing where not among the top",
            )
            for d in Dimension
        ),
        *(
            Column(
                f"{d}_{c}_rank",
                "int? 1..",
                f"place in the video's {c} frames for {d}, should its participant be tested; "
                "missing where not among them",
            )
            for d in Dimension
            for c in SAMPLED
        ),
    ),
    rules=(
        item_names_its_frame,
        ranks_count_up,
        sign_matches_label,
        rank_follows_magnitude,
        one_label_a_video,
        as_estimated,
    ),
)

OTHER_SELECTION = Table(
    name="other_selection",
    meaning="The frames that another estimator would choose for training, with its estimates; for "
    "the assignment of its name. Test frames are the study's estimator's. Empty where params name "
    "no other.",
    key=("estimator", "item_id"),
    columns=(ESTIMATOR, *SELECTION.columns),
    rules=(
        *(
            replace(rule, check=in_each("estimator")(rule.check))
            for rule in SELECTION.rules
            if rule is not as_estimated
        ),
        as_others_estimated,
    ),
    may_be_empty=True,
)


@rule(
    "a short video is neither filled up with mismatches nor dropped",
    "repeat select; if it stays, eifer.selection.select counts wrongly",
)
def kept_what_there_was(table: pd.DataFrame) -> pd.DataFrame:
    """Kept is the smaller of matching and asked."""
    return table[table["kept"] != table[["matching", "asked"]].min(axis=1)]


@rule(
    "the counts in the report must be those of the data",
    "repeat select, so that both tables come from one run",
)
def kept_is_in_selection(table: pd.DataFrame, selection: pd.DataFrame) -> pd.DataFrame:
    """Kept equals the ranked frames of that video and dimension in selection."""
    ranked = selection.groupby("video_id")[[f"{d}_rank" for d in Dimension]].count()
    bad = pd.Series(False, index=table.index)
    for dimension in Dimension:
        rows = table[table["dimension"] == dimension]
        ranks = rows["video_id"].map(ranked[f"{dimension}_rank"]).fillna(0)
        bad |= (ranks != rows["kept"]).reindex(table.index, fill_value=False)
    return table[bad]


SHORTFALL = Table(
    name="shortfall",
    meaning="How many frames each video could give to each dimension, and how many it gave.",
    key=("video_id", "dimension"),
    columns=(
        Column("video_id", "string", "the recording"),
        Column("participant_id", "string", "whose it is"),
        Column("dimension", "string", "the dimension", values=tuple(Dimension)),
        Column("matching", "int frames 0..", "frames whose estimate has the label's sign"),
        Column("kept", "int frames 0..", "frames kept of those"),
        Column("asked", "int frames 1..", "frames wanted (params)"),
    ),
    rules=(kept_what_there_was, kept_is_in_selection),
)


@rule(
    "otherwise it cannot be read back as an image", "cut the crop from a contiguous uint8 RGB array"
)
def crop_fills_its_size(table: pd.DataFrame) -> pd.DataFrame:
    """The crop has height_px x width_px x 3 bytes."""
    length = table["crop"].map(len)
    return table[length != table["height_px"] * table["width_px"] * 3]


@rule(
    "they are stacked into one array for training",
    "repeat select for every wave with the same crop size",
)
def one_crop_size(table: pd.DataFrame) -> pd.DataFrame:
    """All crops have the same size."""
    sizes = table.groupby(["height_px", "width_px"], sort=False)["item_id"].transform("size")
    return table[sizes < len(table)]


@rule(
    "a missing crop would only be found in the middle of training",
    "repeat select for this wave, so that table and crops come from one run",
)
def crops_are_the_stored_frames(table: pd.DataFrame, selection: pd.DataFrame) -> pd.DataFrame:
    """A video has exactly the crops that selection lists for it."""
    stray = ~table["item_id"].isin(selection["item_id"])
    wanted = table["video_id"].map(selection["video_id"].value_counts())
    stored = table["video_id"].map(table["video_id"].value_counts())
    return table[stray | (wanted != stored)]


CROPS = Table(
    name="crops",
    meaning="The aligned face of every stored frame, so that training decodes no video.",
    key=("item_id",),
    columns=(
        Column("item_id", "string", "the frame's name, as in selection"),
        Column("video_id", "string", "the recording it comes from"),
        Column("frame", "int 0..", "position in decoding order, from 0"),
        Column("height_px", "int px 1..", "rows of the crop"),
        Column("width_px", "int px 1..", "columns of the crop"),
        Column(
            "crop",
            "bytes",
            "the pixels: RGB, uint8, row after row",
            why="any codec would lose detail or cost time at every epoch",
        ),
    ),
    rules=(item_names_its_frame, crop_fills_its_size, one_crop_size, crops_are_the_stored_frames),
)
