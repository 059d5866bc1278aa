"""Where MLflow's runs of a study lie: a server or database that is named, else the study's own."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import socket
import sqlite3
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from stages._runtime.serving import sqlite_uri

DATABASE = Path("runs/mlflow.db")
ARTIFACTS = Path("runs/mlartifacts")
LOCK = Path("runs/mirror.lock")
TRAINED, EVALUATED, COMPARED = "repetitions.parquet", "metrics.parquet", "comparison.parquet"
EXPRESSIONS_TRAINED, EXPRESSIONS_EVALUATED = "trained.parquet", "matrix.parquet"
"""Of the expressions study."""
TRAININGS = (TRAINED, EXPRESSIONS_TRAINED)
SHOWN = (TRAINED, EVALUATED, COMPARED, EXPRESSIONS_TRAINED, EXPRESSIONS_EVALUATED)
"""A folder with one of these tables is a stage's output that MLflow shows."""
DEPTHS = ("*", "*/*", "*/*/*", "*/*/*/*")
"""Where such folders lie in data: under the stage's name, a level for each outer key."""
PROBE_S = 5.0
BUSY_S = 30.0
DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def uri() -> str:
    """Where runs go: the server or database that the environment names, else the study's own."""
    return os.environ.get("MLFLOW_TRACKING_URI") or own_uri()


def own_uri(study: Path = Path()) -> str:
    """The address of the database in ``study``."""
    return sqlite_uri(study / DATABASE)


def tables(study: Path) -> Iterator[Path]:
    """What MLflow shows of ``study``, trainings first: others add to their runs."""
    for shown in SHOWN:
        for depth in DEPTHS:
            for path in sorted((study / "data").glob(f"{depth}/{shown}")):
                if "." not in path.parent.name:  # a folder that is being replaced
                    yield path


def all_shown(study: Path) -> str:
    """What stands in `LOCK` once this server or database shows all that there is.

    DVC brings other tables without a flow: they are told by size and time.
    """
    there = []
    for table in tables(study):
        with contextlib.suppress(FileNotFoundError):  # its stage runs again
            stat = table.stat()
            there.append((str(table.relative_to(study)), stat.st_size, stat.st_mtime_ns))
    address = without_password(os.environ.get("MLFLOW_TRACKING_URI", ""))
    return f"all shown {address} {hashlib.sha256(repr(there).encode()).hexdigest()}"


def answers(address: str) -> bool:
    """Whether anybody answers there; asked before mlflow, which takes seconds to import."""
    where = urllib.parse.urlsplit(address)
    try:
        if where.scheme in {"http", "https"}:
            urllib.request.urlopen(f"{without_password(address)}/health", timeout=PROBE_S).close()
        elif where.hostname:
            port = where.port or DATABASE_PORTS.get(where.scheme.split("+")[0], 0)
            socket.create_connection((where.hostname, port), timeout=PROBE_S).close()
    except urllib.error.HTTPError:
        return True  # it answered; whether it lets us in is for mlflow to find out
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # likewise
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return True


def without_password(address: str) -> str:
    """``address`` without the user and password that it may hold."""
    where = urllib.parse.urlsplit(address)
    return where._replace(netloc=where.netloc.rpartition("@")[2]).geturl().rstrip("/")


PLACES = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}
"""Where MLflow keeps whole paths of files, by table."""


def come_home(study: Path = Path()) -> None:
    """Have the database of a study that was copied or moved name the files that lie beside it.

    MLflow has no call for it. Until then what the copy records would go into the original.
    """
    if not (study / DATABASE).exists():
        return
    own, marker = (study / ARTIFACTS).resolve().as_uri(), f"/{ARTIFACTS.as_posix()}"
    with (
        contextlib.closing(sqlite3.connect(study / DATABASE, timeout=BUSY_S)) as database,
        database,
    ):
        for table, column in PLACES.items():
            for (place,) in database.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall():
                before, marked, rest = (place or "").rpartition(marker)
                ours = marked and before.startswith("file:") and rest[:1] in {"", "/"}
                if ours and before + marked != own:
                    database.execute(
                        f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (own + rest, place)
                    )
