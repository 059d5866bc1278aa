"""How networks of seven expressions are trained: recipes as plain choices, and one training.

The published ones are those of section 6 of the protocol of expressions: what its sources print or
their code does, and this project's choices where they are silent. What computes is imported where
it is needed, since params read this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from eifer.corpora import scores
from eifer.errors import InputError, Problem
from eifer.ranges import Count, NotNegative, Part, Positive, Share
from eifer.training.spec import Colours, Geometry, Hardware, Head, LayeredSpec, Top
from eifer.vocabulary import Expression

if TYPE_CHECKING:  # most of them import torch
    import pandas as pd

    from eifer.training.checkpoint import Curve
    from eifer.training.description import Description, Judged, Outputs
    from eifer.training.learner import OnEpoch
    from eifer.training.schedule import Schedule
    from eifer.training.weights import State

CLASSES = tuple(Expression)
HEAD = Head("expression", len(CLASSES))
ADAM_EPS = 1e-7
"""Keras's."""
KERAS_GAIN = 1e-4
"""What Keras takes for a lower loss on its plateaus, where nobody says otherwise."""
CHUNK = 1024

Images = NDArray[np.uint8]
NetworkName = Literal["cnn48", "frozen_efficientnet_b0", "frozen_mobilenetv2", "attention"]
Values = Literal["0..1", "0..255", "imagenet"]
KeepBy = Literal["accuracy", "macro_f1"]

NETWORKS: dict[NetworkName, tuple[str, Top]] = {
    "cnn48": ("cnn48", "cnn48"),
    "frozen_efficientnet_b0": ("tf_efficientnet_b0", "flat"),
    "frozen_mobilenetv2": ("mobilenetv2_100", "flat"),
    "attention": ("tf_efficientnet_b0", "attention"),
}
"""The backbone and the layers on it."""


@dataclass(frozen=True)
class OnPlateau:
    """The rate times ``factor`` after ``patience`` epochs without a lower validation loss."""

    factor: Part
    patience: Count


@dataclass(frozen=True)
class Cosine:
    """The rate rises from 0 over ``warmup_share`` of all steps, then falls to 0."""

    warmup_share: Share


@dataclass(frozen=True)
class ExpressionRecipe:
    """A network and how it is trained, by Adam on cross entropy.

    Parameters
    ----------
    network
        One of `NETWORKS`.
    width
        Scales filters and dense layers of cnn48; 1 for others.
    size_px
        Side of the square picture that it takes.
    colours
        What it sees of a picture.
    values
        What a picture's 0..255 become: left so, 0..1, or normalised as ImageNet's.
    dropout
        After each dense layer.
    block_dropout
        After each block of cnn48; 0 for others.
    norm_momentum
        The share of a new batch in the running statistics of normalisation: .01 is what Keras
        calls .99. It takes hundreds of steps; give more to a training of fewer.
    rate
        Of learning, at its highest.
    floor
        Below which plateaus do not lower it.
    falls
        How the rate falls; null: it does not.
    weight_decay
        AdamW's; 0 is Adam.
    batch
        Pictures a step.
    epochs
        At most.
    patience
        Epochs without a better one after which training ends; null: never.
    augmentation
        Changes of training pictures; validation pictures are never changed.
    vertical_flip
        The probability of turning a picture upside down.
    mixup_alpha
        Of the Beta distribution that shares of mixed pictures come from; null: none are mixed.
    class_weights
        Whether a class's loss counts n / (7 n_c).
    label_smoothing
        Which part of a label is spread over all classes.
    both_sides
        Whether an answer is the mean of those for the picture and for its mirror image.
    keep_by
        What the kept epoch is best in on validation; between equals the lower loss decides.
    """

    network: NetworkName
    width: Annotated[float, Gt(0), Le(4)]
    size_px: Annotated[int, Ge(16), Le(1024)]
    colours: Colours
    values: Values
    dropout: Annotated[float, Ge(0), Le(0.9)]
    block_dropout: Annotated[float, Ge(0), Le(0.9)]
    norm_momentum: Part
    rate: Positive
    floor: NotNegative
    falls: OnPlateau | Cosine | None
    weight_decay: NotNegative
    batch: Annotated[int, Ge(2), Le(65_536)]
    epochs: Count
    patience: Count | None
    augmentation: Geometry
    vertical_flip: Share
    mixup_alpha: Positive | None
    class_weights: bool
    label_smoothing: Annotated[float, Ge(0), Le(0.9)]
    both_sides: bool
    keep_by: KeepBy

    def __post_init__(self) -> None:
        """Refuse a floor above the rate, and what the network does not have."""
        if self.floor > self.rate:
            raise ValueError(f"the rate is {self.rate}, below its floor {self.floor}")
        self.spec()

    def spec(self) -> LayeredSpec:
        """The network as the engine builds it.

        Raises
        ------
        ValueError
            If the network has no such width, dropout or colours.
        """
        from eifer.training.backbones import IMAGENET_MEAN, IMAGENET_STD

        backbone, top = NETWORKS[self.network]
        mean, std = {
            "0..1": ((0.0,) * 3, (1.0,) * 3),
            "0..255": ((0.0,) * 3, (1 / 255,) * 3),
            "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
        }[self.values]
        return LayeredSpec(
            backbone=backbone,
            size_px=self.size_px,
            mean=mean,
            std=std,
            top=top,
            colours=self.colours,
            width=self.width,
            dropout=self.dropout,
            block_dropout=self.block_dropout,
            norm_momentum=self.norm_momentum,
        )


MIRROR = Geometry(flip=0.5, brightness=0, rotation_deg=0, shift=0, zoom=0)
STILL = Geometry(flip=0, brightness=0, rotation_deg=0, shift=0, zoom=0)
MOVED = Geometry(flip=0.5, brightness=0, rotation_deg=10, shift=0.08, zoom=0.1)


def _published(**own: Any) -> ExpressionRecipe:
    """A recipe of S2's for cnn48 with what differs."""
    s2: dict[str, Any] = {
        "network": "cnn48",
        "width": 1,
        "size_px": 48,
        "colours": "grey",
        "values": "0..1",
        "dropout": 0.25,
        "block_dropout": 0.25,
        "norm_momentum": 0.01,
        "rate": 0.01,
        "floor": 1e-5,
        "falls": OnPlateau(0.1, 2),
        "weight_decay": 0,
        "batch": 64,
        "epochs": 50,
        "patience": None,
        "augmentation": MIRROR,
        "vertical_flip": 0,
        "mixup_alpha": None,
        "class_weights": False,
        "label_smoothing": 0,
        "both_sides": False,
        "keep_by": "accuracy",
    }
    return ExpressionRecipe(**{**s2, **own})


_ON_224: dict[str, Any] = {"size_px": 224, "block_dropout": 0, "augmentation": STILL}

PUBLISHED: Mapping[str, ExpressionRecipe] = {
    "fer2013": _published(),
    "nhfi": _published(
        network="frozen_efficientnet_b0", colours="grey_in_3", values="0..255", **_ON_224
    ),
    "affectnet": _published(rate=3e-4, falls=OnPlateau(0.5, 3), colours="grey_in_3"),
    "merged": _published(rate=3e-4, falls=OnPlateau(0.5, 3), colours="grey_in_3"),
    "artificial": _published(
        network="frozen_mobilenetv2", colours="rgb", falls=OnPlateau(0.5, 3), **_ON_224
    ),
    "s3": _published(
        network="attention",
        colours="rgb",
        values="imagenet",
        dropout=0.3,
        rate=1e-4,
        falls=None,
        batch=32,
        patience=8,
        mixup_alpha=0.2,
        class_weights=True,
        keep_by="macro_f1",
        **{**_ON_224, "augmentation": MOVED},
    ),
    "s4": _published(
        rate=1e-4, falls=None, batch=32, epochs=20, augmentation=MOVED, keep_by="macro_f1"
    ),
}
"""The columns of section 6's table; S2's merge is trained as its AffectNet is."""


@dataclass(frozen=True)
class Best:
    """Judges an epoch by accuracy or macro F1; between equals, the lower loss."""

    by: KeepBy

    def __call__(self, outputs: Outputs, targets: Outputs, loss: float) -> Judged:
        """Both, of the likeliest class."""
        said, true = (
            values[HEAD.name].argmax(1).numpy().astype(np.int64) for values in (outputs, targets)
        )
        found = {"accuracy": float((said == true).mean()), "macro_f1": macro_f1(true, said)}
        return (found[self.by], -loss), found


def macro_f1(true: NDArray[np.int64], said: NDArray[np.int64]) -> float:
    """Mean F1 of the classes that are there; codes ``[N]``, 0 to 6."""
    counted = (
        np.bincount(part, minlength=len(CLASSES)) for part in (true[true == said], said, true)
    )
    return float(scores.macro_f1(*counted))


def describe(recipe: ExpressionRecipe, classes: Sequence[int]) -> Description:
    """The recipe for the one engine; ``classes`` counts the training pictures of each class."""
    from eifer.training.augmentation import Augmentation, Geometric, Mixup, UpsideDown
    from eifer.training.description import Description, Objective, Part, Phase
    from eifer.training.losses import CrossEntropy

    weights = None
    if recipe.class_weights:
        n = sum(classes)
        # Nothing learns from the weight of a class that is not there.
        weights = tuple(n / (len(CLASSES) * count) if count else 0.0 for count in classes)
    changes: list[Augmentation] = []
    if recipe.augmentation != STILL:
        changes.append(Geometric(recipe.augmentation))
    if recipe.vertical_flip:
        changes.append(UpsideDown(recipe.vertical_flip))
    if recipe.mixup_alpha is not None:
        changes.append(Mixup(recipe.mixup_alpha))
    frozen = NETWORKS[recipe.network][1] == "flat"
    learning = ("backbone.dense" if frozen else "backbone", HEAD.name)
    return Description(
        network=recipe.spec(),
        objectives=(Objective(HEAD, CrossEntropy(weights, recipe.label_smoothing)),),
        phases=(Phase("all", recipe.epochs, (Part("network", learning, _schedule(recipe)),)),),
        merit=Best(recipe.keep_by),
        augmentation=tuple(changes),
        batch=recipe.batch,
        weight_decay=recipe.weight_decay,
        gradient_clip=0.0,
        patience=recipe.patience,
        seeds=("expressions",),
        eps=ADAM_EPS,
    )


def _schedule(recipe: ExpressionRecipe) -> Schedule:
    from eifer.training.schedule import Plateau, WarmUpShareCosine

    if isinstance(recipe.falls, Cosine):
        return WarmUpShareCosine(recipe.rate, recipe.falls.warmup_share, recipe.epochs)
    if recipe.falls is None:
        return Plateau(recipe.rate, factor=1.0, patience=1)
    falls = recipe.falls
    return Plateau(recipe.rate, falls.factor, falls.patience, recipe.floor, KERAS_GAIN)


@dataclass(frozen=True)
class TrainedExpressions:
    """What a training leaves.

    ``state`` is the network at ``kept_epoch`` (from 1), ``curves`` a row an epoch with the
    columns of EXPRESSION_CURVES beside those that name the network. ``accuracy`` and ``macro_f1``
    are those of the kept epoch on validation.
    """

    state: State
    curves: list[Curve]
    kept_epoch: int
    n_train: int
    n_validation: int
    accuracy: float
    macro_f1: float


def train_expressions(
    images: Images,
    rows: pd.DataFrame,
    recipe: ExpressionRecipe,
    seed: int,
    checkpoint: Path | None = None,
    hardware: Hardware | None = None,
    on_epoch: OnEpoch | None = None,
) -> TrainedExpressions:
    """Train a network of seven expressions, and keep its best epoch.

    The order of the pictures does not matter.

    Parameters
    ----------
    images
        RGB ``[N, S, S, 3]`` of the recipe's size, best mapped (`eifer.corpora.stored`).
    rows
        ``[N]``, as of `eifer.corpora.division.training_rows`: ``image_id``, ``label``, ``weight``
        (0 or 1), ``part`` (validation chooses the epoch) and ``atom``, which must not be divided.
    checkpoint, hardware, on_epoch
        See `eifer.training.engine.train`.

    Raises
    ------
    InputError
        If a label is no class, a name comes twice, or a weight is another number.
    StudyError
        As `eifer.training.engine.train`: an atom in both parts, or a part that is empty, too.
    """
    from eifer.training.data import TrainingData
    from eifer.training.engine import train

    _check(rows, len(images))
    order = np.argsort(np.asarray(rows["image_id"], dtype=str), kind="stable")
    taken = (rows["weight"] > 0) | (rows["part"] == "validation")
    order = order[taken.to_numpy()[order]]
    own = rows.iloc[order]
    codes = own["label"].map(CLASSES.index).to_numpy(np.int64)
    data = TrainingData(
        items=np.asarray(own["image_id"], dtype=str),
        people=np.asarray(own["atom"], dtype=str),
        images=_in_order(images, order),
        targets={HEAD.name: np.eye(len(CLASSES), dtype=np.float32)[codes]},
        validates=(own["part"] == "validation").to_numpy(bool),
    )
    counts = np.bincount(codes[data.train], minlength=len(CLASSES)).tolist()
    found = train(
        data,
        describe(recipe, counts),
        seed=seed,
        carried=True,
        subject="training of expressions",
        remedy="Give more pictures, or divide them otherwise.",
        hardware=hardware,
        checkpoint=checkpoint,
        on_epoch=on_epoch,
    )
    kept = found.curves[found.kept_epoch - 1]
    return TrainedExpressions(
        state=found.kept_network,
        curves=list(map(_curve, found.curves)),
        kept_epoch=found.kept_epoch,
        n_train=len(data.train),
        n_validation=len(data.validation),
        accuracy=float(kept["validation_accuracy"]),
        macro_f1=float(kept["validation_macro_f1"]),
    )


def card(trained: TrainedExpressions, recipe: ExpressionRecipe) -> dict[str, Any]:
    """What must be known of a network to use it, for its file and for who reads that."""
    return {
        "title": "Network of seven expressions",
        "outputs": [str(name) for name in CLASSES],
        "network": asdict(recipe.spec()),
        "recipe": asdict(recipe),
        "images": {"train": trained.n_train, "validation": trained.n_validation},
        "kept_epoch": trained.kept_epoch,
        "validation": {"accuracy": trained.accuracy, "macro_f1": trained.macro_f1},
        "intended_use": "To say how a face looks to annotators of these corpora, and to compare "
        "ways of training. Not what a person feels; not for decisions about people.",
    }


def probabilities(
    state: State, recipe: ExpressionRecipe, images: Images, hardware: Hardware | None = None
) -> NDArray[np.float32]:
    """What a trained network says of each picture: ``[N, 7]``, in the order of `Expression`.

    Parameters
    ----------
    images
        RGB uint8 ``[N, S, S, 3]`` of the recipe's size.

    Raises
    ------
    ValueError
        If pictures have another size or type.
    AssetError
        If the weights are another network's, or the device is not there.
    """
    from eifer.training.inference import Chances
    from eifer.training.network import Network
    from eifer.training.weights import fit_state

    hardware = hardware or Hardware()
    spec = recipe.spec()
    network = Network(spec, [HEAD])
    fit_state(network, state, f"weights of expressions for {recipe.network}")
    reads = Chances(network, spec, device=hardware.device, precision=hardware.precision)
    found = reads.outputs(enumerate(images), HEAD.name)[1].numpy()
    if recipe.both_sides:
        mirrored = ((i, image[:, ::-1]) for i, image in enumerate(images))
        found = (found + reads.outputs(mirrored, HEAD.name)[1].numpy()) / np.float32(2)
    return np.asarray(found, np.float32)


def load(path: Path, sha256: str | None = None) -> Callable[[Images], NDArray[np.float32]]:
    """Read a ``repetition-<r>.safetensors`` of this study: pictures to `probabilities`.

    Raises
    ------
    AssetError
        If the file is missing, has another hash than ``sha256``, or is none of ours.
    """
    from eifer.training.weights import load_own

    state, made = load_own(path, sha256, "recipe", "network of expressions")
    falls = made["falls"]
    recipe = ExpressionRecipe(
        **made
        | {"augmentation": Geometry(**made["augmentation"])}
        | {"falls": falls and (OnPlateau if "factor" in falls else Cosine)(**falls)}
    )
    return lambda images: probabilities(state, recipe, images)


def _in_order(images: Images, rows: NDArray[np.int64]) -> Images:
    from eifer.faces.stored import mapped_crops

    if np.array_equal(rows, np.arange(len(images))):
        return images
    found = mapped_crops(len(rows), images.shape[1], None)
    for start in range(0, len(rows), CHUNK):
        found[start : start + CHUNK] = images[rows[start : start + CHUNK]]
    return found


def _curve(row: Curve) -> Curve:
    own = ("epoch", "train_loss", "validation_loss", "validation_accuracy", "validation_macro_f1")
    return {name: row[name] for name in own} | {"learning_rate": row["network_learning_rate"]}


def _check(rows: pd.DataFrame, images: int) -> None:
    problems: list[Problem] = []
    if len(rows) != images:
        where = f"{len(rows)} rows, {images} images"
        problems.append(Problem("lists of different lengths", where, "give one of each a picture"))
        raise InputError("training of expressions", problems)
    for name in rows.loc[rows["image_id"].duplicated(), "image_id"].unique():
        problems.append(Problem("picture that comes twice", name, "leave one out"))
    columns = rows[["image_id", "label", "weight", "part"]].itertuples(index=False)
    for name, label, weight, part in columns:
        if label not in CLASSES:
            problems.append(Problem(f"label {label!r}", name, f"name one of {', '.join(CLASSES)}"))
        if weight not in (0, 1):
            problems.append(Problem(f"weight {weight}", name, "give 0 or 1"))
        elif part == "validation" and not weight:
            what = "validation picture of weight 0"
            problems.append(Problem(what, name, "give 1: only training pictures are left out"))
    if problems:
        raise InputError("training of expressions", problems)
