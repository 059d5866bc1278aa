"""TFLite models on LiteRT, which needs no graphics library."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep LiteRT's greeting ("Created ... delegate") off the terminal; it knows no other way."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class TfliteModel:
    """A TFLite model of one input, on one thread."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        # LiteRT's threads would not see the one-thread limit of a stage's pool.
        with _quiet_stderr():
            self._interpreter: Any = Interpreter(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
        self._in = self._interpreter.get_input_details()[0]["index"]
        self._out = [out["index"] for out in self._interpreter.get_output_details()]

    def __call__(self, values: NDArray[np.float32], outputs: int) -> list[NDArray[np.float32]]:
        """Run on a C-contiguous array; the first ``outputs`` of its outputs."""
        self._interpreter.set_tensor(self._in, values)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._out[:outputs]]
