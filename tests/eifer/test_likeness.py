"""Copies among crops: to the bit, encoded again, moved, trimmed; and none where there are none."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from eifer.errors import InputError
from eifer.likeness import LikenessSpec, Looks, compare, looks
from stages.params import load_params

ROOT = Path(__file__).parents[2]
SPEC = load_params(ROOT / "params.yaml").split.likeness
PEOPLE = pd.DataFrame(
    {
        "participant_id": ["sub-1", "sub-2", "sub-3", "sub-4"],
        "partition": ["train", "train", "validation", "test"],
    }
)
Crops = NDArray[np.uint8]


def film(seed: int, n: int = 24) -> Crops:
    """Crops of something smooth that moves, as unlike another seed's as two faces are."""
    random = np.random.default_rng(seed)
    still = random.normal(size=(64, 64, 3))
    frames = [
        cv2.GaussianBlur(still + random.normal(size=still.shape) / 2, (0, 0), 5) for _ in range(n)
    ]
    return np.clip(128 + 400 * np.array(frames), 0, 255).astype(np.uint8)


def encoded_again(crops: Crops) -> Crops:
    jpeg = [cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 25])[1] for crop in crops]
    return np.array([cv2.imdecode(data, cv2.IMREAD_COLOR) for data in jpeg])


def brighter(crops: Crops) -> Crops:
    return np.clip(crops * 1.05 + 6, 0, 255).astype(np.uint8)


def moved(crops: Crops) -> Crops:
    half = np.array([[1, 0, 0.5], [0, 1, -0.3]])
    return np.array(
        [cv2.warpAffine(c, half, (64, 64), borderMode=cv2.BORDER_REPLICATE) for c in crops]
    )


def smaller_and_back(crops: Crops) -> Crops:
    half = [cv2.resize(crop, (32, 32), interpolation=cv2.INTER_AREA) for crop in crops]
    return np.array([cv2.resize(crop, (64, 64)) for crop in half])


def videos(**films: Crops) -> list[Looks]:
    """A video for each name: its last character is the participant's."""
    return [looks(name, f"sub-{name[-1]}", crops) for name, crops in films.items()]


def compared(*given: Looks, spec: LikenessSpec = SPEC) -> list[dict[str, object]]:
    return compare(given, PEOPLE, spec)


COPIES: dict[str, Any] = {
    "to the bit": lambda crops: crops,
    "encoded again": encoded_again,
    "brighter": brighter,
    "moved": moved,
    "of half the size": smaller_and_back,
    "the last eight": lambda crops: encoded_again(crops[-8:]),
    "one crop, to the bit": lambda crops: np.concatenate([film(9), crops[:1]]),
}


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize(("a", "b"), [("1", "4"), ("4", "1"), ("3", "4"), ("2", "3")])
def test_a_copy_in_another_partition_is_refused_with_both_names(kind: str, a: str, b: str) -> None:
    original = film(0)
    given = {f"first-{a}": original, f"second-{b}": COPIES[kind](original), "other-1": film(5)}
    with pytest.raises(InputError) as caught:
        compared(*videos(**given))
    (problem,) = caught.value.problems
    assert f"first-{a}" in problem.where and f"second-{b}" in problem.where
    assert "study.exclude" in problem.remedy


def test_other_films_and_a_participants_own_are_no_copies() -> None:
    films = {f"{run}-{who}": film(10 * who + run) for who in (1, 2, 3, 4) for run in (1, 2)}
    films["again-4"] = encoded_again(films["1-4"])  # no leak: both are tested
    films["again-2"] = encoded_again(films["1-1"])  # nor here: both are trained on
    films["nobody-9"] = films["1-4"]  # in no partition
    proof = compared(*videos(**films))
    assert all(pair["shared"] == 0 for pair in proof)
    assert {(pair["of"], pair["a"], pair["b"]): pair["compared"] for pair in proof} == {
        (kind, a, b): n * each
        for kind, each in (("pictures", 24 * 24), ("videos that look the same", 1))
        for a, b, n in (
            ("train", "validation", 10),
            ("train", "test", 15),
            ("validation", "test", 6),
        )
    }


def test_crops_of_one_colour_are_like_nothing() -> None:
    black, grey = np.zeros((5, 16, 16, 3), np.uint8), np.full((5, 16, 16, 3), 90, np.uint8)
    assert all(pair["shared"] == 0 for pair in compared(*videos(black4=black, grey1=grey)))


def test_a_share_just_below_the_parameter_is_no_copy() -> None:
    original = film(0)
    few = np.concatenate([brighter(original[:5]), film(1, n=19)])
    compared(*videos(one1=original, two4=few))  # 5 of 24
    with pytest.raises(InputError, match="25% look the same"):
        more = np.concatenate([brighter(original[:6]), film(1, n=18)])
        compared(*videos(one1=original, two4=more))


def crops_of(
    path: Path, *, trim: int = 0, crf: int | None = None, out: Path | None = None
) -> Crops:
    """Every other accepted crop of a video, or of a copy: encoded again, without its beginning."""
    import av

    from eifer.faces.crops import crops
    from eifer.faces.extraction import extract_video

    params = load_params(ROOT / "params.yaml")
    if out is not None:
        with av.open(str(path)) as source, av.open(str(out), "w") as target:
            stream = target.add_stream("libx264", rate=25, options={"crf": str(crf)})
            shape = source.streams.video[0]
            stream.width, stream.height, stream.pix_fmt = shape.width, shape.height, "yuv420p"
            for n, frame in enumerate(source.decode(video=0)):
                if n >= trim:
                    picture = av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), "rgb24")
                    target.mux(stream.encode(picture))
            target.mux(stream.encode())
        path = out
    rows, *_ = extract_video(path, video_id="v", participant_id="p", spec=params.extract)
    rows = rows[rows["status"] == "accepted"].iloc[::2]
    return np.stack([crop for _, crop in crops(path, rows, params.study.crop)])


def test_real_faces_are_told_from_their_copies(shared: Path, tmp_path: Path) -> None:
    """sub-01 and sub-08 are one man at two times, the hardest case that is no copy."""
    folder = "{0}/beh/{0}_task-elicitation_run-1_video.mp4"
    paths = {
        who: shared / "real_cohort" / folder.format(who) for who in ("sub-01", "sub-08", "sub-02")
    }
    films = {who: crops_of(path) for who, path in paths.items()}
    for (_, one), (_, other) in itertools.combinations(films.items(), 2):
        compared(*videos(one1=one, other4=other))
    for crf, trim in ((23, 0), (30, 7)):
        copy = crops_of(paths["sub-01"], trim=trim, crf=crf, out=tmp_path / f"{crf}.mp4")
        with pytest.raises(InputError, match="0 crops the same to the bit"):
            compared(*videos(one1=films["sub-01"], copy4=copy))
