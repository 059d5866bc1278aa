"""Figures: drawn from small tables, the same bytes each time, captions that say n."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eifer import published
from eifer.figures import (
    affect_plane,
    contrasts,
    cutoff_scan,
    ei_scores,
    frames_by_reason,
    hrv_interaction,
    learning_curves,
    model_scores,
    participant_differences,
    permutation,
    precision_recall,
    recovery,
    reliability,
    roc,
    roc_curves,
)
from eifer.figures.style import canvas, drawing, svg

PEOPLE = ["sub-01", "sub-02", "sub-03", "sub-04"]


def scores() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "participant_id": PEOPLE,
            "ei_score": [900, 850, 700, 650],
            "self_awareness": [300, 250, 200, 250],
            "others_awareness": [300, 300, 300, 200],
            "emotion_discrimination": [300, 300, 200, 200],
            "group": ["High", "High", "Low", "Low"],
        }
    )


def scan() -> pd.DataFrame:
    cutoffs = [600, 650, 700, 800, 850]
    n_high = [4, 3, 2, 2, 1]
    return pd.DataFrame(
        {
            "cutoff": cutoffs,
            "n_high": n_high,
            "n_low": [4 - n for n in n_high],
            "imbalance": [abs(2 * n - 4) for n in n_high],
            "acceptable": [n == 2 for n in n_high],
            "n_significant": [0, 3, 1, 0, 2],
            "n_estimable": [0, 2, 2, 2, 2],
            "chosen": [c == 700 for c in cutoffs],
        }
    )


def interactions() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cutoff": 700,
            "variable": ["rmssd_ms", "hf_ln"],
            "p": [0.03, 0.4],
            "estimable": [True, True],
        }
    )


def videos() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "video_id": [f"{who}_run-{run}" for who in PEOPLE for run in (1, 2)],
            "participant_id": [who for who in PEOPLE for _ in (1, 2)],
            "domain": ["HAHV", "LALV"] * 4,
        }
    )


def hrv() -> pd.DataFrame:
    rows = [
        {**video, "variable": name, "unit": unit, "value": float(k)}
        for k, video in enumerate(videos().drop(columns="domain").to_dict("records"))
        for name, unit in (("rmssd_ms", "ms"), ("hf_ln", "1"))
    ]
    return pd.DataFrame(rows)


def counts() -> pd.DataFrame:
    return videos().assign(
        frames_decoded=10,
        frames_accepted=7,
        rejected_no_face=1,
        rejected_repeated=0,
        rejected_low_confidence=0,
        rejected_eyes_closed=2,
        rejected_occluded=0,
        frames_several_faces=1,
        frames_switched=0,
    )


def selection() -> pd.DataFrame:
    rows = videos()
    return rows.assign(
        arousal_estimate=[0.5, -0.5] * 4,
        valence_estimate=[0.4, -0.4] * 4,
        arousal_label=[1, 0] * 4,
        valence_label=[1, 0] * 4,
        arousal_rank=pd.array([1] * 6 + [None, None], dtype="Int64"),
        valence_rank=pd.array([None] * 8, dtype="Int64"),
    )


def curves() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "rotation": "1",
                "task": task,
                "training_group": group,
                "repetition": repetition,
                "epoch": epoch,
                "phase": "heads" if epoch == 1 else "all",
                "train_loss": 1 / epoch,
                "validation_loss": 1.1 / epoch,
                "validation_macro_f1": 1 - 0.5 / epoch,
            }
            for task in ("arousal", "valence")
            for group in ("High", "Low", "Total")
            for repetition in (1, 2)
            for epoch in (1, 2, 3)
        ]
    )


def metrics() -> pd.DataFrame:
    rows = [
        {
            "task": "arousal",
            "condition": condition,
            "training_group": group,
            "repetition": repetition,
            "threshold_kind": kind,
            "macro_f1": 0.7,
            # One condition with a single class has no AUC.
            "roc_auc": np.nan if condition == "ambiguous" else 0.8,
            "n_items": 96,
        }
        for condition in ("ambiguous", "baseline")
        for group, numbers in (("High", (1, 2)), ("Low", (1, 2)), ("Affect", (0,)))
        for repetition in numbers
        for kind in ("searched", "half")
    ]
    return pd.DataFrame(rows)


def comparison() -> pd.DataFrame:
    rows = [
        {"task": "valence", "condition": condition, "contrast": contrast}
        for condition in ("ambiguous", "baseline")
        for contrast in ("High-Low", "High-Total")
    ]
    return pd.DataFrame(rows).assign(
        pooled_delta=[0.1, np.nan, 0.2, -0.1],
        pooled_ci_low=[0.0, np.nan, 0.1, -0.2],
        pooled_ci_high=[0.2, np.nan, 0.3, 0.1],
        n_repetitions=3,
    )


def over_people() -> pd.DataFrame:
    rows = comparison()[["task", "condition", "contrast"]].assign(
        models="fine-tuned", delta=[0.1, np.nan, 0.2, -0.1], margin=0.005
    )
    rows["role"] = ["exploratory", "exploratory", "confirmatory", "exploratory"]
    return rows.assign(ci_low=rows["delta"] - 0.1, ci_high=rows["delta"] + 0.1)


def deltas() -> pd.DataFrame:
    place = comparison()[["task", "condition", "contrast"]].assign(models="fine-tuned")
    return pd.concat(
        [place.assign(participant_id=f"sub-{k}", delta=k / 10 if k else np.nan) for k in range(3)]
    )


def latent() -> pd.DataFrame:
    return pd.DataFrame(
        {"video_id": "sub-01_run-1", "frame": range(5), "arousal": np.linspace(-1, 1, 5)}
    ).assign(valence=lambda rows: -rows["arousal"])


def estimates() -> pd.DataFrame:
    return (
        latent().head(4).assign(participant_id="sub-01", arousal=lambda rows: rows["arousal"] / 2)
    )


CUTOFF = {"n_significant": 2, "permutation_p": 0.4, "permutation_maxima": [0, 0, 1, 2]}


def predictions() -> pd.DataFrame:
    """Two models of two repetitions on 30 baseline frames; 20 unambiguous ones are all high."""
    frames = [("baseline", k, k % 2) for k in range(30)]
    frames += [("unambiguous", k, 1) for k in range(20)]
    return pd.DataFrame(
        [
            {
                "item_id": f"{condition}-{k}",
                "task": "arousal",
                "condition": condition,
                "training_group": model,
                "repetition": repetition,
                # High is right; Low says .85 whatever it sees.
                "score": (0.05 + 0.9 * label) if model == "High" else 0.85,
                "label": label,
            }
            for condition, k, label in frames
            for model in ("High", "Low")
            for repetition in (1, 2)
        ]
    )


FIGURES: dict[Any, tuple[Callable[[], list[Any]], list[str]]] = {
    affect_plane: (lambda: [selection(), scores()], ["6 frames", "3 participants"]),
    contrasts: (
        lambda: [comparison(), published.contrasts()],
        ["4 contrasts", "1 could not be pooled"],
    ),
    cutoff_scan: (lambda: [scan()], ["5 cutoffs", "4 participants", "Chosen: 700 (2 High, 2 Low"]),
    ei_scores: (lambda: [scores(), scan()], ["4 participants", "2 High"]),
    frames_by_reason: (lambda: [counts()], ["80 decoded", "56 accepted (70.0 %)", "8 frames"]),
    hrv_interaction: (
        lambda: [hrv(), videos(), scores(), scan(), interactions()],
        ["2 of 2 HRV", "8 recordings", "cutoff of 700"],
    ),
    learning_curves: (lambda: [curves()], ["2 repetitions"]),
    model_scores: (lambda: [metrics()], ["2 repetitions", "baseline 96, ambiguous 96"]),
    participant_differences: (
        lambda: [over_people(), deltas()],
        ["3 participants", "4 contrasts", "4 have none", "less than 0.005 apart"],
    ),
    permutation: (lambda: [CUTOFF], ["4 permutations", "1 reach", "(1 + 1) / (1 + 4) = 0.400"]),
    precision_recall: (lambda: [predictions()], ["2 repetitions", "baseline 30, unambiguous 20"]),
    recovery: (lambda: [latent(), estimates()], ["4 accepted frames", "1 video:"]),
    reliability: (lambda: [predictions()], ["10 bins", "2 repetitions", "baseline 30"]),
    roc: (lambda: [predictions()], ["2 repetitions", "baseline 30, unambiguous 20"]),
}


@pytest.mark.parametrize("figure", FIGURES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_figure_is_the_same_each_time_and_its_caption_says_n(figure: Any) -> None:
    given, words = FIGURES[figure]
    with drawing():
        made, caption = figure.draw(*given())
        text, again = svg(made), svg(figure.draw(*given())[0])
    assert text == again
    assert "<dc:date>" not in text
    assert "http" not in text.split("<defs>")[1].replace("http://www.w3.org", "")
    assert all(word in caption for word in words), caption


def test_a_different_table_gives_a_different_figure() -> None:
    other = scan().assign(n_significant=[0, 1, 3, 0, 2])
    with drawing():
        assert svg(cutoff_scan.draw(scan())[0]) != svg(cutoff_scan.draw(other)[0])


def test_hrv_figure_shows_the_smallest_p_of_the_chosen_cutoff_and_nothing_not_estimable() -> None:
    others = pd.DataFrame(
        {
            "cutoff": [650, 700],
            "variable": ["sdnn_ms", "apen"],
            "p": [0.001, np.nan],
            "estimable": [True, False],
        }
    )
    found = hrv_interaction.strongest(scan(), pd.concat([interactions(), others]))
    assert list(found["variable"]) == ["rmssd_ms", "hf_ln"]


def test_settings_of_this_machine_do_not_reach_a_figure() -> None:
    import matplotlib

    given, _ = FIGURES[ei_scores]
    with drawing():
        plain = svg(ei_scores.draw(*given())[0])
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "svg.hashsalt": "x"}):
        with drawing():
            assert svg(ei_scores.draw(*given())[0]) == plain
        assert matplotlib.rcParams["font.size"] == 30


def test_a_single_repetition_has_a_legend_of_its_own_group() -> None:
    one = curves()
    one = one[(one["task"] == "arousal") & (one["training_group"] == "Low")]
    with drawing():
        (legend,) = learning_curves.draw(one)[0].legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "Low (training)",
        "Low (validation)",
    ]


def lines_of(figure: Any, panel: int) -> dict[str, list[tuple[float, ...]]]:
    with drawing():
        axes = figure.draw(predictions())[0].axes[panel]
    return {str(line.get_label()): list(map(tuple, line.get_xydata())) for line in axes.lines}


def test_curves_of_the_test_frames_are_those_of_their_models() -> None:
    drawn = lines_of(roc, 0)
    assert {y for _, y in drawn["High"]} == {1} and drawn["High"][0] == (0, 1)
    assert {y for x, y in drawn["Low"] if x < 1} == {0} and drawn["Low"][-1] == (1, 1)
    assert {y for _, y in lines_of(precision_recall, 0)["Low"]} == {0.5}
    # All of one class: a panel without a curve.
    assert set(lines_of(roc, 1)) & {"High", "Low"} == set()


def test_reliability_is_the_share_of_high_frames_by_mean_score() -> None:
    drawn = lines_of(reliability, 0)
    assert drawn["High"] == [pytest.approx((0.05, 0)), pytest.approx((0.95, 1))]
    assert drawn["Low"] == [pytest.approx((0.85, 0.5))]


def test_what_a_figure_shows_keeps_its_digits() -> None:
    with drawing():
        figure, [[axes]] = canvas(1)
        axes.plot([0, 1.23456789], [0, 1])
        axes.set_title("0.123456")
        text = svg(figure)
    assert ">0.123456<" in text.replace("\n", "")
    assert not re.search(r"<[^>]*\d\.\d{3}", text)


def test_a_condition_that_the_source_does_not_have_is_drawn() -> None:
    """As docs/how-to/add-a-test-condition.md adds one."""
    drawn = set()
    for figure, (make, _) in FIGURES.items():
        given = make()
        tables = [one for one in given if isinstance(one, pd.DataFrame) and "condition" in one]
        for one in tables:
            one["condition"] = one["condition"].replace("unambiguous", "faint")
        if any("faint" in set(one["condition"]) for one in tables):
            with drawing():
                made, caption = figure.draw(*given)
                text = svg(made) + caption
            drawn |= {figure.__name__.rpartition(".")[2]} if "faint" in text else set()
    assert {"precision_recall", "reliability", "roc"} <= drawn


def test_roc_curves_are_those_of_the_conditions_with_both_classes() -> None:
    rows = [
        {"condition": condition, "score": score, "threshold": 0.5, "label": label}
        for condition, labels in (("ambiguous", (0, 0, 1, 1)), ("baseline", (1, 1, 1, 1)))
        for score, label in zip((0.2, 0.8, 0.7, 0.9), labels, strict=True)
    ]
    with drawing():
        figure, _ = roc_curves.draw(pd.DataFrame(rows))
    (axes,) = figure.axes
    curve, mark, _ = axes.lines
    assert curve.get_label() == "ambiguous: 0.750 of 4 frames"
    assert [tuple(point) for point in curve.get_xydata()][-1] == (1, 1)
    # At 0.5 one of two low frames and both high ones are called high.
    assert [tuple(point) for point in mark.get_xydata()] == [(0.5, 1)]


def test_a_scan_without_permutations_is_drawn_and_said() -> None:
    none = {"n_significant": 2, "permutation_p": None, "permutation_maxima": []}
    with drawing():
        figure, caption = permutation.draw(none)
    assert figure.axes and "No permutations were asked for" in caption
