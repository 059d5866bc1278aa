"""Tables of the calibration and of the source's contradictions: what a reader would work out."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from eifer.figures import null_rates, power_curve
from eifer.figures.style import drawing, svg
from eifer.summaries import error_rates, smallest_effects, source_tables
from eifer.tables.calibration import BLOCKS, CALIBRATION, POWER
from flows.graph import ROOT
from flows.pages import calibration as printed
from stages._runtime.artifacts import write_table

PLACE = {"videos": 4, "frames": 6, "repetitions": 2, "training": 0.0, "auc": 0.95, "ease": 0.0}


def rates() -> pd.DataFrame:
    rows = [
        PLACE
        | {"participants": people, "true_effect": effect, "test": test, "block": BLOCKS[test]}
        | {"n_simulations": 20, "n_estimable": 20, "n_rejected": 10 if test == "fisher" else 0}
        | {"training": training, "alpha": 0.05, "rate": 0.5 if test == "fisher" else 0.0}
        | {"ci_low": 0.0, "ci_high": 0.7, "reason": "cannot" if test == "sign_flip" else None}
        for people, effect, training in ((4, 0.0, 0.0), (12, 0.0, 0.3), (4, 0.05, 0.0))
        for test in ("fisher", "t", "sign_flip", "equivalence")
    ]
    return CALIBRATION.frame(rows)


def power() -> pd.DataFrame:
    found = {4: {0.02: 0.1, 0.05: 0.3}, 12: {0.02: 0.4, 0.05: 0.9}, 44: {0.02: 0.85, 0.05: 1.0}}
    rows = [
        PLACE
        | {"participants": people, "true_effect": effect, "test": "t", "alpha": 0.05}
        | {"n_simulations": 20, "n_estimable": 20, "n_rejected": round(20 * rate), "rate": rate}
        | {"ci_low": 0.0, "ci_high": 1.0, "wanted": 0.8, "found": rate >= 0.8}
        for people, curve in found.items()
        for effect, rate in curve.items()
    ]
    return POWER.frame(rows)


def test_error_rates_are_percent_and_stand_in_the_order_of_the_blocks() -> None:
    made, said = error_rates.table(rates())
    assert made["test"].tolist()[:2] == ["Fisher of the DeLong tests", "t over participants"]
    assert made["rate"].tolist()[:2] == [50, 0]
    assert made["true_effect"].tolist() == [0] * 4 + [0.05] * 4 + [0] * 4
    assert made["trainings"].tolist() == ["alike"] * 8 + ["differ by luck"] * 4
    assert "20 to 20 cohorts" in said


def test_smallest_effects_are_the_first_found_or_beyond_the_grid() -> None:
    made, said = smallest_effects.table(power())
    made = made.set_index("participants")
    assert made["smallest"].to_dict() == {4: "above 0.05", 12: "0.05", 44: "0.02"}
    assert made["rate"].to_dict() == pytest.approx({4: 30, 12: 90, 44: 85})
    assert "80 %" in said


def test_contradictions_are_counted_with_their_places() -> None:
    rows = pd.DataFrame(
        {
            "check": ["sign", "sign", "size"],
            "where": ["a", "b", "c"],
            "printed": ["+1", "-1", "46"],
            "computed": ["-1", "-2", "24"],
            "verdict": ["contradiction", "agrees", "contradiction"],
        }
    )
    made, said = source_tables.table(rows)
    assert made["figures"].tolist() == [1, 1, 1]
    assert made["which"].tolist() == ["a: +1 ↔ -1", "b: -1 ↔ -2", "c: 46 ↔ 24"]
    assert "2 contradict" in said


def test_figures_are_the_same_bytes_each_time_and_show_every_curve() -> None:
    with drawing():
        for module, table in ((null_rates, rates()), (power_curve, power())):
            assert svg(module.draw(table)[0]) == svg(module.draw(table)[0])
        (axes,) = power_curve.draw(power())[0].axes
        labels = axes.get_legend_handles_labels()[1]
        assert set(labels) == {"4 people", "12 people", "44 people", "80 %"}
        (axes,) = null_rates.draw(rates())[0].axes
        shown = [label.get_text() for label in axes.get_yticklabels()]
    # Neither what is there, nor lucky trainings, nor a claim that there is nothing.
    assert [name.split(":")[0] for name in shown] == [
        "Fisher of the DeLong tests",
        "t over participants",
        "sign-flip over participants",
    ]


def test_the_printed_table_names_every_test_and_marks_what_cannot_reject(
    tmp_path, capsys, monkeypatch
) -> None:
    with pytest.raises(printed.StudyError, match="make calibrate"):
        printed.show(tmp_path)
    shutil.copy(ROOT / "presets/demo.yaml", tmp_path / "params.yaml")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    folder = tmp_path / "data/calibrate"
    folder.mkdir(parents=True)
    write_table(folder / "calibration.parquet", rates())
    write_table(folder / "power.parquet", power())
    monkeypatch.setattr("flows.pages.summary.PIPE_WIDTH", 250)  # so that no cell is broken
    printed.show(tmp_path)
    text = capsys.readouterr().out
    flips, t = (
        [line for line in text.splitlines() if f"│ {test} over participants" in line]
        for test in ("sign-flip", "t")
    )
    assert flips and all("cannot" in line for line in flips)
    assert t and not any("cannot" in line for line in t)
    assert " 50.0 [0.0, 70.0]" in text and "above 0.05" in text
