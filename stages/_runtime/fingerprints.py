"""The modules that a stage is made of, and what each of them says."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

import grimp

import eifer.tables
from eifer.code import fingerprint, reached
from eifer.tables.schema import Table
from stages._runtime import artifacts
from stages._runtime.places import Folder, Given, Made
from stages._runtime.stage import Outcome, Report, Run, Stage

RUNNER, WRITER = "stages._runtime.stage", "stages._runtime.artifacts"
GIVEN = (Given("eifer"), Given("stages"))


def write_fingerprints(run: Run, package: str, folders: Sequence[Folder], made: Made) -> Outcome:
    """Write the fingerprints of the modules of every stage of ``folders`` in ``package``."""
    graph = grimp.build_graph("eifer", "stages", cache_dir=None)
    names = [folder.stage for folder in folders if folder.stage != run.stage.name]
    place = run.out(made)
    place.mkdir()
    for name in names:
        known: Stage = getattr(import_module(f"{package}.{name}"), name)
        modules = {module: fingerprint(module) for module in sorted(modules_of(known, graph))}
        tables = {written.name: written.table and written.table.name for written in known.made}
        artifacts.write_json(place / f"{name}.json", {"modules": modules, "made": tables})
    return Outcome({made: None}, Report("", {"stages": len(names)}))


def modules_of(known: Stage, graph: grimp.ImportGraph) -> set[str]:
    """The modules that decide what a stage writes.

    They are its own, those of its tables, the one that writes files, and all that these and the
    runner import of eifer. The runner itself is left out: how a stage is run is not what it
    computes, and a new progress bar would train every network again.
    """
    package = known.module.rpartition(".")[0]
    runner = reached(graph, [RUNNER], lambda module: module.startswith("stages."))
    params = {name for name in graph.modules if f"{name}.".startswith(f"{package}.params.")}
    apart = runner - {WRITER} | params | {"stages", package, f"{package}.catalogue"}
    seen = graph.find_modules_directly_imported_by(RUNNER) - apart
    tables = {table for place in (*known.given, *known.made) if (table := place.table)}
    roots = {known.module, WRITER, *seen, *map(_declared, tables)}
    return reached(graph, roots, lambda module: module not in apart)


def _declared(table: Table) -> str:
    """The module of ``eifer.tables`` that declares a table."""
    return next(
        name
        for _, name, _ in iter_modules(eifer.tables.__path__, "eifer.tables.")
        if any(value is table for value in vars(import_module(name)).values())
    )
