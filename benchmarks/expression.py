"""What the expression network is worth on real faces: `python -m benchmarks.expression [FOLDER]`.

FOLDER holds ``fer2013_public_test.parquet`` (FER2013's PublicTest with the votes of FER+) and
``muxspace_sample.parquet`` (portraits labelled by few people); both are public research data that
this project does not contain. FER2013's faces are shown to the network as they are, and as the
study cuts them: found, upright, the eyes on their places. The votes' truth is the mean of the same
coordinates, weighted by votes; who voted "unknown" or "no face" mostly is left out.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

from benchmarks._measured import show
from eifer.affect.agreement import agreement
from eifer.affect.expression import EXPRESSIONS, ExpressionEstimator
from eifer.affect.spec import ExpressionSpec
from eifer.faces.crops import align_image
from flows.graph import ROOT
from stages.params import Params, load_params

FER_PLUS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""FER+'s answers in the order of `EXPRESSIONS`."""
NAMES = dict(zip(FER_PLUS, EXPRESSIONS, strict=True))
NEAR = 0.2
"""A truth nearer to 0 has no sign to agree with."""


def picture(content: bytes) -> NDArray[np.uint8]:
    """RGB ``[H, W, 3]``."""
    bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def cut(image: NDArray[np.uint8], params: Params) -> NDArray[np.uint8] | None:
    """The face as the study cuts it; small pictures are enlarged for the detector."""
    times = max(1, round(256 / max(image.shape)))
    larger = cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    framed = cv2.copyMakeBorder(larger, 64, 64, 64, 64, cv2.BORDER_REPLICATE)
    rgb = np.ascontiguousarray(framed, np.uint8)
    return align_image(rgb, spec=params.study.crop, faces=params.extract)


def agrees(found: NDArray[Any], truth: NDArray[Any]) -> tuple[float, float]:
    """CCC, and the share of signs that agree where the truth is not near 0."""
    clear = np.abs(truth) > NEAR
    return agreement(found, truth).ccc, agreement(found[clear], truth[clear]).sagr


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT.parent / "shared/real_faces")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        print(f"not measured: {arguments.folder} is not there; name the folder of faces")
        return
    params = load_params(ROOT / "presets/real.yaml")
    spec = params.estimate.expression
    assert spec is not None
    plain = ExpressionSpec(spec.coordinates, type(spec.centre)(0.0, 0.0))
    reads = ExpressionEstimator(plain)
    table = pd.read_parquet(arguments.folder / "fer2013_public_test.parquet")
    images = [picture(content) for content in table["png"]]
    votes = table[[f"votes_{name}" for name in FER_PLUS]].to_numpy(float)
    start = time.process_time()
    as_they_are = np.array([reads.probabilities(image) for image in images])
    ms = 1000 * (time.process_time() - start) / len(images)
    own = [cut(image, params) for image in images]
    found = np.array([face is not None for face in own])
    as_cut = np.array([reads.probabilities(face) for face in own if face is not None])
    rows: list[tuple[str, float, str]] = [
        ("FER2013 PublicTest", len(images), "faces"),
        ("processor time of one", ms, "ms"),
        ("of these found and cut as the study does", float(found.mean()), ""),
    ]
    named = table["label"].map({**NAMES, **{n: n for n in EXPRESSIONS}})
    labels = named.map(EXPRESSIONS.index).to_numpy()
    enough = votes.sum(axis=1) > 5
    truth = reads.place(votes / np.maximum(votes.sum(axis=1, keepdims=True), 1))
    for name, given, among in (
        ("as they are", as_they_are, np.ones(len(images), bool)),
        ("as the study cuts them", as_cut, found),
    ):
        said = given.argmax(axis=1)
        rows += [
            (f"{name}: accuracy", accuracy_score(labels[among], said), ""),
            (f"{name}: macro F1", f1_score(labels[among], said, average="macro"), ""),
        ]
        clear = enough[among]
        places, known = reads.place(given)[clear], truth[among][clear]
        for k, dimension in enumerate(("arousal", "valence")):
            ccc, sign = agrees(places[:, k], known[:, k])
            rows += [
                (f"{name}: {dimension}, CCC with FER+'s votes", ccc, ""),
                (f"{name}: {dimension}, same sign where |truth| > {NEAR}", sign, ""),
            ]
            if dimension == "arousal":
                low = known[:, k] < -NEAR
                rows.append(
                    (
                        f"{name}: of low arousal ({low.sum()} faces), found low",
                        float((places[low, k] < 0).mean()),
                        "",
                    )
                )
        middle = np.median(reads.place(given), axis=0)
        rows.append((f"{name}: median arousal", float(middle[0]), ""))
        rows.append((f"{name}: median valence", float(middle[1]), ""))
    portraits = pd.read_parquet(arguments.folder / "muxspace_sample.parquet")
    wanted = {"happiness": 1, "anger": -1, "sadness": -1, "disgust": -1}
    portraits = portraits[portraits["label"].isin(wanted)]
    faces = [cut(picture(content), params) for content in portraits["jpeg"]]
    signs = [
        (np.sign(reads.place(reads.probabilities(face))[1]), wanted[label])
        for face, label in zip(faces, portraits["label"], strict=True)
        if face is not None
    ]
    rows += [
        ("muxspace: happy against angry, sad, disgusted", len(signs), "faces"),
        ("the same: valence of the right sign", float(np.mean([a == b for a, b in signs])), ""),
    ]
    show(rows)


if __name__ == "__main__":
    main()
