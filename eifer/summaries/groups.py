"""Who the two EI groups are."""

from __future__ import annotations

import pandas as pd

from eifer.vocabulary import EiIndex


def table(participants: pd.DataFrame, scores: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One row a group: size, age, sex, EI score and its indices."""
    people = scores.merge(participants, on="participant_id")
    rows = []
    for group, members in (
        ("High", people[people["group"] == "High"]),
        ("Low", people[people["group"] == "Low"]),
        ("Total", people),
    ):
        women, men = (int((members["sex"] == sex).sum()) for sex in ("F", "M"))
        row = {"group": group, "participants": len(members)}
        for name in ("age_years", "ei_score", *EiIndex):
            row |= {f"{name}_mean": members[name].mean(), f"{name}_sd": members[name].std(ddof=1)}
        rows.append(row | {"women": women, "men": men, "sex_unknown": len(members) - women - men})
    known = people["age_years"].notna().sum()
    return pd.DataFrame(rows), (
        f"The {len(scores)} participants by EI group: mean (SD); age is known of {known}. The "
        "groups differ in EI by construction; a difference in anything else is a rival "
        "explanation for every comparison of models."
    )
