"""The comparisons in words: how the models were compared, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eifer.comparison.participants import ParticipantSpec
from eifer.comparison.published import ComparisonSpec
from eifer.statistics.robustness import EXACT_LIMIT


def methods(known: Mapping[str, Any], people: ParticipantSpec, source: ComparisonSpec) -> str:
    """How the models were compared; ``known`` are the numbers that the stage reports."""
    n = known["random_assignments"]
    labels = (
        f"""A model was called better only where random labels seldom did as much: p is the share of
        {n + 1} assignments whose difference lay at least as far from their mean [@phipson2010],
        with the same corrections."""
        if n
        else "No model was trained on random labels."
    )
    changed = "The declaration was changed afterwards, so nothing was confirmatory. " * bool(
        known["changed"]
    )
    return f"""In the primary analysis people were the sample. For the models that were trained on
        everybody last (fine-tuned) and for those that were trained on one group alone (pretrained),
        the difference of the models' ROC-AUC was taken among the frames of each of
        {known["test_participants"]} test participants and averaged over repetitions. A participant
        whose frames were all of one class had no difference. Over participants a t-test, the
        sign-flip test (exact up to {EXACT_LIMIT} participants, else of {people.flips} random
        assignments of signs), and two one-sided tests of equivalence [@schuirmann1987] with a
        margin of {people.margin:g} were made; beside them generalised
        estimating equations clustered on participants [@liang1986; @mancl2001], and a
        random-effects mean over repetitions by REML with the interval of Knapp and Hartung
        [@viechtbauer2005; @knapp2003]. Declared confirmatory before the run {known["declared"]}.
        {changed}All else was exploratory. p-values
        of declared tests were adjusted by Holm [@holm1979], all others by Benjamini and Hochberg
        [@benjamini1995] within {" and ".join(("each test", *people.family))}. {labels} The
        published procedure [@kim2026] was applied as well: in each of
        {known["published"]["repetitions"]}
        repetitions the ROC-AUC of High was compared with that of Low and of Total by a paired
        DeLong test [@delong1988; @sun2014]; over repetitions p-values were combined by Fisher's
        method [@fisher1932] and differences pooled with inverse-variance weights (fixed effect).
        Odds ratios of a right answer came from generalised estimating equations with group and
        repetition, clustered on frames, exchangeable, with robust standard errors. q-values were
        those of Benjamini and Hochberg within {" and ".join(("each method", *source.family))}."""


def results(known: Mapping[str, Any], source: ComparisonSpec) -> str:
    """What came of the comparisons; ``known`` are the numbers that the stage reports."""
    changed = "".join(
        f"The declaration was changed after the first training, so that nothing confirms: {c}. "
        for c in known["changed"]
    )
    published = known["published"]
    verdicts = ", ".join(f"{word} {n}" for word, n in known["verdicts"].items())
    within = "" if known["random_assignments"] else " A difference is one within this training."
    return f"""{changed}{known["test_participants"]} participants were tested; in the worst contrast
        {known["participants_used"]} of them had frames of both classes. In at most
        {known["participants_differ"]} participants the models differed, which allows no p below
        {known["smallest_p"]:.3g} without a model of their differences. Verdicts: {verdicts}.
        Inconclusive does not mean that there is no difference.{within} As published, of
        {published["contrasts"]} contrasts {published["fisher_q_below_alpha"]} had a Fisher q below
        {source.alpha:g} and {published["gee_q_below_alpha"]} a GEE q;
        {published["sign_conflicts"]} pooled differences contradicted the sign of the plain mean.
        The published procedure takes frames of {known["test_participants"]} people, and
        repetitions on one test set, for independent; a small q of it is no evidence that other
        people would give the same."""
