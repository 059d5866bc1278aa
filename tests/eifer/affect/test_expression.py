"""Expressions as places in the plane of arousal and valence."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from eifer.affect.expression import (
    EXPRESSIONS,
    ExpressionEstimator,
    told,
)
from eifer.affect.spec import ExpressionSpec
from flows.graph import ROOT
from stages.params import load_params


@pytest.fixture(scope="module")
def spec() -> ExpressionSpec:
    chosen = load_params(ROOT / "presets/real.yaml").estimate.expression
    assert chosen is not None
    return chosen


@pytest.fixture(scope="module")
def estimator(spec: ExpressionSpec) -> ExpressionEstimator:
    return ExpressionEstimator(spec)


def test_a_sure_expression_lies_at_its_place_less_the_centre(
    spec: ExpressionSpec, estimator: ExpressionEstimator
) -> None:
    for name, sure in zip(EXPRESSIONS, np.eye(7, dtype=np.float32), strict=True):
        place = getattr(spec.coordinates, name)
        wanted = (place.arousal - spec.centre.arousal, place.valence - spec.centre.valence)
        assert estimator.place(sure) == pytest.approx(wanted, abs=1e-6)
    half = np.array([0, 0, 0, 0.5, 0, 0, 0.5], np.float32)
    assert estimator.place(half) == pytest.approx((0.24 - 0.2, 0.38), abs=1e-6)


def test_estimates_stay_in_their_range(spec: ExpressionSpec) -> None:
    far = replace(spec, centre=replace(spec.centre, arousal=-0.9, valence=0.9))
    places = ExpressionEstimator(far).place(np.eye(7, dtype=np.float32))
    assert np.abs(places).max() == 1


def test_a_stream_is_numbered_and_larger_crops_are_shrunk(estimator: ExpressionEstimator) -> None:
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (3, 64, 64, 3), np.uint8)
    larger = [cv2.resize(crop, (128, 128), interpolation=cv2.INTER_NEAREST) for crop in crops]
    numbers, values = estimator.estimate_stream(zip((4, 7, 9), crops, strict=True))
    assert numbers.tolist() == [4, 7, 9] and values.shape == (3, 2)
    assert values.dtype == np.float32 and np.abs(values).max() <= 1
    _, same = estimator.estimate_stream(enumerate(larger))
    assert np.abs(values - same).max() < 0.02
    assert estimator.estimate_stream(iter(()))[1].shape == (0, 2)


def test_what_a_pool_needs_of_the_choice(spec: ExpressionSpec) -> None:
    assert hash(spec) and pickle.loads(pickle.dumps(partial(told, spec)))() == told(spec)
    assert "not AffectNet-trained" in told(spec) and told(None) == "by the affect network"


def test_faces_of_people_are_read_as_measured(shared: Path, estimator: ExpressionEstimator) -> None:
    faces = pd.read_parquet(shared / "real_faces/fer2013_public_test.parquet")
    faces = faces[faces["label"].isin(EXPRESSIONS)].head(400)
    images = [
        cv2.cvtColor(
            cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB
        )
        for png in faces["png"]
    ]
    said = [EXPRESSIONS[estimator.probabilities(image).argmax()] for image in images]
    right = np.mean(np.array(said) == faces["label"].to_numpy())
    assert 0.6 < right < 0.72
    _, values = estimator.estimate_stream(enumerate(images))
    means = pd.DataFrame(values).groupby(faces["label"].to_numpy()).mean()
    happy, sad = (means.loc[name].to_numpy() for name in ("happy", "sad"))
    assert happy[0] > 0.15 > sad[0] and happy[1] > 0.3 > -0.2 > sad[1]
