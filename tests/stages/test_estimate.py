"""What estimate says where there is nothing to estimate."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from eifer.errors import DesignError
from stages import estimate as module


def test_a_wave_without_an_accepted_frame_is_named() -> None:
    tables = {
        module.RECORDINGS: pd.DataFrame({"video_id": ["sub-01_run-1"], "video_path": ["a.mp4"]}),
        module.FACES: pd.DataFrame({"video_id": ["sub-01_run-1"] * 2, "status": "rejected"}),
    }
    run: Any = SimpleNamespace(read=tables.__getitem__, item={"wave": "spring"})
    with pytest.raises(DesignError, match="wave spring: not one of its 2 frames was accepted"):
        module.estimate.function(run)
