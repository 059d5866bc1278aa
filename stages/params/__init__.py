"""params.yaml, validated: its sections, and what they must be to each other.

The file is the study's preregistration. What a machine may use (workers, memory) is not in it: see
``stages/_runtime/machine.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import model_validator

from eifer.calibration import CalibrationSpec
from eifer.errors import ParamsError, did_you_mean
from eifer.faces.extraction import ExtractSpec
from eifer.models.spec import block_repetitions
from eifer.training.backbones import backbone_card
from eifer.validation import ValidationSpec
from eifer.vocabulary import ESTIMATORS, Condition, Dimension, Group
from stages._runtime.params_file import read_params, validated
from stages.params import sections
from stages.params.sections import Arithmetic

__all__ = ["Arithmetic", "Params", "check_params", "load_params"]


class Params(sections.Section):
    """The whole of params.yaml."""

    study: sections.Study
    arithmetic: Arithmetic
    simulate: sections.Simulate
    corpus: sections.Corpus
    affect: sections.Affect
    extract: ExtractSpec
    estimate: sections.Estimating
    intake: ValidationSpec
    stratify: sections.Stratify
    select: sections.Select
    split: sections.Split
    training: sections.Training
    external: sections.External
    stats: sections.Stats
    calibrate: CalibrationSpec
    report: sections.ReportSources

    @model_validator(mode="after")
    def _declared_is_tested(self) -> Self:
        known = (Condition.BASELINE.value, *self.select.conditions)
        for claim in self.stats.participants.confirmatory:
            if claim.condition not in known:
                raise ValueError(
                    f"stats.participants.confirmatory names the condition {claim.condition!r}, "
                    f"which is not tested (there are {', '.join(known)})"
                    f"{did_you_mean(claim.condition, known)}"
                )
        return self

    @model_validator(mode="after")
    def _estimated_for_assignments(self) -> Self:
        read = self.estimate.also
        lacking = [n for n in self.split.assignments if n in ESTIMATORS and n not in read]
        if lacking:
            names = ", ".join(lacking)
            raise ValueError(
                f"split.assignments names {names}, and estimate.also does not: name {names} there "
                "too, or leave it out. An assignment of an estimator's name trains on the frames "
                "that this estimator would choose, which needs its estimates"
            )
        return self

    @model_validator(mode="after")
    def _check_is_shown(self) -> Self:
        wanted = "data/evaluate_external" if self.external.networks else "data/stats"
        if self.report.networks_from != wanted:
            named = ", ".join(self.external.networks) or "no network"
            raise ValueError(
                f"external.networks names {named}, so report.networks_from must be {wanted}"
            )
        return self

    @model_validator(mode="after")
    def _within_budget(self) -> Self:
        repetitions = sum(len(block_repetitions(block)) for block in self.training.blocks)
        # Of each task and assignment High and Low, pretrained and fine-tuned; Totals beside them.
        models = len(Dimension) * (4 * len(self.split.assignments) + len(self.split.totals))
        folds = len(Dimension) * len(Group) * len(self.external.networks) * self.external.folds
        asked = (models * repetitions + folds) * len(self.split.rotations)
        if asked > self.training.budget.trainings:
            raise ValueError(
                f"this design has {asked} trainings ({len(self.split.assignments)} assignments, "
                f"{len(self.split.rotations)} rotations, {repetitions} repetitions"
                f"{f', {folds} of other networks in each rotation' if folds else ''}), above "
                f"training.budget.trainings {self.training.budget.trainings}: name fewer, or "
                "raise the budget (eifer plan says what they take)"
            )
        return self

    @model_validator(mode="after")
    def _one_network(self) -> Self:
        card, affect = backbone_card(self.training.backbone), self.affect
        if affect.backbone != card.name:
            raise ValueError(
                f"affect.backbone {affect.backbone!r} and training.backbone {card.name!r} differ: "
                "training starts from affect's weights"
            )
        if (affect.mean, affect.std) != (card.mean, card.std):
            raise ValueError(
                f"training.backbone {card.name!r} takes mean {card.mean} and std {card.std}, "
                "affect.mean and affect.std are others: training starts from affect's weights"
            )
        return self


def load_params(path: Path) -> Params:
    """Read and validate a params file.

    Raises
    ------
    ParamsError
        With every unknown, missing or unfitting parameter, and its nearest name.
    """
    return check_params(read_params(path), str(path))


def check_params(content: Any, subject: str) -> Params:
    """Validate what a params file says, as `load_params`; ``subject`` names it in the error."""
    if isinstance(content, dict) and "protocol" in content:
        raise ParamsError(
            f"{subject} is of another kind of study; this works for the EI study alone"
        )
    return validated(Params, content, subject)
