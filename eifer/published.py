"""The source's own figures, to be set beside ours: facts with their place, and nothing computed.

Kim et al., Biomimetics 2026, 11(3):174, doi:10.3390/biomimetics11030174. They come from a cohort
of 44 people that is not public; a study of other people is not expected to repeat them. Columns are
named as in `eifer.tables.evaluation.SUMMARY` and `eifer.tables.comparison.COMPARISON`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from eifer.vocabulary import Condition, Dimension, Group

CONDITION_ITEMS = 96
"""Frames in the unambiguous and in the ambiguous condition (section 3.2.2)."""
REPETITIONS = 5
"""Of every training (section 3.4)."""

METRICS = ("macro_f1", "accuracy", "roc_auc", "pr_auc")
_TABLE = {"macro_f1": "Table 2", "accuracy": "Table 2", "roc_auc": "Table 3", "pr_auc": "Table 3"}

# Mean and SD over 5 repetitions (section 4.2, Tables 2 and 3): a line a metric in the order of
# METRICS, in it High, Low, Total.
_AROUSAL, _VALENCE = Dimension
_PERFORMANCE = {
    (_AROUSAL, Condition.BASELINE): (
        ((0.9105, 0.0237), (0.8914, 0.0291), (0.8931, 0.0397)),
        ((0.9118, 0.0229), (0.8940, 0.0263), (0.8954, 0.0366)),
        ((0.9787, 0.0108), (0.9719, 0.0108), (0.9702, 0.0200)),
        ((0.9843, 0.0076), (0.9788, 0.0082), (0.9783, 0.0143)),
    ),
    (_VALENCE, Condition.BASELINE): (
        ((0.9358, 0.0078), (0.9283, 0.0300), (0.9367, 0.0322)),
        ((0.9361, 0.0078), (0.9286, 0.0302), (0.9369, 0.0323)),
        ((0.9963, 0.0037), (0.9958, 0.0044), (0.9969, 0.0056)),
        ((0.9954, 0.0045), (0.9948, 0.0054), (0.9963, 0.0065)),
    ),
    (_AROUSAL, Condition.UNAMBIGUOUS): (
        ((0.9518, 0.0203), (0.9539, 0.0174), (0.9318, 0.0435)),
        ((0.9521, 0.0203), (0.9542, 0.0174), (0.9333, 0.0407)),
        ((0.9989, 0.0019), (0.9983, 0.0019), (0.9968, 0.0064)),
        ((0.9992, 0.0013), (0.9988, 0.0014), (0.9978, 0.0043)),
    ),
    (_VALENCE, Condition.UNAMBIGUOUS): (
        ((0.9518, 0.0203), (0.9539, 0.0281), (0.9540, 0.0300)),
        ((0.9521, 0.0203), (0.9542, 0.0281), (0.9542, 0.0300)),
        ((0.9992, 0.0007), (0.9994, 0.0006), (0.9993, 0.0013)),
        ((0.9990, 0.0008), (0.9992, 0.0007), (0.9992, 0.0015)),
    ),
    (_AROUSAL, Condition.AMBIGUOUS): (
        ((0.8745, 0.0379), (0.8562, 0.0521), (0.8621, 0.0444)),
        ((0.8771, 0.0349), (0.8604, 0.0469), (0.8646, 0.0417)),
        ((0.9621, 0.0199), (0.9525, 0.0193), (0.9480, 0.0331)),
        ((0.9725, 0.0151), (0.9650, 0.0143), (0.9637, 0.0224)),
    ),
    (_VALENCE, Condition.AMBIGUOUS): (
        ((0.9184, 0.0137), (0.9101, 0.0379), (0.9186, 0.0431)),
        ((0.9188, 0.0136), (0.9104, 0.0380), (0.9188, 0.0432)),
        ((0.9913, 0.0070), (0.9906, 0.0086), (0.9925, 0.0094)),
        ((0.9896, 0.0082), (0.9890, 0.0100), (0.9915, 0.0102)),
    ),
}

# Section 4.3, Table 4: for DeLong the pooled difference, its interval and Fisher's q, for the GEE
# the odds ratio, its interval and q. None where the text gives no figure; the last of each says
# whether the text calls it significant after correction.
_HIGH_LOW, _HIGH_TOTAL = f"{Group.HIGH}-{Group.LOW}", f"{Group.HIGH}-{Group.TOTAL}"
_UNGIVEN = (None, None, None)
_NOT = (*_UNGIVEN, "not significant", False)
_CONTRASTS = {
    (_AROUSAL, Condition.BASELINE, _HIGH_LOW): (
        (0.0005, -0.0010, 0.0020, "< 0.001", True),
        (0.8151, 0.7669, 0.8663, "< 0.001", True),
    ),
    (_AROUSAL, Condition.BASELINE, _HIGH_TOTAL): (
        (-0.0015, -0.0025, -0.0005, "< 0.001", True),
        (0.8271, 0.7818, 0.8751, "< 0.001", True),
    ),
    (_VALENCE, Condition.BASELINE, _HIGH_LOW): (
        (-0.0012, -0.0014, -0.0009, "< 0.001", True),
        (0.8872, 0.8292, 0.9493, "0.002", True),
    ),
    (_VALENCE, Condition.BASELINE, _HIGH_TOTAL): (_NOT, _NOT),
    (_AROUSAL, Condition.UNAMBIGUOUS, _HIGH_LOW): (_NOT, _NOT),
    (_AROUSAL, Condition.UNAMBIGUOUS, _HIGH_TOTAL): (_NOT, _NOT),
    (_VALENCE, Condition.UNAMBIGUOUS, _HIGH_LOW): (_NOT, _NOT),
    (_VALENCE, Condition.UNAMBIGUOUS, _HIGH_TOTAL): (_NOT, _NOT),
    # Of these two the text says that the pooled interval holds 0, without its ends.
    (_AROUSAL, Condition.AMBIGUOUS, _HIGH_LOW): ((*_UNGIVEN, "< 0.001", True), _NOT),
    (_AROUSAL, Condition.AMBIGUOUS, _HIGH_TOTAL): ((*_UNGIVEN, "< 0.001", True), _NOT),
    # The text names neither contrast; it says of the GEE that none is significant.
    (_VALENCE, Condition.AMBIGUOUS, _HIGH_LOW): ((*_UNGIVEN, None, None), _NOT),
    (_VALENCE, Condition.AMBIGUOUS, _HIGH_TOTAL): ((*_UNGIVEN, None, None), _NOT),
}

# Section 4.4, Tables 5 and 6, as far as the text gives them, in the same forms: other backbones on
# the baseline frames.
NETWORKS = _RESNET50, _VGG16 = "resnet50", "vgg16"
"""The other backbones of section 4.4."""
_EXTERNAL_PERFORMANCE: dict[Any, tuple[Any, ...]] = {
    (_RESNET50, _AROUSAL): (
        ((0.4577, 0.0787), (0.4918, 0.0323), (0.4723, 0.0200)),
        ((0.4715, 0.0826), (0.5094, 0.0386), (0.4910, 0.0319)),
        ((0.4686, 0.0999), (0.5199, 0.0351), (0.4868, 0.0395)),
        ((0.5694, 0.0481), (0.5991, 0.0335), (0.5787, 0.0372)),
    ),
    (_RESNET50, _VALENCE): (
        ((0.6812, 0.0508), (0.6595, 0.0389)),
        ((0.6936, 0.0385), (0.6721, 0.0325)),
        ((0.7635, 0.0288), (0.7402, 0.0350)),
        ((0.6585, 0.0428), (0.6449, 0.0331)),
    ),
}
_EXTERNAL_CONTRASTS: dict[Any, tuple[Any, Any]] = {
    (_RESNET50, _AROUSAL, _HIGH_LOW): (
        (-0.0107, -0.0170, -0.0045, "< 0.001", True),
        (1.1642, 1.1155, 1.2149, "< 0.001", True),
    ),
    (_RESNET50, _AROUSAL, _HIGH_TOTAL): (
        (0.0067, 0.0018, 0.0116, "< 0.001", True),
        (1.0815, 1.0452, 1.1190, "< 0.001", True),
    ),
    (_RESNET50, _VALENCE, _HIGH_LOW): (
        (0.0043, -0.0003, 0.0088, "< 0.001", True),
        (0.9053, 0.8663, 0.9460, "< 0.001", True),
    ),
    (_RESNET50, _VALENCE, _HIGH_TOTAL): (
        (0.0141, 0.0104, 0.0178, "< 0.001", True),
        (*_UNGIVEN, "0.290", False),
    ),
    (_VGG16, _AROUSAL, _HIGH_LOW): (
        (0.0059, 0.0021, 0.0097, "< 0.001", True),
        (0.8915, 0.8593, 0.9248, "< 0.001", True),
    ),
}


def sources() -> dict[str, pd.DataFrame | None]:
    """All of it, by the names that the report has for it."""
    return {
        "published_scores": performance(),
        "published_contrasts": contrasts(),
        "external_published_scores": external_performance(),
        "external_published_contrasts": external_contrasts(),
    }


def performance() -> pd.DataFrame:
    """Tables 2 and 3 as far as the text gives them.

    Returns
    -------
    DataFrame
        ``place, task, condition, training_group, metric, mean, sd``: a row per model and metric;
        mean and SD over 5 repetitions, rounded as printed.
    """
    return pd.DataFrame(
        {"place": f"{_TABLE[row['metric']]}, section 4.2", **row}
        for (task, condition), lines in _PERFORMANCE.items()
        for row in _of_groups({"task": str(task), "condition": str(condition)}, lines)
    )


def external_performance() -> pd.DataFrame:
    """Table 5 as far as the text gives it: as `performance`, with ``network`` before ``task``."""
    baseline = {"condition": str(Condition.BASELINE)}
    return pd.DataFrame(
        {"place": "Table 5, section 4.4", **row}
        for (network, task), lines in _EXTERNAL_PERFORMANCE.items()
        for row in _of_groups({"network": network, "task": str(task), **baseline}, lines)
    )


def _of_groups(place: dict[str, str], lines: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    for metric, line in zip(METRICS, lines, strict=True):
        for group, (mean, sd) in zip(Group, line, strict=False):
            yield {
                **place,
                "training_group": str(group),
                "metric": metric,
                "mean": mean,
                "sd": sd,
            }


def contrasts() -> pd.DataFrame:
    """Table 4 as far as the text gives it.

    Returns
    -------
    DataFrame
        ``place, task, condition, contrast, pooled_delta, pooled_ci_low, pooled_ci_high, fisher_q,
        fisher_significant, gee_odds_ratio, gee_ci_low, gee_ci_high, gee_q, gee_significant``. The
        q are texts as printed; a number or word that the text does not give is missing.
    """
    places = (("Table 4, section 4.3", *place) for place in _CONTRASTS)
    names = ["place", "task", "condition", "contrast"]
    return _contrasted(pd.DataFrame(places, columns=names), _CONTRASTS.values())


def external_contrasts() -> pd.DataFrame:
    """Table 6 as far as the text gives it: as `contrasts`, with ``network`` before ``task``."""
    places = (
        ("Table 6, section 4.4", network, task, Condition.BASELINE, pair)
        for network, task, pair in _EXTERNAL_CONTRASTS
    )
    names = ["place", "network", "task", "condition", "contrast"]
    return _contrasted(pd.DataFrame(places, columns=names), _EXTERNAL_CONTRASTS.values())


def _contrasted(places: pd.DataFrame, figures: Iterable[tuple[Any, Any]]) -> pd.DataFrame:
    ranks = ["pooled_delta", "pooled_ci_low", "pooled_ci_high", "fisher_q", "fisher_significant"]
    odds = ["gee_odds_ratio", "gee_ci_low", "gee_ci_high", "gee_q", "gee_significant"]
    rows = pd.DataFrame(((*rank, *odd) for rank, odd in figures), columns=ranks + odds)
    numbers = dict.fromkeys(ranks[:3] + odds[:3], "float64")
    words = dict.fromkeys([ranks[3], odds[3]], "str")
    significant = dict.fromkeys([ranks[4], odds[4]], "boolean")
    return places.astype("str").join(rows.astype({**numbers, **words, **significant}))
