"""Seven expressions, learnt from nothing: a description for the one engine."""

from __future__ import annotations

from dataclasses import dataclass

from eifer.training.augmentation import Geometric, Mixup
from eifer.training.description import Description, Judged, Objective, Outputs, Part, Phase
from eifer.training.losses import CrossEntropy
from eifer.training.schedule import Plateau
from eifer.training.spec import Geometry, Head, NetworkSpec

CLASSES = 7
EXPRESSION = Head("expression", CLASSES)


@dataclass(frozen=True)
class Accuracy:
    """The share of faces whose likeliest expression is right; between equals, the lower loss."""

    def __call__(self, outputs: Outputs, targets: Outputs, loss: float) -> Judged:
        """Accuracy."""
        right = outputs[EXPRESSION.name].argmax(1) == targets[EXPRESSION.name].argmax(1)
        accuracy = float(right.double().mean())
        return (accuracy, -loss), {"accuracy": accuracy}


def from_nothing(
    spec: NetworkSpec,
    *,
    epochs: int,
    batch: int,
    rate: Plateau,
    weight_decay: float,
    mixup_alpha: float,
    geometry: Geometry,
    patience: int,
) -> Description:
    """Seven classes with Mixup, a rate that falls on plateaus, and an early end."""
    everything = Part("network", ("backbone", EXPRESSION.name), rate)
    return Description(
        network=spec,
        objectives=(Objective(EXPRESSION, CrossEntropy()),),
        phases=(Phase("all", epochs, (everything,)),),
        merit=Accuracy(),
        augmentation=(Geometric(geometry), Mixup(mixup_alpha)),
        batch=batch,
        weight_decay=weight_decay,
        gradient_clip=0.0,
        patience=patience,
    )
