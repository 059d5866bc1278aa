"""A valid cohort of two participants, small enough to write anew for each test."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

DOMAINS = ("HAHV", "HALV", "LAHV", "LALV")
INDICES = ("self_awareness", "others_awareness", "emotion_discrimination")
EI_ITEMS = [
    f"{index}\t{category}\t{stimulus}\t{(category + stimulus) % 2}\n"
    for index in INDICES
    for category in range(1, 5)
    for stimulus in range(1, 11)
]


def stimuli(film_s: str) -> str:
    """A table of four stimuli, one of each domain."""
    rows = [f"{domain.lower()}1\t{domain}\t{film_s}\n" for domain in DOMAINS]
    return "stimulus_id\tdomain\tduration_s\n" + "".join(rows)


def write_cohort(root: Path) -> Path:
    (root / "participants.tsv").parent.mkdir(parents=True)
    (root / "dataset_description.json").write_text('{"Name": "Tiny", "BIDSVersion": "1.11.1"}')
    (root / "participants.tsv").write_text(
        "participant_id\tage\tsex\twave\nsub-01\t21\tF\t1\nsub-02\tn/a\tM\t2\n"
    )
    (root / "stimuli.tsv").write_text(stimuli("360"))
    (root / "task-elicitation_recording-ecg_physio.json").write_text(
        json.dumps(
            {
                "SamplingFrequency": 250,
                "StartTime": 0,
                "Columns": ["cardiac"],
                "cardiac": {"Units": "mV"},
            }
        )
    )
    for participant in ("sub-01", "sub-02"):
        beh = root / participant / "beh"
        beh.mkdir(parents=True)
        (beh / f"{participant}_task-ei_beh.tsv").write_text(
            "index\tcategory\tstimulus\tcorrect\n" + "".join(EI_ITEMS)
        )
        # Row 2 is run 1: HAHV rated 6, 4; the neutral valence takes the stimulus's side.
        (beh / f"{participant}_task-elicitation_beh.tsv").write_text(
            "run\tstimulus_id\tarousal\tvalence\n"
            "1\thahv1\t6\t4\n2\thalv1\t5\t1\n3\tlahv1\t3\t7\n4\tlalv1\t4\t2\n"
        )
        for run in range(1, 5):
            stem = f"{participant}_task-elicitation_run-{run}"
            (beh / f"{stem}_video.mp4").write_bytes(f"{stem} film".encode())
            (beh / f"{stem}_recording-ecg_physio.tsv.gz").write_bytes(
                gzip.compress(f"0.1\n-0.25\n{participant[-1]}.{run}\n".encode(), mtime=0)
            )
    return root


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The folder of a valid cohort: sub-01 in wave 1, sub-02 in wave 2."""
    return write_cohort(tmp_path / "cohort")
