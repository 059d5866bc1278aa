"""``eifer crate``: what was written where, what was left out, and how to check it."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path

from flows.crate.croissant import CROISSANT
from flows.crate.graph import METADATA
from flows.crate.signature import signer
from flows.crate.writing import write
from flows.pages.summary import console


def show(
    study: Path, out: Path, asked: Collection[str], licence: str, key: Path | None = None
) -> None:
    """Write a crate of the study in the folder ``study``, signed by a ``key``; say where it is.

    Raises
    ------
    StudyError
        As `write` and `signer`.
    """
    sign = signer(key) if key else None
    console_ = console()
    with console_.status("hashing and copying"):
        source = write(study, out, asked, licence, sign)
    failed = sum("error" in record for _, record in source.executions)
    console_.print(
        f"crate in {out}: {len(source.executions)} executions ({failed} failed), "
        f"{len(source.copied)} files copied"
        f"{', with ' + ', '.join(sorted(asked)) if asked else ', nobody is seen in it'}",
        soft_wrap=True,
    )
    there = shlex.quote(str(out))
    console_.print("check it: pip install roc-validator mlcroissant, then", soft_wrap=True)
    console_.print(f"  rocrate-validator validate {there}", soft_wrap=True)
    if source.faces():
        console_.print(f"  mlcroissant validate --jsonld {there}/{CROISSANT}", soft_wrap=True)
    if key:
        about = f"signed by {key}: eifer audit --key PUBLIC.pem --crate {there}"
        console_.print(about, soft_wrap=True)
    console_.print(f"what it says of each file and execution: {out / METADATA}", soft_wrap=True)
