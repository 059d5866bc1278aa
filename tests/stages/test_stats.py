"""The comparison as a stage: what it says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from eifer.comparison.declaration import declaration
from eifer.errors import InputError
from stages import stats as module
from stages._runtime.artifacts import write_json
from tests.eifer.comparison.test_participants import ALIKE, simulated
from tests.stages.test_params import accepted


def predictions(seed: int = 0) -> pd.DataFrame:
    """Answers of 4 people's frames in every task and condition of the demo."""
    parts = []
    for condition in ("baseline", "unambiguous", "ambiguous"):
        made = simulated(ALIKE, 4, seed=seed)
        parts.append(made.assign(condition=condition, item_id=condition + "-" + made["item_id"]))
    return pd.concat(parts, ignore_index=True)


def run(folder: Path, given: pd.DataFrame) -> Any:
    """A run on ``given``, of the models of the first step on others, as declared."""
    params = accepted({})
    declared = folder / "declaration.json"
    write_json(declared, declaration(params.stats.participants))
    first = predictions(seed=3)
    first = first[first["repetition"].isin(given["repetition"])]
    answered = {module.catalogue.PREDICTIONS: given, module.catalogue.PRETRAINED: first}
    return SimpleNamespace(
        read={made.at(assignment="ei"): table for made, table in answered.items()}.__getitem__,
        path={module.catalogue.DECLARATION: declared}.__getitem__,
        params=params,
    )


def test_the_primary_analysis_comes_first(tmp_path: Path) -> None:
    outcome = module.stats.function(run(tmp_path, predictions()))
    assert set(outcome.made) == set(module.stats.made)
    text, found = (
        " ".join(part.split()) for part in (outcome.report.methods, outcome.report.results)
    )
    assert text.index("primary analysis") < text.index("published procedure")
    assert "a margin of 0.005" in text and "which allows no p below 0.125" in found
    assert "before the run by the t test: fine-tuned arousal baseline High-Low; " in text
    assert "; fine-tuned valence baseline High-Low. All else was exploratory" in text
    assert "inconclusive 24. Inconclusive does not mean that there is no difference" in found
    numbers = outcome.report.numbers
    assert numbers["smallest_p"] == 0.125 and numbers["margin"] == 0.005
    assert numbers["published"]["contrasts"] == 12


def test_what_was_declared_is_said_though_it_was_changed(tmp_path: Path) -> None:
    given = run(tmp_path, predictions())
    path = given.path(module.catalogue.DECLARATION)
    content = json.loads(path.read_text())
    content["participants"]["margin"] = 0.01
    write_json(path, content)
    report = module.stats.function(given).report
    text = " ".join(report.methods.split())
    assert "by the t test: fine-tuned arousal baseline High-Low; " in text
    assert "The declaration was changed afterwards, so nothing was confirmatory." in text
    assert report.numbers["confirmatory"] == []
    assert report.numbers["changed"] == ["margin: 0.01 became 0.005"]


def test_one_repetition_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"(?s)fewer than two repetitions.*\(6\).*training.blocks"):
        module.stats.function(run(tmp_path, predictions().query("repetition == 1")))
