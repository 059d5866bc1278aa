"""What `dvc plots` draws, as a reader without a network sees it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from eifer.figures.style import GROUP
from flows.git import git
from flows.graph import ROOT
from flows.pages.plots import prepare
from tests.flows.made import commit_all

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.xdist_group("page")
TESTS = ("arousal_baseline", "valence_baseline")
TITLES = {
    *("ROC: arousal, baseline", "ROC: valence, baseline"),
    *("ROC-AUC: arousal, baseline", "ROC-AUC: valence, baseline"),
    *("Learning: arousal", "Learning: valence"),
}
SHAPES = [f"{path.stem}.json" for path in sorted((ROOT / ".dvc/plots").iterdir())]


def write(study: Path, kind: str, name: str, x: str, rows: list[tuple[float, ...]]) -> None:
    """A file as `evaluate` leaves it: ``x``, then High, Low, Total, and for a ROC curve Affect."""
    file = study / f"data/evaluate/assignment-ei/plots/{kind}/{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    points = [dict(zip((x, *GROUP), row, strict=False)) for row in rows]
    file.write_text(json.dumps(points))


def draw(study: Path, more: float) -> None:
    for test in TESTS:
        curve = [(0.0, 0.0, 0.0, 0.0, 0.0), (0.5, 0.8 + more, 0.7, 0.75, 0.6), (1.0, 1, 1, 1, 1)]
        write(study, "roc", test, "false_positive_rate", curve)
        write(
            study, "roc_auc", test, "repetition", [(1, 0.9 + more, 0.85, 0.87), (2, 0.93, 0.8, 0.9)]
        )
        epochs = [(1, 0.81, 0.8, 0.82), (2, 0.84 + more, 0.81, 0.83)]
        write(study, "learning", test.partition("_")[0], "epoch", epochs)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two revisions of what is drawn, HEAD and the workspace, with this study's declarations."""
    study = tmp_path / "study"
    shutil.copytree(ROOT / ".dvc/plots", study / ".dvc/plots")
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, study / ".dvc")
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    (study / "dvc.yaml").write_text(yaml.safe_dump({"plots": graph["plots"]}))
    draw(study, 0.0)
    git(study, "init", "--quiet")
    commit_all(study)
    prepare(study)
    draw(study, 0.02)
    return study


def test_the_plots_are_drawn_without_a_network(
    study: Path, browser: Browser, dvc: Callable[..., str]
) -> None:
    dvc(study, "plots", "diff")
    asked: list[str] = []
    complaints: list[str] = []
    page = browser.new_page()
    page.context.set_offline(True)
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text))

    page.goto((study / "dvc_plots/index.html").as_uri())
    page.wait_for_function(f"document.querySelectorAll('svg.marks').length == {len(TITLES)}")

    seen = [shape.text_content() or "" for shape in page.query_selector_all("svg.marks")]
    page.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith("file:")] == []
    assert {title for title in TITLES if any(title in shape for shape in seen)} == TITLES
    # Nobody has to know where a file lies to tell a group or a revision.
    assert all("data/evaluate" not in shape for shape in seen)
    words = ("trained on", "High", "Low", "Total", "revision", "HEAD", "workspace")
    assert [word for word in words for shape in seen if word not in shape] == []
    # Axes end where the data does: .8 to .94, and for a curve that is a share 0 to 1.
    (scores,) = (shape for shape in seen if "ROC-AUC: arousal" in shape)
    assert "0.80" in scores and "0.2" not in scores


@pytest.mark.parametrize("name", SHAPES)
def test_a_group_has_the_colour_of_the_report(name: str) -> None:
    template = json.loads((ROOT / ".dvc/plots" / name).read_text())
    encoding = template.get("encoding") or template["layer"][1]["encoding"]
    scale = encoding["color"]["scale"]
    assert dict(zip(scale["domain"], scale["range"], strict=True)).items() <= GROUP.items()


def test_what_somebody_chose_for_the_page_stays(study: Path) -> None:
    settings = study / ".dvc/config.local"
    settings.write_text("[plots]\n    html_template = mine.html\n")
    before = (study / ".dvc/plots.html").stat().st_mtime_ns
    prepare(study)
    assert "mine.html" in settings.read_text()
    assert (study / ".dvc/plots.html").stat().st_mtime_ns == before  # 2 s of work


def test_a_page_of_another_vega_is_made_again(study: Path) -> None:
    page = study / ".dvc/plots.html"
    made = page.read_text()
    page.write_text("<!DOCTYPE html>")
    prepare(study)
    assert page.read_text() == made
