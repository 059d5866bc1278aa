"""The pool: one task a video, in order, whatever the number of workers."""

from __future__ import annotations

import ctypes
import json
import math
import operator
import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from eifer.cohort.recordings import unchanged
from eifer.errors import InputError
from eifer.faces.decoding import check
from eifer.hashing import sha256_file
from flows.graph import ROOT
from stages._runtime.pool import each
from tests.watched import finish

# Tasks are functions of libraries, because a worker cannot import a test module.


def test_results_come_in_the_order_of_the_tasks_whatever_the_workers() -> None:
    tasks = [2_000_000, 10, 100_000, 1, 0, 7, 3]
    # The first task takes longest, so the order is not that of finishing.
    for workers in (1, 2):
        sums = each(sum, [range(n) for n in tasks], workers=workers, label="sums")
        assert list(sums) == [n * (n - 1) // 2 for n in tasks]


def test_no_tasks_no_results() -> None:
    assert list(each(math.sqrt, [], workers=2, label="nothing")) == []


def test_unreadable_recordings_are_reported_together_after_all_were_tried(tmp_path: Path) -> None:
    good = tmp_path / "good.mp4"
    good.write_bytes(b"film")
    work = partial(unchanged, sha256=sha256_file(good))
    tasks = [tmp_path / "first.mp4", good, tmp_path / "second.mp4", good]
    results = []
    with pytest.raises(InputError) as caught:
        for path in each(work, tasks, workers=2, label="extract"):
            results.append(path)
    assert results == [good, good]
    said = str(caught.value)
    assert said.startswith("extract: 2 problems")
    assert "first.mp4" in said and "second.mp4" in said and "study.exclude" in said


def test_unreadable_recordings_are_grouped_by_what_is_wrong(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_text("ffconcat version 1.0\nfile other.mp4\n")
    (tmp_path / "c.mp4").write_text("no video at all")
    with pytest.raises(InputError) as caught:
        list(each(check, sorted(tmp_path.iterdir()), workers=1, label="checking"))
    said = str(caught.value)
    assert said.startswith("checking: 3 problems\n  not a video in an mp4, mov, mkv, webm or avi")
    assert f"(3): {tmp_path}/a.mp4 (another kind of file), {tmp_path}/b.mp4 (another" in said
    assert said.count("Copy it again") == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_that_ends_its_process_is_named_and_the_others_are_done(workers: int) -> None:
    """As a decoder that crashes does: reading at address 0 is a segmentation fault."""
    tasks = [*(b"%d" % n for n in range(6)), 0, *(b"%d" % n for n in range(6, 12)), 0, b"12"]
    results = []
    with pytest.raises(InputError) as caught:
        for text in each(
            ctypes.string_at, tasks, workers=workers, label="extract", named="film {}".format
        ):
            results.append(text)
    assert results == [b"%d" % n for n in range(13)]
    message = str(caught.value)
    assert "ended (2): film 0 (SIGSEGV), film 0 (SIGSEGV)" in message and "study.exclude" in message


def test_what_is_lost_can_have_an_answer_of_its_own() -> None:
    """As a picture that crashes the decoder: one of a corpus of thousands."""
    tasks = iter([b"a", 0, b"b"])  # taken as they come
    found = each(ctypes.string_at, tasks, workers=2, label="affect", lost=lambda _: b"lost")
    assert list(found) == [b"a", b"lost", b"b"]


def test_how_a_process_ended_is_told() -> None:
    for ending, name in (
        (partial(signal.raise_signal, signal.SIGKILL), "SIGKILL"),
        (partial(os._exit, 3), "exit code 3"),
    ):
        with pytest.raises(InputError, match=rf"film \({name}\)[^$]*EIFER_WORKERS"):
            list(each(operator.call, [ending], workers=1, label="", named=lambda _: "film"))


def test_another_error_propagates_and_what_has_not_begun_is_left(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    folders = [tmp_path / str(n) for n in range(20)]
    with pytest.raises(FileExistsError):
        list(each(os.mkdir, folders, workers=1, label="folders"))
    assert sum(folder.exists() for folder in folders) < 10


def test_a_reader_that_stops_leaves_the_rest(tmp_path: Path) -> None:
    folders = [tmp_path / str(n) for n in range(20)]
    results = each(os.mkdir, folders, workers=1, label="folders")
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert sum(folder.exists() for folder in folders) < 10


def test_no_bar_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    list(each(math.sqrt, [1, 4, 9], workers=1, label="progress"))
    assert capfd.readouterr() == ("", "")


def test_a_worker_keeps_to_one_thread() -> None:
    assert list(each(os.getenv, ["OMP_NUM_THREADS"], workers=1, label="")) == ["1"]


STAGE = """
import numpy  # loaded in the worker before its first line, with BLAS threads of its own
from threadpoolctl import threadpool_info
from stages._runtime.pool import each

def threads(_):
    return [library["num_threads"] for library in threadpool_info()]

if __name__ == "__main__":
    print(*each(threads, [0], workers=1, label=""))
"""


def test_a_worker_keeps_libraries_that_are_loaded_already_to_one_thread(tmp_path: Path) -> None:
    script = tmp_path / "stage.py"
    script.write_text(STAGE)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "2"}
    threads = json.loads(finish([sys.executable, str(script)], tmp_path, environment).stdout)
    assert threads and set(threads) == {1}
