"""Who the two EI groups are."""

from __future__ import annotations

import pandas as pd


def table(participants: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """One row a group: size, age, sex, EI score and its indices."""
    people = scores.merge(participants, on="participant_id")
    rows = []
    for group, members in (
        ("High", people[people["group"] == "High"]),
        ("Low", people[people["group"] == "Low"]),
        ("Total", people),
    ):
        sexes = members["sex"].value_counts()
        row = {"group": group, "participants": len(members)}
        for name in (
            "age_years",
            "ei_score",
            "self_awareness",
            "others_awareness",
            "emotion_discrimination",
        ):
            row |= {f"{name}_mean": members[name].mean(), f"{name}_sd": members[name].std(ddof=1)}
        row |= {
            "women": int(sexes.get("F", 0)),
            "men": int(sexes.get("M", 0)),
            "sex_unknown": len(members) - int(sexes.get("F", 0)) - int(sexes.get("M", 0)),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def caption(participants: pd.DataFrame, scores: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    known = participants.merge(scores, on="participant_id")["age_years"].notna().sum()
    return (
        f"The {len(scores)} participants by EI group: mean (SD); age is known of {known}. The "
        "groups differ in EI by construction; a difference in anything else is a rival "
        "explanation for every comparison of models."
    )
