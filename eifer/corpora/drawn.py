"""Drawn corpora of labelled faces in which all is known: true labels, wrong ones, copies, people.

For the demo and tests, and for the faces that fill the evaluator's empty cells. An image is
drawn from its corpus, its number and the seed alone, so that a corpus can copy from another one
without having it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import cv2
import numpy as np
import pandas as pd
from annotated_types import Ge, Le, MinLen
from numpy.typing import NDArray

from eifer.cohort.simulation import face
from eifer.cohort.simulation.action_units import PROTOTYPES, expressive
from eifer.cohort.simulation.processes import Processes
from eifer.corpora.labelled import described
from eifer.ranges import Count, NotNegative, Part, Positive, Share, Text
from eifer.seeding import generator
from eifer.tables.expressions import (
    ATTRIBUTES,
    DRAWN,
    ETHNICITIES,
    GENDERS,
    MERGED,
    PICTURES,
    TRUTH,
    UNKNOWN,
)
from eifer.vocabulary import Expression

Image = NDArray[np.uint8]

TONES = ("light", "fair", "medium", "brown", "dark")
"""Tones of skin, each a fifth of the way from the lightest to the darkest."""
TONE_OF = dict(zip(("white", "asian", "other", "indian", "black"), TONES, strict=True))
"""The tone of a drawn person of whom a corpus says this ethnicity. A drawn face has a tone and no
ethnicity: the word is there so that drawn corpora have that column, as real ones do."""
YEARS = {"child": (5, 15), "young": (15, 30), "adult": (30, 65), "old": (65, 86)}
"""The ages of each band, the last year not in it."""
PLANTED = "planted"
"""The source of an attribute that was drawn so."""
COPIES = ("pixels", "scaled", "mirrored", "compressed")
"""How copies differ from their originals: not at all, by scaling, by mirroring, by compression."""
LEAST_PX = 96
"""Smaller pictures are drawn at a multiple of their side and reduced: lines need room."""
FINER = 1.4
"""Faces are drawn larger than shown by this, which smooths their edges."""
EYES_UP = 0.18
"""How far the eyes lie above a picture's middle, in units."""


@dataclass(frozen=True)
class Drawing:
    """How faces are drawn and photographed. Pairs are a lowest and a highest value.

    Parameters
    ----------
    size_px
        Side of a picture.
    colour
        Whether pictures have three channels.
    framing
        The share of a side that lies between eyes and chin: high is a tight crop.
    brightness
        Factor on all values.
    contrast
        Factor on their distances from mid-grey.
    line
        Factor on the width of drawn lines.
    blur_px
        Standard deviation of the blur.
    noise_levels
        Standard deviation of the camera's noise, in 256ths.
    jpeg_quality
        Quality of JPEG files; null for PNG files.
    background
        What lies behind the face: one tone, a room out of focus, or stripes.
    roll_deg
        Standard deviation of the head's roll.
    shift
        How far a face lies off the middle at most, as a share of a side.
    strength
        The strength of an expression.
    mixed
        How much at most of another expression is mixed in, as a share of that strength.
    """

    size_px: Annotated[int, Ge(24), Le(1024)]
    colour: bool
    framing: tuple[Part, Part]
    brightness: tuple[Positive, Positive]
    contrast: tuple[Positive, Positive]
    line: Annotated[Positive, Le(4)]
    blur_px: Annotated[NotNegative, Le(16)]
    noise_levels: Annotated[NotNegative, Le(255)]
    jpeg_quality: Annotated[int, Ge(1), Le(100)] | None
    background: Literal["plain", "room", "stripes"]
    roll_deg: Annotated[NotNegative, Le(45)]
    shift: Share
    strength: tuple[Share, Share]
    mixed: Share

    def __post_init__(self) -> None:
        """Refuse pairs whose first is above their second."""
        for name in ("framing", "brightness", "contrast", "strength"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} goes from {low} to {high}: give the lower one first")


@dataclass(frozen=True)
class DrawnCorpus:
    """One drawn corpus, and what is planted in it.

    Parameters
    ----------
    images
        All images, copies among them.
    drawing
        How they are drawn.
    classes
        The share of every class; what they add up to counts as 1.
    wrong
        The share of originals whose label is wrong.
    confusion
        For a class, what its wrong labels say, each with its share. A class that is not named
        here has no wrong labels.
    copies_within
        The share of images that are copies of others of this corpus.
    copies_across
        The share of images that are copies of images of other corpora.
    contradicting
        The share of copies whose label is not their original's.
    identities
        Whether the corpus says who is who.
    attributes
        Whether it says gender, age and ethnicity.
    images_per_identity
        Originals of a person.
    official_test
        The share of people in its own test part; null where it has no parts.
    """

    images: Count
    drawing: Drawing
    classes: Mapping[Expression, NotNegative]
    wrong: Share
    confusion: Mapping[Expression, Mapping[Expression, NotNegative]]
    copies_within: Share
    copies_across: Share
    contradicting: Share
    identities: bool
    attributes: bool
    images_per_identity: Count
    official_test: Share | None

    def __post_init__(self) -> None:
        """Refuse shares that cannot be drawn, all at once."""
        faults = []
        total = sum(self.classes.values())
        if not total:
            faults.append("classes: all shares are 0")
        for name, row in self.confusion.items():
            if name in row or not sum(row.values()):
                faults.append(f"confusion of {name}: name other classes, with shares above 0")
        confused = sum(self.classes.get(name, 0) for name in self.confusion)
        if total and self.wrong > confused / total:
            faults.append(
                f"wrong is {self.wrong}, but classes of confusion are {confused / total:.3f} of all"
            )
        copies = self.copies_within + self.copies_across
        if copies > 0.9:
            faults.append(f"copies_within and copies_across add up to {copies:.2f}: at most 0.9")
        if faults:
            raise ValueError("; ".join(faults))


@dataclass(frozen=True)
class DrawnSpec:
    """The drawn corpora by name."""

    corpora: Annotated[Mapping[Text, DrawnCorpus], MinLen(1)]

    def __post_init__(self) -> None:
        """Refuse names that mean something else, and copies from nowhere."""
        faults = [
            f"no corpus may be called {name!r}"
            for name in self.corpora
            if name in (DRAWN, MERGED) or "/" in name
        ]
        if len(self.corpora) == 1 and any(c.copies_across for c in self.corpora.values()):
            faults.append("copies_across: there is no other corpus to copy from")
        if faults:
            raise ValueError("; ".join(faults))


@dataclass(frozen=True)
class _Person:
    """Who is drawn; a corpus need not say it."""

    gender: str
    age: str
    age_years: float
    ethnicity: str
    tone: str


@dataclass(frozen=True)
class _Original:
    """A picture that is drawn: of which corpus's which person, its class and given label."""

    image_id: str
    corpus: str
    person: int
    label: Expression
    given: Expression
    official: str | None


@dataclass(frozen=True)
class _Copy:
    """A picture made from another one."""

    image_id: str
    of: _Original
    how: str
    given: Expression
    official: str | None


@dataclass(frozen=True)
class _Sitting:
    """The pictures of one person that are to be drawn: each with its name and class."""

    name: str
    who: _Person
    pictures: tuple[tuple[str, Expression], ...]
    drawing: Drawing
    seed: int


def draw_corpus(
    name: str, spec: DrawnSpec, *, seed: int, workers: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw the corpus ``name`` of ``spec``. ``workers`` processes never change a byte.

    Returns
    -------
    The images, with the columns of `described` and ``image``, their files, and the planted truth
    (the table TRUTH), which no stage but the report may read. Both by ``image_id``, ``NAME/00042``.

    Notes
    -----
    Numbers of images say nothing: copies stand among originals. A copy of an original with a
    wrong label has that label, too, unless it is one of ``contradicting``.
    """
    corpus = spec.corpora[name]
    originals = _originals(name, corpus, seed)
    copies = _copies(name, spec, originals, seed)
    wanted = {one.image_id: one for one in (*originals, *(copy.of for copy in copies))}
    files = _drawn(_sittings(wanted.values(), spec, seed), workers)
    for copy in copies:
        rng = generator(seed, "drawn", "copy", copy.image_id)
        files[copy.image_id] = _copied(files[copy.of.image_id], copy, name, corpus.drawing, rng)
    people = sorted({(one.corpus, one.person) for one in wanted.values()})
    names = {person: f"{name}-{k:04d}" for k, person in enumerate(people, start=1)}
    rows, truth = [], []
    everything: list[_Original | _Copy] = [*originals, *copies]
    for one in everything:
        drawn = one.of if isinstance(one, _Copy) else one
        same: dict[str, str | None] = {"image_id": one.image_id, "corpus": name}
        row = same | {"label": one.given, "official": one.official}
        if corpus.identities:
            row["identity"] = names[drawn.corpus, drawn.person]
        if corpus.attributes:
            who = _person(drawn.corpus, drawn.person, seed)
            row |= {key: getattr(who, key) for key in ATTRIBUTES}
        rows.append(row)
        copied = drawn.image_id if isinstance(one, _Copy) else None
        truth.append(same | {"label": drawn.label, "given": one.given, "copy_of": copied})
    images = described(rows, PLANTED)
    images["image"] = [files[image_id] for image_id in images["image_id"]]
    return images.sort_values("image_id", ignore_index=True), TRUTH.frame(truth)


def fill_in_name(label: str, gender: str, age: str, tone: str, number: int) -> str:
    """The name of a face of `draw_fill_ins`: the ``number``-th person of their kind, from 1."""
    return f"{DRAWN}/{gender}-{age}-{tone}-{number:03d}-{label}"


def draw_fill_ins(
    wanted: pd.DataFrame, drawing: Drawing, *, seed: int, workers: int = 1
) -> pd.DataFrame:
    """Draw faces of known class, gender, age and tone of skin: rows of PICTURES.

    Parameters
    ----------
    wanted
        A row a face, in any order: ``image_id`` (`fill_in_name`), ``label``, ``gender``, ``age``
        and ``tone`` (`TONES`). Faces whose names differ by their class are of one person.
    """
    sittings = []
    people = wanted.assign(person=[i.rpartition("-")[0] for i in wanted["image_id"]])
    for person, faces in people.groupby("person"):
        gender, age, tone = faces[["gender", "age", "tone"]].iloc[0]
        years = float(generator(seed, "drawn", "years", str(person)).uniform(*YEARS[age]))
        who = _Person(gender, age, years, UNKNOWN, tone)
        named = zip(faces["image_id"], map(Expression, faces["label"]), strict=True)
        sittings.append(_Sitting(str(person), who, tuple(named), drawing, seed))
    files = _drawn(sittings, workers)
    return PICTURES.frame([{"image_id": name, "image": files[name]} for name in files])


def _originals(name: str, corpus: DrawnCorpus, seed: int) -> list[_Original]:
    """Decide what is drawn for the corpus ``name``; cheap, so that other corpora can ask, too."""
    rng = generator(seed, "drawn", name, "originals")
    within, across = _numbers_of_copies(corpus)
    count = corpus.images - within - across
    labels = [label for label, n in _counts(corpus.classes, count).items() for _ in range(n)]
    labels = [labels[k] for k in rng.permutation(count)]
    given = list(labels)
    confused = [k for k, label in enumerate(labels) if label in corpus.confusion]
    wrong = min(round(corpus.wrong * count), len(confused))
    for k in rng.permutation(confused)[:wrong]:
        given[k] = _drawn_label(corpus.confusion[labels[k]], rng)
    people = math.ceil(count / corpus.images_per_identity)
    official = [_official(corpus, rng) for _ in range(people)]
    ids = _ids(name, corpus, seed)
    return [
        _Original(ids[k], name, person, labels[k], given[k], official[person])
        for k, person in enumerate(k // corpus.images_per_identity for k in range(count))
    ]


def _copies(name: str, spec: DrawnSpec, originals: list[_Original], seed: int) -> list[_Copy]:
    rng = generator(seed, "drawn", name, "copies")
    corpus = spec.corpora[name]
    within, across = _numbers_of_copies(corpus)
    others = [
        one
        for other in sorted(spec.corpora)
        if other != name and across
        for one in _originals(other, spec.corpora[other], seed)
    ]
    chosen = [
        pool[k]
        for pool, count in ((originals, within), (others, across))
        if count
        for k in rng.choice(len(pool), count, replace=count > len(pool))
    ]
    contradicting = set(rng.permutation(len(chosen))[: round(corpus.contradicting * len(chosen))])
    ids = _ids(name, corpus, seed)[len(originals) :]
    copies = []
    for k, (image_id, one) in enumerate(zip(ids, chosen, strict=True)):
        given = one.given
        if k in contradicting:
            others_than_it = {label: 1.0 for label in Expression if label != one.label}
            row = corpus.confusion.get(one.label, others_than_it)
            # A copy of a wrong label contradicts it by being right.
            given = _drawn_label(row, rng) if one.given == one.label else one.label
        how = COPIES[int(rng.integers(len(COPIES)))]
        copies.append(_Copy(image_id, one, how, given, _official(corpus, rng)))
    return copies


def _numbers_of_copies(corpus: DrawnCorpus) -> tuple[int, int]:
    return round(corpus.copies_within * corpus.images), round(corpus.copies_across * corpus.images)


def _ids(name: str, corpus: DrawnCorpus, seed: int) -> list[str]:
    numbers = generator(seed, "drawn", name, "numbers").permutation(corpus.images) + 1
    return [f"{name}/{number:05d}" for number in numbers]


def _counts(shares: Mapping[Expression, float], total: int) -> dict[Expression, int]:
    """``total`` divided by ``shares``: what is left of whole numbers goes to the largest rests."""
    exact = {label: total * shares.get(label, 0) / sum(shares.values()) for label in Expression}
    counts = {label: math.floor(value) for label, value in exact.items()}
    by_rest = sorted(Expression, key=lambda label: counts[label] - exact[label])
    for label in by_rest[: total - sum(counts.values())]:
        counts[label] += 1
    return counts


def _drawn_label(shares: Mapping[Expression, float], rng: np.random.Generator) -> Expression:
    labels = sorted(shares)
    weights = np.array([shares[label] for label in labels])
    return labels[int(rng.choice(len(labels), p=weights / weights.sum()))]


def _official(corpus: DrawnCorpus, rng: np.random.Generator) -> str | None:
    lot = rng.random()
    if corpus.official_test is None:
        return None
    return "test" if lot < corpus.official_test else "train"


def _person(corpus: str, number: int, seed: int) -> _Person:
    rng = generator(seed, "drawn", corpus, "person", number)
    years = float(rng.uniform(YEARS["child"][0], YEARS["old"][1]))
    age = next(band for band, (low, high) in YEARS.items() if low <= years < high)
    ethnicity = ETHNICITIES[int(rng.integers(len(ETHNICITIES)))]
    gender = GENDERS[int(rng.integers(len(GENDERS)))]
    return _Person(gender, age, years, ethnicity, TONE_OF[ethnicity])


def _sittings(originals: Iterable[_Original], spec: DrawnSpec, seed: int) -> list[_Sitting]:
    pictures: dict[tuple[str, int], list[tuple[str, Expression]]] = {}
    for one in originals:
        pictures.setdefault((one.corpus, one.person), []).append((one.image_id, one.label))
    return [
        _Sitting(
            f"{corpus}/person/{number}",
            _person(corpus, number, seed),
            tuple(those),
            spec.corpora[corpus].drawing,
            seed,
        )
        for (corpus, number), those in pictures.items()
    ]


def _drawn(sittings: list[_Sitting], workers: int) -> dict[str, bytes]:
    with Processes(workers, len(sittings)) as processes:
        files = list(processes.map(_files, sittings))
    return {
        image_id: file
        for sitting, those in zip(sittings, files, strict=True)
        for (image_id, _), file in zip(sitting.pictures, those, strict=True)
    }


def _files(sitting: _Sitting) -> list[bytes]:
    """Draw the pictures of one person, as files."""
    rng = generator(sitting.seed, "drawn", "looks", sitting.name)
    who, drawing = sitting.who, sitting.drawing
    looks = face.identity(
        rng,
        female=who.gender == "female",
        age_years=who.age_years,
        tone=TONES.index(who.tone) * 1.2 + float(rng.uniform(-0.3, 0.3)) + 0.1,
    )
    side = drawing.size_px * math.ceil(LEAST_PX / drawing.size_px)
    sitter = face.Portrait(
        looks,
        face.light(rng),
        side * float(np.mean(drawing.framing)) * FINER / face.SUPERSAMPLING,
        line=drawing.line,
        seen=_seen(drawing),
    )
    return [
        _encoded(
            _picture(sitter, label, side, drawing, generator(sitting.seed, "drawn", image_id)),
            drawing,
        )
        for image_id, label in sitting.pictures
    ]


def _seen(drawing: Drawing) -> tuple[float, float, float, float]:
    """What of the canvas can be in a picture, in units: the rest need not be drawn."""
    unit = drawing.framing[0]
    # Three standard deviations of roll; further, edges repeat, as they do below the canvas.
    turned = 1 + math.sin(math.radians(min(3 * drawing.roll_deg, 45))) / 2
    across = (0.5 + drawing.shift) / unit * turned
    above = (0.5 - EYES_UP * unit + drawing.shift) / unit * turned
    below = (0.5 + EYES_UP * drawing.framing[1] + drawing.shift) / unit * turned
    return (
        max(face.LEFT, -max(across, 0.85)),
        min(face.RIGHT, max(across, 0.85)),
        max(face.TOP, -max(above, 1.0)),
        min(face.BOTTOM, max(below, 1.5)),
    )


def _picture(
    sitter: face.Portrait,
    label: Expression,
    side: int,
    drawing: Drawing,
    rng: np.random.Generator,
) -> Image:
    """Draw one picture: grey ``[H, W]`` or BGR ``[H, W, 3]``."""
    strength = rng.uniform(*drawing.strength)
    other = tuple(Expression)[int(rng.integers(len(Expression)))]
    share = float(rng.uniform(0, drawing.mixed))
    units = dict.fromkeys(PROTOTYPES[label], strength * float(1 - share / 2))
    for unit in PROTOTYPES[other]:
        units[unit] = max(units.get(unit, 0.0), strength * share)
    act = expressive(
        sitter.who,
        {unit: value * float(rng.uniform(0.8, 1.0)) for unit, value in sorted(units.items())},
        lids=float(rng.uniform(0.9, 1.0)),
        gaze_x=float(np.clip(rng.normal(0, 0.35), -1, 1)),
        gaze_y=float(np.clip(rng.normal(0, 0.2), -1, 1)),
    )
    framing = float(rng.uniform(*drawing.framing))
    off = rng.uniform(-drawing.shift, drawing.shift, 2)
    pose = face.Pose(
        x_px=side * (0.5 + float(off[0])),
        y_px=side * (0.5 - EYES_UP * framing + float(off[1])),
        unit_px=side * framing,
        roll_deg=float(rng.normal(0, drawing.roll_deg)),
    )
    behind = _background(drawing.background, side, rng)
    lit = face.place(behind, sitter.layer(act), sitter, pose).astype(np.float32)
    gain, contrast = rng.uniform(*drawing.brightness), rng.uniform(*drawing.contrast)
    picture = (lit * gain - 128) * contrast + 128
    if not drawing.colour:
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    picture = cv2.resize(picture, (drawing.size_px,) * 2, interpolation=cv2.INTER_AREA)
    if drawing.blur_px:
        picture = cv2.GaussianBlur(picture, (0, 0), drawing.blur_px)
    noise = rng.standard_normal(picture.shape, dtype=np.float32) * drawing.noise_levels
    return np.clip(picture + noise, 0, 255).round().astype(np.uint8)


def _background(kind: str, side: int, rng: np.random.Generator) -> Image:
    if kind == "room":
        return face.background(rng, side, side)
    tone = rng.uniform(60, 220) + rng.uniform(-20, 20, 3)
    picture = np.broadcast_to(tone, (side, side, 3)).astype(np.float32)
    if kind == "stripes":
        along = np.indices((side, side)).astype(np.float32) / side
        angle, wide = rng.uniform(0, np.pi), rng.uniform(0.08, 0.3)
        place = along[0] * np.sin(angle) + along[1] * np.cos(angle)
        picture = picture * (0.85 + 0.25 * (place / wide % 1 < 0.5))[..., None]
    return np.clip(picture, 0, 255).round().astype(np.uint8)


def _encoded(picture: Image, drawing: Drawing) -> bytes:
    if drawing.jpeg_quality is None:
        return cv2.imencode(".png", picture)[1].tobytes()
    return _jpeg(picture, drawing.jpeg_quality)


def _jpeg(picture: Image, quality: int) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _copied(
    file: bytes, copy: _Copy, name: str, drawing: Drawing, rng: np.random.Generator
) -> bytes:
    """Make a copy of a picture's ``file`` for the corpus ``name``, in its size, channels, form."""
    flag = cv2.IMREAD_COLOR if drawing.colour else cv2.IMREAD_GRAYSCALE
    picture = _decoded(file, flag)
    side = drawing.size_px
    if copy.how == "pixels" and picture.shape[0] == side:
        # Compressed anew it would have other pixels.
        return file if copy.of.corpus == name else cv2.imencode(".png", picture)[1].tobytes()
    if copy.how == "scaled" and picture.shape[0] == side:
        picture = _scaled(picture, round(side * float(rng.uniform(0.7, 0.9))))
    if copy.how == "mirrored":
        picture = np.ascontiguousarray(picture[:, ::-1])
    picture = _scaled(picture, side)
    if copy.how == "compressed":
        picture = _decoded(_jpeg(picture, int(rng.integers(70, 86))), flag)
    return _encoded(picture, drawing)


def _decoded(file: bytes, flag: int) -> Image:
    picture = cv2.imdecode(np.frombuffer(file, np.uint8), flag)
    assert picture is not None, "a file that was just written"
    return np.asarray(picture, np.uint8)


def _scaled(picture: Image, side: int) -> Image:
    if picture.shape[0] == side:
        return picture
    how = cv2.INTER_AREA if side < picture.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (side, side), interpolation=how), np.uint8)
