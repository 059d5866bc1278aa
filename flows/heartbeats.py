"""Runs that died without a word: the server sees that their heartbeat stopped."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

NAME = "a study whose heartbeat stopped has crashed"
SILENCE_S = 90
"""Three heartbeats, at the thirty seconds that prefect.yaml sets (Prefect's least)."""


def watch(client: SyncPrefectClient) -> None:
    """Have the server mark runs as crashed that have been silent for `SILENCE_S`; done once."""
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    if client.read_automations_by_name(NAME):
        return
    ends = ("Completed", "Failed", "Cancelled", "Crashed")
    client.create_automation(
        AutomationCore(
            name=NAME,
            description="Without this, a run that was killed stays Running for ever.",
            trigger=EventTrigger(
                posture=Posture.Proactive,
                after={"prefect.flow-run.heartbeat"},
                expect={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{end}" for end in ends)},
                match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
                for_each={"prefect.resource.id"},
                threshold=1,
                within=timedelta(seconds=SILENCE_S),
            ),
            actions=[
                ChangeFlowRunState(
                    name="Crashed",
                    state=StateType.CRASHED,
                    message=f"no heartbeat for {SILENCE_S} s",
                    force=False,
                )
            ],
        )
    )
