"""A made-up corpus of faces whose arousal and valence are known: AffectNet's part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
import pandas as pd
from annotated_types import Ge, Le

from eifer.cohort.simulation import face
from eifer.cohort.simulation.processes import Processes
from eifer.ranges import Count
from eifer.seeding import generator
from eifer.tables.affect import CORPUS

SOURCE = "simulated"
JPEG_QUALITY = 92


@dataclass(frozen=True)
class CorpusSpec:
    """How many people, how many images of each, the side of an image, the camera's noise."""

    identities: Count
    images_per_identity: Annotated[Count, Le(1000)]
    size_px: Annotated[int, Ge(48), Le(1024)]
    noise_levels: Annotated[float, Ge(0), Le(255)]


def simulate_corpus(spec: CorpusSpec, *, seed: int, workers: int = 1) -> pd.DataFrame:
    """Draw portraits of people who are in no cohort; the table CORPUS.

    As in AffectNet an image is a face with some margin. Arousal and valence are
    uniform over the disc of radius 1. ``workers`` processes never change a byte.
    """
    tasks = [(spec, number, seed) for number in range(1, spec.identities + 1)]
    with Processes(workers, len(tasks)) as processes:
        return CORPUS.frame([row for rows in processes.map(_portraits, tasks) for row in rows])


def _portraits(task: tuple[CorpusSpec, int, int]) -> list[dict[str, object]]:
    spec, number, seed = task
    name = f"drawn-{number:05d}"
    rng = generator(seed, "corpus", name)
    who = face.identity(rng, female=bool(rng.random() < 0.5), age_years=float(rng.uniform(18, 70)))
    rows: list[dict[str, object]] = []
    # A few lights a person: the still parts of a portrait are the expensive ones.
    lights = [face.light(rng) for _ in range(min(3, spec.images_per_identity))]
    size = spec.size_px
    sitters = [face.Portrait(who, lit, size * 0.38) for lit in lights]
    for k in range(spec.images_per_identity):
        radius, angle = np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        arousal, valence = float(radius * np.sin(angle)), float(radius * np.cos(angle))
        act = face.action(
            who,
            arousal,
            valence,
            lids=float(rng.uniform(0.94, 1.0)),
            gaze_x=float(np.clip(rng.normal(0, 0.35), -1, 1)),
            gaze_y=float(np.clip(rng.normal(0, 0.2), -1, 1)),
        )
        pose = face.Pose(
            x_px=size * (0.5 + rng.uniform(-0.05, 0.05)),
            y_px=size * (0.43 + rng.uniform(-0.04, 0.04)),
            unit_px=size * 0.38 * rng.uniform(0.88, 1.06),
            roll_deg=float(rng.normal(0, 3)),
        )
        sitter = sitters[k % len(sitters)]
        picture = face.place(face.background(rng, size, size), sitter.layer(act), sitter, pose)
        picture = cv2.GaussianBlur(picture, (5, 5), float(rng.uniform(0.3, 0.9)))
        grain = rng.normal(0, spec.noise_levels, picture.shape).astype(np.float32)
        noisy = cv2.add(picture, grain, dtype=cv2.CV_8U)
        _, jpeg = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        rows.append(
            {
                "image_id": f"{name}_{k:04d}",
                "identity": name,
                "image": jpeg.tobytes(),
                "arousal": round(arousal, 6),
                "valence": round(valence, 6),
                "source": SOURCE,
            }
        )
    return rows
