"""One training as Lightning runs it: phases over one network, of which one epoch is kept."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from eifer.errors import DesignError, examples
from eifer.seeding import sub_seed
from eifer.training.batches import Batch
from eifer.training.checkpoint import Curve, Progress
from eifer.training.data import TrainingData, epoch_batches, steps_per_epoch
from eifer.training.description import Description, Outputs, Phase
from eifer.training.network import Network
from eifer.training.spec import Hardware

OnEpoch = Callable[[Curve], None]
"""Called after every epoch, when it is safe in the checkpoint, with its row of the curves."""

REMEDY = "Lower the learning rates, or look at these crops."


class Learner(pl.LightningModule):
    """The network with its losses, learning rates and bookkeeping; see `Description`.

    `begin` sets the phase; a Trainer then runs that phase's remaining epochs. After each
    epoch ``progress`` holds all that is needed to go on, ``save`` writes it, and ``on_epoch``
    is told.

    A loss that is no number stops the training: on a CPU at that step, on a GPU at the end of the
    epoch, since to look at a loss is to wait for the device.
    """

    def __init__(
        self,
        network: Network,
        data: TrainingData,
        description: Description,
        progress: Progress,
        *,
        subject: str,
        seed: int,
        hardware: Hardware,
        save: Callable[[Progress], None],
        on_epoch: OnEpoch | None,
    ) -> None:
        super().__init__()
        self.network = network
        # In a list, or Lightning would count a compiled network's weights a second time.
        self.run = [torch.compile(network) if hardware.compile else network]
        self.data, self.description, self.progress = data, description, progress
        self.subject, self.seed = subject, seed
        self.save, self.on_epoch = save, on_epoch
        self.steps = steps_per_epoch(len(data.train), description.batch)
        self.phase, self.phase_start = description.phases[0], 0
        self.watched: list[Tensor] = []
        self.outputs: list[dict[str, Tensor]] = []

    def begin(self, phase: Phase, start: int) -> None:
        """Set the phase that the next fit runs; it begins after epoch ``start`` of all."""
        self.phase, self.phase_start = phase, start
        self.network.requires_grad_(False)
        for module in self._learning():
            module.requires_grad_(True)

    def _learning(self) -> Iterable[nn.Module]:
        return [self.network.get_submodule(m) for part in self.phase.parts for m in part.modules]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW with a group a part of the phase; a new one each phase."""
        modules = [map(self.network.get_submodule, part.modules) for part in self.phase.parts]
        groups = [{"params": [p for m in part for p in m.parameters()]} for part in modules]
        # Fused is seven times faster on a CPU, where a step is a dozen small tensors' loops;
        # Lightning does not clip its gradients under autocast.
        fused = self.description.fused and self.device.type == "cpu"
        optimizer = torch.optim.AdamW(
            groups,
            eps=self.description.eps,
            weight_decay=self.description.weight_decay,
            fused=fused,
        )
        if self.progress.epoch > self.phase_start:
            optimizer.load_state_dict(self.progress.optimizer)
        return optimizer

    def rates(self, step: int) -> dict[str, float]:
        """The learning rate of each part at step ``step`` of the phase."""
        rows = self.progress.curves[self.phase_start : self.phase_start + step // self.steps]
        losses = [float(row["validation_loss"]) for row in rows]
        return {part.name: part.rate(step, self.steps, losses) for part in self.phase.parts}

    def on_train_epoch_start(self) -> None:
        """Seed what the backbone itself draws (dropout), and keep a frozen one's statistics."""
        names = (*self.description.seeds, "network", self.progress.epoch, self.global_rank)
        torch.manual_seed(sub_seed(self.seed, *names))
        self.network.eval()
        for module in self._learning():
            module.train()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the learning rates of this step."""
        del batch
        step = (self.progress.epoch - self.phase_start) * self.steps + batch_idx
        groups = self.trainer.optimizers[0].param_groups
        for group, rate in zip(groups, self.rates(step).values(), strict=True):
            group["lr"] = rate

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch, to be minimised."""
        outputs = self.run[0](batch.images)
        loss, parts = self._losses(outputs, batch.targets)
        if self.device.type == "cpu" and not loss.isfinite():
            raise self._infinite(batch_idx, float(loss.detach()))
        spreads = [spread(outputs[head.name]) for head in self.description.heads]
        self.watched.append(torch.cat([torch.stack([loss, *parts]).detach(), *spreads]))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Give every device the first one's normalisation statistics, which are the ones kept."""
        if self.trainer.world_size > 1:
            for buffer in self.network.buffers():
                torch.distributed.broadcast(buffer, 0)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep a batch's outputs until all are there."""
        del batch_idx
        outputs = self.run[0](batch.images)
        self.outputs.append({name: values.float() for name, values in outputs.items()})

    def on_validation_epoch_end(self) -> None:
        """Judge the epoch, keep it if it is the best, and add its row to the curves."""
        heads = self.description.heads
        watched = torch.stack(self.watched)
        if self.trainer.world_size > 1:
            watched = self.all_gather(watched).mean(0)
        watched = watched.double().cpu()
        train, spreads = watched[:, : len(heads) + 1], watched[:, len(heads) + 1 :]
        outputs = {h.name: self._whole([part[h.name] for part in self.outputs]) for h in heads}
        self.watched.clear()
        self.outputs.clear()
        self._refuse_infinite(train, outputs)
        self._refuse_constant(outputs, spreads)

        rows, progress = self.data.validation, self.progress
        targets = {h.name: torch.from_numpy(self.data.targets[h.name][rows]).float() for h in heads}
        whole, parts = self._losses(outputs, targets)
        merit, metrics = self.description.merit(outputs, targets, float(whole))
        if not all(map(math.isfinite, merit)):
            raise DesignError(
                f"{self.subject}: epoch {progress.epoch + 1}: the merit is {merit}. {REMEDY}"
            )
        names = ["loss", *(objective.loss.name for objective in self.description.objectives)]
        row: Curve = {"epoch": progress.epoch + 1, "phase": self.phase.name}
        row |= {f"train_{n}": v for n, v in zip(names, train.mean(0).tolist(), strict=True)}
        row |= {f"validation_{n}": float(v) for n, v in zip(names, [whole, *parts], strict=True)}
        row |= {f"validation_{name}": value for name, value in metrics.items()}
        rates = self.rates((progress.epoch - self.phase_start + 1) * self.steps - 1)
        for part in dict.fromkeys(p.name for f in self.description.phases for p in f.parts):
            row[f"{part}_learning_rate"] = rates.get(part, 0.0)
        progress.curves.append(row)
        may = self.phase in self.description.phases[self.description.keeps_from :]
        better = self.description.keep == "last" or merit > progress.kept_merit
        if may and better:
            progress.kept_epoch, progress.kept_merit = progress.epoch + 1, merit
            progress.kept_network, progress.kept_outputs = self._weights(), outputs

    def on_train_epoch_end(self) -> None:
        """Write where training stands, then tell whoever wants to know."""
        self.progress.epoch += 1
        ended = finished(self.progress, self.description)
        self.trainer.should_stop |= ended
        if self.global_rank:
            return
        # A finished training is asked for its kept weights only.
        self.progress.network = {} if ended else self._weights()
        self.progress.optimizer = {} if ended else self.trainer.optimizers[0].state_dict()
        self.save(self.progress)
        if self.on_epoch:
            self.on_epoch(self.progress.curves[-1])

    def _losses(self, outputs: Outputs, targets: Outputs) -> tuple[Tensor, list[Tensor]]:
        """The whole loss, and each head's."""
        weighted, parts = [], []
        for objective in self.description.objectives:
            name = objective.head.name
            parts.append(objective.loss(outputs[name].float(), targets[name]))
            weighted.append(objective.weight * parts[-1])
        return torch.stack(weighted).sum(), parts

    def _weights(self) -> dict[str, Tensor]:
        return {name: t.detach().cpu().clone() for name, t in self.network.state_dict().items()}

    def _whole(self, parts: list[Tensor]) -> Tensor:
        """Every validation row's output, in order, on the host."""
        own = torch.cat(parts)
        if self.trainer.world_size == 1:
            return own.cpu()
        every = self.all_gather(own).cpu()  # [devices, rows of each, ...]
        return every.transpose(0, 1).flatten(0, 1)[: len(self.data.validation)]

    def _refuse_infinite(self, train: Tensor, outputs: Outputs) -> None:
        bad = (~train.isfinite().all(1)).nonzero().flatten().tolist()
        if bad:
            raise self._infinite(bad[0], float(train[bad[0], 0]))
        n = len(self.data.validation)
        lost = torch.stack([~v.view(n, -1).isfinite().all(1) for v in outputs.values()]).any(0)
        if lost.any():
            items = list(itertools.compress(self.data.items[self.data.validation], lost.tolist()))
            raise DesignError(
                f"{self.subject}: epoch {self.progress.epoch + 1}: the outputs for {len(items)} "
                f"validation items ({examples(items)}) are not finite. {REMEDY}"
            )

    def _refuse_constant(self, outputs: Outputs, spreads: Tensor) -> None:
        """Stop where an output is the same for all images, in training too.

        At first the running averages of a normalisation may saturate the validated ones.
        """
        validated = torch.cat([spread(outputs[head.name]) for head in self.description.heads])
        dead = (validated == 0) & (spreads == 0).all(0)
        if len(self.data.validation) > 1 and dead.any():
            names = [
                f"{head.name}[{i}]" if head.outputs > 1 else head.name
                for head in self.description.heads
                for i in range(head.outputs)
            ]
            raise DesignError(
                f"{self.subject}: in epoch {self.progress.epoch + 1} of {self.description.epochs} "
                f"the network gives all images the same "
                f"{' and '.join(itertools.compress(names, dead.tolist()))}. {LEARNS_NOTHING}"
            )

    def _infinite(self, step: int, loss: float) -> DesignError:
        epoch = self.progress.epoch
        of_epoch = epoch_batches(self.data, self.description, seed=self.seed, epoch=epoch)
        items = self.data.items[np.sort(of_epoch[step])].tolist()
        return DesignError(
            f"{self.subject}: epoch {epoch + 1}, batch {step + 1} of {self.steps}: the loss is "
            f"{loss} on {len(items)} items ({examples(items)}). {REMEDY}"
        )


LEARNS_NOTHING = (
    "Its outputs are dead or saturated, and images could not be told apart by them. "
    "Lower the learning rates (learning_rate), or train on other images."
)


def spread(outputs: Tensor) -> Tensor:
    """Largest less smallest output, of each column."""
    columns = outputs.detach().view(len(outputs), -1).float()
    return columns.amax(0) - columns.amin(0)


def finished(progress: Progress, description: Description) -> bool:
    """Whether all epochs are done, or none of the last few was better than the kept one."""
    waited = progress.kept_epoch and progress.epoch - progress.kept_epoch
    early = description.patience is not None and waited >= description.patience
    return progress.epoch == description.epochs or early
