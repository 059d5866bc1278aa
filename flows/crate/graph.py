"""The entities of a crate: RO-Crate 1.1 with the profile Provenance Run Crate 0.5.

What is copied has its path as ``@id``; all else is a file known by its hash (RFC 6920's ``ni``), so
that it has one name in every crate.
"""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flows.audit.study import PARAMS
from flows.crate.card import CARD
from flows.crate.croissant import CROISSANT, PARQUET, VERSION
from flows.crate.source import Source
from flows.graph import declared
from flows.run.instances import under

METADATA = "ro-crate-metadata.json"
Entity = dict[str, Any]
Record = Mapping[str, Any]
WHAT = {
    "faces": "pictures of faces",
    "recordings": "recordings of people, or corpora",
    "weights": "weights learnt from faces",
    "tables": "a table of the study",
    "code": "code or settings of the study, which its git commit has",
    "": "made by a former execution",
}
"""By `Source.group`: what is not here."""
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
BASE, WORKFLOW = "https://w3id.org/ro/crate/1.1", [*PROFILES][-1]
TERMS = "https://w3id.org/ro/terms/workflow-run#"
CONTEXT = [
    f"{BASE}/context",
    {
        "sha256": "http://schema.org/sha256",
        "environment": f"{TERMS}environment",
        "resourceUsage": f"{TERMS}resourceUsage",
    },
]
USAGE = {"wall_s": "SEC", "cpu_s": "SEC", "peak_rss_mb": "4L"}
"""What a record says of what was used, with the UN/CEFACT code of the unit."""
WHERE = ("python", "platform", "host")
DVC = "https://dvc.org"


class Graph:
    """The entities of a crate by their ids."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.study = source.study
        self.entities: dict[str, Entity] = {}

    def add(self, id_: str, type_: str | list[str], **about: Any) -> str:
        """Add an entity unless it is there; its id. What is empty is left out."""
        about = {name: value for name, value in about.items() if value not in ("", [], None)}
        self.entities.setdefault(id_, {"@id": id_, "@type": type_, **about})
        return id_

    def file(self, name: str, sha256: str, size: int | None = None, **about: Any) -> str:
        """A file of the study with the bytes that it had: copied, or known by its hash."""
        place, content = self.source.copied.get(name, ("", None))
        about = {"type_": "File", "name": name, "sha256": sha256, **about}
        about["encodingFormat"] = _format(name)
        if content and content.sha256 == sha256:
            return self.add(address(place), **about, contentSize=str(content.size))
        digest = base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")
        id_ = f"ni:///sha-256;{digest}"
        if known := self.entities.get(id_):
            if name not in (names := _listed(known["name"])):
                known["name"] = [*names, name]
            return id_
        path = self.study.root / name
        if size is None and path.is_file() and self.study.hashed(path).sha256 == sha256:
            size = self.study.hashed(path).size
        about["description"] = f"Not in this crate: {WHAT[self.source.group(name)]}"
        return self.add(id_, **about, contentSize=None if size is None else str(size))

    def bytes_of(self, record: Record, files: str, folders: str) -> list[str]:
        """What an execution read or made: folders as dvc.lock names them, and single files."""
        hashed = {name: sha256 for name, sha256 in record[files].items() if sha256}
        named = record.get("dvc", {}).get(folders, {})
        ids = []
        for name, known in named.items():
            if not known["sha256"].endswith(".dir"):
                ids.append(self.file(name, known["sha256"], known["size"]))
                continue
            ids.append(folder := f"#{quote(name)}/{known['sha256'][:16]}")
            if folder not in self.entities:
                parts = [self.file(n, s) for n, s in hashed.items() if under(n, [name])]
                size = f"{known['nfiles']} files, {known['size']} bytes"
                self.add(folder, "Collection", name=name, size=size, hasPart=refs(parts))
        return ids + [self.file(n, s) for n, s in hashed.items() if not under(n, named)]

    def value(self, name: str, value: Any, **about: Any) -> str:
        """A value that an execution had, by its content."""
        text = value if isinstance(value, (str, int, float)) else json.dumps(value, sort_keys=True)
        digest = hashlib.sha256(repr(value).encode()).hexdigest()[:12]
        return self.add(f"#{quote(name)}={digest}", "PropertyValue", name=name, value=text, **about)

    def params(self, record: Record) -> dict[str, str]:
        """The params that an execution could see, each as the workflow declares it, by value."""
        found = {}
        for name, value in record.get("params", {}).get("values", {}).items():
            formal = f"#{PARAMS}:{quote(name)}"
            self.add(formal, "FormalParameter", name=name, additionalType="PropertyValue")
            found[self.value(f"{PARAMS}:{name}", value, exampleOfWork={"@id": formal})] = formal
        return found

    def execution(self, file: str, record: Record) -> str:
        """An execution of a stage with all that its record says, and what controlled it; its id."""
        stage = record["stage"].split("@")[0]
        command = record.get("command", f"python -m stages.{stage}")  # older records have none
        module = command.split()[-1]
        ended = datetime.fromisoformat(record["finished"])
        git, params = record["git"], self.params(record)
        where = {name: record[name] for name in WHERE}
        where["git commit"] = f"{git['commit']}{', and changes' if git['changed'] else ''}"
        usage = {n: {"propertyID": n, "unitCode": code} for n, code in USAGE.items()}
        state = _state(record.get("error", ""))
        tool = self.add(
            f"#{module}",
            "SoftwareApplication",
            name=module,
            softwareVersion=record["packages"].get("eifer", "unknown"),
            input=refs(params.values()),
        )
        about = {"name": stage, "workExample": {"@id": tool}}
        step = self.add(f"#step/{stage}", "HowToStep", **about)
        action = self.add(
            _action(file),
            "CreateAction",
            name=record["stage"],
            description=f"{command} for {record['stage']}",
            instrument={"@id": tool},
            agent={"@id": "#agent"},
            startTime=_time(ended - timedelta(seconds=record["wall_s"])),
            endTime=_time(ended),
            **state,
            object=refs([*self.bytes_of(record, "given", "deps"), *params]),
            result=refs(self.bytes_of(record, "made", "outs")),
            environment=refs(self.value(name, value) for name, value in where.items()),
            resourceUsage=refs(self.value(n, record[n], **unit) for n, unit in usage.items()),
            subjectOf={"@id": self.file(file, self.source.copied[file][1].sha256)},
        )
        about = {"instrument": {"@id": step}, "object": {"@id": action}, **state}
        self.add(f"{action}/control", "ControlAction", name=f"DVC ran {record['stage']}", **about)
        return action

    def workflow(self) -> str:
        """The workflow with its steps and its run, and the engine that ran every execution."""
        executions = self.source.executions
        actions = [self.execution(file, record) for file, record in executions]
        blocks, newest = [*declared(self.study.root)], executions[-1][1]
        steps = [f"#step/{stage}" for stage in blocks if f"#step/{stage}" in self.entities]
        steps += [id_ for id_ in self.of("HowToStep") if id_ not in steps]  # of former graphs
        for position, id_ in enumerate(steps):
            self.entities[id_]["position"] = str(position)
        version = newest["packages"].get("dvc", "unknown")
        language = self.add(f"{DVC}/doc", "ComputerLanguage", name="dvc.yaml", url=f"{DVC}/doc")
        tools = self.of("SoftwareApplication")
        workflow = self.file(
            "dvc.yaml",
            self.source.copied["dvc.yaml"][1].sha256,
            type_=["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            programmingLanguage={"@id": language},
            version=newest["git"]["commit"] or "no commit",
            hasPart=refs(tools),
            step=refs(steps),
            input=refs(self.of("FormalParameter")),
        )
        engine = self.add(DVC, "SoftwareApplication", name="DVC", url=DVC, softwareVersion=version)
        self.add(
            "#dvc",
            "OrganizeAction",
            name="Every execution on record",
            agent={"@id": "#agent"},
            instrument={"@id": engine},
            object=refs(f"{action}/control" for action in actions),
            result={"@id": self.run(workflow)},
        )
        return workflow

    def run(self, workflow: str) -> str:
        """The run of the workflow: the executions that made what dvc.lock names, as one."""
        missing = sorted(self.study.graph.keys() - self.study.lock.keys())
        makers = [maker for address in self.study.lock if (maker := self.study.maker(address))]
        actions = [self.entities[_action(file)] for file, _ in makers]
        read, made = (
            {id_: self._files(id_) for action in actions for id_ in _ids(action.get(key))}
            for key in ("object", "result")
        )
        inner = set[str]().union(*read.values()) & set[str]().union(*made.values())
        return self.add(
            "#run",
            "CreateAction",
            name=f"Study {self.source.name}",
            description="The executions that made what dvc.lock names",
            instrument={"@id": workflow},
            agent={"@id": "#agent"},
            startTime=min((action["startTime"] for action in actions), default=None),
            endTime=max((action["endTime"] for action in actions), default=None),
            **_state(f"has not run: {', '.join(missing)}" if missing else ""),
            object=refs(id_ for id_, files in read.items() if not files & inner),
            result=refs(id_ for id_, files in made.items() if not files & inner),
        )

    def _files(self, id_: str) -> set[str]:
        """The files of a folder, or what else it is itself."""
        return set(_ids(self.entities[id_].get("hasPart"))) or {id_}

    def of(self, type_: str) -> list[str]:
        """The ids of the entities of a type."""
        return [id_ for id_, e in self.entities.items() if type_ in _listed(e["@type"])]

    def crate(self, licence: str, signature: str = "") -> list[Entity]:
        """Every entity, the descriptor and the root first; a ``signature`` is of all files."""
        note = "Who works in the study by its git; records do not say who ran a stage."
        agent = self.add("#agent", "Person", name=self.source.agent, description=note)
        workflow = self.workflow()
        for name, (_, content) in self.source.copied.items():
            self.file(name, content.sha256)
        if self.source.faces():
            self.add(VERSION, "CreativeWork", name="Croissant", version="1.0")
            about = {"conformsTo": {"@id": VERSION}, "encodingFormat": "application/ld+json"}
            self.add(CROISSANT, "File", name="What each face is, for training", **about)
            about = {"name": "Data card: who and what is in it, how it was made, its limits"}
            self.add(CARD, "File", encodingFormat="text/markdown", **about)
        if signature:
            about = {"encodingFormat": "application/json"}
            self.add(signature, "File", name="Signature of all other files", **about)
        for profile, title in PROFILES.items():
            self.add(profile, "CreativeWork", name=title, version=profile.rsplit("/", 1)[1])
        if linked := licence.startswith(("http://", "https://")):
            self.add(licence, "CreativeWork", name=licence)
        actions = [*self.of("CreateAction"), *self.of("OrganizeAction"), *self.of("Collection")]
        root = {
            "@id": "./",
            "@type": "Dataset",
            "name": f"eifer study {self.source.name}",
            "description": "A study with every execution on record, failed ones too: what each "
            "read and made, by SHA-256. Files that are not here are known by their hashes.",
            "identifier": self.source.identifier,
            "datePublished": self.source.newest,
            "license": {"@id": licence} if linked else licence,
            "author": {"@id": agent},
            "conformsTo": refs(PROFILES),
            "mainEntity": {"@id": workflow},
            "hasPart": refs(self.of("File")),
            "mentions": refs(actions),
        }
        head = {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}}
        return [{**head, "conformsTo": refs([BASE, WORKFLOW])}, root, *self.entities.values()]


def refs(ids: Iterable[str]) -> Any:
    """References to entities, as RO-Crate writes them: one alone, or a list."""
    found = [{"@id": id_} for id_ in ids]
    return found[0] if len(found) == 1 else found


def address(place: str) -> str:
    """The id of a file of the crate."""
    return quote(place, safe="/@")


def _ids(found: Any) -> list[str]:
    return [ref["@id"] for ref in ([found] if isinstance(found, dict) else found or [])]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _action(file: str) -> str:
    return f"#{address(Path(file).stem)}"


def _state(error: str) -> dict[str, str]:
    state = "Failed" if error else "Completed"
    return {"actionStatus": f"http://schema.org/{state}ActionStatus", "error": error}


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _format(name: str) -> str:
    known = {".parquet": PARQUET, ".yaml": "text/yaml"}
    return known.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "text/plain"
