"""Small videos made on the spot, the models where they are there, the demo's thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from eifer.faces.extraction import ExtractSpec
from stages.params import load_params

Image = NDArray[np.uint8]
Film = Callable[..., Path]
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def thresholds() -> ExtractSpec:
    return load_params(ROOT / "presets/demo.yaml").extract


@pytest.fixture(scope="session")
def spec(models: None, thresholds: ExtractSpec) -> ExtractSpec:
    return thresholds


@pytest.fixture(scope="session")
def clips(shared: Path) -> Path:
    return shared / "real_clips"


@pytest.fixture(scope="session")
def failing(shared: Path) -> Path:
    return shared / "failing_inputs"


@pytest.fixture
def film(tmp_path: Path) -> Film:
    """Write RGB pictures (or frames) as a video, nearly lossless, and give its path."""

    def write(
        pictures: Iterable[Image | av.VideoFrame],
        name: str = "film.mp4",
        fps: int = 20,
        options: dict[str, str] | None = None,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        stamps: Sequence[int] | None = None,
        tick: Fraction | None = None,
        prepare: Callable[[Any], None] = lambda stream: None,
    ) -> Path:
        """``stamps`` are times in ``tick``; ``prepare`` is handed the stream before it begins."""
        path = tmp_path / name
        own = {"preset": "ultrafast", "crf": "4"}
        coding = {
            "libx264": own | {"x264-params": "threads=1"},
            "libx265": own | {"x265-params": "lossless=1:log-level=none"},
        }
        with av.open(str(path), "w", options=options or {}) as container:
            stream: Any = None
            for k, picture in enumerate(pictures):
                frame = picture
                if isinstance(frame, np.ndarray):
                    frame = av.VideoFrame.from_ndarray(frame, format="rgb24")
                if stream is None:
                    stream = container.add_stream(codec, rate=fps)
                    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, pix_fmt
                    stream.options = coding.get(codec, {})
                    stream.codec_context.time_base = tick or Fraction(1, fps)
                    prepare(stream)
                if stamps is not None:
                    frame.pts, frame.time_base = stamps[k], tick
                container.mux(stream.encode(frame))
            if stream is not None:
                container.mux(stream.encode())
        return path

    return write
