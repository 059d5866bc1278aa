"""What the stages say of themselves: methods texts, numbers, checks, and what they left out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic_core import to_json

from eifer.report.pseudonyms import Pseudonyms
from eifer.tables.attrition import ATTRITION
from eifer.tables.simulation import LATENT

VERSION = "0.1.0"
"""Of eifer, as pyproject.toml has it; here, so that DVC makes a new page for a new version."""
HASHES = ["video_sha256", "ecg_sha256"]
"""Of the table of videos: the hashes of the recordings."""
NUMBER = r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?!\w)"


@dataclass(frozen=True)
class Fragments:
    """What the stages say of themselves, in the order they were given."""

    reports: list[dict[str, Any]]
    checks: pd.DataFrame
    attrition: pd.DataFrame

    def numbers(self) -> dict[str, Any]:
        """Each stage's numbers by its name; a list of them where it ran several times."""
        values: dict[str, Any] = {}
        for report in self.reports:
            values.setdefault(report["stage"], []).append(report["numbers"])
        return {stage: all_[0] if len(all_) == 1 else all_ for stage, all_ in values.items()}

    @property
    def stages(self) -> int:
        """How many stages left checks."""
        return int(self.checks["stage"].nunique())

    def checked(self) -> dict[str, int]:
        """How many checks there were, and how many failed."""
        return {"checks": len(self.checks), "failed": int((~self.checks["success"]).sum())}

    def texts(self, stages: Iterable[str], part: str) -> list[str]:
        """What each of ``stages`` wrote as ``part`` (methods, results), its instances merged."""
        return [
            text
            for stage in stages
            if (written := [r for r in self.reports if r["stage"] == stage and r[part]])
            for text in merged(written, part)
        ]

    def title(self, stage: str) -> str:
        """What a stage calls itself."""
        return next((r["title"] for r in self.reports if r["stage"] == stage), stage)


def gather(folders: Sequence[Path], names: Pseudonyms) -> Fragments:
    """Read report.json, checks.json and attrition.parquet of every stage folder, each once.

    People are called by ``names``.
    """
    reports, checks, attrition = [], [], []
    for folder in dict.fromkeys(folders):
        report = names.told(json.loads((folder / "report.json").read_text(encoding="utf-8")))
        reports.append(report)
        where = {"stage": report["stage"], "item": _item(report["item"])}
        listed = names.told(json.loads((folder / "checks.json").read_text()))
        checks += [where | check for check in listed]
        if (folder / "attrition.parquet").exists():
            rows = names.table(pd.read_parquet(folder / "attrition.parquet"), ATTRITION.key)
            attrition.append(rows.assign(**where)[[*where, *rows.columns]])
    return Fragments(
        reports,
        pd.DataFrame(checks),
        pd.concat(attrition, ignore_index=True) if attrition else pd.DataFrame(),
    )


def planted(folder: Path) -> dict[str, Any]:
    """What was planted in a cohort that the simulation in ``folder`` made, else nothing."""
    if not (folder / "truth.json").exists():
        return {"truth": None, LATENT.name: None}
    truth = json.loads((folder / "truth.json").read_text())
    return {"truth": truth, LATENT.name: LATENT.conform(pd.read_parquet(folder / "latent.parquet"))}


def origin(params: Any, data: Iterable[str]) -> dict[str, str]:
    """What a page says it is of: the study's name, and by their hashes its params and data.

    Parameters
    ----------
    params
        All sections of params.yaml, as attributes.
    data
        SHA-256 of the recordings or images.

    Returns
    -------
    dict
        ``study``, ``version`` (of eifer), and SHA-256: ``params_sha256`` of the params as JSON,
        ``data_sha256``, the `fingerprint` of the data.
    """
    return {
        "study": params.study.name,
        "version": VERSION,
        "params_sha256": hashlib.sha256(to_json(vars(params), fallback=vars)).hexdigest(),
        "data_sha256": fingerprint(data),
    }


def fingerprint(data: Iterable[str]) -> str:
    """One SHA-256 of those of recordings or images that there are, sorted, a line each."""
    lines = sorted(str(sha256) for sha256 in data if not pd.isna(sha256))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def merged(reports: Sequence[Mapping[str, Any]], part: str) -> list[str]:
    """One text of a stage's instances: said once where only numbers or items differ.

    Of waves 1 and 2 "10 frames" and "12 frames" become "(For each wave.) 10 to 12 frames", of
    two tasks "learnt arousal" and "learnt valence" become "learnt arousal or valence".
    """
    same: dict[tuple[str, ...], list[tuple[Mapping[str, Any], list[str]]]] = {}
    for report in reports:
        items = "".join(rf"|\b{re.escape(value)}\b" for value in report["item"].values())
        parts = re.split(f"({NUMBER}{items})", report[part])
        same.setdefault(tuple(parts[::2]), []).append((report, parts[1::2]))
    texts = []
    for words, group in same.items():
        slots = list(zip(*(numbers for _, numbers in group), strict=True))
        values = [_range(slot) for slot in slots]
        text = "".join(a + b for a, b in zip(words, [*values, ""], strict=True))
        varied = len(group) < len(reports) or any(len(set(slot)) > 1 for slot in slots)
        texts.append(_prefix([report["item"] for report, _ in group], len(reports)) * varied + text)
    return texts


def _prefix(items: Sequence[Mapping[str, str]], of: int) -> str:
    """Which of a stage's instances a text is about, where it has several."""
    if of == 1:
        return ""
    if len(items) < of:
        return f"({'; '.join(map(_item, items))}.) "
    varied = [key for key in items[0] if len({item[key] for item in items}) > 1]
    return f"(For each {_listed([key.replace('_', ' ') for key in varied])}.) "


def _range(values: Sequence[str]) -> str:
    """What stands at one place of several texts: one word, a choice of words, or a range."""
    different = sorted(set(values))
    if len(different) == 1 or not all(re.fullmatch(NUMBER, value) for value in different):
        return _listed(different, "or")
    different.sort(key=float)
    return f"{different[0]} to {different[-1]}"


def _listed(words: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _item(item: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in item.items())
