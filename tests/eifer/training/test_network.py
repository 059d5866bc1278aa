"""The network, what it starts from, and its loss by hand."""

from __future__ import annotations

import math

import pytest
import timm
import torch

from eifer.affect.estimator import HEAD
from eifer.errors import AssetError
from eifer.models.spec import HEADS
from eifer.training import network as networks
from eifer.training.backbones import backbone_card
from eifer.training.losses import CrossEntropy, Mse, WeightedBce
from eifer.training.network import Network
from eifer.training.spec import NetworkSpec
from tests.planted import SPEC

State = dict[str, torch.Tensor]


def start_from(spec: NetworkSpec, state: State, *, carried: bool, seed: int = 1) -> Network:
    return networks.start_from(
        spec,
        HEADS,
        state,
        carried=carried,
        seed=lambda name: seed,
        origin="data/w",
    )


def test_only_the_backbone_is_carried_and_heads_are_the_seed_s(initial: State) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, again, other = (start_from(SPEC, initial, carried=False, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one.backbone.conv_stem.weight, initial["backbone.conv_stem.weight"])
    assert torch.equal(one.classifier.weight, again.classifier.weight)
    assert torch.equal(one.regressor.weight, again.regressor.weight)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)
    assert not torch.equal(one.classifier.weight, initial["classifier.weight"])


def test_heads_can_be_carried(initial: State) -> None:
    network = start_from(SPEC, initial, carried=True)
    assert torch.equal(network.regressor.weight, initial["regressor.weight"])
    affect = Network(SPEC, [HEAD]).state_dict()
    new = start_from(SPEC, affect, carried=False, seed=1)
    carried = start_from(SPEC, affect, carried=True)
    assert torch.equal(new.classifier.weight, carried.classifier.weight)


def test_affect_weights_and_timm_files_are_starts() -> None:
    affect = Network(SPEC, [HEAD]).state_dict()
    network = start_from(SPEC, affect, carried=False, seed=1)
    assert torch.equal(network.backbone.conv_stem.weight, affect["backbone.conv_stem.weight"])
    imagenet = timm.create_model(SPEC.backbone, pretrained=False).state_dict()
    network = start_from(SPEC, imagenet, carried=False, seed=1)
    assert torch.equal(network.backbone.conv_stem.weight, imagenet["conv_stem.weight"])


def test_weights_of_another_architecture_are_refused(initial: State) -> None:
    other = backbone_card("resnet50").at(32)
    with pytest.raises(AssetError, match=r"data/w, as the backbone resnet50: weights of another"):
        start_from(other, initial, carried=False)


def test_loss_by_hand() -> None:
    logits, values = torch.tensor([0.0, 2.0]), torch.tensor([0.5, -0.5])
    bce = WeightedBce(3.0)(logits, torch.tensor([0.0, 1.0]))
    mse = Mse()(values, torch.tensor([0.0, 0.5]))
    assert float(bce) == pytest.approx((math.log(2) + 3 * math.log1p(math.exp(-2))) / 2)
    assert float(mse) == pytest.approx((0.25 + 1) / 2)


def test_cross_entropy_by_hand_of_mixed_labels_each_with_its_own_weight() -> None:
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.5, 0.5, 0.0]])
    shares = torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.2, 0.8]])
    weights = (2.0, 0.5, 3.0)
    expected = 0.0
    for row, share in zip(logits.tolist(), shares.tolist(), strict=True):
        total = math.log(sum(map(math.exp, row)))
        expected += sum(s * w * (total - z) for s, w, z in zip(share, weights, row, strict=True))
    # The mean is over images: Keras multiplies a sample's loss and divides by their number.
    assert float(CrossEntropy(weights)(logits, shares)) == pytest.approx(expected / 2, rel=1e-6)
    plain = float(CrossEntropy((1.0, 1.0, 1.0))(logits, shares))
    assert float(CrossEntropy()(logits, shares)) == pytest.approx(plain, rel=1e-6)
    smooth = 0.9 * shares + 0.1 / 3
    assert float(CrossEntropy(smoothing=0.1)(logits, shares)) == pytest.approx(
        float(CrossEntropy()(logits, smooth)), rel=1e-6
    )
