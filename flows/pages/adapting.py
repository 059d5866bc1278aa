"""``eifer adapt``: a published corpus in the cohort's layout, and a word on all that it lacks."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import yaml

from eifer.cohort.adapters import amigos, deap, mahnob
from eifer.cohort.adapters.corpus import Corpus, Plan, plan
from eifer.cohort.adapters.writing import read_ei, read_stimuli, write
from eifer.errors import StudyError
from flows.workspace import params_of

CORPORA: dict[str, Callable[[Path], Corpus]] = {
    "amigos": amigos.read,
    "deap": deap.read,
    "mahnob": mahnob.read,
}


def adapt(
    corpus: str, source: Path, out: Path, *, ei: Path | None, stimuli: Path | None, preset: Path
) -> None:
    """Write ``corpus`` at ``source`` as the cohort ``out``, with params that exclude what it lacks.

    Raises
    ------
    StudyError
        If the corpus, a table given beside it, the preset or the place to write is at fault.
    """
    chosen = plan(CORPORA[corpus](source), read_stimuli(stimuli) if stimuli else None)
    answers = read_ei(ei, chosen) if ei else {}
    lacking = _lacking(chosen, set(answers))
    print("\n".join(lacking), file=sys.stderr)
    params = out.with_name(f"{out.name}_params.yaml")
    if params.exists():
        raise StudyError(f"{params} is there already: move it away, or give another {out.name}")
    exclude = [asdict(exclusion) for exclusion in chosen.exclude]
    wanted = params_of(preset, {"study.name": corpus, "study.exclude": exclude})
    write(chosen, out, answers)
    (out / "README").write_text("\n".join((*_described(chosen), *lacking, "")))
    params.write_text(yaml.safe_dump(wanted, sort_keys=False), encoding="utf-8")
    runs = [trial for by_run in chosen.runs.values() for trial in by_run.values()]
    print(
        f"{out}: {len(chosen.runs)} of {len(chosen.corpus.people)} participants, {len(runs)} "
        f"videos, {sum(trial.ecg is not None for trial in runs)} ECGs\n"
        f"params with the exclusions: {params}; next: eifer validate {out} --params {params}"
    )


def _described(chosen: Plan) -> list[str]:
    films = ", ".join(f"{film} ({domain})" for film, domain in chosen.domains.items())
    return [
        f"{chosen.corpus.name}, brought into this form by eifer adapt.",
        "Ratings of 1 to 9 became 4 + (rating - 5) * 6 / 8, rounded, halves away from 4.",
        f"Films: {films}",
    ]


def _lacking(chosen: Plan, tested: set[str]) -> list[str]:
    """What the study needs and the corpus has not, a line each."""
    untested = sorted(set(chosen.runs) - tested)
    lines = [
        f"left out {times} times: {reason}"
        for reason, times in Counter(exclusion.reason for exclusion in chosen.exclude).items()
    ]
    if chosen.corpus.no_ecg:
        lines.append(
            "missing: every ECG. HRV chooses the cutoff between high and low EI, so that the stage "
            f"stratify refuses a cohort of {chosen.corpus.name} alone"
        )
    if untested:
        lines.append(
            f"missing: the EI test of {len(untested)} participants ({', '.join(untested)}). "
            f"{chosen.corpus.name} has none; the study compares people by it. Give a table with "
            "the columns participant_id, index, category, stimulus and correct: --ei FILE"
        )
    return lines
