"""Training one repetition of one model: two phases, resumable, the same bytes every time."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eifer import metrics
from eifer.affect.estimator import takes_bfloat16, usable_device
from eifer.affect.reproducible import quietly, reproducibly, trainer
from eifer.affect.weights import State
from eifer.errors import DesignError, StudyError
from eifer.models.backbones import backbone_card
from eifer.models.batches import Batches
from eifer.models.checkpoint import (
    Curve,
    Progress,
    fingerprint,
    read_checkpoint,
    state_digest,
    write_checkpoint,
)
from eifer.models.data import TrainingData
from eifer.models.learner import Learner, OnEpoch
from eifer.models.network import start_from
from eifer.models.spec import Hardware, Heads, NetworkSpec, Recipe
from eifer.models.threshold import best_threshold


@dataclass(frozen=True)
class Trained:
    """What one repetition leaves.

    ``state`` is the network at ``kept_epoch`` (from 1), ``curves`` a row an epoch,
    ``threshold`` the one searched on validation, ``validation`` the metrics there
    (`eifer.metrics.binary`).
    """

    state: State
    curves: list[Curve]
    kept_epoch: int
    threshold: float
    validation: dict[str, float]


def train_repetition(
    data: TrainingData,
    initial_state: Mapping[str, Tensor],
    spec: NetworkSpec,
    recipe: Recipe,
    *,
    seed: int,
    heads: Heads,
    subject: str = "training",
    origin: str = "initial weights",
    hardware: Hardware | None = None,
    checkpoint: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """Train from ``initial_state``, keep the best epoch, choose the threshold.

    On one kind of CPU the same arguments give the same weights to the bit, whatever ran
    before, however many cores there are (a CPU trains in one thread, since sums over a batch
    depend on how it is shared out), and whether or not it was stopped on the way. Global state
    is put back.

    Parameters
    ----------
    initial_state
        Weights to start from: see `eifer.models.network.start_from`.
    seed
        The repetition's: its sub-seeds draw the heads, the order of items and the augmentation.
    subject, origin
        What errors call this training and its initial weights.
    hardware
        What it may use; by default one CPU. With several devices it runs in as many new
        processes, to which ``on_epoch`` must be picklable.
    checkpoint
        A file to write after every epoch, and to go on from if it is of this very training
        (data, weights, recipe, seed, code, hardware). The finished training stays in it, so that
        it is not done twice; whoever has put the result in a safe place deletes the file.
    on_epoch
        Called after each epoch, once its checkpoint is written, with its row of the curves.

    Raises
    ------
    InputError, DesignError
        If data or recipe cannot train a model, or the loss is no longer a number.
    AssetError
        If the backbone is not registered, the weights are another architecture's, or the
        device is not there.
    StudyError
        If the checkpoint cannot be written.
    """
    hardware = hardware or Hardware()
    backbone_card(spec.backbone)
    data.check(subject, spec, recipe)
    _check_recipe(subject, recipe, data, hardware)
    task = _Task(
        data, dict(initial_state), spec, recipe, seed, heads, origin, hardware, checkpoint, on_epoch
    )
    progress = _in_processes(task) if hardware.devices > 1 else _fit(task)
    return _judged(progress, data, recipe)


@dataclass(frozen=True)
class _Task:
    data: TrainingData
    initial: State
    spec: NetworkSpec
    recipe: Recipe
    seed: int
    heads: Heads
    origin: str
    hardware: Hardware
    checkpoint: Path | None
    on_epoch: OnEpoch | None

    def mark(self) -> str:
        """The fingerprint of everything that the result depends on."""
        machine = asdict(replace(self.hardware, hold="auto"))
        return fingerprint(
            {
                "data": self.data.digest,
                "initial": state_digest(self.initial),
                "network": asdict(self.spec),
                "recipe": asdict(self.recipe),
                "seed": self.seed,
                "heads": self.heads,
                "hardware": machine,
            }
        )


def _fit(task: _Task) -> Progress:
    """Run both phases, or what is left of them, in this process."""
    path, recipe = task.checkpoint, task.recipe
    mark = task.mark() if path else ""
    progress = (path and read_checkpoint(path, mark)) or Progress()
    total = sum(phase.epochs for _, phase in recipe.phases())
    if progress.epoch == total:
        return progress
    cpu = usable_device(task.hardware.device).type == "cpu"
    with reproducibly(one_thread=cpu), quietly(), tempfile.TemporaryDirectory() as scratch:
        network = start_from(
            task.spec, task.initial, heads=task.heads, seed=task.seed, origin=task.origin
        )
        if progress.network:
            network.load_state_dict(progress.network)
        learner = Learner(
            network,
            task.data,
            recipe,
            progress,
            seed=task.seed,
            hardware=task.hardware,
            save=lambda now: write_checkpoint(path, now, mark) if path else None,
            on_epoch=task.on_epoch,
        )
        batches = Batches(task.data, recipe, progress, seed=task.seed, hardware=task.hardware)
        end = 0
        for name, phase in recipe.phases():
            start, end = end, end + phase.epochs
            if progress.epoch < end:
                learner.begin(name, phase, start)
                lightning = _trainer(end - progress.epoch, recipe, task.hardware, scratch)
                lightning.fit(learner, batches)
    return progress


def _trainer(epochs: int, recipe: Recipe, hardware: Hardware, scratch: str) -> Any:
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
        gradient_clip_val=recipe.gradient_clip,
        # A CPU in one thread repeats itself without torch's slower deterministic mode.
        deterministic=hardware.deterministic and not cpu,
        benchmark=not cpu and not hardware.deterministic,
        default_root_dir=scratch,
    )


def _judged(progress: Progress, data: TrainingData, recipe: Recipe) -> Trained:
    labels = data.labels[data.validation]
    scores = torch.sigmoid(progress.kept_logits).numpy()
    threshold = best_threshold(labels, scores, recipe.thresholds)
    return Trained(
        state=progress.kept_network,
        curves=progress.curves,
        kept_epoch=progress.kept_epoch,
        threshold=threshold,
        validation=metrics.binary(labels, scores, threshold),
    )


def _check_recipe(subject: str, recipe: Recipe, data: TrainingData, hardware: Hardware) -> None:
    if hardware.devices > 1 and min(recipe.batch, len(data.train)) < hardware.devices:
        raise DesignError(
            f"{subject}: a batch of {min(recipe.batch, len(data.train))} cannot be shared among "
            f"{hardware.devices} devices; use fewer."
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
            said = sorted(scratch.glob("error-*.txt"))
            if said:
                raise DesignError(said[0].read_text(encoding="utf-8")) from error
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
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
