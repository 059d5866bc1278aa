"""`eifer estimate`: videos read one after the other, with a bar that says how far it is."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from eifer.affect import estimators
from eifer.affect.spec import OnnxSpec
from eifer.errors import ParamsError, StudyError
from eifer.faces import decoding
from eifer.video import files
from eifer.video.reading import ReadingSpec, opened, ready


def chosen(
    estimator: str | None, params: Path | None, per_second: float
) -> tuple[estimators.Choice, ReadingSpec]:
    """Give the estimator of that name, of the study of ``params`` if given, and how to look.

    Raises
    ------
    ParamsError
        If there is no such estimator, the params do not name it, or it is not trained yet.
    """
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
    reader = opened(choice, spec)
    failed = 0
    for number, video in enumerate(videos, 1):
        name = files.shown(video.name)
        try:
            with _Bar(f"[{number} of {len(videos)}] {name}", video) as bar:
                summary = files.write(
                    reader,
                    video,
                    out / video.stem,
                    told=estimators.told(choice),
                    form=form,
                    film=film,
                    seen=bar.seen,
                )
        except KeyboardInterrupt:
            print(
                f"stopped at {files.shown(video)}: the same command goes on there", file=sys.stderr
            )
            raise SystemExit(130) from None
        except StudyError as error:
            print(f"eifer estimate: {error}", file=sys.stderr)
            failed += 1
            continue
        print(
            f"{name}: persons {len(summary['people'])}, frames {summary['frames']}, without a face "
            f"{summary['frames_without_face']}: {files.shown(out / video.stem / 'index.html')}"
        )
        if summary["cut_short"]:
            print(f"  not to its end: {summary['cut_short']}")
    if failed:
        raise SystemExit(1)


class _Bar(Progress):
    """How far a video is, on the terminal where there is one."""

    def __init__(self, name: str, video: Path) -> None:
        console = Console(stderr=True)
        super().__init__(
            TextColumn("{task.fields[name]} {task.description}", markup=False),
            BarColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self.add_task("", total=decoding.declared_s(video) or None, name=name)

    def seen(self, what: str, time_s: float) -> None:
        """Show that ``what`` is being done at a time of the video."""
        self.update(self._task, description=what, completed=time_s)
