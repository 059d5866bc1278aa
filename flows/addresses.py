"""Addresses of servers, which may be shown and stored: never with a password in them."""

from __future__ import annotations

from urllib.parse import urlsplit

from eifer.errors import StudyError


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
