"""A network of the expressions study reads faces as every other estimator does."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from eifer.affect import estimators, trained
from eifer.affect.expression import EXPRESSIONS
from eifer.corpora.recipes import (
    CLASSES,
    PUBLISHED,
    ExpressionRecipe,
    TrainedExpressions,
    card,
    probabilities,
)
from eifer.errors import AssetError
from eifer.training.weights import State, save_weights
from flows.pages.reading import chosen

RECIPE = PUBLISHED["s4"].__class__(**{**vars(PUBLISHED["s4"]), "width": 0.0625})
NONE = np.zeros(52, np.float32)


def saved(path: Path, recipe: ExpressionRecipe) -> State:
    """A network of random numbers as the study leaves it."""
    import torch

    from eifer.training.network import Network
    from eifer.training.spec import Head

    torch.manual_seed(1)
    state = Network(recipe.spec(), [Head("expression", 7)]).eval().state_dict()
    made = TrainedExpressions(state, [], 1, 100, 40, 0.625, 0.5)
    save_weights(path, state, card(made, recipe))
    return state


def test_it_says_what_the_study_s_network_says(tmp_path: Path) -> None:
    path = tmp_path / "repetition-1.safetensors"
    state = saved(path, RECIPE)
    choice, _ = chosen(str(path), None, 5)
    assert pickle.loads(pickle.dumps(choice)) == choice and hash(choice)
    estimator = estimators.opened(choice)
    crop = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    found = estimator.see(crop, NONE)
    assert estimator.columns == EXPRESSIONS and found.shape == (9,)
    import cv2

    small = cv2.resize(crop, (48, 48), interpolation=cv2.INTER_AREA)
    wanted = probabilities(state, RECIPE, small[None])[0]
    by_name = dict(zip(CLASSES, wanted, strict=True))
    np.testing.assert_allclose(found[2:], [by_name[name] for name in EXPRESSIONS], atol=1e-5)
    np.testing.assert_allclose(found[:2], estimator.place(found[2:]), atol=1e-5)
    told = estimators.told(choice)
    assert choice.sha256[:12] in told and "40 validation images" in told and "62%" in told


def test_what_is_no_network_of_expressions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="no such file; give a file that an expressions study"):
        trained.described(tmp_path / "absent.safetensors")
    path = tmp_path / "other.safetensors"
    save_weights(path, saved(tmp_path / "one.safetensors", RECIPE), {"network": {"backbone": "x"}})
    with pytest.raises(AssetError, match="describes no network of seven expressions"):
        chosen(str(path), None, 5)
