"""Drawn corpora in which wrong labels, copies and people are known."""

from __future__ import annotations

import pandas as pd

from eifer.corpora.drawn import draw_corpus
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.expressions import catalogue


@stage(catalogue.DRAW, params=("study.seed", "draw"))
def draw(run: Run) -> Outcome:
    """Draw every corpus into a folder of its own; the truth lies apart."""
    planted = run.params.draw.planted
    truths, sizes = [], {}
    for name in planted.corpora:
        images, truth = draw_corpus(name, planted, seed=run.seed(), workers=run.machine.workers)
        folder = run.out(catalogue.DRAWN) / name
        folder.mkdir(parents=True)
        images.to_parquet(folder / "images.parquet", index=False)
        truths.append(truth)
        sizes[name] = len(images)
    known = pd.concat(truths, ignore_index=True)
    wrong = int((known["label"] != known["given"]).sum())
    copies = int(known["copy_of"].notna().sum())
    return Outcome(
        {catalogue.DRAWN: None, catalogue.PLANTED: known},
        Report(
            f"""{len(sizes)} corpora of faces were drawn ({_listed(sizes)}), which differ in size,
            colour, light and style. Labels of some images were made wrong, and some images are
            copies of others.""",
            {"images": sizes, "wrong": wrong, "copies": copies},
            f"""Of {len(known)} drawn images {wrong} have a wrong label, and {copies} are
            copies.""",
        ),
    )


def _listed(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name}: {n} images" for name, n in sizes.items())


if __name__ == "__main__":
    draw.main()
