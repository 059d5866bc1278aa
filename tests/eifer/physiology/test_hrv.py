from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from eifer.errors import StudyError
from eifer.physiology.hrv import (
    VARIABLES,
    Series,
    Variable,
    analyse_ecg,
    attrition,
    cards,
    outputs,
    rows_of,
)
from eifer.physiology.peaks import nn_intervals_ms, on_grid
from eifer.tables.attrition import LEVELS
from eifer.tables.physiology import ECG_QUALITY, HRV, HRV_DOMAINS
from tests.eifer.physiology.conftest import SPEC

ALL = ("all",)


def beats(seconds: float, hz: int = 250, seed: int = 0) -> NDArray[np.int64]:
    """Beats about 0.8 s apart, breathing at 0.25 Hz and drifting, on samples of ``hz``."""
    rng = np.random.default_rng(seed)
    n = int(seconds / 0.8)
    time = 0.8 * np.arange(n)
    interval = 0.8 + 0.03 * np.sin(2 * np.pi * 0.25 * time) + 0.03 * np.sin(0.6 * time)
    return np.round(np.cumsum(interval + rng.normal(0, 0.01, n)) * hz).astype(np.int64)


def hrv_of_intervals(nn_ms, seconds: float, names) -> pd.DataFrame:
    """HRV of an unbroken series of intervals."""
    whole = Series(on_grid(nn_ms), np.ones(len(nn_ms), dtype=bool), seconds)
    return pd.DataFrame(rows_of([whole], seconds, seconds, cards(names), SPEC.spectrum))


def hrv_table(peaks, hz: float, seconds: float, names) -> pd.DataFrame:
    return hrv_of_intervals(nn_intervals_ms(peaks, hz), seconds, names)


def values(table: pd.DataFrame) -> dict[str, float]:
    return dict(zip(table["variable"], table["value"], strict=True))


# The registry -----------------------------------------------------------------------------


@pytest.mark.parametrize("card", VARIABLES.values(), ids=lambda card: card.name)
def test_every_card_is_complete(card: Variable) -> None:
    assert VARIABLES[card.name] is card
    assert card.name.isidentifier() and card.name == card.name.lower()
    ending = {"ms": "_ms", "ms2": "_ms2", "%": "_pct", "1/min": "_bpm"}.get(card.unit, "")
    assert card.name.endswith(ending)
    assert card.unit
    assert card.domain in HRV_DOMAINS
    assert card.least_s >= 10
    assert "doi:" in card.source
    assert len(card.meaning) > 20 and card.meaning.endswith((".", ":"))
    assert card.column.startswith("HRV_")
    assert not card.scales or card.scales in VARIABLES


def test_multiples_are_declared() -> None:
    """Two variables that are fixed multiples count one test twice; the card must say so."""
    rng = np.random.default_rng(0)
    rows = []
    for level, slow, fast in rng.uniform((600, 10, 40), (1000, 60, 90), size=(5, 3)):
        nn = level + np.cumsum(rng.normal(0, slow / 5, 150)) + rng.normal(0, fast, 150)
        rows.append(values(hrv_of_intervals(nn, 120, ALL)))
    frame = pd.DataFrame(rows)
    fixed = {
        (one, other)
        for i, one in enumerate(frame)
        for other in list(frame)[:i]
        if (ratio := frame[one] / frame[other]).std() < 1e-2 * abs(ratio.mean())
    }
    declared = {(c.name, c.scales) for c in VARIABLES.values() if c.scales}
    assert fixed == declared


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="'rmssd_ms' is registered twice"):
        outputs("time", 30, "doi:")(rmssd_ms="HRV_RMSSD ms: Another.")


def test_unknown_and_repeated_variables_are_all_named() -> None:
    names = ["rmsd_ms", "sdnn_ms", "sdnn_ms", "lf_hf"]
    with pytest.raises(StudyError) as caught:
        hrv_table(beats(60), 250, 60, names)
    said = str(caught.value)
    assert "3 problems" in said
    assert "'rmsd_ms'; did you mean 'rmssd_ms'" in said
    assert "'lf_hf'; did you mean 'lf_hf_ratio'" in said
    assert "named twice" in said


def test_a_spec_checks_its_names() -> None:
    with pytest.raises(ValueError, match="did you mean 'sdnn_ms'"):
        replace(SPEC, variables=("rmssd_ms", "sdn_ms"))
    with pytest.raises(ValueError, match="did you mean 'hamilton2002'"):
        replace(SPEC, method="hamilton")


# Right answers ----------------------------------------------------------------------------


def test_reference_series(shared: Path) -> None:
    nn = np.load(shared / "real_ecg" / "SampleNNISeriesLong.npy").astype(float)
    names = ["mean_nn_ms", "sdnn_ms", "rmssd_ms", "pnn50_pct", "mean_hr_bpm"]
    got = values(hrv_of_intervals(nn, nn.sum() / 1000, names))
    assert got["mean_nn_ms"] == pytest.approx(768.438, abs=5e-4)
    assert got["sdnn_ms"] == pytest.approx(85.357, abs=5e-4)
    assert got["rmssd_ms"] == pytest.approx(60.523, abs=5e-4)
    assert got["mean_hr_bpm"] == pytest.approx(60_000 / 768.438, abs=1e-3)
    n = len(nn)  # pyhrv divides by the n - 1 differences, the Task Force by n
    assert got["pnn50_pct"] * n / (n - 1) == pytest.approx(28.571, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "heart_rate", "rmssd"), [("e0103", 59.6, 30.2), ("e0110", 58.1, 35.0)]
)
def test_real_ecg(shared: Path, name: str, heart_rate: float, rmssd: float) -> None:
    ecg = np.loadtxt(shared / "real_ecg" / f"{name}.csv")
    spec = replace(SPEC, correct_artefacts=False)
    rows, quality = analyse_ecg(ecg, 250, video_id="v", participant_id="p", spec=spec)
    got = {str(row["variable"]): row["value"] for row in rows}
    assert quality["verdict"] == "good"
    assert got["mean_hr_bpm"] == pytest.approx(heart_rate, abs=0.05)
    assert got["rmssd_ms"] == pytest.approx(rmssd, abs=0.05)
    assert all(row["reason"] is None for row in rows)


def test_formulas_against_numpy() -> None:
    peaks = beats(300)
    nn = np.diff(peaks) * 4.0
    steps = np.diff(nn)
    got = values(hrv_table(peaks, 250, 300, ALL))
    sd1 = steps.std(ddof=1) / np.sqrt(2)
    sd2 = ((nn[1:] + nn[:-1]) / np.sqrt(2)).std(ddof=1)
    expected = {
        "mean_nn_ms": nn.mean(),
        "mean_hr_bpm": 60_000 / nn.mean(),
        "median_nn_ms": np.median(nn),
        "sdnn_ms": nn.std(ddof=1),
        "rmssd_ms": np.sqrt(np.mean(steps**2)),
        "cvnn_ratio": nn.std(ddof=1) / nn.mean(),
        "cvsd_ratio": np.sqrt(np.mean(steps**2)) / nn.mean(),
        "sdnn_rmssd_ratio": nn.std(ddof=1) / np.sqrt(np.mean(steps**2)),
        "mad_nn_ms": 1.4826 * np.median(np.abs(nn - np.median(nn))),
        "iqr_nn_ms": np.percentile(nn, 75) - np.percentile(nn, 25),
        "p20_nn_ms": np.percentile(nn, 20),
        "p80_nn_ms": np.percentile(nn, 80),
        "pnn20_pct": 100 * np.mean(np.abs(steps) > 20) * len(steps) / len(nn),
        "pnn50_pct": 100 * np.mean(np.abs(steps) > 50) * len(steps) / len(nn),
        "min_nn_ms": nn.min(),
        "max_nn_ms": nn.max(),
        "hf_ln": np.log(got["hf_ms2"]),
        "lf_hf_ratio": got["lf_ms2"] / got["hf_ms2"],
        "lf_nu_pct": 100 * got["lf_ms2"] / (got["lf_ms2"] + got["hf_ms2"]),
        "sd1_ms": sd1,
        "sd2_ms": sd2,
        "sd1_sd2_ratio": sd1 / sd2,
        "poincare_area_ms2": np.pi * sd1 * sd2,
        "csi_ratio": sd2 / sd1,
        "cvi_log10": np.log10(16 * sd1 * sd2),
        "csi_modified_ms": 4 * sd2**2 / sd1,
    }
    assert {name: got[name] for name in expected} == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("hz", "band"), [(0.1, "lf_ms2"), (0.25, "hf_ms2")])
def test_power_of_a_planted_oscillation(hz: float, band: str) -> None:
    nn = np.full(225, 800.0)
    nn += 40 * np.sin(2 * np.pi * hz * np.cumsum(nn) / 1000)
    got = values(hrv_of_intervals(nn, 180, ["lf_ms2", "hf_ms2"]))
    other = ({"lf_ms2", "hf_ms2"} - {band}).pop()
    assert got[band] == pytest.approx(40**2 / 2, rel=0.05)
    assert got[other] < 8


def test_a_method_that_misstates_power_is_refused() -> None:
    with pytest.raises(ValueError, match="'welsh' is not among welch; did you mean 'welch'"):
        replace(SPEC.spectrum, psd_method="welsh")
    with pytest.raises(ValueError, match="'burg' is not among"):
        replace(SPEC.spectrum, psd_method="burg")


def test_sample_entropy_against_its_definition() -> None:
    nn = np.diff(beats(150)) * 4.0
    r = 0.2 * nn.std(ddof=1)

    def pairs(m: int) -> int:
        x = np.lib.stride_tricks.sliding_window_view(nn, m)[: len(nn) - 2]
        close = np.abs(x[:, None] - x[None]).max(axis=2) <= r
        return int(close.sum() - len(x))

    got = values(hrv_of_intervals(nn, 150, ["sampen"]))["sampen"]
    assert got == pytest.approx(-np.log(pairs(3) / pairs(2)), rel=0.02)


# One path ---------------------------------------------------------------------------------


def test_the_same_beats_at_another_rate_or_as_intervals_have_the_same_hrv() -> None:
    peaks = beats(200)
    tables = [
        hrv_table(peaks, 250, 200, ALL),
        hrv_table(peaks * 4, 1000, 200, ALL),
        hrv_table(peaks * 8 + 12345, 2000, 200, ALL),
        hrv_of_intervals(np.diff(peaks) / 250 * 1000, 200, ALL),
    ]
    for table in tables[1:]:
        assert table["value"].tolist() == tables[0]["value"].tolist()


def test_differences_at_the_border_do_not_depend_on_rounding() -> None:
    steps = np.tile([304, 286], 60)  # at 360 Hz: exactly 50 ms apart, which is not above 50
    peaks = np.r_[0, np.cumsum(steps)]
    naive = np.diff(peaks) / 360 * 1000
    assert (np.abs(np.diff(naive)) > 50).any()
    for table in (
        hrv_table(peaks, 360, 100, ["pnn50_pct"]),
        hrv_of_intervals(naive, 100, ["pnn50_pct"]),
    ):
        assert table["value"].tolist() == [0.0]


def test_a_choice_of_variables_changes_no_value() -> None:
    peaks = beats(200)
    everything = values(hrv_table(peaks, 250, 200, ALL))
    some = ["sampen", "rmssd_ms", "hf_ms2"]
    chosen = hrv_table(peaks, 250, 200, some)
    assert chosen["variable"].tolist() == some
    assert values(chosen) == {name: everything[name] for name in some}


# Missing values ---------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [9, 10, 30, 56, 60, 119, 120])
def test_short_recordings_have_reasons_not_numbers(seconds: float) -> None:
    table = hrv_table(beats(seconds), 250, seconds, ALL)
    assert table["variable"].tolist() == list(VARIABLES)
    for name, value, reason in table[["variable", "value", "reason"]].to_numpy().tolist():
        least = VARIABLES[name].least_s
        if seconds < least:
            assert np.isnan(value)
            assert reason == f"recording shorter than {least:g} s"
        else:
            assert np.isfinite(value), name
            assert pd.isna(reason)


def test_what_remains_of_56_seconds() -> None:
    table = hrv_table(beats(56), 250, 56, ALL)
    left = table[table["value"].notna()]
    assert len(left) >= 20
    assert set(left["family"]) == set(HRV_DOMAINS)
    assert "lf_ms2" not in set(left["variable"])


def test_intervals_that_do_not_vary() -> None:
    table = hrv_of_intervals(np.full(250, 800.0), 200, ALL)
    got, why = values(table), dict(zip(table["variable"], table["reason"], strict=True))
    assert (got["rmssd_ms"], got["mean_nn_ms"]) == (0, 800)
    for name in ("sampen", "cvi_log10", "sdnn_rmssd_ratio", "lf_hf_ratio", "dfa_alpha1"):
        assert np.isnan(got[name])
        assert why[name] == "not computable from these intervals"


@pytest.mark.parametrize("count", [0, 1, 2, 5, 12])
def test_few_beats_in_a_long_recording(count: int) -> None:
    table = hrv_table(beats(400)[:count], 250, 400, ALL)
    assert (table["value"].isna() == table["reason"].notna()).all()
    if count < 3:
        assert set(table["reason"]) == {
            "fewer than 2 intervals",
            "fewer than 4 intervals",
            "fewer than 12 intervals",
        }


# A recording ------------------------------------------------------------------------------


def test_a_good_and_a_bad_recording_keep_the_tables_promises(
    simulated: NDArray[np.float64], recwarn: pytest.WarningsRecorder
) -> None:
    good = analyse_ecg(simulated, 250, video_id="a", participant_id="p", spec=SPEC)
    flat = analyse_ecg(np.zeros(15_000), 250, video_id="b", participant_id="p", spec=SPEC)
    hole = analyse_ecg(np.r_[simulated, np.nan], 250, video_id="c", participant_id="q", spec=SPEC)
    assert [str(w.message) for w in recwarn if "scipy.misc" not in str(w.message)] == []
    hrv = HRV.frame([*good[0], *flat[0], *hole[0]])
    quality = ECG_QUALITY.frame([good[1], flat[1], hole[1]])
    assert quality["reason"].tolist()[1:] == ["flat", "not_finite"]
    others = {"ecg_quality": quality, "hrv": hrv}
    for table, frame in ((HRV, hrv), (ECG_QUALITY, quality)):
        for rule in table.rules:
            assert rule.broken(frame, others).empty, rule.name
    assert set(hrv.loc[hrv["video_id"] == "b", "reason"]) == {"ECG rejected: flat"}
    assert len(hrv) == 3 * len(VARIABLES)

    left_out = attrition(hrv, quality)
    assert set(left_out["level"]) == {"ecg", "hrv"} <= set(LEVELS)
    assert left_out.loc[left_out["level"] == "ecg", "video_id"].tolist() == ["b", "c"]
    short = left_out[left_out["level"] == "hrv"]
    assert set(short["video_id"]) == {"a"}
    assert "lf_ms2" in set(short["what"])
    assert len(short) == hrv.loc[hrv["video_id"] == "a", "value"].isna().sum()


def test_the_rules_catch_what_they_are_for() -> None:
    quality = ECG_QUALITY.frame(
        [
            {
                "video_id": name,
                "participant_id": "p",
                "duration_s": 60.0,
                "sampling_hz": 250.0,
                "n_beats": 70,
                "verdict": verdict,
                "reason": reason,
            }
            for name, verdict, reason in (("a", "good", None), ("b", "rejected", None))
        ]
    )
    columns = ["video_id", "variable", "unit", "value", "reason"]
    rows = [
        ("a", "rmssd_ms", "ms", 30.0, "too short"),
        ("a", "sdnn_ms", "ms", float("inf"), None),
        ("b", "rmssd_ms", "s", 0.03, None),
    ]
    hrv = pd.DataFrame(rows, columns=columns).assign(participant_id="p", family="time")
    hrv = HRV.conform(hrv.reindex(columns=HRV.names))
    broken = {
        rule.name: len(rule.broken(frame, {"ecg_quality": quality}))
        for table, frame in ((HRV, hrv), (ECG_QUALITY, quality))
        for rule in table.rules
    }
    assert broken == {
        "value_or_reason": 1,
        "value_is_finite": 1,
        "every_variable_everywhere": 1,
        "one_unit_a_variable": 2,
        "no_value_from_rejected": 1,
        "reason_if_rejected": 1,
        "good_has_scores": 1,
    }


def test_correction_changes_hrv_and_not_the_verdict() -> None:
    import neurokit2 as nk

    ecg = nk.ecg_simulate(duration=60, sampling_rate=250, heart_rate=70, random_state=3)
    ecg[20 * 250 : 20 * 250 + 200] = np.linspace(ecg[5000], ecg[5200], 200)  # a beat is lost
    both = [
        analyse_ecg(
            ecg,
            250,
            video_id="v",
            participant_id="p",
            spec=replace(SPEC, correct_artefacts=corrected),
        )
        for corrected in (False, True)
    ]
    assert both[0][1] == both[1][1]
    raw, corrected = ({str(r["variable"]): r["value"] for r in rows} for rows, _ in both)
    assert float(str(corrected["sdnn_ms"])) < 0.5 * float(str(raw["sdnn_ms"]))
