"""Every trained model: what it learnt from, which epoch was kept, and its threshold."""

from __future__ import annotations

import pandas as pd


def table(repetitions: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The stages' own repetition tables, the hash of the weights also in short."""
    made = repetitions.assign(weights=repetitions["weights_sha256"].str[:12] + "…")
    return made, (
        f"{len(repetitions)} trainings. Weights are safetensors files in data/, each with its card "
        "in the file and in cards.json beside it."
    )
