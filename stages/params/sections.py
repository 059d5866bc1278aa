"""The sections of params.yaml: every number with its range and meaning, and none with a default.

Sections that are a dataclass of `eifer` are described there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from eifer import designs
from eifer.affect.spec import AffectTraining, BlendshapeSpec, ExpressionSpec, OnnxSpec
from eifer.cohort import place
from eifer.cohort.layout import Exclusion
from eifer.cohort.simulation.corpus import CorpusSpec
from eifer.cohort.simulation.people import CohortSpec
from eifer.comparison import ComparisonSpec, ParticipantSpec
from eifer.ei.cutoff import ScanSpec
from eifer.errors import StudyError, did_you_mean
from eifer.faces.crops import CropSpec
from eifer.likeness import LikenessSpec
from eifer.models.spec import Heads, Recipe, Unfreezing, block_repetitions
from eifer.partitions import REGISTRY, Design
from eifer.physiology.hrv import EcgSpec
from eifer.ranges import LARGE, Count, Positive, Seed, Share, Text
from eifer.training.backbones import backbone_card, unfreezable
from eifer.training.spec import Hardware, NetworkSpec
from eifer.vocabulary import ESTIMATORS, EstimatorName

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _name(text: str) -> str:
    if not re.fullmatch("[A-Za-z0-9]{1,32}", text):
        raise ValueError("no name: 1 to 32 letters (A-Z, a-z) and digits, for it names folders")
    return text


def _checked(check: Callable[[Any], object]) -> AfterValidator:
    """``check`` as a validator: of its errors pydantic collects a ValueError alone."""

    def checked(value: Any) -> Any:
        try:
            check(value)
        except StudyError as error:
            raise ValueError(str(error)) from None
        return value

    return AfterValidator(checked)


Name = Annotated[str, AfterValidator(_name)]
Place = Annotated[Text, AfterValidator(place.local)]


def each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a name that comes twice."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"named twice: {', '.join(repeated)}")
    return names


Names = Annotated[tuple[Name, ...], AfterValidator(each_once)]


def _conditions(names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name + did_you_mean(name, REGISTRY) for name in names if name not in REGISTRY]
    if unknown:
        known = ", ".join(REGISTRY)
        raise ValueError(f"no test condition {', '.join(unknown)} (there are {known})")
    return each_once(names)


Conditions = Annotated[tuple[str, ...], AfterValidator(_conditions)]


class Section(BaseModel):
    """A part of params.yaml: unknown keys and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Study(Section):
    """What the whole study shares."""

    name: Text = Field(description="what this study is called in reports")
    seed: Seed = Field(description="the one seed; everything random has a named sub-seed of it")
    cohort: Place = Field(description="folder of raw recordings, relative to the study or absolute")
    waves: Names = Field(min_length=1, description="recruitment waves: units of work")
    exclude: tuple[Exclusion, ...] = Field(
        description="who and what is left out, with a reason; `withdrawn`: results tell no name"
    )
    crop: CropSpec = Field(description="what an aligned face crop shows")


class Arithmetic(Section):
    """How networks are computed: the last bits of an estimate follow it, and then a training."""

    device: Literal["cpu", "cuda"] = Field(description="where networks run")
    precision: Literal["float32", "bfloat16"] = Field(description="bfloat16: on cuda alone")
    devices: Annotated[int, Field(ge=1, le=64)] = Field(
        description="devices that share each batch in training"
    )
    compile: bool = Field(description="torch.compile networks before training")
    deterministic: bool = Field(description="a GPU repeats itself, at some cost; a CPU always does")
    batch: Annotated[int, Field(ge=1, le=65_536)] = Field(
        description="crops a network sees at once when estimating"
    )

    @model_validator(mode="after")
    def _fits_device(self) -> Self:
        if self.device == "cpu" and self.precision != "float32":
            raise ValueError("precision bfloat16 needs device cuda; a CPU computes in float32")
        return self

    def hardware(self, hold: Literal["auto", "device", "host"]) -> Hardware:
        """What a training may use, with the machine's choice of where its crops lie."""
        names = ("device", "devices", "precision", "compile", "deterministic")
        return Hardware(**{name: getattr(self, name) for name in names}, hold=hold)


class Simulate(Section):
    """The simulated cohort."""

    cohorts: Names = Field(max_length=1, description="its name; none where a real cohort is given")
    planted: CohortSpec | None = Field(description="what is planted; null without one")

    @model_validator(mode="after")
    def _planted(self) -> Self:
        if self.cohorts and self.planted is None:
            raise ValueError("simulate.planted says what to plant; it is null")
        return self


class Corpus(Section):
    """The drawn affect corpus."""

    faces: Names = Field(max_length=1, description="its name; none where it is not needed")
    drawn: CorpusSpec | None = Field(description="what is drawn; null without one")

    @model_validator(mode="after")
    def _drawn(self) -> Self:
        if self.faces and self.drawn is None:
            raise ValueError("corpus.drawn says what to draw; it is null")
        return self


class Initial(Section):
    """Weights that training starts from."""

    path: Place
    sha256: Sha256


class Affect(Section):
    """The network that estimates arousal and valence."""

    origin: Place = Field(description="a corpus to train on, or weights to take")
    sha256: Sha256 | None = Field(description="of the weights; null: origin is a corpus")
    licence: Text = Field(description="of the origin, for the model card")
    backbone: str = Field(description="a timm name")
    mean: tuple[Share, Share, Share]
    std: tuple[Positive, Positive, Positive]
    initial: Initial | None = Field(description="weights to start training from; null: random")
    training: AffectTraining | None = Field(description="the recipe; null with given weights")

    @model_validator(mode="after")
    def _recipe(self) -> Self:
        if self.sha256 is None and self.training is None:
            raise ValueError("give affect.sha256 (weights) or affect.training (a corpus)")
        return self

    def network(self, size_px: int) -> NetworkSpec:
        """The network and the crops it takes."""
        return NetworkSpec(self.backbone, size_px, self.mean, self.std)


class Estimating(Section):
    """What reads arousal and valence from a face."""

    estimator: EstimatorName = Field(
        description="network: that of affect; expression: a network of seven expressions of real "
        "faces, not AffectNet-trained; blendshapes: a weighted sum of what moves in the face; "
        "onnx: a file, such as EmotiEffLib's"
    )
    also: Annotated[tuple[EstimatorName, ...], AfterValidator(each_once)] = Field(
        description="others, compared with it on the same frames; an assignment of another's name "
        "trains on the frames that it would choose"
    )
    expression: ExpressionSpec | None
    blendshapes: BlendshapeSpec | None
    onnx: OnnxSpec | None

    @model_validator(mode="after")
    def _described(self) -> Self:
        if self.estimator in self.also:
            raise ValueError(f"also names {self.estimator}, which is the estimator: leave it out")
        for name in (name for name in ESTIMATORS if name != "network"):
            named, given = name in (self.estimator, *self.also), getattr(self, name) is not None
            if named and not given:
                raise ValueError(
                    f"estimate.{name} is null, but {name} is to estimate: describe it as "
                    "presets/real.yaml or docs/how-to/bring-your-own-cohort.md does"
                )
            if given and not named:
                raise ValueError(
                    f"estimate.{name} is described, but neither estimator nor also names {name}: "
                    "name it, or write null"
                )
        return self


class Stratify(Section):
    """EI groups, and the physiology that chooses their cutoff."""

    ecg: EcgSpec
    cutoff: ScanSpec
    min_per_group: Count


class Select(Section):
    """Frames kept of each video."""

    top: Count = Field(description="frames per video and dimension")
    conditions: Conditions = Field(min_length=1, description="test conditions, by name")
    frames_per_video: Count = Field(description="frames of a video in a sampled condition")


class Split(Section):
    """Who trains, validates and tests, and who counts as High and Low."""

    rotations: Names = Field(
        min_length=1,
        description="rounds of training and testing: one, with a fixed test set, or three and "
        "more, in which everybody is tested once",
    )
    assignments: Annotated[Names, _checked(designs.check_names)] = Field(
        min_length=1,
        description="ei (the cutoff), and beside it the same groups: matched (cut to equal sizes), "
        "own (task_frames: own, in training), clear (no frames of neutral ratings in training), "
        "final (the last epoch kept), blendshapes (frames for training chosen by this or another "
        "estimator of estimate.also); other groups: tertiles (of the EI score), above850 (another "
        "cutoff), null01, null02 ... (random labels)",
    )
    totals: Names = Field(
        description="assignments with a Total model of their own; the others take that of ei"
    )
    design: Design
    task_frames: Literal["all", "own"]
    likeness: LikenessSpec

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        own = [name for name in self.assignments if name in designs.SAME_GROUPS]
        if sorted(self.totals) != sorted(own):
            raise ValueError(
                f"totals must be [{', '.join(own)}]: of the assignments, those that change what "
                "everybody's model learns from, or which of its epochs is kept"
            )
        if designs.OWN in self.assignments and self.task_frames == "own":
            raise ValueError(
                "with task_frames own the assignment own is ei once more: leave it out of "
                "assignments and totals"
            )
        if len(self.rotations) == 2:
            raise ValueError("rotations: name one, or at least three (train, validate, test)")
        if len(self.rotations) > 1 and self.design.test_participants:
            raise ValueError(
                "design.test_participants names a fixed test set, but in several rotations "
                "everybody is tested: leave it empty, or name one rotation"
            )
        return self


class Budget(Section):
    """What the trainings of the whole design may take."""

    trainings: Annotated[int, Field(ge=1, le=LARGE)] = Field(
        description="most trainings; a larger design is refused before anything runs"
    )
    hours: Positive = Field(description="most hours of one device, as eifer plan counts them")
    storage_gb: Positive = Field(description="most gigabytes of weights, likewise")


class Training(Section):
    """The classifiers: one backbone and one recipe for every model of the study."""

    backbone: Annotated[str, _checked(backbone_card)] = Field(
        description="a name in eifer/training/backbones.py; affect's own"
    )
    heads: Heads = Field(description="new heads in each training, or carried where there are any")
    blocks: tuple[Annotated[str, _checked(block_repetitions)], ...] = Field(
        min_length=1, description="repetitions that one process trains: 3, or 1-5"
    )
    recipe: Recipe
    budget: Budget

    @model_validator(mode="after")
    def _blocks_partition(self) -> Self:
        numbers = [n for block in self.blocks for n in block_repetitions(block)]
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            raise ValueError(f"blocks hold repetitions {numbers}; each of 1 to n stands in one")
        return self


class External(Section):
    """The external check: other networks, unfrozen step by step, in folds."""

    networks: Names = Field(
        description="networks to train, of those in eifer/training/backbones.py that name their "
        "blocks, written without underscores; none: no external check"
    )
    weights: dict[str, Initial] = Field(
        description="what a network starts from; one that is not named starts from random numbers"
    )
    folds: Annotated[int, Field(ge=2, le=100)] = Field(
        description="folds over the people not tested, in the place of repetitions"
    )
    unfreezing: Unfreezing

    @model_validator(mode="after")
    def _known(self) -> Self:
        known = unfreezable()
        for name in (*self.networks, *self.weights):
            if name not in known:
                raise ValueError(
                    f"no network {name!r} (there are {', '.join(known)}){did_you_mean(name, known)}"
                )
        if unused := sorted(set(self.weights) - set(self.networks)):
            raise ValueError(f"weights are given for {', '.join(unused)}, not among networks")
        blocks = len(self.unfreezing.epochs) - 1
        for name in self.networks:
            if blocks > len(known[name].blocks):
                raise ValueError(
                    f"unfreezing.epochs has {blocks} numbers after the first, but {name} has "
                    f"{len(known[name].blocks)} blocks to unfreeze"
                )
        return self


class Stats(Section):
    """The comparison of the models: over participants (primary), and as published."""

    participants: ParticipantSpec
    published: ComparisonSpec


class ReportSources(Section):
    """What the report shows that only some studies have, and what it tells of single people."""

    cohort_from: Literal["data/simulate", "data/intake"] = Field(
        description="the cohort's origin: a simulated one, or intake"
    )
    faces_from: Literal["data/corpus", "data/affect"] = Field(
        description="the drawn corpus, or affect where there is none"
    )
    networks_from: Literal["data/evaluate_external", "data/stats"] = Field(
        description="the external check, or stats where external.networks names none"
    )
    faces: Annotated[tuple[Text, ...], AfterValidator(each_once)] = Field(
        description="participants who allowed that their face is shown: a crop of each of their "
        "videos; no other face is in the report"
    )
    pseudonyms: bool = Field(
        description="codes (P01) in the place of participants' ids, in all that the report holds; "
        "whoever has the study can compute the key again: pseudonymity, not anonymity"
    )
    least_people: Annotated[int, Field(ge=1, le=1000)] = Field(
        description="the smallest number of people that a table may show: smaller counts are "
        "withheld, and so are numbers that would reveal them; above 1, figures and tables that "
        "show single people (a row or mark a person) are left out; 1: all is shown"
    )
