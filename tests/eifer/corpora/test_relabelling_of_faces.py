"""What relabelling does to drawn faces with planted wrong labels (the protocol, section 4).

A judge that has seen an image with its wrong label may have learnt it by heart, and then says it
again. Logistic regression is judge enough to show it: how much it learns by heart is a number.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple, get_args

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from eifer.corpora.drawn import Drawing, DrawnCorpus, DrawnSpec, draw_corpus
from eifer.corpora.relabelling import (
    CLASSES,
    Judge,
    Mask,
    Network,
    RelabelSpec,
    judge,
    judged,
    out_of_fold,
    relabel,
)
from eifer.faces.pictures import decoded

CAREFUL, BY_HEART = 0.1, 10.0
"""Regression's C: how little it is held back."""
SPEC = RelabelSpec("confident", "relabel", above=0.7, rounds=3, until=0.01)
DRAWING = Drawing(
    size_px=48,
    colour=False,
    framing=(0.58, 0.62),
    brightness=(0.9, 1.1),
    contrast=(0.9, 1.1),
    line=1.4,
    blur_px=0.4,
    noise_levels=3,
    jpeg_quality=None,
    background="plain",
    roll_deg=1,
    shift=0.0,
    strength=(0.9, 1.0),
    mixed=0.0,
)
CORPUS = DrawnCorpus(
    images=420,
    drawing=DRAWING,
    classes=dict.fromkeys(CLASSES, 1.0),
    wrong=0.15,
    confusion={name: {CLASSES[k - 1]: 1.0} for k, name in enumerate(CLASSES)},
    copies_within=0.0,
    copies_across=0.0,
    contradicting=0.0,
    identities=True,
    attributes=False,
    images_per_identity=2,
    official_test=None,
)


class Faces(NamedTuple):
    """Labels with folds by person, the truth by image, and pixels ``[N, 256]``."""

    labels: pd.DataFrame
    truth: pd.Series
    pixels: NDArray[np.float64]

    def network(self, strength: float) -> Network:
        codes = self.labels["label"].map(CLASSES.index).to_numpy()

        def network(trains: Mask, asks: Mask, number: int) -> NDArray[np.float64]:
            model = LogisticRegression(C=strength, max_iter=150, tol=1e-3)
            with threadpool_limits(1), warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(self.pixels[trains], codes[trains])
            assert len(model.classes_) == len(CLASSES)
            return np.asarray(model.predict_proba(self.pixels[asks]))

        return network

    def relabelled(self, methods: Sequence[str], strength: float) -> dict[str, pd.DataFrame]:
        network = self.network(strength)
        given = [judge(by, network, self.labels, SPEC) for by in get_args(Judge)]
        return relabel(self.labels, methods, pd.concat(given), SPEC)


@pytest.fixture(scope="module")
def faces() -> Faces:
    images, truth = draw_corpus("faces", DrawnSpec({"faces": CORPUS}), seed=3)
    pixels = np.stack([cv2.resize(decoded(data), (16, 16))[..., 0] for data in images["image"]])
    flat = pixels.reshape(len(pixels), -1).astype(np.float64)
    flat = (flat - flat.mean(1, keepdims=True)) / flat.std(1, keepdims=True)
    labels = images[["image_id", "corpus", "label"]].assign(
        fold=images["identity"].factorize()[0] % 5 + 1
    )
    return Faces(labels, truth.set_index("image_id")["label"], flat)


def test_confident_relabelling_repairs_more_than_it_breaks(faces: Faces) -> None:
    methods = ("confident_relabel", "confident_weight")
    found = faces.relabelled(methods, CAREFUL)
    told = {method: judged(found[method], faces.truth) for method in methods}
    assert told["confident_relabel"]["wrong"] == 63
    # Labels, not shares: of right ones there are six times as many.
    mended = told["confident_relabel"]
    assert mended["repaired"] * mended["wrong"] > 5 * mended["broken"] * mended["right"] > 0
    assert mended["agreement_after"] > mended["agreement_before"] + 0.02
    # To leave out what is doubted helps more, and loses some that was right.
    left = told["confident_weight"]
    assert left["flagged_wrong"] > 0.6 and left["wrong_left_out"] > 0.5
    assert left["right_left_out"] < 0.1
    assert left["agreement_after"] > mended["agreement_after"]


def test_published_relabelling_repeats_what_its_network_learnt_by_heart(faces: Faces) -> None:
    found = faces.relabelled(("published", "confident_relabel"), BY_HEART)
    told = {method: judged(table, faces.truth) for method, table in found.items()}
    # Every label is the network's now, which therefore finds no fault: the truth would find 63.
    assert told["published"]["own_network"] == 1
    assert told["published"]["repeated"] > 0.95 and told["published"]["repaired"] < 0.05
    assert told["published"]["agreement_after"] < 0.88
    # The same judge says few of these wrong labels of faces, and of people, that it never saw.
    assert told["confident_relabel"]["repeated"] < 0.35
    unseen = out_of_fold(faces.network(BY_HEART), faces.labels["fold"].to_numpy(np.int64)).argmax(
        axis=1
    )
    truly = np.array(CLASSES)[unseen] == faces.truth[faces.labels["image_id"]].to_numpy()
    assert truly.mean() > 0.7


def test_also_a_careful_network_repeats_more_of_what_it_saw(faces: Faces) -> None:
    found = faces.relabelled(("published", "confident_relabel"), CAREFUL)
    seen, unseen = (judged(table, faces.truth)["repeated"] for table in found.values())
    assert seen > 2 * unseen > 0
