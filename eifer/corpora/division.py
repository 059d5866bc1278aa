"""Who trains, validates and tests: whole atoms, by corpus and class (section 3 of the protocol)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from annotated_types import Ge, Le
from numpy.typing import NDArray

from eifer.errors import InputError, Problem, examples
from eifer.ranges import Part, Text
from eifer.seeding import generator
from eifer.tables.expressions import DIVISION, MERGED, WITHOUT

TRAIN, VALIDATION, TEST, EVALUATOR, LEFT_OUT = (
    "train",
    "validation",
    "test",
    "evaluator",
    "left_out",
)
_SCORED = (EVALUATOR, TEST, VALIDATION)
"""The stronger part first: whose images keep the rest of their atom out."""
CONTRADICTS = "copies of it have another label"
_DRAWS = 20
"""Divisions that are tried: a class of few atoms may all be drawn into one part."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OfficialNames:
    """What corpora call their parts: ``Training``, ``train`` and so on."""

    train: tuple[Text, ...]
    validation: tuple[Text, ...]
    test: tuple[Text, ...]

    def __post_init__(self) -> None:
        """Refuse a name that stands for two parts."""
        names = [*self.train, *self.validation, *self.test]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{', '.join(twice)} is named twice: a part has one meaning")

    def meaning(self) -> dict[str, str]:
        """The part that each name stands for."""
        parts = {TRAIN: self.train, VALIDATION: self.validation, TEST: self.test}
        return {name: part for part, names in parts.items() for name in names}


@dataclass(frozen=True)
class DivisionSpec:
    """How images are divided.

    Parameters
    ----------
    mode
        ``drawn``: by seed. ``official``: as a corpus's own parts say, where it has any.
    validation_share, test_share
        Of the images of a corpus and class that are not in the evaluator; the rest trains.
    folds
        Of the training images, for confident relabelling.
    official
        What the corpora's own parts mean.
    """

    mode: Literal["drawn", "official"]
    validation_share: Part
    test_share: Part
    folds: Annotated[int, Ge(2), Le(50)]
    official: OfficialNames

    def __post_init__(self) -> None:
        """Refuse shares that leave nothing to train on."""
        if self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share and test_share leave nothing to train on")


def divide(
    images: pd.DataFrame,
    duplicates: pd.DataFrame,
    evaluator_ids: Collection[str],
    spec: DivisionSpec,
    seed: int,
) -> pd.DataFrame:
    """Give every image its part, and training images their fold: the table ``DIVISION``.

    No atom comes into two parts. What shares an atom with an image of the evaluator is left out. An
    image whose copies have another label may train, its atom with it, but never validates or tests.

    ``official`` keeps a corpus's own parts. Of an atom that has test images the others are left
    out, then likewise of one that has validation images. Corpora without parts are drawn; corpora
    without a validation part give ``validation_share`` of what they have besides their test part,
    as a share of all but that.

    Parameters
    ----------
    images, duplicates : DataFrame
        The tables ``IMAGES`` and ``DUPLICATES``.
    evaluator_ids
        The images of the evaluator.
    seed
        The study's. The result does not depend on the order of rows.

    Raises
    ------
    InputError
        If tables do not belong together, the evaluator has images that contradict their copies, an
        official part is missing or unknown, a corpus has one class, an atom is larger than any
        part, a part has no image of a corpus, or the training of a fold's network lacks a class:
        all of it at once.
    """
    rows = _joined(images, duplicates, evaluator_ids)
    rows["part"] = rows["fixed"] = rows["chosen"].map({True: EVALUATOR, False: None}).astype(object)
    rows["reason"] = None
    problems = _bad_evaluator(rows)
    if spec.mode == "official":
        meaning = spec.official.meaning()
        problems += _bad_parts(rows, meaning)
        named = rows["official"].map(meaning).astype(object).where(rows["official"].notna(), None)
        validated = rows["corpus"].isin(rows.loc[named == VALIDATION, "corpus"])
        rows["trains"] = (named == TRAIN) & ~validated  # a validation part is to be drawn of these
        rows["fixed"] = rows["fixed"].where(rows["chosen"] | rows["trains"], named)
    else:
        rows["trains"] = False
    problems += _one_class(rows)
    if problems:
        raise InputError("division", problems)
    _seat(rows)
    free = rows[rows["part"].isna()]
    problems = _too_large(free, spec)
    fewest = None
    for draw in range(_DRAWS):
        tried = rows.assign(part=rows["part"].fillna(_drawn(free, spec, seed, draw)))
        n = len(lacking(tried))
        if fewest is None or n < fewest:
            fewest, drawn = n, tried
        if problems or not n:
            break
    folds, unseen = _folds(drawn[drawn["part"] == TRAIN], spec.folds, seed)
    if problems := problems + _empty(drawn) + unseen:
        raise InputError("division", problems)
    return DIVISION.conform(drawn.assign(fold=folds)[DIVISION.names])


def _joined(
    images: pd.DataFrame, duplicates: pd.DataFrame, evaluator_ids: Collection[str]
) -> pd.DataFrame:
    """The images in order, with their atoms, and whether they are in the evaluator."""
    known, found = set(images["image_id"]), set(duplicates["image_id"])
    again = "repeat duplicates and evaluator: they are of other images"
    what = {
        "an image is not in the table of duplicates": known - found,
        "an image of the table of duplicates is none of the images": found - known,
        "an image of the evaluator is none of the images": set(evaluator_ids) - known,
    }
    problems = [Problem(kind, name, again) for kind in what for name in sorted(what[kind])]
    problems += [
        Problem("an image is there twice", name, "read the corpora again")
        for table in (images, duplicates)
        for name in table.loc[table["image_id"].duplicated(), "image_id"]
    ]
    if problems:
        raise InputError("division", problems)
    rows = images[["image_id", "corpus", "label", "official"]].merge(
        duplicates[["image_id", "atom", "contradicts"]], on="image_id", validate="one_to_one"
    )
    rows = rows.sort_values("image_id", ignore_index=True)
    rows["chosen"] = rows["image_id"].isin(set(evaluator_ids))
    return rows


def _bad_evaluator(rows: pd.DataFrame) -> list[Problem]:
    problems = [
        Problem(
            "an image of the evaluator contradicts its copies",
            name,
            "choose the evaluator again: what such an image shows is not known",
        )
        for name in rows.loc[rows["chosen"] & rows["contradicts"], "image_id"]
    ]
    atoms = rows.loc[rows["chosen"], "atom"]
    return problems + [
        Problem(
            "the evaluator has two images of one atom",
            atom,
            "choose the evaluator again: they are of one picture or person",
        )
        for atom in sorted(atoms[atoms.duplicated()].unique())
    ]


def _bad_parts(rows: pd.DataFrame, meaning: Mapping[str, str]) -> list[Problem]:
    problems = []
    for corpus, own in rows.groupby("corpus"):
        names = own["official"].dropna().unique()
        unknown = sorted(set(names) - set(meaning))
        problems += [
            Problem(
                "the corpus's own part is unknown",
                f"{corpus}: {name}",
                f"say in split.official what it means (known are {', '.join(meaning)})",
            )
            for name in unknown
        ]
        if len(names) and own["official"].isna().any():
            where = f"{corpus}: {examples(own.loc[own['official'].isna(), 'image_id'].tolist())}"
            remedy = "divide by `drawn`, or read the corpus with all of its parts"
            problems.append(
                Problem("images belong to no part, although their corpus has parts", where, remedy)
            )
        there = {meaning.get(name) for name in names}
        problems += [
            Problem(
                "an official part is missing",
                f"{corpus} has no part {part}",
                "read the corpus with all of its parts, or divide by `drawn`",
            )
            for part in (TRAIN, TEST)
            if len(names) and not unknown and part not in there
        ]
    return problems


def _one_class(rows: pd.DataFrame) -> list[Problem]:
    classes = rows.groupby("corpus")["label"].agg(["nunique", "first"])
    return [
        Problem(
            "a corpus has one class alone",
            f"{corpus}: {label}",
            "there is nothing to tell apart: read its labels again, or leave the corpus out",
        )
        for corpus, label in classes.loc[classes["nunique"] == 1, "first"].items()
    ]


def _seat(rows: pd.DataFrame) -> None:
    """Set part and reason of what the evaluator and official parts decide."""
    scored = rows["fixed"].isin([TEST, VALIDATION])
    rows["part"] = rows["fixed"].mask(scored & rows["contradicts"], LEFT_OUT)
    rows.loc[rows["part"] == LEFT_OUT, "reason"] = CONTRADICTS
    rows["part"] = rows["part"].astype(object)
    settled = pd.Series(False, index=rows.index)
    for strong in _SCORED:
        has = rows["atom"].isin(rows.loc[~settled & (rows["part"] == strong), "atom"])
        # A test image beside one of the evaluator is evaluated either way.
        others = has & ~settled & ~rows["part"].isin([strong, LEFT_OUT])
        others &= ~((strong == EVALUATOR) & (rows["part"] == TEST))
        rows.loc[others, "part"] = LEFT_OUT
        rows.loc[others, "reason"] = f"its picture or person has an image in {strong}"
        settled |= has
    trains = ~settled & rows["atom"].isin(rows.loc[rows["part"] == TRAIN, "atom"])
    rows.loc[trains & rows["part"].isna(), "part"] = TRAIN


def _shares(spec: DivisionSpec, test: bool) -> dict[str, float]:
    left = 1.0 if test else 1 - spec.test_share
    scored = {VALIDATION: spec.validation_share} | ({TEST: spec.test_share} if test else {})
    return {TRAIN: 1 - sum(scored.values()) / left} | {k: v / left for k, v in scored.items()}


def _groups(free: pd.DataFrame) -> list[tuple[bool, pd.DataFrame]]:
    """What is drawn for all three parts, and what already has test images of its own."""
    own_test = free["trains"].groupby(free["atom"]).transform("any")
    return [(test, free[own_test != test]) for test in (True, False)]


def _too_large(free: pd.DataFrame, spec: DivisionSpec) -> list[Problem]:
    problems = []
    for test, rows in _groups(free):
        largest = max(_shares(spec, test).values())
        total = rows.groupby("corpus").size()
        sizes = rows.groupby(["corpus", "atom"]).size().rename("n").reset_index()
        for corpus, atom, n in sizes.loc[sizes["n"] > 1].itertuples(index=False):
            if n > np.ceil(largest * total[corpus]):
                problems.append(
                    Problem(
                        "more copies of a picture, or pictures of a person, than fit into any part",
                        f"{corpus}: {atom} with {n} of {total[corpus]} images",
                        "look at its images in the table of duplicates: are all of one person or "
                        "picture? If so, leave the corpus out, or some of them",
                    )
                )
    return problems


def _drawn(free: pd.DataFrame, spec: DivisionSpec, seed: int, draw: int) -> pd.Series:
    parts = []
    for test, rows in _groups(free):
        rng = generator(seed, "division", draw, test)
        # Whom a contradicting image trains beside may not be scored either.
        fixed = rows.loc[rows["contradicts"], "atom"]
        parts.append(_allotted(rows, _shares(spec, test), dict.fromkeys(fixed, TRAIN), rng))
    return pd.concat(parts)


def lacking(division: pd.DataFrame) -> pd.DataFrame:
    """Which part has no image of a class that a corpus has: part, corpus, label.

    A class of few pictures or persons may be in no more than one or two parts.
    """
    counts = _counts(division)
    empty = counts[counts == 0].reset_index(name="n")
    return empty[["part", "corpus", "label"]].sort_values(["corpus", "label", "part"])


def _counts(division: pd.DataFrame) -> pd.Series:
    """Images by corpus, class, and each of the three parts, with those of which there are none."""
    used = division[division["part"].isin([TRAIN, VALIDATION, TEST])]
    classes = division[["corpus", "label"]].drop_duplicates().sort_values(["corpus", "label"])
    wanted = classes.merge(pd.Series([TRAIN, VALIDATION, TEST], name="part"), how="cross")
    counts = used.groupby(["corpus", "label", "part"]).size()
    return counts.reindex(pd.MultiIndex.from_frame(wanted), fill_value=0)


def _empty(rows: pd.DataFrame) -> list[Problem]:
    """Parts that have no image of a corpus."""
    whole = _counts(rows).groupby(level=["corpus", "part"], sort=False).sum()
    remedy = "give it more images, lower the evaluator's share, or leave it out"
    return [
        Problem("a part has no image of a corpus", f"{part}: {corpus}", remedy)
        for corpus, part in whole.index[whole == 0]
    ]


def _folds(training: pd.DataFrame, n: int, seed: int) -> tuple[pd.Series, list[Problem]]:
    names = {str(fold): 1 / n for fold in range(1, n + 1)}
    folds = _allotted(training, names, {}, generator(seed, "folds"))
    homes = folds.groupby(training["label"]).nunique()
    problems = [
        Problem(
            "training images of a class lie in one fold alone",
            f"{label} ({(training['label'] == label).sum()} images of "
            f"{', '.join(sorted(training.loc[training['label'] == label, 'corpus'].unique()))})",
            "no network could judge them: add images of other people, or lower split.folds",
        )
        for label in homes.index[homes < 2]
    ]
    return pd.to_numeric(folds).astype("Int64"), problems


def _allotted(
    rows: pd.DataFrame,
    shares: Mapping[str, float],
    fixed: Mapping[str, str],
    rng: np.random.Generator,
) -> pd.Series:
    """A part for each of ``rows`` (atom, corpus, label), whole atoms together.

    Each corpus x class is a stratum. Large atoms come first, each into the part where it brings the
    counts nearest to what they should be (least chi-square); then single images fill up what each
    stratum still needs. ``fixed`` atoms have their part.
    """
    names = list(shares)
    share = np.array(list(shares.values()))
    if rows.empty:
        return pd.Series(index=rows.index, dtype=object)
    stratum = rows.groupby(["corpus", "label"]).ngroup().to_numpy()
    atom, atoms = pd.factorize(rows["atom"])
    order = rng.permutation(len(atoms))
    target = np.stack([_whole(share, n, rng) for n in np.bincount(stratum)]).astype(float)
    count = np.zeros_like(target)
    size = np.bincount(atom)
    part = np.full(len(atoms), -1)
    for k, name in enumerate(atoms):
        if name in fixed:
            part[k] = names.index(fixed[name])
    np.add.at(count, (stratum[part[atom] >= 0], part[atom][part[atom] >= 0]), 1)
    members = rows.groupby(atom).indices
    several = order[(size[order] > 1) & (part[order] < 0)]
    for k in several[np.argsort(-size[several], kind="stable")]:
        own, n = np.unique(stratum[members[k]], return_counts=True)
        wanted = np.maximum(target[own], 0.5)
        cost = (n[:, None] * (2 * (count[own] - target[own]) + n[:, None]) / wanted).sum(axis=0)
        part[k] = np.argmin(cost)
        count[own, part[k]] += n
    single = np.flatnonzero((size[atom] == 1) & (part[atom] < 0))
    single = single[np.argsort(np.argsort(order)[atom[single]])]
    for s, need in enumerate(np.maximum(target - count, 0)):
        own = single[stratum[single] == s]
        if len(own):
            part[atom[own]] = np.repeat(np.arange(len(names)), _whole(need, len(own), rng))
    return pd.Series(np.array(names, object)[part[atom]], index=rows.index)


def _whole(share: Floats, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Divide ``n`` in proportion to ``share``, each at least 1 where there are enough for all."""
    exact = n * share / share.sum()
    whole = np.floor(exact + 1e-9).astype(np.int64)
    shuffled = rng.permutation(len(share))  # ties: by lot
    rest = shuffled[np.argsort(-(exact - whole)[shuffled], kind="stable")]
    whole[rest[: n - whole.sum()]] += 1
    wanted = share > 0
    while n >= wanted.sum() and (whole[wanted] == 0).any():
        whole[np.argmax(whole)] -= 1
        whole[np.flatnonzero(wanted & (whole == 0))[0]] += 1
    return whole


def training_sets(corpora: Iterable[str]) -> dict[str, list[str]]:
    """The corpora of each training set: one, all, all but one."""
    every = sorted(corpora)
    others = {WITHOUT + name: [c for c in every if c != name] for name in every}
    return {MERGED: every, **{name: [name] for name in every}, **others}


def training_rows(
    division: pd.DataFrame,
    duplicates: pd.DataFrame,
    data: str,
    relabelled: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The images that a network of the training set ``data`` learns from and is validated on.

    Parameters
    ----------
    division, duplicates, relabelled : DataFrame
        The tables ``DIVISION``, ``DUPLICATES`` and ``RELABELLED``; without the last, labels are the
        corpora's own.
    data
        A corpus, ``merged``, or ``without-`` and a corpus.

    Returns
    -------
    DataFrame
        Columns ``image_id``, ``corpus``, ``label``, ``weight`` (0: not trained on), ``part``
        (train or validation), ``fold`` and ``atom``, by ``image_id``. Validation images have their
        own labels and weight 1.

    Raises
    ------
    InputError
        If there is no such training set, or training images were not relabelled.
    """
    known = training_sets(division["corpus"].unique())
    if data not in known:
        remedy = f"name one of {', '.join(known)}"
        raise InputError("training set", [Problem("unknown training set", data, remedy)])
    rows = division[division["part"].isin([TRAIN, VALIDATION])]
    rows = rows[rows["corpus"].isin(known[data])].sort_values("image_id", ignore_index=True)
    rows = rows.assign(
        weight=1.0, atom=rows["image_id"].map(duplicates.set_index("image_id")["atom"])
    )
    if relabelled is not None:
        trains = rows["part"] == TRAIN
        now = relabelled.set_index("image_id")[["label", "weight"]].reindex(rows["image_id"])
        lost = rows.loc[trains & now["label"].isna().to_numpy(), "image_id"]
        if len(lost):
            remedy = "repeat relabel: it is of another division"
            raise InputError("training set", [Problem("not relabelled", i, remedy) for i in lost])
        for name in ("label", "weight"):
            rows[name] = rows[name].where(~trains, pd.Series(now[name].to_numpy(), rows.index))
    return rows[["image_id", "corpus", "label", "weight", "part", "fold", "atom"]]
