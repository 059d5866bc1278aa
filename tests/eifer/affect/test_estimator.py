"""Estimates: the right network, the right order, the same numbers for every batch."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray

from eifer.affect.estimator import HEAD, Estimator
from eifer.errors import AssetError
from eifer.training.inference import usable_device
from eifer.training.network import Network
from eifer.training.weights import State
from tests.planted import SPEC


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(0)
    network = Network(SPEC, [HEAD])
    network.get_submodule("head").weight.data *= 5  # so that estimates spread
    return network.state_dict()


@pytest.fixture(scope="module")
def crops() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (70, 32, 32, 3), np.uint8)


def test_estimates_are_those_of_the_plain_timm_model(
    state: State, crops: NDArray[np.uint8]
) -> None:
    backbone = timm.create_model(SPEC.backbone, pretrained=False, num_classes=0).eval()
    prefix = "backbone."
    backbone.load_state_dict(
        {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
    )
    images = (torch.from_numpy(crops) / 255 - torch.tensor(SPEC.mean)) / torch.tensor(SPEC.std)
    with torch.no_grad():
        features = backbone(images.permute(0, 3, 1, 2))
        expected = torch.tanh(features @ state["head.weight"].T + state["head.bias"])
    found = Estimator(state, SPEC).estimate(crops)
    assert found.dtype == np.float32
    assert found.shape == (70, 2)
    assert found.std(axis=0).min() > 0.001
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-6)


@pytest.mark.parametrize("batch", [1, 7, 16, 33, 128])
def test_batch_size_changes_no_byte(state: State, crops: NDArray[np.uint8], batch: int) -> None:
    expected = Estimator(state, SPEC, batch=64).estimate(crops)
    assert Estimator(state, SPEC, batch=batch).estimate(crops).tobytes() == expected.tobytes()


def test_threads_and_neighbours_change_no_byte(state: State, crops: NDArray[np.uint8]) -> None:
    estimator = Estimator(state, SPEC)
    expected = estimator.estimate(crops)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert estimator.estimate(crops).tobytes() == expected.tobytes()
    finally:
        torch.set_num_threads(before)
    assert estimator.estimate(crops[5:9]).tobytes() == expected[5:9].tobytes()


def test_a_stream_is_consumed_a_batch_at_a_time_and_keeps_its_frames(
    state: State, crops: NDArray[np.uint8]
) -> None:
    asked: list[int] = []

    def stream() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        shared = np.empty_like(crops[0])  # a decoder may reuse its memory
        for i, crop in enumerate(crops):
            asked.append(i)
            shared[:] = crop
            yield 10 * i, shared

    estimator = Estimator(state, SPEC, batch=16)
    seen: list[int] = []
    forward = estimator._forward

    def counted(images: NDArray[np.uint8]) -> dict[str, torch.Tensor]:
        seen.append(len(asked))
        return forward(images)

    estimator._forward = counted  # type: ignore[method-assign]
    frames, found = estimator.estimate_stream(stream())
    assert frames.dtype == np.int64
    assert frames.tolist() == [10 * i for i in range(70)]
    assert found.tobytes() == Estimator(state, SPEC).estimate(crops).tobytes()
    assert seen == [16, 32, 48, 64, 70]


def test_no_frames_give_no_estimates(state: State) -> None:
    frames, found = Estimator(state, SPEC).estimate_stream([])
    assert (frames.shape, found.shape, found.dtype) == ((0,), (0, 2), np.float32)


@pytest.mark.parametrize(
    "crop", [np.zeros((33, 32, 3), np.uint8), np.zeros((32, 32, 3), np.float32)]
)
def test_crops_of_another_size_or_type_are_refused(state: State, crop: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"crop 4 .* takes uint8 \(32, 32, 3\)"):
        Estimator(state, SPEC).estimate_stream([(4, crop)])


def test_an_unknown_backbone_gets_a_hint() -> None:
    with pytest.raises(AssetError, match="did you mean 'tf_efficientnetv2_l'"):
        Network(replace(SPEC, backbone="tf_eficientnetv2_l"), [HEAD])


def test_weights_of_another_backbone_are_refused(state: State) -> None:
    with pytest.raises(AssetError, match=r"affect weights for test_resnet.*missing.*unexpected"):
        Estimator(state, replace(SPEC, backbone="test_resnet"))


@pytest.mark.parametrize("name", ["cuda:7", "nonsense"])
def test_an_absent_device_is_named(name: str) -> None:
    with pytest.raises(AssetError, match=name):
        usable_device(name)


def test_a_cpu_takes_float32_whatever_the_precision(state: State, crops: NDArray[np.uint8]) -> None:
    expected = Estimator(state, SPEC).estimate(crops)
    found = Estimator(state, SPEC, precision="bfloat16").estimate(crops)
    assert found.tobytes() == expected.tobytes()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_bfloat16_is_close_to_float32(state: State, crops: NDArray[np.uint8]) -> None:
    expected = Estimator(state, SPEC, device="cuda").estimate(crops)
    found = Estimator(state, SPEC, device="cuda", precision="bfloat16").estimate(crops)
    assert found.tobytes() != expected.tobytes()
    np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.parametrize(
    ("bias", "said"),
    [
        ([20.0, 0.0], "the same arousal:"),
        ([0.0, -20.0], "the same valence:"),
        ([20.0, 20.0], "the same arousal and valence:"),
    ],
)
def test_weights_that_say_nothing_are_refused(state: State, bias: list[float], said: str) -> None:
    saturated = {**state, "head.bias": torch.tensor(bias)}
    with pytest.raises(AssetError, match=f"weights w: the network gives every picture {said}"):
        Estimator(saturated, SPEC).refuse_constant("weights w")
    Estimator(state, SPEC).refuse_constant("weights w")


def test_a_whole_timm_model_of_two_classes_will_do(crops: NDArray[np.uint8]) -> None:
    torch.manual_seed(1)
    model = timm.create_model(SPEC.backbone, pretrained=False, num_classes=2).eval()
    images = (torch.from_numpy(crops) / 255 - torch.tensor(SPEC.mean)) / torch.tensor(SPEC.std)
    with torch.no_grad():
        expected = torch.tanh(model(images.permute(0, 3, 1, 2)))
    found = Estimator(model.state_dict(), SPEC).estimate(crops)
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-6)


@pytest.mark.parametrize("backbone", ["mobilenetv3_small_050", "test_vit", "test_mambaout"])
def test_backbones_of_other_kinds_fit(backbone: str) -> None:
    spec = replace(SPEC, backbone=backbone, size_px=160)
    found = Estimator(Network(spec, [HEAD]).state_dict(), spec).estimate(
        np.zeros((2, 160, 160, 3), np.uint8)
    )
    assert found.shape == (2, 2)
