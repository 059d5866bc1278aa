"""The drawn corpus: other people, known affect."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

from eifer.cohort.simulation.corpus import CorpusSpec, simulate_corpus
from eifer.tables.affect import CORPUS

SPEC = CorpusSpec(identities=3, images_per_identity=8, size_px=64, noise_levels=3)


@pytest.fixture(scope="module")
def corpus() -> pd.DataFrame:
    return simulate_corpus(SPEC, seed=5)


def test_the_corpus_is_a_corpus(corpus: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(corpus, CORPUS.conform(corpus))
    assert all(rule.broken(corpus, {}).empty for rule in CORPUS.rules if not rule.needs)
    assert (corpus.groupby("identity").size() == 8).all() and corpus["identity"].nunique() == 3
    for data in corpus["image"]:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (64, 64, 3)


def test_affect_is_spread_over_the_disc(corpus: pd.DataFrame) -> None:
    radius = np.hypot(corpus["arousal"], corpus["valence"])
    assert radius.max() <= 1 and radius.mean() > 0.5
    assert (corpus[["arousal", "valence"]].min() < -0.3).all()
    assert (corpus[["arousal", "valence"]].max() > 0.3).all()


def test_an_identity_depends_on_nobody_else_nor_on_the_workers(corpus: pd.DataFrame) -> None:
    larger = simulate_corpus(replace(SPEC, identities=4), seed=5, workers=2)
    same = larger[larger["identity"].isin(corpus["identity"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, corpus)
