"""Codes stand in the place of ids, wherever an id stands, and their order tells nothing."""

from __future__ import annotations

import pandas as pd

from eifer.report.pseudonyms import Pseudonyms

PEOPLE = [f"sub-{k:02d}" for k in range(1, 13)]
NAMES = Pseudonyms(PEOPLE, 7, "hashes")


def test_codes_are_stable_and_their_order_is_not_that_of_the_ids() -> None:
    codes = NAMES.codes
    assert sorted(codes.values()) == [f"P{k:02d}" for k in range(1, 13)]
    assert [codes[who] for who in PEOPLE] != sorted(codes.values())
    assert Pseudonyms(PEOPLE[::-1], 7, "hashes").codes == codes
    # Who knows ids and seed, and not the recordings, cannot compute the key.
    assert Pseudonyms(PEOPLE, 7, "other hashes").codes != codes != Pseudonyms(PEOPLE, 8, "").codes


def test_ids_are_replaced_as_whole_words_at_any_depth() -> None:
    code = NAMES.codes
    assert NAMES.told("sub-01_run-2 of sub-010, xsub-01, sub-01") == (
        f"{code['sub-01']}_run-2 of sub-010, xsub-01, {code['sub-01']}"
    )
    path = "sub-03/beh/sub-03_task-ei_beh.tsv"
    assert NAMES.told({"sub-02": [path, 3]}) == {
        code["sub-02"]: [path.replace("sub-03", code["sub-03"]), 3]
    }
    for text in ("sub-11_run-1 is short", "nobody"):
        assert NAMES.found(NAMES.told(text)) == text


def test_neither_lists_nor_rows_keep_the_order_of_the_ids() -> None:
    codes = sorted(NAMES.codes.values())
    assert NAMES.told(", ".join(PEOPLE)) == ", ".join(codes)
    lines = NAMES.told("\n".join(f"{who}: why" for who in PEOPLE))
    assert lines == "\n".join(f"{code}: why" for code in codes)
    frame = pd.DataFrame({"participant_id": PEOPLE, "n": range(12), "note": None})
    made = NAMES.table(frame, ("participant_id", "absent"))
    assert made["participant_id"].tolist() == codes
    assert [NAMES.codes[PEOPLE[n]] for n in made["n"]] == codes
    assert made.dtypes.equals(frame.dtypes)


def test_of_nobody_everything_stays() -> None:
    nobody = Pseudonyms((), 7, "hashes")
    frame = pd.DataFrame({"participant_id": PEOPLE[::-1]})
    assert nobody.table(frame, ("participant_id",)).equals(frame)
    assert nobody.told("sub-02, sub-01") == "sub-02, sub-01"
