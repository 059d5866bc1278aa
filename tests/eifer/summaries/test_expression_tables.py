"""Tables of the expressions study: the numbers a reader would count by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from eifer import paper_consistency
from eifer.corpora import published
from eifer.corpora.relabelling import judged
from eifer.report.exhibits import exhibit, known_exhibits, lines
from eifer.summaries import (
    by_class_table,
    corpora_table,
    doubtful_labels,
    drawn_table,
    evaluator_table,
    expression_contradictions,
    matrix_table,
    parts_table,
    planted_table,
    relabelling_table,
    training_sets,
)
from eifer.tables.attrition import images_left_out
from eifer.tables.expressions import TRAINED
from tests.corpora import world


def images() -> pd.DataFrame:
    rows = [
        ("FER2013", "happy", 48, 48, False),
        ("FER2013", "happy", 48, 48, False),
        ("FER2013", "sad", 48, 48, False),
        ("other", "angry", 96, 120, True),
        ("other", "angry", 300, 224, False),
    ]
    return pd.DataFrame(rows, columns=["corpus", "label", "width_px", "height_px", "colour"])


def test_corpora_are_counted_beside_the_printed_ones_of_the_same_name() -> None:
    given = images(), published.counts(), published.properties()
    made = corpora_table.table(*given)[0]
    assert made["corpus"].tolist() == ["FER2013", "other", "all", "affectnet", "nhfi"]
    by = made.set_index("corpus")
    assert by.loc["FER2013", ["happy", "sad", "total"]].tolist() == [2, 1, 3]
    assert by.loc["FER2013", ["happy_published", "total_published"]].tolist() == [8988, 35886]
    assert by.loc["all", ["total", "total_published", "side_px"]].tolist() == [
        5,
        71336,
        "48 to 224",
    ]
    looks = ["side_px", "colour", "side_px_published", "colour_published"]
    assert by.loc["FER2013", looks].tolist() == ["48", "grayscale", "48", "grayscale"]
    assert by.loc["other", looks[:2]].tolist() == ["96 to 224", "50 % RGB"]
    assert by.loc["other", "total_published"] is pd.NA and by.loc["nhfi", "total"] is pd.NA
    assert lines(made, {"Happy": "{happy:d} / {happy_published:d}"})[:2] == [
        [["2", "8988"]],
        [["0", "–"]],
    ]
    assert "5 images of 2 corpora" in corpora_table.table(*given)[1]


def test_every_corpus_has_its_parts_beside_those_printed() -> None:
    parts = ["train", "train", "test", "left_out", "evaluator"]
    division = pd.DataFrame({"corpus": ["nhfi"] * 4 + ["own"], "part": parts})
    given = division, published.parts(), published.division()
    by = parts_table.table(*given)[0].set_index("corpus")
    assert list(by.index) == ["nhfi", "own", "all", "affectnet", "artificial", "fer2013"]
    ours = ["train", "validation", "test", "evaluator", "left_out", "total"]
    assert by.loc["nhfi", ours].tolist() == [2, 0, 1, 0, 1, 4]
    assert by.loc["all", ours].tolist() == [2, 0, 1, 1, 1, 5]
    printed = ["train_published", "evaluator_published", "first_train_published"]
    assert by.loc["nhfi", printed].tolist() == [3915, 560, 4280]
    assert by.loc["all", printed[:2]].tolist() == [55896, 1680]
    assert by.loc["all", "first_train_published"] is pd.NA
    assert "5 images of 2 corpora" in parts_table.table(*given)[1]


def test_the_surest_doubts_come_first() -> None:
    rows = relabelled()
    made = doubtful_labels.table(rows)[0]
    assert len(made) == rows["flagged"].sum() > 1 and made["flagged"].all()
    assert made["probability"].is_monotonic_decreasing
    many = pd.concat([rows.assign(image_id=rows["image_id"] + str(k)) for k in range(20)])
    assert len(doubtful_labels.table(many)[0]) == 20
    assert f"The 20 surest of {many['flagged'].sum()} doubted" in doubtful_labels.table(many)[1]


def test_drawn_faces_stand_beside_those_that_the_source_made() -> None:
    rows = [("sad", True), ("sad", True), ("fear", False)]
    given = pd.DataFrame(rows, columns=["label", "drawn"]), published.artificial()
    by = drawn_table.table(*given)[0].set_index("label")
    assert by.loc["sad", ["drawn", "train", "test", "total"]].tolist() == [2, 1492, 240, 1732]
    assert by.loc["total", ["drawn", "train", "test"]].tolist() == [2, 6605, 1680]
    assert by.loc["fear", "drawn"] == 0
    assert drawn_table.table(*given)[1].startswith("2 drawn faces")


def test_the_evaluator_says_what_is_real_drawn_and_lacking() -> None:
    rows = [("nhfi", "sad", False), ("nhfi", "sad", True), ("own", "fear", False)]
    evaluator = pd.DataFrame(rows, columns=["corpus", "label", "drawn"]).assign(
        gender=["female", "male", "unknown"], age="child", ethnicity="asian"
    )
    shortfall = pd.DataFrame(
        {"corpus": "nhfi", "label": ["sad", "sad", "happy"]}
        | {"wanted": [2, 2, 2], "found": [1, 0, 0], "filled": [1, 0, 0]}
    )
    given = evaluator, shortfall, published.evaluator()
    made = evaluator_table.table(*given)[0]
    by = made.set_index(["corpus", "label"])
    assert by.loc[("nhfi", "sad")].tolist() == [1, 1, 2, 69, 11]
    assert by.loc[("nhfi", "happy")].tolist() == [0, 0, 2, 79, 1]
    assert by.loc[("nhfi", "total")].tolist() == [1, 1, 4, 551, 99]
    assert by.loc[("all", "total")].tolist() == [2, 1, 4, 1468, 212]
    assert by.loc[("all", "sad"), "real"] == 1
    # Ours first, then all, then what is printed of others.
    corpora = made["corpus"].drop_duplicates().tolist()
    assert corpora == ["nhfi", "own", "all", "affectnet", "fer2013"]
    caption = evaluator_table.table(*given)[1]
    assert (
        "3 images, 1 of them drawn (33.3 %); 4 places" in caption
        and "1 images lack a gender" in caption
    )


def test_training_sets_have_their_means_on_all_images_and_on_each_corpus() -> None:
    matrix = world().evaluated().matrix
    made = training_sets.table(matrix)[0]
    sets = ["aff", "fer", "merged", "specialists", "without-aff", "without-fer"]
    assert made["trained_on"].tolist() == sets
    own = matrix[(matrix["trained_on"] == "merged") & (matrix["target"] == "original")]
    for images in training_sets.KINDS:
        of = own[(own["images"] == images) & (own["tested_on"] == "all")]
        for score in training_sets.SHOWN:
            row = made.set_index("trained_on").loc["merged"]
            assert row[f"{images}_{score}_mean"] == pytest.approx(of[score].mean())
            assert row[f"{images}_{score}_sd"] == pytest.approx(of[score].std())
    real = own[own["images"] == "real"].groupby("tested_on")["accuracy"].mean()
    assert row["corpora"] == f"aff {real['aff']:.3f} (20), fer {real['fer']:.3f} (20)"
    n = own.query("tested_on == 'all' and images == 'test'")["n"].max()
    assert f"{n} of the test part" in training_sets.table(matrix)[1]
    without = matrix[matrix["images"] != "with_fill_ins"]
    assert training_sets.table(without)[0]["with_fill_ins_accuracy_mean"].isna().all()
    assert "fill-ins" not in training_sets.table(without)[1]


def test_the_matrix_has_means_beside_the_printed_figures() -> None:
    given = world()
    some = given.evaluator.loc[~given.evaluator["drawn"], ["image_id"]].head(9)
    given.relabelled = some.assign(proposed="happy")
    for name in ("answers", "division", "evaluator"):
        table = getattr(given, name)
        column = "trained_on" if name == "answers" else "corpus"
        table[column] = table[column].replace("fer", "FER2013")
    matrix = given.evaluated().matrix
    made = matrix_table.table(matrix, published.accuracy())[0]
    assert not made.duplicated(matrix_table.KEY).any()
    by = made.set_index(["trained_on", "tested_on", "images"])
    row = by.loc[("merged", "FER2013", "with_fill_ins")]
    both = matrix[
        (matrix["trained_on"] == "merged")
        & (matrix["tested_on"] == "FER2013")
        & (matrix["images"] == "with_fill_ins")
    ].set_index("target")
    original = both.loc["original", "accuracy"]
    assert row["accuracy_mean"] == original.mean()
    assert row["accuracy_sd"] == pytest.approx(np.std(original, ddof=1))
    assert row["accuracy_published"] == 0.7411
    assert row["majority_mean"] == both.loc["majority", "accuracy"].mean()
    assert row["n_majority"] == both.loc["majority", "n"].iloc[0] < row["n"]
    assert np.isnan(by.loc[("merged", "FER2013", "real"), "accuracy_published"])
    theirs = by.loc[("nhfi", "affectnet", "with_fill_ins")]
    assert theirs["accuracy_published"] == 0.4125 and theirs["n"] is pd.NA
    assert made["accuracy_published"].count() == 25
    assert by["n_agreement"].max() == 9
    assert "no evidence" in matrix_table.table(matrix, published.accuracy())[1]
    without = matrix[matrix["target"] != "relabelled"]
    assert "greement" not in matrix_table.table(without, published.accuracy())[1]
    real = matrix[matrix["images"] != "with_fill_ins"]
    by = matrix_table.table(real, published.accuracy())[0].set_index(
        ["trained_on", "tested_on", "images"]
    )
    assert by.loc[("merged", "all", "real"), "accuracy_published"] == 0.6935


def test_the_report_by_class_is_of_the_own_corpus_and_of_merged_on_all() -> None:
    made = world(n=240).evaluated().by_class
    table = by_class_table.table(made, published.report())[0]
    pairs = {*zip(table["trained_on"], table["tested_on"], table["images"], strict=True)}
    assert pairs == {("aff", "aff", "test"), ("fer", "fer", "test"), ("merged", "all", "test")}
    assert table["label"].head(7).tolist() == sorted(table["label"].unique())
    by = table.set_index(["trained_on", "label"])
    rows = made[(made["trained_on"] == "fer") & (made["tested_on"] == "fer")]
    rows = rows[(rows["label"] == "happy") & (rows["images"] == "test")]
    rows = rows[rows["target"] == "original"]
    assert by.loc[("fer", "happy"), "f1"] == rows["f1"].mean()
    assert by.loc[("fer", "happy"), "f1_published"] == 0.88
    assert by.loc[("fer", "surprise"), "f1_published"] == 0.81
    fear = by.loc[("fer", "fear")]  # which nobody answers in that corpus
    assert np.isnan(fear["precision"]) and fear["f1"] == 0 and fear["support"] > 0
    assert "2 of 42 classes are never answered" in by_class_table.table(made, published.report())[1]


def relabelled() -> pd.DataFrame:
    """Six images: what is proposed, and what training takes."""
    rows = [
        # original, proposed, label, weight, flagged, fold; the truth is happy
        ("sad", "happy", "happy", 1.0, True, 1),  # repaired
        ("sad", "happy", "sad", 0.0, True, 1),  # left out
        ("sad", "sad", "sad", 1.0, False, None),  # learnt by heart
        ("happy", "fear", "fear", 1.0, True, 2),  # broken
        ("happy", "happy", "happy", 1.0, False, 2),
        ("happy", "fear", "happy", 0.0, True, 2),  # right, and left out
    ]
    columns = ["original", "proposed", "label", "weight", "flagged", "fold"]
    made = pd.DataFrame(rows, columns=columns).astype({"fold": "Int64"})
    made["probability"] = [0.9, 0.8, 0.5, 0.95, 0.6, 0.7]
    made["reason"] = "why"
    return made.assign(image_id=[f"a/{k}" for k in range(6)], corpus=["a"] * 4 + ["b"] * 2)


def test_relabelling_is_judged_by_what_is_true() -> None:
    known = pd.DataFrame({"image_id": [f"a/{k}" for k in range(6)], "label": "happy"})
    other = relabelled().assign(method="published", label=relabelled()["proposed"])
    made = relabelling_table.table(relabelled(), other, known)[0].set_index(["method", "corpus"])
    told = judged(relabelled(), known.set_index("image_id")["label"])
    assert made.loc[("used", "all"), list(told)].to_dict() == pytest.approx(told)
    assert made.loc[("used", "a"), ["n", "wrong", "right"]].tolist() == [4, 3, 1]
    repaired = made.loc[("used", "b"), "repaired"]
    assert repaired is pd.NA or np.isnan(repaired)
    assert made.loc[("published", "all"), "own_network"] == 1
    caption = relabelling_table.table(relabelled(), other, known)[1]
    assert "Of 6 the truth is known" in caption and "agrees with its own network" in caption
    assert "in 50.0 % before and 50.0 % after" in caption
    none = other.iloc[:0], known.iloc[:0]
    made = relabelling_table.table(relabelled(), *none)[0].set_index("corpus")
    assert made.loc["all", ["n", "changed", "n_known", "wrong"]].tolist() == [6, 2, 0, 0]
    assert "The truth is known of no image" in relabelling_table.table(relabelled(), *none)[1]


def test_planted_labels_and_copies_stand_beside_what_was_found() -> None:
    truth = relabelled()[["image_id", "corpus"]].assign(
        label="happy",
        given=relabelled()["original"],
        copy_of=[None, "a/0", "a/0", None, "a/3", None],
    )
    groups = ["a/0", "a/0", None, "a/3", "a/3", "a/3"]  # one copy missed, one face too many
    duplicates = truth[["image_id", "corpus"]].assign(copies=groups)
    contrasts = world().evaluated().contrasts
    made = planted_table.table(truth, duplicates, relabelled(), contrasts)[0].set_index("what")
    assert made.loc["wrong labels, repaired", "planted"] == "3 of 6 training labels"
    assert made.loc["wrong labels, repaired", "found"] == "1 of 3 (33.3 %)"
    assert made.loc["wrong labels, flagged", "found"] == "2 of 4 (50.0 %)"
    assert made.loc["copies", ["planted", "found"]].tolist() == ["3", "2 of 3"]
    assert made.loc["no copies", "found"] == "1 taken for copies"
    gain = contrasts[(contrasts["second"] == "specialists") & (contrasts["metric"] == "accuracy")]
    found = made.loc["gain by merging, cnn48", "found"].tolist()
    assert len(found) == len(gain) == 3
    assert found[0].startswith(f"{gain['difference'].iloc[0]:+.3f}")
    caption = planted_table.table(truth, duplicates, relabelled(), contrasts)[1]
    assert "6 drawn faces of 2 corpora, of which 6" in caption


def test_contradictions_are_counted_by_source() -> None:
    found = paper_consistency.expression_checks()
    made = expression_contradictions.table(found)[0]
    assert made["source"].drop_duplicates().tolist() == ["S2", "S3", "S4"]
    assert made["figures"].sum() == len(found)
    (row,) = made[
        (made["check"].str.startswith("a total")) & (made["verdict"] != "agrees")
    ].to_dict("records")
    assert row["which"] == "Table 4, nhfi: 551 ↔ 461; Table 4, totals of all: 1468 ↔ 1558"
    assert f"{len(found)} checks" in expression_contradictions.table(found)[1]


def trained() -> pd.DataFrame:
    row = {column.name: 1 for column in TRAINED.columns} | {
        "trained_on": "a", "network": "cnn48", "weights_sha256": "0" * 64
    }  # fmt: skip
    return TRAINED.frame([row])


OWN = {
    *("corpora_table", "parts_table", "drawn_table", "doubtful_labels", "evaluator_table"),
    *("matrix_table", "by_class_table", "relabelling_table", "planted_table"),
    "expression_contradictions",
}


def test_every_column_that_the_report_declares_is_there() -> None:
    """Each table of reports/expressions.yml, of the sources that it names."""
    evaluated = world().evaluated()
    truth = relabelled()[["image_id", "corpus"]].assign(
        label="happy", given=relabelled()["original"], copy_of=None
    )
    cells = {"gender": "female", "age": "old", "ethnicity": "asian"}
    shortfall = {"corpus": "fer", "label": "sad", **cells, "wanted": 2, "found": 1, "filled": 0}
    sources = {
        "images": images().assign(image_id=[f"a/{k}" for k in range(5)]),
        "division": world().division,
        "evaluator": world().evaluator,
        "evaluator_shortfall": pd.DataFrame([shortfall]),
        "relabelled": relabelled(),
        "relabelled_otherwise": relabelled().assign(method="published"),
        "known_truth": truth,
        "planted_truth": truth,
        "duplicates": truth[["image_id", "corpus"]].assign(copies=None),
        "matrix": evaluated.matrix,
        "by_class": evaluated.by_class,
        "contrasts": evaluated.contrasts,
        "by_cell": evaluated.by_cell,
        "trained_networks": trained(),
        "attrition": images_left_out("a", {"picture cannot be decoded": 1}).assign(stage="corpora"),
        "checks": pd.DataFrame(
            [{"stage": "split", "table": "t", "about": "a", "times": 1, "success": True}]
        ),
        "expression_consistency": paper_consistency.expression_checks(),
        **published.sources(),
    }
    root = Path(__file__).parents[3]
    spec = yaml.safe_load((root / "reports/expressions.yml").read_text(encoding="utf-8"))
    shown = [
        item for section in spec["sections"] for item in section.get("show", []) if "table" in item
    ]
    assert {item["table"] for item in shown} >= OWN
    for item in shown:
        given = [sources[name] for name in item["of"]]
        known = item["table"] in known_exhibits("table")
        frame = exhibit("table", item["table"]).table(*given)[0] if known else given[0]
        made = lines(frame, item["columns"])
        assert made and any(set(cell[0]) - set(" –()[],") for row in made for cell in row)
