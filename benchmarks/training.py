"""A training epoch against a bare loop: `python -m benchmarks.training`.

The loop does the same work without a framework: crops of one array, gathered, augmented, both
losses, clipping, AdamW, then validation. Its epochs alternate with ours, so that whatever
else the machine does slows both alike. Ours also judges the epoch and keeps the best weights.
"""

from __future__ import annotations

import argparse
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import torch

from eifer.faces.stored import mapped_crops
from eifer.models.spec import HEADS, Phase, Recipe, Thresholds
from eifer.models.training import classifier_description, train_repetition
from eifer.training.augmentation import Photometric
from eifer.training.backbones import backbone_card
from eifer.training.batches import VALIDATION_BATCH
from eifer.training.data import TrainingData, epoch_batches
from eifer.training.description import Description
from eifer.training.network import Network
from eifer.training.spec import Hardware, Photometry, Rate

ENOUGH = 0.9
DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()
AUGMENTATION = Photometry(0.5, (0.8, 1.2), (0.1, 1.5))
CHUNK = 512


def data(crops: int, side: int, mapped: bool) -> TrainingData:
    """Noise of the demo's form, a fifth of it for validation."""
    rng = np.random.default_rng(0)
    labels = np.arange(crops) % 2
    person = np.arange(crops) // 2 % 10
    images = mapped_crops(crops, side, Path()) if mapped else np.empty((crops, side, side, 3), "u1")
    for start in range(0, crops, CHUNK):
        part = images[start : start + CHUNK]
        part[:] = rng.integers(0, 256, part.shape, np.uint8)
    return TrainingData(
        items=np.array([f"item-{i}" for i in range(crops)]),
        people=np.array([f"sub-{p}" for p in person]),
        images=images,
        targets={
            "classifier": labels.astype(np.int64),
            "regressor": rng.uniform(-1, 1, crops).astype(np.float32),
        },
        validates=person >= 8,
    )


class Bare:
    """The loop by hand."""

    def __init__(self, given: TrainingData, description: Description, device: str) -> None:
        self.given, self.description, self.device = given, description, torch.device(device)
        self.network = Network(description.network, description.heads).to(self.device)
        fused = self.device.type == "cpu"
        self.optimizer = torch.optim.AdamW(self.network.parameters(), 1e-4, fused=fused)
        self.images = torch.from_numpy(given.images).to(self.device)
        self.targets = {
            name: torch.from_numpy(values).float().to(self.device)
            for name, values in given.targets.items()
        }

    def take(self, rows: torch.Tensor) -> torch.Tensor:
        """Float crops of some rows."""
        return self.images[rows].permute(0, 3, 1, 2).float()

    def epoch(self, number: int) -> float:
        """Seconds of one epoch."""
        start = time.perf_counter()
        rng, change = np.random.default_rng(number), Photometric(AUGMENTATION)
        self.network.train()
        for batch in epoch_batches(self.given, self.description, seed=1, epoch=number):
            rows = torch.from_numpy(batch).to(self.device)
            images, _ = change(self.take(rows), {}, change.draw(len(batch), rng))
            outputs = self.network(images)
            self.optimizer.zero_grad()
            loss = torch.tensor(0.0, device=self.device)
            for objective in self.description.objectives:
                name = objective.head.name
                part = objective.loss(outputs[name], self.targets[name][rows])
                loss = loss + objective.weight * part
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
        self.network.eval()
        with torch.no_grad():
            rows = torch.from_numpy(self.given.validation).to(self.device)
            parts = rows.split(VALIDATION_BATCH)
            torch.cat([self.network(self.take(part))["classifier"] for part in parts]).cpu()
        return time.perf_counter() - start


class Busy:
    """The GPU's busy share while something runs, as its driver counts it."""

    def __init__(self) -> None:
        self.samples: list[float] = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        ask = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not self.ended.wait(0.5):
            said = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.split()
            self.samples += [float(said[0])] if said else []

    def share(self) -> float:
        """Per cent of the time; NaN where the driver did not say."""
        self.ended.set()
        self.thread.join()
        return float(np.mean(self.samples)) if self.samples else float("nan")


def private_gib() -> float:
    """Memory that is this process's alone; pages of mapped files are the system's to drop."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="test_efficientnet")
    parser.add_argument("--size-px", type=int, default=64)
    parser.add_argument("--crops", type=int, default=2100)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--device", default=None, help="cpu and, where there is one, cuda")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--held", action="store_true", help="crops in memory, not in a mapped file")
    given = parser.parse_args()
    for device in [given.device] if given.device else DEVICES:
        measure(given, device)


def measure(given: argparse.Namespace, device: str) -> None:
    torch.set_num_threads(1)  # as training does on a CPU
    spec = backbone_card(given.backbone).at(given.size_px)
    crops = data(given.crops, given.size_px, mapped=not given.held)
    rate = Rate(0.0, 1e-4)
    recipe = Recipe(
        first=Phase(1, 0, rate, None),
        second=Phase(given.rounds + 1, 0, rate, rate),
        batch=given.batch,
        weight_decay=0.01,
        gradient_clip=1.0,
        regression_weight=0.4,
        epoch_threshold=0.5,
        thresholds=Thresholds(0.2, 0.8, 0.01),
        augmentation=AUGMENTATION,
    )
    bare = Bare(crops, classifier_description(spec, recipe, crops), device)
    pairs: list[tuple[float, float]] = []
    began = [time.perf_counter()]

    def alternate(row: dict[str, float | int | str]) -> None:
        ours = time.perf_counter() - began[0]
        pairs.append((bare.epoch(int(row["epoch"])), ours))
        began[0] = time.perf_counter()

    busy = Busy() if device == "cuda" else None
    train_repetition(
        crops,
        Network(spec, HEADS).state_dict(),
        spec,
        recipe,
        seed=1,
        heads="new",
        # The bare loop does not ask a GPU to repeat itself either.
        hardware=Hardware(device=device, deterministic=device == "cpu"),
        on_epoch=alternate,
    )
    # The first two epochs also start things up: the first phase, and the second's fit.
    kept = pairs[2:]
    bare_s, ours_s = (float(np.median(times)) for times in zip(*kept, strict=True))
    ratio = float(np.median([alone / whole for alone, whole in kept]))
    n = len(crops.train)
    print(f"training: {spec.backbone}, {spec.size_px} px, {n} crops an epoch, {device}")
    print(f"  bare loop {bare_s:7.2f} s an epoch, {n / bare_s:7.0f} crops/s")
    print(f"  eifer     {ours_s:7.2f} s an epoch, {n / ours_s:7.0f} crops/s")
    print(f"  memory of its own after training, network included: {private_gib():.2f} GiB")
    if busy:
        print(f"  GPU busy {busy.share():.0f} % of the time, both loops together")
    print(f"  ratio {ratio:.3f} (at least {ENOUGH}: {'yes' if ratio >= ENOUGH else 'NO'})")


if __name__ == "__main__":
    main()
