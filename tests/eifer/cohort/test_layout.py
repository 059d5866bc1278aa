from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from eifer.cohort.ecg import ecg_sidecar, read_ecg
from eifer.cohort.layout import (
    RECORDINGS,
    WITHDRAWN,
    Cohort,
    Exclusion,
    copies,
    hashed,
    read_cohort,
)
from eifer.errors import InputError
from eifer.hashing import sha256_file
from eifer.tables.attrition import ATTRITION
from eifer.tables.cohort import EI_ITEMS, PARTICIPANTS, STIMULI, VIDEOS
from tests.eifer.cohort.ecg_files import Channels, write_edf, write_wfdb
from tests.hostile.files import link, listener

ECG_JSON = "task-elicitation_recording-ecg_physio.json"
BEH = "sub-01/beh/"
RATINGS = f"{BEH}sub-01_task-elicitation_beh.tsv"
ITEMS = f"{BEH}sub-01_task-ei_beh.tsv"
VIDEO = f"{BEH}sub-01_task-elicitation_run-1_video.mp4"
ECG = f"{BEH}sub-01_task-elicitation_run-1_recording-ecg_physio.tsv.gz"

Break = Callable[[Path], object]


def read(root: Path, *exclude: Exclusion, waves: Sequence[str] = ("1", "2")) -> Cohort:
    found = read_cohort(root, waves=waves, exclude=exclude)
    paths = pd.concat([found.videos["video_path"], found.videos["ecg_path"]]).dropna()
    return hashed(found, {path: sha256_file(root / path) for path in paths})


def refused(root: Path, *exclude: Exclusion, waves: Sequence[str] = ("1", "2")) -> InputError:
    with pytest.raises(InputError) as caught:
        read(root, *exclude, waves=waves)
    return caught.value


def swap(name: str, old: str, new: str) -> Break:
    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new, 1))

    return change


def put(name: str, content: str | bytes) -> Break:
    def change(root: Path) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        (root / name).write_bytes(data)

    return change


def remove(name: str) -> Break:
    def change(root: Path) -> None:
        shutil.rmtree(root / name) if (root / name).is_dir() else (root / name).unlink()

    return change


def link_out(name: str, folder: bool = False) -> Break:
    def change(root: Path) -> None:
        outside = root.parent / "outside"
        shutil.move(root / name, outside)
        (root / name).symlink_to(outside, target_is_directory=folder)

    return change


def sidecar(**fields: object) -> Break:
    def change(root: Path) -> None:
        content = json.loads((root / ECG_JSON).read_text()) | fields
        content = {key: value for key, value in content.items() if value is not None}
        (root / ECG_JSON).write_text(json.dumps(content))

    return change


def check_tables(cohort: Cohort) -> None:
    tables = {
        "participants": (PARTICIPANTS, cohort.participants),
        "videos": (VIDEOS, cohort.videos),
        "ei_items": (EI_ITEMS, cohort.ei_items),
    }
    frames = {name: frame for name, (_, frame) in tables.items()}
    for table, frame in tables.values():
        pd.testing.assert_frame_equal(table.conform(frame), frame)
        for rule in table.rules:
            assert rule.broken(frame, frames).empty, rule.name
    pd.testing.assert_frame_equal(STIMULI.conform(cohort.stimuli), cohort.stimuli)
    pd.testing.assert_frame_equal(ATTRITION.conform(cohort.attrition), cohort.attrition)


# -- what is right ------------------------------------------------------------------------


def test_the_real_cohort_is_read(shared: Path) -> None:
    cohort = read(shared / "real_cohort", waves=["1"])
    check_tables(cohort)
    assert len(cohort.participants) == 8
    assert len(cohort.videos) == 32
    assert len(cohort.ei_items) == 8 * 120
    assert set(cohort.videos["ecg_hz"]) == {360.0}
    assert cohort.videos["domain"].value_counts().tolist() == [8, 8, 8, 8]
    first = cohort.videos.iloc[0]
    signal = read_ecg(cohort.root / first["ecg_path"], ecg_sidecar(cohort.root, first["ecg_path"]))
    text = gzip.decompress((cohort.root / first["ecg_path"]).read_bytes()).split()
    np.testing.assert_array_equal(signal, np.array([float(cell) for cell in text]))


def test_a_tiny_cohort_is_read_whole(tiny: Path) -> None:
    cohort = read(tiny)
    check_tables(cohort)
    assert cohort.participants["wave"].tolist() == ["1", "2"]
    assert cohort.participants["age_years"].isna().tolist() == [False, True]
    assert cohort.attrition.empty
    row = cohort.videos.set_index("video_id").loc["sub-01_run-1"]
    assert row["valence_label"] == 1
    assert row["valence_label_source"] == "stimulus"
    assert row["video_path"] == VIDEO
    assert row["video_sha256"] == hashlib.sha256((tiny / VIDEO).read_bytes()).hexdigest()
    items = cohort.ei_items.set_index(["participant_id", "index", "category", "stimulus"])
    assert items.loc[("sub-01", "self_awareness", 1, 10), "correct"] == 1
    assert items.loc[("sub-01", "self_awareness", 2, 10), "correct"] == 0


def test_without_a_wave_column_everybody_is_wave_1(tiny: Path) -> None:
    put("participants.tsv", "participant_id\tage\tsex\nsub-01\t21\tF\nsub-02\t22\tM\n")(tiny)
    assert set(read(tiny, waves=["1"]).videos["wave"]) == {"1"}


def test_what_the_layout_does_not_name_is_passed_over(tiny: Path) -> None:
    for name in ("derivatives", "sourcedata/sub-09", "sub-01/anat"):
        (tiny / name).mkdir(parents=True)
    put("sub-01/beh/.DS_Store", b"\xff")(tiny)
    swap("participants.tsv", "wave\n", "wave\thandedness\n")(tiny)
    swap("participants.tsv", "F\t1\n", "F\t1\tleft\n")(tiny)
    swap("participants.tsv", "M\t2\n", "M\t2\tleft\n")(tiny)
    check_tables(read(tiny))


def test_windows_line_ends_are_read(tiny: Path) -> None:
    text = (tiny / RATINGS).read_text()
    put(RATINGS, text.replace("\n", "\r\n"))(tiny)
    assert len(read(tiny).videos) == 8


def test_a_link_inside_the_folder_is_followed(tiny: Path) -> None:
    store = tiny / ".annex"
    store.mkdir()
    shutil.move(tiny / VIDEO, store / "blob")
    (tiny / VIDEO).symlink_to(os.path.relpath(store / "blob", (tiny / VIDEO).parent))
    assert read(tiny).videos["video_path"][0] == VIDEO


# -- exclusions ---------------------------------------------------------------------------


def test_an_excluded_participant_leaves_a_reason(tiny: Path) -> None:
    swap("participants.tsv", "M\t2", "M\t1")(tiny)
    shutil.rmtree(tiny / "sub-02")
    cohort = read(tiny, Exclusion("sub-02", "withdrew consent"), waves=["1"])
    check_tables(cohort)
    assert cohort.participants["excluded"].tolist()[1] == "withdrew consent"
    assert set(cohort.videos["participant_id"]) == {"sub-01"}
    assert cohort.attrition.to_dict("records") == [
        {
            "level": "participant",
            "participant_id": "sub-02",
            "video_id": "n/a",
            "what": "participant",
            "reason": "withdrew consent",
            "n": 1,
        }
    ]


def test_who_withdrew_is_counted_and_nothing_else_is_told(tiny: Path) -> None:
    cohort = read(tiny, Exclusion("sub-02", WITHDRAWN), waves=["1"])
    check_tables(cohort)
    gone = cohort.participants.iloc[1]
    assert gone[["participant_id", "sex", "wave", "excluded"]].tolist() == [
        "withdrawn-1", "n/a", "n/a", "withdrawn"
    ]  # fmt: skip
    assert pd.isna(gone["age_years"])
    assert cohort.attrition[["participant_id", "reason", "n"]].to_numpy().tolist() == [
        ["withdrawn-1", "withdrawn", 1]
    ]
    for table in (cohort.participants, cohort.videos, cohort.ei_items, cohort.attrition):
        assert "sub-02" not in table.to_csv()


def test_an_excluded_recording_may_be_missing(tiny: Path) -> None:
    remove(ECG)(tiny)
    cohort = read(tiny, Exclusion("sub-01", "electrode fell off", run=1, recording="ecg"))
    check_tables(cohort)
    row = cohort.videos.iloc[0]
    assert pd.isna(row["ecg_path"]) and pd.isna(row["ecg_sha256"]) and pd.isna(row["ecg_hz"])
    assert row["video_path"] == VIDEO
    assert cohort.attrition[["level", "video_id"]].to_numpy().tolist() == [["ecg", "sub-01_run-1"]]


def test_a_cohort_without_any_ecg_can_be_read_when_each_is_excluded(tiny: Path) -> None:
    for path in tiny.glob("sub-*/beh/*.gz"):
        path.unlink()
    lost = [Exclusion(p, "amplifier broken", recording="ecg") for p in ("sub-01", "sub-02")]
    cohort = read(tiny, *lost)
    check_tables(cohort)
    assert cohort.videos["ecg_path"].isna().all()
    assert len(cohort.attrition) == 8


def test_an_excluded_run_needs_neither_recordings_nor_ratings(tiny: Path) -> None:
    remove(VIDEO)(tiny)
    remove(ECG)(tiny)
    swap(RATINGS, "\t6\t4", "\tn/a\tn/a")(tiny)
    cohort = read(tiny, Exclusion("sub-01", "left the room", run=1))
    check_tables(cohort)
    assert "sub-01_run-1" not in set(cohort.videos["video_id"])
    assert cohort.attrition["level"].tolist() == ["ecg", "video"]


@pytest.mark.parametrize(
    ("exclude", "said"),
    [
        ([Exclusion("sub-03", "late")], "who does not exist (1): sub-03; did you mean 'sub-0"),
        ([Exclusion("sub-01", "late", 5)], "run or recording that does not exist (1): sub-01"),
        ([Exclusion("sub-01", "  ", 1)], "without a reason (1): sub-01 run-1"),
        (
            [Exclusion("sub-01", "noise", 1), Exclusion("sub-01", "noise", 1, "ecg")],
            "contained in another (1): sub-01 run-1 ecg",
        ),
        (
            [Exclusion("sub-01", "off", recording=what) for what in RECORDINGS],
            "participant without recordings that are not excluded (1): sub-01",
        ),
        ([Exclusion("sub-02", "withdrew")], "wave without participants (1): params.yaml: '2'"),
    ],
)
def test_exclusions_must_make_sense(tiny: Path, exclude: list[Exclusion], said: str) -> None:
    assert said in str(refused(tiny, *exclude))


# -- what is wrong: one fault, one problem, with file, row, value --------------------------

OTHER = "sub-02\tn/a\tM\t2\n"
ITEM = "self_awareness\t1\t3\t0\n"
DURATION = "duration_s not a number above 0 and up to 86400 (1): {} row 2: duration_s"
# By the table: what is changed in it, to what, and what is then said of the table ({}).
SWAPPED: dict[str, list[tuple[str, str, str]]] = {
    "participants.tsv": [
        (OTHER, OTHER * 2, "participant twice (1): {} row 4: participant_id 'sub-02'"),
        (
            OTHER,
            OTHER.replace("02", "O2") + OTHER.replace("02", "o2"),
            "differ in case alone (1): {}: participant_id 'sub-O2' and 'sub-o2'",
        ),
        ("\t21\t", "\ttwenty\t", "{} row 2: age 'twenty'"),
        ("\tF\t", "\tf\t", "{} row 2: sex 'f'"),
        ("F\t1\n", "F\t1\nsub-03\t30\tF\t3\n", "{} row 3: sub-03, wave '3'"),
        ("wave", "Waves", "{} row 1: 'Waves'; did you mean 'wave'?"),
    ],
    "stimuli.tsv": [
        (
            "lalv1\t",
            "HAHV1\tHAHV\t360\nlalv1\t",
            "differ in case alone (1): {}: stimulus_id 'HAHV1' and 'hahv1'",
        ),
        ("halv1\t", "hahv1\t", "stimulus twice (1): {} row 3: stimulus_id 'hahv1'"),
        ("\tHALV", "\tHAVL", "{} row 3: domain 'HAVL'; did you mean"),
        ("lalv1\tLALV", "lalv1\tLAHV", "domain without a stimulus (1): {}: LALV"),
        *(
            ("HAHV\t360", f"HAHV\t{cell}", f"{DURATION} '{cell[:9]}")
            for cell in ("-1", "0", "NaN", "6 min", "inf", "9" * 400, "8" * 10**6, "172800")
        ),
    ],
    RATINGS: [
        ("arousal", "arousel", "{} row 1: 'arousal' missing, 'arousel'; did you mean 'arousal'?"),
        ("2\thalv1\t5\t1\n", "2\thalv1\t5\n", "{} row 3: 3 instead of 4"),
        ("\t6\t4", "\t0\t4", "{} row 2: arousal '0'"),
        ("\t6\t4", "\t6\t8", "{} row 2: valence '8'"),
        ("\t5\t1", "\t3.5\t1", "{} row 3: arousal '3.5'"),
        ("\t5\t1", "\tn/a\t1", "sub-01 sub-01_run-2 {} row 3: arousal 'n/a'"),
        ("halv1", "halv9", "{} row 3: stimulus_id 'halv9'; did you mean 'halv1'?"),
        ("2\thalv1", "1\thalv1", "{} row 3: run '1', first in"),
        ("4\tlalv1", "5\tlalv1", "{} row 5: run '5'"),
        ("4\tlalv1\t4\t2\n", "", "{}: run 4"),
        ("halv1", "hahv1", "{} row 3: stimulus_id 'hahv1', first in row 2"),
    ],
    ITEMS: [
        (ITEM, "", "fewer than 120 EI items (1): {}: 1 missing (self_awareness 1 3)"),
        (ITEM, ITEM * 2, "EI item twice (1): {} row 5: self_awareness 1 3, first in row 4"),
        (
            ITEM,
            ITEM.replace("awareness", "awarness"),
            "{} row 4: index 'self_awarness'; did you mean 'self_awareness'?",
        ),
        (ITEM, "self_awareness\t5\t3\t0\n", "{} row 4: category '5'"),
        (ITEM, "self_awareness\t1\t11\t0\n", "{} row 4: stimulus '11'"),
        (ITEM, "self_awareness\t1\t3\tn/a\n", "{} row 4: correct 'n/a'"),
    ],
}
FAULTS: dict[str, tuple[Break, str]] = {
    "no description": (remove("dataset_description.json"), "missing file or folder (1): dataset_"),
    "no participants": (remove("participants.tsv"), "missing file or folder (1): participants.tsv"),
    "no participants' rows": (
        put("participants.tsv", "participant_id\tage\tsex\twave\n"),
        "no rows (1): participants.tsv",
    ),
    "folder missing": (remove("sub-02"), "without a folder (1): participants.tsv: sub-02"),
    "folder of nobody": (
        lambda root: shutil.copytree(root / "sub-02", root / "sub-O2"),
        "folder of nobody in participants.tsv (1): sub-O2",
    ),
    "name a list": (
        put("dataset_description.json", '{"Name": ["Tiny"], "BIDSVersion": "1.11.1"}'),
        "field that is not text (1): dataset_description.json: Name ['Tiny']\n",
    ),
    "name missing": (
        put("dataset_description.json", '{"Nome": "Tiny", "BIDSVersion": "1.11.1"}'),
        "field missing (1): dataset_description.json: Name; did you mean 'Nome'?",
    ),
    "age in a list of units": (
        put("participants.json", '{"age": {"Units": [["years"]]}}'),
        "participants.json: age Units [['years']]",
    ),
    "age in a deep nest": (
        put("participants.json", '{"age": {"Units": ' + "[" * 900 + "]" * 900 + "}}"),
        "participants.json",
    ),
    "age described by a number": (
        put("participants.json", '{"age": 5}'),
        "not a JSON object (1): participants.json: age 5",
    ),
    "age in months": (
        put("participants.json", '{"age": {"Units": "months"}}'),
        "participants.json: age Units 'months'",
    ),
    "ratings missing": (remove(RATINGS), f"missing file or folder (1): {RATINGS}"),
    "video missing": (remove(VIDEO), f"missing file or folder (1): {VIDEO} (or mkv"),
    "video of no bytes": (put(VIDEO, b""), f"zero-byte file (1): {VIDEO}"),
    "video twice": (
        put(VIDEO.replace("mp4", "webm"), b"film"),
        f"several videos of one run (1): {VIDEO} and {VIDEO.replace('mp4', 'webm')}",
    ),
    "video in capitals": (
        lambda root: (root / VIDEO).rename((root / VIDEO).with_suffix(".MP4")),
        "_video.MP4; did you mean",
    ),
    "a fifth run": (
        put(VIDEO.replace("run-1", "run-5"), b"film"),
        f"unknown file in beh/ (1): {VIDEO.replace('run-1', 'run-5')}",
    ),
    "ECG missing": (remove(ECG), f"missing file or folder (1): {ECG}"),
    "ECG of no bytes": (put(ECG, b""), f"zero-byte file (1): {ECG}"),
    "two ECGs": (
        put(ECG.replace("tsv.gz", "edf"), b"0"),
        f"several ECGs of one run (1): {ECG} and {ECG.replace('tsv.gz', 'edf')}",
    ),
    "samples of no header": (
        put(ECG.replace("tsv.gz", "dat"), b"0"),
        f"unknown file in beh/ (1): {ECG.replace('tsv.gz', 'dat')}",
    ),
    "ECG in capitals": (
        lambda root: (root / ECG).rename(root / ECG.replace("tsv.gz", "EDF")),
        "physio.EDF; did you mean",
    ),
    "video is a folder": (
        lambda root: (remove(VIDEO)(root), (root / VIDEO).mkdir()),
        f"not a file (1): {VIDEO}",
    ),
    "no sidecar": (remove(ECG_JSON), f"ECG without a sidecar (8): {ECG}"),
    "no frequency": (
        sidecar(SamplingFrequency=None, SamplingFreqency=250),
        f"without SamplingFrequency (1): {ECG_JSON}: missing; did you mean 'SamplingFreqency'?",
    ),
    "frequency 0": (sidecar(SamplingFrequency=0), f"SamplingFrequency (1): {ECG_JSON}: 0"),
    "frequency true": (sidecar(SamplingFrequency=True), f"Frequency (1): {ECG_JSON}: True"),
    "no StartTime": (sidecar(StartTime=None), f"without StartTime (1): {ECG_JSON}: missing"),
    "no Columns": (sidecar(Columns=None), f"without Columns (1): {ECG_JSON}: missing"),
    "no ECG column": (sidecar(Columns=["pulse"]), "one ECG channel (1): " + ECG_JSON),
    "two sidecars": (
        put("task-elicitation_physio.json", "{}"),
        "several sidecars for one recording in one folder (8)",
    ),
    "video linked out": (link_out(VIDEO), f"out of the cohort's folder (1): {VIDEO}"),
    "participant linked out": (
        link_out("sub-01", folder=True),
        "out of the cohort's folder (1): sub-01\n",
    ),
    **{
        said: (swap(name, old, new), said.format(name))
        for name, faults in SWAPPED.items()
        for old, new, said in faults
    },
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_place_and_remedy(tiny: Path, fault: str) -> None:
    change, said = FAULTS[fault]
    change(tiny)
    error = refused(tiny)
    assert said in str(error)
    assert all(problem.remedy for problem in error.problems)


def test_a_wave_of_the_params_without_participants_is_named(tiny: Path) -> None:
    assert "wave without participants (1): params.yaml: '3'" in str(
        refused(tiny, waves=["1", "2", "3"])
    )


def test_a_participant_shown_one_domain_twice_is_named(tiny: Path) -> None:
    swap("stimuli.tsv", "lalv1\t", "hahv2\tHAHV\t360\nlalv1\t")(tiny)
    swap(RATINGS, "lalv1", "hahv2")(tiny)
    assert f"{RATINGS}: runs 1 and 4 are HAHV, LALV missing" in str(refused(tiny))


def test_everything_wrong_is_listed_at_once(tiny: Path) -> None:
    swap(RATINGS, "\t6\t4", "\t0\t4")(tiny)
    swap(ITEMS, ITEM, "")(tiny)
    swap("participants.tsv", "\t21\t", "\told\t")(tiny)
    remove("sub-02/beh/sub-02_task-elicitation_run-3_video.mp4")(tiny)
    sidecar(StartTime=None)(tiny)
    error = refused(tiny)
    assert len(error.problems) == 5
    for said in ("arousal '0'", "1 missing", "age 'old'", "sub-02_task-elicitation_run-3_video.mp4",
                 "StartTime"):  # fmt: skip
        assert said in str(error)


# -- what hangs, breaks, or asks for much ----------------------------------------------------


def fifo(path: Path) -> None:
    os.mkfifo(path)


def badly_named(path: Path) -> None:
    path.mkdir()
    (Path(os.fsdecode(os.fsencode(path) + b"/caf\xe9.txt"))).write_text("")


STRANGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "FIFO": (fifo, "neither file nor folder (1): {} (FIFO)"),
    "socket": (listener, "neither file nor folder (1): {} (socket)"),
    "link to a device": (link("/dev/zero"), "out of the cohort's folder (1): {}"),
    "link to a folder outside": (link("/"), "out of the cohort's folder (1): {}"),
    "broken link": (link("nowhere"), "link that leads nowhere (1): {}"),
    "link to itself": (link("strange"), "link that leads nowhere (1): {}"),
    "a name in Latin-1": (badly_named, "name that is not UTF-8 (1): {}/caf\\udce9.txt"),
}


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("folder", ["derivatives/a/b", ".git/annex", "sub-01/anat", "sub-01/beh"])
def test_what_dvc_would_hang_or_break_on_is_named_wherever_it_lies(
    tiny: Path, kind: str, folder: str
) -> None:
    make, said = STRANGE[kind]
    (tiny / folder).mkdir(parents=True, exist_ok=True)
    make(tiny / folder / "strange")
    error = refused(tiny)
    assert said.format(f"{folder}/strange") in str(error)
    str(error).encode()


def test_links_inside_and_many_files_are_no_fault(tiny: Path) -> None:
    (tiny / "derivatives").mkdir()
    for n in range(300):
        (tiny / f"derivatives/{n}").write_text("")
    (tiny / "derivatives/link").symlink_to("../participants.tsv")
    (tiny / "derivatives/again").symlink_to("..")  # not walked into, by DVC neither
    read(tiny)


@pytest.fixture
def without_rights(tiny: Path) -> Iterator[Path]:
    """A folder for somebody who is not root, as whom the test then runs."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        cohort = shutil.copytree(tiny, Path(folder) / "cohort")
        if os.geteuid() != 0:
            yield cohort
            return
        for path in [cohort, *cohort.rglob("*")]:
            os.chown(path, 65534, -1)
        os.seteuid(65534)
        try:
            yield cohort
        finally:
            os.seteuid(0)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (".", "no cohort (1): {root}: Permission denied"),
        ("sub-01", "cannot be read (1): sub-01: Permission denied"),
        ("sub-01/beh", "cannot be read (1): sub-01/beh: Permission denied"),
        (VIDEO, f"cannot be read (1): {VIDEO}: Permission denied"),
        ("stimuli.tsv", "cannot be read (1): stimuli.tsv: Permission denied"),
    ],
)
def test_what_cannot_be_read_is_not_said_to_be_missing(
    without_rights: Path, name: str, said: str
) -> None:
    path = without_rights / name
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        error = refused(without_rights)
    finally:
        path.chmod(mode)
    assert said.format(root=without_rights) in str(error)
    assert "missing file" not in str(error)


def test_the_same_answers_are_no_copy_and_the_same_recording_is(tiny: Path) -> None:
    assert (tiny / ITEMS).read_text() == (tiny / ITEMS.replace("sub-01", "sub-02")).read_text()
    a, b, c, d = "ab", "b", "c", "d"
    found = copies({"y": a, "x": a, "z": b, "p": c, "q": c, "r": c, "s": d})
    assert [problem.where for problem in found] == ["x = y", "p = q = r"]


# -- the tables' own rules ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "column", "value"),
    [
        ("of_included_participants", "participant_id", "sub-99"),
        ("video_id_of_run", "video_id", "sub-01_run-9"),
        ("wave_of_participant", "wave", "2"),
        ("runs_distinct", "stimulus_id", "halv1"),
        ("one_domain_a_stimulus", "domain", "LALV"),
        ("labels_follow_ratings", "valence_label", 0),
        ("labels_follow_ratings", "arousal_label_source", "stimulus"),
        ("recordings_whole", "video_sha256", None),
        ("recordings_whole", "ecg_hz", None),
        ("recordings_whole", "ecg_start_s", None),
        ("ecg_has_film", "film_s", None),
        ("hashes_are_sha256", "ecg_sha256", "F" * 64),
        ("paths_inside", "video_path", "../sub-01/beh/film.mp4"),
        ("paths_inside", "ecg_path", "/beh/ecg.tsv.gz"),
    ],
)
def test_a_videos_rule_finds_the_row_that_breaks_it(
    tiny: Path, rule: str, column: str, value: object
) -> None:
    cohort = read(tiny)
    videos = cohort.videos.copy()
    videos.loc[0, column] = value
    others = {"participants": cohort.participants}
    broken = {r.name: r.broken(videos, others) for r in VIDEOS.rules}
    assert 0 in broken[rule].index


def test_ei_items_and_participants_rules_find_what_breaks_them(tiny: Path) -> None:
    cohort = read(tiny)
    complete = {rule.name: rule for rule in EI_ITEMS.rules}["all_items_answered"]
    broken = complete.broken(cohort.ei_items.drop(index=0), {})
    assert broken["participant_id"].tolist() == ["sub-01"]
    rules = {rule.name: rule for rule in PARTICIPANTS.rules}
    alone = {"videos": cohort.videos.iloc[4:], "ei_items": cohort.ei_items.iloc[:120]}
    for rule, whose in (("included_have_videos", "sub-01"), ("included_have_ei_items", "sub-02")):
        found = rules[rule].broken(cohort.participants, alone)
        assert found["participant_id"].tolist() == [whose]
    blank = cohort.participants.assign(excluded=[None, " "]).astype({"excluded": "str"})
    assert len(rules["exclusions_have_reasons"].broken(blank, {})) == 1


# -- ECG ----------------------------------------------------------------------------------


def test_a_nearer_sidecar_overrides_the_farther_one(tiny: Path) -> None:
    name = ECG.replace(".tsv.gz", ".json")
    put(name, '{"SamplingFrequency": 500}')(tiny)
    videos = read(tiny).videos
    assert videos["ecg_hz"].tolist() == [500.0] + [250.0] * 7
    assert ecg_sidecar(tiny, ECG).columns == ("cardiac",)


@pytest.mark.parametrize(
    ("unit", "factor"), [("mV", 1), ("uV", 1e-3), ("\u00b5V", 1e-3), ("\u03bcV", 1e-3), ("V", 1e3)]
)
def test_an_ecg_is_read_in_mv(tiny: Path, unit: str, factor: float) -> None:
    sidecar(cardiac={"Units": unit})(tiny)
    signal = read_ecg(tiny / ECG, ecg_sidecar(tiny, ECG))
    np.testing.assert_allclose(signal, np.array([0.1, -0.25, 1.1]) * factor, rtol=1e-15)
    assert signal.dtype == np.float64


def test_the_ecg_column_is_found_by_name_among_others(tiny: Path) -> None:
    sidecar(Columns=["respiratory", "ECG", "trigger"], ECG={"Units": "mV"})(tiny)
    put(ECG, gzip.compress(b"n/a\t1e-1\t0\nn/a\t-2\t1\n"))(tiny)
    np.testing.assert_array_equal(read_ecg(tiny / ECG, ecg_sidecar(tiny, ECG)), [0.1, -2.0])


@pytest.mark.parametrize(("extension", "write"), [("edf", write_edf), ("hea", write_wfdb)])
def test_an_ecg_of_another_format_brings_its_own_clock(
    tiny: Path, extension: str, write: Callable[[Path, Channels, int], None]
) -> None:
    remove(ECG)(tiny)
    path = ECG.replace("tsv.gz", extension)
    write(tiny / path, {"ECG": np.arange(64)}, 32)
    # The sidecar at the root is of the other files.
    assert "SamplingFrequency 250, in the file 32" in str(refused(tiny))
    near = {"SamplingFrequency": 32, "StartTime": -1, "Columns": ["ECG"]}
    put(ECG.replace("tsv.gz", "json"), json.dumps(near))(tiny)
    row = read(tiny).videos.set_index("video_id").loc["sub-01_run-1"]
    assert (row["ecg_path"], row["ecg_hz"], row["ecg_start_s"]) == (path, 32, -1)


@pytest.mark.parametrize("digits", [310, 400, 4000])
@pytest.mark.parametrize("field", ["SamplingFrequency", "StartTime"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_of_hundreds_of_digits_is_named_and_cut_short(
    tiny: Path, field: str, digits: int, sign: int
) -> None:
    sidecar(**{field: sign * 10**digits})(tiny)
    said = str(refused(tiny))
    assert "ecg_physio.json: the number" in said and "is too large" in said
    assert len(said) < 500


@pytest.mark.parametrize("units", [["mV"], {"mV": 1}, 5, None, True, "m" * 10_000])
def test_a_unit_that_is_no_unit_is_named(tiny: Path, units: object) -> None:
    sidecar(cardiac={"Units": units})(tiny)
    said = str(refused(tiny))
    assert "ECG without a unit of voltage" in said
    assert len(said) < 500


def test_the_start_of_an_ecg_and_the_length_of_its_film_are_read(tiny: Path) -> None:
    sidecar(StartTime=-60.5)(tiny)
    swap("stimuli.tsv", "HAHV\t360", "HAHV\tn/a")(tiny)
    videos = read(tiny).videos
    assert set(videos["ecg_start_s"]) == {-60.5}
    assert videos.loc[videos["domain"] == "HAHV", "film_s"].isna().all()
    assert set(videos["film_s"].dropna()) == {360.0}
