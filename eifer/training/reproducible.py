"""What a training needs around it: the same numbers everywhere and every time, and quiet."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def reproducibly(*, one_thread: bool) -> Iterator[None]:
    """Put torch's random numbers and settings back afterwards; on a CPU train in one thread.

    Sums over a batch depend on how many threads share them out.
    """
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng():
        try:
            if one_thread:
                torch.set_num_threads(1)
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic)


def trainer(**choices: Any) -> Any:
    """Lightning's trainer with ``choices``, and nothing from the environment.

    Lightning takes what is not said from ``PL_TRAINER_*``, and where it finds the variables of a
    cluster's job it waits for the other processes of that job. Where training has several
    processes, they are ours.
    """
    import pytorch_lightning as pl
    from pytorch_lightning.plugins.environments import LightningEnvironment

    taken = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PL_")}
    try:
        return pl.Trainer(
            plugins=[LightningEnvironment()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            **choices,
        )
    finally:
        os.environ |= taken


@contextmanager
def quietly() -> Iterator[None]:
    """Without Lightning's notes on devices and tips, and its advice on loaders not used here."""
    modules = ("pytorch_lightning", "lightning_fabric")
    loggers = [logging.getLogger(name) for name in modules]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for module in modules:
                warnings.filterwarnings("ignore", module=module)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
