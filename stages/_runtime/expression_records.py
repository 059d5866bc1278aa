"""The expressions study as runs of MLflow: one a trained network, with its results on all images.

As `records` has it for the EI study, whose `Output` says where a folder lies and who made it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from eifer.figures.style import ACCENT, GROUP
from eifer.tables.expressions import (
    ANSWERS,
    EXPRESSION_CURVES,
    MATRIX,
    MERGED,
    SCORES,
    TRAINED,
    WITHOUT,
)
from stages._runtime import contents
from stages._runtime.mlflow_place import EXPRESSIONS_EVALUATED, EXPRESSIONS_TRAINED
from stages._runtime.mlflow_store import Content, Model, Record
from stages._runtime.records import Output, outputs

LOADER = "eifer.corpora.recipes:load"
MODEL = ("network", "trained_on", "repetition")
PROTOCOL = "expressions"
ANSWERED = f"{ANSWERS.name}.parquet"
TARGETS = {"original": "", "majority": "_majority", "relabelled": "_agreement_with_a_model"}
"""What a metric's name says of the labels that it is on."""


def records(output: Output, study: str) -> Iterator[Record]:
    """What MLflow shows of a folder of the expressions study called ``study``."""
    if (output.folder / EXPRESSIONS_TRAINED).exists():
        for row in _rows(output):
            yield _training(output, study, row)
    else:
        yield from _evaluations(output, study)


def _rows(output: Output) -> list[dict[Any, Any]]:
    return output.read(EXPRESSIONS_TRAINED, TRAINED).to_dict("records")


def _training(output: Output, study: str, row: Mapping[Any, Any]) -> Record:
    weights = output.folder / f"repetition-{row['repetition']}.safetensors"
    made = output.made_by(weights.name, row["weights_sha256"])
    name = f"{row['network']} {row['trained_on']}"
    slot = contents.digest(study, PROTOCOL, *(row[n] for n in MODEL))
    model = {n: row[n] for n in ("network", "trained_on", "weights_sha256")}
    tags = {
        **{"mlflow.runColor": _colour(row["trained_on"])},
        **{"kind": "repetition", "study": study, "protocol": PROTOCOL, "model": name},
        **{"repetition": f"{row['repetition']:02d}", "seed": str(row["seed"])},
        **{"dvc_stage": output.address, "mlflow.source.name": output.address},
        **{"stage": output.stage},
        **model,
        **contents.code(made),
    }

    def content() -> Content:
        card = json.loads((output.folder / "cards.json").read_text(encoding="utf-8"))[weights.name]
        curves = output.read("curves.parquet", EXPRESSION_CURVES)
        own = curves[(curves[list(MODEL)] == [row[n] for n in MODEL]).all(axis=1)]
        # The results first: MLflow's comparison plots what comes first.
        left_out = {*MODEL, *model, "seed"}
        names = sorted(row.keys() - left_out, key=lambda n: (not n.startswith("validation_"), n))
        return Content(
            # The architecture's own name: ``network`` is what params call it with its recipe.
            params=contents.flat(
                {"trained_on": row["trained_on"], **card["recipe"]}
                | {"network": row["network"], "architecture": card["recipe"]["network"]}
            ),
            results=contents.numbers({n: row[n] for n in names}),
            history=[*contents.curve_points(own), *contents.usage(made)],
            inputs=contents.given(made, division="training", relabelled="training"),
            figures=contents.figure("expression_curves", own, pd.DataFrame([row])),
            model=Model(
                weights,
                row["weights_sha256"],
                LOADER,
                card["recipe"]["size_px"],
                scores=len(card["outputs"]),
            ),
        )

    return Record(
        kind="training",
        key=contents.digest(slot, row["weights_sha256"]),
        slot=slot,
        name=f"{name} r{row['repetition']:02d}",
        digest=contents.digest(row["weights_sha256"], made.get("finished")),
        drawn=contents.drawn(),
        tags=tags,
        content=content,
        **contents.times(made),
    )


def _evaluations(output: Output, study: str) -> Iterator[Record]:
    """The results of each network, unless networks were trained anew since."""
    files = output.sha256(EXPRESSIONS_EVALUATED, ANSWERED)
    made = output.made_by(ANSWERED, files[1])
    trained = [
        other for other in outputs(output.study) if (other.folder / EXPRESSIONS_TRAINED).exists()
    ]
    if not output.of_now({other.folder for other in trained}):
        return
    measured = dict(iter(output.read(EXPRESSIONS_EVALUATED, MATRIX).groupby(list(MODEL))))
    for other in trained:
        for row in _rows(other):
            own = measured.get(tuple(row[n] for n in MODEL))
            if own is None:
                continue

            def content(own: pd.DataFrame = own) -> Content:
                return Content(
                    results=contents.numbers(dict(_results(own))),
                    inputs=contents.given(made, evaluator="testing"),
                )

            training = _training(other, study, row)
            yield replace(
                training,
                kind="evaluation",
                digest=contents.digest(*files, made.get("finished")),
                tags={**training.tags, "evaluated": "yes", "sha256.answers": files[1]},
                content=content,
            )


def _results(matrix: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """The scores of a network by name: ``all_real/accuracy``."""
    for row in matrix.to_dict("records"):
        where = f"{row['tested_on']}_{row['images']}{TARGETS[row['target']]}"
        for score in SCORES:
            yield f"{where}/{score}", row[score]


def _colour(trained_on: str) -> str:
    if trained_on == MERGED:
        return ACCENT
    return GROUP["Low" if trained_on.startswith(WITHOUT) else "High"]
