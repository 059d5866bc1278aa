"""GEE odds ratios against geepack, the corrections against R and by brute force, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import fractional_matrix_power
from scipy.stats import t as student

from eifer.errors import DesignError, InputError
from eifer.statistics import gee_odds_ratios
from eifer.statistics.gee import sandwich
from tests.oracle import cases, oracle, same

FITTED = [stem for stem in cases("gee", 7) if "separation" not in stem]
GROUPS = ["Low", "Total"]
NUMBERS = ["coef", "se", "odds_ratio", "ci_low", "ci_high", "statistic", "df", "p"]
FIELDS = {
    "coef": "coef",
    "se": "robust_se",
    "odds_ratio": "odds_ratio",
    "ci_low": "or_ci95_low",
    "ci_high": "or_ci95_high",
    "statistic": "z",
    "p": "p",
}


def answers_table(items: int = 24, repetitions: int = 3, seed: int = 1) -> pd.DataFrame:
    """Every item answered by every group and repetition, wrong in a quarter of all cases."""
    rng = np.random.default_rng(seed)
    rows = pd.MultiIndex.from_product(
        [range(items), ["High", *GROUPS], range(1, repetitions + 1)],
        names=["item_id", "training_group", "repetition"],
    ).to_frame(index=False)
    rows["participant_id"] = [f"sub-{item % 5:02d}" for item in rows["item_id"]]
    difficulty = rng.normal(size=items)[rows["item_id"]]
    return rows.assign(correct=(rng.normal(size=len(rows)) + difficulty < 1).astype(int))


@pytest.mark.parametrize("stem", FITTED)
def test_what_geepack_says(stem) -> None:
    rows, answers = oracle(stem)
    got = gee_odds_ratios(rows, cluster=answers["cluster_column"])
    answer = answers["geepack_exchangeable_scale_estimated"]
    assert got.estimable and got.reason is None and not got.reasons
    assert list(got.table.index) == GROUPS and list(got.table.columns) == NUMBERS
    assert (got.n_rows, got.n_clusters) == (answers["n_rows"], answers["n_clusters"])
    same(got.alpha, answer["exchangeable_correlation_alpha"], 1e-8, 1e-8)
    assert (got.table["df"] == math.inf).all()
    for group in GROUPS:
        effect = answer["coefficients"][f"training_group{group}"]
        for field, key in FIELDS.items():
            same(got.table.loc[group, field], effect[key], 1e-8, 1e-8)


def test_small_sample_corrections_are_what_r_says() -> None:
    rows, answers = oracle("gee__participant_clusters_12_small_sample_corrections")
    answer = answers["small_sample_exchangeable"]
    keys = {
        None: "robust_se_uncorrected",
        "mancl-derouen": "se_mancl_derouen",
        "kauermann-carroll": "se_kauermann_carroll",
    }
    for correction, key in keys.items():
        got = gee_odds_ratios(rows, "participant_id", small_sample=correction).table
        for group in GROUPS:
            same(got.loc[group, "se"], answer[key][f"training_group{group}"], 1e-8, 1e-7)
            coef, se = got.loc[group, ["coef", "se"]]
            if correction:
                assert got.loc[group, "df"] == 11
                same(got.loc[group, "p"], 2 * student.sf(abs(coef / se), 11), 1e-12, 1e-10)
                high = math.exp(coef + student.ppf(0.975, 11) * se)
                same(got.loc[group, "ci_high"], high, 1e-12, 1e-10)


def test_the_sandwich_without_correlation_is_clubsandwichs() -> None:
    rows, answers = oracle("gee__participant_clusters_12_small_sample_corrections")
    names = [
        "(Intercept)",
        "training_groupLow",
        "training_groupTotal",
        "repetition2",
        "repetition3",
    ]
    design = np.column_stack(
        [np.ones(len(rows))]
        + [rows["training_group"] == group for group in GROUPS]
        + [rows["repetition"] == level for level in (2, 3)]
    ).astype(float)
    block = answers["geepack_independence"]["coefficients"]
    mean = 1 / (1 + np.exp(-design @ [block[name]["coef"] for name in names]))
    codes, _ = pd.factorize(rows["participant_id"])
    for kind, power in (("CR0", 0.0), ("CR3", 1.0)):
        got = sandwich(design, rows["correct"].to_numpy(), mean, codes, alpha=0.0, power=power)
        for name, se in zip(names, np.sqrt(np.diag(got)), strict=True):
            same(se, answers["clubSandwich_on_glm_independence"][kind][name], 1e-6, 1e-6)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_the_sandwich_by_brute_force_on_unequal_clusters(power) -> None:
    rng = np.random.default_rng(8)
    cluster = rng.choice(5, 60, p=[0.05, 0.1, 0.2, 0.25, 0.4])
    design = np.column_stack([np.ones(60), rng.normal(size=(60, 2))])
    mean = 1 / (1 + np.exp(-design @ [0.5, 1.0, -0.7]))
    y, alpha = rng.binomial(1, mean), 0.23
    parts = []
    for code in range(5):
        here = cluster == code
        spread = np.sqrt(mean[here] * (1 - mean[here]))
        d = design[here] * spread[:, None] ** 2
        correlation = np.full((here.sum(), here.sum()), alpha) + (1 - alpha) * np.eye(here.sum())
        parts.append((d, np.linalg.inv(correlation * np.outer(spread, spread)), (y - mean)[here]))
    m = np.linalg.inv(sum(d.T @ v @ d for d, v, _ in parts))
    meat = np.zeros((3, 3))
    for d, v, r in parts:
        shrunk = np.eye(len(r)) - d @ m @ d.T @ v
        # Its eigenvalues are real, but for the last bit of some linear algebra kernels.
        u = d.T @ v @ fractional_matrix_power(shrunk, -power).real @ r
        meat += np.outer(u, u)
    got = sandwich(design, y, mean, cluster, alpha=alpha, power=power)
    assert np.allclose(got, m @ meat @ m, rtol=1e-9)


def test_a_cluster_may_be_large() -> None:
    rows = pd.concat(
        [answers_table(200, 5, seed).assign(item_id=lambda t, s=seed: t["item_id"] + 1000 * s)
         for seed in range(2)]
    )  # fmt: skip
    rows["participant_id"] = np.where(rows["item_id"] < 1000, "sub-01", "sub-02")
    got = gee_odds_ratios(rows, "participant_id", small_sample="mancl-derouen")
    assert got.estimable and (got.table["df"] == 1).all()


def test_a_repetition_is_a_category_not_a_number() -> None:
    rows = answers_table()
    words = rows.assign(repetition=rows["repetition"].map({1: "b", 2: "a", 3: "c"}))
    one, other = gee_odds_ratios(rows), gee_odds_ratios(words)
    pd.testing.assert_frame_equal(one.table, other.table, rtol=1e-9)


def test_the_reference_may_be_another_group() -> None:
    rows = answers_table()
    one, other = gee_odds_ratios(rows).table, gee_odds_ratios(rows, reference="Low").table
    assert list(other.index) == ["High", "Total"]
    assert other.loc["High", "odds_ratio"] == pytest.approx(1 / one.loc["Low", "odds_ratio"])


def test_correct_may_be_boolean_and_columns_categorical() -> None:
    rows = answers_table()
    typed = rows.assign(correct=rows["correct"].astype(bool)).astype(
        {"training_group": "category", "repetition": "category", "item_id": "category"}
    )
    pd.testing.assert_frame_equal(gee_odds_ratios(rows).table, gee_odds_ratios(typed).table)


def test_the_table_given_is_left_alone() -> None:
    rows = answers_table()
    before = rows.copy()
    gee_odds_ratios(rows)
    pd.testing.assert_frame_equal(rows, before)


def test_a_group_that_is_always_right_gets_no_number() -> None:
    rows, _ = oracle("gee__separation_group_Low_100pct_correct")
    got = gee_odds_ratios(rows)
    assert not got.estimable and "Low is always right" in got.reason
    assert got.table.loc["Low"].isna().all() and set(got.reasons) == {"Low"}
    alone = gee_odds_ratios(rows[rows["training_group"] != "Low"])
    pd.testing.assert_series_equal(got.table.loc["Total"], alone.table.loc["Total"])
    assert 0.5 < got.table.loc["Total", "odds_ratio"] < 2 and got.alpha == alone.alpha


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("column_is", [("training_group", "High"), ("repetition", 2)])
def test_a_separated_reference_or_repetition_leaves_nothing(value, column_is) -> None:
    column, level = column_is
    rows = answers_table()
    rows.loc[rows[column] == level, "correct"] = value
    got = gee_odds_ratios(rows)
    assert not got.estimable and got.table.isna().all().all() and math.isnan(got.alpha)
    word = "right" if value else "wrong"
    assert f"{level} is always {word}" in got.reason and set(got.reasons) == set(GROUPS)


def test_every_other_group_separated() -> None:
    rows = answers_table()
    rows.loc[rows["training_group"] == "Low", "correct"] = 1
    rows.loc[rows["training_group"] == "Total", "correct"] = 0
    got = gee_odds_ratios(rows)
    assert got.table.isna().all().all()
    assert "Low is always right" in got.reason and "Total is always wrong" in got.reason


def test_separation_by_group_and_repetition_together() -> None:
    rows = answers_table(repetitions=2)
    rows = rows[rows["training_group"] != "Total"]
    cell = rows["training_group"] + rows["repetition"].astype(str)
    rows.loc[cell == "High2", "correct"] = 1
    rows.loc[cell == "Low1", "correct"] = 0
    got = gee_odds_ratios(rows)
    assert not got.estimable and "together" in got.reason
    assert got.table.isna().all().all()


def test_a_cell_without_errors_is_not_yet_separation() -> None:
    rows = answers_table()
    rows.loc[(rows["training_group"] == "Low") & (rows["repetition"] == 2), "correct"] = 1
    got = gee_odds_ratios(rows)
    assert got.estimable and got.table.notna().all().all()


def test_one_cluster_has_no_variance() -> None:
    got = gee_odds_ratios(answers_table().assign(participant_id="sub-01"), "participant_id")
    assert not got.estimable and "single participant_id" in got.reason
    assert got.table.isna().all().all()


@pytest.mark.parametrize("correction", [None, "mancl-derouen", "kauermann-carroll"])
def test_a_group_within_one_cluster_gets_no_number(correction) -> None:
    rows = answers_table()
    rows = rows[(rows["training_group"] != "Low") | (rows["participant_id"] == "sub-00")]
    got = gee_odds_ratios(rows, "participant_id", small_sample=correction)
    assert not got.estimable and "alone determines" in got.reason
    assert got.table.isna().all().all()


def spoil(rows: pd.DataFrame, column: str, value: object) -> pd.DataFrame:
    rows[column] = rows[column].astype(object)
    rows.loc[3, column] = value
    return rows


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda t: t.drop(columns=["correct", "repetition"]), InputError, "correct"),
        (lambda t: t.drop(columns="item_id"), InputError, "item_id"),
        (lambda t: spoil(t, "correct", None), InputError, r"missing correct \(1\): row 3"),
        (lambda t: spoil(t, "item_id", None), InputError, r"missing item_id \(1\): row 3"),
        (lambda t: spoil(t, "correct", 2), InputError, "correct is not 0 or 1"),
        (lambda t: spoil(t, "correct", "yes"), InputError, "correct is not 0 or 1"),
        (lambda t: spoil(t, "correct", 10**400), InputError, "correct is not 0 or 1"),
        (lambda t: pd.concat([t, t.iloc[[5]]]), InputError, r"duplicate row \(1\): row 216"),
        (lambda t: t[t["training_group"] != "High"], DesignError, "reference group 'High'"),
        (lambda t: t[t["training_group"] == "High"], DesignError, "only group"),
        (lambda t: t[t["repetition"] == 1], DesignError, "one repetition"),
        (
            lambda t: t[(t["repetition"] < 3) | (t["training_group"] != "Low")],
            DesignError,
            r"different repetitions .*Low: \[1, 2\]",
        ),
        (lambda t: t.iloc[:0], DesignError, "High"),
    ],
)
def test_bad_input_is_named(change, error, said) -> None:
    with pytest.raises(error, match=said):
        gee_odds_ratios(change(answers_table()))


def test_unknown_choices_are_named() -> None:
    with pytest.raises(DesignError, match="did you mean 'item_id'"):
        gee_odds_ratios(answers_table(), cluster="item")
    with pytest.raises(DesignError, match="did you mean 'mancl-derouen'"):
        gee_odds_ratios(answers_table(), small_sample="mancl_derouen")
    with pytest.raises(DesignError, match="did you mean 'High'"):
        gee_odds_ratios(answers_table(), reference="high")


def test_models_right_about_the_same_items_are_no_finding() -> None:
    # Each repetition errs elsewhere, but all groups alike: coefficient and error are round-off.
    rows = with_errors({group: [5, 8, 3, 9] for group in ("High", "Low", "Total")})
    for cluster in ("item_id", "participant_id"):
        got = gee_odds_ratios(rows, cluster)
        assert not got.estimable
        assert got.table.isna().all(axis=None)
        assert "right equally often in every" in got.reasons["Low"]


def test_a_correlation_that_so_many_answers_cannot_have_is_said() -> None:
    """Everybody is right 3 times of 5: closer together than chance lets people be."""
    cells = [(group, repetition) for group in ("High", "Low") for repetition in (1, 2)]
    counts = [(4, 3, 2, 3), (3, 4, 3, 2), (2, 3, 4, 3), (8, 4, 6, 6)]
    rows = pd.DataFrame(
        [
            {"training_group": group, "repetition": r, "participant_id": who, "correct": k < n}
            for who, counted in enumerate(counts)
            for (group, r), n in zip(cells, counted, strict=True)
            for k in range(10 if who == 3 else 5)
        ]
    ).astype({"correct": int})
    found = gee_odds_ratios(rows, cluster="participant_id", small_sample="mancl-derouen")
    assert not found.estimable and found.reason is not None
    assert "as the correlation within clusters: 40 answers cannot have it" in found.reason


def test_a_fit_that_ran_away_is_not_estimable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As statsmodels did in 1 of 100 simulated cohorts: it said that it had converged."""
    import statsmodels.api as sm

    fit = sm.GEE.fit

    def runaway(model: object, **settings: object) -> object:
        result = fit(model, **settings)
        result.params = result.params * 0 + 800
        return result

    table = answers_table()
    assert gee_odds_ratios(table, reference="High").estimable
    monkeypatch.setattr(sm.GEE, "fit", runaway)
    found = gee_odds_ratios(table, reference="High")
    assert not found.estimable
    assert found.reason is not None and "did not converge" in found.reason


def with_errors(wrong: dict[str, list[int]], repetitions: int = 2, items: int = 24) -> pd.DataFrame:
    """Answers of one person after another, of which so many are wrong, spread over repetitions."""
    return pd.DataFrame(
        [
            {
                "training_group": group,
                "repetition": k % repetitions + 1,
                "participant_id": f"sub-{who:02d}",
                "item_id": f"sub-{who:02d}-{k // repetitions}",
                "correct": int(k >= n),
            }
            for group, counts in wrong.items()
            for who, n in enumerate(counts)
            for k in range(items * repetitions)
        ]
    )


@pytest.mark.parametrize("correction", [None, "mancl-derouen", "kauermann-carroll"])
@pytest.mark.parametrize(
    ("high", "low"),
    [
        # All errors in one of 12 people: OR .66 [.659, .670], p = 4e-18 before.
        ([6] + [0] * 11, [9] + [0] * 11),
        # The demo's: 4 wrong answers of one person against 2: p = 1.2e-5 before.
        ([4, 0, 0, 0], [2, 0, 0, 0]),
        # Nearly all in one, one a person elsewhere.
        ([20, 1, 0, 0, 0, 1, 0, 0], [34, 1, 0, 0, 0, 1, 0, 0]),
        # One person of many tells the models apart.
        ([2] * 12, [30] + [2] * 11),
        ([1, 2, 1, 2], [1, 2, 1, 5]),
    ],
)
def test_errors_in_few_people_are_no_basis(high, low, correction) -> None:
    rows = with_errors({"High": high, "Low": low})
    got = gee_odds_ratios(rows, "participant_id", small_sample=correction)
    assert not got.estimable and got.table.isna().all(axis=None)
    assert "too few participant_ids" in got.reason or "only one participant_id" in got.reason
    assert got.carriers["Low"] == sum(a != b for a, b in zip(high, low, strict=True))


@pytest.mark.parametrize(("high", "low"), [([0, 0, 3, 3], [0, 0, 6, 6]), ([2] * 8, [4] * 8)])
def test_the_same_difference_in_everybody_is_no_measure_of_spread(high, low) -> None:
    got = gee_odds_ratios(with_errors({"High": high, "Low": low}), "participant_id")
    assert not got.estimable and got.table.isna().all(axis=None)


def test_errors_in_few_frames_are_no_basis_either() -> None:
    rows = with_errors({"High": [24, 24, 0, 0], "Low": [24, 25, 0, 0]}, repetitions=12)
    got = gee_odds_ratios(rows, "item_id")
    assert not got.estimable and got.reason == "only one item_id tells Low from High"


def test_one_contrast_may_be_no_basis_and_the_other_stays() -> None:
    wrong = {"High": [4, 3, 5, 4, 2, 6], "Low": [5, 3, 4, 6, 3, 7], "Total": [40, 3, 5, 4, 2, 6]}
    got = gee_odds_ratios(with_errors(wrong), "participant_id", small_sample="mancl-derouen")
    assert set(got.reasons) == {"Total"} and got.table.loc["Total"].isna().all()
    assert got.table.loc["Low", "p"] > 0.05 and got.carriers == {"Low": 5, "Total": 1}


def test_what_is_estimable_among_uneven_people_holds_its_level() -> None:
    """Accuracy about .98, most people without error: before, 30 to 57 % of such cohorts."""
    from eifer.calibration import Design, Spread, draw

    design = Design(8, 4, 6, 2, 0.0, 0.99, 3.0)
    rejected = estimable = 0
    for number in range(25):
        wrong = np.array(draw(design, Spread(0.5, 0.5, 0.3, 0.45, 0.7, 0.5), 0.0, 1, number))
        right = (wrong > 0) == (np.arange(4) % 2 == 1)[:, None]
        counts = (~right).sum(axis=(1, 3, 4))
        if not (counts[:2].sum(axis=1) > 0).all():
            continue
        people = {group: list(map(int, counts[k])) for k, group in enumerate(("High", "Low"))}
        got = gee_odds_ratios(
            with_errors(people, items=24), "participant_id", small_sample="mancl-derouen"
        )
        estimable += got.estimable
        rejected += bool(got.estimable and got.table.loc["Low", "p"] < 0.05)
    assert estimable >= 3 and rejected <= 1


@pytest.mark.parametrize(
    "named", [{"High": 1, "Low": 2, "Total": 3}, {"High": 1.5, "Low": 2.5, "Total": 0.5}]
)
def test_groups_may_be_numbers(named) -> None:
    rows = answers_table()
    numbered = rows.assign(training_group=rows["training_group"].map(named))
    one = gee_odds_ratios(rows).table
    other = gee_odds_ratios(numbered, reference=named["High"]).table
    for group in GROUPS:
        assert other.loc[named[group], "coef"] == pytest.approx(one.loc[group, "coef"], rel=1e-7)
    with pytest.raises(DesignError, match="no row has the reference group 'High'"):
        gee_odds_ratios(numbered)


@pytest.mark.parametrize("column", ["training_group", "repetition", "participant_id", "item_id"])
@pytest.mark.parametrize("value", [7, (1, 2), [1], 1j, b"a"])
def test_labels_of_several_kinds_are_named(column, value) -> None:
    rows = answers_table().astype({column: "str"}).astype({column: object})
    rows.at[3, column] = value
    with pytest.raises(InputError, match=f"values of several kinds.*{column}"):
        gee_odds_ratios(rows)
