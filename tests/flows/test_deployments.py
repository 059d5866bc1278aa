"""prefect.yaml and the template for Kubernetes, against Prefect's own words."""

from __future__ import annotations

import inspect
import json
import re
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import jsonschema
import pytest
import yaml

from flows.graph import ROOT
from tests.watched import until

TEMPLATE = ROOT / "flows/nodes/gpu-pool.json"
PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return json.loads(TEMPLATE.read_text())


def deployments() -> dict[str, dict[str, Any]]:
    listed = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    return {entry["name"]: entry for entry in listed}


@pytest.mark.parametrize("name", deployments())
def test_a_deployment_names_a_flow_its_parameters_and_heartbeats(name: str) -> None:
    deployment = deployments()[name]
    module, _, function = deployment["entrypoint"].rpartition(".")
    flow = getattr(import_module(module), function)

    assert set(deployment.get("parameters", {})) <= set(inspect.signature(flow.fn).parameters)
    environment = deployment["work_pool"]["job_variables"]["env"]
    assert environment == {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}


def test_only_the_study_of_this_machine_runs_by_the_clock() -> None:
    from flows.servers.services import POOLS

    found = deployments()

    assert [name for name in found if "schedules" in found[name]] == ["study"]
    assert {found[name]["work_pool"]["name"] for name in found} == set(POOLS)


def test_the_pool_for_kubernetes_takes_what_its_template_declares(template: dict[str, Any]) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate

    WorkPoolCreate(name="gpu", type="kubernetes", base_job_template=template)
    variables = template["variables"]
    jsonschema.Draft7Validator.check_schema(variables)
    used = set(PLACEHOLDER.findall(json.dumps(template["job_configuration"])))
    assert used == set(variables["properties"])
    jsonschema.validate({"image": "x", "gpus": 2}, variables)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"image": "x", "gpus": "some"}, variables)
    # What Prefect's own worker for Kubernetes reads; but who starts a run says no command.
    known = collected("prefect-kubernetes", "kubernetes")["job_configuration"]
    assert set(template["job_configuration"]) == set(known) - {"command"}


def test_a_pod_asks_for_its_gpus_and_has_secrets_from_the_cluster(template: dict[str, Any]) -> None:
    from prefect.utilities.templating import apply_values

    declared = template["variables"]["properties"]
    values = {name: one["default"] for name, one in declared.items() if "default" in one}
    made = apply_values(template["job_configuration"], {**values, "image": "lab/eifer:1"})

    pod = made["job_manifest"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert container["envFrom"] == [{"secretRef": {"name": "eifer", "optional": True}}]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert container["image"] == "lab/eifer:1"


@pytest.fixture(scope="module")
def prepared(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the study whose deployments the server has."""
    from flows.servers.services import prepare

    study = tmp_path_factory.mktemp("prepared")
    prepare(study, gpus=1)
    return study


@pytest.mark.xdist_group("prefect")
def test_a_server_takes_them_all(prepared: Path, client: Any) -> None:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId

    study = client.read_deployment_by_name("study/study")
    node = client.read_deployment_by_name("stage/node")
    gpu = client.read_global_concurrency_limit_by_name("gpu")
    # Its scheduler works: with SQLAlchemy 2.1 it wrote no run, and no caller was told.
    mine = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[study.id]))
    until(lambda: client.read_flow_runs(flow_run_filter=mine))
    planned = client.read_flow_runs(flow_run_filter=mine)
    assert all(run.auto_scheduled and run.state.is_scheduled() for run in planned)
    types = {
        name: shown.get("type")
        for name, shown in study.parameter_openapi_schema["properties"].items()
    }
    assert types["keep_going"] == "boolean"
    assert types["at_once"] == "integer"
    assert study.parameter_openapi_schema["properties"]["at_once"]["minimum"] == 0
    assert study.parameter_openapi_schema["properties"]["where"]["enum"] == ["local", "nodes"]
    assert study.pull_steps == [
        {"prefect.deployments.steps.set_working_directory": {"directory": str(prepared)}}
    ]
    assert [schedule.schedule.cron for schedule in study.schedules] == ["0 2 * * *"]
    assert node.parameter_openapi_schema["required"] == ["address", "origin"]
    assert node.pull_steps == []
    assert gpu.limit == 1


@pytest.mark.xdist_group("prefect")
def test_what_was_changed_about_schedules_stays_and_a_command_does_not(
    prepared: Path, client: Any
) -> None:
    from prefect.client.schemas.actions import WorkPoolUpdate
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.workers.process import ProcessWorker

    from flows.servers.services import JOB, prepare

    def told() -> list[tuple[str, bool]]:
        schedules = client.read_deployment_by_name("study/study").schedules
        return sorted((one.schedule.cron, one.active) for one in schedules)

    study = client.read_deployment_by_name("study/study")
    client.update_deployment_schedule(study.id, study.schedules[0].id, active=False)
    own = CronSchedule(cron="0 12 * * 1")
    client.create_deployment_schedules(study.id, [(own, True)])
    # As a former version made it: who starts a run says its command.
    former = ProcessWorker.get_default_base_job_template()
    client.update_work_pool("local", WorkPoolUpdate(base_job_template=former))
    prepare(prepared, gpus=1)
    assert client.read_work_pool("local").base_job_template == JOB
    assert told() == [("0 12 * * 1", True), ("0 2 * * *", False)]


@pytest.mark.xdist_group("prefect")
@pytest.mark.usefixtures("prepared")
def test_runs_of_these_deployments_are_watched_and_no_others(client: Any) -> None:
    from flows.servers import heartbeats

    ours = [client.read_deployment_by_name(name).id for name in heartbeats.DEPLOYMENTS]
    heartbeats.watch(client)
    first = watches(client)
    # As a former version left it: too wide; and its user had switched it off.
    former = heartbeats._silent([])
    former.trigger.match_related = []
    client.update_automation(first[0].id, former.model_copy(update={"enabled": False}))
    heartbeats.watch(client)
    mended = watches(client)
    before = marks(client, mended)
    heartbeats.watch(client)  # once more changes nothing: buckets of runs hang on these marks
    assert marks(client, watches(client)) == before
    assert [one.id for one in mended] == [one.id for one in first]
    assert [one.enabled for one in mended] == [False, True]
    silent, unstarted = (as_on_the_server(one) for one in mended)
    assert silent.starts_after("prefect.flow-run.Running")  # it may die before its first heartbeat
    for deployment in ours:
        assert silent.covers(event("heartbeat", deployment))
        assert silent.covers(event("Completed", deployment))
        assert unstarted.covers(event("Pending", deployment, "process"))
        assert not unstarted.covers(event("Pending", deployment, "kubernetes"))
    # Of another flow on this server, or of `eifer run`: a heartbeat in 180 s.
    assert not silent.covers(event("heartbeat", "another"))
    assert not silent.covers(event("heartbeat", None))


def test_all_deployments_are_watched() -> None:
    from flows.servers.heartbeats import DEPLOYMENTS

    assert {name.rpartition("/")[2] for name in DEPLOYMENTS} == set(deployments())


def watches(client: Any) -> list[Any]:
    from flows.servers import heartbeats

    names = (heartbeats.SILENT, heartbeats.UNSTARTED)
    found = [one for name in names for one in client.read_automations_by_name(name)]
    assert [one.name for one in found] == list(names)
    return found


def marks(client: Any, automations: list[Any]) -> list[str]:
    """By which the server knows each trigger; another after every change."""
    at = "/automations/{id}"
    told = [client.request("GET", at, path_params={"id": one.id}) for one in automations]
    return [reply.json()["trigger"]["id"] for reply in told]


def as_on_the_server(automation: Any) -> Any:
    from prefect.server.events.schemas.automations import EventTrigger

    return EventTrigger.model_validate(automation.trigger.model_dump())


def event(kind: str, deployment: object, pool: str | None = None) -> Any:
    """What the server is told of a flow run of this deployment, or of none."""
    from prefect.server.events.schemas.events import ReceivedEvent

    related = []
    if deployment:
        name = f"prefect.deployment.{deployment}"
        related += [{"prefect.resource.id": name, "prefect.resource.role": "deployment"}]
    if pool:
        place = {"prefect.resource.id": "prefect.work-pool.1", "prefect.work-pool.type": pool}
        related += [place | {"prefect.resource.role": "work-pool"}]
    return ReceivedEvent(
        occurred=datetime.now(UTC),
        event=f"prefect.flow-run.{kind}",
        resource={"prefect.resource.id": "prefect.flow-run.1"},
        related=related,
        id=uuid4(),
    )


def collected(package: str, kind: str) -> dict[str, Any]:
    import prefect

    views = Path(prefect.__file__).parent / "server/api/collections_data/views"
    workers = json.loads((views / "aggregate-worker-metadata.json").read_text())
    return workers[package][kind]["default_base_job_configuration"]
