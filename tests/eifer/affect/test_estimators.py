"""Several estimators on the same faces, and how well they agree."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from eifer.affect import estimators
from eifer.affect.blendshapes import FITTED
from eifer.affect.expression import PUBLISHED
from eifer.affect.network import WeightsSpec, measured
from eifer.affect.spec import BlendshapeSpec, Coordinates, Term
from eifer.tables.affect import AGREEMENT
from flows.graph import ROOT
from stages.params import load_params
from tests.eifer.affect.onnx_files import network, placed
from tests.planted import SPEC

SUM = BlendshapeSpec((Term("jawOpen", 1.0, -1.0),), Coordinates(0.0, 0.0))


@pytest.fixture
def own(tmp_path: Path) -> WeightsSpec:
    import torch

    from eifer.affect.estimator import HEAD
    from eifer.training.network import Network
    from eifer.training.weights import save_weights

    torch.manual_seed(0)
    save_weights(tmp_path / "weights", Network(SPEC, [HEAD]).state_dict(), {})
    return WeightsSpec(tmp_path / "weights", SPEC, "cpu", "float32", 2, None)


def test_every_estimator_sees_each_face_once(own: WeightsSpec, tmp_path: Path) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    shapes = {10 * k: np.full(52, k / 10, np.float32) for k in range(5)}
    given: list[int] = []

    def stream() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for k, crop in enumerate(crops):
            given.append(k)
            yield 10 * k, crop

    choices: dict[str, estimators.Choice] = {
        "blendshapes": SUM,
        "network": own,
        "onnx": placed(tmp_path, network()),
        "expression": PUBLISHED,
    }
    frames, found = estimators.estimated(choices, stream(), shapes)
    assert given == [0, 1, 2, 3, 4] and frames.tolist() == [0, 10, 20, 30, 40]
    assert list(found) == list(choices)
    assert found["blendshapes"][:, 0] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    np.testing.assert_array_equal(found["network"], estimators.opened(own).estimate(crops))
    for name in ("onnx", "expression"):
        alone = [estimators.opened(choices[name]).see(crop, shapes[0])[:2] for crop in crops]
        np.testing.assert_array_equal(found[name], alone)
    assert len({values.tobytes() for values in found.values()}) == 4
    assert all(values.dtype == np.float32 for values in found.values())


def test_no_frames_give_no_estimates() -> None:
    frames, found = estimators.estimated({"blendshapes": SUM}, [], {})
    assert frames.shape == (0,) and found["blendshapes"].shape == (0, 2)


def test_only_the_network_needs_torch() -> None:
    code = "import sys, eifer.affect.estimators; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_preset_names_what_was_measured() -> None:
    chosen = load_params(ROOT / "presets/real.yaml").estimate
    assert (chosen.expression, chosen.blendshapes) == (PUBLISHED, FITTED)


def test_whoever_speaks_says_what_it_is_worth(own: WeightsSpec, tmp_path: Path) -> None:
    card = {"validation": {"arousal": {"ccc": 0.961}, "valence": {"ccc": 0.5}}}
    assert str(measured(card)).endswith("arousal agreed by a CCC of 0.96, valence by one of 0.50")
    assert measured({"validation": {}}) is None
    assert estimators.told(own).endswith("network; what it is worth was not measured")
    assert "not AffectNet-trained" in estimators.told(PUBLISHED)
    assert estimators.told(PUBLISHED).endswith("a CCC of .74, valence by one of .83")
    assert "; on FER2013's PublicTest" in estimators.told(FITTED)
    assert estimators.told(SUM).endswith("what it is worth was not measured")
    moved = replace(PUBLISHED, centre=Coordinates(0.3, 0.1))
    assert estimators.worth(moved) == estimators.worth(PUBLISHED)
    other = replace(PUBLISHED.coordinates, sad=Coordinates(-0.5, -0.5))
    assert estimators.worth(replace(PUBLISHED, coordinates=other)) is None
    assert estimators.told(placed(tmp_path, b"", measured="a few faces")).endswith("on a few faces")


def table(arousal: list[float], valence: list[float]) -> pd.DataFrame:
    videos = {"video_id": ["a", "a", "b", "b"], "frame": [3, 5, 0, 1]}
    return pd.DataFrame({**videos, "arousal": arousal, "valence": valence}, dtype="object").astype(
        {"arousal": "float32", "valence": "float32"}
    )


def test_agreement_is_counted_over_all_and_by_video() -> None:
    tables = {
        "network": table([0.5, -0.5, 0.5, -0.5], [0.1, 0.2, 0.3, 0.4]),
        "expression": table([0.5, -0.5, -0.5, 0.5], [0.1, 0.2, 0.3, 0.4]),
        "blendshapes": table([0.2, 0.2, 0.2, 0.2], [-0.1, -0.2, -0.3, 0.4]),
    }
    rows: list[dict[str, Any]] = estimators.agreements(tables)
    found = AGREEMENT.frame([row | {"wave": "1"} for row in rows])
    found = found.set_index(["other", "video_id"])
    assert len(found) == 6 and set(found["estimator"]) == {"network"}
    assert found.loc[("expression", "all"), "n_frames"] == 4
    ccc = found["arousal_ccc"]["expression"]
    assert ccc.to_dict() == pytest.approx({"a": 1.0, "all": 0.0, "b": -1.0})
    assert found["arousal_sagr"]["expression"].to_dict() == {"a": 1.0, "all": 0.5, "b": 0.0}
    assert found["valence_ccc"]["expression"].tolist() == pytest.approx([1.0] * 3)
    assert np.isnan(found.loc[("blendshapes", "all"), "arousal_pearson_r"])
    assert found["valence_sagr"]["blendshapes"].to_dict() == {"a": 0.0, "all": 0.25, "b": 0.5}
