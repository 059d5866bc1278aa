"""The scan: exact tests, the right choice, and a p-value that knows about choosing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from eifer.ei import cutoff
from eifer.ei.anova import mixed_interaction, type3
from eifer.ei.cutoff import Scan, scan
from eifer.errors import DesignError
from eifer.seeding import generator

EMOTIONS = ["HAHV", "HALV", "LAHV", "LALV"]
CHOICES: dict[str, Any] = {
    "cutoffs": range(0, 1201, 10),
    "model": "between",
    "alpha": 0.05,
    "max_imbalance_share": 0.25,
    "permutations": 19,
    "seed": 3,
}


class Cohort:
    """Noise with lasting differences between people, and whatever is added to it."""

    def __init__(self, people: int = 16, variables: int = 4, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.names = [f"sub-{i:02d}" for i in range(people)]
        self.participant = np.repeat(self.names, 4)
        self.emotion = np.tile(EMOTIONS, people)
        noise = rng.normal(size=(people * 4, variables))
        noise += np.repeat(rng.normal(size=(people, variables)), 4, axis=0)
        self.values = pd.DataFrame(noise, columns=[f"hrv_{i}" for i in range(variables)])
        self.scores = dict(zip(self.names, 10 * rng.integers(50, 110, people), strict=True))

    def scan(self, **choices: Any) -> Scan:
        return scan(self.values, self.participant, self.emotion, self.scores, **(CHOICES | choices))

    def group(self, at: int) -> list[str]:
        return ["High" if self.scores[who] > at else "Low" for who in self.participant]

    def lose(self, share: float) -> Cohort:
        lost = np.random.default_rng(9).random(self.values.shape) < share
        self.values = self.values.mask(lost)
        return self


@pytest.mark.parametrize("model", ["between", "mixed"])
def test_every_test_is_the_one_of_anova(model: str) -> None:
    cohort = Cohort().lose(0.1)
    got = cohort.scan(model=model, permutations=0)
    assert len(got.tests) == 121 * 4
    for row in got.tests[got.tests["cutoff"] % 50 == 0].itertuples():
        y, group = cohort.values[row.variable], cohort.group(row.cutoff)
        if model == "between":
            one: Any = type3(y, group, cohort.emotion)
            want = one.table.loc["interaction", ["f", "df", "p"]].tolist()
        else:
            one = mixed_interaction(y, cohort.participant, group, cohort.emotion)
            want = [one.f, one.df1, one.p]
        assert row.estimable == one.estimable
        np.testing.assert_allclose([row.f, row.df1, row.p], want, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("model", ["between", "mixed"])
def test_permutations_count_what_the_exact_tests_count(model: str) -> None:
    """The closed form of the permutations, against QR: noise, gaps, constants, empty cells."""
    cohort = Cohort(people=9, variables=60).lose(0.08)
    cohort.values["constant"] = 7.3
    cohort.values["perfect"] = (cohort.participant == "sub-03") * 1.0
    cohort.values["nothing"] = np.nan
    cohort.values["no_lalv"] = cohort.values["hrv_0"].mask(cohort.emotion == "LALV")
    kind = {"between": cutoff._Between, "mixed": cutoff._Mixed}[model]
    y, people = cohort.values.to_numpy(), np.array(cohort.names)
    tester = kind(y, cohort.participant, cohort.emotion, people)
    high = np.random.default_rng(1).random((60, 9)) > 0.5
    high[0], high[1], high[2] = True, False, people == "sub-03"
    got = tester.count(high.astype(float), 0.3)
    want = [(tester.exact(split).p < 0.3).sum() for split in high]
    assert got.tolist() == want
    assert max(want) > 3
    assert got[:2].tolist() == [0, 0]


@pytest.mark.parametrize("model", ["between", "mixed"])
def test_max_statistic_is_the_scan_on_permuted_scores(model: str) -> None:
    cohort = Cohort(people=14, variables=12).lose(0.03)
    got = cohort.scan(model=model, permutations=12, alpha=0.2)
    names = sorted(cohort.scores)
    score = np.array([float(cohort.scores[name]) for name in names])
    drawn = generator(CHOICES["seed"], "cutoff permutations").permuted(
        np.tile(score, (12, 1)), axis=1
    )
    naive = []
    for permuted in drawn:
        cohort.scores = dict(zip(names, permuted, strict=True))
        table = cohort.scan(model=model, permutations=0, alpha=0.2).table
        naive.append(table.loc[table["acceptable"], "n_significant"].max())
    assert got.maxima.tolist() == naive
    assert len(set(naive)) > 1
    assert got.p == (1 + sum(m >= got.n_significant for m in naive)) / 13


def planted() -> Cohort:
    """8 of 24 people, those above 890, react to LALV in most variables; the others do not."""
    cohort = Cohort(people=24, variables=20, seed=4)
    cohort.scores = {name: 500 + 25 * i for i, name in enumerate(cohort.names)}
    react = (np.array(cohort.group(890)) == "High") & (cohort.emotion == "LALV")
    cohort.values.iloc[:, :16] += 2.5 * react[:, None]
    return cohort


@pytest.mark.parametrize(("model", "alpha"), [("between", 0.01), ("mixed", 1e-4)])
def test_a_planted_cutoff_is_found(model: str, alpha: float) -> None:
    cohort = planted()
    got = cohort.scan(model=model, permutations=99, alpha=alpha, max_imbalance_share=0.5)
    assert cohort.group(got.cutoff) == cohort.group(890)
    assert got.n_significant >= 8
    assert got.p == 0.01
    assert got.table.loc[got.table["chosen"], "cutoff"].tolist() == [got.cutoff]


def test_equal_counts_go_to_balance_and_then_to_the_lower_cutoff() -> None:
    cohort = Cohort(people=8)
    cohort.scores = {name: 600 + 50 * i for i, name in enumerate(cohort.names)}
    got = cohort.scan(alpha=1e-9, permutations=5, max_imbalance_share=0.6)
    assert got.n_significant == 0
    assert (got.cutoff, got.p) == (750, 1.0)
    acceptable = got.table[got.table["acceptable"]]
    assert acceptable["imbalance"].max() == 4
    # A score equal to the cutoff is Low.
    assert acceptable.set_index("cutoff").loc[750, ["n_high", "n_low"]].tolist() == [4, 4]


def test_share_of_imbalance_is_inclusive() -> None:
    cohort = Cohort(people=100, variables=1)
    cohort.scores = {name: 10 * i for i, name in enumerate(cohort.names)}
    table = cohort.scan(max_imbalance_share=0.28, permutations=0).table
    assert table.loc[table["acceptable"], "imbalance"].max() == 28


def test_an_empty_cell_never_counts() -> None:
    cohort = planted()
    top = [name for name in cohort.names if cohort.scores[name] > 800]
    gone = np.isin(cohort.participant, top) & (cohort.emotion == "HAHV")
    cohort.values.loc[gone, "hrv_0"] = np.nan
    got = cohort.scan(permutations=0)
    tests = got.tests.set_index(["cutoff", "variable"])
    at = tests.loc[(800, "hrv_0")]
    assert not at["estimable"]
    assert at["reason"] == "1 of 8 cells empty (High x HAHV)"
    assert np.isnan(at[["f", "df1", "df2", "p"]].astype(float)).all()
    row = got.table.set_index("cutoff").loc[800]
    assert row["n_estimable"] == 19


def test_same_seed_same_answer_and_batches_change_nothing(monkeypatch: Any) -> None:
    cohort = Cohort(people=12, variables=10)
    choices = {"permutations": 40, "alpha": 0.3, "model": "mixed"}
    one = cohort.scan(**choices)
    monkeypatch.setattr(cutoff, "BATCH", 3000)
    two = cohort.scan(**choices)
    assert one.maxima.tolist() == two.maxima.tolist()
    pd.testing.assert_frame_equal(one.tests, two.tests)
    assert cohort.scan(**choices, seed=4).maxima.tolist() != one.maxima.tolist()


def test_order_of_rows_does_not_matter() -> None:
    cohort = Cohort().lose(0.05)
    one = cohort.scan()
    order = np.random.default_rng(0).permutation(len(cohort.values))
    cohort.values = cohort.values.iloc[order]
    cohort.participant, cohort.emotion = cohort.participant[order], cohort.emotion[order]
    cohort.scores = dict(reversed(cohort.scores.items()))
    two = cohort.scan()
    pd.testing.assert_frame_equal(one.tests, two.tests, rtol=1e-9)
    assert one.maxima.tolist() == two.maxima.tolist()


def test_who_cannot_be_used_is_in_the_attrition_table() -> None:
    cohort = Cohort()
    cohort.scores["sub-99"] = 900
    cohort.values.iloc[0, 1] = np.nan
    between, mixed = (cohort.scan(model=m, permutations=0) for m in ("between", "mixed"))
    assert between.attrition["participant_id"].tolist() == ["sub-99"]
    assert (mixed.table["n_high"] + mixed.table["n_low"]).unique().tolist() == [17]
    lost = mixed.attrition.set_index("level").loc["hrv"]
    assert (lost["participant_id"], lost["what"], lost["n"]) == ("sub-00", "hrv_1", 3)


def test_a_long_table_is_scanned_like_its_matrix() -> None:
    cohort = Cohort().lose(0.1)
    wide = cohort.values.assign(
        participant_id=cohort.participant,
        domain=cohort.emotion,
        video_id=[f"{who}_run-{i % 4}" for i, who in enumerate(cohort.participant)],
    )
    keys = ["participant_id", "video_id", "domain"]
    long = wide.melt(id_vars=keys).sample(frac=1, random_state=0)
    table = cutoff.observations(long)
    who, emotion = (table.index.get_level_values(key) for key in ("participant_id", "domain"))
    got = scan(table, who, emotion, pd.Series(cohort.scores), **CHOICES)
    pd.testing.assert_frame_equal(got.tests, cohort.scan().tests, rtol=1e-9)


def test_no_acceptable_cutoff_says_how_near_it_came() -> None:
    cohort = Cohort(people=8)
    cohort.scores = dict.fromkeys(cohort.names, 700) | {"sub-00": 900}
    with pytest.raises(DesignError, match=r"none of 121 cutoffs.*gives 1 High and 7 Low"):
        cohort.scan()


def test_no_estimable_variable_says_why() -> None:
    cohort = Cohort()
    cohort.values[:] = 1.0
    with pytest.raises(DesignError, match=r"no HRV variable of 4 can be tested.*constant"):
        cohort.scan()
    cohort.emotion = np.full(64, "HAHV")
    with pytest.raises(DesignError, match="only one emotion"):
        cohort.scan()


def test_a_participant_without_score_is_named() -> None:
    cohort = Cohort()
    del cohort.scores["sub-03"]
    cohort.scores["sub-05"] = np.nan
    with pytest.raises(DesignError, match=r"2 participants have no EI score \(sub-03, sub-05\)"):
        cohort.scan()


def test_everything_wrong_with_the_arguments_is_said_at_once() -> None:
    with pytest.raises(DesignError) as caught:
        Cohort().scan(model="mixd", alpha=5, max_imbalance_share=25, permutations=-1, cutoffs=[])
    said = str(caught.value)
    for part in ("did you mean 'mixed'", "alpha is 5", "share is 25", "is -1", "at least one"):
        assert part in said


def test_two_recordings_of_one_emotion_need_the_between_model() -> None:
    cohort = Cohort()
    cohort.emotion[1] = "HAHV"
    assert cohort.scan().n_significant >= 0
    with pytest.raises(DesignError, match="sub-00 HAHV"):
        cohort.scan(model="mixed")


def test_without_permutations_there_is_no_p_and_it_is_said() -> None:
    found = Cohort().scan(permutations=0)
    assert (
        found.p is None
        and len(found.maxima) == 0
        and "no EI scores were permuted" in found.by_chance
    )
    asked = Cohort().scan()
    assert asked.p is not None and f"{asked.p:.3f}" in asked.by_chance


@pytest.mark.parametrize("model", ["between", "mixed"])
def test_a_large_mean_costs_no_variable(model: str) -> None:
    cohort = Cohort()
    plain = cohort.scan(model=model)
    cohort.values = 800 + 1e-4 * cohort.values
    moved = cohort.scan(model=model)
    assert moved.tests["estimable"].equals(plain.tests["estimable"])
    assert moved.maxima.tolist() == plain.maxima.tolist() and moved.p == plain.p


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (pd.Series([700, 900, 800], index=["sub-00", "sub-00", "sub-01"]), "twice.*sub-00"),
        (pd.Series([700, 800], index=[1, "1"], dtype=object), "twice"),
        ({"sub-00": "many"}, "no numbers"),
        ({"sub-00": float("inf")}, "infinite"),
    ],
)
def test_scores_that_are_none_or_two_are_named(scores: Any, said: str) -> None:
    cohort = Cohort()
    with pytest.raises(DesignError, match=f"(?s){said}"):
        scan(cohort.values, cohort.participant, cohort.emotion, scores, **CHOICES)


def test_a_variable_that_stands_twice_is_named() -> None:
    cohort = Cohort()
    cohort.values.columns = ["a", "b", "a", "c"]
    with pytest.raises(DesignError, match=r"1 variables stand twice \(a\)"):
        cohort.scan()


@pytest.mark.parametrize("cutoffs", [["x"], [float("nan")], [float("inf")], [1e30], [7.5], []])
def test_cutoffs_that_are_no_points_are_named(cutoffs: list[Any]) -> None:
    with pytest.raises(DesignError, match="cutoffs must be whole numbers"):
        Cohort().scan(cutoffs=cutoffs)
