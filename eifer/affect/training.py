"""Training the affect network on faces with annotated arousal and valence."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eifer.affect.agreement import DIMENSIONS, agreement_by_dimension
from eifer.affect.estimator import (
    AffectNetwork,
    Precision,
    as_input,
    classifier_names,
    takes_bfloat16,
    usable_device,
)
from eifer.affect.reproducible import quietly, reproducibly, trainer
from eifer.affect.spec import AffectSpec, AffectTraining, Augmentation
from eifer.affect.weights import State, fit_state
from eifer.errors import DesignError
from eifer.seeding import generator, sub_seed

_LEARNS_NOTHING = (
    "Its outputs are dead or saturated, and frames could not be ranked by them. "
    "Lower learning_rate, or train on other images."
)


@dataclass(frozen=True)
class TrainedAffect:
    """What training leaves: weights of the best epoch and how well they agree.

    ``metrics`` is ``agreement_by_dimension`` on the held-out identities at ``kept_epoch``
    (from 1); ``history`` a row per epoch.
    """

    state: State
    history: list[dict[str, float]]
    metrics: dict[str, dict[str, float]]
    kept_epoch: int
    n_train: int
    n_validation: int
    n_train_identities: int
    n_validation_identities: int


def train(
    images: NDArray[np.uint8],
    targets: NDArray[np.float32],
    identities: Sequence[str],
    spec: AffectSpec,
    training: AffectTraining,
    *,
    seed: int,
    initial: Mapping[str, Tensor] | None = None,
    device: str = "cpu",
    precision: Precision = "float32",
) -> TrainedAffect:
    """Train on some identities, keep the epoch that agrees best on the others.

    The same arguments give the same weights to the bit on one kind of CPU, whatever
    ran before and however many cores it has: a CPU trains in one thread, since sums over
    a batch depend on how it is shared out. Global state is put back.

    Parameters
    ----------
    images
        Aligned faces, RGB ``[N, S, S, 3]``, in memory or memory-mapped.
    targets
        Arousal and valence ``[N, 2]`` in [-1, 1].
    identities
        Whose face each image is; nobody is in both training and validation.
    initial
        Weights to start from: of a whole affect network, or of timm's backbone alone
        (an ImageNet file; its classifier is left out). Without them, random ones.
    device, precision
        A torch device; "float32", or "bfloat16" for a GPU (a CPU always takes float32).

    Raises
    ------
    DesignError
        If images, targets and identities do not fit each other, are too few to hold
        identities out, do not vary, the loss is no longer a number, or the network gives
        every face the same estimate.
    AssetError
        If the backbone is unknown, or ``initial`` is another architecture's.
    """
    _check(images, targets, identities, spec, training)
    rows = parts(targets, identities, training.validation_share, seed=seed)
    place = usable_device(device)
    with reproducibly(one_thread=True), quietly():
        torch.manual_seed(sub_seed(seed, "affect", "network"))
        network = AffectNetwork(spec)
        if initial is not None:
            _start_from(network, initial, spec)
        module = _module(
            network, images=images, targets=targets, rows=rows, training=training, seed=seed
        )
        with tempfile.TemporaryDirectory() as scratch:  # Lightning wants a place of its own
            lightning = trainer(
                accelerator="gpu" if place.type == "cuda" else place.type,
                devices=[place.index or 0] if place.type == "cuda" else 1,
                precision="bf16-mixed" if takes_bfloat16(place, precision) else "32-true",
                max_epochs=training.epochs,
                gradient_clip_val=training.gradient_clip,
                deterministic=True,
                benchmark=False,
                default_root_dir=scratch,
            )
            lightning.fit(module)
    if module.kept_same:
        raise DesignError(
            f"affect: at its best epoch ({module.kept_epoch}) the network gives all "
            f"{len(rows['validation'])} held-out faces the same {' and '.join(module.kept_same)}. "
            + _LEARNS_NOTHING
        )
    return TrainedAffect(
        state=module.kept_state,
        history=module.history,
        metrics=module.kept_metrics,
        kept_epoch=module.kept_epoch,
        n_train=len(rows["train"]),
        n_validation=len(rows["validation"]),
        n_train_identities=len({identities[i] for i in rows["train"]}),
        n_validation_identities=len({identities[i] for i in rows["validation"]}),
    )


def parts(
    targets: NDArray[Any], identities: Sequence[str], share: float, *, seed: int
) -> dict[str, NDArray[np.int64]]:
    """Rows to train on and rows to validate on; what can be known of them before a training.

    Raises
    ------
    DesignError
        If there are fewer than two identities or training images, or if annotations of either
        part do not vary: the network could not learn, or its agreement could not be told.
    """
    held_out = validation_rows(identities, share, seed=seed)
    rows = {"train": np.flatnonzero(~held_out), "validation": np.flatnonzero(held_out)}
    wrong = []
    if len(rows["train"]) < 2:
        wrong.append(
            f"{len(rows['train'])} images are left to train on once "
            f"{len(rows['validation'])} are held out; give more, or a smaller validation_share"
        )
    wrong += [
        f"{dimension} is {values[0]:g} in all {len(values)} {part} images; give a corpus in which "
        "it varies, or another validation_share"
        for part, chosen in rows.items()
        for dimension, values in zip(DIMENSIONS, targets[chosen].T, strict=True)
        if len(values) and (values == values[0]).all()
    ]
    if wrong:
        raise DesignError(f"affect: {'; '.join(wrong)}.")
    return rows


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


def affect_loss(estimates: Tensor, targets: Tensor, ccc_weight: float) -> Tensor:
    """MSE + ``ccc_weight`` x (1 - mean CCC) of ``[N, 2]`` tensors; differentiable."""
    mse = nn.functional.mse_loss(estimates, targets)
    centred, wanted = estimates - estimates.mean(0), targets - targets.mean(0)
    apart = (centred**2 + wanted**2).mean(0) + (estimates.mean(0) - targets.mean(0)) ** 2
    # The small number keeps the gradient finite when a batch's targets are all the same.
    ccc = 2 * (centred * wanted).mean(0) / (apart + 1e-8)
    return mse + ccc_weight * (1 - ccc.mean())


def augment(images: Tensor, how: Augmentation, rng: np.random.Generator) -> Tensor:
    """Change each of ``images`` ``[N, 3, S, S]`` in 0..255 by random numbers of its own."""
    n = len(images)
    angle = np.deg2rad(how.rotation_deg) * rng.uniform(-1, 1, n)
    scale = 1 + how.zoom * rng.uniform(-1, 1, n)
    mirror = np.where(rng.random(n) < how.flip, -1.0, 1.0)
    shift = 2 * how.shift * rng.uniform(-1, 1, (2, n))  # in halves of the side, as the grid is
    gain = 1 + how.brightness * rng.uniform(-1, 1, n)
    rows = [
        [np.cos(angle) * scale * mirror, -np.sin(angle) * scale, shift[0]],
        [np.sin(angle) * scale * mirror, np.cos(angle) * scale, shift[1]],
    ]
    matrix = torch.from_numpy(np.array(rows).transpose(2, 0, 1)).to(images)
    grid = nn.functional.affine_grid(matrix, list(images.shape), align_corners=False)
    moved = nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return (moved * torch.from_numpy(gain).to(images).view(-1, 1, 1, 1)).clamp(0, 255)


def model_card(
    trained: TrainedAffect,
    spec: AffectSpec,
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
    images = {
        "train": trained.n_train,
        "validation": trained.n_validation,
        "train_identities": trained.n_train_identities,
        "validation_identities": trained.n_validation_identities,
    }
    made = f"trained on {trained.n_train} faces of {trained.n_train_identities} identities"
    return _card(spec, made, licence) | {
        "corpus": dict(corpus),
        "initial_weights": initial,
        "recipe": asdict(training),
        "images": images,
        "validation": trained.metrics,
        "kept_epoch": trained.kept_epoch,
    }


def given_card(spec: AffectSpec, *, origin: str, sha256: str, licence: str) -> dict[str, Any]:
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


def _card(spec: AffectSpec, made: str, licence: str) -> dict[str, Any]:
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


def _check(
    images: NDArray[np.uint8],
    targets: NDArray[np.float32],
    identities: Sequence[str],
    spec: AffectSpec,
    training: AffectTraining,
) -> None:
    """Everything that does not fit, in one error."""
    n, side = len(identities), spec.size_px
    wrong = []
    if images.shape != (n, side, side, 3) or images.dtype != np.uint8:
        wrong.append(f"images are {images.dtype} {images.shape}, not uint8 {(n, side, side, 3)}")
    if targets.shape != (n, 2):
        wrong.append(f"targets are {targets.shape}, not {(n, 2)}")
    else:
        outside = np.flatnonzero(~(np.abs(targets) <= 1).all(axis=1))
        if len(outside):
            wrong.append(
                f"{len(outside)} targets lie outside [-1, 1] (rows {outside[:5].tolist()})"
            )
    if training.batch < 2 or training.epochs < 1:
        wrong.append(
            f"batch is {training.batch}, epochs {training.epochs}: CCC takes at least 2 images, "
            "training 1 epoch"
        )
    if wrong:
        raise DesignError(
            "affect: " + "; ".join(wrong) + ". Read the corpus by eifer.affect.corpus."
        )


def _spread(estimates: Tensor) -> Tensor:
    """Largest less smallest estimate of each dimension."""
    return estimates.amax(dim=0) - estimates.amin(dim=0)


def _named(chosen: Tensor) -> list[str]:
    return [str(name) for name, is_so in zip(DIMENSIONS, chosen.tolist(), strict=True) if is_so]


def _start_from(network: AffectNetwork, initial: Mapping[str, Tensor], spec: AffectSpec) -> None:
    """Load a whole affect network's weights, or a timm backbone's without its classifier."""
    if any(name.startswith("backbone.") for name in initial):
        fit_state(network, initial, f"initial weights for {spec.backbone}")
        return
    heads = classifier_names(network.backbone)
    kept = {name: value for name, value in initial.items() if not name.startswith(heads)}
    fit_state(network.backbone, kept, f"initial weights for the backbone {spec.backbone}")


def _module(
    network: AffectNetwork,
    *,
    images: NDArray[np.uint8],
    targets: NDArray[np.float32],
    rows: Mapping[str, NDArray[np.int64]],
    training: AffectTraining,
    seed: int,
) -> Any:
    """Make the Lightning module, in here because its class needs the heavy import."""
    import pytorch_lightning as pl
    from torch.utils.data import DataLoader, Dataset

    class Rows(Dataset[tuple[NDArray[np.uint8], Tensor]]):
        """Whole batches by their row numbers: one gather instead of one read an image."""

        def __getitem__(self, batch: NDArray[np.int64]) -> tuple[NDArray[np.uint8], Tensor]:
            chosen = np.sort(batch)  # in order of storage, for a memory-mapped array
            return images[chosen], torch.from_numpy(targets[chosen].astype(np.float32))

    class Batches:
        """Row numbers by batch; with an ``epoch`` they are shuffled, each epoch anew."""

        def __init__(self, part: str) -> None:
            self.part, self.epoch = part, 0

        def __len__(self) -> int:
            n = len(rows[self.part])
            # A last, smaller batch would give a noisy CCC: other epochs train on its images.
            return max(1, n // training.batch if self.part == "train" else -(-n // training.batch))

        def __iter__(self) -> Iterator[NDArray[np.int64]]:
            order = rows[self.part]
            if self.part == "train":
                order = generator(seed, "affect", "order", self.epoch).permutation(order)
                self.epoch += 1
            for i in range(len(self)):
                yield order[i * training.batch : (i + 1) * training.batch]

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.history: list[dict[str, float]] = []
            self.kept_state: State = {}
            self.kept_metrics: dict[str, dict[str, float]] = {}
            self.kept_epoch = 0
            self.kept_ccc = -np.inf
            self.kept_same: list[str] = []
            self.losses: list[Tensor] = []
            self.spreads: list[Tensor] = []
            self.outputs: list[tuple[Tensor, Tensor]] = []

        def loader(self, part: str) -> Any:
            return DataLoader(
                Rows(), sampler=Batches(part), batch_size=None, collate_fn=lambda batch: batch
            )

        def train_dataloader(self) -> Any:
            return self.loader("train")

        def val_dataloader(self) -> Any:
            return self.loader("validation")

        def training_step(self, batch: Any, index: int) -> Tensor:
            faces, wanted = as_input(batch[0], self.device), batch[1].to(self.device)
            rng = generator(seed, "affect", "augmentation", self.current_epoch, index)
            estimates = self.network(augment(faces, training.augmentation, rng))
            loss = affect_loss(estimates.float(), wanted, training.ccc_weight)
            self.losses.append(loss.detach())
            self.spreads.append(_spread(estimates.detach()))
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            del index
            estimates = self.network(as_input(batch[0], self.device)).float()
            self.outputs.append((estimates.cpu(), batch[1].cpu()))

        def on_validation_epoch_end(self) -> None:
            estimates, truths = (
                torch.cat(part).numpy() for part in zip(*self.outputs, strict=True)
            )
            metrics = agreement_by_dimension(estimates, truths)
            ccc = float(np.mean([values["ccc"] for values in metrics.values()]))
            epoch, loss = self.current_epoch + 1, float(torch.stack(self.losses).mean())
            if not np.isfinite([loss, ccc]).all():
                raise DesignError(
                    f"affect: in epoch {epoch} the training loss is {loss}, validation CCC {ccc}. "
                    "Lower learning_rate; look whether the held-out annotations vary."
                )
            same = _spread(torch.from_numpy(estimates)) == 0
            # In training, too: at first the running averages of a normalisation may saturate
            # the outputs that are validated.
            dead = same & (torch.stack(self.spreads).cpu() == 0).all(dim=0)
            if len(estimates) > 1 and dead.any():
                raise DesignError(
                    f"affect: in epoch {epoch} of {training.epochs} the network gives all faces "
                    f"the same {' and '.join(_named(dead))}. {_LEARNS_NOTHING}"
                )
            row = {"epoch": epoch, "training_loss": loss, "validation_ccc": ccc}
            row |= {
                f"validation_{name}_{dimension}": value
                for dimension, values in metrics.items()
                for name, value in values.items()
            }
            if ccc > self.kept_ccc:
                self.kept_ccc, self.kept_epoch, self.kept_metrics = ccc, epoch, metrics
                self.kept_same = _named(same)
                state = self.network.state_dict()
                self.kept_state = {name: t.detach().cpu().clone() for name, t in state.items()}
            self.history.append(row)
            self.losses.clear()
            self.spreads.clear()
            self.outputs.clear()

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.AdamW(
                self.parameters(), training.learning_rate, weight_decay=training.weight_decay
            )
            steps = training.epochs * len(Batches("train"))
            warmup = max(1, round(training.warmup_share * steps))

            def factor(step: int) -> float:
                if step < warmup:
                    return (step + 1) / warmup
                return 0.5 * (1 + float(np.cos(np.pi * (step - warmup) / max(1, steps - warmup))))

            schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": schedule, "interval": "step"},
            }

    return Module()
