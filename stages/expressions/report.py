"""The report: what was asked, what was done, what was found, and what it can carry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from eifer.tables.attrition import ATTRITION
from eifer.tables.expressions import PICTURES, TRUTH
from stages._runtime.artifacts import read_table
from stages._runtime.places import Given, MadeTable
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.expressions import catalogue
from stages.expressions.params import Params

PARTS = (
    "expressions.yml",
    "references.yml",
    "template.html",
    "style.css",
    "script.js",
    "graph-expressions.svg",
)
SPEC, REFERENCES, *LOOKS, GRAPH = (Given(f"reports/{name}") for name in PARTS)
PLANTED = Given("${report.planted_from}")
"""What real corpora do not have: params then name another stage's folder."""
NOT_SHOWN = (catalogue.CODE, catalogue.REPORT, catalogue.DRAW)
SHOWN = [folder for folder in catalogue.FOLDERS if folder not in NOT_SHOWN]
APART = (ATTRITION, PICTURES)
SOURCES = [
    made
    for folder in SHOWN
    for made in folder.made
    if isinstance(made, MadeTable) and made.table not in APART and made != catalogue.IMAGES
]
"""The tables that reports/expressions.yml may name, by their names."""


@stage(
    catalogue.REPORT,
    params=tuple(Params.model_fields),
    given=(SPEC, REFERENCES, *LOOKS, GRAPH, PLANTED, *(f.whole for f in SHOWN), *SOURCES),
)
def report(run: Run) -> Outcome:
    """Read what every stage left, and assemble the page as reports/expressions.yml says."""
    from eifer import paper_consistency
    from eifer.corpora import outcomes, published
    from eifer.report import assembly, few, fragments
    from eifer.report.pseudonyms import NOBODY

    # A corpus has images; who is in them, few corpora say: there is nobody to name or to count.
    parts = fragments.gather(
        [*run.paths(PLANTED), *(path for folder in SHOWN for path in run.paths(folder.whole))],
        NOBODY,
    )
    tables, planted = _tables(run), _planted(run)
    sources: dict[str, Any] = {
        **tables,
        **planted,
        "checks": parts.checks,
        "attrition": parts.attrition,
        **published.sources(),
        "known_truth": outcomes.known_truth(tables["images"], planted[TRUTH.name]),
        "expression_consistency": paper_consistency.expression_checks(),
    }
    images = sources["images"]
    put = assembly.Assembly(
        run.path(SPEC), run.path(REFERENCES), sources, parts, run.folder, few.Few(1)
    )
    origin = fragments.origin(run.params, images["sha256"])
    facts = {
        **origin,
        "simulated": sources[TRUTH.name] is not None,
        "merging": outcomes.merging(sources["contrasts"]),
    }
    put.page(run.out(catalogue.PAGE), [run.path(look) for look in LOOKS], facts)
    return Outcome(
        dict.fromkeys((catalogue.PAGE, catalogue.FIGURES, catalogue.TABLES, catalogue.METHODS))
        | {catalogue.OUTCOMES: outcomes.outcomes(sources)},
        Report(f"The report shows what {parts.stages} stages left.", parts.checked()),
    )


def _tables(run: Run) -> dict[str, pd.DataFrame]:
    """The tables whose names are among the words of the declaration, those of folders as one."""
    words = set(re.findall(r"\w+", run.path(SPEC).read_text(encoding="utf-8")))
    named = {made.table.name: made for made in SOURCES if made.table.name in words}
    return {name: run.read(made, made.table.names) for name, made in named.items()}


def _planted(run: Run) -> dict[str, pd.DataFrame | None]:
    """What was planted in drawn corpora, and their pictures, which alone are shown."""
    path = run.path(PLANTED) / Path(catalogue.PLANTED.name)
    if not path.exists():
        return {TRUTH.name: None, PICTURES.name: None}
    return {
        TRUTH.name: read_table(path, TRUTH),
        PICTURES.name: run.read(catalogue.PICTURES, PICTURES.names),
    }


if __name__ == "__main__":
    report.main()
