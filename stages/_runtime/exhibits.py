"""What the report can show: every figure and table, by the name that reports/spec.yml uses.

Named one by one, so that the imports of the report stage, and with them its
dependencies, can be seen.
"""

from __future__ import annotations

from eifer.figures import (
    affect_plane,
    contrasts,
    cutoff_scan,
    ei_scores,
    frames_by_reason,
    hrv_interaction,
    learning_curves,
    model_scores,
    null_rates,
    participant_differences,
    permutation,
    power_curve,
    recovery,
)
from eifer.summaries import (
    by_participant,
    calibration,
    card,
    checks,
    companions,
    comparisons,
    delong_tests,
    disjointness,
    ecg,
    effect_found,
    error_rates,
    every_check,
    everything_left_out,
    flow,
    groups,
    hrv_tests,
    left_out,
    participant_deltas,
    partitions,
    ratings,
    recovered,
    repetitions,
    scores,
    shortfall,
    smallest_effects,
    source_tables,
    warnings,
)

FIGURES = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        affect_plane,
        contrasts,
        cutoff_scan,
        ei_scores,
        frames_by_reason,
        hrv_interaction,
        learning_curves,
        model_scores,
        null_rates,
        participant_differences,
        permutation,
        power_curve,
        recovery,
    )
}
"""Each has ``draw(*sources)``, which returns a Figure, and ``caption(*sources)``."""

TABLES = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        by_participant,
        calibration,
        card,
        checks,
        companions,
        comparisons,
        delong_tests,
        disjointness,
        ecg,
        effect_found,
        error_rates,
        every_check,
        everything_left_out,
        flow,
        groups,
        hrv_tests,
        left_out,
        participant_deltas,
        partitions,
        ratings,
        recovered,
        repetitions,
        scores,
        shortfall,
        smallest_effects,
        source_tables,
        warnings,
    )
}
"""Each has ``table(*sources)``, which returns a DataFrame, and ``caption(*sources)``."""
