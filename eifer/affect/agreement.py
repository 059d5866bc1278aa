"""How well estimates agree with annotations, as the field reports it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eifer.vocabulary import Dimension

DIMENSIONS = (Dimension.AROUSAL, Dimension.VALENCE)
"""The order of the network's two outputs, and of every ``[N, 2]`` array in this package."""


@dataclass(frozen=True)
class Agreement:
    """Agreement on one dimension; NaN where it is not defined."""

    ccc: float
    rmse: float
    pearson_r: float
    sagr: float


def agreement(estimate: NDArray[Any], truth: NDArray[Any]) -> Agreement:
    """Agreement of ``estimate`` with ``truth``, both ``[N]``.

    ``ccc`` is Lin's (1989) concordance correlation coefficient with population
    moments, 2 cov / (var + var + (mean - mean)^2); ``rmse`` the root of the mean
    squared error; ``pearson_r`` the product-moment correlation; ``sagr`` the sign
    agreement of Nicolaou et al. (2011), the share of rows where both have the same
    sign (zero agrees with zero only). Where either is constant, r is NaN; where both
    are the same constant, so is CCC.

    Raises
    ------
    ValueError
        If the two differ in shape, are empty or are not one-dimensional.
    """
    x, y = np.asarray(estimate, np.float64), np.asarray(truth, np.float64)
    if x.shape != y.shape or x.ndim != 1 or not x.size:
        raise ValueError(f"estimates {x.shape} and truths {y.shape} must be one [N], N > 0")
    spread = x.var() * y.var()
    covariance = float(np.mean((x - x.mean()) * (y - y.mean())))
    apart = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return Agreement(
        ccc=float(2 * covariance / apart) if apart > 0 else float("nan"),
        rmse=float(np.sqrt(np.mean((x - y) ** 2))),
        pearson_r=float(covariance / np.sqrt(spread)) if spread > 0 else float("nan"),
        sagr=float(np.mean(np.sign(x) == np.sign(y))),
    )


def agreement_by_dimension(
    estimates: NDArray[Any], truths: NDArray[Any]
) -> dict[str, dict[str, float]]:
    """``{"arousal": {"ccc": ..., ...}, "valence": {...}}`` of two ``[N, 2]`` arrays."""
    return {
        str(dimension): asdict(agreement(estimates[:, column], truths[:, column]))
        for column, dimension in enumerate(DIMENSIONS)
    }
