"""The study as a Prefect flow: DVC's graph, a task run for each instance, as soon as it can start.

DVC owns the graph and the truth: which instance is up to date, and what its output is. This walks
it in parallel, tries again what is worth trying again, and shows it.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from graphlib import TopologicalSorter
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any, Unpack, cast
from uuid import UUID

import httpx
from prefect import flow, get_run_logger, task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run, task_run
from prefect.states import Cancelled, Completed, Failed, State
from prefect.utilities.annotations import quote

from eifer.errors import StudyError, examples
from flows.run import cache, lockfile, plan, request
from flows.run.alone import alone
from flows.run.executor import Executor, StageFailed
from flows.run.instances import Instance, refuse_elsewhere
from flows.run.local import LocalExecutor
from flows.run.mirroring import Mirroring
from flows.servers.addresses import without_password

GONE = "Prefect's server stopped answering, so every instance was ended. Run again to continue"
UNCHANGED = "Unchanged"
"""The state of an instance that nothing had to be done for."""
TOLD_FROM = 5
"""Instances that must have run before the time left is told."""
LOOK_S = 2.0
"""How often, while nothing ends, Prefect is asked whether the run was cancelled there."""
RETRY_DELAYS_S = [2.0, 10.0, 30.0]
"""How long a lock, or a machine that is out of memory, is given before each further try."""


@flow(name="study", persist_result=False)
def study(
    folder: str = ".",
    only: request.Only = None,
    start: request.Start = None,
    end: request.End = None,
    keep_going: request.KeepGoing = False,
    at_once: request.AtOnce = 0,
    timeout_min: request.TimeoutMin = 0,
    where: request.Where = "local",
) -> State[None]:
    """Bring a study up to date.

    Parameters
    ----------
    folder
        Where its dvc.yaml lies.
    only, start, end
        Stages or instances: exactly these, or those from ``start`` downstream, up to ``end``.
    keep_going
        After a failure, still run what does not depend on it.
    at_once
        Instances at once; 0: what this machine carries (or for nodes, what they take).
    timeout_min
        Minutes after which an instance is killed, where it runs here; 0: never.
    where
        Here, or on the workers of a pool.
    """
    place = Path(folder).resolve()
    walk: _Walk | None = None
    try:
        refuse_elsewhere(place)
        with alone(place):
            planned = _planned(place, only=only, start=start, end=end)
            executor = _executor(where, place, at_once, timeout_min)
            walk = _Walk(planned, executor, place)
            try:
                walk(keep_going)
            finally:
                walk.halt.set()
                for step in (
                    executor.stop,
                    lambda: executor.collect(get_run_logger().info),
                    lambda: lockfile.order(place, list(planned.graph)),
                ):
                    walk.wind_up(step)
            stages = {planned.graph[address].stage for address in walk.done}
            walk.wind_up(walk.mirroring.finish)
            walk.wind_up(lambda: _show_results(place, stages))
    except (StudyError, OSError) as error:  # the disk is full, or takes nothing
        return Failed(message=str(error))  # said without a traceback
    except httpx.TransportError:
        return Failed(message="\n".join([GONE, *([walk.summary()] if walk else [])]))
    failed = walk.failed or walk.troubles
    ending = Cancelled if walk.cancelled else Failed if failed else Completed
    return ending(message=walk.summary())


def _executor(where: str, place: Path, at_once: int, timeout_min: float) -> Executor:
    if where == "nodes":
        from flows.nodes.coordinator import NodesExecutor

        return NodesExecutor(place, at_once=at_once)
    return LocalExecutor(place, at_once=at_once or None, timeout_s=timeout_min * 60 or None)


def _planned(place: Path, **choice: Unpack[request.Choice]) -> plan.Plan:
    logger = get_run_logger()
    if note := lockfile.mend(place):
        logger.warning(note)
    if spoilt := cache.drop_spoilt_listings(place):
        logger.warning("spoilt in DVC's cache, made again: the listing of %s", examples(spoilt))
    planned = plan.make(place, **choice)
    if planned.data:
        logger.info("recorded in %s: %s", ", ".join(planned.data), ", ".join(planned.data.values()))
        plan.record_data(place, planned.data)
    logger.info(planned.count())
    return planned


class _Walk:
    """One walk over the graph: what is done, what failed, and the progress bar in Prefect."""

    def __init__(self, planned: plan.Plan, executor: Executor, place: Path) -> None:
        self.found = planned.graph
        self.why = planned.why
        self.needs = {
            address: [up for up in instance.needs if up in planned.chosen]
            for address, instance in planned.graph.items()
            if address in planned.chosen
        }
        self.executor = executor
        self.mirroring = Mirroring(place, get_run_logger().info)
        self.done: list[str] = []
        self.failed: dict[str, str] = {}
        self.troubles: list[str] = []
        """What went wrong while the flow ended; it must not hide what failed before."""
        self.futures: dict[str, PrefectFuture[Any]] = {}
        self.halt = Event()
        self.cancelled = False
        self.began = time.monotonic()

    def __call__(self, keep_going: bool) -> None:
        """Start each instance as soon as its upstream is done, the longest way to the end first."""
        progress = cast(UUID, create_progress_artifact(0.0, key="progress"))
        far = self._distances()
        order = TopologicalSorter(self.needs)
        order.prepare()
        ready: list[str] = []
        running: set[str] = set()
        ended: SimpleQueue[str] = SimpleQueue()
        shown = time.monotonic()
        while order.is_active() and not self._called_off():
            ready = sorted([*ready, *order.get_ready()], key=lambda address: -far[address])
            stopping = bool(self.failed) and not keep_going
            while ready and len(running) < self.executor.slots and not stopping:
                address = ready.pop(0)
                running.add(address)
                self._start(address, len(running) + len(ready), ended)
            self.mirroring.look(idle=len(running) < self.executor.slots)
            if not running:
                break
            try:
                address = ended.get(timeout=LOOK_S)
            except Empty:
                continue
            running.remove(address)
            self.futures[address].wait()
            state = self.futures[address].state
            if state.is_completed():
                self.done.append(address)
                order.done(address)
                if state.name != UNCHANGED:
                    self.mirroring.after(self.found[address])
            else:
                self.failed[address] = str(state.message or state.name)
            if time.monotonic() > shown + 1 or not running:
                percent = 100 * len(self.done) / len(self.needs)
                update_progress_artifact(progress, percent, description=self.summary())
                shown = time.monotonic()

    def wind_up(self, step: Callable[[], None]) -> None:
        """Take a step of the flow's end; what goes wrong is told beside what failed before."""
        try:
            step()
        except (StudyError, OSError) as error:
            self.troubles.append(str(error))
            get_run_logger().error("at the end of the flow: %s", error)

    def summary(self) -> str:
        """What is done, what failed and why, and what was not tried."""
        lines = [f"{len(self.done)} of {len(self.needs)} instances are up to date"]
        lines += [f"{address}: {why}" for address, why in self.failed.items()]
        lines += [f"then: {trouble}" for trouble in self.troubles]
        if self.cancelled:
            lines.append("cancelled in Prefect: all that ran was ended. Run again to continue")
        if left := [a for a in self.needs if a not in self.futures and self.failed]:
            lines.append(f"not tried: {', '.join(left)}")
        return "\n".join(lines)

    def _whereabouts(self) -> str:
        ran, seconds = len(set(self.done) & set(self.why)), time.monotonic() - self.began
        left = time_left(ran, len(self.why), seconds)
        return f"{len(self.futures) + 1} of {len(self.needs)}{left}"

    def _called_off(self) -> bool:
        """Whether somebody cancelled this run in Prefect, which no worker may be there to obey."""
        # A server that does not answer for a while ends no training.
        with suppress(httpx.HTTPError), get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(flow_run.get_id())).state
            self.cancelled = state is not None and (state.is_cancelling() or state.is_cancelled())
        return self.cancelled

    def _start(self, address: str, beside: int, ended: SimpleQueue[str]) -> None:
        instance, why = self.found[address], self.why.get(address)
        # No tags: Prefect asks for limits on them, and SQLite refuses some who ask at once.
        run: Any = run_instance.with_options(
            name=instance.stage, task_run_name=address, retries=len(RETRY_DELAYS_S)
        )
        future: PrefectFuture[Any] = run.submit(
            quote(instance),
            quote(self.executor),
            beside,
            why and f"{why} ({self._whereabouts()})",
            quote(self.halt),
            wait_for=[self.futures[up] for up in self.needs[address]],
        )
        self.futures[address] = future
        future.add_done_callback(lambda _: ended.put(address))

    def _distances(self) -> dict[str, int]:
        """How many instances stand in a row from each to the end, itself among them."""
        far = dict.fromkeys(self.needs, 1)
        for address in reversed(list(TopologicalSorter(self.needs).static_order())):
            for up in self.needs[address]:
                far[up] = max(far[up], far[address] + 1)
        return far


def time_left(ran: int, to_run: int, seconds: float) -> str:
    """How long a run still takes, by the mean of the instances that ``ran`` in ``seconds``."""
    if ran < TOLD_FROM:
        return ""
    return f", about {max(1, round(seconds / ran * (to_run - ran) / 60))} min left"


def _worth_it(_task: object, _run: object, state: State[Any]) -> bool:
    """Whether the failure of a task run is one that another try may mend."""
    cause = state.result(raise_on_failure=False)
    return isinstance(cause, StageFailed) and cause.retry


@task(cache_policy=NO_CACHE, persist_result=False, retry_condition_fn=_worth_it)
def run_instance(
    instance: Instance, executor: Executor, beside: int, why: str | None, halt: Event
) -> State[None] | None:
    """Bring one instance up to date; a failure that is final is returned, without a traceback."""
    logger = get_run_logger()
    if why is None:
        return Completed(name=UNCHANGED, message="nothing changed")
    if tries := task_run.run_count - 1:
        halt.wait(RETRY_DELAYS_S[tries - 1])  # not Prefect's own delay, which nothing interrupts
    logger.info(why)
    try:
        executor.run(instance, logger.info, beside=beside)
    except StageFailed as failure:
        if failure.retry and tries < len(RETRY_DELAYS_S):
            raise
        return Failed(message=failure.why)
    return None


def _show_results(place: Path, stages: set[str]) -> None:
    """The short tables, and where report and repetitions are, as artifacts of the flow run.

    Of ``stages`` that it brought up to date: what others left may be of other params.
    """
    if not stages & {"evaluate", "stats", "report"}:
        return
    from flows.pages.summary import tables  # after the walk: it imports much

    for shown in tables(place, stages):
        lines = ["|".join(row) for row in (shown.heads, ["---"] * len(shown.heads), *shown.rows)]
        key = shown.name.replace("_", "-")
        create_markdown_artifact("\n".join(lines), key=key, description=shown.title)
    report = place / "data/report/index.html"
    if "report" in stages and report.exists():
        # A browser follows no link to a file from a server's page: it has to be copied.
        words = f"The report, on {platform.node()}: copy the link's address into a new tab there"
        create_link_artifact(report.as_uri(), str(report), key="report", description=words)
    tracking = os.environ.get("MLFLOW_TRACKING_URI", "")
    if tracking.startswith("http"):
        words = "Every repetition in MLflow, side by side"
        create_link_artifact(without_password(tracking), key="mlflow", description=words)
