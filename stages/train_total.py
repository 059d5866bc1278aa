"""The Total model of each task: trained on everybody without a start from one EI group."""

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
    matrix=("task", "block"),
)
def train_total(run: Run) -> Outcome:
    """Train on all groups, from the affect network."""
    return train_block(
        run,
        learns_from=Group.TOTAL,
        training_group=Group.TOTAL,
        origin=affect_origin(run, AFFECT),
    )


if __name__ == "__main__":
    train_total.main()
