"""Batches for Lightning: crops gathered as uint8, moved and augmented where training runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from eifer.seeding import generator
from eifer.training.checkpoint import Progress
from eifer.training.data import Rows, TrainingData, epoch_batches, steps_per_epoch
from eifer.training.description import Description
from eifer.training.spec import Hardware

VALIDATION_BATCH = 64
"""Fixed, because the last bits of outputs can follow the size of a batch."""


@dataclass(frozen=True)
class Batch:
    """One device's part of a batch: float images ``[n, 3, S, S]`` in 0..255, targets by head."""

    images: Tensor
    targets: Mapping[str, Tensor]


@dataclass(frozen=True)
class Wanted:
    """Which rows make a batch, before any of it is on a device. ``step`` is None in validation."""

    rows: Rows
    epoch: int
    step: int | None


class Store:
    """All crops and targets: on the device, or on the host where they are too large for it."""

    def __init__(self, data: TrainingData, device: torch.device, hold: str) -> None:
        self.device = device
        self.place = device if _held(data.images.nbytes, device, hold) else torch.device("cpu")
        self.images = torch.from_numpy(data.images).to(self.place)
        self.targets = {
            name: torch.tensor(values, dtype=torch.float32, device=device)
            for name, values in data.targets.items()
        }

    def take(self, rows: Rows) -> Batch:
        """The rows' images and targets, on the device."""
        chosen = torch.from_numpy(rows)
        if self.place == self.device:
            here = chosen.to(self.device)
            images = self.images[here]
        else:
            # Pinned, so that the copy runs while the device still computes the batch before.
            images = self.images[chosen].pin_memory().to(self.device, non_blocking=True)
            here = chosen.to(self.device)
        # Only the view turns: in memory the channels stay innermost (channels_last).
        images = images.permute(0, 3, 1, 2).to(torch.float32)
        return Batch(images, {name: values[here] for name, values in self.targets.items()})


class Batches(pl.LightningDataModule):
    """Batches of ``data`` for one training, each epoch in an order that its number decides.

    With several devices each takes every ``devices``-th row of the same batches, and draws the
    whole batch's augmentation before taking its part: what is seen does not depend on them.
    """

    def __init__(
        self,
        data: TrainingData,
        description: Description,
        progress: Progress,
        *,
        seed: int,
        hardware: Hardware,
    ) -> None:
        super().__init__()
        self.data, self.description, self.progress = data, description, progress
        self.seed, self.hardware = seed, hardware
        self.store: Store | None = None

    def train_dataloader(self) -> Loader:
        """Training batches of whichever epoch is under way."""
        steps = steps_per_epoch(len(self.data.train), self.description.batch)
        return Loader(self._train_batches, steps)

    def val_dataloader(self) -> Loader:
        """Give this device's part of the validation rows, as long as any other's."""
        return Loader(self._validation_batches, len(self._validation_batches()))

    def _train_batches(self) -> list[Wanted]:
        epoch = self.progress.epoch
        rows = epoch_batches(self.data, self.description, seed=self.seed, epoch=epoch)
        return [Wanted(chosen, epoch, step) for step, chosen in enumerate(rows)]

    def _validation_batches(self) -> list[Wanted]:
        rows, devices = self.data.validation, self.hardware.devices
        length = math.ceil(len(rows) / devices)
        # Row i x devices + rank; a part that is one short begins again with a row of its own.
        own = np.resize(rows[self.rank :: devices], length)
        cuts = range(VALIDATION_BATCH, length, VALIDATION_BATCH)
        return [Wanted(part, self.progress.epoch, None) for part in np.split(own, list(cuts))]

    @property
    def rank(self) -> int:
        """Which of the devices this process serves."""
        return int(self.trainer.global_rank) if self.trainer else 0

    def part(self, n: int) -> slice:
        """Slice this device's part out of a training batch of ``n``.

        All parts are equal, so that the mean of the devices' gradients is the batch's.
        """
        return slice(self.rank, n - n % self.hardware.devices, self.hardware.devices)

    def transfer_batch_to_device(
        self, batch: Wanted, device: torch.device, dataloader_idx: int
    ) -> tuple[Wanted, Batch]:
        """Gather the rows where the crops are held."""
        del dataloader_idx
        if self.store is None:
            self.store = Store(self.data, device, self.hardware.hold)
        rows = batch.rows if batch.step is None else batch.rows[self.part(len(batch.rows))]
        return batch, self.store.take(rows)

    def on_after_batch_transfer(self, batch: tuple[Wanted, Batch], dataloader_idx: int) -> Batch:
        """Augment training images, here because bfloat16 is not yet in force."""
        del dataloader_idx
        wanted, taken = batch
        if wanted.step is None:
            return taken
        n, part = len(wanted.rows), self.part(len(wanted.rows))
        names = (*self.description.seeds, "augmentation", wanted.epoch, wanted.step)
        rng, images, targets = generator(self.seed, *names), taken.images, taken.targets
        for change in self.description.augmentation:
            draws = {name: values[part] for name, values in change.draw(n, rng).items()}
            images, targets = change(images, targets, draws)
        return Batch(images, targets)


class Loader:
    """Batches listed anew for each pass (a plain list means several loaders to Lightning)."""

    def __init__(self, batches: Callable[[], list[Wanted]], length: int) -> None:
        self.batches, self.length = batches, length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Wanted]:
        return iter(self.batches())


def _held(n_bytes: int, device: torch.device, hold: str) -> bool:
    """Whether the crops lie on the device itself."""
    if device.type == "cpu" or hold == "device":
        return True
    if hold == "host":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return n_bytes <= free // 2
