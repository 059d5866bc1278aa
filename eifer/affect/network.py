"""Arousal and valence by the affect stage's network, or by weights given to that stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eifer.hashing import sha256_file
from eifer.training.spec import NetworkSpec, Precision

if TYPE_CHECKING:
    from eifer.affect.estimator import Estimator


@dataclass(frozen=True)
class WeightsSpec:
    """A network, its weights, how it computes (see `Estimator`), and what its card measured."""

    weights: Path
    network: NetworkSpec
    device: str
    precision: Precision
    batch: int
    measured: str | None


def told(spec: WeightsSpec) -> str:
    """By what arousal and valence are estimated, as the end of a sentence."""
    return "by the affect network"


def measured(card: Mapping[str, Any]) -> str | None:
    """What the affect stage's card says of held-out faces; None of given weights."""
    ccc = {name: values["ccc"] for name, values in card["validation"].items()}
    if not ccc:
        return None
    return (
        f"held-out faces of its own corpus arousal agreed by a CCC of {ccc['arousal']:.2f}, "
        f"valence by one of {ccc['valence']:.2f}"
    )


def opened(spec: WeightsSpec) -> Estimator:
    """The network, ready; imports torch."""
    from eifer.affect.estimator import Estimator
    from eifer.training.weights import load_weights

    state = load_weights(spec.weights, sha256_file(spec.weights))
    return Estimator(
        state,
        spec.network,
        device=spec.device,
        precision=spec.precision,
        batch=spec.batch,
    )
