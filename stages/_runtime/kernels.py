"""Which vector instructions numbers are computed with: the same on every x86-64 processor."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

KERNELS = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"}
"""Torch, oneDNN and MKL pick vector instructions by the processor, and sums follow them."""
NUMPY = {
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL "
    "AVX512_SPR"
}
"""NumPy has other sines and exponentials where a processor has these."""


def pin_kernels(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Have networks and NumPy compute with AVX2, whatever more a processor or a user's shell says.

    It must be called before NumPy and torch are imported, which `stages` itself does. A processor
    without AVX2 keeps its own kernels.
    """
    with contextlib.suppress(OSError):
        flags = cpuinfo.read_text().split()
        if "avx2" in flags:
            os.environ |= KERNELS
        if "avx512f" in flags:
            os.environ |= NUMPY
