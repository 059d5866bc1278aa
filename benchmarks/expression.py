"""What estimators are worth on real faces: `python -m benchmarks.expression [FOLDER]`.

FOLDER holds ``fer2013_public_test.parquet`` (FER2013's PublicTest with the votes of FER+) and
``muxspace_sample.parquet`` (portraits labelled by few people); both are public research data that
this project does not contain. FER2013's faces are shown to the network of expressions as they are,
and as the study cuts them: found, upright, the eyes on their places; of these faces blendshapes are
taken too. The centre is 0 for arousal. The votes' truth is the mean of the same
coordinates, weighted by votes; who voted "unknown" or "no face" mostly is left out.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

from benchmarks._measured import show
from eifer.affect.agreement import agreement
from eifer.affect.blendshapes import BlendshapeEstimator
from eifer.affect.expression import EXPRESSIONS, ExpressionEstimator
from eifer.affect.spec import BlendshapeSpec, ExpressionSpec
from eifer.faces.crops import align_image
from eifer.faces.extraction import find
from eifer.video.reading import CERTAIN
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


def cut(
    image: NDArray[np.uint8], params: Params
) -> tuple[NDArray[np.uint8], NDArray[np.float32]] | None:
    """The face as the study cuts it, and its blendshapes; small pictures are enlarged first."""
    times = max(1, round(256 / max(image.shape)))
    larger = cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    framed = cv2.copyMakeBorder(larger, 64, 64, 64, 64, cv2.BORDER_REPLICATE)
    rgb = np.ascontiguousarray(framed, np.uint8)
    crop = align_image(rgb, spec=params.study.crop, faces=params.extract)
    face = find(rgb, params.extract)
    return None if crop is None or face is None else (crop, face[1].shapes)


def agrees(found: NDArray[Any], truth: NDArray[Any]) -> tuple[float, float]:
    """CCC, and the share of signs that agree where the truth is not near 0."""
    clear = np.abs(truth) > NEAR
    return agreement(found, truth).ccc, agreement(found[clear], truth[clear]).sagr


def said_right(
    name: str, chances: NDArray[Any], labels: NDArray[Any]
) -> list[tuple[str, float, str]]:
    """How often the most probable expression is right, by how probable it is."""
    said, sure = chances.argmax(axis=1), chances.max(axis=1) >= CERTAIN
    right = labels == said
    return [
        (f"{name}: accuracy", accuracy_score(labels, said), ""),
        (f"{name}: macro F1", f1_score(labels, said, average="macro"), ""),
        (f"{name}: uncertain, below {CERTAIN}", float((~sure).mean()), ""),
        (f"{name}: accuracy of these", float(right[~sure].mean()), ""),
        (f"{name}: accuracy of the others", float(right[sure].mean()), ""),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT.parent / "shared/real_faces")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        print(f"not measured: {arguments.folder} is not there; name the folder of faces")
        return
    params = load_params(ROOT / "presets/real.yaml")
    spec, summed = params.estimate.expression, params.estimate.blendshapes
    assert spec is not None and summed is not None
    plain = ExpressionSpec(spec.coordinates, type(spec.centre)(0.0, 0.0))
    reads = ExpressionEstimator(plain)
    middle_of = replace(summed.centre, arousal=0.0)
    moves = BlendshapeEstimator(BlendshapeSpec(summed.terms, middle_of))
    table = pd.read_parquet(arguments.folder / "fer2013_public_test.parquet")
    images = list(map(picture, table["png"]))
    votes = table[[f"votes_{name}" for name in FER_PLUS]].to_numpy(float)
    start = time.process_time()
    as_they_are = np.array([reads.probabilities(image) for image in images])
    ms = 1000 * (time.process_time() - start) / len(images)
    own = [cut(image, params) for image in images]
    found = np.array([face is not None for face in own])
    as_cut = np.array([reads.probabilities(face[0]) for face in own if face is not None])
    moved = np.array([moves.see(None, face[1]) for face in own if face is not None])
    rows: list[tuple[str, float, str]] = [
        ("FER2013 PublicTest", len(images), "faces"),
        ("processor time of one", ms, "ms"),
        ("of these found and cut as the study does", float(found.mean()), ""),
    ]
    named = table["label"].map({**NAMES, **{n: n for n in EXPRESSIONS}})
    labels = named.map(EXPRESSIONS.index).to_numpy()
    given_votes = votes.sum(axis=1, keepdims=True)
    enough, truth = given_votes[:, 0] > 5, reads.place(votes / np.maximum(given_votes, 1))
    for name, given, placed, among in (
        ("as they are", as_they_are, reads.place(as_they_are), np.ones(len(images), bool)),
        ("as the study cuts them", as_cut, reads.place(as_cut), found),
        ("blendshapes", None, moved, found),
    ):
        if given is not None:
            rows += said_right(name, given, labels[among])
        clear = enough[among]
        places, known = placed[clear], truth[among][clear]
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
        middle = np.median(placed, axis=0)
        rows.append((f"{name}: median arousal", float(middle[0]), ""))
        rows.append((f"{name}: median valence", float(middle[1]), ""))
    portraits = pd.read_parquet(arguments.folder / "muxspace_sample.parquet")
    wanted = {"happiness": 1, "anger": -1, "sadness": -1, "disgust": -1}
    portraits = portraits[portraits["label"].isin(wanted)]
    faces = [cut(picture(content), params) for content in portraits["jpeg"]]
    signs = np.array(
        [
            (wanted[label], *np.sign([reads.see(*face)[1], moves.see(*face)[1]]))
            for face, label in zip(faces, portraits["label"], strict=True)
            if face is not None
        ]
    )
    rows.append(("muxspace: happy against angry, sad, disgusted", len(signs), "faces"))
    rows += [
        (f"the same: valence of the right sign, by {name}", float(right), "")
        for name, right in zip(
            ("expressions", "blendshapes"), (signs[:, 1:] == signs[:, :1]).mean(axis=0), strict=True
        )
    ]
    show(rows)


if __name__ == "__main__":
    main()
