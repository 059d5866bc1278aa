"""The primary analysis: High against Low and Total, with people as the sample."""

from __future__ import annotations

import pandas as pd

from eifer.tables.comparison import PLACE
from eifer.vocabulary import in_order


def table(by_participant: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The table, confirmatory contrasts first, with p and q of the declared test."""
    made = by_participant.assign(
        left_out=by_participant["left_out"].str.replace("\n", "; "),
        **{
            name: [row[f"{row['test']}_{name}"] for row in by_participant.to_dict("records")]
            for name in ("p", "q")
        },
    )
    people = int(by_participant["n_participants"].max())
    alpha, margin = by_participant["alpha"].iloc[0], by_participant["margin"].iloc[0]
    confirmatory = int((by_participant["role"] == "confirmatory").sum())
    gaps = by_participant[by_participant["n_used"] < by_participant["n_participants"]]
    least = int(by_participant["n_used"].min())
    left = f" In {len(gaps)} contrasts as few as {least} of them have frames of both classes."
    return in_order(made, ["role", *PLACE]), (
        f"{len(by_participant)} contrasts, {confirmatory} of them confirmatory, over {people} test "
        f"participants and {by_participant['n_repetitions'].max()} repetitions."
        f"{left * bool(len(gaps))} ΔAUC: mean of the participants' own differences; above 0 "
        f"favours High. K: participants in whom the models differ. Better: q < {alpha:g} in the "
        f"declared test, and K large enough. Equivalent: shown to be less than {margin:g} apart. "
        "Inconclusive is neither, and not a sign that there is no difference."
    )
