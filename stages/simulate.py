"""A simulated cohort: raw recordings of people who do not exist, with a planted truth."""

from __future__ import annotations

from eifer.cohort.simulation.cohort import simulate_cohort
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.catalogue import LATENT, SIMULATE, SIMULATED, TRUTH


@stage(SIMULATE, params=("study.seed", "simulate"))
def simulate(run: Run) -> Outcome:
    """Write the cohort, and what was planted in it."""
    spec = run.params.simulate.planted
    simulated = simulate_cohort(
        run.out(SIMULATED), spec, seed=run.seed(), workers=run.machine.workers
    )
    people = sum(spec.participants_per_wave)
    return Outcome(
        {SIMULATED: None, TRUTH: simulated.truth, LATENT: simulated.latent},
        Report(
            f"""The cohort was simulated: {people} participants in {len(spec.participants_per_wave)}
            recruitment waves, with drawn faces ({spec.video.seconds:g} s per video at
            {spec.video.fps} frames per second) and a computed ECG of {spec.ecg.seconds:g} s per
            video [@mcsharry2003]. Emotional intelligence shifted expression, ratings and heart
            rate variability by a planted effect of size {spec.effect:g} (0: no effect).""",
            {"participants": people, "effect": spec.effect},
        ),
    )


if __name__ == "__main__":
    simulate.main()
