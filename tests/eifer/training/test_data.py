"""Data that cannot train a model are refused, all faults at once and by item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eifer.errors import DesignError, InputError
from eifer.models.training import REMEDY, classifier_description, positive_weight
from eifer.training.data import TrainingData, epoch_batches, steps_per_epoch
from tests import planted


def check(data: TrainingData, px: int = planted.PX) -> None:
    spec = replace(planted.SPEC, size_px=px)
    data.check("t", classifier_description(spec, planted.RECIPE, data), REMEDY)


def given(data: TrainingData, **targets: Any) -> TrainingData:
    return replace(data, targets={**data.targets, **targets})


def test_good_data_pass(data: TrainingData) -> None:
    check(data)
    assert positive_weight(data) == 1.0
    assert positive_weight(given(data, classifier=(np.arange(96) % 4 == 0).astype(int))) == 3.0


def test_every_faulty_item_is_named(data: TrainingData) -> None:
    labels, estimates = data.targets["classifier"].copy(), data.targets["regressor"].copy()
    labels[3], estimates[5], estimates[7] = 2, np.nan, 1.5
    with pytest.raises(InputError) as error:
        check(given(data, classifier=labels, regressor=estimates))
    for part in ("t: 3 problems", *(data.items[i] for i in (3, 5, 7))):
        assert part in str(error.value)


def test_crops_of_another_size_and_short_arrays_are_refused(data: TrainingData) -> None:
    with pytest.raises(InputError, match="crops are not uint8 64 x 64"):
        check(data, px=64)
    with pytest.raises(InputError, match="arrays of different lengths"):
        check(given(data, classifier=data.targets["classifier"][:-1]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: {"validates": np.zeros(96, bool)}, "nobody is in validation"),
        (lambda d: {"validates": np.ones(96, bool)}, "nobody is in train"),
        (
            lambda d: {"targets": {**d.targets, "classifier": np.ones(96, np.int64)}},
            r"train \(6 people, 72 items\) has one value of classifier only \(1\)",
        ),
        (
            lambda d: {
                "targets": {
                    **d.targets,
                    "classifier": np.where(d.validates, 0, d.targets["classifier"]),
                }
            },
            r"t: validation \(2 people, 24 items\) has one value of .*\. Change the seed",
        ),
        (lambda d: {"validates": np.arange(96) % 5 == 0}, "8 people are in train and"),
    ],
)
def test_designs_that_cannot_work_are_refused(
    data: TrainingData, change: Callable[[TrainingData], dict[str, Any]], said: str
) -> None:
    with pytest.raises(DesignError, match=said):
        check(replace(data, **change(data)))


def test_an_epoch_shows_each_item_once_in_full_batches(data: TrainingData) -> None:
    description = classifier_description(planted.SPEC, planted.RECIPE, data)
    batches = epoch_batches(data, description, seed=1, epoch=0)
    assert [len(b) for b in batches] == [16] * 4 and steps_per_epoch(72, 16) == 4
    shown = np.concatenate(batches)
    assert len(set(shown.tolist())) == 64 and set(shown.tolist()) <= set(data.train.tolist())
    other = np.concatenate(epoch_batches(data, description, seed=1, epoch=1))
    assert set(other.tolist()) != set(shown.tolist())  # the remainder is another one
    whole = epoch_batches(data, replace(description, batch=100), seed=1, epoch=0)
    assert [len(b) for b in whole] == [72]
    stored = epoch_batches(data, replace(description, by_storage=True), seed=1, epoch=0)
    assert [b.tolist() for b in stored] == [sorted(b.tolist()) for b in batches]


def test_the_digest_is_of_the_content(data: TrainingData) -> None:
    assert planted.samples().digest == data.digest
    assert given(data, regressor=data.targets["regressor"] + 1e-6).digest != data.digest
