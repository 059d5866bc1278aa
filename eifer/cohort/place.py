"""Where a cohort may lie: in a folder of this machine, of its own, which can be read to its end."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from eifer.cohort.folder import Folder
from eifer.errors import InputError, Problem

DESCRIBED = ("dataset_description.json", "participants.tsv")
"""Files without either of which a folder is no cohort's."""


def local(path: str) -> str:
    """``path`` as it stands, once it is sure to be read as one of this machine.

    DVC takes whatever has a colon before its first slash for a URL, and asks for it over
    the network, however the path was meant.

    Raises
    ------
    ValueError
        If it is a URL or could be taken for one, names another machine, or is no path.
    """
    if not path.isprintable():
        raise ValueError("holds characters that no path should have")
    if ":" in path.split("/", maxsplit=1)[0]:
        raise ValueError(
            "reads as a URL, and only folders of this machine are read: write ./ before a path "
            "with a colon in it, or copy the recordings here"
        )
    if path.startswith("//"):
        raise ValueError("names another machine: mount its folder here, and give that path")
    if path.startswith("~"):
        raise ValueError("~ is not replaced here: write the path out (./ before a folder named so)")
    return path


def opened(root: Path) -> Folder:
    """The folder of a cohort, not yet looked into.

    Raises
    ------
    InputError
        If ``root`` is no folder that can be read, or one that no cohort can be in.
    """
    try:
        entries = os.listdir(root)
    except OSError as error:
        words = {errno.ENOENT: "missing", errno.ENOTDIR: "not a folder"}
        raise _no_cohort(f"{root}: {words.get(error.errno or 0, error.strerror)}") from None
    if not set(DESCRIBED) & set(entries):
        raise _no_cohort(f"{root}: neither {' nor '.join(DESCRIBED)} in it")
    return Folder(root)


def refuse_around(study: Path, cohort: Path) -> None:
    """Refuse a cohort's folder in which the study lies.

    Raises
    ------
    InputError
        If it does, or as `opened`.
    """
    if study.resolve().is_relative_to(opened(cohort).real):
        raise _no_cohort(f"{cohort}: the study itself lies in it")


def make_empty(out: Path, subject: str) -> None:
    """Make the folder in which a cohort is to be written.

    Raises
    ------
    InputError
        Of ``subject``, if ``out`` holds something already.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        problem = Problem("the folder to write is not empty", str(out), "give a new or empty one")
        raise InputError(subject, [problem])
    out.mkdir(parents=True, exist_ok=True)


def _no_cohort(where: str) -> InputError:
    subject = where.rpartition(": ")[0]
    return InputError(
        f"cohort {subject}", [Problem("no cohort", where, "give the path of a cohort's folder")]
    )
