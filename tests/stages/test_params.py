"""params.yaml: everything wrong with it is said at once, with the nearest name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
import yaml

from eifer.errors import ParamsError
from eifer.ranges import Positive, Share, in_words
from flows.graph import ROOT
from stages._runtime.params_file import fields_of, read_params
from stages.params import Params, load_params

Change = Callable[[dict[str, Any]], None]


def write(folder: Path, change: Change) -> Path:
    content = yaml.safe_load((ROOT / "presets/demo.yaml").read_text())
    change(content)
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def complaint(path: Path) -> str:
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    return str(caught.value)


def refused(folder: Path, change: Change) -> str:
    return complaint(write(folder, change))


@pytest.mark.parametrize("preset", sorted(p.name for p in (ROOT / "presets").glob("*.yaml")))
def test_presets_are_valid(preset: str) -> None:
    assert load_params(ROOT / "presets" / preset).study.seed >= 0


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["select"]["topp"] = content["select"].pop("top")
        content["extract"]["quality"]["min_presense"] = 0.5
        content["studdy"] = {}
        content["select"]["frames_per_video"] = 0
        content["split"]["task_frames"] = "some"

    said = refused(tmp_path, change)
    assert "6 problems" in said
    assert "select.topp; did you mean 'top'?" in said
    assert "extract.quality.min_presense; did you mean 'min_presence'?" in said
    assert "studdy; did you mean 'study'?" in said
    assert "parameter missing (1): select.top" in said
    assert "select.frames_per_video = 0" in said
    assert "split.task_frames = 'some'" in said


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("study", "seed", "7"),
        ("study", "seed", 7.5),
        ("study", "waves", []),
        ("study", "waves", ["one two"]),
        ("study", "waves", [1]),
        ("study", "exclude", [{"participant": "sub-01"}]),
        ("select", "top", 0),
        ("select", "top", True),
        ("simulate", "planted", None),
        ("corpus", "drawn", None),
        ("affect", "training", None),
        ("affect", "sha256", "not a hash"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    tmp_path: Path, section: str, name: str, value: object
) -> None:
    said = refused(tmp_path, lambda content: content[section].update({name: value}))
    assert section in said


def test_a_date_where_text_belongs_is_text(tmp_path: Path) -> None:
    path = write(tmp_path, lambda content: None)
    path.write_text(path.read_text().replace("name: demo", "name: 2026-03-02"))
    assert load_params(path).study.name == "2026-03-02"


def test_a_real_cohort_needs_nothing_planted(tmp_path: Path) -> None:
    path = write(tmp_path, lambda c: c["simulate"].update(cohorts=[], planted=None))
    assert load_params(path).simulate.planted is None


def test_a_backbone_that_is_not_registered_is_found_at_once(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for section in ("affect", "training"):
            content[section]["backbone"] = "test_eficientnet"

    said = refused(tmp_path, change)
    assert "training.backbone = 'test_eficientnet'" in said
    assert "did you mean 'test_efficientnet'?" in said


def test_training_starts_from_the_network_of_affect(tmp_path: Path) -> None:
    said = refused(tmp_path, lambda c: c["training"].update(backbone="efficientnet_b0"))
    assert "affect.backbone 'test_efficientnet' and training.backbone 'efficientnet_b0'" in said
    said = refused(tmp_path, lambda c: c["affect"].update(mean=[0.5, 0.5, 0.5]))
    assert "training.backbone 'test_efficientnet' takes mean (0.485, 0.456, 0.406)" in said


def test_params_are_read_without_the_heavy_libraries() -> None:
    code = "import sys, stages.params; print({'torch', 'timm'} & set(sys.modules))"
    asked = [sys.executable, "-c", code]
    said = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=ROOT)
    assert said.stdout == "set()\n", said.stderr


@pytest.mark.parametrize("text", ["", "[1, 2]", "study: [", "\x00"])
def test_what_is_no_params_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    assert "params.yaml" in complaint(tmp_path / "params.yaml")


def test_a_parameter_that_is_said_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("study:\n  seed: 1\n  name: a\n  seed: 2\n")
    assert "line 4: 'seed' again, after line 2" in complaint(path)
    # The same name in two sections, or in a mapping that is merged, is no repetition.
    path.write_text("a: {x: {b: &b {<<: &c {k: 1}, k: 2}}}\nd: {<<: *b, k: 3}\n")
    assert read_params(path) == {"a": {"x": {"b": {"k": 2}}}, "d": {"k": 3}}


@pytest.mark.parametrize("preset", sorted(p.name for p in (ROOT / "presets").glob("*.yaml")))
def test_presets_ask_for_as_many_participants_as_their_split_needs(preset: str) -> None:
    params = load_params(ROOT / "presets" / preset)
    per_group = params.split.design.test_per_group + 2  # One to train, one to validate.
    assert params.intake.least_participants == 2 * per_group


def test_a_missing_file_says_where_to_get_one(tmp_path: Path) -> None:
    assert "presets/" in complaint(tmp_path / "params.yaml")


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"study: \xff")
    assert "not YAML" in complaint(tmp_path / "params.yaml")


# ranges ---------------------------------------------------------------------------------------

NONSENSE: list[tuple[str, object, str]] = [
    ("study.name", "", "not empty"),
    ("study.waves", ["1", "2", "1"], "named twice: 1"),
    ("study.crop.size_px", 0, "16 or more"),
    ("study.crop.eye_distance", 1.0, "above 0, below 1"),
    ("study.exclude", [{"participant": "sub-01", "reason": ""}], "not empty"),
    ("study.exclude", [{"participant": "sub-01", "reason": "late", "run": 5}], "1 to 4"),
    ("simulate.cohorts", ["demo", "demo"], "named twice: demo"),
    ("simulate.planted.participants_per_wave", [], "not empty"),
    ("simulate.planted.participants_per_wave", [8, 0], "each 1 or more"),
    ("simulate.planted.effect", float("nan"), "finite"),
    ("simulate.planted.ei.mean", 1300, "0 to 1200"),
    ("simulate.planted.felt.person_sd", -0.1, "0 or more"),
    ("simulate.planted.ratings.neutral", 1.2, "0 to 1"),
    ("simulate.planted.expression.memory_s", 0, "above 0"),
    ("simulate.planted.autonomic.rate_bpm", 7200, "48 to 120"),
    ("simulate.planted.autonomic.response.HAHV.rate_bpm", float("inf"), "finite"),
    ("simulate.planted.autonomic.response", {}, "lacks HAHV, HALV, LAHV, LALV"),
    ("simulate.planted.video.fps", 0, "1 to 240"),
    ("simulate.planted.video.width_px", 161, "a multiple of 2"),
    ("simulate.planted.video.crf", 52, "0 to 51"),
    ("simulate.planted.ecg.hz", 0, "1 or more"),
    ("simulate.planted.events.no_face", -0.1, "0 to 1"),
    ("simulate.planted.events.no_face", 0.95, "below 0.9"),
    ("corpus.faces", ["drawn", "drawn"], "named twice: drawn"),
    ("corpus.drawn.size_px", 20, "48 or more"),
    ("corpus.drawn.identities", 0, "1 or more"),
    ("affect.std", [0, 0.224, 0.225], "each above 0"),
    ("affect.training.epochs", 0, "1 or more"),
    ("affect.training.batch", 1, "2 or more"),
    ("affect.training.learning_rate", -0.003, "above 0"),
    ("affect.training.validation_share", 1.0, "above 0, below 1"),
    ("affect.training.augmentation.zoom", 1.0, "0 or more, below 1"),
    ("extract.detector_width_px", -256, "32 or more"),
    ("extract.min_candidate_score", 0.9, "above quality.min_face_score"),
    ("extract.quality.min_presence", 50, "0 to 1"),
    ("extract.quality.blur_tolerance", -1, "0 or more"),
    ("intake.face_samples", 0, "1 or more"),
    ("stratify.ecg.powerline_hz", 0, "above 0"),
    ("stratify.ecg.variables", [], "not empty"),
    ("stratify.ecg.quality.lowest_correlation", 66, "-1 to 1"),
    ("stratify.ecg.quality.lowest_hr_bpm", 200, "above highest_hr_bpm"),
    ("stratify.ecg.spectrum.lf_hz", [0.15, 0.04], "each rises"),
    ("stratify.ecg.spectrum.interpolation_hz", 0.5, "half of interpolation_hz"),
    ("stratify.cutoff.high", 1201, "0 to 1200"),
    ("stratify.cutoff.low", 1200.5, "0 to 1200"),
    ("stratify.cutoff.step", 0, "1 or more"),
    ("stratify.cutoff.alpha", 5, "above 0, below 1"),
    ("stratify.cutoff.permutations", -1, "0 or more"),
    ("select.conditions", ["basline"], "did you mean 'baseline'?"),
    ("select.conditions", ["baseline", "baseline"], "named twice: baseline"),
    ("split.design.validation_share", 0, "above 0, below 1"),
    ("split.design.test_per_group", 0, "1 or more"),
    ("training.recipe.first.epochs", 0, "1 or more"),
    ("training.recipe.first.warmup_epochs", 3, "3 of 2 epochs"),
    ("training.recipe.first.backbone", {"start": 0, "peak": 1}, "rests in the first phase"),
    ("training.recipe.second.heads.start", 1.0, "above its peak"),
    ("training.recipe.batch", 1, "2 or more"),
    ("training.recipe.weight_decay", -0.01, "0 or more"),
    ("training.recipe.thresholds.high", 1.2, "0 to 1"),
    ("training.recipe.thresholds.high", 0.1, "low <= high"),
    ("training.recipe.augmentation.brightness", [1.2, 0.8], "lower end first"),
    ("stats.published.alpha", 0, "above 0, below 1"),
    ("stats.published.family", ["colour"], "task, condition, contrast"),
    ("stats.participants.test", "fisher", "t or sign_flip or gee"),
    ("stats.participants.margin", 0, "above 0, below 1"),
    ("stats.participants.family", ["rôle"], "did you mean 'role'"),
    (
        "stats.participants.confirmatory",
        [{"task": "arousal", "condition": "baseline", "contrast": "high-low"}],
        "did you mean 'High-Low'",
    ),
]


@pytest.mark.parametrize(("where", "value", "allowed"), NONSENSE)
def test_a_value_out_of_range_is_refused_with_the_range(
    tmp_path: Path, where: str, value: object, allowed: str
) -> None:
    def change(content: dict[str, Any]) -> None:
        *sections, name = where.split(".")
        for section in sections:
            content = content[section]
        content[name] = value

    said = refused(tmp_path, change)
    assert "1 problem" in said
    assert allowed in said
    # Of a list its element is named; of what does not fit together, the section that holds it.
    place = said.split("(1): ")[1].split()[0]
    assert place.startswith(where) or where.startswith(place)


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [("condition", "ambigous", "ambiguous"), ("conditon", "baseline", "condition")],
)
def test_what_is_declared_confirmatory_is_known_and_tested(
    tmp_path: Path, name: str, value: str, meant: str
) -> None:
    claim = {"task": "arousal", "contrast": "High-Low", name: value}
    said = refused(
        tmp_path, lambda content: content["stats"]["participants"].update(confirmatory=[claim])
    )
    assert "stats.participants.confirmatory" in said and f"did you mean '{meant}'" in said


ANY_NUMBER = {
    "study.seed",
    "simulate.planted.effect",
    "simulate.planted.ratings.noise_shift",
    "simulate.planted.ratings.neutral_shift",
    "simulate.planted.expression.coupling_shift",
    *(
        f"simulate.planted.autonomic.response.{name}"
        for name in ("rate_bpm", "vagal_log", "ei_rate_bpm", "ei_vagal_log")
    ),
}
"""Seeds, and coefficients that may have either sign."""


def unlimited(hint: Any) -> bool:
    """Whether a type holds numbers of any size."""
    if get_origin(hint) is Annotated:
        return unlimited(get_args(hint)[0]) and not in_words(hint)
    return hint in (int, float) or any(map(unlimited, get_args(hint)))


def without_range(form: Any, path: str = "") -> set[str]:
    fields = fields_of(form)[1]
    if not fields:
        return {path} if unlimited(form) else set()
    return {
        found
        for name, (hint, _) in fields.items()
        for found in without_range(hint, f"{path}.{name}".strip("."))
    }


def test_every_number_has_a_range() -> None:
    assert without_range(Params) == ANY_NUMBER


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Share, "0 to 1"),
        (Share | None, "0 to 1"),
        (tuple[Share, Positive], "each 0 to 1, above 0"),
        (Literal["a", "b"], "a or b"),
        (float, ""),
        (list[int], ""),
    ],
)
def test_a_range_in_words(hint: Any, words: str) -> None:
    assert in_words(hint) == words
