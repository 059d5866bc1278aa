"""Finished outputs as runs of MLflow: what each run is of, and what it shows.

Read from ``data`` and from the records of who made it (``runs/provenance``). A training is known
by the hash of its weights, so that it is the same run wherever it was made or restored.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from eifer.designs import EI
from eifer.figures.style import GROUP
from eifer.hashing import sha256_file
from eifer.tables.comparison import BY_PARTICIPANT, COMPARISON, PARTICIPANT_DELTAS
from eifer.tables.evaluation import METRICS, PREDICTIONS
from eifer.tables.schema import Table
from eifer.tables.training import CURVES, EXTERNAL, REPETITIONS
from stages._runtime import content as held
from stages._runtime import contents
from stages._runtime.artifacts import read_table
from stages._runtime.mlflow_place import COMPARED, EVALUATED, TRAINED, tables
from stages._runtime.mlflow_store import Content, Model, Record

ANSWERED = "predictions.parquet"
INTERMEDIATE = ("pretrain_ei",)
"""Stages whose models only start other trainings: their names say so."""
APART = (*INTERMEDIATE, EXTERNAL)
"""Stages whose models no view compares with the study's own."""
LOADER = "eifer.models.scoring:load"
MODEL = ("rotation", "task", "training_group", "repetition")
PLACE = ("assignment", *MODEL)


def outputs(study: Path) -> Iterator[Output]:
    """The outputs that MLflow shows of ``study``, in the order of `tables`."""
    return (Output(study, table.parent) for table in tables(study))


class Output:
    """The finished folder of a stage, and who made it."""

    def __init__(self, study: Path, folder: Path) -> None:
        self.study, self.folder = study, folder
        stage, *item = folder.relative_to(study / "data").parts
        self.stage = stage
        self.item = dict(part.partition("-")[::2] for part in "_".join(item).split("_") if part)
        self.address = stage + ("@" + "-".join(self.item.values()) if item else "")

    def read(self, name: str, table: Table) -> pd.DataFrame:
        """A table of the folder."""
        return read_table(self.folder / name, table)

    def trained(self) -> pd.DataFrame:
        """The rows of REPETITIONS, with the network of the external check (else empty)."""
        return self.read(TRAINED, REPETITIONS).assign(network=self.item.get("network", ""))

    def sha256(self, *names: str) -> list[str]:
        """The hashes of files of the folder."""
        return [sha256_file(self.folder / name) for name in names]

    def made_by(self, name: str, sha256: str) -> dict[str, Any]:
        """The first record of an execution that made these bytes of a file; empty without one.

        A later one that made the same bytes tells nothing new, and MLflow takes no other start.
        """
        path = (self.folder / name).relative_to(self.study).as_posix()
        ending = "@".join([self.stage, *self.item.values()])
        for file in sorted(self.study.glob(f"runs/provenance/*_{ending}.json")):
            record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            if record["made"].get(path) == sha256:
                return record
        return {}

    def records(self, study: str) -> Iterator[Record]:
        """What MLflow shows of it."""
        if (self.folder / TRAINED).exists():
            for row in self.trained().to_dict("records"):
                yield self._training(study, row)
        elif (self.folder / EVALUATED).exists():
            yield from self._evaluations(study)
        elif (self.folder / COMPARED).exists():
            yield self._comparison(study)
        else:
            from stages._runtime.expression_records import records  # which needs this module

            yield from records(self, study)

    def _training(self, study: str, row: Mapping[Any, Any]) -> Record:
        weights = self.folder / f"repetition-{row['repetition']}.safetensors"
        made = self.made_by(weights.name, row["weights_sha256"])
        name = model_name(row)
        model = {n: str(row[n]) for n in ("stage", *PLACE[:-1], "weights_sha256")}
        tags = {
            **{"mlflow.runColor": GROUP[row["training_group"]]},
            **{"kind": "repetition", "study": study, "model": name},
            **{"repetition": f"{row['repetition']:02d}", "seed": str(row["seed"])},
            **{"dvc_stage": self.address, "mlflow.source.name": self.address},
            **model,
            **contents.code(made),
        }

        def content() -> Content:
            card = json.loads((self.folder / "cards.json").read_text())[weights.name]
            curves = self.read("curves.parquet", CURVES)
            own = curves[(curves[list(PLACE)] == [row[n] for n in PLACE]).all(axis=1)]
            recipe = {
                **{n: row[n] for n in PLACE[:-1]},
                **{"block": self.item.get("block", ""), "backbone": card["network"]["backbone"]},
                "heads": card["training"]["heads"],
                **card["training"]["recipe"],
            }
            inputs = [
                ("training_data", "data/select", card["data"]["sha256"], "training"),
                ("initial_weights", "", row["initial_sha256"], "training"),
            ]
            left_out = {*PLACE, *model, "network", "seed", "initial_sha256"}
            # The results first: MLflow's comparison plots what comes first.
            names = sorted(row.keys() - left_out, key=lambda n: not n.startswith("validation_"))
            return Content(
                params=contents.flat(recipe),
                results=contents.numbers({n: row[n] for n in names}),
                history=[*contents.curve_points(own), *contents.usage(made)],
                inputs=inputs + contents.given(made, samples="training"),
                figures=contents.figure("learning_curves", own),
                model=Model(weights, row["weights_sha256"], LOADER, card["network"]["size_px"]),
            )

        return Record(
            kind="training",
            key=key(study, row),
            slot=_slot(study, row),
            name=f"{name} r{row['repetition']:02d}"
            + f" in rotation {row['rotation']}" * (row["rotation"] != "1"),
            digest=contents.digest(row["weights_sha256"], made.get("finished")),
            drawn=contents.drawn(),
            tags=tags,
            content=content,
            **contents.times(made),
        )

    def _evaluations(self, study: str) -> Iterator[Record]:
        """The results of each model, unless they are of models that were trained anew since."""
        from eifer import evaluation

        files = self.sha256(EVALUATED, ANSWERED)
        made = self.made_by(ANSWERED, files[1])
        own = self.item.get("network")
        trained = [
            output
            for output in outputs(self.study)
            if (output.folder / TRAINED).exists() and output.item.get("network") == own
        ]
        if not self.of_now({output.folder for output in trained}):
            return
        metrics, answers = (self.read(EVALUATED, METRICS), self.read(ANSWERED, PREDICTIONS))
        by_rotation = dict(iter(answers.groupby("rotation")))
        # The stage measures all rotations together; a model has answered in its own alone.
        several = len(by_rotation) > 1
        measured = {
            n: evaluation.measure(own) if several else metrics for n, own in by_rotation.items()
        }
        for output in trained:
            for row in output.trained().to_dict("records"):
                model = evaluation.Model(*(row[n] for n in (*MODEL, "threshold")))
                of_rotation = measured.get(row["rotation"])
                assignment = self.item.get("assignment", EI)
                if row["stage"] in INTERMEDIATE or row["assignment"] != assignment:
                    continue
                if of_rotation is None or not (results := evaluation.numbers(of_rotation, model)):
                    continue

                def content(row: Any = row, results: Any = results) -> Content:
                    own = (answers[list(MODEL)] == [row[n] for n in MODEL]).all(axis=1)
                    return Content(
                        results=contents.numbers(results),
                        inputs=contents.given(made, conditions="testing"),
                        figures=contents.figure("roc_curves", answers[own]),
                    )

                training = output._training(study, row)
                yield replace(
                    training,
                    kind="evaluation",
                    digest=contents.digest(*files, made.get("finished")),
                    tags={**training.tags, "evaluated": "yes", "sha256.predictions": files[1]},
                    content=content,
                )

    def _comparison(self, study: str) -> Record:
        primary, deltas = "by_participant.parquet", "participant_deltas.parquet"
        files = self.sha256(primary, COMPARED)
        made = self.made_by(COMPARED, files[1])

        def content() -> Content:
            from eifer import published
            from eifer.comparison import shown

            people, table = self.read(primary, BY_PARTICIPANT), self.read(COMPARED, COMPARISON)
            figures = contents.figure(
                "participant_differences", people, self.read(deltas, PARTICIPANT_DELTAS)
            )
            numbers = json.loads((self.folder / "report.json").read_text())["numbers"]
            return Content(
                params=contents.flat(numbers),
                results=contents.numbers(shown.numbers(people, table)),
                inputs=contents.given(made, predictions="testing"),
                figures=figures | contents.figure("contrasts", table, published.contrasts()),
            )

        return Record(
            kind="comparison",
            key=contents.digest(study, self.stage, *files),
            slot=contents.digest(study, self.stage),
            name=self.stage,
            digest=contents.digest(*files, made.get("finished")),
            drawn=contents.drawn(),
            tags={
                **{"kind": "comparison", "study": study, "stage": self.stage},
                **{"dvc_stage": self.address, "mlflow.source.name": self.address},
                **{"sha256.by_participant": files[0], "sha256.comparison": files[1]},
                **contents.code(made),
            },
            content=content,
            **contents.times(made),
        )

    def of_now(self, trained: Collection[Path]) -> bool:
        """Whether this was made of what lies in the folders ``trained`` now: dvc.lock knows."""
        lock = self.study / "dvc.lock"
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        stages = yaml.load(lock.read_text(), loader)["stages"] if lock.exists() else {}
        deps = {self.study / d["path"]: d for d in stages.get(self.address, {}).get("deps", [])}
        models = [
            path
            for path in deps
            if any(path in (t, *t.parents) or t in path.parents for t in trained)
        ]
        return bool(models) and all(_is(path, deps[path]) for path in models)


def model_name(row: Mapping[Any, Any]) -> str:
    """What a model is called; with its repetition it sorts as it should."""
    words = [row["task"], row["training_group"]]
    words += [row["assignment"]] * (row["assignment"] != EI)
    words += [row["network"]] * bool(row["network"])
    return " ".join(words + [row["stage"]] * (row["stage"] in INTERMEDIATE))


def _slot(study: str, row: Mapping[Any, Any]) -> str:
    place = [row[name] for name in PLACE] + [row["network"]] * bool(row["network"])
    return contents.digest(study, row["stage"], *place)


def key(study: str, row: Mapping[Any, Any]) -> str:
    """What tells a training from all others: its place in the study, and its weights."""
    return contents.digest(_slot(study, row), row["weights_sha256"])


def _is(path: Path, dep: Mapping[str, Any]) -> bool:
    """Whether a file or folder has the size and MD5 that dvc.lock has of it."""
    files = held.files_in(path, held.IGNORED)
    if sum(file.stat().st_size for _, file in files) != dep["size"]:
        return False  # which spares reading all weights
    return bool(held.content(path, held.IGNORED).md5 == dep["md5"])
