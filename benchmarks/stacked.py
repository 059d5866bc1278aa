"""Several small models in one step against one after another: `python -m benchmarks.stacked`.

Four networks of the demo, each with a batch of its own: gradients by `torch.func.vmap` over their
stacked weights, and by four plain backward passes. One thread, as trainings on a CPU have it;
processor time, so that what else the machine does is not the question.
"""

from __future__ import annotations

import copy
import warnings
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from benchmarks._measured import cpu_s, show
from eifer.models.spec import HEADS, LABEL
from eifer.training.backbones import backbone_card
from eifer.training.network import Network

MODELS, BATCH, ROUNDS = 4, 32, 7


def network() -> Network:
    """The demo's, normalised by its batch alone: vmap cannot keep running statistics."""
    made = Network(backbone_card("test_efficientnet").at(64), HEADS).train()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None
    return made


def loss(outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    return nn.functional.binary_cross_entropy_with_logits(outputs[LABEL.name], labels)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.filterwarnings("ignore", "There is a performance drop")
    networks = [network() for _ in range(MODELS)]
    images = torch.randint(0, 256, (MODELS, BATCH, 3, 64, 64)).float()
    labels = torch.randint(0, 2, (MODELS, BATCH)).float()
    weights, buffers = stack_module_state(networks)
    bare = copy.deepcopy(networks[0]).to("meta")

    def of_one(weights: Any, buffers: Any, images: Tensor, labels: Tensor) -> Tensor:
        return loss(functional_call(bare, (weights, buffers), (images,)), labels)

    stacked = vmap(grad(of_one), randomness="different")

    def together() -> None:
        stacked(weights, buffers, images, labels)

    def in_turn() -> None:
        for one, own, wanted in zip(networks, images, labels, strict=True):
            one.zero_grad()
            loss(one(own.contiguous(memory_format=torch.channels_last)), wanted).backward()

    rounds = [(cpu_s(together), cpu_s(in_turn)) for _ in range(ROUNDS + 1)][1:]
    ratio = median(a / b for a, b in rounds)
    show(
        [
            (f"a step of {MODELS} models, stacked", median(a for a, _ in rounds), "s"),
            ("the same, one after another", median(b for _, b in rounds), "s"),
            ("stacked against one after another", ratio, "times as long"),
        ]
    )


if __name__ == "__main__":
    main()
