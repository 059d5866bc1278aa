"""The cohort as read and checked: participants, stimuli, elicitation videos, EI items."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from eifer.tables.schema import Column, Rule, Table
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

Others = Mapping[str, pd.DataFrame]


def _included(others: Others) -> pd.Series:
    participants = others["participants"]
    return participants.loc[participants["excluded"].isna(), "participant_id"]


def _without_videos(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    absent = ~table["participant_id"].isin(others["videos"]["participant_id"])
    return table[table["excluded"].isna() & absent]


def _without_items(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    absent = ~table["participant_id"].isin(others["ei_items"]["participant_id"])
    return table[table["excluded"].isna() & absent]


def _blank_reasons(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[table["excluded"].notna() & (table["excluded"].str.strip() == "")]


def _of_nobody(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[~table["participant_id"].isin(_included(others))]


def _misnamed(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[table["video_id"] != table["participant_id"] + "_run-" + table["run"].astype(str)]


def _repeated(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    runs = table.duplicated(["participant_id", "run"], keep=False)
    stimuli = table.duplicated(["participant_id", "stimulus_id"], keep=False)
    domains = table.duplicated(["participant_id", "domain"], keep=False)
    return table[runs | stimuli | domains]


def _two_domains(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[table.groupby("stimulus_id")["domain"].transform("nunique") > 1]


def _other_wave(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    people = others["participants"]
    waves = dict(zip(people["participant_id"], people["wave"], strict=True))
    return table[table["participant_id"].map(waves) != table["wave"]]


def _mislabelled(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    wrong = pd.Series(False, index=table.index)
    for dimension in Dimension:
        rating = table[f"{dimension}_rating"]
        neutral = rating == NEUTRAL_RATING
        letter = table["domain"].str[0 if dimension is Dimension.AROUSAL else 2]
        label = (rating > NEUTRAL_RATING).mask(neutral, letter == "H")
        wrong |= table[f"{dimension}_label"] != label.astype("int64")
        wrong |= (table[f"{dimension}_label_source"] == LabelSource.STIMULUS.value) != neutral
    return table[wrong]


def _half_recorded(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    video, ecg = table["video_path"].isna(), table["ecg_path"].isna()
    apart = (
        (table["video_sha256"].isna() != video)
        | (table["ecg_sha256"].isna() != ecg)
        | (table["ecg_hz"].isna() != ecg)
        | (table["ecg_start_s"].isna() != ecg)
    )
    return table[apart | (video & ecg)]


def _without_film(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[table["film_s"].isna() & table["ecg_path"].notna()]


def _not_a_hash(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    hashes = table[["video_sha256", "ecg_sha256"]].astype("str")
    wrong = hashes.apply(lambda column: ~column.str.fullmatch("[0-9a-f]{64}", na=True))
    return table[wrong.any(axis="columns")]


def _outside(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    paths = table[["video_path", "ecg_path"]].astype("str")
    wrong = paths.apply(lambda column: column.str.contains(r"(?:^|/)\.\.(?:/|$)|^/|\\", na=False))
    return table[wrong.any(axis="columns")]


def _incomplete(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    count = table.groupby("participant_id")["correct"].transform("size")
    return table[count != EI_ITEMS_PER_PARTICIPANT].drop_duplicates("participant_id")


_WHOSE = Rule(
    name="of_included_participants",
    says="Every row belongs to a participant of the participants table who is not excluded.",
    why="Rows of somebody unknown or excluded would enter the analysis without being counted.",
    remedy="Add the participant to participants.tsv, or lift the exclusion in study.exclude.",
    broken=_of_nobody,
    needs=("participants",),
)

PARTICIPANTS = Table(
    name="participants",
    meaning="Everybody recruited, whether analysed or excluded with a reason.",
    key=("participant_id",),
    columns=(
        Column("participant_id", "string", "BIDS participant label, sub-<label>"),
        Column(
            "age_years", "float", "age at recording", unit="years", low=0, high=120, missing=True
        ),
        Column("sex", "string", "F female, M male, n/a not recorded", values=SEXES),
        Column("wave", "string", "recruitment wave, the unit of work of extract to select"),
        Column(
            "excluded", "string", "why the whole participant is left out; null if not", missing=True
        ),
    ),
    rules=(
        Rule(
            name="exclusions_have_reasons",
            says="An exclusion carries a reason in words.",
            why="Nobody is dropped silently: the reason is printed in the report.",
            remedy="Write the reason in study.exclude of params.yaml.",
            broken=_blank_reasons,
        ),
        Rule(
            name="included_have_videos",
            says="Every participant who is not excluded has at least one row in videos.",
            why="A participant without recordings has nothing that could be analysed.",
            remedy="Add the recordings, or exclude the participant with a reason.",
            broken=_without_videos,
            needs=("videos",),
        ),
        Rule(
            name="included_have_ei_items",
            says="Every participant who is not excluded has EI items.",
            why="Without an EI score the participant belongs to no group.",
            remedy="Add the participant's EI items, or exclude the participant with a reason.",
            broken=_without_items,
            needs=("ei_items",),
        ),
    ),
)

STIMULI = Table(
    name="stimuli",
    meaning="The elicitation stimuli, with the emotion domain each was made for.",
    key=("stimulus_id",),
    columns=(
        Column("stimulus_id", "string", "the stimulus, as ratings name it"),
        Column("domain", "string", "arousal pair, then valence pair", values=DOMAINS),
        Column(
            "duration_s",
            "float",
            "length of the stimulus",
            unit="s",
            low=0,
            high=LONGEST_FILM_S,
            missing=True,
        ),
    ),
)


def _rating(dimension: Dimension) -> tuple[Column, Column, Column]:
    return (
        Column(
            f"{dimension}_rating",
            "int",
            f"the participant's own {dimension}, 1 low to 7 high, 4 neutral",
            low=LOWEST_RATING,
            high=HIGHEST_RATING,
            remedy="Correct the rating, or exclude the run with a reason.",
        ),
        Column(
            f"{dimension}_label",
            "int",
            f"the video's {dimension} class: 0 low, 1 high",
            low=0,
            high=1,
        ),
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
        Column("run", "int", "place in the order shown", low=RUNS[0], high=RUNS[-1]),
        Column("stimulus_id", "string", "what was shown"),
        Column("domain", "string", "the stimulus's emotion domain", values=DOMAINS),
        _AROUSAL[0],
        _VALENCE[0],
        *_AROUSAL[1:],
        *_VALENCE[1:],
        Column(
            "video_path",
            "string",
            "face video, posix path in the cohort; null if excluded",
            missing=True,
        ),
        Column("video_sha256", "string", "hash of the face video; null if excluded", missing=True),
        Column(
            "ecg_path", "string", "ECG, posix path in the cohort; null if excluded", missing=True
        ),
        Column("ecg_sha256", "string", "hash of the ECG; null if excluded", missing=True),
        Column(
            "ecg_hz",
            "float",
            "sampling frequency of the ECG; null if excluded",
            unit="Hz",
            low=0,
            missing=True,
        ),
        Column(
            "ecg_start_s",
            "float",
            "time of the ECG's first sample from the start of the film; null if excluded",
            unit="s",
            missing=True,
        ),
        Column(
            "video_s",
            "float",
            "length of the face video; null if excluded",
            unit="s",
            low=0,
            missing=True,
        ),
        Column(
            "film_s",
            "float",
            "length of the film: duration_s of stimuli.tsv, else the face video's length",
            unit="s",
            low=0,
            missing=True,
        ),
    ),
    rules=(
        _WHOSE,
        Rule(
            name="video_id_of_run",
            says="video_id is the participant and the run.",
            why="Every later table finds a video's participant and files by this name.",
            remedy="Build identifiers with eifer.vocabulary.video_id.",
            broken=_misnamed,
        ),
        Rule(
            name="wave_of_participant",
            says="A video is in its participant's wave.",
            why="A wave is recomputed as a unit; a video in another's would go stale.",
            remedy="Correct the wave column of participants.tsv.",
            broken=_other_wave,
            needs=("participants",),
        ),
        Rule(
            name="runs_distinct",
            says="A participant's runs, stimuli and domains are each different.",
            why="Every participant sees each domain once; a repeat is a mix-up of files.",
            remedy="Correct the participant's task-elicitation_beh.tsv.",
            broken=_repeated,
        ),
        Rule(
            name="one_domain_a_stimulus",
            says="A stimulus has the same domain for everybody.",
            why="The domain is a property of the stimulus, and gives the weak labels.",
            remedy="Correct stimuli.tsv.",
            broken=_two_domains,
        ),
        Rule(
            name="labels_follow_ratings",
            says="Rating 1-3 is label 0, 5-7 label 1, 4 the domain's letter with source stimulus.",
            why="A label that does not follow its rating trains the wrong class.",
            remedy="Label with eifer.cohort.ratings.labelled.",
            broken=_mislabelled,
        ),
        Rule(
            name="recordings_whole",
            says="Path, hash (and ECG sampling frequency, start) are there or missing together, "
            "and a run has at least one recording.",
            why="A path without a hash could change unseen.",
            remedy="Give the hashes with eifer.cohort.layout.hashed.",
            broken=_half_recorded,
        ),
        Rule(
            name="ecg_has_film",
            says="Where there is an ECG, the length of its film is known.",
            why="HRV is of the film's time; without its length rest would count as film.",
            remedy="Give duration_s in stimuli.tsv, or add the face video.",
            broken=_without_film,
        ),
        Rule(
            name="hashes_are_sha256",
            says="A hash is 64 lower-case hexadecimal digits.",
            why="Hashes are compared as text.",
            remedy="Hash with eifer.hashing.sha256_file.",
            broken=_not_a_hash,
        ),
        Rule(
            name="paths_inside",
            says="Recording paths are relative, in posix form and without '..'.",
            why="Nothing outside the cohort's folder is followed.",
            remedy="Keep the recording inside the cohort's folder.",
            broken=_outside,
        ),
    ),
)

EI_ITEMS = Table(
    name="ei_items",
    meaning="The EI assessment, one row an item; a correct answer is worth 10 points.",
    key=("participant_id", "index", "category", "stimulus"),
    columns=(
        Column("participant_id", "string", "who answered"),
        Column("index", "string", "evaluation index", values=INDICES),
        Column("category", "int", "emotion category", low=CATEGORIES[0], high=CATEGORIES[-1]),
        Column("stimulus", "int", "stimulus in the category", low=1, high=STIMULI_PER_CATEGORY),
        Column("correct", "int", "1 answered correctly, 0 not", low=0, high=1),
    ),
    rules=(
        _WHOSE,
        Rule(
            name="all_items_answered",
            says="A participant has 120 items: 3 indices x 4 categories x 10 stimuli.",
            why="EI scores of people with fewer items are not comparable.",
            remedy="Complete the participant's task-ei_beh.tsv, or exclude the participant.",
            broken=_incomplete,
        ),
    ),
)
