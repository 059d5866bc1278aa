"""The folder of a reading: table, summary, page, film; finished ones are left as they are."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest

from eifer.errors import InputError, ParamsError
from eifer.video import files, page
from eifer.video import reading as files_reading
from eifer.video.reading import Reader, ReadingSpec, opened, ready
from flows.pages import reading
from stages.params import load_params

ROOT = Path(__file__).parents[3]
ENV = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def written(reader: Reader, meeting, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("made")
    video = folder / "a <b> & c.mp4"
    shutil.copy(meeting.path, video)
    out = folder / "out"
    told = "by a network <of tests>"
    summary = files.write(reader, video, out, told=told, form="csv", film=True)
    return video, out, summary


def test_the_table_reads_back(written, reader: Reader, meeting) -> None:
    faces = pd.read_csv(written[1] / "faces.csv")
    again = reader.table.conform(faces)
    pd.testing.assert_frame_equal(again, reader(meeting.path).faces)


def test_the_summary_adds_up(written) -> None:
    summary = json.loads((written[1] / "summary.json").read_text())
    assert summary == written[2]
    assert summary["frames"] == 90 and summary["duration_s"] == pytest.approx(9.0)
    assert [one["person"] for one in summary["people"]] == [1, 2, 3]
    assert sorted(one["frames"] for one in summary["people"]) == [70, 90, 90]
    for one in summary["people"]:
        assert sum(one["expressions"].values()) + one["unsure"] == pytest.approx(1, abs=1e-3)


def test_the_page_shows_each_person_and_escapes_names(written) -> None:
    html = (written[1] / "index.html").read_text()
    assert "a &lt;b&gt; &amp; c.mp4" in html and "<b>" not in html and "<of tests>" not in html
    assert all(f'id="person-{k}"' in html for k in (1, 2, 3))
    assert html.count("data:image/jpeg") == page.PICTURES + 3
    assert "not of feelings" in html and "http" not in html


def test_axe_finds_nothing_on_the_page(written, barriers) -> None:
    assert barriers(written[1] / "index.html") == []


def test_curves_break_where_the_person_is_away(written) -> None:
    html = (written[1] / "index.html").read_text()
    away = next(one for one in written[2]["people"] if one["frames"] == 70)
    part = html.split(f'id="person-{away["person"]}"')[1].split("</h2>")[1].split("<h2")[0]
    assert part.split('class="arousal" d="')[1].split('"')[0].count("M") == 2


def test_the_film_has_every_frame_at_its_time(written) -> None:
    with av.open(str(written[1] / "overlay.mp4")) as made, av.open(str(written[0])) as given:
        assert made.streams.video[0].codec_context.name == "h264"
        assert made.streams.video[0].codec_context.pix_fmt == "yuv420p"
        times = [[f.time for f in one.decode(video=0)] for one in (made, given)]
    assert times[0] == pytest.approx(times[1], abs=1e-3)


def test_of_a_finished_reading_only_what_is_missing_is_made(
    reader: Reader, meeting, tmp_path: Path, monkeypatch
) -> None:
    write = partial(files.write, reader, meeting.path, tmp_path, told="by tests")
    first = write(form="csv", film=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"faces.csv", "index.html", "summary.json"}
    monkeypatch.setattr(reader, "_found", None)
    assert write(form="csv", film=False) == first
    with_film = write(form="csv", film=True)
    assert with_film == first | {"overlay": "overlay.mp4"}
    assert (tmp_path / "faces.csv").read_bytes() == before["faces.csv"]
    # Asked for less, it keeps what is there.
    assert write(form="csv", film=False) == with_film
    assert write(form="parquet", film=False)["table"] == "faces.parquet"
    assert not (tmp_path / "faces.csv").exists()
    assert write(form="csv", film=False) == with_film
    assert (tmp_path / "faces.csv").read_bytes() == before["faces.csv"]


def stop(what: str, time_s: float) -> None:
    """Ctrl-C as soon as the film is made."""
    if what == "overlay":
        raise KeyboardInterrupt


def test_a_reading_stopped_half_way_vouches_for_nothing(
    reader: Reader, meeting, tmp_path: Path
) -> None:
    first = files.write(reader, meeting.path, tmp_path, told="", form="csv", film=False)
    whole = (tmp_path / "faces.csv").read_bytes()
    slow = opened(spec=ReadingSpec(per_second=2))

    with pytest.raises(KeyboardInterrupt):
        files.write(slow, meeting.path, tmp_path, told="", form="csv", film=True, seen=stop)
    assert (tmp_path / "faces.csv").read_bytes() != whole
    again = files.write(reader, meeting.path, tmp_path, told="", form="csv", film=False)
    assert again == first and (tmp_path / "faces.csv").read_bytes() == whole


def test_a_stop_while_the_film_is_made_costs_no_reading(
    reader: Reader, meeting, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(files_reading, "PART_FRAMES", 10)
    write = partial(files.write, reader, meeting.path, tmp_path, told="", form="csv", film=True)
    with pytest.raises(KeyboardInterrupt):
        write(seen=stop)
    monkeypatch.setattr(reader, "_found", None)
    assert write()["overlay"] == "overlay.mp4"
    assert not (tmp_path / files.KEPT).exists()


def test_a_folder_belongs_to_one_video(reader: Reader, meeting, written, tmp_path: Path) -> None:
    other = tmp_path / written[0].name
    other.write_bytes(meeting.path.read_bytes() + b"x")
    with pytest.raises(InputError, match="holds the reading of another video"):
        files.write(reader, other, written[1], told="", form="csv", film=False)


def test_files_of_others_are_left_alone(reader: Reader, meeting, tmp_path: Path) -> None:
    out = tmp_path / "talk"
    out.mkdir()
    for name in ("summary.json", "overlay.mp4", "faces.xlsx"):
        (out / name).write_text("years of work")
    write = partial(files.write, reader, meeting.path, out, told="", form="csv", film=False)
    with pytest.raises(InputError, match="holds files that are no reading"):
        write()
    assert {path.read_text() for path in out.iterdir()} == {"years of work"}
    for name in ("summary.json", "overlay.mp4"):
        (out / name).unlink()
    (out / files.KEPT).mkdir()  # a reading that was stopped
    write()
    assert (out / "faces.xlsx").exists() and (out / "faces.csv").exists()


def test_odd_names_and_a_face_nowhere(reader: Reader, shared: Path, tmp_path: Path) -> None:
    video = tmp_path / os.fsdecode(b"caf\xe9 {x} {task.fields}.mp4")
    shutil.copy(shared / "real_clips/pyfeat_no_face.mp4", video)
    out = tmp_path / "out"
    for _ in range(2):
        reading.read([video], out, ready("expression"), ReadingSpec(), form="csv", film=True)
    summary = json.loads((out / video.stem / "summary.json").read_text())
    assert summary["people"] == [] and summary["video"].startswith("caf\ufffd {x}")
    assert not stat.S_IMODE(out.stat().st_mode) & 0o077


def test_times_are_minutes_and_seconds() -> None:
    assert [page.clock(s) for s in (0, 59.94, 59.97, 119.96, 3600)] == [
        *("0:00.0", "0:59.9", "1:00.0", "2:00.0", "60:00.0"),
    ]


def test_a_portrait_is_of_the_surest_face() -> None:
    strip = page.Strip()
    for level, score in ((50, 0.8), (120, 0.9), (200, 0.7)):
        shown = np.zeros((90, 160, 3), np.uint8)
        shown[20:60, 100:140] = level
        strip.add(shown, np.array([[2, 105, 25, 30, 30, score], [np.nan] * 6]))
    jpeg = base64.b64decode(strip.portrait(2).split(",")[1])
    middle = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[20:50, 20:50]
    assert abs(float(middle.mean()) - 120) < 8


def test_pictures_are_spread_over_a_video_of_any_length() -> None:
    for frames in (1, 5, 48, 1000):
        strip = page.Strip()
        for k in range(frames):
            strip.add(np.full((90, 160, 3), k * 255 // frames, np.uint8), np.empty((0, 6)))
        assert len(strip.addresses()) == min(frames, page.PICTURES)
        shades = [int(small[0, 0, 0]) for small in strip._kept]
        assert shades[0] == 0 and shades[-1] >= 0.9 * (frames - 1) * 255 // frames
        assert len(strip._kept) < 4 * page.PICTURES


def test_what_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("a/x.mp4", "b/x.mov"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError) as told:
        files.videos_of([tmp_path / n for n in ("empty", "a", "b/x.mov", "none.mp4")])
    message = str(told.value)
    for words in ("no video", "two videos of one name (2)", "no such file or folder"):
        assert words in message
    (tmp_path / "a/._x.mp4").write_bytes(b"")
    (tmp_path / "a/folder.mp4").mkdir()
    assert files.videos_of([tmp_path / "a", tmp_path / "a/x.mp4"]) == [tmp_path / "a/x.mp4"]


def command_with(folder: Path, change: str) -> Path:
    """`eifer` as a file, changed also in the process that it opens videos in."""
    script = folder / "eifer_changed.py"
    script.write_text(
        "import os, signal; from eifer.faces import decoding; from eifer.video import reading\n"
        # A shell that runs tests in the background has their children ignore SIGINT.
        f"{change}\nif __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    from flows.cli import app; app()"
    )
    return script


def test_a_video_that_ends_its_process_is_named_and_the_others_are_read(
    reader: Reader, meeting, written, tmp_path: Path
) -> None:
    for name in ("crash.mp4", written[0].name):
        shutil.copy(meeting.path, tmp_path / name)
    (tmp_path / "text.mp4").write_text("no film")
    crash = (
        "whole = decoding.at_rate\ndef at_rate(path, per_second):\n    for frame in whole(path, "
        "per_second):\n        yield frame\n        if path.stem == 'crash' and frame[0] == 50:\n"
        "            os.kill(os.getpid(), signal.SIGSEGV)\ndecoding.at_rate = at_rate"
    )
    script, out = command_with(tmp_path, crash), tmp_path / "out"
    videos = [tmp_path / name for name in ("crash.mp4", "text.mp4", written[0].name)]
    done = subprocess.run(
        [sys.executable, script, "estimate", *videos, "--out", out],
        env=ENV,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    crashed, text = done.stderr.splitlines()
    assert f"{videos[0]}: the process that worked on it ended (SIGSEGV)" in crashed
    assert f"{videos[1]}: not a video" in text
    assert (out / written[0].stem / "faces.csv").read_bytes() == (
        written[1] / "faces.csv"
    ).read_bytes()
    assert not (out / "crash/summary.json").exists()


def test_a_killed_command_goes_on_to_the_same_bytes(
    reader: Reader, meeting, written, tmp_path: Path
) -> None:
    video = tmp_path / written[0].name
    shutil.copy(meeting.path, video)
    slow = (
        "import time\nreading.PART_FRAMES = 10\nwhole = decoding.at_rate\n"
        "def at_rate(path, per_second):\n    for frame in whole(path, per_second):\n"
        "        time.sleep(float(os.environ['SLOW_S']))\n        yield frame\n"
        "decoding.at_rate = at_rate"
    )
    script = command_with(tmp_path, slow)
    command = [sys.executable, str(script), "estimate", str(video), "--out", str(tmp_path / "out")]
    # Slow enough to be stopped on the way, whatever the machine.
    slowly = ENV | {"SLOW_S": "0.2"}
    running = subprocess.Popen(command, env=slowly, stderr=subprocess.PIPE, text=True)
    out = tmp_path / "out" / video.stem
    deadline = time.monotonic() + 120
    while not list(out.rglob("*.npz")) and running.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.kill()
    running.communicate(timeout=60)
    kept = len(list(out.rglob("*.npz")))
    assert not (out / "summary.json").exists()
    again = subprocess.Popen(command, env=slowly, stderr=subprocess.PIPE, text=True)
    while len(list(out.rglob("*.npz"))) == kept and again.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    again.send_signal(signal.SIGINT)
    _, told = again.communicate(timeout=60)
    assert again.returncode == 130 and "goes on" in told
    subprocess.run(command, env=slowly | {"SLOW_S": "0"}, check=True, capture_output=True)
    assert (out / "faces.csv").read_bytes() == (written[1] / "faces.csv").read_bytes()
    assert not list(out.rglob("*.npz"))


def test_the_estimator_of_a_study_reads_a_video(tmp_path: Path) -> None:
    preset = (ROOT / "presets/real.yaml").read_text()
    study = tmp_path / "params.yaml"
    study.write_text(preset)
    choice, spec = reading.chosen(None, study, 5)
    assert choice == ready("expression") and spec.crop == load_params(study).study.crop
    assert reading.chosen("blendshapes", study, 5)[0] == ready("blendshapes")
    with pytest.raises(ParamsError, match="estimate names expression, blendshapes, not onnx"):
        reading.chosen("onnx", study, 5)
    study.write_text((ROOT / "presets/demo.yaml").read_text())
    with pytest.raises(ParamsError, match="not trained yet; there, run: dvc repro affect"):
        reading.chosen(None, study, 5)


def test_blendshapes_have_a_page_without_lanes(reader: Reader, meeting, tmp_path: Path) -> None:
    by_shapes = opened(ready("blendshapes"))
    summary = files.write(
        by_shapes, meeting.path, tmp_path, told="by shapes", form="parquet", film=True
    )
    assert "expressions" not in summary["people"][0]
    faces = pd.read_parquet(tmp_path / "faces.parquet")
    pd.testing.assert_frame_equal(by_shapes.table.conform(faces), faces)
    assert 'class="valence"' in (tmp_path / "index.html").read_text()
