"""How good the ECG recordings are."""

from __future__ import annotations

import pandas as pd

SCORES = {
    "duration_s": "duration (s)",
    "sampling_hz": "sampling rate (Hz)",
    "mean_hr_bpm": "mean heart rate (bpm)",
    "good_share": "share of good windows",
    "template_correlation": "correlation with the template beat",
    "artefact_share": "share of corrected beats",
}


def table(ecg_quality: pd.DataFrame) -> pd.DataFrame:
    """One row a quality score: its range over recordings."""
    rows = [
        {
            "score": name,
            "recordings": int(ecg_quality[column].count()),
            "lowest": ecg_quality[column].min(),
            "median": ecg_quality[column].median(),
            "highest": ecg_quality[column].max(),
        }
        for column, name in SCORES.items()
    ]
    return pd.DataFrame(rows)


def caption(ecg_quality: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    rejected = ecg_quality[ecg_quality["verdict"] != "good"]
    reasons = ", ".join(f"{n} {why}" for why, n in rejected["reason"].value_counts().items())
    return (
        f"{len(ecg_quality)} ECG recordings; {len(rejected)} rejected"
        f"{f' ({reasons})'.replace('_', ' ') if reasons else ''}."
    )
