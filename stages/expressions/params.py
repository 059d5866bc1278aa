"""params.yaml of the expressions study, validated: its sections, and how they fit together.

Sections that are a dataclass of `eifer` are described there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from eifer.corpora.attributes import AttributesSpec
from eifer.corpora.division import DivisionSpec
from eifer.corpora.drawn import Drawing, DrawnSpec
from eifer.corpora.duplicates import CopiesSpec
from eifer.corpora.evaluation import EvaluationSpec
from eifer.corpora.evaluator import EvaluatorSpec
from eifer.corpora.labelled import CorpusSpec
from eifer.corpora.recipes import ExpressionRecipe
from eifer.corpora.relabelling import METHODS, Judge, RelabelSpec, judges
from eifer.errors import ParamsError, did_you_mean
from eifer.ranges import Count, Seed, Text
from eifer.tables.expressions import DRAWN, MERGED, WITHOUT
from stages._runtime.params_file import validated
from stages.params.sections import Arithmetic, Name, Names, Place, Section, each_once

Data = Annotated[tuple[Text, ...], AfterValidator(each_once)]


class Study(Section):
    """What the whole study shares."""

    name: Text = Field(description="what this study is called in reports")
    seed: Seed = Field(description="the one seed; everything random has a named sub-seed of it")
    corpora: Place = Field(description="folder of the corpora, relative to the study or absolute")


class Draw(Section):
    """The drawn corpora."""

    faces: Names = Field(max_length=1, description="their name; none where real corpora are given")
    planted: DrawnSpec | None = Field(description="what is drawn and planted; null without them")

    @model_validator(mode="after")
    def _planted(self) -> Self:
        if self.faces and self.planted is None:
            raise ValueError(
                "draw.planted is null, and draw.faces names faces: say what to draw, or write "
                "faces: [] where corpora are real"
            )
        return self


class Evaluator(Section):
    """The balanced evaluator."""

    size: EvaluatorSpec
    fill_ins: Drawing = Field(description="how faces are drawn that fill its empty cells")


class Relabel(Section):
    """Whether and how labels are doubted before training."""

    how: RelabelSpec
    network: Name = Field(description="of networks: the one that judges labels")
    also: Annotated[tuple[Literal[*METHODS], ...], AfterValidator(each_once)] = Field(  # type: ignore[valid-type]
        description="methods that are compared with it and not trained on"
    )
    judges: Annotated[tuple[Judge, ...], AfterValidator(each_once)] = Field(
        description="whose judgements how and also need; each is an instance of the stage judge"
    )

    @property
    def methods(self) -> tuple[str, ...]:
        """The one that is trained on first."""
        return tuple(dict.fromkeys([self.how.name, *self.also]))

    @model_validator(mode="after")
    def _judged(self) -> Self:
        needed = judges(self.methods)
        if set(self.judges) != set(needed):
            raise ValueError(
                f"judges must be [{', '.join(needed)}], by how ({self.how.name}) and also "
                f"({', '.join(self.also) or 'none'})"
            )
        return self


class Train(Section):
    """The matrix of trainings."""

    networks: Names = Field(min_length=1, description="of networks: which are trained")
    data: Data = Field(
        min_length=1,
        description=f"what they learn from: a corpus, {MERGED}, or {WITHOUT}CORPUS (all others)",
    )
    repetitions: Count = Field(description="trainings of each, from other random numbers")


class Report(Section):
    """What the report is made of."""

    planted_from: Place = Field(
        description="data/draw with drawn corpora, else another stage's folder: data/corpora"
    )


class Params(Section):
    """The whole of params.yaml."""

    protocol: Literal["expressions"]
    study: Study
    arithmetic: Arithmetic
    draw: Draw
    corpora: dict[Name, CorpusSpec] = Field(min_length=1)
    duplicates: CopiesSpec
    attributes: AttributesSpec
    evaluator: Evaluator
    split: DivisionSpec
    networks: dict[Name, ExpressionRecipe] = Field(min_length=1)
    relabel: Relabel
    train: Train
    evaluate: EvaluationSpec
    report: Report

    @model_validator(mode="after")
    def _named(self) -> Self:
        corpora, faults = list(self.corpora), []
        known = [*corpora, MERGED, *(WITHOUT + name for name in corpora)]
        for name in self.train.data:
            if name not in known:
                faults.append(f"train.data: no {name!r}{did_you_mean(name, known)}")
        if taken := [name for name in corpora if name in (MERGED, DRAWN, "all", "specialists")]:
            faults.append(f"corpora: {', '.join(taken)} means something else; name them otherwise")
        faults += [fault for name, spec in self.corpora.items() for fault in _leaving(name, spec)]
        if len(corpora) == 1 and [name for name in self.train.data if name != corpora[0]]:
            faults.append("train.data: with one corpus there is nothing to merge")
        for where, name in [
            ("relabel.network", self.relabel.network),
            *(("train.networks", name) for name in self.train.networks),
        ]:
            if name not in self.networks:
                faults.append(f"{where}: no {name!r}{did_you_mean(name, self.networks)}")
        wanted = "data/draw" if self.draw.faces else "data/corpora"
        if self.report.planted_from != wanted:
            faults.append(f"report.planted_from must be {wanted}, by draw.faces")
        if faults:
            raise ValueError("; ".join(faults))
        return self


def _leaving(name: str, spec: CorpusSpec) -> Iterator[str]:
    """What of a corpus lies elsewhere: DVC watches `study.corpora` alone, and would miss it."""
    for key, path in (("path", spec.path), ("votes", spec.votes)):
        place = PurePosixPath(path or "")
        if place.is_absolute() or ".." in place.parts:
            yield f"corpora.{name}.{key}: {path!r} leaves study.corpora; give a place in it"


def check_params(content: Any, subject: str) -> Params:
    """Validate what a params file says; ``subject`` names it in the error.

    Raises
    ------
    ParamsError
        With every unknown, missing or unfitting parameter, and its nearest name.
    """
    if isinstance(content, dict) and "protocol" not in content:
        raise ParamsError(f"{subject} is of an EI study: it has no word protocol")
    return validated(Params, content, subject)
