"""Faces with known arousal and valence, which play AffectNet's part."""

from __future__ import annotations

from eifer.cohort.simulation.corpus import simulate_corpus
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.catalogue import CORPUS, FACES


@stage(CORPUS, params=("study.seed", "corpus"))
def corpus(run: Run) -> Outcome:
    """Draw portraits of people who are not in the cohort."""
    wanted = run.params.corpus.drawn
    images = simulate_corpus(wanted, seed=run.seed(), workers=run.machine.workers)
    return Outcome(
        {FACES: images},
        Report(
            f"""A corpus of faces was drawn to train the affect network: {len(images)} portraits of
            {wanted.identities} identities that are not in the cohort, with known arousal and
            valence.""",
            {"images": len(images), "identities": wanted.identities},
        ),
    )


if __name__ == "__main__":
    corpus.main()
