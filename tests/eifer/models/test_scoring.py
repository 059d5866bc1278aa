"""Scores of stored weights: the network they name, whatever the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from eifer.errors import AssetError
from eifer.models.scoring import Scorer, load
from eifer.training.backbones import backbone_card
from eifer.training.weights import save_weights
from tests import planted

IMAGES = planted.samples().images
INITIAL = planted.initial()


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "repetition-1.safetensors"
    card = {"network": {"backbone": planted.SPEC.backbone, "size_px": planted.SPEC.size_px}}
    save_weights(path, INITIAL, card)
    return path


def test_the_batch_does_not_matter(stored: Path) -> None:
    found = [load(stored, batch=batch)(IMAGES[:37]) for batch in (1, 16, 64)]
    assert found[0].dtype == np.float32 and found[0].shape == (37,)
    assert (found[0] == found[1]).all() and (found[0] == found[2]).all()
    # Nor does an item's company: the last batch is filled up.
    assert (load(stored)(IMAGES[:5]) == found[0][:5]).all()
    assert ((found[0] > 0) & (found[0] < 1)).all()


def test_scores_are_the_sigmoid_of_the_logit(stored: Path) -> None:
    network = Scorer(INITIAL, planted.SPEC).network
    with torch.no_grad():
        images = torch.from_numpy(IMAGES[:16].copy()).permute(0, 3, 1, 2).float()
        expected = 1 / (1 + np.exp(-network(images)["classifier"].numpy()))
    np.testing.assert_allclose(load(stored)(IMAGES[:16]), expected, rtol=1e-4)


def test_what_is_not_ours_is_refused(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"sha256 is .*, expected 00"):
        load(stored, "00" * 32)
    with pytest.raises(AssetError, match="no such file"):
        load(tmp_path / "absent.safetensors")
    save_weights(tmp_path / "plain.safetensors", INITIAL, {})
    with pytest.raises(AssetError, match="their card has no network"):
        load(tmp_path / "plain.safetensors")
    with pytest.raises(AssetError, match="classifier weights for efficientnet_b0: weights of"):
        Scorer(INITIAL, backbone_card("efficientnet_b0").at(32))
