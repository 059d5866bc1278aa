"""Nothing is sent home, nothing of this machine leaves it by a proxy, nobody else may read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

TELEMETRY_OFF = {
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
FOLDERS = ("data", "runs", ".dvc/cache", ".dvc/tmp")
"""Where crops and scores of people lie, with all that was learnt from them."""


def keep_private() -> None:
    """Tell all tools by their variables, for this process and those that it starts.

    Telemetry is off unless a user turned it on. Servers of this machine are asked directly where
    a proxy is set: it would look for them on its own machine.
    """
    for name, value in TELEMETRY_OFF.items():
        os.environ.setdefault(name, value)
    for name in ("no_proxy", "NO_PROXY"):
        other = os.environ.get(name.swapcase(), "")
        known = [host.strip() for host in os.environ.get(name, other).split(",") if host.strip()]
        missing = [host for host in LOOPBACK if host not in known and "*" not in known]
        os.environ[name] = ",".join([*known, *missing])


def close_folders(study: Path) -> None:
    """Make the folders of ``study`` that hold what is derived from people, for its owner alone.

    What tools put into them may be open: nobody else gets there. A cache that DVC's settings put
    elsewhere is left as it is: others may share it.
    """
    for name in FOLDERS:
        folder = study / name
        # What cannot be made or changed is reported by whoever needs it, with its reason.
        with suppress(OSError):
            if (study / ".dvc").is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
            if folder.stat().st_mode & 0o077:
                folder.chmod(0o700)
