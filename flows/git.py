"""Git as it is asked in many places: in a folder, and without questions to anybody."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from eifer.errors import StudyError


def git(
    folder: Path,
    *words: str,
    check: bool = True,
    env: Mapping[str, str] = MappingProxyType({}),
    given: str | None = None,
) -> str:
    """What a git command prints in ``folder``, to which ``given`` is handed; without blanks around.

    Raises
    ------
    StudyError
        If it fails; without ``check`` that gives an empty text.
    """
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env=os.environ | dict(env) | {"GIT_TERMINAL_PROMPT": "0"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and check:
        raise StudyError(f"git {words[0]} in {folder}: {done.stderr.strip()}")
    return "" if done.returncode else done.stdout.strip()
