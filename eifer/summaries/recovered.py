"""What was planted in a simulated cohort, beside what the analysis found of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from eifer.physiology.hrv import VARIABLES

BLIND = ("no_face", "eyes_closed", "occluded")


def table(
    truth: dict[str, Any],
    latent: pd.DataFrame,
    frames: pd.DataFrame,
    estimates: pd.DataFrame,
    scores: pd.DataFrame,
    videos: pd.DataFrame,
    hrv: pd.DataFrame,
) -> tuple[pd.DataFrame, str]:
    """One row a planted quantity: what was planted, what was found, and how it was compared."""
    people = pd.DataFrame(truth["participants"]).set_index("participant_id")
    effect, spec = truth["spec"]["effect"], truth["spec"]
    scored = scores.set_index("participant_id").join(people[["coupling"]], how="inner")
    exact = (scored["ei_score"] == people["ei_score"].reindex(scored.index)).mean()
    rows: list[tuple[str, ...]] = [
        ("EI score", "answers item by item", f"{100 * exact:.0f} % of scores exact", "share"),
        (
            "ratings",
            "neutral and noisy ratings rarer with EI",
            _by_group(100 * _neutral(videos), scores, "{:.0f} %") + " neutral",
            "mean over participants",
        ),
        (
            "expression follows feeling",
            f"coupling {spec['expression']['coupling']:g}, "
            f"{effect * spec['expression']['coupling_shift']:+g} for 1 SD of EI; realised "
            + _by_group(people["coupling"], scores, "{:.2f}"),
            "alignment " + _by_group(_alignment(estimates, videos), scores, "{:.2f}"),
            "estimate × label direction, both dimensions, mean over participants",
        ),
    ]
    rows += _hearts(truth, scores, hrv)
    both = latent.merge(estimates, on=["video_id", "frame"], suffixes=("_planted", "_found"))
    for name in ("arousal", "valence"):
        r = np.corrcoef(both[f"{name}_planted"], both[f"{name}_found"])[0, 1]
        rows.append((f"{name} shown in a frame", "drawn face", f"r = {r:.3f}", "all accepted"))
    seen = latent.merge(frames, on=["video_id", "frame"])
    for kind in ("face", *BLIND, "two_faces"):
        of_kind = seen[seen["planted"] == kind]
        wanted = "rejected" if kind in BLIND else "accepted"
        right = of_kind["status"] == wanted
        if len(of_kind):
            rows.append(
                (
                    f"frames planted as {kind.replace('_', ' ')}",
                    f"{len(of_kind)}",
                    f"{right.sum()} {wanted} ({100 * right.mean():.1f} %)",
                    "whatever the reason given",
                )
            )
    null = " It is 0: any difference between the groups found below is chance." * (effect == 0)
    return pd.DataFrame(rows, columns=["what", "planted", "found", "how"]), (
        f"{len(truth['participants'])} made-up participants, {len(latent)} frames. The planted "
        f"effect of EI has size {effect:g}.{null} Two values are those of High EI / Low EI."
    )


def _hearts(
    truth: dict[str, Any], scores: pd.DataFrame, hrv: pd.DataFrame
) -> Iterator[tuple[str, ...]]:
    """The hearts that the ECGs were made of, and what was measured in them."""
    made = pd.DataFrame(
        [
            {"participant_id": person["participant_id"], "ability": person["ability"]}
            | {"video_id": video["video_id"], "domain": video["domain"], **video["heart"]}
            for person in truth["participants"]
            for video in person["videos"]
        ]
    )
    for name in ("mean_nn_ms", "rmssd_ms"):
        measured = hrv[hrv["variable"] == name].set_index("video_id")["value"]
        both = made.assign(found=made["video_id"].map(measured)).dropna(subset="found")
        if len(both) < 2:
            continue
        ratio = (both["found"] / both[name]).median()
        r = np.corrcoef(both[name], both["found"])[0, 1]
        what = f"r = {r:.3f}, median ratio {ratio:.3f}"
        yield (
            f"{VARIABLES[name].symbol} of a recording",
            "beats as drawn",
            what,
            f"{len(both)} recordings",
        )
        if name == "rmssd_ms":
            yield from _reactions(truth, scores, both)


def _reactions(
    truth: dict[str, Any], scores: pd.DataFrame, rmssd: pd.DataFrame
) -> Iterator[tuple[str, ...]]:
    """By domain, how vagal variability depends on EI: the planted slope, and the measured one."""
    spec = truth["spec"]
    known = rmssd[rmssd["participant_id"].isin(scores["participant_id"])]
    for domain, rows in known.groupby("domain"):
        planted = spec["effect"] * spec["autonomic"]["response"][domain]["ei_vagal_log"]
        slope = np.polyfit(rows["ability"], np.log(rows["found"]), 1)[0] if len(rows) > 2 else None
        yield (
            f"reaction of the heart to {domain}",
            f"{planted:+.2f} for 1 SD of EI",
            "too few" if slope is None else f"{slope:+.2f}",
            f"slope of ln RMSSD on EI, {len(rows)} people",
        )


def _by_group(values: pd.Series, scores: pd.DataFrame, form: str) -> str:
    """``values`` of participants as the means of High and Low EI."""
    means = values.groupby(scores.set_index("participant_id")["group"]).mean()
    return " / ".join(form.format(means.get(group, float("nan"))) for group in ("High", "Low"))


def _neutral(videos: pd.DataFrame) -> pd.Series:
    """Share of each participant's ratings that are neutral."""
    sources = videos.set_index("participant_id")[["arousal_label_source", "valence_label_source"]]
    return (sources == "stimulus").mean(axis=1).groupby("participant_id").mean()


def _alignment(estimates: pd.DataFrame, videos: pd.DataFrame) -> pd.Series:
    """Each participant's mean of estimate times the label's direction (-1 low, +1 high)."""
    rows = estimates.merge(videos[["video_id", "arousal_label", "valence_label"]], on="video_id")
    arousal, valence = (
        rows[name].astype("float64") * (2 * rows[f"{name}_label"] - 1)
        for name in ("arousal", "valence")
    )
    return ((arousal + valence) / 2).groupby(rows["participant_id"]).mean()
