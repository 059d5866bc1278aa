"""Addresses of servers: found, tried, and shown without a password that they may hold."""

from __future__ import annotations

import os
import socket
import urllib.request
from urllib.parse import urlsplit

import httpx

from eifer.errors import StudyError

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port of this machine that is free now; another process may still be faster."""
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        return int(one.getsockname()[1])


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
