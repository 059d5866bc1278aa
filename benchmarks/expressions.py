"""What cnn48 learns on one core in ten minutes: `python -m benchmarks.expressions [FOLDER]`.

FOLDER holds ``fer2013_training.parquet`` and ``fer2013_public_test.parquet`` (FER2013 with the
votes of FER+), public research data that this project does not contain. The network is trained at
a quarter of its width on the Training part, without the pictures that PublicTest has too, and
asked about PublicTest: by FER2013's own labels, and by the majority of FER+'s votes. Beside it
stands the network of the package ``fer``. Then confident learning judges PublicTest's labels by
the trained network, which saw none of these pictures, and the majorities judge it. ``--epochs``
shortens it all.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks._measured import show
from eifer.affect.expression import EXPRESSIONS, PUBLISHED, ExpressionEstimator
from eifer.corpora.evaluation import majority
from eifer.corpora.recipes import (
    CLASSES,
    Cosine,
    ExpressionRecipe,
    macro_f1,
    probabilities,
    train_expressions,
)
from eifer.corpora.relabelling import RelabelSpec, confident, judged
from eifer.faces.pictures import at_size, decoded
from eifer.seeding import generator
from eifer.training.spec import Geometry
from flows.graph import ROOT

SEED = 1
VALIDATION_SHARE = 0.04
BARS = {"accuracy": 0.606, "macro F1": 0.563, "accuracy by majority": 0.736}
"""What a plainer recipe reached on PrivateTest in 9.5 minutes."""
RECIPE = ExpressionRecipe(
    network="cnn48",
    width=0.25,
    size_px=48,
    colours="grey",
    values="0..1",
    dropout=0.2,
    block_dropout=0,
    norm_momentum=0.1,
    rate=5e-3,
    floor=0,
    falls=Cosine(0.25),
    weight_decay=0.02,
    batch=64,
    epochs=12,
    patience=None,
    augmentation=Geometry(flip=0.5, brightness=0, rotation_deg=5, shift=0.04, zoom=0.05),
    vertical_flip=0,
    mixup_alpha=None,
    class_weights=False,
    label_smoothing=0.05,
    both_sides=True,
    keep_by="accuracy",
)
VOTES = {
    "neutral": ("neutral",),
    "happy": ("happiness",),
    "surprise": ("surprise",),
    "sad": ("sadness",),
    "angry": ("anger",),
    "disgust": ("disgust",),
    "fear": ("fear",),
    "other": ("contempt", "unknown", "nf"),
}
"""FER+'s answers by ours."""


def read(path: Path) -> tuple[pd.DataFrame, NDArray[np.uint8]]:
    """Names, labels, votes and atoms (identical pixels) of the faces, and the faces."""
    table = pd.read_parquet(path)
    images = np.stack([at_size(decoded(png), RECIPE.size_px) for png in table["png"]])
    votes = {
        f"votes_{ours}": table[[f"votes_{name}" for name in theirs]].sum(axis=1)
        for ours, theirs in VOTES.items()
    }
    atoms = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    plain = table[["image_id", "label"]]
    return plain.assign(corpus="fer2013", atom=atoms, **votes), images


def scores(
    name: str, chances: NDArray[np.float32], test: pd.DataFrame
) -> list[tuple[str, float, str]]:
    """Accuracy and macro F1, by the labels and by the majorities."""
    said = chances.argmax(1)
    most = majority(test)
    rows = []
    for how, given in (("", test["label"]), (" by majority", most)):
        known = given.notna().to_numpy()
        true = given[known].map(CLASSES.index).to_numpy(np.int64)
        found = {"accuracy": (true == said[known]).mean(), "macro F1": macro_f1(true, said[known])}
        rows += [
            (f"{name}: {metric}{how}", float(value), f"({known.sum()} faces)")
            for metric, value in found.items()
        ]
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT.parent / "shared/real_faces")
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    arguments = parser.parse_args()
    files = [arguments.folder / f"fer2013_{part}.parquet" for part in ("training", "public_test")]
    if not all(file.is_file() for file in files):
        print(f"not measured: {arguments.folder} lacks FER2013; name the folder of faces")
        return
    recipe = replace(RECIPE, epochs=arguments.epochs)
    (train, faces), (test, asked) = map(read, files)
    alone = ~train["atom"].isin(test["atom"]).to_numpy()
    train, faces = train[alone], faces[alone]
    atoms = sorted(set(train["atom"]))
    drawn = generator(SEED, "validation").permutation(len(atoms))
    held = {atoms[i] for i in drawn[: round(VALIDATION_SHARE * len(atoms))]}
    start = time.process_time()

    def tell(row: dict[str, Any]) -> None:
        print(
            f"epoch {row['epoch']:>2}: loss {row['train_loss']:.3f}, validation "
            f"{row['validation_loss']:.3f}, accuracy {row['validation_accuracy']:.3f}, "
            f"{time.process_time() - start:.0f} s",
            flush=True,
        )

    found = train_expressions(
        faces,
        train.assign(weight=1.0, part=np.where(train["atom"].isin(held), "validation", "train")),
        recipe,
        SEED,
        on_epoch=tell,
    )
    seconds = time.process_time() - start
    chances = probabilities(found.state, recipe, asked)
    fer = ExpressionEstimator(PUBLISHED)
    theirs = np.array([fer.probabilities(image) for image in asked])
    theirs = theirs[:, [EXPRESSIONS.index(name) for name in CLASSES]]
    rows: list[tuple[str, float, str]] = [
        ("pictures of Training that PublicTest has too, left out", int((~alone).sum()), ""),
        ("trained on", found.n_train, "faces"),
        ("epochs, of which kept", found.kept_epoch, f"of {recipe.epochs}"),
        ("processor time of training", seconds / 60, "min"),
        ("pictures trained on", found.n_train * recipe.epochs / seconds, "a second"),
        *scores("cnn48 at width 1/4", chances, test),
        *((f"to be beaten: {name}", bar, "") for name, bar in BARS.items()),
        *scores("the network of fer", theirs, test),
    ]
    spec = RelabelSpec("confident", "weight", above=0.7, rounds=3, until=0.01)
    truth = majority(test.set_index("image_id"))
    for apply in ("weight", "relabel"):
        found_so = confident(
            test[["image_id", "corpus", "label"]],
            chances,
            np.ones(len(test), np.int64),
            replace(spec, apply=apply),
        )
        rows += [
            (f"confident, {apply}: {name.replace('_', ' ')}", float(value), "")
            for name, value in judged(found_so, truth).items()
        ]
    show(rows)


if __name__ == "__main__":
    main()
