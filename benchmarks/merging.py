"""The expressions study on real faces, small: ``python -m benchmarks.merging FOLDER``.

FOLDER holds ``fer2013_training.parquet``, ``fer2013_public_test.parquet`` (with FER+'s votes) and
``muxspace_sample.parquet``, public research data that this project does not contain. 4 000 and
1 000 faces of FER2013 are drawn from the first two; with muxspace's they go through the whole study
on one processor: what merging gives, what each way of relabelling does by the votes, and what is
said where a class has few images.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks._measured import show
from flows.graph import ROOT
from flows.workspace import make_workspace

SAMPLE = {"fer2013_training": 4000, "fer2013_public_test": 1000}
OVERRIDES: dict[str, Any] = {
    "study.name": "real faces",
    "study.corpora": "corpora",
    "draw": {"faces": [], "planted": None},
    "report.planted_from": "data/corpora",
    "corpora": {
        "fer2013": {"form": "parquet", "path": "fer2013_*.parquet", "votes": None},
        "muxspace": {"form": "parquet", "path": "muxspace_sample.parquet", "votes": None},
    },
    "split.mode": "official",
    "split.official": {"train": ["Training"], "validation": [], "test": ["PublicTest"]},
    "networks.cnn48.epochs": 10,
    "networks.cnn48.batch": 64,
    "train.data": ["fer2013", "muxspace", "merged"],
    "train.repetitions": 1,
}
TOLD = ("agreement_before", "agreement_after", "repaired", "broken", "flagged_wrong", "own_network")


def main() -> None:
    """Run the study in a temporary folder, and print what it found."""
    source = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        study = Path(scratch) / "study"
        make_workspace(study, preset=ROOT / "presets/expressions.yaml", overrides=OVERRIDES)
        (study / "corpora").mkdir()
        for name, n in SAMPLE.items():
            faces = pd.read_parquet(source / f"{name}.parquet")
            faces.sample(n, random_state=1).to_parquet(study / f"corpora/{name}.parquet")
        (study / "corpora/muxspace_sample.parquet").symlink_to(source / "muxspace_sample.parquet")
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        subprocess.run(["dvc", "repro"], cwd=study, env=environment, check=True)
        show(list(_rows(study / "data")))


def _rows(data: Path) -> Any:
    images = pd.read_parquet(data / "corpora/images.parquet")
    counts = images.groupby(["corpus", "label"]).size().rename("n").reset_index()
    for row in counts[counts["n"] < 200].to_dict("records"):
        yield f"faces of {row['corpus']}, {row['label']}", float(row["n"]), ""
    matrix = pd.read_parquet(data / "evaluate/matrix.parquet")
    matrix = matrix[matrix["images"].isin(["real", "test"])]
    for row in matrix.to_dict("records"):
        if row["target"] != "relabelled":
            where = f"{row['trained_on']} on {row['tested_on']} ({row['images']})"
            yield f"{where}: accuracy, {row['target']}", row["accuracy"], f"({row['n']})"
            yield f"{where}: macro F1, {row['target']}", row["macro_f1"], ""
    contrasts = pd.read_parquet(data / "evaluate/contrasts.parquet")
    for row in contrasts[contrasts["images"] == "real"].to_dict("records"):
        name = f"{row['first']} less {row['second']} on {row['tested_on']}, {row['metric']}"
        yield name, row["difference"], f"[{row['low']:+.3f}, {row['high']:+.3f}], q {row['q']:.3f}"
    truth = pd.read_csv(data / "report/tables/relabelling_table.csv")
    for row in truth[truth["corpus"] == "all"].to_dict("records"):
        for name in TOLD:
            yield f"{row['method']}: {name.replace('_', ' ')}", float(row[name]), ""


if __name__ == "__main__":
    main()
