"""What code a module is made of, and what that says."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import grimp


def reached(
    graph: grimp.ImportGraph, roots: Iterable[str], within: Callable[[str], bool]
) -> set[str]:
    """The modules that ``roots`` are made of: themselves, what they import, and so on.

    Who imports a package as a whole may find any module of it by name, and so reaches them all.
    What is not ``within`` does not count, and its imports are not followed.
    """
    modules: set[str] = set()
    waiting = set(roots)
    while waiting:
        module = waiting.pop()
        if module in modules or not within(module):
            continue
        modules.add(module)
        for imported in graph.find_modules_directly_imported_by(module):
            waiting |= {imported, *graph.find_descendants(imported)}
        # To import a module is to run the packages that it lies in.
        waiting |= {package for package, _, _ in [module.rpartition(".")] if package}
    return modules


@cache
def fingerprint(module: str) -> str:
    """The SHA-256 of what a module says: without its comments, and however its lines are broken.

    Raises
    ------
    ModuleNotFoundError
        If there is no such module.
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    tree = ast.parse(Path(spec.origin).read_bytes())
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()
