"""Models trained on the data of one EI group: the High-EI and the Low-EI weights."""

from __future__ import annotations

from eifer.vocabulary import Group
from stages._runtime.repetitions import PARAMS_READ, affect_origin, train_block
from stages._runtime.stage import Outcome, Run, stage
from stages.catalogue import CROPS, DECLARATION, PRETRAIN_EI, SAMPLES, WEIGHTS


@stage(PRETRAIN_EI, params=PARAMS_READ, given=(SAMPLES, CROPS, WEIGHTS, DECLARATION))
def pretrain_ei(run: Run) -> Outcome:
    """Train on one group, from the affect network."""
    return train_block(
        run,
        PRETRAIN_EI,
        SAMPLES,
        learns_from=Group(run.item["group"]),
        origin=affect_origin(run, WEIGHTS),
    )


if __name__ == "__main__":
    pretrain_ei.main()
