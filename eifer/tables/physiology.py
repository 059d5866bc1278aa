"""What the ECG of each recording says: its quality, and its heart rate variability."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from eifer.tables.schema import Column, Rule, Table

HRV_DOMAINS = ("time", "frequency", "nonlinear")
VERDICTS = ("good", "rejected")
ECG_REASONS = (
    "implausible_sampling_rate",
    "not_finite",
    "film_not_covered",
    "outlasts_film",
    "too_short",
    "flat",
    "clipped",
    "no_beats",
    "implausible_heart_rate",
    "noise",
    "implausible_qrs",
    "artefacts",
)
"""Why an ECG is rejected, in the order in which it is judged; the first that holds is kept."""


def _value_without_reason(table: pd.DataFrame, _: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return table[table["value"].isna() != table["reason"].notna()]


def _not_finite(table: pd.DataFrame, _: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return table[np.isinf(table["value"])]


def _variables_absent(table: pd.DataFrame, _: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    rows = table.groupby("video_id")["variable"].transform("nunique")
    return table[rows != table["variable"].nunique()]


def _described_twice(table: pd.DataFrame, _: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    forms = table.groupby("variable")[["unit", "family"]].transform("nunique")
    return table[(forms > 1).any(axis=1)]


def _value_of_rejected(table: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    quality = others["ecg_quality"]
    good = quality.loc[quality["verdict"] == "good", "video_id"]
    return table[table["value"].notna() & ~table["video_id"].isin(good)]


def _verdict_without_reason(table: pd.DataFrame, _: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return table[(table["verdict"] == "rejected") != table["reason"].notna()]


def _good_without_scores(table: pd.DataFrame, _: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    scores = table[["mean_hr_bpm", "good_share", "template_correlation", "artefact_share"]]
    return table[(table["verdict"] == "good") & scores.isna().any(axis=1)]


_REVIEW = "Look at the recording's ECG; exclude it in params with a reason, or mend the file."

ECG_QUALITY = Table(
    name="ecg_quality",
    meaning="One row for each ECG: how it was judged, and the numbers behind the verdict.",
    key=("video_id",),
    columns=(
        Column("video_id", "string", "the recording"),
        Column("participant_id", "string", "whose it is"),
        Column("duration_s", "float", "ECG within the film's time", unit="s", low=0),
        Column(
            "film_s",
            "float",
            "length of the film",
            unit="s",
            low=0,
            missing=True,
        ),
        Column(
            "before_s",
            "float",
            "ECG before the film began, left out",
            unit="s",
            low=0,
            missing=True,
        ),
        Column(
            "after_s",
            "float",
            "ECG after the film had ended, left out",
            unit="s",
            low=0,
            missing=True,
        ),
        Column(
            "usable_s",
            "float",
            "signal within the film's time in stretches without a bad moment",
            unit="s",
            low=0,
            missing=True,
        ),
        Column(
            "n_stretches",
            "int",
            "stretches that bad moments leave; 0 where the signal was not searched",
            low=0,
            missing=True,
        ),
        Column("sampling_hz", "float", "sampling rate, as the sidecar gives it", unit="Hz"),
        Column(
            "n_beats",
            "int",
            "R-peaks detected, before any correction; 0 where the signal was not searched",
            low=0,
        ),
        Column(
            "mean_hr_bpm",
            "float",
            "mean heart rate over the detected intervals of usable stretches",
            unit="1/min",
            low=0,
            missing=True,
        ),
        Column(
            "qrs_width_ms",
            "float",
            "width of the median beat's main wave at half of its height",
            unit="ms",
            low=0,
            missing=True,
        ),
        Column(
            "good_share",
            "float",
            "share of windows with plausible beats that resemble each other",
            low=0,
            high=1,
            missing=True,
            why="HRV of a recording that is partly noise is a number about the noise.",
            remedy=_REVIEW,
        ),
        Column(
            "template_correlation",
            "float",
            "mean over windows of the beats' correlation with their window's median beat",
            low=-1,
            high=1,
            missing=True,
        ),
        Column(
            "artefact_share",
            "float",
            "share of beats that the artefact correction moves, adds or removes, or of intervals "
            "that depart from those around them, whichever is larger",
            low=0,
            high=1,
            missing=True,
            why="A corrected beat is an interpolated one: many of them make the variability up.",
            remedy=_REVIEW,
        ),
        Column(
            "flat_share",
            "float",
            "share of samples in stretches of one repeated value",
            low=0,
            high=1,
            missing=True,
        ),
        Column(
            "clipped_share",
            "float",
            "share of samples at the recording's highest or lowest value",
            low=0,
            high=1,
            missing=True,
        ),
        Column("verdict", "string", "whether its HRV may be used", values=VERDICTS),
        Column(
            "reason", "string", "why it was rejected; the first", values=ECG_REASONS, missing=True
        ),
    ),
    rules=(
        Rule(
            "reason_if_rejected",
            "a recording has a reason exactly where it is rejected",
            "Nothing is left out silently.",
            "Report this: the verdict and its reason are set in one place.",
            _verdict_without_reason,
        ),
        Rule(
            "good_has_scores",
            "a good recording has every score",
            "A verdict without its numbers cannot be judged by a reader.",
            "Report this: a good verdict needs beats, and beats have scores.",
            _good_without_scores,
        ),
    ),
)

HRV = Table(
    name="hrv",
    meaning="One row for each recording and HRV variable: its value, or why there is none.",
    key=("video_id", "variable"),
    columns=(
        Column("video_id", "string", "the recording"),
        Column("participant_id", "string", "whose it is"),
        Column(
            "family",
            "string",
            "time, frequency or nonlinear domain of HRV analysis",
            values=HRV_DOMAINS,
        ),
        Column("variable", "string", "name of the variable, ending in its unit where it has one"),
        Column("unit", "string", "unit of the value; 1 where it is a plain number"),
        Column("value", "float", "the variable over the usable signal", missing=True),
        Column(
            "used_s",
            "float",
            "signal it rests on: all usable stretches (time domain) or the longest one; null "
            "without value",
            unit="s",
            low=0,
            missing=True,
        ),
        Column(
            "used_share",
            "float",
            "the same as a share of the film; null without value",
            low=0,
            missing=True,
        ),
        Column(
            "n_intervals",
            "int",
            "NN intervals it rests on; null without value",
            low=0,
            missing=True,
        ),
        Column("reason", "string", "why the value is missing", missing=True),
    ),
    rules=(
        Rule(
            "value_or_reason",
            "a value is missing exactly where a reason is given",
            "Nothing is left out silently, and no number is passed on that should not be.",
            "Report this: value and reason are set in one place.",
            _value_without_reason,
        ),
        Rule(
            "value_is_finite",
            "a value is a finite number or missing",
            "One infinity spoils every analysis of variance it enters.",
            "Report this: values that cannot be computed are turned into missing ones.",
            _not_finite,
        ),
        Rule(
            "every_variable_everywhere",
            "each recording has a row for each variable",
            "A variable that is silently absent from some recordings biases the cutoff scan.",
            "Compute all recordings with the same list of variables.",
            _variables_absent,
        ),
        Rule(
            "one_unit_a_variable",
            "a variable has one unit and one family",
            "Values in different units cannot be compared.",
            "Compute all recordings with the same version of the code.",
            _described_twice,
        ),
        Rule(
            "no_value_from_rejected",
            "only recordings with a good ECG have values",
            "HRV of noise looks like HRV.",
            "Make both tables in one run.",
            _value_of_rejected,
            needs=("ecg_quality",),
        ),
    ),
)
