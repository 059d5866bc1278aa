"""One training as Lightning runs it: two phases over one network, the second's best epoch kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from eifer import metrics
from eifer.errors import DesignError, examples
from eifer.models.batches import Batch
from eifer.models.checkpoint import Curve, Progress
from eifer.models.data import TrainingData, epoch_batches, steps_per_epoch
from eifer.models.network import TwoHeads, losses
from eifer.models.schedule import rate_at
from eifer.models.spec import Hardware, Phase, PhaseName, Recipe
from eifer.seeding import sub_seed

OnEpoch = Callable[[Curve], None]
"""Called after every epoch, when it is safe in the checkpoint, with its row of the curves."""

REMEDY = "Lower the learning rates of its phase, or look at these crops."


class Learner(pl.LightningModule):
    """The network with its losses, learning rates and bookkeeping; see `Recipe` for the method.

    `begin` sets the phase; a Trainer then runs that phase's remaining epochs. After each
    epoch ``progress`` holds all that is needed to go on, ``save`` writes it, and ``on_epoch``
    is told.

    A loss that is no number stops the training: on a CPU at that step, on a GPU at the end of the
    epoch, since to look at a loss is to wait for the device.
    """

    def __init__(
        self,
        network: TwoHeads,
        data: TrainingData,
        recipe: Recipe,
        progress: Progress,
        *,
        seed: int,
        hardware: Hardware,
        save: Callable[[Progress], None],
        on_epoch: OnEpoch | None,
    ) -> None:
        super().__init__()
        self.network = network
        # In a list, or Lightning would count a compiled network's weights a second time.
        self.run = [torch.compile(network) if hardware.compile else network]
        self.data, self.recipe, self.progress = data, recipe, progress
        self.seed, self.hardware, self.save, self.on_epoch = seed, hardware, save, on_epoch
        self.steps = steps_per_epoch(len(data.train), recipe.batch)
        self.phase_name: PhaseName = "heads"
        self.phase: Phase = recipe.first
        self.phase_start = 0
        self.train_losses: list[Tensor] = []
        self.outputs: list[tuple[Tensor, Tensor]] = []
        self.positive_weight = torch.tensor(data.positive_weight(), dtype=torch.float32)

    def begin(self, name: PhaseName, phase: Phase, start: int) -> None:
        """Set the phase that the next fit runs; it begins after epoch ``start`` of all."""
        self.phase_name, self.phase, self.phase_start = name, phase, start
        self.network.backbone.requires_grad_(phase.backbone is not None)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW with the heads' rate and, where it learns, the backbone's; a new one each phase."""
        groups: list[dict[str, Any]] = [{"params": self.network.head_parameters()}]
        if self.phase.backbone is not None:
            groups.append({"params": list(self.network.backbone.parameters())})
        # Fused is seven times faster on a CPU, where a step is a dozen small tensors' loops;
        # Lightning does not clip its gradients under autocast.
        fused = self.device.type == "cpu"
        optimizer = torch.optim.AdamW(groups, weight_decay=self.recipe.weight_decay, fused=fused)
        if self.progress.epoch > self.phase_start:
            optimizer.load_state_dict(self.progress.optimizer)
        return optimizer

    def rates(self, step: int) -> list[float]:
        """The learning rates of step ``step`` of the phase, heads first."""
        wanted = [self.phase.heads, self.phase.backbone]
        return [rate_at(step, self.steps, self.phase, rate) for rate in wanted if rate]

    def on_train_epoch_start(self) -> None:
        """Seed what the backbone itself draws (dropout), and keep a frozen one's statistics."""
        torch.manual_seed(sub_seed(self.seed, "network", self.progress.epoch, self.global_rank))
        self.network.train()
        self.network.backbone.train(self.phase.backbone is not None)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the learning rates of this step."""
        del batch
        step = (self.progress.epoch - self.phase_start) * self.steps + batch_idx
        optimizer = self.trainer.optimizers[0]
        for group, rate in zip(optimizer.param_groups, self.rates(step), strict=True):
            group["lr"] = rate

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch, to be minimised."""
        bce, mse = self._losses(self.run[0](batch.images), batch.labels, batch.estimates)
        loss = bce + self.recipe.regression_weight * mse
        if self.device.type == "cpu" and not loss.isfinite():
            raise self._infinite(batch_idx, float(loss.detach()))
        self.train_losses.append(torch.stack([loss.detach(), bce.detach(), mse.detach()]))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Give every device the first one's normalisation statistics, which are the ones kept."""
        if self.trainer.world_size > 1:
            for buffer in self.network.buffers():
                torch.distributed.broadcast(buffer, 0)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep a batch's outputs until all are there."""
        del batch_idx
        logits, values = self.run[0](batch.images)
        self.outputs.append((logits.float(), values.float()))

    def on_validation_epoch_end(self) -> None:
        """Judge the epoch, keep it if it is the best, and add its row to the curves."""
        epoch = self.progress.epoch
        train = torch.stack(self.train_losses)
        if self.trainer.world_size > 1:
            train = self.all_gather(train).mean(0)
        train = train.double().cpu()
        logits, values = (self._whole(list(part)) for part in zip(*self.outputs, strict=True))
        self.train_losses.clear()
        self.outputs.clear()
        self._refuse_infinite(train, logits, values)

        rows = self.data.validation
        labels = torch.from_numpy(self.data.labels[rows]).float()
        bce, mse = self._losses(
            (logits, values), labels, torch.from_numpy(self.data.estimates[rows])
        )
        judged = metrics.binary(
            self.data.labels[rows], torch.sigmoid(logits).numpy(), self.recipe.epoch_threshold
        )
        rates = [*self.rates((epoch - self.phase_start + 1) * self.steps - 1), 0.0][:2]
        loss_, bce_, mse_ = train.mean(0).tolist()
        self.progress.curves.append(
            {
                "epoch": epoch + 1,
                "phase": self.phase_name,
                "train_loss": loss_,
                "train_bce": bce_,
                "train_mse": mse_,
                "validation_loss": float(bce + self.recipe.regression_weight * mse),
                "validation_bce": float(bce),
                "validation_mse": float(mse),
                "validation_macro_f1": judged["macro_f1"],
                "validation_roc_auc": judged["roc_auc"],
                "heads_learning_rate": rates[0],
                "backbone_learning_rate": rates[1],
            }
        )
        merit = (judged["macro_f1"], -float(bce + self.recipe.regression_weight * mse))
        # With a backbone that rested, what is handed on would be what came in.
        if self.phase_name == "all" and merit > self.progress.kept_merit:
            self.progress.kept_epoch = epoch + 1
            self.progress.kept_merit = merit
            self.progress.kept_network = self._weights()
            self.progress.kept_logits = logits

    def on_train_epoch_end(self) -> None:
        """Write where training stands, then tell whoever wants to know."""
        self.progress.epoch += 1
        if self.global_rank:
            return
        last = self.progress.epoch == self.recipe.first.epochs + self.recipe.second.epochs
        # A finished training is asked for its kept weights only.
        self.progress.network = {} if last else self._weights()
        self.progress.optimizer = {} if last else self.trainer.optimizers[0].state_dict()
        self.save(self.progress)
        if self.on_epoch:
            self.on_epoch(self.progress.curves[-1])

    def _losses(
        self, outputs: tuple[Tensor, Tensor], labels: Tensor, estimates: Tensor
    ) -> tuple[Tensor, Tensor]:
        weight = self.positive_weight.to(labels.device)
        return losses(outputs, labels, estimates, pos_weight=weight)

    def _weights(self) -> dict[str, Tensor]:
        return {name: t.detach().cpu().clone() for name, t in self.network.state_dict().items()}

    def _whole(self, parts: list[Tensor]) -> Tensor:
        """Every validation row's output, in order, on the host."""
        mine = torch.cat(parts)
        if self.trainer.world_size == 1:
            return mine.cpu()
        every = self.all_gather(mine).cpu()  # [devices, rows of each]
        return every.T.flatten()[: len(self.data.validation)]

    def _refuse_infinite(self, train: Tensor, logits: Tensor, values: Tensor) -> None:
        epoch = self.progress.epoch
        bad = (~train.isfinite().all(1)).nonzero().flatten().tolist()
        if bad:
            raise self._infinite(bad[0], float(train[bad[0], 0]))
        lost = ~(logits.isfinite() & values.isfinite())
        if lost.any():
            items = list(itertools.compress(self.data.items[self.data.validation], lost.tolist()))
            raise DesignError(
                f"training: epoch {epoch + 1}: the outputs for {len(items)} validation items "
                f"({examples(items)}) are not finite. {REMEDY}"
            )

    def _infinite(self, step: int, loss: float) -> DesignError:
        epoch = self.progress.epoch
        of_epoch = epoch_batches(self.data, self.recipe.batch, seed=self.seed, epoch=epoch)
        items = self.data.items[np.sort(of_epoch[step])].tolist()
        return DesignError(
            f"training: epoch {epoch + 1}, batch {step + 1} of {self.steps}: the loss is "
            f"{loss} on {len(items)} items ({examples(items)}). {REMEDY}"
        )
