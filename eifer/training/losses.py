"""What heads learn: a loss each, and which targets it can learn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Targets = NDArray[Any]


class Loss(ABC):
    """A mean over a batch, and the targets it takes: a regression's, unless it says."""

    name: ClassVar[str]
    range: ClassVar[str] = "a number in [-1, 1]"

    @abstractmethod
    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss, differentiable; ``outputs`` are float32."""

    def outside(self, targets: Targets) -> NDArray[np.bool_]:
        """Which targets, ``[N]`` or ``[N, K]``, are not what ``range`` says: ``[N]``."""
        largest = np.abs(targets.reshape(len(targets), -1)).max(axis=1)
        return np.asarray(~(largest <= 1))


@dataclass(frozen=True)
class Mse(Loss):
    """Mean squared error."""

    name = "mse"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of outputs and targets of one shape."""
        return nn.functional.mse_loss(outputs, targets)


@dataclass(frozen=True)
class MseAndCcc(Loss):
    """MSE + ``weight`` x (1 - CCC), the CCC per batch and averaged over the columns."""

    weight: float
    name = "mse_ccc"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of ``[N, K]`` outputs and targets."""
        mse = nn.functional.mse_loss(outputs, targets)
        centred, wanted = outputs - outputs.mean(0), targets - targets.mean(0)
        apart = (centred**2 + wanted**2).mean(0) + (outputs.mean(0) - targets.mean(0)) ** 2
        # The small number keeps the gradient finite when a batch's targets are all the same.
        ccc = 2 * (centred * wanted).mean(0) / (apart + 1e-8)
        return mse + self.weight * (1 - ccc.mean())


@dataclass(frozen=True)
class WeightedBce(Loss):
    """BCE of a logit, with class 1 weighted."""

    positive_weight: float
    name = "bce"
    range = "0 or 1"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of logits and labels ``[N]``."""
        weight = torch.tensor(self.positive_weight, dtype=torch.float32, device=outputs.device)
        return nn.functional.binary_cross_entropy_with_logits(outputs, targets, pos_weight=weight)

    def outside(self, targets: Targets) -> NDArray[np.bool_]:
        """Labels that are neither."""
        return ~np.isin(targets, (0, 1))


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Cross entropy of K logits; targets are shares ``[N, K]``, so that they can be mixed.

    ``weights`` are the classes': each share of a target counts by its own class's, and the mean is
    over images (not over weights). ``smoothing`` spreads that part of a target over all classes.
    """

    weights: tuple[float, ...] | None = None
    smoothing: float = 0.0
    name = "cross_entropy"
    range = "shares that sum to 1"

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of logits and shares ``[N, K]``."""
        weights = None if self.weights is None else outputs.new_tensor(self.weights)
        return nn.functional.cross_entropy(
            outputs, targets, weights, label_smoothing=self.smoothing
        )

    def outside(self, targets: Targets) -> NDArray[np.bool_]:
        """Rows that are no distribution."""
        shares = np.asarray(targets, np.float64)
        return ~((shares >= 0).all(axis=1) & (np.abs(shares.sum(axis=1) - 1) < 1e-5))
