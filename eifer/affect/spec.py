"""What is chosen about estimates of arousal and valence. Imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le, MinLen

from eifer.cohort import place
from eifer.errors import did_you_mean
from eifer.ranges import Count, Estimate, NotNegative, Part, Positive, Share, Signed, Text
from eifer.tables.faces import SHAPES
from eifer.training.spec import Geometry
from eifer.vocabulary import Dimension


@dataclass(frozen=True)
class AffectTraining:
    """The recipe: AdamW, a linear warm-up over ``warmup_share`` of the steps, then a cosine.

    The loss is MSE + ``ccc_weight`` x (1 - CCC), CCC per batch and averaged over the two
    dimensions, as is usual for AffectNet (Toisoul et al., Nature Machine Intelligence 2021).
    ``validation_share`` is the share of identities held out.
    """

    epochs: Count
    batch: Annotated[int, Ge(2), Le(65_536)]
    learning_rate: Positive
    weight_decay: NotNegative
    warmup_share: Share
    gradient_clip: NotNegative
    ccc_weight: NotNegative
    validation_share: Part
    augmentation: Geometry


@dataclass(frozen=True)
class Coordinates:
    """A place in the plane of arousal and valence, -1..1 each."""

    arousal: Estimate
    valence: Estimate


@dataclass(frozen=True)
class Places:
    """Where each expression lies."""

    angry: Coordinates
    disgust: Coordinates
    fear: Coordinates
    happy: Coordinates
    sad: Coordinates
    surprise: Coordinates
    neutral: Coordinates


@dataclass(frozen=True)
class ExpressionSpec:
    """Where each expression lies, and which place of the plane is 0.

    ``centre`` is taken off every estimate. Only sadness has low arousal, so that without a
    centre nearly every face would be aroused, neutral ones too.
    """

    coordinates: Places
    centre: Coordinates


@dataclass(frozen=True)
class TrainedSpec:
    """A network of seven expressions that the expressions study trained, and its places.

    ``path`` is its safetensors file, ``sha256`` the file's.
    """

    path: Text
    sha256: Text
    places: ExpressionSpec


# Left and right of what a face does on both sides, under one name; a jaw moves to one side.
PAIRS = {
    name.removesuffix("Left"): (name, name.removesuffix("Left") + "Right")
    for name in SHAPES
    if name.endswith("Left") and name not in ("jawLeft", "mouthLeft")
}


@dataclass(frozen=True)
class Term:
    """What a blendshape adds, fully there, to arousal and to valence.

    ``shape`` is one of MediaPipe's 52 names, or one without its Left and Right: the mean of both.
    """

    shape: Text
    arousal: Signed
    valence: Signed

    def __post_init__(self) -> None:
        """Refuse a blendshape that there is not."""
        known = (*PAIRS, *SHAPES)
        if self.shape not in known:
            hint = did_you_mean(self.shape, known) or f" (there are {', '.join(known)})"
            raise ValueError(f"no blendshape {self.shape!r}{hint}")


@dataclass(frozen=True)
class BlendshapeSpec:
    """A weighted sum of blendshapes, less ``centre``, cut to -1..1."""

    terms: Annotated[tuple[Term, ...], MinLen(1)]
    centre: Coordinates

    def __post_init__(self) -> None:
        """Refuse a blendshape that is named twice."""
        names = [term.shape for term in self.terms]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"terms name {', '.join(repeated)} twice: add their weights up")


@dataclass(frozen=True)
class OnnxSpec:
    """A network with outputs of arousal and valence, as an ONNX file.

    Parameters
    ----------
    path
        Where the file lies; null with a url.
    url
        Its address, from which `eifer assets --fetch --params params.yaml` fetches it; null with a
        path.
    sha256
        The file's.
    licence
        The file's, for the report.
    measured
        What it was measured to be worth, on what and by whom, for the report.
    size_px
        Side of the RGB picture that it takes.
    mean
        Taken off each channel, which is 0..1.
    std
        What each channel is then divided by.
    outputs
        What each of its outputs is, in their order: arousal and valence, each once, and names of
        expressions, whose logits they are.
    """

    path: Text | None
    url: Text | None
    sha256: Text
    licence: Text
    measured: Text
    size_px: Annotated[int, Ge(16), Le(2048)]
    mean: tuple[Share, Share, Share]
    std: tuple[Positive, Positive, Positive]
    outputs: tuple[Text, ...]

    def __post_init__(self) -> None:
        """Refuse a file of no place or of two, and outputs without arousal or valence."""
        if (self.path is None) == (self.url is None):
            raise ValueError("give path or url, and null for the other")
        if self.path is not None:
            place.local(self.path)
        elif not self.url.startswith("https://"):  # type: ignore[union-attr]
            raise ValueError(
                f"url {self.url} does not begin with https; give a file of this machine as path"
            )
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(
                f"sha256 {self.sha256!r} is not 64 hexadecimal digits (sha256sum FILE)"
            )
        wrong = [name for name in Dimension if self.outputs.count(name) != 1]
        if wrong or len(set(self.outputs)) < len(self.outputs):
            raise ValueError(
                f"outputs are {', '.join(self.outputs) or 'none'}: they must name each once, "
                f"{' and '.join(Dimension)} among them"
            )
