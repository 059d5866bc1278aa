"""A published corpus as its adapter found it, and what the study's design takes from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from eifer.cohort.layout import Exclusion
from eifer.errors import InputError, Problem
from eifer.tables.cohort import DOMAINS, HIGHEST_RATING, LOWEST_RATING, NEUTRAL_RATING, RUNS
from eifer.vocabulary import Dimension, Domain

LOWEST, MIDDLE, HIGHEST = 1.0, 5.0, 9.0
"""The scale on which DEAP, AMIGOS and MAHNOB-HCI were rated."""


@dataclass(frozen=True)
class Ecg:
    """An ECG: ``read`` gives it in mV; ``start_s`` is its first sample's time in the film."""

    hz: float
    start_s: float
    read: Callable[[], NDArray[np.float64]]


@dataclass(frozen=True)
class Trial:
    """A film shown to a participant; None is what the corpus lacks.

    ``order`` says which film was shown first. Ratings are from 1 to 9. ``cut_s`` is the time of
    the video's end that counts, where it goes on after the film.
    """

    participant: str
    order: int
    stimulus: str
    ratings: Mapping[Dimension, float] | None
    video: Path | None
    ecg: Ecg | None = None
    film_s: float | None = None
    cut_s: float | None = None


@dataclass(frozen=True)
class Person:
    """A participant: ``age`` in years or n/a, ``sex`` F, M or n/a."""

    participant: str
    age: str = "n/a"
    sex: str = "n/a"


@dataclass(frozen=True)
class Corpus:
    """What a corpus has. ``no_ecg`` says why nobody has an ECG, where that is so."""

    name: str
    people: Sequence[Person]
    trials: Sequence[Trial]
    no_ecg: str | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be written: each participant's trials by run, and what is left out and why."""

    corpus: Corpus
    domains: Mapping[str, Domain]
    runs: Mapping[str, Mapping[int, Trial]]
    exclude: Sequence[Exclusion]


def rating(value: float) -> int:
    """A rating from 1 to 9 on the study's scale from 1 to 7.

    Linear, so that ends and middle stay where they are: ``4 + (value - 5) * 6 / 8``, rounded
    to the nearest integer, halves away from the middle. Of integers 5 alone is neutral; of
    others those within 2/3 of it.
    """
    apart = (value - MIDDLE) * (HIGHEST_RATING - LOWEST_RATING) / (HIGHEST - LOWEST)
    # Halves go to even numbers here, which for the only ones that decimals reach, 1.5 either
    # side, is away from the middle.
    return NEUTRAL_RATING + round(apart)


def check(corpus: Corpus) -> None:
    """Refuse ratings off the scale.

    Raises
    ------
    InputError
        Naming each.
    """
    problems = [
        Problem(
            f"rating that is not from {LOWEST:g} to {HIGHEST:g}",
            f"{trial.participant} {trial.stimulus}: {dimension} {value:g}",
            "correct it in the corpus's own file, or take it out there",
        )
        for trial in corpus.trials
        for dimension, value in (trial.ratings or {}).items()
        if not LOWEST <= value <= HIGHEST
    ]
    if problems:
        raise InputError(corpus.name, problems)


def plan(corpus: Corpus, domains: Mapping[str, Domain] | None = None) -> Plan:
    """Choose for each participant one film of each domain.

    Where ``domains`` does not say of which domain a film is, it is of the one in which the mean
    of all ratings in the corpus lies (above or up to 5). Of a domain's films a participant gets
    the first with a face video and ratings, those with an ECG before others; among them the
    one whose mean rating is farther from 5 in arousal and valence, whichever is nearer.

    Raises
    ------
    InputError
        If a rating is off the scale, or no film is of one of the domains.
    """
    check(corpus)
    rated: dict[str, list[Trial]] = defaultdict(list)
    for trial in corpus.trials:
        if trial.ratings is not None:
            rated[trial.stimulus].append(trial)
    means = {
        film: {d: fmean(t.ratings[d] for t in trials if t.ratings) for d in Dimension}
        for film, trials in rated.items()
    }
    found = {
        film: next(d for d in Domain if all(d.label(k) == (mean[k] > MIDDLE) for k in Dimension))
        for film, mean in means.items()
    }
    if domains is not None:
        found = {film: domains[film] for film in found if film in domains}
    if absent := set(DOMAINS) - {domain.value for domain in found.values()}:
        where = ", ".join(
            f"{film} ({', '.join(f'{k} {v:.1f}' for k, v in means[film].items())})"
            for film in sorted(found)
        )
        raise InputError(
            corpus.name,
            [
                Problem(
                    f"no film of the domain {domain}",
                    where or "no film was rated",
                    "say of which domain each film is: --stimuli, a table with the columns "
                    "stimulus_id and domain",
                )
                for domain in sorted(absent)
            ],
        )
    clear = {film: min(abs(mean[k] - MIDDLE) for k in Dimension) for film, mean in means.items()}
    runs: dict[str, dict[int, Trial]] = {}
    exclude: list[Exclusion] = []
    for person in corpus.people:
        usable = [
            trial
            for trial in corpus.trials
            if trial.participant == person.participant
            and trial.video is not None
            and trial.ratings is not None
            and trial.stimulus in found
        ]
        usable.sort(key=lambda t: (t.ecg is None, -clear[t.stimulus], t.stimulus))
        first: dict[Domain, Trial] = {}
        for trial in usable:
            first.setdefault(found[trial.stimulus], trial)
        if not first:
            why = f"{corpus.name} has no face video with ratings of this participant"
            exclude.append(Exclusion(person.participant, why))
            continue
        chosen = sorted(first.values(), key=lambda trial: (trial.order, trial.stimulus))
        runs[person.participant] = dict(zip(RUNS, chosen, strict=False))
        exclude += _lacking(corpus, person.participant, runs[person.participant], first)
    films = {trial.stimulus for by_run in runs.values() for trial in by_run.values()}
    return Plan(corpus, {film: found[film] for film in sorted(films)}, runs, exclude)


def _lacking(
    corpus: Corpus, participant: str, runs: Mapping[int, Trial], first: Mapping[Domain, Trial]
) -> list[Exclusion]:
    """Exclusions of the runs and ECGs that a participant lacks."""
    absent = [domain for domain in Domain if domain not in first]
    none = [
        Exclusion(participant, f"{corpus.name} has no face video with ratings of a {d} film", run)
        for run, d in zip(RUNS[len(runs) :], absent, strict=True)
    ]
    if corpus.no_ecg is not None and len(runs) == len(RUNS):
        return [Exclusion(participant, corpus.no_ecg, recording="ecg")]
    why = corpus.no_ecg or f"{corpus.name} has no whole ECG of this film"
    silent = [run for run, trial in runs.items() if trial.ecg is None]
    return none + [Exclusion(participant, why, run, "ecg") for run in silent]
