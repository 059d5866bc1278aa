"""How often the whole pipeline claims an effect that is not there: `make null-cohorts`.

Small simulated cohorts with effect 0, each with a seed of its own (people, faces, hearts,
ratings, the affect network, partitions and trainings all differ), run from recordings to
predictions, which the tests of the stats stage then judge. What was found is in
docs/negative-results.md. A folder of finished cohorts is gone on with.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import pandas as pd

from eifer.comparison import as_published, by_participant
from eifer.tables.comparison import FINE_TUNED
from flows.graph import ROOT, declared, stage_of
from flows.run.instances import instances
from flows.run.plan import choose
from flows.workspace import make_workspace
from stages.params import load_params

SMALL: dict[str, Any] = {
    "study.name": "null-small",
    "simulate.planted.participants_per_wave": [5, 5],
    "simulate.planted.video": {
        "seconds": 3, "fps": 15, "width_px": 240, "height_px": 180, "crf": 24, "noise_levels": 3
    },
    "simulate.planted.ecg": {"seconds": 130, "hz": 125, "noise_mv": 0.02},
    "corpus.drawn": {
        "identities": 40, "images_per_identity": 12, "size_px": 128, "noise_levels": 3
    },
    "affect.training.epochs": 12,
    "affect.training.learning_rate": 0.005,
    "affect.training.batch": 16,
    "extract.detector_width_px": 160,
    "intake.face_samples": 8,
    "stratify.ecg.variables": [
        "mean_nn_ms", "sdnn_ms", "rmssd_ms", "pnn50_pct", "hf_ms2", "sd2_ms"
    ],
    "stratify.cutoff.permutations": 99,
    "select.top": 10,
    "select.frames_per_video": 4,
    "split.design.short_videos": "record",
}  # fmt: skip
"""What is smaller than presets/null.yaml, so that a cohort takes a minute of one core."""
LAST = "evaluate"


def run(folder: Path, seed: int) -> tuple[int, float, str | None]:
    """Run one cohort up to ``LAST`` in this process; also what stopped it, if anything."""
    from eifer.errors import StudyError

    started = time.monotonic()
    os.environ["EIFER_WORKERS"] = "1"
    study = make_workspace(
        folder / f"seed-{seed}",
        preset=ROOT / "presets/null.yaml",
        overrides=SMALL | {"study.seed": seed},
        replace_params=True,
    )
    os.chdir(study)
    try:
        graph = instances(study)
        needed = choose(graph, end=[LAST])
        for address, instance in graph.items():
            if address in needed and not (study / instance.outs[0]).exists():
                stage_of(instance.stage)(instance.values)
    except StudyError as error:
        return seed, time.monotonic() - started, str(error)
    finally:
        os.chdir(folder)
    for name in declared():
        if name != LAST:
            shutil.rmtree(study / "data" / name, ignore_errors=True)
    return seed, time.monotonic() - started, None


def claims(folder: Path) -> pd.DataFrame:
    """What the finished cohorts claim: a row a cohort, contrast and method."""
    params = load_params(ROOT / "presets/null.yaml").stats
    parts = []
    for path in sorted(folder.glob("seed-*/data/evaluate/assignment-ei/predictions.parquet")):
        predictions = pd.read_parquet(path)
        tests, published = as_published(predictions, params.published)
        people = by_participant(
            {FINE_TUNED: predictions}, {FINE_TUNED: tests}, params.participants, seed=1
        ).compared
        alpha = params.published.alpha
        outside = (published["pooled_ci_low"] > 0) | (published["pooled_ci_high"] < 0)
        methods = {
            "as published: Fisher of DeLong tests, q": published["fisher_q"] < alpha,
            "as published: pooled interval without 0": outside,
            "as published: GEE clustered on items, q": published["gee_q"] < alpha,
            "participants: t, p": people["t_p"] < alpha,
            "participants: t, q within the family": people["t_q"] < alpha,
            "participants: GEE (Mancl-DeRouen), p": people["gee_p"] < alpha,
            "participants: verdict claims a difference": people["verdict"].str.contains("better"),
        }
        parts += [
            pd.DataFrame({"cohort": path.parts[-5], "method": method, "claimed": claimed})
            for method, claimed in methods.items()
        ]
    return pd.concat(parts, ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    folder = ROOT / "runs/null-cohorts"
    folder.mkdir(parents=True, exist_ok=True)
    waiting = [
        seed
        for seed in range(1, arguments.cohorts + 1)
        if not (folder / f"seed-{seed}/data/{LAST}/assignment-ei").exists()
    ]
    # Processes of their own: a stage works in the current folder.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.at_once, mp_context=context) as pool:
        for done in as_completed([pool.submit(run, folder, seed) for seed in waiting]):
            seed, seconds, stopped = done.result()
            print(f"seed {seed}: {seconds:.0f} s{f', stopped: {stopped}' if stopped else ''}")
            sys.stdout.flush()
    claimed = claims(folder)
    print(f"\n{claimed['cohort'].nunique()} cohorts with effect 0, claims at .05:")
    for method, rows in claimed.groupby("method"):
        any_of = rows.groupby("cohort")["claimed"].any()
        print(
            f"{method}: {rows['claimed'].sum()} of {len(rows)} contrasts, "
            f"in {any_of.sum()} of {len(any_of)} cohorts at least one"
        )


if __name__ == "__main__":
    main()
