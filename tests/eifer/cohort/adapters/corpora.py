"""DEAP, AMIGOS and MAHNOB-HCI in their published structure: drawn faces, made-up hearts."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from eifer.cohort.simulation import face, recordings
from eifer.cohort.simulation.people import VideoSpec
from eifer.vocabulary import Planted
from tests.eifer.cohort.conftest import EI_ITEMS
from tests.eifer.cohort.ecg_files import write_edf
from tests.eifer.physiology import test_planted as planted

Floats = NDArray[np.float64]
QUADRANTS = ((8, 8), (8, 2), (2, 8), (2, 2))
"""Arousal and valence of films that are clearly HAHV, HALV, LAHV and LALV."""


@cache
def _faces() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(3)
    someone = face.identity(rng, female=True, age_years=30)
    frames = 6
    spec = VideoSpec(seconds=1, fps=15, width_px=160, height_px=120, crf=24, noise_levels=3)
    level = np.linspace(-0.5, 0.5, frames)
    return list(
        recordings.film(
            someone,
            someone,
            arousal=level,
            valence=level,
            planted=[Planted.FACE] * frames,
            spec=spec,
            rng=rng,
        )
    )


def write_face(path: Path, number: int, seconds: float = 2.0, key_frames: int = 250) -> None:
    """H.264 at 10 frames a second in the container that the name says; no two are the same."""
    with av.open(str(path), "w") as container:
        pictures = _faces()
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "ultrafast", "g": str(key_frames), "bf": "0"}
        for k in range(round(10 * seconds)):
            lit = cv2.add(pictures[k % len(pictures)], np.full_like(pictures[0], number % 40))
            lit[:8, :8] = (number * 37) % 256
            container.mux(stream.encode(av.VideoFrame.from_ndarray(lit, format="bgr24")))
        container.mux(stream.encode())


def heart(seconds: float, hz: int, seed: int) -> Floats:
    """An ECG in mV."""
    return planted.drawn(planted.heart(seconds, 70, seed), seconds, seed, hz)


def write_deap(root: Path) -> Path:
    """Two participants with faces, one without; participant 2's third video is missing."""
    (root / "metadata_csv").mkdir(parents=True)
    rows = ["Participant_id,Trial,Experiment_id,Start_time,Valence,Arousal,Dominance,Liking,Fam"]
    for person in (1, 2, 23):
        for trial, (arousal, valence) in enumerate(QUADRANTS, 1):
            rows.append(
                f"{person},{trial},{10 * trial},{trial}000000,{valence}.04,{arousal}.04,5,5,n/a"
            )
            if person < 23 and (person, trial) != (2, 3):
                folder = root / "face_video" / f"s{person:02d}"
                folder.mkdir(parents=True, exist_ok=True)
                write_face(folder / f"s{person:02d}_trial{trial:02d}.avi", 7 * person + trial)
    text = "".join(f"{row}\n" for row in rows).replace("Fam\n", "Familiarity\n")
    (root / "metadata_csv/participant_ratings.csv").write_text(text)
    (root / "metadata_csv/participant_questionnaire.csv").write_text(
        "Participant_id,Experiment_date,Gender,Age\ns01,n,Male,26\ns02,n,Female,\n"
    )
    return root


FILMS = {"10": (2, 8), "138": (2, 2), "4": (8, 8), "30": (8, 2), "N1": (9, 9)}
"""Films of AMIGOS: arousal and valence. N1 is one of the long ones."""


def write_amigos(root: Path) -> Path:
    """Two participants. The second has no face with film 4, and no whole ECG with film 30."""
    for person in (1, 2):
        name = f"Data_Preprocessed_P{person:02d}"
        (root / "data_preprocessed" / name).mkdir(parents=True)
        cells = {key: np.empty((1, len(FILMS)), dtype=object) for key in ("v", "j", "s")}
        for k, (film, (arousal, valence)) in enumerate(FILMS.items()):
            data = np.zeros((128 * 25, 17))
            data[:, 14] = heart(25, 128, seed=10 * person + k)
            if (person, film) == (2, "30"):
                data[77, 14] = np.nan
            answers = np.array([[arousal + 0.3, valence + 0.3, 5, 5, 1, 0, 0, 1, 0, 0, 0, 0]])
            cells["v"][0, k], cells["j"][0, k], cells["s"][0, k] = film, data, answers
            (root / "face").mkdir(exist_ok=True)
            if (person, film) != (2, "4"):
                write_face(root / "face" / f"P{person:02d}_{film}_face.mov", 9 * person + k)
        savemat(
            root / "data_preprocessed" / name / f"{name}.mat",
            {"VideoIDs": cells["v"], "joined_data": cells["j"], "labels_selfassessment": cells["s"]}
            | {"labels_ext_annotation": cells["s"]},
        )
    return root


def write_mahnob(root: Path) -> Path:
    """Two participants, each with four films, a neutral clip, and one film without a camera."""
    number = 2
    for person in (1, 2):
        quadrants = [*QUADRANTS, (5, 5), (9, 9)]
        for cut, (arousal, valence) in enumerate(quadrants, 1):
            folder = root / "Sessions" / str(number)
            folder.mkdir(parents=True)
            kind = "N" if cut == 5 else "S"
            video = f"P{person}-Rec1-2009.07.09.17.53.46_C1 trigger _C_Section_{number}.avi"
            (folder / "session.xml").write_text(
                f'<?xml version="1.0" encoding="utf-8"?>\n<session sessionId="{number}" '
                f'experimentType="emotion elicitation" isStim="{int(kind == "S")}" '
                f'cutNr="{2 * cut}" cutLenSec="17.0" vidRate="10.0" feltEmo="4" '
                f'feltArsl="{arousal}" feltVlnc="{valence}" feltCtrl="5" feltPred="5" '
                f'mediaFile="{cut}.avi">\n<subject id="{person}" gender="'
                f'{"female" if person == 1 else "male"}" />\n'
                '<track type="Video" color="0" filename="P1 BW1.avi" />\n'
                f'<track type="Video" color="1" filename="{video}" />\n'
                f'<track type="Physiological" filename="x.bdf" />\n</session>\n'
            )
            if cut < 6:
                write_face(folder / video, number, seconds=24, key_frames=25)
            status = np.full(256 * 40, -(2**19))  # the amplifier's own bits
            for at in (10, 30):
                status[256 * at : 256 * at + 60] |= 268
            mains = np.random.default_rng(number).integers(-900, 900, len(status))
            ecg = np.round(1000 * heart(40, 256, seed=number)).astype(np.int64)
            write_edf(
                folder / f"Part_{person}_{kind}_Trial{cut}_emotion.bdf",
                {"Fp1": mains, "EXG1": mains, "EXG2": mains, "EXG3": mains + ecg, "Status": status},
                256,
            )
            number += 2
    return root


def write_ei(path: Path, *participants: str) -> Path:
    """A whole EI test of each."""
    rows = ["participant_id\tindex\tcategory\tstimulus\tcorrect\n"]
    rows += [f"{who}\t{item}" for who in participants for item in EI_ITEMS]
    path.write_text("".join(rows))
    return path
