"""The evaluator is balanced, takes no atom twice, leaves enough to train on, tells what lacks."""

from __future__ import annotations

import pandas as pd
import pytest

from eifer.corpora.drawn import TONES
from eifer.corpora.evaluator import EvaluatorSpec, choose, fill_ins, filled
from eifer.errors import InputError
from eifer.seeding import generator
from eifer.tables.expressions import (
    AGES,
    ATTRIBUTES,
    ETHNICITIES,
    EVALUATOR,
    EVALUATOR_SHORTFALL,
    GENDERS,
)
from eifer.vocabulary import Expression

SPEC = EvaluatorSpec(per_cell=2, most_of_class=0.5)
CELL = list(ATTRIBUTES)
WHERE = ["corpus", "label", *CELL]


def corpora(seed: int, each: int = 8000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of three corpora one knows all attributes, one no ethnicity, one nothing."""
    rng = generator(seed, "corpora")
    n = 3 * each
    images = pd.DataFrame(
        {
            "image_id": [f"{'abc'[k % 3]}/{k:05d}" for k in range(n)],
            "corpus": ["abc"[k % 3] for k in range(n)],
            "label": rng.choice(list(Expression), n),
            "gender": rng.choice(GENDERS, n),
            "age": rng.choice(AGES, n),
            "ethnicity": rng.choice(ETHNICITIES, n),
        }
    )
    images.loc[images["corpus"] == "b", "ethnicity"] = "unknown"
    images.loc[images["corpus"] == "c", CELL] = "unknown"
    atom = images["image_id"].where(
        rng.random(n) > 0.1, [f"atom{k}" for k in rng.integers(0, n, n)]
    )
    contradicts = pd.Series(rng.random(n) < 0.05)
    duplicates = pd.DataFrame(
        {"image_id": images["image_id"], "atom": atom, "contradicts": contradicts}
    )
    return images, duplicates


@pytest.mark.parametrize("seed", range(4))
def test_each_cell_has_its_images_and_each_corpus_as_many(seed: int) -> None:
    images, duplicates = corpora(seed)
    evaluator, shortfall = choose(images, duplicates, SPEC, seed)
    assert shortfall.empty and list(shortfall.columns) == EVALUATOR_SHORTFALL.names
    assert evaluator.groupby("corpus").size().to_dict() == {"a": 560, "b": 560, "c": 560}
    sizes = evaluator.groupby(WHERE).size()
    assert set(sizes["a"]) == {2} and len(sizes["a"]) == 7 * 40
    assert set(sizes["b"]) == {10} and len(sizes["b"]) == 7 * 8
    assert set(sizes["c"]) == {80} and len(sizes["c"]) == 7
    rows = evaluator.merge(duplicates, on="image_id", validate="one_to_one")
    assert rows["atom"].is_unique and not rows["contradicts"].any()
    same = evaluator.merge(images, on="image_id", suffixes=("", "_own"))
    assert all((same[name] == same[f"{name}_own"]).all() for name in WHERE)
    assert not evaluator["drawn"].any()


def test_people_who_show_several_expressions_serve_all_classes() -> None:
    """Ten people, seven classes, three images each, as JAFFE has them."""
    rows = [
        {"image_id": f"j/{who}{label}{k}", "corpus": "j", "label": label, "atom": f"j/{who}"}
        for who in "abcdefghij" for label in Expression for k in range(3)
    ]  # fmt: skip
    images = pd.DataFrame(rows).assign(**dict.fromkeys(CELL, "unknown"))
    duplicates = images[["image_id", "atom"]].assign(contradicts=False)
    for share, people in ((0.25, 2), (0.5, 5), (0.75, 7)):
        evaluator, _ = choose(images, duplicates, EvaluatorSpec(2, share), 1)
        counts = evaluator["label"].value_counts()
        assert len(evaluator) == people == len(counts) and counts.max() == 1


def test_the_seed_alone_decides_and_not_the_order_of_rows() -> None:
    images, duplicates = corpora(1)
    first, _ = choose(images, duplicates, SPEC, 1)
    again, _ = choose(images.sample(frac=1, random_state=3), duplicates.iloc[::-1], SPEC, 1)
    pd.testing.assert_frame_equal(first, again)
    other, _ = choose(images, duplicates, SPEC, 2)
    assert set(first["image_id"]) != set(other["image_id"])


def test_enough_is_left_to_train_on_and_what_lacks_is_told() -> None:
    """100 images a class and corpus: cells take turns until a fifth is lost."""
    images, duplicates = corpora(2, each=700)
    spec = EvaluatorSpec(per_cell=2, most_of_class=0.2)
    evaluator, shortfall = choose(images, duplicates, spec, 1)
    atoms = images.merge(duplicates, on="image_id")
    lost = atoms[atoms["atom"].isin(atoms.set_index("image_id").loc[evaluator["image_id"], "atom"])]
    share = lost.groupby(["corpus", "label"]).size() / images.groupby(["corpus", "label"]).size()
    assert share.max() <= 0.2 and share.min() > 0.17
    wanted = 3 * 7 * 80
    assert shortfall["wanted"].sum() - shortfall["found"].sum() == wanted - len(evaluator)
    b = evaluator[evaluator["corpus"] == "b"].groupby(WHERE).size()
    assert b.max() - b.min() <= 2 and len(b) == 56
    assert (shortfall["filled"] == 0).all()


def test_people_of_many_images_are_not_lost_by_the_dozen() -> None:
    """Ten people with 20 images each: two of them may go, whatever is wanted."""
    images, duplicates = corpora(3, each=200)
    c = images["corpus"] == "c"
    images, duplicates = images[c].reset_index(drop=True), duplicates[c].reset_index(drop=True)
    images["label"] = [list(Expression)[k // 10 % 7] for k in range(len(images))]
    duplicates["atom"] = [f"person{k % 10}" for k in range(len(images))]
    duplicates["contradicts"] = False
    evaluator, _ = choose(images, duplicates, EvaluatorSpec(2, 0.2), 1)
    assert len(evaluator) == 2
    assert not len(choose(images, duplicates, EvaluatorSpec(2, 0.05), 1)[0])


def test_single_unknown_values_are_a_cell_that_is_never_short() -> None:
    images, duplicates = corpora(4)
    a = images["corpus"] == "a"
    images.loc[a & (images.index % 50 == 0), "gender"] = "unknown"
    images.loc[(images["corpus"] == "c") & (images.index % 50 == 0), "gender"] = "female"
    evaluator, shortfall = choose(images, duplicates, SPEC, 1)
    sizes = evaluator.groupby(WHERE).size()
    assert sizes["a"].xs("unknown", level="gender").max() <= 2
    assert sizes["a"].drop("unknown", level="gender").eq(2).all()
    assert shortfall.empty
    assert set(sizes["c"]) == {80}  # one in fifty known genders: c does not know gender


def test_fill_ins_fill_every_cell_in_turn_of_tones() -> None:
    images, duplicates = corpora(5)
    images = images[~((images["corpus"] == "a") & (images["age"] == "child"))]
    duplicates = duplicates[duplicates["image_id"].isin(images["image_id"])]
    few = images[(images["corpus"] != "c") | (images["label"] != "fear")]
    few = pd.concat(
        [few, images[(images["corpus"] == "c") & (images["label"] == "fear")].head(100)]
    )
    duplicates = duplicates[duplicates["image_id"].isin(few["image_id"])]
    evaluator, shortfall = choose(few, duplicates, SPEC, 1)
    assert set(shortfall.loc[shortfall["corpus"] == "a", "age"]) == {"child"}
    drawn = fill_ins(shortfall, 1)
    assert len(drawn) == (shortfall["wanted"] - shortfall["found"]).sum()
    assert drawn["image_id"].is_unique and drawn["image_id"].str.startswith("drawn/").all()
    assert set(drawn["age"]) == set(AGES) and set(drawn["gender"]) == set(GENDERS)
    tones = drawn["tone"].value_counts()
    assert len(tones) == len(TONES) and tones.max() - tones.min() <= 1
    a = drawn[drawn["corpus"] == "a"]
    assert (a["age"] == "child").all() and len(a) == 7 * 2 * 5 * 2
    assert a.groupby("cell_ethnicity")["tone"].nunique().min() > 1
    c = drawn[drawn["corpus"] == "c"]
    even = c.groupby(["gender", "age"]).size()
    assert set(c["label"]) == {"fear"} and len(even) == 8 and even.max() - even.min() <= 1
    both, full = filled(evaluator, shortfall, drawn)
    assert (full["found"] + full["filled"] == full["wanted"]).all()
    assert list(both.columns) == EVALUATOR.names and both["drawn"].sum() == len(drawn)
    assert set(both.loc[both["drawn"], "corpus"]) == {"a", "c"}
    assert set(both.loc[both["drawn"], "ethnicity"]) == {"unknown"}
    assert fill_ins(full, 1).empty


def test_tables_that_do_not_belong_together_are_refused() -> None:
    images, duplicates = corpora(1, each=50)
    with pytest.raises(InputError, match=r"in one alone of the tables.*\(2\): a/00000, b/00001"):
        choose(images.iloc[1:], duplicates.drop(index=1), SPEC, 1)
