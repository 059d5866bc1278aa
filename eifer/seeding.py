"""One seed for the study, and a named sub-seed for everything random in it."""

from __future__ import annotations

import hashlib

import numpy as np


def sub_seed(seed: int, *names: object) -> int:
    """A 63-bit seed for the purpose called ``names``, from the study's ``seed``.

    Hashing (not drawing in turn) makes each purpose independent of the others:
    a new participant or repetition leaves every other one's numbers alone.
    """
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: object) -> np.random.Generator:
    """A NumPy generator for the purpose called ``names``."""
    return np.random.default_rng(sub_seed(seed, *names))
