"""The balanced evaluator: as many images of every cell, class and corpus (protocol, section 5).

A cell is gender x age x ethnicity. A corpus that does not know an attribute has cells in which it
is `UNKNOWN`; such a cell stands for all that it hides, and has as many images as these together.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, cast

import numpy as np
import pandas as pd
from annotated_types import Ge, Le

from eifer.corpora.drawn import TONES, fill_in_name
from eifer.errors import InputError, Problem
from eifer.ranges import Part
from eifer.seeding import generator
from eifer.tables.expressions import (
    AGES,
    ATTRIBUTES,
    EVALUATOR,
    EVALUATOR_SHORTFALL,
    GENDERS,
    UNKNOWN,
)

_CELL = list(ATTRIBUTES)
_WHERE = ["corpus", "label", *_CELL]
_KIND = ["label", "gender", "age", "tone"]
_FILLED = [f"cell_{name}" for name in _CELL]
"""Columns of `fill_ins`: of what kind a face is, and the cell that it fills."""
KNOWS = 0.5
"""The share of a corpus's images whose attribute is known from which on the corpus knows it: some
few known ones do not make cells that could be filled."""


@dataclass(frozen=True)
class EvaluatorSpec:
    """How large the evaluator is.

    Parameters
    ----------
    per_cell
        Images of each of the 40 cells, class and corpus; the source has 2, so 560 a corpus.
    most_of_class
        Of a corpus's class, at most this share of images may be taken or, as they share a picture
        or a person with what is taken, be lost for training.
    """

    per_cell: Annotated[int, Ge(1), Le(100)]
    most_of_class: Part


def choose(
    images: pd.DataFrame, duplicates: pd.DataFrame, spec: EvaluatorSpec, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw the evaluator's images, and say which cells they do not fill.

    Of an attribute that a corpus knows (of `KNOWS` of its images at least) every known value has
    cells, and wants ``per_cell`` images in each. Where it does not, one cell `UNKNOWN` stands for
    all values: a corpus without any attribute wants 40 times ``per_cell`` images of a class. What
    is unknown of single images in a corpus that knows the attribute is a cell too, of ``per_cell``
    images at most, but never short: nobody knows how many there should be.

    An atom gives one image at most, none whose copies have another label. Classes take turns, and
    in each its cells, so that those of a class that reaches ``most_of_class`` are short alike.

    Parameters
    ----------
    images, duplicates : DataFrame
        The tables ``IMAGES`` and ``DUPLICATES``.
    seed
        The study's. The result does not depend on the order of rows.

    Returns
    -------
    evaluator : DataFrame
        The table ``EVALUATOR``, without drawn faces.
    shortfall : DataFrame
        The table ``EVALUATOR_SHORTFALL``: cells that want more images than were found.

    Raises
    ------
    InputError
        If an image is in one of the tables alone.
    """
    alone = set(images["image_id"]) ^ set(duplicates["image_id"])
    if alone:
        what = "an image is in one alone of the tables of images and duplicates"
        remedy = "repeat duplicates: it is of other images"
        raise InputError("evaluator", [Problem(what, name, remedy) for name in sorted(alone)])
    rows = images[["image_id", *_WHERE]].merge(
        duplicates[["image_id", "atom", "contradicts"]], on="image_id", validate="one_to_one"
    )
    rows = rows.sort_values("image_id", ignore_index=True)
    unknowing = _unknowing(rows)
    wanted = _wanted(rows, unknowing, spec.per_cell)
    chosen = _chosen(_blurred(rows, unknowing), wanted, spec, seed)
    found = chosen.groupby(_WHERE).size()
    shortfall = pd.DataFrame(
        [(*where, n, int(found.get(where, 0))) for where, n in wanted.items()],
        columns=[*_WHERE, "wanted", "found"],
    )
    shortfall = shortfall[shortfall["found"] < shortfall["wanted"]].assign(filled=0)
    return (
        EVALUATOR.conform(chosen.assign(drawn=False)[EVALUATOR.names]),
        EVALUATOR_SHORTFALL.conform(shortfall),
    )


def fill_ins(shortfall: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Which drawn faces are wanted to fill the cells.

    Where gender or age is `UNKNOWN` in the cell, all of its values take turns. Tones take turns
    everywhere: a tone of skin says nothing of ethnicity, so it is never chosen by it.

    Returns
    -------
    DataFrame
        A row a face: ``image_id``, ``label``, ``gender``, ``age`` and ``tone`` as
        `eifer.corpora.drawn.draw_fill_ins` is to draw it; ``corpus`` and the cell that it fills,
        ``cell_gender``, ``cell_age``, ``cell_ethnicity``.
    """
    rows = []
    rng = generator(seed, "fill-ins")
    turns = itertools.count(int(rng.integers(len(TONES))))
    people: Counter[tuple[str, ...]] = Counter()
    rows_of = EVALUATOR_SHORTFALL.conform(shortfall).itertuples(index=False)
    for corpus, label, gender, age, ethnicity, wanted, found, had in rows_of:
        genders = GENDERS if gender == UNKNOWN else (gender,)
        ages = AGES if age == UNKNOWN else (age,)
        values = list(itertools.product(genders, ages))
        start = int(rng.integers(len(values)))  # or the first would fill most of the small gaps
        for k in range(start, start + wanted - found - had):
            kind = (label, *values[k % len(values)], TONES[next(turns) % len(TONES)])
            people[kind] += 1
            rows.append(
                {
                    "image_id": fill_in_name(*kind, people[kind]),
                    "corpus": corpus,
                    **dict(zip(_KIND, kind, strict=True)),
                    **dict(zip(_FILLED, (gender, age, ethnicity), strict=True)),
                }
            )
    return pd.DataFrame(rows, columns=["image_id", "corpus", *_KIND, *_FILLED])


def filled(
    evaluator: pd.DataFrame, shortfall: pd.DataFrame, drawn: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables of `choose` once faces are ``drawn`` (rows of `fill_ins`).

    In the evaluator they are of the corpus whose cells they fill; their ethnicity is `UNKNOWN`.
    """
    faces = drawn.assign(ethnicity=UNKNOWN, drawn=True)[EVALUATOR.names]
    count = drawn.groupby(["corpus", "label", *_FILLED]).size()
    places = pd.MultiIndex.from_frame(shortfall[_WHERE])
    more = count.reindex(places, fill_value=0).to_numpy()
    return (
        EVALUATOR.conform(pd.concat([evaluator, faces], ignore_index=True)),
        EVALUATOR_SHORTFALL.conform(shortfall.assign(filled=shortfall["filled"] + more)),
    )


def _unknowing(rows: pd.DataFrame) -> dict[str, list[str]]:
    """The attributes that each corpus does not know."""
    known = (rows[_CELL] != UNKNOWN).groupby(rows["corpus"]).mean()
    return {
        str(corpus): [name for name in _CELL if known.loc[corpus, name] < KNOWS]
        for corpus in known.index
    }


def _blurred(rows: pd.DataFrame, unknowing: dict[str, list[str]]) -> pd.DataFrame:
    """``rows`` without the few values of attributes that their corpus does not know."""
    rows = rows.copy()
    for corpus, names in unknowing.items():
        rows.loc[rows["corpus"] == corpus, names] = UNKNOWN
    return rows


def _wanted(
    rows: pd.DataFrame, unknowing: dict[str, list[str]], per_cell: int
) -> dict[tuple[str, ...], int]:
    """How many images each cell of each class that a corpus has wants."""
    wanted = {}
    for corpus, own in rows.groupby("corpus"):
        hidden = unknowing[str(corpus)]
        values = [(UNKNOWN,) if name in hidden else ATTRIBUTES[name] for name in _CELL]
        each = per_cell * math.prod(len(ATTRIBUTES[name]) for name in hidden)
        for place in itertools.product([str(corpus)], sorted(own["label"].unique()), *values):
            wanted[place] = each
    return wanted


def _chosen(
    rows: pd.DataFrame, wanted: dict[tuple[str, ...], int], spec: EvaluatorSpec, seed: int
) -> pd.DataFrame:
    at = list(zip(rows["corpus"], rows["label"], strict=True))
    atom, atoms = pd.factorize(rows["atom"])
    room = {key: int(spec.most_of_class * n + 1e-9) for key, n in Counter(at).items()}
    costs: list[dict[tuple[str, str], int]] = [defaultdict(int) for _ in atoms]
    for k, key in zip(atom, at, strict=True):
        costs[k][key] += 1
    used = np.zeros(len(atoms), bool)
    taken: list[int] = []

    def take(images: Iterator[int]) -> bool:
        """Take the first that is free; what is not will not be free later."""
        for image in images:
            cost = costs[atom[image]]
            if not used[atom[image]] and all(room[key] >= n for key, n in cost.items()):
                used[atom[image]] = True
                for key, n in cost.items():
                    room[key] -= n
                taken.append(image)
                return True
        return False

    for corpus, own in rows[~rows["contradicts"]].groupby("corpus"):
        classes = []
        for label, of_class in own.groupby("label"):
            rng = generator(seed, "evaluator", str(corpus), str(label))
            drawn = of_class.iloc[rng.permutation(len(of_class))]
            cells = []
            for cell, same in drawn.groupby(_CELL):
                where = (str(corpus), str(label), *cast(tuple[str, ...], cell))
                cells.append((wanted.get(where, spec.per_cell), iter(same.index.tolist())))
            classes.append([cells[k] for k in rng.permutation(len(cells))])
        # An atom of several classes costs room in each: without turns the first would take it all.
        turns = [cell for row in itertools.zip_longest(*classes) for cell in row if cell]
        for turn in range(max((n for n, _ in turns), default=0)):
            turns = [(n, images) for n, images in turns if turn < n and take(images)]
    return rows.loc[sorted(taken)]
