"""The affect network's training: two regressions on faces with annotated arousal and valence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from eifer.affect.agreement import DIMENSIONS, agreement_by_dimension
from eifer.affect.estimator import HEAD
from eifer.affect.spec import AffectTraining
from eifer.errors import DesignError
from eifer.seeding import generator
from eifer.training.augmentation import Geometric
from eifer.training.checkpoint import Curve
from eifer.training.data import TrainingData
from eifer.training.description import Description, Judged, Objective, Outputs, Part, Phase
from eifer.training.engine import train
from eifer.training.learner import LEARNS_NOTHING, OnEpoch, spread
from eifer.training.losses import MseAndCcc
from eifer.training.schedule import WarmUpShareCosine
from eifer.training.spec import Hardware, NetworkSpec
from eifer.training.weights import State

REMEDY = "Give a corpus in which annotations vary and more people are, or another validation_share."


@dataclass(frozen=True)
class TrainedAffect:
    """What training leaves: weights of the best epoch and how well they agree.

    ``metrics`` is ``agreement_by_dimension`` on the held-out identities at ``kept_epoch``
    (from 1); ``history`` a row per epoch; ``images`` how many there are, and of how many
    identities, on either side.
    """

    state: State
    history: list[Curve]
    metrics: dict[str, dict[str, float]]
    kept_epoch: int
    images: dict[str, int]


@dataclass(frozen=True)
class MeanCcc:
    """The concordance correlation coefficient, averaged over arousal and valence."""

    def __call__(self, outputs: Outputs, targets: Outputs, loss: float) -> Judged:
        """CCC, and all of `agreement` by dimension."""
        result = agreement_by_dimension(outputs["head"].numpy(), targets["head"].numpy())
        ccc = float(np.mean([values["ccc"] for values in result.values()]))
        metrics = {f"{name}_{d}": v for d, values in result.items() for name, v in values.items()}
        return (ccc,), {"ccc": ccc, **metrics}


def affect_description(spec: NetworkSpec, training: AffectTraining) -> Description:
    """Two regressions by CCC, everything learning from the first step on."""
    rate = WarmUpShareCosine(training.learning_rate, training.warmup_share, training.epochs)
    return Description(
        network=spec,
        objectives=(Objective(HEAD, MseAndCcc(training.ccc_weight)),),
        phases=(Phase("all", training.epochs, (Part("network", ("backbone", HEAD.name), rate),)),),
        merit=MeanCcc(),
        augmentation=(Geometric(training.augmentation),),
        batch=training.batch,
        weight_decay=training.weight_decay,
        gradient_clip=training.gradient_clip,
        seeds=("affect",),
        fused=False,
        by_storage=True,
    )


def affect_data(
    items: Sequence[str],
    identities: Sequence[str],
    targets: NDArray[np.float32],
    share: float,
    *,
    size_px: int,
    seed: int,
    images: NDArray[np.uint8] | None = None,
) -> TrainingData:
    """A corpus of faces with a ``share`` of its identities held out.

    ``targets`` are arousal and valence ``[N, 2]`` in [-1, 1]. Without ``images``, RGB
    ``[N, S, S, 3]``, it can be checked before any face is cut.

    Raises
    ------
    DesignError
        If there are fewer than two identities.
    """
    if images is None:
        images = np.broadcast_to(np.uint8(0), (len(items), size_px, size_px, 3))
    held_out = validation_rows(identities, share, seed=seed)
    names, people = np.asarray(items, dtype=str), np.asarray(identities, dtype=str)
    return TrainingData(names, people, images, {"head": targets}, held_out)


def train_affect(
    data: TrainingData,
    spec: NetworkSpec,
    training: AffectTraining,
    *,
    seed: int,
    initial: Mapping[str, Tensor] | None = None,
    hardware: Hardware | None = None,
    checkpoint: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> TrainedAffect:
    """Train on some identities, keep the epoch that agrees best on the others.

    Parameters
    ----------
    initial
        Weights to start from: of a whole affect network, or of timm's backbone alone
        (an ImageNet file; its classifier is left out). Without them, random ones.
    hardware, checkpoint, on_epoch
        See `eifer.training.engine.train`.

    Raises
    ------
    StudyError
        As `eifer.training.engine.train`; or if the best epoch's network gives every held-out
        face the same estimate.
    """
    progress = train(
        data,
        affect_description(spec, training),
        seed=seed,
        initial=initial,
        carried=True,
        subject="affect",
        remedy=REMEDY,
        hardware=hardware,
        checkpoint=checkpoint,
        on_epoch=on_epoch,
    )
    estimates = progress.kept_outputs["head"]
    same = [str(d) for d, s in zip(DIMENSIONS, spread(estimates), strict=True) if s == 0]
    if same:
        raise DesignError(
            f"affect: at its best epoch ({progress.kept_epoch}) the network gives all "
            f"{len(estimates)} held-out faces the same {' and '.join(same)}. {LEARNS_NOTHING}"
        )
    truths = data.targets["head"][data.validation]
    return TrainedAffect(
        state=progress.kept_network,
        history=progress.curves,
        metrics=agreement_by_dimension(estimates.numpy(), truths),
        kept_epoch=progress.kept_epoch,
        images={
            "train": len(data.train),
            "validation": len(data.validation),
            "train_identities": data.people_in(data.train),
            "validation_identities": data.people_in(data.validation),
        },
    )


def validation_rows(identities: Sequence[str], share: float, *, seed: int) -> NDArray[np.bool_]:
    """Which rows are held out: all of a ``share`` of the identities, at least one, drawn by seed.

    Raises
    ------
    DesignError
        If there are fewer than two identities.
    """
    people = sorted(set(identities))
    if len(people) < 2:
        raise DesignError(
            f"affect: {len(people)} identities in the corpus; it takes two or more, "
            "so that some can be held out for validation."
        )
    n = min(max(1, round(share * len(people))), len(people) - 1)
    chosen = generator(seed, "affect", "validation").permutation(len(people))[:n]
    return np.isin(np.asarray(identities, dtype=str), [people[i] for i in chosen])


def model_card(
    trained: TrainedAffect,
    spec: NetworkSpec,
    training: AffectTraining,
    *,
    corpus: Mapping[str, Any],
    licence: str,
    initial: str,
) -> dict[str, Any]:
    """State what a user must know of trained weights, as plain values without dates.

    ``corpus`` describes the images (source, number, what was left out), ``licence`` is
    their origin's, ``initial`` says what training started from.
    """
    images = trained.images
    made = f"trained on {images['train']} faces of {images['train_identities']} identities"
    return _card(spec, made, licence) | {
        "corpus": dict(corpus),
        "initial_weights": initial,
        "recipe": asdict(training),
        "images": images,
        "validation": trained.metrics,
        "kept_epoch": trained.kept_epoch,
    }


def given_card(spec: NetworkSpec, *, origin: str, sha256: str, licence: str) -> dict[str, Any]:
    """State what is known of weights that were made elsewhere, in the form of ``model_card``."""
    return _card(spec, f"given as {origin}", licence) | {
        "corpus": {"weights": origin, "sha256": sha256},
        "images": {},
        "validation": {},
    }


def card_markdown(card: Mapping[str, Any]) -> str:
    """``model_card`` or ``given_card`` as a page."""
    lines = [f"# {card['title']}", "", str(card["intended_use"]), "", "## Limits"]
    lines += [f"- {limit}" for limit in card["limits"]]
    if card["validation"]:
        measures = list(next(iter(card["validation"].values())))
        lines += ["", "## Agreement on held-out identities", ""]
        lines.append("| dimension | " + " | ".join(measures) + " |")
        lines.append("|---" * (len(measures) + 1) + "|")
        for dimension, values in card["validation"].items():
            cells = " | ".join(f"{values[measure]:.3f}" for measure in measures)
            lines.append(f"| {dimension} | {cells} |")
    lines += ["", "## Origin", f"- {card['made']}", f"- licence: {card['licence']}"]
    for name in ("initial_weights", "kept_epoch"):
        if name in card:
            lines.append(f"- {name.replace('_', ' ')}: {card[name]}")
    for part in ("corpus", "images", "input", "recipe"):
        lines += [f"- {part}, {name}: {value}" for name, value in card.get(part, {}).items()]
    return "\n".join(lines) + "\n"


def _card(spec: NetworkSpec, made: str, licence: str) -> dict[str, Any]:
    return {
        "title": f"Affect network ({spec.backbone}, {spec.size_px} px)",
        "made": made,
        "licence": licence,
        "intended_use": "Arousal and valence of a single aligned face in a research video, to "
        "choose frames whose expression agrees with a reported feeling.",
        "limits": [
            "Estimates are model-derived indicators, not ground truth: they say how a face looks "
            "to annotators, not what a person feels.",
            "Not for decisions about people, nor for faces unlike those it was trained on.",
            "Where agreement is stated, it is that with held-out identities of the same corpus; "
            "with other recordings it is lower.",
        ],
        "outputs": [f"{dimension} in [-1, 1]" for dimension in DIMENSIONS],
        "input": asdict(spec),
    }
