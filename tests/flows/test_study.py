"""The flow: the same as ``dvc repro``, in parallel, and what it does when something fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from eifer.errors import StudyError
from flows.graph import ROOT
from flows.run import lockfile
from stages._runtime.artifacts import write_table
from tests.flows.test_local import LINGER, gone, tell
from tests.flows.test_summary import scored
from tests.watched import STILL_S, heard, until, written

pytestmark = [
    pytest.mark.xdist_group("prefect"),
    pytest.mark.usefixtures("server"),
]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The final state of a flow run in this process, with short waits before another try."""
    from flows.run import study as flow

    monkeypatch.setattr(flow, "RETRY_DELAYS_S", [0.1])

    def one(study: Path, **parameters: object) -> Any:
        return flow.study(folder=str(study), **parameters, return_state=True)

    return one


def change(study: Path, old: str, new: str) -> None:
    params = study / "params.yaml"
    assert old in params.read_text()
    params.write_text(params.read_text().replace(old, new))


def made(study: Path) -> set[str]:
    return {path.parent.relative_to(study / "data").as_posix() for path in study.rglob("made")}


def task_runs(state: Any) -> dict[str, Any]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.sorting import TaskRunSort

    wanted = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
    found: list[Any] = []

    def final() -> bool:
        found[:] = client.read_task_runs(
            flow_run_filter=wanted, limit=100, sort=TaskRunSort.NAME_ASC
        )
        return all(one.state and one.state.is_final() for one in found)

    with get_client(sync_client=True) as client:
        until(final)  # the server writes them down a moment later
    return {one.name: one for one in found}


def test_parallel_equals_serial(
    fresh: Path, finished: Path, run: Callable[..., Any], dvc: Callable[..., str]
) -> None:
    before = set(threading.enumerate())
    # Both estimates wait for each other: they must run at the same time.
    for mine, other in ((1, 2), (2, 1)):
        tell(
            fresh,
            f"estimate_wave-{mine}",
            f"pathlib.Path('here-{mine}').touch()\n"
            f"while not pathlib.Path('here-{other}').exists(): time.sleep(.05)",
        )
    state = run(fresh, at_once=4)
    assert state.is_completed(), state.message
    assert (fresh / "dvc.lock").read_bytes() == (finished / "dvc.lock").read_bytes()
    assert dvc(fresh, "status", "--json").strip() == "{}"
    runs = task_runs(state)
    assert set(runs) == {
        *("intake", "affect", "extract@1", "extract@2", "estimate@1", "estimate@2", "split"),
    }
    assert not any(run.tags for run in runs.values())  # docs/negative-results.md
    assert {up.id for up in runs["estimate@2"].task_inputs["wait_for"]} == {
        runs["extract@2"].id,
        runs["affect"].id,
    }
    left = {one for one in threading.enumerate() if "ConcurrencySlot" in one.name} - before
    for one in left:
        one.join(STILL_S)  # a drained one may still be leaving
    # A second walk starts no process at all.
    again = task_runs(run(fresh))
    assert {one.state.name for one in again.values()} == {"Unchanged"}


def test_a_failed_check_stops_all_or_only_what_needs_it(
    finished: Path, run: Callable[..., Any]
) -> None:
    change(finished, "least: 1", "least: 2")
    tell(finished, "extract_wave-1", "sys.exit('extract: no face in 3 videos')")
    state = run(finished, at_once=1)
    assert state.is_failed()
    assert "extract@1: extract: no face in 3 videos" in state.message
    assert "not tried: extract@2, estimate@1, estimate@2, split" in state.message
    assert task_runs(state)["extract@1"].run_count == 1
    assert "extract/wave-2" in made(finished)

    state = run(finished, at_once=1, keep_going=True)
    assert state.is_failed()
    assert "4 of 7 instances are up to date" in state.message
    assert "not tried: estimate@1, split" in state.message


@pytest.mark.parametrize("where", ["executor", "lock", "mirror", "results", "server"])
def test_what_goes_wrong_at_the_end_does_not_hide_what_failed_before(
    finished: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    from flows.run import study as flow

    error = httpx.ConnectError("gone") if where == "server" else StudyError("the store is gone")

    def fail(*_: object) -> None:
        raise error

    owner, name = {
        "executor": (flow.LocalExecutor, "collect"),
        "lock": (flow.lockfile, "order"),
        "mirror": (flow.Mirroring, "finish"),
        "results": (flow, "_show_results"),
        "server": (flow.Mirroring, "finish"),
    }[where]
    monkeypatch.setattr(owner, name, fail)
    change(finished, "top: 2", "top: 3")
    tell(finished, "split", "sys.exit('split: 3 of 7 do not add up')")

    state = run(finished)

    assert state.is_failed()
    assert "split: split: 3 of 7 do not add up" in state.message
    assert (flow.GONE if where == "server" else "the store is gone") in state.message
    if where == "executor":  # nor is it passed over where nothing else failed
        tell(finished, "split", "")
        state = run(finished)
        assert state.is_failed()
        assert "7 of 7 instances are up to date\nthen: the store is gone" in state.message


@pytest.mark.parametrize("how", ["other", "broken"])
def test_a_spoilt_listing_in_the_cache_is_mended_once(
    finished: Path, run: Callable[..., Any], dvc: Callable[..., str], how: str
) -> None:
    """DVC itself makes the folder again in every run, and never mends it."""
    (out,) = lockfile.outs(finished, "extract@1")
    listing = finished / ".dvc/cache/files/md5" / out["md5"][:2] / out["md5"][2:]
    right = listing.read_text()
    spoilt = right.replace('"made"', '"mate"') if how == "other" else right[:-1] + "?"
    assert len(spoilt) == len(right) and spoilt != right
    listing.chmod(0o644)
    listing.write_text(spoilt)
    listing.chmod(0o444)
    tell(finished, "extract_wave-1", "open('ran', 'a').write('.')")

    state = run(finished)

    assert state.is_completed(), state.message
    assert listing.read_text() == right
    assert dvc(finished, "status", "--json").strip() == "{}"
    assert {one.state.name for one in task_runs(run(finished)).values()} == {"Unchanged"}
    assert not (finished / "ran").exists() or (finished / "ran").read_text() == "."


def test_a_killed_stage_is_tried_again(finished: Path, run: Callable[..., Any]) -> None:
    change(finished, "top: 2", "top: 3")
    once = "if not pathlib.Path('tried').exists():\n    pathlib.Path('tried').touch()\n"
    tell(finished, "split", f"{once}    os.kill(os.getpid(), signal.SIGKILL)")
    state = run(finished, only=["split"])
    assert state.is_completed(), state.message
    assert task_runs(state)["split"].run_count == 2

    change(finished, "top: 3", "top: 4")
    tell(finished, "split", "os.kill(os.getpid(), signal.SIGKILL)")
    state = run(finished, only=["split"])
    assert state.is_failed()
    assert "split: killed by signal 9" in state.message


def eifer(study: Path, *words: str, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("eifer")), *words],
        cwd=study,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **more,
    )


def test_a_killed_flow_leaves_nothing_and_the_next_one_finishes(
    finished: Path, run: Callable[..., Any], client: Any, dvc: Callable[..., str]
) -> None:
    change(finished, "top: 2", "top: 3")
    tell(finished, "split", LINGER)
    flow = eifer(finished, "run", "--only", "split")
    pid = int(written(finished / "pid", flow.pid))
    (record,) = (finished / "runs/flow/runs").glob("*.json")
    second = run(finished)
    assert second.is_failed()
    assert "another flow is running" in second.message
    flow.kill()
    flow.communicate()
    assert gone(pid)

    (finished / "dvc.lock").write_text("schema: '2.0'\nstages:\n  in")  # as a kill may leave it
    tell(finished, "split", "")
    died = client.read_flow_run(record.stem).state
    assert died.is_running()
    died.state_details.flow_run_id = record.stem
    state = run(finished)
    assert state.is_completed(), state.message
    assert client.read_flow_run(record.stem).state.is_crashed()
    assert task_runs(died)["split"].state.is_crashed()
    assert not list((finished / "runs/flow/runs").glob("*.json"))
    assert dvc(finished, "status", "--json").strip() == "{}"


def test_a_cancelled_flow_takes_its_stages_along(finished: Path) -> None:
    change(finished, "top: 2", "top: 3")
    tell(finished, "split", LINGER)
    flow = eifer(finished, "run", "--only", "split")
    pid = int(written(finished / "pid", flow.pid))
    flow.terminate()
    told = heard(flow)
    assert flow.returncode == 128 + signal.SIGTERM, told
    assert "run it again to go on" in told
    assert gone(pid)


def test_a_run_cancelled_in_prefect_takes_its_stages_along(
    finished: Path, run: Callable[..., Any], client: Any
) -> None:
    from prefect.client.schemas.objects import State, StateType

    change(finished, "top: 2", "top: 3")
    tell(finished, "split", LINGER)
    pids = []

    def cancel() -> None:
        pids.append(int(written(finished / "pid")))
        (record,) = (finished / "runs/flow/runs").glob("*.json")
        client.set_flow_run_state(record.stem, State(type=StateType.CANCELLING))

    threading.Thread(target=cancel, daemon=True).start()
    state = run(finished)
    assert state.is_cancelled(), state
    assert "cancelled in Prefect" in state.message
    assert gone(*pids)
    tell(finished, "split", "")
    assert run(finished).is_completed()


def test_a_wait_before_another_try_ends_with_the_flow(
    finished: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.run import study as flow

    delay_s = 36000.5  # nobody else waits for just so long
    monkeypatch.setattr(flow, "RETRY_DELAYS_S", [delay_s])
    change(finished, "top: 2", "top: 3")
    tell(finished, "split", "os.kill(os.getpid(), signal.SIGKILL)")
    waiting = threading.Event()
    wait = threading.Event.wait
    woken = []

    def told(event: threading.Event, timeout: float | None = None) -> bool:
        if timeout != delay_s:
            return wait(event, timeout)
        waiting.set()
        woken.append(wait(event, timeout))
        return woken[-1]

    monkeypatch.setattr(threading.Event, "wait", told)

    def interrupt() -> None:
        wait(waiting)
        os.kill(os.getpid(), signal.SIGINT)

    # A shell's background job ignores SIGINT, and hands that on.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run(finished, only=["split"])
    signal.signal(signal.SIGINT, former)
    assert woken == [True]  # by the flow's end, and not because its time was over


def test_a_dry_run_says_what_would_run_and_why(finished: Path) -> None:
    change(finished, "least: 1", "least: 2")
    told, _ = eifer(finished, "run", "--dry-run", "--to", "extract").communicate()
    assert told == (
        "extract@1  least in params.yaml changed\n"
        "extract@2  least in params.yaml changed\n"
        "2 of 3 instances to run\n"
    )
    told, _ = eifer(finished, "run", "--dry-run", "--only", "split").communicate()
    assert told == ("0 of 1 instances to run; left out, although changed: extract@1, extract@2\n")
    told, _ = eifer(finished, "run", "--dry-run").communicate()
    assert told.endswith(
        "split       after estimate@1, estimate@2\n"
        "2 of 7 instances to run, 3 more if what they read comes out different\n"
    )
    for folder, words, said in (
        (finished, ["--only", "extrat"], "did you mean 'extract'?"),
        (finished / "data", [], "is no study"),
    ):
        wrong = eifer(folder, "run", *words)
        assert said in wrong.communicate()[0]
        assert wrong.returncode == 1
        assert not (folder / "runs").exists()


def test_the_time_left_is_told_once_enough_ran() -> None:
    from flows.run.study import time_left

    assert time_left(4, 28, 60) == ""
    assert time_left(7, 28, 120) == ", about 6 min left"
    assert time_left(27, 28, 300) == ", about 1 min left"


def test_data_that_changed_since_dvc_add_is_recorded_as_by_dvc_repro(
    finished: Path, run: Callable[..., Any], dvc: Callable[..., str]
) -> None:
    graph, raw = finished / "dvc.yaml", finished / "raw"
    step = "python step.py data/affect"
    graph.write_text(graph.read_text().replace(f"{step}\n", f"{step} raw\n    deps: [raw]\n"))
    raw.write_text("before")
    dvc(finished, "add", "raw", "--quiet")
    raw.unlink()
    raw.write_text("after")
    told, _ = eifer(finished, "run", "--dry-run", "--to", "affect").communicate()
    assert "raw changed: recorded in raw.dvc first\naffect  changed command; raw changed" in told
    assert run(finished).is_completed()
    assert dvc(finished, "status", "--json").strip() == "{}"


SHOWN = """stages:
  intake:
    cmd: python step.py data/intake
    outs: [data/intake]
  evaluate:
    cmd: mkdir -p data/evaluate/assignment-ei && cp summary.parquet data/evaluate/assignment-ei
    deps: [summary.parquet]
    outs: [data/evaluate/assignment-ei]
  report:
    cmd: mkdir -p data/report && echo "<html>" > data/report/index.html
    deps: [data/evaluate]
    outs: [data/report]
"""


def test_progress_tables_and_report_are_artifacts_of_the_run_that_made_them(
    fresh: Path, run: Callable[..., Any], client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (fresh / "dvc.yaml").write_text(SHOWN)
    write_table(fresh / "summary.parquet", scored([("arousal", "baseline")]))

    def shown(state: Any) -> dict[str, Any]:
        mine = ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
        found = client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=mine))
        return {one.key: one.data for one in found}

    told = shown(run(fresh))
    assert set(told) == {"progress", "table-2", "table-3", "report"}
    assert told["progress"] == 100
    assert "0.8123 (0.0456)" in told["table-2"]
    assert (fresh / "data/report/index.html").as_uri() in told["report"]
    # What lies there from before may be of other params: it is not shown as this run's.
    assert set(shown(run(fresh, only=["intake"]))) == {"progress"}


def test_make_run_is_eifer_run() -> None:
    plan = subprocess.run(
        ["make", "--dry-run", "run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "eifer run" in plan.stdout
