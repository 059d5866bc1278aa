"""An instance that takes a while: writes its parts in place, so that a kill leaves half of them."""

import fcntl
import hashlib
import os
import sys
import time
from pathlib import Path

RUNS = Path(os.environ.get("EIFER_CHAOS_RUNS", "runs/toy"))


def write(name: str, out: Path, given: list[str]) -> None:
    """Eight parts in ``out``, made of all that is ``given``; says that it ran, and if twice."""
    RUNS.mkdir(parents=True, exist_ok=True)
    alone = (RUNS / f"{name}.lock").open("w")
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        (RUNS / "twice").write_text(name)
    with (RUNS / "executed").open("a") as log:
        log.write(name + "\n")
    found = [file for folder in given for file in Path(folder).rglob("*")]
    read = b"".join(file.read_bytes() for file in sorted(found) if file.is_file())
    digest = hashlib.sha256(name.encode() + read).digest()
    out.mkdir(parents=True, exist_ok=True)
    for part in range(8):
        with (out / f"part-{part}").open("wb") as file:
            for _ in range(4):
                file.write(digest * 512)
                file.flush()
                time.sleep(0.015)


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
