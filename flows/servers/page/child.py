"""The process that reads one video of the page, and says on its output how far it is.

``python -m flows.servers.page.child``, in the folder of its job, with video, name and settings as
JSON in the environment (`jobs.WORK`). Each line is JSON: what is done, where in the video; or why
the video was refused.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eifer.affect import estimators
from eifer.errors import StudyError
from eifer.faces import decoding
from eifer.tables.video import CHANCE, expressions_of
from eifer.video import files, page
from eifer.video.reading import opened
from flows.servers.page.jobs import OUT, PICTURE, WORK, Settings

if TYPE_CHECKING:
    import pandas as pd

    from eifer.tables.schema import Table

MEMORY_BYTES = (4 << 30) + (os.cpu_count() or 1) * (256 << 20)
"""What reading may take beside the models: addresses, of which each thread reserves some 100 MB.
A 4K video and its film take 3.2 GB on two processors, the models among them."""
EVERY_S = 0.2


class TooLongError(StudyError):
    """A video that goes on for longer than the page takes."""


class _Teller:
    """Says how far the reading is, a few times a second, and ends one that goes on for too long."""

    def __init__(self, duration_s: float, most_s: float) -> None:
        self._duration_s, self._most_s, self._last = duration_s, most_s, 0.0
        self.refuse_beyond(duration_s)

    def __call__(self, what: str, time_s: float) -> None:
        self.refuse_beyond(time_s)
        if time.monotonic() - self._last > EVERY_S:
            self._last = time.monotonic()
            tell(doing=what, time_s=time_s, duration_s=self._duration_s)

    def refuse_beyond(self, time_s: float) -> None:
        if time_s > self._most_s:
            raise TooLongError(
                f"longer than {self._most_s / 60:g} minutes: cut it, or start eifer page with "
                "another --max-minutes"
            )


def tell(**facts: object) -> None:
    """Say ``facts`` to the page."""
    print(json.dumps(facts), flush=True)


def read(video: Path, name: str, settings: Settings) -> None:
    """Read ``video`` into this folder.

    Raises
    ------
    StudyError
        If it cannot be read, or is too long.
    """
    choice, spec = settings.chosen()
    reader = opened(choice, spec)
    statm = Path("/proc/self/statm")
    if statm.exists():
        held = int(statm.read_text().split()[0]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        asked = held + MEMORY_BYTES
        asked = asked if most == resource.RLIM_INFINITY else min(asked, most)
        resource.setrlimit(resource.RLIMIT_AS, (asked, asked))
    seen = _Teller(decoding.declared_s(video), 60 * settings.max_minutes)
    told = estimators.told(choice)
    out = Path(OUT)
    summary = files.write(
        reader, video, out, told=told, form="csv", film=True, seen=seen, name=name
    )
    import pandas as pd

    faces = reader.table.conform(pd.read_csv(out / summary["table"]))
    text = json.dumps(picture(faces, summary, reader.table), allow_nan=False)
    Path(PICTURE).write_text(text, encoding="utf-8")


def picture(faces: pd.DataFrame, summary: dict[str, Any], table: Table) -> dict[str, Any]:
    """What the page shows of a reading.

    Returns
    -------
    dict
        ``summary``; the ``names`` of expressions; ``times`` (s) and ``frames`` (index in the video)
        of all that was looked at; of each face in ``faces`` the place in these, the person, box
        (x, y, w, h; px), arousal, valence, and, where there are names, the place of its
        expression in them, its probability and whether it is uncertain (None where it is
        unsure); ``drawings`` by person (`page.drawings`); ``columns`` of the table.
    """
    names = expressions_of(faces)
    looked = faces.drop_duplicates("frame")
    place = {frame: k for k, frame in enumerate(looked["frame"])}
    rows = []
    for face in faces.dropna(subset="person").to_dict("records"):
        box = [face[f"box_{side}_px"] for side in "xywh"]
        row: list[Any] = [place[face["frame"]], int(face["person"]), *box]
        if face["arousal"] != face["arousal"]:
            row += [None] * (5 if names else 2)
        else:
            row += [face["arousal"], face["valence"]]
            if names:
                best = face["expression"]
                row += [names.index(best), face[f"{best}{CHANCE}"], bool(face["uncertain"])]
        rows.append(row)
    return {
        "summary": summary,
        "names": names,
        "times": looked["time_s"].tolist(),
        "frames": looked["frame"].tolist(),
        "faces": rows,
        "drawings": page.drawings(faces, summary["duration_s"]),
        "columns": [[column.name, column.unit, column.meaning] for column in table.columns],
    }


def main() -> int:
    """Read what the environment names."""
    video, name, facts = json.loads(os.environ.pop(WORK))
    try:
        read(Path(video), name, Settings(**facts))
    except KeyboardInterrupt:
        return 130
    except StudyError as error:
        tell(error=str(error).replace(video, name))
        return 1
    except OSError as error:
        tell(error=f"{error.strerror}: make room on the disk of eifer page, and go on")
        return 1
    except MemoryError:
        size = f"{MEMORY_BYTES / 1e9:.0f} GB"
        tell(error=f"reading it takes more than {size} of memory: make its picture smaller")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
