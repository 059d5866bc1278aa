"""``eifer crate``: a study with every execution on record, as a Workflow Run RO-Crate.

Profile: Provenance Run Crate 0.5. What is copied has its path as ``@id``; all else is a file known
by its hash (RFC 6920's ``ni``), so that it has one name in every crate.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import mimetypes
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from eifer.errors import StudyError, did_you_mean, examples
from flows import croissant
from flows.audit.hashes import code_and_params, unlike
from flows.audit.study import PARAMS, Recorded
from flows.graph import declared
from stages._runtime.artifacts import write_json
from stages._runtime.content import Content
from stages._runtime.kinds import KINDS
from stages._runtime.places import MadeTable
from stages._runtime.provenance import FAILED, RECORDS

METADATA, CROISSANT = "ro-crate-metadata.json", "croissant.json"
Entity = dict[str, Any]
ASKED = ("faces", "recordings", "weights", "tables")
"""What is copied for the asking alone."""
HERE: Mapping[str, tuple[str, ...]] = {
    "ei": ("SELECTION",),
    "expressions": ("DESCRIBED", "RELABELLED"),
}
"""Of each kind of study the tables of its catalogue that say what each face is."""
OWN = (PARAMS, "dvc.yaml", "dvc.lock", "CITATION.cff", "LICENSE", "requirements.lock")
WHAT = {
    "faces": "pictures of faces",
    "recordings": "recordings of people, or corpora",
    "weights": "weights learnt from faces",
    "tables": "a table of the study",
    "code": "code or settings of the study, which its git commit has",
    "": "made by a former execution",
}
NO_LICENCE = "No licence is stated: ask those who made the study."
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
TERMS = "https://w3id.org/ro/terms/workflow-run#"
CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    {
        "sha256": "http://schema.org/sha256",
        "environment": f"{TERMS}environment",
        "resourceUsage": f"{TERMS}resourceUsage",
    },
]
USAGE = {"wall_s": "SEC", "cpu_s": "SEC", "peak_rss_mb": "4L"}
"""What a record says of what was used, with the UN/CEFACT code of the unit."""


class Source:
    """What a crate of the study in ``root`` can tell, and which of its files it copies."""

    def __init__(self, root: Path, asked: Collection[str] = ()) -> None:
        self.study = Recorded(root)
        self.asked = set(asked)
        self.kind = next(name for name, kind in KINDS.items() if kind is self.study.kind)
        self.catalogue = self.study.kind.catalogue

    @cached_property
    def executions(self) -> list[tuple[str, dict[str, Any]]]:
        """Every record with the path of its file, in the order of time."""
        paths = [path for at in (RECORDS, FAILED) for path in (self.study.root / at).glob("*.json")]
        paths.sort(key=lambda path: path.name)
        return [
            (path.relative_to(self.study.root).as_posix(), json.loads(path.read_text("utf-8")))
            for path in paths
        ]

    @cached_property
    def outs(self) -> list[str]:
        """What the study's instances have made, as dvc.lock has it."""
        entries = self.study.lock.values()
        return [out["path"] for entry in entries for out in entry.get("outs", [])]

    @cached_property
    def copied(self) -> dict[str, tuple[str, Content]]:
        """Where a file lies in the crate, by its path in the study, and its content."""
        study = self.study
        names = [name for name in OWN if (study.root / name).is_file()]
        names += [name for name, _ in self.executions]
        for out in self.outs:
            names += [n for n in study.files(out) if self.group(n) in {"", *self.asked}]
        here = {name: (name, study.hashed(study.root / name)) for name in names}
        if "recordings" in self.asked and (study.root / study.recordings).exists():
            for name, content in study.files(study.recordings).items():
                inside = name.removeprefix(study.recordings).lstrip("/") or Path(name).name
                here.setdefault(name, (f"recordings/{inside}", content))
        return here

    def group(self, name: str) -> str:
        """What a file is: the word by which it is asked for, ``code``, or none if it is copied."""
        if Path(name).is_relative_to(self.study.recordings):
            return "recordings"
        if not _under(name, self.outs):
            return "code"
        if _under(name, ["data/report"]) or self._made(name, self.face_tables):
            return ""
        known = {".json": "", ".md": "", ".safetensors": "weights", ".parquet": "tables"}
        group = known.get(Path(name).suffix, "recordings")
        return "faces" if group == "tables" and self._made(name, self._pictures) else group

    @cached_property
    def face_tables(self) -> list[MadeTable]:
        """The tables that say what each face is."""
        return [getattr(self.catalogue, name) for name in HERE[self.kind]]

    @cached_property
    def _pictures(self) -> list[MadeTable]:
        made = [table for folder in self.catalogue.FOLDERS for table in folder.made]
        tables = [table for table in made if isinstance(table, MadeTable)]
        return [t for t in tables if any(column.kind == "bytes" for column in t.table.columns)]

    @staticmethod
    def _made(name: str, tables: Iterable[MadeTable]) -> MadeTable | None:
        """The table that a file is, or is a part of."""
        for table in tables:
            pattern = re.sub(r"\$\{[^}]*\}", "*", table.path)
            if any(fnmatch.fnmatch(name, each) for each in (pattern, f"{pattern}/*.parquet")):
                return table
        return None

    def faces(self) -> dict[str, tuple[MadeTable, Content]]:
        """The copied files that say what each face is."""
        tables = {name: self._made(name, self.face_tables) for name in self.copied}
        return {name: (made, self.copied[name][1]) for name, made in tables.items() if made}

    @property
    def identifier(self) -> str:
        """What tells this study from others: the first record that it left."""
        name, record = self.executions[0]
        return f"{self.study.params['study']['name']}, {Path(name).stem}, {record['sha256'][:16]}"

    @cached_property
    def agent(self) -> str:
        """The name that git has for who works in the study, or who committed it last."""
        for words in (("config", "user.name"), ("log", "-1", "--format=%an")):
            git = ["git", "-C", str(self.study.root), *words]
            done = subprocess.run(git, capture_output=True, text=True, check=False)
            if name := done.stdout.strip():
                return name
        return "not recorded"


class Graph:
    """The entities of a crate by their ids."""

    def __init__(self, source: Source, licence: str) -> None:
        self.source = source
        self.study = source.study
        self.licence = licence
        self.entities: dict[str, Entity] = {}
        self.mentioned: list[str] = []

    def add(self, id_: str, type_: str | list[str], **about: Any) -> str:
        """Add an entity unless it is there; its id. Values that are empty are left out."""
        about = {name: value for name, value in about.items() if value not in ("", [], None)}
        self.entities.setdefault(id_, {"@id": id_, "@type": type_, **about})
        return id_

    def file(self, name: str, sha256: str, size: int | None = None, **about: Any) -> str:
        """A file of the study with the bytes that it had: copied, or known by its hash."""
        place, content = self.source.copied.get(name, ("", None))
        if content and content.sha256 == sha256:
            return self.add(
                quote(place, safe="/@"),
                **{"type_": "File", "name": name, "sha256": sha256, **about},
                contentSize=str(content.size),
                encodingFormat=_format(name),
            )
        digest = base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")
        id_ = f"ni:///sha-256;{digest}"
        if known := self.entities.get(id_):
            if name not in (names := _listed(known["name"])):
                known["name"] = [*names, name]
            return id_
        path = self.study.root / name
        if size is None and path.is_file() and self.study.hashed(path).sha256 == sha256:
            size = self.study.hashed(path).size
        return self.add(
            id_,
            "File",
            name=name,
            sha256=sha256,
            contentSize=None if size is None else str(size),
            encodingFormat=_format(name),
            description=f"Not in this crate: {WHAT[self.source.group(name)]}. Known by its hash.",
        )

    def read_or_made(self, record: Mapping[str, Any], files: str, folders: str) -> list[str]:
        """What an execution read or made: folders as dvc.lock names them, and single files."""
        hashed = {name: sha256 for name, sha256 in record[files].items() if sha256}
        named = record.get("dvc", {}).get(folders, {})
        ids = []
        for name, known in named.items():
            if not known["sha256"].endswith(".dir"):
                ids.append(self.file(name, known["sha256"], known["size"]))
                continue
            ids.append(collection := f"#{quote(name)}/{known['sha256'][:16]}")
            if collection not in self.entities:
                parts = [self.file(n, s) for n, s in hashed.items() if _under(n, [name])]
                size = f"{known['nfiles']} files, {known['size']} bytes"
                self.add(collection, "Collection", name=name, size=size, hasPart=refs(parts))
                self.mentioned.append(collection)
        return ids + [self.file(n, s) for n, s in hashed.items() if not _under(n, named)]

    def value(self, name: str, value: Any, **about: Any) -> str:
        """A value of an execution, by its content; ``about`` says more of it."""
        text = value if isinstance(value, (str, int, float)) else json.dumps(value, sort_keys=True)
        digest = hashlib.sha256(repr(value).encode()).hexdigest()[:12]
        return self.add(f"#{quote(name)}={digest}", "PropertyValue", name=name, value=text, **about)

    def param(self, name: str, value: Any) -> str:
        """The value of a parameter, as an example of that input of the workflow."""
        formal = {"@id": self.formal(name)}
        return self.value(f"{PARAMS}:{name}", value, exampleOfWork=formal, propertyID=name)

    def formal(self, name: str) -> str:
        """A parameter as the workflow declares it."""
        about = {"name": name, "additionalType": "PropertyValue"}
        return self.add(f"#{PARAMS}:{quote(name)}", "FormalParameter", **about)

    def execution(self, file: str, record: Mapping[str, Any], agent: str) -> str:
        """An execution of a stage with all that its record says; the id of what controlled it."""
        stage = record["stage"].split("@")[0]
        ended = datetime.fromisoformat(record["finished"])
        error = record.get("error", "")
        state = "Failed" if error else "Completed"
        values = record.get("params", {}).get("values", {})
        git = record["git"]
        where = {n: record[n] for n in ("python", "platform", "host")}
        where["git commit"] = f"{git['commit']}{', and changes' if git['changed'] else ''}"
        action = self.add(
            f"#{quote(Path(file).stem, safe='@')}",
            "CreateAction",
            name=record["stage"],
            description=f"{record['command']} of stage {record['stage']}"
            + (" failed" if error else ""),
            instrument={"@id": self.tool(record)},
            agent={"@id": agent},
            startTime=_time(ended - timedelta(seconds=record["wall_s"])),
            endTime=_time(ended),
            actionStatus=f"http://schema.org/{state}ActionStatus",
            error=error,
            object=refs(
                self.read_or_made(record, "given", "deps")
                + [self.param(name, value) for name, value in values.items()]
            ),
            result=refs(self.read_or_made(record, "made", "outs")),
            environment=refs(self.value(name, value) for name, value in where.items()),
            resourceUsage=refs(
                self.value(name, record[name], propertyID=name, unitCode=code)
                for name, code in USAGE.items()
            ),
            subjectOf={"@id": self.file(file, self.source.copied[file][1].sha256)},
        )
        self.mentioned.append(action)
        return self.add(
            f"{action}/control",
            "ControlAction",
            name=f"DVC ran {record['stage']}",
            instrument={"@id": f"#step/{stage}"},
            object={"@id": action},
            actionStatus=f"http://schema.org/{state}ActionStatus",
            error=error,
        )

    def tool(self, record: Mapping[str, Any]) -> str:
        """The module that an execution ran."""
        module = record["command"].split()[-1]
        inputs = refs(map(self.formal, record.get("params", {}).get("values", {})))
        version = record["packages"].get("eifer") or "0"
        about = {"name": module, "softwareVersion": version, "input": inputs}
        return self.add(f"#{module}", "SoftwareApplication", **about)

    def workflow(self, agent: str) -> str:
        """The workflow, its steps, its run, and the engine that ran every execution."""
        executions = self.source.executions
        controls = [self.execution(file, record, agent) for file, record in executions]
        blocks = declared(self.study.root)
        tools = {record["stage"].split("@")[0]: self.tool(record) for _, record in executions}
        steps = sorted(tools, key=lambda name: [*blocks, name].index(name))
        for position, name in enumerate(steps):
            about = {"name": name, "position": str(position), "workExample": {"@id": tools[name]}}
            self.add(f"#step/{name}", "HowToStep", **about)
        newest = executions[-1][1]
        version = newest["packages"].get("dvc", "unknown")
        url = "https://dvc.org"
        language = self.add(f"{url}/doc", "ComputerLanguage", name="DVC's dvc.yaml", url=url)
        about = {"name": "DVC", "url": url, "softwareVersion": version}
        engine = self.add(url, "SoftwareApplication", **about)
        params = [id_ for id_, e in self.entities.items() if e["@type"] == "FormalParameter"]
        workflow = self.file(
            "dvc.yaml",
            self.source.copied["dvc.yaml"][1].sha256,
            type_=["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            programmingLanguage={"@id": language},
            version=newest["git"]["commit"] or "no commit",
            hasPart=refs(sorted(set(tools.values()))),
            step=refs(f"#step/{name}" for name in steps),
            input=refs(params),
        )
        run = self.run(workflow, agent)
        about = {"name": "every execution on record", "agent": {"@id": agent}}
        about |= {"instrument": {"@id": engine}, "object": refs(controls), "result": {"@id": run}}
        self.mentioned += [run, self.add("#dvc", "OrganizeAction", **about)]
        return workflow

    def run(self, workflow: str, agent: str) -> str:
        """The run of the workflow that made what lies there now."""
        missing = self.study.graph.keys() - self.study.lock.keys()
        makers = [m[1] for address in self.study.lock if (m := self.study.maker(address))]
        read = [name for record in makers for name in record.get("dvc", {}).get("deps", {})]
        given, made = [list[str]() for _ in range(2)]
        for record in makers:
            dvc = record.get("dvc", {"deps": {}, "outs": {}})
            raw = {n: c for n, c in dvc["deps"].items() if not _under(n, self.source.outs)}
            only = {**record, "given": {n: s for n, s in record["given"].items() if _under(n, raw)}}
            given += self.read_or_made({**only, "dvc": {"deps": raw}}, "given", "deps")
            last = not any(_under(n, [o]) or _under(o, [n]) for n in read for o in dvc["outs"])
            made += self.read_or_made(record, "made", "outs") if last else []
            values = record.get("params", {}).get("values", {})
            given += [self.param(name, value) for name, value in values.items()]
        ends = [datetime.fromisoformat(record["finished"]) for record in makers]
        walls = [timedelta(seconds=record["wall_s"]) for record in makers]
        starts = [end - wall for end, wall in zip(ends, walls, strict=True)]
        state = "Failed" if missing else "Completed"
        return self.add(
            "#run",
            "CreateAction",
            name=f"Study {self.study.params['study']['name']}",
            description="The executions that made what dvc.lock names",
            instrument={"@id": workflow},
            agent={"@id": agent},
            startTime=_time(min(starts)) if starts else None,
            endTime=_time(max(ends)) if ends else None,
            actionStatus=f"http://schema.org/{state}ActionStatus",
            error=f"has not run: {', '.join(sorted(missing))}" if missing else "",
            object=refs(dict.fromkeys(given)),
            result=refs(dict.fromkeys(made)),
        )

    def crate(self) -> list[Entity]:
        """Every entity, the descriptor and the root first."""
        name = self.study.params["study"]["name"]
        note = "Who works in the study by its git; records do not say who ran a stage."
        agent = self.add("#agent", "Person", name=self.source.agent, description=note)
        workflow = self.workflow(agent)
        for own, (_, content) in sorted(self.source.copied.items()):
            self.file(own, content.sha256)
        about = {"encodingFormat": "application/ld+json", "name": "The study's faces, for training"}
        about["conformsTo"] = {"@id": croissant.VERSION}
        if self.source.faces():
            self.add(CROISSANT, "File", **about)
        for profile, title in PROFILES.items():
            version = profile.rsplit("/", 1)[1]
            self.add(profile, "CreativeWork", name=title, version=version)
        self.add(croissant.VERSION, "CreativeWork", name="Croissant", version="1.0")
        parts = [id_ for id_, e in self.entities.items() if "File" in _listed(e["@type"])]
        root = {
            "@id": "./",
            "@type": "Dataset",
            "name": f"eifer study {name}",
            "description": "A study with every stage execution on record, failed ones too: what "
            "each read and made, by SHA-256. Files that are not here are described and named by "
            "their hash.",
            "identifier": self.source.identifier,
            "datePublished": _time(datetime.fromisoformat(self.newest())),
            "license": self._licence(),
            "author": {"@id": agent},
            "conformsTo": refs(PROFILES),
            "mainEntity": {"@id": workflow},
            "hasPart": refs(parts),
            "mentions": refs(dict.fromkeys(self.mentioned)),
        }
        conforms = ("https://w3id.org/ro/crate/1.1", [*PROFILES][-1])
        head = {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"}}
        return [{**head, "conformsTo": refs(conforms)}, root, *self.entities.values()]

    def _licence(self) -> Any:
        """An address is an entity of its own."""
        if not self.licence.startswith(("http://", "https://")):
            return self.licence
        return {"@id": self.add(self.licence, "CreativeWork", name=self.licence)}

    def newest(self) -> str:
        """When the last execution ended: the crate's own date, so that it is the same again."""
        return max(record["finished"] for _, record in self.source.executions)


def write(study: Path, out: Path, asked: Collection[str], licence: str = "") -> Source:
    """Write the study in the folder ``study`` as a crate into ``out``, whole or not at all.

    Raises
    ------
    StudyError
        If nothing is on record, files are not what was recorded, or ``out`` is not for it.
    """
    if not (study / "dvc.lock").exists() or not any((study / RECORDS).glob("*.json")):
        raise StudyError(f"{study.resolve()} has nothing on record; run the study first")
    if unknown := [word for word in asked if word not in ASKED]:
        raise StudyError(
            f"--with {unknown[0]} is none of {', '.join(ASKED)}{did_you_mean(unknown[0], ASKED)}"
        )
    source = Source(study, asked)
    changed = [*source.study.torn(), *unlike(source.study, [study / out for out in source.outs])]
    # Of code a crate has the hashes alone; params and graph are copied.
    own = code_and_params(source.study).places
    if changed := [*changed, *(place for place in own if place.startswith((PARAMS, "dvc.lock")))]:
        raise StudyError(
            f"not what was recorded: {examples(changed)}; `eifer audit` says more: a crate is made "
            "of a study that is as it was recorded"
        )
    _refuse(source, out)
    place = out.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        for name, (inside, _) in source.copied.items():
            (partial / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(study / name, partial / inside)
        graph = Graph(source, licence or NO_LICENCE)
        if faces := source.faces():
            title = source.study.params["study"]["name"]
            text = "What each face of the study is: labels and what they rest on. No pictures."
            about = (title, text, graph.newest()[:10], graph.licence, faces)
            write_json(partial / CROISSANT, croissant.described(*about))
        write_json(partial / METADATA, {"@context": CONTEXT, "@graph": graph.crate()})
        if place.exists():
            shutil.rmtree(place)
        partial.rename(place)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return source


def _refuse(source: Source, out: Path) -> None:
    """Refuse a place in the study, and one with anything but an older crate of it."""
    place, root = out.resolve(), source.study.root.resolve()
    if place.is_relative_to(root) or root.is_relative_to(place):
        raise StudyError(f"{out} and the study lie in one another; give a folder beside it")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        graph = json.loads((out / METADATA).read_text("utf-8"))["@graph"]
        (root_entity,) = (entity for entity in graph if entity["@id"] == "./")
        of = root_entity["identifier"]
        known = {entity["@id"] for entity in graph} | {METADATA}
    except (OSError, ValueError, KeyError, TypeError):
        of, known = None, set()
    if of != source.identifier:
        raise StudyError(f"{out} is not empty, and no crate of this study; give another place")
    there = [path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()]
    if strange := [name for name in there if quote(name, safe="/@") not in known]:
        raise StudyError(f"{out} holds files that no crate put there: {examples(strange)}")


def refs(ids: Iterable[str]) -> Any:
    """References to entities, as RO-Crate writes them: one alone, or a list."""
    found = [{"@id": id_} for id_ in ids]
    return found[0] if len(found) == 1 else found


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _under(name: str, places: Iterable[str]) -> bool:
    return any(name == place or name.startswith(f"{place}/") for place in places)


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _format(name: str) -> str:
    known = {".parquet": croissant.PARQUET, ".yaml": "text/yaml", ".lock": "text/plain"}
    return known.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "text/plain"
