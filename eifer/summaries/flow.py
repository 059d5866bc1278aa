"""From who was recruited to what was trained and tested on: how many are left at each step."""

from __future__ import annotations

from typing import Any

import pandas as pd


def table(
    participants: pd.DataFrame,
    videos: pd.DataFrame,
    counts: pd.DataFrame,
    ecg_quality: pd.DataFrame,
    hrv: pd.DataFrame,
    selection: pd.DataFrame,
    samples: pd.DataFrame,
    conditions: pd.DataFrame,
) -> tuple[pd.DataFrame, str]:
    """One row a step; ``lost`` counts what the step before had and this one has not.

    ``participants`` are those of the step, of ``recruited`` in all.
    """
    included = participants[participants["excluded"].isna()]
    ranked = selection["arousal_rank"].notna() | selection["valence_rank"].notna()
    used = pd.concat([samples, conditions])[["item_id", "participant_id"]].drop_duplicates()
    good = ecg_quality[ecg_quality["verdict"] == "good"]
    kept = counts[counts["frames_accepted"] > 0]
    learnt, validated = (samples[samples["partition"] == p] for p in ("train", "validation"))
    # For each kind of thing: the step, how many there are, and whose they are.
    steps: dict[str, list[tuple[str, Any, pd.DataFrame]]] = {
        "participants": [
            ("recruited", len(participants), participants),
            ("included", len(included), included),
        ],
        "face videos": [
            ("of included participants", len(videos), videos),
            ("recorded", videos["video_path"].notna().sum(), videos.dropna(subset="video_path")),
            ("with an accepted frame", len(kept), kept),
        ],
        "ECG recordings": [
            ("of included participants", len(videos), videos),
            ("recorded", videos["ecg_path"].notna().sum(), videos.dropna(subset="ecg_path")),
            ("of good quality", len(good), good),
        ],
        "HRV values": [
            ("asked for", len(hrv), hrv),
            ("computed", hrv["value"].notna().sum(), hrv.dropna(subset="value")),
        ],
        "frames": [
            ("decoded", counts["frames_decoded"].sum(), counts),
            ("with an accepted face", counts["frames_accepted"].sum(), kept),
            ("selected for a task", ranked.sum(), selection[ranked]),
        ],
        "frames in use": [
            ("trained, validated or tested on", len(used), used),
            ("trained on", learnt["item_id"].nunique(), learnt),
            ("validated on", validated["item_id"].nunique(), validated),
            ("tested on", conditions["item_id"].nunique(), conditions),
        ],
    }
    rows: list[tuple[str, str, int, int | None, int, int]] = []
    for thing, line in steps.items():
        before: int | None = None
        for step, n, whose in line:
            lost = None if before is None or thing == "frames in use" else before - int(n)
            rows.append(
                (thing, step, int(n), lost, whose["participant_id"].nunique(), len(participants))
            )
            before = int(n)
    columns = ["of", "step", "n", "lost", "participants", "recruited"]
    return pd.DataFrame(rows, columns=columns).astype({"lost": "Int64"}), (
        "How many are left after each step, and of how many participants. Whatever is lost has a "
        "reason in the table below; frames accepted and not selected are not lost but ranked lower."
    )
