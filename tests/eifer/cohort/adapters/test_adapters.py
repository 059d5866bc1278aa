"""The folders of the three corpora as they were published, and what may be wrong with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from eifer.cohort.adapters import amigos, deap, mahnob
from eifer.cohort.adapters.corpus import Corpus, Person
from eifer.errors import InputError
from eifer.vocabulary import Dimension
from tests.eifer.cohort.adapters.corpora import heart, write_amigos, write_deap, write_mahnob
from tests.eifer.cohort.test_layout import Break, swap

RATINGS = "metadata_csv/participant_ratings.csv"
MAT = "data_preprocessed/Data_Preprocessed_P01/Data_Preprocessed_P01.mat"


def test_deap(tmp_path: Path) -> None:
    corpus = deap.read(write_deap(tmp_path))
    assert corpus.people == [
        Person("sub-01", "26", "M"),
        Person("sub-02", "n/a", "F"),
        Person("sub-23"),
    ]
    first = corpus.trials[0]
    assert (first.participant, first.order, first.stimulus, first.film_s) == ("sub-01", 1, "10", 60)
    assert first.ratings == {Dimension.AROUSAL: 8.04, Dimension.VALENCE: 8.04}
    seen = {(trial.participant, trial.order) for trial in corpus.trials if trial.video}
    assert seen == {("sub-01", k) for k in range(1, 5)} | {("sub-02", k) for k in (1, 2, 4)}
    assert all(trial.ecg is None for trial in corpus.trials)


def test_amigos(tmp_path: Path) -> None:
    corpus = amigos.read(write_amigos(tmp_path))
    films = [trial.stimulus for trial in corpus.trials if trial.participant == "sub-01"]
    assert films == ["10", "138", "4", "30"]  # N1 is a long one
    first, *_, broken = corpus.trials
    assert first.ratings == {Dimension.AROUSAL: 2.3, Dimension.VALENCE: 8.3}
    assert first.ecg is not None and (first.ecg.hz, first.ecg.start_s) == (128, -5)
    np.testing.assert_array_equal(first.ecg.read(), heart(25, 128, seed=10))
    assert first.film_s == 20
    assert (broken.stimulus, broken.ecg, broken.film_s) == ("30", None, 20)
    without = [trial for trial in corpus.trials if trial.video is None]
    assert [(trial.participant, trial.stimulus) for trial in without] == [("sub-02", "4")]


def test_amigos_without_the_zero_in_names(tmp_path: Path) -> None:
    write_amigos(tmp_path)
    for path in sorted((tmp_path / "face").glob("P0*")):
        path.rename(path.with_name(path.name.replace("P0", "P")))
    assert amigos.read(tmp_path).trials[0].video == tmp_path / "face/P1_10_face.mov"


def test_mahnob(tmp_path: Path) -> None:
    corpus = mahnob.read(write_mahnob(tmp_path))
    assert corpus.people == [Person("sub-01", sex="F"), Person("sub-02", sex="M")]
    mine = [trial for trial in corpus.trials if trial.participant == "sub-01"]
    assert [trial.stimulus for trial in mine] == ["1.avi", "2.avi", "3.avi", "4.avi", "6.avi"]
    first = mine[0]
    assert first.video is not None and "C1 trigger _C_Section_2.avi" in first.video.name
    assert (first.order, first.film_s, first.cut_s) == (2, 20, 20)
    assert first.ecg is not None and (first.ecg.hz, first.ecg.start_s) == (256, 0)
    whole = heart(40, 256, seed=2)
    # Mains hum, which is the same at both electrodes, is gone.
    np.testing.assert_allclose(first.ecg.read(), whole[2560:7680], atol=6e-4)
    assert mine[-1].video is None


def cut(name: str, size: int) -> Break:
    return lambda root: (root / name).write_bytes((root / name).read_bytes()[:size])


def rewrite(name: str, old: bytes, new: bytes) -> Break:
    def change(root: Path) -> None:
        assert old in (root / name).read_bytes()
        (root / name).write_bytes((root / name).read_bytes().replace(old, new))

    return change


BDF = "Sessions/2/Part_1_S_Trial1_emotion.bdf"
Read = tuple[Callable[[Path], Path], Callable[[Path], Corpus]]
DEAP: Read = (write_deap, deap.read)
AMIGOS: Read = (write_amigos, amigos.read)
MAHNOB: Read = (write_mahnob, mahnob.read)
FAULTS: dict[str, tuple[Read, Break, str]] = {
    "DEAP, no ratings": (DEAP, lambda root: (root / RATINGS).unlink(), "0 files participant_rat"),
    "DEAP, twice": (
        DEAP,
        lambda root: shutil.copy(root / RATINGS, root / "participant_ratings.csv"),
        "2 files participant_ratings.csv",
    ),
    "DEAP, a column missing": (DEAP, swap(RATINGS, "Valence", "V"), "Valence missing"),
    "DEAP, no number": (DEAP, swap(RATINGS, "8.04", ""), r"numbers \(1\): .*csv row 2"),
    "DEAP, half a row": (DEAP, cut(RATINGS, 100), "row without numbers"),
    "AMIGOS, nothing": (
        AMIGOS,
        lambda root: shutil.rmtree(root / "data_preprocessed"),
        r"no Data_Preprocessed_P\*.mat",
    ),
    "AMIGOS, no MATLAB file": (
        AMIGOS,
        lambda root: (root / MAT).write_text("?" * 500),
        r"not AMIGOS's MATLAB file \(1\): data_preprocessed/",
    ),
    "AMIGOS, cut short": (AMIGOS, cut(MAT, 5000), "not AMIGOS's MATLAB file"),
    "AMIGOS, twice": (
        AMIGOS,
        lambda root: shutil.copy(root / MAT, root / Path(MAT).name),
        r"participant twice \(1\): data_preprocessed",
    ),
    "MAHNOB-HCI, nothing": (
        MAHNOB,
        lambda root: shutil.rmtree(root / "Sessions"),
        "no session.xml",
    ),
    "MAHNOB-HCI, no XML": (
        MAHNOB,
        swap("Sessions/4/session.xml", "</session>", ""),
        r"session.xml \(1\): Sessions/4/session.xml: no element",
    ),
    "MAHNOB-HCI, no subject": (
        MAHNOB,
        swap("Sessions/4/session.xml", "<subject", "<someone"),
        "no subject",
    ),
    "MAHNOB-HCI, BDF cut short": (MAHNOB, cut(BDF, 30_000), "ECG file that ends early"),
    "MAHNOB-HCI, another amplifier": (
        MAHNOB,
        rewrite(BDF, b"EXG3 ", b"EXG9 "),
        r"without a channel of MAHNOB-HCI \(1\): Part_1_S_Trial1_emotion.bdf: EXG3",
    ),
    "MAHNOB-HCI, no pulses": (
        MAHNOB,
        rewrite(BDF, b"\x0c\x01\xf8", b"\x00\x00\xf8"),
        r"began and ended \(1\): Part_1_S_Trial1_emotion.bdf: 0 pulses",
    ),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[Path], Path]], Path]:
    """Each corpus, written once."""
    return cache(lambda write: write(tmp_path_factory.mktemp(write.__name__)))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_corpus_at_fault_is_refused(
    tmp_path: Path, written: Callable[[Callable[[Path], Path]], Path], fault: str
) -> None:
    (write, read), change, said = FAULTS[fault]
    source = shutil.copytree(written(write), tmp_path / "source")
    change(source)
    with pytest.raises(InputError, match=said):
        read(source)
