"""Small videos made on the spot, the models where they are there, the demo's thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from eifer.errors import AssetError
from eifer.faces import assets
from eifer.faces.extraction import ExtractSpec
from eifer.faces.quality import QualitySpec

Image = NDArray[np.uint8]
Film = Callable[..., Path]

QUALITY = QualitySpec(
    max_repeat_levels=0.25,
    min_face_score=0.7,
    min_presence=0.5,
    max_eye_closed=0.48,
    max_covered=0.08,
    prior_frames=10,
    colour_tolerance=0.15,
    detail_tolerance=0.7,
    spread_tolerance=4.0,
    light_tolerance=0.3,
    blur_tolerance=0.5,
)


@pytest.fixture(scope="session")
def models() -> None:
    """Skip without the model files: `make setup` fetches them."""
    try:
        for asset in assets.ASSETS:
            assets.locate(asset)
    except AssetError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def spec(models: None) -> ExtractSpec:
    return ExtractSpec(detector_width_px=256, min_candidate_score=0.3, quality=QUALITY)


@pytest.fixture(scope="session")
def clips(shared: Path) -> Path:
    return shared / "real_clips"


@pytest.fixture(scope="session")
def failing(shared: Path) -> Path:
    return shared / "failing_inputs"


@pytest.fixture
def film(tmp_path: Path) -> Film:
    """Write RGB pictures as a video, nearly lossless, and give its path."""

    def write(
        pictures: Iterable[Image],
        name: str = "film.mp4",
        fps: int = 20,
        options: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w", options=options or {}) as container:
            stream = None
            for picture in pictures:
                if stream is None:
                    stream = container.add_stream("libx264", rate=fps)
                    stream.height, stream.width = picture.shape[:2]
                    stream.pix_fmt = "yuv420p"
                    stream.options = {"crf": "4", "preset": "ultrafast", "x264-params": "threads=1"}
                    stream.codec_context.time_base = Fraction(1, fps)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                container.mux(stream.encode(frame))
            if stream is not None:
                container.mux(stream.encode())
        return path

    return write
