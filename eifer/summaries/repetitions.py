"""Every trained model: what it learnt from, which epoch was kept, and its threshold."""

from __future__ import annotations

import pandas as pd


def table(repetitions: pd.DataFrame) -> pd.DataFrame:
    """The stages' own repetition tables, the hash of the weights also in short."""
    return repetitions.assign(weights=repetitions["weights_sha256"].str[:12] + "…")


def caption(repetitions: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    return (
        f"{len(repetitions)} trainings. Weights are safetensors files in data/, each with its card "
        "in the file and in cards.json beside it."
    )
