"""The High and the Low model of each task: from one group's weights, trained on everybody."""

from __future__ import annotations

from eifer.vocabulary import Group
from stages._runtime.crops import IMAGES
from stages._runtime.repetitions import (
    ITEMS,
    MADE,
    PARAMS_READ,
    train_block,
    trained_origin,
)
from stages._runtime.stage import Given, Outcome, Run, stage

PRETRAINED = Given("data/pretrain_ei/task-${item.task}_group-${item.group}_block-${item.block}")


@stage(
    params=PARAMS_READ,
    given=(ITEMS, IMAGES, PRETRAINED),
    made=MADE,
    matrix=("task", "group", "block"),
)
def fine_tune_total(run: Run) -> Outcome:
    """Train on all groups, each repetition from the same one's weights of a group."""
    return train_block(
        run,
        learns_from=Group.TOTAL,
        training_group=Group(run.item["group"]),
        origin=trained_origin(run, PRETRAINED),
    )


if __name__ == "__main__":
    fine_tune_total.main()
