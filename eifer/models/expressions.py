"""Two more descriptions: seven expressions learnt from nothing, a backbone unfrozen by steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eifer.training.augmentation import Geometric, Mixup
from eifer.training.description import Description, Judged, Merit, Objective, Outputs, Part, Phase
from eifer.training.losses import CrossEntropy
from eifer.training.schedule import Plateau, WarmUpCosine
from eifer.training.spec import Geometry, Head, NetworkSpec, Rate

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


def step_by_step(
    spec: NetworkSpec,
    objectives: Sequence[Objective],
    merit: Merit,
    *,
    steps: Sequence[Sequence[str]],
    epochs: int,
    batch: int,
    rate: Rate,
    weight_decay: float,
    geometry: Geometry,
) -> Description:
    """A pretrained backbone under new heads, unfrozen by ``steps`` (modules, deepest first).

    The heads learn alone first; each step of ``epochs`` adds its modules to those before.
    """
    names = tuple(objective.head.name for objective in objectives)
    cosine = WarmUpCosine(rate, warmup_epochs=0, epochs=epochs)
    phases = [Phase("heads", epochs, (Part("heads", names, cosine),))]
    unfrozen: tuple[str, ...] = ()
    for modules in steps:
        unfrozen = (*unfrozen, *modules)
        parts = (Part("heads", names, cosine), Part("backbone", unfrozen, cosine))
        phases.append(Phase(f"from {modules[0]}", epochs, parts))
    return Description(
        network=spec,
        objectives=tuple(objectives),
        phases=tuple(phases),
        merit=merit,
        augmentation=(Geometric(geometry),),
        batch=batch,
        weight_decay=weight_decay,
        gradient_clip=0.0,
    )
