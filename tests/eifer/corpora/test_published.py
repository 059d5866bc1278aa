"""The printed figures are those of the sources, and join with ours."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from eifer.corpora import published
from eifer.tables.expressions import BY_CLASS, EVALUATOR_SHORTFALL, MATRIX
from eifer.vocabulary import Expression

NAMES = {"fer2013": "FER2013", "nhfi": "NHFI", "affectnet": "AffectNet"}


def seed(shared: Path, number: str) -> str:
    (path,) = (shared / "seeds").glob(f"{number}_*")
    return path.read_text(encoding="utf-8")


def test_tables_of_the_merging_are_printed_so(shared: Path) -> None:
    lines = seed(shared, "002").split("\n")

    def row(*cells: object) -> None:
        """A line of the text has these cells, as it prints a table."""
        assert "\t".join(map(str, cells)) in lines, cells

    counts = published.counts().pivot(index=["version", "corpus"], columns="label", values="n")
    names = {("original", name): words for name, words in NAMES.items()}
    names |= {("relabelled", name): f"{words}*" for name, words in NAMES.items()}
    names |= {("original", "affectnet"): "AffectNet**"}
    names |= {("original", "all"): "Total", ("relabelled", "all"): "Merged"}
    columns = [*Expression, published.TOTAL]
    assert len(counts) == 8
    for place, words in names.items():
        row(words, *counts.loc[place, columns])
    evaluator = published.evaluator()
    for column, last in (("chosen", "Total"), ("filled", "Total"), ("n", "Evaluator")):
        table = evaluator.pivot(index="corpus", columns="label", values=column)
        for corpus, words in {**NAMES, "all": last}.items():
            row(words, *table.loc[corpus, columns])
    drawn = published.artificial().pivot(index="part", columns="label", values="n")
    for part, words in (("train", "Train artificial"), ("test", "Test artificial")):
        row(words, *drawn.loc[part, columns])
    row("Total", *drawn.loc[published.TOTAL, columns])
    for line in published.properties().to_dict("records"):
        side = f"{line['side_px']}x{line['side_px']} px."
        colour = line["colour"].capitalize() if line["colour"] != "RGB" else "RGB"
        row(NAMES[line["corpus"]], line["images"], side, colour, line["format"])
    for corpus, *rest in published.parts().itertuples(index=False):
        row(f"{NAMES[corpus]} (reclassified)", *rest)
    for corpus, *rest in published.division().itertuples(index=False):
        row(NAMES.get(corpus, corpus.capitalize()), *rest)
    matrix = published.accuracy().pivot(index="trained_on", columns="tested_on", values="accuracy")
    best = {"nhfi": "EfficientNetB0", "artificial": "MobileNetV2"}
    for name, cells in matrix.iterrows():
        words = NAMES.get(str(name), str(name).capitalize())
        ends = ["fer2013", "nhfi", "affectnet", "artificial", "all"]
        shown = (f"{cell:.4f}" for cell in cells[ends])
        row(best.get(str(name), "CNN customized"), words, *shown)


def test_the_classification_report_is_printed_so(shared: Path) -> None:
    text = seed(shared, "003")
    for label, *shares, support in published.report(corrected=False).itertuples(index=False):
        assert "\t".join([label, *(f"{share:.2f}" for share in shares), f"{support}"]) in text
    for label, column in published.MISREAD:
        assert label in list(Expression) and column in BY_CLASS.names
    for words in ("6,483,370", "6,438,787", "44,583", "approx 15 M", "approx 5 M", "98.97%"):
        assert words in text


def test_accuracies_are_those_of_the_protocol(shared: Path) -> None:
    text = (shared / "protocol-expressions.md").read_text(encoding="utf-8")
    section = text[text.index("## 10.") : text.index("## 11.")]
    for value in published.accuracy()["accuracy"]:
        assert f"{value:.4f}".removeprefix("0") in section
    for row in published.relabelling().to_dict("records"):
        before = row["after"] - row["gain"] / 100
        assert f"{before:.4f}".removeprefix("0") in section
        assert f"{row['after']:.4f}".removeprefix("0") in section
    for _, name, value in published.ELSEWHERE:
        assert name in section and f"{value:.4f}".removeprefix("0") in section


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (published.accuracy, {*MATRIX.names}),
        (published.report, {*BY_CLASS.names}),
        (published.counts, {"version", "corpus", "label", "n"}),
        (published.evaluator, {*EVALUATOR_SHORTFALL.names, "chosen", "n"}),
    ],
)
def test_columns_are_named_as_ours(made, names) -> None:
    frame = made()
    assert isinstance(frame, pd.DataFrame) and set(frame) <= names
    assert not frame.isna().any(axis=None)
    assert set(frame.get("label", [])) <= {*Expression, published.TOTAL}
