"""ONNX files of the signature of EmotiEffLib's multi-task networks, made here."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from eifer.affect.spec import OnnxSpec

EIGHT = (
    "anger",
    "contempt",
    "disgust",
    "fear",
    "happiness",
    "neutral",
    "sadness",
    "surprise",
)
OUTPUTS = (*EIGHT, "valence", "arousal")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WEIGHTS = np.random.default_rng(0).normal(0, 0.3, (10, 3)).astype(np.float32)


def network(
    weights: NDArray[np.float32] = WEIGHTS,
    *,
    sides: tuple[Any, ...] = ("batch", 3, 224, 224),
    elsewhere: str = "",
    apart: bool = False,
) -> bytes:
    """``weights`` times the means of the three channels of its input.

    ``elsewhere`` names another file that holds the weights; ``apart``: it gives the means too.
    """
    tensor = numpy_helper.from_array(weights, "weights")
    if elsewhere:
        tensor = TensorProto(name="weights", data_type=TensorProto.FLOAT, dims=weights.shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=elsewhere)
    node, info = helper.make_node, helper.make_tensor_value_info
    outputs = [info("output", TensorProto.FLOAT, ["batch", len(weights)])]
    graph = helper.make_graph(
        [
            node("GlobalAveragePool", ["input"], ["pooled"]),
            node("Flatten", ["pooled"], ["means"]),
            node("Gemm", ["means", "weights"], ["output"], transB=1),
        ],
        "network",
        [info("input", TensorProto.FLOAT, sides)],
        [*outputs, info("means", TensorProto.FLOAT, ["batch", 3])] if apart else outputs,
        [tensor],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def placed(folder: Path, content: bytes, **changed: Any) -> OnnxSpec:
    """The choice of an estimator by ``content``, which comes to lie in ``folder``."""
    path = folder / "network.onnx"
    path.write_bytes(content)
    known = {
        "path": str(path),
        "url": None,
        "sha256": hashlib.sha256(content).hexdigest(),
        "licence": "CC0",
        "measured": "nothing",
        "size_px": 224,
        "mean": MEAN,
        "std": STD,
        "outputs": OUTPUTS,
    }
    return OnnxSpec(**{**known, **changed})
