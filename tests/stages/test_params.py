"""params.yaml: everything wrong with it is said at once, with the nearest name."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
import yaml
from annotated_types import Ge, Gt

from eifer.errors import ParamsError
from eifer.ranges import LARGE, Positive, Share, in_words
from flows.graph import ROOT
from stages._runtime.machine import Machine
from stages._runtime.params_file import MOST_BYTES, fields_of, read_params
from stages.params import Params, check_params, load_params

DEMO = ROOT / "presets/demo.yaml"
CONTENT = read_params(DEMO)
EI_PRESETS = sorted({*DEMO.parent.glob("*.yaml")} - {DEMO.with_stem("expressions")})


def demo(changes: Mapping[str, object]) -> Any:
    """The params of the demo with other values at some places: ``study.seed``."""
    content = copy.deepcopy(CONTENT)
    for where, value in changes.items():
        *sections, name = where.split(".")
        inner = content
        for section in sections:
            inner = inner[section]
        inner[name] = value
    return content


def accepted(changes: Mapping[str, object]) -> Params:
    return check_params(demo(changes), "demo")


def refusal(content: Any) -> str:
    with pytest.raises(ParamsError) as caught:
        check_params(content, "demo")
    return str(caught.value)


def refused(changes: Mapping[str, object]) -> str:
    return refusal(demo(changes))


def complaint(path: Path) -> str:
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    return str(caught.value)


JAW = {"shape": "jawOpen", "arousal": 1.0, "valence": 0.0}
BLENDSHAPES = {"terms": [JAW], "centre": {"arousal": 0.0, "valence": 0.0}}


COMPARED = {"estimate.also": ["blendshapes"], "estimate.blendshapes": BLENDSHAPES}


def test_another_estimator_may_be_compared() -> None:
    params = accepted(COMPARED)
    assert params.estimate.blendshapes is not None
    assert params.estimate.blendshapes.terms[0].shape == "jawOpen"


def test_everything_wrong_is_said_at_once() -> None:
    content = demo(
        {
            "select.topp": 3,
            "extract.quality.min_presense": 0.5,
            "studdy": {},
            "select.frames_per_video": 0,
            "split.task_frames": "some",
        }
    )
    del content["select"]["top"]
    said = refusal(content)
    assert "6 problems" in said
    assert "select.topp; did you mean 'top'?" in said
    assert "extract.quality.min_presense; did you mean 'min_presence'?" in said
    assert "studdy; did you mean 'study'?" in said
    assert "parameter missing (1): select.top" in said
    assert "select.frames_per_video = 0" in said
    assert "split.task_frames = 'some'" in said


def test_a_total_model_goes_with_each_assignment_that_changes_everybodys() -> None:
    names = {"split.assignments": ["ei", "own", "clear", "final", "null01"]}
    totals = ["ei", "own", "clear", "final"]
    accepted(names | {"split.totals": totals})
    said = refused(names | {"split.totals": totals[:-1]})
    assert "totals must be [ei, own, clear, final]" in said
    said = refused(names | {"split.totals": totals, "split.task_frames": "own"})
    assert "with task_frames own the assignment own is ei once more" in said


def test_an_assignment_by_another_estimator_needs_its_estimates() -> None:
    names = {f"split.{key}": ["ei", "blendshapes"] for key in ("assignments", "totals")}
    assert "names blendshapes, and estimate.also does not" in refused(names)
    accepted(names | COMPARED)


def test_a_date_where_text_belongs_is_text(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(DEMO.read_text().replace("name: demo", "name: 2026-03-02"))
    assert load_params(path).study.name == "2026-03-02"


def test_a_gpu_may_compute_with_fewer_bits() -> None:
    params = accepted({"arithmetic.precision": "bfloat16", "arithmetic.device": "cuda"})
    assert params.arithmetic.precision == "bfloat16"


def test_a_real_cohort_needs_nothing_planted() -> None:
    params = accepted({"simulate.cohorts": [], "simulate.planted": None})
    assert params.simulate.planted is None


def test_a_backbone_that_is_not_registered_is_found_at_once() -> None:
    said = refused(dict.fromkeys(("affect.backbone", "training.backbone"), "test_eficientnet"))
    assert "training.backbone = 'test_eficientnet'" in said
    assert "did you mean 'test_efficientnet'?" in said


def test_training_starts_from_the_network_of_affect() -> None:
    said = refused({"training.backbone": "efficientnet_b0"})
    assert "affect.backbone 'test_efficientnet' and training.backbone 'efficientnet_b0'" in said
    said = refused({"affect.mean": [0.5, 0.5, 0.5]})
    assert "training.backbone 'test_efficientnet' takes mean (0.485, 0.456, 0.406)" in said


def test_a_parameter_that_is_said_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("study:\n  seed: 1\n  name: a\n  seed: 2\n")
    assert "line 4: 'seed' again, after line 2" in complaint(path)
    # The same name in two sections, or in a mapping that is merged, is no repetition.
    path.write_text("a: {x: {b: &b {<<: &c {k: 1}, k: 2}}}\nd: {<<: *b, k: 3}\n")
    assert read_params(path) == {"a": {"x": {"b": {"k": 2}}}, "d": {"k": 3}}


@pytest.mark.parametrize("preset", EI_PRESETS, ids=attrgetter("stem"))
def test_presets_ask_for_as_many_participants_as_their_split_needs(preset: Path) -> None:
    params = load_params(preset)
    per_group = params.split.design.test_per_group + 2  # One to train, one to validate.
    assert params.intake.least_participants == 2 * per_group


def test_a_missing_file_says_where_to_get_one(tmp_path: Path) -> None:
    assert "presets/" in complaint(tmp_path / "params.yaml")


# files that ask for much ----------------------------------------------------------------------


def short(value: object) -> str:
    return ascii(value)[:20]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"a: &a {100_000 * 'x'}\nb: [*a, *a, *a]\n", "line 2: its aliases stand for more than"),
        ("study: &a\n  x: *a\n", "line 2: *a stands in itself"),
        ("study: {!!binary aGk=: 1}", "line 1: a name is text, not binary"),
        ("study: {1: 1}", "line 1: a name is text, not int"),
        ("study: {on: 1}", "line 1: a name is text, not bool"),
        ("study: {null: 1}", "line 1: a name is text, not null"),
        ("study: {? [a, b] : 1}", "line 1: a name is text, not seq"),
        ("study: {seed: !!binary aGk=}", "binary"),
        ("study: !!set {a, b}", "set"),
        ("study: !!omap [a: 1]", "omap"),
        (f"study: {{seed: 0x{5000 * 'f'}}}", "digits"),
        ("study: {seed: !!int many}", "does not fit its type"),
        ("study: {seed: !!bool many}", "does not fit its type"),
        ("study: {seed: !!float many}", "does not fit its type"),
        ("study: {seed: !!timestamp many}", "does not fit its type"),
        ("study: {seed: 2024-99-99}", "does not fit its type"),
        (f"study: {MOST_BYTES * 'x'}", "bytes: more than"),
        ("study: &a 1\nstudy: *b", "undefined alias"),
        ("study: [", "not YAML"),
        ("[1, 2]", "params.yaml"),
        ("", "params.yaml"),
    ],
    ids=short,
)
def test_a_file_that_asks_for_much_or_holds_other_things_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "params.yaml").write_text(text)
    told = complaint(tmp_path / "params.yaml")
    assert said in told and "params.yaml" in told and len(told) < 1000


def test_a_place_where_no_file_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file/params.yaml", tmp_path / (300 * "x")):
        assert str(place) in complaint(place)


def test_a_long_list_of_exclusions_is_no_bomb(tmp_path: Path) -> None:
    left_out = [{"participant": f"sub-{n:04}", "reason": "withdrew"} for n in range(2000)]
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(demo({"study.exclude": left_out})))
    assert len(load_params(path).study.exclude) == 2000


# names and paths ------------------------------------------------------------------------------

NO_NAMES = [
    *("1-2; touch x;", "$(touch x)", "`touch x`", "'", '"', "a b", "a\n", "\n", "..", "/", "a/b"),
    *("/../../victim", "-h", "--wave", "*", "?", "${study.seed}", "\\${x}", "a&b", "a|b", ">x"),
    *("", ".", "~", "é", "١", "a\x00b", "a" * 33, "#", "x=1", "!1"),
]
NAMES = [
    *("study.waves", "simulate.cohorts", "corpus.faces", "training.blocks", "external.networks")
]


@pytest.mark.parametrize("where", NAMES)
@pytest.mark.parametrize("name", NO_NAMES, ids=short)
def test_what_is_no_name_is_refused_before_it_reaches_a_path_or_a_shell(
    where: str, name: str
) -> None:
    said = refused({where: [name]})
    assert "demo: 1 problem\n" in said and f"{where}.0 = " in said


@pytest.mark.parametrize(
    "block",
    [
        *("1-9999999999", "0", "1-0", "01", "2-1", "1-2-3", "9" * 5000),
        *("", "a", "5-1", "0-2", "1-", "-2", "1,2"),
    ],
    ids=short,
)
def test_blocks_are_repetitions_that_somebody_can_train(block: str) -> None:
    assert "training.blocks.0 = " in refused({"training.blocks": [block]})


EXTERNAL = {
    "report.networks_from": "data/evaluate_external",
    "external.networks": ["testresnet"],
    "external.folds": 5,
    "external.unfreezing.epochs": [1, 1, 1],
}
GIVEN = {"path": "weights.pth", "sha256": 64 * "0"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"networks": ["resnet5"]}, "no network 'resnet5' .*did you mean 'resnet50'"),
        ({"networks": ["test_resnet"]}, "no name"),
        (
            {"networks": ["efficientnetb0"]},
            "no network 'efficientnetb0' .there are resnet50, vgg16",
        ),
        ({"weights": {"vgg16": GIVEN}}, "weights are given for vgg16, not among networks"),
        (
            {"unfreezing.epochs": [1, 1, 1, 1, 1, 1]},
            "5 numbers after the first, but testresnet has 4 blocks",
        ),
        ({"unfreezing.epochs": [1]}, "give those of the heads, and of at least one block"),
        ({"networks": []}, "names no network, so report.networks_from must be data/stats"),
        ({"folds": 40}, "260 trainings .*, 240 of other networks in each rotation"),
    ],
)
def test_other_networks_that_cannot_be_trained_are_refused(
    changes: dict[str, Any], said: str
) -> None:
    changed = {f"external.{name}": value for name, value in changes.items()}
    assert re.search(said, refused(EXTERNAL | changed))


PATHS = ["study.cohort", "affect.origin", "affect.initial.path"]


@pytest.mark.parametrize("where", PATHS)
@pytest.mark.parametrize("path", ["", "a\nb", "a\x00b", "\x1b[2J", "x" * 20_000], ids=short)
def test_paths_that_nobody_can_read_are_refused(where: str, path: str) -> None:
    initial = {"affect.initial": {"path": "weights.safetensors", "sha256": 64 * "0"}}
    said = refused(initial | {where: path})
    assert where in said and len(said) < 2000


# ranges ---------------------------------------------------------------------------------------

CLAIM = {
    **{"models": "fine-tuned", "task": "arousal"},
    **{"condition": "baseline", "contrast": "High-Low"},
}
NONSENSE: list[tuple[str, object, str]] = [
    ("study.name", "", "not empty"),
    ("study.seed", "7", "valid integer"),
    ("study.seed", 7.5, "valid integer"),
    ("study.waves", [], "at least 1 item"),
    ("study.waves", [1], "valid string"),
    ("study.waves", ["1", "2", "1"], "named twice: 1"),
    ("study.crop.size_px", 0, "16 to 2048"),
    ("study.crop.eye_distance", 1.0, "above 0, below 1"),
    ("study.exclude", [{"participant": "sub-01"}], "parameter missing"),
    ("study.exclude", [{"participant": "sub-01", "reason": ""}], "not empty"),
    ("study.exclude", [{"participant": "sub-01", "reason": "late", "run": 5}], "1 to 4"),
    ("arithmetic.precision", "bfloat16", "bfloat16 needs device cuda"),
    ("simulate.cohorts", ["demo", "demo"], "at most 1 item"),
    ("simulate.planted", None, "says what to plant"),
    ("simulate.planted.participants_per_wave", [], "not empty"),
    ("simulate.planted.participants_per_wave", [8, 0], "each 1 to 10000"),
    ("simulate.planted.effect", float("nan"), "finite"),
    ("simulate.planted.ei.mean", 1300, "0 to 1200"),
    ("simulate.planted.felt.person_sd", -0.1, "0 to 1000000"),
    ("simulate.planted.ratings.neutral", 1.2, "0 to 1"),
    ("simulate.planted.expression.memory_s", 0, "above 0"),
    ("simulate.planted.autonomic.rate_bpm", 7200, "48 to 120"),
    ("simulate.planted.autonomic.response.HAHV.rate_bpm", float("inf"), "finite"),
    ("simulate.planted.autonomic.response", {}, "lacks HAHV, HALV, LAHV, LALV"),
    ("simulate.planted.video.fps", 0, "1 to 240"),
    ("simulate.planted.video.width_px", 161, "a multiple of 2"),
    ("simulate.planted.video.crf", 52, "0 to 51"),
    ("simulate.planted.ecg.hz", 0, "1 to 10000"),
    ("simulate.planted.events.no_face", -0.1, "0 to 1"),
    ("simulate.planted.events.no_face", 0.95, "below 0.9"),
    ("corpus.faces", ["drawn", "drawn"], "at most 1 item"),
    ("corpus.drawn", None, "says what to draw"),
    ("corpus.drawn.size_px", 20, "48 to 1024"),
    ("corpus.drawn.identities", 0, "1 to 10000"),
    ("affect.sha256", "not a hash", "should match pattern"),
    ("affect.std", [0, 0.224, 0.225], "each above 0"),
    ("affect.training", None, "give affect.sha256 (weights) or affect.training (a corpus)"),
    ("affect.training.epochs", 0, "1 to 10000"),
    ("affect.training.batch", 1, "2 to 65536"),
    ("affect.training.learning_rate", -0.003, "above 0"),
    ("affect.training.validation_share", 1.0, "above 0, below 1"),
    ("affect.training.augmentation.zoom", 1.0, "0 or more, below 1"),
    ("extract.detector_width_px", -256, "32 to 4096"),
    ("extract.min_candidate_score", 0.9, "above quality.min_face_score"),
    ("extract.quality.min_presence", 50, "0 to 1"),
    ("extract.quality.blur_tolerance", -1, "0 to 1000000"),
    ("estimate.estimator", "expression", "expression is null, but expression is to estimate"),
    ("estimate.also", ["onnx"], "estimate.onnx is null, but onnx is to estimate"),
    ("estimate.also", ["network"], "also names network, which is the estimator"),
    ("estimate.also", ["onnx", "onnx"], "named twice: onnx"),
    ("estimate.also", ["faces"], "network or expression or blendshapes or onnx"),
    ("estimate.blendshapes", BLENDSHAPES, "neither estimator nor also names blendshapes"),
    ("estimate.blendshapes", BLENDSHAPES | {"terms": [JAW | {"shape": "jaw"}]}, "shape 'jaw'"),
    ("intake.face_samples", 0, "1 to 10000"),
    ("stratify.ecg.powerline_hz", 0, "above 0"),
    ("stratify.ecg.variables", [], "not empty"),
    ("stratify.ecg.quality.lowest_correlation", 66, "-1 to 1"),
    ("stratify.ecg.quality.lowest_hr_bpm", 200, "above highest_hr_bpm"),
    ("stratify.ecg.spectrum.lf_hz", [0.15, 0.04], "each rises"),
    ("stratify.ecg.spectrum.interpolation_hz", 0.5, "half of interpolation_hz"),
    ("stratify.cutoff.high", 1201, "0 to 1200"),
    ("stratify.cutoff.low", 1200.5, "0 to 1200"),
    ("stratify.cutoff.step", 0, "1 to 10000"),
    ("stratify.cutoff.alpha", 5, "above 0, below 1"),
    ("stratify.cutoff.permutations", -1, "0 to 1000000"),
    ("select.top", 0, "1 to 10000"),
    ("select.top", True, "valid integer"),
    ("select.conditions", ["basline"], "did you mean 'baseline'?"),
    ("select.conditions", ["baseline", "baseline"], "named twice: baseline"),
    ("split.design.validation_share", 0, "above 0, below 1"),
    ("split.design.test_per_group", 0, "1 to 10000"),
    ("training.recipe.first.epochs", 0, "1 to 10000"),
    ("training.recipe.first.warmup_epochs", 3, "3 of 2 epochs"),
    ("training.recipe.first.backbone", {"start": 0, "peak": 1}, "rests in the first phase"),
    ("training.recipe.second.heads.start", 1.0, "above its peak"),
    ("training.recipe.batch", 1, "2 to 65536"),
    ("training.recipe.weight_decay", -0.01, "0 to 1000000"),
    ("training.recipe.thresholds.high", 1.2, "0 to 1"),
    ("training.recipe.thresholds.high", 0.1, "low <= high"),
    ("training.recipe.augmentation.brightness", [1.2, 0.8], "lower end first"),
    ("stats.published.alpha", 0, "above 0, below 1"),
    ("stats.published.family", ["colour"], "task, condition, contrast"),
    ("stats.participants.test", "fisher", "t or sign_flip or gee"),
    ("stats.participants.margin", 0, "above 0, below 1"),
    ("stats.participants.family", ["tasks"], "did you mean 'task'"),
    ("stats.participants.confirmatory", [CLAIM | {"contrast": "high-low"}], "mean 'High-Low'"),
    ("stats.participants.confirmatory", [CLAIM | {"conditon": "a"}], "mean 'condition'"),
    ("report.cohort_from", "data/intake/../../..", "data/simulate or data/intake"),
    ("report.faces_from", "/etc", "data/corpus or data/affect"),
    ("report.networks_from", "..", "data/evaluate_external or data/stats"),
]


@pytest.mark.parametrize(("where", "value", "allowed"), NONSENSE)
def test_a_value_that_does_not_fit_is_refused_with_what_does(
    where: str, value: object, allowed: str
) -> None:
    said = refused({where: value})
    assert "1 problem" in said
    assert allowed in said
    # Of a list its element is named; of what does not fit together, the section that holds it.
    place = said.split("(1): ")[1].split()[0]
    assert place.startswith(where) or where.startswith(place)


def test_what_is_declared_confirmatory_is_tested() -> None:
    said = refused({"stats.participants.confirmatory": [CLAIM | {"condition": "ambigous"}]})
    assert "stats.participants.confirmatory" in said and "did you mean 'ambiguous'" in said


def unlimited(hint: Any) -> bool:
    """Whether a type holds numbers of any size: a thousand million of them, say."""
    if get_origin(hint) is Annotated:
        inner, *limits = get_args(hint)
        low = any(isinstance(limit, Ge | Gt) for limit in limits)
        ends = [getattr(limit, "le", getattr(limit, "lt", math.inf)) for limit in limits]
        return unlimited(inner) and not (low and min(ends, default=math.inf) <= LARGE)
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


@pytest.mark.parametrize("form", [Params, Machine])
def test_every_number_has_a_lower_and_an_upper_bound(form: type) -> None:
    assert without_range(form) <= {"study.seed"}


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Share, "0 to 1"),
        (Share | None, "0 to 1"),
        (tuple[Share, Positive], "each 0 to 1, above 0, 1000000 or less"),
        (Literal["a", "b"], "a or b"),
        (float, ""),
        (list[int], ""),
    ],
)
def test_a_range_in_words(hint: Any, words: str) -> None:
    assert in_words(hint) == words
