"""The Total model of each task: trained on everybody without a start from one EI group."""

from __future__ import annotations

from eifer.vocabulary import Group
from stages._runtime.repetitions import PARAMS_READ, affect_origin, train_block
from stages._runtime.stage import Outcome, Run, stage
from stages.catalogue import CROPS, DECLARATION, TOTAL_SAMPLES, TRAIN_TOTAL, WEIGHTS


@stage(TRAIN_TOTAL, params=PARAMS_READ, given=(TOTAL_SAMPLES, CROPS, WEIGHTS, DECLARATION))
def train_total(run: Run) -> Outcome:
    """Train on all groups, from the affect network."""
    return train_block(
        run,
        TRAIN_TOTAL,
        TOTAL_SAMPLES,
        learns_from=Group.TOTAL,
        origin=affect_origin(run, WEIGHTS),
    )


if __name__ == "__main__":
    train_total.main()
