"""What a network is trained and validated on: crops, targets by head, two partitions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eifer.errors import DesignError, InputError, Problem
from eifer.seeding import generator

if TYPE_CHECKING:  # it imports torch
    from eifer.training.description import Description

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class TrainingData:
    """N items, each in the training or the validation partition.

    ``items`` and ``people`` (whose face it is) are texts ``[N]``, ``images`` the crops, RGB
    uint8 ``[N, S, S, 3]``, best mapped (`eifer.faces.stored`), ``targets`` by the name of their
    head, each ``[N]`` or ``[N, K]``, ``validates`` bool ``[N]``. The order of items is
    part of the data: batches follow it.
    """

    items: NDArray[np.str_]
    people: NDArray[np.str_]
    images: NDArray[np.uint8]
    targets: Mapping[str, NDArray[Any]]
    validates: NDArray[np.bool_]

    @cached_property
    def train(self) -> Rows:
        """The rows to learn from."""
        return np.flatnonzero(~self.validates)

    @cached_property
    def validation(self) -> Rows:
        """The rows that choose the epoch."""
        return np.flatnonzero(self.validates)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything in it."""
        digest = hashlib.sha256()
        for texts in (self.items, self.people):
            digest.update("\n".join(texts.tolist()).encode())
        for values in (self.images, *self.targets.values(), self.validates):
            digest.update(f"{values.dtype} {values.shape}".encode())
            digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()

    def people_in(self, rows: Rows) -> int:
        """How many people these rows show."""
        return len(set(self.people[rows].tolist()))

    def check(self, subject: str, description: Description, remedy: str = "") -> None:
        """Refuse data that cannot train and validate a network.

        Raises
        ------
        InputError
            If arrays do not fit each other or the network, or a target is not what its loss
            takes: everything that is wrong, with items.
        DesignError
            If a partition is empty, shares a person with the other, has a target that does not
            vary, or there are too few items to train on; ``remedy`` says what to do.
        """
        problems = list(self._faults(description))
        if problems:
            raise InputError(subject, problems)
        wrong = list(self._gaps(description))
        if wrong:
            raise DesignError(f"{subject}: {'; '.join(wrong)}. {remedy}".strip())

    def _faults(self, description: Description) -> Iterator[Problem]:
        n, side = len(self.items), description.network.size_px
        lengths = [*map(len, (self.people, self.validates, *self.targets.values()))]
        if {*lengths, len(self.images)} != {n}:
            where = f"{n} items, {len(self.images)} crops, {lengths} of the rest"
            yield Problem("arrays of different lengths", where, "give one row an item")
            return
        if self.images.shape[1:] != (side, side, 3) or self.images.dtype != np.uint8:
            yield Problem(
                f"crops are not uint8 {side} x {side} x 3",
                f"{self.images.dtype} {self.images.shape}",
                "study.crop.size_px must be that of the stored crops: repeat select",
            )
        for objective in description.objectives:
            head, loss = objective.head, objective.loss
            targets = self.targets[head.name]
            if targets.shape != ((n, head.outputs) if head.outputs > 1 else (n,)):
                where = f"{targets.shape} for {n} items and {head.outputs} outputs"
                yield Problem(f"targets of {head.name} of another shape", where, "give as many")
                continue
            for item in self.items[loss.outside(targets)]:
                what = f"target of {head.name} that is not {loss.range}"
                yield Problem(what, str(item), "correct it where it was made")

    def _gaps(self, description: Description) -> Iterator[str]:
        for name, rows in (("train", self.train), ("validation", self.validation)):
            where = f"{name} ({self.people_in(rows)} people, {len(rows)} items)"
            if not len(rows):
                yield f"nobody is in {name}"
                continue
            for head in description.heads:
                columns = self.targets[head.name][rows].reshape(len(rows), -1)
                flat = columns[0, (columns == columns[0]).all(axis=0)].tolist()
                # Of several columns one may be constant: a class that nobody shows.
                if flat and (head.bounded or len(flat) == head.outputs):
                    yield f"{where} has one value of {head.name} only ({', '.join(map(str, flat))})"
        shared = {*self.people[self.train]} & {*self.people[self.validation]}
        if shared:
            yield f"{len(shared)} people are in train and validation"
        if len(self.train) == 1:
            yield "one item cannot be trained on"
        if description.batch < 2 or description.epochs < 1:
            yield (
                f"batch is {description.batch}, epochs {description.epochs}: it takes at least 2 "
                "images to normalise over, and 1 epoch"
            )


def steps_per_epoch(n_train: int, batch: int) -> int:
    """Batches of an epoch. What is left over after the last full one waits for another epoch.

    A smaller last batch would give its images a larger say, and a batch of one has no variance
    to normalise by.
    """
    return max(1, n_train // batch)


def epoch_batches(
    data: TrainingData, description: Description, *, seed: int, epoch: int
) -> list[Rows]:
    """The rows of each batch of training epoch ``epoch`` (from 0), in an order of its own."""
    order = generator(seed, *description.seeds, "order", epoch).permutation(data.train)
    batch, n = description.batch, steps_per_epoch(len(order), description.batch)
    rows = [order[i * batch : (i + 1) * batch] for i in range(n)]
    return [np.sort(chosen) for chosen in rows] if description.by_storage else rows
