"""reports/graph-*.svg: the stages of a study, and what each of them reads."""

from __future__ import annotations

from html import escape
from importlib import import_module

import networkx  # type: ignore[import-untyped]
from dvc.parsing.context import Context  # type: ignore[import-untyped]

from flows.graph import ROOT, declared, graph_of
from stages._runtime.kinds import Kind
from stages._runtime.params_file import read_params

CHARACTER, HEIGHT, GAP_X, GAP_Y, MARGIN = 7.3, 26, 34, 16, 12
"""Pixels: the width of a letter, the height of a box, what lies between boxes and around all."""
STYLE = (
    "text{font:12.5px ui-monospace,monospace;fill:#1a1a1a}rect{fill:#e8f1f8;stroke:#0072b2}"
    "path{fill:none;stroke:#666;stroke-width:1.2}.many rect{fill:#fff1df;stroke:#b35900}"
)


def svg(kind: Kind) -> str:
    """The picture: a box a stage, orange where it has several instances, an arrow where it leads.

    An arrow that others make up for is left out. Stage code, which every stage reads, is, too.
    """
    stages = declared(graph_of(kind))
    names = [name for name in stages if name != "code"]
    params = Context(read_params(ROOT / kind.preset))
    needs = {n: _needs(stages[n].get("deps", []), names, params) - {n} for n in names}
    edges = networkx.DiGraph((up, name) for name in names for up in needs[name])
    edges.add_nodes_from(names)
    shown = networkx.transitive_reduction(edges)
    # What few studies have, the report reads by a parameter.
    unread = [name for name in names if name != "report" and not shown.out_degree(name)]
    shown.add_edges_from((name, "report") for name in unread)
    direct = {name: set(shown.predecessors(name)) for name in names}
    levels = enumerate(networkx.topological_generations(shown))
    column = {name: k for k, level in levels for name in level}
    for name in names:  # what reads nothing stands before what reads it
        after = [column[other] for other in names if name in direct[other]]
        if not direct[name] and after:
            column[name] = min(after) - 1
    columns = [[n for n in names if column[n] == k] for k in range(max(column.values()) + 1)]
    rows = max(map(len, columns))
    height = 2 * MARGIN + rows * HEIGHT + (rows - 1) * GAP_Y
    boxes: dict[str, tuple[float, float, float]] = {}
    left = float(MARGIN)
    for inside in columns:
        width = max(len(name) for name in inside) * CHARACTER + 18
        top = (height - len(inside) * (HEIGHT + GAP_Y) + GAP_Y) / 2
        for k, name in enumerate(sorted(inside, key=lambda n: _middle(direct[n], boxes, height))):
            boxes[name] = left, top + k * (HEIGHT + GAP_Y), width
        left += width + GAP_X
    width = left - GAP_X + MARGIN
    lines = [_arrow(boxes[up], boxes[name]) for name in names for up in sorted(direct[name])]
    drawn = [_box(name, boxes[name], "matrix" in stages[name], kind) for name in names]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" role="img"><title>The stages and what they read</title>'
        f"<style>{STYLE}</style>"
        '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8"/></marker></defs>\n'
        f'<rect width="100%" height="100%" style="fill:#fff;stroke:none"/>\n'
        + "\n".join([*lines, *drawn])
        + "\n</svg>\n"
    )


def _needs(deps: list[str], names: list[str], params: Context) -> set[str]:
    """The stages whose outputs are read, where params say so as in the demo."""
    heads = (dep.partition("${item.")[0] for dep in deps)
    parts = (params.resolve(head).split("/") for head in heads)
    return {part[1] for part in parts if part[0] == "data" and part[1] in names}


def _middle(ups: set[str], boxes: dict[str, tuple[float, float, float]], height: float) -> float:
    """How high a box should stand: as those that it reads; one that reads nothing, below."""
    tops = [boxes[up][1] for up in ups]
    return sum(tops) / len(tops) if tops else height


def _arrow(start: tuple[float, float, float], end: tuple[float, float, float]) -> str:
    x, y = start[0] + start[2], start[1] + HEIGHT / 2
    to_x, to_y = end[0], end[1] + HEIGHT / 2
    bend = (to_x - x) / 2
    points = (x, y), (x + bend, y), (to_x - bend, to_y), (to_x, to_y)
    first, *curve = (f"{a:.0f} {b:.0f}" for a, b in points)
    return f'<path d="M{first}C{" ".join(curve)}" marker-end="url(#end)"/>'


def _box(name: str, box: tuple[float, float, float], many: bool, kind: Kind) -> str:
    x, y, width = box
    title = getattr(import_module(f"{kind.package}.{name}"), name).title
    kind_of = "many" if many else "one"
    return (
        f'<g class="{kind_of}"><title>{escape(title)}</title>'
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{HEIGHT}" rx="4"/>'
        f'<text x="{x + 9:.0f}" y="{y + 17:.0f}">{escape(name)}</text></g>'
    )
