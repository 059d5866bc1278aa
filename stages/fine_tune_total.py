"""The High and the Low model of each task: from one group's weights, trained on everybody."""

from __future__ import annotations

from eifer.vocabulary import Group
from stages._runtime.repetitions import PARAMS_READ, train_block, trained_origin
from stages._runtime.stage import Outcome, Run, stage
from stages.catalogue import CROPS, FINE_TUNE_TOTAL, PRETRAIN_EI, SAMPLES


@stage(FINE_TUNE_TOTAL, params=PARAMS_READ, given=(SAMPLES, CROPS, PRETRAIN_EI.whole))
def fine_tune_total(run: Run) -> Outcome:
    """Train on all groups, each repetition from the same one's weights of a group."""
    return train_block(
        run,
        FINE_TUNE_TOTAL,
        SAMPLES,
        learns_from=Group.TOTAL,
        origin=trained_origin(run, PRETRAIN_EI),
    )


if __name__ == "__main__":
    fine_tune_total.main()
