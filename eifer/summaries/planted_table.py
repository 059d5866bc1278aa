"""What was planted in the drawn corpora, beside what was found of it."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from eifer.corpora.relabelling import judged
from eifer.tables.expressions import ALL, MERGED, SPECIALISTS


def table(
    planted_truth: pd.DataFrame,
    duplicates: pd.DataFrame,
    relabelled: pd.DataFrame,
    contrasts: pd.DataFrame,
) -> tuple[pd.DataFrame, str]:
    """One row a planted thing: what was planted, what was found, and how it was compared."""
    rows = [
        *_labels(planted_truth, relabelled),
        *_copies(planted_truth, duplicates),
        *_gains(contrasts),
    ]
    made = pd.DataFrame(rows, columns=["what", "planted", "found", "how"])
    return made, (
        f"{len(planted_truth)} drawn faces of {planted_truth['corpus'].nunique()} corpora, of "
        f"which {len(relabelled)} are trained on. The analysis never sees what was planted."
    )


def _of(part: float, whole: int) -> str:
    return f"{round(part * whole)} of {whole} ({100 * part:.1f} %)" if whole else "none there"


def _labels(truth: pd.DataFrame, relabelled: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    drawn = relabelled[relabelled["image_id"].isin(truth["image_id"])]
    found = judged(drawn, truth.set_index("image_id")["label"])
    wrong, right, flagged = found["wrong"], found["right"], found["flagged"]
    planted = f"{wrong} of {found['n']} training labels"
    yield "wrong labels, flagged", planted, _of(found["flagged_wrong"], flagged), "flagged"
    for what, share in (
        ("wrong labels, repaired", "repaired"),
        ("wrong labels, left out of training", "wrong_left_out"),
        ("wrong labels, proposed again", "repeated"),
    ):
        yield what, planted, _of(found[share], wrong), "of the wrong"
    planted = f"{right} of {found['n']} training labels"
    for what, share in (
        ("right labels, broken", "broken"),
        ("right labels, left out of training", "right_left_out"),
    ):
        yield what, planted, _of(found[share], right), "of the right"


def _copies(truth: pd.DataFrame, duplicates: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    groups = duplicates.set_index("image_id")["copies"]
    known = truth[truth["image_id"].isin(groups.index)]
    copies = known.dropna(subset="copy_of")
    own, first = copies["image_id"].map(groups), copies["copy_of"].map(groups)
    found = int((own.notna() & (own == first)).sum())
    yield "copies", f"{len(copies)}", f"{found} of {len(copies)}", "in the group of their original"
    # What a group joins beyond its planted family was not planted.
    family = known.set_index("image_id")["copy_of"]
    family = family.fillna(family.index.to_series())
    grouped = groups[groups.notna() & groups.index.isin(family.index)]
    families = family[grouped.index].groupby(grouped).nunique()
    false = int((families - 1).sum())
    yield "no copies", "none", f"{false} taken for copies", "in groups of other pictures"


def _gains(contrasts: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    rows = contrasts[
        (contrasts["first"] == MERGED)
        & (contrasts["second"] == SPECIALISTS)
        & (contrasts["tested_on"] == ALL)
        & (contrasts["metric"] == "accuracy")
    ]
    for row in rows.to_dict("records"):
        images = f"{row['images'].replace('_', ' ')}, n = {row['n']}"
        yield (
            f"gain by merging, {row['network']}",
            "corpora of one kind of face, in other styles",
            f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]",
            f"accuracy of merged less specialists, {images}",
        )
