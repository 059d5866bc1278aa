"""Codes in place of participants' ids, in all that the report shows: `P01`, `P02`, ...

They are pseudonyms, and nobody is anonymous by them: whoever has the study can compute the key
again, as `eifer trace` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import pandas as pd

from eifer.seeding import sub_seed

ID = r"(?<![A-Za-z0-9])sub-[A-Za-z0-9]+(?![A-Za-z0-9])"
LISTED = re.compile(rf"{ID}(?:, {ID})*")
"""Ids as whole words: alone, in a video's or a file's name, or in a list."""


class Pseudonyms:
    """The codes of ``people``; of nobody, where ids stay as they are.

    Parameters
    ----------
    people
        The ids of everybody in the study.
    seed
        The study's.
    secret
        What only those know who have the study: the SHA-256 of its recordings. Ids and seeds can be
        guessed, and the order would then follow from them.
    """

    def __init__(self, people: Iterable[str], seed: int, secret: str) -> None:
        order = sorted(people, key=lambda who: sub_seed(seed, "pseudonym", secret, who))
        width = max(2, len(str(len(order))))
        self.codes = {who: f"P{place:0{width}d}" for place, who in enumerate(order, 1)}
        self._ids = {code: who for who, code in self.codes.items()}

    @classmethod
    def of(cls, participants: pd.DataFrame, asked: bool, seed: int, secret: str) -> Self:
        """Those of the table of participants; where they are not asked for, of nobody."""
        return cls(participants["participant_id"] if asked else (), seed, secret)

    def told(self, value: Any) -> Any:
        """``value`` with codes for ids, in texts, in lists and mappings of any depth, and tables.

        What is listed in a text is sorted anew: its order would tell of the ids.
        """
        if isinstance(value, str):
            text = LISTED.sub(self._coded, value)
            return value if text == value else "\n".join(sorted(text.split("\n")))
        if isinstance(value, pd.DataFrame):
            return self.table(value)
        if isinstance(value, Mapping):
            return {self.told(name): self.told(inside) for name, inside in value.items()}
        return [self.told(inside) for inside in value] if isinstance(value, list) else value

    def table(self, frame: pd.DataFrame, key: Sequence[str] = ()) -> pd.DataFrame:
        """``frame`` with codes in every column of text, its rows in the order of ``key``."""
        if not self.codes:
            return frame
        made = frame.copy()
        for name in frame.select_dtypes(["object", "str"]):
            codes = {text: self.told(text) for text in frame[name].unique() if type(text) is str}
            if any(text != code for text, code in codes.items()):
                values = [codes.get(value, value) for value in frame[name]]
                made[name] = pd.Series(values, frame.index, frame[name].dtype)
        order = [name for name in key if name in made]
        return made.sort_values(order, kind="stable", ignore_index=True) if order else made

    def found(self, text: str) -> str:
        """A text of the report with ids again."""
        known = self._ids
        return re.sub(r"(?<![A-Za-z0-9])P\d+(?![A-Za-z0-9])", lambda p: known.get(p[0], p[0]), text)

    def _coded(self, listed: re.Match[str]) -> str:
        names = listed[0].split(", ")
        codes = [self.codes.get(name, name) for name in names]
        return ", ".join(codes if codes == names else sorted(codes))


NOBODY = Pseudonyms((), 0, "")
"""Ids stay as they are."""
