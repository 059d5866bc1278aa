"""The page's jobs: queued, each read by a process of its own, kept for a stated time.

A video may be made to harm what reads it. So its process has limits of memory and time, and when
it dies only its job fails.
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Never

from eifer.affect.estimators import Choice
from eifer.errors import StudyError
from eifer.video.files import shown
from eifer.video.reading import ReadingSpec
from flows.pages.reading import chosen
from flows.run.supervise import supervised

ID = re.compile(r"[\w-]{22}", re.ASCII)
CARD, VIDEO, OUT, PICTURE = "job.json", "video", "out", "picture.json"
"""In a job's folder: what it is, the upload, what was read, and what the page shows of that."""
TICK_S = 1.0
SILENT_S = 300.0
"""A process that says nothing for so long hangs: it speaks at every frame that it looks at."""
SLOWEST_DISK = 20e6
"""Bytes a second that a disk reads at least."""
WORK = "EIFER_PAGE_JOB"
"""Tells a job's process, in its environment, what to read."""
SAID: dict[str, type | tuple[type, ...]] = {
    "doing": str,
    "error": str,
    "time_s": (int, float),
    "duration_s": (int, float),
}
"""What a job's process may say."""
LONGEST_LINE = 1 << 16
SLOWNESS, START_S = 100, 600
"""How many times the longest video's duration a process may take, and how much to open it. With
its film, a 4K video took 15 times its duration on two busy processors, at 10 frames a second."""
LONGEST_NAME = 200

State = Literal["waiting", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class Settings:
    """What the page takes, how it reads, and how long it keeps.

    Parameters
    ----------
    estimator, params, per_second
        As `eifer estimate` takes them.
    most_bytes, max_minutes
        Of a video: the first of an upload only.
    keep_hours
        When a job is deleted, after its end.
    allow
        Folders of this machine, as they really lie, in which videos may be named.
    """

    estimator: str | None = None
    params: str | None = None
    per_second: float = 10.0
    max_minutes: float = 60.0
    keep_hours: float = 24.0
    most_bytes: int = 4 * 10**9
    allow: Sequence[str] = ()

    def chosen(self) -> tuple[Choice, ReadingSpec]:
        """The estimator, and how a video is looked at; raises as `flows.pages.reading.chosen`."""
        return chosen(self.estimator, Path(self.params) if self.params else None, self.per_second)


@dataclass(frozen=True)
class Job:
    """One video on its way; ``video`` is where it lies if it was named, and empty if uploaded.

    ``given`` and ``ended`` are in s since 1970.
    """

    id: str
    name: str
    given: float
    video: str = ""
    state: State = "waiting"
    doing: str = ""
    time_s: float = 0.0
    duration_s: float = 0.0
    error: str = ""
    ended: float | None = None


class NoJobError(StudyError):
    """A job that is not there, or not any more."""


class Jobs:
    """All jobs in ``folder``; of those that wait one is read at a time.

    Those of an earlier page in the same folder are there again, and what it did not finish is read
    on from where it stopped.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings, self.stopping = folder, settings, False
        self._jobs: dict[str, Job] = {}
        self._running: tuple[str, subprocess.Popen[str]] | None = None
        self._wake = threading.Condition(threading.RLock())
        self._thread = threading.Thread(target=self._work, name="jobs")
        for place in filter(lambda path: ID.fullmatch(path.name), folder.iterdir()):
            card = place / CARD
            if not card.is_file():
                continue  # not ours
            if not card.stat().st_size:
                # An upload that did not arrive, or a job that was not deleted to its end.
                self.refuse(place.name)
                continue
            try:
                job = Job(**json.loads(card.read_text(encoding="utf-8")))
                # Its id names the folder that is deleted, and its times are added up.
                if job.id != place.name or not _finite(job):
                    continue
            except (OSError, ValueError, TypeError, RecursionError):
                continue  # of another version
            again = job.state == "running"
            self._jobs[job.id] = replace(job, state="waiting") if again else job
        self._jobs = dict(sorted(self._jobs.items(), key=lambda pair: pair[1].given))

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the process that reads; its job waits for the next page in this folder."""
        with self._wake:
            self.stopping = True
            self._end_running()
            self._wake.notify()
        self._thread.join()

    def listed(self) -> list[dict[str, Any]]:
        """Every job as the page tells of it, the newest first."""
        with self._wake:
            jobs = list(self._jobs.values())
        waiting = [job.id for job in jobs if job.state == "waiting"]
        return [
            {
                "id": job.id,
                "name": job.name,
                "state": job.state,
                "doing": job.doing,
                "time_s": round(job.time_s, 1),
                "duration_s": round(job.duration_s, 1),
                "error": job.error,
                "before": waiting.index(job.id) if job.id in waiting else 0,
                "ends": job.ended and round(job.ended + 3600 * self.settings.keep_hours),
            }
            for job in reversed(jobs)
        ]

    def get(self, key: str) -> Job:
        """Give a job.

        Raises
        ------
        NoJobError
            If there is none of that id.
        """
        with self._wake:
            if key not in self._jobs:
                raise NoJobError(
                    "no such job: it was deleted, by hand or after "
                    f"{self.settings.keep_hours:g} hours; give the video again"
                )
            return self._jobs[key]

    def place(self, key: str) -> Path:
        """The folder of a job."""
        return self.folder / key

    def named(self, path: str) -> Path:
        """Where a video really lies that is named by its path, if that is in an allowed folder.

        Raises
        ------
        StudyError
            If it is not, or not there.
        """
        for folder in map(Path, self.settings.allow):
            with suppress(OSError, ValueError, RuntimeError):
                video = (folder / path).resolve(strict=True)
                if video.is_relative_to(folder) and video.is_file():
                    return video
        allowed = ", ".join(map(shown, self.settings.allow)) or "none: start it with --allow FOLDER"
        raise StudyError(f"no video at {shown(path)} in a folder that is allowed ({allowed})")

    def video(self, job: Job) -> Path:
        """The file of a job's video, as long as the page may read it.

        Raises
        ------
        StudyError
            If it is not there, or in no allowed folder (any more).
        """
        return self.named(job.video) if job.video else self.place(job.id) / VIDEO

    def arriving(self) -> tuple[str, Path]:
        """The id of a job that is about to be, and the file of its upload."""
        key = secrets.token_urlsafe(16)
        self.place(key).mkdir(mode=0o700)
        (self.place(key) / CARD).touch()
        return key, self.place(key) / VIDEO

    def refuse(self, key: str) -> None:
        """Remove what arrived of a job that is not to be."""
        shutil.rmtree(self.place(key), ignore_errors=True)

    def add(self, key: str, name: str, video: Path | None = None) -> Job:
        """Queue a video that has arrived, or lies at ``video``."""
        job = Job(key, name[-LONGEST_NAME:] or VIDEO, time.time(), str(video or ""))
        with self._wake:
            self._set(job)
            self._wake.notify()
        return job

    def cancel(self, key: str) -> None:
        """Stop reading a video, or do not begin; what was read is kept, so it can go on."""
        with self._wake:
            if self.get(key).state in ("waiting", "running"):
                self._change(key, state="cancelled", ended=time.time())
                if self._running and self._running[0] == key:
                    self._end_running()

    def go_on(self, key: str) -> None:
        """Queue a job again that was cancelled or failed."""
        with self._wake:
            if self.get(key).state in ("cancelled", "failed"):
                job = self._jobs.pop(key)
                given = time.time()
                self._set(replace(job, given=given, state="waiting", error="", ended=None))
                self._wake.notify()

    def delete(self, key: str) -> None:
        """Forget a job and remove its folder: at once, or when its process has ended."""
        with self._wake:
            self.get(key)
            del self._jobs[key]
            with suppress(OSError):
                (self.place(key) / CARD).write_text("")
            if self._running and self._running[0] == key:
                self._end_running()
            else:
                self.refuse(key)

    def forget_old(self, now: float) -> None:
        """Delete what ended longer ago than jobs are kept; ``now`` is in s since 1970."""
        with self._wake:
            for job in list(self._jobs.values()):
                if job.ended and job.ended + 3600 * self.settings.keep_hours < now:
                    self.delete(job.id)

    def _set(self, job: Job) -> None:
        self._jobs[job.id] = job
        card = self.place(job.id) / CARD
        unfinished = card.with_suffix(".partial")
        # On a full disk only the next page in this folder does not know of it.
        with suppress(OSError):
            unfinished.write_text(json.dumps(asdict(job)), encoding="utf-8")
            unfinished.replace(card)

    def _change(self, key: str, **facts: Any) -> None:
        self._set(replace(self._jobs[key], **facts))

    def _end_running(self) -> None:
        if self._running:
            self._running[1].terminate()

    def _work(self) -> None:
        while True:
            with self._wake:
                self.forget_old(time.time())
                if self.stopping:
                    return
                job = next((j for j in self._jobs.values() if j.state == "waiting"), None)
                if job is None:
                    self._wake.wait(TICK_S)
                    continue
                self._change(job.id, state="running", doing="opening", time_s=0.0)
                try:
                    self._running = job.id, self._started(job)
                except (OSError, StudyError) as error:
                    self._ended(job.id, str(error))
                    continue
            why = self._followed(*self._running)
            with self._wake:
                self._running = None
                self._ended(job.id, why)

    def _started(self, job: Job) -> subprocess.Popen[str]:
        # -P: not the code of whatever folder this is.
        words = [sys.executable, "-P", "-m", "flows.servers.page.child"]
        # Not on the command line, which every account of the machine can see.
        work = json.dumps([str(self.video(job)), job.name, asdict(self.settings)])
        place = self.place(job.id)
        with (place / "log").open("w") as log:
            return supervised(words, cwd=place, env=os.environ | {WORK: work}, errors=log)

    def _followed(self, key: str, process: subprocess.Popen[str]) -> str:
        """Wait for the process of a job; why it failed, empty where it did not."""
        assert process.stdout is not None and process.stdin is not None
        pipe, rest, why = process.stdout.fileno(), b"", ""
        begun = spoke = time.monotonic()
        # Before its first frame the whole file is read once, without a word.
        hash_s = self._size(key) / SLOWEST_DISK
        longest_s = START_S + SLOWNESS * 60 * self.settings.max_minutes + hash_s
        while True:
            if select.select([pipe], [], [], TICK_S)[0]:
                if not (data := os.read(pipe, 1 << 16)):
                    break
                *lines, rest = (rest + data).split(b"\n")
                rest = rest[:LONGEST_LINE]
                spoke = time.monotonic()
                told = _told(lines)
                why = why or told.pop("error", "")
                with self._wake:
                    if key in self._jobs:
                        self._jobs[key] = replace(self._jobs[key], **told)
            now = time.monotonic()
            if not why and (now - spoke > SILENT_S + hash_s or now - begun > longest_s):
                why = (
                    f"reading hung, and was ended after {now - begun:.0f} s: re-encode the video "
                    "(H.264 in mp4), and give it again"
                )
                process.terminate()
            self.forget_old(time.time())
        code = process.wait()
        process.stdin.close()
        process.stdout.close()
        if code and not why:
            why = (
                f"the process that read it died (exit code {code}), from what is in the video or "
                "for want of memory: re-encode it (H.264 in mp4, smaller), and give it again"
            )
        return why

    def _size(self, key: str) -> int:
        """How large a job's video is, in bytes; 0 where it is gone."""
        with self._wake, suppress(OSError, StudyError):
            return self.video(self.get(key)).stat().st_size
        return 0

    def _ended(self, key: str, why: str) -> None:
        if key not in self._jobs:
            self.refuse(key)
        elif self._jobs[key].state == "running":
            if self.stopping:
                self._change(key, state="waiting")
            else:
                state = "failed" if why else "done"
                self._change(key, state=state, error=why, ended=time.time())


def _told(lines: Sequence[bytes]) -> dict[str, Any]:
    """The last of what a process said, if it is what it should be: the video may speak in it."""
    told: dict[str, Any] = {}
    for line in lines:
        with suppress(ValueError, RecursionError):
            said = json.loads(line, parse_constant=_no_number)
            if isinstance(said, dict) and all(
                isinstance(value, SAID.get(name, ())) for name, value in said.items()
            ):
                told = said
    return told


def _no_number(text: str) -> Never:
    """Refuse NaN and infinity, which no browser reads as JSON."""
    raise ValueError(text)


def _finite(job: Job) -> bool:
    """Whether the times of a job are times."""
    return all(math.isfinite(t) for t in (job.given, job.time_s, job.duration_s, job.ended or 0))
