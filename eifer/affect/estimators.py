"""The estimators of arousal and valence behind one interface, and how well they agree."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eifer.affect import blendshapes, expression, network, onnx, trained
from eifer.affect.agreement import DIMENSIONS, agreement_by_dimension
from eifer.affect.network import WeightsSpec
from eifer.affect.seeing import DECIMALS
from eifer.affect.spec import BlendshapeSpec, ExpressionSpec, OnnxSpec, TrainedSpec
from eifer.errors import DesignError
from eifer.tables.affect import ALL, MEASURES
from eifer.vocabulary import Dimension

if TYPE_CHECKING:
    from numpy.typing import NDArray

Choice = WeightsSpec | ExpressionSpec | BlendshapeSpec | OnnxSpec | TrainedSpec
"""What an estimator is opened with: it says which one, and can be handed to another process."""

KINDS: Mapping[type, tuple[Callable[..., str], Callable[..., str | None], Callable[..., Any]]] = {
    WeightsSpec: (network.told, lambda spec: spec.measured, network.opened),
    ExpressionSpec: (
        expression.told,
        expression.worth,
        expression.ExpressionEstimator,
    ),
    BlendshapeSpec: (
        blendshapes.told,
        blendshapes.worth,
        blendshapes.BlendshapeEstimator,
    ),
    TrainedSpec: (trained.told, trained.worth, trained.TrainedEstimator),
    OnnxSpec: (onnx.told, lambda spec: spec.measured, onnx.OnnxEstimator),
}


def worth(choice: Choice) -> str | None:
    """On what it was measured and to be worth what; None where nobody says."""
    return KINDS[type(choice)][1](choice)


def told(choice: Choice) -> str:
    """By what arousal and valence are estimated and what it is worth, as the end of a sentence."""
    known = worth(choice)
    end = f"on {known}" if known else "what it is worth was not measured"
    return f"{KINDS[type(choice)][0](choice)}; {end}"


@cache
def opened(choice: Choice) -> Any:
    """The estimator, one a process: opening it costs more than a short video.

    A `seeing.Seeing`; of `WeightsSpec` an `estimator.Estimator`, which takes crops in batches. Only
    that one and one of `TrainedSpec` import torch.

    Raises
    ------
    AssetError
        If its file is not there, or not what the choice says.
    """
    return KINDS[type(choice)][2](choice)


def looks_at_crops(choice: Choice) -> bool:
    """Whether it needs the face's picture, and not its blendshapes alone."""
    return not isinstance(choice, BlendshapeSpec)


def estimated(
    choices: Mapping[str, Choice],
    faces: Iterable[tuple[int, Any]],
    shapes: Mapping[int, NDArray[np.float32]],
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float32]]]:
    """Frames ``[N]``, and their arousal and valence ``[N, 2]`` by each of ``choices``.

    ``faces`` are (frame, crop) pairs, of which one is held at a time, or one batch where a network
    is among the estimators; ``shapes`` are the blendshapes of each frame, ``[52]``.
    """
    frames: list[int] = []
    batched = [name for name, choice in choices.items() if isinstance(choice, WeightsSpec)]
    seen: dict[str, Any] = {name: [] for name in choices if name not in batched}

    def passing() -> Iterator[tuple[int, Any]]:
        for frame, crop in faces:
            frames.append(frame)
            for name, values in seen.items():
                values.append(opened(choices[name]).see(crop, shapes[frame])[:2])
            yield frame, crop

    stream = passing()
    found = {name: opened(choices[name]).estimate_stream(stream)[1] for name in batched}
    deque(stream, maxlen=0)
    found |= {name: np.array(values, np.float32).reshape(-1, 2) for name, values in seen.items()}
    return np.array(frames, np.int64), {name: found[name] for name in choices}


def agreements(tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """How well the others of ``tables`` agree with the first, which is the study's.

    ``tables`` holds ESTIMATES of the same frames in the same order, by estimator. Gives the rows of
    AGREEMENT but for the wave: for each other one a row over all videos, and one for each video.
    """
    (name, own), *others = tables.items()
    parts = [(ALL, own), *own.groupby("video_id")]
    dimensions = list(map(str, DIMENSIONS))
    rows = []
    for other, table in others:
        for video, part in parts:
            values = (t.loc[part.index, dimensions].to_numpy() for t in (table, own))
            found = agreement_by_dimension(*values)
            rows.append(
                {"estimator": name, "other": other, "video_id": video, "n_frames": len(part)}
                | {f"{d}_{m}": round(found[d][m], DECIMALS) for d in dimensions for m in MEASURES}
            )
    return rows


def refuse_constant(estimates: pd.DataFrame, who: str) -> None:
    """Refuse estimates of one value, by which frames cannot be ranked.

    Raises
    ------
    DesignError
        If arousal or valence is the same in all of several frames; ``who`` begins the message.
    """
    same = [d for d in Dimension if len(estimates) > 1 and estimates[d].nunique() == 1]
    if same:
        raise DesignError(
            f"{who} gives all {len(estimates)} accepted frames the same {' and '.join(same)}, so "
            "they cannot be ranked. Look at the faces; of a network see data/affect/card.md, train "
            "it anew with a lower affect.training.learning_rate, or give other weights."
        )
