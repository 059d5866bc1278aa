"""A wave in which one video is refused: it is named, and the work on the others is kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from eifer.errors import InputError, RecordingError
from eifer.hashing import sha256_file
from eifer.tables.faces import BLENDSHAPES, COUNTS, FRAMES, SHAPES
from stages import extract as module
from stages._runtime import pool


def rows(path: Path, *, video_id: str, participant_id: str, spec: Any) -> tuple[Any, Any, Any]:
    """Three frames of a file of b"face", none of a face of b"wall", of b"cut" the end is missing;
    others are refused.
    """
    look = path.read_bytes()
    if look not in (b"face", b"wall", b"cut"):
        raise RecordingError(f"{path}: damaged at 1.00 s")
    frames = FRAMES.empty().reindex(range(3))
    whose = {"video_id": video_id, "participant_id": participant_id}
    frames = frames.assign(
        **whose, frame=range(3), time_s=[0.0, 0.1, 0.2], n_faces=1, switched=False
    )
    counts: dict[str, Any] = {name: 0 for name in COUNTS.names} | whose | {"frames_decoded": 3}
    counts |= {"fps": 10.0, "duration_s": 0.3, "declared_s": 1.0 if look == b"cut" else None}
    counts["rejected_no_face" if look == b"wall" else "frames_accepted"] = 3
    shapes = frames[["video_id", "frame"]].assign(**dict.fromkeys(SHAPES, 0.5))
    return (
        FRAMES.conform(frames.assign(status="accepted")),
        COUNTS.frame([counts]),
        BLENDSHAPES.conform(shapes),
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the stage on films of the given content; ``looked`` are the films it looked at."""
    looked: list[str] = []

    def look(path: Path, **names: Any) -> tuple[Any, Any, Any]:
        looked.append(path.name)
        return rows(path, **names)

    def in_turn(work: Callable[[Any], Any], tasks: list[Any], label: str, named: Any) -> Any:
        return pool.each(work, tasks, workers=1, label=label, named=named)

    def started(*films: bytes, quality: str = "usual") -> Any:
        looked.clear()
        for k, film in enumerate(films):
            Path(f"{k}.mp4").write_bytes(film)
        videos = pd.DataFrame(
            {
                "video_id": [f"sub-0{k}_run-1" for k in range(len(films))],
                "participant_id": [f"sub-0{k}" for k in range(len(films))],
                "video_path": [f"{k}.mp4" for k in range(len(films))],
                "video_sha256": [sha256_file(Path(f"{k}.mp4")) for k in range(len(films))],
            }
        )
        study = SimpleNamespace(
            params=SimpleNamespace(study=SimpleNamespace(cohort="."), extract=quality),
            item={"wave": "spring"},
            read=lambda given: videos,
            each=in_turn,
            afterwards=[],
            looked=looked,
        )
        study.outcome = None
        try:
            study.outcome = module.extract.function(study)
        except InputError as error:
            study.said = str(error)
        return study

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "extract_video", look)
    monkeypatch.setattr(module, "fingerprint", lambda *names, spec: "-".join([*names, spec]))
    # The pool's processes cannot see what a test stands in for.
    monkeypatch.setattr(pool, "_pool", ThreadPoolExecutor)
    return started


def test_every_video_at_fault_is_named_and_the_rest_is_not_done_again(
    run: Callable[..., Any],
) -> None:
    first = run(b"face", b"torn", b"wall", b"face")
    assert first.outcome is None and "2 problems" in first.said
    assert "1.mp4: damaged at 1.00 s" in first.said
    assert "2.mp4: no face in any of its 3 frames" in first.said
    assert first.looked == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]
    # Mended: only that one is looked at. Then everything is done, and what was kept goes.
    second = run(b"face", b"face", b"face", b"face")
    assert second.looked == ["1.mp4", "2.mp4"]
    assert len(second.outcome.made[module.FRAMES]) == 12
    assert len(second.outcome.made[module.BLENDSHAPES]) == 12
    kept = list(module.KEPT.rglob("*.parquet"))
    assert len(kept) > 0
    for clear in second.afterwards:
        clear()
    assert not list(module.KEPT.rglob("*.parquet"))
    # The same rows as of one undisturbed pass.
    whole = run(b"face", b"face", b"face", b"face")
    for made in whole.outcome.made:
        pd.testing.assert_frame_equal(whole.outcome.made[made], second.outcome.made[made])


def test_what_was_made_of_something_else_is_not_taken(run: Callable[..., Any]) -> None:
    assert run(b"face", b"torn").looked == ["0.mp4", "1.mp4"]
    assert run(b"face", b"torn").looked == ["1.mp4"]
    # Other thresholds.
    assert run(b"face", b"torn", quality="strict").looked == ["0.mp4", "1.mp4"]
    # A part that a kill left half-written.
    for part in module.KEPT.glob("spring/*"):
        shutil.move(part, part.with_name(part.name + ".partial"))
    assert run(b"face", b"torn").looked == ["0.mp4", "1.mp4"]


def test_what_is_missing_of_a_video_is_in_the_report_and_in_the_list(
    run: Callable[..., Any],
) -> None:
    made, report = run(b"face", b"cut").outcome.made, run(b"face", b"cut").outcome.report
    (row,) = made[module.EXTRACT_ATTRITION].to_dict("records")
    assert row == {
        "level": "frame",
        "participant_id": "sub-01",
        "video_id": "sub-01_run-1",
        "what": "frames",
        "reason": "cut short: 0.30 s there, 1.00 s declared",
        "n": 7,
    }
    assert (report.numbers["videos_cut_short"], report.numbers["frames_missing"]) == (1, 7)
    assert report.numbers["frames_decoded"] == 6
    said = " ".join(report.results.split())
    assert "before the length that they declare: 1; about 7 frames are missing there" in said
    whole = run(b"face", b"face").outcome.report
    assert whole.numbers["videos_cut_short"] == 0 and "missing" not in whole.results
