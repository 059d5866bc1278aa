"""A network for every training set: a corpus, all of them, all but one."""

from __future__ import annotations

from typing import Any

import pandas as pd

from eifer.corpora.division import training_rows
from eifer.corpora.stored import faces
from eifer.hashing import sha256_file
from eifer.tables.expressions import EXPRESSION_CURVES, TRAINED
from stages._runtime.checkpoints import checkpoints
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.expressions import catalogue


@stage(
    catalogue.TRAIN,
    params=("study.seed", "arithmetic", "networks", "train.repetitions"),
    given=(catalogue.DIVISION, catalogue.ATOMS, catalogue.RELABELLED, catalogue.PICTURES),
)
def train(run: Run) -> Outcome:
    """Train every repetition; one that was under way when a run was killed goes on."""
    from eifer.corpora.recipes import card, train_expressions
    from eifer.training.weights import save_weights

    network, data = run.item["network"], run.item["data"]
    recipe = run.params.networks[network]
    labels = run.read(catalogue.RELABELLED)
    rows = training_rows(run.read(catalogue.DIVISION), run.read(catalogue.ATOMS), data, labels)
    images = faces(
        run.paths(catalogue.PICTURES), rows["image_id"].tolist(), recipe.size_px, run.folder
    )
    listed: list[dict[str, Any]] = []
    curves: list[pd.DataFrame] = []
    cards: dict[str, Any] = {}
    for repetition in range(1, run.params.train.repetitions + 1):
        named: dict[str, Any] = {"trained_on": data, "network": network, "repetition": repetition}
        seed = run.seed(network, data, repetition)
        found = train_expressions(
            images,
            rows,
            recipe,
            seed,
            checkpoint=checkpoints(run) / f"repetition-{repetition}.pt",
            hardware=run.params.arithmetic.hardware(run.machine.hold),
        )
        file = f"repetition-{repetition}.safetensors"
        cards[file] = described = card(found, recipe) | {"of": named | {"seed": seed}}
        save_weights(run.folder / file, found.state, described)
        listed.append(
            named
            | {
                "seed": seed,
                "n_train": found.n_train,
                "n_validation": found.n_validation,
                "epochs": len(found.curves),
                "kept_epoch": found.kept_epoch,
                "validation_accuracy": found.accuracy,
                "validation_macro_f1": found.macro_f1,
                "weights_sha256": sha256_file(run.folder / file),
            }
        )
        curves.append(pd.DataFrame(found.curves).assign(**named))
    return Outcome(
        {
            catalogue.WEIGHTS: None,
            catalogue.CARDS: cards,
            catalogue.TRAINED: TRAINED.frame(listed),
            catalogue.CURVES: EXPRESSION_CURVES.conform(pd.concat(curves)),
        },
        _report(run, listed),
    )


def _report(run: Run, listed: list[dict[str, Any]]) -> Report:
    network, recipe = run.item["network"], run.params.networks[run.item["network"]]
    kept = {"accuracy": "accuracy", "macro_f1": "macro F1"}[recipe.keep_by]
    shown = ("kept_epoch", "validation_accuracy", "validation_macro_f1", "n_train")
    return Report(
        f"""{network} ({recipe.network}, width {recipe.width:g}, pictures of {recipe.size_px}
        pixels) was trained from random numbers by Adam in batches of {recipe.batch} for at most
        {recipe.epochs} epochs; the epoch of best {kept} on validation images with their original
        labels was kept.""",
        {str(row["repetition"]): {name: row[name] for name in shown} for row in listed},
    )


if __name__ == "__main__":
    train.main()
