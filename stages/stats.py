"""High against Low and Total: over participants (primary), and by the published procedure."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from eifer.comparison import beside, participants, published, shown
from eifer.comparison.declaration import changes
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
    said = [f"Changed after the first training, so that nothing confirms: {c}." for c in changed]
    said += [_over_participants(in_people, declared), _over_labels(in_people)]
    text = " ".join([*said, _as_published(in_source, spec.published)])
    return Outcome(made, Report(text, {**in_people, "changed": changed, "published": in_source}))


def _over_labels(known: dict[str, Any]) -> str:
    n = known["random_assignments"]
    if not n:
        return "No model was trained on random labels: a difference is one within this training."
    return f"""A model is called better only where random labels seldom do as much: p is the share
        of {n + 1} assignments whose difference lies at least as far from their mean, with the same
        corrections."""


def _over_participants(known: dict[str, Any], spec: participants.ParticipantSpec) -> str:
    verdicts = ", ".join(f"{word} {n}" for word, n in known["verdicts"].items())
    return f"""Primary analysis, with people as the sample: of each of {known["test_participants"]}
        test participants, for the models that were trained on everybody last (fine-tuned) and
        for those that were trained on one group alone (pretrained), the difference of the
        models' ROC-AUC among that person's own frames, averaged over repetitions (who has
        frames of one class alone has none and is listed; in the worst contrast
        {known["participants_used"]} have one). Over participants a t-test with K - 1 degrees of
        freedom, the exact sign-flip test, and two one-sided tests of equivalence with a margin
        of {spec.margin:g}; beside them a GEE clustered on participants (Mancl-DeRouen, t with K
        - 1), and a random-effects mean over repetitions (REML, Knapp-Hartung). Declared
        confirmatory before the run, by the {spec.test} test: {
        "; ".join(known["confirmatory"]) or "nothing"
    }; all else is exploratory. q is Holm's adjusted p for what was declared,
        and for all else Benjamini and Hochberg's within {
        " and ".join(("each test", *spec.family))
    }. {known["test_participants"]} participants allow no p below
        {known["smallest_p"]:.3g} without a model of their differences. Verdicts: {verdicts};
        inconclusive does not mean that there is no difference."""


def _as_published(known: dict[str, Any], spec: published.ComparisonSpec) -> str:
    return f"""As published: in each of {known["repetitions"]} repetitions the ROC-AUC of High was
        compared with that of Low and of Total by a paired DeLong test; over repetitions p-values
        were combined by Fisher's method and differences pooled with inverse-variance weights (fixed
        effect). Odds ratios of a right answer come from a GEE with group and repetition, clustered
        on frames, exchangeable, with robust standard errors. q-values are Benjamini and Hochberg's
        within {" and ".join(("each method", *spec.family))}. Of {known["contrasts"]} contrasts
        {known["fisher_q_below_alpha"]} have a Fisher q below {spec.alpha:g} and
        {known["gee_q_below_alpha"]} a GEE q; {known["sign_conflicts"]} pooled differences
        contradict the sign of the plain mean. This is the procedure as published: it takes frames
        of {known["test_participants"]} people and repetitions on one test set for independent, and
        a small q from it is not evidence that other people would give the same."""


if __name__ == "__main__":
    stats.main()
