"""Stages on nodes: two workers with clones of their own, and what travels between them."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import psutil
import pytest

from eifer.errors import StudyError
from flows.git import git
from flows.nodes import snapshot
from flows.run import lockfile
from flows.run.executor import StageFailed
from flows.run.instances import Instance, instances
from flows.run.supervise import supervised
from tests.flows.made import commit_all, study_in
from tests.watched import LONGEST_S, STILL_S, beside, until

pytestmark = pytest.mark.xdist_group("prefect")

WORK = '''"""Note that this ran, then write what was read."""
import json, os, pathlib, sys, time
out, *given = sys.argv[1:]
started = time.time()
time.sleep(0.3)
told = pathlib.Path(os.environ["EXECUTIONS"] + ".linger")
if told.exists():
    told.rename(told.with_suffix(".here")).write_text(os.environ["EIFER_CLONES"])
    time.sleep(36000)  # until it is killed
pathlib.Path("data").mkdir(exist_ok=True)
pathlib.Path(out).write_text(out + "".join(pathlib.Path(one).read_text() for one in given))
records = pathlib.Path("runs/provenance")
records.mkdir(parents=True, exist_ok=True)
(records / (pathlib.Path(out).name + ".json")).write_text(json.dumps({"stage": out}))
with open(os.environ["EXECUTIONS"], "a") as told:
    told.write(json.dumps([out, started, time.time()]) + "\\n")
'''
GRAPH = """stages:
  make:
    matrix: {n: [1, 2]}
    cmd: python work.py data/make-${item.n} new.txt
    deps: [work.py, new.txt]
    outs: ["data/make-${item.n}"]
    meta: {gpu: true}
  join:
    cmd: python work.py data/join data/make-1 data/make-2
    deps: [work.py, data/make-1, data/make-2]
    outs: [data/join]
  wrong:
    cmd: python -c "raise SystemExit('3 of 4 rows are wrong')"
    deps: [work.py]
    outs: [data/wrong]
  full:
    cmd: python -c "import os; raise OSError(28, os.strerror(28))"
    deps: [work.py]
    outs: [data/full]
"""
SECRET = "planted-0f6e2c-secret"
PLANTED = ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Four instances; of the files they read one was changed, and one git does not know."""
    files = {"dvc.yaml": GRAPH, "work.py": "committed, but not what is to run"}
    folder = study_in(tmp_path / "study", files)
    commit_all(folder)
    (folder / "work.py").write_text(WORK)
    (folder / "new.txt").write_text("new")
    return folder


@pytest.fixture
def executions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, list]]:
    """What ran, anywhere, and when: told by the stages themselves."""
    path = tmp_path / "executions"
    monkeypatch.setenv("EXECUTIONS", str(path))

    def told() -> dict[str, list]:
        found: dict[str, list] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            name, *times = json.loads(line)
            found.setdefault(name, []).append(times)
        return found

    return told


def use_remote(study: Path, url: str) -> None:
    text = f"[core]\n    remote = store\n['remote \"store\"']\n    url = {url}\n"
    (study / ".dvc/config.local").write_text(text)


def serial(study: Path, dvc: Callable[..., str], target: str) -> str:
    """The dvc.lock of ``dvc repro`` in a copy with a cache of its own."""
    copy = shutil.copytree(study, study.with_name("serial"))
    (copy / ".dvc/config.local").unlink(missing_ok=True)
    dvc(copy, "repro", "--quiet", target)
    return (copy / "dvc.lock").read_text()


class TestSnapshot:
    def test_the_working_tree_travels_and_the_branch_stays(self, study: Path) -> None:
        use_remote(study, "/elsewhere")
        (study / "data").mkdir()
        (study / "data/large").write_text("ignored")
        before = git(study, "status", "--porcelain"), git(study, "rev-parse", "HEAD")

        commit = snapshot.take(study)

        assert snapshot.take(study) == commit
        assert (git(study, "status", "--porcelain"), git(study, "rev-parse", "HEAD")) == before
        names = git(study, "ls-tree", "-r", "--name-only", commit).split()
        assert names == [
            *(".dvc/.gitignore", ".dvc/config", ".gitignore", "dvc.yaml", "new.txt", "work.py")
        ]
        assert git(study, "show", f"{commit}:work.py") == WORK.strip()

    def test_local_settings_of_dvc_stay_at_home_even_if_git_would_take_them(
        self, study: Path
    ) -> None:
        (study / ".dvc/.gitignore").unlink()
        use_remote(study, "/elsewhere")

        names = git(study, "ls-tree", "-r", "--name-only", snapshot.take(study)).split()

        assert "dvc.yaml" in names
        assert ".dvc/config.local" not in names

    def test_a_clean_tree_is_its_own(self, study: Path) -> None:
        commit_all(study)

        assert snapshot.take(study) == git(study, "rev-parse", "HEAD")

    @pytest.mark.parametrize("through", ["itself", "another"])
    def test_a_clone_follows(self, study: Path, tmp_path: Path, through: str) -> None:
        repository = str(study)
        if through == "another":
            repository = str(tmp_path / "hub.git")
            git(tmp_path, "init", "--quiet", "--bare", repository)
        clone = tmp_path / "clone"
        first = snapshot.take(study)
        snapshot.publish(study, first, repository)
        snapshot.check_out(clone, first, repository)
        (clone / "data").mkdir()
        (clone / "data/made").write_text("expensive")
        (clone / "dvc.lock").write_text("what ran here")

        snapshot.check_out(clone, first, repository)

        assert (clone / "dvc.lock").read_text() == "what ran here"
        (study / "new.txt").unlink()
        second = snapshot.take(study)
        snapshot.publish(study, second, repository)
        snapshot.check_out(clone, second, repository)
        assert {path.name for path in clone.iterdir()} == {
            *(".git", ".dvc", ".gitignore", "dvc.yaml", "work.py", "data")
        }
        left = git(Path(repository), "for-each-ref", "--format=%(refname:short)")
        if through == "itself":  # the first is taken for one of a flow that died
            assert left.split()[0] == f"eifer/snapshots/{second}"
            assert first not in left
        for commit in (first, second):
            snapshot.withdraw(study, commit, repository)
        assert "eifer" not in git(Path(repository), "for-each-ref")


class TestTransport:
    """What a node does, without Prefect."""

    def test_results_travel_through_s3(
        self,
        study: Path,
        tmp_path: Path,
        executions: Callable[[], dict[str, list]],
        dvc: Callable[..., str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        moto = pytest.importorskip("moto.server", reason="needs moto[server]")
        pytest.importorskip("dvc_s3", reason="needs dvc-s3")
        import boto3

        server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        try:
            boto3.client("s3").create_bucket(Bucket="study")
            use_remote(study, "s3://study/store")

            executed = bring(study, tmp_path / "node", "join")
            dvc(study, "repro", "--pull", "join")
        finally:
            server.stop()

        assert executed == ["make@1", "make@2", "join"]
        assert {name: len(times) for name, times in executions().items()} == {
            **{"data/make-1": 1, "data/make-2": 1, "data/join": 1}
        }
        assert (study / "data/join").read_text() == "data/joindata/make-1newdata/make-2new"

    def test_a_shared_cache_needs_no_remote(
        self, study: Path, tmp_path: Path, executions: Callable[[], dict[str, list]]
    ) -> None:
        (study / ".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path / 'cache'}\n")

        assert bring(study, tmp_path / "a", "make@1") == ["make@1"]
        assert bring(study, tmp_path / "b", "make@1") == []
        assert list(executions()) == ["data/make-1"]

    def test_results_that_do_not_arrive_may_be_sent_again(
        self, study: Path, tmp_path: Path, executions: Callable[[], dict[str, list]]
    ) -> None:
        (tmp_path / "file").write_text("not a folder")
        use_remote(study, str(tmp_path / "file/store"))

        with pytest.raises(StageFailed, match="did not reach the DVC remote") as failed:
            bring(study, tmp_path / "a", "make@1")
        assert failed.value.retry

    def test_a_node_shows_in_mlflow_what_it_executed(
        self, study: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from flows.nodes.node import Clone, Origin

        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        said: list[str] = []
        origin = Origin(repository=str(study), snapshot="")
        nowhere = origin.model_copy(update={"tracking": "http://127.0.0.1:9"})
        with (study / "lock").open("a+") as lock:
            for where, executed in ((origin, ["make@1"]), (nowhere, []), (nowhere, ["make@1"])):
                clone = Clone(study, where, lock)
                clone.executed = executed
                clone.mirror(said.append)

        assert said == ["MLflow: 0 added, 0 there already"]


def bring(study: Path, clone: Path, address: str) -> list[str]:
    """Bring an instance up to date in a clone; what was executed for it."""
    from flows.nodes.coordinator import _store
    from flows.nodes.node import Clone, Origin

    remote, cache = _store(study)
    commit = snapshot.take(study)
    snapshot.publish(study, commit, str(study))
    clone.mkdir(exist_ok=True)
    with (clone.parent / f"{clone.name}.lock").open("a+") as lock:
        origin = Origin(repository=str(study), snapshot=commit, remote=remote, cache=cache)
        node = Clone(clone, origin, lock)
        node.bring_up_to_date()
        node.run(Instance(address, address.partition("@")[0]), print)
    return node.executed


@pytest.fixture
def prepared(client: Any, tmp_path: Path) -> None:
    """A server that has the deployments, the pools and one GPU."""
    from prefect.exceptions import ObjectNotFound

    from flows.servers.services import prepare

    try:
        client.read_deployment_by_name("stage/node")
    except ObjectNotFound:
        prepare(tmp_path, gpus=1)


@pytest.fixture
def two_workers(
    server: str,
    prepared: None,
    tmp_path: Path,
    executions: Callable[[], dict[str, list]],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[list[Path]]:
    """The folders of two workers of pool gpu, with one GPU between them and secrets around them."""
    from flows.nodes import coordinator as nodes
    from flows.servers import heartbeats

    for name in PLANTED:
        monkeypatch.setenv(name, SECRET)
    # On a busy machine all may be silent for long, and nothing has died.
    for module, patience in (
        (heartbeats, "SILENCE_S"),
        (heartbeats, "START_S"),
        (nodes, "START_S"),
    ):
        monkeypatch.setattr(module, patience, 36000)
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "gpu"]
    folders = [tmp_path / "node-1", tmp_path / "node-2"]
    workers = []
    for folder in folders:
        folder.mkdir()
        with (folder / "log").open("w") as log:
            environment = {
                **os.environ,
                **{"PREFECT_API_URL": server, "EIFER_CLONES": str(folder / "clones")},
                **{"PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_LOGGING_LEVEL": "INFO"},
            }
            name = ["--type", "process", "--limit", "1", "--name", folder.name]
            workers.append(supervised([*command, *name], cwd=folder, env=environment, to=log))
    yield folders
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.wait(STILL_S)


def keep_busy(monkeypatch: pytest.MonkeyPatch, *refusals: Exception) -> None:
    """Have Prefect's server answer as while SQLite is busy: the first requests for a GPU, and then
    each one that gives a GPU back, are refused; behind it stands the real server.
    """
    from prefect.concurrency import _sync
    from prefect.concurrency.services import ConcurrencySlotAcquisitionWithLeaseService as Ask

    asked, given_back = Ask.acquire, _sync.arelease_concurrency_slots_with_lease
    left = [*refusals]

    async def acquire(service: Ask, *what: Any) -> httpx.Response:
        if left:
            raise left.pop(0)
        return await asked(service, *what)

    async def release(lease: UUID) -> None:
        await given_back(lease)
        raise refused(503)

    monkeypatch.setattr(Ask, "acquire", acquire)
    monkeypatch.setattr(_sync, "arelease_concurrency_slots_with_lease", release)


def refused(status: int) -> Exception:
    request = httpx.Request("POST", "http://prefect/increment")
    response = httpx.Response(status, request=request)
    return httpx.HTTPStatusError(str(status), request=request, response=response)


def test_a_node_waits_on_while_the_server_is_too_busy_to_give_a_gpu(
    prepared: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.nodes.node import one_gpu

    keep_busy(monkeypatch, refused(503), refused(503))
    said: list[str] = []
    for _ in range(2):  # it was given back, though the server's answer was lost
        with one_gpu(said.append):
            said.append("trained")

    busy = "WARNING: Prefect's server is too busy to give a GPU; asking again"
    assert said == [busy, busy, "trained", "trained"]


def test_the_server_refuses_nobody_who_asks_while_others_write(server: str) -> None:
    """Three nodes wait for a GPU while the logs of others come in."""
    from prefect.settings import PREFECT_API_AUTH_STRING

    user, password = PREFECT_API_AUTH_STRING.value().split(":")
    limit = {"name": f"gpu-{uuid4()}", "limit": 1}
    gpu = {"names": [limit["name"]], "slots": 1, "mode": "concurrency", "lease_duration": 90}
    line = {"name": "a", "level": 20, "message": "b", "timestamp": "2026-01-01T00:00:00Z"}

    def post(path: str, body: Any, times: int = 1) -> set[int]:
        with httpx.Client(base_url=server, auth=(user, password), timeout=LONGEST_S) as client:
            return {client.post(path, json=body).status_code for _ in range(times)}

    assert post("/v2/concurrency_limits/", limit) == {201}
    ask = "/v2/concurrency_limits/increment-with-lease"
    assert post(ask, gpu) == {200}
    asked = [beside(post, ask, gpu, 20) for _ in range(3)]
    wrote = [beside(post, "/logs/", [line] * 5, 200) for _ in range(2)]

    assert [one.result(LONGEST_S) for one in wrote] == [{201}] * 2
    assert [one.result(LONGEST_S) for one in asked] == [{423}] * 3  # taken: ask again


def test_a_server_that_fails_is_asked_by_another_try_and_a_missing_limit_is_said(
    prepared: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError

    from flows.nodes import node

    monkeypatch.setattr(node, "get_run_logger", logging.getLogger)
    origin = node.Origin(repository=str(tmp_path), snapshot="")
    keep_busy(monkeypatch, refused(500), httpx.ConnectError("no route"))
    for why in ("500", "no route"):
        state = node.stage.fn("make@1", origin, gpu=True)
        assert state.name == node.INTERRUPTED
        assert why in state.message
    monkeypatch.setattr(node, "GPU", "none-such")
    with pytest.raises(ConcurrencySlotAcquisitionError, match="must be created"):
        node.stage.fn("make@1", origin, gpu=True)


def test_two_nodes_make_the_lock_of_a_serial_run(
    study: Path,
    two_workers: list[Path],
    executions: Callable[[], dict[str, list]],
    dvc: Callable[..., str],
    tmp_path: Path,
) -> None:
    from flows.nodes.coordinator import NodesExecutor
    from flows.nodes.node import one_gpu

    use_remote(study, str(tmp_path / "store"))
    alone = serial(study, dvc, "join")
    (tmp_path / "executions").unlink()
    found = instances(study)
    executor = NodesExecutor(study)
    said: dict[str, list[str]] = {address: [] for address in found}

    def tried(address: str) -> None:
        """As the flow does: Prefect's server says now and then that SQLite is busy."""
        for last in (False, False, False, True):
            try:
                return executor.run(found[address], said[address].append)
            except StageFailed as failure:
                if last or not failure.retry:
                    raise
        return None

    def start(address: str) -> Future[None]:
        return beside(tried, address)

    with one_gpu(print):
        made = [start("make@1"), start("make@2")]
        until(lambda: all("Running" in "".join(said[f"make@{n}"]) for n in (1, 2)), works=made)
        time.sleep(2)
        # Both nodes wait for the GPU, and have not even begun.
        assert [list(node.glob("clones/*")) for node in two_workers] == [[], []]
    for one in made:
        one.result(LONGEST_S)
    start("join").result(LONGEST_S)
    # Its process may die before it collects: the next one finds what the nodes have done.
    records = study / "runs/provenance"
    shutil.rmtree(records)
    executor = NodesExecutor(study)
    for address in ("make@1", "make@2", "join"):
        executor.run(found[address], said[address].append)
    executor.stop()
    executor.collect(said["join"].append)
    lockfile.order(study, list(found))

    assert (study / "dvc.lock").read_text() == alone
    assert (study / "data/join").read_text() == "data/joindata/make-1newdata/make-2new"
    ran = executions()
    assert {name: len(times) for name, times in ran.items()} == {
        **{"data/make-1": 1, "data/make-2": 1, "data/join": 1}
    }
    assert said["join"][-1] == "collected 3 instances: 0 executed here"
    (first, second) = sorted(ran[name][0] for name in ("data/make-1", "data/make-2"))
    assert first[1] <= second[0]  # one GPU: not both at once
    for node in two_workers:
        assert list(node.glob("clones/*/.dvc/config.local"))
    assert {path.name for path in records.glob("*")} == {
        *("make-1.json", "make-2.json", "join.json")
    }
    seen = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert two_workers[0] / "log" in seen
    assert [path for path in seen if SECRET.encode() in path.read_bytes()] == []


def test_what_a_killed_node_ran_is_run_by_another(
    study: Path,
    two_workers: list[Path],
    executions: Callable[[], dict[str, list]],
    dvc: Callable[..., str],
    client: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole of it; but for the server's 90 s of waiting for a heartbeat."""
    from prefect.states import Crashed

    from flows.run import study as flow

    monkeypatch.setattr(flow, "RETRY_DELAYS_S", [0.1])
    graph = study / "dvc.yaml"  # whose GPU would be free again only after 90 s
    graph.write_text(graph.read_text().replace("meta: {gpu: true}", ""))
    use_remote(study, str(tmp_path / "store"))
    alone = serial(study, dvc, "make@1")
    (tmp_path / "executions").unlink()
    (tmp_path / "executions.linger").touch()
    here = tmp_path / "executions.here"

    def kill() -> None:
        until(lambda: here.exists() and here.read_text() != "")
        node = [p for p in psutil.process_iter() if of_node(p, here.read_text())]
        assert any("work.py" in process.cmdline() for process in node)
        for process in node:
            process.suspend()
        for process in node:
            process.kill()
        running = [one for one in client.read_flow_runs() if one.state.is_running()]
        (run,) = [one for one in running if one.name == "make@1"]
        client.set_flow_run_state(run.id, Crashed(message="no heartbeat for 90 s"))

    killed = beside(kill)
    state = flow.study(str(study), only=["make@1"], where="nodes", return_state=True)
    killed.result(LONGEST_S)

    assert state.is_completed(), state.message  # nothing was executed here
    assert (study / "dvc.lock").read_text() == alone
    assert list(executions()) == ["data/make-1"]
    for node in two_workers:
        lost = str(node / "clones") == here.read_text()
        assert [path.name for path in node.glob("clones/*/dvc.lock")] == ["dvc.lock"] * (not lost)


@pytest.mark.parametrize(
    ("address", "lost", "name", "why", "rests"),
    [
        ("wrong", "", "Failed", "3 of 4 rows are wrong", 0),  # trying again is no use
        ("full", "", "Interrupted", "No space left on device: ", 1),
        ("wrong", "nowhere", "Interrupted", "git fetch in ", 1),
    ],
)
def test_a_stage_that_fails_on_its_node_says_why(
    study: Path,
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    lost: str,
    name: str,
    why: str,
    rests: int,
) -> None:
    """Where it is the fault of the node, that gives others the time to take the next try."""
    from flows.nodes import node

    rested: list[float] = []
    monkeypatch.setattr(node, "time", SimpleNamespace(sleep=rested.append))
    monkeypatch.setenv("EIFER_CLONES", str(tmp_path / "clones"))
    commit = snapshot.take(study)
    snapshot.publish(study, commit, str(study))
    repository = str(tmp_path / lost) if lost else str(study)
    origin = node.Origin(repository=repository, snapshot=commit, cache=str(tmp_path / "cache"))

    state = node.stage(address, origin, return_state=True)

    assert state.is_failed()
    assert state.name == name
    assert str(state.message).startswith(why)
    assert rested == [node.REST_S] * rests


def test_who_does_not_take_it_or_start_it_is_named(
    study: Path, prepared: None, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool without workers, and a worker that is killed before there is a heartbeat to miss."""
    from prefect.client.schemas.actions import WorkPoolUpdate
    from prefect.states import Cancelled, Pending

    from flows.nodes import coordinator as nodes

    for patience in ("LATE_S", "START_S"):
        monkeypatch.setattr(nodes, patience, 0.0)
    (study / ".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path / 'cache'}\n")
    executor = nodes.NodesExecutor(study)
    said: list[str] = []

    def take() -> None:
        until(lambda: len(said) > 0)
        run = UUID(said[0].split()[3])
        try:
            until(lambda: "WARNING: pool 'gpu' is paused: prefect work-pool resume gpu" in said)
            client.set_flow_run_state(run, Pending(name="Submitting"), force=True)
            until(lambda: bool(client.read_flow_run(run).state.is_final()))
        except AssertionError:  # what would be waited for for ever
            client.set_flow_run_state(run, Cancelled(), force=True)
            raise

    client.update_work_pool("gpu", WorkPoolUpdate(is_paused=True))
    try:
        taken = beside(take)
        with pytest.raises(StageFailed, match="its node was lost: not started"):
            executor.run(instances(study)["make@1"], said.append)
        taken.result(LONGEST_S)
    finally:
        client.update_work_pool("gpu", WorkPoolUpdate(is_paused=False))


def test_what_did_not_come_is_made_again_and_said(
    study: Path,
    server: str,
    tmp_path: Path,
    executions: Callable[[], dict[str, list]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from flows.nodes import coordinator as nodes

    monkeypatch.setattr(nodes, "_check_deployment", lambda: None)
    use_remote(study, str(tmp_path / "store"))
    executor = nodes.NodesExecutor(study)
    executor._done["make@1"] = uuid4()  # as a node says that keeps its results to itself

    with pytest.raises(StudyError, match=r"1 of 1 instances were executed here .*\(make@1\)"):
        executor.collect(lambda _: None)
    assert list(executions()) == ["data/make-1"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("", "nodes need a DVC remote .* or a cache folder"),
        ("[core]\n remote = a\n['remote \"a\"']\n url = https://me:word@x.example/d", "password"),
    ],
)
def test_nodes_that_could_not_work_are_refused(study: Path, settings: str, told: str) -> None:
    from flows.nodes.coordinator import NodesExecutor

    (study / ".dvc/config.local").write_text(settings)

    with pytest.raises(StudyError, match=told):
        NodesExecutor(study)


def test_of_the_remote_only_what_is_no_secret_is_told(study: Path) -> None:
    from flows.nodes.coordinator import _store

    use_remote(study, "s3://bucket/store")
    with (study / ".dvc/config.local").open("a") as more:
        more.write(f"    region = eu-1\n    secret_access_key = {SECRET}\n")

    remote, _ = _store(study)
    assert remote == {"url": "s3://bucket/store", "region": "eu-1", "use_ssl": True}


def of_node(process: psutil.Process, clones: str) -> bool:
    try:
        return process.environ().get("EIFER_CLONES") == clones
    except psutil.Error:
        return False
