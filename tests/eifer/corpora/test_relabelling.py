"""Planted wrong labels are found, what is not doubted stays, and the bookkeeping adds up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from eifer.corpora.relabelling import (
    CLASSES,
    RelabelSpec,
    confident,
    judge,
    judged,
    judges,
    none,
    out_of_fold,
    published,
    relabel,
    rounds,
)
from eifer.errors import DesignError, InputError
from eifer.tables.expressions import RELABELLED

SPEC = RelabelSpec("confident", "weight", above=0.7, rounds=3, until=0.01)
N = 700


def planted(seed: int = 0) -> tuple[pd.DataFrame, pd.Series, NDArray[np.float64]]:
    """Labels of which a fifth are wrong, the truth, and a network that is right in nine of ten."""
    rng = np.random.default_rng(seed)
    truth = np.arange(N) % len(CLASSES)
    wrong = rng.random(N) < 0.2
    given = np.where(wrong, (truth + rng.integers(1, 7, N)) % 7, truth)
    seen = np.where(rng.random(N) < 0.9, truth, rng.integers(0, 7, N))
    sure = rng.uniform(0.4, 0.95, N)
    chances = np.repeat((1 - sure)[:, None] / 6, 7, axis=1)
    chances[np.arange(N), seen] = sure
    names = pd.Index([f"corpus/{i:03d}" for i in range(N)], name="image_id")
    labels = pd.DataFrame(
        {"image_id": names, "corpus": "corpus", "label": np.array(CLASSES)[given]}
    )
    return labels, pd.Series(np.array(CLASSES)[truth], names), chances


FOLDS = np.arange(N) % 5 + 1


def test_doubted_labels_are_mostly_the_wrong_ones_and_are_not_trained_on() -> None:
    labels, truth, chances = planted()
    found = confident(labels, chances, FOLDS, SPEC)
    assert list(found) == list(RELABELLED.names)
    told = judged(found, truth)
    assert told["flagged_wrong"] > 0.6
    assert told["wrong_left_out"] > 0.7
    assert told["agreement_after"] > 0.92
    assert told["agreement_before"] < 0.82
    # Weights change, labels do not.
    assert (found["label"] == found["original"]).all()
    assert (found["weight"] == np.where(found["flagged"], 0, 1)).all()
    assert told["repaired"] == told["broken"] == 0
    assert set(found["reason"]) == {"doubted: not trained on", "not doubted"}
    assert found["fold"].tolist() == FOLDS.tolist()


def test_doubted_labels_are_replaced_only_where_the_network_is_sure() -> None:
    labels, truth, chances = planted()
    found = confident(labels, chances, FOLDS, replace(SPEC, apply="relabel"))
    changed = found["label"] != found["original"]
    assert (changed == (found["flagged"] & (found["probability"] > 0.7))).all()
    assert changed.any() and (found["flagged"] & ~changed).any()
    assert (found["label"] == found["proposed"])[changed].all()
    assert (found["weight"] == 1).all()
    assert set(found["reason"]) == {
        "not doubted",
        "doubted; the network's label, whose probability is above 0.7",
        "doubted, but no label has a probability above 0.7: kept",
    }
    told = judged(found, truth)
    assert told["repaired"] > 0.3 and told["broken"] < 0.05
    assert told["agreement_after"] > told["agreement_before"]


def test_doubt_is_cleanlab_s_and_does_not_depend_on_the_order_of_pictures() -> None:
    from cleanlab.filter import find_label_issues

    labels, _, chances = planted()
    codes = labels["label"].map(CLASSES.index).to_numpy()
    wanted = find_label_issues(codes, chances, filter_by="both", n_jobs=1)
    found = confident(labels, chances, FOLDS, SPEC)
    assert found["flagged"].tolist() == wanted.tolist()
    order = np.random.default_rng(5).permutation(N)
    again = confident(labels.iloc[order], chances[order], FOLDS[order], SPEC)
    pd.testing.assert_frame_equal(again, found)


def test_a_class_that_no_label_names_is_no_trouble() -> None:
    labels, _, chances = planted()
    there = (labels["label"] != "disgust").to_numpy()
    found = confident(labels[there], chances[there], FOLDS[there], SPEC)
    assert len(found) == there.sum() and found["flagged"].any()


def test_what_confident_learning_cannot_take_is_refused() -> None:
    labels, _, chances = planted()
    with pytest.raises(DesignError, match="all 700 labels are happy"):
        confident(labels.assign(label="happy"), chances, FOLDS, SPEC)
    with pytest.raises(InputError, match="lists of different lengths"):
        confident(labels, chances[:-1], FOLDS, SPEC)
    broken = chances.copy()
    broken[3] = np.nan
    with pytest.raises(InputError, match=r"do not sum to 1.*corpus/003"):
        confident(labels, broken, FOLDS, SPEC)
    twice = labels.assign(image_id=labels["image_id"].replace("corpus/001", "corpus/000"))
    with pytest.raises(InputError, match=r"comes twice.*corpus/000"):
        confident(twice, chances, FOLDS, SPEC)
    with pytest.raises(InputError, match=r"no class.*corpus/002"):
        none(labels.assign(label=labels["label"].where(labels.index != 2, "joy")))


def test_every_picture_is_judged_by_a_network_that_did_not_see_it() -> None:
    told: list[int] = []

    def network(trains: Any, asks: Any, number: int) -> Any:
        assert not (trains & asks).any() and (trains | asks).all()
        told.append(number)
        return np.full((asks.sum(), 7), number)

    found = out_of_fold(network, FOLDS)
    assert told == [1, 2, 3, 4, 5]
    assert (found == FOLDS[:, None]).all()
    with pytest.raises(DesignError, match="1 folds, but it takes two"):
        out_of_fold(network, np.ones(N, np.int64))


def test_the_published_method_trains_on_what_the_last_network_had_right() -> None:
    labels, truth, chances = planted()
    codes = labels["label"].map(CLASSES.index).to_numpy()
    seen: list[Any] = []
    other = planted(seed=1)[2]

    def network(trains: Any, asks: Any, number: int) -> Any:
        assert asks.all() and number == len(seen) + 1
        seen.append(trains)
        return (chances, other, chances)[len(seen) - 1]

    found = published(labels, *rounds(network, labels, most=3, until=0.01))
    assert len(seen) == 3 and seen[0].all()
    assert (seen[1] == (chances.argmax(1) == codes)).all()
    assert (seen[2] == (other.argmax(1) == codes)).all()
    # The last network labels everything, and nothing is left out.
    assert (found["label"] == np.array(CLASSES)[chances.argmax(1)]).all()
    assert (found["flagged"] == (found["label"] != found["original"])).all()
    assert (found["weight"] == 1).all() and found["fold"].isna().all()
    assert set(found["reason"]) == {"labelled by network 3", "its label is the network's too"}
    told = judged(found, truth)
    assert told["repaired"] > 0.8


@pytest.mark.parametrize(("until", "networks"), [(0.01, 2), (0.99, 1), (0.0, 5)])
def test_the_published_method_ends_once_little_changes(until: float, networks: int) -> None:
    labels, _, chances = planted()
    seen: list[int] = []

    def network(trains: Any, asks: Any, number: int) -> Any:
        seen.append(number)
        return chances

    rounds(network, labels, most=5, until=until)
    assert len(seen) == networks


def test_the_published_method_ignores_the_order_and_needs_something_right() -> None:
    labels, _, chances = planted()
    found = published(labels, chances, 2)
    order = np.random.default_rng(5).permutation(N)
    again = published(labels.iloc[order], chances[order], 2)
    pd.testing.assert_frame_equal(again, found)
    never = np.eye(7)[(labels["label"].map(CLASSES.index).to_numpy() + 1) % 7]
    with pytest.raises(DesignError, match="network 1 predicts none of 700 labels rightly"):
        rounds(lambda trains, asks, number: never, labels, most=2, until=0.01)


def test_no_relabelling_changes_nothing() -> None:
    labels, truth, _ = planted()
    found = none(labels)
    assert (found["label"] == labels["label"]).all() and (found["weight"] == 1).all()
    assert not found["flagged"].any()
    told = judged(found, truth)
    assert told["repaired"] == told["broken"] == told["flagged"] == 0
    assert np.isnan(told["flagged_wrong"]) and told["agreement_before"] == told["agreement_after"]


def test_repairs_by_hand() -> None:
    rows = [
        # original, label, weight, flagged; the truth is happy
        ("a", "sad", "happy", 1.0, True),  # repaired
        ("b", "sad", "fear", 1.0, True),  # still wrong
        ("c", "sad", "sad", 0.0, True),  # wrong, left out
        ("d", "sad", "sad", 1.0, False),  # wrong, unseen
        ("e", "happy", "sad", 1.0, True),  # broken
        ("f", "happy", "happy", 0.0, True),  # right, left out
        ("g", "happy", "happy", 1.0, False),
        ("h", "happy", "happy", 1.0, False),
        ("z", "happy", "sad", 1.0, True),  # nobody knows
    ]
    table = pd.DataFrame(rows, columns=["image_id", "original", "label", "weight", "flagged"])
    truth = pd.Series("happy", list("abcdefghx"))
    told = judged(table.assign(proposed=table["label"], fold=pd.NA), truth)
    known = {
        "n": 9,
        "flagged": 6,
        "changed": 4,
        "left_out": 2,
        "seen": 9,
        "n_known": 8,
        "wrong": 4,
        "right": 4,
        "repaired": 1 / 4,
        "wrong_left_out": 1 / 4,
        "repeated": 2 / 4,
        "broken": 1 / 4,
        "right_left_out": 1 / 4,
        "flagged_wrong": 3 / 5,
        "own_network": 1.0,
        "agreement_before": 4 / 8,
        "agreement_after": 3 / 6,
    }
    assert told == known


def test_methods_are_compared_on_the_same_judgement() -> None:
    labels, _, chances = planted()
    asked: list[int] = []

    def network(trains: Any, asks: Any, number: int) -> Any:
        asked.append(number)
        return chances[asks]

    methods = ("confident_weight", "none", "confident_relabel")
    assert judges(methods) == ["confident", "none"]
    given = labels.assign(fold=FOLDS)
    judgements = pd.concat([judge(by, network, given, SPEC) for by in ("none", "confident")])
    found = relabel(given, methods, judgements, SPEC)
    assert list(found) == list(methods) and asked == [1, 2, 3, 4, 5]
    assert (found["confident_weight"]["flagged"] == found["confident_relabel"]["flagged"]).all()
    assert (found["confident_weight"]["weight"] == 0).any()
    assert (found["confident_relabel"]["label"] != labels["label"]).any()
