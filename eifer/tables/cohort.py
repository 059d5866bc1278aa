"""The cohort as read and checked: participants, stimuli, elicitation videos, EI items."""

from __future__ import annotations

import pandas as pd

from eifer.tables.schema import Column, Table, rule
from eifer.vocabulary import Dimension, Domain, EiIndex, LabelSource

DOMAINS = tuple(domain.value for domain in Domain)
INDICES = tuple(index.value for index in EiIndex)
SOURCES = tuple(source.value for source in LabelSource)
SEXES = ("F", "M", "n/a")
RUNS = (1, 2, 3, 4)
CATEGORIES = (1, 2, 3, 4)
STIMULI_PER_CATEGORY = 10
EI_ITEMS_PER_PARTICIPANT = len(INDICES) * len(CATEGORIES) * STIMULI_PER_CATEGORY
LOWEST_RATING, NEUTRAL_RATING, HIGHEST_RATING = 1, 4, 7
LONGEST_FILM_S = 86_400


@rule(
    "A participant without recordings has nothing that could be analysed.",
    "Add the recordings, or exclude the participant with a reason.",
)
def included_have_videos(table: pd.DataFrame, videos: pd.DataFrame) -> pd.DataFrame:
    """Every participant who is not excluded has at least one row in videos."""
    absent = ~table["participant_id"].isin(videos["participant_id"])
    return table[table["excluded"].isna() & absent]


@rule(
    "Without an EI score the participant belongs to no group.",
    "Add the participant's EI items, or exclude the participant with a reason.",
)
def included_have_ei_items(table: pd.DataFrame, ei_items: pd.DataFrame) -> pd.DataFrame:
    """Every participant who is not excluded has EI items."""
    absent = ~table["participant_id"].isin(ei_items["participant_id"])
    return table[table["excluded"].isna() & absent]


@rule(
    "Nobody is dropped silently: the reason is printed in the report.",
    "Write the reason in study.exclude of params.yaml.",
)
def exclusions_have_reasons(table: pd.DataFrame) -> pd.DataFrame:
    """An exclusion carries a reason in words."""
    return table[table["excluded"].notna() & (table["excluded"].str.strip() == "")]


@rule(
    "Rows of somebody unknown or excluded would enter the analysis without being counted.",
    "Add the participant to participants.tsv, or lift the exclusion in study.exclude.",
)
def of_included_participants(table: pd.DataFrame, participants: pd.DataFrame) -> pd.DataFrame:
    """Every row belongs to a participant of the participants table who is not excluded."""
    included = participants.loc[participants["excluded"].isna(), "participant_id"]
    return table[~table["participant_id"].isin(included)]


@rule(
    "Every later table finds a video's participant and files by this name.",
    "Build identifiers with eifer.vocabulary.video_id.",
)
def video_id_of_run(table: pd.DataFrame) -> pd.DataFrame:
    """video_id is the participant and the run."""
    return table[table["video_id"] != table["participant_id"] + "_run-" + table["run"].astype(str)]


@rule(
    "Every participant sees each domain once; a repeat is a mix-up of files.",
    "Correct the participant's task-elicitation_beh.tsv.",
)
def runs_distinct(table: pd.DataFrame) -> pd.DataFrame:
    """A participant's runs, stimuli and domains are each different."""
    runs = table.duplicated(["participant_id", "run"], keep=False)
    stimuli = table.duplicated(["participant_id", "stimulus_id"], keep=False)
    domains = table.duplicated(["participant_id", "domain"], keep=False)
    return table[runs | stimuli | domains]


@rule(
    "The domain is a property of the stimulus, and gives the weak labels.", "Correct stimuli.tsv."
)
def one_domain_a_stimulus(table: pd.DataFrame) -> pd.DataFrame:
    """A stimulus has the same domain for everybody."""
    return table[table.groupby("stimulus_id")["domain"].transform("nunique") > 1]


@rule(
    "A wave is recomputed as a unit; a video in another's would go stale.",
    "Correct the wave column of participants.tsv.",
)
def wave_of_participant(table: pd.DataFrame, participants: pd.DataFrame) -> pd.DataFrame:
    """A video is in its participant's wave."""
    waves = participants.set_index("participant_id")["wave"]
    return table[table["participant_id"].map(waves) != table["wave"]]


@rule(
    "A label that does not follow its rating trains the wrong class.",
    "Label with eifer.cohort.ratings.labelled.",
)
def labels_follow_ratings(table: pd.DataFrame) -> pd.DataFrame:
    """Rating 1-3 is label 0, 5-7 label 1, 4 the domain's letter with source stimulus."""
    wrong = pd.Series(False, index=table.index)
    for dimension in Dimension:
        rating = table[f"{dimension}_rating"]
        neutral = rating == NEUTRAL_RATING
        letter = table["domain"].str[0 if dimension is Dimension.AROUSAL else 2]
        label = (rating > NEUTRAL_RATING).mask(neutral, letter == "H")
        wrong |= table[f"{dimension}_label"] != label.astype("int64")
        wrong |= (table[f"{dimension}_label_source"] == LabelSource.STIMULUS.value) != neutral
    return table[wrong]


@rule(
    "A path without a hash could change unseen.", "Give the hashes with eifer.cohort.layout.hashed."
)
def recordings_whole(table: pd.DataFrame) -> pd.DataFrame:
    """Path, hash (and ECG sampling frequency, start) are there or missing together, and a
    run has at least one recording.
    """
    video, ecg = table["video_path"].isna(), table["ecg_path"].isna()
    apart = (
        (table["video_sha256"].isna() != video)
        | (table["ecg_sha256"].isna() != ecg)
        | (table["ecg_hz"].isna() != ecg)
        | (table["ecg_start_s"].isna() != ecg)
    )
    return table[apart | (video & ecg)]


@rule(
    "HRV is of the film's time; without its length rest would count as film.",
    "Give duration_s in stimuli.tsv, or add the face video.",
)
def ecg_has_film(table: pd.DataFrame) -> pd.DataFrame:
    """Where there is an ECG, the length of its film is known."""
    return table[table["film_s"].isna() & table["ecg_path"].notna()]


@rule("Hashes are compared as text.", "Hash with eifer.hashing.sha256_file.")
def hashes_are_sha256(table: pd.DataFrame) -> pd.DataFrame:
    """A hash is 64 lower-case hexadecimal digits."""
    hashes = table[["video_sha256", "ecg_sha256"]].astype("str")
    wrong = hashes.apply(lambda column: ~column.str.fullmatch("[0-9a-f]{64}", na=True))
    return table[wrong.any(axis="columns")]


@rule(
    "Nothing outside the cohort's folder is followed.",
    "Keep the recording inside the cohort's folder.",
)
def paths_inside(table: pd.DataFrame) -> pd.DataFrame:
    """Recording paths are relative, in posix form and without '..'."""
    paths = table[["video_path", "ecg_path"]].astype("str")
    wrong = paths.apply(lambda column: column.str.contains(r"(?:^|/)\.\.(?:/|$)|^/|\\", na=False))
    return table[wrong.any(axis="columns")]


@rule(
    "EI scores of people with fewer items are not comparable.",
    "Complete the participant's task-ei_beh.tsv, or exclude the participant.",
)
def all_items_answered(table: pd.DataFrame) -> pd.DataFrame:
    """A participant has 120 items: 3 indices x 4 categories x 10 stimuli."""
    count = table.groupby("participant_id")["correct"].transform("size")
    return table[count != EI_ITEMS_PER_PARTICIPANT].drop_duplicates("participant_id")


PARTICIPANTS = Table(
    name="participants",
    meaning="Everybody recruited, whether analysed or excluded with a reason.",
    key=("participant_id",),
    columns=(
        Column("participant_id", "string", "BIDS participant label, sub-<label>"),
        Column("age_years", "float? years 0..120", "age at recording"),
        Column("sex", "string", "F female, M male, n/a not recorded", values=SEXES),
        Column("wave", "string", "recruitment wave, the unit of work of extract to select"),
        Column("excluded", "string?", "why the whole participant is left out; null if not"),
    ),
    rules=(exclusions_have_reasons, included_have_videos, included_have_ei_items),
)

STIMULI = Table(
    name="stimuli",
    meaning="The elicitation stimuli, with the emotion domain each was made for.",
    key=("stimulus_id",),
    columns=(
        Column("stimulus_id", "string", "the stimulus, as ratings name it"),
        Column("domain", "string", "arousal pair, then valence pair", values=DOMAINS),
        Column("duration_s", f"float? s 0..{LONGEST_FILM_S}", "length of the stimulus"),
    ),
)


def _rating(dimension: Dimension) -> tuple[Column, Column, Column]:
    return (
        Column(
            f"{dimension}_rating",
            f"int {LOWEST_RATING}..{HIGHEST_RATING}",
            f"the participant's own {dimension}, 1 low to 7 high, 4 neutral",
            remedy="Correct the rating, or exclude the run with a reason.",
        ),
        Column(f"{dimension}_label", "int 0..1", f"the video's {dimension} class: 0 low, 1 high"),
        Column(
            f"{dimension}_label_source",
            "string",
            "rating, or stimulus where the rating is neutral (a weak label)",
            values=SOURCES,
        ),
    )


_AROUSAL, _VALENCE = _rating(Dimension.AROUSAL), _rating(Dimension.VALENCE)

VIDEOS = Table(
    name="videos",
    meaning="One elicitation run of one participant: stimulus, ratings, labels and recordings. "
    "A run of which both recordings are excluded has no row.",
    key=("video_id",),
    columns=(
        Column("video_id", "string", "sub-<label>_run-<run>"),
        Column("participant_id", "string", "whose run it is"),
        Column("wave", "string", "the participant's wave"),
        Column("run", f"int {RUNS[0]}..{RUNS[-1]}", "place in the order shown"),
        Column("stimulus_id", "string", "what was shown"),
        Column("domain", "string", "the stimulus's emotion domain", values=DOMAINS),
        _AROUSAL[0],
        _VALENCE[0],
        *_AROUSAL[1:],
        *_VALENCE[1:],
        Column("video_path", "string?", "face video, posix path in the cohort; null if excluded"),
        Column("video_sha256", "string?", "hash of the face video; null if excluded"),
        Column("ecg_path", "string?", "ECG, posix path in the cohort; null if excluded"),
        Column("ecg_sha256", "string?", "hash of the ECG; null if excluded"),
        Column("ecg_hz", "float? Hz 0..", "sampling frequency of the ECG; null if excluded"),
        Column(
            "ecg_start_s",
            "float? s",
            "time of the ECG's first sample from the start of the film; null if excluded",
        ),
        Column("video_s", "float? s 0..", "length of the face video; null if excluded"),
        Column(
            "video_declared_s",
            "float? s 0..",
            "length that the face video declares, if its end is missing (0: none); null if whole",
        ),
        Column(
            "film_s",
            "float? s 0..",
            "length of the film: duration_s of stimuli.tsv, else the face video's length (the "
            "declared one, if its end is missing)",
        ),
    ),
    rules=(
        of_included_participants,
        video_id_of_run,
        wave_of_participant,
        runs_distinct,
        one_domain_a_stimulus,
        labels_follow_ratings,
        recordings_whole,
        ecg_has_film,
        hashes_are_sha256,
        paths_inside,
    ),
)

EI_ITEMS = Table(
    name="ei_items",
    meaning="The EI assessment, one row an item; a correct answer is worth 10 points.",
    key=("participant_id", "index", "category", "stimulus"),
    columns=(
        Column("participant_id", "string", "who answered"),
        Column("index", "string", "evaluation index", values=INDICES),
        Column("category", f"int {CATEGORIES[0]}..{CATEGORIES[-1]}", "emotion category"),
        Column("stimulus", f"int 1..{STIMULI_PER_CATEGORY}", "stimulus in the category"),
        Column("correct", "int 0..1", "1 answered correctly, 0 not"),
    ),
    rules=(of_included_participants, all_items_answered),
)
