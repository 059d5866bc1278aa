"""The report: what was asked, what was done, what was found, and what it can carry."""

from __future__ import annotations

from eifer import paper_consistency, published
from eifer.tables.affect import ESTIMATES
from eifer.tables.calibration import CALIBRATION, POWER
from eifer.tables.cohort import PARTICIPANTS, VIDEOS
from eifer.tables.comparison import BY_PARTICIPANT, COMPARISON, DELONG, PARTICIPANT_DELTAS
from eifer.tables.ei import CUTOFF_SCAN, CUTOFF_TESTS, EI_SCORES
from eifer.tables.evaluation import METRICS, SUMMARY
from eifer.tables.faces import COUNTS, FRAMES
from eifer.tables.partitions import CONDITIONS, PARTITIONS, SAMPLES
from eifer.tables.physiology import ECG_QUALITY, HRV
from eifer.tables.selection import SELECTION, SHORTFALL
from eifer.tables.training import CURVES, REPETITIONS
from eifer.vocabulary import Dimension, Group
from stages._runtime.stage import Given, Made, Outcome, Report, Run, stage

SPEC, TEMPLATE, STYLE = (Given(f"reports/{n}") for n in ("spec.yml", "template.html", "style.css"))
COHORT, FACES = Given("${report.cohort_from}"), Given("${report.faces_from}")
WAVE, BLOCK = "wave-${study.waves}", "block-${training.blocks}"
SIDES = [f"task-{task}_group-{group}" for task in Dimension for group in (Group.HIGH, Group.LOW)]
FIRST = [f"data/pretrain_ei/{side}_{BLOCK}" for side in SIDES]
SECOND = [f"data/fine_tune_total/{side}_{BLOCK}" for side in SIDES]
SECOND += [f"data/train_total/task-{task}_{BLOCK}" for task in Dimension]
FOLDERS = [
    COHORT,
    *(Given(f"data/{name}") for name in ("intake", "stratify", f"extract/{WAVE}")),
    FACES,
    *(Given(f"data/{name}") for name in ("affect", f"estimate/{WAVE}", f"select/{WAVE}", "split")),
    *(Given(folder) for folder in (*FIRST, *SECOND)),
    *(Given(f"data/{name}") for name in ("evaluate", "stats", "calibrate")),
]
SHOWN = [
    Given("data/intake/participants.parquet", PARTICIPANTS),
    Given(f"data/intake/videos/{WAVE}.parquet", VIDEOS),
    Given("data/stratify/groups.parquet", EI_SCORES),
    Given("data/stratify/hrv.parquet", HRV),
    Given("data/stratify/ecg_quality.parquet", ECG_QUALITY),
    Given("data/stratify/cutoff_scan.parquet", CUTOFF_SCAN),
    Given("data/stratify/cutoff_tests.parquet", CUTOFF_TESTS),
    Given("data/stratify/cutoff.json"),
    Given(f"data/extract/{WAVE}/counts.parquet", COUNTS),
    Given(f"data/extract/{WAVE}/frames.parquet", FRAMES),
    Given("data/affect/card.json"),
    Given(f"data/estimate/{WAVE}/estimates.parquet", ESTIMATES),
    Given(f"data/select/{WAVE}/selection.parquet", SELECTION),
    Given(f"data/select/{WAVE}/shortfall.parquet", SHORTFALL),
    Given("data/split/partitions.parquet", PARTITIONS),
    Given("data/split/samples.parquet", SAMPLES),
    Given("data/split/conditions.parquet", CONDITIONS),
    Given("data/split/disjointness.json"),
    *(Given(f"{folder}/repetitions.parquet", REPETITIONS) for folder in (*FIRST, *SECOND)),
    *(Given(f"{folder}/curves.parquet", CURVES) for folder in SECOND),
    Given("data/evaluate/metrics.parquet", METRICS),
    Given("data/evaluate/summary.parquet", SUMMARY),
    Given("data/stats/participant_deltas.parquet", PARTICIPANT_DELTAS),
    Given("data/stats/by_participant.parquet", BY_PARTICIPANT),
    Given("data/stats/delong.parquet", DELONG),
    Given("data/stats/comparison.parquet", COMPARISON),
    Given("data/calibrate/calibration.parquet", CALIBRATION),
    Given("data/calibrate/power.parquet", POWER),
]
FIRST_CURVES = [Given(f"{folder}/curves.parquet", CURVES) for folder in FIRST]
ONLY = {FRAMES.name: ["video_id", "frame", "status"]}
PAGE, FIGURES, TABLES = Made("index.html"), Made("figures"), Made("tables")


@stage(
    params=("study.name", "study.waves", "training.blocks", "report"),
    given=(SPEC, TEMPLATE, STYLE, *FOLDERS, *SHOWN, *FIRST_CURVES),
    made=(PAGE, FIGURES, TABLES),
)
def report(run: Run) -> Outcome:
    """Read what every stage left, and assemble the page as reports/spec.yml says."""
    # Here, so that `--help` and errors in params need not wait for matplotlib.
    from eifer.report.assembly import Assembly
    from eifer.report.fragments import gather, planted

    found = gather([folder for given in FOLDERS for folder in run.paths(given)])
    sources = {
        **run.sources(SHOWN, ONLY),
        **planted(run.path(COHORT)),
        "first_curves": run.sources(FIRST_CURVES)[CURVES.name],
        "checks": found.checks,
        "attrition": found.attrition,
        "published_scores": published.performance(),
        "published_contrasts": published.contrasts(),
        "consistency": paper_consistency.checks(),
    }
    page = Assembly(run.path(SPEC), sources, found, run.folder).page(
        run.path(TEMPLATE),
        run.path(STYLE),
        {
            "study": run.params.study.name,
            "simulated": sources["truth"] is not None,
            "drawn_faces": any(told["stage"] == "corpus" for told in found.reports),
        },
    )
    run.out(PAGE).write_text(page, encoding="utf-8")
    numbers = {"checks": len(found.checks), "failed": int((~found.checks["success"]).sum())}
    text = f"The report shows what {found.checks['stage'].nunique()} stages left."
    return Outcome({PAGE: None, FIGURES: None, TABLES: None}, Report(text, numbers))


if __name__ == "__main__":
    report.main()
