"""How the trainings go that run now, from the files by which they could be resumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from stages._runtime.checkpoints import CHECKPOINTS

COLUMNS = ("epoch", "train_loss", "validation_loss", "validation_macro_f1")
MORE = ("validation_roc_auc", "validation_accuracy")
"""Each of some networks alone."""


def show(study: Path) -> None:
    """Print a row an epoch of every training in ``study`` that is not done yet."""
    curves = list(_curves(study))
    for name, rows in curves:
        columns = [*COLUMNS, *(column for column in MORE if any(column in row for row in rows))]
        table = Table(*columns, title=name, title_justify="left")
        for row in rows:
            cells = [row.get(column, "") for column in columns]
            table.add_row(*(f"{c:.4f}" if isinstance(c, float) else str(c) for c in cells))
        Console().print(table)
    if not curves:
        print("nothing is training here (finished trainings: eifer ui)")


def _curves(study: Path) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Each training's name and rows; on a node they lie in its own clone."""
    import torch

    for path in sorted((study / CHECKPOINTS).rglob("*.pt")):
        try:
            # Mapped, not read: the weights in it can be large.
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            yield f"{path.parent.name} {path.stem}", content["curves"]
        except Exception:  # replaced or cleared away meanwhile, of another version, or cut
            continue
