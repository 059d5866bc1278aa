"""What an audit knows of the expressions study: four links, and the trail of a cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from eifer.corpora import evaluation
from eifer.corpora.division import training_sets
from eifer.seeding import sub_seed
from eifer.tables.expressions import ATTRIBUTES, SPECIALISTS
from flows.audit.again import cells, differences, repeated
from flows.audit.hashes import unlike_recorded
from flows.audit.route import Known, Link, Route, Source, Step, Titled
from flows.audit.study import PARAMS, Recorded, Verdict
from stages._runtime.artifacts import read_table
from stages._runtime.kinds import check_study
from stages._runtime.places import MadeTable
from stages.expressions import catalogue


def raw(study: Recorded) -> Verdict:
    """The images, their labels and hashes are those of the corpora as they lie there."""
    verdict = Verdict("raw files", of="stage corpora run again on the corpora, and dvc.lock")
    if not (study.root / study.recordings).exists():
        verdict.unchecked.append(f"{study.recordings}: the corpora are not on this machine")
        return verdict
    unlike_recorded(study, catalogue.CORPORA.stage, verdict)
    differences(study, catalogue.CORPORA.stage, verdict)
    return verdict


def scores(study: Recorded) -> Verdict:
    """Scores, their intervals and contrasts are those of the recorded answers."""
    verdict = Verdict("scores", of="data/evaluate computed again from its answers")
    stage = catalogue.EVALUATE.stage
    if stage not in study.lock:
        verdict.unchecked.append(f"{stage}: has not run")
        return verdict
    params = check_study(study.params, PARAMS)
    found = evaluation.evaluate(
        _stored(study, catalogue.ANSWERS),
        _stored(study, catalogue.DESCRIBED),
        _stored(study, catalogue.DIVISION),
        _stored(study, catalogue.EVALUATED),
        _stored(study, catalogue.ATOMS),
        _stored(study, catalogue.RELABELLED),
        params.evaluate,
        sub_seed(params.study.seed, stage),
    )
    for made in catalogue.EVALUATE.made:
        if isinstance(made, MadeTable) and made is not catalogue.ANSWERS:
            again = getattr(found, made.name.removesuffix(".parquet"))
            verdict.checked += again.size
            verdict.places += cells(made.path, _stored(study, made), again)
    return verdict


def statistics(study: Recorded) -> Verdict:
    """What training takes for labels follows from the networks' judgements."""
    of = "stage relabel run again on the recorded judgements"
    return repeated(study, "statistics", catalogue.RELABEL.stage, of)


def partitions(study: Recorded) -> Verdict:
    """No image, copy or person is in two parts, and chance divided them as recorded."""
    of = "stage split run again: people, copies, pixels"
    verdict = repeated(study, "partitions", catalogue.SPLIT.stage, of)
    verdict.places += _shared(study)
    return verdict


def _shared(study: Recorded) -> Iterator[str]:
    """Atoms and pixels of the recorded tables that are in two parts."""
    tables = (catalogue.DIVISION, catalogue.ATOMS, catalogue.DESCRIBED)
    division, atoms, images = (_stored(study, made).set_index("image_id") for made in tables)
    used = division[division["part"] != "left_out"]
    parts = used["part"].replace("evaluator", "test")
    for what, of in (("atoms", atoms["atom"]), ("pictures of the same pixels", images["sha256"])):
        groups = parts.groupby(of.reindex(parts.index)).agg(set)
        both = groups[groups.map(len) > 1]
        if len(both):
            names = " and ".join(sorted(both.iloc[0]))
            place = f"{catalogue.DIVISION.path}: {len(both)} {what} in two parts"
            yield f"{place}: {both.index[0]} in {names}"


def _stored(study: Recorded, made: MadeTable) -> pd.DataFrame:
    return read_table(study.root / made.path, made.table)


LINKS: Mapping[str, Link] = {
    "raw files": raw,
    "scores": scores,
    "statistics": statistics,
    "partitions": partitions,
}


# The trail of a cell ---------------------------------------------------------------------------

_PARTS = {"real": {"evaluator"}, "with_fill_ins": {"evaluator"}, "test": {"test"}}
_TABLES: tuple[Titled, ...] = (
    ("scores", (catalogue.MATRIX,)),
    ("judgements", (catalogue.JUDGED,)),
    ("division", (catalogue.DIVISION,)),
    ("answers", (catalogue.ANSWERS,)),
    ("weights", (catalogue.TRAINED,)),
    ("learnt from", (catalogue.RELABELLED,)),
    ("copies", (catalogue.ATOMS,)),
    ("described", (catalogue.DESCRIBED,)),
    ("images", (catalogue.IMAGES,)),
    ("pictures", (catalogue.PICTURES,)),
)


def _begin(
    study: Recorded, item: Mapping[str, Any], row: pd.Series, known: Known
) -> tuple[set[MadeTable], tuple[Titled, ...]]:
    del item
    corpora = set(study.params["corpora"])
    for name in ("first", "second"):
        if name in row:
            known.setdefault("trained_on", set()).add(str(row[name]))
    if SPECIALISTS in known.get("trained_on", ()):
        known["trained_on"] = (known["trained_on"] | corpora) - {SPECIALISTS}
    if trained := known.get("trained_on"):  # so that it is about networks
        asked = str(row.get("images", "all"))
        known["part"] = _PARTS.get(asked, {"evaluator", "test"})
        sets = training_sets(corpora)
        known["learnt"] = {corpus for name in trained for corpus in sets[name]}
    if "tested_on" in row:
        known["corpus"] = {str(row["tested_on"])}
    if not known.get("corpus", set()) <= corpora:  # all of them, or one that is only printed
        del known["corpus"]
    return set(), _TABLES


def _learnt(known: Known) -> Known:
    return {"corpus": known["learnt"]} if "learnt" in known else dict(known)


def _of_corpus(made: MadeTable, name: str, known: Known) -> bool:
    corpus = name.rpartition("-")[0]
    images = known.get("image_id", {corpus})
    return made is not catalogue.PICTURES or corpus in {i.partition("/")[0] for i in images}


def _raw(study: Recorded, known: Known) -> Step:
    """The files of the corpora whose images are known, by the hashes that were taken of them."""
    stage = catalogue.CORPORA.stage
    file, record = study.maker(stage) or ("", {"given": {}})
    specs, place = study.params["corpora"], Path(study.recordings)
    named = {name.partition("/")[0] for name in known.get("image_id", ())} & set(specs)
    within = [place / specs[name]["path"] for name in sorted(named or set(specs))]
    every = {Path(name): s for name, s in record["given"].items() if s}
    every = {path: s for path, s in every.items() if path.is_relative_to(place)}
    step = Step("raw files", of=len(every))
    for path, sha256 in every.items():
        if any(path.is_relative_to(own) or path.match(str(own)) for own in within):
            there = (study.root / path).is_file()
            now = study.hashed(study.root / path).sha256 if there else "not on this machine"
            same = now == sha256 if there else None
            step.sources.append(Source(path.as_posix(), now, same, f"the corpora, as {file} says"))
    step.rows = len(step.sources)
    return step


ROUTE = Route(
    catalogue=catalogue,
    ids=(
        *("trained_on", "network", "repetition", "tested_on", "images", "target", "metric"),
        *("first", "second", "by", "part", "corpus", "label", *ATTRIBUTES, "image_id"),
    ),
    carried=("image_id",),
    plain=("accuracy", "proposed", "weight", "atom", "sha256", "weights_sha256"),
    begin=_begin,
    raw=_raw,
    taken_in=catalogue.CORPORA.stage,
    keys={"data": "trained_on"},
    part=_of_corpus,
    apart={catalogue.RELABELLED: _learnt},
)
