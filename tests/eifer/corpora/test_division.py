"""Every image has one part, no atom two, and whatever cannot be divided is refused in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from eifer.corpora.division import CONTRADICTS, DivisionSpec, OfficialNames, divide, lacking
from eifer.errors import InputError
from eifer.seeding import generator
from eifer.tables.expressions import DIVISION, no_atom_is_divided
from eifer.vocabulary import Expression

OFFICIAL = OfficialNames(("Training",), ("PublicTest",), ("PrivateTest",))
DRAWN = DivisionSpec("drawn", 0.1, 0.1, 5, OFFICIAL)
KEPT = replace(DRAWN, mode="official")
SCORED = ("validation", "test", "evaluator")


def corpora(seed: int, n: int = 900) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three corpora of uneven classes: one of people, some copies, a few contradicting ones."""
    rng = generator(seed, "corpora")
    classes = list(Expression)
    images = pd.DataFrame(
        {
            "image_id": [f"{'abc'[k % 3]}/{k:04d}" for k in range(n)],
            "corpus": ["abc"[k % 3] for k in range(n)],
            "label": rng.choice(classes, n, p=[0.1, 0.05, 0.1, 0.3, 0.2, 0.15, 0.1]),
            "official": None,
        }
    )
    atom = images["image_id"].to_numpy(object)
    people = np.flatnonzero(images["corpus"] == "c")
    atom[people] = [f"person{who}" for who in rng.integers(0, 60, len(people))]
    pairs = rng.choice(np.flatnonzero(images["corpus"] != "c"), (n // 20, 2), replace=False)
    for k, (one, other) in enumerate(pairs):
        atom[other] = atom[one]
        if k % 5:
            images.loc[other, "label"] = images.loc[one, "label"]
    duplicates = pd.DataFrame({"image_id": images["image_id"], "atom": atom})
    alone = duplicates["atom"] == duplicates["image_id"]
    labels = images["label"].groupby(atom).transform("nunique")
    duplicates["contradicts"] = alone.groupby(atom).transform("any") & (labels > 1)
    return images, duplicates


def chosen(images: pd.DataFrame, duplicates: pd.DataFrame) -> list[str]:
    """Two images a corpus and class, of atoms that nothing contradicts."""
    sound = images.merge(duplicates, on="image_id")
    sound = sound[~sound["contradicts"].groupby(sound["atom"]).transform("any")]
    sound = sound.drop_duplicates("atom")
    return sound.groupby(["corpus", "label"]).head(2)["image_id"].tolist()


@pytest.mark.parametrize("seed", range(8))
def test_no_atom_is_divided_and_shares_hold(seed: int) -> None:
    images, duplicates = corpora(seed)
    ids = chosen(images, duplicates)
    division = divide(images, duplicates, ids, DRAWN, seed)
    assert no_atom_is_divided.broken(division, {"duplicates": duplicates}).empty
    rows = division.merge(duplicates, on="image_id")
    assert set(rows.loc[rows["part"] == "evaluator", "image_id"]) == set(ids)
    assert not rows.loc[rows["part"].isin(SCORED), "contradicts"].any()
    near = rows["atom"].isin(rows.loc[rows["part"] == "evaluator", "atom"])
    assert set(rows.loc[near, "part"]) == {"evaluator", "left_out"}
    assert rows["reason"].notna().eq(rows["part"] == "left_out").all()
    assert set(rows["reason"].dropna()) == {"its picture or person has an image in evaluator"}
    divided = rows[~near]
    share = divided.groupby("corpus")["part"].value_counts(normalize=True).unstack()
    assert (share["validation"] - 0.1).abs().max() < 0.03
    assert (share["test"] - 0.1).abs().max() < 0.03
    singles = divided[~divided["atom"].duplicated(keep=False) & (divided["corpus"] != "c")]
    by_class = pd.crosstab([singles["corpus"], singles["label"]], singles["part"])
    assert (by_class["test"] - by_class["validation"]).abs().max() <= 3
    training = rows[rows["part"] == "train"]
    assert training["fold"].between(1, 5).all() and rows["fold"].notna().sum() == len(training)
    assert (training.groupby("atom")["fold"].nunique() == 1).all()
    sizes = training.groupby("fold").size()
    assert len(sizes) == 5 and sizes.max() - sizes.min() < 0.05 * len(training)
    labels = pd.crosstab(training["label"], training["fold"], normalize="columns")
    assert (labels.max(axis=1) - labels.min(axis=1)).max() < 0.1


def test_the_seed_alone_decides_and_not_the_order_of_rows() -> None:
    images, duplicates = corpora(3)
    ids = chosen(images, duplicates)
    first = divide(images, duplicates, ids, DRAWN, 1)
    again = divide(
        images.sample(frac=1, random_state=1), duplicates.iloc[::-1], ids[::-1], DRAWN, 1
    )
    pd.testing.assert_frame_equal(first, again)
    other = divide(images, duplicates, ids, DRAWN, 2)
    assert (first["part"] != other["part"]).any()
    assert first.columns.tolist() == DIVISION.names


def test_single_images_are_divided_exactly() -> None:
    images, duplicates = corpora(1)
    duplicates = duplicates.assign(atom=duplicates["image_id"], contradicts=False)
    division = divide(images, duplicates, [], DRAWN, 1)
    counts = pd.crosstab([division["corpus"], division["label"]], division["part"])
    exact = counts.sum(axis=1).to_numpy()[:, None] * np.array([0.1, 0.8, 0.1])
    assert np.abs(counts[["test", "train", "validation"]].to_numpy() - exact).max() <= 1


@pytest.mark.parametrize("seed", range(4))
def test_official_parts_stay_and_copies_of_test_images_are_left_out(seed: int) -> None:
    images, duplicates = corpora(seed, 3000)
    turn = images.groupby(["corpus", "label"]).cumcount() % 10
    drawn = turn.map({8: "PublicTest", 9: "PrivateTest"}).fillna("Training").to_numpy(object)
    # a has three parts, b two, c none.
    drawn[(images["corpus"] == "b") & (drawn == "PublicTest")] = "Training"
    images["official"] = pd.Series(drawn).where(images["corpus"] != "c", None)
    ids = chosen(images, duplicates)
    division = divide(images, duplicates, ids, KEPT, seed)
    assert no_atom_is_divided.broken(division, {"duplicates": duplicates}).empty
    rows = images.merge(duplicates, on="image_id").merge(division[["image_id", "part", "reason"]])
    meaning = OFFICIAL.meaning()
    tests = rows[(rows["official"] == "PrivateTest") & ~rows["image_id"].isin(ids)]
    assert set(tests.loc[~tests["contradicts"], "part"]) == {"test"}
    assert set(tests.loc[tests["contradicts"], "reason"]) <= {CONTRADICTS}
    tested = rows["atom"].isin(rows.loc[rows["part"] == "test", "atom"])
    outside = rows[tested & ~rows["part"].isin(["test", "evaluator"])]
    assert len(outside) and set(outside["part"]) == {"left_out"}
    a = rows[(rows["corpus"] == "a") & ~rows["part"].isin(["left_out", "evaluator"])]
    assert (a["part"] == a["official"].map(meaning)).all()
    b = rows[(rows["corpus"] == "b") & (rows["part"] != "evaluator")]
    assert (b.loc[b["part"].isin(["train", "validation"]), "official"] == "Training").all()
    used = b["part"].value_counts()
    assert abs(used["validation"] / (used["train"] + used["validation"]) - 0.1 / 0.9) < 0.03
    c = rows[(rows["corpus"] == "c") & ~rows["part"].isin(["left_out", "evaluator"])]
    assert set(c["part"]) == {"train", "validation", "test"}


def refused(*args: object) -> str:
    with pytest.raises(InputError) as error:
        divide(*args, 1)  # type: ignore[arg-type]
    return str(error.value)


def test_a_class_too_small_for_every_part_is_told_and_not_refused() -> None:
    images, duplicates = corpora(1)
    duplicates["contradicts"] = False
    few = images.index[(images["corpus"] == "b") & (images["label"] == "fear")][2:]
    images, duplicates = images.drop(few), duplicates.drop(few)
    divided = divide(images, duplicates, [], DRAWN, 1)
    own = divided[(divided["corpus"] == "b") & (divided["label"] == "fear")]
    there = set(own["part"])
    found = lacking(divided)
    assert set(found["corpus"]) == {"b"} and set(found["label"]) == {"fear"}
    assert set(found["part"]) == {"train", "validation", "test"} - there
    assert lacking(divide(*corpora(1), [], DRAWN, 1)).empty


def test_a_corpus_of_one_person_is_refused() -> None:
    images, duplicates = corpora(1)
    duplicates.loc[images["corpus"] == "c", "atom"] = "person"
    duplicates["contradicts"] = False
    said = refused(images, duplicates, [], DRAWN)
    assert "than fit into any part (1): c: person with 300 of 300 images" in said
    assert "a part has no image of a corpus (2)" in said


def test_bad_tables_and_parts_are_refused_at_once() -> None:
    images, duplicates = corpora(1)
    bad = duplicates.loc[duplicates["contradicts"], "image_id"].iloc[0]
    said = refused(images, duplicates.iloc[1:], ["x/1"], DRAWN)
    assert "not in the table of duplicates (1): a/0000" in said
    assert "of the evaluator is none of the images (1): x/1" in said
    images["official"] = None
    images.loc[images["corpus"] == "a", "official"] = "Training"
    images.loc[images["corpus"] == "b", "official"] = "Trianing"
    images.loc[3, "official"] = None
    images.loc[images["corpus"] == "c", "label"] = "happy"
    said = refused(images, duplicates, [bad], KEPT)
    assert f"contradicts its copies (1): {bad}" in said
    assert "the corpus's own part is unknown (1): b: Trianing" in said
    assert "images belong to no part, although their corpus has parts (1): a: a/0003" in said
    assert "an official part is missing (1): a has no part test" in said
    assert "a corpus has one class alone (1): c: happy" in said


def test_a_class_of_one_person_cannot_be_judged_by_another_fold() -> None:
    """Where every corpus keeps its own parts, a class may train by one person alone."""
    images, duplicates = corpora(1)
    images["official"] = "Training"
    images.loc[images.index % 10 == 0, "official"] = "PrivateTest"
    images.loc[images.index % 10 == 1, "official"] = "PublicTest"
    duplicates = duplicates.assign(atom=duplicates["image_id"], contradicts=False)
    fear = (images["label"] == "fear") & (images["official"] == "Training")
    duplicates.loc[fear, "atom"] = "person"
    said = refused(images, duplicates, [], KEPT)
    assert f"training images of a class lie in one fold alone (1): fear ({fear.sum()}" in said


def test_contradicting_specs_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to train on"):
        replace(DRAWN, test_share=0.9)
    with pytest.raises(ValueError, match="Training is named twice"):
        OfficialNames(("Training",), (), ("Training",))
