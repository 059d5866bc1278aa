"""``eifer withdraw``: a person leaves the study, with all that came of their recordings.

Each step may be repeated: a withdrawal that was killed is ended by the same command. Params come
first, so that nothing is made of the person again; the certificate next, which knows every hash.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eifer.cohort.layout import WITHDRAWN
from eifer.cohort.place import opened as opened_cohort
from eifer.errors import StudyError, did_you_mean, examples, shortened
from flows.audit.study import PARAMS, Recorded, mlflow_database
from flows.locks import held, without_flow
from flows.run import lockfile
from flows.run.instances import refuse_elsewhere, sound_instances, under
from flows.servers.addresses import of_services
from flows.servers.server import DATABASE_CHOICES, PREFECT_HOME
from flows.withdraw import certificate, found, objects
from flows.withdraw.certificate import Certificate
from flows.withdraw.found import Derived
from flows.withdraw.objects import Objects
from flows.workspace import rewrite
from stages._runtime import data_docs, mlflow_place
from stages._runtime.artifacts import read_table
from stages._runtime.kinds import EI
from stages.catalogue import INTAKE as INTAKE_FOLDER
from stages.catalogue import PARTICIPANTS

Log = Callable[[str], None]
INTAKE = INTAKE_FOLDER.path
ELSEWHERE = (
    "other clones of this study, and clones of nodes: withdraw there, too",
    "backups and snapshots of these folders, copies of the report, crates and files that somebody "
    "took along",
    "git's history of params and hashes; study.exclude names the person",
    "what a disk keeps of deleted files: they were unlinked, not overwritten",
)


@dataclass(frozen=True)
class Options:
    """How to withdraw: with the ``recordings`` deleted, in a cache that others may share."""

    recordings: bool = False
    shared_cache: bool = False


def prepare(study: Path, person: str, options: Options) -> None:
    """Refuse what cannot be done, before anything is looked through.

    Raises
    ------
    StudyError
        If there is no study of participants here, the person is not in it, its services run, or
        its cache may be others'.
    """
    refuse_elsewhere(study)
    recorded = Recorded(study)
    if recorded.protocol != EI:
        raise StudyError(
            "only the EI study knows participants: take the pictures of the person out of the "
            "corpus, run again, and `dvc gc --workspace --cloud` removes what is no longer used"
        )
    sound_instances(study)
    names = sorted({*_listed(recorded), *_taken_in(study)})
    begun = Path(person).name == person and certificate.read(study, person)
    if person not in names and not begun:
        near = did_you_mean(person, names) or (f"; there are {examples(names)}")
        raise StudyError(f"no participant {person} in {recorded.recordings}{near}")
    if of_services(study):
        raise StudyError("`eifer services` run in this study and hold its databases: end them")
    with objects.opened(study) as (cache, _, _):
        where = Path(cache.odb.path).resolve()
    if not where.is_relative_to(study.resolve()) and not options.shared_cache:
        raise StudyError(
            f"the cache lies outside the study ({where}): other studies may keep the same objects "
            "there, and nobody knows who needs them. They would have to compute or pull them "
            "again; if that may be, add --shared-cache"
        )
    if options.recordings and _simulated(recorded):
        raise StudyError("the recordings are simulated: they are nobody's, and a stage makes them")


def look(study: Path, person: str, reason: str, options: Options) -> Certificate:
    """What a withdrawal would remove, by place. Writes nothing."""
    recorded = Recorded(study)
    with objects.opened(study) as (cache, remotes, refused):
        places = [cache, *remotes]
        derived = found.find(recorded, person, places)
        paper = Certificate(person, reason, str(recorded.params["study"]["name"]), _now())
        recordings = _recordings(recorded, person)
        if options.recordings:
            _add_recordings(recorded, person, recordings, derived)
            paper.found["recordings"] = len(recordings)
        paper.take(derived)
        paper.found["instances that ran"] = len(derived.addresses & recorded.lock.keys())
        lying = list(found.lying(study, derived, found.clean(recorded, derived)))
        tops = [path.relative_to(study).parts[0] for path in lying]
        paper.found["files in data"] = tops.count("data")
        paper.found["files in runs (MLflow's files among them)"] = tops.count("runs")
        paper.found["records of executions"] = len(found.stale_records(recorded, derived))
        for place in places:
            paper.found[f"{place.name}: objects"] = len(place.there(derived.md5))
            paper.found[f"{place.name}: executions"] = len(_executions(place, derived))
        paper.found["runs in MLflow's database"] = sum(mlflow_runs(study).values())
        paper.left = _left(recorded, recordings, options)
        paper.not_reached = [*refused, *_not_reached(recorded)]
        mine = [p for p in lying if derived.has(recorded.hashed(p))]
        if committed := found.in_git(study, mine):
            paper.not_reached.append(
                f"git has {len(committed)} of these files ({examples(committed)}): only rewriting "
                "its history, here and in every clone, takes them out"
            )
        if unknown := set(cache.odb.all()) - derived.known - derived.kept:
            paper.not_reached.append(
                f"{len(unknown)} objects in the cache that no dvc.lock, record or run-cache names: "
                "`dvc gc --workspace` removes what is not in use"
            )
    return paper


def carry_out(study: Path, paper: Certificate, options: Options, log: Log) -> Certificate:
    """Remove all of it, and look for it; the study must be left by every other process.

    ``paper`` is a certificate just made by `look`, or one of before: what it names is removed.

    Raises
    ------
    StudyError
        If a run or dvc is going on, or anything is still there in the end.
    """
    with _alone(study):
        recorded = Recorded(study)
        if paper.state == "begun":
            _exclude(recorded, paper.participant)
            paper.save(study)
        derived = paper.derived()
        with lockfile.still(study), objects.opened(study) as (cache, remotes, refused):
            executions: dict[str, list[str]] = {}
            if paper.state == "begun":
                found.keep(recorded, derived, [cache, *remotes])
                executions = {p.name: _executions(p, derived) for p in (cache, *remotes)}
                _remove_files(recorded, paper, derived, options)
                paper.save(study)
            else:
                _drop_alike(recorded, paper, [cache, *remotes])
                derived = paper.derived()
            for place in (cache, *remotes):
                log(f"removing from {place.name}")
                try:
                    count = place.remove(derived.md5, executions.get(place.name, []))
                    _add(paper.removed, place.name, count)
                except Exception as error:  # of whatever cloud: each has its own
                    refused.append(f"{place.name}: {shortened(error)}")
                paper.save(study)
            paper.not_reached = list(dict.fromkeys([*paper.not_reached, *refused]))
        if paper.state == "begun":
            lockfile.forget(study, lambda entry: derived.stale(entry.get("outs", [])))
            log("removing from MLflow")
            _remove_from_mlflow(recorded, paper)
            paper.state, paper.ended = "removed", _now()
        _add(paper.removed, "DVC's lists of file names, elsewhere", objects.forget_names(study))
        check(study, paper, log, remove=True)
    return paper


def check(study: Path, paper: Certificate, log: Log, *, remove: bool = False) -> None:
    """Look for every hash in the study, its cache and its remotes; copies may be removed first.

    Raises
    ------
    StudyError
        If any is there.
    """
    recorded, derived = Recorded(study), paper.derived()
    log("hashing every file of the study, to look for what should be gone")
    with objects.opened(study) as (cache, remotes, _):
        hits, files = found.scan(recorded, derived, cache, remotes)
        if remove and hits:
            copies = [Path(hit) for hit in hits if Path(hit).is_file()]
            for path in copies:
                path.unlink()
            _add(paper.removed, "copies elsewhere in the study", len(copies))
            hits, files = found.scan(recorded, derived, cache, remotes)
        asked = ", ".join(place.name for place in remotes) or "no remote is configured"
    paper.checked.append(
        f"{_now()}: {files} files hashed in study, cache and tracking store; asked: {asked}; "
        f"{len(hits)} found"
    )
    paper.save(study)
    if hits:
        raise StudyError(f"still there: {examples(hits)}; call the same command again")


def finish(study: Path, paper: Certificate, log: Log) -> None:
    """Note that the study was computed again without the person, and look for the hashes again."""
    paper.state, paper.run, paper.ended = "finished", "the whole study, to its end", _now()
    with objects.opened(study) as (cache, remotes, _):
        _drop_alike(Recorded(study), paper, [cache, *remotes])
    check(study, paper, log)


def _drop_alike(study: Recorded, paper: Certificate, places: Sequence[Objects]) -> None:
    """Look no longer for bytes that came out the same without the person, such as empty tables."""
    intake = study.lock.get("intake", {}).get("outs", [{}])[0]
    if not (study.root / INTAKE).is_dir() or study.now(INTAKE).md5 != intake.get("md5"):
        return
    if paper.participant in _taken_in(study.root):
        return  # results of before: somebody brought them back
    now, derived = Derived(), paper.derived()
    found.keep(study, now, places)
    alike = (derived.md5 | derived.sha256) & now.kept
    paper.made_alike += len(alike)
    paper.md5, paper.sha256 = sorted(derived.md5 - alike), sorted(derived.sha256 - alike)


# --- what is there ---


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _simulated(study: Recorded) -> bool:
    return any(under(study.recordings, instance.outs) for instance in study.graph.values())


def _listed(study: Recorded) -> list[str]:
    """Everybody in the cohort, if it is there."""
    root = study.root / study.recordings
    if not root.is_dir():
        return []
    rows = opened_cohort(root).rows("participants.tsv", ("participant_id",)) or []
    return [row.cells["participant_id"] for row in rows]


def _taken_in(study: Path) -> list[str]:
    """Everybody whom intake took by name, who may be gone from the cohort by now."""
    path = study / PARTICIPANTS.path
    names = read_table(path, PARTICIPANTS.table)["participant_id"] if path.is_file() else ()
    return [name for name in names if not name.startswith(f"{WITHDRAWN}-")]


def came_back(study: Path, paper: Certificate) -> bool:
    """Whether the study has taken somebody in again since their withdrawal."""
    return paper.state != "begun" and paper.participant in _taken_in(study)


def _recordings(study: Recorded, person: str) -> list[Path]:
    folder = study.root / study.recordings / person
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _add_recordings(
    study: Recorded, person: str, recordings: Sequence[Path], derived: Derived
) -> None:
    """Add the recordings' hashes, but of bytes that others have, too (the same few ratings)."""
    cohort, sizes = study.root / study.recordings, {path.stat().st_size for path in recordings}
    theirs = {
        study.hashed(path).md5
        for path in cohort.rglob("*")
        if path.is_file()
        and path.stat().st_size in sizes
        and not path.is_relative_to(cohort / person)
    }
    for file in map(study.hashed, recordings):
        if file.md5 not in theirs:
            derived.md5.add(file.md5)
            derived.sha256.add(file.sha256)


def _left(study: Recorded, recordings: Sequence[Path], options: Options) -> list[str]:
    left = []
    if recordings and not options.recordings:
        whose = "simulated, nobody's" if _simulated(study) else "yours to keep or delete"
        left.append(f"the recordings: {len(recordings)} files in {study.recordings} ({whose})")
    if recordings:
        left.append(
            f"the row of participants.tsv in {study.recordings}; no result tells of it but a count"
        )
    left.append("this certificate, and study.exclude in params.yaml: they name the person")
    return left


def _not_reached(study: Recorded) -> Iterator[str]:
    others = [host for host in found.seen_hosts(study) if host != platform.node()]
    if others:
        yield f"the machines that computed parts of it: {', '.join(others)}"
    for name in (
        "PREFECT_API_URL",
        "PREFECT_HOME",
        "MLFLOW_TRACKING_URI",
        *sorted(DATABASE_CHOICES),
    ):
        if os.environ.get(name):
            yield f"what lies where {name} says, as logs and in backups"
    yield from ELSEWHERE


def _executions(place: Objects, derived: Derived) -> list[str]:
    return [path for path, entry in place.executions() if derived.stale(entry.get("outs", []))]


def mlflow_runs(study: Path) -> dict[str, int]:
    """The runs of the mirror in the study's own database, by experiment: the study's names."""
    if not (study / mlflow_place.DATABASE).is_file():
        return {}
    with mlflow_database(study) as database:
        return dict(
            database.execute(
                "SELECT experiments.name, count(*) FROM runs "
                "JOIN experiments USING (experiment_id) JOIN tags USING (run_uuid) "
                "WHERE tags.key = 'run_key' GROUP BY experiments.name"
            ).fetchall()
        )


# --- the steps ---


@contextmanager
def _alone(study: Path) -> Iterator[None]:
    with without_flow(study), held(study / mlflow_place.LOCK) as mirror:
        if mirror is None:
            raise StudyError(f"a run is going on in {study.resolve()}: wait for it, or end it")
        mirror.truncate(0)  # it says that MLflow shows all there is
        yield


def _exclude(study: Recorded, person: str) -> None:
    """Have params leave the person out, in the place of all that they leave out of them now."""
    if person not in _listed(study):
        return
    now: list[dict[str, Any]] = study.params["study"]["exclude"]
    others = [entry for entry in now if entry["participant"] != person]
    whole = [*others, {"participant": person, "reason": WITHDRAWN}]
    params = {**study.params, "study": {**study.params["study"], "exclude": whole}}
    rewrite(study.root / PARAMS, {"study.exclude": whole}, params)


def _remove_files(study: Recorded, paper: Certificate, derived: Derived, options: Options) -> None:
    root = study.root
    if options.recordings:
        recordings = _recordings(study, paper.participant)
        shutil.rmtree(root / study.recordings / paper.participant, ignore_errors=True)
        _add(paper.removed, "recordings", len(recordings))
    records = found.stale_records(study, derived)
    lying = list(found.lying(root, derived, found.clean(study, derived)))
    for path in [*lying, *records]:
        path.unlink()
    tops = [top for top in (root / "data").glob("*") if derived.made(f"data/{top.name}")]
    for top in (*tops, *(root / folder for folder in found.UNFINISHED), *derived.pages(root)):
        for folder in sorted((p for p in (top, *top.rglob("*")) if p.is_dir()), reverse=True):
            with suppress(OSError):  # not empty
                folder.rmdir()
    data_docs.forget(root, derived.stages)
    _add(paper.removed, "files in data and runs", len(lying))
    _add(paper.removed, "records of executions", len(records))
    # Flow runs and what they said: names of recordings, and short results.
    logs = [*(root / PREFECT_HOME).glob("prefect.db*"), *(root / PREFECT_HOME).glob("*.log")]
    for path in logs:
        path.unlink()
    _add(paper.removed, "files of Prefect", len(logs))


def _remove_from_mlflow(study: Recorded, paper: Certificate) -> None:
    own = mlflow_place.own_uri()
    wanted = [(own, name) for name in sorted({paper.study, *mlflow_runs(study.root)})]
    if not (study.root / mlflow_place.DATABASE).is_file():
        wanted = []
    if address := os.environ.get("MLFLOW_TRACKING_URI"):
        wanted.append((address, paper.study))
    for address, name in wanted:
        from stages._runtime.mlflow_store import erase  # mlflow: seconds

        where = "MLflow"
        if address != own:
            where += f" at {mlflow_place.without_password(address)}"
        try:
            _add(paper.removed, f"{where}: runs and models", erase(name, address))
        except ConnectionError as error:
            paper.not_reached.append(f"{where}: {error}")
            continue
        if address.startswith("http"):
            paper.not_reached.append(
                f"{where}: its files and rows stay, marked as deleted, until `mlflow gc` is called "
                "there"
            )


def _add(counts: dict[str, int], place: str, n: int) -> None:
    counts[place] = counts.get(place, 0) + n
