"""What came of a person's recordings: instances, files, and the hashes of all that they made.

Of results of now each instance is looked at: it read something of the person, or it did not (other
waves). Of former ones (other params, experiments) nobody knows who was in them, so that all that
the same stages ever made counts, but for what is still in use and nothing of the person.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from flows.audit.study import Recorded
from flows.git import git
from flows.run import lockfile
from flows.run.instances import meet
from flows.withdraw.objects import Objects
from stages._runtime import content, data_docs
from stages._runtime.mlflow_place import ARTIFACTS
from stages._runtime.provenance import FAILED, RECORDS
from stages.catalogue import VIDEOS

UNFINISHED = (Path("runs/checkpoints"), Path("runs/extracted"), FAILED)
"""What stages keep until they are done; and records of failures, which may name recordings."""
OF_MLFLOW = {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", "loader.json"}
"""Files that it writes beside weights: nothing of people."""
SKIPPED = {".git", ".venv"}


@dataclass
class Derived:
    """What came of somebody's recordings: ``addresses`` of now, ``stages``, and hashes of files."""

    addresses: set[str] = field(default_factory=set)
    stages: set[str] = field(default_factory=set)
    md5: set[str] = field(default_factory=set)
    sha256: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    """Both hashes of all that is nobody's, or of others alone."""
    known: set[str] = field(default_factory=set)
    """The MD5 of all that any dvc.lock, record or run-cache names."""

    def made(self, path: str) -> bool:
        """Whether a path in the study is, or was, an output of its stages."""
        parts = path.split("/")
        return parts[0] == "data" and len(parts) > 1 and parts[1].split(".")[0] in self.stages

    def pages(self, root: Path) -> list[Path]:
        """The folders with the pages of their data checks."""
        folders = (root / data_docs.PAGES).glob("*/")
        return sorted(place for place in folders if place.name.split("@")[0] in self.stages)

    def stale(self, outs: Sequence[dict[str, Any]]) -> bool:
        """Whether outputs as dvc.lock lists them are its stages', and none that is kept."""
        return any(self.made(o["path"]) and o.get("md5") not in self.kept for o in outs)

    def has(self, file: content.Content) -> bool:
        """Whether these bytes came of the person."""
        return file.md5 in self.md5 or file.sha256 in self.sha256


def find(study: Recorded, person: str, places: Sequence[Objects]) -> Derived:
    """Look through a study, its history, cache and remotes; nothing is written."""
    found, cohort = Derived(), _cohort(study)
    reached, of_others = [cohort], set[str]()
    for address, instance in study.graph.items():  # in the order of `dvc repro`
        of_others |= {dep for dep in instance.deps if _of_others(study, address, dep, person)}
        if any(meet(d, r) for d in instance.deps if d not in of_others for r in reached):
            found.addresses.add(address)
            found.stages.add(instance.stage)
            reached += instance.outs
    keep(study, found, places, of_others)
    for path, digest in _named(study, places):
        inside = set(_inside(digest, places))
        found.known |= inside
        if found.made(path):
            found.md5 |= inside
    for _, record in (named for records in study.records.values() for named in records):
        found.sha256 |= {sha for name, sha in record["made"].items() if sha and found.made(name)}
    for place in lying(study.root, found, clean(study, found)):
        file = study.hashed(place)
        found.md5.add(file.md5)
        found.sha256.add(file.sha256)
    found.md5 -= found.kept
    found.sha256 -= found.kept
    return found


def clean(study: Recorded, found: Derived) -> list[str]:
    """The outputs into which nothing of the person went."""
    return [out for a, i in study.graph.items() if a not in found.addresses for out in i.outs]


def given(study: Recorded) -> list[str]:
    """What stages read that none makes, but the recordings: code, declarations, their pictures."""
    made = [_cohort(study), *(out for instance in study.graph.values() for out in instance.outs)]
    read = sorted({dep for instance in study.graph.values() for dep in instance.deps})
    return [dep for dep in read if not any(meet(dep, out) for out in made)]


def keep(
    study: Recorded, found: Derived, places: Sequence[Objects], files: Collection[str] = ()
) -> None:
    """Note what of now came of others alone: the `clean` outputs, what is `given`, ``files``."""
    for name in [*clean(study, found), *given(study), *files]:
        if (study.root / name).exists():
            for file in study.files(name).values():
                found.kept |= {file.md5, file.sha256}
    for address in study.lock.keys() - found.addresses:
        for out in study.lock[address].get("outs", []):
            found.kept |= set(_inside(out.get("md5", ""), places))


def lying(root: Path, found: Derived, others: Collection[str]) -> Iterator[Path]:
    """The files of data, runs and MLflow that came of the person, unlike ``others``' outputs."""
    for top in sorted((root / "data").glob("*")):
        for path in _files(top):
            name = path.relative_to(root).as_posix()
            if found.made(name) and not any(meet(name, out) for out in others):
                yield path
    for folder in (*UNFINISHED, *found.pages(root)):
        yield from _files(root / folder)
    for path in _files(root / ARTIFACTS):
        if path.name not in OF_MLFLOW:
            yield path


def scan(
    study: Recorded, found: Derived, cache: Objects, remotes: Sequence[Objects]
) -> tuple[list[str], int]:
    """Every place that still holds bytes of the person, and how many files were hashed.

    All files are hashed: of the study but git's own and the recordings, and of the cache.
    """
    cohort = (study.root / study.recordings).resolve()
    tops = [study.root]
    if not Path(cache.odb.path).resolve().is_relative_to(study.root.resolve()):
        tops.append(Path(cache.odb.path))
    seen = dict[tuple[int, int], content.Content]()
    hits, files = list[str](), 0
    for path in (path for top in tops for path in _files(top, cohort)):
        files += 1
        status = path.stat()
        key = status.st_dev, status.st_ino  # DVC's copy and MLflow's may be the same file
        file = seen.setdefault(key, seen.get(key) or content.of_file(path))
        if found.has(file):
            hits.append(str(path))
    for place in remotes:
        hits += [f"{place.name}: {md5}" for md5 in place.there(found.md5)]
    return hits, files


def _files(top: Path, cohort: Path | None = None) -> Iterator[Path]:
    """The files in a folder, or the file itself; no link is followed."""
    if top.is_symlink() or top.name in SKIPPED or top.resolve() == cohort:
        return
    if top.is_dir():
        for inside in sorted(top.iterdir()):
            yield from _files(inside, cohort)
    elif top.is_file():
        yield top


def _cohort(study: Recorded) -> str:
    """The folder of the recordings, as dependencies name it."""
    return Path(os.path.relpath(study.root / study.recordings, study.root)).as_posix()


def _of_others(study: Recorded, address: str, dep: str, person: str) -> bool:
    """Whether a dependency is a wave's table of videos in which the person is not.

    Its rows are of one recording each. It must be the table that the instance did read.
    """
    path = study.root / dep
    if Path(dep).parent != Path(VIDEOS.path).parent or not path.is_file():
        return False
    read = {d["path"]: d.get("md5") for d in study.lock.get(address, {}).get("deps", [])}
    if read.get(dep) != study.hashed(path).md5:
        return False
    return person not in set(pd.read_parquet(path, columns=["participant_id"])["participant_id"])


def _inside(md5: str, places: Sequence[Objects]) -> Iterator[str]:
    """A hash that dvc.lock names, and those of the files that it lists, if it is known anywhere."""
    if md5:
        yield md5
    if md5.endswith(".dir"):
        listed = next((known for p in places if (known := p.listing(md5)) is not None), {})
        yield from listed.values()


def _named(study: Recorded, places: Sequence[Objects]) -> set[tuple[str, str]]:
    """Path and MD5 of all outputs that dvc.lock, its history, records or run-caches name."""
    entries: list[dict[str, Any]] = list(study.entries.values())
    for text in _former_locks(study.root):
        with suppress(yaml.YAMLError, AttributeError):  # cut while written
            entries += yaml.load(text, lockfile.LOADER)["stages"].values()
    entries += [entry for place in places for _, entry in place.executions()]
    named = {
        (out["path"], str(out.get("md5", ""))) for entry in entries for out in entry.get("outs", [])
    }
    for records in study.records.values():
        for _, record in records:
            named |= {
                (name, str(out["md5"]))
                for name, out in record.get("dvc", {}).get("outs", {}).items()
            }
    return named


def _former_locks(root: Path) -> Iterator[str]:
    """The text of every dvc.lock that git knows, those of experiments among them, and of copies."""
    for copy in (lockfile.COPY, lockfile.BROKEN):
        if (root / copy).is_file():
            yield (root / copy).read_text(errors="replace")
    known = git(root, "rev-list", "--all", "--objects", "--", lockfile.LOCK, check=False)
    for line in known.splitlines():
        blob, _, name = line.partition(" ")
        if name.rpartition("/")[2] == lockfile.LOCK:
            yield git(root, "cat-file", "blob", blob, check=False)


def in_git(root: Path, paths: Sequence[Path]) -> list[str]:
    """Which of these files git has by their bytes, committed or not."""
    names = {}
    for path in paths:
        text = path.read_bytes()
        names[hashlib.sha1(b"blob %d\0" % len(text) + text).hexdigest()] = str(path)
    form = "--batch-check=%(objectname) %(objecttype)"
    asked = git(root, "cat-file", form, check=False, given="\n".join(names))
    known = [line.split()[0] for line in asked.splitlines() if line.endswith(" blob")]
    return sorted(names[blob] for blob in known)


def stale_records(study: Recorded, found: Derived) -> list[Path]:
    """The records of executions whose outputs came of the person, or may have."""
    return [
        study.root / name
        for records in study.records.values()
        for name, record in records
        if found.stale([{"path": n, **o} for n, o in record.get("dvc", {}).get("outs", {}).items()])
        or (not record.get("dvc") and any(map(found.made, record["made"])))
    ]


def seen_hosts(study: Recorded) -> list[str]:
    """The machines that executed stages, as the records name them."""
    texts = [path.read_text() for path in (study.root / RECORDS).glob("*.json")]
    return sorted({str(json.loads(text).get("host", "")) for text in texts} - {""})
