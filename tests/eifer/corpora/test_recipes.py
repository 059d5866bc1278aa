"""Recipes are the protocol's, and a training by one learns, repeats itself and can be resumed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter

from eifer.corpora import recipes
from eifer.corpora.recipes import (
    CLASSES,
    PUBLISHED,
    Best,
    Cosine,
    ExpressionRecipe,
    OnPlateau,
    TrainedExpressions,
    describe,
    probabilities,
    train_expressions,
)
from eifer.errors import AssetError, DesignError, InputError
from eifer.seeding import sub_seed
from eifer.tables.expressions import EXPRESSION_CURVES, MODEL
from eifer.training.learner import Learner
from eifer.training.losses import CrossEntropy
from eifer.training.network import Network, start_from
from eifer.training.schedule import Plateau
from eifer.training.spec import Hardware
from eifer.training.weights import save_weights

PX = 32
N = 144
SHOWN = ("happy", "neutral", "surprise")
RECIPE = replace(
    PUBLISHED["fer2013"],
    width=1 / 16,
    size_px=PX,
    block_dropout=0,
    norm_momentum=0.1,
    rate=0.01,
    falls=Cosine(0.25),
    batch=8,
    epochs=12,
    mixup_alpha=0.2,
    class_weights=True,
    keep_by="macro_f1",
)


def faces(n: int = N) -> tuple[NDArray[np.uint8], pd.DataFrame]:
    """Stripes: lying, upright, none; two pictures an atom."""
    rng = np.random.default_rng(0)
    images = rng.integers(80, 120, (n, PX, PX, 3)).astype(np.uint8)
    for i, image in enumerate(images):
        if i // 2 % 3 == 0:
            image[::4] = 230
        elif i // 2 % 3 == 1:
            image[:, ::4] = 230
    rows = pd.DataFrame(
        {
            "image_id": [f"corpus/{i:03d}" for i in range(n)],
            "label": [SHOWN[i // 2 % 3] for i in range(n)],
            "weight": 1.0,
            "part": ["train" if i // 2 % 4 else "validation" for i in range(n)],
            "atom": [f"corpus/{i // 2 * 2:03d}" for i in range(n)],
        }
    )
    return images, rows


def train(**changes: Any) -> TrainedExpressions:
    images, rows = faces()
    given: dict[str, Any] = {"images": images, "rows": rows, "recipe": RECIPE, "seed": 1}
    return train_expressions(**{**given, **changes})


@pytest.fixture(scope="module")
def trained() -> TrainedExpressions:
    return train()


def as_bytes(found: TrainedExpressions, folder: Path) -> bytes:
    save_weights(folder / "w", found.state, {})
    return (folder / "w").read_bytes()


def test_three_patterns_are_learnt_and_found_again(trained: TrainedExpressions) -> None:
    assert trained.accuracy == trained.macro_f1 == 1
    images, rows = faces()
    found = probabilities(trained.state, RECIPE, images)
    assert found.shape == (N, 7) and found.dtype == np.float32
    assert found.sum(1) == pytest.approx(1, abs=1e-6)
    said = [CLASSES[code] for code in found.argmax(1)]
    assert (rows["label"] == said).mean() > 0.97


def test_the_kept_epoch_is_the_best_and_its_row_says_so(trained: TrainedExpressions) -> None:
    merit = [(row["validation_macro_f1"], -row["validation_loss"]) for row in trained.curves]
    assert trained.kept_epoch == 1 + merit.index(max(merit))
    assert trained.macro_f1 == trained.curves[trained.kept_epoch - 1]["validation_macro_f1"]
    assert [row["epoch"] for row in trained.curves] == list(range(1, 13))
    own = set(EXPRESSION_CURVES.names) - {column.name for column in MODEL}
    assert all(set(row) == own for row in trained.curves)
    assert (trained.n_train, trained.n_validation) == (108, 36)


def test_between_two_epochs_each_choice_keeps_its_own() -> None:
    """Happy is common; the second answer finds the rare ones and loses many of the common."""
    true = torch.eye(7)[[3] * 6 + [4, 6]]
    common = torch.eye(7)[[3] * 8]
    rare = torch.eye(7)[[3, 3, 4, 6, 4, 6, 4, 6]]

    def merit(by: Any, outputs: torch.Tensor) -> float:
        return Best(by)({"expression": outputs}, {"expression": true}, 1.0)[0][0]

    assert merit("accuracy", common) == 6 / 8 > merit("accuracy", rare) == 4 / 8
    assert merit("macro_f1", common) == pytest.approx((12 / 14) / 3)
    assert merit("macro_f1", rare) == pytest.approx((4 / 8 + 2 / 4 + 2 / 4) / 3)
    assert merit("macro_f1", rare) > merit("macro_f1", common)
    lower = Best("accuracy")({"expression": common}, {"expression": true}, 0.5)[0]
    assert lower > Best("accuracy")({"expression": common}, {"expression": true}, 0.6)[0]


def test_training_ends_early_where_nothing_gets_better() -> None:
    # So slow that nothing changes: the first epoch stays the best, or one soon after it.
    slow = replace(RECIPE, rate=1e-9, floor=0, epochs=20, patience=2, falls=None)
    found = train(recipe=slow)
    assert len(found.curves) == found.kept_epoch + 2 < 20


def test_the_order_of_pictures_does_not_matter(trained: TrainedExpressions, tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(N)
    images, rows = faces()
    turned = train(images=images[order], rows=rows.iloc[order])
    assert as_bytes(turned, tmp_path) == as_bytes(trained, tmp_path)


def test_pictures_of_weight_0_are_not_trained_on(tmp_path: Path) -> None:
    images, rows = faces()
    harmed = rows.index[rows["part"] == "train"][::5]
    rows.loc[harmed, "weight"] = 0
    short = replace(RECIPE, epochs=2)
    with_them = train(recipe=short, rows=rows)
    without = train(recipe=short, images=np.delete(images, harmed, 0), rows=rows.drop(harmed))
    assert as_bytes(with_them, tmp_path) == as_bytes(without, tmp_path)
    assert with_them.n_train == 108 - len(harmed)


def test_what_does_not_fit_is_refused_all_at_once() -> None:
    _, rows = faces()
    wrong = rows.copy()
    wrong.loc[0, "label"] = "joy"
    wrong.loc[[0, 1, 20], "weight"] = [0, 0.5, 0.5]
    wrong.loc[N - 1, "image_id"] = wrong.loc[0, "image_id"]
    with pytest.raises(InputError) as error:
        train(rows=wrong)
    said = str(error.value)
    for part in ("label 'joy'", "name one of angry", "weight 0.5", "comes twice", "of weight 0"):
        assert part in said
    with pytest.raises(InputError, match="lists of different lengths"):
        train(rows=rows.head(3))
    shared = rows.copy()
    shared.loc[[0, N - 4], "atom"] = "one"
    with pytest.raises(DesignError, match="1 people are in train and validation"):
        train(rows=shared)


def test_the_protocol_s_table() -> None:
    """Section 6, each row of it."""
    names = ["fer2013", "nhfi", "affectnet", "merged", "artificial", "s3", "s4"]
    assert list(PUBLISHED) == names
    columns = {
        field: [getattr(PUBLISHED[name], field) for name in names]
        for field in asdict(PUBLISHED["s3"])
    }
    cnn, quick, slow = "cnn48", OnPlateau(0.1, 2), OnPlateau(0.5, 3)
    b0, mobile = "frozen_efficientnet_b0", "frozen_mobilenetv2"
    assert columns["network"] == [cnn, b0, cnn, cnn, mobile, "attention", cnn]
    assert columns["size_px"] == [48, 224, 48, 48, 224, 224, 48]
    three = "grey_in_3"
    assert columns["colours"] == ["grey", three, three, three, "rgb", "rgb", "grey"]
    unit = "0..1"
    assert columns["values"] == [unit, "0..255", unit, unit, unit, "imagenet", unit]
    assert columns["rate"] == [0.01, 0.01, 3e-4, 3e-4, 0.01, 1e-4, 1e-4]
    assert columns["falls"] == [quick, quick, slow, slow, slow, None, None]
    assert columns["batch"] == [64, 64, 64, 64, 64, 32, 32]
    assert columns["epochs"] == [50, 50, 50, 50, 50, 50, 20]
    assert columns["patience"] == [None] * 5 + [8, None]
    assert columns["mixup_alpha"] == [None] * 5 + [0.2, None]
    assert columns["class_weights"] == [False] * 5 + [True, False]
    assert columns["keep_by"] == ["accuracy"] * 5 + ["macro_f1"] * 2
    assert columns["norm_momentum"] == [0.01] * 7
    assert columns["dropout"] == [0.25] * 5 + [0.3, 0.25]
    for name in names:
        recipe = PUBLISHED[name]
        assert (recipe.floor, recipe.weight_decay, recipe.vertical_flip) == (1e-5, 0, 0)
        how = asdict(recipe.augmentation)
        if name in ("s3", "s4"):
            moved = {"flip": 0.5, "brightness": 0, "rotation_deg": 10, "shift": 0.08, "zoom": 0.1}
            assert how == moved
        else:
            assert how.pop("flip") == (0 if "frozen" in recipe.network else 0.5)
            assert not any(how.values())


def test_recipes_come_from_plain_values_as_params_have_them() -> None:
    for recipe in (*PUBLISHED.values(), RECIPE):
        assert TypeAdapter(ExpressionRecipe).validate_python(asdict(recipe)) == recipe


def test_descriptions_say_what_recipes_say() -> None:
    s3 = describe(PUBLISHED["s3"], [10, 0, 10, 10, 10, 10, 20])
    (objective,) = s3.objectives
    # n / (7 n_c), and nothing for a class that is not there.
    assert objective.loss == CrossEntropy((1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.5))
    assert [type(change).__name__ for change in s3.augmentation] == ["Geometric", "Mixup"]
    assert (s3.eps, s3.weight_decay, s3.patience) == (1e-7, 0, 8)
    fer = describe(PUBLISHED["fer2013"], [1] * 7)
    assert fer.objectives[0].loss == CrossEntropy()
    (part,) = fer.phases[0].parts
    assert part.modules == ("backbone", "expression")
    assert part.rate == Plateau(0.01, 0.1, 2, floor=1e-5, gain=1e-4)
    (part,) = describe(PUBLISHED["s4"], [1] * 7).phases[0].parts
    assert part.rate(10**6, 10, [9.0] * 500) == 1e-4
    turned = describe(replace(PUBLISHED["s4"], vertical_flip=0.5), [1] * 7)
    assert [type(change).__name__ for change in turned.augmentation] == ["Geometric", "UpsideDown"]
    assert describe(PUBLISHED["nhfi"], [1] * 7).augmentation == ()


def test_adam_has_keras_s_epsilon(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[torch.optim.Optimizer] = []
    configure = Learner.configure_optimizers

    def spy(self: Learner) -> torch.optim.Optimizer:
        made.append(configure(self))
        return made[-1]

    monkeypatch.setattr(Learner, "configure_optimizers", spy)
    train(recipe=replace(RECIPE, epochs=1))
    assert (made[0].defaults["eps"], made[0].defaults["weight_decay"]) == (1e-7, 0)


def test_a_frozen_backbone_stays_as_it_was() -> None:
    frozen = replace(
        PUBLISHED["artificial"], size_px=PX, batch=16, epochs=1, rate=1e-3, falls=Cosine(0.5)
    )
    found = train(recipe=frozen)
    fresh = start_from(
        frozen.spec(),
        [recipes.HEAD],
        None,
        carried=True,
        seed=lambda name: sub_seed(1, "expressions", name),
        origin="none",
    ).state_dict()
    under = [name for name in fresh if name.startswith("backbone.base.")]
    assert under and all(torch.equal(found.state[name], fresh[name]) for name in under)
    first = "backbone.dense.0.weight"
    assert not torch.equal(found.state[first], fresh[first])


def test_both_sides_are_the_mean_of_the_picture_and_its_mirror_image(
    trained: TrainedExpressions,
) -> None:
    images = faces()[0][:20]
    images[:, :, :9] = 10
    plain = probabilities(trained.state, RECIPE, images)
    mirrored = probabilities(trained.state, RECIPE, np.ascontiguousarray(images[:, :, ::-1]))
    both = probabilities(trained.state, replace(RECIPE, both_sides=True), images)
    assert not np.allclose(plain, mirrored, atol=1e-4)
    np.testing.assert_array_equal(both, (plain + mirrored) / np.float32(2))
    with pytest.raises(AssetError, match="weights of another architecture"):
        probabilities(trained.state, replace(RECIPE, width=1 / 8), images)
    with pytest.raises(ValueError, match=r"crop 0 is uint8 \(16, 16, 3\)"):
        probabilities(trained.state, RECIPE, images[:, :16, :16])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate": 1e-6}, "below its floor"),
        ({"network": "attention"}, "only cnn48 has a width"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(RECIPE, **change)


def test_a_recipe_imports_nothing_heavy() -> None:
    code = "import sys, eifer.corpora.recipes, eifer.corpora.relabelling; "
    code += "print({'torch', 'timm', 'cleanlab', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(AssetError, match="device 'cuda:77' is not usable"):
        train(hardware=Hardware(device="cuda:77"))


def test_the_attention_network_answers_with_seven_probabilities() -> None:
    recipe: ExpressionRecipe = replace(
        RECIPE, network="attention", width=1, colours="grey_in_3", block_dropout=0
    )
    state = Network(recipe.spec(), [recipes.HEAD]).state_dict()
    found = probabilities(state, recipe, faces(4)[0])
    assert found.shape == (4, 7) and found.sum(1) == pytest.approx(1, abs=1e-6)
