"""What is handed over is read as it is meant, or refused by a message: never a bare traceback."""

from __future__ import annotations

import datetime
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eifer import inputs, metrics, statistics
from eifer.ei.anova import mixed_interaction, type3
from eifer.errors import StudyError

GOOD, WHO, LABELS = [0.1, 0.4, 0.35, 0.8, 0.2, 0.7], list("aabbcc"), [0, 1, 0, 1, 0, 1]

NO_NUMBERS: dict[str, Any] = {
    "text": list("abcdef"),
    "digits as text": ["1"] * 6,
    "complex": [1 + 1j] * 6,
    "dates": [datetime.date(2020, 1, 1)] * 6,
    "datetime64": np.array(["2020-01-01"] * 6, dtype="M8[D]"),
    "mixed": [1, "a", 2, 3, 4, 5],
    "a text": "abcdef",
    "a mapping": dict.fromkeys(range(6), 0.1),
    "a set": {0.1, 0.2, 0.3, 0.4, 0.5, 0.6},
    "three dimensions": np.zeros((6, 2, 2)),
    "rows of two lengths": [[1], [2, 3]] * 3,
    "objects": [object()] * 6,
    "too long": [10**400] * 6,
    "a number": 3,
}
TESTS: dict[str, Callable[[Any], Any]] = {
    "t": statistics.t_paired,
    "equivalence": lambda v: statistics.tost_paired(v, 0.1, 0.05),
    "sign_flip": lambda v: statistics.sign_flip(v, 9, 1),
    "benjamini_hochberg": statistics.benjamini_hochberg,
    "fisher": statistics.fisher,
    "stouffer": statistics.stouffer,
    "cauchy": statistics.cauchy,
    "delong labels": lambda v: statistics.delong(v, GOOD, GOOD),
    "delong scores": lambda v: statistics.delong(LABELS, GOOD, v),
    "pool_fixed": lambda v: statistics.pool_fixed(v, GOOD),
    "pool_random": lambda v: statistics.pool_random(GOOD, v),
    "participant_deltas": lambda v: statistics.participant_deltas(WHO, LABELS, v, GOOD),
    "jackknife_deltas": lambda v: statistics.jackknife_deltas(WHO, LABELS, GOOD, v),
    "metrics labels": lambda v: metrics.binary(v, GOOD, 0.5),
    "metrics scores": lambda v: metrics.binary(LABELS, v, 0.5),
    "type3": lambda v: type3(v, list("aabbab"), list("xyxyxy")),
    "mixed": lambda v: mixed_interaction(v, WHO, list("hhllhh"), list("xyxyxy")),
}


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
@pytest.mark.parametrize("odd", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_what_is_no_number_is_refused_in_words(test: Callable[[Any], Any], odd: Any) -> None:
    with warnings.catch_warnings(), pytest.raises(StudyError):
        warnings.simplefilter("error")
        test(odd)


def test_numbers_of_every_kind_are_read_and_what_is_missing_is_nan() -> None:
    given = [
        [1, 2.5, True],
        pd.array([1, None, 3], dtype="Int64"),
        np.ma.masked_array([1.0, 2, 3], mask=[0, 1, 0]),
        (x for x in (1, None, 3)),
        pd.Series([1, pd.NA, 3], dtype=object),
        np.array([1, 2, 3], dtype=np.float16),
    ]
    want = [[1, 2.5, 1], *[[1, math.nan, 3]] * 4, [1, 2, 3]]
    for values, expected in zip(given, want, strict=True):
        np.testing.assert_array_equal(inputs.numbers(values), expected)


@pytest.mark.parametrize(
    "odd", [["a", 1], [1, "1"], "ab", {"a": 1}, [[1], [2]], [1j, 2j], [object(), object()], 3]
)
def test_labels_of_several_kinds_are_refused(odd: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        inputs.labels(odd)
    for test in (
        lambda: statistics.benjamini_hochberg([0.1, 0.2], odd),
        lambda: statistics.cluster_bootstrap(odd, len, resamples=5, level=0.9, seed=1),
        lambda: statistics.participant_deltas(odd, [0, 1], [0.1, 0.2], [0.1, 0.2]),
        lambda: type3([1.0, 2.0], odd, ["x", "y"]),
    ):
        with pytest.raises(StudyError):
            test()


@pytest.mark.parametrize("scale", [1e-200, 1e-14, 1e160])
def test_magnitudes_are_refused_zero_or_right_but_never_nan(scale: float) -> None:
    values = scale * np.arange(1, 7)
    for name, test in TESTS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                got = test(values)
            except StudyError:
                continue
        if getattr(got, "estimable", False):
            numbers = [value for value in vars(got).values() if isinstance(value, float)]
            assert not any(map(math.isnan, numbers)), name
