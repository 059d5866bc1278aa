"""The same bytes on any x86-64 with AVX2: trainings under the pins, on processors pretended.

Hashes are those of the two engines that this one replaced, under the same pins, on an AMD
processor with AVX2. MKL has other code for other vendors: there the pretended processors are
compared with the real one alone. Features of the C library, NumPy and its BLAS can be hidden,
kernels of torch, oneDNN and MKL asked for.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stages._runtime.kernels import KERNELS, NUMPY, pin_kernels

AFFECT = "1a5ca032fa507d40748c3ae9dbf3ba0b0d9ae9c145dd96d0828dc685d7098f78"
CLASSIFIER = "a9ba6ebfcb841411872e92db1a1858dd4b3724901900f6a875bce681a41b63c1"

PROCESSORS: dict[str, dict[str, str]] = {
    "this one": {},
    "another one": {
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX2_Usable",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
        "OPENBLAS_CORETYPE": "Nehalem",
        "OMP_NUM_THREADS": "3",
        # What a user may have chosen.
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "DNNL_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
    },
}

CPU = Path("/proc/cpuinfo").read_text()
pytestmark = pytest.mark.skipif("avx2" not in CPU, reason="needs a processor with AVX2")


def trained(environment: dict[str, str], pins: str = "import stages") -> list[str]:
    code = f"""
{pins}
import hashlib, sys
sys.path.insert(0, "tests")
import planted
for state in (planted.affect().state, planted.classifier().state):
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(state[name].contiguous().numpy().tobytes())
    print(digest.hexdigest())
"""
    clean = {k: v for k, v in os.environ.items() if k not in KERNELS | NUMPY}
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_every_processor_gives_the_same_bytes() -> None:
    here, there = map(trained, PROCESSORS.values())
    assert here == there
    if "AuthenticAMD" in CPU:
        assert here == [AFFECT, CLASSIFIER]
    # Without the pins a choice of kernels shows, so that the test can fail.
    loose = trained(PROCESSORS["another one"], pins="")
    assert loose[0] != here[0] and loose[1] != here[1]


def test_a_processor_without_avx2_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text("flags : sse4_2")
    monkeypatch.setattr(os, "environ", {"ATEN_CPU_CAPABILITY": "default"})
    pin_kernels(tmp_path / "cpuinfo")
    assert os.environ == {"ATEN_CPU_CAPABILITY": "default"}
    pin_kernels(tmp_path / "absent")
    assert os.environ == {"ATEN_CPU_CAPABILITY": "default"}


def test_numpy_leaves_avx512_alone_where_a_processor_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sines and exponentials, and with them drawn faces, would differ in their last bits."""
    for flags, known in (("avx2", KERNELS), ("avx2 avx512f", KERNELS | NUMPY)):
        (tmp_path / "cpuinfo").write_text(f"flags : {flags}")
        monkeypatch.setattr(os, "environ", {})
        pin_kernels(tmp_path / "cpuinfo")
        assert os.environ == known


@pytest.mark.skipif("avx512f" not in CPU, reason="needs a processor with AVX-512")
def test_a_stage_has_numpy_without_avx512() -> None:
    code = (
        "import stages.split\nfrom numpy._core._multiarray_umath import __cpu_features__ as has\n"
        "print(has['AVX512_SKX'], has['AVX2'])"
    )
    clean = {k: v for k, v in os.environ.items() if k not in KERNELS | NUMPY}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env=clean,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "True"] and not done.stderr
