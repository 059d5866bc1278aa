"""The evaluator: images balanced over class, gender, age and ethnicity."""

from __future__ import annotations

from eifer.corpora.drawn import draw_fill_ins
from eifer.corpora.evaluator import choose, fill_ins, filled
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.expressions import catalogue


@stage(
    catalogue.EVALUATOR,
    params=("study.seed", "evaluator"),
    given=(catalogue.DESCRIBED, catalogue.ATOMS),
)
def evaluator(run: Run) -> Outcome:
    """Choose images of every cell, and draw faces for cells that stay empty."""
    wanted, seed = run.params.evaluator, run.seed()
    images, atoms = run.read(catalogue.DESCRIBED), run.read(catalogue.ATOMS)
    chosen, shortfall = choose(images, atoms, wanted.size, seed)
    lacking = fill_ins(shortfall, seed)
    faces = draw_fill_ins(lacking, wanted.fill_ins, seed=seed, workers=run.machine.workers)
    chosen, shortfall = filled(chosen, shortfall, lacking)
    counts = chosen[~chosen["drawn"]].groupby("corpus").size()
    listed = ", ".join(f"{name} {n}" for name, n in counts.items())
    drawn = int(chosen["drawn"].sum())
    there, real = (
        set(rows[["corpus", "label"]].itertuples(index=False, name=None))
        for rows in (images, chosen[~chosen["drawn"]])
    )
    none = [f"{corpus}, {label}" for corpus, label in sorted(there - real)]
    return Outcome(
        {
            catalogue.EVALUATED: chosen,
            catalogue.SHORTFALL: shortfall,
            catalogue.FILL_INS: faces,
        },
        Report(
            f"""For the evaluator {wanted.size.per_cell} images of every cell of gender, age,
            ethnicity, class and corpus were drawn by lot, at most
            {wanted.size.most_of_class:.0%} of a corpus's class. What a corpus does not know makes
            one cell. Cells that stayed short were filled by drawn faces of known class, gender, age
            and tone of skin, which count only where it is said.""",
            {"images": counts.to_dict(), "drawn": drawn},
            f"""The evaluator holds {len(chosen) - drawn} images of the corpora ({listed}) and
            {drawn} drawn faces; {len(shortfall)} cells were short of images."""
            + (f" Of these classes it has no image of the corpus: {'; '.join(none)}." * bool(none)),
        ),
    )


if __name__ == "__main__":
    evaluator.main()
