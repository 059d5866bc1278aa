"""Labelled faces of every corpus, in one form."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from eifer.corpora.labelled import CorpusSpec
from eifer.corpora.readers import open_corpora
from eifer.corpora.reading import LOST, added_up, read_corpus
from eifer.corpora.stored import SHARD
from eifer.errors import examples
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.expressions import catalogue


@stage(
    catalogue.CORPORA,
    params=("study.corpora", "corpora"),
    given=(catalogue.CORPORA_FOLDER,),
)
def corpora(run: Run) -> Outcome:
    """Open all corpora, which shows what is wrong with any of them, and then read the pictures."""
    folder = run.path(catalogue.CORPORA_FOLDER)
    opened = open_corpora({name: _at(folder, spec) for name, spec in run.params.corpora.items()})
    lost: list[str] = []
    images, left_out = [], [corpus.left_out for corpus in opened.values()]
    for name, corpus in opened.items():
        each = partial(run.each, label=name, named=lambda _: "a picture", lost=lambda _: LOST)
        waiting: list[pd.DataFrame] = []
        shards = 0
        for part in read_corpus(corpus, each):
            images.append(part.images)
            left_out.append(part.left_out)
            lost += part.lost
            waiting.append(part.pictures)
            if sum(map(len, waiting)) >= SHARD:
                run.add(catalogue.PICTURES, f"{name}-{shards:05d}", pd.concat(waiting))
                waiting, shards = [], shards + 1
        if waiting:
            run.add(catalogue.PICTURES, f"{name}-{shards:05d}", pd.concat(waiting))
    every, reasons = pd.concat(images, ignore_index=True), added_up(left_out)
    return Outcome(
        {
            catalogue.IMAGES: every,
            catalogue.PICTURES: None,
            catalogue.CORPORA_ATTRITION: reasons,
        },
        _report(every, reasons, lost),
    )


def _at(folder: Path, spec: CorpusSpec) -> CorpusSpec:
    votes = spec.votes and str(folder / spec.votes)
    return replace(spec, path=str(folder / spec.path), votes=votes)


def _report(images: pd.DataFrame, left_out: pd.DataFrame, lost: list[str]) -> Report:
    sizes = images.groupby("corpus").size()
    listed = ", ".join(f"{name}: {n}" for name, n in sizes.items())
    known = images["label"].value_counts().to_dict()
    voted = int(images["votes_happy"].notna().sum())
    people = images["identity"].notna().groupby(images["corpus"]).sum()
    known_people = ", ".join(f"{name} {n}" for name, n in people.items())
    n_left_out = int(left_out["n"].sum())
    return Report(
        """Faces of seven expressions (angry, disgust, fear, happy, neutral, sad, surprise) were
        taken from every corpus with the corpus's own labels, by name or documented code. Labels
        that are none of the seven and pictures that cannot be decoded were left out.""",
        {"images": sizes.to_dict(), "classes": known, "left_out": n_left_out},
        f"""{len(images)} images were read ({listed}); {n_left_out} were left out, each with its
        reason. Of {voted} images the votes of several annotators are known. Images of which the
        corpus says whose face it is: {known_people}."""
        + (f" Without a picture that can be decoded: {examples(lost)}." if lost else ""),
    )


if __name__ == "__main__":
    corpora.main()
