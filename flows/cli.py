"""The command line: ``eifer``."""

from __future__ import annotations

import errno
import importlib.util
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from eifer.ranges import LARGE
from flows.run import request
from flows.run.request import finite

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__
)
PARAMS = Path("params.yaml")
PerSecond = Annotated[
    float, typer.Option(help="frames read per second", min=0.01, max=1000, callback=finite)
]
ReadAs = Annotated[
    Path | None, typer.Option(help="params of a study, whose estimator and face crop are used")
]


def _port(default: str) -> Any:
    return typer.Option(help=f"on 127.0.0.1; by default {default}", min=1, max=65_535)


@contextmanager
def _errors_without_traceback(command: str) -> Iterator[None]:
    from eifer.errors import StudyError
    from stages._runtime.privacy import keep_private

    keep_private()
    try:
        yield
        return
    except StudyError as error:
        said = str(error)
    except ModuleNotFoundError as error:
        if importlib.util.find_spec("dvc"):
            raise
        # A wheel without its extra.
        said = f"{error.name} is missing; install it: pip install 'eifer[study]'"
    except OSError as error:  # a place that takes no files, a full disk
        if error.errno in (None, errno.EPIPE):
            raise
        where = f"{error.filename}: " if error.filename else ""
        said = f"{where}{error.strerror}; give another place"
    print(f"eifer {command}: {said}", file=sys.stderr)
    raise typer.Exit(1)


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """Make ``function`` a command of its name; what it refuses is said without a traceback."""
    name = function.__name__.replace("_", "-")
    return app.command(name)(_errors_without_traceback(name)(function))


@_command
def simulate(
    out: Annotated[Path, typer.Argument(help="folder to write, new or empty")],
    participants: Annotated[
        int, typer.Option(help="how many people, in one wave", min=1, max=10_000)
    ] = 4,
    effect: Annotated[
        float,
        typer.Option(
            help="size of the planted effect; 0 is a null", min=-LARGE, max=LARGE, callback=finite
        ),
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="same seed, same bytes", min=0, max=2**63 - 1)] = 1,
    params: Annotated[Path, typer.Option(help="params; their section simulate says the rest")] = (
        PARAMS
    ),
) -> None:
    """Write a simulated cohort, with the planted truth beside it."""
    from dataclasses import replace

    from eifer.cohort.simulation.cohort import simulate_cohort
    from eifer.errors import ParamsError
    from stages._runtime.artifacts import write_json, write_table
    from stages._runtime.machine import Machine
    from stages.params import load_params

    planted = load_params(params).simulate.planted
    if planted is None:
        raise ParamsError(f"{params} plants nothing (simulate.planted is null); give --params")
    spec = replace(planted, participants_per_wave=(participants,), effect=effect)
    simulated = simulate_cohort(out, spec, seed=seed, workers=Machine().workers)
    # Beside the cohort, not in it: whoever analyses it must not stumble over the answers.
    place = out.resolve()
    write_json(place.with_name(place.name + "_truth.json"), simulated.truth)
    write_table(place.with_name(place.name + "_latent.parquet"), simulated.latent)
    print(f"{participants} participants in {out}, what was planted in {out}_truth.json")


@_command
def validate(
    cohort: Annotated[
        Path, typer.Argument(help="folder laid out as docs/how-to/bring-your-own-cohort.md says")
    ],
    params: Annotated[Path, typer.Option(help="waves, exclusions and thresholds")] = PARAMS,
) -> None:
    """Check a cohort as the intake stage would, and list everything that is wrong."""
    from flows.pages.validity import show

    show(cohort, params)


@_command
def adapt(
    corpus: Annotated[Literal["amigos", "deap", "mahnob"], typer.Argument(help="which")],
    source: Annotated[Path, typer.Argument(help="folder in which its archives were unpacked")],
    out: Annotated[Path, typer.Argument(help="folder to write, new or empty")],
    ei: Annotated[
        Path | None, typer.Option(help="the participants' EI test, which no corpus has (a table)")
    ] = None,
    stimuli: Annotated[
        Path | None,
        typer.Option(help="a table with each film's domain; by default its ratings decide"),
    ] = None,
    preset: Annotated[
        Path, typer.Option(help="params to which the corpus's exclusions are added")
    ] = Path("presets/real.yaml"),
) -> None:
    """Write a published corpus as a cohort (docs/how-to/published-corpora.md)."""
    from flows.pages.adapting import adapt as write

    write(corpus, source, out, ei=ei, stimuli=stimuli, preset=preset)


@_command
def assets(
    fetch: Annotated[bool, typer.Option("--fetch", help="fetch what is missing")] = False,
    params: Annotated[
        Path | None, typer.Option(help="also the file of its estimator onnx, if it gives a url")
    ] = None,
) -> None:
    """List the model files eifer uses, their licences, and where they are."""
    from eifer.errors import AssetError
    from eifer.faces import assets as models

    refused: list[str] = []
    for asset in (*models.ASSETS, *(_asked_for(params) if params else ())):
        try:
            where = str(models.fetch(asset) if fetch else models.locate(asset))
        except AssetError as error:
            where = f"not fetched yet: {asset.command}"
            if fetch or os.path.lexists(models.folder() / asset.file):
                where = "refused: see below"
                refused.append(str(error))
        print(f"{asset.name}  {asset.licence}  sha256 {asset.sha256[:12]}…  {where}")
    if refused:
        raise AssetError("\n".join(refused))


def _asked_for(params: Path) -> list[Any]:
    """The cards of the model files that params name by an address."""
    from eifer.affect.onnx import asset
    from stages.params import load_params

    onnx = load_params(params).estimate.onnx
    return [card] if onnx and (card := asset(onnx)) else []


@_command
def workspace(
    target: Annotated[Path, typer.Argument(help="folder of the new study")],
    preset: Annotated[
        Path | None,
        typer.Option(
            help="the new study's params: a file, or a preset of eifer (presets/real.yaml ...); by "
            "default those of this folder, or of --study"
        ),
    ] = None,
    study: Annotated[
        Literal["ei", "expressions"] | None,
        typer.Option(help="a kind of study, whose demo's params it takes"),
    ] = None,
    cohort: Annotated[Path | None, typer.Option(help="folder of real recordings")] = None,
    replace_params: Annotated[
        bool, typer.Option("--replace-params", help="even where the folder has other params")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="a parameter of the preset: external.networks=[testresnet]"),
    ] = None,
) -> None:
    """Make a new study: this code in a folder of its own, with its own params."""
    from eifer.cohort.place import opened, refuse_around
    from flows.workspace import make_workspace, named_values, relative
    from stages._runtime.kinds import KINDS

    if preset and study:
        raise typer.BadParameter("--preset says which study it is: leave --study out")
    if cohort:
        opened(cohort)
        refuse_around(target, cohort)
    preset = preset or (Path(KINDS[study].preset) if study else PARAMS)
    overrides = named_values(set_ or [])
    if cohort:
        overrides["study.cohort"] = relative(cohort, target)
    made = make_workspace(target, preset=preset, overrides=overrides, replace_params=replace_params)
    there = shlex.quote(str(target))
    print(f"study in {made}; change its params.yaml, then: cd {there} && dvc repro")


@_command
def summary() -> None:
    """Say who and what was included and excluded, and where the time went."""
    from flows.pages.summary import show

    show(Path())


@_command
def audit(
    json: Annotated[
        Path | None, typer.Option("--json", help="also write every verdict and place to a file")
    ] = None,
    crate: Annotated[
        Path | None, typer.Option(help="a signed crate: is it as signed, and of this study?")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="the signer's public key")] = None,
) -> None:
    """Check that everything is what was recorded, from the recordings to the report.

    Exit code 1: something differs; 3: nothing does, but a link could not be checked.
    """
    from flows.pages.audit import show

    if (crate is None) != (key is None):
        raise typer.BadParameter("--crate and --key go together: a crate, and who signed it")
    if not show(Path(), json, crate, key):
        raise typer.Exit(3)


@_command
def trace(
    cell: Annotated[str, typer.Argument(help="table:row:column of the report, as headline:1:q")],
    html: Annotated[Path | None, typer.Option("--html", help="also draw it into a page")] = None,
) -> None:
    """Follow a cell of the report back to the recordings: rows, files, hashes and commands."""
    from flows.pages.trace import show

    show(Path(), cell, html)


@_command
def crate(
    out: Annotated[Path, typer.Argument(help="folder to write, beside the study")],
    with_: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="faces, recordings, weights or tables: copy these too, not only their hashes; may "
            "be repeated",
        ),
    ] = None,
    licence: Annotated[
        str, typer.Option(help="licence of the study's outputs: an address, or a sentence")
    ] = "",
    sign: Annotated[
        Path | None, typer.Option(help="a private key: sign every file (needs eifer\\[signing])")
    ] = None,
) -> None:
    """Write the study as an RO-Crate: every execution, what it read and made, and the report."""
    from flows.pages.crate import show

    show(Path(), out, with_ or [], licence, sign)


@_command
def withdraw(
    participant: Annotated[str, typer.Argument(help="as the cohort names them: sub-07")],
    reason: Annotated[
        str, typer.Option(help="of the withdrawal; written into the certificate alone")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be removed")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    no_run: Annotated[
        bool, typer.Option("--no-run", help="leave the study without results")
    ] = False,
    delete_recordings: Annotated[
        bool, typer.Option("--delete-recordings", help="also their folder in the cohort")
    ] = False,
    shared_cache: Annotated[
        bool, typer.Option("--shared-cache", help="also from a DVC cache outside the study")
    ] = False,
) -> None:
    """Remove a participant, and all that was ever made of them; run again without them."""
    from flows.pages.withdrawal import show
    from flows.withdraw.withdrawal import Options

    if not reason.strip():
        raise typer.BadParameter("--reason is empty: the certificate has to say why")
    options = Options(recordings=delete_recordings, shared_cache=shared_cache)
    show(Path(), participant, reason, options, dry=dry_run, sure=yes, run=not no_run)


@_command
def sync_tracking(
    only: Annotated[
        list[str] | None, typer.Option(help="the results of this stage instance alone")
    ] = None,
) -> None:
    """Add to MLflow the results of finished stages that it lacks."""
    from stages._runtime.mirror import mirror

    done = mirror(Path(), only or None)
    print(f"MLflow: {done.added} added, {done.unchanged} there already")
    for problem in done.problems:
        print(f"  {problem}", file=sys.stderr)
    if done.problems:
        raise typer.Exit(1)


@_command
def curves() -> None:
    """Print losses and metrics by epoch of every training that is running."""
    from flows.pages.curves import show

    show(Path())


@_command
def ui(
    port: Annotated[int | None, _port("any free port")] = None,
) -> None:
    """Open MLflow on this study's repetitions, and print where to compare them."""
    from flows.servers.ui import show

    show(Path(), port)


@_command
def estimate(
    videos: Annotated[list[Path], typer.Argument(help="videos, or folders of videos")],
    out: Annotated[Path, typer.Option(help="where each video gets a folder")] = Path("readings"),
    form: Annotated[
        Literal["csv", "parquet"], typer.Option("--format", help="of the table")
    ] = "csv",
    overlay: Annotated[
        bool, typer.Option("--overlay", help="also write the video with boxes and expressions")
    ] = False,
    per_second: PerSecond = 10,
    estimator: Annotated[
        str | None,
        typer.Option(
            help="expression (the default), blendshapes, one that --params describes, or the "
            "weights of an expressions study (FILE.safetensors; needs eifer\\[study])"
        ),
    ] = None,
    params: ReadAs = None,
) -> None:
    """Read the faces of videos: who, where, which expression, arousal and valence, over time."""
    if form == "parquet" and not importlib.util.find_spec("pyarrow"):
        raise typer.BadParameter("parquet needs pyarrow: pip install pyarrow, or take csv")
    from flows.pages.reading import chosen, read

    choice, spec = chosen(estimator, params, per_second)
    read(videos, out, choice, spec, form=form, film=overlay)


@_command
def page(
    port: Annotated[int | None, _port("8765, or any port if that is taken")] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="for uploads and readings; by default a temporary folder, deleted at the end"
        ),
    ] = None,
    allow: Annotated[
        list[Path] | None,
        typer.Option(help="a folder whose videos may be named by their path; may be repeated"),
    ] = None,
    max_gb: Annotated[
        float, typer.Option(help="largest upload", min=0.000001, max=10_000, callback=finite)
    ] = 4,
    max_minutes: Annotated[
        float, typer.Option(help="longest video", min=0.01, max=10_000, callback=finite)
    ] = 60,
    keep_hours: Annotated[
        float,
        typer.Option(
            help="hours after which a finished job is deleted",
            min=0.001,
            max=100_000,
            callback=finite,
        ),
    ] = 24,
    per_second: PerSecond = 10,
    estimator: Annotated[str | None, typer.Option(help="as in `eifer estimate`")] = None,
    params: ReadAs = None,
) -> None:
    """Open a page on this machine that reads videos: drop one, watch it with what was read."""
    from flows.servers import page as pages
    from flows.servers.page.jobs import Settings

    settings = Settings(
        estimator=estimator,
        params=str(params.resolve()) if params else None,
        per_second=per_second,
        max_minutes=max_minutes,
        keep_hours=keep_hours,
        most_bytes=round(max_gb * 1e9),
        allow=[str(path.resolve()) for path in allow or []],
    )
    pages.run(port, folder, settings)


@_command
def docs() -> None:
    """Print the pages that follow from declarations again: outputs, settings, networks, graphs."""
    from flows.graph import ROOT
    from flows.pages import graph, outputs, settings
    from stages._runtime.kinds import KINDS

    (ROOT / "docs/outputs.md").write_text(outputs.describe())
    (ROOT / "docs/settings.md").write_text(settings.describe())
    (ROOT / "docs/published-networks.yaml").write_text(settings.networks())
    for name, kind in KINDS.items():
        (ROOT / f"reports/graph-{name}.svg").write_text(graph.svg(kind))


@_command
def run(
    only: request.Only = None,
    start: request.Start = None,
    end: request.End = None,
    keep_going: request.KeepGoing = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would run, and why")] = False,
    at_once: request.AtOnce = 0,
    timeout_min: request.TimeoutMin = 0,
    where: request.Where = "local",
    experiment: request.Experiment = None,
    set_param: request.SetParam = None,
) -> None:
    """Run the study: every stage as soon as what it needs is done, several at once."""
    from flows.run.command import dry, go

    choice = request.Choice(only=only, start=start, end=end)
    how = {"at_once": at_once, "timeout_min": timeout_min, "where": where}
    if experiment is None and set_param:
        raise typer.BadParameter("-S is for an experiment: add --experiment NAME")
    if experiment is not None and (dry_run or any(choice.values())):
        raise typer.BadParameter(
            "an experiment is of the whole study: leave out --only, --from, --to and --dry-run"
        )
    if dry_run:
        dry(Path(), **choice)
    else:
        go(Path(), choice, experiment, set_param or [], keep_going=keep_going, **how)


@_command
def plan(
    step_s: Annotated[
        tuple[float, float] | None,
        typer.Option(
            help="seconds of a step in the first and second phase; else measured here",
            min=0,
            max=LARGE,
        ),
    ] = None,
    participants: Annotated[
        int | None, typer.Option(help="size of a cohort that is not there yet", min=1, max=100_000)
    ] = None,
    over_budget: Annotated[
        bool, typer.Option("--over-budget", help="even above training.budget in params")
    ] = False,
) -> None:
    """Say how many trainings the study still needs, and how long and how much disk they take."""
    from flows.run.cost import show

    show(Path(), step_s=step_s, participants=participants, over=over_budget)


@_command
def services(
    prefect_port: Annotated[int | None, _port("4200, or any port if that is taken")] = None,
    mlflow_port: Annotated[int | None, _port("5000, or any port if that is taken")] = None,
    gpus: Annotated[int, typer.Option(help="for all stages at once", min=1, max=1024)] = 1,
) -> None:
    """Start Prefect, MLflow and a worker on this machine, and keep them until Ctrl-C."""
    from flows.servers.services import run as keep

    keep(Path(), prefect_port=prefect_port, mlflow_port=mlflow_port, gpus=gpus)
