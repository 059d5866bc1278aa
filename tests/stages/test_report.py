"""The report: put together from a finished study, self-contained, the same bytes each time."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from eifer import calibration, evaluation, partitions, selection
from eifer.comparison import Claim, ComparisonSpec, ParticipantSpec, as_published, by_participant
from eifer.comparison.beside import interaction, stability
from eifer.comparison.participants import mean_differences
from eifer.errors import StudyError
from eifer.figures import flow
from eifer.report.assembly import _address, written
from eifer.report.exhibits import ABSENT, EXHIBITS, Cells, exhibit, lines, tabled
from eifer.report.fragments import Fragments, merged
from eifer.report.methods import Methods, cited
from eifer.tables.affect import AGREEMENT
from eifer.tables.attrition import ATTRITION
from eifer.tables.cohort import PARTICIPANTS
from eifer.tables.comparison import BY_ASSIGNMENT, FINE_TUNED, PRETRAINED
from eifer.tables.evaluation import PREDICTIONS
from eifer.tables.partitions import CONDITIONS, SAMPLES
from eifer.tables.selection import CROPS
from eifer.tables.simulation import LATENT
from eifer.tables.training import CURVES, REPETITIONS
from flows.audit.page import unlike_tables
from flows.audit.study import Recorded
from flows.audit.trail import trail
from stages import report as module
from stages._runtime import data_docs
from stages._runtime.artifacts import write_json, write_table
from stages._runtime.stage import Run
from tests.rows import row

ROOT = Path(__file__).parents[2]
PEOPLE = [f"sub-{k:02d}" for k in range(1, 9)]
ASSIGNMENTS = ("ei", "matched", "null01", "null02")
NUMBERS: dict[str, dict[str, object]] = {
    "declare": {"sha256": "0123456789abcdef" * 4},
    "stats": {"changed": []},
    "estimate": {"estimator": "network"},
    "evaluate_external": {"network": "resnet50", "started": "random"},
}
"""What the page says of a stage's numbers."""
COLOURS = {who: (20 * k, 255 - 20 * k, 77) for k, who in enumerate(PEOPLE, 1)}
"""The faces of these people."""
DOMAINS = ("HAHV", "HALV", "LAHV", "LALV")
TESTED = ("sub-01", "sub-02", "sub-05", "sub-06")


def videos() -> Iterator[tuple[str, str, str]]:
    for who in PEOPLE:
        for run, domain in enumerate(DOMAINS, 1):
            yield who, f"{who}_run-{run}", domain


def tables() -> dict[str, list[dict[str, Any]]]:
    """The rows of every table before training, by the table's name."""
    rng = np.random.default_rng(0)
    named = {made.table.name: made.table for made in module.SOURCES}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in named}

    def add(name: str, **known: object) -> None:
        rows[name].append(row(named[name], **known))

    for k, who in enumerate(PEOPLE):
        part = "test" if who in TESTED else "validation" if who in ("sub-03", "sub-07") else "train"
        placed = {"participant_id": who, "group": "High" if k < 4 else "Low"}
        add("participants", participant_id=who, sex="F")
        add("ei_scores", **placed, ei_score=900 - 50 * k)
        add("partitions", **placed, rotation="1", partition=part)
        for name in ASSIGNMENTS:
            add("assignments", **placed, assignment=name)
    for who, video, domain in videos():
        where = {"participant_id": who, "video_id": video}
        labels = {"arousal_label": int(domain[0] == "H"), "valence_label": int(domain[2] == "H")}
        seen = {"domain": domain, "arousal_rating": 6, "valence_rating": 2}
        files = {"video_path": "v.mp4", "ecg_path": "e.tsv.gz"}
        add("videos", **where, **labels, **seen, **files, wave="1")
        add("frame_counts", **where, frames_decoded=6, frames_accepted=5)
        add("ecg_quality", **where, verdict="good")
        for variable in ("rmssd_ms", "mean_nn_ms"):
            add("hrv", **where, variable=variable, value=rng.normal(40))
        for frame in range(6):
            add("frames", **where, frame=frame, status="accepted")
            if frame < 5:
                signs = {d: 2 * labels[f"{d}_label"] - 1 for d in ("arousal", "valence")}
                estimate = {d: float(sign * rng.uniform(-0.2, 1)) for d, sign in signs.items()}
                rows["estimates"].append({**where, "frame": frame, **estimate})
    for cutoff, chosen in ((600, False), (700, True), (750, False)):
        add("cutoff_scan", cutoff=cutoff, chosen=chosen, n_high=4, n_low=4)
        for variable in ("rmssd_ms", "mean_nn_ms"):
            add("cutoff_tests", cutoff=cutoff, variable=variable, p=0.2, df1=3.0)
    for video in ("all", *(video for _, video, _ in videos())):
        add("estimators_agreement", wave="1", other="blendshapes", video_id=video)
    add("cutoff_alternatives", scan="other model", model="mixed", cutoff=750, n_moved=1)
    return rows


def frames_of(rows: dict[str, list[dict[str, Any]]]) -> dict[str, pd.DataFrame]:
    """What select and split make of it."""
    labels, estimates = pd.DataFrame(rows["videos"]), pd.DataFrame(rows["estimates"])
    ranked, shortfall = selection.select(estimates, labels, top=3)
    candidates, _ = partitions.candidates(estimates, labels, names=("ambiguous",), per_video=2)
    chosen = selection.merge(estimates, labels, ranked, candidates)
    ranked = chosen[chosen["arousal_rank"].notna() | chosen["valence_rank"].notna()]
    people = pd.DataFrame(rows["partitions"]).set_index("participant_id")
    parts = []
    for task in ("arousal", "valence"):
        mine = ranked[["item_id", "participant_id", "video_id", "frame"]].assign(
            task=task,
            label=ranked[f"{task}_label"],
            label_source="rating",
            estimate=ranked[f"{task}_estimate"],
            group=ranked["participant_id"].map(people["group"]),
            partition=ranked["participant_id"].map(people["partition"]),
        )
        parts.append(mine)
    every = pd.concat(parts, ignore_index=True).assign(rotation="1")
    tested = every["partition"] == "test"
    conditions = every[tested].drop(columns="partition").assign(condition="baseline", rank=1)
    learnt = every[~tested].assign(assignment="ei", total=True)
    return {
        "selection": chosen,
        "shortfall": shortfall,
        "samples": SAMPLES.conform(learnt),
        "conditions": CONDITIONS.conform(conditions),
    }


def answers(conditions: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    parts = [evaluation.predict_by_estimate(conditions)]
    for task in ("arousal", "valence"):
        names = evaluation.items(conditions, task)
        crops = np.zeros((len(names), 1, 1, 3), np.uint8)
        for group in ("High", "Low", "Total"):
            for number in (1, 2):
                model = evaluation.Model("1", task, group, number, 0.5)
                scores = rng.uniform(size=len(names))
                parts.append(evaluation.predict(conditions, crops, model, lambda _, s=scores: s))
    return PREDICTIONS.conform(pd.concat(parts, ignore_index=True))


def leave(folder: Path, stage: str, **item: str) -> None:
    """What every stage leaves beside its tables."""
    folder.mkdir(parents=True, exist_ok=True)
    report = {
        "stage": stage,
        "item": item,
        "title": stage,
        "methods": f"{stage} was done & dusted as others did [@sun2014; @delong1988].",
        "results": f"{stage} counted {len(str(folder))} things.",
        "numbers": {"n": 1, **NUMBERS.get(stage, {})},
    }
    write_json(folder / "report.json", report)
    check = {"table": stage, "about": "columns", "expectation": "expect_columns", "times": 1}
    write_json(folder / "checks.json", [{**check, "success": True, "n_unexpected": 0}])
    if stage in ("extract", "split"):
        reason = {"level": "frame", "video_id": "n/a", "what": "frames", "reason": "no face"}
        lost = ATTRITION.frame([reason | {"participant_id": "sub-01", "n": 3}])
        write_table(folder / "attrition.parquet", lost)


def write_study(study: Path) -> None:
    rows = tables()
    made: dict[str, pd.DataFrame] = {**frames_of(rows)}
    made["predictions"] = predictions = answers(made["conditions"])
    made["metrics"] = evaluation.measure(predictions)
    made["summary"] = evaluation.summarise(made["metrics"])
    published = ComparisonSpec(alpha=0.05, family=("condition",), few_participants=12)
    made["delong"], made["comparison"] = as_published(predictions, published)
    declared = ParticipantSpec(
        confirmatory=(Claim(FINE_TUNED, "valence", "baseline", "High-Low"),),
        test="t",
        alpha=0.05,
        family=(),
        margin=0.01,
        flips=99,
    )
    predicted = {FINE_TUNED: predictions, PRETRAINED: answers(made["conditions"], 2)}
    tests = {
        FINE_TUNED: made["delong"],
        PRETRAINED: as_published(predicted[PRETRAINED], published)[0],
    }
    differences = [
        difference
        for seed, name in enumerate(ASSIGNMENTS, 3)
        for difference in mean_differences(
            name,
            predicted
            if name == "ei"
            else {models: answers(made["conditions"], 10 * seed) for models in predicted},
        )
    ]
    made["by_assignment"] = BY_ASSIGNMENT.frame(differences)
    primary = by_participant(predicted, tests, declared, 1, made["by_assignment"])
    made["by_participant"], made["participant_deltas"] = primary.compared, primary.deltas
    made["interaction"], made["stability"] = interaction(primary.deltas), stability(primary.deltas)
    made["declared"] = primary.declared
    explored = replace(declared, confirmatory=())
    others = by_participant({"resnet50": predictions}, {"resnet50": made["delong"]}, explored, 1)
    made["external_by_participant"] = others.compared
    for name in ("summary", "comparison"):
        made[f"external_{name}"] = made[name].assign(network="resnet50")
    made["calibration"], made["power"] = calibrated(declared)
    run = Run(module.report, PARAMS, {}, study / "unused", SimpleNamespace(workers=1))
    for given in (*module.FOLDERS, *module.SOURCES):
        for path in map(study.joinpath, run.paths(given)):
            stage = path.relative_to(study / "data").parts[0]
            place = path.parent if path.suffix else path
            named = "_".join(place.relative_to(study / "data").parts[1:]).split("_")
            item = dict(part.split("-", 1) for part in named if "-" in part)
            if not path.suffix:
                leave(path, stage, **item)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if given.table is REPETITIONS or given.table is CURVES:
                who = {"assignment": "ei", "rotation": item["rotation"], "task": item["task"]}
                who["training_group"] = item.get("group", "Total")
                listed = [
                    row(given.table, **who, repetition=r, epoch=e, stage=stage)
                    for r in (1, 2)
                    for e in ((1, 2) if given.table is CURVES else (1,))
                ]
                write_table(path, given.table.conform(pd.DataFrame(listed)[given.table.names]))
            elif given.table.name in made or rows[given.table.name]:  # what the spec names
                frame = made.get(given.table.name, pd.DataFrame(rows[given.table.name]))
                write_table(path, given.table.conform(frame))
    write_crops(study, made["selection"])
    cutoff = {"cutoff": 700, "n_significant": 1, "permutation_p": 0.5, "permutation_maxima": [0, 1]}
    write_json(study / "data/stratify/cutoff.json", cutoff)
    facts = {"title": "Affect network", "made": "drawn", "licence": "CC0", "intended_use": "tests"}
    write_json(study / "data/affect/card.json", facts | {"limits": ["<none>"]})
    proof = {"a": "train", "b": "test", "of": "items", "shared": 0}
    write_json(study / "data/split/disjointness.json", {"1": {"pairs": [proof], "overlaps": []}})
    shutil.copytree(ROOT / "reports", study / "reports")
    cohort = study / "data/simulate"
    write_json(cohort / "truth.json", truth())
    felt = [
        row(LATENT, participant_id=who, video_id=video, frame=frame, arousal=frame / 6, valence=0.1)
        | {"planted": "face"}
        for who, video, _ in videos()
        for frame in range(6)
    ]
    write_table(cohort / "latent.parquet", LATENT.frame(felt))


def write_crops(study: Path, selection: pd.DataFrame) -> None:
    for (who, video), frames in selection.groupby(["participant_id", "video_id"]):
        pixels = np.full((8, 8, 3), COLOURS[who], np.uint8).tobytes()
        size = {"height_px": 8, "width_px": 8, "crop": [pixels] * len(frames)}
        crops = frames[["item_id", "video_id", "frame"]].assign(**size)
        path = study / f"data/select/wave-1/crops/{video}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(path, CROPS.conform(crops))


def calibrated(declared: ParticipantSpec) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Error rates and power from very few drawn cohorts."""
    how = calibration.Comparison(ComparisonSpec(0.05, ("condition",), 12), declared, seed=1)
    null = calibration.Plan((4,), 2, 3, 2, 0.0, 0.9, 0.0, (0.0,), 2)
    lucky, found = replace(null, training=0.3), replace(null, effects=(0.05, 0.1))
    spread = calibration.Spread(0.5, 0.5, 0.3, 0.45, 0.7, 0.5)
    spec = calibration.CalibrationSpec(spread, (null,), (null, lucky), 99, (found,), 0.8)
    claimed = pd.concat(
        calibration.claims(chunk, spec, how) for chunk in calibration.chunks(spec, 1)
    )
    return calibration.calibration(claimed, how), calibration.power(claimed, how, 0.8)


def truth() -> dict[str, Any]:
    heart = {"mean_nn_ms": 800.0, "rmssd_ms": 30.0}
    people = [
        {
            "participant_id": who,
            "ei_score": 900 - 50 * k,
            "coupling": 1 - k / 10,
            "ability": 1 - k / 4,
            "videos": [
                {"video_id": f"{who}_run-{run}", "domain": domain}
                | {"heart": {name: value + k + run for name, value in heart.items()}}
                for run, domain in enumerate(DOMAINS, 1)
            ],
        }
        for k, who in enumerate(PEOPLE)
    ]
    response = {domain: {"ei_vagal_log": 0.1} for domain in DOMAINS}
    spec = {
        "effect": 1.0,
        "expression": {"coupling": 0.85, "coupling_shift": 0.2},
        "autonomic": {"response": response},
    }
    return {"participants": people, "spec": spec, "auc_differences": []}


PARAMS = SimpleNamespace(
    study=SimpleNamespace(name="a <small> study", seed=7, waves=("1",)),
    split=SimpleNamespace(assignments=ASSIGNMENTS, rotations=("1",), totals=("ei", "matched")),
    training=SimpleNamespace(blocks=("1-2",)),
    external=SimpleNamespace(networks=("resnet50",)),
    report=SimpleNamespace(
        cohort_from="data/simulate",
        faces_from="data/corpus",
        networks_from="data/evaluate_external",
        faces=(),
        pseudonyms=False,
        least_people=1,
    ),
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write_study(folder)
    return folder


def build(study: Path, out: str, spec: str | None = None, **params: object) -> Path:
    """Run the stage in ``study`` with the report's own spec, or with another."""
    own = (ROOT / "reports/spec.yml").read_text()
    (study / "reports/spec.yml").write_text(spec or own)
    (study / out).mkdir()
    given = SimpleNamespace(**vars(PARAMS))
    given.report = SimpleNamespace(**{**vars(PARAMS.report), **params})
    with contextlib.chdir(study):
        run = Run(module.report, given, {}, Path(out), SimpleNamespace(workers=1))
        run.write(module.report.function(run))
    return study / out


@pytest.fixture(scope="module")
def built(study: Path) -> Path:
    return build(study, "built")


@contextlib.contextmanager
def restored(path: Path) -> Iterator[None]:
    """What is done to a file of the study is undone afterwards."""
    kept = path.read_bytes()
    try:
        yield
    finally:
        path.write_bytes(kept)


def sections(*names: str) -> str:
    """The report's own spec, cut down to some sections."""
    spec = yaml.safe_load((ROOT / "reports/spec.yml").read_text())
    spec["sections"] = [s for s in spec["sections"] if s["id"] in names]
    return yaml.safe_dump(spec, sort_keys=False, width=10_000)


def test_report_of_a_simulated_study(built: Path) -> None:
    out, page = built, (built / "index.html").read_text()
    spec = yaml.safe_load((ROOT / "reports/spec.yml").read_text())
    # Every section has something to show here, in the declared order.
    shown_sections = re.findall(r'<section id="(\w+)"', page)
    assert shown_sections == [section["id"] for section in spec["sections"]]
    assert "<strong>Simulated cohort.</strong>" in page
    assert "a &lt;small&gt; study" in page
    assert "&lt;none&gt;" in page
    # Self-contained: nothing is fetched from anywhere, and links lead to files beside the page.
    assert not re.findall(r'src="(?!data:)', page)
    assert not re.findall(r"url\((?!%23)|@import|<script src", page)
    links = re.findall(r'href="(?!data:|#)([^"]*)', page)
    # But for the dated pages of the checks, which lie in the study.
    links.remove(f"../../{data_docs.INDEX}")
    assert all((out / link).is_file() for link in links)
    made = {path.relative_to(out).as_posix() for path in out.glob("*/*")}
    assert set(links) == made
    # What the page shows stands beside it as files, with the numbers in full.
    shown = {
        (kind, item.get("as", item[kind]))
        for section in spec["sections"]
        for item in section.get("show", [])
        for kind in ("figure", "table")
        if kind in item
    }
    shown.add(("figure", "graph"))  # drawn from the declared stages, not from a source
    files = {("figure", p.stem) for p in (out / "figures").glob("*.svg")}
    files |= {("table", p.stem) for p in (out / "tables").glob("*.tex")}
    assert shown == files | {("figure", "faces")}  # nobody allowed theirs
    full = pd.read_csv(out / "tables/table_3.csv")
    assert len(full) == 8
    assert full["roc_auc_mean"].between(0, 1).all()
    other = pd.read_csv(out / "tables/table_5.csv").query("training_group == 'High'")
    assert other["network"].eq("resnet50").all()
    printed = other.set_index(["task", "condition"])["roc_auc_mean_published"].dropna()
    assert printed.to_dict() == {("arousal", "baseline"): 0.4686, ("valence", "baseline"): 0.7635}
    assert "resnet50 started from random numbers." in page
    # A cell's address, as `eifer trace` takes it.
    assert full["address"].tolist() == [f"table_3:{row}" for row in range(1, 9)]
    assert page.count('<td title="table_3:8:ROC-AUC"') == 1
    assert page.count("<td title=") == page.count("<td")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(
        rf"of recordings [0-9a-f]{{12}} and parameters [0-9a-f]{{12}} .* eifer {version}\.", page
    )
    assert page.count("<img ") == len(list((out / "figures").glob("*.svg")))
    assert len(page) < 1_500_000


def test_axe_finds_nothing(built: Path, barriers: Callable[[Path], list[str]]) -> None:
    assert barriers(built / "index.html") == []


def test_axe_finds_a_head_without_words_and_pale_letters(
    built: Path, tmp_path: Path, barriers: Any, browser: Any
) -> None:
    text = (built / "index.html").read_text()
    harmed = tmp_path / "index.html"
    pale = '<p style="color: #ddd; background: #fff">pale</p></main>'
    harmed.write_text(
        re.sub(r'(<th scope="col"[^>]*>)[^<]+', r"\1", text, count=1).replace("</main>", pale)
    )
    page = browser.new_page()
    page.goto(harmed.as_uri())
    assert {rule.split(": ")[0] for rule in barriers(page)} == {
        *("button-name", "color-contrast", "empty-table-header"),
    }


def test_what_the_source_has_keeps_its_number_and_the_rest_has_another_series(built: Path) -> None:
    page = (built / "index.html").read_text()
    labels = re.findall(r"<figcaption><b>([^<]*)\.</b>", page)
    assert len(set(labels)) == len(labels)
    source = [label for label in labels if label.endswith(" of the source")]
    assert sorted(source) == [
        *(f"Figure {n} of the source" for n in (4, 7)),
        *(f"Table {n} of the source" for n in range(1, 7)),
    ]
    own = [label for label in labels if label not in source]
    for kind in ("Table", "Figure"):
        n = sum(label.startswith(kind) for label in own)
        assert [label for label in own if label.startswith(kind)] == [
            f"{kind} A{k}" for k in range(1, n + 1)
        ]


def test_the_flow_diagram_adds_up() -> None:
    rows = tables()
    made = frames_of(rows)
    counts = pd.DataFrame(rows["frame_counts"])
    listed = flow.steps(
        pd.DataFrame(rows["participants"]).assign(excluded=[None] * 7 + ["withdrew"]),
        pd.DataFrame(rows["videos"]),
        counts.assign(rejected_no_face=1),
        made["selection"],
        made["samples"],
        made["conditions"],
        ATTRITION.frame([]),
        1,
    )
    assert listed[0] == ("8 participants recruited", "left out: 1 (1 withdrew)")
    n = len(counts)
    assert listed[2][0] == f"{6 * n} frames decoded" and f"{n} no face" in listed[2][1]

    def numbers(text: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", text)]

    (accepted, _), (chosen, moved), (used, ends) = listed[3:]
    assert numbers(accepted)[0] == 5 * n
    added, unused = numbers(moved)
    assert numbers(chosen)[0] + added - unused == numbers(used)[0] > 0
    assert sum(numbers(ends)[::2]) == numbers(used)[0]


def test_the_outcomes_are_those_of_the_primary_analysis(study: Path, built: Path) -> None:
    outcomes = json.loads((built / "metrics.json").read_text())
    (primary,) = (
        pd.read_parquet(study / "data/stats/by_participant.parquet")
        .query("role == 'confirmatory'")
        .to_dict("records")
    )
    of_contrast = outcomes["fine-tuned valence baseline High-Low"]
    assert of_contrast["difference"] == primary["delta"]
    assert of_contrast["verdict"] == primary["verdict"]
    assert outcomes["cutoff"] == {"cutoff": 700, "n_significant": 1, "permutation_p": 0.5}
    assert outcomes["left out"] == {"extract: frame": 3, "split: frame": 3}


def test_a_drawing_keeps_its_quotes() -> None:
    drawn = """<svg style="font: 'DejaVu Sans'"><text>the model's "best"</text></svg>"""
    address = unquote(_address(drawn).partition(",")[2])
    assert address == """<svg style='font: "DejaVu Sans"'><text>the model's "best"</text></svg>"""


def test_a_table_as_shown_and_as_latex(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a_b": [0.123456, 2.0], "c": ["50 % & more", None]})
    rows = lines(frame, {"Head_1": "{a_b:+.2f} / {a_b:.1f}", "ΔAUC": "{c}"})
    full, plain, tex = written(tmp_path, "t", frame, ["Head_1", "ΔAUC"], rows)
    assert pd.read_csv(tmp_path / full)["a_b"].tolist() == [0.123456, 2.0]
    assert (tmp_path / plain).read_text() == (
        "Head_1,ΔAUC\n+0.12 / 0.1,50 % & more\n+2.00 / 2.0,–\n"
    )
    assert r"+0.12 / 0.1 & 50 \% \& more \\" in (tmp_path / tex).read_text()


def test_a_long_table_is_cut_on_the_page_alone(study: Path) -> None:
    path = study / "data/extract/wave-1/attrition.parquet"
    with restored(path):
        write_table(path, pd.concat([pd.read_parquet(path)] * 250, ignore_index=True))
        out = build(study, "long", sections("participants"))
    page = (out / "index.html").read_text()
    n = len(pd.read_csv(out / "tables/everything_left_out.csv"))
    assert n > 250 and f"The first 200 of {n} rows" in page
    assert len(re.findall("<tr", page)) < 250


def test_the_methods_text_is_cited_in_every_form(built: Path) -> None:
    page = (built / "index.html").read_text()
    folder = built / "methods"
    text = {path.name: path.read_text() for path in folder.iterdir()}
    # Numbers in the order in which the text cites them; the words stand in the list.
    assert 'simulate was done &amp; dusted as others did [<a href="#ref-sun2014">1</a>, ' in page
    references = re.findall(r'<li id="ref-(\w+)">([^<]*)', page)
    assert [key for key, _ in references[:2]] == ["sun2014", "delong1988"]
    assert references[1][1] == (
        "DeLong, Elizabeth R.; DeLong, David M.; Clarke-Pearson, Daniel L. 1988. Comparing the "
        "areas under two or more correlated receiver operating characteristic curves: A "
        "nonparametric approach. Biometrics 44(3):837–845. doi:10.2307/2531595."
    )
    assert "simulate was done & dusted as others did [@sun2014; @delong1988]." in text["methods.md"]
    assert r"done \& dusted as others did \cite{sun2014,delong1988}." in text["methods.tex"]
    entries = re.findall(r"^@(\w+){(\w+),$", text["references.bib"], re.MULTILINE)
    assert [key for _, key in entries] == [key for key, _ in references]
    assert ("article", "delong1988") in entries
    # The tools with their versions, and results apart.
    assert f"torch {version('torch')} (training)" in text["methods.md"]
    assert "counted" not in text["methods.md"] and "counted" in page


def test_every_reference_is_cited_and_every_citation_has_one() -> None:
    declared = yaml.safe_load((ROOT / "reports/references.yml").read_text())
    code = [
        path.read_text() for folder in ("stages", "eifer") for path in (ROOT / folder).rglob("*.py")
    ]
    keys = {key for text in code for key in cited(text) if key != "key"}
    software = {about["key"] for about in declared["software"].values() if "key" in about}
    assert keys | software == set(declared["references"])
    with pytest.raises(StudyError, match="no reference 'sun2015'; did you mean 'sun2014'"):
        Methods(
            {},
            ["torch", "timm"],
            Fragments([], pd.DataFrame(), pd.DataFrame()),
            declared
            | {"software": {"torch": {"for": "x", "key": "sun2015"}, "timm": {"for": "y"}}},
        )


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (
            "High better within this training",
            "models trained on people of high EI were better than those trained on people of low "
            "EI: the ROC-AUC differed by",
        ),
        ("Low better", "of low EI were better than those trained on people of high EI:"),
        ("equivalent: less than 0.01 apart", "it made no difference that matters"),
        ("inconclusive: 4 participants allow no p below 0.125", "this study cannot tell whether"),
        ("not estimable: too few", "this study cannot tell whether"),
    ],
)
def test_the_plain_summary_says_what_the_primary_verdict_says(
    study: Path, verdict: str, sentence: str
) -> None:
    path = study / "data/stats/by_participant.parquet"
    table = pd.read_parquet(path)
    table.loc[table["role"] == "confirmatory", "verdict"] = verdict
    with restored(path):
        write_table(path, table)
        out = build(study, f"plain-{verdict[:12]}", sections("headline"))
    page = (out / "index.html").read_text()
    text = " ".join(page.split())
    plain = re.search(r"<strong>In plain words.</strong>(.*?)</p>", text)
    assert plain and sentence in plain[1]
    assert ("was not tested" in plain[1]) == ("within this training" in verdict)


def test_estimators_are_compared_where_there_are_others(study: Path) -> None:
    title, short = "Other estimators on the same frames", sections("affect")
    assert title in (build(study, "compared", short) / "index.html").read_text()
    path = study / "data/estimate/wave-1/agreement.parquet"
    with restored(path):
        write_table(path, AGREEMENT.empty())
        assert title not in (build(study, "alone", short) / "index.html").read_text()


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        ("expression", "are read from seven expressions</strong>, by a network"),
        ("blendshapes", "are a weighted sum of what moves in the face</strong>"),
        ("onnx", "are read by a network given as an ONNX file</strong>"),
    ],
)
def test_whoever_estimates_the_page_says_what_it_is_worth(
    study: Path, estimator: str, said: str
) -> None:
    path = study / "data/estimate/wave-1/report.json"
    told = {"estimator": estimator, "measured": "faces of nobody it was right by half"}
    with restored(path):
        write_json(path, json.loads(path.read_text()) | {"numbers": told})
        page = build(study, estimator, sections("headline")) / "index.html"
    text = " ".join(page.read_text().split())
    assert said in text and "on faces of nobody it was right by half" in text


def test_the_same_study_gives_the_same_bytes(study: Path, built: Path) -> None:
    first, second = built, build(study, "again")
    names = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(second) for p in second.rglob("*") if p.is_file())
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    assert not re.findall(r"20\d\d-\d\d-\d\d", (first / "index.html").read_text())


def test_a_recorded_cohort_says_so_and_shows_nothing_planted(study: Path) -> None:
    short = sections("headline", "planted", "checks", "methods")
    page = (build(study, "real", short, cohort_from="data/intake") / "index.html").read_text()
    assert "Recorded cohort.</strong>" in page
    assert 'id="planted"' not in page
    assert "Simulated cohort" not in page
    # The folder named as origin is a stage's own: it is not told twice.
    assert page.count("intake was done") == 1
    # A network trained on drawn faces makes every estimate on recordings void.
    assert "trained on drawn faces" in page
    out = build(study, "given", short, cohort_from="data/intake", faces_from="data/affect")
    assert "trained on drawn faces" not in (out / "index.html").read_text()


def test_everything_the_report_can_show_is_declared_and_the_other_way_round() -> None:
    specs = [
        yaml.safe_load((ROOT / f"reports/{n}.yml").read_text()) for n in ("spec", "expressions")
    ]
    sections = [section for spec in specs for section in spec["sections"]]
    items = [item for section in sections for item in section.get("show", [])]
    # style is how figures look; roc_curves are of one model, and so in its run in MLflow.
    # The last are sources as they are, with captions in the spec.
    as_they_are = {
        *("attrition", "contrasts", "delong", "participant_deltas", "by_cell", "trained_networks"),
    }
    for kind, function, apart, plain in (
        ("figure", "draw", {"style", "roc_curves"}, set()),
        ("table", "table", set(), as_they_are),
    ):
        shown = {item[kind] for item in items if kind in item} - plain
        files = {path.stem for path in Path(EXHIBITS[kind].__path__[0]).glob("[!_]*.py")}
        assert files - apart == shown
        for name in shown:
            assert callable(getattr(exhibit(kind, name), function))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- shortfall", "- shortfal", "'shortfal' is not a source; did you mean 'shortfall'"),
        ("table: shortfall", "table: shortfal", "no table is called 'shortfal'; did you mean"),
        ("{matching:d}", "{matchin:d}", "no column 'matchin'; did you mean 'matching'"),
        ("{{ study }}", "{{ studi }}", "'studi' is undefined"),
    ],
)
def test_a_wrong_word_in_the_spec_is_an_error_that_helps(
    study: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = sections("affect")
    assert old in text
    with pytest.raises(StudyError, match=re.escape(message)):
        build(study, str(tmp_path / "broken"), text.replace(old, new))


def test_texts_of_several_instances_are_merged() -> None:
    def told(text: str, **item: str) -> dict[str, Any]:
        return {"results": text, "item": item}

    waves = [
        told("10 of 20 frames, p = 0.5.", wave="1"),
        told("9 of 20 frames, p = 0.25.", wave="2"),
    ]
    assert merged(waves, "results") == ["(For each wave.) 9 to 10 of 20 frames, p = 0.25 to 0.5."]
    assert merged(waves[:1], "results") == ["10 of 20 frames, p = 0.5."]
    trained = [
        told(f"learnt {task} from {n} frames of {group}.", block="1-5", group=group, task=task)
        for task, n in (("arousal", 100), ("valence", 120))
        for group in ("High", "Low")
    ]
    assert merged(trained, "results") == [
        "(For each group and task.) "
        "learnt arousal or valence from 100 to 120 frames of High or Low."
    ]
    alike = [told("Said of each.", wave=wave) for wave in "12"]
    assert merged(alike, "results") == ["Said of each."]
    unlike = [told("Short.", wave="1"), told("Quite another text.", wave="2")]
    assert merged(unlike, "results") == ["(wave 1.) Short.", "(wave 2.) Quite another text."]


@pytest.mark.parametrize(
    ("form", "value", "shown"),
    [
        ("{x:.2f}", -1.234, "−1.23"),
        ("{x:.2f}", np.nan, ABSENT),
        ("{x:d}", pd.NA, ABSENT),
        ("{x}", None, ABSENT),
        ("{x:p}", 0.0004, "< .001"),
        ("{x:p}", 0.0456, ".046"),
        ("{x:p}", 1.0, "1.000"),
        ("{x}", "sub-01", "sub-01"),
        ("{x}", True, "yes"),
    ],
)
def test_cells(form: str, value: object, shown: str) -> None:
    assert Cells().vformat(form, (), {"x": value}) == shown


def test_who_has_no_difference_is_named_under_the_list() -> None:
    spec = yaml.safe_load((ROOT / "reports/spec.yml").read_text())
    items = [item for section in spec["sections"] for item in section.get("show", [])]
    (item,) = (item for item in items if item.get("table") == "participant_deltas")
    deltas = pd.DataFrame({"participant_id": ["sub-01", "sub-02"], "delta": [0.1, None]})
    frame, caption = tabled(item, [deltas])
    assert caption.endswith(
        "mean over repetitions. Without a difference somewhere, because all "
        "frames are of one class: sub-02."
    )
    assert "Without" not in tabled(item, [deltas[:1]])[1]
    assert frame is deltas


def faces_in(folder: Path) -> set[str]:
    """Whose face is in any picture of a report: in its files, or within its page and drawings."""
    pictures = [path.read_bytes() for path in folder.rglob("*.png")]
    texts = [path.read_text() for path in folder.rglob("*") if path.suffix in (".svg", ".html")]
    for text in map(unquote, texts):
        inside = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)", text)
        pictures += [base64.b64decode(picture) for picture in inside]
    seen = {
        colour
        for picture in pictures
        for _, colour in Image.open(io.BytesIO(picture)).convert("RGB").getcolors(2**24) or ()
    }
    return {who for who, colour in COLOURS.items() if colour in seen}


def test_no_face_is_shown_but_of_those_who_allowed_it(study: Path, built: Path) -> None:
    assert faces_in(built) == set()
    out = build(study, "faces", sections("faces"), faces=("sub-02", "sub-05"), pseudonyms=True)
    assert faces_in(out) == {"sub-02", "sub-05"}
    text = " ".join((out / "index.html").read_text().split())
    assert "in each of 8 videos of 2 participants who allowed it" in text
    # In the page as in both files, or one of them would do.
    for path in ("index.html", "figures/faces.svg", "figures/faces.png"):
        alone = study / "alone-file"
        shutil.rmtree(alone, ignore_errors=True)
        alone.mkdir()
        shutil.copy(out / path, alone)
        assert faces_in(alone) == {"sub-02", "sub-05"}, path
    with pytest.raises(StudyError, match=r"faces names sub-9, not among the 8 .*sub-01, sub-02"):
        build(study, "unknown", sections("faces"), faces=("sub-01", "sub-9"))


@pytest.fixture(scope="module")
def discreet(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with texts that name people, and params that ask to tell of nobody."""
    own = tmp_path_factory.mktemp("discreet")
    for name in ("data", "reports"):
        shutil.copytree(study / name, own / name)
    study = own
    params = yaml.safe_load((ROOT / "presets/demo.yaml").read_text())
    params["study"] |= {"seed": PARAMS.study.seed, "waves": ["1"]}
    params["report"] |= {"pseudonyms": True, "least_people": 3}
    (study / "params.yaml").write_text(yaml.safe_dump(params))
    shutil.copy(ROOT / "dvc.yaml", study)
    (study / ".dvc").mkdir()
    (study / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    people = study / "data/intake/participants.parquet"
    known = pd.read_parquet(people).astype({"excluded": object})
    gone = known[:1].assign(participant_id="sub-09", excluded="brother of sub-03")
    write_table(people, PARTICIPANTS.conform(pd.concat([known, gone])))
    lost = {"level": "participant", "participant_id": "sub-09", "video_id": "n/a", "n": 1}
    reason = {"what": "participant", "reason": "brother of sub-03"}
    write_table(study / "data/intake/attrition.parquet", ATTRITION.frame([lost | reason]))
    by = study / "data/stats/by_participant.parquet"
    table = pd.read_parquet(by)
    write_table(by, table.assign(left_out="sub-01: one class\nsub-02: one class"))
    return study


def texts_in(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".png"
    }


def test_people_are_called_by_codes_that_only_the_study_can_take_back(discreet: Path) -> None:
    out = build(discreet, "data/report", pseudonyms=True)
    texts = texts_in(out)
    assert len(texts) > 50 and not [name for name, text in texts.items() if "sub-" in text]
    assert "Ids are pseudonyms" in texts["index.html"]
    assert re.search(r"brother of P0\d\b", texts["index.html"])
    assert re.search(r"\bP0\d_run-\d\b", texts["tables/shortfall.csv"])
    people = pd.read_csv(out / "tables/people.csv")
    named = people["participant_id"].tolist()
    assert named == sorted(named) and people["ei_score"].tolist() != [*range(900, 500, -50)]
    n, unlike = unlike_tables(discreet)
    assert n > 500 and unlike == []
    # A cell is followed to the person's own recordings, and a reason to who was left out for it.
    for place in (1, 4):
        score = people.loc[place - 1, "ei_score"]
        steps = {s.title: s for s in trail(Recorded(discreet), f"people:{place}:Videos")}
        for title in ("what it is made of: ei_scores", "videos: videos"):
            assert set(steps[title].examples["participant_id"]) == {PEOPLE[(900 - score) // 50]}
    listed = pd.read_csv(out / "tables/everything_left_out.csv", keep_default_na=False)
    for name in ("everything_left_out", "left_out"):
        csv = pd.read_csv(out / f"tables/{name}.csv", keep_default_na=False)
        place = int(csv.index[csv["reason"].str.startswith("brother")][0]) + 1
        steps = {s.title: s for s in trail(Recorded(discreet), f"{name}:{place}:n")}
        (who,) = steps["what it is made of: attrition"].examples["participant_id"]
        assert who == "sub-09" not in listed["participant_id"].tolist()


def test_with_few_people_withheld_no_table_tells_of_fewer(discreet: Path) -> None:
    shutil.rmtree(discreet / "data/report", ignore_errors=True)
    out = build(discreet, "data/report", pseudonyms=True, least_people=3)
    tables = {path.stem: pd.read_csv(path) for path in (out / "tables").glob("*.csv")}
    single = [name for name, of in tables.items() if {"participant_id", "video_id"} & {*of}]
    assert not single and not {"people", "shortfall", "participant_deltas"} & {*tables}
    figures = {path.stem for path in (out / "figures").glob("*.svg")}
    assert not {"ei_scores", "frames_by_reason", "participant_differences"} & figures
    assert not [name for name, text in texts_in(out).items() if re.search(r"\bP0\d\b(?!, )", text)]
    for name in ("partitions", "left_out"):
        assert set(tables[name]["participants"].astype(str)) == {"<3*"}, name
        assert name == "left_out" or tables[name]["frames"].isna().all()
        assert "<3*" in (out / f"tables/{name}_shown.csv").read_text()
        assert "<3*" in (out / f"tables/{name}.tex").read_text()
    assert tables["groups"]["participants"].tolist() == [4, 4, 8]
    text = (out / "index.html").read_text()
    assert "Counts of fewer than 3 people are withheld" in text
    assert "&lt;3*: fewer than 3 people" in text
    assert "left out: 1 (the tables say why)" in unquote(text)
    n, unlike = unlike_tables(discreet)
    assert n > 200 and unlike == []
    assert json.loads((out / "metrics.json").read_text())["left out"] == {}
    with pytest.raises(StudyError, match=r"an EI group has fewer \(High 4, Low 4\)"):
        build(discreet, "refused", least_people=5)


def test_what_shows_single_people_is_declared_so(built: Path) -> None:
    spec = yaml.safe_load((ROOT / "reports/spec.yml").read_text())
    items = [item for section in spec["sections"] for item in section.get("show", [])]
    declared = {i.get("as", i["table"]) for i in items if "table" in i and i.get("single")}
    ids = {"participant_id", "video_id"}
    tables = {path.stem: {*pd.read_csv(path, nrows=1)} for path in (built / "tables").glob("*.csv")}
    assert {name for name, columns in tables.items() if ids & columns} == declared
