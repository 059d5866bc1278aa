"""The links to what a study was made with: the packages, and the commit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flows.audit.study import PARAMS, Recorded, Verdict
from flows.git import git
from stages._runtime.provenance import REWRITTEN, packages

LOCK = "requirements.lock"
OF_STUDY = ("eifer", "stages", "reports", "presets", "dvc.yaml", "params.yaml", LOCK)
"""What a result follows from, of what git knows."""


def environment(study: Recorded) -> Verdict:
    """The packages installed here, and those that stages ran with, are those of the lock."""
    verdict = Verdict("environment", of=f"{LOCK}: the packages here and those of the records")
    installed = {_name(name): version for name, version in packages().items()}
    path = study.root / LOCK
    if not path.is_file():
        verdict.unchecked.append(f"{LOCK}: missing; the records are compared with what is here")
        locked: dict[str, str] = {}
    else:
        pairs = (line.partition("==")[::2] for line in path.read_text().splitlines())
        locked = {_name(name): version.split()[0] for name, version in pairs if version.strip()}
    for name, version in locked.items():
        verdict.checked += 1
        if name not in installed:
            verdict.unchecked.append(f"{name} {version} is not installed")
        elif _public(installed[name]) != _public(version):
            verdict.places.append(f"{name} here is {installed[name]}, in {LOCK} {version}")
    apart: dict[str, list[str]] = {}
    for address, records in study.records.items():
        if address not in study.graph:
            continue
        for name, version in records[0][1].get("packages", {}).items():
            verdict.checked += 1
            key = _name(name)
            wanted = locked.get(key) or installed.get(key)
            if wanted and _public(version) != _public(wanted):
                apart.setdefault(f"{name} was {version}, is {wanted} now", []).append(address)
    verdict.places += [f"{what} (record of {', '.join(of[:3])})" for what, of in apart.items()]
    return verdict


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _public(version: str) -> str:
    """A version without the build that a registry adds: ``2.15.0+cpu``."""
    return version.strip().partition("+")[0]


def commit(study: Recorded) -> Verdict:
    """Code and params are those of the commit that the records name."""
    verdict = Verdict("commit", of="git: the commit of each record, and of the files here")
    head = git(study.root, "rev-parse", "--verify", "--quiet", "HEAD", check=False)
    if not head:
        verdict.unchecked.append("no commit here; `git commit` keeps what made a result")
        verdict.places += _bytes_of_params(study)
        return verdict
    apart = [f":(exclude){name}" for name in REWRITTEN]
    words = ["diff", "HEAD", "--name-only", "--relative", "-z", "--", *OF_STUDY, *apart]
    named = sorted(set(filter(None, git(study.root, *words, check=False).split("\0"))))
    newest = {a: records[0] for a, records in study.records.items() if a in study.graph}
    lists = [record["git"]["changed"] for _, record in newest.values()]
    # Records of former versions say only whether anything was changed.
    said = {name for changed in lists if isinstance(changed, list) for name in changed}
    for name in named:
        verdict.checked += 1
        # The records name what was not of the commit, with the hashes of what a stage read.
        (verdict.unchecked if name in said else verdict.places).append(
            f"{name}: not as in commit {head[:12]}"
        )
    for address, (file, record) in newest.items():
        verdict.checked += 1
        made = record["git"]["commit"]
        if made is None:
            verdict.unchecked.append(f"{address}: made before the first commit ({file})")
        elif not git(study.root, "cat-file", "-t", f"{made}^{{commit}}", check=False):
            verdict.places.append(f"{address}: commit {made[:12]} is not known here ({file})")
    return verdict


def _bytes_of_params(study: Recorded) -> Iterator[str]:
    """Whether params.yaml, comments included, is another than the newest record's."""
    records = [records[0] for records in study.records.values() if "params" in records[0][1]]
    if not records:
        return
    file, record = max(records, key=lambda named: named[0])
    if record["params"] and list(study.changed({PARAMS: record["params"]["sha256"]})):
        yield f"{PARAMS}: other bytes than {file} has"
