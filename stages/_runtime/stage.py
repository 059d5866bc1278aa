"""What happens around every stage, so that a stage module holds only its own step.

``@stage`` validates params.yaml, checks what the stage reads, calls it in an
empty folder, checks what it made, adds its check results and report fragment,
and only then puts the folder in the place of the old one. If anything fails the
old folder is what remains.
"""

from __future__ import annotations

import argparse
import errno
import functools
import os
import re
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from eifer.errors import ContractError, ParamsError, RecordingError, StudyError, examples
from eifer.seeding import sub_seed
from eifer.tables.schema import Table
from stages._runtime import artifacts, data_docs, pool, provenance
from stages._runtime.interpreter import collect_rarely, leave
from stages._runtime.kinds import load_study
from stages._runtime.machine import Machine
from stages._runtime.places import Folder, Given, Made
from stages._runtime.privacy import close_folders, keep_private

if TYPE_CHECKING:
    from stages._runtime.contracts import Checked

PARAMS = Path("params.yaml")
Task = TypeVar("Task")
Result = TypeVar("Result")

NAME = re.compile("[A-Za-z0-9]+(-[A-Za-z0-9]+)?")
"""A value of a matrix: a name, or a block of repetitions."""
ADDRESS = re.compile(r"^.*dvc\.yaml:", re.DOTALL)
"""Before the name of a stage, where DVC was called in another folder."""

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES}
"""A disk or quota that is full, a read-only one, or a folder of somebody else."""


CHECKS, REPORT = "checks.json", "report.json"


@dataclass(frozen=True)
class Report:
    """What a stage writes about itself, with its real values."""

    methods: str
    """What was done, in the past tense. ``[@key; @key]`` cites keys of reports/references.yml."""
    numbers: Mapping[str, object] = field(default_factory=dict)
    """What other texts may quote."""
    results: str = ""
    """What came of it."""


@dataclass(frozen=True)
class Outcome:
    """What a stage hands back for each `Made`: a table, (shard name, table) pairs, or JSON.

    None stands for what it has written itself.
    """

    made: Mapping[Any, Any]
    report: Report


@dataclass(eq=False)
class Run:
    """One execution of a stage: its params, and the ways to its files, cores and seeds."""

    stage: Stage
    params: Any
    item: Mapping[str, str]
    folder: Path
    machine: Machine
    seen: dict[str, pd.DataFrame] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    checked: dict[str, Checked] = field(default_factory=dict)
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    """What to clear away once the result lies in its place, and not before."""

    @property
    def address(self) -> str:
        """The instance as DVC names it: extract@1."""
        return self.stage.name + ("@" + "-".join(self.item.values()) if self.item else "")

    def paths(self, given: Given) -> list[Path]:
        """Where ``given`` lies: several places where this stage reads every value of a key."""
        paths = [given.path]
        for name in _placeholders(given.path):
            values = self._values(name, given)
            paths = [artifacts.fill(path, {name: v}) for path in paths for v in values]
        return [Path(path) for path in paths]

    def _values(self, name: str, given: Given) -> Sequence[str]:
        section, _, key = name.partition(".")
        if section != "item":
            value: Any = self.params
            for part in name.split("."):
                value = getattr(value, part)
            return [value] if isinstance(value, str) else value
        if key in self.item:
            return [self.item[key]]
        values = given.matrix[key]
        return self._values(_placeholders(values)[0], given) if isinstance(values, str) else values

    def path(self, given: Given) -> Path:
        """Where ``given`` lies, when it is one place."""
        (path,) = self.paths(given)
        return path

    def read(self, given: Given, columns: list[str] | None = None) -> pd.DataFrame:
        """The table at ``given``, checked against its contract unless ``columns`` are picked."""
        return self.read_each([given])[0] if columns is None else self._stored(given, columns)

    def read_each(self, listed: Sequence[Given]) -> list[pd.DataFrame]:
        """Parts of one table that lie apart, checked together: its rules look at all of it."""
        parts = [self._stored(given) for given in listed]
        table = listed[0].table
        assert table is not None
        frames = [table.conform(part) for part in parts]
        whole = frames[0] if len(frames) == 1 else table.conform(pd.concat(frames))
        self._check(table, whole)
        self.seen[table.name] = whole
        return frames

    def _stored(self, given: Given, columns: list[str] | None = None) -> pd.DataFrame:
        if given.table is None:
            raise TypeError(f"{given.path} is not a table")
        parts = [artifacts.read_table(path, given.table, columns) for path in self.paths(given)]
        return pd.concat(parts, ignore_index=True)

    def out(self, made: Made) -> Path:
        """Where a stage itself writes what is not a table."""
        return self.folder / made.name

    def seed(self, *names: object) -> int:
        """The sub-seed of this stage for the purpose ``names``."""
        return sub_seed(self.params.study.seed, self.stage.name, *names)

    def each(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        label: str,
        named: Callable[[Task], str] = str,
        lost: Callable[[RecordingError], Result] | None = None,
    ) -> Iterator[Result]:
        """Yield ``function(task)`` in order, computed by a pool over this machine's cores."""
        workers = self.machine.workers
        return pool.each(function, tasks, workers=workers, label=label, named=named, lost=lost)

    def _check(self, table: Table, frame: pd.DataFrame) -> None:
        # Importing Great Expectations takes seconds; errors in params need not wait for it.
        from stages._runtime.contracts import check

        try:
            self.checks += check(table, frame, self.seen, self.checked)
        except ContractError as error:
            if table.name not in self.checked or not self.checked[table.name].broken:
                raise  # its columns are others: nothing was checked
            page = data_docs.write(self.address, self.checked)
            raise ContractError(f"{error}\n  the rows, as a page: {page}") from None

    def add(self, made: Made, name: str, part: pd.DataFrame) -> None:
        """Check and write a table, or its shard ``name``: a stage may do so before it ends."""
        if made.table is None:
            raise TypeError(f"{made.path} is not a table")
        frame = made.table.conform(part)
        self._check(made.table, frame)
        path = self.out(made) / f"{name}.parquet" if made.shards else self.out(made)
        path.parent.mkdir(exist_ok=True)
        artifacts.write_table(path, frame)

    def write(self, outcome: Outcome) -> None:
        """Check everything an outcome holds and write it into the run's folder."""
        tables: dict[Made, list[tuple[str, pd.DataFrame]]] = {}
        # Rules may compare tables with each other, so all are at hand before the first is checked.
        for made, value in outcome.made.items():
            if made.table is not None and isinstance(value, (pd.DataFrame, list)):
                parts = [("", value)] if isinstance(value, pd.DataFrame) else value
                tables[made] = [(name, made.table.conform(part)) for name, part in parts]
                self.seen[made.table.name] = pd.concat(
                    [part for _, part in tables[made]], ignore_index=True
                )
        for made, value in outcome.made.items():
            if made.table is None:
                if value is not None:
                    artifacts.write_json(self.out(made), value)
                continue
            for name, part in () if value is None else tables.get(made, value):
                self.add(made, name, part)
        artifacts.write_json(self.folder / CHECKS, _once(self.checks))
        artifacts.write_json(
            self.folder / REPORT,
            {
                "stage": self.stage.name,
                "item": dict(self.item),
                "title": self.stage.title,
                "methods": " ".join(outcome.report.methods.split()),
                "results": " ".join(outcome.report.results.split()),
                "numbers": dict(outcome.report.numbers),
            },
        )


class Stage:
    """A stage as DVC knows it: its name, what it reads and makes, which params it may see."""

    def __init__(
        self,
        function: Callable[[Run], Outcome],
        folder: Folder,
        *,
        params: Sequence[str],
        given: Sequence[Given],
        frozen: Sequence[str] = (),
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = folder.stage
        self.params = tuple(params)
        self.frozen = tuple(frozen)
        """Params that DVC is not told of, so that a change of them does not run the stage again."""
        self.given = tuple(given)
        self.made = tuple(folder.made)
        self.matrix = tuple(folder.matrix)
        self.folder = folder.path
        """Its only output, as in dvc.yaml."""
        module = sys.modules[function.__module__]
        self.module = module.__spec__.name if module.__spec__ else module.__name__
        self.title = (module.__doc__ or "").strip().splitlines()[0].rstrip(".")

    def __call__(self, item: Mapping[str, str]) -> None:
        """Run the stage for one matrix ``item`` in the current folder.

        Raises
        ------
        StudyError
            If params, input or output break their contract; the old output stays.
        """
        # Before a path is made of them: "/../.." would lead out of the stage's own folder.
        if wrong := [value for value in item.values() if not NAME.fullmatch(value)]:
            raise ParamsError(
                f"no names of the matrix: {examples([ascii(value[:80]) for value in wrong])}. "
                "Letters and digits make a name; correct it in params.yaml"
            )
        final = Path(artifacts.fill(self.folder, {f"item.{k}": v for k, v in item.items()}))
        partial = final.with_name(final.name + ".partial")
        started = time.time()
        run: Run | None = None
        artifacts.recover(final)
        try:
            params = _only(load_study(PARAMS), (*self.params, *self.frozen))
            machine = Machine()
            machine.hand_on()
            run = Run(self, params, item, partial, machine)
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            with provenance.watched() as usage:
                self._fill(run)
            artifacts.settle(partial, final)
        except BaseException as error:
            shutil.rmtree(partial, ignore_errors=True)
            _restore(final)
            self._record_failure(item, started, run, error)
            raise
        given = [path for given in self.given for path in run.paths(given)]
        record = provenance.record(
            *(self.name, item, started, given, final, usage),
            module=self.module,
            deps=[path.as_posix() for path in self._deps(run)],
            params=(*self.params, *self.frozen),
        )
        data_docs.write(run.address, run.checked, record)
        for clear in run.afterwards:
            clear()

    def _record_failure(
        self, item: Mapping[str, str], started: float, run: Run | None, error: BaseException
    ) -> None:
        """Leave a record of it where one can be written; the failure itself is what counts."""
        if not PARAMS.is_file():
            return  # no study: nothing is left in a folder that is none
        deps: list[str] = []
        try:
            # Somebody who interrupts does not wait until gigabytes are hashed.
            if run is not None and isinstance(error, Exception):
                deps = [path.as_posix() for path in self._deps(run) if path.exists()]
            provenance.record(
                *(self.name, item, started, [], None, {}),
                module=self.module,
                deps=deps,
                params=(*self.params, *self.frozen) if run else (),
                error=error,
            )
        except (OSError, StudyError) as also:
            print(f"{self.name}: no record of the failure: {also}", file=sys.stderr)

    def _deps(self, run: Run) -> dict[Path, None]:
        """What dvc.lock names as read by this instance, its code included."""
        named = [replace(given, path=given.dep(self.matrix)) for given in self.given]
        paths = [path for given in named for path in run.paths(given)]
        code = Path("data/code/stages", f"{self.name}.json")
        return dict.fromkeys([*paths, code] if code.exists() else paths)

    def _fill(self, run: Run) -> None:
        absent = [str(p) for given in self.given for p in run.paths(given) if not p.exists()]
        if absent:
            raise StudyError(
                f"{', '.join(absent)} is missing; run `dvc repro` (or give its path in params.yaml)"
            )
        outcome = self.function(run)
        unexpected = set(outcome.made) ^ set(self.made)
        if unexpected:
            raise TypeError(f"{self.name} declares and returns different things: {unexpected}")
        run.write(outcome)

    def _item_of(self, address: str) -> dict[str, str]:
        """The matrix item in DVC's address of an instance of this stage; else empty.

        DVC joins the values with hyphens, and only the last key's values have one.
        """
        name, _, values = ADDRESS.sub("", address).partition("@")
        if name != self.name or not values:
            return {}
        return dict(zip(self.matrix, values.split("-", len(self.matrix) - 1), strict=False))

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """The command line of the stage: ``python -m <module> [--<matrix> VALUE]``.

        Under DVC there are no options: values in ``cmd`` would be read by a shell.
        """
        alone = arguments is None
        """Whether this process runs nothing else."""
        if alone:
            collect_rarely()
        parser = argparse.ArgumentParser(prog=f"python -m {self.module}", description=self.title)
        known = self._item_of(os.environ.get("DVC_STAGE", ""))
        for key in self.matrix:
            parser.add_argument(
                f"--{key}",
                default=known.get(key),
                required=key not in known,
                help="which one of the matrix; under DVC, the one that it runs",
            )
        item = vars(parser.parse_args(arguments))
        keep_private()
        close_folders(Path())
        try:
            self(item)
        except StudyError as error:
            print(f"{self.name}: {str(error).removeprefix(f'{self.name}: ')}", file=sys.stderr)
            raise SystemExit(1) from None
        except Exception as error:
            if isinstance(error, OSError) and error.errno in UNWRITABLE:
                what = "read or write" if error.errno == errno.EACCES else "write"
                print(
                    f"{self.name}: cannot {what} ({error}): make room (or rights) and run again; "
                    "the former output is kept",
                    file=sys.stderr,
                )
                raise SystemExit(1) from None
            traceback.print_exc()
            print(f"{self.name}: this is a fault of eifer, not of the data", file=sys.stderr)
            raise SystemExit(2) from None
        if alone:
            leave()


def stage(
    folder: Folder,
    *,
    params: Sequence[str],
    given: Sequence[Given] = (),
    frozen: Sequence[str] = (),
) -> Callable[[Callable[[Run], Outcome]], Stage]:
    """Declare a stage: the folder it makes, the params it sees, what it reads.

    ``frozen`` are params that count as they were when the stage ran first: it has no other input,
    since DVC would else run it again, or restore what it made of the same input before.
    """
    return functools.partial(Stage, folder=folder, params=params, given=given, frozen=frozen)


def _placeholders(path: str) -> list[str]:
    return [part.split("}")[0] for part in path.split("${")[1:]]


def _only(params: Any, names: Iterable[str]) -> Any:
    """The params a stage declared, and no others: what DVC does not know, a stage cannot read."""
    allowed: dict[str, Any] = {}
    for name in names:
        section, _, key = name.partition(".")
        value = getattr(params, section)
        if key:
            allowed.setdefault(section, SimpleNamespace())
            setattr(allowed[section], key, getattr(value, key))
        else:
            allowed[section] = value
    return SimpleNamespace(**allowed)


def _once(checks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The checks with those of a table's shards merged into one line each, counted."""
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for check in checks:
        line = merged.setdefault((check["table"], check["about"]), {**check, "times": 0})
        line["times"] += 1
    return list(merged.values())


def _restore(final: Path) -> None:
    """Bring back the output that DVC removed before it started this stage, if there was one."""
    if "DVC_STAGE" in os.environ and not final.exists() and Path("dvc.lock").exists():
        subprocess.run(
            [sys.executable, "-m", "dvc", "checkout", "--quiet", str(final)],
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
