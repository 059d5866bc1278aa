"""High against Low and Total: over participants (primary), and by the published procedure."""

from __future__ import annotations

import json
from dataclasses import replace

from eifer.comparison import beside, participants, published, shown, text
from eifer.comparison.declaration import changes, claimed
from eifer.designs import EI
from eifer.tables.comparison import FINE_TUNED, PRETRAINED
from stages import catalogue
from stages._runtime.stage import Outcome, Report, Run, stage

ANSWERED = {FINE_TUNED: catalogue.PREDICTIONS, PRETRAINED: catalogue.PRETRAINED}


@stage(
    catalogue.STATS,
    params=("stats", "study.seed", "split.assignments"),
    given=(catalogue.DECLARATION, *ANSWERED.values()),
)
def stats(run: Run) -> Outcome:
    """Compare the models on the frames that all of them scored."""
    spec = run.params.stats
    before = json.loads(run.path(catalogue.DECLARATION).read_text(encoding="utf-8"))
    changed = changes(before, spec.participants)
    # What was declared after the first training confirms nothing.
    declared = replace(spec.participants, confirmatory=()) if changed else spec.participants
    rows = []
    for name in run.params.split.assignments:
        answered = {step: run.read(of.at(assignment=name)) for step, of in ANSWERED.items()}
        rows += participants.mean_differences(name, answered)
        if name == EI:
            predicted = answered
    by_assignment = catalogue.BY_ASSIGNMENT.table.frame(rows)
    # As published for the models of that procedure; of the others the tests of each repetition.
    listed = {name: published.as_published(p, spec.published) for name, p in predicted.items()}
    tests, comparison = listed[FINE_TUNED]
    of_each = {name: delong for name, (delong, _) in listed.items()}
    primary = participants.by_participant(
        predicted, of_each, declared, run.params.study.seed, by_assignment
    )
    made = {
        catalogue.DECLARED: primary.declared,
        catalogue.PARTICIPANT_DELTAS: primary.deltas,
        catalogue.BY_PARTICIPANT: primary.compared,
        catalogue.BY_ASSIGNMENT: by_assignment,
        catalogue.INTERACTION: beside.interaction(primary.deltas),
        catalogue.STABILITY: beside.stability(primary.deltas),
        catalogue.DELONG: tests,
        catalogue.COMPARISON: comparison,
    }
    in_people = shown.findings(primary.compared)
    in_source = shown.findings_as_published(comparison, spec.published)
    said = {"changed": changed, "declared": claimed(before)}
    numbers = {**in_people, **said, "published": in_source}
    methods = text.methods(numbers, declared, spec.published)
    return Outcome(made, Report(methods, numbers, text.results(numbers, spec.published)))


if __name__ == "__main__":
    stats.main()
