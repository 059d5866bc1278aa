"""Data that cannot train a model are refused, all faults at once and by item."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from eifer.errors import DesignError, InputError
from eifer.models.data import TrainingData, epoch_batches, steps_per_epoch
from eifer.models.spec import NetworkSpec, Recipe


def test_good_data_pass(data: TrainingData, spec: NetworkSpec, recipe: Recipe) -> None:
    data.check("t", spec, recipe)
    assert data.positive_weight() == 1.0
    assert replace(data, labels=np.where(np.arange(96) % 4 == 0, 1, 0)).positive_weight() == 3.0


def test_every_faulty_item_is_named(data: TrainingData, spec: NetworkSpec, recipe: Recipe) -> None:
    labels, estimates = data.labels.copy(), data.estimates.copy()
    labels[3], estimates[5], estimates[7] = 2, np.nan, 1.5
    with pytest.raises(InputError) as error:
        replace(data, labels=labels, estimates=estimates).check("pretrain_ei", spec, recipe)
    for part in ("pretrain_ei: 3 problems", *(data.items[i] for i in (3, 5, 7))):
        assert part in str(error.value)


def test_crops_of_another_size_and_short_arrays_are_refused(
    data: TrainingData, recipe: Recipe, spec: NetworkSpec
) -> None:
    with pytest.raises(InputError, match="crops are not uint8 64 x 64"):
        data.check("t", replace(spec, size_px=64), recipe)
    with pytest.raises(InputError, match="arrays of different lengths"):
        replace(data, labels=data.labels[:-1]).check("t", spec, recipe)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: {"validates": np.zeros(96, bool)}, "no participant is in validation"),
        (lambda d: {"validates": np.ones(96, bool)}, "no participant is in train"),
        (
            lambda d: {"labels": np.ones(96, np.int64)},
            r"train \(6 participants, 72 items\) has class 1",
        ),
        (
            lambda d: {"labels": np.where(d.validates, 0, d.labels)},
            r"t: validation \(2 participants, 24 items\) has class 0 only\. Change the seed",
        ),
        (lambda d: {"validates": np.arange(96) % 5 == 0}, "8 participants are in train and"),
    ],
)
def test_designs_that_cannot_work_are_refused(
    data: TrainingData,
    spec: NetworkSpec,
    recipe: Recipe,
    change: Callable[[TrainingData], dict[str, np.ndarray]],
    said: str,
) -> None:
    with pytest.raises(DesignError, match=said):
        replace(data, **change(data)).check("t", spec, recipe)


def test_an_epoch_shows_each_item_once_in_full_batches(data: TrainingData) -> None:
    batches = epoch_batches(data, 16, seed=1, epoch=0)
    assert [len(b) for b in batches] == [16] * 4 and steps_per_epoch(72, 16) == 4
    shown = np.concatenate(batches)
    assert len(set(shown.tolist())) == 64 and set(shown.tolist()) <= set(data.train.tolist())
    other = np.concatenate(epoch_batches(data, 16, seed=1, epoch=1))
    assert set(other.tolist()) != set(shown.tolist())  # the remainder is another one
    assert [len(b) for b in epoch_batches(data, 100, seed=1, epoch=0)] == [72]


def test_the_digest_is_of_the_content(
    data: TrainingData, make_data: Callable[..., TrainingData]
) -> None:
    assert make_data().digest == data.digest
    estimates = data.estimates.copy()
    estimates[0] += 1e-6
    assert replace(data, estimates=estimates).digest != data.digest


def test_what_is_chosen_is_known_without_torch() -> None:
    code = "import sys, eifer.models.spec, eifer.models.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
