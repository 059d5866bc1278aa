"""Scores of stored weights: the network they name, whatever the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from eifer.affect.weights import save_weights
from eifer.errors import AssetError
from eifer.models.data import TrainingData
from eifer.models.scoring import Scorer, load
from eifer.models.spec import NetworkSpec

State = dict[str, torch.Tensor]


@pytest.fixture
def stored(initial: State, spec: NetworkSpec, tmp_path: Path) -> Path:
    path = tmp_path / "repetition-1.safetensors"
    card = {"network": {"backbone": spec.backbone, "size_px": spec.size_px}}
    save_weights(path, initial, card)
    return path


def test_the_batch_does_not_matter(stored: Path, data: TrainingData) -> None:
    found = [load(stored, batch=batch)(data.images[:37]) for batch in (1, 16, 64)]
    assert found[0].dtype == np.float32 and found[0].shape == (37,)
    assert (found[0] == found[1]).all() and (found[0] == found[2]).all()
    # Nor does an item's company: the last batch is filled up.
    assert (load(stored)(data.images[:5]) == found[0][:5]).all()
    assert ((found[0] > 0) & (found[0] < 1)).all()


def test_scores_are_the_sigmoid_of_the_logit(
    stored: Path, data: TrainingData, initial: State, spec: NetworkSpec
) -> None:
    network = Scorer(initial, spec).network
    with torch.no_grad():
        images = torch.from_numpy(data.images[:16].copy()).permute(0, 3, 1, 2).float()
        expected = 1 / (1 + np.exp(-network(images)[0].numpy()))
    np.testing.assert_allclose(load(stored)(data.images[:16]), expected, rtol=1e-4)


def test_nothing_to_score_is_no_fault(stored: Path, data: TrainingData) -> None:
    assert load(stored)(data.images[:0]).shape == (0,)


def test_what_is_not_ours_is_refused(
    stored: Path, initial: State, tmp_path: Path, data: TrainingData, spec: NetworkSpec
) -> None:
    with pytest.raises(AssetError, match=r"sha256 is .*, expected 00"):
        load(stored, "00" * 32)
    with pytest.raises(AssetError, match="no such file"):
        load(tmp_path / "absent.safetensors")
    save_weights(tmp_path / "plain.safetensors", initial, {})
    with pytest.raises(AssetError, match="names no network"):
        load(tmp_path / "plain.safetensors")
    with pytest.raises(AssetError, match="classifier weights for efficientnet_b0: weights of"):
        Scorer(initial, NetworkSpec("efficientnet_b0", 32))
    with pytest.raises(ValueError, match=r"takes uint8 \[N, 32, 32, 3\]"):
        load(stored)(data.images[:, :16])
