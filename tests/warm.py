"""Stages that start warm: a server has imported the heavy packages, and forks for each of them.

A stage as a process of its own imports for 5 to 15 s before it does anything. Where a test only
wants a study brought to its end, `started` yields a folder to put first on the PATH: a ``python``
there hands ``python -m stages.NAME`` to the server, and all else to the real Python. What is
forked has no module of ours yet: it imports them from where it is run, as a cold start does. Where
there is no server (any more), a stage starts cold.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import socket
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

OURS = ("eifer", "stages", "flows")
PACKAGES = (
    "av", "cv2", "grimp", "great_expectations.expectations", "jinja2", "matplotlib.figure",
    "neurokit2", "pandas", "psutil", "pyarrow.parquet", "pytorch_lightning", "rich.progress",
    "safetensors.torch", "scipy.stats", "sklearn.metrics", "statsmodels.api", "threadpoolctl",
    "timm", "torch",
)  # fmt: skip
READ_AT_THE_START = ("PYTHON", "OMP_", "MKL_NUM", "OPENBLAS_", "MPL")
"""Variables that Python and those packages read when they start: with others, a stage is cold."""


@contextmanager
def started() -> Iterator[Path]:
    """The folder of a ``python`` that starts stages warm, while this context lasts."""
    import shlex
    import subprocess
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="warm-") as name, socket.socket(socket.AF_UNIX) as listener:
        with suppress(OSError):  # a temporary folder with a long name
            listener.bind(f"{name}/socket")
            listener.listen(64)
        server = subprocess.Popen(
            [sys.executable, __file__, "serve", str(listener.fileno())],
            stdin=subprocess.PIPE,  # which ends with this process
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[1],
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
        listener.close()  # the server has the only one: when it is gone, nobody waits for it
        words = shlex.join([sys.executable, "-I", "-S", __file__, "ask", f"{name}/socket"])
        python = Path(name, "python")
        python.write_text(f'#!/bin/sh\nexec {words} {shlex.quote(sys.executable)} "$@"\n')
        python.chmod(0o755)
        try:
            yield Path(name)
        finally:
            server.kill()
            server.communicate()


def ask(address: str, python: str, *words: str) -> None:
    """In the place of ``python WORDS``: have the server run them, and end as they end."""
    if sys.platform == "linux" and words[:1] == ("-m",) and words[1].startswith("stages."):
        os.umask(mask := os.umask(0))
        order = {"cwd": os.getcwd(), "env": dict(os.environ), "words": words[1:], "umask": mask}
        try:
            line = socket.socket(socket.AF_UNIX)
            line.connect(address)
            socket.send_fds(line, [b"\n"], [0, 1, 2])
            line.sendall(json.dumps(order).encode() + b"\n")
            begun = line.recv(1)
        except OSError:
            begun = b""
        if begun:
            code = int(line.makefile().readline() or 1)  # without an answer, the server was killed
            if code < 0:
                if code != -signal.SIGKILL:
                    signal.signal(-code, signal.SIG_DFL)
                os.kill(os.getpid(), -code)
            sys.exit(code)
    os.execv(python, [python, *words])


def serve(listener: socket.socket) -> Sequence[str]:
    """Fork for every order until standard input ends; return in what is forked, to run it."""
    sys.path[0] = os.getcwd()
    from stages._runtime.machine import pin_kernels

    pin_kernels()  # torch reads them when it is imported
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # as stages/_runtime/contracts.py does
    for package in PACKAGES:
        with suppress(ImportError):
            __import__(package)
    for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
        del sys.modules[name]
    gc.collect()
    gc.freeze()  # so that what is forked need not go through it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    while sys.stdin.buffer not in (ready := select.select([listener, sys.stdin.buffer], [], [])[0]):
        line = ready[0].accept()[0]
        if os.fork() == 0:
            listener.close()
            return keep(line)
        line.close()
    sys.exit()


def keep(line: socket.socket) -> Sequence[str]:
    """Fork once more: in the child, become what was ordered; here, see it to its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, fds, _, _ = socket.recv_fds(line, 1, 3)
    order = json.loads(line.makefile().readline())
    if read(order["env"]) != read(ENVIRONMENT):
        os._exit(0)  # without a word: it starts cold
    line.sendall(b"+")
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        return become(keeper, line, fds, **order)
    for fd in fds:
        os.close(fd)
    end = os.pidfd_open(child)
    if end not in select.select([line, end], [], [])[0]:  # who asked is dead
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(OSError):
        line.sendall(f"{code}\n".encode())
    os._exit(0)


def become(
    keeper: int,
    line: socket.socket,
    fds: Sequence[int],
    *,
    cwd: str,
    env: Mapping[str, str],
    words: Sequence[str],
    umask: int,
) -> Sequence[str]:
    """Take over the surroundings of who asked; the words to run."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: die with the keeper
    if os.getppid() != keeper:
        os._exit(1)
    line.close()
    for place, fd in enumerate(fds):
        os.dup2(fd, place)
        os.close(fd)
    os.chdir(cwd)
    os.umask(umask)
    os.environ.clear()
    os.environ.update(env)
    sys.path[0] = cwd
    atexit.register(gc.unfreeze)  # what is frozen would be told of as a leak
    sys.modules["numpy"].random.seed()  # Python's own generator takes a new seed by itself
    return words


def read(environment: Mapping[str, str]) -> dict[str, str]:
    """Of an environment, what is read at the start."""
    return {k: v for k, v in environment.items() if k.startswith(READ_AT_THE_START)}


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        ask(*sys.argv[2:])
    ENVIRONMENT = dict(os.environ)
    sys.argv = list(serve(socket.socket(fileno=int(sys.argv[2]))))
    import runpy

    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
