"""The report: what was asked, what was done, what was found, and what it can carry."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd

from eifer import paper_consistency, published
from eifer.designs import EI
from eifer.report.few import Few
from eifer.report.pseudonyms import Pseudonyms
from eifer.tables.attrition import ATTRITION
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
APART = (ATTRITION, catalogue.CROPS.table)
"""Gathered with the fragments of all stages; pictures are read where somebody allowed it."""
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
"""Of tables too large to be read whole."""
JSON = (catalogue.CUTOFF, catalogue.CARD, catalogue.DISJOINTNESS)


@stage(
    catalogue.REPORT,
    params=tuple(Params.model_fields),
    given=(SPEC, REFERENCES, *LOOKS, GRAPH, NETWORKS, *LISTED, catalogue.CROPS),
)
def report(run: Run) -> Outcome:
    """Read what every stage left, and assemble the page as reports/spec.yml says."""
    # Here, so that `--help` and errors in params need not wait for matplotlib.
    from eifer.report import assembly, faces, fragments, outcomes

    asked, people = run.params.report, run.read(catalogue.PARTICIPANTS, faces.WHO)
    origin = fragments.origin(run.params, run.read(catalogue.VIDEOS, fragments.HASHES).values.flat)
    names = Pseudonyms.of(people, asked.pseudonyms, run.params.study.seed, origin["data_sha256"])
    groups = run.read(catalogue.EI_SCORES, ["group"])["group"]
    few = Few.of(asked.least_people, groups, names.told([*people["participant_id"]]))
    selected = run.read(catalogue.SELECTION, faces.NEEDED)
    parts = fragments.gather([folder for given in FOLDERS for folder in run.paths(given)], names)
    read = {Path(made.name).stem: json.loads(run.path(made).read_text()) for made in JSON}
    given = {
        **_tables(run, names),
        **names.told(read | fragments.planted(run.path(COHORT))),
        "allowed_faces": faces.allowed(asked.faces, people, selected, run.paths(catalogue.CROPS)),
        "least_people": asked.least_people,
        "checks": parts.checks,
        "attrition": parts.attrition,
        **published.sources(),
        "consistency": paper_consistency.checks(),
    }
    sources = assembly.comparable(given)
    put = assembly.Assembly(run.path(SPEC), run.path(REFERENCES), sources, parts, run.folder, few)
    facts = {
        **origin,
        "pseudonyms": asked.pseudonyms,
        "simulated": sources["truth"] is not None,
        "drawn_faces": any(known["stage"] == "corpus" for known in parts.reports),
    }
    put.page(run.out(catalogue.PAGE), [run.path(look) for look in LOOKS], facts)
    return Outcome(
        dict.fromkeys((catalogue.PAGE, catalogue.FIGURES, catalogue.TABLES, catalogue.METHODS))
        | {catalogue.OUTCOMES: outcomes.outcomes(sources)},
        Report(f"The report shows what {parts.stages} stages left.", parts.checked()),
    )


def _tables(run: Run, names: Pseudonyms) -> dict[str, pd.DataFrame | None]:
    """The tables whose names are among the words of the spec, those of several folders as one.

    Of others there is only the name. They were checked where they were made.
    """
    words = set(re.findall(r"\w+", run.path(SPEC).read_text(encoding="utf-8")))
    parts: dict[str, list[pd.DataFrame]] = {}
    for made in SOURCES:
        first = made.table is CURVES and made.path.split("/")[1] == catalogue.PRETRAIN_EI.stage
        parts_of = parts.setdefault(name := "first_curves" if first else made.table.name, [])
        if name in words and run.paths(made):
            frame = run.read(made, ONLY.get(made, made.table.names))
            parts_of.append(names.table(frame, made.table.key))
    return {name: pd.concat(of, ignore_index=True) if of else None for name, of in parts.items()}


if __name__ == "__main__":
    report.main()
