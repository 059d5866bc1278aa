"""Every participant: videos, frames, what was left out, ECG and heart-rate variability."""

from __future__ import annotations

import pandas as pd

REJECTED = "rejected_"


def table(
    frame_counts: pd.DataFrame, ecg_quality: pd.DataFrame, hrv: pd.DataFrame, scores: pd.DataFrame
) -> tuple[pd.DataFrame, str]:
    """One row a participant, in the order of their names.

    ``most`` is what most of the frames left out were left out for; ``heart_rate`` and ``rmssd`` are
    means over recordings, missing where no recording is good.
    """
    reasons = frame_counts.columns[frame_counts.columns.str.startswith(REJECTED)].tolist()
    people = scores.set_index("participant_id")[["group", "ei_score"]].sort_index()
    counts = frame_counts.groupby("participant_id")
    sums = counts[["frames_decoded", "frames_accepted", *reasons]].sum()
    people["videos"] = counts.size()
    people[["decoded", "accepted"]] = sums[["frames_decoded", "frames_accepted"]]
    people["left_out"] = 1 - people["accepted"] / people["decoded"]
    worst = sums[reasons].idxmax(axis=1).astype(str)
    worst = worst.str.removeprefix(REJECTED).str.replace("_", " ")
    people["most"] = worst.where(sums[reasons].sum(axis=1) > 0)
    ecg = ecg_quality.assign(good=ecg_quality["verdict"] == "good").groupby("participant_id")
    people[["ecg", "good"]] = ecg["good"].agg(["size", "sum"])
    good = ecg_quality[ecg_quality["verdict"] == "good"]
    rmssd = hrv[hrv["variable"] == "rmssd_ms"]
    people["heart_rate"] = good.groupby("participant_id")["mean_hr_bpm"].mean()
    people["rmssd"] = rmssd.groupby("participant_id")["value"].mean()
    whole = ["videos", "decoded", "accepted", "ecg", "good"]
    people[whole] = people[whole].fillna(0).astype(int)
    shares = people["left_out"]
    return people.reset_index(), (
        f"{len(scores)} participants. Of a person's frames between {100 * shares.min():.0f} % and "
        f"{100 * shares.max():.0f} % were left out. Heart rate and RMSSD are means over good "
        "recordings."
    )
