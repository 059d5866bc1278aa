"""What cohorts of each size could have found: power by the true difference."""

from __future__ import annotations

import pandas as pd

from eifer.tables.calibration import DESIGN, NAMES, people


def table(power: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One row a design and test: the smallest true difference found as often as wanted."""
    rows = []
    for (*design, test), part in power.groupby([*DESIGN, "test"], sort=True):
        tried = part.sort_values("true_effect")
        detected, last = tried[tried["found"]], tried.iloc[-1]
        best = detected.iloc[0] if len(detected) else last
        smallest = f"{best['true_effect']:g}" if len(detected) else f"above {last['true_effect']:g}"
        rows.append(
            {
                **dict(zip(DESIGN, design, strict=True)),
                "test": NAMES[str(test)],
                "smallest": smallest,
                **{name: 100 * best[name] for name in ("rate", "ci_low", "ci_high")},
            }
        )
    made = pd.DataFrame(rows)
    return made.assign(people=people(made)), (
        f"The smallest of {power['true_effect'].nunique()} true differences in ROC-AUC that is "
        f"found in {100 * power['wanted'].iloc[0]:g} % of cohorts, with the share in which it is; "
        "where none is, the share of the largest tried. "
        f"{power['n_simulations'].max()} cohorts of each."
    )
