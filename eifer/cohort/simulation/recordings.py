"""What the instruments see of a latent person: the face video and the ECG.

NeuroKit2's ``ecg_simulate`` sets only a rate, its spread and an LF/HF ratio, and
integrates ECGSYN with steps of adaptive length: the last bit of another processor's
BLAS kernel grows to 0.003 mV. So the shape of a beat is ECGSYN's, at steps of one
length (a test compares it with NeuroKit2's), and the times of the beats are made here,
where breathing and blood pressure move them by amounts that are planted and known.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from eifer.cohort.simulation import face
from eifer.cohort.simulation.people import VideoSpec, wander
from eifer.vocabulary import Planted

Floats = NDArray[np.float64]

# Share of a picture's height that a unit (eyes to chin) takes.
UNIT_SHARE = 0.29
TEMPLATE_HZ = 1000
BEFORE_S, AFTER_S = 0.30, 0.46
# P, Q, R, S, T: angle in the cycle, size and width (radians).
WAVE_DEG = np.array([-70.0, -15.0, 0.0, 15.0, 100.0])
WAVE_SIZE = np.array([1.2, -5.0, 30.0, -7.5, 0.75])
WAVE_WIDTH = np.array([0.25, 0.1, 0.1, 0.1, 0.4])
SINES = 12


def film(
    looks: face.Identity,
    other: face.Identity,
    *,
    arousal: Floats,
    valence: Floats,
    planted: Sequence[Planted],
    spec: VideoSpec,
    rng: np.random.Generator,
) -> Iterator[face.Image]:
    """Draw the frames of one video, one at a time: (height, width, 3), BGR.

    ``other`` is who stands beside the person where two faces are planted.
    """
    frames, width, height = len(planted), spec.width_px, spec.height_px
    lit = face.light(rng)
    unit = UNIT_SHARE * height * rng.uniform(0.95, 1.05)
    sitter = face.Portrait(looks, lit, unit)
    room = face.background(rng, width, height)
    keep = float(np.exp(-1 / (1.2 * spec.fps)))
    move_x, move_y, roll, near, gaze, glow = (wander(rng, frames, keep) for _ in range(6))
    grain = rng.normal(0, spec.noise_levels, (height + 32, width + 32, 3)).astype(np.float32)
    beside: tuple[face.Portrait, face.Image, face.Pose] | None = None
    cover = None
    turned = False
    for k, what in enumerate(planted):
        starts = k == 0 or planted[k - 1] is not what
        picture = room
        if what is Planted.TWO_FACES:
            if beside is None:
                beside = _bystander(other, lit, unit, (width, height), rng)
            picture = face.place(picture, beside[1], beside[0], beside[2])
        if what is Planted.NO_FACE and starts:
            turned = bool(rng.random() < 0.5)
        pose = face.Pose(
            x_px=width / 2 + 0.07 * unit * move_x[k],
            y_px=0.43 * height + 0.04 * unit * move_y[k],
            unit_px=unit * (1 + 0.012 * near[k]),
            roll_deg=2.2 * roll[k],
        )
        if what is not Planted.NO_FACE:
            act = face.action(
                looks,
                float(arousal[k]),
                float(valence[k]),
                lids=_lids(planted, k),
                gaze_x=float(np.clip(0.35 * gaze[k], -1, 1)),
                gaze_y=0.0,
            )
            picture = face.place(picture, sitter.layer(act), sitter, pose)
        elif turned:
            picture = face.place(picture, sitter.turned_away(), sitter, pose)
        if what is Planted.OCCLUDED:
            cover = face.cover(rng, sitter.skin_lit) if starts or cover is None else cover
            picture = face.covered(picture, cover, pose)
        picture = cv2.GaussianBlur(picture, (3, 3), 0.6)
        dy, dx = rng.integers(0, 32, 2)
        lifted = cv2.convertScaleAbs(picture, alpha=1 + 0.012 * float(glow[k]))
        yield np.asarray(
            cv2.add(lifted, grain[dy : dy + height, dx : dx + width], dtype=cv2.CV_8U), np.uint8
        )


def _lids(planted: Sequence[Planted], k: int) -> float:
    # Lids take a frame to fall and a frame to rise.
    if planted[k] is Planted.EYES_CLOSED:
        return 0.0
    near = planted[max(k - 1, 0) : k + 2]
    return 0.62 if Planted.EYES_CLOSED in near else 1.0


def _bystander(
    who: face.Identity,
    lit: face.Light,
    unit: float,
    frame: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[face.Portrait, face.Image, face.Pose]:
    width, height = frame
    size = unit * rng.uniform(0.55, 0.68)
    portrait = face.Portrait(who, lit, size)
    feels = rng.uniform(-0.5, 0.5, 2)
    act = face.action(who, feels[0], feels[1], lids=1.0, gaze_x=0.0, gaze_y=0.0)
    pose = face.Pose(
        x_px=width * (0.15 if rng.random() < 0.5 else 0.85),
        y_px=height * rng.uniform(0.36, 0.46),
        unit_px=size,
        roll_deg=float(rng.uniform(-5, 5)),
    )
    return portrait, portrait.layer(act), pose


def write_video(path: Path, frames: Iterable[face.Image], spec: VideoSpec) -> None:
    """Write ``frames`` (BGR) as H.264 in mp4: the same frames give the same bytes.

    One thread and bit-exact flags: no dates, no versions, no order of threads.
    """
    import av

    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=spec.fps)
        stream.width, stream.height, stream.pix_fmt = spec.width_px, spec.height_px, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.options = {
            "crf": str(spec.crf),
            "preset": "veryfast",
            "flags": "+bitexact",
            # With its macroblock tree x264 gave one and the same frames other bytes each time.
            "x264-params": "mbtree=0",
        }
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())


def beats(
    seconds: float,
    *,
    rate_bpm: float,
    vagal_ms: float,
    slow_ms: float,
    breaths_hz: float,
    rng: np.random.Generator,
) -> Floats:
    """Draw the times of the heart's beats in seconds, from before 0 to after ``seconds``.

    The interval at a time is 60 / ``rate_bpm`` plus oscillations: spread
    ``vagal_ms`` at the breathing's frequency, ``slow_ms`` near 0.1 Hz (Mayer
    waves), 0.6 of that near 0.03 Hz. Each band is a sum of sines with random
    phases, so it is narrow but not a line.
    """
    bands = ((breaths_hz, 0.012, vagal_ms), (0.1, 0.012, slow_ms), (0.03, 0.006, 0.6 * slow_ms))
    hz = np.concatenate([rng.normal(centre, wide, SINES) for centre, wide, _ in bands])
    size_s = np.repeat([spread / 1000 * np.sqrt(2 / SINES) for *_, spread in bands], SINES)
    phase = rng.uniform(0, 2 * np.pi, len(hz))
    times = [-1.5 + float(rng.uniform(0, 0.5))]
    while times[-1] < seconds + 1:
        interval = 60 / rate_bpm + size_s @ np.sin(2 * np.pi * hz * times[-1] + phase)
        times.append(times[-1] + max(0.35, float(interval)))
    return np.array(times)


def ecg(
    times_s: Floats,
    *,
    seconds: float,
    hz: int,
    noise_mv: float,
    breaths_hz: float,
    rng: np.random.Generator,
) -> Floats:
    """Draw the ECG (mV, shape: seconds x hz) of a heart that beats at ``times_s``.

    A beat's shape is ECGSYN's; it shortens with the root of the interval, as
    QT does (Bazett). The baseline moves with the breath.
    """
    at_s, shape_mv = _template()
    time = np.arange(round(seconds * hz)) / hz
    signal = 0.04 * np.sin(2 * np.pi * breaths_hz * time + rng.uniform(0, 2 * np.pi))
    intervals = np.diff(times_s, append=times_s[-1] + np.median(np.diff(times_s)))
    for beat, interval in zip(times_s, intervals, strict=True):
        stretch = float(np.sqrt(np.clip(interval, 0.4, 1.4)))
        first = max(0, int(np.ceil((beat - BEFORE_S * stretch) * hz)))
        last = min(len(time), int((beat + AFTER_S * stretch) * hz) + 1)
        if first < last:
            signal[first:last] += np.interp((time[first:last] - beat) / stretch, at_s, shape_mv)
    return np.asarray(signal + rng.normal(0, noise_mv, len(time)))


@lru_cache(maxsize=1)
def _template() -> tuple[Floats, Floats]:
    """Draw one beat of ECGSYN at 60 beats a minute: seconds from its R peak, mV.

    ``dz/dt = -z - sum(a d exp(-d^2 / 2 b^2))`` with ``d`` the angle from each wave
    (McSharry et al., 2003, doi:10.1109/TBME.2003.808805; waves as in NeuroKit2
    0.2), by the trapezoidal rule over three beats, the last of which is cut.
    """
    step = 1 / TEMPLATE_HZ
    angle = 2 * np.pi * np.arange(-0.5, 2.5, step)[:, None]
    away = (angle - np.radians(WAVE_DEG) + np.pi) % (2 * np.pi) - np.pi
    force = -(WAVE_SIZE * away * np.exp(-0.5 * (away / WAVE_WIDTH) ** 2)).sum(axis=1)
    height = np.zeros(len(force))
    for k in range(1, len(force)):
        gain = step / 2 * (force[k] + force[k - 1])
        height[k] = ((1 - step / 2) * height[k - 1] + gain) / (1 + step / 2)
    last = height[-TEMPLATE_HZ:]
    peak = len(height) - TEMPLATE_HZ + int(np.argmax(last))
    first, end = peak - round(BEFORE_S * TEMPLATE_HZ), peak + round(AFTER_S * TEMPLATE_HZ)
    beat = height[first : end + 1] * 1.6 / np.ptp(last)  # ECGSYN's span, -0.4 to 1.2 mV
    beat = beat - np.linspace(beat[0], beat[-1], len(beat))  # begins and ends at rest
    return (np.arange(first, end + 1) - peak) / TEMPLATE_HZ, beat


def write_ecg(path: Path, signal_mv: Floats) -> None:
    """Write a BIDS recording: one column, no header, microvolts kept, no date in the gzip."""
    # Ten times faster than numpy.savetxt.
    text = "".join([f"{value:.3f}\n" for value in signal_mv.tolist()])
    path.write_bytes(gzip.compress(text.encode(), compresslevel=5, mtime=0))
