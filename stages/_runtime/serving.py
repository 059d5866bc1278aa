"""What a server on this machine needs: who may ask it, and the address of its database.

A page of any site can send requests to a port of loopback, and so can everybody with an account
here. Prefect answers both, MLflow every page of loopback: `Gate` stands before either.
"""

from __future__ import annotations

import base64
import hmac
import os
import secrets
import shlex
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOST = "EIFER_GATE_HOST"
LOGIN = "EIFER_GATE_LOGIN"
USER = "eifer"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, eq=False)
class Gate:
    """An ASGI application that lets through to ``app`` what its owner asks, and nothing else."""

    app: App
    host: str
    """The server's own ``host:port``. Requests to another name (of a page that has its name point
    to this machine), or from the page of another origin, are refused.
    """
    login: str | None
    """``user:password`` that every request but ``/health`` must bring (HTTP basic authentication);
    None where ``app`` asks for one itself.
    """

    @classmethod
    def from_environment(cls, app: App) -> Gate:
        """The gate as the variables `HOST` and `LOGIN` describe it: no command line shows them."""
        return cls(app, host=os.environ[HOST], login=os.environ.get(LOGIN))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        status, why = (0, "") if scope["type"] == "lifespan" else self._refusal(scope)
        if not status:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before accept: HTTP 403
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            if status == 401:
                headers.append((b"www-authenticate", b'Basic realm="eifer", charset="UTF-8"'))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": why.encode()})

    def _refusal(self, scope: Message) -> tuple[int, str]:
        """The status and words of a refusal; status 0 where there is none."""

        def header(name: bytes) -> set[bytes]:
            return {value for key, value in scope["headers"] if key == name}

        own = self.host.encode()
        if header(b"host") != {own}:
            return 421, f"This server answers at http://{self.host} alone.\n"
        # A browser names the origin of every request that may change something. Others (pictures,
        # scripts, frames) it marks as of another site; a link that the owner follows is welcome.
        foreign = header(b"sec-fetch-site") - {b"same-origin", b"none"}
        if header(b"origin") - {b"http://" + own} or (
            foreign and header(b"sec-fetch-dest") != {b"document"}
        ):
            return 403, "Pages of other origins may not ask this server.\n"
        if self.login and scope["path"] != "/health" and not self._knows(header(b"authorization")):
            return 401, "This server wants the user and password that it was started with.\n"
        return 0, ""

    def _knows(self, given: set[bytes]) -> bool:
        wanted = b"Basic " + base64.b64encode(str(self.login).encode())
        return len(given) == 1 and hmac.compare_digest(given.pop(), wanted)


def new_password() -> str:
    """A password that nobody can guess, for one start of a server."""
    return secrets.token_urlsafe(24)


def write_exports(file: Path, variables: Mapping[str, str]) -> None:
    """Write ``variables`` for ``source`` in a shell, into a file that only its owner can read."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write("".join(lines))


def read_exports(file: Path) -> dict[str, str]:
    """Read what `write_exports` wrote."""
    words = [word for word in shlex.split(file.read_text()) if word != "export"]
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def sqlite_uri(file: Path, driver: str = "pysqlite") -> str:
    """SQLAlchemy's address of the SQLite database ``file``, whatever its folders are called.

    As a plain path everything from a question mark on would be taken for options. MLflow makes
    folders of what it takes for a path, but only where no driver is named.
    """
    return f"sqlite+{driver}:///{file.resolve().as_uri()}?uri=true"
