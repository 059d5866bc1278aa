"""Tables 1 and 2 of the merging: images by corpus and class, their size and colour."""

from __future__ import annotations

import pandas as pd

from eifer.corpora.published import TOTAL
from eifer.tables.expressions import ALL, place
from eifer.vocabulary import Expression

COLUMNS = [*map(str, Expression), TOTAL]


def table(
    images: pd.DataFrame, published_counts: pd.DataFrame, published_properties: pd.DataFrame
) -> tuple[pd.DataFrame, str]:
    """A row a corpus of ours or theirs, and all: counts by class, the printed with ``_published``.

    ``side_px`` and ``colour`` say what there is, as ``48`` or ``96 to 512``.
    """
    ours = _wide(images.groupby(["corpus", "label"]).size().rename("n").reset_index())
    ours.loc[ALL] = ours.sum()
    ours[TOTAL] = ours.sum(axis=1)
    ours["side_px"] = _sides(images)
    share = images.groupby("corpus")["colour"].mean()
    share[ALL] = images["colour"].mean()
    ours["colour"] = [_colour(value) for value in share.reindex(ours.index)]
    original = published_counts[published_counts["version"] == "original"]
    theirs = _wide(original)
    known = published_properties.set_index("corpus")
    theirs["side_px"] = known["side_px"].astype(str)
    theirs["colour"] = known["colour"]
    made = beside(ours, theirs)
    whole = [f"{name}{which}" for name in COLUMNS for which in ("", "_published")]
    return made.astype(dict.fromkeys(whole, "Int64")), (
        f"{len(images)} images of {images['corpus'].nunique()} corpora, by their own labels. In "
        "grey: what Mejia-Escobar et al. 2023 print of theirs (Tables 1 and 2, original labels), "
        "beside a corpus of ours that has the same name. A side is the shorter of a picture."
    )


def _wide(counts: pd.DataFrame) -> pd.DataFrame:
    wide = counts.pivot(index="corpus", columns="label", values="n")
    columns = [name for name in COLUMNS if name != TOTAL or name in wide]
    return wide.reindex(columns=columns).fillna(0)


def beside(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Both, by corpus, joined by the name in small letters, ours first; ``ours`` has a total."""
    joined = (
        ours.assign(key=ours.index.str.lower())
        .rename_axis("corpus")
        .reset_index()
        .merge(theirs.add_suffix("_published"), left_on="key", right_index=True, how="outer")
        .reset_index(drop=True)
    )
    joined["corpus"] = joined["corpus"].fillna(joined["key"])
    absent = joined[TOTAL].isna()
    pairs = zip(absent, joined["corpus"], strict=True)
    order = [(without and name != ALL, *place(name)) for without, name in pairs]
    joined = joined.iloc[sorted(range(len(joined)), key=order.__getitem__)]
    return joined.drop(columns="key").reset_index(drop=True)


def _sides(images: pd.DataFrame) -> pd.Series:
    sides = images[["width_px", "height_px"]].min(axis=1)
    ends = sides.groupby(images["corpus"]).agg(["min", "max"])
    ends.loc[ALL] = [sides.min(), sides.max()]
    least, most = ends["min"].astype(str), ends["max"].astype(str)
    return least.mask(least != most, least + " to " + most)


def _colour(share: float) -> str:
    if share in (0, 1):
        return "RGB" if share else "grayscale"
    return f"{100 * share:.0f} % RGB"
