"""The page's server: who may ask it, what it takes, jobs that are read, die, hang and end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from httpx import Client
from starlette.testclient import TestClient

from eifer.errors import StudyError
from flows.run.supervise import supervised
from flows.servers import page
from flows.servers.page import jobs as queue
from flows.servers.page.app import EVERY_S, POLICY, application
from flows.servers.page.child import _Teller
from flows.servers.page.jobs import Job, Jobs, NoJobError, Settings
from tests.flows.made import filmed, page_served
from tests.flows.test_local import gone
from tests.watched import STILL_S, ended, finish, until, written

HOST, KEY = "127.0.0.1:8765", "known"
ASKS = {"x-eifer": "page"}


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    folder = tmp_path / "allowed"
    folder.mkdir()
    (folder / "talk.mp4").write_bytes(b"film")
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    (folder / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    (folder / "inside.mp4").symlink_to(folder / "talk.mp4")
    return folder


@pytest.fixture
def waiting(tmp_path: Path, allowed: Path) -> Jobs:
    """Jobs that nobody reads."""
    (tmp_path / "jobs").mkdir()
    return Jobs(tmp_path / "jobs", Settings(allow=[str(allowed)], most_bytes=1000))


@pytest.fixture
def asked(waiting: Jobs) -> TestClient:
    """Who has the key, and asks as the page does."""
    app = application(waiting, key=KEY, host=HOST)
    client = TestClient(app, base_url=f"http://{HOST}", headers=ASKS, follow_redirects=False)
    assert client.get("/", params={"key": KEY}).status_code == 303
    return client


def put(client: TestClient, name: str, content: bytes = b"film") -> str:
    told = client.put("/api/jobs", params={"name": name}, content=content)
    assert told.status_code == 201, told.text
    return told.json()["id"]


def test_the_page_is_closed_to_all_but_its_owner(asked: TestClient, waiting: Jobs) -> None:
    assert asked.get("/").status_code == 200
    assert asked.get("/", headers={"host": "evil.example:8765"}).status_code == 421
    assert asked.get("/", headers={"host": "localhost:8765"}).status_code == 421
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9999", f"https://{HOST}"):
        refused = asked.put("/api/jobs", content=b"film", headers={"origin": origin})
        assert refused.status_code == 403
    assert asked.put("/api/jobs", content=b"x", headers={"origin": f"http://{HOST}"}).is_success
    bare = TestClient(asked.app, base_url=f"http://{HOST}", follow_redirects=False)
    for address in ("/", "/page.js", "/api/events", "/api/about", "/?key=wrong", "/?key="):
        assert bare.get(address).status_code == 401, address
    assert bare.get("/", headers={"cookie": "eifer-8765=wrong"}).status_code == 401
    assert len(waiting.listed()) == 1


def test_what_changes_something_needs_a_header_that_forms_cannot_send(
    asked: TestClient, waiting: Jobs
) -> None:
    key = put(asked, "talk.mp4")
    del asked.headers["x-eifer"]
    assert asked.put("/api/jobs", content=b"film").status_code == 403
    assert asked.post("/api/jobs", json={"path": "talk.mp4"}).status_code == 403
    assert asked.post(f"/api/jobs/{key}/cancel").status_code == 403
    assert asked.delete(f"/api/jobs/{key}").status_code == 403
    assert [job["state"] for job in waiting.listed()] == ["waiting"]


def test_every_answer_is_closed_to_other_hosts(asked: TestClient) -> None:
    for address in ("/", "/page.js", "/api/about", "/jobs/none", "/api/jobs/none/video", "/none"):
        headers = asked.get(address).headers
        assert headers["content-security-policy"] == POLICY and "http" not in POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
    cookie = asked.get("/", params={"key": KEY}).headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    for name in ("page.html", "page.css", "page.js"):
        text = (Path(page.__file__).parent / name).read_text()
        assert "innerHTML" not in text and "eval(" not in text
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize(
    "path",
    [
        *("../secret.mp4", "link.mp4", "/etc/passwd", "talk.mp4/../../secret.mp4", "none.mp4"),
        *(".", "", "\0", "x" * 5000, "~/x", 7, None, ["talk.mp4"]),
    ],
)
def test_no_path_leaves_the_allowed_folder(asked: TestClient, waiting: Jobs, path: object) -> None:
    refused = asked.post("/api/jobs", json={"path": path})
    assert refused.status_code == 400 and "allowed" in refused.json()["error"]
    assert "secret" not in refused.json()["error"] or "secret" in str(path)
    assert waiting.listed() == [] and not list(waiting.folder.iterdir())


def test_a_path_in_the_allowed_folder_is_read_where_it_lies(
    asked: TestClient, waiting: Jobs, allowed: Path
) -> None:
    for path in ("talk.mp4", str(allowed / "talk.mp4"), "inside.mp4"):
        key = asked.post("/api/jobs", json={"path": path}).json()["id"]
        assert asked.get(f"/api/jobs/{key}/video").content == b"film"
    # What is put in its place later is not followed.
    (allowed / "talk.mp4").unlink()
    (allowed / "talk.mp4").symlink_to(allowed.parent / "secret.mp4")
    assert asked.get(f"/api/jobs/{key}/video").status_code == 400
    with pytest.raises(StudyError, match="in a folder that is allowed"):
        waiting._started(waiting.get(key))


@pytest.mark.parametrize(
    "name", ["%2e%2e", "..%2f..%2fsecret.mp4", "%2e%2e%2fjob.json", "job.json", "video", "page.py"]
)
def test_no_address_reaches_another_file(asked: TestClient, waiting: Jobs, name: str) -> None:
    key = put(asked, "talk.mp4")
    waiting._change(key, state="done")
    for address in (f"/{name}", f"/api/jobs/{name}/video", f"/api/jobs/{key}/files/{name}"):
        assert asked.get(address).status_code == 404


def test_a_name_is_one_line_of_text_and_no_path(asked: TestClient, waiting: Jobs) -> None:
    names = {
        "<img src=x onerror=alert(1)>.mp4": "<img src=x onerror=alert(1)>.mp4",
        "../../etc/passwd": "passwd",
        "C:\\films\\a b.mov": "a b.mov",
        "a\nb\0\x1b[31m\u202egpj.mp4": "ab[31mgpj.mp4",
        "": "video",
        "..": "..",
        "x" * 5000: "x" * queue.LONGEST_NAME,
    }
    for given, shown in names.items():
        key = put(asked, given)
        assert waiting.get(key).name == shown
        assert sorted(path.name for path in waiting.place(key).iterdir()) == ["job.json", "video"]
    for job in waiting.listed():
        waiting._change(job["id"], state="done")
        out = waiting.place(job["id"]) / queue.OUT
        out.mkdir()
        (out / "faces.csv").write_text("x")
        sent = asked.get(f"/api/jobs/{job['id']}/files/faces.csv").headers
        assert sent["content-disposition"].startswith("attachment; ")
        assert sent["content-type"].startswith("text/csv") and "\n" not in str(sent)


def test_files_that_are_gone_are_told_of(asked: TestClient, waiting: Jobs) -> None:
    key = put(asked, "talk.mp4")
    (waiting.place(key) / queue.VIDEO).unlink()
    waiting._set(replace(waiting.get(key), state="done"))
    for address in ("video", "picture", "files/faces.csv"):
        gone = asked.get(f"/api/jobs/{key}/{address}")
        assert gone.status_code == 404 and "delete this job" in gone.json()["error"]


@pytest.mark.parametrize("body", ['{"path": "\\ud800"}', "[" * 100_000])
def test_a_path_that_is_none_is_refused(asked: TestClient, body: str) -> None:
    refused = asked.post("/api/jobs", content=body)
    assert refused.status_code == 400 and "name a video" in refused.json()["error"]


def test_an_upload_has_a_size(asked: TestClient, waiting: Jobs) -> None:
    def pieces() -> Iterator[bytes]:
        """Sent without a length."""
        yield from [b"x" * 400] * 3

    for content in (b"x" * 1001, pieces()):
        refused = asked.put("/api/jobs", params={"name": "talk.mp4"}, content=content)
        assert refused.status_code == 413 and "--max-gb" in refused.json()["error"]
    refused = asked.put("/api/jobs", params={"name": "talk.mp4"}, content=b"")
    assert refused.status_code == 400 and "empty" in refused.json()["error"]
    assert not list(waiting.folder.iterdir())
    put(asked, "talk.mp4", b"x" * 1000)


def test_a_full_disk_is_told(asked: TestClient, waiting: Jobs, monkeypatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(waiting, "arriving", full)
    refused = asked.put("/api/jobs", params={"name": "talk.mp4"}, content=b"film")
    assert refused.status_code == 507 and "No space left on device: make room" in refused.text


def test_a_video_is_sent_in_ranges(asked: TestClient) -> None:
    key = put(asked, "talk.webm", bytes(range(200)))
    part = asked.get(f"/api/jobs/{key}/video", headers={"range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == bytes(range(10, 20))
    assert part.headers["content-range"] == "bytes 10-19/200"
    assert part.headers["content-type"] == "video/webm"


def test_jobs_are_deleted_after_their_time(asked: TestClient, waiting: Jobs) -> None:
    kept, old, fresh = (put(asked, f"{k}.mp4") for k in range(3))
    now = time.time()
    waiting._change(old, state="done", ended=now - 3600 * 24 - 1)
    waiting._change(fresh, state="failed", ended=now - 3600 * 23)
    waiting.forget_old(now)
    assert {job["id"] for job in waiting.listed()} == {kept, fresh}
    assert not waiting.place(old).exists() and waiting.place(fresh).exists()
    gone = asked.get(f"/api/jobs/{old}/video")
    assert gone.status_code == 404 and "after 24 hours" in gone.json()["error"]
    assert asked.get(f"/jobs/{old}").status_code == 404
    assert asked.delete(f"/api/jobs/{kept}").status_code == 204
    assert not waiting.place(kept).exists()


def test_events_tell_of_changes_until_the_end(asked: TestClient, waiting: Jobs) -> None:
    key = put(asked, "talk.mp4")

    def change() -> None:
        for state in ("running", "done"):
            time.sleep(4 * EVERY_S)
            waiting._change(key, state=state)
        time.sleep(4 * EVERY_S)
        waiting.stopping = True

    thread = threading.Thread(target=change)
    thread.start()
    events = asked.get("/api/events")
    thread.join()
    assert events.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in events.text.split("\n\n") if line]
    states = [json.loads(line)[0]["state"] for line in lines]
    assert states == ["waiting", "running", "done"]


# ---- Jobs that are read, by commands that stand for the process.


def told(**facts: object) -> str:
    return f"print({json.dumps(json.dumps(facts))}, flush=True)"


def comes(jobs: Jobs, key: str, *states: str) -> Job:
    until(lambda: jobs.get(key).state in states)
    return jobs.get(key)


@pytest.fixture
def reading(
    waiting: Jobs, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Jobs, dict[str, str]]]:
    """Jobs at work: the process of a video runs the code that its name stands for."""
    codes: dict[str, str] = {}

    def started(job: Job) -> object:
        words = [sys.executable, "-c", f"import os, sys, time\n{codes[job.name]}"]
        return supervised(words, cwd=waiting.place(job.id), env=os.environ)

    monkeypatch.setattr(waiting, "_started", started)
    waiting.start()
    yield waiting, codes
    if waiting._thread.is_alive():
        waiting.stop()


def given(jobs: Jobs, name: str) -> str:
    key, video = jobs.arriving()
    video.write_bytes(b"film")
    return jobs.add(key, name).id


def test_a_killed_process_costs_its_own_job_alone(reading) -> None:
    jobs, codes = reading
    codes |= {"bad": "os.kill(os.getpid(), 9)", "good": told(doing="reading", time_s=1)}
    bad, good = given(jobs, "bad"), given(jobs, "good")
    assert comes(jobs, good, "done").time_s == 1
    failed = jobs.get(bad)
    assert failed.state == "failed" and "died (exit code 137)" in failed.error
    assert "give it again" in failed.error and failed.ended


def test_a_refusal_is_told_as_it_is(reading) -> None:
    jobs, codes = reading
    noise = "print('a video can print this'); print('[1]'); print('{\"id\": \"other\"}')"
    codes["bad"] = f"{noise}\n{told(error='bad: not a video')}\n{noise}\nsys.exit(1)"
    key = given(jobs, "bad")
    assert comes(jobs, key, "failed").error == "bad: not a video"
    codes["bad"] = told(doing="reading", time_s=2)
    jobs.go_on(key)
    job = comes(jobs, key, "done")
    assert (job.error, job.time_s, job.id) == ("", 2, key)


def test_what_a_process_may_not_say_is_not_heard(reading) -> None:
    jobs, codes = reading
    wrong = ['{"duration_s": NaN}', '{"time_s": Infinity}', '{"time_s": null}', '{"error": 1}']
    lines = "".join(f"print({line!r})\n" for line in wrong)
    codes["bad"] = f"{told(time_s=1)}\n{lines}print('[' * 100000)\nprint('x' * (1 << 20), end='')"
    job = comes(jobs, given(jobs, "bad"), "done", "failed")
    assert (job.state, job.time_s, job.error) == ("done", 1, "")
    assert "NaN" not in json.dumps(jobs.listed())


def test_no_command_line_shows_a_name(waiting: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(queue, "supervised", lambda words, **facts: started.append((words, facts)))
    key = given(waiting, "Patient A.mp4")
    waiting._started(waiting.get(key))
    ((words, facts),) = started
    assert not any("Patient" in word or key in word for word in words)
    assert json.loads(facts["env"][queue.WORK])[1] == "Patient A.mp4"


def test_a_process_that_hangs_is_ended(reading, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, codes = reading
    monkeypatch.setattr(queue, "SILENT_S", 0.5)
    monkeypatch.setattr(queue, "TICK_S", 0.1)
    codes["bad"] = "time.sleep(1000)"
    assert "reading hung" in comes(jobs, given(jobs, "bad"), "failed").error
    monkeypatch.setattr(queue, "SILENT_S", STILL_S)
    monkeypatch.setattr(queue, "START_S", 0.5)
    jobs.settings = replace(jobs.settings, max_minutes=0.0)
    codes["bad"] = f"while True:\n  {told(time_s=1)}\n  time.sleep(0.05)"
    assert "reading hung" in comes(jobs, given(jobs, "bad"), "failed").error


def test_cancel_and_delete_end_the_process(reading) -> None:
    jobs, codes = reading
    codes["long"] = "open('pid', 'w').write(str(os.getpid()))\ntime.sleep(1000)"
    first, second = given(jobs, "long"), given(jobs, "long")
    assert [job["before"] for job in jobs.listed()] in ([0, 0], [1, 0])
    for key, end in ((first, jobs.cancel), (second, jobs.delete)):
        pid = int(written(jobs.place(key) / "pid"))
        end(key)
        assert gone(pid)
    until(lambda: not jobs.place(second).exists())
    assert comes(jobs, first, "cancelled").ended
    with pytest.raises(NoJobError):
        jobs.get(second)


def test_a_stopped_page_goes_on_in_its_folder(reading) -> None:
    jobs, codes = reading
    codes["long"] = f"{told(time_s=1)}\ntime.sleep(1000)"
    key = given(jobs, "long")
    comes(jobs, key, "running")
    left, other, broken = (jobs.folder / (letter * 22) for letter in "xyz")
    for folder in (left, other, broken):
        folder.mkdir()
    (broken / queue.CARD).touch()
    (other / queue.CARD).write_text('{"unknown": 1}')
    # A card that names another folder, or times that are none, is not ours to follow.
    victim = jobs.folder.parent / "victim"
    victim.mkdir()
    foreign = {"id": "../victim", "name": "x", "given": 0, "state": "done", "ended": 1}
    for letter, card in (("f", foreign), ("g", {**foreign, "id": "g" * 22, "duration_s": None})):
        (jobs.folder / (letter * 22)).mkdir()
        (jobs.folder / (letter * 22) / queue.CARD).write_text(json.dumps(card))
    others = [given(jobs, str(k)) for k in range(5)]
    jobs.stop()
    again = Jobs(jobs.folder, jobs.settings)
    assert [(job["id"], job["state"]) for job in reversed(again.listed())] == [
        (id_, "waiting") for id_ in (key, *others)
    ]
    assert left.exists() and other.exists() and not broken.exists()
    again.forget_old(time.time())
    assert victim.exists()
    shutil.rmtree(again.place(key))
    again.delete(key)
    assert len(again.listed()) == len(others)


@pytest.fixture
def film(models: None, tmp_path: Path) -> Path:
    """Two seconds in which nothing is to be seen."""
    return filmed(tmp_path / "film.mp4", [np.zeros((48, 64, 3), np.uint8)] * 10, fps=5)


def test_the_process_refuses_what_it_cannot_read(film: Path, tmp_path: Path, waiting: Jobs) -> None:
    waiting.settings = replace(waiting.settings, max_minutes=0.02)
    waiting.start()
    long, video = waiting.arriving()
    film.rename(video)
    waiting.add(long, "long.mp4")
    text = given(waiting, "<b>notes</b>.mp4")
    try:
        why = comes(waiting, long, "failed").error
        assert why.startswith("longer than 0.02 minutes") and "--max-minutes" in why
        why = comes(waiting, text, "failed").error
        assert why.startswith("<b>notes</b>.mp4: not a video") and str(tmp_path) not in why
    finally:
        waiting.stop()


def test_the_length_is_that_of_the_frames() -> None:
    """A file may declare any."""
    seen = _Teller(duration_s=1.0, most_s=1.5)
    seen("reading", 1.5)
    with pytest.raises(StudyError, match="longer than"):
        seen("reading", 1.6)


HARD = "import resource; resource.setrlimit(resource.RLIMIT_AS, (12 << 30,) * 2)"
"""A limit of the whole machine, below that of the page."""


@pytest.mark.parametrize(
    "limit", ["", "child.MEMORY_BYTES = 1 << 20", f"{HARD}; child.MEMORY_BYTES = 1 << 60"]
)
def test_the_process_has_so_much_memory(film: Path, tmp_path: Path, limit: str) -> None:
    code = f"import sys\nfrom flows.servers.page import child\n{limit}\nsys.exit(child.main())"
    work = os.environ | {queue.WORK: json.dumps([str(film), "film.mp4", {}])}
    done = finish([sys.executable, "-c", code], tmp_path, work)
    too_little = "1 << 20" in limit
    assert bool(done.returncode) == too_little, done.stderr
    assert (tmp_path / queue.PICTURE).exists() != too_little


def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    with page._private(None) as own:
        assert stat.S_IMODE(own.stat().st_mode) == 0o700
    assert not own.exists()
    with page._private(tmp_path / "new") as own:
        assert stat.S_IMODE(own.stat().st_mode) == 0o700
        with pytest.raises(StudyError, match="another page works"), page._private(own):
            pass
    assert own.exists()
    own.chmod(0o755)
    with pytest.raises(StudyError, match="chmod 700"), page._private(own):
        pass


def test_ctrl_c_ends_it_with_its_children_and_leaves_nothing(film: Path, tmp_path: Path) -> None:
    (room := tmp_path / "room").mkdir()
    command = [sys.executable, "-m", "flows", "page", "--allow", str(tmp_path)]
    place = os.environ | {"TMPDIR": str(room)}
    with (
        page_served(command, env=place, stderr=subprocess.PIPE) as (running, address),
        Client(headers=ASKS) as client,
    ):
        client.get(address)
        base = httpx.URL(address.partition("?")[0])
        with socket.create_connection((base.host, base.port)) as broken:
            lines = ["PUT /api/jobs?name=x HTTP/1.1", f"Host: {base.host}:{base.port}"]
            lines += ["x-eifer: page", "Content-Length: 1000"]
            lines += ["Cookie: " + "; ".join(f"{k}={v}" for k, v in client.cookies.items())]
            broken.sendall("\r\n".join([*lines, "", "some"]).encode())
            until(lambda: list(room.glob("*/*/video")), running.pid)
        until(lambda: not list(room.glob("*/*/video")), running.pid)
        with client.stream("GET", base.join("/api/events")):
            assert client.post(base.join("/api/jobs"), json={"path": "film.mp4"}).is_success
            family = partial(psutil.Process(running.pid).children, recursive=True)
            until(lambda: len(family()) >= 2, running.pid)
            children = family()
            running.send_signal(signal.SIGINT)
            assert ended(running) == 0
        assert running.stderr.read() == ""
    assert not [child for child in children if child.is_running()]
    assert not list(room.iterdir())


def test_what_cannot_be_is_told_at_once(tmp_path: Path, models: None) -> None:
    with pytest.raises(StudyError, match="--allow wants folders"):
        page.run(None, None, Settings(allow=[str(tmp_path / "none")]))
    with pytest.raises(StudyError, match="no estimator 'none'"):
        page.run(None, None, Settings(estimator="none"))
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
