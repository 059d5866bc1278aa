"""Made-up people: one latent person gives the EI answers, ratings, expressions and heart.

What EI shifts is planted here and nowhere else. With ability ``z`` (standard
normal over people) and ``e`` the effect's size, a positive quantity of a person is
``mean * exp(e * shift * z)``, a share has log-odds ``logit(mean) + e * shift * z``,
and the heart's response to a domain is ``response + e * shift * z``. With
``e = 0`` none of them knows of EI: a true null cohort.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pandas as pd
from annotated_types import Ge, Le, MinLen, MultipleOf
from numpy.typing import NDArray
from scipy.special import expit, logit

from eifer.cohort.simulation.reference import Reference
from eifer.ranges import Count, NotNegative, Positive, Share, Signed
from eifer.seeding import generator
from eifer.vocabulary import Dimension, Domain, EiIndex, Planted

CATEGORIES, STIMULI, POINTS = 4, 10, 10
EVENTS = (Planted.NO_FACE, Planted.EYES_CLOSED, Planted.OCCLUDED, Planted.TWO_FACES)

RATE_BPM = (48, 120)
"""Heart rates that are drawn; further ones are brought to the nearer end."""
SPREAD_MS = (4, 90)
"""The same for the spreads of beat intervals."""

Floats = NDArray[np.float64]
HOUR_S = 3600
EvenSide = Annotated[int, Ge(2), Le(8192), MultipleOf(2)]
"""H.264 holds pairs of pixels only, and no wider picture."""


@dataclass(frozen=True)
class EiSpec:
    """The EI test: mean and spread of the expected score (points of 1200), and the
    spread of a person's three indices around it (points of 400).
    """

    mean: Annotated[float, Ge(0), Le(1200)]
    sd: NotNegative
    index_sd: NotNegative


@dataclass(frozen=True)
class FeltSpec:
    """Felt affect on each dimension: plus or minus ``strength`` by the stimulus's domain,
    with spreads over people and over a person's videos (-1..1).
    """

    strength: Share
    person_sd: NotNegative
    video_sd: NotNegative


@dataclass(frozen=True)
class RatingSpec:
    """Ratings 1..7 = 4 + ``gain`` x (felt + noise), or 4 by an undecided answer.

    ``noise`` is the spread of the noise, ``neutral`` the share of undecided answers.
    ``reversed`` is the share of people, by dimension, who use its scale the wrong way
    round: 8 less the rating. Each shift is what one SD of EI does to it (log, log-odds).
    """

    gain: Positive
    noise: NotNegative
    noise_shift: Signed
    neutral: Share
    neutral_shift: Signed
    reversed: Mapping[Dimension, Share]
    reversed_shift: Signed

    def __post_init__(self) -> None:
        """Refuse what does not know every dimension."""
        absent = [dimension.value for dimension in Dimension if dimension not in self.reversed]
        if absent:
            raise ValueError(f"reversed lacks {', '.join(absent)}")


@dataclass(frozen=True)
class ExpressionSpec:
    """Expressed = ``coupling`` x felt x intensity, which wanders around 1 through time.

    ``coupling_shift`` is what one SD of EI does to the coupling (log). The intensity
    wanders with spread ``wander_sd`` and memory ``memory_s``, and
    ``excursions_per_minute`` times, for ``excursion_s``, it falls by
    ``excursion_depth``: above 1 the face moves to the other side.
    """

    coupling: NotNegative
    coupling_shift: Signed
    wander_sd: NotNegative
    memory_s: Positive
    excursions_per_minute: NotNegative
    excursion_s: Positive
    excursion_depth: NotNegative


@dataclass(frozen=True)
class DomainResponse:
    """The heart in one domain: change of its rate, and of the log of its beat-to-beat
    (vagal) variability; and what one SD of EI adds to each.
    """

    rate_bpm: Signed
    vagal_log: Signed
    ei_rate_bpm: Signed
    ei_vagal_log: Signed


@dataclass(frozen=True)
class AutonomicSpec:
    """The heart: over people, mean and spread of its rate, and of the spread of its beat
    intervals with breathing (``vagal_ms``) and with blood pressure (``slow_ms``), both with
    a log spread; ``video_*`` are spreads over a person's videos; ``response`` by domain.
    """

    rate_bpm: Annotated[float, Ge(RATE_BPM[0]), Le(RATE_BPM[1])]
    rate_sd_bpm: NotNegative
    vagal_ms: Annotated[float, Ge(SPREAD_MS[0]), Le(SPREAD_MS[1])]
    vagal_log_sd: NotNegative
    slow_ms: Annotated[float, Ge(SPREAD_MS[0]), Le(SPREAD_MS[1])]
    slow_log_sd: NotNegative
    video_rate_sd_bpm: NotNegative
    video_vagal_log_sd: NotNegative
    response: Mapping[Domain, DomainResponse]

    def __post_init__(self) -> None:
        """Refuse a heart that does not know every domain."""
        absent = [domain.value for domain in Domain if domain not in self.response]
        if absent:
            raise ValueError(f"response of the heart lacks {', '.join(absent)}")


@dataclass(frozen=True)
class VideoSpec:
    """The face videos: H.264 with constant rate factor ``crf`` (18 fine, 30 coarse), and
    the spread of the camera's noise in grey levels.
    """

    seconds: Annotated[Positive, Le(HOUR_S)]
    fps: Annotated[int, Ge(1), Le(240)]
    width_px: EvenSide
    height_px: EvenSide
    crf: Annotated[int, Ge(0), Le(51)]
    noise_levels: Annotated[float, Ge(0), Le(255)]


@dataclass(frozen=True)
class EcgSpec:
    """The ECG recordings: length, sampling rate, spread of the noise."""

    seconds: Annotated[Positive, Le(24 * HOUR_S)]
    hz: Count
    noise_mv: NotNegative


@dataclass(frozen=True)
class EventSpec:
    """Shares of a video's frames without a usable face, in runs of ``mean_s``."""

    no_face: Share
    eyes_closed: Share
    occluded: Share
    two_faces: Share
    mean_s: Positive

    def __post_init__(self) -> None:
        """Refuse events that leave too few plain faces."""
        shares = self.no_face + self.eyes_closed + self.occluded + self.two_faces
        if shares >= 0.9:
            raise ValueError(f"shares of events add up to {shares:.2f}; keep them below 0.9")


@dataclass(frozen=True)
class CohortSpec:
    """Everything planted in a cohort. ``effect`` multiplies every shift by EI: 0 is a true null.

    ``reference`` is what the effect does to models, as it was measured; null where it was not.
    """

    participants_per_wave: Annotated[tuple[Count, ...], MinLen(1)]
    effect: Signed
    ei: EiSpec
    felt: FeltSpec
    ratings: RatingSpec
    expression: ExpressionSpec
    autonomic: AutonomicSpec
    video: VideoSpec
    ecg: EcgSpec
    events: EventSpec
    reference: Reference | None


@dataclass(frozen=True)
class Viewing:
    """One person watching one video: what is felt, said, and done by the heart."""

    run: int
    domain: Domain
    felt: Mapping[Dimension, float]
    rating: Mapping[Dimension, int]
    rate_bpm: float
    vagal_ms: float
    slow_ms: float


@dataclass(frozen=True)
class Person:
    """A latent person. ``items`` are the EI answers, 120 rows."""

    participant_id: str
    ability: float
    female: bool
    age_years: int
    items: pd.DataFrame
    coupling: float
    rating_noise: float
    neutral_share: float
    reverses: frozenset[Dimension]
    breaths_hz: float
    viewings: tuple[Viewing, ...]

    @property
    def ei_score(self) -> int:
        """The score of the answers given, 0..1200."""
        return int(self.items["correct"].sum()) * POINTS


def person(spec: CohortSpec, number: int, seed: int) -> Person:
    """Draw the ``number``-th participant (from 1), who depends on nobody else in the cohort.

    People come in pairs of one able and one less able, in either order, so that
    a small cohort too has both; over pairs ability is standard normal.
    """
    who = f"sub-{number:02d}"

    def draws(*names: object) -> np.random.Generator:
        return generator(seed, "cohort", who, *names)

    first_is_able = generator(seed, "cohort", "pair", (number + 1) // 2).random() < 0.5
    able = first_is_able == (number % 2 == 1)
    ability = abs(float(draws("ability").standard_normal())) * (1 if able else -1)
    shifted = spec.effect * ability
    looks = draws("looks")
    coupling = spec.expression.coupling * np.exp(shifted * spec.expression.coupling_shift)
    noise = spec.ratings.noise * np.exp(shifted * spec.ratings.noise_shift)
    neutral = expit(logit(spec.ratings.neutral) + shifted * spec.ratings.neutral_shift)
    # From a stream of its own, so that it leaves all else as it was.
    scales = draws("scales")
    reverses = frozenset(
        d
        for d in Dimension
        if scales.random()
        < expit(logit(spec.ratings.reversed[d]) + shifted * spec.ratings.reversed_shift)
    )
    heart = draws("heart")
    return Person(
        participant_id=who,
        ability=ability,
        female=bool(looks.random() < 0.5),
        age_years=int(looks.integers(19, 66)),
        items=_items(spec.ei, ability, draws("ei")),
        coupling=float(coupling),
        rating_noise=float(noise),
        neutral_share=float(neutral),
        reverses=reverses,
        breaths_hz=float(heart.uniform(0.2, 0.3)),
        viewings=_viewings(
            spec,
            draws("viewings"),
            heart,
            shifted=shifted,
            noise=float(noise),
            neutral=float(neutral),
            reverses=reverses,
        ),
    )


def _items(spec: EiSpec, ability: float, rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for index in EiIndex:
        points = (spec.mean + spec.sd * ability) / 3 + spec.index_sd * rng.standard_normal()
        chance = np.clip(points / (CATEGORIES * STIMULI * POINTS), 0.02, 0.98)
        # Categories and stimuli differ in difficulty, the same on average.
        hard = rng.normal(0, 0.4, (CATEGORIES, STIMULI))
        correct = rng.random((CATEGORIES, STIMULI)) < expit(logit(chance) + hard - hard.mean())
        rows += [
            {"index": index.value, "category": c + 1, "stimulus": s + 1, "correct": int(right)}
            for (c, s), right in np.ndenumerate(correct)
        ]
    return pd.DataFrame(rows)


def _viewings(
    spec: CohortSpec,
    rng: np.random.Generator,
    heart: np.random.Generator,
    *,
    shifted: float,
    noise: float,
    neutral: float,
    reverses: frozenset[Dimension],
) -> tuple[Viewing, ...]:
    felt, auto = spec.felt, spec.autonomic
    bias = {d: rng.normal(0, felt.person_sd) for d in Dimension}
    rate = auto.rate_bpm + auto.rate_sd_bpm * heart.standard_normal()
    vagal = auto.vagal_ms * np.exp(auto.vagal_log_sd * heart.standard_normal())
    slow = auto.slow_ms * np.exp(auto.slow_log_sd * heart.standard_normal())
    domains = list(Domain)
    viewings = []
    for run, k in enumerate(rng.permutation(len(domains)), start=1):
        domain = domains[k]
        feels, rates = {}, {}
        for d in Dimension:
            level = felt.strength * (2 * domain.label(d) - 1) + bias[d]
            feels[d] = float(np.clip(level + rng.normal(0, felt.video_sd), -0.95, 0.95))
            rating = 4 + spec.ratings.gain * (feels[d] + noise * rng.standard_normal())
            undecided = rng.random() < neutral
            rates[d] = 4 if undecided else int(np.clip(np.rint(rating), 1, 7))
            if d in reverses:
                rates[d] = 8 - rates[d]
        does = auto.response[domain]
        beats = does.rate_bpm + shifted * does.ei_rate_bpm
        beats += auto.video_rate_sd_bpm * heart.standard_normal()
        calm = does.vagal_log + shifted * does.ei_vagal_log
        calm += auto.video_vagal_log_sd * heart.standard_normal()
        viewings.append(
            Viewing(
                run=run,
                domain=domain,
                felt=feels,
                rating=rates,
                rate_bpm=float(np.clip(rate + beats, *RATE_BPM)),
                vagal_ms=float(np.clip(vagal * np.exp(calm), *SPREAD_MS)),
                slow_ms=float(np.clip(slow, *SPREAD_MS)),
            )
        )
    return tuple(viewings)


def wander(rng: np.random.Generator, frames: int, keep: float, sd: float = 1.0) -> Floats:
    """Draw a first-order autoregression of spread ``sd`` that keeps ``keep`` of its last value."""
    steps = rng.standard_normal(frames) * sd
    steps[1:] *= np.sqrt(1 - keep**2)
    for k in range(1, frames):
        steps[k] += keep * steps[k - 1]
    return steps


def expressed(
    spec: ExpressionSpec,
    levels: Mapping[Dimension, float],
    frames: int,
    fps: float,
    rng: np.random.Generator,
) -> dict[Dimension, Floats]:
    """Draw what the face shows of ``levels`` (coupling x felt), one value a frame in -1..1 each.

    Both dimensions share the intensity, a first-order autoregression with excursions, so
    that the frames that show the one best show the other best, too.
    """
    keep = float(np.exp(-1 / (spec.memory_s * fps)))
    intensity = 1 + wander(rng, frames, keep, spec.wander_sd)
    time_s = np.arange(frames) / fps
    duration_s = frames / fps
    for _ in range(rng.poisson(spec.excursions_per_minute * duration_s / 60)):
        phase = (time_s - rng.uniform(0, duration_s)) / spec.excursion_s
        intensity -= spec.excursion_depth * np.where(
            np.abs(phase) < 0.5, np.cos(np.pi * phase) ** 2, 0
        )
    return {d: np.clip(level * intensity, -1, 1) for d, level in levels.items()}


def events(spec: EventSpec, frames: int, fps: float, rng: np.random.Generator) -> list[Planted]:
    """Draw what is planted in each frame: plain faces, interrupted by runs of something else."""
    shares = np.array([spec.no_face, spec.eyes_closed, spec.occluded, spec.two_faces])
    mean_frames = max(1.0, spec.mean_s * fps)
    # Starts so rare that, with the runs' length, the shares come out in the long run.
    start = shares / mean_frames / max(1e-9, 1 - shares.sum())
    planted: list[Planted] = []
    while len(planted) < frames:
        lot = rng.random()
        kind = int(np.searchsorted(np.cumsum(start), lot, side="right"))
        if kind == len(EVENTS):
            planted.append(Planted.FACE)
        else:
            # Mostly short (a blink), at times long.
            run = max(1, round(float(rng.exponential(mean_frames))))
            planted += [EVENTS[kind]] * run + [Planted.FACE]
    return planted[:frames]


def latent_values(someone: Person) -> dict[str, Any]:
    """Give a person's planted values as JSON can hold them."""
    by_index = someone.items.groupby("index", sort=False)["correct"].sum() * POINTS
    return {
        "ability": round(someone.ability, 6),
        "ei_score": someone.ei_score,
        "index_scores": {str(k): int(v) for k, v in by_index.items()},
        "coupling": round(someone.coupling, 6),
        "rating_noise": round(someone.rating_noise, 6),
        "neutral_share": round(someone.neutral_share, 6),
        "reverses": sorted(map(str, someone.reverses)),
        "breaths_hz": round(someone.breaths_hz, 6),
    }
