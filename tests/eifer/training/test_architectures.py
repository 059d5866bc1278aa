"""Our own layers: numbers of parameters, Keras's habits, what they see and start from."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import nn

from eifer.errors import AssetError
from eifer.training.augmentation import LUMA
from eifer.training.network import Network, start_from
from eifer.training.spec import Head, LayeredSpec

HEAD = Head("expression", 7)
KERAS_EFFICIENTNET_B0 = 4_049_571
KERAS_MOBILENETV2 = 2_257_984
NORMALISATION = 7
"""What Keras counts of its layer that normalises pictures in EfficientNet: 3 means, 3 variances, 1
number of pictures. timm has no such layer."""


def spec(**own: Any) -> LayeredSpec:
    given: dict[str, Any] = {
        "backbone": "cnn48",
        "size_px": 48,
        "mean": (0.0, 0.0, 0.0),
        "std": (1.0, 1.0, 1.0),
        "top": "cnn48",
        "colours": "grey",
        "width": 1,
        "dropout": 0.25,
        "block_dropout": 0.25,
        "norm_momentum": 0.01,
    }
    return LayeredSpec(**{**given, **own})


def on(backbone: str, top: str, size_px: int = 224) -> LayeredSpec:
    return spec(backbone=backbone, top=top, size_px=size_px, colours="rgb", block_dropout=0)


def counted(chosen: LayeredSpec) -> tuple[int, int]:
    """All parameters as Keras counts them, and the running statistics among them."""
    with torch.device("meta"):
        network = Network(chosen, [HEAD])
    statistics = sum(
        m.num_features * 2
        for m in network.modules()
        if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)
    )
    return sum(p.numel() for p in network.parameters()) + statistics, statistics


def test_cnn48_has_the_published_numbers_of_parameters() -> None:
    assert counted(spec()) == (4_478_727, 3_968)
    assert counted(spec(colours="grey_in_3")) == (4_479_879, 3_968)
    assert counted(spec(colours="rgb")) == (4_479_879, 3_968)


def test_width_scales_filters_and_dense_layers() -> None:
    # By hand: 16, 32, 128, 128 filters, 64 and 128 units.
    blocks = 9 * 16 + 16 + 25 * 16 * 32 + 32 + 9 * 32 * 128 + 128 + 9 * 128 * 128 + 128
    dense = 9 * 128 * 64 + 64 + 64 * 128 + 128 + 128 * 7 + 7
    normalised = 16 + 32 + 128 + 128 + 64 + 128
    assert counted(spec(width=0.25)) == (blocks + dense + 4 * normalised, 2 * normalised)


def test_the_frozen_networks_have_them_but_for_what_timm_has_not() -> None:
    for name, theirs, beside in (
        ("tf_efficientnet_b0", KERAS_EFFICIENTNET_B0, NORMALISATION),
        ("mobilenetv2_100", KERAS_MOBILENETV2, 0),
    ):
        whole, _ = counted(on(name, "flat"))
        assert whole - (theirs - beside) == 16_194_823
        published = {"tf_efficientnet_b0": 20_244_394, "mobilenetv2_100": 18_452_807}[name]
        assert whole == published - beside


def test_the_attention_network_has_them_but_for_what_timm_has_not() -> None:
    found = counted(on("tf_efficientnet_b0", "attention"))
    assert found == (6_483_370 - NORMALISATION, 44_583 - NORMALISATION)


@pytest.mark.parametrize(
    "chosen", [spec(), on("tf_efficientnet_b0", "attention", 64)], ids=["cnn48", "attention"]
)
def test_normalisation_is_keras_s(chosen: LayeredSpec) -> None:
    network = Network(chosen, [HEAD])
    found = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert found
    assert {(m.eps, m.momentum) for m in found} == {(1e-3, 0.01)}
    # Keras: moving = .99 moving + .01 batch.
    layer = found[-1].train()
    layer(torch.stack([torch.full((layer.num_features,), v) for v in (1.0, 3.0)]))
    assert layer.running_mean is not None
    assert torch.allclose(layer.running_mean, torch.tensor(0.02))


def test_weights_are_drawn_as_glorot_does_and_biases_are_0() -> None:
    torch.manual_seed(0)
    network = Network(spec(), [HEAD])
    layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert len(layers) == 7
    for layer in layers:
        weight = layer.weight.detach()
        area = weight[0, 0].numel()
        bound = (6 / (area * (weight.shape[0] + weight.shape[1]))) ** 0.5
        assert 0.98 * bound < float(weight.abs().max()) <= bound
        assert float(weight.std()) == pytest.approx(bound / 3**0.5, rel=0.06)
        assert layer.bias is not None and not layer.bias.any()


def test_grey_is_seen_where_it_is_asked_for() -> None:
    torch.manual_seed(0)
    coloured = torch.randint(0, 256, (4, 3, 48, 48)).float()
    grey = (coloured * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    as_grey = grey.expand(-1, 3, -1, -1).contiguous()
    for colours in ("grey", "grey_in_3", "rgb"):
        network = Network(spec(colours=colours, width=0.25), [HEAD]).eval()
        differ = (network(coloured)["expression"] - network(as_grey)["expression"]).abs().max()
        assert (float(differ.detach()) < 1e-4) == (colours != "rgb")


def test_values_are_what_the_spec_says() -> None:
    seen: list[torch.Tensor] = []
    picture = torch.full((2, 3, 48, 48), 255.0)
    for std, wanted in ((1.0, 1.0), (1 / 255, 255.0)):
        network = Network(spec(std=(std,) * 3, width=0.25), [HEAD]).eval()
        network.backbone.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        network(picture)
        torch.testing.assert_close(seen[-1], torch.full_like(picture, wanted))


@pytest.mark.parametrize("top", ["flat", "attention"])
def test_a_timm_file_starts_what_lies_under_our_layers(top: str) -> None:
    chosen = on("mobilenetv2_100", top, 32)
    torch.manual_seed(0)
    theirs = timm.create_model("mobilenetv2_100", pretrained=False).state_dict()

    def started(seed: int, state: dict[str, torch.Tensor] | None) -> Network:
        return start_from(
            chosen, [HEAD], state, carried=True, seed=lambda _: seed, origin="data/imagenet"
        )

    one, again, other = started(1, theirs), started(1, theirs), started(2, theirs)
    for name, tensor in one.backbone.base.state_dict().items():
        assert torch.equal(tensor, theirs[name]), name
    assert torch.equal(one.expression.weight, again.expression.weight)
    assert not torch.equal(one.expression.weight, other.expression.weight)
    bound = (6 / (7 + one.expression.in_features)) ** 0.5
    assert 0.9 * bound < float(one.expression.weight.detach().abs().max()) <= bound
    # A whole network of ours goes on with all its layers.
    whole = started(3, other.state_dict()).state_dict()
    assert all(torch.equal(tensor, whole[name]) for name, tensor in other.state_dict().items())
    with pytest.raises(AssetError, match="data/imagenet, as the backbone mobilenetv2_100"):
        started(1, {n: t for n, t in theirs.items() if "conv_stem" not in n})


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"top": "flat"}, "cnn48 has no layers 'flat'"),
        ({"backbone": "mobilenetv2_100"}, "mobilenetv2_100 has no layers 'cnn48'"),
        ({"backbone": "mobilenetv2_100", "top": "flat", "width": 0.5}, "only cnn48 has a width"),
        (
            {"backbone": "mobilenetv2_100", "top": "flat", "block_dropout": 0},
            "takes 3 channels; give grey_in_3",
        ),
    ],
)
def test_what_the_layers_do_not_have_is_refused(own: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        spec(**own)
