"""A meeting of drawn people: they talk, one leaves and comes back, and a cut changes the seats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd

from eifer.cohort.simulation import face
from eifer.seeding import generator

WIDTH, HEIGHT, FPS, FRAMES = 640, 480, 10, 90
SEATS = (120, 320, 520)
AWAY = range(20, 40)
CUT = 60


@dataclass(frozen=True)
class Meeting:
    """A film and where each person's face is in it, by frame: ``{person: (x, y)}`` in px."""

    path: Path
    places: tuple[dict[int, tuple[float, float]], ...]

    def drawn_as(self, row: Any) -> int:
        """Whose face a row of a reading is."""
        x = row.box_x_px + row.box_w_px / 2
        away = {who: abs(x - at) for who, (at, _) in self.places[row.frame].items()}
        who = min(away, key=away.__getitem__)
        assert away[who] < 40
        return who

    def kept(self, faces: pd.DataFrame) -> float:
        """The share of all that was to be seen of people in which each has its one number."""
        rows = faces.dropna(subset="person").itertuples()
        pairs = [(self.drawn_as(row), row.person) for row in rows]
        counts = pd.crosstab(*map(pd.Series, zip(*pairs, strict=True))).max(axis=1)
        return counts.sum() / sum(map(len, self.places))


def filmed(path: Path) -> Meeting:
    """Draw the meeting into a film at ``path``."""
    rng = generator(1, "meeting")
    people = [
        face.identity(generator(1, "who", k), female=bool(k % 2), age_years=25 + 15 * k)
        for k in range(len(SEATS))
    ]
    unit = 0.16 * HEIGHT
    sitters = [face.Portrait(who, face.light(generator(1, "light")), unit) for who in people]
    room = face.background(rng, WIDTH, HEIGHT)
    places = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"crf": "18", "x264-params": "threads=1"}
        for k in range(FRAMES):
            picture = room if k < CUT else cv2.convertScaleAbs(room[:, ::-1], alpha=0.5)
            here = {}
            for number, (who, sitter) in enumerate(zip(people, sitters, strict=True)):
                if number == 0 and k in AWAY:
                    continue
                seat = SEATS[number] if k < CUT else SEATS[(number + 1) % len(SEATS)]
                x = float(seat + 12 * np.sin(k / 6 + number))
                y = float(0.46 * HEIGHT + 6 * np.cos(k / 5 + number))
                arousal, valence = np.sin(k / 15 + number), np.cos(k / 15 + 2 * number)
                act = face.action(
                    who, 0.8 * arousal, 0.8 * valence, lids=1.0, gaze_x=0.0, gaze_y=0.0
                )
                pose = face.Pose(x_px=x, y_px=y, unit_px=unit, roll_deg=3.0 * np.sin(k / 7))
                picture = face.place(picture, sitter.layer(act), sitter, pose)
                here[number] = (x, y)
            noisy = np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="bgr24")))
            places.append(here)
        container.mux(stream.encode())
    return Meeting(path, tuple(places))
