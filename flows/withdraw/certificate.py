"""What a withdrawal found, removed and could not reach: as JSON, and as text to hand over."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from flows.withdraw.found import Derived

CERTIFICATES = Path("runs/withdrawals")
State = Literal["begun", "removed", "finished"]


@dataclass
class Certificate:
    """One withdrawal; ``begun`` and ``ended`` are dates in UTC, counts are by place."""

    participant: str
    reason: str
    study: str
    begun: str
    state: State = "begun"
    ended: str | None = None
    instances: list[str] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    found: dict[str, int] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    not_reached: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    run: str = ""
    made_alike: int = 0
    """Hashes that the study had again when it was computed without the person."""
    md5: list[str] = field(default_factory=list)
    sha256: list[str] = field(default_factory=list)

    def take(self, found: Derived) -> None:
        """Note the instances and hashes of what was found."""
        self.instances, self.stages = sorted(found.addresses), sorted(found.stages)
        self.md5, self.sha256 = sorted(found.md5), sorted(found.sha256)

    def derived(self) -> Derived:
        """What was found when it began."""
        return Derived(*map(set, (self.instances, self.stages, self.md5, self.sha256)))

    def save(self, study: Path) -> Path:
        """Write both forms; the path of the text."""
        folder = study / CERTIFICATES
        folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"
        for name, text in ((".json", content), (".txt", str(self))):
            path = folder / (self.participant + name)
            partial = path.with_name(path.name + ".partial")
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, path)
        return folder / f"{self.participant}.txt"

    def __str__(self) -> str:
        def listed(title: str, lines: list[str]) -> list[str]:
            return [title, *(f"  - {line}" for line in lines or ["nothing"]), ""]

        def counts(numbers: dict[str, int]) -> list[str]:
            return [f"{place}: {n}" for place, n in numbers.items()]

        ended = {
            "begun": "NOT ENDED: call the same command again",
            "removed": "removed; the study was not computed again",
            "finished": "removed; the study was computed again without the participant",
        }
        return "\n".join(
            [
                f"Withdrawal of {self.participant} from the study {self.study!r}",
                "",
                f"Asked for because: {self.reason}",
                f"Begun {self.begun}, ended {self.ended or '-'}: {ended[self.state]}",
                f"Run: {self.run or 'no'}",
                "",
                *listed("Found, of what came of the recordings:", counts(self.found)),
                *listed("Removed:", counts(self.removed)),
                *listed("Left where it is:", self.left),
                *listed("Not reached:", self.not_reached),
                *listed(
                    f"Looked for all {len(self.md5)} MD5 and {len(self.sha256)} SHA-256 hashes of "
                    "what was found:",
                    self.checked,
                ),
                f"{self.made_alike} more hashes are of files that came out the same without the "
                "participant."
                if self.made_alike
                else "",
                "The JSON file beside this text lists every hash.",
                "",
            ]
        )


def read(study: Path, participant: str) -> Certificate | None:
    """The certificate of a participant, if their withdrawal began."""
    path = study / CERTIFICATES / f"{participant}.json"
    if not path.is_file():
        return None
    return Certificate(**json.loads(path.read_text(encoding="utf-8")))


def set_aside(study: Path, paper: Certificate) -> None:
    """Keep a former certificate under the date of its withdrawal."""
    for ending in (".json", ".txt"):
        path = study / CERTIFICATES / (paper.participant + ending)
        path.rename(path.with_name(f"{paper.participant}_{paper.begun.replace(':', '')}{ending}"))
