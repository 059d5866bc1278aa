"""Whether crops of two participants are one picture: copied, encoded again, or trimmed.

Two files of the same bytes are found by their hashes when the cohort is read. A copy that
was encoded again has other bytes and nearly the same pictures, so the proof that nothing
leaks looks at the crops themselves.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eifer.errors import InputError, Problem
from eifer.ranges import Part, Share
from eifer.vocabulary import Partition

SIDE = 8
"""Of the grey picture that two crops are compared by. Coarse, so that what an encoder changes
is averaged away, and with it a shift of the eyes by part of a pixel."""


@dataclass(frozen=True)
class LikenessSpec:
    """When the videos of two participants show the same pictures.

    Crops look the same from ``correlation`` on; a video looks like another if at least
    ``video_share`` of its crops look the same as one of the other's. A single crop that is
    the same to the bit is always one too many.
    """

    correlation: Part
    video_share: Share


@dataclass(frozen=True)
class Looks:
    """What is kept of a video's crops to compare them.

    ``exact`` has their SHA-256; ``coarse`` is float32, crops x (`SIDE` squared), each row
    of mean 0 and length 1, so that the product of two is their correlation.
    """

    video_id: str
    participant_id: str
    exact: tuple[str, ...]
    coarse: NDArray[np.float32]


def looks(video_id: str, participant_id: str, crops: NDArray[np.uint8]) -> Looks:
    """Keep of RGB ``crops`` (crops, side, side, 3) what `compare` needs."""
    grey = [
        cv2.resize(
            cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (SIDE, SIDE), interpolation=cv2.INTER_AREA
        )
        for crop in crops
    ]
    coarse = np.array(grey, np.float32).reshape(len(crops), -1)
    coarse -= coarse.mean(axis=1, keepdims=True)
    # A crop of one colour looks like nothing, not even like another one.
    coarse /= np.maximum(np.linalg.norm(coarse, axis=1, keepdims=True), 1e-6)
    exact = tuple(hashlib.sha256(crop.tobytes()).hexdigest() for crop in crops)
    return Looks(video_id, participant_id, exact, coarse)


def every_look(
    frames: pd.DataFrame, crops: Callable[[str, list[str]], NDArray[np.uint8]]
) -> list[Looks]:
    """The looks of every video, a video at a time, so that memory holds no more.

    ``frames`` has ``video_id, participant_id, item_id``; ``crops`` gives those of some items of a
    video.
    """
    each = frames.groupby(["video_id", "participant_id"])["item_id"]
    return [looks(str(v), str(who), crops(str(v), items.tolist())) for (v, who), items in each]


def compare(
    videos: Iterable[Looks], partitions: pd.DataFrame, spec: LikenessSpec
) -> list[dict[str, object]]:
    """Compare every crop of each partition with every crop of the others.

    Parameters
    ----------
    videos
        Every stored video. Those of participants in no partition are passed over.
    partitions
        The table ``PARTITIONS``.
    spec
        When two videos look the same.

    Returns
    -------
    list of dict
        For the proof: of each two partitions, how many crops are the same to the bit and how
        many pairs of videos look the same (none, or this is an error), of how many compared.

    Raises
    ------
    InputError
        Naming every two videos of participants in different partitions that show the same.
    """
    whose = dict(zip(partitions["participant_id"], partitions["partition"], strict=True))
    parts: dict[str, list[Looks]] = {part.value: [] for part in Partition}
    for video in videos:
        if video.participant_id in whose:
            parts[whose[video.participant_id]].append(video)
    pairs: list[dict[str, object]] = []
    problems: list[Problem] = []
    for a, b in itertools.combinations(parts, 2):
        problems += _copies(a, parts[a], b, parts[b], spec)
        n_a, n_b = (sum(len(video.exact) for video in parts[part]) for part in (a, b))
        compared = {
            "pictures": n_a * n_b,
            "videos that look the same": len(parts[a]) * len(parts[b]),
        }
        pairs += [
            {"of": kind, "a": a, "b": b, "shared": 0, "examples": [], "compared": n}
            for kind, n in compared.items()
        ]
    if problems:
        raise InputError("split", problems)
    return pairs


def _copies(
    a: str, first: Sequence[Looks], b: str, second: Sequence[Looks], spec: LikenessSpec
) -> Iterator[Problem]:
    remedy = (
        "look at both: if one is a copy, put the right recording in its place, or exclude it "
        "with a reason (study.exclude in params.yaml)"
    )
    for video, other in itertools.product(first, second):
        same = len(set(video.exact) & set(other.exact))
        alike = video.coarse @ other.coarse.T >= spec.correlation
        # An excerpt is all in the other video, of which most is not in the excerpt.
        share = max(float(alike.any(axis=axis).mean()) for axis in (0, 1))
        if same or share >= spec.video_share:
            yield Problem(
                "videos of two participants in two partitions that show the same pictures",
                f"{video.video_id} ({a}) and {other.video_id} ({b}): {same} crops the same to "
                f"the bit, {share:.0%} look the same",
                remedy,
            )
