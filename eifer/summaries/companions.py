"""What stands beside the primary analysis: the same contrasts, looked at in three other ways."""

from __future__ import annotations

import pandas as pd

from eifer.summaries import by_participant as primary


def table(by_participant: pd.DataFrame) -> pd.DataFrame:
    """The table, confirmatory contrasts first."""
    return primary.table(by_participant)


def caption(by_participant: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    people = int(by_participant["n_participants"].max())
    repetitions = int(by_participant["n_repetitions"].max())
    return (
        f"{len(by_participant)} contrasts, uncorrected but for the GEE's q; none of it is "
        f"confirmatory unless declared. GEE: odds of a right answer, {people} participants as "
        "clusters (Mancl-DeRouen, t); below 1 favours High. Over repetitions: random-effects mean "
        f"of {repetitions} trainings (REML, Knapp-Hartung), about other trainings and not other "
        "people; I² is what of their spread is not sampling error. All frames together: one ROC "
        "curve over everybody, its interval from leaving participants out in turn; it keeps those "
        "with frames of one class, and also ranks one person's frames against another's. Where a "
        "dash stands, the file says why."
    )
