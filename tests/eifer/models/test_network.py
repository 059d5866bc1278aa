"""The network, what it starts from, and its loss by hand."""

from __future__ import annotations

import math

import pytest
import timm
import torch

from eifer.affect.estimator import AffectNetwork
from eifer.affect.spec import AffectSpec
from eifer.errors import AssetError
from eifer.models.network import TwoHeads, losses, start_from
from eifer.models.spec import NetworkSpec

State = dict[str, torch.Tensor]


def test_normalisation_is_inside(spec: NetworkSpec, initial: State) -> None:
    network = TwoHeads(spec).eval()
    network.load_state_dict(initial)
    images = torch.randint(0, 256, (2, 3, 32, 32)).float()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normal = (images / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    features = network.backbone(normal)
    expected = network.classifier(features)[:, 0], network.regressor(features)[:, 0]
    for found, wanted in zip(network(images), expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_only_the_backbone_is_carried_and_heads_are_the_seed_s(
    spec: NetworkSpec, initial: State
) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, again, other = (
        start_from(spec, initial, heads="new", seed=seed, origin="w") for seed in (1, 1, 2)
    )
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one.backbone.conv_stem.weight, initial["backbone.conv_stem.weight"])
    assert torch.equal(one.classifier.weight, again.classifier.weight)
    assert torch.equal(one.regressor.weight, again.regressor.weight)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)
    assert not torch.equal(one.classifier.weight, initial["classifier.weight"])


def test_heads_can_be_carried(spec: NetworkSpec, initial: State) -> None:
    network = start_from(spec, initial, heads="carried", seed=1, origin="w")
    assert torch.equal(network.regressor.weight, initial["regressor.weight"])
    affect = AffectNetwork(AffectSpec(spec.backbone, 32, (0.5,) * 3, (0.5,) * 3)).state_dict()
    new = start_from(spec, affect, heads="new", seed=1, origin="w")
    carried = start_from(spec, affect, heads="carried", seed=1, origin="w")
    assert torch.equal(new.classifier.weight, carried.classifier.weight)


def test_affect_weights_and_timm_files_are_starts(spec: NetworkSpec) -> None:
    affect = AffectNetwork(AffectSpec(spec.backbone, 32, (0.5,) * 3, (0.5,) * 3)).state_dict()
    network = start_from(spec, affect, heads="new", seed=1, origin="affect")
    assert torch.equal(network.backbone.conv_stem.weight, affect["backbone.conv_stem.weight"])
    imagenet = timm.create_model(spec.backbone, pretrained=False).state_dict()
    network = start_from(spec, imagenet, heads="new", seed=1, origin="imagenet")
    assert torch.equal(network.backbone.conv_stem.weight, imagenet["conv_stem.weight"])


def test_weights_of_another_architecture_are_refused(initial: State) -> None:
    other = NetworkSpec("resnet50", 32)
    with pytest.raises(AssetError, match=r"data/w, as the backbone resnet50: weights of another"):
        start_from(other, initial, heads="new", seed=1, origin="data/w")


def test_loss_by_hand() -> None:
    logits, values = torch.tensor([0.0, 2.0]), torch.tensor([0.5, -0.5])
    bce, mse = losses(
        (logits, values),
        torch.tensor([0.0, 1.0]),
        torch.tensor([0.0, 0.5]),
        pos_weight=torch.tensor(3.0),
    )
    assert float(bce) == pytest.approx((math.log(2) + 3 * math.log1p(math.exp(-2))) / 2)
    assert float(mse) == pytest.approx((0.25 + 1) / 2)
