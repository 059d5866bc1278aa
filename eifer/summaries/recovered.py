"""What was planted in a simulated cohort, beside what the analysis found of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

BLIND = ("no_face", "eyes_closed", "occluded")


def table(
    truth: dict[str, Any],
    latent: pd.DataFrame,
    frames: pd.DataFrame,
    estimates: pd.DataFrame,
    scores: pd.DataFrame,
    videos: pd.DataFrame,
) -> pd.DataFrame:
    """One row a planted quantity: what was planted, what was found, and how it was compared."""
    people = pd.DataFrame(truth["participants"]).set_index("participant_id")
    effect, spec = truth["spec"]["effect"], truth["spec"]
    scored = scores.set_index("participant_id").join(people[["coupling"]], how="inner")
    exact = (scored["ei_score"] == people["ei_score"].reindex(scored.index)).mean()
    rows = [
        _row("EI score", "answers item by item", f"{100 * exact:.0f} % of scores exact", "share"),
        _row(
            "ratings",
            "neutral and noisy ratings rarer with EI",
            _by_group(_neutral(videos), scores, "{:.0%} neutral"),
            "mean over participants",
        ),
        _row(
            "expression follows feeling",
            f"coupling {spec['expression']['coupling']:g}, "
            f"{effect * spec['expression']['coupling_shift']:+g} for 1 SD of EI; realised "
            + _by_group(people["coupling"], scores, "{:.2f}"),
            _by_group(_alignment(estimates, videos), scores, "{:.2f} alignment"),
            "estimate × label direction, both dimensions, mean over participants",
        ),
    ]
    both = latent.merge(estimates, on=["video_id", "frame"], suffixes=("_planted", "_found"))
    for name in ("arousal", "valence"):
        r = np.corrcoef(both[f"{name}_planted"], both[f"{name}_found"])[0, 1]
        rows.append(_row(f"{name} shown in a frame", "drawn face", f"r = {r:.3f}", "all accepted"))
    seen = latent.merge(frames, on=["video_id", "frame"])
    for kind in ("face", *BLIND, "two_faces"):
        mine = seen[seen["planted"] == kind]
        right = mine["status"] == ("rejected" if kind in BLIND else "accepted")
        if len(mine):
            rows.append(
                _row(
                    f"frames planted as {kind.replace('_', ' ')}",
                    f"{len(mine)}",
                    f"{right.sum()} {'rejected' if kind in BLIND else 'accepted'} "
                    f"({100 * right.mean():.1f} %)",
                    "whatever the reason given",
                )
            )
    return pd.DataFrame(rows)


def caption(
    truth: dict[str, Any],
    latent: pd.DataFrame,
    frames: pd.DataFrame,
    estimates: pd.DataFrame,
    scores: pd.DataFrame,
    videos: pd.DataFrame,
) -> str:
    """What is shown, and of how many."""
    effect = truth["spec"]["effect"]
    null = " It is 0: any difference between the groups found below is chance." * (effect == 0)
    return (
        f"{len(truth['participants'])} made-up participants, {len(latent)} frames. The planted "
        f"effect of EI has size {effect:g}.{null} Two values are those of High EI / Low EI."
    )


def _row(what: str, planted: str, found: str, how: str) -> dict[str, str]:
    return {"what": what, "planted": planted, "found": found, "how": how}


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
