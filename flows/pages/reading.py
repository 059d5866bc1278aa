"""`eifer estimate`: videos read one after the other, with a bar that says how far it is.

They are opened in a process of their own: a film that crashes its decoder, or takes all memory,
is named and costs the others nothing.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from eifer.affect import estimators, trained
from eifer.affect.spec import OnnxSpec
from eifer.errors import ParamsError, StudyError
from eifer.faces import decoding
from eifer.video import files
from eifer.video.reading import ReadingSpec, opened, ready
from stages._runtime.pool import ended

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    Seen = Callable[[str, float, float], None]

ENDED_REMEDY = "Re-encode it; after SIGKILL memory may have run out."


def chosen(
    estimator: str | None, params: Path | None, per_second: float
) -> tuple[estimators.Choice, ReadingSpec]:
    """Give the estimator of that name, of the study of ``params`` if given, and how to look.

    Raises
    ------
    ParamsError
        If there is no such estimator, the params do not name it, or it is not trained yet.
    AssetError
        If it is a file that is not there.
    """
    if estimator and estimator.endswith(trained.ENDING):
        return trained.described(Path(estimator)), ReadingSpec(per_second)
    if params is None:
        return ready(estimator or "expression"), ReadingSpec(per_second)
    from stages.catalogue import CARD, WEIGHTS
    from stages.estimate import described
    from stages.params import load_params

    study, folder = load_params(params), params.parent
    names = (study.estimate.estimator, *study.estimate.also)
    name = estimator or names[0]
    if name not in names:
        raise ParamsError(f"{params}: estimate names {', '.join(names)}, not {name}")
    weights, card = folder / WEIGHTS.path, folder / CARD.path
    if name == "network" and not (weights.is_file() and card.is_file()):
        raise ParamsError(f"{params}: its network is not trained yet; there, run: dvc repro affect")
    choice = described(study, [name], weights, card)[name]
    if isinstance(choice, OnnxSpec) and choice.path:
        choice = replace(choice, path=str(folder / choice.path))
    return choice, ReadingSpec(per_second, crop=study.study.crop)


def read(
    given: list[Path],
    out: Path,
    choice: estimators.Choice,
    spec: ReadingSpec,
    *,
    form: files.FORMATS,
    film: bool,
) -> None:
    """Read each video into a folder of its own under ``out``, and say what was found.

    A video that cannot be read is told of, costs the others nothing, and ends the call with 1.

    Raises
    ------
    InputError
        If there is no video, or two have one name.
    """
    videos = files.videos_of(given)
    failed = 0
    with closing(_Apart(choice, spec, form, film)) as reader:
        for number, video in enumerate(videos, 1):
            name, folder = files.shown(video.name), out / video.stem
            try:
                with _Bar(f"[{number} of {len(videos)}] {name}") as bar:
                    summary = reader(video, folder, bar.seen)
            except KeyboardInterrupt:
                stopped = f"stopped at {files.shown(video)}"
                print(f"{stopped}: the same command goes on there", file=sys.stderr)
                raise SystemExit(130) from None
            except StudyError as error:
                print(f"eifer estimate: {error}", file=sys.stderr)
                failed += 1
                continue
            print(
                f"{name}: persons {len(summary['people'])}, frames {summary['frames']}, without a "
                f"face {summary['frames_without_face']}: {files.shown(folder / 'index.html')}"
            )
            if summary["cut_short"]:
                print(f"  not to its end: {summary['cut_short']}")
    if failed:
        raise SystemExit(1)


class _Apart:
    """Reads videos in a process of its own, which is started again when one ends it."""

    def __init__(self, *work: Any) -> None:
        self._work = work
        self._start()

    def _start(self) -> None:
        """Start the process and open the models in it; what that raises is raised here."""
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, *self._work), daemon=True)
        self._process.start()
        # The process alone holds it now, so that either's end is the other's end of file.
        other.close()
        self._answer("the models", None)

    def __call__(self, video: Path, folder: Path, seen: Seen) -> dict[str, Any]:
        """Do as `files.write`; a `RecordingError` too where the video ends the process."""
        if not self._process.is_alive():
            self._start()
        self._pipe.send((video, folder))
        summary: dict[str, Any] = self._answer(files.shown(video), seen)
        return summary

    def _answer(self, name: str, seen: Seen | None) -> Any:
        try:
            while isinstance(answer := self._pipe.recv(), tuple):
                if seen:
                    seen(*answer)
        except (EOFError, ConnectionResetError):
            self._process.join()
            raise ended(name, self._process.exitcode, ENDED_REMEDY) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End the process; what it has read of a video is kept."""
        self._process.kill()
        self._process.join()


def _serve(
    pipe: Connection, choice: estimators.Choice, spec: ReadingSpec, form: files.FORMATS, film: bool
) -> None:
    """Read the videos that come through ``pipe``, until the other end is closed."""
    # Ctrl-C reaches this process too; what follows from it is for the other one to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def done(work: Callable[[], Any]) -> Any:
        try:
            return work()
        except (StudyError, OSError, ImportError) as error:
            return error

    def written(video: Path, folder: Path) -> dict[str, Any]:
        of_s = decoding.declared_s(video)

        def seen(what: str, time_s: float) -> None:
            pipe.send((what, time_s, of_s))

        by = estimators.told(choice)
        return files.write(reader, video, folder, told=by, form=form, film=film, seen=seen)

    reader = done(lambda: opened(choice, spec))
    try:
        pipe.send(reader if isinstance(reader, Exception) else None)
        while True:
            video, folder = pipe.recv()
            pipe.send(done(partial(written, video, folder)))
    except (EOFError, BrokenPipeError):
        return


class _Bar(Progress):
    """How far a video is, on the terminal where there is one."""

    def __init__(self, name: str) -> None:
        console = Console(stderr=True)
        super().__init__(
            TextColumn("{task.fields[name]} {task.description}", markup=False),
            BarColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self.add_task("", total=None, name=name)

    def seen(self, what: str, time_s: float, of_s: float) -> None:
        """Show that ``what`` is being done at a time of the video, of as many s (0: unknown)."""
        self.update(self._task, description=what, completed=time_s, total=of_s or None)
