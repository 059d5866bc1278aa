"""Comparing models and people: the published procedure, and inference that holds its error rate.

Arrays or tables in, small frozen dataclasses out. Every result says whether it is ``estimable``
and, where it is not, the ``reason``; its numbers are then NaN, never a guess. Analysts call these
names from notebooks of their own: a function that no stage uses still stays.
"""

from eifer.statistics.delong import DeLong, delong
from eifer.statistics.gee import GeeOddsRatios, gee_odds_ratios
from eifer.statistics.multiplicity import benjamini_hochberg, holm
from eifer.statistics.participants import (
    JackknifeDeltas,
    ParticipantDeltas,
    jackknife_deltas,
    participant_deltas,
)
from eifer.statistics.pooling import (
    Combined,
    Pooled,
    cauchy,
    fisher,
    pool_fixed,
    pool_random,
    stouffer,
)
from eifer.statistics.power import power_paired
from eifer.statistics.robustness import (
    ClusterBootstrap,
    Equivalence,
    PairedT,
    SignFlip,
    cluster_bootstrap,
    sign_flip,
    t_paired,
    tost_paired,
)

__all__ = [
    "ClusterBootstrap",
    "Combined",
    "DeLong",
    "Equivalence",
    "GeeOddsRatios",
    "JackknifeDeltas",
    "PairedT",
    "ParticipantDeltas",
    "Pooled",
    "SignFlip",
    "benjamini_hochberg",
    "cauchy",
    "cluster_bootstrap",
    "delong",
    "fisher",
    "gee_odds_ratios",
    "holm",
    "jackknife_deltas",
    "participant_deltas",
    "pool_fixed",
    "pool_random",
    "power_paired",
    "sign_flip",
    "stouffer",
    "t_paired",
    "tost_paired",
]
