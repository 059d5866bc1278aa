"""What the page answers: its files, jobs, their events, videos in ranges, downloads.

Guarded three times: by `Gate` (host and origin), by a key that only the printed address holds
(another account of this machine can reach the port, too), and, for what changes something, by a
header that no page of another origin can send without being asked first.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
from collections.abc import AsyncIterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from eifer.errors import StudyError
from eifer.video.files import shown
from flows.servers.page.jobs import OUT, PICTURE, Jobs, NoJobError
from stages._runtime.serving import App, Gate, Message, Receive, Send

HERE = Path(__file__).parent
TYPES = {
    "page.html": "text/html",
    "page.css": "text/css",
    "page.js": "text/javascript",
    "faces.csv": "text/csv",
    "summary.json": "application/json",
    "overlay.mp4": "video/mp4",
    "index.html": "text/html",
}
FILES = tuple(TYPES)[3:]
"""What a reading leaves (`eifer.video.files`), to be downloaded."""
VIDEO_TYPES = {".webm": "video/webm", ".mkv": "video/webm", ".avi": "video/x-msvideo"}
EVERY_S, QUIET_S = 0.25, 15.0
"""How often a change is looked for, and after how long without one the line is kept open."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Faces stay out of the browser's cache on disk.
    "Cache-Control": "no-store",
}
ASKED = "x-eifer"
"""The header of every request that changes something."""


class TooLargeError(StudyError):
    """An upload of more than the page takes."""


class _Keyed:
    """Lets through who has the key of this start, and closes every answer to other origins."""

    def __init__(self, app: App, *, key: str, host: str) -> None:
        self.app, self.key = app, key
        # Cookies do not tell ports apart: another page of this machine must not overwrite ours.
        self.cookie = f"eifer-{host.rpartition(':')[2]}"

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""

        async def closed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        app: Any = self.app
        if scope["type"] == "http":
            request = Request(scope)
            given = request.query_params.get("key", "")
            if given and request.url.path == "/" and self._is_key(given):
                app = RedirectResponse("/", 303)
                app.set_cookie(self.cookie, self.key, httponly=True, samesite="strict")
            elif not self._is_key(request.cookies.get(self.cookie, "")):
                words = "Open the address that `eifer page` printed: it holds the key.\n"
                app = PlainTextResponse(words, 401)
            elif request.method not in ("GET", "HEAD") and ASKED not in request.headers:
                app = PlainTextResponse(f"Only the page itself may do this ({ASKED}).\n", 403)
        await app(scope, receive, closed)

    def _is_key(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.key.encode())


def application(jobs: Jobs, *, key: str, host: str) -> App:
    """The page of ``jobs`` at ``host`` (``host:port``), for who has ``key``."""

    def to(endpoint: Any) -> Any:
        return partial(endpoint, jobs)

    routes = [
        Route("/", to(_page)),
        Route("/jobs/{id}", to(_page)),
        Route("/{name}", _asset),
        Route("/api/about", to(_about)),
        Route("/api/events", to(_events)),
        Route("/api/jobs", to(_upload), methods=["PUT"]),
        Route("/api/jobs", to(_name), methods=["POST"]),
        Route("/api/jobs/{id}", to(_delete), methods=["DELETE"]),
        Route("/api/jobs/{id}/video", to(_video)),
        Route("/api/jobs/{id}/picture", to(_picture)),
        Route("/api/jobs/{id}/files/{name}", to(_file)),
        Route("/api/jobs/{id}/{act}", to(_act), methods=["POST"]),
    ]
    errors: Any = {
        NoJobError: partial(_refused, 404),
        TooLargeError: partial(_refused, 413),
        StudyError: partial(_refused, 400),
        OSError: _full,
        ClientDisconnect: lambda request, error: Response(status_code=400),  # nobody reads it
    }
    app = Starlette(routes=routes, exception_handlers=errors)
    return Gate(_Keyed(app, key=key, host=host), host=host, login=None)


def _refused(status: int, request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status)


def _full(request: Request, error: Exception) -> Response:
    words = (
        f"{getattr(error, 'strerror', None) or error}: make room where eifer page keeps its jobs"
    )
    return JSONResponse({"error": f"{words} (--folder)"}, 507)


async def _page(jobs: Jobs, request: Request) -> Response:
    known = {job["id"] for job in jobs.listed()} | {None}
    status = 200 if request.path_params.get("id") in known else 404
    return FileResponse(HERE / "page.html", status, media_type=TYPES["page.html"])


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in ("page.css", "page.js"):
        return PlainTextResponse("nothing here\n", 404)
    return FileResponse(HERE / name, media_type=TYPES[name])


async def _about(jobs: Jobs, request: Request) -> Response:
    known = jobs.settings
    return JSONResponse(
        {
            "version": version("eifer"),
            "most_bytes": known.most_bytes,
            "max_minutes": known.max_minutes,
            "keep_hours": known.keep_hours,
            "allow": [*map(shown, known.allow)],
        }
    )


async def _events(jobs: Jobs, request: Request) -> Response:
    async def lines() -> AsyncIterator[str]:
        last, quiet_s = "", 0.0
        while not jobs.stopping:
            now = json.dumps(jobs.listed())
            quiet_s += EVERY_S
            if now != last or quiet_s >= QUIET_S:
                yield f"data: {now}\n\n"
                last, quiet_s = now, 0.0
            await asyncio.sleep(EVERY_S)

    return StreamingResponse(lines(), media_type="text/event-stream")


async def _upload(jobs: Jobs, request: Request) -> Response:
    most, size = jobs.settings.most_bytes, 0
    too_large = TooLargeError(
        f"larger than {most / 1e9:g} GB: make it smaller, start eifer page with another --max-gb, "
        "or name its path (--allow)"
    )
    key, video = jobs.arriving()
    try:
        with video.open("xb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    raise too_large
                file.write(chunk)
        if not size:
            raise StudyError("empty (0 bytes): choose another file")
    except BaseException:  # the browser went away, a full disk, the end of this process
        jobs.refuse(key)
        raise
    job = jobs.add(key, _base(request.query_params.get("name", "")))
    return JSONResponse({"id": job.id}, 201)


def _base(name: str) -> str:
    """The last part of a file's name as one line of text; no file of this machine is called so."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable()).strip()


async def _name(jobs: Jobs, request: Request) -> Response:
    try:
        path = (await request.json())["path"]
        os.fsencode(path)
    except (ValueError, KeyError, TypeError, RecursionError):
        path = ""
    if not isinstance(path, str) or not path:
        raise StudyError("name a video: its path in a folder that is allowed")
    video = jobs.named(path)
    key, _ = jobs.arriving()
    return JSONResponse({"id": jobs.add(key, _base(shown(video.name)), video).id}, 201)


async def _delete(jobs: Jobs, request: Request) -> Response:
    jobs.delete(request.path_params["id"])
    return Response(status_code=204)


async def _act(jobs: Jobs, request: Request) -> Response:
    acts = {"cancel": jobs.cancel, "continue": jobs.go_on}
    if request.path_params["act"] not in acts:
        return PlainTextResponse("nothing here\n", 404)
    acts[request.path_params["act"]](request.path_params["id"])
    return Response(status_code=204)


async def _video(jobs: Jobs, request: Request) -> Response:
    job = jobs.get(request.path_params["id"])
    kind = VIDEO_TYPES.get(Path(job.name).suffix.lower(), "video/mp4")
    return _sent(jobs.video(job), media_type=kind)


async def _picture(jobs: Jobs, request: Request) -> Response:
    return _found(jobs, request, Path(PICTURE), "application/json")


async def _file(jobs: Jobs, request: Request) -> Response:
    name = request.path_params["name"]
    if name not in FILES:
        return PlainTextResponse("nothing here\n", 404)
    stem = Path(jobs.get(request.path_params["id"]).name).stem
    return _found(jobs, request, Path(OUT, name), TYPES[name], f"{stem}-{name}")


def _found(
    jobs: Jobs, request: Request, path: Path, kind: str, download: str | None = None
) -> Response:
    job = jobs.get(request.path_params["id"])
    if job.state != "done":
        raise NoJobError(f"{job.name} is not read yet")
    return _sent(jobs.place(job.id) / path, media_type=kind, filename=download)


def _sent(path: Path, **facts: Any) -> Response:
    if not path.is_file():
        raise NoJobError("its file is gone: delete this job, and give the video again")
    return FileResponse(path, **facts)
