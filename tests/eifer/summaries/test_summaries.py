"""Tables of the report: the numbers a reader would count by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from eifer import published
from eifer.summaries import (
    agreement,
    by_participant,
    card,
    checks,
    comparisons,
    cutoff_alternatives,
    disjointness,
    ecg,
    effect_found,
    every_check,
    flow,
    groups,
    hrv_tests,
    left_out,
    partitions,
    people,
    ratings,
    recovered,
    scores,
    shortfall,
    warnings,
)
from eifer.tables.comparison import BY_PARTICIPANT, COMPARISON
from eifer.tables.ei import CUTOFF_ALTERNATIVES
from eifer.tables.evaluation import SUMMARY
from eifer.tables.partitions import PARTITIONS
from tests.rows import row

GROUPS = pd.DataFrame(
    {
        "participant_id": ["sub-01", "sub-02"],
        "ei_score": [900, 700],
        "self_awareness": [300, 200],
        "others_awareness": [300, 200],
        "emotion_discrimination": [300, 300],
        "group": ["High", "Low"],
    }
)


def test_every_participant_has_a_row_with_what_was_left_out() -> None:
    counts = pd.DataFrame(
        {
            "participant_id": ["sub-01", "sub-01", "sub-02"],
            "frames_decoded": [100, 100, 50],
            "frames_accepted": [80, 90, 50],
            "rejected_no_face": [5, 5, 0],
            "rejected_eyes_closed": [15, 5, 0],
        }
    )
    ecg_quality = pd.DataFrame(
        {
            "participant_id": ["sub-01", "sub-01", "sub-02"],
            "verdict": ["good", "good", "rejected"],
            "mean_hr_bpm": [70.0, 80.0, 200.0],
        }
    )
    hrv = pd.DataFrame(
        {
            "participant_id": ["sub-01", "sub-01", "sub-02"],
            "variable": ["rmssd_ms", "rmssd_ms", "sdnn_ms"],
            "value": [40.0, 50.0, 1.0],
        }
    )
    given = (counts, ecg_quality, hrv, GROUPS)
    made, said = people.table(*given)
    first, second = made.to_dict("records")
    assert (first["videos"], first["decoded"], first["accepted"]) == (2, 200, 170)
    assert (first["left_out"], first["most"]) == (pytest.approx(0.15), "eyes closed")
    assert (first["good"], first["ecg"], first["heart_rate"], first["rmssd"]) == (2, 2, 75, 45)
    assert (second["left_out"], second["good"], second["ecg"]) == (0, 0, 1)
    assert pd.isna([second["most"], second["heart_rate"], second["rmssd"]]).all()
    assert "between 0 % and 15 % were left out" in said


def test_flow_counts_what_is_left_and_of_how_many_people() -> None:
    people = pd.DataFrame(
        {
            "participant_id": ["sub-01", "sub-02", "sub-03"],
            "excluded": [None, None, "withdrew consent"],
        }
    )
    videos = pd.DataFrame(
        {
            "video_id": ["sub-01_run-1", "sub-02_run-1"],
            "participant_id": ["sub-01", "sub-02"],
            "video_path": ["a.mp4", None],
            "ecg_path": ["a.tsv.gz", "b.tsv.gz"],
        }
    )
    counts = pd.DataFrame(
        {"participant_id": ["sub-01"], "frames_decoded": [10], "frames_accepted": [8]}
    )
    quality = pd.DataFrame(
        {"participant_id": ["sub-01", "sub-02"], "verdict": ["good", "rejected"]}
    )
    hrv = pd.DataFrame({"participant_id": ["sub-01", "sub-02"], "value": [1.0, np.nan]})
    selection = pd.DataFrame(
        {
            "participant_id": "sub-01",
            "arousal_rank": pd.array([1, None, None], dtype="Int64"),
            "valence_rank": pd.array([1, 2, None], dtype="Int64"),
        }
    )
    samples = pd.DataFrame(
        {
            "item_id": ["i1", "i1", "i2"],
            "participant_id": "sub-01",
            "partition": ["train", "train", "validation"],
        }
    )
    conditions = pd.DataFrame({"item_id": ["i3", "i3"], "participant_id": "sub-02"})
    made, _ = flow.table(people, videos, counts, quality, hrv, selection, samples, conditions)
    found = made.set_index(["of", "step"])
    assert found.loc[("participants", "included"), ["n", "lost"]].tolist() == [2, 1]
    recorded = found.loc[("face videos", "recorded")]
    assert recorded[["n", "lost", "participants"]].tolist() == [1, 1, 1]
    assert found.loc[("ECG recordings", "of good quality"), "lost"] == 1
    assert found.loc[("HRV values", "computed"), "lost"] == 1
    assert found.loc[("frames", "selected for a task"), ["n", "lost"]].tolist() == [2, 6]
    # Two tasks share a frame: it is used once.
    assert found.loc[("frames in use", "trained on"), "n"] == 1
    assert found.loc[("frames in use", "trained, validated or tested on"), "n"] == 3


def test_left_out_joins_reasons_that_differ_in_numbers_and_loses_nothing() -> None:
    rows = pd.DataFrame(
        {
            "stage": ["split", "split", "extract"],
            "item": "",
            "level": ["participant", "participant", "frame"],
            "participant_id": ["sub-10", "sub-03", "sub-03"],
            "what": ["test partition", "test partition", "frames"],
            "reason": [
                "cannot be tested: sub-10_run-3 has 0 of 6 frames",
                "cannot be tested: sub-03_run-2 has 4 of 6 frames",
                "no face",
            ],
            "n": [1, 1, 40],
        }
    )
    made, said = left_out.table(rows)
    assert made["n"].tolist() == [2, 40]
    assert made["reason"][0] == "cannot be tested: a recording has … of … frames"
    assert "42 things left out" in said
    assert left_out.table(rows.head(0))[1] == "No stage left anything out."


def test_groups_and_ratings_give_mean_sd_and_counts() -> None:
    people = pd.DataFrame(
        {"participant_id": ["sub-01", "sub-02"], "age_years": [20.0, np.nan], "sex": ["F", "n/a"]}
    )
    made, said = groups.table(people, GROUPS)
    total = made.set_index("group").loc["Total"]
    sexes = ["participants", "women", "men", "sex_unknown"]
    assert total[sexes].tolist() == [2, 1, 0, 1]
    assert total["ei_score_sd"] == pytest.approx(np.std([900, 700], ddof=1))
    assert "age is known of 1" in said
    videos = pd.DataFrame(
        {
            "video_id": ["a", "b", "c"],
            "participant_id": ["sub-01", "sub-01", "sub-02"],
            "domain": "HAHV",
            "arousal_rating": [4, 7, 2],
            "valence_rating": [4, 4, 6],
            "arousal_label": [1, 1, 0],
            "valence_label": [1, 1, 1],
            "arousal_label_source": ["stimulus", "rating", "rating"],
            "valence_label_source": ["stimulus", "stimulus", "rating"],
        }
    )
    rated = ratings.table(videos, GROUPS)[0].set_index("group")
    assert rated.loc["High", "arousal_mean"] == 5.5
    counts = ["videos", "arousal_high", "valence_neutral"]
    assert rated.loc["Total", counts].tolist() == [3, 2, 2]


def summary_of(metric: str, mean: float, **more: object) -> dict[str, object]:
    known = {"condition": "baseline", "metric": metric, "mean": mean, "n_repetitions": 3}
    return row(SUMMARY, **known | more)


def test_scores_stand_beside_what_the_source_printed_for_the_same_model() -> None:
    summary = pd.DataFrame(
        [
            summary_of("macro_f1", 0.8),
            summary_of("macro_f1", 0.1, threshold_kind="half"),
            summary_of("macro_f1", 0.7, condition="ambiguous"),
            summary_of("macro_f1", 0.6, training_group="Affect", sd=np.nan, n_repetitions=1),
        ]
    )
    made, said = scores.table(summary, published.performance())
    # Section 4.2 of the source: High EI, arousal, baseline, macro F1 0.9105 (0.0237).
    first = made.iloc[0]
    assert (first["condition"], first["training_group"]) == ("baseline", "High")
    assert first["macro_f1_mean"] == 0.8
    assert first["macro_f1_mean_published"] == 0.9105
    assert first["macro_f1_sd_published"] == 0.0237
    assert made["condition"].tolist() == ["baseline", "baseline", "ambiguous"]
    assert np.isnan(made.loc[1, "macro_f1_mean_published"])
    assert "over 3 repetitions" in said


def compared(**more: object) -> dict[str, object]:
    told = "The frames show 4 people.\nHigh is at chance in 1 of 3."
    return row(COMPARISON, **{"condition": "baseline", "warnings": told} | more)


def test_comparisons_stand_beside_the_published_contrast_and_warnings_are_gathered() -> None:
    comparison = pd.DataFrame(
        [
            compared(condition="ambiguous", warnings="The frames show 4 people."),
            compared(),
            compared(contrast="High-Total", warnings="The frames show 4 people."),
        ]
    )
    made, _ = comparisons.table(comparison, published.contrasts())
    assert made["condition"].tolist() == ["baseline", "baseline", "ambiguous"]
    assert made.loc[0, "pooled_delta_published"] == 0.0005
    assert made.loc[0, "gee_odds_ratio_published"] == 0.8151
    assert made["n_warnings"].tolist() == [2, 1, 1]
    gathered, _ = warnings.table(comparison)
    assert gathered["contrasts"].tolist() == [3, 1]
    assert gathered["where"].tolist() == ["all", "arousal, baseline, High-Low"]
    quiet, _ = warnings.table(comparison.assign(warnings=None))
    assert quiet.empty


def test_checks_are_counted_and_a_failed_one_is_not_lost() -> None:
    rows = pd.DataFrame(
        {
            "stage": ["select", "select", "split"],
            "item": ["wave 1", "wave 2", ""],
            "table": ["crops", "crops", "samples"],
            "about": "columns",
            "expectation": "expect_x",
            "times": [5, 5, 1],
            "success": [True, False, True],
            "n_unexpected": [0, 3, 0],
        }
    )
    counted, said = checks.table(rows)
    select = counted.set_index("stage").loc["select", ["checks", "run", "failed"]]
    assert select.tolist() == [2, 10, 1] and "1 failed" in said
    each, _ = every_check.table(rows)
    assert each["outcome"].tolist() == ["FAILED", "passed"]
    assert each["times"].tolist() == [10, 1]


def test_small_tables_count_right() -> None:
    quality = pd.DataFrame(
        {name: [1.0, np.nan] for name in ecg.SCORES}
        | {"verdict": ["good", "rejected"], "reason": [None, "too_short"]}
    )
    quality["before_s"], quality["usable_s"] = [60.0, np.nan], [0.25, np.nan]
    made, said = ecg.table(quality)
    assert made["recordings"].tolist() == [1] * len(ecg.SCORES)
    assert "1 rejected (1 too short)" in said
    assert "61 s of ECG before and after films are left out" in said
    assert "1 s of bad moments within 1 of 1 good recordings" in said
    short = pd.DataFrame(
        {
            "participant_id": "sub-01",
            "video_id": ["a", "b"],
            "dimension": "arousal",
            "matching": [3, 50],
            "kept": [3, 10],
            "asked": 10,
        }
    )
    made, said = shortfall.table(short)
    assert made["video_id"].tolist() == ["a"]
    assert "1 of 2 rankings" in said and "7 frames short" in said
    pairs = {"of": "items", "a": "train", "b": "baseline"}
    proof = {"1": {"pairs": [pairs | {"shared": 0}], "overlaps": [pairs | {"shared": 9}]}}
    made, said = disjointness.table(proof)
    assert made["n"].tolist() == [0, 9] and "1 share none" in said
    facts, _ = card.table(
        {"title": "T", "made": "x", "input": {"size_px": 64}, "limits": ["a", "b"]}
    )
    assert dict(facts.to_numpy().tolist())["input, size px"] == "64"


def test_partitions_are_listed_from_train_to_test() -> None:
    placed = {"sub-01": ("High", "test"), "sub-02": ("High", "train"), "sub-03": ("Low", "train")}
    people = pd.DataFrame(
        row(PARTITIONS, participant_id=who, group=group, partition=part)
        for who, (group, part) in placed.items()
    )
    made, _ = partitions.table(people)
    assert made["partition"].tolist() == ["train", "train", "test"]
    assert made["who"].tolist() == ["02", "03", "01"]


def test_hrv_tests_put_the_smallest_p_first_and_keep_what_was_not_estimable() -> None:
    hrv = pd.DataFrame(
        {
            "video_id": ["a", "b"] * 2,
            "participant_id": ["sub-01", "sub-02"] * 2,
            "family": "time",
            "variable": ["hf_ln", "hf_ln", "rmssd_ms", "rmssd_ms"],
            "unit": "ms",
            "value": [1.0, 3.0, 5.0, np.nan],
        }
    )
    scan = pd.DataFrame(
        {
            "cutoff": [700, 800],
            "chosen": [False, True],
            "n_significant": [1, 1],
            "n_estimable": [1, 1],
        }
    )
    tests = pd.DataFrame(
        {
            "cutoff": [800, 800, 700],
            "variable": ["hf_ln", "rmssd_ms", "rmssd_ms"],
            "p": [np.nan, 0.01, 0.5],
            "estimable": [False, True, True],
        }
    )
    made, _ = hrv_tests.table(hrv, GROUPS, scan, tests)
    assert made["variable"].tolist() == ["rmssd_ms", "hf_ln"]
    assert made["symbol"].tolist() == ["RMSSD", "ln HF"]
    assert made.loc[0, ["n", "high_mean", "p"]].tolist() == [1, 5.0, 0.01]


def test_another_cutoff_is_said_in_plain_words() -> None:
    found = {"n_significant": 3, "n_counted": 32, "reason": None}
    made = CUTOFF_ALTERNATIVES.frame(
        [
            found | {"scan": "other model", "model": "mixed", "cutoff": 820, "n_moved": 1},
            found | {"scan": "copies once", "model": "between", "cutoff": 830, "n_moved": 0}
            | {"copies_from": 0.95},
        ]
    )  # fmt: skip
    scan = pd.DataFrame(
        {"cutoff": [830], "chosen": [True], "n_significant": [5], "n_estimable": [32]}
    )
    only_ei = pd.DataFrame({"assignment": ["ei"]})
    shown, said = cutoff_alternatives.table(made, scan, only_ei, 1)
    copies, other = shown.to_dict("records")
    assert other == {
        "otherwise": "participants as repeated measures (mixed)",
        "answer": "would choose 820; 1 participant changes group",
        "react": "3 of 32",
        "see": "train above820",
    }
    assert copies["otherwise"] == "copies (|Spearman r| from 0.95) counted once"
    assert copies["answer"] == "would choose 830; nobody changes group"
    assert copies["see"] == "nothing to train: the groups are the same"
    assert "chose 830, where 5 of 32" in said
    trained = pd.DataFrame({"assignment": ["ei", "above820"]})
    shown, _ = cutoff_alternatives.table(made, scan, trained, 1)
    assert shown["see"][1] == "trained: cutoff 820 above"
    made.loc[1, ["cutoff", "n_significant", "n_moved"]] = pd.NA
    made.loc[1, "reason"] = "nobody has all emotions"
    shown, _ = cutoff_alternatives.table(made, scan, only_ei, 1)
    assert shown["answer"][1] == "could choose none: nobody has all emotions"


def truth(effect: float) -> dict[str, Any]:
    known = {"models": "fine-tuned", "task": "arousal", "condition": "baseline"}
    return {
        "auc_differences": [known | {"value": 0.1 * effect, "se": 0.02 * effect}],
        "spec": {
            "effect": effect,
            "expression": {"coupling": 0.85, "coupling_shift": 0.2},
            "autonomic": {"response": {"HAHV": {"ei_vagal_log": 0.3}}},
        },
        "participants": [
            {
                "participant_id": who,
                "ei_score": score,
                "coupling": coupling,
                "ability": coupling - 0.9,
                "videos": [
                    {
                        "video_id": f"{who}_run-1",
                        "domain": "HAHV",
                        "heart": {"mean_nn_ms": 800.0 + score, "rmssd_ms": score / 10},
                    }
                ],
            }
            for who, score, coupling in (("sub-01", 900, 1.0), ("sub-02", 710, 0.8))
        ],
    }


def test_recovered_sets_what_was_found_beside_what_was_planted() -> None:
    latent = pd.DataFrame(
        {
            "video_id": "sub-01_run-1",
            "frame": range(4),
            "arousal": [-1.0, 0.0, 0.5, 1.0],
            "valence": [1.0, 0.0, 0.5, -1.0],
            "planted": ["face", "face", "occluded", "no_face"],
        }
    )
    frames = pd.DataFrame(
        {
            "video_id": "sub-01_run-1",
            "frame": range(4),
            "status": ["accepted", "rejected", "accepted", "rejected"],
        }
    )
    estimates = latent.drop(columns="planted").assign(participant_id="sub-01")
    videos = pd.DataFrame(
        {
            "video_id": ["sub-01_run-1", "sub-02_run-1"],
            "participant_id": ["sub-01", "sub-02"],
            "arousal_label": 1,
            "valence_label": 0,
            "arousal_label_source": ["rating", "stimulus"],
            "valence_label_source": ["rating", "rating"],
        }
    )
    hrv = pd.DataFrame(
        {
            "video_id": ["sub-01_run-1", "sub-02_run-1"] * 2,
            "variable": ["mean_nn_ms", "mean_nn_ms", "rmssd_ms", "rmssd_ms"],
            "value": [1700.0, 1510.0, 180.0, 142.0],
        }
    )
    given = truth(1.0), latent, frames, estimates, GROUPS, videos, hrv
    made, said = recovered.table(*given)
    found = made.set_index("what")["found"]
    assert found["EI score"] == "50 % of scores exact"
    assert found["ratings"] == "0 % / 50 % neutral"
    assert found["frames planted as face"] == "1 accepted (50.0 %)"
    assert found["frames planted as occluded"] == "0 rejected (0.0 %)"
    assert found["frames planted as no face"] == "1 rejected (100.0 %)"
    assert found["arousal shown in a frame"] == "r = 1.000"
    assert found["mean NN of a recording"] == "r = 1.000, median ratio 1.000"
    assert found["RMSSD of a recording"].endswith("ratio 2.000")
    assert "It is 0" not in said
    assert "It is 0" in recovered.table(truth(0.0), *given[1:])[1]


def over_people(**more: object) -> dict[str, object]:
    known = {
        "condition": "baseline",
        "role": "exploratory",
        "alpha": 0.05,
        "margin": 0.005,
        "verdict": "inconclusive: 4 participants allow no p below 0.125",
        "n_participants": 4,
        "n_used": 4,
        "n_differ": 4,
        "t_p": 0.04,
        "t_q": 0.08,
        "gee_p": 0.01,
        "gee_q": 0.02,
    }
    return row(BY_PARTICIPANT, **known | more)


def test_effect_found_gives_the_verdict_over_people_and_claims_no_more() -> None:
    primary = pd.DataFrame(
        [
            over_people(condition="ambiguous"),
            over_people(role="confirmatory"),
            over_people(contrast="High-Total"),
        ]
    )
    made, said = effect_found.table(truth(0.0), primary)
    assert made["condition"].tolist() == ["baseline", "ambiguous"]
    assert made["role"].tolist() == ["confirmatory", "exploratory"]
    assert made["verdict"].str.startswith("inconclusive").all()
    assert made["models"].tolist() == ["fine-tuned", "fine-tuned"]
    assert made.loc[0, "true_delta"] == 0 and pd.isna(made.loc[1, "true_delta"])
    assert "the true difference is 0 and a difference found is chance" in said
    assert "4 people the models differ, which allows no p below 0.125" in said
    _, said = effect_found.table(truth(1.0), primary)
    assert "Planted: effect 1;" in said and "was measured once" in said
    unknown = truth(1.0) | {"auc_differences": []}
    made, said = effect_found.table(unknown, primary)
    assert "was not measured" in said and made["true_delta"].isna().all()


def test_effect_found_sets_each_kind_of_models_beside_its_own_truth() -> None:
    planted = truth(1.0)
    known = planted["auc_differences"][0] | {"models": "pretrained", "value": 0.3}
    planted["auc_differences"].append(known)
    kinds = [over_people(models=kind) for kind in ("pretrained", "fine-tuned")]
    made, _ = effect_found.table(planted, pd.DataFrame(kinds))
    assert made.set_index("models")["true_delta"].to_dict() == {
        "fine-tuned": 0.1,
        "pretrained": 0.3,
    }


def test_the_primary_table_starts_with_what_was_declared_and_shows_its_test() -> None:
    primary = pd.DataFrame(
        [
            over_people(gee_reason="always right"),
            over_people(task="valence", role="confirmatory", test="gee"),
            over_people(condition="ambiguous", n_used=2, left_out="sub-01: x\nsub-02: y"),
        ]
    )
    made, said = by_participant.table(primary)
    assert made["role"].tolist() == ["confirmatory", "exploratory", "exploratory"]
    assert made["condition"].tolist() == ["baseline", "baseline", "ambiguous"]
    assert made["p"].tolist() == [0.01, 0.04, 0.04] and made["q"].tolist() == [0.02, 0.08, 0.08]
    assert made["gee_reason"].dropna().tolist() == ["always right"]
    assert made.loc[2, "left_out"] == "sub-01: x; sub-02: y"
    assert "3 contrasts, 1 of them confirmatory, over 4 test participants" in said
    assert "as few as 2 of them have frames of both classes" in said
    assert "less than 0.005 apart" in said and "not a sign that there is no difference" in said
    assert "as few as" not in by_participant.table(primary[:2])[1]


def test_agreement_of_estimators_over_all_and_by_video() -> None:
    ccc = {"all": 0.5, "a": 0.1, "b": 0.7, "c": 0.3}
    rows = [
        {"wave": "1", "estimator": "network", "other": other, "video_id": video, "n_frames": 9}
        | {
            f"{d}_{m}": shift + value
            for d, shift in (("arousal", 0.0), ("valence", 0.1))
            for m in ("ccc", "sagr", "pearson_r")
        }
        for other in ("expression", "blendshapes")
        for video, value in ccc.items()
    ]
    given = pd.DataFrame(rows)
    made, said = agreement.table(given)
    assert len(made) == 4
    row = made.set_index(["other", "dimension"]).loc[("blendshapes", "valence")]
    assert (row["ccc"], row["ccc_median"]) == pytest.approx((0.6, 0.4))
    assert (row["ccc_min"], row["ccc_max"]) == pytest.approx((0.2, 0.8))
    assert "Compared with network" in said and "3 videos" in said
