"""How fast estimates are made, against the network alone: `python -m benchmarks.estimate`.

The network alone gets batches that are already normalised floats; the estimator gets
crops one at a time, as a decoder gives them, and returns them rounded and with their frames.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from eifer.affect.estimator import HEAD, Estimator
from eifer.training.backbones import backbone_card
from eifer.training.inference import as_input
from eifer.training.network import Network

ENOUGH = 0.9


def seconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="test_efficientnet")
    parser.add_argument("--size-px", type=int, default=64)
    parser.add_argument("--crops", type=int, default=2048)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()

    torch.set_num_threads(given.threads)
    spec = backbone_card(given.backbone).at(given.size_px)
    estimator = Estimator(
        Network(spec, [HEAD]).state_dict(), spec, device=given.device, batch=given.batch
    )
    side = spec.size_px
    crops = np.random.default_rng(0).integers(0, 256, (given.crops, side, side, 3), np.uint8)
    network, device = estimator.network, estimator.device
    batches = [
        torch.addcmul(network.shift, as_input(part, device), network.scale)
        for part in np.array_split(crops, -(-given.crops // estimator.batch))
    ]

    @torch.inference_mode()
    def bare() -> None:
        done = [
            torch.tanh(network.get_submodule("head")(network.backbone(images)))
            for images in batches
        ]
        torch.cat(done).cpu()

    def ours() -> None:
        estimator.estimate_stream(enumerate(crops))

    bare()
    ours()
    # In turns, so that whatever else the machine does slows both alike.
    pairs = [(seconds(bare), seconds(ours)) for _ in range(given.rounds)]
    bare_s, ours_s = (float(np.median(times)) for times in zip(*pairs, strict=True))
    ratio = float(np.median([alone / whole for alone, whole in pairs]))
    print(f"estimate: {spec.backbone}, {side} px, {given.crops} crops, {given.device}")
    print(f"  network alone {given.crops / bare_s:8.0f} crops/s")
    print(f"  estimator     {given.crops / ours_s:8.0f} crops/s")
    print(f"  ratio {ratio:.3f} (at least {ENOUGH}: {'yes' if ratio >= ENOUGH else 'NO'})")


if __name__ == "__main__":
    main()
