"""Arousal and valence from a network that the expressions study trained; imports torch."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eifer.affect.expression import EXPRESSIONS, PUBLISHED, ExpressionEstimator, as_mean
from eifer.affect.spec import TrainedSpec
from eifer.errors import AssetError
from eifer.faces.pictures import at_size
from eifer.hashing import sha256_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENDING = ".safetensors"
REMEDY = "give a file that an expressions study left in data/train"


def described(path: Path) -> TrainedSpec:
    """A file of weights as an estimator, with the published coordinates.

    Raises
    ------
    AssetError
        If it is not there, or none of the expressions study.
    """
    if not path.is_file():
        raise AssetError(f"{path}: no such file; {REMEDY}")
    _card(path)
    return TrainedSpec(str(path), sha256_file(path), PUBLISHED)


def _card(path: Path) -> dict[str, Any]:
    from eifer.training.spec import LayeredSpec
    from eifer.training.weights import read_metadata

    card = read_metadata(path)
    known = {field.name for field in fields(LayeredSpec)}
    outputs = sorted(card.get("outputs", ()))
    if outputs and outputs != sorted(EXPRESSIONS):
        raise AssetError(
            f"weights {path}: a network of {len(outputs)} classes ({', '.join(outputs)}), not of "
            f"the seven; {REMEDY}"
        )
    if set(card.get("network", ())) != known or not outputs:
        raise AssetError(
            f"weights {path}: their card describes no network of seven expressions; {REMEDY}"
        )
    return card


def told(spec: TrainedSpec) -> str:
    """By what arousal and valence are estimated, as the end of a sentence."""
    return (
        f"by a network of seven expressions of an expressions study (sha256 {spec.sha256[:12]}…), "
        f"{as_mean(spec.places)}"
    )


def worth(spec: TrainedSpec) -> str:
    """What its card says of validation images; what it is worth on others is not known."""
    card = _card(Path(spec.path))
    return (
        f"{card['images']['validation']} validation images of its own corpora "
        f"{card['validation']['accuracy']:.0%} of its expressions were right"
    )


class TrainedEstimator(ExpressionEstimator):
    """Estimates arousal and valence of face crops by their expressions (a `Seeing`).

    Raises
    ------
    AssetError
        If the file is missing, another one, or none of the expressions study.
    """

    def __init__(self, spec: TrainedSpec) -> None:
        from eifer.training.network import Network
        from eifer.training.spec import Head, LayeredSpec
        from eifer.training.weights import fit_state, load_weights

        self._set_places(spec.places)
        state = load_weights(Path(spec.path), spec.sha256)
        card = _card(Path(spec.path))
        network = LayeredSpec(**{n: _plain(value) for n, value in card["network"].items()})
        self._network: Any = Network(network, [Head("expression", len(EXPRESSIONS))])
        fit_state(self._network, state, f"weights {spec.path}")
        self._network.eval()
        self._side = network.size_px
        self._order = [card["outputs"].index(name) for name in EXPRESSIONS]

    def probabilities(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Of `EXPRESSIONS`, ``[7]``, for an RGB face ``[S, S, 3]``."""
        import torch

        image = torch.from_numpy(np.ascontiguousarray(at_size(crop, self._side)))
        with torch.inference_mode():
            logits = self._network(image.permute(2, 0, 1)[None].float())["expression"]
            found: NDArray[np.float32] = torch.softmax(logits, 1)[0].numpy()
        return found[self._order]


def _plain(value: Any) -> Any:
    """A value of the card as the spec has it: JSON knows no tuples."""
    return tuple(value) if isinstance(value, list) else value
