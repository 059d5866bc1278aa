"""How every figure looks, and how it becomes the same bytes each time."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

COLUMN_IN = 7.0
"""Width of the report's column, in inches."""

# Okabe and Ito's palette, told apart by all common kinds of colour vision and in grey print.
GROUP = {"High": "#0072B2", "Low": "#D55E00", "Total": "#4D4D4D", "Affect": "#CC79A7"}
GROUP_MARK = {"High": "o", "Low": "s", "Total": "D", "Affect": "X"}
CLASS = {0: "#E69F00", 1: "#332288"}
CLASS_MARK = {0: "o", 1: "^"}
ACCENT, MUTED, GRID = "#009E73", "#767676", "#E3E3E3"
REASON = {
    "accepted": "#D9D9D9",
    "no_face": "#0072B2",
    "repeated": "#56B4E9",
    "low_confidence": "#CC79A7",
    "eyes_closed": "#E69F00",
    "occluded": "#009E73",
}

LONG = re.compile(r"(\d\.\d\d)\d+")
"""A number with more than two decimals."""

_SETTINGS: dict[Any, Any] = {
    # The first is bundled with matplotlib, so that a machine's own fonts make no difference to how
    # much room a text takes; where a reader's machine lacks it, the next has its widths or less.
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.labelsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
    # Text stays text: it can be searched and edited, and takes a third of the room of its outlines.
    "svg.fonttype": "none",
    "svg.hashsalt": "eifer",
    "image.composite_image": True,
    "figure.dpi": 100,
    "savefig.dpi": 160,
}


@contextmanager
def drawing() -> Iterator[None]:
    """The settings under which figures are made; what matplotlib's own files say is left aside."""
    import matplotlib

    with rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def canvas(
    height_in: float, rows: int = 1, columns: int = 1, **kwargs: Any
) -> tuple[Figure, list[list[Axes]]]:
    """A figure of the column's width with ``rows`` x ``columns`` axes, as a list of rows."""
    figure = Figure(figsize=(COLUMN_IN, height_in), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **kwargs)
    return figure, [list(row) for row in axes]


def legend_below(figure: Figure, axes: Axes, columns: int = 6) -> None:
    """One legend for all axes, under the figure, made of what ``axes`` shows."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def whole_numbers(axis: Axis) -> None:
    """Ticks at whole numbers only: there is no half participant."""
    axis.set_major_locator(MaxNLocator(integer=True))


def svg(figure: Figure) -> str:
    """``figure`` as SVG, without date or version: the same figure gives the same text.

    Places are cut to hundredths of a point, which nobody sees: by a third fewer bytes.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    # In tags alone: a number that is shown keeps its digits.
    return re.sub(r"<[^>]*>", lambda tag: LONG.sub(r"\1", tag[0]), buffer.getvalue())


def png(figure: Figure) -> bytes:
    """``figure`` as PNG, without the version of what drew it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def count(n: int, thing: str) -> str:
    """``1 video``, ``2 videos``."""
    return f"{n} {thing}{'' if n == 1 else 's'}"
