"""Figures of the expressions study: the same bytes each time, and what they must show."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from eifer.corpora.evaluation import CLASSES, Evaluated
from eifer.figures import (
    cells_accuracy,
    class_counts,
    confusion_matrix,
    contrast_forest,
    corpus_matrix,
    expression_curves,
    sample_grid,
)
from eifer.figures.style import drawing, svg
from tests.corpora import TRAINED_ON, world


@cache
def evaluated() -> Evaluated:
    return world(n=120).evaluated()


def curves() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "trained_on": trained_on,
                "network": "cnn48",
                "repetition": repetition,
                "epoch": epoch,
                "train_loss": 2 / epoch,
                "validation_loss": 2.1 / epoch,
                "validation_accuracy": 0.5 - 0.3 / epoch + repetition / 100,
            }
            for trained_on in TRAINED_ON
            for repetition in (1, 2)
            for epoch in (1, 2, 3)
        ]
    )


def trained() -> pd.DataFrame:
    once = curves().groupby(["trained_on", "network", "repetition"]).size().reset_index()
    return once.assign(kept_epoch=[2, 3] * len(TRAINED_ON), epochs=3)


def truth() -> pd.DataFrame:
    rows = [
        (f"{corpus}/{label}{k}", corpus, label, "sad" if k == 0 else label)
        for corpus in ("aff", "fer")
        for label in CLASSES
        for k in range(3)
    ]
    made = pd.DataFrame(rows, columns=["image_id", "corpus", "label", "given"])
    return made.assign(copy_of=None)


def pictures() -> pd.DataFrame:
    random = np.random.default_rng(0)
    faces = random.integers(0, 256, (len(truth()) + 1, 8, 8, 3), dtype=np.uint8)
    names = [*truth()["image_id"], "real/1"]
    encoded = [cv2.imencode(".png", face)[1].tobytes() for face in faces]
    return pd.DataFrame({"image_id": names, "image": encoded})


FIGURES: dict[Any, tuple[Callable[[], list[Any]], list[str]]] = {
    class_counts: (lambda: [world().division], ["120 images of 2 corpora", "evaluator 40"]),
    expression_curves: (
        lambda: [curves(), trained()],
        ["10 networks on 5 training sets", "from 2 to 3; in 5 it is the last"],
    ),
    confusion_matrix: (
        lambda: [evaluated().confusion],
        ["Trained on merged, tested on 80 real images", "2 repetitions"],
    ),
    corpus_matrix: (lambda: [evaluated().matrix], ["2 repetitions", "1/7"]),
    contrast_forest: (
        lambda: [evaluated().contrasts],
        ["28 differences", "20 to 40 atoms", "all 42 contrasts"],
    ),
    cells_accuracy: (
        lambda: [evaluated().by_cell],
        ["80 real images in 4 cells", "Worst (square): cnn48: "],
    ),
    sample_grid: (lambda: [pictures(), truth()], ["14 of 42 drawn faces", "not shown"]),
}


@pytest.mark.parametrize("figure", FIGURES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_figure_is_the_same_each_time_and_its_caption_says_n(figure: Any) -> None:
    given, words = FIGURES[figure]
    with drawing():
        made, caption = figure.draw(*given())
        assert svg(made) == svg(figure.draw(*given())[0])
    assert all(word in caption for word in words), caption


def texts(figure: Any, *given: Any) -> list[str]:
    with drawing():
        drawn = figure.draw(*given)[0]
    return [text.get_text() for axes in drawn.axes for text in axes.texts]


def test_a_bar_says_how_many_images_a_class_has() -> None:
    division = world().division
    counts = division.groupby("corpus")["label"].value_counts()
    shown = texts(class_counts, division)
    assert shown == [str(counts.get((c, name), 0)) for c in ("aff", "fer") for name in CLASSES]
    assert "0" in shown  # a class that a corpus has not


def test_five_corpora_and_one_leave_no_empty_panels() -> None:
    division = world().division
    many = pd.concat([division.assign(corpus=f"corpus {k}") for k in range(5)])
    with drawing():
        visible = [axes.get_visible() for axes in class_counts.draw(many)[0].axes]
        alone = class_counts.draw(division[division["corpus"] == "aff"])[0].axes
        one = trained()["trained_on"] == "aff"
        (loss, score) = expression_curves.draw(
            curves()[curves()["trained_on"] == "aff"], trained()[one]
        )[0].axes
    assert visible == [True] * 5 + [False] and len(alone) == 1
    assert len(loss.lines) == 4 and len(score.lines) == 4  # 2 repetitions; a line and its mark


def test_confusion_is_that_of_merged_in_shares_of_the_row() -> None:
    rows = evaluated().confusion
    rows = rows[(rows["trained_on"] == "merged") & (rows["tested_on"] == "all")]
    rows = rows[(rows["images"] == "real") & (rows["target"] == "original")]
    happy = rows[rows["label"] == "happy"].groupby("answer")["n"].sum()
    shown = texts(confusion_matrix, evaluated().confusion)
    row = shown[7 * CLASSES.index("happy") :][:7]
    assert row == [f"{n / happy.sum():.2f}\n{n}" for n in happy[CLASSES]]
    alone = evaluated().confusion[evaluated().confusion["trained_on"] != "merged"]
    assert "Trained on aff," in confusion_matrix.draw(alone)[1]


def test_the_matrix_marks_the_best_of_a_column_and_the_own_corpus() -> None:
    matrix = evaluated().matrix
    with drawing():
        (axes,) = corpus_matrix.draw(matrix)[0].axes
    trained_on = [label.get_text() for label in axes.get_yticklabels()]
    assert trained_on == ["aff", "fer", "merged", "specialists", "without-aff", "without-fer"]
    tested_on = [label.get_text().split("\n")[0] for label in axes.get_xticklabels()]
    assert tested_on == ["aff", "fer", "drawn", "all"]
    assert [patch.get_xy() for patch in axes.patches] == [(-0.5, -0.5), (0.5, 0.5)]
    rows = matrix[(matrix["target"] == "original") & (matrix["images"] == "real")]
    mean = rows[rows["tested_on"] == "all"].groupby("trained_on")["accuracy"].mean()
    bold = [
        text
        for text in axes.texts
        if text.get_fontweight() == "bold" and text.get_position()[0] == 3
    ]
    assert {trained_on[text.get_position()[1]] for text in bold} == set(
        mean.index[mean == mean.max()]
    )
    assert bold[0].get_text().startswith(f"{mean.max():.3f} (")


def test_a_difference_is_marked_where_q_is_small() -> None:
    contrasts = evaluated().contrasts.assign(q=0.5)
    assert "*" not in texts(contrast_forest, contrasts)
    contrasts.loc[(contrasts["images"] == "test") & (contrasts["first"] == "merged"), "q"] = 0.01
    assert texts(contrast_forest, contrasts).count("*") == 5 * 2
    assert "* 10 have q < 0.05" in contrast_forest.draw(contrasts)[1]


def test_one_training_set_is_compared_with_nothing() -> None:
    given = world()
    given.answers = given.answers[given.answers["trained_on"] == "fer"]
    made = given.evaluated()
    assert made.contrasts.empty
    assert texts(contrast_forest, made.contrasts) == ["no two training sets were compared"]
    assert "Differences need" in contrast_forest.draw(made.contrasts)[1]
    for figure, table in (
        (corpus_matrix, made.matrix),
        (confusion_matrix, made.confusion),
        (cells_accuracy, made.by_cell),
    ):
        assert texts(figure, table)


def test_cells_say_their_n_and_the_worst_is_named() -> None:
    by_cell = evaluated().by_cell
    rows = cells_accuracy.chosen(by_cell)
    assert texts(cells_accuracy, by_cell) == [*(str(n) for n in rows["n"]), "n"]
    worst = rows.loc[rows["accuracy"].idxmin()]
    words = f"{worst['gender']}, {worst['age']}, {worst['ethnicity']}, {worst['right']} of"
    assert words in cells_accuracy.draw(by_cell)[1]


def test_photographs_are_never_shown() -> None:
    shown = sample_grid.chosen(pictures(), truth())
    assert "real/1" not in set(shown["image_id"])
    assert not shown.duplicated(["corpus", "label"]).any() and len(shown) == 14
    assert set(shown["image_id"].str[-1]) == {
        "0",
        "1",
    }  # the first is labelled wrongly, but for sad
