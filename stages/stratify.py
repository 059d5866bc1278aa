"""High and low emotional intelligence: scores, heart-rate variability, and the cutoff between."""

from __future__ import annotations

from functools import partial
from operator import itemgetter

import pandas as pd

from eifer.ei.alternatives import alternatives
from eifer.ei.cutoff import Scan, scan_hrv
from eifer.ei.groups import assign
from eifer.ei.score import scores
from eifer.physiology.hrv import attrition
from eifer.physiology.recordings import analyse_recording
from stages import catalogue
from stages._runtime.stage import Outcome, Report, Run, stage

COMPARED = "Their number was therefore compared with those of scans of permuted EI scores."


@stage(
    catalogue.STRATIFY,
    params=("study.cohort", "study.seed", "study.waves", "stratify"),
    given=(catalogue.VIDEOS, catalogue.EI_ITEMS, catalogue.COHORT),
)
def stratify(run: Run) -> Outcome:
    """Score the EI test, analyse every ECG, choose the cutoff and assign the groups."""
    videos = run.read(catalogue.VIDEOS).dropna(subset="ecg_path")
    spec = run.params.stratify
    work = partial(analyse_recording, run.path(catalogue.COHORT), spec.ecg)
    recordings = videos.to_dict("records")
    results = list(run.each(work, recordings, "stratify", itemgetter("ecg_path")))
    hrv = catalogue.HRV.table.frame([row for rows, _ in results for row in rows])
    quality = catalogue.ECG_QUALITY.table.frame([row for _, row in results])
    ei = scores(run.read(catalogue.EI_ITEMS))
    scan = scan_hrv(hrv, videos, ei, spec.cutoff, seed=run.seed())
    groups = assign(ei, scan.cutoff, min_per_group=spec.min_per_group)
    left_out = pd.concat([attrition(hrv, quality), scan.attrition], ignore_index=True)
    return Outcome(
        {
            catalogue.EI_SCORES: groups,
            catalogue.HRV: hrv,
            catalogue.ECG_QUALITY: quality,
            catalogue.CUTOFF_SCAN: scan.table,
            catalogue.CUTOFF_TESTS: scan.tests,
            catalogue.CUTOFF_ALTERNATIVES: alternatives(scan, hrv, videos, ei, spec.cutoff),
            catalogue.CUTOFF: {
                "cutoff": scan.cutoff,
                "n_significant": scan.n_significant,
                "permutation_p": scan.p,
                "permutation_maxima": scan.maxima.tolist(),
            },
            catalogue.STRATIFY_ATTRITION: left_out,
        },
        _report(groups, scan, hrv["variable"].nunique(), quality),
    )


def _report(groups: pd.DataFrame, scan: Scan, variables: int, quality: pd.DataFrame) -> Report:
    sizes = groups["group"].value_counts()
    of_time = ("film_s", "usable_s", "before_s", "after_s")
    numbers = {
        "cutoff": scan.cutoff,
        "n_significant": scan.n_significant,
        "variables": variables,
        "permutation_p": None if scan.p is None else round(scan.p, 6),
        "high": int(sizes["High"]),
        "low": int(sizes["Low"]),
        **{name: round(float(quality[name].sum()), 1) for name in of_time},
    }
    return Report(
        f"""{variables} variables of heart rate variability were computed by NeuroKit2
        [@makowski2021] from the ECG of the films' time, without stretches of bad signal. The EI
        cutoff was, of those that leave groups of nearly equal size, the score at which most of
        these variables showed an interaction of group and emotion. The cutoff was chosen and its
        differences were tested on the same data, which makes them look larger than they are.
        {COMPARED * (scan.p is not None)}""",
        numbers,
        f"""At the cutoff of {scan.cutoff}, {scan.n_significant} of {variables} variables showed an
        interaction; {scan.by_chance}. {numbers["high"]} participants scored above the cutoff
        (High), {numbers["low"]} did not (Low). Of {numbers["film_s"]:.0f} s of film,
        {numbers["usable_s"]:.0f} s of ECG were used; {numbers["before_s"]:.0f} s before and
        {numbers["after_s"]:.0f} s after the films were left out.""",
    )


if __name__ == "__main__":
    stratify.main()
