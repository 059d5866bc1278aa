"""What select hands on: the frames kept and why, what was short, and their crops."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from eifer.tables.schema import Column, Rule, Table
from eifer.vocabulary import Condition, Dimension, LabelSource, item_id

SOURCES = tuple(LabelSource)
SAMPLED = tuple(c for c in Condition if c is not Condition.BASELINE)
"""The conditions of the protocol that take a fixed number of frames from each video."""

Others = Mapping[str, pd.DataFrame]


def misnamed_items(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    """Rows whose ``item_id`` is not made of their video and frame."""
    named = [
        item_id(video, frame)
        for video, frame in zip(table["video_id"], table["frame"], strict=True)
    ]
    return table[table["item_id"].to_numpy() != np.array(named, dtype=object)]


ITEM_RULE = Rule(
    name="item_names_its_frame",
    says="item_id is made of the row's own video_id and frame",
    why="crops, samples and predictions are joined by item_id alone",
    remedy="build identifiers with eifer.vocabulary.item_id and nothing else",
    broken=misnamed_items,
)


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


def _ranks_with_gaps(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    bad = [gaps(table, ["video_id"], rank) for rank, _ in _rank_columns()]
    return table.loc[table.index.isin(np.concatenate([b.index for b in bad]))]


def _alignment(table: pd.DataFrame, dimension: Dimension) -> pd.Series:
    direction = 2 * table[f"{dimension}_label"] - 1
    return direction * table[f"{dimension}_estimate"].astype("float64")


def _rank_despite_sign(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    bad = pd.Series(False, index=table.index)
    for dimension in Dimension:
        kept = table[f"{dimension}_rank"].notna()
        kept |= table[f"{dimension}_{Condition.UNAMBIGUOUS}_rank"].notna()
        bad |= kept & ~(_alignment(table, dimension) > 0)
    return table[bad]


def _rank_out_of_order(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    bad: list[pd.Index] = []
    for rank, dimension in _rank_columns():
        sign = 1 if rank.endswith(f"_{Condition.AMBIGUOUS}_rank") else -1
        key = sign * _alignment(table, dimension)
        ranked = table.assign(key=key)[table[rank].notna()].sort_values(["video_id", rank])
        before = ranked.groupby("video_id", sort=False)[["key", "frame"]].shift()
        tied = (ranked["key"] == before["key"]) & (ranked["frame"] < before["frame"])
        bad.append(ranked.index[(ranked["key"] < before["key"]) | tied])
    return table.loc[table.index.isin(np.concatenate(bad))]


def _two_labels(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    names = [f"{d}_label{suffix}" for d in Dimension for suffix in ("", "_source")]
    kinds = table.groupby("video_id")[names].nunique().max(axis=1)
    return table[table["video_id"].isin(kinds.index[kinds > 1])]


def _not_as_estimated(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    estimates = keyed(others["estimates"], "video_id", "frame")[list(Dimension)]
    here = estimates.reindex(pd.MultiIndex.from_frame(table[["video_id", "frame"]]))
    same = np.ones(len(table), dtype=bool)
    for dimension in Dimension:
        same &= here[dimension].to_numpy() == table[f"{dimension}_estimate"].to_numpy()
    return table[~same]


SELECTION = Table(
    name="selection",
    meaning="Every stored frame: one chosen for a dimension, or a candidate for a test condition "
    "(the test participants are only known after split).",
    key=("item_id",),
    columns=(
        Column("item_id", "string", "the frame's name everywhere: video and frame number"),
        Column("video_id", "string", "the recording it comes from"),
        Column("participant_id", "string", "whose face it shows"),
        Column("frame", "int", "position in decoding order, from 0", low=0),
        *(
            Column(
                f"{d}_estimate",
                "float32",
                f"the affect network's {d}, as in estimates",
                low=-1,
                high=1,
                why="the rank and the regression target are made of it",
            )
            for d in Dimension
        ),
        *(
            column
            for d in Dimension
            for column in (
                Column(f"{d}_label", "int", f"the video's {d}: 0 low, 1 high", low=0, high=1),
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
                "int",
                f"place by |{d} estimate| among the video's frames whose sign matches the {d} "
                "label; missing where not among the top",
                low=1,
                missing=True,
            )
            for d in Dimension
        ),
        *(
            Column(
                f"{d}_{c}_rank",
                "int",
                f"place in the video's {c} frames for {d}, should its participant be tested; "
                "missing where not among them",
                low=1,
                missing=True,
            )
            for d in Dimension
            for c in SAMPLED
        ),
    ),
    rules=(
        ITEM_RULE,
        Rule(
            name="ranks_count_up",
            says="within a video every rank column counts 1, 2, 3 ... without gap or tie",
            why="'the top 100 frames' means nothing when ranks repeat or skip",
            remedy="repeat select; if it stays, eifer.selection.select ranks wrongly",
            broken=_ranks_with_gaps,
        ),
        Rule(
            name="sign_matches_label",
            says="a frame ranked for a dimension, or unambiguous in it, has an estimate on the "
            "label's side of 0",
            why="a frame that contradicts its label must not be trained on as an example of it",
            remedy="check that labels and estimates come from the same intake, then repeat select",
            broken=_rank_despite_sign,
        ),
        Rule(
            name="rank_follows_magnitude",
            says="ranks go by falling |estimate| (ambiguous: rising alignment), ties by frame",
            why="a different order keeps different frames",
            remedy="repeat select; if it stays, eifer.selection or eifer.partitions orders wrongly",
            broken=_rank_out_of_order,
        ),
        Rule(
            name="one_label_a_video",
            says="all frames of a video carry the same labels and label sources",
            why="a person rated the video, not the frame",
            remedy="look for a video_id that stands for two recordings in intake",
            broken=_two_labels,
        ),
        Rule(
            name="as_estimated",
            says="every stored frame is an estimated one, with the estimates given there",
            why="a frame without an accepted face has no place in the data",
            remedy="repeat estimate and select for this wave together",
            broken=_not_as_estimated,
            needs=("estimates",),
        ),
    ),
)


def _kept_wrongly(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[table["kept"] != table[["matching", "asked"]].min(axis=1)]


def _not_as_selected(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    ranked = others["selection"].groupby("video_id")[[f"{d}_rank" for d in Dimension]].count()
    bad = pd.Series(False, index=table.index)
    for dimension in Dimension:
        rows = table[table["dimension"] == dimension]
        found = rows["video_id"].map(ranked[f"{dimension}_rank"]).fillna(0)
        bad |= (found != rows["kept"]).reindex(table.index, fill_value=False)
    return table[bad]


SHORTFALL = Table(
    name="shortfall",
    meaning="How many frames each video could give to each dimension, and how many it gave.",
    key=("video_id", "dimension"),
    columns=(
        Column("video_id", "string", "the recording"),
        Column("participant_id", "string", "whose it is"),
        Column("dimension", "string", "the dimension", values=tuple(Dimension)),
        Column("matching", "int", "frames whose estimate has the label's sign", "frames", low=0),
        Column("kept", "int", "frames kept of those", "frames", low=0),
        Column("asked", "int", "frames wanted (params)", "frames", low=1),
    ),
    rules=(
        Rule(
            name="kept_what_there_was",
            says="kept is the smaller of matching and asked",
            why="a short video is neither filled up with mismatches nor dropped",
            remedy="repeat select; if it stays, eifer.selection.select counts wrongly",
            broken=_kept_wrongly,
        ),
        Rule(
            name="kept_is_in_selection",
            says="kept equals the ranked frames of that video and dimension in selection",
            why="the counts in the report must be those of the data",
            remedy="repeat select, so that both tables come from one run",
            broken=_not_as_selected,
            needs=("selection",),
        ),
    ),
)


def _crops_of_wrong_length(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    length = table["crop"].map(len)
    return table[length != table["height_px"] * table["width_px"] * 3]


def _crops_of_two_sizes(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    sizes = table.groupby(["height_px", "width_px"], sort=False)["item_id"].transform("size")
    return table[sizes < len(table)]


def _crops_not_as_selected(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    selection = others["selection"]
    stray = ~table["item_id"].isin(selection["item_id"])
    wanted = table["video_id"].map(selection["video_id"].value_counts())
    found = table["video_id"].map(table["video_id"].value_counts())
    return table[stray | (wanted != found)]


CROPS = Table(
    name="crops",
    meaning="The aligned face of every stored frame, so that training decodes no video.",
    key=("item_id",),
    columns=(
        Column("item_id", "string", "the frame's name, as in selection"),
        Column("video_id", "string", "the recording it comes from"),
        Column("frame", "int", "position in decoding order, from 0", low=0),
        Column("height_px", "int", "rows of the crop", "px", low=1),
        Column("width_px", "int", "columns of the crop", "px", low=1),
        Column(
            "crop",
            "bytes",
            "the pixels: RGB, uint8, row after row",
            why="any codec would lose detail or cost time at every epoch",
        ),
    ),
    rules=(
        ITEM_RULE,
        Rule(
            name="crop_fills_its_size",
            says="the crop has height_px x width_px x 3 bytes",
            why="otherwise it cannot be read back as an image",
            remedy="cut the crop from a contiguous uint8 RGB array",
            broken=_crops_of_wrong_length,
        ),
        Rule(
            name="one_crop_size",
            says="all crops have the same size",
            why="they are stacked into one array for training",
            remedy="repeat select for every wave with the same crop size",
            broken=_crops_of_two_sizes,
        ),
        Rule(
            name="crops_are_the_stored_frames",
            says="a video has exactly the crops that selection lists for it",
            why="a missing crop would only be found in the middle of training",
            remedy="repeat select for this wave, so that table and crops come from one run",
            broken=_crops_not_as_selected,
            needs=("selection",),
        ),
    ),
)
