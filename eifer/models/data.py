"""What a model is trained and validated on: crops in memory, labels, estimates, two partitions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from eifer.errors import DesignError, InputError, Problem
from eifer.models.spec import NetworkSpec, Recipe
from eifer.seeding import generator

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class TrainingData:
    """N items, each in the training or the validation partition.

    ``items`` and ``participants`` are texts ``[N]``, ``images`` the crops, RGB uint8
    ``[N, S, S, 3]``, ``labels`` 0 or 1 ``[N]``, ``estimates`` float32 ``[N]`` in [-1, 1],
    ``validates`` bool ``[N]``. The order of items is part of the data: batches follow it.
    """

    items: NDArray[np.str_]
    participants: NDArray[np.str_]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    estimates: NDArray[np.float32]
    validates: NDArray[np.bool_]

    @cached_property
    def train(self) -> Rows:
        """The rows to learn from."""
        return np.flatnonzero(~self.validates)

    @cached_property
    def validation(self) -> Rows:
        """The rows that choose epoch and threshold."""
        return np.flatnonzero(self.validates)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything in it."""
        digest = hashlib.sha256()
        for texts in (self.items, self.participants):
            digest.update("\n".join(texts.tolist()).encode())
        for values in (self.images, self.labels, self.estimates, self.validates):
            digest.update(f"{values.dtype} {values.shape}".encode())
            digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()

    def positive_weight(self) -> float:
        """n_neg / n_pos of the training partition, the weight of class 1 in BCE."""
        positive = int(self.labels[self.train].sum())
        return (len(self.train) - positive) / positive

    def check(self, subject: str, spec: NetworkSpec, recipe: Recipe) -> None:
        """Refuse data that cannot train and validate a model.

        Raises
        ------
        InputError
            If arrays do not fit each other or the network, or a value is not what it should be:
            everything that is wrong, with items.
        DesignError
            If a partition has no participant, shares one with the other, has one class only, or
            there are too few items to train on.
        """
        problems = list(self._faults(spec))
        if problems:
            raise InputError(subject, problems)
        wrong = list(self._gaps(recipe))
        if wrong:
            raise DesignError(
                f"{subject}: {'; '.join(wrong)}. Change the seed or the shares of split, or add "
                "participants to the group."
            )

    def _faults(self, spec: NetworkSpec) -> list[Problem]:
        n, side = len(self.items), spec.size_px
        lengths = [len(self.participants), len(self.labels), len(self.estimates)]
        if {*lengths, len(self.validates), len(self.images)} != {n}:
            where = f"{n} items, {len(self.images)} crops, {lengths} of the rest"
            return [Problem("arrays of different lengths", where, "give one row an item")]
        problems = []
        if self.images.shape[1:] != (side, side, 3) or self.images.dtype != np.uint8:
            problems.append(
                Problem(
                    f"crops are not uint8 {side} x {side} x 3",
                    f"{self.images.dtype} {self.images.shape}",
                    "study.crop.size_px must be that of the stored crops: repeat select",
                )
            )
        for what, bad, remedy in (
            ("label other than 0 or 1", ~np.isin(self.labels, (0, 1)), "repeat intake and split"),
            (
                "estimate that is no number in [-1, 1]",
                ~(np.abs(self.estimates) <= 1),
                "repeat estimate, select and split",
            ),
        ):
            problems += [Problem(what, str(item), remedy) for item in self.items[bad]]
        return problems

    def _gaps(self, recipe: Recipe) -> list[str]:
        wrong = []
        parts = {"train": self.train, "validation": self.validation}
        for name, rows in parts.items():
            people = len(set(self.participants[rows].tolist()))
            positive = int(self.labels[rows].sum())
            if not people:
                wrong.append(f"no participant is in {name}")
            elif positive in (0, len(rows)):
                only = int(positive > 0)
                wrong.append(
                    f"{name} ({people} participants, {len(rows)} items) has class {only} only"
                )
        shared = {*self.participants[self.train]} & {*self.participants[self.validation]}
        if shared:
            wrong.append(f"{len(shared)} participants are in train and validation")
        if 0 < len(self.train) < 2:
            wrong.append("one item cannot be trained on")
        if recipe.batch < 2:
            wrong.append(f"batches of {recipe.batch} leave nothing to normalise over")
        return wrong


def steps_per_epoch(n_train: int, batch: int) -> int:
    """Batches of an epoch. What is left over after the last full one waits for another epoch.

    A smaller last batch would give its images a larger say, and a batch of one has no variance
    to normalise by.
    """
    return max(1, n_train // batch)


def epoch_batches(data: TrainingData, batch: int, *, seed: int, epoch: int) -> list[Rows]:
    """The rows of each batch of training epoch ``epoch`` (from 0), in an order of its own."""
    order = generator(seed, "order", epoch).permutation(data.train)
    n = steps_per_epoch(len(order), batch)
    return [order[i * batch : (i + 1) * batch] for i in range(n)]
