"""One flow at a time in a study; flow runs that died there are marked as crashed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, StateType
from prefect.client.schemas.sorting import TaskRunSort
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import Crashed, State

from flows.locks import without_flow
from flows.run.local import alive, myself, owner_of


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """Hold the study in ``place`` for this flow run.

    Raises
    ------
    StudyError
        If another flow holds it.
    """
    with without_flow(place) as folder:
        _bury(folder)
        record = folder / f"{flow_run.get_id()}.json"
        record.write_text(json.dumps(myself()))
        try:
            yield
        except httpx.TransportError:
            raise  # the server could not be told how it ended: for the next start
        except BaseException:
            record.unlink()
            raise
        record.unlink()


def _bury(folder: Path) -> None:
    """Mark as crashed what the server still takes for running although its process is gone."""
    died: State[None] = Crashed(message="its process is gone (found at the next start)")
    for record in folder.glob("*.json"):
        process = owner_of(record)
        if process is not None and alive(process):
            continue
        with get_client(sync_client=True) as client, suppress(ObjectNotFound):  # of another server
            run = client.read_flow_run(UUID(record.stem))
            if run.state is not None and not run.state.is_final():
                client.set_flow_run_state(run.id, died, force=True)
                get_run_logger().warning("flow run %s had died: marked as crashed", run.name)
            for task in _unfinished_tasks(client, run.id):
                client.set_task_run_state(task, died, force=True)
        record.unlink()


def _unfinished_tasks(client: SyncPrefectClient, run: UUID) -> list[UUID]:
    states = TaskRunFilterStateType(
        any_=[kind for kind in StateType if kind not in TERMINAL_STATES]
    )
    tasks: list[UUID] = []
    while page := client.read_task_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])),
        task_run_filter=TaskRunFilter(state=TaskRunFilterState(type=states)),
        sort=TaskRunSort.ID_DESC,
        limit=200,  # the most that a server gives
        offset=len(tasks),
    ):
        tasks += [task.id for task in page]
    return tasks
