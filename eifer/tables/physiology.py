"""What the ECG of each recording says: its quality, and its heart rate variability."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eifer.tables.schema import Column, Table, rule

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


@rule(
    "Nothing is left out silently, and no number is passed on that should not be.",
    "Report this: value and reason are set in one place.",
)
def value_or_reason(table: pd.DataFrame) -> pd.DataFrame:
    """A value is missing exactly where a reason is given."""
    return table[table["value"].isna() != table["reason"].notna()]


@rule(
    "One infinity spoils every analysis of variance it enters.",
    "Report this: values that cannot be computed are turned into missing ones.",
)
def value_is_finite(table: pd.DataFrame) -> pd.DataFrame:
    """A value is a finite number or missing."""
    return table[np.isinf(table["value"])]


@rule(
    "A variable that is silently absent from some recordings biases the cutoff scan.",
    "Compute all recordings with the same list of variables.",
)
def every_variable_everywhere(table: pd.DataFrame) -> pd.DataFrame:
    """Each recording has a row for each variable."""
    rows = table.groupby("video_id")["variable"].transform("nunique")
    return table[rows != table["variable"].nunique()]


@rule(
    "Values in different units cannot be compared.",
    "Compute all recordings with the same version of the code.",
)
def one_unit_a_variable(table: pd.DataFrame) -> pd.DataFrame:
    """A variable has one unit and one family."""
    forms = table.groupby("variable")[["unit", "family"]].transform("nunique")
    return table[(forms > 1).any(axis=1)]


@rule("HRV of noise looks like HRV.", "Make both tables in one run.")
def no_value_from_rejected(table: pd.DataFrame, ecg_quality: pd.DataFrame) -> pd.DataFrame:
    """Only recordings with a good ECG have values."""
    good = ecg_quality.loc[ecg_quality["verdict"] == "good", "video_id"]
    return table[table["value"].notna() & ~table["video_id"].isin(good)]


@rule(
    "Nothing is left out silently.", "Report this: the verdict and its reason are set in one place."
)
def reason_if_rejected(table: pd.DataFrame) -> pd.DataFrame:
    """A recording has a reason exactly where it is rejected."""
    return table[(table["verdict"] == "rejected") != table["reason"].notna()]


@rule(
    "A verdict without its numbers cannot be judged by a reader.",
    "Report this: a good verdict needs beats, and beats have scores.",
)
def good_has_scores(table: pd.DataFrame) -> pd.DataFrame:
    """A good recording has every score."""
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
        Column("duration_s", "float s 0..", "ECG within the film's time"),
        Column("film_s", "float? s 0..", "length of the film"),
        Column("before_s", "float? s 0..", "ECG before the film began, left out"),
        Column("after_s", "float? s 0..", "ECG after the film had ended, left out"),
        Column(
            "usable_s",
            "float? s 0..",
            "signal within the film's time in stretches without a bad moment",
        ),
        Column(
            "n_stretches",
            "int? 0..",
            "stretches that bad moments leave; 0 where the signal was not searched",
        ),
        Column("sampling_hz", "float Hz", "sampling rate, as the sidecar gives it"),
        Column(
            "n_beats",
            "int 0..",
            "R-peaks detected, before any correction; 0 where the signal was not searched",
        ),
        Column(
            "mean_hr_bpm",
            "float? 1/min 0..",
            "mean heart rate over the detected intervals of usable stretches",
        ),
        Column(
            "qrs_width_ms",
            "float? ms 0..",
            "width of the median beat's main wave at half of its height",
        ),
        Column(
            "good_share",
            "float? 0..1",
            "share of windows with plausible beats that resemble each other",
            why="HRV of a recording that is partly noise is a number about the noise.",
            remedy=_REVIEW,
        ),
        Column(
            "template_correlation",
            "float? -1..1",
            "mean over windows of the beats' correlation with their window's median beat",
        ),
        Column(
            "artefact_share",
            "float? 0..1",
            "share of beats that the artefact correction moves, adds or removes, or of intervals "
            "that depart from those around them, whichever is larger",
            why="A corrected beat is an interpolated one: many of them make the variability up.",
            remedy=_REVIEW,
        ),
        Column("flat_share", "float? 0..1", "share of samples in stretches of one repeated value"),
        Column(
            "clipped_share",
            "float? 0..1",
            "share of samples at the recording's highest or lowest value",
        ),
        Column("verdict", "string", "whether its HRV may be used", values=VERDICTS),
        Column("reason", "string?", "why it was rejected; the first", values=ECG_REASONS),
    ),
    rules=(reason_if_rejected, good_has_scores),
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
        Column("value", "float?", "the variable over the usable signal"),
        Column(
            "used_s",
            "float? s 0..",
            "signal it rests on: all usable stretches (time domain) or the longest one; null "
            "without value",
        ),
        Column("used_share", "float? 0..", "the same as a share of the film; null without value"),
        Column("n_intervals", "int? 0..", "NN intervals it rests on; null without value"),
        Column("reason", "string?", "why the value is missing"),
    ),
    rules=(
        value_or_reason,
        value_is_finite,
        every_variable_everywhere,
        one_unit_a_variable,
        no_value_from_rejected,
    ),
)
