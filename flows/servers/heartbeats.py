"""Flow runs that died silently: the server notices that nothing comes from them any more.

Two automations on the server, for the deployments of prefect.yaml alone: other flows there may
send heartbeats more rarely (Prefect's default is 180 s), or none.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import Automation, AutomationCore

DEPLOYMENTS = ("study/study", "study/study-gpu", "stage/node")
"""Those of prefect.yaml, which sets their heartbeats."""
SILENT = "a study whose heartbeat stopped has crashed"
SILENCE_S = 90
"""Three heartbeats, at the thirty seconds that prefect.yaml sets (Prefect's least)."""
UNSTARTED = "a study that did not start has crashed"
START_S = 300
"""From a worker's taking a run to its first line: some 10 s, more on a machine that is busy."""


def watch(client: SyncPrefectClient) -> None:
    """Have the server mark silent runs of our deployments as crashed.

    What a former version made is brought up to date; one that was switched off stays off.
    """
    deployments = _deployments(client)
    if not deployments:
        return
    for wanted in (_silent(deployments), _unstarted(deployments)):
        known = client.read_automations_by_name(wanted.name)
        if not known:
            client.create_automation(wanted)
        for old in known:
            if _content(old) != _content(wanted):
                client.update_automation(old.id, wanted.model_copy(update={"enabled": old.enabled}))


def _silent(deployments: list[str]) -> AutomationCore:
    """After the first sign of a run that started, there is one every `SILENCE_S` until it ends."""
    return _automation(
        SILENT,
        f"No heartbeat of it for {SILENCE_S} s; they come every 30 s. Without this, a run that was "
        "killed together with its worker stays Running for ever.",
        after={"prefect.flow-run.Running", "prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.heartbeat"},
        within_s=SILENCE_S,
        related=[{"prefect.resource.id": deployments}],
        message=f"no heartbeat for {SILENCE_S} s",
    )


def _unstarted(deployments: list[str]) -> AutomationCore:
    """A process starts soon, or its worker says why not, unless both died.

    A pod may wait long for its machine; Kubernetes' own worker watches over that.
    """
    process = {"prefect.resource.role": "work-pool", "prefect.work-pool.type": "process"}
    return _automation(
        UNSTARTED,
        f"A worker took it {START_S} s ago, and it does not run. Without this, a run that was "
        "killed together with its worker while it started stays Pending for ever.",
        after={"prefect.flow-run.Pending"},
        expect={"prefect.flow-run.Running"},
        within_s=START_S,
        related=[{"prefect.resource.id": deployments}, process],
        message=f"did not start within {START_S} s",
    )


def _automation(
    name: str,
    description: str,
    *,
    after: set[str],
    expect: set[str],
    within_s: int,
    related: list[dict[str, Any]],
    message: str,
) -> AutomationCore:
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    from flows.nodes.node import INTERRUPTED

    ends = ("Completed", "Failed", "Cancelled", "Crashed", INTERRUPTED)
    return AutomationCore(
        name=name,
        description=description,
        trigger=EventTrigger(
            posture=Posture.Proactive,
            after=after,
            expect=expect.union(f"prefect.flow-run.{end}" for end in ends),
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=list(map(ResourceSpecification, related)),
            for_each={"prefect.resource.id"},
            threshold=1,
            within=timedelta(seconds=within_s),
        ),
        actions=[
            # Not forced: a run that has ended keeps its end.
            ChangeFlowRunState(
                name="Crashed", state=StateType.CRASHED, message=message, force=False
            )
        ],
    )


def _deployments(client: SyncPrefectClient) -> list[str]:
    from prefect.exceptions import ObjectNotFound

    known = []
    for name in DEPLOYMENTS:
        with suppress(ObjectNotFound):
            known.append(f"prefect.deployment.{client.read_deployment_by_name(name).id}")
    return known


def _content(automation: AutomationCore | Automation) -> tuple[Any, ...]:
    return automation.description, automation.trigger.model_dump(), automation.actions
