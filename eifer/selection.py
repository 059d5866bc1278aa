"""Which frames of a video stand for its label: sign match first, then magnitude.

Protocol section 5 (source: section 3.2.1). A video's label says whether its
arousal (valence) was low or high; frames whose estimate lies on the other side
of 0 contradict it and are left out, the rest are taken from the largest
absolute estimate downwards.
"""

from __future__ import annotations

import pandas as pd

from eifer.errors import InputError, Problem
from eifer.tables.selection import OTHER_SELECTION, SAMPLED, SELECTION, SHORTFALL
from eifer.vocabulary import Dimension, item_id

FRAME = ["video_id", "participant_id", "frame"]


def select(
    estimates: pd.DataFrame, labels: pd.DataFrame, *, top: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rank the frames that match their video's label and keep the first ``top``.

    Per video and dimension: the frames whose estimate has the sign of the
    label's direction (low -1, high +1; exactly 0 matches neither), by falling
    absolute estimate, ties by lower frame. A video with fewer matching frames
    gives those it has; mismatches never fill it up.

    Parameters
    ----------
    estimates : DataFrame
        ``video_id, participant_id, frame, arousal, valence``: one row per accepted frame.
    labels : DataFrame
        ``video_id, participant_id, arousal_label, valence_label``: one row per video. Videos
        without any estimate count too: their shortfall is complete.
    top : int
        Frames asked per video and dimension.

    Returns
    -------
    ranked : DataFrame
        ``video_id, participant_id, frame, arousal_rank, valence_rank``: the frames kept for
        either dimension, once each; a rank is missing where the frame was not kept for it.
    shortfall : DataFrame
        The table ``SHORTFALL``: one row per video and dimension.

    Raises
    ------
    InputError
        If a frame is twice in ``estimates``, or its video not once in ``labels``.
    """
    frames = _labelled(estimates, labels)
    counts = []
    for dimension in Dimension:
        alignment = (2 * frames[f"{dimension}_label"] - 1) * frames[dimension].astype("float64")
        matching = frames.assign(falling=-alignment)[alignment > 0]
        order = matching.sort_values(["video_id", "falling", "frame"])
        rank = order.groupby("video_id", sort=False, observed=True).cumcount() + 1
        frames[f"{dimension}_rank"] = rank[rank <= top].astype("Int64")
        available = matching["video_id"].value_counts()
        count = labels[["video_id", "participant_id"]].assign(dimension=dimension, asked=top)
        count["matching"] = labels["video_id"].map(available.to_dict()).fillna(0)
        count["kept"] = count["matching"].clip(upper=top)
        counts.append(count)
    ranks = [f"{dimension}_rank" for dimension in Dimension]
    ranked = frames.loc[frames[ranks].notna().any(axis=1), [*FRAME, *ranks]]
    ranked = ranked.astype({"video_id": "str"}).sort_values(["video_id", "frame"])
    return ranked.reset_index(drop=True), SHORTFALL.conform(pd.concat(counts))


def merge(
    estimates: pd.DataFrame,
    labels: pd.DataFrame,
    ranked: pd.DataFrame,
    candidates: pd.DataFrame,
) -> pd.DataFrame:
    """Every frame whose crop is stored, once, with all its ranks.

    Parameters
    ----------
    estimates, labels : DataFrame
        As for `select`; ``labels`` with ``arousal_label_source`` and ``valence_label_source``.
    ranked : DataFrame
        The first table of `select`.
    candidates : DataFrame
        ``video_id, frame, task, condition, rank``: the frames each test condition would take
        from each video (`eifer.partitions.candidates`). A condition that `SELECTION` has no
        column for adds its frames all the same.

    Returns
    -------
    DataFrame
        The table ``SELECTION``.
    """
    at = ["video_id", "frame"]
    wide = candidates.assign(name=candidates["task"] + "_" + candidates["condition"] + "_rank")
    wide = wide.pivot(index=at, columns="name", values="rank").reset_index()
    names = [f"{d}_{c}_rank" for d in Dimension for c in SAMPLED]
    frames = ranked.drop(columns="participant_id").merge(
        wide.reindex(columns=[*at, *names]), on=at, how="outer"
    )
    values = estimates.rename(columns={d: f"{d}_estimate" for d in Dimension})
    values = values[[*FRAME, *(f"{d}_estimate" for d in Dimension)]]
    rated = labels[["video_id", *(f"{d}_label{s}" for d in Dimension for s in ("", "_source"))]]
    frames = frames.merge(values, on=at, how="left", validate="one_to_one")
    frames = frames.merge(rated, on="video_id", how="left", validate="many_to_one")
    pairs = zip(frames["video_id"], frames["frame"], strict=True)
    frames["item_id"] = pd.Series([item_id(v, f) for v, f in pairs], index=frames.index, dtype=str)
    return SELECTION.conform(frames)


def by_others(others: pd.DataFrame, labels: pd.DataFrame, *, top: int) -> pd.DataFrame:
    """The frames that each other estimator would choose: the table ``OTHER_SELECTION``.

    Parameters
    ----------
    others : DataFrame
        The table ``OTHER_ESTIMATES``.
    labels, top
        As for `select`.
    """
    tables = []
    for name, estimates in others.groupby("estimator"):
        ranked, _ = select(estimates, labels, top=top)
        chosen = merge(estimates, labels, ranked, as_candidates(OTHER_SELECTION.frame()))
        tables.append(chosen.assign(estimator=name))
    return OTHER_SELECTION.joined(tables)


def as_candidates(others: pd.DataFrame) -> pd.DataFrame:
    """The frames of ``OTHER_SELECTION`` as `merge` takes those to be stored without a rank."""
    where = others[["video_id", "frame"]]
    return where.assign(task="any", condition=others["estimator"], rank=1)


def _labelled(estimates: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Each frame with its video's labels; videos as categories, which sort fast."""
    problems = [
        Problem("a frame is there twice", f"{row.video_id} frame {row.frame}", "repeat estimate")
        for row in estimates[estimates.duplicated(["video_id", "frame"])].itertuples()
    ]
    problems += [
        Problem("a video has two labels", video, "keep one row per video in intake's videos")
        for video in labels.loc[labels["video_id"].duplicated(), "video_id"]
    ]
    unlabelled = ~estimates["video_id"].isin(labels["video_id"])
    problems += [
        Problem("a video has estimates but no label", video, "repeat intake, extract and estimate")
        for video in sorted(estimates.loc[unlabelled, "video_id"].unique())
    ]
    if problems:
        raise InputError("select", problems)
    videos = labels.set_index("video_id")
    frames = estimates[[*FRAME, *Dimension]].reset_index(drop=True)
    for dimension in Dimension:
        frames[f"{dimension}_label"] = frames["video_id"].map(videos[f"{dimension}_label"])
    return frames.astype({"video_id": "category"})
