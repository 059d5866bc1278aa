"""Nothing is sent home: every tool's telemetry is off unless a user turns it on."""

from __future__ import annotations

import os

TELEMETRY_OFF = {
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}


def no_telemetry() -> None:
    """Set the variables by which each tool is told; a value already set is kept."""
    for name, value in TELEMETRY_OFF.items():
        os.environ.setdefault(name, value)
