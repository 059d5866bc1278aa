"""A simulated ECG, and the demo's choices on the way from an ECG to its HRV."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stages.params import load_params

ROOT = Path(__file__).parents[3]
DEMO = load_params(ROOT / "presets/demo.yaml").stratify.ecg
SPEC = replace(DEMO, variables=("all",))


@pytest.fixture(scope="session")
def simulated() -> NDArray[np.float64]:
    """A minute at 250 Hz."""
    import neurokit2 as nk

    ecg: NDArray[np.float64] = nk.ecg_simulate(
        duration=60, sampling_rate=250, noise=0.05, heart_rate=70, random_state=1
    )
    return ecg
