"""Videos and ECGs: what is planted can be read back."""

from __future__ import annotations

import gzip
from pathlib import Path

import av
import numpy as np

from eifer.cohort.simulation import face, recordings
from eifer.cohort.simulation.people import CohortSpec
from eifer.seeding import generator
from eifer.vocabulary import Planted


def _rmssd(times: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.diff(np.diff(times)) ** 2)) * 1000)


def _heart(vagal_ms: float, name: str, seconds: float = 60) -> np.ndarray:
    return recordings.beats(
        seconds,
        rate_bpm=66,
        vagal_ms=vagal_ms,
        slow_ms=20,
        breaths_hz=0.25,
        rng=generator(4, "heart", name),
    )


def test_beats_have_the_planted_rate_and_cover_the_recording() -> None:
    times = _heart(30, "a", 600)
    assert times[0] < 0 and times[-1] > 600
    assert abs(60 / np.diff(times).mean() - 66) < 1


def test_more_vagal_activity_gives_a_larger_rmssd() -> None:
    found = [_rmssd(_heart(vagal, "same", 300)) for vagal in (10, 25, 50)]
    assert found[0] < found[1] < found[2]
    # 2 sin(pi f RR) of the breathing's spread (chance decides a quarter of it in 5 minutes).
    assert 0.6 < found[2] / (50 * 2 * np.sin(np.pi * 0.25 * 60 / 66)) < 1.4


def test_a_beat_has_neurokits_shape() -> None:
    import neurokit2

    once = recordings.ecg(
        np.arange(-0.5, 9), seconds=8, hz=500, noise_mv=0, breaths_hz=0, rng=generator(4, "any")
    )
    theirs = np.asarray(
        neurokit2.ecg_simulate(8, sampling_rate=500, noise=0, heart_rate=60, heart_rate_std=0)
    )
    found = [signal[800:3200] for signal in (once, theirs)]
    peaks = [int(np.argmax(signal[:500])) + 300 for signal in found]
    ours, other = (signal[p - 150 : p + 230] for signal, p in zip(found, peaks, strict=True))
    assert np.corrcoef(ours, other)[0, 1] > 0.99
    assert abs(np.ptp(ours) - np.ptp(other)) < 0.15


def test_an_ecg_file_is_one_column_of_millivolts_without_a_date(tmp_path: Path) -> None:
    values = np.array([0.0, -0.1234, 1.2])
    recordings.write_ecg(tmp_path / "x.tsv.gz", values)
    data = (tmp_path / "x.tsv.gz").read_bytes()
    assert gzip.decompress(data) == b"0.000\n-0.123\n1.200\n"
    assert data[4:8] == b"\0\0\0\0" and not data[3] & 0x08  # no time, no file name


def test_a_video_holds_every_frame_and_the_same_bytes_twice(
    tmp_path: Path, plan: CohortSpec
) -> None:
    def shoot(path: Path) -> bytes:
        planted = [Planted.FACE] * 6 + [*Planted] + [Planted.NO_FACE] * 2
        rng = generator(4, "video")
        who = [face.identity(rng, female=f, age_years=40) for f in (True, False)]
        feels = np.linspace(-0.5, 0.5, len(planted))
        pictures = recordings.film(
            who[0],
            who[1],
            arousal=feels,
            valence=-feels,
            planted=planted,
            spec=plan.video,
            rng=rng,
        )
        recordings.write_video(path, pictures, plan.video)
        return path.read_bytes()

    assert shoot(tmp_path / "a.mp4") == shoot(tmp_path / "b.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert (stream.width, stream.height, stream.average_rate) == (160, 120, 15)
        assert sum(1 for _ in container.decode(stream)) == 13


def test_an_empty_room_is_shown_where_no_face_is_planted(plan: CohortSpec) -> None:
    rng = generator(4, "away")
    who = face.identity(rng, female=True, age_years=40)
    planted = [Planted.FACE, Planted.NO_FACE]
    seen, gone = recordings.film(
        who,
        who,
        arousal=np.zeros(2),
        valence=np.zeros(2),
        planted=planted,
        spec=plan.video,
        rng=rng,
    )
    assert np.abs(seen.astype(int) - gone).mean() > 5
