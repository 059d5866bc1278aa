"""``python -m flows``: the same as ``eifer``, for a Python that has no such command on its path."""

from flows.cli import app

app()
