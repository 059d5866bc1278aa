"""How good the ECG recordings are."""

from __future__ import annotations

import pandas as pd

SCORES = {
    "duration_s": "ECG within the film (s)",
    "film_s": "length of the film (s)",
    "before_s": "left out before the film (s)",
    "after_s": "left out after the film (s)",
    "usable_s": "usable signal (s)",
    "n_stretches": "usable stretches",
    "sampling_hz": "sampling rate (Hz)",
    "mean_hr_bpm": "mean heart rate (bpm)",
    "qrs_width_ms": "width of the QRS complex at half height (ms)",
    "good_share": "share of good windows",
    "template_correlation": "correlation with the template beat",
    "artefact_share": "share of corrected beats",
}


def table(ecg_quality: pd.DataFrame) -> tuple[pd.DataFrame, str]:
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
    made = pd.DataFrame(rows)
    rejected = ecg_quality[ecg_quality["verdict"] != "good"]
    reasons = ", ".join(f"{n} {why}" for why, n in rejected["reason"].value_counts().items())
    good = ecg_quality[ecg_quality["verdict"] == "good"]
    bad_s = (good["duration_s"] - good["usable_s"]).clip(lower=0)
    return made, (
        f"{len(ecg_quality)} ECG recordings; {len(rejected)} rejected"
        f"{f' ({reasons})'.replace('_', ' ') if reasons else ''}. All values are of the "
        f"film's time: {ecg_quality[['before_s', 'after_s']].sum().sum():.0f} s of ECG before and "
        f"after films are left out, and {bad_s.sum():.0f} s of bad moments within "
        f"{int((bad_s > 0).sum())} of {len(good)} good recordings. The table hrv says on how many "
        "seconds and intervals each value rests (used_s, used_share, n_intervals)."
    )
