"""Predictions, metrics and their summary: each item once, nothing without a value or a reason."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from eifer import evaluation, metrics
from eifer.errors import InputError
from eifer.evaluation import Model, items, measure, predict, predict_by_estimate, summarise
from eifer.metrics import binary
from eifer.tables.evaluation import METRICS, METRICS_OF_ITEMS, PREDICTIONS, SUMMARY
from eifer.tables.partitions import CONDITIONS
from eifer.tables.training import CURVES
from eifer.vocabulary import item_id
from tests.rows import broken

VIDEOS = ("sub-01_run-1", "sub-01_run-2", "sub-02_run-1", "sub-02_run-2")


def of(frame: pd.DataFrame, **place: object) -> pd.DataFrame:
    """The rows of ``frame`` at a place."""
    return frame[(frame[list(place)] == list(place.values())).all(axis=1)]


@pytest.fixture(scope="module")
def conditions() -> pd.DataFrame:
    """Four videos of two people; the unambiguous frames are among the baseline's."""
    rng = np.random.default_rng(1)
    rows = []
    for video in VIDEOS:
        for task in ("arousal", "valence"):
            label = int(video.endswith("2"))
            for condition, frames in (("baseline", range(8)), ("unambiguous", range(3))):
                rows += [
                    {
                        "rotation": "1",
                        "item_id": item_id(video, frame),
                        "participant_id": video[:6],
                        "video_id": video,
                        "frame": frame,
                        "task": task,
                        "condition": condition,
                        "group": "High" if video < "sub-02" else "Low",
                        "label": label,
                        "label_source": "rating",
                        "estimate": math.nan,
                        "rank": frame + 1,
                    }
                    for frame in frames
                ]
    table = pd.DataFrame(rows)
    drawn = {(i, t): rng.uniform(-1, 1) for i in table["item_id"] for t in ("arousal", "valence")}
    table["estimate"] = [drawn[key] for key in zip(table["item_id"], table["task"], strict=True)]
    return CONDITIONS.conform(table)


class Network:
    """Stands for a model: the mean of a crop is its score. Counts what it is shown."""

    def __init__(self, tilt: float = 0.0) -> None:
        self.tilt, self.shown = tilt, 0

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        self.shown += len(crops)
        return np.clip(crops.mean(axis=(1, 2, 3)) / 255 + self.tilt, 0, 1)


def crops_of(conditions: pd.DataFrame, task: str) -> np.ndarray:
    """Noisy faces, brighter where the label is high."""
    names = items(conditions, task)
    label = conditions.drop_duplicates("item_id").set_index("item_id")["label"]
    rng = np.random.default_rng(2)
    level = 90 + 60 * label[names].to_numpy() + rng.normal(0, 40, len(names))
    return np.broadcast_to(level.clip(0, 255)[:, None, None, None], (len(names), 4, 4, 3)).astype(
        np.uint8
    )


@pytest.fixture(scope="module")
def predictions(conditions: pd.DataFrame) -> pd.DataFrame:
    parts = [predict_by_estimate(conditions)]
    for task in ("arousal", "valence"):
        crops = crops_of(conditions, task)
        for place, group in enumerate(("High", "Low", "Total")):
            for repetition in (1, 2):
                model = Model("1", task, group, repetition, 0.4 + 0.05 * place)
                tilt = 0.02 * place + 0.01 * repetition
                parts.append(predict(conditions, crops, model, Network(tilt)))
    return PREDICTIONS.conform(pd.concat(parts))


@pytest.fixture(scope="module")
def measured(predictions: pd.DataFrame) -> pd.DataFrame:
    return measure(predictions)


def test_each_item_is_seen_once_and_answers_in_every_condition(conditions: pd.DataFrame) -> None:
    network = Network()
    model = Model("1", "arousal", "High", 1, 0.3)
    rows = predict(conditions, crops_of(conditions, "arousal"), model, network)
    assert network.shown == 32
    assert len(rows) == 32 + 12
    both = rows.pivot(index="item_id", columns="condition", values="score").dropna()
    assert len(both) == 12 and (both["baseline"] == both["unambiguous"]).all()
    expected = Network()(crops_of(conditions, "arousal")).round(6)
    got = rows[rows["condition"] == "baseline"].set_index("item_id")["score"]
    assert got[items(conditions, "arousal")].to_numpy() == pytest.approx(expected, abs=1e-12)


def test_predictions_keep_every_rule(conditions: pd.DataFrame, predictions: pd.DataFrame) -> None:
    models = predictions[predictions["repetition"] > 0]
    repetitions = models.drop_duplicates(["task", "training_group", "repetition"])
    others = {"conditions": conditions, "repetitions": repetitions}
    assert broken(PREDICTIONS, predictions, **others) == []
    for rule, harmed in {
        "same_items": predictions[1:],
        "same_labels": predictions.assign(
            label=predictions["label"].where(predictions.index > 0, 1)
        ),
        "one_threshold_a_model": predictions.assign(
            threshold=predictions["threshold"].where(predictions.index > 0, 0.9)
        ),
        "one_score_an_item": predictions.assign(
            score=predictions["score"].where(predictions["condition"] == "baseline", 0.77)
        ),
        "same_repetitions": predictions[
            (predictions["training_group"] != "Low") | (predictions["repetition"] == 1)
        ],
        "reference_is_repetition_0": predictions.assign(repetition=predictions["repetition"] + 1),
        "as_listed": predictions[predictions["condition"] == "baseline"],
        "threshold_as_searched": predictions.assign(threshold=0.21),
    }.items():
        assert rule in broken(PREDICTIONS, harmed, **others), rule


def test_the_affect_network_answers_with_its_estimate(conditions: pd.DataFrame) -> None:
    rows = predict_by_estimate(conditions)
    assert set(rows["training_group"]) == {"Affect"} and set(rows["repetition"]) == {0}
    assert set(rows["threshold"]) == {0.5}
    key = ["task", "condition", "item_id"]
    estimate = conditions.set_index(key)["estimate"].astype(float)
    score = rows.set_index(key)["score"]
    assert score.to_numpy() == pytest.approx((estimate[score.index].to_numpy() + 1) / 2, abs=1e-6)


def test_scores_that_are_no_scores_name_their_items(conditions: pd.DataFrame) -> None:
    crops, model = crops_of(conditions, "arousal"), Model("1", "arousal", "High", 3, 0.5)

    def fails_at_2(images: np.ndarray) -> np.ndarray:
        scores = Network()(images)
        scores[2], scores[3] = math.nan, 1.5
        return scores

    with pytest.raises(
        InputError, match=r"\(2\).*High 3 \(arousal\) sub-01_run-1_frame-000002: nan"
    ):
        predict(conditions, crops, model, fails_at_2)
    with pytest.raises(InputError, match="31 crops for 32 items"):
        predict(conditions, crops[1:], model, Network())
    with pytest.raises(InputError, match=r"shape \(32, 4"):
        predict(conditions, crops, model, lambda images: images[:, :, 0, 0] / 255)
    for odd in (["0.5"] * 32, [0.5 + 1j] * 32, ["high"] * 32, [[0.5], [0.5, 0.5]]):
        with pytest.raises(InputError, match="scores that are no numbers"):
            predict(conditions, crops, model, lambda images, odd=odd: odd)


def test_metrics_are_those_of_the_items(predictions: pd.DataFrame, measured: pd.DataFrame) -> None:
    assert broken(METRICS, measured, predictions=predictions) == []
    assert len(measured) == 2 * 2 * (3 * 2 + 1) * 2
    place = {"task": "valence", "condition": "baseline", "training_group": "Low", "repetition": 2}
    mine = of(predictions, **place)
    for kind, threshold in (("searched", 0.45), ("half", 0.5)):
        row = of(measured, **place, threshold_kind=kind).iloc[0]
        assert row["threshold"] == pytest.approx(threshold)
        want = binary(mine["label"], mine["score"], threshold)
        assert row[list(METRICS_OF_ITEMS)].to_dict() == pytest.approx(want)
        assert (row["n_items"], row["n_positive"]) == (32, 16)


def test_one_class_is_missing_with_its_reason_and_the_rest_goes_on(
    predictions: pd.DataFrame,
) -> None:
    lone = (predictions["condition"] == "unambiguous") & (predictions["task"] == "arousal")
    given = predictions[~lone | (predictions["label"] == 1)]
    found = measure(given)
    assert broken(METRICS, found) == []
    bare = (found["condition"] == "unambiguous") & (found["task"] == "arousal")
    assert found.loc[bare, list(METRICS_OF_ITEMS)].isna().all(axis=None)
    assert set(found.loc[bare, "reason"]) == {"all 6 items are high: one class alone"}
    assert found.loc[~bare, "roc_auc"].notna().all()
    summary = summarise(found)
    assert broken(SUMMARY, summary) == []
    means = evaluation.means(summary)
    assert means["arousal"]["unambiguous"]["High"]["roc_auc"] is None
    json.dumps(means, allow_nan=False)
    drawn = dict(evaluation.plots(given, found, CURVES.empty()))
    assert "roc/arousal_unambiguous" not in drawn and "roc/arousal_baseline" in drawn


def test_scores_without_error_have_no_calibration_line(predictions: pd.DataFrame) -> None:
    found = measure(predictions.assign(score=0.2 + 0.6 * predictions["label"]))
    assert (found["roc_auc"] == 1).all() and found["calibration_slope"].isna().all()
    assert found["reason"].str.contains("tell the classes apart").all()
    found = measure(predictions.assign(score=0.8 - 0.6 * predictions["label"]))
    assert found["reason"].str.contains("the wrong way round").all()
    # Nobody of class 1 is below, and nobody of class 0 above .4, but for ties there.
    first = ~predictions.duplicated(
        ["rotation", "task", "condition", "training_group", "repetition", "label"]
    )
    score = (0.2 + 0.6 * predictions["label"]).mask(first, 0.4)
    found = measure(predictions.assign(score=score))
    assert found["reason"].str.contains("overlap in ties alone").all()
    found = measure(predictions.assign(score=0.4))
    assert (found["roc_auc"] == 0.5).all()
    assert found["reason"].str.contains("all scores are the same").all()
    assert broken(METRICS, found) == []


def test_models_on_different_items_are_refused_by_name(predictions: pd.DataFrame) -> None:
    place = {"task": "valence", "condition": "baseline", "training_group": "Total"}
    gone = of(predictions, **place, repetition=2).index[3]
    with pytest.raises(InputError, match=r"valence baseline Total 2 sub-01_run-1_frame-000003"):
        measure(predictions.drop(index=gone))
    with pytest.raises(InputError, match=r"duplicate row \(1\)"):
        measure(pd.concat([predictions, predictions[:1]]))


def test_mean_and_sd_over_repetitions(measured: pd.DataFrame) -> None:
    summary = summarise(measured)
    assert broken(SUMMARY, summary) == []
    place = {"task": "arousal", "condition": "baseline", "training_group": "High"}
    place |= {"threshold_kind": "half"}
    row = of(summary, **place, metric="brier").iloc[0]
    a, b = of(measured, **place)["brier"]
    assert row["mean"] == pytest.approx((a + b) / 2)
    assert row["sd"] == pytest.approx(abs(a - b) / math.sqrt(2))
    assert row["n_repetitions"] == row["n_used"] == 2 and pd.isna(row["reason"])
    affect = summary[summary["training_group"] == "Affect"]
    assert affect["sd"].isna().all() and affect["reason"].eq("one repetition: no SD").all()


def test_a_repetition_without_a_value_is_counted_and_named(measured: pd.DataFrame) -> None:
    lost = (measured["training_group"] == "High") & (measured["repetition"] == 2)
    reason = measured["reason"].mask(lost, "no calibration line: all scores are the same")
    holed = measured.assign(
        calibration_slope=measured["calibration_slope"].mask(lost), reason=reason
    )
    summary = summarise(holed)
    row = of(summary, training_group="High", metric="calibration_slope").iloc[0]
    assert (row["n_used"], row["n_repetitions"]) == (1, 2) and math.isnan(row["sd"])
    assert "repetition 2 (no calibration line" in row["reason"]


def test_order_of_rows_changes_no_number(predictions: pd.DataFrame, measured: pd.DataFrame) -> None:
    again = measure(predictions.sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(again, measured, rtol=1e-12)


def test_precision_is_that_of_the_highest_threshold_that_reaches_a_recall() -> None:
    label, score = pd.Series([1, 0, 1, 0, 1]), pd.Series([0.9, 0.8, 0.7, 0.7, 0.2])
    grid = np.array([0, 1 / 3, 0.5, 2 / 3, 1])
    # One of one, one of one; then two of four, two of four; all three of five.
    wanted = [1, 1, 2 / 4, 2 / 4, 3 / 5]
    assert metrics.precision_recall(label, score, grid) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("curve", "metric"), [(metrics.roc, "roc_auc"), (metrics.precision_recall, "pr_auc")]
)
def test_the_area_under_a_mean_curve_is_the_mean_of_the_metric(
    predictions: pd.DataFrame, measured: pd.DataFrame, curve: metrics.Curve, metric: str
) -> None:
    drawn = dict(metrics.averaged(predictions, curve, steps=2000))
    high = drawn["arousal", "baseline"]["High"]
    own = of(measured, task="arousal", condition="baseline", training_group="High")
    assert np.trapezoid(high, high.index) == pytest.approx(own[metric].mean(), abs=0.01)


def test_plots_and_numbers_are_plain_json(
    predictions: pd.DataFrame, measured: pd.DataFrame
) -> None:
    curves = pd.DataFrame(
        [
            {
                "task": "arousal",
                "training_group": group,
                "repetition": repetition,
                "epoch": epoch,
                "validation_macro_f1": 0.1 * epoch + 0.01 * repetition,
            }
            for group in ("High", "Low", "Total")
            for repetition in (1, 2)
            for epoch in (1, 2)
        ]
    )
    drawn = dict(evaluation.plots(predictions, measured, curves))
    json.dumps(drawn, allow_nan=False)
    assert drawn["learning/arousal"] == [
        {"epoch": 1, "High": 0.115, "Low": 0.115, "Total": 0.115},
        {"epoch": 2, "High": 0.215, "Low": 0.215, "Total": 0.215},
    ]
    assert [row["repetition"] for row in drawn["roc_auc/valence_unambiguous"]] == [1, 2]
    assert set(drawn["roc_auc/valence_unambiguous"][0]) == {"repetition", "High", "Low", "Total"}
    points = pd.DataFrame(drawn["roc/arousal_baseline"])
    assert list(points) == ["false_positive_rate", "Affect", "High", "Low", "Total"]
    assert (points.diff().dropna() >= 0).all(axis=None)
    assert points.iloc[-1].tolist() == [1.0] * 5
    numbers = evaluation.numbers(measured, Model("1", "valence", "Low", 2, 0.45))
    tests = {"baseline", "unambiguous"}
    assert {name.split("/")[0] for name in numbers} == tests | {f"{test}_half" for test in tests}
    assert numbers["baseline/roc_auc"] == numbers["baseline_half/roc_auc"]
