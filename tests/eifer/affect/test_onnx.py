"""A network given as an ONNX file: the right numbers of the right picture, and nothing hostile."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper

from eifer.affect.onnx import OnnxEstimator, asset, told
from eifer.errors import AssetError
from eifer.faces import assets
from tests.eifer.affect.onnx_files import EIGHT, MEAN, OUTPUTS, STD, WEIGHTS, network, placed

NONE = np.zeros(52, np.float32)


def test_estimates_are_those_of_the_file(tmp_path: Path) -> None:
    estimator = OnnxEstimator(placed(tmp_path, network()))
    assert estimator.columns == EIGHT
    face = np.random.default_rng(1).integers(0, 256, (224, 224, 3), np.uint8)
    face[..., 0] //= 4  # so that red and blue cannot be exchanged unseen
    said = WEIGHTS @ (((face.reshape(-1, 3) / 255).mean(axis=0) - MEAN) / STD)
    found = estimator.see(face, NONE)
    assert found.dtype == np.float32 and found.shape == (10,)
    # Arousal is the file's last output, valence the one before.
    np.testing.assert_allclose(found[:2], np.clip(said[[9, 8]], -1, 1), atol=2e-5)
    likely = np.exp(said[:8]) / np.exp(said[:8]).sum()
    np.testing.assert_allclose(found[2:], likely, atol=2e-5)
    assert estimator.see(face, NONE).tobytes() == found.tobytes()


def test_logits_far_below_zero_are_probabilities_too(tmp_path: Path) -> None:
    far = WEIGHTS.copy()
    far[:8] -= 1000
    estimator = OnnxEstimator(placed(tmp_path, network(far)))
    likely = estimator.see(np.full((224, 224, 3), 255, np.uint8), NONE)[2:]
    assert likely.sum() == pytest.approx(1) and likely.min() >= 0


def test_crops_of_other_sizes_are_fitted(tmp_path: Path) -> None:
    estimator = OnnxEstimator(placed(tmp_path, network()))
    face = np.random.default_rng(2).integers(0, 256, (448, 448, 3), np.uint8)
    found = estimator.see(face, NONE)
    small = cv2.resize(face, (224, 224), interpolation=cv2.INTER_AREA)
    assert estimator.see(np.asarray(small), NONE).tobytes() == found.tobytes()
    assert np.abs(estimator.see(face[:64, :64], NONE)[:2]).max() <= 1


def test_the_card_says_labels_input_and_licence(tmp_path: Path) -> None:
    said = told(placed(tmp_path, network()))
    assert "network.onnx" in said and "licence CC0" in said and "224 x 224 px RGB" in said
    assert ", ".join(OUTPUTS) in said and str(MEAN) in said


def dead(value: float) -> bytes:
    weights = WEIGHTS.copy()
    weights[9] = value
    return network(weights)


def bad_operator() -> bytes:
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Exec", ["input"], ["output"], domain="os")],
        "network",
        [info("input", TensorProto.FLOAT, ["batch", 3, 224, 224])],
        [info("output", TensorProto.FLOAT, ["batch", 10])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("os", 1)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


@pytest.mark.parametrize(
    ("content", "changed", "said"),
    [
        (network(), {"sha256": 64 * "0"}, "sha256 is .* expected 0000.*Fetch the file again"),
        (network(), {"path": "nowhere.onnx"}, "nowhere.onnx: no such file. Correct estimate.onnx"),
        (b"", {}, "onnxruntime cannot open it"),
        (b"no network", {}, "onnxruntime cannot open it"),
        (network()[:-40], {}, "onnxruntime cannot open it"),
        (bad_operator(), {}, "onnxruntime cannot open it"),
        (network(elsewhere="weights.bin"), {}, "cannot open it .*External data"),
        (network(elsewhere="../weights.bin"), {}, "cannot open it .*External data"),
        (network(sides=("batch", 3, 112, 112)), {}, r"takes input .*112.*says float \[1, 3, 224"),
        (
            network(WEIGHTS[:, :1], sides=("batch", 1, 224, 224)),
            {},
            r"it takes input .*\[1, 3, 224, 224\]",
        ),
        (network(WEIGHTS[:8]), {}, r"gives output .*8.*says float \[1, 10\]"),
        (network(apart=True), {}, "gives output .*, means .*Correct the params"),
        (dead(np.nan), {}, r"\(1, 10\) with 1 values that are no numbers"),
        (dead(0), {}, "gives every picture the same arousal:"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    changed: dict[str, Any],
    said: str,
) -> None:
    # Where a file of weights would be taken from, were it asked for.
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for place in (Path(), Path("..")):
        (place / "weights.bin").write_bytes(WEIGHTS.tobytes())
    with pytest.raises(AssetError, match=f"(?s){said}"):
        OnnxEstimator(placed(tmp_path, content, **changed))


def test_a_file_from_an_address_lies_among_the_assets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(assets.FOLDER_VARIABLE, str(tmp_path))
    content = network()
    monkeypatch.setattr(assets.Address, "read", lambda address: content)
    url = "https://models.example/enet_b0_8_va_mtl.onnx"
    spec = placed(tmp_path, content, path=None, url=url)
    with pytest.raises(AssetError, match=r"no file .*Run `eifer assets --fetch --params"):
        OnnxEstimator(spec)
    card = asset(spec)
    assert card is not None and "enet_b0_8_va_mtl.onnx" in str(assets.fetch(card))
    assert hashlib.sha256(assets.locate(card).read_bytes()).hexdigest() == spec.sha256
    assert OnnxEstimator(spec).columns == EIGHT


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"url": "https://models.example/n.onnx"}, "give path or url"),
        ({"path": None}, "give path or url"),
        ({"path": "https://models.example/n.onnx"}, "reads as a URL"),
        ({"path": None, "url": "file:///etc/passwd"}, "does not begin with https"),
        ({"sha256": "abc"}, "not 64 hexadecimal digits"),
        ({"outputs": EIGHT}, "arousal and valence among them"),
        ({"outputs": (*OUTPUTS, "anger")}, "name each once"),
    ],
)
def test_descriptions_that_do_not_fit_are_refused(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        placed(tmp_path, b"", **changed)
