"""How fast faces are extracted, against the bare models, and on two cores.

`python -m benchmarks.extract`. The bare loop decodes the clip, cuts what the models need, and runs
the same three models, with nothing around them: no rows, no judgement, no bookkeeping. Peak memory
is measured in processes of their own, for a 1 min and a 6 min video of 640 x 480 pixels.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import av

from benchmarks._measured import cpu_s
from eifer.cohort.simulation.cohort import simulate_cohort
from eifer.faces import decoding, detection, landmarks
from eifer.faces.extraction import ExtractSpec, extract_video
from flows.graph import ROOT
from stages._runtime import pool
from stages.params import load_params

ROUNDS = 5
CLIPS = 4


def clip(folder: Path) -> tuple[Path, ExtractSpec]:
    """Draw ten seconds of 640 x 480 pixels at 30 frames per second."""
    params = load_params(ROOT / "presets/demo.yaml")
    assert params.simulate.planted is not None
    spec = params.simulate.planted
    video = replace(spec.video, seconds=10, fps=30, width_px=640, height_px=480)
    ecg = replace(spec.ecg, seconds=10)
    simulate_cohort(
        folder / "cohort", replace(spec, participants_per_wave=(1,), video=video, ecg=ecg), seed=1
    )
    return next((folder / "cohort").rglob("*run-1_video.mp4")), params.extract


def repeat(path: Path, target: Path, times: int) -> Path:
    """Write ``path`` several times after itself, without coding it again."""
    with av.open(str(target), "w") as out:
        stream, shift = None, 0
        for _ in range(times):
            with av.open(str(path)) as source:
                video = source.streams.video[0]
                if stream is None:
                    stream = out.add_stream_from_template(video)
                for packet in source.demux(video):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    out.mux(packet)
                shift += video.duration
    return target


def bare(spec: ExtractSpec, path: Path) -> int:
    find = detection.detector(width_px=spec.detector_width_px, score=spec.min_candidate_score)
    mesh = landmarks.landmarker()
    frames = 0
    for _, _, rgb in decoding.frames(path):
        frames += 1
        faces = find(rgb)
        if faces:
            _ = mesh(rgb, faces[0]).eye_closed
    return frames


def ours(spec: ExtractSpec, path: Path) -> int:
    rows, *_ = extract_video(path, video_id="sub-01_run-1", participant_id="sub-01", spec=spec)
    return len(rows)


def _pairs(spec: ExtractSpec, path: Path) -> list[tuple[float, float]]:
    tasks = partial(bare, spec, path), partial(ours, spec, path)
    for task in tasks:
        task()
    return [(cpu_s(tasks[0]), cpu_s(tasks[1])) for _ in range(ROUNDS)]


def wall_s(workers: int, path: Path, spec: ExtractSpec) -> float:
    start = time.perf_counter()
    list(pool.each(partial(ours, spec), [path] * CLIPS, workers=workers, label="bench"))
    return time.perf_counter() - start


def _peak_mb(path: Path, spec: ExtractSpec) -> float:
    ours(spec, path)
    # Not ru_maxrss: that still holds what the parent had when it started this process.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, spec = clip(folder)
        frames = bare(spec, path)
        # In one of the processes that extract starts, which keep to one thread.
        pairs = next(pool.each(partial(_pairs, spec), [path], workers=1, label="bench"))
        ratio = statistics.median(a / b for a, b in pairs)
        ms = 1000 * statistics.median(b for _, b in pairs) / frames
        print(f"extract against the bare loop (CPU time): {ratio:.2f} (wanted: at least 0.90)")
        print(f"extract, one core, 640 x 480: {ms:.1f} ms a frame")
        long = repeat(path, folder / "half.mp4", 3)
        one, two = (min(wall_s(n, long, spec) for _ in range(2)) for n in (1, 2))
        print(f"two processes against one (wall time): {one / two:.2f} (wanted: at least 1.70)")
        with get_context("spawn").Pool(1, maxtasksperchild=1) as workers:
            minutes = {
                m: workers.apply(_peak_mb, (repeat(path, folder / f"{m}.mp4", 6 * m), spec))
                for m in (1, 6)
            }
        growth = 100 * (minutes[6] / minutes[1] - 1)
        print(
            f"peak memory: {minutes[1]:.0f} MB for 1 min, {minutes[6]:.0f} MB for 6 min: "
            f"{growth:+.1f} % (wanted: within 10 %)"
        )


if __name__ == "__main__":
    main()
