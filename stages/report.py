"""The report: what was asked, what was done, what was found, and what it can carry."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd

from eifer import paper_consistency, published
from eifer.designs import EI
from eifer.tables.attrition import ATTRITION
from eifer.tables.selection import CROPS
from eifer.tables.training import CURVES
from stages import catalogue
from stages._runtime.places import Given, MadeTable
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.params import Params

PARTS = ("spec.yml", "references.yml", "template.html", "style.css", "script.js", "graph-ei.svg")
SPEC, REFERENCES, *LOOKS, GRAPH = (Given(f"reports/{name}") for name in PARTS)
COHORT, FACES, NETWORKS = (Given(f"${{report.{n}_from}}") for n in ("cohort", "faces", "networks"))
DRAWN = {catalogue.SIMULATE: COHORT, catalogue.CORPUS: FACES}
"""What a study with data from elsewhere has not: its params then name another stage's folder."""
NOT_SHOWN = (catalogue.CODE, catalogue.REPORT, catalogue.TRAIN_EXTERNAL)
"""Of the external check the evaluation tells."""
SHOWN = [folder for folder in catalogue.FOLDERS if folder not in NOT_SHOWN]
FOLDERS = [DRAWN.get(folder, folder.whole) for folder in SHOWN]
APART = (ATTRITION, CROPS)
"""Gathered with the fragments of all stages; pictures are not shown."""
OF_EI = {"assignment": EI, "total": EI}
"""The details shown are those of the EI groups; of other assignments what stats says of them."""
SOURCES = [
    made.at(**{key: value for key, value in OF_EI.items() if key in made.matrix})
    for folder in SHOWN
    for made in folder.made
    if isinstance(made, MadeTable) and folder not in DRAWN and made.table not in APART
]
"""The tables that reports/spec.yml may name, by their names."""
LISTED = [given for given in (*FOLDERS, *SOURCES) if "network" not in given.matrix]
"""All but those of the external check, which few studies have: `NETWORKS` stands for them."""
ONLY = {catalogue.FRAMES: ["video_id", "frame", "status"]}
"""The columns wanted of tables that are too large to be read whole."""
JSON = (catalogue.CUTOFF, catalogue.CARD, catalogue.DISJOINTNESS)


@stage(
    catalogue.REPORT,
    params=tuple(Params.model_fields),
    given=(SPEC, REFERENCES, *LOOKS, GRAPH, NETWORKS, *LISTED),
)
def report(run: Run) -> Outcome:
    """Read what every stage left, and assemble the page as reports/spec.yml says."""
    # Here, so that `--help` and errors in params need not wait for matplotlib.
    from eifer.report import assembly, fragments, outcomes

    parts = fragments.gather([folder for given in FOLDERS for folder in run.paths(given)])
    sources = {
        **_tables(run),
        **{Path(made.name).stem: json.loads(run.path(made).read_text()) for made in JSON},
        **fragments.planted(run.path(COHORT)),
        "checks": parts.checks,
        "attrition": parts.attrition,
        **published.sources(),
        "consistency": paper_consistency.checks(),
    }
    agreed = sources["estimators_agreement"]
    sources["estimators_agreement"] = None if agreed is None or agreed.empty else agreed
    every = sources["by_assignment"]
    sources["relabelled"] = None if every is None or every["assignment"].nunique() < 2 else every
    put = assembly.Assembly(run.path(SPEC), run.path(REFERENCES), sources, parts, run.folder)
    videos, hashed = sources["videos"], ["video_sha256", "ecg_sha256"]
    facts = {
        **fragments.origin(run.params, [] if videos is None else videos[hashed].stack().dropna()),
        "simulated": sources["truth"] is not None,
        "drawn_faces": any(known["stage"] == "corpus" for known in parts.reports),
    }
    put.page(run.out(catalogue.PAGE), [run.path(look) for look in LOOKS], facts)
    numbers = {"checks": len(parts.checks), "failed": int((~parts.checks["success"]).sum())}
    return Outcome(
        dict.fromkeys((catalogue.PAGE, catalogue.FIGURES, catalogue.TABLES, catalogue.METHODS))
        | {catalogue.OUTCOMES: outcomes.outcomes(sources)},
        Report(f"The report shows what {parts.checks['stage'].nunique()} stages left.", numbers),
    )


def _tables(run: Run) -> dict[str, pd.DataFrame | None]:
    """The tables whose names are among the words of the spec, those of several folders as one.

    Of others there is only the name. They are not checked again: they were where they were made,
    and the outcome is shown.
    """
    words = set(re.findall(r"\w+", run.path(SPEC).read_text(encoding="utf-8")))
    parts: dict[str, list[pd.DataFrame]] = {}
    for made in SOURCES:
        first = made.table is CURVES and made.path.split("/")[1] == catalogue.PRETRAIN_EI.stage
        name = "first_curves" if first else made.table.name
        parts_of = parts.setdefault(name, [])
        if name in words and run.paths(made):
            parts_of.append(run.read(made, ONLY.get(made, made.table.names)))
    return {
        name: pd.concat(parts_of, ignore_index=True) if parts_of else None
        for name, parts_of in parts.items()
    }


if __name__ == "__main__":
    report.main()
