"""The source's own figures, to be set beside ours: facts with their place, and nothing computed.

Kim et al., Biomimetics 2026, 11(3):174. They come from a cohort of 44 people that is not public;
a study of other people is not expected to repeat them. Columns are named as in
`eifer.tables.evaluation.SUMMARY` and `eifer.tables.comparison.COMPARISON`.
"""

from __future__ import annotations

import pandas as pd

from eifer.vocabulary import Condition, Dimension, Group

SOURCE = "Kim et al., Biomimetics 2026, 11(3):174"
DOI = "10.3390/biomimetics11030174"

CUTOFF = 830
"""The EI cutoff (section 4.1): High above it, Low at or below it."""
PARTICIPANTS = 44
"""After 2 of 46 were excluded (section 2)."""
TEST_PARTICIPANTS = 4
"""2 High and 2 Low (section 3.2.2)."""
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


def performance() -> pd.DataFrame:
    """Tables 2 and 3 as far as the text gives them.

    Returns
    -------
    DataFrame
        ``place, task, condition, training_group, metric, mean, sd``: a row per model and metric;
        mean and SD over 5 repetitions, rounded as printed.
    """
    rows = [
        {
            "place": f"{_TABLE[metric]}, section 4.2",
            "task": str(task),
            "condition": str(condition),
            "training_group": str(group),
            "metric": metric,
            "mean": mean,
            "sd": sd,
        }
        for (task, condition), lines in _PERFORMANCE.items()
        for metric, line in zip(METRICS, lines, strict=True)
        for group, (mean, sd) in zip(Group, line, strict=True)
    ]
    return pd.DataFrame(rows)


def contrasts() -> pd.DataFrame:
    """Table 4 as far as the text gives it.

    Returns
    -------
    DataFrame
        ``place, task, condition, contrast, pooled_delta, pooled_ci_low, pooled_ci_high, fisher_q,
        fisher_significant, gee_odds_ratio, gee_ci_low, gee_ci_high, gee_q, gee_significant``. The
        q are texts as printed; a number or word that the text does not give is missing.
    """
    names = {
        "pooled": ("pooled_delta", "pooled_ci_low", "pooled_ci_high", "fisher_q"),
        "gee": ("gee_odds_ratio", "gee_ci_low", "gee_ci_high", "gee_q"),
    }
    rows = [
        {
            "place": "Table 4, section 4.3",
            "task": str(task),
            "condition": str(condition),
            "contrast": contrast,
            **dict(zip((*names["pooled"], "fisher_significant"), ranks, strict=True)),
            **dict(zip((*names["gee"], "gee_significant"), odds, strict=True)),
        }
        for (task, condition, contrast), (ranks, odds) in _CONTRASTS.items()
    ]
    numbers = [name for part in names.values() for name in part[:3]]
    words = [part[3] for part in names.values()]
    kinds = {**dict.fromkeys(numbers, "float64"), **dict.fromkeys(words, "str")}
    return pd.DataFrame(rows).astype(
        {**kinds, "fisher_significant": "boolean", "gee_significant": "boolean"}
    )
