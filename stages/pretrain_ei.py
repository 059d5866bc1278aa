"""Models trained on the data of one EI group: the High-EI and the Low-EI weights."""

from __future__ import annotations

from eifer.vocabulary import Group
from stages._runtime.crops import IMAGES
from stages._runtime.repetitions import (
    ITEMS,
    MADE,
    PARAMS_READ,
    affect_origin,
    train_block,
)
from stages._runtime.stage import Given, Outcome, Run, stage

AFFECT = Given("data/affect/weights.safetensors")


@stage(
    params=PARAMS_READ,
    given=(ITEMS, IMAGES, AFFECT),
    made=MADE,
    matrix=("task", "group", "block"),
)
def pretrain_ei(run: Run) -> Outcome:
    """Train on one group, from the affect network."""
    group = Group(run.item["group"])
    return train_block(
        run, learns_from=group, training_group=group, origin=affect_origin(run, AFFECT)
    )


if __name__ == "__main__":
    pretrain_ei.main()
