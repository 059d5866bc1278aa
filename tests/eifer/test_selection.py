from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from eifer.errors import InputError
from eifer.selection import merge, select
from eifer.tables.selection import CROPS, SELECTION, SHORTFALL
from eifer.vocabulary import item_id


def labels_of(videos: dict[str, tuple[int, int]]) -> pd.DataFrame:
    rows = [
        {
            "video_id": video,
            "participant_id": video.split("_")[0],
            "arousal_label": arousal,
            "arousal_label_source": "rating",
            "valence_label": valence,
            "valence_label_source": "stimulus",
        }
        for video, (arousal, valence) in videos.items()
    ]
    return pd.DataFrame(rows)


def estimates_of(videos: dict[str, list[tuple[float, float]]], first: int = 0) -> pd.DataFrame:
    rows = [
        {
            "video_id": video,
            "participant_id": video.split("_")[0],
            "frame": first + i,
            "arousal": arousal,
            "valence": valence,
        }
        for video, frames in videos.items()
        for i, (arousal, valence) in enumerate(frames)
    ]
    frame = pd.DataFrame(
        rows, columns=["video_id", "participant_id", "frame", "arousal", "valence"]
    )
    return frame.astype({"arousal": "float32", "valence": "float32", "frame": "int64"})


NO_CANDIDATES = pd.DataFrame(columns=["video_id", "frame", "task", "condition", "rank"])
V = "sub-01_run-1"


def ranks(ranked: pd.DataFrame, dimension: str, video: str = V) -> dict[int, int]:
    rows = ranked[(ranked["video_id"] == video) & ranked[f"{dimension}_rank"].notna()]
    return dict(zip(rows["frame"], rows[f"{dimension}_rank"], strict=True))


def test_sign_first_then_magnitude_then_frame() -> None:
    #          frame: 0          1           2          3          4          5
    estimates = estimates_of(
        {V: [(0.2, 0.0), (0.9, -0.3), (-0.95, 0.3), (0.5, -0.3), (0.5, -0.9), (0.1, -0.1)]}
    )
    ranked, shortfall = select(estimates, labels_of({V: (1, 0)}), top=3)
    assert ranks(ranked, "arousal") == {1: 1, 3: 2, 4: 3}  # 3 before 4: a tie, lower frame first
    assert ranks(ranked, "valence") == {4: 1, 1: 2, 3: 3}
    assert list(ranked["frame"]) == [1, 3, 4]  # each once, though all serve both dimensions
    counts = shortfall.set_index("dimension")[["matching", "kept", "asked"]]
    assert counts.loc["arousal"].tolist() == [5, 3, 3]
    assert counts.loc["valence"].tolist() == [4, 3, 3]


def test_what_is_short_stays_short_and_is_recorded() -> None:
    estimates = estimates_of({V: [(0.5, -0.5), (-0.5, -0.4), (-0.6, -0.2)]})
    ranked, shortfall = select(
        estimates, labels_of({V: (1, 1), "sub-02_run-3": (0, 1)}), top=2
    )  # sub-02's video has no estimated frame at all
    assert ranks(ranked, "arousal") == {0: 1}
    assert ranks(ranked, "valence") == {}
    rows = shortfall.set_index(["video_id", "dimension"])
    assert rows.loc[(V, "arousal"), ["matching", "kept", "asked"]].tolist() == [1, 1, 2]
    assert rows.loc[(V, "valence"), ["matching", "kept", "asked"]].tolist() == [0, 0, 2]
    assert rows.loc[("sub-02_run-3", "valence"), ["matching", "kept", "asked"]].tolist() == [
        0,
        0,
        2,
    ]
    assert rows.loc[("sub-02_run-3", "valence"), "participant_id"] == "sub-02"


def test_no_estimates_at_all() -> None:
    ranked, shortfall = select(estimates_of({}), labels_of({V: (1, 0)}), top=3)
    assert ranked.empty
    assert len(shortfall) == 2
    assert merge(estimates_of({}), labels_of({V: (1, 0)}), ranked, NO_CANDIDATES).empty


def coarse_cohort(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimates on a coarse grid, so that ties and zeros abound; frames with gaps."""
    rng = np.random.default_rng(seed)
    tables, videos = [], {}
    for participant in range(1, 4):
        for run in range(1, 5):
            video = f"sub-{participant:02d}_run-{run}"
            n = int(rng.integers(1, 60))
            values = (rng.integers(-6, 7, (n, 2)) / 8).tolist()
            table = estimates_of({video: [(a, v) for a, v in values]})
            table["frame"] = np.sort(rng.choice(200, n, replace=False))
            tables.append(table)
            videos[video] = (int(rng.integers(2)), int(rng.integers(2)))
    return pd.concat(tables, ignore_index=True), labels_of(videos)


def by_hand(estimates: pd.DataFrame, video: str, dimension: str, label: int, top: int) -> list[int]:
    """The protocol's sentence, one video at a time."""
    rows = estimates[estimates["video_id"] == video]
    pairs = list(zip(rows[dimension].tolist(), rows["frame"].tolist(), strict=True))
    matching = [(e, f) for e, f in pairs if (e > 0 if label else e < 0)]
    return [f for _, f in sorted(matching, key=lambda pair: (-abs(pair[0]), pair[1]))[:top]]


@pytest.mark.parametrize("seed", range(5))
def test_the_same_as_one_video_at_a_time(seed: int) -> None:
    estimates, labels = coarse_cohort(seed)
    ranked, _ = select(estimates, labels, top=7)
    for row in labels.to_dict("records"):
        for dimension in ("arousal", "valence"):
            found = ranks(ranked, dimension, row["video_id"])
            expected = by_hand(
                estimates, row["video_id"], dimension, row[f"{dimension}_label"], top=7
            )
            assert sorted(found, key=lambda frame: found[frame]) == expected


def test_row_order_does_not_matter() -> None:
    estimates, labels = coarse_cohort(11)
    one = select(estimates, labels, top=5)
    two = select(estimates.sample(frac=1, random_state=1), labels.iloc[::-1], top=5)
    pd.testing.assert_frame_equal(one[0], two[0])
    pd.testing.assert_frame_equal(one[1], two[1])


def test_merge_keeps_every_frame_once_with_all_its_ranks() -> None:
    estimates = estimates_of({V: [(0.5, 0.1), (0.4, 0.2), (-0.3, -0.3), (0.1, -0.6)]})
    labels = labels_of({V: (1, 1)})
    ranked, shortfall = select(estimates, labels, top=2)
    candidates = pd.DataFrame(
        [
            (V, 0, "arousal", "unambiguous", 1),
            (V, 2, "arousal", "ambiguous", 1),
            (V, 3, "valence", "ambiguous", 1),
            (V, 3, "valence", "one_added_later", 1),
        ],
        columns=NO_CANDIDATES.columns,
    )
    table = merge(estimates, labels, ranked, candidates)
    assert table["item_id"].tolist() == [item_id(V, frame) for frame in range(4)]
    assert table["arousal_rank"].tolist()[:2] == [1, 2]
    assert table["valence_rank"].tolist()[:2] == [2, 1]
    assert table["arousal_unambiguous_rank"].notna().tolist() == [True, False, False, False]
    assert table["valence_ambiguous_rank"].notna().tolist() == [False, False, False, True]
    assert table["valence_label_source"].unique().tolist() == ["stimulus"]
    others = {"estimates": estimates, "selection": table}
    for rule in SELECTION.rules:
        assert rule.broken(table, others).empty, rule.name
    for rule in SHORTFALL.rules:
        assert rule.broken(shortfall, others).empty, rule.name


def test_bad_input_is_named_all_at_once() -> None:
    estimates = estimates_of({V: [(0.1, 0.1)], "sub-09_run-2": [(0.2, 0.2)]})
    estimates = pd.concat([estimates, estimates.iloc[:1]])
    labels = pd.concat([labels_of({V: (1, 1), "sub-03_run-1": (0, 0)})] * 2).iloc[:3]
    with pytest.raises(InputError) as caught:
        select(estimates, labels, top=1)
    message = str(caught.value)
    assert f"{V} frame 0" in message
    assert "two labels" in message
    assert "sub-09_run-2" in message
    assert len(caught.value.problems) == 3


# the rules fail when they should --------------------------------------------------------------


def good_selection() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    estimates, labels = coarse_cohort(3)
    ranked, shortfall = select(estimates, labels, top=5)
    return merge(estimates, labels, ranked, NO_CANDIDATES), shortfall, estimates


def broken(rules: tuple, table: pd.DataFrame, **others: pd.DataFrame) -> set[str]:
    return {rule.name for rule in rules if len(rule.broken(table, others))}


def test_rules_of_selection() -> None:
    table, _, estimates = good_selection()
    check = {"estimates": estimates}
    assert broken(SELECTION.rules, table, **check) == set()

    worse = table.copy()
    worse.loc[0, "item_id"] = "sub-01_run-1_frame-999999"
    assert broken(SELECTION.rules, worse, **check) == {"item_names_its_frame"}

    video = table.loc[table["arousal_rank"] == 2, "video_id"].iloc[0]
    of_video = (table["video_id"] == video) & table["arousal_rank"].notna()
    worse = table.copy()
    worse.loc[of_video & (table["arousal_rank"] == 1), "arousal_rank"] = 2
    assert "ranks_count_up" in broken(SELECTION.rules, worse, **check)

    worse = table.copy()  # first and last place swapped: still 1, 2, 3, but out of order
    worse.loc[of_video, "arousal_rank"] = (of_video.sum() + 1) - table.loc[of_video, "arousal_rank"]
    assert broken(SELECTION.rules, worse, **check) == {"rank_follows_magnitude"}

    worse = table.copy()
    worse.loc[of_video, "arousal_label"] = 1 - table.loc[of_video, "arousal_label"]
    found = broken(SELECTION.rules, worse, **check)
    assert {"sign_matches_label", "one_label_a_video"} <= found

    worse = table.copy()
    worse["valence_estimate"] = worse["valence_estimate"] * np.float32(1.001)
    assert broken(SELECTION.rules, worse, **check) == {"as_estimated"}
    bad = broken(SELECTION.rules, table, estimates=estimates[estimates["video_id"] != video])
    assert bad == {"as_estimated"}


def test_rules_of_shortfall() -> None:
    table, shortfall, _ = good_selection()
    assert broken(SHORTFALL.rules, shortfall, selection=table) == set()
    worse = shortfall.copy()
    worse.loc[0, "kept"] += 1
    assert broken(SHORTFALL.rules, worse, selection=table) == {
        "kept_what_there_was",
        "kept_is_in_selection",
    }


def test_rules_of_crops() -> None:
    table, _, _ = good_selection()
    crops = table[["item_id", "video_id", "frame"]].assign(height_px=2, width_px=3)
    crops = CROPS.conform(crops.assign(crop=[bytes(18)] * len(crops)))
    assert broken(CROPS.rules, crops, selection=table) == set()

    worse = crops.copy()
    worse.at[0, "crop"] = bytes(17)
    assert broken(CROPS.rules, worse, selection=table) == {"crop_fills_its_size"}
    worse = crops.copy()
    worse.loc[0, ["height_px", "width_px"]] = [3, 2]
    assert broken(CROPS.rules, worse, selection=table) == {"one_crop_size"}
    assert broken(CROPS.rules, crops.iloc[1:], selection=table) == {"crops_are_the_stored_frames"}
    assert broken(CROPS.rules, crops, selection=table.iloc[1:]) == {"crops_are_the_stored_frames"}
