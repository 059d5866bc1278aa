"""What tests of flows begin with: a study, a commit of it, a film, a page."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np

from flows.git import git
from tests.watched import ended

DVC = {
    ".dvc/config": "[core]\n    analytics = false\n",
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    ".gitignore": "/data\n/runs\n/told\n__pycache__\n",
}


def study_in(folder: Path, files: Mapping[str, str]) -> Path:
    """A study with these texts, in a git repository that has no commit yet."""
    for name, text in (DVC | dict(files)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "--quiet")
    return folder


def commit_all(study: Path) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@localhost")
    git(study, "add", "--all")
    git(study, *identity, "commit", "--quiet", "--message", "one")


def filmed(
    path: Path,
    pictures: Iterable[np.ndarray],
    fps: int,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
) -> Path:
    """Write RGB ``pictures`` of one size, uint8 ``[H, W, 3]``, in the container of ``path``."""
    first, *others = pictures
    height, width = first.shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, width=width, height=height, pix_fmt=pix_fmt)
        for picture in (first, *others):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@contextmanager
def page_served(
    command: Sequence[object], **how: Any
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of ``eifer page`` and the address that it prints; Ctrl-C ends it well."""
    words = [str(word) for word in command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, **how) as page:
        try:
            yield page, page.stdout.readline().removeprefix("The page: ").strip()
            page.send_signal(signal.SIGINT)
            assert ended(page) == 0
        finally:
            page.kill()  # where a test fails: it serves for ever
