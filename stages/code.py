"""The code that each stage is made of, so that DVC sees whom a change of it concerns."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import grimp

import eifer.tables
from eifer.code import fingerprint, reached
from eifer.tables.schema import Table
from stages import catalogue
from stages._runtime import artifacts
from stages._runtime.places import Given
from stages._runtime.stage import Outcome, Report, Run, Stage, stage

RUNNER, WRITER = "stages._runtime.stage", "stages._runtime.artifacts"


@stage(catalogue.CODE, params=(), given=(Given("eifer"), Given("stages")))
def code(run: Run) -> Outcome:
    """Write down the fingerprint of every module that a stage is made of, for each stage."""
    graph = grimp.build_graph("eifer", "stages", cache_dir=None)
    names = [folder.stage for folder in catalogue.FOLDERS if folder is not catalogue.CODE]
    folder = run.out(catalogue.FINGERPRINTS)
    folder.mkdir()
    for name in names:
        known: Stage = getattr(import_module(f"stages.{name}"), name)
        modules = {module: fingerprint(module) for module in sorted(modules_of(known, graph))}
        made = {made.name: made.table and made.table.name for made in known.made}
        artifacts.write_json(folder / f"{name}.json", {"modules": modules, "made": made})
    return Outcome({catalogue.FINGERPRINTS: None}, Report("", {"stages": len(names)}))


def modules_of(known: Stage, graph: grimp.ImportGraph) -> set[str]:
    """The modules that decide what a stage writes.

    They are its own, those of its tables, the one that writes files, and all that these and the
    runner import of eifer. The runner itself is left out: how a stage is run is not what it
    computes, and a new progress bar would train every network again.
    """
    runner = reached(graph, [RUNNER], lambda module: module.startswith("stages."))
    apart = runner - {WRITER} | {"stages", "stages.catalogue"}
    seen = graph.find_modules_directly_imported_by(RUNNER) - apart
    tables = {table for place in (*known.given, *known.made) if (table := place.table)}
    roots = {f"stages.{known.name}", WRITER, *seen, *map(_declared, tables)}
    return reached(graph, roots, lambda module: module not in apart)


def _declared(table: Table) -> str:
    """The module of ``eifer.tables`` that declares a table."""
    return next(
        name
        for _, name, _ in iter_modules(eifer.tables.__path__, "eifer.tables.")
        if any(value is table for value in vars(import_module(name)).values())
    )


if __name__ == "__main__":
    code.main()
