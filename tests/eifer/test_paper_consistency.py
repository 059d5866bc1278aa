"""The source's tables against themselves: the answers known from working them out by hand."""

from __future__ import annotations

import pytest

from eifer import paper_consistency, published
from eifer.corpora import published as faces
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


def test_an_impossible_accuracy_and_a_turned_sign_are_found(monkeypatch) -> None:
    performance, contrasts = published.performance(), published.contrasts()
    place = (performance["metric"] == "accuracy") & (performance["mean"] == 0.9521)
    performance.loc[place, "mean"] = 0.9525
    contrasts["pooled_delta"] *= -1
    monkeypatch.setattr(published, "performance", lambda: performance)
    monkeypatch.setattr(published, "contrasts", lambda: contrasts)
    found = paper_consistency.checks()
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


def test_what_is_known_of_the_sources_on_expressions() -> None:
    found = paper_consistency.expression_checks()
    against = found[found["verdict"] == CONTRADICTION]
    tables = against[against["source"] == "S2"].groupby("check", sort=False)
    assert {check: len(rows) for check, rows in tables} == {
        "a total is the sum of its cells": 2,
        "training and validation are 80 and 20 % of each class that is left": 1,
        "the test part is about 10 % of the corpus": 2,
        "all images of FER2013 are there": 1,
        "accuracy on all is that of the three corpora together": 1,
        "gain by merging, in per cent, is relative to what was": 3,
        "gain by merging, in points, is that of the corpora's images": 1,
        "no other cell of its row is above that of the same corpus": 1,
        "no other cell of its column is above that of the same corpus": 1,
        "merged is better than each corpus's own network on its images": 1,
        "merged is better than the corpus's own network by more than chance (two shares, 95 %)": 3,
        "merged's validation images come from all three corpora (first 20 % by file name)": 1,
        "published attributes give the chosen images their places": 1,
        **{check: 1 for check, *_ in faces.MERGING_CODE},
    }
    by = against.set_index("where")[["printed", "computed"]].agg(" ↔ ".join, axis=1)
    assert by["Table 4, nhfi"] == "551 ↔ 461"
    assert by["Table 8, artificial"] == "5284 / 1321 ↔ 5287 / 1318"
    assert by["Table 10, affectnet"].tolist() == [
        "0.6190 ↔ 1043/1680 = 0.6208",
        "0.7804 against 0.8125 ↔ -18 images of 560: -3.2 points, -7.9 to +1.5",
    ]
    assert by["Table 10, all"] == "1165/1680 = 0.6935 ↔ 1173/1680 = 0.6982"
    assert "(1165 - 1043) / 1680 = 7.26" in by["abstract, affectnet"].iloc[0]
    assert by["Table 10, row merged"] == "0.6935 ↔ tested on affectnet: 0.7804"
    assert by["Table 10, column fer2013"] == "0.7214 ↔ trained on merged: 0.7411"
    assert by["Table 2"] == "35886 ↔ 35887"
    others = against[against["source"] == "S3"]
    assert others["computed"].tolist() == [
        *("6.48 M", "57 %", "0.704", "0.701"),
        *("0.69 of 7178: 0.674 to 0.706", "0.9897", "ResEmoteNet: 0.7979"),
    ]
    right = found["check"].str.contains("misread digits put right")
    assert (found[right]["verdict"] == "agrees").all() and right.sum() == 14
    assert found[found["source"] == "S4"]["verdict"].tolist() == ["missing", *[CONTRADICTION] * 3]


def test_other_figures_give_other_verdicts(monkeypatch) -> None:
    found = paper_consistency.expression_checks()

    def verdicts(check: str) -> list[str]:
        return found[found["check"].str.startswith(check)]["verdict"].tolist()

    assert "contradiction" not in verdicts("chosen and drawn")
    monkeypatch.setitem(faces._CHOSEN, ("nhfi",), (61, 62, 59, 79, 75, 69, 55, 460))
    monkeypatch.setitem(faces._ACCURACY, "fer2013", (0.6000, 0.4350, 0.5054, 0.3185, 0.5542))
    found = paper_consistency.expression_checks()
    assert verdicts("chosen and drawn").count("contradiction") == 1
    assert verdicts("accuracy is a share of whole").count("contradiction") == 1  # .4350 x 560
    assert verdicts("accuracy on all").count("contradiction") == 2
    assert verdicts("merged is better than each") == ["agrees"]
    assert verdicts("merged is better than the corpus's own") == [
        *("agrees", "contradiction", "contradiction")
    ]
    monkeypatch.setitem(faces.PARAMETERS, "total", 5_000_000)
    found = paper_consistency.expression_checks()
    assert verdicts("over 60 %") == ["agrees"]
    assert verdicts("the network's parameters") == ["agrees"]
    assert verdicts("trained and other") == ["contradiction"]
