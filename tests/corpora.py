"""IMAGES of given files, and two made-up corpora as the evaluation of expressions reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from eifer.corpora.evaluation import CLASSES, Evaluated, EvaluationSpec, evaluate
from eifer.corpora.labelled import described
from eifer.corpora.looks import look_at
from eifer.tables.expressions import AGES, ETHNICITIES, GENDERS, IMAGES, VOTES

SPEC = EvaluationSpec(draws=200, level=0.95, bins=15)
CORPORA = ("aff", "fer")
TRAINED_ON = (*CORPORA, "merged", "without-aff", "without-fer")
P = [f"p_{name}" for name in CLASSES]


def pictured(files: Mapping[str, bytes], **known: Mapping[str, str]) -> pd.DataFrame:
    """IMAGES of files named ``corpus/name``: happy ones, of which ``known`` says more by column."""
    rows = [
        {"image_id": name, "corpus": name.split("/")[0], "label": "happy"}
        | {column: values[name] for column, values in known.items() if name in values}
        for name in files
    ]
    looks = [dataclasses.asdict(look_at(file)) for file in files.values()]
    return IMAGES.conform(described(rows, "corpus").join(pd.DataFrame(looks)))


@dataclass
class World:
    """All tables that the evaluation reads."""

    answers: pd.DataFrame
    images: pd.DataFrame
    division: pd.DataFrame
    evaluator: pd.DataFrame
    duplicates: pd.DataFrame
    relabelled: pd.DataFrame | None = None

    def evaluated(self, spec: EvaluationSpec = SPEC, seed: int = 7) -> Evaluated:
        tables = [getattr(self, one.name) for one in dataclasses.fields(self)]
        return evaluate(*tables, spec, seed)


def world(absent: str = "disgust", never: str = "fear", n: int = 60) -> World:
    """Two corpora; ``fer`` has no image of ``absent``, and nobody answers ``never`` there."""
    random = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for corpus in CORPORA:
        labels = [name for name in CLASSES if corpus == "aff" or name != absent]
        for k in range(n):
            part = ("evaluator", "test", "train")[k % 3]
            rows.append(
                {
                    "image_id": f"{corpus}/{k:03d}",
                    "corpus": corpus,
                    "label": labels[random.integers(len(labels))],
                    "part": part,
                    "drawn": False,
                    "atom": f"{corpus}/{k - k % 6 + k % 3:03d}",  # two images of a part
                }
            )
        fill_ins = {"corpus": corpus, "part": "evaluator", "drawn": True}
        rows += [
            fill_ins | {"image_id": f"drawn/{corpus}-{k}", "label": labels[k]} for k in range(3)
        ]
    every = pd.DataFrame(rows)
    for name, values in (("gender", GENDERS), ("age", AGES[:2]), ("ethnicity", ETHNICITIES[:1])):
        every[name] = random.choice([*values], len(every))
    real = every[~every["drawn"]]
    votes = random.integers(0, 6, (len(real), len(VOTES))) * random.integers(0, 2, (len(real), 1))
    votes[np.arange(0, len(real), 2), random.integers(0, 8, (len(real) + 1) // 2)] = 60
    images = real[["image_id", "label"]].assign(
        **{f"votes_{name}": votes[:, k] for k, name in enumerate(VOTES)}
    )
    asked = every[every["part"] != "train"]
    parts = []
    for trained_on in TRAINED_ON:
        for repetition in (1, 2):
            p = random.dirichlet(np.ones(7), len(asked))
            p[np.arange(len(asked)), [CLASSES.index(name) for name in asked["label"]]] += 0.3
            p[(asked["corpus"] == "fer").to_numpy(), CLASSES.index(never)] = 0
            table = pd.DataFrame(p / p.sum(axis=1, keepdims=True), columns=P)
            model = {"trained_on": trained_on, "network": "cnn48", "repetition": repetition}
            parts.append(table.assign(**model, image_id=asked["image_id"].to_numpy()))
    cells = ["image_id", "corpus", "label", "gender", "age", "ethnicity", "drawn"]
    return World(
        pd.concat(parts, ignore_index=True),
        images,
        real[["image_id", "corpus", "label", "part"]],
        every.loc[every["part"] == "evaluator", cells],
        real[["image_id", "atom"]],
    )
