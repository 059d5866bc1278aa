"""The cohort validated: who takes part, what they answered, each recording's label and hash."""

from __future__ import annotations

from eifer.cohort.layout import Cohort
from eifer.validation import ValidationSpec, cut_videos, short_face_videos, validate
from eifer.vocabulary import LabelSource
from stages import catalogue
from stages._runtime.stage import Outcome, Report, Run, stage


@stage(
    catalogue.INTAKE,
    params=("study.cohort", "study.waves", "study.exclude", "extract", "stratify.ecg", "intake"),
    given=(catalogue.COHORT,),
)
def intake(run: Run) -> Outcome:
    """Check everything, and hand each wave its own table of videos."""
    cohort = validate(
        run.path(catalogue.COHORT),
        waves=run.params.study.waves,
        exclude=run.params.study.exclude,
        faces=run.params.extract,
        ecg=run.params.stratify.ecg,
        spec=run.params.intake,
        each=run.each,
    )
    waves = [(f"wave-{wave}", rows) for wave, rows in cohort.videos.groupby("wave")]
    return Outcome(
        {
            catalogue.PARTICIPANTS: cohort.participants,
            catalogue.EI_ITEMS: cohort.ei_items,
            catalogue.VIDEOS: waves,
            catalogue.INTAKE_ATTRITION: cohort.attrition,
        },
        _report(cohort, run.params.intake),
    )


def _report(cohort: Cohort, spec: ValidationSpec) -> Report:
    people, videos = cohort.participants, cohort.videos
    weak = sum(
        int((videos[f"{task}_label_source"] == LabelSource.STIMULUS).sum())
        for task in ("arousal", "valence")
    )
    numbers = {
        "recruited": len(people),
        "included": int(people["excluded"].isna().sum()),
        "videos": int(videos["video_path"].notna().sum()),
        "ecgs": int(videos["ecg_path"].notna().sum()),
        "weak_labels": weak,
        "labels": 2 * len(videos),
        "short_videos": short_face_videos(videos, spec),
        "cut_videos": len(cut_videos(videos)),
    }
    cut = f"""Face videos whose files end before the length that they declare:
        {numbers["cut_videos"]}; they were used as far as they go."""
    return Report(
        """Each video was labelled by its participant's own ratings of arousal and valence: 1 to 3
        is low, 5 to 7 is high. A video with a neutral rating (4) took the label of its
        stimulus.""",
        numbers,
        f"""{numbers["included"]} of {numbers["recruited"]} participants were included, with
        {numbers["videos"]} face videos and {numbers["ecgs"]} ECG recordings. {weak} of
        {2 * len(videos)} labels came from the stimulus. {numbers["short_videos"]} face videos
        lasted less than {spec.least_filmed_share:.0%} of their film.
        {cut * (numbers["cut_videos"] > 0)}""",
    )


if __name__ == "__main__":
    intake.main()
