"""Blendshapes as a weighted sum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.expression import cut, picture
from eifer.affect.blendshapes import FITTED, BlendshapeEstimator, told
from eifer.affect.spec import BlendshapeSpec, Coordinates, Term
from eifer.tables.faces import SHAPES
from flows.graph import ROOT
from stages.params import load_params

SPEC = BlendshapeSpec(
    (Term("mouthSmile", 0.5, 1.0), Term("jawOpen", 0.8, 0.0), Term("browDownLeft", 0.0, -0.4)),
    Coordinates(0.2, -0.1),
)


def moved(**shapes: float) -> np.ndarray:
    return np.array([shapes.get(name, 0.0) for name in SHAPES], np.float32)


@pytest.mark.parametrize(
    ("shapes", "arousal", "valence"),
    [
        ({}, -0.2, 0.1),
        ({"mouthSmileLeft": 1.0}, 0.05, 0.6),
        ({"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5}, 0.05, 0.6),
        ({"browDownLeft": 1.0}, -0.2, -0.3),
        ({"browDownRight": 1.0, "tongueOut": 1.0}, -0.2, 0.1),
        ({"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0, "jawOpen": 1.0}, 1.0, 1.0),
    ],
)
def test_terms_add_up_and_stay_in_range(
    shapes: dict[str, float], arousal: float, valence: float
) -> None:
    found = BlendshapeEstimator(SPEC).see(None, moved(**shapes))
    assert found.dtype == np.float32 and found.tolist() == pytest.approx([arousal, valence])


@pytest.mark.parametrize(
    ("name", "said"),
    [("mouthSmiel", "did you mean 'mouthSmile'"), ("jaw", "no blendshape 'jaw'")],
)
def test_an_unknown_blendshape_gets_a_hint(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Term(name, 0.0, 0.0)


def test_a_blendshape_is_named_once() -> None:
    with pytest.raises(ValueError, match="terms name jawOpen twice"):
        BlendshapeSpec((Term("jawOpen", 0.1, 0.1), Term("jawOpen", 0.2, 0.2)), SPEC.centre)


def test_the_report_has_the_whole_sum() -> None:
    said = told(SPEC)
    assert "arousal +0.5 mouthSmile +0.8 jawOpen less 0.2" in said
    assert "valence +1 mouthSmile -0.4 browDownLeft less -0.1" in said


def test_signs_of_the_weights_are_those_of_expressions() -> None:
    see = BlendshapeEstimator(FITTED).see
    calm = see(None, moved())
    smile = see(None, moved(mouthSmileLeft=0.8, mouthSmileRight=0.8)) - calm
    scowl = see(None, moved(browDownLeft=0.8, browDownRight=0.8, mouthFrownLeft=0.8)) - calm
    gasp = see(None, moved(jawOpen=0.8, eyeWideLeft=0.5, eyeWideRight=0.5)) - calm
    drowsy = see(None, moved(eyeBlinkLeft=0.8, eyeBlinkRight=0.8)) - calm
    assert smile.min() > 0 > scowl[1] and gasp[0] > 0 > drowsy[0]
    assert calm[0] < 0, "a face at rest is not aroused"


def test_faces_of_people_are_read_as_measured(shared: Path) -> None:
    params = load_params(ROOT / "presets/real.yaml")
    see = BlendshapeEstimator(FITTED).see
    faces = pd.read_parquet(shared / "real_faces/fer2013_public_test.parquet")
    means = {}
    for label in ("happy", "sad"):
        found = [cut(picture(png), params) for png in faces["png"][faces["label"] == label][:60]]
        means[label] = np.mean([see(*face) for face in found if face is not None], axis=0)
    (aroused, pleasant), (calm, unpleasant) = means["happy"], means["sad"]
    assert aroused > 0.1 > -0.05 > calm and pleasant > 0.4 > -0.05 > unpleasant
