"""What the command line takes: values that are none, places that take no files, no study."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest
import yaml
from typer.testing import CliRunner

from eifer.faces import assets
from flows.cli import app
from flows.graph import ROOT
from tests.watched import finish

DEMO = str(ROOT / "presets/demo.yaml")


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is no study."""
    folder = tmp_path / "nowhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def refused(*words: str) -> str:
    """What ``eifer`` says where it refuses without a traceback."""
    result = CliRunner().invoke(app, list(words))
    assert isinstance(result.exception, SystemExit), (words, result.exception)
    assert result.exit_code in (1, 2), (words, result.output)
    said = result.output.replace("│", " ")
    assert "Traceback" not in said and said.strip()
    return " ".join(said.split())


def test_every_number_of_the_command_line_has_bounds() -> None:
    numbers = {
        f"{command.callback.__name__} {name}": option
        for command in app.registered_commands
        if command.callback
        for name, hint in get_type_hints(command.callback, include_extras=True).items()
        if get_origin(hint) is Annotated
        for kind, *options in [get_args(hint)]
        if {int, float} & {kind, *get_args(kind)}
        for option in options
        if hasattr(option, "param_decls")
    }
    assert len(numbers) >= 9
    assert not [name for name, one in numbers.items() if one.min is None or one.max is None]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e9", "many", ""])
@pytest.mark.parametrize(
    "words",
    [
        ("simulate", "out", "--params", DEMO, "--effect"),
        ("simulate", "out", "--params", DEMO, "--participants"),
        ("simulate", "out", "--params", DEMO, "--seed"),
        ("run", "--timeout-min"),
        ("run", "--at-once"),
        ("ui", "--port"),
        ("services", "--prefect-port"),
        ("services", "--mlflow-port"),
        ("services", "--gpus"),
    ],
)
def test_a_number_that_is_none_is_refused(
    words: tuple[str, ...], value: str, nowhere: Path
) -> None:
    assert words[-1] in refused(*words, value)
    assert not list(nowhere.iterdir())


@pytest.mark.parametrize("port", ["-1", "0", "65536", "99999"])
@pytest.mark.parametrize(
    "words", [("ui", "--port"), ("services", "--prefect-port"), ("services", "--mlflow-port")]
)
def test_a_port_is_one(words: tuple[str, ...], port: str) -> None:
    assert words[-1] in refused(*words, port)


@pytest.mark.parametrize("place", ["/dev/null", "/proc/place", "file", "file/place", 300 * "x"])
def test_places_that_take_no_files_are_said(place: str, nowhere: Path) -> None:
    (nowhere / "file").write_text("mine")
    name = place if place.startswith("/") else str(nowhere / place)
    cut = Path(name).name[:40]
    assert cut in refused("workspace", name, "--preset", DEMO)
    assert cut in refused("simulate", name, "--params", DEMO)
    assert cut in refused("simulate", "out", "--params", name)
    assert cut in refused("workspace", "out", "--preset", name)
    assert cut in refused("validate", "file", "--params", name)
    assert "eifer adapt:" in refused("adapt", "deap", name, "out")
    assert (nowhere / "file").read_text() == "mine"
    assert [path.name for path in nowhere.iterdir()] == ["file"]


def test_assets_are_not_fetched_into_a_place_that_takes_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assets.Address, "read", lambda _: pytest.fail("fetched"))
    for place in ("/dev/null", "/proc/assets"):
        monkeypatch.setenv(assets.FOLDER_VARIABLE, place)
        said = refused("assets", "--fetch")
        assert said.count("takes no files") == len(assets.ASSETS) and place in said


def test_an_asset_that_was_changed_is_not_called_missing(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(assets.FOLDER_VARIABLE, str(nowhere))
    (nowhere / assets.YUNET.file).write_bytes(b"tampered")
    said = refused("assets")
    assert said.count("not fetched yet") == len(assets.ASSETS) - 1
    assert f"{assets.YUNET.file} is another file than the card's" in said


def test_the_file_of_an_estimator_is_fetched_by_the_params_that_name_it(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"a network"
    card = {
        "path": None,
        "url": "https://models.example/network.onnx",
        "sha256": hashlib.sha256(content).hexdigest(),
        "licence": "Apache-2.0",
        "measured": "a few faces",
        "size_px": 224,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "outputs": ["valence", "arousal"],
    }
    params = yaml.safe_load(Path(DEMO).read_text())
    params["estimate"] |= {"also": ["onnx"], "onnx": card}
    (nowhere / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.setenv(assets.FOLDER_VARIABLE, str(nowhere))
    monkeypatch.setattr(assets, "ASSETS", ())
    monkeypatch.setattr(assets.Address, "read", lambda address: content)
    listed, fetched = (
        CliRunner().invoke(app, ["assets", "--params", "params.yaml", *more]).output
        for more in ([], ["--fetch"])
    )
    assert "onnx  Apache-2.0" in listed
    assert "not fetched yet: `eifer assets --fetch --params params.yaml`" in listed
    (file,) = nowhere.glob("*-network.onnx")
    assert str(file) in fetched and file.read_bytes() == content


@pytest.mark.parametrize(
    ("cohort", "why"),
    [
        ("none", "none: missing"),
        ("http://x/y", "no cohort (1): http:/x/y: missing"),
        ("/", "no cohort (1): /: neither"),
        ("file", "file: not a folder"),
        ("/dev/null", "/dev/null: not a folder"),
    ],
)
def test_a_workspace_without_its_cohort_is_not_made(cohort: str, why: str, nowhere: Path) -> None:
    (nowhere / "file").write_text("")
    assert why in refused("workspace", "study", "--preset", DEMO, "--cohort", cohort)
    assert not (nowhere / "study").exists()


def test_the_next_command_that_is_shown_can_be_pasted(nowhere: Path) -> None:
    target = nowhere / "my study's; touch x"
    (nowhere / "my cohort").mkdir()
    (nowhere / "my cohort/dataset_description.json").write_text("{}")
    result = CliRunner().invoke(
        app, ["workspace", str(target), "--preset", DEMO, "--cohort", "my cohort"]
    )
    assert result.exit_code == 0, result.output
    shown = result.output.partition("then: ")[2].partition(" && ")[0]
    assert shlex.split(shown) == ["cd", str(target)]
    assert Path(os.path.realpath(target / "../my cohort")).is_dir()


@pytest.mark.parametrize(
    "words", [("run",), ("run", "--dry-run"), ("summary",), ("simulate", "x"), ("validate", "x")]
)
def test_outside_a_study_it_says_so(words: tuple[str, ...], nowhere: Path) -> None:
    refused(*words)
    assert not list(nowhere.iterdir())


@pytest.mark.parametrize("make", ["demo", "demo-real"])
def test_make_works_in_a_folder_with_blanks(make: str, nowhere: Path) -> None:
    """With stand-ins for what it installs, which say what they were given."""
    study = nowhere / "a study's (copy)"
    (study / ".venv/bin").mkdir(parents=True)
    (study / "data/report").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", study)
    for name in ("requirements.lock", "pyproject.toml", ".venv/installed"):
        (study / name).write_text("")
    for name in ("data/report/index.html", "data/report/figures", "data/report/tables"):
        (study / name).write_text("")
    (study / "reports").mkdir()
    (study / "runs/demo-real").mkdir(parents=True)
    (study / ".venv/bin/python").symlink_to(sys.executable)
    stand_in = study / ".venv/bin/eifer"
    stand_in.write_text(
        '#!/bin/sh\nfor word; do printf "<%s>" "$word"; done >> "$LOG"; echo >> "$LOG"\n'
    )
    stand_in.chmod(0o755)
    cohort = "../my cohort's $(touch PWNED); touch PWNED"
    environment = os.environ | {"LOG": str(nowhere / "log"), "COHORT": cohort}
    done = finish(["make", make, "--silent"], study, environment)
    assert done.returncode == 0, done.stderr
    assert "report: file:///" in done.stdout and "a%20study" in done.stdout
    told = (nowhere / "log").read_text().splitlines()
    assert told[0] == "<assets><--fetch>"
    assert told[-2:] == ["<run>", "<summary>"]
    if make == "demo-real":
        assert f"<--cohort><{cohort}>" in told[1]
    assert not list(nowhere.rglob("PWNED"))
