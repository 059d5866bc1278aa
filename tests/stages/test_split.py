"""The split stage refuses a copy that has other bytes, from the crops as select stored them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eifer.errors import InputError
from eifer.tables.selection import CROPS
from stages import catalogue
from stages import split as stage
from stages._runtime.artifacts import write_table
from stages._runtime.stage import Run
from tests.eifer.test_partitions import NAMES, PER_VIDEO, cohort, selected
from tests.stages.test_params import accepted

SIDE = 16


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Eight people, High and Low in turn, with four videos each; every crop is another."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    people = selected(cohort(8, frames=20), top=4)
    chosen = people.selection
    folder = Path("data/select/wave-1/crops")
    folder.mkdir(parents=True)
    for video, rows in chosen.groupby("video_id"):
        write_table(
            folder / f"{video}.parquet",
            CROPS.conform(
                rows[["item_id", "video_id", "frame"]].assign(
                    height_px=SIDE,
                    width_px=SIDE,
                    crop=[random.bytes(SIDE * SIDE * 3) for _ in range(len(rows))],
                )
            ),
        )
    tables: dict[Any, pd.DataFrame] = {
        catalogue.SELECTION: chosen,
        catalogue.OTHER_SELECTION: people.other_selection,
        catalogue.AVAILABILITY: people.availability,
        catalogue.EI_SCORES: people.groups,
    }
    params = accepted(
        {
            "study.waves": ["1"],
            "study.crop.size_px": SIDE,
            "select.conditions": NAMES,
            "select.frames_per_video": PER_VIDEO,
        }
    )
    made = Run(stage.split, params, {}, Path("out"), SimpleNamespace())  # type: ignore[arg-type]
    monkeypatch.setattr(made, "read", tables.__getitem__)
    return made


def copy_nearly(source: str, target: str) -> None:
    """Give ``target`` the crops of ``source``, a little darker."""
    folder = Path("data/select/wave-1/crops")
    crops = pd.read_parquet(folder / f"{source}.parquet")["crop"]
    table = pd.read_parquet(folder / f"{target}.parquet")
    darker = [(np.frombuffer(crop, np.uint8) * 0.9).astype(np.uint8).tobytes() for crop in crops]
    table["crop"] = [darker[row % len(darker)] for row in range(len(table))]
    write_table(folder / f"{target}.parquet", CROPS.conform(table))


def test_a_copy_with_other_bytes_is_refused_and_the_proof_says_what_was_compared(run: Run) -> None:
    outcome = stage.split.function(run)
    people = outcome.made[catalogue.PARTITIONS].groupby("partition")["participant_id"].min()
    assert list(outcome.made[catalogue.DISJOINTNESS]) == ["1"]
    proof = outcome.made[catalogue.DISJOINTNESS]["1"]
    compared = [pair for pair in proof["pairs"] if "compared" in pair]
    assert proof["disjoint"] is True and len(compared) == 6
    assert all(pair["compared"] > 0 and pair["shared"] == 0 for pair in compared)
    copy_nearly(f"{people['test']}_run-2", f"{people['train']}_run-3")
    with pytest.raises(InputError) as caught:
        stage.split.function(run)
    assert f"{people['test']}_run-2 (test)" in str(caught.value)
    assert f"{people['train']}_run-3 (train)" in str(caught.value)
    assert "0 crops the same to the bit, 100% look the same" in str(caught.value)
