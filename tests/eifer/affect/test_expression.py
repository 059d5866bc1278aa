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

from eifer.affect.expression import EXPRESSIONS, PUBLISHED, ExpressionEstimator, told
from eifer.affect.spec import Coordinates

NONE = np.zeros(52, np.float32)


@pytest.fixture(scope="module")
def estimator() -> ExpressionEstimator:
    return ExpressionEstimator(PUBLISHED)


def test_a_sure_expression_lies_at_its_place_less_the_centre(
    estimator: ExpressionEstimator,
) -> None:
    for name, sure in zip(EXPRESSIONS, np.eye(7, dtype=np.float32), strict=True):
        place = getattr(PUBLISHED.coordinates, name)
        wanted = (place.arousal - 0.2, place.valence)
        assert estimator.place(sure) == pytest.approx(wanted, abs=1e-6)
    half = np.array([0, 0, 0, 0.5, 0, 0, 0.5], np.float32)
    assert estimator.place(half) == pytest.approx((0.24 - 0.2, 0.38), abs=1e-6)


def test_estimates_stay_in_their_range() -> None:
    far = replace(PUBLISHED, centre=Coordinates(-0.9, 0.9))
    places = ExpressionEstimator(far).place(np.eye(7, dtype=np.float32))
    assert np.abs(places).max() == 1


def test_a_face_gives_its_place_and_its_expressions(estimator: ExpressionEstimator) -> None:
    crop = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    found = estimator.see(crop, NONE)
    assert found.dtype == np.float32 and found.shape == (2 + len(estimator.columns),)
    probabilities = estimator.probabilities(crop)
    np.testing.assert_allclose(found[2:], probabilities, atol=1e-6)
    np.testing.assert_allclose(found[:2], estimator.place(probabilities), atol=1e-6)
    larger = np.asarray(cv2.resize(crop, (128, 128), interpolation=cv2.INTER_NEAREST))
    assert np.abs(found - estimator.see(larger, NONE))[:2].max() < 0.02


def test_what_a_pool_needs_of_the_choice() -> None:
    again = pickle.loads(pickle.dumps(partial(told, PUBLISHED)))
    assert hash(PUBLISHED) and again() == told(PUBLISHED)


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
    values = [estimator.see(image, NONE)[:2] for image in images]
    means = pd.DataFrame(values).groupby(faces["label"].to_numpy()).mean()
    happy, sad = (means.loc[name].to_numpy() for name in ("happy", "sad"))
    assert happy[0] > 0.15 > sad[0] and happy[1] > 0.3 > -0.2 > sad[1]
