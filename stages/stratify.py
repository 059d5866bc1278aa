"""High and low emotional intelligence: scores, heart-rate variability, and the cutoff between."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from eifer.cohort.layout import ecg_sidecar, read_ecg
from eifer.cohort.recordings import unchanged
from eifer.ei.cutoff import Scan, observations, scan
from eifer.ei.groups import assign
from eifer.ei.score import scores
from eifer.physiology.hrv import EcgSpec, analyse_ecg, attrition
from eifer.tables.attrition import ATTRITION
from eifer.tables.cohort import EI_ITEMS, VIDEOS
from eifer.tables.ei import CUTOFF_SCAN, CUTOFF_TESTS, EI_SCORES
from eifer.tables.physiology import ECG_QUALITY, HRV
from stages._runtime.stage import Given, Made, Outcome, Report, Run, stage

RECORDINGS = Given("data/intake/videos/wave-${study.waves}.parquet", VIDEOS)
ITEMS = Given("data/intake/ei_items.parquet", EI_ITEMS)
COHORT = Given("${study.cohort}")
GROUPS = Made("groups.parquet", EI_SCORES)
HEARTS = Made("hrv.parquet", HRV)
QUALITY = Made("ecg_quality.parquet", ECG_QUALITY)
SCAN = Made("cutoff_scan.parquet", CUTOFF_SCAN)
TESTS = Made("cutoff_tests.parquet", CUTOFF_TESTS)
CHOICE = Made("cutoff.json")
LEFT_OUT = Made("attrition.parquet", ATTRITION)


@stage(
    params=("study.cohort", "study.seed", "study.waves", "stratify"),
    given=(RECORDINGS, ITEMS, COHORT),
    made=(GROUPS, HEARTS, QUALITY, SCAN, TESTS, CHOICE, LEFT_OUT),
)
def stratify(run: Run) -> Outcome:
    """Score the EI test, analyse every ECG, choose the cutoff and assign the groups."""
    videos = run.read(RECORDINGS).dropna(subset="ecg_path").to_dict("records")
    work = partial(_recording, run.path(COHORT), run.params.stratify.ecg)
    results = list(run.each(work, videos, "stratify"))
    hrv = HRV.frame([row for rows, _ in results for row in rows])
    quality = ECG_QUALITY.frame([row for _, row in results])
    ei = scores(run.read(ITEMS))
    values = observations(hrv.merge(pd.DataFrame(videos)[["video_id", "domain"]], on="video_id"))
    cutoff = run.params.stratify.cutoff
    found = scan(
        values,
        values.index.get_level_values("participant_id").tolist(),
        values.index.get_level_values("domain").tolist(),
        ei.set_index("participant_id")["ei_score"],
        cutoffs=cutoff.candidates(),
        model=cutoff.model,
        alpha=cutoff.alpha,
        max_imbalance_share=cutoff.max_imbalance_share,
        permutations=cutoff.permutations,
        seed=run.seed(),
    )
    groups = assign(ei, found.cutoff, min_per_group=run.params.stratify.min_per_group)
    left_out = pd.concat([attrition(hrv, quality), found.attrition], ignore_index=True)
    return Outcome(
        {
            GROUPS: groups,
            HEARTS: hrv,
            QUALITY: quality,
            SCAN: found.table,
            TESTS: found.tests,
            CHOICE: {
                "cutoff": found.cutoff,
                "n_significant": found.n_significant,
                "permutation_p": found.p,
                "permutation_maxima": found.maxima.tolist(),
            },
            LEFT_OUT: left_out,
        },
        _report(groups, found, len(values.columns)),
    )


def _recording(cohort: Path, spec: EcgSpec, video: dict[str, Any]) -> tuple[Any, Any]:
    path = unchanged(cohort / video["ecg_path"], video["ecg_sha256"])
    return analyse_ecg(
        read_ecg(path, ecg_sidecar(cohort, video["ecg_path"])),
        video["ecg_hz"],
        video_id=video["video_id"],
        participant_id=video["participant_id"],
        spec=spec,
    )


def _report(groups: pd.DataFrame, found: Scan, variables: int) -> Report:
    sizes = groups["group"].value_counts()
    numbers = {
        "cutoff": found.cutoff,
        "n_significant": found.n_significant,
        "variables": variables,
        "permutation_p": round(found.p, 6),
        "high": int(sizes["High"]),
        "low": int(sizes["Low"]),
    }
    return Report(
        f"""The EI cutoff of {found.cutoff} was chosen because {found.n_significant} of {variables}
        HRV variables showed an interaction of group and emotion there. Choosing the best cutoff
        and testing it on the same data is double dipping: with EI scores permuted over
        participants, a count as large comes up with p = {found.p:.3f}. {numbers["high"]}
        participants scored above it (High), {numbers["low"]} did not (Low).""",
        numbers,
    )


if __name__ == "__main__":
    stratify.main()
