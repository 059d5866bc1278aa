"""Training a network by its description: resumable, the same bytes every time."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eifer.errors import DesignError, StudyError
from eifer.seeding import sub_seed
from eifer.training.batches import Batches
from eifer.training.checkpoint import (
    Progress,
    fingerprint,
    read_checkpoint,
    state_digest,
    write_checkpoint,
)
from eifer.training.data import TrainingData
from eifer.training.description import Description
from eifer.training.inference import takes_bfloat16, usable_device
from eifer.training.learner import Learner, OnEpoch, finished
from eifer.training.network import start_from
from eifer.training.reproducible import quietly, reproducibly, trainer
from eifer.training.spec import Hardware
from eifer.training.weights import State


def train(
    data: TrainingData,
    description: Description,
    *,
    seed: int,
    initial: Mapping[str, Tensor] | None = None,
    carried: bool = False,
    subject: str = "training",
    origin: str = "initial weights",
    remedy: str = "",
    hardware: Hardware | None = None,
    checkpoint: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> Progress:
    """Train, and keep the best epoch.

    On one kind of CPU the same arguments give the same weights to the bit, whatever ran
    before, however many cores there are (a CPU trains in one thread, since sums over a batch
    depend on how it is shared out), and whether or not it was stopped on the way. Global state
    is put back.

    Parameters
    ----------
    seed
        Its sub-seeds draw the network, the order of items and the augmentation.
    initial, carried
        Weights to start from, and whether its heads are kept: see `network.start_from`.
    subject, origin, remedy
        What errors call this training and its initial weights, and what to do about the data.
    hardware
        What it may use; by default one CPU. With several devices it runs in as many new
        processes, to which ``on_epoch`` must be picklable.
    checkpoint
        A file to write after every epoch, and to go on from if it is of this very training
        (data, weights, description, seed, code, hardware). The finished training stays in it, so
        that it is not done twice; whoever has put the result in a safe place deletes the file.
    on_epoch
        Called after each epoch, once its checkpoint is written, with its row of the curves.

    Returns
    -------
    Progress
        Of the finished training: its curves, the kept epoch, and that epoch's weights and
        outputs for the validation items.

    Raises
    ------
    InputError, DesignError
        If data or description cannot train a network, the loss is no longer a number, or the
        network gives all images one output.
    AssetError
        If the backbone is unknown, the weights are another architecture's, or the device is not
        there.
    StudyError
        If the checkpoint cannot be written.
    """
    hardware = hardware or Hardware()
    data.check(subject, description, remedy)
    if hardware.devices > 1 and min(description.batch, len(data.train)) < hardware.devices:
        raise DesignError(
            f"{subject}: a batch of {min(description.batch, len(data.train))} cannot be shared "
            f"among {hardware.devices} devices; use fewer."
        )
    state = dict(initial) if initial is not None else None
    task = _Task(
        data, description, seed, state, carried, subject, origin, hardware, checkpoint, on_epoch
    )
    return _in_processes(task) if hardware.devices > 1 else _fit(task)


@dataclass(frozen=True)
class _Task:
    data: TrainingData
    description: Description
    seed: int
    initial: State | None
    carried: bool
    subject: str
    origin: str
    hardware: Hardware
    checkpoint: Path | None
    on_epoch: OnEpoch | None

    def mark(self) -> str:
        """The fingerprint of everything that the result depends on."""
        return fingerprint(
            {
                "data": self.data.digest,
                "initial": self.initial and state_digest(self.initial),
                "description": repr(self.description),
                "seed": self.seed,
                "carried": self.carried,
                "hardware": asdict(replace(self.hardware, hold="auto")),
            }
        )


def _fit(task: _Task) -> Progress:
    """Run all phases, or what is left of them, in this process."""
    path, description = task.checkpoint, task.description
    mark = task.mark() if path else ""
    progress = (path and read_checkpoint(path, mark)) or Progress()
    if finished(progress, description):
        return progress
    cpu = usable_device(task.hardware.device).type == "cpu"
    with reproducibly(one_thread=cpu), quietly(), tempfile.TemporaryDirectory() as scratch:
        network = start_from(
            description.network,
            description.heads,
            task.initial,
            carried=task.carried,
            seed=partial(sub_seed, task.seed, *description.seeds),
            origin=task.origin,
        )
        if progress.network:
            network.load_state_dict(progress.network)
        learner = Learner(
            network,
            task.data,
            description,
            progress,
            subject=task.subject,
            seed=task.seed,
            hardware=task.hardware,
            save=lambda now: write_checkpoint(path, now, mark) if path else None,
            on_epoch=task.on_epoch,
        )
        batches = Batches(task.data, description, progress, seed=task.seed, hardware=task.hardware)
        end = 0
        for phase in description.phases:
            start, end = end, end + phase.epochs
            if progress.epoch < end:
                learner.begin(phase, start)
                left = end - progress.epoch
                _trainer(left, description, task.hardware, scratch).fit(learner, batches)
    return progress


def _trainer(epochs: int, description: Description, hardware: Hardware, scratch: str) -> Any:
    device = torch.device(hardware.device)
    cpu, several = device.type == "cpu", hardware.devices > 1
    return trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=hardware.devices if several or cpu else [device.index or 0],
        strategy="ddp" if several else "auto",
        sync_batchnorm=several and not cpu,
        use_distributed_sampler=False,
        precision="bf16-mixed" if takes_bfloat16(device, hardware.precision) else "32-true",
        max_epochs=epochs,
        gradient_clip_val=description.gradient_clip,
        # A CPU in one thread repeats itself without torch's slower deterministic mode.
        deterministic=hardware.deterministic and not cpu,
        benchmark=not cpu and not hardware.deterministic,
        default_root_dir=scratch,
    )


# Several devices ------------------------------------------------------------------------------
#
# Lightning's own launcher would start the calling program once more for each device, with all
# that a stage does before and after. Here each device gets a process that only trains; "ddp"
# finds them there, because LOCAL_RANK is set.


def _in_processes(task: _Task) -> Progress:
    import torch.multiprocessing as mp

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        # A file is shared by the processes; arrays in arguments would be copied to each.
        try:
            np.save(scratch / "images.npy", task.data.images)
        except OSError as error:
            raise StudyError(
                f"training: the crops that its processes share cannot be written to {scratch} "
                f"({error}). Make room, or name another folder in TMPDIR, and run again."
            ) from error
        light = replace(task.data, images=np.empty(0, np.uint8))
        try:
            mp.spawn(
                _one_of_several,
                args=(replace(task, data=light), scratch, _free_port()),
                nprocs=task.hardware.devices,
            )
        except (mp.ProcessRaisedException, mp.ProcessExitedException) as error:
            errors = sorted(scratch.glob("error-*.txt"))
            if errors:
                raise DesignError(errors[0].read_text(encoding="utf-8")) from error
            raise
        progress = read_checkpoint(scratch / "progress.pt", "")
    if progress is None:
        raise StudyError("training: its processes left no result; is the disk full?")
    return progress


def _one_of_several(rank: int, task: _Task, scratch: Path, port: int) -> None:
    os.environ |= {
        "LOCAL_RANK": str(rank),
        "NODE_RANK": "0",
        "WORLD_SIZE": str(task.hardware.devices),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    images = np.load(scratch / "images.npy", mmap_mode="c")
    try:
        progress = _fit(replace(task, data=replace(task.data, images=images)))
    except StudyError as error:
        (scratch / f"error-{rank}.txt").write_text(str(error), encoding="utf-8")
        raise
    if rank == 0:
        write_checkpoint(scratch / "progress.pt", progress, "")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
