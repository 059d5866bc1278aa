"""One ECG recording of a cohort, from its file to its HRV."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eifer.cohort.ecg import ecg_sha256, ecg_sidecar, read_ecg
from eifer.cohort.recordings import unchanged
from eifer.physiology.hrv import EcgSpec, analyse_ecg


def analyse_recording(
    root: Path, spec: EcgSpec, video: Mapping[str, Any]
) -> tuple[list[dict[str, object]], dict[str, object]]:
    """Rows of HRV and the row of ECG_QUALITY of the ECG that a row of VIDEOS names.

    Raises
    ------
    RecordingError
        If the file cannot be read, or is not the one that was validated.
    """
    path = unchanged(root / video["ecg_path"], video["ecg_sha256"], ecg_sha256)
    return analyse_ecg(
        read_ecg(path, ecg_sidecar(root, video["ecg_path"])),
        video["ecg_hz"],
        video_id=video["video_id"],
        participant_id=video["participant_id"],
        spec=spec,
        start_s=video["ecg_start_s"],
        film_s=video["film_s"],
    )
