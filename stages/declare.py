"""What is declared before any training: which contrasts may confirm, and by which test."""

from __future__ import annotations

from eifer.comparison.declaration import claims, declaration
from stages import catalogue
from stages._runtime.stage import Outcome, Report, Run, stage


@stage(catalogue.DECLARE, params=(), frozen=("stats.participants",))
def declare(run: Run) -> Outcome:
    """Freeze what params say before the first training, which has this file as an input.

    DVC does not know what is read here. A later change in params therefore leaves this file, and
    with it the trainings, as they are, and ``stats`` finds the difference. To declare anew, run
    ``dvc repro --force --single-item declare``: DVC then trains anew as well.
    """
    made = declaration(run.params.stats.participants)
    named = claims(made)
    return Outcome(
        {catalogue.DECLARATION: made},
        Report(
            f"""Before any training it was declared which contrasts may confirm:
            {"; ".join(named) or "none"}; by the {run.params.stats.participants.test} test (sha256
            of the declaration: {made["sha256"]}).""",
            {"sha256": made["sha256"], "confirmatory": named},
        ),
    )


if __name__ == "__main__":
    declare.main()
