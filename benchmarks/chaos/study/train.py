"""Trains nothing, and records it as the stages of the study do: then settles its output."""

import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

import pandas as pd
from step import write  # type: ignore[import-not-found]  # beside this one in the study

from stages._runtime import tracking

started_s = time.time() - 1
group = sys.argv[1]
final = Path("data/train", group)
partial = final.with_name(group + ".partial")
shutil.rmtree(partial, ignore_errors=True)
write("train@" + group, partial, ["data/split"])
weights = partial / "weights.safetensors"
weights.write_bytes((partial / "part-7").read_bytes())
tracking._figure = lambda *_: {"figures/curve.svg": b"<svg/>"}  # drawing takes seconds
tracking.trained(
    tracking.Repetition(
        os.environ["EIFER_CHAOS"],
        "train",
        "arousal",
        group,
        1,
        hashlib.sha256(weights.read_bytes()).hexdigest(),
    ),
    item={"group": group},
    recipe={"lr": 0.1},
    numbers={"threshold": 0.5},
    curves=pd.DataFrame({"epoch": [1, 2, 3], "loss": [0.9, 0.5, 0.4]}),
    inputs=[tracking.Input("split", Path("data/split"))],
    weights=weights,
    model=None,
    started_s=started_s,
    ended_s=time.time(),
)
shutil.rmtree(final, ignore_errors=True)
partial.rename(final)
