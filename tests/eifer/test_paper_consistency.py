"""The source's tables against themselves: the answers known from working them out by hand."""

from __future__ import annotations

import pytest

from eifer import paper_consistency, published
from eifer.paper_consistency import CONTRADICTION, possible_means


def test_what_is_known_of_the_source() -> None:
    found = paper_consistency.checks()
    against = found[found["verdict"] == CONTRADICTION]
    counts = found.groupby(found["check"].str.split(" ").str[0], sort=False).size().to_dict()
    assert counts == {
        **{"accuracy": 12, "F1,": 9, "sign": 6, "q": 8, "pooled": 5, "odds": 6},
        **{"scores": 4, "people": 1},
    }
    contradictions = against.groupby(against["check"].str.split(" ").str[0])["where"].apply(list)
    assert contradictions.to_dict() == {
        "sign": [
            "arousal, baseline, High-Total",
            "valence, baseline, High-Low",
            "arousal, resnet50, High-Total",
        ],
        "q": ["arousal, baseline, High-Low", "valence, resnet50, High-Low"],
        "pooled": [
            "arousal, baseline, High-Total",
            "valence, baseline, High-Low",
            "arousal, resnet50, High-Total",
        ],
        "people": ["section 2.1"],
    }
    (size,) = found[found["check"].str.startswith("people")].to_dict("records")
    assert (size["printed"], size["computed"]) == ("46", "24")
    same = found[found["verdict"] == "implausible"]
    assert same["where"].tolist() == ["unambiguous, High"]
    absent = found[found["verdict"] == "missing"].set_index("where")["computed"].to_dict()
    assert absent == {
        "valence, resnet50": "not Total",
        "arousal, vgg16": "not High, Low, Total, High-Total",
        "valence, vgg16": "not High, Low, Total, High-Low, High-Total",
    }


def test_figures_of_the_other_backbones_are_those_of_the_text(shared) -> None:
    text = "".join(p.read_text(encoding="utf-8") for p in sorted((shared / "seeds").glob("001_*")))
    said = text[text.index("For the ResNet50 backbone") : text.index("For VGG16 in the arousal")]
    said = said.replace("−", "-")
    numbers = published.external_contrasts().select_dtypes("float64").stack().dropna()
    assert len(numbers) == 27
    assert all(f"{number:.4f}" in text.replace("−", "-") for number in numbers)
    scores = published.external_performance()
    assert len(scores) == 20
    assert all(f"{number:.4f}" in said for number in scores[["mean", "sd"]].to_numpy().ravel())


def test_an_impossible_accuracy_and_a_turned_sign_are_found() -> None:
    performance, contrasts = published.performance(), published.contrasts()
    place = (performance["metric"] == "accuracy") & (performance["mean"] == 0.9521)
    performance.loc[place, "mean"] = 0.9525
    contrasts["pooled_delta"] *= -1
    others = published.external_performance(), published.external_contrasts()
    found = paper_consistency.checks_of(performance, contrasts, *others, items=96, repetitions=5)
    grim = found[found["check"].str.startswith("accuracy")]
    assert (grim["verdict"] == CONTRADICTION).sum() == place.sum() == 2
    signs = found[found["check"].str.startswith("sign") & found["where"].str.contains("baseline")]
    assert signs["verdict"].tolist() == [CONTRADICTION, "agrees", "agrees"]


@pytest.mark.parametrize(
    ("printed", "items", "repetitions", "totals"),
    [
        (0.9521, 96, 5, [457]),
        (0.9525, 96, 5, []),
        # A tie of .91875: rounded up or to even, both are right.
        (0.9188, 96, 5, [441]),
        (0.9187, 96, 5, [441]),
        (1.0, 96, 5, [480]),
        (0.0, 4, 1, [0]),
        # So many answers that every printed figure is possible: Brown & Heathers' granularity.
        (0.5, 30000, 1, [14999, 15000, 15001]),
    ],
)
def test_possible_means(printed, items, repetitions, totals) -> None:
    assert possible_means(printed, items, repetitions, 4) == totals
