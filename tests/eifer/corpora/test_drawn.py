"""Drawn corpora: what is planted is there, and nothing else tells it."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from eifer.corpora.drawn import (
    TONES,
    Drawing,
    DrawnCorpus,
    DrawnSpec,
    draw_corpus,
    draw_fill_ins,
    fill_in_name,
)
from eifer.corpora.labelled import COLUMNS
from eifer.corpora.looks import look_at, look_hash, small
from eifer.faces.pictures import decoded
from eifer.tables.expressions import AGES, GENDERS, IMAGES, PICTURES, TRUTH
from eifer.vocabulary import Expression

DRAWING = Drawing(
    size_px=48,
    colour=False,
    framing=(0.58, 0.66),
    brightness=(0.75, 1.2),
    contrast=(0.8, 1.2),
    line=1.0,
    blur_px=0.4,
    noise_levels=6,
    jpeg_quality=None,
    background="room",
    roll_deg=4,
    shift=0.025,
    strength=(0.6, 1.0),
    mixed=0.3,
)
LARGE = replace(
    DRAWING,
    size_px=64,
    colour=True,
    framing=(0.46, 0.54),
    jpeg_quality=85,
    background="stripes",
)
FIRST = DrawnCorpus(
    images=60,
    drawing=DRAWING,
    classes=dict.fromkeys(Expression, 1.0),
    wrong=0.2,
    confusion={
        Expression.FEAR: {Expression.SURPRISE: 1.0},
        Expression.SAD: {Expression.NEUTRAL: 0.7, Expression.ANGRY: 0.3},
    },
    copies_within=0.2,
    copies_across=0.0,
    contradicting=0.25,
    identities=False,
    attributes=False,
    images_per_identity=4,
    official_test=0.3,
)
SECOND = replace(
    FIRST,
    images=40,
    drawing=LARGE,
    wrong=0.0,
    copies_within=0.1,
    copies_across=0.2,
    identities=True,
    attributes=True,
    official_test=None,
)
SPEC = DrawnSpec({"first": FIRST, "second": SECOND})
Drawn = tuple[pd.DataFrame, pd.DataFrame]


@pytest.fixture(scope="module")
def first() -> Drawn:
    return draw_corpus("first", SPEC, seed=3)


@pytest.fixture(scope="module")
def second() -> Drawn:
    return draw_corpus("second", SPEC, seed=3)


def test_images_and_truth_are_the_declared_tables(first: Drawn, second: Drawn) -> None:
    for (images, truth), corpus in zip((first, second), SPEC.corpora.values(), strict=True):
        assert list(images) == [*(column.name for column in COLUMNS), "image"]
        looks = pd.DataFrame([asdict(look_at(data)) for data in images["image"]])
        table = IMAGES.conform(pd.concat([images.drop(columns="image"), looks], axis=1))
        pd.testing.assert_frame_equal(table[images.columns[:-1]], images.drop(columns="image"))
        pictures = PICTURES.conform(images[["image_id", "image"]])
        assert all(rule.broken(pictures, {}).empty for rule in PICTURES.rules)
        pd.testing.assert_frame_equal(TRUTH.conform(truth), truth)
        assert len(images) == corpus.images
        assert list(images["image_id"]) == list(truth["image_id"])
        assert list(images["label"]) == list(truth["given"])
        assert (looks["width_px"] == corpus.drawing.size_px).all()
        assert table["votes_happy"].isna().all()
    assert second[0]["image"].map(lambda data: look_at(data).colour).mean() > 0.7
    assert not first[0]["image"].map(lambda data: look_at(data).colour).any()


def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(second: Drawn) -> None:
    again = draw_corpus("second", SPEC, seed=3, workers=2)
    for one, other in zip(second, again, strict=True):
        pd.testing.assert_frame_equal(one, other)
    other_seed = draw_corpus("second", SPEC, seed=4)[0]
    assert not set(other_seed["image"]) & set(second[0]["image"])


def test_a_corpus_depends_on_another_only_by_what_it_copies(first: Drawn) -> None:
    more = replace(SECOND, images=50, wrong=0.1)
    alone = draw_corpus("first", DrawnSpec({"second": more, "first": FIRST}), seed=3)
    for one, other in zip(first, alone, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_wrong_labels_are_as_many_as_planted_and_confused_as_planted(first: Drawn) -> None:
    originals = first[1][first[1]["copy_of"].isna()]
    wrong = originals[originals["label"] != originals["given"]]
    assert len(wrong) == round(0.2 * 48)
    pairs = set(zip(wrong["label"], wrong["given"], strict=True))
    assert pairs <= {("fear", "surprise"), ("sad", "neutral"), ("sad", "angry")}
    assert len(pairs) > 1
    assert originals["label"].value_counts().between(6, 7).all()


def test_copies_are_found_by_their_looks(first: Drawn, second: Drawn) -> None:
    everything = pd.concat([first[0], second[0]]).set_index("image_id")["image"].map(decoded)
    truth = pd.concat([first[1], second[1]]).set_index("image_id")
    copies = truth["copy_of"].dropna()
    across = copies[copies.index.str.split("/").str[0] != copies.str.split("/").str[0]]
    assert len(copies) == 12 + 4 + 8 and len(across) == 8
    assert across.str.startswith("first/").all()
    assert truth.loc[copies, "copy_of"].isna().all()
    assert (truth.loc[copies, "label"].to_numpy() == truth.loc[copies.index, "label"]).all()
    kinds = []
    for one, other in copies.items():
        a, b = everything[one], everything[other]
        turned = small(np.ascontiguousarray(b[:, ::-1]))
        near, near_mirrored = (
            (look_hash(small(a)) ^ look_hash(picture)).bit_count() for picture in (small(b), turned)
        )
        assert min(near, near_mirrored) <= 2
        exact = a.shape == b.shape and bool((a == b).all())
        kinds.append("pixels" if exact else "mirrored" if near_mirrored < near else "other")
    assert set(kinds) == {"pixels", "mirrored", "other"}


def test_some_copies_contradict_their_originals(first: Drawn, second: Drawn) -> None:
    given = pd.concat([first[1], second[1]]).set_index("image_id")["given"]
    for _, truth in (first, second):
        copies = truth.dropna(subset="copy_of")
        other = copies["given"].to_numpy() != given[copies["copy_of"]].to_numpy()
        assert other.sum() == round(0.25 * len(copies))


def test_people_are_named_only_where_the_corpus_names_them(first: Drawn, second: Drawn) -> None:
    assert first[0]["identity"].isna().all()
    assert (first[0][["gender", "age", "ethnicity"]] == "unknown").all(axis=None)
    assert (first[0]["gender_source"] == "none").all()
    assert (second[0]["gender_source"] == "planted").all()
    people = second[0].groupby("identity")
    assert (people[["gender", "age", "ethnicity"]].nunique() == 1).all(axis=None)
    copies = second[1].dropna(subset="copy_of")
    copies = copies[copies["copy_of"].str.startswith("second/")]
    who = second[0].set_index("image_id")["identity"]
    assert (who[copies["copy_of"]].to_numpy() == who[copies["image_id"]].to_numpy()).all()


def test_official_parts_divide_people_and_not_their_copies(first: Drawn, second: Drawn) -> None:
    assert set(first[0]["official"]) == {"train", "test"}
    assert second[0]["official"].isna().all()


def test_fill_ins_are_of_the_people_and_tones_that_were_asked_for() -> None:
    kinds = product(("angry", "happy"), GENDERS, AGES, (TONES[0], TONES[-1]), (1, 2))
    columns = ["label", "gender", "age", "tone", "number"]
    wanted = pd.DataFrame(kinds, columns=columns)
    wanted["image_id"] = [fill_in_name(*kind) for kind in wanted[columns].itertuples(index=False)]
    dark = wanted[wanted["tone"] == TONES[-1]]
    made = draw_fill_ins(dark, LARGE, seed=2)
    shuffled = draw_fill_ins(dark.sample(frac=1, random_state=1), LARGE, seed=2, workers=2)
    pd.testing.assert_frame_equal(made, shuffled)
    assert set(made["image_id"]) == set(dark["image_id"]) and made["image"].is_unique
    # Who shows one class alone is the same person.
    angry = draw_fill_ins(dark[dark["label"] == "angry"], LARGE, seed=2)
    pd.testing.assert_frame_equal(
        angry, made[made["image_id"].isin(angry["image_id"])].reset_index(drop=True)
    )
    light = draw_fill_ins(wanted[wanted["tone"] == TONES[0]], LARGE, seed=2)

    def middle(images: pd.DataFrame) -> float:
        return float(np.mean([decoded(data)[28:44, 24:40].mean() for data in images["image"]]))

    assert middle(light) > middle(made) + 30


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": dict.fromkeys(Expression, 0.0)}, "all shares are 0"),
        ({"wrong": 0.5}, "wrong is 0.5"),
        ({"confusion": {Expression.SAD: {Expression.SAD: 1.0}}}, "confusion of sad"),
        ({"copies_within": 0.6, "copies_across": 0.5}, "add up to 1.10"),
    ],
)
def test_what_cannot_be_planted_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(FIRST, **change)


def test_names_and_ranges_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="may be called 'drawn'; copies_across"):
        DrawnSpec({"drawn": SECOND})
    with pytest.raises(ValueError, match="framing goes from"):
        replace(DRAWING, framing=(0.5, 0.4))
