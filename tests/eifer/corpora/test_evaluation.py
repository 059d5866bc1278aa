"""The matrix and its contrasts, against scikit-learn, statsmodels and plain loops."""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from eifer.corpora import evaluation
from eifer.corpora.evaluation import CLASSES, Evaluated, worst_cells
from eifer.errors import InputError
from eifer.seeding import generator
from eifer.tables.expressions import VOTES
from tests.corpora import SPEC, TRAINED_ON, P, World, world


def members(given: World, tested_on: str, images: str) -> pd.DataFrame:
    """The images of a set, worked out again."""
    if images == "test":
        found = given.division[given.division["part"] == "test"]
    else:
        found = given.evaluator[~given.evaluator["drawn"] | (images == "with_fill_ins")]
    if tested_on == "drawn":
        return found[found["drawn"]]
    return found[(found["corpus"] == tested_on) | (tested_on == "all")]


def answered(given: World, trained_on: str, repetition: int, of: pd.DataFrame) -> pd.DataFrame:
    """The probabilities that a network (or the specialists) gives for the images ``of``."""
    rows = given.answers[given.answers["repetition"] == repetition]
    by = rows.set_index(["trained_on", "image_id"])[P]
    names = of["corpus"] if trained_on == "specialists" else [trained_on] * len(of)
    return by.loc[list(zip(names, of["image_id"], strict=True))]


def test_every_score_is_that_of_scikit_learn() -> None:
    given = world()
    made = given.evaluated()
    rows = made.matrix[made.matrix["target"] == "original"]
    assert set(rows["trained_on"]) == {*TRAINED_ON, "specialists"}
    assert {*zip(rows["tested_on"], rows["images"], strict=True)} == {
        ("drawn", "with_fill_ins"),
        *product(("aff", "fer", "all"), ("real", "with_fill_ins", "test")),
    }
    assert len(rows) == 6 * 2 * (3 * 3 + 1)
    each = made.by_class.set_index(["trained_on", "repetition", "tested_on", "images", "target"])
    confused = made.confusion.set_index(each.index.names)
    for row in rows.to_dict("records"):
        of = members(given, row["tested_on"], row["images"])
        p = answered(given, row["trained_on"], row["repetition"], of).to_numpy()
        truth, said = of["label"].to_numpy(), np.array(CLASSES)[p.argmax(axis=1)]
        there = sorted(set(truth))
        assert row["n"] == len(of)
        found = [row[k] for k in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")]
        recall = sk.recall_score(truth, said, labels=there, average="macro", zero_division=0)
        assert found == pytest.approx(
            [
                sk.accuracy_score(truth, said),
                recall,
                sk.f1_score(truth, said, labels=there, average="macro", zero_division=0),
                sk.log_loss(truth, p, labels=CLASSES),
            ],
            abs=1e-12,
        )
        key = tuple(row[name] for name in each.index.names)
        theirs = sk.precision_recall_fscore_support(
            truth, said, labels=CLASSES, zero_division=np.nan
        )
        own = each.loc[key].sort_values("label")
        np.testing.assert_allclose(own["precision"], theirs[0], atol=1e-12)
        np.testing.assert_allclose(own["recall"], theirs[1], atol=1e-12)
        assert own["support"].tolist() == theirs[3].tolist()
        f1 = sk.f1_score(truth, said, labels=CLASSES, average=None, zero_division=0)
        neither = ~np.isin(CLASSES, truth) & ~np.isin(CLASSES, said)
        np.testing.assert_allclose(own["f1"], np.where(neither, np.nan, f1), atol=1e-12)
        counts = confused.loc[key].sort_values(["label", "answer"])["n"].to_numpy().reshape(7, 7)
        assert (counts == sk.confusion_matrix(truth, said, labels=CLASSES)).all()


def test_calibration_error_is_the_plain_sum_over_bins() -> None:
    random = np.random.default_rng(0)
    p = random.dirichlet(np.ones(7) / 2, 400)
    truth = random.integers(0, 7, 400)
    expected = 0.0
    for k in range(10):
        inside = [i for i in range(400) if k / 10 < p[i].max() <= (k + 1) / 10]
        if inside:
            right = np.mean([p[i].argmax() == truth[i] for i in inside])
            expected += len(inside) / 400 * abs(right - np.mean([p[i].max() for i in inside]))
    assert evaluation.scored(p, truth, 10)[1]["ece"] == pytest.approx(expected, abs=1e-12)


def test_log_loss_of_a_certain_error_is_finite() -> None:
    p = np.eye(7)[[0, 1]]
    found = evaluation.scored(p, np.array([0, 2]), 15)[1]["log_loss"]
    assert found == pytest.approx(sk.log_loss([0, 2], p, labels=list(range(7))))


def test_the_majority_is_over_half_of_all_who_answered() -> None:
    votes = pd.DataFrame(0, index=range(4), columns=[f"votes_{name}" for name in VOTES])
    votes.loc[0, ["votes_happy", "votes_sad"]] = 5  # half is not over half
    votes.loc[1, ["votes_happy", "votes_other"]] = [5, 4]
    votes.loc[2, ["votes_happy", "votes_other"]] = [4, 5]
    assert evaluation.majority(votes).tolist()[1] == "happy"
    assert evaluation.majority(votes).isna().tolist() == [True, False, True, True]


def test_majority_and_relabelled_are_scored_where_there_are_any() -> None:
    given = world()
    alone = given.evaluated().matrix
    assert set(alone["target"]) == {"original", "majority"}
    voted = evaluation.majority(given.images).set_axis(given.images["image_id"]).dropna()
    assert 0 < len(voted) < len(given.images)
    some = given.evaluator[~given.evaluator["drawn"]].head(9)
    given.relabelled = some[["image_id"]].assign(proposed="happy")
    rows = given.evaluated().matrix
    pd.testing.assert_frame_equal(
        rows[rows["target"] != "relabelled"].reset_index(drop=True), alone
    )
    of = members(given, "aff", "real")
    of = of[of["image_id"].isin(voted.index)]
    said = np.array(CLASSES)[answered(given, "fer", 2, of).to_numpy().argmax(axis=1)]
    key = ["trained_on", "repetition", "tested_on", "images", "target"]
    by = rows.set_index(key)
    row = by.loc[("fer", 2, "aff", "real", "majority")]
    assert row["n"] == len(of)
    assert row["accuracy"] == np.mean(said == voted[of["image_id"]].to_numpy())
    said = np.array(CLASSES)[answered(given, "fer", 2, some).to_numpy().argmax(axis=1)]
    row = by.loc[("fer", 2, "aff", "real", "relabelled")]
    assert (row["n"], row["accuracy"]) == (9, np.mean(said == "happy"))


def f1_of(truth: list[str], said: list[str]) -> float:
    """Macro F1 over the classes that are there, by counting."""
    each = []
    for name in sorted(set(truth)):
        hit = sum(t == s == name for t, s in zip(truth, said, strict=True))
        each.append(2 * hit / (truth.count(name) + said.count(name)))
    return sum(each) / len(each)


def test_contrasts_are_those_of_a_plain_loop_over_resampled_atoms(monkeypatch) -> None:
    monkeypatch.setattr(evaluation, "BLOCK", 700)  # the draws come in several blocks
    given = world()
    table = given.evaluated().contrasts
    assert {*zip(table["first"], table["second"], table["tested_on"], strict=True)} == {
        ("merged", "aff", "aff"),
        ("merged", "fer", "fer"),
        ("merged", "aff", "all"),
        ("merged", "fer", "all"),
        ("merged", "specialists", "all"),
        ("without-aff", "aff", "aff"),
        ("without-fer", "fer", "fer"),
    }
    assert len(table) == 7 * 3 * 2
    atoms = given.duplicates.set_index("image_id")["atom"]
    for row in table.to_dict("records"):
        if (row["tested_on"], row["images"]) not in (("fer", "real"), ("all", "with_fill_ins")):
            continue
        of = members(given, row["tested_on"], row["images"]).sort_values("image_id")
        of = of.reset_index(drop=True)
        atom = [atoms.get(name, name) for name in of["image_id"]]
        groups = [[i for i, a in enumerate(atom) if a == one] for one in sorted(set(atom))]
        said = {
            (name, k): np.array(CLASSES)[answered(given, name, k, of).to_numpy().argmax(axis=1)]
            for name in (row["first"], row["second"])
            for k in (1, 2)
        }

        def difference(rows: list[int], row=row, of=of, said=said) -> float:
            truth, gaps = [of["label"][i] for i in rows], []
            for k in (1, 2):
                one, other = ([str(said[row[m], k][i]) for i in rows] for m in ("first", "second"))
                if row["metric"] == "macro_f1":
                    gaps.append(f1_of(truth, one) - f1_of(truth, other))
                else:
                    right = [
                        sum(t == s for t, s in zip(truth, x, strict=True)) for x in (one, other)
                    ]
                    gaps.append((right[0] - right[1]) / len(rows))
            return sum(gaps) / 2

        random = generator(7, "contrasts", row["tested_on"], row["images"])
        drawn = []
        for _ in range(SPEC.draws):
            picked = random.integers(len(groups), size=len(groups))
            drawn.append(round(difference([i for g in picked for i in groups[g]]), 12))
        below, above = sum(d <= 0 for d in drawn), sum(d >= 0 for d in drawn)
        expected = {
            "n": len(of),
            "atoms": len(groups),
            "difference": difference(list(range(len(of)))),
            "low": np.quantile(drawn, 0.025),
            "high": np.quantile(drawn, 0.975),
            "p": min(1, 2 * (1 + min(below, above)) / 201),
        }
        assert {name: row[name] for name in expected} == pytest.approx(expected, abs=1e-11)
    np.testing.assert_allclose(table["q"], multipletests(table["p"], method="fdr_bh")[1])


def test_a_real_difference_is_found_and_none_has_p_above_chance() -> None:
    given = world(n=240)
    wrong = given.answers["trained_on"] == "fer"
    given.answers.loc[wrong, P] = 1 / 7  # says angry of everything
    same = given.answers[given.answers["trained_on"] == "merged"].assign(trained_on="aff")
    others = given.answers[given.answers["trained_on"] != "aff"]
    given.answers = pd.concat([others, same])
    by = given.evaluated().contrasts.set_index(["first", "second", "tested_on", "images", "metric"])
    better = by.loc[("merged", "fer", "fer", "test", "accuracy")]
    assert better["low"] > 0 and better["p"] == pytest.approx(2 / 201) and better["q"] < 0.05
    alike = by.loc[("merged", "aff", "all", "real")]
    assert (alike[["difference", "low", "high"]] == 0).all(axis=None) and (alike["p"] == 1).all()


def test_few_atoms_prove_nothing() -> None:
    given = world(n=240)
    given.answers.loc[given.answers["trained_on"] == "fer", P] = 1 / 7
    of_fer = given.duplicates["image_id"].str.startswith("fer")
    thirds = given.duplicates["image_id"].str[-1].astype(int) % 3
    given.duplicates["atom"] = np.where(of_fer, thirds.astype(str), given.duplicates["atom"])
    by = given.evaluated().contrasts.set_index(["first", "tested_on", "images", "metric"])
    row = by.loc[("merged", "fer", "test", "accuracy")]
    assert (row["atoms"], row["p"]) == (3, 0.25)
    given.duplicates["atom"] = np.where(of_fer, "fer", given.duplicates["atom"])
    by = given.evaluated().contrasts.set_index(["first", "tested_on", "images", "metric"])
    row = by.loc[("merged", "fer", "test", "accuracy")]
    assert row[["atoms", "low", "high", "p"]].tolist() == [1, -1, 1, 1]


def test_cells_are_counted_over_mean_probabilities() -> None:
    given = world()
    made = given.evaluated().by_cell
    key = ["trained_on", "images", "gender", "age", "ethnicity"]
    assert not made.duplicated(key).any()
    for images in ("real", "with_fill_ins"):
        of = members(given, "all", images)
        assert made[made["images"] == images].groupby("trained_on")["n"].sum().eq(len(of)).all()
    row = made[(made["trained_on"] == "specialists") & (made["images"] == "real")].iloc[0]
    of = members(given, "all", "real")
    of = of[(of[key[2:]] == row[key[2:]]).all(axis=1)]
    p = sum(answered(given, "specialists", k, of).to_numpy() for k in (1, 2))
    right = int((np.array(CLASSES)[p.argmax(axis=1)] == of["label"]).sum())
    assert (row["n"], row["right"]) == (len(of), right)
    theirs = proportion_confint(right, len(of), method="wilson")
    assert (row["low"], row["high"]) == pytest.approx(theirs)
    assert len(worst_cells(made)) == 6 * 2


def test_specialists_need_a_network_for_every_image() -> None:
    given = world()
    given.answers = given.answers[given.answers["trained_on"] != "aff"]
    made = given.evaluated()
    rows = made.matrix[made.matrix["trained_on"] == "specialists"]
    assert set(rows["tested_on"]) == {"fer"}
    assert not made.contrasts[["first", "second"]].isin(["aff", "specialists"]).any(axis=None)


def test_neither_the_order_of_rows_nor_further_answers_matter() -> None:
    given = world()
    first = given.evaluated()
    other = given.answers.head(1).assign(image_id="fer/002")  # of a training image
    given.answers = pd.concat([given.answers, other]).sample(frac=1, random_state=1)
    for name in ("images", "division", "evaluator", "duplicates"):
        setattr(given, name, getattr(given, name).sample(frac=1, random_state=1))
    second = given.evaluated()
    for one in dataclasses.fields(Evaluated):
        pd.testing.assert_frame_equal(getattr(first, one.name), getattr(second, one.name))


def test_without_fill_ins_nothing_is_scored_twice() -> None:
    given = world()
    drawn = given.evaluator["drawn"]
    given.answers = given.answers[~given.answers["image_id"].str.startswith("drawn")]
    given.evaluator = given.evaluator[~drawn]
    assert set(given.evaluated().matrix["images"]) == {"real", "test"}


def test_all_that_is_wrong_is_said_at_once() -> None:
    given = world()
    given.duplicates = given.duplicates[given.duplicates["image_id"] != "fer/000"]
    given.division.loc[given.division["image_id"] == "fer/003", "part"] = "train"
    given.evaluator.loc[given.evaluator["image_id"] == "fer/006", "label"] = "bored"
    given.images = given.images[given.images["image_id"] != "aff/000"]
    given.evaluator["corpus"] = given.evaluator["corpus"].replace("aff", "merged")
    with pytest.raises(InputError) as error:
        given.evaluated()
    for words in (
        "without atom (1): fer/000",
        "trained on (1): fer/003",
        "none of the seven (1): fer/006",
        "corpora lack (1): aff/000",
        "the matrix needs (1): merged",
    ):
        assert words in str(error.value)
    given = world()
    first = given.answers["image_id"] == "fer/000"
    given.answers = given.answers[~(first & (given.answers["trained_on"] == "aff"))]
    given.answers.loc[first & (given.answers["trained_on"] == "fer"), "p_sad"] += 0.5
    with pytest.raises(InputError) as error:
        given.evaluated()
    assert "without answer (2): aff cnn48 1: fer/000" in str(error.value)
    assert "add up to 1 (2): fer cnn48 1: fer/000" in str(error.value)
    given.answers = given.answers.head(0)
    with pytest.raises(InputError, match="no network answers"):
        given.evaluated()


def test_a_probability_at_the_edge_of_a_bin_lies_below_it() -> None:
    # Both lie in the bin up to .5: right in one of two, .45 on average.
    p = np.zeros((2, 7))
    p[0, :2], p[1, :3] = 0.5, (0.4, 0.35, 0.25)
    assert evaluation.scored(p, np.array([0, 1]), 2)[1]["ece"] == pytest.approx(0.05)


def test_the_worst_cell_is_that_of_lowest_accuracy_and_then_of_most_images() -> None:
    cell = {"trained_on": "merged", "network": "cnn48", "images": "real", "age": "old"}
    rows = [
        cell | {"gender": gender, "ethnicity": name, "accuracy": accuracy, "high": high}
        for gender, name, accuracy, high in (
            ("female", "asian", 0.55, 0.60),
            ("female", "black", 0.50, 0.90),
            ("male", "white", 0.50, 0.70),
        )
    ]
    (worst,) = worst_cells(pd.DataFrame(rows)).to_dict("records")
    assert (worst["gender"], worst["ethnicity"]) == ("male", "white")


def test_a_repetition_that_only_one_of_two_has_is_not_compared() -> None:
    given = world()
    first = given.evaluated().contrasts
    merged = given.answers[given.answers["trained_on"] == "merged"]
    further = merged.drop_duplicates("image_id").assign(repetition=3)
    given.answers = pd.concat([given.answers, further])
    pd.testing.assert_frame_equal(given.evaluated().contrasts, first)
