"""The chosen cutoff's count beside those that permuted EI scores reach: the price of the scan."""

from __future__ import annotations

from collections import Counter
from typing import Any

from matplotlib.figure import Figure

from eifer.figures.style import ACCENT, MUTED, canvas, whole_numbers


def draw(cutoff: dict[str, Any]) -> tuple[Figure, str]:
    """Share of permutations by their largest count, and the observed count."""
    maxima, observed = cutoff["permutation_maxima"], cutoff["n_significant"]
    figure, [[axes]] = canvas(2.4)
    counts = Counter(maxima)
    places = range(max([*maxima, observed]) + 1)
    bars = axes.bar(
        places,
        [100 * counts[k] / max(1, len(maxima)) for k in places],
        color=[ACCENT if k >= observed else MUTED for k in places],
    )
    axes.bar_label(bars, [str(counts[k]) if counts[k] else "" for k in places], fontsize=7.5)
    axes.axvline(
        observed - 0.5, color="black", linestyle=":", label=f"observed: {observed} or more"
    )
    axes.set_xlabel("largest number of significant HRV variables at any acceptable cutoff")
    axes.set_ylabel("permutations (%)")
    whole_numbers(axes.xaxis)
    axes.margins(y=0.15)
    axes.legend(loc="upper right")
    if not maxima:
        return figure, (
            "No permutations were asked for (stratify.cutoff.permutations: 0): how large a count "
            f"chance finds is not known, and the {observed} found here are no evidence."
        )
    reached = sum(m >= observed for m in maxima)
    return figure, (
        f"{len(maxima)} permutations of EI scores over participants, each scanned anew; numbers "
        f"on the bars count them. {reached} reach the observed count of {observed} or more: "
        f"p = (1 + {reached}) / (1 + {len(maxima)}) = {cutoff['permutation_p']:.3f}."
    )
