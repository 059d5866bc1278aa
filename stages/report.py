"""The report: what was asked, what was done, what was found, and what it can carry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eifer import published
from eifer.tables.affect import ESTIMATES
from eifer.tables.cohort import PARTICIPANTS, VIDEOS
from eifer.tables.ei import CUTOFF_SCAN, CUTOFF_TESTS, EI_SCORES
from eifer.tables.faces import COUNTS, FRAMES
from eifer.tables.partitions import CONDITIONS, PARTITIONS, SAMPLES
from eifer.tables.physiology import ECG_QUALITY, HRV
from eifer.tables.selection import SELECTION, SHORTFALL
from eifer.tables.simulation import LATENT
from stages._runtime.artifacts import read_table
from stages._runtime.fragments import Assembly, gather
from stages._runtime.stage import Given, Made, Outcome, Report, Run, stage

SPEC, TEMPLATE, STYLE = (Given(f"reports/{n}") for n in ("spec.yml", "template.html", "style.css"))
ORIGIN, FACES = Given("${report.cohort_from}"), Given("${report.faces_from}")
STAGES = (
    Given("data/intake"),
    Given("data/stratify"),
    Given("data/extract/wave-${study.waves}"),
    Given("data/affect"),
    Given("data/estimate/wave-${study.waves}"),
    Given("data/select/wave-${study.waves}"),
    Given("data/split"),
)
SOURCES = {
    "participants": Given("data/intake/participants.parquet", PARTICIPANTS),
    "videos": Given("data/intake/videos/wave-${study.waves}.parquet", VIDEOS),
    "scores": Given("data/stratify/groups.parquet", EI_SCORES),
    "hrv": Given("data/stratify/hrv.parquet", HRV),
    "ecg_quality": Given("data/stratify/ecg_quality.parquet", ECG_QUALITY),
    "cutoff_scan": Given("data/stratify/cutoff_scan.parquet", CUTOFF_SCAN),
    "cutoff_tests": Given("data/stratify/cutoff_tests.parquet", CUTOFF_TESTS),
    "cutoff": Given("data/stratify/cutoff.json"),
    "counts": Given("data/extract/wave-${study.waves}/counts.parquet", COUNTS),
    "frames": Given("data/extract/wave-${study.waves}/frames.parquet", FRAMES),
    "affect_card": Given("data/affect/card.json"),
    "estimates": Given("data/estimate/wave-${study.waves}/estimates.parquet", ESTIMATES),
    "selection": Given("data/select/wave-${study.waves}/selection.parquet", SELECTION),
    "shortfall": Given("data/select/wave-${study.waves}/shortfall.parquet", SHORTFALL),
    "partitions": Given("data/split/partitions.parquet", PARTITIONS),
    "samples": Given("data/split/samples.parquet", SAMPLES),
    "conditions": Given("data/split/conditions.parquet", CONDITIONS),
    "disjointness": Given("data/split/disjointness.json"),
}
PAGE, FIGURES, TABLES = Made("index.html"), Made("figures"), Made("tables")


@stage(
    params=("study.name", "study.waves", "report"),
    given=(SPEC, TEMPLATE, STYLE, ORIGIN, FACES, *STAGES, *SOURCES.values()),
    made=(PAGE, FIGURES, TABLES),
)
def report(run: Run) -> Outcome:
    """Read what every stage left, and assemble the page as reports/spec.yml says."""
    origin, faces = run.path(ORIGIN), run.path(FACES)
    folders = [folder for given in STAGES for folder in run.paths(given)]
    found = gather([*(f for f in (origin, faces) if (f / "report.json").exists()), *folders])
    sources = {name: _read(run, given) for name, given in SOURCES.items()} | _truth(origin)
    sources |= {
        "checks": found.checks,
        "attrition": found.attrition,
        "published_scores": published.performance(),
        "published_contrasts": published.contrasts(),
    }
    page = Assembly(run.path(SPEC), sources, found, run.folder).page(
        run.path(TEMPLATE),
        run.path(STYLE),
        {
            "study": run.params.study.name,
            "simulated": sources["truth"] is not None,
            "drawn_faces": (faces / "report.json").exists(),
        },
    )
    run.out(PAGE).write_text(page, encoding="utf-8")
    numbers = {"checks": len(found.checks), "failed": int((~found.checks["success"]).sum())}
    return Outcome({PAGE: None, FIGURES: None, TABLES: None}, Report("", numbers))


def _read(run: Run, given: Given) -> Any:
    # Checked where it was made, and the outcome is shown: no need to check a table again here.
    if given.table is not None:
        return run.read(given, given.table.names)
    return json.loads(run.path(given).read_text(encoding="utf-8"))


def _truth(origin: Path) -> dict[str, Any]:
    """What was planted, where the cohort comes from a simulation."""
    if not (origin / "truth.json").exists():
        return {"truth": None, "latent": None}
    truth = json.loads((origin / "truth.json").read_text(encoding="utf-8"))
    return {"truth": truth, "latent": read_table(origin / "latent.parquet", LATENT)}


if __name__ == "__main__":
    report.main()
