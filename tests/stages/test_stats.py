"""The comparison as a stage: what it says of itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eifer.errors import InputError
from eifer.tables.evaluation import PREDICTIONS
from stages import stats as module
from stages.params import load_params

ROOT = Path(__file__).parents[2]


def predictions(repetitions: tuple[int, ...] = (1, 2)) -> pd.DataFrame:
    """Scores of 4 people's frames in every task and condition of the demo."""
    rng = np.random.default_rng(2)
    label = np.tile([0, 1], 32)
    who = np.repeat([f"sub-{k:02d}" for k in range(4)], 16)
    parts = [
        pd.DataFrame(
            {
                "item_id": [f"{condition}-{i:02d}" for i in range(64)],
                "participant_id": who,
                "video_id": who,
                "task": task,
                "condition": condition,
                "training_group": group,
                "repetition": repetition,
                "score": np.clip(0.5 + 0.2 * (label - 0.5) + 0.15 * rng.normal(size=64), 0, 1),
                "threshold": 0.5,
                "label": label,
            }
        )
        for task in ("arousal", "valence")
        for condition in ("baseline", "unambiguous", "ambiguous")
        for group in ("High", "Low", "Total")
        for repetition in repetitions
    ]
    return PREDICTIONS.conform(pd.concat(parts))


def run(given: pd.DataFrame) -> Any:
    return SimpleNamespace(
        read={module.catalogue.PREDICTIONS: given}.__getitem__,
        params=load_params(ROOT / "presets/demo.yaml"),
    )


def test_the_primary_analysis_comes_first() -> None:
    outcome = module.stats.function(run(predictions()))
    assert set(outcome.made) == set(module.stats.made)
    text = " ".join(outcome.report.methods.split())
    assert text.index("Primary analysis") < text.index("As published")
    assert "a margin of 0.005" in text and "4 participants allow no p below 0.125" in text
    assert "by the t test: arousal baseline High-Low; valence baseline High-Low;" in text
    assert "inconclusive 12; inconclusive does not mean that there is no difference" in text
    numbers = outcome.report.numbers
    assert numbers["smallest_p"] == 0.125 and numbers["margin"] == 0.005
    assert numbers["published"]["contrasts"] == 12


def test_one_repetition_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"(?s)fewer than two repetitions.*\(6\).*training.blocks"):
        module.stats.function(run(predictions((1,))))
