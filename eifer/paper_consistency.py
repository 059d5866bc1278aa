"""What the sources' own tables say of each other: contradictions, computed from their figures.

Nothing here needs data: a mean of counts can only take certain values (GRIM: Brown & Heathers
2017, Soc. Psychol. Personal. Sci. 8:363), a pooled difference lies among what it pools, and a
p-value goes with its interval. The figures are those of `eifer.published` and, for the three
sources of the expressions study, of `eifer.corpora.published`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from eifer import published
from eifer.corpora import published as faces
from eifer.statistics.power import power_paired
from eifer.tables.comparison import CONTRASTS
from eifer.vocabulary import Dimension, Group

CONTRADICTION, IMPLAUSIBLE, MISSING, AGREES = (
    "contradiction",
    "implausible",
    "missing",
    "agrees",
)
DIGITS = 4
"""Digits that the source prints of a share or a difference."""
NEAR = 0.005
"""Largest relative gap of an odds ratio from accuracies that still counts as the printed one: the
source's is adjusted for repetition, and accuracies are rounded."""

RECRUITED, DZ, ALPHA, POWER = 46, 0.6, 0.05, 0.8
"""Section 2.1: who was recruited, for which effect, level and power (G*Power)."""


@dataclass(frozen=True)
class Contrast:
    """High against another model, as printed; NaN where nothing is. q is an upper bound."""

    where: str
    accuracy: tuple[float, ...]
    auc: tuple[float, ...]
    pooled: tuple[float, float, float]
    pooled_q: float
    odds_ratio: tuple[float, float, float]


@dataclass(frozen=True)
class Finding:
    """One check: what is printed, what follows from other printed figures, and whether they agree.

    ``verdict`` is "contradiction", "implausible" (possible, but hardly by chance), "missing"
    (nothing is printed) or "agrees".
    """

    check: str
    where: str
    printed: str
    computed: str
    verdict: str


def checks() -> pd.DataFrame:
    """Every check of the source's tables, a row a `Finding`, whose fields are the columns."""
    performance = published.performance()
    others = published.external_performance(), published.external_contrasts()
    rows = [*_grim(performance), *_same_in_both_tasks(performance)]
    known = [
        *_printed(performance, published.contrasts(), "condition"),
        *_printed(*others, "network"),
    ]
    for check in (_signs, _interval, _directions, _odds):
        rows += [finding for contrast in known for finding in check(contrast)]
    rows += [*_given(*others), *_sample_size()]
    return pd.DataFrame([asdict(row) for row in rows])


def possible_means(printed: float, items: int, repetitions: int, digits: int) -> list[int]:
    """Numbers of right answers whose mean share is printed as ``printed``.

    The mean over repetitions of k / items is total / (items x repetitions); a total fits if its
    share lies within half a unit of the last digit, ends included: how a tie was rounded is not
    known. None: the printed figure is impossible. Where there are more answers than units of the
    last digit every figure is possible, and the check says nothing.
    """
    answers, half = items * repetitions, 0.5 * 10**-digits
    near = round(printed * answers)
    reach = math.ceil(half * answers) + 1
    return [
        total
        for total in range(max(0, near - reach), min(answers, near + reach) + 1)
        if abs(total / answers - printed) <= half + 1e-12
    ]


def _verdict(agree: bool) -> str:
    return AGREES if agree else CONTRADICTION


def _grim(performance: pd.DataFrame) -> Iterator[Finding]:
    items, repetitions = published.CONDITION_ITEMS, published.REPETITIONS
    sampled = performance["condition"].isin(["unambiguous", "ambiguous"])
    for row in performance[sampled & (performance["metric"] == "accuracy")].to_dict("records"):
        totals = possible_means(row["mean"], items, repetitions, DIGITS)
        shown = ", ".join(f"{total}/{items * repetitions}" for total in totals)
        yield Finding(
            f"accuracy is a mean of {repetitions} shares of {items}",
            f"{row['task']}, {row['condition']}, {row['training_group']}",
            f"{row['mean']:.4f}",
            shown or "no number of right answers gives it",
            _verdict(bool(totals)),
        )


def _same_in_both_tasks(performance: pd.DataFrame) -> Iterator[Finding]:
    """Two tasks have other labels, so that models seldom err alike to the last digit in both."""
    of_labels = performance[performance["metric"].isin(["macro_f1", "accuracy"])]
    for (condition, group), part in of_labels.groupby(["condition", "training_group"], sort=False):
        ordered = part.sort_values("metric", ascending=False)
        figures = [rows[["mean", "sd"]].to_numpy() for _, rows in ordered.groupby("task")]
        shown = [f"F1 {f1[0]:.4f} (SD {f1[1]:.4f})" for f1, _ in figures]
        yield Finding(
            "F1, accuracy and their SDs differ between arousal and valence",
            f"{condition}, {group}",
            shown[0],
            shown[-1],
            IMPLAUSIBLE if (figures[0] == figures[-1]).all() else AGREES,
        )


def _printed(performance: pd.DataFrame, contrasts: pd.DataFrame, where: str) -> Iterator[Contrast]:
    """The contrasts with a printed difference; ``where`` is the column that tells them apart."""
    means = performance.set_index([where, "task", "training_group", "metric"])["mean"]
    for row in contrasts.dropna(subset="pooled_delta").to_dict("records"):
        accuracy, auc = (
            tuple(
                float(means.get((row[where], row["task"], group, metric), math.nan))
                for group in row["contrast"].split("-")
            )
            for metric in ("accuracy", "roc_auc")
        )
        yield Contrast(
            f"{row['task']}, {row[where]}, {row['contrast']}",
            accuracy,
            auc,
            (row["pooled_delta"], row["pooled_ci_low"], row["pooled_ci_high"]),
            float(row["fisher_q"].lstrip("< ")) if row["fisher_significant"] else math.nan,
            (row["gee_odds_ratio"], row["gee_ci_low"], row["gee_ci_high"]),
        )


def _signs(contrast: Contrast) -> Iterator[Finding]:
    """A weighted mean of differences, against the difference of the plain means."""
    mean = contrast.auc[0] - contrast.auc[1]
    if math.isnan(mean):
        return
    yield Finding(
        "sign of the pooled ΔAUC is that of the difference of mean AUCs",
        contrast.where,
        f"{contrast.pooled[0]:+.4f}",
        f"{mean:+.4f}",
        _verdict(mean * contrast.pooled[0] > 0),
    )


def _interval(contrast: Contrast) -> Iterator[Finding]:
    if math.isnan(contrast.pooled_q):
        return
    _, low, high = contrast.pooled
    holds = low <= 0 <= high
    yield Finding(
        "q below .05 goes with a pooled interval without 0",
        contrast.where,
        f"q < {contrast.pooled_q:g}",
        f"[{low:+.4f}, {high:+.4f}] {'holds' if holds else 'lacks'} 0",
        _verdict(not holds),
    )


def _directions(contrast: Contrast) -> Iterator[Finding]:
    """Only where both intervals name a better model."""
    _, low, high = contrast.pooled
    ratio, ratio_low, ratio_high = contrast.odds_ratio
    if math.isnan(ratio) or low <= 0 <= high or ratio_low <= 1 <= ratio_high:
        return
    ranks, odds = low > 0, ratio < 1
    other = contrast.where.rpartition("-")[2]
    yield Finding(
        "pooled ΔAUC and odds ratio name the same better model",
        contrast.where,
        f"ΔAUC {contrast.pooled[0]:+.4f}: {Group.HIGH if ranks else other}",
        f"OR {ratio:.4f}: {Group.HIGH if odds else other}",
        _verdict(ranks == odds),
    )


def _odds(contrast: Contrast) -> Iterator[Finding]:
    high, other = (accuracy / (1 - accuracy) for accuracy in contrast.accuracy)
    ratio = contrast.odds_ratio[0]
    if math.isnan(other / high / ratio):
        return
    yield Finding(
        f"odds ratio is that of the mean accuracies (within {NEAR:.1%})",
        contrast.where,
        f"{ratio:.4f}",
        f"{other / high:.4f}",
        _verdict(abs(other / high / ratio - 1) <= NEAR),
    )


def _given(performance: pd.DataFrame, contrasts: pd.DataFrame) -> Iterator[Finding]:
    """Section 4.4 says that it compares every network in both tasks."""
    scores = performance[["network", "task", "training_group"]].itertuples(index=False, name=None)
    compared = contrasts[["network", "task", "contrast"]].itertuples(index=False, name=None)
    places = (*Group, *CONTRASTS)
    there = {*scores, *compared}
    for network, task in itertools.product(published.NETWORKS, map(str, Dimension)):
        absent = [str(name) for name in places if (network, task, name) not in there]
        yield Finding(
            "scores and contrasts of every other network are given in the text",
            f"{task}, {network}",
            f"{len(places) - len(absent)} of {len(places)}",
            f"not {', '.join(absent)}" if absent else "all",
            MISSING if absent else AGREES,
        )


def _sample_size() -> Iterator[Finding]:
    needed = power_paired(DZ, ALPHA, POWER)
    yield Finding(
        f"people needed for dz = {DZ:g} at level {ALPHA:g} and power {POWER:g} (paired t)",
        "section 2.1",
        str(RECRUITED),
        str(needed),
        _verdict(needed == RECRUITED),
    )


# the sources of the expressions study ---------------------------------------------------------


def expression_checks() -> pd.DataFrame:
    """Every check of the three sources of the expressions study: as `checks`, after ``source``."""
    of_merging = (_sums, _evaluator_cells, _published_division, _test_shares, _whole_images)
    of_its_matrix = (_all_is_its_parts, _gains, _diagonal, _specialists)
    found = {
        "S2": (*of_merging, *of_its_matrix, _validation_of_merged, _code),
        "S3": (_parameters, _harmonic, _report_totals, _accuracies),
        "S4": (_cnn_words,),
    }
    rows = [(source, row) for source, those in found.items() for one in those for row in one()]
    return pd.DataFrame([{"source": source, **asdict(row)} for source, row in rows])


def _sums() -> Iterator[Finding]:
    """Totals of Tables 1, 4, 5 and 7, over classes and over corpora."""
    cells = faces.evaluator().set_index("corpus")
    for version, rows in faces.counts().groupby("version", sort=False):
        yield from _totals(f"Table 1, {version}", rows.set_index("corpus"), "n", "all")
    yield from _totals("Table 4", cells, "chosen", "all")
    yield from _totals("Table 5", cells, "filled", "all")
    yield from _totals("Table 7", faces.artificial().set_index("part"), "n", faces.TOTAL)


def _totals(where: str, rows: pd.DataFrame, column: str, last: str) -> Iterator[Finding]:
    table: Any = rows.set_index("label", append=True)[column].unstack("label")
    parts = table.drop(columns=faces.TOTAL)
    across = parts.sum(axis=1)
    down = table.drop(index=last).sum()
    for name, printed, total in (
        *((row, table.loc[row, faces.TOTAL], across[row]) for row in rows.index.unique()),
        *((label, table.loc[last, label], down[label]) for label in parts),
        (f"totals of {last}", table.loc[last, faces.TOTAL], down[faces.TOTAL]),
    ):
        yield Finding(
            "a total is the sum of its cells",
            f"{where}, {name}",
            str(printed),
            str(total),
            _verdict(printed == total),
        )


def _evaluator_cells() -> Iterator[Finding]:
    cells = faces.evaluator()
    for row in cells[cells["label"] != faces.TOTAL].to_dict("records"):
        yield Finding(
            "chosen and drawn images together fill the evaluator",
            f"Tables 4-6, {row['corpus']}, {row['label']}",
            str(row["n"]),
            f"{row['chosen']} + {row['filled']} = {row['chosen'] + row['filled']}",
            _verdict(row["chosen"] + row["filled"] == row["n"]),
        )


def _published_division() -> Iterator[Finding]:
    """Table 8 by Keras's rule: of each class 20 %, rounded down, are validation images."""
    remaining = _remaining()
    for row in faces.division().to_dict("records"):
        here = remaining[row["corpus"]]
        validation = sum(n // 5 for n in here.values())
        train = sum(here.values()) - validation
        yield Finding(
            "training and validation are 80 and 20 % of each class that is left",
            f"Table 8, {row['corpus']}",
            f"{row['train']} / {row['validation']}",
            f"{train} / {validation}",
            _verdict((row["train"], row["validation"]) == (train, validation)),
        )


def _remaining() -> dict[str, dict[str, int]]:
    """Images of each corpus and class that the evaluator leaves, also of merged."""
    counts, cells = faces.counts(), faces.evaluator()
    after = counts[counts["version"] == "relabelled"].set_index(["corpus", "label"])["n"]
    chosen = cells.set_index(["corpus", "label"])["chosen"]
    drawn = faces.artificial().set_index(["part", "label"])["n"]
    left = {
        corpus: {
            label: int(after[corpus, label] - chosen[corpus, label]) for label in faces.CLASSES
        }
        for corpus in faces.REAL
    }
    return left | {
        "artificial": {label: int(drawn["train", label]) for label in faces.CLASSES},
        "merged": {label: sum(left[name][label] for name in left) for label in faces.CLASSES},
    }


def _test_shares() -> Iterator[Finding]:
    images = faces.properties().set_index("corpus")["images"]
    cells = faces.evaluator().set_index(["corpus", "label"])["n"]
    for corpus in faces.REAL:
        n = int(cells[corpus, faces.TOTAL])
        share = 100 * n / images[corpus]
        yield Finding(
            "the test part is about 10 % of the corpus",
            f"section III.B.3, {corpus}",
            f"{faces.LIKE_THE_TEST_PART['computed']:.2f} %",
            f"{n} of {images[corpus]}: {share:.2f} %",
            _verdict(abs(share - faces.LIKE_THE_TEST_PART["share"]) < 1),
        )
    known = sum(faces.FER2013_IMAGES.values())
    yield Finding(
        "all images of FER2013 are there",
        "Table 2",
        str(images["fer2013"]),
        str(known),
        _verdict(images["fer2013"] == known),
    )


def _right() -> dict[tuple[str, str], int]:
    """Right answers of Table 10, by what was trained on and what was tested on."""
    return {
        (row["trained_on"], row["tested_on"]): round(row["accuracy"] * _tested(row["tested_on"]))
        for row in faces.accuracy().to_dict("records")
    }


def _tested(on: str) -> int:
    """Images of a test set of Table 10."""
    if on == "artificial":
        return int(faces.artificial().set_index(["part", "label"])["n"]["test", faces.TOTAL])
    return int(faces.evaluator().set_index(["corpus", "label"])["n"][on, faces.TOTAL])


def _whole_images() -> Iterator[Finding]:
    for row in faces.accuracy().to_dict("records"):
        n = _tested(row["tested_on"])
        totals = possible_means(row["accuracy"], n, 1, DIGITS)
        yield Finding(
            "accuracy is a share of whole images",
            f"Table 10, {row['trained_on']} on {row['tested_on']}",
            f"{row['accuracy']:.4f}",
            ", ".join(f"{total}/{n}" for total in totals) or "no number of right answers gives it",
            _verdict(bool(totals)),
        )


def _all_is_its_parts() -> Iterator[Finding]:
    right, n = _right(), _tested("all")
    printed = faces.accuracy().set_index(["trained_on", "tested_on"])["accuracy"]
    for trained_on in printed.index.unique("trained_on"):
        total = sum(right[trained_on, corpus] for corpus in faces.REAL)
        yield Finding(
            "accuracy on all is that of the three corpora together",
            f"Table 10, {trained_on}",
            f"{printed[trained_on, 'all']:.4f}",
            f"{total}/{n} = {total / n:.4f}",
            _verdict(total in possible_means(printed[trained_on, "all"], n, 1, DIGITS)),
        )


def _gains() -> Iterator[Finding]:
    right, n = _right(), _tested("all")
    total = {
        name: sum(right[name, corpus] for corpus in faces.REAL) for name in (*faces.REAL, "merged")
    }
    for corpus, printed in faces.GAINS.items():
        points = 100 * (total["merged"] - total[corpus]) / n
        relative = 100 * (total["merged"] / total[corpus] - 1)
        yield Finding(
            "gain by merging, in points, is that of the corpora's images",
            f"abstract, {corpus}",
            f"{printed:.2f}",
            f"({total['merged']} - {total[corpus]}) / {n} = {points:.2f}",
            # Of two rounded accuracies the difference may be a last digit off.
            _verdict(abs(points - printed) < 0.0151),
        )
        yield Finding(
            "gain by merging, in per cent, is relative to what was",
            f"abstract, {corpus}",
            f"{printed:.2f} %",
            f"{relative:.1f} %",
            _verdict(abs(relative - printed) < 0.1),
        )


def _diagonal() -> Iterator[Finding]:
    table = faces.accuracy().pivot(index="trained_on", columns="tested_on", values="accuracy")
    table = table.rename(columns={"all": "merged"})
    for name in table.index:
        for axis, line, of in (
            ("row", table.loc[name], "tested on"),
            ("column", table[name], "trained on"),
        ):
            best = line.idxmax()
            yield Finding(
                f"no other cell of its {axis} is above that of the same corpus",
                f"Table 10, {axis} {name}",
                f"{line[name]:.4f}",
                f"{of} {best}: {line[best]:.4f}",
                _verdict(best == name),
            )


def _specialists() -> Iterator[Finding]:
    """Whether merging beats giving each image to the network of its own corpus."""
    right, n = _right(), _tested("all")
    merged, own = (
        sum(right[name or corpus, corpus] for corpus in faces.REAL) for name in ("merged", "")
    )
    yield Finding(
        "merged is better than each corpus's own network on its images",
        "Table 10, all",
        f"{merged}/{n} = {merged / n:.4f}",
        f"{own}/{n} = {own / n:.4f}",
        _verdict(merged > own),
    )
    for corpus in faces.REAL:
        images = _tested(corpus)
        one, other = right["merged", corpus] / images, right[corpus, corpus] / images
        half = 1.96 * math.sqrt((one * (1 - one) + other * (1 - other)) / images)
        gap = one - other
        yield Finding(
            "merged is better than the corpus's own network by more than chance (two shares, 95 %)",
            f"Table 10, {corpus}",
            f"{one:.4f} against {other:.4f}",
            f"{right['merged', corpus] - right[corpus, corpus]:+d} images of {images}: "
            f"{100 * gap:+.1f} points, {100 * (gap - half):+.1f} to {100 * (gap + half):+.1f}",
            _verdict(gap > half),
        )


def _validation_of_merged() -> Iterator[Finding]:
    """Keras takes the first 20 % by file name; AffectNet's names come first."""
    left = _remaining()
    wanted = {label: n // 5 for label, n in left["merged"].items()}
    beyond = [label for label in faces.CLASSES if wanted[label] > left["affectnet"][label]]
    yield Finding(
        "merged's validation images come from all three corpora (first 20 % by file name)",
        "section IV.B and its code",
        f"{sum(wanted.values())} images",
        f"from other corpora than AffectNet: {', '.join(beyond) or 'none of any class'}",
        _verdict(bool(beyond)),
    )


def _code() -> Iterator[Finding]:
    for check, where, printed, against in faces.MERGING_CODE:
        yield Finding(check, where, printed, against, CONTRADICTION)
    cells = faces.evaluator().set_index(["corpus", "label"])["chosen"]
    chosen = int(cells["all", faces.TOTAL])
    yield Finding(
        "published attributes give the chosen images their places",
        "Table 4 and its files",
        str(chosen),
        f"{faces.ATTRIBUTES_FILL} at most",
        _verdict(chosen <= faces.ATTRIBUTES_FILL),
    )


def _parameters() -> Iterator[Finding]:
    known = faces.PARAMETERS
    total = known["trained"] + known["kept"]
    yield Finding(
        "trained and other parameters make the total",
        "Figure 1",
        f"{known['total']:.0f}",
        f"{total:.0f}",
        _verdict(total == known["total"]),
    )
    yield Finding(
        "the network's parameters are about those of Table I",
        "Table I, Figure 1",
        f"{known['table'] / 1e6:.0f} M",
        f"{known['total'] / 1e6:.2f} M",
        _verdict(round(known["total"] / 1e6) == known["table"] / 1e6),
    )
    fewer = 100 * (1 - known["total"] / known["cnn"])
    yield Finding(
        f"over {faces.FEWER} % fewer than the CNN",
        "abstract, Figure 1",
        f"over {faces.FEWER} %",
        f"{fewer:.0f} %",
        _verdict(fewer > faces.FEWER),
    )


ROUNDED = 0.005 + 1e-9
"""Half a unit of the last digit that S3 prints."""


def _harmonic() -> Iterator[Finding]:
    """F1 from the rounded precision and recall, as our copy reads and with misread digits right."""
    for words, corrected in (("as our copy reads", False), ("misread digits put right", True)):
        for row in faces.report(corrected=corrected).to_dict("records"):
            low, f1, high = (
                2 / (1 / (row["precision"] + by) + 1 / (row["recall"] + by))
                for by in (-ROUNDED, 0, ROUNDED)
            )
            yield Finding(
                f"F1 is the harmonic mean of precision and recall ({words})",
                f"Figure 4, {row['label']}",
                f"{row['f1']:.2f}",
                f"{f1:.3f}",
                _verdict(low - ROUNDED <= row["f1"] <= high + ROUNDED),
            )


def _report_totals() -> Iterator[Finding]:
    """Totals of the corrected report; of rounded figures each total is known to half a unit."""
    rows, totals = faces.report(), faces.REPORT_TOTALS
    weights: Any = rows["support"] / rows["support"].sum()
    shown = {"accuracy": (totals["accuracy"], float(rows["recall"] @ weights))}
    for k, name in enumerate(("precision", "recall", "f1")):
        shown[f"macro {name}"] = totals["macro avg"][k], float(rows[name].mean())
        shown[f"weighted {name}"] = totals["weighted avg"][k], float(rows[name] @ weights)
    for name, (printed, computed) in shown.items():
        yield Finding(
            "totals follow from the classes (misread digits put right)",
            f"Figure 4, {name}",
            f"{printed:.2f}",
            f"{computed:.3f}",
            _verdict(abs(printed - computed) <= 2 * ROUNDED),
        )
    n = int(rows["support"].sum())
    yield Finding(
        "classes add up to all images",
        "Figure 4, support",
        str(totals["images"]),
        str(n),
        _verdict(n == totals["images"]),
    )


def _accuracies() -> Iterator[Finding]:
    claimed, found = faces.VALIDATION["attention"], faces.REPORT_TOTALS["accuracy"]
    n = faces.REPORT_TOTALS["images"]
    half = 1.96 * math.sqrt(found * (1 - found) / n) + ROUNDED
    yield Finding(
        "the accuracy claimed holds on the test images (95 %)",
        "abstract, Figure 4",
        f"{claimed:.2f}",
        f"{found:.2f} of {n}: {found - half:.3f} to {found + half:.3f}",
        _verdict(abs(claimed - found) <= half),
    )
    yield Finding(
        "the CNN has one accuracy on FER2013",
        "section IV.H",
        f"{faces.VALIDATION['cnn']:.2f}",
        f"{faces.ELSEWHERE_IN_TEXT:.4f}",
        _verdict(faces.VALIDATION["cnn"] == faces.ELSEWHERE_IN_TEXT),
    )
    best = max((row for row in faces.ELSEWHERE if row[0] == "FER2013"), key=lambda row: row[2])
    yield Finding(
        "it outperforms what there is",
        "section V.N",
        f"{claimed:.2f}",
        f"{best[1]}: {best[2]:.4f}",
        _verdict(claimed > best[2]),
    )


def _cnn_words() -> Iterator[Finding]:
    yield Finding(
        "the accuracy of the network is given",
        "abstract, section 4",
        "promising accuracy",
        "no number",
        MISSING,
    )
    for check, where, printed, against in faces.CNN_WORDS:
        yield Finding(check, where, printed, against, CONTRADICTION)
