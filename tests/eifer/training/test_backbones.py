"""Every registered backbone keeps the contract: adding one is adding its card."""

from __future__ import annotations

import pytest
import torch

from eifer.errors import AssetError
from eifer.models.spec import HEADS
from eifer.training.backbones import BACKBONES, backbone_card, build_backbone
from eifer.training.network import Network

PROTOCOL = {"tf_efficientnetv2_l", "resnet50", "vgg16", "efficientnet_b0"}


def test_the_protocol_s_backbones_are_registered() -> None:
    assert set(BACKBONES) >= PROTOCOL


@pytest.mark.parametrize("name", BACKBONES)
def test_card_is_complete(name: str) -> None:
    card = backbone_card(name)
    assert card.name == name
    assert card.source and card.licence
    assert all(0 < value < 1 for value in (*card.mean, *card.std))


@pytest.mark.parametrize("name", BACKBONES)
def test_pooled_features_have_the_width_that_the_heads_get(name: str) -> None:
    """On the meta device: shapes only, so that 117 million weights cost nothing."""
    card = backbone_card(name)
    with torch.device("meta"):
        module, width = build_backbone(card.at(224))
        features = module.eval()(torch.empty(2, 3, 224, 224))
    assert features.shape == (2, width)


@pytest.mark.parametrize("name", ["test_efficientnet"])
def test_small_ones_run(name: str) -> None:
    network = Network(backbone_card(name).at(64), HEADS).eval()
    for outputs in network(torch.full((3, 3, 64, 64), 128.0)).values():
        assert outputs.shape == (3,) and outputs.isfinite().all()


def test_unknown_names_get_the_nearest_known_one() -> None:
    with pytest.raises(AssetError, match=r"did you mean 'resnet50'.*Known: tf_efficientnetv2_l"):
        backbone_card("resnet-50")
    with pytest.raises(AssetError, match=r"'zzz' is registered\. Known"):
        backbone_card("zzz")
