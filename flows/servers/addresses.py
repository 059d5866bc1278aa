"""Addresses of servers: found, tried, and shown without a password that they may hold."""

from __future__ import annotations

import os
import socket
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from eifer.errors import StudyError
from flows.locks import held
from stages._runtime import serving

LOOPBACK = "127.0.0.1"
SERVICES = Path("runs/services")
ENVIRONMENT = "environment"
"""The file beside a server's log that says where the server is, and how to be let in."""
LOCK = "lock"


def of_services(study: Path) -> dict[str, str]:
    """The variables by which tools find the services that run in ``study``; none if none do."""
    try:
        with held(study / SERVICES / LOCK, shared=True) as lock:
            return {} if lock else serving.read_exports(study / SERVICES / ENVIRONMENT)
    except OSError:
        return {}


def use_services(study: Path) -> None:
    """Have this process use the services of ``study``, but for what its environment names.

    A password goes with its own server: nothing of it is told to another.
    """
    services = of_services(study)
    for address in {"PREFECT_API_URL", "MLFLOW_TRACKING_URI"} & services.keys():
        if os.environ.setdefault(address, services[address]) == services[address]:
            tool = address.partition("_")[0]
            for name in filter(lambda name: name.startswith(tool), services):
                os.environ.setdefault(name, services[name])


def free_port(wanted: int | None = None, *, usual: int = 0, option: str = "--port") -> int:
    """A port of loopback that is free now: ``wanted``, else ``usual`` or any other.

    Another process may still be faster.

    Raises
    ------
    StudyError
        If ``wanted`` is not free; ``option`` is how to name another.
    """
    for port in (wanted or usual, 0):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((LOOPBACK, port))
                return int(trial.getsockname()[1])
            except (OSError, OverflowError):
                if wanted:
                    raise StudyError(
                        f"port {wanted} is taken, or not ours to take; give another with {option}"
                    ) from None
    raise StudyError("this machine has no free port")


def answers(url: str) -> bool:
    """Whether a server says there that it is well, within 5 s."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def without_password(address: str) -> str:
    """``address`` without the user and password that it may hold."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def refuse_password(what: str, address: str) -> None:
    """Refuse an address that would stand in the parameters of a flow run, for all to see.

    Raises
    ------
    StudyError
        If it holds a password or token; the address itself is not repeated.
    """
    parts = urlsplit(address)
    if parts.password or (parts.username and parts.scheme.startswith("http")):
        raise StudyError(
            f"the address of {what} holds a password or token: nodes need it in their own "
            "environment (git: a credential helper or an SSH key; DVC: the variables of its cloud)"
        )


def try_prefect() -> None:
    """Ask the Prefect server of ``PREFECT_API_URL`` for something that is not open to all.

    Raises
    ------
    StudyError
        If the address holds a password, nothing answers there, or it wants another password or key.
    """
    import httpx
    from prefect.client.orchestration import get_client

    where = without_password(os.environ["PREFECT_API_URL"])
    if where != os.environ["PREFECT_API_URL"]:
        raise StudyError(
            f"PREFECT_API_URL ({where}) holds a password, which Prefect would print and not "
            "send with its events: put it in PREFECT_API_AUTH_STRING instead"
        )
    try:
        with get_client(sync_client=True) as client:
            client.read_flows(limit=1)
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        if code not in (401, 403):
            raise StudyError(f"Prefect at {where} answers with an error ({code})") from None
        raise StudyError(
            f"Prefect at {where} refuses ({code}): its password belongs in "
            "PREFECT_API_AUTH_STRING, a key of Prefect Cloud in PREFECT_API_KEY"
        ) from None
    except (httpx.TransportError, RuntimeError):  # the client's own word for the first request
        raise StudyError(f"no Prefect server answers at {where} (PREFECT_API_URL)") from None
